"""kill -9 at any moment: what was answered is there, groups are there whole or not at all."""
import os
import threading
import time

from pinstripe import eq, until
from resp import Client, Error, info
from tracks import Counter, Strings, Writer, make_tracks

WRITERS = 3


class Watcher(Counter):
    """Reads the counters of others: what it was shown must survive as well."""

    def __init__(self, name, counters):
        super().__init__(name)
        self.counters = counters
        self.seen = {k.name: 0 for k in counters}

    def commands(self, i):
        return [("GET", self.counters[i % len(self.counters)].name)]

    def good(self, i, reply):
        name = self.counters[i % len(self.counters)].name
        n = int(reply or 0) if not isinstance(reply, Error) else -1
        ok = n >= self.seen[name]
        self.seen[name] = max(self.seen[name], n)
        return ok

    def check(self, c, always, killed):
        for name, n in self.seen.items():
            found = int(c.ok("GET", name) or 0)
            assert not always or found >= n, "%s: %d was shown, %d is there" % (name, n, found)
        self.seen = dict.fromkeys(self.seen, 0)
        self.sent = self.acked = self.saved = 0


def keys_are_counted(c):
    """DBSIZE, KEYS and SCAN agree."""
    keys = set(c.ok("KEYS", "*"))
    cursor, scanned = b"0", set()
    while True:
        cursor, some = c.ok("SCAN", cursor, "COUNT", 100)
        scanned |= set(some)
        if cursor == b"0":
            break
    eq(scanned, keys, "SCAN against KEYS")
    eq(c.ok("DBSIZE"), len(keys), "DBSIZE")


def secure(s, tracks, command, answer):
    """SAVE or WAITAOF: what was answered before it has to survive in every mode."""
    before = [t.acked for t in tracks]
    eq(s.client().ok(*command), answer)
    for track, n in zip(tracks, before):
        track.saved = max(track.saved, min(n, track.acked))


class Saver(threading.Thread):
    """One checkpoint after the other, each of them slow, until the server is gone."""

    def __init__(self, s):
        super().__init__(daemon=True)
        self.clients = [Client(s.port + 1 + i) for i in range(s.cores)]
        self.done = 0
        for c in self.clients:
            eq(c("DEBUG", "FAULT", "store", 1 << 30, 30), "OK")
        self.start()

    def run(self):
        try:
            while True:
                self.clients[0].ok("SAVE")
                self.done += 1
        except ConnectionError:
            pass


def evictions(s):
    return int(info(s.client())["evicted_keys"])


def crash_rounds(t, mode, cores, memory=False, saving=False):
    rounds = 50 if t.long else 5
    r = t.random
    s = t.server(cores=cores, start=False, appendfsync=mode, core_ports="yes",
                 enable_debug_command="yes")
    sets = [make_tracks("w%d" % i, r, cores, db=i + 1) for i in range(WRITERS)]
    if memory:
        s.set(maxmemory="1mb", store_block_cache_bytes="1mb")
        for i, some in enumerate(sets):
            some.append(Strings("w%d:wide" % i, r, keys=2000, sizes=(1000, 3000, 8000)))
    counters = [track for tracks in sets for track in tracks if type(track) is Counter]
    sets.append([Watcher("watcher", counters)])
    tracks = [track for some in sets for track in some]
    operations = evicted = checkpoints = 0
    for n in range(rounds):
        s.start(checkpoint_journal_bytes=r.choice(("1mb", "4mb", "1gb")),
                checkpoint_dirty_bytes=r.choice(("65536", "1mb", "256mb")))
        if n:
            c = s.client()
            for track in reversed(tracks):
                track.check(c, mode == "always", killed)
            keys_are_counted(c)
            eq(c("WAITAOF", 1, 0, 0), [1, 0])  # what the checks changed counts, too
        writers = [Writer(s, some, r.random(), r.choice((1, 20, 100))) for some in sets]
        for w in writers:
            w.start()
        end = time.monotonic() + r.uniform(0.05, 1.2)
        saver = Saver(s) if saving else None
        if r.random() < 0.4 and not saving:
            time.sleep(r.uniform(0, 0.4))
            secure(s, tracks, ("SAVE",), "OK")
        elif mode != "always" and r.random() < 0.7:
            time.sleep(r.uniform(0, 0.4))
            secure(s, tracks, ("WAITAOF", 1, 0, 0), [1, 0])
        time.sleep(max(end - time.monotonic(), 0))
        if memory and n + 1 == rounds and evicted == 0:  # a machine too busy to have come so far
            until(lambda: evictions(s) > 0, what="an eviction")
        evicted += evictions(s) if memory else 0
        if saving and n + 1 == rounds and checkpoints == 0:
            until(lambda: saver.done > 0, what="a checkpoint")
        s.kill9()
        killed = time.time()
        for w in writers:
            w.finish()
        if saver:
            saver.join(60)
            checkpoints += saver.done
        operations += sum(track.acked for track in tracks)
    t.say("%d rounds, %d answered operations at the kills" % (rounds, operations) +
          (", %d evictions" % evicted if memory else "") +
          (", %d checkpoints" % checkpoints if saving else ""))
    assert not memory or evicted > 0
    assert not saving or checkpoints > 0


