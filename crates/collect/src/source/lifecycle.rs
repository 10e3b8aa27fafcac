//! The lifecycle of a followed file: all decisions, without I/O.
//!
//! A source's reader looks at its directories, compares files with the checkpoints, and reads. Each event is an
//! [`Observation`]; [`step`] returns the file's next state, and the action to take. A file is [`State::New`] (again) if
//! nothing is known about it: it was never seen, it was gone, it was cut below what was read of it, or the database's
//! answers are no longer valid.
//!
//! | state     | a look sees it                          | it is identified as                  | its reader                    |
//! |-----------|-----------------------------------------|--------------------------------------|-------------------------------|
//! | `New`     | identify                                | as below                             | –                             |
//! | `Resting` | identify, if touched, or complete now   | as below                             | –                             |
//! | `Broken`  | identify, if touched                    | as below                             | –                             |
//! | `Short`   | identify, if it has waited, or grew     | as below; or one of its own          | –                             |
//! | `Copy`    | identify, if its original is not read or ends, or the copy is held up | as below | –                     |
//! | `Open`    | read on                                 | –                                    | reads on, seals, closes       |
//! | `Sealed`  | identify, if touched                    | as below                             | –                             |
//! | `Done`    | identify, if touched                    | as below                             | –                             |
//!
//! | a file that is identified                                 | becomes                                                |
//! |-----------------------------------------------------------|--------------------------------------------------------|
//! | cannot be read                                            | `Broken`                                               |
//! | has no whole line                                         | `Resting`; packed: `Done`                              |
//! | is loaded to its end and sealed                           | `Done`                                                 |
//! | is shorter than what is loaded of a file it begins like   | `Short`                                                |
//! | may be the same as a new file that is being read          | `New`, until the other file has its checkpoint         |
//! | is a file that is already being read                      | `Copy`; held up: identified again, as another file     |
//! | is anything else                                          | `Open`                                                 |

use alt_line::checkpoint::{Head, Standing};
use alt_line::hit::Micros;
use alt_store::files::Stamp;

#[cfg(test)]
mod model;

/// A deleted file is finished when nobody has written to it for this long, whether a log follows it or not: its
/// descriptor keeps its disk space in use.
const DELETED_STILL: Micros = 24 * 3600 * 1_000_000;

/// The state of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Nothing is known about the file.
    New,
    /// Nothing is to be done until the file is touched: it has no line yet, or was read to its end. If it was not
    /// complete then, it is also due when it becomes complete.
    Resting {
        /// The stamp at that time.
        stamp: Stamp,
        /// The file was complete.
        is_complete: bool,
    },
    /// The file cannot be read from some position on, until it is touched. The rest stays missing.
    Broken(Stamp),
    /// The file begins like the file `of`, of which more is loaded: an unfinished copy, or a file that was cut.
    Short {
        /// The stamp at that time.
        stamp: Stamp,
        /// Key of `log_files`.
        of: i32,
        /// The start of this state.
        since: Micros,
    },
    /// The file begins like the file `of`, which is being read.
    Copy {
        /// The stamp at that time.
        stamp: Stamp,
        /// Key of `log_files`.
        of: i32,
        /// The copy had more than was read of the file `of`.
        has_more: bool,
    },
    /// The file is being read.
    Open,
    /// The file was read to its end, and its seal is on its way to the database.
    Sealed(Stamp),
    /// The file is loaded and sealed, as long as it does not change.
    Done(Stamp),
}

impl State {
    /// The stamp of a file with which nothing is left to do; `None`: some of it is missing.
    pub fn settled(&self) -> Option<Stamp> {
        match *self {
            State::Done(stamp) | State::Resting { stamp, .. } | State::Short { stamp, .. } => Some(stamp),
            State::New | State::Broken(_) | State::Copy { .. } | State::Open | State::Sealed(_) => None,
        }
    }

    /// Whether the database has everything that the file will ever contain, if it does not change: its descriptor can
    /// be closed.
    pub fn is_over(&self) -> bool {
        matches!(self, State::Done(_) | State::Resting { is_complete: true, .. })
    }

    /// Whether everything in the file is loaded, or on its way, if its stamp is still the same.
    pub fn is_loaded(&self, now: Stamp) -> bool {
        now.size == 0 || matches!(*self, State::Done(stamp) | State::Sealed(stamp) if stamp == now)
    }
}

