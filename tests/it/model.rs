//! Following as a property: whatever is done to a log and what rotation made of it, to the daemon and to the
//! database, every line that was loaded once or stands in a file at the end is one row, and the row says where it stood.
//!
//! Random sequences are played by a real daemon on a real PostgreSQL; see [`crate::support::cases`] for how one is
//! played again. What is not promised is not drawn: a line that nginx writes by halves is not parted by a truncation.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::{Arc, OnceLock};
use std::thread::sleep;
use std::time::{Duration, Instant};

use proptest::prelude::*;

use crate::support::bench::{LEDGER_UNBALANCED, NOT_IN_LEDGER, UNBALANCED};
use crate::support::cases::{self, Ground, Wrong};
use crate::support::daemon::{Daemon, alt, configuration, sample_of};
use crate::support::lines::{KEY, alt1_at, now};
use crate::support::pack::{bzip2, gzip, zstandard};
use crate::support::postgres::Cluster;

/// Nothing takes longer, unless it hangs.
const PATIENCE: Duration = Duration::from_secs(60);

/// A daemon that looks so often and finds nothing to load, for so long, many times the time for which it waits for a
/// file to stand still, will not find anything any more.
const LOOKS_IN_VAIN: f64 = 100.0;
const STILL: Duration = Duration::from_secs(3);

const LOG: &str = "beacon.log";

/// What happens, from an empty directory and a running daemon on.
#[derive(Debug, Clone)]
struct Case {
    batch_rows: usize,
    naming: Naming,
    /// The log is a symbolic link to where nginx writes.
    linked: bool,
    steps: Vec<Step>,
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "batches of {}, {:?}, linked: {}", self.batch_rows, self.naming, self.linked)?;
        self.steps.iter().try_for_each(|step| writeln!(f, "  {step:?}"))
    }
}

/// What rotated files are called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Naming {
    /// `beacon.log.1`, which becomes `.2` with the next.
    Numbers,
    /// `beacon.log-20261101`
    Dates,
}

#[derive(Debug, Clone, Copy)]
enum Packer {
    Gzip,
    Zstd,
    Bzip2,
}

/// Numbers of files are taken modulo those that are there; steps without theirs do nothing.
#[derive(Debug, Clone)]
enum Step {
    /// Whole lines, in one write.
    Write(u8),
    /// A part of a line in percent, which the next write ends.
    Half(u8),
    /// A line, a few bytes at a time.
    Slowly,
    /// Renamed; nginx goes on in the renamed file for so many lines before it reopens.
    Rotate(u8),
    /// A worker that was slow writes to the last rotated file that is not packed.
    Late(u8),
    CopyTruncate,
    /// Cut at the end of one of its lines.
    Cut(u8),
    /// Emptied, and at once as long as it was or longer.
    Regrow(u8),
    /// Deleted; the next write makes it anew, often as the same inode.
    Recreate,
    /// So many lines, which can't be loaded, before it is deleted.
    Snatch(u8),
    /// `sed -i`: another inode without one of the lines.
    Sed(u8),
    /// A rotated file is packed; `true`: what is packed appears by halves.
    Pack(u8, Packer, bool),
    /// A rotated file goes into `rotated/`.
    Move(u8),
    /// A rotated file is deleted.
    Delete(u8),
    /// A copy of the log, or of a rotated file, beside it.
    Duplicate(u8),
    /// Another log beside it, which begins with the same line and has so many of its own.
    Alike(u8),
    /// The directory is renamed, while nginx goes on in it, and comes back.
    Hide,
    Show,
    Start,
    Stop,
    Kill,
    /// PostgreSQL takes no connections, and ends those that there are.
    Away,
    Back,
    /// All connections of the daemon are cut.
    Terminate,
    /// `alt replay` of a file, or of the log, beside the daemon.
    Replay(u8),
    Pause(u8),
    /// Until all that is there is loaded.
    Settle,
}

