//! A life being played: the rows of two applications, who loads them, and who computes their statistics.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use alt_config::Config;
use alt_process::fault::{self, Step};
use alt_store::apps::{self, PageViews, Wanted};
use alt_store::connect::Connection;
use alt_store::stats::days::AppDay;
use alt_store::stats::fold::{Done, Due, Folder};
use alt_store::stats::follow;
use alt_store::stats::freeze::{self, Unfolded};
use alt_store::stats::verify::{self, Verified};
use alt_store::{in_transaction, ledger, partitions};
use anyhow::Context;
use tokio_postgres::types::Type;

use super::super::history::{COLUMNS, DAYS};
use super::{Deed, Life, STEPS, What};
use crate::support::cases::{Ground, Wrong};

/// An application's place in the life, and a line's in its history.
type LineId = (usize, usize);

/// A line in a file: its offset, and which it is.
type InFile = (usize, LineId);

/// The files of a life. The last is that of a server.
const FILES: usize = 4;

/// What becomes of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Commit,
    Rollback,
    /// It stays open.
    None,
}

/// What a folder does that is at a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Then {
    GoesOn,
    Dies,
}

/// A day that is frozen: what its statistics were, and how many of its rows stayed.
struct Frozen {
    digest: String,
    rest: i64,
    /// How many months of it were dropped.
    times: u32,
}

pub(super) struct World<'a> {
    life: &'a Life,
    ground: &'a Ground,
    /// Keys of the applications.
    apps: [i32; 2],
    folders: [Option<Folder>; 2],
    /// Who does not commit for a while, and which lines.
    other: Option<Connection>,
    held: BTreeSet<LineId>,
    /// Lines that are in no file yet, the next at the end: of sites, and of servers.
    next: [Vec<LineId>; 2],
    files: [Vec<LineId>; FILES],
    refused: Vec<(usize, InFile)>,
    /// The newest event of each application.
    newest: [i64; 2],
    taken: BTreeSet<LineId>,
    frozen: BTreeMap<(i32, String), Frozen>,
    pub(super) seen: BTreeMap<&'static str, u64>,
}

/// Begins to follow the ledger.
pub(super) fn follow(ground: &Ground) {
    let mut folder = folder(ground);
    std::thread::scope(|scope| {
        scope.spawn(|| folder.work(Due::Now, Duration::from_secs(60)).unwrap()).join()
    })
    .unwrap();
}

/// Computes statistics in the database of `ground`.
pub(in super::super) fn folder(ground: &Ground) -> Folder {
    let text = format!("[[source]]\npaths = [\"/none\"]\n[postgres]\nurl = \"{}\"", ground.database.url);
    let config = Config::from_str(&text, |_| None).unwrap();
    Folder::new(&config, "stats", None, &alt_process::metrics::Metrics::default(), &Default::default())
        .unwrap()
}

