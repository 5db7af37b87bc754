"""What the figures were measured on, and how quiet it was."""

import os
import pathlib
import platform
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]


def first_line(argv):
    """First line a program prints, or None if it cannot be run."""
    try:
        out = subprocess.run(argv, capture_output=True, text=True, timeout=10, cwd=ROOT)
    except (OSError, subprocess.TimeoutExpired):
        return None
    lines = (out.stdout or out.stderr).strip().splitlines()
    return lines[0] if lines and out.returncode == 0 else None


def cpu_model():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def memory_gib():
    for line in pathlib.Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemTotal:"):
            return round(int(line.split()[1]) / 2**20, 1)
    return None


def file_system(path):
    """(type, device) of the mount that holds the path."""
    path = os.path.realpath(path)
    best = ("", "unknown", "unknown")
    for line in pathlib.Path("/proc/self/mounts").read_text().splitlines():
        device, mount, kind = line.split()[:3]
        inside = mount == "/" or path == mount or path.startswith(mount + "/")
        if inside and len(mount) >= len(best[0]):
            best = (mount, kind, device)
    return best[1], best[2]


def load_average():
    return pathlib.Path("/proc/loadavg").read_text().split()[0:3]


def cpu_ticks():
    """(all, busy, stolen) ticks of all CPUs since boot."""
    fields = [int(x) for x in pathlib.Path("/proc/stat").read_text().splitlines()[0].split()[1:]]
    idle, waiting, stolen = fields[3], fields[4], fields[7]
    return sum(fields[:8]), sum(fields[:8]) - idle - waiting - stolen, stolen


def describe(data_dir):
    kind, device = file_system(data_dir)
    dirty = first_line(["git", "status", "--porcelain", "--untracked-files=no"])
    return {
        "when": time.strftime("%Y-%m-%d %H:%M:%S %z"),
        "cpu": cpu_model(),
        "cpus": os.cpu_count(),
        "memory_gib": memory_gib(),
        "kernel": platform.release(),
        "file_system": kind,
        "device": device,
        "loadavg_before": load_average(),
        "commit": first_line(["git", "rev-parse", "--short", "HEAD"]),
        "commit_changed": dirty is not None,
    }
