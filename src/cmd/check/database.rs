//! The database: reached, of the right version, with its tables, rights, and a clock that agrees.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use alt_config::Config;
use alt_store::migrate::{self, Schema};
use tokio_postgres::Client;
use tokio_postgres::types::Type;

use super::Findings;
use crate::cmd::status;

/// Seconds by which the clocks may differ: the salts of days and the ranges of times go by them.
const SKEW_SECONDS_MAX: f64 = 5.0;

/// How long a line may stand in a log before a running daemon has loaded it.
const DAEMON_LAG_MAX: Duration = Duration::from_secs(15);

/// What is not loaded at the first look has to be missing at a second one, too.
const SECOND_LOOK: Duration = Duration::from_secs(2);

/// Tables and what the daemon does with each.
const NEEDED: &[(&str, &str)] = &[
    ("applications", "SELECT"),
    ("user_agents", "SELECT, INSERT"),
    ("environments", "SELECT, INSERT"),
    ("visitor_salts", "SELECT, INSERT, UPDATE"),
    ("log_files", "SELECT, INSERT, UPDATE"),
    ("checkpoints", "SELECT, INSERT, UPDATE"),
    ("access_logs", "SELECT, INSERT"),
    ("rejected_lines", "SELECT, INSERT, UPDATE, DELETE"),
    ("suspects", "SELECT, INSERT, UPDATE, DELETE"),
    ("access_log_details", "SELECT"),
    ("retention_clock", "SELECT, INSERT, UPDATE, DELETE"),
    ("retention_words", "SELECT, INSERT"),
    ("retention_drops", "SELECT, INSERT, DELETE"),
];

/// Looks at the database.
pub(super) async fn look(config: &Config, findings: &mut Findings) {
    let client = match alt_store::connect(&config.postgres, "alt check").await {
        Ok(client) => client,
        Err(e) => {
            let mend = "start PostgreSQL, or correct [postgres] in the configuration";
            return findings.add("PostgreSQL", format!("cannot be used: {e:#}"), mend);
        }
    };
    if let Err(e) = ask(&client, config, findings).await {
        findings.add("PostgreSQL", format!("cannot be asked: {e:#}"), "see PostgreSQL's log");
    }
}

async fn ask(client: &Client, config: &Config, findings: &mut Findings) -> anyhow::Result<()> {
    clock(client, findings).await?;
    let row = client
        .query_typed_one("SELECT current_setting('server_version_num')::int, pg_is_in_recovery()", &[])
        .await?;
    if row.get::<_, i32>(0) < 140_000 {
        findings.add(
            "PostgreSQL",
            format!("is version {}", row.get::<_, i32>(0)),
            "upgrade it to 14 or later",
        );
    }
    if row.get::<_, bool>(1) {
        findings.add("PostgreSQL", "is a standby, which takes no rows", "name the primary in postgres.url");
    }
    match migrate::schema(client).await? {
        Schema::Compatible(_) => {
            let found = findings.0.len();
            tables(client, findings).await?;
            if findings.0.len() > found {
                return Ok(());
            }
            applications(client, config, findings).await?;
            poison(client, config, findings).await?;
            retention(client, config, findings).await?;
            daemon(client, config, findings).await
        }
        Schema::Missing => {
            findings.add("PostgreSQL", "the database has no schema", "run `alt migrate`");
            Ok(())
        }
        Schema::Older(version) => {
            findings.add(
                "PostgreSQL",
                format!("the schema is version {version}, older than {}", migrate::newest()),
                "run `alt migrate`",
            );
            Ok(())
        }
        Schema::TooNew(version) => {
            findings.add(
                "PostgreSQL",
                format!("the schema is version {version}, too new for this alt ({})", migrate::newest()),
                "upgrade alt",
            );
            Ok(())
        }
    }
}

async fn clock(client: &Client, findings: &mut Findings) -> anyhow::Result<()> {
    let ours = || SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |time| time.as_secs_f64());
    let before = ours();
    let sql = "SELECT extract(epoch FROM clock_timestamp())::double precision";
    let theirs: f64 = client.query_typed_one(sql, &[]).await?.get(0);
    let skew = theirs - f64::midpoint(before, ours());
    if skew.abs() > SKEW_SECONDS_MAX {
        let direction = if skew > 0.0 { "ahead of" } else { "behind" };
        findings.add(
            "PostgreSQL",
            format!("its clock is {:.0} s {direction} this machine's", skew.abs()),
            "synchronize both clocks (systemd-timesyncd, chrony)",
        );
    }
    Ok(())
}

