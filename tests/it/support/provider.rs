//! Providers of OpenID Connect: a certified one (`tests/oidc-provider`), with a browser's part in plain HTTP; and one that says
//! what a test tells it to.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde_json::{Value, json};

/// What its clients have as their secret.
pub(crate) const SECRET: &str = "a secret: with % and +";

/// The certified one; ended when dropped.
pub(crate) struct Provider {
    child: Child,
    /// What it says besides is not read, and yet has to go somewhere.
    _said: BufReader<ChildStdout>,
    pub(crate) issuer: String,
}

impl Provider {
    /// Starts it for a server that is reached at `public_url`; `in_token`: the address is in the ID token.
    pub(crate) fn start(public_url: &str, in_token: bool) -> Provider {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oidc-provider");
        assert!(
            directory.join("node_modules").is_dir(),
            "tests/oidc-provider has no packages: run `npm ci` there (scripts/test does)"
        );
        let mut child = Command::new("node")
            .arg("server.mjs")
            .arg(format!("{public_url}/api/v1/session/oidc/callback"))
            .env("IN_TOKEN", if in_token { "1" } else { "0" })
            .current_dir(&directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut said = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        while !line.starts_with("http://") {
            line.clear();
            assert_ne!(
                said.read_line(&mut line).unwrap(),
                0,
                "the provider does not start: node server.mjs says why"
            );
        }
        Provider { child, _said: said, issuer: line.trim().to_owned() }
    }

    pub(crate) fn address(&self) -> &str {
        self.issuer.strip_prefix("http://").unwrap()
    }

    /// What it says of whoever signs in by this name.
    pub(crate) fn says(&self, name: &str, claims: &Value) {
        let said = ask(self.address(), "PUT", &format!("/people/{name}"), "", &claims.to_string());
        assert_eq!(said.0, 200);
    }

    /// Signs in by a name and consents, as a browser does that was sent to `url`; where it sends the browser then.
    pub(crate) fn sign_in(&self, url: &str, name: &str) -> String {
        let mut cookies: BTreeMap<String, String> = BTreeMap::new();
        let (mut method, mut place, mut body) = ("GET", url.to_owned(), String::new());
        for _ in 0..10 {
            let Some(path) = place
                .strip_prefix(&self.issuer)
                .or(Some(&place).filter(|p| p.starts_with('/')).map(String::as_str))
            else {
                return place;
            };
            let path = path.to_owned();
            let jar: Vec<String> = cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
            let headers =
                format!("Cookie: {}\r\nContent-Type: application/x-www-form-urlencoded\r\n", jar.join("; "));
            let (status, head, text) = ask(self.address(), method, &path, &headers, &body);
            for line in head.lines() {
                let Some(set) = line.strip_prefix("Set-Cookie: ").or(line.strip_prefix("set-cookie: "))
                else {
                    continue;
                };
                let (name, value) = set.split(';').next().unwrap().split_once('=').unwrap();
                cookies.insert(name.to_owned(), value.to_owned());
            }
            let location =
                head.lines().find_map(|l| l.strip_prefix("Location: ").or(l.strip_prefix("location: ")));
            (method, body) = ("GET", String::new());
            match location {
                Some(to) => place = to.to_owned(),
                None => {
                    assert_eq!(status, 200, "{path}: {text}");
                    let prompt = if text.contains("name=\"login\"") { "login" } else { "consent" };
                    (method, place) = ("POST", path);
                    body = format!("prompt={prompt}&login={name}&password=any");
                }
            }
        }
        panic!("{} sends the browser around", self.issuer)
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Asks; status, head, body.
fn ask(address: &str, method: &str, path: &str, headers: &str, body: &str) -> (u16, String, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let length = body.len();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{headers}Content-Length: {length}\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    let answer = String::from_utf8(answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), head.to_owned(), body.to_owned())
}

/// What the other one does when it is asked.
#[derive(Clone)]
pub(crate) enum Reply {
    /// Says this, with 200.
    Json(Value),
    /// Says this, byte for byte.
    Raw(String),
    /// Says nothing.
    Hang,
    /// Says more and more.
    Pour,
    /// Says one byte every 100 ms.
    Drip,
}

/// A provider that says what it is told to.
pub(crate) struct Liar {
    address: SocketAddr,
    replies: Arc<Mutex<BTreeMap<String, Reply>>>,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Liar {
    /// Starts one that is honest until it is told otherwise.
    pub(crate) fn start() -> Liar {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let replies: Arc<Mutex<BTreeMap<String, Reply>>> = Arc::default();
        let seen: Arc<Mutex<Vec<String>>> = Arc::default();
        let liar = Liar { address, replies: Arc::clone(&replies), seen: Arc::clone(&seen) };
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (replies, seen) = (Arc::clone(&replies), Arc::clone(&seen));
                std::thread::spawn(move || serve(&stream.unwrap(), &replies, &seen));
            }
        });
        liar.says("/.well-known/openid-configuration", Reply::Json(liar.document()));
        liar.says("/jwks", Reply::Json(json!({ "keys": [jwk(1)] })));
        liar
    }

