//! What events say, summed, as it is shown. Sums are texts, because they are exact decimal numbers.

use alt_statistics::query::{Amounts, Metric, Tally};
use serde_json::{Value, json};

use crate::ask::number;

/// As JSON.
pub fn json(tally: &Tally) -> Option<Value> {
    let all = tally.amounts.as_deref()?;
    let revenue = all.revenue.iter().map(|(currency, amount)| {
        json!({ "currency": currency.as_str(), "amount": amount.sum.to_string(), "events": number(amount.events) })
    });
    Some(json!({
        "revenue": revenue.collect::<Vec<Value>>(),
        "orders": number(all.orders),
        "cart_adds": number(all.cart_adds),
        "cart_to_order": Metric::CartToOrder.of(tally),
        "quantity": all.quantity.sum.to_string(),
        "searches_with_results": number(all.results.events - all.empty_searches.min(all.results.events)),
        "searches_without_results": number(all.empty_searches),
        "results": all.results.sum.to_string(),
        "sum": all.sum.sum.to_string(),
        "summed_events": number(all.sum.events),
        "unread": number(all.unread),
    }))
}

/// Names of the columns of [`row`].
pub const COLUMNS: [&str; 8] =
    ["revenue", "orders", "cart_adds", "quantity", "results", "searches_without_results", "sum", "unread"];

/// As fields of a table; empty where nothing is said.
pub fn row(tally: &Tally) -> [String; 8] {
    let Some(all) = tally.amounts.as_deref() else { return Default::default() };
    let said = |events: u64, sum: String| if events > 0 { sum } else { String::new() };
    let count = |count: u64| said(count, count.to_string());
    [
        revenue(all),
        count(all.orders),
        count(all.cart_adds),
        said(all.quantity.events, all.quantity.sum.to_string()),
        said(all.results.events, all.results.sum.to_string()),
        count(all.empty_searches),
        said(all.sum.events, all.sum.sum.to_string()),
        count(all.unread),
    ]
}

/// Each currency by itself: `59.9 EUR + 10 USD`.
pub fn revenue(all: &Amounts) -> String {
    let one = all
        .revenue
        .iter()
        .map(|(currency, amount)| format!("{} {currency}", amount.sum).trim_end().to_owned());
    one.collect::<Vec<String>>().join(" + ")
}
