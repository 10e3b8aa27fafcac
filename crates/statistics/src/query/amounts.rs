//! Numbers that events say, summed: revenue by currency, quantities, results of searches, and a property.

use std::collections::BTreeMap;

use crate::decimal::Decimal;
use crate::details::{Currency, Said};

/// A sum, and of how many events.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Amount {
    /// The events.
    pub events: u64,
    /// Their numbers, summed.
    pub sum: Decimal,
}

impl Amount {
    fn add(&mut self, more: Amount) {
        self.events = self.events.saturating_add(more.events);
        self.sum += more.sum;
    }

    fn say(&mut self, sum: Decimal) {
        self.add(Amount { events: 1, sum });
    }
}

/// What the events of a value say, summed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Amounts {
    /// What events are worth, by currency: there is no sum of two.
    pub revenue: BTreeMap<Currency, Amount>,
    /// How much of products was ordered.
    pub quantity: Amount,
    /// [`super::Query::sum_of`].
    pub sum: Amount,
    /// Events that say something else where a number is looked for: they are in none of the sums.
    pub unread: u64,
    /// Events that put something into the cart.
    pub cart_adds: u64,
    /// Orders.
    pub orders: u64,
    /// Searches that say how many results they had, and these.
    pub results: Amount,
    /// Searches without results.
    pub empty_searches: u64,
}

/// What one event says.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct One {
    pub(super) revenue: Said,
    pub(super) currency: Currency,
    pub(super) quantity: Said,
    pub(super) sum: Said,
    pub(super) results: Option<u64>,
    pub(super) is_cart: bool,
    pub(super) is_order: bool,
}

impl One {
    /// Whether it says anything that is summed.
    pub(super) fn is_something(&self) -> bool {
        self.is_cart
            || self.is_order
            || self.results.is_some()
            || [self.revenue, self.quantity, self.sum].iter().any(|said| *said != Said::Nothing)
    }
}

impl Amounts {
    /// Adds what others say.
    pub fn add(&mut self, more: &Amounts) {
        for (currency, amount) in &more.revenue {
            self.revenue.entry(*currency).or_default().add(*amount);
        }
        self.quantity.add(more.quantity);
        self.sum.add(more.sum);
        self.results.add(more.results);
        for (count, more) in [
            (&mut self.unread, more.unread),
            (&mut self.cart_adds, more.cart_adds),
            (&mut self.orders, more.orders),
            (&mut self.empty_searches, more.empty_searches),
        ] {
            *count = count.saturating_add(more);
        }
    }

    /// Adds what an event says.
    pub(super) fn say(&mut self, one: &One) {
        if let Some(number) = one.revenue.number() {
            self.revenue.entry(one.currency).or_default().say(number);
        }
        if let Some(number) = one.quantity.number() {
            self.quantity.say(number);
        }
        if let Some(number) = one.sum.number() {
            self.sum.say(number);
        }
        if let Some(results) = one.results {
            self.results.say(Decimal::of_whole(results));
            self.empty_searches += u64::from(results == 0);
        }
        let is_unread = [one.revenue, one.quantity, one.sum].contains(&Said::Unread);
        self.unread += u64::from(is_unread);
        self.cart_adds += u64::from(one.is_cart);
        self.orders += u64::from(one.is_order);
    }

    /// The revenue of the currency that has most, to sort by.
    pub(super) fn most(&self) -> f64 {
        self.revenue.values().map(|amount| amount.sum.roughly()).fold(f64::NEG_INFINITY, f64::max)
    }
}
