//! `alt setup`: prepares a machine with nginx and PostgreSQL, as root, once.
//!
//! A list of steps. Each step says what it would do, checks whether that is already done, and does it if not. So setup
//! can be run again at any time, and `--dry-run` shows the same list without doing anything.

mod certificate;
mod cluster;
mod nginx;
mod site;
pub(super) mod web;

use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;

use alt_config::{Config, DEFAULT_FILE, DEFAULT_LOG, DEFAULT_URL};
use alt_store::connect::{self, Socket};
use alt_store::roles::{Made, OWNER, made_by_superuser};
use anyhow::{Context, bail};
use nix::unistd::{Group, User, geteuid};

use self::nginx::Plan;
use super::child::{command, myself, output};
use super::{Out, Outcome};
use crate::account::NAME;
use crate::acl::{self, Others};
use crate::cli;
use crate::place::Folder;

/// Exists if a package is installed. The package manager then updates the files below /etc, and asks about changed
/// ones. Without a package, setup updates them.
const PACKAGED: &str = "/usr/share/alt";
const LOGROTATE: &str = "/etc/logrotate.d/alt";
const LOGROTATE_TEXT: &str = include_str!("../../../nginx/logrotate");
const LOCAL_ONLY_TEXT: &str = include_str!("../../../systemd/local.conf");
const CONFIG_TEXT: &str = include_str!("../../../systemd/alt.toml");

/// Goes through all steps.
///
/// # Errors
/// A step failed. The steps before it stay done, and setup can be run again.
pub fn run(path: Option<&Path>, args: &cli::Setup, out: Out<'_>) -> anyhow::Result<Outcome> {
    if !geteuid().is_root() && !args.dry_run {
        bail!("setup changes the system and has to be run by root: sudo alt setup (or look with --dry-run)");
    }
    if let Some(host) = args.host.as_deref().filter(|host| url::Host::parse(host).is_err()) {
        bail!("--host {host}: write the host name that beacons are sent to, such as events.example.com");
    }
    // check first what a later step would refuse
    if let Some(app) = &args.app {
        super::app::checked_name(app).context("--app")?;
    }
    if let Some(zone) = &args.time_zone {
        super::app::checked_time_zone(zone).context("--time-zone")?;
    }
    for domain in &args.domains {
        super::app::checked_domain(domain).context("--domain")?;
    }
    let packaged = fs::metadata(PACKAGED).is_ok();
    let mut steps = Steps { dry_run: args.dry_run, renew: !packaged, done: 0, missing: Vec::new(), out };
    if args.only_roles {
        steps.only_roles(&Config::load(path)?)?;
        return Ok(Outcome::Done);
    }
    if args.web {
        steps.web(path, args)?;
        let next = "sudo alt user add YOU --owner (or, if there is somebody: sudo alt user link NAME) prints a link that signs in";
        return steps.end_with(next);
    }
    let plan = if args.no_nginx { Plan::NoNginx } else { nginx::plan(args)? };
    steps.account()?;
    steps.file(path.unwrap_or(Path::new(DEFAULT_FILE)), CONFIG_TEXT, false)?;
    let log_directory = Path::new(DEFAULT_LOG).parent().unwrap_or(Path::new("/"));
    steps.directory(log_directory, 0o2751)?;
    steps.closed(log_directory)?;
    steps.directory(&log_directory.join("rotated"), 0o2770)?;
    steps.log(Path::new(DEFAULT_LOG))?;
    let load = || match Config::load(path) {
        // the file does not exist before the first real run
        Err(_) if args.dry_run => Ok(Config::default()),
        loaded => loaded,
    };
    let mut config = load()?;
    if steps.port(path.unwrap_or(Path::new(DEFAULT_FILE)), &config)? {
        config = load()?;
    }
    if connect::is_by_peer(&config.postgres)? {
        steps.postgres(&config)?;
    } else {
        writeln!(steps.out, "leave    role and database: postgres.url does not name the local database alt")?;
    }
    let host = args.host.as_deref().or_else(|| plan.host());
    steps.schema(path)?;
    let app = steps.application(path, args, host)?;
    steps.network(&config)?;
    if args.no_nginx {
        writeln!(steps.out, "leave    nginx: --no-nginx")?;
    } else if steps.nginx(args, &plan)? {
        steps.lines(path, app.as_deref(), host)?;
    }
    if Path::new("/etc/logrotate.d").is_dir() {
        steps.file(Path::new(LOGROTATE), LOGROTATE_TEXT, steps.renew)?;
    }
    steps.end(path)
}

