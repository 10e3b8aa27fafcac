//! Bytes of a log to rows: cutting lines, pieces of torn ones, parsing, enriching, encoding.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;

use alt_line::arena::ARENA_BYTES;
use alt_line::batch::{Batch, BatchRow, FileRef};
use alt_line::checkpoint::{Head, Position, Proof};
use alt_line::enrich::{AgentRules, App, Enricher, Privacy};
use alt_line::hit::{Micros, Parsed};
use alt_line::line_id::LineIds;
use alt_line::lines::{Line, Lines};
use alt_line::parse::{Format, Spec};
use alt_line::processor::{Known, Processor, pieces};
use alt_line::sites::Sites;

use super::check::{self, row, terms};

const NOW: Micros = 1_900_000_000_000_000;

/// Bytes that one read gives at the most.
const READ_BYTES: usize = 256 * 1024;

const FORMATS: [&str; 3] = [
    "alt1",
    "combined",
    r#"escape=json '{"at":"$time_iso8601","id":"$request_id","ip":"$remote_addr","r":"$request","s":$status,'
       '"b":$body_bytes_sent,"f":"$http_referer","a":"$http_user_agent","x":"$http_x_forwarded_for","o":"$other"}'"#,
];

/// Every key but those that begin with `no` is an application; every third day is dead.
struct Apps(Arc<App>);

impl Known for Apps {
    type Error = Infallible;

    fn app(&mut self, key: &str) -> Result<Option<Arc<App>>, Infallible> {
        Ok((!key.starts_with("no")).then(|| Arc::clone(&self.0)))
    }

    fn salt(&mut self, _: &App, at: Micros) -> Result<Option<[u8; 32]>, Infallible> {
        Ok((at / 86_400_000_000 % 3 != 0).then_some([7; 32]))
    }
}

/// One format's processor, and what is asked of it.
struct Target {
    format: Arc<Format>,
    processor: Processor,
    apps: Apps,
    rules: Arc<AgentRules>,
    runs: usize,
}

/// After so many runs a processor is made anew, before it has met so many user agents that it stores no more of them.
const RUNS_MAX: usize = 100;

impl Target {
    fn new(format: &str, rules: &Arc<AgentRules>) -> Target {
        let format = Arc::new(Format::of(&Spec::new(format)).expect("these are formats"));
        let app = App { id: 1, key: "shop".into(), time_zone: "UTC".into(), ..App::default() };
        let processor = processor(&format, rules);
        Target { format, processor, apps: Apps(Arc::new(app)), rules: Arc::clone(rules), runs: 0 }
    }

    fn next_run(&mut self) {
        self.runs += 1;
        if self.runs.is_multiple_of(RUNS_MAX) {
            self.processor = processor(&self.format, &self.rules);
        }
    }
}

fn processor(format: &Arc<Format>, rules: &Arc<AgentRules>) -> Processor {
    let sites = Sites::new(Some("shop".to_owned()), &BTreeMap::new());
    let enricher = Enricher::new(Arc::clone(rules), Privacy::default());
    Processor::new(Arc::clone(format), Arc::new(terms()), sites, "label".to_owned(), enricher)
}

/// What a line was, with bytes of its own.
type Owned = (u64, u64, Vec<u8>, bool);