    pub(crate) fn issuer(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What it says of itself when it does not lie.
    pub(crate) fn document(&self) -> Value {
        let at = |path: &str| format!("{}{path}", self.issuer());
        json!({
            "issuer": self.issuer(), "authorization_endpoint": at("/auth"), "token_endpoint": at("/token"),
            "jwks_uri": at("/jwks"), "userinfo_endpoint": at("/me"),
            "token_endpoint_auth_methods_supported": ["client_secret_post"],
        })
    }

    /// From now on it says this at this path.
    pub(crate) fn says(&self, path: &str, reply: Reply) {
        self.replies.lock().unwrap().insert(path.to_owned(), reply);
    }

    /// What it was asked at a path: whole requests.
    pub(crate) fn asked(&self, path: &str) -> Vec<String> {
        let all = self.seen.lock().unwrap();
        all.iter().filter(|request| request.split(' ').nth(1) == Some(path)).cloned().collect()
    }
}

/// The public half of its key of a number.
pub(crate) fn jwk(key: u8) -> Value {
    let pair = Ed25519KeyPair::from_seed_unchecked(&[key; 32]).unwrap();
    let x = URL_SAFE_NO_PAD.encode(pair.public_key().as_ref());
    json!({ "kty": "OKP", "crv": "Ed25519", "kid": format!("k{key}"), "use": "sig", "x": x })
}

/// A token that its key of a number has signed.
pub(crate) fn signed(key: u8, claims: &Value) -> String {
    signed_as(key, &json!({ "alg": "EdDSA", "kid": format!("k{key}") }), claims)
}

/// As [`signed`], with another header.
pub(crate) fn signed_as(key: u8, header: &Value, claims: &Value) -> String {
    let pair = Ed25519KeyPair::from_seed_unchecked(&[key; 32]).unwrap();
    let signed = unsigned(header, claims);
    let signature = pair.sign(signed.as_bytes());
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()))
}

/// Header and claims, without a signature and the dot before it.
pub(crate) fn unsigned(header: &Value, claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}", part(header), part(claims))
}

fn serve(mut stream: &TcpStream, replies: &Mutex<BTreeMap<String, Reply>>, seen: &Mutex<Vec<String>>) {
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let mut reader = BufReader::new(stream);
    let mut text = String::new();
    while !text.ends_with("\r\n\r\n") {
        if reader.read_line(&mut text).unwrap_or(0) == 0 {
            return;
        }
    }
    let length =
        text.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    let _ = reader.read_exact(&mut body);
    let path = text.split(' ').nth(1).unwrap().to_owned();
    seen.lock().unwrap().push(text + &String::from_utf8(body).unwrap());
    let reply = replies.lock().unwrap().get(&path).cloned();
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n";
    match reply
        .unwrap_or_else(|| Reply::Raw("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_owned()))
    {
        Reply::Json(value) => {
            let body = value.to_string();
            let _ = write!(stream, "{head}Content-Length: {}\r\n\r\n{body}", body.len());
        }
        Reply::Raw(text) => drop(stream.write_all(text.as_bytes())),
        Reply::Hang => drop(stream.read(&mut [0; 1])),
        Reply::Pour => {
            let _ = write!(stream, "{head}\r\n{{\"issuer\":\"");
            while stream.write_all(&[b'x'; 16 << 10]).is_ok() {}
        }
        Reply::Drip => {
            let _ = write!(stream, "{head}\r\n");
            while stream.write_all(b" ").is_ok() {
                std::thread::sleep(Duration::from_millis(100));
            }
        }
    }
}
