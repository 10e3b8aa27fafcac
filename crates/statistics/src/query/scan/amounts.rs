//! Sums what the events of a block say, for each value that they have.

use super::sieve::Sifted;
use super::{Events, Scan, own};
use crate::details::{self, Currency, Said};
use crate::query::amounts::{Amounts, One};
use crate::query::block::{Block, Of};
use crate::query::groups::Level;
use crate::query::{Failed, Property, Query};
use crate::segment::columns::{self as c, Table, Valued};
use crate::segment::{Broken, Segment};

/// What is summed, while a segment is scanned.
#[derive(Debug)]
pub(super) struct Summed {
    /// Of each value; behind them that of events without one.
    pub(super) values: Vec<Amounts>,
    pub(super) total: Amounts,
    /// Types of events that put something into a cart (1), or are orders (2).
    types: Vec<u8>,
    /// The property that is summed.
    property: Option<Numbered>,
    /// Of each goal whether its events are worth a property's number, which it may not have.
    goals: Vec<(bool, Option<Numbered>)>,
}

/// A property: its column, and the number that each of its texts is.
#[derive(Debug)]
struct Numbered {
    column: Valued,
    known: Vec<Said>,
}

impl Numbered {
    /// `None`: there is no property, or the segment was made before it was chosen.
    fn new(property: Option<&Property>, segment: &Segment) -> Result<Option<Numbered>, Broken> {
        let Some(property) = property else { return Ok(None) };
        let Some(column) = property.column(segment)? else { return Ok(None) };
        // What had no room is no number.
        let mut known = vec![Said::Nothing, Said::Unread];
        if let Some((texts, _)) = segment.value_texts(column)? {
            known.extend(texts.iter().map(Said::read));
        }
        Ok(Some(Numbered { column, known }))
    }

    /// What a number of the column is.
    fn said(&self, number: u64) -> Said {
        usize::try_from(number).ok().and_then(|at| self.known.get(at)).copied().unwrap_or_default()
    }
}

impl Summed {
    /// `None`: nothing is asked for.
    pub(super) fn new(query: &Query, segment: &Segment, values: usize) -> Result<Option<Summed>, Failed> {
        if !query.has_amounts {
            return Ok(None);
        }
        let kind = |text: &str| u8::from(details::is_cart(text)) + 2 * u8::from(details::is_order(text));
        let types = std::iter::once(0).chain(segment.texts(c::TYPES)?.iter().map(kind)).collect();
        let mut goals = Vec::new();
        for goal in &query.goals {
            goals.push((goal.worth.is_some(), Numbered::new(goal.worth.as_ref(), segment)?));
        }
        Ok(Some(Summed {
            values: vec![Amounts::default(); values],
            total: Amounts::default(),
            types,
            property: Numbered::new(query.sum_of.as_ref(), segment)?,
            goals,
        }))
    }
}

/// A column of a block's events; `None`: none of them says anything.
type Column = Option<Vec<u64>>;

fn at(column: &Column, row: usize) -> u64 {
    column.as_ref().and_then(|values| values.get(row)).copied().unwrap_or(0)
}

/// The columns of a block's events of a table.
struct Rows {
    first: usize,
    revenue: Column,
    currency: Column,
    quantity: Column,
    results: Column,
    property: Column,
    goals: Vec<Column>,
    kinds: Vec<u32>,
}

impl Rows {
    fn read(segment: &Segment, block: &Block, of: Of, summed: &Summed) -> Result<Rows, Broken> {
        let (table, run) = match of {
            Of::Views => (Table::Views, block.views),
            _ => (Table::Others, block.others),
        };
        let read = |column: Valued| -> Result<Column, Broken> {
            let numbers = segment.value(column, table)?;
            Ok(numbers.map(|numbers| {
                let mut values = vec![0; run.len()];
                numbers.read_long(run.from, &mut values);
                values
            }))
        };
        let of_property = |property: &Option<Numbered>| {
            property.as_ref().map_or(Ok(None), |property| read(property.column))
        };
        Ok(Rows {
            first: run.from,
            revenue: read(c::REVENUE)?,
            currency: read(c::CURRENCY)?,
            quantity: read(c::QUANTITY)?,
            results: read(c::RESULTS)?,
            property: of_property(&summed.property)?,
            goals: summed.goals.iter().map(|(_, worth)| of_property(worth)).collect::<Result<_, _>>()?,
            kinds: match of {
                Of::Views => Vec::new(),
                _ => segment.ints_of(c::OTHER_TYPE, run)?,
            },
        })
    }

