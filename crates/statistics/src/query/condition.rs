//! Conditions as people write them: `country is DE`.

use std::fmt;

use regex::RegexBuilder;

use super::filter::{Filter, Test};
use super::goal::Goal;
use super::groups::Dimension;

/// The longest text of a condition, bytes.
const TEXT_MAX: usize = 4_000;

/// What a pattern may take once it is compiled, and while it is matched, bytes.
const PATTERN_BYTES: usize = 1 << 18;

/// Conditions by what stands between dimension and value, the longer ones first: how, and whether it is negated.
const OPERATORS: [(&str, How, bool); 6] = [
    (" is not ", How::Is, true),
    (" is ", How::Is, false),
    (" does not contain ", How::Contains, true),
    (" contains ", How::Contains, false),
    (" does not match ", How::Matches, true),
    (" matches ", How::Matches, false),
];

#[derive(Debug, Clone, Copy)]
enum How {
    Is,
    Contains,
    Matches,
}

impl Test {
    /// The pattern matches somewhere in the value.
    ///
    /// # Errors
    /// [`Unread::Long`], [`Unread::Pattern`].
    pub fn matching(pattern: &str) -> Result<Test, Unread> {
        if pattern.len() > TEXT_MAX {
            return Err(Unread::Long);
        }
        let pattern =
            RegexBuilder::new(pattern).size_limit(PATTERN_BYTES).dfa_size_limit(PATTERN_BYTES).build();
        pattern.map(Test::Matches).map_err(|error| Unread::Pattern(error.to_string()))
    }

    /// The value is the text, or contains it, whatever its capitals.
    ///
    /// # Errors
    /// As [`Test::matching`].
    pub fn like(text: &str, is_whole: bool) -> Result<Test, Unread> {
        let text = regex::escape(text);
        Test::matching(&if is_whole { format!("(?is)^{text}$") } else { format!("(?i){text}") })
    }
}

/// What stands for a dimension where a segment is named: `segment is Readers`.
const SEGMENT: &str = "segment";

/// Why a text is no condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unread {
    /// It has no dimension or no operator that is known.
    Form(String),
    /// It has more than 4,000 bytes.
    Long,
    /// Its pattern is not correct, or too large: why.
    Pattern(String),
    /// It names a segment, and not as one is named, or where none can be named.
    Segment(String),
}

impl fmt::Display for Unread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unread::Form(text) => write!(
                f,
                "{text:?} is no filter: write DIMENSION, then is, is not, contains, does not contain, matches or does \
                 not match, then a value; dimensions are {}",
                Dimension::names()
            ),
            Unread::Long => write!(f, "a filter has at most {TEXT_MAX} bytes"),
            Unread::Pattern(why) => write!(f, "the pattern of the filter: {why}"),
            Unread::Segment(text) => write!(
                f,
                "{text:?}: a segment is named by `segment is NAME` or `segment is not NAME`, in filters of questions alone; \
                 elsewhere, write the filters that it consists of"
            ),
        }
    }
}

impl std::error::Error for Unread {}

/// The most conditions of a goal.
const CONDITIONS_MAX: usize = 10;

impl Goal {
    /// The same goal, reached only by events of which conditions such as `property:plan is pro` are true.
    ///
    /// # Errors
    /// What is wrong, and how to mend it.
    pub fn only(mut self, conditions: &[&str]) -> Result<Goal, String> {
        if conditions.len() > CONDITIONS_MAX {
            return Err(format!("a goal has at most {CONDITIONS_MAX} conditions"));
        }
        for text in conditions {
            let filter = condition(text).map_err(|why| why.to_string())?;
            if filter.has_goal() {
                return Err(format!("{text:?} is a condition on goals, which a goal cannot have"));
            }
            self.conditions.push(filter);
        }
        Ok(self)
    }
}

/// A condition in its parts.
struct Parts<'a> {
    dimension: &'a str,
    how: How,
    is_negated: bool,
    value: &'a str,
}

