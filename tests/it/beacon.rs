//! The beacon's script in browsers of three engines: what becomes of a visit, as rows.
//!
//! A scenario is a folder of the site (`/t/NAME/`), all of which hold the same pages. It says which rows it is to give
//! as it goes on; they are looked at when the browser is gone, so that whatever came too often has come by then.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::bench::Bench;
use crate::support::browser::Browser;
use crate::support::daemon::{alt, wait_for};
use crate::support::nginx::{Line, Nginx, Setup, read_lines};
use crate::support::webdriver::{Driver, Engine};

mod pages;

/// Scripts, and the options that make them.
const SCRIPTS: [(&str, &[&str]); 9] = [
    ("m", &[]),
    ("full", &["--full"]),
    ("wait", &["--wait"]),
    ("frames", &["--frames"]),
    ("q7", &["--endpoint", "/q7", "--global", "q7"]),
    ("hash", &["--hash"]),
    ("allow", &["--allow", "size,colour"]),
    ("switch", &["--off"]),
    ("both", &["--off", "--full"]),
];

/// Other names of all parameters of the script `q7`.
const NAMES: &str = "k=a,z1=d,z2=e,z3=el,z4=pv,z5=r,z7=sd,z8=t,z9=tr,za=ts,zb=tx,zc=u,zd=wd,ze=x,zf=y,zg=v";

/// The site with its pages, and what loads what it logs.
struct Site {
    nginx: Nginx,
    bench: Bench,
}

impl Site {
    fn start() -> Site {
        let made = tempfile::tempdir().unwrap();
        let mut snippets = Vec::new();
        for (name, options) in SCRIPTS {
            let output = alt()
                .args(["beacon", "build", "--app", "shop", "--host", "events.example.com", "--json", "--out"])
                .arg(made.path())
                .args(["--script", &format!("{name}.js")])
                .args(options)
                .env("ALT_TRACK_NAMES", if name == "q7" { NAMES } else { "" })
                .output()
                .unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            let told: Value = serde_json::from_slice(&output.stdout).unwrap();
            let html = |which: &str| told["applications"][0][which].as_str().unwrap().to_owned();
            snippets.push((name, html("html"), html("html_with_integrity")));
        }
        let location = std::fs::read_to_string(made.path().join("q7.nginx.conf")).unwrap();
        let html = "root alt; types { text/html html; text/javascript js; } try_files /$alt_page =404;";
        let nginx = Setup::http()
            .file("q7.conf", &location)
            .in_server("include alt/q7.conf;")
            .in_server(&format!("location ~ ^/t/[a-z0-9]+/(?<alt_page>[a-z]+\\.(?:html|js))$ {{ {html} }}"))
            .in_server(&format!(
                "location ~ ^/t/[a-z0-9]+/(?<alt_page>fresh\\.html)$ {{ {html} add_header Cache-Control no-store; }}"
            ))
            .start();
        for entry in std::fs::read_dir(made.path()).unwrap() {
            let path = entry.unwrap().path();
            std::fs::copy(&path, nginx.script_dir.join(path.file_name().unwrap())).unwrap();
        }
        let names = NAMES.replace(',', "\", \"");
        let bench = Bench::with(&format!(
            "[[source]]\npaths = [\"{}\"]\n[track]\nnames = [\"{names}\"]",
            nginx.log_path.display()
        ));
        let site = Site { nginx, bench };
        site.write_pages(&snippets);
        site
    }

    /// What has been logged up to now.
    fn lines(&self) -> Vec<Line> {
        assert_eq!(self.nginx.get("/b?a=shop&e=last"), 204);
        let last = |lines: &[Line]| lines.last().is_some_and(|line| line.args() == "a=shop&e=last");
        wait_for(20, || last(&read_lines(&self.nginx.log_path)), || "the log is not complete".to_owned());
        read_lines(&self.nginx.log_path)
    }

    fn write_pages(&self, snippets: &[(&str, String, String)]) {
        let port = self.nginx.port.to_string();
        let snippet = |wanted: &str| {
            let (_, html, _) = snippets.iter().find(|(name, ..)| *name == wanted).unwrap();
            // So that a page's record of itself begins with the script.
            html.replace("<script async", "<script onload=\"mark('loaded')\" async")
        };
        let write = |name: &str, text: &str| {
            let text = text.replace("https://events.example.com", "http://events.localhost:PORT");
            std::fs::write(self.nginx.dir().join("alt").join(name), text.replace("PORT", &port)).unwrap();
        };
        let page = |name: &str, before: &str, snippet: &str, after: &str, body: &str| {
            let text = include_str!("data/beacon/page.html")
                .replace("BEFORE", before)
                .replace("SNIPPET", snippet)
                .replace("AFTER", after)
                .replace("BODY", body);
            write(name, &text);
        };
        write("record.js", include_str!("data/beacon/record.js"));
        write("blank.html", "<!doctype html><title>Blank</title>");
        let plain = snippet("m");
        for name in ["page.html", "next.html", "fresh.html"] {
            let own = if name == "fresh.html" { "<script>onunload = () => {};</script>" } else { "" };
            page(name, own, &plain, "", "");
        }
        for name in ["full", "wait", "frames", "hash", "allow", "q7"] {
            page(&format!("{}.html", name.replace('7', "")), "", &snippet(name), "", "");
        }
        let told = "<script>self.alert = (text) => keep('alerts', text)</script>";
        for name in ["switch", "both"] {
            page(&format!("{name}.html"), told, &snippet(name), "", "");
        }
        let no_store = "<script>Object.defineProperty(self, 'localStorage', { get() { throw Error('refused') } })</script>";
        let tag = snippet("switch").replace(" onload=\"mark('loaded')\"", "");
        write("storeless.html", &format!("<!doctype html><title>No store</title>{no_store}{tag}"));
        let pinned = snippets[0].2.replace("<script async", "<script onload=\"mark('loaded')\" async");
        page("pinned.html", "", &pinned, "", "");
        page("tall.html", "", &plain, "", "<div style=\"height: 5000px\"></div>");
        let common = plain.replace("data-a=", "data-c=\"42\" data-a=");
        let early = "<script>alt('early', { colour: 'red', n: 3 }); alt({ user_id: 'u7' });</script>";
        page("queue.html", "", &common, early, "");
        // Looks at itself a moment, and loads itself again.
        let again =
            "<script>addEventListener('load', () => setTimeout(() => location.reload(), 50));</script>";
        write("bare.js", "fetch('blank.html', { keepalive: true, mode: 'no-cors', credentials: 'omit' });");
        let again = format!("<script src=\"bare.js\"></script>{again}");
        page("cost.html", &again, &plain, "", &"<p>Words".repeat(500));
        page("frame.html", "", "", "", "<iframe src=\"page.html\"></iframe>");
        page("framed.html", "", "", "", "<iframe src=\"frames.html\"></iframe>");
        // The clock is the test's: `shift` is added to it, and the script's own timer rings when the test says so.
        let clock = "<script>var shift = 0, rings = []; const real = performance.now.bind(performance); \
                     performance.now = () => real() + shift; \
                     setInterval = (ring, every) => rings.push([ring, every]);</script>";
        page("clock.html", clock, &plain, "", "");
        let policy = "<meta http-equiv=\"Content-Security-Policy\" content=\"\
                      script-src 'self' http://events.localhost:PORT; connect-src http://events.localhost:PORT\">";
        let tag = plain.lines().find(|line| line.contains(" src=")).unwrap();
        page("strict.html", policy, &tag.replace(" onload=\"mark('loaded')\"", ""), "", "");
        let hostile = "<script>onerror = () => true; try { document.domain = 'localhost' } catch {}\n\
                       const mine = history.pushState; \
                       history.pushState = function (...given) { mine.apply(this, given); throw Error('pushed'); };\n\
                       throw Error('thrown');</script>";
        let later = "<script>addEventListener('load', () => { const theirs = history.replaceState; \
                     history.replaceState = (...given) => theirs.apply(history, given); throw Error('late'); });\n\
                     document.addEventListener('click', (event) => { event.stopImmediatePropagation(); throw Error('click'); }, true);\
                     </script>";
        page("hostile.html", hostile, &plain, later, "");
        let rules = "<script type=\"speculationrules\">{\"prerender\":[{\"urls\":[\"next.html\"]}]}</script>";
        page("rules.html", "", "", rules, "<a id=\"go\" href=\"next.html\">Go</a>");
        pages::write_pages(&write, &plain);
    }
}

