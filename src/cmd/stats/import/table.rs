//! Reads tables of sums that other products export: one line a day, or a day and a value.
//!
//! A column is known by its name. The names are those of Plausible's export (`imported_visitors_….csv` and its siblings),
//! of Google Analytics 4 (a report or an exploration with the dimension Date) and of Matomo's reporting API (`format=csv`,
//! `period=day`).

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, BufRead, BufReader, Read};

use alt_statistics::day::{Counts, OTHER};
use alt_statistics::event::Event;
use alt_statistics::source;
use anyhow::{Context, bail};
use jiff::civil::Date;

/// The most values of all days that are kept in memory: some 200 MB.
const VALUES_MAX: usize = 2_000_000;

/// The most bytes of their texts.
const TEXT_MAX: usize = 256 << 20;

/// The most bytes of a line of a table. A quote that nothing closes makes one line of all that follows.
const LINE_MAX: usize = 1 << 20;

/// The most values of a day and a dimension that stay, as of days that are computed.
const LIST_MAX: usize = 1000;

/// The longest value.
const VALUE_MAX: usize = 8192;

/// The most bytes of a table that is UTF-16, which is converted as a whole.
const UTF16_MAX: u64 = 256 << 20;

/// Columns that are values of a dimension.
const DIMENSIONS: [(&str, &[&str]); 15] = [
    ("page", &["page", "page_path", "page_path_and_screen_class", "page_path_+_query_string"]),
    ("entry_page", &["entry_page", "landing_page", "landing_page_+_query_string"]),
    ("exit_page", &["exit_page"]),
    ("source", &["source", "session_source"]),
    ("channel", &["channel", "session_default_channel_group", "session_primary_channel_group"]),
    ("utm_medium", &["utm_medium", "session_medium"]),
    ("campaign", &["utm_campaign", "session_campaign"]),
    ("utm_content", &["utm_content", "session_manual_ad_content"]),
    ("utm_term", &["utm_term", "session_manual_term"]),
    ("country", &["country", "country_id", "country_code"]),
    ("language", &["language_code", "language"]),
    ("browser", &["browser"]),
    ("os", &["operating_system", "os"]),
    ("device", &["device", "device_category", "device_type"]),
    ("event", &["name", "event_name"]),
];

/// The names of the dimensions that tables can have.
pub(super) fn dimensions() -> impl Iterator<Item = &'static str> {
    DIMENSIONS.iter().map(|(dimension, _)| *dimension)
}

/// What a number of a column is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    /// So many.
    Count,
    /// Seconds, summed.
    Seconds,
    /// A mean of seconds a session.
    SecondsASession,
    /// A share of the sessions, 0 to 1 or with `%`.
    ShareOfSessions,
}

/// Where a count is.
type Place = fn(&mut Counts) -> &mut u64;

/// Columns that are counted: the count, and the names from which it comes, the first that is there.
const COUNTS: [(Place, &[(&str, Unit)]); 9] = [
    (
        |counts| &mut counts.visitors,
        &[
            ("visitors", Unit::Count),
            ("active_users", Unit::Count),
            ("total_users", Unit::Count),
            ("users", Unit::Count),
            ("nb_uniq_visitors", Unit::Count),
            ("unique_visitors", Unit::Count),
        ],
    ),
    (
        |counts| &mut counts.sessions,
        &[
            ("visits", Unit::Count),
            ("sessions", Unit::Count),
            ("nb_visits", Unit::Count),
            ("entrances", Unit::Count),
            ("entry_nb_visits", Unit::Count),
            ("exits", Unit::Count),
            ("exit_nb_visits", Unit::Count),
        ],
    ),
    (
        |counts| &mut counts.page_views,
        &[
            ("pageviews", Unit::Count),
            ("page_views", Unit::Count),
            ("views", Unit::Count),
            ("nb_pageviews", Unit::Count),
            ("nb_hits", Unit::Count),
            ("nb_actions", Unit::Count),
        ],
    ),
    (
        |counts| &mut counts.events,
        &[("events", Unit::Count), ("event_count", Unit::Count), ("nb_events", Unit::Count)],
    ),
    (
        |counts| &mut counts.bounces,
        &[
            ("bounces", Unit::Count),
            ("bounce_count", Unit::Count),
            ("entry_bounce_count", Unit::Count),
            ("bounce_rate", Unit::ShareOfSessions),
        ],
    ),
    (
        |counts| &mut counts.duration_ms,
        &[
            ("visit_duration", Unit::Seconds),
            ("sum_visit_length", Unit::Seconds),
            ("entry_sum_visit_length", Unit::Seconds),
            ("average_session_duration", Unit::SecondsASession),
        ],
    ),
    (
        |counts| &mut counts.engaged_ms,
        &[
            ("total_time_on_page", Unit::Seconds),
            ("time_on_page", Unit::Seconds),
            ("user_engagement", Unit::Seconds),
            ("sum_time_spent", Unit::Seconds),
        ],
    ),
    (|counts| &mut counts.timed_views, &[("total_time_on_page_visits", Unit::Count)]),
    (|counts| &mut counts.scrolled_views, &[("total_scroll_depth_visits", Unit::Count)]),
];

