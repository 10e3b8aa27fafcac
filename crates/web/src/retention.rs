//! `GET /api/v1/retention`: people by when they came first, and how many of them came back; and how it is written, which
//! `alt stats people` does alike.

use alt_statistics::query::{Answer as Found, Dimension, Note, PERIODS_MAX, Query, Retention};
use alt_store::stats::period::{Dates, Every};
use alt_store::stats::segments;
use alt_store::web::goals;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};
use serde_json::{Value, json};

use crate::Web;
use crate::ask::{Answer, Asked, Content, number};
use crate::problem::Problem;
use crate::{period, statistics};

/// What has to be known of bounces and durations, which are not told.
pub const OF_BOUNCES: Note = Note::Entered;

/// How many periods are looked at if no days are named.
const USUAL: i64 = 12;

/// Days cut into periods, by which people are cohorts.
#[derive(Debug, Clone)]
pub struct Periods {
    /// How long they are.
    pub every: Every,
    /// Each of them; the first and the last may be shorter.
    pub all: Vec<Dates>,
    today: Date,
}

impl Periods {
    /// Those of days that have begun: of a period in words, or the last twelve.
    ///
    /// # Errors
    /// What is wrong, and how to write it.
    pub fn of(every: Every, text: Option<&str>, today: Date) -> Result<Periods, String> {
        let days = match text {
            Some(text) => period::of(text, today)?.days(),
            None => Periods::usual(every, today).ok_or("there are no such days")?,
        };
        let Dates { from, until } = days;
        let all = every.periods(Dates { from, until: until.min(today) });
        match all.len() {
            0 => Err("these days have not begun".to_owned()),
            count if count > PERIODS_MAX => Err(format!(
                "these days are {count} periods, and at most {PERIODS_MAX} are looked at: choose fewer days, or {}",
                if every == Every::Day { "week" } else { "month" }
            )),
            _ => Ok(Periods { every, all, today }),
        }
    }

    fn usual(every: Every, today: Date) -> Option<Dates> {
        let back = match every {
            Every::Day => Span::new().days(USUAL - 1),
            Every::Week => Span::new().weeks(USUAL - 1),
            Every::Month => Span::new().months(USUAL - 1),
        };
        Some(Dates { from: every.begin(today)?.checked_sub(back).ok()?, until: today })
    }

    /// All of their days.
    pub fn days(&self) -> Dates {
        let day = |of: Option<&Dates>, which: fn(&Dates) -> Date| of.map_or(self.today, which);
        Dates { from: day(self.all.first(), |one| one.from), until: day(self.all.last(), |one| one.until) }
    }

    /// The question to segments, of this filter and these classes.
    pub fn question(&self, asked: Query) -> Query {
        let periods = self.all.iter().map(|one| one.from.to_string()).collect();
        Query { dimension: Dimension::Period, periods, has_people: true, limit: usize::MAX, ..asked }
    }

    /// Who came back.
    pub fn retention(&self, found: &Found) -> Retention {
        let names: Vec<String> = self.all.iter().map(|one| one.from.to_string()).collect();
        Retention::of(&names, &found.rows)
    }

    /// Whether a period is over, and has all of its days.
    pub fn is_whole(&self, of: &Dates) -> bool {
        self.every.begin(of.from) == Some(of.from)
            && self.every.end(of.until) == Some(of.until)
            && of.until < self.today
    }

    /// The members of an answer that tell it.
    pub fn json(&self, found: &Retention) -> Value {
        let head = |of: &Dates| json!({ "from": of.from.to_string(), "until": of.until.to_string(), "is_whole": self.is_whole(of) });
        let period = |(of, stay): (&Dates, &alt_statistics::query::Stay)| {
            let mut told = head(of);
            told["people"] = number(stay.people);
            told["new"] = number(stay.new);
            told["returning"] = number(stay.returning);
            told["churned"] = number(stay.churned);
            told
        };
        let cohort = |(of, came): (&Dates, &Vec<u64>)| {
            let mut told = head(of);
            told["size"] = number(came.first().copied().unwrap_or(0));
            told["people"] = came.iter().map(|people| number(*people)).collect();
            told
        };
        json!({
            "by": self.every.name(),
            "people": number(found.people),
            "periods": self.all.iter().zip(&found.periods).map(period).collect::<Vec<_>>(),
            "cohorts": self.all.iter().zip(&found.cohorts).map(cohort).collect::<Vec<_>>(),
        })
    }

    /// RFC 4180: a line for each cohort and period.
    pub fn csv(&self, found: &Retention) -> String {
        let mut table = "cohort,size,after,period,people\r\n".to_owned();
        for (first, came) in found.cohorts.iter().enumerate() {
            let size = came.first().copied().unwrap_or(0);
            for (after, people) in came.iter().enumerate() {
                let [cohort, period] =
                    [first, first + after].map(|n| self.all.get(n).map(|one| one.from.to_string()));
                let (cohort, period) = (cohort.unwrap_or_default(), period.unwrap_or_default());
                table += &format!("{cohort},{size},{after},{period},{people}\r\n");
            }
        }
        table
    }
}

