//! A case being played: a directory with its files, a database, replays and a daemon, all real.
//!
//! Everything that ever stood in a file is remembered: what is there at the end has to be in the database, and
//! nothing may be that never was.

use std::collections::{HashMap, HashSet};
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::case::{Case, Cut, Form, Gap, LineSpec, Lines, Piece, Spec, Step, What};
use super::files::{age, cut, mixed, pack, without_twins};
use super::judge::{Row, has_id, rows, union};
use super::oracle::{APPS, OWNER, Oracle, gap};
use crate::support::cases::{Ground, Wrong};
use crate::support::daemon::{Daemon, configuration};

/// Nothing takes longer, unless it hangs.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

/// Names of files, below `in/`. They say nothing of how a file is packed.
const NAMES: [&str; 9] =
    ["a.log", "b", "c.log.1", "sub/a.log", "sub/b.gz", "sub/deep/a.log", "d.zst", "e", "z.log"];

/// A file of the collection.
pub(super) struct Stored {
    pub(super) path: PathBuf,
    pub(super) content: Vec<u8>,
    pub(super) form: Form,
    pub(super) whole: bool,
}

/// Files, and what is done with them.
pub(super) struct World<'a> {
    pub(super) ground: &'a Ground,
    pub(super) oracle: Oracle,
    pub(super) lines: Lines,
    pub(super) directory: tempfile::TempDir,
    pub(super) config: PathBuf,
    logs: Vec<Vec<u8>>,
    pub(super) files: Vec<Stored>,
    /// All that ever stood at a path, uncompressed.
    pub(super) history: HashMap<PathBuf, Vec<Vec<u8>>>,
    daemon: Option<Daemon>,
    /// What the live log and its successors hold, oldest first; the last is the live one.
    generations: Vec<Vec<u8>>,
    inserts: usize,
    live_lines: usize,
    live_at: i64,
    /// Rows that undisturbed replays said they added; `None` where somebody else adds some.
    pub(super) added: Option<u64>,
    pub(super) alone: bool,
    /// Replays are under way.
    pub(super) replaying: bool,
    /// Rows came or went beside the checkpoints.
    pub(super) special: bool,
}