/// The current time, and the settings that depend on it.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    /// Now.
    pub now: Micros,
    /// How long a rotated file must be unchanged before it is sealed.
    pub seal_after: Micros,
    /// No log is written to any more: the existing data is complete.
    pub is_final: bool,
}

impl Moment {
    fn is_older(&self, since: Micros, than: Micros) -> bool {
        self.now - since > than
    }

    /// Whether a state that began at `since` has lasted long enough.
    fn stood_still(&self, since: Micros) -> bool {
        self.is_older(since, self.seal_after)
    }

    /// Whether a file at this location will not grow any more: it is not live, its successor has lines, and it was
    /// unchanged for `seal_after`; or it is deleted, and was unchanged for [`DELETED_STILL`].
    fn has_ended(&self, location: Location, modified: Micros) -> bool {
        let (has_successor, is_deleted) = match location {
            Location::Live => return false,
            Location::Rotated { has_successor } => (has_successor, false),
            Location::Deleted { has_successor } => (has_successor, true),
        };
        has_successor && self.stood_still(modified) || is_deleted && self.is_older(modified, DELETED_STILL)
    }
}

/// Where a file is, and whether a live log with lines follows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Location {
    /// At its live path.
    Live,
    /// Under another name.
    Rotated {
        /// The live log has lines.
        has_successor: bool,
    },
    /// The file has no name any more.
    Deleted {
        /// The live log has lines.
        has_successor: bool,
    },
}

/// A file as seen by a look.
#[derive(Debug, Clone, Copy)]
pub struct Sight {
    /// Its size and age.
    pub stamp: Stamp,
    /// Where it is.
    pub location: Location,
}

impl Sight {
    /// Whether the file is at its live path.
    pub fn is_live(&self) -> bool {
        self.location == Location::Live
    }

    fn is_settled(&self, moment: &Moment) -> bool {
        self.is_live() || moment.stood_still(self.stamp.modified)
    }
}

/// The reader's position in a file that another file begins like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reader {
    /// The file is not being read.
    None,
    /// There is, or may be, more to read.
    Reads,
    /// The file is live, and was read to its end.
    AtLiveEnd,
    /// The file is rotated, was read to its end, and may grow.
    AtRotatedEnd,
    /// The file is rotated, was read to its end, and is due to be sealed.
    AtLastEnd,
}

impl Reader {
    /// The position that follows from what is ahead, and from whether bytes may have been added since the last read.
    pub fn of(ahead: Ahead, has_unread: bool, moment: &Moment) -> Reader {
        match ahead {
            Ahead::More => Reader::Reads,
            Ahead::PlainEnd(sight) if sight.is_live() && has_unread => Reader::Reads,
            Ahead::PlainEnd(sight) if sight.is_live() => Reader::AtLiveEnd,
            _ if turn(ahead, moment) == Action::ReadOn => Reader::AtRotatedEnd,
            _ => Reader::AtLastEnd,
        }
    }
}

/// The terms of the comparison with the checkpoints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// The file will not grow: a last line without a newline counts as a line.
    pub is_complete: bool,
    /// If the file is shorter than its checkpoint, it is a file of its own, and its lines are checked by id.
    pub is_own_if_short: bool,
}

/// The result of identifying a file.
#[derive(Debug, Clone, Copy)]
pub enum Identity {
    /// The file cannot be read.
    Unreadable,
    /// The file has no whole line.
    TooShort {
        /// The file is compressed, so no line will follow.
        is_packed: bool,
    },
    /// The whole file is loaded and sealed.
    Done,
    /// The file begins like this file, of which more is loaded.
    Shorter(i32),
    /// The file is new, and may be the same as another new file that is being read.
    Unclear,
    /// The file is one that is already being read.
    Copy {
        /// Key of `log_files`.
        of: i32,
        /// The reader's position in that file.
        reader: Reader,
        /// The copy has more than was read of that file.
        has_more: bool,
    },
    /// There is something to read, now or later.
    Readable,
}

/// Whether all lines of a file are checked by id to its end. Otherwise they are checked only until they are later than
/// all loaded lines. `by_ids`: no checkpoint proves that the lines are new. `others_unread`: another file of the log
/// has, or may have, unread lines that may be the same.
pub fn need_ids_to_the_end(is_live: bool, by_ids: bool, others_unread: bool) -> bool {
    !is_live || !by_ids || others_unread
}

