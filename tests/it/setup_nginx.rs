//! `alt setup` and nginx: the site, its name and its certificate, on a copy of this machine with a network of its own.
//!
//! The authority is Pebble, which speaks the protocol of Let's Encrypt, and certbot is the distribution's.

use std::fs;

use crate::setup::{BEGIN, on_a_copy};
use crate::support::not_looked_at;

/// After [`BEGIN`]: names that lead here, and what of the page's script a client gets by https.
const NAMES: &str = r#"
echo '127.0.0.1 shop.lan blog.lan events.example.com other.example.com' >>/etc/hosts
script() { # nginx takes a new configuration a moment after `nginx -s reload` has returned
    for _ in $(seq 50); do
        said=$(curl -s -m 5 -o /dev/null -w '%{http_code} %{ssl_verify_result}' "$@") || said="curl: exit $?"
        case $said in 200* | 308*) break ;; esac
        sleep 0.1
    done
    echo "$said"
}
trap '[ ! -s /run/nginx.pid ] || nginx -s stop; as_postgres "$bin/pg_ctl" -D /srv/alt-postgres -m immediate -s stop' EXIT
rm -f /run/nginx.pid
"#;

/// On a stock Debian: without a name, with a private one, with another one. Every line it prints is looked at below.
const PRIVATE: &str = r#"
nginx
echo "== none"
alt setup 2>&1 || echo "exit $?"
getent passwd alt || echo "nothing was done"
echo "== private"
alt setup --host shop.lan --app 'My shop'
script --cacert /etc/alt/tls/shop.lan.crt https://shop.lan/s/m.js
curl -s -o /dev/null -w '%{http_code}\n' --cacert /etc/alt/tls/shop.lan.crt https://shop.lan/b?a=k
stat -c '%U %a' /etc/alt/tls/shop.lan.key
echo "== again"
alt setup
echo "== other host"
alt setup --host blog.lan
script --cacert /etc/alt/tls/blog.lan.crt https://blog.lan/s/m.js
script -k https://shop.lan/health
echo "== second app"
alt setup --app 'Second' --domain second.example --time-zone Europe/Berlin
alt setup --app 'Second' --domain second.example
alt app list --json | grep '"name"'
echo "== refused"
alt setup --app 'Second' --domain third.example 2>&1 || echo "exit $?"
alt setup --app 'Second' --time-zone UTC 2>&1 || echo "exit $?"
alt setup --domain third.example 2>&1 || echo "exit $?"
echo "== own"
sed -i 's/client_header_timeout 10s/client_header_timeout 11s/' /etc/nginx/conf.d/alt.conf
alt setup --host other.example.com 2>&1 || echo "exit $?"
alt setup --host blog.lan
grep -c blog.lan /etc/nginx/conf.d/alt.conf
echo "== taken"
rm /etc/nginx/conf.d/alt.conf
printf 'server { listen 80; server_name other.example.com; }\n' >/etc/nginx/sites-enabled/other
alt setup --host other.example.com 2>&1 || echo "exit $?"
printf 'include alt/alt-http.conf; server { listen 80; server_name other.example.com; include alt/alt-locations.conf; }\n' >/etc/nginx/sites-enabled/other
alt setup --host other.example.com 2>&1 || echo "exit $?"
ls /etc/nginx/conf.d
rm /etc/nginx/sites-enabled/other
echo "== any name"
rm /etc/nginx/sites-enabled/default
alt setup --no-tls
script http://anything.example/health --resolve anything.example:80:127.0.0.1
alt setup --no-tls
"#;

/// An authority, with certbot and without an account at first. Every line it prints is looked at below.
const PUBLIC: &str = r#"
mkdir -p /tmp/ca /etc/letsencrypt
openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost \
    -keyout /tmp/ca/key -out /tmp/ca/cert 2>/dev/null
printf '{"pebble": {"listenAddress": "127.0.0.1:14000", "managementListenAddress": "127.0.0.1:15000", "certificate": "/tmp/ca/cert",
    "privateKey": "/tmp/ca/key", "httpPort": 80, "tlsPort": 443, "ocspResponderURL": "", "externalAccountBindingRequired": false}}' >/tmp/ca/config
