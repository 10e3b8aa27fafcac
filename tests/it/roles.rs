//! The roles of PostgreSQL: a daemon whose role owns nothing does all its work, and whoever takes it over can do no more.

use alt_store::roles::{self, made_by_superuser};
use alt_store::server;

use crate::support::bench::Bench;
use crate::support::daemon::{alt, wait_for};
use crate::support::lines::{KEY, alt1_aged, many};
use crate::support::postgres::{BACK_TO_8, Cluster, Database};

const SOURCE: &str = "[[source]]\npaths = [\"DIR/beacon.log\"]";
const YEAR: u64 = 365 * 86_400;

/// Gives a database to its own roles, as `alt setup` does. Returns what had to be done.
fn separate(database: &Database) -> Vec<&'static str> {
    let mut done = Vec::new();
    for made in made_by_superuser() {
        let name = if made.database == "alt" { &database.name } else { made.database };
        // the test's own database has another name
        if made.what == "database alt" || database.cluster.psql(name, &made.is_there) == "1" {
            continue;
        }
        database.cluster.psql(name, &made.create);
        assert_eq!(database.cluster.psql(name, &made.is_there), "1", "{}", made.what);
        done.push(made.what);
    }
    done
}

/// Who owns what of the schema: `alt_owner 19`.
fn owners(database: &Database) -> String {
    database.psql(
        "SELECT string_agg(DISTINCT pg_get_userbyid(relowner)::text, ' ') FROM pg_class \
         WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v', 'S', 'i', 'I')",
    )
}

/// Runs `alt` with the configuration of a bench, as a role: exit code and what it said.
fn run_as(bench: &Bench, role: &str, arguments: &[&str]) -> (i32, String) {
    let url = bench.database.url.replace("user=alt", &format!("user={role}"));
    let output = alt()
        .args(arguments)
        .arg("--config")
        .arg(&bench.config)
        .env("ALT_POSTGRES_URL", url)
        .output()
        .unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap(), String::from_utf8(text).unwrap())
}

#[test]
fn a_daemon_that_owns_nothing_loads_makes_partitions_and_destroys_salts() {
    let cluster = Cluster::start(&["fsync=off"]);
    let mut bench = Bench::not_started(SOURCE, cluster.database());
    separate(&bench.database);
    bench.database.psql(
        "INSERT INTO visitor_salts (app_id, day, day_ends_at, salt, created_at) \
         SELECT id, current_date - 9, current_date - 8, '\\x00', now() - interval '9 days' FROM applications",
    );
    bench.append_text("beacon.log.1", &(alt1_aged(YEAR) + &many(5)), 6);
    bench.append("beacon.log", 20);
    bench.start();
    bench.settle();
    // Upkeep once more, when no file with lines of that day may be waiting.
    bench.stop();
    bench.start();
    let old_salts = "SELECT count(*) FROM visitor_salts WHERE day = current_date - 9 AND salt IS NOT NULL";
    wait_for(30, || bench.database.psql(old_salts) == "0", || bench.state());
    let months = "SELECT count(*) FROM pg_inherits WHERE inhparent = 'access_logs'::regclass";
    // the month of a year ago, this one and the two after it
    wait_for(30, || bench.database.psql(months) == "4", || bench.state());
    assert_eq!(owners(&bench.database), "alt_owner");
    let daemon = bench.daemon.as_ref().unwrap();
    assert_eq!(daemon.ask("/readyz").0, 200);
    assert!(daemon.ask("/readyz").1.contains("\"workers\":{}"), "{}", daemon.ask("/readyz").1);
    assert!(
        !daemon.log().contains("permission denied") && !daemon.log().contains("must be owner"),
        "{}",
        bench.state()
    );
    assert_eq!(bench.database.psql("SELECT host <> '' FROM retention_drops WHERE what = 'salts'"), "t");
    let noted = "SELECT count(*) FROM pg_class WHERE relname LIKE 'access_logs_y%' AND relkind = 'r' AND NOT relispartition";
    assert_eq!(bench.database.psql(noted), "0");
}

