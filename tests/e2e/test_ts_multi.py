"""TS.MGET, TS.MRANGE and TS.MREVRANGE: the same as asking series by series, wherever they are, with any
number of cores; bounded, and no burden for others. Byte for byte: test_ts_replies.py."""
import math
import threading
import time

from pinstripe import eq, holds
from resp import Error, encode

SERIES = 60
AREAS, KINDS = 4, 3


def key_of(i):
    return b"s%03d" % (i * 7919 % 1000)


def labels_of(i):
    some = {b"area": b"a%d" % (i % AREAS), b"id": b"%d" % i}
    if i % 5:
        some[b"kind"] = b"k%d" % (i % KINDS)
    return some


def fill(t, c, points):
    """Whole numbers, so that sums are exact in any order; some series are empty, some have NaN."""
    for i in range(SERIES):
        words = [w for pair in labels_of(i).items() for w in pair]
        c.ok("TS.CREATE", key_of(i), "RETENTION", 10**9, "LABELS", *words)
    for i in range(SERIES):
        rows = [] if i % 11 == 10 else sorted(t.random.sample(range(10 * points), points))
        for at in range(0, len(rows), 1000):
            args = []
            for ts in rows[at:at + 1000]:
                args += [key_of(i), ts, "nan" if ts % 97 == 0 else t.random.randrange(-500, 500)]
            c.ok("TS.MADD", *args)


RANGES = [
    ("-", "+"),
    (100, 900, "COUNT", 5),
    ("-", "+", "FILTER_BY_VALUE", -10, 10),
    ("-", "+", "AGGREGATION", "sum", 50),
    (33, 2000, "ALIGN", "start", "AGGREGATION", "max,min,count", 100, "BUCKETTIMESTAMP", "end"),
    ("-", "+", "AGGREGATION", "count", 64, "EMPTY"),
]
FILTERS = [("area=a1",), ("area=(a0,a2)", "kind!=k1"), ("area=a3", "kind="), ("id=7",), ("area=no",),
           ("area=~a[01]",), ("id=3", "OR", "kind=k2", "area=a1")]


def matches(i, f):
    l = labels_of(i)
    return {
        FILTERS[0]: l[b"area"] == b"a1",
        FILTERS[1]: l[b"area"] in (b"a0", b"a2") and l.get(b"kind") != b"k1",
        FILTERS[2]: l[b"area"] == b"a3" and b"kind" not in l,
        FILTERS[3]: i == 7,
        FILTERS[4]: False,
        FILTERS[5]: l[b"area"] in (b"a0", b"a1"),
        FILTERS[6]: i == 3 or (l.get(b"kind") == b"k2" and l[b"area"] == b"a1"),
    }[f]


def found(f):
    return sorted((key_of(i), i) for i in range(SERIES) if matches(i, f))


def same(got, want, what=""):
    eq(str(got), str(want), what)  # NaN is not equal to itself


class Asked:
    """What single series say, asked once: the data does not change."""

    def __init__(self, c):
        self.client, self.rows = c, {}

    def series(self, i, command, query):
        return self.rows.setdefault((i, command, query),
                                    self.client.ok("TS." + command, key_of(i), *query))

    def newest(self, i):
        return self.rows.setdefault((i, "GET"), self.client.ok("TS.GET", key_of(i)))

    def reduced(self, members, command, query, name):
        at = {}
        for i in members:
            for ts, value in self.series(i, command, query):
                at.setdefault(ts, []).append(value)
        return [[ts, reducer(name, at[ts])] for ts in sorted(at, reverse=command == "REVRANGE")]


def reducer(name, values):
    numbers = [v for v in values if not math.isnan(v)]
    if name == "countall":
        return float(len(values))
    if name == "count":
        return float(len(numbers))
    if name == "sum":
        return float(sum(numbers)) if numbers else math.nan
    return max(numbers) - min(numbers) if numbers else math.nan


def check_mget(c, asked):
    for f in FILTERS:
        want = found(f)
        got = c.ok("TS.MGET", "WITHLABELS", "FILTER", *f)
        eq(list(got), [key for key, _ in want])
        same(list(got.values()), [[labels_of(i), asked.newest(i)] for _, i in want])
        got = c.ok("TS.MGET", "SELECTED_LABELS", "kind", "nope", "FILTER", *f)
        eq([v[0] for v in got.values()],
           [{b"kind": labels_of(i).get(b"kind"), b"nope": None} for _, i in want])