impl<'a> World<'a> {
    /// Makes the files of a case. The database is emptied.
    pub(super) fn new(case: &Case, ground: &'a Ground) -> World<'a> {
        ground.clear();
        ground.rows(&format!("DELETE FROM applications WHERE app_key = '{}'", APPS[3]));
        let directory = crate::support::place::place("alt-union-");
        let (format, owner) = match case.lines {
            Lines::Alt1 => ("alt1", String::new()),
            _ => ("combined", format!("app = \"{}\"\nlabel = \"{}\"", OWNER.0, OWNER.1)),
        };
        let source = format!(
            "[[source]]\npaths = [\"{}/live/beacon.log\"]\nformat = \"{format}\"\n{owner}",
            directory.path().display()
        );
        let load = format!("batch_rows = {}\ncommit_interval = \"0ms\"", case.batch_rows);
        let config = configuration(directory.path(), &ground.database, &source, &load);
        // What is a copy under way, and what is not, the ages of files say.
        let text =
            fs::read_to_string(&config).unwrap().replace("seal_after = \"1s\"", "seal_after = \"20s\"");
        fs::write(&config, text.replace("look_interval = \"100ms\"", "look_interval = \"10ms\"")).unwrap();
        let mut oracle = Oracle::new(case.lines);
        let logs: Vec<_> =
            case.logs.iter().enumerate().map(|(number, log)| oracle.log(number, log)).collect();
        for folder in ["in/sub/deep", "live"] {
            fs::create_dir_all(directory.path().join(folder)).unwrap();
        }
        let mut world = World {
            ground,
            oracle,
            lines: case.lines,
            directory,
            config,
            logs,
            files: Vec::new(),
            history: HashMap::new(),
            daemon: None,
            generations: vec![Vec::new()],
            inserts: 0,
            live_lines: 0,
            live_at: 1_700_000_000_000 + i64::from(case.logs[0].start) * 3_600_000,
            added: (!case.live).then_some(0),
            alone: case.alone,
            replaying: false,
            special: false,
        };
        for spec in &case.files {
            let content = world.compose(spec);
            world.add(content, spec.form, spec.name);
        }
        world
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn live_path(&self) -> PathBuf {
        self.path("live/beacon.log")
    }

    /// Adds a file to the collection.
    fn add(&mut self, content: Vec<u8>, form: Form, name: u8) {
        let file = Stored { path: self.free(name), content, form, whole: true };
        self.put(&file);
        self.files.push(file);
    }

    /// A name that no file has.
    fn free(&self, name: u8) -> PathBuf {
        let path = self.path("in").join(NAMES[usize::from(name) % NAMES.len()]);
        let taken = |path: &Path| self.files.iter().any(|f| f.path == path);
        if !taken(&path) {
            return path;
        }
        (2..).map(|n| path.with_extension(format!("{n}.log"))).find(|path| !taken(path)).unwrap()
    }

    pub(super) fn remember(&mut self, path: PathBuf, content: &[u8]) {
        let all = self.history.entry(path).or_default();
        if !all.iter().any(|c| c == content) {
            all.push(content.to_owned());
        }
    }

    /// Writes a file as a new inode that appears at once.
    fn put(&mut self, file: &Stored) {
        self.remember(file.path.clone(), &file.content);
        let new = self.path("new");
        fs::write(&new, pack(file.form.pack, &file.content)).unwrap();
        age(&new, file.form.old);
        fs::rename(new, &file.path).unwrap();
    }

    fn compose(&self, spec: &Spec) -> Vec<u8> {
        let log = |n: u8| &self.logs[usize::from(n) % self.logs.len()];
        let pieces: Vec<&[u8]> = spec.pieces.iter().map(|piece| cut(log(piece.log), piece)).collect();
        let mut bytes = mixed(&pieces, spec.mix);
        let again: Vec<u8> =
            bytes.split_inclusive(|b| *b == b'\n').take(spec.again.into()).flatten().copied().collect();
        if !again.is_empty() && !bytes.ends_with(b"\n") {
            bytes.push(b'\n');
        }
        bytes.extend(again);
        if let Some(first) = spec.begins_like.and_then(|n| log(n).split_inclusive(|b| *b == b'\n').next()) {
            bytes.splice(..0, first.iter().copied());
        }
        if self.lines == Lines::Combined {
            bytes = without_twins(&bytes);
        }
        if spec.open_end && bytes.ends_with(b"\n") {
            bytes.pop();
        }
        bytes
    }

    /// Does something. Steps that name what is not there do nothing.
    pub(super) fn step(&mut self, step: &Step) -> Result<(), Wrong> {
        match step {
            Step::Replay(runs, disturbances) => return self.replays(runs, disturbances),
            Step::Rename(file, name) => {
                let Some(index) = self.index(*file) else { return Ok(()) };
                let to = self.free(*name);
                fs::rename(&self.files[index].path, &to).unwrap();
                let content = self.files[index].content.clone();
                self.remember(to.clone(), &content);
                self.files[index].path = to;
            }
            Step::Repack(file, form) => {
                let Some(index) = self.index(*file) else { return Ok(()) };
                let mut file = self.files.remove(index);
                (file.form, file.whole) = (*form, true);
                self.put(&file);
                self.files.insert(index, file);
            }
            Step::Partly(file, part) => self.partly(*file, *part),
            Step::Whole(file) => {
                if let Some(index) = self.index(*file) {
                    self.complete(index);
                }
            }
            Step::Rewrite(file, spec) => {
                let Some(index) = self.index(*file) else { return Ok(()) };
                let content = self.compose(spec);
                self.rewrite(index, content);
            }
            Step::Insert(file, lines) => self.insert(*file, *lines),
            Step::Delete(which) => {
                (self.special, self.added) = (true, None);
                self.ground.rows(&format!(
                    "DELETE FROM access_logs WHERE abs(hashtext(event_id::text)) % 5 = {}",
                    which % 5
                ));
            }
            Step::Register => return self.register(),
            Step::Start => self.start(),
            Step::Stop => {
                // One that has hardly started is just ended by the signal.
                if let Some(daemon) = self.daemon.take()
                    && daemon.stop().code().is_some_and(|code| code != 0)
                {
                    return Err(format!("the daemon failed: {}", self.daemon_log()));
                }
            }
            Step::Kill => {
                if let Some(daemon) = self.daemon.take() {
                    daemon.kill();
                }
            }
            Step::Wait if self.daemon.is_some() => return self.wait_for_live(),
            Step::Wait => {}
            Step::Write(lines, halves) => self.write_live(lines, *halves),
            Step::Rotate(late) => self.rotate(*late),
            Step::Snapshot { all, skip, to, mix, form, name } => {
                let from = if *all { 0 } else { self.generations.len() - 1 };
                let log = self.generations[from..].concat();
                let piece = cut(&log, &Piece { log: 0, from: Cut::Not, to: *to });
                let skipped =
                    piece.split_inclusive(|b| *b == b'\n').take((*skip).into()).map(<[u8]>::len).sum();
                let content = mixed(&[&piece[skipped..]], *mix);
                self.add(content, *form, *name);
            }
        }
        Ok(())
    }

    pub(super) fn index(&self, file: u8) -> Option<usize> {
        usize::from(file).checked_rem(self.files.len())
    }

    /// Takes the end of a file away, as if it were still being copied.
    fn partly(&mut self, file: u8, part: u16) {
        let Some(index) = self.index(file) else { return };
        let file = &mut self.files[index];
        let packed = pack(file.form.pack, &file.content);
        let mut length = packed.len() * usize::from(part) / 1000;
        // What ends with a member is whole, to who reads it.
        while length > 0 && length < packed.len() && packed[length..].starts_with(&[0x1f, 0x8b, 8]) {
            length += 1;
        }
        file.whole = false;
        let path = self.path("new");
        let mut new = File::create(&path).unwrap();
        new.write_all(&packed[..length]).unwrap();
        fs::rename(path, &self.files[index].path).unwrap();
    }

    /// Writes what is missing of a file.
    fn complete(&mut self, index: usize) {
        let file = &mut self.files[index];
        if std::mem::replace(&mut file.whole, true) {
            return;
        }
        let there = usize::try_from(fs::metadata(&file.path).unwrap().len()).unwrap();
        let packed = pack(file.form.pack, &file.content);
        OpenOptions::new().append(true).open(&file.path).unwrap().write_all(&packed[there..]).unwrap();
        age(&file.path, file.form.old);
    }

    /// Writes a file anew, in place.
    fn rewrite(&mut self, index: usize, content: Vec<u8>) {
        let file = &mut self.files[index];
        (file.whole, file.form.old, file.content) = (true, false, content);
        fs::write(&file.path, pack(file.form.pack, &file.content)).unwrap();
        let (path, content) = (file.path.clone(), file.content.clone());
        self.remember(path, &content);
    }

    fn insert(&mut self, file: u8, lines: u8) {
        let Some(index) = self.index(file) else { return };
        self.inserts += 1;
        // Lines of two inserts may stand at the same place, one after the other: by their times they are told apart.
        let at = self.live_at + i64::try_from(self.inserts).unwrap() * 1000;
        let mut more = Vec::new();
        for line in 0..lines {
            let spec = LineSpec { what: What::Hit, gap: Gap::None, pad: line % 40 };
            more.extend(self.oracle.line(100 + self.inserts, line.into(), at, &spec));
        }
        let content = &self.files[index].content;
        let first = content.split_inclusive(|b| *b == b'\n').next().map_or(0, <[u8]>::len);
        let content = [&content[..first], &more, &content[first..]].concat();
        self.rewrite(index, content);
    }

    fn start(&mut self) {
        if self.daemon.is_none() {
            self.daemon = Some(Daemon::start(&self.config));
        }
    }

    pub(super) fn daemon_log(&self) -> String {
        fs::read_to_string(self.config.with_extension("stderr")).unwrap_or_default()
    }

    fn write_live(&mut self, lines: &[LineSpec], halves: bool) {
        let path = self.live_path();
        for spec in lines {
            self.live_lines += 1;
            self.live_at += gap(spec.gap, self.live_lines);
            let line = self.oracle.line(99, self.live_lines, self.live_at, spec);
            self.append(&path, self.generations.len() - 1, &line, halves);
        }
    }

    fn append(&mut self, path: &Path, generation: usize, line: &[u8], halves: bool) {
        let mut file = OpenOptions::new().create(true).append(true).open(path).unwrap();
        if halves {
            file.write_all(&line[..line.len() / 2]).unwrap();
            std::thread::sleep(Duration::from_millis(2));
            file.write_all(&line[line.len() / 2..]).unwrap();
        } else {
            file.write_all(line).unwrap();
        }
        self.generations[generation].extend_from_slice(line);
    }

    fn rotate(&mut self, late: u8) {
        let generation = self.generations.len() - 1;
        if self.generations[generation].is_empty() {
            return;
        }
        let rotated = self.path(&format!("live/beacon.log.{}", generation + 1));
        fs::rename(self.live_path(), &rotated).unwrap();
        self.generations.push(Vec::new());
        for _ in 0..late {
            self.live_lines += 1;
            let spec = LineSpec { what: What::Hit, gap: Gap::Milliseconds, pad: late };
            self.live_at += gap(spec.gap, self.live_lines);
            let line = self.oracle.line(99, self.live_lines, self.live_at, &spec);
            self.append(&rotated, generation, &line, false);
        }
    }

    /// Paths and contents of the live log and what it was rotated to.
    fn live_files(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let last = self.generations.len() - 1;
        let path = |n: usize| {
            if n == last { self.live_path() } else { self.path(&format!("live/beacon.log.{}", n + 1)) }
        };
        let all = self.generations.iter().enumerate().filter(|(_, content)| !content.is_empty());
        all.map(|(n, content)| (path(n), content.clone())).collect()
    }

    /// Starts the daemon, if there is a log for it, and waits until everything in that is loaded.
    pub(super) fn finish_live(&mut self) -> Result<(), Wrong> {
        if self.generations.iter().all(Vec::is_empty) {
            return Ok(());
        }
        self.start();
        self.wait_for_live()?;
        self.step(&Step::Stop)
    }

    fn wait_for_live(&mut self) -> Result<(), Wrong> {
        let deadline = Instant::now() + PATIENCE / 2;
        let wanted = union(&[self.oracle.holds(&self.generations.concat())]);
        let is_there = |rows: Vec<Row>| {
            let ids: HashSet<&String> = rows.iter().map(|row| &row.id).collect();
            wanted.keys().all(|event| !has_id(event) || ids.contains(&event.2)) && rows.len() >= wanted.len()
        };
        while !is_there(rows(self.ground)) {
            if Instant::now() > deadline {
                return Err("the daemon does not load all of its log".to_owned());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }

    /// Makes every file whole, and all as if nobody had written to them for long.
    pub(super) fn settle(&mut self) {
        for index in 0..self.files.len() {
            self.complete(index);
            self.files[index].form.old = true;
            age(&self.files[index].path, true);
        }
        for (path, content) in self.live_files() {
            age(&path, true);
            self.remember(path, &content);
        }
        // A generation was seen under the live name, too.
        for generation in self.generations.clone() {
            self.remember(self.live_path(), &generation);
        }
    }

    /// What the files hold now.
    pub(super) fn contents(&self) -> Vec<Vec<u8>> {
        self.files.iter().map(|f| f.content.clone()).chain(self.generations.iter().cloned()).collect()
    }

    /// Files and what is in them, for a failed case.
    pub(super) fn tell(&self) -> String {
        let mut text = String::new();
        for (path, content) in
            self.files.iter().map(|f| (f.path.clone(), f.content.clone())).chain(self.live_files())
        {
            text += &format!("--- {}\n{}\n", path.display(), String::from_utf8_lossy(&content));
        }
        text
    }
}
