//! Compares the ways that the segments of a day tell, journeys and a funnel, with plain SQL.

use std::collections::{BTreeMap, BTreeSet};

use alt_statistics::day::Counts;
use alt_statistics::query::{self, Dimension, Funnel, Goal, Means, Note, Part, Query, STEPS_MAX, Within};
use anyhow::anyhow;
use tokio_postgres::Client;

use super::Difference;
use super::differ::{Key, differ};
use crate::naive::{self, Value};
use crate::stats::days::AppDay;
use crate::stats::replace::{Begun, SMALL};

/// What plain SQL counts.
type Wanted = BTreeMap<Key, Counts>;

/// The segments of a day, and what is asked of them.
pub(super) struct Ways<'a> {
    pub(super) of: AppDay,
    pub(super) begun: &'a Begun,
    pub(super) parts: &'a [Part<'a>],
    pub(super) goals: &'a [Goal],
    /// The rows of the day.
    pub(super) rows: i64,
}

impl Ways<'_> {
    /// Adds the differences to `differences`, and returns how many values were compared.
    ///
    /// # Errors
    /// The database cannot be asked, or a segment is broken.
    pub(super) async fn compare(
        &self,
        client: &Client,
        classes: &BTreeSet<String>,
        differences: &mut Vec<Difference>,
    ) -> anyhow::Result<usize> {
        let (app, times) = (self.of.app, self.begun.from..self.begun.until);
        let domains = &self.begun.domains;
        let journeys = by_key(naive::journeys(client, app, times.clone(), domains).await?, "");
        let mut compared = 0;
        for (name, dimension) in
            [("previous_page", Dimension::PreviousPage), ("next_page", Dimension::NextPage)]
        {
            compared += self.differ(name, dimension, None, &journeys, classes, differences)?;
        }
        for funnel in self.funnels()? {
            let name = match (funnel.within, funnel.is_strict) {
                (Within::Session, true) => "funnel within a session, strict",
                (Within::Session, false) => "funnel within a session",
                (Within::Day, _) => "funnel within a day",
            };
            let wanted = by_key(naive::funnel(client, app, times.clone(), domains, &funnel).await?, name);
            compared += self.differ(name, Dimension::Funnel, Some(&funnel), &wanted, classes, differences)?;
        }
        Ok(compared)
    }

    /// Funnels of any page and the goals of the application in their order; of any two pages where there is no goal. Plain SQL
    /// looks at every way through the steps, which takes too long for large days unless steps follow strictly.
    fn funnels(&self) -> anyhow::Result<Vec<Funnel>> {
        let mut steps = vec!["page *".to_owned()];
        let plain = self.goals.iter().filter(|goal| goal.conditions.is_empty());
        steps.extend(plain.map(|goal| format!("goal {}", goal.name)).take(STEPS_MAX - 1));
        if steps.len() == 1 {
            steps.push("page *".to_owned());
        }
        let steps: Vec<&str> = steps.iter().map(String::as_str).collect();
        let ways = [(Within::Session, true), (Within::Session, false), (Within::Day, false)];
        let ways = ways.into_iter().filter(|(_, is_strict)| *is_strict || self.rows <= SMALL);
        let read = |(within, is_strict)| Funnel::read(&steps, within, is_strict, self.goals);
        ways.map(|way| read(way).map_err(|why| anyhow!(why))).collect()
    }

    /// Compares a dimension; returns how many values were compared.
    fn differ(
        &self,
        name: &str,
        dimension: Dimension,
        funnel: Option<&Funnel>,
        wanted: &Wanted,
        classes: &BTreeSet<String>,
        differences: &mut Vec<Difference>,
    ) -> anyhow::Result<usize> {
        let mut compared = 0;
        for class in classes {
            let query = Query {
                dimension,
                classes: vec![class.clone()],
                limit: usize::MAX,
                funnel: funnel.cloned(),
                ..Query::default()
            };
            let answer = query::run(&query, self.parts, &Means::default())?;
            // Segments of earlier versions do not tell all of it.
            if answer.notes.iter().any(|note| matches!(note, Note::Other | Note::Seconds)) {
                continue;
            }
            let got: BTreeMap<&str, Counts> =
                answer.rows.iter().map(|row| (row.value.as_str(), row.tally.counts)).collect();
            let of_list = wanted.keys().filter(|key| key.0 == *class && key.1 == name);
            let values: BTreeSet<&str> =
                got.keys().copied().chain(of_list.map(|key| key.2.as_str())).collect();
            for value in values {
                let key = (class.clone(), name.to_owned(), value.to_owned());
                let of = |counts: Option<&Counts>| Some((*counts?, String::new()));
                let one = of(got.get(value).filter(|counts| **counts != Counts::default()));
                differ(&key, one.as_ref(), of(wanted.get(&key)).as_ref(), differences);
                compared += 1;
            }
        }
        Ok(compared)
    }
}

/// By class, dimension and value. `name`: of the dimension, if it is another one.
fn by_key(values: Vec<Value>, name: &str) -> Wanted {
    let named = |dimension: String| if name.is_empty() { dimension } else { name.to_owned() };
    values.into_iter().map(|one| ((one.class, named(one.dimension), one.value), one.counts)).collect()
}
