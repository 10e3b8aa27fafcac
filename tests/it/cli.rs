//! The binary as a binary: help, exit codes, and every command that a person runs.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use alt_line::checkpoint::Proof;

use crate::support::daemon::wait_for;
use crate::support::postgres::Database;

/// A directory with a configuration in it, and `alt` run on that.
struct Place {
    dir: tempfile::TempDir,
}

/// What a run of `alt` left.
#[derive(Debug)]
struct Run {
    code: i32,
    out: String,
    err: String,
}

impl Place {
    fn new(config: &str) -> Place {
        let place = Place { dir: tempfile::tempdir().unwrap() };
        place.write("alt.toml", config);
        place
    }

    /// With a log at `beacon.log` in a directory that is not the account's to write.
    fn with(database: &Database) -> Place {
        let place = Place::new("");
        let log = place.path("beacon.log");
        let config = format!(
            "[[source]]\npaths = [\"{}\"]\n[postgres]\nurl = \"{}\"\n[load]\nhost = \"web-1\"\n",
            log.display(),
            database.url
        );
        place.write("alt.toml", &config);
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, text).unwrap();
        path
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_alt"));
        command.args(arguments).env_clear().env("PATH", std::env::var_os("PATH").unwrap());
        command.env("ALT_CONFIG", self.path("alt.toml")).current_dir(&self.dir).stdin(Stdio::null());
        command
    }

    fn alt(&self, arguments: &[&str]) -> Run {
        run(&mut self.command(arguments))
    }

    /// Runs and expects exit code 0.
    fn done(&self, arguments: &[&str]) -> String {
        let run = self.alt(arguments);
        assert_eq!(run.code, 0, "{arguments:?}: {run:?}");
        run.out
    }

    fn json(&self, arguments: &[&str]) -> serde_json::Value {
        serde_json::from_str(&self.done(arguments)).unwrap()
    }
}

fn run(command: &mut Command) -> Run {
    let output = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Run { code: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) }
}

/// A line as nginx writes it, with the query string of a beacon.
fn line(n: u32, args: &str, ip: &str) -> String {
    line_at(n, args, ip, 0)
}

/// A line of so many seconds ago.
fn line_at(n: u32, args: &str, ip: &str, seconds: u128) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() - 1000 * seconds;
    format!(
        "alt1\t{}.{:03}\t{n:032x}\t{ip}\tGET\t204\tevents.example.com\t/b\t{args}\thttps://example.com/page\t\
         Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\ten\t\t\t\t\t\t500\t\n",
        now / 1000,
        now % 1000
    )
}

