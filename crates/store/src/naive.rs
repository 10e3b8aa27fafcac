//! The statistics of a day by plain SQL over `access_logs`: slow, and independent of the engine, which it is compared
//! with. The definitions stand in docs/STATISTICS.md.

use std::pin::pin;

use alt_line::hit::Micros;
use alt_process::clock::system_time;
use alt_statistics::day::{COUNTS, Counts};
use alt_statistics::{country, source};
use anyhow::Context;
use futures_util::TryStreamExt;
use tokio_postgres::Client;
use tokio_postgres::types::{ToSql, Type};

use crate::stats::counts::columns;

/// The rows of the day by all definitions; what each of [`GROUPS`] selects from.
const ROWS: &str = include_str!("../../../sql/naive_rows.sql");

/// Each group of dimensions. They select the same columns.
const GROUPS: [&str; 4] = [
    include_str!("../../../sql/naive_hour.sql"),
    include_str!("../../../sql/naive_page.sql"),
    include_str!("../../../sql/naive_event.sql"),
    include_str!("../../../sql/naive_session.sql"),
];

/// The requests of pages ([`alt_statistics::query::performance`]): of $1 application, $2 and $3 its first moment and the first
/// behind it, $4 class of traffic.
pub const PERFORMANCE: &str = include_str!("../../../sql/naive_performance.sql");

/// The counts of a value of a dimension.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Value {
    /// `access_logs.traffic_class`.
    pub class: String,
    /// The dimension.
    pub dimension: String,
    /// The value, whole.
    pub value: String,
    /// Its counts.
    pub counts: Counts,
}

/// Passes the counts of every value of a local day of an application on. Nothing is left out for being one of many
/// values. They come by class and dimension, those with the most page views first, then the most events, then by value
/// (byte by byte). Memory is that of one value.
///
/// # Errors
/// The database cannot be asked, or `each` fails.
pub async fn values(
    client: &Client,
    app: i32,
    (from, until): (Micros, Micros),
    domains: &[String],
    mut each: impl FnMut(Value) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let (from, until) = (system_time(from), system_time(until));
    let (countries, zones): (Vec<&str>, Vec<&str>) = country::list().unzip();
    let mut sources: [Vec<&str>; 3] = Default::default();
    for (host, channel, name) in source::list() {
        for (list, text) in sources.iter_mut().zip([host, channel, name]) {
            list.push(text);
        }
    }
    let parameters: [(&(dyn ToSql + Sync), Type); 9] = [
        (&app, Type::INT4),
        (&from, Type::TIMESTAMPTZ),
        (&until, Type::TIMESTAMPTZ),
        (&domains, Type::TEXT_ARRAY),
        (&zones, Type::TEXT_ARRAY),
        (&countries, Type::TEXT_ARRAY),
        (&sources[0], Type::TEXT_ARRAY),
        (&sources[1], Type::TEXT_ARRAY),
        (&sources[2], Type::TEXT_ARRAY),
    ];
    let rows = client.query_typed_raw(&statement(), parameters).await;
    let mut rows = pin!(rows.context("count by plain SQL")?);
    while let Some(row) = rows.try_next().await.context("count by plain SQL")? {
        let mut counts = Counts::default();
        for (n, count) in COUNTS.iter().enumerate() {
            *(count.get_mut)(&mut counts) = row.try_get::<_, i64>(n + 3)?.cast_unsigned();
        }
        each(Value { class: row.try_get(0)?, dimension: row.try_get(1)?, value: row.try_get(2)?, counts })?;
    }
    Ok(())
}

/// Selects class, dimension, value, and each count of [`COUNTS`].
fn statement() -> String {
    let groups = GROUPS.map(|group| format!("({group})"));
    format!(
        "{ROWS} SELECT class, dimension, value, {} FROM ({}) every \
         ORDER BY class, dimension, page_views DESC, events DESC, value COLLATE \"C\"",
        columns(|name| format!("{name}::bigint")),
        groups.join(" UNION ALL ")
    )
}
