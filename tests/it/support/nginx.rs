//! A real nginx on the shipped files, in a directory of its own and on free ports.
//!
//! The files are copied from `nginx/` and changed only by replacing text: the strings that a person
//! would change too ([`LOG_PATH`], [`SCRIPT_DIR`], the ports). Run by root, the workers are the system's
//! web user, as in real life; run by anybody else, they are that user.
//!
//! There is one worker, and requests are sent without `Connection: close`, so that the lines of the log
//! stand in the order in which answers were given: a request of ours that is logged proves that everything
//! before it is ([`Nginx::lines`]). The exception is a connection that nginx closes by itself, after a
//! refused body or a client's early leave: it waits for the client to go, and logs the request then.

use std::fmt;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, geteuid};
use tempfile::TempDir;

/// The beacon log, as the shipped files name it.
pub(crate) const LOG_PATH: &str = "/var/log/nginx/alt/beacon.log";
/// Where the beacon's scripts are, as the shipped files name it.
pub(crate) const SCRIPT_DIR: &str = "/var/www/alt/";

const DEADLINE: Duration = Duration::from_secs(20);

/// What is to be started.
pub(crate) struct Setup {
    site: &'static str,
    edits: Vec<(String, String, String)>,
    files: Vec<(String, String)>,
    in_server: String,
}

impl Setup {
    /// The site for plain HTTP, as shipped.
    pub(crate) fn http() -> Self {
        Setup::site("site-http.conf.example")
    }

    /// The site with TLS, as shipped, with a certificate of its own making.
    pub(crate) fn tls() -> Self {
        Setup::site("site-tls.conf.example")
    }

    fn has_tls(&self) -> bool {
        self.site == "site-tls.conf.example"
    }

    fn site(site: &'static str) -> Self {
        Setup { site, edits: Vec::new(), files: Vec::new(), in_server: String::new() }
    }

    /// Replaces `from`, which must be there, in a shipped file.
    pub(crate) fn edit(mut self, file: &str, from: &str, to: &str) -> Self {
        self.edits.push((file.into(), from.into(), to.into()));
        self
    }

    /// Puts a file of the test's own beside the shipped ones.
    pub(crate) fn file(mut self, name: &str, content: &str) -> Self {
        self.files.push((name.into(), content.into()));
        self
    }

    /// Directives for the site's server block.
    pub(crate) fn in_server(mut self, directives: &str) -> Self {
        self.in_server.push_str(directives);
        self
    }

    /// Starts nginx and waits until it answers.
    pub(crate) fn start(self) -> Nginx {
        let dir = tempfile::tempdir().expect("temporary directory");
        let mut problem = String::new();
        // A port that was free a moment ago may be taken now.
        for _ in 0..5 {
            let ports = Ports::free();
            self.write(dir.path(), &ports);
            let child = spawn(dir.path());
            let mut nginx = Nginx {
                port: ports.http,
                tls_port: ports.tls,
                h2c_port: ports.h2c,
                log_path: dir.path().join("log/beacon.log"),
                script_dir: dir.path().join("scripts"),
                has_tls: self.has_tls(),
                child,
                marks: AtomicU32::new(0),
                dir: None,
            };
            match nginx.wait_until_it_answers() {
                Ok(()) => {
                    nginx.dir = Some(dir);
                    return nginx;
                }
                Err(e) => problem = format!("{e}\n{}", nginx_error_log(dir.path())),
            }
        }
        panic!("nginx did not start: {problem}");
    }

