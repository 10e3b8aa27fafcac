//! Reports of an application: which there are, what one of them would say now, and which there cannot be.

use alt_config::{Channel, ChannelKind, Config};
use alt_deliver::report::{self, Words};
use alt_store::apps::Application;
use alt_store::reports::{self, Kept, New, OF_APP_MAX, Refused};
use alt_store::stats::period::Every;
use axum::http::StatusCode;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::Web;
use crate::ask::{Answer, Asked, check_bound};
use crate::problem::Problem;

mod written;

pub use written::written;

/// The most characters of a name.
const NAME_MAX: usize = 100;

/// What sends reports.
#[derive(Debug, Clone, Copy)]
pub struct Means<'a> {
    /// Whether statistics are computed.
    pub has_statistics: bool,
    /// Whether the daemon sends messages.
    pub has_alerts: bool,
    /// The receivers.
    pub channels: &'a [Channel],
}

impl<'a> Means<'a> {
    /// Those of a configuration.
    #[must_use]
    pub fn of(config: &'a Config) -> Means<'a> {
        let (has_statistics, has_alerts) = (config.stats.enabled, config.alerts.enabled);
        Means { has_statistics, has_alerts, channels: &config.channels }
    }

    /// Why no report is sent at all, and what to do.
    fn lack(self) -> Option<&'static str> {
        if !self.has_statistics {
            return Some(
                "statistics are off: write `enabled = true` below [stats] in the configuration, and restart the daemon",
            );
        }
        (!self.has_alerts).then_some(
            "reports are sent by the process that sends alerts: write `enabled = true` below [alerts] in the \
             configuration, and restart the daemon",
        )
    }

    /// The names of the channels that take reports.
    fn takers(self) -> impl Iterator<Item = &'a str> {
        let takes = |channel: &&Channel| channel.kind != Some(ChannelKind::Alertmanager);
        self.channels.iter().filter(takes).map(|channel| channel.name.as_str())
    }

    /// Refuses a channel that takes no reports.
    fn check(self, name: &str) -> Result<(), String> {
        if self.takers().any(|known| known == name) {
            return Ok(());
        }
        Err(match self.channels.iter().any(|channel| channel.name == name) {
            true => format!(
                "the channel {name} is an Alertmanager, which takes no reports: name one of mail, a chat, a webhook or a directory"
            ),
            false => {
                format!("the configuration has no [[channel]] {name}; `alt channel list` shows the names")
            }
        })
    }
}

/// A report as somebody asks for it.
#[derive(Debug, Clone)]
pub struct Wanted<'a> {
    /// Its name.
    pub name: &'a str,
    /// How long its periods are.
    pub every: &'a str,
    /// In which language.
    pub language: &'a str,
    /// To whom.
    pub channels: Vec<&'a str>,
    /// Whether the last period that is over is told of, too.
    pub is_of_last: bool,
}

impl<'a> Wanted<'a> {
    /// The report, if it can be.
    ///
    /// # Errors
    /// It cannot be; says why, and what to do.
    pub fn checked(&self, app: &'a Application, means: Means<'_>) -> Result<New<'a>, String> {
        if let Some(why) = means.lack() {
            return Err(why.to_owned());
        }
        if self.channels.is_empty() {
            return Err("a report needs a channel; `alt channel list` shows the names".to_owned());
        }
        self.channels.iter().try_for_each(|name| means.check(name))?;
        let Some(every) = Every::named(self.every) else {
            return Err("every is day, week or month".to_owned());
        };
        let Some(words) = Words::of(self.language) else {
            return Err(format!("language is one of {}", Words::languages().collect::<Vec<_>>().join(", ")));
        };
        let is_odd = self.name.trim().is_empty() || self.name.contains(char::is_control);
        if is_odd || self.name.chars().count() > NAME_MAX {
            return Err(format!(
                "the name of a report has 1 to {NAME_MAX} characters, none of them a control character"
            ));
        }
        let mut channels: Vec<String> = self.channels.iter().map(|&name| name.to_owned()).collect();
        channels.sort_unstable();
        channels.dedup();
        let (language, is_of_last) = (words.language, self.is_of_last);
        Ok(New { name: self.name, app, every, language, channels, is_of_last })
    }
}

/// `GET /api/v1/reports`: also whether reports are sent, and by which channels.
pub(crate) async fn list(web: &Web, asked: &Asked) -> Result<Answer, Problem> {
    check_bound(asked)?;
    let list = reports::of(asked.db()?, asked.app()?.id).await?;
    let means = web.channels.means();
    let channels: Vec<&str> = means.takers().collect();
    Ok(Answer::json(json!({ "reports": list, "channels": channels, "not_sent_because": means.lack() })))
}

