//! Foreign logs of tracking pixels: what other products recorded becomes rows of the right applications.

use std::fs;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::support::bench::Bench;
use crate::support::daemon::{alt, wait_for};
use crate::support::pack::gzip;
use crate::support::postgres::Database;

const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:125.0) Gecko/20100101 Firefox/125.0";
const CHROME: &str = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0.0.0 Safari/537.36";
const GOOGLEBOT: &str = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)";

/// A database with the applications `shop` (of the bench), `blog` and `docs`.
fn bench() -> Bench {
    let bench = Bench::not_started("[[source]]\npaths = [\"DIR/beacon.log\"]", Database::create());
    bench
        .database
        .psql("INSERT INTO applications (app_key, name) VALUES ('blog', 'Our blog'), ('docs', 'Docs')");
    bench
}

fn run(bench: &Bench, args: &[&str]) -> Result<Value, String> {
    let output = alt()
        .arg("replay")
        .arg("--config")
        .arg(&bench.config)
        .args(args)
        .arg("--json")
        .current_dir(bench.directory.path())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    if output.status.success() {
        Ok(serde_json::from_slice(&output.stdout).unwrap())
    } else {
        Err(format!("{:?}: {}", output.status.code(), String::from_utf8_lossy(&output.stderr)))
    }
}

/// Lines, rows and already loaded of an account.
fn counts(account: &Value) -> (u64, u64, u64) {
    let n = |name: &str| account[name].as_u64().unwrap();
    (n("lines"), n("rows"), n("already_loaded"))
}

/// A line of nginx's `combined`: the address' last part, day and time in March 2024, request, status, Referer, agent.
fn line(who: u8, at: &str, request: &str, status: u16, referer: &str, agent: &str) -> String {
    let (day, time) = at.split_once(' ').unwrap();
    format!(
        "203.0.{who}.7 - - [{day}/Mar/2024:{time} +0100] \"{request} HTTP/2.0\" {status} 43 \"{referer}\" \"{agent}\"\n"
    )
}

/// Times in UTC, application, event, page, and what `columns` asks for, a row a line.
fn rows(bench: &Bench, columns: &str) -> String {
    bench.database.psql(&format!(
        "SELECT to_char(l.occurred_at AT TIME ZONE 'UTC', 'MM-DD HH24:MI:SS'), l.app_key, l.event_type, \
         l.url_host || l.url_path || CASE WHEN l.url_query <> '' THEN '?' || l.url_query ELSE '' END, {columns} \
         FROM access_log_details l ORDER BY l.occurred_at"
    ))
}

/// Days in UTC, their rows, visitors, and networks that these came from.
fn visitors(bench: &Bench) -> String {
    bench.database.psql(
        "SELECT occurred_at::date, count(*), count(DISTINCT visitor_id), count(DISTINCT ip) FROM access_logs \
         GROUP BY 1 ORDER BY 1",
    )
}

fn matomo_log() -> String {
    let get = |rest: &str| {
        format!(
            "GET /matomo.php?{rest}&rec=1&r=929409&h=10&m=8&s=9&_id=0a0eb2e9175a04ab&_idn=0&send_image=0&cookie=1\
             &pdf=1&res=1280x1024&pv_id=4fglKu"
        )
    };
    let shop = "https://shop.example/";
    [
        line(1, "30 23:59:58", &get("idsite=1&action_name=Red%20shoes&url=https%3A%2F%2Fshop.example%2Fshoes%3Fcolor%3Dred&urlref=https%3A%2F%2Fwww.google.com%2F"), 200, shop, FIREFOX),
        line(1, "31 00:10:00", &get("idsite=1&search=boots&search_count=3&url=https%3A%2F%2Fshop.example%2Fsearch"), 204, shop, FIREFOX),
        line(1, "31 00:11:00", &get("idsite=1&ping=1&url=https%3A%2F%2Fshop.example%2Fsearch"), 204, shop, FIREFOX),
        line(2, "31 00:12:00", &get("idsite=2&action_name=Blog&url=https%3A%2F%2Fblog.example%2F&uid=U7&token_auth=0123456789abcdef0123456789abcdef"), 200, "https://blog.example/", CHROME),
        line(2, "31 00:13:00", &get("idsite=2&e_c=Video&e_a=play&e_n=Intro&url=https%3A%2F%2Fblog.example%2F").replace("GET", "POST"), 204, "https://blog.example/", CHROME),
        line(2, "31 00:14:00", &get("idsite=2&link=https%3A%2F%2Fother.example%2F&url=https%3A%2F%2Fblog.example%2F"), 204, "https://blog.example/", CHROME),
        line(3, "31 00:15:00", &get("idsite=3&url=https%3A%2F%2Felse.example%2F"), 200, "-", CHROME),
        line(4, "31 00:16:00", &get("idsite=1&action_name=Shop&url=https%3A%2F%2Fshop.example%2F"), 200, shop, GOOGLEBOT),
        line(1, "31 00:17:00", "GET /matomo.js", 200, shop, FIREFOX),
        line(1, "31 00:18:00", "GET /index.php?module=CoreHome&idsite=1", 200, "-", FIREFOX),
        line(1, "31 00:19:00", &get("idsite=1"), 403, shop, FIREFOX),
        line(1, "31 00:20:00", &get("idsite=1").replace("GET", "OPTIONS"), 204, shop, FIREFOX),
        "203.0.9.7 - - [31/Mar/2024:00:21:00 +0100] \"\\x16\\x03\\x01\\x02\" 400 157 \"-\" \"-\"\n".to_owned(),
    ]
    .concat()
}

