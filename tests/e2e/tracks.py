"""Histories that can be checked after a crash.

A track owns its keys and knows the state they have after its first n operations, for every n. It
counts what was sent and what was answered; after a restart the state must be the one after n
operations for one n between the two, and n must not be less than what had to survive.
"""
import random
import threading
import time

from pinstripe import eq, key_core
from resp import Client, Closed, Error, encode

FAR_MS = 4000000000000  # an expiry that does not come


class Track:
    def __init__(self, name):
        self.name = name
        self.sent = self.acked = 0
        self.saved = 0    # answered before the last SAVE or WAITAOF began

    def commands(self, i):
        """The commands of operation i; the answer to the last one answers the operation."""
        raise NotImplementedError

    def good(self, i, reply):
        """Is this the answer of operation i? It ran after exactly i others of this track."""
        return not isinstance(reply, Error)

    def find(self, c):
        """Looks at the keys: n operations were done. Raises when no n gives this state."""
        raise NotImplementedError

    def least(self, always):
        """Operations that must have survived a kill."""
        return self.acked if always else self.saved

    def check(self, c, always, killed):
        n = self.find(c)
        least = self.least(always)
        assert least <= n <= self.sent, (
            "%s: state after %d operations; %d were sent, %d answered, %d had to survive"
            % (self.name, n, self.sent, self.acked, least))
        self.sent = self.acked = self.saved = n


def agree(name, states):
    """Parts of one group: each says how many operations it saw; all must say the same."""
    assert len(set(states)) == 1, "%s: a group is there in part: %s" % (name, states)
    return states[0]


class Strings(Track):
    """SET on a few keys, of very different sizes."""

    def __init__(self, name, r, keys=16, sizes=(0, 5, 60, 500, 3000, 40000)):
        super().__init__(name)
        self.keys = ["%s:s%d" % (name, i) for i in range(keys)]
        self.sizes = [r.choice(sizes) for _ in range(61)]

    def pieces(self):
        """So many keys as a small block cache has room for what one command needs of them."""
        return [self.keys[i:i + 20] for i in range(0, len(self.keys), 20)]

    def value(self, i):
        return b"%d:" % i + b"x" * self.sizes[i % len(self.sizes)]

    def commands(self, i):
        return [("SET", self.keys[i % len(self.keys)], self.value(i))]

    def find(self, c):
        got = [v for some in self.pieces() for v in c.ok("MGET", *some)]
        seen = [int(v.split(b":")[0]) + 1 if v else 0 for v in got]
        n = len(self.keys)
        for k, value in enumerate(got):
            if value:
                eq(value, self.value(seen[k] - 1), "%s key %d" % (self.name, k))
        self.seen = seen
        return max(seen)

    def check(self, c, always, killed):
        # Its keys lie on several cores: each core keeps a prefix of its own, so every key is
        # checked for itself.
        self.find(c)
        least, n = self.least(always), len(self.keys)
        for k, seen in enumerate(self.seen):
            must = max(least - (least - 1 - k) % n, 0)  # behind its last operation below least
            assert must <= seen <= self.sent, (
                "%s key %d: has operation %d, had to have %d (%d sent, %d answered)"
                % (self.name, k, seen, must, self.sent, self.acked))
        # Operations not seen may be lost; go on behind everything that was sent.
        self.acked = self.saved = 0
        for some in self.pieces():
            c.ok("DEL", *some)
        self.sent = 0


class Counter(Track):
    """INCR answers the number of the operation."""

    def commands(self, i):
        return [("INCR", self.name)]

    def good(self, i, reply):
        return reply == i + 1

    def find(self, c):
        return int(c.ok("GET", self.name) or 0)


class Append(Track):
    """APPEND: changes that build on one another."""

    def token(self, i):
        return b"<%d>" % i

    def commands(self, i):
        return [("APPEND", self.name, self.token(i))]

    def find(self, c):
        value = c.ok("GET", self.name) or b""
        n = value.count(b"<")
        eq(value, b"".join(self.token(i) for i in range(n)), self.name)
        return n


class Points(Track):
    """TSDB_SET in order of time."""

    def commands(self, i):
        return [("TSDB_SET", self.name, 1000 + i, i * 0.5, "2a", i % 256)]

    def find(self, c):
        points = c.ok("TSDB_GET", self.name, "-", "+")
        want = [[1000 + i, b"%g" % (i * 0.5), b"2a", i % 256] for i in range(len(points))]
        got = [[p[0], b"%g" % float(p[1]), p[2], p[3]] for p in points]
        eq(got, want, self.name)
        return len(points)


class Late(Track):
    """TSDB_SET in disorder; every point has a timestamp of its own."""

    def __init__(self, name, r):
        super().__init__(name)
        self.order = list(range(97))
        r.shuffle(self.order)

    def ts(self, i):
        return i // 97 * 97 + self.order[i % 97]

    def commands(self, i):
        return [("TSDB_SET", self.name, self.ts(i), i)]

    def find(self, c):
        points = [(p[0], int(float(p[1]))) for p in c.ok("TSDB_GET", self.name, "-", "+")]
        eq(points, sorted((self.ts(i), i) for i in range(len(points))), self.name)
        return len(points)


