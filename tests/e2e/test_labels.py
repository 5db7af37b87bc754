"""The index of labels follows every change of a series: made, altered, copied, renamed, overwritten,
deleted, expired, gone from memory; also over restarts, crashes and another number of cores."""
import time

from pinstripe import eq, holds, until
from resp import Error, encode, info

NAMES = ("area", "kind", "id")
FAR_S = 10 ** 7


def find(labels, name):
    """The value of a label, None without it."""
    return dict(labels).get(name)


class Series:
    """What series there are and their labels, and some strings that got in their way."""

    KEYS = 120

    def __init__(self, t):
        self.random = t.random
        self.dbs = {0: {}, 3: {}}

    def labels(self):
        r = self.random
        return [(name, "%s%d" % (name[0], r.randrange(3 if name != "id" else 500)))
                for name in NAMES if r.random() < 0.7]

    def words(self, labels):
        return ["LABELS"] + [w for pair in labels for w in pair] if labels else []

    def change(self, c, n=200):
        commands = []
        for _ in range(n):
            db = self.random.choice((0, 0, 0, 3))
            have = self.dbs[db]
            commands += [("SELECT", db)] + self.one(have)
        commands.append(("SELECT", 0))
        for reply in c.pipe_many(commands):
            assert not isinstance(reply, Error), reply

    def one(self, have):
        """One change, as commands; `have`: key -> labels, None for a string."""
        r = self.random
        key, other = (b"k%03d" % r.randrange(self.KEYS) for _ in range(2))
        there = isinstance(have.get(key), list)
        dice = r.random()
        if dice < 0.02:
            have.clear()
            return [("FLUSHDB",)]
        if not there:
            before = [] if key not in have else [("DEL", key)]
            have[key] = self.labels()
            return before + [("TS.CREATE", key, *self.words(have[key])),
                             ("TS.ADD", key, r.randrange(1000), 1)]
        if dice < 0.2:
            have[key] = self.labels()
            return [("TS.ALTER", key, "LABELS", *self.words(have[key])[1:])]
        if dice < 0.35:
            del have[key]
            return [("DEL", key)]
        if dice < 0.5:
            have[key] = None
            return [("SET", key, "a string")]
        if dice < 0.65 and key != other:
            have[other] = have.pop(key)
            return [("RENAME", key, other)]
        if dice < 0.8 and key != other:
            have[other] = list(have[key])
            return [("COPY", key, other, "REPLACE")]
        if dice < 0.9:
            del have[key]
            return [("PEXPIREAT", key, 1)]
        return [("EXPIRE", key, FAR_S), ("TS.ADD", key, r.randrange(1000, 2000), 2, "ON_DUPLICATE", "LAST")]

    def check(self, c):
        for db, have in self.dbs.items():
            eq(c("SELECT", db), "OK")
            series = {k: v for k, v in have.items() if v is not None}
            for name in NAMES:
                for value in sorted({find(v, name) for v in series.values()} - {None})[:6]:
                    eq(c("TS.QUERYINDEX", "%s=%s" % (name, value)),
                       sorted(k for k, v in series.items() if find(v, name) == value))
                eq(c("TS.QUERYLABELS", "VALUES", name),
                   sorted({find(v, name).encode() for v in series.values() if find(v, name)}))
            for kind in ("k0", "k1", "k2"):
                eq(c("TS.QUERYINDEX", "kind=" + kind, "area!=a1", "id="),
                   sorted(k for k, v in series.items() if find(v, "kind") == kind
                          and find(v, "area") != "a1" and find(v, "id") is None))
            eq(c("DBSIZE"), len(have))
        eq(c("SELECT", 0), "OK")


def follow(t, cores, ends):
    s = t.server(cores=cores, start=False)
    model = Series(t)
    for end in ends:
        s.start(cores=cores)
        c = s.client(proto=2)
        model.check(c)
        model.change(c)
        model.check(c)
        if "save" in end:
            eq(c("SAVE"), "OK")
            model.check(c)
            model.change(c, 60) if "more" in end else None
        if "move" in end:
            cores = 3 - cores
        s.kill9() if "kill" in end else s.stop()
    s.start(cores=cores)
    model.check(s.client(proto=2))


def test_the_index_follows_every_change(t):
    follow(t, 1, ("stop", "kill", "save kill", "save more kill", "stop"))


def test_the_index_follows_over_two_cores_and_moves(t):
    follow(t, 2, ("save more kill move", "kill move", "stop move", "save kill"))


