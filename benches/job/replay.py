"""`alt replay` against \\copy, stations alone, and bytes."""

import json
import os
import shutil
import tempfile
from pathlib import Path

from database import DAY_S, TRAFFIC, Daemon
from processes import run, say, wait_until
from results import in_turn


def stages(bench):
    """benches/stages.rs, each station on one core."""
    run("cargo", "bench", "--locked", "--bench", "stages", "--", "--noplot", env={**os.environ})
    for path in sorted(Path("target/criterion").glob("*/*/new/estimates.json")):
        name = "/".join(path.parts[2:4])
        lines = json.loads(path.with_name("benchmark.json").read_text())["throughput"]["Elements"]
        seconds = json.loads(path.read_text())["median"]["point_estimate"] / 1e9
        target = (">=", 1.5e6) if name == "whole/alt1" else None
        bench.results.add(f"stage {name}", lines / seconds, "lines/s", target)


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