/// Calls `each` with the lines of a file that is read in pieces of this size.
fn read(file: &[u8], size: usize, mut each: impl FnMut(&Line<'_>)) {
    let mut lines = Lines::default();
    for chunk in file.chunks(size) {
        lines.room()[..chunk.len()].copy_from_slice(chunk);
        lines.filled(chunk.len());
        while let Some(line) = lines.next_line() {
            each(&line);
        }
        let tail = lines.tail(64);
        let next = usize::try_from(lines.offset()).expect("a small file");
        assert_eq!(tail, &file[next - tail.len()..next], "the tail before {next}");
    }
    if let Some(line) = lines.last_line() {
        each(&line);
    }
    assert_eq!(lines.offset(), file.len() as u64);
}

/// Hits, non-hits and rejects among the pieces of the lines; the pieces of a line cover it.
fn counted(format: &Format, file: &[u8], size: usize) -> (Vec<Owned>, [u64; 3]) {
    thread_local! {
        static SCRATCH: RefCell<Vec<u8>> = RefCell::new(vec![0; ARENA_BYTES]);
    }
    let (mut lines, mut counts, mut next) = (Vec::new(), [0; 3], 0);
    read(file, size, |line| {
        assert_eq!(line.offset, next, "a gap between lines");
        let end = line.offset + line.span;
        SCRATCH.with_borrow_mut(|scratch| {
            let Ok(()) = pieces(line, format, &terms(), scratch, NOW, &mut |piece, parsed| {
                assert_eq!(piece.offset, next, "a gap between pieces");
                assert!(piece.span > 0, "an empty piece");
                next += piece.span;
                let at = usize::try_from(piece.offset).expect("a small file");
                assert_eq!(piece.bytes, &file[at..at + piece.bytes.len()]);
                counts[match parsed {
                    Parsed::Hit(hit) => {
                        check::hit(hit);
                        0
                    }
                    Parsed::NonHit(_) => 1,
                    Parsed::Reject(_) => 2,
                }] += 1;
                Ok::<(), Infallible>(())
            });
        });
        assert_eq!(next, end, "the pieces of a line do not cover it");
        lines.push((line.offset, line.span, line.bytes.to_vec(), line.too_long));
    });
    assert_eq!(next, file.len() as u64);
    (lines, counts)
}

/// Takes a file to its end: a batch in which every line is accounted for, and every row is one for PostgreSQL.
fn loaded(target: &mut Target, file: &[u8], size: usize) -> Batch {
    let proof = Proof::of(b"");
    let mut batch = Batch::default();
    let file_ref = FileRef::Known { id: 1, head: Head { proof, has_id: false } };
    assert!(batch.open(file_ref, Position::start(), false));
    let mut ids = target.processor.wants_line_ids().then(LineIds::default);
    read(file, size, |line| {
        let Ok(()) = target.processor.line(line, ids.as_mut(), NOW, &mut batch, &mut target.apps);
    });
    let section = &batch.sections[0];
    assert_eq!(section.lines, batch.rows.len() as u64 + section.non_hits + section.rejects);
    let mut start = 0;
    for BatchRow { encoded, .. } in &batch.rows {
        assert_eq!(encoded.start, start);
        row(&batch.data[encoded.start as usize..encoded.end as usize]);
        start = encoded.end;
    }
    assert_eq!(start as usize, batch.data.len());
    // Rows and rejects lie in the file, in order and apart.
    let mut spans: Vec<(u64, u64)> = batch.rows.iter().map(|row| (row.offset, u64::from(row.span))).collect();
    spans.extend(batch.rejects.iter().map(|r| (r.offset, r.bytes)));
    spans.sort_unstable();
    let mut end = 0;
    for (offset, bytes) in spans {
        assert!(offset >= end && bytes > 0, "two for one line at {offset}");
        end = offset + bytes;
    }
    assert!(end <= file.len() as u64);
    batch
}

/// A log. Its first byte says in which format, its second in pieces of which size it is read.
///
/// Lines and their pieces cover the file; each piece is one of hit, non-hit and reject; each becomes one row, non-hit
/// or reject; rows are such as PostgreSQL takes; and in whatever pieces the file is read, lines and rows are the
/// same.
pub fn line(data: &[u8]) {
    thread_local! {
        static TARGETS: RefCell<Vec<Target>> = RefCell::new({
            let rules = Arc::new(AgentRules::builtin());
            FORMATS.iter().map(|format| Target::new(format, &rules)).collect()
        });
    }
    let [which, size, file @ ..] = data else { return };
    let (size, large) = (usize::from(*size).max(1), READ_BYTES);
    TARGETS.with_borrow_mut(|targets| {
        let target = &mut targets[usize::from(*which) % FORMATS.len()];
        target.next_run();
        let (lines, counts) = counted(&target.format, file, size);
        assert_eq!((lines, counts), counted(&target.format, file, large));
        let [hits, non_hits, rejects] = counts;
        let batch = loaded(target, file, size);
        let section = &batch.sections[0];
        assert_eq!(section.lines, hits + non_hits + rejects);
        // Enriching may yet leave a hit out, or find no application for it.
        assert!(
            batch.rows.len() as u64 <= hits && section.non_hits >= non_hits && section.rejects >= rejects
        );
        let whole = loaded(target, file, large);
        let spans =
            |batch: &Batch| batch.rows.iter().map(|row| (row.offset, row.key.event_id)).collect::<Vec<_>>();
        assert_eq!(spans(&batch), spans(&whole));
        assert!(batch.data == whole.data, "the same lines made other rows");
        assert_eq!(batch.rejects, whole.rejects);
    });
}