#[tokio::test]
async fn whoever_takes_the_daemon_over_changes_no_table_and_deletes_no_row_that_is_not_old() {
    let cluster = Cluster::start(&["fsync=off"]);
    let mut bench = Bench::not_started(SOURCE, cluster.database());
    separate(&bench.database);
    bench.append("beacon.log", 3);
    bench.start();
    bench.settle();
    let client = bench.database.connect().await;
    for (statement, refused) in [
        ("CREATE TABLE public.mine ()", "permission denied for schema public"),
        (
            "CREATE FUNCTION public.now() RETURNS int LANGUAGE sql AS 'SELECT 1'",
            "permission denied for schema public",
        ),
        ("CREATE SCHEMA mine", "permission denied for database"),
        ("DROP TABLE access_logs", "must be owner of table access_logs"),
        ("ALTER TABLE access_logs ADD COLUMN mine text", "must be owner of table access_logs"),
        ("TRUNCATE access_logs", "permission denied for table access_logs"),
        ("DELETE FROM access_logs", "permission denied for table access_logs"),
        ("UPDATE access_logs SET user_id = 'me'", "permission denied for table access_logs"),
        ("UPDATE visitor_salts SET salt = ''", "permission denied for table visitor_salts"),
        ("DELETE FROM applications", "permission denied for table applications"),
        ("DELETE FROM checkpoints", "permission denied for table checkpoints"),
        ("INSERT INTO alt_migrations VALUES (99, 'mine')", "permission denied for table alt_migrations"),
        (
            "CREATE TRIGGER mine BEFORE INSERT ON applications EXECUTE FUNCTION suppress_redundant_updates_trigger()",
            "permission denied for table applications",
        ),
        ("SET ROLE alt_owner", "permission denied to set role \"alt_owner\""),
        ("SELECT alt_make_month(11)", "is not between 2000 and 2999"),
        ("SELECT alt_make_month(NULL)", "is not between 2000 and 2999"),
    ] {
        let error = client.batch_execute(statement).await.expect_err(statement);
        let said = error.as_db_error().unwrap().message();
        assert!(said.contains(refused), "{statement}: {said}");
    }
    // The month that is not over, the one before at its first day, and one that was never there.
    let month = "(extract(year FROM now() AT TIME ZONE 'UTC') * 12 + extract(month FROM now() AT TIME ZONE 'UTC') - 1)::int";
    for ahead in [0, 1] {
        let sql = format!("SELECT alt_drop_month({month} + {ahead}, 'me')");
        let error = client.batch_execute(&sql).await.unwrap_err();
        assert!(error.as_db_error().unwrap().message().contains("is not over for a day"), "{error}");
    }
    let gone = client.query(&format!("SELECT alt_drop_month({month} - 30, 'me')"), &[]).await.unwrap();
    assert!(gone.is_empty());
    // What is old goes, and is recorded. No table of the caller's takes the place of ours.
    client
        .batch_execute(
            "CREATE TEMP TABLE access_logs (LIKE public.access_logs) PARTITION BY RANGE (occurred_at); \
             CREATE TEMP TABLE retention_drops (LIKE public.retention_drops); \
             CREATE FUNCTION pg_temp.now() RETURNS timestamptz LANGUAGE sql AS $$ SELECT 'infinity'::timestamptz $$; \
             SET search_path = pg_temp, public",
        )
        .await
        .unwrap();
    client.batch_execute(&format!("SELECT alt_make_month({month} - 30)")).await.unwrap();
    let made = "SELECT inhparent::regclass::text, pg_get_userbyid(relowner) FROM pg_inherits JOIN pg_class c ON c.oid = inhrelid \
                WHERE relkind = 'r' ORDER BY relname LIMIT 1";
    assert_eq!(bench.database.psql(made), "access_logs|alt_owner");
    let error = client.batch_execute(&format!("SELECT alt_drop_month({month}, 'me')")).await.unwrap_err();
    assert!(error.as_db_error().unwrap().message().contains("is not over for a day"), "{error}");
    let gone = client.query(&format!("SELECT alt_drop_month({month} - 30, 'me')"), &[]).await.unwrap();
    assert_eq!(gone.len(), 1);
    let noted = "SELECT host, what, name ~ '^access_logs_y', until_at < now() FROM retention_drops WHERE what = 'rows'";
    assert_eq!(bench.database.psql(noted), "me|rows|t|t");
    assert_eq!(bench.rows(), 3);
    // Nobody else runs the functions.
    bench.database.psql("CREATE ROLE visitor LOGIN");
    let others = "SELECT count(*) FROM pg_proc p, pg_roles r WHERE proname LIKE 'alt\\_%' AND has_function_privilege(r.oid, p.oid, 'EXECUTE') \
                  AND rolname IN ('visitor', 'alt_web', 'alt_rules', 'alt_audit')";
    assert_eq!(bench.database.psql(others), "0");
}

