//! The way of a line: piece, parse, time, application, salt, enrich, id, encode.
//!
//! Puts the stations in order and knows nothing of where lines come from and batches go. What only the
//! database knows (applications, salts) is asked for through [`Known`].

use std::sync::Arc;

use super::arena::{ARENA_BYTES, Arena};
use super::batch::{Batch, MICROS_PER_HOUR};
use super::enrich::{App, Enriched, Enricher};
use super::filter::Filter;
use super::hit::{Hit, Micros, NoHit, Parsed, Reason, Reject};
use super::lines::Line;
use super::parse::{Format, Terms};
use super::sites::Sites;
use super::twins::Twins;

/// 2000-01-01T00:00:00Z: nothing was logged before.
const EARLIEST: Micros = 946_684_800_000_000;

const MICROS_PER_DAY: Micros = 24 * MICROS_PER_HOUR;

/// Bytes that are kept of an unknown application's key, or of a site that is none's.
pub const UNKNOWN_KEY_BYTES: usize = 64;

/// What a line needs and only the database knows. An error abandons the batch: its lines are read again.
pub trait Known {
    /// Why there is no answer.
    type Error;
    /// The application of this key, unless there is none or it is disabled.
    fn app(&mut self, key: &str) -> Result<Option<Arc<App>>, Self::Error>;
    /// The salt of the application's local day in which `at` falls; `None` if that day is dead.
    fn salt(&mut self, app: &App, at: Micros) -> Result<Option<[u8; 32]>, Self::Error>;
}

/// What is known of some bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Piece {
    /// A line, which may be torn.
    Unknown,
    /// A whole one, or what is left of one behind the last that was torn.
    Whole,
    /// Torn off by the next.
    Torn,
}

/// How one source's lines become rows.
pub struct Way {
    format: Arc<Format>,
    terms: Arc<Terms>,
    /// The applications of lines that name none.
    sites: Sites,
    /// What goes into the ids of formats that carry none.
    label: String,
    filter: Filter,
    enricher: Enricher,
    scratch: Vec<u8>,
    /// Start of the hour in which so many new user agents and environments may be stored.
    hour: Micros,
}

impl std::fmt::Debug for Way {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Way").field("format", &self.format.name()).field("label", &self.label).finish()
    }
}

impl Way {
    /// For lines of `format`; `sites` are the applications whose lines these are where the format does not say,
    /// `label` stands for the source in ids (see [`Twins`]).
    pub fn new(
        format: Arc<Format>,
        terms: Arc<Terms>,
        sites: Sites,
        label: String,
        enricher: Enricher,
    ) -> Self {
        let scratch = vec![0; ARENA_BYTES];
        let filter = Filter::default();
        Way { format, terms, sites, label, filter, enricher, scratch, hour: 0 }
    }

    /// Only what the filter wants becomes a row, a non-hit or a reject; the rest is counted as filtered.
    #[must_use]
    pub fn filtered(self, filter: Filter) -> Self {
        Way { filter, ..self }
    }

    /// Whether [`Way::line`] wants [`Twins`].
    pub fn wants_twins(&self) -> bool {
        !self.format.carries_id()
    }

    /// Takes a line to its end: a row, a non-hit or a reject in the batch's open section. `now` bounds the
    /// event's time.
    pub fn line<K: Known>(
        &mut self,
        line: &Line<'_>,
        mut twins: Option<&mut Twins>,
        now: Micros,
        batch: &mut Batch,
        known: &mut K,
    ) -> Result<(), K::Error> {
        if line.too_long {
            if !self.filter.wants(line.bytes, None, None) {
                batch.filtered(line.offset, line.span, line.bytes);
                return Ok(());
            }
            batch.reject(Reject::new(Reason::TooLong), None, line.offset, line.span, line.bytes);
            return Ok(());
        }
        if self.piece(line, Piece::Unknown, twins.as_deref_mut(), now, batch, known)? {
            return Ok(());
        }
        let mut piece = *line;
        while let Some(at) = self.format.next_piece(piece.bytes) {
            let head = Line { bytes: &piece.bytes[..at], span: at as u64, ..piece };
            self.piece(&head, Piece::Torn, twins.as_deref_mut(), now, batch, known)?;
            piece.offset += at as u64;
            piece.span -= at as u64;
            piece.bytes = &piece.bytes[at..];
        }
        self.piece(&piece, Piece::Whole, twins, now, batch, known).map(drop)
    }

