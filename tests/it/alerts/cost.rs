//! What judging costs: 1,000 rules in 10,000 pairs of a rule and an application, at 50 rows a second.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use alt_alerts::rule::parse_one;
use alt_alerts::time::{Micros, SECOND, SLOT, slot_of};
use alt_process::metrics::Metrics;
use alt_process::stop::Stop;
use alt_store::alerts::evaluate::{Done, Evaluator};
use alt_store::alerts::rules;
use alt_store::in_transaction;

use super::model::time;
use crate::support::cases::Ground;
use crate::support::postgres::Cluster;

/// Applications, and rules; each rule is of ten applications.
const APPS: usize = 50;
const RULES: usize = 1000;

/// What a process or a thread has used of a processor, seconds.
fn used(stat: &str) -> f64 {
    let text = std::fs::read_to_string(stat).unwrap();
    let fields: Vec<&str> = text.rsplit(") ").next().unwrap().split(' ').collect();
    let ticks = |n: usize| fields[n].parse::<f64>().unwrap();
    (ticks(11) + ticks(12)) / 100.0
}

/// Resident memory, KiB.
fn resident() -> i64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = text.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

fn prepare(ground: &Ground, base: Micros) {
    ground.rows(
        "SELECT alt_make_month(month) FROM (SELECT DISTINCT (extract(year FROM t) * 12 + extract(month FROM t) - \
         1)::integer AS month FROM (VALUES (now()), (now() - interval '1 day')) times (t)) months",
    );
    ground.rows(&format!(
        "INSERT INTO applications (app_key, name) SELECT 'a' || to_char(n, 'FM00'), 'a' || n FROM generate_series(0, {APPS} - 1) n"
    ));
    let metrics = ["error_rate", "response_time_p95", "events_per_minute", "client_errors"];
    ground.wait(async |client| {
        in_transaction(client, "60s", async |client| {
            for n in 0..RULES {
                let text = format!(
                    "name = \"r{n}\"\napplication = \"a{}*\"\nmetric = \"{}\"\nwindow = \"{}m\"\ncompare = \"> 100000\"\n\
                     filter = {{ path = \"/p{}*\" }}",
                    n % 5,
                    metrics[n % 4],
                    [1, 5, 10][n % 3],
                    n % 20
                );
                let rule = parse_one(&text).unwrap();
                let sql = "INSERT INTO alert_rules (name) VALUES ($1) RETURNING id";
                let id: i32 = client.query_one(sql, &[&rule.name]).await.unwrap().get(0);
                let sql = format!(
                    "INSERT INTO alert_rule_versions (rule_id, version, from_at, text, made_by) VALUES ({id}, 1, {}, $1, 'x')",
                    time(base)
                );
                client.execute(&sql, &[&rule.text]).await.unwrap();
            }
            assert_eq!(rules::present(client).await.unwrap().len(), RULES);
            Ok(())
        })
        .await
        .unwrap();
    });
}

/// 250 rows in a slot, and what the ledger says of them.
fn load(ground: &Ground, at: Micros) {
    let mut sql = "BEGIN; INSERT INTO access_logs (occurred_at, event_id, file_offset, app_id, file_id, traffic_class, \
                   event_type, url_path, status, request_ms) VALUES "
        .to_owned();
    for n in 0..250i64 {
        let comma = if n == 0 { "" } else { ", " };
        write!(
            sql,
            "{comma}({}, gen_random_uuid(), 0, {}, 1, 'human', 'pageview', '/p{}/x', 200, {})",
            time(at + n * 20_000),
            1 + n % 50,
            n * 7 % 40,
            n
        )
        .unwrap();
    }
    let hour = at.div_euclid(3600 * SECOND);
    let apps: Vec<String> = (1..=APPS).map(|id| id.to_string()).collect();
    let (first, last) = (time(at), time(at + SLOT - 1));
    write!(
        sql,
        "; INSERT INTO batches (part, kind, first_at, last_at, rows, apps, hours) \
         SELECT 1, 'rows', {first}, {last}, 250, '{{{}}}', '{{{hour}}}'; COMMIT",
        apps.join(",")
    )
    .unwrap();
    ground.rows(&sql);
}

#[test]
fn a_thousand_rules_cost_little() {
    let ground = Ground::new(&Cluster::start(&["fsync=off", "full_page_writes=off", "autovacuum=off"]), &[]);
    let base = slot_of(alt_process::clock::now() - 3600 * SECOND);
    prepare(&ground, base);
    let text = format!("[postgres]\nurl = \"{}\"\n[alerts]\nenabled = true\n", ground.database.url);
    let config = alt_config::Config::from_str(&text, |_| None).unwrap();
    let mut evaluator = Evaluator::new(&config, &Metrics::default(), &Arc::new(Stop::default())).unwrap();
    let (before, mut began, mut judged) = (resident(), (0.0, 0.0, 0.0), 0.0);
    let pid =
        || ground.database.psql("SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'alt alerts%'");
    let wal = || ground.database.psql("SELECT pg_current_wal_insert_lsn() - '0/0'").parse::<f64>().unwrap();
    let mut written = 0.0;
    for n in 0..36 {
        let at = base + n * SLOT;
        load(&ground, at);
        ground.rows(&format!(
            "INSERT INTO alert_sources (host, source, upto, beat_at) VALUES ('h', '/l', {t}, clock_timestamp()) \
             ON CONFLICT (host, source) DO UPDATE SET upto = {t}, beat_at = clock_timestamp()",
            t = time(at + SLOT)
        ));
        let old = wal();
        evaluator.wake();
        while evaluator.work(Duration::from_secs(60)).unwrap() != Done::All {}
        if n >= 12 {
            written += wal() - old;
            judged += 1.0;
        } else {
            began = (used("/proc/thread-self/stat"), used(&format!("/proc/{}/stat", pid())), 0.0);
        }
    }
    let own = (used("/proc/thread-self/stat") - began.0) / judged;
    let server = (used(&format!("/proc/{}/stat", pid())) - began.1) / judged;
    let memory = resident() - before;
    println!(
        "{RULES} rules of {APPS} applications, each slot of 5 s: {:.0} ms of alt ({:.1} % of a core), {:.0} ms of PostgreSQL, \
         {:.0} bytes of WAL; {memory} KiB of memory",
        own * 1000.0,
        own * 20.0,
        server * 1000.0,
        written / judged
    );
    assert!(own < 1.0, "{own} s of a processor for each slot");
    assert!(memory < 64 * 1024, "{memory} KiB");
}
