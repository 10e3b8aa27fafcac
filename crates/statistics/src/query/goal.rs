//! Goals: events or pages that an application names, and which of them each row of a segment reaches.

use super::{Block, Failed, Filter, Known, Node, Of, Property};
use crate::segment::{Segment, columns as c};

/// The most goals of an application: one bit each.
pub const GOALS_MAX: usize = 50;

/// The longest name of a goal, bytes.
const NAME_MAX: usize = 100;

/// The longest type of event or pattern, bytes.
const TEXT_MAX: usize = 1_000;

/// The most `*` of a pattern.
const STARS_MAX: usize = 20;

/// What reaches a goal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum On {
    /// An event of this type.
    Event(String),
    /// A page view with a path of this pattern, in which `*` is any text.
    Page(String),
}

/// A goal.
#[derive(Debug, Clone, PartialEq)]
pub struct Goal {
    /// Its name, by which it is a value of [`Dimension::Goal`](super::Dimension::Goal).
    pub name: String,
    /// What reaches it.
    pub on: On,
    /// What has to be true of these events, too; none of them is on goals.
    pub conditions: Vec<Filter>,
    /// The property whose number the events are worth; `None`: what they are worth by themselves.
    pub worth: Option<Property>,
}

impl Goal {
    /// A goal, if it can be one.
    ///
    /// # Errors
    /// What is wrong, and how to mend it.
    pub fn checked(name: &str, event: Option<&str>, page: Option<&str>) -> Result<Goal, String> {
        let name = name.trim();
        text("the name", name, NAME_MAX)?;
        let on = match (event, page) {
            (Some("request" | "engagement"), None) => {
                return Err(
                    "rows of the types request and engagement are no events: nobody would reach the goal"
                        .to_owned(),
                );
            }
            (Some(event), None) => {
                text("the type of event", event, TEXT_MAX)?;
                On::Event(event.to_owned())
            }
            (None, Some(page)) => {
                text("the page", page, TEXT_MAX)?;
                if !page.starts_with(['/', '*']) {
                    return Err(format!(
                        "the page {page:?} does not begin with / or *: write a path such as /thanks or /blog/*"
                    ));
                }
                if page.matches('*').count() > STARS_MAX {
                    return Err(format!("the page has more than {STARS_MAX} *"));
                }
                On::Page(page.to_owned())
            }
            _ => return Err("a goal is either an event or a page".to_owned()),
        };
        Ok(Goal { name: name.to_owned(), on, conditions: Vec::new(), worth: None })
    }

    /// The same goal, worth the numbers of a property.
    ///
    /// # Errors
    /// The name is none that a property can have.
    pub fn worth(mut self, property: &str) -> Result<Goal, String> {
        let named = Property::named(property);
        self.worth = Some(named.ok_or_else(|| format!("{property:?} is no name of a property"))?);
        Ok(self)
    }
}

impl On {
    /// Whether an event of a type reaches it; `path` is that of a page view, and of nothing else.
    pub fn is_reached(&self, event_type: &str, path: Option<&str>) -> bool {
        match self {
            On::Event(kind) => kind == event_type,
            On::Page(pattern) => path.is_some_and(|path| fits(pattern, path)),
        }
    }
}

fn text(what: &str, text: &str, most: usize) -> Result<(), String> {
    if text.is_empty() || text.len() > most {
        return Err(format!("{what} has from 1 to {most} bytes"));
    }
    match text.chars().find(|one| one.is_control()) {
        Some(one) => Err(format!("{what} has a control character ({one:?})")),
        None => Ok(()),
    }
}

/// Whether a path is of a pattern, in which `*` is any text. Each part is looked for once, behind the one before it.
pub(super) fn fits(pattern: &str, path: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else { return pattern == path };
    let Some(mut path) = path.strip_prefix(first) else { return false };
    let (middle, last) = rest.rsplit_once('*').map_or((None, rest), |(middle, last)| (Some(middle), last));
    for part in middle.into_iter().flat_map(|middle| middle.split('*')) {
        let Some(at) = path.find(part) else { return false };
        path = &path[at + part.len()..];
    }
    path.ends_with(last)
}

/// Which goals the rows of a segment reach, a bit for each goal.
#[derive(Debug)]
pub(super) struct Reached<'s> {
    /// By the number of a page view's path.
    pub(super) pages: Vec<u64>,
    /// By the number of another event's type.
    pub(super) types: Vec<u64>,
    /// By every page view, as an event.
    pub(super) view: u64,
    /// What has to be true, too: the bit of the goal, and its conditions.
    conditions: Vec<(u64, Node<'s>)>,
}

