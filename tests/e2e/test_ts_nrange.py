"""TS.NRANGE and TS.NREVRANGE: several series side by side, on one core and over two."""
import math

from pinstripe import eq, holds, keys_on
from resp import Error, encode


def fill(c, key, n, start, step, factor):
    c.ok("TS.CREATE", key)
    for at in range(0, n, 2000):
        args = []
        for i in range(at, min(at + 2000, n)):
            args += [key, start + i * step, i * factor % 1000]
        c.ok("TS.MADD", *args)


def same(rows):
    """NaN equals itself in text."""
    return [[ts, [repr(v) for v in values]] for ts, values in rows]


def pivot(c, keys, *query, reverse=False):
    """What TS.NRANGE must say, from a TS.RANGE of each key. query: (from, to, options for each)"""
    start, end, options = query
    tables = [c.ok("TS.REVRANGE" if reverse else "TS.RANGE", k, start, end, *o)
              for k, o in zip(keys, options)]
    widths = [len(t[0]) - 1 for t in tables]
    rows = {}
    for i, table in enumerate(tables):
        for ts, *values in table:
            row = rows.setdefault(ts, [math.nan] * sum(widths))
            row[sum(widths[:i]):sum(widths[:i + 1])] = values
    return [[ts, rows[ts]] for ts in sorted(rows, reverse=reverse)]


def check(c, keys):
    n = len(keys)
    plain = ("-", "+", [()] * n)
    eq(same(c.ok("TS.NRANGE", n, *keys, "-", "+")), same(pivot(c, keys, *plain)))
    eq(same(c.ok("TS.NREVRANGE", n, *keys, "-", "+")), same(pivot(c, keys, *plain, reverse=True)))
    eq(same(c.ok("TS.NRANGE", n, *keys, "-", "+", "COUNT", 7)), same(pivot(c, keys, *plain)[:7]))
    eq(same(c.ok("TS.NREVRANGE", n, *keys, "-", "+", "COUNT", 7)),
       same(pivot(c, keys, *plain, reverse=True)[:7]))
    fns = ["avg", "min,max", "count", "last,first,p50"][:n]
    options = [("AGGREGATION", f, 7000) for f in fns]
    want = pivot(c, keys, 1000, 170000, options)
    eq(same(c.ok("TS.NRANGE", n, *keys, 1000, 170000, "AGGREGATION", *fns, 7000)), same(want))
    options = [("FILTER_BY_VALUE", 100, 800, "AGGREGATION", f, 7000, "EMPTY") for f in fns]
    eq(same(c.ok("TS.NREVRANGE", n, *keys, "-", "+", "FILTER_BY_VALUE", 100, 800, "AGGREGATION", *fns,
                 7000, "EMPTY")), same(pivot(c, keys, "-", "+", options, reverse=True)))


def run(t, cores):
    s = t.server(cores=cores, checkpoint_dirty_bytes="256kb")
    c = s.client(proto=3)
    keys = ["b", "a", "c", "d"] if cores == 1 else [
        k for pair in zip(keys_on(0, 2, 2), keys_on(1, 2, 2)) for k in pair]
    for i, key in enumerate(keys):
        fill(c, key, 4000, i * 50, 20 + 5 * i, 7 + i)
    check(c, keys)
    eq(c.ok("SAVE"), "OK")
    check(c, keys[::-1])
    s.restart()
    c = s.client(proto=3)
    # cold: all that is missing is fetched together
    rows = c.ok("TS.NRANGE", 4, *keys, "-", "+", "AGGREGATION", "sum", "sum", "sum", "sum", 3000)
    eq(same(rows), same(pivot(c, keys, "-", "+", [("AGGREGATION", "sum", 3000)] * 4)))
    check(c, keys)
    c.ok("MULTI")
    c.ok("TS.NRANGE", 2, keys[0], keys[1], 0, 100)
    eq(same(c.ok("EXEC")[0]), same(c.ok("TS.NRANGE", 2, keys[0], keys[1], 0, 100)))


def test_rows_are_those_of_ts_range_side_by_side(t):
    run(t, 1)


def test_rows_are_those_of_ts_range_side_by_side_over_two_cores(t):
    run(t, 2)


