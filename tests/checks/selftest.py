#!/usr/bin/python3
"""The checks find what they are there to find: each runs over a small tree with one thing wrong.

usage: selftest.py COMPILER
"""
import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).parent

# file, content, check, what its output must name ("" = it must pass)
CASES = [
    ("core/a.c", '#include "core/b.h"\n#include <stdio.h>\n', "includes", ""),
    ("shards/x/a.c", '#include "core/b.h"\n#include "net/c.h"\n', "includes", ""),
    ("core/a.c", '#include "net/c.h"\n', "includes", "core/a.c:1: "),
    ("alloc/a.h", '\n# include "shards/d.h"\n', "includes", "alloc/a.h:2: "),
    ("net/a.c", '#include "resp.h"\n', "includes", "not written from the root"),
    ("tests/unit/a.c", '#include "core/b.h"\n', "includes", ""),
    ("tests/unit/a.c", '#include "absent.h"\n', "includes", "not written from the root"),
    ("tests/unit/a.c", '#include "a.c"\n', "includes", ""),
    ("net/a.c", '#include "a.c"\n', "includes", "not written from the root"),
    ("net/a.c", '#include "core/io_priv.h"\n', "includes", "private"),
    ("net/a.c", '#include "tools/x.h"\n', "includes", "above"),
    ("core/io_setup.c", "#include <liburing.h>\n", "includes", ""),
    ("core/mesh.c", "#include <liburing.h>\n", "includes", "liburing"),
    ("shards/store/a.c", "#include <rocksdb/c.h>\n", "includes", ""),
    ("shards/head/a.c", "#include <rocksdb/c.h>\n", "includes", "rocksdb"),
    ("shards/store/a.c", "#include <jemalloc/jemalloc.h>\n", "includes", "jemalloc"),
    ("bench/a.c", "#include <liburing.h>\n", "includes", ""),
    ("core/a.h", "#include <stddef.h>\nsize_t f(void);\n", "includes", ""),
    ("core/a.h", "size_t f(void);\n", "includes", "does not compile alone"),
    ("core/a.c", "/* fine */\nconst char *t = \"x-XXXX" "XX\";\n", "words", ""),
    ("core/a.c", "/* TO" "DO: more */\n", "words", "core/a.c:1: "),
    ("tools/run", "#!/bin/sh\n# FIX" "ME\n", "words", "tools/run:2: "),
    ("tests/a.py", "# X" "XX\n", "words", "tests/a.py:1: "),
    ("README.md", "# A b\n[x](#a-b), [y](README.md#a-b), [z](https://a.org/)\n", "docs", ""),
    ("README.md", "[x](absent.md)\n", "docs", "README.md: absent.md is not there"),
    ("docs/x.md", "# A\n[x](x.md#b)\n", "docs", "no such heading"),
    ("docs/x.md", "`store.data_is_never_lost`\n", "docs", "no test store.data_is_never_lost"),
]


def run_case(name, content, check, expected, compiler):
    with tempfile.TemporaryDirectory() as root:
        path = pathlib.Path(root) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        command = [sys.executable, HERE / f"{check}.py", root]
        command += [compiler] if check == "includes" else []
        result = subprocess.run(command, capture_output=True, text=True)
        if expected == "":
            return result.returncode == 0
        return result.returncode == 1 and expected in result.stdout


def run_used():
    """One setting and one metric, each with and without somebody who uses it."""
    setting = '#define T(ROW) ROW("my-port", my_port, INT, "1", 1, 2, "", RESTART, NETWORK, "Port.")\n'
    metric = '#define M(ROW) ROW(turns, "turns", COUNTER, "turns", CORES, "Turns.")\n'
    verdicts = []
    for source in (
        "c->my_port; metrics_inc(m, turns);",
        "c->my_ports; metrics_inc(m, turns);",
        "c->my_port; metrics_get(m, turns);",
    ):
        with tempfile.TemporaryDirectory() as root:
            core = pathlib.Path(root) / "core"
            core.mkdir()
            (core / "config_table.h").write_text(setting)
            (core / "metrics_table.h").write_text(metric)
            (core / "a.c").write_text(source)
            command = [sys.executable, HERE / "used.py", root]
            verdicts.append(subprocess.run(command, capture_output=True).returncode)
    return verdicts == [0, 1, 1]


def run_same():
    with tempfile.TemporaryDirectory() as root:
        path = pathlib.Path(root) / "x.md"
        command = [sys.executable, HERE / "same.py", path, "echo", "hello"]
        codes = [subprocess.run(command, capture_output=True).returncode]
        for text in ("hello\n", "hello \n"):
            path.write_text(text)
            codes.append(subprocess.run(command, capture_output=True).returncode)
        return codes == [1, 0, 1]


def main():
    failed = [case[:3] for case in CASES if not run_case(*case, sys.argv[1])]
    failed += [check.__name__ for check in (run_same, run_used) if not check()]
    for case in failed:
        print("wrong verdict:", case)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