/// What is to become of a scenario.
struct Wanted {
    name: String,
    /// Its rows, of which the number of the page view comes first; in any order.
    rows: Vec<String>,
    /// How long its pages were looked at, view by view, ms.
    looked: Option<Vec<f64>>,
    /// What else is to be true of it: SQL, of rows that are named `l`, and what that gives.
    also: Option<(&'static str, String)>,
}

struct Stage<'s> {
    site: &'s Site,
    driver: Driver,
    wanted: Vec<Wanted>,
    /// What pages complain of that do so themselves.
    own_errors: Vec<String>,
}

fn pause(ms: u64) {
    sleep(Duration::from_millis(ms));
}

impl Stage<'_> {
    fn url(&self, name: &str, page: &str) -> String {
        format!("http://shop.localhost:{}/t/{name}/{page}", self.site.nginx.port)
    }

    fn go(&mut self, name: &str, page: &str) {
        self.driver.go(&self.url(name, page));
    }

    /// Goes where there is no script.
    fn leave(&mut self, name: &str) {
        self.go(name, "blank.html");
    }

    /// What pages of one path went through.
    fn record(&mut self, path: &str) -> Vec<Value> {
        let text = self.driver.js(&format!("return localStorage.getItem('{path}')"));
        text.as_str().map_or_else(Vec::new, |text| serde_json::from_str(text).unwrap())
    }

    /// Follows a link that is put into the page.
    fn follow(&mut self, to: &str) {
        self.driver.js(&format!(
            "const a = document.createElement('a'); a.href = '{to}'; a.dataset.altIgnore = ''; \
             document.body.append(a); a.click()"
        ));
    }

    /// Waits until another page has loaded, with the script.
    fn until_at(&mut self, page: &str) {
        let loaded = "JSON.parse(localStorage.getItem(location.pathname) ?? '[]').length";
        self.driver.until(&format!("location.pathname.endsWith('/{page}') && {loaded}"));
    }

    /// How long one page was looked at, view by view, ms.
    fn looked(&mut self, name: &str, page: &str) -> Vec<f64> {
        looked(&self.record(&format!("/t/{name}/{page}")))
    }

    /// Says what is to become of it, in lines; looks up how long its page was looked at.
    fn expect(&mut self, name: &str, page: &str, rows: &str) {
        self.leave(name);
        let looked = self.looked(name, page);
        let mut rows = rows.to_owned();
        for at in self.record(&format!("/t/{name}/{page} clicks")) {
            rows = rows.replacen('@', at.as_str().unwrap(), 1);
        }
        self.expect_rows(name, &rows).looked = Some(looked);
    }

    /// Leaves the page, and says what is to become of the scenario, without time.
    fn expect_left(&mut self, name: &str, rows: &str) {
        self.leave(name);
        self.expect_rows(name, rows);
    }

    /// What is to become of a scenario that was left, without time.
    fn expect_rows(&mut self, name: &str, rows: &str) -> &mut Wanted {
        let here = format!("http://shop.localhost:{}/t/{name}/", self.site.nginx.port);
        let rows = rows.replace("HERE/", &here).replace("PORT", &self.site.nginx.port.to_string());
        let rows = rows.lines().map(|line| line.trim().to_owned()).collect();
        self.wanted.push(Wanted { name: name.to_owned(), rows, looked: None, also: None });
        self.wanted.last_mut().unwrap()
    }

    /// Events of a scenario that have come so far.
    fn logged(&self, name: &str) -> usize {
        let place = format!("%2Ft%2F{name}%2F");
        read_lines(&self.site.nginx.log_path)
            .iter()
            .filter(|line| {
                line.args()
                    .split("&u=")
                    .nth(1)
                    .is_some_and(|rest| rest.split('&').next().unwrap().contains(&place))
            })
            .count()
    }

    fn wait_until_logged(&self, name: &str, count: usize) {
        wait_for(20, || self.logged(name) >= count, || format!("{name}: {} events", self.logged(name)));
    }
}

