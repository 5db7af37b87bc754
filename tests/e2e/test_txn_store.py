"""Transactions whose commands need what only the disk has: what EXEC was given is done, whatever the
block cache holds, and no client sees a half of it while it waits."""
import threading
import time

from pinstripe import eq, keys_on, until
from resp import Client, Error, info

POINTS = 20000
BUCKET = 1000
SLOW_MS = 150


def cold_series(t, cores, names, **settings):
    """The same points in each, and next to nothing in memory."""
    s = t.server(cores=cores, store_block_cache_bytes="1mb", **settings)
    c = s.client(timeout=60)
    s.values = {k: [t.random.randrange(1 << 40) / 1024 for _ in range(POINTS)] for k in names}
    for k, values in s.values.items():
        points = [("TSDB_SET", k, 10 * i, v) for i, v in enumerate(values)]
        assert set(c.pipe_many(points, 2000)) == {"OK"}
    s.restart()
    return s


def count(c, key, start="-", end="+"):
    rows = c.ok("TS.RANGE", key, start, end, "AGGREGATION", "count", 1000000000)
    return sum(int(float(r[1])) for r in rows)


def queue(c, *commands):
    """MULTI and the commands; not yet EXEC."""
    eq(c.pipe([("MULTI",)] + list(commands)), ["OK"] + ["QUEUED"] * len(commands))


def late_points(source, dest, n=4):
    """What the rule has to read for them nobody could know of before it was made."""
    return [("TS.CREATERULE", source, dest, "AGGREGATION", "sum", BUCKET)] + [
        ("TS.ADD", source, at + 5, 1) for at in buckets(n)]


