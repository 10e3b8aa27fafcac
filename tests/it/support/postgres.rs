//! A throwaway PostgreSQL: one cluster a test process, one fresh database a test.
//!
//! The cluster listens on a unix socket in its own directory under /tmp, and on TCP only where a test asks.
//! A watchdog process holds the reading end of a pipe from us: when this process ends, however it ends, it
//! stops the server and removes the directory. Nothing of a PostgreSQL of this machine is touched.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use super::daemon::wait_for;

/// A PostgreSQL of our own. The role `alt` owns the databases and is no superuser; `postgres` is one.
pub(crate) struct Cluster {
    dir: PathBuf,
    /// What its server is to be started by.
    by: Vec<String>,
    _watchdog: Child, // its stdin is the pipe
    template: OnceLock<()>,
}

/// The settings of the cluster that tests share: without fsync, so not for tests of durability.
const SHARED: &[&str] = &["fsync=off", "full_page_writes=off"];

/// The one that all tests of this process share, copied from what one process of this build has made.
fn shared() -> Arc<Cluster> {
    static CLUSTER: OnceLock<Arc<Cluster>> = OnceLock::new();
    CLUSTER
        .get_or_init(|| {
            let (dir, watchdog) = place();
            copy_prepared(&dir.join("data"));
            let cluster = Cluster { dir, by: Vec::new(), _watchdog: watchdog, template: OnceLock::from(()) };
            cluster.configure(SHARED);
            cluster.up();
            Arc::new(cluster)
        })
        .clone()
}

/// Copies to `data` the data directory of a cluster with the role `alt` and `template_alt`. The first process of this build,
/// this version of PostgreSQL, and this day makes it, in Cargo's directory for tests; the others need no initdb and no migration.
fn copy_prepared(data: &Path) {
    let within = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let test = std::env::current_exe().unwrap();
    let built = std::fs::metadata(&test).unwrap().modified().unwrap();
    let built = built.duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos();
    let days = jiff::Timestamp::now().as_second() / 86_400; // the schema has partitions of this day
    let version = program("initdb").to_str().unwrap().replace('/', "-");
    let prepared = within.join(format!("cluster-{built:x}-{days}{version}"));
    let lock = std::fs::File::create(within.join("cluster.lock")).unwrap();
    lock.lock_shared().unwrap();
    if !prepared.is_dir() {
        lock.unlock().unwrap();
        lock.lock().unwrap();
    }
    if !prepared.is_dir() {
        for old in glob::glob(within.join("cluster-*").to_str().unwrap()).unwrap() {
            std::fs::remove_dir_all(old.unwrap()).unwrap();
        }
        let cluster = Cluster::start_by(Vec::new(), &["--wal-segsize=1"], SHARED);
        cluster.template();
        cluster.down("fast");
        let unfinished = within.join("cluster-unfinished");
        copy(&cluster.dir.join("data"), &unfinished);
        std::fs::rename(unfinished, prepared.as_path()).unwrap();
    }
    copy(&prepared, data);
}

/// Copies a directory with its owners.
fn copy(from: &Path, to: &Path) {
    run(Command::new("cp").args(["-a", "--reflink=auto"]).arg(from).arg(to));
}

/// Makes of the newest schema that of version 8, which an upgrade finds.
pub(crate) const BACK_TO_8: &str = "DROP TABLE stat_saved_filters, stat_panels, web_keys, web_flows, web_identities, web_sessions, web_links, web_grants, web_tokens, web_users, web_shares, audit_log, stat_days, stat_dirty, stat_backlog, stat_daily, stat_segments, stat_user_keys, stat_goals, stat_reports, stat_annotations, alert_rule_versions, alert_rules, alert_sources, alert_feeds, alert_apps, alert_dirty, alert_lenses, alert_buckets, alert_keys, alert_changes, alert_acts, alert_episodes, alert_transitions, alert_outbox, alert_channels, alert_silences, alert_samples, alert_troubles, daemons; \
    DROP INDEX checkpoints_unsealed; ALTER TABLE applications DROP COLUMN properties, DROP COLUMN page_views; \
    ALTER TABLE log_files DROP COLUMN real_path, DROP COLUMN missing_at, DROP COLUMN forgotten_at; \
    DROP FUNCTION alt_make_month(integer), alt_drop_month(integer, text), alt_kill_salts(timestamptz, text); \
    DROP TABLE batches, followers; DELETE FROM alt_migrations WHERE version > 8";