    /// What an event of the block says.
    fn one(&self, row: usize, summed: &Summed) -> One {
        let kind =
            self.kinds.get(row).and_then(|kind| summed.types.get(*kind as usize)).copied().unwrap_or(0);
        One {
            revenue: Said::of_stored(at(&self.revenue, row)),
            currency: Currency::of_number(at(&self.currency, row)).unwrap_or_default(),
            quantity: Said::of_stored(at(&self.quantity, row)),
            sum: summed.property.as_ref().map_or(Said::Nothing, |known| known.said(at(&self.property, row))),
            results: at(&self.results, row).checked_sub(1),
            is_cart: kind & 1 != 0,
            is_order: kind & 2 != 0,
        }
    }

    /// The same for a goal, which may be worth a property.
    fn of_goal(&self, row: usize, goal: usize, one: &One, summed: &Summed) -> One {
        match summed.goals.get(goal) {
            Some((true, worth)) => {
                let column = self.goals.get(goal).unwrap_or(&None);
                let revenue = worth.as_ref().map_or(Said::Nothing, |known| known.said(at(column, row)));
                One { revenue, ..*one }
            }
            _ => *one,
        }
    }
}

impl Scan<'_> {
    /// Sums what the events that are kept say. `ids` are the values of the sessions.
    pub(super) fn amounts(&mut self, sifted: &Sifted, ids: &[u32]) -> Result<(), Failed> {
        let Some(mut summed) = self.summed.take() else { return Ok(()) };
        let Sifted { block, kept, sessions } = sifted;
        for of in [Of::Views, Of::Others] {
            let is_view = of == Of::Views;
            let starts = if is_view { self.columns.views } else { self.columns.others };
            let rows = Rows::read(self.segment, block, of, &summed)?;
            let events = Events::new(self.segment, block, of, &self.groups, false)?;
            let reached = match &self.groups.level {
                Level::Goals(reached) => Some(reached.rows(self.segment, block, of)?),
                _ => None,
            };
            for session in sessions {
                let of_session = own(starts, session.row, rows.first);
                for row in of_session.rows().filter(|row| kept.has(*row, is_view)) {
                    match &reached {
                        Some(reached) => summed.say_of_goals(&rows, row, reached[row]),
                        None => {
                            let id = ids[session.n] as usize;
                            let value = events.values.get(row).map_or(id, |value| *value as usize);
                            summed.say(&rows, row, value);
                        }
                    }
                }
            }
        }
        self.summed = Some(summed);
        Ok(())
    }
}

impl Summed {
    /// Adds what an event says to the total and to its value.
    fn say(&mut self, rows: &Rows, row: usize, value: usize) {
        let one = rows.one(row, self);
        if one.is_something() {
            self.total.say(&one);
            let last = self.values.len() - 1;
            self.values[value.min(last)].say(&one);
        }
    }

    /// The same to each goal that it reaches: a bit for each.
    fn say_of_goals(&mut self, rows: &Rows, row: usize, mut reached: u64) {
        let one = rows.one(row, self);
        self.total.say(&one);
        while reached != 0 {
            let goal = reached.trailing_zeros() as usize;
            let of_goal = rows.of_goal(row, goal, &one, self);
            if let Some(amounts) = self.values.get_mut(goal) {
                amounts.say(&of_goal);
            }
            reached &= reached - 1;
        }
    }
}
