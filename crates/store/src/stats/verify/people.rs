//! Compares the people that the segments of a day tell with plain SQL.

use std::collections::{BTreeMap, BTreeSet};

use alt_statistics::query::{self, Dimension, Means, Note, Part, Query};
use anyhow::Context;
use tokio_postgres::Client;

use super::{DIFFERENCES_MAX, Difference, Figure};
use crate::naive::{self, Met};
use crate::stats::days::AppDay;
use crate::stats::replace::{self, Begun};

/// Adds the differences to `differences`, and returns how many values were compared. Segments that were made without the key of
/// user ids tell of nobody.
///
/// # Errors
/// The database cannot be asked, or a segment is broken.
pub(super) async fn compare(
    client: &Client,
    of: AppDay,
    begun: &Begun,
    parts: &[Part<'_>],
    classes: &BTreeSet<String>,
    differences: &mut Vec<Difference>,
) -> anyhow::Result<usize> {
    let mut wanted: BTreeMap<[String; 3], u64> = BTreeMap::new();
    for Met { class, dimension, value, people } in
        naive::people(client, of.app, begun.from..begun.until, &begun.domains).await?
    {
        wanted.insert([class, dimension, value], people);
    }
    let mut compared = 0;
    for class in classes {
        for name in naive::PEOPLE_OF {
            let dimension = Dimension::named(name).context("people are of a dimension")?;
            let query = Query {
                dimension,
                classes: vec![class.clone()],
                limit: usize::MAX,
                domains: begun.domains.clone(),
                has_people: true,
                ..Query::default()
            };
            let answer = query::run(&query, parts, &Means::default())?;
            if answer.notes.iter().any(|note| matches!(note, Note::Other | Note::People)) {
                continue;
            }
            let rows = answer.rows.iter().map(|row| (row.value.as_str(), row.tally.people()));
            let got: BTreeMap<&str, u64> = rows.filter(|(_, people)| *people > 0).collect();
            let of_list = wanted.iter().filter(|(key, _)| key[0] == *class && key[1] == name);
            let wanted: BTreeMap<&str, u64> =
                of_list.map(|([.., value], people)| (value.as_str(), *people)).collect();
            for value in got.keys().chain(wanted.keys()).collect::<BTreeSet<_>>() {
                let [stored, counted] = [&got, &wanted].map(|all| all.get(value).copied().unwrap_or(0));
                compared += 1;
                if stored != counted && differences.len() < DIFFERENCES_MAX {
                    differences.push(Difference {
                        class: class.clone(),
                        dimension: name.to_owned(),
                        value: replace::cut(value).to_owned(),
                        count: "people",
                        stored: Figure::Number(stored),
                        counted: Figure::Number(counted),
                    });
                }
            }
        }
    }
    Ok(compared)
}
