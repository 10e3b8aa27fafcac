//! Rules, and how they are read.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::lens::{Lens, Of, is_like};
use crate::looks;
use crate::manner::{self, Manner};
use crate::metric::{self, Metric};
use crate::past::{self, Past};
use crate::state::Timing;
use crate::time::{Micros, SECOND, parse_span, span};

/// The longest window and the longest distance of a comparison with earlier times.
pub const SPAN_MAX: Micros = 86_400 * SECOND;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// To know.
    Low,
    /// To look at in working hours.
    Medium,
    /// To look at today.
    High,
    /// To look at now.
    Critical,
}

impl Severity {
    /// All severities, ascending.
    pub const ALL: [Severity; 4] = [Severity::Low, Severity::Medium, Severity::High, Severity::Critical];

    /// Its name, in rules and in messages.
    pub fn name(self) -> &'static str {
        match self {
            Severity::Low => "low",
            Severity::Medium => "medium",
            Severity::High => "high",
            Severity::Critical => "critical",
        }
    }
}

/// What it means that nothing was measured.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum NoData {
    /// The rule does not hold.
    #[default]
    Ok,
    /// Nothing changes.
    Keep,
    /// The rule holds.
    Fire,
}

/// How a value is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    /// `>`
    Above,
    /// `>=`
    AtLeast,
    /// `<`
    Below,
    /// `<=`
    AtMost,
    /// `==`
    Equal,
    /// `!=`
    Unequal,
}

/// Operators as people write them; the longer ones first.
const OPERATORS: [(&str, Operator); 6] = [
    (">=", Operator::AtLeast),
    ("<=", Operator::AtMost),
    ("==", Operator::Equal),
    ("!=", Operator::Unequal),
    (">", Operator::Above),
    ("<", Operator::Below),
];

impl Operator {
    /// Whether a comparison holds.
    #[expect(clippy::float_cmp, reason = "counts are whole numbers")]
    pub fn holds(self, value: f64, threshold: f64) -> bool {
        match self {
            Operator::Above => value > threshold,
            Operator::AtLeast => value >= threshold,
            Operator::Below => value < threshold,
            Operator::AtMost => value <= threshold,
            Operator::Equal => value == threshold,
            Operator::Unequal => value != threshold,
        }
    }

    /// Whether `recover` is on the side of recovery of `threshold`.
    fn is_beyond(self, recover: f64, threshold: f64) -> bool {
        match self {
            Operator::Above | Operator::AtLeast => recover <= threshold,
            Operator::Below | Operator::AtMost => recover >= threshold,
            Operator::Equal | Operator::Unequal => false,
        }
    }
}

impl fmt::Display for Operator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(OPERATORS.iter().find(|(_, operator)| operator == self).map_or("", |(text, _)| text))
    }
}

/// When a rule holds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Test {
    /// The value is beyond a threshold.
    Compare {
        /// How.
        operator: Operator,
        /// The threshold.
        threshold: f64,
        /// It is over only if the value is not beyond this.
        recover: Option<f64>,
    },
    /// The value changed by so many percent.
    Change {
        /// How.
        operator: Operator,
        /// The threshold, percent.
        percent: f64,
        /// It is over only if the change is not beyond this.
        recover: Option<f64>,
        /// How much earlier the other window is.
        offset: Micros,
    },
    /// The value against those of the windows before, which follow one another.
    Past {
        /// Against what of them.
        past: Past,
        /// How.
        operator: Operator,
        /// The threshold, in the unit of `past`.
        threshold: f64,
        /// It is over only if the value is not beyond this.
        recover: Option<f64>,
        /// How far back the windows before reach: a multiple of the window.
        offset: Micros,
    },
    /// No event came.
    Absent {
        /// For so long.
        span: Micros,
    },
}

/// A rule.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// Its name, by which it is known over all its versions.
    pub name: String,
    /// What to know of it.
    pub description: String,
    /// Keys of applications, in which `*` stands for anything.
    pub application: String,
    /// What is measured.
    pub metric: Metric,
    /// Of which events.
    pub lens: Lens,
    /// Over how long a time.
    pub window: Micros,
    /// When it holds.
    pub test: Test,
    /// How long it waits before it fires, and before it ends.
    pub timing: Timing,
    /// How bad it is.
    pub severity: Severity,
    /// What it means that nothing was measured.
    pub no_data: NoData,
    /// With fewer events, nothing was measured.
    pub min_events: i64,
    /// Who is told.
    pub channels: Vec<String>,
    /// How they are told.
    pub manner: Manner,
    /// What people say about its alerts.
    pub labels: BTreeMap<String, String>,
    /// Whether it is judged.
    pub is_enabled: bool,
    /// The table of TOML that it was read from.
    pub text: String,
}