/// How long pages of one path were looked at, view by view, by what they recorded.
fn looked(record: &[Value]) -> Vec<f64> {
    let mut views: Vec<f64> = Vec::new();
    let mut since: Option<f64> = None;
    for entry in record {
        let (what, now) = (entry[0].as_str().unwrap(), entry[1].as_f64().unwrap());
        if what == "loaded" {
            since = None; // another document, another clock
        }
        if let Some(since) = since {
            *views.last_mut().unwrap() += now - since;
        }
        if ["loaded", "restored", "view"].contains(&what) {
            views.push(0.0);
        }
        since = (entry[2] == true && !views.is_empty()).then_some(now);
    }
    views
}

fn in_engine(engine: Engine) {
    if !engine.is_here() {
        return;
    }
    let mut site = Site::start();
    let mut stage =
        Stage { site: &site, driver: Driver::start(engine), wanted: Vec::new(), own_errors: Vec::new() };
    let started = Instant::now();
    for (name, scenario) in SCENARIOS.iter().chain(pages::SCENARIOS) {
        eprintln!("{:>5} ms {name}", started.elapsed().as_millis());
        scenario(&mut stage);
    }
    if engine == Engine::Blink {
        for (name, scenario) in IN_CHROMIUM.iter().chain(pages::IN_CHROMIUM) {
            eprintln!("{:>5} ms {name}", started.elapsed().as_millis());
            scenario(&mut stage);
        }
    }
    eprintln!("{:>5} ms done", started.elapsed().as_millis());
    stage.leave("end");
    let wrong: Vec<String> =
        stage.record("wrong").iter().map(|entry| entry.as_str().unwrap().replace("Uncaught ", "")).collect();
    let Stage { wanted, own_errors, driver, .. } = stage;
    drop(driver);
    assert_eq!(wrong, own_errors, "no error is the script's");
    let lines = site.lines();
    for line in &lines {
        assert!(line.args().len() < 7450, "with scheme, host and path, less than 7500: {line:?}");
    }
    let renamed: Vec<&Line> = lines.iter().filter(|line| line.text(7) == "/q7").collect();
    assert_eq!(renamed.len(), 4, "{renamed:?}");
    for line in renamed {
        let args = line.args();
        let names = args.split('&').map(|pair| pair.split('=').next().unwrap());
        let names = names.map(|name| name.strip_prefix("j.").unwrap_or(name));
        let known: Vec<&str> = names.filter(|name| !NAMES.contains(&format!("{name}="))).collect();
        assert!(known.iter().all(|name| *name == "colour"), "{known:?}: {line:?}");
    }
    site.bench.written = lines.len();
    site.bench.settle();
    site.bench.stop();
    let mut problems = String::new();
    for wanted in &wanted {
        check(&site.bench, wanted, &mut problems);
    }
    let known: Vec<String> = wanted.iter().map(|wanted| format!("'{}'", wanted.name)).collect();
    let others = site.bench.database.psql(&format!(
        "SELECT event_type, url_path FROM access_logs WHERE split_part(url_path, '/', 3) NOT IN ({})",
        known.join(", ")
    ));
    if !others.is_empty() {
        let _ = writeln!(problems, "nobody wanted:\n{others}");
    }
    assert!(problems.is_empty(), "{problems}");
}

/// How near the told time has to be to that of the page itself. A machine that has other tests to run delays either.
fn exactness_ms() -> f64 {
    if std::env::var_os("ALT_TEST_FULL").is_some() { 100.0 } else { 400.0 }
}

/// Compares what became of a scenario with what was to become of it.
fn check(bench: &Bench, wanted: &Wanted, problems: &mut String) {
    let name = &wanted.name;
    let of_it = format!("FROM access_log_details WHERE url_path LIKE '/t/{name}/%'");
    let rows = bench.database.psql(&format!(
        "WITH views AS (SELECT page_view_id, row_number() OVER (ORDER BY min(client_at)) AS n \
                        {of_it} GROUP BY page_view_id) \
         SELECT concat_ws(' ', n, event_type, substr(url_path, length('/t/{name}/') + 1) || coalesce('?' || url_query, ''), \
                          'title:' || title, 'from:' || referrer, scroll_depth || '%', click_x || ',' || click_y, \
                          params->>'element', 'text:' || (params->>'text'), 'session:' || session_id, 'user:' || user_id, 'sub:' || client_sub_id, 'module:' || module_id, \
                          'n:' || (params->>'result_count'), 'q:' || (params->>'search_term'), \
                          'entity:' || entity_type || '/' || entity_id, screen_width, \
                          time_zone, (params->'custom')::text, \
                          CASE WHEN params->>'cut' = 'true' THEN 'cut' END) \
         FROM (SELECT * {of_it}) l JOIN views USING (page_view_id) ORDER BY client_at, file_offset"
    ));
    if let Some((sql, want)) = &wanted.also {
        let got = bench.database.psql(&sql.replace("FROM l", &of_it));
        if got != *want {
            let _ = writeln!(problems, "{name}: {sql}: wanted {want}, got {got}");
        }
    }
    let mut got: Vec<&str> = rows.lines().collect();
    let mut want: Vec<&str> = wanted.rows.iter().map(String::as_str).filter(|row| !row.is_empty()).collect();
    got.sort_unstable();
    want.sort_unstable();
    if got != want && wanted.also.is_none() {
        let _ = writeln!(
            problems,
            "{name}: wanted\n  {}\ngot\n  {}",
            want.join("\n  "),
            rows.replace('\n', "\n  ")
        );
    }
    let Some(looked) = &wanted.looked else { return };
    let told = bench.database.psql(&format!(
        "SELECT coalesce(sum(dwell_ms), 0) {of_it} GROUP BY page_view_id ORDER BY min(client_at)"
    ));
    let told: Vec<f64> = told.lines().map(|line| line.parse().unwrap()).collect();
    let alike = told.len() == looked.len()
        && told.iter().zip(looked).all(|(told, looked)| (told - looked).abs() < exactness_ms());
    if !alike {
        let _ = writeln!(problems, "{name}: looked at for {looked:?} ms, told {told:?}");
    }
}

type Scenario = (&'static str, fn(&mut Stage<'_>));

