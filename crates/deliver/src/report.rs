//! A report: the statistics of a day, a week or a month that is over, as JSON, as text, as a page of HTML and as a table.
//!
//! Invariant: what strangers can write (paths, sources, names) stands in it only through `text`.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::payload::cut;
use crate::text::{CHARS_MAX, chat, html, line, web_link};

mod words;

pub use words::Words;

/// The numbers of a report, by their names in the API.
pub const TOTALS: [&str; 6] =
    ["visitors", "sessions", "page_views", "views_per_session", "bounce_rate", "mean_duration_ms"];

/// How each of [`TOTALS`] is written.
const MANNERS: [Manner; 6] =
    [Manner::Whole, Manner::Whole, Manner::Whole, Manner::Fraction, Manner::Percent, Manner::Duration];

#[derive(Debug, Clone, Copy)]
enum Manner {
    Whole,
    Fraction,
    /// Of a share, 0 to 1.
    Percent,
    /// Of milliseconds.
    Duration,
}

/// A number of the period, and of the one before. A rate is a share, 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Total {
    /// The number.
    pub now: f64,
    /// The number of the period before.
    pub before: f64,
}

/// The values of a dimension with the most visitors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct List {
    /// The dimension: `page`.
    pub name: String,
    /// The values, those with the most visitors first.
    pub rows: Vec<Entry>,
}

/// A value or a day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The value, or the day as `2026-01-31`.
    pub name: String,
    /// Its visitors.
    pub visitors: u64,
    /// Its page views.
    pub page_views: u64,
}

/// The statistics of a period.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// The same at every attempt and on every channel. Letters, digits, `_`, `-`.
    pub id: String,
    /// What the messages of one report have in common. Letters, digits, `_`, `-`.
    pub thread: String,
    /// Its name.
    pub name: String,
    /// How long its period is: `day`, `week`, `month`.
    pub every: &'static str,
    /// The name of the application.
    pub application: String,
    /// The time zone of its days.
    pub time_zone: String,
    /// The first day, `2026-01-31`.
    pub from: String,
    /// The last day.
    pub until: String,
    /// The numbers of the period: those of [`TOTALS`].
    pub totals: [Total; 6],
    /// Each day of the period.
    pub days: Vec<Entry>,
    /// What has the most visitors.
    pub lists: Vec<List>,
    /// Classes of traffic that are left out, and how many events each had.
    pub left_out: Vec<(String, u64)>,
    /// Not all of the days were computed.
    pub is_unfinished: bool,
    /// The dashboard with this period.
    pub link: Option<String>,
    /// All of it as a table: `dimension,value,visitors,sessions,page_views`.
    pub csv: String,
    /// Its words.
    pub words: &'static Words,
}

impl Report {
    /// One line that says what it is.
    #[must_use]
    pub fn headline(&self) -> String {
        let days = if self.from == self.until {
            self.from.clone()
        } else {
            format!("{} – {}", self.from, self.until)
        };
        format!("{}: {}, {days}", self.title(), line(&self.application, CHARS_MAX))
    }

    /// The name of the table as a file.
    #[must_use]
    pub fn file_name(&self) -> String {
        format!("{}-{}.csv", plain(&self.name), self.from)
    }

    /// The name of its files, without what comes behind the last point. No other report has it.
    pub(crate) fn stem(&self) -> String {
        format!("{}-{}-{}.{}", plain(&self.application), plain(&self.name), self.from, plain(&self.id))
    }

    fn link(&self) -> Option<&str> {
        web_link(self.link.as_deref()?)
    }

