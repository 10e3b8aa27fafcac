//! A throwaway Prometheus with the shipped configuration, at a quicker pace.

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use super::daemon::wait_for;

/// Two scrapes a second. The interval is the timeout of a scrape too, so it must not be shorter than an answer may take on
/// a machine that does other things.
const SCRAPE: &str = "500ms";

/// How often the rules are evaluated.
const EVALUATION: &str = "250ms";

/// A running Prometheus; dropped, it is killed and its directory removed.
pub(crate) struct Prometheus {
    child: Child,
    port: u16,
    directory: tempfile::TempDir,
}

/// A port that was free a moment ago.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A shipped file.
pub(crate) fn monitoring(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("monitoring").join(name)
}

/// Replaces what stands in a text exactly once.
pub(crate) fn replace_once(text: &str, from: &str, to: &str) -> String {
    assert_eq!(text.matches(from).count(), 1, "{from:?} is not there once");
    text.replace(from, to)
}

impl Prometheus {
    /// Scrapes the admin port of a daemon, and evaluates these rules.
    pub(crate) fn start(admin: u16, rules: &str) -> Prometheus {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("alerts.yml"), rules).unwrap();
        let port = free_port();
        let log = std::fs::File::create(directory.path().join("log")).unwrap();
        let shipped = std::fs::read_to_string(monitoring("prometheus.yml")).unwrap();
        let text = replace_once(&shipped, "scrape_interval: 15s", &format!("scrape_interval: {SCRAPE}"));
        let text =
            replace_once(&text, "evaluation_interval: 15s", &format!("evaluation_interval: {EVALUATION}"));
        let text = replace_once(
            &text,
            "targets: [\"127.0.0.1:9187\"]",
            &format!("targets: [\"127.0.0.1:{admin}\"]"),
        );
        std::fs::write(directory.path().join("prometheus.yml"), text).unwrap();
        let child = Command::new("prometheus")
            .arg(format!("--config.file={}/prometheus.yml", directory.path().display()))
            .arg(format!("--storage.tsdb.path={}/data", directory.path().display()))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .args(["--log.level=warn", "--query.lookback-delta=3s"])
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .expect("prometheus is installed (scripts/test installs it)");
        let prometheus = Prometheus { child, port, directory };
        let up = || !prometheus.query(&format!("up{{instance=\"127.0.0.1:{admin}\"}} == 1")).is_empty();
        wait_for(30, up, || prometheus.log());
        prometheus
    }

    /// What it wrote to its log.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("log")).unwrap()
    }

    /// Forgets its targets, as if somebody had taken the job out.
    pub(crate) fn forget_targets(&self) {
        let path = self.directory.path().join("prometheus.yml");
        let text = std::fs::read_to_string(&path).unwrap();
        let begin = text.find("      - targets:").unwrap();
        let end = begin + text[begin..].find('\n').unwrap();
        std::fs::write(&path, format!("{}      []{}", &text[..begin], &text[end..])).unwrap();
        kill(Pid::from_raw(i32::try_from(self.child.id()).unwrap()), Signal::SIGHUP).unwrap();
    }

    /// The answer of its API; `None` while it does not answer.
    pub(crate) fn get(&self, path: &str, parameters: &[(&str, &str)]) -> Option<Value> {
        let mut curl = Command::new("curl");
        curl.args([
            "-sS",
            "--max-time",
            "20",
            "--get",
            &format!("http://127.0.0.1:{}/api/v1/{path}", self.port),
        ]);
        for (name, value) in parameters {
            curl.args(["--data-urlencode", &format!("{name}={value}")]);
        }
        let output = curl.output().unwrap();
        output.status.success().then(|| serde_json::from_slice(&output.stdout).ok())?
    }

    /// The result of a query now, or from a while ago to now.
    fn result(&self, path: &str, parameters: &[(&str, &str)]) -> Vec<Value> {
        let Some(answer) = self.get(path, parameters) else { return Vec::new() };
        if answer["errorType"] == "unavailable" {
            return Vec::new();
        }
        let well = answer["status"] == "success" && answer.get("warnings").is_none();
        assert!(well, "{parameters:?}: {answer}");
        answer["data"]["result"].as_array().unwrap().clone()
    }

    /// The series of a query now: each has `metric` and `value`.
    pub(crate) fn query(&self, query: &str) -> Vec<Value> {
        self.result("query", &[("query", query)])
    }

    /// The series of a query over the last seconds: each has `metric` and `values`.
    pub(crate) fn range(&self, query: &str, seconds: u64) -> Vec<Value> {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
        let (start, end) = ((now - seconds).to_string(), now.to_string());
        self.result("query_range", &[("query", query), ("start", &start), ("end", &end), ("step", "1")])
    }

    /// The names of the alerts that fire.
    pub(crate) fn firing(&self) -> BTreeSet<String> {
        let answer = self.get("alerts", &[]).expect("it answers");
        let alerts = answer["data"]["alerts"].as_array().unwrap();
        let firing = alerts.iter().filter(|alert| alert["state"] == "firing");
        firing.map(|alert| alert["labels"]["alertname"].as_str().unwrap().to_owned()).collect()
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
