//! The definitions of docs/STATISTICS.md once more, row by row and slowly, to compare with.

use std::collections::{BTreeMap, BTreeSet};

use regex::Regex;

use super::groups::Known;
use super::{Dimension, Filter, Funnel, Goal, On, People, Tally, Within};
use crate::country;
use crate::event::Event;
use crate::source;

mod naive_said;

/// The names of the properties that segments of tests have.
pub(super) const PROPERTIES: [&str; 3] = ["plan", "module_id", "points"];

const MINUTES_30: i64 = 30 * 60 * 1_000_000;

/// A session: its visitor, and its number among the visitor's sessions.
type Key = (i64, usize);

/// An event and all that is known of it.
struct Seen<'e> {
    event: &'e Event<'e>,
    is_view: bool,
    /// Visitor and session; the first event of the session.
    session: Option<Key>,
    dwell: Option<u64>,
    depth: Option<u64>,
}

struct Session<'e> {
    shown: &'e Event<'e>,
    first: i64,
    duration_ms: u64,
    is_authenticated: bool,
    person: Option<&'e str>,
    is_bounce: bool,
    ends: Option<(&'e str, &'e str)>,
}

pub(super) struct Naive<'e> {
    day: &'e str,
    from: i64,
    domains: &'e [String],
    goals: &'e [Goal],
    seen: Vec<Seen<'e>>,
    sessions: BTreeMap<Key, Session<'e>>,
    strays: Vec<(&'e str, u64)>,
}

fn dwell(event: &Event<'_>) -> Option<u64> {
    event.dwell_ms.and_then(|dwell| u64::try_from(dwell).ok())
}

/// As [`super::tests::segments`] hash it.
fn hashed(user: &str) -> u64 {
    let hash = blake3::keyed_hash(&[7; 32], user.as_bytes());
    u64::from_le_bytes(hash.as_bytes()[..8].try_into().unwrap())
}

fn depth(event: &Event<'_>) -> Option<u64> {
    event.scroll_depth.and_then(|depth| u64::try_from(depth).ok()).map(|depth| depth.min(100))
}

