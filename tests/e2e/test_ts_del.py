"""TS.DEL: exact wherever the points are, and for good once it was answered."""
from pinstripe import eq, until
from resp import Client, info

FULL = "ERR TSDB: 16384 deletions of the series wait for the checkpoint"


def points(c, key="k"):
    return [(p[0], float(p[1])) for p in c.ok("TSDB_GET", key, "-", "+")]


class Model:
    """A series as a dict."""

    def __init__(self, key, r):
        self.key, self.r, self.p, self.now = key, r, {}, 1000

    def add(self, c, n):
        commands = []
        for _ in range(n):
            if self.r.random() < 0.2 and self.p:
                ts = self.r.choice((self.now - self.r.randrange(3000), self.r.choice(list(self.p))))
            else:
                self.now += self.r.randrange(1, 8)
                ts = self.now
            self.p[ts] = float(self.r.randrange(1000))
            commands.append(("TSDB_SET", self.key, ts, self.p[ts]))
        eq(set(c.pipe_many(commands)), {"OK"})

    def delete(self, c):
        at = self.r.choice(list(self.p) or [0])
        start, end = self.r.choice(((at, at), (at, at + self.r.randrange(2000)), (at, "+"),
                                    ("-", min(self.p, default=0) + 50), ("-", "+"),
                                    (max(self.p, default=0), "+"), (at - 3, at + 30), (at, at)))
        gone = [ts for ts in self.p
                if (start == "-" or ts >= start) and (end == "+" or ts <= end)]
        eq(c("TS.DEL", self.key, start, end), len(gone))
        for ts in gone:
            del self.p[ts]
        if self.r.random() < 0.5 and gone and gone[0] >= 0:  # comes again at a time that went
            self.p[gone[0]] = -1.0
            eq(c("TSDB_SET", self.key, gone[0], -1), "OK")

    def check(self, c):
        eq(points(c, self.key), sorted(self.p.items()))
        newest = max(self.p, default=None)
        got = c.ok("TS.GET", self.key)
        eq((got[0], float(got[1])) if got else None, newest and (newest, self.p[newest]))


def test_points_between_two_times_go(t):
    c = t.server().client()
    c.pipe_many([("TS.ADD", "k", i, i) for i in range(10)])
    eq(c("TS.DEL", "k", 3, 5), 3)
    eq(c("TS.DEL", "k", 3, 5), 0)
    eq(c("TS.DEL", "k", 6, 2), 0)
    eq([p[0] for p in points(c)], [0, 1, 2, 6, 7, 8, 9])
    eq(c("TS.ADD", "k", 4, 44), 4)
    eq(c("TS.DEL", "k", 8, "+"), 2)
    eq([p[0] for p in points(c)], [0, 1, 2, 4, 6, 7])
    eq(c("TS.GET", "k"), [7, "7"])
    eq(c("TS.DEL", "k", "-", "+"), 6)
    eq(c("TS.GET", "k"), [])
    eq(c("TYPE", "k"), "TSDB-TYPE")
    eq(str(c("TS.DEL", "none", 0, 1)), "ERR TSDB: the key does not exist")
    eq(str(c("TS.DEL", "k", "x", 1)), "ERR TSDB: wrong fromTimestamp")
    eq(str(c("TS.DEL", "k", 1, "x")), "ERR TSDB: wrong toTimestamp")
    c("SET", "str", 1)
    eq(str(c("TS.DEL", "str", 0, 1)),
       "ERR WRONGTYPE Operation against a key holding the wrong kind of value")


def test_deletions_survive_kills_at_once_and_during_checkpoints(t):
    for cores in (1, 2):
        s = t.server(cores=cores, core_ports="yes", enable_debug_command="yes")
        models = [Model("k%d" % i, t.random) for i in range(4)]
        for n in range(6):
            c = s.client(proto=2)
            saver = None
            for m in models:
                m.add(c, t.random.randrange(1, 2500))
            if n % 3 == 1:
                eq(c("SAVE"), "OK")
            if n % 3 == 2:  # it lasts until the kill
                for core in range(cores):
                    eq(s.core_client(core)("DEBUG", "FAULT", "store", 1 << 30, 60000), "OK")
                saver = Client(s.port)
                saver.send_raw(b"*1\r\n$4\r\nSAVE\r\n")
                until(lambda: info(c)["rdb_bgsave_in_progress"] != "0", what="a checkpoint")
            for _ in range(8):
                m = t.random.choice(models)
                m.delete(c)
                m.check(c)
                t.random.choice(models).add(c, 3)
            if t.random.random() < 0.3 and saver is None:
                eq(c("SAVE"), "OK")
                models[0].delete(c)
            s.kill9()
            if saver:
                saver.close()
            s.start()
            c = s.client(proto=2)
            for m in models:
                m.check(c)


def test_what_is_deleted_leaves_the_disk_and_memory(t):
    s = t.server(maxmemory="2mb", store_block_cache_bytes="1mb")
    c = s.client(proto=2)
    models = [Model("k%d" % i, t.random) for i in range(6)]
    for _ in range(4):
        for m in models:
            m.add(c, 4000)
        for m in models:
            m.delete(c)
            m.delete(c)
            m.check(c)
        eq(c("SAVE"), "OK")
        for m in models:
            m.check(c)
            m.delete(c)
            m.check(c)
    s.restart()
    c = s.client(proto=2)
    for m in models:
        m.check(c)


def test_deletions_that_wait_for_a_checkpoint_are_bounded(t):
    s = t.server()
    c = s.client(proto=2)
    n = 40000
    for i in range(0, n, 1000):
        eq(set(c.pipe_many([("TSDB_SET", "k", j, 1) for j in range(i, i + 1000)])), {"OK"})
    eq(c("SAVE"), "OK")
    eq(set(c.pipe_many([("TS.DEL", "k", i, i) for i in range(0, 2 * 16384, 2)])), {1})
    eq(str(c("TS.DEL", "k", 33000, 33000))[:len(FULL)], FULL)
    until(lambda: c("TS.DEL", "k", 33001, 33001) == 1)
    eq(len(points(c)), n - 16384 - 1)
    s.kill9()
    s.start()
    eq(len(points(s.client(proto=2))), n - 16384 - 1)
