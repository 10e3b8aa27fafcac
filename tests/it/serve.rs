//! The API: who may ask for what, that a change and its record are one, and that no client keeps others out.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use alt_store::web::caller::Role;
use alt_web::routes::{Access, ROUTES, Route};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::support::bench::Bench;
use crate::support::daemon::{alt, key_file, patience, wait_for};
use crate::support::lines::{KEY, alt1_aged};
use crate::support::postgres::Database;

const SOURCE: &str = "[[source]]\npaths = [\"DIR/beacon.log\"]";

/// `alt serve`, ended when dropped.
pub(crate) struct Api {
    pub(crate) child: Child,
    pub(crate) address: String,
    log: std::path::PathBuf,
}

/// An answer: status, headers, body.
pub(crate) struct Said {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Said {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("{e}: {}\n{}", self.head, self.body))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(": ")?;
            key.eq_ignore_ascii_case(name).then_some(value)
        })
    }
}

impl Api {
    /// Starts it on a port of its own; `more` are keys of `[web]`.
    pub(crate) fn start(bench: &Bench, more: &str) -> Api {
        Api::start_as(bench, "web", more)
    }

    /// As [`Api::start`], with a configuration and a log of this name.
    pub(crate) fn start_as(bench: &Bench, name: &str, more: &str) -> Api {
        let text = fs::read_to_string(&bench.config).unwrap();
        let text = text.split("\n[web]").next().unwrap();
        let config = bench.path(&format!("{name}.toml"));
        let key = if more.contains("key_file") { String::new() } else { key_file(&config) };
        let web =
            format!("{text}\n[web]\nlisten = \"127.0.0.1:0\"\nadmin = \"127.0.0.1:0\"\n{key}\n{more}\n");
        fs::write(&config, web).unwrap();
        Api::run(&config, &bench.path(&format!("{name}.stderr")))
    }

    pub(crate) fn run(config: &Path, log: &Path) -> Api {
        let file = fs::File::create(log).unwrap();
        let child = alt()
            .args(["serve", "-v", "--config"])
            .arg(config)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(file)
            .spawn()
            .unwrap();
        let mut api = Api { child, address: String::new(), log: log.to_owned() };
        wait_for(
            30,
            || {
                let text = fs::read_to_string(log).unwrap();
                let after = text.split("http://").nth(1).unwrap_or_default();
                api.address = after.chars().take_while(|c| c.is_ascii_digit() || ".:".contains(*c)).collect();
                !api.address.is_empty()
            },
            || fs::read_to_string(log).unwrap(),
        );
        api
    }

    /// The admin port's address.
    fn admin(&self) -> String {
        let mut address = String::new();
        wait_for(
            30,
            || {
                let text = fs::read_to_string(&self.log).unwrap();
                let line = text.lines().find(|line| line.contains("answering /healthz")).unwrap_or_default();
                let at = line.find("127.0.0.1:").unwrap_or(line.len());
                address =
                    line[at..].chars().take_while(|c| c.is_ascii_digit() || ".:".contains(*c)).collect();
                !address.is_empty()
            },
            || fs::read_to_string(&self.log).unwrap(),
        );
        address
    }

