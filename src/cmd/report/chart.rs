//! The graphs of the page, as SVG without a script.

use std::fmt::Write as _;

use super::summary::Point;
use super::words::{escaped, number};

/// The graph's size, and the room for its axes.
const WIDTH: f64 = 1080.0;
const HEIGHT: f64 = 260.0;
const LEFT: f64 = 46.0;
const TOP: f64 = 12.0;
const BOTTOM: f64 = 26.0;

/// The most names below the axis.
const NAMES: usize = 9;

/// A round number that is not below the greatest value, for the top of the axis, and its fourth part.
fn scale(most: u64) -> u64 {
    let mut unit: u64 = 1;
    loop {
        for step in [4, 8, 12, 20, 32] {
            let top = unit.saturating_mul(step);
            if top >= most {
                return top;
            }
        }
        unit = unit.saturating_mul(10);
    }
}

/// `1.5k`, `20M`
#[allow(clippy::cast_precision_loss)] // for people to read
fn short(n: u64) -> String {
    let (value, unit) = match n {
        ..1_000 => return n.to_string(),
        1_000..1_000_000 => (n as f64 / 1e3, "k"),
        1_000_000..1_000_000_000 => (n as f64 / 1e6, "M"),
        _ => (n as f64 / 1e9, "G"),
    };
    let text = format!("{value:.1}");
    format!("{}{unit}", text.strip_suffix(".0").unwrap_or(&text))
}

/// What an axis says of a point: `31 Jan`, `07:00`, `Jan 2026`.
fn axis_name(at: &str) -> String {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let (date, hour) = at.split_once('T').map_or((at, None), |(date, hour)| (date, Some(hour)));
    let mut parts = date.split('-');
    let (year, month, day) = (parts.next(), parts.next(), parts.next());
    let month = month
        .and_then(|month| month.parse::<usize>().ok())
        .and_then(|month| MONTHS.get(month.checked_sub(1)?));
    match (hour, year, month, day) {
        (Some("00"), _, Some(month), Some(day)) => format!("{} {month}", day.trim_start_matches('0')),
        (Some(hour), ..) => format!("{hour}:00"),
        (None, _, Some(month), Some(day)) => format!("{} {month}", day.trim_start_matches('0')),
        (None, Some(year), Some(month), None) => format!("{month} {year}"),
        _ => at.to_owned(),
    }
}

/// A curve over time with the area below it. A point says its number where a pointer is over it.
#[allow(clippy::cast_precision_loss)] // places on a screen
pub(super) fn curve(points: &[Point], of: fn(&Point) -> u64, title: &str) -> String {
    if points.is_empty() {
        return "<p class=\"empty\">No hits.</p>".to_owned();
    }
    let top = scale(points.iter().map(of).max().unwrap_or(0));
    let step = (WIDTH - LEFT - 10.0) / (points.len().max(2) - 1) as f64;
    let floor = HEIGHT - BOTTOM;
    let x = |at: usize| {
        if points.len() == 1 { f64::midpoint(LEFT, WIDTH) } else { LEFT + 5.0 + step * at as f64 }
    };
    let y = |n: u64| floor - (floor - TOP) * n as f64 / top as f64;
    let mut svg =
        format!("<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{}\">", escaped(title));
    for part in 0..=4 {
        let n = top / 4 * part;
        let at = y(n);
        let _ = write!(
            svg,
            "<line class=\"axis\" x1=\"{LEFT}\" x2=\"{WIDTH}\" y1=\"{at:.1}\" y2=\"{at:.1}\"/>\
             <text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            LEFT - 8.0,
            at + 4.0,
            short(n)
        );
    }
    let mut line = String::new();
    for (at, point) in points.iter().enumerate() {
        let _ = write!(line, "{}{:.1} {:.1}", if at == 0 { 'M' } else { 'L' }, x(at), y(of(point)));
    }
    let _ = write!(
        svg,
        "<path class=\"area\" d=\"{line}L{:.1} {floor}L{:.1} {floor}Z\"/><path class=\"curve\" d=\"{line}\"/>",
        x(points.len() - 1),
        x(0)
    );
    if let [one] = points {
        let _ = write!(svg, "<circle class=\"dot\" cx=\"{:.1}\" cy=\"{:.1}\" r=\"4\"/>", x(0), y(of(one)));
    }
    let every = points.len().div_ceil(NAMES);
    for (at, point) in points.iter().enumerate() {
        let name = escaped(&point.at.replace('T', " "));
        let _ = write!(
            svg,
            "<rect class=\"hit\" x=\"{:.1}\" y=\"{TOP}\" width=\"{:.1}\" height=\"{:.1}\"><title>{name}: {}</title></rect>",
            x(at) - step / 2.0,
            step,
            floor - TOP,
            number(of(point))
        );
        if at % every == 0 {
            let (anchor, place) = if at == 0 { ("start", x(at) - 5.0) } else { ("middle", x(at)) };
            let _ = write!(
                svg,
                "<text x=\"{place:.1}\" y=\"{:.1}\" text-anchor=\"{anchor}\">{}</text>",
                HEIGHT - 6.0,
                escaped(&axis_name(&point.at))
            );
        }
    }
    svg.push_str("</svg>");
    svg
}

/// Columns for the hours of a day, by page views; where there are none, by requests.
#[allow(clippy::cast_precision_loss)] // places on a screen
pub(super) fn columns(hours: &[Point]) -> String {
    let has_views = hours.iter().any(|hour| hour.page_views > 0);
    let of = |hour: &Point| if has_views { hour.page_views } else { hour.requests };
    let what = if has_views { "page views" } else { "requests" };
    let top = scale(hours.iter().map(of).max().unwrap_or(0));
    let (wide, high) = (1080.0, 150.0);
    let step = wide / hours.len().max(1) as f64;
    let mut svg = format!("<svg viewBox=\"0 0 {wide} {high}\" role=\"img\" aria-label=\"Hours of the day\">");
    for (at, hour) in hours.iter().enumerate() {
        let height = (high - 24.0) * of(hour) as f64 / top as f64;
        let x = step * at as f64;
        let _ = write!(
            svg,
            "<rect class=\"column\" x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{height:.1}\" rx=\"3\">\
             <title>{}:00: {} {what}, {} visitors</title></rect>",
            x + step * 0.14,
            high - 20.0 - height,
            step * 0.72,
            hour.at,
            number(of(hour)),
            number(hour.visitors)
        );
        if at % 3 == 0 {
            let _ = write!(
                svg,
                "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
                x + step / 2.0,
                high - 4.0,
                hour.at
            );
        }
    }
    svg.push_str("</svg>");
    svg
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_axis_has_round_numbers_above_all() {
        for (most, top) in [(0, 4), (1, 4), (5, 8), (13, 20), (21, 32), (33, 40), (99_999, 120_000)] {
            assert_eq!(scale(most), top, "{most}");
        }
        assert!(scale(u64::MAX) > 0);
        assert_eq!([short(7), short(1500), short(2_000_000)], ["7", "1.5k", "2M"]);
        let names = ["2026-01-31", "2026-01-31T07", "2026-02-03T00", "2026-11", "07"].map(axis_name);
        assert_eq!(names, ["31 Jan", "07:00", "3 Feb", "Nov 2026", "07"]);
    }
}
