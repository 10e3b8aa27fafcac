//! A request that is allowed, and the answer to it.

use std::net::IpAddr;

use alt_statistics::query::{Filter, condition};
use alt_store::apps::Application;
use alt_store::web::audit::Change;
use alt_store::web::caller::Caller;
use alt_store::web::pool::{TRANSACTION_TIME, Transaction};
use axum::http::StatusCode;
use serde_json::Value;

use crate::problem::Problem;

/// The most texts of a list in a body.
const TEXTS_MAX: usize = 200;

/// A request that is allowed.
#[derive(Debug)]
pub(crate) struct Asked {
    /// Who is asking. `None`: a path that is open to everybody.
    pub(crate) caller: Option<Caller>,
    /// The application that it is about. Present wherever the table of routes says so.
    pub(crate) app: Option<Application>,
    /// The transaction. `None`: a path that needs no database.
    pub(crate) db: Option<Transaction>,
    /// Values in the path.
    pub(crate) path: Vec<(String, String)>,
    /// Parameters of the query.
    pub(crate) parameters: Vec<(String, String)>,
    /// The body, as a JSON object; `Null` where there is none.
    pub(crate) body: Value,
    /// CSV is wanted.
    pub(crate) is_csv: bool,
    /// Address of the client; `None`: it is not known.
    pub(crate) address: Option<String>,
    /// It came by TLS.
    pub(crate) is_secure: bool,
    /// The cookie of a browser that was sent to a provider to sign in.
    pub(crate) flow: Option<String>,
}

impl Asked {
    /// The network from which it is asked: an address, or the first 64 bits of one of IPv6, of which everybody has all addresses.
    pub(crate) fn network(&self) -> String {
        let Some(address) = &self.address else { return "unix".to_owned() };
        match address.parse::<IpAddr>().map(|address| address.to_canonical()) {
            Ok(IpAddr::V6(address)) => {
                let network = address.segments().map(|part| format!("{part:x}"));
                network[..4].join(":")
            }
            Ok(IpAddr::V4(address)) => address.to_string(),
            Err(_) => address.clone(),
        }
    }

    /// The transaction.
    ///
    /// # Errors
    /// The table of routes gave it none, which is a defect.
    pub(crate) fn db(&self) -> Result<&Transaction, Problem> {
        self.db.as_ref().ok_or_else(Problem::defect)
    }

    /// The application.
    ///
    /// # Errors
    /// As [`Asked::db`].
    pub(crate) fn app(&self) -> Result<&Application, Problem> {
        self.app.as_ref().ok_or_else(Problem::defect)
    }

    /// Who is asking.
    ///
    /// # Errors
    /// As [`Asked::db`].
    pub(crate) fn caller(&self) -> Result<&Caller, Problem> {
        self.caller.as_ref().ok_or_else(Problem::defect)
    }

    /// A value in the path.
    pub(crate) fn part(&self, name: &str) -> &str {
        self.path.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }

    /// A key in the path.
    ///
    /// # Errors
    /// It is no number: nothing has this key.
    pub(crate) fn key(&self) -> Result<i32, Problem> {
        self.part("id").parse().map_err(|_| Problem::not_found("the id in the path is a number"))
    }

