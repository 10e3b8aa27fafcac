//! The reader of the model: works like `follow` and `pipeline`, with files in memory.

use alt_line::checkpoint::Standing;

use super::super::*;
use super::database::{Checkpoint, Section};
use super::{Fate, Form, Interrupted, Line, Name, ROTATED_OPEN_MAX, World};

/// A file that is being read.
#[derive(Debug)]
pub(super) struct Reading {
    pub(super) file: usize,
    pub(super) id: i32,
    pub(super) head: Line,
    pub(super) is_new: bool,
    /// Checkpoints of other files with the same beginning.
    pub(super) disproved: Vec<i32>,
    pub(super) opened: Stamp,
    pub(super) is_live: bool,
    pub(super) from: usize,
    pub(super) offset: usize,
    pub(super) last: Option<Line>,
    pub(super) is_at_end: bool,
    pub(super) by_ids: bool,
    /// `None`: to the end.
    pub(super) ids_until: Option<Line>,
    pub(super) ids_to_the_end: bool,
    pub(super) is_sealed: bool,
    /// Index into the list of committed positions.
    pub(super) reached: usize,
}

#[derive(Debug)]
pub(super) struct Kept {
    pub(super) file: usize,
    pub(super) reached: Option<usize>,
    pub(super) is_sealed: bool,
}

#[derive(Debug)]
pub(super) struct Found {
    pub(super) file: usize,
    pub(super) inode: usize,
    pub(super) sight: Sight,
}

impl World {
    pub(super) fn has_successor(&self) -> bool {
        self.live().is_some_and(|live| !self.files[live].lines.is_empty())
    }

    pub(super) fn sight(&self, file: usize, is_live: bool) -> Sight {
        let has_successor = self.has_successor();
        let location = match self.files[file].name {
            _ if is_live => Location::Live,
            Name::None => Location::Deleted { has_successor },
            _ => Location::Rotated { has_successor },
        };
        Sight { stamp: self.files[file].stamp(), location }
    }

    pub(super) fn find(&mut self) -> Vec<Found> {
        let is_named = |world: &World, at: usize| {
            let name = world.files[at].name;
            name.is_followed() || name == Name::Stray && world.found_again.contains(&at)
        };
        let named: Vec<usize> = (0..self.files.len()).filter(|at| is_named(self, *at)).collect();
        let mut kept = std::mem::take(&mut self.kept);
        kept.retain(|kept| {
            let file = &self.files[kept.file];
            let held = Held {
                state: self.state(file.inode),
                has_name: is_named(self, kept.file),
                is_committed: kept.reached.is_none_or(|at| self.reached[at] >= file.lines.len()),
                is_sealed: kept.is_sealed,
            };
            held.is_kept()
        });
        let nameless = kept.iter().map(|kept| kept.file).filter(|at| !is_named(self, *at));
        let all: Vec<usize> = named.into_iter().chain(nameless).collect();
        self.kept = kept;
        let found = |file: usize| {
            let sight = self.sight(file, self.files[file].name == Name::Live);
            Found { file, inode: self.files[file].inode, sight }
        };
        all.into_iter().map(found).collect()
    }

    pub(super) fn ahead(&self, reading: &Reading) -> Ahead {
        if !reading.is_at_end {
            return Ahead::More;
        }
        match self.files[reading.file].form {
            Form::Plain => Ahead::PlainEnd(self.sight(reading.file, reading.is_live)),
            _ => Ahead::PackedEnd { modified: reading.opened.modified, is_within_line: false },
        }
    }

    pub(super) fn has_unread(&self, reading: &Reading) -> bool {
        let file = &self.files[reading.file];
        file.form != Form::Plain || file.lines.len() != reading.offset
    }

    pub(super) fn reader(&self, id: i32) -> Reader {
        let Some(reading) = self.open.iter().find(|reading| reading.id == id) else { return Reader::None };
        Reader::of(self.ahead(reading), self.has_unread(reading), &self.moment())
    }

