//! Makes visits of rows that come from the newest back.

use std::collections::{HashMap, VecDeque};

use alt_statistics::event::Event;
use alt_statistics::query::{Dimension, Filter, Goal};
use alt_statistics::{country, source};
use alt_store::apps::{Application, PageViews};
use alt_store::search::Position;
use alt_store::stats::visits::{GAP, Later, place};

/// The most rows of a visit that are kept. One with more is told as not whole.
const ROWS_MAX: usize = 2_000;

/// A row of a visit.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) kind: String,
    pub(crate) path: String,
    page_view_id: Option<i64>,
}

/// What the row says that a visit has its attributes of.
#[derive(Debug, Default)]
pub(crate) struct Head {
    pub(crate) source: String,
    pub(crate) channel: &'static str,
    pub(crate) campaign: String,
    medium: String,
    term: String,
    content: String,
    pub(crate) country: &'static str,
    pub(crate) language: String,
    pub(crate) browser: String,
    pub(crate) os: String,
    pub(crate) device: String,
    screen: &'static str,
}

impl Head {
    fn of(event: &Event<'_>, domains: &[String]) -> Head {
        let (source, channel) = source::of(event, domains);
        Head {
            source: source.into_owned(),
            channel,
            campaign: event.utm_campaign.to_owned(),
            medium: event.utm_medium.to_owned(),
            term: event.utm_term.to_owned(),
            content: event.utm_content.to_owned(),
            country: country::of_zone(event.time_zone),
            language: event.language.to_owned(),
            browser: event.browser.to_owned(),
            os: event.os.to_owned(),
            device: event.device.to_owned(),
            screen: event.screen(),
        }
    }
}

/// A visit.
#[derive(Debug)]
pub(crate) struct Visit {
    pub(crate) visitor: i64,
    /// The earliest row that was read, microseconds since 1970.
    pub(crate) first: i64,
    /// The last row.
    pub(crate) last: Position,
    /// Its rows, the earliest first once it is told.
    pub(crate) rows: Vec<Row>,
    pub(crate) head: Head,
    head_is_view: bool,
    pub(crate) is_authenticated: bool,
    /// No row of it was left out.
    pub(crate) is_whole: bool,
    /// Rows of the type `engagement` in the half hour behind its last row: when, and of which page view.
    engaged: Vec<(i64, Option<i64>)>,
}

impl Visit {
    fn add(&mut self, event: &Event<'_>, domains: &[String]) {
        self.first = event.occurred_at;
        self.is_authenticated |= !event.user_id.is_empty();
        // The first page view has the attributes, or else the first row.
        let is_view = event.event_type == "pageview";
        if is_view || !self.head_is_view {
            self.head = Head::of(event, domains);
            self.head_is_view = is_view;
        }
        if self.rows.len() >= ROWS_MAX {
            self.is_whole = false;
            return;
        }
        self.rows.push(Row {
            kind: event.event_type.to_owned(),
            path: event.url_path.to_owned(),
            page_view_id: event.page_view_id,
        });
    }

    /// The numbers of its page views among the rows: each once.
    fn view_numbers(&self) -> Vec<usize> {
        let mut known = std::collections::HashSet::new();
        let is_view =
            |row: &Row| row.kind == "pageview" && row.page_view_id.is_none_or(|id| known.insert(id));
        let mut is_view = is_view;
        (0..self.rows.len()).filter(|n| self.rows.get(*n).is_some_and(&mut is_view)).collect()
    }

    /// Its page views, the earliest first.
    pub(crate) fn views(&self) -> Vec<&Row> {
        self.view_numbers().into_iter().filter_map(|n| self.rows.get(n)).collect()
    }

    /// The end of its time: its last row, or what is told of its page views within half an hour.
    pub(crate) fn end(&self) -> i64 {
        let last = self.last.at;
        let is_of_view = |id: Option<i64>| {
            id.is_some() && self.rows.iter().any(|row| row.kind == "pageview" && row.page_view_id == id)
        };
        let told = self.engaged.iter().filter(|(at, id)| (last..=last + GAP).contains(at) && is_of_view(*id));
        told.map(|(at, _)| *at).max().unwrap_or(last)
    }