    fn title(&self) -> &'static str {
        self.words.title(self.every)
    }

    /// What a reader has to know of the numbers, a line each.
    fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if self.totals.iter().all(|total| total.now == 0.0) {
            notes.push(self.words.nothing.to_owned());
        }
        if self.is_unfinished {
            notes.push(self.words.unfinished.to_owned());
        }
        if !self.left_out.is_empty() {
            let class =
                |(name, events): &(String, u64)| format!("{} {}", self.words.whole(*events), line(name, 60));
            let all: Vec<String> = self.left_out.iter().map(class).collect();
            notes.push(format!("{}: {}", self.words.left_out, all.join(", ")));
        }
        notes
    }

    /// The numbers as people read them: name, number, and by how much it has changed.
    fn numbers(&self) -> Vec<Number> {
        let words = self.words;
        let written = |n: f64, manner: Manner| match manner {
            Manner::Whole => words.whole(whole(n)),
            Manner::Fraction => words.fraction(n, 2),
            Manner::Percent => format!("{} %", words.fraction(n * 100.0, 1)),
            Manner::Duration => {
                let seconds = whole(n / 1000.0);
                format!("{}m {:02}s", seconds / 60, seconds % 60)
            }
        };
        let number = |((title, total), manner): ((&&'static str, &Total), Manner)| {
            let change = (total.now / total.before - 1.0) * 100.0;
            let sign = if change > 0.0 { "+" } else { "" };
            Number {
                title,
                text: written(total.now, manner),
                change: change.is_finite().then(|| format!("{sign}{} %", words.fraction(change, 1))),
            }
        };
        words.totals.iter().zip(&self.totals).zip(MANNERS).map(number).collect()
    }
}

/// A text of strangers as a part of a file's name.
pub(crate) fn plain(text: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' };
    text.chars().take(60).map(plain).collect()
}

/// A count, or seconds.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn whole(n: f64) -> u64 {
    n as u64
}

/// A number as people read it.
struct Number {
    title: &'static str,
    text: String,
    /// `None`: there was nothing before.
    change: Option<String>,
}

/// The body of a webhook, as that of an alert: `type`, `timestamp` and `data`.
#[must_use]
pub fn webhook(report: &Report, now: &str) -> Value {
    let named = |(name, total): (&str, &Total)| {
        (name.to_owned(), json!({ "value": total.now, "before": total.before }))
    };
    let totals = TOTALS.into_iter().zip(&report.totals).map(named);
    let class = |(name, events): &(String, u64)| json!({ "class": name, "events": events });
    let entries = |all: &[Entry], key: &str| -> Vec<Value> {
        let one = |entry: &Entry| json!({ key: cut(&entry.name), "visitors": entry.visitors, "page_views": entry.page_views });
        all.iter().map(one).collect()
    };
    let lists = report.lists.iter().map(|list| (list.name.clone(), json!(entries(&list.rows, "value"))));
    json!({
        "type": format!("report.{}", report.every),
        "timestamp": now,
        "data": {
            "id": report.id,
            "name": cut(&report.name),
            "application": cut(&report.application),
            "time_zone": report.time_zone,
            "from": report.from,
            "until": report.until,
            "totals": totals.collect::<serde_json::Map<_, _>>(),
            "days": entries(&report.days, "day"),
            "dimensions": lists.collect::<serde_json::Map<_, _>>(),
            "left_out": report.left_out.iter().map(class).collect::<Vec<_>>(),
            "is_unfinished": report.is_unfinished,
            "link": report.link(),
        },
    })
}

/// The body for a chat: what strangers could have written is code in it.
pub(crate) fn slack(report: &Report) -> Value {
    let mut lines = vec![format!("*{}* {}", report.title(), chat(&report.headline()))];
    for number in report.numbers() {
        let change = number.change.map(|change| format!(" ({change})")).unwrap_or_default();
        lines.push(format!("{}: *{}*{change}", number.title, number.text));
    }
    for list in report.lists.iter().filter(|list| !list.rows.is_empty()) {
        lines.push(format!("*{}*", report.words.dimension(&list.name)));
        let rows = list.rows.iter().take(5);
        lines.extend(rows.map(|row| format!("• {} {}", chat(&row.name), report.words.whole(row.visitors))));
    }
    lines.extend(report.notes().iter().map(|note| chat(note)));
    lines.extend(report.link().map(str::to_owned));
    json!({ "text": lines.join("\n"), "unfurl_links": false, "unfurl_media": false, "link_names": false })
}

/// A report as text for a terminal and for the plain part of a mail.
#[must_use]
pub fn describe(report: &Report) -> String {
    let mut out = format!("{}\n", report.headline());
    for number in report.numbers() {
        let _ = write!(out, "\n  {:>12}  {}", number.text, number.title);
        if let Some(change) = number.change {
            let _ = write!(out, " ({change})");
        }
    }
    for list in report.lists.iter().filter(|list| !list.rows.is_empty()) {
        let _ = write!(out, "\n\n{}", report.words.dimension(&list.name));
        for row in &list.rows {
            let _ = write!(out, "\n  {:>12}  {}", report.words.whole(row.visitors), line(&row.name, 100));
        }
    }
    for note in report.notes() {
        let _ = write!(out, "\n\n{note}");
    }
    if let Some(link) = report.link() {
        let _ = write!(out, "\n\n{link}");
    }
    out.push('\n');
    out
}

