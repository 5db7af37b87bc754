"""TSDB_JOIN of long series goes in slices, the two series one after the other. With slices as short as they can
be the answers are those of one go; while points change in both of them each answer is of one moment."""
import random
import time

from pinstripe import eq, keys_on
from resp import Error
from test_long_reads import (IN_SLICES, Writer, all_in, exec_in, fill, in_one_go, in_slices, limit, rounds,
                             slices, start)

HOWS = ("PREVIOUS", "NEXT", "NEAREST")


def question(r, keys, end):
    a, b = sorted((r.randrange(end), r.randrange(end)))
    a, b = ("-", "+") if r.random() < 0.3 else (a, "+") if r.random() < 0.2 else (a, b)
    q = ["TSDB_JOIN", r.choice(keys), r.choice(keys), a, b, "ASOF", r.choice(HOWS)]
    return q + [r.choice((0, 1, 20, 5000))] if r.random() < 0.4 else q


def test_slices_join_as_one_go_does(t):
    for cores, settings in ((1, {}), (2, {}), (2, {"store_block_cache_bytes": "1mb", "block_points": 64})):
        s = start(t, cores, duplicate_policy="KEEP", **settings)
        c = s.client(proto=t.random.choice((2, 3)))
        end = max(fill(c, t.random))
        few = [keys_on(core, cores, 1, prefix="few")[0] for core in range(cores)]
        for key in few:
            all_in(c, [("TS.ADD", key, t.random.randrange(end), 1) for _ in range(7)])
        questions = [question(t.random, ["long", "crowd", "nothing"] + few, end)
                     for _ in range(1000 if t.long else 15)]
        limit(s, IN_SLICES)
        want = in_one_go(c, questions)
        before = slices(s)
        for q, w, got in zip(questions, want, in_slices(c, questions)):
            assert w == got, (q, w[:300], got[:300])
        assert slices(s) > before + len(questions)
        s.stop()


def test_a_join_is_of_one_moment_while_both_series_change(t):
    """Both have the same points, whatever a transaction changes: each meets itself."""
    for cores in (1, 2):
        s = start(t, cores)
        c, w = s.client(), s.client()
        keys = [keys_on(core, cores, 1, prefix="k%d" % i)[0] for i, core in enumerate((cores - 1, 0))]
        end, r = 8000, random.Random(t.random.random())
        for key in keys:
            c.ok("TS.CREATE", key, "DUPLICATE_POLICY", "LAST")
            all_in(c, [("TS.MADD", *[x for ts in range(a, a + 100) for x in (key, ts, ts)])
                       for a in range(0, end, 100)])
        limit(s, {"slice-ns": 0, "slice-points": 1000})

        def change():
            nonlocal end
            what, ts, v, span = r.random(), r.randrange(end), r.randrange(1000), r.choice((0, 0, 5))
            if what < 0.6:
                exec_in(w, *[("TS.ADD", key, end, v) for key in keys])
                end += 1
            elif what < 0.8:
                exec_in(w, *[("TS.ADD", key, ts, v) for key in keys])
                time.sleep(r.random() * 0.02)
            else:
                exec_in(w, *[("TS.DEL", key, ts, ts + span) for key in keys])
                time.sleep(r.random() * 0.02)

        def check():
            for how in HOWS:
                left, right = r.choice((keys, keys[::-1]))
                rows = c.ok("TSDB_JOIN", left, right, "-", "+", "ASOF", how)
                bad = [row for row in rows if row[:2] != row[2:]]
                assert len(rows) > 4000 and not bad, (how, len(rows), bad[:3])

        writer = Writer(change)
        rounds(t, check)
        writer.stop()
        s.stop()


