#!/usr/bin/python3
"""Each row of the tables is honoured: a setting is read and a metric is counted somewhere.

usage: used.py ROOT
"""
import pathlib
import re
import sys

LAYERS = ["core", "alloc", "net", "shards"]
SETTING = re.compile(r'\bROW\("([a-z0-9-]+)", (\w+), \w+,.*?\b(RESTART|LIVE|FIXED)\b', re.DOTALL)
METRIC = re.compile(r'\bROW\((\w+), "\w+", (?:COUNTER|GAUGE),')


def code(root):
    """All of the layers' C files but those that only carry the tables around."""
    texts = []
    for folder in LAYERS:
        for path in (root / folder).rglob("*.[ch]"):
            if not re.match(r"core/(config|metrics)", path.relative_to(root).as_posix()):
                texts.append(path.read_text())
    return "\n".join(texts)


def main():
    root = pathlib.Path(sys.argv[1])
    text = code(root)
    settings = SETTING.findall((root / "core/config_table.h").read_text())
    metrics = METRIC.findall((root / "core/metrics_table.h").read_text())
    errors = [
        f"core/config_table.h: nothing reads {name}"
        for name, field, when in settings
        if when != "FIXED" and not re.search(rf"(\.|->){field}\b", text)
    ]
    errors += [
        f"core/metrics_table.h: nothing counts {name}"
        for name in metrics
        if not re.search(rf"\bmetrics_(add|inc|sub|set)\([^;]*?,\s*{name}\b", text)
    ]
    print("\n".join(errors + [f"{len(settings)} settings, {len(metrics)} metrics"]))
    return 1 if errors or not settings or not metrics else 0


if __name__ == "__main__":
    sys.exit(main())
