"""Processes, and what they take."""

import contextlib
import os
import re
import subprocess
import sys
import time
from pathlib import Path


def say(text):
    print(text, file=sys.stderr, flush=True)


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