def test_series_that_only_the_store_has_leave_the_index_when_their_time_is_over(t):
    s = t.server(cores=2, hz=100)
    c = s.client(proto=2)
    for i in range(100):
        eq(c("TS.CREATE", "s%02d" % i, "LABELS", "area", "a", "odd", i % 2), "OK")
    c.pipe_many([("PEXPIRE", "s%02d" % i, 1500) for i in range(1, 100, 2)])
    s.restart()
    c = s.client(proto=2)
    even = [b"s%02d" % i for i in range(0, 100, 2)]
    until(lambda: c("TS.QUERYINDEX", "area=a") == even, what="the expired ones are forgotten")
    eq(c("TS.QUERYLABELS", "VALUES", "odd"), [b"0"])
    s.kill9()
    s.start()
    c = s.client(proto=2)
    eq(c("TS.QUERYINDEX", "area=a"), even)
    eq(c("TS.QUERYINDEX", "odd=(0,1)"), even)


def test_what_is_over_is_not_shown_although_nobody_removed_it(t):
    c = t.server(hz=1, **{"active-expire-effort": 1}).client(proto=2)
    eq(c("TS.CREATE", "s", "LABELS", "a", "1"), "OK")
    eq(c("TS.CREATE", "t", "LABELS", "a", "1", "b", "2"), "OK")
    eq(c("PEXPIRE", "t", 30), 1)
    until(lambda: c("PTTL", "s") == -1 and c("TS.QUERYINDEX", "a=1") == [b"s"], what="t is over")
    eq(c("TS.QUERYLABELS", "LABELS", "FILTER", "a=1"), [b"a"])


def test_series_that_left_memory_are_found(t):
    for cores in (1, 2):
        s = t.server(cores=cores, maxmemory="12mb")
        c = s.client(proto=2)
        made = c.pipe_many([("TS.CREATE", "s%04d" % i, "LABELS", "area", "a%d" % (i % 10), "n", i)
                            for i in range(2000)])
        eq(set(made), {"OK"})
        eq(c("SAVE"), "OK")
        for i in range(300):
            eq(c.pipe_many([("SET", "x%d" % (100 * i + k), "v" * 900) for k in range(100)]),
               ["OK"] * 100)
            if int(info(c)["evicted_keys"]) > 25000:
                break
        want = [b"s%04d" % i for i in range(3, 2000, 10)]
        eq(c("TS.QUERYINDEX", "area=a3"), want)
        # Overwritten without a look at what was there.
        eq(c.pipe_many([("SET", k, "v") for k in want[:100]]), ["OK"] * 100)
        eq(c("TS.QUERYINDEX", "area=a3"), want[100:])
        eq(c("DEL", *want[100:150]), 50)
        eq(c("TS.QUERYINDEX", "area=a3"), want[150:])
        s.kill9()
        s.start()
        c = s.client(proto=2)
        eq(c("TS.QUERYINDEX", "area=a3"), want[150:])
        eq(len(c("TS.QUERYLABELS", "VALUES", "n")), 2000 - 150)
        s.stop()


def test_queries_see_what_a_transaction_did_before_them(t):
    s = t.server(cores=2)
    c = s.client(proto=2)
    eq(c("TS.CREATE", "old", "LABELS", "a", "1"), "OK")
    c("MULTI")
    for command in (("TS.CREATE", "new", "LABELS", "a", "1"), ("TS.QUERYINDEX", "a=1"),
                    ("DEL", "old"), ("TS.QUERYINDEX", "a=1"),
                    ("TS.QUERYLABELS", "VALUES", "a"), ("TS.QUERYINDEX", "a=")):
        eq(c(*command), "QUEUED")
    got = c("EXEC")
    eq(got[:5], ["OK", [b"new", b"old"], 1, [b"new"], [b"1"]])
    assert isinstance(got[5], Error), got[5]
    eq(s.client(proto=3)("TS.QUERYINDEX", "a=1"), [b"new"])


