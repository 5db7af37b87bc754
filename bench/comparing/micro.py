"""Runs the micro-benchmarks of build/bench. Each prints JSON objects with "name" and "ns"."""

import json
import os
import pathlib

from comparing.clients import run_client

LIMIT_SECONDS = 120
# Programs whose default is a long series of sizes get the size that is judged.
ARGUMENTS = {"bench_head_insert": ["1000000"]}


# The ones with a target; the others take long and are run by hand.
JUDGED = ("bench_ring_hop", "bench_head_insert", "bench_journal_encode")


def find(build):
    programs = [pathlib.Path(build, "bench", name) for name in JUDGED]
    return [p for p in programs if p.is_file() and os.access(p, os.X_OK)]


def objects_in(output):
    for line in output.splitlines():
        line = line.strip()
        if line.startswith("{") and line.endswith("}"):
            try:
                yield json.loads(line)
            except json.JSONDecodeError:
                print(f"note: not JSON, left out: {line}")


def run(build):
    """{name: nanoseconds}; of several figures with one name the worst. They pin themselves."""
    cpus = ",".join(str(c) for c in sorted(os.sched_getaffinity(0)))
    worst = {}
    for program in find(build):
        output, _, _ = run_client([program, *ARGUMENTS.get(program.name, [])], cpus,
                                  LIMIT_SECONDS)
        for row in objects_in(output):
            if "name" in row and isinstance(row.get("ns"), (int, float)):
                worst[row["name"]] = max(row["ns"], worst.get(row["name"], 0))
    return worst
