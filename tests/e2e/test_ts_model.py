"""TS.RANGE and TS.REVRANGE with random options, against a model (ts_model.py): points in memory, on
disk, late, deleted, and hidden by retention."""
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


class Series:
    """A key, and what it should have."""

    def __init__(self, r, key, base, extended):
        self.r, self.key, self.base, self.extended = r, key, base, extended
        self.retention = r.choice((0, 0, 300))
        self.points = []  # sorted

    def create(self, c):
        c.ok("TS.CREATE", self.key, "RETENTION", self.retention, "DUPLICATE_POLICY", "LAST")

    def near(self):
        low = self.points[0][0] if self.points else self.base
        high = self.points[-1][0] if self.points else self.base + 100
        ts = self.r.randrange(low - 60, high + 61)
        return ts if self.extended else max(ts, 0)

    def set(self, ts, value):
        i = bisect.bisect_left([p[0] for p in self.points], ts)
        if i < len(self.points) and self.points[i][0] == ts:
            # of a number and NaN the number stays
            if math.isnan(value) and not math.isnan(self.points[i][1]):
                return
            self.points[i] = (ts, value)
        else:
            self.points.insert(i, (ts, value))

    def add(self, c, ts, value):
        late = self.points and ts < self.points[-1][0] - self.retention and self.retention
        if ts < 0:  # TS.ADD takes no such times
            value = 0.0 if math.isnan(value) else value
            reply = c("TSDB_SET", self.key, ts, value)
        else:
            reply = c("TS.ADD", self.key, ts, "nan" if math.isnan(value) else value)
        eq(isinstance(reply, Error), bool(late), "TS.ADD %d of %d: %s" % (ts, self.retention, reply))
        if not late:
            self.set(ts, value)

    def write(self, c, n):
        value = lambda: math.nan if self.r.random() < 0.1 else float(self.r.randrange(-50, 51))
        for _ in range(n):
            ts = self.points[-1][0] if self.points else self.base
            if self.r.random() < 0.2:
                ts = self.near()
            else:
                ts += self.r.choice((1, 1, 3, 10, 40))
            self.add(c, ts, value())

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
    alike = len(got) == len(want) and all(
        g[0] == w[0] and len(g) == len(w) and
        all(same_value(a, b, fn) for a, b, fn in zip(g[1:], w[1:], functions))
        for g, w in zip(got, want))
    assert alike, "%s\n  got  %s\n  want %s\n  of   %s, retention %d" % (
        " ".join(map(str, words)), got, want, s.points, s.retention)


def ask(c, r, s, n):
    for _ in range(n):
        if s.points:
            check(c, *random_query(r, s), s)


def run(t, extended):
    server = t.server(ts_compat="extended" if extended else "strict", appendfsync="no")
    rounds = 60 if t.long else 3
    for n in range(rounds):
        c = server.client(proto=3)
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
        c = server.client(proto=3)
        for s in series:
            ask(c, t.random, s, 40)


def test_random_queries_against_a_model(t):
    run(t, True)


def test_random_queries_against_a_model_where_replies_are_strict(t):
    run(t, False)
