//! What a question keeps.

use regex::Regex;

use super::block::{Block, Of};
use super::goal::{self, Goal, Reached};
use super::groups::{Dimension, Groups, Ids, Known, Level, Names};
use super::said::Said;
use crate::query::Failed;
use crate::segment::{Numbers, Segment, Texts, columns as c};

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

impl PartialEq for Test {
    fn eq(&self, other: &Test) -> bool {
        match (self, other) {
            (Test::Is(one), Test::Is(two)) | (Test::Contains(one), Test::Contains(two)) => one == two,
            (Test::Matches(one), Test::Matches(two)) => one.as_str() == two.as_str(),
            (Test::UpTo(one), Test::UpTo(two)) => one == two,
            _ => false,
        }
    }
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

    /// Whether it is true of each name: 1 or 0.
    fn passes(&self, names: &Names<'_>) -> Vec<u8> {
        match (self, names) {
            (Test::Contains(parts), Names::Dictionary(texts, _))
                if parts.iter().all(|part| !part.is_empty()) =>
            {
                let mut passes = vec![0; names.len()];
                parts.iter().for_each(|part| contain(part, texts, &mut passes));
                passes
            }
            _ => (0..names.len()).map(|n| u8::from(self.is_true(names.get(n).0))).collect(),
        }
    }
}

/// Sets 1 for each text that contains a part, which is not empty: one search through all texts as if they were one.
fn contain(part: &str, texts: &Texts, passes: &mut [u8]) {
    let (whole, ends) = texts.whole();
    let (mut from, mut number) = (0, 0);
    while let Some(found) = whole.get(from..).and_then(|rest| rest.find(part)) {
        let at = from + found;
        // The text in which it begins; empty ones end before.
        number += ends[number..].partition_point(|end| *end as usize <= at);
        let Some(end) = ends.get(number).map(|end| *end as usize) else { return };
        if let Some(pass) = passes.get_mut(number + 1) {
            *pass |= u8::from(at + part.len() <= end);
        }
        // Whatever begins later in this text ends behind it, too, if this one does.
        from = end;
    }
}