def check_mrange(c, asked):
    for f in FILTERS:
        for query in RANGES:
            for command in ("RANGE", "REVRANGE"):
                want = [(key, i, asked.series(i, command, query)) for key, i in found(f)]
                got = c.ok("TS.M" + command, *query, "FILTER", *f)
                eq(list(got), [key for key, _, _ in want])
                same([v[2] for v in got.values()], [rows for _, _, rows in want], (f, query))
                names = query[query.index("AGGREGATION") + 1].split(",") if "AGGREGATION" in query else []
                eq([v[:2] for v in got.values()],
                   [[{}, {b"aggregators": [n.encode() for n in names]}]] * len(want))
                got = c.ok("TS.M" + command, *query, "EXCLUDEEMPTY", "FILTER", *f)
                eq(list(got), [key for key, _, rows in want if rows])


def check_groups(c, asked):
    for f in FILTERS:
        for query in (RANGES[0], RANGES[2], RANGES[3]):
            for command, name in (("RANGE", "sum"), ("REVRANGE", "range"), ("RANGE", "countall")):
                groups = {}
                for key, i in found(f):
                    if b"kind" in labels_of(i):
                        groups.setdefault(labels_of(i)[b"kind"], []).append((key, i))
                got = c.ok("TS.M" + command, *query, "WITHLABELS", "FILTER", *f, "GROUPBY", "kind",
                           "REDUCE", name)
                eq(list(got), [b"kind=" + kind for kind in sorted(groups)])
                for kind, (labels, reducers, sources, rows) in zip(sorted(groups), got.values()):
                    eq(labels, {b"kind": kind})
                    eq(reducers, {b"reducers": [name.encode()]})
                    eq(sources, {b"sources": [key for key, _ in groups[kind]]})
                    same(rows, asked.reduced([i for _, i in groups[kind]], command, query, name),
                         (f, query, kind, name))


def check(c):
    asked = Asked(c)
    check_mget(c, asked)
    check_mrange(c, asked)
    check_groups(c, asked)


def test_many_series_answer_as_each_of_them(t):
    for cores in (1, 2):
        s = t.server(cores=cores)
        c = s.client(proto=3)
        fill(t, c, 150)
        check(c)
        c.ok("SAVE")
        s.restart()  # now on disk only
        check(s.client(proto=3))
        s.stop()


def test_series_on_disk_are_fetched_with_little_memory(t):
    for cores in (1, 2):
        s = t.server(cores=cores, checkpoint_dirty_bytes="256kb", block_points=512)
        c = s.client(proto=3)
        fill(t, c, 4000)
        want = c.ok("TS.MRANGE", "-", "+", "AGGREGATION", "sum,twa", 5000, "FILTER", "area=(a0,a1,a2,a3)")
        newest = c.ok("TS.MGET", "FILTER", "area=(a0,a1,a2,a3)")
        s.stop()
        s.start(store_block_cache_bytes="1mb", maxmemory="8mb")
        c = s.client(proto=3)
        same(c.ok("TS.MGET", "FILTER", "area=(a0,a1,a2,a3)"), newest)
        got = c.ok("TS.MRANGE", "-", "+", "AGGREGATION", "sum,twa", 5000, "FILTER",
                   "area=(a0,a1,a2,a3)")
        eq(list(got), list(want))
        close(got, want)
        s.stop()


def close(got, want):
    """Blocks that are summed up by their headers differ in the last digit."""
    for key, (_, _, rows) in want.items():
        eq([r[0] for r in got[key][2]], [r[0] for r in rows])
        for a, b in zip(got[key][2], rows):
            assert all(x == y or math.isclose(x, y, rel_tol=1e-9) or math.isnan(x) and math.isnan(y)
                       for x, y in zip(a[1:], b[1:])), (key, a, b)


def test_a_transaction_sees_what_it_did(t):
    for cores in (1, 2):
        s = t.server(cores=cores)
        c = s.client(proto=3)
        fill(t, c, 300)
        c.ok("SAVE")
        s.restart()
        transaction(s.client(proto=3))
        s.stop()