impl Rule {
    /// Whether it is about an application, by its key. An empty key stands for the installation.
    pub fn is_of(&self, application: &str) -> bool {
        match self.lens.is_of_installation() {
            true => application.is_empty(),
            false => !application.is_empty() && is_like(&self.application, application),
        }
    }

    /// How much earlier than a time events matter for it.
    pub fn reach(&self) -> Micros {
        match self.test {
            Test::Absent { span } => span,
            Test::Change { offset, .. } | Test::Past { offset, .. } => self.window + offset,
            Test::Compare { .. } => self.window,
        }
    }

    /// The same rule, judged or not.
    ///
    /// # Errors
    /// The text of the rule is not one of a rule.
    pub fn switched(&self, is_on: bool) -> Result<Rule, String> {
        self.with("enabled", toml::Value::Boolean(is_on))
    }

    /// The same rule for one application, whose key has no `*`.
    ///
    /// # Errors
    /// The text of the rule is not one of a rule.
    pub fn of_application(&self, key: &str) -> Result<Rule, String> {
        self.with("application", toml::Value::String(key.to_owned()))
    }

    fn with(&self, key: &str, value: toml::Value) -> Result<Rule, String> {
        let mut table: toml::Table =
            self.text.parse().map_err(|error: toml::de::Error| error.to_string().trim_end().to_owned())?;
        table.insert(key.to_owned(), value);
        parse(&table)
    }

    /// What its value is compared with.
    pub fn threshold(&self) -> f64 {
        match self.test {
            Test::Compare { threshold, .. } => threshold,
            Test::Change { percent, .. } => percent,
            Test::Past { threshold, .. } => threshold,
            Test::Absent { .. } => 0.0,
        }
    }

    /// How much earlier than the last window the others end that are compared with it.
    pub fn offsets(&self) -> impl Iterator<Item = Micros> {
        let (step, last) = match self.test {
            Test::Change { offset, .. } => (offset, offset),
            Test::Past { offset, .. } => (self.window, offset),
            Test::Compare { .. } | Test::Absent { .. } => (1, 0),
        };
        (1..).map(move |n| n * step).take_while(move |offset| *offset <= last)
    }

    /// The unit of its value and of its threshold; may be empty.
    pub fn unit(&self) -> &'static str {
        match self.test {
            Test::Change { .. } => "%",
            Test::Absent { .. } => "",
            Test::Past { past, .. } => past.unit(),
            Test::Compare { .. } => self.metric.unit(),
        }
    }

    /// What it says, in one line: `error_rate over 5m > 5`.
    pub fn condition(&self) -> String {
        let (of, what) = match self.lens.of() {
            Of::Events => (String::new(), "events".to_owned()),
            Of::Property(name) => (format!(" of {name}"), format!("events with {name}")),
            Of::Sample(name) => (format!(" of {name}"), format!("samples of {name}")),
        };
        let over = format!("{}{of} over {}", self.metric, span(self.window));
        match self.test {
            Test::Compare { operator, threshold, .. } => format!("{over} {operator} {threshold}"),
            Test::Change { operator, percent, offset, .. } => {
                format!("{over} changed {operator} {percent} % in {}", span(offset))
            }
            Test::Past { past, operator, threshold, offset, .. } => {
                format!("{over} {operator} {threshold} {past} of {}", span(offset))
            }
            Test::Absent { span: time } => format!("no {what} for {}", span(time)),
        }
    }
}

/// The keys of a rule.
const KEYS: [&str; 22] = [
    "name",
    "description",
    "application",
    "metric",
    "filter",
    "group_by",
    "window",
    "time_window",
    "compare",
    "operator",
    "threshold",
    "recover",
    "offset",
    "for",
    "keep_firing",
    "severity",
    "no_data",
    "min_events",
    "channels",
    "labels",
    "property",
    "sample",
];

/// All keys that the table of a rule may have.
pub fn keys() -> impl Iterator<Item = &'static str> {
    KEYS.into_iter().chain(manner::KEYS).chain(["enabled"])
}