impl Cluster {
    /// Makes and starts a cluster; `settings` are `name=value`.
    pub(crate) fn start(settings: &[&str]) -> Arc<Cluster> {
        Cluster::start_by(Vec::new(), &[], settings)
    }

    /// The same; initdb is told more, and the server is started by another command.
    pub(crate) fn start_by(by: Vec<String>, more: &[&str], settings: &[&str]) -> Arc<Cluster> {
        let (dir, watchdog) = place();
        let data = dir.join("data");
        let initdb =
            ["--no-sync", "--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C.UTF-8"];
        run(tool("initdb").args(initdb).args(more).arg("-D").arg(&data));
        let cluster = Cluster { dir, by, _watchdog: watchdog, template: OnceLock::new() };
        cluster.configure(settings);
        cluster.up();
        cluster.psql("postgres", "CREATE ROLE alt LOGIN");
        Arc::new(cluster)
    }

    /// Writes the settings of every cluster, and these.
    fn configure(&self, settings: &[&str]) {
        let mut conf = format!(
            "listen_addresses = ''\nunix_socket_directories = '{}'\nshared_buffers = '32MB'\n\
             min_wal_size = '32MB'\nmax_wal_size = '256MB'\nmax_connections = 100\ntimezone = 'UTC'\n",
            self.dir.display()
        );
        for setting in settings {
            let (name, value) = setting.split_once('=').unwrap();
            conf += &format!("{name} = '{value}'\n");
        }
        self.write("data/postgresql.auto.conf", &conf);
    }

    /// A copy of a cluster that runs, as a backup takes it: not started. `follows`: as a replica, asynchronous.
    pub(crate) fn copy_of(other: &Cluster, follows: bool) -> Arc<Cluster> {
        let (dir, watchdog) = place();
        let cluster = Cluster { dir, by: Vec::new(), _watchdog: watchdog, template: OnceLock::new() };
        let (start, stop) = match other.version() {
            ..15 => ("pg_start_backup('copy', true, false)", "pg_stop_backup(false, false)"),
            15.. => ("pg_backup_start('copy', true)", "pg_backup_stop(false)"),
        };
        // One session: the backup ends with it. Files that go meanwhile, cp complains of.
        let script = format!(
            "SELECT {start};\n\\! cp -a {from}/data {to}/data 2>/dev/null\n\\o {to}/data/backup_label\n\
             SELECT labelfile FROM {stop};\n\\o\n\\! rm {to}/data/postmaster.pid\n\
             \\! cp -a {from}/data/pg_wal/. {to}/data/pg_wal/\n",
            from = other.dir.display(),
            to = cluster.dir.display(),
        );
        cluster.write("backup.sql", &script);
        let mut psql = tool("psql");
        psql.args(["-XqAt", "-v", "ON_ERROR_STOP=1", "-U", "postgres", "-d", "postgres", "-f"]);
        run(psql.arg(cluster.dir.join("backup.sql")).arg("-h").arg(&other.dir));
        let conf = std::fs::read_to_string(cluster.dir.join("data/postgresql.auto.conf")).unwrap();
        let mut conf = format!("{conf}\nunix_socket_directories = '{}'\n", cluster.dir.display());
        if follows {
            conf += &format!("primary_conninfo = 'host={} user=postgres'\n", other.dir.display());
            cluster.write("data/standby.signal", "");
        }
        cluster.write("data/postgresql.auto.conf", &conf);
        Arc::new(cluster)
    }