PEBBLE_VA_NOSLEEP=1 PEBBLE_WFE_NONCEREJECT=0 pebble -config /tmp/ca/config >/tmp/ca/log 2>&1 &
pebble=$!
trap 'kill $pebble; [ ! -s /run/nginx.pid ] || nginx -s stop; as_postgres "$bin/pg_ctl" -D /srv/alt-postgres -m immediate -s stop' EXIT
for _ in $(seq 100); do ! curl -s -o /tmp/ca/root --cacert /tmp/ca/cert https://localhost:15000/roots/0 || break; sleep 0.1; done
export REQUESTS_CA_BUNDLE=/tmp/ca/cert
echo 'server = https://localhost:14000/dir' >/etc/letsencrypt/cli.ini
nginx
echo "== account"
alt setup --host events.example.com || echo "exit $?"
script http://events.example.com/health
echo "== webroot"
alt setup --host events.example.com --email admin@example.com || { echo "exit $?"; tail -n 20 /tmp/ca/log /var/log/letsencrypt/letsencrypt.log; }
script --cacert /tmp/ca/root https://events.example.com/s/m.js
script http://events.example.com/s/m.js
grep -E '^(authenticator|renew_hook|webroot_path)' /etc/letsencrypt/renewal/events.example.com.conf
echo "== again"
alt setup --host events.example.com
echo "== renewal"
before=$(openssl x509 -noout -serial -in /etc/letsencrypt/live/events.example.com/cert.pem)
certbot renew --force-renewal --no-random-sleep-on-renew >/tmp/ca/renew 2>&1 || { cat /tmp/ca/renew; false; }
sleep 0.5
served=$(openssl s_client -connect 127.0.0.1:443 -servername events.example.com </dev/null 2>/dev/null | openssl x509 -noout -serial)
[ "$served" != "$before" ] && [ "$served" = "$(openssl x509 -noout -serial -in /etc/letsencrypt/live/events.example.com/cert.pem)" ] && echo "nginx has the new one"
echo "== standalone"
nginx -s stop
for _ in $(seq 50); do [ -s /run/nginx.pid ] || break; sleep 0.1; done
alt setup --host other.example.com || echo "exit $?"
nginx
script --cacert /tmp/ca/root https://other.example.com/s/m.js
echo "== unreachable"
sed -i 's/other.example.com/& gone.example.com/; s/127.0.0.1 shop.lan/127.0.0.1/' /etc/hosts
echo '127.0.0.2 shop.example.com' >>/etc/hosts
printf 'server { listen 127.0.0.2:80; location / { return 404; } }\n' >/etc/nginx/conf.d/elsewhere.conf
nginx -s reload
sleep 0.5
alt setup --host shop.example.com || echo "exit $?"
echo "== given"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=x -addext subjectAltName=DNS:events.example.com \
    -keyout /etc/mine.key -out /etc/mine.pem 2>/dev/null
alt setup --host events.example.com --tls-cert /etc/mine.pem --tls-key /etc/mine.key
sleep 0.3
script --cacert /etc/mine.pem https://events.example.com/s/m.js
alt setup --host other.example.com --tls-cert /etc/mine.pem --tls-key /etc/mine.key 2>&1 || echo "exit $?"
echo "== no certbot"
printf '#!/bin/sh\nexit 127\n' >/usr/bin/certbot
alt setup --host shop.example.org || echo "exit $?"
"#;

/// A hit on its way, and each place where it may be lost. Every line it prints is looked at below.
const WAY: &str = r#"
check() { alt check >/tmp/said 2>&1 || echo "exit $?" >>/tmp/said; grep -v '^not looked at: nginx' /tmp/said; }
rm /etc/nginx/sites-enabled/default
nginx
alt setup --host shop.lan --app 'My shop' >/dev/null
alt run 2>/tmp/run.log &
daemon=$!
runs() { as_postgres psql -XAtq -d alt -c "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'alt run%'"; }
for _ in $(seq 100); do [ "$(runs)" = 0 ] || break; sleep 0.1; done
echo "== well"
check
as_postgres psql -XAtq -d alt -c "SELECT DISTINCT event_type, traffic_class FROM access_logs"
echo "== ordinary"
setpriv --reuid=nobody --regid=nogroup --clear-groups alt check || echo "exit $?"
echo "== no network"
cp /etc/hosts /tmp/hosts
sed -i '/shop.lan/d' /etc/hosts
check
echo "== no name"
cp /etc/nsswitch.conf /tmp/nsswitch
sed -i 's/^hosts:.*/hosts: files/' /etc/nsswitch.conf
check
cp /tmp/nsswitch /etc/nsswitch.conf
cp /tmp/hosts /etc/hosts
echo "== other name"
cp /etc/alt/tls/shop.lan.crt /tmp/crt
cp /etc/alt/tls/shop.lan.key /tmp/key
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=x -addext subjectAltName=DNS:blog.lan \
    -keyout /etc/alt/tls/shop.lan.key -out /etc/alt/tls/shop.lan.crt 2>/dev/null