struct Steps<'a> {
    dry_run: bool,
    renew: bool,
    done: u32,
    /// What is not as it has to be, and what to do.
    missing: Vec<String>,
    out: Out<'a>,
}

impl Steps<'_> {
    /// Prints a step. Returns whether to do it.
    fn go(&mut self, what: &str) -> anyhow::Result<bool> {
        self.done += 1;
        writeln!(self.out, "{} {what}", if self.dry_run { "would   " } else { "do      " })?;
        self.out.flush()?;
        Ok(!self.dry_run)
    }

    fn there(&mut self, what: &str) -> anyhow::Result<()> {
        writeln!(self.out, "there    {what}")?;
        Ok(())
    }

    /// Notes what has to be done by a person; setup ends with it.
    fn missing(&mut self, what: &str) {
        self.missing.push(what.to_owned());
    }

    fn account(&mut self) -> anyhow::Result<()> {
        if User::from_name(NAME)?.is_some() {
            return self.there("the account alt");
        }
        if self.go("add the system account alt")? {
            let arguments = [
                "--system",
                "--user-group",
                "--home-dir",
                "/var/lib/alt",
                "--shell",
                "/usr/sbin/nologin",
                NAME,
            ];
            command("useradd", &arguments)?;
        }
        Ok(())
    }

    /// Writes a file. An existing file is kept, or replaced if setup may `renew` it.
    fn file(&mut self, path: &Path, text: &str, renew: bool) -> anyhow::Result<bool> {
        let is_there = match fs::symlink_metadata(path) {
            Ok(_) if !renew => true,
            Ok(_) => folder_of(path).is_ok_and(|(folder, name)| folder.holds(name, text)),
            Err(_) => false,
        };
        if is_there {
            self.there(&path.display().to_string())?;
            return Ok(false);
        }
        let what = format!("write {}", path.display());
        if self.go(&what)? {
            let (folder, name) = folder_of(path).with_context(|| what.clone())?;
            folder.write(name, text, 0o644).context(what)?;
        }
        Ok(true)
    }

    /// A directory of root with the group alt: the daemon may list and read it, and write only where `mode` allows it.
    fn directory(&mut self, path: &Path, mode: u32) -> anyhow::Result<()> {
        let group = Group::from_name(NAME)?.map(|group| group.gid.as_raw());
        let metadata = fs::symlink_metadata(path);
        let well = metadata.as_ref().is_ok_and(|meta| {
            meta.is_dir() && meta.uid() == 0 && Some(meta.gid()) == group && meta.mode() & 0o7777 == mode
        });
        let what = format!("{} (root:alt {mode:o})", path.display());
        if well {
            return self.there(&what);
        }
        if metadata.is_ok_and(|meta| !meta.is_dir()) {
            bail!("{} is no directory (a link is none); move it away", path.display());
        }
        if self.go(&format!("make {what}"))? {
            folder_of(path)
                .and_then(|(folder, name)| Ok(folder.directory(name, group, mode)?))
                .with_context(|| format!("make {what}"))?;
        }
        Ok(())
    }

    /// Lets nobody make a file in a directory that everybody may read, whatever its umask.
    fn closed(&mut self, path: &Path) -> anyhow::Result<()> {
        let what = format!("the default ACL of {} (nothing for others)", path.display());
        if File::open(path).and_then(acl::others).is_ok_and(|others| others == Others::None) {
            return self.there(&what);
        }
        if self.go(&format!("set {what}"))? {
            let (folder, name) = folder_of(path).with_context(|| format!("set {what}"))?;
            match folder.open_directory(name).and_then(acl::close) {
                Err(e) if e.raw_os_error() == Some(rustix::io::Errno::NOTSUP.raw_os_error()) => {
                    writeln!(
                        self.out,
                        "note     this file system has no ACLs: let logrotate alone rename the log"
                    )?;
                }
                set => set.with_context(|| format!("set {what}"))?,
            }
        }
        Ok(())
    }

    /// Closes the network to the daemon, except this machine, as long as the configuration needs nothing else.
    fn network(&mut self, config: &Config) -> anyhow::Result<()> {
        let path = Path::new(super::LOCAL_ONLY);
        if !Path::new("/run/systemd/system").is_dir() {
            return Ok(());
        }
        let is_there = fs::symlink_metadata(path).is_ok();
        let changed = match super::beyond_this_machine(config) {
            None => self.file(path, LOCAL_ONLY_TEXT, self.renew)?,
            Some(why) if is_there => {
                let go = self.go(&format!("remove {}: {why}", path.display()))?;
                if go {
                    fs::remove_file(path).with_context(|| format!("remove {}", path.display()))?;
                }
                go
            }
            Some(_) => false,
        };
        if changed && !self.dry_run {
            command("systemctl", &["daemon-reload"])?;
        }
        Ok(())
    }

    /// Creates the live log, before nginx would create it readable for everybody.
    fn log(&mut self, path: &Path) -> anyhow::Result<()> {
        let what = format!("{} (640)", path.display());
        match fs::symlink_metadata(path) {
            Ok(meta) if !meta.is_file() => bail!("{} is no plain file; move it away", path.display()),
            Ok(meta) if meta.mode() & 0o007 == 0 => return self.there(&what),
            _ => {}
        }
        if self.go(&format!("make {what}"))? {
            folder_of(path)
                .and_then(|(folder, name)| Ok(folder.touch(name, 0o640)?))
                .with_context(|| format!("make {what}"))?;
        }
        Ok(())
    }

    /// Writes the port of the local PostgreSQL into the configuration, if it is not the usual one.
    fn port(&mut self, path: &Path, config: &Config) -> anyhow::Result<bool> {
        let is_default = config.postgres.url == DEFAULT_URL && std::env::var_os("ALT_POSTGRES_URL").is_none();
        let Some(Socket { directory, .. }) = connect::socket(&config.postgres)?.filter(|_| is_default) else {
            return Ok(false);
        };
        let Some(port) = cluster::other_port(&directory)? else { return Ok(false) };
        let url = cluster::url(&directory, port);
        if !self.go(&format!("write the port of PostgreSQL, {port}, into {}", path.display()))? {
            return Ok(false);
        }
        let text = fs::read_to_string(path).with_context(|| format!("read {}", path.display()))?;
        let mode = fs::metadata(path).map_or(0o644, |meta| meta.mode() & 0o7777);
        let (folder, name) = folder_of(path)?;
        folder
            .write(name, &cluster::with_url(&text, &url)?, mode)
            .with_context(|| format!("write {}", path.display()))?;
        Ok(true)
    }

    fn postgres(&mut self, config: &Config) -> anyhow::Result<()> {
        if User::from_name("postgres")?.is_none() {
            if self.dry_run {
                self.go("create the role and the database alt, once PostgreSQL is installed")?;
                return Ok(());
            }
            bail!("PostgreSQL is not installed here: install it, or name another in postgres.url");
        }
        let socket =
            connect::by_peer(&config.postgres)?.map(|by_peer| connect::socket(&by_peer)).transpose()?;
        let socket = socket.flatten().context("postgres.url names no unix socket of this machine")?;
        for made in made_by_superuser() {
            let what = format!("the {} in PostgreSQL", made.what);
            match psql(&socket, made.database, &made.is_there) {
                Ok(found) if found.trim() == "1" => self.there(&what)?,
                Err(e) if !self.dry_run => return Err(e),
                _ => {
                    if self.go(&format!("create {what}"))? {
                        psql(&socket, made.database, &made.create)?;
                    }
                }
            }
        }
        self.owner_account()
    }

    /// The account by which PostgreSQL knows the tables' owner. Only root gets to it. Its group reads the logs, because
    /// `alt unload FILE` knows a file by its bytes.
    fn owner_account(&mut self) -> anyhow::Result<()> {
        if User::from_name(OWNER)?.is_some() {
            return self.there(&format!("the account {OWNER}"));
        }
        if self.go(&format!("add the system account {OWNER}"))? {
            let home = ["--home-dir", "/nonexistent", "--no-create-home", "--shell", "/usr/sbin/nologin"];
            command(
                "useradd",
                &[&["--system", "--no-user-group", "--gid", NAME], &home[..], &[OWNER]].concat(),
            )?;
        }
        Ok(())
    }

    /// The roles and rights in a database that is there, and nothing else.
    fn only_roles(&mut self, config: &Config) -> anyhow::Result<()> {
        let is_here = || Ok::<_, anyhow::Error>(User::from_name("postgres")?.is_some());
        let by_peer = connect::by_peer(&config.postgres)?;
        let socket = by_peer.map(|by_peer| connect::socket(&by_peer)).transpose()?.flatten();
        let Some(socket) = socket.filter(|_| is_here().unwrap_or(false)) else {
            writeln!(self.out, "leave    roles: postgres.url does not name a database of this machine")?;
            return Ok(());
        };
        let is_there =
            |made: &Made| psql(&socket, made.database, &made.is_there).is_ok_and(|found| found.trim() == "1");
        if !made_by_superuser().iter().filter(|made| made.what == "database alt").all(is_there) {
            bail!("PostgreSQL cannot be asked for its database alt, or has none: run `alt setup`");
        }
        self.postgres(config)
    }

    /// Runs our own commands, which continue as the account alt, or as that of the tables' owner.
    fn schema(&mut self, path: Option<&Path>) -> anyhow::Result<()> {
        let current = myself(path, &["migrate", "--status"], &[]);
        if current.is_ok() {
            return self.there("the schema");
        }
        if self.go("create the tables (alt migrate)")? {
            myself(path, &["migrate"], &[])?;
        }
        Ok(())
    }

    /// Registers the application. Returns the key of the one that was asked for, or is the only one: of several, it is not
    /// known whose lines are to be pasted.
    fn application(
        &mut self,
        path: Option<&Path>,
        args: &cli::Setup,
        host: Option<&str>,
    ) -> anyhow::Result<Option<String>> {
        let apps: Vec<Registered> = match myself(path, &["app", "list", "--json"], &[]) {
            Ok(json) => serde_json::from_str(&json).context("read the list of applications")?,
            // the database does not exist before the first real run
            Err(_) if args.dry_run => Vec::new(),
            Err(e) => return Err(e),
        };
        let found = match (&args.app, apps.as_slice()) {
            (Some(name), apps) => apps.iter().find(|app| app.name == name.trim()),
            (None, apps) => apps.first(),
        };
        if let Some(app) = found {
            app.compare(args, apps.len())?;
            if args.app.is_none() && apps.len() > 1 {
                let host = host.unwrap_or("HOST");
                let show = format!("alt app show NAME --host {host} prints the lines to paste for one");
                self.there(&format!("{} applications; {show}", apps.len()))?;
                return Ok(None);
            }
            self.there(&format!("the application {}", super::show::safe(&app.name)))?;
            return Ok(Some(app.key.clone()));
        }
        let name = args.app.as_deref().unwrap_or("default");
        if self.go(&format!("register the application {} (alt app add)", super::show::safe(name)))? {
            let mut more = vec![name, "--time-zone", args.time_zone.as_deref().unwrap_or("UTC")];
            for domain in &args.domains {
                more.extend(["--domain", domain]);
            }
            if let Some(host) = host {
                more.extend(["--host", host]);
            }
            let told = myself(path, &["app", "add"], &more)?;
            writeln!(self.out, "\n{told}")?;
        }
        Ok(None)
    }

    /// Shows the lines to paste once more, for another host name.
    fn lines(&mut self, path: Option<&Path>, app: Option<&str>, host: Option<&str>) -> anyhow::Result<()> {
        if let (Some(app), Some(host), false) = (app, host, self.dry_run) {
            let told = myself(path, &["app", "show", app, "--host", host], &[])?;
            writeln!(self.out, "\n{told}")?;
        }
        Ok(())
    }

    fn end(self, path: Option<&Path>) -> anyhow::Result<Outcome> {
        let option = path.map(|path| format!(" --config {}", path.display())).unwrap_or_default();
        self.end_with(&format!("systemctl enable --now alt (or: alt{option} run), then alt{option} check"))
    }

    fn end_with(self, next: &str) -> anyhow::Result<Outcome> {
        let is_whole = self.missing.is_empty();
        let out = self.out;
        match (self.dry_run, self.done) {
            (true, 0) => writeln!(out, "\nnothing is to be done")?,
            (true, n) => writeln!(out, "\n{n} steps would be taken; nothing was changed")?,
            (false, 0) if is_whole => writeln!(out, "\neverything was there already")?,
            (false, _) if is_whole => writeln!(out, "\nready")?,
            (false, _) => writeln!(out)?,
        }
        for what in &self.missing {
            writeln!(out, "MISSING  {what}")?;
        }
        writeln!(out, "next: {next}")?;
        Ok(Outcome::of(is_whole || self.dry_run))
    }
}

