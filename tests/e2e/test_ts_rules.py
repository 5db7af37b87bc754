"""Compaction rules and retention."""
import threading

from pinstripe import eq, holds, keys_on, until
from resp import Client, Error

MB = "AGGREGATION"


def points(c, key, *args):
    return [(p[0], float(p[1])) for p in c.ok("TS.RANGE", key, "-", "+", *args)]


def closed(c, source, fn, bucket):
    """What a rule that was there from the beginning has written."""
    return points(c, source, MB, fn, bucket)[:-1]


def keys(cores):
    """Source, two destinations: on every core one."""
    if cores == 1:
        return "s", "d0", "d1"
    return keys_on(1, 2, 1, "s")[0], keys_on(0, 2, 1, "d")[0], keys_on(1, 2, 2, "e")[1]


def make(c, cores):
    s, d0, d1 = keys(cores)
    for key in (s, d0, d1):
        eq(c("TS.CREATE", key, "DUPLICATE_POLICY", "LAST"), "OK")
    eq(c("TS.CREATERULE", s, d0, MB, "sum", 10), "OK")
    eq(c("TS.CREATERULE", s, d1, MB, "max", 7), "OK")
    return s, d0, d1


def check(c, s, d0, d1):
    eq(points(c, d0), closed(c, s, "sum", 10), "sums")
    eq(points(c, d1), closed(c, s, "max", 7), "maxima")
    whole = points(c, s, MB, "sum", 10)
    eq(points(c, d0, "LATEST"), whole)
    eq(c.ok("TS.GET", d0, "LATEST")[0], whole[-1][0])
    eq([p[0] for p in c.ok("TS.REVRANGE", d0, "-", "+", "LATEST")], [p[0] for p in whole][::-1])


def test_buckets_are_written_when_they_are_over(t):
    for cores in (1, 2):
        c = t.server(cores=cores).client(proto=2)
        s, d0, d1 = make(c, cores)
        eq(c("TS.ADD", s, 1, 1), 1)
        eq(c("TS.ADD", s, 5, 2), 5)
        eq(points(c, d0), [])
        eq(points(c, d0, "LATEST"), [(0, 3.0)])
        eq(c("TS.ADD", s, 12, 3), 12)
        eq(points(c, d0), [(0, 3.0)])
        check(c, s, d0, d1)
        eq(c("TS.MADD", s, 25, 1, s, 33, 2, s, 4, 10, s, 12, 5), [25, 33, 4, 12])
        check(c, s, d0, d1)
        eq(c("TS.INCRBY", s, 1, "TIMESTAMP", 47), 47)
        eq(c("TSDB_SET", s, 58, 4), "OK")
        for ts in (61, 69, 72):
            eq(c("BATCH_SET", s, 1, ts), "QUEUED")
        eq(c("BATCH_FLUSH"), 3)
        check(c, s, d0, d1)
        eq(c("MULTI"), "OK")
        for ts in (80, 91, 103, 85):
            eq(c("TS.ADD", s, ts, ts), "QUEUED")
        eq(c("EXEC"), [80, 91, 103, 85])
        check(c, s, d0, d1)
        eq(c("TS.DEL", s, 4, 28), 4)
        check(c, s, d0, d1)
        eq(c("TS.DEL", s, 33, 33), 1)
        check(c, s, d0, d1)
        eq(c("TS.DELETERULE", s, d1), "OK")
        before = points(c, d1)
        eq(c("TS.ADD", s, 200, 1), 200)
        eq(points(c, d1), before)
        eq(points(c, d0), closed(c, s, "sum", 10))


def test_pipelines_keep_their_order_when_rules_reach_another_core(t):
    server = t.server(cores=2, core_ports="yes")
    s, d0, d1 = keys(2)
    c = server.core_client(0, proto=2)
    make(c, 2)
    for core in (0, 1):
        c = server.core_client(core, proto=2)
        want, commands = [], []
        for i in range(600):
            ts = core * 10000 + i * 3
            commands += [("TS.ADD", s, ts, 1), ("SET", "n%d" % i, i), ("GET", "n%d" % i)]
            want += [ts, "OK", str(i).encode()]
        eq(c.pipe(commands), want)
    check(c, s, d0, d1)


def test_deletions_leave_what_others_wrote_where_no_bucket_was_over(t):
    for cores in (1, 2):
        server = t.server(cores=cores)
        c = server.client(proto=2)
        s, d0, _ = make(c, cores)
        for ts, value in ((5, 1), (25, 2), (45, 3)):
            eq(c("TS.ADD", s, ts, value), ts)
        eq(c("TS.MADD", d0, 15, 100, d0, 43, 7), [15, 43])  # of nobody's bucket; of the open one
        eq(points(c, d0), [(0, 1.0), (15, 100.0), (20, 2.0), (43, 7.0)])
        eq(c("TS.DEL", s, 10, 19), 0)  # the destination has what the source has
        eq(points(c, d0), [(0, 1.0), (20, 2.0), (43, 7.0)])
        eq(c("TS.DEL", s, 50, "+"), 0)
        eq(points(c, d0), [(0, 1.0), (20, 2.0), (43, 7.0)])
        eq(c("TS.DEL", s, 45, 45), 1)  # the bucket of 20 is open again
        eq(points(c, d0), [(0, 1.0), (43, 7.0)])
        eq(c("TS.ADD", s, 30, 1), 30)
        eq(points(c, d0), [(0, 1.0), (20, 2.0), (43, 7.0)])
        eq(c("TS.DEL", s, "-", "+"), 3)
        eq(points(c, d0), [(43, 7.0)])
        eq(c("TS.DEL", s, "-", "+"), 0)  # nothing can be said of a source without points
        server.kill9()
        server.start()
        eq(points(server.client(proto=2), d0), [(43, 7.0)])


