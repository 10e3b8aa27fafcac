//! Random histories through the real store, against a reference that judges once, from all events that are there at the
//! end: windows are counted anew for each slot, and the course of a key is booleans and times.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use alt_alerts::lens::Of;
use alt_alerts::past::Past;
use alt_alerts::rule::{NoData, Operator, Rule, Test, parse_one};
use alt_alerts::time::{Micros, SECOND, SLOT, slot_of};
use alt_process::metrics::Metrics;
use alt_process::stop::Stop;
use alt_store::alerts::acts::{self, Deed};
use alt_store::alerts::evaluate::{Done, Evaluator};
use alt_store::alerts::rules;
use alt_store::alerts::samples::{self, Numbers, Sent};
use alt_store::in_transaction;

use crate::support::cases::Ground;
use crate::support::postgres::Cluster;

/// An event: when, and its path.
type Event = (Micros, &'static str);

/// An alert: the path that tells it apart, when it began, when it ended.
type Interval = (String, Micros, Option<Micros>);

/// What somebody did: to which path, at which time, and whether that ends the alert.
struct Act {
    path: String,
    at: Micros,
    is_resolve: bool,
}

/// A history of an application. Times count from its beginning.
struct World<'g> {
    ground: &'g Ground,
    random: fastrand::Rng,
    app: i32,
    base: Micros,
    events: Vec<Event>,
    unloaded: Vec<Event>,
    /// What somebody sent: when, and the number.
    samples: Vec<(Micros, i64)>,
    rules: Vec<(Micros, Rule)>,
    acts: Vec<Act>,
    watermark: Micros,
    /// What two daemons have.
    evaluators: [Option<Evaluator>; 2],
    config: alt_config::Config,
}

/// What an event says, by its path.
fn price(path: &str) -> Option<i64> {
    match path {
        "/a" => Some(1),
        "/b" => Some(2),
        _ => None,
    }
}

