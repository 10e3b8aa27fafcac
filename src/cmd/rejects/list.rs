//! `alt rejects list`: the quarantine, the newest first.

use alt_config::Config;
use alt_line::hit::Micros;
use alt_store::migrate;
use alt_store::rejects::{self, Span};

use crate::cli;
use crate::cmd::{Out, Outcome, show};

/// Lists the rejects, the newest first.
pub(super) async fn list(
    config: &Config,
    args: &cli::RejectsList,
    since: Option<Micros>,
    out: Out<'_>,
) -> anyhow::Result<Outcome> {
    let mut reader = crate::cmd::reader(config).await?;
    reader.read(migrate::check_compatible).await?;
    let (reason, file) = (args.reason.as_deref(), args.file.as_deref());
    let spans =
        reader.read(async |client| rejects::newest(client, reason, file, since, args.limit).await).await?;
    if args.json {
        show::json(out, &spans)?;
    } else if spans.is_empty() {
        writeln!(out, "no rejects")?;
    } else {
        print(&spans, out)?;
    }
    Ok(Outcome::Done)
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
