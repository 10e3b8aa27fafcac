//! Signing in: with a password, a link, a second factor; what is refused, and what a page of another site cannot do.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::serve::{Api, Said, bearer, run, token};
use crate::support::bench::Bench;
use crate::support::daemon::{KEY_OF_SECRETS, alt, wait_for};
use crate::support::lines::KEY;
use crate::support::pooler::Pooler;
use crate::support::postgres::Database;

pub(crate) const PASSWORD: &str = "otter quilt marble";

fn bench() -> Bench {
    Bench::not_started("[[source]]\npaths = [\"DIR/beacon.log\"]", Database::create())
}

/// What `alt user link` prints, as the secret of a link.
fn link(bench: &Bench, args: &[&str]) -> String {
    let said = run(bench, &[&["user", "link", "--plain"], args].concat());
    said.trim().split_once("/sign-in#link=").unwrap().1.to_owned()
}

fn sign_in(api: &Api, body: &Value) -> Said {
    sign_in_from(api, body, "192.0.2.1")
}

fn sign_in_from(api: &Api, body: &Value, address: &str) -> Said {
    let headers = format!("X-Real-IP: {address}\r\nX-Forwarded-Proto: https\r\n");
    api.ask("POST", "/api/v1/session", &headers, &body.to_string())
}

/// The header with the cookie that an answer sets.
pub(crate) fn cookie(said: &Said) -> String {
    let set = said.header("set-cookie").unwrap_or_else(|| panic!("no cookie: {} {}", said.head, said.body));
    format!("Cookie: other=1; {}\r\n", set.split(';').next().unwrap())
}

/// A person who has a password; the cookie.
pub(crate) fn person(bench: &Bench, api: &Api, name: &str) -> String {
    let said = sign_in(api, &json!({ "link": link(bench, &[name]), "password": PASSWORD }));
    assert_eq!(said.status, 201, "{}", said.body);
    cookie(&said)
}

pub(crate) const OWN: &str = "Sec-Fetch-Site: same-origin\r\n";

#[test]
fn a_person_signs_in_by_a_link_once_and_then_with_the_password() {
    let bench = bench();
    let api = Api::start(&bench, "");
    // The first person's link is printed at once.
    let said = run(&bench, &["user", "add", "jane@example.com"]);
    let first = said.split("/sign-in#link=").nth(1).unwrap().split_whitespace().next().unwrap().to_owned();
    assert!(!run(&bench, &["user", "add", "boss", "--owner"]).contains("#link="));
    let twice = alt().args(["user", "add", "BOSS", "--config"]).arg(&bench.config).output().unwrap();
    assert!(String::from_utf8_lossy(&twice.stderr).contains("is named BOSS already"), "{twice:?}");
    run(&bench, &["user", "grant", "jane@example.com", "--app", KEY, "--role", "viewer"]);
    // Too short, and hardly more than the name: the link stays valid.
    for bad in ["short", "jane@example.com", "password1234", "shop-shop-shop!"] {
        let said = sign_in(&api, &json!({ "link": first, "password": bad }));
        assert_eq!(said.status, 400, "{bad}: {}", said.body);
    }
    let said = sign_in(&api, &json!({ "link": first, "password": PASSWORD }));
    assert_eq!(said.status, 201, "{}", said.body);
    let set = said.header("set-cookie").unwrap();
    for part in ["alt_session=alt_", "; Path=/", "; HttpOnly", "; SameSite=Strict", "; Secure"] {
        assert!(set.contains(part), "{set}");
    }
    assert_eq!(sign_in(&api, &json!({ "link": first })).status, 401, "it is used");
    let jane = cookie(&said);
    let who = api.ask("GET", "/api/v1/session", &jane, "").json();
    assert_eq!(
        (&who["name"], &who["kind"], &who["is_owner"]),
        (&json!("jane@example.com"), &json!("person"), &json!(false))
    );
    assert_eq!(who["applications"][0]["role"], "viewer");
    assert_eq!((&who["has_password"], &who["has_totp"]), (&json!(true), &json!(false)));
    // She may do what she was granted.
    let statistics = format!("/api/v1/statistics?application_id={KEY}");
    for (target, status) in [
        (statistics.as_str(), 200),
        ("/api/v1/shares?application_id=shop", 403),
        ("/api/v1/users", 403),
        ("/api/v1/live?application_id=x", 404),
    ] {
        assert_eq!(api.ask("GET", target, &jane, "").status, status, "{target}");
    }
    // By her password: two sessions, of which one ends.
    let said = sign_in(&api, &json!({ "email": " Jane@Example.com", "password": PASSWORD }));
    assert_eq!(said.status, 201, "{}", said.body);
    let second = cookie(&said);
    let ended = api.ask("DELETE", "/api/v1/session", &(jane.clone() + OWN), "");
    assert_eq!(ended.status, 200, "{}", ended.body);
    assert!(ended.header("set-cookie").unwrap().contains("Max-Age=0"));
    assert_eq!(api.ask("GET", &statistics, &jane, "").status, 401);
    assert_eq!(api.ask("GET", &statistics, &second, "").status, 200);
    // A session is not a token, and a token is no session.
    let secret = second.split("alt_session=").nth(1).unwrap().trim();
    assert_eq!(api.get(&statistics, secret).status, 401);
    let cookie = format!("Cookie: alt_session={}\r\n", token(&bench, &["--app", KEY]));
    assert_eq!(api.ask("GET", &statistics, &cookie, "").status, 401);
    // It ends when it was not used for long, when its time is over, and with the person.
    for (change, status) in [
        ("used_at = now() - interval '8 days'", 401),
        ("used_at = now() - interval '6 days'", 200),
        ("expires_at = now()", 401),
        ("expires_at = now() + interval '1 day'", 200),
    ] {
        bench.database.psql(&format!("UPDATE web_sessions SET {change}"));
        assert_eq!(api.ask("GET", &statistics, &second, "").status, status, "{change}");
    }
    // A second of its use is recorded.
    let recorded =
        || bench.database.psql("SELECT bool_and(used_at > now() - interval '1 minute') FROM web_sessions");
    crate::support::daemon::wait_for(20, || recorded() == "t", recorded);
    run(&bench, &["user", "remove", "jane@example.com"]);
    assert_eq!(api.ask("GET", &statistics, &second, "").status, 401);
    // A link ends by itself.
    let boss = link(&bench, &["boss"]);
    bench.database.psql("UPDATE web_links SET expires_at = now()");
    assert_eq!(sign_in(&api, &json!({ "link": boss })).status, 401);
    // All of it is recorded, and no secret is.
    let actions = bench.database.psql("SELECT DISTINCT action FROM audit_log WHERE action LIKE 'session%' OR action ~ 'link|password' ORDER BY 1");
    assert_eq!(actions, "session.begin\nsession.end\nsession.refuse\nuser.link\nuser.password");
    let kept = bench.database.psql("SELECT row_to_json(a) FROM audit_log a")
        + &bench.database.psql("SELECT row_to_json(l) FROM web_links l");
    for secret in [&first, PASSWORD, secret, &boss] {
        assert!(!kept.contains(secret));
    }
}

