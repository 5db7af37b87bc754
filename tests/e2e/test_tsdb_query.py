"""Queries of TSDB_* that are not plain points: buckets, candles, rows, joins, many keys at once."""
import math

from pinstripe import eq, holds, keys_on
from resp import Error, encode


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


# --- rows ---------------------------------------------------------------------------------------------


def as_maps(rows):
    """RESP2's flat lists as RESP3's maps."""
    return [[ts, {f[i].decode(): float(f[i + 1]) for i in range(0, len(f), 2)} if isinstance(f, list)
             else {k.decode(): v for k, v in f.items()}] for ts, f in rows]


def test_rows_come_back_by_name(t):
    s = t.server()
    for proto in (2, 3):
        c = s.client(proto=proto)
        c("FLUSHALL")
        eq(c("TSDB_ROW", "k", 1000, "open", 1, "HIGH", 3, "low", 0.5, "close", 2), "OK")
        eq(c("TSDB_ROW", "k", 3000, "close", 7), "OK")
        eq(c("TSDB_ROW", "k", 2000, "volume", 9, "amount", 1e10), "OK")
        want = [[1000, {"open": 1.0, "high": 3.0, "low": 0.5, "close": 2.0}],
                [2000, {"volume": 9.0, "amount": 1e10}], [3000, {"close": 7.0}]]
        eq(as_maps(c("TSDB_ROWS", "k", "-", "+")), want)
        eq(as_maps(c("TSDB_ROWS", "k", "-", "+", "REV")), want[::-1])
        eq(as_maps(c("TSDB_ROWS", "k", 1001, 2999)), want[1:2])
        eq(as_maps(c("TSDB_ROWS", "k", "-", "+", 2)), want[:2])
        eq(as_maps(c("TSDB_ROWS", "k", "-", "+", 1, "REV", "FIELDS", "price", "size")),
           [[1000, {"price": 1.0, "size": 3.0}]])
        eq(c("TSDB_ROWS", "k", "-", "+", "FIELDS", "trades"), [])
        eq(c("TSDB_ROWS", "absent", "-", "+"), [])
    # data types are those of the table
    eq(c("TSDB_GET", "k", "-", "+", "TYPE", "03"), [[1000, 2.0, b"03", 0], [3000, 7.0, b"03", 0]])
    eq(c.ok("CONFIG", "GET", "series-fields"), {b"series-fields": (
        b"open=00 high=01 low=02 close=03 volume=04 amount=05 trades=06 price=00 size=01")})
    c.ok("CONFIG", "SET", "series-fields", "bid=03,ask=ff")
    eq(c("TSDB_ROW", "k", 3000, "ask", 8), "OK")
    eq(as_maps(c("TSDB_ROWS", "k", 3000, "+")), [[3000, {"bid": 7.0, "ask": 8.0}]])
    refused(c, "series-fields", "TSDB_ROW", "k", 1, "open", 1)
    refused(c, "'x' is none", "CONFIG", "SET", "series-fields", "x")


