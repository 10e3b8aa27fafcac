//! The directory of the model: what nginx, rotation and people do to files.

use super::{File, Form, Line, Name, Op, World};

impl World {
    /// Applies an operation to the files.
    pub(super) fn change(&mut self, op: Op) {
        match op {
            Op::Write(n) => {
                let lines = self.some_lines(n);
                match self.live() {
                    Some(live) => self.append(live, &lines),
                    None => _ = self.create(Name::Live, Form::Plain, lines),
                }
            }
            Op::Late(n) => {
                let is_it = |f: &File| f.name == Name::Rotated && f.form == Form::Plain;
                if let Some(file) = self.files.iter().rposition(is_it)
                    && self.packing.is_none_or(|(_, from)| from != file)
                {
                    let lines = self.some_lines(n);
                    self.append(file, &lines);
                }
            }
            Op::Pack(n, by_halves) => self.pack(n, by_halves),
            Op::DeleteRotated(n) => {
                self.end_packing();
                if let Some(file) = self.rotated(n) {
                    self.remove(file);
                }
            }
            Op::Stray(n) => {
                self.end_packing();
                let of = if n % 2 == 0 { self.rotated(n) } else { self.live() };
                if let Some(of) = of {
                    self.leaves(of, Name::Stray);
                }
            }
            Op::Lose(n) => {
                let all: Vec<usize> =
                    (0..self.files.len()).filter(|at| self.files[*at].name == Name::Stray).collect();
                if let Some(at) = usize::from(n).checked_rem(all.len()) {
                    self.leaves(all[at], Name::Lost);
                }
            }
            Op::Duplicate(n) => {
                self.end_packing();
                let of = if n % 2 == 0 { self.rotated(n) } else { self.live() };
                if let Some(of) = of.filter(|of| self.files[*of].form == Form::Plain) {
                    self.create(Name::Rotated, Form::Plain, self.files[of].lines.clone());
                }
            }
            _ => {
                let needs_lines = !matches!(op, Op::Rotate(_) | Op::Delete);
                let is_fit = |live: &usize| !needs_lines || !self.files[*live].lines.is_empty();
                if let Some(live) = self.live().filter(is_fit) {
                    self.change_live(live, op);
                }
            }
        }
    }

    /// Applies an operation to the live log.
    fn change_live(&mut self, live: usize, op: Op) {
        let mut lines = self.files[live].lines.clone();
        match op {
            Op::Rotate(late) => {
                self.files[live].name = Name::Rotated;
                if late > 0 {
                    let lines = self.some_lines(late);
                    self.append(live, &lines);
                }
            }
            Op::Delete => self.remove(live),
            Op::CopyTruncate => {
                self.write_over(live, Vec::new());
                self.create(Name::Rotated, Form::Plain, lines);
            }
            Op::Cut(n) => {
                lines.truncate(1 + usize::from(n) % lines.len());
                self.write_over(live, lines);
            }
            Op::Regrow(n) => {
                let lines = self.some_lines(u8::try_from(lines.len()).unwrap() + n);
                self.write_over(live, lines);
            }
            Op::Edit(n) => {
                lines.remove(usize::from(n) % lines.len());
                self.files[live].name = Name::None;
                self.create(Name::Live, Form::Plain, lines);
            }
            Op::Alike(n) => {
                lines.truncate(1);
                lines.extend(self.some_lines(n));
                self.create(Name::Rotated, Form::Plain, lines);
            }
            _ => {}
        }
    }

    /// Replaces the lines of a file in place.
    fn write_over(&mut self, file: usize, lines: Vec<Line>) {
        self.files[file].lines = lines;
        self.files[file].modified = self.now;
        self.is_edited = true;
    }

    fn pack(&mut self, n: u8, by_halves: bool) {
        self.end_packing();
        if let Some(from) = self.rotated(n).filter(|at| self.files[*at].form == Form::Plain) {
            let to = self.create(Name::Rotated, Form::Half, self.files[from].lines.clone());
            self.packing = Some((to, from));
            if !by_halves {
                self.end_packing();
            }
        }
    }

    pub(super) fn some_lines(&mut self, count: u8) -> Vec<Line> {
        let from = self.lines;
        self.lines += usize::from(count);
        (from..self.lines).collect()
    }

    pub(super) fn live(&self) -> Option<usize> {
        self.files.iter().position(|file| file.name == Name::Live)
    }

    pub(super) fn rotated(&self, n: u8) -> Option<usize> {
        let rotated: Vec<usize> =
            (0..self.files.len()).filter(|at| self.files[*at].name == Name::Rotated).collect();
        usize::from(n).checked_rem(rotated.len()).map(|at| rotated[at])
    }

    /// Creates a file, often with the inode of a file that is gone.
    pub(super) fn create(&mut self, name: Name, form: Form, lines: Vec<Line>) -> usize {
        let is_used = |inode: &usize| {
            let holds =
                |at: usize| self.open.iter().any(|r| r.file == at) || self.kept.iter().any(|k| k.file == at);
            let files = self.files.iter().enumerate().filter(|(_, file)| file.inode == *inode);
            files.into_iter().any(|(at, file)| file.name != Name::None || holds(at))
        };
        let inode = (0..).find(|inode| !is_used(inode)).unwrap();
        self.files.push(File { inode, name, form, lines, modified: self.now });
        self.files.len() - 1
    }

    pub(super) fn append(&mut self, file: usize, lines: &[Line]) {
        self.files[file].lines.extend(lines);
        self.files[file].modified = self.now;
    }

    pub(super) fn remove(&mut self, file: usize) {
        self.leaves(file, Name::None);
    }

    /// A file loses the name by which it is followed. What the daemon has open is loaded all the same.
    pub(super) fn leaves(&mut self, file: usize, name: Name) {
        let is_open = self.open.iter().any(|r| r.file == file) || self.kept.iter().any(|k| k.file == file);
        let gone = &mut self.files[file];
        gone.name = name;
        if is_open && !self.is_edited && gone.form == Form::Plain {
            self.owed.extend(&gone.lines);
        }
    }

    pub(super) fn end_packing(&mut self) {
        if let Some((to, from)) = self.packing.take() {
            self.files[to].form = Form::Packed;
            self.files[to].modified = self.now;
            self.remove(from);
        }
    }
}
