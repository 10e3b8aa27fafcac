"""Alerts: how long they take, and what happens when their host stands still."""

import json
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from pathlib import Path

from database import Daemon
from processes import cpu_of, run, say, spawn, wait_until

SLOT_S = 5
PYTHON = Path("target/tools/receivers/bin/python3")
RULE = """[[rule]]
name = "paths"
window = "5s"
compare = "> 2"
group_by = ["path"]
severity = "high"
"""


def line(at, n, path):
    """As nginx writes it."""
    return (
        f"alt1\t{at:.3f}\t{n:032x}\t192.0.2.{n % 250}\tGET\t204\tcollect.example\t/b\t"
        f"a=bench&u=https%3A%2F%2Fshop.example%2F{path}&sw=1920\thttps://shop.example/\t"
        "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\tde-DE\t\t\t\t\t\t512\t\n"
    )


class Mails:
    """A mail server, and when it was given what."""

    def __init__(self):
        self.got = []
        command = [PYTHON, "tests/it/data/receivers.py", "mail", "plain"]
        self.child = spawn(*command, stdout=subprocess.PIPE)
        self.address = f"127.0.0.1:{self.child.stdout.readline().strip()}"
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        for text in self.child.stdout:
            self.got.append((time.time(), json.loads(text)))


class Place:
    """A database with one application and one rule, and a directory for each host."""

    def __init__(self, bench):
        self.bench, self.count = bench, 0
        bench.postgres.sql(f"DROP DATABASE IF EXISTS {bench.database}")
        bench.postgres.sql(f"CREATE DATABASE {bench.database} OWNER alt")
        run(bench.options.alt, "migrate", env=bench.environment)
        bench.sql("INSERT INTO applications (app_key, name) VALUES ('bench', 'Bench')")
        self.mails = Mails()
        self.directory = Path(tempfile.mkdtemp(dir=bench.directory))

    def host(self, name):
        directory = self.directory / name
        directory.mkdir()
        (directory / "beacon.log").touch()
        more = (
            f'[load]\nhost = "{name}"\n[alerts]\nenabled = true\nallow = ["{self.mails.address}"]\n'
            f'[[channel]]\nname = "mail"\nkind = "mail"\nserver = "{self.mails.address}"\ntls = "none"\n'
            'from = "alt@example.com"\nto = ["ops@example.com"]\n'
        )
        return Daemon(self.bench, directory, more), directory / "beacon.log"

    def add_rule(self, config):
        file = self.directory / "rules.toml"
        file.write_text(RULE)
        run(self.bench.options.alt, "alerts", "rule", "add", file, "--config", config)

    def busy(self, log, path):
        """Ten lines over the next slot, which is over when this returns."""
        begins = (int(time.time()) // SLOT_S + 1) * SLOT_S
        with log.open("a") as to:
            for n in range(10):
                due = begins + n * (SLOT_S - 0.2) / 10 + 0.05
                time.sleep(max(0, due - time.time()))
                self.count += 1
                to.write(line(time.time(), self.count, path))
                to.flush()
        time.sleep(max(0, begins + SLOT_S - time.time()))

    def settled(self):
        wait_until(lambda: self.open() == 0, 60, "messages are due")

    def open(self):
        left = "SELECT (SELECT count(*) FROM alert_episodes WHERE ended_at IS NULL) + (SELECT count(*) FROM alert_outbox WHERE state = 'due')"
        return int(self.bench.sql(left))


def latency(bench, place):
    """From the end of a slot, which its last line precedes by a moment, to the alert and to the mail."""
    daemon, log = place.host("one")
    place.add_rule(daemon.config)
    time.sleep(3 * SLOT_S)
    rounds = 60 if bench.options.full else 12
    before, started = cpu_of(daemon.pid), time.monotonic()
    for n in range(rounds):
        place.busy(log, f"k{n}")
        time.sleep(0.5)
    time.sleep(2 * SLOT_S)
    own = (cpu_of(daemon.pid) - before) / (time.monotonic() - started)
    place.settled()
    found = bench.sql(
        "SELECT extract(epoch FROM t.made_at - t.at), extract(epoch FROM t.at), t.kind, k.labels ->> 'path' "
        "FROM alert_transitions t JOIN alert_episodes e ON e.id = t.episode_id JOIN alert_keys k ON k.id = e.key_id"
    )
    found = [row.split("|") for row in found.splitlines()]
    took = sorted(float(row[0]) for row in found)
    for share in (50, 95, 99):
        target = {"target": ("<=", 2)} if share == 99 else {}
        value = took[min(len(took) - 1, len(took) * share // 100)]
        bench.results.add(f"alerts: from the end of a slot to the alert, p{share}", value, "s", **target)
    fired = {row[3]: float(row[1]) for row in found if row[2] == "firing"}
    mails = [
        at - fired[path]
        for at, mail in place.mails.got
        for path in fired
        if mail["headers"]["Subject"].startswith("FIRING") and f"{path}\n" in mail["text"].replace("\r", "").replace(" ", "\n")
    ]
    bench.results.add("alerts: firings", len(fired))
    bench.results.add("alerts: mails about them", len(mails))
    bench.results.add("alerts: from the end of a slot to the mail, greatest", max(mails), "s", ("<=", 10))
    bench.results.add("alerts: the daemon's CPU of one core", own * 100, "%")
    daemon.stop()


def takeover(bench, place):
    """The host that judges and sends stands still; another one goes on."""
    hosts = {name: place.host(name) for name in ("two", "three")}
    holder = "SELECT split_part(holder, ' ', 1) FROM leases WHERE name = '{}'"
    wait_until(lambda: bench.sql(holder.format("alerts")) in hosts, 30, "nobody judges")
    for n in range(10 if bench.options.full else 4):
        place.busy(hosts["two"][1], f"t{n}")
        name = bench.sql(holder.format("alerts"))
        if name not in hosts:
            continue
        stopped = hosts[name][0].child
        stopped.send_signal(signal.SIGSTOP)
        began = time.monotonic()
        wait_until(lambda: bench.sql(holder.format("alerts")) not in (name, ""), 60, "nobody takes over")
        bench.results.add("alerts: until a stopped host is replaced", time.monotonic() - began, "s", ("<=", 5))
        time.sleep(2 * SLOT_S)
        stopped.send_signal(signal.SIGCONT)
        time.sleep(2 * SLOT_S)
    place.settled()
    enqueued = int(bench.sql("SELECT count(*) FROM alert_outbox"))
    bench.results.add("alerts: messages enqueued", enqueued)
    bench.results.add("alerts: mails beyond these", len(place.mails.got) - enqueued, "", ("<=", 0))
    for daemon, _ in hosts.values():
        daemon.stop()


def alerts(bench):
    """Alerts: from nginx's line to the alert and the mail, and a host that stands still."""
    if not PYTHON.is_file():
        say("  there is no mail server for Python here: scripts/test installs it")
        return
    place = Place(bench)
    latency(bench, place)
    takeover(bench, place)
    shutil.rmtree(place.directory)
