//! Two batches of one log are on their way at the same time: whatever happens to either, every line is one row, and nobody
//! waits for a batch that waits for its turn.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use alt_process::fault::Step;
use serde_json::Value;

use crate::support::bench::Bench;
use crate::support::daemon::{alt, patience, wait_for};
use crate::support::each;
use crate::support::lines::{alt1_at, now};
use crate::support::postgres::Database;
use crate::support::proxy::{Fault, Place, Proxy};

/// Rows of a batch.
const BATCH: usize = 20;

/// While the gate is shut, whoever advances or makes a checkpoint waits within its transaction, except for one that began
/// at a time. No wait for a lock: that would end after ten seconds, which are few on a machine that has other work to do.
const GATE: &str = "CREATE TABLE gate (open boolean, passes timestamptz); INSERT INTO gate VALUES (true, 'epoch'); \
    GRANT SELECT ON gate TO PUBLIC; \
    CREATE FUNCTION pass_gate() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN \
        WHILE NOT (SELECT open OR passes = now() FROM gate) LOOP PERFORM pg_sleep(0.02); END LOOP; RETURN NEW; END'; \
    CREATE TRIGGER gate BEFORE INSERT OR UPDATE ON checkpoints FOR EACH ROW EXECUTE FUNCTION pass_gate()";

/// What takes fewer seconds, on a machine that does nothing else, was waited for by nobody: a wait for a lock ends after
/// ten.
const NO_WAIT: u64 = 3;

/// A log of so many lines, a millisecond apart, that stands still.
fn bench(lines: usize) -> Bench {
    let mut bench = empty_bench();
    let text: String = spaced(lines).concat();
    bench.append_text("a.log", &text, lines);
    stands_still(&bench);
    bench
}

/// Batches of [`BATCH`] rows, and a source that has no log yet.
fn empty_bench() -> Bench {
    let bench = Bench::not_started("[[source]]\npaths = [\"DIR/beacon.log\"]", Database::create());
    let config = fs::read_to_string(&bench.config).unwrap();
    fs::write(&bench.config, config.replace("[load]", &format!("[load]\nbatch_rows = {BATCH}"))).unwrap();
    // No batch goes ahead into a month that is not known to have a partition.
    let month = bench.database.psql("SELECT extract(year FROM t) * 12 + extract(month FROM t) - 1 \
                                     FROM (SELECT now() AT TIME ZONE 'UTC' - interval '1 hour' AS t) AS hour_ago");
    bench.database.psql(&format!("SELECT alt_make_month({month})"));
    bench.database.psql(GATE);
    bench
}

fn spaced(lines: usize) -> Vec<String> {
    spaced_from(now() - 3_600_000, lines)
}

/// So many lines, a millisecond apart, from a time on.
fn spaced_from(first: u128, lines: usize) -> Vec<String> {
    (0..lines).map(|n| alt1_at(first + n as u128)).collect()
}

fn stands_still(bench: &Bench) {
    let file = fs::File::options().append(true).open(bench.path("a.log")).unwrap();
    file.set_modified(SystemTime::now() - Duration::from_secs(3600)).unwrap();
}

fn replay(bench: &Bench) -> Command {
    let mut command = alt();
    command.args(["replay", "--json", "-v", "--config"]).arg(&bench.config).arg(bench.path("a.log"));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// A replay to its end: its account, and what it said.
fn account(bench: &Bench, child: Child) -> (Value, String) {
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}\n{}", bench.state());
    (serde_json::from_slice(&output.stdout).expect(&said), said)
}

/// A transaction of somebody else, until it is dropped.
struct Other(Child);