    /// Takes a line that is one piece, or a piece of one, to its end. `false`, and nothing done, where that is `Unknown`
    /// and has to be looked at first.
    fn piece<K: Known>(
        &mut self,
        line: &Line<'_>,
        piece: Piece,
        twins: Option<&mut Twins>,
        now: Micros,
        batch: &mut Batch,
        known: &mut K,
    ) -> Result<bool, K::Error> {
        let mut arena = Arena::new(&mut self.scratch);
        let filter = &self.filter;
        let reject = |batch: &mut Batch, reject: Reject, detail| {
            if filter.wants(line.bytes, reject.occurred_at, None) {
                batch.reject(reject, detail, line.offset, line.span, line.bytes);
            } else {
                batch.filtered(line.offset, line.span, line.bytes);
            }
            Ok(true)
        };
        let mut hit = Hit::default();
        let parsed = match piece {
            Piece::Unknown => match self.format.parse_whole(&mut hit, line.bytes, &self.terms, &mut arena) {
                Some(parsed) => parsed,
                None => return Ok(false),
            },
            Piece::Whole | Piece::Torn => {
                let torn = piece == Piece::Torn;
                self.format.parse_into(&mut hit, line.bytes, torn, &self.terms, &mut arena)
            }
        };
        match parsed {
            Ok(()) => {}
            Err(NoHit::NonHit(kind)) => {
                if filter.wants(line.bytes, None, None) {
                    batch.non_hit(kind, line.offset, line.span);
                } else {
                    batch.filtered(line.offset, line.span, line.bytes);
                }
                return Ok(true);
            }
            Err(NoHit::Reject(why)) => return reject(batch, why, None),
        }
        // Before anything filters: the count of equal lines must not depend on what became of them.
        let event_id = match (hit.event_id, twins) {
            (Some(id), _) => id,
            (None, Some(twins)) => twins.id(&self.label, line.bytes, line.offset),
            (None, None) => 0,
        };
        if !in_time(hit.occurred_at, now) {
            return reject(batch, out_of_time(Some(event_id)), None);
        }
        let because =
            |reason| Reject { reason, occurred_at: Some(hit.occurred_at), event_id: Some(event_id) };
        let detail = |text: &str| text[..text.floor_char_boundary(UNKNOWN_KEY_BYTES)].to_owned();
        let key = if hit.app_key.is_empty() { self.sites.of(hit.site) } else { Some(hit.app_key) };
        let Some(key) = key else {
            let site = Some(hit.site).filter(|site| !site.is_empty()).map(detail);
            return reject(batch, because(Reason::NoApp), site);
        };
        let Some(app) = known.app(key)? else {
            return reject(batch, because(Reason::UnknownApp), Some(detail(key)));
        };
        if !filter.wants(line.bytes, Some(hit.occurred_at), Some(key)) {
            batch.filtered(line.offset, line.span, line.bytes);
            return Ok(true);
        }
        let salt = if hit.ip.is_some() { known.salt(&app, hit.occurred_at)? } else { None };
        if !(0..MICROS_PER_HOUR).contains(&(now - self.hour)) {
            self.hour = now;
            self.enricher.begin_hour();
        }
        match self.enricher.enrich(&hit, &app, salt.as_ref(), &mut arena) {
            Enriched::NonHit(kind) => batch.non_hit(kind, line.offset, line.span),
            Enriched::Row(ref row) => {
                batch.new.extend(self.enricher.take_new());
                batch.row(row, event_id, line.offset, line.span);
            }
        }
        Ok(true)
    }

    /// Lets `twins` see a line that is loaded already, so that those behind it get the same ids as ever.
    pub fn warm(&mut self, line: &Line<'_>, twins: &mut Twins) {
        let mut arena = Arena::new(&mut self.scratch);
        let parsed = self.format.parse(line.bytes, false, &self.terms, &mut arena);
        if !line.too_long && matches!(parsed, Parsed::Hit(Hit { event_id: None, .. })) {
            twins.id(&self.label, line.bytes, line.offset);
        }
    }

    /// After the database may have changed: what rows refer to is told anew.
    pub fn forget(&mut self) {
        self.enricher.forget_told();
    }
}

