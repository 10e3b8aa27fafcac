//! Signing in by a provider of OpenID Connect: a certified one, and one that lies.

use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::dashboard::demo;
use crate::serve::{Api, Said, run};
use crate::sign_in::{OWN, PASSWORD, code, cookie, person};
use crate::support::bench::Bench;
use crate::support::daemon::alt;
use crate::support::lines::KEY;
use crate::support::page::{Page, Server};
use crate::support::postgres::Database;
use crate::support::prometheus::free_port;
use crate::support::provider::{Liar, Provider, Reply, SECRET, jwk, signed, signed_as, unsigned};
use crate::support::webdriver::Engine;

/// The address under which people reach the server; no test goes there.
const PUBLIC: &str = "https://alt.example";

/// An installation that allows the provider's address.
fn bench(issuer: &str) -> Bench {
    let bench = Bench::not_started("[[source]]\npaths = [\"DIR/beacon.log\"]", Database::create());
    allow(&bench, issuer);
    bench
}

fn allow(bench: &Bench, issuer: &str) {
    let text = std::fs::read_to_string(&bench.config).unwrap();
    let address = issuer.strip_prefix("http://").unwrap();
    std::fs::write(&bench.config, format!("{text}\n[alerts]\nallow = [\"{address}\"]\n")).unwrap();
    std::fs::write(bench.path("client"), format!("{SECRET}\n")).unwrap();
    open_to(bench, 0o600);
}

/// Who may read the client's secret.
fn open_to(bench: &Bench, mode: u32) {
    std::fs::set_permissions(bench.path("client"), std::fs::Permissions::from_mode(mode)).unwrap();
}

/// The keys of `[web]`, and of `[web.oidc]` with `more`.
fn keys(bench: &Bench, public: &str, issuer: &str, client: &str, more: &str) -> String {
    format!(
        "public_url = \"{public}\"\n[web.oidc]\nissuer = \"{issuer}\"\nclient_id = \"{client}\"\nsecret_file = \"{}\"\n\
         name = \"Example\"\n{more}",
        bench.path("client").display()
    )
}

/// A browser that was sent to the provider: where, and its cookie.
struct Sent {
    url: String,
    cookie: String,
}

impl Sent {
    fn parameter(&self, name: &str) -> String {
        let url = url::Url::parse(&self.url).unwrap();
        url.query_pairs().find(|(known, _)| known == name).unwrap().1.into_owned()
    }
}

/// Each browser has an address of its own, where nothing else is said: attempts are counted.
fn from() -> String {
    format!("X-Real-IP: 10.{}.{}.{}\r\n", fastrand::u8(..), fastrand::u8(..), fastrand::u8(1..))
}

fn start(api: &Api, query: &str) -> Sent {
    let said = api.ask("GET", &format!("/api/v1/session/oidc{query}"), &from(), "");
    assert_eq!(said.status, 303, "{}", said.body);
    let set = said.header("set-cookie").unwrap_or_else(|| panic!("{}", said.head));
    for part in ["__Host-alt_oidc=", "; Path=/", "; HttpOnly", "; SameSite=Lax", "; Secure", "; Max-Age=600"]
    {
        assert!(set.contains(part), "{set}");
    }
    assert_eq!(said.header("cache-control"), Some("no-store"));
    Sent { url: said.header("location").unwrap().to_owned(), cookie: cookie(&said) }
}

/// The browser comes back to where the provider sent it.
fn back(api: &Api, sent: &Sent, place: &str) -> Said {
    let target = place.strip_prefix(PUBLIC).unwrap_or(place);
    let said = api.ask("GET", target, &(sent.cookie.clone() + &from()), "");
    assert_eq!(said.status, 303, "{}", said.body);
    assert_eq!(said.header("cache-control"), Some("no-store"));
    said
}

fn place(said: &Said) -> &str {
    said.header("location").unwrap()
}

/// Whether the browser is signed in now: its cookie.
fn session(said: &Said) -> Option<String> {
    let set =
        said.head.lines().find(|line| line.to_ascii_lowercase().starts_with("set-cookie: alt_session="))?;
    let (_, value) = set.split_once(": ").unwrap();
    for part in ["; HttpOnly", "; SameSite=Strict", "; Secure"] {
        assert!(value.contains(part), "{value}");
    }
    Some(format!("Cookie: {}\r\n", value.split(';').next().unwrap()))
}

/// Why it is not.
fn refused(said: &Said) -> String {
    assert_eq!(session(said), None, "{}", said.head);
    let place = place(said);
    let query = place.strip_prefix("/sign-in?failed=").unwrap_or_else(|| panic!("{place}"));
    query.split('&').next().unwrap().to_owned()
}

fn who(api: &Api, cookie: &str) -> Value {
    api.ask("GET", "/api/v1/session", cookie, "").json()
}