nginx -s reload; sleep 0.5
check
cp /tmp/crt /etc/alt/tls/shop.lan.crt
cp /tmp/key /etc/alt/tls/shop.lan.key
echo "== script"
mv /var/www/alt/m.js /tmp/m.js
nginx -s reload; sleep 0.5
check
mv /tmp/m.js /var/www/alt/m.js
echo "== taken"
printf 'server { listen 443 ssl; server_name shop.lan; ssl_certificate /tmp/crt; ssl_certificate_key /tmp/key; location / { return 404; } }\n' >/etc/nginx/conf.d/aaa.conf
nginx -s reload; sleep 0.5
check
rm /etc/nginx/conf.d/aaa.conf
echo "== log"
sed -i.old 's,/var/log/nginx/alt/beacon.log,/var/log/nginx/alt/other.txt,' /etc/nginx/alt/alt-endpoint.conf
nginx -s reload; sleep 0.5
check
mv /etc/nginx/alt/alt-endpoint.conf.old /etc/nginx/alt/alt-endpoint.conf
nginx -s reload; sleep 0.5
echo "== row"
kill -STOP $daemon
check
kill -CONT $daemon
echo "== reject"
sed -i.old 's/msec\\t\$request_id/msec\\tx$request_id/' /etc/nginx/alt/alt-http.conf
nginx -s reload; sleep 0.5
check
mv /etc/nginx/alt/alt-http.conf.old /etc/nginx/alt/alt-http.conf
echo "== plain"
sed -i 's/listen \(.*\)443 ssl http2/listen \18443 ssl http2/' /etc/nginx/conf.d/alt.conf
nginx -s reload; sleep 0.5
check
echo "== accepted"
sed -i 's/^# accepted = .*/accepted = ["name shop.lan", "answer", "nonsense"]/' /etc/alt/alt.toml
check
kill $daemon
wait $daemon || :
"#;

/// The log's disk is full for some requests, and then it is not. Every line it prints is looked at below.
const FULL: &str = r#"
rm -f /etc/nginx/sites-enabled/default /var/log/nginx/error.log
alt setup --no-tls >/dev/null
mount -t tmpfs -o size=64k none /var/log/nginx/alt
nginx
head -c 60000 /dev/zero >/var/log/nginx/alt/filler || :
for n in $(seq 100); do curl -s "http://127.0.0.1/b?a=k&n=$n"; done
nginx -s stop
while [ -s /run/nginx.pid ]; do sleep 0.1; done
umount /var/log/nginx/alt
echo "== later"
nginx
alt check --no-request || echo "exit $?"
"#;

/// A cluster at another port, as Debian makes one where the first is taken. Every line it prints is looked at below.
const PORT: &str = r#"
echo "== setup"
alt setup --no-nginx
grep '^url' /etc/alt/alt.toml
echo "== again"
alt setup --no-nginx
alt migrate --status
echo "== build"
cd /root
alt beacon build --host shop.lan --out /var/www/alt
mkdir -m 700 here && cd here
alt beacon build --host shop.lan --out .
stat -c '%U %a' m.js /var/www/alt/m.js
ls m.*.html | wc -l
"#;

fn does_nothing(said: &str) {
    assert!(!said.lines().any(|line| line.starts_with("do ")), "{said}");
    assert!(said.contains("everything was there already"), "{said}");
}

