//! Checks the database: connection, version, tables, rights, and a clock that agrees.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use alt_config::Config;
use alt_store::migrate::{self, Schema};
use alt_store::read::Reader;
use alt_store::{alerts, apps, dimensions, exclusions, rejects, roles, server, stats};

use super::finding::{Findings, Kind, is_ordinary};
use super::recent::Recent;
use crate::cmd::{show, status};

/// Maximum difference between the clocks in seconds: the days of salts and the ranges of times depend on the clocks.
const SKEW_SECONDS_MAX: f64 = 5.0;

/// How long a line may stand in a log before a running daemon has loaded it.
const DAEMON_LAG_MAX: Duration = Duration::from_secs(15);

/// Lines that are not loaded at the first check have to be missing at a second check, too.
const SECOND_LOOK: Duration = Duration::from_secs(2);

/// How long a day may wait for its statistics, seconds.
const STATISTICS_LATE: f64 = 600.0;

/// Rules that were not judged for so long, in seconds, and messages that have waited for so long.
const ALERTS_LATE: f64 = 600.0;

/// How many lines that ended the daemon are named.
const SET_ASIDE_NAMED: i64 = 10;

/// How many applications with overdue salts are named.
const APPS_NAMED: i64 = 10;

/// How many settings are named that loading ignores.
const BROKEN_NAMED: usize = 20;

/// Checks the database. Returns the connection, if the database can be asked for rows.
pub(super) async fn look(config: &Config, recent: &[Recent], findings: &mut Findings) -> Option<Reader> {
    let mut reader = match Reader::connect(&config.postgres, "alt check").await {
        Ok(reader) => reader,
        Err(e) if is_ordinary() && alt_store::connect::is_by_peer(&config.postgres).unwrap_or(false) => {
            findings.not_checked(format!("the database, which knows this account by another name ({e:#})"));
            return None;
        }
        Err(e) => {
            let mend =
                "start PostgreSQL (systemctl start postgresql), or correct [postgres] in the configuration";
            findings.add(Kind::Database, "PostgreSQL", format!("cannot be used: {e:#}"), mend);
            return None;
        }
    };
    match ask(&mut reader, config, recent, findings).await {
        Ok(true) => Some(reader),
        Ok(false) => None,
        Err(e) => {
            let mend = "see PostgreSQL's log: journalctl -u 'postgresql*', or /var/log/postgresql";
            findings.add(Kind::Database, "PostgreSQL", format!("cannot be asked: {e:#}"), mend);
            None
        }
    }
}

/// Returns whether rows can be looked for.
async fn ask(
    reader: &mut Reader,
    config: &Config,
    recent: &[Recent],
    findings: &mut Findings,
) -> anyhow::Result<bool> {
    clock(reader, findings).await?;
    let found = reader.read(server::server).await?;
    if found.version < 140_000 {
        findings.add(
            Kind::Database,
            "PostgreSQL",
            format!("is version {}", found.version),
            "upgrade it to 14 or later",
        );
    }
    if found.is_standby {
        findings.add(
            Kind::Database,
            "PostgreSQL",
            "is a standby, which takes no rows",
            "name the primary in postgres.url",
        );
    }
    if let Err(e) = reader.read(server::check_encoding).await {
        let mend = "after that: alt migrate, and alt replay of the logs that are kept";
        findings.add(Kind::Database, "PostgreSQL", format!("{e:#}"), mend);
        return Ok(false);
    }
    let schema = reader.read(migrate::schema).await?;
    let unfit = match schema {
        Schema::Compatible(_) => {
            let lacks = reader.read(server::lacks).await?;
            let is_whole = lacks.is_empty();
            for lack in lacks {
                findings.add(Kind::Rights, "PostgreSQL", lack.what, lack.mend);
            }
            if !is_whole {
                return Ok(false);
            }
            for (role, what) in reader.read(roles::more_than_granted).await? {
                findings.add(
                    Kind::Roles,
                    "PostgreSQL",
                    format!("the role {role} {what}, which it does not need"),
                    "`alt setup --only-roles` as root takes it from alt; from another role, REVOKE it as alt_owner",
                );
            }
            applications(reader, config, recent, findings).await?;
            settings(reader, findings).await?;
            poison(reader, config, findings).await?;
            retention(reader, config, findings).await?;
            salts(reader, findings).await?;
            missing(reader, config, findings).await?;
            statistics(reader, config, findings).await?;
            alerting(reader, config, findings).await?;
            daemon(reader, config, findings).await?;
            return Ok(true);
        }
        Schema::Missing => ("the database has no schema".to_owned(), "run `alt migrate`"),
        Schema::Older(version) => {
            let what = format!("the schema is version {version}, older than {}", migrate::newest());
            (what, "run `alt migrate`")
        }
        Schema::TooNew(version) => {
            let what =
                format!("the schema is version {version}, too new for this alt ({})", migrate::newest());
            (what, "upgrade alt")
        }
    };
    findings.add(Kind::Database, "PostgreSQL", unfit.0, unfit.1);
    Ok(false)
}

