//! `alt stats performance`: how fast and how well the pages of a server's log are answered.

use alt_config::Config;
use alt_statistics::query::{self, Answered, Means, PERCENTILES, Performance, Served};
use alt_store::stats::segments::Behind;
use serde_json::{Value, json};

use super::asked::{Asked, number};
use super::field;
use crate::cli;
use crate::cmd::{Out, Outcome, show};

/// Shows the requests of a period by page.
///
/// # Errors
/// The database cannot be asked, or the arguments are not correct.
pub(super) async fn run(
    config: &Config,
    args: &cli::StatsPerformance,
    out: Out<'_>,
) -> anyhow::Result<Outcome> {
    let of = Asked::read(config, &args.of, &[]).await?;
    let minutes = minutes(&of)?;
    let asked = Performance { classes: vec![args.of.class.clone()], limit: args.limit };
    let answer = query::performance(&asked, &of.parts(), &Means::default())?;
    let notes = notes(&answer, &of.behind);
    match (args.json, args.csv) {
        (true, _) => show::json(out, &as_json(&of, minutes, &answer, &notes))?,
        (false, true) => csv(&answer, minutes, out)?,
        (false, false) => print(&answer, minutes, &notes, out)?,
    }
    Ok(Outcome::Done)
}

/// The minutes from a period's first moment to its end or to now.
fn minutes(of: &Asked) -> anyhow::Result<f64> {
    let first = of.period.from.to_zoned(of.zone.clone())?.timestamp();
    let end = of.period.until.tomorrow()?.to_zoned(of.zone.clone())?.timestamp().min(of.now);
    Ok(end.duration_since(first).as_secs_f64().max(60.0) / 60.0)
}

/// What a reader has to know of the numbers.
fn notes(answer: &Answered, behind: &Behind) -> Vec<String> {
    let mut notes = Vec::new();
    if answer.has_other {
        notes.push("some paths had no room of their own: they are (other)".to_owned());
    }
    if answer.total.busiest.is_none() {
        notes.push(
            "an earlier version computed some days, without minutes: `alt stats rebuild` computes them again"
                .to_owned(),
        );
    }
    notes.extend(behind.notes());
    notes
}

#[allow(clippy::cast_precision_loss)] // shown
fn a_minute(served: &Served, minutes: f64) -> f64 {
    served.requests as f64 / minutes
}

fn print(answer: &Answered, minutes: f64, notes: &[String], out: Out<'_>) -> anyhow::Result<()> {
    let mut rows = show::Rows::new(&[
        "",
        ">requests",
        ">5xx",
        ">4xx",
        ">p50 ms",
        ">p95 ms",
        ">p99 ms",
        ">a minute",
        ">most",
    ]);
    let mut add = |name: &str, served: &Served| {
        let [p50, p95, p99] =
            served.percentiles.map_or_else(Default::default, |all| all.map(|ms| number(ms.into())));
        rows.add(&[
            name.to_owned(),
            number(served.requests),
            number(served.server_errors),
            number(served.client_errors),
            p50,
            p95,
            p99,
            format!("{:.1}", a_minute(served, minutes)),
            served.busiest.map(number).unwrap_or_default(),
        ]);
    };
    add("total", &answer.total);
    answer.pages.iter().for_each(|page| add(&page.path, page));
    rows.print(out)?;
    if answer.pages.len() < answer.count {
        writeln!(out, "{} of {} pages: --limit shows more", answer.pages.len(), answer.count)?;
    }
    for note in notes {
        writeln!(out, "{note}")?;
    }
    Ok(())
}

fn object(served: &Served, minutes: f64) -> Value {
    let mut object = json!({
        "requests": served.requests,
        "server_errors": served.server_errors,
        "client_errors": served.client_errors,
        "timed": served.timed,
        "requests_a_minute": a_minute(served, minutes),
        "busiest_minute": served.busiest,
    });
    for (n, share) in PERCENTILES.iter().enumerate() {
        object[format!("p{share}_ms")] = json!(served.percentiles.map(|all| all[n]));
    }
    object
}

fn as_json(of: &Asked, minutes: f64, answer: &Answered, notes: &[String]) -> Value {
    let page = |served: &Served| {
        let mut object = object(served, minutes);
        object["page"] = json!(served.path);
        object
    };
    let mut shown = of.head();
    shown["total"] = object(&answer.total, minutes);
    shown["pages"] = answer.pages.iter().map(page).collect();
    shown["count"] = json!(answer.count);
    shown["notes"] = json!(notes);
    shown
}

/// One line for each page.
fn csv(answer: &Answered, minutes: f64, out: Out<'_>) -> anyhow::Result<()> {
    writeln!(
        out,
        "page,requests,server_errors,client_errors,timed,p50_ms,p95_ms,p99_ms,requests_a_minute,busiest_minute"
    )?;
    for page in &answer.pages {
        let percentiles = page.percentiles.map_or_else(Default::default, |all| all.map(|ms| ms.to_string()));
        writeln!(
            out,
            "{},{},{},{},{},{},{:.3},{}",
            field(&page.path),
            page.requests,
            page.server_errors,
            page.client_errors,
            page.timed,
            percentiles.join(","),
            a_minute(page, minutes),
            page.busiest.map(|most| most.to_string()).unwrap_or_default(),
        )?;
    }
    Ok(())
}
