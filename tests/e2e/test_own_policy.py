"""A policy that a series has of its own (TS.CREATE, TS.ALTER) comes before duplicate-policy for every
command named TSDB_* and BATCH_*, all data types, on any core, and after a start."""
from pinstripe import eq, holds, key_core, keys_on
from resp import Error

POLICIES = ("LAST", "FIRST", "MIN", "MAX", "SUM", "BLOCK", "KEEP")


def meet(policy, values):
    """What is there of one time once the values came in this order."""
    by = {"LAST": lambda v: [v[-1]], "FIRST": lambda v: [v[0]], "MIN": lambda v: [min(v)],
          "MAX": lambda v: [max(v)], "SUM": lambda v: [sum(v)], "BLOCK": lambda v: [v[0]],
          "KEEP": list}
    return by[policy](values)


def values(c, key, ts, kind="00"):
    return [float(p[1]) for p in c.ok("TSDB_GET", key, ts, ts, "TYPE", kind)]


def blocked(reply, policy):
    if policy == "BLOCK":
        assert isinstance(reply, Error), reply
        holds(str(reply), "BLOCK")
    else:
        assert not isinstance(reply, Error), (policy, reply)


def batch(c, *points):
    for key, ts, value in points:
        eq(c("BATCH_SET", key, value, ts), "QUEUED")
    return c("BATCH_FLUSH")


def key_of(policy):
    return "own_" + policy


def write(c, policy, ts, value):
    """The same value at three neighbouring times of several data types, by each command."""
    key = key_of(policy)
    blocked_here = policy if values(c, key, ts) else None
    blocked(c("TSDB_SET", key, ts, value), blocked_here)
    blocked(c("TSDB_SET", key, ts, value, "7f"), blocked_here)
    blocked(c("TSDB_ROW", key, ts + 1, "open", value, "close", value), blocked_here)
    blocked(batch(c, (key, ts + 2, value)), blocked_here)


def check(c, written):
    for (policy, ts), came in written.items():
        want = meet(policy, came)
        for at, kind in ((ts, "00"), (ts, "7f"), (ts + 1, "00"), (ts + 1, "03"), (ts + 2, "00")):
            eq((policy, at, kind, values(c, key_of(policy), at, kind)), (policy, at, kind, want))


def test_it_comes_before_the_setting(t):
    for cores, setting in ((1, "LAST"), (2, "BLOCK"), (1, "KEEP")):
        s = t.server(cores=cores, duplicate_policy=setting)
        c = s.client()
        written = {}
        for policy in POLICIES:
            eq(c("TS.CREATE", key_of(policy), "DUPLICATE_POLICY", policy), "OK")

        def round_of(ts, *what):
            for policy in POLICIES:
                for value in what:
                    write(c, policy, ts, value)
                    written.setdefault((policy, ts), []).append(value)

        round_of(10, 5, 3, 8)
        round_of(20, 5)
        check(c, written)
        eq(c("SAVE"), "OK")
        round_of(20, 3, 8)  # they meet what is in the store
        round_of(30, 2, 4)
        check(c, written)
        s.kill9()
        # What was answered stays as it is, whatever the setting says at the start.
        s.set(duplicate_policy="FIRST" if setting != "FIRST" else "LAST")
        s.start()
        c = s.client()
        check(c, written)
        round_of(30, 1)
        round_of(15, 6, 7)
        check(c, written)
        eq(c("SAVE"), "OK")
        s.restart(duplicate_policy=setting)
        c = s.client()
        check(c, written)
        s.stop()