    /// The directory as nginx finds it: `nginx.conf`, `alt/`, `site.conf`, `log/`, `scripts/`, `temp/`.
    fn write(&self, dir: &Path, ports: &Ports) {
        // The workers are another user, and a temporary directory is closed to others.
        open_to_all(dir);
        for sub in ["alt", "log", "scripts", "temp", "acme/.well-known/acme-challenge"] {
            std::fs::create_dir_all(dir.join(sub)).expect("subdirectory");
        }
        for entry in std::fs::read_dir(shipped("")).expect("the folder nginx/") {
            let path = entry.expect("entry").path();
            let name = path.file_name().expect("name").to_str().expect("UTF-8").to_owned();
            let mut text = std::fs::read_to_string(&path).expect("shipped file");
            for (_, from, to) in self.edits.iter().filter(|(file, ..)| *file == name) {
                assert!(text.contains(from), "{name} has no {from:?}");
                text = text.replace(from, to);
            }
            text = text
                .replace(LOG_PATH, dir.join("log/beacon.log").to_str().expect("UTF-8"))
                .replace(SCRIPT_DIR, dir.join("scripts/").to_str().expect("UTF-8"))
                .replace("root /var/www/html;", &format!("root {};", dir.join("acme").display()))
                .replace("/etc/letsencrypt/live/events.example.com/", &format!("{}/", dir.display()))
                .replace("listen 80;", &format!("listen 127.0.0.1:{};", ports.http))
                .replace("listen 443 ssl http2;", &format!("listen 127.0.0.1:{} ssl http2;", ports.tls));
            // A machine that runs tests may have no IPv6.
            text = text.replace("listen [::]:80;", "").replace("listen [::]:443 ssl http2;", "");
            std::fs::write(dir.join("alt").join(name), text).expect("copy");
        }
        for (name, content) in &self.files {
            std::fs::write(dir.join("alt").join(name), content).expect("file of the test");
        }
        let h2c = if self.has_tls() {
            make_certificate(dir);
            String::new()
        } else {
            format!("listen 127.0.0.1:{} http2;", ports.h2c) // HTTP/2 without TLS: less to start a test
        };
        let site = dir.join("alt").join(self.site);
        let mut text = std::fs::read_to_string(&site).expect("site");
        let last = text.rfind("include alt/alt-locations.conf;").expect("the site includes the locations");
        text.insert_str(last, &format!("{h2c} {}\n    ", self.in_server));
        std::fs::write(&site, text).expect("site");

        let temp: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .iter()
            .map(|what| format!("    {what}_temp_path {}/temp/{what};\n", dir.display()))
            .collect();
        let user = web_user().map_or_else(String::new, |user| format!("user {user};"));
        let conf = format!(
            "{user}\ndaemon off;\nworker_processes 1;\npid {dir}/nginx.pid;\n\
             error_log {dir}/error.log info;\nevents {{ worker_connections 1000; }}\nhttp {{\n\
             access_log {dir}/other.log;\n{temp}    include alt/alt-http.conf;\n    include alt/{site};\n}}\n",
            dir = dir.display(),
            site = self.site,
        );
        std::fs::write(dir.join("nginx.conf"), conf).expect("nginx.conf");
    }
}

/// A running nginx; dropped, it is stopped and its directory removed.
pub(crate) struct Nginx {
    /// Plain HTTP/1.1, on 127.0.0.1.
    pub(crate) port: u16,
    /// HTTPS, of [`Setup::tls`].
    pub(crate) tls_port: u16,
    /// HTTP/2 with prior knowledge, of [`Setup::http`].
    pub(crate) h2c_port: u16,
    /// The live beacon log.
    pub(crate) log_path: PathBuf,
    /// What `/s/` serves.
    pub(crate) script_dir: PathBuf,
    has_tls: bool,
    child: Child,
    marks: AtomicU32,
    dir: Option<TempDir>,
}

impl Nginx {
    /// The shipped files for plain HTTP, unchanged but for paths and ports.
    pub(crate) fn start() -> Self {
        Setup::http().start()
    }

    /// The directory that all lies in.
    pub(crate) fn dir(&self) -> &Path {
        self.dir.as_ref().expect("a started nginx has its directory").path()
    }