/// A report as a page that a reader of mail shows: tables, styles within the tags, nothing from elsewhere.
#[must_use]
pub fn page(report: &Report) -> String {
    let words = report.words;
    let mut out = format!(
        "<!doctype html>\n<html lang=\"{}\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><meta name=\"color-scheme\" content=\"light\">\
         <title>{}</title></head>\
         <body style=\"margin:0;background:#f4f5f7;color:#1b1f24;font:15px/1.45 system-ui,-apple-system,'Segoe UI',sans-serif\">\
         <div style=\"max-width:640px;margin:0 auto;padding:24px 16px\">\
         <h1 style=\"font-size:20px;margin:0 0 2px\">{}</h1>\
         <p style=\"margin:0 0 16px;color:#59636e\">{} · {}{} · {}</p>",
        words.language,
        html(&report.headline()),
        html(&report.application),
        html(report.title()),
        html(&report.from),
        if report.from == report.until { String::new() } else { format!(" – {}", html(&report.until)) },
        html(&report.time_zone),
    );
    totals(report, &mut out);
    if report.days.len() > 1 {
        table(words.by_day, &report.days, |day| day.page_views, words, &mut out);
    }
    for list in report.lists.iter().filter(|list| !list.rows.is_empty()) {
        table(words.dimension(&list.name), &list.rows, |row| row.visitors, words, &mut out);
    }
    for note in report.notes() {
        let _ = write!(out, "<p style=\"color:#59636e;margin:12px 0 0\">{}</p>", html(&note));
    }
    if let Some(link) = report.link() {
        let _ = write!(
            out,
            "<p style=\"margin:20px 0 0\"><a style=\"color:#0b57d0\" href=\"{}\">{}</a></p>",
            link.replace('&', "&amp;"),
            html(words.more)
        );
    }
    out.push_str("</div></body></html>\n");
    out
}

/// The look of a box.
const BOX: &str = "width:100%;table-layout:fixed;border-collapse:collapse;background:#fff;border:1px solid #d9dde3;border-radius:8px;margin:0 0 12px";

fn totals(report: &Report, out: &mut String) {
    let _ = write!(out, "<table role=\"presentation\" style=\"{BOX}\">");
    for row in report.numbers().chunks(3) {
        out.push_str("<tr>");
        for number in row {
            let _ = write!(
                out,
                "<td style=\"width:33%;padding:12px;vertical-align:top\"><div style=\"color:#59636e;font-size:13px\">{}</div>\
                 <div style=\"font-size:20px;font-weight:600;white-space:nowrap\">{}</div><div style=\"color:#59636e;font-size:13px\">{}</div></td>",
                html(number.title),
                html(&number.text),
                html(number.change.as_deref().unwrap_or("–")),
            );
        }
        out.push_str("</tr>");
    }
    out.push_str("</table>");
    let _ = write!(
        out,
        "<p style=\"color:#59636e;font-size:13px;margin:-4px 0 16px\">{}</p>",
        html(report.words.compared)
    );
}

/// The days, or the values of a dimension, with bars as long as their `size`.
fn table(title: &str, rows: &[Entry], size: fn(&Entry) -> u64, words: &Words, out: &mut String) {
    let _ = write!(out, "<table style=\"{BOX}\"><thead><tr>");
    heading(title, words, out);
    out.push_str("</tr></thead><tbody>");
    let most = rows.iter().map(size).max().unwrap_or(0);
    for row in rows {
        entry(row, size(row), most, words, out);
    }
    out.push_str("</tbody></table>");
}

fn heading(title: &str, words: &Words, out: &mut String) {
    let style = "padding:8px;font-size:13px;color:#59636e;font-weight:600";
    let _ = write!(
        out,
        "<th style=\"{style};text-align:left\">{}</th><th style=\"{style};text-align:right;width:24%\">{}</th>\
         <th style=\"{style};text-align:right;width:32%\">{}</th>",
        html(title),
        html(words.totals[0]),
        html(words.totals[2])
    );
}