#[test]
fn a_matomo_log_by_its_sites() {
    let mut bench = bench();
    fs::write(bench.path("stats.log"), matomo_log()).unwrap();
    let args = ["stats.log", "--format", "combined", "--pixel", "matomo", "--label", "stats"];
    let sites = ["--site", "1=shop", "--site", "2=Our blog"];
    let chosen = ["--status", "2xx,304"];
    let account = run(&bench, &[&args[..], &sites, &chosen].concat()).unwrap();
    assert_eq!(counts(&account), (13, 7, 0), "{account}");
    let other = serde_json::json!({"method": 1, "not the pixel": 3, "status 403": 1});
    assert_eq!(account["non_hits"], other, "{account}");
    assert_eq!(account["rejects"], serde_json::json!({"no_app": 1}));
    assert_eq!(bench.database.psql("SELECT reason, detail FROM rejected_lines"), "no_app|3");
    insta::assert_snapshot!(rows(&bench, "l.referrer, l.title, l.user_id, l.client_sub_id, l.method, l.status, l.traffic_class, l.params, l.screen_width"), @r#"
    03-30 22:59:58|shop|pageview|shop.example/shoes?color=red|https://www.google.com/|Red shoes||0a0eb2e9175a04ab|GET|200|human|{"custom": {"idsite": "1"}}|1280
    03-30 23:10:00|shop|search|shop.example/search||||0a0eb2e9175a04ab|GET|204|human|{"custom": {"idsite": "1"}, "search_term": "boots", "result_count": 3}|1280
    03-30 23:11:00|shop|engagement|shop.example/search||||0a0eb2e9175a04ab|GET|204|human|{"custom": {"idsite": "1"}}|1280
    03-30 23:12:00|blog|pageview|blog.example/||Blog|U7|0a0eb2e9175a04ab|GET|200|human|{"custom": {"idsite": "2", "token_auth": "***"}}|1280
    03-30 23:13:00|blog|play|blog.example/||||0a0eb2e9175a04ab|POST|204|human|{"custom": {"e_c": "Video", "e_n": "Intro", "idsite": "2"}}|1280
    03-30 23:14:00|blog|outbound|blog.example/||||0a0eb2e9175a04ab|GET|204|human|{"custom": {"link": "https://other.example/", "idsite": "2"}}|1280
    03-30 23:16:00|shop|pageview|shop.example/||Shop||0a0eb2e9175a04ab|GET|200|bot|{"custom": {"idsite": "1"}}|1280
    "#);
    assert_eq!(visitors(&bench), "2024-03-30|7|3|3");
    // The page view's id is kept, and nothing secret.
    assert_eq!(bench.database.psql("SELECT count(DISTINCT page_view_id) FROM access_logs"), "1");
    // Again, with another application for the rest, and whatever the status: the same events, the one that had no
    // application, and the one that was refused.
    bench.written = 7;
    assert_eq!(counts(&run(&bench, &[&args[..], &sites, &chosen].concat()).unwrap()), (0, 0, 0));
    let otherwise = run(&bench, &[&args[..], &sites].concat()).unwrap();
    assert!(otherwise["files_loaded_otherwise"].to_string().contains("--status"), "{otherwise}");
    fs::write(bench.path("copy.log"), format!("\n{}", matomo_log())).unwrap();
    let again =
        ["copy.log", "--format", "combined", "--pixel", "matomo", "--label", "stats", "--app", "docs"];
    let account = run(&bench, &[&again[..], &sites].concat()).unwrap();
    assert_eq!(counts(&account), (14, 2, 7), "{account}");
    let refused = "SELECT app_key, event_type FROM access_log_details WHERE status = 403";
    assert_eq!(bench.database.psql(refused), "shop|pageview");
    assert_eq!(
        rows(&bench, "1").lines().filter(|row| row.contains("|docs|pageview|else.example/|")).count(),
        1
    );
}

#[test]
fn a_goatcounter_log_of_several_days_from_a_gzip_file() {
    let mut bench = bench();
    let count = |rest: &str| format!("GET /count?{rest}&s=1920%2C1080%2C1&b=0&rnd=x8k2q");
    let blog = "https://blog.example/";
    let mut text = String::new();
    for day in ["01", "02", "03"] {
        for who in 1..=4 {
            let post = count(
                "p=%2Fpost%3Fa%3D1&t=A%20post%20%26%20more&q=%3Fa%3D1&r=https%3A%2F%2Fnews.example%2Fx",
            );
            text += &line(who, &format!("{day} 12:0{who}:00"), &post, 200, blog, CHROME);
        }
        text += &line(1, &format!("{day} 12:30:00"), &count("p=sign-up&e=true&t=Sign+up"), 200, blog, CHROME);
        text += &line(9, &format!("{day} 12:31:00"), &count("p=%2Fpost&r=Newsletter"), 200, blog, GOOGLEBOT);
        text += &line(1, &format!("{day} 12:32:00"), "GET /count.js", 304, blog, CHROME);
    }
    text += &line(5, "04 09:00:00", &count("p=%2Fx"), 200, "https://unknown.example/page", FIREFOX);
    fs::write(bench.path("count.log.gz"), gzip(text.as_bytes(), 6)).unwrap();
    let args =
        ["count.log.gz", "--format", "combined", "--pixel", "goatcounter", "--site", "BLOG.example=blog"];
    let account = run(&bench, &args).unwrap();
    assert_eq!(counts(&account), (22, 18, 0), "{account}");
    assert_eq!(account["non_hits"], serde_json::json!({"not the pixel": 3}));
    assert_eq!(bench.database.psql("SELECT reason, detail FROM rejected_lines"), "no_app|unknown.example");
    let first: String =
        rows(&bench, "l.referrer, l.title, l.traffic_class, l.params, l.screen_width, l.screen_height")
            .lines()
            .filter(|row| {
                row.starts_with("03-01") && !row.starts_with("03-01 11:02") && !row.starts_with("03-01 11:03")
            })
            .map(|row| format!("{row}\n"))
            .collect();
    insta::assert_snapshot!(first, @r#"
    03-01 11:01:00|blog|pageview|blog.example/post?a=1|https://news.example/x|A post & more|human||1920|1080
    03-01 11:04:00|blog|pageview|blog.example/post?a=1|https://news.example/x|A post & more|human||1920|1080
    03-01 11:30:00|blog|sign-up|blog.example/||Sign up|human||1920|1080
    03-01 11:31:00|blog|pageview|blog.example/post|Newsletter||bot||1920|1080
    "#);
    assert_eq!(visitors(&bench), "2024-03-01|6|5|5\n2024-03-02|6|5|5\n2024-03-03|6|5|5");
    // One person is another one every day.
    let days = "SELECT count(DISTINCT visitor_id) FROM access_logs WHERE ip = '203.0.1.0/24'";
    assert_eq!(bench.database.psql(days), "3");
    let account = run(&bench, &args).unwrap();
    assert_eq!(
        (counts(&account), &account["files_loaded_before"]),
        ((0, 0, 0), &Value::from(1)),
        "{account}"
    );
    bench.written = 18;
    fs::write(bench.path("merged.log"), format!("\n{text}")).unwrap();
    let args =
        ["merged.log", "--format", "combined", "--pixel", "goatcounter", "--site", "blog.EXAMPLE=blog"];
    assert_eq!(counts(&run(&bench, &args).unwrap()), (23, 0, 18));
    assert_eq!(bench.rows(), bench.written);
}

#[test]
fn an_umami_log_by_its_websites() {
    let bench = bench();
    let send = |rest: &str| {
        format!("POST /api/send?type=event&{rest}&hostname=docs.example&screen=390x844&language=de-DE")
    };
    let docs = "https://docs.example/";
    let website = "website=94DB1CB1-74f4-4a40-ad6c-962362670409";
    let text = [
        line(
            1,
            "05 10:00:00",
            &send(&format!("{website}&url=%2Fguide%3Fa%3Db&referrer=%2F&title=Guide")),
            200,
            docs,
            CHROME,
        ),
        line(
            2,
            "05 10:00:01",
            &send(&format!("{website}&url=%2F&referrer=https%3A%2F%2Fg.example%2F&title=Docs")),
            200,
            docs,
            FIREFOX,
        ),
        line(
            2,
            "05 10:00:02",
            &send(&format!(
                "{website}&url=%2F&name=copy&data=%7B%22email%22%3A%22a%40b.example%22%2C%22n%22%3A1%7D&id=U9"
            )),
            200,
            docs,
            FIREFOX,
        ),
        // Its own script says all in a body, which is not in the log.
        line(1, "05 10:00:03", "POST /api/send", 200, docs, CHROME),
        line(3, "05 10:00:04", "GET /p/k3Ab9", 200, "https://mail.example/inbox/", CHROME),
        line(3, "05 10:00:05", "GET /script.js", 200, docs, CHROME),
    ]
    .concat();
    fs::write(bench.path("umami.log"), &text).unwrap();
    let args = ["umami.log", "--format", "combined", "--pixel", "umami", "--label", "u"];
    let sites = ["--site", "94db1cb1-74f4-4a40-ad6c-962362670409=docs", "--site", "k3Ab9=blog"];
    let account = run(&bench, &[&args[..], &sites].concat()).unwrap();
    assert_eq!(counts(&account), (6, 4, 0), "{account}");
    insta::assert_snapshot!(rows(&bench, "l.referrer, l.title, l.user_id, l.params, l.language, l.screen_height"), @r#"
    03-05 09:00:00|docs|pageview|docs.example/guide?a=b|https://docs.example/|Guide||{"custom": {"website": "94DB1CB1-74f4-4a40-ad6c-962362670409"}}|de-DE|844
    03-05 09:00:01|docs|pageview|docs.example/|https://g.example/|Docs||{"custom": {"website": "94DB1CB1-74f4-4a40-ad6c-962362670409"}}|de-DE|844
    03-05 09:00:02|docs|copy|docs.example/|||U9|{"custom": {"data": {"n": 1, "email": "***"}, "website": "94DB1CB1-74f4-4a40-ad6c-962362670409"}}|de-DE|844
    03-05 09:00:04|blog|pageview|mail.example/inbox/||||{"custom": {"pixel": "k3Ab9"}}||
    "#);
    assert_eq!(visitors(&bench), "2024-03-05|4|3|3");
    assert_eq!(counts(&run(&bench, &[&args[..], &sites].concat()).unwrap()), (0, 0, 0));
}

#[test]
fn a_pixel_of_ones_own_and_virtual_hosts() {
    let bench = bench();
    let text = line(
        1,
        "06 10:00:00",
        "GET /t/px.gif?page=https%3A%2F%2Fshop.example%2Fa&from=https%3A%2F%2Fg.example%2F&who=U1&s=Shop&extra=1&zz=7",
        200,
        "-",
        CHROME,
    );
    fs::write(bench.path("own.log"), text).unwrap();
    let pixel = "/px.gif?page=u&from=r&who=user_id&s=a&zz=";
    let args = ["own.log", "--format", "combined", "--pixel", pixel, "--site", "shop=shop"];
    assert_eq!(counts(&run(&bench, &args).unwrap()), (1, 1, 0));
    insta::assert_snapshot!(rows(&bench, "l.referrer, l.user_id, l.params"), @r#"03-06 09:00:00|shop|pageview|shop.example/a|https://g.example/|U1|{"custom": {"s": "Shop", "extra": "1"}}"#);
    // A site's own log, of several sites.
    let hosts: String = ["shop.example:443", "www.blog.example:80", "nobody.example:80"]
        .map(|host| format!("{host} {}", line(2, "07 10:00:00", "GET /x", 200, "-", CHROME)))
        .concat();
    fs::write(bench.path("vhosts.log"), hosts).unwrap();
    let args = [
        "vhosts.log",
        "--format",
        "vhost_combined",
        "--site",
        "shop.example=shop",
        "--site",
        "*.blog.example=blog",
    ];
    assert_eq!(counts(&run(&bench, &args).unwrap()), (3, 2, 0));
    let got = bench.database.psql(
        "SELECT a.app_key, l.event_type, l.url_host FROM access_logs l JOIN applications a ON a.id = l.app_id \
         WHERE event_type = 'request' ORDER BY 1",
    );
    assert_eq!(got, "blog|request|www.blog.example\nshop|request|shop.example");
    assert_eq!(bench.database.psql("SELECT reason, detail FROM rejected_lines"), "no_app|nobody.example");
}

#[test]
fn what_cannot_be_is_said_before_anything_is_loaded() {
    let bench = bench();
    fs::write(bench.path("log"), matomo_log()).unwrap();
    let matomo = ["--format", "combined", "--pixel", "matomo"];
    for (args, code, part) in [
        (
            &["--format", "alt1", "--pixel", "matomo", "--app", "shop"][..],
            1,
            "pixel: alt1 is what our own pixel logs",
        ),
        (&["--format", "alt1", "--site", "1=shop"], 1, "sites: lines of alt1 name their applications"),
        (
            &["--format", "combined", "--pixel", "mattomo", "--app", "shop"],
            1,
            "`mattomo` is no pixel that is known",
        ),
        (&["--format", "combined", "--pixel", "/px?a=b", "--app", "shop"], 1, "`a=b`: a beacon has no `b`"),
        (&matomo, 1, "--site NAME=KEY"),
        (&[&matomo[..], &["--status", "ok", "--app", "shop"]].concat(), 1, "status: `ok` is no status"),
        (&["--format", "alt1", "--status", "2xx"], 1, "status: lines of alt1 are events if"),
        (&[&matomo[..], &["--site", "1"]].concat(), 2, "`1` is no NAME=APP"),
        (&[&matomo[..], &["--site", "1=shop", "--site", "1=blog"]].concat(), 1, "--site 1 is there twice"),
        (&[&matomo[..], &["--site", "1=nobody"]].concat(), 1, "nobody"),
        (&[&matomo[..], &["--site", "*=shop"]].concat(), 2, "only at the beginning"),
    ] {
        let said = run(&bench, &[&["log"][..], args].concat()).unwrap_err();
        assert!(said.starts_with(&format!("Some({code})")) && said.contains(part), "{args:?}: {said}");
    }
    assert_eq!(bench.rows(), 0);
}

#[test]
fn a_daemon_follows_the_log_of_a_pixel() {
    let source = "[[source]]\npaths = [\"DIR/stats.log\"]\nformat = \"combined\"\npixel = \"matomo\"\n\
                  status = \"2xx,304\"\nsites = { \"1\" = \"shop\", \"2\" = \"blog\" }\nlabel = \"stats\"";
    let mut bench = Bench::not_started(source, Database::create());
    bench.database.psql("INSERT INTO applications (app_key, name) VALUES ('blog', 'Our blog')");
    bench.start();
    bench.append_text("stats.log", &matomo_log(), 7);
    wait_for(30, || bench.rows() == 7, || bench.state());
    assert_eq!(bench.database.psql("SELECT reason, detail FROM rejected_lines"), "no_app|3");
    // Replayed beside it: the same events.
    bench.stop();
    fs::write(bench.path("copy"), format!("\n{}", matomo_log())).unwrap();
    let args = ["copy", "--format", "combined", "--pixel", "matomo", "--label", "stats"];
    let account = run(&bench, &[&args[..], &["--site", "1=shop", "--site", "2=blog"]].concat()).unwrap();
    assert_eq!(counts(&account), (14, 1, 7), "{account}");
}

#[test]
fn parse_and_explain_show_what_a_pixel_says() {
    let bench = bench();
    fs::write(bench.path("log"), matomo_log()).unwrap();
    let run = |args: &[&str]| {
        let output: std::process::Output = Command::new(env!("CARGO_BIN_EXE_alt"))
            .args(args)
            .args(["--format", "combined", "--pixel", "matomo"])
            .current_dir(bench.directory.path())
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let lines: Vec<Value> =
        run(&["parse", "log"]).lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!(lines.len(), 13);
    assert_eq!((&lines[0]["site"], &lines[0]["title"]), (&Value::from("1"), &Value::from("Red shoes")));
    assert_eq!(
        (&lines[8]["line"], &lines[8]["reason"]),
        (&Value::from("non_hit"), &Value::from("not the pixel"))
    );
    let log = matomo_log();
    let told: Value =
        serde_json::from_str(&run(&["explain", "--json", log.lines().nth(3).unwrap()])).unwrap();
    assert_eq!(told["pixel"], "matomo");
    assert_eq!(told["stored"]["params"]["custom"]["token_auth"], "***", "{told}");
}
