//! Messages that wait for others, and alerts after which nobody looks, at ages for which no test waits.

use std::collections::BTreeMap;

use alt_alerts::rule::parse_one;
use alt_store::alerts::outbox::{self, Telling};
use alt_store::alerts::silences::Silence;
use alt_store::in_transaction;

use crate::support::cases::Ground;
use crate::support::postgres::Cluster;

/// An alert that was found so many seconds ago, and the state of the first message about it on the channel `c`.
struct Alert {
    rule: i32,
    severity: &'static str,
    state: &'static str,
    message: &'static str,
    group: &'static str,
    age: u32,
}

impl Alert {
    /// An open one that nobody was told of.
    fn grouped(group: &'static str, severity: &'static str, age: u32) -> Alert {
        Alert { rule: 1, severity, state: "active", message: "grouped", group, age }
    }

    /// One that somebody was told of.
    fn told(rule: i32, state: &'static str, age: u32) -> Alert {
        Alert { rule, severity: "high", state, message: "sent", group: "", age }
    }

    fn add(&self, ground: &Ground) -> String {
        let Alert { rule, severity, state, message, group, age } = self;
        let then = format!("now() - interval '{age} seconds'");
        let sql = format!(
            "WITH key AS (INSERT INTO alert_keys (series, rule_id, app_id, labels) \
             SELECT coalesce(max(series), 0) + 1, {rule}, 1, '{{}}' FROM alert_keys RETURNING id), \
             episode AS (INSERT INTO alert_episodes (key_id, began_at, ended_at, rule_id, app_id, severity, state, title, channels, seq) \
             SELECT id, {then}, CASE '{state}' WHEN 'resolved' THEN now() END, {rule}, 1, '{severity}', '{state}', 'x', '{{c}}', 1 \
             FROM key RETURNING id), \
             found AS (INSERT INTO alert_transitions (episode_id, seq, at, made_at, kind) \
             SELECT id, 1, {then}, {then}, 'firing' FROM episode) \
             INSERT INTO alert_outbox (episode_id, seq, channel, state, group_key, made_at, due_at, done_at) \
             SELECT id, 1, 'c', '{message}', nullif('{group}', ''), {then}, {then}, CASE '{message}' WHEN 'sent' THEN {then} END \
             FROM episode RETURNING episode_id"
        );
        ground.rows(&sql)[0][0].clone()
    }
}

fn ground() -> Ground {
    Ground::new(&Cluster::start(&["fsync=off", "full_page_writes=off"]), &[])
}

/// Lets go of what is held.
fn release(ground: &Ground) {
    let now = alt_process::clock::now();
    let telling = Telling::default();
    ground
        .wait(async |client| {
            in_transaction(client, "5s", async |client| outbox::release(client, &telling, now).await).await
        })
        .unwrap();
}

#[test]
fn messages_of_a_group_wait_for_others_and_for_the_message_before() {
    let ground = ground();
    for (group, severity, ages) in [
        ("early", "medium", &[15, 3][..]),
        ("waited", "medium", &[25, 3]),
        ("urgent", "high", &[1, 1]),
        ("soon after", "critical", &[1, 1]),
        ("long after", "critical", &[1, 1]),
        ("alone", "high", &[1]),
    ] {
        ages.iter().for_each(|age| _ = Alert::grouped(group, severity, *age).add(&ground));
    }
    ground.rows(
        "INSERT INTO alert_outbox (episode_id, seq, channel, state, group_key, made_at, due_at) \
         SELECT 0, n, 'c', 'sent', g, now() - t, now() - t \
         FROM (VALUES (1, 'soon after', interval '4 minutes'), (2, 'long after', interval '6 minutes')) b (n, g, t)",
    );
    release(&ground);
    let sql = "SELECT group_key, string_agg(state, ' ' ORDER BY id), count(DISTINCT digest) FROM alert_outbox \
               WHERE episode_id > 0 GROUP BY 1 ORDER BY 1";
    assert_eq!(
        ground.rows(sql),
        [
            ["alone", "due", "0"],
            ["early", "grouped grouped", "0"],
            ["long after", "digested digested", "1"],
            ["soon after", "grouped grouped", "0"],
            ["urgent", "digested digested", "1"],
            ["waited", "digested digested", "1"],
        ]
    );
    let due = "SELECT count(*) FROM alert_outbox WHERE episode_id = 0 AND state = 'due'";
    assert_eq!(ground.rows(due)[0][0], "3");
}

/// Rule 1 tells again after a minute, and another channel after ten; of rule 2, nobody is told.
#[test]
fn those_who_are_told_again_are_told_once_and_only_while_nobody_looks() {
    let ground = ground();
    let rule = "name = \"x\"\ncompare = \"> 1\"\nrepeat_interval = \"1m\"\nmessages_by = []\n\
                escalate = [{ after = \"10m\", channels = [\"other\"] }]";
    let manner = parse_one(rule).unwrap().manner;
    let silence =
        Silence { id: 1, rule: "quiet".to_owned(), application: "*".to_owned(), ..Silence::default() };
    let telling = Telling {
        silences: vec![silence],
        names: BTreeMap::from([(1, "loud".to_owned()), (2, "quiet".to_owned())]),
        manners: BTreeMap::from([(1, manner.clone()), (2, manner)]),
        ..Telling::default()
    };
    let remind = || {
        let is_any = ground.wait(async |client| outbox::has_unattended(client, &telling).await.unwrap());
        ground
            .wait(async |client| {
                in_transaction(client, "5s", async |client| outbox::remind(client, &telling).await).await
            })
            .unwrap();
        is_any
    };
    for (rule, state, age) in
        [(1, "active", 30), (1, "acknowledged", 700), (1, "resolved", 700), (2, "active", 700)]
    {
        Alert::told(rule, state, age).add(&ground);
    }
    assert!(!remind());
    let told = |id: &str| {
        ground.rows(&format!(
            "SELECT t.kind, o.channel, o.state, o.group_key IS NOT NULL FROM alert_transitions t \
             JOIN alert_outbox o USING (episode_id, seq) WHERE t.episode_id = {id} AND t.seq > 1 ORDER BY t.seq"
        ))
    };
    let (young, old) =
        (Alert::told(1, "active", 90).add(&ground), Alert::told(1, "active", 700).add(&ground));
    assert!(remind());
    let (again, other) = (["repeated", "c", "grouped", "t"], ["escalated", "other", "grouped", "t"]);
    for _ in 0..2 {
        assert_eq!(told(&young), [again]);
        assert_eq!(told(&old), [again, other]);
        // What waits is not told again.
        assert!(!remind());
    }
    let all = "SELECT count(*) FROM alert_transitions WHERE seq > 1";
    assert_eq!(ground.rows(all)[0][0], "3");
}