fn step() -> impl Strategy<Value = Step> {
    let any = any::<u8>;
    let packer = prop_oneof![Just(Packer::Gzip), Just(Packer::Zstd), Just(Packer::Bzip2)];
    prop_oneof![
        12 => (1..30u8).prop_map(Step::Write),
        3 => (1..100u8).prop_map(Step::Half),
        1 => Just(Step::Slowly),
        6 => (0..4u8).prop_map(Step::Rotate),
        2 => (1..4u8).prop_map(Step::Late),
        2 => Just(Step::CopyTruncate),
        1 => any().prop_map(Step::Cut),
        1 => (0..20u8).prop_map(Step::Regrow),
        2 => Just(Step::Recreate),
        2 => (1..30u8).prop_map(Step::Snatch),
        1 => any().prop_map(Step::Sed),
        4 => (any(), packer, prop::bool::ANY).prop_map(|(n, packer, slow)| Step::Pack(n, packer, slow)),
        1 => any().prop_map(Step::Move),
        1 => any().prop_map(Step::Delete),
        1 => any().prop_map(Step::Duplicate),
        1 => (1..30u8).prop_map(Step::Alike),
        1 => Just(Step::Hide),
        1 => Just(Step::Show),
        3 => Just(Step::Start),
        1 => Just(Step::Stop),
        3 => Just(Step::Kill),
        1 => Just(Step::Away),
        1 => Just(Step::Back),
        2 => Just(Step::Terminate),
        1 => any().prop_map(Step::Replay),
        8 => (0..60u8).prop_map(Step::Pause),
        1 => Just(Step::Settle),
    ]
}

fn case() -> impl Strategy<Value = Case> {
    let naming = prop_oneof![Just(Naming::Numbers), Just(Naming::Dates)];
    let batch = prop_oneof![Just(1usize), Just(7), Just(10_000)];
    (batch, naming, prop::bool::weighted(0.2), prop::collection::vec(step(), 4..30))
        .prop_map(|(batch_rows, naming, linked, steps)| Case { batch_rows, naming, linked, steps })
}

/// What rotation made.
struct Rotated {
    /// Below the directory.
    name: String,
    content: Vec<u8>,
    plain: bool,
}

/// What is being packed: where to, the bytes that are missing there yet, and the file that goes then.
struct Packing {
    to: String,
    rest: Vec<u8>,
    from: String,
}

/// What the daemon says of its source.
#[derive(Debug, PartialEq)]
struct Behind {
    bytes: f64,
    files: f64,
    /// Looks that found nothing to load.
    looks: f64,
}

struct World<'a> {
    case: &'a Case,
    ground: &'a Ground,
    directory: tempfile::TempDir,
    config: PathBuf,
    /// The name of the directory of logs just now.
    place: &'static str,
    daemon: Option<Daemon>,
    replays: Vec<Child>,
    /// What the log holds.
    live: Vec<u8>,
    /// What is missing of its last line.
    pending: Vec<u8>,
    rotated: Vec<Rotated>,
    packing: Option<Packing>,
    rotations: usize,
    /// The time of the last line, milliseconds since 1970: each has one of its own.
    clock: u128,
    /// Where the lines of an event ever began, bytes.
    offsets: HashMap<String, HashSet<usize>>,
    /// Events that were loaded once.
    settled: HashSet<String>,
    /// Events of deleted files that the daemon still had open; it owes them as long as it lives.
    owed: HashSet<String>,
    /// A log was written over in place since the last time that all was loaded.
    edited: bool,
}

fn id_of(line: &[u8]) -> Option<String> {
    let id = line.split(|b| *b == b'\t').nth(2)?;
    (line.len() > 100).then(|| String::from_utf8_lossy(id).into_owned())
}

/// Whole lines, each with its offset.
fn lines(content: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    let mut at = 0;
    content.split_inclusive(|b| *b == b'\n').filter_map(move |line| {
        let offset = at;
        at += line.len();
        line.ends_with(b"\n").then_some((offset, line))
    })
}

