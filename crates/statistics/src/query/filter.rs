//! What a question keeps.

use regex::Regex;

use super::groups::{Dimension, Groups, Level};
use crate::query::Failed;
use crate::segment::{Segment, columns as c};

/// The most conditions and levels of a filter.
const CONDITIONS_MAX: usize = 200;
const LEVELS_MAX: usize = 20;

/// A condition on a value.
#[derive(Debug, Clone)]
pub enum Test {
    /// It is one of these.
    Is(Vec<String>),
    /// It contains one of these, byte by byte.
    Contains(Vec<String>),
    /// The pattern matches somewhere in it, in time linear in its length.
    Matches(Regex),
    /// It is this, or comes before it, byte by byte: of times.
    UpTo(String),
}

impl Test {
    /// Whether it is true of a value.
    pub fn is_true(&self, value: &str) -> bool {
        match self {
            Test::Is(values) => values.iter().any(|one| one == value),
            Test::Contains(parts) => parts.iter().any(|part| value.contains(part.as_str())),
            Test::Matches(pattern) => pattern.is_match(value),
            Test::UpTo(last) => value <= last.as_str(),
        }
    }
}

/// A filter. A session without an entry page has no value of `entry_page` and `exit_page`: no condition is true of it, and so
/// each negated one is.
#[derive(Debug, Clone)]
pub enum Filter {
    /// All of these. Of none: true.
    All(Vec<Filter>),
    /// One of these. Of none: false.
    Any(Vec<Filter>),
    /// Not this.
    Not(Box<Filter>),
    /// A condition on a dimension's value.
    On(Dimension, Test),
}

impl Filter {
    /// Whether it is small enough to be answered.
    pub(super) fn is_small(&self) -> bool {
        self.size(0).is_some_and(|size| size <= CONDITIONS_MAX)
    }

    fn size(&self, level: usize) -> Option<usize> {
        if level > LEVELS_MAX {
            return None;
        }
        match self {
            Filter::On(..) => Some(1),
            Filter::Not(filter) => filter.size(level + 1),
            Filter::All(all) | Filter::Any(all) => {
                all.iter().try_fold(0, |sum, filter| Some(sum + filter.size(level + 1)?))
            }
        }
    }

    /// Whether one of its conditions is of a kind.
    fn has(&self, is_such: &impl Fn(Dimension) -> bool) -> bool {
        match self {
            Filter::On(dimension, _) => is_such(*dimension),
            Filter::Not(filter) => filter.has(is_such),
            Filter::All(all) | Filter::Any(all) => all.iter().any(|filter| filter.has(is_such)),
        }
    }

    /// Whether it has a condition on `page`.
    pub(super) fn has_page(&self) -> bool {
        self.has(&|dimension| dimension == Dimension::Page)
    }

    /// Whether it has a condition that is of single events.
    pub(super) fn is_of_events(&self) -> bool {
        self.has(&Dimension::is_of_events)
    }

    /// Whether it has conditions on `page` only.
    pub(super) fn is_of_pages(&self) -> bool {
        !self.has(&|dimension| dimension != Dimension::Page)
    }
}

/// A filter for one segment: a condition is whether it is true of each value, by the value's number.
#[derive(Debug)]
pub(super) enum Node {
    All(Vec<Node>),
    Any(Vec<Node>),
    Not(Box<Node>),
    /// Of sessions: a number for each, and whether it is true of each number.
    Sessions {
        ids: Vec<u32>,
        pass: Vec<bool>,
        has_no_other: bool,
    },
    /// Of paths.
    Pages(Vec<bool>),
    /// Of types of events; and whether it is true of `pageview`.
    Types(Vec<bool>, bool),
    /// Of hours or minutes: its groups tell which.
    Times(Groups, Vec<bool>),
}

/// Of what is asked whether a filter keeps it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Of {
    Sessions,
    Views,
    Others,
    /// Only of filters on pages.
    Strays,
}

impl Node {
    /// Looks at each value of each condition once.
    pub(super) fn new(
        filter: &Filter,
        segment: &Segment,
        day: &str,
        domains: &[String],
    ) -> Result<Node, Failed> {
        let all = |all: &[Filter]| -> Result<Vec<Node>, Failed> {
            all.iter().map(|filter| Node::new(filter, segment, day, domains)).collect()
        };
        Ok(match filter {
            Filter::All(filters) => Node::All(all(filters)?),
            Filter::Any(filters) => Node::Any(all(filters)?),
            Filter::Not(filter) => Node::Not(Box::new(Node::new(filter, segment, day, domains)?)),
            Filter::On(dimension, test) => {
                let groups = Groups::new(*dimension, segment, day, domains)?;
                // Number 0 is what had no room, whatever it is called.
                let names = groups.names.iter().enumerate();
                let passes =
                    names.map(|(n, name)| (n > 0 || groups.has_no_other) && test.is_true(name)).collect();
                match groups.level {
                    Level::Sessions(ids) => {
                        Node::Sessions { ids, pass: passes, has_no_other: groups.has_no_other }
                    }
                    Level::Pages => Node::Pages(passes),
                    Level::Types { .. } => Node::Types(passes, test.is_true("pageview")),
                    Level::Times { .. } => Node::Times(groups, passes),
                }
            }
        })
    }