#[test]
fn a_certified_provider_signs_people_in_by_each_algorithm() {
    let provider = Provider::start(PUBLIC, false);
    let bench = bench(&provider.issuer);
    run(&bench, &["user", "add", "jane@example.com", "--owner"]);
    run(&bench, &["user", "add", "eve"]);
    for algorithm in ["rs256", "ps256", "es256", "eddsa"] {
        let api =
            Api::start(&bench, &keys(&bench, PUBLIC, &provider.issuer, &format!("alt-{algorithm}"), ""));
        assert_eq!(
            api.ask("GET", "/api/v1/session/ways", "", "").json(),
            json!({ "provider": { "name": "Example" } })
        );
        let sent = start(&api, "?next=/applications/shop?period%3D7d");
        assert!(sent.url.starts_with(&format!("{}/auth?", provider.issuer)), "{}", sent.url);
        assert_eq!(sent.parameter("redirect_uri"), format!("{PUBLIC}/api/v1/session/oidc/callback"));
        assert_eq!(sent.parameter("code_challenge_method"), "S256");
        let said = back(&api, &sent, &provider.sign_in(&sent.url, "jane"));
        assert_eq!(place(&said), "/applications/shop?period=7d", "{algorithm}");
        assert!(said.head.contains("__Host-alt_oidc=; Path=/; Max-Age=0"), "{}", said.head);
        let jane = session(&said).unwrap();
        let known = who(&api, &jane);
        assert_eq!((&known["name"], &known["is_owner"]), (&json!("jane@example.com"), &json!(true)));
        // The address changes at the provider: she stays who she is, and whoever has it now is not she.
        provider.says("jane", &json!({ "email": "jane.doe@example.com" }));
        provider.says("mallory", &json!({ "email": "jane@example.com" }));
        let sent = start(&api, "");
        let said = back(&api, &sent, &provider.sign_in(&sent.url, "jane"));
        assert_eq!(who(&api, &session(&said).unwrap())["name"], "jane@example.com");
        let sent = start(&api, "");
        assert_eq!(refused(&back(&api, &sent, &provider.sign_in(&sent.url, "mallory"))), "other");
        // An address that the provider does not confirm is nobody's, and one that nobody has is nobody's.
        provider.says("eve", &json!({ "email": "jane@example.com", "email_verified": false }));
        for (name, why) in [("eve", "unverified"), ("stranger", "unknown")] {
            let sent = start(&api, "");
            assert_eq!(refused(&back(&api, &sent, &provider.sign_in(&sent.url, name))), why, "{name}");
        }
        // Signing out ends the session here.
        assert_eq!(api.ask("DELETE", "/api/v1/session", &(jane.clone() + OWN), "").status, 200);
        assert_eq!(api.ask("GET", "/api/v1/session", &jane, "").status, 401);
    }
    let recorded = bench.database.psql(
        "SELECT action, actor_kind, object, after->>'provider' IS NOT NULL, after->>'why' FROM audit_log \
         WHERE action IN ('user.bind', 'session.refuse', 'session.begin') ORDER BY id LIMIT 6",
    );
    assert_eq!(
        recorded,
        "user.bind|person|user jane@example.com|f|\n\
         session.begin|person|session 1 of user jane@example.com|t|\n\
         session.begin|person|session 2 of user jane@example.com|t|\n\
         session.refuse|nobody|user jane@example.com|t|other\n\
         session.refuse|nobody|an account that is not known|t|unverified\n\
         session.refuse|nobody|an account that is not known|t|unknown"
    );
    assert_eq!(bench.database.psql("SELECT count(*) FROM web_flows"), "0");
}

#[test]
fn who_was_bound_is_listed_and_forgotten_and_who_was_removed_does_not_come_back() {
    let provider = Provider::start(PUBLIC, true);
    let bench = bench(&provider.issuer);
    run(&bench, &["user", "add", "boss", "--owner"]);
    let more = "allow = [\"Example.com\"]\nrole = \"editor\"";
    let api = Api::start(&bench, &keys(&bench, PUBLIC, &provider.issuer, "alt-rs256", more));
    let by = |name: &str| {
        let sent = start(&api, "");
        back(&api, &sent, &provider.sign_in(&sent.url, name))
    };
    // Somebody of an allowed domain is added, with the role; of another one, or of a part of it, nobody is.
    for (name, address) in [("a", "a@example.org"), ("b", "b@evil-example.com"), ("c", "c@sub.example.com")] {
        provider.says(name, &json!({ "email": address }));
        assert_eq!(refused(&by(name)), "unknown", "{address}");
    }
    let known = who(&api, &session(&by("Jane")).unwrap());
    assert_eq!((&known["name"], &known["is_owner"]), (&json!("Jane@example.com"), &json!(false)));
    assert_eq!(
        (&known["applications"][0]["id"], &known["applications"][0]["role"]),
        (&json!(KEY), &json!("editor"))
    );
    let list = run(&bench, &["user", "list"]);
    assert!(
        list.contains("signs in by")
            && list.lines().any(|line| line.contains("Jane@") && line.contains("provider")),
        "{list}"
    );
    let both = run(&bench, &["user", "list", "--json"]);
    assert_eq!(serde_json::from_str::<Value>(&both).unwrap()[0]["signs_in_by"], json!(["provider"]));
    // A new account of the provider's has the address: it is nobody's until the operator says so, which ends all sessions.
    provider.says("jane2", &json!({ "email": "jane@example.com" }));
    assert_eq!(refused(&by("jane2")), "other");
    run(&bench, &["user", "unbind", "jane@example.com"]);
    assert_eq!(bench.database.psql("SELECT count(*) FROM web_sessions"), "0");
    let again =
        alt().args(["user", "unbind", "jane@example.com", "--config"]).arg(&bench.config).output().unwrap();
    assert!(String::from_utf8_lossy(&again.stderr).contains("never signed in by a provider"));
    assert!(session(&by("jane2")).is_some());
    assert_eq!(refused(&by("Jane")), "other");
    assert_eq!(
        bench.database.psql("SELECT sum(refused) FROM web_users"),
        "0",
        "nobody guesses what a provider says"
    );
    // Who was removed is not added again: neither by the account at the provider, nor by the address.
    let jane2 = session(&by("jane2")).unwrap();
    run(&bench, &["user", "remove", "jane@example.com"]);
    assert_eq!(api.ask("GET", "/api/v1/session", &jane2, "").status, 401);
    provider.says("jane2", &json!({ "email": "new@example.com" }));
    provider.says("jane3", &json!({ "email": "JANE@example.com" }));
    for name in ["jane2", "jane3", "Jane"] {
        assert_eq!(refused(&by(name)), "unknown", "{name}");
    }
    // Unless an operator adds the person.
    run(&bench, &["user", "add", "new@example.com"]);
    assert_eq!(who(&api, &session(&by("jane2")).unwrap())["name"], "new@example.com");
    assert_eq!(bench.database.psql("SELECT count(*) FROM web_users"), "2");
}