/// Calls `each` with what a line is at the time `now`. It is one piece, unless another write tore it.
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
    if line.too_long {
        return each(line, &Parsed::Reject(Reject::new(Reason::TooLong)));
    }
    let mut rest = *line;
    loop {
        let cut = format.next_piece(rest.bytes);
        let at = cut.unwrap_or(rest.bytes.len());
        let piece = Line { bytes: &rest.bytes[..at], span: cut.map_or(rest.span, |at| at as u64), ..rest };
        let mut arena = Arena::new(scratch);
        let parsed = format.parse(piece.bytes, cut.is_some(), terms, &mut arena);
        each(&piece, &timed(parsed, now))?;
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

/// What a parsed line is at the time `now`: a hit out of every range of times is a reject.
pub fn timed(parsed: Parsed<'_>, now: Micros) -> Parsed<'_> {
    match parsed {
        Parsed::Hit(hit) if !in_time(hit.occurred_at, now) => Parsed::Reject(out_of_time(hit.event_id)),
        other => other,
    }
}

/// Without the time: a column of times is not to hold what is none.
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
    use crate::checkpoint::{Head, Proof};
    use crate::enrich::{AgentRules, Privacy};
    use crate::lines::Lines;

    /// One application, `shop`; every third day is dead.
    struct Shop(Arc<App>);

    /// The application of a site, but for those of nobody.
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

    fn way(format: &str) -> Way {
        let rules = Arc::new(AgentRules::builtin());
        let format = Arc::new(Format::compile(format).unwrap());
        Way::new(
            format,
            Arc::default(),
            Sites::new(Some("shop".into()), &std::collections::BTreeMap::default()),
            "shop".into(),
            Enricher::new(rules, Privacy::default()),
        )
    }

    /// Loads a whole file; checks that every byte of it is accounted for, once.
    fn load(way: &mut Way, file: &[u8]) -> Batch {
        let proof = Proof::of(b"");
        let head = Head { proof, has_id: false };
        let mut batch = Batch::default();
        assert!(batch.open(FileRef::Known { id: 1, head }, 0, proof, false));
        let mut lines = Lines::default();
        let mut twins = way.wants_twins().then(Twins::default);
        let mut shop = Shop(Arc::new(App { key: "shop".into(), time_zone: "UTC".into(), ..App::default() }));
        let now = 1_900_000_000_000_000;
        for chunk in file.chunks(1000) {
            lines.room()[..chunk.len()].copy_from_slice(chunk);
            lines.filled(chunk.len());
            while let Some(line) = lines.next_line() {
                let Ok(()) = way.line(&line, twins.as_mut(), now, &mut batch, &mut shop);
            }
        }
        if let Some(line) = lines.last_line() {
            let Ok(()) = way.line(&line, twins.as_mut(), now, &mut batch, &mut shop);
        }
        let section = &batch.sections[0];
        assert_eq!(section.lines, batch.keys.len() as u64 + section.non_hits + section.rejects);
        // Rows and rejects lie in the file, in order and apart.
        let mut spans: Vec<(u64, u64)> = batch.keys.iter().map(|k| (k.offset, u64::from(k.span))).collect();
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

    /// Pieces of logs, from which nearly right ones are put together.
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
            // The rules are compiled once a format, not once a case.
            thread_local! {
                static WAYS: std::cell::RefCell<Vec<Way>> =
                    std::cell::RefCell::new(["alt1", "combined", "$msec|$request_uri|$http_user_agent"].map(way).into());
            }
            // Torn anywhere, too.
            let mut torn = file.clone();
            torn.drain(..cut.index(file.len() + 1));
            WAYS.with_borrow_mut(|ways| {
                for way in ways {
                    load(way, &file);
                    load(way, &torn);
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
            let mut way = Way { sites: sites(app), ..way(format) };
            let batch = load(&mut way, file.concat().as_bytes());
            let reject = |r: &crate::batch::RejectSpan| (r.reason.as_str(), r.detail.clone());
            (batch.keys.len(), batch.rejects.iter().map(reject).collect::<Vec<_>>())
        };
        let some = |text: &str| Some(text.to_owned());
        let unknown = ("unknown_app", some("gone"));
        assert_eq!(rejects(Some("shop")), (5, vec![unknown.clone()]));
        let none =
            vec![unknown, ("no_app", some("c.test")), ("no_app", None), ("no_app", some(&"é".repeat(32)))];
        assert_eq!(rejects(None), (2, none));
    }

    #[test]
    fn equal_lines_have_the_same_ids_whatever_stands_around_them() {
        let line = b"192.0.2.1 - - [10/Oct/2023:13:55:36 -0700] \"GET /x HTTP/1.1\" 200 5 \"-\" \"curl/8\"\n";
        let file = [&line[..], b"garbage\n", line, line].concat();
        let mut way = way("combined");
        let ids = |batch: &Batch| batch.keys.iter().map(|k| k.event_id).collect::<Vec<_>>();
        let first = ids(&load(&mut way, &file));
        assert_eq!(first.len(), 3);
        assert_eq!(first, ids(&load(&mut way, &[&line[..], line, line].concat())));
    }
}