def transaction(c):
    queries = [("TS.MGET", "WITHLABELS", "FILTER", "area=a1"),
               ("TS.MRANGE", "-", "+", "AGGREGATION", "sum", 500, "FILTER", "area=(a0,a1)"),
               ("TS.MREVRANGE", "-", "+", "FILTER", "area=(a0,a1)", "GROUPBY", "area", "REDUCE", "max")]
    c.ok("MULTI")
    for query in queries:
        c.ok(*query)
    same(c.ok("EXEC"), [c.ok(*query) for query in queries])
    c.ok("MULTI")
    c.ok("TS.ADD", key_of(1), 10**7, 5)
    c.ok("DEL", key_of(5))
    c.ok("TS.MGET", "FILTER", "area=a1")
    c.ok("TS.MGET", "FILTER", "nothing!=1")
    got = c.ok("EXEC")
    eq(got[2][key_of(1)], [{}, [10**7, 5.0]])
    assert key_of(5) not in got[2] and len(got[2]) == SERIES // AREAS - 1
    holds(str(got[3]), "please provide at least one matcher")


def test_long_replies_are_streamed_and_longer_ones_refused(t):
    s = t.server(cores=2)
    c = s.client(proto=2)
    for i in range(12):
        c.ok("TS.ADD", "wide%d" % i, 0, 1, "LABELS", "all", 1, "few", i // 2, "five", i // 5)
        c.ok("TS.ADD", "wide%d" % i, 999999, 1)
    fill = ("-", "+", "AGGREGATION", "sum", 1, "EMPTY", "FILTER")
    got = c("TS.MRANGE", "-", "+", "AGGREGATION", "sum,sum,sum,sum,sum,sum,sum,sum", 1, "EMPTY",
            "FILTER", "all=1")
    holds(str(got), "a core finds more than 128 MiB for this reply")
    holds(str(c("TS.MRANGE", *fill, "five=0", "GROUPBY", "all", "REDUCE", "sum")),
          "GROUPBY finds more than 4000000 rows")
    fill = fill[:4] + (10,) + fill[5:]
    c.send_raw(encode("TS.MRANGE", *fill, "few=1", "GROUPBY", "few", "REDUCE", "sum"))
    raw = c.read_raw()
    assert raw.startswith(b"*1\r\n*3\r\n$5\r\nfew=1\r\n*0\r\n*100000\r\n*2\r\n:0\r\n+2\r\n"), raw[:80]
    assert raw.endswith(b"*2\r\n:999980\r\n+0\r\n*2\r\n:999990\r\n+2\r\n"), raw[-80:]
    c.send_raw(encode("TS.MRANGE", *fill, "few=0") + encode("PING"))
    raw = c.read_raw()
    eq(raw.count(b"*100000\r\n"), 2)
    eq(raw.count(b"\r\n+0\r\n"), 2 * 99998)
    eq(c.read(), "PONG")
    # A client that goes away in the middle of it leaves nothing behind.
    for _ in range(3):
        gone = s.client(rcvbuf=4096)
        gone.send_raw(encode("TS.MRANGE", *fill, "few=0"))
        time.sleep(0.05)
        gone.close()
    eq(c("PING"), "PONG")


def test_groups_are_reduced_alike_in_both_directions(t):
    """Sums depend on the order of adding in their last digits."""
    c = t.server(cores=2).client()
    for i in range(6):
        c.ok("TS.CREATE", "s%d" % i, "LABELS", "half", i % 2)
        c.ok("TS.MADD", *[w for ts in range(100)
                          for w in ("s%d" % i, ts, t.random.uniform(-1, 1) * 10 ** t.random.randrange(9))])
    for fn in ("sum", "avg", "var.s", "twa", "last"):
        args = ("-", "+", "AGGREGATION", fn, 7, "FILTER", "half=(0,1)", "GROUPBY", "half", "REDUCE", "sum")
        up, down = c.ok("TS.MRANGE", *args), c.ok("TS.MREVRANGE", *args)
        eq([(g[0], g[2]) for g in down], [(g[0], g[2][::-1]) for g in up], fn)


def test_a_time_at_which_a_group_has_only_nan_has_no_sum(t):
    c = t.server().client(proto=3)
    c.ok("TS.CREATE", "a", "LABELS", "all", 1)
    c.ok("TS.CREATE", "b", "LABELS", "all", 1)
    c.ok("TS.MADD", "a", 1, "nan", "b", 1, "nan", "a", 2, "nan", "b", 2, 5)
    for reducer, want in (("sum", [[1, math.nan], [2, 5.0]]), ("count", [[1, 0.0], [2, 1.0]]),
                          ("countall", [[1, 2.0], [2, 2.0]]), ("max", [[1, math.nan], [2, 5.0]])):
        got = c.ok("TS.MRANGE", "-", "+", "FILTER", "all=1", "GROUPBY", "all", "REDUCE", reducer)
        same(got[b"all=1"][3], want, reducer)


def test_replies_are_whole_while_series_come_and_go(t):
    s = t.server(cores=2)
    c = s.client()
    made = c.pipe_many([("TS.ADD", "stays%05d" % i, 1, i, "LABELS", "all", 1, "half", i % 2)
                        for i in range(4000)])
    eq(set(made), {1})
    stop, failures = threading.Event(), []

    def disturb(n):
        try:
            mine, r = s.client(), n
            while not stop.is_set():
                r = (r * 48271) % 2147483647
                for reply in mine.pipe([("TS.ADD", "goes%d" % (r % 500), 1, 1, "LABELS", "all", 1),
                                        ("DEL", "goes%d" % (r // 7 % 500)),
                                        ("SELECT", 1), ("TS.ADD", "x", 1, 1, "LABELS", "all", 1),
                                        ("FLUSHDB",), ("SELECT", 0),
                                        ("TS.ALTER", "stays%05d" % (r % 4000), "LABELS", "all", 1,
                                         "half", r % 4000 % 2, "n", r)]):
                    assert not isinstance(reply, Error) or "UPSERT" in str(reply).upper(), reply
        except BaseException as e:
            failures.append(e)

    threads = [threading.Thread(target=disturb, args=(n,), daemon=True) for n in (1, 2)]
    for thread in threads:
        thread.start()
    three, want = s.client(proto=3), [b"stays%05d" % i for i in range(4000)]
    until = time.monotonic() + (20 if t.long else 1.5)
    rounds = 0
    while time.monotonic() < until or rounds < 3:
        got = three.ok("TS.MGET", "FILTER", "all=1")
        eq(list(got), sorted(got))
        eq([k for k in got if k.startswith(b"stays")], want)
        got = three.ok("TS.MRANGE", "-", "+", "FILTER", "all=1", "GROUPBY", "half", "REDUCE", "count")
        eq([rows for _, _, _, rows in got.values()], [[[1, 2000.0]]] * 2)
        three.ok("SELECT", 1)
        got = three.ok("TS.MRANGE", "-", "+", "FILTER", "all=1")
        assert list(got) in ([], [b"x"]), got
        three.ok("SELECT", 0)
        rounds += 1
    stop.set()
    for thread in threads:
        thread.join(30)
    assert not failures, failures
    t.say("%d rounds" % rounds)


REFUSED = [
    ("TS.MGET", "WITHLABELS", "all=1", "missing FILTER argument"),
    ("TS.MGET", "SELECTED_LABELS", "FILTER", "all=1", "SELECT_LABELS should have at least 1 parameter"),
    ("TS.MGET", "SELECTED_LABELS", *["l"] * 51, "FILTER", "all=1", "reached max size for SELECT_LABELS"),
    ("TS.MRANGE", "-", "+", "GROUPBY", "a", "REDUCE", "sum", "FILTER", "all=1",
     "GROUPBY should always come after filter"),
    ("TS.MRANGE", "-", "+", "FILTER", "all=1", "GROUPBY", "a", "wrong number of arguments"),
    ("TS.MRANGE", "-", "+", "FILTER", "all=1", "GROUPBY", "a", "REDUCE", "p95", "Invalid reducer type"),
    ("TS.MRANGE", "-", "+", "AGGREGATION", "sum,avg", 10, "FILTER", "all=1", "GROUPBY", "a", "REDUCE",
     "sum", "GROUPBY is not allowed when multiple aggregators are specified"),
    ("TS.MRANGE", "-", "+", "EXCLUDEEMPTY", "FILTER", "all=1", "GROUPBY", "a", "REDUCE", "sum",
     "EXCLUDEEMPTY is not allowed with GROUPBY"),
    ("TS.MRANGE", "x", "+", "FILTER", "all=1", "wrong fromTimestamp"),
    ("TS.MRANGE", "-", "+", "FILTER", "all=1", "OR", "OR stands between two filter expressions"),
]


def test_what_cannot_be_is_refused(t):
    s = t.server(cores=2)
    c = s.client()
    for *command, error in REFUSED:
        got = c(*command)
        assert isinstance(got, Error), command
        holds(str(got), error)
    eq(c("TS.MRANGE", "-", "+", "FILTER", "all=1", "EXCLUDEEMPTY"), [])
    c.ok("CONFIG", "SET", "ts-compat", "strict")
    for trailing in ("EXCLUDEEMPTY", "OR"):
        holds(str(c("TS.MRANGE", "-", "+", "FILTER", "all=1", trailing)), "ERR TSDB: failed parsing labels")


def test_groups_count_times_and_reduce_all_points_of_each(t):
    """Series under KEEP have several points of one time; COUNT is of times, whatever is read in slices."""
    r = t.random
    for limits in ({}, {"slice-ns": 0, "slice-points": 1}):
        s = t.server(cores=2, core_ports="yes", enable_debug_command="yes", block_points=64)
        c = s.client(proto=2)
        sums = {}
        for name in "abcd":
            eq(c("TS.CREATE", name, "DUPLICATE_POLICY", "KEEP", "LABELS", "g", 1), "OK")
            ts = 0
            commands = []
            for _ in range(600):
                ts += r.choice((0, 0, 1, 1, 5))
                commands.append(("TS.ADD", name, ts, 1))
                sums[ts] = sums.get(ts, 0) + 1
            c.pipe_many(commands)
        for core in range(s.cores):
            for name, value in limits.items():
                eq(s.core_client(core)("DEBUG", "LIMIT", name, value), "OK")
        want = sorted(sums.items())
        for stored in (False, True):
            for count in (1, 2, 3, 50, 300, 10000):
                for command, rows in (("TS.MRANGE", want), ("TS.MREVRANGE", want[::-1])):
                    for more in ((), ("FILTER_BY_VALUE", 1, 1)):
                        got = c.ok(command, "-", "+", "COUNT", count, *more, "FILTER", "g=1", "GROUPBY", "g", "REDUCE", "sum")
                        eq([(ts, float(v)) for ts, v in got[0][2]], rows[:count], (command, count, stored))
            eq(c("SAVE"), "OK")
        s.stop()


def test_a_crowded_time_of_a_group_is_counted_once(t):
    """Thousands of points of one time, at the beginning of a block: a reading that stops within them goes on there."""
    s = t.server(cores=1, enable_debug_command="yes", block_points=64)
    c = s.client(proto=2)
    n = 3000
    eq(c("TS.CREATE", "k", "DUPLICATE_POLICY", "KEEP", "LABELS", "g", 1), "OK")
    c.pipe_many([("TS.ADD", "k", ts, 1) for ts in range(100)] + [("TS.ADD", "k", 100, 1)] * n +
                [("TS.ADD", "k", 101 + ts, 1) for ts in range(300)])
    for stored in (False, True):
        for limits in ({"slice-ns": 1000000, "slice-points": 16384}, {"slice-ns": 0, "slice-points": 1}):
            for name, value in limits.items():
                eq(c("DEBUG", "LIMIT", name, value), "OK")
            for command, bounds, count, want in (("TS.MRANGE", (100, "+"), 1, [[100, n]]),
                                                 ("TS.MRANGE", ("-", "+"), 101, [[99, 1], [100, n]]),
                                                 ("TS.MREVRANGE", ("-", 100), 1, [[100, n]]),
                                                 ("TS.MREVRANGE", ("-", "+"), 301, [[101, 1], [100, n]])):
                got = c.ok(command, *bounds, "COUNT", count, "FILTER", "g=1", "GROUPBY", "g", "REDUCE", "sum")
                rows = [[ts, float(v)] for ts, v in got[0][2]]
                eq(len(rows), count)
                eq(rows[-len(want):], want, (command, bounds, count, stored))
        eq(c("SAVE"), "OK")


def test_a_group_of_many_short_series_takes_little_memory(t):
    """Of a series with one row GROUPBY keeps no more than that row, its key and its group."""
    s = t.server(cores=1, enable_debug_command="yes")
    c = s.client(proto=2)
    n = 4000
    c.pipe_many([("TS.ADD", "s%04d" % i, 1000 + i % 3, i, "LABELS", "g", i % 2) for i in range(n)])
    query = ("TS.MRANGE", "-", "+", "FILTER", "g=(0,1)", "GROUPBY", "g", "REDUCE", "count")
    eq(c("DEBUG", "LIMIT", "multi-bytes", 90 * n), "OK")
    eq(sum(float(v) for _, _, rows in c.ok(*query) for _, v in rows), n)
    eq(c("DEBUG", "LIMIT", "multi-bytes", 70 * n), "OK")
    holds(str(c(*query)), "a core finds more than 280000 bytes")
