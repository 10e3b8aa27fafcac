//! Questions to the segments of days, within bounds: of time, of memory, and of how many are answered at once.
//!
//! Segments are read in slices, so that those of a year are never in memory together. Opened ones are kept for the next
//! question, in what `daily` leaves of `[web] cache_bytes`.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use alt_process::lock::lock;
use alt_statistics::query::{Answer, Cache, Failed, Filter, Means, Part, Query, Running};
use alt_statistics::segment::Segment;
use alt_store::stats::period::Dates;
use alt_store::stats::segments::{self, Place};
use alt_store::web::pool::Transaction;
use tokio::sync::Semaphore;

use crate::daily::Daily;
use crate::problem::Problem;

/// Packed bytes that all questions read at once. Unpacked, the columns of a question take some five times as much.
const SLICES_BYTES: usize = 16 << 20;

/// Segments that are read at once.
const SLICE_SEGMENTS: usize = 64;

/// The most values of all dimensions of a question: some 80 MB.
const VALUES_MAX: usize = 500_000;

/// The most people of all values of a question: 48 MB, and up to twice as much meanwhile.
const PEOPLE_MAX: usize = 6_000_000;

/// What all questions hold of their answers together. One that holds no more than its share is never refused for the others.
const ANSWERS_BYTES: usize = 96 << 20;

/// A value of a dimension with its counts, in a table that grows.
const VALUE_BYTES: usize = 160;

/// A person, in a set that is merged with another.
const PERSON_BYTES: usize = 16;

/// How long a question waits for its turn.
const TURN_TIME: Duration = Duration::from_secs(1);

/// What answers questions to segments.
#[derive(Debug)]
pub(crate) struct Segments {
    cache: Mutex<Cache<Place>>,
    cache_bytes: usize,
    daily: Arc<Daily>,
    turns: Arc<Semaphore>,
    threads: usize,
    /// Bytes that questions hold of their answers.
    held: Arc<AtomicUsize>,
}

/// What a question holds of its answer, in bytes, and what all of them do.
#[derive(Debug)]
struct Held {
    all: Arc<AtomicUsize>,
    own: usize,
}

impl Held {
    /// Whether a question that holds so many bytes now may go on, one of so many at once.
    fn may_grow_to(&mut self, own: usize, turns: usize) -> bool {
        let before = std::mem::replace(&mut self.own, own);
        let others = self.all.fetch_sub(before, Ordering::Relaxed) - before;
        self.all.fetch_add(own, Ordering::Relaxed);
        others.saturating_add(own) <= ANSWERS_BYTES || own <= ANSWERS_BYTES / turns.max(1)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.all.fetch_sub(self.own, Ordering::Relaxed);
    }
}

/// A day of which only the beginning is asked for.
#[derive(Debug, Clone)]
pub(crate) struct Cut {
    /// The day: `2026-01-31`.
    pub(crate) day: String,
    /// What is true of its beginning.
    pub(crate) filter: Filter,
}

/// Tells the threads of a question that nobody waits any more.
struct Cancel(Arc<AtomicBool>);

impl Drop for Cancel {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A segment and its day.
type Opened = (String, Arc<Segment>);

impl Segments {
    /// With a cache of so many bytes, in which `daily` has its part.
    pub(crate) fn new(cache_bytes: usize, daily: Arc<Daily>) -> Segments {
        let threads = std::thread::available_parallelism().map_or(1, usize::from).min(4);
        Segments {
            cache: Mutex::new(Cache::new(cache_bytes)),
            cache_bytes,
            daily,
            turns: Arc::new(Semaphore::new(threads)),
            threads,
            held: Arc::default(),
        }
    }

    /// Answers questions to the segments of an application's days, both included, each segment being read once.
    pub(crate) async fn ask(
        &self,
        db: &Transaction,
        app: i32,
        Dates { from, until }: Dates,
        queries: Vec<Query>,
        cut: Option<&Cut>,
    ) -> Result<Vec<Answer>, Problem> {
        let turn = tokio::time::timeout(TURN_TIME, Arc::clone(&self.turns).acquire_owned()).await;
        // Its threads have it, too: who gives up before they end leaves its place to nobody.
        let turn = Arc::new(turn.map_err(|_| Problem::busy())?.map_err(|_| Problem::defect())?);
        let places = segments::places(db, app, from, until).await?;
        let cancel = Cancel(Arc::default());
        let work = Arc::new(Work {
            late: cut.map(|cut| (cut.day.clone(), queries.iter().map(|query| within(query, cut)).collect())),
            queries,
            is_cancelled: Arc::clone(&cancel.0),
            threads: self.threads,
        });
        let mut running: Vec<Running> = work.queries.iter().map(|_| Running::default()).collect();
        let mut held = Held { all: Arc::clone(&self.held), own: 0 };
        let mut next = if places.is_empty() { None } else { Some(self.slice(db, app, &places).await?) };
        while let Some((opened, rest)) = next {
            let work = Arc::clone(&work);
            let turn = Arc::clone(&turn);
            let counted = tokio::task::spawn_blocking(move || {
                let _turn = turn;
                work.count(running, &opened)
            });
            // Read while the slice before is counted.
            next = if rest.is_empty() { None } else { Some(self.slice(db, app, rest).await?) };
            running = counted.await.map_err(|_| Problem::defect())??;
            let own =
                running.iter().map(|one| one.values() * VALUE_BYTES + one.people() * PERSON_BYTES).sum();
            if !held.may_grow_to(own, self.threads) {
                return Err(Problem::busy());
            }
            lock(&self.cache).trim(None);
        }
        Ok(running.into_iter().zip(&work.queries).map(|(running, query)| running.answer(query)).collect())
    }