    /// Its major version.
    pub(crate) fn version(&self) -> u32 {
        self.psql("postgres", "SHOW server_version_num").parse::<u32>().unwrap() / 10_000
    }

    /// Makes a replica a server of its own.
    pub(crate) fn promote(&self) {
        run(tool("pg_ctl").args(["promote", "-w", "-s", "-t", "60"]).arg("-D").arg(self.dir.join("data")));
    }

    /// The directory of everything, and of the unix socket.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Writes a file of the cluster, owned by its account and closed to others.
    pub(crate) fn write(&self, name: &str, text: &str) {
        use std::os::unix::fs::PermissionsExt;
        let path = self.dir.join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        if let Some(postgres) = server_account() {
            std::os::unix::fs::chown(&path, Some(postgres.uid.as_raw()), Some(postgres.gid.as_raw()))
                .unwrap();
        }
    }

    /// Starts the server and waits until it answers.
    pub(crate) fn up(&self) {
        let pg_ctl = tool("pg_ctl");
        let mut start = match self.by.as_slice() {
            [] => pg_ctl,
            [by, more @ ..] => {
                let mut start = Command::new(by);
                start.args(more).arg(pg_ctl.get_program()).args(pg_ctl.get_args());
                start.current_dir("/").process_group(0);
                start
            }
        };
        let (data, log) = (self.dir.join("data"), self.dir.join("log"));
        run(start.args(["start", "-w", "-s", "-t", "60"]).arg("-D").arg(data).arg("-l").arg(log));
    }

    /// Whether the server runs.
    pub(crate) fn is_up(&self) -> bool {
        let mut status = tool("pg_ctl");
        status.arg("status").arg("-D").arg(self.dir.join("data"));
        status.output().unwrap().status.success()
    }

    /// Whether it takes connections.
    pub(crate) fn answers(&self) -> bool {
        let mut psql = tool("psql");
        psql.args(["-Xq", "-U", "postgres", "-d", "postgres", "-c", "SELECT 1", "-h"]).arg(&self.dir);
        psql.output().unwrap().status.success()
    }

    /// What the server has said.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.dir.join("log")).unwrap()
    }

    /// Stops the server as `smart`, `fast` or `immediate` (as if it had crashed).
    pub(crate) fn down(&self, mode: &str) {
        run(tool("pg_ctl").args(["stop", "-w", "-s", "-m", mode]).arg("-D").arg(self.dir.join("data")));
    }

    /// Runs SQL as superuser; returns rows as lines, columns apart by `|`.
    pub(crate) fn psql(&self, database: &str, sql: &str) -> String {
        let mut psql = tool("psql");
        psql.args(["-XqAt", "-v", "ON_ERROR_STOP=1", "-U", "postgres", "-d", database, "-c", sql]);
        run(psql.arg("-h").arg(&self.dir)).trim_end().to_owned()
    }

    /// A database of its own with the schema in it, owned by `alt`.
    pub(crate) fn database(self: &Arc<Self>) -> Database {
        self.template();
        self.create("TEMPLATE template_alt")
    }

    /// Makes `template_alt`, once: a database with the schema in it.
    fn template(&self) {
        self.template.get_or_init(|| {
            self.psql("postgres", "CREATE DATABASE template_alt OWNER alt");
            let url = self.url("template_alt");
            // a thread with a runtime of its own: the caller may be inside one
            std::thread::spawn(move || migrate(&url)).join().unwrap();
        });
    }

    /// A database of its own without a schema, owned by `alt`.
    pub(crate) fn empty_database(self: &Arc<Self>) -> Database {
        self.create("")
    }

    fn create(self: &Arc<Self>, how: &str) -> Database {
        static COUNT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let name = format!("t{}", COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed));
        self.psql("postgres", &format!("CREATE DATABASE {name} OWNER alt {how}"));
        Database { url: self.url(&name), name, cluster: self.clone(), goes: false }
    }

    fn url(&self, database: &str) -> String {
        format!("postgres:///{database}?host={}&user=alt", self.dir.display())
    }
}