/// What a file's reader meets after everything that it has read.
#[derive(Debug, Clone, Copy)]
pub enum Ahead {
    /// There may be more: the last read returned something.
    More,
    /// The end of a plain file.
    PlainEnd(Sight),
    /// The end of a compressed file, as it was when it was opened.
    PackedEnd {
        /// The time of the last write.
        modified: Micros,
        /// The file ends within a line.
        is_within_line: bool,
    },
}

/// The reason for closing a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Closing {
    /// The file cannot be read further.
    Breaks,
    /// The seal is on its way to the database.
    Sealed,
    /// The file was read as far as possible, and other files wait, or it must be identified again.
    Waits,
}

/// What is observed of a file, or happens to it.
#[derive(Debug, Clone, Copy)]
pub enum Observation {
    /// A look found the file; if the file begins like another, with the reader's position in the other file.
    Seen(Sight, Reader),
    /// The file could not be opened.
    Unopened(Sight),
    /// The file was compared with the checkpoints, on these terms.
    Identified(Sight, Terms, Identity),
    /// The file's reader is about to have a turn.
    Turn(Ahead),
    /// The file was closed.
    Closed {
        /// The reason.
        why: Closing,
        /// The file's stamp when it was opened.
        opened: Stamp,
        /// The file's current stamp, if all of it was read.
        read: Option<Stamp>,
    },
}

/// The action to take with a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Nothing now.
    Leave,
    /// Compare the file with the checkpoints.
    Identify(Terms),
    /// Compare it again, but not with the file with this key of `log_files`.
    IdentifyAsAnother(i32),
    /// Close the file with this key, and look again.
    MakeWay(i32),
    /// Look again as soon as what was read is committed.
    LookAgain,
    /// Open the file, and read from its position.
    Read,
    /// Read on, and leave a last line without a newline.
    ReadOn,
    /// Read the file to its end, and seal it.
    Seal,
    /// Close the file.
    Close,
}

/// The state of a file after an observation, and the action to take.
pub fn step(state: State, observation: Observation, moment: &Moment) -> (State, Action) {
    match (state, observation) {
        (State::Open, Observation::Seen(..) | Observation::Unopened(_) | Observation::Identified(..)) => {
            (State::Open, Action::ReadOn)
        }
        (_, Observation::Seen(sight, reader)) => (state, seen(state, sight, reader, moment)),
        (_, Observation::Unopened(sight)) if moment.is_final => {
            (State::Resting { stamp: sight.stamp, is_complete: true }, Action::Leave)
        }
        (_, Observation::Unopened(_)) => (state, Action::Leave),
        (_, Observation::Identified(sight, terms, identity)) => {
            identified(state, sight, terms, identity, moment)
        }
        (State::Open, Observation::Turn(ahead)) => (state, turn(ahead, moment)),
        (State::Open, Observation::Closed { why, opened, read }) => {
            (closed(why, opened, read.unwrap_or(opened)), Action::Leave)
        }
        (_, Observation::Turn(_) | Observation::Closed { .. }) => (state, Action::Leave),
    }
}

fn seen(state: State, sight: Sight, reader: Reader, moment: &Moment) -> Action {
    let is_complete = moment.is_final || moment.has_ended(sight.location, sight.stamp.modified);
    let is_touched = |stamp: Stamp| stamp != sight.stamp;
    let mut is_own_if_short = moment.is_final;
    let is_due = match state {
        State::New => true,
        State::Open => false,
        State::Done(stamp) | State::Sealed(stamp) | State::Broken(stamp) => is_touched(stamp),
        State::Resting { stamp, is_complete: was_complete } => {
            is_touched(stamp) || !was_complete && is_complete
        }
        State::Copy { of, has_more: true, .. } if reader == Reader::AtRotatedEnd => {
            return Action::MakeWay(of);
        }
        State::Copy { stamp, has_more, .. } => match reader {
            Reader::None => true,
            Reader::AtRotatedEnd | Reader::AtLastEnd => is_touched(stamp),
            Reader::Reads | Reader::AtLiveEnd => {
                (has_more || is_touched(stamp)) && is_held_up(sight, reader, moment)
            }
        },
        State::Short { stamp, since, .. } => {
            // A log that is not an unfinished copy does not wait for another file: ids make it safe to read.
            let has_waited = sight.is_settled(moment) && moment.stood_still(since);
            is_own_if_short |= has_waited;
            let may_be_more = sight.is_live() || reader == Reader::None;
            is_own_if_short || is_touched(stamp) && may_be_more
        }
    };
    if is_due { Action::Identify(Terms { is_complete, is_own_if_short }) } else { Action::Leave }
}

