//! What is deleted for its age, and by which clock: the daemon and PostgreSQL go by one that steps, and every deletion that
//! there is has something to delete.

use std::fs;
use std::path::Path;
use std::process::Command;

use jiff::{Span, Timestamp, tz::TimeZone};

use crate::support::bench::Bench;
use crate::support::daemon::{Daemon, alt, sample_of, wait_for};
use crate::support::faketime::Clock;
use crate::support::lines::{alt1, alt1_aged, many};
use crate::support::postgres::{Cluster, Database};

const DAY: u64 = 86_400;
const YEAR: u64 = 365 * DAY;

/// Days after which the row that is a year old is of the one month that is past keeping.
const TWO_MONTHS: u64 = 64;

const CONFIG: &str = "\n[retention]\nrows = \"13 months\"\nrejects = \"30d\"\nlogs = \"30d\"\n";

fn is_there(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}

/// A machine: a daemon, a PostgreSQL, and the one clock that both go by.
struct Machine {
    clock: Clock,
    bench: Bench,
}

impl Machine {
    /// With a log, a rotated log, a row that is a year old, a reject, a salt.
    fn new(what: &str) -> Option<Machine> {
        let clock = Clock::new(what)?;
        let cluster = Cluster::start_by(clock.starts_server(), &[], &["fsync=off"]);
        let mut bench = Bench::not_started("[[source]]\npaths = [\"DIR/beacon.log\"]", cluster.database());
        let text = fs::read_to_string(&bench.config).unwrap() + CONFIG;
        fs::write(&bench.config, text).unwrap();
        bench.append_text("beacon.log.1", &(alt1_aged(YEAR) + &many(5)), 6);
        bench.append_text("beacon.log", &(alt1() + "garbage\n"), 1);
        let mut machine = Machine { clock, bench };
        machine.start();
        wait_for(30, || machine.bench.rows() == 7, || machine.bench.state());
        machine.bench.sealed(1);
        machine.bench.stop();
        Some(machine)
    }

    /// Starts the daemon; what waits is looked at again after some seconds.
    fn start(&mut self) {
        self.bench.daemon = Some(Daemon::start_with(&self.bench.config, |command| {
            self.clock.show(command);
            command.env("ALT_FAULT_WAIT", "3000");
        }));
    }

    fn daemon(&self) -> &Daemon {
        self.bench.daemon.as_ref().unwrap()
    }

    fn psql(&self, sql: &str) -> String {
        self.bench.database.psql(sql)
    }

    /// Runs a command by the same clock: exit code and what it said.
    fn run(&self, args: &[&str]) -> (i32, String) {
        let mut command: Command = alt();
        self.clock.show(&mut command);
        let output = command.args(args).arg("--config").arg(&self.bench.config).output().unwrap();
        let text = [output.stdout, output.stderr].concat();
        (output.status.code().unwrap(), String::from_utf8(text).unwrap())
    }

    fn has_rotated(&self) -> bool {
        is_there(&self.bench.path("beacon.log.1"))
    }

    /// What is there: rows, rejects, living salts, the rotated log; and what was noted as deleted.
    fn there(&self) -> String {
        let counts = self.psql(
            "SELECT (SELECT count(*) FROM access_logs), (SELECT count(*) FROM rejected_lines), \
             (SELECT count(*) FROM visitor_salts WHERE salt IS NOT NULL), (SELECT count(*) FROM retention_drops)",
        );
        format!("{counts}|{}", self.has_rotated())
    }

    fn wait_for_log(&self, what: &str) {
        wait_for(30, || self.daemon().log().contains(what), || self.bench.state());
    }

    fn waits(&self, what: &str, expected: f64) {
        let sample = format!("alt_retention_waits{{for=\"{what}\"}}");
        // One that was started before may have told another address.
        let is_so = || {
            let page = self.daemon().try_ask("/metrics").unwrap_or_default();
            sample_of(&page, &sample) == Some(expected)
        };
        wait_for(30, is_so, || self.bench.state());
    }

