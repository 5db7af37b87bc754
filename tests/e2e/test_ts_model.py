"""TS.RANGE, TS.REVRANGE and TSDB_GET ... AGG with random options, in both protocols and in slices as well,
against a model (ts_model.py): points in memory, on disk, late, deleted, and hidden by retention, written
by every command of TS.*, under every policy but KEEP."""
import bisect
import copy
import math

import ts_model
from pinstripe import eq
from resp import Error
from ts_model import MAX_TIME, MIN_TIME, Query

FUNCTIONS = ["min", "max", "range", "sum", "avg", "count", "first", "last", "std.p", "std.s", "var.p",
             "var.s", "twa", "countnan", "countall"]
OURS = ["p50", "p95", "p99"]
ROUNDED = {"avg", "std.p", "std.s", "var.p", "var.s", "twa"}  # the rest is exact: values are whole
BASES = [0, 1000, 1_700_000_000_000]
STAMPS = [["start", "-"], ["mid", "~"], ["end", "+"]]
POLICIES = ["LAST", "FIRST", "MIN", "MAX", "SUM", "BLOCK"]


class Refused(Exception):
    """The server is to answer an error."""


def meet(old, new, policy):
    """What stays of two values of one time."""
    if policy == "BLOCK":
        raise Refused()
    if math.isnan(old) != math.isnan(new):
        if policy in ("MIN", "MAX", "SUM"):
            raise Refused()
        return new if math.isnan(old) else old  # the number stays
    return {"LAST": new, "FIRST": old, "MIN": min(old, new), "MAX": max(old, new), "SUM": old + new}[policy]


class Series:
    """A key, and what it should have."""

    def __init__(self, r, key, base, extended):
        self.r, self.key, self.base, self.extended = r, key, base, extended
        self.retention = r.choice((0, 0, 300))
        self.policy = r.choice(POLICIES)
        self.ignore = r.choice(((0, 0), (0, 0), (3, 2)))
        self.points = []  # sorted

    def create(self, c):
        c.ok("TS.CREATE", self.key, "RETENTION", self.retention, "DUPLICATE_POLICY", self.policy, "IGNORE",
             *self.ignore)

    def near(self):
        low = self.points[0][0] if self.points else self.base
        high = self.points[-1][0] if self.points else self.base + 100
        ts = self.r.randrange(low - 60, high + 61)
        return ts if self.extended else max(ts, 0)

    def is_ignored(self, ts, value):
        if not self.points:
            return False
        after, change = ts - self.points[-1][0], abs(value - self.points[-1][1])
        return 0 <= after <= self.ignore[0] and change <= self.ignore[1]  # False for NaN

    def set(self, ts, value, policy, ignores=True):
        """The answer: a time."""
        if self.points and self.retention and ts < self.points[-1][0] - self.retention:
            raise Refused()
        if ignores and policy == "LAST" and self.is_ignored(ts, value):
            return self.points[-1][0]
        i = bisect.bisect_left([p[0] for p in self.points], ts)
        if i < len(self.points) and self.points[i][0] == ts:
            self.points[i] = (ts, meet(self.points[i][1], value, policy))
        else:
            self.points.insert(i, (ts, value))
        return ts

    def expects(self, reply, *what, **how):
        try:
            eq(reply, self.set(*what, **how), (self.policy, *what))
        except Refused:
            assert isinstance(reply, Error), (reply, self.policy, what)

    def add(self, c, ts, value):
        text = "nan" if math.isnan(value) else value
        if ts < 0:  # TS.ADD takes no such times
            value = 0.0 if math.isnan(value) else value
            reply = c("TSDB_SET", self.key, ts, value)
            self.expects(ts if reply == "OK" else reply, ts, value, self.policy, ignores=False)
        elif self.r.random() < 0.7:
            self.expects(c("TS.ADD", self.key, ts, text), ts, value, self.policy)
        else:
            policy = self.r.choice(POLICIES)
            self.expects(c("TS.ADD", self.key, ts, text, "ON_DUPLICATE", policy), ts, value, policy)

    def add_several(self, c, points):
        words = [w for ts, v in points for w in (self.key, ts, "nan" if math.isnan(v) else v)]
        for reply, point in zip(c.ok("TS.MADD", *words), points):
            self.expects(reply, *point, self.policy)

    def count_up(self, c, ts, by):
        last = self.points[-1] if self.points else (ts, 0.0)
        reply = c("TS.DECRBY" if by < 0 else "TS.INCRBY", self.key, abs(by), "TIMESTAMP", ts)
        if ts < last[0] or math.isnan(last[1]):
            assert isinstance(reply, Error), (reply, ts, last)
        else:
            self.expects(reply, ts, last[1] + by, "LAST")

    def write(self, c, n):
        value = lambda: math.nan if self.r.random() < 0.1 else float(self.r.randrange(-50, 51))
        for _ in range(n):
            ts = self.points[-1][0] if self.points else self.base
            if self.r.random() < 0.2:
                ts = self.near()
            else:
                ts += self.r.choice((0, 1, 1, 3, 10, 40))
            how = self.r.random()
            if how < 0.8 or ts < 0:
                self.add(c, ts, value())
            elif how < 0.9:
                self.add_several(c, [(ts + self.r.randrange(9), value()) for _ in range(5)])
            else:
                self.count_up(c, ts, self.r.randrange(-9, 10))

    def delete(self, c):
        if self.retention:
            return
        start = self.near()
        end = start + self.r.randrange(20)
        gone = [p for p in self.points if start <= p[0] <= end]
        eq(c("TS.DEL", self.key, start, end), len(gone))
        self.points = [p for p in self.points if p not in gone]