fn random_rule(random: &mut fastrand::Rng, name: &str) -> Rule {
    let tests = [
        "compare = \"> 4\"",
        "compare = \"< 2\"",
        "compare = \"absent for 15s\"",
        "compare = \"change < -40 %\"\noffset = \"20s\"",
        "compare = \">= 6\"\nrecover = 4",
        "compare = \"above baseline by 2x\"",
        "compare = \"moving average ± 1.5\"",
        "compare = \"> 1\"\ngroup_by = [\"path\"]",
        "compare = \"> 0\"\nfilter = { path = \"/b*\" }",
        "compare = \"> 5\"\nmetric = \"sum\"\nproperty = \"price\"",
        "compare = \"> 3\"\nmetric = \"sum\"\nsample = \"orders\"",
        "compare = \"absent for 20s\"\nsample = \"orders\"",
    ];
    let (window, test) = (random.i64(1..5) * 5, tests[random.usize(0..tests.len())]);
    let is_past = test.contains("baseline") || test.contains("average");
    let offset = is_past.then(|| format!("\noffset = \"{}s\"", window * random.i64(3..6)));
    let text = format!(
        "name = \"{name}\"\napplication = \"{name}\"\nwindow = \"{window}s\"\nfor = \"{}s\"\nkeep_firing = \"{}s\"\n{test}{}",
        random.i64(0..4) * 5,
        random.i64(0..4) * 5,
        offset.unwrap_or_default()
    );
    parse_one(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

impl World<'_> {
    fn new(ground: &Ground, seed: u64) -> World<'_> {
        World::at(ground, seed, None)
    }

    /// A history that begins so long after a whole minute; of a random time, so that a seed always plays the same.
    fn at(ground: &Ground, seed: u64, phase: Option<Micros>) -> World<'_> {
        let mut random = fastrand::Rng::with_seed(seed);
        let name = format!("m{seed}");
        let sql =
            format!("INSERT INTO applications (app_key, name) VALUES ('{name}', '{name}') RETURNING id");
        let app = ground.rows(&sql)[0][0].parse().unwrap();
        // Of some, no counts are stored by five seconds: they are as old as that.
        let age = if random.u8(0..3) == 0 { 50 * 3600 } else { 2 * 3600 };
        let phase = phase.unwrap_or(random.i64(0..12) * SLOT);
        let minute = (alt_process::clock::now() - age * SECOND).div_euclid(60 * SECOND) * 60 * SECOND;
        let base = minute + phase;
        let text = format!(
            "[postgres]\nurl = \"{}\"\n[alerts]\nenabled = true\n\
             [[channel]]\nname = \"c\"\nkind = \"slack\"\nurl = \"https://a.example/\"\n",
            ground.database.url
        );
        let config = alt_config::Config::from_str(&text, |_| None).unwrap();
        let rule = random_rule(&mut random, &name);
        let mut world = World {
            ground,
            random,
            app,
            base,
            events: Vec::new(),
            unloaded: Vec::new(),
            samples: Vec::new(),
            rules: Vec::new(),
            acts: Vec::new(),
            watermark: 0,
            evaluators: [None, None],
            config,
        };
        world.add_rule(0, rule);
        // Nobody is told of it while the other one fires.
        let shadow = format!(
            "name = \"s{seed}\"\napplication = \"{name}\"\nwindow = \"5s\"\ncompare = \"> 1\"\nkeep_firing = \"10s\"\n\
             silent_while = \"m*\""
        );
        world.store(0, &parse_one(&shadow).unwrap());
        world
    }

    fn name(&self) -> String {
        self.rules[0].1.name.clone()
    }

    fn add_rule(&mut self, from: Micros, rule: Rule) {
        self.store(from, &rule);
        self.rules.push((from, rule));
    }

    fn store(&self, from: Micros, rule: &Rule) {
        let at = self.base + from;
        self.ground.wait(async |client| {
            in_transaction(client, "5s", async |client| {
                rules::add(client, rule, Some(at), true, "model").await
            })
            .await
            .unwrap();
        });
    }

    /// Enters a change into the rows and into the ledger, in one transaction.
    fn enter(&self, sql: &str, kind: &str, events: &[Event]) {
        let times = events.iter().map(|event| self.base + event.0);
        let hours: BTreeSet<i64> = times.clone().map(|at| at.div_euclid(3600 * SECOND)).collect();
        let hours: Vec<String> = hours.iter().map(ToString::to_string).collect();
        let apps = vec![self.app.to_string(); hours.len()];
        let (first, last) = (times.clone().min().unwrap(), times.max().unwrap());
        self.ground.rows(&format!(
            "BEGIN; {sql}; INSERT INTO batches (part, kind, first_at, last_at, rows, apps, hours) \
             SELECT 1, '{kind}', {}, {}, {}, '{{{}}}', '{{{}}}'; COMMIT",
            time(first),
            time(last),
            events.len(),
            apps.join(","),
            hours.join(",")
        ));
    }

    fn load(&mut self, events: Vec<Event>) {
        if events.is_empty() {
            return;
        }
        let mut sql =
            "INSERT INTO access_logs (occurred_at, event_id, file_offset, app_id, file_id, traffic_class, \
        event_type, \
                       url_path, params) VALUES "
                .to_owned();
        for (n, (at, path)) in events.iter().enumerate() {
            let comma = if n == 0 { "" } else { ", " };
            let at = time(self.base + at);
            write!(
                sql,
                "{comma}({at}, gen_random_uuid(), 0, {}, 1, 'human', 'pageview', '{path}', '{{\"custom\": {{\"price\": \"{}\"}}}}')",
                self.app,
                price(path).map_or_else(|| "free".to_owned(), |price| price.to_string())
            )
            .unwrap();
        }
        self.enter(&sql, "rows", &events);
        self.events.extend(events);
    }

    fn random_event(&mut self, from: Micros, until: Micros) -> Event {
        (self.random.i64(from..until), ["/a", "/b", "/b/c"][self.random.usize(0..3)])
    }

    /// Something happens to the data, the rules, or by a person.
    fn play(&mut self) {
        // Who judges what is sent is sent more.
        let is_of_samples = matches!(self.rules.last().unwrap().1.lens.of(), Of::Sample(_));
        match self.random.u8(0..if is_of_samples { 60 } else { 22 }) {
            20.. => self.send(),
            0..10 => {
                let (from, count) = (self.watermark, self.random.usize(0..9));
                let events = (0..count).map(|_| self.random_event(from, from + 3 * SLOT)).collect();
                self.load(events);
                self.watermark += self.random.i64(1..4) * SLOT;
            }
            10..13 if self.watermark > 0 => {
                let until = self.watermark;
                let events = (0..self.random.usize(1..4)).map(|_| self.random_event(0, until)).collect();
                self.load(events);
            }
            13..15 if !self.events.is_empty() => self.unload(),
            15 => {
                let again = std::mem::take(&mut self.unloaded);
                self.load(again);
            }
            16 => {
                let name = self.name();
                let rule = random_rule(&mut self.random, &name);
                // Now and then one begins in a time that was judged.
                let last = self.rules.last().unwrap().0;
                let from =
                    if self.random.bool() { self.judged() + 1 } else { last + self.random.i64(1..6) * SLOT };
                self.add_rule(from.max(last + 1), rule);
            }
            _ => self.act(),
        }
    }

    /// Somebody sends a number, late or ahead of what is judged; now and then twice.
    fn send(&mut self) {
        let at = self.random.i64(0..self.watermark + 2 * SLOT);
        let (number, times) = (self.random.i64(-1..5), if self.random.u8(0..4) == 0 { 2 } else { 1 });
        self.send_at(at, number, times);
    }

    fn send_at(&mut self, at: Micros, number: i64, times: usize) {
        let numbers = Numbers::from([("orders".to_owned(), samples::number(number as f64).unwrap())]);
        let id = format!("{} {}", self.app, self.samples.len());
        let sent = Sent { at: self.base + at, host: "h", by: "model", id: Some(&id), numbers: &numbers };
        for time in 0..times {
            let is_new = self.ground.wait(async |client| {
                in_transaction(client, "5s", async |client| samples::add(client, self.app, &sent).await)
                    .await
                    .unwrap()
            });
            assert_eq!(is_new, time == 0);
        }
        self.samples.push((at, number));
    }

    /// Takes out all events of a path in a time.
    fn unload(&mut self) {
        let (at, _) = self.events[self.random.usize(0..self.events.len())];
        let (from, until) = (slot_of(at), slot_of(at) + self.random.i64(1..4) * SLOT);
        let (gone, stay) = self.events.iter().partition(|event| event.0 >= from && event.0 < until);
        let sql = format!(
            "DELETE FROM access_logs WHERE app_id = {} AND occurred_at >= {} AND occurred_at < {}",
            self.app,
            time(self.base + from),
            time(self.base + until)
        );
        let gone: Vec<Event> = gone;
        self.enter(&sql, "removed", &gone);
        self.unloaded.extend(gone);
        self.events = stay;
    }

    fn judged(&self) -> Micros {
        let sql = format!(
            "SELECT (extract(epoch FROM judged_at) * 1000000)::bigint FROM alert_apps WHERE app_id = {}",
            self.app
        );
        self.ground.rows(&sql).first().map_or(0, |row| row[0].parse::<Micros>().unwrap() - self.base)
    }

    fn act(&mut self) {
        let sql = format!(
            "SELECT e.id, coalesce(k.labels ->> 'path', '') FROM alert_episodes e JOIN alert_keys k ON k.id = e.key_id \
             JOIN alert_rules r ON r.id = e.rule_id \
             WHERE e.app_id = {} AND e.ended_at IS NULL AND r.name LIKE 'm%' ORDER BY e.id",
            self.app
        );
        let open = self.ground.rows(&sql);
        if open.is_empty() {
            return;
        }
        let [id, path] = &open[self.random.usize(0..open.len())][..] else { panic!("two columns") };
        let (id, is_resolve) = (id.parse().unwrap(), self.random.bool());
        let deed = if is_resolve { Deed::Resolve } else { Deed::Acknowledge(self.random.i64(1..9) * SLOT) };
        self.ground.wait(async |client| {
            in_transaction(client, "5s", async |client| acts::act(client, id, deed, "model", None).await)
                .await
                .unwrap();
        });
        self.acts.push(Act { path: path.clone(), at: self.judged() + 1, is_resolve });
    }

    /// One of two daemons takes a turn.
    fn turn(&mut self) {
        let which = self.random.usize(0..2);
        // One of them goes on, a new one has seen nothing.
        if self.evaluators[which].is_some() && self.random.u8(0..4) == 0 {
            self.evaluators[which] = None;
        }
        self.turn_of(which);
    }

    fn turn_of(&mut self, which: usize) {
        self.ground.rows(&format!(
            "INSERT INTO alert_sources (host, source, upto, beat_at) VALUES ('h', '/l', {at}, clock_timestamp()) \
             ON CONFLICT (host, source) DO UPDATE SET upto = {at}, beat_at = clock_timestamp()",
            at = time(self.base + self.watermark)
        ));
        let evaluator = self.evaluators[which].get_or_insert_with(|| {
            Evaluator::new(&self.config, &Metrics::default(), &Arc::new(Stop::default())).unwrap()
        });
        evaluator.wake();
        loop {
            match evaluator.work(Duration::from_secs(30)).unwrap() {
                Done::All => break,
                Done::Part => {}
                Done::Elsewhere => panic!("nobody else judges"),
            }
        }
        evaluator.leave().unwrap();
        self.check();
    }

    fn found(&self) -> Vec<Interval> {
        let sql = format!(
            "SELECT coalesce(k.labels ->> 'path', ''), (extract(epoch FROM began_at) * 1000000)::bigint, \
             (extract(epoch FROM ended_at) * 1000000)::bigint FROM alert_episodes e JOIN alert_keys k ON k.id = \
             e.key_id \
             JOIN alert_rules r ON r.id = e.rule_id WHERE e.app_id = {} AND e.corrected_at IS NULL \
             AND e.superseded_by IS NULL AND r.name LIKE 'm%' ORDER BY 1, 2",
            self.app
        );
        let time = |text: &String| text.parse::<Micros>().ok().map(|at| at - self.base);
        self.ground
            .rows(&sql)
            .iter()
            .map(|row| (row[0].clone(), time(&row[1]).unwrap(), time(&row[2])))
            .collect()
    }

    /// What holds of episodes and messages, whatever happened.
    fn check(&self) {
        let app = self.app;
        let wrong = self.ground.rows(&format!(
            "SELECT key_id, 'open twice' FROM alert_episodes WHERE app_id = {app} AND ended_at IS NULL GROUP BY 1 \
             HAVING count(*) > 1 \
             UNION ALL SELECT e.id, 'ends with ' || t.kind || ', and is ' || e.state FROM alert_episodes e \
             JOIN alert_transitions t ON t.episode_id = e.id AND t.seq = e.seq WHERE e.app_id = {app} \
             AND t.kind <> CASE WHEN e.superseded_by IS NOT NULL THEN 'superseded' WHEN e.corrected_at IS NOT NULL \
             THEN 'corrected' \
                                WHEN e.ended_at IS NOT NULL THEN 'resolved' WHEN t.kind = 'acknowledged' THEN t.kind \
                                ELSE 'firing' END \
             UNION ALL SELECT e.id, 'nobody is told' FROM alert_episodes e WHERE e.app_id = {app} \
             AND NOT EXISTS (SELECT FROM alert_outbox o WHERE o.episode_id = e.id) \
             UNION ALL SELECT o.id, 'is ' || o.state || CASE WHEN m.fires THEN ', although another fires' ELSE ', although \
             no other fires' END \
             FROM alert_outbox o JOIN alert_episodes e ON e.id = o.episode_id JOIN alert_rules r ON r.id = e.rule_id \
             CROSS JOIN LATERAL (SELECT EXISTS (SELECT FROM alert_episodes f JOIN alert_rules x ON x.id = f.rule_id \
             WHERE f.app_id = e.app_id AND f.ended_at IS NULL AND x.name LIKE 'm%') AS fires) m \
             JOIN alert_transitions t ON t.episode_id = o.episode_id AND t.seq = o.seq AND t.kind = 'firing' \
             WHERE e.app_id = {app} AND r.name LIKE 's%' AND e.ended_at IS NULL \
             AND o.state = CASE WHEN m.fires THEN 'due' ELSE 'inhibited' END \
             UNION ALL SELECT count(*), 'marks are left' FROM alert_dirty WHERE app_id = {app} HAVING count(*) > 0"
        ));
        assert!(wrong.is_empty(), "{wrong:?}");
    }

    /// The reference, of the series of a path, or of all.
    fn reference(&self, path: &str) -> Vec<Interval> {
        let mut all: Vec<Interval> = Vec::new();
        let (mut true_since, mut false_since, mut is_open, mut is_muted) = (None, None, false, false);
        // The first window that is judged ends where the rule begins.
        let mut at = -SLOT;
        while at + SLOT <= self.watermark {
            at += SLOT;
            let rule = self.rules.iter().rev().find(|(from, _)| *from <= at);
            let rule =
                rule.map(|(_, rule)| rule).filter(|rule| rule.lens.group_by().is_empty() == path.is_empty());
            let was_open = is_open;
            let is_resolved = self
                .acts
                .iter()
                .any(|act| act.path == path && act.is_resolve && act.at > at - SLOT && act.at <= at);
            if is_open && rule.is_some() && is_resolved {
                (is_open, is_muted) = (false, true);
            }
            let (holds, fails) = rule.map_or((false, true), |rule| self.conditions(rule, path, at));
            true_since = if holds { true_since.or(Some(at)) } else { None };
            if rule.is_none() || is_muted {
                (is_open, is_muted) = (false, rule.is_some() && is_muted && !fails);
                true_since = None;
                false_since = None;
            } else if let Some(rule) = rule {
                if !is_open && true_since.is_some_and(|since| at - since >= rule.timing.wait) {
                    (is_open, false_since) = (true, None);
                } else if is_open {
                    false_since = if holds { None } else { false_since.or(fails.then_some(at)) };
                    is_open = false_since.is_none_or(|since| at - since < rule.timing.keep_firing);
                }
            }
            match (was_open, is_open) {
                (false, true) => all.push((path.to_owned(), at, None)),
                (true, false) => all.last_mut().unwrap().2 = Some(at),
                _ => {}
            }
        }
        all
    }

    /// Whether a rule holds, and whether it is beyond its recovery, by counting.
    #[expect(clippy::cast_precision_loss, reason = "few events")]
    fn conditions(&self, rule: &Rule, path: &str, at: Micros) -> (bool, bool) {
        assert_eq!(rule.no_data, NoData::Ok);
        let is_kept = |its: &str| match path {
            "" => !rule.text.contains("/b*") || its.starts_with("/b"),
            path => its == path,
        };
        let count = |from: Micros, until: Micros| {
            let is_in =
                |event: &&Event| slot_of(event.0) >= from && slot_of(event.0) < until && is_kept(event.1);
            self.events.iter().filter(is_in).count() as f64
        };
        let sum = |from: Micros, until: Micros| -> f64 {
            let is_in = |at: Micros| slot_of(at) >= from && slot_of(at) < until;
            let sent = self.samples.iter().filter(|sample| is_in(sample.0)).map(|sample| sample.1);
            let said = self.events.iter().filter(|event| is_in(event.0)).filter_map(|event| price(event.1));
            match rule.lens.of() {
                Of::Sample(_) if rule.metric.is_of_numbers() => sent.sum::<i64>() as f64,
                Of::Sample(_) => sent.count() as f64,
                Of::Property(_) => said.sum::<i64>() as f64,
                Of::Events => unreachable!(),
            }
        };
        let count = |from: Micros, until: Micros| match rule.lens.of() {
            Of::Events => count(from, until),
            _ => sum(from, until),
        };
        let now = count(at - rule.window, at);
        let (operator, threshold, recover, value) = match rule.test {
            Test::Absent { span } => (Operator::Equal, 0.0, None, count(at - span, at)),
            Test::Compare { operator, threshold, recover } => (operator, threshold, recover, now),
            Test::Past { past, operator, threshold, recover, offset } => {
                let ends = (1..=offset / rule.window).map(|n| at - n * rule.window);
                let earlier: Vec<f64> = ends.map(|end| count(end - rule.window, end)).collect();
                match against(past, now, earlier) {
                    Some(value) => (operator, threshold, recover, value),
                    None => return (false, true),
                }
            }
            Test::Change { operator, percent, recover, offset } => {
                let before = count(at - offset - rule.window, at - offset);
                let change = if before == 0.0 { 0.0 } else { 100.0 * (now - before) / before };
                (operator, percent, recover, change)
            }
        };
        let holds = operator.holds(value, threshold);
        (holds, !holds && !recover.is_some_and(|recover| operator.holds(value, recover)))
    }
}