def test_a_row_is_written_whole_or_not_at_all(t):
    s = t.server()
    c = s.client()
    for text, args in (
            ("field 'x' is not a name of the setting", (1, "open", 1, "x", 2)),
            ("value 'nan' is not a finite double", (1, "open", 1, "close", "nan")),
            ("timestamp 'y' is not", ("y", "open", 1)),
            ("wrong number of arguments", (1, "open", 1, "close")),
            ("'open' and 'price' are the same data type 00", (1, "open", 1, "price", 2))):
        refused(c, text, "TSDB_ROW", "k", *args)
        eq(c("EXISTS", "k"), 0)
    eq(c("TSDB_ROW", "k", 5, "close", 1), "OK")
    c.ok("CONFIG", "SET", "duplicate-policy", "BLOCK")

    def blocked():
        refused(c, "'close' of timestamp 5 is there already and duplicate-policy is BLOCK, nothing was",
                "TSDB_ROW", "k", 5, "open", 1, "close", 2)
        eq(as_maps(c("TSDB_ROWS", "k", "-", "+")), [[5, {"close": 1.0}]])

    blocked()
    eq(c("SAVE"), "OK")
    s.restart(duplicate_policy="BLOCK")
    c = s.client()
    blocked()
    eq(c("TSDB_ROW", "k", 5, "open", 1, "high", 2), "OK")
    eq(as_maps(c("TSDB_ROWS", "k", "-", "+")), [[5, {"open": 1.0, "high": 2.0, "close": 1.0}]])
    # a sum with NaN is refused, and so is the row around it
    c.ok("CONFIG", "SET", "duplicate-policy", "SUM")
    c.ok("TS.ADD", "n", 5, "nan")
    refused(c, "'open' of timestamp 5 is NaN there", "TSDB_ROW", "n", 5, "close", 1, "open", 2)
    eq(as_maps(c("TSDB_ROWS", "n", "-", "+", "FIELDS", "close")), [])
    eq(c("TSDB_ROW", "k", 5, "open", 10, "high", 10), "OK")
    eq(as_maps(c("TSDB_ROWS", "k", "-", "+")), [[5, {"open": 11.0, "high": 12.0, "close": 1.0}]])
    eq(c("SET", "s", "x"), "OK")
    eq(c("TSDB_ROW", "s", 5, "open", 10).code, "WRONGTYPE")
    eq(c("TSDB_ROWS", "s", "-", "+").code, "WRONGTYPE")