/// An application that is there, as `alt app list --json` says it.
#[derive(serde::Deserialize)]
struct Registered {
    key: String,
    name: String,
    domains: Vec<String>,
    time_zone: String,
}

impl Registered {
    /// Refuses what was asked for of an application that is there with something else: setup changes none.
    fn compare(&self, args: &cli::Setup, all: usize) -> anyhow::Result<()> {
        let asked = !args.domains.is_empty() || args.time_zone.is_some();
        if asked && args.app.is_none() && all > 1 {
            bail!(
                "--domain, --time-zone: there are {all} applications; name the one that is meant: --app NAME"
            );
        }
        let name = super::show::safe(&self.name);
        let domains: Vec<String> =
            args.domains.iter().map(|domain| super::app::checked_domain(domain)).collect::<Result<_, _>>()?;
        let has_all = |a: &[String], b: &[String]| a.iter().all(|one| b.contains(one));
        let is_same = has_all(&domains, &self.domains) && has_all(&self.domains, &domains);
        if !domains.is_empty() && !is_same {
            let has = if self.domains.is_empty() { "any".to_owned() } else { self.domains.join(" ") };
            bail!(
                "--domain: the application {name} is there already, for the domains: {has}. Setup changes no application; \
                 register another one: --app NAME"
            );
        }
        if let Some(zone) = &args.time_zone
            && super::app::checked_time_zone(zone)? != self.time_zone
        {
            bail!(
                "--time-zone: the application {name} is there already, with the time zone {}, which stays; register another \
                 one: --app NAME",
                self.time_zone
            );
        }
        Ok(())
    }
}

