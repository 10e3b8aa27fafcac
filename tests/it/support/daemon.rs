//! The daemon as a process of its own: the binary, a configuration, signals.

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
    // A copy, because the folder that it was built in may be closed to others.
    let copy = config.with_file_name("alt-for-nobody");
    std::fs::copy(env!("CARGO_BIN_EXE_alt"), &copy).unwrap();
    command.arg(copy);
    command
}

/// Writes a configuration with these `[[source]]` tables (TOML) that loads into `database`; rotated files are
/// sealed after a second.
pub(crate) fn configuration(directory: &Path, database: &Database, sources: &str, load: &str) -> PathBuf {
    let path = directory.join("alt.toml");
    let text = format!(
        "{sources}\n[postgres]\nurl = \"{}\"\n[load]\nseal_after = \"1s\"\nlook_interval = \"100ms\"\n{load}\n",
        database.url
    );
    std::fs::write(&path, text).unwrap();
    path
}

impl Daemon {
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

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(i32::try_from(self.child.id()).unwrap()), signal).unwrap();
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

    /// Its greatest resident memory so far, KiB.
    pub(crate) fn peak_rss_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
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

/// Waits until `ready` says so; fails after `seconds` with what `otherwise` tells.
pub(crate) fn wait_for(seconds: u64, mut ready: impl FnMut() -> bool, otherwise: impl FnOnce() -> String) {
    let deadline = Instant::now() + Duration::from_secs(seconds);
    while !ready() {
        assert!(Instant::now() < deadline, "waited {seconds} s in vain: {}", otherwise());
        std::thread::sleep(Duration::from_millis(20));
    }
}
