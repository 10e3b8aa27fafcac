//! Receivers of messages: one over TCP that answers, hangs, cuts and lies as a test says; Python's, with the published
//! library of Standard Webhooks and with aiosmtpd; an Alertmanager.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;

use super::daemon::wait_for;
use super::prometheus::free_port;

/// What a receiver does with a connection, once it read a request, or at once.
pub(crate) enum Act {
    /// Writes this and closes.
    Answer(String),
    /// Writes this at once, and then what the lines of the other side are answered with.
    Talk(String, String),
    /// Says nothing until the other side gives up.
    Hang,
    /// Writes this, and then its last byte again and again, one at a time, until the other side gives up.
    Drip(String),
    /// Writes this, and then as much as the other side takes.
    Pour(String),
}

/// A receiver on an address of this machine.
pub(crate) struct Receiver {
    pub(crate) address: SocketAddr,
    connections: Arc<AtomicUsize>,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Receiver {
    pub(crate) fn start(act: Act) -> Receiver {
        Receiver::on("127.0.0.1:0".parse().unwrap(), act)
    }

    pub(crate) fn on(address: SocketAddr, act: Act) -> Receiver {
        let listener = TcpListener::bind(address).unwrap();
        let address = listener.local_addr().unwrap();
        let connections = Arc::new(AtomicUsize::new(0));
        let requests = Arc::new(Mutex::new(Vec::new()));
        let receiver = Receiver { address, connections: connections.clone(), requests: requests.clone() };
        let act = Arc::new(act);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                connections.fetch_add(1, Ordering::SeqCst);
                let (act, requests) = (act.clone(), requests.clone());
                std::thread::spawn(move || serve(&stream.unwrap(), &act, &requests));
            }
        });
        receiver
    }

    /// How many connections it was asked for.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// What it was sent, with heads.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}

fn serve(mut stream: &TcpStream, act: &Act, requests: &Mutex<Vec<String>>) {
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    if let Act::Talk(greeting, answers) = act {
        let _ = stream.write_all(greeting.as_bytes());
        for answer in answers.split_inclusive("\r\n") {
            let mut line = String::new();
            let _ = BufReader::with_capacity(1, stream).read_line(&mut line);
            let _ = stream.write_all(answer.replace('|', "\r\n").as_bytes());
        }
        return;
    }
    requests.lock().unwrap().push(request(stream));
    let mut wait = || drop(stream.read(&mut [0; 1]));
    match act {
        Act::Answer(text) => drop(stream.write_all(text.as_bytes())),
        Act::Hang => wait(),
        Act::Drip(text) => {
            let mut next = text.as_bytes();
            while stream.write_all(next).is_ok() {
                next = &text.as_bytes()[text.len() - 1..];
                std::thread::sleep(Duration::from_millis(20));
            }
        }
        Act::Pour(text) => {
            let _ = stream.write_all(text.as_bytes());
            while stream.write_all(&[b'x'; 16 << 10]).is_ok() {}
        }
        Act::Talk(..) => {}
    }
}

/// A request with its body.
fn request(stream: &TcpStream) -> String {
    let mut reader = BufReader::new(stream);
    let mut text = String::new();
    while !text.ends_with("\r\n\r\n") {
        if reader.read_line(&mut text).unwrap_or(0) == 0 {
            return text;
        }
    }
    let length =
        text.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    let _ = reader.read_exact(&mut body);
    text + &String::from_utf8(body).unwrap()
}

/// A certificate for `hooks.test`, `mail.test` and 127.0.0.1, which is its own authority.
pub(crate) struct Certificate {
    directory: tempfile::TempDir,
}

