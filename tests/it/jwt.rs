//! JSON Web Tokens: what is given in exchange for a token, what it may do, and when it ends.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::serve::{Api, bearer, run, token};
use crate::support::bench::Bench;
use crate::support::daemon::wait_for;
use crate::support::lines::KEY;
use crate::support::postgres::Database;

/// HMAC-SHA-256 by its definition (RFC 2104), with a key of 32 bytes.
fn hmac(key: &[u8], text: &str) -> Vec<u8> {
    let pad =
        |with: u8| -> Vec<u8> { (0..64).map(|n| key.get(n).copied().unwrap_or_default() ^ with).collect() };
    let inner = Sha256::digest([pad(0x36).as_slice(), text.as_bytes()].concat());
    Sha256::digest([pad(0x5c).as_slice(), inner.as_slice()].concat()).to_vec()
}

/// As somebody signs who has a key.
fn signed(header: &str, claims: &Value, key: &[u8]) -> String {
    let text = format!("{}.{}", BASE64.encode(header), BASE64.encode(claims.to_string()));
    format!("{text}.{}", BASE64.encode(hmac(key, &text)))
}

fn claims_of(jwt: &str) -> Value {
    serde_json::from_slice(&BASE64.decode(jwt.split('.').nth(1).unwrap()).unwrap()).unwrap()
}

fn exchanged(api: &Api, secret: &str) -> String {
    let said = api.ask("POST", "/api/v1/jwt", &bearer(secret), "");
    assert_eq!(said.status, 201, "{}", said.body);
    assert_eq!(said.header("cache-control"), Some("no-store"), "{}", said.head);
    let said = said.json();
    assert_eq!((&said["token_type"], &said["expires_in"]), (&json!("Bearer"), &json!(900)));
    said["access_token"].as_str().unwrap().to_owned()
}

const TARGET: &str = "/api/v1/applications";

