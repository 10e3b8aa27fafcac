//! Processes a line: piece, parse, id, time, application, salt, enrich; then it enters a batch.
//!
//! It calls the steps in order. It does not know where lines come from and where batches go. Applications and salts,
//! which only the database knows, come from [`Known`].

use std::sync::Arc;

use super::arena::{ARENA_BYTES, Arena};
use super::batch::{Batch, MICROS_PER_HOUR, hour};
use super::enrich::{App, Budgets, Enriched, Enricher, mask};
use super::filter::Filter;
use super::flood::{Bytes, Limits};
use super::hit::{Hit, Micros, NoHit, Parsed, Reason, Reject};
use super::line_id::LineIds;
use super::lines::Line;
use super::outcome::{Outcome, Processed};
use super::parse::{Format, Terms};
use super::sites::Sites;

/// 2000-01-01T00:00:00Z: no event is older.
const EARLIEST: Micros = 946_684_800_000_000;

const MICROS_PER_DAY: Micros = 24 * MICROS_PER_HOUR;

/// The most bytes that are kept of an unknown application's key, or of a site without an application.
pub const UNKNOWN_KEY_BYTES: usize = 64;

/// What a line needs and only the database knows. After an error the batch is abandoned, and its lines are read again.
pub trait Known {
    /// Why there is no answer.
    type Error;
    /// The application with this key; `None` if there is none, or if it is disabled.
    fn app(&mut self, key: &str) -> Result<Option<Arc<App>>, Self::Error>;
    /// The salt of the application's local day that contains `at`; `None` if it was deleted.
    fn salt(&mut self, app: &App, at: Micros) -> Result<Option<[u8; 32]>, Self::Error>;
}

/// What is known about a line, or a piece of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Piece {
    /// A line that may be torn.
    Unknown,
    /// A whole line, or the last piece of a torn one.
    Whole,
    /// A piece that was cut off by the next.
    Torn,
}

/// Makes rows of the lines of one source.
pub struct Processor {
    source: Source,
    enricher: Enricher,
    scratch: Vec<u8>,
    /// The present hour, for the limit on new user agents and environments.
    hours: Hours,
    /// The budget of rows of each network; `None`: no limit.
    flood: Option<Bytes>,
}

/// The hours of the limit on new user agents and environments.
#[derive(Debug, Default)]
struct Hours {
    /// When the present one began.
    began: Micros,
    /// The latest hour of an event, since 1970.
    latest: i32,
}

impl Hours {
    /// Whether another hour begins at `now` with an event of the time `at`: after an hour, and where an event is of a
    /// later hour than all before, as in a backlog.
    fn begins(&mut self, now: Micros, at: Micros) -> bool {
        let is_later = hour(at) > self.latest;
        let begins = is_later || !(0..MICROS_PER_HOUR).contains(&(now - self.began));
        if begins {
            *self = Hours { began: now, latest: self.latest.max(hour(at)) };
        }
        begins
    }
}

/// What a [`Processor`] needs of one source: what its lines are, and what is left of its budgets.
pub struct Own {
    source: Source,
    hours: Hours,
    flood: Option<Bytes>,
    budgets: Budgets,
}

impl Own {
    /// Of a source, with full budgets: `limits` of each application and network in an hour. The rest is as for
    /// [`Processor::new`].
    pub fn new(format: Arc<Format>, terms: Arc<Terms>, sites: Sites, label: String, limits: Limits) -> Self {
        Own {
            source: Source { format, terms, sites, label, filter: Filter::default() },
            hours: Hours::default(),
            flood: Some(Bytes::new(limits.bytes_per_hour)),
            budgets: Budgets::new(limits),
        }
    }

    /// Forgets which rows were spent: they were not committed.
    pub fn forget(&mut self) {
        if let Some(flood) = &mut self.flood {
            flood.forget();
        }
    }
}

impl std::fmt::Debug for Own {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Source { format, label, .. } = &self.source;
        f.debug_struct("Own").field("format", &format.name()).field("label", label).finish()
    }
}

/// What is fixed for a source: what its lines are, whose they are, and which of them are wanted.
struct Source {
    format: Arc<Format>,
    terms: Arc<Terms>,
    /// The applications of lines that name none.
    sites: Sites,
    /// Stands for the source in the ids that are made for lines without one.
    label: String,
    filter: Filter,
}