def random_query(r, s):
    """(Query, its words)"""
    q, words = Query(), []
    if r.random() < 0.6:
        q.start = s.near()
    if r.random() < 0.6:
        q.end = max(s.near(), q.start)
    bounds = ["-" if q.start == MIN_TIME else q.start, "+" if q.end == MAX_TIME else q.end]
    parts = []
    if r.random() < 0.2:
        q.times = {s.near() for _ in range(r.randrange(1, 30))}
        if s.points:
            q.times |= {p[0] for p in r.sample(s.points, min(len(s.points), 20))}
        parts.append(["FILTER_BY_TS", *r.sample(sorted(q.times), len(q.times))])
    if r.random() < 0.25:
        q.values = sorted((r.randrange(-60, 60), r.randrange(-60, 60)))
        parts.append(["FILTER_BY_VALUE", *q.values])
    if r.random() < 0.3:
        q.count = r.randrange(1, 12)
        parts.append(["COUNT", q.count])
    if r.random() < 0.8:
        parts += random_aggregation(r, s, q)
    r.shuffle(parts)
    for part in parts:
        words += part
    q.reverse = r.random() < 0.5
    return q, ["TS.REVRANGE" if q.reverse else "TS.RANGE", s.key, *bounds, *words]


def random_aggregation(r, s, q):
    known = FUNCTIONS + (OURS if s.extended else [])
    q.functions = r.choices(known, k=r.choice((1, 1, 2, 3, 16)))
    q.bucket = r.choice((1, 2, 7, 10, 60, 1000))
    behind = []
    if r.random() < 0.5:
        q.stamp = r.randrange(3)
        behind = [["BUCKETTIMESTAMP", r.choice(STAMPS[q.stamp])]]
    if r.random() < 0.4:
        q.empty = True
        behind.insert(r.randrange(len(behind) + 1), ["EMPTY"])
    parts = [["AGGREGATION", ",".join(q.functions), q.bucket] + sum(behind, [])]
    kind = r.choice(("none", "number", "start", "end"))
    if kind == "number":
        q.align = r.randrange(100) if not s.extended else r.randrange(-100, 100)
        parts.append(["ALIGN", q.align])
    elif kind == "start" and q.start != MIN_TIME:
        q.align = q.start
        parts.append(["ALIGN", r.choice(("start", "-"))])
    elif kind == "end" and q.end != MAX_TIME:
        q.align = q.end
        parts.append(["ALIGN", r.choice(("end", "+"))])
    return parts


def same_value(got, want, fn):
    if math.isnan(want) or math.isnan(got):
        return math.isnan(want) and math.isnan(got)
    return got == want or (fn in ROUNDED and abs(got - want) <= 1e-6 * max(1, abs(want)))


def check(c, q, words, s):
    want = ts_model.answer(copy.copy(q), s.points, s.retention)
    got = c.ok(*words)
    functions = q.functions or ["value"]
    got = [[row[0], *map(float, row[1:])] for row in got]
    alike = len(got) == len(want) and all(
        g[0] == w[0] and len(g) == len(w) and
        all(same_value(a, b, fn) for a, b, fn in zip(g[1:], w[1:], functions))
        for g, w in zip(got, want))
    assert alike, "%s\n  got  %s\n  want %s\n  of   %s, retention %d" % (
        " ".join(map(str, words)), got, want, s.points, s.retention)


def tsdb_words(q, s):
    """The same by TSDB_GET, which has fewer options."""
    words = ["TSDB_GET", s.key, q.start, q.end, "AGG", ",".join(q.functions), q.bucket]
    return words + ([q.count] if q.count else []) + (["REV"] if q.reverse else [])


def ask(c, r, s, n):
    for _ in range(n if s.points else 0):
        q, words = random_query(r, s)
        check(c, q, words, s)
        if q.functions and not (q.times or q.values or q.align or q.stamp or q.empty):
            check(c, q, tsdb_words(q, s), s)


def connect(server, r):
    """A client, of a server that goes in slices as short as they can be, or not."""
    for core in range(server.cores):
        slice_ns = r.choice((0, 1000000))
        eq(server.core_client(core)("DEBUG", "LIMIT", "slice-ns", slice_ns), "OK")
    return server.client(proto=r.choice((2, 3)))


def run(t, extended):
    server = t.server(cores=2 if extended else 1, ts_compat="extended" if extended else "strict",
                      appendfsync="no", core_ports="yes", enable_debug_command="yes")
    rounds = 60 if t.long else 3
    for n in range(rounds):
        c = connect(server, t.random)
        series = [Series(t.random, "%d:%d" % (n, i), base, extended)
                  for i, base in enumerate(BASES + ([-500] if extended else []))]
        for s in series:
            s.create(c)
            s.write(c, 60)
            ask(c, t.random, s, 40)
        c.ok("SAVE")
        for s in series:
            s.write(c, 15)
            s.delete(c)
            ask(c, t.random, s, 40)
        server.restart()
        c = connect(server, t.random)
        for s in series:
            ask(c, t.random, s, 40)


def test_random_queries_against_a_model(t):
    run(t, True)


def test_random_queries_against_a_model_where_replies_are_strict(t):
    run(t, False)
