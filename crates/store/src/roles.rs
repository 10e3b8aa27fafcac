//! The roles of PostgreSQL, and what each of them may do.
//!
//! `alt_owner` owns the tables and applies migrations. `alt`, the daemon's role, reads and writes rows. It makes and drops
//! partitions and destroys salts by functions of the owner only (`sql/0010_roles.sql`), so whoever takes the daemon over
//! changes no table and deletes no row that is not old. `alt_web`,
//! the role of the API, reads rows and statistics and changes tokens and shares. `alt_rules` and `alt_audit` may do nothing yet.
//!
//! Where one role owns the tables and loads, as on a server of somebody else, everything works as well: the functions
//! then run with the rights of that role.

use std::fmt::Write;

use anyhow::{Context, bail};
use tokio_postgres::Client;
use tokio_postgres::types::{ToSql, Type};

use super::server::{FUNCTIONS, KEYS, NEEDED, WEB};

/// The role that owns the tables.
pub const OWNER: &str = "alt_owner";
/// The daemon's role.
pub const LOADER: &str = "alt";
/// The role of the API.
pub const API: &str = "alt_web";

/// What the daemon's role is granted besides [`NEEDED`]: for commands that continue as the daemon's account.
const MORE: &[(&str, &[&str])] =
    &[("applications", &["INSERT", "UPDATE"]), ("alt_migrations", &["SELECT"]), ("audit_log", &["INSERT"])];

/// The applied migrations as earlier versions recorded them. Another program may have a table of this name, so only
/// `sql/take_over.sql`, which looks at it, changes its owner and rights.
const OLD_MIGRATIONS: (&str, &[&str]) = ("schema_migrations", &["SELECT"]);

/// Something that a superuser creates for a daemon on the same machine. For psql.
#[derive(Debug, Clone)]
pub struct Made {
    /// Its description.
    pub what: &'static str,
    /// The database in which both statements run.
    pub database: &'static str,
    /// A query that returns `1` if it is there.
    pub is_there: String,
    /// The statements that create it.
    pub create: String,
}

/// What a superuser creates, in this order.
pub fn made_by_superuser() -> Vec<Made> {
    let text = str::to_owned;
    let made = |what, database, is_there: &str, create: &str| Made {
        what,
        database,
        is_there: text(is_there),
        create: text(create),
    };
    vec![
        made("role alt", "postgres", "SELECT 1 FROM pg_roles WHERE rolname = 'alt'", "CREATE ROLE alt LOGIN"),
        made(
            "role alt_owner",
            "postgres",
            "SELECT 1 FROM pg_roles WHERE rolname = 'alt_owner'",
            "CREATE ROLE alt_owner LOGIN",
        ),
        made(
            "roles alt_web, alt_rules and alt_audit",
            "postgres",
            "SELECT 1 FROM pg_roles WHERE rolname IN ('alt_web', 'alt_rules', 'alt_audit') \
             HAVING count(*) = 3 AND bool_or(rolname = 'alt_web' AND rolcanlogin)",
            include_str!("../../../sql/neighbours.sql"),
        ),
        made(
            "database alt",
            "postgres",
            "SELECT 1 FROM pg_database WHERE datname = 'alt'",
            "CREATE DATABASE alt OWNER alt_owner ENCODING 'UTF8' TEMPLATE template0",
        ),
        Made {
            what: "rights of the roles",
            database: "alt",
            is_there: is_separate(),
            create: format!(
                "BEGIN; SET LOCAL lock_timeout = '10s'; SET LOCAL client_min_messages = error;\n{};\n{};\nCOMMIT",
                take_over(),
                grants()
            ),
        },
    ]
}

/// The tables, and what the daemon's role is granted on each.
fn granted() -> Vec<(&'static str, Vec<&'static str>)> {
    let mut all: Vec<(&str, Vec<&str>)> =
        NEEDED.iter().map(|&(table, rights)| (table, rights.to_vec())).collect();
    for &(table, rights) in MORE {
        match all.iter_mut().find(|(known, _)| *known == table) {
            Some((_, known)) => known.extend(rights),
            None => all.push((table, rights.to_vec())),
        }
    }
    all
}

/// The tables, what a role may do on each without being more than it is for (the rights with commas between them), and
/// which role: three lists of the same length.
fn permitted() -> [Vec<String>; 3] {
    let old = (OLD_MIGRATIONS.0, OLD_MIGRATIONS.1.to_vec());
    let loader = granted().into_iter().chain([old]).map(|(table, rights)| (table, rights, LOADER));
    let api = WEB.iter().map(|&(table, rights)| (table, rights.to_vec(), API));
    let mut lists = [Vec::new(), Vec::new(), Vec::new()];
    for (table, rights, role) in loader.chain(api) {
        lists[0].push(table.to_owned());
        lists[1].push(rights.join(","));
        lists[2].push(role.to_owned());
    }
    lists
}

/// The tables, as an array of SQL.
fn tables() -> String {
    let mut names: Vec<&str> = granted().iter().map(|(table, _)| *table).collect();
    names.extend(
        WEB.iter()
            .map(|(table, _)| *table)
            .filter(|table| !granted().iter().any(|(known, _)| known == table)),
    );
    let quoted: Vec<String> = names.iter().map(|table| format!("'{table}'")).collect();
    format!("ARRAY[{}]", quoted.join(", "))
}

