//! A case of the property: logs, what files were made of them, and what is done with the files.
//!
//! Plain data, drawn by proptest from a seed. References are numbers taken modulo what is there, so that whatever
//! is taken away from a case, it stays one: failing cases shrink to a few short lines. What is outside of the
//! promise is not drawn (see [`Theme`]) or is left out when the files are made (`world`).

use proptest::prelude::*;

/// What the lines of a case are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lines {
    /// Lines with ids.
    Alt1,
    /// Lines without; no two of a file are equal.
    Combined,
    /// Lines without, many of them equal; files are whole logs or their beginnings.
    Twins,
}

/// What is drawn.
#[derive(Debug, Clone, Copy)]
pub(super) struct Theme {
    pub(super) lines: Lines,
    /// Replays are killed, stopped and cut off from the database; files change under them.
    pub(super) disturbed: bool,
    /// A daemon follows one more log.
    pub(super) live: bool,
}

/// What happens, from an empty database on. In the end everything is whole and replayed twice.
#[derive(Debug, Clone)]
pub(super) struct Case {
    pub(super) lines: Lines,
    pub(super) batch_rows: usize,
    pub(super) logs: Vec<Log>,
    pub(super) files: Vec<Spec>,
    pub(super) steps: Vec<Step>,
    pub(super) live: bool,
    /// No two files are ever read at the same time, so that the last place of each is known.
    pub(super) alone: bool,
}

impl std::fmt::Display for Case {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "{:?}, batches of {}, alone: {}", self.lines, self.batch_rows, self.alone)?;
        self.logs.iter().try_for_each(|log| writeln!(f, "  {log:?}"))?;
        self.files.iter().try_for_each(|file| writeln!(f, "  {file:?}"))?;
        self.steps.iter().try_for_each(|step| writeln!(f, "  {step:?}"))
    }
}

/// A log as nginx wrote it: lines in the order of their times.
#[derive(Debug, Clone)]
pub(super) struct Log {
    /// Hours after the first that there is.
    pub(super) start: u16,
    pub(super) lines: Vec<LineSpec>,
}