/// Takes a text apart. `None`: it has no operator.
fn parts(text: &str) -> Option<Parts<'_>> {
    // A value that is empty may have lost the space before it.
    let padded = format!("{text} ");
    let found = OPERATORS
        .iter()
        .filter_map(|operator| Some((padded.find(operator.0)?, operator)))
        .min_by_key(|(at, operator)| (*at, std::cmp::Reverse(operator.0.len())));
    let (at, (operator, how, is_negated)) = found?;
    let value = text.get(at + operator.len()..).unwrap_or("");
    Some(Parts { dimension: text[..at].trim(), how: *how, is_negated: *is_negated, value })
}

/// The segment that a text names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Named<'a> {
    /// Its name.
    pub(super) name: &'a str,
    /// What is not in it is kept.
    pub(super) is_negated: bool,
}

/// The segment that a text such as `segment is Readers` names. `None`: it is another condition, or none.
///
/// # Errors
/// [`Unread::Segment`]: it names one by another operator.
pub(super) fn segment(text: &str) -> Result<Option<Named<'_>>, Unread> {
    match parts(text) {
        Some(Parts { dimension: SEGMENT, how: How::Is, is_negated, value }) => {
            Ok(Some(Named { name: value.trim(), is_negated }))
        }
        Some(Parts { dimension: SEGMENT, .. }) => Err(Unread::Segment(text.to_owned())),
        _ => Ok(None),
    }
}

/// The condition of a text such as `country is DE`, in one of [`Dimension::ALL`].
///
/// # Errors
/// See [`Unread`].
pub fn condition(text: &str) -> Result<Filter, Unread> {
    if text.len() > TEXT_MAX {
        return Err(Unread::Long);
    }
    let bad = || Unread::Form(text.to_owned());
    let Parts { dimension, how, is_negated, value } = parts(text).ok_or_else(bad)?;
    if dimension == SEGMENT {
        return Err(Unread::Segment(text.to_owned()));
    }
    let dimension = Dimension::named(dimension).ok_or_else(bad)?;
    let value = value.to_owned();
    let test = match how {
        How::Is => Test::Is(vec![value]),
        How::Contains => Test::Contains(vec![value]),
        How::Matches => Test::matching(&value)?,
    };
    let filter = Filter::On(dimension, test);
    Ok(if is_negated { Filter::Not(Box::new(filter)) } else { filter })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_is_a_dimension_an_operator_and_a_value() {
        let shown = |text: &str| format!("{:?}", condition(text).unwrap());
        assert_eq!(shown("country is DE"), "On(Country, Is([\"DE\"]))");
        assert_eq!(shown("page is not /what is it"), "Not(On(Page, Is([\"/what is it\"])))");
        assert_eq!(shown("page contains  x"), "On(Page, Contains([\" x\"]))");
        assert_eq!(shown("source does not contain a is b"), "Not(On(Source, Contains([\"a is b\"])))");
        assert_eq!(shown("page matches ^/a$"), "On(Page, Matches(Regex(\"^/a$\")))");
        assert_eq!(shown("campaign is "), "On(Campaign, Is([\"\"]))");
        assert_eq!(shown("campaign is"), "On(Campaign, Is([\"\"]))");
        for text in ["", "country", "country = DE", "planet is Mars", "is DE", "page matches ("] {
            assert!(condition(text).is_err(), "{text}");
        }
        assert!(condition("planet is Mars").unwrap_err().to_string().contains("dimensions are total"));
    }

    #[test]
    fn a_pattern_takes_a_bounded_amount_of_memory() {
        assert!(matches!(condition(r"page matches (\w{1,500}){1,500}"), Err(Unread::Pattern(_))));
        assert_eq!(condition(&format!("page is /{}", "a".repeat(5_000))).unwrap_err(), Unread::Long);
    }
}
