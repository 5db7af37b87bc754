"""Rules of a source with a retention, written at random and compared with a plain model: a bucket that is over
has all its points, one that gets a late point afterwards has what retention still shows of it; over
checkpoints, crashes and another number of cores."""
from pinstripe import cpus, eq
from resp import Error

FUNCTIONS = {"sum": sum, "count": len, "min": min, "max": max, "first": lambda v: v[0], "last": lambda v: v[-1],
             "range": lambda v: max(v) - min(v)}


class Rule:
    """A source, a destination, and what they should have."""

    def __init__(self, r, name):
        self.r, self.source, self.destination = r, "s" + name, "d" + name
        self.retention, self.kept = r.choice((50, 200, 1000)), r.choice((0, 0, 500))
        self.function, self.bucket, self.align = r.choice(sorted(FUNCTIONS)), r.choice((10, 60, 300)), r.choice((0, 7))
        self.points = {}  # also those that are hidden
        self.buckets = {}
        self.newest = None

    def create(self, c):
        c.ok("TS.CREATE", self.source, "RETENTION", self.retention, "DUPLICATE_POLICY", "LAST")
        c.ok("TS.CREATE", self.destination, "RETENTION", self.kept)
        c.ok("TS.CREATERULE", self.source, self.destination, "AGGREGATION", self.function, self.bucket, self.align)

    def start(self, ts):
        return ts - (ts - self.align) % self.bucket

    def value(self, start, visible=0):
        return FUNCTIONS[self.function]([self.points[ts] for ts in sorted(self.points)
                                         if max(start, visible) <= ts < start + self.bucket])

    def choose(self):
        if self.newest is None:
            return 1000
        if self.r.random() < 0.7:
            return self.newest + self.r.choice((0, 1, 2, 5, 9, 30, 100))
        return max(0, self.newest - self.r.randrange(self.retention + 20))

    def add(self, c):
        ts, value = self.choose(), self.r.randrange(-9, 10)
        open_bucket = None if self.newest is None else self.start(self.newest)
        shown = -1 if self.newest is None else self.newest - self.retention
        is_late = self.newest is not None and ts < self.newest
        if is_late and self.start(ts) == open_bucket and open_bucket < shown:
            return  # counts with what is shown or with all
        reply = c(self.r.choice(("TS.ADD", "TSDB_SET")), self.source, ts, value)
        eq(isinstance(reply, Error), ts < shown, "at %d, newest %s: %s" % (ts, self.newest, reply))
        if ts < shown:
            return
        self.points[ts] = value
        if is_late:
            if self.start(ts) != open_bucket:
                self.buckets[self.start(ts)] = self.value(self.start(ts), shown)
            return
        self.newest = ts
        if open_bucket not in (None, self.start(ts)):
            self.buckets[open_bucket] = self.value(open_bucket)

    def check(self, c):
        last = max(self.buckets, default=0)
        want = [[max(ts, 0), v] for ts, v in sorted(self.buckets.items()) if not self.kept or ts >= last - self.kept]
        eq([[ts, float(v)] for ts, v in c.ok("TS.RANGE", self.destination, "-", "+")], want, vars(self))
        if self.newest is None:
            return
        now = self.start(self.newest)
        ts, value = c.ok("TS.GET", self.destination, "LATEST")
        eq([ts, float(value)], [max(now, 0), self.value(now)], vars(self))
        eq([p[0] for p in c.ok("TS.RANGE", self.source, "-", "+")],
           [ts for ts in sorted(self.points) if ts >= self.newest - self.retention])


def disturb(t, server, c):
    """A client to go on with."""
    how = t.random.random()
    if how < 0.02:
        c.ok("SAVE")
    elif how < 0.025:
        server.kill9()
        return server.start(cores=t.random.choice((1, 2))).client()
    return c


def test_buckets_of_a_source_with_retention(t):
    cpus(2)
    server = t.server(cores=2, block_points=64, block_seconds=1)
    c = server.client()
    for n in range(200 if t.long else 6):
        rule = Rule(t.random, str(n))
        rule.create(c)
        for _ in range(t.random.choice((60, 300))):
            rule.add(c)
            c = disturb(t, server, c)
            if t.random.random() < 0.1:
                rule.check(c)
        rule.check(c)
