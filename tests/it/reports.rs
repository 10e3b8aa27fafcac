//! Reports: a period that is over is told of once, with the numbers of plain SQL, whatever ends meanwhile.

use std::fs;

use alt_process::fault::Step;
use serde_json::{Value, json};

use crate::alerts::{receiver, texts, with_alerts};
use crate::kill::full;
use crate::serve::{Api, bearer, token};
use crate::support::bench::Bench;
use crate::support::daemon::{Daemon, alt, wait_for};
use crate::support::lines::{KEY, alt1_aged, now};
use crate::support::receiver::{Act, Receiver};

const SENT: &str = "SELECT count(*) FILTER (WHERE state = 'sent') || ' of ' || count(*) FROM alert_outbox";

/// A bench with statistics and alerts on, receivers as channels `c0`, `c1` …, and yesterday's lines in its log.
fn with_lines(receivers: &[&Receiver]) -> Bench {
    let mut bench = with_alerts(receivers);
    let text = fs::read_to_string(&bench.config).unwrap();
    let more = "\n[stats]\nenabled = true\n[web]\npublic_url = \"https://stats.example.com\"\n";
    fs::write(&bench.config, text + more).unwrap();
    // Noon of yesterday, UTC, whatever time it is.
    let noon = u64::try_from(now() / 1000 % 86_400 + 43_200).unwrap();
    let text: String = (0..30).map(|n| alt1_aged(noon + n * 7)).collect();
    bench.append_text("beacon.log", &text, 30);
    bench
}

fn start_with(bench: &Bench, fault: Option<&str>) -> Daemon {
    Daemon::start_with(&bench.config, |command| {
        command.env("ALT_FAULT_WAIT", "1500");
        if let Some(fault) = fault {
            command.env("ALT_FAULT_AT", fault);
        }
    })
}

/// Waits until yesterday is computed.
fn computed(bench: &Bench) {
    let days = "SELECT count(*) FROM stat_daily WHERE dimension = 'total' AND events = 30 AND NOT EXISTS (SELECT FROM stat_dirty)";
    wait_for(60, || bench.database.psql(days) == "1", || bench.state());
}

fn report(bench: &Bench, args: &[&str]) -> (i32, String) {
    let output =
        alt().args(["stats", "report"]).args(args).arg("--config").arg(&bench.config).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap(), String::from_utf8(said).unwrap())
}

fn done(bench: &Bench, args: &[&str]) -> String {
    let (code, said) = report(bench, args);
    assert_eq!(code, 0, "{args:?}: {said}");
    said
}

fn until(bench: &Bench, sql: &str, answer: &str) {
    let asked = || bench.database.psql(sql);
    wait_for(60, || asked() == answer, || format!("{sql}: {}, and not {answer}\n{}", asked(), bench.state()));
}

#[test]
fn a_period_that_is_over_is_told_of_once_with_the_numbers_of_sql() {
    let (a, b) = (receiver(), receiver());
    let mut bench = with_lines(&[&a, &b]);
    bench.daemon = Some(start_with(&bench, None));
    bench.settle();
    computed(&bench);
    let said =
        done(&bench, &["add", "daily", "--every", "day", "--channel", "c0", "--channel", "c1", "--last"]);
    assert!(said.contains("within a minute"), "{said}");
    // Its first period is the one that goes on.
    done(&bench, &["add", "weekly", "--every", "week", "--channel", "c0"]);
    until(&bench, SENT, "2 of 2");
    let visitors = bench.database.psql("SELECT count(DISTINCT visitor_id) FROM access_logs");
    let text = &texts(&a)[0];
    assert!(text.contains(&format!("Visitors: *{visitors}*")) && text.contains("Page views: *30*"), "{text}");
    assert!(!text.contains("Not all of these days"), "{text}");
    let day = bench.database.psql("SELECT told_until FROM stat_reports WHERE name = 'daily'");
    let link = format!("https://stats.example.com/applications/{KEY}?period={day}..{day}&compare=previous");
    assert!(text.ends_with(&link), "{text}");
    assert_eq!(texts(&b), texts(&a));
    let csv = done(&bench, &["show", "daily", "--csv"]);
    let pages = csv.lines().filter(|line| line.starts_with("page,"));
    let views: u32 = pages.map(|line| line.rsplit(',').next().unwrap().parse::<u32>().unwrap()).sum();
    assert_eq!(views, 10, "ten pages of one view each: {csv}");
    let page = done(&bench, &["show", "daily", "--html"]);
    assert!(page.contains("<h1") && page.contains(&format!(">{visitors}<")), "{page}");
    // Neither another process nor the same one again tells of it once more.
    bench.stop();
    let others = [start_with(&bench, None), start_with(&bench, None)];
    let judged = "SELECT count(*) FROM leases WHERE name = 'notify'";
    wait_for(30, || !bench.database.psql(judged).is_empty(), || bench.state());
    std::thread::sleep(std::time::Duration::from_secs(4));
    drop(others);
    assert_eq!((texts(&a).len(), texts(&b).len()), (1, 1));
    assert_eq!(bench.database.psql(SENT), "2 of 2");
}