impl<'a> World<'a> {
    pub(super) fn new(life: &'a Life, ground: &'a Ground) -> World<'a> {
        let domains = super::super::DOMAINS.join("\",\"");
        let apps = [0, 1].map(|n| {
            let zone = DAYS[life.apps[n].day].zone;
            let id = ground.rows(&format!(
                "INSERT INTO applications (app_key, name, time_zone, allowed_domains, properties) \
                 SELECT 'life' || n, 'Life ' || n, '{zone}', '{{\"{domains}\"}}', '{{plan,module_id,points}}' \
                 FROM (SELECT count(*) AS n FROM applications) a RETURNING id"
            ));
            ground.rows(&format!(
                "INSERT INTO stat_goals (app_id, name, event, page) \
                 VALUES ({0}, 'Below', NULL, '/*'), ({0}, 'Click', 'click', NULL), ({0}, 'A', NULL, '/a')",
                id[0][0]
            ));
            id[0][0].parse().unwrap()
        });
        let mut next = [Vec::new(), Vec::new()];
        for (app, history) in life.apps.iter().enumerate() {
            for (place, line) in history.lines().iter().enumerate() {
                next[usize::from(line.kind == "request")].push((app, place));
            }
        }
        // Lines of both applications and of all times are between each other, but the next is often of the same.
        next[0].sort_by_key(|&(app, place)| (place * 7 + app * 3) % 17);
        next.iter_mut().for_each(|lines| lines.reverse());
        World {
            life,
            ground,
            apps,
            folders: [None, None],
            other: None,
            held: BTreeSet::new(),
            next,
            files: Default::default(),
            refused: Vec::new(),
            newest: [i64::MIN; 2],
            taken: BTreeSet::new(),
            frozen: BTreeMap::new(),
            seen: BTreeMap::new(),
        }
    }

    fn saw(&mut self, what: &'static str, count: u64) {
        *self.seen.entry(what).or_default() += count;
    }

    fn file_id(&self, file: usize) -> i32 {
        self.apps[0] * 10 + i32::try_from(file).unwrap()
    }

    pub(super) fn deed(&mut self, deed: Deed) -> Result<(), Wrong> {
        let Deed { what, n, m } = deed;
        match what {
            What::Load | What::LoadRequests | What::Abort | What::Hold | What::Reject => {
                self.next_lines(deed);
            }
            What::Copy => self.copy(n, m),
            What::Replay => self.replay(n % FILES),
            What::Release => self.release(),
            What::Retry => self.retry(),
            What::UnloadFile => self.unload_file(n % FILES),
            What::UnloadPeriod => self.unload_period(n, m),
            What::Choose => return self.choose(n % 2),
            What::Drop => return self.drop_month(n, m % 2),
            What::Fold => return self.fold(n % 2),
            What::Die => {
                // Marks are made once a turn, at most.
                let after = if m % 5 == 0 { 0 } else { m / 5 % 3 };
                return self.die(n % 2, STEPS[m % 5], after);
            }
            What::Meanwhile => {
                // Most of all between a day's rows and their numbers.
                let step = STEPS[[0, 1, 2, 2, 2, 3, 4][m % 7]];
                return self.meanwhile(n % 2, step, n / 2, m / 7);
            }
            What::Overtake => return self.overtake(n % 2, STEPS[1 + m % 2]),
            What::Prune => {
                self.ground.wait(async |client| ledger::prune(client).await).map_err(|e| format!("{e:#}"))?;
                self.saw("prunings", 1);
            }
            What::Verify => return self.verify(n),
        }
        Ok(())
    }

    /// The next lines become rows, or not.
    fn next_lines(&mut self, Deed { what, n, m }: Deed) {
        let is_server = what == What::LoadRequests;
        let next = &mut self.next[usize::from(is_server)];
        let some = next.split_off(next.len().saturating_sub(1 + n % 12));
        let file = if is_server { FILES - 1 } else { m % (FILES - 1) };
        let lines: Vec<InFile> = some.into_iter().rev().map(|line| self.write(file, line)).collect();
        match what {
            What::Reject => self.refused.extend(lines.into_iter().map(|line| (file, line))),
            What::Hold if self.other.is_none() && !lines.is_empty() => {
                let other = self.ground.wait(async |_| self.ground.database.connect().await);
                self.held = lines.iter().map(|line| line.1).collect();
                self.load(Some(&other), file, &lines, End::None);
                self.other = Some(other);
            }
            What::Abort => {
                self.load(None, file, &lines, End::Rollback);
                self.load(None, file, &lines, End::Commit);
            }
            _ => self.load(None, file, &lines, End::Commit),
        }
    }

    /// Writes a line to a file.
    fn write(&mut self, file: usize, line: LineId) -> InFile {
        self.files[file].push(line);
        (self.files[file].len() - 1, line)
    }

    /// Lines that are in a file are written to another.
    fn copy(&mut self, n: usize, m: usize) {
        let from = n % FILES;
        let to = if from == FILES - 1 { from } else { (from + 1) % (FILES - 1) };
        let mut lines: Vec<LineId> = self.files[from].iter().copied().skip(m % 5).take(4).collect();
        lines.retain(|line| self.is_free(*line));
        let lines: Vec<InFile> = lines.into_iter().map(|line| self.write(to, line)).collect();
        self.load(None, to, &lines, End::Commit);
    }

    /// Whether nobody is about to load a line, and it is not refused.
    fn is_free(&self, line: LineId) -> bool {
        !self.held.contains(&line) && !self.refused.iter().any(|refused| refused.1.1 == line)
    }

    fn replay(&mut self, file: usize) {
        let lines = self.files[file].iter().copied().enumerate();
        let mut lines: Vec<InFile> = lines.filter(|line| self.is_free(line.1)).collect();
        // A line that stands in the file twice is a row once.
        let mut known = BTreeSet::new();
        lines.retain(|line| known.insert(line.1));
        self.saw("files read again", u64::from(!lines.is_empty()));
        self.load(None, file, &lines, End::Commit);
    }

    fn retry(&mut self) {
        let refused = std::mem::take(&mut self.refused);
        self.saw("lines refused and retried", refused.len() as u64);
        for file in 0..FILES {
            let lines: Vec<InFile> = refused.iter().filter(|one| one.0 == file).map(|one| one.1).collect();
            self.load(None, file, &lines, End::Commit);
        }
    }

    fn release(&mut self) {
        let Some(other) = self.other.take() else { return };
        self.ground.wait(async |_| other.batch_execute("COMMIT").await).unwrap();
        self.held.clear();
        self.saw("batches committed late", 1);
    }

    /// Loads lines of a file in one transaction.
    fn load(&mut self, by: Option<&Connection>, file: usize, lines: &[InFile], end: End) {
        if lines.is_empty() {
            return;
        }
        let sql = self.batch(file, lines, end);
        let there = match by {
            Some(other) => self.ground.wait(async |_| count_of(&other.simple_query(&sql).await.unwrap())),
            None => self.ground.rows(&sql)[0][0].parse().unwrap(),
        };
        if end == End::Rollback {
            self.saw("batches that were rolled back", 1);
            return;
        }
        self.loaded(lines, there);
    }

    /// The statements that load lines of a file, as a batch is loaded: those that are rows are left out, and the ledger says
    /// what came.
    fn batch(&self, file: usize, lines: &[InFile], end: End) -> String {
        let rows = lines.iter().map(|&(offset, (app, place))| {
            self.life.apps[app].row(place, self.apps[app], self.file_id(file), offset)
        });
        let rows = rows.collect::<Vec<_>>().join(", ");
        format!(
            "BEGIN; CREATE TEMP TABLE IF NOT EXISTS incoming (LIKE access_logs) ON COMMIT DELETE ROWS; \
             INSERT INTO incoming ({COLUMNS}) VALUES {rows}; \
             DELETE FROM incoming i USING access_logs l \
                 WHERE l.app_id = i.app_id AND l.occurred_at = i.occurred_at AND l.event_id = i.event_id; \
             INSERT INTO access_logs SELECT * FROM incoming; \
             WITH pairs AS (SELECT DISTINCT app_id, floor(extract(epoch FROM occurred_at) / 3600)::integer AS hour FROM incoming), \
             told AS (SELECT array_agg(app_id) AS apps, CASE WHEN count(DISTINCT hour) = 1 THEN ARRAY[min(hour)] \
                          ELSE array_agg(hour) END AS hours FROM pairs) \
             INSERT INTO batches (part, kind, file_id, from_offset, to_offset, first_at, last_at, rows, apps, hours) \
             SELECT 0, 'rows', file_id, min(file_offset), max(file_offset) + 1, min(occurred_at), max(occurred_at), count(*), \
                    (SELECT apps FROM told), (SELECT hours FROM told) FROM incoming GROUP BY file_id; \
             SELECT (SELECT count(*) FROM incoming); {}",
            match end {
                End::Commit => "COMMIT",
                End::Rollback => "ROLLBACK",
                End::None => "",
            }
        )
    }

    /// Counts what a batch was: of its lines, so many became rows.
    fn loaded(&mut self, lines: &[InFile], rows: usize) {
        let of = |line: &InFile| self.life.apps[line.1.0].lines()[line.1.1].at;
        let times: Vec<i64> = lines.iter().map(of).collect();
        let is_late = lines.iter().zip(&times).any(|(line, at)| *at < self.newest[line.1.0]);
        for (line, at) in lines.iter().zip(&times) {
            self.newest[line.1.0] = self.newest[line.1.0].max(*at);
        }
        let back = lines.iter().filter(|line| self.taken.remove(&line.1)).count();
        self.saw("batches", u64::from(rows > 0));
        self.saw("batches with late lines", u64::from(rows > 0 && is_late));
        self.saw("batches of lines out of order", u64::from(rows > 0 && !times.is_sorted()));
        self.saw(
            "batches of both applications",
            u64::from(lines.iter().any(|line| line.1.0 != lines[0].1.0)),
        );
        self.saw("lines that were there", (lines.len() - rows) as u64);
        self.saw("lines back after they were taken out", back.min(rows) as u64);
    }

    fn unload_file(&mut self, file: usize) {
        let id = self.file_id(file).to_string();
        self.unload(&id, "NULL", ("-infinity", "infinity"));
        self.taken.extend(self.files[file].iter().copied());
        self.saw("files taken out", u64::from(!self.files[file].is_empty()));
    }

    fn unload_period(&mut self, n: usize, m: usize) {
        let day = &DAYS[self.life.apps[n % 2].day];
        let from = day.from + i64::try_from(m % 26).unwrap() * 3_600_000_000 - 5_400_000_000;
        let until = from + i64::try_from(n / 2 % 300).unwrap() * 60_000_000;
        let time = |at| jiff::Timestamp::from_microsecond(at).unwrap().to_string();
        self.unload("NULL", &self.apps[n % 2].to_string(), (&time(from), &time(until)));
        let lines = self.life.apps[n % 2].lines().iter().enumerate();
        let gone = lines.filter(|(_, line)| (from..until).contains(&line.at));
        let gone: Vec<LineId> = gone.map(|(place, _)| (n % 2, place)).collect();
        self.saw("periods taken out", u64::from(!gone.is_empty()));
        self.taken.extend(gone);
    }

    /// Page views of an application are requests, too, or no longer, as `alt app page-views` does it.
    fn choose(&mut self, which: usize) -> Result<(), Wrong> {
        let id = self.apps[which];
        let changed = self.ground.wait(async |client| {
            let all = apps::all(client).await?;
            let app = all.into_iter().find(|app| app.id == id).context("the application is there")?;
            let page_views = match app.page_views {
                PageViews::Events => PageViews::Requests,
                PageViews::Requests => PageViews::Events,
            };
            let wanted = Wanted { page_views: Some(page_views), ..Wanted::default() };
            in_transaction(client, "5s", async |client| apps::change_in(client, &app, wanted).await).await
        });
        changed.map_err(|error| format!("{error:#}"))?;
        self.saw("page views chosen anew", 1);
        Ok(())
    }

    /// As `alt unload` does it.
    fn unload(&self, file: &str, app: &str, period: (&str, &str)) {
        let sql = include_str!("../../../../sql/unload.sql");
        let sql = sql.replace("$1", file).replace("$2", app);
        let sql = sql.replace("$3", &format!("'{}'", period.0)).replace("$4", &format!("'{}'", period.1));
        self.ground.rows(&sql.lines().filter(|line| !line.starts_with("--")).collect::<Vec<_>>().join("\n"));
    }

    /// Runs a folder. `each` says what happens at each step.
    fn work(
        &mut self,
        which: usize,
        mut each: impl FnMut(&mut Self, Step) -> Result<Then, Wrong>,
    ) -> Result<Option<Done>, Wrong> {
        struct Dead;
        let mut folder = self.folders[which].take().unwrap_or_else(|| folder(self.ground));
        let (tell, told) = mpsc::sync_channel::<Step>(1);
        let (answer, answers) = mpsc::sync_channel::<Then>(1);
        let mut wrong = Ok(());
        let (folder, done) = std::thread::scope(|scope| {
            let thread = scope.spawn(move || {
                fault::act(Box::new(move |step| {
                    let _ = tell.send(step);
                    if answers.recv() == Ok(Then::Dies) {
                        resume_unwind(Box::new(Dead));
                    }
                }));
                let work = || folder.work(Due::Now, Duration::from_secs(600));
                let done = catch_unwind(AssertUnwindSafe(work));
                fault::act(Box::new(|_| {}));
                match done {
                    Ok(done) => (Some(folder), Some(done)),
                    Err(dead) if dead.is::<Dead>() => (None, None),
                    Err(other) => resume_unwind(other),
                }
            });
            for step in told {
                let then = match &wrong {
                    Ok(()) => each(self, step),
                    Err(_) => Ok(Then::GoesOn),
                };
                let then = then.unwrap_or_else(|error| {
                    wrong = Err(error);
                    Then::GoesOn
                });
                let _ = answer.send(then);
            }
            thread.join().unwrap()
        });
        self.folders[which] = folder;
        wrong?;
        done.transpose().map_err(|error| format!("a folder: {error:#}"))
    }

    fn fold(&mut self, which: usize) -> Result<(), Wrong> {
        let done = self.work(which, |_, _| Ok(Then::GoesOn))?;
        self.saw("foldings", 1);
        if done == Some(Done::All) {
            Ok(())
        } else {
            Err(format!("a folder, whom nobody disturbs: {done:?}"))
        }
    }

    /// The lease of whoever has it ends.
    fn time_passes(&self) {
        self.ground.rows("UPDATE leases SET expires_at = clock_timestamp()");
    }

    fn die(&mut self, which: usize, step: Step, after: usize) -> Result<(), Wrong> {
        let mut times = 0;
        let done = self.work(which, |_, at| {
            times += usize::from(at == step);
            Ok(if at == step && times > after { Then::Dies } else { Then::GoesOn })
        })?;
        if done.is_some() {
            return Ok(());
        }
        self.time_passes();
        self.saw(
            match step {
                Step::FoldMarked => "deaths at FoldMarked",
                Step::FoldBegun => "deaths at FoldBegun",
                Step::FoldRead => "deaths at FoldRead",
                Step::FoldReplaced => "deaths at FoldReplaced",
                _ => "deaths at FoldCommitted",
            },
            1,
        );
        Ok(())
    }

    fn meanwhile(&mut self, which: usize, step: Step, n: usize, m: usize) -> Result<(), Wrong> {
        const DEEDS: [What; 11] = [
            What::Load,
            What::Load,
            What::LoadRequests,
            What::Replay,
            What::Hold,
            What::Release,
            What::Retry,
            What::UnloadFile,
            What::UnloadPeriod,
            What::Choose,
            What::Verify,
        ];
        let mut times = 0;
        self.work(which, |world, at| {
            if at == step && times < 3 {
                let (n, m) = (n + times, m + times);
                times += 1;
                let what = DEEDS[m % DEEDS.len()];
                world.deed(Deed { what, n, m: m / DEEDS.len() })?;
                world.saw("page views chosen anew while a day is computed", u64::from(what == What::Choose));
                world.saw("changes while a day is computed", 1);
                // Elsewhere a folder would be in its transaction, and the other would wait for it.
                if matches!(step, Step::FoldBegun | Step::FoldRead) {
                    world.mark()?;
                    world.saw("changes that are marked while a day is computed", 1);
                }
            }
            Ok(Then::GoesOn)
        })?;
        Ok(())
    }

    /// Marks the days of what changed, as another process does.
    fn mark(&self) -> Result<(), Wrong> {
        let taken = self.ground.wait(async |client| {
            in_transaction(client, "5s", async |client| follow::take(client).await).await
        });
        taken.map_err(|error| format!("mark days: {error:#}"))
    }

    fn overtake(&mut self, which: usize, step: Step) -> Result<(), Wrong> {
        let mut is_done = false;
        let done = self.work(which, |world, at| {
            if at == step && !is_done {
                is_done = true;
                world.deed(Deed { what: What::Load, n: 3, m: 0 })?;
                world.time_passes();
                world.fold(1 - which)?;
            }
            Ok(Then::GoesOn)
        })?;
        match (is_done, done) {
            (true, Some(Done::Elsewhere)) => {
                // It takes its lease for valid for another second.
                self.folders[which] = None;
                self.saw("folders that were overtaken", 1);
            }
            // Overtaken when it had nothing left to write; what it wrote is compared.
            (true, Some(Done::All)) => self.folders[which] = None,
            (true, done) => return Err(format!("a folder without its lease: {done:?}")),
            (false, _) => {}
        }
        Ok(())
    }

    /// Compares one of the days.
    fn verify(&mut self, n: usize) -> Result<(), Wrong> {
        let days = self.days();
        let Some(day) = days.get(n % days.len().max(1)) else { return Ok(()) };
        match self.compare(*day)? {
            Verified::Equal(_) => self.saw("days compared meanwhile", 1),
            Verified::Skipped(_) => self.saw("days that were being computed, or frozen", 1),
            Verified::Different(_) => {}
        }
        Ok(())
    }

    fn days(&self) -> Vec<AppDay> {
        let of =
            |app| self.ground.wait(async |client| verify::days(client, Some(app), None, None).await.unwrap());
        self.apps.into_iter().flat_map(of).collect()
    }

    /// Compares a day in one snapshot.
    fn compare(&self, day: AppDay) -> Result<Verified, Wrong> {
        let verified = self.ground.wait(async |client| {
            client.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY").await.unwrap();
            let verified = verify::day(client, day).await;
            client.batch_execute("ROLLBACK").await.unwrap();
            verified
        });
        match verified.map_err(|error| format!("{error:#}"))? {
            Verified::Different(all) => Err(format!("{day:?}: {:#?}", &all[..all.len().min(5)])),
            verified => Ok(verified),
        }
    }

    /// Drops a month near an application's day, once its days are computed.
    fn drop_month(&mut self, n: usize, which: usize) -> Result<(), Wrong> {
        self.release();
        let day = &DAYS[self.life.apps[n % 2].day];
        let month = partitions::month([day.from - 5_400_000_000, day.until + 10_800_000_000][which]);
        let ground = self.ground;
        let freeze = || {
            ground.wait(async |client| {
                in_transaction(client, "5s", async |client| freeze::freeze_computed(client, month).await)
                    .await
            })
        };
        let days = "SELECT coalesce(string_agg(app_id || ' ' || day, ','), '') FROM stat_days WHERE frozen_at IS NOT NULL";
        let frozen = ground.rows(days)[0][0].clone();
        let mut done = if (n / 2).is_multiple_of(3) {
            self.fold(0)?;
            self.freeze_while_a_batch_comes(n / 6, freeze)
        } else {
            freeze()
        };
        if done.as_ref().is_err_and(anyhow::Error::is::<Unfolded>) {
            self.saw("months that waited for their statistics", 1);
            self.fold(0)?;
            done = freeze();
        }
        done.map_err(|error| format!("computed, and yet: {error:#}"))?;
        let wrong = self.ground.rows(&format!(
            "SELECT app_id || ' ' || day || ': ' || rows || ' of ' || n FROM (SELECT s.*, (SELECT count(*) FROM access_logs l \
                 WHERE l.app_id = s.app_id AND occurred_at >= from_at AND occurred_at < until_at) AS n FROM stat_days s) s \
             WHERE frozen_at IS NOT NULL AND rows <> n AND app_id || ' ' || day <> ALL (string_to_array('{frozen}', ','))"
        ));
        if !wrong.is_empty() {
            return Err(format!("frozen with other numbers than those of its rows: {wrong:?}"));
        }
        self.ground.wait(async |client| {
            in_transaction(client, "5s", async |client| partitions::drop_month(client, month, "test").await)
                .await
                .unwrap();
            client.query_typed("SELECT alt_make_month($1)", &[(&month, Type::INT4)]).await.unwrap();
        });
        self.note_frozen(partitions::begin(month), partitions::begin(month + 1));
        Ok(())
    }

    /// Freezes days. A batch is committed after a first look found that everything is computed.
    fn freeze_while_a_batch_comes(
        &mut self,
        n: usize,
        freeze: impl FnOnce() -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let some = self.next[0].split_off(self.next[0].len().saturating_sub(1 + n % 4));
        let file = n % (FILES - 1);
        let lines: Vec<InFile> = some.into_iter().rev().map(|line| self.write(file, line)).collect();
        if lines.is_empty() {
            return freeze();
        }
        let sql = self.batch(file, &lines, End::Commit);
        let (cluster, name) = (Arc::clone(&self.ground.database.cluster), self.ground.database.name.clone());
        let (tell, told) = mpsc::sync_channel(1);
        fault::act(Box::new(move |step| {
            if step == Step::FoldFreezes {
                let there = cluster.psql(&name, &sql);
                tell.send(there.lines().find_map(|line| line.parse().ok()).unwrap()).unwrap();
            }
        }));
        let done = freeze();
        fault::act(Box::new(|_| {}));
        match told.recv() {
            Ok(there) => {
                self.saw("batches while days are frozen", 1);
                self.loaded(&lines, there);
            }
            Err(_) => self.load(None, file, &lines, End::Commit),
        }
        done
    }

    /// Remembers the days that are frozen.
    fn note_frozen(&mut self, from: i64, until: i64) {
        let [one, other] = self.apps;
        let micros = |at: &str| format!("(extract(epoch FROM {at}) * 1000000)::bigint");
        let rows = self.ground.rows(&format!(
            "SELECT app_id, day, (SELECT count(*) FROM access_logs l WHERE l.app_id = s.app_id AND occurred_at >= from_at \
                 AND occurred_at < until_at), {} < {from} OR {} > {until} FROM stat_days s \
             WHERE app_id IN ({one}, {other}) AND frozen_at IS NOT NULL AND {} < {until} AND {} > {from}",
            micros("from_at"),
            micros("until_at"),
            micros("from_at"),
            micros("until_at"),
        ));
        for row in rows {
            let key = (row[0].parse().unwrap(), row[1].clone());
            self.saw("days frozen", 1);
            self.saw("half days frozen", u64::from(row[3] == "t"));
            let digest = self.digest(&key);
            let new = Frozen { digest, rest: row[2].parse().unwrap(), times: 0 };
            let frozen = self.frozen.entry(key).or_insert(new);
            frozen.times += 1;
        }
    }

    /// What the statistics of a day are.
    fn digest(&self, (app, day): &(i32, String)) -> String {
        let which = format!("WHERE app_id = {app} AND day = '{day}'");
        let sql = format!(
            "SELECT md5(coalesce((SELECT string_agg(t::text, ' ' ORDER BY t::text) FROM stat_daily t {which}), '')) \
                 || coalesce((SELECT string_agg(md5(data), ' ' ORDER BY part) FROM stat_segments {which}), '')"
        );
        self.ground.rows(&sql)[0][0].clone()
    }

    /// At the end, everything is computed, and right.
    pub(super) fn end(&mut self) -> Result<(), Wrong> {
        self.release();
        self.fold(0)?;
        for day in self.days() {
            let key = (day.app, day.day.to_string());
            if let Some(frozen) = self.frozen.get(&key) {
                self.is_as_it_was(&key, frozen)?;
                continue;
            }
            match self.compare(day)? {
                Verified::Equal(_) => self.saw("days compared at the end", 1),
                other => return Err(format!("{day:?} at the end: {other:?}")),
            }
        }
        let [one, other] = self.apps;
        let beside = self.ground.rows(&format!(
            "SELECT coalesce(sum(frozen_rows), 0) FROM stat_days WHERE app_id IN ({one}, {other})"
        ));
        self.saw("rows beside frozen days", beside[0][0].parse().unwrap());
        let unknown = self.ground.rows(&format!(
            "SELECT l.app_id, l.occurred_at FROM access_logs l WHERE app_id IN ({one}, {other}) AND NOT EXISTS (\
             SELECT 1 FROM stat_days d WHERE d.app_id = l.app_id AND l.occurred_at >= d.from_at \
             AND l.occurred_at < d.until_at AND d.generation > 0)"
        ));
        if unknown.is_empty() { Ok(()) } else { Err(format!("rows of days without statistics: {unknown:?}")) }
    }

    /// A frozen day has the statistics that it had, and knows how many rows are beside them.
    fn is_as_it_was(&self, key: &(i32, String), frozen: &Frozen) -> Result<(), Wrong> {
        if self.digest(key) != frozen.digest {
            return Err(format!("{key:?} is frozen, and has other statistics"));
        }
        let (app, day) = key;
        let rows = self.ground.rows(&format!(
            "SELECT frozen_rows, (SELECT count(*) FROM access_logs l WHERE l.app_id = s.app_id \
                 AND occurred_at >= from_at AND occurred_at < until_at) \
             FROM stat_days s WHERE app_id = {app} AND day = '{day}'"
        ));
        let [beside, there] = [0, 1].map(|n| rows[0][n].parse::<i64>().unwrap());
        if frozen.times == 1 && beside != (there - frozen.rest).max(0) {
            let rest = frozen.rest;
            return Err(format!(
                "{key:?} has {there} rows, {rest} of them in its statistics, and says {beside}"
            ));
        }
        Ok(())
    }
}

/// The number that a batch ends with.
fn count_of(messages: &[tokio_postgres::SimpleQueryMessage]) -> usize {
    let rows = messages.iter().filter_map(|message| match message {
        tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0)?.parse().ok(),
        _ => None,
    });
    rows.last().unwrap()
}
