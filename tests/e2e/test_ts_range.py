"""TS.RANGE and TS.REVRANGE: options, limits, and that it does not matter where points are."""
from pinstripe import eq, holds
from resp import Error

POINTS = 60000
STEP = 10


def value(i):
    """Whole numbers: their sums are exact in any order."""
    return i * 7919 % 1000 - 500


def fill(c, key="k", n=POINTS):
    c.ok("TS.CREATE", key)
    for at in range(0, n, 2000):
        args = []
        for i in range(at, min(at + 2000, n)):
            args += [key, i * STEP, value(i)]
        c.ok("TS.MADD", *args)


QUERIES = [
    ("-", "+", "COUNT", 3),
    (12345, 98765),
    ("-", "+", "AGGREGATION", "avg,sum,min,max,range,count,first,last", 50000),
    (777, 555555, "AGGREGATION", "std.p,std.s,var.p,var.s,countall,countnan", 36000),
    (777, 555555, "ALIGN", "start", "AGGREGATION", "twa,p50,p95,p99", 100000),
    ("-", "+", "FILTER_BY_VALUE", 499, 600, "COUNT", 5),
    ("-", "+", "FILTER_BY_VALUE", 1e6, 1e7),
    ("-", "+", "FILTER_BY_TS", 100, 599990, 5, 300000),
    (33, 400000, "FILTER_BY_VALUE", -100, 100, "AGGREGATION", "count", 60000, "EMPTY"),
    ("-", "+", "AGGREGATION", "last", 600000, "BUCKETTIMESTAMP", "end"),
]


def ask(c):
    return [c("TS." + name, "k", *q) for q in QUERIES for name in ("RANGE", "REVRANGE")]


