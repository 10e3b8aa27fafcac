//! The lifecycle as a property: whatever happens to a directory, the daemon and the database, every line that is in a
//! file at the end, or was in a file that was deleted while the daemon had it open, becomes exactly one row.
//!
//! The world is small and in memory: files of numbered lines, checkpoints, rows. Its reader works like the real one,
//! and [`step`] decides for both. Operations for which nothing is promised are not generated, as in the model of the
//! integration tests.

mod database;
mod disk;
mod reader;

use super::*;
use database::{Checkpoint, Database, Section};
use reader::{Kept, Reading};

/// The number of sequences to play. Each sequence uses its number as its seed, so that a failure can be replayed.
const SEQUENCES: u64 = 200_000;

/// The maximum number of rotated files that are open at the same time.
const ROTATED_OPEN_MAX: usize = 2;

const SEAL_AFTER: Micros = 100;

/// The number of rounds within which a correct reader has loaded everything.
const ROUNDS: usize = 60;

#[derive(Debug, Clone, Copy)]
enum Op {
    /// nginx writes this many lines.
    Write(u8),
    /// The log is renamed; nginx writes this many more lines to the renamed file.
    Rotate(u8),
    /// A slow worker writes to the last rotated file that is not compressed.
    Late(u8),
    CopyTruncate,
    Cut(u8),
    /// The log is emptied, and immediately grows to at least its earlier length.
    Regrow(u8),
    /// The log is deleted; the next line creates it again.
    Delete,
    /// The log is replaced by a new inode that lacks one of the lines.
    Edit(u8),
    /// A rotated file is compressed; `true`: the compressed file is incomplete at first.
    Pack(u8, bool),
    DeleteRotated(u8),
    /// The log, or a rotated file, gets a name that is not followed.
    Stray(u8),
    /// A file with such a name is moved to where nobody looks.
    Lose(u8),
    /// The log, or a rotated file, is copied to a file next to it.
    Duplicate(u8),
    /// Another file appears that begins with the same line.
    Alike(u8),
    Look(Fate),
    /// Each file has a turn of this many lines.
    Turn(u8),
    Commit(Fate),
    Stop,
    Kill(Fate),
    Wait,
}

/// The outcome of the data that is on its way to the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Committed,
    /// The connection is cut before the commit.
    Lost,
    /// The connection is cut after the commit: the reader does not know the outcome.
    Unknown,
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % n
    }

    fn byte(&mut self, n: u64) -> u8 {
        u8::try_from(self.below(n)).unwrap()
    }

    fn fate(&mut self) -> Fate {
        match self.below(8) {
            0 => Fate::Lost,
            1 => Fate::Unknown,
            _ => Fate::Committed,
        }
    }

    fn op(&mut self) -> Op {
        match self.below(64) {
            0..=8 => Op::Write(1 + self.byte(5)),
            9..=12 => Op::Rotate(self.byte(3)),
            13..=14 => Op::Late(1 + self.byte(3)),
            15..=16 => Op::CopyTruncate,
            17 => Op::Cut(self.byte(8)),
            18 => Op::Regrow(self.byte(4)),
            19 => Op::Delete,
            20 => Op::Edit(self.byte(8)),
            21..=23 => Op::Pack(self.byte(8), self.below(2) == 0),
            24 => Op::DeleteRotated(self.byte(8)),
            25 => Op::Duplicate(self.byte(8)),
            26 => Op::Alike(1 + self.byte(4)),
            27..=36 => Op::Look(self.fate()),
            37..=46 => Op::Turn(1 + self.byte(6)),
            47..=51 => Op::Commit(self.fate()),
            52 => Op::Stop,
            53..=54 => Op::Kill(self.fate()),
            55..=57 => Op::Stray(self.byte(8)),
            58 => Op::Lose(self.byte(8)),
            _ => Op::Wait,
        }
    }
}