def test_without_one_the_setting_holds(t):
    s = t.server(duplicate_policy="SUM")
    c = s.client()
    eq(c("TS.CREATE", "labelled", "LABELS", "a", "b", "RETENTION", 1000000), "OK")
    for key in ("labelled", "plain"):
        for value in (1, 2):
            eq(c("TSDB_SET", key, 1, value), "OK")
            eq(c("TSDB_ROW", key, 2, "open", value), "OK")
            eq(batch(c, (key, 3, value)), 1)
        eq([values(c, key, ts) for ts in (1, 2, 3)], [[3.0]] * 3)
    eq(c("TS.ALTER", "labelled", "DUPLICATE_POLICY", "MIN"), "OK")
    for key, want in (("labelled", 1.0), ("plain", 4.0)):
        eq(c("TSDB_SET", key, 1, 1), "OK")
        eq(values(c, key, 1), [want])
    # A copy has it, a key made anew does not.
    eq(c("COPY", "labelled", "copy"), 1)
    eq(c("DEL", "labelled"), 1)
    for key, want in (("copy", [1.0]), ("labelled", [14.0])):
        for value in (5, 9):
            eq(c("TSDB_SET", key, 1, value), "OK")
        eq(values(c, key, 1), want)


def test_a_batch_is_refused_as_a_whole(t):
    for cores in (1, 2):
        c = t.server(cores=cores).client()
        first, last = keys_on(0, cores, 2), keys_on(cores - 1, cores, 2, prefix="x")
        block, plain, keep = first[0], last[0], last[1]
        eq(key_core(plain, cores), cores - 1)
        eq(c("TS.CREATE", block, "DUPLICATE_POLICY", "BLOCK"), "OK")
        eq(c("TS.CREATE", keep, "DUPLICATE_POLICY", "KEEP"), "OK")
        eq(c("TSDB_SET", block, 5, 1), "OK")
        holds(str(batch(c, (plain, 1, 1), (keep, 1, 1), (block, 5, 2), (plain, 2, 1))),
              "a point with timestamp 5 exists", "BLOCK")
        holds(str(batch(c, (plain, 1, 1), (block, 7, 1), (keep, 1, 1), (block, 7, 2))),
              "two points of the batch for ", "have timestamp 7", "BLOCK")
        eq([c("TSDB_GET", key, "-", "+") for key in (plain, keep)], [[], []])
        eq([p[:2] for p in c("TSDB_GET", block, "-", "+")], [[5, b"1"]])
        # Points of the others may meet.
        eq(batch(c, (block, 7, 1), (plain, 7, 1), (plain, 7, 2), (keep, 7, 1), (keep, 7, 2)), 5)
        eq([values(c, key, 7) for key in (block, plain, keep)], [[1.0], [2.0], [1.0, 2.0]])


def test_a_row_is_refused_as_a_whole(t):
    c = t.server(duplicate_policy="LAST").client()
    eq(c("TS.CREATE", "k", "DUPLICATE_POLICY", "BLOCK"), "OK")
    eq(c("TSDB_ROW", "k", 1, "close", 1), "OK")
    holds(str(c("TSDB_ROW", "k", 1, "open", 2, "close", 2)), "'close' of timestamp 1 is there already",
          "nothing was written")
    eq([p[1:3] for p in c("TSDB_GET", "k", "-", "+")], [[b"1", b"03"]])


def test_one_transaction_changes_it_and_writes(t):
    for cores in (1, 2):
        s = t.server(cores=cores)
        c = s.client()
        for n in range(4):
            key = "k%d" % n
            eq(c("TSDB_SET", key, 1, 1), "OK")
            eq(c("SAVE"), "OK")
            c.pipe([("MULTI",), ("TS.ALTER", key, "DUPLICATE_POLICY", "KEEP"), ("TSDB_SET", key, 1, 2),
                    ("TS.ALTER", key, "DUPLICATE_POLICY", "BLOCK"), ("TSDB_SET", key, 1, 3),
                    ("TS.ALTER", key, "DUPLICATE_POLICY", "SUM"), ("TSDB_SET", key, 1, 4),
                    ("SET", "x" + key, 1)])
            reply = c("EXEC")
            holds(str(reply[3]), "BLOCK")
            eq(reply[:3] + reply[4:], ["OK"] * 6)
            eq(values(c, key, 1), [1.0, 6.0])
        s.kill9()
        s.start()
        eq(values(s.client(), "k0", 1), [1.0, 6.0])


