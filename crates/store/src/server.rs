//! The server, and what the daemon's role may do there.

use anyhow::bail;
use tokio_postgres::Client;
use tokio_postgres::types::{ToSql, Type};

/// The tables, and the privileges on them that the daemon needs.
pub(super) const NEEDED: &[(&str, &[&str])] = &[
    ("applications", &["SELECT"]),
    ("user_agents", &["SELECT", "INSERT"]),
    ("environments", &["SELECT", "INSERT"]),
    ("visitor_salts", &["SELECT", "INSERT"]),
    ("log_files", &["SELECT", "INSERT", "UPDATE"]),
    ("checkpoints", &["SELECT", "INSERT", "UPDATE"]),
    ("loaded_by_ids", &["SELECT", "INSERT", "UPDATE"]),
    ("access_logs", &["SELECT", "INSERT"]),
    ("rejected_lines", &["SELECT", "INSERT", "UPDATE", "DELETE"]),
    ("suspects", &["SELECT", "INSERT", "UPDATE", "DELETE"]),
    ("access_log_details", &["SELECT"]),
    ("retention_clock", &["SELECT", "INSERT", "UPDATE", "DELETE"]),
    ("retention_words", &["SELECT", "INSERT"]),
    ("retention_drops", &["SELECT", "INSERT", "DELETE"]),
    ("leases", &["SELECT", "INSERT", "UPDATE", "DELETE"]),
    ("daemons", &["SELECT", "INSERT", "UPDATE", "DELETE"]),
    ("batches", &["SELECT", "INSERT", "DELETE"]),
    ("followers", &["SELECT", "INSERT", "UPDATE", "DELETE"]),
    ("stat_days", &["SELECT", "INSERT", "UPDATE"]),
    ("stat_dirty", &["SELECT", "INSERT", "DELETE"]),
    ("stat_backlog", &["SELECT", "INSERT", "UPDATE", "DELETE"]),
    ("stat_daily", &["SELECT", "INSERT", "DELETE"]),
    ("stat_segments", &["SELECT", "INSERT", "DELETE"]),
    ("stat_user_keys", &["SELECT", "INSERT"]),
    ("stat_goals", &["SELECT"]),
    ("stat_reports", &["SELECT", "UPDATE"]),
    ("alert_rules", &["SELECT"]),
    ("alert_rule_versions", &["SELECT"]),
    ("alert_sources", &["SELECT", "INSERT", "UPDATE", "DELETE"]),
    ("alert_feeds", &["SELECT", "INSERT", "UPDATE", "DELETE"]),
    ("alert_apps", &["SELECT", "INSERT", "UPDATE"]),
    ("alert_troubles", &["SELECT", "INSERT", "UPDATE", "DELETE"]),
    ("alert_dirty", &["SELECT", "INSERT", "DELETE"]),
    ("alert_lenses", &["SELECT", "INSERT"]),
    ("alert_buckets", &["SELECT", "INSERT", "DELETE"]),
    ("alert_keys", &["SELECT", "INSERT", "UPDATE"]),
    ("alert_changes", &["SELECT", "INSERT", "DELETE"]),
    ("alert_acts", &["SELECT"]),
    ("alert_episodes", &["SELECT", "INSERT", "UPDATE"]),
    ("alert_transitions", &["SELECT", "INSERT"]),
    ("alert_outbox", &["SELECT", "INSERT", "UPDATE"]),
    ("alert_channels", &["SELECT", "INSERT"]),
    ("alert_silences", &["SELECT"]),
    ("alert_samples", &["SELECT", "INSERT", "DELETE"]),
];