/// A line: its number is both its id and its time.
type Line = usize;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Name {
    Live,
    Rotated,
    /// In a directory of the log, under a name that is not followed.
    Stray,
    /// Somewhere else.
    Lost,
    None,
}

impl Name {
    /// Whether a source finds the file by its name.
    fn is_followed(self) -> bool {
        matches!(self, Name::Live | Name::Rotated)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Plain,
    Packed,
    /// Compressed, and incomplete.
    Half,
}

#[derive(Debug)]
struct File {
    inode: usize,
    name: Name,
    form: Form,
    lines: Vec<Line>,
    modified: Micros,
}

impl File {
    fn stamp(&self) -> Stamp {
        let half = i64::from(self.form == Form::Half);
        Stamp { size: i64::try_from(self.lines.len()).unwrap() * 2 - half, modified: self.modified }
    }
}

/// The database's answers are no longer valid.
struct Interrupted;

#[derive(Debug, Default)]
struct World {
    now: Micros,
    lines: Line,
    files: Vec<File>,
    /// The file that is being written by the compressor, and its source file.
    packing: Option<(usize, usize)>,
    database: Database,
    ids: i32,
    reached: Vec<usize>,
    states: Vec<(usize, State)>,
    /// The checkpoints of the files that were identified, by inode.
    identified: Vec<(usize, i32)>,
    /// Files that were found again by their content.
    found_again: Vec<usize>,
    /// Checkpoints of missing files, as of the last search.
    missing: Vec<i32>,
    open: Vec<Reading>,
    kept: Vec<Kept>,
    batch: Vec<Section>,
    in_flight: Vec<Section>,
    owed: Vec<Line>,
    is_edited: bool,
    doubled: Option<Line>,
}

impl World {
    fn moment(&self) -> Moment {
        Moment { now: self.now, seal_after: SEAL_AFTER, is_final: false }
    }

    fn play(&mut self, op: Op) {
        self.now += 1;
        match op {
            Op::Look(fate) => self.goes_on(|world| world.look(fate)),
            Op::Turn(n) => self.goes_on(|world| world.turn(usize::from(n))),
            Op::Commit(fate) => self.goes_on(|world| world.commit(fate)),
            Op::Stop => {
                _ = self.settle(Fate::Committed);
                self.end();
            }
            Op::Kill(fate) => {
                _ = self.commit(fate);
                self.end();
            }
            Op::Wait => self.now += SEAL_AFTER + 10,
            _ => self.change(op),
        }
    }

    /// Does work that needs the database. If the connection is cut, the database's answers are no longer valid.
    fn goes_on(&mut self, work: impl FnOnce(&mut World) -> Result<(), Interrupted>) {
        if work(self).is_err() {
            self.forget();
        }
    }

    fn state(&self, inode: usize) -> State {
        if self.open.iter().any(|reading| self.files[reading.file].inode == inode) {
            return State::Open;
        }
        self.states.iter().find(|(of, _)| *of == inode).map_or(State::New, |(_, state)| *state)
    }

    fn set(&mut self, inode: usize, state: State) {
        self.states.retain(|(of, _)| *of != inode);
        if state != State::New && state != State::Open {
            self.states.push((inode, state));
        }
    }

