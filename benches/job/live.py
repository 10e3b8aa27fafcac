"""Lines that are written while the daemon follows them."""

import contextlib
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from database import TRAFFIC, Daemon
from processes import cpu_of, peak_kib_of, precise_cpu_of, run, say, spawn, wait_until


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

    def of(self, log, start, skip_lines, wanted=lambda line: True):
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
                if n >= skip_lines and due.count(b".") == 1 and wanted(line):
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