impl Certificate {
    pub(crate) fn new() -> Certificate {
        let directory = tempfile::tempdir().unwrap();
        // A name of its own, so that another one of these is not its authority.
        let name = directory.path().file_name().unwrap().to_str().unwrap();
        let config = format!(
            "[req]\ndistinguished_name = dn\nx509_extensions = ext\nprompt = no\n[dn]\nCN = {name}\n[ext]\n\
                      basicConstraints = critical,CA:FALSE\nsubjectAltName = DNS:hooks.test,DNS:mail.test,IP:127.0.0.1\n"
        );
        std::fs::write(directory.path().join("config"), config).unwrap();
        let made = Command::new("openssl")
            .current_dir(directory.path())
            .args([
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:prime256v1",
                "-nodes",
                "-days",
                "2",
            ])
            .args(["-config", "config", "-keyout", "key.pem", "-out", "certificate.pem"])
            .output()
            .expect("run openssl");
        assert!(made.status.success(), "openssl: {}", String::from_utf8_lossy(&made.stderr));
        Certificate { directory }
    }

    pub(crate) fn certificate(&self) -> PathBuf {
        self.directory.path().join("certificate.pem")
    }

    pub(crate) fn roots(&self) -> rustls::RootCertStore {
        use rustls::pki_types::{CertificateDer, pem::PemObject};
        let mut roots = rustls::RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(self.certificate()).unwrap()).unwrap();
        roots
    }
}

/// One of Python's receivers; dropped, it is killed.
pub(crate) struct Python {
    child: Child,
    said: BufReader<ChildStdout>,
    pub(crate) address: SocketAddr,
}

impl Python {
    /// `None`: what it needs is not installed.
    pub(crate) fn start(kind: &str, argument: &str, certificate: &Certificate) -> Option<Python> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let python = root.join("target/tools/receivers/bin/python3");
        if !python.is_file() {
            super::not_looked_at("webhooks and mail by the receivers of Python: scripts/test installs them");
            return None;
        }
        let mut child = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "--"])
            .arg(python)
            .arg(root.join("tests/it/data/receivers.py"))
            .args([kind, argument])
            .arg(certificate.certificate())
            .arg(certificate.directory.path().join("key.pem"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = BufReader::new(child.stdout.take().unwrap());
        let mut port = String::new();
        said.read_line(&mut port).unwrap();
        let address = format!("127.0.0.1:{}", port.trim()).parse().unwrap();
        Some(Python { child, said, address })
    }

    /// What it was given next.
    pub(crate) fn next(&mut self) -> Value {
        let mut line = String::new();
        self.said.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap()
    }
}

impl Drop for Python {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A running Alertmanager; dropped, it is killed and its directory removed.
pub(crate) struct Alertmanager {
    child: Child,
    pub(crate) address: SocketAddr,
    directory: tempfile::TempDir,
}

impl Alertmanager {
    pub(crate) fn start() -> Alertmanager {
        let directory = tempfile::tempdir().unwrap();
        let config = directory.path().join("alertmanager.yml");
        std::fs::write(&config, "route: {receiver: none}\nreceivers: [{name: none}]\n").unwrap();
        let address: SocketAddr = format!("127.0.0.1:{}", free_port()).parse().unwrap();
        let log = std::fs::File::create(directory.path().join("log")).unwrap();
        let child = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "--", "prometheus-alertmanager"])
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.path={}/data", directory.path().display()))
            .arg(format!("--web.listen-address={address}"))
            .arg("--cluster.listen-address=")
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .expect("prometheus-alertmanager is installed (scripts/test installs it)");
        let alertmanager = Alertmanager { child, address, directory };
        let log = || std::fs::read_to_string(alertmanager.directory.path().join("log")).unwrap();
        wait_for(30, || alertmanager.get("/-/ready").is_some(), log);
        alertmanager
    }

    /// The alerts that are not over.
    pub(crate) fn alerts(&self) -> Vec<Value> {
        serde_json::from_str(&self.get("/api/v2/alerts").unwrap()).unwrap()
    }

    fn get(&self, path: &str) -> Option<String> {
        let mut stream = TcpStream::connect(self.address).ok()?;
        // by HTTP/1.0, so that the body is not in chunks
        write!(stream, "GET {path} HTTP/1.0\r\nHost: {}\r\n\r\n", self.address).ok()?;
        let mut text = String::new();
        stream.read_to_string(&mut text).ok()?;
        text.starts_with("HTTP/1.0 200").then(|| text.split("\r\n\r\n").nth(1).unwrap().to_owned())
    }
}

impl Drop for Alertmanager {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