    pub(super) fn others_unread(&self, file: usize) -> bool {
        self.open.iter().any(|other| other.file != file && !other.is_live && self.has_unread(other))
    }

    pub(super) fn ask(&self, found: &Found) -> Action {
        let state = self.state(found.inode);
        let reader = match state {
            State::Copy { of, .. } | State::Short { of, .. } => self.reader(of),
            _ => Reader::None,
        };
        step(state, Observation::Seen(found.sight, reader), &self.moment()).1
    }

    pub(super) fn look(&mut self, fate: Fate) -> Result<(), Interrupted> {
        let mut found = self.find();
        self.states.retain(|(inode, _)| found.iter().any(|found| found.inode == *inode));
        let open: Vec<usize> = self.open.iter().map(|reading| self.files[reading.file].inode).collect();
        self.identified
            .retain(|(inode, _)| open.contains(inode) || found.iter().any(|found| found.inode == *inode));
        for reading in &mut self.open {
            let at = found.iter().position(|found| found.file == reading.file);
            reading.is_live = at.is_some_and(|at| found.swap_remove(at).sight.is_live());
        }
        let files = &self.files;
        self.open.retain(|reading| files[reading.file].lines.len() >= reading.offset.max(1));
        for found in &found {
            if let Action::MakeWay(of) = self.ask(found)
                && let Some(at) = self.open.iter().position(|reading| reading.id == of)
            {
                self.close(at, Closing::Waits);
            }
        }
        let mut new: Vec<(Found, Terms)> = Vec::new();
        for found in found {
            if let Action::Identify(terms) = self.ask(&found) {
                new.push((found, terms));
            }
        }
        new.sort_by_key(|(found, _)| (!found.sight.is_live(), found.sight.stamp.modified));
        let rotated = new.iter().filter(|(found, _)| !found.sight.is_live()).count();
        let room = self.make_room(rotated.min(ROTATED_OPEN_MAX));
        let has_room = rotated <= room;
        let mut is_all = has_room;
        new.truncate(new.len() - rotated + rotated.min(room));
        if !new.is_empty() {
            self.settle(fate)?;
            for (found, terms) in new {
                is_all &= self.identify(&found, terms, &mut Vec::new()) != Action::LookAgain;
            }
        }
        for at in 0..self.open.len() {
            let reading = &self.open[at];
            let others_unread = !is_all || self.others_unread(reading.file);
            let needs_ids = need_ids_to_the_end(reading.is_live, reading.by_ids, others_unread);
            if reading.ids_to_the_end && !needs_ids {
                self.settle(fate)?;
                self.open[at].ids_to_the_end = false;
                self.open[at].ids_until = self.database.loaded_until();
            }
        }
        if is_all {
            self.search();
        }
        Ok(())
    }

    /// Searches for the files of checkpoints without a seal that were not found by their names.
    fn search(&mut self) {
        let is_known = |c: &Checkpoint| {
            self.open.iter().any(|reading| reading.id == c.id)
                || self.identified.iter().any(|(_, id)| *id == c.id)
        };
        let (mut missing, mut found) = (Vec::new(), Vec::new());
        for c in self.database.checkpoints.iter().filter(|c| !c.is_sealed) {
            let goes_on = |at: &usize| {
                let standing = if self.continues(*at, c) { Standing::Continues } else { Standing::Other };
                claims(standing)
            };
            let all = || (0..self.files.len()).filter(goes_on);
            let is_named = |at: usize| self.files[at].name.is_followed() || self.found_again.contains(&at);
            let strays: Vec<usize> =
                all().filter(|at| self.files[*at].name == Name::Stray && !is_named(*at)).collect();
            let claim = match () {
                () if all().any(|at| self.files[at].name.is_followed()) => Some(Claim::Named),
                () if !strays.is_empty() => Some(Claim::Nameless),
                () => None,
            };
            match rest(is_known(c), claim, true) {
                Rest::There | Rest::Sought => {}
                Rest::Found => found.extend(strays),
                Rest::Missing => missing.push(c.id),
            }
        }
        (self.missing, _) = (missing, self.found_again.extend(found));
    }

