"""nginx with the daemon, and without."""

import contextlib
import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from database import Daemon
from live import wait_until_loaded
from processes import cpu_of, run, say, spawn, wait_until
from results import in_turn

CLIENTS = "target/traffic/release/clients"


def free_ports(count):
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


class Nginx:
    """The shipped files, on a free port; with another one for HTTP/2 without TLS, if it is given."""

    def __init__(self, directory, port, http2_port=None):
        self.directory, self.log = directory, directory / "log" / "beacon.log"
        self.error_log, self.other_log = directory / "error.log", directory / "other.log"
        listen = f"listen 127.0.0.1:{port} backlog=4096;"
        if http2_port:
            listen += f" listen 127.0.0.1:{http2_port} http2 backlog=4096;"
        for name in ("alt", "log", "scripts", "temp"):
            (directory / name).mkdir()
        directory.chmod(0o755)
        for source in [*Path("nginx").glob("alt-*.conf"), Path("nginx/site-http.conf.example")]:
            text = source.read_text()
            for old, new in (
                ("/var/log/nginx/alt/", f"{directory}/log/"),
                ("/var/www/alt/", f"{directory}/scripts/"),
                ("listen 80;", listen),
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
            f"error_log {self.error_log} error;\nevents {{ worker_connections 16000; }}\n"
            f"http {{\naccess_log {self.other_log};\n"
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
    [port] = free_ports(1)
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
