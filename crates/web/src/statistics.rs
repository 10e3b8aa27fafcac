//! Statistics of an application: by day, by value, and all that a page shows in one answer.

use alt_statistics::day::COUNTS;
use alt_statistics::query::panel::Panel;
use alt_statistics::query::{Dimension, Filter, Goal, Metric, Note, Property, Tally};
use alt_store::stats::ask;
use alt_store::stats::period::{Dates, Earlier, Period};
use alt_store::web::{annotations, goals, rows, saved as store_saved};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Map, Value, json};

use crate::annotations::seen;
use crate::ask::{Answer, Asked, Content, number};
use crate::csv::field;
use crate::numbers::{Found, List, OfGoals, Question, time_of};
use crate::period;
use crate::problem::Problem;
use crate::times::{self, HOURS_DAYS_MAX, Interval};
use crate::{Web, amounts, saved};

/// The most values of a dimension in an answer.
pub(crate) const VALUES_MAX: i64 = 1000;

/// The most values of each dimension of a dashboard.
const LIST_MAX: i64 = 100;

/// The most filters of a question.
const FILTERS_MAX: usize = 50;

/// How many minutes a visitor is a current one.
const LIVE_MINUTES: i32 = 5;

/// How a question is written, in a query or a body.
struct Wanted<'a> {
    period: Option<&'a str>,
    filters: Vec<&'a str>,
    interval: Option<&'a str>,
    compare: Option<&'a str>,
    class: Option<&'a str>,
    dimensions: Vec<&'a str>,
    limit: i64,
    /// Whether what events say is summed.
    has_amounts: bool,
    /// The property that is summed.
    sum: Option<&'a str>,
    /// The metric that values are ordered by.
    order: Option<&'a str>,
    /// Whether people are counted.
    has_people: bool,
}

/// What is answered: now, and before.
struct Answered<'a> {
    question: Question<'a>,
    period: Period,
    zone: TimeZone,
    now: Found,
    /// The numbers of earlier days, the last of them, and the time of it up to which they are.
    before: Option<(Found, jiff::civil::Date, Option<String>)>,
}

async fn answered<'a>(web: &Web, asked: &'a Asked, wanted: &Wanted<'a>) -> Result<Answered<'a>, Problem> {
    let (db, app) = (asked.db()?, asked.app()?);
    let zone = TimeZone::get(&app.time_zone).unwrap_or(TimeZone::UTC);
    let today = Timestamp::now().to_zoned(zone.clone()).date();
    let period = period::of(wanted.period.unwrap_or("7d"), today).map_err(Problem::bad)?;
    let interval = wanted.interval.map_or(Some(Interval::Day), Interval::named);
    let interval = interval.ok_or_else(|| Problem::bad("interval is hour, day or month"))?;
    let days = period.from.until(period.until).map_or(i32::MAX, |span| span.get_days());
    if interval == Interval::Hour && days >= HOURS_DAYS_MAX {
        return Err(Problem::bad(format!("interval=hour is for at most {HOURS_DAYS_MAX} days")));
    }
    let earlier = wanted.compare.map(earlier).transpose()?;
    let period = period
        .compared_with(earlier.unwrap_or(Earlier::Previous))
        .ok_or_else(|| Problem::bad("there are no such days to compare with"))?;
    let lists: Vec<_> = wanted.dimensions.iter().map(|name| list(name)).collect::<Result<_, _>>()?;
    let filter = filter(asked, &wanted.filters).await?;
    let sum_of = wanted.sum.map(|name| {
        let bad = || Problem::bad("sum is the name of a property, such as points");
        Property::named(name).ok_or_else(bad)
    });
    let order = wanted.order.map(|name| {
        let bad = || {
            Problem::bad(
                "order is a count or an amount, such as visitors, page_views, people, orders, revenue",
            )
        };
        Metric::named(name).ok_or_else(bad)
    });
    let question = Question {
        app,
        class: wanted.class.unwrap_or("human"),
        goals: goals_of(asked, filter.as_ref(), &lists).await?,
        filter,
        bound: asked.bound()?,
        interval,
        lists,
        has_amounts: wanted.has_amounts || sum_of.is_some() || order.is_some(),
        sum_of: sum_of.transpose()?,
        has_people: wanted.has_people || matches!(order, Some(Ok(Metric::People))),
        order: order.transpose()?,
        limit: usize::try_from(wanted.limit).unwrap_or(1),
    };
    let now = question.now(web, db, period.days()).await?;
    let before = if earlier.is_some() {
        // A day that goes on is compared up to the same minute of its day.
        let same = period.from.until(today).ok().filter(|_| !period.is_over && period.from <= today);
        let (last, minute) = match same.and_then(|same| period.before.from.checked_add(same).ok()) {
            Some(last) => {
                let begun = times::begin(today, &zone).map_or(0, |begin| begin.timestamp().as_second());
                (last, Some((time_of(&now).as_second() - begun).max(0) / 60))
            }
            None => (period.before.until, None),
        };
        let found =
            question.before(web, db, Dates { from: period.before.from, until: last }, minute, &now).await?;
        let until = minute.and_then(|minute| {
            let at = times::begin(last, &zone)?.checked_add(jiff::Span::new().minutes(minute + 1)).ok()?;
            Some(times::rfc3339(&at))
        });
        Some((found, last, until))
    } else {
        None
    };
    Ok(Answered { question, period, zone, now, before })
}