/// A count as a multiple of the median of those before, or its distance from their mean.
fn against(past: Past, now: f64, mut earlier: Vec<f64>) -> Option<f64> {
    let count = earlier.len() as f64;
    if past == Past::Factor {
        earlier.sort_by(f64::total_cmp);
        let last = earlier.len() - 1;
        let median = (earlier[last / 2] + earlier[last.div_ceil(2)]) / 2.0;
        return (median > 0.0).then(|| now / median);
    }
    // Sums of whole numbers, which are exact.
    let (sum, squares) = (earlier.iter().sum::<f64>(), earlier.iter().map(|n| n * n).sum::<f64>());
    let deviation = ((squares - sum * sum / count) / (count - 1.0)).sqrt();
    let difference = now - sum / count;
    match deviation {
        _ if difference.abs() < 1e-6 => Some(0.0),
        0.0 => Some(1000.0),
        deviation => Some((difference / deviation).abs()),
    }
}

/// A time as SQL has it.
pub(super) fn time(at: Micros) -> String {
    format!("to_timestamp({at}::numeric / 1000000)")
}

/// The months in which histories lie.
fn make_months(ground: &Ground) {
    ground.rows(
        "SELECT alt_make_month(month) FROM (SELECT DISTINCT (extract(year FROM t) * 12 + extract(month FROM t) - \
         1)::integer AS month \
         FROM (VALUES (now()), (now() - interval '3 days')) times (t)) months",
    );
}

