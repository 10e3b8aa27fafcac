//! Pages that make a script of other sites' count wrong, slow or fail: libraries that bring the script in again, tag
//! managers, forms whose controls hide properties, and texts of any length.

use serde_json::{Value, json};

use super::{Scenario, Stage, pause};

/// What pages are made of: their name, and their text.
type Write<'w> = &'w dyn Fn(&str, &str);

/// A library that swaps a page's body.
struct Library {
    /// Also the name of its scenario.
    name: &'static str,
    /// What loads and starts it.
    head: &'static str,
    /// Its files, and where npm has them.
    files: &'static [(&'static str, &'static str)],
    /// The attribute of a link that it follows.
    link: &'static str,
}

const LIBRARIES: [Library; 4] = [
    Library {
        name: "turbo",
        head: "<script src=\"turbo.js\"></script>",
        files: &[("turbo.js", "@hotwired/turbo/dist/turbo.es2017-umd.js")],
        link: "",
    },
    Library {
        name: "htmx",
        head: "<script src=\"htmx.js\"></script>",
        files: &[("htmx.js", "htmx.org/dist/htmx.js")],
        link: "hx-boost=\"true\"",
    },
    Library {
        name: "htmxtwo",
        head: "<script src=\"htmxtwo.js\"></script>",
        files: &[("htmxtwo.js", "htmx2/dist/htmx.js")],
        link: "hx-boost=\"true\"",
    },
    Library {
        name: "swup",
        head: "<script src=\"swup.js\"></script><script src=\"swupscripts.js\"></script>\
               <script>addEventListener('DOMContentLoaded', () => { window.swup = new Swup({ animationSelector: false, \
               plugins: [new SwupScriptsPlugin({ head: false })] }) })</script>",
        files: &[
            ("swup.js", "swup/dist/Swup.umd.js"),
            ("swupscripts.js", "@swup/scripts-plugin/dist/index.umd.js"),
        ],
        link: "",
    },
];

/// Writes the pages; `snippet` is what a page pastes.
pub(super) fn write_pages(write: Write<'_>, snippet: &str) {
    let tag = snippet.lines().find(|line| line.contains(" src=")).unwrap();
    let tag = tag.replace(" onload=\"mark('loaded')\"", "");
    let modules = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("beacon/node_modules");
    let page = |head: &str, title: &str, body: &str| {
        format!(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>{title}</title>\n\
             <script src=\"record.js\"></script>\n{head}\n</head>\n<body style=\"margin: 0\">\n{body}\n</body>\n</html>\n"
        )
    };
    for Library { name, head, files, link } in LIBRARIES {
        for (file, path) in files {
            let text = std::fs::read_to_string(modules.join(path));
            let why = "(`npm ci` in beacon/, which scripts/test does)";
            write(file, &text.unwrap_or_else(|e| panic!("{path}: {e} {why}")));
        }
        for (this, other) in [("one", "two"), ("two", "one")] {
            let body = format!(
                "<main id=\"swup\"><h1>{this}</h1><a id=\"go\" data-alt-ignore {link} href=\"{name}{other}.html\">Go</a></main>\n\
                 {tag}\n<script>window.runs = (window.runs ?? 0) + 1</script>"
            );
            write(&format!("{name}{this}.html"), &page(head, &format!("Page {this}"), &body));
        }
    }
    write("twice.html", &page(&tag, "Twice", &tag));
    let unnamed = tag.replace(" data-a=\"shop\"", "");
    assert_ne!(unnamed, tag);
    write("address.html", &page(&unnamed.replace("m.js\"", "m.js?ver=6&a=shop&x=1\""), "Address", ""));
    let queue = snippet.lines().next().unwrap();
    let calls = "<script>alt({ a: 'shop' }); alt({ user_id: 'u1' }); alt('early', { n: 1 }); alt({ user_id: 'u2' })</script>";
    write("called.html", &page(&format!("{queue}{calls}{unnamed}"), "Called", ""));
    write("forms.html", &page(&tag, "Forms", include_str!("../data/beacon/forms.html")));
    write(
        "offline.html",
        &page(
            &format!("<script>Object.defineProperty(navigator, 'onLine', {{ value: false }})</script>{tag}"),
            "Offline",
            "",
        ),
    );
    write(
        "long.html",
        &format!("<!doctype html><title>Long</title>{tag}<p id=\"words\">Words</p><p id=\"place\"></p>"),
    );
}