    /// As if so many days had passed since the clock was last found right, and the machine had been up.
    fn days_pass(&self, days: u64) {
        self.psql(&format!("UPDATE retention_clock SET uptime_us = uptime_us - {days} * 86400000000"));
    }

    /// The day that its clock says.
    fn today(&self, ahead: u64) -> String {
        let at = Timestamp::now() + Span::new().seconds(i64::try_from(ahead).unwrap());
        at.to_zoned(TimeZone::UTC).date().to_string()
    }
}

#[test]
fn a_clock_that_steps_forward_deletes_nothing_before_somebody_confirms_it() {
    let Some(mut machine) = Machine::new("a clock that steps forward by years") else { return };
    let before = machine.there();
    let noted = machine.psql("SELECT host, first_at, last_at FROM retention_clock ORDER BY host");

    machine.clock.set(&format!("+{}s", 2 * YEAR));
    machine.start();
    machine.wait_for_log("nothing is deleted for its age");
    machine.waits("clock", 1.0);
    // The archiver has looked at the log, and loading goes on.
    machine.bench.append_text("beacon.log", &alt1(), 1);
    wait_for(30, || machine.bench.rows() == 8, || machine.bench.state());
    std::thread::sleep(std::time::Duration::from_secs(4));
    let with_one_more = before.replacen('7', "8", 1);
    assert_eq!(machine.there(), with_one_more, "{}", machine.bench.state());
    let (status, ready) = machine.daemon().ask("/readyz");
    assert!(status == 200 && ready.contains("beyond what is known of the time"), "{ready}");
    let today = machine.today(2 * YEAR);
    let (code, said) = machine.run(&["check"]);
    let mend = format!("alt retention confirm --today {today}");
    assert!(code == 3 && said.contains("retention: the clock says") && said.contains(&mend), "{said}");
    assert!(machine.run(&["status"]).1.contains(&mend));
    let (code, said) = machine.run(&["retention", "show"]);
    assert!(code == 3 && said.contains(&mend), "{said}");
    // Another day than the clock's is no confirmation.
    let (code, said) = machine.run(&["retention", "confirm", "--today", &machine.today(0)]);
    assert!(code == 1 && said.contains("set it right first"), "{said}");
    // A time that is not right is not noted.
    assert_eq!(machine.psql("SELECT host, first_at, last_at FROM retention_clock ORDER BY host"), noted);

    // Mended, it goes on by itself; nothing was old enough.
    machine.clock.set("+0");
    machine.waits("clock", 0.0);
    assert_eq!(machine.there(), with_one_more);
    assert_eq!(machine.run(&["retention", "show"]).0, 0);

    // Two years have passed, and somebody says so: all goes but the rows, which are of many months.
    machine.clock.set(&format!("+{}s", 2 * YEAR));
    let (code, said) = machine.run(&["retention", "confirm", "--today", &today]);
    assert!(code == 0 && said.contains("4 months of rows are older than [retention] rows"), "{said}");
    machine.bench.stop();
    machine.start();
    wait_for(30, || !machine.has_rotated(), || machine.bench.state());
    let gone = || machine.psql("SELECT count(*) FROM rejected_lines") == "0";
    wait_for(30, gone, || machine.bench.state());
    assert_eq!(machine.psql("SELECT count(*) FROM visitor_salts WHERE salt IS NOT NULL"), "0");
    machine.waits("months", 1.0);
    assert_eq!(machine.bench.rows(), 8);
    let (code, said) = machine.run(&["check"]);
    let word = said.split("alt retention confirm --drop-before ").nth(1).map(|word| &word[..7]);
    assert!(code == 3 && word.is_some(), "{said}");
    let (code, said) = machine.run(&["retention", "confirm", "--drop-before", word.unwrap()]);
    assert!(code == 0 && said.matches("will be dropped within a minute").count() == 4, "{said}");
    wait_for(30, || machine.bench.rows() == 0, || machine.bench.state());
    machine.waits("months", 0.0);
    let drops = "SELECT what, count(*), sum(count) FROM retention_drops WHERE dropped_at > now() - interval '1 day' \
                 GROUP BY 1 ORDER BY 1";
    let drops = machine.psql(drops);
    assert!(
        drops.contains("log|1|") && drops.contains("rejects|1|1") && drops.contains("rows|4|"),
        "{drops}"
    );
    assert!(drops.contains("salts|1|"), "{drops}");
    assert_eq!(machine.daemon().log().matches("dropped a partition").count(), 4);
    let (code, said) = machine.run(&["retention", "show", "--json"]);
    let shown: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert!(code == 0 && shown["waits"].is_null() && shown["drops"].as_array().unwrap().len() >= 7, "{said}");
    machine.bench.stop();
}