    /// A parameter.
    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// All values of a parameter that may be given several times.
    pub(crate) fn all(&self, name: &'static str) -> impl Iterator<Item = &str> {
        self.parameters.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// What the caller may know of at all; `None`: everything.
    ///
    /// # Errors
    /// The filter that is stored is none: nothing is answered then.
    pub(crate) fn bound(&self) -> Result<Option<Filter>, Problem> {
        let Some(texts) = &self.caller()?.filter else { return Ok(None) };
        let all = texts.iter().map(|text| condition(text)).collect::<Result<Vec<Filter>, _>>();
        let all = all.map_err(|error| {
            tracing::error!(%error, "the filter of a token or share is not understood: revoke it");
            Problem::defect()
        })?;
        let all = Filter::All(all);
        // Nobody can store one: editors change goals.
        if all.has_goal() {
            tracing::error!("the filter of a token or share is on a goal: revoke it");
            return Err(Problem::defect());
        }
        Ok(Some(all))
    }

    /// The parameter `limit`.
    ///
    /// # Errors
    /// It is no number from 1 to `most`.
    pub(crate) fn limit(&self, usual: i64, most: i64) -> Result<i64, Problem> {
        match self.parameter("limit").map(str::parse::<i64>) {
            None => Ok(usual),
            Some(Ok(limit)) if (1..=most).contains(&limit) => Ok(limit),
            Some(_) => Err(Problem::bad(format!("limit is a number from 1 to {most}"))),
        }
    }

    /// A text of the body.
    ///
    /// # Errors
    /// It is no text.
    pub(crate) fn text(&self, name: &str) -> Result<Option<&str>, Problem> {
        match self.body.get(name) {
            None | Some(Value::Null) => Ok(None),
            // PostgreSQL stores no U+0000.
            Some(Value::String(text)) if !text.contains('\0') => Ok(Some(text)),
            Some(_) => Err(Problem::bad(format!("{name} is a text"))),
        }
    }

    /// A list of texts of the body.
    ///
    /// # Errors
    /// It is no list of texts, or a long one.
    pub(crate) fn texts(&self, name: &str) -> Result<Option<Vec<&str>>, Problem> {
        let bad = || Problem::bad(format!("{name} is a list of at most {TEXTS_MAX} texts"));
        match self.body.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Array(all)) if all.len() <= TEXTS_MAX => {
                let text = |one: &'_ Value| one.as_str().is_some_and(|text| !text.contains('\0'));
                if !all.iter().all(text) {
                    return Err(bad());
                }
                Ok(Some(all.iter().filter_map(Value::as_str).collect()))
            }
            Some(_) => Err(bad()),
        }
    }

    /// `days` of the body: how long something is valid.
    ///
    /// # Errors
    /// It is no number of days.
    pub(crate) fn days(&self) -> Result<Option<i32>, Problem> {
        match self.body.get("days") {
            None | Some(Value::Null) => Ok(None),
            Some(days) => match days.as_i64().and_then(|days| i32::try_from(days).ok()) {
                Some(days @ 1..=36_500) => Ok(Some(days)),
                _ => Err(Problem::bad("days is a number from 1 to 36500; leave it out for ever")),
            },
        }
    }
}

/// Gives up after the time that a transaction has.
pub(crate) async fn within<T>(work: impl Future<Output = Result<T, Problem>>) -> Result<T, Problem> {
    match tokio::time::timeout(TRANSACTION_TIME, work).await {
        Ok(answer) => answer,
        Err(_) => Err(Problem::unavailable("the answer takes too long; ask for a shorter period")),
    }
}

/// Alerts are made of all events: whoever may see some of them alone sees none.
pub(crate) fn check_bound(asked: &Asked) -> Result<(), Problem> {
    match asked.caller()?.filter {
        None => Ok(()),
        Some(_) => Err(Problem::forbidden("a token that is bound to no filter")),
    }
}

/// What an answer consists of.
#[derive(Debug)]
pub(crate) enum Content {
    Json(Value),
    Csv(String),
    Html(String),
    Css(&'static str),
    /// A file of the dashboard: its kind and its text.
    File(&'static str, &'static str),
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) content: Content,
    /// What was changed. A request that changes something has one, or is undone.
    pub(crate) change: Option<Change>,
    /// The headers `Set-Cookie`.
    pub(crate) cookies: Vec<String>,
    /// The header `Location`: the browser is sent there.
    pub(crate) location: Option<String>,
}

impl Answer {
    /// An answer to a question.
    pub(crate) fn of(content: Content) -> Answer {
        Answer { status: StatusCode::OK, content, change: None, cookies: Vec::new(), location: None }
    }

    pub(crate) fn json(value: Value) -> Answer {
        Answer::of(Content::Json(value))
    }

    pub(crate) fn changed(status: StatusCode, value: Value, change: Change) -> Answer {
        Answer { status, change: Some(change), ..Answer::json(value) }
    }
}

/// A number that JavaScript reads without loss: as a text beyond 2^53.
pub(crate) fn number(n: u64) -> Value {
    if n <= 1 << 53 { Value::from(n) } else { Value::from(n.to_string()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_one_ipv6_network_are_one() {
        let network = |address: &str| {
            let asked = Asked {
                caller: None,
                app: None,
                db: None,
                path: Vec::new(),
                parameters: Vec::new(),
                body: Value::Null,
                is_csv: false,
                address: Some(address.to_owned()),
                is_secure: true,
                flow: None,
            };
            asked.network()
        };
        assert_eq!(network("2001:db8:1:2::1"), network("2001:db8:1:2:ffff::7"));
        assert_ne!(network("2001:db8:1:2::1"), network("2001:db8:1:3::1"));
        assert_eq!(network("::ffff:192.0.2.1"), "192.0.2.1");
        assert_ne!(network("192.0.2.1"), network("192.0.2.2"));
    }

    #[test]
    fn numbers_beyond_those_of_javascript_are_texts() {
        assert_eq!(number(9_007_199_254_740_992).to_string(), "9007199254740992");
        assert_eq!(number(9_007_199_254_740_993).to_string(), "\"9007199254740993\"");
    }
}
