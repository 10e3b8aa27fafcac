"""What one address costs that wants to do harm."""

import collections
import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from database import Daemon
from flood import kinds
from live import Lag, wait_until_loaded
from processes import cpu_of, peak_kib_of, run, say, spawn
from web import Nginx, free_ports

HOUR_S = 3600
# Until what may be sent at once is used up.
FIRST_S = 5
# GB of log in an hour: docs/SECURITY.md says how it comes about.
BOUND_GB = 9.0
# Of each kind in the mix, twice what the rate lets pass.
PACE = 200
VISITORS, VISITS_A_SECOND = 50, 500
HERE = Path(__file__).parent


class Site:
    """nginx, the daemon that follows it, and clients."""

    def __init__(self, bench):
        self.bench, self.directory = bench, Path(tempfile.mkdtemp(dir=bench.directory))
        self.http, self.http2 = free_ports(2)
        self.nginx = Nginx(self.directory, self.http, self.http2)
        self.daemon = Daemon(bench, self.directory, source=self.nginx.log)
        self.key = bench.sql("SELECT app_key FROM applications ORDER BY 1 LIMIT 1")

    def flood(self, number, kind, seconds, *rate):
        port = self.http2 if kind.startswith("HTTP/2") else self.http
        command = [HERE / "flood.py", kind, "127.0.0.1", port, f"127.0.1.{number + 1}", seconds, self.key, *rate]
        return spawn(sys.executable, "-B", *command, stdout=subprocess.PIPE)

    def visitors(self, seconds):
        command = [HERE / "ordinary.py", "127.0.0.1", self.http, VISITORS, VISITS_A_SECOND, seconds, self.key]
        return spawn(sys.executable, "-B", *command, stdout=subprocess.PIPE)

    def so_far(self):
        """What was spent so far."""
        bench, nginx = self.bench, self.nginx
        wait_until_loaded(bench, nginx.log)
        logs = (nginx.log, nginx.error_log, nginx.other_log)
        counts = bench.sql("SELECT coalesce(sum(lines), 0), coalesce(sum(rows), 0), coalesce(sum(rejects), 0) FROM checkpoints")
        lines, rows, rejects = map(int, counts.split("|"))
        return collections.Counter(
            log=sum(log.stat().st_size for log in logs if log.exists()),
            wal=int(bench.postgres.sql("SELECT pg_current_wal_insert_lsn() - '0/0'")),
            lines=lines, rows=rows, rejects=rejects,
            daemon=cpu_of(self.daemon.pid), postgres=bench.postgres.cpu(), nginx=nginx.cpu(),
        )

    def close(self):
        self.daemon.stop()
        self.nginx.stop()
        shutil.rmtree(self.directory)


def answer_of(child):
    out, _ = child.communicate()
    if child.returncode:
        raise SystemExit(f"error: {child.args}: exit code {child.returncode}")
    return json.loads(out)


def hostile(bench):
    """What one address costs in an hour, by the kind of its requests; then all kinds at once, beside visitors."""
    bench.fresh()
    seconds = 60 if bench.options.full else bench.options.seconds
    if seconds:
        site = Site(bench)
        for number, kind in enumerate(kinds(b"KEY")):
            cost_of(site, number, kind, seconds)
        site.close()
    if bench.options.mix:
        bench.empty()
        mix(bench, bench.options.mix)


def cost_of(site, number, kind, seconds):
    say(f"  {kind}")
    before = site.so_far()
    answer_of(site.flood(number, kind, FIRST_S))
    # what the rates give back while the daemon catches up is sent with the rest
    back = time.monotonic()
    first, began = site.so_far(), time.monotonic()
    answered = answer_of(site.flood(number, kind, seconds))
    took, since = time.monotonic() - began, time.monotonic() - back
    after, add = site.so_far(), site.bench.results.add
    # what may be sent at once comes on top
    hour = {
        name: first[name] - before[name] + (after[name] - first[name]) / since * (HOUR_S - FIRST_S) for name in after
    }
    add(f"hostile, {kind}: requests", sum(answered["statuses"].values()) / took, "per s")
    add(f"hostile, {kind}: log", hour["log"] / 1e9, "GB/h", ("<=", BOUND_GB))
    add(f"hostile, {kind}: WAL", hour["wal"] / 1e9, "GB/h")
    for what in ("lines", "rows", "rejects"):
        add(f"hostile, {kind}: {what}", hour[what] / 1000, "1,000/h")
    for what in ("daemon", "postgres", "nginx"):
        # at the sender's pace, which the rates do not slow down
        add(f"hostile, {kind}: CPU of one core, {what}", (after[what] - first[what]) / took * 100, "%")


def mix(bench, seconds):
    """Every kind at twice its rate, each from an address of its own, beside visitors; who must notice nothing."""
    say(f"  all kinds, beside {VISITS_A_SECOND} ordinary hits a second, {seconds} s")
    site, add = Site(bench), bench.results.add
    lag, pid = Lag(bench), site.daemon.pid
    before, began = site.so_far(), time.monotonic()
    floods = [site.flood(number, kind, seconds, PACE) for number, kind in enumerate(kinds(b"KEY"))]
    visits = answer_of(site.visitors(seconds))
    sent = [sum(answer_of(flood)["statuses"].values()) for flood in floods]
    took = time.monotonic() - began
    after = site.so_far()
    time.sleep(0.1)
    p50, p95, p99 = lag.of(site.nginx.log, 0, 0, lambda line: b"\t127.0.3." in line[:80])
    spent = {name: (after[name] - before[name]) / took for name in after}
    unbalanced = bench.sql(
        "SELECT count(*) FROM checkpoints WHERE lines <> rows + non_hits + rejects + already_loaded + unloaded"
    )
    with site.nginx.log.open("rb") as log:
        lines = sum(1 for _ in log)
    rows, ours = map(int, bench.sql("SELECT count(*), count(*) FILTER (WHERE session_id = 'ordinary') FROM access_logs").split("|"))
    add("mix: ordinary hits", visits["sent"] / took, "per s")
    add("mix: ordinary hits that were refused or not answered", visits["sent"] - visits["statuses"].get("204", 0), "", ("<=", 0))
    add("mix: ordinary hits that are no row", visits["sent"] - ours, "", ("<=", 0))
    add("mix: lag p50 of ordinary hits", p50 * 1000, "ms")
    add("mix: lag p95 of ordinary hits", p95 * 1000, "ms")
    add("mix: lag p99 of ordinary hits", p99 * 1000, "ms", ("<=", 1000))
    add("mix: hostile requests", sum(sent) / took, "per s")
    add("mix: lines not accounted for", abs(lines - after["lines"]) + int(unbalanced) + abs(rows - after["rows"]), "", ("<=", 0))
    add("mix: the daemon that was started has ended", site.daemon.child.poll() is not None, "", ("<=", 0))
    add("mix: log", spent["log"] / 1e6, "MB/s")
    add("mix: WAL", spent["wal"] / 1e6, "MB/s")
    add("mix: rows", spent["rows"], "per s")
    add("mix: rejects", spent["rejects"], "per s")
    for what in ("daemon", "postgres", "nginx"):
        add(f"mix: CPU of one core, {what}", spent[what] * 100, "%")
    add("mix: peak memory of the daemon", peak_kib_of(pid) / 1024, "MiB")
    site.close()
