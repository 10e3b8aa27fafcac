//! What the page and the terminal call things.

use super::summary::{Point, Report};
use crate::cmd::show;

/// The lists of what people did: title and dimension.
pub(super) const LISTS: [(&str, &str); 14] = [
    ("Sources", "source"),
    ("Channels", "channel"),
    ("Campaigns", "campaign"),
    ("Media", "utm_medium"),
    ("Pages", "page"),
    ("Entry pages", "entry_page"),
    ("Exit pages", "exit_page"),
    ("Countries", "country"),
    ("Languages", "language"),
    ("Browsers", "browser"),
    ("Systems", "os"),
    ("Devices", "device"),
    ("Screens", "screen"),
    ("Events", "event"),
];

/// A curve of the graph: its name, and what it shows of a point.
type Curve = (&'static str, fn(&Point) -> u64);

/// The curves of the graph.
pub(super) const CURVES: [Curve; 3] = [
    ("Visitors", |point| point.visitors),
    ("Page views", |point| point.page_views),
    ("Requests", |point| point.requests),
];

/// The names of the logs.
pub(super) fn title(report: &Report) -> String {
    let name = |path: &String| path.rsplit('/').next().unwrap_or(path).to_owned();
    match report.files.as_slice() {
        [] => "nothing".to_owned(),
        [one] if one == "-" => "standard input".to_owned(),
        [one] => name(one),
        [one, more @ ..] => format!("{} and {} more", name(one), more.len()),
    }
}

/// The time of the hits.
pub(super) fn period(report: &Report) -> String {
    match (&report.first, &report.last) {
        (Some(first), Some(last)) => format!("{first} to {last} ({})", report.time_zone),
        _ => "no hits".to_owned(),
    }
}

/// The six numbers of people.
pub(super) fn tiles(report: &Report) -> [(&'static str, String); 6] {
    let people = &report.people;
    let seconds = (people.duration_seconds + people.sessions / 2).checked_div(people.sessions).unwrap_or(0);
    [
        ("Visitors", number(people.visitors)),
        ("Sessions", number(people.sessions)),
        ("Page views", number(people.page_views)),
        ("Views per session", ratio(people.page_views, people.sessions)),
        ("Bounce rate", percent(people.bounces, people.sessions)),
        ("Duration", duration(seconds)),
    ]
}

/// A value of a dimension, for people.
pub(super) fn known(value: &str) -> &str {
    if value.is_empty() { "(unknown)" } else { value }
}

/// Makes text safe within HTML: between tags, and within quotes.
pub(super) fn escaped(text: &str) -> String {
    let text = show::safe(text);
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

/// `1,234,567`
pub(super) fn number(n: u64) -> String {
    show::number(i64::try_from(n).unwrap_or(i64::MAX))
}

/// `1.25`
#[allow(clippy::cast_precision_loss)] // for people to read
fn ratio(part: u64, of: u64) -> String {
    format!("{:.2}", part as f64 / of.max(1) as f64)
}

/// `12.3 %`
#[allow(clippy::cast_precision_loss)] // for people to read
pub(super) fn percent(part: u64, of: u64) -> String {
    format!("{:.1} %", part as f64 * 100.0 / of.max(1) as f64)
}

/// `2m 05s`
pub(super) fn duration(seconds: u64) -> String {
    match seconds {
        ..60 => format!("{seconds}s"),
        60..3600 => format!("{}m {:02}s", seconds / 60, seconds % 60),
        _ => format!("{}h {:02}m", seconds / 3600, seconds / 60 % 60),
    }
}

/// `1.5 MB`, in powers of 1000.
#[allow(clippy::cast_precision_loss)] // for people to read
pub(super) fn size(bytes: u64) -> String {
    let mut size = bytes as f64;
    for unit in ["B", "kB", "MB", "GB", "TB"] {
        if size < 999.5 {
            return if unit == "B" { format!("{bytes} B") } else { format!("{size:.1} {unit}") };
        }
        size /= 1000.0;
    }
    format!("{size:.1} PB")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_for_people() {
        assert_eq!(
            [size(0), size(999), size(1500), size(2_340_000_000)],
            ["0 B", "999 B", "1.5 kB", "2.3 GB"]
        );
        assert_eq!([duration(59), duration(125), duration(7260)], ["59s", "2m 05s", "2h 01m"]);
        assert_eq!([percent(1, 8), percent(0, 0), ratio(5, 4)], ["12.5 %", "0.0 %", "1.25"]);
    }
}
