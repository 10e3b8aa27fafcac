//! The values that single events have, because they say them.

use std::fmt;
use std::ops::Deref;

use super::{Block, Failed, Groups, Level, NONE, Names, Numbered, Of};
use crate::details::{self, Currency, PROPERTY_MAX};
use crate::segment::columns::{self as c, Table, Valued};
use crate::segment::{Broken, Numbers, Segment};
use crate::settings::OTHER;

/// The name of a property.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Property {
    length: u8,
    bytes: [u8; PROPERTY_MAX],
}

impl Property {
    /// A property of a name: 1 to [`PROPERTY_MAX`] bytes without control characters.
    pub fn named(name: &str) -> Option<Property> {
        if name.is_empty() || name.chars().any(char::is_control) {
            return None;
        }
        let mut bytes = [0; PROPERTY_MAX];
        bytes.get_mut(..name.len())?.copy_from_slice(name.as_bytes());
        Some(Property { length: u8::try_from(name.len()).ok()?, bytes })
    }

    /// Its column in a segment; `None`: the segment was made before the property was chosen.
    pub(super) fn column(&self, segment: &Segment) -> Result<Option<Valued>, Broken> {
        let at = segment.properties()?.and_then(|names| names.iter().position(|name| *name == **self));
        Ok(at.map(c::property))
    }
}

impl Deref for Property {
    type Target = str;

    fn deref(&self) -> &str {
        str::from_utf8(&self.bytes[..usize::from(self.length)]).unwrap_or("")
    }
}

impl fmt::Debug for Property {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &**self)
    }
}

/// Which value each event has.
#[derive(Debug)]
pub(super) struct Said<'s> {
    views: Option<&'s Numbers>,
    others: Option<&'s Numbers>,
    /// Values by the column's numbers from 1 on; `None`: each number is a value.
    map: Option<Vec<u32>>,
}

impl Said<'_> {
    fn value(&self, number: u32) -> u32 {
        let Some(at) = number.checked_sub(1) else { return NONE };
        match &self.map {
            None => at,
            Some(map) => map.get(at as usize).copied().unwrap_or(NONE),
        }
    }

    /// The values of a block's events of a table. `None`: none of them has one.
    pub(super) fn of(&self, block: &Block, of: Of) -> Option<Vec<u32>> {
        let (numbers, run) = match of {
            Of::Views => (self.views?, block.views),
            Of::Others => (self.others?, block.others),
            Of::Sessions | Of::Strays => return None,
        };
        let mut values = vec![0; run.len()];
        numbers.read(run.from, &mut values);
        values.iter_mut().for_each(|number| *number = self.value(*number));
        Some(values)
    }

    /// Whether an event says something that had no room.
    pub(super) fn has_other(&self) -> bool {
        let has = |numbers: &Numbers| (0..numbers.len()).any(|at| numbers.get(at) == 1);
        self.views.is_some_and(has) || self.others.is_some_and(has)
    }
}

impl<'s> Groups<'s> {
    /// Of what events say, by its text.
    pub(super) fn said(segment: &'s Segment, column: Valued) -> Result<Groups<'s>, Failed> {
        let names = match segment.value_texts(column)? {
            Some((texts, hashes)) => Names::Dictionary(texts, hashes),
            None => Names::Own(vec![OTHER.to_owned()]),
        };
        Ok(Groups { names, level: Level::Said(Said::new(segment, column, None)?), has_no_other: false })
    }

    /// Of outbound links, by their hosts.
    pub(super) fn hosts(segment: &'s Segment) -> Result<Groups<'s>, Failed> {
        let mut names = Numbered::new();
        let mut map = vec![0];
        if let Some((texts, _)) = segment.value_texts(c::OUTBOUND)? {
            map.extend(texts.iter().map(|target| names.id(&details::host(target))));
        }
        let level = Level::Said(Said::new(segment, c::OUTBOUND, Some(map))?);
        Ok(Groups { names: Names::Own(names.names), level, has_no_other: false })
    }

    /// Of what events are worth, by currency.
    pub(super) fn currencies(segment: &'s Segment) -> Result<Groups<'s>, Failed> {
        let (mut names, mut map) = (Vec::new(), Vec::new());
        for table in [Table::Views, Table::Others] {
            let Some(numbers) = segment.value(c::CURRENCY, table)? else { continue };
            for number in (0..numbers.len()).map(|at| numbers.get(at)).filter(|number| *number > 0) {
                let Some(currency) = Currency::of_number(number) else { continue };
                let at = usize::try_from(number - 1).unwrap_or(0);
                if map.len() <= at {
                    map.resize(at + 1, NONE);
                }
                if map[at] == NONE {
                    map[at] = u32::try_from(names.len()).unwrap_or(NONE);
                    names.push(currency.to_string());
                }
            }
        }
        let level = Level::Said(Said::new(segment, c::CURRENCY, Some(map))?);
        Ok(Groups { names: Names::Own(names), level, has_no_other: true })
    }

    /// Of a property. Before it was chosen, no event has a value.
    pub(super) fn property(segment: &'s Segment, property: &Property) -> Result<Groups<'s>, Failed> {
        match property.column(segment)? {
            Some(column) => Groups::said(segment, column),
            None => {
                let said = Said { views: None, others: None, map: None };
                Ok(Groups {
                    names: Names::Own(vec![OTHER.to_owned()]),
                    level: Level::Said(said),
                    has_no_other: false,
                })
            }
        }
    }
}

impl<'s> Said<'s> {
    fn new(segment: &'s Segment, column: Valued, map: Option<Vec<u32>>) -> Result<Said<'s>, Failed> {
        let (views, others) = (segment.value(column, Table::Views)?, segment.value(column, Table::Others)?);
        Ok(Said { views, others, map })
    }
}