def test_ignore_is_nothing_to_tsdb_commands(t):
    c = t.server().client()
    eq(c("TS.CREATE", "k", "DUPLICATE_POLICY", "LAST", "IGNORE", 10, 10), "OK")
    eq(c("TS.ADD", "k", 100, 1), 100)
    eq(c("TS.ADD", "k", 101, 2), 100)
    eq(c("TSDB_SET", "k", 101, 2), "OK")
    eq(c("TSDB_ROW", "k", 102, "open", 2), "OK")
    eq(batch(c, ("k", 103, 2)), 1)
    eq([p[0] for p in c("TSDB_GET", "k", "-", "+")], [100, 101, 102, 103])


def test_a_chunk_size_of_the_setting_is_one_that_ts_create_takes(t):
    s = t.server()
    c = s.client()
    for size in (47, 50, 4097, 1048577, 1048584, 0):
        for reply in (c("CONFIG", "SET", "ts-chunk-size-bytes", size),
                      c("TS.CREATE", "k", "CHUNK_SIZE", size)):
            assert isinstance(reply, Error), (size, reply)
    holds(str(c("CONFIG", "SET", "ts-chunk-size-bytes", 50)), "must be a multiple of 8")
    eq(c("CONFIG", "GET", "ts-chunk-size-bytes"), [b"ts-chunk-size-bytes", b"4096"])
    for size in (48, 1048576):
        eq(c("CONFIG", "SET", "ts-chunk-size-bytes", size), "OK")
        eq(c("TS.ADD", "k%d" % size, 1, 1), 1)
        reply = c("TS.INFO", "k%d" % size)
        eq(reply[reply.index(b"chunkSize" if b"chunkSize" in reply else "chunkSize") + 1], size)
    s.stop()
    holds(t.server(start=False).start_fails(ts_chunk_size_bytes=50), "must be a multiple of 8")


def test_a_sum_that_no_double_holds_is_refused(t):
    c = t.server().client()
    big = "1.7e308"
    eq(c("TS.CREATE", "sum", "DUPLICATE_POLICY", "SUM"), "OK")
    eq(c("TSDB_SET", "sum", 1, big), "OK")
    for reply in (c("TSDB_SET", "sum", 1, big), c("TSDB_ROW", "sum", 1, "open", big),
                  batch(c, ("x", 1, 1), ("sum", 1, big)), batch(c, ("sum", 2, big), ("sum", 2, big))):
        assert isinstance(reply, Error), reply
    eq(values(c, "sum", 1), [1.7e308])
    eq(batch(c, ("x", 1, big), ("x", 1, big)), 2)
    eq(values(c, "x", 1), [1.7e308])


def test_a_refusal_names_the_policy_that_refuses(t):
    s = t.server(duplicate_policy="BLOCK")
    c = s.client()
    eq(c("TS.CREATE", "own", "DUPLICATE_POLICY", "BLOCK"), "OK")
    for key, policy in (("own", "its DUPLICATE_POLICY"), ("none", "duplicate-policy")):
        eq(c("TSDB_SET", key, 1, 1), "OK")
        eq(str(c("TSDB_SET", key, 1, 2)),
           "ERR TSDB_SET: a point with timestamp 1 exists and %s is BLOCK" % policy)
        eq(str(batch(c, (key, 1, 2))),
           "ERR BATCH_SET: a point with timestamp 1 exists and %s is BLOCK" % policy)
        eq(str(batch(c, (key, 2, 2), (key, 2, 3))),
           "ERR BATCH_SET: two points of the batch for '%s' have timestamp 2 and %s is BLOCK" % (key, policy))
        eq(c("TSDB_ROW", key, 3, "open", 1), "OK")
    for key, policy in (("own", "DUPLICATE_POLICY of the series"), ("none", "duplicate-policy")):
        eq(str(c("TSDB_ROW", key, 3, "open", 1)),
           "ERR TSDB_ROW: 'open' of timestamp 3 is there already and %s is BLOCK, "
           "nothing was written" % policy)
    eq(c("CONFIG", "SET", "duplicate-policy", "MAX"), "OK")
    eq(c("TS.ADD", "nan", 1, "nan"), 1)
    eq(str(c("TSDB_SET", "nan", 1, 1)), "ERR TSDB_SET: the point with timestamp 1 is NaN")