#[tokio::test]
async fn an_installation_whose_daemon_owned_everything_is_taken_over_while_it_loads() {
    let cluster = Cluster::start(&["fsync=off"]);
    let mut bench = Bench::not_started(SOURCE, cluster.database());
    bench
        .database
        .psql("SET ROLE alt; CREATE TABLE mine (); CREATE VIEW report AS SELECT count(*) FROM access_logs");
    bench.start();
    bench.append("beacon.log", 50);
    bench.settle();
    assert_eq!(owners(&bench.database), "alt");
    let all = ["role alt_owner", "roles alt_web, alt_rules and alt_audit", "rights of the roles"];
    for round in 0..20 {
        bench.append("beacon.log", 50);
        if round == 10 {
            assert_eq!(separate(&bench.database), all);
        }
    }
    bench.settle();
    assert_eq!(separate(&bench.database), [""; 0], "a second time changes nothing");
    // What is not ours stays whose it was, and still works.
    assert_eq!(owners(&bench.database), "alt alt_owner");
    let theirs = "SELECT string_agg(relname, ' ' ORDER BY relname) FROM pg_class WHERE pg_get_userbyid(relowner) = 'alt' AND relkind IN ('r', 'p', 'v', 'S')";
    assert_eq!(bench.database.psql(theirs), "mine report");
    assert_eq!(bench.database.psql("SET ROLE alt; SELECT * FROM report"), "1050");

    let client = bench.database.connect().await;
    assert_eq!(server::lacks(&client).await.unwrap(), []);
    assert_eq!(roles::more_than_granted(&client).await.unwrap(), []);
    let rights = roles::rights(&client).await.unwrap();
    let of = |role: &str| rights.iter().filter(|one| one.role == role).collect::<Vec<_>>();
    assert_eq!((of("alt_owner")[0].rights.as_str(), of("alt_rules")[0].rights.as_str()), ("owns", "nothing"));
    // The API changes nothing of what loading owns.
    let writes: Vec<_> = of("alt_web").into_iter().filter(|one| one.rights != "SELECT").collect();
    let writes: Vec<_> = writes.iter().map(|one| (one.rights.as_str(), one.objects.as_str())).collect();
    let expected = [
        ("DELETE, INSERT, SELECT", "stat_goals, stat_reports, web_grants"),
        (
            "DELETE, INSERT, SELECT, UPDATE",
            "stat_annotations, stat_panels, stat_saved_filters, web_flows, web_identities, web_keys, web_links, web_sessions, web_users",
        ),
        (
            "INSERT, SELECT",
            "alert_acts, alert_dirty, alert_rule_versions, alert_rules, alert_samples, audit_log, stat_backlog",
        ),
        ("INSERT, SELECT, UPDATE", "alert_silences, web_shares, web_tokens"),
        ("SELECT, UPDATE", "applications"),
    ];
    assert_eq!(writes, expected);
    assert!(of("alt_owner")[0].objects.contains("alert_troubles, alt_drop_month"), "{rights:?}");
    // Nobody but who computes statistics reads the keys of user ids.
    let readers = rights.iter().filter(|one| one.objects.contains("stat_user_keys"));
    let readers: Vec<_> = readers.map(|one| (one.role.as_str(), one.rights.as_str())).collect();
    assert_eq!(readers, [("alt", "INSERT, SELECT"), ("alt_owner", "owns")]);
    // Of statistics, it may ask for days to be computed again.
    bench.database.psql(
        "SET ROLE alt_web; UPDATE applications SET page_views = 'requests'; \
         INSERT INTO stat_backlog (app_id, from_at, until_at) SELECT id, now(), now() FROM applications",
    );
    let (code, said) = run_as(&bench, "alt", &["check", "--roles"]);
    assert!(code == 0 && said.contains("alt_audit") && said.contains("owns"), "{said}");
    // Whatever is given to a role beyond its work is found, and taken back from the daemon's.
    for (more, found) in [
        ("GRANT DELETE, TRUNCATE ON access_logs TO alt", ("alt", "may DELETE, TRUNCATE access_logs")),
        (
            "GRANT CREATE ON SCHEMA public TO alt",
            ("alt", "may create tables and functions in the schema of access_logs"),
        ),
        ("GRANT alt_owner TO alt", ("alt", "may act as alt_owner")),
        ("ALTER TABLE leases OWNER TO alt", ("alt", "owns the table leases")),
    ] {
        bench.database.psql(more);
        let found = vec![(found.0.to_owned(), found.1.to_owned())];
        assert_eq!(roles::more_than_granted(&client).await.unwrap(), found, "{more}");
        let (code, said) = run_as(&bench, "alt", &["check"]);
        assert!(code == 3 && said.contains(&format!("the role alt {}", found[0].1)), "{said}");
        assert_eq!(separate(&bench.database), ["rights of the roles"], "{more}");
        assert_eq!(roles::more_than_granted(&client).await.unwrap(), [], "{more}");
    }
    bench.database.psql("GRANT SELECT ON visitor_salts TO alt_web");
    let found = [("alt_web".to_owned(), "may SELECT visitor_salts".to_owned())];
    assert_eq!(roles::more_than_granted(&client).await.unwrap(), found);
    bench.append("beacon.log", 5);
    bench.settle();
}