/// The tables, and the privileges on them that the API (`alt serve`) needs. It may not change what loading owns, and cannot
/// change the record of what was changed.
pub(super) const WEB: &[(&str, &[&str])] = &[
    ("applications", &["SELECT", "UPDATE"]),
    ("access_logs", &["SELECT"]),
    ("user_agents", &["SELECT"]),
    ("environments", &["SELECT"]),
    ("checkpoints", &["SELECT"]),
    ("log_files", &["SELECT"]),
    ("leases", &["SELECT"]),
    ("daemons", &["SELECT"]),
    ("batches", &["SELECT"]),
    ("followers", &["SELECT"]),
    ("stat_days", &["SELECT"]),
    ("stat_dirty", &["SELECT"]),
    ("stat_backlog", &["SELECT", "INSERT"]),
    ("stat_daily", &["SELECT"]),
    ("stat_segments", &["SELECT"]),
    ("stat_goals", &["SELECT", "INSERT", "DELETE"]),
    ("stat_reports", &["SELECT", "INSERT", "DELETE"]),
    ("stat_annotations", &["SELECT", "INSERT", "UPDATE", "DELETE"]),
    ("stat_saved_filters", &["SELECT", "INSERT", "UPDATE", "DELETE"]),
    ("stat_panels", &["SELECT", "INSERT", "UPDATE", "DELETE"]),
    ("web_keys", &["SELECT", "INSERT", "UPDATE", "DELETE"]),
    ("alert_rules", &["SELECT", "INSERT"]),
    ("alert_rule_versions", &["SELECT", "INSERT"]),
    ("alert_apps", &["SELECT"]),
    ("alert_troubles", &["SELECT"]),
    ("alert_dirty", &["SELECT", "INSERT"]),
    ("alert_keys", &["SELECT"]),
    ("alert_acts", &["SELECT", "INSERT"]),
    ("alert_episodes", &["SELECT"]),
    ("alert_transitions", &["SELECT"]),
    ("alert_outbox", &["SELECT"]),
    ("alert_channels", &["SELECT"]),
    ("alert_silences", &["SELECT", "INSERT", "UPDATE"]),
    ("alert_samples", &["SELECT", "INSERT"]),
    ("alt_migrations", &["SELECT"]),
    ("web_users", &["SELECT", "INSERT", "UPDATE", "DELETE"]),
    ("web_grants", &["SELECT", "INSERT", "DELETE"]),
    ("web_tokens", &["SELECT", "INSERT", "UPDATE"]),
    ("web_shares", &["SELECT", "INSERT", "UPDATE"]),
    ("web_sessions", &["SELECT", "INSERT", "UPDATE", "DELETE"]),
    ("web_links", &["SELECT", "INSERT", "UPDATE", "DELETE"]),
    ("web_identities", &["SELECT", "INSERT", "UPDATE", "DELETE"]),
    ("web_flows", &["SELECT", "INSERT", "UPDATE", "DELETE"]),
    ("audit_log", &["SELECT", "INSERT"]),
];

/// The functions by which the daemon does what only the tables' owner may do (`sql/0010_roles.sql`).
pub(super) const FUNCTIONS: &[&str] =
    &["alt_make_month(integer)", "alt_drop_month(integer, text)", "alt_kill_salts(timestamptz, text)"];

/// The sequence from which the daemon draws the keys of files.
pub(super) const KEYS: &str = "log_files_id_seq";

/// A server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Server {
    /// Its version, as in `server_version_num`: 140005.
    pub version: i32,
    /// Whether it is a standby, which accepts no rows.
    pub is_standby: bool,
}

/// The server that this connection reaches.
///
/// # Errors
/// The database cannot be asked.
pub async fn server(client: &Client) -> anyhow::Result<Server> {
    let sql = "SELECT current_setting('server_version_num')::int, pg_is_in_recovery()";
    let row = client.query_typed_one(sql, &[]).await?;
    Ok(Server { version: row.get(0), is_standby: row.get(1) })
}