def test_points_that_are_added_to_a_side_meanwhile(t):
    """Only one side gets points, at its end and between others: each row is as it was at some moment."""
    for cores in (1, 2):
        s = start(t, cores, duplicate_policy="KEEP")
        c, w = s.client(), s.client()
        left, right = keys_on(cores - 1, cores, 1, prefix="l")[0], keys_on(0, cores, 1, prefix="r")[0]
        for key in (left, right):
            all_in(c, [("TS.MADD", *[x for ts in range(a, a + 100) for x in (key, ts, ts)])
                       for a in range(0, 6000, 100)])
        limit(s, {"slice-ns": 0, "slice-points": 500})
        end = sent = 6000

        def add():
            nonlocal end, sent
            grown = t.random.choice((left, right))
            w.ok("TS.MADD", *[x for ts in range(end, end + 5) for x in (grown, ts // 2 + end - end // 2, ts)])
            end, sent = end + 5, sent + 5
            time.sleep(0.001)

        def check():
            for how in HOWS:
                rows = c.ok("TSDB_JOIN", left, right, "-", "+", "ASOF", how)
                eq([row[0] for row in rows], sorted(row[0] for row in rows))
                found = [row[2] for row in rows if row[2] is not None]
                eq(found, sorted(found))
                for ts, _, at, _ in rows:
                    assert (how == "NEXT" and (at is None or at >= ts)) or (how == "PREVIOUS" and at <= ts) or \
                        (how == "NEAREST" and at is not None), (how, ts, at)
                    assert ts >= 6000 or at == ts, (how, ts, at)

        writer = Writer(add)
        rounds(t, check)
        writer.stop()
        s.stop()


def test_what_becomes_of_a_side_that_is_being_read(t):
    """Deleted, another type, made anew: an answer of before or after."""
    for cores in (1, 2):
        s = start(t, cores)
        c, w = s.client(), s.client()
        keys = [keys_on(cores - 1, cores, 1, prefix="l")[0], keys_on(0, cores, 1, prefix="r")[0]]
        n = 5000

        def make(key):
            w.pipe_many([("DEL", key)] + [("TS.MADD", *[x for ts in range(a, a + 100) for x in (key, ts, 1)])
                                          if a else ("TS.ADD", key, 0, 1) for a in range(0, n, 100)])

        for key in keys:
            make(key)
        limit(s, {"slice-ns": 0, "slice-points": 500})

        def change():
            key = t.random.choice(keys)
            w.pipe([t.random.choice((("DEL", key), ("SET", key, "text"), ("RENAME", key, "other"), ("FLUSHDB",),
                                     ("PEXPIRE", key, 1)))])
            time.sleep(t.random.random() * 0.01)
            for each in keys:
                make(each)
            time.sleep(t.random.random() * 0.02)

        def check():
            got = c("TSDB_JOIN", *keys, "-", "+", "ASOF", "PREVIOUS")
            if isinstance(got, Error):
                eq(got.code, "WRONGTYPE")
                return
            rows = len(got)
            assert rows <= 1 or rows % 100 == 1, rows  # point 0, then a hundred at a time
            matched = sum(row[2] == row[0] for row in got)
            assert matched == rows or matched <= 1 or matched % 100 == 1, (rows, matched)

        writer = Writer(change)
        rounds(t, check)
        writer.stop()
        s.stop()


def test_a_long_join_takes_many_slices_and_a_short_one_none(t):
    s = start(t, 1)
    c = s.client()
    for key in ("long", "sparse"):
        all_in(c, [("TS.MADD", *[x for ts in range(a, a + 100) for x in (key, ts, ts % 97)])
                   if a else ("TS.ADD", key, 0, 1) for a in range(0, 50000 if key == "long" else 200, 100)])
    eq(c("SAVE"), "OK")
    limit(s, {"slice-ns": 0, "slice-points": 1000})
    for q, least in ((("TSDB_JOIN", "long", "long", "-", "+", "ASOF", "NEAREST"), 50),
                     (("TSDB_JOIN", "sparse", "long", "-", "+", "ASOF", "NEXT"), 0),
                     (("TSDB_JOIN", "long", "sparse", "-", "+", "ASOF", "PREVIOUS"), 10)):
        before = slices(s)
        c.ok(*q)
        took = slices(s) - before
        assert least <= took <= 150 and (least or took == 0), (q, took)
    before = slices(s)
    c.pipe([("MULTI",), ("TSDB_JOIN", "long", "long", "-", "+", "ASOF", "NEXT"), ("EXEC",)])
    eq(slices(s), before)


def test_points_that_come_between_rows_that_are_being_decided(t):
    """The right series has few points, so one of them decides rows over many slices: each answer is of before a
    change in between or of after it."""
    n, far = 6000, 5900
    for cores in (1, 2):
        s = start(t, cores)
        c, w = s.client(), s.client()
        left, right = keys_on(cores - 1, cores, 1, prefix="l")[0], keys_on(0, cores, 1, prefix="r")[0]
        c.ok("TS.CREATE", left)
        all_in(c, [("TS.MADD", *[x for ts in range(a, a + 100) for x in (left, ts, 1)]) for a in range(0, n, 100)])
        all_in(c, [("TS.ADD", right, ts, 0) for ts in (0, far)])
        limit(s, {"slice-ns": 0, "slice-points": 200})
        r, between, value = random.Random(t.random.random()), False, 0

        def change():
            nonlocal between, value
            if r.random() < 0.3:
                value += 1
                w.ok("TS.ADD", right, far, value, "ON_DUPLICATE", "LAST")
            elif between:
                w.ok("TS.DEL", right, 1, far - 1)
                between = False
            else:
                w.ok("TS.ADD", right, r.randrange(1, far), 0)
                between = True
            time.sleep(r.random() * 0.08)

        def check():
            for how in HOWS:
                rows = c.ok("TSDB_JOIN", left, right, "-", "+", "ASOF", how)
                eq(len(rows), n)
                points = {(row[2], row[3]) for row in rows if row[2] is not None}
                assert len(points) <= 3 and len({at for at, _ in points}) == len(points), points
                times = sorted(at for at, _ in points)
                for ts, _, at, _ in rows:
                    near = {"PREVIOUS": [x for x in times if x <= ts][-1:], "NEXT": [x for x in times if x >= ts][:1],
                            "NEAREST": sorted(times, key=lambda x: abs(x - ts))[:1]}[how]
                    want = near[0] if near else None
                    assert at == want or (how == "NEAREST" and abs(at - ts) == abs(want - ts)), (how, ts, at, times)

        writer = Writer(change)
        rounds(t, check)
        writer.stop()
        s.stop()
