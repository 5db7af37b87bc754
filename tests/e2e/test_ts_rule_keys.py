"""Rules whose keys are deleted, renamed, copied, expire or become something else, over one core and
two, and after a crash."""
from pinstripe import eq, keys_on, until
from resp import Error

MB = "AGGREGATION"


def points(c, key):
    return [(p[0], float(p[1])) for p in c.ok("TS.RANGE", key, "-", "+")]


def fields(reply):
    return dict(zip(reply[::2], reply[1::2]))


def rules(c, key):
    return [r[0].decode() for r in fields(c.ok("TS.INFO", key))["rules"]]


def source_of(c, key):
    source = fields(c.ok("TS.INFO", key))["sourceKey"]
    return source.decode() if source else None


class Keys:
    """A source, its destinations and spare names; with two cores, spread over both."""

    def __init__(self, cores):
        if cores == 1:
            self.s, self.d, self.e, self.x, self.y = "s", "d", "e", "x", "y"
        else:
            here, there = keys_on(0, 2, 3, "k"), keys_on(1, 2, 3, "k")
            self.s, self.d, self.e = there[0], here[0], there[1]
            self.x, self.y = here[1], there[2]


def each(t, **settings):
    """Server, client and keys, of one core and of two."""
    for cores in (1, 2):
        s = t.server(cores=cores, **settings)
        yield s, s.client(), Keys(cores)


def make(c, k):
    """The source sums up to d by 10 and keeps the largest in e by 20; one bucket of each is over."""
    c.ok("FLUSHALL")
    for key in (k.s, k.d, k.e):
        eq(c("TS.CREATE", key), "OK")
    eq(c("TS.CREATERULE", k.s, k.d, MB, "sum", 10), "OK")
    eq(c("TS.CREATERULE", k.s, k.e, MB, "max", 20), "OK")
    for ts in (1, 5, 12, 25):
        eq(c("TS.ADD", k.s, ts, ts), ts)
    eq(points(c, k.d), [(0, 6.0), (10, 12.0)])
    eq(points(c, k.e), [(0, 12.0)])


def go_on(c, k):
    """More of the source: buckets at 20 of both are over. What e says of it."""
    for ts in (28, 47):
        eq(c("TS.ADD", k.s, ts, ts), ts)
    return [(0, 12.0), (20, 28.0)]


def test_a_destination_that_goes_voids_its_rule_and_no_other(t):
    for s, c, k in each(t):
        for end in (("DEL", k.d), ("UNLINK", k.d), ("SET", k.d, "text"), ("RENAME", k.x, k.d),
                    ("COPY", k.x, k.d, "REPLACE"), ("EXPIRE", k.d, -1),
                    ("PEXPIRE", k.d, 1)):
            make(c, k)
            if end[1] == k.x:
                eq(c("TS.ADD", k.x, 3, 3), 3)
            assert not isinstance(c(*end), Error), end
            if end[0] == "PEXPIRE":
                until(lambda: c("EXISTS", k.d) == 0, what="the key expired")
            eq((end, rules(c, k.s)), (end, [k.e]))
            want = go_on(c, k)
            eq(points(c, k.e), want, repr(end))
            if end[1] == k.x:
                eq((points(c, k.d), source_of(c, k.d)), ([(3, 3.0)], None))
            c("DEL", k.d)
            eq(c("TS.CREATE", k.d), "OK")
            eq(c("TS.ADD", k.s, 75, 1), 75)
            eq(points(c, k.d), [], "a new series of that name is nobody's destination")
            eq(c("TS.CREATERULE", k.s, k.d, MB, "count", 10), "OK")
            eq(c("TS.ADD", k.s, 90, 1), 90)
            # Of the open bucket a new rule counts what comes from then on, and nothing had come.
            eq(points(c, k.d), [])
            eq(c("TS.ADD", k.s, 101, 1), 101)
            eq(points(c, k.d), [(90, 1.0)])


