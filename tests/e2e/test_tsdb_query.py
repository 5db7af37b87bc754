"""Queries of TSDB_* that are not plain points: buckets, candles, rows, joins, many keys at once."""
import math

from pinstripe import eq, holds
from resp import Error


def refused(c, text, *command):
    reply = c(*command)
    assert isinstance(reply, Error), (command, reply)
    holds(str(reply), text)


# --- TSDB_GET ... AGG ---------------------------------------------------------------------------------


def fill(c, key, n, step=1000):
    """Whole numbers: their sums are exact in any order."""
    for at in range(0, n, 1000):
        eq(set(c.pipe_many([("TSDB_SET", key, i * step, i * 7919 % 1000) for i in
                            range(at, min(at + 1000, n))])), {"OK"})


def floats(rows):
    return [[r[0]] + [float(v) for v in r[1:]] for r in rows]


def test_buckets_are_those_of_ts_range(t):
    s = t.server(checkpoint_dirty_bytes="256kb")
    c = s.client(proto=3)
    fill(c, "k", 20000)

    def ask():
        got = []
        for start, end in (("-", "+"), (12345, 9876543)):
            for fns in ("avg", "first,last,min,max,count", "p50,p95,p99,std.s,twa"):
                want = c.ok("TS.RANGE", "k", start, end, "AGGREGATION", fns, 3600000)
                back = c.ok("TS.REVRANGE", "k", start, end, "COUNT", 2, "AGGREGATION", fns, 3600000)
                eq(c.ok("TSDB_GET", "k", start, end, "AGG", fns, "1h"), want, fns)
                eq(c.ok("TSDB_GET", "k", start, end, "AGG", fns, "60m"), want, fns)
                eq(c.ok("TSDB_GET", "k", start, end, "AGG", fns, 3600000), want, fns)
                eq(c.ok("TSDB_GET", "k", start, end, 2, "REV", "AGG", fns, "3600s"), back, fns)
                got.append(want)
        return got

    before = ask()
    c.ok("SAVE")
    eq(ask(), before, "stored")
    s.restart()
    c = s.client(proto=3)
    eq(c.ok("TSDB_GET", "k", "-", "+", "AGG", "avg", "1h"), before[0], "cold")
    eq(ask(), before, "after a restart")


def test_buckets_look_at_one_data_type(t):
    c = t.server().client()
    for i in range(10):
        eq(c("TSDB_SET", "k", i * 60000, i), "OK")
        eq(c("TSDB_SET", "k", i * 60000, 100 + i, "0a", 7), "OK")
    eq(c("TSDB_GET", "k", "-", "+", "AGG", "sum,max", "5m"),
       [[0, b"10", b"4"], [300000, b"35", b"9"]])
    eq(c("TSDB_GET", "k", "-", "+", "TYPE", "0A", "AGG", "min", "5m"), [[0, b"100"], [300000, b"105"]])
    eq(c("TSDB_GET", "k", "-", "+", "TYPE", "0b", "AGG", "min", "5m"), [])
    eq(c("TSDB_GET", "absent", "-", "+", "AGG", "min", "5m"), [])
    eq(c("TSDB_GET", "k", "-", "+", "AGG", "sum", "1d", "TYPE", "0a"), [[0, b"1045"]])


def test_durations_are_of_the_timestamp_unit(t):
    for unit, per_second in (("s", 1), ("ms", 10**3), ("us", 10**6), ("ns", 10**9)):
        s = t.server(timestamp_unit=unit)
        c = s.client(proto=3)
        for i in range(10):
            eq(c("TSDB_SET", "k", i * 60 * per_second, i), "OK")
        eq(c("TSDB_GET", "k", "-", "+", "AGG", "count", "5m"), [[0, 5.0], [300 * per_second, 5.0]])
        if unit == "s":
            refused(c, "bucket '1500ms' is not a whole number of s", "TSDB_GET", "k", "-", "+",
                    "AGG", "count", "1500ms")
        s.stop()


def test_what_is_wrong_with_buckets_is_named(t):
    c = t.server().client()
    eq(c("TSDB_SET", "k", 1, 1), "OK")
    for bucket in ("0", "-5", "0h", "x", "1.5h", "", "5 m"):
        refused(c, "TSDB_GET: bucket '%s' is not a duration of at least 1" % bucket,
                "TSDB_GET", "k", "-", "+", "AGG", "avg", bucket)
    refused(c, "bucket '99999999999999999999' is not a whole number of ms", "TSDB_GET", "k", "-", "+",
            "AGG", "avg", "99999999999999999999")
    for functions in ("", "mean", "avg,", ",avg", "avg,,min", ",".join(["avg"] * 17)):
        refused(c, "TSDB_GET: function '%s' is not a list" % functions[:64], "TSDB_GET", "k", "-", "+",
                "AGG", functions, 5)
    for rest in (("AGG",), ("AGG", "avg"), ("5m",)):
        refused(c, "TSDB_GET: option", "TSDB_GET", "k", "-", "+", *rest)
    eq(c("SET", "s", "x"), "OK")
    eq(c("TSDB_GET", "s", "-", "+", "AGG", "avg", 5).code, "WRONGTYPE")


def test_many_buckets_are_written_as_the_client_reads(t):
    s = t.server()
    for proto in (2, 3):
        c = s.client(proto=proto)
        c("FLUSHALL")
        fill(c, "k", 5000, step=10)
        rows = floats(c.ok("TSDB_GET", "k", "-", "+", "AGG", "sum,max", 10))
        eq(rows, [[i * 10, i * 7919 % 1000, i * 7919 % 1000] for i in range(5000)])
        assert not any(math.isnan(v) for r in rows for v in r)
