//! Statistics of an application's local day, from its rows.
//!
//! A visitor lives for one local day of one application, and no session crosses local midnight. So each day is computed
//! alone, from the rows that are there, and visitors, sessions and bounces of any range are sums over its days. The same
//! rows always give the same statistics, in whatever order they were loaded.
//!
//! The definitions stand in docs/STATISTICS.md. What is computed here is computed a second time by plain SQL
//! (sql/naive_*.sql), and tests compare both.

pub mod country;
mod counts;
pub mod day;
pub mod decimal;
pub mod details;
pub mod event;
pub mod page;
pub mod query;
pub mod segment;
pub mod settings;
pub mod source;
pub mod stored;
#[cfg(test)]
mod tests;
mod traffic_class;
mod values;
mod views;
mod visitor;
