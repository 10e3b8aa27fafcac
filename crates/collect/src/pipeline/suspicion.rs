//! Lines that may have crashed the daemon, remembered from one run to the next: they are processed one by one.
//!
//! Only an end that the daemon itself caused counts (a panic, SIGABRT as the watchdog sends it, SIGSEGV …): whoever
//! observes it leaves a note. What the readers had in hand, according to their trail, is then suspected. A suspected
//! line is recorded in the database before it is processed, and the second crash in the line sets it aside. Files in
//! the state directory:
//!
//! | file       | written by                                | holds                                |
//! |------------|-------------------------------------------|--------------------------------------|
//! | `trail`    | the readers                               | what each has in hand                |
//! | `end`      | `alt ended`, or the daemon where it can   | why the last run ended               |
//! | `suspects` | the daemon                                | stretches of files that are suspected|

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use alt_line::checkpoint::Hash;
use alt_line::hit::Micros;
use alt_process::clock;
use alt_process::lock::lock;

use crate::source::reading::Reading;
use crate::source::siblings::Key;
use crate::source::trail::{self, Held, How, Slot};

/// A stretch is forgotten when its file was not seen for this long.
const FORGOTTEN_AFTER: Micros = 24 * 3_600_000_000;

/// The maximum number of stretches that are remembered. Each reader adds one per crash.
const STRETCHES_MAX: usize = 256;

/// The reason why the last run ended, if the run itself caused it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// By a signal that the daemon raised, or the watchdog sent: its name without `SIG`.
    Signal(String),
    /// A reader panicked; its number.
    Panic(usize),
    /// A reader made no progress; its number.
    Still(usize),
    /// The writer panicked.
    Writer,
}

impl End {
    /// Interprets a service manager's report about a process that ended; `None`: the process did not cause its end.
    /// `result` is systemd's `$SERVICE_RESULT`. `status` is its `$EXIT_STATUS`: a signal's name without `SIG`, or a
    /// number.
    pub fn of(result: &str, status: &str) -> Option<End> {
        // A process that does not end by the watchdog's SIGABRT is killed.
        let status = if result == "watchdog" { "ABRT" } else { status };
        ["ABRT", "SEGV", "ILL", "BUS", "FPE"].contains(&status).then(|| End::Signal(status.to_owned()))
    }

    fn parse(note: &str) -> Option<End> {
        let mut words = note.split_whitespace();
        let (what, which) = (words.next()?, words.next());
        let number = || which.and_then(|which| which.parse().ok());
        Some(match what {
            "signal" => End::Signal(which?.to_owned()),
            "panic" => End::Panic(number()?),
            "still" => End::Still(number()?),
            "writer" => End::Writer,
            _ => return None,
        })
    }

    /// Leaves the note, unless one exists: the first observer knows the reason best.
    ///
    /// # Errors
    /// The note cannot be written.
    pub fn note(&self, directory: &Path) -> io::Result<()> {
        match fs::File::create_new(directory.join("end")) {
            Ok(mut file) => io::Write::write_all(&mut file, format!("{self}\n").as_bytes()),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            Err(error) => Err(error),
        }
    }
}

impl std::fmt::Display for End {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            End::Signal(name) => write!(f, "signal {name}"),
            End::Panic(reader) => write!(f, "panic {reader}"),
            End::Still(reader) => write!(f, "still {reader}"),
            End::Writer => f.write_str("writer"),
        }
    }
}

/// A stretch of a file whose lines are processed one by one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stretch {
    file_id: i32,
    head: Hash,
    key: Key,
    /// Offset of the first line.
    pub from: u64,
    /// Offset after the last line.
    pub to: u64,
    /// The number of crashes that one of its lines caused, while it is unknown which line.
    pub deaths: i32,
    /// The last run crashed in the line at this offset, which it processed alone.
    pub ended_at: Option<u64>,
    since: Micros,
}

impl Stretch {
    fn of(held: &Held, since: Micros) -> Stretch {
        let Held { file_id, head, key, from, to, .. } = *held;
        Stretch { file_id, head, key, from, to, deaths: 1, ended_at: None, since }
    }

    /// Whether both belong to the same file, as far as that is known: a wrong suspicion only costs time.
    fn is_of(&self, file_id: i32, head: &Hash, key: Key) -> bool {
        self.file_id == file_id || self.head == *head || self.key == key && key != (0, 0)
    }

    fn line(&self) -> String {
        let head: String = self.head.iter().map(|byte| format!("{byte:02x}")).collect();
        let ended_at = self.ended_at.map_or("-".to_owned(), |at| at.to_string());
        let Stretch { file_id, key, from, to, deaths, since, .. } = self;
        format!("{file_id} {head} {} {} {from} {to} {deaths} {ended_at} {since}\n", key.0, key.1)
    }

    fn parse(line: &str) -> Option<Stretch> {
        let mut words = line.split(' ');
        let mut word = || words.next();
        let file_id = word()?.parse().ok()?;
        let head = u128::from_str_radix(word()?, 16).ok()?.to_be_bytes();
        let mut number = || word()?.parse::<u64>().ok();
        let (key, from, to) = ((number()?, number()?), number()?, number()?);
        let deaths = word()?.parse().ok()?;
        let ended_at = word()?.parse().ok();
        let since = word()?.parse().ok()?;
        Some(Stretch { file_id, head, key, from, to, deaths, ended_at, since })
    }
}