def test_areas_of_twa_reach_to_the_ends_of_their_buckets(t):
    c = t.server().client(proto=2)
    c("TS.CREATE", "s")
    c("TS.CREATE", "d")
    eq(c("TS.CREATERULE", "s", "d", MB, "twa", 5), "OK")
    eq(c("TS.ADD", "s", 6, "0.43384932941305843"), 6)
    eq(c("TS.ADD", "s", 21, "1e-7"), 21)
    eq(points(c, "d"), [(5, 0.3760027654913173)])
    for _ in range(60):
        newest = c.ok("TS.GET", "s")[0]
        ts = newest + t.random.randrange(1, 9)
        eq(c("TS.ADD", "s", ts, t.random.uniform(-5, 5)), ts)
    eq(points(c, "d"), closed(c, "s", "twa", 5))
    c("TS.CREATE", "b")
    eq(c("TS.CREATERULE", "s", "b", MB, "twa", 5, "BACKFILL"), "OK")
    eq(points(c, "b"), points(c, "d"))


def test_retention_shorter_than_a_bucket_loses_nothing_of_it(t):
    server = t.server()
    c = server.client(proto=2)
    c("TS.CREATE", "s", "RETENTION", 1000)
    c("TS.CREATE", "d")
    eq(c("TS.CREATERULE", "s", "d", MB, "count", 30000), "OK")
    for i in range(0, 30000, 2500):
        c.pipe([("TS.ADD", "s", ts, 1) for ts in range(i, i + 2500)])
        eq(c("SAVE"), "OK")
    eq(len(c.ok("TS.RANGE", "s", "-", "+")), 1001)
    server.kill9()
    server.start()
    c = server.client(proto=2)
    eq(points(c, "d", "LATEST"), [(0, 30000.0)])
    eq(c("TS.ADD", "s", 30000, 1), 30000)
    eq(points(c, "d"), [(0, 30000.0)])


def test_late_points_count_with_what_retention_shows(t):
    c = t.server().client(proto=2)
    c("TS.CREATE", "s", "RETENTION", 50)
    c("TS.CREATE", "d")
    eq(c("TS.CREATERULE", "s", "d", MB, "sum", 20), "OK")
    eq(c("TS.MADD", "s", 1, 1, "s", 12, 2, "s", 25, 4, "s", 60, 8), [1, 12, 25, 60])
    eq(points(c, "d"), [(0, 3.0), (20, 4.0)])
    eq(c("TS.ADD", "s", 15, 16), 15)
    eq(points(c, "d"), [(0, 18.0), (20, 4.0)])


def test_random_writes_and_deletions_leave_what_the_rules_say(t):
    r = t.random
    for cores in (1, 2):
        server = t.server(cores=cores)
        c = server.client(proto=2)
        s, d0, d1 = make(c, cores)
        now = 0
        for n in range(3):
            for _ in range(150):
                now += r.randrange(6)
                ts = now if r.random() < 0.8 else r.randrange(now + 1)
                assert not isinstance(c("TS.ADD", s, ts, r.randrange(100)), Error)
            newest = c("TS.GET", s)[0]
            if n == 1:
                eq(c("SAVE"), "OK")
            for _ in range(6):
                at = r.randrange(max(newest - 60, 1))
                c.ok("TS.DEL", s, at, min(at + r.randrange(40), newest - 15))
            check(c, s, d0, d1)
            for _ in range(4):  # the newest ones: older buckets are open again
                now = c.ok("TS.GET", s)[0]
                c.ok("TS.DEL", s, now - r.randrange(30), "+" if r.random() < 0.5 else now + r.randrange(30))
                check(c, s, d0, d1)
            server.kill9()
            server.start()
            c = server.client(proto=2)
            check(c, s, d0, d1)