#[test]
fn it_does_what_its_token_may_do_and_ends_with_it() {
    let bench = Bench::not_started("[[source]]\npaths = [\"DIR/beacon.log\"]", Database::create());
    // Kept as it is, by a version that sealed nothing: the server seals it, and goes on with it.
    let key_now = vec![0x5a; 32];
    bench.database.psql("INSERT INTO web_keys (secret) VALUES (decode(repeat('5a', 32), 'hex'))");
    let api = Api::start(&bench, "requests_per_minute = 100000");
    let kept = "SELECT count(*), min(length(secret)), bool_or(position('\\x5a5a5a'::bytea IN secret) > 0) FROM web_keys";
    wait_for(30, || bench.database.psql(kept) == "1|65|f", || bench.database.psql(kept));
    let secret = token(&bench, &["--role", "owner"]);
    let id = bench.database.psql("SELECT max(id) FROM web_tokens");
    let jwt = exchanged(&api, &secret);
    let ask = |jwt: &str| api.get(TARGET, jwt).status;
    assert_eq!(ask(&jwt), 200);
    // What is not signed by a key, or is signed and says something else, is nobody.
    let claims = claims_of(&jwt);
    let header = r#"{"alg":"HS256","typ":"JWT"}"#;
    assert_eq!(ask(&signed(header, &claims, &key_now)), 200);
    let with = |name: &str, value: Value| {
        let mut other = claims.clone();
        other[name] = value;
        other
    };
    let iat = claims["iat"].as_i64().unwrap();
    assert_eq!(claims["exp"], json!(iat + 900));
    for (what, other) in [
        ("over", with("exp", json!(iat - 1))),
        ("an end that is a text", with("exp", json!("9999999999"))),
        ("no end", with("exp", Value::Null)),
        ("another issuer", with("iss", json!("other"))),
        ("another token", with("sub", json!("999999"))),
        ("no token", with("sub", json!("owner"))),
        ("a token of another database", with("tok", json!("AAAA"))),
        ("a list", json!([claims])),
    ] {
        assert_eq!(ask(&signed(header, &other, &key_now)), 401, "{what}");
    }
    assert_eq!(ask(&signed(header, &claims, &[7; 32])), 401, "another key");
    assert_eq!(ask(&signed(header, &claims, &[])), 401, "no key");
    let parts: Vec<&str> = jwt.split('.').collect();
    for none in [r#"{"alg":"none"}"#, r#"{"alg":"None","typ":"JWT"}"#] {
        for signature in ["", parts[2]] {
            assert_eq!(ask(&format!("{}.{}.{signature}", BASE64.encode(none), parts[1])), 401, "{none}");
        }
    }
    // Only in the header.
    assert_eq!(api.ask("GET", TARGET, &format!("Cookie: alt_session={jwt}\r\n"), "").status, 401);
    let target = format!("/api/v1/statistics?application_id={KEY}&share={jwt}");
    assert_eq!(api.ask("GET", &target, "", "").status, 401);
    // It manages nobody, and gets no other one.
    for (method, target, body) in [
        ("GET", "/api/v1/tokens", ""),
        ("POST", "/api/v1/tokens", r#"{"name": "for ever"}"#),
        ("GET", "/api/v1/audit", ""),
        ("POST", "/api/v1/jwt", ""),
    ] {
        assert_eq!(api.ask(method, target, &bearer(&jwt), body).status, 403, "{method} {target}");
    }
    run(&bench, &["token", "revoke", &id]);
    assert_eq!(ask(&jwt), 401, "its token is revoked");
    // A database that was restored from a backup gives the key of a token to another one.
    bench.database.psql(&format!("UPDATE web_tokens SET revoked_at = NULL WHERE id = {id}"));
    assert_eq!(ask(&jwt), 200);
    bench.database.psql(&format!("UPDATE web_tokens SET secret = sha256(secret) WHERE id = {id}"));
    assert_eq!(ask(&jwt), 401, "another token");
}

#[test]
fn keys_are_replaced_and_what_they_signed_stays_valid_until_its_end() {
    let bench = Bench::not_started("[[source]]\npaths = [\"DIR/beacon.log\"]", Database::create());
    let api = Api::start(&bench, "requests_per_minute = 100000");
    let other = Api::start(&bench, "requests_per_minute = 100000");
    let secret = token(&bench, &["--app", "Shop", "--filter", "country is DE"]);
    let keys = || bench.database.psql("SELECT count(*) FROM web_keys");
    // At the same time, by two processes.
    let many: Vec<String> = std::thread::scope(|scope| {
        let all: Vec<_> = [&api, &other, &api, &other]
            .into_iter()
            .map(|api| {
                let secret = &secret;
                scope.spawn(move || exchanged(api, secret))
            })
            .collect();
        all.into_iter().map(|one| one.join().unwrap()).collect()
    });
    assert_eq!(keys(), "1");
    let ids: std::collections::BTreeSet<String> =
        many.iter().map(|jwt| claims_of(jwt)["jti"].to_string()).collect();
    assert_eq!(ids.len(), 4);
    let jwt = &many[0];
    assert_eq!(other.get(TARGET, jwt).status, 200);
    // What binds the token binds what was given for it.
    assert_eq!(api.get(&format!("/api/v1/live?application_id={KEY}"), jwt).status, 403);
    bench.database.psql("UPDATE web_keys SET created_at = now() - interval '30 days 15 minutes'");
    let newer = exchanged(&api, &secret);
    assert_eq!((keys().as_str(), api.get(TARGET, jwt).status), ("2", 200));
    let old = "UPDATE web_keys SET created_at = now() - interval '30 days 61 minutes' WHERE id = (SELECT min(id) FROM web_keys)";
    bench.database.psql(old);
    assert_eq!(api.get(TARGET, jwt).status, 401);
    assert_eq!(api.get(TARGET, &newer).status, 200);
    bench.database.psql("UPDATE web_keys SET created_at = created_at - interval '30 days 1 minute'");
    exchanged(&other, &secret);
    assert_eq!(keys(), "2", "the oldest is deleted");
}
