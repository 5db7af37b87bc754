"""Commands over many series go in slices, between which others are served: with slices as short as they
can be the answers are those of a transaction, where everything goes in one go; what comes and goes
meanwhile harms nobody; and what would take too much memory is refused."""
import random
import threading
import time

from pinstripe import eq, holds
from resp import Error, encode, info

SERIES = 3000
FILTER_ALL = "all=1"
QUESTIONS = [
    ("TS.QUERYLABELS", "LABELS"),
    ("TS.QUERYLABELS", "VALUES", "own"),
    ("TS.QUERYLABELS", "VALUES", "kind"),
    ("TS.QUERYLABELS", "VALUES", "nobody"),
    ("TS.QUERYLABELS", "LABELS", "FILTER", "kind=k1"),
    ("TS.QUERYLABELS", "VALUES", "own", "FILTER", FILTER_ALL, "kind!=k2"),
    ("TS.QUERYLABELS", "VALUES", "kind", "FILTER", FILTER_ALL),
    ("TS.QUERYINDEX", FILTER_ALL),
    ("TS.MGET", "WITHLABELS", "FILTER", FILTER_ALL),
    ("TS.MRANGE", "-", "+", "FILTER", "kind=(k1,k2)"),
    ("TS.MREVRANGE", "-", "+", "AGGREGATION", "sum", 2, "FILTER", FILTER_ALL),
    ("TS.MRANGE", "-", "+", "WITHLABELS", "FILTER", FILTER_ALL, "GROUPBY", "kind", "REDUCE", "sum"),
    ("TS.MREVRANGE", "-", "+", "SELECTED_LABELS", "__source__", "kind", "FILTER", FILTER_ALL, "GROUPBY",
     "all", "REDUCE", "max"),
]


def start(t, cores, **limits):
    s = t.server(cores=cores, core_ports="yes", enable_debug_command="yes")
    limit(s, **limits)
    return s


def limit(s, **limits):
    for core in range(s.cores):
        c = s.core_client(core)
        for name, value in limits.items():
            eq(c("DEBUG", "LIMIT", name.replace("_", "-"), value), "OK")
        c.close()


def fill(c, n=SERIES):
    made = c.pipe_many([("TS.ADD", "s%05d" % (i * 7919 % n), i % 5, i, "LABELS", "all", 1, "own",
                         "value%d" % i, "kind", "k%d" % (i % 3), "n%d" % (i % 40), i) for i in range(n)])
    assert not any(isinstance(r, Error) for r in made)
    c.pipe_many([("TS.ADD", "s%05d" % i, 7, i) for i in range(0, n, 3)])


def raw_answers(c, questions):
    """What each is answered outside of MULTI, byte for byte, and inside."""
    outside = []
    for q in questions:
        c.send_raw(encode(*q))
        outside.append(c.read_raw())
    c.ok("MULTI")
    for q in questions:
        c.ok(*q)
    c.send_raw(encode("EXEC"))
    return outside, c.read_raw()


def test_slices_answer_as_a_transaction_does(t):
    for cores in (1, 2):
        s = start(t, cores, slice_ns=0)
        fill(s.client())
        for proto in (2, 3):
            outside, inside = raw_answers(s.client(proto=proto), QUESTIONS)
            eq(b"".join(outside), inside[inside.index(b"\n") + 1:])
            assert not any(r.startswith(b"-") for r in outside), outside
            assert outside[1].count(b"$") == SERIES and outside[2].count(b"$") == 3
        s.stop()


class Disturbers:
    """Clients who delete and make series, and empty databases, until stopped."""

    def __init__(self, s, seed, n=2):
        self.s, self.over, self.failures = s, threading.Event(), []
        self.threads = [threading.Thread(target=self.run, args=(seed + i,), daemon=True)
                        for i in range(n)]
        for thread in self.threads:
            thread.start()

    def run(self, seed):
        try:
            c, r = self.s.client(), random.Random(seed)
            while not self.over.is_set():
                i, k = r.randrange(400), r.randrange(10**9)
                c.pipe([("DEL", "goes%d" % i), ("DEL", "goes%d" % r.randrange(400)),
                        ("TS.ADD", "goes%d" % i, 1, 1, "LABELS", "all", 1, "own", "goes%d" % k,
                         "passing%d" % (k % 100), 1),
                        ("TS.ALTER", "s%05d" % (i % 300), "LABELS", "all", 1, "own", "value%d" % k),
                        ("SELECT", 1), ("TS.ADD", "x", 1, 1, "LABELS", "all", 1, "own", k), ("FLUSHDB",),
                        ("SELECT", 0)])
        except BaseException as e:
            self.failures.append(e)

    def stop(self):
        self.over.set()
        for thread in self.threads:
            thread.join(30)
        assert not self.failures, self.failures