def destinations(c, cores, n):
    """n sources and destinations, on every pair of cores; all labelled."""
    names = []
    for i in range(n):
        source = keys_on(i % cores, cores, 1, "s%d_" % i)[0]
        dest = keys_on(i // 2 % cores, cores, 1, "d%d_" % i)[0]
        eq(c("TS.CREATE", source), "OK")
        eq(c("TS.CREATE", dest, "LABELS", "kind", "d", "half", i % 2), "OK")
        eq(c("TS.CREATERULE", source, dest, MB, ("sum", "max", "twa")[i % 3], 10), "OK")
        names.append((source, dest))
    return names


LATEST_RANGES = [(), (MB, "max", 20), ("FILTER_BY_VALUE", 0, 100), (MB, "last", 7, "EMPTY")]


def check_latest_of_many(c, names):
    dests = sorted(d.encode() for _, d in names)
    got = c.ok("TS.MGET", "LATEST", "FILTER", "kind=d")
    eq(list(got), dests)
    eq([v[1] for v in got.values()], [c.ok("TS.GET", d, "LATEST") for d in dests])
    for name in ("RANGE", "REVRANGE"):
        for args in LATEST_RANGES:
            got = c.ok("TS.M" + name, "-", "+", "LATEST", *args, "FILTER", "kind=d")
            eq(list(got), dests)
            eq(str([v[2] for v in got.values()]),
               str([c.ok("TS." + name, d, "-", "+", "LATEST", *args) for d in dests]), (name, args))
    grouped = c.ok("TS.MRANGE", "-", "+", "LATEST", "FILTER", "kind=d", "GROUPBY", "half", "REDUCE",
                   "count")
    eq(sum(row[1] for g in grouped.values() for row in g[3]),
       sum(len(c.ok("TS.RANGE", d, "-", "+", "LATEST")) for d in dests))


def test_latest_of_many_series_wherever_their_sources_are(t):
    for cores in (1, 2):
        server = t.server(cores=cores)
        c = server.client(proto=3)
        names = destinations(c, cores, 14)
        for i, (source, _) in enumerate(names):
            if i % 7 != 6:  # some sources are empty
                c.pipe([("TS.ADD", source, ts, t.random.randrange(100)) for ts in range(i, 95 + 3 * i, 3)])
        check_latest_of_many(c, names)
        eq(c("TS.MGET", "FILTER", "kind=d")[names[0][1].encode()][1], c.ok("TS.GET", names[0][1]))
        c.ok("MULTI")
        c("TS.MGET", "LATEST", "FILTER", "kind=d")
        eq(c("EXEC")[0], c.ok("TS.MGET", "LATEST", "FILTER", "kind=d"))
        eq(c("SAVE"), "OK")
        server.restart()  # keys and points are only on disk
        c = server.client(proto=3)
        got = c.ok("TS.MRANGE", "-", "+", "LATEST", "FILTER", "kind=d")
        eq([v[2] for v in got.values()], [c.ok("TS.RANGE", d, "-", "+", "LATEST") for d in got])
        server.restart()
        c = server.client(proto=3)
        check_latest_of_many(c, names)
        c.ok("DEL", names[1][0])  # a source that is gone has no open bucket
        check_latest_of_many(c, names)


def test_latest_of_many_series_while_buckets_are_written(t):
    server = t.server(cores=2)
    c = server.client(proto=3)
    names = destinations(c, 2, 12)
    failures = []

    def write(n):
        try:
            mine = server.client()
            for ts in range(0, 1200, 3):
                mine.pipe([("TS.ADD", s, ts, 1) for s, _ in names[n::2]])
        except BaseException as e:
            failures.append(e)

    threads = [threading.Thread(target=write, args=(n,), daemon=True) for n in (0, 1)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        for rows in c.ok("TS.MRANGE", "-", "+", "LATEST", "FILTER", "kind=d").values():
            stamps = [row[0] for row in rows[2]]
            eq(stamps, [10 * i for i in range(len(stamps))], "each bucket once, and none missing")
    for thread in threads:
        thread.join(60)
    assert not failures, failures
    check_latest_of_many(c, names)


def fields(reply):
    return {reply[i].decode() if isinstance(reply[i], bytes) else reply[i]: reply[i + 1]
            for i in range(0, len(reply), 2)}


def test_latest_of_a_destination_that_has_no_points_yet(t):
    """Asked for where its open bucket is not, with aggregators that look at what is beside the range."""
    for cores in (1, 2):
        s = t.server(cores=cores)
        c = s.client()
        source, to = ("s", "d") if cores == 1 else (keys_on(0, 2, 1)[0], keys_on(1, 2, 1)[0])
        for name in (source, to):
            eq(c.ok("TS.CREATE", name, "LABELS", "of", name), "OK")
        eq(c.ok("TS.CREATERULE", source, to, "AGGREGATION", "sum", 100), "OK")
        eq(c.ok("TS.ADD", source, 1601, 26), 1601)
        for start, end in (("-", 1000), (2000, "+"), (2000, 3000)):
            for fn in ("avg", "min", "twa", "countall", "last", "p50"):
                for empty in ((), ("EMPTY",)):
                    options = (start, end, "LATEST", "AGGREGATION", fn, 50) + empty
                    for command in ("TS.RANGE", "TS.REVRANGE"):
                        eq(c.ok(command, to, *options), [], (command, options))
                    for command in ("TS.NRANGE", "TS.NREVRANGE"):
                        eq(c.ok(command, 1, to, *options), [], (command, options))
                    for command in ("TS.MRANGE", "TS.MREVRANGE"):
                        eq([r[2] for r in c.ok(command, *options, "FILTER", "of=" + to)], [[]])
        eq(c.ok("TS.RANGE", to, "-", "+", "LATEST"), [[1600, "26"]])


def test_latest_comes_first_backward_and_last_forward_whatever_else_was_written(t):
    """The open bucket is no point of the series: where it stands says nothing of what was read of those."""
    for cores in (1, 2):
        s = t.server(cores=cores)
        c = s.client()
        source, to = ("s", "d") if cores == 1 else (keys_on(0, 2, 1)[0], keys_on(1, 2, 1)[0])
        for name in (source, to):
            eq(c.ok("TS.CREATE", name), "OK")
        eq(c.ok("TS.CREATERULE", source, to, "AGGREGATION", "sum", 100), "OK")
        eq(c.ok("TS.MADD", source, 10, 1, source, 120, 2, source, 250, 4), [10, 120, 250])
        own = [[ts, str(ts)] for ts in (30, 150, 230, 260)]
        for ts, v in own:
            eq(c.ok("TS.ADD", to, ts, v), ts)
        points = sorted(own + [[0, "1"], [100, "2"]])
        eq(c.ok("TS.RANGE", to, "-", "+"), points)
        eq(c.ok("TS.RANGE", to, "-", 300, "LATEST"), points + [[200, "4"]])
        eq(c.ok("TS.REVRANGE", to, "-", 300, "LATEST"), [[200, "4"]] + points[::-1])
        eq(c.ok("TS.REVRANGE", to, "-", 300, "LATEST", "COUNT", 2), [[200, "4"], points[-1]])
        eq(c.ok("TS.REVRANGE", to, "-", 300, "LATEST", "COUNT", 1), [[200, "4"]])
        eq(c.ok("TS.REVRANGE", to, "-", 300, "LATEST", "FILTER_BY_VALUE", 100, 240),
           [[230, "230"], [150, "150"]])


def test_late_points_that_change_nothing_leave_the_destination_alone(t):
    """In memory and in stored blocks alike: what a policy drops is no write to the destination."""
    for policy, dropped, kept in (("FIRST", 9, None), ("MIN", 9, 1), ("MAX", 1, 9)):
        s = t.server()
        c = s.client()
        eq(c.ok("TS.CREATE", "s", "DUPLICATE_POLICY", policy), "OK")
        eq(c.ok("TS.CREATE", "d"), "OK")
        c.pipe([("TS.ADD", "s", i * 1000, 5) for i in range(3000)])
        eq(c.ok("TS.CREATERULE", "s", "d", "AGGREGATION", "sum", 50), "OK")
        mine = {0: 777, 50000: 778, 60000: 779}
        for ts, value in mine.items():
            eq(c.ok("TS.ADD", "d", ts, value), ts)
        for stage in ("memory", "store"):
            eq(c.ok("TS.ADD", "s", 0, dropped), 0)
            eq(c.ok("TS.MADD", "s", 50000, dropped), [50000])
            eq(c.ok("TSDB_SET", "s", 60000, dropped), "OK")
            eq(c.ok("TS.RANGE", "d", "-", "+"), [[ts, str(v)] for ts, v in mine.items()],
               (policy, stage))
            eq(c.ok("TS.RANGE", "s", 0, 0), [[0, "5"]])
            c.ok("SAVE")
            s.restart()
            c = s.client()
        if kept is not None:
            eq(c.ok("TS.ADD", "s", 0, kept), 0)
            eq(c.ok("TS.RANGE", "d", 0, 0), [[0, str(kept)]])


def test_a_late_point_that_blocks_nothing_is_taken_wherever_the_destination_is(t):
    s = t.server(cores=2, block_points=64, block_points_max=64)
    c = s.client()
    source, to = keys_on(0, 2, 1)[0], keys_on(1, 2, 1)[0]
    eq(c.ok("TS.CREATE", source, "DUPLICATE_POLICY", "BLOCK"), "OK")
    eq(c.ok("TS.CREATE", to), "OK")
    eq(c.ok("TS.CREATERULE", source, to, "AGGREGATION", "sum", 1000), "OK")
    c.pipe([("TS.ADD", source, i * 1000, i) for i in range(400)])
    c.ok("SAVE")
    s.restart()
    c = s.client()
    eq(c.ok("TSDB_SET", source, 555, 1), "OK")
    eq(c.ok("TS.RANGE", to, 0, 0), [[0, "1"]])
    eq(c.pipe([("MULTI",), ("TSDB_SET", source, 2555, 1), ("EXEC",)]), ["OK", "QUEUED", ["OK"]])
    eq(c.ok("TS.RANGE", to, 2000, 2000), [[2000, "3"]])
    assert isinstance(c("TSDB_SET", source, 555, 2), Error)


def test_info_tells_of_rules_and_chunks(t):
    for cores in (1, 2):
        c = t.server(cores=cores).client(proto=2)
        s, d0, d1 = make(c, cores)
        eq(fields(c("TS.INFO", s))["rules"], [[d0.encode(), 10, "SUM", 0], [d1.encode(), 7, "MAX", 0]])
        eq(fields(c("TS.INFO", d0))["sourceKey"], s.encode())
        c("DEL", d1)
        eq(fields(c("TS.INFO", s))["rules"], [[d0.encode(), 10, "SUM", 0]])
        c.pipe([("TS.ADD", s, i, 1) for i in range(500)])
        eq(c("SAVE"), "OK")
        for i in range(500, 60000, 500):
            c.pipe([("TS.ADD", s, k, 1) for k in range(i, i + 500)])
        eq(c("SAVE"), "OK")
        info = fields(c("TS.INFO", s, "DEBUG"))
        chunks = [fields(chunk) for chunk in info["Chunks"]]
        eq(info["keySelfName"], s.encode())
        eq((info["totalSamples"], info["chunkCount"]), (60000, len(chunks)))
        assert len(chunks) > 2
        eq(sum(chunk["samples"] for chunk in chunks), 60000)
        eq((chunks[0]["startTimestamp"], chunks[-1]["endTimestamp"]), (0, 59999))
        assert all(chunk["size"] > 0 for chunk in chunks)
        c("DEL", s)
        eq(fields(c("TS.INFO", d0))["sourceKey"], None)


class Adder(threading.Thread):
    """Points one after the other, until the server is gone."""

    def __init__(self, port, key, first):
        super().__init__(daemon=True)
        self.client, self.key, self.answered, self.first = Client(port), key, first - 1, first
        self.start()

    def run(self):
        try:
            for i in range(self.first, self.first + 1000000, 20):
                self.client.pipe([("TS.ADD", self.key, i + k, 1) for k in range(20)])
                self.answered = i + 19
        except (ConnectionError, OSError):
            pass


def test_source_and_destinations_agree_after_kill9(t):
    server = t.server(cores=2, checkpoint_journal_bytes="1mb", checkpoint_dirty_bytes="65536")
    c = server.client(proto=2)
    s, d0, d1 = make(c, 2)
    first = 0
    for _ in range(3):
        adder = Adder(server.port, s, first)
        until(lambda: adder.answered > first + 300)
        server.kill9()
        adder.join(60)
        server.start()
        c = server.client(proto=2)
        newest = c.ok("TS.GET", s)[0]
        assert newest >= adder.answered, "%d answered, %d there" % (adder.answered, newest)
        check(c, s, d0, d1)
        first = newest + 1


def test_what_rules_refuse(t):
    c = t.server(ts_compat="strict").client(proto=2)
    for key in "abcd":
        c("TS.CREATE", key)
    for args, text in (
            (("a", "none", MB, "avg", 5), "the key does not exist"),
            (("a", "a", MB, "avg", 5), "should be different"),
            (("a", "b", MB, "nope", 5), "Unknown aggregation type"),
            (("a", "b", MB, "p50", 5), "Unknown aggregation type"),
            (("a", "b", MB, "avg,max", 5), "requires exactly one aggregation type"),
            (("a", "b", MB, "avg", 0), "bucketDuration must be greater than zero"),
            (("a", "b", MB, "avg", 5, "x"), "Couldn't parse alignTimestamp")):
        holds(str(c("TS.CREATERULE", *args)), text)
    eq(c("TS.CREATERULE", "a", "b", MB, "avg", 5), "OK")
    holds(str(c("TS.CREATERULE", "c", "b", MB, "avg", 5)), "the destination key already has a src rule")
    holds(str(c("TS.CREATERULE", "b", "c", MB, "avg", 5)), "the source key already has a source rule")
    holds(str(c("TS.CREATERULE", "c", "a", MB, "avg", 5)), "the destination key already has a dst rule")
    holds(str(c("TS.DELETERULE", "a", "c")), "compaction rule does not exist")
    c("DEL", "b")  # the rule is void, also when the key comes again
    c("TS.CREATE", "b")
    c("TS.ADD", "a", 1, 1)
    c("TS.ADD", "a", 10, 1)
    eq(points(c, "b"), [])
    eq(c("TS.CREATERULE", "c", "b", MB, "avg", 5), "OK")


def test_chains_of_rules(t):
    for cores in (1, 2):
        c = t.server(cores=cores, ts_compat="extended").client(proto=2)
        for i in range(5):
            c("TS.CREATE", "k%d" % i)
        for i in range(3):
            eq(c("TS.CREATERULE", "k%d" % i, "k%d" % (i + 1), MB, "sum", 10 ** (i + 1)), "OK")
        holds(str(c("TS.CREATERULE", "k3", "k0", MB, "sum", 5)), "in a circle")
        for i in range(0, 2500, 5):
            eq(c("TS.ADD", "k0", i, 1), i)
        eq(points(c, "k1"), closed(c, "k0", "sum", 10))
        eq(points(c, "k2"), closed(c, "k1", "sum", 100))
        eq(points(c, "k3"), [(0, 200.0), (1000, 200.0)])
        eq(c("TS.ADD", "k0", 3, 100), 3)  # late: all the way down
        eq(points(c, "k3"), [(0, 300.0), (1000, 200.0)])


def test_a_chain_has_at_most_16_rules_in_whatever_order_it_is_made(t):
    for cores in (1, 2):
        c = t.server(cores=cores, ts_compat="extended").client(proto=2)
        c.pipe([("TS.CREATE", "k%d" % i) for i in range(40)])
        link = lambda i: c("TS.CREATERULE", "k%d" % i, "k%d" % (i + 1), MB, "sum", 1)
        for order in (range(20), range(19, -1, -1), (5, 0, 4, 1, 3, 2, *range(6, 20))):
            made = [i for i in order if link(i) == "OK"]
            # 16 in a row, one that is refused, and what lies beyond it
            eq(sorted(set(range(20)) - set(made)), [3 if order[0] == 19 else 16])
            for i in made:
                eq(c("TS.DELETERULE", "k%d" % i, "k%d" % (i + 1)), "OK")
        for i in (*range(8), *range(9, 17)):
            eq(link(i), "OK")
        holds(str(link(8)), "more than 16 rules one behind the other")
        eq(c("TS.DELETERULE", "k16", "k17"), "OK")
        eq(link(8), "OK")
        eq(c.pipe([("MULTI",), ("TS.ADD", "k0", 1, 1), ("EXEC",)])[2], [1])
        for i in range(2, 40):
            c("TS.ADD", "k0", i, 1)
        eq(c("TS.GET", "k16"), [39 - 16, "1"])


def test_backfill_writes_what_is_over(t):
    for cores in (1, 2):
        server = t.server(cores=cores)
        c = server.client(proto=2)
        s, d0, d1 = keys(cores)
        for key in (s, d0, d1):
            c("TS.CREATE", key)
        c.pipe_many([("TS.ADD", s, i, i % 7) for i in range(5003)])
        eq(c("SAVE"), "OK")
        eq(c("TS.CREATERULE", d0, d1, MB, "max", 100), "OK")
        eq(c("TS.CREATERULE", s, d0, MB, "sum", 10, 5, "BACKFILL"), "OK")
        whole = points(c, s, "ALIGN", 5, MB, "sum", 10)
        eq(points(c, d0), whole[:-1])
        eq(points(c, d0, "LATEST"), whole)
        eq(points(c, d1), closed(c, d0, "max", 100))
        server.kill9()
        server.start()
        c = server.client(proto=2)
        eq(points(c, d0), whole[:-1])
        c("TS.CREATE", "many")
        c("TS.CREATE", "wide")
        for i in range(0, 100002, 2000):
            c.pipe([("TS.ADD", "many", k, 1) for k in range(i, i + 2000)])
        eq(str(c("TS.CREATERULE", "many", "wide", MB, "sum", 1, "BACKFILL")),
           "ERR TSDB: BACKFILL of more than 100000 buckets")
        c("CONFIG", "SET", "ts-compat", "strict")
        holds(str(c("TS.CREATERULE", "many", "wide", MB, "sum", 1, "BACKFILL")),
              "Couldn't parse alignTimestamp")


def test_retention_hides_refuses_and_drops(t):
    server = t.server()
    c = server.client(proto=2)
    c("TS.CREATE", "k", "RETENTION", 1000)
    for i in range(0, 20000, 1000):
        eq(set(c.pipe([("TSDB_SET", "k", ts, 1) for ts in range(i, i + 1000)])), {"OK"})
        if i == 10000:
            eq(c("SAVE"), "OK")
    eq([p[0] for p in c("TSDB_GET", "k", "-", "+")], list(range(18999, 20000)))
    eq([p[0] for p in c("TS.RANGE", "k", "-", "+")], list(range(18999, 20000)))
    holds(str(c("TSDB_SET", "k", 18998, 1)), "TSDB_SET: timestamp 18998 is older than the retention")
    eq(c("TSDB_SET", "k", 18999, 2), "OK")
    eq(c("BATCH_SET", "k", 1, 5), "QUEUED")
    holds(str(c("BATCH_FLUSH")), "timestamp 5 is older than the retention")
    eq(c("TSDB_SET", "k", 5, 1, "01"), "OK")  # another data type has a newest point of its own
    for _ in range(2):
        eq(c("TSDB_SET", "k", c("TS.GET", "k")[0] + 1, 1), "OK")
        eq(c("SAVE"), "OK")
    c("TS.ALTER", "k", "RETENTION", 0)  # shows what the disk has
    for _ in range(2):
        left = len(c("TS.RANGE", "k", "-", "+"))
        assert 1001 <= left < 10000, "%d points are left" % left
        server.restart()
        c = server.client(proto=2)


def test_what_follows_from_one_series_is_at_most_4096_series(t):
    c = t.server(cores=1, ts_compat="extended").client(proto=2)
    sources = ["s%d" % i for i in range(5)]
    for s in sources[1:]:
        names = ["%s.%d" % (s, i) for i in range(1000 if s != "s4" else 1024)]
        c.pipe_many([("TS.CREATE", k) for k in [s] + names])
        eq(set(c.pipe_many([("TS.CREATERULE", s, k, MB, "sum", 10) for k in names])), {"OK"})
    c("TS.CREATE", "s0")
    for s in sources[1:4]:
        eq(c("TS.CREATERULE", "s0", s, MB, "sum", 1), "OK")
    link = lambda: c("TS.CREATERULE", "s0", "s4", MB, "sum", 1)
    eq(c("TS.DELETERULE", "s1", "s1.0"), "OK")
    for i in range(4096 - (3 * 1001 - 1) - (1 + 1024)):
        c("TS.CREATE", "more%d" % i)
        eq(c("TS.CREATERULE", "s0", "more%d" % i, MB, "sum", 10), "OK")
    eq(link(), "OK")
    for refused in (("s0", "s1.0"), ("s4.3", "s1.0")):
        holds(str(c("TS.CREATERULE", *refused, MB, "sum", 1)),
              "rules would write to more than 4096 series when a point is added to 's0'")
    eq(c.pipe([("TS.ADD", "s0", i, 1) for i in range(25)])[-1], 24)
    eq(points(c, "s4.1023"), [(0, 10.0), (10, 10.0)])
    eq(c("TS.DELETERULE", "s0", "more1"), "OK")
    eq(c("TS.CREATERULE", "s4.3", "s1.0", MB, "sum", 1), "OK")


def test_destinations_that_are_in_blocks_of_their_own_on_disk(t):
    """More of them than there are fetches for one request, and a chain as long as it can be."""
    filler = [bytes(t.random.randrange(256) for _ in range(2000)) for _ in range(20)]
    for cores in (1, 2):
        s = t.server(cores=cores, ts_compat="extended", store_block_cache_bytes="1mb", maxmemory="0")
        c = s.client(proto=2)
        wide, chain = ["w%02d" % i for i in range(90)], ["z%02d" % i for i in range(17)]
        c.pipe_many([("TS.CREATE", k) for k in ["top", "w", "other"] + wide + chain])
        c.pipe_many([("SET", "%s.%d" % (k, j), v) for k in wide + chain for j, v in enumerate(filler)])
        eq(set(c.pipe_many([("TS.CREATERULE", "w", k, MB, "sum", 10) for k in wide])), {"OK"})
        eq(set(c.pipe_many([("TS.CREATERULE", a, b, MB, "sum", 10) for a, b in zip(chain, chain[1:])])), {"OK"})
        c.pipe_many([("TS.ADD", k, 5, 1) for k in ["w"] + chain])
        eq(c("SAVE"), "OK")

        def cold():
            s.restart()
            return s.client(proto=2)

        eq(cold()("TS.ADD", "w", 15, 2), 15)
        eq(cold()("TS.MADD", "w", 25, 3, "w", 35, 4, "z00", 15, 1), [25, 35, 15])
        c = cold()
        eq([points(c, k) for k in wide], [[(0, 1.0), (10, 2.0), (20, 3.0)]] * len(wide))
        eq(cold()("TS.DEL", "w", 20, 29), 1)
        eq(dict(zip(*[iter(cold()("TS.INFO", "w"))] * 2))["rules"][89][0], b"w89")
        eq(cold().pipe([("MULTI",), ("TS.ADD", "w", 45, 5), ("EXEC",)])[-1], [45])
        eq(cold()("TS.ADD", "z00", 10000, 1), 10000)
        eq(cold()("TS.CREATERULE", "top", "w", MB, "sum", 1), "OK")
        holds(str(cold()("TS.CREATERULE", "z16", "other", MB, "sum", 1)), "more than 16 rules")
        eq(cold()("RENAME", "w", "w2"), "OK")
        eq(cold()("TS.ADD", "w2", 55, 6), 55)
        c = cold()
        eq([points(c, k) for k in wide], [[(0, 1.0), (10, 2.0), (30, 4.0), (40, 5.0)]] * len(wide))
        eq(c("TS.DELETERULE", "z15", "z16"), "OK")
        eq(points(c, "z01"), [(0, 1.0), (5, 1.0), (10, 1.0)])
        s.stop()


def test_a_late_point_after_which_nothing_counts_takes_the_bucket_out(t):
    for cores in (1, 2):
        s = t.server(cores=cores, ts_compat="extended")
        c = s.client(proto=2)
        c.pipe([("TS.CREATE", k, "DUPLICATE_POLICY", "LAST") for k in ("a", "nans", "mean", "up")])
        for source, to, fn in (("a", "nans", "countnan"), ("a", "mean", "avg"), ("mean", "up", "count")):
            eq(c("TS.CREATERULE", source, to, MB, fn, 10), "OK")
        for ts, v in ((1, "nan"), (11, 5), (21, 6), (31, 7), (41, 8)):
            c("TS.ADD", "a", ts, v)
        eq(points(c, "nans"), [(0, 1.0)])
        eq(points(c, "mean"), [(10, 5.0), (20, 6.0), (30, 7.0)])
        eq(points(c, "up"), [(10, 1.0), (20, 1.0)])
        if t.random.random() < 0.5:
            eq(c("SAVE"), "OK")
            s.restart()
            c = s.client(proto=2)
        eq(c("TS.ADD", "a", 1, 7), 1)
        eq(c("TS.ADD", "a", 22, "nan"), 22)
        eq(points(c, "nans"), [(20, 1.0)])
        eq(points(c, "mean"), [(0, 7.0), (10, 5.0), (20, 6.0), (30, 7.0)])
        eq(points(c, "up"), [(0, 1.0), (10, 1.0), (20, 1.0)])
        eq(c("TS.ADD", "a", 22, 9), 22)
        eq(points(c, "nans"), [])
        s.kill9()
        s.start()
        c = s.client(proto=2)
        eq(points(c, "nans"), [])
        eq(points(c, "up"), [(0, 1.0), (10, 1.0), (20, 1.0)])
        s.stop()


def test_a_rule_made_at_the_end_of_time_counts_nothing_before_it(t):
    c = t.server(cores=1).client(proto=2)
    last = 2 ** 63 - 1
    c.pipe([("TS.CREATE", "a"), ("TS.CREATE", "b"), ("TS.ADD", "a", 5, 5), ("TS.ADD", "a", last, 7)])
    eq(c("TS.CREATERULE", "a", "b", MB, "sum", 1000), "OK")
    eq(c("TS.GET", "b", "LATEST"), [])


def test_count_takes_nothing_from_the_row_that_the_open_bucket_falls_into(t):
    c = t.server(cores=1).client(proto=2)
    c.pipe([("TS.CREATE", "s"), ("TS.CREATE", "d", "LABELS", "h", 1), ("TS.CREATERULE", "s", "d", MB, "sum", 10)])
    c("TS.MADD", *[x for ts in (1, 11, 21, 101, 111, 121) for x in ("s", ts, 1 + ts // 21)])
    for fn, value in (("sum", 17), ("count", 3), ("max", 6), ("last", 6)):
        for count in ((), ("COUNT", 2), ("COUNT", 3)):
            q = ("LATEST", *count, "AGGREGATION", fn, 100)
            eq(points(c, "d", *q)[1:], [(100, float(value))], (fn, count))
            eq(c.ok("TS.MRANGE", "-", "+", *q, "FILTER", "h=1")[0][2][1][0], 100)
            eq(float(c.ok("TS.MRANGE", "-", "+", *q, "FILTER", "h=1")[0][2][1][1]), value, (fn, count))
            eq(float(c.ok("TS.NRANGE", 1, "d", "-", "+", *q)[1][1][0]), value, (fn, count))
        eq(len(points(c, "d", "LATEST", "COUNT", 1, "AGGREGATION", fn, 100)), 1)
    eq(points(c, "d", "LATEST", "COUNT", 5), points(c, "d"))


def test_a_bucket_that_becomes_nan_is_nan_in_the_destination(t):
    """Elsewhere a number stays where it meets NaN. The variance of three equal values is a little below 0."""
    for change, values in ((("TS.DEL", "s", 3, 3), (30.3, 30.3, 30.3, 9)), (("TS.ADD", "s", 0, 30.3), (31.3, 30.3, 30.3))):
        c = t.server().client()
        eq(c("TS.CREATE", "s", "DUPLICATE_POLICY", "LAST"), "OK")
        for d, source, fn in (("d", "s", "std.p"), ("e", "d", "countnan")):
            eq(c("TS.CREATE", d), "OK")
            eq(c("TS.CREATERULE", source, d, "AGGREGATION", fn, 10), "OK")
        c.ok("TS.MADD", *[w for ts, v in enumerate(values) for w in ("s", ts, v)], "s", 11, 1, "s", 21, 1)
        assert float(c.ok("TS.RANGE", "d", 0, 0)[0][1]) > 0
        eq(c.ok("TS.RANGE", "e", 0, 0), [])
        c.ok(*change)
        eq([row[1] for row in c.ok("TS.RANGE", "s", 0, 9, "AGGREGATION", "std.p", 10)], ["NaN"])
        eq([row[1] for row in c.ok("TS.RANGE", "d", 0, 0)], ["NaN"])
        eq([row[1] for row in c.ok("TS.RANGE", "e", 0, 0)], ["1"])


def test_the_bucket_that_begins_before_all_times(t):
    c = t.server().client()
    for key in "sd":
        eq(c("TS.CREATE", key), "OK")
    eq(c("TS.CREATERULE", "s", "d", "AGGREGATION", "sum", 1000), "OK")
    least = -2**63
    for ts, v in ((least, 5), (least + 908, 7), (least + 5808, 1)):
        eq(c("TSDB_SET", "s", ts, v), "OK")
    eq(c("TS.DEL", "s", "-", least), 1)
    eq(c.ok("TS.RANGE", "d", "-", "+"), c.ok("TS.RANGE", "s", "-", least + 1808, "AGGREGATION", "sum", 1000))
    eq(c("TS.DEL", "s", least + 900, least + 910), 1)
    eq(c.ok("TS.RANGE", "d", "-", "+"), [])