/// `POST /api/v1/reports`.
pub(crate) async fn add(web: &Web, asked: &Asked) -> Result<Answer, Problem> {
    check_bound(asked)?;
    let missing = |name: &str| Problem::bad(format!("{name} is missing"));
    let is_of_last = match asked.body.get("last") {
        None | Some(Value::Null) => false,
        Some(last) => last.as_bool().ok_or_else(|| Problem::bad("last is true or false"))?,
    };
    let wanted = Wanted {
        name: asked.text("name")?.ok_or_else(|| missing("name"))?,
        every: asked.text("every")?.ok_or_else(|| missing("every"))?,
        language: asked.text("language")?.unwrap_or("en"),
        channels: asked.texts("channels")?.ok_or_else(|| missing("channels"))?,
        is_of_last,
    };
    let new = wanted.checked(asked.app()?, web.channels.means()).map_err(Problem::bad)?;
    match reports::add(asked.db()?, &new).await? {
        Ok((kept, change)) => Ok(Answer::changed(StatusCode::CREATED, json!(kept), change)),
        Err(Refused::Exists) => Err(Problem::conflict("the application has a report of this name")),
        Err(Refused::Full) => Err(Problem::conflict(format!(
            "the application has {OF_APP_MAX} reports, or the installation as many as it may: remove one"
        ))),
    }
}

/// The report in the path, if it is of the application.
async fn found(asked: &Asked) -> Result<Kept, Problem> {
    check_bound(asked)?;
    let (id, all) = (asked.key()?, reports::of(asked.db()?, asked.app()?.id).await?);
    let found = all.into_iter().find(|kept| kept.id == id);
    found.ok_or_else(|| Problem::not_found("there is no such report; GET /api/v1/reports lists them"))
}

/// `DELETE /api/v1/reports/{id}`.
pub(crate) async fn remove(_web: &Web, asked: &Asked) -> Result<Answer, Problem> {
    let kept = found(asked).await?;
    match reports::remove(asked.db()?, &kept).await? {
        Some(change) => Ok(Answer::changed(StatusCode::OK, json!({ "removed": true }), change)),
        None => Err(Problem::not_found("the report is gone already")),
    }
}

/// `GET /api/v1/reports/{id}/preview`: what it says of the last period that is over, in each of its ways.
pub(crate) async fn preview(web: &Web, asked: &Asked) -> Result<Answer, Problem> {
    let kept = found(asked).await?;
    let now = Timestamp::now();
    let period = kept.last(now)?;
    let sent = written(asked.db()?, kept, period, web.public_url.as_deref()).await?;
    let message = report::webhook(&sent, &now.to_string());
    Ok(Answer::json(json!({
        "from": sent.from, "until": sent.until, "headline": sent.headline(), "text": report::describe(&sent),
        "html": report::page(&sent), "csv": sent.csv, "data": message["data"],
    })))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn channel(name: &str, kind: ChannelKind) -> Channel {
        Channel { name: name.to_owned(), kind: Some(kind), ..Channel::default() }
    }

    #[test]
    fn a_report_is_what_can_be_sent() {
        let channels = [channel("mail", ChannelKind::Mail), channel("am", ChannelKind::Alertmanager)];
        let means = Means { has_statistics: true, has_alerts: true, channels: &channels };
        let app = Application::default();
        let wanted = Wanted {
            name: "weekly",
            every: "week",
            language: "de",
            channels: vec!["mail", "mail"],
            is_of_last: false,
        };
        assert_eq!(wanted.checked(&app, means).unwrap().channels, ["mail"]);
        let long = "x".repeat(101);
        for (wrong, why) in [
            (Wanted { channels: vec!["am"], ..wanted.clone() }, "takes no reports"),
            (Wanted { channels: vec!["mail", "none"], ..wanted.clone() }, "no [[channel]] none"),
            (Wanted { channels: vec![], ..wanted.clone() }, "needs a channel"),
            (Wanted { every: "year", ..wanted.clone() }, "day, week or month"),
            (Wanted { language: "fr", ..wanted.clone() }, "en, de, ja, ko"),
            (Wanted { name: " ", ..wanted.clone() }, "1 to 100 characters"),
            (Wanted { name: "a\nb", ..wanted.clone() }, "control character"),
            (Wanted { name: &long, ..wanted.clone() }, "1 to 100 characters"),
        ] {
            let said = wrong.checked(&app, means).unwrap_err();
            assert!(said.contains(why), "{said}");
        }
        let off = Means { has_statistics: false, ..means };
        assert!(wanted.checked(&app, off).unwrap_err().contains("[stats]"));
        assert!(wanted.checked(&app, Means { has_alerts: false, ..means }).unwrap_err().contains("[alerts]"));
    }
}