impl<'s> Reached<'s> {
    /// Looks at each path and each type once; at most [`GOALS_MAX`] goals. What had no room reaches none.
    pub(super) fn of(segment: &'s Segment, goals: &[Goal], known: &Known<'_>) -> Result<Reached<'s>, Failed> {
        let bits = |reaches: &dyn Fn(&On) -> bool| {
            let bit = |(at, goal): (usize, &Goal)| u64::from(reaches(&goal.on)) << at;
            goals.iter().take(GOALS_MAX).enumerate().map(bit).fold(0, |all, bit| all | bit)
        };
        let of_type = |kind: &str| bits(&|on| matches!(on, On::Event(event) if event == kind));
        let of_path = |path: &str| bits(&|on| matches!(on, On::Page(pattern) if fits(pattern, path)));
        let (paths, types) = (segment.texts(c::PATHS)?.iter(), segment.texts(c::TYPES)?.iter());
        Ok(Reached {
            pages: std::iter::once(0).chain(paths.map(of_path)).collect(),
            types: std::iter::once(0).chain(types.map(of_type)).collect(),
            view: of_type("pageview"),
            conditions: conditions(segment, goals, known)?,
        })
    }

    /// The goals that each row of a block reaches, of page views or of other events.
    pub(super) fn rows(&self, segment: &Segment, block: &Block, of: Of) -> Result<Vec<u64>, Failed> {
        let bits = |all: &[u64], id: &u32| all.get(*id as usize).copied().unwrap_or(0);
        let mut rows: Vec<u64> = match of {
            Of::Views => {
                let paths = segment.ints_of(c::VIEW_PATH, block.views)?;
                paths.iter().map(|path| self.view | bits(&self.pages, path)).collect()
            }
            Of::Others => {
                let types = segment.ints_of(c::OTHER_TYPE, block.others)?;
                types.iter().map(|kind| bits(&self.types, kind)).collect()
            }
            Of::Sessions | Of::Strays => return Ok(Vec::new()),
        };
        for (bit, condition) in &self.conditions {
            if rows.iter().any(|reached| reached & bit != 0) {
                let mask = condition.mask(segment, block, of)?;
                let fails = rows.iter_mut().zip(mask).filter(|(_, is_true)| *is_true == 0);
                fails.for_each(|(reached, _)| *reached &= !bit);
            }
        }
        Ok(rows)
    }

    /// Whether no row can reach one of these goals.
    pub(super) fn is_never(&self, wanted: u64) -> bool {
        let all = self.pages.iter().chain(&self.types).chain([&self.view]);
        all.fold(0, |all, bits| all | bits) & wanted == 0
    }
}

/// A bit for each goal for which `passes` has a 1.
pub(super) fn bits(passes: &[u8]) -> u64 {
    let bit = |(at, pass): (usize, &u8)| u64::from(*pass) << at;
    passes.iter().take(GOALS_MAX).enumerate().map(bit).fold(0, |all, bit| all | bit)
}

fn conditions<'s>(
    segment: &'s Segment,
    goals: &[Goal],
    known: &Known<'_>,
) -> Result<Vec<(u64, Node<'s>)>, Failed> {
    let mut all = Vec::new();
    for (at, goal) in goals.iter().take(GOALS_MAX).enumerate().filter(|(_, goal)| !goal.conditions.is_empty())
    {
        all.push((1 << at, Node::new(&Filter::All(goal.conditions.clone()), segment, known)?));
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_has_any_text_where_a_star_is() {
        for (pattern, path, is_fit) in [
            ("/a", "/a", true),
            ("/a", "/ab", false),
            ("/a*", "/a", true),
            ("/a*", "/a/b/c", true),
            ("*", "", true),
            ("*/thanks", "/shop/thanks", true),
            ("*/thanks", "/shop/thanks/", false),
            ("/a*a", "/a", false),
            ("/a*a", "/aa", true),
            ("/*/b/*/c", "/x/b/y/c", true),
            ("/*/b/*/c", "/x/b/c", false),
            ("/a**b", "/ab", true),
            ("/a*bc*c", "/abc", false),
            ("/%_\\*", "/%_\\x", true),
            ("/é*", "/é\u{10ffff}", true),
        ] {
            assert_eq!(fits(pattern, path), is_fit, "{pattern} {path}");
        }
    }

    #[test]
    fn what_can_be_no_goal_is_refused_with_a_reason() {
        assert_eq!(Goal::checked(" Sign-up ", Some("signup"), None).unwrap().name, "Sign-up");
        assert!(Goal::checked("Thanks", None, Some("/thanks*")).is_ok());
        let (long, stars) = ("a".repeat(1_001), format!("/{}", "*".repeat(21)));
        for (name, event, page, why) in [
            ("", Some("signup"), None, "the name has from 1 to 100 bytes"),
            ("  ", Some("signup"), None, "the name has from 1 to 100 bytes"),
            ("a\nb", Some("signup"), None, "control character"),
            (&long[..101], Some("signup"), None, "the name has"),
            ("a", None, None, "either an event or a page"),
            ("a", Some("signup"), Some("/a"), "either an event or a page"),
            ("a", Some("request"), None, "are no events"),
            ("a", Some(""), None, "the type of event has"),
            ("a", None, Some("thanks"), "does not begin with /"),
            ("a", None, Some(&*long), "the page has from 1"),
            ("a", None, Some(&*stars), "more than 20 *"),
        ] {
            let said = Goal::checked(name, event, page).unwrap_err();
            assert!(said.contains(why), "{name} {event:?} {page:?}: {said}");
        }
    }
}
