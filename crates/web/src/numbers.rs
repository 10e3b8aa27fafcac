//! The numbers of a question: from `stat_daily` where nothing is filtered, from the segments of days where something is.

use std::collections::BTreeMap;

use alt_statistics::query::{self, Dimension, Filter, Goal, Metric, Note, Property, Query, Tally, Test};
use alt_store::apps::Application;
use alt_store::stats::ask::{Asked as Days, Counted};
use alt_store::stats::period::Dates;
use alt_store::stats::segments::{self, Behind};
use alt_store::web::pool::Transaction;
use jiff::Timestamp;

use crate::Web;
use crate::daily::Reading;
use crate::problem::Problem;
use crate::segments::Cut;
use crate::times::Interval;

/// What is asked for.
#[derive(Debug)]
pub(crate) struct Question<'a> {
    pub(crate) app: &'a Application,
    /// The class of traffic.
    pub(crate) class: &'a str,
    /// What is kept.
    pub(crate) filter: Option<Filter>,
    /// What the caller may know of at all.
    pub(crate) bound: Option<Filter>,
    pub(crate) interval: Interval,
    /// The goals of the application, if the question is about them.
    pub(crate) goals: Vec<Goal>,
    /// Dimensions whose values are listed, and their names.
    pub(crate) lists: Vec<(String, Dimension)>,
    /// Whether what events say is summed of the total and the series, too.
    pub(crate) has_amounts: bool,
    /// The property that is summed.
    pub(crate) sum_of: Option<Property>,
    /// Whether people are counted, too.
    pub(crate) has_people: bool,
    /// By what values are ordered; `None`: by visitors.
    pub(crate) order: Option<Metric>,
    /// The most values of each.
    pub(crate) limit: usize,
}

/// The values of a dimension.
#[derive(Debug, Default)]
pub(crate) struct List {
    pub(crate) values: Vec<(String, Tally)>,
    /// There are more.
    pub(crate) is_cut: bool,
    /// Of goals: the visitors whose share the values' are.
    pub(crate) of: Option<OfGoals>,
    /// What has to be known of values that are counted by segments.
    pub(crate) notes: Vec<Note>,
}

/// What the visitors of goals are a share of.
#[derive(Debug, Clone, Default)]
pub(crate) struct OfGoals {
    /// Visitors under the same filters without those on goals.
    pub(crate) visitors: u64,
    /// Some days have no segments: goals are counted without them.
    pub(crate) is_partial: bool,
    /// The time of the segments of a day that goes on.
    pub(crate) as_of: Option<String>,
}

/// What was found.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) total: Tally,
    /// By days or hours that have any: `2026-01-31`, `2026-01-31 05`. Months are made of days by [`Interval::series`].
    pub(crate) series: BTreeMap<String, Tally>,
    /// In the order of [`Question::lists`].
    pub(crate) lists: Vec<List>,
    /// Events of each other class.
    pub(crate) left_out: BTreeMap<String, u64>,
    pub(crate) notes: Vec<Note>,
    /// Rows that came after this time may not be counted; `None`: there are none.
    pub(crate) as_of: Option<String>,
    /// Days that are not counted, because they have no segments.
    pub(crate) without: i64,
    /// Days that are sums of another product. With a filter, they are not counted.
    pub(crate) imported: i64,
}

