//! Browsers of three engines, driven as a person would: by WebDriver, or in Firefox by Marionette, which has the same
//! commands (geckodriver only passes them on, and Debian does not have it).

use std::cell::RefCell;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::browser::Browser;
use super::daemon::wait_for;
use super::not_looked_at;

/// What shows the pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Engine {
    /// Chromium, by chromedriver, with windows on a display of its own: without, each of them is in front.
    Blink,
    /// Firefox.
    Gecko,
    /// `WebKitGTK`'s own browser, by `WebKitWebDriver`, on a display of its own.
    WebKit,
}

impl Engine {
    /// Whether what it takes is here. Only on Debian it must be: its packages are known.
    pub(crate) fn is_here(self) -> bool {
        let display = || runs("Xvfb", "-help");
        let (has_it, packages) = match self {
            Engine::Blink => (
                super::browser::is_here()
                    && runs("chromedriver", "--version")
                    && runs("openbox", "--version")
                    && display(),
                "chromium-driver, xvfb and openbox",
            ),
            Engine::Gecko => (firefox().is_some(), "firefox-esr"),
            Engine::WebKit => (
                runs("WebKitWebDriver", "--version") && mini_browser().is_some() && display(),
                "webkit2gtk-driver and xvfb",
            ),
        };
        if !has_it {
            let system = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
            let debian = system.lines().any(|line| line == "ID=debian");
            assert!(!debian, "install Debian's {packages} (scripts/test does)");
            not_looked_at(&format!("the beacon in {self:?} (it takes Debian's {packages})"));
        }
        has_it
    }
}

/// Whether there is such a program; some are not content with any question.
fn runs(name: &str, question: &str) -> bool {
    Command::new(name).arg(question).output().is_ok()
}

/// Firefox by one of its names; not Ubuntu's snap, which does not see our directories.
fn firefox() -> Option<&'static str> {
    ["firefox-esr", "firefox"].into_iter().find(|name| {
        let path =
            Command::new("sh").args(["-c", "readlink -f \"$(command -v \"$0\")\"", name]).output().unwrap();
        let path = String::from_utf8_lossy(&path.stdout).into_owned();
        !path.is_empty() && !path.contains("snap") && runs(name, "--version")
    })
}

fn mini_browser() -> Option<std::path::PathBuf> {
    let mut found = glob::glob("/usr/lib/*/webkit2gtk-4.*/MiniBrowser").unwrap();
    found.find_map(Result::ok)
}

/// A browser, with a profile of its own; dropped, it is gone.
pub(crate) struct Driver {
    /// What shows the pages.
    pub(crate) engine: Engine,
    wire: Wire,
    // in the order in which they end
    _chromium: Option<Browser>,
    _processes: Vec<Process>,
    profile: TempDir,
}

enum Wire {
    /// Address and session.
    WebDriver(String, String),
    /// The connection, and how many commands it has had.
    Marionette(TcpStream, u64),
}

impl Driver {
    /// Starts it with an empty page, which is looked at.
    pub(crate) fn start(engine: Engine) -> Driver {
        let profile = tempfile::tempdir().unwrap();
        let mut driver = match engine {
            Engine::Blink => Driver::chromium(profile),
            Engine::Gecko => Driver::firefox(profile),
            Engine::WebKit => Driver::webkit(profile),
        };
        driver.look_here();
        driver
    }

    fn chromium(profile: TempDir) -> Driver {
        let (display, xvfb) = display(&profile);
        let mut processes = vec![window_manager(&profile, &display), xvfb];
        let chromium = Browser::driven(&display);
        let options = json!({ "debuggerAddress": chromium.debugger() });
        let capabilities = json!({ "goog:chromeOptions": options });
        let port = free_port();
        let mut command = Command::new("chromedriver");
        command.arg(format!("--port={port}"));
        processes.insert(0, Process::start(&mut command, &profile.path().join("driver.log")));
        let wire = session(port, &capabilities);
        Driver { engine: Engine::Blink, wire, _chromium: Some(chromium), _processes: processes, profile }
    }

