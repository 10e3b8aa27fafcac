//! Lines a second, on one core, of every step from bytes to a batch: `cargo bench --bench stages [-- NAME]`.
//!
//! Over made traffic (`traffic/`) of 20,000 lines, which is more than the processor's caches hold. What a query costs is
//! the difference between `parse/alt1` and `parse/alt1-no-query`. Time is the thread's own on the processor, and not the
//! clock's, so that what else the machine does counts less.

use std::convert::Infallible;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use alt_line::arena::{ARENA_BYTES, Arena};
use alt_line::batch::{Batch, FileRef};
use alt_line::checkpoint::{Head, Position, Proof};
use alt_line::copy::{self, Origin};
use alt_line::enrich::{AgentRules, App, Enriched, Enricher, Privacy};
use alt_line::hit::{Hit, Micros, Parsed};
use alt_line::lines::{Line, Lines};
use alt_line::parse::{Format, Spec, Terms};
use alt_line::processor::{Known, Processor};
use alt_line::row::Row;
use alt_line::sites::Sites;
use criterion::measurement::{Measurement, ValueFormatter, WallTime};
use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use nix::time::{ClockId, clock_gettime};
use traffic::Traffic;

const LINES: u64 = 20_000;

/// 2026-01-01, and 5,000 lines a second.
const FIRST_MS: u64 = 1_767_225_600_000;
const PER_SECOND: f64 = 5000.0;

/// After all events.
const NOW: Micros = 1_800_000_000_000_000;

/// What the daemon's `[load]` has, if it is not told otherwise.
const BATCH_ROWS: usize = 20_000;
const BATCH_BYTES: usize = 2 << 20;

criterion_group! {
    name = stages;
    config = Criterion::default().with_measurement(CpuTime);
    targets = split, parse, enrich, encode, whole
}
criterion_main!(stages);

/// Nanoseconds that the thread was running.
struct CpuTime;

impl Measurement for CpuTime {
    type Intermediate = Duration;
    type Value = Duration;

    fn start(&self) -> Duration {
        clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).expect("a thread has a clock").into()
    }

    fn end(&self, start: Duration) -> Duration {
        self.start() - start
    }

    fn add(&self, one: &Duration, other: &Duration) -> Duration {
        *one + *other
    }

    fn zero(&self) -> Duration {
        Duration::ZERO
    }

    fn to_f64(&self, time: &Duration) -> f64 {
        time.as_nanos() as f64
    }

    fn formatter(&self) -> &dyn ValueFormatter {
        WallTime.formatter()
    }
}

fn made(write: fn(&mut Traffic, &mut Vec<u8>)) -> Vec<u8> {
    let (mut traffic, mut log) = (Traffic::new(1, FIRST_MS, PER_SECOND), Vec::new());
    (0..LINES).for_each(|_| write(&mut traffic, &mut log));
    log
}

/// Reads a log as the pipeline does.
fn each_line(log: &[u8], mut each: impl FnMut(&Line<'_>)) {
    let (mut lines, mut rest) = (Lines::default(), log);
    while !rest.is_empty() {
        let room = lines.room();
        let count = rest.len().min(room.len());
        room[..count].copy_from_slice(&rest[..count]);
        lines.filled(count);
        rest = &rest[count..];
        while let Some(line) = lines.next_line() {
            each(&line);
        }
    }
}

fn split(criterion: &mut Criterion<CpuTime>) {
    let log = made(Traffic::alt1);
    let mut group = criterion.benchmark_group("split");
    group.throughput(Throughput::Elements(LINES));
    let look = |line: &Line<'_>| {
        black_box(line.bytes);
    };
    group.bench_function("lines", |b| b.iter(|| each_line(&log, look)));
}

fn parse(criterion: &mut Criterion<CpuTime>) {
    let alt1 = made(Traffic::alt1);
    let no_query: Vec<u8> = alt1.split_inclusive(|&byte| byte == b'\n').flat_map(without_query).collect();
    let pixel = Spec { pixel: Some("matomo".to_owned()), ..Spec::new("combined") };
    let mut group = criterion.benchmark_group("parse");
    group.throughput(Throughput::Elements(LINES));
    for (name, spec, log) in [
        ("alt1", Spec::new("alt1"), alt1),
        ("alt1-no-query", Spec::new("alt1"), no_query),
        ("combined", Spec::new("combined"), made(Traffic::combined)),
        ("matomo", pixel, made(Traffic::matomo)),
    ] {
        let (format, terms) = (Format::of(&spec).expect("a known format"), Terms::default());
        let mut scratch = vec![0; ARENA_BYTES];
        let mut parse_line = |line: &[u8]| {
            let (mut hit, mut arena) = (Hit::default(), Arena::new(&mut scratch));
            let _ = black_box(format.parse_whole(&mut hit, line, &terms, &mut arena));
            black_box(&hit);
        };
        let lines: Vec<&[u8]> = lines_of(&log).collect();
        group.bench_function(BenchmarkId::from_parameter(name), |b| {
            b.iter(|| lines.iter().for_each(|line| parse_line(line)));
        });
    }
}

fn lines_of(log: &[u8]) -> impl Iterator<Item = &[u8]> {
    log.split(|&byte| byte == b'\n').filter(|line| !line.is_empty())
}