/// Whether a file that begins like a live file, and has more, has waited long enough: it is unchanged, and the live
/// file was read to its end. It is therefore another file, and ids make it safe to read.
fn is_held_up(sight: Sight, reader: Reader, moment: &Moment) -> bool {
    reader == Reader::AtLiveEnd && moment.stood_still(sight.stamp.modified)
}

fn identified(
    state: State,
    sight: Sight,
    terms: Terms,
    identity: Identity,
    moment: &Moment,
) -> (State, Action) {
    let stamp = sight.stamp;
    let state = match identity {
        Identity::Unreadable => State::Broken(stamp),
        Identity::TooShort { is_packed: true } | Identity::Done => State::Done(stamp),
        Identity::TooShort { is_packed: false } => State::Resting { stamp, is_complete: terms.is_complete },
        Identity::Shorter(of) => {
            let since = match state {
                State::Short { since, .. } if sight.is_settled(moment) => since,
                _ => moment.now,
            };
            State::Short { stamp, of, since }
        }
        Identity::Unclear => return (State::New, Action::LookAgain),
        Identity::Copy { of, reader, has_more: true } if is_held_up(sight, reader, moment) => {
            return (state, Action::IdentifyAsAnother(of));
        }
        Identity::Copy { of, has_more, .. } => State::Copy { stamp, of, has_more },
        Identity::Readable => return (State::Open, Action::Read),
    };
    (state, Action::Leave)
}

fn turn(ahead: Ahead, moment: &Moment) -> Action {
    match ahead {
        Ahead::More => Action::ReadOn,
        _ if moment.is_final => Action::Seal,
        Ahead::PlainEnd(sight) => match moment.has_ended(sight.location, sight.stamp.modified) {
            true => Action::Seal,
            false => Action::ReadOn,
        },
        // A file that ends within a line, at the end of a compressed member, may still be written to.
        Ahead::PackedEnd { modified, is_within_line } if is_within_line && !moment.stood_still(modified) => {
            Action::Close
        }
        Ahead::PackedEnd { .. } => Action::Seal,
    }
}

fn closed(why: Closing, opened: Stamp, read: Stamp) -> State {
    match why {
        Closing::Breaks => State::Broken(opened),
        Closing::Sealed => State::Sealed(read),
        Closing::Waits => State::Resting { stamp: read, is_complete: false },
    }
}

/// Whether two new files may be the same file, so that the second must wait until the first has its checkpoint: they
/// have the same beginning; or they belong to the same log, and at least one of them has no id that distinguishes it.
pub fn may_be_one(one: &Head, other: &Head, is_one_log: bool) -> bool {
    one.proof == other.proof || is_one_log && !(one.has_id && other.has_id)
}

/// How a file that continues at a checkpoint is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claim {
    /// It is live, or its name is that of a file of a log: a source finds it by itself.
    Named,
    /// Nothing but its content says what it is.
    Nameless,
}

/// What is known about the rest of a log that is not loaded to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rest {
    /// A file that has it is followed.
    There,
    /// A file that has it was found, and must be followed.
    Found,
    /// Not all files that may have it were looked at.
    Sought,
    /// No file has it.
    Missing,
}

/// Whether a file that stands to a checkpoint like this has the rest of its log.
pub fn claims(standing: Standing) -> bool {
    matches!(standing, Standing::Continues | Standing::Beyond)
}

/// Where the rest of a log is. `is_known`: an existing or open file was identified as this log. `claim`: a file that
/// continues at its checkpoint. `is_over`: all files in its directories were looked at.
pub fn rest(is_known: bool, claim: Option<Claim>, is_over: bool) -> Rest {
    match claim {
        _ if is_known => Rest::There,
        Some(Claim::Named) => Rest::There,
        Some(Claim::Nameless) => Rest::Found,
        None if is_over => Rest::Missing,
        None => Rest::Sought,
    }
}