    /// Whether one of its rows passes a filter, in which a dimension of visits is that of this visit.
    pub(crate) fn passes(&self, filter: &Filter, goals: &[Goal]) -> bool {
        let views = self.view_numbers();
        (0..self.rows.len()).any(|n| self.keeps(filter, goals, &views, n))
    }

    fn keeps(&self, filter: &Filter, goals: &[Goal], views: &[usize], n: usize) -> bool {
        match filter {
            Filter::All(all) => all.iter().all(|filter| self.keeps(filter, goals, views, n)),
            Filter::Any(any) => any.iter().any(|filter| self.keeps(filter, goals, views, n)),
            Filter::Not(filter) => !self.keeps(filter, goals, views, n),
            Filter::On(dimension, test) => {
                self.values(*dimension, goals, views, n).iter().any(|value| test.is_true(value))
            }
        }
    }

    /// The values of a row.
    fn values<'v>(
        &'v self,
        dimension: Dimension,
        goals: &'v [Goal],
        views: &[usize],
        n: usize,
    ) -> Vec<&'v str> {
        use Dimension as D;
        let Some(row) = self.rows.get(n) else { return Vec::new() };
        let view = views.iter().position(|view| *view == n);
        let path = |n: Option<&usize>| n.and_then(|n| self.rows.get(*n)).map(|row| row.path.as_str());
        let head = &self.head;
        let one = match dimension {
            D::Page => Some(row.path.as_str()),
            D::Event => Some(row.kind.as_str()),
            D::EntryPage => path(views.first()),
            D::ExitPage => path(views.last()),
            D::PreviousPage => {
                view.map(|at| path(at.checked_sub(1).and_then(|at| views.get(at))).unwrap_or("(entry)"))
            }
            D::NextPage => view.map(|at| path(views.get(at + 1)).unwrap_or("(exit)")),
            D::Goal => {
                let of = view.map(|_| row.path.as_str());
                let reached = goals.iter().filter(|goal| goal.on.is_reached(&row.kind, of));
                return reached.map(|goal| goal.name.as_str()).collect();
            }
            D::Source => Some(head.source.as_str()),
            D::Channel => Some(head.channel),
            D::Campaign => Some(head.campaign.as_str()),
            D::Medium => Some(head.medium.as_str()),
            D::Term => Some(head.term.as_str()),
            D::Content => Some(head.content.as_str()),
            D::Country => Some(head.country),
            D::Language => Some(head.language.as_str()),
            D::Browser => Some(head.browser.as_str()),
            D::Os => Some(head.os.as_str()),
            D::Device => Some(head.device.as_str()),
            D::Screen => Some(head.screen),
            // No filter of visits has another one.
            _ => None,
        };
        one.into_iter().collect()
    }
}

/// A walk through rows.
#[derive(Debug)]
pub(crate) struct Walk<'a> {
    class: &'a str,
    domains: &'a [String],
    requests_are_views: bool,
    /// Of visitors whose visit was told before: its earliest row that is known.
    seen: HashMap<i64, i64>,
    /// Rows of the type `engagement` whose visit was not found yet.
    engaged: HashMap<i64, Vec<(i64, Option<i64>)>>,
    /// Visits in the order of their last rows.
    visits: VecDeque<Visit>,
    /// How many were taken from the front of `visits`.
    taken: usize,
    /// Of visitors: the number of the visit that rows may still be added to, counted from the first one.
    open: HashMap<i64, usize>,
}

