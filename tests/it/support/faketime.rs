//! A clock that steps when a test says so, for the processes that it is shown to, by libfaketime. What cannot be set on a
//! real machine, `CLOCK_MONOTONIC` and `CLOCK_BOOTTIME`, goes on as it is.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

use super::not_looked_at;

/// How far a clock is off, in a file that the processes read at each look at the time.
pub(crate) struct Clock {
    directory: tempfile::TempDir,
    library: PathBuf,
}

impl Clock {
    /// A clock that is right; `None` where there is no libfaketime, and then it says what was not looked at.
    pub(crate) fn new(what: &str) -> Option<Clock> {
        let Some(library) = glob::glob("/usr/lib/*/faketime/libfaketime.so.1").unwrap().flatten().next()
        else {
            not_looked_at(&format!("{what}: libfaketime is not installed"));
            return None;
        };
        let directory = super::place::place("alt-clock-");
        // The server's account reads it, too.
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let clock = Clock { directory, library };
        clock.set("+0");
        Some(clock)
    }

    /// Steps to so much beyond the true time: `+3600s`.
    pub(crate) fn set(&self, offset: &str) {
        let new = self.directory.path().join("new");
        fs::write(&new, offset).unwrap();
        fs::rename(new, self.file()).unwrap();
    }

    fn file(&self) -> PathBuf {
        self.directory.path().join("clock")
    }

    /// Lets a process that is to be started go by it.
    pub(crate) fn show(&self, command: &mut Command) {
        for (name, value) in self.variables() {
            command.env(name, value);
        }
    }

    /// What starts a PostgreSQL that goes by it. Only what runs as the server's account may see the library: root would leave
    /// behind what that account may not open.
    pub(crate) fn starts_server(&self) -> Vec<String> {
        let variables: Vec<String> =
            self.variables().iter().map(|(name, value)| format!("{name}={value}")).collect();
        let script = format!(
            r#"for word do
                shift
                case $word in */pg_ctl) set -- "$@" env {} "$word" ;; *) set -- "$@" "$word" ;; esac
            done
            exec "$@""#,
            variables.join(" ")
        );
        ["sh", "-c", &script, "sh"].map(str::to_owned).to_vec()
    }

    fn variables(&self) -> [(&'static str, String); 4] {
        [
            ("LD_PRELOAD", self.library.display().to_string()),
            ("FAKETIME_TIMESTAMP_FILE", self.file().display().to_string()),
            ("FAKETIME_NO_CACHE", "1".to_owned()),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
        ]
    }
}