    /// Lets all work finish.
    fn come_to_rest(&mut self) -> Result<(), String> {
        self.end_packing();
        // A file whose content was replaced, and that is as long as what was read of it, is detected by what is written
        // after that, or by its end.
        if self.is_edited && !self.has_successor() {
            self.play(Op::Write(1));
        }
        let is_other =
            |r: &&Reading| !self.has_unread(r) && self.files[r.file].lines.last().copied() != r.last;
        for file in self.open.iter().filter(is_other).map(|r| r.file).collect::<Vec<_>>() {
            let lines = self.some_lines(1);
            self.append(file, &lines);
        }
        let named = self.files.iter().filter(|file| file.name.is_followed());
        let mut there: Vec<Line> = named.flat_map(|file| file.lines.iter().copied()).collect();
        there.append(&mut self.owed);
        let strays = (0..self.files.len()).filter(|at| self.must_be_found(*at));
        there.extend(strays.collect::<Vec<_>>().into_iter().flat_map(|at| self.files[at].lines.clone()));
        for _ in 0..ROUNDS {
            for op in [Op::Look(Fate::Committed), Op::Turn(u8::MAX), Op::Commit(Fate::Committed), Op::Wait] {
                self.play(op);
            }
            let is_loaded = self.in_flight.is_empty() && self.batch.is_empty() && self.database.has(&there);
            if is_loaded && self.untold().is_none() {
                self.is_edited = false;
                return self.doubled.map_or(Ok(()), |line| Err(format!("doubled: {line}")));
            }
        }
        match there.iter().find(|line| !self.database.has(&[**line])) {
            Some(line) => Err(format!("lost: {line}")),
            None => Err(format!("nobody says that it is missing: {:?}", self.untold())),
        }
    }

    /// Whether a file goes on at a checkpoint.
    fn continues(&self, file: usize, c: &Checkpoint) -> bool {
        let lines = &self.files[file].lines;
        let tail = c.loaded.checked_sub(1).and_then(|at| lines.get(at));
        self.files[file].form != Form::Half && lines.first() == Some(&c.head) && tail == Some(&c.tail)
    }

    /// Whether a file whose name is not followed must be found: it goes on at a checkpoint at which no other file does.
    fn must_be_found(&self, file: usize) -> bool {
        let is_other = |at: &usize| *at != file && self.files[*at].name != Name::Lost;
        let is_alone = |c: &Checkpoint| {
            let mut others = (0..self.files.len()).filter(is_other);
            !c.is_sealed && self.continues(file, c) && !others.any(|at| self.continues(at, c))
        };
        self.files[file].name == Name::Stray && self.database.checkpoints.iter().any(is_alone)
    }

    /// A checkpoint without a seal whose file is neither followed nor reported as missing.
    fn untold(&self) -> Option<&Checkpoint> {
        let is_known = |c: &Checkpoint| {
            let is_followed = |at: usize| self.files[at].name.is_followed() && self.continues(at, c);
            self.open.iter().any(|reading| reading.id == c.id)
                || self.identified.iter().any(|(_, id)| *id == c.id)
                || (0..self.files.len()).any(is_followed)
        };
        let mut unsealed = self.database.checkpoints.iter().filter(|c| !c.is_sealed);
        unsealed.find(|c| !is_known(c) && !self.missing.contains(&c.id))
    }
}

fn check(ops: &[Op]) -> Result<(), String> {
    let mut world = World::default();
    for op in ops {
        world.play(*op);
    }
    world.come_to_rest()?;
    // After a restart there is nothing to do.
    world.play(Op::Stop);
    world.play(Op::Write(1));
    world.come_to_rest()
}

#[test]
fn whatever_happens_no_line_is_lost_or_doubled() {
    let threads = 2;
    let part = |of: u64| {
        for seed in (0..SEQUENCES).filter(|seed| seed % threads == of) {
            let mut random = Random(seed);
            let length = 4 + random.below(28);
            let mut ops: Vec<Op> = (0..length).map(|_| random.op()).collect();
            let Err(mut wrong) = check(&ops) else { continue };
            // Removes operations that the failure does not need.
            let mut at = 0;
            while at < ops.len() {
                let mut fewer = ops.clone();
                fewer.remove(at);
                match check(&fewer) {
                    Err(said) => (ops, wrong) = (fewer, said),
                    Ok(()) => at += 1,
                }
            }
            panic!("{wrong} (sequence {seed}), after {ops:#?}");
        }
    };
    std::thread::scope(|scope| {
        let all: Vec<_> = (0..threads).map(|of| scope.spawn(move || part(of))).collect();
        all.into_iter().for_each(|thread| thread.join().unwrap());
    });
}