/// A column of [`COUNTS`] that goes with another.
const SCROLL: &str = "total_scroll_depth";

/// Values of a channel in other products, in small letters.
const CHANNELS: [(&str, &str); 14] = [
    ("direct", "direct"),
    ("organic search", "search"),
    ("organic social", "social"),
    ("organic video", "social"),
    ("email", "email"),
    ("referral", "referral"),
    ("affiliates", "campaign"),
    ("campaigns", "campaign"),
    ("paid search", "paid"),
    ("paid social", "paid"),
    ("paid shopping", "paid"),
    ("paid other", "paid"),
    ("display", "paid"),
    ("cross-network", "paid"),
];

/// The sums of a day: by dimension and value.
pub(super) type Sums = BTreeMap<(&'static str, String), Counts>;

/// What tables have of days.
#[derive(Debug, Default)]
pub(super) struct Days {
    pub(super) days: BTreeMap<Date, Sums>,
    values: usize,
    text_bytes: usize,
}

/// What was read of a table.
#[derive(Debug, Default)]
pub(super) struct Account {
    pub(super) lines: u64,
    /// The dimensions for which it has values; `total` for a table of days.
    pub(super) dimensions: BTreeSet<&'static str>,
    /// Columns that nothing here is counted by.
    pub(super) ignored: Vec<String>,
}

/// The columns of a table.
struct Columns {
    date: usize,
    dimensions: Vec<(&'static str, usize)>,
    referrer: Option<usize>,
    counts: Vec<(Place, usize, Unit)>,
    scroll: Option<usize>,
}

/// What is taken of tables.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Taken {
    /// The dimension of a column `label`.
    pub(super) label: Option<&'static str>,
    /// The first day.
    pub(super) from: Option<Date>,
    /// The last day.
    pub(super) until: Option<Date>,
}

/// Adds a table to what is known of the days that are taken.
///
/// # Errors
/// The table is none of the known kinds, or one of its lines is broken: the line is named.
pub(super) fn add(
    table: impl Read,
    Taken { label, from, until }: Taken,
    days: &mut Days,
) -> anyhow::Result<Account> {
    let mut reader = BufReader::new(table);
    let text = utf8(&mut reader)?;
    let mut first = text.take(64 << 10);
    let mut head = Vec::new();
    first.read_to_end(&mut head).context("read the table")?;
    let rest = first.into_inner();
    let left = Cell::new(LINE_MAX);
    let mut table = csv::ReaderBuilder::new()
        .delimiter(delimiter(&head))
        .comment(Some(b'#'))
        .flexible(true)
        .trim(csv::Trim::All)
        .from_reader(Limited { inner: head.as_slice().chain(rest), left: &left });
    let header = table.headers().context("read the first line")?.clone();
    let mut account = Account::default();
    let columns = columns(&header, label, &mut account)?;
    let mut record = csv::StringRecord::new();
    loop {
        left.set(LINE_MAX);
        let begin = table.position().line();
        if !table.read_record(&mut record).with_context(|| format!("read the table from line {begin} on"))? {
            break;
        }
        let at = record.position().map_or(0, csv::Position::line);
        let date = record.get(columns.date).unwrap_or("");
        // A line of sums over all days.
        if date.is_empty() || date.eq_ignore_ascii_case("grand total") || date.eq_ignore_ascii_case("total") {
            continue;
        }
        let date = day(date)
            .with_context(|| format!("line {at}: {date:?} is no day, such as 2026-01-31 or 20260131"))?;
        account.lines += 1;
        if from.is_some_and(|from| date < from) || until.is_some_and(|until| date > until) {
            continue;
        }
        let counts = counts(&columns, &record).with_context(|| format!("line {at}"))?;
        days.add(date, &values(&columns, &record), &counts)?;
    }
    Ok(account)
}

impl Days {
    fn add(&mut self, date: Date, values: &[(&'static str, String)], counts: &Counts) -> anyhow::Result<()> {
        let sums = self.days.entry(date).or_default();
        for (dimension, value) in values {
            let before = sums.len();
            *sums.entry((dimension, value.clone())).or_default() += counts;
            if sums.len() > before {
                self.values += 1;
                self.text_bytes += value.len();
            }
        }
        if self.values > VALUES_MAX || self.text_bytes > TEXT_MAX {
            bail!(
                "the tables have more than {VALUES_MAX} values, or {} MiB of them: import them in parts, by --from and \
                 --until",
                TEXT_MAX >> 20
            );
        }
        Ok(())
    }

    /// Takes the days, each with at most so many values of a dimension as days that are computed have. The events of a day
    /// are its page views and its other events, where no table has them.
    pub(super) fn finish(self) -> BTreeMap<Date, Sums> {
        let mut days = self.days;
        for sums in days.values_mut() {
            complete(sums);
            cut(sums);
        }
        days
    }
}

/// Fills in what the tables say only indirectly.
fn complete(sums: &mut Sums) {
    let others = |sums: &Sums| -> u64 {
        let events =
            sums.iter().filter(|((dimension, value), _)| *dimension == "event" && value != "pageview");
        events.map(|(_, counts)| counts.events).fold(0, u64::saturating_add)
    };
    let other_events = others(sums);
    for ((dimension, _), counts) in sums.iter_mut() {
        if counts.events == 0 {
            counts.events = counts.page_views;
            if *dimension == "total" {
                counts.events = counts.events.saturating_add(other_events);
            }
        }
    }
}

/// Sums the values of a dimension beyond [`LIST_MAX`] under [`OTHER`].
fn cut(sums: &mut Sums) {
    let mut lists: BTreeMap<&'static str, Vec<(String, Counts)>> = BTreeMap::new();
    for ((dimension, value), counts) in std::mem::take(sums) {
        lists.entry(dimension).or_default().push((value, counts));
    }
    for (dimension, mut list) in lists {
        list.sort_by(|(a, x), (b, y)| {
            (y.page_views, y.events).cmp(&(x.page_views, x.events)).then_with(|| a.cmp(b))
        });
        for (n, (value, counts)) in list.into_iter().enumerate() {
            let value = if n < LIST_MAX { value } else { OTHER.to_owned() };
            *sums.entry((dimension, value)).or_default() += &counts;
        }
    }
}

/// Reads on until `left` bytes are read.
struct Limited<'l, R> {
    inner: R,
    left: &'l Cell<usize>,
}

impl<R: Read> Read for Limited<'_, R> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(to)?;
        match self.left.get().checked_sub(read) {
            Some(left) => self.left.set(left),
            None => {
                let why = format!(
                    "a line has more than {} MiB: is it a table (CSV), and is each quote closed?",
                    LINE_MAX >> 20
                );
                return Err(io::Error::new(io::ErrorKind::InvalidData, why));
            }
        }
        Ok(read)
    }
}

