//! Panels of people: questions that are kept under a name, and how their answers are drawn.

use std::borrow::Cow;

use super::condition::condition;
use super::groups::Dimension;
use super::saved::{BYTES_MAX, FILTERS_MAX, NAME_MAX, names};
use super::{Filter, Metric, Property};

/// The most numbers of a panel.
pub const METRICS_MAX: usize = 6;

/// The most values of a panel.
pub const VALUES_MAX: i32 = 100;

/// What a panel can show, and by what its values are ordered.
pub const METRICS: [(&str, &str); 10] = [
    ("visitors", "visitors"),
    ("sessions", "sessions"),
    ("page_views", "page_views"),
    ("events", "events"),
    ("views_per_visit", "views_per_session"),
    ("bounce_rate", "bounce_rate"),
    ("duration", "mean_duration_ms"),
    ("revenue", "revenue"),
    ("orders", "orders"),
    ("sum", "sum"),
];

/// Times of a series.
pub const INTERVALS: [&str; 3] = ["hour", "day", "month"];

/// How an answer is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drawing {
    /// Totals.
    Number,
    /// A number by time.
    Line,
    /// The values with the most of a number.
    Bars,
    /// Numbers by value, or by time.
    Table,
}

impl Drawing {
    /// All of them.
    pub const ALL: [Drawing; 4] = [Drawing::Number, Drawing::Line, Drawing::Bars, Drawing::Table];

    /// Its name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Drawing::Number => "number",
            Drawing::Line => "line",
            Drawing::Bars => "bars",
            Drawing::Table => "table",
        }
    }

    /// The one with this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Drawing> {
        Drawing::ALL.into_iter().find(|one| one.as_str() == name)
    }
}

/// A question with a name. Whatever is asked for that an application may lose (goals, segments, properties) is looked up when it
/// is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Panel {
    /// Its name.
    pub name: String,
    /// How its answer is drawn.
    pub drawing: Drawing,
    /// The numbers that are shown, by the names of [`METRICS`]; values are ordered by the first.
    pub metrics: Vec<String>,
    /// What is counted by.
    pub dimension: Option<String>,
    /// By which times it is counted, one of [`INTERVALS`].
    pub interval: Option<String>,
    /// Filters, as they are written, of which all hold.
    pub filters: Vec<String>,
    /// The property that is summed.
    pub sum: Option<String>,
    /// The most values.
    pub limit: i32,
}

