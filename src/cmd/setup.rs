//! `alt setup`: prepares a machine with nginx and PostgreSQL, as root, once.
//!
//! A list of steps. Each step says what it would do, checks whether that is already done, and does it if not. So setup
//! can be run again at any time, and `--dry-run` shows the same list without doing anything.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Command, Stdio};

use alt_config::{Config, DEFAULT_FILE, DEFAULT_LOG};
use alt_store::connect;
use alt_store::roles::{Made, OWNER, made_by_superuser};
use anyhow::{Context, bail};
use nix::unistd::{Group, User, geteuid};

use super::{Out, Outcome};
use crate::account::NAME;
use crate::acl::{self, Others};
use crate::beacon::{self, SCRIPT};
use crate::cli;
use crate::place::Folder;

/// The shipped files that nginx includes.
const SNIPPETS: [(&str, &str); 3] = [
    ("/etc/nginx/alt/alt-http.conf", include_str!("../../nginx/alt-http.conf")),
    ("/etc/nginx/alt/alt-endpoint.conf", include_str!("../../nginx/alt-endpoint.conf")),
    ("/etc/nginx/alt/alt-locations.conf", include_str!("../../nginx/alt-locations.conf")),
];
const SITE: &str = "/etc/nginx/conf.d/alt.conf";
/// Where the site is moved when the package is removed, so that nginx can still start.
const SITE_ASIDE: &str = "/etc/nginx/conf.d/alt.conf.removed";
/// Exists if a package is installed. The package manager then updates the files below /etc, and asks about changed
/// ones. Without a package, setup updates them.
const PACKAGED: &str = "/usr/share/alt";
/// The directory that nginx serves as /s/.
const SCRIPTS: &str = "/var/www/alt";
const SITE_TEXT: &str = include_str!("../../nginx/site-http.conf.example");
const LOGROTATE: &str = "/etc/logrotate.d/alt";
const LOGROTATE_TEXT: &str = include_str!("../../nginx/logrotate");
const LOCAL_ONLY_TEXT: &str = include_str!("../../systemd/local.conf");
const CONFIG_TEXT: &str = include_str!("../../systemd/alt.toml");