/// A file that is not being read, but whose descriptor is kept because the file may have no name any more.
#[derive(Debug, Clone, Copy)]
pub struct Held {
    /// The file's state.
    pub state: State,
    /// The file has a name in a directory of the source.
    pub has_name: bool,
    /// The whole file was read, and is committed.
    pub is_committed: bool,
    /// The seal was on its way to the database, and has not failed since.
    pub is_sealed: bool,
}

impl Held {
    /// Whether the descriptor is kept. A file that is being read has a descriptor of its own. The descriptor of a file
    /// that is committed to its end can be closed if the file is sealed, or if it has a name and was looked at since
    /// everything was forgotten.
    pub fn is_kept(&self) -> bool {
        let is_known = self.has_name && self.state != State::New;
        self.state != State::Open && !(self.is_committed && (is_known || self.is_sealed))
    }
}

#[cfg(test)]
mod tests {
    use alt_line::checkpoint::Proof;

    use super::*;

    const HOUR: Micros = 3600 * 1_000_000;
    const NOW: Moment = Moment { now: 100 * HOUR, seal_after: HOUR, is_final: false };
    const FINAL: Moment = Moment { is_final: true, ..NOW };
    const ROTATED: Location = Location::Rotated { has_successor: true };
    const LAST: Location = Location::Rotated { has_successor: false };

    /// A stamp with this size and with a last write this many hours ago.
    fn stamp(size: i64, hours: Micros) -> Stamp {
        Stamp { size, modified: NOW.now - hours * HOUR }
    }

    fn sight(size: i64, hours: Micros, location: Location) -> Sight {
        Sight { stamp: stamp(size, hours), location }
    }

    fn look(state: State, sight: Sight, reader: Reader) -> Action {
        let (after, action) = step(state, Observation::Seen(sight, reader), &NOW);
        assert_eq!(after, state, "a look changes nothing");
        action
    }

    fn identify(is_complete: bool, is_own_if_short: bool) -> Action {
        Action::Identify(Terms { is_complete, is_own_if_short })
    }

    #[test]
    fn what_a_look_leads_to_is_as_the_table_says() {
        let (live, old) = (sight(9, 0, Location::Live), sight(9, 2, ROTATED));
        let is = |state, sight, action| {
            assert_eq!(look(state, sight, Reader::None), action, "{state:?} {sight:?}");
        };
        is(State::New, live, identify(false, false));
        is(State::New, old, identify(true, false));
        is(State::New, sight(9, 2, LAST), identify(false, false));
        for state in [State::Done, State::Sealed, State::Broken] {
            is(state(stamp(9, 2)), old, Action::Leave);
            is(state(stamp(8, 2)), old, identify(true, false));
            is(state(stamp(9, 3)), old, identify(true, false));
        }
        let resting = |is_complete| State::Resting { stamp: stamp(9, 2), is_complete };
        is(resting(true), old, Action::Leave);
        is(resting(false), old, identify(true, false));
        is(resting(false), sight(9, 2, LAST), Action::Leave);
        is(resting(false), sight(9, 2, Location::Live), Action::Leave);
        is(resting(true), live, identify(false, false));
        let deleted = |hours| sight(9, hours, Location::Deleted { has_successor: false });
        let state = |hours| State::Resting { stamp: stamp(9, hours), is_complete: false };
        is(state(23), deleted(23), Action::Leave);
        is(state(25), deleted(25), identify(true, false));
    }

    #[test]
    fn a_copy_waits_for_the_reader_of_its_original() {
        let copy = |has_more| State::Copy { stamp: stamp(9, 2), of: 7, has_more };
        let (same, grown) = (sight(9, 2, ROTATED), sight(10, 2, ROTATED));
        let is = |has_more, sight, reader, action| {
            assert_eq!(look(copy(has_more), sight, reader), action, "{has_more} {sight:?} {reader:?}");
        };
        is(false, same, Reader::None, identify(true, false));
        is(true, same, Reader::Reads, Action::Leave);
        is(false, grown, Reader::Reads, Action::Leave);
        is(true, same, Reader::AtRotatedEnd, Action::MakeWay(7));
        is(false, same, Reader::AtRotatedEnd, Action::Leave);
        is(false, grown, Reader::AtRotatedEnd, identify(true, false));
        is(true, same, Reader::AtLastEnd, Action::Leave);
        is(true, same, Reader::AtLiveEnd, identify(true, false));
        is(false, grown, Reader::AtLiveEnd, identify(true, false));
        is(false, same, Reader::AtLiveEnd, Action::Leave);
        is(true, sight(10, 0, ROTATED), Reader::AtLiveEnd, Action::Leave);
    }