#[test]
fn a_month_that_passes_drops_the_one_partition_that_is_due() {
    let Some(mut machine) = Machine::new("a month that passes") else { return };
    let days = TWO_MONTHS;
    machine.clock.set(&format!("+{}s", days * DAY));
    machine.start();
    machine.waits("clock", 1.0);
    // That the machine was up meanwhile is known; that nothing was committed delays it, until something is.
    machine.days_pass(days);
    machine.wait_for_log("nothing was committed for more than a day");
    machine.waits("clock", 0.0);
    assert_eq!(machine.bench.rows(), 7);
    machine.bench.append_text("beacon.log", &alt1(), 1);
    machine.wait_for_log("dropped a partition");
    assert_eq!(machine.psql("SELECT count(*) FROM retention_drops WHERE what = 'rows'"), "1");
    wait_for(30, || machine.bench.rows() == 7, || machine.bench.state());
    machine.bench.stop();
}

#[test]
fn without_commits_rows_that_are_old_enough_wait_for_a_day() {
    let Some(mut machine) = Machine::new("a database that nothing is loaded into") else { return };
    let days = TWO_MONTHS;
    machine.clock.set(&format!("+{}s", days * DAY));
    machine.days_pass(days);
    machine.start();
    machine.wait_for_log("nothing was committed for more than a day");
    // It is no trouble: the salts and the rejects went.
    let rejects = || machine.psql("SELECT count(*) FROM rejected_lines");
    wait_for(30, || rejects() == "0", || machine.bench.state());
    let (code, said) = machine.run(&["retention", "show"]);
    assert!(code == 0 && said.contains("nothing has to be done"), "{said}");
    assert_eq!(machine.bench.rows(), 7);
    machine.psql("UPDATE retention_clock SET quiet_since = quiet_since - interval '1 day'");
    wait_for(30, || machine.bench.rows() == 6, || machine.bench.state());
    machine.bench.stop();
}

#[test]
fn after_a_restart_of_the_machine_the_notes_of_other_hosts_count() {
    let Some(mut machine) = Machine::new("a machine that was off") else { return };
    let database = machine.bench.database.moved_to(&machine.bench.database.cluster);
    let notes = || database.psql("SELECT boot_id, last_at FROM retention_clock WHERE host <> ''");
    let before = notes();
    // It was off for some hours.
    machine.psql("UPDATE retention_clock SET boot_id = 'before'");
    machine.clock.set("+20h");
    machine.start();
    wait_for(30, || notes() != before && !notes().contains("before"), || machine.bench.state());
    machine.waits("clock", 0.0);
    machine.bench.stop();
    // And for three days, as far as it knows.
    machine.psql("UPDATE retention_clock SET boot_id = 'before'");
    machine.clock.set("+4d");
    machine.start();
    machine.waits("clock", 1.0);
    // Another host was up.
    machine.psql("INSERT INTO retention_clock VALUES ('web-2', 'theirs', 5, now(), now())");
    machine.waits("clock", 0.0);
    machine.bench.stop();
    // Back by a week: salts would live for longer, and that is said.
    machine.clock.set("-4d");
    machine.start();
    machine.waits("clock", 1.0);
    machine.wait_for_log("when it was right: nothing is deleted for its age");
    machine.clock.set("+4d");
    machine.waits("clock", 0.0);
    machine.bench.stop();
}