    pub(super) fn make_room(&mut self, wanted: usize) -> usize {
        let open = self.open.iter().filter(|reading| !reading.is_live).count();
        let mut room = ROTATED_OPEN_MAX.saturating_sub(open);
        let mut at = 0;
        while room < wanted && at < self.open.len() {
            if self.reader(self.open[at].id) == Reader::AtRotatedEnd {
                self.close(at, Closing::Waits);
                room += 1;
            } else {
                at += 1;
            }
        }
        room
    }

    pub(super) fn close(&mut self, at: usize, why: Closing) {
        let reading = self.open.remove(at);
        let file = &self.files[reading.file];
        let read = (!self.has_unread(&reading)).then(|| file.stamp());
        let observation = Observation::Closed { why, opened: reading.opened, read };
        let (inode, state) = (file.inode, step(State::Open, observation, &self.moment()).0);
        self.set(inode, state);
        self.keep(&reading);
    }

    pub(super) fn identify(&mut self, found: &Found, terms: Terms, others: &mut Vec<i32>) -> Action {
        let (identity, reading) = self.hold_against_checkpoints(found, terms, others);
        let observation = Observation::Identified(found.sight, terms, identity);
        let (state, action) = step(self.state(found.inode), observation, &self.moment());
        if let Action::IdentifyAsAnother(of) = action {
            others.push(of);
            return self.identify(found, terms, others);
        }
        self.open.extend(reading.filter(|_| action == Action::Read));
        self.set(found.inode, state);
        let file = found.file;
        if state.is_over() {
            self.kept.retain(|kept| kept.file != file);
        } else if action == Action::LookAgain
            && self.files[file].form == Form::Plain
            && self.kept.iter().all(|kept| kept.file != file)
        {
            self.kept.push(Kept { file, reached: None, is_sealed: false });
        }
        action
    }

    pub(super) fn hold_against_checkpoints(
        &mut self,
        found: &Found,
        terms: Terms,
        others: &[i32],
    ) -> (Identity, Option<Reading>) {
        self.identified.retain(|(inode, _)| *inode != found.inode);
        let file = &self.files[found.file];
        let is_packed = file.form != Form::Plain;
        if file.form == Form::Half {
            return (Identity::Unreadable, None);
        }
        let Some(&head) = file.lines.first() else { return (Identity::TooShort { is_packed }, None) };
        let mut candidates: Vec<&Checkpoint> =
            self.database.checkpoints.iter().filter(|c| c.head == head).collect();
        candidates.sort_by_key(|c| std::cmp::Reverse(c.loaded));
        let all: Vec<i32> = candidates.iter().map(|c| c.id).collect();
        let mut shorter = None;
        let mut continued = None;
        for c in candidates.into_iter().filter(|c| !others.contains(&c.id)) {
            if file.lines.len() < c.loaded {
                shorter = shorter.or(Some(c.id));
            } else if file.lines[c.loaded - 1] == c.tail {
                self.identified.push((found.inode, c.id));
                if c.is_sealed && file.lines.len() == c.loaded {
                    return (Identity::Done, None);
                }
                continued = Some((c.id, c.loaded, c.by_ids || c.is_sealed || !others.is_empty()));
                break;
            }
        }
        if let Some(of) = shorter.filter(|_| continued.is_none() && !terms.is_own_if_short) {
            self.identified.push((found.inode, of));
            return (Identity::Shorter(of), None);
        }
        let is_new = continued.is_none();
        let (id, from, by_ids) = continued.unwrap_or_else(|| {
            self.ids += 1;
            (self.ids, 0, true)
        });
        if is_new && self.open.iter().any(|reading| reading.is_new && reading.head == head) {
            return (Identity::Unclear, None);
        }
        if let Some(read) = self.open.iter().find(|reading| reading.id == id) {
            let has_more = self.files[found.file].lines.len() > read.offset.max(from);
            return (Identity::Copy { of: id, reader: self.reader(id), has_more }, None);
        }
        self.reached.push(from);
        let file = &self.files[found.file];
        let reading = Reading {
            file: found.file,
            id,
            head,
            is_new,
            disproved: all,
            opened: file.stamp(),
            is_live: found.sight.is_live(),
            from,
            offset: from,
            last: from.checked_sub(1).map(|at| file.lines[at]),
            is_at_end: false,
            by_ids,
            ids_until: None,
            ids_to_the_end: true,
            is_sealed: false,
            reached: self.reached.len() - 1,
        };
        (Identity::Readable, Some(reading))
    }