/// A directory that is not there yet is written to as soon as it is.
#[test]
fn a_report_is_a_page_and_a_table_in_a_directory() {
    let mut bench = with_lines(&[]);
    let place = bench.path("reports");
    let text = fs::read_to_string(&bench.config).unwrap();
    let channel =
        format!("\n[[channel]]\nname = \"files\"\nkind = \"file\"\ndirectory = \"{}\"\n", place.display());
    fs::write(&bench.config, text + &channel).unwrap();
    bench.daemon = Some(start_with(&bench, None));
    bench.settle();
    computed(&bench);
    done(&bench, &["add", "daily", "--every", "day", "--channel", "files", "--last"]);
    let said = || bench.database.psql("SELECT error FROM alert_outbox");
    wait_for(60, || said().contains("reports takes no file: No such file or directory"), said);
    fs::create_dir(&place).unwrap();
    until(&bench, SENT, "1 of 1");
    let entries = fs::read_dir(&place).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert_eq!(names.len(), 2, "{names:?}");
    let day = bench.database.psql("SELECT told_until FROM stat_reports WHERE name = 'daily'");
    let app = bench.database.psql("SELECT name FROM applications").replace(' ', "-");
    for (name, ending) in names.iter().zip([".csv", ".html"]) {
        assert!(name.starts_with(&format!("{app}-daily-{day}.")) && name.ends_with(ending), "{name}");
    }
    let [csv, html] = [0, 1].map(|n| fs::read_to_string(place.join(&names[n])).unwrap());
    assert_eq!(csv, done(&bench, &["show", "daily", "--csv"]));
    assert!(html.contains("<h1") && html.contains(">30<"), "{html}");
}

