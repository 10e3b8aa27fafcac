//! `alt rejects list`: the quarantine, the newest first.

use alt_config::Config;
use alt_line::hit::Micros;
use alt_process::clock;
use alt_store::migrate;
use anyhow::Context;
use serde::Serialize;
use tokio_postgres::Client;
use tokio_postgres::types::{ToSql, Type};

use crate::cli;
use crate::cmd::{Out, Outcome, show};

#[derive(Serialize)]
struct Span {
    file: Option<String>,
    host: Option<String>,
    offset: i64,
    bytes: i64,
    lines: i32,
    reason: String,
    detail: Option<String>,
    occurred_at: Option<String>,
    event_id: Option<String>,
    rejected_at: String,
    raw: Option<String>,
}

/// Lists them, the newest first.
pub(super) async fn list(
    config: &Config,
    args: &cli::RejectsList,
    since: Option<Micros>,
    out: Out<'_>,
) -> anyhow::Result<Outcome> {
    let client = crate::cmd::connect(config).await?;
    migrate::check_compatible(&client).await?;
    let spans = select(&client, args, since).await?;
    if args.json {
        show::json(out, &spans)?;
    } else if spans.is_empty() {
        writeln!(out, "no rejects")?;
    } else {
        print(&spans, out)?;
    }
    Ok(Outcome::Done)
}

async fn select(
    client: &Client,
    args: &cli::RejectsList,
    since: Option<Micros>,
) -> anyhow::Result<Vec<Span>> {
    let sql = include_str!("../../../sql/rejects.sql");
    let since = since.map(clock::system_time);
    let limit = i64::from(args.limit);
    let parameters: [(&(dyn ToSql + Sync), Type); 4] = [
        (&args.reason, Type::TEXT),
        (&args.file, Type::TEXT),
        (&since, Type::TIMESTAMPTZ),
        (&limit, Type::INT8),
    ];
    let rows = client.query_typed(sql, &parameters).await.context("read the rejects")?;
    Ok(rows
        .iter()
        .map(|row| Span {
            file: row.get(0),
            host: row.get(1),
            offset: row.get(2),
            bytes: row.get(3),
            lines: row.get(4),
            reason: row.get(5),
            detail: row.get(6),
            occurred_at: row.get(7),
            event_id: row.get(8),
            rejected_at: row.get(9),
            raw: row.get::<_, Option<&[u8]>>(10).map(|raw| String::from_utf8_lossy(raw).into_owned()),
        })
        .collect())
}

fn print(spans: &[Span], out: Out<'_>) -> anyhow::Result<()> {
    let mut rows =
        show::Rows::new(&["rejected (UTC)", "reason", ">lines", "file", ">offset", "detail", "first line"]);
    for span in spans {
        let raw = span.raw.as_deref().unwrap_or("");
        let cut: String = raw.chars().take(80).collect();
        let cut = if cut.len() < raw.len() { cut + "…" } else { cut };
        rows.add(&[
            span.rejected_at.clone(),
            span.reason.clone(),
            show::number(i64::from(span.lines)),
            span.file.clone().unwrap_or_default(),
            span.offset.to_string(),
            span.detail.clone().unwrap_or_default(),
            cut,
        ]);
    }
    rows.print(out)
}