impl<'a> Walk<'a> {
    /// Through rows of an application.
    pub(crate) fn new(class: &'a str, app: &'a Application) -> Walk<'a> {
        Walk {
            class,
            domains: &app.domains,
            requests_are_views: app.page_views == PageViews::Requests,
            seen: HashMap::new(),
            engaged: HashMap::new(),
            visits: VecDeque::new(),
            taken: 0,
            open: HashMap::new(),
        }
    }

    /// Rows behind the cursor, the earliest first.
    pub(crate) fn has_seen(&mut self, later: Vec<Later>) {
        for row in later {
            if row.is_engagement {
                self.engaged.entry(row.visitor_id).or_default().push((row.at, row.page_view_id));
            } else {
                self.seen.entry(row.visitor_id).or_insert(row.at);
            }
        }
    }

    /// The next row back.
    pub(crate) fn read(&mut self, event: &Event<'_>) {
        let event = &event.seen(self.requests_are_views);
        let Some(visitor) = event.visitor_id.filter(|_| event.traffic_class == self.class) else { return };
        if event.event_type == "engagement" {
            self.engaged.entry(visitor).or_default().push((event.occurred_at, event.page_view_id));
        }
        if !event.is_of_visits() {
            return;
        }
        if let Some(earliest) = self.seen.get_mut(&visitor) {
            if *earliest - event.occurred_at <= GAP {
                *earliest = event.occurred_at;
                return;
            }
            self.seen.remove(&visitor);
        }
        let taken = self.taken;
        let open = self.open.get(&visitor).and_then(|n| self.visits.get_mut(n.checked_sub(taken)?));
        if let Some(visit) = open.filter(|visit| visit.first - event.occurred_at <= GAP) {
            visit.add(event, self.domains);
            return;
        }
        let mut visit = Visit {
            visitor,
            first: event.occurred_at,
            last: place(event),
            rows: Vec::new(),
            head: Head::default(),
            head_is_view: false,
            is_authenticated: false,
            is_whole: true,
            engaged: self.engaged.remove(&visitor).unwrap_or_default(),
        };
        visit.add(event, self.domains);
        self.open.insert(visitor, self.taken + self.visits.len());
        self.visits.push_back(visit);
    }

    /// Takes the visit that ended last, if no row before `at` belongs to it; `None`: all rows were read.
    pub(crate) fn next_whole(&mut self, at: Option<i64>) -> Option<Visit> {
        let front = self.visits.front()?;
        let is_open = self.open.get(&front.visitor) == Some(&self.taken);
        if is_open && at.is_some_and(|at| front.first - at <= GAP) {
            return None;
        }
        self.take()
    }

    /// Takes it as it is.
    pub(crate) fn cut(&mut self) -> Option<Visit> {
        let mut visit = self.take()?;
        visit.is_whole = false;
        Some(visit)
    }

    fn take(&mut self) -> Option<Visit> {
        let mut visit = self.visits.pop_front()?;
        if self.open.get(&visit.visitor) == Some(&self.taken) {
            // What comes yet is of another visit, unless this one was cut: then it is left out.
            self.open.remove(&visit.visitor);
            self.seen.insert(visit.visitor, visit.first);
        }
        self.taken += 1;
        visit.rows.reverse();
        Some(visit)
    }

    /// Whether visits were found that were not taken.
    pub(crate) fn has_more(&self) -> bool {
        !self.visits.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = 60_000_000;

    fn event(minute: i64, visitor: i64, kind: &'static str, view: i64, path: &'static str) -> Event<'static> {
        Event {
            occurred_at: minute * MINUTE,
            event_id: u128::try_from(minute).unwrap(),
            visitor_id: Some(visitor),
            page_view_id: Some(view),
            traffic_class: "human",
            event_type: kind,
            url_path: path,
            ..Event::default()
        }
    }

    /// Visits as `VISITOR FIRST-LAST VIEWS`, in minutes.
    fn told(walk: &mut Walk<'_>, at: Option<i64>) -> Vec<String> {
        let mut all = Vec::new();
        while let Some(visit) = walk.next_whole(at.map(|at| at * MINUTE)) {
            let (first, last) = (visit.first / MINUTE, visit.last.at / MINUTE);
            all.push(format!("{} {first}-{last} {}", visit.visitor, visit.views().len()));
        }
        all
    }

    #[test]
    fn rows_half_an_hour_apart_are_one_visit_and_those_further_apart_two() {
        let app = Application::default();
        let mut walk = Walk::new("human", &app);
        for minute in [131, 100, 70, 60] {
            walk.read(&event(minute, 1, "pageview", minute, "/"));
        }
        walk.read(&event(50, 2, "pageview", 1, "/"));
        walk.read(&event(49, 3, "request", 2, "/"));
        walk.read(&Event { traffic_class: "bot", ..event(48, 4, "pageview", 2, "/") });
        assert_eq!(told(&mut walk, Some(50)), ["1 131-131 1"]);
        // A row of the 30th minute before could still come.
        assert!(told(&mut walk, Some(30)).is_empty());
        assert_eq!(told(&mut walk, Some(29)), ["1 60-100 3"]);
        assert_eq!(told(&mut walk, None), ["2 50-50 1"]);
        assert!(!walk.has_more());
    }

    #[test]
    fn what_goes_on_at_a_cursor_tells_no_visit_twice() {
        let app = Application::default();
        let mut walk = Walk::new("human", &app);
        let later = |visitor_id, minute: i64| Later {
            visitor_id,
            at: minute * MINUTE,
            is_engagement: false,
            page_view_id: None,
        };
        walk.has_seen(vec![later(1, 105), later(1, 120), later(2, 128)]);
        for (minute, visitor) in [(99, 1), (98, 2), (97, 2), (70, 1), (39, 1)] {
            walk.read(&event(minute, visitor, "pageview", minute, "/"));
        }
        assert_eq!(told(&mut walk, None), ["1 39-39 1"], "98 is within half an hour of 128");
        let app = Application::default();
        let mut walk = Walk::new("human", &app);
        walk.has_seen(vec![later(2, 129)]);
        walk.read(&event(98, 2, "pageview", 1, "/"));
        assert_eq!(told(&mut walk, None), ["2 98-98 1"]);
    }

    #[test]
    fn engagement_of_a_view_extends_a_visit_by_half_an_hour_at_most() {
        let end = |minutes: &[(i64, i64)]| {
            let app = Application::default();
            let mut walk = Walk::new("human", &app);
            minutes.iter().for_each(|(minute, view)| walk.read(&event(*minute, 1, "engagement", *view, "/")));
            walk.read(&event(100, 1, "pageview", 7, "/"));
            walk.next_whole(None).unwrap().end() / MINUTE
        };
        assert_eq!(end(&[(131, 7), (130, 7), (110, 7)]), 130);
        assert_eq!(end(&[(120, 8), (110, 7)]), 110, "of another view");
        assert_eq!(end(&[]), 100);
    }

    #[test]
    fn a_filter_keeps_visits_by_one_of_their_rows_and_by_what_they_began_with() {
        let app = Application::default();
        let mut walk = Walk::new("human", &app);
        walk.read(&Event { browser: "Safari", ..event(12, 1, "order", 2, "/cart") });
        walk.read(&Event { browser: "Safari", ..event(11, 1, "pageview", 2, "/cart") });
        walk.read(&Event { browser: "Chrome", ..event(10, 1, "pageview", 1, "/") });
        let visit = walk.next_whole(None).unwrap();
        let goals = [Goal::checked("Buy", Some("order"), None).unwrap()];
        let keeps = |texts: &[&str]| {
            let all = texts.iter().map(|text| alt_statistics::query::condition(text).unwrap()).collect();
            visit.passes(&Filter::All(all), &goals)
        };
        assert!(keeps(&["browser is Chrome"]) && !keeps(&["browser is Safari"]));
        assert!(keeps(&["page is /cart", "event is order"]) && !keeps(&["page is /", "event is order"]));
        assert!(keeps(&["entry_page is /", "exit_page is /cart", "goal is Buy"]));
        assert!(keeps(&["next_page is (exit)", "previous_page is /"]));
        assert!(keeps(&["page is not /cart"]), "its first row");
        assert!(!keeps(&["page is not /cart", "page is not /"]));
    }
}