impl std::fmt::Debug for Processor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Source { format, label, .. } = &self.source;
        f.debug_struct("Processor").field("format", &format.name()).field("label", label).finish()
    }
}

impl Processor {
    /// For lines of `format`. `sites` are the applications of lines that name none; `label` stands for the source in
    /// ids (see [`LineIds`]).
    pub fn new(
        format: Arc<Format>,
        terms: Arc<Terms>,
        sites: Sites,
        label: String,
        enricher: Enricher,
    ) -> Self {
        let source = Source { format, terms, sites, label, filter: Filter::default() };
        Processor { source, enricher, scratch: vec![0; ARENA_BYTES], hours: Hours::default(), flood: None }
    }

    /// With a filter: lines that it does not want are counted as filtered, and become nothing else.
    #[must_use]
    pub fn filtered(self, filter: Filter) -> Self {
        Processor { source: Source { filter, ..self.source }, ..self }
    }

    /// Takes another source's part, and gives the present one. The caches are for all sources together.
    pub fn exchange(&mut self, own: &mut Own) {
        std::mem::swap(&mut self.source, &mut own.source);
        std::mem::swap(&mut self.hours, &mut own.hours);
        std::mem::swap(&mut self.flood, &mut own.flood);
        self.enricher.exchange(&mut own.budgets);
    }

    /// Whether [`Processor::line`] wants [`LineIds`].
    pub fn wants_line_ids(&self) -> bool {
        !self.source.format.carries_id()
    }

    /// Processes a line: it becomes a row, a non-hit or a reject in the batch's open section, as does each piece of a
    /// torn line. `now` bounds the event's time.
    ///
    /// # Errors
    /// Those of `known`: the batch has to be abandoned.
    pub fn line<K: Known>(
        &mut self,
        line: &Line<'_>,
        mut ids: Option<&mut LineIds>,
        now: Micros,
        batch: &mut Batch,
        known: &mut K,
    ) -> Result<(), K::Error> {
        if self.piece(line, Piece::Unknown, ids.as_deref_mut(), now, batch, known)? {
            return Ok(());
        }
        let mut piece = *line;
        while let Some(at) = self.source.format.next_piece(piece.bytes) {
            let head = Line { bytes: &piece.bytes[..at], span: at as u64, ..piece };
            self.piece(&head, Piece::Torn, ids.as_deref_mut(), now, batch, known)?;
            piece.offset += at as u64;
            piece.span -= at as u64;
            piece.bytes = &piece.bytes[at..];
        }
        self.piece(&piece, Piece::Whole, ids, now, batch, known).map(drop)
    }

    /// Processes a line that is one piece, or a piece of one. `false`, and nothing done, for a line that is `Unknown`
    /// and has to be cut into its pieces first.
    fn piece<K: Known>(
        &mut self,
        line: &Line<'_>,
        piece: Piece,
        ids: Option<&mut LineIds>,
        now: Micros,
        batch: &mut Batch,
        known: &mut K,
    ) -> Result<bool, K::Error> {
        let mut arena = Arena::new(&mut self.scratch);
        let mut hit = Hit::default();
        let Some(parsed) = self.source.parse(&mut hit, line, piece, &mut arena) else { return Ok(false) };
        // Comes before any filter: the number of equal lines must not depend on what they became.
        let (event_id, is_made) = match (parsed, hit.event_id, ids) {
            (Ok(()), Some(id), _) => (id, false),
            (Ok(()), None, Some(ids)) => (ids.id(&self.source.label, line.bytes, line.offset), true),
            _ => (0, false),
        };
        let app = match parsed {
            Ok(()) => self.source.app(&hit, event_id, line, now, known)?,
            Err(no_hit) => Err(self.source.no_hit(no_hit, line)),
        };
        let app = match app {
            Ok(app) => app,
            Err(outcome) => {
                let private = !self.enricher.tracks_all() && self.source.format.opted_out(&hit, line.bytes);
                leave_early(line, outcome, private, batch);
                return Ok(true);
            }
        };
        if self.flood.as_mut().is_some_and(|flood| flood.is_spent(app.id, hit.ip, hour(hit.occurred_at))) {
            let reject = Reject {
                reason: Reason::Flood,
                occurred_at: Some(hit.occurred_at),
                event_id: Some(event_id),
            };
            leave(line, self.source.reject(reject, None, line), batch);
            return Ok(true);
        }
        let salt = if hit.ip.is_some() { known.salt(&app, hit.occurred_at)? } else { None };
        if self.hours.begins(now, hit.occurred_at) {
            self.enricher.begin_hour();
        }
        let enriched = self.enricher.enrich(&hit, &app, salt.as_ref(), &mut arena);
        let outcome = match &enriched {
            Enriched::NonHit(kind) => Outcome::NonHit(*kind),
            Enriched::Row(row) => {
                batch.new.extend(self.enricher.take_new());
                batch.left_out += self.enricher.take_left_out();
                Outcome::Row { row, event_id, is_made }
            }
        };
        let before = batch.data.len();
        leave(line, outcome, batch);
        if let Some(flood) = &mut self.flood {
            flood.spend(app.id, hit.ip, hour(hit.occurred_at), batch.data.len() - before);
        }
        Ok(true)
    }