def test_rows_are_the_same_in_memory_on_disk_and_after_a_kill(t):
    s = t.server(duplicate_policy="KEEP", checkpoint_dirty_bytes="128kb")
    c = s.client(proto=3)
    r = t.random
    want = []
    for i in range(3000):
        fields = {f: r.randrange(1000) / 4 for f in ("open", "close", "volume") if r.random() < 0.8}
        if fields:
            want.append([i * 10 // 2 * 2, fields])
    eq(set(c.pipe_many([("TSDB_ROW", "k", ts, *[x for p in f.items() for x in p])
                        for ts, f in want])), {"OK"})

    def check(c):
        rows = as_maps(c("TSDB_ROWS", "k", "-", "+"))
        eq(rows, want)
        eq(as_maps(c("TSDB_ROWS", "k", "-", "+", 5, "REV")), want[:-6:-1])

    check(c)
    s.kill9()
    s.start()
    c = s.client(proto=3)
    check(c)
    eq(c("SAVE"), "OK")
    s.restart()
    check(s.client(proto=3))


def test_too_many_rows_are_refused_by_name(t):
    c = t.server(duplicate_policy="KEEP", appendfsync="no").client()
    for ts in range(100):
        c.send_raw(encode("TSDB_SET", "k", ts, ts) * 10000)
        eq(c.reader.take(5 * 10000), b"+OK\r\n" * 10000)
    eq(c("TSDB_SET", "k", 100, 100), "OK")
    refused(c, "TSDB_ROWS: more than 1000000 rows or 4194304 values", "TSDB_ROWS", "k", "-", "+")
    eq(as_maps(c("TSDB_ROWS", "k", "-", "+", 1, "REV")), [[100, {"open": 100.0}]])
    c.send("TSDB_ROWS", "k", 0, 99)
    eq(c.reader.line(), b"*1000000")


def test_what_is_wrong_with_rows_is_named(t):
    c = t.server().client()
    eq(c("TSDB_ROW", "k", 1, "open", 1), "OK")
    for args in (("0",), ("x",), ("FIELDS",), ("FIELDS", "zz")):
        refused(c, "TSDB_ROWS:", "TSDB_ROWS", "k", "-", "+", *args)
    for args, what in ((("REV", "rev"), "REV"), ((1, "REV", 1), "limit")):
        refused(c, "TSDB_ROWS: %s is given twice" % what, "TSDB_ROWS", "k", "-", "+", *args)
    for args, what in ((("REV", "rev"), "REV"), ((1, 2), "limit"),
                       (("PRICE", "open", "PRICE", "open"), "PRICE"),
                       (("VOLUME", "open", "REV", "VOLUME", "close"), "VOLUME")):
        refused(c, "TSDB_CANDLE: %s is given twice" % what,
                "TSDB_CANDLE", "k", "-", "+", 10, *args)


# --- candles ------------------------------------------------------------------------------------------


def candles(ticks, start, end, bucket):
    """ticks: (ts, price, size) in order."""
    out = {}
    for ts, price, size in ticks:
        if start <= ts <= end:
            o = out.setdefault(ts // bucket * bucket, [price, price, price, price, 0.0, 0.0])
            o[1], o[2], o[3] = max(o[1], price), min(o[2], price), price
            o[4] += size
            o[5] += 1
    return [[ts, *v] for ts, v in sorted(out.items())]


def test_candles_of_ticks_against_a_model(t):
    s = t.server(duplicate_policy="KEEP", checkpoint_dirty_bytes="128kb")
    c = s.client(proto=3)
    r = t.random
    ticks, ts = [], 1700000000000
    for _ in range(6000):
        ts += r.choice((0, 0, 1, 250, 1000, 4000, 4000, 90000 if r.random() < 0.1 else 10))
        ticks.append((ts, r.randrange(100, 200) / 4, float(r.randrange(1, 50))))
    eq(set(c.pipe_many([("TSDB_ROW", "k", ts, "price", p, "size", v) for ts, p, v in ticks])), {"OK"})
    lo, hi = ticks[500][0], ticks[-300][0]

    def check(c):
        for name, ms in (("1m", 60000), ("5m", 300000), ("1h", 3600000)):
            want = candles(ticks, 0, 1 << 62, ms)
            eq(c.ok("TSDB_CANDLE", "k", "-", "+", name), want, name)
            eq(c.ok("TSDB_CANDLE", "k", "-", "+", name, 3), want[:3])
            eq(c.ok("TSDB_CANDLE", "k", "-", "+", name, "REV", 3), want[:-4:-1])
            eq(c.ok("TSDB_CANDLE", "k", lo, hi, name), candles(ticks, lo, hi, ms), name)

    check(c)
    eq(c.ok("SAVE"), "OK")
    check(c)
    s.restart(duplicate_policy="KEEP")
    check(s.client(proto=3))


def test_the_volume_comes_from_the_table_of_fields(t):
    c = t.server().client()
    eq(c("TSDB_ROW", "k", 10, "price", 5, "size", 2, "volume", 70), "OK")
    eq(c("TSDB_ROW", "k", 20, "size", 4), "OK")
    eq(c("TSDB_ROW", "k", 30, "price", 6), "OK")
    eq(c("TSDB_ROW", "k", 1040, "size", 100), "OK")
    eq(c("TSDB_CANDLE", "k", "-", "+", "1s"), [[0, b"5", b"6", b"5", b"6", b"6", b"2"]])
    eq(c("TSDB_CANDLE", "k", "-", "+", 25), [[0, b"5", b"5", b"5", b"5", b"6", b"1"],
                                             [25, b"6", b"6", b"6", b"6", b"0", b"1"]])
    eq(c("TSDB_CANDLE", "k", "-", "+", "1s", "VOLUME", "volume"),
       [[0, b"5", b"6", b"5", b"6", b"70", b"2"]])
    eq(c("TSDB_CANDLE", "k", "-", "+", "1s", "PRICE", "size", "VOLUME", "amount"),
       [[0, b"2", b"4", b"2", b"4", b"0", b"2"], [1000, b"100", b"100", b"100", b"100", b"0", b"1"]])
    eq(c("TSDB_CANDLE", "absent", "-", "+", "1s"), [])
    c.ok("CONFIG", "SET", "series-fields", "price=00")
    eq(c("TSDB_CANDLE", "k", "-", "+", "1s"), [[0, b"5", b"6", b"5", b"6", b"0", b"2"]])
    c.ok("CONFIG", "SET", "series-fields", "last=00")
    refused(c, "series-fields has no field 'price'", "TSDB_CANDLE", "k", "-", "+", "1s")
    eq(c("TSDB_CANDLE", "k", "-", "+", "1s", "PRICE", "last"),
       [[0, b"5", b"6", b"5", b"6", b"0", b"2"]])
    for text, args in (("bucket '0' is not a duration", ("0",)), ("option 'x' is not", ("1s", "x")),
                       ("option '0' is not", ("1s", "0")), ("field 'x' is not", ("1s", "PRICE", "x"))):
        refused(c, "TSDB_CANDLE: " + text, "TSDB_CANDLE", "k", "-", "+", *args)
    eq(c("SET", "s", "x"), "OK")
    eq(c("TSDB_CANDLE", "s", "-", "+", 5, "PRICE", "last").code, "WRONGTYPE")


# --- many keys ----------------------------------------------------------------------------------------


def run_batch(t, cores):
    s = t.server(cores=cores, checkpoint_dirty_bytes="256kb")
    c = s.client()
    keys = ["k%d" % i for i in range(40)]
    for i, key in enumerate(keys):
        eq(set(c.pipe_many([("TSDB_SET", key, at * 1000, at * (i + 1), "%02x" % (at % 2))
                            for at in range(0, 50 * i)])), {"OK"} if i else set())

    def check(c):
        for rest in (("-", "+"), (20000, 900000, 7), ("-", "+", 3, "REV"), ("-", "+", "TYPE", "01"),
                     ("-", "+", "AGG", "sum,max", "5m"), (0, 400000, 2, "TYPE", "01", "AGG", "avg", "1m")):
            for asked in (keys, keys[::-7], [keys[5]] * 3, ["absent", keys[3]]):
                want = [c.ok("TSDB_GET", k, *rest) for k in asked]
                eq(c.ok("TSDB_BATCH_GET", len(asked), *asked, *rest), want, rest)

    check(c)
    eq(c("SAVE"), "OK")
    s.restart()
    c = s.client()
    # cold: every key comes from the store, with one request
    got = c.ok("TSDB_BATCH_GET", len(keys), *keys, "-", "+")
    eq([len(g) for g in got], [50 * i for i in range(40)])
    check(c)
    eq(c("SET", "s", "x"), "OK")
    got = c.ok("TSDB_BATCH_GET", 3, keys[1], "s", keys[2], "-", "+", 1)
    eq([got[0], got[1].code, got[2]], [c.ok("TSDB_GET", keys[1], "-", "+", 1), "WRONGTYPE",
                                       c.ok("TSDB_GET", keys[2], "-", "+", 1)])


def test_many_keys_answer_in_the_order_of_the_request(t):
    run_batch(t, 1)


def test_many_keys_answer_in_the_order_of_the_request_over_two_cores(t):
    run_batch(t, 2)


def test_what_is_wrong_with_many_keys_is_named(t):
    c = t.server(duplicate_policy="KEEP", appendfsync="no").client()
    for args in ((0, "a", "-", "+"), (-1, "a", "-", "+"), ("x", "a", "-", "+"), (2, "a", "-", "+"),
                 (3, "a", "-", "+"), (1 << 40, "a", "-", "+")):
        refused(c, "TSDB_BATCH_GET: numkeys must be", "TSDB_BATCH_GET", *args)
    refused(c, "TSDB_BATCH_GET: start 'x' is not", "TSDB_BATCH_GET", 1, "a", "x", "+")
    refused(c, "TSDB_BATCH_GET: option 'x' is not", "TSDB_BATCH_GET", 1, "a", "-", "+", "x")
    for ts in range(40):
        c.send_raw(encode("TSDB_SET", "k", ts, ts) * 10000)
        eq(c.reader.take(5 * 10000), b"+OK\r\n" * 10000)
    refused(c, "TSDB_BATCH_GET: the range holds more than 1000000 points",
            "TSDB_BATCH_GET", 3, "k", "k", "k", "-", "+")
    c.send("TSDB_BATCH_GET", 2, "k", "k", "-", "+")
    eq(c.reader.line(), b"*2")
    eq(c.reader.line(), b"*400000")


# --- joins --------------------------------------------------------------------------------------------


def join(left, right, how, tolerance):
    """The model: right points by brute force."""
    out = []
    for ts, v in left:
        before = [p for p in right if p[0] <= ts]
        after = [p for p in right if p[0] >= ts]
        p = before[-1] if before else None
        n = after[0] if after else None
        if how == "PREVIOUS":
            take = p
        elif how == "NEXT":
            take = n
        elif p is None or n is None:
            take = p or n
        else:
            take = n if n[0] - ts < ts - p[0] or n[0] == ts else p
        if take is None or abs(take[0] - ts) > tolerance:
            take = (None, None)
        out.append([ts, v, *take])
    return out


def run_join(t, cores, in_slices=False):
    """in_slices: each point is a slice."""
    s = t.server(cores=cores, core_ports="yes", enable_debug_command="yes", duplicate_policy="KEEP",
                 checkpoint_dirty_bytes="128kb")
    c = s.client(proto=3)
    r = t.random
    a, b = (keys_on(0, cores, 1) + keys_on(cores - 1, cores, 1, prefix="r"))
    series = {}
    for key, n, step, start in ((a, 300, 900, 50000), (b, 2500, 80, 0)):
        ts, points = start, []
        for _ in range(n):
            ts += r.choice((0, 1, step, step * 2))
            points.append((ts, r.randrange(1000) / 4))
        series[key] = points
        eq(set(c.pipe_many([("TSDB_SET", key, ts, v) for ts, v in points])), {"OK"})
    left, right = series[a], series[b]

    def shorten_slices():
        for core in range(cores if in_slices else 0):
            for name, value in (("slice-ns", 0), ("slice-points", 1)):
                eq(s.core_client(core)("DEBUG", "LIMIT", name, value), "OK")

    shorten_slices()

    def check(c):
        for how in ("PREVIOUS", "NEXT", "NEAREST"):
            for tolerance in (None, 0, 100, "1s"):
                rest = () if tolerance is None else (tolerance,)
                far = {None: 1 << 62, "1s": 1000}.get(tolerance, tolerance)
                eq(c.ok("TSDB_JOIN", a, b, "-", "+", "ASOF", how, *rest), join(left, right, how, far),
                   (how, tolerance))
                lo, hi = left[40][0], left[90][0]
                eq(c.ok("TSDB_JOIN", a, b, lo, hi, "asof", how.lower(), *rest),
                   join([p for p in left if lo <= p[0] <= hi], right, how, far), (how, tolerance))
        eq(c.ok("TSDB_JOIN", b, a, "-", "+", "ASOF", "PREVIOUS"), join(right, left, "PREVIOUS", 1 << 62))

    check(c)
    eq(c("SAVE"), "OK")
    for key in (a, b):  # late points among the stored ones
        for i in range(0, len(series[key]), 37):
            ts = series[key][i][0]
            at = max(k for k, p in enumerate(series[key]) if p[0] == ts) + 1
            series[key].insert(at, (ts, 0.5))
            eq(c("TSDB_SET", key, ts, 0.5), "OK")
    check(c)
    s.restart(duplicate_policy="KEEP")
    c = s.client(proto=3)
    shorten_slices()
    eq(c.ok("TSDB_JOIN", a, b, "-", "+", "ASOF", "NEAREST"), join(left, right, "NEAREST", 1 << 62))
    check(c)


def test_joins_against_a_model(t):
    run_join(t, 1)


def test_joins_against_a_model_over_two_cores(t):
    run_join(t, 2)


def test_joins_in_slices_against_a_model(t):
    run_join(t, t.random.choice((1, 2)), True)


def test_a_join_without_partner_says_nil(t):
    s = t.server()
    for proto in (2, 3):
        c = s.client(proto=proto)
        c("FLUSHALL")
        eq(c("TSDB_SET", "a", 10, 1), "OK")
        eq(c("TSDB_JOIN", "a", "absent", "-", "+", "ASOF", "PREVIOUS"),
           [[10, b"1" if proto == 2 else 1.0, None, None]])
        eq(c("TSDB_JOIN", "absent", "a", "-", "+", "ASOF", "PREVIOUS"), [])
        eq(c("TSDB_JOIN", "a", "a", "-", "+", "ASOF", "NEXT", 0)[0][2], 10)
        for extreme in (-(1 << 63), (1 << 63) - 1):
            eq(c("TSDB_SET", "a", extreme, 2), "OK")
            eq(c("TSDB_SET", "b", extreme, 3), "OK")
        for how in ("PREVIOUS", "NEXT", "NEAREST"):
            rows = c.ok("TSDB_JOIN", "a", "b", "-", "+", "ASOF", how)
            eq([r[0] for r in rows], [-(1 << 63), 10, (1 << 63) - 1])
            eq((rows[0][2], rows[2][2]), (-(1 << 63), (1 << 63) - 1))


def test_a_join_without_tolerance_reaches_any_time(t):
    c = t.server(cores=1).client(proto=2)
    lowest, highest = -2 ** 63, 2 ** 63 - 1
    for left, right, how in ((lowest, 0, "NEXT"), (lowest, highest, "NEXT"), (lowest, highest, "NEAREST"),
                             (highest, lowest, "PREVIOUS"), (0, lowest, "PREVIOUS")):
        eq(c("DEL", "l", "r") in (0, 2), True)
        eq(c("TSDB_SET", "l", left, 1), "OK")
        eq(c("TSDB_SET", "r", right, 2), "OK")
        eq(c("TSDB_JOIN", "l", "r", "-", "+", "ASOF", how), [[left, b"1", right, b"2"]])
        eq(c("TSDB_JOIN", "l", "r", "-", "+", "ASOF", how, highest), [[left, b"1", None, None]])


def test_rows_tell_nan_from_nothing(t):
    c = t.server(cores=1).client(proto=2)
    eq(c("TS.ADD", "k", 5, "nan"), 5)
    eq(c("TSDB_ROW", "k", 6, "high", 1), "OK")
    for rows in (("-", "+"), ("-", "+", 2), ("-", "+", "FIELDS", "open", "high")):
        eq(c("TSDB_ROWS", "k", *rows), [[5, [b"open", b"nan"]], [6, [b"high", b"1"]]])
    eq(c("TSDB_ROWS", "k", "-", "+", "FIELDS", "high"), [[6, [b"high", b"1"]]])


def test_what_is_wrong_with_a_join_is_named(t):
    c = t.server(cores=2).client()
    eq(c("TSDB_SET", "a", 10, 1), "OK")
    eq(c("SET", "s", "x"), "OK")
    for text, args in (("option 'x' is not ASOF", ("a", "a", "-", "+", "x", "NEXT")),
                       ("option 'x' is not PREVIOUS, NEXT or NEAREST",
                        ("a", "a", "-", "+", "ASOF", "x")),
                       ("tolerance '-1' is not a duration of at least 0",
                        ("a", "a", "-", "+", "ASOF", "NEXT", -1)),
                       ("start 'x' is not", ("a", "a", "x", "+", "ASOF", "NEXT"))):
        refused(c, "TSDB_JOIN: " + text, "TSDB_JOIN", *args)
    refused(c, "wrong number of arguments", "TSDB_JOIN", "a", "a", "-", "+", "ASOF", "NEXT", 1, 2)
    for keys in (("a", "s"), ("s", "a")):
        eq(c("TSDB_JOIN", *keys, "-", "+", "ASOF", "NEXT").code, "WRONGTYPE")