    /// Gives each file a turn.
    pub(super) fn turn(&mut self, most: usize) -> Result<(), Interrupted> {
        let mut at = 0;
        while at < self.open.len() {
            let action = step(State::Open, Observation::Turn(self.ahead(&self.open[at])), &self.moment()).1;
            if action == Action::Close {
                self.close(at, Closing::Waits);
                continue;
            }
            self.read(at, most, action == Action::Seal)?;
            if self.open[at].is_sealed {
                self.close(at, Closing::Sealed);
            } else {
                at += 1;
            }
        }
        Ok(())
    }

    pub(super) fn read(&mut self, at: usize, most: usize, finish: bool) -> Result<(), Interrupted> {
        let reading = &mut self.open[at];
        let file = &self.files[reading.file];
        let to = file.lines.len().min(reading.offset + most).max(reading.offset);
        if to > reading.offset {
            // The last bytes that were read are read again together with the bytes after them.
            if reading.offset.checked_sub(1).map(|at| file.lines[at]) != reading.last {
                return Err(Interrupted);
            }
            reading.last = Some(file.lines[to - 1]);
        }
        let lines = file.lines.get(reading.offset..to).unwrap_or_default().to_vec();
        reading.offset = to;
        reading.is_at_end = to >= file.lines.len();
        let seal = finish && reading.is_at_end;
        if lines.is_empty() && !seal {
            return Ok(());
        }
        let by_ids = reading.by_ids;
        let is_past = !reading.ids_to_the_end && lines.iter().any(|line| Some(*line) > reading.ids_until);
        reading.by_ids &= !is_past;
        reading.is_sealed |= seal;
        let new = std::mem::take(&mut reading.is_new).then(|| reading.disproved.clone());
        self.batch.push(Section {
            file: reading.file,
            is_plain: file.form == Form::Plain,
            id: reading.id,
            head: reading.head,
            new,
            from: reading.from,
            lines,
            tail: reading.last,
            by_ids,
            by_ids_after: reading.by_ids,
            seal,
            reached: reading.reached,
        });
        reading.from = to;
        Ok(())
    }

    /// Ends the daemon; another one starts.
    pub(super) fn end(&mut self) {
        self.states.clear();
        self.identified.clear();
        self.found_again.clear();
        self.missing.clear();
        self.open.clear();
        self.kept.clear();
        self.batch.clear();
        self.in_flight.clear();
        self.owed.clear();
    }

    pub(super) fn forget(&mut self) {
        self.batch.clear();
        self.in_flight.clear();
        for reading in std::mem::take(&mut self.open) {
            self.keep(&reading);
        }
        self.kept.iter_mut().for_each(|kept| kept.is_sealed = false);
        self.states.clear();
        self.identified.clear();
    }

    pub(super) fn keep(&mut self, reading: &Reading) {
        if self.files[reading.file].form == Form::Plain {
            self.kept.retain(|kept| kept.file != reading.file);
            let (file, reached) = (reading.file, Some(reading.reached));
            self.kept.push(Kept { file, reached, is_sealed: reading.is_sealed });
        }
    }
}