    /// Whether a line that is set aside unread says that the visitor asked not to be tracked.
    pub fn is_private(&self, line: &Line<'_>) -> bool {
        !self.enricher.tracks_all() && self.source.format.opted_out(&Hit::default(), line.bytes)
    }

    /// Shows `ids` a line that is loaded already, so that the lines after it get the same ids as before.
    pub fn warm(&mut self, line: &Line<'_>, ids: &mut LineIds) {
        let mut arena = Arena::new(&mut self.scratch);
        let Source { format, terms, label, .. } = &self.source;
        let parsed = format.parse(line.bytes, false, terms, &mut arena);
        if !line.too_long && matches!(parsed, Parsed::Hit(Hit { event_id: None, .. })) {
            ids.id(label, line.bytes, line.offset);
        }
    }

    /// Makes batches contain again what rows refer to; for when the database may have changed.
    pub fn forget(&mut self) {
        self.enricher.forget_told();
        if let Some(flood) = &mut self.flood {
            flood.forget();
        }
    }
}

impl Source {
    /// Parses a line, or a piece of one. `None`: the line has to be cut into its pieces first.
    fn parse<'a>(
        &self,
        hit: &mut Hit<'a>,
        line: &Line<'a>,
        piece: Piece,
        arena: &mut Arena<'a>,
    ) -> Option<Result<(), NoHit>> {
        if line.too_long {
            return Some(Err(NoHit::Reject(Reject::new(Reason::TooLong))));
        }
        match piece {
            Piece::Unknown => self.format.parse_whole(hit, line.bytes, &self.terms, arena),
            Piece::Whole | Piece::Torn => {
                let torn = piece == Piece::Torn;
                Some(self.format.parse_into(hit, line.bytes, torn, &self.terms, arena))
            }
        }
    }

    /// What a line becomes that is no hit.
    fn no_hit(&self, no_hit: NoHit, line: &Line<'_>) -> Outcome<'static> {
        match no_hit {
            NoHit::NonHit(_) if !self.filter.wants(line.bytes, None, None) => Outcome::Filtered,
            NoHit::NonHit(kind) => Outcome::NonHit(kind),
            NoHit::Reject(reject) => self.reject(reject, None, line),
        }
    }

    /// What a line becomes that is a reject, unless it is filtered.
    fn reject<'o>(&self, reject: Reject, detail: Option<&'o str>, line: &Line<'_>) -> Outcome<'o> {
        if self.filter.wants(line.bytes, reject.occurred_at, None) {
            Outcome::Reject { reject, detail, private: false }
        } else {
            Outcome::Filtered
        }
    }

    /// The application of a hit that is to be a row; else what its line becomes.
    fn app<'o, K: Known>(
        &'o self,
        hit: &Hit<'o>,
        event_id: u128,
        line: &Line<'_>,
        now: Micros,
        known: &mut K,
    ) -> Result<Result<Arc<App>, Outcome<'o>>, K::Error> {
        if !in_time(hit.occurred_at, now) {
            return Ok(Err(self.reject(out_of_time(Some(event_id)), None, line)));
        }
        let because = |reason, detail: Option<&'o str>| {
            let reject = Reject { reason, occurred_at: Some(hit.occurred_at), event_id: Some(event_id) };
            Ok(Err(self.reject(reject, detail, line)))
        };
        let key = if hit.app_key.is_empty() { self.sites.of(hit.site) } else { Some(hit.app_key) };
        let Some(key) = key else {
            return because(Reason::NoApp, Some(hit.site).filter(|site| !site.is_empty()));
        };
        let Some(app) = known.app(key)? else { return because(Reason::UnknownApp, Some(key)) };
        if !self.filter.wants(line.bytes, Some(hit.occurred_at), Some(key)) {
            return Ok(Err(Outcome::Filtered));
        }
        Ok(Ok(app))
    }
}