/// Whether a character is not shown, or changes how others are: control characters, and those that turn the direction of text.
fn is_unseen(letter: char) -> bool {
    let turns = matches!(letter, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
    letter.is_control() || turns
}

impl Panel {
    /// The panel, if it can be one; its name is trimmed.
    ///
    /// # Errors
    /// What is wrong, and how to mend it.
    pub fn checked(mut self) -> Result<Panel, String> {
        self.name = self.name.trim().to_owned();
        if self.name.is_empty() || self.name.chars().count() > NAME_MAX || self.name.contains(is_unseen) {
            return Err(format!(
                "the name of a panel has 1 to {NAME_MAX} characters, none of which controls or turns text"
            ));
        }
        self.check_metrics()?;
        self.check_form()?;
        if !(1..=VALUES_MAX).contains(&self.limit) {
            return Err(format!("limit is a number from 1 to {VALUES_MAX}"));
        }
        if self.filters.len() > FILTERS_MAX {
            return Err(format!("a panel has at most {FILTERS_MAX} filters"));
        }
        if self.filters.iter().map(String::len).sum::<usize>() > BYTES_MAX {
            return Err(format!("the filters of a panel have at most {BYTES_MAX} bytes together"));
        }
        for text in &self.filters {
            if names(&[text.as_str()])?.is_empty() {
                condition(text).map_err(|why| why.to_string())?;
            }
        }
        Ok(self)
    }

    fn check_metrics(&self) -> Result<(), String> {
        let all = || METRICS.map(|(name, _)| name).join(", ");
        if self.metrics.is_empty() || self.metrics.len() > METRICS_MAX {
            return Err(format!("a panel has 1 to {METRICS_MAX} metrics, of {}", all()));
        }
        for (n, name) in self.metrics.iter().enumerate() {
            if !METRICS.iter().any(|(known, _)| known == name) {
                return Err(format!("{name:?} is no metric of a panel: write some of {}", all()));
            }
            if self.metrics[..n].contains(name) {
                return Err(format!("the metric {name} is named twice"));
            }
        }
        match (&self.sum, self.metrics.iter().any(|name| name == "sum")) {
            (Some(name), true) if Property::named(name).is_none() => {
                Err(format!("sum: {name:?} is no name of a property"))
            }
            (None, true) => Err("the metric sum is of a property: name it in `sum`".to_owned()),
            (Some(_), false) => {
                Err("sum names a property, and sum is none of the metrics: add it there, or leave it out"
                    .to_owned())
            }
            _ => Ok(()),
        }
    }

    /// Whether it has what its drawing needs.
    fn check_form(&self) -> Result<(), String> {
        if let Some(name) = &self.dimension
            && !Dimension::named(name).is_some_and(Dimension::is_listed)
        {
            return Err(format!("{name:?} is no dimension of a panel: write one of {}", Dimension::listed()));
        }
        if self.interval.as_ref().is_some_and(|name| !INTERVALS.contains(&name.as_str())) {
            return Err(format!("interval is one of {}", INTERVALS.join(", ")));
        }
        let is_one = self.metrics.len() == 1;
        let (is_good, needs) = match (self.drawing, &self.dimension, &self.interval) {
            (Drawing::Number, dimension, interval) => {
                (dimension.is_none() && interval.is_none(), "no dimension and no interval")
            }
            (Drawing::Line, dimension, interval) => (
                is_one && dimension.is_none() && interval.is_some(),
                "one metric and an interval, and no dimension",
            ),
            (Drawing::Bars, dimension, interval) => (
                is_one && dimension.is_some() && interval.is_none(),
                "one metric and a dimension, and no interval",
            ),
            (Drawing::Table, dimension, interval) => {
                (dimension.is_some() != interval.is_some(), "either a dimension or an interval")
            }
        };
        if is_good {
            Ok(())
        } else {
            Err(format!("a panel that is drawn as {} has {needs}", self.drawing.as_str()))
        }
    }

    /// By what its values are ordered; `None`: by visitors, as all lists are.
    #[must_use]
    pub fn order(&self) -> Option<&'static str> {
        let first = self.metrics.first().filter(|name| *name != "visitors")?;
        METRICS.iter().find(|(name, _)| name == first).map(|(_, order)| *order)
    }

    /// Whether what events say is summed of the total, too.
    #[must_use]
    pub fn has_amounts(&self) -> bool {
        self.metrics.iter().any(|name| matches!(name.as_str(), "revenue" | "orders" | "sum"))
    }

    /// A property that it asks for and that is none of these; `filter` is what its filters stand for.
    #[must_use]
    pub fn unknown_property<'a>(&'a self, filter: Option<&Filter>, known: &[String]) -> Option<Cow<'a, str>> {
        let is_unknown = |name: &str| !known.iter().any(|one| one == name);
        let dimension = self.dimension.as_deref().and_then(|name| name.strip_prefix("property:"));
        let named = [dimension, self.sum.as_deref()].into_iter().flatten().find(|name| is_unknown(name));
        let filtered = || {
            let mut all = Vec::new();
            filter?.dimensions(&mut all);
            all.into_iter().find_map(|one| match one {
                Dimension::Property(name) if is_unknown(&name) => Some(name.to_string()),
                _ => None,
            })
        };
        named.map(Cow::Borrowed).or_else(|| filtered().map(Cow::Owned))
    }
}