/// A line: what it is, the time since the one before, how long it is.
#[derive(Debug, Clone, Copy)]
pub(super) struct LineSpec {
    pub(super) what: What,
    pub(super) gap: Gap,
    pub(super) pad: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    Hit,
    /// A JSON body, whole or no hit.
    Json,
    /// A last field that may be cut and leaves a hit.
    Body,
    NonHit,
    Garbage,
    Empty,
    UnknownApp,
    BadTime,
    /// The head of another line in the same line.
    Torn,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Gap {
    None,
    Milliseconds,
    Seconds,
    Hours,
    Weeks,
}

/// A file that was made of logs.
#[derive(Debug, Clone)]
pub(super) struct Spec {
    /// It begins with the first line of this log.
    pub(super) begins_like: Option<u8>,
    pub(super) pieces: Vec<Piece>,
    pub(super) mix: Mix,
    /// So many lines stand in it once more, at its end.
    pub(super) again: u8,
    /// Its last newline is missing.
    pub(super) open_end: bool,
    pub(super) form: Form,
    pub(super) name: u8,
}

/// A piece of a log.
#[derive(Debug, Clone, Copy)]
pub(super) struct Piece {
    pub(super) log: u8,
    pub(super) from: Cut,
    pub(super) to: Cut,
}

/// Where a log is cut, in thousandths of it.
#[derive(Debug, Clone, Copy)]
pub(super) enum Cut {
    /// Not at all.
    Not,
    Line(u16),
    Byte(u16),
}

/// How the lines of all pieces are put together.
#[derive(Debug, Clone, Copy)]
pub(super) enum Mix {
    /// One piece behind the other, byte by byte.
    Concatenated,
    Merged,
    Reversed,
    Shuffled(u8),
}

/// How a file lies on the disk.
#[derive(Debug, Clone, Copy)]
pub(super) struct Form {
    pub(super) pack: Pack,
    /// Nobody has written to it for an hour.
    pub(super) old: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pack {
    Plain,
    Gzip,
    /// So many members, cut anywhere.
    GzipMany(u8),
    Zstd,
    Bzip2,
}

/// Something that is done.
#[derive(Debug, Clone)]
pub(super) enum Step {
    /// Replays at the same time, and what happens to them.
    Replay(Vec<Run>, Vec<Disturbance>),
    Rename(u8, u8),
    /// Packed otherwise, as another inode.
    Repack(u8, Form),
    /// Only so many thousandths of it are there yet: a copy under way.
    Partly(u8, u16),
    /// It has arrived.
    Whole(u8),
    /// Overwritten in place by what was made of logs.
    Rewrite(u8, Spec),
    /// Overwritten in place: so many lines that stand nowhere else come in behind its first one.
    Insert(u8, u8),
    /// Some rows are deleted by hand.
    Delete(u8),
    /// The application that nobody knew is registered, and rejects are looked at again.
    Register,
    /// The daemon starts, stops, or is killed.
    Start,
    Stop,
    Kill,
    /// Until the daemon, if one runs, has loaded what there is.
    Wait,
    /// Lines are written to the live log; `true`: each in two halves.
    Write(Vec<LineSpec>, bool),
    /// The live log is renamed; so many lines still go to the old one.
    Rotate(u8),
    /// A file is made of the live log (`true`: and what it was rotated to), without its first lines.
    Snapshot {
        all: bool,
        skip: u8,
        to: Cut,
        mix: Mix,
        form: Form,
        name: u8,
    },
}

/// One `alt replay`. Options that it gets belong here, and to `World::command`.
#[derive(Debug, Clone)]
pub(super) struct Run {
    pub(super) what: Pick,
    pub(super) how: How,
    pub(super) jobs: u8,
    /// On which host.
    pub(super) host: u8,
}

/// What of it is loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    /// What is not loaded yet.
    News,
    /// What is loaded already, too.
    Again,
    /// Nothing.
    Dry,
    /// Only hits of one application.
    OnlyApp(u8),
    /// Only lines of the first log's first so many hours, or of what comes then.
    Time(u16, bool),
    /// Only lines in which a digit stands.
    Match(u8),
}

/// What is replayed.
#[derive(Debug, Clone)]
pub(super) enum Pick {
    All,
    Pattern,
    These(Vec<u8>),
    Stdin(u8),
    /// The file that came last.
    Newest,
    /// The live log and what it was rotated to.
    Live,
}

/// What happens to replays that run, after so many milliseconds.
#[derive(Debug, Clone)]
pub(super) enum Disturbance {
    Kill(u8, u8),
    Terminate(u8, u8),
    /// Stopped, and going on so many milliseconds later.
    Pause(u8, u8, u8),
    /// All sessions are ended.
    Sessions(u8),
    /// A step that is no replay.
    Meanwhile(u8, Box<Step>),
}

fn what() -> impl Strategy<Value = What> {
    use What::*;
    prop_oneof![
        14 => Just(Hit), 1 => Just(Json), 1 => Just(Body), 1 => Just(NonHit), 1 => Just(Garbage),
        1 => Just(Empty), 1 => Just(UnknownApp), 1 => Just(BadTime), 1 => Just(Torn),
    ]
}

fn line() -> impl Strategy<Value = LineSpec> {
    let gap = prop_oneof![
        16 => Just(Gap::None), 24 => Just(Gap::Milliseconds), 16 => Just(Gap::Seconds), 8 => Just(Gap::Hours),
        1 => Just(Gap::Weeks),
    ];
    (what(), gap, 0..40u8).prop_map(|(what, gap, pad)| LineSpec { what, gap, pad })
}

fn lines(most: usize) -> impl Strategy<Value = Vec<LineSpec>> {
    prop_oneof![3 => prop::collection::vec(line(), 0..8), 2 => prop::collection::vec(line(), 0..most)]
}

fn log() -> impl Strategy<Value = Log> {
    (prop_oneof![2 => Just(0u16), 1 => 0..1000u16], lines(60)).prop_map(|(start, lines)| Log { start, lines })
}

fn cut(bytes: bool) -> BoxedStrategy<Cut> {
    if bytes {
        prop_oneof![4 => Just(Cut::Not), 2 => (0..=1000u16).prop_map(Cut::Line), 1 => (0..=1000u16).prop_map(Cut::Byte)]
            .boxed()
    } else {
        prop_oneof![2 => Just(Cut::Not), 1 => (0..=1000u16).prop_map(Cut::Line)].boxed()
    }
}

fn mix() -> impl Strategy<Value = Mix> {
    prop_oneof![
        4 => Just(Mix::Concatenated), 1 => Just(Mix::Merged), 1 => Just(Mix::Reversed),
        1 => any::<u8>().prop_map(Mix::Shuffled),
    ]
}

fn form() -> impl Strategy<Value = Form> {
    let pack = prop_oneof![
        4 => Just(Pack::Plain), 2 => Just(Pack::Gzip), 1 => (2..5u8).prop_map(Pack::GzipMany),
        1 => Just(Pack::Zstd), 1 => Just(Pack::Bzip2),
    ];
    (pack, any::<bool>()).prop_map(|(pack, old)| Form { pack, old })
}

fn spec(lines: Lines) -> BoxedStrategy<Spec> {
    if lines == Lines::Twins {
        return (0..8u8, cut(false), form(), 0..9u8)
            .prop_map(|(log, to, form, name)| Spec {
                begins_like: None,
                pieces: vec![Piece { log, from: Cut::Not, to }],
                mix: Mix::Concatenated,
                again: 0,
                open_end: false,
                form,
                name,
            })
            .boxed();
    }
    let piece = (0..8u8, cut(true), cut(true)).prop_map(|(log, from, to)| Piece { log, from, to });
    let pieces =
        prop_oneof![3 => prop::collection::vec(piece.clone(), 1), 1 => prop::collection::vec(piece, 1..4)];
    let again = prop_oneof![4 => Just(0u8), 1 => 0..9u8];
    let parts = (prop::option::weighted(0.15, 0..8u8), pieces, mix(), again, prop::bool::weighted(0.15));
    (parts, form(), 0..9u8)
        .prop_map(|((begins_like, pieces, mix, again, open_end), form, name)| Spec {
            begins_like,
            pieces,
            mix,
            again,
            open_end,
            form,
            name,
        })
        .boxed()
}

fn run(theme: Theme) -> impl Strategy<Value = Run> {
    let live = if theme.live { 3 } else { 0 };
    let what = prop_oneof![
        2 => Just(Pick::All), 1 => Just(Pick::Pattern), 1 => (0..8u8).prop_map(Pick::Stdin),
        4 => prop::collection::vec(0..8u8, 1..4).prop_map(Pick::These), live => Just(Pick::Live),
    ];
    let how = prop_oneof![
        12 => Just(How::News), 2 => Just(How::Again), 1 => Just(How::Dry),
        1 => (0..3u8).prop_map(How::OnlyApp),
        1 => (0..200u16, any::<bool>()).prop_map(|(hours, then)| How::Time(hours, then)),
        1 => (0..10u8).prop_map(How::Match),
    ];
    let host = prop_oneof![4 => Just(0u8), 1 => Just(1u8)];
    (what, how, 1..=4u8, host).prop_map(|(what, how, jobs, host)| Run { what, how, jobs, host })
}

/// What is done with files while nothing runs, or while a replay does.
fn file_step(theme: Theme) -> BoxedStrategy<Step> {
    let rewrite = if theme.lines == Lines::Twins { 0 } else { 1 };
    // A test waits for a daemon by the rows that there have to be.
    let by_hand = if theme.live { 0 } else { 1 };
    prop_oneof![
        by_hand => any::<u8>().prop_map(Step::Delete),
        by_hand => Just(Step::Register),
        2 => (0..8u8, 0..9u8).prop_map(|(file, name)| Step::Rename(file, name)),
        2 => (0..8u8, form()).prop_map(|(file, form)| Step::Repack(file, form)),
        2 => (0..8u8, 0..1000u16).prop_map(|(file, part)| Step::Partly(file, part)),
        1 => (0..8u8).prop_map(Step::Whole),
        rewrite => (0..8u8, 0..60u8).prop_map(|(file, lines)| Step::Insert(file, lines)),
        rewrite => (0..8u8, spec(theme.lines)).prop_map(|(file, spec)| Step::Rewrite(file, spec)),
    ]
    .boxed()
}

fn live_step() -> BoxedStrategy<Step> {
    let snapshot = (any::<bool>(), prop_oneof![Just(0u8), 0..9u8], cut(true), mix(), form(), 0..9u8)
        .prop_map(|(all, skip, to, mix, form, name)| Step::Snapshot { all, skip, to, mix, form, name });
    prop_oneof![
        2 => Just(Step::Start), 1 => Just(Step::Stop), 1 => Just(Step::Kill), 1 => Just(Step::Wait),
        6 => (lines(20), prop::bool::weighted(0.2)).prop_map(|(lines, halves)| Step::Write(lines, halves)),
        2 => (0..3u8).prop_map(Step::Rotate),
        4 => snapshot,
    ]
    .boxed()
}

fn replay(theme: Theme, what: impl Strategy<Value = Run> + 'static) -> BoxedStrategy<Step> {
    let what = what.boxed();
    let runs = prop_oneof![
        2 => prop::collection::vec(what.clone(), 1), 1 => prop::collection::vec(what, 2..4),
    ];
    let meanwhile = if theme.live { live_step() } else { file_step(theme) };
    let disturbance = prop_oneof![
        2 => (0..4u8, 0..90u8).prop_map(|(run, at)| Disturbance::Kill(run, at)),
        1 => (0..4u8, 0..90u8).prop_map(|(run, at)| Disturbance::Terminate(run, at)),
        1 => (0..4u8, 0..90u8, 0..90u8).prop_map(|(run, at, time)| Disturbance::Pause(run, at, time)),
        2 => (0..90u8).prop_map(Disturbance::Sessions),
        3 => (0..90u8, meanwhile).prop_map(|(at, step)| Disturbance::Meanwhile(at, Box::new(step))),
    ];
    let most = if theme.disturbed { 4 } else { 1 };
    (runs, prop::collection::vec(disturbance, 0..most))
        .prop_map(|(runs, disturbances)| Step::Replay(runs, disturbances))
        .boxed()
}

/// One or more steps that make sense together.
fn steps(theme: Theme) -> BoxedStrategy<Vec<Step>> {
    let one = prop_oneof![2 => replay(theme, run(theme)), 1 => file_step(theme)].prop_map(|step| vec![step]);
    if !theme.live && (!theme.disturbed || theme.lines == Lines::Twins) {
        return one.boxed();
    }
    if !theme.live {
        // A file that is not the same at the end of a replay as at its beginning.
        let file = (0..8u8, 1..=2u8, 20..60u8, 10..60u8);
        let changed = file.prop_map(|(file, jobs, lines, at)| {
            let run = Run { what: Pick::These(vec![file]), how: How::News, jobs, host: 0 };
            let form = Form { pack: Pack::Plain, old: true };
            let insert = Disturbance::Meanwhile(at, Box::new(Step::Insert(file, lines)));
            vec![Step::Repack(file, form), Step::Replay(vec![run], vec![insert])]
        });
        return prop_oneof![6 => one, 1 => changed].boxed();
    }
    // What is replayed stands in the log, too, where no daemon has read it yet; it begins otherwise there.
    let away = prop_oneof![Just(Step::Stop), Just(Step::Kill), Just(Step::Start)];
    let copy = (1..4u8, cut(true), mix(), form(), 0..9u8)
        .prop_map(|(skip, to, mix, form, name)| Step::Snapshot { all: true, skip, to, mix, form, name });
    let newest = (1..=4u8).prop_map(|jobs| Run { what: Pick::Newest, how: How::News, jobs, host: 0 });
    let ahead =
        (away, lines(20), copy, replay(theme, newest), prop_oneof![Just(Step::Start), Just(Step::Wait)])
            .prop_map(|(away, lines, copy, replay, then)| {
                vec![Step::Start, Step::Wait, away, Step::Write(lines, false), copy, replay, then]
            });
    prop_oneof![2 => one, 4 => live_step().prop_map(|step| vec![step]), 1 => ahead].boxed()
}

/// Cases of a theme.
pub(super) fn case(theme: Theme) -> impl Strategy<Value = Case> {
    let batch_rows = prop_oneof![3 => Just(1usize), 3 => 2..6usize, 1 => Just(1000usize)];
    let count = if theme.live { 2..10 } else { 0..6 };
    let files = if theme.live { 0..3 } else { 1..7 };
    let alone = prop::bool::weighted(if theme.live || theme.disturbed { 0.0 } else { 0.3 });
    let logs = prop::collection::vec(log(), 1..4);
    let files = prop::collection::vec(spec(theme.lines), files);
    let steps = prop::collection::vec(steps(theme), count);
    (batch_rows, logs, files, steps, alone).prop_map(move |(batch_rows, logs, files, steps, alone)| {
        let mut steps = steps.concat();
        for step in &mut steps {
            if let Step::Replay(runs, _) = step
                && alone
            {
                runs.truncate(1);
                runs[0].jobs = 1;
            }
        }
        Case { lines: theme.lines, batch_rows, logs, files, steps, live: theme.live, alone }
    })
}