/// A directory of the server's account, and who takes it away when this process has ended.
fn place() -> (PathBuf, Child) {
    let dir = super::place::place("alt-pg-").keep();
    if let Some(postgres) = server_account() {
        std::os::unix::fs::chown(&dir, Some(postgres.uid.as_raw()), Some(postgres.gid.as_raw())).unwrap();
    }
    // others go through it to the socket; what is secret in it is PostgreSQL's and 0700
    std::fs::set_permissions(&dir, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let watchdog = watchdog(&dir);
    (dir, watchdog)
}

/// A fresh database of one test.
pub(crate) struct Database {
    /// For `postgres.url`; as the role `alt`.
    pub(crate) url: String,
    /// Its name.
    pub(crate) name: String,
    /// Where it is.
    pub(crate) cluster: Arc<Cluster>,
    /// Whether it goes with this handle: it is in the cluster that all tests of this process share.
    goes: bool,
}

impl Database {
    /// A migrated database in the shared cluster.
    pub(crate) fn create() -> Database {
        let mut database = shared().database();
        database.goes = true;
        database
    }

    /// A database without a schema in the shared cluster.
    pub(crate) fn empty() -> Database {
        let mut database = shared().empty_database();
        database.goes = true;
        database
    }

    /// The same database in a copy of its cluster, reached by the same URL.
    pub(crate) fn moved_to(&self, cluster: &Arc<Cluster>) -> Database {
        let (url, name, cluster) = (self.url.clone(), self.name.clone(), Arc::clone(cluster));
        Database { url, name, cluster, goes: false }
    }

    /// What `store::connect` takes.
    pub(crate) fn config(&self) -> alt_config::Postgres {
        alt_config::Postgres { url: self.url.clone(), password_file: None }
    }

    /// A connection as the role `alt`.
    pub(crate) async fn connect(&self) -> alt_store::connect::Connection {
        alt_store::connect(&self.config(), "test").await.unwrap()
    }

    /// Runs SQL as superuser; returns rows as lines, columns apart by `|`.
    pub(crate) fn psql(&self, sql: &str) -> String {
        self.cluster.psql(&self.name, sql)
    }

    /// Lets nobody load.
    pub(crate) fn hold(&self) -> Held<'_> {
        let mut psql = tool("psql");
        psql.args(["-Xq", "-U", "postgres", "-d", &self.name, "-h"]).arg(&self.cluster.dir);
        let mut psql = psql.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        let sql = b"BEGIN; LOCK TABLE access_logs IN EXCLUSIVE MODE;\n";
        std::io::Write::write_all(psql.stdin.as_mut().unwrap(), sql).unwrap();
        let held = Held { database: self, psql };
        held.wait("granted AND mode = 'ExclusiveLock'");
        held
    }
}

/// A lock on `access_logs` that lets nobody load, until it is dropped.
pub(crate) struct Held<'a> {
    database: &'a Database,
    psql: Child,
}

impl Held<'_> {
    /// Waits until somebody waits for it, within a transaction.
    pub(crate) fn wait_until_awaited(&self) {
        self.wait("NOT granted AND mode = 'RowExclusiveLock'");
    }

    fn wait(&self, which: &str) {
        let sql = format!(
            "SELECT EXISTS (SELECT 1 FROM pg_locks WHERE relation = 'access_logs'::regclass AND {which})"
        );
        wait_for(60, || self.database.psql(&sql) == "t", || format!("no lock on access_logs is {which}"));
    }
}

/// A process that runs many tests, as `cargo test` does, keeps one cluster: each database goes with its test. Where each
/// test is a process, the cluster goes.
impl Drop for Database {
    fn drop(&mut self) {
        if !self.goes || std::env::var_os("NEXTEST").is_some() || !self.cluster.is_up() {
            return;
        }
        let mut psql = tool("psql");
        psql.args(["-XqAt", "-U", "postgres", "-d", "postgres", "-h"]).arg(&self.cluster.dir);
        psql.args(["-c", &format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name)]);
        // The server may refuse.
        let _ = psql.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        // Its session ends with its input.
        drop(self.psql.stdin.take());
        let _ = self.psql.wait();
    }
}

