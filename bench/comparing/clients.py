"""The two clients: redis-benchmark, which everybody has, and our own generator, which is faster and
can keep a timetable. Each run returns one dictionary of figures."""

import csv
import io
import json
import os
import signal
import subprocess
import time

from comparing.machine import cpu_ticks
from comparing.servers import CLOCK_TICKS, CompareError

KEYS = 100_000
SET_ARGS = ("SET", "key:__rand_int__", "xxx")
GET_ARGS = ("GET", "key:__rand_int__")
POINT_ARGS = ("TSDB_SET", "stock___rand_int__", "*", "100.5")
# Requests of the first, short run that says how many the measured one may have.
PROBE_PER_SLOT = 4
REQUESTS_MAX = 50_000_000
# A run of our generator writes its ordered points into a span of its own.
TIME_BASE_MS = 1_600_000_000_000
TIME_SPAN_MS = 1_000_000_000


class Meter:
    """CPU time while a client runs: the server's, and that of processes which have no part in the
    measurement but share the machine with it."""

    def __init__(self, server):
        self.server = server
        self.server_s, self.busy = server.cpu_seconds(), cpu_ticks()[1]

    def read(self, wall_s, client_s):
        server_s = self.server.cpu_seconds() - self.server_s
        busy_s = (cpu_ticks()[1] - self.busy) / CLOCK_TICKS
        return {"server_cpu_s": server_s, "client_busy": client_s / wall_s,
                "others_busy": max(busy_s - server_s - client_s, 0) / wall_s}


def run_client(argv, cpu, limit_s):
    """Runs a client on its CPU; returns (output, wall seconds, CPU seconds)."""
    argv = ["taskset", "-c", str(cpu)] + [str(a) for a in argv]
    began = time.monotonic()
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                               stdin=subprocess.DEVNULL, text=True)
    previous = signal.signal(signal.SIGALRM, lambda *_: process.kill())
    signal.setitimer(signal.ITIMER_REAL, limit_s)
    try:
        output = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    except BaseException:
        process.kill()
        raise
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
        process.stdout.close()
    wall = time.monotonic() - began
    if process.returncode == -signal.SIGKILL:
        raise CompareError(f"{argv[3]} was not done after {limit_s:.0f} s: {' '.join(argv[3:])}")
    if process.returncode != 0:
        raise CompareError(f"{' '.join(argv[3:])} ended with status {process.returncode}:\n"
                           f"{output[-2000:]}")
    return output, wall, usage.ru_utime + usage.ru_stime


class RedisBenchmark:
    def __init__(self, binary, cpu):
        self.binary, self.cpu = binary, cpu

    def _run(self, server, command, connections, pipeline, requests, limit_s):
        argv = [self.binary, "-h", "127.0.0.1", "-p", server.port, "-c", connections,
                "-P", pipeline, "-n", requests, "-r", KEYS, "--csv", *command]
        meter = Meter(server)
        output, wall, cpu = run_client(argv, self.cpu, limit_s)
        used = meter.read(wall, cpu)
        rows = [line for line in output.splitlines() if line.startswith('"')]
        if len(rows) != 2:
            raise CompareError(f"redis-benchmark said something else than a result:\n{output}")
        row = next(csv.DictReader(io.StringIO("\n".join(rows))))
        return {"rate": float(row["rps"]), "p50_ms": float(row["p50_latency_ms"]),
                "p99_ms": float(row["p99_latency_ms"]), "requests": requests,
                "cpu_us": used["server_cpu_s"] / requests * 1e6, **used}

    def measure(self, server, command, connections, pipeline, seconds):
        probe_n = max(connections * pipeline * PROBE_PER_SLOT, 2000)
        probe = self._run(server, command, connections, pipeline, probe_n, 120)
        requests = min(max(int(probe["rate"] * seconds), probe_n), REQUESTS_MAX)
        return self._run(server, command, connections, pipeline, requests, seconds * 10 + 30)


class Load:
    def __init__(self, binary, cpu):
        self.binary, self.cpu = binary, cpu
        self.time_base = TIME_BASE_MS

    def run(self, server, *options, limit_s=120):
        """One run; an error reply ends everything. Returns the generator's JSON. Ordered times go
        on where no earlier run has been, so that they are in order for the server too."""
        self.time_base += TIME_SPAN_MS
        argv = [self.binary, "--port", server.port, "--check-errors", "--quiet", "--json", "-",
                "--time-base", self.time_base, *options]
        meter = Meter(server)
        output, wall, cpu = run_client(argv, self.cpu, limit_s)
        return {**json.loads(output.strip().splitlines()[-1]), **meter.read(wall, cpu)}

    def measure(self, server, mix, connections, pipeline, seconds, *options):
        """A closed loop. The server's CPU time is counted over a run without warm-up, so that every
        request it was spent on is in the count."""
        self.run(server, "--mix", mix, "--connections", connections, "--pipeline", pipeline,
                 "--keys", KEYS, "--duration", 0.2, *options)
        result = self.run(server, "--mix", mix, "--connections", connections, "--pipeline",
                          pipeline, "--keys", KEYS, "--duration", seconds, *options)
        return summary(result)


def summary(result):
    """The figures of one run of our generator under the names of the tables."""
    kept = {name: result[name] for name in
            ("rate", "server_cpu_s", "client_busy", "others_busy", "behind")}
    return {**kept, "p50_ms": result["latency_us"]["p50"] / 1e3,
            "p99_ms": result["latency_us"]["p99"] / 1e3, "requests": result["commands"],
            "cpu_us": result["server_cpu_s"] / max(result["commands"], 1) * 1e6}
