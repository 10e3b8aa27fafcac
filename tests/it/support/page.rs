//! The dashboard in a browser: `alt serve`, Chromium, and what a page records of itself from its first moment.

use std::process::{Child, Stdio};

use serde_json::{Value, json};

use super::bench::Bench;
use super::daemon::{alt, key_file, wait_for};
use super::webdriver::{Driver, Engine};

/// What runs before anything of a page does: it records broken policies, errors, shifts of the layout, and when the first
/// number was there.
const RECORD: &str = "
    window.seen = { broken: [], errors: [], shift: 0, first: null };
    addEventListener('securitypolicyviolation', event => seen.broken.push(event.violatedDirective + ' ' + event.blockedURI));
    addEventListener('error', event => seen.errors.push(String(event.message)));
    addEventListener('unhandledrejection', event => seen.errors.push(String(event.reason)));
    let input = -Infinity;
    for (const kind of ['keydown', 'click']) addEventListener(kind, event => { input = event.timeStamp }, true);
    // What a key brought about comes later than its 500 ms where the machine is busy.
    new PerformanceObserver(list => list.getEntries().forEach(one => {
        if (!one.hadRecentInput && (one.startTime < input || one.startTime > input + 3000)) seen.shift += one.value }))
        .observe({ type: 'layout-shift', buffered: true });
    new MutationObserver(() => {
        if (seen.first === null && /[0-9]/.test(document.querySelector('[data-metric=visitors] .big')?.textContent ?? ''))
            seen.first = performance.now();
    }).observe(document, { childList: true, subtree: true, characterData: true });";

/// `alt serve`; ended when dropped.
pub(crate) struct Server {
    child: Child,
    pub(crate) url: String,
}

impl Server {
    /// Starts it on a port of its own; `more` are keys of `[web]`.
    pub(crate) fn start(bench: &Bench, more: &str) -> Server {
        Server::start_on(bench, 0, more)
    }

