//! The statistics of a day by plain SQL over `access_logs`: slow, and independent of the engine, which it is compared
//! with. The definitions stand in docs/STATISTICS.md.

use std::time::SystemTime;

use alt_statistics::day::{COUNTS, Counts};
use tokio_postgres::Client;
use tokio_postgres::types::Type;

use crate::stats::counts::columns;

/// The rows of the day by all definitions; what each of [`GROUPS`] selects from.
const ROWS: &str = include_str!("../../../sql/naive_rows.sql");

/// Each group of dimensions. They select the same columns.
const GROUPS: [&str; 5] = [
    include_str!("../../../sql/naive_total.sql"),
    include_str!("../../../sql/naive_hour.sql"),
    include_str!("../../../sql/naive_page.sql"),
    include_str!("../../../sql/naive_event.sql"),
    include_str!("../../../sql/naive_session.sql"),
];

/// What the engine's lists hold, for this session.
const LISTS: &str = "CREATE TEMPORARY TABLE naive_zones (zone text, country text);
    CREATE TEMPORARY TABLE naive_sources (host text, channel text, name text)";

/// Makes what [`values`] needs in this session: the countries of zones, and the known sources (host, channel, name).
///
/// # Errors
/// PostgreSQL's.
pub async fn begin(
    client: &Client,
    zones: &[(&str, &str)],
    sources: &[(&str, &str, &str)],
) -> Result<(), tokio_postgres::Error> {
    client.batch_execute(LISTS).await?;
    let (zone, country): (Vec<&str>, Vec<&str>) = zones.iter().copied().unzip();
    let sql = "INSERT INTO naive_zones SELECT * FROM unnest($1::text[], $2::text[])";
    client.execute(sql, &[&zone, &country]).await?;
    let host: Vec<&str> = sources.iter().map(|source| source.0).collect();
    let channel: Vec<&str> = sources.iter().map(|source| source.1).collect();
    let name: Vec<&str> = sources.iter().map(|source| source.2).collect();
    let sql = "INSERT INTO naive_sources SELECT * FROM unnest($1::text[], $2::text[], $3::text[])";
    client.execute(sql, &[&host, &channel, &name]).await?;
    Ok(())
}

/// The counts of every value of a local day of an application: class, dimension, value, counts. Nothing is left out for
/// being one of many values.
///
/// # Errors
/// PostgreSQL's.
pub async fn values(
    client: &Client,
    app: i32,
    (from, until): (SystemTime, SystemTime),
    domains: &[&str],
) -> Result<Vec<(String, String, String, Counts)>, tokio_postgres::Error> {
    let types = [Type::INT4, Type::TIMESTAMPTZ, Type::TIMESTAMPTZ, Type::TEXT_ARRAY];
    let statement = client.prepare_typed(&statement(), &types).await?;
    let rows = client.query(&statement, &[&app, &from, &until, &domains]).await?;
    rows.iter()
        .map(|row| {
            let mut counts = Counts::default();
            for (n, count) in COUNTS.iter().enumerate() {
                *(count.get_mut)(&mut counts) = row.try_get::<_, i64>(n + 3)?.cast_unsigned();
            }
            Ok((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?, counts))
        })
        .collect()
}

/// One statement of all groups, so that they see the same rows.
fn statement() -> String {
    let groups = GROUPS.map(|group| format!("({group})"));
    format!(
        "{ROWS} SELECT class, dimension, value, {} FROM ({}) every",
        columns(|name| format!("{name}::bigint")),
        groups.join(" UNION ALL ")
    )
}