def test_kill9_appendfsync_always_one_core(t):
    crash_rounds(t, "always", 1)


def test_kill9_appendfsync_always_two_cores(t):
    crash_rounds(t, "always", 2)


def test_kill9_appendfsync_everysec_one_core(t):
    crash_rounds(t, "everysec", 1)


def test_kill9_appendfsync_everysec_two_cores(t):
    crash_rounds(t, "everysec", 2)


def test_kill9_appendfsync_no_one_core(t):
    crash_rounds(t, "no", 1)


def test_kill9_appendfsync_no_two_cores(t):
    crash_rounds(t, "no", 2)


def test_kill9_with_more_data_than_maxmemory_always(t):
    crash_rounds(t, "always", 2, memory=True)


def test_kill9_with_more_data_than_maxmemory_everysec(t):
    crash_rounds(t, "everysec", 1, memory=True)


def test_kill9_while_checkpoints_are_written_always(t):
    crash_rounds(t, "always", 2, saving=True)


def test_kill9_while_checkpoints_are_written_everysec(t):
    crash_rounds(t, "everysec", 2, memory=True, saving=True)


def tables(s):
    return {name for d, _, names in os.walk(s.dir) for name in names if name.endswith(".sst")}


def test_a_flush_cut_short_while_its_tables_go_is_whole_after_the_start(t):
    s = t.server(checkpoint_dirty_bytes="16mb")
    c, stuff = s.client(), t.random.randbytes(1 << 20)

    def values(n):
        return [("SET", "k%d" % i, stuff[at:at + 2000])
                for i in range(n) for at in [t.random.randrange(len(stuff) - 2000)]]

    def points(ts):
        return [("TSDB_SET", "s%d" % k, i, t.random.random()) for k in range(20) for i in ts]

    eq(c("SELECT", 1), "OK")
    eq(c("SET", "other", "stays"), "OK")
    eq(c("SELECT", 0), "OK")
    for n in (70000, 2000):  # more than one table; and older rows below newer ones
        c.pipe_many(values(n) + points(range(0, 20000, 10)))
        eq(c("SAVE"), "OK")
    s.stop()
    s.start()
    c = s.client()
    # What is replayed before the flush needs rows that are there in part.
    c.pipe(points(range(5, 20000, 500)) + [("APPEND", "k%d" % i, "x") for i in range(500)] +
           [("DEL", "k%d" % i) for i in range(500, 1000)] + [("TS.DEL", "s%d" % k, 500, 900) for k in range(20)])
    eq(c("FLUSHDB"), "OK")
    c.pipe([("SET", "k%d" % i, "new") for i in range(0, 70000, 700)])
    before = tables(s)
    c.send("SAVE")
    until(lambda: before - tables(s), what="a table to go")
    s.kill9()
    for _ in range(2):
        s.start()
        c = s.client()
        eq(c("DBSIZE"), 100)
        keys_are_counted(c)
        eq(c("MGET", "k0", "k1", "k500", "k700", "k69999"), [b"new", None, None, b"new", None])
        eq(c("EXISTS", *["s%d" % k for k in range(20)]), 0)
        eq(c("SELECT", 1), "OK")
        eq(c("GET", "other"), b"stays")
        eq(c("SAVE"), "OK")
        s.stop()