    /// Whether a value that it looks at had no room in the segment: what it keeps may lack rows.
    pub(super) fn has_other(&self, segment: &Segment) -> Result<bool, Failed> {
        let has = |column| -> Result<bool, Failed> { Ok(segment.ints(column)?.contains(&0)) };
        Ok(match self {
            Node::All(nodes) | Node::Any(nodes) => {
                for node in nodes {
                    if node.has_other(segment)? {
                        return Ok(true);
                    }
                }
                false
            }
            Node::Not(node) => node.has_other(segment)?,
            Node::Sessions { ids, has_no_other, .. } => !has_no_other && ids.contains(&0),
            Node::Pages(_) => has(c::VIEW_PATH)? || has(c::OTHER_PATH)? || has(c::STRAY_PATH)?,
            Node::Types(..) => has(c::OTHER_TYPE)?,
            Node::Times(..) => false,
        })
    }

    /// Whether each row is kept.
    pub(super) fn mask(&self, segment: &Segment, of: Of) -> Result<Vec<bool>, Failed> {
        let passes = |passes: &[bool], id: u32| passes.get(id as usize).copied().unwrap_or(false);
        let join = |nodes: &[Node], is_all: bool| -> Result<Vec<bool>, Failed> {
            let Some((first, more)) = nodes.split_first() else {
                return Ok(vec![is_all; rows(segment, of)]);
            };
            let mut mask = first.mask(segment, of)?;
            for node in more {
                for (one, two) in mask.iter_mut().zip(node.mask(segment, of)?) {
                    *one = if is_all { *one & two } else { *one | two };
                }
            }
            Ok(mask)
        };
        let paths = |column| -> Result<&[u32], Failed> { Ok(segment.ints(column)?) };
        Ok(match self {
            Node::All(nodes) => join(nodes, true)?,
            Node::Any(nodes) => join(nodes, false)?,
            Node::Not(node) => {
                let mut mask = node.mask(segment, of)?;
                mask.iter_mut().for_each(|one| *one = !*one);
                mask
            }
            Node::Sessions { ids, pass, .. } => {
                let sessions: Vec<bool> = ids.iter().map(|id| passes(pass, *id)).collect();
                match of {
                    Of::Sessions | Of::Strays => sessions,
                    Of::Views => spread(&sessions, segment.view_starts()?),
                    Of::Others => spread(&sessions, segment.other_starts()?),
                }
            }
            Node::Pages(pass) => {
                let column = match of {
                    Of::Sessions => return Ok(vec![false; rows(segment, of)]),
                    Of::Views => c::VIEW_PATH,
                    Of::Others => c::OTHER_PATH,
                    Of::Strays => c::STRAY_PATH,
                };
                paths(column)?.iter().map(|id| passes(pass, *id)).collect()
            }
            Node::Types(pass, is_view) => match of {
                Of::Others => segment.ints(c::OTHER_TYPE)?.iter().map(|id| passes(pass, *id)).collect(),
                _ => vec![*is_view; rows(segment, of)],
            },
            Node::Times(groups, pass) => {
                let (starts, times) = match of {
                    Of::Views => (segment.view_starts()?, segment.ints(c::VIEW_TIME)?),
                    Of::Others => (segment.other_starts()?, segment.ints(c::OTHER_TIME)?),
                    Of::Sessions | Of::Strays => return Ok(vec![false; rows(segment, of)]),
                };
                let begins = segment.ints(c::START)?;
                let mut mask = Vec::with_capacity(times.len());
                for (begin, two) in begins.iter().zip(starts.windows(2)) {
                    let within = times.get(two[0] as usize..two[1] as usize).unwrap_or(&[]);
                    mask.extend(within.iter().map(|time| passes(pass, groups.time(*begin, *time))));
                }
                mask
            }
        })
    }
}

fn rows(segment: &Segment, of: Of) -> usize {
    segment.rows(match of {
        Of::Sessions => c::Table::Sessions,
        Of::Views => c::Table::Views,
        Of::Others => c::Table::Others,
        Of::Strays => c::Table::Strays,
    })
}

/// What is true of sessions, of each of their rows.
fn spread(sessions: &[bool], starts: &[u32]) -> Vec<bool> {
    let mut mask = Vec::with_capacity(starts.last().map_or(0, |last| *last as usize));
    for (is_kept, two) in sessions.iter().zip(starts.windows(2)) {
        mask.resize(two[1] as usize, *is_kept);
    }
    mask
}
