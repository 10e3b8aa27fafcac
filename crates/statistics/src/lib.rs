//! Statistics of an application's local day, from its rows.
//!
//! A visitor lives for one local day of one application, and no session crosses local midnight. So each day is computed
//! alone, from the rows that are there, and visitors, sessions and bounces of any range are sums over its days. The same
//! rows always give the same statistics, in whatever order they were loaded.

pub mod day;
pub mod event;