#[test]
fn the_second_factor_is_asked_for_after_the_provider_and_by_another_server_too() {
    let provider = Provider::start(PUBLIC, true);
    let bench = bench(&provider.issuer);
    run(&bench, &["user", "add", "jane@example.com"]);
    let keys = keys(&bench, PUBLIC, &provider.issuer, "alt-es256", "");
    let [one, other] = ["one", "other"].map(|name| Api::start_as(&bench, name, &keys));
    let jane = person(&bench, &one, "jane@example.com") + OWN;
    let change =
        |method: &str, body: Value| one.ask(method, "/api/v1/session/totp", &jane, &body.to_string());
    let secret = change("POST", json!({ "current": PASSWORD })).json()["secret"].as_str().unwrap().to_owned();
    assert_eq!(change("PUT", json!({ "code": code(&secret, -1) })).status, 200);
    // Begun by one server, and finished by the other.
    let sent = start(&one, "?next=/system");
    let said = back(&other, &sent, &provider.sign_in(&sent.url, "jane"));
    assert_eq!(session(&said), None);
    assert_eq!(place(&said), "/sign-in?step=code&next=%2Fsystem");
    let named = cookie(&said);
    let bound = || bench.database.psql("SELECT count(*) FROM web_identities");
    assert_eq!(bound(), "0", "nobody is bound before the code is given");
    let by_code = |cookie: &str, body: Value| {
        one.ask("POST", "/api/v1/session", &(cookie.to_owned() + OWN + &from()), &body.to_string())
    };
    let now = code(&secret, 0);
    // Without the cookie, with that of before, or with another way to say who it is: nothing.
    for cookie in ["", &sent.cookie] {
        let said = by_code(cookie, json!({ "provider": true, "code": now }));
        assert_eq!((said.status, &said.json()["provider_needed"]), (401, &json!(true)), "{cookie}");
    }
    assert_eq!(by_code(&named, json!({ "provider": true, "email": "boss", "code": now })).status, 400);
    assert_eq!(by_code(&named, json!({ "provider": false, "code": now })).status, 400);
    for wrong in [json!({ "provider": true }), json!({ "provider": true, "code": "000000x" })] {
        let said = by_code(&named, wrong);
        assert_eq!((said.status, &said.json()["code_needed"]), (401, &json!(true)));
    }
    let said = by_code(&named, json!({ "provider": true, "code": now }));
    assert_eq!(said.status, 201, "{}", said.body);
    assert!(
        session(&said).is_some() && said.head.contains("__Host-alt_oidc=; Path=/; Max-Age=0"),
        "{}",
        said.head
    );
    assert_eq!(
        by_code(&named, json!({ "provider": true, "code": code(&secret, 1) })).status,
        401,
        "it has served"
    );
    assert_eq!(bound(), "1");
    assert_eq!(bench.database.psql("SELECT count(*) FROM web_flows"), "0");
    // The account that was guessed at too often takes no code from elsewhere, and what a provider refuses is no guess.
    bench
        .database
        .psql("UPDATE web_users SET refused = 100 WHERE name = 'jane@example.com'; DELETE FROM web_sessions");
    let sent = start(&one, "");
    let named = cookie(&back(&one, &sent, &provider.sign_in(&sent.url, "jane")));
    bench.database.psql("UPDATE web_users SET totp_step = 0");
    let code_now = json!({ "provider": true, "code": code(&secret, 0) });
    let said = by_code(&named, code_now.clone());
    assert_eq!((said.status, &said.json()["code_needed"]), (401, &json!(true)), "{}", said.body);
    bench.database.psql("UPDATE web_users SET refused = 99 WHERE name = 'jane@example.com'");
    assert_eq!(by_code(&named, code_now).status, 201);
    assert_eq!(bench.database.psql("SELECT refused FROM web_users WHERE name = 'jane@example.com'"), "0");
    // Ten codes a minute, as with a password.
    let sent = start(&one, "");
    let named =
        cookie(&back(&one, &sent, &provider.sign_in(&sent.url, "jane"))) + OWN + "X-Real-IP: 192.0.2.9\r\n";
    let wrong = json!({ "provider": true, "code": "000000" }).to_string();
    let tried: Vec<u16> =
        (0..11).map(|_| one.ask("POST", "/api/v1/session", &named, &wrong).status).collect();
    assert_eq!((tried[9], tried[10]), (401, 429), "{tried:?}");
    // And not after its time.
    bench.database.psql("UPDATE web_flows SET expires_at = now()");
    let said = by_code(
        &named.replace("X-Real-IP: 192.0.2.9\r\n", ""),
        json!({ "provider": true, "code": code(&secret, 1) }),
    );
    assert_eq!(said.json()["provider_needed"], json!(true), "{}", said.body);
}