/// The dimension of a list.
pub(crate) fn list(name: &str) -> Result<(String, Dimension), Problem> {
    let dimension = Dimension::named(name).filter(|dimension| dimension.is_listed());
    let bad = || Problem::bad(format!("a dimension is one of {}", Dimension::listed()));
    Ok((name.to_owned(), dimension.ok_or_else(bad)?))
}

/// The goals of the application, if a question is about goals.
pub(crate) async fn goals_of(
    asked: &Asked,
    filter: Option<&Filter>,
    lists: &[(String, Dimension)],
) -> Result<Vec<Goal>, Problem> {
    let is_listed = lists.iter().any(|(_, dimension)| *dimension == Dimension::Goal);
    if !is_listed && !filter.is_some_and(Filter::has_goal) {
        return Ok(Vec::new());
    }
    let goals = goals::of(asked.db()?, asked.app()?.id).await?;
    match filter.and_then(|filter| filter.unknown_goal(&goals)) {
        Some(name) => Err(Problem::bad(format!("there is no goal {name:?}; GET /api/v1/goals lists them"))),
        None => Ok(goals),
    }
}

/// The short name of what has to be known.
pub(crate) fn note(note: Note) -> &'static str {
    match note {
        Note::Entered => "entered",
        Note::Other => "other",
        Note::Definitions => "definitions",
        Note::Seconds => "seconds",
        Note::Values => "values",
        Note::Property => "property",
        Note::Unread => "unread",
        Note::People => "people",
        Note::Keys => "user_keys",
    }
}

/// All of these conditions, and those of the segments that they name. `None`: there is none.
pub(crate) async fn filter(asked: &Asked, texts: &[&str]) -> Result<Option<Filter>, Problem> {
    if texts.len() > FILTERS_MAX {
        return Err(Problem::bad(format!("a question has at most {FILTERS_MAX} filters")));
    }
    let seen = saved::seen(asked)?;
    store_saved::filter(asked.db()?, asked.app()?.id, seen, texts).await?.map_err(Problem::bad)
}

impl Answered<'_> {
    /// What both answers have.
    async fn shown(&self, asked: &Asked) -> Result<Value, Problem> {
        let (app, period) = (self.question.app, &self.period);
        let state = ask::state(asked.db()?, Some(app.id)).await?;
        // How much is not counted of the whole application is nothing that a caller with a filter may know.
        let of_all = |n: i64| if self.question.bound.is_some() { Value::Null } else { json!(n) };
        let is_complete = state.is_followed && state.is_done() && self.now.without == 0;
        let left_out = self.now.left_out.iter();
        let mut left_out: Vec<(&String, &u64)> = left_out.filter(|(_, events)| **events > 0).collect();
        left_out.sort_by_key(|(_, events)| std::cmp::Reverse(**events));
        let left_out = left_out
            .iter()
            .map(|(class, events)| json!({ "class": class, "events": number(**events) }))
            .collect::<Vec<_>>();
        Ok(json!({
            "application": {
                "id": app.key, "name": app.name, "time_zone": app.time_zone, "properties": app.properties,
            },
            "period": { "from": period.from.to_string(), "until": period.until.to_string(), "is_over": period.is_over },
            "class": self.question.class,
            "is_complete": is_complete,
            "as_of": self.now.as_of,
            "notes": self.notes(),
            "days_being_computed": of_all(state.days),
            "rows_not_counted": of_all(state.frozen_rows),
            "total": self.object(&self.now.total),
            "left_out": left_out,
        }))
    }

    /// What has to be known of the numbers, by short names.
    fn notes(&self) -> Vec<&'static str> {
        let before = self.before.iter().flat_map(|(found, ..)| &found.notes);
        let mut notes: Vec<&str> = self.now.notes.iter().chain(before).map(|one| note(*one)).collect();
        let without = self.now.without + self.before.as_ref().map_or(0, |(found, ..)| found.without);
        notes.extend((without > 0).then_some("days_without_segments"));
        if self.now.imported > 0 {
            notes.push(if self.question.is_filtered() { "imported_left_out" } else { "imported" });
        }
        notes.sort_unstable();
        notes.dedup();
        notes
    }

    /// What is compared with.
    fn compared(&self) -> Option<Value> {
        let (_, until, time) = self.before.as_ref()?;
        let from = self.period.before.from.to_string();
        Some(json!({ "from": from, "until": until.to_string(), "until_time": time }))
    }

    fn series(&self) -> Vec<(String, Tally)> {
        self.question.interval.series(self.period.days(), &self.zone, Timestamp::now(), &self.now.series)
    }

    fn series_before(&self) -> Option<Vec<(String, Tally)>> {
        let (found, until, time) = self.before.as_ref()?;
        let end = time.as_ref().and_then(|time| time.parse().ok()).unwrap_or_else(Timestamp::now);
        let days = Dates { from: self.period.before.from, until: *until };
        Some(self.question.interval.series(days, &self.zone, end, &found.series))
    }
}