    /// The master process.
    pub(crate) fn pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.child.id()).expect("a process id"))
    }

    /// USR1: nginx opens its logs anew. To be called after the log was renamed; returns when the worker
    /// writes to the new one.
    pub(crate) fn reopen(&self) {
        kill(self.pid(), Signal::SIGUSR1).expect("signal nginx");
        self.wait_until_reopened();
    }

    /// Rotates the log with the real logrotate and the shipped configuration, whether or not it is time.
    pub(crate) fn logrotate(&self) {
        self.logrotate_with(&["-f"]);
        assert!(self.rotated_dir().is_dir());
        self.wait_until_reopened();
    }

    /// Runs logrotate with the shipped configuration and these arguments.
    pub(crate) fn logrotate_with(&self, args: &[&str]) {
        let id = |what: &str| {
            let output = Command::new("id").arg(what).output().expect("id");
            String::from_utf8(output.stdout).expect("a name").trim().to_owned()
        };
        let live = self.log_path.parent().expect("a directory");
        let group = web_user().map_or_else(|| id("-gn"), str::to_owned);
        let mut conf = std::fs::read_to_string(shipped("logrotate")).expect("the logrotate file");
        for (from, to) in [
            ("/var/log/nginx/alt/*.log", format!("{}/*.log", live.display())),
            ("createolddir 2770 root alt", format!("createolddir 2770 {} {group}", id("-un"))),
            ("/run/nginx.pid", self.dir().join("nginx.pid").display().to_string()),
        ] {
            assert!(conf.contains(from), "{from}");
            conf = conf.replace(from, &to);
        }
        let path = self.dir().join("logrotate.conf");
        std::fs::write(&path, conf).expect("write");
        let output = Command::new(sbin("logrotate"))
            .args(args)
            .arg("-s")
            .arg(self.dir().join("logrotate.state"))
            .arg(&path)
            .output()
            .expect("run logrotate");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success() && !said.contains("error"), "{said}");
    }

    /// Where logrotate puts the log.
    pub(crate) fn rotated_dir(&self) -> PathBuf {
        self.log_path.with_file_name("rotated")
    }

    /// Waits until the workers have a file open whose name is the live log's.
    pub(crate) fn wait_until_reopened(&self) {
        until("the log is reopened", || {
            let has_it = |pid: &Pid| {
                let open = std::fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
                open.filter_map(|fd| std::fs::read_link(fd.path()).ok()).any(|name| name == self.log_path)
            };
            self.workers().iter().all(has_it).then_some(())
        });
    }

    fn workers(&self) -> Vec<Pid> {
        let pid = self.pid();
        let children =
            std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
        children.split_whitespace().map(|pid| Pid::from_raw(pid.parse().expect("a process id"))).collect()
    }

    /// KILL to master and workers, as the kernel does it when memory is short; then starts again.
    pub(crate) fn kill_and_start_again(&mut self) {
        let workers = self.workers();
        assert!(!workers.is_empty(), "nginx has no worker");
        kill(self.pid(), Signal::SIGKILL).expect("kill the master");
        for worker in workers {
            kill(worker, Signal::SIGKILL).expect("kill a worker");
        }
        self.child.wait().expect("wait for the master");
        let dir = self.dir().to_path_buf();
        self.child = spawn(&dir);
        if let Err(e) = self.wait_until_it_answers() {
            panic!("nginx did not start again: {e}\n{}", nginx_error_log(&dir));
        }
    }

    /// `GET path`, and the status of the answer.
    pub(crate) fn get(&self, path: &str) -> u16 {
        self.request("GET", path, &[], b"").status
    }

    /// One request on a connection of its own. A body goes with a Content-Length.
    pub(crate) fn request(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let mut request = format!("{method} {path} HTTP/1.1\r\nHost: events.example.com\r\n");
        for (name, value) in headers {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        if !body.is_empty() || method == "POST" {
            request.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        request.push_str("\r\n");
        let mut bytes = request.into_bytes();
        bytes.extend_from_slice(body);
        self.raw(&bytes)
    }

    /// Sends these bytes on a connection of its own, and reads one answer.
    pub(crate) fn raw(&self, bytes: &[u8]) -> Answer {
        let mut connection = self.connect();
        // nginx may answer and close before it has read a request that it refuses.
        let _ = connection.write_all(bytes);
        read_answer(&mut connection, bytes.starts_with(b"HEAD ")).expect("an answer")
    }

    /// A connection to the HTTP port, for what [`Nginx::request`] can't do.
    pub(crate) fn connect(&self) -> TcpStream {
        let connection = TcpStream::connect(("127.0.0.1", self.port)).expect("connect to nginx");
        connection.set_read_timeout(Some(DEADLINE)).expect("set a timeout");
        connection
    }

    /// Asks `url` (see [`Nginx::h2c`], [`Nginx::https`]) by curl: for HTTP/2 and TLS.
    pub(crate) fn curl(&self, url: &str, args: &[&str], stdin: &[u8]) -> Answer {
        let mut child = Command::new("curl")
            .args(["-sS", "-k", "-i", "--max-time", "20", "-H", "Expect:"])
            .args(args)
            .arg(url)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("run curl");
        let _ = child.stdin.take().expect("curl's stdin").write_all(stdin);
        let output = child.wait_with_output().expect("wait for curl");
        Answer::parse(&output.stdout)
            .unwrap_or_else(|| Answer::none(&String::from_utf8_lossy(&output.stderr)))
    }

    /// A URL for HTTP/2 without TLS (to be asked with `--http2-prior-knowledge`).
    pub(crate) fn h2c(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.h2c_port)
    }

    /// A URL on the TLS port.
    pub(crate) fn https(&self, path: &str) -> String {
        format!("https://127.0.0.1:{}{path}", self.tls_port)
    }

    /// All lines of the live log, once every answer given so far is in it.
    pub(crate) fn lines(&self) -> Vec<Line> {
        let mark = format!("mark-of-the-test-{}", self.marks.fetch_add(1, Ordering::Relaxed));
        // Not limited whatever the test did before: a private peer that speaks for somebody else.
        let path = format!("/b?{mark}");
        let answer = if self.has_tls {
            self.curl(&self.https(&path), &["-H", "X-Forwarded-For: 192.0.2.255"], b"")
        } else {
            self.request("GET", &path, &[("X-Forwarded-For", "192.0.2.255")], b"")
        };
        assert_eq!(answer.status, 204, "{}", String::from_utf8_lossy(&answer.body));
        let all = until("the log is complete", || {
            let lines = read_lines(&self.log_path);
            lines.iter().any(|line| line.args() == mark).then_some(lines)
        });
        all.into_iter().filter(|line| !line.args().starts_with("mark-of-the-test-")).collect()
    }

    /// The one line that the log has.
    pub(crate) fn line(&self) -> Line {
        let mut lines = self.lines();
        assert_eq!(lines.len(), 1, "{lines:#?}");
        lines.remove(0)
    }

    /// nginx's own error log.
    pub(crate) fn error_log(&self) -> String {
        nginx_error_log(self.dir())
    }

    /// The access log of everything that is no beacon.
    pub(crate) fn other_log(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(self.dir().join("other.log")).expect("other.log")).into_owned()
    }

    fn wait_until_it_answers(&mut self) -> Result<(), String> {
        let deadline = Instant::now() + DEADLINE;
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait().expect("look after nginx") {
                return Err(format!("nginx ended with {status}"));
            }
            if let Ok(mut connection) = TcpStream::connect(("127.0.0.1", self.port)) {
                let request = "GET /health HTTP/1.1\r\nHost: events.example.com\r\nConnection: close\r\n\r\n";
                let _ = connection.write_all(request.as_bytes());
                // The TLS site redirects; any answer will do.
                if read_answer(&mut connection, false).is_some() {
                    return Ok(());
                }
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Err("nginx does not answer".into())
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // If it ended by itself, its process id may be somebody else's by now.
        if let Ok(None) = self.child.try_wait() {
            let _ = kill(self.pid(), Signal::SIGTERM);
            let _ = self.child.wait();
        }
    }
}