/// An installation with a provider that says what it is told to.
struct Stage {
    liar: Liar,
    bench: Bench,
    api: Api,
}

impl Stage {
    fn new(more: &str) -> Stage {
        let liar = Liar::start();
        let bench = bench(&liar.issuer());
        run(&bench, &["user", "add", "jane@example.com"]);
        let api = Api::start(&bench, &keys(&bench, PUBLIC, &liar.issuer(), "alt", more));
        Stage { liar, bench, api }
    }

    /// What an honest provider would say of her.
    fn claims(&self, sent: &Sent) -> Value {
        let now = jiff::Timestamp::now().as_second();
        json!({
            "iss": self.liar.issuer(), "aud": "alt", "sub": "7", "exp": now + 300, "iat": now,
            "nonce": sent.parameter("nonce"), "email": "jane@example.com", "email_verified": true,
        })
    }

    /// Signs in, where the provider gives this for the code.
    fn by(&self, token: impl Fn(Value) -> String) -> Said {
        let sent = start(&self.api, "");
        let token = token(self.claims(&sent));
        self.liar.says("/token", Reply::Json(json!({ "access_token": "a", "id_token": token })));
        back(&self.api, &sent, &callback(&sent, "code=c"))
    }

    fn refuses(&self, what: &str, token: impl Fn(Value) -> String) {
        assert_eq!(refused(&self.by(token)), "provider", "{what}");
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.bench.path("web.stderr")).unwrap()
    }
}

/// Where a provider sends the browser.
fn callback(sent: &Sent, more: &str) -> String {
    format!("/api/v1/session/oidc/callback?{more}&state={}&session_state=x", sent.parameter("state"))
}

#[test]
fn a_token_that_lies_signs_nobody_in() {
    let stage = Stage::new("allow = [\"example.org\"]");
    let honest = stage.by(|claims| signed(1, &claims));
    assert!(session(&honest).is_some(), "{}\n{}", honest.head, stage.log());
    // The secret is in the body, where the provider wants it there, and the code's proof is that of its challenge.
    let asked = stage.liar.asked("/token").pop().unwrap();
    assert!(
        asked.contains("client_secret=a+secret%3A+with+%25+and+%2B") && asked.contains("code_verifier="),
        "{asked}"
    );
    assert!(!asked.to_ascii_lowercase().contains("authorization:"), "{asked}");
    let with = |name: &'static str, value: Value| {
        move |mut claims: Value| {
            claims[name] = value.clone();
            signed(1, &claims)
        }
    };
    let now = jiff::Timestamp::now().as_second();
    stage.refuses("another nonce", with("nonce", json!("other")));
    stage.refuses("no nonce", with("nonce", json!(null)));
    stage.refuses("another client", with("aud", json!("other")));
    stage.refuses("several clients", with("aud", json!(["alt", "other"])));
    stage.refuses("given to another client", with("azp", json!("other")));
    stage.refuses("another issuer", with("iss", json!("https://other.example")));
    stage.refuses("expired", with("exp", json!(now - 100)));
    stage.refuses("old", with("iat", json!(now - 1000)));
    stage.refuses("of the future", with("iat", json!(now + 1000)));
    stage.refuses("nobody", with("sub", json!("")));
    for alg in ["none", "None", "NONE"] {
        stage.refuses(alg, |claims| unsigned(&json!({ "alg": alg }), &claims) + ".");
        stage.refuses(alg, |claims| {
            let honest = signed(1, &claims);
            format!(
                "{}.{}",
                unsigned(&json!({ "alg": alg, "kid": "k1" }), &claims),
                honest.rsplit('.').next().unwrap()
            )
        });
    }
    // With what both sides know as a key: the client's secret, and the provider's public key.
    for key in [SECRET.to_owned(), jwk(1)["x"].as_str().unwrap().to_owned(), jwk(1).to_string()] {
        for kid in [json!({ "alg": "HS256" }), json!({ "alg": "HS256", "kid": "k1" })] {
            stage.refuses("HS256", |claims| hs256(&kid, &claims, key.as_bytes()));
        }
    }
    stage.refuses("another key of the same name", |claims| {
        signed_as(2, &json!({ "alg": "EdDSA", "kid": "k1" }), &claims)
    });
    stage.refuses("a key that the token brings along", |claims| {
        let head = json!({ "alg": "EdDSA", "jwk": jwk(2), "jku": format!("{}/other", stage.liar.issuer()) });
        signed_as(2, &head, &claims)
    });
    stage.refuses("no token", |_| String::new());
    stage.refuses("a long one", |claims| signed(1, &claims) + &"A".repeat(20_000));
    assert!(stage.liar.asked("/other").is_empty());
    // What it says of the person: by the same subject she is known; another one needs an address that is confirmed.
    let of = |more: Value| {
        let said = stage.by(|mut claims| {
            claims["sub"] = json!("8");
            claims.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            signed(1, &claims)
        });
        refused(&said)
    };
    assert_eq!(of(json!({})), "other");
    assert_eq!(of(json!({ "email_verified": false })), "unverified");
    assert_eq!(of(json!({ "email_verified": null })), "unverified");
    assert_eq!(of(json!({ "email": "x@example.com" })), "unknown", "of a domain that is not allowed");
    assert_eq!(of(json!({ "email": "x@example.org", "email_verified": false })), "unverified");
    assert_eq!(of(json!({ "email": "jane@example.com@example.org" })), "unverified", "of two domains");
}

