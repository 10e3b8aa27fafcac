//! Statistics by application and local day: what follows the ledger, marks days, and computes them again.
//!
//! A day is computed of the rows that are there, and its rows of `stat_daily` are replaced. So neither the order in which
//! rows came nor a failure at any step matters:
//!
//! 1. [`follow`] takes what changed from the [ledger](crate::ledger), as a set, and marks the days in `stat_dirty`, in one
//!    transaction. What the ledger does not tell of ([`backlog`]) is marked by reading the rows.
//! 2. [`fold`] reads the marks of a day and its generation; *then* its rows ([`rows`], sorted by [`sort`]), without a
//!    transaction that lasts; then it replaces the statistics, deletes *those* marks and increments the generation in one
//!    transaction ([`replace`]). Rows that come meanwhile have marks that stay.
//!
//! A row that is committed after the marks were read is marked later than that, so the day is computed once more. Were the
//! rows read before the marks, the mark of such a row would be deleted, and the row never counted.
//!
//! The [`segments`] of a day are made of the same reading of its rows and replaced in the same transaction; until then they
//! wait in a [`spool`]. User ids stand in them as hashes, by the application's key (`user_key`).
//!
//! Once rows of a day may be gone, the day is frozen ([`freeze`]): its statistics stay. Days of the time before, whose
//! statistics another product counted, are frozen from the beginning ([`import`]).

use std::fs::File;
use std::io;
use std::path::Path;

pub mod ask;
pub mod backlog;
pub(crate) mod counts;
pub mod days;
pub mod fold;
pub mod follow;
pub mod freeze;
pub mod import;
pub mod overview;
pub mod period;
mod record;
pub mod replace;
pub mod rows;
pub mod segments;
pub mod sort;
pub mod spool;
mod user_key;
pub mod verify;
pub mod visits;
pub mod worker;

/// Creates a file without a name, which nobody else can open, in a directory or in that for temporary files.
fn unnamed_file(directory: Option<&Path>) -> io::Result<File> {
    match directory {
        Some(directory) => tempfile::tempfile_in(directory),
        None => tempfile::tempfile(),
    }
}

/// The name of the follower of the ledger, and of the lease.
pub const NAME: &str = "statistics";
