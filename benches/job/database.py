"""PostgreSQL, the daemon, and what is measured with them."""

import copy
import os
import shutil
import signal
import subprocess
import threading
import time
from pathlib import Path

from processes import cpu_of, cpu_of_all, peak_kib_of, run, spawn

TRAFFIC = "target/traffic/release/traffic"
# Durability is PostgreSQL's default; what differs from it stands here, and is printed.
SETTINGS = {"shared_buffers": "512MB", "max_wal_size": "8GB", "max_connections": "50"}
DAY_S = 86_400
SPAN_S = 3 * 3600  # what a log of a replay spans


class Cost:
    """What a run took: seconds, CPU seconds of its own and of PostgreSQL, peak memory, WAL."""

    wall = own = postgres = wal = 0.0
    peak_kib = rows = 0


class Postgres:
    def __init__(self, bindir, directory):
        self.bindir, self.directory, self.data = Path(bindir), directory, directory / "data"
        self.as_server = []
        if os.geteuid() == 0:
            self.as_server = ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", "--"]
            shutil.chown(directory, "postgres", "postgres")
        initdb = ["--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C.UTF-8", "-D", self.data]
        run(*self.as_server, self.bindir / "initdb", *initdb, cwd="/")
        self.start()
        self.sql("CREATE ROLE alt LOGIN")

    def start(self):
        settings = {**SETTINGS, "listen_addresses": "", "unix_socket_directories": self.directory, "timezone": "UTC"}
        options = " ".join(f"-c {name}='{value}'" for name, value in settings.items())
        # pg_ctl's server would hold a pipe open for ever
        command = ["start", "-w", "-s", "-D", self.data, "-l", self.directory / "postgres.log", "-o", options]
        subprocess.run(
            [*self.as_server, self.bindir / "pg_ctl", *command],
            check=True, cwd="/", start_new_session=True, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL,
        )
        self.pid = int((self.data / "postmaster.pid").read_text().split()[0])

    def replica(self, directory):
        """A streaming replica of it in a new directory."""
        directory.mkdir()
        if self.as_server:
            shutil.chown(directory, "postgres", "postgres")
        replica = copy.copy(self)
        replica.directory, replica.data = directory, directory / "data"
        source = ["-h", self.directory, "-U", "postgres"]
        how = ["--write-recovery-conf", "--wal-method=stream", "--checkpoint=fast", "--no-sync"]
        run(*self.as_server, self.bindir / "pg_basebackup", *source, *how, "-D", replica.data, cwd="/")
        replica.start()
        return replica

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
        self.url = self.url_on(postgres)
        self.environment = {"PATH": os.environ["PATH"], "ALT_POSTGRES_URL": self.url}
        self.environment |= {name: value for name, value in os.environ.items() if name.startswith("MALLOC_")}
        self.psql = postgres.psql(database)

    def sql(self, sql):
        return run(*self.psql, "-c", sql)

    def url_on(self, postgres):
        """Of the same database on another server."""
        return f"postgres:///{self.database}?host={postgres.directory}&user=alt"

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
        self.sql("TRUNCATE access_logs, rejected_lines, checkpoints, log_files, loaded_by_ids, suspects CASCADE")
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
