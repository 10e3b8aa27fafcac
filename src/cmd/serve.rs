//! `alt serve`: the API, a process of its own. Loading does not depend on it.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use alt_config::Config;
use alt_process::lock::lock;
use alt_process::metrics::Metrics;
use alt_web::Web;
use alt_web::server::{self, Listener};
use anyhow::Context;
use sd_notify::NotifyState;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use super::Outcome;
use crate::admin::{Admin, Answers, Readiness};

/// How often the database is asked whether it answers.
const LOOK: Duration = Duration::from_secs(5);

/// Threads that compute: hashes of passwords, and questions to segments. Both are few at once; the unit permits 64 tasks.
const COMPUTING: usize = 16;

/// Threads that answer: most of the time they wait for the database.
const THREADS: usize = 2;

/// What the admin port answers.
struct State {
    web: Arc<Web>,
    /// Why the database does not answer.
    trouble: Mutex<Option<String>>,
}

impl Answers for State {
    fn is_alive(&self) -> bool {
        true
    }

    fn readiness(&self) -> Readiness {
        let postgres = lock(&self.trouble).clone();
        Readiness { ready: postgres.is_none(), postgres, ..Readiness::default() }
    }

    fn metrics(&self) -> anyhow::Result<String> {
        self.web.telemetry.page(self.web.pool.open())
    }
}

/// Answers until it is told to stop.
///
/// # Errors
/// It cannot listen.
pub fn run(config: &Config) -> anyhow::Result<Outcome> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let runtime = builder.worker_threads(THREADS).max_blocking_threads(COMPUTING).enable_all().build();
    runtime.context("start the runtime")?.block_on(serve(config))
}

async fn serve(config: &Config) -> anyhow::Result<Outcome> {
    let mut terminate = signal(SignalKind::terminate()).context("wait for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("wait for SIGINT")?;
    let web = Web::new(config, &config.load.host_name(), crate::beacon::default_snippet)?;
    let listener = Listener::open(&config.web.listen).await?;
    let state =
        Arc::new(State { web: Arc::clone(&web), trouble: Mutex::new(Some("not connected yet".to_owned())) });
    let admin = match config.web.admin {
        Some(address) => Some(Admin::start(address, Arc::new(Metrics::default()))?),
        None => None,
    };
    if let Some(admin) = &admin {
        admin.answer_by(Arc::clone(&state) as Arc<dyn Answers>, &config.admin.hosts);
    }
    tracing::info!(place = listener.place(), "answering the API");
    let (stop, stopping) = watch::channel(false);
    let serving = tokio::spawn(server::serve(web, listener, config.web.clients, stopping));
    let _ = sd_notify::notify(false, &[NotifyState::Ready]);
    let mut looks = tokio::time::interval(LOOK);
    looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            _ = looks.tick() => {
                let _ = sd_notify::notify(false, &[NotifyState::Watchdog]);
                look(&state).await;
            }
        }
    }
    let _ = sd_notify::notify(false, &[NotifyState::Stopping]);
    let _ = stop.send(true);
    serving.await.context("the server ended by a defect; please report it")?;
    tracing::info!("stopped");
    Ok(Outcome::Done)
}

/// Seals the secrets that the database keeps, once it answers: what was kept without a key, or sealed with an older one.
async fn seal(web: &Web) -> anyhow::Result<()> {
    let db = web.pool.change().await?;
    let kept = web.sealing.seal_kept(&db).await?;
    db.commit().await?;
    if kept.sealed > 0 {
        tracing::info!(secrets = kept.sealed, "sealed the secrets that the database keeps");
    }
    if kept.plain > 0 {
        tracing::warn!(
            secrets = kept.plain,
            "the database keeps secrets that are not sealed: `sudo alt setup --web --host NAME` makes a key"
        );
    }
    if kept.lost > 0 {
        tracing::error!(
            secrets = kept.lost,
            "secrets of second factors or of JSON Web Tokens cannot be opened: put the key that sealed them back into key_file \
             of [web], as a further line"
        );
    }
    Ok(())
}

/// Asks the database whether it answers, and tells what changed.
async fn look(state: &State) {
    let asked = async { state.web.pool.read().await?.end().await };
    let trouble = asked.await.err().map(|error| format!("{error:#}"));
    let before = std::mem::replace(&mut *lock(&state.trouble), trouble.clone());
    if before.is_some()
        && trouble.is_none()
        && let Err(error) = seal(&state.web).await
    {
        tracing::warn!("the secrets that the database keeps are not looked at: {error:#}");
    }
    match (&before, &trouble) {
        (before, Some(error)) if before.as_ref() != Some(error) => {
            tracing::warn!(error, "the database does not answer");
        }
        (Some(_), None) => tracing::info!("connected to the database"),
        _ => {}
    }
}