#[test]
fn setup_does_what_is_asked_for_or_refuses_it() {
    let Some((parts, err)) = on_a_copy(&["LISTEN=", BEGIN, NAMES, PRIVATE].concat()) else { return };
    let [_, none, private, again, host, app, refused, own, taken, any] = parts.as_slice() else {
        panic!("{parts:?}\n{err}")
    };
    // Debian's own site would get every request.
    assert!(none.contains("/etc/nginx/sites-enabled/default has the default server of port 80"), "{none}");
    assert!(none.ends_with("exit 1\nnothing was done\n"), "{none}");
    assert!(
        private.contains("do       sign a certificate for shop.lan, /etc/alt/tls/shop.lan.crt"),
        "{private}\n{err}"
    );
    assert!(private.contains("https://shop.lan/s/m.js") && private.contains("\nready\n"), "{private}");
    assert!(private.ends_with("200 0\n204\nroot 600\n"), "{private}");
    does_nothing(again);
    assert!(host.contains("change /etc/nginx/conf.d/alt.conf from shop.lan to blog.lan"), "{host}");
    assert!(host.contains("<img src=\"https://blog.lan/b?a=") && host.contains("\nready\n"), "{host}");
    let answers: Vec<&str> = host.lines().rev().take(2).collect();
    assert!(answers[1] == "200 0" && !answers[0].starts_with("200 0"), "{host}");
    assert!(
        app.contains("do       register the application Second") && app.contains("https://blog.lan/b?a="),
        "{app}"
    );
    assert_eq!(app.matches("register the application").count(), 1, "{app}");
    assert!(
        app.contains("\"My shop\"")
            && app.contains("\"Second\"")
            && app.contains("everything was there already"),
        "{app}"
    );
    assert_eq!(refused.matches("exit 1\n").count(), 3, "{refused}");
    assert!(refused.contains("for the domains: second.example"), "{refused}");
    assert!(refused.contains("with the time zone Europe/Berlin"), "{refused}");
    assert!(refused.contains("there are 2 applications"), "{refused}");
    assert!(own.contains("alt.conf was changed by hand, and its server_name is blog.lan"), "{own}");
    assert!(
        own.contains("exit 1\n") && own.contains("everything was there already") && !own.ends_with("\n0\n"),
        "{own}"
    );
    assert!(taken.contains("sites-enabled/other has a site of this name already"), "{taken}");
    assert!(taken.contains("there    /etc/nginx/sites-enabled/other, a site of somebody's own"), "{taken}");
    assert!(taken.contains("MISSING  TLS: /etc/nginx/sites-enabled/other has no certificate"), "{taken}");
    assert_eq!((taken.matches("exit 1\n").count(), taken.matches("exit 3\n").count()), (1, 1), "{taken}");
    assert!(!taken.contains("\nalt.conf\n"), "{taken}");
    let (first, second) = any.split_once("200 0\n").unwrap_or_else(|| panic!("{any}"));
    assert!(first.contains("\nready\n"), "{any}");
    does_nothing(second);
}

#[test]
fn setup_gets_a_certificate_or_says_what_is_missing() {
    if !["/usr/bin/certbot", "/usr/bin/pebble"].iter().all(|program| fs::metadata(program).is_ok()) {
        return not_looked_at("certificates by certbot (certbot and pebble are not installed)");
    }
    let Some((parts, err)) = on_a_copy(&["LISTEN=", BEGIN, NAMES, PUBLIC].concat()) else { return };
    let [_, account, webroot, again, renewal, standalone, unreachable, given, none] = parts.as_slice() else {
        panic!("{parts:?}\n{err}")
    };
    assert!(
        account.contains("MISSING  TLS: there is no certificate for events.example.com"),
        "{account}\n{err}"
    );
    assert!(account.contains("--email YOU@EXAMPLE.COM") && account.ends_with("exit 3\n200 0\n"), "{account}");
    assert!(
        webroot.contains("--webroot -w /var/www/html") && webroot.contains("\nready\n"),
        "{webroot}\n{err}"
    );
    assert!(webroot.contains("\n200 0\n308 0\n"), "{webroot}");
    assert!(
        webroot.contains("authenticator = webroot") && webroot.contains("renew_hook = nginx -s reload"),
        "{webroot}"
    );
    does_nothing(again);
    assert_eq!(renewal, "renewal\nnginx has the new one\n");
    assert!(
        standalone.contains("--standalone") && standalone.contains("MISSING  the renewal"),
        "{standalone}"
    );
    assert!(standalone.ends_with("exit 3\n200 0\n"), "{standalone}");
    assert!(unreachable.contains("certbot got no certificate for shop.example.com"), "{unreachable}");
    assert!(unreachable.ends_with("exit 3\n"), "{unreachable}");
    assert!(
        given.contains("from shop.example.com to events.example.com") && given.contains("\n200 0\n"),
        "{given}"
    );
    assert!(given.contains("the certificate is not for the name other.example.com"), "{given}");
    assert!(given.ends_with("exit 1\n"), "{given}");
    assert!(none.contains("install certbot and run setup again") && none.ends_with("exit 3\n"), "{none}");
}