/// The table as UTF-8: without a mark at its beginning, and converted where the mark says UTF-16, as Matomo writes.
fn utf8<'r>(reader: &'r mut BufReader<impl Read>) -> anyhow::Result<Box<dyn Read + 'r>> {
    let begin = reader.fill_buf().context("read the table")?;
    let (skip, is_big) = match begin {
        [0xEF, 0xBB, 0xBF, ..] => (3, None),
        [0xFF, 0xFE, ..] => (2, Some(false)),
        [0xFE, 0xFF, ..] => (2, Some(true)),
        _ => (0, None),
    };
    reader.consume(skip);
    let Some(is_big) = is_big else { return Ok(Box::new(reader)) };
    let mut bytes = Vec::new();
    reader.take(UTF16_MAX + 1).read_to_end(&mut bytes).context("read the table")?;
    if bytes.len() as u64 > UTF16_MAX {
        bail!("a table of UTF-16 has more than {} MiB: convert it to UTF-8", UTF16_MAX >> 20);
    }
    let unit = |pair: &[u8; 2]| if is_big { u16::from_be_bytes(*pair) } else { u16::from_le_bytes(*pair) };
    let units = bytes.as_chunks::<2>().0.iter().map(unit);
    let text: String = char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect();
    Ok(Box::new(std::io::Cursor::new(text.into_bytes())))
}