impl Other {
    /// Returns once all of the statements are done.
    fn begin(database: &Database, sql: &str) -> Other {
        let mut psql = Command::new("psql")
            .arg("-XqAt")
            .arg(&database.url)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        writeln!(psql.stdin.as_mut().unwrap(), "BEGIN; {sql}; SELECT 'done';").unwrap();
        let mut said = BufReader::new(psql.stdout.take().unwrap());
        let mut line = String::new();
        while line != "done\n" {
            line.clear();
            assert_ne!(said.read_line(&mut line).unwrap(), 0, "{sql}");
        }
        Other(psql)
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        // Its session ends with its input.
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

fn shut_gate(database: &Database) {
    database.psql("UPDATE gate SET open = false");
}

fn open_gate(database: &Database) {
    database.psql("UPDATE gate SET open = true");
}

/// Gives up where somebody has to be waited for.
fn no_wait() -> String {
    format!("SET lock_timeout = '{}ms'", patience(NO_WAIT).as_millis())
}

/// The session of a verb that loads, within a transaction: at the gate (`Timeout`) is that of the batch whose turn it is, and
/// what waits for the `Client`, after it wrote something, is that of the batch ahead.
fn session(bench: &Bench, verb: &str, waits_for: &str) -> String {
    let wrote = if waits_for == "Client" { "AND backend_xid IS NOT NULL" } else { "" };
    bench.database.psql(&format!(
        "SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'alt {verb}%' AND xact_start IS NOT NULL \
         AND wait_event_type = '{waits_for}' AND datname = current_database() {wrote}"
    ))
}

/// A replay whose first batch waits at the gate, while the second is copied and waits for its turn; and their sessions.
fn held(bench: &Bench) -> (Child, String, String) {
    shut_gate(&bench.database);
    let child = replay(bench).spawn().unwrap();
    let (first, second) = on_their_way(bench, "replay");
    (child, first, second)
}

/// Waits until a first batch waits, and a second is copied; their sessions. A batch behind which none is ahead passes: the
/// writer did not know yet that there is a partition for the other.
fn on_their_way(bench: &Bench, verb: &str) -> (String, String) {
    let (mut first, mut second, mut alone) = (String::new(), String::new(), 0);
    let both = || {
        (first, second) = (session(bench, verb, "Timeout"), session(bench, verb, "Client"));
        let are_there =
            !first.is_empty() && !second.is_empty() && bench.database.psql(&copied(&second)) != "0";
        alone = if first.is_empty() || are_there { 0 } else { alone + 1 };
        if alone > 50 {
            let sql = "UPDATE gate SET passes = (SELECT xact_start FROM pg_stat_activity WHERE pid =";
            bench.database.psql(&format!("{sql} {first})"));
            alone = 0;
        }
        are_there
    };
    wait_for(60, both, || format!("no two batches are on their way\n{}", activity(bench)));
    (first, second)
}

/// A daemon that loads `lines`, after it loaded those `before` them, once the gate is open: a checkpoint proves its first
/// batch to be new, and the second is copied and waits for its turn.
fn held_daemon(bench: &mut Bench, before: &[String], lines: &[String]) -> (String, String) {
    bench.append_text("beacon.log", &before.concat(), before.len());
    bench.start();
    bench.settle();
    bench.stop();
    bench.append_text("beacon.log", &lines.concat(), lines.len());
    shut_gate(&bench.database);
    bench.start();
    on_their_way(bench, "run")
}

/// Waits until nobody has this session any more. As long as a lock is waited for otherwise would be too long.
fn ends_soon(bench: &Bench, pid: &str) {
    let gone =
        || bench.database.psql(&format!("SELECT count(*) FROM pg_stat_activity WHERE pid = {pid}")) == "0";
    wait_for(NO_WAIT, gone, || format!("session {pid} is still there\n{}", activity(bench)));
}

fn activity(bench: &Bench) -> String {
    bench.database.psql("SELECT pid, state, wait_event_type, wait_event, left(query, 100) FROM pg_stat_activity WHERE datname = current_database()")
}

/// The locks of a session on the tables of rows.
fn copied(pid: &str) -> String {
    format!(
        "SELECT count(*) FROM pg_locks l JOIN pg_class c ON c.oid = l.relation WHERE l.pid = {pid} \
         AND l.mode = 'RowExclusiveLock' AND c.relname LIKE 'access_logs_y%'"
    )
}

/// Plays until `text` is in what was said, which `play` returns: which batches go ahead depends on when the second connection
/// is open.
fn until_said(text: &str, play: impl Fn() -> String) {
    assert!((0..10).any(|_| play().contains(text)), "no such batch was ever copied ahead: {text}");
}

#[test]
fn a_replay_dies_wherever_two_batches_are_on_their_way() {
    use Step::{Advanced, AgentsAdded, Begun, Committed, Copied, CopiedAhead, Copying, IdsRead};
    let steps = [AgentsAdded, Begun, IdsRead, Advanced, Copying, Copied, CopiedAhead, Committed];
    let cases = steps.into_iter().flat_map(|step| [1, 3, 4].map(|times| (step, times)));
    each(4, cases, |(step, times)| {
        let bench = bench(10 * BATCH);
        // So that there is a batch ahead.
        let is_held = (step, times) == (CopiedAhead, 1);
        if is_held {
            shut_gate(&bench.database);
        }
        let mut command = replay(&bench);
        let output = command.env("ALT_FAULT_AT", format!("{step:?}:{times}")).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        // How often there are these depends on which batches go ahead; the others are there for each batch.
        if is_held || ![AgentsAdded, CopiedAhead].contains(&step) {
            assert_eq!(output.status.signal(), Some(9), "{step:?}:{times}: {said}");
        }
        open_gate(&bench.database);
        account(&bench, replay(&bench).spawn().unwrap());
        bench.check();
    });
}

#[test]
fn whichever_of_two_sessions_ends_no_line_is_lost_or_doubled() {
    each(3, ["first", "second", "both"], |which| {
        let bench = bench(10 * BATCH);
        let (child, first, second) = held(&bench);
        for (name, pid) in [("first", first), ("second", second)] {
            if which == name || which == "both" {
                bench.database.psql(&format!("SELECT pg_terminate_backend({pid})"));
            }
        }
        open_gate(&bench.database);
        account(&bench, child);
        bench.check();
    });
}

#[test]
fn a_batch_ahead_of_its_turn_holds_no_lock_that_others_need() {
    let bench = bench(10 * BATCH);
    let (child, first, second) = held(&bench);
    // Neither hours nor rows: a replay that wants an hour for itself waits for the first batch alone.
    let kinds = format!("SELECT string_agg(DISTINCT locktype, ' ') FROM pg_locks WHERE pid = {second}");
    let kinds = bench.database.psql(&kinds);
    let are_harmless =
        kinds.split(' ').all(|kind| ["relation", "transactionid", "virtualxid"].contains(&kind));
    assert!(are_harmless, "{kinds}");
    let relations = format!(
        "SELECT string_agg(DISTINCT relation::regclass::text, ' ') FROM pg_locks WHERE pid = {second} AND \
         mode NOT IN ('AccessShareLock', 'ExclusiveLock') AND relation::regclass::text NOT LIKE 'access_logs%'"
    );
    assert_eq!(bench.database.psql(&relations), "");
    // What would wait for it, and make the first batch wait behind, gets its lock while the first batch still waits.
    let month =
        bench.database.psql("SELECT max(relname) FROM pg_class WHERE relname ~ '^access_logs_y....m..$'");
    let lock = format!("LOCK TABLE access_logs, {month} IN SHARE MODE");
    let locked = Other::begin(&bench.database, &format!("{}; {lock}", no_wait()));
    assert_eq!(session(&bench, "replay", "Timeout"), first, "{}", activity(&bench));
    drop(locked);
    open_gate(&bench.database);
    let (account, said) = account(&bench, child);
    assert_eq!(account["rows"], 10 * BATCH, "{account}");
    assert!(said.contains("somebody waits for it") && !said.contains("does not take rows"), "{said}");
    bench.check();
}

#[test]
fn refused_rows_of_either_batch_become_rejects() {
    until_said("PostgreSQL refuses a row", || {
        let mut bench = bench(0);
        bench
            .database
            .psql("DROP VIEW access_log_details; ALTER TABLE access_logs ALTER title TYPE varchar(10)");
        let refused = [BATCH / 2, BATCH + 1, 2 * BATCH, 3 * BATCH + 5, 3 * BATCH + 6];
        let lines = spaced(10 * BATCH);
        let title = |(n, line): (usize, &String)| match refused.contains(&n) {
            true => line.replace("&sw=1920", "&t=too+long+for+the+column"),
            false => line.clone(),
        };
        let text: String = lines.iter().enumerate().map(title).collect();
        bench.append_text("a.log", &text, 10 * BATCH - refused.len());
        stands_still(&bench);
        let (account, said) = account(&bench, replay(&bench).spawn().unwrap());
        assert_eq!(account["rejects"]["refused"], refused.len(), "{account}");
        assert_eq!(bench.rows(), bench.written, "{}", bench.state());
        let offsets =
            bench.database.psql("SELECT count(DISTINCT file_offset), sum(lines) FROM rejected_lines");
        assert_eq!(offsets.split('|').next_back(), Some("5"), "{offsets}");
        said
    });
}

#[test]
fn lines_that_the_batch_before_has_are_found_there() {
    let mut bench = bench(0);
    let lines = spaced(6 * BATCH);
    let again = |n: usize| n > BATCH && n.is_multiple_of(BATCH / 2);
    let text: String = (0..lines.len())
        .map(|n| if again(n) { lines[n].clone() + &lines[n - 15] } else { lines[n].clone() })
        .collect();
    bench.append_text("a.log", &text, lines.len());
    stands_still(&bench);
    let (account, _) = account(&bench, replay(&bench).spawn().unwrap());
    let twice = (0..lines.len()).filter(|n| again(*n)).count();
    assert_eq!(
        (account["rows"].clone(), account["already_loaded"].clone()),
        (lines.len().into(), twice.into())
    );
    bench.check();
}

#[test]
fn one_connection_loads_alone_where_there_is_no_other() {
    let bench = bench(10 * BATCH);
    let proxy = Proxy::before(&bench.database.cluster);
    let config = fs::read_to_string(&bench.config).unwrap();
    let through = config.replace(&bench.database.url, &proxy.url(&bench.database));
    fs::write(&bench.config, &through).unwrap();
    // The first asks for the application, the second loads.
    proxy.after(2, Place::Startup, Fault::Reset);
    let (_, said) = account(&bench, replay(&bench).spawn().unwrap());
    assert!(said.contains("there is no second connection"), "{said}");
    assert_eq!(proxy.met(), [(Place::Startup, Fault::Reset)]);
    bench.check();
}

#[test]
fn one_connection_loads_alone_where_no_other_is_wanted() {
    let bench = bench(10 * BATCH);
    let config = fs::read_to_string(&bench.config).unwrap().replace("[load]", "[load]\nconnections = 1");
    fs::write(&bench.config, config).unwrap();
    let output = replay(&bench).env("ALT_FAULT_AT", "CopiedAhead").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    bench.check();
}

#[test]
fn a_batch_ahead_is_closed_once_the_batch_before_fails() {
    let bench = bench(10 * BATCH);
    let (child, first, second) = held(&bench);
    bench.database.psql(&format!("SELECT pg_terminate_backend({first})"));
    // The gate is still shut: the second must not go there, nor wait for anybody.
    ends_soon(&bench, &second);
    open_gate(&bench.database);
    account(&bench, child);
    bench.check();
}

/// Of a file that has a checkpoint: the batch ahead finds it where the batch before left it, or does not advance it.
#[test]
fn a_batch_ahead_does_not_advance_a_checkpoint_that_the_batch_before_did_not() {
    let mut bench = empty_bench();
    let lines = spaced(10 * BATCH);
    let (first, second) = held_daemon(&mut bench, &lines[..BATCH], &lines[BATCH..]);
    bench.database.psql(&format!("SELECT pg_terminate_backend({first})"));
    ends_soon(&bench, &second);
    open_gate(&bench.database);
    bench.settle();
    bench.check();
}

#[test]
fn rows_that_were_loaded_from_the_same_lines_beside_the_checkpoint_are_found_there() {
    until_said("some of its rows are there", || {
        let bench = bench(10 * BATCH);
        let output = replay(&bench).env("ALT_FAULT_AT", "Committed:2").output().unwrap();
        assert_eq!(output.status.signal(), Some(9), "{}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(bench.rows(), 2 * BATCH);
        // A line of the batch that will be ahead: so few of its rows are there that it is copied.
        let text = fs::read_to_string(bench.path("a.log")).unwrap();
        let id = text.lines().nth(3 * BATCH + 7).and_then(|line| line.split('\t').nth(2)).unwrap();
        let output = replay(&bench).args(["--match", id]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(bench.rows(), 2 * BATCH + 1);
        let (child, ..) = held(&bench);
        open_gate(&bench.database);
        let (account, said) = account(&bench, child);
        assert_eq!(account["already_loaded"], 1, "{account}");
        bench.check();
        said
    });
}

#[test]
fn a_row_that_is_ahead_of_its_files_checkpoint_is_found_there() {
    until_said("some of its rows are there", || {
        let bench = bench(10 * BATCH);
        let output = replay(&bench).env("ALT_FAULT_AT", "Committed:2").output().unwrap();
        assert_eq!(output.status.signal(), Some(9), "{}", String::from_utf8_lossy(&output.stderr));
        bench.database.psql("CREATE TABLE saved AS SELECT * FROM checkpoints");
        account(&bench, replay(&bench).spawn().unwrap());
        // As after a restore: an old checkpoint, and one row of what was loaded later.
        let text = fs::read_to_string(bench.path("a.log")).unwrap();
        let id = text.lines().nth(3 * BATCH + 7).and_then(|line| line.split('\t').nth(2)).unwrap();
        bench.database.psql(&format!(
            "DELETE FROM access_logs WHERE event_id <> '{id}' AND file_offset >= (SELECT loaded_bytes FROM saved); \
             UPDATE loaded_by_ids SET first_at = t, last_at = t \
                 FROM (SELECT occurred_at AS t FROM access_logs WHERE event_id = '{id}') AS row; \
             DELETE FROM checkpoints; INSERT INTO checkpoints SELECT * FROM saved"
        ));
        assert_eq!(bench.rows(), 2 * BATCH + 1);
        let (child, ..) = held(&bench);
        open_gate(&bench.database);
        let (account, said) = account(&bench, child);
        assert_eq!((&account["already_loaded"], bench.rows()), (&1.into(), 10 * BATCH), "{account}: {said}");
        said
    });
}

#[test]
fn a_month_is_dropped_while_two_batches_are_on_their_way() {
    let mut bench = empty_bench();
    // Of a month that is over.
    let first = now() - 62 * 24 * 3_600_000;
    let (before, lines) = (spaced_from(first, BATCH), spaced_from(first + 1000, 10 * BATCH));
    held_daemon(&mut bench, &before, &lines);
    // As retention does on another host. It waits for the batch ahead, and the first batch would wait for it.
    let month = bench.database.psql(
        "SELECT extract(year FROM t) * 12 + extract(month FROM t) - 1 \
         FROM (SELECT max(occurred_at AT TIME ZONE 'UTC') AS t FROM access_logs) AS rows",
    );
    let loaded = bench.rows();
    bench.database.psql(&format!("{}; SELECT alt_drop_month({month}, 'another')", no_wait()));
    open_gate(&bench.database);
    // What was loaded before is gone with its month, and what is loaded now makes the month again.
    bench.written -= loaded;
    bench.settle();
    assert!(bench.daemon.as_ref().unwrap().log().contains("somebody waits for it"), "{}", bench.state());
}

#[test]
fn a_replay_that_wants_an_hour_for_itself_waits_for_the_first_batch_alone() {
    let mut bench = empty_bench();
    // So that all are of one hour.
    let first = now() / 3_600_000 * 3_600_000 - 1_800_000;
    let (before, lines) = (spaced_from(first, BATCH), spaced_from(first + 1000, 10 * BATCH));
    let (first, second) = held_daemon(&mut bench, &before, &lines);
    let loaded: usize = bench.database.psql("SELECT rows FROM checkpoints").parse().unwrap();
    // `before` are loaded, and whatever passed the gate; then comes the first batch.
    let ahead = &lines[loaded..][BATCH / 2..BATCH];
    // Of another host, with lines of its own, and lines of the batch that is ahead.
    let own = spaced_from(now() / 3_600_000 * 3_600_000 - 1_700_000, BATCH / 2);
    let both = own.iter().chain(ahead).cloned().collect::<String>();
    bench.append_text("a.log", &both, own.len());
    stands_still(&bench);
    let child = replay(&bench).spawn().unwrap();
    let mut exclusive = String::new();
    let waits = || {
        exclusive = session(&bench, "replay", "Lock");
        !exclusive.is_empty()
    };
    wait_for(60, waits, || format!("it does not wait\n{}", activity(&bench)));
    let for_whom = bench.database.psql(&format!("SELECT pg_blocking_pids({exclusive})"));
    assert_eq!(for_whom, format!("{{{first}}}"), "the batch ahead is {second}");
    let started = Instant::now();
    open_gate(&bench.database);
    let (account, said) = account(&bench, child);
    assert!(started.elapsed() < patience(NO_WAIT), "it waited {:?}: {said}", started.elapsed());
    assert_eq!(account["lines"], BATCH, "{account}");
    bench.settle();
    let log = bench.daemon.as_ref().unwrap().log();
    assert!(!log.contains("does not take rows"), "{log}");
}

#[test]
fn a_row_is_refused_while_somebody_waits_for_the_batch_ahead() {
    let mut bench = bench(0);
    bench.database.psql("DROP VIEW access_log_details; ALTER TABLE access_logs ALTER title TYPE varchar(10)");
    let mut lines = spaced(10 * BATCH);
    lines[BATCH / 2] = lines[BATCH / 2].replace("&sw=1920", "&t=too+long+for+the+column");
    bench.append_text("a.log", &lines.concat(), lines.len() - 1);
    stands_still(&bench);
    let (child, ..) = held(&bench);
    let lock = format!("{}; BEGIN; LOCK TABLE access_logs IN SHARE MODE; COMMIT", no_wait());
    let started = Instant::now();
    let (account, said) = std::thread::scope(|scope| {
        let locks = scope.spawn(|| bench.database.psql(&lock));
        open_gate(&bench.database);
        let done = account(&bench, child);
        locks.join().unwrap();
        done
    });
    assert!(started.elapsed() < patience(NO_WAIT), "it waited {:?}: {said}", started.elapsed());
    assert_eq!((&account["rejects"]["refused"], bench.rows()), (&1.into(), bench.written), "{account}");
}

#[test]
fn nothing_is_told_of_a_batch_ahead_before_its_turn() {
    let mut bench = empty_bench();
    let lines = spaced(11 * BATCH);
    held_daemon(&mut bench, &lines[..BATCH], &lines[BATCH..]);
    let daemon = bench.daemon.as_ref().unwrap();
    let committed = bench.database.psql("SELECT rows, loaded_bytes FROM checkpoints");
    let (rows, bytes) = committed.split_once('|').unwrap();
    let number = |text: &str| text.parse::<f64>().unwrap();
    let size = fs::metadata(bench.path("beacon.log")).unwrap().len() as f64;
    let lag = daemon.metric(&format!("alt_lag_bytes{{source=\"{}\"}}", bench.path("beacon.log").display()));
    let told = (daemon.metric("alt_rows_loaded_total"), lag);
    let done = (number(rows) - BATCH as f64, size - number(bytes));
    assert_eq!(told, done, "{}", daemon.ask("/metrics").1);
    open_gate(&bench.database);
    bench.settle();
}

#[test]
fn the_session_of_a_batch_that_waits_long_for_its_turn_is_no_dead_predecessors() {
    let bench = bench(3 * BATCH);
    let (child, _, second) = held(&bench);
    let state = format!(
        "SELECT coalesce(max(now() - xact_start), '0') > '16 s' FROM pg_stat_activity WHERE pid = {second}"
    );
    wait_for(30, || bench.database.psql(&state) == "t", || format!("it was given up\n{}", activity(&bench)));
    // As another replay of this host does that waited for a lock in vain.
    let end = include_str!("../../sql/end_dead_predecessors.sql");
    let name = format!("(SELECT application_name FROM pg_stat_activity WHERE pid = {second})");
    let user = "SET ROLE alt;";
    assert_eq!(bench.database.psql(&format!("{user} {}", end.replace("$1", &name))), "0");
    open_gate(&bench.database);
    account(&bench, child);
    bench.check();
}