def test_questions_about_labels(t):
    s = t.server(cores=2)
    c = s.client(proto=2)
    for i in range(20):
        eq(c("TS.ADD", "s%d" % i, 1, 1, "LABELS", "host", "h%d" % (i % 4), "half", i // 10), 1)
    eq(c("TS.CREATE", "plain", "LABELS", "zone", "z"), "OK")
    eq(c("TS.QUERYLABELS", "LABELS"), [b"half", b"host", b"zone"])
    eq(c("TS.QUERYLABELS", "labels", "FILTER", "host=h1"), [b"half", b"host"])
    eq(c("TS.QUERYLABELS", "VALUES", "host"), [b"h0", b"h1", b"h2", b"h3"])
    eq(c("TS.QUERYLABELS", "VALUES", "half", "FILTER", "host=h1", "half!=1"), [b"0"])
    eq(c("TS.QUERYLABELS", "VALUES", "nope"), [])
    three = s.client(proto=3)
    three.send_raw(encode("TS.QUERYLABELS", "LABELS"))
    eq(three.read_raw(), b"~3\r\n$4\r\nhalf\r\n$4\r\nhost\r\n$4\r\nzone\r\n")
    for command, error in (
            (("NAMES",), "unknown subtype, must be one of LABELS|VALUES"),
            (("LABELS", "x"), "unknown argument, expected FILTER"),
            (("VALUES", "host", "FILTER"), "FILTER given with no filter expressions"),
            (("VALUES",), "wrong number of arguments"),
            (("LABELS", "FILTER", "a!=1"), "please provide at least one matcher")):
        got = c("TS.QUERYLABELS", *command)
        assert isinstance(got, Error), got
        holds(str(got), error)
    long = "v" * 65001
    holds(str(c("TS.CREATE", "long", "LABELS", "a", long)), "longer than 65000 bytes")
    eq(c("TS.CREATE", "long", "LABELS", "a", long[1:]), "OK")
    eq(c("TS.QUERYINDEX", "a=" + long[1:]), [b"long"])


def used(c):
    return int(info(c, "memory")["used_memory"])


def make_many(c, n):
    """Series of four labels each, one of them its own."""
    for at in range(0, n, 500):
        for reply in c.pipe_many([("TS.CREATE", "series:%06d" % i, "LABELS", "host", "host_%d" % (i // 100),
                                   "rack", "rack_%d" % (i % 7), "metric", "m%d" % (i % 10), "id", i)
                                  for i in range(at, at + 500)]):
            eq(reply, "OK")


def test_memory_of_labels_comes_back(t):
    many = 10000
    s = t.server(cores=1, **{"appendfsync": "no"})
    c = s.client()
    make_many(c, 500)
    c("FLUSHALL")
    plain = 0
    while plain != used(c):  # until what was flushed is freed
        plain = used(c)
        time.sleep(0.1)
    for gone in ("flush", "delete", "store"):
        make_many(c, many)
        eq(len(c("TS.QUERYINDEX", "rack=rack_3")), len(range(3, many, 7)))
        took = used(c) - plain
        assert took < many * 400, "%d bytes a series with four labels" % (took // many)
        if gone == "store":
            eq(c("SAVE"), "OK")
        if gone == "flush":
            c("FLUSHALL")
        else:
            for at in range(0, many, 500):
                eq(c("DEL", *["series:%06d" % i for i in range(at, at + 500)]), 500)
        if gone == "store":
            eq(c("SAVE"), "OK")
        until(lambda: used(c) - plain < took // 10, what="that the memory of %s is back" % gone)
        eq(c("TS.QUERYINDEX", "rack=rack_3"), [])


def test_patterns_are_of_characters_where_values_are_text(t):
    c = t.server().client()
    for key, value in (("z", "Zürich"), ("b", b"Z\xfcrich"), ("e", "été"), ("n", "Zurich")):
        eq(c("TS.CREATE", key, "LABELS", "city", value, "all", 1), "OK")
    for pattern, want in (("Z.rich", [b"b", b"n", b"z"]), ("Z[üu]rich", [b"n", b"z"]),
                          ("Z[^u]rich", [b"b", b"z"]), ("(?i)ZÜRICH", [b"z"]), (".{3}", [b"e"]),
                          (b"Z\xfcrich", [b"b"]), (b"Z[\xfcu]rich", [b"b", b"n"]),
                          (".*", [b"b", b"e", b"n", b"z"]), (r"\x{e9}t\x{e9}", [b"e"])):
        text = pattern if isinstance(pattern, bytes) else pattern.encode()
        eq((pattern, c("TS.QUERYINDEX", b"city=~" + text)), (pattern, want))
        eq(c("TS.QUERYINDEX", "all=1", b"city!~" + text),
           [k for k in (b"b", b"e", b"n", b"z") if k not in want])
    for bad in ("(", r"\x{110000}"):
        holds(str(c("TS.QUERYINDEX", "city=~" + bad)), "regular expression", "at byte")