/// Signed with a key that both sides have.
fn hs256(head: &Value, claims: &Value, key: &[u8]) -> String {
    use base64::Engine;
    let signed = unsigned(head, claims);
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, key);
    let signature = ring::hmac::sign(&key, signed.as_bytes());
    format!("{signed}.{}", base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(signature.as_ref()))
}

#[test]
fn a_state_is_one_browser_s_and_taken_once_and_a_code_is_too() {
    let stage = Stage::new("");
    let sent = start(&stage.api, "");
    let other = start(&stage.api, "");
    stage.liar.says("/token", Reply::Json(json!({ "id_token": signed(1, &stage.claims(&sent)) })));
    let as_other = Sent { url: sent.url.clone(), cookie: other.cookie.clone() };
    let nobody = Sent { url: sent.url.clone(), cookie: String::new() };
    for wrong in [&as_other, &nobody] {
        assert_eq!(refused(&back(&stage.api, wrong, &callback(wrong, "code=c"))), "state");
    }
    for query in [
        "",
        "?code=c",
        "?code=c&state=",
        "?code=c&state=unknown",
        "?state=a&state=b&code=c",
        "?code=c&state=%00",
    ] {
        let target = format!("/api/v1/session/oidc/callback{query}");
        assert_eq!(refused(&back(&stage.api, &sent, &target)), "state", "{query}");
    }
    assert!(stage.liar.asked("/token").is_empty(), "no code is taken to the provider");
    // The state was of no use to others, and serves once.
    let place = callback(&sent, "code=c");
    assert!(session(&back(&stage.api, &sent, &place)).is_some(), "{}", stage.log());
    assert_eq!(refused(&back(&stage.api, &sent, &place)), "state");
    // A code that another browser was given brings a token of that one's nonce.
    stage.liar.says("/token", Reply::Json(json!({ "id_token": signed(1, &stage.claims(&sent)) })));
    assert_eq!(refused(&back(&stage.api, &other, &callback(&other, "code=c"))), "provider");
    // One that says no, and one that is answered by another provider.
    for (query, why) in [
        ("error=access_denied&code=c&error_description=%3Cb%3Eno", "denied"),
        ("error=server_error&code=c", "provider"),
        ("code=c&iss=https://other.example", "provider"),
        ("iss=", "provider"),
    ] {
        let sent = start(&stage.api, "");
        stage.liar.says("/token", Reply::Json(json!({ "id_token": signed(1, &stage.claims(&sent)) })));
        let said = back(&stage.api, &sent, &callback(&sent, query));
        assert_eq!(refused(&said), why, "{query}");
        assert!(!said.head.contains("%3Cb") && !said.body.contains("<b>"));
    }
    // Its time ends, and the table has bounds.
    let sent = start(&stage.api, "");
    stage.bench.database.psql("UPDATE web_flows SET expires_at = now() - interval '1 s'");
    assert_eq!(refused(&back(&stage.api, &sent, &callback(&sent, "code=c"))), "state");
    stage.bench.database.psql(
        "INSERT INTO web_flows (browser, state, next, expires_at) \
         SELECT sha256(n::text::bytea), sha256(n::text::bytea), '/', now() + interval '5 min' + n * interval '1 ms' FROM generate_series(1, 20010) n",
    );
    start(&stage.api, "");
    assert_eq!(stage.bench.database.psql("SELECT count(*) FROM web_flows"), "20001");
    // What the database keeps lets nobody finish what somebody else began.
    let kept = stage.bench.database.psql("SELECT row_to_json(f) FROM web_flows f");
    assert!(!kept.contains(&sent.parameter("state")) && !kept.contains(&sent.parameter("nonce")));
}

