//! Reading a file again, independently of its checkpoint: for missing rows, and for rejects that are examined again.
//!
//! Every line is checked by id, so it may be read any number of times. The checkpoint does not move. Of its counts,
//! only those of rejects that were read again change.

use std::collections::VecDeque;

use alt_line::batch::FileRef;
use alt_line::checkpoint::Position;
use alt_line::hit::Reason;
use alt_line::lines::Line;
use alt_line::outcome::{Outcome, Processed};
use alt_line::reread::{Among, OldSpan};
use alt_process::clock;
use alt_process::fault;
use alt_store::files::Which;
use alt_store::writer::{Interrupted, Store};

use super::{Halt, Loader};
use crate::source::reading::{Reading, Step};

/// The maximum number of a file's rejects that are fetched ahead of reading.
const SPANS_AHEAD: usize = 2000;

/// The number of lines between two checks whether to continue.
const LINES_AT_ONCE: u32 = 4096;

/// A file that is read independently of its checkpoint, and its rejects.
pub struct Reread {
    /// The file.
    pub reading: Box<Reading>,
    /// Which of the file's rejects are examined again; `None`: the file has no checkpoint.
    which: Option<Which>,
    /// For rejects alone, the lines between them are skipped.
    among: Among,
    spans: VecDeque<OldSpan>,
    /// The offset up to which all spans are known; `None`: all spans of the file are known.
    asked_to: Option<u64>,
}

impl Reread {
    /// Reads all lines of a file; if the file has a checkpoint, including its rejects.
    pub fn all(reading: Box<Reading>, has_checkpoint: bool) -> Reread {
        let which = has_checkpoint.then(Which::default);
        Reread { reading, which, among: Among::Lines, spans: VecDeque::new(), asked_to: Some(0) }
    }

    /// Reads only some rejects of a file.
    pub fn rejects(reading: Box<Reading>, which: Which) -> Reread {
        Reread {
            reading,
            which: Some(which),
            among: Among::Rejects,
            spans: VecDeque::new(),
            asked_to: Some(0),
        }
    }

    /// Requests more spans if few are known and there may be more.
    fn look_ahead(&mut self, store: &Store) -> Result<(), Interrupted> {
        let (Some(which), Some(from)) = (&self.which, self.asked_to) else { return Ok(()) };
        if self.spans.len() >= SPANS_AHEAD / 2 {
            return Ok(());
        }
        let mut more = store.spans(self.reading.file_id(), from, which, SPANS_AHEAD as i64)?;
        let may_be_more = more.len() >= SPANS_AHEAD;
        if may_be_more {
            // The next span may share a line with a torn one: both must be known together.
            more.pop_if(|last| last.reason == Reason::Torn);
        }
        self.asked_to = more.last().filter(|_| may_be_more).map(OldSpan::end);
        self.spans.extend(more);
        Ok(())
    }

    /// Whether more spans must be requested before the next line.
    fn is_blind(&self, none_ahead: bool) -> bool {
        none_ahead && self.which.is_some() && self.asked_to.is_some()
    }
}

/// The reason why a batch ended.
enum End {
    Full,
    File,
    Stopped,
}

impl Loader {
    /// Reads a file to its end, independently of its checkpoint, and hands everything over. `finish`: a last line
    /// without a newline counts as a line. `go_on` is called from time to time.
    ///
    /// After an error of the file, the lines before it are handed over.
    ///
    /// # Errors
    /// The file cannot be read further, the database's answers are no longer valid, or `go_on` returned false.
    pub fn reread_file(
        &mut self,
        reread: &mut Reread,
        finish: bool,
        go_on: &mut dyn FnMut(&Reading) -> bool,
    ) -> Result<(), Halt> {
        let done = self.batches_of_reread(reread, finish, go_on);
        if let Err(Halt::Interrupted(_)) = done {
            self.abandon();
        }
        done
    }

