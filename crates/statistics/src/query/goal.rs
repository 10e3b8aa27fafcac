//! Goals: events or pages that an application names, and which of them each row of a segment reaches.

use crate::segment::{Broken, Segment, columns as c};

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
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Goal {
    /// Its name, by which it is a value of [`Dimension::Goal`](super::Dimension::Goal).
    pub name: String,
    /// What reaches it.
    pub on: On,
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
        Ok(Goal { name: name.to_owned(), on })
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
pub(super) struct Reached {
    /// By the number of a page view's path.
    pub(super) pages: Vec<u64>,
    /// By the number of another event's type.
    pub(super) types: Vec<u64>,
    /// By every page view, as an event.
    pub(super) view: u64,
}

impl Reached {
    /// Looks at each path and each type once; at most [`GOALS_MAX`] goals. What had no room reaches none.
    pub(super) fn of(segment: &Segment, goals: &[Goal]) -> Result<Reached, Broken> {
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
        })
    }

    /// Whether rows reach one of the goals for which `passes` has a 1: page views by their path, other events by their type,
    /// every page view.
    pub(super) fn passes(&self, passes: &[u8]) -> (Vec<u8>, Vec<u8>, u8) {
        let bit = |(at, pass): (usize, &u8)| u64::from(*pass) << at;
        let wanted = passes.iter().take(GOALS_MAX).enumerate().map(bit).fold(0, |all, bit| all | bit);
        let pass = |reached: &u64| u8::from(reached & wanted != 0);
        (self.pages.iter().map(pass).collect(), self.types.iter().map(pass).collect(), pass(&self.view))
    }
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
