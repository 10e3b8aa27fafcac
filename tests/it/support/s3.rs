//! An S3 server of its own for a test: a process of `tests/s3-server`, and the lines by which it is told what to do.

use std::fmt;
use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Mutex, OnceLock};

/// Who may use it.
pub(crate) const ACCESS: (&str, &str) = ("AKIAEXAMPLE", "secret/example");

/// The bucket that is there.
pub(crate) const BUCKET: &str = "logs";

/// What goes wrong with one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// An answer of this status and code, and nothing done.
    Answer(u16, &'static str),
    /// The connection is closed, and nothing done.
    Reset,
    /// It is done, and the connection closed before the answer.
    NoAnswer,
    /// It is done, and half of the answer's body comes.
    HalfAnswer,
    /// It takes so many milliseconds longer.
    Slow(u64),
}

impl fmt::Display for Fault {
    /// As the server reads it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Answer(status, code) => write!(f, "answer:{status}:{code}"),
            Fault::Reset => f.write_str("reset"),
            Fault::NoAnswer => f.write_str("no-answer"),
            Fault::HalfAnswer => f.write_str("half-answer"),
            Fault::Slow(time) => write!(f, "slow:{time}"),
        }
    }
}

fn word(fault: Option<Fault>) -> String {
    fault.map_or_else(|| "none".to_owned(), |fault| fault.to_string())
}

/// The server's program. It is built here where nobody did, and built anew where its source is newer; cargo sees to it
/// that the processes of several tests wait for each other.
fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let target = root.join("target/s3-server");
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        // What cargo says of this crate to its tests would count as a change of the other one's dependencies.
        for (name, _) in std::env::vars_os() {
            let name = name.to_string_lossy().into_owned();
            if name.starts_with("CARGO_") && name != "CARGO_HOME" && !name.starts_with("CARGO_NET") {
                cargo.env_remove(name);
            }
        }
        let built = cargo
            .args(["build", "--locked", "--quiet", "--manifest-path"])
            .arg(root.join("tests/s3-server/Cargo.toml"))
            .arg("--target-dir")
            .arg(&target)
            .output()
            .unwrap();
        assert!(
            built.status.success(),
            "the S3 server could not be built:\n{}",
            String::from_utf8_lossy(&built.stderr)
        );
        target.join("debug/s3-server")
    })
}

/// A server of its own; it ends with this, or with the test's process.
pub(crate) struct Server {
    directory: tempfile::TempDir,
    address: SocketAddr,
    process: Child,
    pipes: Mutex<(ChildStdin, BufReader<ChildStdout>)>,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn line(from: &mut impl BufRead) -> String {
    let mut line = String::new();
    from.read_line(&mut line).unwrap();
    assert!(line.ends_with('\n'), "the S3 server has ended");
    line.trim_end_matches('\n').to_owned()
}

impl Server {
    pub(crate) fn start() -> Server {
        Server::with(&[])
    }

    /// One that says nothing of checksums, as older stores.
    pub(crate) fn without_checksums() -> Server {
        Server::with(&["no-checksums"])
    }

    /// One that refuses requests with checksums, as some stores.
    pub(crate) fn refusing_checksums() -> Server {
        Server::with(&["refuses-checksums"])
    }

    fn with(more: &[&str]) -> Server {
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir(directory.path().join(BUCKET)).unwrap();
        let mut process = Command::new(program())
            .arg(directory.path())
            .args([ACCESS.0, ACCESS.1])
            .args(more)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (to, from) = (process.stdin.take().unwrap(), process.stdout.take().unwrap());
        let mut from = BufReader::new(from);
        let address = line(&mut from).parse().unwrap();
        Server { directory, address, process, pipes: Mutex::new((to, from)) }
    }

    /// Tells the server something, and takes the line that it answers, and so many more as that says.
    fn ask(&self, command: &str) -> (String, Vec<String>) {
        let (to, from) = &mut *self.pipes.lock().unwrap();
        to.write_all(format!("{command}\n").as_bytes()).unwrap();
        let first = line(from);
        let more = if command == "requests" { first.parse().unwrap() } else { 0 };
        (first, (0..more).map(|_| line(from)).collect())
    }

    fn tell(&self, command: &str) {
        assert_eq!(self.ask(command).0, "ok", "{command}");
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The `[archive]` of a configuration, with the prefix `below`.
    pub(crate) fn configuration(&self, below: &str) -> String {
        self.configuration_through(self.address, below)
    }

    /// The same, reached by another address.
    pub(crate) fn configuration_through(&self, address: SocketAddr, below: &str) -> String {
        format!(
            "[archive]\nurl = \"s3://{BUCKET}/{below}\"\nendpoint = \"http://{}\"\nregion = \"eu-central-1\"\n\
             path_style = true\n",
            address
        )
    }

    /// The next requests go wrong like that; `None`: well.
    pub(crate) fn next(&self, faults: &[Option<Fault>]) {
        let words: Vec<String> = faults.iter().map(|fault| word(*fault)).collect();
        self.tell(&format!("next {}", words.join(" ")));
    }

    /// All requests go wrong like that, or none.
    pub(crate) fn always(&self, fault: Option<Fault>) {
        self.tell(&format!("always {}", word(fault)));
    }

    /// So many of a hundred requests go wrong.
    pub(crate) fn percent(&self, percent: u64, seed: u64) {
        self.tell(&format!("percent {percent} {seed}"));
    }

    /// Requests since the last call: method, path, and what of the options they have.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.ask("requests").1
    }

    /// Begins an upload, as somebody who then is gone.
    pub(crate) fn begin(&self, key: &str) {
        self.tell(&format!("begin {key}"));
    }

    /// Uploads that have begun and not ended.
    pub(crate) fn unfinished(&self) -> usize {
        self.ask("unfinished").0.parse().unwrap()
    }

    /// The objects: their keys, and the files that hold them.
    pub(crate) fn objects(&self) -> Vec<(String, PathBuf)> {
        fn walk(folder: &std::path::Path, to: &mut Vec<PathBuf>) {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() { walk(&path, to) } else { to.push(path) }
            }
        }
        let root = self.directory.path().join(BUCKET);
        let mut files = Vec::new();
        walk(&root, &mut files);
        files.sort();
        files
            .into_iter()
            .map(|path| (path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned(), path))
            .filter(|(key, _)| !key.rsplit('/').next().unwrap().starts_with('.'))
            .collect()
    }
}