impl Question<'_> {
    /// Whether segments have to be asked.
    pub(crate) fn is_filtered(&self) -> bool {
        self.filter.is_some() || self.bound.is_some() || self.has_amounts || self.has_people
    }

    fn days(&self, Dates { from, until }: Dates) -> Days<'_> {
        Days { app_id: self.app.id, class: self.class, from, until }
    }

    /// The numbers of days, both included.
    pub(crate) async fn now(&self, web: &Web, db: &Transaction, days: Dates) -> Result<Found, Problem> {
        if self.is_filtered() {
            return self.segments(web, db, days, None, false).await;
        }
        let sums = web.daily.of(db, self.days(days)).await?;
        let mut found = self.sums(&sums).await?;
        for (name, dimension) in &self.lists {
            if !dimension.is_stored() {
                let list = self.looked_up(web, db, days, *dimension, self.limit).await?;
                found.notes.extend(list.notes.iter().copied());
                found.lists.push(list);
                continue;
            }
            let mut values = sums.top(name, self.limit.saturating_add(1)).await?;
            let is_cut = values.len() > self.limit;
            values.truncate(self.limit);
            found.lists.push(List {
                values: values.into_iter().map(named).collect(),
                is_cut,
                of: None,
                notes: Vec::new(),
            });
        }
        found.notes.sort_unstable();
        found.notes.dedup();
        Ok(found)
    }

    /// The numbers of earlier days, of the values that were found. Of the last day up to its minute `minute`, if there is one.
    pub(crate) async fn before(
        &self,
        web: &Web,
        db: &Transaction,
        days: Dates,
        minute: Option<i64>,
        now: &Found,
    ) -> Result<Found, Problem> {
        let cut = minute.map(|minute| {
            let last = format!("{} {minute:04}", days.until);
            Cut { day: days.until.to_string(), filter: Filter::On(Dimension::MinuteOfDay, Test::UpTo(last)) }
        });
        if self.is_filtered() {
            let mut found = self.segments(web, db, days, cut.as_ref(), true).await?;
            keep(&mut found, now);
            return Ok(found);
        }
        // Sums have no minutes: those of the last day are of its segments.
        let whole = match &cut {
            None => Some(days),
            Some(_) => days
                .until
                .yesterday()
                .ok()
                .filter(|last| *last >= days.from)
                .map(|until| Dates { until, ..days }),
        };
        let mut found = Found::default();
        if let Some(whole) = whole {
            let sums = web.daily.of(db, self.days(whole)).await?;
            found = self.sums(&sums).await?;
            for ((name, dimension), list) in self.lists.iter().zip(&now.lists) {
                if !dimension.is_stored() {
                    found.lists.push(self.looked_up(web, db, whole, *dimension, usize::MAX).await?);
                    continue;
                }
                let names: Vec<&str> = list.values.iter().map(|(name, _)| name.as_str()).collect();
                let values = sums.of_values(name, &names).await?;
                let values = values.into_iter().map(named).collect();
                found.lists.push(List { values, is_cut: false, of: None, notes: Vec::new() });
            }
        }
        if let Some(cut) = &cut {
            add(
                &mut found,
                self.segments(web, db, Dates { from: days.until, ..days }, Some(cut), true).await?,
            );
        }
        keep(&mut found, now);
        Ok(found)
    }

    /// Total, series, and what is left out.
    async fn sums(&self, sums: &Reading<'_>) -> Result<Found, Problem> {
        let totals = sums.totals().await?;
        let mut found = Found { left_out: totals.left_out, imported: totals.imported, ..Found::default() };
        let by_day: Vec<(String, Tally)> = totals.days.into_iter().map(named).collect();
        by_day.iter().for_each(|(_, day)| found.total.add(day));
        let series = match self.interval {
            Interval::Hour => sums.hours().await?.into_iter().map(named).collect(),
            Interval::Day | Interval::Month => by_day,
        };
        found.series = series.into_iter().collect();
        Ok(found)
    }

    async fn segments(
        &self,
        web: &Web,
        db: &Transaction,
        days: Dates,
        cut: Option<&Cut>,
        has_all: bool,
    ) -> Result<Found, Problem> {
        let by = if self.interval == Interval::Hour { Dimension::HourOfDay } else { Dimension::Day };
        let mut queries = vec![self.question(by, None, usize::MAX)];
        queries.extend(self.lists.iter().map(|(_, dimension)| match has_all {
            true => self.question(*dimension, None, usize::MAX),
            false => self.question(*dimension, self.order(), self.limit),
        }));
        // Last, so that it is no list.
        let has_goal = self.filter.as_ref().is_some_and(Filter::has_goal);
        queries.extend(has_goal.then(|| self.without_goals()));
        let mut answers = web.segments.ask(db, self.app.id, days, queries, cut).await?.into_iter();
        let all = if has_goal { answers.next_back() } else { None };
        let series = answers.next().ok_or_else(Problem::defect)?;
        let visitors = all.as_ref().unwrap_or(&series).total.counts.visitors;
        let behind = segments::behind(db, self.app.id, days.from, days.until).await?;
        let mut notes = series.notes;
        let mut lists = Vec::new();
        for (answer, (_, dimension)) in answers.zip(&self.lists) {
            notes.extend(answer.notes.iter().copied());
            let is_cut = answer.next.is_some();
            let mut list = List { is_cut, values: values(answer.rows), of: None, notes: answer.notes };
            if *dimension == Dimension::Goal {
                list = self.with_all(list, visitors, &behind);
            }
            lists.push(list);
        }
        notes.sort_unstable();
        notes.dedup();
        Ok(Found {
            total: series.total,
            series: values(series.rows).into_iter().collect(),
            lists,
            left_out: series.left_out,
            notes,
            as_of: behind.as_of,
            without: behind.without,
            imported: behind.imported,
        })
    }

    fn order(&self) -> Option<Metric> {
        self.order.or(Metric::named("visitors"))
    }

    /// A question to segments.
    fn question(&self, dimension: Dimension, order: Option<Metric>, limit: usize) -> Query {
        Query {
            dimension,
            filter: self.filter.clone(),
            classes: vec![self.class.to_owned()],
            order,
            limit,
            after: 0,
            domains: self.app.domains.clone(),
            goals: self.goals.clone(),
            funnel: None,
            has_amounts: self.has_amounts || dimension.is_said() || dimension == Dimension::Goal,
            sum_of: self.sum_of,
            has_people: self.has_people,
            periods: Vec::new(),
            bound: self.bound.clone(),
        }
    }

    /// The total that the visitors of goals are a share of.
    fn without_goals(&self) -> Query {
        let filter = self.filter.as_ref().and_then(Filter::without_goals);
        Query { filter, has_people: false, ..self.question(Dimension::Total, None, 1) }
    }

    /// A list of days of which nothing is filtered, of a dimension that sums by day do not have.
    async fn looked_up(
        &self,
        web: &Web,
        db: &Transaction,
        days: Dates,
        dimension: Dimension,
        limit: usize,
    ) -> Result<List, Problem> {
        let question = self.question(dimension, self.order(), limit);
        let mut answers = web.segments.ask(db, self.app.id, days, vec![question], None).await?.into_iter();
        let answer = answers.next().ok_or_else(Problem::defect)?;
        let is_cut = answer.next.is_some();
        let list = List { is_cut, values: values(answer.rows), of: None, notes: answer.notes };
        if dimension != Dimension::Goal {
            return Ok(list);
        }
        let behind = segments::behind(db, self.app.id, days.from, days.until).await?;
        Ok(self.with_all(list, answer.total.counts.visitors, &behind))
    }

    /// A list of goals with those that nobody reached, as far as there is room.
    fn with_all(&self, mut list: List, visitors: u64, behind: &Behind) -> List {
        for goal in &self.goals {
            if list.values.iter().any(|(name, _)| *name == goal.name) {
                continue;
            }
            if list.values.len() >= self.limit {
                list.is_cut = true;
                break;
            }
            list.values.push((goal.name.clone(), Tally::default()));
        }
        let is_partial = behind.without > 0 || behind.imported > 0;
        list.of = Some(OfGoals { visitors, is_partial, as_of: behind.as_of.clone() });
        list
    }
}