#[test]
fn a_browser_is_sent_nowhere_but_to_the_provider_and_to_paths_of_this_server() {
    let stage = Stage::new("");
    for next in [
        "//evil.example",
        "/%5Cevil.example",
        "https://evil.example",
        "%0d%0aSet-Cookie:a",
        "/a%0d%0ab",
        "/%09/evil",
        "/api/v1/session/oidc",
    ] {
        let sent = start(&stage.api, &format!("?next={next}"));
        stage.liar.says("/token", Reply::Json(json!({ "id_token": signed(1, &stage.claims(&sent)) })));
        let said = back(&stage.api, &sent, &callback(&sent, "code=c"));
        assert!(session(&said).is_some(), "{next}: {}", stage.log());
        assert_eq!(place(&said), "/", "{next}");
    }
    // Neither the header `Host` nor another one says where the provider sends people back to.
    let said =
        stage.api.ask("GET", "/api/v1/session/oidc", &(from() + "X-Forwarded-Host: evil.example\r\n"), "");
    assert!(!place(&said).contains("evil"), "{}", said.head);
    // Twenty a minute from one address, as with passwords.
    let tried: Vec<String> = (0..21)
        .map(|_| {
            place(&stage.api.ask("GET", "/api/v1/session/oidc", "X-Real-IP: 192.0.2.7\r\n", "")).to_owned()
        })
        .collect();
    assert!(tried[19].starts_with("http://127.0.0.1"), "{tried:?}");
    assert_eq!(tried[20], "/sign-in?failed=often");
    // Without a provider, there is none.
    let without = Api::start_as(&stage.bench, "without", "");
    assert_eq!(without.ask("GET", "/api/v1/session/oidc", "", "").status, 404);
    assert_eq!(without.ask("GET", "/api/v1/session/ways", "", "").json(), json!({ "provider": null }));
}

/// What a provider does once a browser was sent to it.
type Does<'a> = dyn Fn(&Sent) -> Reply + 'a;

#[test]
fn a_provider_that_hangs_pours_or_leads_elsewhere_holds_up_nobody() {
    let stage = Stage::new("");
    // Somebody inside, whom nothing allows to reach.
    let inside = Liar::start();
    inside.says("/jwks", Reply::Json(json!({ "keys": [jwk(1)] })));
    let redirect = |path: &str| {
        Reply::Raw(format!(
            "HTTP/1.1 307 Temporary Redirect\r\nLocation: {}{path}\r\nContent-Length: 0\r\n\r\n",
            inside.issuer()
        ))
    };
    // Each of these has the token of an honest answer in it, where it has one.
    let honest = |sent: &Sent| signed(1, &stage.claims(sent));
    let large = |sent: &Sent| Reply::Json(json!({ "id_token": honest(sent), "x": "x".repeat(300_000) }));
    let fails = |sent: &Sent| {
        let body = json!({ "id_token": honest(sent) }).to_string();
        Reply::Raw(format!("HTTP/1.1 500 Oh\r\nContent-Length: {}\r\n\r\n{body}", body.len()))
    };
    let sent = start(&stage.api, "");
    stage.liar.says("/token", Reply::Json(json!({ "id_token": honest(&sent) })));
    assert!(session(&back(&stage.api, &sent, &callback(&sent, "code=c"))).is_some());
    let what_it_does: [(&str, &Does<'_>); 7] = [
        ("hangs", &|_| Reply::Hang),
        ("drips", &|_| Reply::Drip),
        ("pours", &|_| Reply::Pour),
        ("is large", &large),
        ("leads inside", &|_| redirect("/token")),
        ("is no JSON", &|_| Reply::Raw("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc".to_owned())),
        ("fails", &fails),
    ];
    for (what, reply) in what_it_does {
        let sent = start(&stage.api, "");
        let reply = reply(&sent);
        // Whoever follows what leads inside finds what is honest there.
        inside.says("/token", Reply::Json(json!({ "id_token": honest(&sent) })));
        stage.liar.says("/token", reply);
        let began = Instant::now();
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| refused(&back(&stage.api, &sent, &callback(&sent, "code=c"))));
            std::thread::sleep(Duration::from_millis(100));
            let asked = Instant::now();
            assert_eq!(stage.api.ask("GET", "/health", "", "").status, 200);
            assert!(asked.elapsed() < Duration::from_secs(3), "{what}");
            assert_eq!(waiting.join().unwrap(), "provider", "{what}");
        });
        assert!(began.elapsed() < Duration::from_secs(11), "{what}: {:?}", began.elapsed());
    }
    assert!(inside.asked("/token").is_empty());
    // What it says of itself leads inside, or to where there is no TLS.
    for (name, value) in [
        ("token_endpoint", format!("{}/token", inside.issuer())),
        ("jwks_uri", format!("{}/jwks", inside.issuer())),
        ("jwks_uri", "http://169.254.169.254/latest/meta-data".to_owned()),
        ("authorization_endpoint", "javascript:alert(1)".to_owned()),
        ("issuer", "https://other.example".to_owned()),
        ("issuer", format!("{}/", stage.liar.issuer())),
    ] {
        let mut document = stage.liar.document();
        document[name] = json!(value);
        stage.liar.says("/.well-known/openid-configuration", Reply::Json(document));
        let api = Api::start_as(
            &stage.bench,
            "again",
            &keys(&stage.bench, PUBLIC, &stage.liar.issuer(), "alt", ""),
        );
        let said = api.ask("GET", "/api/v1/session/oidc", &from(), "");
        if name == "issuer" || name == "authorization_endpoint" {
            assert_eq!(refused(&said), "provider", "{name}: {value}");
            continue;
        }
        let sent = Sent { url: place(&said).to_owned(), cookie: cookie(&said) };
        let token = Reply::Json(json!({ "id_token": signed(1, &stage.claims(&sent)) }));
        stage.liar.says("/token", token.clone());
        inside.says("/token", token);
        assert_eq!(refused(&back(&api, &sent, &callback(&sent, "code=c"))), "provider", "{name}: {value}");
    }
    assert!(inside.asked("/token").is_empty() && inside.asked("/jwks").is_empty());
    // It does not answer at all: each request is told so, and not each asks again.
    stage.liar.says("/.well-known/openid-configuration", Reply::Hang);
    let api =
        Api::start_as(&stage.bench, "last", &keys(&stage.bench, PUBLIC, &stage.liar.issuer(), "alt", ""));
    let asked = stage.liar.asked("/.well-known/openid-configuration").len();
    let began = Instant::now();
    for _ in 0..5 {
        assert_eq!(refused(&api.ask("GET", "/api/v1/session/oidc", &from(), "")), "provider");
    }
    assert!(began.elapsed() < Duration::from_secs(11), "{:?}", began.elapsed());
    assert!(stage.liar.asked("/.well-known/openid-configuration").len() <= asked + 2);
    // Nothing that it wrote is in the log.
    assert!(!stage.log().contains("xxxx"));
}