/// What stands between the names of the first line that is no comment.
fn delimiter(head: &[u8]) -> u8 {
    let line = head
        .split(|byte| *byte == b'\n')
        .find(|line| !line.is_empty() && line[0] != b'#' && line[0] != b'\r');
    let count = |byte| line.unwrap_or(&[]).iter().filter(|found| **found == byte).count();
    [b',', b';', b'\t'].into_iter().max_by_key(|byte| (count(*byte), *byte == b',')).unwrap_or(b',')
}

/// A column's name as the tables above write it.
fn plain(name: &str) -> String {
    name.trim().to_lowercase().replace([' ', '-'], "_")
}

fn columns(
    header: &csv::StringRecord,
    label: Option<&'static str>,
    account: &mut Account,
) -> anyhow::Result<Columns> {
    let names: Vec<String> = header.iter().map(plain).collect();
    let find = |wanted: &[&str]| wanted.iter().find_map(|one| names.iter().position(|name| name == one));
    let Some(date) = find(&["date", "day"]) else {
        let names: Vec<&str> = header.iter().take(20).collect();
        bail!("the table has no column date; it has: {}", names.join(", "));
    };
    let mut used = BTreeSet::from([date]);
    let mut dimensions = Vec::new();
    for (dimension, wanted) in &DIMENSIONS {
        // The path of an event is no page of its own.
        let is_event = find(&["name", "event_name"]).is_some() && *dimension != "event";
        if let Some(n) = find(wanted).filter(|_| !is_event) {
            dimensions.push((*dimension, n));
        }
    }
    match (find(&["label"]), label) {
        (Some(n), Some(dimension)) => dimensions.push((dimension, n)),
        (Some(_), None) => {
            bail!("the table has a column label: say by --dimension what it is, such as --dimension page")
        }
        (None, _) => {}
    }
    used.extend(dimensions.iter().map(|(_, n)| *n));
    let mut counts = Vec::new();
    for (count, wanted) in COUNTS {
        let found =
            wanted.iter().find_map(|(one, unit)| Some((names.iter().position(|name| name == one)?, *unit)));
        if let Some((n, unit)) = found {
            counts.push((count, n, unit));
            used.insert(n);
        }
    }
    if counts.is_empty() {
        bail!("no column of the table is a number that is known, such as visitors, visits or pageviews");
    }
    let scroll = find(&[SCROLL]);
    used.extend(scroll);
    account.dimensions = dimensions.iter().map(|(dimension, _)| *dimension).collect();
    if dimensions.is_empty() {
        account.dimensions.insert("total");
    }
    if account.dimensions.contains("source") {
        account.dimensions.insert("channel");
    }
    account.ignored = (0..names.len()).filter(|n| !used.contains(n)).map(|n| header[n].to_owned()).collect();
    Ok(Columns { date, dimensions, referrer: find(&["referrer"]), counts, scroll })
}

fn day(text: &str) -> Option<Date> {
    let text = text.get(..10).unwrap_or(text);
    if text.len() == 8 && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return format!("{}-{}-{}", &text[..4], &text[4..6], &text[6..]).parse().ok();
    }
    text.parse().ok()
}

fn counts(columns: &Columns, record: &csv::StringRecord) -> anyhow::Result<Counts> {
    let mut counts = Counts::default();
    for (count, n, unit) in &columns.counts {
        let value = number(record, *n)?;
        // Sessions are counted before what is told of each of them.
        let sessions = counts.sessions as f64;
        let value = match unit {
            Unit::Count => value,
            Unit::Seconds => value * 1000.0,
            Unit::SecondsASession => value * 1000.0 * sessions,
            Unit::ShareOfSessions => value * sessions,
        };
        *count(&mut counts) = whole(value);
    }
    if let Some(n) = columns.scroll {
        counts.scroll_percent = whole(number(record, n)?);
    }
    Ok(counts)
}