async fn tables(client: &Client, findings: &mut Findings) -> anyhow::Result<()> {
    for (table, rights) in NEEDED {
        let sql = "SELECT to_regclass($1) IS NOT NULL";
        if !client.query_typed_one(sql, &[(table, Type::TEXT)]).await?.get::<_, bool>(0) {
            let mend = "restore it from a backup, or drop the schema and run `alt migrate` anew";
            findings.add("PostgreSQL", format!("the table {table} is missing"), mend);
            continue;
        }
        let mut missing = Vec::new();
        for right in rights.split(", ") {
            let sql = "SELECT has_table_privilege($1::regclass, $2)";
            let sql = sql.replace("$1::regclass", "to_regclass($1)");
            let parameters: [(&(dyn tokio_postgres::types::ToSql + Sync), Type); 2] =
                [(table, Type::TEXT), (&right, Type::TEXT)];
            if !client.query_typed_one(&sql, &parameters).await?.get::<_, bool>(0) {
                missing.push(right);
            }
        }
        if !missing.is_empty() {
            findings.add(
                "PostgreSQL",
                format!("this role may not {} the table {table}", missing.join(", ")),
                format!("as its owner: GRANT {} ON {table} TO the role", missing.join(", ")),
            );
        }
    }
    // partitions are created and attached, which only an owner may
    let sql = "SELECT pg_has_role(c.relowner, 'USAGE'), has_schema_privilege(c.relnamespace, 'CREATE'), \
               pg_get_userbyid(c.relowner), current_user::text FROM pg_class c WHERE c.oid = to_regclass('access_logs')";
    if let Some(row) = client.query_typed_opt(sql, &[]).await? {
        let (owns, creates): (bool, bool) = (row.get(0), row.get(1));
        let (owner, user): (&str, &str) = (row.get(2), row.get(3));
        if !owns {
            findings.add(
                "PostgreSQL",
                format!("access_logs belongs to {owner}, so {user} cannot add partitions"),
                format!("as {owner}: ALTER TABLE access_logs OWNER TO {user} (and the other tables alike)"),
            );
        }
        if !creates {
            findings.add(
                "PostgreSQL",
                format!("{user} may not create partitions in the schema of access_logs"),
                format!("as the schema's owner: GRANT CREATE ON SCHEMA public TO {user}"),
            );
        }
    }
    Ok(())
}

async fn applications(client: &Client, config: &Config, findings: &mut Findings) -> anyhow::Result<()> {
    let rows = client.query_typed("SELECT app_key FROM applications WHERE disabled_at IS NULL", &[]).await?;
    let keys: Vec<&str> = rows.iter().map(|row| row.get(0)).collect();
    if keys.is_empty() {
        findings.add(
            "PostgreSQL",
            "no application is registered, so every hit is a reject",
            "run `alt app add NAME`, and paste the line that it prints",
        );
        return Ok(());
    }
    for source in &config.sources {
        for app in source.app.iter().chain(source.sites.values()).filter(|app| !keys.contains(&app.as_str()))
        {
            findings.add(
                source.paths.join(", "),
                format!("its hits are those of the application with the key {app}, which is not registered, or disabled"),
                "correct `app` and `sites` of this [[source]]: `alt app list` shows the keys",
            );
        }
    }
    Ok(())
}

/// Lines that ended the daemon of this host, and were set aside.
async fn poison(client: &Client, config: &Config, findings: &mut Findings) -> anyhow::Result<()> {
    let sql = "SELECT f.path, r.file_offset FROM rejected_lines r JOIN log_files f ON f.id = r.file_id \
               WHERE r.reason = 'poison' AND f.host = $1 ORDER BY r.rejected_at DESC LIMIT 10";
    for row in client.query_typed(sql, &[(&config.load.host_name(), Type::TEXT)]).await? {
        findings.add(
            row.get::<_, String>(0),
            format!("the line at offset {} ended the daemon twice and was set aside", row.get::<_, i64>(1)),
            "report it (`alt rejects list --reason poison` shows it); with a version that can read it, \
             `alt rejects retry --reason poison` loads it",
        );
    }
    Ok(())
}

/// What keeps something from being deleted that is old enough, until somebody does something.
async fn retention(client: &Client, config: &Config, findings: &mut Findings) -> anyhow::Result<()> {
    let host = config.load.host_name();
    let waits = alt_store::retention::waits(client, &host, config.retention.rows.as_ref()).await?;
    if let Some(waits) = waits.filter(|waits| waits.word().is_some()) {
        findings.add("retention", waits.to_string(), waits.mend());
    }
    Ok(())
}

/// Whether the daemon of this host is there, and keeps up with the logs.
async fn daemon(client: &Client, config: &Config, findings: &mut Findings) -> anyhow::Result<()> {
    let name = alt_store::session_name("run", &config.load.host_name());
    let sql = "SELECT EXISTS (SELECT FROM pg_stat_activity \
               WHERE datname = current_database() AND application_name = $1)";
    let running: bool = client.query_typed_one(sql, &[(&name, Type::TEXT)]).await?.get(0);
    if !running {
        findings.add(
            "alt run",
            format!("the daemon of this host has no session `{name}` in the database: it is not running"),
            "systemctl start alt (or `alt run`); if it is running, journalctl -u alt says what keeps it",
        );
        return Ok(());
    }
    let mut waiting = status::waiting(client, config, DAEMON_LAG_MAX).await?;
    if !waiting.is_empty() {
        // After a quiet hour the first line may just be on its way.
        tokio::time::sleep(SECOND_LOOK).await;
        let still = status::waiting(client, config, DAEMON_LAG_MAX).await?;
        waiting.retain(|(path, ..)| still.iter().any(|one| one.0 == *path));
    }
    for (path, bytes, seconds) in waiting {
        findings.add(
            path,
            format!("{bytes} bytes of it are not loaded, the oldest for {seconds:.0} s or more"),
            "journalctl -u alt says what keeps the daemon; after a long pause it is catching up, so look again",
        );
    }
    Ok(())
}