#[test]
fn a_page_of_another_site_changes_nothing() {
    let bench = bench();
    let api = Api::start(&bench, "");
    run(&bench, &["user", "add", "boss", "--owner"]);
    let boss = person(&bench, &api, "boss");
    let made = |headers: &str| {
        let said = api.ask("POST", "/api/v1/tokens", &(boss.clone() + headers), r#"{"name": "made"}"#);
        assert!(said.status == 201 || said.body.contains("does not come from a page"), "{}", said.body);
        said.status
    };
    for (headers, status) in [
        ("", 403),
        ("Sec-Fetch-Site: cross-site\r\n", 403),
        ("Sec-Fetch-Site: same-site\r\n", 403),
        ("Sec-Fetch-Site: cross-site\r\nX-Alt-Request: 1\r\n", 403),
        ("Origin: https://evil.example\r\n", 403),
        ("Origin: null\r\n", 403),
        ("Origin: https://evil.example\r\nX-Alt-Request: 1\r\n", 403),
        ("Sec-Fetch-Site: same-origin\r\n", 201),
        ("Origin: http://localhost\r\n", 201),
        ("X-Alt-Request: 1\r\n", 201),
    ] {
        assert_eq!(made(headers), status, "{headers}");
    }
    assert_eq!(bench.database.psql("SELECT count(*) FROM web_tokens"), "3");
    // Nor does it sign somebody in, or ask a question that has a body.
    let body = json!({ "email": "boss", "password": PASSWORD }).to_string();
    for (headers, status) in
        [("Origin: https://evil.example\r\n", 403), ("Sec-Fetch-Site: cross-site\r\n", 403), ("", 201)]
    {
        let said = api.ask("POST", "/api/v1/session", &format!("{headers}X-Real-IP: 192.0.2.9\r\n"), &body);
        assert_eq!(said.status, status, "{headers}");
    }
    let body = r#"{"application_id": "shop"}"#;
    assert_eq!(api.ask("POST", "/api/v1/dashboard", &boss, body).status, 403);
    assert_eq!(api.ask("POST", "/api/v1/dashboard", &(boss.clone() + OWN), body).status, 200);
    // A token is nothing that a browser sends by itself.
    let secret = token(&bench, &["--app", KEY]);
    let headers = bearer(&secret) + "Origin: https://evil.example\r\n";
    assert_eq!(api.ask("POST", "/api/v1/dashboard", &headers, body).status, 200);
}

#[test]
fn what_is_refused_tells_nothing_and_guessing_is_slow() {
    let bench = bench();
    let api = Api::start(&bench, "");
    run(&bench, &["user", "add", "jane"]);
    run(&bench, &["user", "add", "without"]);
    person(&bench, &api, "jane");
    // A wrong password, an account without one, and no account: the same answer, and about the same time.
    let mut answers = Vec::new();
    let mut least = [Duration::MAX; 3];
    // A machine with other work to do delays any of them, so the least of each counts, of as many as it takes.
    for n in 0..60 {
        for (least, name) in least.iter_mut().zip(["jane", "without", "nobody"]) {
            let from = format!("10.0.{}.{n}", name.len());
            let began = Instant::now();
            let said =
                sign_in_from(&api, &json!({ "email": name, "password": "wrong horse battery" }), &from);
            *least = began.elapsed().min(*least);
            assert_eq!(said.status, 401, "{}", said.body);
            answers.push(said.body);
        }
        if n >= 8 && least.iter().max() < least.iter().map(|time| *time * 3 / 2).min().as_ref() {
            break;
        }
    }
    assert!(answers.windows(2).all(|two| two[0] == two[1]), "{answers:?}");
    assert!(least.iter().max() < least.iter().map(|time| *time * 2).min().as_ref(), "{least:?}");
    // What was typed as a name may be a password.
    let recorded = bench.database.psql("SELECT string_agg(DISTINCT object, ', ' ORDER BY object) FROM audit_log WHERE action = 'session.refuse'");
    assert_eq!(recorded, "an account that is not known, user jane, user without");
    // Of one address, and of one account from one address.
    let tries = |name: &str, from: &str| {
        let said = sign_in_from(&api, &json!({ "email": name, "password": PASSWORD }), from);
        assert!(said.status != 429 || said.header("retry-after").is_some());
        said.status
    };
    let statuses: Vec<u16> = (0..14).map(|_| tries("jane", "192.0.2.50")).collect();
    assert!(statuses[..10].iter().all(|status| *status == 201) && statuses[13] == 429, "{statuses:?}");
    assert_eq!(tries("jane", "192.0.2.51"), 201, "from elsewhere she is not shut out");
    assert!((0..40).any(|n| tries(&format!("nobody {n}"), "192.0.2.52") == 429));
    // Links are guessed no faster.
    let guess = |_| sign_in_from(&api, &json!({ "link": "alt_guess" }), "192.0.2.53").status;
    assert!((0..40).map(guess).any(|status| status == 429));
    for wrong in [
        json!({}),
        json!({ "email": "jane" }),
        json!({ "email": "jane", "link": "x" }),
        json!({ "email": 1 }),
        json!({ "password": PASSWORD }),
    ] {
        assert_eq!(sign_in_from(&api, &wrong, "192.0.2.54").status, 400, "{wrong}");
    }
}

/// The code of a secret now, or `steps` of 30 seconds later: by another implementation, as people's apps are.
pub(crate) fn code(secret: &str, steps: i64) -> String {
    let program = "import base64, hashlib, hmac, struct, sys, time\n\
        key = base64.b32decode(sys.argv[1])\n\
        mac = hmac.new(key, struct.pack('>q', int(time.time()) // 30 + int(sys.argv[2])), hashlib.sha1).digest()\n\
        at = mac[-1] & 15\n\
        print('%06d' % ((struct.unpack('>I', mac[at:at + 4])[0] & 0x7fffffff) % 1000000))";
    let output = std::process::Command::new("python3")
        .args(["-c", program, secret, &steps.to_string()])
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[test]
fn a_code_of_the_second_factor_is_needed_and_taken_once() {
    let bench = bench();
    let api = Api::start(&bench, "");
    run(&bench, &["user", "add", "jane"]);
    let jane = person(&bench, &api, "jane") + OWN;
    let change = |method: &str, path: &str, body: Value| {
        api.ask(method, &format!("/api/v1/session/{path}"), &jane, &body.to_string())
    };
    // A session that was left open is not enough.
    assert_eq!(change("POST", "totp", json!({})).status, 400);
    assert_eq!(change("POST", "totp", json!({ "current": "wrong horse battery" })).status, 403);
    let made = change("POST", "totp", json!({ "current": PASSWORD }));
    assert_eq!(made.status, 201, "{}", made.body);
    let secret = made.json()["secret"].as_str().unwrap().to_owned();
    assert!(made.json()["url"].as_str().unwrap().contains(&secret));
    let by_password = |more: Value, from: &str| {
        let mut body = json!({ "email": "jane", "password": PASSWORD });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        sign_in_from(&api, &body, from)
    };
    // It is asked for once it is confirmed.
    assert_eq!(by_password(json!({}), "10.0.0.1").status, 201);
    assert_eq!(change("PUT", "totp", json!({ "code": "000000x" })).status, 401);
    let confirmed = code(&secret, -1);
    assert_eq!(change("PUT", "totp", json!({ "code": confirmed })).status, 200);
    let said = by_password(json!({}), "10.0.0.2");
    assert_eq!((said.status, &said.json()["code_needed"]), (401, &json!(true)));
    let wrong =
        sign_in_from(&api, &json!({ "email": "jane", "password": "wrong horse battery" }), "10.0.0.2");
    assert!(
        wrong.status == 401 && wrong.json()["code_needed"].is_null(),
        "only who has the password is told"
    );
    // A code is used once, also that by which it was confirmed; and none that is older than one that was used.
    assert_eq!(by_password(json!({ "code": confirmed }), "10.0.0.3").status, 401);
    let now = code(&secret, 0);
    assert_eq!(by_password(json!({ "code": now }), "10.0.0.3").status, 201);
    assert_eq!(by_password(json!({ "code": now }), "10.0.0.3").status, 401);
    assert_eq!(by_password(json!({ "code": code(&secret, 1) }), "10.0.0.3").status, 201);
    assert_eq!(by_password(json!({ "code": code(&secret, 4) }), "10.0.0.3").status, 401);
    // A link does not go round it, unless root says so.
    let said = sign_in_from(
        &api,
        &json!({ "link": link(&bench, &["jane"]), "password": "another quilt marble" }),
        "10.0.0.4",
    );
    assert_eq!((said.status, &said.json()["code_needed"]), (401, &json!(true)));
    assert_eq!(by_password(json!({}), "10.0.0.4").status, 401);
    let free = link(&bench, &["jane", "--without-code"]);
    assert_eq!(sign_in_from(&api, &json!({ "link": free }), "10.0.0.5").status, 201);
    assert_eq!(by_password(json!({}), "10.0.0.5").status, 201);
    // Another password: needs the one until now, and ends the other sessions.
    assert_eq!(change("PUT", "password", json!({ "password": "another quilt marble" })).status, 400);
    assert_eq!(
        change("PUT", "password", json!({ "password": "another quilt marble", "current": PASSWORD })).status,
        200
    );
    assert_eq!(bench.database.psql("SELECT count(*) FROM web_sessions"), "1");
    assert_eq!(api.ask("GET", "/api/v1/session", &jane, "").status, 200);
    assert_eq!(by_password(json!({}), "10.0.0.6").status, 401);
    // A token is no person.
    let owner = bearer(&token(&bench, &["--role", "owner"]));
    assert_eq!(
        api.ask("PUT", "/api/v1/session/password", &owner, r#"{"password": "another quilt marble"}"#).status,
        403
    );
}

/// Starts a server with these keys, and waits until it has looked at what is kept.
fn with_keys(bench: &Bench, name: &str, keys: &[&str]) -> Api {
    let file = bench.path(&format!("{name}.keys"));
    std::fs::write(&file, keys.join("\n")).unwrap();
    let api = Api::start_as(bench, name, &format!("key_file = \"{}\"", file.display()));
    wait_for(30, || api.get("/health", "").status == 200, || "not ready".to_owned());
    api
}

#[test]
fn secrets_are_sealed_by_a_key_that_is_not_in_the_database_and_can_be_replaced() {
    let bench = bench();
    let other = "b3RoZXIga2V5IG9mIDMyIGJ5dGVzIGZvciBhIHRlc3Q=";
    // Without a key, nothing is kept; what was kept before is taken all the same.
    let config = bench.path("none.toml");
    let text = std::fs::read_to_string(&bench.config).unwrap();
    let text = text.split("\n[web]").next().unwrap();
    std::fs::write(&config, format!("{text}\n[web]\nlisten = \"127.0.0.1:0\"\nadmin = \"off\"\n")).unwrap();
    let api = Api::run(&config, &bench.path("none.stderr"));
    run(&bench, &["user", "add", "jane"]);
    run(&bench, &["user", "add", "joe"]);
    let jane = person(&bench, &api, "jane") + OWN;
    let said = api.ask("POST", "/api/v1/session/totp", &jane, &json!({ "current": PASSWORD }).to_string());
    assert_eq!(said.status, 503, "{}", said.body);
    assert!(said.body.contains("alt setup --web"), "{}", said.body);
    let said = api.ask("POST", "/api/v1/jwt", &bearer(&token(&bench, &["--role", "owner"])), "");
    assert_eq!((said.status, said.body.contains("key_file")), (503, true), "{}", said.body);
    bench.database.psql("UPDATE web_users SET (totp, totp_new) = ('12345678901234567890'::bytea, '12345678901234567890'::bytea)");
    let base32 = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";
    let with_code = |api: &Api, name: &str, steps: i64| {
        let body = json!({ "email": name, "password": PASSWORD, "code": code(base32, steps) });
        sign_in_from(api, &body, "10.0.0.7").status
    };
    assert_eq!(with_code(&api, "jane", -1), 201);
    drop(api);
    // A key seals it at the next start, and is needed from then on.
    let kept = "SELECT string_agg(encode(totp, 'hex'), ' ' ORDER BY id) FROM web_users";
    let lengths = "SELECT string_agg(length(totp) || ' ' || coalesce(length(totp_new), 0), ', ' ORDER BY id) FROM web_users";
    let api = with_keys(&bench, "first", &[KEY_OF_SECRETS]);
    wait_for(30, || bench.database.psql(lengths).starts_with("53 53"), || bench.database.psql(lengths));
    let first = bench.database.psql(kept);
    assert!(!first.contains("3132333435"), "{first}");
    assert_eq!(with_code(&api, "jane", 0), 201);
    drop(api);
    // Started again with the same key, what is sealed stays as it is; with another in front of it, it is sealed anew; and then
    // the old one is not needed any more.
    let api = with_keys(&bench, "again", &[KEY_OF_SECRETS]);
    assert_eq!(bench.database.psql(kept), first);
    drop(api);
    let api = with_keys(&bench, "both", &[other, KEY_OF_SECRETS]);
    wait_for(30, || bench.database.psql(kept) != first, || "sealed as before".to_owned());
    drop(api);
    let api = with_keys(&bench, "new", &[other]);
    assert_eq!(with_code(&api, "jane", 1), 201);
    drop(api);
    // Without it, nobody signs in with a code, and the log says why; what is kept is not touched.
    let second = bench.database.psql(kept);
    let api = with_keys(&bench, "lost", &[KEY_OF_SECRETS]);
    bench.database.psql("UPDATE web_users SET totp_step = NULL");
    assert_eq!(with_code(&api, "jane", 0), 503);
    let log = bench.path("lost.stderr");
    let says = |what: &str| std::fs::read_to_string(&log).unwrap().contains(what);
    wait_for(
        30,
        || says("as a further line") && says("cannot be opened"),
        || std::fs::read_to_string(&log).unwrap(),
    );
    assert_eq!(bench.database.psql(kept), second);
    drop(api);
    // One that is copied into another row is nobody's.
    let api = with_keys(&bench, "copied", &[other]);
    bench.database.psql("UPDATE web_users SET totp = (SELECT totp FROM web_users WHERE name = 'jane')");
    let joe = link(&bench, &["joe"]);
    let body = json!({ "link": joe, "code": code(base32, 0) });
    assert_eq!(sign_in_from(&api, &body, "10.0.0.8").status, 503);
    assert_eq!(with_code(&api, "jane", 0), 201);
}

#[test]
fn a_file_that_holds_no_key_is_named_at_the_start() {
    let bench = bench();
    for (name, text, says) in [
        ("short", "c2hvcnQ=", "line 1 of key_file is no key"),
        ("bare", "# none\n", "key_file has no key"),
        ("absent", "-", "read key_file"),
    ] {
        let file = bench.path(name);
        if text != "-" {
            std::fs::write(&file, text).unwrap();
        }
        let config = bench.path("wrong.toml");
        let own = std::fs::read_to_string(&bench.config).unwrap();
        let own = own.split("\n[web]").next().unwrap();
        let web = format!("{own}\n[web]\nlisten = \"127.0.0.1:0\"\nkey_file = \"{}\"\n", file.display());
        std::fs::write(&config, web).unwrap();
        let output = alt().args(["serve", "--config"]).arg(&config).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && said.contains(says) && !said.contains("c2hvcnQ="), "{said}");
    }
}

#[test]
fn an_account_takes_a_hundred_wrong_passwords_and_then_none_from_elsewhere() {
    let bench = bench();
    let api = Api::start(&bench, "");
    run(&bench, &["user", "add", "jane"]);
    let _session = person(&bench, &api, "jane");
    let with = |password: &str, from: &str| {
        sign_in_from(&api, &json!({ "email": "JANE", "password": password }), from).status
    };
    // They are of the account, from wherever they come; one that is right begins anew.
    bench.database.psql("UPDATE web_users SET refused = 98");
    assert_eq!(with("wrong horse battery", "10.0.2.1"), 401);
    assert_eq!(bench.database.psql("SELECT refused FROM web_users"), "99");
    assert_eq!(with(PASSWORD, "10.0.2.2"), 201);
    assert_eq!(bench.database.psql("SELECT refused FROM web_users"), "0");
    bench.database.psql("UPDATE web_users SET refused = 99");
    assert_eq!(with("wrong horse battery", "10.0.2.3"), 401);
    let locked = |is: bool| run(&bench, &["user", "list", "--json"]).contains(&format!("\"is_locked\":{is}"));
    assert!(locked(true) && run(&bench, &["user", "list"]).contains("locked"));
    // The right password is refused as a wrong one is, and the record says why; where somebody is signed in, it is taken.
    assert_eq!(with(PASSWORD, "10.0.2.4"), 401);
    let why = "SELECT after FROM audit_log WHERE action = 'session.refuse' ORDER BY id DESC LIMIT 1";
    assert_eq!(bench.database.psql(why), r#"{"is_locked": true}"#);
    assert_eq!(with("wrong horse battery", "10.0.2.2"), 401);
    bench.database.psql("UPDATE web_sessions SET address = '2001:db8:1:2::1' WHERE address = '10.0.2.2'");
    assert_eq!(with(PASSWORD, "10.0.2.2"), 401);
    assert_eq!(with(PASSWORD, "2001:db8:1:3::1"), 401);
    assert_eq!(with(PASSWORD, "2001:db8:1:2:ffff::7"), 201);
    assert!(locked(false));
    // A link opens it, too.
    bench.database.psql("UPDATE web_users SET refused = 100");
    assert_eq!(with(PASSWORD, "10.0.2.5"), 401);
    assert_eq!(sign_in_from(&api, &json!({ "link": link(&bench, &["jane"]) }), "10.0.2.6").status, 201);
    assert_eq!(with(PASSWORD, "10.0.2.5"), 201);
    // Whoever signs in by a provider alone is not locked out by somebody who tries passwords.
    run(&bench, &["user", "add", "joan"]);
    let guess = json!({ "email": "joan", "password": "wrong horse battery" });
    assert_eq!(sign_in_from(&api, &guess, "10.0.2.7").status, 401);
    let counted = "SELECT u.refused || ' ' || count(*) FROM web_users u JOIN audit_log a ON a.object = 'user joan' \
                   AND a.action = 'session.refuse' WHERE u.name = 'joan' GROUP BY u.refused";
    assert_eq!(bench.database.psql(counted), "0 1");
}

#[test]
fn an_upgrade_tells_names_apart_that_differ_in_capitals_alone() {
    let bench = bench();
    let psql = |sql: &str| bench.database.psql(sql);
    psql(
        "DROP TABLE web_flows, web_identities, daemons; DROP INDEX web_users_folded; ALTER TABLE web_users DROP COLUMN refused; \
         DELETE FROM alt_migrations WHERE version > 31; \
         INSERT INTO web_users (name, is_owner) VALUES ('Jane', true), ('boss', false), ('jane', false), ('JANE', false)",
    );
    run(&bench, &["migrate"]);
    let names = psql("SELECT string_agg(name, ',' ORDER BY id) FROM web_users");
    assert_eq!(names, "Jane,boss,jane 3,JANE 4", "the oldest keeps its name");
    let record =
        "SELECT string_agg(concat_ws('|', actor, action, object, after), ' ' ORDER BY object) FROM audit_log";
    let renamed = "alt migrate|user.rename|user 3|\"jane 3\" alt migrate|user.rename|user 4|\"JANE 4\"";
    assert_eq!(psql(record), renamed);
    let api = Api::start(&bench, "");
    let _session = person(&bench, &api, "JANE 4");
    let twice = alt().args(["user", "add", "JANE", "--config"]).arg(&bench.config).output().unwrap();
    assert!(String::from_utf8_lossy(&twice.stderr).contains("JANE"), "{twice:?}");
}

#[test]
fn many_who_sign_in_at_once_take_a_bounded_amount_of_memory() {
    let bench = bench();
    let api = Api::start(&bench, "");
    run(&bench, &["user", "add", "jane"]);
    std::thread::scope(|scope| {
        for n in 0..40 {
            let api = &api;
            scope.spawn(move || {
                let said = sign_in_from(
                    api,
                    &json!({ "email": "jane", "password": "wrong horse battery" }),
                    &format!("10.0.1.{n}"),
                );
                assert!([401, 503].contains(&said.status), "{}", said.body);
            });
        }
    });
    std::thread::sleep(Duration::from_millis(100));
    let status = std::fs::read_to_string(format!("/proc/{}/status", api.child.id())).unwrap();
    let peak = status.lines().find(|line| line.starts_with("VmHWM")).unwrap();
    let peak: u64 = peak.split_whitespace().nth(1).unwrap().parse().unwrap();
    // The unit permits 256 MiB. With a hash for each who waits, it was 282 MiB.
    assert!(peak < 160 * 1024, "{peak} KiB");
}

#[test]
fn a_share_with_a_password_shows_nothing_without_it() {
    let bench = bench();
    let api = Api::start(&bench, "");
    let owner = bearer(&token(&bench, &["--role", "owner"]));
    let made = |body: &str| {
        let said = api.ask("POST", "/api/v1/shares?application_id=shop", &owner, body);
        assert_eq!(said.status, 201, "{}", said.body);
        said.json()
    };
    let said = api.ask(
        "POST",
        "/api/v1/shares?application_id=shop",
        &owner,
        r#"{"name": "s", "password": "short"}"#,
    );
    assert_eq!(said.status, 400, "{}", said.body);
    let locked = made(r#"{"name": "locked", "password": "lamp otter violin"}"#);
    let other = made(r#"{"name": "other", "password": "piano otter violin"}"#);
    assert_eq!(locked["has_password"], true);
    assert!(locked["password"].is_null());
    let secret = |share: &Value| share["share"].as_str().unwrap().to_owned();
    let target = format!("/api/v1/statistics?application_id=shop&share={}", secret(&locked));
    let said = api.ask("GET", &target, "", "");
    assert_eq!((said.status, &said.json()["password_needed"]), (401, &json!(true)));
    assert_eq!(api.get("/api/v1/statistics?application_id=shop", &secret(&locked)).status, 401);
    let unlock = |share: &Value, password: &str| {
        sign_in(&api, &json!({ "share": secret(share), "password": password }))
    };
    assert_eq!(unlock(&locked, "piano otter violin").status, 401);
    let said = unlock(&locked, "lamp otter violin");
    assert_eq!(said.status, 201, "{}", said.body);
    let set = said.header("set-cookie").unwrap();
    assert!(
        set.starts_with("alt_share=alt_") && set.contains("HttpOnly") && set.contains("SameSite=Strict"),
        "{set}"
    );
    let cookie = cookie(&said);
    assert_eq!(api.ask("GET", &target, &cookie, "").status, 200);
    // It opens this share alone, and is nothing by itself.
    let elsewhere = format!("/api/v1/statistics?application_id=shop&share={}", secret(&other));
    assert_eq!(api.ask("GET", &elsewhere, &cookie, "").status, 401);
    assert_eq!(api.ask("GET", "/api/v1/statistics?application_id=shop", &cookie, "").status, 401);
    let as_person = cookie.replace("alt_share=", "alt_session=");
    for path in ["/api/v1/session", "/api/v1/applications", "/api/v1/statistics?application_id=shop"] {
        assert_eq!(api.ask("GET", path, &as_person, "").status, 401, "{path}");
    }
    // Without a password there is none to give; and what is revoked stays so.
    let open = made(r#"{"name": "open"}"#);
    assert_eq!(unlock(&open, "lamp otter violin").status, 401);
    let revoked =
        api.ask("DELETE", &format!("/api/v1/shares/{}?application_id=shop", locked["id"]), &owner, "");
    assert_eq!(revoked.status, 200);
    assert_eq!(api.ask("GET", &target, &cookie, "").status, 401);
    assert_eq!(unlock(&locked, "lamp otter violin").status, 401);
}

#[test]
fn people_are_managed_over_the_api_by_who_owns_everything() {
    let bench = bench();
    let api = Api::start(&bench, "");
    run(&bench, &["user", "add", "boss", "--owner"]);
    let boss = person(&bench, &api, "boss") + OWN;
    let ask = |method: &str, path: &str, body: Value| {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        api.ask(method, path, &boss, &body)
    };
    let made = ask("POST", "/api/v1/users", json!({ "name": "jane@example.com" }));
    assert_eq!(made.status, 201, "{}", made.body);
    let id = made.json()["id"].as_i64().unwrap();
    assert_eq!(ask("POST", "/api/v1/users", json!({ "name": "jane@example.com" })).status, 409);
    assert_eq!(ask("POST", "/api/v1/users", json!({ "name": "x", "is_owner": "yes" })).status, 400);
    // A link by the API signs her in.
    let link = ask("POST", &format!("/api/v1/users/{id}/links"), Value::Null);
    assert_eq!(link.status, 201, "{}", link.body);
    let said = sign_in(&api, &json!({ "link": link.json()["link"], "password": PASSWORD }));
    assert_eq!(said.status, 201, "{}", said.body);
    let jane = cookie(&said);
    let roles = || api.ask("GET", "/api/v1/session", &jane, "").json()["applications"].to_string();
    assert_eq!(roles(), "[]");
    let grants = format!("/api/v1/users/{id}/grants");
    for (role, status) in [("editor", 200), ("king", 400), ("viewer", 200)] {
        let said = ask("PUT", &grants, json!({ "application": KEY, "role": role }));
        assert_eq!(said.status, status, "{role}: {}", said.body);
    }
    assert!(roles().contains("\"role\":\"viewer\""), "{}", roles());
    assert_eq!(ask("PUT", &grants, json!({ "application": "nothing", "role": "viewer" })).status, 400);
    assert_eq!(
        ask("PUT", "/api/v1/users/999/grants", json!({ "application": KEY, "role": "viewer" })).status,
        404
    );
    // She cannot do so herself.
    for (method, path, body) in [
        ("POST", "/api/v1/users", json!({ "name": "y" })),
        ("PUT", grants.as_str(), json!({ "application": KEY, "role": "owner" })),
        ("DELETE", "/api/v1/users/1", Value::Null),
        ("GET", "/api/metrics", Value::Null),
    ] {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        assert_eq!(api.ask(method, path, &(jane.clone() + OWN), &body).status, 403, "{method} {path}");
    }
    assert_eq!(ask("PUT", &grants, json!({ "application": KEY, "role": "none" })).status, 200);
    assert_eq!(roles(), "[]");
    // The last owner stays.
    let own = bench.database.psql("SELECT id FROM web_users WHERE name = 'boss'");
    let said = ask("DELETE", &format!("/api/v1/users/{own}"), Value::Null);
    assert!(said.status == 400 && said.body.contains("nobody else"), "{}", said.body);
    assert_eq!(ask("DELETE", &format!("/api/v1/users/{id}"), Value::Null).status, 200);
    assert_eq!(api.ask("GET", "/api/v1/session", &jane, "").status, 401);
    let actions = bench
        .database
        .psql("SELECT action FROM audit_log WHERE actor = 'boss' AND action LIKE 'user%' ORDER BY id");
    let expected = "user.password\nuser.add\nuser.link\nuser.grant\nuser.grant\nuser.grant\nuser.remove";
    assert_eq!(actions, expected);
    // The line to paste, and whether it works.
    let app = api.ask("GET", "/api/v1/applications/shop", &boss, "").json();
    assert!(app["snippet"].as_str().unwrap().contains("data-a=\"shop\""), "{app}");
    assert_eq!((&app["is_waiting"], &app["last_event_at"]), (&json!(true), &Value::Null));
    let metrics = api.ask("GET", "/api/metrics", &boss, "").json();
    assert!(metrics["requests"]["answered"].as_f64().unwrap() > 10.0, "{metrics}");
    assert!(metrics["requests"]["client_errors"].as_f64().unwrap() >= 5.0, "{metrics}");
}

#[test]
fn two_instances_behind_a_transaction_pooler_agree() {
    let bench = bench();
    let Some(pooler) = Pooler::start(&bench.database.cluster, "transaction") else { return };
    let text = std::fs::read_to_string(&bench.config).unwrap();
    let line = text.lines().find(|line| line.starts_with("url = \"postgres:")).unwrap();
    let pooled = text.replace(line, &format!("url = \"{}\"", pooler.url(&bench.database)));
    std::fs::write(&bench.config, &pooled).unwrap();
    let (one, two) =
        (Api::start(&bench, "connections = 6"), Api::start_as(&bench, "web-2", "connections = 6"));
    std::fs::write(&bench.config, &text).unwrap();
    run(&bench, &["user", "add", "boss", "--owner"]);
    let boss = person(&bench, &one, "boss") + OWN;
    // What is changed by one is so for the other at once: sessions, tokens, shares.
    assert_eq!(two.ask("GET", "/api/v1/session", &boss, "").status, 200);
    let changes = std::sync::atomic::AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for n in 0..6 {
            let (one, two, boss, changes) = (&one, &two, &boss, &changes);
            scope.spawn(move || {
                for round in 0..12 {
                    let (here, there) = if (n + round) % 2 == 0 { (one, two) } else { (two, one) };
                    let made = here.ask("POST", "/api/v1/tokens", boss, r#"{"name": "made"}"#);
                    assert_eq!(made.status, 201, "{}", made.body);
                    let (id, secret) =
                        (made.json()["id"].clone(), made.json()["token"].as_str().unwrap().to_owned());
                    assert_eq!(there.get("/api/v1/applications", &secret).status, 200);
                    let revoked = there.ask("DELETE", &format!("/api/v1/tokens/{id}"), boss, "");
                    assert_eq!(revoked.status, 200, "{}", revoked.body);
                    assert_eq!(here.get("/api/v1/applications", &secret).status, 401);
                    changes.fetch_add(2, std::sync::atomic::Ordering::Relaxed);
                }
            });
        }
    });
    let recorded = bench.database.psql("SELECT count(*) FROM audit_log WHERE action LIKE 'token%'");
    assert_eq!(recorded, changes.into_inner().to_string());
    // No setting of a transaction is left in a session of the pooler.
    assert_eq!(two.ask("DELETE", "/api/v1/session", &boss, "").status, 200);
    assert_eq!(one.ask("GET", "/api/v1/session", &boss, "").status, 401);
}

#[test]
fn the_check_looks_at_the_api_where_it_is_wanted() {
    let bench = bench();
    let text = std::fs::read_to_string(&bench.config).unwrap();
    let api = Api::start(&bench, "");
    let found = |listen: &str, more: &str| -> Vec<String> {
        std::fs::write(&bench.config, format!("{text}\n[web]\nlisten = \"{listen}\"\n{more}")).unwrap();
        let output = crate::support::daemon::alt()
            .args(["check", "--no-request", "--json", "--config"])
            .arg(&bench.config)
            .output()
            .unwrap();
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        let findings = report["findings"].as_array().unwrap().iter().filter(|one| one["kind"] == "web");
        findings
            .map(|one| format!("{} {}", one["place"].as_str().unwrap(), one["what"].as_str().unwrap()))
            .collect()
    };
    let key = bench.path("web_key").display().to_string();
    let wanted = format!("public_url = \"https://stats.example.com\"\nkey_file = \"{key}\"");
    let url = wanted.as_str();
    let of_site = |found: &mut Vec<String>| found.retain(|one| !one.starts_with("nginx "));
    let granted = "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO alt_web";
    bench.database.psql(&format!("CREATE ROLE alt_web; {granted}"));
    // Not wanted; wanted and there; wanted and not there.
    assert_eq!(found("127.0.0.1:1", ""), Vec::<String>::new());
    let mut all = found(&api.address, url);
    of_site(&mut all);
    assert_eq!(all, Vec::<String>::new());
    let mut all = found(&api.address, &url.replace(&key, "/no/web_key"));
    of_site(&mut all);
    assert!(all.len() == 1 && all[0].contains("alt serve does not start: read key_file"), "{all:?}");
    bench
        .database
        .psql("REVOKE SELECT ON stat_segments FROM alt_web; REVOKE DELETE ON web_sessions FROM alt_web");
    let mut all = found(&api.address, url);
    of_site(&mut all);
    assert!(
        all.len() == 2
            && all[0].contains("may not SELECT the table stat_segments")
            && all[1].contains("may not DELETE"),
        "{all:?}"
    );
    bench.database.psql(granted);
    drop(api);
    let mut all = found("127.0.0.1:1", url);
    of_site(&mut all);
    assert!(all.len() == 1 && all[0].contains("http://127.0.0.1:1/health nothing answers"), "{all:?}");
}