/// Answers it.
pub(crate) async fn retention(web: &Web, asked: &Asked) -> Result<Answer, Problem> {
    let (db, app) = (asked.db()?, asked.app()?);
    let zone = TimeZone::get(&app.time_zone).unwrap_or(TimeZone::UTC);
    let today = Timestamp::now().to_zoned(zone).date();
    let every = asked.parameter("by").map_or(Some(Every::Week), Every::named);
    let every = every.ok_or_else(|| Problem::bad("by is day, week or month"))?;
    let periods = Periods::of(every, asked.parameter("period"), today).map_err(Problem::bad)?;
    let goals = goals::of(db, app.id).await?;
    let filter = statistics::filter(asked, &asked.all("filter").collect::<Vec<&str>>()).await?;
    if let Some(name) = filter.as_ref().and_then(|filter| filter.unknown_goal(&goals)) {
        return Err(Problem::bad(format!("there is no goal {name:?}; GET /api/v1/goals lists them")));
    }
    let class = asked.parameter("class").unwrap_or("human");
    let query = periods.question(Query {
        filter,
        classes: vec![class.to_owned()],
        domains: app.domains.clone(),
        goals,
        bound: asked.bound()?,
        ..Query::default()
    });
    let days = periods.days();
    let mut answers = web.segments.ask(db, app.id, days, vec![query], None).await?;
    let mut answer = answers.pop().ok_or_else(Problem::defect)?;
    answer.notes.retain(|note| *note != OF_BOUNCES);
    let found = periods.retention(&answer);
    if asked.is_csv {
        return Ok(Answer::of(Content::Csv(periods.csv(&found))));
    }
    let behind = segments::behind(db, app.id, days.from, days.until).await?;
    let left_out: Vec<Value> = answer
        .left_out
        .iter()
        .map(|(class, events)| json!({ "class": class, "events": number(*events) }))
        .collect();
    let mut told = periods.json(&found);
    told["application"] = json!({ "id": app.key, "name": app.name, "time_zone": app.time_zone });
    told["period"] = json!({
        "from": days.from.to_string(),
        "until": days.until.to_string(),
        "is_over": days.until < today,
    });
    told["class"] = json!(class);
    told["as_of"] = json!(behind.as_of);
    told["is_partial"] = json!(behind.without > 0 || behind.imported > 0);
    told["notes"] = answer.notes.iter().map(|note| statistics::note(*note)).collect();
    told["left_out"] = json!(left_out);
    Ok(Answer::json(told))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(every: Every, text: Option<&str>, today: &str) -> String {
        let periods = Periods::of(every, text, today.parse().unwrap()).unwrap();
        let one = |of: &Dates| {
            let whole = if periods.is_whole(of) { "" } else { " cut" };
            format!("{}..{}{whole}", of.from, of.until)
        };
        periods.all.iter().map(one).collect::<Vec<_>>().join(", ")
    }

    #[test]
    fn periods_begin_with_the_week_or_the_month_and_are_cut_to_the_days() {
        // 2026-03-04 is a Wednesday.
        assert_eq!(
            told(Every::Week, Some("2026-02-25..2026-03-20"), "2026-03-04"),
            "2026-02-25..2026-03-01 cut, 2026-03-02..2026-03-04 cut"
        );
        assert_eq!(told(Every::Week, Some("2026-02-23..2026-03-01"), "2026-03-04"), "2026-02-23..2026-03-01");
        assert_eq!(
            told(Every::Month, Some("2026-01-31..2026-02-28"), "2026-03-04"),
            "2026-01-31..2026-01-31 cut, 2026-02-01..2026-02-28"
        );
        assert_eq!(
            told(Every::Day, Some("2d"), "2026-03-01"),
            "2026-02-28..2026-02-28, 2026-03-01..2026-03-01 cut"
        );
        for every in [Every::Day, Every::Week, Every::Month] {
            let periods = Periods::of(every, None, "2026-03-31".parse().unwrap()).unwrap();
            assert_eq!(periods.all.len(), 12, "{every:?}");
            assert!(periods.all[..11].iter().all(|one| periods.is_whole(one)), "{every:?}");
        }
    }

    #[test]
    fn too_many_periods_are_refused_with_what_to_do() {
        let today = "2026-03-04".parse().unwrap();
        assert_eq!(Periods::of(Every::Day, Some("90d"), today).unwrap().all.len(), 90);
        assert!(Periods::of(Every::Day, Some("91d"), today).unwrap_err().contains("or week"));
        assert!(Periods::of(Every::Week, Some("900d"), today).unwrap_err().contains("or month"));
        assert!(
            Periods::of(Every::Day, Some("2026-03-05..2026-03-06"), today).unwrap_err().contains("not begun")
        );
    }
}