def test_a_source_that_goes_leaves_what_it_has_written(t):
    for s, c, k in each(t):
        for end in (("DEL", k.s), ("SET", k.s, "text"), ("RENAME", k.y, k.s), ("EXPIREAT", k.s, 1)):
            make(c, k)
            eq(c("TS.ADD", k.y, 3, 3), 3)
            assert not isinstance(c(*end), Error), end
            eq((points(c, k.d), points(c, k.e)), ([(0, 6.0), (10, 12.0)], [(0, 12.0)]))
            eq((source_of(c, k.d), source_of(c, k.e)), (None, None), repr(end))
            c("DEL", k.s)
            for ts in (30, 47, 71):
                eq(c("TS.ADD", k.s, ts, ts), ts)
            eq((points(c, k.d), rules(c, k.s)), ([(0, 6.0), (10, 12.0)], []))
            # It can be the destination of another one now, and of the same again.
            eq(c("TS.CREATERULE", k.y, k.e, MB, "max", 10), "OK") if c("EXISTS", k.y) else None
            eq(c("TS.CREATERULE", k.s, k.d, MB, "sum", 10), "OK")
            eq(source_of(c, k.d), k.s)
            eq([c("TS.ADD", k.s, ts, 1) for ts in (81, 92)], [81, 92])
            eq(points(c, k.d)[2:], [(80, 1.0)])


def test_rules_go_with_a_series_that_is_renamed(t):
    for s, c, k in each(t):
        for name in (k.x, k.y):
            for stored in (False, True):
                make(c, k)
                if stored:
                    eq(c("SAVE"), "OK")
                eq(c("RENAME", k.d, name), "OK")
                eq((rules(c, k.s), source_of(c, name)), ([name, k.e], k.s))
                go_on(c, k)
                eq(points(c, name), [(0, 6.0), (10, 12.0), (20, 53.0)])
                eq(c("RENAMENX", k.s, k.d), 1)  # a source, to the name that is free now
                eq((rules(c, k.d), source_of(c, name), source_of(c, k.e)), ([name, k.e], k.d, k.d))
                eq([c("TS.ADD", k.d, ts, 1) for ts in (61, 72)], [61, 72])
                eq(points(c, name)[3:], [(40, 47.0), (60, 1.0)])
                eq(points(c, k.e)[2:], [(40, 47.0)])
                eq(c("TS.DELETERULE", k.d, name), "OK")
                eq((rules(c, k.d), source_of(c, name)), ([k.e], None))
                s.kill9()
                s.start()
                c = s.client()
                eq((rules(c, k.d), source_of(c, k.e), source_of(c, name)), ([k.e], k.d, None))


def test_a_series_in_the_middle_of_a_chain_is_renamed(t):
    for s, c, k in each(t):
        make(c, k)
        eq(c("TS.CREATE", k.x), "OK")
        eq(c("TS.CREATERULE", k.d, k.x, MB, "max", 100), "OK")
        eq(c("RENAME", k.d, k.y), "OK")
        eq((rules(c, k.s), source_of(c, k.y)), ([k.y, k.e], k.s))
        eq((rules(c, k.y), source_of(c, k.x)), ([k.x], k.y))
        eq([c("TS.ADD", k.s, ts, 1) for ts in (110, 120)], [110, 120])
        eq(points(c, k.x), [(0, 25.0)])


def test_renamed_over_one_another(t):
    for s, c, k in each(t):
        make(c, k)
        eq(c("RENAME", k.s, k.d), "OK")  # the source over its destination
        eq((rules(c, k.d), source_of(c, k.d), source_of(c, k.e)), ([k.e], None, k.d))
        make(c, k)
        eq(c("RENAME", k.d, k.s), "OK")  # the destination over its source
        eq((rules(c, k.s), source_of(c, k.s), source_of(c, k.e)), ([], None, None))
        make(c, k)
        eq(c("RENAME", k.d, k.e), "OK")  # one destination over the other
        eq((rules(c, k.s), source_of(c, k.e)), ([k.e], k.s))
        eq([c("TS.ADD", k.s, ts, 1) for ts in (31, 42)], [31, 42])
        eq(points(c, k.e), [(0, 6.0), (10, 12.0), (20, 25.0), (30, 1.0)])


