//! A line that ends the daemon: after two ends it is set aside, and all others are loaded, once each.
//!
//! The test is the service manager: it starts the daemon again, and runs what `systemd/alt.service` says is to be run after
//! every end, with what systemd says in the environment then.

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::kill::{full, random};
use crate::replay::pack;
use crate::support::bench::{Bench, UNBALANCED};
use crate::support::daemon::{Daemon, alt, patience, wait_for};
use crate::support::each;
use crate::support::lines::many;
use crate::support::postgres::Database;

/// A daemon that is started again whenever it ends.
struct Supervised {
    bench: Bench,
    faults: String,
    /// The longest that a reader may stand still, milliseconds.
    still: Option<u32>,
    /// Where the daemon says that it is alive, if a watchdog listens.
    watchdog: Option<UnixDatagram>,
    ends: Vec<ExitStatus>,
}

const ONE: &str = "[[source]]\npaths = [\"DIR/beacon.log\"]";

impl Supervised {
    fn new(sources: &str, faults: &str) -> Supervised {
        let bench = Bench::not_started(sources, Database::create());
        fs::create_dir(bench.path("state")).unwrap();
        Supervised { bench, faults: faults.to_owned(), still: None, watchdog: None, ends: Vec::new() }
    }

    fn start(&mut self) {
        let (state, socket) = (self.bench.path("state"), self.bench.path("notify"));
        // As systemd does it: the watchdog's variables are those of one process.
        let by = ["sh", "-c", "export WATCHDOG_PID=$$; exec \"$0\" \"$@\""].map(str::to_owned);
        let daemon = Daemon::start_by(&self.bench.config, &by, |command| {
            command.env("STATE_DIRECTORY", state).env("ALT_FAULT_LINE", &self.faults);
            if let Some(still) = self.still {
                command.env("ALT_FAULT_STILL", still.to_string());
            }
            if self.watchdog.is_some() {
                command.env("NOTIFY_SOCKET", &socket).env("WATCHDOG_USEC", "3000000");
            }
        });
        self.bench.daemon = Some(daemon);
    }

    /// What systemd does after an end.
    fn after(&mut self, status: ExitStatus, by_watchdog: bool) {
        let unit = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/systemd/alt.service")).unwrap();
        let line = unit.lines().find_map(|line| line.strip_prefix("ExecStopPost=-")).unwrap();
        let mut words = line.split_whitespace();
        assert_eq!(words.next(), Some("/usr/bin/alt"));
        let signal = status.signal().map(|signal| Signal::try_from(signal).unwrap().as_str()[3..].to_owned());
        let (result, code) = match (&signal, status.code()) {
            (Some(_), _) if by_watchdog => ("watchdog", "killed"),
            (Some(_), _) => ("signal", "killed"),
            (None, Some(0)) => ("success", "exited"),
            (None, _) => ("exit-code", "exited"),
        };
        let mut command = alt();
        command.args(words).env("STATE_DIRECTORY", self.bench.path("state"));
        command.env("SERVICE_RESULT", result).env("EXIT_CODE", code);
        command.env("EXIT_STATUS", signal.unwrap_or_else(|| status.code().unwrap().to_string()));
        assert!(command.status().unwrap().success());
        self.ends.push(status);
    }

    /// Starts it again if it has ended.
    fn tend(&mut self) {
        if self.bench.daemon.is_none() {
            self.start();
        }
        if let Some(status) = self.bench.daemon.as_mut().unwrap().ended() {
            self.after(status, false);
            self.start();
        }
    }

