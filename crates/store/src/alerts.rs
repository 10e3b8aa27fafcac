//! Alerts: what follows the ledger, judges rules by the rows that are there, and enqueues messages about what it finds.
//!
//! The rules, and what they mean, are of the crate `alt_alerts`, which is pure. Here is what they are fed with and what
//! becomes of the answers. A turn of the evaluator, of which one process holds the lease:
//!
//! 1. reads how far the sources are loaded ([`watermark`]): everything before is committed;
//! 2. looks what changed by the [ledger](crate::ledger), as a set, and reads the marks in `alert_dirty` ([`follow`]);
//! 3. for each application reads, *then*, the rules, the acts of people and the rows ([`plan`], [`rows`], [`series`]),
//!    without a transaction that lasts, and judges ([`course`]);
//! 4. if that says something new, in one short transaction checks its fence, replaces buckets, states and episodes,
//!    enqueues messages, and deletes *those* marks (`judged`, [`record`]).
//!
//! Rows that are committed after it was looked what changed are seen the next time, so their time is judged once more.
//! Were the rows read first, such a row would be taken for one that was counted, and never seen.
//!
//! [`outbox`] has the messages, which another worker sends; [`ask`] answers people, and [`acts`] does what they say.

pub mod acts;
pub mod ask;
pub mod backtest;
pub mod buckets;
pub mod course;
pub mod evaluate;
pub mod explain;
pub mod figures;
pub mod follow;
mod judged;
pub mod keys;
pub mod outbox;
pub mod plan;
pub mod record;
pub mod rows;
pub mod rules;
pub mod samples;
pub mod series;
pub mod show;
pub mod silences;
pub mod trial;
pub mod troubles;
pub mod watermark;
pub mod weekly;
pub mod worker;

/// The name of the follower of the ledger, of the lease of the evaluator, and of its worker.
pub const NAME: &str = "alerts";

/// In place of an application: that of rules about the installation.
pub const INSTALLATION: i32 = 0;

/// The name of the lease of the notifier, and of its worker.
pub const NOTIFIER: &str = "notify";