    fn batches_of_reread(
        &mut self,
        reread: &mut Reread,
        finish: bool,
        go_on: &mut dyn FnMut(&Reading) -> bool,
    ) -> Result<(), Halt> {
        loop {
            reread.look_ahead(&self.store)?;
            let spans = std::mem::take(&mut reread.spans);
            reread.reading.open_reread(&mut self.work.batch, reread.among, spans);
            let end = self.fill_reread(reread, finish, go_on);
            if let Err(Halt::Interrupted(interrupted)) = end {
                return Err(interrupted.into());
            }
            let (ahead, facts) = reread.reading.close_reread(&mut self.work.batch);
            reread.spans = ahead;
            self.work.note(Some(facts), reread.reading.proof());
            self.hand_over()?;
            if self.store.epoch() != self.epoch {
                // A batch was discarded, so all following batches would be discarded, too.
                return Err(Interrupted.into());
            }
            match end? {
                End::File => return Ok(()),
                End::Stopped => return Err(Interrupted.into()),
                End::Full => {}
            }
        }
    }

    fn fill_reread(
        &mut self,
        reread: &mut Reread,
        finish: bool,
        go_on: &mut dyn FnMut(&Reading) -> bool,
    ) -> Result<End, Halt> {
        let now = clock::now();
        let mut lines = 0;
        loop {
            if reread.is_blind(self.work.batch.next_ahead(reread.reading.offset()).is_none())
                || self.work.batch.is_full(self.limits.rows, self.limits.bytes, self.store.hours_max())
            {
                return Ok(End::Full);
            }
            lines += 1;
            if lines % LINES_AT_ONCE == 0 && !go_on(&reread.reading) {
                return Ok(End::Stopped);
            }
            let mut wanted = 0;
            if reread.among != Among::Lines {
                let Some(at) = self.work.batch.next_ahead(reread.reading.offset()) else {
                    return Ok(End::File);
                };
                reread.reading.skip_to(at)?;
                wanted = at;
            }
            // A line that crashed a daemon is examined again only on request.
            let is_set_aside =
                reread.among == Among::Lines && reread.reading.is_set_aside(reread.reading.offset());
            self.at = reread.reading.offset();
            match reread.reading.step()? {
                Step::New(line, _) if is_set_aside => {
                    self.work.batch.add(&Processed { line: &line, outcome: Outcome::Filtered });
                }
                Step::New(line, twins) => {
                    fault::line(line.bytes);
                    if line.offset + line.span > wanted {
                        self.way.line(&line, twins, now, &mut self.work.batch, &mut self.catalog)?;
                    } else if let Some(twins) = twins {
                        self.way.warm(&line, twins);
                    }
                }
                Step::Warm(line, twins) => self.way.warm(&line, twins),
                Step::Passed => {}
                Step::End => {
                    if finish
                        && !is_set_aside
                        && let Step::New(line, twins) = reread.reading.last()
                    {
                        self.way.line(&line, twins, now, &mut self.work.batch, &mut self.catalog)?;
                    }
                    return Ok(End::File);
                }
            }
        }
    }

    /// Examines again rejects of one line each whose bytes are all in the database; `file` is the file of the rejects.
    ///
    /// # Errors
    /// The database's answers are no longer valid.
    pub fn reread_lines(&mut self, file: &FileRef, lines: &[(OldSpan, Vec<u8>)]) -> Result<(), Interrupted> {
        let now = clock::now();
        for chunk in lines.chunks(SPANS_AHEAD) {
            let spans = chunk.iter().map(|(span, _)| span.clone()).collect();
            self.work.batch.open_reread(file.clone(), Position::start(), Among::Copies, spans);
            for (span, raw) in chunk {
                fault::line(raw);
                let line = Line { offset: span.offset, span: span.bytes, bytes: raw, too_long: false };
                let done = self.way.line(&line, None, now, &mut self.work.batch, &mut self.catalog);
                if let Err(interrupted) = done {
                    self.abandon();
                    return Err(interrupted);
                }
            }
            self.work.batch.close_reread(Position::start());
            self.work.note(None, None);
            self.hand_over()?;
        }
        Ok(())
    }
}
