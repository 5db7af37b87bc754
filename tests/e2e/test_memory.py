"""maxmemory: several times as much data as may be in memory. All of it is there, memory is bounded,
and only what cannot be served at all is refused."""
import threading

from pinstripe import eq, key_core, key_slot, keys_on, until
from resp import info

MIB = 1 << 20
FAR_MS = 4000000000000
OOM = "OOM command not allowed when used memory > 'maxmemory'."
# Room a request may take after the limit was looked at, tables while they double, and what the
# allocator has not given back yet.
SLACK_BYTES = 2 * MIB


class Gauge(threading.Thread):
    """Looks at used_memory all the time, on a connection of its own."""

    def __init__(self, s):
        super().__init__(daemon=True)
        self.client, self.most, self.failure = s.client(), 0, None
        self.stopping = threading.Event()
        self.start()

    def run(self):
        try:
            while not self.stopping.wait(0.02):
                self.most = max(self.most, int(info(self.client, "memory")["used_memory"]))
        except BaseException as e:
            self.failure = e

    def stop(self):
        self.stopping.set()
        self.join(30)
        if self.failure:
            raise self.failure
        return self.most


class Model:
    """What was written: strings with or without an expiry, and series."""

    def __init__(self, r):
        self.random, self.strings, self.series, self.bytes = r, {}, {}, 0

    def value(self):
        size = self.random.choice((0, 8, 40, 40, 300, 300, 1000, 3900, 9000))
        return self.random.randbytes((size + 1) // 2).hex().encode()[:size]

    def set(self, key):
        value, at = self.value(), -1
        command = ["SET", key, value]
        if self.random.random() < 0.3:
            at = FAR_MS + self.random.randrange(10**6)
            command += ["PXAT", at]
        self.bytes += len(key) + len(value)
        self.strings[key] = (value, at)
        return command

    def points(self, key, n):
        have = self.series.setdefault(key, [])
        added = [(len(have) + i, self.random.randrange(10**6) / 8) for i in range(n)]
        have += added
        self.bytes += 16 * n
        return [("TSDB_SET", key, ts, value) for ts, value in added]

    def check_strings(self, c, names):
        for at in range(0, len(names), 400):
            some = names[at:at + 400]
            got = c.pipe([("GET", k) for k in some] + [("PEXPIRETIME", k) for k in some])
            for i, k in enumerate(some):
                eq((got[i], got[len(some) + i]), self.strings[k], k)

    def check(self, c):
        names = list(self.strings)
        self.random.shuffle(names)
        self.check_strings(c, names)
        for at in range(0, len(names), 100):
            some = names[at:at + 100]
            eq(c("MGET", *some), [self.strings[k][0] for k in some])
        for key, points in self.series.items():
            eq([(p[0], float(p[1])) for p in c("TSDB_GET", key, "-", "+")], points, key)
        eq(c("DBSIZE"), len(self.strings) + len(self.series))


def send(c, commands, good=("OK",)):
    for command, reply in zip(commands, c.pipe_many(commands, 200)):
        assert reply in good, "%r was answered %r" % (command[:2], reply)


def fill(t, c, model, size):
    n = 0
    while model.bytes < size:
        keys = ["key:%d" % (n + i) for i in range(500)]
        n += len(keys)
        send(c, [model.set(k) for k in keys[:300]])
        pairs = [(k, model.value()) for k in keys[300:400]]
        for at in range(0, 100, 5):
            some = pairs[at:at + 5]
            eq(c("MSET", *[x for pair in some for x in pair]), "OK")
        for k, v in pairs:
            model.strings[k] = (v, -1)
            model.bytes += len(k) + len(v)
        for at in range(400, 500, 10):
            group = [model.set(k) for k in keys[at:at + 10]]
            eq(c.pipe([("MULTI",)] + group + [("EXEC",)])[-1], ["OK"] * 10)
        for i in range(20):
            send(c, model.points("series:%d" % t.random.randrange(200), 50))


def change(t, c, model):
    """Overwrites, appends, deletes, over keys that mostly are on disk only."""
    r, names = t.random, list(model.strings)
    for _ in range(10):
        commands = []
        for key in r.sample(names, 60):
            dice = r.random()
            if key not in model.strings or dice < 0.3:
                commands.append((model.set(key), "OK"))
            elif dice < 0.5:
                value, at = model.strings[key]
                model.strings[key] = (value + b"+", at)
                commands.append((("APPEND", key, "+"), len(value) + 1))
            elif dice < 0.7:
                value, at = model.strings[key]
                commands.append((("PERSIST", key), int(at > 0)))
                model.strings[key] = (value, -1)
            else:
                commands.append((("DEL", key), 1))
                del model.strings[key]
        eq(c.pipe([command for command, _ in commands]), [want for _, want in commands])
        a, b = r.sample(sorted(model.strings), 2)
        model.strings[b] = model.strings.pop(a)
        eq(c("RENAME", a, b), "OK")


def many_times(t, cores, **settings):
    limit = (32 if t.long else 8) * MIB
    s = t.server(cores=cores, maxmemory=limit, store_block_cache_bytes="4mb", **settings)
    c, gauge = s.client(timeout=120), Gauge(s)
    model = Model(t.random)
    fill(t, c, model, (5 if t.long else 3) * limit)
    filled = gauge.most
    model.check(c)
    change(t, c, model)
    model.check(c)
    most = gauge.stop()
    t.say("%d core(s): %d MiB of data, at most %.1f MiB used while written and %.1f MiB in all, "
          "resident %d MiB, limit %d MiB" % (cores, model.bytes // MIB, filled / MIB, most / MIB,
                                             s.rss() // MIB, limit // MIB))
    assert most < limit + SLACK_BYTES, "%.1f MiB used" % (most / MIB)
    assert int(info(c)["evicted_keys"]) > 0
    s.kill9()
    s.start()
    c, gauge = s.client(timeout=120), Gauge(s)
    model.check(c)
    most = gauge.stop()
    assert most < limit + SLACK_BYTES, "%.1f MiB used after a restart" % (most / MIB)


def test_data_of_many_times_maxmemory_on_one_core(t):
    many_times(t, 1)


def test_data_of_many_times_maxmemory_on_two_cores(t):
    many_times(t, 2)


def test_data_of_many_times_maxmemory_everysec(t):
    many_times(t, 2, appendfsync="everysec", checkpoint_dirty_bytes="4mb",
               checkpoint_journal_bytes="8mb")


def scan_all(c, *options):
    found, cursor = [], b"0"
    while True:
        cursor, some = c.ok("SCAN", cursor, *options)
        found += some
        if cursor == b"0":
            return found


def test_keys_of_a_store_larger_than_the_block_cache_are_listed(t):
    # Some values alone are larger than the cache, too.
    for cores in (1, 2):
        s = t.server(cores=cores, store_block_cache_bytes="1mb", checkpoint_journal_bytes="8mb")
        c = s.client(timeout=60)
        keys = {b"k%d" % i for i in range(3000)}
        send(c, [("SET", k, t.random.randbytes(2000)) for k in keys])
        big = {b"big%d" % i for i in range(4)}
        send(c, [("SET", k, t.random.randbytes(2 * MIB)) for k in big])
        s.restart()
        c = s.client(timeout=60)
        keys |= big
        eq(set(c.ok("KEYS", "*")), keys)
        eq(set(scan_all(c)), keys)
        eq(set(scan_all(c, "COUNT", 1000)), keys)
        assert all(c.ok("RANDOMKEY") in keys for _ in range(50))
        eq(sum(c.ok("CLUSTER", "COUNTKEYSINSLOT", key_slot(k)) > 0 for k in big), len(big))
        # Keys come, go and change while lists of the store's rows are made.
        w = s.client(timeout=60)
        for n in range(10):
            gone, new = keys.pop(), b"new%d" % n
            eq(c.pipe([("DEL", gone), ("SET", new, "x")]), [1, "OK"])
            keys.add(new)
            w.send("SAVE")
            eq(set(c.ok("KEYS", "*")), keys)
            eq(w.read(), "OK")
            eq(set(c.ok("KEYS", "*")), keys)
            eq(c.ok("DBSIZE"), len(keys))
        s.stop()


def test_keys_are_listed_while_checkpoints_come_and_go(t):
    # Each brings files to the stores whose rows are in no cache yet.
    s = t.server(cores=2)
    keys = {b"k%d" % i for i in range(10000)}
    send(s.client(timeout=60), [("SET", k, b"x" * 50) for k in keys])
    s.restart()
    stopping = threading.Event()
    answers = []

    def checkpoints():
        c, n = s.client(timeout=60), 0
        while not stopping.is_set():
            answers.extend(c.pipe([("SET", "z%d" % ((n + i) % 2000), n) for i in range(100)]
                                  + [("SAVE",)]))
            n += 100

    saver = threading.Thread(target=checkpoints, daemon=True)
    saver.start()
    c = s.client(timeout=60)
    for i in range(20):
        eq(set(c.ok("KEYS", "k*")), keys)
        both = c.pipe([("MULTI",), ("KEYS", "k*"), ("KEYS", "k1*"), ("EXEC",)])[-1]
        eq([set(r) for r in both], [keys, {k for k in keys if k.startswith(b"k1")}])
    stopping.set()
    saver.join()
    eq(set(answers), {"OK"})


def test_only_what_no_checkpoint_makes_room_for_is_refused(t):
    for cores in (1, 2):
        s = t.server(cores=cores)
        c = s.client()
        here, there = keys_on(0, 2, 1)[0], keys_on(1, 2, 1)[0]
        eq(c("MSET", here, "v", there, "v"), "OK")
        eq(c("CONFIG", "SET", "maxmemory", "1"), "OK")  # less than an empty server takes
        until(lambda: str(c("SET", here, "w")) == OOM, what="a refusal")
        eq(str(c("MSET", here, "w", there, "w")), OOM)
        eq(str(c("TSDB_SET", here + "t", 1, 1)), OOM)
        eq(c.pipe([("MULTI",), ("GET", here), ("SET", there, "w")]), ["OK", "QUEUED", "QUEUED"])
        eq(str(c("EXEC")), "EXECABORT Transaction discarded because of: " + OOM)
        # What needs no more memory is served: reading, deleting, shorter lives.
        eq(c("MGET", here, there), [b"v", b"v"])
        eq(c("EXPIRE", here, 1000), 1)
        eq(c.pipe([("MULTI",), ("GET", here), ("DEL", here), ("EXEC",)])[-1], [b"v", 1])
        eq(c("DBSIZE"), 1)
        eq(c("CONFIG", "SET", "maxmemory", "0"), "OK")
        eq(c("SET", here, "w"), "OK")
        s.restart()
        eq(s.client()("MGET", here, there), [b"w", b"v"])


# --- a cache that cannot hold what is read ----------------------------------------------------------------


def beside_large_values(t, cores):
    """Series whose rows share blocks of the store with values larger than the block cache."""
    s = t.server(cores=cores, store_block_cache_bytes="1mb", journal_batch_bytes="4mb",
                 journal_segment_bytes="16mb")
    c = s.client(timeout=60)
    # In one slot, in this order in the store; some of the series have rows of a few bytes.
    names = ["{t}%02d" % i for i in range(12)]
    series, strings = names[::2], names[1::2]
    s.points = {k: [(i, float(n) if n % 2 else t.random.random()) for i in range(12000)]
                for n, k in enumerate(series)}
    for k, points in s.points.items():
        assert set(c.pipe_many([("TSDB_SET", k, ts, v) for ts, v in points])) == {"OK"}
    s.strings = {k: t.random.randbytes(3 * MIB) for k in strings}
    for k, v in s.strings.items():
        eq(c("SET", k, v), "OK")
    s.restart()
    return s


def points_of(reply):
    return [(p[0], float(p[1])) for p in reply]


def test_series_are_read_whatever_stands_beside_them_in_the_store(t):
    s = beside_large_values(t, 1)
    c = s.client(timeout=60)
    for k, points in s.points.items():
        eq(points_of(c.ok("TSDB_GET", k, 5000, 5100)), points[5000:5101])
        eq(points_of(c.ok("TSDB_GET", k, "-", "+")), points)
        eq(points_of(c.ok("TSDB_GET", k, "-", "+", "REV")), points[::-1])
        eq(c.ok("TSDB_SET", k, 3, 0.5), "OK")
        points[3] = (3, 0.5)
        eq(points_of(c.ok("TSDB_GET", k, "-", 10)), points[:11])
    for k, v in s.strings.items():
        assert c.ok("GET", k) == v
        eq(c.ok("APPEND", k, "x"), len(v) + 1)
    s.restart()
    c = s.client(timeout=60)
    for k, points in s.points.items():
        eq(c.ok("COPY", k, k + "copy"), 1)
        eq(c.ok("RENAME", k, k + "new"), "OK")
        for name in (k + "copy", k + "new"):
            eq(points_of(c.ok("TSDB_GET", name, "-", "+")), points)


def test_transactions_read_series_whatever_stands_beside_them_in_the_store(t):
    s = beside_large_values(t, 2)
    c = s.client(timeout=60)
    other = next(k for k in ("o%d" % i for i in range(9)) if key_core(k, 2) != key_core("{t}", 2))
    asked = list(s.points)[:3]
    c.pipe([("MULTI",), ("SET", other, 1)] + [("TSDB_GET", k, "-", "+") for k in asked])
    got = c.ok("EXEC")
    eq(got[0], "OK")
    for k, reply in zip(asked, got[1:]):
        eq(points_of(reply), s.points[k])
    for k in asked:
        eq(c.ok("RENAME", k, other + k.replace("{t}", "")), "OK")
        eq(points_of(c.ok("TSDB_GET", other + k.replace("{t}", ""), "-", "+")), s.points[k])


def test_a_series_of_many_data_types_is_renamed_and_copied_from_the_store(t):
    s = t.server(appendfsync="everysec")
    c = s.client()
    values = [[t.random.random() for _ in range(12000)] for _ in range(12)]
    for n, some in enumerate(values):
        points = [("TSDB_SET", "k", 100 * i, v, "%02x" % n) for i, v in enumerate(some)]
        assert set(c.pipe_many(points)) == {"OK"}
    s.restart()
    c = s.client()
    eq(c.ok("COPY", "k", "copy"), 1)
    s.restart()
    c = s.client()
    eq(c.ok("RENAME", "k", "new"), "OK")
    for n, some in enumerate(values):
        for name in ("copy", "new"):
            got = c.ok("TSDB_GET", name, "-", "+", 12000, "TYPE", "%02x" % n)
            eq(points_of(got), [(100 * i, v) for i, v in enumerate(some)])