    fn raw(address: &str, request: &str) -> Said {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        let answer = String::from_utf8(answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
        Said { status, head: head.to_owned(), body: body.to_owned() }
    }

    /// Asks with these headers (each with its line end) and this body.
    pub(crate) fn ask(&self, method: &str, target: &str, headers: &str, body: &str) -> Said {
        let length =
            if body.is_empty() { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
        let request = format!(
            "{method} {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
             Content-Type: application/json\r\n{headers}{length}\r\n{body}"
        );
        Api::raw(&self.address, &request)
    }

    pub(crate) fn get(&self, target: &str, secret: &str) -> Said {
        self.ask("GET", target, &bearer(secret), "")
    }
}

impl Drop for Api {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn bearer(secret: &str) -> String {
    if secret.is_empty() { String::new() } else { format!("Authorization: Bearer {secret}\r\n") }
}

/// Runs a command of `alt` on a bench.
pub(crate) fn run(bench: &Bench, args: &[&str]) -> String {
    let mut command: Command = alt();
    let output = command.args(args).arg("--config").arg(&bench.config).output().unwrap();
    let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert!(output.status.success(), "{args:?}: {text}");
    text
}

/// Makes a token; returns its secret.
pub(crate) fn token(bench: &Bench, args: &[&str]) -> String {
    let said = run(bench, &[&["token", "add", "a token", "--json"], args].concat());
    serde_json::from_str::<Value>(&said).unwrap()["token"].as_str().unwrap().to_owned()
}

/// A second application, with a name that is in no answer to those who may not see it.
const OTHER: &str = "other";
const OTHER_NAME: &str = "Hidden name";

fn bench() -> Bench {
    let bench = Bench::not_started(SOURCE, Database::create());
    bench
        .database
        .psql(&format!("INSERT INTO applications (app_key, name) VALUES ('{OTHER}', '{OTHER_NAME}')"));
    bench
}

/// What an owner was given in exchange for a token.
const JWT: &str = "a JSON Web Token of the owner of all";

/// Who asks, and what the test knows of this caller: by its own words, not by the program's.
struct Asker {
    name: &'static str,
    secret: String,
    /// The role with the first application, and with the second.
    roles: [Option<Role>; 2],
    is_share: bool,
    owns_all: bool,
}

/// Every kind of caller: valid ones, and such that are nobody.
fn askers(bench: &Bench, api: &Api) -> Vec<Asker> {
    let mut all = Vec::new();
    let mut add = |name, secret: String, roles, is_share, owns_all| {
        all.push(Asker { name, secret, roles, is_share, owns_all });
    };
    let (viewer, editor, owner) = (Some(Role::Viewer), Some(Role::Editor), Some(Role::Owner));
    let nobody = [None, None];
    for (name, role) in [("viewer", viewer), ("editor", editor), ("owner", owner)] {
        add(name, token(bench, &["--app", KEY, "--role", name]), [role, None], false, false);
    }
    add("viewer of all", token(bench, &["--role", "viewer"]), [viewer, viewer], false, false);
    let bound = token(bench, &["--app", KEY, "--filter", "country is DE"]);
    add("bound to a filter", bound, [viewer, None], false, false);
    add("owner of all", token(bench, &["--role", "owner"]), [owner, owner], false, true);
    run(bench, &["user", "add", "jane"]);
    run(bench, &["user", "grant", "jane", "--app", KEY, "--role", "viewer"]);
    add("jane's", token(bench, &["--user", "jane", "--role", "owner"]), [viewer, None], false, false);
    run(bench, &["user", "add", "boss", "--owner"]);
    add("boss's", token(bench, &["--user", "boss", "--role", "owner"]), [owner, owner], false, true);
    add("boss's viewer", token(bench, &["--user", "boss"]), [viewer, viewer], false, false);
    // Nobody's any more.
    run(bench, &["user", "add", "gone", "--owner"]);
    add("of a removed person", token(bench, &["--user", "gone", "--role", "owner"]), nobody, false, false);
    run(bench, &["user", "remove", "gone"]);
    add("expired", token(bench, &["--role", "owner", "--days", "1"]), nobody, false, false);
    let last = "(SELECT max(id) FROM web_tokens)";
    bench
        .database
        .psql(&format!("UPDATE web_tokens SET expires_at = now() - interval '1 second' WHERE id = {last}"));
    add("revoked", token(bench, &["--role", "owner"]), nobody, false, false);
    let id = bench.database.psql("SELECT max(id) FROM web_tokens");
    run(bench, &["token", "revoke", &id]);
    add("unknown", format!("alt_{}", "A".repeat(43)), nobody, false, false);
    add("none", String::new(), nobody, false, false);
    // Shares are made by the API.
    let boss = all.iter().find(|asker| asker.owns_all).unwrap().secret.clone();
    for (name, end, roles) in [
        ("share", "", [viewer, None]),
        ("revoked share", "revoked_at = now()", nobody),
        ("expired share", "expires_at = now()", nobody),
    ] {
        let target = format!("/api/v1/shares?application_id={KEY}");
        let said = api.ask("POST", &target, &bearer(&boss), r#"{"name": "of the test"}"#);
        assert_eq!(said.status, 201, "{}", said.body);
        let made = said.json();
        if !end.is_empty() {
            bench.database.psql(&format!("UPDATE web_shares SET {end} WHERE id = {}", made["id"]));
        }
        let secret = made["share"].as_str().unwrap().to_owned();
        all.push(Asker { name, secret, roles, is_share: true, owns_all: false });
    }
    let given = api.ask("POST", "/api/v1/jwt", &bearer(&boss), "").json();
    let secret = given["access_token"].as_str().unwrap().to_owned();
    all.push(Asker { name: JWT, secret, roles: [owner, owner], is_share: false, owns_all: false });
    all
}

/// Whether a path is about alerts.
fn is_of_alerts(path: &str) -> bool {
    ["/api/v1/alert", "/api/v1/silences", "/api/v1/channels", "/api/v1/metrics"]
        .iter()
        .any(|begin| path.starts_with(begin))
}

/// What a caller has to be told: 200 stands for any success, or for a thing that is not there.
fn expected(route: &Route, asker: &Asker, app: usize) -> u16 {
    let is_somebody = asker.roles.iter().any(Option::is_some);
    let may_share = matches!(route.access, Access::Shared(_));
    match route.access {
        Access::Open => 200,
        _ if !is_somebody || (asker.is_share && !may_share) => 401,
        Access::Token if asker.name == JWT && route.path == "/api/v1/jwt" => 403,
        Access::Token => 200,
        // None of them is signed in: tests/it/sign_in.rs.
        Access::Person => 403,
        Access::Everything if asker.owns_all => 200,
        Access::Everything => 403,
        // Current visitors are of rows, which are not filtered.
        Access::Shared(_)
            if asker.name == "bound to a filter" && app == 0 && route.path.ends_with("/live") =>
        {
            403
        }
        // Alerts are of all rows.
        Access::App(_) if asker.name == "bound to a filter" && app == 0 && is_of_alerts(route.path) => 403,
        // Those of all need an editor, and the body asks for one of all. Who sees a part of an application has none of his own.
        Access::App(_)
            if route.path.starts_with("/api/v1/panels") && asker.name == "bound to a filter" && app == 0 =>
        {
            403
        }
        Access::App(_)
            if route.path == "/api/v1/panels" && asker.roles[app.min(1)] == Some(Role::Viewer) && app < 2 =>
        {
            403
        }
        Access::App(needed) | Access::Shared(needed) => match asker.roles.get(app).copied().flatten() {
            None => 404,
            Some(role) if role < needed => 403,
            Some(_) => 200,
        },
    }
}

/// A body for a route, with what it needs.
fn body_of(route: &Route, app: &str) -> String {
    let name = if app == OTHER { OTHER_NAME } else { "Shop" };
    let members = route.body.iter().filter(|member| member.is_required).map(|member| match member.name {
        "application_id" => format!(r#""application_id": "{app}""#),
        "site_id" => format!(r#""site_id": "{app}""#),
        "date_range" => r#""date_range": "7d""#.to_owned(),
        "metrics" if route.path == "/api/v1/query" => r#""metrics": ["visitors"]"#.to_owned(),
        // Nobody has this name already.
        "name" if route.path == "/api/v1/goals" => {
            format!(r#""name": "{}", "event": "signup""#, fastrand::u64(..))
        }
        "kind" => r#""kind": "path""#.to_owned(),
        "value" => format!(r#""value": "/{}""#, fastrand::u64(..)),
        // A channel of the configuration.
        "channels" => r#""channels": ["mail"]"#.to_owned(),
        "filters" => r#""filters": ["country is DE"]"#.to_owned(),
        "metrics" if route.path == "/api/v1/panels" => r#""metrics": ["visitors"]"#.to_owned(),
        "drawing" => r#""drawing": "number""#.to_owned(),
        "name" if route.path == "/api/v1/panels" => {
            format!(r#""name": "{}", "visibility": "shared""#, fastrand::u64(..))
        }
        "name" if route.path == "/api/v1/segments" => format!(r#""name": "{}""#, fastrand::u64(..)),
        "day" => r#""day": "2026-01-31""#.to_owned(),
        "every" => r#""every": "day""#.to_owned(),
        "name" if route.path == "/api/v1/reports" => format!(r#""name": "{}""#, fastrand::u64(..)),
        "rule" => {
            format!(r#""rule": "name = \"{}\"\ncompare = \"> 5\"""#, fastrand::u64(..))
        }
        "metrics" => r#""metrics": {"orders": 1}"#.to_owned(),
        "name" if route.path == "/api/v1/users" => format!(r#""name": "{} of {app}""#, fastrand::u64(..)),
        other => format!(r#""{other}": "{name}""#),
    });
    if route.body.is_empty() {
        return String::new();
    }
    // One of several that say how long, or what is changed.
    let one_of = match route.path {
        path if path.starts_with("/api/v1/silences") => Some(r#""minutes": 5"#.to_owned()),
        "/api/v1/applications/{application_id}" => Some(format!(r#""name": "{name}""#)),
        _ => None,
    };
    format!("{{{}}}", members.chain(one_of).collect::<Vec<_>>().join(", "))
}

const NO_APPLICATION: &str = "there is no such application";

#[test]
fn every_route_answers_every_caller_as_the_table_says() {
    let bench = bench();
    let text = fs::read_to_string(&bench.config).unwrap();
    let more = "\n[stats]\nenabled = true\n[alerts]\nenabled = true\n\
                [[channel]]\nname = \"mail\"\nkind = \"slack\"\nurl = \"http://127.0.0.1:9/x\"\n";
    fs::write(&bench.config, text + more).unwrap();
    let api = Api::start(&bench, "requests_per_minute = 1000000");
    let askers = askers(&bench, &api);
    let mut asked = 0;
    for route in ROUTES.iter().filter(|route| route.path != "/api/v1/session" || route.method != "POST") {
        for asker in &askers {
            for (n, app) in [KEY, OTHER, "nothing"].into_iter().enumerate() {
                let path = route
                    .path
                    .replace("{application_id}", app)
                    .replace("{id}", "999999")
                    .replace("{page}", "live")
                    .replace("{file}", "app.js");
                let mut target = path;
                if route.parameters.iter().any(|parameter| parameter.name == "application_id") {
                    target += &format!("?application_id={app}");
                }
                if route.path == "/api/v1/funnel" {
                    target += "&step=page+/&step=event+order";
                }
                if route.path == "/api/v1/events/counts" {
                    target += "&from=2026-01-01T00:00:00Z&until=2026-01-02T00:00:00Z&seconds=3600";
                }
                let body = body_of(route, app);
                // Wrong tokens are counted by address: each from another one.
                asked += 1;
                let from = format!("X-Real-IP: 10.{}.{}.1\r\n", asked / 250, asked % 250);
                let said = api.ask(route.method, &target, &(bearer(&asker.secret) + &from), &body);
                let told_by = |said: &Said| match said.status {
                    201 => 200,
                    404 if !said.body.contains(NO_APPLICATION) => 200,
                    status => status,
                };
                let told = told_by(&said);
                let context = format!("{} {target} as {}: {}", route.method, asker.name, said.body);
                assert_eq!(told, expected(route, asker, n), "{context}");
                assert!(said.header("content-security-policy").is_some(), "{context}");
                if asker.roles[1].is_none() {
                    assert!(!said.body.contains(OTHER_NAME), "a leak: {context}");
                }
                if told >= 400 {
                    let kind = said.header("content-type").unwrap_or_default();
                    assert_eq!(kind, "application/problem+json", "{context}");
                    assert_eq!(said.header("www-authenticate").is_some(), told == 401, "{context}");
                }
                // A share is taken from the query as well, and nothing else is.
                if let (Access::Shared(_), false) = (route.access, asker.secret.is_empty()) {
                    let mark = if target.contains('?') { '&' } else { '?' };
                    let target = format!("{target}{mark}share={}", asker.secret);
                    let said = api.ask(route.method, &target, &from, &body);
                    let wanted = if asker.is_share { told } else { 401 };
                    assert_eq!(told_by(&said), wanted, "{target} as {}: {}", asker.name, said.body);
                }
            }
        }
        for method in ["PUT", "POST", "PATCH", "DELETE", "OPTIONS", "TRACE"] {
            if !ROUTES.iter().any(|other| other.path == route.path && other.method == method) {
                let said = api.ask(method, &route.path.replace(['{', '}'], ""), "", "");
                assert_eq!(said.status, 405, "{method} {}", route.path);
                assert!(said.header("allow").is_some_and(|allowed| allowed.contains(route.method)));
            }
        }
    }
    assert!(asked > 800, "{asked}");
    assert_eq!(api.get("/api/v1/nothing", "").status, 404);
    assert_eq!(
        bench.database.psql("SELECT name FROM applications ORDER BY 1"),
        format!("{OTHER_NAME}\nShop")
    );
}

#[test]
fn the_table_gives_no_route_to_more_callers_than_it_is_for() {
    let of = |wanted: fn(&Access) -> bool| -> Vec<&str> {
        ROUTES.iter().filter(|route| wanted(&route.access)).map(|route| route.path).collect()
    };
    let open = of(|access| *access == Access::Open);
    let of_api = ["/health", "/api/health", "/api/openapi.json", "/docs", "/docs.css"];
    let pages = [
        "/",
        "/sign-in",
        "/share",
        "/applications/{application_id}",
        "/applications/{application_id}/{page}",
        "/alerts",
        "/alerts/{id}",
        "/system",
    ];
    let of_provider = ["/api/v1/session/ways", "/api/v1/session/oidc", "/api/v1/session/oidc/callback"];
    assert_eq!(open, [&of_api[..], &pages, &["/assets/{file}", "/api/v1/session"], &of_provider].concat());
    let shared = of(|access| matches!(access, Access::Shared(_)));
    let expected = [
        "/api/v1/statistics",
        "/api/v1/statistics.csv",
        "/api/v1/dashboard",
        "/api/v1/query",
        "/api/v1/funnel",
        "/api/v1/retention",
        "/api/v1/retention.csv",
        "/api/v1/live",
        "/api/v1/annotations",
        "/api/v1/segments",
        "/api/v1/panels",
        "/api/v1/panels/{id}/statistics",
        "/api/v1/panels/{id}/statistics.csv",
    ];
    assert_eq!(shared, expected);
    let expected =
        ["/api/v1/session", "/api/v1/session", "/api/v1/applications", "/api/v1/open-alerts", "/api/v1/jwt"];
    assert_eq!(of(|access| *access == Access::Token), expected);
    for route in ROUTES {
        let is_secret =
            ["tokens", "users", "audit", "api/metrics", "v1/system", "channels/{name}", "open-alerts/{id}"]
                .iter()
                .any(|word| route.path.contains(word));
        assert_eq!(route.access == Access::Everything, is_secret, "{}", route.path);
        let has_rows = ["events", "logs", "visits"].iter().any(|word| route.path.contains(word));
        let is_own = route.path.starts_with("/api/v1/session");
        if is_own && route.path != "/api/v1/session" && !of_provider.contains(&route.path) {
            assert_eq!(route.access, Access::Person, "{}", route.path);
        }
        let is_exchange = route.path == "/api/v1/jwt";
        if has_rows || (route.changes() && !is_own && !is_exchange) {
            // Everybody who sees an application has panels of his own; who changes those of all, tests/it/own_panels.rs asks.
            let narrow = match route.path.starts_with("/api/v1/panels") {
                true => [Access::App(Role::Viewer); 2],
                false => [Access::App(Role::Editor), Access::Everything],
            };
            assert!(narrow.contains(&route.access), "{}", route.path);
        }
    }
}

#[test]
fn a_change_and_its_record_are_one() {
    let bench = bench();
    let api = Api::start(&bench, "");
    let secret = token(&bench, &["--role", "owner"]);
    let actions =
        "SELECT action, actor_kind, coalesce(host(address), '') FROM audit_log WHERE id > 1 ORDER BY id";
    let header = bearer(&secret) + "X-Real-IP: 192.0.2.7\r\n";
    let made = api.ask("POST", "/api/v1/tokens", &header, r#"{"name": "made", "applications": ["shop"]}"#);
    assert_eq!(made.status, 201, "{}", made.body);
    let (id, made) = (made.json()["id"].clone(), made.json()["token"].as_str().unwrap().to_owned());
    let share = api.ask("POST", "/api/v1/shares?application_id=shop", &header, r#"{"name": "s", "days": 1}"#);
    let share = share.json();
    let renamed = api.ask("PATCH", "/api/v1/applications/shop", &header, r#"{"name": "New"}"#);
    assert_eq!((renamed.status, renamed.json()["name"].as_str()), (200, Some("New")));
    let target = format!("/api/v1/shares/{}?application_id=shop", share["id"]);
    assert_eq!(api.ask("DELETE", &target, &header, "").status, 200);
    assert_eq!(api.get("/api/v1/live?application_id=shop", &made).status, 200);
    assert_eq!(api.ask("DELETE", &format!("/api/v1/tokens/{id}"), &header, "").status, 200);
    assert_eq!(api.get("/api/v1/live?application_id=shop", &made).status, 401, "revoked");
    let expected = ["token.add", "share.add", "application.rename", "share.revoke", "token.revoke"]
        .map(|action| format!("{action}|token|192.0.2.7"))
        .join("\n");
    assert_eq!(bench.database.psql(actions), expected);
    // No secret is recorded, or kept.
    let secrets = [secret.as_str(), &made, share["share"].as_str().unwrap()];
    let kept = bench.database.psql("SELECT row_to_json(a) FROM audit_log a")
        + &bench.database.psql("SELECT row_to_json(t) FROM web_tokens t")
        + &api.get("/api/v1/audit", &secret).body
        + &api.get("/api/v1/tokens", &secret).body;
    assert!(kept.contains("token.revoke") && secrets.iter().all(|secret| !kept.contains(secret)));
    // Where the record cannot be written, nothing is changed.
    bench
        .database
        .psql("ALTER TABLE audit_log ADD CHECK (action <> 'share.add' AND action <> 'application.rename') NOT VALID");
    let before = bench.database.psql("SELECT count(*) FROM web_shares");
    let said = api.ask("POST", "/api/v1/shares?application_id=shop", &header, r#"{"name": "s"}"#);
    assert_eq!(said.status, 503, "{}", said.body);
    assert!(!said.body.contains("audit_log"), "what the database says is for the log");
    assert_eq!(api.ask("PATCH", "/api/v1/applications/shop", &header, r#"{"name": "Newer"}"#).status, 503);
    assert_eq!(bench.database.psql("SELECT count(*) FROM web_shares"), before);
    assert_eq!(bench.database.psql("SELECT name FROM applications WHERE app_key = 'shop'"), "New");
    // Commands record themselves, too.
    run(&bench, &["user", "add", "jane"]);
    run(&bench, &["user", "grant", "jane", "--app", KEY, "--role", "viewer"]);
    run(&bench, &["token", "revoke", "1"]);
    run(&bench, &["user", "remove", "jane"]);
    let recorded =
        bench.database.psql("SELECT action FROM audit_log WHERE actor_kind = 'command' ORDER BY id");
    assert_eq!(recorded, "token.add\nuser.add\nuser.link\nuser.grant\ntoken.revoke\nuser.remove");
}

/// Who looks at single events, visits or the record, and who takes numbers away, is recorded before the answer is given; the same
/// question once an hour, whatever times it asks for.
#[test]
fn a_read_of_single_events_is_recorded_or_refused() {
    let bench = bench();
    let api = Api::start(&bench, "");
    let secret = token(&bench, &["--role", "editor"]);
    let other = token(&bench, &["--role", "editor", "--app", KEY]);
    let ask = |target: &str, secret: &str, address: &str| {
        let said = api.ask("GET", target, &format!("{}X-Real-IP: {address}\r\n", bearer(secret)), "");
        println!("{target}: {} {}", said.status, said.body);
        said.status
    };
    let events = "/api/v1/events?application_id=shop&path=/a&from=2026-01-01T00:00:00Z";
    let asked = [
        // The first one is recorded, the others are not.
        (events, &secret, "192.0.2.7"),
        (events, &secret, "192.0.2.7"),
        (&events.replace("01-01", "01-02"), &secret, "192.0.2.7"),
        (&(events.to_owned() + "&limit=3&until=2026-02-01T00:00:00Z"), &secret, "192.0.2.7"),
        // Another question, address, token, application, path.
        (&events.replace("=/a", "=/b"), &secret, "192.0.2.7"),
        (events, &secret, "192.0.2.8"),
        (events, &other, "192.0.2.7"),
        (&events.replace("shop", OTHER), &secret, "192.0.2.7"),
        ("/api/logs?application_id=shop", &secret, "192.0.2.7"),
        ("/api/logs/trace/abc?application_id=shop", &secret, "192.0.2.7"),
        ("/api/v1/visits?application_id=shop&period=7d", &secret, "192.0.2.7"),
        ("/api/v1/statistics.csv?application_id=shop&dimension=page", &secret, "192.0.2.7"),
        // Sums say nothing of anybody.
        ("/api/v1/statistics?application_id=shop&dimension=page", &secret, "192.0.2.7"),
        (
            "/api/v1/events/counts?application_id=shop&from=2026-01-01T00:00:00Z&seconds=86400",
            &secret,
            "192.0.2.7",
        ),
    ];
    for (target, secret, address) in asked {
        assert_eq!(ask(target, secret, address), 200, "{target}");
    }
    // What is refused was not read.
    assert_eq!(ask("/api/v1/audit", &secret, "192.0.2.7"), 403);
    assert_eq!(ask(&events.replace("shop", OTHER), &other, "192.0.2.7"), 404);
    assert_eq!(ask("/api/v1/events?application_id=shop&limit=many", &secret, "192.0.2.7"), 400);
    let recorded = bench.database.psql(
        "SELECT action, after ->> 'route', coalesce(after -> 'path' ->> 0, ''), host(address), object FROM audit_log \
         WHERE action IN ('read', 'export') ORDER BY id",
    );
    let shop = "application shop (Shop)";
    let expected = [
        format!("read|/api/v1/events|/a|192.0.2.7|{shop}"),
        format!("read|/api/v1/events|/b|192.0.2.7|{shop}"),
        format!("read|/api/v1/events|/a|192.0.2.8|{shop}"),
        format!("read|/api/v1/events|/a|192.0.2.7|{shop}"),
        format!("read|/api/v1/events|/a|192.0.2.7|application {OTHER} ({OTHER_NAME})"),
        format!("read|/api/logs||192.0.2.7|{shop}"),
        format!("read|/api/logs/trace/{{id}}||192.0.2.7|{shop}"),
        format!("read|/api/v1/visits||192.0.2.7|{shop}"),
        format!("export|/api/v1/statistics.csv||192.0.2.7|{shop}"),
    ];
    assert_eq!(recorded, expected.join("\n"));
    let kept = bench.database.psql("SELECT row_to_json(a) FROM audit_log a");
    assert!(!kept.contains(&secret) && !kept.contains(&other));
    // Where it cannot be recorded, it is not answered; sums are.
    bench.database.psql("ALTER TABLE audit_log ADD CHECK (action NOT IN ('read', 'export')) NOT VALID");
    let fresh = "/api/v1/events?application_id=shop&path=/c";
    assert_eq!(ask(fresh, &secret, "192.0.2.7"), 503);
    assert_eq!(ask("/api/v1/statistics.csv?application_id=shop&dimension=os", &secret, "192.0.2.7"), 503);
    assert_eq!(ask("/api/v1/statistics?application_id=shop&dimension=os", &secret, "192.0.2.7"), 200);
    bench.database.psql("ALTER TABLE audit_log DROP CONSTRAINT audit_log_action_check");
    assert_eq!(ask(fresh, &secret, "192.0.2.7"), 200);
}

#[test]
fn statistics_are_those_of_the_command() {
    let mut bench = bench();
    let text = fs::read_to_string(&bench.config).unwrap();
    fs::write(&bench.config, format!("{text}\n[stats]\nenabled = true\n")).unwrap();
    let lines = [0, 5, 25 * 3600, 26 * 3600, 24 * 3600 * 3].map(alt1_aged).concat();
    bench.append_text("beacon.log", &lines, 5);
    bench.start();
    bench.settle();
    let counted = "SELECT coalesce(sum(events), 0) FROM stat_daily WHERE dimension = 'total'";
    wait_for(60, || bench.database.psql(counted) == "5", || bench.state());
    let api = Api::start(&bench, "");
    let secret = token(&bench, &["--app", KEY]);
    // Another application has the same, of another class too, and more in the days before; its rows are of this moment.
    bench.database.psql(
        "INSERT INTO stat_days (app_id, day, from_at, until_at, generation, folded_at) \
         SELECT o.id, d.day - before, d.from_at, d.until_at, d.generation, d.folded_at \
         FROM stat_days d JOIN applications a ON a.id = d.app_id, applications o, (VALUES (0), (7)) v (before) \
         WHERE a.app_key = 'shop' AND o.app_key = 'other' ON CONFLICT DO NOTHING",
    );
    for (table, changed) in [
        ("stat_daily", "'app_id', o.id"),
        ("stat_daily", "'app_id', o.id, 'day', x.day - 7"),
        ("stat_daily", "'app_id', o.id, 'traffic_class', 'bot'"),
        ("access_logs", "'app_id', o.id"),
    ] {
        bench.database.psql(&format!(
            "INSERT INTO {table} SELECT (jsonb_populate_record(x, jsonb_build_object({changed}))).* \
             FROM {table} x, applications o, applications a \
             WHERE o.app_key = 'other' AND a.app_key = 'shop' AND x.app_id = a.id AND to_jsonb(x) ->> 'traffic_class' = 'human'"
        ));
    }
    bench.database.psql(
        "INSERT INTO stat_daily SELECT (jsonb_populate_record(x, '{\"traffic_class\": \"bot\", \"events\": 3}')).* \
         FROM stat_daily x JOIN applications a ON a.id = x.app_id \
         WHERE a.app_key = 'shop' AND dimension = 'total' AND day = (SELECT max(day) FROM stat_daily)",
    );
    let by_command: Value =
        serde_json::from_str(&run(&bench, &["stats", "--app", KEY, "--period", "7d", "--json"])).unwrap();
    let target = "/api/v1/statistics?application_id=shop&period=7d&dimension=page&compare=previous";
    let said = api.get(target, &secret);
    assert_eq!(said.status, 200, "{}", said.body);
    let by_api = said.json();
    for (name, count) in by_command["total"].as_object().unwrap() {
        assert_eq!(&by_api["total"][name], count, "{name}");
    }
    assert_eq!(by_api["days"].as_array().unwrap().len(), by_command["days"].as_array().unwrap().len());
    let days: Vec<_> = by_api["days"].as_array().unwrap().iter().map(|day| &day["page_views"]).collect();
    let expected: Vec<_> =
        by_command["days"].as_array().unwrap().iter().map(|day| &day["page_views"]).collect();
    assert_eq!(days, expected);
    assert_eq!(by_api["total"]["page_views"], 5);
    assert_eq!(by_api["values"].as_array().unwrap().len(), 5);
    assert_eq!(by_api["compared_with"]["total"]["events"], 0);
    assert_eq!(by_api["left_out"], serde_json::json!([{ "class": "bot", "events": 3 }]));
    // The same answer has the same tag.
    let tag = said.header("etag").unwrap();
    let again = api.ask("GET", target, &(bearer(&secret) + &format!("If-None-Match: {tag}\r\n")), "");
    assert_eq!((again.status, again.body.as_str()), (304, ""));
    for (target, headers) in [
        ("/api/v1/statistics.csv?application_id=shop&dimension=page&limit=2", ""),
        ("/api/v1/statistics?application_id=shop&dimension=page&limit=2", "Accept: text/csv\r\n"),
    ] {
        let csv = api.ask("GET", target, &(bearer(&secret) + headers), "");
        let lines: Vec<&str> = csv.body.lines().collect();
        assert!(lines[0].starts_with("value,events,page_views,visitors"), "{}", csv.body);
        assert!(lines.len() == 3 && lines[1].starts_with("/p/"), "{}", csv.body);
    }
    let live = api.get("/api/v1/live?application_id=shop", &secret).json();
    assert_eq!((&live["events"], &live["visitors"]), (&Value::from(2), &Value::from(2)));
    for wrong in
        ["period=yesterday", "limit=0", "compare=x", "dimension=nothing", "filter=1", "class=a&class=b"]
    {
        let said = api.get(&format!("/api/v1/statistics?application_id=shop&{wrong}"), &secret);
        assert_eq!(said.status, 400, "{wrong}: {}", said.body);
    }
    bench.stop();
}

#[test]
fn a_search_finds_every_row_once_and_says_how_far_it_came() {
    let mut bench = bench();
    let text: String = (0..450).map(|n| alt1_aged(n / 3)).collect();
    bench.append_text("beacon.log", &text, 450);
    bench.start();
    bench.settle();
    bench.stop();
    // All at one moment: only the event id tells where a page ends.
    bench.database.psql("UPDATE access_logs SET occurred_at = date_trunc('month', now()) + interval '1 second' WHERE status = 204 AND file_offset % 2 = 0");
    // Another application has rows of the same times.
    bench.database.psql(
        "INSERT INTO access_logs SELECT (jsonb_populate_record(l, jsonb_build_object('app_id', o.id))).* \
         FROM access_logs l, applications o WHERE o.app_key = 'other'",
    );
    let api = Api::start(&bench, "");
    let secret = token(&bench, &["--app", KEY, "--role", "editor"]);
    // Follows the cursors; returns the ids.
    let search = |asked: &str| {
        let (mut ids, mut times, mut cursor) = (Vec::new(), Vec::new(), String::new());
        loop {
            let page =
                api.get(&format!("/api/v1/events?application_id=shop&limit=70{asked}{cursor}"), &secret);
            assert_eq!(page.status, 200, "{}", page.body);
            let page = page.json();
            for row in page["events"].as_array().unwrap() {
                ids.push(row["event_id"].as_str().unwrap().to_owned());
                times.push(row["occurred_at"].as_str().unwrap().to_owned());
            }
            match page["next"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break assert_eq!(page["is_complete"], true),
            }
        }
        assert!(times.is_sorted_by(|a, b| a >= b));
        ids.sort_unstable();
        ids.join("\n")
    };
    let shop = "FROM access_logs l JOIN applications a ON a.id = l.app_id WHERE a.app_key = 'shop' AND event_type = 'pageview'";
    let all = bench.database.psql(&format!("SELECT event_id {shop} ORDER BY event_id::text"));
    assert_eq!(search(""), all);
    let one = bench
        .database
        .psql("SELECT url_path FROM access_logs ORDER BY length(url_path) DESC, url_path DESC LIMIT 1");
    let found = |parameter: &str| {
        let said = api.get(&format!("/api/logs?application_id=shop&{parameter}"), &secret);
        assert_eq!(said.status, 200, "{parameter}: {}", said.body);
        said.json()["events"].as_array().unwrap().len()
    };
    assert_eq!(found(&format!("text={}", one.to_uppercase())), 1);
    assert_eq!(found(&format!("path={one}&type=pageview")), 1);
    assert_eq!(found("type=click"), 0);
    assert_eq!(found("from=2020-01-01T00:00:00Z&until=2020-01-02T00:00:00%2B09:00"), 0);
    bench.database.psql("UPDATE access_logs SET trace_id = 'f00d' WHERE url_path LIKE '%7'");
    let traced = bench.database.psql(&format!("SELECT count(*) {shop} AND trace_id = 'f00d'"));
    let said = api.get("/api/logs/trace/f00d?application_id=shop", &secret).json();
    assert_eq!(said["events"].as_array().unwrap().len().to_string(), traced);
    // More rows than one step reads lie before most of those that are wanted.
    bench.database.psql(&format!(
        "INSERT INTO access_logs SELECT (jsonb_populate_record(l, jsonb_build_object('event_id', gen_random_uuid(), \
             'event_type', 'filler', 'occurred_at', now() - n * interval '1 millisecond'))).* \
         FROM access_logs l CROSS JOIN generate_series(1, 25000) n \
         WHERE l.event_id = (SELECT l.event_id {shop} LIMIT 1) AND l.app_id = (SELECT a.id {shop} LIMIT 1)"
    ));
    assert_eq!(search("&type=pageview"), all);
    for wrong in ["from=yesterday", "from=2026-01-01", "cursor=x", "limit=201", "until=0001-01-01T00:00:00Z"]
    {
        assert_eq!(
            api.get(&format!("/api/logs?application_id=shop&{wrong}"), &secret).status,
            400,
            "{wrong}"
        );
    }
    for nul in ["/api/logs?application_id=shop&text=%00", "/api/logs?application_id=%00"] {
        assert_eq!(api.get(nul, &secret).status, 400, "{nul}");
    }
    assert_eq!(api.get("/api/logs/trace/%00?application_id=shop", &secret).status, 404);
}

#[test]
fn slow_and_silent_clients_keep_nobody_out() {
    let bench = bench();
    let mut api = Api::start(&bench, "clients = 50\nconnections = 2");
    let admin = api.admin();
    let secret = token(&bench, &["--role", "owner"]);
    let head = "POST /api/v1/tokens HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 60000\r\n";
    // Silent ones, ones that do not end their header, and ones that do not end their body.
    let beginnings =
        ["", "GET /health HTTP/1.1\r\nHost: a\r\nX-", &format!("{head}{}\r\n{{", bearer(&secret))];
    let begun = Instant::now();
    let mut slow = Vec::new();
    for n in 0..300 {
        let mut stream = TcpStream::connect(&api.address).unwrap();
        let _ = stream.write_all(beginnings[n % 3].as_bytes());
        slow.push(stream);
        if n % 50 == 0 {
            let asked = Instant::now();
            assert_eq!(api.get("/api/v1/applications", &secret).status, 200);
            assert!(asked.elapsed() < patience(5), "{:?}", asked.elapsed());
            let metrics =
                Api::raw(&admin, "GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                    .body;
            let held = metrics.lines().find_map(|line| line.strip_prefix("alt_web_clients ")).unwrap();
            assert!(held.parse::<f64>().unwrap() <= 50.0, "{held}");
        }
    }
    // None of them holds a connection of the database.
    let open =
        bench.database.psql("SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'alt serve%'");
    assert!(open.parse::<u32>().unwrap() <= 2, "{open}");
    // All are ended in time.
    for stream in &mut slow {
        stream.set_read_timeout(Some(Duration::from_secs(40))).unwrap();
        let mut answer = String::new();
        let ended = stream.read_to_string(&mut answer);
        assert!(ended.is_ok() || ended.unwrap_err().kind() != std::io::ErrorKind::WouldBlock, "{answer}");
        assert!(["", "HTTP/1.1 408"].contains(&answer.get(..12).unwrap_or("")), "{answer}");
    }
    assert!(begun.elapsed() < patience(60), "{:?}", begun.elapsed());
    // Too large.
    let huge = format!("X-A: {}\r\n", "a".repeat(20_000));
    assert_eq!(api.ask("GET", "/health", &huge, "").status, 431);
    let body = format!("{{\"name\": \"{}\"}}", "a".repeat(70_000));
    assert_eq!(api.ask("POST", "/api/v1/tokens", &bearer(&secret), &body).status, 413);
    let status = fs::read_to_string(format!("/proc/{}/status", api.child.id())).unwrap();
    let peak = status.lines().find(|line| line.starts_with("VmHWM")).unwrap();
    let peak: u64 = peak.split_whitespace().nth(1).unwrap().parse().unwrap();
    assert!(peak < 64 * 1024, "{peak} KiB");
    // It ends in order, and at once, whoever is connected.
    let _silent = TcpStream::connect(&api.address).unwrap();
    kill(Pid::from_raw(i32::try_from(api.child.id()).unwrap()), Signal::SIGTERM).unwrap();
    let stopped = Instant::now();
    assert!(api.child.wait().unwrap().success());
    assert!(stopped.elapsed() < patience(12), "{:?}", stopped.elapsed());
}

#[test]
fn a_limit_holds_and_says_when_to_come_back() {
    let bench = bench();
    let api = Api::start(&bench, "requests_per_minute = 5");
    let secret = token(&bench, &[]);
    let other = token(&bench, &[]);
    let said: Vec<Said> = (0..8).map(|_| api.get("/api/v1/applications", &secret)).collect();
    assert!(said[..5].iter().all(|said| said.status == 200));
    assert_eq!(said[0].header("ratelimit"), Some("\"requests\";r=4;t=0"));
    assert_eq!(said[0].header("ratelimit-policy"), Some("\"requests\";q=5;w=60"));
    let last = &said[7];
    assert_eq!(last.status, 429, "{}", last.body);
    assert!((1..=12).contains(&last.header("retry-after").unwrap().parse::<u32>().unwrap()));
    assert_eq!(api.get("/api/v1/applications", &other).status, 200, "another token has its own");
    // Guessing is slowed by address, whatever token follows.
    let guess = |from: &str, secret: &str| {
        api.ask("GET", "/api/v1/applications", &format!("{}X-Real-IP: {from}\r\n", bearer(secret)), "").status
    };
    let guesses: Vec<u16> = (0..60).map(|n| guess("192.0.2.1", &format!("alt_{n}"))).collect();
    assert!(guesses.iter().all(|status| *status == 401), "{guesses:?}");
    assert!((0..1000).any(|n| guess("192.0.2.1", &format!("alt_{n}")) == 429));
    assert_eq!(guess("192.0.2.2", &other), 200);
}

#[test]
fn it_says_how_it_is_and_waits_for_its_database() {
    let bench = bench();
    let api = Api::start(&bench, "");
    let admin = api.admin();
    let ask = |path: &str| Api::raw(&admin, &format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    wait_for(30, || ask("/readyz").status == 200, || ask("/readyz").body);
    assert_eq!(ask("/healthz").status, 200);
    for path in ["/health", "/api/health"] {
        assert_eq!(api.get(path, "").json()["status"], "ok");
    }
    assert_eq!(api.get("/metrics", "").status, 404, "for the admin port alone");
    let metrics = ask("/metrics").body;
    assert!(
        metrics.contains("http_requests_total{method=\"GET\",path=\"/health\",status=\"200\"} 1"),
        "{metrics}"
    );
    for name in ["http_request_duration_seconds_bucket{path=\"/health\"", "database_connections "] {
        assert!(metrics.contains(name), "{name}: {metrics}");
    }
    // Its sessions are ended, as by a restart of the server: the next request finds new ones.
    bench.database.psql(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'alt serve%'",
    );
    assert_eq!(api.get("/health", "").status, 200);
    let document = api.get("/api/openapi.json", "").json();
    assert_eq!(
        (&document["openapi"], document["paths"].as_object().unwrap().len() > 15),
        (&"3.1.0".into(), true)
    );
    let page = api.get("/docs", "");
    assert!(page.body.contains("/api/v1/statistics") && !page.body.contains("<script"), "{}", page.body);
}

/// The commands and programs of docs/API.md that ask the API: `sh`, `python3` or `node`, and what to run.
fn examples() -> Vec<(&'static str, String)> {
    let document = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/API.md")).unwrap();
    let mut all = Vec::new();
    for (n, part) in document.split("```").enumerate() {
        if n % 2 == 1 {
            let (language, program) = part.split_once('\n').unwrap();
            all.push((if language == "python" { "python3" } else { "node" }, program.to_owned()));
        } else {
            let blocks = part.split("\n\n").filter(|block| block.contains("    curl -H"));
            all.extend(blocks.map(|block| ("sh", block.to_owned())));
        }
    }
    all
}

#[test]
fn the_examples_of_the_document_work() {
    let bench = bench();
    bench.database.psql(
        "INSERT INTO stat_daily SELECT 1, (now() AT TIME ZONE 'UTC')::date, hashtext(d), 8, 7, 6, 5, 0, 4, 0, 0, 0, 0, 0, 0, \
         'human', d, v FROM (VALUES ('total', ''), ('page', '/checkout')) t (d, v); \
         INSERT INTO stat_days (app_id, day, from_at, until_at, generation) SELECT 1, d, d, d + 1, 1 FROM (SELECT (now() AT TIME ZONE 'UTC')::date) t (d)",
    );
    let api = Api::start(&bench, "");
    let secret = token(&bench, &["--role", "owner"]);
    let examples = examples();
    assert!(examples.len() >= 5, "{examples:?}");
    for (program, text) in examples {
        let mut command = Command::new(program);
        match program {
            "sh" => command.args(["-ec", &text.replace("curl ", "curl -sSf ")]),
            "python3" => command.args(["-c", &text]),
            _ => command.args(["--input-type=module", "-e", &text]),
        };
        command.env("URL", format!("http://{}", api.address)).env("TOKEN", &secret);
        let Ok(output) = command.output() else {
            crate::support::not_looked_at(&format!(
                "an example of docs/API.md, because there is no {program}"
            ));
            continue;
        };
        let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert!(output.status.success(), "{text}\n{said}");
        // Neither rows nor segments are here.
        let expected = match text {
            _ if text.contains("/api/v1/query") => "rows_are_cut",
            _ if text.contains("/api/v1/retention") => "cohorts",
            _ if text.contains("/api/v1/events") || text.contains("filter") => "is_complete",
            _ => "7",
        };
        assert!(said.contains(expected), "{text}\n{said}");
    }
}