/// A number comes late, and another daemon judges it, which deletes the mark: the first one must not judge by what it remembers.
#[test]
fn what_another_daemon_judged_meanwhile_is_not_taken_from_memory() {
    let ground = Ground::new(&Cluster::start(&["fsync=off", "full_page_writes=off"]), &[]);
    make_months(&ground);
    let mut world = World::new(&ground, 0);
    let rule = format!(
        "name = \"own\"\napplication = \"{}\"\nmetric = \"sum\"\nsample = \"orders\"\nwindow = \"1m\"\ncompare = \"> 5\"",
        world.name()
    );
    world.store(0, &parse_one(&rule).unwrap());
    let open = "SELECT count(*) FROM alert_episodes e JOIN alert_rules r ON r.id = e.rule_id WHERE r.name = 'own' \
                AND e.ended_at IS NULL";
    for (watermark, which, is_open) in [(3, 0, "0"), (3, 1, "1"), (5, 0, "1")] {
        if watermark == 3 {
            world.send_at(SLOT, 4, 1);
        }
        world.watermark = watermark * SLOT;
        world.turn_of(which);
        assert_eq!(ground.rows(open)[0][0], is_open, "at {watermark}, by {which}");
    }
}

/// An application waits for the slower of two sources, and not for the next slot of the faster one.
#[test]
fn the_slower_of_two_sources_is_judged_once_it_has_ended_a_slot() {
    let ground = Ground::new(&Cluster::start(&["fsync=off", "full_page_writes=off"]), &[]);
    make_months(&ground);
    let mut world = World::new(&ground, 0);
    let rule =
        format!("name = \"own\"\napplication = \"{}\"\nwindow = \"5s\"\ncompare = \"> 0\"", world.name());
    world.store(0, &parse_one(&rule).unwrap());
    world.load(vec![(2 * SLOT + 1, "/a")]);
    let reach = |source: &str, slots: i64| {
        ground.rows(&format!(
            "INSERT INTO alert_sources (host, source, upto, beat_at) VALUES ('h', '{source}', {at}, clock_timestamp()) \
             ON CONFLICT (host, source) DO UPDATE SET upto = {at}, beat_at = clock_timestamp()",
            at = time(world.base + slots * SLOT)
        ));
    };
    let mut evaluator =
        Evaluator::new(&world.config, &Metrics::default(), &Arc::new(Stop::default())).unwrap();
    let found =
        "SELECT count(*) FROM alert_episodes e JOIN alert_rules r ON r.id = e.rule_id WHERE r.name = 'own'";
    reach("/fast", 2);
    for (source, slots, expected) in [("/slow", 2, "0"), ("/fast", 3, "0"), ("/slow", 3, "1")] {
        reach(source, slots);
        while evaluator.work(Duration::from_secs(30)).unwrap() != Done::All {}
        assert_eq!(ground.rows(found)[0][0], expected, "{source} at {slots}");
    }
}