async fn clock(reader: &mut Reader, findings: &mut Findings) -> anyhow::Result<()> {
    let ours = || SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |time| time.as_secs_f64());
    let skew = reader.read(async |client| {
        let before = ours();
        let theirs = server::clock(client).await?;
        Ok(theirs - f64::midpoint(before, ours()))
    });
    let skew = skew.await?;
    if skew.abs() > SKEW_SECONDS_MAX {
        let direction = if skew > 0.0 { "ahead of" } else { "behind" };
        findings.add(
            Kind::Clock,
            "PostgreSQL",
            format!("its clock is {:.0} s {direction} this machine's", skew.abs()),
            "synchronize both clocks, on each machine: timedatectl set-ntp true (or chrony)",
        );
    }
    Ok(())
}

async fn applications(
    reader: &mut Reader,
    config: &Config,
    recent: &[Recent],
    findings: &mut Findings,
) -> anyhow::Result<()> {
    let apps = reader.read(apps::enabled).await?;
    if apps.is_empty() {
        findings.add(
            Kind::Applications,
            "PostgreSQL",
            "no application is registered, so every hit is a reject",
            "run `alt app add NAME`, and paste the line that it prints",
        );
        return Ok(());
    }
    let is_known = |key: &str| apps.iter().any(|app| app.key == key);
    recent.iter().for_each(|recent| recent.rejected(&is_known, findings));
    for source in &config.sources {
        for app in source.app.iter().chain(source.sites.values()).filter(|app| !is_known(app)) {
            findings.add(
                Kind::Applications,
                source.paths.join(", "),
                format!("its hits are those of the application with the key {app}, which is not registered, or disabled"),
                "correct `app` and `sites` of this [[source]]: `alt app list` shows the keys",
            );
        }
    }
    Ok(())
}

/// Settings of applications that loading ignores.
async fn settings(reader: &mut Reader, findings: &mut Findings) -> anyhow::Result<()> {
    let broken = reader.read(exclusions::broken).await?;
    for (app, wrong) in broken.into_iter().take(BROKEN_NAMED) {
        findings.add(
            Kind::Settings,
            app,
            format!("{} in the settings is ignored: {}", wrong.text, wrong.why),
            "`alt exclusion list` shows its id, by which `alt exclusion remove` removes it; `alt exclusion add` adds it again",
        );
    }
    Ok(())
}

/// Lines that ended the daemon of this host and were set aside.
async fn poison(reader: &mut Reader, config: &Config, findings: &mut Findings) -> anyhow::Result<()> {
    let host = config.load.host_name();
    let lines = reader.read(async |client| rejects::set_aside(client, &host, SET_ASIDE_NAMED).await).await?;
    for (path, offset) in lines {
        findings.add(
            Kind::Poison,
            path,
            format!("the line at offset {offset} ended the daemon twice and was set aside"),
            "report it (`alt rejects list --reason poison` shows it); with a version that can read it, \
             `alt rejects retry --reason poison` loads it",
        );
    }
    Ok(())
}

/// What prevents data from being deleted that is old enough, until a person acts.
async fn retention(reader: &mut Reader, config: &Config, findings: &mut Findings) -> anyhow::Result<()> {
    let (host, rows) = (config.load.host_name(), config.retention.rows.as_ref());
    let waits = reader.read(async |client| alt_store::retention::waits(client, &host, rows).await).await?;
    if let Some(waits) = waits.filter(|waits| waits.word().is_some()) {
        findings.add(Kind::Retention, "retention", waits.to_string(), waits.mend());
    }
    Ok(())
}

/// Visitor salts that should have been destroyed, by application.
async fn salts(reader: &mut Reader, findings: &mut Findings) -> anyhow::Result<()> {
    for overdue in reader.read(async |client| dimensions::overdue_salts(client, APPS_NAMED).await).await? {
        let (first, last) = &overdue.days;
        let days = if first == last { first.clone() } else { format!("{first} to {last}") };
        let app =
            overdue.app_key.map_or_else(String::new, |key| format!(" of the application with the key {key}"));
        findings.add(
            Kind::Retention,
            "retention",
            format!(
                "visitor salts{app} are overdue: {} of {days}. With the logs, they identify visitors",
                overdue.salts
            ),
            "the upkeep of `alt run` destroys them: journalctl -u alt says what prevents it",
        );
    }
    Ok(())
}