/// The nearest whole number.
fn whole(value: f64) -> u64 {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    // 0 to 9e15, times 1000 and sessions: it saturates
    let whole = value.round() as u64;
    whole
}

/// A number from 0 on; a field that is empty is 0. A share in percent is one of 1.
fn number(record: &csv::StringRecord, n: usize) -> anyhow::Result<f64> {
    let text = record.get(n).unwrap_or("");
    if text.is_empty() || text == "-" {
        return Ok(0.0);
    }
    let (digits, part) = match text.strip_suffix('%') {
        Some(digits) => (digits.trim_end(), 0.01),
        None => (text, 1.0),
    };
    let value = ungrouped(digits)
        .and_then(|digits| digits.parse::<f64>().ok())
        .filter(|value| (0.0..9e15).contains(value));
    let value = value.with_context(|| format!("column {}: {text:?} is no number from 0 on", n + 1))?;
    Ok(value * part)
}

/// Digits without the commas between thousands. `None`: a comma is one of a fraction (`12,5`), which would be read as a number ten
/// times as large.
fn ungrouped(text: &str) -> Option<String> {
    let whole = text.split_once('.').map_or(text, |parts| parts.0);
    let is_grouped = whole.split(',').skip(1).all(|group| group.len() == 3);
    let has_comma_behind = text.len() > whole.len() && text[whole.len()..].contains(',');
    (is_grouped && !has_comma_behind).then(|| text.replace(',', ""))
}

/// The values that a line counts for.
fn values(columns: &Columns, record: &csv::StringRecord) -> Vec<(&'static str, String)> {
    if columns.dimensions.is_empty() {
        return vec![("total", String::new())];
    }
    let of = |dimension: &str| {
        let found = columns.dimensions.iter().find(|(name, _)| *name == dimension);
        found.and_then(|(_, n)| record.get(*n)).map(known).unwrap_or_default()
    };
    let mut values = Vec::new();
    for (dimension, _) in &columns.dimensions {
        let text = of(dimension);
        let value = match *dimension {
            "source" => {
                let referrer = columns.referrer.and_then(|n| record.get(n)).map(known).unwrap_or_default();
                let (source, channel) = came_from(text, referrer, of("utm_medium"), of("campaign"));
                if of("channel").is_empty() {
                    values.push(("channel", channel.to_owned()));
                }
                source
            }
            "channel" => channel(text),
            "device" => text.to_lowercase(),
            "country" => text.to_uppercase(),
            "browser" => own_name(
                text,
                &[("Mobile App", ""), ("Microsoft Edge", "Edge"), ("Samsung Browser", "Samsung Internet")],
            ),
            "os" => own_name(text, &[("Mac", "macOS"), ("Macintosh", "macOS"), ("GNU/Linux", "Linux")]),
            _ => text.to_owned(),
        };
        let end = value.floor_char_boundary(VALUE_MAX);
        if *dimension != "channel" || !value.is_empty() {
            values.push((dimension, value[..end].to_owned()));
        }
    }
    values
}

/// A value that says that it is not known is none.
fn known(text: &str) -> &str {
    if ["(not set)", "(not provided)", "(none)", "(direct)", "direct / none"]
        .contains(&text.to_lowercase().as_str())
    {
        ""
    } else {
        text
    }
}

fn own_name(text: &str, names: &[(&str, &str)]) -> String {
    names.iter().find(|name| name.0 == text).map_or(text, |name| name.1).to_owned()
}

fn channel(text: &str) -> String {
    let small = text.to_lowercase();
    CHANNELS.iter().find(|channel| channel.0 == small).map_or(small.as_str(), |channel| channel.1).to_owned()
}

