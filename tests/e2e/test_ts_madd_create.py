"""TS.MADD ... CREATE, an extension: series that are not there are made as by TS.ADD."""
from pinstripe import eq, holds, keys_on
from resp import Error


def fields(reply):
    return {reply[i].decode() if isinstance(reply[i], bytes) else reply[i]: reply[i + 1]
            for i in range(0, len(reply), 2)}


def points(c, key):
    return [(ts, float(v)) for ts, v in c.ok("TS.RANGE", key, "-", "+")]


def test_absent_series_are_made(t):
    for cores in (1, 2):
        s = t.server(cores=cores, ts_retention_policy=5000, ts_duplicate_policy="sum",
                     ts_chunk_size_bytes=64)
        c = s.client()
        a, b = keys_on(0, cores, 1)[0], keys_on(cores - 1, cores, 1, prefix="x")[0]
        eq(c("SET", "text", "x"), "OK")
        eq(c("TS.CREATE", "old", "RETENTION", 1), "OK")
        reply = c("TS.MADD", a, 1, 1, b, 2, 2, a, 1, 5, "old", 1, 1, "text", 1, 1, "bad", 1, "word",
                  "create")
        eq(reply[:4], [1, 2, 1, 1])
        holds(str(reply[4]), "not a TSDB key")
        assert isinstance(reply[5], Error), reply
        eq([points(c, key) for key in (a, b, "old")], [[(1, 6.0)], [(2, 2.0)], [(1, 1.0)]])
        eq(c("EXISTS", "bad", "CREATE", "create"), 0)
        for key, retention in ((a, 5000), (b, 5000), ("old", 1)):
            info = fields(c.ok("TS.INFO", key))
            eq((info["retentionTime"], info["chunkSize"]), (retention, 64))
        # Without the word nothing is made, and the word by itself is a key like any other.
        holds(str(c("TS.MADD", "none", 1, 1)[0]), "not a TSDB key")
        eq(c("TS.MADD", "CREATE", 1, 1, "CREATE", 2, 2, "CREATE"), [1, 2])
        eq(points(c, "CREATE"), [(1, 1.0), (2, 2.0)])
        c.pipe([("MULTI",), ("DEL", a, b), ("TS.MADD", a, 7, 7, b, 7, 7, "n", 1, 1, "CREATE")])
        eq(c("EXEC"), [2, [7, 7, 1]])
        s.kill9()
        s.start()
        c = s.client()
        eq([points(c, key) for key in (a, b, "n")], [[(7, 7.0)], [(7, 7.0)], [(1, 1.0)]])
        eq(fields(c.ok("TS.INFO", a))["retentionTime"], 5000)


def test_its_word_is_no_key(t):
    c = t.server(cores=2).client()
    eq(c("COMMAND", "GETKEYS", "TS.MADD", "a", 1, 1, "b", 2, 2, "CREATE"), [b"a", b"b"])
    eq(c("COMMAND", "GETKEYS", "TS.MADD", "a", 1, 1), [b"a"])
    for words in (("a", 1, 1, "MAKE"), ("a", 1, 1, "b", 2), ("a", 1, 1, "CREATE", "CREATE"),
                  ("a", 1, 1, "b", "CREATE")):
        holds(str(c("TS.MADD", *words)), "wrong number of arguments for 'ts.madd' command")
    eq(c("CONFIG", "SET", "ts-compat", "strict"), "OK")
    holds(str(c("TS.MADD", "a", 1, 1, "CREATE")), "wrong number of arguments for 'ts.madd' command")
    eq(c("DBSIZE"), 0)


def test_it_makes_the_compactions_of_the_setting(t):
    for cores in (1, 2):
        s = t.server(cores=cores, ts_compaction_policy="max:1s:1h;avg:2s:0m")
        c = s.client()
        keys = ["k%d" % n for n in range(40)]
        many = [word for key in keys for ts in (1, 1500) for word in (key, ts, ts)]
        eq(c("TS.MADD", *many, "CREATE"), [1, 1500] * len(keys))
        # One of the keys is what another's compaction would be called.
        eq(c("TS.MADD", "p", 1, 1, "p_MAX_1000", 5, 5, "CREATE"), [1, 5])
        eq(c("TS.MADD", "q_MAX_1000", 5, 5, "q", 1, 1, "CREATE"), [5, 1])
        for _ in range(2):
            for key in keys:
                eq([r[0].decode() for r in fields(c.ok("TS.INFO", key))["rules"]],
                   [key + "_MAX_1000", key + "_AVG_2000"])
                eq(points(c, key + "_MAX_1000"), [(0, 1.0)])
            eq([r[0] for r in fields(c.ok("TS.INFO", "q"))["rules"]], [b"q_AVG_2000"])
            eq(points(c, "p_MAX_1000"), [(5, 5.0)])
            s.kill9()
            s.start()
            c = s.client()
        # With many keys that only the store can tell to be absent.
        eq(c("SAVE"), "OK")
        s.restart()
        c = s.client()
        new = [word for n in range(2000) for word in ("n%d" % n, 1, n)]
        eq(c("TS.MADD", *new, "CREATE"), [1] * 2000)
        eq([r[0] for r in fields(c.ok("TS.INFO", "n1999"))["rules"]],
           [b"n1999_MAX_1000", b"n1999_AVG_2000"])
        c.pipe([("MULTI",), ("DEL", *keys), ("TS.MADD", *many, "CREATE")])
        eq(c("EXEC"), [40, [1, 1500] * len(keys)])
        eq(points(c, keys[0] + "_MAX_1000"), [(0, 1.0)])
