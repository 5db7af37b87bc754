#!/usr/bin/python3
"""Includes go downward only, libraries are included by their one module, headers compile alone.

usage: includes.py ROOT [COMPILER]     (without a compiler the headers are not compiled)
"""
import pathlib
import re
import subprocess
import sys

LAYERS = ["core", "alloc", "net", "shards"]
ABOVE = ["tools", "bench", "tests"]
# Library header -> the files of the layers that may include it.
LIBRARIES = {
    r"rocksdb/": r"shards/store/",
    r"liburing\.h": r"core/io[a-z_]*\.[ch]$",
    r"jemalloc/": r"alloc/",
    r"yaml\.h": r"core/config[a-z_]*\.[ch]$",
    r"roaring/": r"shards/labels/",
    r"liblzf/": r"shards/commands/dump_payload\.c$",
    r"pcre2\.h": r"shards/labels/label_regex\.c$",
    r"openssl/": r"net/tls[a-z_]*\.[ch]$",
}
INCLUDE = re.compile(r'^\s*#\s*include\s*(["<])([^">]+)[">]')
FLAGS = ["-std=gnu17", "-D_GNU_SOURCE", "-fsyntax-only", "-Wall", "-Werror", "-x", "c"]


def sources(root):
    for folder in LAYERS + ABOVE:
        for path in sorted((root / folder).rglob("*.[ch]")):
            yield path.relative_to(root).as_posix()


def own_include_error(root, name, included):
    """What is wrong with #include "included" in file `name`, or None."""
    folder, target = name.split("/")[0], included.split("/")[0]
    if folder not in LAYERS and (root / name).parent.joinpath(included).exists():
        return None  # a fixture beside its test
    if target not in LAYERS + ABOVE:
        return f'"{included}" is not written from the root'
    if folder in LAYERS and target not in LAYERS[: LAYERS.index(folder) + 1]:
        return f'"{included}" is above {folder}/'
    if included.endswith("_priv.h") and folder in LAYERS:
        if included.rsplit("/", 1)[0] != name.rsplit("/", 1)[0]:
            return f'"{included}" is private to its folder'
    return None


def library_error(_root, name, included):
    if name.split("/")[0] not in LAYERS:
        return None
    for header, users in LIBRARIES.items():
        if re.match(header, included) and not re.match(users, name):
            return f"<{included}> may only be included by {users}"
    return None


def check_includes(root, name):
    for number, line in enumerate((root / name).read_text().splitlines(), 1):
        match = INCLUDE.match(line)
        if match is None:
            continue
        quote, included = match.groups()
        error = (own_include_error if quote == '"' else library_error)(root, name, included)
        if error is not None:
            yield f"{name}:{number}: {error}"


def check_alone(root, name, compiler):
    command = compiler.split() + FLAGS + ["-I", str(root), str(root / name)]
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode != 0:
        yield f"{name}: does not compile alone\n{result.stderr}"


def main():
    root = pathlib.Path(sys.argv[1])
    compiler = sys.argv[2] if len(sys.argv) > 2 else None
    errors, files = [], list(sources(root))
    for name in files:
        errors += check_includes(root, name)
        if compiler and name.endswith(".h") and name.split("/")[0] != "tests":
            errors += check_alone(root, name, compiler)
    print("\n".join(errors + [f"{len(files)} files, {len(errors)} errors"]))
    return 1 if errors or not files else 0


if __name__ == "__main__":
    sys.exit(main())
