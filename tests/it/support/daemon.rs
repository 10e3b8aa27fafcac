//! The daemon as a process of its own: the binary, a configuration, signals.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::postgres::Database;

/// `alt run` with a configuration in a directory of the test's.
pub(crate) struct Daemon {
    child: Child,
    config: PathBuf,
}

/// The binary under test.
pub(crate) fn alt() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_alt"));
    // Nothing of the machine's own configuration.
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("ALT_")) {
        command.env_remove(name);
    }
    command
}

/// The same as an account that owns nothing, where we are root; otherwise as ourselves.
pub(crate) fn alt_as_nobody(config: &Path) -> Command {
    if !nix::unistd::geteuid().is_root() {
        return alt();
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "--"]);
    // A copy, because the folder that it was built in may be closed to others; by another process, because one that is
    // started from here meanwhile would have it open to be written, and nobody could run it.
    let copy = config.with_file_name("alt-for-nobody");
    assert!(Command::new("cp").arg(env!("CARGO_BIN_EXE_alt")).arg(&copy).status().unwrap().success());
    command.arg(copy);
    command
}

/// Writes a configuration with these `[[source]]` tables (TOML) that loads into `database`; rotated files are
/// sealed after a second.
pub(crate) fn configuration(directory: &Path, database: &Database, sources: &str, load: &str) -> PathBuf {
    let path = directory.join("alt.toml");
    let text = format!(
        "{sources}\n[postgres]\nurl = \"{}\"\n[load]\nseal_after = \"1s\"\nlook_interval = \"100ms\"\n{load}\n\
         [admin]\nlisten = \"127.0.0.1:0\"\n",
        database.url
    );
    std::fs::write(&path, text).unwrap();
    path
}

impl Daemon {
    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The descriptors that it has open, below `/proc`.
    pub(crate) fn descriptors(&self) -> Vec<PathBuf> {
        let open = std::fs::read_dir(format!("/proc/{}/fd", self.pid())).into_iter().flatten().flatten();
        open.map(|entry| entry.path()).collect()
    }

    /// Starts `alt run`.
    pub(crate) fn start(config: &Path) -> Daemon {
        Daemon::run(config, alt())
    }

    /// Starts `alt run` in an environment of its own.
    pub(crate) fn start_with(config: &Path, prepare: impl FnOnce(&mut Command)) -> Daemon {
        let mut command = alt();
        prepare(&mut command);
        Daemon::run(config, command)
    }

    /// Starts `alt run` by another command, that is to become it.
    pub(crate) fn start_by(config: &Path, by: &[String], prepare: impl FnOnce(&mut Command)) -> Daemon {
        let alt = alt();
        let mut command = Command::new(&by[0]);
        command.args(&by[1..]).arg(alt.get_program());
        for (name, _) in alt.get_envs() {
            command.env_remove(name);
        }
        prepare(&mut command);
        Daemon::run(config, command)
    }

    /// Starts `alt run` as an account that owns nothing, where we are root; otherwise as ourselves.
    pub(crate) fn start_as_nobody(config: &Path) -> Daemon {
        Daemon::run(config, alt_as_nobody(config))
    }

    fn run(config: &Path, mut command: Command) -> Daemon {
        let log = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(config.with_extension("stderr"))
            .unwrap();
        let child = command
            .args(["run", "-v", "--config"])
            .arg(config)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        Daemon { child, config: config.to_owned() }
    }