/// Somebody ends an alert whose rows go and come back: it ends where it was ended, and not where it would have.
#[test]
fn what_somebody_did_is_known_when_an_alert_comes_back() {
    let ground = Ground::new(&Cluster::start(&["fsync=off", "full_page_writes=off"]), &[]);
    make_months(&ground);
    for phase in [0, 25 * SECOND, 50 * SECOND] {
        let mut world = World::at(&ground, 900_000 + u64::try_from(phase / SECOND).unwrap(), Some(phase));
        let name = world.name();
        let text =
            format!("name = \"{name}\"\napplication = \"{name}\"\nwindow = \"20s\"\ncompare = \"> 4\"");
        world.add_rule(1, parse_one(&text).unwrap());
        world.load(vec![(2 * SECOND, "/a"); 5]);
        world.watermark = SLOT;
        world.turn();
        let id = ground.rows(&format!(
            "SELECT id FROM alert_episodes e WHERE app_id = {} AND ended_at IS NULL \
            AND rule_id = (SELECT id FROM alert_rules WHERE name = '{name}')",
            world.app
        ))[0][0]
            .parse()
            .unwrap();
        ground.wait(async |client| {
            in_transaction(client, "5s", async |client| {
                acts::act(client, id, Deed::Resolve, "model", None).await
            })
            .await
            .unwrap();
        });
        world.acts.push(Act { path: String::new(), at: world.judged() + 1, is_resolve: true });
        world.watermark = 6 * SLOT;
        world.turn();
        assert_eq!(world.found(), [(String::new(), SLOT, Some(2 * SLOT))], "phase {phase}");
        world.unload();
        world.turn();
        assert_eq!(world.found(), [], "phase {phase}");
        let again = std::mem::take(&mut world.unloaded);
        world.load(again);
        world.turn();
        assert_eq!(world.found(), [(String::new(), SLOT, Some(2 * SLOT))], "phase {phase}");
        assert_eq!(world.found(), world.reference(""), "phase {phase}");
    }
}