def check_words(c):
    """Of series s00300 and behind nothing changes."""
    stay = {b"value%d" % i for i in range(SERIES) if i * 7919 % SERIES >= 300}
    for question in (("VALUES", "own"), ("VALUES", "own", "FILTER", FILTER_ALL)):
        got = c.ok("TS.QUERYLABELS", *question)
        assert stay <= set(got), sorted(stay - set(got))[:5]
        eq(got, sorted(set(got)))
    got = c.ok("TS.QUERYLABELS", "LABELS")
    assert {b"n%d" % i for i in range(40)} | {b"all", b"own", b"kind"} <= set(got), got
    eq(got, sorted(set(got)))
    got = c.ok("TS.QUERYINDEX", FILTER_ALL)
    eq([k for k in got if k.startswith(b"s")], [b"s%05d" % i for i in range(SERIES)])
    c.ok("SELECT", 1)
    assert len(c.ok("TS.QUERYLABELS", "VALUES", "own")) <= 4
    c.ok("SELECT", 0)


def test_words_that_stay_are_all_there_while_others_come_and_go(t):
    for cores in (1, 2):
        s = start(t, cores, slice_ns=0)
        c = s.client()
        fill(c)
        d = Disturbers(s, t.random.randrange(10**9))
        until, rounds = time.monotonic() + (20 if t.long else 0.7), 0
        while time.monotonic() < until or rounds < 2:
            check_words(c)
            rounds += 1
        d.stop()
        t.say("%d rounds" % rounds)
        s.stop()


def shown(reply):
    """Keys of a reply of TS.MGET or TS.MRANGE with labels, in RESP2, and their labels."""
    return {item[0]: dict(map(tuple, item[1])) for item in reply}


def test_who_does_not_fit_the_filter_any_more_when_its_turn_comes_is_left_out(t):
    n = 1000
    for cores in (1, 2):
        s = start(t, cores, slice_ns=0)
        c, other = s.client(), s.client()
        fill(c, n)
        for question in (("TS.MRANGE", "-", "+", "WITHLABELS", "FILTER", FILTER_ALL, "kind=~k.*"),
                         ("TS.MGET", "WITHLABELS", "FILTER", FILTER_ALL)):
            between = 0
            for attempt in range(14):
                new, old = (2, 1) if attempt % 2 == 0 else (1, 2)
                c.send_raw(encode(*["all=%d" % old if w == FILTER_ALL else w for w in question]))
                changed = other.pipe([("TS.ALTER", "s%05d" % i, "LABELS", "all", new, "kind", "k1")
                                      for i in reversed(range(n))])
                eq(changed, ["OK"] * n)
                found = shown(c.read())
                eq([k for k, l in found.items() if l[b"all"] != b"%d" % old], [], question)
                between += 0 < len(found) < n
            t.say("%d of 14 replies met the changes" % between)
        s.stop()


def test_a_client_that_leaves_between_slices_leaves_nothing_behind(t):
    for cores in (1, 2):
        s = start(t, cores, slice_ns=0)
        c = s.client()
        fill(c)
        before = int(info(c)["connected_clients"])
        for question in QUESTIONS * 2:
            gone = s.client()
            gone.send_raw(encode(*question))
            if t.random.random() < 0.7:
                time.sleep(t.random.random() * 0.004)
            gone.close()
        for _ in range(500):
            if int(info(c)["connected_clients"]) == before:
                break
            time.sleep(0.01)
        eq(int(info(c)["connected_clients"]), before)
        eq(len(c.ok("TS.QUERYLABELS", "VALUES", "own")), SERIES)
        s.stop()


def refused(c, question, limit_text):
    holds(str(c(*question)), "a core finds more than %s for this reply: give a COUNT, a longer bucket or "
          "a narrower FILTER" % limit_text)
    c.ok("MULTI")
    c.ok(*question)
    holds(str(c.ok("EXEC")[0]), "a core finds more than " + limit_text)