    #[test]
    fn a_short_file_waits_until_it_is_one_of_its_own() {
        let short = |hours| State::Short { stamp: stamp(9, 2), of: 7, since: NOW.now - hours * HOUR };
        let (live, rotated) = (sight(9, 0, Location::Live), sight(9, 2, ROTATED));
        let read = Reader::Reads;
        assert_eq!(look(short(0), rotated, read), Action::Leave);
        assert_eq!(look(short(2), rotated, read), identify(true, true));
        assert_eq!(look(short(2), sight(10, 0, ROTATED), read), Action::Leave, "it grows");
        assert_eq!(look(short(0), sight(10, 0, ROTATED), Reader::None), identify(false, false));
        assert_eq!(look(short(0), live, read), identify(false, false));
        assert_eq!(look(short(2), live, read), identify(false, true), "a live log does not stand still");
        let again = |state, sight| {
            let terms = Terms { is_complete: false, is_own_if_short: false };
            step(state, Observation::Identified(sight, terms, Identity::Shorter(7)), &NOW).0
        };
        let since = |hours| State::Short { stamp: live.stamp, of: 7, since: NOW.now - hours * HOUR };
        assert_eq!(again(State::New, live), since(0));
        assert_eq!(again(short(2), live), since(2));
        assert_eq!(again(short(2), sight(9, 0, ROTATED)), since(0));
    }

    #[test]
    fn where_nothing_is_written_any_more_all_is_complete() {
        let seen = |state, sight| step(state, Observation::Seen(sight, Reader::Reads), &FINAL).1;
        let live = sight(9, 0, Location::Live);
        assert_eq!(seen(State::New, live), identify(true, true));
        assert_eq!(
            seen(State::Short { stamp: live.stamp, of: 7, since: NOW.now }, live),
            identify(true, true)
        );
        assert_eq!(
            seen(State::Resting { stamp: live.stamp, is_complete: false }, live),
            identify(true, true)
        );
        let turn = |ahead| step(State::Open, Observation::Turn(ahead), &FINAL).1;
        assert_eq!(turn(Ahead::PlainEnd(live)), Action::Seal);
        assert_eq!(turn(Ahead::More), Action::ReadOn);
        let unopened = |moment| step(State::New, Observation::Unopened(live), moment).0;
        assert_eq!(unopened(&NOW), State::New);
        assert_eq!(unopened(&FINAL), State::Resting { stamp: live.stamp, is_complete: true });
    }

    #[test]
    fn what_a_file_is_identified_as_says_what_it_is() {
        let (live, old) = (sight(9, 0, Location::Live), sight(9, 2, ROTATED));
        let terms = Terms { is_complete: true, is_own_if_short: false };
        let is = |sight, identity, state, action| {
            let after = step(State::New, Observation::Identified(sight, terms, identity), &NOW);
            assert_eq!(after, (state, action), "{sight:?} {identity:?}");
        };
        is(old, Identity::Unreadable, State::Broken(old.stamp), Action::Leave);
        is(old, Identity::TooShort { is_packed: true }, State::Done(old.stamp), Action::Leave);
        let resting = State::Resting { stamp: old.stamp, is_complete: true };
        is(old, Identity::TooShort { is_packed: false }, resting, Action::Leave);
        is(old, Identity::Done, State::Done(old.stamp), Action::Leave);
        is(old, Identity::Unclear, State::New, Action::LookAgain);
        let copy = |reader, has_more| Identity::Copy { of: 7, reader, has_more };
        let state = |sight: Sight, has_more| State::Copy { stamp: sight.stamp, of: 7, has_more };
        is(old, copy(Reader::AtLiveEnd, false), state(old, false), Action::Leave);
        is(old, copy(Reader::Reads, true), state(old, true), Action::Leave);
        is(live, copy(Reader::AtLiveEnd, true), state(live, true), Action::Leave);
        is(old, copy(Reader::AtLiveEnd, true), State::New, Action::IdentifyAsAnother(7));
    }