#[test]
fn a_clock_that_the_databases_does_not_agree_with_deletes_nothing() {
    let Some(clock) = Clock::new("a clock that differs from the database's") else { return };
    let mut bench = Bench::not_started("[[source]]\npaths = [\"DIR/beacon.log\"]", Database::create());
    let text = fs::read_to_string(&bench.config).unwrap() + CONFIG;
    let archive = format!("[archive]\nurl = \"file://{}\"\n", bench.path("archive").display());
    fs::write(&bench.config, text.replace("logs = \"30d\"\n", "") + &archive).unwrap();
    bench.append("beacon.log.1", 3);
    bench.append("beacon.log", 3);
    bench.start();
    bench.settle();
    let archived =
        || bench.database.psql("SELECT count(*) FROM log_files WHERE archived_at IS NOT NULL") == "1";
    wait_for(30, archived, || bench.state());
    bench.stop();
    clock.set(&format!("+{}s", 2 * YEAR));
    let config = bench.config.clone();
    bench.daemon = Some(Daemon::start_with(&config, |command| clock.show(command)));
    let log = || bench.daemon.as_ref().unwrap().log();
    wait_for(30, || log().contains("nothing is deleted for its age"), log);
    assert!(log().contains("this machine's clock says"), "{}", log());
    std::thread::sleep(std::time::Duration::from_secs(3));
    assert!(is_there(&bench.path("beacon.log.1")) && bench.rows() == 6, "{}", bench.state());
    // Nor does a person delete objects by that clock; by a day that is named, they do.
    let prune = |before: &str| {
        let mut command = alt();
        clock.show(&mut command);
        let output =
            command.args(["archive", "prune", "--before", before, "--config"]).arg(&config).output().unwrap();
        let text = [output.stdout, output.stderr].concat();
        (output.status.code().unwrap(), String::from_utf8(text).unwrap())
    };
    let (code, said) = prune("30d");
    assert!(code == 1 && said.contains("nothing is deleted for its age"), "{said}");
    let (code, said) = prune("2099-01-01");
    assert!(code == 0 && said.contains("1 objects"), "{said}");
    assert_eq!(bench.database.psql("SELECT what FROM retention_drops WHERE what = 'object'"), "object");
    bench.stop();
}