    /// Opens the next segments; returns them and the places behind them.
    async fn slice<'p>(
        &self,
        db: &Transaction,
        app: i32,
        places: &'p [Place],
    ) -> Result<(Vec<Opened>, &'p [Place]), Problem> {
        let mut slice: Vec<(&Place, Option<Arc<Segment>>)> = Vec::new();
        let mut bytes = 0;
        {
            let room = self.cache_bytes.saturating_sub(self.daily.memory());
            let mut cache = lock(&self.cache);
            cache.limit(room);
            for place in places.iter().take(SLICE_SEGMENTS) {
                let kept = cache.get(place);
                if kept.is_none() {
                    let more = usize::try_from(place.bytes).unwrap_or(0);
                    // A question has two slices, of which one is counted.
                    if bytes > 0 && bytes + more > SLICES_BYTES / self.threads.max(2) / 2 {
                        break;
                    }
                    bytes += more;
                }
                slice.push((place, kept));
            }
        }
        let missing: Vec<&Place> =
            slice.iter().filter(|(_, kept)| kept.is_none()).map(|(place, _)| *place).collect();
        let mut read = match missing.is_empty() {
            true => Vec::new(),
            false => segments::bytes(db, app, &missing).await?,
        }
        .into_iter();
        let mut opened = Vec::with_capacity(slice.len());
        let count = slice.len();
        for (place, kept) in slice {
            let segment = match kept {
                Some(segment) => segment,
                None => {
                    let bytes = read.next().ok_or_else(Problem::defect)?;
                    lock(&self.cache).open(place, &bytes).map_err(|broken| failed(Failed::Broken(broken)))?
                }
            };
            opened.push((place.day.clone(), segment));
        }
        Ok((opened, places.get(count..).unwrap_or(&[])))
    }
}

/// Questions, and how they are answered.
struct Work {
    queries: Vec<Query>,
    /// The same of the beginning of a day.
    late: Option<(String, Vec<Query>)>,
    is_cancelled: Arc<AtomicBool>,
    threads: usize,
}

impl Work {
    /// Counts segments, on several threads.
    fn count(&self, running: Vec<Running>, opened: &[Opened]) -> Result<Vec<Running>, Problem> {
        let threads = self.threads.min(opened.len()).max(1);
        let mut shares: Vec<Vec<&Opened>> = vec![Vec::new(); threads];
        for (n, one) in opened.iter().enumerate() {
            shares[n % threads].push(one);
        }
        let first = shares.pop().unwrap_or_default();
        let mut sum = running;
        std::thread::scope(|scope| {
            let others: Vec<_> = shares
                .iter()
                .map(|share| {
                    scope
                        .spawn(|| self.part(self.queries.iter().map(|_| Running::default()).collect(), share))
                })
                .collect();
            sum = self.part(std::mem::take(&mut sum), &first)?;
            for other in others {
                let more = other.join().map_err(|_| Failed::Ended)??;
                sum.iter_mut().zip(more).for_each(|(sum, more)| sum.merge(more));
            }
            Ok(())
        })
        .map_err(failed)?;
        match () {
            () if sum.iter().map(Running::values).sum::<usize>() > VALUES_MAX => Err(failed(Failed::Values)),
            () if sum.iter().map(Running::people).sum::<usize>() > PEOPLE_MAX => Err(failed(Failed::People)),
            () => Ok(sum),
        }
    }

    fn part(&self, mut running: Vec<Running>, share: &[&Opened]) -> Result<Vec<Running>, Failed> {
        let is_cancelled = Some(self.is_cancelled.as_ref());
        let means = Means { threads: 1, values: VALUES_MAX, people: PEOPLE_MAX, is_cancelled };
        for (day, segment) in share {
            let part = Part { day, segment };
            let queries = match &self.late {
                Some((late, queries)) if late == day => queries,
                _ => &self.queries,
            };
            Running::add_all(&mut running, queries, &part, &means)?;
        }
        Ok(running)
    }
}

fn within(question: &Query, cut: &Cut) -> Query {
    let filters = question.filter.iter().chain([&cut.filter]).cloned().collect();
    Query { filter: Some(Filter::All(filters)), ..question.clone() }
}

fn failed(failed: Failed) -> Problem {
    match failed {
        Failed::Values | Failed::People | Failed::Filter => Problem::bad(failed.to_string()),
        Failed::Cancelled => Problem::unavailable("the answer takes too long; ask for a shorter period"),
        Failed::Broken(_) | Failed::Ended | Failed::Goals => {
            tracing::warn!(error = %failed, "a question to segments is not answered: `alt stats rebuild` makes them anew");
            Problem::defect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_hold_a_bounded_memory_together_and_each_may_have_its_share() {
        let all = Arc::new(AtomicUsize::new(0));
        let question = || Held { all: Arc::clone(&all), own: 0 };
        let (mut first, mut second) = (question(), question());
        let share = ANSWERS_BYTES / 2;
        assert!(first.may_grow_to(ANSWERS_BYTES, 2), "alone");
        assert!(second.may_grow_to(share, 2), "its share");
        assert!(!second.may_grow_to(share + 1, 2), "more than its share, and too much of all");
        assert!(first.may_grow_to(share - 1, 2), "less than before");
        assert!(second.may_grow_to(share + 1, 2), "the other has less");
        drop((first, second));
        assert_eq!(all.load(Ordering::Relaxed), 0);
    }
}