/// Statistics that are not computed in time.
async fn statistics(reader: &mut Reader, config: &Config, findings: &mut Findings) -> anyhow::Result<()> {
    if !config.stats.enabled {
        return Ok(());
    }
    let state = reader.read(async |client| stats::ask::state(client, None).await).await?;
    if state.oldest_seconds > STATISTICS_LATE {
        findings.add(
            Kind::Statistics,
            "statistics",
            format!("{state}, the first for {:.0} minutes", state.oldest_seconds / 60.0),
            "journalctl -u alt says what prevents it; after a rebuild or a large replay it takes its time",
        );
    }
    let alone = reader.read(async |client| apps::with_requests_alone(client, None, APPS_NAMED).await).await?;
    for app in alone {
        findings.add(
            Kind::PageViews,
            "statistics",
            format!("{} has requests of its site's own log, and no page view", show::safe(&app.name)),
            format!("`alt app page-views {} requests` counts its pages", app.key),
        );
    }
    Ok(())
}

/// Rules that are not judged in time, and messages that do not arrive.
async fn alerting(reader: &mut Reader, config: &Config, findings: &mut Findings) -> anyhow::Result<()> {
    if !config.alerts.enabled {
        return Ok(());
    }
    let (state, disabled) = reader
        .read(async |client| Ok((alerts::ask::state(client).await?, alerts::outbox::disabled(client).await?)))
        .await?;
    let troubles = reader.read(async |client| alerts::troubles::now(client, None).await).await?;
    // What is only late is told of once, below.
    for trouble in troubles.iter().filter(|trouble| trouble.reason != "late") {
        let mend = "journalctl -u alt says what prevents it; the rules are judged again from there once it is mended";
        findings.add(
            Kind::Alerts,
            format!("rules {}", trouble.application_id).trim_end().to_owned(),
            trouble.to_string(),
            mend,
        );
    }
    if let Some(late) = state.behind_seconds.filter(|late| state.rules > 0 && *late > ALERTS_LATE) {
        let what =
            format!("the rules of an application are judged up to {:.0} minutes ago only", late / 60.0);
        let mend = "journalctl -u alt says what prevents it; a host whose log is not read holds back only what it feeds";
        findings.add(Kind::Alerts, "alerts", what, mend);
    }
    if state.dead > 0 || state.oldest_due_seconds.is_some_and(|waits| waits > ALERTS_LATE) {
        let what =
            format!("messages about alerts: {} given up in the last day, {} waiting", state.dead, state.due);
        let mend = "`alt alerts show ID` says why; `alt channel test NAME` tries a channel";
        findings.add(Kind::Alerts, "messages", what, mend);
    }
    for name in disabled {
        let what = format!("the channel {name} takes no messages: its receiver answered 410");
        findings.add(Kind::Alerts, name.clone(), what, format!("alt channel enable {name}"));
    }
    Ok(())
}

/// Logs that were not loaded to their ends, and are not found any more.
async fn missing(reader: &mut Reader, config: &Config, findings: &mut Findings) -> anyhow::Result<()> {
    for one in status::missing(reader, config).await? {
        findings.add(Kind::MissingLog, one.path.clone(), one.to_string(), one.mend());
    }
    Ok(())
}

/// Checks that the daemon of this host is running and keeps up with the logs.
async fn daemon(reader: &mut Reader, config: &Config, findings: &mut Findings) -> anyhow::Result<()> {
    let name = alt_store::session_name("run", &config.load.host_name());
    if !reader.read(async |client| server::has_session(client, &name).await).await? {
        findings.add(
            Kind::Daemon,
            "alt run",
            format!("the daemon of this host has no session `{name}` in the database: it is not running"),
            "systemctl start alt (or `alt run`); if it is running, journalctl -u alt says what keeps it",
        );
        return Ok(());
    }
    let mut waiting = status::waiting(reader, config, DAEMON_LAG_MAX).await?;
    if !waiting.is_empty() {
        // After a quiet hour, the first line may still be in flight.
        tokio::time::sleep(SECOND_LOOK).await;
        let still = status::waiting(reader, config, DAEMON_LAG_MAX).await?;
        waiting.retain(|(path, ..)| still.iter().any(|one| one.0 == *path));
    }
    for (path, bytes, seconds) in waiting {
        findings.add(
            Kind::Lag,
            path,
            format!("{bytes} bytes of it are not loaded, the oldest for {seconds:.0} s or more"),
            "journalctl -u alt says what keeps the daemon; after a long pause it is catching up, so look again",
        );
    }
    Ok(())
}
