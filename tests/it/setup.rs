//! `alt setup` for real: on a copy of this machine that is thrown away.
//!
//! An overlay over `/` in a mount namespace of its own takes all that is written, so it works on the real paths
//! (`/etc/nginx`, `/etc/alt`, `/var/log/nginx`) and the real PostgreSQL of the distribution (or the one that
//! `ALT_TEST_POSTGRES` names), and this machine is not touched. That needs root and the right to mount; elsewhere the
//! test says so and looks at nothing.

use std::process::Command;

use crate::support::not_looked_at;
use crate::support::postgres::BACK_TO_8;

/// Begins what is run inside the copy: with `alt` installed, nothing set up, and a PostgreSQL that listens on TCP at
/// `LISTEN`, if anywhere.
pub(crate) const BEGIN: &str = r#"
set -eu
install -m 755 "$ALT" /usr/bin/alt
install -d -o postgres -g postgres -m 2775 /run/postgresql
# Debian's psql goes by the port of the cluster that is installed here, which need not be that of this one.
export PGHOST=/run/postgresql PGPORT=${PORT:-5432}
bin=${ALT_TEST_POSTGRES:-$(ls -d /usr/lib/postgresql/*/bin | sort -V | tail -n 1)}
cd /
install -d -o postgres -g postgres -m 700 /srv/alt-postgres
as_postgres() { setpriv --reuid=postgres --regid=postgres --init-groups -- "$@"; }
as_postgres "$bin/initdb" -D /srv/alt-postgres --auth-local=peer --auth-host=scram-sha-256 --no-sync >/dev/null
as_postgres "$bin/pg_ctl" -D /srv/alt-postgres -w -s -l /srv/alt-postgres/log \
    -o "-c port=$PGPORT -c listen_addresses='$LISTEN' -c unix_socket_directories=/run/postgresql -c shared_memory_type=mmap -c dynamic_shared_memory_type=mmap" start
trap 'as_postgres "$bin/pg_ctl" -D /srv/alt-postgres -m immediate -s stop' EXIT
rm -rf /etc/alt /var/log/nginx/alt /etc/nginx/alt /etc/nginx/conf.d/alt.conf /etc/logrotate.d/alt /etc/letsencrypt
getent passwd alt >/dev/null && userdel alt
"#;

/// Run inside the copy, after [`BEGIN`]. Every line it prints is looked at below.
const INSIDE: &str = r#"echo "== first"
alt setup --host events.example.com --app 'My shop' --domain example.com --no-tls
echo "== again"
alt setup --host events.example.com --app 'My shop'
echo "== left"
stat -c '%n %U:%G %a' /var/log/nginx/alt /var/log/nginx/alt/rotated /var/log/nginx/alt/beacon.log
grep -c 'server_name events.example.com' /etc/nginx/conf.d/alt.conf
nginx -t -q && echo "nginx accepts it"
echo "owner $(as_postgres psql -XAtq -d alt -c "SELECT tableowner FROM pg_tables WHERE tablename = 'access_logs'")"
# as nginx does after a rename
(umask 022; : >/var/log/nginx/alt/new.log)
stat -c '%n %G %a' /var/log/nginx/alt/new.log
rm /var/log/nginx/alt/new.log
alt check --roles | awk '$2 == "owns" { print $1, $2 }'
echo "== planted"
chown www-data /var/www/alt
echo old >/var/www/alt/m.js
for name in m.new m.js.new .m.js.new; do
    setpriv --reuid=www-data --regid=www-data --clear-groups -- ln -s /etc/cron.d/planted /var/www/alt/$name
done
mkdir -p /etc/cron.d
alt setup --host events.example.com
stat -c '%F %U %a' /var/www/alt/m.js
ls /etc/cron.d/planted 2>/dev/null || echo "nothing was planted"
echo "== check"
nginx
alt check || echo "exit $?"
alt run 2>/tmp/run.log &
daemon=$!
for _ in $(seq 50); do ! alt check >/tmp/check || break; sleep 0.1; done
cat /tmp/check
kill "$daemon"
wait "$daemon" || echo "alt run: exit $?"
nginx -s stop 2>/dev/null
echo "== broken"
echo 'nonsense;' >/etc/nginx/conf.d/broken.conf
rm /etc/nginx/conf.d/alt.conf
alt setup --host events.example.com 2>&1 || echo "exit $?"
ls /etc/nginx/conf.d
"#;

/// An installation whose daemon owned everything, as the version before made it, and what the package does at an upgrade:
/// by peer authentication, and with a daemon that uses a password. Every line it prints is looked at below.
const ONE_ROLE: &str = r#"alt setup --no-nginx >/dev/null
sql() { as_postgres psql -XAtq -d alt -c "$1"; }
owner() { sql "SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'public'"; }
older() {
    sql "BACK_TO_8"
}
older
sql "REASSIGN OWNED BY alt_owner TO alt; DROP OWNED BY alt_owner, alt_web; DROP ROLE alt_owner, alt_web, alt_rules, alt_audit;
    GRANT CREATE ON SCHEMA public TO alt; ALTER ROLE alt PASSWORD 'wonderful'"
userdel alt_owner
echo "== before"
owner
echo "== upgrade"
alt setup --only-roles | sed 's/ in PostgreSQL//'
alt migrate
owner
echo "== again"
alt setup --only-roles | grep '^do ' || echo "nothing is done"
as_alt() { setpriv --reuid=alt --regid=alt --init-groups -- psql -XAtq -d alt "$@" 2>&1 || :; }
as_alt -c 'SELECT count(*) FROM access_logs'
as_alt -c 'DELETE FROM access_logs'
as_alt -U alt_owner -c 'SELECT 1' | grep -o 'Peer authentication failed.*'
echo "== password"
older
PGPASSWORD=wonderful ALT_POSTGRES_URL='postgres://alt@localhost/alt?sslmode=disable' alt migrate
owner
"#;

/// Somebody else may write into nginx's log directory and into that of the scripts, and puts links there before root
/// comes; into the scripts' directory all the time, too. Every line it prints is looked at below.
const PLANTED: &str = r#"
set -eu
install -m 755 "$ALT" /usr/bin/alt
getent passwd alt >/dev/null || useradd --system --user-group --home-dir /var/lib/alt --shell /usr/sbin/nologin alt
mkdir -p /etc/alt /etc/cron.d
printf '[postgres]\nurl = "postgres://nobody@127.0.0.1:1/none?sslmode=disable"\n' >/etc/alt/alt.toml
setup() { alt setup --host events.example.com 2>&1 || echo "exit $?"; }
build() { timeout 20 alt beacon build --app k1 --host events.example.com --out "$1" 2>&1 || echo "exit $?"; }
stat -c '%n %U:%G %a' /etc
echo "== directory"
rm -rf /var/log/nginx/alt
chown www-data /var/log/nginx
ln -s /etc /var/log/nginx/alt
setup
echo "== rotated"
rm /var/log/nginx/alt
install -d -o www-data -m 755 /var/log/nginx/alt
ln -s /etc /var/log/nginx/alt/rotated
setup
echo "== log"
rm -rf /var/log/nginx/alt
install -d -o www-data -m 755 /var/log/nginx/alt
ln -s /etc/cron.d/planted /var/log/nginx/alt/beacon.log
setup
echo "== script"
rm -rf /var/www/alt /var/log/nginx/alt
install -d -o www-data -m 755 /var/www/alt
as_www() { setpriv --reuid=www-data --regid=www-data --clear-groups -- "$@"; }
for name in m.js m.js.map m.new m.js.new .m.js.new m.nginx.conf; do as_www ln -s /etc/cron.d/planted /var/www/alt/$name; done
as_www mkfifo /var/www/alt/m.k1.html
build /var/www/alt | head -n 1
find /var/www/alt -type l -exec basename {} \; | sort | tr '\n' ' '
echo
stat -c '%F %U %a' /var/www/alt/m.js /var/www/alt/m.k1.html
echo "== way"
chown www-data /var/www
rm -rf /var/www/alt
as_www ln -s /etc/cron.d /var/www/alt
build /var/www/alt
ls /etc/cron.d
echo "== own"
chown -h root /var/www/alt
build /var/www/alt | head -n 1
rm /etc/cron.d/m.*
echo "== etc"
stat -c '%n %U:%G %a' /etc
ls /etc/cron.d/planted 2>/dev/null || echo "nothing was planted"
"#;

const OUTSIDE: &str = r#"
set -eu
ip link set lo up
mount -t tmpfs none "$PLACE"
mkdir "$PLACE/upper" "$PLACE/work" "$PLACE/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$PLACE/upper,workdir=$PLACE/work" "$PLACE/root"
mount --bind /proc "$PLACE/root/proc"
mount --rbind /dev "$PLACE/root/dev"
mkdir -p "$PLACE/root/tmp/exe"
mount --bind "$(dirname "$ALT")" "$PLACE/root/tmp/exe"
ALT=/tmp/exe/alt chroot "$PLACE/root" sh -c "$INSIDE"
"#;

/// Runs a script as root on a copy of this machine; what it printed, in parts, and what went wrong. `None`: that cannot
/// be done here.
pub(crate) fn on_a_copy(script: &str) -> Option<(Vec<String>, String)> {
    let place = tempfile::tempdir().unwrap();
    let able = "mount -t tmpfs none \"$PLACE\" && mkdir \"$PLACE/u\" \"$PLACE/w\" \"$PLACE/r\" && \
                mount -t overlay overlay -o \"lowerdir=/,upperdir=$PLACE/u,workdir=$PLACE/w\" \"$PLACE/r\"";
    let able =
        Command::new("unshare").args(["-m", "-n", "sh", "-c", able]).env("PLACE", place.path()).output();
    if !able.is_ok_and(|output| output.status.success()) {
        not_looked_at(
            "alt setup on a copy of this machine (that needs root and the right to mount an overlay)",
        );
        return None;
    }
    let output = Command::new("unshare")
        .args(["-m", "-n", "sh", "-c", OUTSIDE])
        .env("PLACE", place.path())
        .env("ALT", env!("CARGO_BIN_EXE_alt"))
        .env("INSIDE", script)
        .env_remove("ALT_CONFIG")
        .output()
        .unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    Some((out.split("== ").map(str::to_owned).collect(), err.into_owned()))
}

#[test]
fn a_machine_is_made_ready_and_a_second_time_changes_nothing() {
    let Some((parts, err)) = on_a_copy(&["LISTEN=", BEGIN, INSIDE].concat()) else { return };
    let [_, first, again, left, planted, check, broken] = parts.as_slice() else {
        panic!("{parts:?}\n{err}")
    };

    for step in
        ["account alt", "role alt", "database alt", "alt migrate", "My shop", "/etc/nginx/conf.d/alt.conf"]
    {
        let done = first.lines().any(|line| line.starts_with("do ") && line.contains(step));
        assert!(done, "{step} is missing in\n{first}\n{err}");
    }
    assert!(first.contains("<img src=\"https://events.example.com/b?a="), "{first}");
    assert!(!again.lines().any(|line| line.starts_with("do ")), "{again}");
    assert!(again.contains("everything was there already"), "{again}");
    assert_eq!(
        left.lines().skip(1).collect::<Vec<_>>(),
        [
            "/var/log/nginx/alt root:alt 2751",
            "/var/log/nginx/alt/rotated root:alt 2770",
            "/var/log/nginx/alt/beacon.log root:alt 640",
            "1",
            "nginx accepts it",
            "owner alt_owner",
            "/var/log/nginx/alt/new.log alt 640",
            "alt_owner owns"
        ]
    );
    // Nothing of this goes through the links that the scripts' owner put there.
    assert!(planted.lines().any(|line| line == "do       write /var/www/alt/m.js"), "{planted}");
    assert!(planted.ends_with("regular file root 644\nnothing was planted\n"), "{planted}");
    let check: Vec<&str> = check.lines().collect();
    assert!(check[1].contains("it is not running") && check[2].contains("systemctl start alt"), "{check:?}");
    // Without a network, the hit is sent to nginx itself.
    let outside = "not looked at: events.example.com from outside: DNS does not answer here (Temporary failure in name resolution)";
    assert_eq!(check[3..], [outside, "1 problem", "exit 3", outside, "nothing is wrong"]);
    assert!(broken.contains("nginx does not accept its new configuration"), "{broken}");
    assert!(broken.contains("exit 1\nbroken.conf\n") && !broken.contains("\nalt.conf"), "{broken}");
}

#[test]
fn an_installation_of_one_role_is_given_to_its_own_roles() {
    let Some((parts, err)) =
        on_a_copy(&["LISTEN=127.0.0.1", BEGIN, &ONE_ROLE.replace("BACK_TO_8", BACK_TO_8)].concat())
    else {
        return;
    };
    let [_, before, upgrade, again, password] = parts.as_slice() else { panic!("{parts:?}\n{err}") };
    assert_eq!(before, "before\nalt\n");
    assert_eq!(
        upgrade.lines().skip(1).collect::<Vec<_>>(),
        [
            "there    the role alt",
            "do       create the role alt_owner",
            "do       create the roles alt_web, alt_rules and alt_audit",
            "there    the database alt",
            "do       create the rights of the roles",
            "do       add the system account alt_owner",
            "applied 9 (batches)",
            "applied 10 (roles)",
            "applied 11 (missing)",
            "applied 12 (comments)",
            "applied 13 (statistics)",
            "applied 14 (access)",
            "applied 15 (segments)",
            "applied 16 (imports)",
            "applied 17 (sign_in)",
            "applied 18 (goals)",
            "applied 19 (alerts)",
            "applied 20 (event_values)",
            "applied 21 (less_for_alerts)",
            "applied 22 (samples)",
            "applied 23 (reports)",
            "applied 24 (annotations)",
            "applied 25 (jwt_keys)",
            "applied 26 (silences)",
            "applied 27 (saved_filters)",
            "applied 28 (page_views)",
            "applied 29 (alert_troubles)",
            "applied 30 (user_keys)",
            "applied 31 (panels)",
            "applied 32 (accounts)",
            "applied 33 (providers)",
            "applied 34 (crawlers)",
            "applied 35 (daemons)",
            "the schema is at version 35",
            "alt_owner"
        ]
    );
    assert_eq!(
        again.lines().skip(1).collect::<Vec<_>>(),
        [
            "nothing is done",
            "0",
            "ERROR:  permission denied for table access_logs",
            "Peer authentication failed for user \"alt_owner\""
        ]
    );
    assert_eq!(
        password,
        "password\napplied 9 (batches)\napplied 10 (roles)\napplied 11 (missing)\napplied 12 (comments)\n\
         applied 13 (statistics)\napplied 14 (access)\napplied 15 (segments)\napplied 16 (imports)\napplied 17 (sign_in)\napplied 18 (goals)\napplied 19 (alerts)\napplied 20 (event_values)\napplied 21 (less_for_alerts)\napplied 22 (samples)\napplied 23 (reports)\napplied 24 (annotations)\napplied 25 (jwt_keys)\napplied 26 (silences)\napplied 27 (saved_filters)\napplied 28 (page_views)\napplied 29 (alert_troubles)\napplied 30 (user_keys)\napplied 31 (panels)\napplied 32 (accounts)\napplied 33 (providers)\napplied 34 (crawlers)\napplied 35 (daemons)\nthe schema is at version 35\nalt_owner\n",
        "{err}"
    );
}

#[test]
fn root_writes_nowhere_else_by_the_links_of_another_account() {
    let Some((parts, err)) = on_a_copy(PLANTED) else { return };
    let [before, directory, rotated, log, script, way, own, after] = parts.as_slice() else {
        panic!("{parts:?}\n{err}")
    };
    assert!(
        directory.contains("/var/log/nginx/alt is no directory") && directory.ends_with("exit 1\n"),
        "{directory}"
    );
    assert!(rotated.contains("/var/log/nginx/alt/rotated is no directory"), "{rotated}");
    assert!(log.contains("/var/log/nginx/alt/beacon.log is no plain file"), "{log}");
    assert_eq!(
        script.lines().skip(1).collect::<Vec<_>>(),
        [
            "written    into /var/www/alt",
            ".m.js.new m.js.new m.new m.nginx.conf ",
            "regular file root 644",
            "regular file root 644"
        ]
    );
    assert!(way.contains("alt is a link to /etc/cron.d, which the account www-data made"), "{way}");
    assert!(way.contains("exit 1\n") && !way.contains("m.js"), "{way}");
    assert_eq!(own, "own\nwritten    into /var/www/alt\n");
    assert_eq!(after.lines().nth(1), before.lines().next(), "{after}");
    assert!(after.ends_with("nothing was planted\n"), "{after}");
}
