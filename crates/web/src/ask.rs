//! A request that is allowed, and the answer to it.

use alt_store::apps::Application;
use alt_store::web::audit::Change;
use alt_store::web::caller::Caller;
use alt_store::web::pool::Transaction;
use axum::http::StatusCode;
use serde_json::Value;

use crate::problem::Problem;

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
}

impl Asked {
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

/// What an answer consists of.
#[derive(Debug)]
pub(crate) enum Content {
    Json(Value),
    Csv(String),
    Html(String),
    Css(&'static str),
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) content: Content,
    /// What was changed. A request that changes something has one, or is undone.
    pub(crate) change: Option<Change>,
}

impl Answer {
    pub(crate) fn json(value: Value) -> Answer {
        Answer { status: StatusCode::OK, content: Content::Json(value), change: None }
    }

    pub(crate) fn changed(status: StatusCode, value: Value, change: Change) -> Answer {
        Answer { status, content: Content::Json(value), change: Some(change) }
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
    fn numbers_beyond_those_of_javascript_are_texts() {
        assert_eq!(number(9_007_199_254_740_992).to_string(), "9007199254740992");
        assert_eq!(number(9_007_199_254_740_993).to_string(), "\"9007199254740993\"");
    }
}
