//! A log directory, a database and a daemon that follows the logs in it.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use super::daemon::{Daemon, configuration, wait_for};
use super::lines::{many, register};
use super::postgres::Database;

/// Files of which some lines are not accounted for.
pub(crate) const UNBALANCED: &str =
    "SELECT * FROM checkpoints WHERE lines <> rows + non_hits + rejects + already_loaded + unloaded";

/// Rows that no entry of the ledger tells of.
pub(crate) const NOT_IN_LEDGER: &str = "SELECT app_id, occurred_at, file_id, file_offset FROM access_logs l WHERE NOT EXISTS (\
    SELECT FROM batches b CROSS JOIN LATERAL unnest(b.apps, b.hours) AS c (app_id, hour) \
    WHERE b.kind = 'rows' AND b.file_id = l.file_id AND l.file_offset >= b.from_offset AND l.file_offset < b.to_offset \
      AND (b.offsets IS NULL OR l.file_offset = ANY (b.offsets)) AND l.occurred_at BETWEEN b.first_at AND b.last_at \
      AND c.app_id = l.app_id AND coalesce(c.hour, b.hours[1]) = floor(extract(epoch FROM l.occurred_at) / 3600))";

/// The number of rows by the ledger, if it is another one than there are.
pub(crate) const LEDGER_UNBALANCED: &str = "SELECT b.rows, l.rows FROM (SELECT coalesce(sum(CASE kind WHEN 'rows' THEN rows \
    WHEN 'removed' THEN -rows END), 0) AS rows FROM batches) b, (SELECT count(*) AS rows FROM access_logs) l \
    WHERE b.rows <> l.rows";

/// A log directory, a database and a daemon that follows one log.
pub(crate) struct Bench {
    pub(crate) directory: tempfile::TempDir,
    pub(crate) database: Database,
    pub(crate) config: PathBuf,
    pub(crate) daemon: Option<Daemon>,
    /// Lines that have to become rows.
    pub(crate) written: usize,
}

impl Bench {
    /// Follows `beacon.log` in a directory of its own.
    pub(crate) fn new() -> Bench {
        Bench::with("[[source]]\npaths = [\"DIR/beacon.log\"]")
    }

    /// Follows these sources; `DIR` stands for the directory.
    pub(crate) fn with(sources: &str) -> Bench {
        let mut bench = Bench::not_started(sources, Database::create());
        bench.start();
        bench
    }

    /// As [`Bench::with`], before the daemon is started.
    pub(crate) fn not_started(sources: &str, database: Database) -> Bench {
        let directory = tempfile::tempdir().unwrap();
        register(&database);
        let sources = sources.replace("DIR", &directory.path().display().to_string());
        let config = configuration(directory.path(), &database, &sources, "");
        Bench { directory, database, config, daemon: None, written: 0 }
    }

    /// A file in its directory.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Starts the daemon.
    pub(crate) fn start(&mut self) {
        self.daemon = Some(Daemon::start(&self.config));
    }

    /// Stops it in order.
    pub(crate) fn stop(&mut self) {
        assert!(self.daemon.take().unwrap().stop().success());
    }

    /// Appends hits to a file and counts them.
    pub(crate) fn append(&mut self, name: &str, count: usize) {
        self.append_text(name, &many(count), count);
    }

    /// Appends text that holds so many lines to become rows.
    pub(crate) fn append_text(&mut self, name: &str, text: &str, lines: usize) {
        let mut file = OpenOptions::new().create(true).append(true).open(self.path(name)).unwrap();
        file.write_all(text.as_bytes()).unwrap();
        self.written += lines;
    }

    /// Makes a file one that was not written to for an hour.
    pub(crate) fn stands_still(&self, name: &str) {
        let file = OpenOptions::new().append(true).open(self.path(name)).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_secs(3600)).unwrap();
    }

    /// Rows loaded.
    pub(crate) fn rows(&self) -> usize {
        self.database.psql("SELECT count(*) FROM access_logs").parse().unwrap()
    }

    /// Waits until as many rows are there as lines were written; then none may be double or misplaced.
    pub(crate) fn settle(&self) {
        self.settle_within(30);
    }

    /// As [`Bench::settle`], with more patience, in seconds.
    pub(crate) fn settle_within(&self, seconds: u64) {
        wait_for(seconds, || self.rows() >= self.written, || self.state());
        self.check();
    }

    /// Checks that every line is one row, and nothing is a reject.
    pub(crate) fn check(&self) {
        let rows = self.rows();
        let distinct: usize =
            self.database.psql("SELECT count(DISTINCT event_id) FROM access_logs").parse().unwrap();
        assert_eq!((rows, distinct), (self.written, self.written), "{}", self.state());
        assert_eq!(self.database.psql(UNBALANCED), "");
        assert_eq!(self.database.psql(NOT_IN_LEDGER), "");
        let rejects = self.database.psql("SELECT count(*) FROM rejected_lines");
        assert_eq!(rejects, "0", "{}", self.state());
    }

    /// What is known, for a failed test.
    pub(crate) fn state(&self) -> String {
        let checkpoints = self.database.psql(
            "SELECT f.path, c.file_id, c.fork, c.loaded_bytes, c.sealed, c.lines, c.rows, c.rejects, c.already_loaded \
             FROM checkpoints c JOIN log_files f ON f.id = c.file_id ORDER BY c.file_id",
        );
        let log = self.daemon.as_ref().map_or_else(String::new, Daemon::log);
        format!("written {}, rows {}\n{checkpoints}\n{log}", self.written, self.rows())
    }

    /// Waits until so many files are sealed.
    pub(crate) fn sealed(&self, count: usize) {
        let sealed =
            || self.database.psql("SELECT count(*) FROM checkpoints WHERE sealed") == count.to_string();
        wait_for(30, sealed, || self.state());
    }
}