def test_more_than_a_core_may_gather_is_refused(t):
    for cores in (1, 2):
        s = start(t, cores, list_bytes=20000)
        c = s.client()
        fill(c)
        for question in (("TS.QUERYINDEX", FILTER_ALL), ("TS.QUERYLABELS", "VALUES", "own"),
                         ("TS.MGET", "FILTER", FILTER_ALL), ("TS.MRANGE", "-", "+", "FILTER", FILTER_ALL),
                         ("TS.QUERYLABELS", "VALUES", "own", "FILTER", FILTER_ALL)):
            refused(c, question, "20000 bytes")
        eq(len(c.ok("TS.QUERYLABELS", "VALUES", "kind", "FILTER", FILTER_ALL)), 3)
        eq(len(c.ok("TS.QUERYINDEX", "n1=1")), 1)
        limit(s, list_bytes=128 << 20, multi_bytes=1 << 16)
        for question in (("TS.MGET", "WITHLABELS", "FILTER", FILTER_ALL),
                         ("TS.MRANGE", "-", "+", "FILTER", FILTER_ALL),
                         ("TS.MRANGE", "-", "+", "FILTER", FILTER_ALL, "GROUPBY", "kind", "REDUCE",
                          "max")):
            refused(c, question, "65536 bytes")
        eq(len(c.ok("TS.QUERYINDEX", FILTER_ALL)), SERIES)
        s.stop()


def grouped(labels, *by):
    return ("TS.MRANGE", "-", "+", "SELECTED_LABELS", *labels, "FILTER", FILTER_ALL, "GROUPBY", *(by or ("all",)),
            "REDUCE", "sum")


def test_groups_name_all_their_series_as_often_as_asked(t):
    keys = [b"s%05d" % i for i in range(SERIES)]
    labels = ["__source__", "kind", "__reducer__", "all", "__source__"]
    for cores in (1, 2):
        s = start(t, cores, slice_ns=0)
        fill(s.client())
        (name, shown, rows), = s.client().ok(*grouped(labels))
        eq(name, b"all=1")
        eq(shown, [[b"__source__", b",".join(keys)], [b"kind", None], [b"__reducer__", b"sum"], [b"all", b"1"],
                   [b"__source__", b",".join(keys)]])
        eq([row[0] for row in rows], [0, 1, 2, 3, 4, 7])
        three = s.client(proto=3)
        got = three.ok(*grouped(labels, "kind"))
        eq(sorted(got), [b"kind=k0", b"kind=k1", b"kind=k2"])
        for i in range(3):
            shown, reducers, sources, rows = got[b"kind=k%d" % i]
            eq(shown, {b"__source__": None, b"kind": b"k%d" % i, b"__reducer__": None, b"all": None})
            eq(reducers, {b"reducers": [b"sum"]})
            eq(sources[b"sources"], sorted(b"s%05d" % (k * 7919 % SERIES) for k in range(i, SERIES, 3)))
        s.stop()


def test_groups_that_name_too_many_series_are_refused(t):
    """50 times the keys of 3000 series are a megabyte."""
    for cores in (1, 2):
        s = start(t, cores, multi_bytes=1 << 20)
        c = s.client()
        fill(c)
        error = "GROUPBY makes more than 1 MiB for this reply: select fewer labels or give a narrower FILTER"
        for question in (grouped(["__source__"] * 50), grouped(["__source__"] * 50, "kind")):
            holds(str(c(*question)), error)
            c.ok("MULTI")
            c.ok(*question)
            holds(str(c.ok("EXEC")[0]), error)
        eq(len(c.ok(*grouped(["__source__"] * 40))[0][1]), 40)
        eq(len(c.ok(*grouped(["kind"] * 50))[0][1]), 50)
        limit(s, multi_bytes=128 << 20)
        eq(len(c.ok(*grouped(["__source__"] * 50))[0][1]), 50)
        s.stop()


# --- many keys by name: of one moment ------------------------------------------------------------------

NAMED = 40
NAMES = ["named%d" % i for i in range(NAMED)]
NAMED_QUESTIONS = [
    ("TS.NRANGE", NAMED, *NAMES, "-", "+"),
    ("TS.NREVRANGE", NAMED, *NAMES, 10, 900, "COUNT", 77),
    ("TS.NRANGE", NAMED + 2, "named3", *NAMES, "named3", "-", "+", "AGGREGATION", *["avg"] * NAMED,
     "min,max", "count", 100),
    ("TS.NRANGE", NAMED, *NAMES, "-", "+", "FILTER_BY_VALUE", 5, 9, "COUNT", 1),
    ("TS.NRANGE", 2, "named0", "absent", "-", "+"),
    ("TS.NRANGE", 2, "named0", "text", "-", "+"),
    ("TS.NRANGE", 2, "named0", "named1", "x", "+"),
    ("TS.NRANGE", NAMED, *NAMES, 5000, 6000),
    ("TSDB_BATCH_GET", NAMED + 2, *NAMES, "absent", "text", "-", "+"),
    ("TSDB_BATCH_GET", NAMED, *NAMES, "-", "+", 7, "REV"),
    ("TSDB_BATCH_GET", NAMED + 1, *NAMES, "named5", "-", "+", "AGG", "sum,p50", 300),
]


