//! Compares what the segments of a day say, of single events, of goals and of ways, with plain SQL.

use std::collections::{BTreeMap, BTreeSet};

use alt_statistics::day::Counts;
use alt_statistics::query::{self, Answer, Dimension, Goal, Means, Note, Part, Property, Query};
use anyhow::Context;
use tokio_postgres::Client;
use tokio_postgres::types::{ToSql, Type};

use super::Difference;
use super::differ::{Key, differ};
use super::people;
use super::ways::Ways;
use crate::naive;
use crate::stats::days::AppDay;
use crate::stats::replace::Begun;
use crate::stats::segments;
use crate::web::goals;

/// Counts, and amounts as text.
type Said = BTreeMap<Key, (Counts, String)>;

/// Adds the differences of a day to `differences`, and returns how many values are equal. A day whose segments are older than
/// its statistics, or tell nothing of this kind, has none.
///
/// # Errors
/// The database cannot be asked, or a segment is broken.
pub(super) async fn compare(
    client: &Client,
    of: AppDay,
    begun: &Begun,
    differences: &mut Vec<Difference>,
) -> anyhow::Result<usize> {
    let AppDay { app, day } = of;
    let Some(rows) = current_rows(client, of).await? else { return Ok(0) };
    let stored = segments::load(client, app, day, day).await?;
    let parts: Vec<Part<'_>> =
        stored.iter().map(|stored| Part { day: &stored.day, segment: &stored.segment }).collect();
    let mut goals = goals::of(client, app).await?;
    goals.retain(naive::knows);
    let times = begun.from..begun.until;
    let mut wanted = Said::new();
    for one in naive::said(client, app, times, &begun.properties, "", &goals).await? {
        let value = one.value;
        wanted.insert((value.class, value.dimension, value.value), (value.counts, one.amounts));
    }
    let classes: BTreeSet<String> = wanted.keys().map(|key| key.0.clone()).collect();
    let mut equal = 0;
    for (name, dimension) in dimensions(&begun.properties) {
        for class in &classes {
            let list = (class.as_str(), name.as_str());
            let Some(got) = asked(&parts, dimension, class, &goals)? else { continue };
            let of_list = |key: &&Key| (key.0.as_str(), key.1.as_str()) == list;
            let values: BTreeSet<&str> = wanted
                .keys()
                .filter(of_list)
                .map(|key| key.2.as_str())
                .chain(got.keys().map(String::as_str))
                .collect();
            for value in values {
                let key = (class.clone(), name.clone(), value.to_owned());
                equal += 1;
                differ(&key, got.get(value), wanted.get(&key), differences);
            }
        }
    }
    equal += people::compare(client, of, begun, &parts, &classes, differences).await?;
    let ways = Ways { of, begun, parts: &parts, goals: &goals, rows };
    Ok(equal + ways.compare(client, &classes, differences).await?)
}

/// The rows of a day whose segments are of the same rows as its statistics.
async fn current_rows(client: &Client, of: AppDay) -> anyhow::Result<Option<i64>> {
    let day = of.day.to_string();
    let sql = "SELECT rows FROM stat_days WHERE app_id = $1 AND day = $2::text::date \
               AND segments_at IS NOT NULL AND segments_generation = generation";
    let parameters: [(&(dyn ToSql + Sync), Type); 2] = [(&of.app, Type::INT4), (&day, Type::TEXT)];
    let row = client.query_typed_opt(sql, &parameters).await.context("look whether segments are current")?;
    Ok(row.map(|row| row.get(0)))
}

/// What is compared, by name.
fn dimensions(properties: &[String]) -> Vec<(String, Dimension)> {
    let known =
        Dimension::ALL.iter().filter(|(_, dimension)| dimension.is_said() || *dimension == Dimension::Goal);
    let known = known.map(|(name, dimension)| ((*name).to_owned(), *dimension));
    let properties = properties.iter().filter_map(|name| Property::named(name)).map(Dimension::Property);
    known.chain(properties.map(|dimension| (dimension.name(), dimension))).collect()
}

/// What the segments say by a dimension; `None`: they do not tell all of it.
fn asked(
    parts: &[Part<'_>],
    dimension: Dimension,
    class: &str,
    goals: &[Goal],
) -> anyhow::Result<Option<BTreeMap<String, (Counts, String)>>> {
    let query = Query {
        dimension,
        classes: vec![class.to_owned()],
        limit: usize::MAX,
        goals: goals.to_vec(),
        has_amounts: true,
        ..Query::default()
    };
    let Answer { rows, notes, .. } = query::run(&query, parts, &Means::default())?;
    if notes.iter().any(|note| matches!(note, Note::Values | Note::Property | Note::Other)) {
        return Ok(None);
    }
    let said = rows.into_iter().map(|row| {
        let amounts = naive::amounts(&row.tally.amounts.unwrap_or_default());
        (row.value, (row.tally.counts, amounts))
    });
    Ok(Some(said.collect()))
}
