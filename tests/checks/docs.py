#!/usr/bin/python3
"""What the documents name is there: files that links lead to, headings, tests.

usage: docs.py ROOT

A test is named as `file.test`: Test(..., test) in tests/unit/test_file.c, or test_test() in
tests/e2e/test_file.py.
"""
import pathlib
import re
import sys

LINK = re.compile(r"\[[^\]\n]+\]\(([^)\s]+)\)")
FENCE = re.compile(r"^(```|    ).*$", re.MULTILINE)
NAMED_TEST = re.compile(r"`([a-z0-9_]+)\.([a-z0-9_]{12,})`")


def documents(root):
    return sorted(root.glob("*.md")) + sorted((root / "docs").rglob("*.md")) + [
        root / "bench" / "README.md"]


def anchors(path):
    """What GitHub makes of the headings."""
    titles = re.findall(r"^#+ +(.*)$", path.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", t.lower()).replace(" ", "-") for t in titles}


def link_error(path, link):
    if re.match(r"[a-z]+:", link):
        return None
    name, _, anchor = link.partition("#")
    target = (path.parent / name).resolve() if name else path
    if not target.exists():
        return f"{link} is not there"
    if anchor and anchor not in anchors(target):
        return f"{link}: there is no such heading"
    return None


def test_error(root, stem, name):
    unit, e2e = root / f"tests/unit/test_{stem}.c", root / f"tests/e2e/test_{stem}.py"
    if unit.exists() and re.search(rf"^Test\(\w+, {name}\b", unit.read_text(), re.MULTILINE):
        return None
    if e2e.exists() and re.search(rf"^def test_{name}\(", e2e.read_text(), re.MULTILINE):
        return None
    return f"there is no test {stem}.{name}"


def check(root, path):
    text = FENCE.sub("", path.read_text())
    found = [link_error(path, link) for link in LINK.findall(text)]
    found += [test_error(root, *test) for test in NAMED_TEST.findall(text)]
    return [f"{path.relative_to(root)}: {error}" for error in found if error]


def main():
    root = pathlib.Path(sys.argv[1]).resolve()
    files = [path for path in documents(root) if path.exists()]
    errors = [error for path in files for error in check(root, path)]
    print("\n".join(errors + [f"{len(files)} documents, {len(errors)} errors"]))
    return 1 if errors or not files else 0


if __name__ == "__main__":
    sys.exit(main())