#[test]
fn keys_are_asked_for_again_once_where_a_token_names_another() {
    let stage = Stage::new("");
    let is_in = |said: &Said| session(said).is_some();
    assert!(is_in(&stage.by(|claims| signed(1, &claims))));
    assert!(is_in(&stage.by(|claims| signed(1, &claims))));
    assert_eq!(stage.liar.asked("/jwks").len(), 1, "they are kept");
    // The provider changes its keys.
    stage.liar.says("/jwks", Reply::Json(json!({ "keys": [jwk(2), { "kty": "EC", "crv": "P-521" }] })));
    assert!(is_in(&stage.by(|claims| signed(2, &claims))));
    assert_eq!(stage.liar.asked("/jwks").len(), 2);
    stage.refuses("the old key", |claims| signed(1, &claims));
    // Tokens that name keys of no one do not make it ask again and again.
    for _ in 0..5 {
        stage.refuses("a key that is not there", |claims| signed(3, &claims));
    }
    assert_eq!(stage.liar.asked("/jwks").len(), 2);
    assert_eq!(stage.liar.asked("/.well-known/openid-configuration").len(), 1);
}

#[test]
fn the_address_may_come_with_the_token_or_be_asked_for() {
    let stage = Stage::new("");
    let without = |mut claims: Value| {
        claims.as_object_mut().unwrap().remove("email");
        claims.as_object_mut().unwrap().remove("email_verified");
        signed(1, &claims)
    };
    for (said, why) in [
        (json!({ "sub": "8", "email": "jane@example.com", "email_verified": true }), "unverified"),
        (json!({ "email": "jane@example.com", "email_verified": true }), "unverified"),
        (json!({ "sub": "7", "email": "jane@example.com", "email_verified": false }), "unverified"),
        (json!([]), "provider"),
    ] {
        stage.liar.says("/me", Reply::Json(said.clone()));
        assert_eq!(refused(&stage.by(without)), why, "{said}");
    }
    stage
        .liar
        .says("/me", Reply::Json(json!({ "sub": "7", "email": "jane@example.com", "email_verified": true })));
    assert!(session(&stage.by(without)).is_some());
    assert!(stage.liar.asked("/me").pop().unwrap().contains("authorization: Bearer a\r\n"));
    // Who is known by the subject needs none.
    let asked = stage.liar.asked("/me").len();
    assert!(session(&stage.by(without)).is_some());
    assert_eq!(stage.liar.asked("/me").len(), asked);
}

#[test]
fn check_says_what_is_wrong_with_the_provider() {
    let stage = Stage::new("");
    let said = |issuer: &str, more: &str, public: &str| {
        let text = std::fs::read_to_string(&stage.bench.config).unwrap();
        let text = text.split("\n[web]").next().unwrap().to_owned();
        let secret = stage.bench.path("client");
        let config = stage.bench.path("checked.toml");
        let web = format!(
            "{text}\n[web]\n{public}\n[web.oidc]\nissuer = \"{issuer}\"\nclient_id = \"alt\"\nsecret_file = \"{}\"\n{more}\n",
            secret.display()
        );
        std::fs::write(&config, web).unwrap();
        let output = alt().args(["check", "--config"]).arg(&config).output().unwrap();
        String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
    };
    let public = format!("public_url = \"{PUBLIC}\"");
    let issuer = stage.liar.issuer();
    let right = said(&issuer, "", &public);
    assert!(!right.contains("web.oidc"), "{right}");
    let no_public = said(&issuer, "", "");
    assert!(no_public.contains("[web.oidc] needs `public_url` in [web]"), "{no_public}");
    let slash = said(&format!("{issuer}/"), "", &public);
    assert!(slash.contains("nobody signs in by") && slash.contains("to the last slash"), "{slash}");
    let gone = said("https://127.0.0.1:9", "", &public);
    assert!(gone.contains("allow = [\"127.0.0.1:9\"]"), "{gone}");
    open_to(&stage.bench, 0o644);
    let open = said(&issuer, "", &public);
    assert!(open.contains("holds the secret of [web.oidc], and everybody"), "{open}");
    std::fs::write(stage.bench.path("client"), "").unwrap();
    let empty = said(&issuer, "", &public);
    assert!(empty.contains("secret_file holds 0 lines"), "{empty}");
}

