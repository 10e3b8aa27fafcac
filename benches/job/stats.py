"""Statistics: what they cost beside loading, and how fast `alt serve` answers."""

import contextlib
import http.client
import json
import math
import random
import shutil
import subprocess
import tempfile
import threading
import time
from datetime import date, timedelta
from pathlib import Path
from urllib.parse import quote

from database import DAY_S, TRAFFIC, Daemon
from live import Lag, wait_until_loaded, write_live
from processes import cpu_of, peak_kib_of, run, say, spawn, wait_until
from results import in_turn
from web import free_ports

DAYS = 30
CLIENTS = 24
LIVE = 1000  # lines a second
COMPUTED = "SELECT (SELECT coalesce(sum(rows), 0) FROM stat_days) >= (SELECT count(*) FROM access_logs)"
DIMENSIONS = ("page", "source", "channel", "country", "browser", "os", "device", "language", "entry_page", "exit_page", "campaign", "screen")
# Filters of values that the traffic has, of sessions and of pages.
FILTERS = (
    ("country is US", "country is DE", "country is not US", "country is FR"),
    ("browser is Chrome", "browser is not Chrome", "browser is Firefox", "browser is Safari"),
    ("device is desktop", "device is not desktop", "device is mobile"),
    ("os is Windows", "os is not Windows", "os is Android"),
    ("channel is direct", "channel is not direct", "channel is search", "channel is referral"),
    ("page contains blog", "page contains red", "page does not contain blog"),
)


def percentile(values, share):
    """Nearest rank."""
    values = sorted(values)
    return values[max(0, math.ceil(len(values) * share) - 1)]


class Serve:
    """`alt serve` on a port of its own, and a token for everything. It reads on the replica, if there is one. `cache` is its
    `[web] cache_bytes`."""

    def __init__(self, bench, replica=None, cache=None):
        self.bench, self.directory = bench, Path(tempfile.mkdtemp(dir=bench.directory))
        self.port, admin = free_ports(2)
        self.config = self.directory / "web.toml"
        self.config.write_text(
            f'[postgres]\nurl = "{bench.url}"\n[web]\nlisten = "127.0.0.1:{self.port}"\nadmin = "127.0.0.1:{admin}"\n'
            "requests_per_minute = 1000000\n"
            + (f'read_url = "{bench.url_on(replica)}"\n' if replica else "")
            + (f'cache_bytes = "{cache}"\n' if cache else "")
        )
        made = run(bench.options.alt, "token", "add", "bench", "--role", "owner", "--json", env=bench.environment)
        self.token = json.loads(made)["token"]
        self.start()

    def start(self):
        self.stderr = (self.directory / "web.stderr").open("w")
        how = {"stderr": self.stderr, "stdin": subprocess.DEVNULL, "env": self.bench.environment}
        self.child = spawn(self.bench.options.alt, "serve", "--config", self.config, **how)
        wait_until(self.answers, 20, "alt serve does not answer")

    def answers(self):
        with contextlib.suppress(OSError):
            return Client(self).ask("GET", "/api/v1/applications")[0] == 200
        return False

    def stop(self):
        self.child.terminate()
        if self.child.wait(30) != 0:
            raise SystemExit(f"error: alt serve failed: {Path(self.stderr.name).read_text()[-2000:]}")
        self.stderr.close()

    def restart(self):
        """So that it knows no segment."""
        self.stop()
        self.start()


class Client:
    """A connection that stays open."""

    def __init__(self, serve):
        self.connection = http.client.HTTPConnection("127.0.0.1", serve.port, timeout=60)
        self.headers = {"Authorization": f"Bearer {serve.token}"}

    def ask(self, method, path, body=None):
        headers = dict(self.headers)
        if body is not None:
            body, headers["Content-Type"] = json.dumps(body), "application/json"
        self.connection.request(method, path, body, headers)
        answer = self.connection.getresponse()
        return answer.status, answer.read()

    def timed(self, method, path, body=None):
        """Milliseconds until the whole answer was there."""
        started = time.perf_counter()
        status, text = self.ask(method, path, body)
        took = (time.perf_counter() - started) * 1000
        if status != 200:
            raise SystemExit(f"error: {method} {path} {body}: {status} {text[:500]!r}")
        return took