#[test]
fn migrations_and_unloading_are_the_owners() {
    let cluster = Cluster::start(&["fsync=off"]);
    let mut bench = Bench::not_started(SOURCE, cluster.database());
    // as the version before had it
    bench.database.psql(BACK_TO_8);
    separate(&bench.database);
    let (code, said) = run_as(&bench, "alt", &["migrate"]);
    assert!(
        code == 1 && said.contains("the tables belong to the role alt_owner: run this as root"),
        "{said}"
    );
    let (code, said) = run_as(&bench, "alt_owner", &["migrate"]);
    assert!(code == 0 && said.contains("applied 10 (roles)"), "{said}");
    let (code, said) = run_as(&bench, "alt", &["migrate"]);
    assert!(code == 0 && !said.contains("applied"), "nothing is to be done, so nobody is refused: {said}");
    bench.append("beacon.log", 5);
    bench.start();
    bench.settle();
    bench.stop();
    let (code, said) = run_as(&bench, "alt", &["unload", "--app", KEY, "--since", "1d"]);
    assert!(code == 1 && said.contains("the tables belong to the role alt_owner"), "{said}");
    assert_eq!(bench.rows(), 5);
    let (code, said) = run_as(&bench, "alt_owner", &["unload", "--app", KEY, "--since", "1d"]);
    assert_eq!((code, bench.rows()), (0, 0), "{said}");
    // Registering an application is the daemon's account's, as before.
    let (code, said) = run_as(&bench, "alt", &["app", "add", "Second"]);
    assert_eq!(code, 0, "{said}");
}
