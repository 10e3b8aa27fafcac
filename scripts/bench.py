"""What scripts/bench does, which runs this: servers, pairs of runs, a table.

Every figure is the median of several runs, shown with the least and the greatest. What is compared is run in pairs,
the two one behind the other and in alternating order, and the ratio is taken in each pair: what else the machine does
then meets both.
"""

import argparse
import contextlib
import json
import os
import platform
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

SECTIONS = ("stages", "replay", "size", "live", "nginx", "growth")
BY_DEFAULT = ("replay", "size", "live", "nginx")
KEPT = Path("docs/performance.json")
ALT = str(Path("target/release/alt").absolute())
TRAFFIC = "target/traffic/release/traffic"
CLIENTS = "target/traffic/release/clients"
# Durability is PostgreSQL's default; what differs from it stands here, and is printed.
SETTINGS = {"shared_buffers": "512MB", "max_wal_size": "8GB", "max_connections": "50"}
DAY_S = 86_400
SPAN_S = 3 * 3600  # what a log of a replay spans


def say(text):
    print(text, file=sys.stderr, flush=True)


# --- results


class Results:
    """Figures by name, in order; a target is what the project promises, as "<=" or ">=" of a number."""

    def __init__(self):
        self.rows = {}

    def add(self, name, value, unit="", target=None):
        row = self.rows.setdefault(name, {"unit": unit, "target": target, "values": []})
        row["values"].append(float(value))
        say(f"    {name}: {shown(value)} {unit}")

    def table(self, kept):
        head = ["", "min", "median", "max", "unit", "target", "", "kept"]
        lines = [head]
        for name, row in self.rows.items():
            values, target = row["values"], row["target"]
            middle = statistics.median(values)
            verdict = ""
            if target:
                sign, limit = target
                verdict = "yes" if (middle <= limit if sign == "<=" else middle >= limit) else "NO"
            before = kept.get(name)
            lines.append(
                [
                    name,
                    shown(min(values)),
                    shown(middle),
                    shown(max(values)),
                    row["unit"],
                    f"{target[0]} {shown(target[1])}" if target else "",
                    verdict,
                    f"{shown(before)} ({middle / before:.2f}x)" if before else "",
                ]
            )
        widths = [max(len(line[n]) for line in lines) for n in range(len(head))]
        right = (1, 2, 3)
        for line in lines:
            cells = [c.rjust(w) if n in right else c.ljust(w) for n, (c, w) in enumerate(zip(line, widths))]
            print("  ".join(cells).rstrip())


def shown(value):
    if value == 0 or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"


# --- processes


def run(*command, **how):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, **how)
    if done.returncode != 0:
        raise SystemExit(f"error: {' '.join(map(str, command))[:300]}: {done.stderr.strip()[-2000:]}")
    return done.stdout.strip()


CHILDREN = []


def spawn(*command, **how):
    """A process that is killed at the latest when this script ends."""
    child = subprocess.Popen([str(c) for c in command], text=True, **how)
    CHILDREN.append(child)
    return child


def kill_children():
    for child in CHILDREN:
        if child.poll() is None:
            child.kill()
            child.wait()


class Cost:
    """What a run took: seconds, CPU seconds of its own and of PostgreSQL, peak memory, WAL."""

    wall = own = postgres = wal = 0.0
    peak_kib = rows = 0


def cpu_of(pid, with_children=False):
    """CPU seconds of a process so far; with those of its children that have ended."""
    with contextlib.suppress(OSError):
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        ticks = int(fields[11]) + int(fields[12])
        if with_children:
            ticks += int(fields[13]) + int(fields[14])
        return ticks / os.sysconf("SC_CLK_TCK")
    return 0.0


def precise_cpu_of(pid):
    """The same in nanoseconds' precision, of threads that live."""
    total = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        total += int((task / "schedstat").read_text().split()[0])
    return total / 1e9