/// The exit of a line that did not become a hit of an application; of a reject, the detail is masked.
fn leave_early(line: &Line<'_>, outcome: Outcome<'_>, private: bool, batch: &mut Batch) {
    let Outcome::Reject { reject, detail, .. } = outcome else { return leave(line, outcome, batch) };
    let mut masked = String::new();
    let detail = detail.map(|text| if mask::value(text, &mut masked) { masked.as_str() } else { text });
    let detail = detail.map(|text| &text[..text.floor_char_boundary(UNKNOWN_KEY_BYTES)]);
    leave(line, Outcome::Reject { reject, detail, private }, batch);
}

/// The only exit: every line, or piece of one, leaves here, whatever it became.
fn leave(line: &Line<'_>, outcome: Outcome<'_>, batch: &mut Batch) {
    batch.add(&Processed { line, outcome });
}

/// Parses a line at the time `now`, and calls `each` with each piece of it. A line is one piece unless it is torn.
///
/// # Errors
/// Those of `each`.
pub fn pieces<E>(
    line: &Line<'_>,
    format: &Format,
    terms: &Terms,
    scratch: &mut [u8],
    now: Micros,
    each: &mut dyn FnMut(&Line<'_>, &Parsed<'_>) -> Result<(), E>,
) -> Result<(), E> {
    pieces_with(line, format, terms, scratch, now, &mut |piece, parsed, _| each(piece, parsed))
}