impl<'e> Naive<'e> {
    /// Of the rows of one class and day, in any order.
    pub(super) fn new(rows: &'e [Event<'e>], class: &str, from: i64, known: &Known<'e>) -> Self {
        let Known { day, domains, goals, .. } = *known;
        let mut naive = Naive {
            day,
            from,
            domains,
            goals,
            seen: Vec::new(),
            sessions: BTreeMap::new(),
            strays: Vec::new(),
        };
        let mut visitors: BTreeMap<Option<i64>, Vec<&Event<'_>>> = BTreeMap::new();
        for row in rows.iter().filter(|row| row.traffic_class == class) {
            visitors.entry(row.visitor_id).or_default().push(row);
        }
        for (visitor, mut rows) in visitors {
            rows.sort_by_key(|row| (row.occurred_at, row.event_id));
            naive.visitor(visitor, &rows);
        }
        naive
    }

    fn visitor(&mut self, visitor: Option<i64>, rows: &[&'e Event<'e>]) {
        let begin = self.seen.len();
        let mut number = 0;
        let mut last: Option<i64> = None;
        for row in rows.iter().filter(|row| !["request", "engagement"].contains(&row.event_type)) {
            if last.is_some_and(|last| row.occurred_at > last + MINUTES_30) {
                number += 1;
            }
            last = Some(row.occurred_at);
            let is_copy = |seen: &Seen<'_>| {
                row.page_view_id.is_some() && seen.is_view && seen.event.page_view_id == row.page_view_id
            };
            let is_view = row.event_type == "pageview" && !self.seen[begin..].iter().any(is_copy);
            let session = visitor.map(|visitor| (visitor, number));
            self.seen.push(Seen { event: row, is_view, session, dwell: None, depth: None });
        }
        for row in rows.iter().filter(|row| ["pageview", "engagement"].contains(&row.event_type)) {
            let is_its = |seen: &&mut Seen<'_>| {
                seen.is_view
                    && (std::ptr::eq(seen.event, *row)
                        || row.page_view_id.is_some() && seen.event.page_view_id == row.page_view_id)
            };
            match self.seen[begin..].iter_mut().find(is_its) {
                Some(view) => {
                    view.depth = view.depth.max(depth(row));
                    view.dwell = match (view.dwell, dwell(row)) {
                        (one, two) if one.is_some() || two.is_some() => {
                            Some(one.unwrap_or(0) + two.unwrap_or(0))
                        }
                        _ => None,
                    };
                }
                None => self.strays.push((row.url_path, dwell(row).unwrap_or(0))),
            }
        }
        for key in self.seen[begin..].iter().filter_map(|seen| seen.session).collect::<BTreeSet<_>>() {
            let session = self.session(key, begin, rows);
            self.sessions.insert(key, session);
        }
    }

    fn session(&self, key: Key, begin: usize, rows: &[&'e Event<'e>]) -> Session<'e> {
        let of: Vec<&Seen<'e>> = self.seen[begin..].iter().filter(|seen| seen.session == Some(key)).collect();
        let views: Vec<&&Seen<'e>> = of.iter().filter(|seen| seen.is_view).collect();
        let (first, last) = (of[0].event.occurred_at, of[of.len() - 1].event.occurred_at);
        // Engagement that belongs to a view which is already there.
        let extends = |row: &&&Event<'_>| {
            row.event_type == "engagement"
                && row.page_view_id.is_some()
                && (last..=last + MINUTES_30).contains(&row.occurred_at)
                && views.iter().any(|view| view.event.page_view_id == row.page_view_id)
        };
        let end = rows.iter().filter(extends).map(|row| row.occurred_at).max().unwrap_or(last);
        Session {
            shown: views.first().map_or(of[0].event, |view| view.event),
            first,
            duration_ms: u64::try_from((end - first) / 1_000).unwrap(),
            is_authenticated: of.iter().any(|seen| !seen.event.user_id.is_empty()),
            person: of.iter().map(|seen| seen.event.user_id).find(|user| !user.is_empty()),
            is_bounce: views.len() == 1 && of.iter().all(|seen| seen.event.event_type == "pageview"),
            ends: views.first().zip(views.last()).map(|(a, b)| (a.event.url_path, b.event.url_path)),
        }
    }

    fn time(&self, dimension: Dimension, at: i64) -> String {
        let minute = (at - self.from).div_euclid(60_000_000);
        let hour = minute.div_euclid(60);
        match dimension {
            Dimension::Hour => hour.to_string(),
            Dimension::HourOfDay => format!("{} {hour:02}", self.day),
            _ => format!("{} {minute:04}", self.day),
        }
    }

    /// The page view right before or after a page view in its session.
    fn neighbour(&self, dimension: Dimension, seen: &Seen<'_>) -> Option<String> {
        if !seen.is_view {
            return None;
        }
        let key = seen.session?;
        let views: Vec<&Seen<'_>> =
            self.seen.iter().filter(|other| other.is_view && other.session == Some(key)).collect();
        let at = views.iter().position(|view| std::ptr::eq(view.event, seen.event))?;
        let (other, none) = match dimension {
            Dimension::NextPage => (views.get(at + 1), "(exit)"),
            _ => (at.checked_sub(1).and_then(|at| views.get(at)), "(entry)"),
        };
        Some(other.map_or(none, |view| view.event.url_path).to_owned())
    }

    fn reaches(&self, goal: &Goal, seen: &Seen<'_>) -> bool {
        goal.conditions.iter().all(|condition| self.is_kept(condition, seen)) && Naive::is_on(&goal.on, seen)
    }

    fn is_on(on: &On, seen: &Seen<'_>) -> bool {
        match on {
            On::Event(kind) => seen.event.event_type == kind,
            On::Page(pattern) => {
                let parts: Vec<String> = pattern.split('*').map(regex::escape).collect();
                let pattern = Regex::new(&format!("(?s)^{}$", parts.join(".*"))).unwrap();
                seen.is_view && pattern.is_match(seen.event.url_path)
            }
        }
    }

    /// The values that an event has: of goals there may be several.
    fn values(&self, dimension: Dimension, seen: &Seen<'_>) -> Vec<String> {
        match dimension {
            Dimension::Goal => {
                let reached = self.goals.iter().filter(|goal| self.reaches(goal, seen));
                reached.map(|goal| goal.name.clone()).collect()
            }
            _ => self.value(dimension, seen).into_iter().collect(),
        }
    }

    fn value(&self, dimension: Dimension, seen: &Seen<'_>) -> Option<String> {
        use Dimension as D;
        let session = seen.session.map(|key| &self.sessions[&key]);
        let row = session.map_or(seen.event, |session| session.shown);
        let value = match dimension {
            D::Total => "",
            D::Day => self.day,
            D::Hour | D::HourOfDay | D::MinuteOfDay => {
                return Some(self.time(dimension, seen.event.occurred_at));
            }
            D::Page => seen.event.url_path,
            D::PreviousPage | D::NextPage => return self.neighbour(dimension, seen),
            D::Event => seen.event.event_type,
            D::EntryPage => session?.ends?.0,
            D::ExitPage => session?.ends?.1,
            D::Source => return Some(source::of(row, self.domains).0.into_owned()),
            D::Channel => source::of(row, self.domains).1,
            D::Campaign => row.utm_campaign,
            D::Medium => row.utm_medium,
            D::Term => row.utm_term,
            D::Content => row.utm_content,
            D::Country => country::of_zone(row.time_zone),
            D::Language => row.language,
            D::Browser => row.browser,
            D::Os => row.os,
            D::Device => row.device,
            D::Screen => crate::traffic_class::screen(row.screen_width),
            D::Goal | D::Funnel | D::Period => return None,
            said => return naive_said::value(seen.event, seen.is_view, said),
        };
        Some(value.to_owned())
    }

    fn is_kept(&self, filter: &Filter, seen: &Seen<'_>) -> bool {
        match filter {
            Filter::All(all) => all.iter().all(|filter| self.is_kept(filter, seen)),
            Filter::Any(any) => any.iter().any(|filter| self.is_kept(filter, seen)),
            Filter::Not(filter) => !self.is_kept(filter, seen),
            Filter::On(dimension, test) => {
                self.values(*dimension, seen).iter().any(|value| test.is_true(value))
            }
        }
    }

    /// Visitors and sessions by step, from `1`: every way through every unit is tried.
    pub(super) fn funnel(&self, filter: Option<&Filter>, funnel: &Funnel) -> BTreeMap<String, Tally> {
        let steps: Vec<&Goal> = funnel.steps().collect();
        let mut units: BTreeMap<Key, Vec<&Seen<'_>>> = BTreeMap::new();
        for seen in &self.seen {
            let is_named =
                steps.iter().any(|step| matches!(&step.on, On::Event(kind) if kind == seen.event.event_type));
            let is_there = filter.is_none_or(|filter| self.is_kept(filter, seen))
                && (!funnel.is_strict || seen.is_view || is_named);
            if let (Some(key), true) = (seen.session, is_there) {
                let unit = if funnel.within == Within::Day { (key.0, 0) } else { key };
                units.entry(unit).or_default().push(seen);
            }
        }
        let (mut of, mut visitors) = (BTreeMap::<String, Tally>::new(), BTreeSet::new());
        for (unit, rows) in units {
            // The rows that end a way to the step before.
            let mut ends: Vec<Option<usize>> = vec![None];
            for (step, goal) in steps.iter().enumerate() {
                let is_next = |row: usize| {
                    ends.iter().any(|end| match end {
                        None => true,
                        Some(end) => {
                            if funnel.is_strict {
                                row == end + 1
                            } else {
                                row > *end
                            }
                        }
                    })
                };
                let next: Vec<Option<usize>> = (0..rows.len())
                    .filter(|row| self.reaches(goal, rows[*row]) && is_next(*row))
                    .map(Some)
                    .collect();
                if next.is_empty() {
                    break;
                }
                ends = next;
                let counts = &mut of.entry((step + 1).to_string()).or_default().counts;
                counts.sessions += u64::from(funnel.within == Within::Session);
                counts.visitors += u64::from(visitors.insert((step, unit.0)));
            }
        }
        of
    }

    /// The counts of each value of a dimension.
    pub(super) fn count(&self, dimension: Dimension, filter: Option<&Filter>) -> BTreeMap<String, Tally> {
        use Dimension as D;
        let mut of: BTreeMap<String, Tally> = BTreeMap::new();
        let kept: Vec<&Seen<'_>> =
            self.seen.iter().filter(|seen| filter.is_none_or(|filter| self.is_kept(filter, seen))).collect();
        let is_time = matches!(dimension, D::Hour | D::HourOfDay | D::MinuteOfDay);
        let is_all = matches!(dimension, D::Total | D::Day);
        let (mut visitors, mut sessions) = (BTreeSet::new(), BTreeSet::new());
        let mut people: BTreeMap<String, BTreeSet<u64>> = BTreeMap::new();
        let valued = kept
            .iter()
            .flat_map(|seen| self.values(dimension, seen).into_iter().map(move |value| (seen, value)));
        for (seen, value) in valued {
            let tally = of.entry(value.clone()).or_default();
            let goal = self.goals.iter().find(|goal| dimension == D::Goal && goal.name == value);
            naive_said::add(seen.event, seen.is_view, goal.and_then(|goal| goal.worth), tally);
            let counts = &mut tally.counts;
            counts.events += 1;
            counts.page_views += u64::from(seen.is_view);
            let is_session = seen.session.is_some();
            if !matches!(dimension, D::Event | D::Goal | D::PreviousPage | D::NextPage)
                && !dimension.is_said()
                && (is_session || is_all || is_time || dimension == D::Page)
            {
                counts.engaged_ms += seen.dwell.unwrap_or(0);
                counts.timed_views += u64::from(seen.dwell.is_some());
                counts.scroll_percent += seen.depth.unwrap_or(0);
                counts.scrolled_views += u64::from(seen.depth.is_some());
            }
            let Some(key) = seen.session else { continue };
            if dimension != D::Page || seen.is_view {
                let person = self.sessions[&key].person.map(hashed);
                people.entry(value.clone()).or_default().extend(person);
                visitors.insert((value.clone(), key.0));
                if !is_time {
                    sessions.insert((value, key));
                }
            }
        }
        if is_time {
            let keys = kept.iter().filter_map(|seen| seen.session);
            sessions.extend(keys.map(|key| (self.time(dimension, self.sessions[&key].first), key)));
        }
        for (value, ids) in people.into_iter().filter(|(_, ids)| !ids.is_empty()) {
            let all = People::of(ids.into_iter().collect());
            of.entry(value).or_default().people = Some(Box::new(all));
        }
        for (value, _) in visitors {
            of.entry(value).or_default().counts.visitors += 1;
        }
        for (value, key) in sessions {
            let tally = of.entry(value).or_default();
            tally.counts.sessions += 1;
            if matches!(dimension, D::Page | D::Event | D::Goal | D::PreviousPage | D::NextPage)
                || dimension.is_said()
            {
                continue;
            }
            let session = &self.sessions[&key];
            tally.counts.authenticated += u64::from(session.is_authenticated);
            let mut pages =
                kept.iter().filter(|seen| seen.session == Some(key)).map(|seen| seen.event.url_path);
            let entered = session.ends.is_some_and(|ends| pages.any(|page| page == ends.0));
            if entered || !filter.is_some_and(Filter::has_page) {
                tally.entered += 1;
                tally.counts.bounces += u64::from(session.is_bounce);
                tally.counts.duration_ms += session.duration_ms;
            }
        }
        if filter.is_none_or(Filter::is_of_pages) {
            self.strays(dimension, filter, &mut of);
        }
        of.retain(|_, tally| *tally != Tally::default());
        of
    }

    fn strays(&self, dimension: Dimension, filter: Option<&Filter>, of: &mut BTreeMap<String, Tally>) {
        for (path, time) in &self.strays {
            let event = Event { url_path: path, ..Event::default() };
            let seen = Seen { event: &event, is_view: false, session: None, dwell: None, depth: None };
            if !filter.is_none_or(|filter| self.is_kept(filter, &seen)) {
                continue;
            }
            let value = match dimension {
                Dimension::Total => "",
                Dimension::Day => self.day,
                Dimension::Page => path,
                _ => continue,
            };
            of.entry(value.to_owned()).or_default().counts.stray_ms += time;
        }
    }
}
