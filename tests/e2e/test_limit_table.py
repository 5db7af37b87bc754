"""Constants of the table of limits (docs/ARCHITECTURE.md): one more is an error that names the limit, and the
connection goes on. Those that have a test of their own, beside what they limit, are not here."""
from pinstripe import eq, holds


def test_what_one_command_may_name(t):
    c = t.server(cores=2).client()
    for words, what in (
            (("SET", "k" * 65536, "v"), "key is longer than 65535 bytes"),
            (("CLIENT", "LIST", "ID", *range(1, 1026)), "at most 1024 client ids"),
            (("CONFIG", "SET", "ts-compaction-policy", ";".join("max:%ds:1h" % i for i in range(1, 34))),
             "at most 32 compactions"),
            (("CONFIG", "SET", "series-fields", " ".join("f%d=%02x" % (i, i) for i in range(33))),
             "at most 32 names"),
            (("TS.QUERYINDEX", "a=~" + "x" * 1001), "a regular expression is longer than 1000 bytes"),
            (("TS.CREATE", "k", "LABELS", *[x for i in range(17) for x in ("n%d" % i, "v" * 64000)]),
             "labels and rules of a series can take at most 1048576 bytes")):
        holds(str(c(*words)), what)
    c.ok("MSET", "{a}1", "x" * 40000, "{a}2", "y" * 40000)
    holds(str(c("LCS", "{a}1", "{a}2")), "string too long for LCS")
    eq(c("DBSIZE"), 2)


def test_rules_of_a_series(t):
    c = t.server(cores=2, appendfsync="everysec").client()
    c.pipe_many([("TS.CREATE", "{r}%d" % i) for i in range(1026)])
    made = c.pipe_many([("TS.CREATERULE", "{r}0", "{r}%d" % i, "AGGREGATION", "sum", 10)
                        for i in range(1, 1026)])
    eq(made[:1024], ["OK"] * 1024)
    holds(str(made[1024]), "a series can have at most 1024 rules")
    for i in (5, 15):
        eq(c("TS.ADD", "{r}0", i, 1), i)
    eq(c.pipe([("TS.GET", "{r}%d" % i) for i in (1, 1024, 1025)]), [[0, "1"], [0, "1"], []])


def test_left_points_of_a_join(t):
    c = t.server(cores=1, appendfsync="everysec", duplicate_policy="KEEP").client()
    one = "TSDB_JOIN", "k", "k", "-", "+", "ASOF", "PREVIOUS"
    c.pipe_many([("TS.MADD", *[x for j in range(i, i + 1000) for x in ("k", j, 1)], "CREATE")
                 for i in range(0, 1000000, 1000)], 50)
    eq(len(c(*one)), 1000000)
    c.ok("TSDB_SET", "k", 1000000, 1)
    holds(str(c(*one)), "the range holds more than 1000000 points of the left series")
