//! No statement is one that Citus is known to refuse, where `access_logs` is distributed by `app_id`. There is no Citus to be
//! installed here, so this holds all that is sent to a real server, and what is written down in `sql/`.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use alt_store::statements::statements;
use regex::Regex;

use crate::support::bench::Bench;
use crate::support::daemon::{Daemon, alt, wait_for};
use crate::support::lines::{KEY, alt1_aged, many};
use crate::support::postgres::Cluster;

/// What a statement may not hold that names `access_logs`, which is on the workers.
const ON_WORKERS: &[(&str, &str)] = &[
    (r"\bLATERAL\b", "a lateral subquery beside a table function is not sent to workers"),
    (r"\bOFFSET\b", "a subquery with OFFSET needs all rows in one place"),
    (r"\bLIMIT\b", "a subquery with LIMIT needs all rows in one place"),
    (r"\bFOR (NO KEY )?(UPDATE|SHARE|KEY SHARE)\b", "rows of several shards cannot be locked"),
    (r"\bON CONFLICT\b", "a unique key would need app_id in it"),
    (r"\bTABLESAMPLE\b|\bGROUPING SETS\b|\bCUBE\b|\bROLLUP\b|\bRECURSIVE\b", "works on one shard only"),
    (r"\bTEMP(ORARY)? TABLE\b", "a temporary table is not on the workers"),
    (r"\bctid\b", "is the place in one shard"),
    (r"\b(UPDATE|DELETE FROM) access_logs\b.*\b(random|clock_timestamp|gen_random_uuid)\(", "is volatile"),
];

const CHANGE: &str = r"(?i)^(CREATE|ALTER|DROP|TRUNCATE|COMMENT|GRANT|REVOKE)\b";

fn without_comments(sql: &str) -> String {
    sql.lines().map(|line| line.split("--").next().unwrap()).collect::<Vec<_>>().join(" ")
}

/// Why Citus refuses a message, as far as is known.
fn refused(message: &str) -> Option<String> {
    let all: Vec<String> = statements(message).into_iter().map(without_comments).collect();
    let change = Regex::new(CHANGE).unwrap();
    if all.len() > 1 && all.iter().any(|statement| change.is_match(statement.trim())) {
        return Some("a change of a table comes with other statements in one message".to_owned());
    }
    if all.len() > 1 && all.iter().any(|statement| statement.contains("citus.")) {
        return Some("a setting for workers is passed on with the whole message".to_owned());
    }
    let words = |statement: &&String| statement.contains("access_logs");
    let word =
        |pattern: &str, statement: &str| Regex::new(&format!("(?is){pattern}")).unwrap().is_match(statement);
    all.iter().filter(words).find_map(|statement| {
        let broken = ON_WORKERS.iter().find(|(pattern, _)| word(pattern, statement));
        broken.map(|(pattern, why)| format!("{pattern}: {why}"))
    })
}

#[test]
fn what_is_known_to_be_refused_is_found() {
    for (message, is_refused) in [
        (
            "CREATE TABLE a (LIKE access_logs); ALTER TABLE access_logs ATTACH PARTITION a FOR VALUES FROM (1) TO (2)",
            true,
        ),
        ("BEGIN; SET LOCAL lock_timeout = '2s'; DROP TABLE a; COMMIT", true),
        ("DROP TABLE a", false),
        ("BEGIN; SET LOCAL lock_timeout = '2s'; SELECT pg_advisory_xact_lock(1)", false),
        ("SET LOCAL citus.propagate_set_commands = 'local'; SET LOCAL jit = off", true),
        ("SET LOCAL citus.propagate_set_commands = 'local'", false),
        (
            "SELECT 1 FROM unnest($1) u CROSS JOIN LATERAL (SELECT 1 FROM access_logs WHERE app_id = u OFFSET 0) l",
            true,
        ),
        ("SELECT 1 FROM unnest($1) u (a) JOIN access_logs l ON l.app_id = u.a -- no OFFSET, no LIMIT", false),
        ("SELECT 1 FROM access_logs WHERE app_id = 1 FOR UPDATE", true),
        ("SELECT 1 FROM (SELECT 1 OFFSET 0) s", false),
    ] {
        assert_eq!(refused(message).is_some(), is_refused, "{message}: {:?}", refused(message));
    }
}