fn without_query(line: &[u8]) -> Vec<u8> {
    let mut fields: Vec<&[u8]> = line.split(|&byte| byte == b'\t').collect();
    if let Some(query) = fields.get_mut(8) {
        *query = b"a=k";
    }
    fields.join(&b'\t')
}

/// Memory for hits and rows that live as long as the process.
fn for_good(bytes: usize) -> Arena<'static> {
    Arena::new(vec![0; bytes].leak())
}

/// The log's hits.
fn hits() -> Vec<Hit<'static>> {
    let (log, terms): (&'static [u8], _) = (made(Traffic::alt1).leak(), Terms::default());
    let (format, mut arena) = (Format::of(&Spec::new("alt1")).expect("a known format"), for_good(64 << 20));
    let parsed = lines_of(log).map(|line| format.parse(line, false, &terms, &mut arena));
    parsed.filter_map(|parsed| if let Parsed::Hit(hit) = parsed { Some(hit) } else { None }).collect()
}

fn app() -> App {
    App { id: 1, time_zone: "UTC".to_owned(), ..App::default() }
}

fn enricher() -> Enricher {
    Enricher::new(Arc::new(AgentRules::builtin()), Privacy::default())
}

fn enrich(criterion: &mut Criterion<CpuTime>) {
    let (hits, app, mut scratch) = (hits(), app(), vec![0; ARENA_BYTES]);
    let mut enrich_all = |enricher: &mut Enricher, hits: &[Hit<'static>]| {
        for hit in hits {
            black_box(&enricher.enrich(hit, &app, Some(&[7; 32]), &mut Arena::new(&mut scratch)));
        }
        drop(enricher.take_new());
    };
    let mut group = criterion.benchmark_group("enrich");
    group.throughput(Throughput::Elements(hits.len() as u64));
    let mut warm = enricher();
    group.bench_function("warm", |b| b.iter(|| enrich_all(&mut warm, &hits)));
    // One hit of each user agent: none is known.
    let mut met = std::collections::HashSet::new();
    let strangers: Vec<Hit<'static>> =
        hits.iter().filter(|hit| met.insert(hit.user_agent)).cloned().collect();
    group.throughput(Throughput::Elements(strangers.len() as u64));
    let rules = Arc::new(AgentRules::builtin());
    group.bench_function("cold", |b| {
        let cold = || Enricher::new(Arc::clone(&rules), Privacy::default());
        b.iter_batched_ref(cold, |cold| enrich_all(cold, &strangers), BatchSize::LargeInput);
    });
}

fn encode(criterion: &mut Criterion<CpuTime>) {
    let (mut enricher, app, mut arena) = (enricher(), &*Box::leak(Box::new(app())), for_good(64 << 20));
    let hits: &'static [Hit<'static>] = hits().leak();
    let rows: Vec<Row<'static>> = hits
        .iter()
        .filter_map(|hit| match enricher.enrich(hit, app, Some(&[7; 32]), &mut arena) {
            Enriched::Row(row) => Some(row),
            Enriched::NonHit(_) => None,
        })
        .collect();
    let mut data = Vec::new();
    let mut group = criterion.benchmark_group("encode");
    group.throughput(Throughput::Elements(rows.len() as u64));
    group.bench_function("copy", |b| {
        b.iter(|| {
            data.clear();
            for row in &rows {
                copy::row(&mut data, row, Origin { event_id: 1, file_id: 2, file_offset: 3 });
            }
            black_box(&data);
        });
    });
}

/// One application, whatever the key.
struct OneApp(Arc<App>);

impl Known for OneApp {
    type Error = Infallible;

    fn app(&mut self, key: &str) -> Result<Option<Arc<App>>, Infallible> {
        Ok((!key.starts_with("deleted")).then(|| Arc::clone(&self.0)))
    }

    fn salt(&mut self, _: &App, _: Micros) -> Result<Option<[u8; 32]>, Infallible> {
        Ok(Some([7; 32]))
    }
}

/// All of it, from bytes to batches.
fn whole(criterion: &mut Criterion<CpuTime>) {
    let log = made(Traffic::alt1);
    let format = Arc::new(Format::of(&Spec::new("alt1")).expect("a known format"));
    let sites = Sites::new(None, &std::collections::BTreeMap::default());
    let mut processor = Processor::new(format, Arc::default(), sites, String::new(), enricher());
    let mut known = OneApp(Arc::new(app()));
    let mut group = criterion.benchmark_group("whole");
    group.throughput(Throughput::Elements(LINES));
    group.bench_function("alt1", |b| {
        b.iter(|| {
            let mut batch = opened();
            each_line(&log, |line| {
                let Ok(()) = processor.line(line, None, NOW, &mut batch, &mut known);
                if batch.is_full(BATCH_ROWS, BATCH_BYTES, usize::MAX) {
                    black_box(std::mem::replace(&mut batch, opened()));
                }
            });
            black_box(batch)
        });
    });
}

fn opened() -> Batch {
    let mut batch = Batch::default();
    let head = Head { proof: Proof::of(b""), has_id: true };
    assert!(batch.open(FileRef::Known { id: 1, head }, Position::start(), false));
    batch
}