def question(app, period, filters=(), **more):
    parameters = [("application_id", app), ("period", period), *more.items(), *(("filter", one) for one in filters)]
    return "/api/v1/statistics?" + "&".join(f"{name}={quote(str(value))}" for name, value in parameters)


def three_filters(rng):
    return [rng.choice(some) for some in rng.sample(FILTERS, 3)]


def some_period(rng, today):
    """A week to all of the days that there are."""
    days = rng.randint(7, DAYS)
    first = today - timedelta(days=days - 1 + rng.randint(0, DAYS - days))
    return f"{first}..{first + timedelta(days=days - 1)}"


def loading(bench):
    """A backlog is taken with statistics and without, in turn."""
    lines = bench.options.lines

    def take(enabled):
        bench.fresh()
        directory = Path(tempfile.mkdtemp(dir=bench.directory))
        log = bench.log(f"{directory.name}/beacon.log", lines, age_s=60)
        wal = "SELECT pg_current_wal_insert_lsn() - '0/0'"
        before = int(bench.postgres.sql(wal))
        started = time.monotonic()
        daemon = Daemon(bench, directory, f"[stats]\nenabled = {str(enabled).lower()}\n")
        wait_until_loaded(bench, log)
        rate = lines / (time.monotonic() - started)
        if enabled:
            wait_until(lambda: bench.sql(COMPUTED) == "t", 600, "days are not computed")
        written = int(bench.postgres.sql(wal)) - before
        peak = peak_kib_of(daemon.pid) / 1024
        daemon.stop()
        shutil.rmtree(directory)
        return rate, written, peak

    for pair in range(bench.options.pairs):
        say(f"  pair {pair + 1}")
        (with_rate, with_wal, peak), (rate, wal, _) = in_turn(pair, lambda: take(True), lambda: take(False))
        add = bench.results.add
        add("statistics: rate of loading by that without", with_rate / rate, "x", (">=", 0.98))
        add("statistics: WAL of loading and computing by that without", with_wal / wal, "x", ("<=", 1.1))
        add("statistics: peak memory of the daemon", peak, "MiB", ("<=", 64))


def fill(bench):
    """A month of traffic, most of it of one application. Returns the application's key."""
    millions = bench.options.millions
    bench.fresh()
    log, lines = bench.directory / "month.log", int(millions * 1e6)
    say(f"  {lines:,} lines of {DAYS} days")
    run(TRAFFIC, "--lines", lines, "--rate", lines / (DAYS * DAY_S), "--largest", 70, "--output", log)
    config = bench.directory / "month.toml"
    config.write_text(f'[postgres]\nurl = "{bench.url}"\n[stats]\nenabled = true\n')
    command = [bench.options.alt, "replay", "--json", "--config", config, log]
    cost = bench.cost(command)
    bench.results.add("month: loaded and computed", lines / cost.wall, "lines/s")
    log.unlink()
    computed = bench.cost([bench.options.alt, "stats", "rebuild", "--config", config])
    rows = bench.rows()
    add = bench.results.add
    add("month: rows", rows)
    add("month: computing again, both ends' CPU of an event", (computed.own + computed.postgres) / rows * 1e6, "µs", ("<=", 2))
    add("month: computing again", rows / computed.wall, "rows/s")
    add("month: memory of computing again", computed.peak_kib / 1024, "MiB")
    events, octets = bench.sql("SELECT (SELECT sum(segments_rows) FROM stat_days), (SELECT sum(length(data)) FROM stat_segments)").split("|")
    add("month: segments' bytes of an event", int(octets) / int(events), "B", ("<=", 16))
    bench.sql("VACUUM ANALYZE")
    [largest, count] = bench.sql(
        "SELECT a.app_key, sum(d.rows) FROM stat_days d JOIN applications a ON a.id = d.app_id GROUP BY 1 ORDER BY 2 DESC LIMIT 1"
    ).split("|")
    add("month: rows of the largest application", int(count))
    return largest


def adding(bench, cache):
    """Adds results that say with which cache they were measured, if it is not the default."""
    suffix = f", cache of {cache}" if cache else ""
    return lambda name, *more: bench.results.add(name + suffix, *more)


