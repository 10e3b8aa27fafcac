//! A log that is written to at a pace and rotated, and what has to become of each of its lines.

use std::collections::{HashMap, HashSet};
use std::fs::OpenOptions;
use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use super::bench::{Bench, UNBALANCED};
use super::daemon::wait_for;
use super::lines::alt1;

/// Which file, in the order in which they were begun, and where in it.
type Place = (usize, usize);

/// A log of which every line is known, and where it stands.
pub(crate) struct Pace {
    path: PathBuf,
    file: usize,
    size: usize,
    hits: HashMap<String, Place>,
    garbage: HashSet<Place>,
    /// What each file holds.
    pub(crate) texts: Vec<String>,
}

impl Pace {
    /// The log of a bench that follows `beacon.log`.
    pub(crate) fn new(bench: &Bench) -> Pace {
        Pace {
            path: bench.path("beacon.log"),
            file: 0,
            size: 0,
            hits: HashMap::new(),
            garbage: HashSet::new(),
            texts: vec![String::new()],
        }
    }

    /// Appends so many hits, and garbage after each tenth.
    pub(crate) fn append(&mut self, count: usize) {
        let mut text = String::new();
        for _ in 0..count {
            let line = alt1();
            let id = line.split('\t').nth(2).unwrap().to_owned();
            self.hits.insert(id, (self.file, self.size + text.len()));
            text += &line;
            if self.hits.len().is_multiple_of(10) {
                self.garbage.insert((self.file, self.size + text.len()));
                text += &format!("garbage {}\n", self.hits.len());
            }
        }
        let mut log = OpenOptions::new().create(true).append(true).open(&self.path).unwrap();
        log.write_all(text.as_bytes()).unwrap();
        self.size += text.len();
        self.texts[self.file] += &text;
    }

    /// Moves the log away, as logrotate does.
    pub(crate) fn rotate(&mut self) {
        if self.size == 0 {
            return;
        }
        self.file += 1;
        self.size = 0;
        self.texts.push(String::new());
        std::fs::rename(&self.path, self.rotated(self.file)).unwrap();
    }

    /// Where the file is that was moved away as the `n`-th, from 1.
    pub(crate) fn rotated(&self, n: usize) -> PathBuf {
        self.path.with_file_name(format!("beacon.log-20261120.{n}"))
    }

    /// Appends `rounds` times, a moment apart, and rotates after each `every`.
    pub(crate) fn run(&mut self, rounds: usize, every: usize) {
        for round in 1..=rounds {
            self.append(7);
            if round.is_multiple_of(every) {
                self.rotate();
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Lines written.
    pub(crate) fn lines(&self) -> usize {
        self.hits.len() + self.garbage.len()
    }

    /// Whether as many rows and rejects are there as lines were written.
    pub(crate) fn is_loaded(&self, bench: &Bench) -> bool {
        let sql = "SELECT (SELECT count(*) FROM access_logs) + \
                          (SELECT coalesce(sum(lines), 0) FROM rejected_lines)";
        bench.database.psql(sql).parse::<usize>().unwrap() >= self.lines()
    }

    /// Waits until they are; then [`Pace::check`].
    pub(crate) fn settle(&self, bench: &Bench, seconds: u64) {
        wait_for(seconds, || self.is_loaded(bench), || format!("{} lines\n{}", self.lines(), bench.state()));
        self.check(bench);
    }

    /// Checks that every hit is one row and every line of garbage one reject, each where it stands.
    pub(crate) fn check(&self, bench: &Bench) {
        let mut files: HashMap<String, usize> = HashMap::new();
        let mut seen = HashSet::new();
        let rows = bench
            .database
            .psql("SELECT file_id, file_offset, replace(event_id::text, '-', '') FROM access_logs");
        for row in rows.lines() {
            let fields: Vec<&str> = row.split('|').collect();
            let (file, offset) = self.hits[fields[2]];
            assert!(seen.insert(fields[2]), "twice: {row}\n{}", bench.state());
            assert_eq!(fields[1], offset.to_string(), "{row}\n{}", bench.state());
            assert_eq!(*files.entry(fields[0].to_owned()).or_insert(file), file, "{row}\n{}", bench.state());
        }
        assert_eq!(seen.len(), self.hits.len(), "{}", bench.state());
        let mut rejects = 0;
        for row in bench.database.psql("SELECT file_id, file_offset, lines FROM rejected_lines").lines() {
            let fields: Vec<&str> = row.split('|').collect();
            let offset = fields[1].parse().unwrap();
            let file = files.get(fields[0]).unwrap_or_else(|| panic!("{row}\n{}", bench.state()));
            assert!(self.garbage.contains(&(*file, offset)), "{row}\n{}", bench.state());
            rejects += fields[2].parse::<usize>().unwrap();
        }
        assert_eq!(rejects, self.garbage.len(), "{}", bench.state());
        assert_eq!(bench.database.psql(UNBALANCED), "", "{}", bench.state());
    }
}