/// An HTTP answer. No answer at all has status 0 and the reason as its body.
pub(crate) struct Answer {
    /// Status.
    pub(crate) status: u16,
    /// `HTTP/1.1`, `HTTP/2`.
    pub(crate) version: String,
    headers: Vec<(String, String)>,
    /// Body.
    pub(crate) body: Vec<u8>,
}

impl Answer {
    fn parse(bytes: &[u8]) -> Option<Self> {
        let end = bytes.windows(4).position(|w| w == b"\r\n\r\n")?;
        let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
        let mut lines = head.split("\r\n");
        let mut status_line = lines.next()?.split(' ');
        let version = status_line.next()?.to_owned();
        let status = status_line.next()?.parse().ok()?;
        if status == 100 {
            return Answer::parse(&bytes[end + 4..]); // "go on", before the answer
        }
        let headers = lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect();
        Some(Answer { status, version, headers, body: bytes[end + 4..].to_vec() })
    }

    fn none(why: &str) -> Self {
        Answer { status: 0, version: String::new(), headers: Vec::new(), body: why.as_bytes().to_vec() }
    }

    /// A header's value; `""` where there is none.
    pub(crate) fn header(&self, name: &str) -> &str {
        let mut values = self.headers.iter().filter(|(n, _)| n == name).map(|(_, v)| v.as_str());
        let value = values.next().unwrap_or("");
        assert!(values.next().is_none(), "{name} stands twice");
        value
    }
}