class Overwrite(Track):
    """TSDB_SET that replaces points (duplicate-policy LAST)."""

    def commands(self, i):
        return [("TSDB_SET", self.name, i % 50, i)]

    def find(self, c):
        points = {p[0]: int(float(p[1])) for p in c.ok("TSDB_GET", self.name, "-", "+")}
        n = max(points.values(), default=-1) + 1
        eq(points, {i % 50: i for i in range(max(n - 50, 0), n)}, self.name)
        return n


class Pair(Track):
    """MSET of one value under keys of every core."""

    def __init__(self, name, keys):
        super().__init__(name)
        self.keys = keys

    def commands(self, i):
        return [("MSET", *[x for k in self.keys for x in (k, i + 1)])]

    def find(self, c):
        return agree(self.name, [int(v or 0) for v in c.ok("MGET", *self.keys)])


class Exec(Track):
    """MULTI ... EXEC over keys of every core."""

    def __init__(self, name, keys):
        super().__init__(name)
        self.keys = keys

    def commands(self, i):
        return [("MULTI",), ("SET", self.keys[0] + ":set", i + 1),
                ("INCR", self.keys[1] + ":incr"), ("TSDB_SET", self.keys[2] + ":ts", i, i),
                ("APPEND", self.keys[3] + ":len", "x"), ("EXEC",)]

    def good(self, i, reply):
        return reply == ["OK", i + 1, "OK", i + 1]

    def find(self, c):
        points = c.ok("TSDB_GET", self.keys[2] + ":ts", "-", "+")
        eq([p[0] for p in points], list(range(len(points))), self.name)
        return agree(self.name, [int(c.ok("GET", self.keys[0] + ":set") or 0),
                                 int(c.ok("GET", self.keys[1] + ":incr") or 0), len(points),
                                 c.ok("STRLEN", self.keys[3] + ":len")])


