"""Runs the micro-benchmarks of build/bench. Each prints JSON objects with "name" and "ns"."""

import json
import os
import pathlib

from comparing.clients import run_client

LIMIT_SECONDS = 120
# Programs whose default is a long series of sizes get the size that is judged.
ARGUMENTS = {"bench_head_insert": ["1000000"]}


def find(build):
    root = pathlib.Path(build, "bench")
    programs = [p for p in root.rglob("bench_*") if p.is_file() and os.access(p, os.X_OK)]
    return sorted(programs)


def objects_in(output):
    for line in output.splitlines():
        line = line.strip()
        if line.startswith("{") and line.endswith("}"):
            try:
                yield json.loads(line)
            except json.JSONDecodeError:
                print(f"note: not JSON, left out: {line}")


def run(build, cpu):
    """{name: nanoseconds}; of several figures with one name the worst."""
    worst = {}
    for program in find(build):
        output, _, _ = run_client([program, *ARGUMENTS.get(program.name, [])], cpu, LIMIT_SECONDS)
        for row in objects_in(output):
            if "name" in row and isinstance(row.get("ns"), (int, float)):
                worst[row["name"]] = max(row["ns"], worst.get(row["name"], 0))
    return worst