/// Goes through all steps.
///
/// # Errors
/// A step failed. The steps before it stay done, and setup can be run again.
pub fn run(path: Option<&Path>, args: &cli::Setup, out: Out<'_>) -> anyhow::Result<Outcome> {
    if !geteuid().is_root() && !args.dry_run {
        bail!("setup changes the system and has to be run by root: sudo alt setup (or look with --dry-run)");
    }
    let host_well = args.host == "_" || url::Host::parse(&args.host).is_ok();
    if !host_well {
        bail!(
            "--host {}: write the host name that beacons are sent to, such as events.example.com",
            args.host
        );
    }
    // check first what a later step would refuse
    super::app::checked_name(&args.app).context("--app")?;
    super::app::checked_time_zone(&args.time_zone).context("--time-zone")?;
    for domain in &args.domains {
        super::app::checked_domain(domain).context("--domain")?;
    }
    let packaged = fs::metadata(PACKAGED).is_ok();
    let mut steps = Steps { dry_run: args.dry_run, renew: !packaged, done: 0, out };
    if args.only_roles {
        steps.only_roles(&Config::load(path)?)?;
        return Ok(Outcome::Done);
    }
    steps.account()?;
    steps.file(path.unwrap_or(Path::new(DEFAULT_FILE)), CONFIG_TEXT, false)?;
    let log_directory = Path::new(DEFAULT_LOG).parent().unwrap_or(Path::new("/"));
    steps.directory(log_directory, 0o2751)?;
    steps.closed(log_directory)?;
    steps.directory(&log_directory.join("rotated"), 0o2770)?;
    steps.log(Path::new(DEFAULT_LOG))?;
    let config = match Config::load(path) {
        Ok(config) => config,
        // the file does not exist before the first real run
        Err(_) if args.dry_run => Config::default(),
        Err(e) => return Err(e),
    };
    if connect::is_by_peer(&config.postgres)? {
        steps.postgres()?;
    } else {
        writeln!(steps.out, "leave    role and database: postgres.url does not name the local database alt")?;
    }
    steps.schema(path, args)?;
    steps.network(&config)?;
    if args.no_nginx {
        writeln!(steps.out, "leave    nginx: --no-nginx")?;
    } else {
        steps.nginx(&args.host)?;
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

    fn postgres(&mut self) -> anyhow::Result<()> {
        if User::from_name("postgres")?.is_none() {
            if self.dry_run {
                self.go("create the role and the database alt, once PostgreSQL is installed")?;
                return Ok(());
            }
            bail!("PostgreSQL is not installed here: install it, or name another in postgres.url");
        }
        for made in made_by_superuser() {
            let what = format!("the {} in PostgreSQL", made.what);
            match psql(made.database, &made.is_there) {
                Ok(found) if found.trim() == "1" => self.there(&what)?,
                Err(e) if !self.dry_run => return Err(e),
                _ => {
                    if self.go(&format!("create {what}"))? {
                        psql(made.database, &made.create)?;
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
        let is_there =
            |made: &Made| psql(made.database, &made.is_there).is_ok_and(|found| found.trim() == "1");
        if connect::by_peer(&config.postgres)?.is_none() || !is_here()? {
            writeln!(self.out, "leave    roles: postgres.url does not name a database of this machine")?;
        } else if !made_by_superuser().iter().filter(|made| made.what == "database alt").all(is_there) {
            bail!("PostgreSQL cannot be asked for its database alt, or has none: run `alt setup`");
        } else {
            self.postgres()?;
        }
        Ok(())
    }

    /// Runs our own commands, which continue as the account alt, or as that of the tables' owner.
    fn schema(&mut self, path: Option<&Path>, args: &cli::Setup) -> anyhow::Result<()> {
        let current = myself(path, &["migrate", "--status"], &[]);
        if current.is_ok() {
            self.there("the schema")?;
        } else if self.go("create the tables (alt migrate)")? {
            myself(path, &["migrate"], &[])?;
        }
        let apps = myself(path, &["app", "list", "--json"], &[]);
        if apps.is_ok_and(|apps| apps.trim() != "[]") {
            return self.there("an application");
        }
        if self.go(&format!("register the application {} (alt app add)", super::show::safe(&args.app)))? {
            let mut more = vec![args.app.as_str(), "--time-zone", &args.time_zone];
            for domain in &args.domains {
                more.extend(["--domain", domain]);
            }
            if args.host != "_" {
                more.extend(["--host", &args.host]);
            }
            let told = myself(path, &["app", "add"], &more)?;
            writeln!(self.out, "\n{told}")?;
        }
        Ok(())
    }

    fn nginx(&mut self, host: &str) -> anyhow::Result<()> {
        if !Path::new("/etc/nginx/conf.d").is_dir() {
            if self.dry_run {
                self.go("write nginx's files, once nginx is installed")?;
                return Ok(());
            }
            bail!("nginx is not installed here (no /etc/nginx/conf.d): install it, or run with --no-nginx");
        }
        let mut changed = false;
        for (path, text) in SNIPPETS {
            changed |= self.file(Path::new(path), text, self.renew)?;
        }
        let site = SITE_TEXT.replace("events.example.com", host);
        let site =
            format!("# Written by `alt setup`; yours to change.\ninclude alt/alt-http.conf;\n\n{site}");
        let had_site = fs::symlink_metadata(SITE).is_ok();
        let is_aside = !had_site && fs::symlink_metadata(SITE_ASIDE).is_ok();
        if is_aside {
            changed = true;
            if self.go(&format!("put {SITE_ASIDE} back"))? {
                fs::rename(SITE_ASIDE, SITE).with_context(|| format!("put {SITE_ASIDE} back"))?;
            }
        } else {
            changed |= self.file(Path::new(SITE), &site, false)?;
        }
        let script = beacon::script(&beacon::Options::default())?;
        for name in [SCRIPT.to_owned(), beacon::hashed(SCRIPT, &script)] {
            self.file(&Path::new(SCRIPTS).join(name), &script.text, true)?;
        }
        if !changed || !self.go("test nginx's configuration and reload nginx")? {
            return Ok(());
        }
        if let Err(e) = command("nginx", &["-t", "-q"]) {
            if !had_site {
                // restore the previous state: a broken site must not keep nginx from starting later
                let _ = if is_aside { fs::rename(SITE, SITE_ASIDE) } else { fs::remove_file(SITE) };
            }
            return Err(
                e.context("nginx does not accept its new configuration; the site was taken out again")
            );
        }
        let running = fs::read_to_string("/run/nginx.pid").is_ok_and(|pid| !pid.trim().is_empty());
        if running {
            command("nginx", &["-s", "reload"])?;
        } else {
            writeln!(self.out, "note     nginx is not running; start it: systemctl start nginx")?;
        }
        Ok(())
    }

    fn end(self, path: Option<&Path>) -> anyhow::Result<Outcome> {
        let out = self.out;
        match (self.dry_run, self.done) {
            (true, 0) => writeln!(out, "\nnothing is to be done")?,
            (true, n) => writeln!(out, "\n{n} steps would be taken; nothing was changed")?,
            (false, 0) => writeln!(out, "\neverything was there already")?,
            (false, _) => writeln!(out, "\nready")?,
        }
        let option = path.map(|path| format!(" --config {}", path.display())).unwrap_or_default();
        writeln!(out, "next: systemctl enable --now alt (or: alt{option} run), then alt{option} check")?;
        Ok(Outcome::Done)
    }
}

/// The directory of a file or directory, and its name in that directory.
fn folder_of(path: &Path) -> anyhow::Result<(Folder, &OsStr)> {
    let name = path.file_name().context("this names nothing")?;
    let above = path.parent().unwrap_or(Path::new("/"));
    let folder = Folder::make(above).with_context(|| format!("open {}", above.display()))?;
    Ok((folder, name))
}

/// Runs `alt` itself as a command.
fn myself(path: Option<&Path>, arguments: &[&str], more: &[&str]) -> anyhow::Result<String> {
    let exe = std::env::current_exe().context("find this program")?;
    let mut command = Command::new(exe);
    if let Some(path) = path {
        command.arg("--config").arg(path);
    }
    command.args(arguments).args(more);
    output(&mut command)
}

/// Runs SQL as the superuser of the local server, by peer authentication. psql gets only the variables that it needs
/// from root's environment. It gets its own session, so that no other process of its account can type into root's
/// terminal through it.
fn psql(database: &str, sql: &str) -> anyhow::Result<String> {
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
            .args(["psql", "-XqAt", "-d", database, "-v", "ON_ERROR_STOP=1", "-c", sql])
            .current_dir("/"),
    )
    .context("ask the local PostgreSQL as its superuser; is it running?")
}

fn command(program: &str, arguments: &[&str]) -> anyhow::Result<String> {
    output(Command::new(program).args(arguments))
}

fn output(command: &mut Command) -> anyhow::Result<String> {
    let what = command.get_program().to_string_lossy().into_owned();
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("run {what}"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let said: Vec<&str> = said.split('\n').map(str::trim).filter(|line| !line.is_empty()).collect();
        bail!("{what} failed: {}", said.join(" "));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
