//! How fast pages are answered: the rows of type `request` that a server's log gives.

use foldhash::HashMap;

use super::{Failed, Means, Part};
use crate::segment::columns as c;
use crate::segment::{Broken, Run, Segment};
use crate::settings::OTHER;

/// Requests that are read at once.
const BLOCK: usize = 1 << 12;

/// What is asked.
#[derive(Debug, Clone)]
pub struct Performance {
    /// The classes of traffic.
    pub classes: Vec<String>,
    /// The most pages.
    pub limit: usize,
}

/// The requests of a page, or all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Served {
    /// The path.
    pub path: String,
    /// Requests.
    pub requests: u64,
    /// Those with status 500 and above.
    pub server_errors: u64,
    /// Those with status 400 to 499.
    pub client_errors: u64,
    /// Those that say how long they took.
    pub timed: u64,
    /// The 50th, 95th and 99th percentile of their times, milliseconds, by nearest rank: the least time than which so many of
    /// 100 took no longer.
    pub percentiles: Option<[u32; 3]>,
    /// The most requests of one minute of a day; `None` where a segment does not say (those of earlier versions).
    pub busiest: Option<u64>,
}

/// The percentiles that are told.
pub const PERCENTILES: [u64; 3] = [50, 95, 99];

/// An answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answered {
    /// All requests.
    pub total: Served,
    /// Pages with the most requests; those with as many by their paths.
    pub pages: Vec<Served>,
    /// How many pages there are.
    pub count: usize,
    /// Whether paths had no room in their segment: they are `(other)`.
    pub has_other: bool,
}

/// What is counted of a page.
#[derive(Debug, Default)]
struct Counted {
    requests: u64,
    server_errors: u64,
    client_errors: u64,
    /// How often each time was taken, milliseconds.
    times: HashMap<u32, u64>,
    /// Requests of the minutes of the day that is read.
    minutes: HashMap<u32, u64>,
    busiest: u64,
}

impl Counted {
    /// Returns whether it takes more room than before: one of so many numbers.
    fn add(&mut self, status: u32, time: u32, minute: Option<u32>) -> usize {
        self.requests += 1;
        self.server_errors += u64::from(status >= 500);
        self.client_errors += u64::from((400..500).contains(&status));
        let before = self.times.len() + self.minutes.len();
        if let Some(time) = time.checked_sub(1) {
            *self.times.entry(time).or_default() += 1;
        }
        if let Some(minute) = minute {
            *self.minutes.entry(minute).or_default() += 1;
        }
        self.times.len() + self.minutes.len() - before
    }

    /// Ends a day. Returns how much room is free again.
    fn end_day(&mut self) -> usize {
        let most = self.minutes.values().max().copied().unwrap_or(0);
        self.busiest = self.busiest.max(most);
        let room = self.minutes.len();
        self.minutes = HashMap::default();
        room
    }

    fn served(self, path: String, has_minutes: bool) -> Served {
        let mut times: Vec<(u32, u64)> = self.times.into_iter().collect();
        times.sort_unstable();
        let timed = times.iter().map(|(_, count)| count).sum();
        Served {
            path,
            requests: self.requests,
            server_errors: self.server_errors,
            client_errors: self.client_errors,
            timed,
            percentiles: (timed > 0).then(|| PERCENTILES.map(|share| nearest(&times, timed, share))),
            busiest: has_minutes.then_some(self.busiest),
        }
    }
}

/// The time of the rank `share` of 100, rounded up, of `timed` times in their order.
fn nearest(times: &[(u32, u64)], timed: u64, share: u64) -> u32 {
    let rank = timed.saturating_mul(share).div_ceil(100).max(1);
    let mut seen = 0;
    for (time, count) in times {
        seen += count;
        if seen >= rank {
            return *time;
        }
    }
    0
}

