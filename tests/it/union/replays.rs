//! `alt replay` in a [`World`]: several at a time, what happens to them meanwhile, and their accounts.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use super::case::{Disturbance, How, Lines, Pick, Run, Step};
use super::oracle::{APPS, FIRST, OWNER};
use super::world::{PATIENCE, World};
use crate::support::cases::Wrong;
use crate::support::daemon::alt;

impl World<'_> {
    /// `alt replay` of something; `None` where there is nothing to replay.
    fn command(&mut self, run: &Run) -> Option<Command> {
        let mut command = alt();
        command
            .args(["replay", "--json", "--config"])
            .arg(&self.config)
            .args(["--jobs", &run.jobs.to_string()]);
        match run.how {
            How::News => {}
            How::Again => _ = command.arg("--again"),
            How::Dry => _ = command.arg("--dry-run"),
            How::OnlyApp(app) => _ = command.args(["--only-app", APPS[usize::from(app) % 3]]),
            How::Match(digit) => _ = command.args(["--match", &format!("{}", digit % 10)]),
            How::Time(hours, then) => {
                let at = jiff::Timestamp::from_second(FIRST / 1000 + i64::from(hours) * 3600).unwrap();
                command.args([if then { "--since" } else { "--until" }, &at.to_string()]);
            }
        }
        // Rows come that no checkpoint speaks of.
        self.special |= !matches!(run.how, How::News | How::Dry);
        if self.lines != Lines::Alt1 {
            command.args(["--format", "combined", "--app", OWNER.0, "--label", OWNER.1]);
        }
        command.env("ALT_LOAD_HOST", format!("host-{}", run.host)).current_dir(self.directory.path());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        match &run.what {
            Pick::All => command.args(["in", "live"]),
            // A pattern that matches no file is an error.
            Pick::Pattern if self.files.is_empty() => return None,
            Pick::Pattern => command.arg("in/*"),
            Pick::These(which) => {
                let paths: BTreeSet<_> =
                    which.iter().filter_map(|n| self.index(*n)).map(|i| self.files[i].path.clone()).collect();
                if paths.is_empty() {
                    return None;
                }
                command.args(paths)
            }
            Pick::Stdin(which) => {
                let index = self.index(*which)?;
                if !self.files[index].whole {
                    return None;
                }
                let content = self.files[index].content.clone();
                self.remember(PathBuf::from("-"), &content);
                command.arg("-").stdin(File::open(&self.files[index].path).unwrap())
            }
            Pick::Newest => command.arg(&self.files.last()?.path),
            Pick::Live => command.arg("live"),
        };
        Some(command)
    }

    /// Replays at the same time, and what happens to them. Those to which nothing happened have to end well.
    pub(super) fn replays(&mut self, runs: &[Run], disturbances: &[Disturbance]) -> Result<(), Wrong> {
        let started = Instant::now();
        let mut children: Vec<Option<Child>> =
            runs.iter().map(|run| self.command(run).map(|mut command| command.spawn().unwrap())).collect();
        let mut hurt = vec![false; runs.len()];
        let mut due: Vec<(u64, Happening<'_>)> = Vec::new();
        for disturbance in disturbances {
            let which = |run: u8| usize::from(run) % runs.len();
            match disturbance {
                Disturbance::Kill(run, at) => {
                    due.push(((*at).into(), Happening::Signal(which(*run), Signal::SIGKILL)));
                }
                Disturbance::Terminate(run, at) => {
                    due.push(((*at).into(), Happening::Signal(which(*run), Signal::SIGTERM)));
                }
                Disturbance::Pause(run, at, time) => {
                    due.push(((*at).into(), Happening::Signal(which(*run), Signal::SIGSTOP)));
                    let until = u64::from(*at) + u64::from(*time);
                    due.push((until, Happening::Signal(which(*run), Signal::SIGCONT)));
                }
                Disturbance::Sessions(at) => due.push(((*at).into(), Happening::Sessions)),
                Disturbance::Meanwhile(at, step) => due.push(((*at).into(), Happening::Step(step))),
            }
        }
        due.sort_by_key(|(at, _)| *at);
        let mut changed = false;
        for (at, what) in due {
            std::thread::sleep(Duration::from_millis(at).saturating_sub(started.elapsed()));
            match what {
                Happening::Signal(run, signal) => {
                    hurt[run] |= matches!(signal, Signal::SIGKILL | Signal::SIGTERM);
                    if let Some(child) = &children[run] {
                        // It is no zombie's number yet: nobody has waited for it.
                        let _ = kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), signal);
                    }
                }
                Happening::Sessions => {
                    hurt.fill(true);
                    self.ground.rows(
                        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                         WHERE datname = current_database() AND application_name LIKE 'alt%'",
                    );
                }
                Happening::Step(step) => {
                    (changed, self.replaying) = (true, true);
                    let done = self.step(step);
                    self.replaying = false;
                    done?;
                }
            }
        }
        for (run, (child, hurt)) in children.iter_mut().zip(hurt).enumerate() {
            let Some(child) = child else { continue };
            let said = ended(child)?;
            if hurt {
                self.added = None;
            } else {
                self.look_at(&runs[run], &said, changed)?;
            }
        }
        Ok(())
    }

    /// An account of a replay that nobody disturbed.
    fn look_at(&mut self, run: &Run, said: &Said, changed: bool) -> Result<(), Wrong> {
        if changed && said.out.is_empty() {
            // What it was to read had gone when it looked.
            return Ok(());
        }
        let account: Value =
            serde_json::from_str(&said.out).map_err(|e| format!("{run:?}: {e}: {said:?}"))?;
        let n = |name: &str| account[name].as_u64().unwrap();
        let sum = |name: &str| {
            account[name].as_object().unwrap().values().map(|n| n.as_u64().unwrap()).sum::<u64>()
        };
        if n("lines") != n("rows") + sum("non_hits") + sum("rejects") + n("already_loaded") + n("filtered") {
            return Err(format!("{run:?}: the account does not balance: {account}"));
        }
        if let Some(added) = &mut self.added
            && run.how != How::Dry
        {
            *added += n("rows");
        }
        let partly = changed || self.files.iter().any(|f| !f.whole);
        let failed = account["files_failed"].as_object().unwrap().len();
        let waiting = ["files_not_ended", "files_shorter_than_loaded"]
            .map(|name| account[name].as_array().unwrap().len());
        let well = match (failed, waiting.iter().sum::<usize>()) {
            (0, 0) => said.code == Some(0),
            (0, _) => said.code == Some(1),
            (_, _) => said.code == Some(1) && partly,
        };
        let files = n("files_loaded") + n("files_loaded_before") + n("files_empty");
        let all = n("files") == files + (failed + waiting.iter().sum::<usize>()) as u64;
        if !well || !(all || changed) {
            return Err(format!("{run:?}: {said:?}"));
        }
        Ok(())
    }

    /// Registers the application that nobody knew, and looks at rejects again.
    pub(super) fn register(&mut self) -> Result<(), Wrong> {
        if self.oracle.registered {
            return Ok(());
        }
        (self.oracle.registered, self.special, self.added) = (true, true, None);
        let app = APPS[3];
        let waiting =
            "SELECT coalesce(sum(r.lines), 0) FROM rejected_lines r JOIN checkpoints USING (file_id)";
        let before = self.ground.rows(waiting);
        self.ground.rows(&format!("INSERT INTO applications (app_key, name) VALUES ('{app}', '{app}')"));
        let mut command = alt();
        command.args(["rejects", "retry", "--json", "--config"]).arg(&self.config);
        command.env("ALT_LOAD_HOST", "host-0").current_dir(self.directory.path());
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let said = ended(&mut child)?;
        let account: Value = serde_json::from_str(&said.out).map_err(|e| format!("retry: {e}: {said:?}"))?;
        let n = |name: &str| account[name].as_u64().unwrap();
        let still =
            account["still_rejects"].as_object().unwrap().values().map(|n| n.as_u64().unwrap()).sum::<u64>();
        // Files that changed since are not here any more; what a replay looks at meanwhile is in its own account.
        let all = self.replaying || n("rejects").to_string() == before[0][0];
        if !all || n("rejects") != n("rows") + n("already_loaded") + n("non_hits") + still + n("left") {
            return Err(format!("retry of {before:?}: {account}"));
        }
        Ok(())
    }

    /// Replays everything; all is whole and old. Returns lines and rows of the account.
    pub(super) fn replay_all(&mut self, how: How, jobs: u8) -> Result<(u64, u64), Wrong> {
        let run = Run { what: Pick::All, how, jobs, host: 0 };
        let mut child = self.command(&run).unwrap().spawn().unwrap();
        let said = ended(&mut child)?;
        self.look_at(&run, &said, false)?;
        if said.code != Some(0) {
            return Err(format!("the last replay of everything: {said:?}"));
        }
        let account: Value = serde_json::from_str(&said.out).unwrap();
        Ok((account["lines"].as_u64().unwrap(), account["rows"].as_u64().unwrap()))
    }
}

enum Happening<'a> {
    Signal(usize, Signal),
    Sessions,
    Step(&'a Step),
}

/// How a command ended.
#[derive(Debug)]
struct Said {
    code: Option<i32>,
    out: String,
    #[allow(dead_code)] // shown
    err: String,
}

fn ended(child: &mut Child) -> Result<Said, Wrong> {
    use std::io::Read;
    let deadline = Instant::now() + PATIENCE;
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if Instant::now() > deadline {
            child.kill().unwrap();
            child.wait().unwrap();
            return Err(format!("a replay had no end after {PATIENCE:?}"));
        }
        std::thread::sleep(Duration::from_millis(2));
    };
    let (mut out, mut err) = (String::new(), String::new());
    child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
    child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
    Ok(Said { code: status.code(), out, err })
}
