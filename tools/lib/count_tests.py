#!/usr/bin/python3
"""Adds up tests and prints "N passed, N failed, N skipped"; exit status 1 when any failed.

usage: count_tests.py FILE...

A .json file is meson's testlog.json: a program that prints Criterion's closing line counts with
each of its tests, any other program as one. Of other files the last line "N passed, N failed,
N skipped" counts. A sanitizer's report is a failure, whatever the program's exit status was.
"""
import json
import re
import sys

CRITERION = re.compile(r"Synthesis: Tested: (\d+) \| Passing: (\d+) \| Failing: \d+")
TOTALS = re.compile(r"^(\d+) passed, (\d+) failed, (\d+) skipped$", re.MULTILINE)
REPORT = re.compile(r"(ERROR: \w+Sanitizer|WARNING: ThreadSanitizer|: runtime error: ).*")


def count_program(entry):
    output = entry.get("stdout", "") + "\n" + entry.get("stderr", "")
    closing, report = CRITERION.search(output), REPORT.search(output)
    if entry["result"] == "SKIP":
        return 0, 0, 1
    passed, failed = 1, 0
    if closing:
        tested, passed = map(int, closing.groups())
        failed = tested - passed
    if entry["result"] != "OK" and failed == 0:
        # It went wrong outside its tests, or never came to its closing line.
        passed, failed = (passed if closing else 0), 1
    if report:
        print(f"{entry['name']}: {report.group()}")
        failed = max(failed, 1)
    if failed > 0:
        print(f"FAILED {entry['name']} ({entry['result']})\n{output.strip()[-4000:]}")
    return passed, failed, 0


def count_file(path):
    with open(path, errors="replace") as file:
        if path.endswith(".json"):
            counts = [count_program(json.loads(line)) for line in file]
        else:
            counts = [tuple(map(int, match)) for match in TOTALS.findall(file.read())[-1:]]
    if not counts:
        print(f"FAILED {path}: no test reported")
        return 0, 1, 0
    return tuple(map(sum, zip(*counts)))


def main():
    totals = tuple(map(sum, zip(*(count_file(path) for path in sys.argv[1:]))))
    print("%d passed, %d failed, %d skipped" % totals)
    return 1 if totals[1] > 0 or totals[0] == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