const SCENARIOS: &[Scenario] = &[
    ("a page view", |stage| {
        let link = format!("http://other.localhost:{}/t/other/blank.html?from=1", stage.site.nginx.port);
        stage.driver.go(&link);
        let to = stage.url("view", "page.html?utm_source=mail&size=42&token=abc&EMAIL=me@example.com#part");
        stage.follow(&to);
        stage.until_at("page.html");
        pause(300);
        stage.expect(
            "view",
            "page.html",
            "1 pageview page.html?utm_source=mail&size=42&token=***&EMAIL=*** title:Shoes & more from:http://other.localhost:PORT/
             1 engagement page.html?utm_source=mail&size=42&token=***&EMAIL=*** 100%",
        );
    }),
    ("the script by its hash", |stage| {
        stage.go("pinned", "pinned.html");
        stage.expect(
            "pinned",
            "pinned.html",
            "1 pageview pinned.html title:Shoes & more\n1 engagement pinned.html 100%",
        );
    }),
    ("clicks", |stage| {
        stage.go("click", "page.html");
        for id in ["words", "buy", "secret", "within", "note", "name", "file"] {
            stage.driver.click(id);
        }
        pause(50);
        // What is not told was clicked, too.
        let clicks = stage.record("/t/click/page.html clicks");
        let at: Vec<&str> = clicks.iter().map(|at| at.as_str().unwrap()).collect();
        let rows = format!(
            "1 pageview page.html title:Shoes & more
             1 click page.html {} p#words
             1 click page.html {} button#buy text:Buy now
             1 click page.html {} textarea#note
             1 click page.html {} input#name
             1 download page.html {} a#file text:File {{\"href\": \"HERE/list.pdf?auth=***\"}}
             1 engagement page.html 100%",
            at[0], at[1], at[4], at[5], at[6]
        );
        stage.expect("click", "page.html", &rows);
    }),
    ("a link to another site", |stage| {
        stage.go("outbound", "page.html");
        pause(100);
        stage.driver.click("out");
        stage.driver.until("location.host.startsWith('other')");
        stage.expect(
            "outbound",
            "page.html",
            "1 pageview page.html title:Shoes & more
             1 outbound page.html @ a#out text:Out {\"href\": \"http://other.localhost:PORT/t/other/blank.html?token=***\"}
             1 engagement page.html 100%",
        );
    }),
    ("a link within", |stage| {
        stage.go("inside", "page.html");
        pause(100);
        stage.driver.click("in");
        stage.driver.until("location.pathname.endsWith('blank.html')");
        stage.expect(
            "inside",
            "page.html",
            "1 pageview page.html title:Shoes & more
             1 click page.html @ a#in text:In {\"href\": \"HERE/blank.html\"}
             1 engagement page.html 100%",
        );
    }),
    ("50 clicks at once", |stage| {
        stage.go("rapid", "page.html");
        stage.driver.click_often(600, 330, 50);
        let rows = "1 click page.html @ html\n".repeat(50);
        let rows = format!("1 pageview page.html title:Shoes & more\n{rows}1 engagement page.html 100%");
        stage.expect("rapid", "page.html", &rows);
    }),
    ("what the page says itself", |stage| {
        stage.go("custom", "queue.html");
        stage
            .driver
            .js("alt('late', { nothing: undefined, none: null, zero: 0, no: false, said: 'ü€😀 & #+%', cart: { sum: 59.9, ids: [1] } })");
        stage.driver.js("alt({ user_id: 'u8', module_id: 'shoes', session_id: 's9' }); alt('keyed', { api_token: 'abc' })");
        stage.expect(
            "custom",
            "queue.html",
            "1 pageview queue.html title:Shoes & more sub:42
             1 early queue.html sub:42 n:3 {\"colour\": \"red\"}
             1 late queue.html user:u7 sub:42 {\"no\": false, \"cart\": {\"ids\": [1], \"sum\": 59.9}, \"said\": \"ü€😀 & #+%\", \"zero\": 0}
             1 keyed queue.html session:s9 user:u8 sub:42 module:shoes {\"api_token\": \"***\"}
             1 engagement queue.html 100% session:s9 user:u8 sub:42 module:shoes",
        );
    }),
    ("scrolling", |stage| {
        stage.go("scroll", "tall.html");
        // A browser that is busy tells its pages later.
        let scrolled = |stage: &mut Stage<'_>| {
            let record = stage.record("/t/scroll/tall.html");
            record.iter().filter(|entry| entry[0] == "scrolled").count()
        };
        stage.driver.js("addEventListener('scroll', () => mark('scrolled')); scrollTo(0, 2500)");
        wait_for(20, || scrolled(stage) > 0, || "no scroll".to_owned());
        let depth =
            stage.driver.js("return (2500 + innerHeight) / document.documentElement.scrollHeight * 100 | 0");
        let before = scrolled(stage);
        stage.driver.js("scrollTo(0, 0)");
        wait_for(20, || scrolled(stage) > before, || "no scroll back".to_owned());
        let rows = format!("1 pageview tall.html title:Shoes & more\n1 engagement tall.html {depth}%");
        stage.expect("scroll", "tall.html", &rows);
    }),
    ("pages that are one document", |stage| {
        stage.go("spa", "page.html");
        pause(150);
        for (step, wait) in [
            ("mark('view'); history.pushState({}, '', 'two.html?x=1&key=abc'); document.title = 'Two'", 150),
            ("history.pushState({}, '', 'two.html?x=1&key=abc')", 30),
            ("history.replaceState({}, '', 'two.html?x=1&key=abc')", 30),
            ("history.pushState({}, '', 'two.html?x=1&key=abc#part')", 30),
            ("mark('view'); history.replaceState({}, '', 'three.html'); document.title = 'Three'", 150),
            ("addEventListener('popstate', () => mark('view'), { once: true }); history.back()", 200),
        ] {
            stage.driver.js(step);
            pause(wait);
        }
        stage.expect(
            "spa",
            "page.html",
            "1 pageview page.html title:Shoes & more
             1 engagement page.html 100%
             2 pageview two.html?x=1&key=*** title:Two from:HERE/page.html
             2 engagement two.html?x=1&key=*** 100%
             3 pageview three.html title:Three from:HERE/two.html?x=1&key=***
             3 engagement three.html 100%
             4 pageview two.html?x=1&key=*** title:Three from:HERE/three.html
             4 engagement two.html?x=1&key=*** 100%",
        );
    }),
    ("titles that come late, or stay", |stage| {
        stage.go("titles", "page.html");
        pause(150);
        for (step, wait) in [
            (
                "mark('view'); history.pushState({}, '', 'late.html'); setTimeout(() => document.title = 'Late', 600)",
                900,
            ),
            ("mark('view'); history.pushState({}, '', 'same.html')", 2600),
            ("mark('view'); history.pushState({}, '', 'hidden.html')", 300),
            ("document.dispatchEvent(new Event('visibilitychange', { bubbles: true }))", 300),
            ("mark('view'); history.pushState({}, '', 'left.html')", 100),
        ] {
            stage.driver.js(step);
            pause(wait);
        }
        stage.expect(
            "titles",
            "page.html",
            "1 pageview page.html title:Shoes & more
             1 engagement page.html 100%
             2 pageview late.html title:Late from:HERE/page.html
             2 engagement late.html 100%
             3 pageview same.html title:Late from:HERE/late.html
             3 engagement same.html 100%
             4 pageview hidden.html title:Late from:HERE/same.html
             4 engagement hidden.html 100%
             4 engagement hidden.html 100%
             5 pageview left.html title:Late from:HERE/hidden.html
             5 engagement left.html 100%",
        );
    }),
    ("an event right after its page was pushed", |stage| {
        stage.go("turn", "page.html");
        pause(50);
        stage.driver.js("mark('view'); history.pushState({}, '', 'two.html'); alt('own')");
        pause(50);
        stage.expect(
            "turn",
            "page.html",
            "1 pageview page.html title:Shoes & more
             1 engagement page.html 100%
             2 pageview two.html title:Shoes & more from:HERE/page.html
             2 own two.html
             2 engagement two.html 100%",
        );
    }),
    ("back and forward", back_and_forward),
    ("back and forward where no page is kept", back_and_forward_anew),
    ("the same page again", |stage| {
        stage.go("reload", "page.html");
        pause(150);
        stage.driver.reload();
        pause(100);
        stage.expect(
            "reload",
            "page.html",
            "1 pageview page.html title:Shoes & more
             1 engagement page.html 100%
             2 pageview page.html title:Shoes & more
             2 engagement page.html 100%",
        );
    }),
    ("a tab that is closed", |stage| {
        let first = stage.driver.window();
        stage.driver.open("tab");
        stage.go("close", "page.html");
        pause(200);
        stage.driver.close(&first);
        pause(100);
        stage.expect(
            "close",
            "page.html",
            "1 pageview page.html title:Shoes & more\n1 engagement page.html 100%",
        );
    }),
    ("a tab in the background", |stage| {
        stage.go("hidden", "page.html");
        let first = stage.driver.window();
        pause(200);
        stage.driver.open("tab");
        pause(300);
        stage.driver.close(&first);
        pause(150);
        // Behind another window it is seen yet, and goes on to count what it has.
        let tells = if stage.driver.engine == Engine::WebKit { 1 } else { 2 };
        stage.leave("hidden");
        let looked = stage.looked("hidden", "page.html");
        let wanted = stage.expect_rows("hidden", "");
        wanted.looked = Some(looked);
        wanted.also = Some((TOLD, format!("1|{tells}|0")));
    }),
    ("a window that is minimised", |stage| {
        stage.go("small", "page.html");
        pause(200);
        stage.driver.minimise();
        pause(300);
        stage.driver.restore();
        pause(150);
        stage.leave("small");
        let looked = stage.looked("small", "page.html");
        let wanted = stage.expect_rows("small", "");
        wanted.looked = Some(looked);
        wanted.also = Some((TOLD, "1|2|0".to_owned()));
    }),
    ("two windows", |stage| {
        let started = Instant::now();
        stage.go("left", "page.html");
        let left = stage.driver.window();
        pause(200);
        stage.driver.open("window");
        stage.go("right", "page.html");
        stage.driver.look_here();
        pause(400);
        stage.driver.close(&left);
        pause(200);
        let rows = "1 pageview page.html title:Shoes & more\n1 engagement page.html 100%";
        stage.expect("left", "page.html", rows);
        stage.expect("right", "page.html", rows);
        let (both, each): (f64, Vec<f64>) = {
            let each = [stage.looked("left", "page.html"), stage.looked("right", "page.html")].concat();
            (each.iter().sum(), each)
        };
        assert!(
            both < started.elapsed().as_secs_f64() * 1000.0 && each.iter().all(|ms| *ms > 200.0),
            "{each:?}"
        );
    }),
    ("without a network for a while", |stage| {
        stage.go("offline", "page.html");
        stage.wait_until_logged("offline", 1);
        stage.driver.set_offline(true);
        stage.driver.js("alt('one')");
        stage.driver.click("words");
        stage.driver.js("alt('two')");
        pause(200);
        // Only Chromium's network is gone. Firefox reaches its own machine in any case, and WebKit's page is only told.
        let sent = if stage.driver.engine == Engine::Blink { 1 } else { 4 };
        stage.wait_until_logged("offline", sent);
        assert_eq!(stage.logged("offline"), sent);
        stage.driver.set_offline(false);
        stage.wait_until_logged("offline", 4);
        stage.driver.js("alt('three')");
        stage.expect(
            "offline",
            "page.html",
            "1 pageview page.html title:Shoes & more
             1 one page.html
             1 click page.html @ p#words
             1 two page.html
             1 three page.html
             1 engagement page.html 100%",
        );
    }),
    ("in a frame", |stage| {
        stage.go("frame", "frame.html");
        pause(100);
        stage.leave("frame");
        stage.expect_rows("frame", "");
        stage.go("framed", "framed.html");
        pause(100);
        stage.leave("framed");
        // Nothing is done in it, so it is not looked at.
        stage.expect_rows("framed", "1 pageview frames.html title:Shoes & more from:HERE/framed.html");
    }),
    ("under a strict policy", |stage| {
        stage.go("strict", "strict.html");
        pause(100);
        stage.driver.js("alt('allowed')");
        stage.leave("strict");
        stage.expect_rows(
            "strict",
            "1 pageview strict.html title:Shoes & more\n1 allowed strict.html\n1 engagement strict.html 100%",
        );
    }),
    ("a page that throws", |stage| {
        stage.go("hostile", "hostile.html");
        pause(200);
        stage.driver.js("mark('view'); try { history.pushState({}, '', 'two.html') } catch ({ message }) { window.said = message }");
        pause(200);
        assert_eq!(stage.driver.js("return window.said"), "pushed");
        stage.driver.click("words");
        for what in ["thrown", "late", "click"] {
            stage.own_errors.push(format!("/t/hostile/hostile.html: Error: {what}"));
        }
        stage.expect(
            "hostile",
            "hostile.html",
            "1 pageview hostile.html title:Shoes & more
             1 engagement hostile.html 100%
             2 pageview two.html title:Shoes & more from:HERE/hostile.html
             2 click two.html @ p#words
             2 engagement two.html 100%",
        );
    }),
    ("more than fits", |stage| {
        stage.go("huge", "page.html");
        stage.driver.js("alt('big', { said: '😀'.repeat(20000), last: 'x' })");
        stage.driver.js("document.title = 'ü😀'.repeat(9000); history.pushState({}, '', 'two.html')");
        pause(200);
        stage.driver.js("history.pushState({}, '', '?q=' + '😀'.repeat(3000))");
        pause(200);
        stage.leave("huge");
        stage.expect_rows("huge", "").also = Some((
            "SELECT event_type, params->>'cut', title ~ '^(ü😀)+ü?$', length(title) > 50, \
                    params->'custom'->>'said' ~ '^😀+$', length(params->'custom'->>'said') > 300, \
                    params->'custom'->>'last', length(url_query) > 3000 \
             FROM l ORDER BY client_at, file_offset",
            HUGE.to_owned(),
        ));
    }),
    ("opting out", |stage| {
        stage.go("off", "full.html");
        stage.driver.js("alt('off'); alt('gone')");
        stage.driver.click("words");
        stage.driver.reload();
        stage.driver.js("alt('gone')");
        stage.go("off", "full.html?2");
        stage.driver.js("alt('on'); alt('back')");
        pause(100);
        stage.go("off", "full.html?3");
        let of =
            stage.driver.js("return `${screen.width} ${Intl.DateTimeFormat().resolvedOptions().timeZone}`");
        let rows = "1 pageview full.html title:Shoes & more OF
                    2 pageview full.html?2 title:Shoes & more OF
                    2 back full.html?2
                    2 engagement full.html?2 100%
                    3 pageview full.html?3 title:Shoes & more OF
                    3 engagement full.html?3 100%";
        stage.leave("off");
        stage.expect_rows("off", &rows.replace("OF", of.as_str().unwrap()));
    }),
    ("a browser whose owner does not count", |stage| {
        stage.go("myself", "switch.html");
        pause(100);
        stage.go("myself", "switch.html?2#alt-off");
        stage.driver.click("words");
        pause(100);
        stage.go("myself", "switch.html?3");
        stage.driver.js("alt('gone')");
        pause(100);
        stage.go("myself", "switch.html?4#alt-on");
        pause(100);
        stage.go("myself", "storeless.html#alt-off");
        pause(100);
        let rows = "1 pageview switch.html title:Shoes & more
                    1 engagement switch.html 100%
                    2 pageview switch.html?4 title:Shoes & more
                    2 engagement switch.html?4 100%
                    3 pageview storeless.html title:No store
                    3 engagement storeless.html 100%";
        stage.expect_left("myself", rows);
        let told = stage.record("alerts");
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(told[0].as_str().unwrap().contains("#alt-on"), "{told:?}");
    }),
    ("the same, of a script with opting out", |stage| {
        stage.go("both", "both.html#alt-off");
        stage.driver.js("alt('gone')");
        stage.driver.click("words");
        pause(100);
        stage.go("both", "both.html?2");
        pause(100);
        stage.driver.js("alt('on'); alt('back')");
        pause(100);
        let of =
            stage.driver.js("return `${screen.width} ${Intl.DateTimeFormat().resolvedOptions().timeZone}`");
        let rows = "1 pageview both.html?2 title:Shoes & more OF
                    1 back both.html?2
                    1 engagement both.html?2 100%";
        stage.leave("both");
        stage.expect_rows("both", &rows.replace("OF", of.as_str().unwrap()));
    }),
    ("waiting for consent", |stage| {
        stage.go("wait", "wait.html");
        stage.driver.js("alt('gone')");
        stage.driver.click("words");
        pause(100);
        stage.leave("wait");
        stage.follow("wait.html?2");
        stage.until_at("wait.html");
        stage.driver.until("window.alt");
        let of =
            stage.driver.js("return `${screen.width} ${Intl.DateTimeFormat().resolvedOptions().timeZone}`");
        stage.driver.js("alt('on'); alt('kept')");
        pause(100);
        stage.leave("wait");
        let rows = "1 pageview wait.html?2 title:Shoes & more from:HERE/blank.html OF
                    1 kept wait.html?2
                    1 engagement wait.html?2 100%";
        stage.expect_rows("wait", &rows.replace("OF", of.as_str().unwrap()));
    }),
    ("helpers", |stage| {
        stage.go("helpers", "full.html");
        let of =
            stage.driver.js("return `${screen.width} ${Intl.DateTimeFormat().resolvedOptions().timeZone}`");
        stage.driver.js(
            "alt.search('red shoes', 12); alt.cart('add', 'sku-1', { amount: 2 }); alt.cart('remove', 'sku-1')",
        );
        let rows = "1 pageview full.html title:Shoes & more OF
                    1 search full.html n:12 q:red shoes
                    1 cart_add full.html entity:product/sku-1 {\"amount\": 2}
                    1 cart_remove full.html entity:product/sku-1
                    1 engagement full.html 100%";
        stage.expect("helpers", "full.html", &rows.replace("OF", of.as_str().unwrap()));
    }),
    ("other names", |stage| {
        stage.go("named", "q.html");
        assert_eq!(stage.driver.js("return typeof window.alt"), "undefined");
        stage.driver.js("q7('own', { colour: 'red' })");
        stage.driver.click("words");
        stage.expect(
            "named",
            "q.html",
            "1 pageview q.html title:Shoes & more
             1 own q.html {\"colour\": \"red\"}
             1 click q.html @ p#words
             1 engagement q.html 100%",
        );
    }),
    ("parts behind # that are pages", |stage| {
        stage.go("hash", "hash.html#one");
        pause(200);
        stage.driver.js("mark('view'); location.hash = 'two'");
        pause(200);
        stage.expect(
            "hash",
            "hash.html",
            "1 pageview hash.html title:Shoes & more
             1 engagement hash.html 100%
             2 pageview hash.html title:Shoes & more from:HERE/hash.html
             2 engagement hash.html 100%",
        );
    }),
    ("parameters that are allowed", |stage| {
        stage.go("allow", "allow.html?size=42&sizes=1&who=joe&colour=red&utm_source=mail");
        stage.expect(
            "allow",
            "allow.html",
            "1 pageview allow.html?size=42&sizes=***&who=***&colour=red&utm_source=mail title:Shoes & more
             1 engagement allow.html?size=42&sizes=***&who=***&colour=red&utm_source=mail 100%",
        );
    }),
    ("somebody who does nothing", |stage| {
        stage.go("idle", "clock.html");
        stage.driver.js("for (let n = 0; n < 15; n++) { window.shift += 4000; rings[0][0](); }");
        assert_eq!(stage.driver.js("return [rings.length, rings[0][1]]"), json!([1, 40]));
        let key = "dispatchEvent(new Event('keydown'));";
        // The machine sleeps as soon as it is used, and for 8 hours.
        stage.driver.js(&format!("{key} window.shift += 8 * 3600e3; rings[0][0](); {key} mark('used')"));
        pause(200);
        stage.leave("idle");
        let record = stage.record("/t/idle/clock.html");
        let when = |what: &str| record.iter().find(|entry| entry[0] == what).unwrap()[1].as_f64().unwrap();
        let after = when("pagehide") - when("used");
        let wanted = stage
            .expect_rows("idle", "1 pageview clock.html title:Shoes & more\n1 engagement clock.html 100%");
        wanted.looked = Some(vec![30_000.0 + after]);
    }),
    ("100 pages that are left", |stage| {
        let first = stage.driver.window();
        for n in 0..50 {
            stage.go("unload", &format!("page.html?n={n}"));
        }
        stage.leave("unload");
        for n in 50..100 {
            stage.driver.open("tab");
            stage.go("unload", &format!("page.html?n={n}"));
            // A tab that never was in front was looked at for no time, of which nothing is told.
            stage.driver.look_here();
            stage.driver.close(&first);
        }
        stage.expect_rows("unload", "").also = Some((
            "SELECT count(*) FILTER (WHERE event_type = 'pageview'), \
                    count(DISTINCT page_view_id) FILTER (WHERE event_type = 'pageview'), \
                    count(DISTINCT url_query) FILTER (WHERE event_type = 'engagement') >= 99, \
                    count(*) FILTER (WHERE dwell_ms >= 10) \
                    - count(DISTINCT (page_view_id, dwell_ms)) FILTER (WHERE dwell_ms >= 10), \
                    count(*) FILTER (WHERE event_type NOT IN ('pageview', 'engagement')) FROM l",
            "100|100|t|0|0".to_owned(),
        ));
    }),
];

/// Page views, engagements, and other events. A window that comes back may be in front some ms before it is visible,
/// which makes an engagement of these.
const TOLD: &str = "SELECT count(*) FILTER (WHERE event_type = 'pageview'), \
    count(*) FILTER (WHERE event_type = 'engagement' AND dwell_ms >= 50), \
    count(*) FILTER (WHERE event_type NOT IN ('pageview', 'engagement')) FROM l";

/// Event, cut, title all of whole characters and long, text likewise, what stood behind it, and a long address.
const HUGE: &str = "\
pageview||f|f||||
big|true|||t|t|x|
engagement|||||||
pageview|true|t|t||||
engagement|||||||
pageview|true|t|t||||t
engagement|true||||||t";

/// To a page and on to the next one, back, and forward. Whether a page is kept is the browser's to decide, also by
/// how busy it is, and each trip is to be told rightly either way; one of a few is to be one of a page that was kept.
fn back_and_forward(stage: &mut Stage<'_>) {
    assert!((1..=5).any(|n| trip(stage, &format!("back{n}"), "page.html")), "no page was kept");
}

/// The same with a page that must not be kept; `WebKit` keeps it whatever it says.
fn back_and_forward_anew(stage: &mut Stage<'_>) {
    assert!(!trip(stage, "again", "fresh.html") || stage.driver.engine == Engine::WebKit);
}

/// Whether `page` was kept.
fn trip(stage: &mut Stage<'_>, name: &str, page: &str) -> bool {
    // A page that waits for an answer is not kept. Whether it has it, the browser knows later than nginx.
    let answered = |stage: &mut Stage<'_>, events| {
        stage.wait_until_logged(name, events);
        stage.driver.until(
            "performance.getEntriesByType('resource').filter((entry) => entry.initiatorType === 'fetch').length > \
             JSON.parse(localStorage.getItem(location.pathname)).filter(([what]) => what === 'restored').length",
        );
        pause(150);
    };
    stage.go(name, page);
    answered(stage, 1);
    stage.follow("next.html");
    stage.until_at("next.html");
    answered(stage, 3);
    stage.driver.back();
    stage.until_at(page);
    answered(stage, 5);
    stage.driver.forward();
    stage.until_at("next.html");
    answered(stage, 7);
    stage.leave(name);
    let (first, next) =
        (stage.record(&format!("/t/{name}/{page}")), stage.record(&format!("/t/{name}/next.html")));
    let (here, there) = (looked(&first), looked(&next));
    let rows = format!(
        "1 pageview {page} title:Shoes & more
         1 engagement {page} 100%
         2 pageview next.html title:Shoes & more from:HERE/{page}
         2 engagement next.html 100%
         3 pageview {page} title:Shoes & more
         3 engagement {page} 100%
         4 pageview next.html title:Shoes & more from:HERE/{page}
         4 engagement next.html 100%"
    );
    let looked = vec![here[0], there[0], here[1], there[1]];
    stage.expect_rows(name, &rows).looked = Some(looked);
    first.iter().any(|entry| entry[0] == "restored")
}

const IN_CHROMIUM: &[Scenario] = &[
    ("a page that crashes", |stage| {
        let first = stage.driver.window();
        stage.driver.open("tab");
        stage.go("crash", "page.html");
        stage.driver.js("alt('before')");
        stage.wait_until_logged("crash", 2);
        let answer = stage.driver.try_cdp("Page.crash", &json!({}));
        assert!(answer.is_err_and(|problem| problem.contains("crashed")));
        stage.driver.close(&first);
        stage.expect_rows("crash", "1 pageview page.html title:Shoes & more\n1 before page.html");
    }),
    ("a slow network", |stage| {
        stage.leave("slow");
        stage.driver.cdp("Network.enable", &json!({}));
        let slow = json!({ "offline": false, "latency": 500, "downloadThroughput": 20_000, "uploadThroughput": 5_000 });
        stage.driver.cdp("Network.emulateNetworkConditions", &slow);
        stage.go("slow", "page.html");
        stage.driver.js("for (let n = 0; n < 10; n++) alt('own', { number: n })");
        stage.driver.click("words");
        stage.leave("slow");
        let fast =
            json!({ "offline": false, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1 });
        stage.driver.cdp("Network.emulateNetworkConditions", &fast);
        let own: String = (0..10).map(|n| format!("1 own page.html {{\"number\": {n}}}\n")).collect();
        stage.expect(
            "slow",
            "page.html",
            &format!("1 pageview page.html title:Shoes & more\n{own}1 click page.html @ p#words\n1 engagement page.html 100%"),
        );
    }),
    ("a page that is prepared", |stage| {
        stage.go("rules", "rules.html");
        let prepared = |stage: &mut Stage<'_>| !stage.record("/t/rules/next.html").is_empty();
        wait_for(20, || prepared(stage), || "nothing is prerendered".to_owned());
        pause(200);
        assert_eq!(stage.logged("rules"), 0);
        stage.driver.click("go");
        stage.until_at("next.html");
        stage.driver.until("performance.getEntriesByType('navigation')[0].activationStart > 0");
        pause(200);
        stage.leave("rules");
        stage.expect_rows(
            "rules",
            "1 pageview next.html title:Shoes & more from:HERE/rules.html\n1 engagement next.html 100%",
        );
    }),
];

#[test]
fn in_chromium() {
    in_engine(Engine::Blink);
}

#[test]
fn in_firefox() {
    in_engine(Engine::Gecko);
}

#[test]
fn in_webkit() {
    in_engine(Engine::WebKit);
}

/// What `gzip -9` makes of a script, bytes.
fn gzipped(options: &[&str]) -> usize {
    let made = tempfile::tempdir().unwrap();
    let args = ["beacon", "build", "--app", "shop", "--out"];
    assert!(alt().args(args).arg(made.path()).args(options).output().unwrap().status.success());
    let script = std::fs::File::open(made.path().join("m.js")).unwrap();
    let output = Command::new("gzip").args(["-9", "-c"]).stdin(script).output().unwrap();
    assert!(output.status.success());
    output.stdout.len()
}

#[test]
fn a_script_is_small() {
    let (plain, all) = (gzipped(&[]), gzipped(&["--wait", "--frames", "--hash", "--downloads", "long"]));
    assert!(plain <= 1292 && all <= 1522, "{plain} bytes, and {all} with all options");
    let switch = gzipped(&["--off"]);
    assert!(switch <= plain + 160, "{switch} bytes");
}

#[test]
fn what_is_built_in_is_what_the_source_gives() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("beacon");
    let output = Command::new("node").args(["build.mjs", "--check"]).current_dir(&directory).output();
    let output = output.expect("node (scripts/test installs it)");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}\n(its packages: `npm ci` in beacon/, which scripts/test does)");
    let lock = std::fs::read_to_string(directory.join("package-lock.json")).unwrap();
    assert!(!lock.contains("\"resolved\""), "package-lock.json names a registry");
}

/// What a trace has of every evaluation of a script: milliseconds of the main thread's own time, and which events.
fn evaluations(trace: &Value, script: &str) -> Vec<(f64, Vec<String>)> {
    let events = trace["traceEvents"].as_array().unwrap();
    let wanted = |event: &&Value| {
        let url = event["args"]["data"]["url"].as_str().unwrap_or_default();
        // Now and then the browser measures no thread time of one.
        event["name"] == "EvaluateScript" && url.ends_with(script) && event["tdur"].is_number()
    };
    let span = |event: &Value| {
        let from = event["ts"].as_f64().unwrap();
        (from, from + event["dur"].as_f64().unwrap_or_default())
    };
    let evaluation = |whole: &Value| {
        let (from, to) = span(whole);
        let within = events.iter().filter(|event| {
            let (begin, end) = span(event);
            event["pid"] == whole["pid"] && event["tid"] == whole["tid"] && begin >= from && end <= to
        });
        let names = within.map(|event| event["name"].as_str().unwrap().to_owned()).collect();
        (whole["tdur"].as_f64().unwrap() / 1000.0, names)
    };
    events.iter().filter(wanted).map(evaluation).collect()
}

/// What it takes where nothing else goes on in the machine just then.
fn quickest(evaluations: &[(f64, Vec<String>)]) -> f64 {
    assert!(evaluations.len() >= 12, "{} loads", evaluations.len());
    evaluations.iter().map(|(ms, _)| *ms).fold(f64::INFINITY, f64::min)
}

#[test]
fn it_costs_the_page_one_request_little_time_and_no_layout() {
    if !Engine::Blink.is_here() {
        return;
    }
    let site = Site::start();
    let url = format!("http://shop.localhost:{}/t/cost/cost.html", site.nginx.port);
    let trace = Browser::trace(&url, 6);
    let evaluations_of = |script: &str| evaluations(&trace, script);
    let ours = evaluations_of("/s/m.js");
    // How fast the machine is, a lone request says. Twice the limit is what a second request, or a layout, would cost.
    let (took, bare) = (quickest(&ours), quickest(&evaluations_of("/bare.js")));
    eprintln!("evaluating takes {took} ms of the main thread's time, one request alone {bare} ms");
    assert!(took < f64::max(1.0, 5.0 * bare), "{took} ms; one request alone takes {bare} ms");
    for (_, within) in &ours {
        let has = |names: &[&str]| within.iter().any(|name| names.contains(&name.as_str()));
        assert_eq!(within.iter().filter(|name| *name == "ResourceSendRequest").count(), 1, "{within:?}");
        assert!(!has(&["Layout", "UpdateLayoutTree", "RecalculateStyles"]), "{within:?}");
    }
}