/// The number of a metric of [`METRICS`].
#[must_use]
pub fn metric(name: &str) -> Option<Metric> {
    METRICS.iter().find(|(known, _)| *known == name).and_then(|(_, order)| Metric::named(order))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn panel(drawing: Drawing, metrics: &[&str], dimension: &str, interval: &str) -> Panel {
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        Panel {
            name: " A panel ".to_owned(),
            drawing,
            metrics: metrics.iter().map(|one| (*one).to_owned()).collect(),
            dimension: some(dimension),
            interval: some(interval),
            filters: vec!["country is DE".to_owned(), "segment is Readers".to_owned()],
            sum: None,
            limit: 10,
        }
    }

    #[test]
    fn a_panel_has_what_its_drawing_needs() {
        use Drawing::{Bars, Line, Number, Table};
        for (drawing, metrics, dimension, interval, why) in [
            (Number, &["visitors", "revenue"][..], "", "", ""),
            (Line, &["bounce_rate"], "", "hour", ""),
            (Bars, &["orders"], "property:plan", "", ""),
            (Table, &["visitors", "duration"], "source", "", ""),
            (Table, &["visitors", "duration"], "", "month", ""),
            (Number, &["visitors"], "page", "", "no dimension"),
            (Line, &["visitors"], "", "", "an interval"),
            (Line, &["visitors", "events"], "", "day", "one metric"),
            (Bars, &["visitors"], "", "", "a dimension"),
            (Bars, &["visitors", "events"], "page", "", "one metric"),
            (Table, &["visitors"], "page", "day", "either"),
            (Table, &["visitors"], "", "", "either"),
            (Bars, &["visitors"], "planet", "", "no dimension of a panel"),
            (Bars, &["visitors"], "day_hour", "", "no dimension of a panel"),
            (Line, &["visitors"], "", "minute", "interval is one of"),
            (Number, &[], "", "", "1 to 6 metrics"),
            (Number, &["entered"], "", "", "no metric"),
            (Number, &["visitors", "visitors"], "", "", "named twice"),
            (Number, &["sum"], "", "", "name it in `sum`"),
        ] {
            let checked = panel(drawing, metrics, dimension, interval).checked();
            match checked {
                Ok(panel) => assert!(why.is_empty() && panel.name == "A panel", "{drawing:?} {metrics:?}"),
                Err(said) => {
                    assert!(!why.is_empty() && said.contains(why), "{drawing:?} {metrics:?}: {said}");
                }
            }
        }
        assert!(METRICS.iter().all(|(name, _)| metric(name).is_some()));
    }

    #[test]
    fn names_that_hide_or_turn_text_are_none() {
        let long = "x".repeat(10_240);
        for name in [" ", &long, "a\u{202e}b", "a\u{2066}b", "a\u{200b}", "a\nb", "\u{feff}", "a\0"] {
            let wrong = Panel { name: name.to_owned(), ..panel(Drawing::Number, &["visitors"], "", "") };
            assert!(wrong.checked().unwrap_err().contains("1 to 100 characters"), "{name:?}");
        }
        let good =
            Panel { name: "売上 ärger <b>".to_owned(), ..panel(Drawing::Number, &["visitors"], "", "") };
        assert!(good.checked().is_ok());
    }

    #[test]
    fn a_property_that_is_not_there_is_found_wherever_it_is_asked_for() {
        let known = ["plan".to_owned()];
        let mut one = panel(Drawing::Bars, &["sum"], "property:plan", "");
        one.sum = Some("plan".to_owned());
        let filter = |text: &str| Filter::Not(Box::new(Filter::All(vec![condition(text).unwrap()])));
        assert_eq!(one.unknown_property(None, &known), None);
        assert_eq!(one.unknown_property(Some(&filter("property:plan is pro")), &known), None);
        assert_eq!(
            one.unknown_property(Some(&filter("property:size is 3")), &known).as_deref(),
            Some("size")
        );
        one.sum = Some("points".to_owned());
        assert_eq!(one.unknown_property(None, &known).as_deref(), Some("points"));
        one.dimension = Some("property:colour".to_owned());
        assert_eq!(one.unknown_property(None, &known).as_deref(), Some("colour"));
    }
}