    /// Starts it again and again until so many lines are accounted for.
    fn until(&mut self, lines: usize) {
        let deadline = Instant::now() + Duration::from_secs(120);
        self.tend();
        while self.accounted() < lines {
            assert!(Instant::now() < deadline, "{:?}\n{}", self.ends, self.bench.state());
            self.tend();
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn accounted(&self) -> usize {
        self.bench.database.psql("SELECT coalesce(sum(lines), 0) FROM checkpoints").parse().unwrap()
    }

    /// Every line is a row, once, but for those that are set aside: file, offset and bytes.
    fn check(&self, rows: usize, aside: &[(&str, usize, usize)]) {
        let count = self.bench.database.psql("SELECT count(*), count(DISTINCT event_id) FROM access_logs");
        assert_eq!(count, format!("{rows}|{rows}"), "{}", self.bench.state());
        assert_eq!(self.bench.database.psql(UNBALANCED), "");
        let rejects = self.bench.database.psql(
            "SELECT regexp_replace(f.path, '.*/', ''), r.file_offset, r.bytes, r.reason, r.lines \
             FROM rejected_lines r JOIN log_files f ON f.id = r.file_id ORDER BY 1, 2",
        );
        let expected = aside.iter().map(|(file, at, bytes)| format!("{file}|{at}|{bytes}|poison|1"));
        assert_eq!(rejects, expected.collect::<Vec<_>>().join("\n"), "{}", self.bench.state());
    }

    fn alt(&self, args: &[&str]) -> (bool, String) {
        let mut command = alt();
        command.args(args).arg("--config").arg(&self.bench.config).stdin(Stdio::null());
        let output = command.output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8_lossy(&said).into_owned())
    }
}

/// Waits until a daemon has ended.
fn end_of(daemon: &mut Daemon) -> ExitStatus {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        if let Some(status) = daemon.ended() {
            return status;
        }
        assert!(Instant::now() < deadline, "it does not end: {}", daemon.log());
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A hit that a fault's marker stands in.
fn marked(marker: &str) -> String {
    many(1).replace("&sw=1920", &format!("&p.marker={marker}"))
}

#[test]
fn a_line_that_ends_the_daemon_is_set_aside_after_two_ends() {
    each(2, ["panic", "abort", "segv", "spin"], |what| {
        let mut it = Supervised::new(ONE, &format!("{what}:EVIL"));
        it.still = (what == "spin").then_some(3000);
        let (before, line) = (many(150), marked("EVIL"));
        let text = format!("{before}{line}{}", many(150));
        it.bench.append_text("beacon.log", &text, 300);
        it.until(301);
        it.check(300, &[("beacon.log", before.len(), line.len())]);
        assert_eq!(it.ends.len(), 2, "{what}: {:?}", it.ends);
        let is_by_signal = it.ends.iter().all(|end| end.signal().is_some());
        assert_eq!(is_by_signal, matches!(what, "abort" | "segv"), "{what}: {:?}", it.ends);
        // It goes on as ever, and many lines make few transactions.
        let passed = || it.bench.daemon.as_ref().unwrap().log().contains("several lines at once again");
        wait_for(30, passed, || it.bench.state());
        let daemon = it.bench.daemon.as_ref().unwrap();
        let before_more = daemon.metric("alt_commit_seconds_count");
        it.bench.append_text("beacon.log", &many(500), 500);
        it.until(801);
        let daemon = it.bench.daemon.as_ref().unwrap();
        assert!(daemon.metric("alt_commit_seconds_count") - before_more < 100.0);
        assert_eq!(daemon.metric("alt_lines_rejected_total{reason=\"poison\"}"), 1.0);
        let said = format!("offset={}", before.len());
        assert!(daemon.log().lines().any(|l| l.contains("ended the daemon twice") && l.contains(&said)));
        let (well, said) = it.alt(&["check"]);
        assert!(
            !well && said.contains("beacon.log") && said.contains("alt rejects retry --reason poison"),
            "{said}"
        );
        // Whoever looks at rejects is not ended by it, unless that is what is asked for.
        assert_eq!(it.alt(&["rejects", "retry"]), (true, "no such rejects\n".to_owned()));
        let (well, said) = it.alt(&["rejects", "retry", "--reason", "poison"]);
        assert!(well && said.contains("rows            1"), "{said}");
        it.check(801, &[]);
        assert_eq!(it.bench.database.psql("SELECT count(*) FROM suspects WHERE deaths > 1"), "0");
    });
}

#[test]
fn several_such_lines_in_a_file_and_in_several_are_each_set_aside() {
    let sources = format!("{ONE}\n{}", ONE.replace("beacon", "other"));
    let mut it = Supervised::new(&sources, "abort:EVIL,panic:WORSE");
    let (a, b, evil, worse) = (many(40), many(30), marked("EVIL"), marked("WORSE"));
    it.bench.append_text("beacon.log", &format!("{a}{evil}{b}{worse}{}", many(40)), 110);
    it.bench.append_text("other.log", &format!("{b}{worse}{a}"), 0);
    it.until(112 + 71);
    // The lines of one stand in the other, too: each is a row there or here.
    let second = a.len() + evil.len() + b.len();
    let rejects = it.bench.database.psql(
        "SELECT regexp_replace(f.path, '.*/', ''), r.file_offset FROM rejected_lines r \
         JOIN log_files f ON f.id = r.file_id WHERE reason = 'poison' ORDER BY 1, 2",
    );
    let expected = format!("beacon.log|{}\nbeacon.log|{second}\nother.log|{}", a.len(), b.len());
    assert_eq!(rejects, expected, "{}", it.bench.state());
    assert_eq!(it.bench.database.psql(UNBALANCED), "");
    // Each twice, and no more than that.
    assert!(it.ends.len() <= 6, "{:?}", it.ends);
    it.bench.stop();
}

#[test]
fn ends_that_are_not_its_own_set_nothing_aside() {
    let mut random = random();
    let mut it = Supervised::new(ONE, "abort:EVIL");
    // So that it is killed while it looks at lines one by one, too.
    let (before, line) = (many(400), marked("EVIL"));
    it.bench.append_text("beacon.log", &format!("{before}{line}"), 400);
    it.start();
    let status = end_of(it.bench.daemon.as_mut().unwrap());
    it.after(status, false);
    // Without the fault nothing is wrong with the line.
    it.faults = String::new();
    let mut within = 0;
    for n in 0..if full() { 1000 } else { 50 } {
        it.start();
        std::thread::sleep(Duration::from_millis(random(150) as u64));
        it.bench.append("beacon.log", 1);
        let mut daemon = it.bench.daemon.take().unwrap();
        daemon.signal([Signal::SIGKILL, Signal::SIGTERM][random(2)]);
        let status = end_of(&mut daemon);
        assert!(status.code() == Some(0) || status.signal().is_some(), "{n}: {status}\n{}", daemon.log());
        it.after(status, false);
        within += usize::from(!it.bench.database.psql("SELECT file_id FROM suspects").is_empty());
    }
    println!("{within} were killed once a line had been looked at by itself");
    let lines = it.bench.written + 1;
    it.until(lines);
    it.check(lines, &[]);
    assert_eq!(it.bench.database.psql("SELECT count(*) FROM suspects WHERE deaths > 1"), "0");
}

#[test]
fn it_is_found_again_after_a_rotation_and_in_a_packed_log_that_is_read_by_ids() {
    let mut it = Supervised::new(ONE, "segv:EVIL");
    let (before, line) = (many(60), marked("EVIL"));
    it.bench.append_text("beacon.log", &format!("{before}{line}{}", many(60)), 120);
    it.start();
    let mut daemon = it.bench.daemon.take().unwrap();
    let status = end_of(&mut daemon);
    it.after(status, false);
    // Rotated and packed before the next start: another file on the disk, and the same log.
    fs::rename(it.bench.path("beacon.log"), it.bench.path("beacon.log.1")).unwrap();
    pack("gzip", &it.bench.path("beacon.log.1"));
    it.bench.append("beacon.log", 10);
    it.until(131);
    it.check(130, &[("beacon.log.1.gz", before.len(), line.len())]);
    assert_eq!(it.ends.len(), 2, "{:?}", it.ends);
    // Nor does it end a replay of what is loaded.
    let path = it.bench.path("beacon.log.1.gz").display().to_string();
    assert!(it.alt(&["replay", &path]).0);
    it.check(130, &[("beacon.log.1.gz", before.len(), line.len())]);
    it.bench.stop();
}

#[test]
fn lines_without_ids_are_set_aside_and_not_touched_at_the_next_start() {
    let source = format!("{ONE}\nformat = \"combined\"\napp = \"shop\"");
    let mut it = Supervised::new(&source, "abort:EVIL");
    let line = |n: usize, what: &str| {
        format!(
            "203.0.113.7 - - [05/Mar/2024:12:00:00 +0000] \"GET /{n}{what} HTTP/1.1\" 200 5 \"-\" \"M\"\n"
        )
    };
    let before: String = (0..50).map(|n| line(n, "")).collect();
    let after: String = (50..90).map(|n| line(n, "")).collect();
    it.bench.append_text("beacon.log", &format!("{before}{}{after}", line(0, "EVIL")), 90);
    it.until(91);
    it.check(90, &[("beacon.log", before.len(), line(0, "EVIL").len())]);
    // What stands before the checkpoint is read again, to tell equal lines apart.
    it.bench.stop();
    it.bench.append_text("beacon.log", &(90..95).map(|n| line(n, "")).collect::<String>(), 5);
    it.start();
    it.until(96);
    assert_eq!(it.ends.len(), 2, "{:?}", it.ends);
    it.bench.stop();
}

#[test]
fn a_replay_that_breaks_says_where() {
    let it = Supervised::new(ONE, "");
    let before = many(20);
    let path: PathBuf = it.bench.path("old.log");
    fs::write(&path, format!("{before}{}{}", marked("EVIL"), many(5))).unwrap();
    let mut command = alt();
    command.args(["replay", "--config"]).arg(&it.bench.config).arg(&path);
    let output = command.env("ALT_FAULT_LINE", "panic:EVIL").stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let place = format!("offset {}", before.len());
    assert!(!output.status.success() && said.contains("old.log") && said.contains(&place), "{said}");
}

/// The datagrams that came, in order.
fn heard(socket: &UnixDatagram) -> Vec<String> {
    let (mut all, mut buffer) = (Vec::new(), [0; 4096]);
    while let Ok(n) = socket.recv(&mut buffer) {
        all.push(String::from_utf8_lossy(&buffer[..n]).into_owned());
    }
    all
}

#[test]
fn the_watchdog_hears_of_long_work_and_not_of_a_line_without_an_end() {
    let mut it = Supervised::new(ONE, "spin:EVIL");
    it.still = Some(1500);
    let socket = UnixDatagram::bind(it.bench.path("notify")).unwrap();
    socket.set_nonblocking(true).unwrap();
    it.watchdog = Some(socket.try_clone().unwrap());
    // Far more than is read in that time: one line that is too long, which is packed and identified afterwards.
    let long = fs::File::create(it.bench.path("beacon.log.1")).unwrap();
    std::io::Write::write_all(&mut &long, many(1).as_bytes()).unwrap();
    let bytes: u64 = if full() { 40 << 30 } else { 6 << 30 };
    long.set_len(bytes).unwrap();
    // The same of a packed log, which each start identifies anew by reading it up to its checkpoint.
    let packed = fs::File::create(it.bench.path("beacon.log.2.zst")).unwrap();
    let mut packed = zstd::Encoder::new(packed, 1).unwrap();
    std::io::Write::write_all(&mut packed, many(1).as_bytes()).unwrap();
    std::io::copy(&mut std::io::Read::take(std::io::repeat(0), bytes / 2), &mut packed).unwrap();
    packed.finish().unwrap();
    it.bench.append("beacon.log", 5);
    it.start();
    let mut last = Instant::now();
    let (mut longest, mut beats) = (Duration::ZERO, 0);
    wait_for(
        280,
        || {
            if heard(&socket).iter().any(|said| said.contains("WATCHDOG=1")) {
                longest = longest.max(last.elapsed());
                last = Instant::now();
                beats += 1;
            }
            it.accounted() == 9
        },
        || it.bench.state(),
    );
    // The hole is passed over at once; the packed log takes some seconds.
    assert!(beats > 0, "{beats} words of it");
    assert!(longest.max(last.elapsed()) < patience(3), "{longest:?} without a word");
    assert!(it.bench.daemon.as_mut().unwrap().ended().is_none());
    // A line without an end: it falls silent, and is ended as systemd does it.
    let line = marked("EVIL");
    let at = fs::metadata(it.bench.path("beacon.log")).unwrap().len();
    it.bench.append_text("beacon.log", &format!("{line}{}", many(5)), 5);
    for _ in 0..2 {
        let touched = || {
            it.bench.daemon.as_ref().unwrap().log().matches("ALT_FAULT_LINE: spin").count() > it.ends.len()
        };
        wait_for(60, touched, || it.bench.state());
        let mut last = Instant::now();
        let silent = || {
            if heard(&socket).iter().any(|said| said.contains("WATCHDOG=1")) {
                last = Instant::now();
            }
            last.elapsed() > Duration::from_secs(3)
        };
        wait_for(60, silent, || it.bench.state());
        let mut daemon = it.bench.daemon.take().unwrap();
        daemon.signal(Signal::SIGABRT);
        let status = end_of(&mut daemon);
        it.after(status, true);
        it.start();
    }
    wait_for(60, || it.accounted() == 15, || it.bench.state());
    let rejects = "SELECT file_offset, bytes FROM rejected_lines WHERE reason = 'poison'";
    assert_eq!(it.bench.database.psql(rejects), format!("{at}|{}", line.len()), "{}", it.bench.state());
    it.bench.stop();
}