/// Reads the `[[rule]]` tables of a file.
///
/// # Errors
/// What is wrong, in which rule, and how to mend it.
pub fn parse_all(text: &str) -> Result<Vec<Rule>, String> {
    let file: toml::Table =
        text.parse().map_err(|error: toml::de::Error| error.to_string().trim_end().to_owned())?;
    if let Some(key) = file.keys().find(|key| *key != "rule") {
        return Err(format!("{key:?} is not known here: rules are tables that begin with [[rule]]"));
    }
    let rules = match file.get("rule") {
        Some(toml::Value::Array(rules)) => rules.clone(),
        None => Vec::new(),
        Some(_) => return Err("write [[rule]], with two brackets".to_owned()),
    };
    let mut all: Vec<Rule> = Vec::new();
    for (n, table) in (1..).zip(rules) {
        let toml::Value::Table(table) = table else { return Err(format!("rule {n} is no table")) };
        let name = table
            .get("name")
            .and_then(toml::Value::as_str)
            .map_or_else(|| n.to_string(), |name| format!("{name:?}"));
        let rule = parse(&table).map_err(|error| format!("rule {name}: {error}"))?;
        if all.iter().any(|other| other.name == rule.name) {
            return Err(format!("two rules have the name {name}"));
        }
        all.push(rule);
    }
    Ok(all)
}

/// Reads a rule from the text of its table.
///
/// # Errors
/// As [`parse_all`].
pub fn parse_one(text: &str) -> Result<Rule, String> {
    let table: toml::Table =
        text.parse().map_err(|error: toml::de::Error| error.to_string().trim_end().to_owned())?;
    parse(&table)
}

/// Reads the values of a table, one by one.
pub(crate) struct Reader<'a>(&'a toml::Table);

impl<'a> Reader<'a> {
    pub(crate) fn table(&self) -> &'a toml::Table {
        self.0
    }

    pub(crate) fn text(&self, key: &str) -> Result<Option<&'a str>, String> {
        match self.0.get(key) {
            None => Ok(None),
            Some(toml::Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(format!("{key} is a text: write it in quotes")),
        }
    }

    fn number(&self, key: &str) -> Result<Option<f64>, String> {
        match self.0.get(key) {
            None => Ok(None),
            #[expect(clippy::cast_precision_loss, reason = "thresholds are far below 2^52")]
            Some(toml::Value::Integer(number)) => Ok(Some(*number as f64)),
            Some(toml::Value::Float(number)) if number.is_finite() => Ok(Some(*number)),
            Some(_) => Err(format!("{key} is a number, without quotes")),
        }
    }

    fn span(&self, key: &str) -> Result<Option<Micros>, String> {
        let span = self.text(key)?.map(|text| parse_span(text).map_err(|error| format!("{key}: {error}")));
        let span = span.transpose()?;
        match span {
            Some(span) if span > SPAN_MAX => Err(format!("{key} is at most 1d")),
            span => Ok(span),
        }
    }

    pub(crate) fn texts(&self, key: &str) -> Result<Vec<String>, String> {
        self.0.get(key).map_or_else(|| Ok(Vec::new()), |value| texts(value, key))
    }
}

/// A text, or several.
pub(crate) fn texts(value: &toml::Value, what: &str) -> Result<Vec<String>, String> {
    let wrong = || format!("{what} is a text, or a list of texts");
    match value {
        toml::Value::String(text) => Ok(vec![text.clone()]),
        toml::Value::Array(list) => {
            list.iter().map(|value| value.as_str().map(str::to_owned).ok_or_else(wrong)).collect()
        }
        _ => Err(wrong()),
    }
}