def questions(bench, app, cache=None):
    """Questions to the largest application, one after the other."""
    rng, today, add = random.Random(1), date.today(), adding(bench, cache)
    serve = Serve(bench, cache=cache)
    time.sleep(2)
    idle = int(run("ps", "-o", "rss=", "-p", serve.child.pid)) / 1024
    add("serve: memory when nobody asks", idle, "MiB", ("<=", 30))
    whole = f"{today - timedelta(days=DAYS - 1)}..{today}"
    board = {"application_id": app, "period": whole, "interval": "day", "compare": "previous", "limit": 10,
             "dimensions": ["page", "entry_page", "source", "channel", "country", "browser", "os", "device"]}
    add("dashboard, cold", Client(serve).timed("POST", "/api/v1/dashboard", board), "ms")
    warm = [Client(serve).timed("POST", "/api/v1/dashboard", {**board, "limit": n}) for n in range(10, 40)]
    add("dashboard, warm, p95", percentile(warm, 0.95), "ms", ("<=", 100))
    cold = []
    for _ in range(5):
        serve.restart()
        cold.append(Client(serve).timed("GET", question(app, whole, three_filters(rng), dimension="page")))
    add("three filters, cold, greatest of 5", max(cold), "ms", ("<=", 300))
    client = Client(serve)
    warm_up = [client.timed("GET", question(app, whole, three_filters(rng), dimension=d)) for d in DIMENSIONS * 2]
    warm = [client.timed("GET", question(app, whole, three_filters(rng), dimension=rng.choice(DIMENSIONS), limit=n)) for n in range(10, 70)]
    add("three filters, first questions, p95", percentile(warm_up, 0.95), "ms")
    add("three filters, warm, p50", percentile(warm, 0.5), "ms")
    add("three filters, warm, p95", percentile(warm, 0.95), "ms", ("<=", 50))
    filtered = [client.timed("POST", "/api/v1/dashboard", {**board, "limit": n, "filters": three_filters(rng)}) for n in range(10, 40)]
    add("dashboard with three filters, warm, p95", percentile(filtered, 0.95), "ms", ("<=", 400))
    year = f"{today - timedelta(days=364)}..{today}"
    graph = [client.timed("GET", question(app, year, interval="month", limit=n)) for n in range(10, 30)]
    add("a year's graph, p95", percentile(graph, 0.95), "ms", ("<=", 50))
    lists = [client.timed("GET", question(app, year, dimension=d, limit=n)) for d in ("page", "source") for n in range(10, 20)]
    add("a year's top lists, p95", percentile(lists, 0.95), "ms", ("<=", 200))
    add("serve: memory after these questions", peak_kib_of(serve.child.pid) / 1024, "MiB", ("<=", 256))
    serve.stop()


def different(apps, seed, count):
    """Questions of which no two are equal: half to the largest application, a third with filters."""
    rng, today, seen, asked = random.Random(seed), date.today(), set(), []
    while len(asked) < count:
        app = apps[0] if len(asked) % 2 else rng.choice(apps[1:])
        filters = three_filters(rng)[: rng.randint(1, 3)] if len(asked) % 3 == 0 else ()
        what = {"interval": "day"} if rng.random() < 0.2 else {"dimension": rng.choice(DIMENSIONS), "limit": rng.randint(5, 200)}
        path = question(app, some_period(rng, today), filters, **what)
        if path not in seen:
            seen.add(path)
            asked.append(path)
    return asked


