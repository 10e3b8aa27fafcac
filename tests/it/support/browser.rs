//! A real browser, with a profile of its own, that knows only hosts of the test's.

use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tempfile::TempDir;

use super::daemon::wait_for;
use super::not_looked_at;

/// Chromium, showing one page; dropped, it is killed and its profile removed.
pub(crate) struct Browser {
    child: Child,
    profile: TempDir,
}

impl Browser {
    /// Opens `url`. All hosts named so are `port` of 127.0.0.1 whatever port is asked for, with any
    /// certificate; there are no others.
    pub(crate) fn open(url: &str, hosts: &[&str], port: u16) -> Browser {
        let mut rules: Vec<String> =
            hosts.iter().map(|host| format!("MAP {host} 127.0.0.1:{port}")).collect();
        rules.push("MAP * ^NOTFOUND".into());
        let rules = format!("--host-resolver-rules={}", rules.join(","));
        Browser::start(None, &[&rules, "--headless=new", "--disable-gpu", url])
    }

    /// Opens an empty page on a display, to be driven from outside. Of hosts, it knows those below `localhost`.
    pub(crate) fn driven(display: &str) -> Browser {
        let rules = "--host-resolver-rules=MAP *.localhost 127.0.0.1,EXCLUDE 127.0.0.1,MAP * ^NOTFOUND";
        Browser::start(
            Some(display),
            &[rules, "--remote-debugging-port=0", "--disable-gpu", "--ozone-platform=x11", "about:blank"],
        )
    }

    /// Shows `url` for some seconds; what the browser did meanwhile, as `chrome://tracing` reads it. Of hosts, it
    /// knows those below `localhost`.
    pub(crate) fn trace(url: &str, seconds: u32) -> serde_json::Value {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("trace.json");
        let rules = "--host-resolver-rules=MAP *.localhost 127.0.0.1,EXCLUDE 127.0.0.1,MAP * ^NOTFOUND";
        let browser = Browser::start(
            None,
            &[
                rules,
                "--headless=new",
                "--disable-gpu",
                "--trace-startup=devtools.timeline",
                "--trace-startup-format=json",
                &format!("--trace-startup-duration={seconds}"),
                &format!("--trace-startup-file={}", file.display()),
                url,
            ],
        );
        let read = || serde_json::from_slice(&std::fs::read(&file).ok()?).ok();
        let mut trace = None;
        let mut is_there = || {
            trace = read();
            trace.is_some()
        };
        wait_for(u64::from(seconds) + 60, &mut is_there, || browser.log());
        trace.unwrap()
    }

    fn start(display: Option<&str>, args: &[&str]) -> Browser {
        let profile = tempfile::tempdir().unwrap();
        let log = std::fs::File::create(profile.path().join("stderr")).unwrap();
        let child = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "--", program().unwrap()]) // also if nobody is left to drop it
            .args(["--no-first-run", "--disable-dev-shm-usage"])
            .arg("--no-sandbox") // it refuses to run as root with one; the page is our own
            .args(["--disable-background-networking", "--disable-component-update", "--disable-sync"])
            .args(["--disable-crash-reporter", "--enable-logging=stderr"])
            .args(["--no-proxy-server", "--disable-quic", "--disable-features=HttpsUpgrades"])
            .arg("--ignore-certificate-errors")
            .arg(format!("--user-data-dir={}", profile.path().join("profile").display()))
            .args(args)
            .envs(display.map(|display| ("DISPLAY", display)))
            .env("HOME", profile.path())
            .env("TMPDIR", profile.path())
            .env_remove("XDG_CONFIG_HOME")
            .env_remove("XDG_CACHE_HOME")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .process_group(0) // it is many processes
            .spawn()
            .unwrap();
        Browser { child, profile }
    }

    /// Where a driver finds it. Waits until it listens.
    pub(crate) fn debugger(&self) -> String {
        let told = self.profile.path().join("profile/DevToolsActivePort");
        let port = || std::fs::read_to_string(&told).ok()?.lines().next()?.parse::<u16>().ok();
        wait_for(60, || port().is_some(), || self.log());
        format!("127.0.0.1:{}", port().unwrap())
    }

    /// What it and the page wrote, for a failed test; without its complaints about a desktop.
    pub(crate) fn log(&self) -> String {
        let log = std::fs::read(self.profile.path().join("stderr")).unwrap();
        let log = String::from_utf8_lossy(&log);
        log.split_inclusive('\n').filter(|line| !line.contains("dbus")).collect()
    }
}

/// The document that a browser makes of a file, and what it complained about.
pub(crate) fn dom(file: &std::path::Path) -> (String, String) {
    let profile = tempfile::tempdir().unwrap();
    let output = Command::new(program().unwrap())
        .args([
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--no-first-run",
        ])
        .args(["--host-resolver-rules=MAP * ^NOTFOUND", "--enable-logging=stderr", "--dump-dom"])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .arg(format!("file://{}", file.display()))
        .env("HOME", profile.path())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stdout), text(&output.stderr))
}

impl Drop for Browser {
    fn drop(&mut self) {
        let group = Pid::from_raw(i32::try_from(self.child.id()).unwrap());
        let _ = killpg(group, Signal::SIGKILL);
        let _ = self.child.wait();
    }
}

/// Whether there is a browser. Only Ubuntu may be without, as its package is of no use here.
pub(crate) fn is_here() -> bool {
    if program().is_some() {
        return true;
    }
    let system = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
    let ubuntu = system.lines().any(|line| line == "ID=ubuntu");
    assert!(ubuntu, "no browser here: install Debian's package chromium (scripts/test does)");
    not_looked_at(
        "what a browser sends (Ubuntu's Chromium is a snap and of no use here: install Google Chrome)",
    );
    false
}

/// Chromium or Chrome, by one of the names that distributions give them.
fn program() -> Option<&'static str> {
    // Ubuntu's packages only lead to a snap, which does not see our directories.
    let usable = |name: &&str| {
        Command::new(name).arg("--version").output().is_ok_and(|output| {
            let said = String::from_utf8_lossy(&output.stdout);
            output.status.success() && said.contains("Chrom") && !said.contains("snap")
        })
    };
    let names = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
    names.into_iter().find(usable)
}
