#!/usr/bin/python3
"""No marks of unfinished work in the code.

usage: words.py ROOT
"""
import pathlib
import re
import sys

FOLDERS = ["core", "alloc", "net", "shards", "tools", "bench", "tests", ".ci"]
# In two parts, so that this file passes its own check.
WORDS = re.compile(r"\b(TO" r"DO|FIX" r"ME|X" r"XX)\b")
BINARY = {".csv", ".gz", ".png", ".pyc"}


def main():
    root = pathlib.Path(sys.argv[1])
    errors, files = [], 0
    for folder in FOLDERS:
        for path in sorted((root / folder).rglob("*")):
            if not path.is_file() or path.suffix in BINARY:
                continue
            files += 1
            for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
                match = WORDS.search(line)
                if match:
                    errors.append(f"{path.relative_to(root)}:{number}: {match.group()}")
    print("\n".join(errors + [f"{files} files, {len(errors)} errors"]))
    return 1 if errors or not files else 0


if __name__ == "__main__":
    sys.exit(main())