/// 40 histories by default, 10,000 with `ALT_TEST_FULL=1`; `ALT_TEST_SEED=N` plays one again.
#[test]
fn random_histories_have_the_alerts_of_the_reference() {
    let ground = Ground::new(&Cluster::start(&["fsync=off", "full_page_writes=off"]), &[]);
    make_months(&ground);
    let one: Option<u64> = std::env::var("ALT_TEST_SEED").ok().map(|seed| seed.parse().unwrap());
    let count = if crate::kill::full() { 10_000 } else { 40 };
    let seeds = one.map_or(0..count, |seed| seed..seed + 1);
    let (mut with_episode, mut played, mut held, mut kinds) = (0, 0, 0, BTreeMap::new());
    for seed in seeds {
        let mut world = World::new(&ground, seed);
        for _ in 0..world.random.u8(10..30) {
            world.play();
            if world.random.bool() {
                world.turn();
            }
        }
        world.turn();
        let mut expected = world.reference("");
        ["/a", "/b", "/b/c"].iter().for_each(|path| expected.extend(world.reference(path)));
        let texts: Vec<(Micros, String)> =
            world.rules.iter().map(|(from, rule)| (*from, rule.text.clone())).collect();
        assert_eq!(
            world.found(),
            expected,
            "ALT_TEST_SEED={seed}: the alerts are not those of the reference; judged {}, watermark {}, rules \
             {texts:#?}",
            world.judged(),
            world.watermark
        );
        (played, with_episode) = (played + 1, with_episode + u64::from(!expected.is_empty()));
        let sql = format!(
            "SELECT kind, count(*) FROM alert_transitions t JOIN alert_episodes e ON e.id = t.episode_id WHERE \
             e.app_id = {} GROUP BY 1",
            world.app
        );
        for row in ground.rows(&sql) {
            *kinds.entry(row[0].clone()).or_insert(0) += row[1].parse::<u64>().unwrap();
        }
        held += ground
            .rows(&format!(
                "SELECT o.id FROM alert_outbox o JOIN alert_episodes e ON e.id = o.episode_id \
             WHERE e.app_id = {} AND o.state IN ('inhibited', 'dropped')",
                world.app
            ))
            .len();
        ground.rows(&format!(
            "DELETE FROM applications WHERE id = {0}; DELETE FROM alert_samples WHERE app_id = {0}; DELETE FROM alert_rules WHERE name IN ('m{seed}', 's{seed}')",
            world.app
        ));
    }
    let share = 100 * with_episode / played;
    println!("{played} histories, {share} % with an episode; {held} messages were held back; {kinds:?}");
    assert!(one.is_some() || held > 0, "no message was held back");
    assert!(one.is_some() || share >= 30, "{share} % of the histories have an episode");
}
