//! The record of reads: who looked at single events and visits of people, at the record itself, or took numbers away as CSV.
//!
//! A page asks the same again every few seconds, and for one time after the other. So what a caller asks counts as one read for
//! an hour, whatever time and page of the list it asks for; another search, filter or visitor is another read.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use alt_process::lock::lock;
use alt_store::web::audit::{self, Actor, Change};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::Web;
use crate::ask::{Answer, Asked, Content};
use crate::problem::Problem;
use crate::routes::Route;

/// How long a read is not recorded again.
const SAME: Duration = Duration::from_secs(3600);

/// The most reads that are known. With more, some are recorded again.
const KNOWN_MAX: usize = 20_000;

/// Paths whose answers have single events or visits, or the record of changes and reads.
const RAW: [&str; 5] =
    ["/api/v1/events", "/api/logs", "/api/logs/trace/{id}", "/api/v1/visits", "/api/v1/audit"];

/// Parameters that say which part of the same is asked for, and the secret of a share.
const PARTS: [&str; 5] = ["from", "until", "limit", "cursor", "share"];

/// What was recorded lately.
#[derive(Debug, Default)]
pub(crate) struct Reads(Mutex<HashMap<[u8; 32], Instant>>);

impl Reads {
    /// Whether this is to be recorded.
    fn is_new(&self, read: &[u8; 32], now: Instant) -> bool {
        lock(&self.0).get(read).is_none_or(|at| now.duration_since(*at) >= SAME)
    }

    /// It is recorded.
    fn note(&self, read: [u8; 32], now: Instant) {
        let mut known = lock(&self.0);
        if known.len() >= KNOWN_MAX {
            known.retain(|_, at| now.duration_since(*at) < SAME);
            if known.len() >= KNOWN_MAX {
                known.clear();
            }
        }
        known.insert(read, now);
    }
}

/// What is recorded of a request that is answered. `None`: nothing is.
pub(crate) fn read(route: &Route, asked: &Asked, answer: &Answer) -> Option<Change> {
    let is_export = matches!(answer.content, Content::Csv(_));
    let action = match (is_export, RAW.contains(&route.path)) {
        (true, _) => "export",
        (false, true) => "read",
        (false, false) => return None,
    };
    let object = match &asked.app {
        Some(app) => format!("application {} ({})", app.key, app.name),
        None => "the installation".to_owned(),
    };
    Some(Change { action, object, before: None, after: Some(question(route, asked, &["share"])) })
}

/// What is asked, without the parameters of these names.
fn question(route: &Route, asked: &Asked, without: &[&str]) -> Value {
    let mut all = Map::new();
    all.insert("route".to_owned(), json!(route.path));
    for (name, value) in asked.path.iter().chain(&asked.parameters) {
        if !without.contains(&name.as_str()) {
            let values = all.entry(name.clone()).or_insert_with(|| json!([]));
            if let Value::Array(values) = values {
                values.push(json!(value));
            }
        }
    }
    Value::Object(all)
}

/// Records a read before it is answered, unless it was recorded within the last hour.
///
/// # Errors
/// It cannot be recorded: it must not be answered then.
pub(crate) async fn record(
    web: &Web,
    route: &Route,
    asked: &Asked,
    actor: &Actor,
    read: &Change,
) -> Result<(), Problem> {
    let same = json!([
        actor.kind,
        actor.id,
        actor.address,
        read.action,
        read.object,
        question(route, asked, &PARTS)
    ]);
    let (hash, now): ([u8; 32], Instant) = (Sha256::digest(same.to_string()).into(), Instant::now());
    if !web.reads.is_new(&hash, now) {
        return Ok(());
    }
    let db = web.change().await?;
    let recorded = async {
        audit::record(&db, actor, read).await?;
        db.commit().await
    };
    if let Err(error) = recorded.await {
        tracing::warn!("a read is refused, because it cannot be recorded: {error:#}");
        return Err(Problem::unavailable("what is read cannot be recorded now; ask again in a moment"));
    }
    web.reads.note(hash, now);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_read_is_known_for_an_hour_and_the_known_are_bounded() {
        let (reads, now) = (Reads::default(), Instant::now());
        assert!(reads.is_new(&[0; 32], now));
        reads.note([0; 32], now);
        assert!(!reads.is_new(&[0; 32], now + SAME - Duration::from_secs(1)));
        assert!(reads.is_new(&[0; 32], now + SAME));
        for n in 0..KNOWN_MAX + 5 {
            let mut key = [1; 32];
            key[..8].copy_from_slice(&n.to_be_bytes());
            reads.note(key, now);
        }
        assert!(lock(&reads.0).len() <= KNOWN_MAX);
    }
}