#[test]
fn help_is_a_small_manual() {
    let place = Place::new("");
    insta::assert_snapshot!(place.done(&["--help"]), @r"
    Turns nginx into a tracking collector that loses nothing: requests that nginx logged become rows in
    PostgreSQL, exactly once

    Usage: alt [OPTIONS] <COMMAND>

    Commands:
      setup      Prepare this machine, as root, once: role, database, schema, first application, nginx
                 site
      run        Follow the logs and load them: the daemon
      replay     Load archived or foreign logs; what is there already is not loaded twice
      unload     Take rows out again: those of a file, or of an application in a range of time
      parse      Show what lines mean, as JSON, one object a line; needs no database
      report     A page or a summary of what any logs say, for people; needs no database
      migrate    Create or upgrade the schema
      app        Applications: whose hits are whose
      beacon     The script that pages bring in, and the lines to paste
      check      Find what is wrong, and say how to mend it
      status     Show how far every log is loaded
      stats      Visitors, sessions, page views of an application by its days
      search     Search events in the database, the newest first
      demo       Load the made traffic of a shop, to see what `alt` shows
      serve      Answer the API: statistics and events over HTTP
      token      Tokens, by which programs use the API
      user       People, and what they may do with applications
      goal       Goals: what visitors are to reach
      exclusion  Exclusions: whose hits do not count
      alerts     Alerts: what is wrong, who looks after it, and the rules that say so
      channel    Channels: receivers of messages about alerts
      tail       Watch hits as they come
      explain    Show how a line is parsed, enriched and classified, and by which rule
      rejects    Lines that could not become rows
      retention  What is deleted for its age, what keeps it, and what was deleted
      archive    The archive: what is in it, and getting it back
      help       Print this message or the help of the given subcommand(s)

    Options:
      -h, --help     Print help
      -V, --version  Print version

    Everywhere:
          --config <FILE>        The configuration, else the one that the variable `ALT_CONFIG` names,
                                 else /etc/alt/alt.toml if it is there
          --log-format <FORMAT>  How messages are written to stderr: human or json [default: human]
      -v, --verbose...           Say more (twice: everything)
      -q, --quiet                Say nothing but errors

    Exit codes: 0 done, 1 failed, 2 wrong usage, 3 a check found problems.
    The first steps on a machine with nginx and PostgreSQL: `alt setup`, then `alt check`.
    ");
    insta::assert_snapshot!(place.done(&["status", "--help"]), @r"
    Show how far every log is loaded

    Usage: alt status [OPTIONS] [FILE]

    Arguments:
      [FILE]  A log, live or rotated, plain or compressed

    Options:
          --forget <NUMBER>  Stop reporting a missing log, by its number (several: repeat) or `all`
          --all-hosts        Show the files of all hosts
          --json             Print JSON
      -h, --help             Print help

    Everywhere:
          --config <FILE>        The configuration, else the one that the variable `ALT_CONFIG` names,
                                 else /etc/alt/alt.toml if it is there
          --log-format <FORMAT>  How messages are written to stderr: human or json [default: human]
      -v, --verbose...           Say more (twice: everything)
      -q, --quiet                Say nothing but errors

    With FILE, the exit code is 0 if every line of it is loaded, and with an archive, if it is archived;
    else 3. The file is known by its content, so a renamed, moved or compressed one is found too.

    Without: gone, it is not on this disk any more; elsewhere, it is another host's; taken out, by `alt
    unload`; overtaken, another source has read on in it; missing, it was never loaded to its end, and
    no file goes on where it was loaded up to: its lines may be lost. A missing log is reported until it
    is found, loaded by `alt replay`, or forgotten.

    Examples:
      alt status
      alt status --forget 12
      cd /var/log/nginx/alt/rotated && alt status beacon.log-20260101 && mv beacon.log-20260101 /backup/
    ");
    insta::assert_snapshot!(place.done(&["replay", "--help"]), @r"
    Load archived or foreign logs; what is there already is not loaded twice

    Usage: alt replay [OPTIONS] [PATH]...

    Arguments:
      [PATH]...  Files (plain, .gz, .zst, .bz2; tar archives of them, packed or not), directories,
                 patterns, - for standard input, or what is below s3://BUCKET/PREFIX/ or file:///PATH/
                 in an archive

    Options:
          --missing            Read what the archive of the configuration has and this database lacks
          --files-from <FILE>  Read what this file names too: one path a line, or with a NUL behind each
                               (- for standard input)
          --order <WHICH>      Which files come first, by the time they were last written: oldest or
                               newest [default: oldest]
          --format <FORMAT>    Format of the lines: alt1, combined, common, vhost_combined, an nginx
                               log_format string, or auto, by which the first lines decide [default:
                               auto]
          --pixel <PIXEL>      What the log is of: the pixel of matomo, goatcounter, plausible or umami,
                               or of your own (/px.gif?url=u&ref=r)
          --status <LIST>      Which requests are events, by status: 2xx,304,500-599 or all [default:
                               all, of a pixel all but redirects]
          --app <APP>          Name or key of the application whose hits these are, for formats that
                               carry none
          --site <NAME=APP>    The application of one site, by its virtual host or the pixel's name for
                               it (several: repeat)
          --label <LABEL>      The source's label, for formats without event ids: as configured where
                               the log was written
          --again              Read what is loaded already again: rows that are missing are loaded, and
                               rejects looked at again
          --accept-rejects     Load a log although nearly all of its first lines are not of the format,
                               and will be rejects
          --dry-run            Write nothing, and tell what would be loaded
          --jobs <N>           Files to load at the same time, by a connection each [default: 1]
          --json               Print the summary as JSON
      -h, --help               Print help

    Which lines:
          --since <TIME>    Only lines of this time or later: 2026-01-31, 2026-01-31T12:00:00Z (UTC
                            where it says no zone), or 7d ago
          --until <TIME>    Only lines before this time
          --only-app <APP>  Only hits of this application, by name or key (several: repeat)
          --match <REGEX>   Only lines in which this regular expression matches somewhere

    Everywhere:
          --config <FILE>        The configuration, else the one that the variable `ALT_CONFIG` names,
                                 else /etc/alt/alt.toml if it is there
          --log-format <FORMAT>  How messages are written to stderr: human or json [default: human]
      -v, --verbose...           Say more (twice: everything)
      -q, --quiet                Say nothing but errors

    A replay goes by what is in the database: lines that are rows already are counted as already loaded.
    It may be interrupted at any time; run again, it goes on from its last commit. Exit code 0 says that
    every line of every file is accounted for.

    With --since, --until, --only-app or --match, no file counts as loaded afterwards, and what is
    rejected is only counted: a replay without them goes over all of it.

    Where no --format is named, the first lines of the logs decide, and the summary says what was found.
    A log of which nearly all of the first lines are not of the format is not loaded, and the exit code
    is 1.

    Give a file of the same format the label that its source has in the configuration: without event
    ids, the label is part of what tells lines apart.

    Examples:
      alt replay /var/log/nginx/alt/rotated/
      alt replay --jobs 4 '/backup/beacon.log-2026*.gz'
      alt replay --format combined --app 'My shop' --label shop access.log.*.gz
      alt replay --since 2026-01-31 --until 2026-02-01 --only-app 'My shop' --dry-run /backup/2026/
      alt replay --again /backup/2026/01/
      alt replay --format combined --pixel matomo --site 1=Shop --site 2=Blog --label stats stats.log
      find /backup -name 'beacon.log*' -mtime -7 | alt replay --files-from - --order newest
      alt replay --jobs 2 /backup/logs-2025.tar.zst /backup/logs-2026.tar.gz
      ssh web-2 cat /var/log/nginx/alt/beacon.log.1 | alt replay -
    ");
    insta::assert_snapshot!(place.done(&["app", "add", "--help"]), @r"
    Register an application, and print its key and the line to paste

    Usage: alt app add [OPTIONS] <NAME>

    Arguments:
      <NAME>  A name for people

    Options:
          --domain <DOMAIN>   A domain whose pages it tracks and those below it (several: repeat; none:
                              all)
          --time-zone <ZONE>  Time zone of its days; it cannot be changed later [default: UTC]
          --key <KEY>         Its key, where pages have one already: letters, digits, - and _ (else a
                              new one that nobody can guess)
          --host <HOST>       The host name that beacons are sent to, for the line to paste
          --json              Print JSON
      -h, --help              Print help

    Everywhere:
          --config <FILE>        The configuration, else the one that the variable `ALT_CONFIG` names,
                                 else /etc/alt/alt.toml if it is there
          --log-format <FORMAT>  How messages are written to stderr: human or json [default: human]
      -v, --verbose...           Say more (twice: everything)
      -q, --quiet                Say nothing but errors

    Examples:
      alt app add 'My shop' --domain example.com --domain example.net --time-zone Europe/Berlin
    ");
}

#[test]
fn exit_codes_tell_failure_usage_and_findings_apart() {
    let place = Place::new("[postgres]\nurl = \"postgres:///alt?host=/nonexistent\"");
    assert_eq!(place.alt(&["--version"]).code, 0);
    assert_eq!(place.alt(&[]).code, 2);
    assert_eq!(place.alt(&["migrat"]).code, 2);
    assert_eq!(place.alt(&["replay"]).code, 2);
    let failed = place.alt(&["migrate"]);
    assert_eq!(failed.code, 1);
    insta::assert_snapshot!(failed.err, @"alt: connect to PostgreSQL, database alt at /nonexistent: nothing listens there: start PostgreSQL, or set postgres.url: error connecting to server: No such file or directory (os error 2)");
    let json = place.alt(&["migrate", "--log-format", "json"]);
    let error: serde_json::Value = serde_json::from_str(json.err.trim()).unwrap();
    assert!(error["error"].as_str().unwrap().starts_with("connect to PostgreSQL"), "{json:?}");
}

#[test]
fn a_wrong_configuration_is_told_with_all_its_problems() {
    let place = Place::new("[load]\nbatch_row = 1\ncommit_interval = \"soon\"\n");
    let run = place.alt(&["parse", "-"]);
    assert_eq!(run.code, 1);
    insta::assert_snapshot!(run.err.replace(place.dir.path().to_str().unwrap(), "DIR"), @r#"
    alt: configuration DIR/alt.toml is not valid:
      line 2: unknown key `batch_row` in [load]; did you mean `batch_rows`?
      line 3: `commit_interval` in [load] is a time from 0ns to 60s ("50ms", "30s", "30d"), not `soon`
    "#);
    let run = run_with(&place, &[("ALT_LOAD_BACH_ROWS", "5"), ("ALT_LOAD_HOST", "")]);
    insta::assert_snapshot!(run.err.replace(place.dir.path().to_str().unwrap(), "DIR"), @r#"
    alt: configuration DIR/alt.toml is not valid:
      line 2: unknown key `batch_row` in [load]; did you mean `batch_rows`?
      line 3: `commit_interval` in [load] is a time from 0ns to 60s ("50ms", "30s", "30d"), not `soon`
      ALT_LOAD_HOST: is empty; leave it out or give a value
      ALT_LOAD_BACH_ROWS: is no setting; did you mean `ALT_LOAD_BATCH_ROWS`?
    "#);
    let absent = place.alt(&["parse", "-", "--config", "absent.toml"]);
    assert_eq!((absent.code, absent.err.contains("read configuration absent.toml")), (1, true), "{absent:?}");
}

/// What the unit does before it tells the daemon to reload: no database is asked, and what the daemon would trip over
/// beside the file counts, too.
#[test]
fn a_configuration_is_checked_alone() {
    let place = Place::new("[postgres]\nurl = \"postgres:///alt?host=/nonexistent\"");
    assert_eq!(place.done(&["check", "--config-only"]), "nothing is wrong\n");
    place.write("alt.toml", "[load]\ncommit_interval = \"soon\"\n");
    let run = place.alt(&["check", "--config-only"]);
    assert_eq!((run.code, run.out.contains("line 2: `commit_interval`")), (78, true), "{run:?}");
    place.write("alt.toml", "[agents]\nrules = \"/nonexistent\"\n");
    let run = place.alt(&["check", "--config-only"]);
    assert_eq!((run.code, run.out.contains("read agents.rules /nonexistent")), (78, true), "{run:?}");
}

/// To the journal, each line begins with its priority, so that `journalctl -p warning` shows what is wrong; to anything
/// else, none does.
#[test]
fn the_journal_knows_the_priority_of_each_line() {
    let place = Place::new("[postgres]\nurl = \"postgres:///alt?host=/nonexistent\"");
    let to_file = |name: &str, is_journal: bool, arguments: &[&str]| {
        let file = fs::File::create(place.path(name)).unwrap();
        let stat = file.metadata().unwrap();
        let stream = format!("{}:{}", stat.dev(), stat.ino() + u64::from(!is_journal));
        place.command(arguments).env("JOURNAL_STREAM", stream).stderr(file).spawn().unwrap()
    };
    let said = |name: &str| fs::read_to_string(place.path(name)).unwrap();
    for arguments in [&["run"][..], &["--log-format", "json", "run"]] {
        let mut daemon = to_file("daemon", true, arguments);
        wait_for(30, || said("daemon").contains("\n<4>"), || said("daemon"));
        daemon.kill().unwrap();
        daemon.wait().unwrap();
        let text = said("daemon");
        let whole = text.rsplit_once('\n').unwrap().0;
        assert!(whole.lines().all(|line| line.starts_with("<6>") || line.starts_with("<4>")), "{text}");
    }
    place.write("alt.toml", "[load]\nbatch_row = 1\nhost = 2\n");
    to_file("failed", true, &["status"]).wait().unwrap();
    let text = said("failed");
    assert!(text.lines().count() > 1 && text.lines().all(|line| line.starts_with("<3>")), "{text}");
    to_file("elsewhere", false, &["status"]).wait().unwrap();
    assert_eq!(said("elsewhere"), text.replace("<3>", ""));
}

#[test]
fn every_command_has_a_page() {
    let place = Place::new("");
    place.done(&["pages", "pages"]);
    let page = |name: &str| fs::read_to_string(place.path("pages").join(name)).unwrap();
    let help = place.done(&["--help"]);
    let verbs = help.split("Commands:\n").nth(1).unwrap().lines().take_while(|line| !line.is_empty());
    let verbs = verbs.filter_map(|line| line.strip_prefix("  ").filter(|line| !line.starts_with(' ')));
    let verbs: Vec<&str> = verbs.filter_map(|line| line.split_whitespace().next()).collect();
    assert!(verbs.len() > 10 && !verbs.contains(&"pages"), "{help}");
    for verb in verbs.iter().filter(|verb| **verb != "help") {
        assert!(page(&format!("alt-{verb}.1")).contains(".SH SYNOPSIS"), "{verb}");
        for shell in ["alt.bash", "_alt", "alt.fish"] {
            assert!(page(shell).contains(verb), "{verb} is missing in {shell}");
        }
    }
    assert!(page("alt.1").contains("alt\\-setup(1)"));
    assert!(page("alt-replay.1").contains("Examples:"));
}

fn run_with(place: &Place, env: &[(&str, &str)]) -> Run {
    run(place.command(&["parse", "-"]).envs(env.iter().copied()))
}

#[test]
fn parse_shows_every_line_of_any_packing() {
    let place = Place::new("");
    let text =
        [line(1, "a=KEY&t=A+title", "203.0.113.7").as_str(), "garbage\n", &line(2, "a=KEY", "203.0.113.7")]
            .concat();
    let plain = place.write("beacon.log", &text);
    let packed = place.write("beacon.log.1", zstd::encode_all(text.as_bytes(), 1).unwrap());
    let objects = |path: &Path| -> Vec<serde_json::Value> {
        let out = place.done(&["parse", path.to_str().unwrap()]);
        out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let all = objects(&plain);
    assert_eq!(all, objects(&packed));
    let told: Vec<_> =
        all.iter().map(|o| (o["line"].as_str().unwrap(), o["offset"].as_u64().unwrap())).collect();
    let first = line(1, "a=KEY&t=A+title", "203.0.113.7").len() as u64;
    assert_eq!(told, [("hit", 0), ("reject", first), ("hit", first + 8)]);
    assert_eq!((&all[0]["title"], &all[0]["app_key"]), (&"A title".into(), &"KEY".into()));
    assert_eq!((&all[1]["reason"], &all[1]["raw"]), (&"shape".into(), &"garbage".into()));

    let combined =
        "203.0.113.7 - - [31/Jan/2026:12:00:00 +0000] \"GET /a HTTP/1.1\" 200 5 \"-\" \"curl/8\"\n";
    let path = place.write("access.log", combined);
    let hit = place.json(&["parse", "--format", "combined", path.to_str().unwrap()]);
    assert_eq!(
        (&hit["line"], &hit["status"], &hit["occurred_at"]),
        (&"hit".into(), &200.into(), &"2026-01-31T12:00:00.000000Z".into())
    );

    let broken = place.write("broken.gz", [0x1f, 0x8b, 8, 0, 1, 2, 3]);
    let run = place.alt(&["parse", broken.to_str().unwrap()]);
    assert_eq!((run.code, run.err.contains("broken.gz")), (1, true), "{run:?}");
}

#[test]
fn a_reader_that_has_seen_enough_is_no_failure() {
    let place = Place::new("");
    let text: String = (0..20_000).map(|n| line(n, "a=KEY", "203.0.113.7")).collect();
    let path = place.write("beacon.log", text);
    let mut child = place
        .command(&["parse", path.to_str().unwrap()])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut first).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), &b""[..]));
}

#[test]
fn explain_tells_the_rule_that_decided() {
    let place = Place::new("");
    let bot = line(1, "a=KEY&u=https%3A%2F%2Fexample.com%2F%3Ftoken%3Dsecret", "203.0.113.7")
        .replace("Firefox/140.0", "GPTBot/1.2");
    let told = place.json(&["explain", "--json", bot.trim_end_matches('\n')]);
    assert_eq!(told["classified"]["traffic_class"], "ai_bot");
    assert_eq!(told["stored"]["ip"], "203.0.113.0/24");
    assert!(!told["stored"].to_string().contains("secret"), "{told}");
    let foreign = line(1, "a=KEY", "203.0.113.7");
    let told =
        place.json(&["explain", "--json", "--domain", "other.example", foreign.trim_end_matches('\n')]);
    assert_eq!(told["classified"]["traffic_class"], "suspect");
    let people = place.done(&["explain", foreign.trim_end_matches('\n')]);
    assert!(people.contains("\nclassified\n") && people.contains("human"), "{people}");
    let hostile = place.done(&["explain", "\x1b[2Jgarbage"]);
    assert!(hostile.contains("reject") && !hostile.contains('\x1b'), "{hostile}");
}

#[test]
fn a_line_and_a_format_may_begin_with_a_dash() {
    let place = Place::new("");
    let line = r#"- - - [10/Oct/2000:13:55:36 -0700] "GET //x/y#z HTTP/1.1" 200 5 "-" "curl/8""#;
    for args in [
        &["explain", line, "--format", "combined", "--json"][..],
        &["explain", "--json", "--format", "combined", line],
        &["explain", "--json", "--format", "- - - [$time_local] \"$request\" $status $rest", line],
        &["explain", "--json", "--format", "combined", "--", line],
    ] {
        let told = place.json(args);
        assert_eq!(
            (&told["line"], &told["stored"]["url_path"]),
            (&serde_json::json!("hit"), &serde_json::json!("//x/y#z")),
            "{args:?}"
        );
        assert_eq!(told["stored"].get("url_host").or(told["parsed"].get("ip")), None, "{told}");
    }
    let typo = place.alt(&["explain", "--jsn", line]);
    assert_eq!(typo.code, 2, "{typo:?}");
    let typo = place.alt(&["explain", "--jsn"]);
    assert!(typo.code == 2 && typo.err.contains("`--jsn` is neither an option nor a line"), "{typo:?}");
}

#[test]
fn the_schema_is_made_once() {
    let database = Database::empty();
    let place = Place::with(&database);
    assert_eq!(place.alt(&["migrate", "--status"]).code, 3);
    let refused = place.alt(&["app", "list"]);
    assert_eq!(
        (refused.code, refused.err.as_str()),
        (1, "alt: the database has no schema; run `alt migrate`\n")
    );
    assert!(place.done(&["migrate"]).starts_with("applied 1 (tables)\n"));
    assert!(place.done(&["migrate"]).starts_with("the schema is at version"));
    let all = place.json(&["migrate", "--status", "--json"]);
    assert_eq!(all[0]["name"], "tables");
    assert!(all[0]["applied_at"].as_str().unwrap().ends_with('Z'));
}

#[test]
fn applications_come_and_go() {
    let database = Database::create();
    let place = Place::with(&database);
    assert!(place.done(&["app", "list"]).starts_with("no application is registered"));
    let shop = place.json(&[
        "app",
        "add",
        "My shop",
        "--domain",
        "Example.com",
        "--domain",
        "*.example.net",
        "--time-zone",
        "Europe/Berlin",
        "--host",
        "events.example.com",
        "--json",
    ]);
    let key = shop["key"].as_str().unwrap();
    assert_eq!(key.len(), 16);
    assert_eq!(shop["domains"], serde_json::json!(["example.com", "example.net"]));
    assert!(shop["html"].as_str().unwrap().contains(&format!("\"https://events.example.com/b?a={key}\"")));
    for (arguments, wrong) in [
        (&["app", "add", "My shop"][..], "is there already"),
        (&["app", "add", " "], "1 to 200 characters"),
        (&["app", "add", "escape\x1b[31m"], "none of them a control character"),
        (&["app", "add", "b", "--time-zone", "Berlin"], "is no time zone"),
        (&["app", "add", "b", "--domain", "https://b"], "is no domain"),
        (&["app", "show", "nobody"], "no application has the name or key"),
        (&["app", "rename", "nobody", "c"], "no application has the name or key"),
        (&["app", "show", "My shop", "--host", "a\"b"], "write a host name"),
    ] {
        let run = place.alt(arguments);
        assert_eq!((run.code, run.err.contains(wrong)), (1, true), "{arguments:?}: {run:?}");
    }
    place.done(&["app", "add", "turned\u{202e}", "--time-zone", "europe/berlin"]);
    let list = place.done(&["app", "list"]);
    assert!(list.contains("turned\\u{202e}") && list.matches("Europe/Berlin").count() == 2, "{list}");
    place.done(&["app", "rename", "My shop", "Our shop"]);
    assert!(place.done(&["app", "show", key]).starts_with("name       Our shop\n"));
    place.done(&["app", "disable", "Our shop"]);
    assert!(place.json(&["app", "show", key, "--json"])["disabled_at"].is_string());
    place.done(&["app", "enable", key]);
    assert!(place.json(&["app", "show", key, "--json"])["disabled_at"].is_null());
}

/// Records a checkpoint at `loaded` bytes of a text, as a commit of the daemon leaves it.
fn checkpoint(database: &Database, path: &Path, text: &str, loaded: usize) {
    let head = text.find('\n').unwrap() + 1;
    let tail = text[..loaded].trim_end_matches('\n').rfind('\n').map_or(0, |at| at + 1);
    let hex = |proof: Proof| proof.hash.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let inode = std::os::unix::fs::MetadataExt::ino(&fs::metadata(path).unwrap());
    database.psql(&format!(
        "WITH f AS (INSERT INTO log_files (host, source, path, format, inode)
                    VALUES ('web-1', '{0}', '{0}', 'alt1', {inode}) RETURNING id)
         INSERT INTO checkpoints (file_id, head, head_bytes, head_has_id, loaded_bytes, tail, tail_bytes, lines, rows)
         SELECT id, '\\x{1}', {head}, true, {loaded}, '\\x{2}', {3}, 3, 3 FROM f",
        path.display(),
        hex(Proof::of(&text.as_bytes()[..head])),
        hex(Proof::of(&text.as_bytes()[tail..loaded])),
        loaded - tail,
    ));
}

#[test]
fn an_archive_that_is_not_there_is_not_verified() {
    let database = Database::create();
    let place = Place::with(&database);
    for args in
        [&["archive", "verify"][..], &["archive", "verify", "--deep"], &["archive", "verify", "--json"]]
    {
        let run = place.alt(args);
        assert_eq!((run.code, run.out.as_str()), (1, ""), "{run:?}");
        assert!(run.err.contains("there is no archive: the configuration has no [archive]"), "{run:?}");
    }
}

#[test]
fn status_knows_a_file_by_its_bytes() {
    let database = Database::create();
    let place = Place::with(&database);
    let lines: Vec<String> = (1..=4).map(|n| line(n, "a=KEY", "203.0.113.7")).collect();
    let three = lines[..3].concat();
    let log = place.write("beacon.log", &three);
    assert!(place.done(&["status"]).contains("not begun"));
    assert_eq!(place.alt(&["status", "beacon.log"]).code, 3);

    checkpoint(&database, &log, &three, three.len());
    let told = place.json(&["status", "beacon.log", "--json"]);
    assert_eq!((&told["state"], &told["lag_bytes"], &told["rows"]), (&"loaded".into(), &0.into(), &3.into()));

    fs::OpenOptions::new().append(true).open(&log).unwrap().write_all(lines[3].as_bytes()).unwrap();
    let behind = place.alt(&["status", "beacon.log", "--json"]);
    assert_eq!(behind.code, 3);
    let all = place.json(&["status", "--json"]);
    assert_eq!((&all[0]["state"], &all[0]["lag_bytes"]), (&"behind".into(), &(lines[3].len()).into()));
    assert!(all[0]["lag_seconds"].as_f64().unwrap() < 60.0);

    // moved and compressed, and another that only begins alike
    let packed = place.write("moved", zstd::encode_all(three.as_bytes(), 1).unwrap());
    assert_eq!(place.alt(&["status", packed.to_str().unwrap()]).code, 0);
    let other =
        place.write("other", [&lines[0], &lines[2], &lines[1], &lines[3]].map(String::as_str).concat());
    let other = place.alt(&["status", other.to_str().unwrap()]);
    assert_eq!((other.code, other.out.contains("another file that begins alike")), (3, true), "{other:?}");
    assert_eq!(place.alt(&["status", "absent"]).code, 1);
}

#[test]
fn rejects_are_listed_and_harmless() {
    let database = Database::create();
    let place = Place::with(&database);
    assert_eq!(place.done(&["rejects", "list"]), "no rejects\n");
    database.psql(
        "INSERT INTO log_files (host, source, path, format) VALUES ('web-1', '/a.log', '/a.log', 'alt1');
         INSERT INTO rejected_lines (file_id, file_offset, bytes, lines, reason, detail, raw, rejected_at) VALUES
         (1, 0, 10, 1, 'shape', NULL, '\\x1b5b324a6f6f7073ff', now() - interval '2 days'),
         (1, 10, 30, 3, 'unknown_app', 'nobody', 'alt1 line', now())",
    );
    let all = place.done(&["rejects", "list"]);
    assert!(all.contains("\\x1b[2Joops\u{fffd}") && !all.contains('\x1b'), "{all}");
    let one = place.json(&["rejects", "list", "--since", "1d", "--json"]);
    assert_eq!(
        (one.as_array().unwrap().len(), &one[0]["reason"], &one[0]["lines"]),
        (1, &"unknown_app".into(), &3.into())
    );
    assert_eq!(
        place.json(&["rejects", "list", "--reason", "shape", "--file", "a.log", "--json"])[0]["offset"],
        0
    );
    assert_eq!(place.json(&["rejects", "list", "--file", "b.log", "--json"]), serde_json::json!([]));
    assert!(place.alt(&["rejects", "list", "--reason", "odd"]).err.contains("the reasons are empty, torn"));
    assert!(place.alt(&["rejects", "list", "--since", "yesterday"]).err.contains("is no time"));
}

#[test]
fn tail_shows_hits_as_they_come() {
    let place = Place::new("");
    let log = place.write("beacon.log", line(1, "a=OLD", "203.0.113.7"));
    let mut child = place.command(&["tail", log.to_str().unwrap()]).stdout(Stdio::piped()).spawn().unwrap();
    let (tell, told) = std::sync::mpsc::sync_channel(1000);
    let out = child.stdout.take().unwrap();
    std::thread::spawn(move || {
        let mut out = BufReader::new(out);
        let mut line = String::new();
        while out.read_line(&mut line).is_ok_and(|n| n > 0) && tell.send(std::mem::take(&mut line)).is_ok() {}
    });
    // the watch begins at some moment after the start: write until something is seen
    let mut file = fs::OpenOptions::new().append(true).open(&log).unwrap();
    let seen = (0..200u32).find_map(|n| {
        file.write_all(line(n + 2, "a=KEY&t=%1B%5B31mred", "203.0.113.7").as_bytes()).unwrap();
        told.recv_timeout(std::time::Duration::from_millis(100)).ok()
    });
    child.kill().unwrap();
    child.wait().unwrap();
    let seen = seen.unwrap();
    assert!(seen.contains("KEY") && seen.contains("title=\\x1b[31mred") && !seen.contains('\x1b'), "{seen}");
}

#[test]
fn setup_says_what_it_would_do_and_does_nothing() {
    let place = Place::new("");
    fs::remove_file(place.path("alt.toml")).unwrap();
    let said = place.done(&["setup", "--dry-run", "--host", "events.example.com", "--app", "My shop"]);
    for step in ["alt.toml", "/var/log/nginx/alt/rotated (root:alt 2770)", "alt migrate", "My shop"] {
        assert!(said.contains(step), "{step} is missing in\n{said}");
    }
    assert!(said.contains("steps would be taken; nothing was changed"), "{said}");
    assert!(said.contains("MISSING  TLS: there is no certificate for events.example.com"), "{said}");
    assert!(fs::symlink_metadata(place.path("alt.toml")).is_err());
    for (option, value, says) in [
        ("--host", "a b", "write the host name"),
        ("--time-zone", "Nowhere", "is no time zone"),
        ("--domain", "https://a", "is no domain"),
        ("--app", "", "1 to 200 characters"),
    ] {
        let wrong = place.alt(&["setup", "--dry-run", option, value]);
        assert_eq!((wrong.code, wrong.err.contains(says), wrong.out.as_str()), (1, true, ""), "{wrong:?}");
    }
}

/// What goes to the journal says its priority: `<3>`, `<4>`.
#[test]
fn lines_for_the_journal_have_a_priority() {
    use std::os::unix::fs::MetadataExt;
    let place = Place::new("[postgres]\nurl = \"postgres://alt@127.0.0.1:1/alt?sslmode=disable\"\n");
    let said = |arguments: &[&str], stream: &dyn Fn(&fs::Metadata) -> String| {
        let file = fs::File::create(place.path("journal")).unwrap();
        let mut command = place.command(arguments);
        command
            .env("JOURNAL_STREAM", stream(&file.metadata().unwrap()))
            .env("STATE_DIRECTORY", place.dir.path());
        let both = (file.try_clone().unwrap(), file);
        let mut child = command.stdout(both.0).stderr(both.1).stdin(Stdio::null()).spawn().unwrap();
        let written = || fs::read_to_string(place.path("journal")).unwrap();
        crate::support::daemon::wait_for(10, || written().contains("127.0.0.1:1"), written);
        let _ = nix::sys::signal::kill(
            nix::unistd::Pid::from_raw(child.id() as i32),
            nix::sys::signal::Signal::SIGTERM,
        );
        child.wait().unwrap();
        written()
    };
    let journal = |meta: &fs::Metadata| format!("{}:{}", meta.dev(), meta.ino());
    let daemon = said(&["run"], &journal);
    assert!(daemon.lines().all(|line| line.starts_with('<') && line[2..].starts_with('>')), "{daemon}");
    assert!(daemon.lines().any(|line| line.starts_with("<4>") && line.contains("127.0.0.1:1")), "{daemon}");
    let json = said(&["--log-format", "json", "run"], &journal);
    assert!(json.lines().any(|line| line.starts_with("<4>{") && line.ends_with('}')), "{json}");
    let failed = said(&["app", "list"], &journal);
    assert!(failed.starts_with("<3>alt: "), "{failed}");
    let check = said(&["check", "--no-request"], &journal);
    assert!(check.lines().any(|line| line.starts_with("<3>error: PostgreSQL: ")), "{check}");
    // A stream that was redirected is not the journal's.
    let elsewhere = said(&["app", "list"], &|meta| format!("{}:{}", meta.dev(), meta.ino() + 1));
    assert!(elsewhere.starts_with("alt: "), "{elsewhere}");
}

mod check {
    //! `alt check`: every finding provoked for real.

    use super::*;
    use crate::support::not_looked_at;

    /// A machine on which nothing is wrong, with the session by which a daemon is known.
    fn well(database: &Database) -> (Place, Session) {
        let place = Place::with(database);
        fs::set_permissions(&place.dir, fs::Permissions::from_mode(0o750)).unwrap();
        let session = Session::open(database, "alt run web-1");
        place.done(&["app", "add", "shop"]);
        database.psql("UPDATE applications SET app_key = 'KEY'");
        let lines: String = (1..=20).map(|n| line(n, "a=KEY", "203.0.113.7")).collect();
        place.write("beacon.log", lines);
        let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("nginx/alt-http.conf");
        place.write(
            "nginx.conf",
            format!(
                "http {{\n include {};\n server {{ access_log {} alt1 if=$alt_loggable; }}\n}}\n",
                shipped.display(),
                place.path("beacon.log").display()
            ),
        );
        fs::create_dir(place.path("logrotate.d")).unwrap();
        (place, session)
    }

    struct Session(std::process::Child);

    impl Session {
        fn open(database: &Database, name: &str) -> Session {
            // Debian's own psql goes by the port of the cluster that is installed.
            let mut command = Command::new("psql");
            command.env("PGPORT", "5432");
            command.args(["-XqAt", "-d", &database.url]).env("PGAPPNAME", name);
            let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
            child.stdin.as_mut().unwrap().write_all(b"SELECT 'there';\n").unwrap();
            let mut said = String::new();
            BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut said).unwrap();
            assert_eq!(said, "there\n");
            Session(child)
        }
    }

    impl Drop for Session {
        fn drop(&mut self) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }

    const CHECK: [&str; 5] = ["check", "--nginx-conf", "nginx.conf", "--logrotate-dir", "logrotate.d"];

    /// With the log's directory closed to who follows it, as it should be. Root is never told of it.
    fn closed<T>(place: &Place, look: impl FnOnce() -> T) -> T {
        if nix::unistd::geteuid().is_root() {
            return look();
        }
        fs::set_permissions(&place.dir, fs::Permissions::from_mode(0o550)).unwrap();
        let seen = look();
        fs::set_permissions(&place.dir, fs::Permissions::from_mode(0o750)).unwrap();
        seen
    }

    fn check(place: &Place) -> Run {
        closed(place, || place.alt(&CHECK))
    }

    fn expect(place: &Place, what: &str) {
        let run = check(place);
        assert_eq!(run.code, 3, "{run:?}");
        assert!(run.out.contains(what), "{what:?} is missing in\n{}", run.out);
        assert!(run.out.contains("\n1 problem\n"), "{}", run.out);
    }

    #[test]
    fn nothing_is_found_where_nothing_is_wrong() {
        let database = Database::create();
        let (place, _session) = well(&database);
        let run = check(&place);
        assert_eq!((run.code, run.out.as_str()), (0, "nothing is wrong\n"), "{run:?}");
        let json = closed(&place, || place.json(&[&CHECK[..], &["--json"]].concat()));
        assert_eq!(json, serde_json::json!({ "findings": [], "not_checked": [] }));
    }

    #[test]
    fn the_configuration() {
        let place = Place::new("[laod]\n");
        let run = check(&place);
        assert_eq!((run.code, run.out.contains("did you mean `load`?")), (3, true), "{run:?}");
    }

    #[test]
    fn logs() {
        let database = Database::create();
        let (place, _session) = well(&database);
        let whole = fs::read(place.path("beacon.log")).unwrap();
        let garbage: String = (0..20).map(|n| format!("203.0.113.7 - - line {n}\n")).collect();
        place.write("beacon.log", garbage);
        expect(&place, "20 of the last 20 lines are not in the format alt1");

        let private: String = (1..=20).map(|n| line(n, "a=KEY", "10.0.0.7")).collect();
        place.write("beacon.log", private);
        expect(
            &place,
            "20 of the last 20 hits come from private addresses (10.0.0.7): a proxy stands before nginx, and real_ip is missing",
        );
        let conf = fs::read_to_string(place.path("nginx.conf")).unwrap();
        place.write("nginx.conf", format!("set_real_ip_from 10.0.0.0/8;\n{conf}"));
        expect(&place, "a proxy stands before nginx, and set_real_ip_from does not help");
        place.write("nginx.conf", conf);
        // Those who try it out: a few hits from this machine, or hits of yesterday; and an intranet.
        let few: String = (1..=19).map(|n| line(n, "a=KEY", "127.0.0.1")).collect();
        let intranet: String = (1..=20).map(|n| line(n, "a=KEY", &format!("10.0.0.{n}"))).collect();
        let old: String = (1..=20).map(|n| line_at(n, "a=KEY", "10.0.0.7", 4000)).collect();
        for (fits, text) in [("few", few), ("intranet", intranet), ("old", old)] {
            place.write("beacon.log", text);
            let run = check(&place);
            assert_eq!(run.code, 0, "{fits}: {run:?}");
        }

        // a log that everybody can reach and read
        fs::set_permissions(&place.dir, fs::Permissions::from_mode(0o751)).unwrap();
        if nix::unistd::geteuid().is_root() {
            expect(&place, "every account of this machine may read it, with the addresses of your visitors");
        }
        fs::set_permissions(place.path("beacon.log"), fs::Permissions::from_mode(0o640)).unwrap();
        assert_eq!(check(&place).code, 0);
        fs::set_permissions(&place.dir, fs::Permissions::from_mode(0o750)).unwrap();

        fs::remove_file(place.path("beacon.log")).unwrap();
        expect(
            &place,
            "there is no such log [no-log]\n    nginx is configured to write it: start or reload nginx",
        );
        place.write("beacon.log", whole);
        assert_eq!(check(&place).code, 0);
    }

    #[test]
    fn batches_and_logs_that_do_not_fit_into_the_memory() {
        let database = Database::create();
        let (place, _session) = well(&database);
        let config = fs::read_to_string(place.path("alt.toml")).unwrap();
        place.write("alt.toml", config.replace("[load]\n", "[load]\nbatch_bytes = \"64 MiB\"\n"));
        expect(
            &place,
            "MemoryMax allows 256: the kernel would kill it [memory]\n    lower [load] batch_bytes and batch_rows",
        );
        place.write("alt.toml", config);
        assert_eq!(check(&place).code, 0);
    }

    #[test]
    fn rejects_of_the_last_hour() {
        let database = Database::create();
        let (place, _session) = well(&database);
        let key = database.psql("SELECT app_key FROM applications");
        let hits = |wrong: u32, age: u128| -> String {
            let one = |n| if n <= wrong { "a=mistyped".to_owned() } else { format!("a={key}") };
            (1..=31).map(|n| line_at(n, &one(n), "203.0.113.7", age)).collect()
        };
        place.write("beacon.log", hits(30, 0));
        expect(
            &place,
            "30 of the last 31 lines become no rows; 30 name a key that is not registered, or disabled: mistyped (30)",
        );
        for (wrong, age) in [(3, 0), (30, 4000)] {
            place.write("beacon.log", hits(wrong, age));
            assert_eq!(check(&place).code, 0, "{wrong} of 31, {age} s ago");
        }
        place.write("beacon.log", hits(30, 0));
        let config = fs::read_to_string(place.path("alt.toml")).unwrap();
        place.write("alt.toml", config + "[check]\naccepted = [\"rejects\"]\n");
        let run = check(&place);
        let is_accepted = run.out.contains("accepted: ") && run.out.ends_with("nothing is wrong\n");
        assert!(run.code == 0 && is_accepted, "{run:?}");
        let json = closed(&place, || place.json(&[&CHECK[..], &["--json"]].concat()));
        assert_eq!(
            (&json["findings"][0]["kind"], &json["findings"][0]["accepted"]),
            (&"rejects".into(), &true.into())
        );
    }

    /// What nginx itself says of a disk that was full, and what the log shows of it afterwards.
    #[test]
    fn a_disk_that_was_full() {
        let database = Database::create();
        let (place, _session) = well(&database);
        let log = place.path("beacon.log").display().to_string();
        let conf = fs::read_to_string(place.path("nginx.conf")).unwrap();
        place.write("nginx.conf", format!("error_log {} warn;\n{conf}", place.path("error.log").display()));
        let said = |at: jiff::Zoned| {
            format!(
                "{} [alert] 7#7: *1 write() to \"{log}\" failed (28: No space left on device) while logging request, client: 192.0.2.1\n",
                at.strftime("%Y/%m/%d %H:%M:%S")
            )
        };
        let now = jiff::Zoned::now();
        place.write("error.log", said(now.clone()));
        expect(&place, "error.log: nginx could not write to the log, because the disk was full");
        place.write("error.log", said(now - jiff::Span::new().hours(25)));
        assert_eq!(check(&place).code, 0);
        let whole = line(1, "a=KEY", "203.0.113.7");
        place.write("beacon.log", format!("{}{whole}", &whole[..60]));
        expect(&place, "lines are cut off: the disk was full when nginx wrote them");
    }

    /// What never ends, or never begins, holds up no command.
    #[test]
    fn links_to_devices_and_pipes() {
        let database = Database::create();
        let (place, _session) = well(&database);
        let log = place.path("beacon.log");
        let text = fs::read(&log).unwrap();
        fs::remove_file(&log).unwrap();
        let pipe = place.path("pipe");
        nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
        let in_time = |arguments: &[&str]| {
            let command = place.command(arguments);
            let mut timed = Command::new("timeout");
            timed.arg("20").arg(command.get_program()).args(command.get_args());
            timed.env_clear().envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
            let run = super::run(timed.current_dir(&place.dir).stdin(Stdio::null()));
            assert_ne!(run.code, 124, "{arguments:?} hangs");
            run
        };
        for target in [Path::new("/dev/zero"), Path::new("/dev/tty"), &pipe] {
            std::os::unix::fs::symlink(target, &log).unwrap();
            let path = log.to_str().unwrap();
            let run = in_time(&["status", path]);
            assert!(run.err.contains("beacon.log: not a regular file"), "{target:?}: {run:?}");
            assert_eq!(in_time(&["status"]).code, 0, "{target:?}");
            let run = in_time(&["tail", path]);
            assert!(run.err.contains("not a regular file"), "{target:?}: {run:?}");
            let run = in_time(&CHECK);
            assert!(
                run.out.contains("beacon.log: cannot be read: not a regular file"),
                "{target:?}: {run:?}"
            );
            fs::remove_file(&log).unwrap();
        }
        fs::write(&log, text).unwrap();
        std::os::unix::fs::symlink(&pipe, place.path("logrotate.d/pipe")).unwrap();
        assert_eq!(in_time(&CHECK).code, 0);
        let config = fs::read_to_string(place.path("alt.toml")).unwrap();
        let zero = "[postgres]\npassword_file = \"/dev/zero\"\n";
        place.write("alt.toml", config.replace("[postgres]\n", zero));
        let run = in_time(&["status"]);
        assert!(run.err.contains("it is too long for a password"), "{run:?}");
        place.write("alt.toml", config + "[agents]\nrules = \"/dev/zero\"\n");
        assert!(in_time(&CHECK).out.contains("agents.rules /dev/zero"));
        let run = in_time(&["--config", "/dev/zero", "status"]);
        assert!(run.err.contains("is larger than 1 MiB"), "{run:?}");
    }

    #[test]
    fn nginx() {
        let database = Database::create();
        let (place, _session) = well(&database);
        let conf = fs::read_to_string(place.path("nginx.conf")).unwrap();
        place.write("nginx.conf", conf.replace(" alt1 if", " if"));
        expect(&place, "is written in the format combined, and read as alt1");
        place.write("nginx.conf", conf.replace(" if=$alt_loggable", ""));
        expect(
            &place,
            "has no if=$alt_loggable: one address can fill the disk with requests that are refused",
        );
        place.write("nginx.conf", "http { }");
        expect(
            &place,
            "nginx: has no log_format alt1 [format]\n    include alt/alt-http.conf inside http { }",
        );
        place.write("nginx.conf", "http { log_format alt1 'alt1\\t$msec'; }");
        expect(&place, "nginx, log_format alt1: differs from the one that alt reads");
        fs::remove_file(place.path("nginx.conf")).unwrap();
        let run = check(&place);
        assert_eq!(
            (run.code, run.out.contains("not looked at: nginx's configuration (read nginx.conf")),
            (0, true),
            "{run:?}"
        );
    }

    #[test]
    fn the_daemon() {
        let database = Database::create();
        let (place, session) = well(&database);
        // a log that stands unread, though somebody should read it
        let file = fs::OpenOptions::new().append(true).open(place.path("beacon.log")).unwrap();
        file.set_modified(SystemTime::now() - std::time::Duration::from_secs(60)).unwrap();
        expect(&place, "bytes of it are not loaded, the oldest for 60 s or more");
        // half a line waits for its rest
        place.write("beacon.log", "alt1\t1");
        assert_eq!(check(&place).code, 0);
        drop(session);
        let seen = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'alt run web-1' AND datname = current_database()";
        crate::support::daemon::wait_for(5, || database.psql(seen) == "0", || "the session's end".to_owned());
        expect(&place, "the daemon of this host has no session `alt run web-1` in the database");
    }

    #[test]
    fn logrotate() {
        let database = Database::create();
        let (place, _session) = well(&database);
        let log = place.path("beacon.log");
        place.write(
            "logrotate.d/nginx",
            format!("/var/log/other.log\n{}/*.log {{\n  copytruncate\n}}\n", place.dir.path().display()),
        );
        expect(&place, &format!("rotates {} with copytruncate, which loses lines", log.display()));
        let shipped =
            fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("nginx/logrotate")).unwrap();
        place.write(
            "logrotate.d/nginx",
            shipped.replace("/var/log/nginx/alt/*.log", &log.display().to_string()),
        );
        assert_eq!(check(&place).code, 0);
    }

    #[test]
    fn names_and_places_that_logrotate_gives() {
        let database = Database::create();
        let (place, _session) = well(&database);
        let dir = place.dir.path().display().to_string();
        let rotate = |lines: &str| {
            place.write("logrotate.d/nginx", format!("dateext\n{dir}/*.log {{\n{lines}\n}}\n"));
        };
        for fits in [
            "dateformat _%Y%m%d",
            "dateformat .%s",
            "extension .log",
            "nodateext",
            "olddir rotated",
            "compress\ncompresscmd /usr/bin/zstd",
            "compresscmd xz\nnocompress",
            "postrotate\nolddir of a script\nendscript",
        ] {
            rotate(fits);
            let run = check(&place);
            assert_eq!(run.code, 0, "{fits}: {}", run.out);
        }
        rotate("dateformat -week%V-%Y");
        expect(
            &place,
            "to names like beacon.log-week48-2026, which are not known to be those of its rotated logs",
        );
        rotate("addextension .old~");
        expect(&place, "to names like beacon.log-20261127.old~");
        rotate("olddir /var/old");
        expect(
            &place,
            "to /var/old, where they are not looked for [logrotate]\n    add it to this [[source]] in alt.toml: rotated",
        );
        rotate("compress\ncompresscmd /usr/bin/xz");
        expect(&place, "with /usr/bin/xz, which is not read");
    }

    #[test]
    fn the_database() {
        let database = Database::create();
        let (place, _session) = well(&database);
        let name = &database.name;

        database.psql("UPDATE applications SET disabled_at = now()");
        expect(&place, "no application is registered, so every hit is a reject");
        database.psql("UPDATE applications SET disabled_at = NULL; ALTER TABLE rejected_lines RENAME TO r");
        expect(&place, "the table rejected_lines is missing");
        database.psql("ALTER TABLE r RENAME TO rejected_lines; ALTER TABLE checkpoints OWNER TO postgres; GRANT SELECT ON checkpoints TO alt");
        expect(&place, "this role may not INSERT, UPDATE the table checkpoints");
        database.psql("ALTER TABLE checkpoints OWNER TO alt; ALTER TABLE access_logs OWNER TO postgres; GRANT SELECT, INSERT ON access_logs TO alt");
        expect(&place, "access_logs belongs to postgres, so alt cannot add partitions");
        database
            .psql("ALTER TABLE access_logs OWNER TO alt; UPDATE alt_migrations SET version = version + 100");
        expect(&place, "too new for this alt");
        database.psql("UPDATE alt_migrations SET version = version - 100");

        // a server whose clock is wrong, as far as this role sees
        database.psql(&format!(
            "CREATE SCHEMA skewed; GRANT USAGE ON SCHEMA skewed TO alt;
             CREATE FUNCTION skewed.clock_timestamp() RETURNS timestamptz LANGUAGE sql AS $$ SELECT pg_catalog.now() + interval '1 hour' $$;
             ALTER DATABASE {name} SET search_path = skewed, pg_catalog, public"
        ));
        expect(&place, "its clock is 3600 s ahead of this machine's");
        database.psql(&format!("ALTER DATABASE {name} RESET search_path"));
        assert_eq!(check(&place).code, 0);

        let config = fs::read_to_string(place.path("alt.toml")).unwrap();
        let mode =
            |mode| fs::set_permissions(place.path("alt.toml"), fs::Permissions::from_mode(mode)).unwrap();
        place.write("alt.toml", config.replace("user=alt", "user=alt&password=secret"));
        mode(0o644);
        expect(&place, "everybody on this machine may read it");
        mode(0o640);
        assert_eq!(check(&place).code, 0);
        place.write("alt.toml", config.replace(&format!("/{name}?"), "/absent?"));
        expect(&place, "the database does not exist: run `alt setup` as root");
        place.write("alt.toml", config.replace("postgres://", "postgre://"));
        expect(&place, "postgres.url cannot be understood");
    }

    /// Root reads everything, so the daemon's eyes are those of another account.
    #[test]
    fn what_the_account_may_not_read_or_write() {
        let database = Database::create();
        let (place, _session) = well(&database);
        fs::set_permissions(&place.dir, fs::Permissions::from_mode(0o755)).unwrap();
        fs::set_permissions(place.path("beacon.log"), fs::Permissions::from_mode(0o600)).unwrap();
        if !nix::unistd::geteuid().is_root() {
            fs::set_permissions(place.path("beacon.log"), fs::Permissions::from_mode(0o000)).unwrap();
            let run = place.alt(&CHECK);
            assert!(run.out.contains("beacon.log: cannot be read by the account"), "{}", run.out);
            assert!(run.out.contains("can be written by this account"), "{}", run.out);
            return;
        }
        let mut other = Command::new("setpriv");
        other.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(exe_for_all(&place));
        other.args(CHECK);
        other.env("ALT_CONFIG", place.path("alt.toml")).current_dir(&place.dir);
        let run = super::run(&mut other);
        assert_eq!(run.code, 3, "{run:?}");
        assert!(
            run.out.contains("beacon.log: cannot be read by the account nobody (mode 600)"),
            "{}",
            run.out
        );
        fs::set_permissions(place.path("beacon.log"), fs::Permissions::from_mode(0o644)).unwrap();
        fs::set_permissions(&place.dir, fs::Permissions::from_mode(0o777)).unwrap();
        let run = super::run(&mut other);
        assert!(
            run.out.contains("can be written by this account: nginx opens the log there as root"),
            "{run:?}"
        );
    }

    /// The binary where an account can run it that may not enter the build directory.
    fn exe_for_all(place: &Place) -> PathBuf {
        let exe = place.path("alt");
        fs::copy(env!("CARGO_BIN_EXE_alt"), &exe).unwrap();
        fs::set_permissions(&exe, fs::Permissions::from_mode(0o755)).unwrap();
        exe
    }

    /// A disk of 1 MiB in memory. Where the system allows no mounts, the test says so and looks at nothing.
    #[test]
    fn a_full_disk() {
        let database = Database::create();
        let (place, _session) = well(&database);
        let disk = place.path("disk");
        fs::create_dir(&disk).unwrap();
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", "size=1m", "none"]).arg(&disk).output().unwrap();
        if !mounted.status.success() {
            not_looked_at("alt check on a full disk (that needs root and the right to mount)");
            return;
        }
        let _unmount = Unmount(disk.clone());
        let config = fs::read_to_string(place.path("alt.toml")).unwrap();
        place.write("alt.toml", config.replace("/beacon.log", "/disk/beacon.log"));
        let conf = fs::read_to_string(place.path("nginx.conf")).unwrap();
        place.write("nginx.conf", conf.replace("/beacon.log", "/disk/beacon.log"));
        place.write("disk/beacon.log", line(1, "a=KEY", "203.0.113.7"));
        assert_eq!(check(&place).code, 0);
        fs::write(disk.join("filler"), vec![0; 1000 * 1024]).unwrap();
        expect(&place, "the disk is nearly full");
        let _ = fs::write(disk.join("more"), vec![0; 1024 * 1024]);
        expect(&place, "the disk is full: nginx loses what it cannot log");

        // The same disk, not for the log, but for what is packed before it goes to the archive.
        let archive = place.path("archive");
        fs::create_dir(&archive).unwrap();
        let config = config + &format!("[archive]\nurl = \"file://{}\"\n", archive.display());
        place.write("alt.toml", config);
        place.write("nginx.conf", conf);
        let spooled = || super::run(place.command(&CHECK).env("TMPDIR", &disk));
        let run = spooled();
        let expected = "disk: the disk is full: no log can be packed for the archive";
        assert!(run.out.contains(expected) && run.out.contains("\n1 problem\n"), "{run:?}");
        for name in ["filler", "more"] {
            fs::remove_file(disk.join(name)).unwrap();
        }
        assert_eq!(spooled().code, 0);
        // Without a free inode there is no file, however many bytes are free.
        let remounted = Command::new("mount").args(["-o", "remount,size=1m,nr_inodes=2"]).arg(&disk).output();
        assert!(remounted.unwrap().status.success());
        let run = spooled();
        assert!(run.out.contains("the file system takes no more files"), "{run:?}");
        let run = super::run(place.command(&CHECK).env("TMPDIR", place.path("absent")));
        assert!(run.out.contains("absent: cannot be written by the account"), "{run:?}");
    }

    struct Unmount(PathBuf);

    impl Drop for Unmount {
        fn drop(&mut self) {
            let _ = Command::new("umount").arg(&self.0).status();
        }
    }
}
