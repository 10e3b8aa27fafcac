"""The whole job, measured: `scripts/bench` runs this.

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
import statistics
import sys
import tempfile
import time
from pathlib import Path

from alerts import alerts
from database import SETTINGS, Bench, Postgres
from growth import growth
from hostile import hostile
from live import live
from processes import kill_children, run, say
from replay import replay, size, stages
from results import Results
from stats import stats
from web import nginx

SECTIONS = {"stages": stages, "replay": replay, "size": size, "live": live, "nginx": nginx, "hostile": hostile, "growth": growth, "alerts": alerts, "stats": stats}
BY_DEFAULT = ("replay", "size", "live", "nginx")
KEPT = Path("docs/performance.json")
ALT = str(Path("target/release/alt").absolute())


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
    parser.add_argument("--mix", type=int, default=600)
    parser.add_argument("--millions", type=float)
    parser.add_argument("--cache")
    parser.add_argument("--sizes", type=lambda text: [int(n) for n in text.split(",")], default=[1, 10, 50])
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=", ".join(SECTIONS))
    options = parser.parse_args()
    if unknown := set(options.sections) - set(SECTIONS):
        parser.error(f"no section is called {', '.join(unknown)}; there are {', '.join(SECTIONS)}")
    if options.millions is None:
        options.millions = 29 if options.full else 2
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
            say(f"== {section}: {SECTIONS[section].__doc__}")
            SECTIONS[section](bench)
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