/// Reads one answer: its head, and as much body as its Content-Length says.
pub(crate) fn read_answer(connection: &mut TcpStream, to_head: bool) -> Option<Answer> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        if let Some(answer) = Answer::parse(&bytes) {
            let length: usize = answer.header("content-length").parse().unwrap_or(0);
            if to_head || answer.body.len() >= length {
                return Some(answer);
            }
        }
        match connection.read(&mut buffer) {
            Ok(n) if n > 0 => bytes.extend_from_slice(&buffer[..n]),
            _ => return Answer::parse(&bytes),
        }
    }
}

/// A line of the log, its escapes undone.
pub(crate) struct Line {
    fields: Vec<Vec<u8>>,
    /// Length of the line as it stands in the file, without its newline.
    pub(crate) raw_len: usize,
}

impl Line {
    fn parse(line: &[u8]) -> Self {
        let fields: Vec<Vec<u8>> = line.split(|&b| b == b'\t').map(unescape).collect();
        assert_eq!(fields.len(), 19, "fields of {}", String::from_utf8_lossy(line));
        assert_eq!(fields[0], b"alt1");
        Line { fields, raw_len: line.len() }
    }

    /// A field by its place in the format, from 0.
    pub(crate) fn field(&self, i: usize) -> &[u8] {
        &self.fields[i]
    }

    /// A field as text, where it is.
    pub(crate) fn text(&self, i: usize) -> String {
        String::from_utf8_lossy(&self.fields[i]).into_owned()
    }

    /// `$remote_addr`
    pub(crate) fn address(&self) -> String {
        self.text(3)
    }

    /// `$request_method`
    pub(crate) fn method(&self) -> String {
        self.text(4)
    }

    /// `$status`
    pub(crate) fn status(&self) -> u16 {
        self.text(5).parse().expect("a status")
    }

    /// `$args`
    pub(crate) fn args(&self) -> String {
        self.text(8)
    }

    /// `$request_body`
    pub(crate) fn body(&self) -> &[u8] {
        &self.fields[18]
    }
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let short = |field: &Vec<u8>| {
            let text = String::from_utf8_lossy(field).into_owned();
            text.char_indices().nth(60).map_or(text.clone(), |(at, _)| format!("{}…", &text[..at]))
        };
        f.debug_list().entries(self.fields.iter().map(short)).finish()
    }
}