    /// Sends a signal. If it is to stop, waits until each of its threads has.
    pub(crate) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(i32::try_from(self.pid()).unwrap()), signal).unwrap();
        let threads = format!("/proc/{}/task", self.pid());
        let stands = |thread: std::io::Result<std::fs::DirEntry>| {
            let stat = std::fs::read_to_string(thread.unwrap().path().join("stat")).unwrap_or_default();
            stat.rsplit(") ").next().is_none_or(|state| state.starts_with('T'))
        };
        if signal == Signal::SIGSTOP {
            let stand = || std::fs::read_dir(&threads).unwrap().all(stands);
            wait_for(20, stand, || format!("{threads} does not stand still"));
        }
    }

    /// How it ended, if it has ended by itself.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// As `kill -9` does; waits until it is gone.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGTERM; waits until it is gone.
    pub(crate) fn stop(mut self) -> ExitStatus {
        self.signal(Signal::SIGTERM);
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < deadline, "the daemon does not stop: {}", self.log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Everything it wrote to stderr, also before a restart.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.config.with_extension("stderr")).unwrap()
    }

    /// The address of its admin port. Waits until it listens.
    pub(crate) fn admin(&self) -> String {
        let mut address = None;
        let mut listens = || {
            address = self.said_address();
            address.is_some()
        };
        wait_for(10, &mut listens, || self.log());
        address.unwrap()
    }

    /// Where it said that it listens, or one that was started before.
    fn said_address(&self) -> Option<String> {
        let log = self.log();
        let said = log.lines().rev().find(|line| line.contains("answering /healthz"))?;
        Some(said.split("address=").nth(1)?.trim().to_owned())
    }

    /// Asks its admin port: status, and the body. Waits until it has started.
    pub(crate) fn ask(&self, path: &str) -> (u16, String) {
        let address = self.admin();
        let ask = || http(&address, &get(path));
        let mut answer = (0, String::new());
        let mut has_started = || {
            answer = ask();
            answer.1 != "starting\n"
        };
        wait_for(10, &mut has_started, || self.log());
        answer
    }

    /// Asks its admin port, if it listens already; the answer may be that of one that was started before.
    pub(crate) fn try_ask(&self, path: &str) -> Option<String> {
        exchange(&self.said_address()?, &get(path)).ok()
    }

    /// A sample of its `/metrics`, by name and labels; 0 where there is none.
    pub(crate) fn metric(&self, sample: &str) -> f64 {
        let (status, page) = self.ask("/metrics");
        assert_eq!(status, 200, "{page}");
        sample_of(&page, sample).unwrap_or(0.0)
    }

    /// How many files it may have open from now on.
    pub(crate) fn limit_files(&self, count: u32) {
        let pid = self.pid().to_string();
        let limit = format!("--nofile={count}:{count}");
        assert!(Command::new("prlimit").args(["--pid", &pid, &limit]).status().unwrap().success());
    }

    /// Its greatest resident memory so far, KiB.
    pub(crate) fn peak_rss_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = status.lines().find(|l| l.starts_with("VmHWM:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n")
}

/// Sends a request as it is written; all that is answered.
fn exchange(address: &str, request: &str) -> std::io::Result<String> {
    let mut connection = TcpStream::connect(address)?;
    connection.set_read_timeout(Some(Duration::from_secs(30)))?;
    connection.write_all(request.as_bytes())?;
    let mut answer = String::new();
    connection.read_to_string(&mut answer)?;
    Ok(answer)
}

/// Sends a request as it is written; status, and the body.
pub(crate) fn http(address: &str, request: &str) -> (u16, String) {
    let answer = exchange(address, request).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    (status.unwrap_or_else(|| panic!("no status: {answer}")), body.to_owned())
}

/// Writes a file with a key that seals secrets beside a configuration; returns the line of `[web]` that names it.
pub(crate) fn key_file(config: &Path) -> String {
    let file = config.with_file_name("web_key");
    std::fs::write(&file, format!("{KEY_OF_SECRETS}\n")).unwrap();
    format!("key_file = \"{}\"", file.display())
}

/// A key that seals secrets: 32 bytes as Base64.
pub(crate) const KEY_OF_SECRETS: &str = "MTIzNDU2NzgxMjM0NTY3ODEyMzQ1Njc4MTIzNDU2Nzg=";

/// The value of a sample on a page of metrics.
pub(crate) fn sample_of(page: &str, sample: &str) -> Option<f64> {
    let line = page.lines().find_map(|line| line.strip_prefix(sample)?.strip_prefix(' '));
    line.map(|value| value.parse().unwrap())
}

/// How long something may take that takes so many seconds at most on a machine with nothing else to do: longer where
/// more processes want to run than there are processors. For what would otherwise hang, or take very much longer.
pub(crate) fn patience(seconds: u64) -> Duration {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = text.split(' ').next().and_then(|load| load.parse::<f64>().ok()).unwrap_or_default();
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let times = (load / processors as f64).clamp(1.0, 15.0);
    Duration::from_secs(seconds).mul_f64(times)
}

/// Waits for the next day (UTC) if this one ends within two minutes: what was counted before would be compared with what
/// is shown after.
pub(crate) fn within_a_day() {
    const DAY: u64 = 86_400;
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let left = DAY - now % DAY;
    if left < 120 {
        std::thread::sleep(Duration::from_secs(left + 1));
    }
}

/// Waits until `ready` says so; fails after `seconds`, or later under load ([`patience`]), with what `otherwise` tells.
pub(crate) fn wait_for(seconds: u64, mut ready: impl FnMut() -> bool, otherwise: impl FnOnce() -> String) {
    let started = Instant::now();
    while !ready() {
        let waited = started.elapsed();
        let is_over = waited >= Duration::from_secs(seconds) && waited >= patience(seconds);
        assert!(!is_over, "waited {waited:?} in vain: {}", otherwise());
        std::thread::sleep(Duration::from_millis(20));
    }
}