def fill_named(c, r, points=300):
    """Times that some have and others have not, and some that several data types have."""
    eq(c("SET", "text", 1), "OK")
    for name in NAMES:
        times = sorted(r.sample(range(1000), points))
        c.pipe_many([("TSDB_SET", name, ts, r.randrange(20)) for ts in times])
    c.pipe_many([("TSDB_SET", name, ts, ts, "01") for name in NAMES[::7] for ts in range(50)])


def test_many_keys_in_slices_answer_as_a_transaction_does(t):
    for cores in (1, 2):
        s = start(t, cores, slice_ns=0)
        fill_named(s.client(), t.random)
        for cold in (False, True):
            if cold:
                s.client().ok("SAVE")
                s.restart(store_block_cache_bytes="1mb")
                limit(s, slice_ns=0)
            for proto in (2, 3):
                outside, inside = raw_answers(s.client(proto=proto), NAMED_QUESTIONS)
                eq(b"".join(outside), inside[inside.index(b"\n") + 1:])
                assert len(outside[0]) > 10000 and len(outside[2]) > 1000, outside[2][:200]
        s.stop()


class Together(Disturbers):
    """Clients who write all series, or one, or delete one and make it again, each in one transaction: all
    series have the same points, whenever they are looked at."""

    def run(self, seed):
        try:
            c, r = self.s.client(), random.Random(seed)
            while not self.over.is_set():
                ts = r.randrange(300)
                kind = r.randrange(4)
                c.ok("MULTI")
                for name in NAMES:
                    if kind == 0:
                        c.ok("TS.DEL", name, ts, ts + 3)
                    else:
                        c.ok("TSDB_SET", name, ts, seed + r.randrange(2))
                c.ok("EXEC")
                time.sleep(r.random() * 0.01)
        except BaseException as e:
            self.failures.append(e)


def times_of(point_list):
    return [p[0] for p in point_list]


def test_many_keys_in_slices_are_all_of_one_moment(t):
    for cores in (1, 2):
        s = start(t, cores, slice_ns=0)
        c = s.client(proto=3)
        c.ok("CONFIG", "SET", "duplicate-policy", "last")
        writers = Together(s, t.random.randrange(10**6))
        until, rounds, sizes = time.monotonic() + (20 if t.long else 1), 0, set()
        while time.monotonic() < until or rounds < 5:
            got = c("TS.NRANGE", NAMED, *NAMES, "-", "+")
            if not isinstance(got, Error):  # they are not there yet
                for ts, values in got:
                    assert all(v == v for v in values), (ts, values)
                sizes.add(len(got))
            got = c.ok("TSDB_BATCH_GET", NAMED, *NAMES, "-", "+")
            for one in got:
                eq(times_of(one), times_of(got[0]))
            got = c.ok("TSDB_BATCH_GET", NAMED, *NAMES, "-", "+", "AGG", "count", 100)
            eq(got, got[:1] * NAMED)
            rounds += 1
        writers.stop()
        assert len(sizes) > 1, sizes
        t.say("%d rounds" % rounds)
        s.stop()


def test_a_client_that_leaves_while_many_keys_are_read_leaves_nothing_behind(t):
    s = start(t, 2, slice_ns=0)
    c = s.client()
    fill_named(c, t.random)
    before = int(info(c)["connected_clients"])
    for question in NAMED_QUESTIONS * 3:
        gone = s.client()
        gone.send_raw(encode(*question) * 2)
        time.sleep(t.random.random() * 0.004)
        gone.close()
    for _ in range(500):
        if int(info(c)["connected_clients"]) == before:
            break
        time.sleep(0.01)
    eq(int(info(c)["connected_clients"]), before)
    eq(len(c.ok(*NAMED_QUESTIONS[0])), len({ts for one in c.ok("TSDB_BATCH_GET", NAMED, *NAMES, "-", "+",
                                                              "TYPE", "00") for ts in times_of(one)}))
    for name in NAMES:
        eq(c("DEL", name), 1)