/// A query that returns `1` if `alt_owner` owns the database and every table, and the rights are as granted.
fn is_separate() -> String {
    let mut query = format!(
        "SELECT 1 WHERE (SELECT pg_get_userbyid(datdba) = '{OWNER}' FROM pg_database WHERE datname = current_database()) \
         AND NOT has_schema_privilege('{LOADER}', 'public', 'CREATE') \
         AND NOT EXISTS (SELECT FROM pg_class WHERE (oid IN (SELECT to_regclass(name) FROM unnest({0}) AS t (name)) \
         OR oid IN (SELECT relid FROM pg_partition_tree(to_regclass('access_logs')))) \
         AND pg_get_userbyid(relowner) <> '{OWNER}')",
        tables()
    );
    let array = |texts: Vec<String>| format!("ARRAY['{}']", texts.join("', '"));
    let [names, rights, roles] = permitted();
    let more = include_str!("../../../sql/more_than_granted.sql")
        .replace("$1", &array(names))
        .replace("$2", &array(rights))
        .replace("$3", &array(roles));
    let _ =
        write!(query, " AND NOT EXISTS (SELECT FROM ({more}) AS more (role, what) WHERE role = '{LOADER}')");
    for (table, rights) in WEB {
        for right in *rights {
            let _ = write!(
                query,
                " AND (SELECT coalesce(bool_and(has_table_privilege(oid, to_regclass('{table}'), '{right}')), true) \
                 FROM pg_roles WHERE rolname = '{API}')"
            );
        }
    }
    let _ = write!(
        query,
        " AND coalesce(has_sequence_privilege('{LOADER}', to_regclass('{KEYS}'), 'USAGE'), true)"
    );
    for (table, rights) in granted() {
        for right in rights {
            let _ = write!(
                query,
                " AND coalesce(has_table_privilege('{LOADER}', to_regclass('{table}'), '{right}'), true)"
            );
        }
    }
    query
}

/// Gives the database, the tables, their partitions and the functions to `alt_owner`, whoever owned them, and takes from
/// all others what they could do to the schema.
fn take_over() -> String {
    include_str!("../../../sql/take_over.sql").replace("TABLES", &tables())
}

/// Grants the daemon's role and that of the API what they need, and nothing else, of the tables and functions that there are.
fn grants() -> String {
    let list = |all: &[(&str, Vec<&str>)]| {
        let all: Vec<String> =
            all.iter().map(|(table, rights)| format!("('{table}', '{}')", rights.join(", "))).collect();
        all.join(", ")
    };
    let web: Vec<(&str, Vec<&str>)> = WEB.iter().map(|&(table, rights)| (table, rights.to_vec())).collect();
    let functions: Vec<String> = FUNCTIONS.iter().map(|function| format!("('{function}')")).collect();
    include_str!("../../../sql/grants.sql")
        .replace("RIGHTS", &list(&granted()))
        .replace("WEB", &list(&web))
        .replace("FUNCTIONS", &functions.join(", "))
        .replace("KEYS", KEYS)
}

/// Grants the daemon's role what it needs, if this connection is that of `alt_owner`: after each migration.
///
/// # Errors
/// The database does not do it.
pub async fn grant(client: &Client) -> anyhow::Result<()> {
    let sql = "SELECT current_user = $1 AND EXISTS (SELECT FROM pg_roles WHERE rolname = $2)";
    let parameters: [(&(dyn ToSql + Sync), Type); 2] = [(&OWNER, Type::TEXT), (&LOADER, Type::TEXT)];
    if client.query_typed_one(sql, &parameters).await?.get::<_, bool>(0) {
        client.batch_execute(&grants()).await.context("grant the role alt what it needs")?;
    }
    Ok(())
}

/// Fails if this role may not change the tables, and says who may.
///
/// # Errors
/// The tables belong to another role; or the database cannot be asked.
pub async fn check_owns(client: &Client) -> anyhow::Result<()> {
    let sql = "SELECT pg_get_userbyid(relowner)::text, pg_has_role(relowner, 'USAGE') FROM pg_class \
               WHERE oid = to_regclass('access_logs')";
    if let Some(row) = client.query_typed_opt(sql, &[]).await?
        && !row.get::<_, bool>(1)
    {
        let owner: &str = row.get(0);
        bail!(
            "the tables belong to the role {owner}: run this as root on the machine of PostgreSQL, or with a \
             postgres.url that names {owner}"
        );
    }
    Ok(())
}

/// What a role may do: its name, its rights, and with which tables and functions.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Rights {
    /// The role; `everybody` is each role of the server.
    pub role: String,
    /// `owns`, `nothing`, or the privileges by name.
    pub rights: String,
    /// Tables, views and functions.
    pub objects: String,
}

/// What each role may do.
///
/// # Errors
/// The database cannot be asked, or has no schema.
pub async fn rights(client: &Client) -> anyhow::Result<Vec<Rights>> {
    let rows =
        client.query_typed(include_str!("../../../sql/roles.sql"), &[]).await.context("list the rights")?;
    Ok(rows.iter().map(|row| Rights { role: row.get(0), rights: row.get(1), objects: row.get(2) }).collect())
}

/// What the roles may do beyond what they are for, where `alt_owner` owns the tables: role, and what.
///
/// # Errors
/// The database cannot be asked.
pub async fn more_than_granted(client: &Client) -> anyhow::Result<Vec<(String, String)>> {
    let [tables, rights, roles] = permitted();
    let parameters: [(&(dyn ToSql + Sync), Type); 3] =
        [(&tables, Type::TEXT_ARRAY), (&rights, Type::TEXT_ARRAY), (&roles, Type::TEXT_ARRAY)];
    let sql = include_str!("../../../sql/more_than_granted.sql");
    let rows = client.query_typed(sql, &parameters).await.context("compare the rights")?;
    Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
}