/// Fails if the database cannot store every character. With another encoding than UTF8, PostgreSQL refuses the
/// characters that the encoding lacks; with `SQL_ASCII`, it does not know what a character is.
///
/// # Errors
/// The encoding is not UTF8, or the database cannot be asked.
pub async fn check_encoding(client: &Client) -> anyhow::Result<()> {
    let sql = "SELECT current_setting('server_encoding'), current_database()::text";
    let row = client.query_typed_one(sql, &[]).await?;
    let (encoding, database): (&str, &str) = (row.get(0), row.get(1));
    if encoding != "UTF8" {
        bail!(
            "the encoding of the database {database} is {encoding}, and alt needs UTF8; a database keeps its encoding: \
             make another one (CREATE DATABASE … ENCODING 'UTF8' LOCALE 'C.UTF-8' TEMPLATE template0) and name it in \
             postgres.url"
        );
    }
    Ok(())
}

/// What has the name of a table of ours in the schema in which new tables are created: `applications (of rails)`.
///
/// # Errors
/// The database cannot be asked.
pub(super) async fn in_the_way(client: &Client) -> anyhow::Result<Vec<String>> {
    let names: Vec<&str> = NEEDED.iter().chain(WEB).map(|(name, _)| *name).collect();
    let sql = "SELECT format('%s (of %s)', relname, pg_get_userbyid(relowner)) FROM pg_class \
               WHERE relnamespace = to_regnamespace(quote_ident(current_schema())) AND relname = ANY ($1) ORDER BY 1";
    let rows = client.query_typed(sql, &[(&names, Type::TEXT_ARRAY)]).await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// The server's time, seconds since 1970.
///
/// # Errors
/// The database cannot be asked.
pub async fn clock(client: &Client) -> anyhow::Result<f64> {
    let sql = "SELECT extract(epoch FROM clock_timestamp())::double precision";
    Ok(client.query_typed_one(sql, &[]).await?.get(0))
}

/// Whether a session with this name exists, as made by [`session_name`](crate::session_name).
///
/// # Errors
/// The database cannot be asked.
pub async fn has_session(client: &Client, name: &str) -> anyhow::Result<bool> {
    let sql = "SELECT EXISTS (SELECT FROM pg_stat_activity \
               WHERE datname = current_database() AND application_name = $1)";
    Ok(client.query_typed_one(sql, &[(&name, Type::TEXT)]).await?.get(0))
}

/// Something that the daemon needs and does not have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lack {
    /// What is wrong.
    pub what: String,
    /// What to do.
    pub mend: String,
}

/// What the daemon needs of the tables, and this role lacks.
///
/// # Errors
/// The database cannot be asked.
pub async fn lacks(client: &Client) -> anyhow::Result<Vec<Lack>> {
    let mut lacks = Vec::new();
    for (table, rights) in NEEDED {
        lacks.extend(lack_of(client, table, rights).await?);
    }
    let sql = "SELECT coalesce(has_sequence_privilege(to_regclass($1), 'USAGE'), true)";
    if !client.query_typed_one(sql, &[(&KEYS, Type::TEXT)]).await?.get::<_, bool>(0) {
        lacks.push(Lack {
            what: format!("this role may not draw keys from {KEYS}"),
            mend: format!(
                "run `alt setup` as root; or, as its owner: GRANT USAGE ON SEQUENCE {KEYS} TO the role"
            ),
        });
    }
    lacks.extend(lack_of_owner(client).await?);
    Ok(lacks)
}

/// The role of the API.
const WEB_ROLE: &str = "alt_web";

/// What the API needs of the tables, and its role lacks.
///
/// # Errors
/// The database cannot be asked.
pub async fn web_lacks(client: &Client) -> anyhow::Result<Vec<Lack>> {
    let sql = "SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)";
    if !client.query_typed_one(sql, &[(&WEB_ROLE, Type::TEXT)]).await?.get::<_, bool>(0) {
        let what = format!("there is no role {WEB_ROLE}, as which `alt serve` works");
        return Ok(vec![Lack { what, mend: "run `sudo alt setup --only-roles`".to_owned() }]);
    }
    let mut lacks = Vec::new();
    for (table, rights) in WEB {
        let mut missing = Vec::new();
        for &right in *rights {
            let sql = "SELECT coalesce(has_table_privilege($1::text::name, to_regclass($2), $3), false)";
            let parameters: [(&(dyn ToSql + Sync), Type); 3] =
                [(&WEB_ROLE, Type::TEXT), (&table, Type::TEXT), (&right, Type::TEXT)];
            if !client.query_typed_one(sql, &parameters).await?.get::<_, bool>(0) {
                missing.push(right);
            }
        }
        if !missing.is_empty() {
            lacks.push(Lack {
                what: format!("{WEB_ROLE} may not {} the table {table}", missing.join(", ")),
                mend: "run `alt migrate`, which gives the roles their rights".to_owned(),
            });
        }
    }
    Ok(lacks)
}

