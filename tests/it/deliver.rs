//! Messages to real receivers: those that work, those that do not, those that lie, and those that must not be reached.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use alt_deliver::address::Allow;
use alt_deliver::channel::Channel;
use alt_deliver::connect::{Addresses, Resolve};
use alt_deliver::mail::Letterhead;
use alt_deliver::message::{Kind, Member, Message, Severity};
use alt_deliver::report::{Entry, List, Report, Total, Words};
use alt_deliver::retry::Outcome;
use alt_deliver::smtp::{Login, Seal};
use alt_deliver::{Letter, Limits, Sender};

use crate::support::daemon::{alt, wait_for};
use crate::support::receiver::{Act, Alertmanager, Certificate, Python, Receiver};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const OLD_SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";

/// Long enough for a machine with other work to do.
const PATIENT: Limits = Limits { connect: Duration::from_secs(30), total: Duration::from_secs(60) };
/// For receivers that never answer.
const BRIEF: Limits = Limits { connect: Duration::from_secs(30), total: Duration::from_secs(2) };

/// A resolver that says something else each time; the last answer stays.
struct Names {
    answers: Vec<IpAddr>,
    asked: AtomicUsize,
}

impl Names {
    fn new(answers: &[&str]) -> Arc<Names> {
        let answers = answers.iter().map(|address| address.parse().unwrap()).collect();
        Arc::new(Names { answers, asked: AtomicUsize::new(0) })
    }
}

impl Resolve for Names {
    fn resolve<'a>(&'a self, _: &'a str) -> Addresses<'a> {
        let n = self.asked.fetch_add(1, Ordering::SeqCst);
        let answer = self.answers.get(n).or(self.answers.last()).copied();
        Box::pin(async move { answer.map(|address| vec![address]).ok_or(io::ErrorKind::NotFound.into()) })
    }
}

fn sender(allow: &[SocketAddr], names: &Arc<Names>, roots: rustls::RootCertStore, limits: Limits) -> Sender {
    Sender::new(Allow::new(allow.to_vec()), names.clone(), roots, limits).unwrap()
}

/// A sender to these addresses, without TLS; each name is 127.0.0.1.
fn plain(allow: &[SocketAddr], limits: Limits) -> Sender {
    sender(allow, &Names::new(&["127.0.0.1"]), rustls::RootCertStore::empty(), limits)
}

fn send(sender: &Sender, channel: &Channel, message: &Message) -> Outcome {
    send_letter(sender, channel, Letter::Alert(message))
}

fn send_letter(sender: &Sender, channel: &Channel, letter: Letter<'_>) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(sender.send(channel, letter, 0))
}

fn report() -> Report {
    let entry = |name: &str| Entry { name: name.to_owned(), visitors: 5, page_views: 7 };
    Report {
        id: "report_1_20780".into(),
        thread: "report_1".into(),
        name: "weekly".into(),
        every: "week",
        application: "<b>Shop</b>".into(),
        time_zone: "Europe/Berlin".into(),
        from: "2026-11-23".into(),
        until: "2026-11-29".into(),
        totals: [Total { now: 1234.0, before: 1000.0 }; 6],
        days: (23..30).map(|day| entry(&format!("2026-11-{day}"))).collect(),
        lists: vec![List { name: "page".into(), rows: vec![entry("/grüße<b>")] }],
        left_out: vec![("bot".into(), 17)],
        is_unfinished: true,
        link: Some("https://stats.example.com/?app=shop&period=2026-11-23..2026-11-29".into()),
        csv: "dimension,value\r\npage,/grüße\r\n".into(),
        words: Words::of_or_english("en"),
    }
}

fn slack(url: &str) -> Channel {
    Channel::slack(url).unwrap()
}