/// What `compare` says.
fn earlier(name: &str) -> Result<Earlier, Problem> {
    Earlier::named(name).ok_or_else(|| Problem::bad("compare is previous, week or year"))
}

/// A parameter that is `true` or `false`.
fn is_asked(asked: &Asked, name: &str) -> Result<bool, Problem> {
    match asked.parameter(name) {
        None | Some("false") => Ok(false),
        Some("true") => Ok(true),
        Some(_) => Err(Problem::bad(format!("{name} is true or false"))),
    }
}

/// The same of a body.
fn is_in_body(asked: &Asked, name: &str) -> Result<bool, Problem> {
    match asked.body.get(name) {
        None | Some(Value::Null) => Ok(false),
        Some(has) => has.as_bool().ok_or_else(|| Problem::bad(format!("{name} is true or false"))),
    }
}

/// `GET /api/v1/statistics`, as JSON or CSV.
pub(crate) async fn statistics(web: &Web, asked: &Asked) -> Result<Answer, Problem> {
    let wanted = Wanted {
        period: asked.parameter("period"),
        filters: asked.all("filter").collect(),
        interval: asked.parameter("interval"),
        compare: asked.parameter("compare"),
        class: asked.parameter("class"),
        dimensions: asked.parameter("dimension").into_iter().collect(),
        limit: asked.limit(100, VALUES_MAX)?,
        has_amounts: is_asked(asked, "amounts")?,
        has_people: is_asked(asked, "people")?,
        sum: asked.parameter("sum"),
        order: asked.parameter("order"),
    };
    let answered = answered(web, asked, &wanted).await?;
    let (found, values) = (&answered.now, answered.now.lists.first());
    let days = || found.series.iter().map(|(day, tally)| (day.clone(), tally.clone())).collect::<Vec<_>>();
    if asked.is_csv {
        let table = match (values, wanted.interval) {
            (Some(list), _) => answered.csv("value", &list.values),
            (None, Some(_)) => answered.csv("at", &answered.series()),
            (None, None) => answered.csv("day", &days()),
        };
        return Ok(Answer::of(Content::Csv(table)));
    }
    let mut answer = answered.shown(asked).await?;
    match wanted.interval {
        Some(_) => answer["series"] = json!(answered.named("at", &answered.series())),
        None => answer["days"] = json!(answered.named("day", &days())),
    }
    if let Some(list) = values {
        answer["dimension"] = json!(wanted.dimensions.first());
        answer["values"] = json!(answered.rows_of(list));
        answer["values_are_cut"] = json!(list.is_cut);
        if let Some(of) = &list.of {
            of_goals(&mut answer, of);
        }
    }
    if let (Some(mut compared), Some((before, ..))) = (answered.compared(), &answered.before) {
        compared["total"] = answered.object(&before.total);
        answer["compared_with"] = compared;
    }
    Ok(Answer::json(answer))
}