fn parse(table: &toml::Table) -> Result<Rule, String> {
    let read = Reader(table);
    if let Some(key) = table.keys().find(|key| keys().all(|known| known != key.as_str())) {
        return Err(match key.as_str() {
            "condition" | "sql" => {
                format!("{key}: conditions in SQL are not available: write metric and compare")
            }
            _ => format!(
                "the key {key:?} is not known; there are {}, {} and enabled",
                KEYS.join(", "),
                manner::KEYS.join(", ")
            ),
        });
    }
    let name = read.text("name")?.unwrap_or_default().trim();
    if name.is_empty() || name.chars().count() > 100 || name.chars().any(char::is_control) {
        return Err("name is a text of 1 to 100 characters in one line".to_owned());
    }
    let metric = read.text("metric")?.unwrap_or("events");
    let metric = Metric::of(metric).ok_or_else(|| {
        let names: Vec<&str> = metric::ALL.iter().map(|metric| metric.name).collect();
        format!("the metric {metric:?} is not known; there are {}", names.join(", "))
    })?;
    let window = window(&read)?;
    let lens = looks::parse(&read, metric)?;
    let test = test(&read, window)?;
    if !lens.group_by().is_empty() && !matches!(test, Test::Compare { .. }) {
        return Err("group_by goes with a comparison only: what is absent has no groups".to_owned());
    }
    let timing =
        Timing { wait: read.span("for")?.unwrap_or(0), keep_firing: read.span("keep_firing")?.unwrap_or(0) };
    Ok(Rule {
        name: name.to_owned(),
        description: read.text("description")?.unwrap_or_default().to_owned(),
        application: read.text("application")?.unwrap_or("*").to_owned(),
        metric,
        lens,
        window,
        test,
        timing,
        severity: severity(&read)?,
        no_data: no_data(&read)?,
        min_events: min_events(table)?,
        channels: read.texts("channels")?,
        manner: manner::parse(&read, name)?,
        labels: labels(table)?,
        is_enabled: match table.get("enabled") {
            None => true,
            Some(toml::Value::Boolean(is)) => *is,
            Some(_) => return Err("enabled is true or false".to_owned()),
        },
        text: table.to_string(),
    })
}

/// The window: `window = "5m"`, or `time_window = 5` in minutes.
fn window(read: &Reader<'_>) -> Result<Micros, String> {
    let window = match (read.span("window")?, read.0.get("time_window")) {
        (Some(_), Some(_)) => return Err("window and time_window say the same: leave one out".to_owned()),
        (Some(window), None) => window,
        (None, None) => 300 * SECOND,
        (None, Some(toml::Value::Integer(minutes))) if (1..=1440).contains(minutes) => minutes * 60 * SECOND,
        (None, Some(_)) => return Err("time_window is a number of minutes from 1 to 1440".to_owned()),
    };
    if window == 0 { Err("window is 5s at least".to_owned()) } else { Ok(window) }
}

fn severity(read: &Reader<'_>) -> Result<Severity, String> {
    let name = read.text("severity")?.unwrap_or("medium");
    let severity = Severity::ALL.into_iter().find(|severity| severity.name() == name);
    severity.ok_or_else(|| format!("severity is low, medium, high or critical, and not {name:?}"))
}

fn no_data(read: &Reader<'_>) -> Result<NoData, String> {
    match read.text("no_data")?.unwrap_or("ok") {
        "ok" => Ok(NoData::Ok),
        "keep" => Ok(NoData::Keep),
        "fire" => Ok(NoData::Fire),
        other => Err(format!("no_data is ok, keep or fire, and not {other:?}")),
    }
}

fn min_events(table: &toml::Table) -> Result<i64, String> {
    match table.get("min_events") {
        None => Ok(0),
        Some(toml::Value::Integer(number)) if *number >= 0 => Ok(*number),
        Some(_) => Err("min_events is a whole number".to_owned()),
    }
}

fn labels(table: &toml::Table) -> Result<BTreeMap<String, String>, String> {
    let wrong = || "labels is a table of texts: labels = { team = \"web\" }".to_owned();
    let Some(labels) = table.get("labels") else { return Ok(BTreeMap::new()) };
    let labels = labels.as_table().ok_or_else(wrong)?;
    let text = |(key, value): (&String, &toml::Value)| {
        Ok((key.clone(), value.as_str().ok_or_else(wrong)?.to_owned()))
    };
    labels.iter().map(text).collect()
}

/// What a comparison looks like, for errors.
const COMPARE: &str = "write compare = \"> 5\", \"absent for 10m\", \"change < -50 %\", \"above baseline by 3x\" or \
                       \"moving average ± 3\"";

