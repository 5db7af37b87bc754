"""The same commands to redis-server and to Pinstripe: the same bytes come back.

The commands stand in cases/*.txt; strings.txt says how they are written.
"""
import os
import re
import shutil
import signal
import subprocess
import time

from pinstripe import Skip, die_with_parent, eq, free_ports, until
from resp import Client, Closed, Reader, encode

CASES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "cases")
ONE_CORE_ONLY = ("scan.txt",)
NEAR = 100  # what passed since the section began comes on top
HALF_MS = 400
ATTEMPTS = 5
DIFFERENCES_SHOWN = 25
ESCAPES = {"n": b"\n", "r": b"\r", "t": b"\t", "a": b"\a", "b": b"\b"}


class Redis:
    """A redis-server beside ours."""

    def __init__(self, t, *options):
        if not shutil.which("redis-server"):
            raise Skip("redis-server is not installed")
        self.port = free_ports(1)
        args = ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "",
                "--appendonly", "no", "--dir", t.dir(), *options]
        self.process = subprocess.Popen(args, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                        preexec_fn=die_with_parent)
        until(self.answers, what="redis-server")

    def answers(self):
        try:
            with Client(self.port) as c:
                return c("PING") == "PONG"
        except OSError:
            return False

    def client(self, **options):
        return Client(self.port, **options)

    def stop(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


# --- the files --------------------------------------------------------------------------------------


def words_of(text):
    """As redis-cli splits a line."""
    words, i = [], 0
    while i < len(text):
        if text[i] == " ":
            i += 1
            continue
        word = b""
        if text[i] == '"':
            i += 1
            while text[i] != '"':
                if text[i] == "\\" and text[i + 1] == "x":
                    word += bytes([int(text[i + 2:i + 4], 16)])
                    i += 4
                elif text[i] == "\\":
                    word += ESCAPES.get(text[i + 1], text[i + 1].encode())
                    i += 2
                else:
                    word += text[i].encode()
                    i += 1
            i += 1
        elif text[i] == "'":
            end = text.index("'", i + 1)
            word = text[i + 1:end].encode()
            i = end + 1
        else:
            end = text.find(" ", i)
            end = len(text) if end < 0 else end
            word = text[i:end].encode()
            i = end
        words.append(word)
    return words


class Step:
    def __init__(self, file, number, line):
        self.where, self.text = "%s:%d" % (file, number), line
        self.connection, self.near, self.any_order, self.sleep_ms = 0, False, False, 0
        m = re.match(r"@(\d+)\s+", line)
        if m:
            self.connection, line = int(m.group(1)), line[m.end():]
        while line[:1] in ("~", "?"):
            self.near, self.any_order = self.near or line[0] == "~", self.any_order or line[0] == "?"
            line = line[1:].lstrip()
        if line.startswith("!sleep "):
            self.sleep_ms = int(line.split()[1])
        self.words = words_of(line)
        self.other = self.words[1] if self.words[0] == b"!other" else None


def sections_of(file):
    """Lists of steps."""
    sections = [[]]
    with open(os.path.join(CASES, file)) as f:
        for number, line in enumerate(f, 1):
            line = line.rstrip("\n")
            if not line.strip():
                sections.append([])
            elif not line.startswith("#"):
                sections[-1].append(Step(file, number, line))
    return [s for s in sections if s]


# --- comparing --------------------------------------------------------------------------------------


def decoded(raw):
    def none():
        raise AssertionError("incomplete reply")

    reader = Reader(none)
    reader.buf += raw
    return reader.reply()


def in_order(value):
    """Arrays of single values sorted; an array that holds arrays keeps its order."""
    if isinstance(value, list):
        value = [in_order(v) for v in value]
        if not any(isinstance(v, list) for v in value):
            value.sort(key=repr)
    return value


def near(a, b, slack):
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(near(x, y, slack) for x, y in zip(a, b))
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(near(a[k], b[k], slack) for k in a)
    return a == b or (isinstance(a, int) and isinstance(b, int) and (a < 0) == (b < 0) and
                      abs(a - b) <= slack)


def same(step, theirs, ours, elapsed_ms):
    """Times that are left differ by no more than has passed since the first of them was set."""
    if theirs == ours:
        return True
    if b"<closed>" in (theirs, ours):
        return False
    if step.words[0].upper() == b"TTL" and elapsed_ms > HALF_MS:  # else both round to the same
        return near(decoded(theirs), decoded(ours), 1 + elapsed_ms / 1000)
    if step.any_order:
        return theirs[:1] == ours[:1] and in_order(decoded(theirs)) == in_order(decoded(ours))
    return step.near and near(decoded(theirs), decoded(ours), NEAR + elapsed_ms)


class Connections:
    """Those of one section to one server, made when first used."""

    def __init__(self, server, proto):
        self.server, self.proto, self.open = server, proto, {}

    def connection(self, number):
        if number not in self.open:
            self.open[number] = self.server.client(proto=self.proto)
        return self.open[number]

    def ask(self, step):
        try:
            c = self.connection(step.connection)
            c.send(*step.words)
            return c.read_raw()
        except (Closed, ConnectionError):
            return b"<closed>"

    def make_other(self, key):
        """A key that is no string: what this server has of the kind."""
        is_redis = isinstance(self.server, Redis)
        self.connection(0)(*(["RPUSH", key, "x"] if is_redis else ["TSDB_SET", key, "1", "1"]))
        assert self.connection(0)("TYPE", key) == ("list" if is_redis else "TSDB-TYPE")

    def close(self):
        for c in self.open.values():
            c.close()


def run_section(steps, redis, server, proto):
    """The differences."""
    sides = Connections(redis, proto), Connections(server, proto)
    differences, began = [], time.monotonic()
    for step in steps:
        if step.sleep_ms:
            time.sleep(step.sleep_ms / 1000)
            continue
        if step.other is not None:
            for side in sides:
                side.make_other(step.other)
            continue
        theirs, ours = (side.ask(step) for side in sides)
        if not same(step, theirs, ours, (time.monotonic() - began) * 1000):
            differences.append("%s RESP%d: %s\n  redis     %r\n  pinstripe %r"
                               % (step.where, proto, step.text, theirs[:300], ours[:300]))
    for side in sides:
        side.close()
    return differences


def run_on_time(steps, redis, server, proto):
    """The differences. Where keys live for milliseconds they may be over early on a machine that
    stood still: what is really different is so each time."""
    attempts = ATTEMPTS if any(step.sleep_ms for step in steps) else 1
    for _ in range(attempts):
        differences = run_section(steps, redis, server, proto)
        if not differences:
            break
    return differences


def compare(t, cores):
    redis = Redis(t)
    server = t.server(cores=cores)
    differences, steps = [], 0
    for file in sorted(os.listdir(CASES)):
        if not file.endswith(".txt") or (cores > 1 and file in ONE_CORE_ONLY):
            continue
        for section in sections_of(file):
            for proto in (2, 3):
                differences += run_on_time(section, redis, server, proto)
                steps += len(section)
    redis.stop()
    t.say("%d commands" % steps)
    assert steps > 0
    assert not differences, "%d differences\n%s" % (
        len(differences), "\n".join(differences[:DIFFERENCES_SHOWN]))


def test_replies_are_those_of_redis_one_core(t):
    compare(t, 1)


def test_replies_are_those_of_redis_two_cores(t):
    compare(t, 2)