/// `POST /api/v1/dashboard`: all that a page shows, of one moment.
pub(crate) async fn dashboard(web: &Web, asked: &Asked) -> Result<Answer, Problem> {
    let limit = match asked.body.get("limit") {
        None | Some(Value::Null) => 10,
        Some(limit) => match limit.as_i64() {
            Some(limit) if (1..=LIST_MAX).contains(&limit) => limit,
            _ => return Err(Problem::bad(format!("limit is a number from 1 to {LIST_MAX}"))),
        },
    };
    let mut dimensions = asked.texts("dimensions")?.unwrap_or_default();
    dimensions.sort_unstable();
    dimensions.dedup();
    let wanted = Wanted {
        has_amounts: is_in_body(asked, "amounts")?,
        has_people: is_in_body(asked, "people")?,
        sum: asked.text("sum")?,
        order: asked.text("order")?,
        period: asked.text("period")?,
        filters: asked.texts("filters")?.unwrap_or_default(),
        interval: asked.text("interval")?,
        compare: asked.text("compare")?,
        class: asked.text("class")?,
        dimensions,
        limit,
    };
    let answered = answered(web, asked, &wanted).await?;
    let mut answer = answered.shown(asked).await?;
    let app = asked.app()?;
    // Of rows, so it cannot be filtered.
    answer["current_visitors"] = match answered.question.bound {
        Some(_) => Value::Null,
        None => json!(rows::live(asked.db()?, app.id, LIVE_MINUTES).await?.0),
    };
    let happened = annotations::of(asked.db()?, app.id, seen(asked)?, answered.period.days()).await?;
    let happened = happened.iter().map(|one| json!({ "day": one.day, "text": one.text }));
    answer["annotations"] = happened.collect();
    answer["interval"] = json!(answered.question.interval.as_str());
    answer["filters"] = json!(wanted.filters);
    answer["compared_with"] = json!(answered.compared());
    answer["total_before"] = json!(answered.before.as_ref().map(|(found, ..)| answered.object(&found.total)));
    answer["series"] = json!(answered.named("at", &answered.series()));
    answer["series_before"] = json!(answered.series_before().map(|series| answered.named("at", &series)));
    let mut lists = Map::new();
    for (n, ((name, _), list)) in answered.question.lists.iter().zip(&answered.now.lists).enumerate() {
        let before = answered.before.as_ref().and_then(|(before, ..)| before.lists.get(n));
        let values = answered.with_before(list, before);
        let notes: Vec<&str> = list.notes.iter().map(|one| note(*one)).collect();
        let mut shown = json!({ "values": values, "is_cut": list.is_cut, "notes": notes });
        if let Some(of) = &list.of {
            of_goals(&mut shown, of);
        }
        lists.insert(name.clone(), shown);
    }
    answer["lists"] = Value::Object(lists);
    Ok(Answer::json(answer))
}

/// `GET /api/v1/panels/{id}/statistics`: the answer to the question of a panel, as JSON or CSV.
pub(crate) async fn of_panel(web: &Web, asked: &Asked, panel: &Panel) -> Result<Answer, Problem> {
    let app = asked.app()?;
    let zone = TimeZone::get(&app.time_zone).unwrap_or(TimeZone::UTC);
    let today = Timestamp::now().to_zoned(zone).date();
    let wanted = asked.parameter("period").unwrap_or("7d");
    let period = period::of(wanted, today).map_err(Problem::bad)?;
    let compare = asked.parameter("compare");
    compare.map(earlier).transpose()?;
    // A longer period is by days.
    let days = period.from.until(period.until).map_or(i32::MAX, |span| span.get_days());
    let is_long = |name: &&str| *name == "hour" && days >= HOURS_DAYS_MAX;
    let interval = panel.interval.as_deref().map(|name| if is_long(&name) { "day" } else { name });
    let wanted = Wanted {
        period: Some(wanted),
        filters: panel.filters.iter().map(String::as_str).collect(),
        interval,
        compare,
        class: None,
        dimensions: panel.dimension.as_deref().into_iter().collect(),
        limit: panel.limit.into(),
        has_amounts: panel.has_amounts(),
        sum: panel.sum.as_deref(),
        order: panel.order().filter(|_| panel.dimension.is_some()),
        has_people: false,
    };
    let of_panel = |problem: Problem| problem.of_panel(&panel.name);
    let filter = filter(asked, &wanted.filters).await.map_err(of_panel)?;
    if let Some(name) = panel.unknown_property(filter.as_ref(), &app.properties) {
        let why =
            format!("the application has no property {name:?} any more; its settings choose properties");
        return Err(of_panel(Problem::bad(why)));
    }
    let answered = answered(web, asked, &wanted).await.map_err(of_panel)?;
    let list = answered.now.lists.first();
    if asked.is_csv {
        let table = match (list, interval) {
            (Some(list), _) => answered.csv("value", &list.values),
            (None, Some(_)) => answered.csv("at", &answered.series()),
            (None, None) => answered.csv("total", &[(String::new(), answered.now.total.clone())]),
        };
        return Ok(Answer::of(Content::Csv(table)));
    }
    let mut answer = answered.shown(asked).await?;
    answer["compared_with"] = json!(answered.compared());
    answer["total_before"] = json!(answered.before.as_ref().map(|(found, ..)| answered.object(&found.total)));
    answer["interval"] = json!(interval);
    if interval.is_some() {
        answer["series"] = json!(answered.named("at", &answered.series()));
        answer["series_before"] = json!(answered.series_before().map(|series| answered.named("at", &series)));
    }
    if let Some(list) = list {
        let before = answered.before.as_ref().and_then(|(found, ..)| found.lists.first());
        answer["values"] = json!(answered.with_before(list, before));
        answer["values_are_cut"] = json!(list.is_cut);
    }
    Ok(Answer::json(answer))
}

