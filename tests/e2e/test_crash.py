"""kill -9 at any moment: what was answered is there, groups are there whole or not at all."""
import time

from pinstripe import eq, keys_on
from resp import Error
from tracks import Counter, Writer, make_tracks

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
        self.marks.clear()


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


def save(s, tracks):
    before = [t.acked for t in tracks]
    eq(s.client().ok("SAVE"), "OK")
    for track, n in zip(tracks, before):
        track.saved = max(track.saved, min(n, track.acked))


def crash_rounds(t, mode, cores):
    rounds = 50 if t.long else 5
    r = t.random
    s = t.server(cores=cores, start=False, appendfsync=mode)
    sets = [make_tracks("w%d" % i, r, cores, db=i + 1) for i in range(WRITERS)]
    counters = [track for tracks in sets for track in tracks if type(track) is Counter]
    sets.append([Watcher("watcher", counters)])
    tracks = [track for some in sets for track in some]
    operations = 0
    for n in range(rounds):
        s.start(checkpoint_journal_bytes=r.choice(("1mb", "4mb", "1gb")),
                checkpoint_dirty_bytes=r.choice(("65536", "1mb", "256mb")))
        if n:
            c = s.client()
            for track in reversed(tracks):
                track.check(c, mode == "always", killed)
            keys_are_counted(c)
            eq(c("WAITAOF", 1, 0, 10000), [1, 0])  # what the checks changed counts, too
        writers = [Writer(s, some, r.random(), r.choice((1, 20, 100))) for some in sets]
        for w in writers:
            w.start()
        end = time.monotonic() + r.uniform(0.05, 1.2)
        if r.random() < 0.4:
            time.sleep(r.uniform(0, 0.4))
            save(s, tracks)
        time.sleep(max(end - time.monotonic(), 0))
        killed = time.time()
        s.kill9()
        for w in writers:
            w.finish()
        operations += sum(track.acked for track in tracks)
    t.say("%d rounds, %d answered operations at the kills" % (rounds, operations))


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