fn test(read: &Reader<'_>, window: Micros) -> Result<Test, String> {
    let recover = read.number("recover")?;
    let offset = read.span("offset")?;
    let test = match (read.text("compare")?, read.text("operator")?, read.number("threshold")?) {
        (Some(text), None, None) => compare(text.trim(), recover, offset, window)?,
        (None, Some(text), Some(threshold)) => {
            let operator = OPERATORS.iter().find(|(name, _)| *name == text.trim());
            let operator = operator
                .ok_or_else(|| format!("the operator {text:?} is not known: write >, >=, <, <=, == or !="))?
                .1;
            Test::Compare { operator, threshold, recover }
        }
        (None, None, None) => return Err(format!("when does it hold? {COMPARE}")),
        (None, ..) => return Err("operator and threshold belong together".to_owned()),
        (Some(_), ..) => {
            return Err("compare says what operator and threshold say: leave them out".to_owned());
        }
    };
    check_recovery(test)?;
    match test {
        Test::Change { offset: 0, .. } => Err("offset is 5s at least".to_owned()),
        Test::Compare { .. } | Test::Absent { .. } if offset.is_some() => {
            Err("offset goes with what is compared with an earlier time: compare = \"change < -50 %\""
                .to_owned())
        }
        test => Ok(test),
    }
}

fn check_recovery(test: Test) -> Result<(), String> {
    let (operator, threshold, recover) = match test {
        Test::Compare { operator, threshold, recover } => (operator, threshold, recover),
        Test::Change { operator, percent, recover, .. } => (operator, percent, recover),
        Test::Past { operator, threshold, recover, .. } => (operator, threshold, recover),
        Test::Absent { .. } => return Ok(()),
    };
    match recover {
        Some(recover) if !operator.is_beyond(recover, threshold) => Err(format!(
            "recover is where it is over: with {operator} {threshold}, {recover} is no such threshold"
        )),
        _ => Ok(()),
    }
}

fn compare(text: &str, recover: Option<f64>, offset: Option<Micros>, window: Micros) -> Result<Test, String> {
    let wrong = || format!("compare = {text:?} cannot be read: {COMPARE}");
    for later in ["anomaly", "quantile"] {
        if text.starts_with(later) {
            return Err(format!("compare = {text:?} is not available: {COMPARE}"));
        }
    }
    if let Some((past, operator, threshold)) = past(text).transpose().map_err(|()| wrong())? {
        let offset = earlier(offset, window)?;
        return Ok(Test::Past { past, operator, threshold, recover, offset });
    }
    if let Some(time) = text.strip_prefix("absent for") {
        let time = parse_span(time)?;
        if time == 0 || time > SPAN_MAX {
            return Err("absent for 5s at least and 1d at most".to_owned());
        }
        return match recover {
            None => Ok(Test::Absent { span: time }),
            Some(_) => Err("what is absent has no threshold for its recovery: leave recover out".to_owned()),
        };
    }
    let (is_change, rest) = match text.strip_prefix("change") {
        Some(rest) => (true, rest.trim().trim_end_matches('%').trim_end()),
        None => (false, text),
    };
    let (name, operator) = OPERATORS.iter().find(|(name, _)| rest.starts_with(name)).ok_or_else(wrong)?;
    let number: f64 = rest[name.len()..].trim().parse().map_err(|_| wrong())?;
    if !number.is_finite() {
        return Err(wrong());
    }
    Ok(if is_change {
        let offset = offset.unwrap_or(window);
        Test::Change { operator: *operator, percent: number, recover, offset }
    } else {
        Test::Compare { operator: *operator, threshold: number, recover }
    })
}

/// Reads `above baseline by 3x` and `moving average ± 3`. `None`: it is something else.
fn past(text: &str) -> Option<Result<(Past, Operator, f64), ()>> {
    let words = [
        ("above baseline by", true, Past::Factor),
        ("below baseline by", false, Past::Factor),
        ("moving average", true, Past::Distance),
    ];
    let (rest, is_above, past) = words
        .into_iter()
        .find_map(|(words, is_above, past)| Some((text.strip_prefix(words)?, is_above, past)))?;
    Some(match past {
        Past::Factor => factor(rest.trim(), is_above).map(|(operator, factor)| (past, operator, factor)),
        _ => distance(rest.trim()),
    })
}

/// `3x`: more than three times as much, or less than a third; `50 %`: so much more, or less.
fn factor(text: &str, is_above: bool) -> Result<(Operator, f64), ()> {
    let (number, is_percent) = match (text.strip_suffix(['x', '×']), text.strip_suffix('%')) {
        (Some(number), _) => (number, false),
        (_, Some(number)) => (number, true),
        _ => return Err(()),
    };
    let number: f64 = number.trim().parse().map_err(|_| ())?;
    let factor = match (is_percent, is_above) {
        (true, true) => 1.0 + number / 100.0,
        (true, false) => 1.0 - number / 100.0,
        (false, true) => number,
        (false, false) => 1.0 / number,
    };
    match is_above {
        true if factor.is_finite() && factor > 1.0 => Ok((Operator::Above, factor)),
        false if factor > 0.0 && factor < 1.0 => Ok((Operator::Below, factor)),
        _ => Err(()),
    }
}