/// The directory of a file or directory, and its name in that directory.
fn folder_of(path: &Path) -> anyhow::Result<(Folder, &OsStr)> {
    let name = path.file_name().context("this names nothing")?;
    let above = path.parent().unwrap_or(Path::new("/"));
    let folder = Folder::make(above).with_context(|| format!("open {}", above.display()))?;
    Ok((folder, name))
}

/// Runs SQL as the superuser of the local server, by peer authentication. psql gets only the variables that it needs
/// from root's environment. It gets its own session, so that no other process of its account can type into root's
/// terminal through it.
fn psql(socket: &Socket, database: &str, sql: &str) -> anyhow::Result<String> {
    let needed = |name: &str| {
        ["PATH", "LANG"].contains(&name) || ["PG", "LC_"].iter().any(|start| name.starts_with(start))
    };
    let arguments =
        ["--wait", "setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", "--no-new-privs"];
    output(
        Command::new("setsid")
            .env_clear()
            .envs(std::env::vars_os().filter(|(name, _)| name.to_str().is_some_and(needed)))
            .args(arguments)
            .args(["psql", "-XqAt", "-p", &socket.port.to_string(), "-h"])
            .arg(&socket.directory)
            .args(["-d", database, "-v", "ON_ERROR_STOP=1", "-c", sql])
            .current_dir("/"),
    )
    .context("ask the local PostgreSQL as its superuser; is it running?")
}