fn message(kind: Kind) -> Message {
    let now = jiff::Timestamp::now().as_microsecond();
    Message {
        id: format!("msg_{}", kind.word()),
        episode: "ep_7".into(),
        at: now,
        kind,
        severity: Severity::Critical,
        title: "Error rate is 12.5 %".into(),
        rule: "error-rate".into(),
        application: Some("shop".into()),
        labels: BTreeMap::from([("path".into(), "/grüße".into())]),
        value: Some(12.5),
        threshold: Some(5.0),
        unit: "%".into(),
        started: now - 60_000_000,
        ended: kind.is_over().then_some(now),
        link: Some("https://stats.example.com/alerts/7".into()),
        members: Vec::new(),
    }
}

/// Why it is tried again later.
fn later(outcome: &Outcome) -> &str {
    match outcome {
        Outcome::Later { why, .. } => why,
        other => panic!("{other:?}"),
    }
}

fn refused(outcome: &Outcome) -> &str {
    match outcome {
        Outcome::Refused { why } => why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn webhooks_are_verified_by_the_published_library() {
    let certificate = Certificate::new();
    let Some(mut receiver) = Python::start("webhook", SECRET, &certificate) else { return };
    let names = Names::new(&["127.0.0.1"]);
    let sender = sender(&[receiver.address], &names, certificate.roots(), PATIENT);
    let url = format!("https://hooks.test:{}/hook?a=1", receiver.address.port());
    let channel = |secrets: &[&str]| {
        Channel::webhook(&url, &secrets.iter().map(|secret| (*secret).to_owned()).collect::<Vec<_>>())
            .unwrap()
    };
    for kind in Kind::ALL {
        assert_eq!(send(&sender, &channel(&[SECRET]), &message(kind)), Outcome::Sent);
        let got = receiver.next();
        assert_eq!(
            (&got["verified"], &got["headers"]["webhook-id"]),
            (&true.into(), &format!("msg_{}", kind.word()).into())
        );
        assert_eq!(got["payload"]["type"], format!("alert.{}", kind.word()));
        assert_eq!(got["payload"]["data"]["labels"]["path"], "/grüße");
    }
    let sent = send_letter(&sender, &channel(&[SECRET]), Letter::Report(&report()));
    let got = receiver.next();
    assert_eq!((sent, &got["verified"]), (Outcome::Sent, &true.into()));
    assert_eq!(got["headers"]["webhook-id"], "report_1_20780");
    assert_eq!(got["payload"]["type"], "report.week");
    // Somebody who changes secrets: whoever has either of them verifies.
    for secrets in [[SECRET, OLD_SECRET], [OLD_SECRET, SECRET]] {
        assert_eq!(send(&sender, &channel(&secrets), &message(Kind::Test)), Outcome::Sent);
        assert_eq!(receiver.next()["verified"], true);
    }
    let outcome = send(&sender, &channel(&[OLD_SECRET]), &message(Kind::Test));
    assert_eq!(later(&outcome), "the receiver answered 401");
    assert_eq!(receiver.next()["verified"], false);
}

#[test]
fn what_a_receiver_answers_decides_and_is_not_shown() {
    let answer = |head: &str| {
        let text = format!("HTTP/1.1 {head}\r\nContent-Length: 11\r\n\r\nSECRET-BODY");
        let receiver = Receiver::start(Act::Answer(text));
        send(&plain(&[receiver.address], PATIENT), &slack(&receiver.url("/hook")), &message(Kind::Firing))
    };
    let after = |outcome: Outcome| match outcome {
        Outcome::Later { after, why } => {
            assert!(!why.contains("SECRET"), "{why}");
            after.as_secs()
        }
        other => panic!("{other:?}"),
    };
    assert_eq!(answer("200 OK"), Outcome::Sent);
    assert_eq!(answer("204 No"), Outcome::Sent);
    assert_eq!(answer("410 SECRET"), Outcome::Gone);
    assert_eq!(after(answer("500 SECRET")), 5);
    assert_eq!(after(answer("404 SECRET")), 5);
    assert_eq!(after(answer("429 SECRET\r\nRetry-After: 120")), 120);
    assert_eq!(after(answer("503 SECRET\r\nRetry-After: 1")), 5);
    assert_eq!(after(answer("429 SECRET\r\nRetry-After: 999999999")), 24 * 3600);
    assert_eq!(after(answer("429 SECRET\r\nRetry-After: Fri, 31 Dec 9999 23:59:59 GMT")), 24 * 3600);
    assert_eq!(after(answer("429 SECRET\r\nRetry-After: SECRET")), 5);
}

#[test]
fn a_receiver_that_hangs_cuts_drips_or_lies_costs_one_attempt_and_no_more() {
    let of = |act: Act, limits: Limits| {
        let receiver = Receiver::start(act);
        let outcome =
            send(&plain(&[receiver.address], limits), &slack(&receiver.url("/")), &message(Kind::Firing));
        assert_eq!(receiver.connections(), 1);
        outcome
    };
    let text = |text: &str| Act::Answer(text.to_owned());
    let long = format!("A: {}\r\n", "b".repeat(4000));
    let late = of(Act::Hang, BRIEF);
    assert!(later(&late).ends_with("did not answer within 2s"), "{late:?}");
    let late = of(Act::Drip("HTTP/1.1 200 OK\r\nX: aa".into()), BRIEF);
    assert!(later(&late).ends_with("did not answer within 2s"), "{late:?}");
    for (act, why) in [
        (text(""), "the connection ended before the answer"),
        (text("HTTP/1.1 200"), "the connection ended before the answer"),
        (text("SSH-2.0-OpenSSH_9.2\r\n\r\n"), "the answer is no HTTP"),
        (text("HTTP/1.1 200 OK\r\nContent-Length: SECRET\r\n\r\n"), "the answer is no HTTP"),
        (Act::Pour("HTTP/1.1 200 OK\r\nX: ".into()), "the head of the answer is too large"),
        (text(&format!("HTTP/1.1 200 OK\r\n{}\r\n", long.repeat(50))), "the head of the answer is too large"),
        (
            text(&format!("HTTP/1.1 200 OK\r\n{}\r\n", "A: b\r\n".repeat(5000))),
            "the head of the answer is too large",
        ),
    ] {
        let outcome = of(act, PATIENT);
        assert!(later(&outcome).ends_with(why), "{outcome:?}");
    }
    // The head said that it has the message: whatever follows changes nothing, and is not read for ever.
    for act in [
        text("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nshort"),
        Act::Pour("HTTP/1.1 200 OK\r\n\r\n".into()),
        Act::Drip("HTTP/1.1 200 OK\r\nContent-Length: 999999999\r\n\r\nx".into()),
        text("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nSECRET"),
    ] {
        assert_eq!(of(act, PATIENT), Outcome::Sent);
    }
}

#[test]
fn a_redirect_is_not_followed() {
    let victim = Receiver::start(Act::Answer("HTTP/1.1 200 OK\r\n\r\n".into()));
    for status in [301, 302, 303, 307, 308] {
        let text =
            format!("HTTP/1.1 {status} x\r\nLocation: {}\r\nContent-Length: 0\r\n\r\n", victim.url("/"));
        let receiver = Receiver::start(Act::Answer(text));
        let sender = plain(&[receiver.address, victim.address], PATIENT);
        let outcome = send(&sender, &slack(&receiver.url("/")), &message(Kind::Firing));
        assert!(later(&outcome).contains("final address"), "{outcome:?}");
        assert_eq!((receiver.connections(), victim.connections()), (1, 0));
    }
}

#[test]
fn an_address_inside_is_reached_by_no_spelling_and_no_name() {
    let victim = Receiver::start(Act::Answer("HTTP/1.1 200 OK\r\n\r\n".into()));
    let port = victim.address.port();
    let names = Names::new(&["127.0.0.1"]);
    // Another port of the same address is allowed, which allows nothing here.
    let other = SocketAddr::new(victim.address.ip(), port ^ 1);
    let sender = sender(&[other], &names, rustls::RootCertStore::empty(), PATIENT);
    for host in [
        "127.0.0.1",
        "127.1",
        "0x7f.1",
        "2130706433",
        "0177.0.0.1",
        "127.0.0.1.",
        "0",
        "0.0.0.0",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "localhost",
        "localhost.",
        "rebound.example.com",
    ] {
        for scheme in ["https", "http"] {
            let channel = slack(&format!("{scheme}://{host}:{port}/"));
            let outcome = send(&sender, &channel, &message(Kind::Firing));
            assert!(refused(&outcome).starts_with("nothing is sent to"), "{host}: {outcome:?}");
        }
        let place = format!("{host}:{port}");
        let channel = Channel::mail(&place, Seal::StartTls, None, who(&["ops@example.com"])).unwrap();
        let outcome = send(&sender, &channel, &message(Kind::Firing));
        assert!(refused(&outcome).starts_with("nothing is sent to"), "{host}: {outcome:?}");
    }
    assert_eq!(victim.connections(), 0);
    // What is reached with TLS only.
    let outcome = send(&sender, &slack("http://8.8.8.8/"), &message(Kind::Firing));
    assert!(refused(&outcome).contains("would be reached without TLS"), "{outcome:?}");
    let channel = Channel::mail("8.8.8.8", Seal::None, None, who(&["ops@example.com"])).unwrap();
    let outcome = send(&sender, &channel, &message(Kind::Firing));
    assert!(refused(&outcome).contains("would be reached without TLS"), "{outcome:?}");
}

#[test]
fn a_name_is_resolved_once_and_what_it_becomes_then_is_not_reached() {
    let ok = || Act::Answer("HTTP/1.1 200 OK\r\n\r\n".into());
    let receiver = Receiver::on("127.0.0.2:0".parse().unwrap(), ok());
    let inside = Receiver::on(SocketAddr::new("127.0.0.1".parse().unwrap(), receiver.address.port()), ok());
    let names = Names::new(&["127.0.0.2", "127.0.0.1"]);
    let sender = sender(&[receiver.address], &names, rustls::RootCertStore::empty(), PATIENT);
    let channel = slack(&format!("http://rebinds.example.com:{}/", receiver.address.port()));
    assert_eq!(send(&sender, &channel, &message(Kind::Firing)), Outcome::Sent);
    assert_eq!((names.asked.load(Ordering::SeqCst), receiver.connections()), (1, 1));
    assert!(receiver.requests()[0].contains("host: rebinds.example.com:"), "{:?}", receiver.requests());
    // The next attempt asks again, and judges again.
    let outcome = send(&sender, &channel, &message(Kind::Firing));
    assert!(refused(&outcome).contains("loopback"), "{outcome:?}");
    assert_eq!((names.asked.load(Ordering::SeqCst), receiver.connections(), inside.connections()), (2, 1, 0));
}

#[test]
fn a_certificate_has_to_be_one_for_the_name() {
    let certificate = Certificate::new();
    let Some(receiver) = Python::start("webhook", SECRET, &certificate) else { return };
    let why = |host: &str, roots| {
        let sender = sender(&[receiver.address], &Names::new(&["127.0.0.1"]), roots, PATIENT);
        let channel = slack(&format!("https://{host}:{}/", receiver.address.port()));
        later(&send(&sender, &channel, &message(Kind::Firing))).to_owned()
    };
    assert!(why("other.test", certificate.roots()).ends_with("not one for this name"));
    assert!(why("hooks.test", Certificate::new().roots()).contains("no authority"));
    // It has no signature of a webhook, and is asked for one: TLS worked.
    assert_eq!(why("hooks.test", certificate.roots()), "the receiver answered 401");
    assert_eq!(why("127.0.0.1", certificate.roots()), "the receiver answered 401");
    let plain = Receiver::start(Act::Answer("HTTP/1.1 200 OK\r\n\r\n".into()));
    let sender = sender(&[plain.address], &Names::new(&["127.0.0.1"]), certificate.roots(), PATIENT);
    let outcome = send(&sender, &slack(&format!("https://{}/", plain.address)), &message(Kind::Firing));
    assert!(later(&outcome).contains("TLS"), "{outcome:?}");
    assert!(plain.requests().iter().all(|request| !request.contains("POST")), "nothing is sent without TLS");
}

fn who(to: &[&str]) -> Letterhead {
    let to: Vec<String> = to.iter().map(|to| (*to).to_owned()).collect();
    Letterhead::new("Alerts <alt@example.com>", &to).unwrap()
}

#[test]
fn mail_arrives_as_one_mail_to_those_it_is_for() {
    let certificate = Certificate::new();
    for (mode, seal, login) in [
        ("plain", Seal::None, None),
        ("starttls", Seal::StartTls, Some(Login::new("alt", "correct horse"))),
        ("implicit", Seal::Implicit, Some(Login::new("alt", "correct horse"))),
    ] {
        let Some(mut server) = Python::start("mail", mode, &certificate) else { return };
        let names = Names::new(&["127.0.0.1"]);
        let sender = sender(&[server.address], &names, certificate.roots(), PATIENT);
        let place = format!("mail.test:{}", server.address.port());
        let to = ["ops@example.com", "b@example.org"];
        let channel = Channel::mail(&place, seal, login.clone(), who(&to)).unwrap();
        let mut first = message(Kind::Firing);
        first.title = ".\r\n.\r\nBcc: evil@example.net\u{2028}<b>\u{202e}=?utf-8?q?=E2=80=AE?=".into();
        assert_eq!(send(&sender, &channel, &first), Outcome::Sent, "{mode}");
        let got = server.next();
        assert_eq!(
            (&got["tls"], &got["user"]),
            (&(mode != "plain").into(), &login.as_ref().map(|_| "alt").into()),
            "{mode}"
        );
        assert_eq!((&got["from"], &got["to"]), (&"alt@example.com".into(), &to.as_slice().into()));
        let subject = "FIRING critical: . . Bcc: evil@example.net <b>\u{fffd}= ?utf-8?q?=E2=80=AE?=";
        assert_eq!(got["headers"]["Subject"], subject);
        assert!(!got["names"].to_string().contains("Bcc"), "{got}");
        assert!(
            got["text"].as_str().unwrap().contains("/grüße")
                && !got["html"].as_str().unwrap().contains("<b>"),
            "{got}"
        );

        // What comes later about the same alert is shown beneath it.
        assert_eq!(send(&sender, &channel, &message(Kind::Resolved)), Outcome::Sent, "{mode}");
        let then = server.next();
        for name in ["In-Reply-To", "References"] {
            assert_eq!(then["headers"][name], "<episode.ep_7@example.com>");
            assert_eq!(then["headers"][name], got["headers"][name]);
        }
        assert_ne!(then["headers"]["Message-ID"], got["headers"]["Message-ID"]);

        // A report: text, a page, and a table as a file.
        let report = report();
        assert_eq!(send_letter(&sender, &channel, Letter::Report(&report)), Outcome::Sent, "{mode}");
        let got = server.next();
        assert_eq!(got["headers"]["Subject"], "Weekly report: <b>Shop</b>, 2026-11-23 – 2026-11-29");
        assert!(got["text"].as_str().unwrap().contains("1,234"), "{got}");
        let page = got["html"].as_str().unwrap();
        assert!(page.contains("<h1") && page.contains("1,234") && !page.contains("<b>"), "{page}");
        assert_eq!(got["files"], serde_json::json!([["weekly-2026-11-23.csv", report.csv]]));
    }
}

#[test]
fn a_mail_server_that_refuses_says_whether_it_is_for_good() {
    let certificate = Certificate::new();
    let Some(server) = Python::start("mail", "starttls", &certificate) else { return };
    let sender = sender(&[server.address], &Names::new(&["127.0.0.1"]), certificate.roots(), PATIENT);
    let of = |seal, password: &str, to: &str| {
        let login = (seal != Seal::None).then(|| Login::new("alt", password));
        let place = format!("mail.test:{}", server.address.port());
        let channel = Channel::mail(&place, seal, login, who(&["ops@example.com", to])).unwrap();
        send(&sender, &channel, &message(Kind::Firing))
    };
    let right = "correct horse";
    let place = format!("mail.test:{}", server.address.port());
    assert_eq!(
        refused(&of(Seal::StartTls, right, "nobody@example.com")),
        format!("{place} answered a recipient with 550")
    );
    assert_eq!(
        later(&of(Seal::StartTls, right, "later@example.com")),
        format!("{place} answered a recipient with 451")
    );
    assert_eq!(
        later(&of(Seal::StartTls, "wrong", "a@example.com")),
        format!("{place} answered the password with 535")
    );
    assert!(later(&of(Seal::Implicit, right, "a@example.com")).contains("TLS with"));
    // It wants TLS, and is not talked to with it.
    assert!(refused(&of(Seal::None, "", "a@example.com")).contains("answered the sender with 530"));
}

#[test]
fn a_mail_server_that_lies_is_given_no_password_and_no_mail() {
    let of = |greeting: &str, answers: &str| {
        let server = Receiver::start(Act::Talk(greeting.to_owned(), answers.to_owned()));
        let login = Some(Login::new("alt", "correct horse"));
        let channel =
            Channel::mail(&server.address.to_string(), Seal::StartTls, login, who(&["a@example.com"]))
                .unwrap();
        later(&send(&plain(&[server.address], PATIENT), &channel, &message(Kind::Firing))).to_owned()
    };
    for (greeting, answers, why) in [
        ("220 x\r\n", "250-x|250 AUTH PLAIN\r\n", "offers no STARTTLS"),
        ("220 x\r\n", "250 STARTTLS\r\n454 no\r\n", "answered STARTTLS with 454"),
        // Before TLS, somebody in between adds what would be read behind it.
        ("220 x\r\n", "250 STARTTLS\r\n220 go|250 AUTH PLAIN\r\n", "sent more than it was asked before TLS"),
        ("HTTP/1.1 400 Bad Request\r\n", "", "does not speak SMTP"),
        ("554 SECRET\r\n", "", "answered its greeting with 554"),
        ("22", "", "ended the connection"),
        (&"220-x\r\n".repeat(20_000), "", "says too much"),
        (&"220".repeat(50_000), "", "says too much"),
    ] {
        let found = of(greeting, answers);
        assert!(found.ends_with(why), "{why}: {found}");
    }
}

#[test]
fn an_alertmanager_has_the_alert_until_it_is_resolved() {
    let alertmanager = Alertmanager::start();
    let sender = plain(&[alertmanager.address], PATIENT);
    let channel = Channel::alertmanager(&format!("http://{}/", alertmanager.address)).unwrap();
    let mut firing = message(Kind::Firing);
    firing.labels = [("path", "/\u{202e}a\r\n"), ("1-x", "<b>"), ("severity", "none"), ("", "y")]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
    assert_eq!(send(&sender, &channel, &firing), Outcome::Sent);
    let alerts = alertmanager.alerts();
    assert_eq!(alerts.len(), 1);
    let labels = serde_json::json!({
        "alertname": "error-rate", "application": "shop", "severity": "critical",
        "path": "/\u{fffd}a", "_1_x": "<b>", "_": "y",
    });
    assert_eq!(alerts[0]["labels"], labels);
    assert_eq!(alerts[0]["annotations"]["value"], "12.5 %");
    // Twice on the wire is once there.
    assert_eq!(send(&sender, &channel, &firing), Outcome::Sent);
    assert_eq!(alertmanager.alerts().len(), 1);
    let mut resolved = Message { kind: Kind::Resolved, ended: Some(firing.at), ..firing.clone() };
    assert_eq!(send(&sender, &channel, &resolved), Outcome::Sent);
    wait_for(30, || alertmanager.alerts().is_empty(), || format!("{:?}", alertmanager.alerts()));

    // A digest is an alert for each of its members.
    let member = |path: &str| Member {
        episode: path.into(),
        kind: Kind::Firing,
        severity: Severity::Low,
        title: path.into(),
        labels: BTreeMap::from([("path".into(), path.into())]),
        value: None,
        started: firing.started,
        ended: None,
    };
    resolved.kind = Kind::Digest;
    resolved.members = vec![member("/a"), member("/b")];
    assert_eq!(send(&sender, &channel, &resolved), Outcome::Sent);
    assert_eq!(alertmanager.alerts().len(), 2);
}

#[test]
fn no_proxy_of_the_environment_is_asked() {
    let proxy = Receiver::start(Act::Answer("HTTP/1.1 200 OK\r\n\r\n".into()));
    let mut again = std::process::Command::new(std::env::current_exe().unwrap());
    again.args(["--exact", "deliver::what_a_receiver_answers_decides_and_is_not_shown"]);
    for name in ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"] {
        again.env(name, proxy.url(""));
    }
    let output = again.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
    assert_eq!(proxy.connections(), 0);
}

/// What a person does first after writing a channel.
#[test]
fn a_channel_of_the_configuration_is_listed_and_tried() {
    let ok = Receiver::start(Act::Answer("HTTP/1.1 200 OK\r\n\r\n".into()));
    let gone = Receiver::start(Act::Answer("HTTP/1.1 410 Gone\r\n\r\n".into()));
    let directory = tempfile::tempdir().unwrap();
    let config = directory.path().join("alt.toml");
    let secret = directory.path().join("secret");
    std::fs::write(&secret, SECRET).unwrap();
    let channel = |name: &str, url: &str, secret: &std::path::Path| {
        format!(
            "[[channel]]\nname = \"{name}\"\nkind = \"webhook\"\nurl = \"{url}\"\nsecret_file = \"{}\"\n",
            secret.display()
        )
    };
    let text = [
        format!("[alerts]\nallow = [\"{}\", \"{}\"]\n", ok.address, gone.address),
        channel("pager", &ok.url("/TOKEN"), &secret),
        channel("gone", &gone.url("/TOKEN"), &secret),
        channel("inside", "https://127.0.0.1:1/TOKEN", &secret),
        channel("broken", &ok.url("/TOKEN"), &directory.path().join("absent")),
    ];
    std::fs::write(&config, text.concat()).unwrap();
    let run = |args: &[&str]| {
        let output = alt().arg("--config").arg(&config).arg("channel").args(args).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code().unwrap(), text(&output.stdout) + &text(&output.stderr))
    };
    let (code, said) = run(&["list", "--json"]);
    let listed: serde_json::Value = serde_json::from_str(&said).unwrap();
    let states: Vec<&str> =
        listed.as_array().unwrap().iter().map(|one| one["state"].as_str().unwrap()).collect();
    assert_eq!((code, &states[..3]), (0, &["ready"; 3][..]));
    assert!(states[3].contains("read secret_file"), "{states:?}");
    assert!(!said.contains("TOKEN") && !said.contains(SECRET), "{said}");
    let (code, said) = run(&["test", "pager"]);
    assert_eq!(code, 0, "{said}");
    let [request] = &ok.requests()[..] else { panic!("{:?}", ok.requests()) };
    assert!(request.contains("A test of the channel pager") && request.contains("\"test\""), "{request}");
    for (name, expected) in [
        ("gone", "the receiver wants no more messages (410)"),
        ("inside", "[alerts] allow"),
        ("broken", "read secret_file"),
        ("nobody", "`alt channel list` shows the names"),
    ] {
        let (code, said) = run(&["test", name]);
        assert!(code == 1 && said.contains(expected) && !said.contains("TOKEN"), "{name}: {said}");
    }
}
