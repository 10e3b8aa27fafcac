//! pgbouncer.

use std::fs;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::daemon::wait_for;
use super::not_looked_at;
use super::postgres::{Cluster, Database, as_server};

/// A pgbouncer before a cluster.
pub(crate) struct Pooler {
    directory: tempfile::TempDir,
    child: Child,
}

impl Pooler {
    /// Starts it in a pool mode: `session` or `transaction`. `None`: there is no pgbouncer here.
    pub(crate) fn start(cluster: &Cluster, mode: &str) -> Option<Pooler> {
        if Command::new("pgbouncer").arg("-V").output().is_err() {
            not_looked_at("pgbouncer: it is not installed");
            return None;
        }
        let directory = super::place::place("alt-bouncer-");
        let owner = fs::metadata(cluster.dir())
            .map(|m| (std::os::unix::fs::MetadataExt::uid(&m), std::os::unix::fs::MetadataExt::gid(&m)))
            .unwrap();
        let at = directory.path().display();
        let text = format!(
            "[databases]\n* = host={}\n[pgbouncer]\nlisten_addr =\nlisten_port = 6432\nunix_socket_dir = {at}\n\
             auth_type = trust\nauth_file = {at}/users\npool_mode = {mode}\ndefault_pool_size = 3\n",
            cluster.dir().display()
        );
        fs::write(directory.path().join("pgbouncer.ini"), text).unwrap();
        fs::write(directory.path().join("users"), "\"alt\" \"\"\n").unwrap();
        for path in ["", "pgbouncer.ini", "users"] {
            std::os::unix::fs::chown(directory.path().join(path), Some(owner.0), Some(owner.1)).unwrap();
        }
        let child = Pooler::run(directory.path());
        let listens = || UnixStream::connect(directory.path().join(".s.PGSQL.6432")).is_ok();
        wait_for(30, listens, String::new);
        Some(Pooler { directory, child })
    }

    fn run(directory: &Path) -> Child {
        let log = fs::OpenOptions::new().create(true).append(true).open(directory.join("log")).unwrap();
        let mut command = as_server("pgbouncer");
        command.arg(directory.join("pgbouncer.ini")).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        command.spawn().unwrap()
    }

    /// The URL of a database behind it.
    pub(crate) fn url(&self, database: &Database) -> String {
        format!("postgres:///{}?host={}&port=6432&user=alt", database.name, self.directory.path().display())
    }

    /// As `kill -9` does, and starts it anew.
    pub(crate) fn restart(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        let _ = fs::remove_file(self.directory.path().join(".s.PGSQL.6432"));
        self.child = Pooler::run(self.directory.path());
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
