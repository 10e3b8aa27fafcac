//! Alerts: what follows the ledger, judges rules by the rows that are there, and enqueues messages about what it finds.
//!
//! The rules, and what they mean, are of the crate `alt_watch`, which is pure. Here is what they are fed with and what
//! becomes of the answers. A turn of the evaluator, of which one process holds the lease:
//!
//! 1. reads how far the sources are loaded ([`watermark`]): everything before is committed;
//! 2. takes what changed from the [ledger](crate::ledger), as a set, and marks the times in `alert_dirty` ([`follow`]);
//! 3. for each application reads its marks, *then* the rules, the acts of people and the rows ([`rows`], [`series`]),
//!    without a transaction that lasts, and judges ([`course`]);
//! 4. in one short transaction checks its fence, replaces buckets, states and episodes, enqueues messages, and deletes
//!    *those* marks ([`record`]).
//!
//! Rows that are committed after the marks were read are marked later than that, so their time is judged once more. Were
//! the rows read before the marks, the mark of such a row would be deleted, and the row never seen.
//!
//! [`outbox`] has the messages, which another worker sends; [`ask`] answers people, and [`acts`] does what they say.

pub mod acts;
pub mod ask;
pub mod backtest;
pub mod buckets;
pub mod course;
pub mod evaluate;
pub mod follow;
pub mod keys;
pub mod outbox;
pub mod record;
pub mod rows;
pub mod rules;
pub mod series;
pub mod show;
pub mod silences;
pub mod trial;
pub mod watermark;
pub mod worker;

/// The name of the follower of the ledger, of the lease of the evaluator, and of its worker.
pub const NAME: &str = "alerts";

/// The name of the lease of the notifier, and of its worker.
pub const NOTIFIER: &str = "notify";