/// All suspected stretches.
#[derive(Debug)]
pub struct Suspicion {
    path: PathBuf,
    stretches: Mutex<Vec<Stretch>>,
    /// The number of stretches; it is read at every turn of every file.
    count: AtomicUsize,
}

impl Suspicion {
    /// Reads what the last run left, and starts a new trail for this many readers.
    ///
    /// # Errors
    /// The state directory cannot be read or written.
    pub fn begin(directory: &Path, readers: usize) -> io::Result<(Suspicion, Vec<Slot>)> {
        let (note, trail) = (directory.join("end"), directory.join("trail"));
        let path = directory.join("suspects");
        let text = |path: &Path| match fs::read_to_string(path) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        };
        let now = clock::now();
        let is_fresh = |stretch: &Stretch| (0..FORGOTTEN_AFTER).contains(&(now - stretch.since));
        let before = text(&path)?.unwrap_or_default();
        let mut stretches: Vec<Stretch> =
            before.lines().filter_map(Stretch::parse).filter(is_fresh).collect();
        let end = text(&note)?.and_then(|note| End::parse(&note));
        if let Some(end) = &end {
            blame(&mut stretches, end, &trail::read(&trail)?, now);
            let suspected: Vec<_> = stretches.iter().map(|s| format!("{} to {}", s.from, s.to)).collect();
            tracing::warn!(
                %end, offsets = suspected.join(", "),
                "the last run ended by a fault of its own: the lines that it had in hand are loaded one by one"
            );
        }
        // The oldest stretches are dropped: the newest ones belong to the last crash.
        stretches.drain(..stretches.len().saturating_sub(STRETCHES_MAX));
        let suspicion =
            Suspicion { path, count: AtomicUsize::new(stretches.len()), stretches: Mutex::new(stretches) };
        // This order ensures that a crash in between is counted exactly once.
        suspicion.save(&lock(&suspicion.stretches))?;
        let slots = trail::begin(&trail, readers)?;
        if end.is_some() {
            fs::remove_file(&note)?;
        }
        Ok((suspicion, slots))
    }

    /// The suspected stretch of a file, if there is one.
    pub fn of(&self, reading: &Reading) -> Option<Stretch> {
        if self.count.load(Ordering::Relaxed) == 0 {
            return None;
        }
        lock(&self.stretches).iter().find(|s| is_its(s, reading)).cloned()
    }

    /// Records that the stretch's crash is now counted for the line that caused it; `deaths` is the line's new count.
    pub fn counted(&self, reading: &Reading, deaths: Option<i32>) {
        self.change(|stretches| {
            for stretch in stretches.iter_mut().filter(|s| is_its(s, reading)) {
                stretch.ended_at = None;
                if deaths.is_some_and(|deaths| deaths > 1) {
                    // The crashes are explained: each of the other lines must cause two crashes of its own.
                    stretch.deaths = 0;
                }
            }
        });
    }

    /// Records that all lines of a file's stretch are loaded or set aside.
    pub fn passed(&self, reading: &Reading) {
        self.change(|stretches| stretches.retain(|s| !is_its(s, reading)));
    }

    fn change(&self, how: impl FnOnce(&mut Vec<Stretch>)) {
        let stretches = &mut *lock(&self.stretches);
        how(stretches);
        self.count.store(stretches.len(), Ordering::Relaxed);
        if let Err(error) = self.save(stretches) {
            tracing::warn!(path = %self.path.display(), %error, "cannot note which lines are suspected");
        }
    }

    fn save(&self, stretches: &[Stretch]) -> io::Result<()> {
        let new = self.path.with_extension("new");
        fs::write(&new, stretches.iter().map(Stretch::line).collect::<String>())?;
        fs::rename(&new, &self.path)
    }
}

fn is_its(stretch: &Stretch, reading: &Reading) -> bool {
    stretch.is_of(reading.file_id(), &reading.head().proof.hash, reading.key)
}

/// Adds what the readers had in hand when the daemon ended in this way.
fn blame(stretches: &mut Vec<Stretch>, end: &End, trail: &[Option<Held>], now: Micros) {
    let is_meant = |&(reader, _): &(usize, &Held)| match end {
        End::Panic(which) | End::Still(which) => reader == *which,
        End::Signal(_) | End::Writer => true,
    };
    let held = trail.iter().enumerate().filter_map(|(n, held)| Some((n, held.as_ref()?))).filter(is_meant);
    let held: Vec<Held> = held.map(|(_, held)| *held).collect();
    let in_hand = |held: &Held| matches!(held.how, How::Lines | How::Line);
    // If no reader had anything in hand, the cause was with the writer: everything that is not committed.
    let is_writers = *end == End::Writer || !held.iter().any(in_hand);
    for held in held {
        let mut stretch = match is_writers {
            false if in_hand(&held) => Stretch::of(&held, now),
            true if held.how == How::Rests => Stretch { from: 0, ..Stretch::of(&held, now) },
            _ => continue,
        };
        stretch.ended_at = held.is_one.then_some(held.from);
        match stretches.iter_mut().find(|s| s.is_of(held.file_id, &held.head, held.key)) {
            Some(known) if held.is_one => {
                // A line is processed alone only after its file has a permanent key.
                (known.file_id, known.head, known.key) = (held.file_id, held.head, held.key);
                (known.ended_at, known.since) = (stretch.ended_at, now);
            }
            Some(known) => {
                (known.from, known.to) = (known.from.min(stretch.from), known.to.max(stretch.to));
                (known.deaths, known.since) = (1, now);
            }
            None => stretches.push(stretch),
        }
    }
}