class Batch(Track):
    """BATCH_FLUSH over series of every core, several points to each."""

    EACH = 3

    def __init__(self, name, keys):
        super().__init__(name)
        self.keys = keys

    def commands(self, i):
        sets = [("BATCH_SET", k, i, i * self.EACH + p) for p in range(self.EACH)
                for k in self.keys]
        return sets + [("BATCH_FLUSH",)]

    def good(self, i, reply):
        return reply == self.EACH * len(self.keys)

    def find(self, c):
        states = []
        for k in self.keys:
            points = [(p[0], float(p[1])) for p in c.ok("TSDB_GET", k, "-", "+")]
            eq(points, [(n, n // self.EACH) for n in range(len(points))], self.name)
            states.append(len(points) / self.EACH)
        n = agree(self.name, states)
        assert n == int(n), "%s: a batch is there in part: %s" % (self.name, states)
        return int(n)


class Come(Track):
    """A key that is set and deleted in turns."""

    def commands(self, i):
        return [("DEL", self.name) if i % 3 == 2 else ("SET", self.name, i)]

    def good(self, i, reply):
        return reply == (1 if i % 3 == 2 else "OK")

    def check(self, c, always, killed):
        value = c.ok("GET", self.name)
        least = self.least(always)
        # Gone: any operation that deletes, or none at all.
        possible = [n for n in range(least, self.sent + 1)
                    if (value is None and n % 3 == 0) or
                    (value is not None and n > 0 and (n - 1) % 3 != 2 and int(value) == n - 1)]
        assert possible, "%s: is %r; %d sent, %d answered, %d had to survive" % (
            self.name, value, self.sent, self.acked, least)
        c.ok("DEL", self.name)
        self.sent = self.acked = self.saved = 0


class Expiry(Track):
    """SET, PEXPIREAT and PERSIST in turns."""

    def commands(self, i):
        return [(("SET", self.name, i), ("PEXPIREAT", self.name, FAR_MS + i),
                 ("PERSIST", self.name))[i % 3]]

    def good(self, i, reply):
        return reply == ("OK" if i % 3 == 0 else 1)

    def state(self, n):
        if n == 0:
            return None, -2
        return (n - 1) // 3 * 3, FAR_MS + n - 1 if n % 3 == 2 else -1

    def check(self, c, always, killed):
        value = c.ok("GET", self.name)
        got = (None if value is None else int(value), c.ok("PEXPIRETIME", self.name))
        least = self.least(always)
        assert any(self.state(n) == got for n in range(least, self.sent + 1)), (
            "%s: is %r; %d sent, %d answered, %d had to survive"
            % (self.name, got, self.sent, self.acked, least))
        c.ok("DEL", self.name)
        self.sent = self.acked = self.saved = 0


class Short(Track):
    """Keys that live for 30 ms."""

    def __init__(self, name):
        super().__init__(name)
        self.keys = ["%s:%d" % (name, i) for i in range(8)]

    def commands(self, i):
        return [("SET", self.keys[i % 8], i, "PX", 30)]

    def check(self, c, always, killed):
        time.sleep(max(killed + 0.05 - time.time(), 0))
        eq(c.ok("EXISTS", *self.keys), 0, self.name)
        self.sent = self.acked = self.saved = 0


class Rename(Track):
    """A value that wanders between a key of every core."""

    def __init__(self, name, keys):
        super().__init__(name)
        self.keys = keys[:2]
        self.first = True

    def commands(self, i):
        if self.first:
            self.first = False
            return [("DEL", self.keys[1]), ("SET", self.keys[0], "wanderer")] + [
                ("RENAME", self.keys[i % 2], self.keys[1 - i % 2])]
        return [("RENAME", self.keys[i % 2], self.keys[1 - i % 2])]

    def check(self, c, always, killed):
        got = c.ok("MGET", *self.keys)
        least = self.least(always)
        if least > 0 or any(got):
            assert sorted(got, key=str) == sorted([None, b"wanderer"], key=str), (
                "%s: the value is there %d times" % (self.name, sum(v is not None for v in got)))
        if least == self.sent > 0:
            eq(got[least % 2], b"wanderer", self.name)
        self.first = True
        self.sent = self.acked = self.saved = 0


class Flush(Track):
    """A database of its own: keys of a generation, then FLUSHDB, then the next generation."""

    EVERY = 40

    def __init__(self, name, db):
        super().__init__(name)
        self.db = db

    def commands(self, i):
        if i % self.EVERY == self.EVERY - 1:
            middle = ("FLUSHDB",)
        else:
            middle = ("SET", "f%d" % (i % self.EVERY), i)
        return [("SELECT", self.db), middle, ("SELECT", 0)]

    def check(self, c, always, killed):
        c.ok("SELECT", self.db)
        keys = sorted(c.ok("KEYS", "*"))
        values = [int(v) for v in c.ok("MGET", *keys)] if keys else []
        eq(c.ok("DBSIZE"), len(keys), "DBSIZE of " + self.name)
        c.ok("FLUSHDB")
        c.ok("SELECT", 0)
        least = self.least(always)
        generations = {v // self.EVERY for v in values}
        assert len(generations) <= 1, "%s: a flush was done in part: %s" % (self.name, values)
        generation = max(generations, default=None)
        if generation is not None:
            assert least // self.EVERY <= generation, (
                "%s: flushed keys are back: %s, %d had to survive" % (self.name, values, least))
            eq(sorted(keys), sorted(b"f%d" % (v % self.EVERY) for v in values), self.name)
        # What had to survive, unless a later flush took it.
        if self.sent // self.EVERY == least // self.EVERY or generation == least // self.EVERY:
            want = set(range(least // self.EVERY * self.EVERY, least))
            assert want <= set(values), "%s: lost %s" % (self.name, sorted(want - set(values)))
        self.sent = self.acked = self.saved = 0


def on_every_core(name, cores, n):
    """n keys, spread over the cores in turn."""
    keys, i = [], 0
    while len(keys) < n:
        key = "%s.%d" % (name, i)
        if key_core(key, cores) == len(keys) % cores:
            keys.append(key)
        i += 1
    return keys


def make_tracks(name, r, cores, db):
    """One of each kind."""
    return [Strings(name + ":strings", r), Counter(name + ":counter"), Append(name + ":append"),
            Points(name + ":points"), Late(name + ":late", r), Overwrite(name + ":over"),
            Pair(name + ":pair", on_every_core(name + ":p", cores, 4)),
            Exec(name + ":exec", on_every_core(name + ":x", cores, 4)),
            Batch(name + ":batch", on_every_core(name + ":b", cores, 3)),
            Come(name + ":come"), Expiry(name + ":expiry"), Short(name + ":short"),
            Rename(name + ":rename", on_every_core(name + ":r", cores, 2)),
            Flush(name + ":flush", db)]


class Writer(threading.Thread):
    """One connection that works on its tracks until it is told to stop or the server is gone."""

    def __init__(self, server, tracks, seed, pipeline=100, core=None):
        super().__init__(daemon=True)
        port = server.port if core is None else server.port + 1 + core
        self.client = Client(port)  # its own: it reads on after the server was killed
        self.tracks, self.pipeline = tracks, pipeline
        self.random = random.Random(seed)
        self.stopping = False
        self.failure = None

    def run(self):
        try:
            while not self.stopping:
                self.step()
        except (Closed, ConnectionError, BrokenPipeError):
            pass
        except BaseException as e:
            self.failure = e

    def step(self):
        ops, data = [], []
        for _ in range(self.random.randint(1, self.pipeline)):
            track = self.random.choice(self.tracks)
            commands = track.commands(track.sent)
            ops.append((track, track.sent, len(commands)))
            track.sent += 1
            data += [encode(*c) for c in commands]
        self.client.send_raw(b"".join(data))
        for track, i, n in ops:
            for _ in range(n):
                reply = self.client.read()
            assert track.good(i, reply), "%s operation %d was answered %r" % (track.name, i, reply)
            track.acked = i + 1

    def finish(self):
        self.join(60)
        self.client.close()
        assert not self.is_alive(), "a writer hangs"
        if self.failure:
            raise self.failure