#[test]
fn no_file_of_sql_holds_what_citus_refuses() {
    for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("sql")).unwrap() {
        let path = entry.unwrap().path();
        // These ask rows of one application alone, and so one shard, which answers what any server answers.
        let name = path.file_name().unwrap().to_str().unwrap();
        if name.starts_with("naive_") || name == "search_rows.sql" {
            continue;
        }
        // Each of a file is sent by itself: `everything_that_is_sent_is_what_citus_takes` sees to that.
        for statement in statements(&fs::read_to_string(&path).unwrap()) {
            assert_eq!(refused(statement), None, "{}: {statement}", path.display());
        }
    }
}

/// What the role `alt` sent to a server that logs it, message by message.
fn sent(log: &str) -> Vec<String> {
    let begin = Regex::new(r"^(\w*)\|LOG:  (?:statement|execute [^:]*): (.*)$").unwrap();
    let mut messages: Vec<String> = Vec::new();
    let mut is_ours = false;
    for line in log.lines() {
        if let Some(found) = begin.captures(line) {
            is_ours = &found[1] == "alt";
            if is_ours {
                messages.push(found[2].to_owned());
            }
        } else if let Some(more) = line.strip_prefix('\t').filter(|_| is_ours) {
            let last = messages.last_mut().unwrap();
            last.push('\n');
            last.push_str(more);
        } else {
            is_ours = false;
        }
    }
    messages
}

#[test]
fn everything_that_is_sent_is_what_citus_takes() {
    const YEAR: u64 = 365 * 86_400;
    let cluster = Cluster::start(&["fsync=off", "log_statement=all", "log_line_prefix=%u|"]);
    let mut bench = Bench::not_started("[[source]]\npaths = [\"DIR/beacon.log\"]", cluster.database());
    let text = fs::read_to_string(&bench.config).unwrap() + "[retention]\nrows = \"2 months\"\n";
    fs::write(&bench.config, text).unwrap();
    // Months are made, and one is dropped; lines are live, replayed, replayed again, rejected, taken out.
    bench.append("beacon.log", 10);
    bench.start();
    bench.settle();
    let run = |args: &[&str]| {
        let output = alt().args(args).arg("--config").arg(&bench.config).output().unwrap();
        assert!(output.status.success(), "{args:?}: {output:?}");
    };
    let other = bench.path("other.log").display().to_string();
    fs::write(&other, many(10) + &alt1_aged(YEAR) + "garbage\n").unwrap();
    run(&["replay", &other]);
    run(&["replay", "--again", &other]);
    run(&["replay", "--dry-run", &other]);
    run(&["rejects", "retry"]);
    run(&["status"]);
    run(&["retention", "show", "--limit", "5"]);
    run(&["unload", "--app", KEY, "--since", "1d"]);
    bench.stop();
    let daemon = Daemon::start(&bench.config);
    wait_for(30, || daemon.log().contains("dropped a partition"), || daemon.log());
    assert!(daemon.stop().success());

    let messages = sent(&cluster.log());
    // The log was understood: all kinds of messages are there.
    for kind in [
        "ATTACH PARTITION",
        "SELECT alt_make_month(",
        "SELECT alt_drop_month(",
        "COPY access_logs",
        "JOIN access_logs l ON",
        "SET LOCAL jit",
        "DELETE FROM access_logs",
        "UPDATE checkpoints",
        "CREATE TABLE access_logs (",
        "INSERT INTO user_agents",
    ] {
        assert!(
            messages.iter().any(|message| message.contains(kind)),
            "no {kind} in {} messages",
            messages.len()
        );
    }
    let refused: BTreeSet<String> = messages
        .iter()
        .filter_map(|message| refused(message).map(|why| format!("{why}: {message}")))
        .collect();
    assert!(refused.is_empty(), "{refused:#?}");
}
