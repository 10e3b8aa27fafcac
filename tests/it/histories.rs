//! Random histories of applications, played by two daemons on one PostgreSQL: whatever happens to their rows, every day
//! that is not being computed has the statistics that plain SQL counts, at any moment and at the end.
//!
//! `ALT_TEST_SEED=N` begins with another seed; `ALT_TEST_FULL=1` plays 40 worlds of eight applications instead of one.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::process::Command;

use alt_process::fault::Step;
use fastrand::Rng;
use serde_json::Value;

use crate::replay::{replay, write};
use crate::support::bench::Bench;
use crate::support::cases::first_seed;
use crate::support::daemon::{Daemon, alt, wait_for};
use crate::support::postgres::Database;

/// Applications: key, time zone, and a time (UTC) near which their events are.
const APPS: [(&str, &str, &str); 8] = [
    ("shop", "UTC", ""),
    ("berlin", "Europe/Berlin", "2025-03-30T00:30:00Z"),
    ("autumn", "Europe/Berlin", "2025-10-26T00:30:00Z"),
    ("howe", "Australia/Lord_Howe", "2025-04-05T15:00:00Z"),
    ("chatham", "Pacific/Chatham", "2025-09-27T14:00:00Z"),
    ("apia", "Pacific/Apia", "2011-12-30T10:00:00Z"),
    ("india", "Asia/Kolkata", "2025-12-31T18:20:00Z"),
    ("now", "America/New_York", ""),
];

/// What can happen in a history, and how often it does.
const DEEDS: [(&str, u32); 12] = [
    ("lines", 30),
    ("lines of the other daemon", 12),
    ("lines of a server log", 8),
    ("lines that were there", 6),
    ("replay", 12),
    ("replay again", 4),
    ("unload of a file", 8),
    ("unload of a range", 4),
    ("rejects that become rows", 4),
    ("visitors of old rows", 10),
    ("kill", 5),
    ("death at a step", 5),
];