def test_copies_have_no_rules(t):
    for s, c, k in each(t):
        make(c, k)
        eq(c("COPY", k.s, k.x), 1)
        eq(c("COPY", k.d, k.y), 1)
        eq((rules(c, k.x), source_of(c, k.y)), ([], None))
        eq([c("TS.ADD", k.x, ts, 9) for ts in (60, 95)], [60, 95])
        go_on(c, k)
        eq(points(c, k.y), [(0, 6.0), (10, 12.0)])
        eq(points(c, k.d), [(0, 6.0), (10, 12.0), (20, 53.0)])
        eq(rules(c, k.s), [k.d, k.e])


def test_a_flush_ends_all(t):
    for s, c, k in each(t):
        for flush in ("FLUSHALL", "FLUSHDB"):
            make(c, k)
            eq(c(flush), "OK")
            for key in (k.d, k.e):
                eq(c("TS.CREATE", key), "OK")
            for ts in (1, 5, 12, 25):
                eq(c("TS.ADD", k.s, ts, ts), ts)
            eq((points(c, k.d), rules(c, k.s), source_of(c, k.d)), ([], [], None))


def test_keys_go_and_come_inside_a_transaction(t):
    for s, c, k in each(t):
        make(c, k)
        eq(c.pipe([("MULTI",), ("TS.ADD", k.s, 31, 31), ("DEL", k.d), ("TS.ADD", k.s, 44, 44),
                   ("TS.CREATE", k.d), ("TS.CREATERULE", k.s, k.d, MB, "sum", 10),
                   ("TS.ADD", k.s, 57, 57), ("TS.ADD", k.s, 68, 68), ("EXEC",)])[-1],
           [31, 1, 44, "OK", "OK", 57, 68])
        eq(points(c, k.d), [(50, 57.0)])
        eq(points(c, k.e), [(0, 12.0), (20, 31.0), (40, 57.0)])
        eq(c.pipe([("MULTI",), ("RENAME", k.e, k.x), ("TS.ADD", k.s, 99, 1), ("DEL", k.s),
                   ("TS.ADD", k.s, 1, 1), ("TS.ADD", k.s, 99, 1), ("EXEC",)])[-1],
           ["OK", 99, 1, 1, 99])
        eq(points(c, k.x), [(0, 12.0), (20, 31.0), (40, 57.0), (60, 68.0)])
        eq(points(c, k.d), [(50, 57.0), (60, 68.0)])
        eq((rules(c, k.s), source_of(c, k.d)), ([], None))


def chain(c, first, second, third, fork):
    """A rule from each to the next one, and one from the first to a fork; four buckets of the first are over."""
    c.ok("FLUSHALL")
    for key in (first, second, third, fork):
        eq(c("TS.CREATE", key), "OK")
    for source, to, bucket in ((first, second, 10), (second, third, 20), (first, fork, 10)):
        eq(c("TS.CREATERULE", source, to, MB, "sum", bucket), "OK")
    for ts in (1, 11, 21, 31):
        eq(c("TS.ADD", first, ts, ts), ts)


def each_spread(t):
    """Client, five keys of one core, two of another one where there are two."""
    for cores in (1, 2):
        yield t.server(cores=cores).client(), keys_on(0, cores, 5, "k"), keys_on(cores - 1, cores, 2, "q")


def in_transaction(c, commands):
    eq(c("MULTI"), "OK")
    for command in commands:
        eq(c(*command), "QUEUED")
    return c.ok("EXEC")