#[test]
fn a_hit_is_followed_from_its_name_to_its_row_or_to_where_it_is_lost() {
    let Some((parts, err)) = on_a_copy(&["LISTEN=", BEGIN, NAMES, WAY].concat()) else { return };
    let [_, well, ordinary, network, name, cert, script, taken, log, row, reject, plain, accepted] =
        parts.as_slice()
    else {
        panic!("{parts:?}\n{err}")
    };
    let note = "note: shop.lan: its certificate is one that alt setup signed";
    assert!(
        well.contains(note) && well.ends_with("\nnothing is wrong\nalt_check|monitor\n"),
        "{well}\n{err}"
    );
    for unseen in
        ["the database", "/var/log/nginx/alt/beacon.log", "the way of a hit", "nginx's configuration"]
    {
        assert!(
            ordinary.lines().any(|line| line.starts_with("not looked at: ") && line.contains(unseen)),
            "{ordinary}"
        );
    }
    assert!(!ordinary.contains("chgrp") && ordinary.contains("run it as root: sudo alt check"), "{ordinary}");
    assert!(!ordinary.contains("exit"), "{ordinary}");
    assert!(network.contains("not looked at: shop.lan from outside: DNS does not answer here"), "{network}");
    assert!(network.ends_with("nothing is wrong\n"), "{network}");
    let only = |said: &str, what: &str| {
        assert!(
            said.contains(what) && said.ends_with("\n1 problem\nexit 3\n"),
            "{what} is missing in\n{said}"
        );
    };
    only(name, "error: shop.lan: the name leads nowhere: Name or service not known [name]");
    only(cert, "error: shop.lan: its certificate is for other names: browsers refuse it [certificate]");
    only(
        script,
        "error: shop.lan: https://shop.lan/s/m.js, which pages load, is answered 404 and is no script [script]",
    );
    assert!(
        taken.contains("error: shop.lan: a hit is answered 404, and not 204: it is not counted [answer]"),
        "{taken}"
    );
    only(log, "error: shop.lan: a hit was answered 204 and is in no log that is followed");
    assert!(
        row.contains(
            "a hit was answered 204 and is in /var/log/nginx/alt/beacon.log, and is no row after 6 s"
        ),
        "{row}"
    );
    assert!(
        reject.contains("error: shop.lan: a hit was answered 204 and became a reject, bad_id"),
        "{reject}"
    );
    assert!(
        plain.contains(
            "error: shop.lan: nothing takes a connection for https at 127.0.0.1:443 (Connection refused"
        ),
        "{plain}"
    );
    assert!(plain.contains("error: shop.lan: nginx does not answer on this machine either"), "{plain}");
    assert!(accepted.contains("accepted: shop.lan: nothing takes a connection"), "{accepted}");
    only(accepted, "warning: [check] accepted: `nonsense` is no kind of finding [accepted]");
}

#[test]
fn a_cluster_at_another_port_is_found_and_root_writes_the_script_where_it_is_told() {
    let Some((parts, err)) = on_a_copy(&["LISTEN=\nPORT=5433", BEGIN, PORT].concat()) else { return };
    let [_, setup, again, build] = parts.as_slice() else { panic!("{parts:?}\n{err}") };
    assert!(setup.contains("do       write the port of PostgreSQL, 5433, into /etc/alt/alt.toml"), "{setup}");
    assert!(
        setup.ends_with("url = \"postgres:///alt?host=/var/run/postgresql&port=5433\"\n"),
        "{setup}\n{err}"
    );
    does_nothing(again);
    assert_eq!(build.matches("written    into ").count(), 2, "{build}\n{err}");
    assert!(build.ends_with("root 644\nroot 644\n1\n"), "{build}");
}

