//! Segments: filters that an application keeps under a name.

use super::condition::{Named, condition, segment};
use super::filter::Filter;
use crate::query::Failed;

/// The most characters of a segment's name.
pub const NAME_MAX: usize = 100;

/// The most filters of a segment, and the most bytes of all of them together.
pub const FILTERS_MAX: usize = 20;
pub(super) const BYTES_MAX: usize = 8_000;

/// Filters with a name, all of which hold for what is in the segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Saved {
    /// Its name.
    pub name: String,
    /// The filters, as they are written.
    pub filters: Vec<String>,
}

impl Saved {
    /// A segment, if it can be one. Its filters name no segment, so that none consists of itself.
    ///
    /// # Errors
    /// What is wrong, and how to mend it.
    pub fn checked(name: &str, filters: &[&str]) -> Result<Saved, String> {
        let name = name.trim();
        if name.is_empty() || name.chars().count() > NAME_MAX || name.contains(char::is_control) {
            return Err(format!(
                "the name of a segment has 1 to {NAME_MAX} characters, none of them a control character"
            ));
        }
        if name.split_whitespace().next() == Some("not") {
            return Err(
                "the name of a segment does not begin with the word `not`, because `segment is not NAME` is \
                        what is not in the segment NAME"
                    .to_owned(),
            );
        }
        if filters.is_empty() || filters.len() > FILTERS_MAX {
            return Err(format!("a segment has 1 to {FILTERS_MAX} filters"));
        }
        if filters.iter().map(|text| text.len()).sum::<usize>() > BYTES_MAX {
            return Err(format!("the filters of a segment have at most {BYTES_MAX} bytes together"));
        }
        for text in filters {
            condition(text).map_err(|why| why.to_string())?;
        }
        let filters = filters.iter().map(|text| (*text).to_owned()).collect();
        Ok(Saved { name: name.to_owned(), filters })
    }

    /// All of its filters.
    ///
    /// # Errors
    /// An earlier or a later version stored one that this one does not know; says which.
    pub fn filter(&self) -> Result<Filter, String> {
        let all = self.filters.iter().map(|text| condition(text)).collect::<Result<Vec<Filter>, _>>();
        all.map(Filter::All)
            .map_err(|why| format!("the segment {:?} cannot be used until it is changed: {why}", self.name))
    }
}

/// By which names of segments are equal: without regard to capitals.
#[must_use]
pub fn folded(name: &str) -> String {
    name.trim().to_lowercase()
}

/// The names of segments in filters, as [`folded`] writes them.
///
/// # Errors
/// One is named by an operator by which none is.
pub fn names(texts: &[&str]) -> Result<Vec<String>, String> {
    let name = |text: &&str| segment(text).transpose().map(|named| named.map(|named| folded(named.name)));
    texts.iter().filter_map(name).collect::<Result<Vec<String>, _>>().map_err(|why| why.to_string())
}

/// All of these filters, as people write them. `known` are the segments that may be named. `None`: there is no filter.
///
/// # Errors
/// One is no filter, or its segment is none of these; says which, and how to mend it.
pub fn all(texts: &[&str], known: &[Saved]) -> Result<Option<Filter>, String> {
    let one = |text: &&str| -> Result<Filter, String> {
        let Some(Named { name, is_negated }) = segment(text).map_err(|why| why.to_string())? else {
            return condition(text).map_err(|why| why.to_string());
        };
        let saved = known.iter().find(|saved| folded(&saved.name) == folded(name)).ok_or_else(|| {
            format!(
                "there is no segment {name:?}; GET /api/v1/segments and `alt stats segment list` list them"
            )
        })?;
        let filter = saved.filter()?;
        Ok(if is_negated { Filter::Not(Box::new(filter)) } else { filter })
    };
    let all = Filter::All(texts.iter().map(one).collect::<Result<Vec<Filter>, _>>()?);
    if !all.is_small() {
        return Err(format!("{}, those of its segments included", Failed::Filter));
    }
    Ok((!texts.is_empty()).then_some(all))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(texts: &[&str], known: &[Saved]) -> String {
        format!("{:?}", all(texts, known).unwrap().unwrap())
    }

    #[test]
    fn a_segment_stands_for_its_filters() {
        let readers = Saved::checked(" Lesér ", &["country is DE", "page contains /blog"]).unwrap();
        assert_eq!(readers.name, "Lesér");
        let known = [readers];
        let inner = "All([On(Country, Is([\"DE\"])), On(Page, Contains([\"/blog\"]))])";
        assert_eq!(shown(&["segment is LESÉR "], &known), format!("All([{inner}])"));
        assert_eq!(
            shown(&["browser is Firefox", "segment is not lesér"], &known),
            format!("All([On(Browser, Is([\"Firefox\"])), Not({inner})])")
        );
        assert!(all(&[], &known).unwrap().is_none());
        assert_eq!(names(&["country is DE", "segment is Lesér", "x"]).unwrap(), ["lesér"]);
        for text in ["segment is others", "segment is", "segment is not"] {
            assert!(all(&[text], &known).unwrap_err().contains("there is no segment"), "{text}");
        }
        let many = Saved::checked("Many", &["country is DE"; 20]).unwrap();
        let many = [many];
        assert!(all(&["segment is many"; 10], &many).is_ok());
        assert!(all(&["segment is many"; 11], &many).unwrap_err().contains("200 conditions"));
        for text in ["segment contains e", "segment does not match e"] {
            assert!(all(&[text], &known).unwrap_err().contains("segment is NAME"), "{text}");
            assert!(names(&[text]).is_err(), "{text}");
        }
    }

    #[test]
    fn a_segment_that_cannot_be_is_told_why() {
        let why = |name: &str, filters: &[&str]| Saved::checked(name, filters).unwrap_err();
        for name in ["", " ", "a\nb", "a\u{0}", &"x".repeat(101)] {
            assert!(why(name, &["country is DE"]).contains("1 to 100 characters"), "{name:?}");
        }
        for name in ["not", "not readers", " not\u{3000}x"] {
            assert!(why(name, &["country is DE"]).contains("the word `not`"), "{name:?}");
        }
        assert!(Saved::checked("nothing", &["country is DE"]).is_ok());
        assert!(why("a", &[]).contains("1 to 20 filters"));
        assert!(why("a", &["country is DE"; 21]).contains("1 to 20 filters"));
        let long = format!("page is /{}", "x".repeat(3_000));
        assert!(why("a", &[long.as_str(); 3]).contains("8000 bytes"));
        assert!(why("a", &["planet is Mars"]).contains("no filter"));
        assert!(why("a", &["page matches ("]).contains("pattern"));
        for text in ["segment is a", "segment is not b", "segment contains c"] {
            assert!(why("a", &[text]).contains("a segment is named"), "{text}");
        }
    }

    #[test]
    fn a_segment_with_a_filter_of_another_version_says_which() {
        let old = Saved { name: "Old".to_owned(), filters: vec!["planet is Mars".to_owned()] };
        let why = all(&["segment is old"], &[old]).unwrap_err();
        assert!(why.contains("\"Old\"") && why.contains("planet is Mars"), "{why}");
    }
}