    fn firefox(profile: TempDir) -> Driver {
        // Two windows are not both looked at, and nothing asks the network for anything. What Marionette recommends
        // says otherwise of the first.
        let prefs = "user_pref(\"remote.prefs.recommended\", false);
user_pref(\"focusmanager.testmode\", false);
user_pref(\"marionette.port\", 0);
user_pref(\"app.update.enabled\", false);
user_pref(\"app.normandy.enabled\", false);
user_pref(\"browser.shell.checkDefaultBrowser\", false);
user_pref(\"browser.tabs.warnOnClose\", false);
user_pref(\"browser.warnOnQuit\", false);
user_pref(\"datareporting.policy.dataSubmissionEnabled\", false);
user_pref(\"dom.disable_open_during_load\", false);
user_pref(\"extensions.getAddons.cache.enabled\", false);
user_pref(\"network.captive-portal-service.enabled\", false);
user_pref(\"network.connectivity-service.enabled\", false);
user_pref(\"services.settings.server\", \"data:,#remote-settings-dummy/v1\");
user_pref(\"toolkit.telemetry.server\", \"\");
";
        std::fs::write(profile.path().join("user.js"), prefs).unwrap();
        let mut command = Command::new(firefox().unwrap());
        command.args([
            "--headless",
            "--marionette",
            "--remote-allow-system-access",
            "--no-remote",
            "--profile",
        ]);
        command.arg(profile.path()).arg("about:blank").env("HOME", profile.path());
        let process = Process::start(&mut command, &profile.path().join("driver.log"));
        let told = profile.path().join("MarionetteActivePort");
        let port = || std::fs::read_to_string(&told).ok()?.parse::<u16>().ok();
        wait_for(60, || port().is_some(), || log(&profile));
        let stream = TcpStream::connect(("127.0.0.1", port().unwrap())).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        let mut wire = Wire::Marionette(stream, 0);
        wire.packet(); // it says who it is
        let processes = vec![process];
        let mut driver =
            Driver { engine: Engine::Gecko, wire, _chromium: None, _processes: processes, profile };
        driver.call("POST", "/session", "NewSession", &json!({}));
        driver
    }

    fn webkit(profile: TempDir) -> Driver {
        let (display, xvfb) = display(&profile);
        let port = free_port();
        let mut command = Command::new("WebKitWebDriver");
        command
            .arg(format!("--port={port}"))
            .env("DISPLAY", display)
            .env("HOME", profile.path())
            .env("WEBKIT_DISABLE_COMPOSITING_MODE", "1") // there is no GPU
            .env("GDK_BACKEND", "x11")
            .env_remove("WAYLAND_DISPLAY")
            .env_remove("XDG_CONFIG_HOME")
            .env_remove("XDG_CACHE_HOME")
            .env_remove("XDG_DATA_HOME");
        let process = Process::start(&mut command, &profile.path().join("driver.log"));
        let binary = mini_browser().unwrap().display().to_string();
        let options = json!({ "binary": binary, "args": ["--automation"] });
        let wire = session(port, &json!({ "webkitgtk:browserOptions": options }));
        Driver { engine: Engine::WebKit, wire, _chromium: None, _processes: vec![process, xvfb], profile }
    }

    /// A command, by both its names; the answer's value, or what went wrong.
    fn ask(&mut self, method: &str, path: &str, name: &str, body: &Value) -> Result<Value, String> {
        match &mut self.wire {
            Wire::WebDriver(address, session) => {
                webdriver(address, method, &format!("/session/{session}{path}"), body)
            }
            Wire::Marionette(..) => self.wire.marionette(&format!("WebDriver:{name}"), body),
        }
    }

    fn call(&mut self, method: &str, path: &str, name: &str, body: &Value) -> Value {
        self.ask(method, path, name, body)
            .unwrap_or_else(|problem| panic!("{name} {body}: {problem}\n{}", log(&self.profile)))
    }

    /// Goes to a page, and waits until it has loaded.
    pub(crate) fn go(&mut self, url: &str) {
        self.call("POST", "/url", "Navigate", &json!({ "url": url }));
    }

    /// Runs the body of a function in the page; what it returns.
    pub(crate) fn js(&mut self, script: &str) -> Value {
        self.call("POST", "/execute/sync", "ExecuteScript", &json!({ "script": script, "args": [] }))
    }

    /// Waits until an expression is true in the page; where it never is, says what the page shows.
    pub(crate) fn until(&mut self, expression: &str) {
        let script = json!({ "script": format!("return !!({expression})"), "args": [] });
        let shown =
            json!({ "script": "return location.href + '\\n' + document.body?.innerText", "args": [] });
        let page = RefCell::new(self);
        let run = |script| page.borrow_mut().ask("POST", "/execute/sync", "ExecuteScript", script);
        // Between two pages, it may be a page where nothing works.
        wait_for(
            20,
            || run(&script) == Ok(Value::Bool(true)),
            || format!("{expression}\n{}", run(&shown).unwrap_or_default().as_str().unwrap_or_default()),
        );
    }

    /// Clicks the element with this id, as a mouse does.
    pub(crate) fn click(&mut self, id: &str) {
        let element = self.find(id);
        self.call("POST", &format!("/element/{element}/click"), "ElementClick", &json!({ "id": element }));
    }

    /// The driver's own name of the element with this id.
    fn find(&mut self, id: &str) -> String {
        let by = json!({ "using": "css selector", "value": format!("#{id}") });
        let element = self.call("POST", "/element", "FindElement", &by);
        element.as_object().unwrap().values().next().unwrap().as_str().unwrap().to_owned()
    }

    /// Types a text into the element with this id, as a keyboard does; U+E007 is the Enter key.
    pub(crate) fn press(&mut self, id: &str, text: &str) {
        let element = self.find(id);
        let path = format!("/element/{element}/value");
        self.call("POST", &path, "ElementSendKeys", &json!({ "id": element, "text": text }));
    }

    /// Presses keys one after the other, wherever the focus is. Before a key, U+E008 (Shift) is held for it.
    pub(crate) fn keys(&mut self, keys: &[&str]) {
        let mut actions = Vec::new();
        for key in keys {
            let (held, key) =
                key.strip_prefix('\u{E008}').map_or((None, *key), |key| (Some("\u{E008}"), key));
            actions.extend(held.map(|held| json!({ "type": "keyDown", "value": held })));
            for key in key.chars() {
                actions.push(json!({ "type": "keyDown", "value": key }));
                actions.push(json!({ "type": "keyUp", "value": key }));
            }
            actions.extend(held.map(|held| json!({ "type": "keyUp", "value": held })));
        }
        let board = json!({ "type": "key", "id": "keys", "actions": actions });
        self.call("POST", "/actions", "PerformActions", &json!({ "actions": [board] }));
        self.call("DELETE", "/actions", "ReleaseActions", &json!({}));
    }

    /// Presses the mouse so often in one place.
    pub(crate) fn click_often(&mut self, x: u32, y: u32, times: usize) {
        let mut actions = vec![json!({ "type": "pointerMove", "duration": 0, "x": x, "y": y })];
        for _ in 0..times {
            actions.push(json!({ "type": "pointerDown", "button": 0 }));
            actions.push(json!({ "type": "pointerUp", "button": 0 }));
        }
        let mouse = json!({ "type": "pointer", "id": "mouse", "actions": actions });
        self.call("POST", "/actions", "PerformActions", &json!({ "actions": [mouse] }));
        self.call("DELETE", "/actions", "ReleaseActions", &json!({}));
    }

    /// Back, to what has loaded or was kept.
    pub(crate) fn back(&mut self) {
        self.call("POST", "/back", "Back", &json!({}));
    }

    /// Forward.
    pub(crate) fn forward(&mut self) {
        self.call("POST", "/forward", "Forward", &json!({}));
    }

    /// Loads the page again.
    pub(crate) fn reload(&mut self) {
        self.call("POST", "/refresh", "Refresh", &json!({}));
    }

    /// The tab or window that the commands are for.
    pub(crate) fn window(&mut self) -> Value {
        self.call("GET", "/window", "GetWindowHandle", &json!({}))
    }

    /// A new `tab` or `window`, which the user looks at from now on, and that the commands are for.
    pub(crate) fn open(&mut self, kind: &str) -> Value {
        // WebKit's driver opens a tab behind the one that is looked at, and has no way to look at it.
        let kind = if self.engine == Engine::WebKit { "window" } else { kind };
        let new = self.call("POST", "/window/new", "NewWindow", &json!({ "type": kind, "focus": true }));
        let handle = new["handle"].clone();
        self.look_at(&handle);
        handle
    }

    /// The user looks at another tab or window.
    pub(crate) fn look_at(&mut self, handle: &Value) {
        let of = json!({ "handle": handle, "focus": true });
        self.call("POST", "/window", "SwitchToWindow", &of);
        if self.engine == Engine::Blink {
            self.cdp("Page.bringToFront", &json!({})); // to switch is not to look there
        }
    }

    /// The user looks at the window that the commands are for, and goes on trying until it has the focus: a window
    /// that was not yet there for whoever arranges windows when it was brought to the front stays behind.
    pub(crate) fn look_here(&mut self) {
        let window = self.window();
        let mut asked: Option<Instant> = None;
        let mut has_focus = || {
            let script = json!({ "script": "return document.hasFocus()", "args": [] });
            let is = self.ask("POST", "/execute/sync", "ExecuteScript", &script) == Ok(Value::Bool(true));
            if !is && asked.is_none_or(|asked| asked.elapsed() > Duration::from_secs(1)) {
                self.look_at(&window);
                asked = Some(Instant::now());
            }
            is
        };
        wait_for(20, &mut has_focus, || "the window has no focus".to_owned());
    }

    /// Closes the one, and looks at another.
    pub(crate) fn close(&mut self, then: &Value) {
        self.call("DELETE", "/window", "CloseWindow", &json!({}));
        self.look_at(then);
    }

    /// Minimises the window.
    pub(crate) fn minimise(&mut self) {
        self.call("POST", "/window/minimize", "MinimizeWindow", &json!({}));
    }

    /// And brings it back.
    pub(crate) fn restore(&mut self) {
        let place = json!({ "x": 0, "y": 0, "width": 1000, "height": 800 });
        self.call("POST", "/window/rect", "SetWindowRect", &place);
    }

    /// A command of the Chrome `DevTools` protocol; what went wrong, if anything did.
    pub(crate) fn try_cdp(&mut self, name: &str, parameters: &Value) -> Result<Value, String> {
        assert_eq!(self.engine, Engine::Blink);
        self.ask("POST", "/goog/cdp/execute", "", &json!({ "cmd": name, "params": parameters }))
    }

    /// The same, where nothing may go wrong.
    pub(crate) fn cdp(&mut self, name: &str, parameters: &Value) -> Value {
        self.try_cdp(name, parameters).unwrap_or_else(|problem| panic!("{name} {parameters}: {problem}"))
    }

    /// Takes the browser off the network, or puts it back.
    pub(crate) fn set_offline(&mut self, offline: bool) {
        match self.engine {
            Engine::Blink => {
                self.cdp("Network.enable", &json!({}));
                let conditions = json!({ "offline": offline, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1 });
                self.cdp("Network.emulateNetworkConditions", &conditions);
            }
            Engine::Gecko => {
                self.wire.marionette("Marionette:SetContext", &json!({ "value": "chrome" })).unwrap();
                self.js(&format!("Services.io.offline = {offline}"));
                self.wire.marionette("Marionette:SetContext", &json!({ "value": "content" })).unwrap();
            }
            // It has no such command, and asks the system: only what the page is told can be set.
            Engine::WebKit => {
                self.js(&format!(
                    "Object.defineProperty(navigator, 'onLine', {{ value: {}, configurable: true }}); \
                     dispatchEvent(new Event('{}'))",
                    !offline,
                    if offline { "offline" } else { "online" }
                ));
            }
        }
    }
}

impl Wire {
    fn packet(&mut self) -> Value {
        let Wire::Marionette(stream, _) = self else { panic!("no Marionette") };
        let mut length = 0;
        loop {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            match byte[0] {
                b':' => break,
                digit => length = length * 10 + usize::from(digit - b'0'),
            }
        }
        let mut packet = vec![0; length];
        stream.read_exact(&mut packet).unwrap();
        serde_json::from_slice(&packet).unwrap()
    }

    fn marionette(&mut self, name: &str, body: &Value) -> Result<Value, String> {
        let Wire::Marionette(stream, count) = self else { panic!("no Marionette") };
        *count += 1;
        let packet = json!([0, count, name, body]).to_string();
        stream.write_all(format!("{}:{packet}", packet.len()).as_bytes()).unwrap();
        let answer = self.packet();
        if !answer[2].is_null() {
            return Err(answer[2].to_string());
        }
        let result = &answer[3];
        Ok(result.get("value").unwrap_or(result).clone())
    }
}

/// One command of `WebDriver`; the answer's value.
fn webdriver(address: &str, method: &str, path: &str, body: &Value) -> Result<Value, String> {
    let body = if method == "POST" { body.to_string() } else { String::new() };
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut connection = TcpStream::connect(address).unwrap();
    connection.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    connection.write_all(request.as_bytes()).unwrap();
    // chromedriver leaves the connection open whatever it is told.
    let mut connection = BufReader::new(connection);
    let (mut head, mut length) = (String::new(), 0);
    while !head.ends_with("\r\n\r\n") {
        let from = head.len();
        assert_ne!(connection.read_line(&mut head).unwrap(), 0, "the driver is gone: {head}");
        if let Some(value) = head[from..].to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
    }
    let mut answer = vec![0; length];
    connection.read_exact(&mut answer).unwrap();
    let mut answer: Value = serde_json::from_slice(&answer).map_err(|_| head.clone())?;
    let value = answer["value"].take();
    if head.starts_with("HTTP/1.1 200 ") { Ok(value) } else { Err(value.to_string()) }
}

/// Waits until the driver listens, and has it start its browser.
fn session(port: u16, capabilities: &Value) -> Wire {
    let address = format!("127.0.0.1:{port}");
    wait_for(30, || TcpStream::connect(&address).is_ok(), || "the driver does not listen".to_owned());
    let wanted = json!({ "capabilities": { "alwaysMatch": capabilities } });
    let session =
        webdriver(&address, "POST", "/session", &wanted).unwrap_or_else(|problem| panic!("{problem}"));
    Wire::WebDriver(address, session["sessionId"].as_str().unwrap().to_owned())
}

/// A display of our own; its name, and what makes it.
fn display(profile: &TempDir) -> (String, Process) {
    let mut xvfb = Command::new("Xvfb");
    xvfb.args(["-displayfd", "1", "-screen", "0", "1400x1000x24", "-nolisten", "tcp"]);
    let told = profile.path().join("display");
    let xvfb = Process::start_into(&mut xvfb, &profile.path().join("xvfb.log"), &told);
    let number = || std::fs::read_to_string(&told).ok().filter(|text| text.ends_with('\n'));
    wait_for(30, || number().is_some(), || "Xvfb names no display".to_owned());
    (format!(":{}", number().unwrap().trim()), xvfb)
}

/// A window manager, for browsers that do not bring windows to the front by themselves.
fn window_manager(profile: &TempDir, display: &str) -> Process {
    let ready = profile.path().join("ready");
    let mut openbox = Command::new("openbox");
    openbox.arg("--startup").arg(format!("touch {}", ready.display()));
    openbox.env("DISPLAY", display).env("HOME", profile.path()).env_remove("XDG_CONFIG_HOME");
    let openbox = Process::start(&mut openbox, &profile.path().join("openbox.log"));
    wait_for(30, || std::fs::metadata(&ready).is_ok(), || "openbox does not start".to_owned());
    openbox
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn log(profile: &TempDir) -> String {
    String::from_utf8_lossy(&std::fs::read(profile.path().join("driver.log")).unwrap()).into_owned()
}

/// A process and all that it starts.
struct Process(Child);

impl Process {
    fn start(command: &mut Command, log: &Path) -> Process {
        Process::start_into(command, log, Path::new("/dev/null"))
    }

    fn start_into(command: &mut Command, log: &Path, output: &Path) -> Process {
        // also if nobody is left to drop it
        let mut wrapped = Command::new("setpriv");
        wrapped.args(["--pdeathsig", "KILL", "--"]).arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => wrapped.env(name, value),
                None => wrapped.env_remove(name),
            };
        }
        let child = wrapped
            .stdin(Stdio::null())
            .stdout(std::fs::File::create(output).unwrap())
            .stderr(std::fs::File::create(log).unwrap())
            .process_group(0)
            .spawn()
            .unwrap();
        Process(child)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let group = Pid::from_raw(i32::try_from(self.0.id()).unwrap());
        let _ = killpg(group, Signal::SIGKILL);
        let _ = self.0.wait();
    }
}