def test_many_keys_that_are_too_much_are_refused_in_slices_as_well(t):
    s = start(t, 2, slice_ns=0)
    c = s.client()
    keys = ["wide%d" % i for i in range(5)]
    for key in keys:
        eq(c("TSDB_SET", key, 10**9, 1), "OK")
        eq(c("TSDB_SET", key, 0, 1), "OK")
    refusal = str(c("TS.NRANGE", 5, *keys, "-", "+", "AGGREGATION", *["count"] * 5, 1000, "EMPTY"))
    holds(refusal, "or all of them more than 4194304 values: give a COUNT or a longer bucket")
    eq(c("PING"), "PONG")


# --- the first points of several data types ------------------------------------------------------------

TYPES = ("00", "03", "07", "a0", "ff")


def fill_types(c, r):
    """Data types that have the same times, several points of some, and others that lie apart."""
    c.ok("CONFIG", "SET", "duplicate-policy", "keep")
    for key in ("types", "more"):
        for i, name in enumerate(TYPES):
            first = r.choice((0, 0, 150))
            points = [(ts, ts) for ts in range(first, first + 300) for _ in range(r.choice((0, 1, 1, 3)))]
            c.pipe_many([("TSDB_SET", key, ts, v * 10 + i, name) for ts, v in points])
    for ts in (-2**63, 2**63 - 1):
        c.pipe([("TSDB_SET", "ends", ts, i, name) for name in TYPES for i in range(9)])


def test_of_several_data_types_only_what_may_be_among_the_first_is_kept(t):
    too_many = "the range holds more than 64 points: give a limit"
    for cores in (1, 2):
        s = start(t, cores)
        c = s.client()
        fill_types(c, t.random)
        whole = {(key, rev): c.ok("TSDB_GET", key, "-", "+", *rev)
                 for key in ("types", "more", "ends") for rev in ((), ("REV",))}
        assert min(len(points) for points in whole.values()) > 64
        for cold, slice_ns in ((False, 10**6), (True, 10**6), (True, 0)):
            if cold:
                c.ok("SAVE")
                s.restart(store_block_cache_bytes="1mb")
            limit(s, query_points=64, slice_ns=slice_ns, slice_points=7)
            c = s.client()
            for (key, rev), points in whole.items():
                for n in (1, 2, 9, 10, 31, 63, 64):
                    eq(c.ok("TSDB_GET", key, "-", "+", n, *rev), points[:n])
                some = c.ok("TSDB_BATCH_GET", 3, "types", "ends", "more", "-", "+", 21, *rev)
                eq(some, [whole[k, rev][:21] for k in ("types", "ends", "more")])
                for args in ((), (65,), (10**9,)):
                    holds(str(c("TSDB_GET", key, "-", "+", *rev, *args)), too_many)
                for args in ((), (22,), (65,)):
                    holds(str(c("TSDB_BATCH_GET", 3, "types", "ends", "more", "-", "+", *rev, *args)), too_many)
        eq(c.ok("TSDB_GET", "types", "-", 20, 64), [p for p in whole["types", ()] if p[0] <= 20][:64])
        s.stop()


def test_what_takes_too_long_inside_multi_is_refused(t):
    for cores in (1, 2):
        s = start(t, cores, exec_ns=0)
        c = s.client()
        fill(c)
        fill_named(c, t.random, points=20)
        for question in (("TS.QUERYINDEX", FILTER_ALL), ("TS.MGET", "FILTER", FILTER_ALL),
                         ("TS.MRANGE", "-", "+", "FILTER", FILTER_ALL),
                         ("TS.MRANGE", "-", "+", "FILTER", FILTER_ALL, "GROUPBY", "all", "REDUCE", "max"),
                         ("TS.QUERYLABELS", "VALUES", "own", "FILTER", FILTER_ALL), NAMED_QUESTIONS[0],
                         NAMED_QUESTIONS[8]):
            c.ok("MULTI")
            c.ok(*question)
            c.ok("SET", "text", 2)
            got = c.ok("EXEC")
            holds(str(got[0]), "'%s' takes longer than the 0 ms for which it may keep others waiting inside "
                  "MULTI: ask outside of it, or for less" % question[0].lower())
            eq(got[1], "OK")
            assert len(c.ok(*question)) > 0
        s.stop()


def test_limits_are_only_made_smaller(t):
    c = t.server(enable_debug_command="yes").client()
    for args in (("slice-ns", 10**9), ("list-bytes", -1), ("list-bytes", "x")):
        holds(str(c("DEBUG", "LIMIT", *args)), "a number from 0 to what the limit is")
    holds(str(c("DEBUG", "LIMIT", "nothing", 1)), "no limit of this name")