    #[test]
    fn a_file_ends_when_nobody_writes_to_it_any_more() {
        let turn = |ahead| step(State::Open, Observation::Turn(ahead), &NOW).1;
        let plain = |hours, location| turn(Ahead::PlainEnd(sight(9, hours, location)));
        assert_eq!(turn(Ahead::More), Action::ReadOn);
        assert_eq!(plain(2, Location::Live), Action::ReadOn);
        assert_eq!(plain(2, ROTATED), Action::Seal);
        assert_eq!(plain(0, ROTATED), Action::ReadOn);
        assert_eq!(plain(2, LAST), Action::ReadOn);
        assert_eq!(plain(2, Location::Deleted { has_successor: true }), Action::Seal);
        assert_eq!(plain(2, Location::Deleted { has_successor: false }), Action::ReadOn);
        assert_eq!(plain(25, Location::Deleted { has_successor: false }), Action::Seal);
        let packed =
            |hours, is_within_line| Ahead::PackedEnd { modified: stamp(9, hours).modified, is_within_line };
        assert_eq!(turn(packed(0, false)), Action::Seal);
        assert_eq!(turn(packed(0, true)), Action::Close);
        assert_eq!(turn(packed(2, true)), Action::Seal);
        let reader = |ahead, has_unread| Reader::of(ahead, has_unread, &NOW);
        let end = |location| Ahead::PlainEnd(sight(9, 2, location));
        assert_eq!(reader(Ahead::More, false), Reader::Reads);
        assert_eq!(reader(end(Location::Live), true), Reader::Reads);
        assert_eq!(reader(end(Location::Live), false), Reader::AtLiveEnd);
        assert_eq!(reader(end(LAST), false), Reader::AtRotatedEnd);
        assert_eq!(reader(end(ROTATED), false), Reader::AtLastEnd);
    }

    #[test]
    fn a_file_that_is_closed_is_what_it_was_closed_for() {
        let (opened, now) = (stamp(9, 2), stamp(12, 1));
        let closed = |why, read| step(State::Open, Observation::Closed { why, opened, read }, &NOW).0;
        assert_eq!(closed(Closing::Breaks, Some(now)), State::Broken(opened));
        assert_eq!(closed(Closing::Sealed, Some(now)), State::Sealed(now));
        assert_eq!(closed(Closing::Waits, Some(now)), State::Resting { stamp: now, is_complete: false });
        assert_eq!(closed(Closing::Waits, None), State::Resting { stamp: opened, is_complete: false });
        assert!(State::Sealed(now).is_loaded(now) && State::Done(now).is_loaded(now));
        assert!(!State::Done(opened).is_loaded(now) && State::New.is_loaded(stamp(0, 1)));
        assert_eq!((State::Sealed(now).settled(), State::Done(now).settled()), (None, Some(now)));
        assert_eq!(State::Broken(now).settled(), None);
    }

    #[test]
    fn a_descriptor_is_kept_until_what_it_has_is_committed() {
        let done = State::Done(stamp(9, 2));
        let is_kept = |state, has_name, is_committed, is_sealed| {
            Held { state, has_name, is_committed, is_sealed }.is_kept()
        };
        assert!(is_kept(done, true, false, true));
        assert!(!is_kept(done, true, true, false));
        assert!(is_kept(done, false, true, false));
        assert!(!is_kept(done, false, true, true));
        assert!(is_kept(State::New, true, true, false), "it was not looked at since all was forgotten");
        assert!(!is_kept(State::Open, false, false, false), "its reader has it");
    }

    #[test]
    fn new_files_that_may_be_one_begin_alike_or_have_no_ids() {
        let head = |bytes: &[u8], has_id| Head { proof: Proof::of(bytes), has_id };
        let (one, other) = (head(b"one", true), head(b"other", true));
        assert!(may_be_one(&one, &one, false) && !may_be_one(&one, &other, true));
        let nameless = head(b"other", false);
        assert!(may_be_one(&one, &nameless, true) && !may_be_one(&one, &nameless, false));
    }
}