/// One page view a view: to another page, and back.
fn with_library(stage: &mut Stage<'_>, name: &str) {
    let is_at = |this: &str| {
        format!("document.title === 'Page {this}' && document.querySelector('h1').textContent === '{this}'")
    };
    stage.go(name, &format!("{name}one.html"));
    pause(200);
    stage.driver.js("window.same = 1");
    stage.driver.click("go");
    stage.driver.until(&is_at("two"));
    pause(300);
    stage.driver.js("history.back()");
    stage.driver.until(&is_at("one"));
    pause(300);
    assert_eq!(stage.driver.js("return window.same"), json!(1), "{name}: it is one document");
    let runs = stage.driver.js("return window.runs").as_u64().unwrap();
    assert!(runs >= 2, "{name}: scripts ran {runs} times");
    stage.leave(name);
    stage.expect_rows(
        name,
        &format!(
            "1 pageview {name}one.html title:Page one
             1 engagement {name}one.html 100%
             2 pageview {name}two.html title:Page two from:HERE/{name}one.html
             2 engagement {name}two.html 100%
             3 pageview {name}one.html title:Page one from:HERE/{name}two.html
             3 engagement {name}one.html 100%"
        ),
    );
}

pub(super) const SCENARIOS: &[Scenario] = &[
    ("the tag twice", |stage| {
        stage.go("twice", "twice.html");
        pause(100);
        stage.driver.js("alt('own')");
        stage.leave("twice");
        stage.expect_rows(
            "twice",
            "1 pageview twice.html title:Twice\n1 own twice.html\n1 engagement twice.html 100%",
        );
    }),
    ("Turbo", |stage| with_library(stage, "turbo")),
    ("htmx", |stage| with_library(stage, "htmx")),
    ("htmx 2", |stage| with_library(stage, "htmxtwo")),
    ("swup", |stage| with_library(stage, "swup")),
    ("the Navigation API", |stage| {
        stage.go("navigation", "page.html");
        if stage.driver.js("return !self.navigation") == json!(true) {
            stage.leave("navigation");
            stage.expect_rows(
                "navigation",
                "1 pageview page.html title:Shoes & more\n1 engagement page.html 100%",
            );
            return;
        }
        pause(100);
        stage.driver.js(
            "navigation.addEventListener('navigate', (event) => { \
             if (event.canIntercept && !event.destination.url.includes('blank')) event.intercept({ handler() { document.title = 'At ' + event.destination.url.split('/').pop(); } }) }); \
             navigation.navigate('two.html?token=abc')",
        );
        pause(250);
        stage.driver.js("navigation.navigate('three.html', { history: 'replace' })");
        pause(250);
        stage.driver.js("navigation.back()");
        pause(250);
        stage.expect_left(
            "navigation",
            "1 pageview page.html title:Shoes & more
             1 engagement page.html 100%
             2 pageview two.html?token=*** title:At two.html?token=abc from:HERE/page.html
             2 engagement two.html?token=*** 100%
             3 pageview three.html title:At three.html from:HERE/two.html?token=***
             3 engagement three.html 100%
             4 pageview page.html title:At page.html from:HERE/three.html
             4 engagement page.html 100%",
        );
    }),
    ("an application in the script's address", |stage| {
        stage.go("address", "address.html");
        pause(100);
        stage.expect_left("address", "1 pageview address.html title:Address\n1 engagement address.html 100%");
    }),
    ("an application in a call before the script", |stage| {
        stage.go("called", "called.html");
        pause(100);
        stage.expect_left(
            "called",
            "1 pageview called.html title:Called user:u1
             1 early called.html user:u1 n:1
             1 engagement called.html 100% user:u2",
        );
    }),
    ("forms whose controls hide properties", |stage| {
        stage.go("forms", "forms.html");
        pause(100);
        stage.driver.js("dispatchEvent(new MouseEvent('click')); document.dispatchEvent(new MouseEvent('click', { detail: 1 }))");
        stage.driver.click("checkout");
        stage.driver.click("term");
        stage.driver.press("term", "shoes\u{E007}");
        stage.driver.js("document.querySelector('#bare button').click()");
        pause(100);
        stage.leave("forms");
        let at: Vec<Value> = stage.record("/t/forms/forms.html clicks");
        let at: Vec<&str> = at.iter().map(|at| at.as_str().unwrap()).collect();
        // The two that were dispatched have no place on the page, and are no clicks of an element.
        stage.expect_rows(
            "forms",
            &format!(
                "1 pageview forms.html title:Forms
                 1 click forms.html {} form#checkout
                 1 click forms.html {} input#term
                 1 click forms.html button#find text:Find
                 1 click forms.html button text:Bare
                 1 engagement forms.html 100%",
                at[2], at[3]
            ),
        );
    }),
    ("values of all types", |stage| {
        stage.go("types", "page.html");
        stage.driver.js(
            "const ring = {}; ring.ring = ring; \
             alt({ site: { id: 7 }, rate: 1.5 }); \
             alt('typed', { total: 59.9, text: '59.9', gift: true, items: [{ id: 1, name: 'ü' }], nothing: null, \
                            ring, big: 10n, call() {}, at: new Date(0), user_id: 42 })",
        );
        stage.leave("types");
        stage.expect_rows("types", "").also = Some((
            "SELECT max(user_id) FILTER (WHERE event_type = 'typed'), \
                    max((params->'custom')::text) FILTER (WHERE event_type = 'typed'), \
                    max(params->>'text') FILTER (WHERE event_type = 'typed') FROM l",
            "42|{\"at\": \"1970-01-01T00:00:00.000Z\", \"gift\": true, \"rate\": 1.5, \"site\": {\"id\": 7}, \
             \"items\": [{\"id\": 1, \"name\": \"ü\"}], \"total\": 59.9}|59.9"
                .to_owned(),
        ));
    }),
    ("a network that is said to be away", |stage| {
        stage.go("said", "offline.html");
        stage.driver.js("alt('own')");
        stage.wait_until_logged("said", 2);
        stage.expect_left(
            "said",
            "1 pageview offline.html title:Offline\n1 own offline.html\n1 engagement offline.html 100%",
        );
    }),
];