    /// As [`Server::start`], on this port.
    pub(crate) fn start_on(bench: &Bench, port: u16, more: &str) -> Server {
        let text = std::fs::read_to_string(&bench.config).unwrap();
        let text = text.split("\n[web]").next().unwrap();
        let (config, log) = (bench.path("page.toml"), bench.path("page.stderr"));
        let web = format!(
            "{text}\n[web]\nlisten = \"127.0.0.1:{port}\"\nadmin = \"127.0.0.1:0\"\nrequests_per_minute = 100000\n{}\n{more}\n",
            key_file(&config)
        );
        std::fs::write(&config, web).unwrap();
        let mut command = alt();
        command.args(["serve", "-v", "--config"]).arg(&config).stdin(Stdio::null()).stdout(Stdio::null());
        let child = command.stderr(std::fs::File::create(&log).unwrap()).spawn().unwrap();
        let mut server = Server { child, url: String::new() };
        let mut is_there = || {
            let text = std::fs::read_to_string(&log).unwrap();
            let after = text.split("http://").nth(1).unwrap_or_default();
            let address: String =
                after.chars().take_while(|c| c.is_ascii_digit() || ".:".contains(*c)).collect();
            server.url = format!("http://{address}");
            !address.is_empty()
        };
        wait_for(30, &mut is_there, || std::fs::read_to_string(&log).unwrap());
        server
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A browser that shows the dashboard.
pub(crate) struct Page {
    pub(crate) driver: Driver,
    pub(crate) url: String,
}

impl Page {
    /// Opens none yet. Whoever looks is known by a token, if one is given.
    pub(crate) fn new(url: &str, token: Option<&str>) -> Page {
        let mut driver = Driver::start(Engine::Blink);
        driver.cdp("Page.enable", &json!({}));
        driver.cdp("Page.addScriptToEvaluateOnNewDocument", &json!({ "source": RECORD }));
        if let Some(token) = token {
            driver.cdp("Network.enable", &json!({}));
            let headers = json!({ "headers": { "Authorization": format!("Bearer {token}") } });
            driver.cdp("Network.setExtraHTTPHeaders", &headers);
        }
        Page { driver, url: url.to_owned() }
    }

    /// In WebKit, which records nothing and sends no token: somebody has to sign in.
    pub(crate) fn in_webkit(url: &str) -> Page {
        Page { driver: Driver::start(Engine::WebKit), url: url.to_owned() }
    }

    /// Goes to a path, and waits until nothing is waited for.
    pub(crate) fn go(&mut self, path: &str) {
        self.driver.go(&format!("{}{path}", self.url));
        self.settle();
    }

    /// Waits until the page shows what it was asked for.
    pub(crate) fn settle(&mut self) {
        self.driver.until(
            "document.querySelector('main') && !document.querySelector('[aria-busy=true], i.wait, .waits')",
        );
    }

    /// The value of an expression.
    pub(crate) fn value(&mut self, expression: &str) -> Value {
        self.driver.js(&format!("return {expression}"))
    }

    /// The text of what a selector finds first.
    pub(crate) fn text(&mut self, selector: &str) -> String {
        let found = self.value(&format!("document.querySelector({})?.innerText ?? ''", json!(selector)));
        found.as_str().unwrap().to_owned()
    }

    /// One of the six numbers, with all digits.
    pub(crate) fn metric(&mut self, name: &str) -> String {
        let found = self.value(&format!("document.querySelector('[data-metric={name}] .big')?.title ?? ''"));
        found.as_str().unwrap().replace(',', "")
    }

    /// The rows of a panel: `VALUE COUNT`, a line each.
    pub(crate) fn rows(&mut self, panel: &str) -> String {
        let script = format!(
            "[...document.querySelectorAll('[data-panel={panel}] tbody tr')]
                .map(row => row.dataset.value + ' ' + row.querySelector('.n').title.replaceAll(',', '')).join('\\n')"
        );
        self.value(&script).as_str().unwrap().to_owned()
    }

    /// Whatever no page may do: break its policy, fail, ask another server, or let things jump.
    pub(crate) fn check(&mut self) {
        let script = "{ ...seen, elsewhere: performance.getEntriesByType('resource').map(one => one.name)
            .filter(name => !name.startsWith(location.origin + '/')), at: location.href }";
        let seen = self.value(&format!("({script})"));
        assert_eq!(seen["broken"], json!([]), "{seen}");
        assert_eq!(seen["errors"], json!([]), "{seen}");
        assert_eq!(seen["elsewhere"], json!([]), "{seen}");
        assert!(seen["shift"].as_f64().unwrap() <= 0.05, "{seen}");
    }

    /// What axe-core finds, in light and dark.
    pub(crate) fn check_access(&mut self) {
        let axe = std::fs::read_to_string(
            std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("web/node_modules/axe-core/axe.min.js"),
        );
        let axe = axe.expect("axe-core (`npm ci` in web/, which scripts/test does)");
        self.driver.js(&format!("{axe}\nreturn 0"));
        for theme in ["light", "dark"] {
            self.set_theme(theme);
            self.driver.js(
                "window.found = null;
                 axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] })
                    .then(all => { window.found = all.violations.map(one => one.id + ': '
                        + one.nodes.map(node => node.target + ' ' + node.failureSummary).join('; ')) },
                        error => { window.found = [String(error)] })",
            );
            self.driver.until("window.found !== null");
            let (found, at) = (self.value("window.found"), self.value("location.href"));
            assert_eq!(found, json!([]), "{at} in {theme}");
        }
        self.set_theme("light");
    }

    /// As the system has it.
    pub(crate) fn set_theme(&mut self, theme: &str) {
        let features = json!({ "features": [{ "name": "prefers-color-scheme", "value": theme }, { "name": "prefers-reduced-motion", "value": "reduce" }] });
        self.driver.cdp("Emulation.setEmulatedMedia", &features);
    }
}
