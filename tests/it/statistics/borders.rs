//! A local day that lies in two months, one of which is dropped: it is frozen with the rows of both, whenever they come.

use std::sync::Arc;

use alt_process::fault::{self, Step};
use alt_store::stats::fold::{Done, Due};
use alt_store::stats::follow;
use alt_store::stats::freeze::{self, Unfolded};
use alt_store::{in_transaction, partitions};

use super::lives::world::folder;
use crate::support::cases::Ground;

/// In Kolkata, 2026-01-01 begins at 2025-12-31 18:30 UTC.
const DECEMBER: &str = "2025-12-31T19:00:00Z";
const JANUARY: &str = "2026-01-01T12:00:00Z";

/// The statements that load a row of a time.
fn row(app: &str, at: &str) -> String {
    format!(
        "BEGIN; INSERT INTO access_logs (occurred_at, event_id, file_offset, app_id, file_id, traffic_class, event_type) \
             VALUES ('{at}', gen_random_uuid(), 0, {app}, 1, 'human', 'pageview'); \
         INSERT INTO batches (part, kind, file_id, from_offset, to_offset, first_at, last_at, rows, apps, hours) \
             SELECT 0, 'rows', 1, 0, 1, '{at}', '{at}', 1, ARRAY[{app}], \
                    ARRAY[floor(extract(epoch FROM timestamptz '{at}') / 3600)::integer]; COMMIT"
    )
}

/// Everything that changed is marked and computed.
fn fold(ground: &Ground) {
    let mut folder = folder(ground);
    let done = std::thread::scope(|scope| {
        scope.spawn(|| folder.work(Due::Now, std::time::Duration::from_secs(60)).unwrap()).join().unwrap()
    });
    assert_eq!(done, Done::All);
}

/// The days of what changed are marked by another process, if it may.
fn mark(url: &alt_config::Postgres) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let marked = runtime.block_on(async {
        let client = alt_store::connect(url, "test").await.unwrap();
        in_transaction(&client, "200ms", async |client| follow::take(client).await).await
    });
    // Whoever freezes days lets nobody take changes meanwhile.
    assert!(marked.is_err());
}

#[test]
fn a_day_in_two_months_is_frozen_with_all_of_its_rows() {
    let ground = Ground::new(super::cluster(), &[]);
    let app = ground.rows(
        "INSERT INTO applications (app_key, name, time_zone) VALUES ('border', 'Border', 'Asia/Kolkata') RETURNING id",
    );
    let app = &app[0][0];
    for at in [DECEMBER, JANUARY] {
        let month = partitions::month(at.parse::<jiff::Timestamp>().unwrap().as_microsecond());
        ground.rows(&format!("SELECT alt_make_month({month})"));
    }
    let month = partitions::month(DECEMBER.parse::<jiff::Timestamp>().unwrap().as_microsecond());
    let freeze = || {
        ground.wait(async |client| {
            in_transaction(client, "5s", async |client| freeze::freeze_computed(client, month).await).await
        })
    };
    let waits = |done: anyhow::Result<()>, when: &str| {
        assert!(done.as_ref().is_err_and(anyhow::Error::is::<Unfolded>), "{when}: {done:?}");
        assert_eq!(
            ground.rows("SELECT count(*) FROM stat_days WHERE frozen_at IS NOT NULL")[0][0],
            "0",
            "{when}"
        );
    };

    waits(freeze(), "before anybody computes statistics");
    ground.rows(&row(app, DECEMBER));
    fold(&ground);

    ground.rows(&row(app, JANUARY));
    waits(freeze(), "a row of the other month that nobody has marked");
    fold(&ground);

    let (sql, cluster, name) =
        (row(app, JANUARY), Arc::clone(&ground.database.cluster), ground.database.name.clone());
    let url = ground.database.config();
    fault::act(Box::new(move |step| {
        if step == Step::FoldFreezes {
            cluster.psql(&name, &sql);
            std::thread::scope(|scope| scope.spawn(|| mark(&url)).join().unwrap());
        }
    }));
    let done = freeze();
    fault::act(Box::new(|_| {}));
    waits(done, "a row that came, and that somebody wanted to mark, between the question and the freezing");
    fold(&ground);

    freeze().unwrap();
    let frozen = ground.rows("SELECT day, rows, rest_rows FROM stat_days WHERE frozen_at IS NOT NULL");
    assert_eq!(frozen, [["2026-01-01", "3", "2"]]);
    // What comes now is counted beside.
    ground.rows(&row(app, JANUARY));
    fold(&ground);
    let beside =
        ground.rows("SELECT rows, rest_rows, frozen_rows FROM stat_days WHERE frozen_at IS NOT NULL");
    assert_eq!(beside, [["3", "2", "1"]]);
}