#[test]
fn a_disk_that_was_full_is_found_by_what_nginx_said() {
    let Some((parts, err)) = on_a_copy(&["LISTEN=", BEGIN, NAMES, FULL].concat()) else { return };
    let [_, later] = parts.as_slice() else { panic!("{parts:?}\n{err}") };
    let what =
        "warning: /var/log/nginx/error.log: nginx could not write to the log, because the disk was full";
    assert!(later.contains(what) && later.ends_with("\n2 problems\nexit 3\n"), "{later}\n{err}");
}

/// The dashboard's site, beside that of the collector. Every line it prints is looked at below.
const WEB: &str = r#"
rm /etc/nginx/sites-enabled/default
nginx
alt setup --host shop.lan --app 'My shop' >/dev/null
echo "== refused"
alt setup --web --host shop.lan 2>&1 || echo "exit $?"
echo "== dry"
alt setup --web --host blog.lan --dry-run
ls /etc/nginx/conf.d
echo "== first"
alt setup --web --host blog.lan
grep ^public_url /etc/alt/alt.toml
getent passwd alt_web >/dev/null || useradd --system --user-group --no-create-home alt_web
setpriv --reuid=alt_web --regid=alt_web --init-groups alt serve 2>/dev/null &
served=$!
script --cacert /etc/alt/tls/blog.lan.crt https://blog.lan/health
alt user add jane --owner | grep -o 'https://blog.lan/sign-in#link=alt_'
curl -s -o /dev/null -w '%{http_code}\n' http://blog.lan/health
link=$(alt user link jane --plain)
curl -s -i --cacert /etc/alt/tls/blog.lan.crt -H 'Content-Type: application/json' -d "{\"link\": \"${link##*=}\"}" \
    https://blog.lan/api/v1/session | grep -io 'set-cookie: alt_session=alt_.*; secure'  | cut -c1-35
script --cacert /etc/alt/tls/shop.lan.crt https://shop.lan/s/m.js
kill $served
echo "== again"
alt setup --web --host blog.lan
echo "== own"
sed -i 's/20r.s/30r\/s/' /etc/nginx/conf.d/alt-web.conf
alt setup --web --host blog.lan
grep -c 30r /etc/nginx/conf.d/alt-web.conf
echo "== broken"
rm /etc/nginx/conf.d/alt-web.conf
echo 'limit_req_zone $binary_remote_addr zone=alt_web:1m rate=1r/s;' >/etc/nginx/conf.d/aaa.conf
alt setup --web --host blog.lan 2>&1 || echo "exit $?"
ls /etc/nginx/conf.d
"#;

#[test]
fn setup_prepares_the_dashboard_and_takes_back_what_nginx_refuses() {
    let Some((parts, err)) = on_a_copy(&["LISTEN=", BEGIN, NAMES, WEB].concat()) else { return };
    let [_, refused, dry, first, again, own, broken] = parts.as_slice() else { panic!("{parts:?}\n{err}") };
    assert!(
        refused.contains("alt.conf has a site of this name already") && refused.ends_with("exit 1\n"),
        "{refused}"
    );
    assert!(dry.contains("would    write /etc/nginx/conf.d/alt-web.conf for blog.lan"), "{dry}");
    assert!(!dry.contains("\nalt-web.conf"), "{dry}");
    for step in [
        "do       sign a certificate for blog.lan",
        "do       write /etc/nginx/conf.d/alt-web.conf for blog.lan",
        "do       write public_url = \"https://blog.lan\" below [web]",
        "sudo alt user add YOU --owner",
        "\npublic_url = \"https://blog.lan\"\n200 0\nhttps://blog.lan/sign-in#link=alt_\n403\n",
        "alt_session=alt_",
    ] {
        assert!(first.contains(step), "{step}: {first}\n{err}");
    }
    assert!(first.ends_with("\n200 0\n"), "the collector's site answers as before: {first}");
    does_nothing(again);
    assert!(own.contains("alt-web.conf, a site of somebody's own") && own.ends_with("\n1\n"), "{own}");
    assert!(broken.contains("the site is as it was before") && broken.contains("exit 1\n"), "{broken}");
    assert!(!broken.contains("\nalt-web.conf"), "{broken}");
}