#[test]
fn salts_die_after_a_week_whatever_is_unread_and_whatever_else_fails() {
    let mut bench = Bench::not_started("[[source]]\npaths = [\"DIR/beacon.log\"]", Database::create());
    let text = fs::read_to_string(&bench.config).unwrap() + CONFIG;
    fs::write(&bench.config, text).unwrap();
    let old = |days: u64| alt1_aged(days * DAY);
    bench.append_text("beacon.log", &(old(510) + &old(470) + &many(3)), 5);
    // As after a daemon that died: a file that is gone, with something unread.
    let db = &bench.database;
    db.psql("INSERT INTO log_files (id, host, source, path, format, size_bytes) VALUES (999, 'web-9', 'x', '/gone', 'alt1', 10)");
    db.psql(
        "INSERT INTO checkpoints (file_id, head, head_bytes, head_has_id, loaded_bytes, tail, tail_bytes) \
         VALUES (999, '\\x01', 1, true, 5, '\\x01', 1)",
    );
    // Name, its day's end and its creation in days from now, and whether it has to live.
    let salts = [
        ("today", 1, 0, true),
        ("unread", -3, -4, true),
        ("a week", -8, -9, false),
        ("a week, an old log that was loaded yesterday", -800, -1, true),
        ("made by a clock that was ahead", -8, 3650, false),
        ("of a day that a wrong clock named", 3650, -8, false),
        ("the same, still in use", 3651, -1, true),
        ("both", 3652, 3652, false),
    ];
    for (n, (_, ends, made, _)) in salts.iter().enumerate() {
        db.psql(&format!(
            "INSERT INTO visitor_salts (app_id, day, day_ends_at, created_at, salt) SELECT {n} + 100, current_date, \
             now() + interval '{ends} days', now() + interval '{made} days', decode(repeat('ab', 32), 'hex')"
        ));
    }
    let living = || {
        db.psql("SELECT app_id - 100 FROM visitor_salts WHERE salt IS NOT NULL AND app_id >= 100 ORDER BY 1")
    };
    let all: Vec<usize> = (0..salts.len()).collect();
    let lines = |numbers: &[usize]| numbers.iter().map(usize::to_string).collect::<Vec<_>>().join("\n");
    assert_eq!(living(), lines(&all));
    let check = || {
        let output = alt().args(["check", "--config"]).arg(&bench.config).output().unwrap();
        String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
    };
    // Those that should have died a day ago are named.
    let said = check();
    assert!(said.contains("visitor salts are overdue: 4 of"), "{said}");
    // Neither can a partition be made, nor does anybody know which months may go.
    let next =
        "SELECT to_char(now() AT TIME ZONE 'UTC' + interval '1 month', '\"access_logs_y\"YYYY\"m\"MM')";
    let next = db.psql(next);
    db.psql(&format!("CREATE TABLE {next} (x integer)"));
    db.psql("ALTER TABLE retention_words RENAME TO elsewhere");
    let config = bench.config.clone();
    bench.daemon = Some(Daemon::start_with(&config, |command| {
        command.env("ALT_FAULT_WAIT", "3000");
    }));
    let left: Vec<usize> = all.iter().copied().filter(|n| salts[*n].3).collect();
    let living = || {
        bench.database.psql(
            "SELECT app_id - 100 FROM visitor_salts WHERE salt IS NOT NULL AND app_id >= 100 ORDER BY 1",
        )
    };
    wait_for(30, || living() == lines(&left), || format!("{}\n{}", living(), bench.state()));
    assert!(!check().contains("overdue"), "{}", check());
    wait_for(30, || bench.rows() == 5, || bench.state());
    // The older of two months cannot be dropped: the other goes.
    let view = "DO $$ BEGIN EXECUTE (SELECT format('CREATE VIEW theirs AS SELECT * FROM %I', min(tableoid::regclass::text)) \
                FROM access_logs); END $$";
    bench.database.psql(view);
    bench.database.psql(&format!("DROP TABLE {next}"));
    bench.database.psql("ALTER TABLE elsewhere RENAME TO retention_words");
    wait_for(60, || bench.rows() == 4, || bench.state());
    let log = || bench.daemon.as_ref().unwrap().log();
    wait_for(30, || log().contains("drop partition access_logs_y"), log);
    assert_eq!(log().matches("dropped a partition").count(), 1, "{}", log());
    bench.stop();
}

#[test]
fn a_flood_of_rejects_is_deleted_to_the_last_in_one_turn() {
    let mut bench = Bench::not_started("[[source]]\npaths = [\"DIR/beacon.log\"]", Database::create());
    // More than one address can make in an hour; every hundredth has not been kept for long enough.
    bench.database.psql(
        "INSERT INTO rejected_lines (file_id, file_offset, bytes, lines, reason, rejected_at) \
         SELECT 999, n, 1, 1, 'shape', now() - CASE WHEN n % 100 = 0 THEN interval '29 days' ELSE interval '31 days' END \
         FROM generate_series(1, 450000) n",
    );
    bench.start();
    let count = "SELECT count(*), count(*) FILTER (WHERE file_offset % 100 = 0) FROM rejected_lines";
    wait_for(60, || bench.database.psql(count) == "4500|4500", || bench.state());
    wait_for(10, || bench.daemon.as_ref().unwrap().log().contains("deleted rejects"), || bench.state());
    let log = bench.daemon.as_ref().unwrap().log();
    assert!(log.contains("spans=445500"), "{log}");
    let drops = "SELECT sum(count) FROM retention_drops WHERE what = 'rejects'";
    assert_eq!(bench.database.psql(drops), "445500");
    bench.stop();
}