/// A filter. A session without an entry page has no value of `entry_page` and `exit_page`: no condition is true of it, and so
/// each negated one is.
#[derive(Debug, Clone, PartialEq)]
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
    pub(super) fn has(&self, is_such: &impl Fn(Dimension) -> bool) -> bool {
        match self {
            Filter::On(dimension, _) => is_such(*dimension),
            Filter::Not(filter) => filter.has(is_such),
            Filter::All(all) | Filter::Any(all) => all.iter().any(|filter| filter.has(is_such)),
        }
    }

    /// Adds the dimensions of its conditions.
    pub(super) fn dimensions(&self, to: &mut Vec<Dimension>) {
        match self {
            Filter::On(dimension, _) => to.push(*dimension),
            Filter::Not(filter) => filter.dimensions(to),
            Filter::All(all) | Filter::Any(all) => all.iter().for_each(|filter| filter.dimensions(to)),
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

impl Filter {
    /// Whether it has a condition on goals.
    pub fn has_goal(&self) -> bool {
        self.has(&|dimension| dimension == Dimension::Goal)
    }

    /// Without its conditions on goals: whose share a goal's visitors are. `None`: nothing is left.
    pub fn without_goals(&self) -> Option<Filter> {
        let all = |filters: &[Filter]| -> Vec<Filter> {
            filters.iter().filter_map(Filter::without_goals).collect()
        };
        match self {
            Filter::On(Dimension::Goal, _) => None,
            Filter::On(..) => Some(self.clone()),
            Filter::Not(filter) => Some(Filter::Not(Box::new(filter.without_goals()?))),
            Filter::All(filters) => Some(all(filters)).filter(|left| !left.is_empty()).map(Filter::All),
            Filter::Any(filters) => Some(all(filters)).filter(|left| !left.is_empty()).map(Filter::Any),
        }
    }

    /// A goal that it names (`goal is NAME`) and that is none of these.
    pub fn unknown_goal(&self, goals: &[Goal]) -> Option<&str> {
        match self {
            Filter::On(Dimension::Goal, Test::Is(names)) => {
                names.iter().find(|name| !goals.iter().any(|goal| goal.name == **name)).map(String::as_str)
            }
            Filter::On(..) => None,
            Filter::Not(filter) => filter.unknown_goal(goals),
            Filter::All(filters) | Filter::Any(filters) => {
                filters.iter().find_map(|filter| filter.unknown_goal(goals))
            }
        }
    }
}

/// A filter for one segment: a condition is whether it is true of each value (1 or 0), by the value's number.
#[derive(Debug)]
pub(super) enum Node<'s> {
    All(Vec<Node<'s>>),
    Any(Vec<Node<'s>>),
    Not(Box<Node<'s>>),
    /// Of sessions.
    Sessions(Sessions<'s>),
    /// Of paths.
    Pages(Vec<u8>),
    /// Of types of events; and whether it is true of `pageview`.
    Types(Vec<u8>, u8),
    /// Of hours or minutes: its groups tell which.
    Times(Groups<'s>, Vec<u8>),
    /// Of page views before or after page views: its groups tell which.
    Neighbours(Groups<'s>, Vec<u8>),
    /// Of what events say.
    Said(Said<'s>, Vec<u8>),
    /// Of goals: a bit for each of which it is true.
    Goals(Reached<'s>, u64),
}

/// A condition on an attribute of sessions.
#[derive(Debug)]
pub(super) enum Sessions<'s> {
    /// True of all, or of none.
    One(u8),
    /// By the numbers of a column; and whether one of them had no room.
    Column(&'s Numbers, Vec<u8>, bool),
    /// Of each.
    Each(Vec<u8>, bool),
}

impl<'s> Node<'s> {
    /// Looks at each value of each condition once.
    pub(super) fn new(filter: &Filter, segment: &'s Segment, known: &Known<'_>) -> Result<Node<'s>, Failed> {
        let all = |all: &[Filter]| -> Result<Vec<Node<'s>>, Failed> {
            all.iter().map(|filter| Node::new(filter, segment, known)).collect()
        };
        Ok(match filter {
            Filter::All(filters) => Node::All(all(filters)?),
            Filter::Any(filters) => Node::Any(all(filters)?),
            Filter::Not(filter) => Node::Not(Box::new(Node::new(filter, segment, known)?)),
            Filter::On(dimension, test) => {
                let groups = Groups::new(*dimension, segment, known)?;
                let mut passes = test.passes(&groups.names);
                // Number 0 is what had no room, whatever it is called.
                if let (false, Some(first)) = (groups.has_no_other, passes.first_mut()) {
                    *first = 0;
                }
                match groups.level {
                    Level::Sessions(ids) => Node::Sessions(Sessions::new(ids, &passes, segment)),
                    Level::Pages => Node::Pages(passes),
                    Level::Types { .. } => Node::Types(passes, u8::from(test.is_true("pageview"))),
                    Level::Times { .. } => Node::Times(groups, passes),
                    Level::Neighbours { .. } => Node::Neighbours(groups, passes),
                    Level::Said(said) => Node::Said(said, passes),
                    Level::Goals(reached) | Level::Funnel(reached, _) => {
                        Node::Goals(reached, goal::bits(&passes))
                    }
                }
            }
        })
    }

    /// Whether a value that it looks at had no room in the segment: what it keeps may lack rows.
    pub(super) fn has_other(&self, segment: &Segment) -> Result<bool, Failed> {
        let has = |column| -> Result<bool, Failed> { Ok(segment.ints(column)?.has_zero()) };
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
            Node::Sessions(Sessions::One(_)) => false,
            Node::Sessions(Sessions::Column(_, _, has_other) | Sessions::Each(_, has_other)) => *has_other,
            Node::Pages(_) => has(c::VIEW_PATH)? || has(c::OTHER_PATH)? || has(c::STRAY_PATH)?,
            Node::Types(..) => has(c::OTHER_TYPE)?,
            Node::Times(..) => false,
            Node::Neighbours(..) => has(c::VIEW_PATH)?,
            Node::Said(said, _) => said.has_other(),
            Node::Goals(..) => has(c::VIEW_PATH)? || has(c::OTHER_TYPE)?,
        })
    }

    /// Whether it keeps nothing, as far as its dictionaries tell.
    pub(super) fn is_never(&self) -> bool {
        let is_zero = |passes: &[u8]| passes.iter().all(|pass| *pass == 0);
        match self {
            Node::All(nodes) => nodes.iter().any(Node::is_never),
            Node::Any(nodes) => nodes.iter().all(Node::is_never),
            Node::Not(_) => false,
            Node::Sessions(Sessions::One(pass)) => *pass == 0,
            Node::Sessions(Sessions::Column(_, passes, _) | Sessions::Each(passes, _)) => is_zero(passes),
            Node::Pages(passes)
            | Node::Times(_, passes)
            | Node::Neighbours(_, passes)
            | Node::Said(_, passes) => is_zero(passes),
            Node::Types(passes, view) => *view == 0 && is_zero(passes),
            Node::Goals(reached, wanted) => reached.is_never(*wanted),
        }
    }

    /// Whether each row of a block is kept: 1 or 0.
    pub(super) fn mask(&self, segment: &Segment, block: &Block, of: Of) -> Result<Vec<u8>, Failed> {
        let run = block.rows(of);
        let all = |pass: u8| vec![pass; run.len()];
        let join = |nodes: &[Node<'_>], is_all: bool| -> Result<Vec<u8>, Failed> {
            let Some((first, more)) = nodes.split_first() else { return Ok(all(u8::from(is_all))) };
            let mut mask = first.mask(segment, block, of)?;
            for node in more {
                let others = node.mask(segment, block, of)?;
                if is_all {
                    mask.iter_mut().zip(others).for_each(|(one, two)| *one &= two);
                } else {
                    mask.iter_mut().zip(others).for_each(|(one, two)| *one |= two);
                }
            }
            Ok(mask)
        };
        let look_up = |column, passes: &[u8]| -> Result<Vec<u8>, Failed> {
            let mut mask = all(0);
            segment.ints(column)?.look_up(run.from, passes, &mut mask);
            Ok(mask)
        };
        match self {
            Node::All(nodes) => join(nodes, true),
            Node::Any(nodes) => join(nodes, false),
            Node::Not(node) => {
                let mut mask = node.mask(segment, block, of)?;
                mask.iter_mut().for_each(|one| *one ^= 1);
                Ok(mask)
            }
            Node::Sessions(sessions) => {
                let mask = sessions.mask(block);
                match of {
                    Of::Sessions | Of::Strays => Ok(mask),
                    Of::Views => Ok(spread(&mask, segment.view_starts()?, block)),
                    Of::Others => Ok(spread(&mask, segment.other_starts()?, block)),
                }
            }
            Node::Pages(passes) => match of {
                Of::Sessions => Ok(all(0)),
                Of::Views => look_up(c::VIEW_PATH, passes),
                Of::Others => look_up(c::OTHER_PATH, passes),
                Of::Strays => look_up(c::STRAY_PATH, passes),
            },
            Node::Types(passes, is_view) => match of {
                Of::Others => look_up(c::OTHER_TYPE, passes),
                _ => Ok(all(*is_view)),
            },
            Node::Goals(reached, wanted) => match of {
                Of::Sessions | Of::Strays => Ok(all(0)),
                Of::Views | Of::Others => {
                    let rows = reached.rows(segment, block, of)?;
                    Ok(rows.iter().map(|reached| u8::from(reached & wanted != 0)).collect())
                }
            },
            Node::Neighbours(groups, passes) => {
                let Some(values) = groups.neighbours_of(segment, block, of)? else { return Ok(all(0)) };
                let pass = |value: &u32| passes.get(*value as usize).copied().unwrap_or(0);
                Ok(values.iter().map(pass).collect())
            }
            Node::Said(said, passes) => {
                let Some(values) = said.of(block, of) else { return Ok(all(0)) };
                let pass = |value: &u32| passes.get(*value as usize).copied().unwrap_or(0);
                Ok(values.iter().map(pass).collect())
            }
            Node::Times(groups, passes) => {
                let Some(times) = groups.times_of(segment, block, of)? else { return Ok(all(0)) };
                let pass = |group: &u32| passes.get(*group as usize).copied().unwrap_or(0);
                Ok(times.iter().map(pass).collect())
            }
        }
    }
}

impl<'s> Sessions<'s> {
    fn new(ids: Ids<'s>, passes: &[u8], segment: &Segment) -> Sessions<'s> {
        let sessions = segment.rows(c::Table::Sessions);
        let pass = |id: &u32| passes.get(*id as usize).copied().unwrap_or(0);
        match ids {
            Ids::One => Sessions::One(pass(&0)),
            Ids::Column(numbers, None) => Sessions::Column(numbers, passes.to_vec(), numbers.has_zero()),
            Ids::Column(numbers, Some(map)) => {
                let passes = map.iter().map(pass).collect();
                let has_zero = Ids::Column(numbers, Some(map)).has_zero(sessions);
                Sessions::Column(numbers, passes, has_zero)
            }
            Ids::Own(ids) => Sessions::Each(ids.iter().map(pass).collect(), ids.contains(&0)),
        }
    }

    fn mask(&self, block: &Block) -> Vec<u8> {
        let run = block.sessions;
        match self {
            Sessions::One(pass) => vec![*pass; run.len()],
            Sessions::Column(numbers, passes, _) => {
                let mut mask = vec![0; run.len()];
                numbers.look_up(run.from, passes, &mut mask);
                mask
            }
            Sessions::Each(passes, _) => passes.get(run.rows()).unwrap_or(&[]).to_vec(),
        }
    }
}

/// What is true of a block's sessions, of each of their rows.
fn spread(sessions: &[u8], starts: &[u32], block: &Block) -> Vec<u8> {
    let first = block.sessions.from;
    let mut mask = Vec::new();
    for (is_kept, two) in sessions.iter().zip(starts[first..].windows(2)) {
        mask.resize((two[1] - starts[first]) as usize, *is_kept);
    }
    mask
}
