//! Errors as RFC 9457 problem documents: what happened, and what to do.

use alt_alerts::rule;
use axum::body::Body;
use axum::http::header::{ALLOW, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use serde_json::json;

/// Why a request is not answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) status: StatusCode,
    title: &'static str,
    detail: String,
    /// Seconds after which to ask again.
    retry_after: Option<u64>,
    /// What is needed, for programs: a member of the document, which is true.
    needs: Option<&'static str>,
    /// The key of a rule that is wrong.
    field: Option<&'static str>,
}

impl Problem {
    fn new(status: StatusCode, title: &'static str, detail: impl Into<String>) -> Problem {
        Problem { status, title, detail: detail.into(), retry_after: None, needs: None, field: None }
    }

    /// The request is wrong; `detail` says how, and how to write it.
    pub(crate) fn bad(detail: impl Into<String>) -> Problem {
        Problem::new(StatusCode::BAD_REQUEST, "The request is not understood", detail)
    }

    /// A rule that cannot be as it is given: which of its keys is wrong, as far as that is known.
    pub(crate) fn of_rule(why: &str) -> Problem {
        let is_about = |field: &&'static str| {
            let rest = why.strip_prefix("the ").unwrap_or(why).strip_prefix(*field);
            rest.is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_'))
        };
        let field = match why {
            why if why.starts_with("when does it hold") => Some("compare"),
            why if why.starts_with("absent for") => Some("compare"),
            _ => rule::keys().find(is_about),
        };
        Problem { field, ..Problem::bad(why) }
    }

    /// The question of a stored panel cannot be asked any more, whoever asks. What is wrong with the request itself stays.
    pub(crate) fn of_panel(self, name: &str) -> Problem {
        match self.status {
            StatusCode::BAD_REQUEST => Problem::conflict(format!(
                "the panel {name:?} has no answer until it is changed: {}",
                self.detail
            )),
            _ => self,
        }
    }

    /// Nobody, or nobody who is known. It does not tell a token that never was from one that has ended.
    pub(crate) fn unknown_caller() -> Problem {
        let detail =
            "sign in, or send a valid token: `Authorization: Bearer alt_…`; `alt token add` makes one";
        Problem::new(StatusCode::UNAUTHORIZED, "A token is needed", detail)
    }

    /// Nobody signed in: it does not tell an account that is not there from a password that is wrong.
    pub(crate) fn not_signed_in() -> Problem {
        let detail =
            "this is no account with this password; `sudo alt user link NAME` makes a link to set a new one";
        Problem::new(StatusCode::UNAUTHORIZED, "Not signed in", detail)
    }

    /// A link that never was, has ended, or was used.
    pub(crate) fn no_link() -> Problem {
        let detail = "a link is valid once, and for 15 minutes; `sudo alt user link NAME` makes another one";
        Problem {
            needs: Some("link_needed"),
            ..Problem::new(StatusCode::UNAUTHORIZED, "Not signed in", detail)
        }
    }

    /// The account has a second factor.
    pub(crate) fn code_needed() -> Problem {
        let detail = "write in code the six digits that your authenticator app shows now; each is taken once";
        Problem {
            needs: Some("code_needed"),
            ..Problem::new(StatusCode::UNAUTHORIZED, "A code is needed", detail)
        }
    }

    /// Nobody was named by a provider to this browser, or too long ago.
    pub(crate) fn begin_again() -> Problem {
        let detail = "the provider has named nobody to this browser, or more than five minutes ago: GET /api/v1/session/oidc begins again";
        Problem {
            needs: Some("provider_needed"),
            ..Problem::new(StatusCode::UNAUTHORIZED, "Not signed in", detail)
        }
    }

    /// The share has a password.
    pub(crate) fn password_needed() -> Problem {
        let detail = "this share has a password: POST /api/v1/session with share and password";
        let problem = Problem::new(StatusCode::UNAUTHORIZED, "A password is needed", detail);
        Problem { needs: Some("password_needed"), ..problem }
    }

    /// Tried too often.
    pub(crate) fn too_many_attempts(seconds: u64) -> Problem {
        let detail = format!("too many attempts; try again in {} s", seconds.max(1));
        let problem = Problem::new(StatusCode::TOO_MANY_REQUESTS, "Too many attempts", detail);
        Problem { retry_after: Some(seconds.max(1)), ..problem }
    }

    /// A page of another site sent it.
    pub(crate) fn cross_site() -> Problem {
        let detail = "this does not come from a page of this server; programs send a token, or the header X-Alt-Request: 1";
        Problem::new(StatusCode::FORBIDDEN, "Not allowed", detail)
    }

    /// The caller is known and may not do this.
    pub(crate) fn forbidden(needs: &str) -> Problem {
        Problem::new(StatusCode::FORBIDDEN, "Not allowed", format!("this needs {needs}"))
    }

    /// There is nothing of this name, or nothing that the caller may know of.
    pub(crate) fn not_found(detail: impl Into<String>) -> Problem {
        Problem::new(StatusCode::NOT_FOUND, "Not found", detail)
    }

    /// What is asked for would be there twice.
    pub(crate) fn conflict(detail: impl Into<String>) -> Problem {
        Problem::new(StatusCode::CONFLICT, "It is there already", detail)
    }

    /// The application is not there, or is somebody else's: the answer is the same.
    pub(crate) fn no_application() -> Problem {
        Problem::not_found("there is no such application; GET /api/v1/applications lists those of this token")
    }

    /// The path is there, for other methods.
    pub(crate) fn method(allowed: &str) -> Problem {
        let detail = format!("this path answers {allowed}");
        Problem::new(StatusCode::METHOD_NOT_ALLOWED, "Another method is needed", detail)
    }

    /// The body is too large.
    pub(crate) fn too_large(most: usize) -> Problem {
        let detail = format!("a body has at most {most} bytes");
        Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "The body is too large", detail)
    }

    /// The body did not arrive in time.
    pub(crate) fn slow() -> Problem {
        let detail = "the request did not arrive in time; send it again";
        Problem::new(StatusCode::REQUEST_TIMEOUT, "The request is too slow", detail)
    }

    /// Asked too often.
    pub(crate) fn too_many(seconds: u64) -> Problem {
        let detail = format!("ask again in {seconds} s; [web] requests_per_minute is the limit of a token");
        let problem = Problem::new(StatusCode::TOO_MANY_REQUESTS, "Too many requests", detail);
        Problem { retry_after: Some(seconds.max(1)), ..problem }
    }

    /// It cannot be answered now.
    pub(crate) fn unavailable(detail: &str) -> Problem {
        let problem = Problem::new(StatusCode::SERVICE_UNAVAILABLE, "Not available now", detail);
        Problem { retry_after: Some(2), ..problem }
    }

    /// A secret would have to be kept, and nothing seals it.
    pub(crate) fn no_key() -> Problem {
        let detail = "alt serve has no key that seals the secret: `sudo alt setup --web --host NAME` makes one, or name a file with one \
                      in key_file of [web]; docs/API.md tells how";
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "Not set up", detail)
    }

    /// Too many questions are answered now.
    pub(crate) fn busy() -> Problem {
        Problem::unavailable("too many questions with filters are being answered; ask again")
    }

    /// A defect. The log says which.
    pub(crate) fn defect() -> Problem {
        let detail = "the log of alt-web says what went wrong; please report it";
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "A defect", detail)
    }

    /// As an answer.
    pub(crate) fn response(&self) -> Response {
        let mut document = json!({
            "type": "about:blank",
            "title": self.title,
            "status": self.status.as_u16(),
            "detail": self.detail,
        });
        if let Some(needs) = self.needs {
            document[needs] = json!(true);
        }
        if let Some(field) = self.field {
            document["field"] = json!(field);
        }
        let mut response = Response::new(Body::from(document.to_string()));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(seconds) = self.retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"alt\""));
        }
        if self.status == StatusCode::METHOD_NOT_ALLOWED
            && let Some(allowed) = self.detail.strip_prefix("this path answers ")
            && let Ok(allowed) = HeaderValue::from_str(allowed)
        {
            headers.insert(ALLOW, allowed);
        }
        response
    }
}

impl From<anyhow::Error> for Problem {
    /// The database cannot be asked. What it says is for the log: it may name roles, hosts and values.
    fn from(error: anyhow::Error) -> Problem {
        tracing::warn!(error = format!("{error:#}"), "a request is not answered");
        Problem::unavailable("the database does not answer in time; ask again, or for a shorter period")
    }
}