#[test]
fn somebody_signs_in_by_the_provider_in_a_browser() {
    if !Engine::Blink.is_here() {
        return;
    }
    let (bench, first, _token) = demo();
    drop(first);
    let port = free_port();
    let public = format!("http://127.0.0.1:{port}");
    let provider = Provider::start(&public, false);
    allow(&bench, &provider.issuer);
    run(&bench, &["user", "add", "jane@example.com", "--owner"]);
    let server = Server::start_on(&bench, port, &keys(&bench, &public, &provider.issuer, "alt-eddsa", ""));
    let mut page = Page::new(&server.url, None);
    page.go("/sign-in?next=/system");
    page.check_access();
    page.check();
    assert_eq!(page.text("a.other"), "Continue with Example");
    if let Some(to) = std::env::var_os("ALT_SHOTS") {
        shots(&mut page, std::path::Path::new(&to));
    }
    let click = |page: &mut Page| drop(page.driver.js("document.querySelector('a.other').click()"));
    // At the provider, as anybody; then to where one wanted to go.
    let at_provider = |page: &mut Page, name: &str| {
        page.driver.until("document.querySelector('[name=login]')");
        page.driver.js(&format!("document.querySelector('[name=login]').value = '{name}'"));
        page.driver.js("document.querySelector('[name=password]').value = 'any'; document.querySelector('form').submit()");
        page.driver.until("document.querySelector('[name=prompt][value=consent]')");
        page.driver.js("document.querySelector('form').submit()");
    };
    click(&mut page);
    at_provider(&mut page, "jane");
    page.driver.until("location.pathname === '/system' && document.querySelector('main')");
    page.settle();
    assert_eq!(page.value("document.cookie"), json!(""), "scripts see no cookie");
    page.check();
    // Whoever may not is told why, in words of this page alone.
    page.driver.cdp("Network.clearBrowserCookies", &json!({}));
    page.go("/sign-in?next=/system");
    click(&mut page);
    at_provider(&mut page, "stranger");
    page.driver.until("document.querySelector('[role=alert]')");
    assert!(page.text("[role=alert]").starts_with("Nobody with your e-mail address may sign in here."));
    assert_eq!(page.value("location.search"), json!("?failed=unknown&next=%2Fsystem"));
    page.check_access();
    page.check();
    // What stands in the address is no text of the page.
    page.go("/sign-in?failed=%3Cimg%20src=x%3E");
    assert_eq!(page.value("document.querySelector('[role=alert]')"), Value::Null);
    page.go("/sign-in?failed=constructor");
    assert_eq!(page.value("document.querySelector('[role=alert]')"), Value::Null);
    for word in ["state", "denied", "provider", "unverified", "unknown", "other", "often", "later"] {
        page.go(&format!("/sign-in?failed={word}"));
        let said = page.text("[role=alert]");
        assert!(said.len() > 20 && !said.contains('{'), "{word}: {said}");
    }
    // The code alone is asked for; without a sign-in that waits for it, it begins again.
    page.go("/sign-in?step=code");
    page.check_access();
    assert_eq!(
        page.value("[...document.querySelectorAll('input')].map(one => one.name).join()"),
        json!("code")
    );
    page.driver.keys(&["123456", "\u{e007}"]);
    page.driver.until("document.querySelector('[role=alert]')");
    assert!(page.text("[role=alert]").starts_with("Signing in took too long"));
    assert_eq!(
        page.value("[...document.querySelectorAll('input')].map(one => one.name).join()"),
        json!("email,password")
    );
}

/// Pictures of the page to sign in.
fn shots(page: &mut Page, to: &std::path::Path) {
    use base64::Engine;
    for width in [390, 1440] {
        for theme in ["light", "dark"] {
            let metrics =
                json!({ "width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 500 });
            page.driver.cdp("Emulation.setDeviceMetricsOverride", &metrics);
            page.set_theme(theme);
            for query in ["?next=/system", "?failed=provider", "?step=code"] {
                page.go(&format!("/sign-in{query}"));
                let shot = page.driver.cdp("Page.captureScreenshot", &json!({ "format": "png" }));
                let bytes =
                    base64::engine::general_purpose::STANDARD.decode(shot["data"].as_str().unwrap()).unwrap();
                let name = format!("signin-{width}-{theme}-{}.png", &query[1..5]);
                std::fs::write(to.join(name), bytes).unwrap();
            }
        }
    }
    page.driver.cdp("Emulation.clearDeviceMetricsOverride", &json!({}));
    page.go("/sign-in?next=/system");
}