def model(start, end, bucket):
    """[bucket, avg, min, last] rows of the series that fill() makes."""
    rows = {}
    for i in range(POINTS):
        if start <= i * STEP <= end:
            rows.setdefault(i * STEP // bucket * bucket, []).append(value(i))
    return [[t, sum(v) / len(v), min(v), v[-1]] for t, v in sorted(rows.items())]


def test_blocks_memory_and_late_points_answer_alike(t):
    s = t.server(checkpoint_dirty_bytes="256kb")
    c = s.client(proto=3)
    fill(c)
    before = ask(c)
    for reply in before:
        assert not isinstance(reply, Error), reply
    c.ok("SAVE")
    eq(ask(c), before, "stored")
    s.restart()
    c = s.client(proto=3)
    eq(ask(c), before, "after a restart")
    # the same points again, late: nothing changes but the way to it
    for i in range(0, POINTS, 977):
        c.ok("TS.ADD", "k", i * STEP, value(i), "ON_DUPLICATE", "LAST")
    eq(ask(c), before, "with late points")
    rows = c.ok("TS.RANGE", "k", 4000, 500000, "AGGREGATION", "avg,min,last", 36000)
    eq(rows, model(4000, 500000, 36000), "the model")


def test_long_replies_are_whole_in_both_protocols(t):
    s = t.server()
    fill(s.client())
    for proto in (2, 3):
        c = s.client(proto=proto)
        rows = c.ok("TS.RANGE", "k", "-", "+")
        eq(len(rows), POINTS)
        eq([[ts, float(v)] for ts, v in rows[::1000]],
           [[i * STEP, value(i)] for i in range(0, POINTS, 1000)])
        eq(c.ok("TS.REVRANGE", "k", "-", "+"), rows[::-1])


def test_a_gap_beyond_the_limit_is_refused_by_name(t):
    s = t.server()
    c = s.client()
    c.ok("TS.CREATE", "k")
    c.ok("TS.MADD", "k", 0, 1, "k", 2 ** 62, 2)
    reply = c("TS.RANGE", "k", "-", "+", "AGGREGATION", "sum", 1, "EMPTY")
    assert isinstance(reply, Error), reply
    holds(str(reply), "more than 1000000 rows", "COUNT")
    eq(c.ok("TS.RANGE", "k", "-", "+", "COUNT", 3, "AGGREGATION", "last", 1, "EMPTY"),
       [[0, "1"], [1, "1"], [2, "1"]])
    eq(c.ok("TS.REVRANGE", "k", "-", "+", "COUNT", 2, "AGGREGATION", "last", 1, "EMPTY"),
       [[2 ** 62, "2"], [2 ** 62 - 1, "1"]])


ERRORS = [
    (("a", "+"), "ERR TSDB: wrong fromTimestamp"),
    (("-", "b"), "ERR TSDB: wrong toTimestamp"),
    (("-", "+", "COUNT", "0"), "ERR TSDB: Invalid COUNT value"),
    (("-", "+", "COUNT", "-5"), "ERR TSDB: Invalid COUNT value"),
    (("-", "+", "AGGREGATION", "avg,,sum", 5), "ERR TSDB: Empty aggregation type in list"),
    (("-", "+", "AGGREGATION", "avg,", 5), "ERR TSDB: Empty aggregation type in list"),
    (("-", "+", "AGGREGATION", ",".join(["avg"] * 17), 5), "ERR TSDB: Too many aggregation types"),
    (("-", "+", "AGGREGATION", "avg", -5), "ERR TSDB: Couldn't parse AGGREGATION"),
    (("-", "+", "AGGREGATION", "avg", 5, "BUCKETTIMESTAMP", "high"),
     "ERR TSDB: unknown BUCKETTIMESTAMP parameter"),
    (("-", "+", "AGGREGATION", "avg", 5, "x", "x", "BUCKETTIMESTAMP", "-"),
     "ERR TSDB: BUCKETTIMESTAMP flag should be the 3rd or 4th flag after AGGREGATION flag"),
    (("-", "+", "AGGREGATION", "avg", 5, "x", "EMPTY"),
     "ERR TSDB: EMPTY flag should be the 3rd or 5th flag after AGGREGATION flag"),
    (("-", "+", "ALIGN", "end", "AGGREGATION", "avg", 5),
     "ERR TSDB: end alignment can only be used with explicit end timestamp"),
    (("-", "+", "ALIGN", "x", "AGGREGATION", "avg", 5), "ERR TSDB: unknown ALIGN parameter"),
    (("-", "+", "FILTER_BY_TS"), "ERR TSDB: FILTER_BY_TS one or more arguments are missing"),
    (("-", "+", "FILTER_BY_TS", *range(129)), "ERR TSDB: FILTER_BY_TS takes at most 128 timestamps"),
    (("-", "+", "FILTER_BY_VALUE", "x", 1), "ERR TSDB: Couldn't parse MIN"),
    (("-", "+", "FILTER_BY_VALUE", 1, "x"), "ERR TSDB: Couldn't parse MAX"),
]


def test_errors_name_the_option(t):
    s = t.server()
    c = s.client()
    c.ok("TS.ADD", "k", 1, 1)
    for args, text in ERRORS:
        eq(c("TS.RANGE", "k", *args), Error(text), " ".join(map(str, args)))
    c.ok("SET", "s", "x")
    holds(str(c("TS.RANGE", "s", "-", "+")), "WRONGTYPE")


def test_strict_refuses_the_extensions(t):
    s = t.server()
    c = s.client()
    c.ok("TS.ADD", "k", 1, 1)
    eq(c.ok("TS.RANGE", "k", "-", "+", "AGGREGATION", "p99", 5), [[0, "1"]])
    c.ok("CONFIG", "SET", "ts-compat", "strict")
    eq(c("TS.RANGE", "k", "-", "+", "AGGREGATION", "p99", 5),
       Error("ERR TSDB: Unknown aggregation type"))
    eq(c("TS.RANGE", "k", "-5", "+"), Error("ERR TSDB: wrong fromTimestamp"))


def test_nan_is_counted_by_those_who_count_it(t):
    s = t.server()
    c = s.client()
    for ts, v in ((10, 10), (20, "nan"), (30, 20), (50, 30), (110, "nan"), (120, "nan"), (210, 40)):
        c.ok("TS.ADD", "k", ts, v)
    eq(c.ok("TS.RANGE", "k", "-", "+", "AGGREGATION", "sum", 100), [[0, "60"], [200, "40"]])
    eq(c.ok("TS.RANGE", "k", "-", "+", "AGGREGATION", "sum,last,min", 100, "EMPTY"),
       [[0, "60", "30", "10"], [100, "0", "30", "NaN"], [200, "40", "40", "40"]])
    eq(c.ok("TS.REVRANGE", "k", "-", "+", "AGGREGATION", "count,countnan,countall", 100),
       [[200, "1", "0", "1"], [100, "0", "2", "2"], [0, "3", "1", "4"]])


def test_retention_hides_what_is_too_old(t):
    s = t.server()
    c = s.client()
    c.ok("TS.CREATE", "k", "RETENTION", 100)
    for ts in (0, 50, 100, 190):
        c.ok("TS.ADD", "k", ts, ts)
    eq(c.ok("TS.RANGE", "k", "-", "+"), [[100, "100"], [190, "190"]])
    eq(c.ok("TS.RANGE", "k", 0, 60), [])
    eq(c.ok("TS.RANGE", "k", 0, "+", "AGGREGATION", "count", 1000), [[0, "2"]])
