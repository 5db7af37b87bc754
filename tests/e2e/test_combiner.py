"""All commands at once: several clients send random calls of every command (combiner.py), right and wrong
ones, in pipelines and transactions, over both protocols, while memory, batches and caches are as small as
they can be, clients are closed and the server is killed and started with another number of cores.

The server lives; every request gets one well-formed reply; what was there when nobody wrote any more is
there after a kill, byte for byte; and pinstripe-check finds no damage."""
import collections
import os
import random
import subprocess
import threading
import time

import combiner
from pinstripe import eq
from resp import Client

CONNECTIONS = 6
SMALL = {"journal_segment_bytes": "1mb", "journal_batch_bytes": "64kb", "checkpoint_dirty_bytes": "64kb",
         "io_recv_buffers": 16, "block_points": 64, "block_points_max": 64, "block_seconds": 1,
         "batch_size": 5, "store_block_cache_bytes": "1mb", "enable_debug_command": "yes",
         "client_output_buffer_soft": "64kb"}
TYPES = ("00", "01", "02", "03", "04", "05", "06", "ff")
FAR_MS = 10000000
PATIENCE_SECONDS = 120
# What a series takes in memory and in blocks may differ after a start.
MEMORY_FACTS = {"memoryUsage", "chunkCount"}


class Sender(threading.Thread):
    """One client after the other. `said` is what it sent last; ids and payloads are of all senders."""

    def __init__(self, s, seed, commands, ids, payloads):
        super().__init__(daemon=True)
        self.s, self.r, self.ids, self.payloads = s, random.Random(seed), ids, payloads
        self.author = combiner.Author(self.r, commands, ids, payloads)
        self.stop, self.error, self.calls, self.said = False, None, 0, []
        self.start()

    def run(self):
        while not self.stop:
            try:
                with Client(self.s.port, proto=self.r.choice((2, 3))) as c:
                    self.ids.append(c.ok("CLIENT", "ID"))
                    self.session(c)
            except ConnectionError:  # it was killed, or said QUIT; or the server ended
                if not self.s.is_running():
                    return
            except BaseException as e:
                self.error = e
                return

    def session(self, c):
        for _ in range(self.r.choice((1, 10, 100))):
            if self.stop:
                return
            self.batch(c)

    def batch(self, c):
        """Some calls, then one whose reply tells that each of them got one."""
        self.said = [self.author.one() for _ in range(self.r.choice((1, 1, 3, 10, 25)))]
        mark = b"mark%d" % self.r.randrange(1 << 30)
        *replies, end = c.pipe(self.said + [("ECHO", mark)])
        assert end in (mark, "QUEUED"), "%r, not %r" % (end, mark)
        self.calls += len(replies)
        self.payloads.extend(r for words, r in zip(self.said, replies)
                             if words[0] == b"DUMP" and isinstance(r, bytes))


def digest_key(c, key):
    kind = c.ok("TYPE", key)
    has_ttl = c.ok("PTTL", key) != -1
    if kind == "string":
        return kind, has_ttl, c.ok("GET", key)
    facts = c.ok("TS.INFO", key)
    facts = [f for f in zip(facts[::2], facts[1::2]) if f[0] not in MEMORY_FACTS]
    points = [c("TSDB_GET", key, "-", "+", "TYPE", t) for t in TYPES]
    return kind, has_ttl, facts, points, c("TS.GET", key, "LATEST"), c("TS.RANGE", key, "-", "+", "LATEST")


def digest(s):
    """Everything there is."""
    out = {}
    with Client(s.port) as c:
        eq(c("CONFIG", "SET", "maxmemory", "0"), "OK")
        for db in range(combiner.DATABASES):
            c.ok("SELECT", db)
            for key in sorted(c.ok("KEYS", "*")):
                out[db, key] = digest_key(c, key)
    return out


def settle(s):
    """Nothing will expire soon, and all is on disk whatever appendfsync says."""
    with Client(s.port) as c:
        eq(c("CONFIG", "SET", "maxmemory", "0"), "OK")
        for db in range(combiner.DATABASES):
            c.ok("SELECT", db)
            for key in c.ok("KEYS", "*"):
                if 0 <= c.ok("PTTL", key) < FAR_MS:
                    c.ok("PERSIST", key)
        eq(c("WAITAOF", 1, 0, 0), [1, 0])


def same(before, after):
    eq(after.keys(), before.keys(), "the keys after a kill")
    for key, was in before.items():
        eq(len(after[key]), len(was), "%r is of another type after the kill" % (key,))
        for x, y in zip(after[key], was):
            eq(x, y, "%r after the kill" % (key,))


def check_journals(t, s):
    program = os.path.join(os.path.dirname(t.binary), "tools", "pinstripe-check")
    run = subprocess.run([program, s.dir], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    eq(run.returncode, 0, run.stdout + run.stderr)


def complain(t, s, senders):
    """What went wrong, what was being said, and who waits for what."""
    for x in senders:
        t.say("%r%s after %r" % (x.error, " hangs" if x.is_alive() else "", x.said))
    assert s.is_running(), "the server ended:\n" + s.log()[-4000:]
    with Client(s.port, timeout=5) as c:
        t.say(c.ok("CLIENT", "LIST").decode())
        t.say(c.ok("INFO", "everything").decode())
    for x in senders:
        assert not x.is_alive(), "no reply"
        if x.error:
            raise x.error


def combine(t, s, seconds, commands):
    """Everybody sends for this time; how many calls were answered."""
    ids, payloads = collections.deque([0], 12), collections.deque([b"junk"], 8)
    senders = [Sender(s, t.random.randrange(1 << 62), commands, ids, payloads)
               for _ in range(CONNECTIONS)]
    end = time.monotonic() + seconds
    while time.monotonic() < end and s.is_running() and not any(x.error for x in senders):
        time.sleep(0.02)
    for x in senders:
        x.stop = True
    for x in senders:
        x.join(PATIENCE_SECONDS)
    if not s.is_running() or any(x.error or x.is_alive() for x in senders):
        complain(t, s, senders)
    return sum(x.calls for x in senders)


def test_all_commands_at_once_and_kills(t):
    """COMBINER_SECONDS: how long, instead of a few seconds, or minutes with --long."""
    total = float(os.environ.get("COMBINER_SECONDS") or (300 if t.long else 2))
    rounds = max(2, int(total / 10))
    s = t.server(cores=2, start=False, **SMALL)
    calls, before = 0, {}
    for _ in range(rounds):
        s.start(cores=t.random.choice((1, 2, 2)))
        same(before, digest(s))
        calls += combine(t, s, total / rounds, combiner.commands_of(s.client()))
        settle(s)
        before = digest(s)
        s.kill9()
        check_journals(t, s)
    s.start(cores=2)
    same(before, digest(s))
    t.say("%d calls, %d keys in the end" % (calls, len(before)))


def test_a_command_that_nobody_can_make_is_named(t):
    try:
        combiner.Author(t.random, [combiner.Command("new|one", "key [FROM nonsense]")], [0], [b""])
    except combiner.Unknown as why:
        eq(str(why), "how to make the argument 'nonsense' of new|one: see WORDS")
    else:
        raise AssertionError("a word that nobody knows was taken")
