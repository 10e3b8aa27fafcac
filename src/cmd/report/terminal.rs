//! The report for a terminal.

use super::summary::{Ranked, Report, Value};
use super::words::{self, number, percent, size};
use crate::cmd::{Out, show};

/// How many values of a list are shown.
const SHOWN: usize = 10;

/// The longest text of a list, characters.
const TEXT: usize = 60;

/// The heights of a point in the graph.
const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// The most points of the graph.
const POINTS: usize = 80;

/// Prints the report.
///
/// # Errors
/// The output is closed.
pub(super) fn print(report: &Report, out: Out<'_>) -> anyhow::Result<()> {
    writeln!(out, "{}", show::safe(&words::title(report)))?;
    writeln!(out, "{}\n", show::safe(&words::period(report)))?;
    people(report, out)?;
    for (title, dimension) in words::LISTS {
        list(title, report.list(dimension), out)?;
    }
    server(report, out)?;
    robots(report, out)?;
    lines(report, out)
}

fn people(report: &Report, out: Out<'_>) -> anyhow::Result<()> {
    let mut rows = show::Rows::new(&["people", ">"]);
    for (name, value) in words::tiles(report) {
        rows.add(&[name.to_lowercase(), value]);
    }
    rows.print(out)?;
    for (name, of) in words::CURVES {
        let points: Vec<u64> = report.graph.iter().map(of).collect();
        if points.iter().any(|n| *n > 0) {
            writeln!(out, "{:<12}{}", name.to_lowercase(), sparkline(&points))?;
        }
    }
    if let (Some(first), Some(last)) = (report.graph.first(), report.graph.last())
        && report.graph.len() > 1
    {
        writeln!(out, "{:<12}{} … {}", "", show::safe(&first.at), show::safe(&last.at))?;
    }
    Ok(())
}

/// A row of bars. Where there are too many points, several are one bar.
fn sparkline(points: &[u64]) -> String {
    let sums: Vec<u64> =
        points.chunks(points.len().div_ceil(POINTS).max(1)).map(|some| some.iter().sum()).collect();
    let most = sums.iter().copied().max().unwrap_or(0).max(1);
    let bar = |n: u64| match n {
        0 => ' ',
        n => BARS[usize::try_from(n * 8 / most).unwrap_or(0).clamp(1, 8) - 1],
    };
    sums.into_iter().map(bar).collect()
}

/// A text for a table.
fn short(text: &str) -> String {
    let text = show::safe(text);
    match text.char_indices().nth(TEXT) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.into_owned(),
    }
}

fn list(title: &str, values: &[Value], out: Out<'_>) -> anyhow::Result<()> {
    if values.iter().all(|value| value.value.is_empty()) {
        return Ok(());
    }
    writeln!(out)?;
    let mut rows = show::Rows::new(&[&title.to_lowercase(), ">visitors", ">sessions", ">page views"]);
    for value in values.iter().take(SHOWN) {
        let name = short(words::known(&value.value));
        rows.add(&[name, number(value.visitors), number(value.sessions), number(value.page_views)]);
    }
    rows.print(out)
}

fn ranked(title: &str, ranked: &Ranked, out: Out<'_>) -> anyhow::Result<()> {
    if ranked.values.is_empty() {
        return Ok(());
    }
    let is_timed = ranked.values.iter().any(|value| value.mean_ms.is_some());
    writeln!(out)?;
    let mut header = vec![title, ">requests", ">bytes"];
    header.extend(is_timed.then_some(">mean ms"));
    let mut rows = show::Rows::new(&header);
    for value in ranked.values.iter().take(SHOWN) {
        let mut cells = vec![short(&value.value), number(value.requests), size(value.bytes)];
        if is_timed {
            cells.push(value.mean_ms.map(number).unwrap_or_default());
        }
        rows.add(&cells);
    }
    rows.print(out)
}

fn server(report: &Report, out: Out<'_>) -> anyhow::Result<()> {
    let Some(server) = &report.server else { return Ok(()) };
    writeln!(out, "\nrequests    {}, {}", number(server.requests), size(server.bytes))?;
    let statuses: Vec<String> = server
        .statuses
        .iter()
        .map(|status| {
            format!("{} {} ({})", status.name, number(status.count), percent(status.count, server.requests))
        })
        .collect();
    show::wrapped("status      ", &statuses, ", ", out)?;
    if let Some(times) = &server.response_times {
        writeln!(
            out,
            "response    median {} ms, 90 % {} ms, 95 % {} ms, 99 % {} ms, longest {} ms",
            number(times.p50),
            number(times.p90),
            number(times.p95),
            number(times.p99),
            number(times.max)
        )?;
    }
    ranked("requested", &server.paths, out)?;
    ranked("not found (404)", &server.not_found, out)?;
    if server.hosts.values.len() > 1 {
        ranked("hosts", &server.hosts, out)?;
    }
    Ok(())
}

fn robots(report: &Report, out: Out<'_>) -> anyhow::Result<()> {
    writeln!(out)?;
    let classes: Vec<String> = report
        .classes
        .iter()
        .map(|class| {
            format!("{} {} ({})", class.name, number(class.count), percent(class.count, report.hits))
        })
        .collect();
    if !classes.is_empty() {
        show::wrapped("traffic     ", &classes, ", ", out)?;
    }
    ranked("crawlers", &report.crawlers, out)?;
    ranked("crawlers of language models", &report.ai_crawlers, out)?;
    ranked("other programs", &report.programs, out)
}

fn lines(report: &Report, out: Out<'_>) -> anyhow::Result<()> {
    writeln!(
        out,
        "\nlines       {} ({} in {:.1} s)",
        number(report.lines),
        size(report.read_bytes),
        report.seconds
    )?;
    if report.filtered > 0 {
        writeln!(out, "left out    {} of another time", number(report.filtered))?;
    }
    for kind in &report.non_hits {
        writeln!(out, "no hits     {} ({})", number(kind.count), show::safe(&kind.name))?;
    }
    for reject in &report.rejects {
        writeln!(out, "rejected    {} ({}: {})", number(reject.lines), reject.reason, reject.meaning)?;
    }
    Ok(())
}