def test_transactions_change_rules_that_lead_to_other_cores(t):
    """What a command needs is known only when those ahead of it have run."""
    for c, (a, b, d, x, y), (far, farther) in each_spread(t):
        for commands in (
                [("TS.DELETERULE", b, d), ("TS.CREATERULE", b, d, MB, "max", 20)],
                [("TS.CREATE", y), ("TS.CREATERULE", y, a, MB, "sum", 10)],
                [("TS.ADD", y, 1, 1), ("TS.CREATERULE", y, a, MB, "sum", 10)],
                [("TS.CREATE", y), ("TS.CREATERULE", b, y, MB, "sum", 10, "BACKFILL")],
                [("COPY", b, y), ("TS.CREATERULE", y, a, MB, "sum", 10)],
                [("RENAME", x, y), ("TS.CREATERULE", y, a, MB, "sum", 10)],
                [("DEL", x), ("TS.CREATE", x), ("TS.CREATERULE", x, a, MB, "sum", 10)]):
            chain(c, a, b, d, far)
            eq(c("TS.CREATE", x), "OK")
            replies = in_transaction(c, commands)
            assert not [r for r in replies if isinstance(r, Error)], (commands, replies)
            eq(rules(c, commands[-1][1])[-1:], [commands[-1][2]])


def test_transactions_write_to_a_series_they_renamed(t):
    """Its rules lead on to another core, though none of it does."""
    for c, (a, b, _, _, y), (far, farther) in each_spread(t):
        for command, answer, want in ((("TS.ADD", y, 2, 5), 2, [(0, 6.0), (10, 11.0), (20, 21.0)]),
                                      (("TS.DEL", y, 1, 5), 1, [(10, 11.0), (20, 21.0)]),
                                      (("TS.MADD", y, 41, 1, y, 81, 1), [41, 81],
                                       [(0, 1.0), (10, 11.0), (20, 21.0), (30, 31.0), (40, 1.0)])):
            chain(c, a, b, far, farther)
            eq(c("TS.DELETERULE", a, farther), "OK")
            eq(in_transaction(c, [("RENAME", a, y), command]), ["OK", answer])
            eq(points(c, b), want)


def test_a_rule_that_is_void_refuses_no_deletion(t):
    for _, c, k in each(t):
        eq(c("TS.CREATE", k.s, "RETENTION", 50), "OK")
        eq(c("TS.CREATE", k.d), "OK")
        eq(c("TS.CREATERULE", k.s, k.d, MB, "sum", 1000), "OK")
        c.ok("TS.MADD", k.s, 2001, 1, k.s, 2080, 2, k.s, 2100, 3)
        assert isinstance(c("TS.DEL", k.s, 2080, 2080), Error)
        eq(c("DEL", k.d), 1)
        eq(c("TS.DEL", k.s, 2080, 2080), 1)


def test_which_writes_a_rule_looks_at(t):
    """Those of data type 00, by whatever command."""
    for s, c, k in each(t):
        make(c, k)
        before = points(c, k.d)
        eq(c("TSDB_SET", k.s, 31, 1, "01"), "OK")
        eq(c("TSDB_SET", k.s, 44, 1, "ff", 7), "OK")
        eq(c("TSDB_ROW", k.s, 51, "volume", 5, "close", 2), "OK")
        eq(points(c, k.d), before)
        eq(c("TSDB_ROW", k.s, 31, "close", 5, "open", 2), "OK")
        eq(points(c, k.d), before + [(20, 25.0)])
        eq(c("TSDB_SET", k.s, 42, 3, "00", 192), "OK")
        eq(points(c, k.d)[-1], (30, 2.0))
        eq(c.pipe([("BATCH_SET", k.s, 4, 53), ("BATCH_SET", k.s, 5, 64), ("BATCH_FLUSH",)]),
           ["QUEUED", "QUEUED", 2])
        eq(points(c, k.d)[-2:], [(40, 3.0), (50, 4.0)])
        eq(c("TS.INCRBY", k.s, 1, "TIMESTAMP", 71), 71)
        eq(c("TS.DECRBY", k.s, 1, "TIMESTAMP", 82), 82)
        eq(points(c, k.d)[-2:], [(60, 5.0), (70, 6.0)])
        eq(c("TS.MADD", k.s, 93, 1, k.s, 104, 1), [93, 104])
        eq(points(c, k.d)[-2:], [(80, 5.0), (90, 1.0)])
        eq(c("TSDB_SET", k.d, 5000, 1, "02"), "OK")  # another data type of a destination
        eq(c("TS.ADD", k.s, 117, 1), 117)
        eq(points(c, k.d)[-1], (100, 1.0))


