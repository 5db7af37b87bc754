"""What TS.RANGE and TS.REVRANGE say of a series, computed the slow way: for each bucket all points are
looked at. Points are (time, value), sorted, each time once; NaN is a value."""
import math

START, MID, END = range(3)
MIN_TIME, MAX_TIME = -2 ** 63, 2 ** 63 - 1


class Query:
    """A range as asked; times are numbers, also for - and +."""

    def __init__(self, start=MIN_TIME, end=MAX_TIME, reverse=False, count=None, times=None, values=None,
                 functions=None, bucket=0, align=0, stamp=START, empty=False):
        self.start, self.end, self.reverse, self.count = start, end, reverse, count
        self.times, self.values, self.functions = times, values, functions
        self.bucket, self.align, self.stamp, self.empty = bucket, align, stamp, empty


def numbers(points):
    return [p for p in points if not math.isnan(p[1])]


def floor(q, ts):
    return ts - (ts - q.align) % q.bucket


def line(a, b, ts):
    return a[1] + (b[1] - a[1]) * (ts - a[0]) / (b[0] - a[0])


def area(a, b):
    return (a[1] + b[1]) / 2 * (b[0] - a[0])


def variance(values):
    n, total = len(values), sum(values)
    return (sum(v * v for v in values) - 2 * total * total / n + (total / n) ** 2 * n) / n


class Bucket:
    """One bucket: `all` are the points that passed the filters, `inside` those of the query in it."""

    def __init__(self, q, everything, start):
        self.q, self.all, self.start = q, everything, start
        self.inside = [p for p in everything if start <= p[0] < start + q.bucket and
                       q.start <= p[0] <= q.end]
        self.numbers = numbers(self.inside)
        self.values = [v for _, v in self.numbers]

    def has_row(self):
        if self.q.empty:
            return True
        return any({"countall": self.inside, "countnan": len(self.inside) > len(self.numbers)}
                   .get(fn, self.numbers) for fn in self.q.functions)

    def stamp(self):
        shown = 0 if self.start < 0 < self.start + self.q.bucket else self.start
        return shown + (0, self.q.bucket // 2, self.q.bucket)[self.q.stamp]

    def counted(self, fn):
        return {"count": len(self.numbers), "countall": len(self.inside),
                "countnan": len(self.inside) - len(self.numbers), "sum": sum(self.values)}.get(fn)

    def spread(self, fn):
        v, n = variance(self.values), len(self.values)
        if fn.endswith(".s"):
            v = v * n / (n - 1) if n > 1 else 0.0
        if fn.startswith("var"):
            return v
        return math.sqrt(v) if v >= 0 else math.nan

    def last(self):
        if self.values:
            return self.values[-1]
        before = [p for p in numbers(self.all) if p[0] < self.start]
        return before[-1][1] if self.q.empty and before else math.nan

    def twa(self):
        start, end = max(self.start, self.q.start), min(self.start + self.q.bucket, self.q.end)
        known = numbers(self.all)
        if not self.numbers:
            before, after = [p for p in known if p[0] <= start], [p for p in known if p[0] >= end]
            if not (self.q.empty and before and after):
                return math.nan
            return (line(before[-1], after[0], start) + line(before[-1], after[0], end)) / 2
        path = list(self.numbers)
        before = [p for p in known if p[0] < path[0][0]]
        after = [p for p in known if p[0] > path[-1][0]]
        if before and start < path[0][0]:
            path.insert(0, (start, line(before[-1], path[0], start)))
        if after and end > path[-1][0]:
            path.append((end, line(path[-1], after[0], end)))
        if len(path) == 1:
            return path[0][1]
        return sum(area(a, b) for a, b in zip(path, path[1:])) / (path[-1][0] - path[0][0])

    def value(self, fn):
        if self.counted(fn) is not None:
            return float(self.counted(fn))
        if fn in ("last", "twa"):
            return getattr(self, fn)()
        if not self.values:
            return math.nan
        if fn[0] == "p":
            return sorted(self.values)[math.ceil(len(self.values) * int(fn[1:]) / 100) - 1]
        if fn in ("var.p", "var.s", "std.p", "std.s"):
            return self.spread(fn)
        return {"min": min, "max": max, "first": lambda v: v[0], "range": lambda v: max(v) - min(v),
                "avg": lambda v: sum(v) / len(v)}[fn](self.values)


def passes(q, p):
    return (q.times is None or p[0] in q.times) and \
        (q.values is None or q.values[0] <= p[1] <= q.values[1])


def bucket_rows(q, points):
    """Buckets between the first and the last point of the range, with EMPTY also those at its edges
    when the series goes on beyond them."""
    found = [p[0] for p in points if q.start <= p[0] <= q.end]
    before, after = any(p[0] < q.start for p in points), any(p[0] > q.end for p in points)
    if not found and not (q.empty and before and after):
        return []
    low = floor(q, q.start if q.empty and before else found[0])
    high = floor(q, q.end if q.empty and after else found[-1])
    buckets = (Bucket(q, points, start) for start in range(low, high + 1, q.bucket))
    return [[b.stamp()] + [b.value(fn) for fn in q.functions] for b in buckets if b.has_row()]


def answer(q, points, retention=0):
    kept = points[-1][0] - retention if points and retention else MIN_TIME
    seen = [p for p in points if p[0] >= kept and passes(q, p)]
    q.start = max(q.start, kept)
    if q.functions:
        rows = bucket_rows(q, seen)
    else:
        rows = [list(p) for p in seen if q.start <= p[0] <= q.end]
    if q.reverse:
        rows.reverse()
    return rows[:q.count]
