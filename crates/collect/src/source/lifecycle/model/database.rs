//! The database of the model: checkpoints, rows, and the one transaction.

use super::{Fate, Interrupted, Line, World};

#[derive(Debug)]
pub(super) struct Checkpoint {
    pub(super) id: i32,
    pub(super) head: Line,
    pub(super) loaded: usize,
    pub(super) tail: Line,
    pub(super) is_sealed: bool,
    pub(super) by_ids: bool,
}

#[derive(Debug, Default)]
pub(super) struct Database {
    pub(super) checkpoints: Vec<Checkpoint>,
    pub(super) rows: Vec<bool>,
    /// Rows that were loaded by ids.
    pub(super) by_ids: Vec<bool>,
}

impl Database {
    pub(super) fn loaded_until(&self) -> Option<Line> {
        self.rows.iter().rposition(|is_row| *is_row)
    }

    pub(super) fn has(&self, lines: &[Line]) -> bool {
        lines.iter().all(|line| self.rows.get(*line) == Some(&true))
    }
}

/// Lines of a file that are on their way to the database.
#[derive(Debug)]
pub(super) struct Section {
    pub(super) file: usize,
    pub(super) is_plain: bool,
    pub(super) id: i32,
    pub(super) head: Line,
    pub(super) new: Option<Vec<i32>>,
    pub(super) from: usize,
    pub(super) lines: Vec<Line>,
    /// The line that ends at the end of the section.
    pub(super) tail: Option<Line>,
    pub(super) by_ids: bool,
    pub(super) by_ids_after: bool,
    pub(super) seal: bool,
    pub(super) reached: usize,
}

impl World {
    /// Commits everything that was read.
    pub(super) fn settle(&mut self, fate: Fate) -> Result<(), Interrupted> {
        self.commit(fate)?;
        self.commit(fate)
    }

    /// Commits what is on its way, and sends what was read since.
    pub(super) fn commit(&mut self, fate: Fate) -> Result<(), Interrupted> {
        let sections = std::mem::replace(&mut self.in_flight, std::mem::take(&mut self.batch));
        if sections.is_empty() {
            return Ok(());
        }
        if fate == Fate::Lost || !sections.iter().all(|section| self.holds(section, &sections)) {
            return Err(Interrupted);
        }
        for section in &sections {
            self.load(section);
        }
        if fate == Fate::Unknown { Err(Interrupted) } else { Ok(()) }
    }

    /// Whether the checkpoint is still where the reader left it, and the file still contains what was read.
    pub(super) fn holds(&self, section: &Section, all: &[Section]) -> bool {
        let to = section.from + section.lines.len();
        let at_end = to.checked_sub(1).and_then(|at| self.files[section.file].lines.get(at));
        let is_there = !section.is_plain || at_end.copied() == section.tail;
        let checkpoints = &self.database.checkpoints;
        let stands = match &section.new {
            Some(disproved) => {
                !checkpoints.iter().any(|c| c.head == section.head && !disproved.contains(&c.id))
            }
            None => {
                let before = all.iter().filter(|other| other.id == section.id && other.from < section.from);
                let loaded = checkpoints.iter().find(|c| c.id == section.id).map(|c| c.loaded);
                before.map(|other| other.from + other.lines.len()).max().or(loaded) == Some(section.from)
            }
        };
        is_there && stands
    }

    pub(super) fn load(&mut self, section: &Section) {
        let database = &mut self.database;
        database.rows.resize(self.lines, false);
        database.by_ids.resize(self.lines, false);
        for &line in &section.lines {
            if !database.rows[line] {
                database.rows[line] = true;
                database.by_ids[line] = section.by_ids;
            } else if !section.by_ids && !database.by_ids[line] {
                self.doubled = Some(line);
            }
        }
        let to = section.from + section.lines.len();
        self.reached[section.reached] = to;
        if section.new.is_some() {
            let (id, head) = (section.id, section.head);
            database.checkpoints.push(Checkpoint {
                id,
                head,
                loaded: 0,
                tail: head,
                is_sealed: false,
                by_ids: true,
            });
        }
        let checkpoint = database.checkpoints.iter_mut().find(|c| c.id == section.id).unwrap();
        checkpoint.loaded = to;
        checkpoint.tail = section.tail.unwrap_or(checkpoint.tail);
        checkpoint.is_sealed = section.seal;
        checkpoint.by_ids = section.by_ids_after;
    }
}
