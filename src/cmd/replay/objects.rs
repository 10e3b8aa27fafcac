//! The URLs of a replay: objects of an archive, or any logs in a bucket.
//!
//! Lists the objects, and leaves out those that need not be fetched: objects whose names show that they hold nothing of
//! the requested time, and objects that are completely loaded according to the ledger.

use std::fs::File;
use std::sync::Arc;
use std::time::Duration;

use alt_collect::archive::ledger::known;
use alt_collect::archive::name::Name;
use alt_collect::archive::target::Target;
use alt_collect::archive::{at, fetch, is_trial};
use alt_collect::source::inputs::Order;
use alt_config::Config;
use alt_line::filter::Filter;
use alt_process::stop::Stop;
use anyhow::bail;

use crate::cmd::{block_on, reader};

/// Number of attempts to fetch an object before it counts as unreadable, and the waits between them.
const TRIES: u32 = 5;
const FIRST_WAIT: Duration = Duration::from_millis(500);

/// An object to fetch.
pub(super) struct Fetchable {
    target: Arc<dyn Target>,
    key: String,
    /// Its size in bytes.
    pub(super) bytes: u64,
    name: Option<Name>,
}

impl Fetchable {
    /// Its name.
    pub(super) fn uri(&self) -> String {
        self.target.uri(&self.key)
    }

    /// Fetches it into a temporary file. Returns the file with its size in bytes and its SHA-256.
    ///
    /// # Errors
    /// Every attempt to read it failed, or the replay has to stop.
    pub(super) fn fetch(&self, stop: &Stop) -> anyhow::Result<(File, u64, [u8; 32])> {
        let mut wait = FIRST_WAIT;
        for last in (0..TRIES).rev() {
            match fetch(self.target.as_ref(), &self.key) {
                Ok(fetched) if fetched.1 == self.bytes || last == 0 => return Ok(fetched),
                Ok(_) => {}
                Err(error) if last == 0 || stop.is_stopped() => return Err(error),
                Err(error) => {
                    tracing::warn!(error = format!("{error:#}"), "cannot fetch an object: trying again");
                }
            }
            stop.sleep(wait);
            wait *= 2;
        }
        bail!("stopped")
    }
}

/// The result of listing.
#[derive(Default)]
pub(super) struct Listing {
    /// Objects to fetch.
    pub(super) objects: Vec<Fetchable>,
    /// Objects that are completely loaded.
    pub(super) known: usize,
    /// Objects that hold nothing of the requested time.
    pub(super) outside: usize,
}

/// Lists the objects below some URLs. `again`: includes the loaded ones.
///
/// # Errors
/// Something cannot be listed, or nothing has that name.
pub(super) fn listing(
    config: &Config,
    urls: &[String],
    filter: &Filter,
    again: bool,
    order: Order,
    stop: &Arc<Stop>,
) -> anyhow::Result<Listing> {
    let mut listing = Listing::default();
    for url in urls {
        let before = listing.objects.len() + listing.outside;
        // The name is that of one object, or of a folder of objects.
        let (target, last) = at(config.archive.as_ref(), url, stop)?;
        let target: Arc<dyn Target> = target.into();
        let below = format!("{last}/");
        target.list(&last, &mut |listed| {
            if is_trial(&listed.key) {
                return Ok(());
            }
            if last.is_empty() || listed.key == last || listed.key.starts_with(&below) {
                let name = Name::parse(&target.uri(&listed.key));
                if name.as_ref().is_some_and(|name| !name.may_hold(filter.since, filter.until)) {
                    listing.outside += 1;
                } else {
                    let target = Arc::clone(&target);
                    listing.objects.push(Fetchable { target, key: listed.key, bytes: listed.bytes, name });
                }
            }
            Ok(())
        })?;
        if listing.objects.len() + listing.outside == before {
            bail!("there is nothing at {url}");
        }
    }
    // A filtered replay checks ids, whatever the ledger says.
    if !again && filter.is_open() {
        leave_known_out(config, &mut listing)?;
    }
    let first = |object: &Fetchable| object.name.as_ref().and_then(|name| name.times);
    listing.objects.sort_by_key(first);
    if order == Order::Newest {
        listing.objects.reverse();
    }
    Ok(listing)
}

/// Removes the objects that are loaded according to the ledger.
fn leave_known_out(config: &Config, listing: &mut Listing) -> anyhow::Result<()> {
    let asked: Vec<_> = listing.objects.iter().map(|object| (object.uri(), object.name.as_ref())).collect();
    if asked.is_empty() {
        return Ok(());
    }
    let known = block_on(async {
        let mut reader = reader(config).await?;
        known(&mut reader, &asked).await
    })?;
    let mut known = known.into_iter();
    let all = listing.objects.len();
    listing.objects.retain(|_| known.next() == Some(false));
    listing.known = all - listing.objects.len();
    Ok(())
}
