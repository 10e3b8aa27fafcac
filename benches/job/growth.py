"""The replay where there are many rows, and many files."""

import shutil
import tempfile
from pathlib import Path

from database import DAY_S, SPAN_S, Bench
from processes import run, say
from results import in_turn


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