const AGENTS: [&str; 5] = [
    "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "Mozilla/5.0 (compatible; GPTBot/1.2; +https://openai.com/gptbot)",
    "curl/8.5.0",
];

const FOLDS: [Step; 5] =
    [Step::FoldMarked, Step::FoldBegun, Step::FoldRead, Step::FoldReplaced, Step::FoldCommitted];

/// One database, its daemons, and what they were given.
struct World {
    bench: Bench,
    rng: Rng,
    daemons: [Option<Daemon>; 2],
    lines: u64,
    sent: Vec<String>,
    /// Files that were replayed and are loaded.
    replayed: Vec<String>,
    files: u32,
    unknown: u32,
    seen: BTreeMap<&'static str, u64>,
}

impl World {
    fn new(seed: u64) -> World {
        let sources = "[[source]]\npaths = [\"DIR/beacon.log\"]\n\
                       [[source]]\npaths = [\"DIR/site.log\"]\nformat = \"combined\"\napp = \"shop\"";
        let bench = Bench::not_started(sources, Database::create());
        let text = fs::read_to_string(&bench.config).unwrap() + "[stats]\nenabled = true\n";
        fs::write(&bench.config, &text).unwrap();
        let other = text.replace("beacon.log", "other.log").replace("site.log", "no.log");
        fs::write(bench.path("other.toml"), other.replace("[load]", "[load]\nhost = \"other\"")).unwrap();
        bench.database.psql("UPDATE applications SET time_zone = 'UTC'");
        for (key, zone, _) in &APPS[1..] {
            bench.database.psql(&format!(
                "INSERT INTO applications (app_key, name, time_zone) VALUES ('{key}', '{key}', '{zone}')"
            ));
        }
        let mut world = World {
            bench,
            rng: Rng::with_seed(seed),
            daemons: [None, None],
            lines: 0,
            sent: Vec::new(),
            replayed: Vec::new(),
            files: 0,
            unknown: 0,
            seen: BTreeMap::new(),
        };
        world.start(0, "");
        world.start(1, "");
        world
    }

    /// Starts a daemon, which dies at a step if one is named.
    fn start(&mut self, n: usize, dies_at: &str) {
        let other = self.bench.path("other.toml");
        let config = if n == 0 { &self.bench.config } else { &other };
        self.daemons[n] = Some(Daemon::start_with(config, |command| {
            command.env("ALT_FAULT_WAIT", "1500").env("ALT_FAULT_AT", dies_at);
        }));
    }

    fn saw(&mut self, what: &'static str, count: u64) {
        *self.seen.entry(what).or_default() += count;
    }

    /// A time near that of the application, in milliseconds: often at a border, or half an hour behind another.
    fn time(&mut self, app: usize) -> u64 {
        let at: u64 = match APPS[app].2 {
            "" => u64::try_from(crate::support::lines::now()).unwrap() - 3_600_000 * self.rng.u64(1..40),
            near => near.parse::<jiff::Timestamp>().unwrap().as_millisecond().try_into().unwrap(),
        };
        let quarter = 15 * 60_000;
        let shift = match self.rng.u32(0..4) {
            0 => quarter * self.rng.u64(0..200),
            1 => quarter * self.rng.u64(90..110),
            2 => 1000 * self.rng.u64(0..180_000),
            _ => 3_600_000 * self.rng.u64(0..48) + self.rng.u64(0..3),
        };
        (at + shift).saturating_sub(25 * 3_600_000).min(u64::try_from(crate::support::lines::now()).unwrap())
    }

    /// A line of `alt1`.
    fn line(&mut self, key: &str, at: u64) -> String {
        self.lines += 1;
        let (n, rng) = (self.lines, &mut self.rng);
        let kind =
            ["pageview", "pageview", "pageview", "pageview", "click", "signup", "engagement", "engagement"]
                [rng.usize(0..8)];
        let mut args = format!("a={key}&e={kind}&u=https%3A%2F%2Fshop.example%2Fp%2F{}", rng.u32(0..6));
        if rng.u32(0..50) == 0 {
            args += &"x".repeat(1500);
        }
        if rng.u32(0..3) > 0 {
            let _ = write!(args, "&pv={:016x}", rng.u64(1..9));
        }
        if kind == "engagement" || rng.u32(0..4) == 0 {
            let _ = write!(args, "&d={}&sd={}", rng.u32(0..60_000), rng.u32(0..101));
        }
        if rng.u32(0..8) == 0 {
            args += "&i=jane";
        }
        if rng.u32(0..4) == 0 {
            args += ["&tz=Europe%2FBerlin", "&tz=Asia%2FTokyo", "&tz=UTC"][rng.usize(0..3)];
        }
        let query = ["", "", "%3Futm_source%3Dnews%26utm_medium%3Demail", "%3Fgclid%3D1"][rng.usize(0..4)];
        let args = args.replacen("&pv=", &format!("{query}&pv="), usize::from(args.contains("&pv=")));
        let referrer = ["", "https://www.google.com/", "https://blog.example/a"][rng.usize(0..3)];
        let id = u128::from(n) << 64 | u128::from(std::process::id());
        format!(
            "alt1\t{}.{:03}\t{id:032x}\t192.0.{}.{}\tGET\t204\tcollect.example\t/b\t{args}&r={referrer}\thttps://shop.example/\t{}\tde-DE\t\t\t{}\t\t\t512\t\n",
            at / 1000,
            at % 1000,
            rng.u32(2..5),
            rng.u32(1..3) * 60,
            AGENTS[rng.usize(0..AGENTS.len())],
            if rng.u32(0..12) == 0 { "1" } else { "" },
        )
    }

    /// Lines of an application, most of them close together.
    fn lines(&mut self, app: usize) -> String {
        let mut text = String::new();
        let mut at = self.time(app);
        for _ in 0..self.rng.u32(1..14) {
            match self.rng.u32(0..8) {
                0 => at = self.time(app),
                1 => at += 30 * 60_000,
                2 => at += 30 * 60_000 + 1,
                3 => at = at.saturating_sub(60_000 * self.rng.u64(1..90)),
                _ => at += 1000 * self.rng.u64(0..900),
            }
            let at = at.min(u64::try_from(crate::support::lines::now()).unwrap());
            let line = self.line(APPS[app].0, at);
            self.saw("rows", 1);
            text += &line;
            self.sent.push(line);
        }
        text
    }

    fn append(&mut self, name: &str, text: &str) {
        self.bench.append_text(name, text, 0);
    }

    fn run(&self, args: &[&str]) -> (i32, String) {
        let mut command: Command = alt();
        command.args(args).arg("--config").arg(&self.bench.config).current_dir(self.bench.directory.path());
        let output = command.output().unwrap();
        let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        (output.status.code().unwrap(), text)
    }

    fn done(&self, args: &[&str]) {
        let (code, said) = self.run(args);
        assert!(code == 0 || code == 3, "alt {args:?}: {code}\n{said}");
    }

    /// One deed of a random kind.
    fn deed(&mut self) {
        let sum = DEEDS.iter().map(|deed| deed.1).sum();
        let mut drawn = self.rng.u32(0..sum);
        let deed = DEEDS.iter().find(|deed| {
            let is_it = drawn < deed.1;
            drawn = drawn.saturating_sub(deed.1);
            is_it
        });
        let what = deed.unwrap().0;
        let app = self.rng.usize(0..APPS.len());
        match what {
            "lines" => {
                let text = self.lines(app);
                self.append("beacon.log", &text);
            }
            "lines of the other daemon" => {
                let text = self.lines(app);
                self.append("other.log", &text);
            }
            "lines of a server log" => {
                let at = jiff::Timestamp::from_millisecond(self.time(0).try_into().unwrap()).unwrap();
                let at = at.strftime("%d/%b/%Y:%H:%M:%S +0000");
                let n = self.rng.u32(0..9);
                let line = format!(
                    "192.0.2.60 - - [{at}] \"GET /p/{n} HTTP/1.1\" 200 512 \"-\" \"{}\"\n",
                    AGENTS[0]
                );
                self.append("site.log", &line);
            }
            "lines that were there" if !self.sent.is_empty() => {
                let again: String =
                    (0..3).map(|_| self.sent[self.rng.usize(0..self.sent.len())].clone()).collect();
                let name = ["beacon.log", "other.log"][self.rng.usize(0..2)];
                self.append(name, &again);
            }
            "replay" => {
                self.files += 1;
                let name = format!("old{}.log", self.files);
                let other = self.rng.usize(0..APPS.len());
                let text = self.lines(app) + &self.lines(other);
                write(&mut self.bench, &name, &text, 0);
                replay(&self.bench, &[&name]).unwrap();
                self.replayed.push(name);
            }
            "replay again" if !self.replayed.is_empty() => {
                let name = self.replayed[self.rng.usize(0..self.replayed.len())].clone();
                replay(&self.bench, &[&name, "--again"]).unwrap();
            }
            "unload of a file" if !self.replayed.is_empty() => {
                let name = self.replayed.swap_remove(self.rng.usize(0..self.replayed.len()));
                self.done(&["unload", &name]);
            }
            "unload of a range" => {
                let at = jiff::Timestamp::from_millisecond(self.time(app).try_into().unwrap()).unwrap();
                let until = at + jiff::SignedDuration::from_mins(self.rng.i64(1..300));
                self.done(&[
                    "unload",
                    "--app",
                    APPS[app].0,
                    "--since",
                    &at.to_string(),
                    "--until",
                    &until.to_string(),
                ]);
            }
            "rejects that become rows" => {
                self.unknown += 1;
                let key = format!("late{}", self.unknown);
                let at = self.time(app);
                let text: String = (0..5).map(|n| self.line(&key, at + n)).collect();
                self.append("beacon.log", &text);
                self.done(&["app", "add", &key, "--key", &key, "--time-zone", APPS[app].1]);
                self.done(&["rejects", "retry"]);
            }
            "visitors of old rows" => self.visitors(app),
            "kill" => {
                let n = self.rng.usize(0..2);
                if let Some(daemon) = self.daemons[n].take() {
                    daemon.kill();
                }
                self.start(n, "");
            }
            "death at a step" => {
                let step = FOLDS[self.rng.usize(0..FOLDS.len())];
                let n = self.rng.usize(0..2);
                if let Some(daemon) = self.daemons[n].take() {
                    daemon.kill();
                }
                let times = self.rng.u32(1..4);
                self.start(n, &format!("{step:?}:{times}"));
            }
            _ => return,
        }
        self.saw(what, 1);
    }

    /// Rows of days whose salts are gone have no visitor: they get one, and their days are marked, at once.
    fn visitors(&mut self, app: usize) {
        let key = APPS[app].0;
        let some = self.rng.u32(0..3);
        self.bench.database.psql(&format!(
            "BEGIN; \
             UPDATE access_logs SET visitor_id = hashtextextended(host(ip) || user_agent_id || occurred_at::date, 0) \
             WHERE visitor_id IS NULL AND app_id = (SELECT id FROM applications WHERE app_key = '{key}') \
               AND (file_offset + {some}) % 3 > 0; \
             INSERT INTO stat_dirty (app_id, day) SELECT app_id, day FROM stat_days \
             WHERE app_id = (SELECT id FROM applications WHERE app_key = '{key}'); COMMIT"
        ));
    }

    /// Compares days that are not being computed, in one snapshot each; how many were.
    fn verify(&mut self, what: &'static str, args: &[&str]) -> u64 {
        let (code, said) = self.run(&[&["stats", "verify", "--json"], args].concat());
        assert_eq!(code, 0, "{what}: {said}");
        let (mut compared, mut busy) = (0, 0);
        for day in said.lines().filter(|line| line.starts_with('{')) {
            let day: Value = serde_json::from_str(day).unwrap();
            assert!(day["differences"].as_array().is_none_or(Vec::is_empty), "{what}: {day}");
            if day.get("not_compared").is_some() { busy += 1 } else { compared += 1 }
        }
        self.saw(what, compared);
        self.saw("days that were being computed", busy);
        compared
    }

    /// Starts daemons that died.
    fn revive(&mut self) {
        for n in 0..2 {
            if self.daemons[n].as_mut().is_none_or(|daemon| daemon.ended().is_some()) {
                self.saw("daemons that died at a step", 1);
                self.start(n, "");
            }
        }
    }

    /// Lets everything be loaded and computed.
    fn settle(&mut self) {
        for n in 0..2 {
            if let Some(daemon) = self.daemons[n].take() {
                daemon.kill();
            }
            self.start(n, "");
        }
        let size = |name: &str| fs::metadata(self.bench.path(name)).map_or(0, |file| file.len());
        let all: u64 = ["beacon.log", "other.log", "site.log"].into_iter().map(size).sum();
        let loaded = "SELECT coalesce(sum(loaded_bytes), 0) FROM checkpoints c JOIN log_files f ON f.id = c.file_id \
                      WHERE f.path ~ '/(beacon|other|site).log$'";
        wait_for(60, || self.bench.database.psql(loaded) == all.to_string(), || self.bench.state());
        let open = "SELECT (SELECT count(*) FROM stat_dirty), (SELECT count(*) FROM stat_backlog), \
            (SELECT count(*) FROM batches b, followers f WHERE f.name = 'statistics' AND NOT pg_visible_in_snapshot(b.xid, f.seen))";
        wait_for(120, || self.bench.database.psql(open) == "0|0|0", || self.bench.state());
    }

    /// A line alone on each side of a local midnight, which need not be a whole hour of UTC.
    fn borders(&mut self) {
        for (key, zone, near) in APPS.iter().filter(|app| !app.2.is_empty()) {
            let day: jiff::civil::Date = near[..10].parse().unwrap();
            let zone = jiff::tz::TimeZone::get(zone).unwrap();
            let midnight = day.saturating_add(jiff::Span::new().days(3)).to_zoned(zone).unwrap();
            let midnight = u64::try_from(midnight.timestamp().as_millisecond()).unwrap();
            for at in [midnight - 1, midnight + 60_000] {
                let line = self.line(key, at);
                self.append("beacon.log", &line);
            }
        }
    }

    /// A question with a filter that is true of everything is answered from segments, and is what `stat_daily` has.
    fn segments(&mut self) {
        for (key, _, near) in APPS.iter().filter(|app| !app.2.is_empty()) {
            let near: jiff::civil::Date = near[..10].parse().unwrap();
            let (from, until) = (
                near.saturating_sub(jiff::Span::new().days(4)),
                near.saturating_add(jiff::Span::new().days(4)),
            );
            let period = format!("{from}..{until}");
            let (code, said) = self.run(&[
                "stats",
                "--app",
                key,
                "--period",
                &period,
                "--json",
                "--filter",
                "page is not /nowhere",
            ]);
            assert_eq!(code, 0, "{said}");
            let answer: Value = serde_json::from_str(&said).unwrap_or_else(|e| panic!("{e}: {said}"));
            for count in ["events", "page_views", "visitors", "sessions", "engaged_ms", "authenticated"] {
                let stored = self.bench.database.psql(&format!(
                    "SELECT coalesce(sum({count}), 0) FROM stat_daily WHERE dimension = 'total' AND traffic_class = 'human' \
                     AND app_id = (SELECT id FROM applications WHERE app_key = '{key}') AND day BETWEEN '{from}' AND '{until}'"
                ));
                assert_eq!(answer["total"][count].to_string(), stored, "{key} {count}: {said}");
            }
            self.saw("answers of segments", 1);
        }
    }
}

#[test]
fn random_histories_have_the_numbers_of_plain_sql() {
    let full = std::env::var_os("ALT_TEST_FULL").is_some();
    let first = first_seed();
    let mut seen: BTreeMap<&'static str, u64> = BTreeMap::new();
    for seed in first..first + if full { 40 } else { 1 } {
        println!("ALT_TEST_SEED={seed}");
        let mut world = World::new(seed);
        for n in 0..200 {
            world.deed();
            if n % 5 == 4 {
                world.revive();
                let key = APPS[world.rng.usize(0..APPS.len())].0;
                world.verify("days compared meanwhile", &["--app", key]);
            }
        }
        world.settle();
        let compared = world.verify("days compared at the end", &[]);
        assert!(compared > 10, "{compared}");
        world.borders();
        world.settle();
        world.verify("days compared at the end", &[]);
        let unknown = "SELECT l.app_id, l.occurred_at FROM access_logs l WHERE NOT EXISTS (SELECT 1 FROM stat_days d \
             WHERE d.app_id = l.app_id AND l.occurred_at >= d.from_at AND l.occurred_at < d.until_at AND d.generation > 0)";
        assert_eq!(world.bench.database.psql(unknown), "", "rows of days without statistics");
        world.segments();
        let rows = world.bench.rows();
        world.saw("rows at the end", rows.try_into().unwrap());
        for sum in ["visitors", "sessions", "bounces", "page_views", "engaged_ms", "stray_ms"] {
            let sql = format!("SELECT coalesce(sum({sum}), 0) FROM stat_daily WHERE dimension = 'total'");
            world.seen.insert(sum, world.bench.database.psql(&sql).parse().unwrap());
        }
        for (what, count) in &world.seen {
            *seen.entry(what).or_default() += count;
        }
    }
    for (what, count) in &seen {
        println!("{what}: {count}");
    }
    for what in [
        "days compared meanwhile",
        "sessions",
        "bounces",
        "stray_ms",
        "replay",
        "lines",
        "visitors of old rows",
    ] {
        assert!(seen.get(what).is_some_and(|count| *count > 0), "{what} never occurred");
    }
}
