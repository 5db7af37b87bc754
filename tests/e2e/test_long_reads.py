"""One series that takes long to read is read in slices. With slices as short as they can be the answers are
those of one go; while points are added, replaced and deleted each answer is of one moment."""
import os
import random
import select
import signal
import threading
import time

from pinstripe import eq, key_core, keys_on
from resp import Error, encode, info

IN_SLICES = {"slice-ns": 0, "slice-points": 1}
POINTS = 12000
FUNCTIONS = ["avg", "sum", "min", "max", "range", "count", "first", "last", "std.p", "std.s", "var.p",
             "var.s", "twa", "countnan", "countall", "p50", "p95", "p99"]


def start(t, cores, **settings):
    return t.server(cores=cores, core_ports="yes", enable_debug_command="yes", **settings)


def limit(s, limits):
    for core in range(s.cores):
        c = s.core_client(core)
        for name, value in limits.items():
            eq(c("DEBUG", "LIMIT", name, value), "OK")
        c.close()


def all_in(c, commands):
    for r in c.pipe_many(commands):
        assert not isinstance(r, Error), r


def fill(c, r):
    """`long`: each time once, holes, NaN; `crowd`: up to 300 points of one time, data types, qualities.
    A part is in the store, late points and deletions behind it are not."""
    times = sorted(r.sample(range(POINTS * 3), POINTS))
    all_in(c, [("TS.ADD", "long", ts, "nan" if r.random() < 0.01 else r.randrange(1000) / 8,
                "DUPLICATE_POLICY", "LAST") for ts in times])
    ts = 0
    commands = []
    for _ in range(POINTS // 40):
        ts += r.randrange(1, 9)
        commands += [("TSDB_SET", "crowd", ts, r.randrange(1000), r.choice(("00", "00", "05", "06")),
                      r.randrange(3)) for _ in range(r.choice((1, 1, 2, 30, 300 if r.random() < 0.1 else 3)))]
    all_in(c, commands)
    eq(c("SAVE"), "OK")
    all_in(c, [("TS.ADD", "long", r.randrange(POINTS * 3), -1, "ON_DUPLICATE", "LAST") for _ in range(300)])
    all_in(c, [("TSDB_SET", "crowd", r.randrange(ts), -1, "05") for _ in range(100)])
    for _ in range(5):
        a = r.randrange(POINTS * 3)
        c.ok("TS.DEL", "long", a, a + r.randrange(500))
    return POINTS * 3, ts


def question(r, ends):
    key = r.choice(("long", "crowd"))
    end = ends[key == "crowd"]
    a, b = sorted((r.randrange(end), r.randrange(end)))
    a, b = (a, b) if r.random() < 0.5 else ("-", "+") if r.random() < 0.7 else (a, "+")
    bucket = r.choice((1, 7, 100, 5000, end * 2))
    functions = ",".join(r.sample(FUNCTIONS, r.choice((1, 1, 2, 4))))
    if r.random() < 0.4:
        q = ["TSDB_GET", key, a, b]
        q += [r.choice((1, 500, 10000))] if r.random() < 0.3 else []
        q += ["TYPE", r.choice(("00", "05", "06"))] if r.random() < 0.4 else []
        q += ["REV"] if r.random() < 0.4 else []
        q += ["AGG", functions, bucket] if r.random() < 0.3 else []
        return q
    q = [r.choice(("TS.RANGE", "TS.REVRANGE")), key, a, b]
    if r.random() < 0.2:
        q += ["FILTER_BY_TS", *sorted(r.sample(range(end), 20))]
    if r.random() < 0.3:
        q += ["FILTER_BY_VALUE", -1, 60]
    if r.random() < 0.3:
        q += ["COUNT", r.choice((1, 3, 1000, 20000))]
    if r.random() < 0.6:
        q += ["ALIGN", r.choice((0, 3))] if r.random() < 0.3 else []
        q += ["AGGREGATION", functions, bucket]
        q += ["BUCKETTIMESTAMP", r.choice("-~+")] if r.random() < 0.2 else []
        q += ["EMPTY"] if r.random() < 0.3 else []
    return q


def rows_question(r, ends):
    end = ends[1]
    a, b = sorted((r.randrange(end), r.randrange(end)))
    a, b = (a, b) if r.random() < 0.3 else ("-", "+")
    q = ["TSDB_ROWS", "crowd", a, b]
    if r.random() < 0.5:
        q = ["TSDB_CANDLE", "crowd", a, b, r.choice((1, 50, 3000))]
        q += ["PRICE", r.choice(("price", "amount"))] if r.random() < 0.5 else []
        q += ["VOLUME", r.choice(("size", "amount", "trades"))] if r.random() < 0.5 else []
    q += [r.choice((1, 100, 5000))] if r.random() < 0.3 else []
    q += ["REV"] if r.random() < 0.4 else []
    if q[0] == "TSDB_ROWS" and r.random() < 0.6:
        q += ["FIELDS", *r.sample(("price", "amount", "trades", "close"), r.randrange(1, 4))]
    return q


def in_slices(c, questions):
    out = []
    for q in questions:
        c.send_raw(encode(*q))
        out.append(c.read_raw())
    return out


def in_one_go(c, questions):
    """Inside of MULTI nothing goes in slices."""
    out = []
    for q in questions:
        c.pipe([("MULTI",), q])
        c.send_raw(encode("EXEC"))
        out.append(c.read_raw()[len(b"*1\r\n"):])
    return out


def test_slices_answer_as_one_go_does(t):
    for cores, settings in ((1, {}), (2, {}), (2, {"store_block_cache_bytes": "1mb", "block_points": 64})):
        s = start(t, cores, duplicate_policy="KEEP", **settings)
        ends = fill(s.client(), t.random)
        if t.random.random() < 0.7:
            eq(s.client()("SAVE"), "OK")
            s.restart()  # everything is in the store now
        c = s.client(proto=t.random.choice((2, 3)))
        n = 1000 if t.long else 20
        questions = [question(t.random, ends) for _ in range(n)] + [rows_question(t.random, ends) for _ in range(n)]
        limit(s, IN_SLICES)
        want = in_one_go(c, questions)
        before = slices(s)
        for q, w, got in zip(questions, want, in_slices(c, questions)):
            assert w == got, (q, w[:300], got[:300])
        assert slices(s) > before + len(questions)
        s.stop()


def test_many_keys_are_read_in_slices_of_each(t):
    s = start(t, 2, duplicate_policy="KEEP")
    c = s.client()
    fill(c, t.random)
    questions = [("TS.NRANGE", 2, "long", "crowd", "-", "+"),
                 ("TS.NREVRANGE", 2, "long", "crowd", "-", "+", "COUNT", 700),
                 ("TS.NRANGE", 2, "long", "crowd", "-", "+", "AGGREGATION", "avg", "twa", 100),
                 ("TSDB_BATCH_GET", 3, "long", "crowd", "long", "-", "+"),
                 ("TSDB_BATCH_GET", 3, "long", "nothing", "crowd", "-", "+", 50, "REV"),
                 ("TSDB_BATCH_GET", 2, "long", "crowd", "-", "+", "AGG", "max,p50", 10)]
    limit(s, IN_SLICES)
    for q, w, got in zip(questions, in_one_go(c, questions), in_slices(c, questions)):
        assert w == got, (q, w[:300], got[:300])


def multi_question(r, ends):
    """As `question` has them, of all series."""
    q = question(r, ends)
    while q[0] == "TSDB_GET":
        q = question(r, ends)
    q = [q[0].replace("TS.", "TS.M"), *q[2:], "FILTER", r.choice(("all=1", "all=1", "kind=crowd"))]
    if r.random() < 0.4 and not any("," in str(word) for word in q):
        q += ["GROUPBY", r.choice(("kind", "all")), "REDUCE", r.choice(("sum", "max", "count"))]
    return q


def test_long_series_that_a_filter_finds_are_read_in_slices(t):
    for cores, settings in ((1, {}), (2, {"store_block_cache_bytes": "1mb", "block_points": 64})):
        s = start(t, cores, duplicate_policy="KEEP", **settings)
        c = s.client(proto=t.random.choice((2, 3)))
        ends = fill(c, t.random)
        for key in ("long", "crowd"):
            c.ok("TS.ALTER", key, "LABELS", "all", 1, "kind", key)
        questions = [multi_question(t.random, ends) for _ in range(1000 if t.long else 20)]
        limit(s, IN_SLICES)
        want = in_one_go(c, questions)
        for q, w, got in zip(questions, want, in_slices(c, questions)):
            assert w == got, (q, w[:300], got[:300])
        s.stop()


def test_latest_of_a_long_destination(t):
    """Read in slices with the open bucket behind it, wherever the source is: as in one go, and while both grow."""
    for cores in (1, 2):
        s = start(t, cores)
        c, w = s.client(), s.client()
        source, to = keys_on(0, cores, 1, prefix="s")[0], keys_on(cores - 1, cores, 1, prefix="d")[0]
        for name in (source, to):
            c.ok("TS.CREATE", name)
        c.ok("TS.CREATERULE", source, to, "AGGREGATION", "count", 10)
        first = end = 12000
        all_in(c, [("TS.MADD", *[x for ts in range(a, a + 100) for x in (source, ts, 1)])
                   for a in range(0, end, 100)])
        all_in(c, [("TS.ADD", source, end + 3, 1)])
        limit(s, {"slice-ns": 0, "slice-points": 500})
        rest = [(), ("COUNT", 700), ("COUNT", 1201), ("FILTER_BY_VALUE", 0, 5)] + \
            [("AGGREGATION", f, 70, *more) for f in ("sum", "last", "twa", "count,p50") for more in ((), ("EMPTY",))]
        questions = [(command, name, "-", last, "LATEST", *r) for command in ("TS.RANGE", "TS.REVRANGE")
                     for name in (to, source) for last in ("+", end - 50) for r in rest]
        before = slices(s)
        for q, want, got in zip(questions, in_one_go(c, questions), in_slices(c, questions)):
            assert want == got, (q, want[-300:], got[-300:])
        assert slices(s) > before + len(questions)

        def add():
            nonlocal end
            w.ok("TS.ADD", source, end + 4, 1)
            w.ok("TS.ADD", source, end + 5, 1)
            end += 10
            w.ok("TS.ADD", source, end + 3, 1)

        def check():
            rows = c.ok("TS.RANGE", to, "-", "+", "LATEST")
            eq([row[0] for row in rows], list(range(0, rows[-1][0] + 1, 10)))
            whole = first // 10
            assert set(row[1] for row in rows[:whole]) == {"10"} and set(row[1] for row in rows[whole:-1]) <= {"3"}
            assert 1 <= int(rows[-1][1]) <= 3, rows[-3:]

        writer = Writer(add)
        rounds(t, check)
        writer.stop()
        s.stop()


def others_have_turns(c, other, q):
    """Is another client served five times while q is answered? Who waits cannot be told from who is slow, so
    a few tries are given."""
    for _ in range(30):
        c.send_raw(encode(*q))
        for _ in range(5):
            other.ok("PING")
        between = not select.select([c.sock], [], [], 0)[0]
        c.read_raw()
        if between:
            return True
    return False


def test_latest_of_what_no_rule_writes_goes_in_slices(t):
    s, points = start(t, 1), 100000
    c, other = s.client(), s.client()
    for key in ("long", "longer"):
        c.ok("TS.CREATE", key, "LABELS", "all", 1)
        all_in(c, [("TS.MADD", *[x for ts in range(a, a + 500) for x in (key, ts, ts % 7)])
                   for a in range(0, points, 500)])
    rest = ("AGGREGATION", "sum,p50", 100)
    multi = [("TS.MRANGE", "-", "+", *latest, *rest, "FILTER", "all=1") for latest in ((), ("LATEST",))]
    named = [(command, 2, "long", "longer", "-", "+", *latest, "AGGREGATION", "p50", "avg", points)
             for command in ("TS.NRANGE", "TS.NREVRANGE") for latest in ((), ("LATEST",))]
    limit(s, IN_SLICES)
    for plain, latest in zip((multi + named)[::2], (multi + named)[1::2]):
        want = in_one_go(c, [plain])
        before = slices(s)
        assert in_slices(c, [plain, latest]) == want * 2, (plain, latest)
        assert "M" in plain[0] or slices(s) > before, plain
        assert others_have_turns(c, other, latest), latest
    c.ok("TS.CREATE", "source")
    c.ok("TS.CREATERULE", "source", "longer", "AGGREGATION", "sum", 10)
    all_in(c, [("TS.ADD", "source", points * 2, 1)])
    questions = [multi[1], named[1], named[3]]
    for q, want, got in zip(questions, in_one_go(c, questions), in_slices(c, questions)):
        assert want == got, (q, want[-300:], got[-300:])
    s.stop()


def test_between_two_keys_of_many_the_time_is_looked_at(t):
    for cores in (1, 2):
        s = start(t, cores)
        c = s.client()
        keys = ["k%d" % i for i in range(40)]
        all_in(c, [("TSDB_SET", key, ts, ts, type) for key in keys for ts in range(9) for type in ("00", "01")])
        limit(s, {"slice-ns": 0})
        for q in (("TS.NRANGE", 40, *keys, "-", "+", "AGGREGATION", *["sum"] * 40, 100),
                  ("TSDB_BATCH_GET", 40, *keys, "-", "+", "AGG", "p99", 100),
                  ("TSDB_BATCH_GET", 1, "k1", "-", "+"), ("TSDB_GET", "k1", "-", "+")):
            want, before = in_one_go(c, [q]), slices(s)
            eq(in_slices(c, [q]), want)
            assert slices(s) > before, q
        s.stop()


class Writer:
    """Does `step` over and over in a thread of its own."""

    def __init__(self, step):
        self.step, self.over, self.failure = step, threading.Event(), None
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        try:
            while not self.over.is_set():
                self.step()
        except BaseException as e:
            self.failure = e

    def stop(self):
        self.over.set()
        self.thread.join(30)
        assert self.failure is None, self.failure


def rounds(t, check):
    until, n = time.monotonic() + (20 if t.long else 0.7), 0
    while time.monotonic() < until or n < 2:
        check()
        n += 1
    t.say("%d rounds" % n)


def exec_in(c, *commands):
    done = c.pipe([("MULTI",), *commands, ("EXEC",)])[-1]
    assert not isinstance(done, Error) and not any(isinstance(r, Error) for r in done), done


def value(ts):
    return ts * 7 % 1000


def test_points_that_are_added_meanwhile_are_seen_up_to_one_of_them(t):
    for cores in (1, 2):
        s = start(t, cores)
        c, w = s.client(), s.client()
        c.ok("TS.CREATE", "hot", "LABELS", "kind", "hot")
        all_in(c, [("TS.MADD", *[x for ts in range(a, a + 100) for x in ("hot", ts, value(ts))])
                   for a in range(0, 20000, 100)])
        limit(s, {"slice-ns": 0, "slice-points": 1000})
        sent = acked = 20000

        def add():
            nonlocal sent, acked
            sent += 50
            w.ok("TS.MADD", *[x for ts in range(sent - 50, sent) for x in ("hot", ts, value(ts))])
            acked = sent

        def whole(rows, before):
            assert before <= len(rows) <= sent, (before, len(rows), sent)
            eq(rows, list(range(len(rows))))

        def check():
            before = acked
            whole([row[0] for row in c.ok("TS.RANGE", "hot", "-", "+")], before)
            before = acked
            whole([row[0] for row in reversed(c.ok("TS.REVRANGE", "hot", "-", "+"))], before)
            before = acked
            whole([row[0] for row in c.ok("TSDB_GET", "hot", "-", "+")], before)
            before = acked
            whole([row[0] for row in c.ok("TSDB_ROWS", "hot", "-", "+", "FIELDS", "price")], before)
            before = acked
            whole([row[0] for row in c.ok("TS.MRANGE", "-", "+", "FILTER", "kind=hot")[0][2]], before)
            before = acked
            [candle] = c.ok("TSDB_CANDLE", "hot", "-", "+", 10 ** 9, "VOLUME", "price")
            n = int(candle[6])
            assert before <= n <= sent, (before, n, sent)
            eq(float(candle[5]), float(sum(value(ts) for ts in range(n))))
            before = acked
            [[_, n, total]] = c.ok("TS.RANGE", "hot", "-", "+", "AGGREGATION", "count,sum", 10 ** 9)
            n = int(n)
            assert before <= n <= sent, (before, n, sent)
            eq(float(total), float(sum(value(ts) for ts in range(n))))

        writer = Writer(add)
        rounds(t, check)
        writer.stop()
        s.stop()


def test_an_answer_is_of_one_moment_while_points_change_everywhere(t):
    """Whatever a transaction changes, the sum of all values stays 0."""
    for cores in (1, 2):
        s = start(t, cores)
        c, w = s.client(), s.client()
        c.ok("TS.CREATE", "even", "DUPLICATE_POLICY", "LAST", "LABELS", "kind", "even")
        n = 15000
        all_in(c, [("TS.MADD", *[x for ts in range(a, a + 100) for x in ("even", ts, (ts % 2) * 2 - 1)])
                   for a in range(0, n, 100)])
        limit(s, {"slice-ns": 0, "slice-points": 1000})
        r = random.Random(t.random.random())

        def change():
            a, b, v = r.randrange(n), r.randrange(n), r.randrange(100)
            if a == b:
                return
            old = {ts: float(row[0][1]) if (row := w.ok("TS.RANGE", "even", ts, ts)) else 0.0 for ts in (a, b)}
            exec_in(w, ("TS.ADD", "even", a, old[a] + v), ("TS.ADD", "even", b, old[b] - v))
            if r.random() < 0.2:
                exec_in(w, ("TS.DEL", "even", a, a), ("TS.ADD", "even", b, old[b] + old[a]))
            time.sleep(r.random() * 0.01)

        def check():
            for q in (("TS.RANGE", "even", "-", "+"), ("TS.REVRANGE", "even", "-", "+")):
                eq(sum(float(row[1]) for row in c.ok(*q)), 0.0)
                [row] = c.ok(*q, "AGGREGATION", "sum", 10 ** 9)
                eq(float(row[1]), 0.0)
            eq(sum(float(row[1]) for row in c.ok("TSDB_GET", "even", "-", "+")), 0.0)
            for q in (("TS.MRANGE", "-", "+"), ("TS.MREVRANGE", "-", "+")):
                [[_, _, rows]] = c.ok(*q, "FILTER", "kind=even")
                eq(sum(float(row[1]) for row in rows), 0.0)
                [[_, _, [row]]] = c.ok(*q, "AGGREGATION", "sum", 10 ** 9, "FILTER", "kind=even")
                eq(float(row[1]), 0.0)
                [[_, _, rows]] = c.ok(*q, "FILTER", "kind=even", "GROUPBY", "kind", "REDUCE", "sum")
                eq(sum(float(row[1]) for row in rows), 0.0)

        writer = Writer(change)
        rounds(t, check)
        writer.stop()
        s.stop()


def test_a_series_that_gets_its_first_point_while_others_are_read(t):
    """Written after the others, it is seen with them or they are seen without."""
    s = start(t, 1)
    c, w = s.client(), s.client()
    c.ok("TS.CREATE", "long")
    all_in(c, [("TS.MADD", *[x for ts in range(a, a + 100) for x in ("long", ts, 1)])
               for a in range(0, 10000, 100)])
    limit(s, {"slice-ns": 0, "slice-points": 100})

    def change():
        w.pipe([("DEL", "new"), ("TS.CREATE", "new"), ("TS.ADD", "long", 5000, 1, "ON_DUPLICATE", "LAST")])
        time.sleep(t.random.random() * 0.01)
        exec_in(w, ("TS.ADD", "new", 9999, 2), ("TS.ADD", "long", 20000, 2))
        time.sleep(t.random.random() * 0.01)
        exec_in(w, ("DEL", "new"), ("TS.DEL", "long", 20000, 20000), ("TS.CREATE", "new"))

    def check():
        for q in (("AGGREGATION", "sum", "sum", 10 ** 9), ("AGGREGATION", "twa", "sum", 10 ** 9), ()):
            got = c("TS.NRANGE", 2, "new", "long", "-", "+", *q)
            if isinstance(got, Error):  # between DEL and TS.CREATE
                continue
            new = [row for row in got if str(row[1][0]) != "NaN"]
            added = float(got[-1][1][1]) == 10002 if q else got[-1][0] == 20000
            eq(bool(new), added, (q, got[-1]))

    writer = Writer(change)
    rounds(t, check)
    writer.stop()


def test_what_becomes_of_a_key_that_is_being_read(t):
    """Deleted, another type, made anew, evicted, in another database: an answer of before or after."""
    s = start(t, 2, maxmemory="0")
    c, w = s.client(), s.client()
    n = 100000
    limit(s, {"slice-ns": 0, "slice-points": 500})

    def make():
        w.pipe_many([("DEL", "k"), ("TS.CREATE", "k", "LABELS", "kind", "k")] +
                    [("TS.MADD", *[x for ts in range(a, a + 100) for x in ("k", ts, 1)])
                     for a in range(0, n, 100)])

    def change():
        make()
        time.sleep(t.random.random() * 0.02)
        w.pipe([t.random.choice((("DEL", "k"), ("SET", "k", "text"), ("RENAME", "k", "other"),
                                 ("FLUSHDB",), ("PEXPIRE", "k", 1)))])
        time.sleep(t.random.random() * 0.01)

    def check():
        got = c("TS.RANGE", "k", "-", "+", "AGGREGATION", "count", 10 ** 9)
        if isinstance(got, Error):
            assert any(word in str(got) for word in ("does not exist", "WRONGTYPE")), got
        else:
            assert not got or float(got[0][1]) % 100 == 0, got
        got = c("TSDB_GET", "k", "-", "+")
        assert isinstance(got, Error) or len(got) % 100 == 0, len(got)
        got = c.ok("TS.MRANGE", "-", "+", "FILTER", "kind=k")
        assert not got or len(got[0][2]) % 100 == 0, len(got[0][2])
        got = c.ok("TS.MRANGE", "-", "+", "AGGREGATION", "count", 10 ** 9, "FILTER", "kind=k", "GROUPBY", "kind",
                   "REDUCE", "max")
        assert not got or not got[0][2] or float(got[0][2][0][1]) % 100 == 0, got

    make()
    writer = Writer(change)
    rounds(t, check)
    writer.stop()


def test_points_that_retention_lets_go_of_leave_no_hole(t):
    """While a series is read its newest time jumps, and a checkpoint drops what is hidden from then on: the
    answer has all points from one on."""
    n, bucket = 200000, 1000
    newest = n + n // 2
    s = start(t, 1, duplicate_policy="LAST")
    c, w = s.client(), s.client()
    limit(s, {"slice-ns": 0, "slice-points": 20})
    jumps = [0, 0]
    all_in(w, [("TS.CREATE", "later", "RETENTION", n, "LABELS", "kind", "k")] +
           [("TS.MADD", *[x for ts in range(a, a + 500) for x in ("later", ts, ts)]) for a in range(0, n, 500)])

    def check():
        q = t.random.choice((("TS.RANGE", "k", "-", "+", "AGGREGATION", "count", bucket),
                             ("TS.REVRANGE", "k", "-", "+", "AGGREGATION", "count", bucket),
                             ("TS.MRANGE", "-", "+", "AGGREGATION", "count", bucket, "FILTER", "kind=k"),
                             ("TS.MREVRANGE", "-", "+", "AGGREGATION", "count", bucket, "FILTER", "kind=k"),
                             ("TSDB_GET", "k", "-", "+", "AGG", "count", bucket),
                             ("TSDB_GET", "k", "-", "+", "REV", "AGG", "count", bucket),
                             ("TSDB_CANDLE", "k", "-", "+", bucket),
                             ("TSDB_GET", "k", "-", "+"), ("TSDB_GET", "k", "-", "+", "REV"),
                             ("TSDB_ROWS", "k", "-", "+", "FIELDS", "open"),
                             ("TSDB_JOIN", "k", "k", "-", "+", "ASOF", "PREVIOUS")))
        all_in(w, [("COPY", "later", "k", "REPLACE")] + [("SAVE",)] * (t.random.random() < 0.3))
        c.send_raw(encode(*q))
        time.sleep(t.random.choice((0, 0.0003, 0.001, 0.003)))
        all_in(w, [("TS.ADD", "k", newest, 1), ("SAVE",)])
        got = c.read()
        rows = sorted(got[0][2] if q[0].startswith("TS.M") else got)
        jumps[rows[-1][0] == newest] += 1
        rows = rows[:-1] if rows[-1][0] == newest else rows
        step = bucket if "AGG" in " ".join(map(str, q)) or "CANDLE" in q[0] else 1
        assert rows[0][0] in (0, newest - n), (q, rows[0])
        eq([row[0] for row in rows], list(range(rows[0][0], n, step)), q)
        assert step == 1 or all(float(row[-1]) == bucket for row in rows), (q, rows)

    rounds(t, check)
    t.say("%d answers before the jump, %d after it" % tuple(jumps))


def slices_while(s, c, q, others):
    """Slices of a question, and how often the others came to an end meanwhile."""
    times = 0

    def step():
        nonlocal times
        others()
        times += 1

    before = slices(s)
    writer = Writer(step)
    c.ok(*q)
    n = slices(s) - before
    writer.stop()
    return n, times


def test_a_checkpoint_that_hides_nothing_of_a_range_lets_its_reading_go_on(t):
    """Points come behind the range, and those that retention then hides, if any, lie before it."""
    n = 100000
    s = start(t, 1, block_points=64, block_points_max=64)
    c, w = s.client(), s.client()
    limit(s, {"slice-ns": 0, "slice-points": 20})
    for retention, first in ((10 ** 13, "-"), (n, n // 2)):
        key = "of%d" % retention
        all_in(c, [("TS.CREATE", key, "RETENTION", retention, "LABELS", "key", key)] +
               [("TS.MADD", *[x for ts in range(a, a + 500) for x in (key, ts, ts)]) for a in range(0, n, 500)])
        end = n

        def add():
            nonlocal end
            all_in(w, [("TS.ADD", key, end, 1), ("SAVE",)])
            end += 50

        add()
        for q in (("TS.RANGE", key, first, n - 1), ("TS.REVRANGE", key, first, n - 1), ("TSDB_GET", key, first, n - 1),
                  ("TS.RANGE", key, first, n - 1, "AGGREGATION", "count,p50", 100)):
            q = [0 if x == "-" and q[0] == "TSDB_GET" else x for x in q]
            alone, _ = slices_while(s, c, q, lambda: time.sleep(0.01))
            done = 0
            while done < 10:
                among, saves = slices_while(s, c, q, add)
                assert alone * 0.9 < among < alone * 1.1, (q, alone, among, saves)
                done += saves
            assert end < n + n // 2, end


LOOKS_AROUND = [("AGGREGATION", f, 700, *more) for f in ("twa", "last", "count,twa") for more in ((), ("EMPTY",))
                if more or "twa" in f]


def test_a_reading_that_looks_around_its_range_goes_on_when_points_come_behind_that(t):
    """Those further off than the points it has found there, and in an open range those it has still to read."""
    n = 20000
    s = start(t, 1, block_points=64, block_points_max=64)
    c, w = s.client(), s.client()
    limit(s, {"slice-ns": 0, "slice-points": 20})
    all_in(c, [("TS.CREATE", "k")] +
           [("TS.MADD", *[x for ts in range(a, a + 500) for x in ("k", ts, ts % 9)]) for a in range(0, n, 500)])
    end = n

    def add():
        nonlocal end
        w.ok("TS.ADD", "k", end, 1)
        end += 1

    for command, to in (("TS.RANGE", n - 2), ("TS.REVRANGE", n - 2), ("TS.RANGE", "+")):
        for words in LOOKS_AROUND:
            q, done = (command, "k", 100, to, *words), 0
            while done < 10:
                alone, _ = slices_while(s, c, q, lambda: time.sleep(0.01))
                among, added = slices_while(s, c, q, add)
                more = added / 10 if to == "+" else 0
                assert alone * 0.9 < among < alone * 1.1 + more, (q, alone, among, added)
                done += added


def far_around(c, n, key="k"):
    """Points of 0 and 1 at even times; what the filters take comes between them."""
    all_in(c, [("TS.CREATE", key, "DUPLICATE_POLICY", "LAST")] +
           [("TS.MADD", *[x for ts in range(a, a + 1000, 2) for x in (key, ts, ts // 2 % 2)])
            for a in range(0, n, 1000)])


def test_what_lies_far_around_a_range_is_searched_for_in_slices(t):
    n = 40000
    questions = [(command, "k", n // 2, n // 2 + 2000, "FILTER_BY_VALUE", 0.5, 0.5, *words)
                 for command in ("TS.RANGE", "TS.REVRANGE") for words in LOOKS_AROUND]
    for settings in ({}, {"store_block_cache_bytes": "1mb", "block_points": 64, "block_points_max": 64}):
        s = start(t, 1, **settings)
        c = s.client()
        far_around(c, n)
        limit(s, {"slice-ns": 0, "slice-points": 100})
        for ts in (None, 11, n - 11, n // 2 + 1001, n // 2 - 1, n // 2 - 101):
            all_in(c, [("TS.ADD", "k", ts, 0.5)] * (ts is not None) + [("SAVE",)] * (len(settings) > 0))
            before = slices(s)
            for q, want, got in zip(questions, in_one_go(c, questions), in_slices(c, questions)):
                assert want == got, (q, ts, want[:300], got[:300])
            if settings:
                assert slices(s) > before + 50 * len(questions) * (ts in (None, 11)), ts
        s.stop()


def test_what_lies_around_a_range_is_of_the_same_moment(t):
    """Points that the filter takes all get the same value in one transaction, and change their places; or of
    another series only those before the range."""
    n = 30000
    s = start(t, 1, block_points=64, block_points_max=64)
    c, w = s.client(), s.client()
    limit(s, {"slice-ns": 0, "slice-points": 100})
    places, seen = {"k": [], "before": []}, set()

    def change():
        key = t.random.choice(("k", "before"))
        v = t.random.randrange(100, 1000)
        new = [5] + [a + 2 * t.random.randrange(n // 6) for a in (11, n // 2 + 1, n // 2 + n // 6 + 1)]
        new = new[:2] if key == "before" else new
        old = places[key]
        if old and t.random.random() < 0.8:
            old, new = [], old
        exec_in(w, *[("TS.DEL", key, ts, ts) for ts in old], *[("TS.ADD", key, ts, v) for ts in new])
        places[key] = new
        time.sleep(t.random.random() * 0.001)

    for key in places:
        far_around(c, n, key)
    c.ok("TS.ADD", "before", n - 5, 500)
    while not all(places.values()):
        change()
    words = (n // 3, n // 3 * 2, "FILTER_BY_VALUE", 100, 1000, "ALIGN", 9, "AGGREGATION")
    questions = [("k", *words, f, bucket, "EMPTY") for f in ("twa", "last", "last,twa") for bucket in (1000, n)]
    questions += [("before", *words, "last", n // 2, "EMPTY")] * len(questions)

    def check():
        rows = c.ok(t.random.choice(("TS.RANGE", "TS.REVRANGE")), *t.random.choice(questions))
        values = {float(v) for row in rows for v in row[1:]}
        assert len(values) == 1, rows
        seen.update(values)

    writer = Writer(change)
    rounds(t, check)
    writer.stop()
    assert len(seen) > 1


def test_keys_of_two_cores_are_read_side_by_side_without_a_hole(t):
    s = start(t, 2)
    c = s.client()
    keys = ["k%d" % i for i in range(64)]
    all_in(c, [("TS.CREATE", k) for k in keys] +
           [("TS.MADD", *[x for ts in range(200) for x in (k, ts, i)]) for i, k in enumerate(keys)])
    limit(s, {"slice-ns": 0, "slice-points": 1})
    want = {"raw": list(range(len(keys))), "sum": [200 * i for i in range(len(keys))]}

    def check():
        for got in c.pipe([("TS.NRANGE", len(keys), *keys, "-", "+", "AGGREGATION", *["sum"] * len(keys), 1000)] * 5):
            eq([[float(v) for v in row[1]] for row in got], [want["sum"]])
        got = c.ok("TS.NRANGE", len(keys), *keys, "-", "+")
        eq([[float(v) for v in row[1]] for row in got], [want["raw"]] * 200)

    rounds(t, check)


def test_the_gap_before_a_range_is_filled_from_a_block_that_is_on_disk(t):
    """A bucket of the range whose own points are all NaN says the last number before it, which lies in a block
    that nobody has read yet when all others have been."""
    first, n = 6000, 8000
    s = start(t, 1, block_points=64, block_points_max=64)
    c = s.client(proto=2)
    value = [t.random.random() for _ in range(first)]
    number = lambda ts: value[ts] if ts < first else "nan" if ts < first + n else ts
    all_in(c, [("TS.CREATE", "s")] +
           [("TS.MADD", *[x for ts in range(a, a + 100) for x in ("s", ts, number(ts))])
            for a in range(0, first + n + 1000, 100)] + [("SAVE",)])
    for back in (1, 1000, 2000, 3000, 3900):
        for latest in ((), ("LATEST",)):
            s.restart()
            limit(s, IN_SLICES)
            got = s.client(proto=2).ok("TS.RANGE", "s", first, first + n - 1, *latest, "ALIGN", first - back,
                                       "AGGREGATION", "last", n // 2, "EMPTY")
            eq([float(v) for ts, v in got][:1], [value[first - back - 1]], (back, latest))
            eq({float(v) for ts, v in got[1:]}, {value[first - 1]}, (back, latest))


def slices(s):
    return int(info(s.client())["txn_slices"])


def test_a_long_series_is_read_in_many_slices_and_a_short_one_in_one_go(t):
    s = start(t, 1)
    c = s.client()
    c.ok("TS.CREATE", "long")
    all_in(c, [("TS.MADD", *[x for ts in range(a, a + 100) for x in ("long", ts, ts % 97)])
               for a in range(0, 50000, 100)])
    eq(c("SAVE"), "OK")
    limit(s, {"slice-ns": 0, "slice-points": 1000})
    for q in (("TS.RANGE", "long", "-", "+"), ("TS.REVRANGE", "long", "-", "+"), ("TSDB_GET", "long", "-", "+"),
              ("TS.RANGE", "long", "-", "+", "AGGREGATION", "p50", 1000),
              ("TS.REVRANGE", "long", "-", "+", "FILTER_BY_VALUE", 0, 1),
              ("TSDB_GET", "long", "-", "+", "REV", "AGG", "avg", 7),
              ("TSDB_ROWS", "long", "-", "+", "FIELDS", "price"), ("TSDB_CANDLE", "long", "-", "+", 60)):
        before = slices(s)
        c.ok(*q)
        took = slices(s) - before
        assert 5 <= took <= 100, (q, took)
    before = slices(s)
    c.ok("TS.RANGE", "long", 500, 999)
    c.ok("TSDB_GET", "long", "-", "+", 500)
    c.ok("TS.REVRANGE", "long", "-", "+", "COUNT", 500)
    eq(slices(s), before)
    c.pipe([("MULTI",), ("TS.RANGE", "long", "-", "+"), ("EXEC",)])
    eq(slices(s), before)


def test_long_reads_keep_their_place_in_a_pipeline(t):
    """What stands before one in a pipeline is seen by it, what stands behind it is not."""
    for cores in (1, 2):
        s = start(t, cores)
        c = s.client()
        names = ["long%d" % i for i in range(4)]
        for name in names:
            c.ok("TS.CREATE", name)
            all_in(c, [("TS.MADD", *[x for ts in range(a, a + 100) for x in (name, ts, 1)])
                       for a in range(0, 5000, 100)])
        limit(s, {"slice-ns": 0, "slice-points": 500})
        count, asked, want = dict.fromkeys(names, 5000), [], []
        for n in range(200):
            name = t.random.choice(names)
            kind = t.random.randrange(4)
            if kind == 0:
                asked.append(("TS.ADD", name, count[name], 1))
                want.append(count[name])
                count[name] += 1
            elif kind == 1:
                asked.append(("SET", "k%d" % n, n))
                want.append("OK")
            elif kind == 2:
                asked.append(("TS.RANGE", name, "-", "+", "AGGREGATION", "count", 10 ** 9))
                want.append([[0, str(count[name])]])
            else:
                asked.append(("TSDB_CANDLE", name, "-", "+", 10 ** 9))
                want.append(count[name])
        got = c.pipe(asked)
        for q, w, r in zip(asked, want, got):
            eq(r if q[0] != "TSDB_CANDLE" else int(r[0][6]), w, q)
        s.stop()


def test_neighbours_far_behind_the_range_are_fetched(t):
    """What EMPTY and twa look for behind the range lies blocks away, past those a filter leaves out, and none of
    it is in the block cache."""
    n = 100000
    s = start(t, 1)
    c = s.client()
    c.ok("TS.CREATE", "k", "LABELS", "a", "b")
    values = [t.random.random() for _ in range(n)] + [100 + t.random.random() for _ in range(n)] + [0.5]
    all_in(c, [("TS.MADD", *[x for i in range(a, min(a + 100, len(values))) for x in ("k", i, repr(values[i]))])
               for a in range(0, len(values), 100)])
    eq(c("SAVE"), "OK")
    tail = ("FILTER_BY_VALUE", 0, 1, "AGGREGATION", "avg,twa", 100, "EMPTY")
    questions = [("TS.RANGE", "k", 100, n - 1, *tail), ("TS.RANGE", "k", 100, n - 1, "LATEST", *tail),
                 ("TS.REVRANGE", "k", 2 * n, 2 * n + 10, *tail), ("TS.RANGE", "k", n - 100, n - 1, "LATEST", *tail),
                 ("TS.MRANGE", 100, n - 1, *tail, "FILTER", "a=b"),
                 ("TS.MREVRANGE", 2 * n, 2 * n + 10, *tail, "FILTER", "a=b")]
    want = in_one_go(c, questions)
    for limits in ({}, {"slice-ns": 0, "slice-points": 1000}):
        for q, w in zip(questions, want):
            s.restart()
            limit(s, limits)
            got = in_slices(s.client(), [q])[0]
            assert got == w, (limits, q, w[:300], got[:300])


def long_question(c, w):
    """One that takes ten times two milliseconds or so, most of them for reading."""
    c.ok("TS.CREATE", "long")
    all_in(w, [("TS.MADD", *[x for ts in range(a, a + 500) for x in ("long", ts, ts * 7919 % 100003)])
               for a in range(0, 200000, 500)])
    eq(c("SAVE"), "OK")
    return "TS.RANGE", "long", "-", "+", "AGGREGATION", "std.p,twa,p50,p99", 100


def freeze(s):
    """All threads of the server; waits until they stand still."""
    os.kill(s.process.pid, signal.SIGSTOP)
    tasks = "/proc/%d/task" % s.process.pid
    while True:
        states = [open("%s/%s/stat" % (tasks, i)).read().rpartition(")")[2].split()[0] for i in os.listdir(tasks)]
        if set(states) == {"T"}:
            return
        time.sleep(0.0005)


def test_a_long_read_goes_on_while_nobody_else_waits(t):
    """In one go; it makes way for whoever comes meanwhile, and the answer is the same."""
    for cores in (1, 2):
        s = start(t, cores)
        core = key_core("long", cores)
        c, other, observer = (s.core_client(core) for _ in range(3))
        q = long_question(c, observer)
        [want] = in_one_go(c, [q])

        def ask(meanwhile=None):
            """(in how many slices it went, was the other one answered first)"""
            before = int(info(observer)["txn_slices"])
            c.send(*q)
            if meanwhile is not None:
                time.sleep(meanwhile)
                eq(other("PING"), "PONG")
            first = not select.select([c.sock], [], [], 0)[0]
            eq(c.read_raw(), want)
            return int(info(observer)["txn_slices"]) - before, first

        assert any(ask()[0] == 0 for _ in range(100)), "nobody else was there, and it went in slices"
        tries = []
        while len(tries) < (200 if t.long else 10) or not any(n > 0 and first for n, first in tries):
            tries.append(ask(t.random.random() * 0.01))
            assert len(tries) < 500, "it has never made way"
        t.say("%d of %d in slices" % (sum(n > 0 for n, _ in tries), len(tries)))
        s.stop()


def test_a_long_read_makes_way_for_what_came_with_it(t):
    """What the same turn of the loop has brought, before it or behind it, is answered first, and what it has
    written is on its way to the disk."""
    s = start(t, 1, appendfsync="always")
    c, other, observer = s.client(), s.client(), s.client()
    q = long_question(c, observer)
    [want] = in_one_go(c, [q])
    for n in range(24):
        asked = (("GET", "k"), ("SET", "k", n))[n % 2], q
        before = int(info(observer)["txn_slices"])
        freeze(s)
        for who, words in ((other, asked[0]), (c, asked[1]))[::1 if n % 4 < 2 else -1]:
            who.send(*words)
        os.kill(s.process.pid, signal.SIGCONT)
        ready = select.select([c.sock, other.sock], [], [], 60)[0]
        assert n % 2 or other.sock in ready
        eq(other.read(), ("OK" if n % 2 else str(n - 1).encode() if n else None))
        eq(c.read_raw(), want)
        assert int(info(observer)["txn_slices"]) > before