def test_the_reply_has_the_shape_of_redistimeseries(t):
    s = t.server()
    for proto in (2, 3):
        c = s.client(proto=proto)
        c("FLUSHALL")
        c.ok("TS.ADD", "a", 1, 0.5)
        c.ok("TS.ADD", "b", 2, 7)
        v = (b"+5E-1", b"+NaN", b"+7") if proto == 2 else (b",0.5", b",nan", b",7")
        c.send_raw(encode("TS.NRANGE", "2", "a", "b", "-", "+"))
        eq(c.read_raw(), b"*2\r\n*2\r\n:1\r\n*2\r\n%s\r\n%s\r\n*2\r\n:2\r\n*2\r\n%s\r\n%s\r\n"
           % (v[0], v[1], v[1], v[2]))
        eq(c.ok("TS.NRANGE", 1, "a", 5, 9), [])


def test_points_of_one_timestamp_get_rows_of_their_own(t):
    c = t.server().client()
    c.ok("TS.CREATE", "a", "DUPLICATE_POLICY", "KEEP")
    c.ok("TS.CREATE", "b")
    for v in (1, 2, 3):
        c.ok("TS.ADD", "a", 5, v)
    c.ok("TS.ADD", "b", 5, 9)
    eq(c.ok("TS.NRANGE", 3, "a", "b", "a", "-", "+"),
       [[5, ["1", "9", "1"]], [5, ["2", "NaN", "2"]], [5, ["3", "NaN", "3"]]])


def test_errors(t):
    c = t.server().client()
    c.ok("TS.ADD", "a", 1, 1)
    c.ok("SET", "s", "x")
    arity = Error("ERR wrong number of arguments for 'ts.nrange' command")
    number = Error("ERR TSDB: numkeys must be a positive integer")
    lists = Error("ERR TSDB: the number of AGGREGATION arguments must be equal to numkeys")
    for args, want in (
            (("0", "a", "-", "+"), number), (("-1", "a", "-", "+"), number),
            (("x", "a", "-", "+"), number), (("1", "a", "-"), arity), (("3", "a", "-", "+"), arity),
            (("2", "a", "-", "+"), arity), (("99999999999", "a", "-", "+"), arity),
            (("2", "a", "none", "-", "+"), Error("ERR TSDB: the key does not exist")),
            (("1", "a", "x", "+"), Error("ERR TSDB: wrong fromTimestamp")),
            (("2", "a", "a", "-", "+", "AGGREGATION", "avg", 5, "EMPTY"), lists),
            (("2", "a", "a", "-", "+", "AGGREGATION", "avg", 5), lists),
            (("2", "a", "a", "-", "+", "AGGREGATION", "avg", "avg", "avg", 5), lists),
            (("2", "a", "a", "-", "+", "AGGREGATION", "avg", "avg", "x"),
             Error("ERR TSDB: Couldn't parse AGGREGATION"))):
        eq(c("TS.NRANGE", *args), want, args)
    holds(str(c("TS.NRANGE", 2, "a", "s", "-", "+")), "WRONGTYPE")
    holds(str(c("TS.NRANGE", 1025, *["a"] * 1025, "-", "+")), "at most 1024 keys")
    holds(str(c("TS.NRANGE", 65, *["a"] * 65, "-", "+", "AGGREGATION", *[",".join(["min"] * 16)] * 65,
                5)), "at most 1024 values in a row")
    eq(c.ok("TS.NRANGE", 1024, *["a"] * 1024, "-", "+"), [[1, ["1"] * 1024]])


def test_a_reply_of_too_many_values_is_refused_by_name(t):
    c = t.server().client()
    c.ok("TS.CREATE", "a")
    c.ok("TS.MADD", "a", 0, 1, "a", 10000, 2)
    keys = ["a"] * 512
    reply = c("TS.NRANGE", 512, *keys, "-", "+", "AGGREGATION", *["sum"] * 512, 1, "EMPTY")
    assert isinstance(reply, Error), reply
    holds(str(reply), "more than 4194304 values", "COUNT")
    rows = c.ok("TS.NRANGE", 512, *keys, "-", "+", "COUNT", 100, "AGGREGATION", *["sum"] * 512, 1,
                "EMPTY")
    eq(len(rows), 100)


def test_its_keys_are_found_behind_their_number(t):
    c = t.server().client()
    eq(c.ok("COMMAND", "GETKEYS", "TS.NRANGE", 2, "x", "y", "-", "+"), [b"x", b"y"])
    holds(str(c("COMMAND", "GETKEYS", "TS.NRANGE", 7, "x", "y", "-", "+")), "Invalid arguments")
    info = c.ok("COMMAND", "INFO", "TS.NRANGE")[0]
    eq(info[3:6], [0, 0, 0])
    assert "movablekeys" in info[2], info