/// A row with a bar behind its name: so much of the most.
fn entry(entry: &Entry, size: u64, most: u64, words: &Words, out: &mut String) {
    let percent = (u128::from(size) * 100).checked_div(u128::from(most)).unwrap_or(0);
    let number = "padding:5px 8px;text-align:right;font-variant-numeric:tabular-nums";
    let _ = write!(
        out,
        "<tr><td style=\"padding:5px 8px;overflow-wrap:anywhere\">\
         <div style=\"background:linear-gradient(90deg,#dbe7fb {percent}%,transparent {percent}%);border-radius:3px;padding:1px 4px\">{}</div></td>\
         <td style=\"{number}\">{}</td><td style=\"{number}\">{}</td></tr>",
        html(&entry.name),
        words.whole(entry.visitors),
        words.whole(entry.page_views)
    );
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A report as a shop gets it.
    pub(crate) fn sample() -> Report {
        let entry = |name: &str, visitors, page_views| Entry { name: name.to_owned(), visitors, page_views };
        let total = |now, before| Total { now, before };
        Report {
            id: "report_3_20781".into(),
            thread: "report_3".into(),
            name: "weekly".into(),
            every: "week",
            application: "My shop".into(),
            time_zone: "Europe/Berlin".into(),
            from: "2026-11-23".into(),
            until: "2026-11-24".into(),
            totals: [
                total(1234.0, 1000.0),
                total(1500.0, 1500.0),
                total(4000.0, 5000.0),
                total(2.667, 0.0),
                total(0.5, 0.4),
                total(83_500.0, 83_500.0),
            ],
            days: vec![entry("2026-11-23", 5, 10), entry("2026-11-24", 7, 20)],
            lists: vec![List { name: "page".into(), rows: vec![entry("/", 10, 20), entry("/a", 2, 10)] }],
            left_out: vec![("bot".into(), 1700)],
            is_unfinished: false,
            link: Some("https://stats.example.com/?from=2026-11-23&until=2026-11-24".into()),
            csv: "dimension,value,visitors,sessions,page_views\n".into(),
            words: Words::of_or_english("en"),
        }
    }

    #[test]
    fn a_report_is_text_that_a_terminal_and_a_mail_show() {
        insta::assert_snapshot!(describe(&sample()), @r"
        Weekly report: My shop, 2026-11-23 – 2026-11-24

                 1,234  Visitors (+23.4 %)
                 1,500  Visits (0.0 %)
                 4,000  Page views (-20.0 %)
                  2.67  Views per visit
                50.0 %  Bounce rate (+25.0 %)
                1m 23s  Visit duration (0.0 %)

        Pages
                    10  /
                     2  /a

        Events left out: 1,700 bot

        https://stats.example.com/?from=2026-11-23&until=2026-11-24
        ");
    }

    #[test]
    fn a_webhook_has_the_numbers_as_numbers() {
        let body = webhook(&sample(), "2026-11-25T00:15:00Z");
        assert_eq!(body["type"], "report.week");
        assert_eq!(body["data"]["totals"]["visitors"], json!({ "value": 1234.0, "before": 1000.0 }));
        assert_eq!(body["data"]["days"][1], json!({ "day": "2026-11-24", "visitors": 7, "page_views": 20 }));
        assert_eq!(body["data"]["dimensions"]["page"][0]["value"], "/");
    }

    #[test]
    fn nothing_of_a_stranger_is_a_tag_a_link_or_a_mention() {
        let evil = "<img src=x onerror=alert(1)>\r\n<!channel> @here [a](https://evil.example)";
        let mut report = sample();
        report.application = evil.into();
        report.time_zone = evil.into();
        report.left_out = vec![(evil.into(), 1)];
        report.lists[0].rows[0].name = evil.into();
        report.days[0].name = evil.into();
        report.link = Some("javascript:alert(1)".into());
        let page = page(&report);
        assert!(
            !page.contains("<img") && !page.contains("<!channel") && !page.contains("javascript:"),
            "{page}"
        );
        let text = slack(&report)["text"].as_str().unwrap().to_owned();
        for line in text.lines() {
            let outside: String = line.split('`').step_by(2).collect();
            assert!(
                !outside.contains("evil") && !outside.contains("<!") && !outside.contains("@here"),
                "{line}"
            );
        }
        assert!(!describe(&report).contains('\r'));
        assert_eq!(report.file_name(), "weekly-2026-11-23.csv");
    }
}