/// Partitions are made, and salts destroyed, by functions that run with the rights of their owner.
async fn lack_of_owner(client: &Client) -> anyhow::Result<Vec<Lack>> {
    let mut lacks = Vec::new();
    for function in FUNCTIONS {
        let sql = "SELECT to_regprocedure($1) IS NULL, coalesce(has_function_privilege(to_regprocedure($1), 'EXECUTE'), true)";
        let row = client.query_typed_one(sql, &[(function, Type::TEXT)]).await?;
        let (is_missing, may): (bool, bool) = (row.get(0), row.get(1));
        if is_missing {
            let mend = "restore it from a backup, or drop the schema and run `alt migrate` anew";
            lacks.push(Lack { what: format!("the function {function} is missing"), mend: mend.to_owned() });
        } else if !may {
            lacks.push(Lack {
                what: format!("this role may not run {function}"),
                mend: format!("run `alt setup` as root; or, as its owner: GRANT EXECUTE ON FUNCTION {function} TO the role"),
            });
        }
    }
    let sql = "SELECT pg_has_role(p.proowner, c.relowner, 'USAGE'), \
               has_schema_privilege(p.proowner, c.relnamespace, 'CREATE'), pg_get_userbyid(c.relowner)::text, \
               pg_get_userbyid(p.proowner)::text FROM pg_class c, pg_proc p \
               WHERE c.oid = to_regclass('access_logs') AND p.oid = to_regprocedure('alt_make_month(integer)')";
    if let Some(row) = client.query_typed_opt(sql, &[]).await? {
        let (owns, creates): (bool, bool) = (row.get(0), row.get(1));
        let (owner, maker): (&str, &str) = (row.get(2), row.get(3));
        if !owns {
            lacks.push(Lack {
                what: format!("access_logs belongs to {owner}, so {maker} cannot add partitions"),
                mend: format!(
                    "as {owner}: ALTER TABLE access_logs OWNER TO {maker} (and the other tables alike)"
                ),
            });
        }
        if !creates {
            lacks.push(Lack {
                what: format!("{maker} may not create partitions in the schema of access_logs"),
                mend: format!("as the schema's owner: GRANT CREATE ON SCHEMA public TO {maker}"),
            });
        }
    }
    Ok(lacks)
}

async fn lack_of(client: &Client, table: &str, rights: &[&str]) -> anyhow::Result<Option<Lack>> {
    let sql = "SELECT to_regclass($1) IS NOT NULL";
    if !client.query_typed_one(sql, &[(&table, Type::TEXT)]).await?.get::<_, bool>(0) {
        let mend = "restore it from a backup, or drop the schema and run `alt migrate` anew";
        return Ok(Some(Lack { what: format!("the table {table} is missing"), mend: mend.to_owned() }));
    }
    let mut missing = Vec::new();
    for &right in rights {
        let sql = "SELECT has_table_privilege(to_regclass($1), $2)";
        let parameters: [(&(dyn ToSql + Sync), Type); 2] = [(&table, Type::TEXT), (&right, Type::TEXT)];
        if !client.query_typed_one(sql, &parameters).await?.get::<_, bool>(0) {
            missing.push(right);
        }
    }
    let missing = missing.join(", ");
    Ok((!missing.is_empty()).then(|| Lack {
        what: format!("this role may not {missing} the table {table}"),
        mend: format!("as its owner: GRANT {missing} ON {table} TO the role"),
    }))
}
