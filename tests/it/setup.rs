//! `alt setup` for real: on a copy of this machine that is thrown away.
//!
//! An overlay over `/` in a mount namespace of its own takes all that is written, so it works on the real paths
//! (`/etc/nginx`, `/etc/alt`, `/var/log/nginx`) and the real PostgreSQL of the distribution (or the one that
//! `ALT_TEST_POSTGRES` names), and this machine is not touched. That needs root and the right to mount; elsewhere the
//! test says so and looks at nothing.

use std::process::Command;

use crate::support::not_looked_at;

/// Run inside the copy. Every line it prints is looked at below.
const INSIDE: &str = r#"
set -eu
install -m 755 "$ALT" /usr/bin/alt
install -d -o postgres -g postgres -m 2775 /run/postgresql
bin=${ALT_TEST_POSTGRES:-$(ls -d /usr/lib/postgresql/*/bin | sort -V | tail -n 1)}
cd /
install -d -o postgres -g postgres -m 700 /tmp/data
as_postgres() { setpriv --reuid=postgres --regid=postgres --init-groups -- "$@"; }
as_postgres "$bin/initdb" -D /tmp/data --auth=peer --no-sync >/dev/null
as_postgres "$bin/pg_ctl" -D /tmp/data -w -s -l /tmp/data/log \
    -o "-c listen_addresses='' -c unix_socket_directories=/run/postgresql -c shared_memory_type=mmap -c dynamic_shared_memory_type=mmap" start
trap 'as_postgres "$bin/pg_ctl" -D /tmp/data -m immediate -s stop' EXIT
rm -rf /etc/alt /var/log/nginx/alt /etc/nginx/alt /etc/nginx/conf.d/alt.conf /etc/logrotate.d/alt
getent passwd alt >/dev/null && userdel alt
echo "== first"
alt setup --host events.example.com --app 'My shop' --domain example.com
echo "== again"
alt setup --host events.example.com --app 'My shop'
echo "== left"
stat -c '%n %U:%G %a' /var/log/nginx/alt /var/log/nginx/alt/rotated /var/log/nginx/alt/beacon.log
grep -c 'server_name events.example.com' /etc/nginx/conf.d/alt.conf
nginx -t -q && echo "nginx accepts it"
echo "owner $(as_postgres psql -XAtq -d alt -c "SELECT tableowner FROM pg_tables WHERE tablename = 'access_logs'")"
echo "== check"
alt check || echo "exit $?"
alt run 2>/tmp/run.log &
daemon=$!
for _ in $(seq 50); do ! alt check >/tmp/check || break; sleep 0.1; done
cat /tmp/check
kill "$daemon"
wait "$daemon" || echo "alt run: exit $?"
echo "== broken"
echo 'nonsense;' >/etc/nginx/conf.d/broken.conf
rm /etc/nginx/conf.d/alt.conf
alt setup --host events.example.com 2>&1 || echo "exit $?"
ls /etc/nginx/conf.d
"#;

const OUTSIDE: &str = r#"
set -eu
mount -t tmpfs none "$PLACE"
mkdir "$PLACE/upper" "$PLACE/work" "$PLACE/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$PLACE/upper,workdir=$PLACE/work" "$PLACE/root"
mount --bind /proc "$PLACE/root/proc"
mount --rbind /dev "$PLACE/root/dev"
mkdir -p "$PLACE/root/tmp/exe"
mount --bind "$(dirname "$ALT")" "$PLACE/root/tmp/exe"
ALT=/tmp/exe/alt chroot "$PLACE/root" sh -c "$INSIDE"
"#;

#[test]
fn a_machine_is_made_ready_and_a_second_time_changes_nothing() {
    let place = tempfile::tempdir().unwrap();
    let able = "mount -t tmpfs none \"$PLACE\" && mkdir \"$PLACE/u\" \"$PLACE/w\" \"$PLACE/r\" && \
                mount -t overlay overlay -o \"lowerdir=/,upperdir=$PLACE/u,workdir=$PLACE/w\" \"$PLACE/r\"";
    let able = Command::new("unshare").args(["-m", "sh", "-c", able]).env("PLACE", place.path()).output();
    if !able.is_ok_and(|output| output.status.success()) {
        not_looked_at(
            "alt setup on a copy of this machine (that needs root and the right to mount an overlay)",
        );
        return;
    }
    let output = Command::new("unshare")
        .args(["-m", "sh", "-c", OUTSIDE])
        .env("PLACE", place.path())
        .env("ALT", env!("CARGO_BIN_EXE_alt"))
        .env("INSIDE", INSIDE)
        .env_remove("ALT_CONFIG")
        .output()
        .unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let parts: Vec<&str> = out.split("== ").collect();
    let [_, first, again, left, check, broken] = parts.as_slice() else { panic!("{out}\n{err}") };

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
            "owner alt"
        ]
    );
    let check: Vec<&str> = check.lines().collect();
    assert!(check[1].contains("it is not running") && check[2].contains("systemctl start alt"), "{check:?}");
    assert_eq!(check[3..], ["1 problem", "exit 3", "nothing is wrong"]);
    assert!(broken.contains("nginx does not accept its new configuration"), "{broken}");
    assert!(broken.contains("exit 1\nbroken.conf\n") && !broken.contains("\nalt.conf"), "{broken}");
}
