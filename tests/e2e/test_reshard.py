"""Starting with another number of cores moves the data, and nothing else happens to it."""
import os
import time

from pinstripe import eq, holds
from resp import info
from tracks import make_tracks, Writer

FAR_MS = 4000000000000


class Content:
    """What a server holds, and what it must hold after anything."""

    def __init__(self, t):
        self.random = t.random
        self.strings = {0: {}, 3: {}}  # database -> key -> (value, expiry)
        self.series = {}
        self.round = 0

    def change(self, c):
        """Writes, overwrites and deletes some of everything."""
        self.round += 1
        r, commands = self.random, []
        for db, strings in self.strings.items():
            commands.append(("SELECT", db))
            for i in range(1500):
                key = b"k%d" % r.randrange(3000)
                dice = r.random()
                if dice < 0.2 and key in strings:
                    commands.append(("DEL", key))
                    del strings[key]
                elif dice < 0.4:
                    at = FAR_MS + r.randrange(1000000)
                    strings[key] = (b"%d" % r.randrange(10**9), at)
                    commands.append(("SET", key, strings[key][0], "PXAT", at))
                else:
                    strings[key] = (b"v" * r.choice((0, 10, 200, 6000)) + key, -1)
                    commands.append(("SET", key, strings[key][0]))
        commands.append(("SELECT", 0))
        for i in range(20):
            points = self.series.setdefault(b"series%d" % i, {})
            for n in range(200):
                ts = self.round * 1000 + n if n % 10 else r.randrange(1000, 1000 * self.round + 1)
                points[ts] = float(n)
                commands.append(("TSDB_SET", b"series%d" % i, ts, n, "05"))
        for reply in c.pipe_many(commands):
            assert reply in ("OK", 1), reply

    def check(self, c):
        for db, strings in self.strings.items():
            eq(c("SELECT", db), "OK")
            keys = sorted(strings)
            eq(c("MGET", *keys), [strings[k][0] for k in keys])
            eq(c.pipe_many([("PEXPIRETIME", k) for k in keys]), [strings[k][1] for k in keys])
            names = keys + (sorted(self.series) if db == 0 else [])
            eq(sorted(c("KEYS", "*")), sorted(names))
            eq(c("DBSIZE"), len(names))
        eq(c("SELECT", 0), "OK")
        for key, points in self.series.items():
            got = [(p[0], float(p[1])) for p in c("TSDB_GET", key, "-", "+", "TYPE", "05")]
            eq(got, sorted(points.items()), repr(key))


def test_data_moves_when_the_number_of_cores_changes(t):
    s = t.server(cores=1, start=False)
    content = Content(t)
    for n, cores in enumerate((1, 2, 1, 2)):
        s.start(cores=cores)
        c = s.client()
        eq(info(c)["cores"], str(cores))
        if n:
            content.check(c)
        content.change(c)
        if n == 1:
            eq(c("SAVE"), "OK")
            content.change(c)
        content.check(c)
        if n % 2:
            s.kill9()
        else:
            s.stop()
        if n:
            holds(s.log(), "changing the number of cores")
    generations = [d for d in os.listdir(s.dir) if d.startswith("gen-")]
    eq(len(generations), 1, "generations left: %s" % generations)


def test_a_move_may_be_killed_at_any_moment(t):
    rounds = 30 if t.long else 8
    s = t.server(cores=1)
    content = Content(t)
    content.change(s.client())
    killed = 0
    for n in range(rounds):
        s.kill9()
        began = time.monotonic()
        s.start(cores=3 - s.cores)  # how long it takes
        seconds = time.monotonic() - began
        content.change(s.client())
        s.kill9()
        for _ in range(3):
            s.cores = 3 - s.cores if t.random.random() < 0.7 else s.cores
            s.spawn()
            time.sleep(t.random.uniform(0, seconds * 1.2))
            killed += "ready to accept" not in s.log()
            s.kill9()
        s.start(cores=3 - s.cores)
        content.check(s.client())
    t.say("%d starts killed before they were done" % killed)
    assert killed > 0


def test_unfinished_groups_do_not_survive_a_move_in_part(t):
    # kill -9 under load, then a start with another number of cores reads the old journals.
    s = t.server(cores=2, start=False, appendfsync="everysec")
    tracks = [make_tracks("w%d" % i, t.random, 2, db=i + 1) for i in range(2)]
    for n in range(10 if t.long else 3):
        s.start(cores=2)
        writers = [Writer(s, some, t.random.random(), 50) for some in tracks]
        for w in writers:
            w.start()
        time.sleep(t.random.uniform(0.1, 0.6))
        s.kill9()
        killed = time.time()
        for w in writers:
            w.finish()
        s.start(cores=1)
        c = s.client()
        for some in tracks:
            for track in some:
                track.check(c, False, killed)
        s.stop()


def table_bytes_with(s, text):
    """How often a text stands in the tables of all stores."""
    n = 0
    for folder, _, files in os.walk(s.dir):
        for name in files:
            if name.endswith(".sst"):
                with open(os.path.join(folder, name), "rb") as f:
                    n += f.read().count(text)
    return n


def test_moved_data_is_compressed_as_configured(t):
    # What does not compress is there as it was; what does is not.
    text = b"0123456789abcdefghijklmnopqrstuvwxyz" * 4
    for compression in ("none", "lz4"):
        s = t.server(cores=1, store_compression=compression)
        s.client().pipe_many([("SET", "k%d" % i, text) for i in range(500)])
        s.stop()
        s.start(cores=2)
        eq(s.client()("GET", "k77"), text)
        s.kill9()
        n = table_bytes_with(s, text)
        assert n >= 500 if compression == "none" else n < 100, "%s: %d times" % (compression, n)