/// What a page may hand over, each of about 1 MB, and what takes it.
const LONG: [(&str, &str); 12] = [
    ("a value", "const text = 'x'.repeat(1e6); return () => alt('own', { text })"),
    (
        "a value of long characters",
        "const text = 'ü€😀'.repeat(25e4); return () => alt('own', { said: text })",
    ),
    ("a name", "const name = 'x'.repeat(1e6); return () => alt('own', { [name]: 1 })"),
    (
        "many values",
        "const all = Object.fromEntries([...Array(64).keys()].map((n) => ['k' + n, 'x'.repeat(16e3)])); return () => alt('own', all)",
    ),
    ("a value of all events", "alt({ said: '€'.repeat(1e6) }); return () => alt('own')"),
    ("an event's name", "alt({ said: '' }); const name = 'x'.repeat(1e6); return () => alt(name)"),
    ("an address", "history.replaceState(null, '', '?q=' + 'x'.repeat(1e6)); return () => words.click()"),
    (
        "an address of question marks",
        "history.replaceState(null, '', '?'.repeat(1e6)); return () => alt('own')",
    ),
    (
        "an address of separators",
        "history.replaceState(null, '', '?' + '&'.repeat(1e6)); return () => words.click()",
    ),
    (
        "an address of secrets",
        "history.replaceState(null, '', '?' + 'key'.repeat(3e5)); return () => words.click()",
    ),
    (
        "an address of many secrets",
        "history.replaceState(null, '', '?' + 'key=1&'.repeat(1.5e5)); return () => alt('own')",
    ),
    (
        "a link",
        "history.replaceState(null, '', 'long.html'); place.innerHTML = '<a id=link data-x>'; link.href = 'https://other.example/?q=' + 'x'.repeat(1e6); link.textContent = 'x'.repeat(1e6); return () => link.click()",
    ),
];

/// How long the script keeps the page beside what its request takes in the same page, ms: the quickest of some times, and
/// of some more if others use the machine just then. A browser is slow where an address is long, whatever asks it for a request.
fn takes(stage: &mut Stage<'_>, what: &str) -> f64 {
    let script = format!(
        "const quickest = (run) => {{ let ms = Infinity; for (let n = 0; n < 30; n++) {{ \
         const from = performance.now(); run(); ms = Math.min(ms, performance.now() - from); }} return ms; }}; \
         const run = (() => {{ {what} }})(); \
         return quickest(run) - quickest(() => fetch('blank.html?' + Math.random(), {{ keepalive: true, mode: 'no-cors' }}))"
    );
    let mut quickest = f64::INFINITY;
    for _ in 0..5 {
        quickest = quickest.min(stage.driver.js(&script).as_f64().unwrap());
        if quickest < 1.0 {
            break;
        }
        pause(500);
    }
    quickest
}

pub(super) const IN_CHROMIUM: &[Scenario] = &[("1 MB of anything", |stage| {
    stage.go("long", "long.html");
    stage.driver.until("history.alt");
    stage.driver.js("addEventListener('click', (event) => event.preventDefault())");
    let times: Vec<(&str, f64)> = LONG.iter().map(|(name, what)| (*name, takes(stage, what))).collect();
    eprintln!("beside the request, ms: {times:?}");
    stage.leave("long");
    // A step that is not linear takes seconds; what a busy machine adds is less than this.
    let slow: Vec<_> = times.iter().filter(|(_, ms)| *ms >= 10.0).collect();
    assert!(slow.is_empty(), "{slow:?} ms");
    stage.expect_rows("long", "").also = Some((
        "SELECT count(*) > 12 * 30, max(octet_length(url_query)) < 4096, \
                count(*) FILTER (WHERE params->>'cut' = 'true') > 12 FROM l",
        "t|t|t".to_owned(),
    ));
})];