def ask_at_rate(serve, paths, rate):
    """Asks each when it is due; milliseconds from then until the answer was there, and how many were refused."""
    took, refused, lock, at = [], [], threading.Lock(), iter(enumerate(paths))
    began = time.perf_counter() + 0.5

    def work():
        client = Client(serve)
        while True:
            with lock:
                n, path = next(at, (None, None))
            if path is None:
                return
            due = began + n / rate
            time.sleep(max(0, due - time.perf_counter()))
            try:
                status = client.ask("GET", path)[0]
            except OSError:
                status, client = 0, Client(serve)
            with lock:
                took.append((time.perf_counter() - due) * 1000)
                if status != 200:
                    refused.append((status, path))

    threads = [threading.Thread(target=work) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return took, refused, time.perf_counter() - began


def many(bench, app, others, rates=(0, 50, 100, 200), cache=None):
    """Different questions at a rate, beside a daemon that follows a log."""
    seconds, add = 60 if bench.options.full else bench.options.seconds, adding(bench, cache)
    directory = Path(tempfile.mkdtemp(dir=bench.directory))
    log = directory / "beacon.log"
    log.touch()
    # What is loaded is told by the bytes of this log alone.
    bench.sql("DELETE FROM checkpoints")
    daemon = Daemon(bench, directory, "[stats]\nenabled = true\n")
    serve = Serve(bench, cache=cache)
    Client(serve).ask("GET", question(app, f"{DAYS}d", three_filters(random.Random(3)), dimension="page"))
    for rate in rates:
        start, lag = log.stat().st_size, Lag(bench)
        writer = write_live(log, LIVE, LIVE * (seconds + 2))
        time.sleep(1)
        before, cpu = bench.postgres.cpu(), cpu_of(serve.child.pid)
        if rate:
            took, refused, lasted = ask_at_rate(serve, different([app, *others], rate, rate * seconds), rate)
            name = f"{rate} questions a second"
            add(f"{name}: p50", percentile(took, 0.5), "ms")
            add(f"{name}: p99", percentile(took, 0.99), "ms", ("<=", 300) if rate == 200 else None)
            add(f"{name}: answers", len(took) / lasted, "per s")
            add(f"{name}: refused", len(refused), "", ("<=", 0))
            add(f"{name}: alt serve's CPU of one core", (cpu_of(serve.child.pid) - cpu) / lasted * 100, "%")
            add(f"{name}: PostgreSQL's CPU of one core", (bench.postgres.cpu() - before) / lasted * 100, "%")
            for status, path in refused[:3]:
                say(f"    {status}: {path}")
        writer.wait()
        wait_until_loaded(bench, log)
        time.sleep(0.1)
        p50, p95, _ = lag.of(log, start, 0)
        add(f"{LIVE:,} lines/s beside {rate} questions a second: lag p50", p50 * 1000, "ms")
        add(f"{LIVE:,} lines/s beside {rate} questions a second: lag p95", p95 * 1000, "ms")
    add("serve: memory after all of them", peak_kib_of(serve.child.pid) / 1024, "MiB", ("<=", 256))
    serve.stop()
    daemon.stop()
    shutil.rmtree(directory)


def read_elsewhere(bench, app, others, cache=None):
    """How much of what questions cost the primary is left where a replica answers them."""
    seconds, rate, add = 60 if bench.options.full else bench.options.seconds, 100, adding(bench, cache)
    replica = bench.postgres.replica(bench.directory / "replica")
    for name, reads in ("the primary", None), ("a replica", replica):
        serve = Serve(bench, reads, cache)
        Client(serve).ask("GET", question(app, f"{DAYS}d", three_filters(random.Random(3)), dimension="page"))
        before = [server.cpu() for server in (bench.postgres, replica)]
        took, refused, lasted = ask_at_rate(serve, different([app, *others], rate + 1, rate * seconds), rate)
        costs = [server.cpu() - cpu for server, cpu in zip((bench.postgres, replica), before)]
        add(f"{rate} questions a second of {name}: p99", percentile(took, 0.99), "ms")
        add(f"{rate} questions a second of {name}: refused", len(refused), "", ("<=", 0))
        add(f"{rate} questions a second of {name}: the primary's CPU of one core", costs[0] / lasted * 100, "%")
        add(f"{rate} questions a second of {name}: the replica's CPU of one core", costs[1] / lasted * 100, "%")
        serve.stop()
    replica.stop()
    shutil.rmtree(replica.directory)


def stats(bench):
    """Statistics: beside loading, of a month, asked one by one and many a second."""
    loading(bench)
    app = fill(bench)
    questions(bench, app)
    others = bench.sql(
        "SELECT a.app_key FROM stat_days d JOIN applications a ON a.id = d.app_id GROUP BY 1 ORDER BY sum(d.rows) DESC OFFSET 1 LIMIT 20"
    ).splitlines()
    many(bench, app, others)
    if bench.options.cache:
        questions(bench, app, bench.options.cache)
        many(bench, app, others, (0, 100, 200), bench.options.cache)
    read_elsewhere(bench, app, others, bench.options.cache)