impl Answered<'_> {
    /// The values of a list, and what each was before.
    fn with_before(&self, list: &List, before: Option<&List>) -> Vec<Value> {
        let mut values = self.rows_of(list);
        if let Some(before) = before {
            values
                .iter_mut()
                .zip(&before.values)
                .for_each(|(value, before)| value["before"] = self.object(&before.1));
        }
        values
    }

    fn members<'t>(&self, tally: &'t Tally) -> impl Iterator<Item = (String, Value)> + use<'t> {
        let counts = COUNTS.iter().map(|count| (count.name.to_owned(), number((count.get)(&tally.counts))));
        let people = self.question.has_people.then(|| ("people".to_owned(), number(tally.people())));
        let amounts = amounts::json(tally).map(|all| ("amounts".to_owned(), all));
        counts.chain([("entered".to_owned(), number(tally.entered))]).chain(people).chain(amounts)
    }

    fn object(&self, tally: &Tally) -> Value {
        Value::Object(self.members(tally).collect())
    }

    fn named(&self, key: &str, all: &[(String, Tally)]) -> Vec<Value> {
        let one = |(name, tally): &(String, Tally)| {
            Value::Object([(key.to_owned(), json!(name))].into_iter().chain(self.members(tally)).collect())
        };
        all.iter().map(one).collect()
    }

    /// The values of a list. Those of goals have the share of the visitors who reached them.
    #[allow(clippy::cast_precision_loss)] // shown
    fn rows_of(&self, list: &List) -> Vec<Value> {
        let mut rows = self.named("value", &list.values);
        if let Some(of) = &list.of {
            for (row, (_, tally)) in rows.iter_mut().zip(&list.values) {
                let rate = (of.visitors > 0).then(|| tally.counts.visitors as f64 / of.visitors as f64);
                row["conversion_rate"] = json!(rate);
            }
        }
        rows
    }

    /// RFC 4180, with a line of names.
    fn csv(&self, key: &str, all: &[(String, Tally)]) -> String {
        let names: Vec<&str> = COUNTS.iter().map(|count| count.name).collect();
        let has_people = self.question.has_people;
        let has_amounts = all.iter().any(|(_, tally)| tally.amounts.is_some());
        let people = if has_people { ",people" } else { "" };
        let more: String =
            amounts::COLUMNS.iter().filter(|_| has_amounts).map(|name| format!(",{name}")).collect();
        let mut table = format!("{key},{},entered{people}{more}\r\n", names.join(","));
        for (name, tally) in all {
            table += &field(name);
            for count in COUNTS {
                table += &format!(",{}", (count.get)(&tally.counts));
            }
            table += &format!(",{}", tally.entered);
            if has_people {
                table += &format!(",{}", tally.people());
            }
            if has_amounts {
                amounts::row(tally).iter().for_each(|one| table += &format!(",{one}"));
            }
            table += "\r\n";
        }
        table
    }
}

/// What is said of a list of goals.
fn of_goals(shown: &mut Value, of: &OfGoals) {
    shown["visitors"] = number(of.visitors);
    shown["is_partial"] = json!(of.is_partial);
    shown["goals_as_of"] = json!(of.as_of);
}

/// `GET /api/v1/live`: current visitors.
pub(crate) async fn live(_web: &Web, asked: &Asked) -> Result<Answer, Problem> {
    if asked.bound()?.is_some() {
        return Err(Problem::forbidden(
            "a token or share without a filter: current visitors are not filtered",
        ));
    }
    let app = asked.app()?;
    let (visitors, events) = rows::live(asked.db()?, app.id, LIVE_MINUTES).await?;
    let count = |n: i64| number(u64::try_from(n).unwrap_or(0));
    let at = Timestamp::from_second(Timestamp::now().as_second()).unwrap_or_default();
    Ok(Answer::json(json!({
        "application": { "id": app.key, "name": app.name, "time_zone": app.time_zone },
        "at": at.to_string(),
        "minutes": LIVE_MINUTES,
        "visitors": count(visitors),
        "events": count(events),
    })))
}