def test_ignore_is_nothing_to_a_destination(t):
    """A bucket whose value is close to the one before it is written all the same."""
    for s, c, k in each(t, ts_duplicate_policy="last", ts_ignore_max_time_diff=1000,
                        ts_ignore_max_val_diff=1000):
        for key in (k.s, k.d):
            eq(c("TS.CREATE", key, *(("IGNORE", 0, 0) if key == k.s else ())), "OK")
        eq(c("TS.CREATERULE", k.s, k.d, MB, "sum", 10), "OK")
        for ts in (1, 11, 21, 31):
            eq(c("TS.ADD", k.s, ts, ts), ts)
        eq(points(c, k.d), [(0, 1.0), (10, 11.0), (20, 21.0)])


def state(c, k):
    found = {}
    for key in (k.s, k.d, k.e, k.x, k.y):
        kind = c("TYPE", key)
        found[key] = (kind, points(c, key), rules(c, key), source_of(c, key)) \
            if kind == "TSDB-TYPE" else kind
    return found


def test_after_a_crash_rules_are_as_they_were(t):
    changes = lambda k: [
        [("DEL", k.d)], [("DEL", k.s)], [("RENAME", k.d, k.x)], [("RENAME", k.s, k.x)],
        [("COPY", k.s, k.x)], [("SET", k.e, "text")], [("PEXPIREAT", k.d, 1)], [("FLUSHALL",)],
        [("TS.DELETERULE", k.s, k.e), ("TS.ADD", k.s, 61, 1)],
        [("DEL", k.d), ("TS.CREATE", k.d), ("TS.CREATERULE", k.s, k.d, MB, "count", 7)],
        [("MULTI",), ("RENAME", k.e, k.y), ("TS.ADD", k.s, 61, 1), ("EXEC",)],
    ]
    for s, c, k in each(t):
        # Without a checkpoint, and then behind one: from the journal alone, and from the store too.
        for n, change in enumerate(t.random.sample(changes(k), 4)):
            make(c, k)
            if n % 2:
                eq(c("SAVE"), "OK")
            for reply in c.pipe(change):
                assert not isinstance(reply, Error), (change, reply)
            if c("TYPE", k.s) == "TSDB-TYPE":
                go_on(c, k)
            before = state(c, k)
            s.kill9()
            s.start()
            c = s.client()
            eq(state(c, k), before, repr(change))
            if c("TYPE", k.s) == "TSDB-TYPE":
                written = {key: v for key, v in before.items() if key in rules(c, k.s)}
                eq([c("TS.ADD", k.s, ts, 1) for ts in (300, 400)], [300, 400])
                for key in written:
                    eq(points(c, key)[:len(written[key][1])], written[key][1])
                    assert len(points(c, key)) > len(written[key][1]), (change, key)


def test_a_range_with_latest_asks_the_source_wherever_it_is(t):
    for s, c, k in each(t):
        make(c, k)
        for _ in range(20):
            got = c.ok("TS.RANGE", k.d, "-", "+", "LATEST")
            eq([(p[0], float(p[1])) for p in got], [(0, 6.0), (10, 12.0), (20, 25.0)])
        got = c.pipe([("MULTI",), ("TS.REVRANGE", k.d, "-", "+", "LATEST", "COUNT", 1), ("EXEC",)])[2][0]
        eq([(p[0], float(p[1])) for p in got], [(20, 25.0)])
