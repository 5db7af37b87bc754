#!/usr/bin/python3
"""A file in the repository is what the command that makes it prints.

usage: same.py FILE COMMAND [ARGUMENT...]
"""
import difflib
import pathlib
import subprocess
import sys


def main():
    path, command = pathlib.Path(sys.argv[1]), sys.argv[2:]
    made = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    kept = path.read_text() if path.exists() else ""
    if made == kept and made != "":
        return 0
    diff = difflib.unified_diff(kept.splitlines(), made.splitlines(), str(path), "made", lineterm="")
    print("\n".join(diff))
    print(f"{path} is out of date; make it with: {' '.join(command)} > {path}")
    return 1


if __name__ == "__main__":
    sys.exit(main())