def cpu_of_all():
    """CPU seconds that anything on this machine took so far."""
    user, nice, system, _, _, irq, softirq = map(int, Path("/proc/stat").read_text().split()[1:8])
    return (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK")


def peak_kib_of(pid):
    with contextlib.suppress(OSError):
        found = re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
        return int(found[1]) if found else 0
    return 0


def wait_until(ready, seconds, what):
    end = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > end:
            raise SystemExit(f"error: waited {seconds} s in vain: {what}")
        time.sleep(0.05)


# --- servers


class Postgres:
    def __init__(self, bindir, directory):
        self.bindir, self.directory, self.data = Path(bindir), directory, directory / "data"
        self.as_server = []
        if os.geteuid() == 0:
            self.as_server = ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", "--"]
            shutil.chown(directory, "postgres", "postgres")
        initdb = ["--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C.UTF-8", "-D", self.data]
        run(*self.as_server, self.bindir / "initdb", *initdb, cwd="/")
        settings = {**SETTINGS, "listen_addresses": "", "unix_socket_directories": directory, "timezone": "UTC"}
        options = " ".join(f"-c {name}='{value}'" for name, value in settings.items())
        # pg_ctl's server would hold a pipe open for ever
        command = ["start", "-w", "-s", "-D", self.data, "-l", directory / "postgres.log", "-o", options]
        subprocess.run(
            [*self.as_server, self.bindir / "pg_ctl", *command],
            check=True, cwd="/", start_new_session=True, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL,
        )
        self.pid = int((self.data / "postmaster.pid").read_text().split()[0])
        self.sql("CREATE ROLE alt LOGIN")

    def stop(self):
        command = [*self.as_server, self.bindir / "pg_ctl", "stop", "-m", "fast", "-w", "-s", "-D", self.data]
        subprocess.run(command, cwd="/", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def psql(self, database):
        return ["psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-U", "postgres", "-h", str(self.directory), "-d", database]

    def sql(self, sql):
        return run(*self.psql("postgres"), "-c", sql)

    def cpu(self):
        """Of all its processes so far."""
        children = run("pgrep", "-P", self.pid).split()
        return cpu_of(self.pid, with_children=True) + sum(cpu_of(pid) for pid in children)


class Bench:
    """A database with the applications in it, and what is measured there."""

    def __init__(self, options, directory, postgres, results, database="bench"):
        self.options, self.directory, self.postgres, self.results = options, directory, postgres, results
        self.database = database
        self.url = f"postgres:///{database}?host={postgres.directory}&user=alt"
        self.environment = {"PATH": os.environ["PATH"], "ALT_POSTGRES_URL": self.url}
        self.psql = postgres.psql(database)

    def sql(self, sql):
        return run(*self.psql, "-c", sql)

    def fresh(self):
        self.postgres.sql(f"DROP DATABASE IF EXISTS {self.database}")
        self.postgres.sql(f"CREATE DATABASE {self.database} OWNER alt")
        run(self.options.alt, "migrate", env=self.environment)
        self.sql(run(TRAFFIC, "--sql"))

    def columns(self):
        return self.sql(
            "SELECT string_agg(attname, ', ' ORDER BY attnum) FROM pg_attribute "
            "WHERE attrelid = 'access_logs'::regclass AND attnum > 0 AND NOT attisdropped"
        )

    def empty(self):
        self.sql("TRUNCATE access_logs, rejected_lines, checkpoints, log_files, loaded_by_ids CASCADE")
        self.sql("CHECKPOINT")

    def log(self, name, lines, seed=1, age_s=DAY_S):
        path = self.directory / name
        path.unlink(missing_ok=True)
        rate = lines / SPAN_S
        run(TRAFFIC, "--lines", lines, "--seed", seed, "--rate", rate, "--age", age_s, "--output", path)
        return path

    def rows(self):
        return int(self.sql("SELECT count(*) FROM access_logs"))

    def cost(self, *commands):
        """Runs commands at the same time, to their ends."""
        cost, wal = Cost(), "SELECT pg_current_wal_insert_lsn() - '0/0'"
        before, wal_before = self.postgres.cpu(), int(self.postgres.sql(wal))
        all_before, started = cpu_of_all(), time.monotonic()
        children = [
            spawn(*command, env=self.environment, stdout=subprocess.PIPE) for command in commands
        ]
        watcher = threading.Thread(target=self.watch, args=(children[0].pid, cost))
        watcher.start()
        for child in children:
            # what it writes is a line or two, which never fills a pipe
            _, status, usage = os.wait4(child.pid, 0)
            child.returncode = os.waitstatus_to_exitcode(status)
            if child.returncode:
                raise SystemExit(f"error: {child.args}: exit code {child.returncode}")
            cost.own += usage.ru_utime + usage.ru_stime
        cost.wall = time.monotonic() - started
        for child in children:
            child.stdout.close()
        watcher.join()
        cost.postgres = self.postgres.cpu() - before
        others = cpu_of_all() - all_before - cost.own - cost.postgres
        self.results.add("others' share of the machine", others / cost.wall / os.cpu_count() * 100, "%")
        cost.wal = int(self.postgres.sql(wal)) - wal_before
        return cost

    @staticmethod
    def watch(pid, cost):
        # not by wait4's maxrss, in which the memory of this script would be
        while peak := peak_kib_of(pid):
            cost.peak_kib = max(cost.peak_kib, peak)
            time.sleep(0.02)

    def replay(self, *arguments):
        return self.cost([self.options.alt, "replay", "--json", *arguments])

    def after_checkpoint(self, work, *arguments):
        self.sql("CHECKPOINT")
        return work(*arguments)

    def copies(self, *files):
        """psql's \\copy of each, at the same time."""
        columns = self.columns()
        return self.cost(*(
            [*self.psql, "-c", f"\\copy access_logs ({columns}) FROM '{file}' WITH (FORMAT binary)"]
            for file in files
        ))

    def export(self, name, where="true", shift_s=0):
        """Rows as PostgreSQL's binary COPY, in the order in which they stand in the log."""
        path = self.directory / name
        columns = self.columns().replace("occurred_at", f"occurred_at + interval '{shift_s} seconds'", 1)
        query = f"SELECT {columns} FROM access_logs WHERE {where} ORDER BY file_id, file_offset"
        with path.open("wb") as to:
            command = [*self.psql, "-c", f"COPY ({query}) TO STDOUT WITH (FORMAT binary)"]
            subprocess.run(command, stdout=to, check=True)
        return path


class Daemon:
    """`alt run` that follows DIRECTORY/beacon.log."""

    def __init__(self, bench, directory, more="", source=None):
        self.config = directory / "alt.toml"
        self.config.write_text(
            f'[[source]]\npaths = ["{source or directory / "beacon.log"}"]\n[postgres]\nurl = "{bench.url}"\n'
            f'[admin]\nlisten = "127.0.0.1:0"\n{more}'
        )
        self.stderr = (directory / "alt.stderr").open("w")
        how = {"stderr": self.stderr, "stdin": subprocess.DEVNULL, "env": {"PATH": os.environ["PATH"]}}
        self.child = spawn(bench.options.alt, "run", "--config", self.config, **how)
        self.pid = self.child.pid
        time.sleep(1.0)

    def stop(self):
        self.child.send_signal(signal.SIGTERM)
        if self.child.wait(30) != 0:
            raise SystemExit(f"error: the daemon failed: {Path(self.stderr.name).read_text()[-2000:]}")
        self.stderr.close()


# --- sections


def stages(bench):
    """benches/stages.rs, each station on one core."""
    run("cargo", "bench", "--locked", "--bench", "stages", "--", "--noplot", env={**os.environ})
    for path in sorted(Path("target/criterion").glob("*/*/new/estimates.json")):
        name = "/".join(path.parts[2:4])
        lines = json.loads(path.with_name("benchmark.json").read_text())["throughput"]["Elements"]
        seconds = json.loads(path.read_text())["median"]["point_estimate"] / 1e9
        target = (">=", 1.5e6) if name == "whole/alt1" else None
        bench.results.add(f"stage {name}", lines / seconds, "lines/s", target)


def in_turn(pair, first, second):
    """Both, in an order that alternates."""
    if pair % 2:
        return first(), second()
    of_second = second()
    return first(), of_second


def compare(bench, name, target, replayed, copied):
    results, rows = bench.results, replayed.rows
    if not 0 < rows == copied.rows:
        raise SystemExit(f"error: {name}: {rows} rows, and {copied.rows} by \\copy")
    results.add(f"{name}: rate by that of \\copy", copied.wall / replayed.wall, "x", (">=", target))
    results.add(f"{name}: rows", rows / replayed.wall, "rows/s")
    results.add(f"{name}: rows of \\copy", rows / copied.wall, "rows/s")
    both = (replayed.own + replayed.postgres) / (copied.own + copied.postgres)
    results.add(f"{name}: CPU by that of \\copy, both ends", both, "x")


def replay(bench):
    """`alt replay` of a log against \\copy of the rows that come of it."""
    options, results, million = bench.options, bench.results, bench.options.lines / 1e6
    bench.fresh()
    log = bench.log("replay.log", options.lines)
    bench.replay(log)
    one = bench.export("rows")
    # the logs of two days, and those of two hosts: of the same three hours, in which ids are read under one lock
    twos = {}
    for name, days in (("replay --jobs 2", (1, 2)), ("replay --jobs 2, same hours", (1, 1))):
        logs = [
            bench.log(f"half-{len(twos)}-{n}.log", options.lines // 2, seed=10 + n, age_s=day * DAY_S)
            for n, day in enumerate(days)
        ]
        bench.empty()
        bench.replay(*logs)
        ids = bench.sql("SELECT id FROM log_files ORDER BY path").split()
        twos[name] = (logs, [bench.export(f"rows-{len(twos)}-{id}", f"file_id = {id}") for id in ids])

    def emptied(work, *arguments):
        bench.empty()
        cost = work(*arguments)
        cost.rows = bench.rows()
        return cost

    for pair in range(options.pairs):
        say(f"  pair {pair + 1}, one connection")
        replayed, copied = in_turn(
            pair, lambda: emptied(bench.replay, log), lambda: emptied(bench.copies, one)
        )
        compare(bench, "replay", 0.95, replayed, copied)
        rows = replayed.rows
        results.add("replay: own CPU per million lines", replayed.own / million, "s")
        results.add("replay: PostgreSQL's CPU per million rows", replayed.postgres / rows * 1e6, "s")
        results.add("replay: PostgreSQL's CPU, of \\copy", copied.postgres / rows * 1e6, "s")
        results.add("replay: peak memory", replayed.peak_kib / 1024, "MiB", ("<=", 64))
        results.add("replay: WAL", replayed.wal / rows, "bytes/row")
        results.add("replay: WAL of \\copy", copied.wal / rows, "bytes/row")
        for name, (logs, two) in twos.items():
            say(f"  pair {pair + 1}, {name}")
            replayed, copied = in_turn(
                pair,
                lambda logs=logs: emptied(bench.replay, "--jobs", "2", *logs),
                lambda two=two: emptied(bench.copies, *two),
            )
            compare(bench, name, 0.9, replayed, copied)
            results.add(f"{name}: peak memory", replayed.peak_kib / 1024, "MiB", ("<=", 64))
        bench.empty()
        dry = bench.replay("--dry-run", log)
        results.add("replay --dry-run: own CPU per million lines", dry.own / million, "s")
    for file in (one, log, *(file for logs, two in twos.values() for file in (*logs, *two))):
        file.unlink()


def size(bench):
    """Bytes of a row, and of a line in the archive."""
    lines = bench.options.lines
    bench.fresh()
    directory = Path(tempfile.mkdtemp(dir=bench.directory))
    log = bench.log("size.log", lines)
    bench.results.add("a line in the log", log.stat().st_size / lines, "bytes")
    bench.replay(log)
    rows = bench.rows()
    sizes = bench.sql(
        "SELECT sum(pg_table_size(inhrelid)), sum(pg_indexes_size(inhrelid)), "
        "(SELECT pg_total_relation_size('user_agents') + pg_total_relation_size('environments')) "
        "FROM pg_inherits WHERE inhparent = 'access_logs'::regclass"
    )
    table, indexes, shared = map(int, sizes.split("|"))
    bench.results.add("a row with its indexes", (table + indexes) / rows, "bytes", ("<=", 280))
    bench.results.add("a row without indexes", table / rows, "bytes")
    bench.results.add("a row's share of user_agents and environments", shared / rows, "bytes")
    # the archive takes what was rotated and loaded
    log.rename(directory / "beacon.log.1")
    run(TRAFFIC, "--lines", 100, "--output", directory / "beacon.log")
    archive = directory / "archive"
    daemon = Daemon(bench, directory, f'[load]\nseal_after = "1s"\n[archive]\nurl = "file://{archive}"\n')
    archived = "SELECT count(*) FROM log_files WHERE archive_uri IS NOT NULL"
    wait_until(lambda: bench.sql(archived) != "0", 300, "the log is not archived")
    packed = sum(file.stat().st_size for file in archive.rglob("*.zst"))
    bench.results.add("a line in the archive", packed / lines, "bytes")
    daemon.stop()
    shutil.rmtree(directory)


class Lag:
    """How long it took until each line of a log was visible to another session, which looks every 10 ms."""

    def __init__(self, bench):
        self.path = bench.directory / "seen"
        self.file = self.path.open("w")
        self.child = spawn(*bench.psql, stdin=subprocess.PIPE, stdout=self.file)
        self.child.stdin.write(
            "SELECT extract(epoch FROM clock_timestamp()), coalesce(sum(loaded_bytes), 0) FROM checkpoints \\watch 0.01\n"
        )
        self.child.stdin.flush()

    def of(self, log, start, skip_lines):
        """Percentiles, seconds, of the lines from an offset on, without the first ones. A line's time is when it was due."""
        self.child.kill()
        self.child.wait()
        self.child.stdin.close()
        self.file.close()
        seen = []
        for line in self.path.read_text().splitlines():
            at, _, upto = line.partition("|")
            if upto and (not seen or int(upto) > seen[-1][1]):
                seen.append((float(at), int(upto)))
        lags, offset, at = [], start, 0
        with log.open("rb") as lines:
            lines.seek(start)
            for n, line in enumerate(lines):
                offset += len(line)
                while seen[at][1] < offset:
                    at += 1
                due = line.split(b"\t", 2)[1]
                # a torn line may have none
                if n >= skip_lines and due.count(b".") == 1:
                    lags.append(seen[at][0] - float(due))
        lags.sort()
        return [lags[int(len(lags) * share)] for share in (0.5, 0.95, 0.99)]


@contextlib.contextmanager
def log_directory(bench):
    """A directory with a live log in it, which is removed afterwards."""
    directory = Path(tempfile.mkdtemp(dir=bench.directory))
    (directory / "beacon.log").touch()
    yield directory
    shutil.rmtree(directory)


def write_live(log, rate, lines):
    return spawn(TRAFFIC, "--live", "--rate", rate, "--lines", int(lines), "--output", log)


def wait_until_loaded(bench, log):
    loaded = "SELECT coalesce(sum(loaded_bytes), 0) FROM checkpoints"
    wait_until(lambda: int(bench.sql(loaded)) >= log.stat().st_size, 600, "the log is not loaded")


def follow(bench, directory, name, rate, seconds, share):
    """The daemon follows a log that so many lines are added to in a second."""
    results, log, warm_s = bench.results, directory / "beacon.log", 2
    start, lag, daemon = log.stat().st_size, Lag(bench), Daemon(bench, directory)
    writer = write_live(log, rate, rate * (seconds + warm_s))
    time.sleep(warm_s)
    before, postgres_before, started = cpu_of(daemon.pid), bench.postgres.cpu(), time.monotonic()
    writer.wait()
    took = time.monotonic() - started
    own, postgres = cpu_of(daemon.pid) - before, bench.postgres.cpu() - postgres_before
    wait_until_loaded(bench, log)
    time.sleep(0.1)
    p50, p95, p99 = lag.of(log, start, rate * warm_s)
    results.add(f"{name}: lag p50", p50 * 1000, "ms")
    results.add(f"{name}: lag p95", p95 * 1000, "ms", ("<=", 100))
    results.add(f"{name}: lag p99", p99 * 1000, "ms")
    results.add(f"{name}: CPU of one core", own / took * 100, "%", ("<=", share))
    results.add(f"{name}: own CPU per million lines", own / (rate * took) * 1e6, "s")
    results.add(f"{name}: PostgreSQL's CPU of one core", postgres / took * 100, "%")
    results.add(f"{name}: peak memory", peak_kib_of(daemon.pid) / 1024, "MiB", ("<=", 32))
    daemon.stop()


def live(bench):
    """The daemon that follows a log: how late rows are, and what it takes."""
    options, results = bench.options, bench.results
    bench.fresh()
    seconds, idle_s = (60, 60) if options.full else (options.seconds, options.seconds)
    for turn in range(options.pairs):
        say(f"  turn {turn + 1}")
        for rate, share in ((5000, 10), (20_000, 20)):
            bench.empty()
            with log_directory(bench) as directory:
                follow(bench, directory, f"live, {rate:,} lines/s", rate, seconds, share)
        with log_directory(bench) as directory:
            daemon = Daemon(bench, directory)
            time.sleep(2)
            before = precise_cpu_of(daemon.pid)
            time.sleep(idle_s)
            idle = (precise_cpu_of(daemon.pid) - before) / idle_s * 100
            results.add("idle: CPU of one core", idle, "%", ("<=", 0.2))
            daemon.stop()
        backlog(bench)
    snapshot(bench, seconds)


def backlog(bench):
    """What was written while the daemon was away: no waiting, so that its CPU is that of lines alone."""
    lines = bench.options.lines
    bench.empty()
    with log_directory(bench) as directory:
        log = bench.log(f"{directory.name}/beacon.log", lines, age_s=60)
        started, daemon = time.monotonic(), Daemon(bench, directory)
        wait_until_loaded(bench, log)
        bench.results.add("backlog: lines", lines / (time.monotonic() - started), "lines/s")
        bench.results.add("backlog: own CPU per million lines", cpu_of(daemon.pid) / lines * 1e6, "s", ("<=", 0.9))
        bench.results.add("backlog: peak memory", peak_kib_of(daemon.pid) / 1024, "MiB", ("<=", 32))
        daemon.stop()


def snapshot(bench, seconds):
    """The lag while another session holds a snapshot: dead versions of a checkpoint cannot be cleared away then."""
    commits = 72_000 if bench.options.full else 6000  # 20 a second: an hour; five minutes
    bench.empty()
    holder = spawn(*bench.psql, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    with log_directory(bench) as directory:
        log = directory / "beacon.log"
        log.write_text(run(TRAFFIC, "--lines", 1000) + "\n")
        # as many commits in a short time
        daemon = Daemon(bench, directory, '[load]\ncommit_interval = "0s"\n')
        wait_until_loaded(bench, log)
        holder.stdin.write("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM applications;\n")
        holder.stdin.flush()
        holder.stdout.readline()
        updates = "SELECT n_tup_upd FROM pg_stat_user_tables WHERE relname = 'checkpoints'"
        last = int(bench.sql(updates)) + commits
        writer, started = write_live(log, 1500, 1e9), time.monotonic()
        wait_until(lambda: int(bench.sql(updates)) >= last, 1800, f"{commits} commits")
        say(f"  {commits:,} commits under a held snapshot, in {time.monotonic() - started:.0f} s")
        writer.terminate()
        writer.wait()
        # its last line may be half a line, which has no end yet
        text = log.read_bytes()
        with log.open("r+b") as file:
            file.truncate(text.rfind(b"\n") + 1)
        wait_until_loaded(bench, log)
        daemon.stop()
        follow(bench, directory, "live, 5,000 lines/s, snapshot held", 5000, seconds, 10)
        holder.stdin.close()
        holder.wait()


class Nginx:
    """The shipped files, on a free port."""

    def __init__(self, directory, port):
        self.directory, self.log = directory, directory / "log" / "beacon.log"
        for name in ("alt", "log", "scripts", "temp"):
            (directory / name).mkdir()
        directory.chmod(0o755)
        for source in [*Path("nginx").glob("alt-*.conf"), Path("nginx/site-http.conf.example")]:
            text = source.read_text()
            for old, new in (
                ("/var/log/nginx/alt/", f"{directory}/log/"),
                ("/var/www/alt/", f"{directory}/scripts/"),
                ("listen 80;", f"listen 127.0.0.1:{port} backlog=4096;"),
                ("listen [::]:80;", ""),
            ):
                text = text.replace(old, new)
            (directory / "alt" / source.name).write_text(text)
        user = ""
        if os.geteuid() == 0:
            user = "user www-data;" if Path("/etc/debian_version").is_file() else "user nginx;"
        temporary = "".join(
            f"{what}_temp_path {directory}/temp/{what};\n" for what in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        (directory / "nginx.conf").write_text(
            f"{user}\ndaemon off;\nworker_processes auto;\nworker_rlimit_nofile 20000;\npid {directory}/nginx.pid;\n"
            f"error_log {directory}/error.log error;\nevents {{ worker_connections 16000; }}\nhttp {{\naccess_log off;\n"
            f"{temporary}include alt/alt-http.conf;\ninclude alt/site-http.conf.example;\n}}\n"
        )
        self.child = spawn("nginx", "-c", directory / "nginx.conf", "-p", directory, stderr=subprocess.DEVNULL)
        wait_until(self.log.exists, 10, "nginx does not start")
        time.sleep(0.5)

    def cpu(self):
        return sum(cpu_of(pid) for pid in run("pgrep", "-P", self.child.pid).split())

    def stop(self):
        self.child.terminate()
        self.child.wait(20)


def nginx(bench):
    """nginx with the daemon, and without: 5,000 requests a second from 10,000 open connections."""
    results, seconds = bench.results, 30 if bench.options.full else bench.options.seconds
    bench.fresh()
    directory = Path(tempfile.mkdtemp(dir=bench.directory))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = Nginx(directory, port)
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    clients = spawn(CLIENTS, f"127.0.0.1:{port}", 10_000, 5000, seconds, **pipes)

    def phase():
        before = server.cpu()
        clients.stdin.write("\n")
        clients.stdin.flush()
        done = json.loads(clients.stdout.readline())
        return done, (server.cpu() - before) / done["seconds"] * 100

    def without():
        return phase()

    def beside():
        daemon = Daemon(bench, directory, source=server.log)
        wait_until_loaded(bench, server.log)
        done = phase()
        daemon.stop()
        return done

    phase()  # opens the connections, and warms up
    for pair in range(bench.options.pairs):
        say(f"  pair {pair + 1}")
        (alone, alone_cpu), (both, both_cpu) = in_turn(pair, without, beside)
        results.add("nginx: p99 with the daemon by that without", both["p99_ms"] / alone["p99_ms"], "x", ("<=", 1.1))
        for name, done, cpu in (("alone", alone, alone_cpu), ("and the daemon", both, both_cpu)):
            results.add(f"nginx {name}: p50", done["p50_ms"], "ms")
            results.add(f"nginx {name}: p99", done["p99_ms"], "ms", ("<=", 50))
            results.add(f"nginx {name}: errors", done["errors"], "", ("<=", 0))
            results.add(f"nginx {name}: answers", done["answered"] / done["seconds"], "per s")
            results.add(f"nginx {name}: nginx's CPU of one core", cpu, "%")
    clients.stdin.close()
    clients.wait()
    server.stop()
    shutil.rmtree(directory)


def growth(bench):
    """The replay and \\copy again where the table has many rows already, and where the log is many files."""
    many_files(bench)
    options, results = bench.options, bench.results
    aside = Bench(options, bench.directory, bench.postgres, results, "aside")
    aside.fresh()
    # A database of each size, which take turns: what the machine does within the hour meets all of them.
    grown = {size: filled(bench, size) for size in options.sizes}
    for pair in range(options.pairs):
        # Nothing is taken out again, which would leave holes: each log has other hours, and the rows that \copy
        # loads are those of the log, a span later.
        log = bench.log("growth.log", options.lines, seed=100 + pair, age_s=DAY_S - 2 * SPAN_S * (pair % 4))
        aside.empty()
        aside.replay(log)
        rows = aside.export("growth-rows", shift_s=SPAN_S)
        for size, there in sorted(grown.items(), reverse=bool(pair % 2)):
            say(f"  pair {pair + 1}, {size} million rows")
            replayed, copied = in_turn(
                pair,
                lambda to=there: to.after_checkpoint(to.replay, log),
                lambda to=there: to.after_checkpoint(to.copies, rows),
            )
            name = f"{size} M rows there"
            results.add(f"{name}: rate by that of \\copy", copied.wall / replayed.wall, "x")
            results.add(f"{name}: lines", options.lines / replayed.wall, "lines/s")
            results.add(f"{name}: rows of \\copy", options.lines / copied.wall, "rows/s")
            for what, cost in (("replay", replayed), ("\\copy", copied)):
                both = (cost.own + cost.postgres) / options.lines * 1e6
                results.add(f"{name}: CPU of both ends per million, {what}", both, "s")
            results.add(f"{name}: peak memory", replayed.peak_kib / 1024, "MiB", ("<=", 64))
    # where others take the processors, CPU tells more than the rate
    cpu = "CPU of both ends per million, "
    least, *more = sorted(options.sizes)
    for most in more:
        for what in ("lines", "rows of \\copy", f"{cpu}replay", f"{cpu}\\copy"):
            of = [results.rows[f"{size} M rows there: {what}"]["values"] for size in (most, least)]
            for large, little in zip(*of):
                results.add(f"{most} M rows there by {least} M: {what}", large / little, "x")


def filled(bench, size):
    """A database with so many million rows, of the time before the logs that follow."""
    there = Bench(bench.options, bench.directory, bench.postgres, bench.results, f"grown_{size}")
    there.fresh()
    say(f"  filling a table with {size} million rows")
    there.replay(bench.log("filler.log", 1_000_000, seed=2))
    there.sql("CREATE UNLOGGED TABLE filler AS SELECT * FROM access_logs")
    # makes the partitions of all that follows; its rows would have ids looked up
    for age_s in (DAY_S, 2 * DAY_S + size * SPAN_S):
        there.replay(bench.log("little.log", 1000, age_s=age_s))
    there.empty()
    columns = there.columns()
    for n in range(size):
        # back in time, as what was loaded before
        earlier = columns.replace("occurred_at", f"occurred_at - {n + 1} * interval '{SPAN_S} seconds'", 1)
        there.sql(f"INSERT INTO access_logs ({columns}) SELECT {earlier} FROM filler")
    there.sql("DROP TABLE filler")
    there.sql("VACUUM ANALYZE access_logs")
    return there


def many_files(bench):
    bench.fresh()
    log = bench.log("files.log", bench.options.lines)
    for pair in range(bench.options.pairs):
        for files in (1, 100, 1000):
            directory = Path(tempfile.mkdtemp(dir=bench.directory))
            run("split", "-n", f"l/{files}", "-a", "4", log, directory / "beacon.log.")
            bench.empty()
            replayed = bench.replay(directory)
            bench.results.add(f"{files} files: lines", bench.options.lines / replayed.wall, "lines/s")
            bench.results.add(f"{files} files: peak memory", replayed.peak_kib / 1024, "MiB", ("<=", 64))
            shutil.rmtree(directory)


# --- all of it


def machine():
    model = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    memory = int(re.search(r"MemTotal:\s+(\d+)", Path("/proc/meminfo").read_text())[1])
    return {
        "cpu": model[1] if model else platform.machine(),
        "cores": os.cpu_count(),
        "memory_gib": round(memory / 2**20, 1),
        "kernel": platform.release(),
        "load": os.getloadavg()[0],
    }


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bindir", required=True)
    parser.add_argument("--alt", default=ALT, type=lambda path: str(Path(path).absolute()))
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--lines", type=int, default=1_000_000)
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=15)
    parser.add_argument("--sizes", type=lambda text: [int(n) for n in text.split(",")], default=[1, 10, 50])
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=", ".join(SECTIONS))
    options = parser.parse_args()
    if unknown := set(options.sections) - set(SECTIONS):
        parser.error(f"no section is called {', '.join(unknown)}; there are {', '.join(SECTIONS)}")
    chosen = options.sections or (SECTIONS if options.full else BY_DEFAULT)
    results = Results()
    about = {
        "date": time.strftime("%Y-%m-%d"),
        # of another binary nobody knows it
        "commit": run("git", "describe", "--always", "--dirty") if options.alt == ALT else Path(options.alt).name,
        "machine": machine(),
        "versions": [run(options.alt, "--version"), run(f"{options.bindir}/postgres", "--version")],
        "settings": SETTINGS,
        "lines": options.lines,
        "pairs": options.pairs,
    }
    say(json.dumps(about, indent=1))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    measured = False
    with contextlib.ExitStack() as at_the_end:
        # also what was measured before something failed
        at_the_end.callback(lambda: report(options, about, results, measured))
        directory = Path(tempfile.mkdtemp(prefix="alt-bench-", dir=os.environ.get("TMPDIR", "/tmp")))
        at_the_end.callback(shutil.rmtree, directory, ignore_errors=True)
        directory.chmod(0o755)
        (directory / "postgres").mkdir()
        postgres = Postgres(options.bindir, directory / "postgres")
        at_the_end.callback(postgres.stop)
        at_the_end.callback(kill_children)
        bench = Bench(options, directory, postgres, results)
        for section in chosen:
            say(f"== {section}: {globals()[section].__doc__}")
            globals()[section](bench)
        measured = True


def report(options, about, results, measured):
    kept = json.loads(KEPT.read_text()) if KEPT.is_file() else {"figures": {}}
    figures = {name: statistics.median(row["values"]) for name, row in results.rows.items()}
    about["load_at_end"] = os.getloadavg()[0]
    print(json.dumps(about))
    results.table(kept["figures"])
    if max(about["machine"]["load"], about["load_at_end"]) > os.cpu_count():
        print("The machine did much else meanwhile: times and rates are worth little, CPU seconds and bytes somewhat more.")
    to = Path("target/bench")
    to.mkdir(parents=True, exist_ok=True)
    name = to / f"{time.strftime('%Y%m%dT%H%M%S')}-{about['commit']}.json"
    name.write_text(json.dumps({**about, "rows": results.rows}, indent=1) + "\n")
    say(f"written: {name}")
    if options.keep and measured:
        # figures of sections that were left out stay
        KEPT.write_text(json.dumps({**about, "figures": {**kept["figures"], **figures}}, indent=1) + "\n")


if __name__ == "__main__":
    main()