/// The whole lines of a log.
pub(crate) fn read_lines(path: &Path) -> Vec<Line> {
    let bytes = std::fs::read(path).expect("the log");
    let whole = bytes.iter().rposition(|&b| b == b'\n').map_or(0, |at| at + 1);
    bytes[..whole].split_inclusive(|&b| b == b'\n').map(|line| Line::parse(&line[..line.len() - 1])).collect()
}

/// Undoes `escape=json`; written apart from the loader's own, so that each checks the other.
fn unescape(field: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(field.len());
    let mut bytes = field.iter().copied();
    while let Some(b) = bytes.next() {
        assert!(b >= 0x20, "a control byte stands in a field: {b:#04x}");
        if b != b'\\' {
            out.push(b);
            continue;
        }
        out.push(match bytes.next().expect("an escape goes on") {
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'b' => 8,
            b'f' => 12,
            b'u' => {
                let digits: Vec<u8> = bytes.by_ref().take(4).collect();
                let digits = std::str::from_utf8(&digits).expect("digits");
                u8::from_str_radix(digits, 16).expect("\\u00XX, as nothing above 0xff is escaped")
            }
            same @ (b'"' | b'\\') => same,
            other => panic!("an escape that nginx does not make: \\{}", char::from(other)),
        });
    }
    out
}

/// A shipped file.
pub(crate) fn shipped(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("nginx").join(name)
}

/// Looks again and again until there is something; fails after a while.
pub(crate) fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + DEADLINE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

struct Ports {
    http: u16,
    tls: u16,
    h2c: u16,
}

impl Ports {
    fn free() -> Self {
        // Held together, so that they differ.
        let held: Vec<TcpListener> =
            (0..3).map(|_| TcpListener::bind("127.0.0.1:0").expect("a free port")).collect();
        let port = |i: usize| held[i].local_addr().expect("an address").port();
        Ports { http: port(0), tls: port(1), h2c: port(2) }
    }
}

fn spawn(dir: &Path) -> Child {
    let mut command = Command::new(sbin("nginx"));
    command.arg("-p").arg(dir).arg("-c").arg(dir.join("nginx.conf"));
    if knows_dash_e() {
        command.arg("-e").arg(dir.join("start.log"));
    }
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("run nginx (is it installed?)")
}

/// Where what happens before the configuration is read goes. nginx 1.18 (Ubuntu 22.04) does not know it yet.
fn knows_dash_e() -> bool {
    static KNOWS: std::sync::OnceLock<bool> = std::sync::OnceLock::new();
    *KNOWS.get_or_init(|| {
        let help = Command::new(sbin("nginx")).arg("-h").output().expect("run nginx (is it installed?)");
        String::from_utf8_lossy(&help.stderr).contains("\n  -e ")
    })
}

/// A program in the directory that only root's PATH has.
pub(crate) fn sbin(name: &str) -> PathBuf {
    let usual = Path::new("/usr/sbin").join(name);
    if std::fs::metadata(&usual).is_ok() { usual } else { name.into() }
}

/// Whom nginx's workers become: only root has the choice.
pub(crate) fn web_user() -> Option<&'static str> {
    if !geteuid().is_root() {
        return None;
    }
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let known = |name: &str| users.split('\n').any(|line| line.starts_with(&format!("{name}:")));
    Some(["www-data", "nginx"].into_iter().find(|name| known(name)).unwrap_or("root"))
}

fn nginx_error_log(dir: &Path) -> String {
    let read = |name| std::fs::read(dir.join(name)).unwrap_or_default();
    String::from_utf8_lossy(&[read("start.log"), read("error.log")].concat()).into_owned()
}

fn open_to_all(dir: &Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(dir, std::fs::Permissions::from_mode(0o755)).expect("set permissions");
}

fn make_certificate(dir: &Path) {
    let output = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"])
        .args(["-days", "2", "-subj", "/CN=events.example.com", "-keyout"])
        .arg(dir.join("privkey.pem"))
        .arg("-out")
        .arg(dir.join("fullchain.pem"))
        .output()
        .expect("run openssl");
    assert!(output.status.success(), "openssl: {}", String::from_utf8_lossy(&output.stderr));
}
