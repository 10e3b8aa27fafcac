//! `alt rejects`: lines that could not become rows.

mod list;
mod retry;

pub(super) use retry::{Wanted, retry};

use alt_config::Config;
use alt_line::hit::{Micros, Reason};
use alt_store::files::Which;
use anyhow::bail;

use super::drain::drain_after;
use super::{Out, Outcome, when};
use crate::cli;

/// Dispatches the verbs of `alt rejects`.
///
/// # Errors
/// The database cannot be reached, an option cannot be understood, or rejects could not be retried.
pub fn run(config: &Config, verb: &cli::Rejects, out: Out<'_>) -> anyhow::Result<Outcome> {
    match verb {
        cli::Rejects::List(args) => {
            let since = checked(args.reason.as_deref(), args.since.as_deref())?;
            super::block_on(list::list(config, args, since, out))
        }
        cli::Rejects::Retry(args) => {
            let since = checked(args.reason.as_deref(), args.since.as_deref())?;
            let wanted = Wanted {
                which: Which { reason: args.reason.clone(), detail: args.detail.clone(), since },
                file: args.file.clone(),
                paths: args.paths.clone(),
            };
            let account = retry(config, &wanted)?;
            account.print(args.json, out)?;
            if account.rows > 0 {
                drain_after(config, args.json, out)?;
            }
            match account.left {
                0 => Ok(Outcome::Done),
                left => bail!("{left} rejects could not be looked at again"),
            }
        }
    }
}

/// Refuses an unknown reason; parses the time of `--since`.
fn checked(reason: Option<&str>, since: Option<&str>) -> anyhow::Result<Option<Micros>> {
    if let Some(reason) = reason
        && Reason::named(reason).is_none()
    {
        let known: Vec<&str> = Reason::ALL.iter().map(|reason| reason.as_str()).collect();
        bail!("--reason {reason} is unknown; the reasons are {}", known.join(", "));
    }
    when::option("--since", since)
}