/// Answers of segments, those of a day one behind the other. Memory is bounded by [`Means::values`] times and minutes.
///
/// # Errors
/// See [`Failed`].
pub fn performance(asked: &Performance, parts: &[Part<'_>], means: &Means<'_>) -> Result<Answered, Failed> {
    let mut work = Work { room: means.values, has_minutes: true, ..Work::default() };
    for day in parts.chunk_by(|one, next| one.day == next.day) {
        for part in day {
            if means.is_cancelled.is_some_and(|flag| flag.load(std::sync::atomic::Ordering::Relaxed)) {
                return Err(Failed::Cancelled);
            }
            work.segment(asked, part.segment)?;
        }
        work.end_day();
    }
    Ok(work.answer(asked.limit))
}

#[derive(Debug, Default)]
struct Work {
    total: Counted,
    pages: HashMap<String, Counted>,
    room: usize,
    has_minutes: bool,
    has_other: bool,
}

impl Work {
    fn segment(&mut self, asked: &Performance, segment: &Segment) -> Result<(), Failed> {
        for class in segment.classes() {
            if !asked.classes.contains(&class.name) {
                continue;
            }
            for run in class.requests.blocks(BLOCK) {
                self.block(segment, run)?;
            }
        }
        Ok(())
    }

    fn block(&mut self, segment: &Segment, run: Run) -> Result<(), Failed> {
        let read = |column| segment.ints_of(column, run);
        let minutes = match read(c::REQUEST_AT) {
            Err(Broken::Missing(_)) => None,
            minutes => Some(minutes?),
        };
        self.has_minutes &= minutes.is_some();
        let texts = segment.texts(c::PATHS)?;
        let (paths, statuses, times) =
            (read(c::REQUEST_PATH)?, read(c::REQUEST_STATUS)?, read(c::REQUEST_TIME)?);
        for (n, ((path, status), time)) in paths.iter().zip(&statuses).zip(&times).enumerate() {
            let minute = minutes.as_ref().and_then(|minutes| minutes.get(n)).copied();
            let name = texts.get(*path as usize);
            self.has_other |= name.is_none();
            let name = name.unwrap_or(OTHER);
            let mut taken = self.total.add(*status, *time, minute);
            let page = match self.pages.get_mut(name) {
                Some(page) => page,
                None => {
                    taken += 1;
                    self.pages.entry(name.to_owned()).or_default()
                }
            };
            taken += page.add(*status, *time, minute);
            self.room = self.room.checked_sub(taken).ok_or(Failed::Values)?;
        }
        Ok(())
    }

    fn end_day(&mut self) {
        self.room += self.total.end_day();
        self.room += self.pages.values_mut().map(Counted::end_day).sum::<usize>();
    }

    fn answer(self, limit: usize) -> Answered {
        let count = self.pages.len();
        let mut pages: Vec<(String, Counted)> = self.pages.into_iter().collect();
        pages.sort_unstable_by(|a, b| b.1.requests.cmp(&a.1.requests).then_with(|| a.0.cmp(&b.0)));
        pages.truncate(limit);
        let served = |(path, counted): (String, Counted)| counted.served(path, self.has_minutes);
        Answered {
            total: self.total.served(String::new(), self.has_minutes),
            pages: pages.into_iter().map(served).collect(),
            count,
            has_other: self.has_other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Event;
    use crate::query::tests::{Dice, segments};
    use crate::segment::Bounds;
    use crate::settings::Settings;

    const DAY: i64 = 86_400_000_000;

    /// Requests of a day in the order of the fold.
    fn requests(dice: &mut Dice, from: i64, rows: u64) -> Vec<Event<'static>> {
        let number = |n: u64| i64::try_from(n).unwrap();
        let mut events: Vec<Event<'static>> = (0..rows)
            .map(|n| Event {
                occurred_at: from + number(dice.below(5)) * 60_000_000 + number(dice.below(3)) * 29_999_999,
                event_id: u128::from(n),
                visitor_id: [None, Some(1), Some(2)][usize::try_from(dice.below(3)).unwrap()],
                traffic_class: ["bot", "human"][usize::from(dice.below(3) > 0)],
                event_type: ["request", "pageview"][usize::from(dice.below(5) == 0)],
                url_path: ["/", "/a", "/b"][usize::try_from(dice.below(3)).unwrap()],
                status: [None, Some(200), Some(399), Some(400), Some(499), Some(500), Some(599)]
                    [usize::try_from(dice.below(7)).unwrap()],
                request_ms: (dice.below(4) > 0).then(|| i32::try_from(dice.below(9)).unwrap() - 1),
                ..Event::default()
            })
            .collect();
        events.sort_by_key(|e| {
            (e.traffic_class, e.visitor_id.is_none(), e.visitor_id, e.occurred_at, e.event_id)
        });
        events
    }

    /// The same by the definitions, of days.
    fn naive(days: &[Vec<Event<'static>>], path: Option<&str>) -> Served {
        let is_of = |event: &&Event<'static>| {
            event.event_type == "request"
                && event.traffic_class == "human"
                && path.is_none_or(|path| event.url_path == path)
        };
        let all: Vec<&Event<'static>> = days.iter().flatten().filter(is_of).collect();
        let count =
            |is_such: fn(i16) -> bool| all.iter().filter(|e| e.status.is_some_and(is_such)).count() as u64;
        let mut times: Vec<u32> =
            all.iter().filter_map(|e| e.request_ms).filter_map(|time| u32::try_from(time).ok()).collect();
        times.sort_unstable();
        let rank = |share: usize| times[(times.len() * share).div_ceil(100) - 1];
        let minute =
            |minute: i64| all.iter().filter(|e| e.occurred_at.div_euclid(60_000_000) == minute).count();
        let busiest = all.iter().map(|e| minute(e.occurred_at.div_euclid(60_000_000))).max().unwrap_or(0);
        Served {
            path: path.unwrap_or("").to_owned(),
            requests: all.len() as u64,
            server_errors: count(|status| status >= 500),
            client_errors: count(|status| (400..500).contains(&status)),
            timed: times.len() as u64,
            percentiles: (!times.is_empty()).then(|| [50, 95, 99].map(rank)),
            busiest: Some(busiest as u64),
        }
    }

    #[test]
    fn random_days_of_requests_are_as_the_naive_definitions_say() {
        let mut dice = Dice(21);
        for case in 0..300 {
            let froms = [20_000 * DAY, 20_001 * DAY];
            let rows = dice.below(120);
            let days = froms.map(|from| requests(&mut dice, from, rows));
            let opened: Vec<(String, Vec<Segment>)> = froms
                .iter()
                .zip(&days)
                .map(|(from, events)| {
                    let settings = Settings { from: *from, ..Settings::default() };
                    let bounds =
                        Bounds { rows: 1 + usize::try_from(dice.below(60)).unwrap(), ..Bounds::default() };
                    (from.to_string(), segments(&settings, bounds, events))
                })
                .collect();
            let parts: Vec<Part<'_>> = opened
                .iter()
                .flat_map(|(day, all)| all.iter().map(move |segment| Part { day, segment }))
                .collect();
            let asked = Performance { classes: vec!["human".to_owned()], limit: 9 };
            let got = performance(&asked, &parts, &Means::default()).unwrap();
            assert_eq!(got.total, naive(&days, None), "case {case}");
            let mut want: Vec<Served> = ["/", "/a", "/b"].map(|path| naive(&days, Some(path))).into();
            want.retain(|served| served.requests > 0);
            want.sort_by_key(|served| (std::cmp::Reverse(served.requests), served.path.clone()));
            assert_eq!((got.count, got.has_other), (want.len(), false));
            assert_eq!(got.pages, want, "case {case}");
            let one =
                performance(&Performance { limit: 1, ..asked.clone() }, &parts, &Means::default()).unwrap();
            assert_eq!(one.pages[..], want[..want.len().min(1)]);
        }
    }

    #[test]
    fn ranks_are_the_nearest_and_never_in_between() {
        let times: Vec<(u32, u64)> = (1..=100).map(|n| (n, 1)).collect();
        assert_eq!(PERCENTILES.map(|share| nearest(&times, 100, share)), [50, 95, 99]);
        let times: Vec<(u32, u64)> = (1..=101).map(|n| (n, 1)).collect();
        assert_eq!(PERCENTILES.map(|share| nearest(&times, 101, share)), [51, 96, 100]);
        assert_eq!(PERCENTILES.map(|share| nearest(&[(7, 1)], 1, share)), [7; 3]);
        assert_eq!(PERCENTILES.map(|share| nearest(&[(0, 1), (9, 1)], 2, share)), [0, 9, 9]);
    }

    #[test]
    fn a_question_of_too_many_times_and_one_of_an_old_segment_say_so() {
        let events = requests(&mut Dice(3), 0, 60);
        let opened = segments(&Settings::default(), Bounds::default(), &events);
        let parts = [Part { day: "d", segment: &opened[0] }];
        let asked = Performance { classes: vec!["human".to_owned()], limit: 9 };
        let few = Means { values: 20, ..Means::default() };
        assert_eq!(performance(&asked, &parts, &few), Err(Failed::Values));
        let old = Segment::open(include_bytes!("../../data/segment-1.bin")).unwrap();
        old.check().unwrap();
        let got = performance(&asked, &[Part { day: "d", segment: &old }], &Means::default()).unwrap();
        assert!(got.total.requests > 0 && got.total.percentiles.is_some() && got.total.busiest.is_none());
    }
}