#[test]
fn wherever_the_daemon_dies_a_report_is_told_again_under_the_same_id_or_not_at_all() {
    for step in [Step::NotifyTaken, Step::NotifySent, Step::NotifySettled, Step::NotifyCommitted] {
        for time in 1..=if full() { 3 } else { 1 } {
            let hook = Receiver::start(Act::Answer("HTTP/1.1 204 No Content\r\n\r\n".to_owned()));
            let mut bench = with_lines(&[&hook]);
            let secret = bench.path("secret");
            fs::write(&secret, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n").unwrap();
            let text = fs::read_to_string(&bench.config).unwrap().replace(
                "kind = \"slack\"\n",
                &format!("kind = \"webhook\"\nsecret_file = \"{}\"\n", secret.display()),
            );
            fs::write(&bench.config, text).unwrap();
            bench.daemon = Some(start_with(&bench, None));
            bench.settle();
            computed(&bench);
            bench.stop();
            done(&bench, &["add", "daily", "--every", "day", "--channel", "c0", "--last"]);
            let mut daemon = start_with(&bench, Some(&format!("{step:?}:{time}")));
            if time == 1 {
                wait_for(60, || daemon.ended().is_some(), || format!("{step:?}: {}", bench.state()));
            }
            drop(daemon);
            bench.daemon = Some(start_with(&bench, None));
            until(&bench, SENT, "1 of 1");
            let ids: Vec<String> = hook.requests().iter().map(|request| id(request)).collect();
            assert!(ids.len() <= 2 && ids.iter().all(|id| *id == ids[0]), "{step:?}: {ids:?}");
            let body: Value =
                serde_json::from_str(hook.requests()[0].split("\r\n\r\n").nth(1).unwrap()).unwrap();
            assert_eq!(body["type"], "report.day");
            assert_eq!(body["data"]["totals"]["page_views"]["value"], 30.0);
        }
    }
}

fn id(request: &str) -> String {
    let line = request.lines().find(|line| line.to_ascii_lowercase().starts_with("webhook-id:"));
    line.unwrap_or_else(|| panic!("{request}")).to_owned()
}

#[test]
fn of_periods_that_nobody_was_there_for_only_the_last_is_told_of() {
    let a = receiver();
    let mut bench = with_lines(&[&a]);
    done(&bench, &["add", "daily", "--every", "day", "--channel", "c0"]);
    done(&bench, &["add", "monthly", "--every", "month", "--channel", "c0", "--language", "de", "--last"]);
    bench.database.psql("UPDATE stat_reports SET told_until = told_until - 400");
    bench.daemon = Some(start_with(&bench, None));
    until(&bench, SENT, "2 of 2");
    until(&bench, "SELECT count(*) FROM stat_reports WHERE told_until > now() - interval '2 months'", "2");
    let titles: Vec<bool> = texts(&a).iter().map(|text| text.contains("Monatsbericht")).collect();
    assert_eq!(titles.iter().filter(|is_german| **is_german).count(), 1, "{:?}", texts(&a));
}

#[test]
fn a_report_of_days_that_nobody_computes_says_so() {
    let a = receiver();
    let mut bench = with_lines(&[&a]);
    done(&bench, &["add", "daily", "--every", "day", "--channel", "c0", "--last"]);
    let text = fs::read_to_string(&bench.config).unwrap();
    fs::write(&bench.config, text.replace("[stats]\nenabled = true", "[stats]\nenabled = false")).unwrap();
    bench.daemon = Some(start_with(&bench, None));
    until(&bench, SENT, "1 of 1");
    assert!(texts(&a)[0].contains("Not all of these days were computed"), "{:?}", texts(&a));
}

#[test]
fn a_report_that_is_removed_is_not_sent_any_more() {
    let refuses = Receiver::start(Act::Answer("HTTP/1.1 500 No\r\n\r\n".to_owned()));
    let mut bench = with_lines(&[&refuses]);
    done(&bench, &["add", "daily", "--every", "day", "--channel", "c0", "--last"]);
    bench.daemon = Some(start_with(&bench, None));
    until(&bench, "SELECT count(*) FROM alert_outbox WHERE state = 'due' AND attempts > 0", "1");
    done(&bench, &["remove", "daily"]);
    until(&bench, "SELECT state, error FROM alert_outbox", "dead|there is nothing to tell");
    assert!(done(&bench, &["list"]).contains("there is no report"));
    let audit = bench.database.psql("SELECT action FROM audit_log ORDER BY id");
    assert_eq!(audit, "report.add\nreport.remove");
}

#[test]
fn a_report_that_cannot_be_is_refused_with_what_to_do() {
    let a = receiver();
    let bench = with_lines(&[&a]);
    let text = fs::read_to_string(&bench.config).unwrap();
    let with = "\n[[channel]]\nname = \"am\"\nkind = \"alertmanager\"\nurl = \"http://127.0.0.1:9093\"\n";
    fs::write(&bench.config, format!("{text}{with}")).unwrap();
    let long = "x".repeat(101);
    for (args, why) in [
        (&["daily", "--every", "day", "--channel", "c9"][..], "alt channel list"),
        (&["daily", "--every", "day", "--channel", "am"], "takes no reports"),
        (&["daily", "--every", "year", "--channel", "c0"], "day, week or month"),
        (&["daily", "--every", "day", "--channel", "c0", "--language", "fr"], "en, de, ja, ko"),
        (&[" ", "--every", "day", "--channel", "c0"], "1 to 100 characters"),
        (&[&long, "--every", "day", "--channel", "c0"], "1 to 100 characters"),
        (&["daily", "--every", "day"], "--channel"),
        (&["daily", "--every", "day", "--channel", "c0", "--app", "none"], "alt app list"),
    ] {
        let (code, said) = report(&bench, &[&["add"], args].concat());
        assert!(code != 0 && said.contains(why), "{args:?}: {said}");
    }
    done(&bench, &["add", "daily", "--every", "day", "--channel", "c0"]);
    let (code, said) = report(&bench, &["add", "daily", "--every", "week", "--channel", "c0"]);
    assert!(code == 1 && said.contains("has a report daily already"), "{said}");
    for verb in [&["show", "none"][..], &["remove", "none"]] {
        let (code, said) = report(&bench, verb);
        assert!(code == 1 && said.contains("alt stats report list"), "{said}");
    }
    for (off, why) in
        [("[stats]\nenabled = true", "statistics are off"), ("[alerts]\nenabled = true", "below [alerts]")]
    {
        fs::write(
            &bench.config,
            text.replace(off, "[stats_]").replace("[stats_]", &off.replace("true", "false")),
        )
        .unwrap();
        let (code, said) = report(&bench, &["add", "other", "--every", "day", "--channel", "c0"]);
        assert!(code == 1 && said.contains(why), "{said}");
    }
}

#[test]
fn reports_are_managed_by_the_api_as_by_the_command() {
    let a = receiver();
    let mut bench = with_lines(&[&a]);
    bench.database.psql("INSERT INTO applications (app_key, name) VALUES ('other', 'Other')");
    bench.daemon = Some(start_with(&bench, None));
    computed(&bench);
    let api = Api::start(&bench, "public_url = \"https://stats.example.com\"");
    let editor = bearer(&token(&bench, &["--app", KEY, "--role", "editor"]));
    let viewer = bearer(&token(&bench, &["--app", KEY]));
    let others = bearer(&token(&bench, &["--app", "Other", "--role", "editor"]));
    let target = format!("/api/v1/reports?application_id={KEY}");
    let body =
        r#"{"name": "daily", "every": "day", "channels": ["c0", "c0"], "language": "de", "last": true}"#;
    let made = api.ask("POST", &target, &editor, body);
    assert_eq!(made.status, 201, "{}", made.body);
    let made = made.json();
    assert_eq!((&made["channels"], &made["language"]), (&json!(["c0"]), &json!("de")));
    assert_eq!(api.ask("POST", &target, &editor, body).status, 409, "the name is taken");
    let all = api.ask("GET", &target, &editor, "").json();
    assert_eq!(all, json!({ "reports": [made], "channels": ["c0"], "not_sent_because": null }));
    assert!(done(&bench, &["list"]).contains("daily"));
    // What the daemon sends is what the preview says, and the command.
    until(&bench, SENT, "1 of 1");
    let path = format!("/api/v1/reports/{}", made["id"]);
    let its = |path: &str| format!("{path}?application_id={KEY}");
    let preview = api.ask("GET", &its(&format!("{path}/preview")), &editor, "");
    assert_eq!(preview.status, 200, "{}", preview.body);
    let preview = preview.json();
    // The configuration of the command names another address of the dashboard.
    assert_eq!(preview["text"], done(&bench, &["show", "daily"]));
    assert_eq!(preview["html"], done(&bench, &["show", "daily", "--html"]));
    assert_eq!(preview["csv"], done(&bench, &["show", "daily", "--csv"]));
    assert_eq!(preview["data"]["totals"]["page_views"]["value"], 30.0);
    let headline = preview["headline"].as_str().unwrap();
    assert!(headline.starts_with("Tagesbericht") && texts(&a)[0].contains(headline), "{:?}", texts(&a));
    for wrong in [
        r#"{"name": "x", "every": "day"}"#,
        r#"{"name": "x", "every": "day", "channels": []}"#,
        r#"{"name": "x", "every": "day", "channels": ["c9"]}"#,
        r#"{"name": "x", "every": "year", "channels": ["c0"]}"#,
        r#"{"name": "x", "every": "day", "channels": ["c0"], "language": "fr"}"#,
        r#"{"name": "x", "every": "day", "channels": ["c0"], "last": 1}"#,
        r#"{"name": "a\u0007", "every": "day", "channels": ["c0"]}"#,
        r#"{"name": "x", "every": "day", "channels": "c0"}"#,
    ] {
        let said = api.ask("POST", &target, &editor, wrong);
        assert_eq!(said.status, 400, "{wrong}: {}", said.body);
    }
    // Who may not, and whose it is not.
    for (method, path) in [("GET", target.clone()), ("POST", target.clone()), ("DELETE", its(&path))] {
        assert_eq!(api.ask(method, &path, &viewer, body).status, 403, "{method}");
        assert_eq!(api.ask(method, &path, &others, body).status, 404, "{method}");
    }
    let theirs = format!("{path}?application_id=other");
    assert_eq!(api.ask("DELETE", &theirs, &others, "").status, 404);
    assert_eq!(api.ask("GET", &format!("{path}/preview?application_id=other"), &others, "").status, 404);
    // A name is that of an application; the command asks which.
    assert_eq!(api.ask("POST", "/api/v1/reports?application_id=other", &others, body).status, 201);
    for verb in ["show", "remove"] {
        let (code, said) = report(&bench, &[verb, "daily"]);
        assert!(code == 1 && said.contains("several applications have a report daily"), "{said}");
    }
    done(&bench, &["remove", "daily", "--app", "Other"]);
    bench.database.psql(&format!(
        "INSERT INTO stat_reports (app_id, name, every, channels, told_until) \
         SELECT id, n::text, 'day', '{{c0}}', current_date FROM applications, generate_series(1, 19) n WHERE app_key = '{KEY}'"
    ));
    let more = r#"{"name": "one more", "every": "day", "channels": ["c0"]}"#;
    assert_eq!(api.ask("POST", &target, &editor, more).status, 409);
    let (_, said) = report(&bench, &["add", "one more", "--every", "day", "--channel", "c0", "--app", KEY]);
    assert!(said.contains("has 20 reports"), "{said}");
    assert_eq!(api.ask("DELETE", &its(&path), &editor, "").status, 200);
    assert_eq!(api.ask("DELETE", &its(&path), &editor, "").status, 404);
    let audit = bench
        .database
        .psql("SELECT actor_kind, action FROM audit_log WHERE action LIKE 'report.%' ORDER BY id");
    assert_eq!(audit, "token|report.add\ntoken|report.add\ncommand|report.remove\ntoken|report.remove");
}