impl<'a> World<'a> {
    fn new(case: &'a Case, ground: &'a Ground) -> World<'a> {
        ground.clear();
        let directory = tempfile::Builder::new().prefix("alt-model-").tempdir().unwrap();
        fs::create_dir(directory.path().join("log")).unwrap();
        let source = format!("[[source]]\npaths = [\"{}/log/{LOG}\"]", directory.path().display());
        let load = format!("batch_rows = {}\ncommit_interval = \"0ms\"", case.batch_rows);
        let config = configuration(directory.path(), &ground.database, &source, &load);
        let text = fs::read_to_string(&config).unwrap();
        let text = text.replace("seal_after = \"1s\"", "seal_after = \"150ms\"");
        fs::write(&config, text.replace("look_interval = \"100ms\"", "look_interval = \"10ms\"")).unwrap();
        let world = World {
            case,
            ground,
            directory,
            config,
            place: "log",
            daemon: None,
            replays: Vec::new(),
            live: Vec::new(),
            pending: Vec::new(),
            rotated: Vec::new(),
            packing: None,
            rotations: 0,
            clock: now() - 3_600_000,
            offsets: HashMap::new(),
            settled: HashSet::new(),
            owed: HashSet::new(),
            edited: false,
        };
        world.link();
        world
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(self.place).join(name)
    }

    /// The file that nginx writes.
    fn target(&self) -> String {
        if self.case.linked { format!("{LOG}-{}", self.rotations) } else { LOG.to_owned() }
    }

    /// Points the link at what nginx writes.
    fn link(&self) {
        if self.case.linked {
            let new = self.path("new");
            std::os::unix::fs::symlink(self.target(), &new).unwrap();
            fs::rename(new, self.path(LOG)).unwrap();
        }
    }

    fn line(&mut self) -> String {
        self.clock += 7;
        alt1_at(self.clock)
    }

    fn many(&mut self, count: usize) -> String {
        (0..count).map(|_| self.line()).collect()
    }

    fn remember(&mut self, content: &[u8]) {
        for (offset, line) in lines(content) {
            if let Some(id) = id_of(line) {
                self.offsets.entry(id).or_default().insert(offset);
            }
        }
    }

    /// Writes to the log as nginx does.
    fn append(&mut self, bytes: &[u8]) {
        append(&self.path(&self.target()), bytes);
        self.live.extend(bytes);
        let live = std::mem::take(&mut self.live);
        self.remember(&live);
        self.live = live;
    }

    /// Ends the line that is begun.
    fn end_line(&mut self) {
        let rest = std::mem::take(&mut self.pending);
        if !rest.is_empty() {
            self.append(&rest);
        }
    }

    /// Writes a new content of the log as another inode that appears at once.
    fn replace(&mut self, content: Vec<u8>) {
        let new = self.path("new");
        fs::write(&new, &content).unwrap();
        fs::rename(new, self.path(&self.target())).unwrap();
        self.remember(&content);
        self.live = content;
    }

    fn index(&self, n: u8) -> Option<usize> {
        usize::from(n).checked_rem(self.rotated.len())
    }

    /// The next name of a rotated file.
    fn next_name(&mut self) -> String {
        self.rotations += 1;
        if self.case.naming == Naming::Dates {
            return format!("{LOG}-{}", 20_261_100 + self.rotations);
        }
        // As logrotate: from the highest down.
        self.end_packing();
        let number = |name: &str| name.strip_prefix("beacon.log.")?.split('.').next()?.parse::<usize>().ok();
        let mut shifted: Vec<usize> =
            (0..self.rotated.len()).filter(|i| number(&self.rotated[*i].name).is_some()).collect();
        shifted.sort_by_key(|i| std::cmp::Reverse(number(&self.rotated[*i].name)));
        for index in shifted {
            let old = self.rotated[index].name.clone();
            let n = number(&old).unwrap();
            let new = old.replacen(&format!(".{n}"), &format!(".{}", n + 1), 1);
            fs::rename(self.path(&old), self.path(&new)).unwrap();
            self.rotated[index].name = new;
        }
        format!("{LOG}.1")
    }

    fn rotate(&mut self, late: u8) {
        if self.live.is_empty() && self.pending.is_empty() {
            return;
        }
        if late == 0 {
            self.end_line();
        }
        let before = self.target();
        // With a link, nothing is renamed: nginx writes elsewhere.
        let name = if self.case.linked {
            self.rotations += 1;
            self.link();
            before
        } else {
            let name = self.next_name();
            fs::rename(self.path(&before), self.path(&name)).unwrap();
            name
        };
        let mut content = std::mem::take(&mut self.live);
        let mut more = std::mem::take(&mut self.pending);
        more.extend(self.many(late.into()).bytes());
        append(&self.path(&name), &more);
        content.extend(more);
        self.remember(&content);
        self.rotated.push(Rotated { name, content, plain: true });
    }

    fn end_packing(&mut self) {
        if let Some(Packing { to, rest, from }) = self.packing.take() {
            append(&self.path(&to), &rest);
            fs::remove_file(self.path(&from)).unwrap();
        }
    }

    fn pack(&mut self, n: u8, packer: Packer, slow: bool) {
        self.end_packing();
        let Some(index) = self.index(n).filter(|index| self.rotated[*index].plain) else { return };
        let file = &self.rotated[index];
        let (packed, ending) = match packer {
            Packer::Gzip => (gzip(&file.content, 6), "gz"),
            Packer::Zstd => (zstandard(&file.content, 1), "zst"),
            Packer::Bzip2 => (bzip2(&file.content, 6), "bz2"),
        };
        let from = file.name.clone();
        let to = format!("{from}.{ending}");
        if self.rotated.iter().any(|other| other.name == to) {
            return;
        }
        let file = &mut self.rotated[index];
        (file.name, file.plain) = (to.clone(), false);
        let length = if slow { packed.len() / 2 } else { packed.len() };
        append(&self.path(&to), &packed[..length]);
        self.packing = Some(Packing { to, rest: packed[length..].to_vec(), from });
        if !slow {
            self.end_packing();
        }
    }

    /// Puts a file beside the log, which appears at once, as somebody's backup is called.
    fn put_beside(&mut self, content: Vec<u8>) {
        self.end_packing();
        let names = ["old", "bak"].map(|ending| format!("{LOG}.{ending}"));
        let is_free = |name: &String| self.rotated.iter().all(|file| file.name != *name);
        if let Some(name) = names.into_iter().find(is_free) {
            fs::write(self.path("new"), &content).unwrap();
            fs::rename(self.path("new"), self.path(&name)).unwrap();
            self.rotated.push(Rotated { name, content, plain: true });
        }
    }

    fn start(&mut self) {
        if self.daemon.is_none() {
            self.daemon = Some(Daemon::start(&self.config));
        }
    }

    /// Does something.
    fn step(&mut self, step: &Step) -> Result<(), Wrong> {
        match *step {
            Step::Write(n) => {
                let mut bytes = std::mem::take(&mut self.pending);
                bytes.extend(self.many(n.into()).bytes());
                self.append(&bytes);
            }
            Step::Half(percent) => {
                self.end_line();
                let line = self.line().into_bytes();
                let length = line.len() * usize::from(percent) / 100;
                self.append(&line[..length]);
                self.pending = line[length..].to_owned();
            }
            Step::Slowly => {
                self.end_line();
                let line = self.line();
                for bytes in line.as_bytes().chunks(40) {
                    self.append(bytes);
                    sleep(Duration::from_millis(3));
                }
            }
            Step::Rotate(late) => self.rotate(late),
            Step::Late(n) => {
                let Some(index) = self.rotated.iter().rposition(|file| file.plain) else { return Ok(()) };
                let bytes = self.many(n.into()).into_bytes();
                append(&self.path(&self.rotated[index].name), &bytes);
                self.rotated[index].content.extend(&bytes);
                let content = self.rotated[index].content.clone();
                self.remember(&content);
            }
            Step::CopyTruncate if !self.case.linked => {
                self.end_line();
                if self.live.is_empty() {
                    return Ok(());
                }
                let name = self.next_name();
                fs::copy(self.path(LOG), self.path(&name)).unwrap();
                File::options().write(true).open(self.path(LOG)).unwrap().set_len(0).unwrap();
                self.edited = true;
                self.rotated.push(Rotated { name, content: std::mem::take(&mut self.live), plain: true });
            }
            Step::CopyTruncate => {}
            Step::Cut(n) => {
                self.end_line();
                let ends: Vec<usize> = lines(&self.live).map(|(at, line)| at + line.len()).collect();
                let Some(index) = usize::from(n).checked_rem(ends.len()) else { return Ok(()) };
                self.live.truncate(ends[index]);
                let file = File::options().write(true).open(self.path(&self.target())).unwrap();
                file.set_len(ends[index] as u64).unwrap();
                self.edited = true;
            }
            Step::Regrow(n) => {
                self.end_line();
                if self.live.is_empty() {
                    return Ok(());
                }
                let text = self.many(lines(&self.live).count() + usize::from(n)).into_bytes();
                fs::write(self.path(&self.target()), &text).unwrap();
                self.edited = true;
                self.remember(&text);
                self.live = text;
            }
            Step::Recreate => {
                self.end_line();
                let content = std::mem::take(&mut self.live);
                self.delete(&self.target(), &content);
            }
            Step::Snatch(n) => {
                self.step(&Step::Away)?;
                self.step(&Step::Write(n))?;
                sleep(Duration::from_millis(40));
                self.step(&Step::Recreate)?;
                self.step(&Step::Back)?;
            }
            Step::Sed(n) => {
                self.end_line();
                let count = lines(&self.live).count();
                let Some(out) = usize::from(n).checked_rem(count) else { return Ok(()) };
                let kept = lines(&self.live).enumerate().filter(|(at, _)| *at != out);
                let content = kept.flat_map(|(_, (_, line))| line.to_owned()).collect();
                self.replace(content);
            }
            Step::Pack(n, packer, slow) => self.pack(n, packer, slow),
            Step::Move(n) => {
                self.end_packing();
                let Some(index) = self.index(n).filter(|i| !self.rotated[*i].name.contains('/')) else {
                    return Ok(());
                };
                fs::create_dir_all(self.path("rotated")).unwrap();
                let old = self.rotated[index].name.clone();
                let new = format!("rotated/{old}");
                if !self.rotated.iter().any(|file| file.name == new) {
                    fs::rename(self.path(&old), self.path(&new)).unwrap();
                    self.rotated[index].name = new;
                }
            }
            Step::Delete(n) => {
                self.end_packing();
                let Some(index) = self.index(n) else { return Ok(()) };
                let file = self.rotated.remove(index);
                self.delete(&file.name, if file.plain { &file.content } else { &[] });
            }
            Step::Duplicate(n) => {
                self.end_packing();
                self.end_line();
                let (name, content, plain) = match self.index(n) {
                    Some(i) if n % 2 == 0 => {
                        let file = &self.rotated[i];
                        (file.name.clone(), file.content.clone(), file.plain)
                    }
                    _ => (self.target(), self.live.clone(), true),
                };
                if plain && self.path(&name).is_file() {
                    self.put_beside(content);
                }
            }
            Step::Alike(n) => {
                let first = lines(&self.live).next().map(|(_, line)| line.to_owned());
                if let Some(mut content) = first {
                    content.extend(self.many(n.into()).bytes());
                    self.remember(&content);
                    self.put_beside(content);
                }
            }
            Step::Hide => self.place_at("away"),
            Step::Show => self.place_at("log"),
            Step::Start => self.start(),
            Step::Stop => {
                self.owed.clear();
                // One that has hardly started is just ended by the signal.
                if let Some(daemon) = self.daemon.take()
                    && daemon.stop().code().is_some_and(|code| code != 0)
                {
                    return Err("the daemon failed".to_owned());
                }
            }
            Step::Kill => {
                self.owed.clear();
                if let Some(daemon) = self.daemon.take() {
                    daemon.kill();
                }
            }
            Step::Away => {
                self.connections(false);
                self.ground.terminate();
            }
            Step::Back => self.connections(true),
            Step::Terminate => self.ground.terminate(),
            Step::Replay(n) => {
                // Where nobody follows it, a replay takes what is begun of a line for the last one, once it stands still.
                if !self.pending.is_empty() && self.place != "log" {
                    return Ok(());
                }
                let name = match self.index(n) {
                    Some(index) => self.rotated[index].name.clone(),
                    None => self.target(),
                };
                let mut command = alt();
                command.arg("replay").arg(self.path(&name)).arg("--config").arg(&self.config);
                command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
                self.replays.push(command.spawn().unwrap());
            }
            Step::Pause(ms) => sleep(Duration::from_millis(ms.into())),
            Step::Settle => return self.settle(),
        }
        Ok(())
    }

    /// Deletes a file. What it holds the daemon still loads, if it has it open.
    fn delete(&mut self, name: &str, content: &[u8]) {
        let path = self.path(name);
        let Ok(metadata) = fs::metadata(&path) else { return };
        fs::remove_file(&path).unwrap();
        let Some(daemon) = &self.daemon else { return };
        let is_it = |descriptor: &PathBuf| {
            fs::metadata(descriptor).is_ok_and(|m| (m.dev(), m.ino()) == (metadata.dev(), metadata.ino()))
        };
        if !self.edited && daemon.descriptors().iter().any(is_it) {
            self.owed.extend(lines(content).filter_map(|(_, line)| id_of(line)));
        }
    }

    fn place_at(&mut self, place: &'static str) {
        if self.place != place {
            let of = |place| self.directory.path().join(place);
            fs::rename(of(self.place), of(place)).unwrap();
            self.place = place;
        }
    }

    fn connections(&self, allowed: bool) {
        let name = &self.ground.database.name;
        cluster().psql("postgres", &format!("ALTER DATABASE {name} ALLOW_CONNECTIONS {allowed}"));
    }

    /// Events whose lines are there.
    fn there(&self) -> HashSet<String> {
        let all = self.rotated.iter().map(|file| &file.content).chain([&self.live]);
        all.flat_map(|content| lines(content)).filter_map(|(_, line)| id_of(line)).collect()
    }

    fn loaded(&self) -> HashSet<String> {
        let rows = self.ground.rows("SELECT replace(event_id::text, '-', '') FROM access_logs");
        rows.into_iter().map(|row| row[0].clone()).collect()
    }

    /// Makes everything whole again, and waits until all that is there is loaded.
    fn settle(&mut self) -> Result<(), Wrong> {
        self.end_packing();
        self.place_at("log");
        self.connections(true);
        self.start();
        for mut replay in std::mem::take(&mut self.replays) {
            if replay.wait().unwrap().code() == Some(101) {
                return Err("a replay panicked".to_owned());
            }
        }
        let mut there = self.there();
        there.extend(self.owed.drain());
        let deadline = Instant::now() + PATIENCE;
        // How it stood, since when, and after how many looks.
        let mut last = (None, Instant::now(), 0.0);
        loop {
            let missing: Vec<String> = there.difference(&self.loaded()).cloned().collect();
            let lag = self.lag();
            if missing.is_empty() && lag.as_ref().is_some_and(|lag| self.is_idle(lag)) {
                break;
            }
            let now = Some((missing.len(), lag.as_ref().map(|lag| (lag.bytes, lag.files))));
            let looks = lag.as_ref().map_or(0.0, |lag| lag.looks);
            if last.0 != now || looks < last.2 {
                last = (now, Instant::now(), looks);
            }
            let is_stuck = looks - last.2 > LOOKS_IN_VAIN && last.1.elapsed() > STILL;
            if is_stuck || Instant::now() > deadline {
                return Err(format!(
                    "lost: {} of {} lines: {:?}, stuck: {is_stuck}, {lag:?}",
                    missing.len(),
                    there.len(),
                    missing.first()
                ));
            }
            sleep(Duration::from_millis(20));
        }
        self.settled.extend(there);
        self.edited = false;
        Ok(())
    }

    /// How far the daemon says that it is behind.
    fn lag(&self) -> Option<Behind> {
        let page = self.daemon.as_ref()?.try_ask("/metrics")?;
        let sample = |name: &str| {
            let sample = format!("{name}{{source=\"{}/log/{LOG}\"}}", self.directory.path().display());
            sample_of(&page, &sample)
        };
        let (bytes, files) = (sample("alt_lag_bytes")?, sample("alt_files_waiting")?);
        Some(Behind { bytes, files, looks: sample("alt_idle_looks_total")? })
    }

    /// Whether it has read all that it knows of.
    fn is_idle(&self, lag: &Behind) -> bool {
        // What is begun of a line is not read.
        let begun = self.live.len() - lines(&self.live).last().map_or(0, |(at, line)| at + line.len());
        #[expect(clippy::cast_precision_loss, reason = "a few bytes")]
        let begun = begun as f64;
        lag.bytes <= begun && lag.files <= f64::from(u8::from(begun > 0.0))
    }

    /// Nothing is doubled, misplaced or rejected.
    fn look(&self) -> Result<(), Wrong> {
        let loaded = self.loaded();
        if let Some(lost) = self.settled.difference(&loaded).next() {
            return Err(format!("lost: {lost} was loaded"));
        }
        let mut seen = HashSet::new();
        for row in self.ground.rows("SELECT replace(event_id::text, '-', ''), file_offset FROM access_logs") {
            let (id, offset) = (&row[0], row[1].parse::<usize>().unwrap());
            if !seen.insert(id.clone()) {
                return Err(format!("doubled: {id}"));
            }
            if !self.offsets.get(id).is_some_and(|offsets| offsets.contains(&offset)) {
                return Err(format!("misplaced: {id} is at {offset}, not {:?}", self.offsets.get(id)));
            }
        }
        let rejects = self.ground.rows("SELECT reason, file_offset FROM rejected_lines");
        if let Some(reject) = rejects.first() {
            return Err(format!("rejected: {reject:?}"));
        }
        for sql in [UNBALANCED, NOT_IN_LEDGER, LEDGER_UNBALANCED] {
            if let Some(row) = self.ground.rows(sql).first() {
                return Err(format!("unbalanced: {row:?} of {sql}"));
            }
        }
        Ok(())
    }

    /// For a failed case.
    fn tell(&self) -> String {
        let files: Vec<String> = self
            .rotated
            .iter()
            .map(|file| format!("{}: {} bytes", file.name, file.content.len()))
            .chain([format!("{}: {} bytes", self.target(), self.live.len())])
            .collect();
        let known = self.ground.rows(
            "SELECT f.path, c.file_id, c.fork, c.loaded_bytes, c.sealed, c.lines, c.rows, c.rejects, c.already_loaded \
             FROM checkpoints c JOIN log_files f ON f.id = c.file_id ORDER BY c.file_id",
        );
        let known: Vec<String> = known.into_iter().map(|row| row.join(" ")).collect();
        let log = fs::read_to_string(self.config.with_extension("stderr")).unwrap_or_default();
        format!("{}\n{}\n{log}", files.join("\n"), known.join("\n"))
    }
}