fn migrate(url: &str) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let config = alt_config::Postgres { url: url.to_owned(), password_file: None };
        let mut client = alt_store::connect(&config, "test").await.unwrap();
        alt_store::migrate::apply(&mut client).await.unwrap();
    });
}

/// A program that is no PostgreSQL's, run as the server's account.
pub(crate) fn as_server(program: &str) -> Command {
    match server_account() {
        Some(_) => {
            let mut setpriv = Command::new("setpriv");
            setpriv.args(["--reuid=postgres", "--regid=postgres", "--init-groups", program]);
            setpriv
        }
        None => Command::new(program),
    }
}

/// The account that the server runs as, where we are root: PostgreSQL refuses to run as root.
fn server_account() -> Option<nix::unistd::User> {
    let root = nix::unistd::geteuid().is_root();
    root.then(|| nix::unistd::User::from_name("postgres").unwrap().expect("the account postgres exists"))
}

/// A program of PostgreSQL, run as the server's account.
fn tool(name: &str) -> Command {
    let mut command = as_server(program(name).to_str().unwrap());
    // a Ctrl-C at the terminal must not stop the server before the watchdog does
    command.current_dir("/").process_group(0).env_remove("PGPASSWORD").env("PGCONNECT_TIMEOUT", "10");
    command
}

/// Where that program is: in the directory that `ALT_TEST_POSTGRES` names, if it has it; else among those of the newest
/// PostgreSQL here.
fn program(name: &str) -> PathBuf {
    let chosen = std::env::var_os("ALT_TEST_POSTGRES").map(|directory| PathBuf::from(directory).join(name));
    chosen.filter(|path| path.is_file()).unwrap_or_else(|| bindir().join(name))
}

/// The programs of the newest PostgreSQL here.
fn bindir() -> PathBuf {
    let mut found: Vec<(u32, PathBuf)> = glob::glob("/usr/lib/postgresql/*/bin")
        .unwrap()
        .chain(glob::glob("/usr/pgsql-*/bin").unwrap())
        .filter_map(Result::ok)
        .filter(|dir| dir.join("initdb").is_file())
        .map(|dir| {
            let digits: String = dir.to_str().unwrap().chars().filter(char::is_ascii_digit).collect();
            (digits.parse().unwrap(), dir)
        })
        .collect();
    found.sort();
    found.pop().expect("PostgreSQL is installed (scripts/test installs it)").1
}

fn run(command: &mut Command) -> String {
    // pg_ctl's server would hold a pipe open for ever; it writes to its log file
    let output = tempfile::tempfile().unwrap();
    let started = Instant::now();
    let status = command
        .stdin(Stdio::null())
        .stdout(output.try_clone().unwrap())
        .stderr(output.try_clone().unwrap())
        .status()
        .unwrap();
    let mut text = String::new();
    let mut output = output;
    std::io::Seek::rewind(&mut output).unwrap();
    std::io::Read::read_to_string(&mut output, &mut text).unwrap();
    assert!(status.success(), "{command:?}: {status}: {text}");
    assert!(started.elapsed() < Duration::from_secs(120), "{command:?} took too long");
    text
}

fn watchdog(dir: &Path) -> Child {
    let script = r#"cat >/dev/null
        pid=$(head -n1 "$1/data/postmaster.pid" 2>/dev/null) && kill -QUIT "$pid" 2>/dev/null
        while [ -n "$pid" ] && kill -0 "$pid" 2>/dev/null; do sleep 0.05; done
        rm -rf "$1""#;
    Command::new("sh")
        .args(["-c", script, "watchdog"])
        .arg(dir)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .unwrap()
}