/// Keeps of each list the values that `now` has, in its order.
fn keep(found: &mut Found, now: &Found) {
    found.lists.resize_with(now.lists.len(), List::default);
    for (list, now) in found.lists.iter_mut().zip(&now.lists) {
        let known: BTreeMap<String, Tally> = std::mem::take(&mut list.values).into_iter().collect();
        let of = |name: &String| known.get(name).cloned().unwrap_or_default();
        list.values = now.values.iter().map(|(name, _)| (name.clone(), of(name))).collect();
    }
}

/// Adds the numbers of other days.
fn add(found: &mut Found, more: Found) {
    found.total.add(&more.total);
    for (at, tally) in more.series {
        found.series.entry(at).or_default().add(&tally);
    }
    found.lists.resize_with(more.lists.len(), List::default);
    for (list, more) in found.lists.iter_mut().zip(more.lists) {
        let mut sum: BTreeMap<String, Tally> = std::mem::take(&mut list.values).into_iter().collect();
        for (name, tally) in more.values {
            sum.entry(name).or_default().add(&tally);
        }
        if let Some(more) = more.of {
            let of = list.of.get_or_insert_default();
            of.visitors += more.visitors;
            of.is_partial |= more.is_partial;
        }
        list.values = sum.into_iter().collect();
    }
    found.without += more.without;
    found.notes.extend(more.notes);
}

fn values(rows: Vec<query::Row>) -> Vec<(String, Tally)> {
    rows.into_iter().map(|row| (row.value, row.tally)).collect()
}

fn named(Counted { name, counts }: Counted) -> (String, Tally) {
    (name, Tally { counts, entered: counts.sessions, amounts: None, people: None })
}

/// The time of which numbers are: `as_of`, or now.
pub(crate) fn time_of(found: &Found) -> Timestamp {
    found.as_of.as_deref().and_then(|at| at.parse().ok()).unwrap_or_else(Timestamp::now)
}