impl Drop for World<'_> {
    fn drop(&mut self) {
        for replay in &mut self.replays {
            let _ = replay.kill();
            let _ = replay.wait();
        }
        self.connections(true);
    }
}

fn append(path: &Path, bytes: &[u8]) {
    let mut file = OpenOptions::new().create(true).append(true).open(path).unwrap();
    file.write_all(bytes).unwrap();
}

fn cluster() -> &'static Arc<Cluster> {
    static SHARED: OnceLock<Arc<Cluster>> = OnceLock::new();
    SHARED.get_or_init(|| Cluster::start(&["fsync=off", "full_page_writes=off", "max_connections=200"]))
}

fn play(world: &mut World<'_>) -> Result<(), Wrong> {
    world.start();
    for step in &world.case.steps {
        world.step(step)?;
    }
    world.end_line();
    world.settle()?;
    world.look()?;
    // A restart finds nothing to do.
    world.step(&Step::Stop)?;
    world.start();
    world.step(&Step::Write(1))?;
    world.settle()?;
    world.look()
}

fn check(case: &Case, ground: &Ground) -> Result<(), Wrong> {
    let mut world = World::new(case, ground);
    let outcome = catch_unwind(AssertUnwindSafe(|| play(&mut world)));
    outcome
        .unwrap_or_else(|_| Err("panicked".to_owned()))
        .map_err(|wrong| format!("{wrong}\n{}", world.tell()))
}

#[test]
fn whatever_happens_to_a_log_every_line_is_one_row() {
    cases::hold(&case, &|| Ground::new(cluster(), &[KEY]), &check, 150, 3);
}