/// What is done with a piece of a line: the piece, what it is, and what is left of the scratch memory.
pub type Each<'e, E> = dyn for<'a> FnMut(&Line<'a>, &Parsed<'a>, &mut Arena<'a>) -> Result<(), E> + 'e;

/// As [`pieces`], for who makes more of a piece.
///
/// # Errors
/// Those of `each`.
pub fn pieces_with<E>(
    line: &Line<'_>,
    format: &Format,
    terms: &Terms,
    scratch: &mut [u8],
    now: Micros,
    each: &mut Each<'_, E>,
) -> Result<(), E> {
    if line.too_long {
        let reject = Parsed::Reject(Reject::new(Reason::TooLong));
        return each(line, &reject, &mut Arena::new(scratch));
    }
    let mut rest = *line;
    loop {
        let cut = format.next_piece(rest.bytes);
        let at = cut.unwrap_or(rest.bytes.len());
        let piece = Line { bytes: &rest.bytes[..at], span: cut.map_or(rest.span, |at| at as u64), ..rest };
        let mut arena = Arena::new(scratch);
        let parsed = format.parse(piece.bytes, cut.is_some(), terms, &mut arena);
        each(&piece, &timed(parsed, now), &mut arena)?;
        if cut.is_none() {
            return Ok(());
        }
        rest = Line {
            offset: rest.offset + at as u64,
            span: rest.span - at as u64,
            bytes: &rest.bytes[at..],
            too_long: false,
        };
    }
}

/// What a parsed line is at the time `now`: a hit whose time is out of range becomes a reject.
pub fn timed(parsed: Parsed<'_>, now: Micros) -> Parsed<'_> {
    match parsed {
        Parsed::Hit(hit) if !in_time(hit.occurred_at, now) => Parsed::Reject(out_of_time(hit.event_id)),
        other => other,
    }
}

/// The reject has no time, because no column should have a wrong one.
fn out_of_time(event_id: Option<u128>) -> Reject {
    Reject { reason: Reason::TimeRange, occurred_at: None, event_id }
}

fn in_time(at: Micros, now: Micros) -> bool {
    (EARLIEST..=now.saturating_add(MICROS_PER_DAY)).contains(&at)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::batch::FileRef;
    use crate::checkpoint::{Head, Position, Proof};
    use crate::enrich::{AgentRules, Privacy};
    use crate::lines::Lines;

    /// One application, `shop`; every third day has no salt.
    struct Shop(Arc<App>);

    /// Sites, some of an application that is not there.
    fn sites(app: Option<&str>) -> Sites {
        let entries = [("shop.example", "shop"), ("*.example", "gone")];
        let entries = entries.map(|(name, key)| (name.to_owned(), key.to_owned())).into();
        Sites::new(app.map(str::to_owned), &entries)
    }

    impl Known for Shop {
        type Error = std::convert::Infallible;

        fn app(&mut self, key: &str) -> Result<Option<Arc<App>>, Self::Error> {
            Ok((key == "shop").then(|| Arc::clone(&self.0)))
        }

        fn salt(&mut self, _: &App, at: Micros) -> Result<Option<[u8; 32]>, Self::Error> {
            Ok((at / MICROS_PER_DAY % 3 != 0).then_some([7; 32]))
        }
    }

    fn processor(format: &str) -> Processor {
        processor_of(format, Sites::new(Some("shop".into()), &std::collections::BTreeMap::default()))
    }

    fn processor_of(format: &str, sites: Sites) -> Processor {
        let rules = Arc::new(AgentRules::builtin());
        let format = Arc::new(Format::compile(format).unwrap());
        let enricher = Enricher::new(rules, Privacy::default());
        Processor::new(format, Arc::default(), sites, "shop".into(), enricher)
    }

    /// Loads a whole file, and checks that every line is counted once.
    fn load(processor: &mut Processor, file: &[u8]) -> Batch {
        let proof = Proof::of(b"");
        let head = Head { proof, has_id: false };
        let mut batch = Batch::default();
        assert!(batch.open(FileRef::Known { id: 1, head }, Position::start(), false));
        let mut lines = Lines::default();
        let mut ids = processor.wants_line_ids().then(LineIds::default);
        let mut shop = Shop(Arc::new(App { key: "shop".into(), time_zone: "UTC".into(), ..App::default() }));
        let now = 1_900_000_000_000_000;
        for chunk in file.chunks(1000) {
            lines.room()[..chunk.len()].copy_from_slice(chunk);
            lines.filled(chunk.len());
            while let Some(line) = lines.next_line() {
                let Ok(()) = processor.line(&line, ids.as_mut(), now, &mut batch, &mut shop);
            }
        }
        if let Some(line) = lines.last_line() {
            let Ok(()) = processor.line(&line, ids.as_mut(), now, &mut batch, &mut shop);
        }
        let section = &batch.sections[0];
        assert_eq!(section.lines, batch.rows.len() as u64 + section.non_hits + section.rejects);
        // The lines of rows and rejects are within the file and do not overlap.
        let mut spans: Vec<(u64, u64)> =
            batch.rows.iter().map(|row| (row.offset, u64::from(row.span))).collect();
        spans.extend(batch.rejects.iter().map(|r| (r.offset, r.bytes)));
        spans.sort_unstable();
        let mut end = 0;
        for (offset, bytes) in spans {
            assert!(offset >= end && bytes > 0);
            end = offset + bytes;
        }
        assert!(end <= file.len() as u64);
        batch
    }

    /// Logs of pieces that are valid or nearly so.
    fn pieces() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop_oneof![
            3 => Just(b"alt1\t1700000000.123\t0123456789abcdef0123456789abcdef\t192.0.2.1\tGET\t204\tc\t/b\ta=shop&u=https://s/\t\tM\t\t\t\t\t\t\t9\t\n".to_vec()),
            1 => Just(b"alt1\t1700000000.123\t0123456789abcdef0123456789abcdef\t192.0.2.1\tPOST\t204\tc\t/api/v1/track\t\t\tM\t\t\t\t\t\t\t9\t{\\\"application_id\\\":\\\"shop\\\",\\\"p\\\":1}\n".to_vec()),
            2 => Just(b"192.0.2.1 - - [10/Oct/2023:13:55:36 -0700] \"GET /x?y HTTP/1.1\" 200 5 \"-\" \"curl/8\"\n".to_vec()),
            2 => Just(b"\n".to_vec()),
            1 => Just(b"\t".to_vec()),
            1 => Just(b"alt1\t".to_vec()),
            1 => Just(b"\x16\x03\x01\x02\x00".to_vec()),
            2 => prop::collection::vec(any::<u8>(), 0..60),
        ];
        prop::collection::vec(piece, 0..30).prop_map(|p| p.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(3000))]
        #[test]
        fn every_line_of_any_file_is_accounted_for(file in pieces(), cut in any::<prop::sample::Index>()) {
            // The rules are compiled once for each format, not for each case.
            thread_local! {
                static PROCESSORS: std::cell::RefCell<Vec<Processor>> =
                    std::cell::RefCell::new(["alt1", "combined", "$msec|$request_uri|$http_user_agent"].map(processor).into());
            }
            // Also with a torn first line.
            let mut torn = file.clone();
            torn.drain(..cut.index(file.len() + 1));
            PROCESSORS.with_borrow_mut(|processors| {
                for processor in processors {
                    load(processor, &file);
                    load(processor, &torn);
                }
            });
        }
    }

    #[test]
    fn a_site_without_an_application_is_named_in_the_reject() {
        let name = format!("{}.test", "é".repeat(40));
        let file = ["shop.example", "SHOP.EXAMPLE.", "b.example", "c.test", "-", &name].map(|host| {
            format!("{host} 192.0.2.1 - - [10/Oct/2023:13:55:36 -0700] \"GET / HTTP/1.1\" 200 5\n")
        });
        let format = "$host $remote_addr - $remote_user [$time_local] \"$request\" $status $bytes_sent";
        let rejects = |app| {
            let mut processor = processor_of(format, sites(app));
            let batch = load(&mut processor, file.concat().as_bytes());
            let reject = |r: &crate::batch::RejectSpan| (r.reason.as_str(), r.detail.clone());
            (batch.rows.len(), batch.rejects.iter().map(reject).collect::<Vec<_>>())
        };
        let some = |text: &str| Some(text.to_owned());
        let unknown = ("unknown_app", some("gone"));
        assert_eq!(rejects(Some("shop")), (5, vec![unknown.clone()]));
        let none =
            vec![unknown, ("no_app", some("c.test")), ("no_app", None), ("no_app", some(&"é".repeat(32)))];
        assert_eq!(rejects(None), (2, none));
    }

    /// The bytes and details of the rejects of a file.
    fn kept(processor: &mut Processor, file: &str) -> Vec<(Option<String>, Option<String>)> {
        let batch = load(processor, file.as_bytes());
        let text = |raw: &Vec<u8>| String::from_utf8_lossy(raw).into_owned();
        batch.rejects.iter().map(|reject| (reject.raw.as_ref().map(text), reject.detail.clone())).collect()
    }

    #[test]
    fn a_reject_of_who_asks_not_to_be_tracked_keeps_only_its_place() {
        const ALT1: [&str; 6] = [
            "alt1\tnever\t0123456789abcdef0123456789abcdef\t192.0.2.1\tGET\t204\tc\t/b\ta=shop\t\tM\t\t\t\tGPC\tDNT\t\t9\t",
            "alt1\t1700000000.123\tno id\t192.0.2.1\tGET\t204\tc\t/b\ta=shop\t\tM\t\t\t\tGPC\tDNT\t\t9\t",
            "alt1\t1700000000.123\t0123456789abcdef0123456789abcdef\t192.0.2.1\tGET\t204\tc\t/b\ta=gone\t\tM\t\t\t\tGPC\tDNT\t\t9\t",
            "alt1\t1700000000.123\t0123456789abcdef0123456789abcdef\t192.0.2.1\tGET\t204\tc\t/b\t\t\tM\t\t\t\tGPC\tDNT\t\t9\t",
            "alt1\t1700000000.123\t0123456789abcdef0123456789abcdef\t192.0.2.1\tPOST\t204\tc\t/api/v1/track\t\t\tM\t\t\t\tGPC\tDNT\t\t9\t{x",
            "alt1\t1700000000.123\t0123456789abcdef0123456789abcdef\t192.0.2.1\tGET\t204\tc\t/b\ta=shop\t\tM\t\t\t\tGPC\tDNT\t\t9\t\ttoo many",
        ];
        let combined = "$host $remote_addr [$time_local] \"$request\" $status $http_sec_gpc $http_dnt";
        let lines = [
            "a.test 192.0.2.1 [never] \"GET / HTTP/1.1\" 200 GPC DNT",
            "a.test 192.0.2.1 [10/Oct/2023:13:55:36 -0700] \"GET / HTTP/1.1\" 200 GPC DNT",
        ];
        let none = Sites::new(None, &std::collections::BTreeMap::default());
        for (format, line) in
            ALT1.map(|line| ("alt1", line)).into_iter().chain(lines.map(|line| (combined, line)))
        {
            for (gpc, dnt, is_kept) in
                [("1", "-", false), ("-", "1", false), ("0", "-", true), ("-", "-", true)]
            {
                let line = line.replace("GPC", gpc).replace("DNT", dnt);
                let rejects = kept(&mut processor_of(format, none.clone()), &format!("{line}\n"));
                let raw: Vec<Option<String>> = rejects.into_iter().map(|(raw, _)| raw).collect();
                assert_eq!(raw, [is_kept.then_some(line)]);
            }
        }
        // An operator who ignores the wish keeps the bytes.
        let mut ignoring = processor("alt1");
        ignoring.enricher = Enricher::new(
            Arc::new(AgentRules::builtin()),
            Privacy { gpc: crate::enrich::GpcPolicy::Ignore, ..Privacy::default() },
        );
        let line = ALT1[0].replace("GPC", "1");
        assert_eq!(kept(&mut ignoring, &line), [(Some(line), None)]);
    }

    #[test]
    fn a_line_that_is_set_aside_unread_is_private_if_its_fields_say_so() {
        let is_private = |bytes: &[u8]| {
            let line = Line { bytes, offset: 0, span: bytes.len() as u64, too_long: false };
            processor("alt1").is_private(&line)
        };
        assert!(is_private(b"alt1\t\t\t\t\t\t\t\t\t\t\t\t\t\t1\t\t\t"));
        assert!(is_private(b"alt1\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t1\t\t"));
        assert!(!is_private(b"alt1\t1\t1\t1\t1\t1\t1\t1\t1\t1\t1\t1\t1\t1\t\t\t1\t1"));
        assert!(!is_private(b"1"));
    }

    #[test]
    fn details_of_rejects_are_masked() {
        let line = |key: &str| {
            format!(
                "alt1\t1700000000.123\t0123456789abcdef0123456789abcdef\t192.0.2.1\tGET\t204\tc\t/b\ta={key}\t\tM\t\t\t\t\t\t\t9\t\n"
            )
        };
        let detail = |key: &str| kept(&mut processor("alt1"), &line(key))[0].1.clone().unwrap();
        assert_eq!(detail("bob@example.com"), "***");
        assert_eq!(detail("shop-bob%40example.com"), "***");
        assert_eq!(
            detail(&format!("{}%20bob@example.com", "x".repeat(60))),
            format!("{} ***", "x".repeat(60))
        );
        assert_eq!(detail("4711"), "4711");
    }

    #[test]
    fn equal_lines_have_the_same_ids_whatever_stands_around_them() {
        let line = b"192.0.2.1 - - [10/Oct/2023:13:55:36 -0700] \"GET /x HTTP/1.1\" 200 5 \"-\" \"curl/8\"\n";
        let file = [&line[..], b"garbage\n", line, line].concat();
        let mut processor = processor("combined");
        // The name; behind it, an id has the place.
        let ids = |batch: &Batch| batch.rows.iter().map(|row| row.key.event_id >> 48).collect::<Vec<_>>();
        let first = ids(&load(&mut processor, &file));
        assert_eq!(first.len(), 3);
        assert_eq!(first, ids(&load(&mut processor, &[&line[..], line, line].concat())));
    }
}