def buckets(n):
    return [BUCKET * (i * POINTS * 10 // BUCKET // n) for i in range(n)]


def fetches(c):
    return int(info(c)["txn_fetches"])


def rules_were_followed(s, c, source, dest):
    for at in buckets(4):
        first = at // 10
        want = sum(s.values[source][first:first + BUCKET // 10]) + 1
        eq([[ts, float(v)] for ts, v in c.ok("TS.RANGE", dest, at, at)], [[at, want]])


def test_what_a_command_needs_because_of_those_ahead_of_it_is_fetched(t):
    one, two = keys_on(0, 2, 2, "a")
    other = keys_on(1, 2, 1, "b")[0]
    s = cold_series(t, 2, [one, other], ts_duplicate_policy="LAST")
    c = s.client(timeout=60)
    eq(c.pipe([("TS.CREATE", two), ("TS.CREATE", "{%s}to" % other)]), ["OK", "OK"])
    queue(c, *late_points(one, "{%s}to" % other), ("SET", "{%s}x" % other, 1), *late_points(other, two))
    times = ["OK"] + [at + 5 for at in buckets(4)]
    eq(c.ok("EXEC"), times + ["OK"] + times)
    until(lambda: fetches(c) >= 2, what="the fetches half way")
    s.kill9()
    s.start()
    c = s.client(timeout=60)
    rules_were_followed(s, c, one, "{%s}to" % other)
    rules_were_followed(s, c, other, two)
    eq(c.ok("GET", "{%s}x" % other), b"1")


def test_nobody_sees_a_half_while_a_transaction_waits_for_the_disk(t):
    one, two = keys_on(0, 2, 2, "a")
    other = keys_on(1, 2, 1, "b")[0]
    s = cold_series(t, 2, [one, other], ts_duplicate_policy="LAST", enable_debug_command="yes",
                    core_ports="yes")
    c, pinger = s.client(timeout=60), s.client(timeout=60)
    seen = [s.core_client(core, timeout=60) for core in (0, 1)]
    eq(c.pipe([("TS.CREATE", two), ("TS.CREATE", "{%s}to" % other)]), ["OK", "OK"])
    for core in (0, 1):
        eq(s.core_client(core)("DEBUG", "FAULT", "store", 1 << 30, SLOW_MS), "OK")
    queue(c, ("SET", "{%s}x" % one, "first"), *late_points(one, "{%s}to" % other),
          ("SET", "{%s}x" % other, "last"))
    c.send("EXEC")
    until(lambda: fetches(pinger) > 0, what="a fetch half way")
    for client, k in zip(seen, (one, other)):
        client.send("GET", "{%s}x" % k)
    eq(pinger("PING"), "PONG")
    eq([seen[0].read(), seen[1].read()], [b"first", b"last"], "they waited for the end")
    eq(c.read(), ["OK", "OK"] + [at + 5 for at in buckets(4)] + ["OK"])
    # And killed half way it is as if it had not begun, or on a machine that stood still until its end it
    # is there as a whole.
    queue(c, ("SET", "{%s}x" % one, "second"), ("SET", "{%s}x" % other, "second"),
          *late_points(other, two))
    before = fetches(pinger)
    c.send("EXEC")
    until(lambda: fetches(pinger) > before, what="a fetch half way")
    s.kill9()
    s.start()
    c = s.client(timeout=60)
    got = [c.ok("GET", "{%s}x" % k) for k in (one, other)]
    assert got in ([b"first", b"last"], [b"second", b"second"]), got
    rules_were_followed(s, c, one, "{%s}to" % other)
    eq([count(c, one), count(c, other)], [POINTS + 4, POINTS + (4 if got[0] == b"second" else 0)])


class Reader(threading.Thread):
    """Pushes blocks out of the cache, until told to stop."""

    def __init__(self, port, names, random):
        super().__init__(daemon=True)
        self.names, self.random, self.stop, self.failure = names, random, False, None
        self.port = port
        self.start()

    def run(self):
        try:
            c = Client(self.port, timeout=60)
            while not self.stop:
                at = 10 * self.random.randrange(POINTS)
                c.ok("TS.RANGE", self.random.choice(self.names), at, at + 30000, "FILTER_BY_VALUE", 1, 2)
        except Exception as why:  # told to the test
            self.failure = why


def test_transactions_write_while_others_push_blocks_out_of_the_cache(t):
    names = keys_on(0, 2, 2, "a") + keys_on(1, 2, 2, "b")
    s = cold_series(t, 2, names, duplicate_policy="SUM", ts_duplicate_policy="SUM")
    readers = [Reader(s.port, names, t.random) for _ in range(3)]
    c = s.client(timeout=60)
    added = {k: 0 for k in names}
    end = time.monotonic() + (60 if t.long else 1.5)
    while time.monotonic() < end:
        some = t.random.sample(names, 3)
        # TS.ADD under SUM reads what it meets; the point is late.
        queue(c, *[("TS.ADD", k, 10 * t.random.randrange(POINTS), 1) for k in some])
        for reply in c.ok("EXEC"):
            assert not isinstance(reply, Error), reply
        for k in some:
            added[k] += 1
    for r in readers:
        r.stop = True
        r.join()
        assert r.failure is None, r.failure
    for k in names:
        got = c.ok("TS.RANGE", k, "-", "+", "AGGREGATION", "sum", 10 * POINTS)
        eq(sum(float(r[1]) for r in got), sum(s.values[k]) + added[k], k)
    t.say("%d transactions, %d fetches half way" % (sum(added.values()) // 3, fetches(c)))


def test_a_rule_made_in_a_transaction_reaches_what_its_destination_writes_to(t):
    a, b, d = keys_on(0, 2, 1, "a") + keys_on(1, 2, 1, "b") + keys_on(0, 2, 1, "d")
    e = keys_on(1, 2, 1, "e")[0]
    s = t.server(cores=2, ts_compat="extended")
    c = s.client()
    for k in (a, b, d, e):
        c.ok("TS.CREATE", k)
    c.ok("TS.CREATERULE", b, d, "AGGREGATION", "sum", 100)
    c.ok("TS.CREATERULE", d, e, "AGGREGATION", "sum", 1000)
    queue(c, ("TS.CREATERULE", a, b, "AGGREGATION", "sum", 10),
          *[("TS.ADD", a, 5 * i, 1) for i in range(450)])
    replies = c.ok("EXEC")
    eq(replies, ["OK"] + [5 * i for i in range(450)])
    eq(c.ok("TS.RANGE", e, "-", "+"), [[0, "200"], [1000, "200"]])