/// `± 3`, `+ 3` or `- 3`: how many standard deviations, to which side.
fn distance(text: &str) -> Result<(Past, Operator, f64), ()> {
    let signs = [("±", 0), ("+-", 0), ("+/-", 0), ("+", 1), ("-", -1), ("−", -1)];
    let (rest, side) =
        signs.into_iter().find_map(|(sign, side)| Some((text.strip_prefix(sign)?, side))).ok_or(())?;
    let number: f64 = rest.trim().parse().map_err(|_| ())?;
    match side {
        _ if !(number.is_finite() && number > 0.0) => Err(()),
        0 => Ok((Past::Distance, Operator::Above, number)),
        1 => Ok((Past::Above, Operator::Above, number)),
        _ => Ok((Past::Above, Operator::Below, -number)),
    }
}

/// How far back the windows before reach.
fn earlier(offset: Option<Micros>, window: Micros) -> Result<Micros, String> {
    let reach = offset.unwrap_or(window * past::WINDOWS);
    if reach % window != 0 {
        return Err(format!("offset is a multiple of window, {}: windows follow one another", span(window)));
    }
    if reach > SPAN_MAX {
        return Err(format!(
            "{} windows of {} reach further back than 1d: write a shorter window, or an offset of 1d at most",
            past::WINDOWS,
            span(window)
        ));
    }
    match reach / window {
        ..past::WINDOWS_MIN => Err(format!(
            "offset has {} windows at least: {}",
            past::WINDOWS_MIN,
            span(window * past::WINDOWS_MIN)
        )),
        n if n > past::WINDOWS_MAX => Err(format!(
            "offset has {} windows at most: {}",
            past::WINDOWS_MAX,
            span(window * past::WINDOWS_MAX)
        )),
        _ => Ok(reach),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(rest: &str) -> Result<Rule, String> {
        parse_one(&format!("name = \"x\"\n{rest}"))
    }

    #[test]
    fn a_rule_has_values_by_default() {
        let rule = read("metric = \"error_rate\"\ncompare = \"> 5\"").unwrap();
        assert_eq!(rule.condition(), "error_rate over 5m > 5");
        assert_eq!((rule.severity, rule.is_enabled, rule.min_events), (Severity::Medium, true, 0));
        assert!(rule.is_of("shop") && rule.reach() == 300 * SECOND);
        let again = parse_one(&rule.text).unwrap();
        assert_eq!(again, rule);
    }

    #[test]
    fn a_rule_is_of_numbers_that_events_say_or_that_somebody_sends() {
        let price = read("metric = \"sum\"\nproperty = \"price\"\ncompare = \"< 100\"").unwrap();
        assert_eq!(price.condition(), "sum of price over 5m < 100");
        assert!(price.is_of("shop") && !price.is_of(""));
        let orders = read("sample = \"orders\"\ncompare = \"absent for 10m\"").unwrap();
        assert_eq!(orders.condition(), "no samples of orders for 10m");
        assert!(orders.is_of("shop") && !orders.is_of(""));
        let disk =
            "metric = \"mean\"\nsample = \"host.disk_percent\"\ngroup_by = [\"host\"]\ncompare = \"> 90\"";
        let disk = read(disk).unwrap();
        assert!(disk.is_of("") && !disk.is_of("shop"));
        assert_eq!(parse_one(&disk.text).unwrap(), disk);
    }

    #[test]
    fn a_rule_says_everything() {
        let rule = read(
            "metric = \"events_per_minute\"\nfilter = { path = [\"/api/*\", \"/v1/*\"], status = \"!5xx\" }\n\
             window = \"10m\"\ncompare = \"change < -50 %\"\noffset = \"1d\"\nrecover = -20\nfor = \"1m\"\n\
             keep_firing = \"2m\"\nseverity = \"critical\"\nno_data = \"keep\"\nmin_events = 20\n\
             channels = [\"ops\"]\napplication = \"shop*\"\nenabled = false\nlabels = { team = \"web\" }",
        )
        .unwrap();
        assert_eq!(rule.condition(), "events_per_minute over 10m changed < -50 % in 1d");
        assert_eq!(rule.reach(), (86_400 + 600) * SECOND);
        assert_eq!(rule.lens.to_string(), r#"path=["/api/*", "/v1/*"] status!=["5*"] by "#);
        assert!(rule.is_of("shop-2") && !rule.is_of("blog") && !rule.is_enabled);
        assert_eq!(parse_one(&rule.text).unwrap(), rule);
        let minutes = read("time_window = 15\noperator = \">=\"\nthreshold = 2.5").unwrap();
        assert_eq!(minutes.condition(), "events over 15m >= 2.5");
        assert_eq!(read("compare = \"absent for 10m\"").unwrap().condition(), "no events for 10m");
    }

    #[test]
    fn a_rule_compares_with_the_windows_before() {
        let told = |rest: &str| {
            let rule = read(rest).unwrap();
            assert_eq!(parse_one(&rule.text).unwrap(), rule);
            let offsets: Vec<Micros> = rule.offsets().map(|offset| offset / SECOND).collect();
            assert_eq!(rule.reach() / SECOND, offsets.last().unwrap() + rule.window / SECOND);
            (rule.condition(), rule.threshold(), rule.unit(), offsets.len(), offsets[0])
        };
        let condition = |text: &str| text.to_owned();
        for text in ["above baseline by 3x", "above baseline by 3 ×", "above baseline by 200 %"] {
            let expected = condition("events over 5m > 3 times the median of 1h");
            assert_eq!(told(&format!("compare = \"{text}\"")), (expected, 3.0, "×", 12, 300), "{text}");
        }
        let below =
            told("compare = \"below baseline by 2x\"\noffset = \"1d\"\nwindow = \"1h\"\nrecover = 0.8");
        let expected = condition("events over 1h < 0.5 times the median of 1d");
        assert_eq!(below, (expected, 0.5, "×", 24, 3600));
        let half = told("compare = \"below baseline by 50 %\"");
        assert_eq!(half.0, "events over 5m < 0.5 times the median of 1h");
        for (text, condition) in [
            ("moving average ± 3", "> 3 standard deviations from the mean of 1h"),
            ("moving average +- 2.5", "> 2.5 standard deviations from the mean of 1h"),
            ("moving average + 3", "> 3 standard deviations above the mean of 1h"),
            ("moving average - 3", "< -3 standard deviations above the mean of 1h"),
        ] {
            assert_eq!(told(&format!("compare = \"{text}\"")).0, format!("events over 5m {condition}"));
        }
        let change = told("compare = \"change < -50 %\"\noffset = \"1d\"");
        assert_eq!((change.3, change.4), (1, 86_400));
        assert_eq!(read("compare = \"> 5\"").unwrap().offsets().count(), 0);
    }

    #[test]
    fn what_is_wrong_is_said_with_its_mend() {
        for (rest, error) in [
            ("", "when does it hold?"),
            ("compare = \"5\"", "cannot be read"),
            ("compare = \"> many\"", "cannot be read"),
            ("compare = \"> NaN\"", "cannot be read"),
            ("compare = 5", "write it in quotes"),
            ("compare = \"anomaly\"", "not available"),
            ("compare = \"above baseline by -3x\"", "cannot be read"),
            ("compare = \"above baseline by 3\"", "cannot be read"),
            ("compare = \"above baseline\"", "cannot be read"),
            ("compare = \"below baseline by 120 %\"", "cannot be read"),
            ("compare = \"below baseline by 0.5x\"", "cannot be read"),
            ("compare = \"moving average ± 0\"", "cannot be read"),
            ("compare = \"moving average 3\"", "cannot be read"),
            ("compare = \"moving average ± 3\"\noffset = \"7m\"", "a multiple of window"),
            ("compare = \"moving average ± 3\"\noffset = \"10m\"", "3 windows at least"),
            ("compare = \"moving average ± 3\"\nwindow = \"10s\"\noffset = \"1d\"", "96 windows at most"),
            ("compare = \"moving average ± 3\"\nwindow = \"12h\"", "a shorter window"),
            ("compare = \"moving average ± 3\"\nrecover = 4", "no such threshold"),
            ("compare = \"below baseline by 2x\"\nrecover = 0.4", "no such threshold"),
            ("compare = \"moving average ± 3\"\ngroup_by = [\"path\"]", "no groups"),
            ("compare = \"> 5\"\nmetric = \"eror_rate\"", "there are events"),
            ("compare = \"> 5\"\nseverity = \"bad\"", "low, medium, high or critical"),
            ("compare = \"> 5\"\nwindow = \"7s\"", "multiple of 5s"),
            ("compare = \"> 5\"\nwindow = \"0s\"", "5s at least"),
            ("compare = \"> 5\"\nwindow = \"2d\"", "at most 1d"),
            ("compare = \"> 5\"\nwindow = \"5m\"\ntime_window = 5", "leave one out"),
            ("compare = \"> 5\"\ntime_window = 0", "from 1 to 1440"),
            ("compare = \"> 5\"\nthreshold = 5", "leave them out"),
            ("threshold = 5", "belong together"),
            ("operator = \"=>\"\nthreshold = 5", "write >, >="),
            ("compare = \"> 5\"\nrecover = 7", "no such threshold"),
            ("compare = \"== 5\"\nrecover = 5", "no such threshold"),
            ("compare = \"> 5\"\noffset = \"1h\"", "goes with what is compared"),
            ("compare = \"change < -50 %\"\noffset = \"0s\"", "5s at least"),
            ("compare = \"absent for 0s\"", "5s at least"),
            ("compare = \"absent for 10m\"\nrecover = 1", "leave recover out"),
            ("compare = \"absent for 10m\"\ngroup_by = [\"path\"]", "no groups"),
            ("compare = \"> 5\"\ngroup_by = [\"colour\"]", "there are class, type"),
            ("compare = \"> 5\"\nfilter = { colour = \"red\" }", "filter: the column"),
            ("compare = \"> 5\"\nfilter = { path = 5 }", "a text, or a list"),
            ("compare = \"> 5\"\nfilter = { path = [] }", "write patterns"),
            ("compare = \"> 5\"\nfilter = { path = [\"a\", \"!b\"] }", "write patterns"),
            ("compare = \"> 5\"\nno_data = \"maybe\"", "ok, keep or fire"),
            ("compare = \"> 5\"\nmin_events = -1", "whole number"),
            ("compare = \"> 5\"\nlabels = { team = 5 }", "table of texts"),
            ("compare = \"> 5\"\nenabled = \"yes\"", "true or false"),
            ("compare = \"> 5\"\ncolour = \"red\"", "is not known; there are name"),
            ("condition = \"SELECT 1\"", "SQL are not available"),
            ("compare = \"> 5\"\nmetric = \"sum\"", "metric = \"sum\": of what?"),
            ("compare = \"> 5\"\nproperty = \"a\"\nsample = \"b\"", "leave one out"),
            ("compare = \"> 5\"\nproperty = \"\"", "property is a name"),
            ("compare = \"> 5\"\nsample = 5", "sample is a text"),
            (
                "compare = \"> 5\"\nsample = \"a\"\nmetric = \"errors\"",
                "there are events, events_per_minute, sum",
            ),
            ("compare = \"> 5\"\nsample = \"a\"\ngroup_by = [\"path\"]", "group_by: samples have no path"),
            ("compare = \"> 5\"\nsample = \"a\"\nfilter = { path = \"/\" }", "filter: samples have no path"),
            ("compare = \"> 5\"\nsample = \"host.load\"\napplication = \"shop\"", "leave application out"),
        ] {
            let told = read(rest).expect_err(rest);
            assert!(told.contains(error), "{rest}: {told}");
        }
    }

    #[test]
    fn a_file_has_rules_with_names_of_their_own() {
        let two = "[[rule]]\nname = \"a\"\ncompare = \"> 1\"\n[[rule]]\nname = \"b\"\ncompare = \"> 2\"\n";
        assert_eq!(parse_all(two).unwrap().len(), 2);
        assert_eq!(parse_all("").unwrap().len(), 0);
        for (text, error) in [
            (two.replace("\"b\"", "\"a\""), "two rules have the name \"a\""),
            ("[[rule]]\ncompare = \"> 1\"".to_owned(), "rule 1: name is a text"),
            ("[rule]\nname = \"a\"".to_owned(), "two brackets"),
            ("[[rules]]\nname = \"a\"".to_owned(), "begin with [[rule]]"),
            ("rule = [1]".to_owned(), "rule 1 is no table"),
            ("[[rule".to_owned(), "TOML parse error"),
        ] {
            let told = parse_all(&text).expect_err(&text);
            assert!(told.contains(error), "{text}: {told}");
        }
    }
}