/// The source and the channel that a visit from there would have here.
fn came_from(source: &str, referrer: &str, medium: &str, campaign: &str) -> (String, &'static str) {
    // Of a referral, the source is the name or the host of another site.
    let is_host = medium.is_empty() || medium == "referral" || medium == "organic";
    let host = if referrer.is_empty() { source } else { referrer };
    let host = host.split_once("://").map_or(host, |parts| parts.1);
    let host = host.split(['/', '?', '#']).next().unwrap_or("");
    let mut event = Event { utm_campaign: campaign, ..Event::default() };
    if medium != "referral" {
        event.utm_medium = medium;
    }
    let name = source.to_lowercase();
    if is_host && campaign.is_empty() && host.contains('.') {
        event.referrer_host = host;
    } else {
        event.utm_source = &name;
    }
    let (name, channel) = source::of(&event, &[]);
    (name.into_owned(), channel)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(table: &[u8], label: Option<&'static str>) -> anyhow::Result<(BTreeMap<Date, Sums>, Account)> {
        let mut days = Days::default();
        let account = add(table, Taken { label, ..Taken::default() }, &mut days)?;
        Ok((days.finish(), account))
    }

    fn told(table: &str) -> Vec<String> {
        let (days, _) = read(table.as_bytes(), Some("page")).unwrap();
        let mut told = Vec::new();
        for (date, sums) in days {
            for ((dimension, value), c) in sums {
                told.push(format!(
                    "{date} {dimension} {value:?} {}v {}s {}p {}e {}b {}ms",
                    c.visitors, c.sessions, c.page_views, c.events, c.bounces, c.duration_ms
                ));
            }
        }
        told
    }

    #[test]
    fn tables_of_plausible_are_read() {
        let visitors = "date,visitors,pageviews,bounces,visits,visit_duration\n2024-01-02,10,30,4,12,600\n";
        assert_eq!(told(visitors), ["2024-01-02 total \"\" 10v 12s 30p 30e 4b 600000ms"]);
        let sources = "date,source,referrer,utm_source,utm_medium,utm_campaign,utm_content,utm_term,pageviews,visitors,visits,visit_duration,bounces\n\
            2024-01-02,Google,google.com,,,,,,3,2,2,10,1\n2024-01-02,Direct / None,,,,,,,1,1,1,0,1\n\
            2024-01-02,blog.example,blog.example/a,,,,,,1,1,1,0,1\n2024-01-02,Spring,,Spring,email,may,,,1,1,1,0,1\n";
        let told_sources = told(sources);
        for wanted in [
            "2024-01-02 source \"Google\" 2v 2s 3p 3e 1b 10000ms",
            "2024-01-02 channel \"search\" 2v 2s 3p 3e 1b 10000ms",
            "2024-01-02 source \"direct\" 1v 1s 1p 1e 1b 0ms",
            "2024-01-02 channel \"direct\" 1v 1s 1p 1e 1b 0ms",
            "2024-01-02 source \"blog.example\" 1v 1s 1p 1e 1b 0ms",
            "2024-01-02 channel \"referral\" 1v 1s 1p 1e 1b 0ms",
            "2024-01-02 source \"spring\" 1v 1s 1p 1e 1b 0ms",
            "2024-01-02 channel \"email\" 1v 1s 1p 1e 1b 0ms",
            "2024-01-02 campaign \"may\" 1v 1s 1p 1e 1b 0ms",
        ] {
            assert!(told_sources.iter().any(|line| line == wanted), "{wanted} in {told_sources:#?}");
        }
        // Versions of a browser are one value.
        let browsers = "date,browser,browser_version,visitors,visits,visit_duration,bounces,pageviews\n\
            2024-01-02,Chrome,120,1,1,0,1,1\n2024-01-02,Chrome,121,2,2,0,1,2\n";
        assert_eq!(told(browsers), ["2024-01-02 browser \"Chrome\" 3v 3s 3p 3e 2b 0ms"]);
        let events = "date,name,link_url,path,visitors,events\n2024-01-02,Signup,,/x,2,3\n";
        assert_eq!(told(events), ["2024-01-02 event \"Signup\" 2v 0s 0p 3e 0b 0ms"]);
        let devices =
            "date,device,visitors,visits,visit_duration,bounces,pageviews\n2024-01-02,Mobile,1,1,0,1,1\n";
        assert_eq!(told(devices), ["2024-01-02 device \"mobile\" 1v 1s 1p 1e 1b 0ms"]);
    }

    #[test]
    fn a_report_of_google_analytics_is_read() {
        let report = "# ----\n# Free form 1\n# 20240101-20240102\n# ----\n\nDate,Session source,Session medium,Active users,Sessions,Views,Bounce rate,Average session duration\n\
            ,,,12,14,20,0.5,10\n20240101,google,organic,10,12,\"1,000\",0.25,30.5\n20240102,(direct),(none),2,2,3,50%,0\n";
        let told = told(report);
        for wanted in [
            "2024-01-01 source \"Google\" 10v 12s 1000p 1000e 3b 366000ms",
            "2024-01-01 channel \"search\" 10v 12s 1000p 1000e 3b 366000ms",
            "2024-01-02 source \"direct\" 2v 2s 3p 3e 1b 0ms",
            "2024-01-02 channel \"direct\" 2v 2s 3p 3e 1b 0ms",
        ] {
            assert!(told.iter().any(|line| line == wanted), "{wanted} in {told:#?}");
        }
    }

    #[test]
    fn a_report_of_matomo_is_read_in_its_encoding() {
        let text = "date,label,nb_visits,nb_hits,sum_time_spent,metadata_x\n2024-01-02,/über,3,5,60,a\n";
        let bytes: Vec<u8> =
            [0xFEFF_u16].into_iter().chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect();
        let (days, account) = read(&bytes, Some("page")).unwrap();
        let counts = days.values().next().unwrap()[&("page", "/über".to_owned())];
        assert_eq!((counts.sessions, counts.page_views, counts.engaged_ms), (3, 5, 60_000));
        assert_eq!(account.ignored, ["metadata_x"]);
        let error = read(text.as_bytes(), None).unwrap_err().to_string();
        assert!(error.contains("--dimension"), "{error}");
        let semicolons = text.replace(',', ";");
        assert_eq!(read(semicolons.as_bytes(), Some("page")).unwrap().0, days);
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        for (table, wanted) in [
            ("a,b\n1,2\n", "no column date; it has: a, b"),
            ("date,b\n2024-01-02,2\n", "no column of the table is a number"),
            ("date,visitors\nsoon,2\n", "line 2: \"soon\" is no day"),
            ("date,visitors\n2024-01-02,1\n2024-02-30,2\n", "line 3: \"2024-02-30\" is no day"),
            ("date,visitors\n2024-01-02,many\n", "line 2: column 2: \"many\" is no number"),
            ("date,visitors\n2024-01-02,-1\n", "line 2: column 2: \"-1\" is no number"),
            ("date,visitors\n2024-01-02,1e30\n", "line 2: column 2"),
            ("date;visits;bounce_rate\n2024-01-02;1;12,5\n", "line 2: column 3: \"12,5\" is no number"),
            ("date;visits;bounce_rate\n2024-01-02;1;1.234,567\n", "line 2: column 3"),
            ("", "no column date"),
        ] {
            let error = format!("{:#}", read(table.as_bytes(), None).unwrap_err());
            assert!(error.contains(wanted), "{table:?}: {error}");
        }
    }

    #[test]
    fn a_line_is_no_longer_than_a_table_has_it() {
        let begin = "date,page,pageviews\n2024-01-02,/a,1\n2024-01-02,\"";
        let long = |bytes: usize| format!("{begin}{}\",1\n2024-01-03,/b,1\n", "x".repeat(bytes));
        assert_eq!(read(long(900 << 10).as_bytes(), None).unwrap().0.len(), 2);
        for table in [long(3 << 20), format!("{begin}{}", "x\n".repeat(2 << 20)), "x".repeat(3 << 20)] {
            let error = format!("{:#}", read(table.as_bytes(), None).unwrap_err());
            assert!(error.contains("a line has more than 1 MiB"), "{error}");
            assert!(!table.starts_with(begin) || error.contains("from line 3 on"), "{error}");
        }
        // However much follows, so much of it is read.
        let mut endless = begin.as_bytes().chain(io::repeat(b'x'));
        assert!(add(&mut endless, Taken::default(), &mut Days::default()).is_err());
    }

    #[test]
    fn a_day_has_no_more_values_than_days_that_are_computed() {
        let mut table = "date,page,pageviews\n".to_owned();
        for n in 0..1500 {
            table += &format!("2024-01-02,/p{n},{}\n", 2000 - n);
        }
        let (days, _) = read(table.as_bytes(), None).unwrap();
        let sums = &days[&"2024-01-02".parse().unwrap()];
        assert_eq!(sums.len(), 1001);
        let rest: u64 = (1000..1500).map(|n| 2000 - n).sum();
        assert_eq!(sums[&("page", OTHER.to_owned())].page_views, rest);
        assert!(sums.contains_key(&("page", "/p999".to_owned())));
    }
}
