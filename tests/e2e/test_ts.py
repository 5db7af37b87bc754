"""TS.* commands that write: series, their metadata and their points, also from disk and after a crash.
What RedisTimeSeries answers byte for byte is in test_ts_replies.py."""
from pinstripe import eq, holds
from resp import Error

NO_KEY = "ERR TSDB: the key does not exist"
UPSERT = "ERR TSDB: Error at upsert, update is not supported when DUPLICATE_POLICY is set to BLOCK"


def fields(reply):
    """TS.INFO as a dict."""
    if isinstance(reply, dict):
        return {k if isinstance(k, str) else k.decode(): v for k, v in reply.items()}
    names = [n if isinstance(n, str) else n.decode() for n in reply[0::2]]
    return dict(zip(names, reply[1::2]))


def refused(reply, text):
    assert isinstance(reply, Error), reply
    holds(str(reply), text)


def labels(info):
    return [(name.decode(), value.decode()) for name, value in info["labels"]]


FULL = ("RETENTION", 60000, "ENCODING", "UNCOMPRESSED", "CHUNK_SIZE", 256, "DUPLICATE_POLICY", "MAX",
        "IGNORE", 10, "0.5", "LABELS", "zone", "b", "area", "a")


def is_full(info):
    eq(info["retentionTime"], 60000)
    eq(info["chunkSize"], 256)
    eq(info["chunkType"], "uncompressed")
    eq(info["duplicatePolicy"], "max")
    eq(info["ignoreMaxTimeDiff"], 10)
    eq(info["ignoreMaxValDiff"], b"0.5")
    eq(labels(info), [("zone", "b"), ("area", "a")], "in the order given")


def test_a_series_is_made_with_what_was_asked_for(t):
    s = t.server()
    c = s.client(proto=2)
    eq(c("TS.CREATE", "full", *FULL), "OK")
    is_full(fields(c("TS.INFO", "full")))
    eq(c("TS.CREATE", "plain"), "OK")
    info = fields(c("TS.INFO", "plain"))
    eq((info["retentionTime"], info["chunkSize"], info["chunkType"], info["duplicatePolicy"]),
       (0, 4096, "compressed", None))
    eq((info["totalSamples"], info["labels"], info["rules"], info["sourceKey"]), (0, [], [], None))
    eq(c("TYPE", "plain"), "TSDB-TYPE")
    eq(c("TS.GET", "plain"), [])
    eq(c("DBSIZE"), 2)
    refused(c("TS.CREATE", "plain"), "ERR TSDB: key already exists")
    three = s.client(proto=3)
    eq(fields(three("TS.INFO", "full"))["labels"], {b"zone": b"b", b"area": b"a"})


def test_options_that_cannot_be_are_refused_and_nothing_is_made(t):
    c = t.server().client(proto=2)
    for options, error in ((("RETENTION", "x"), "ERR TSDB: Couldn't parse RETENTION"),
                           (("RETENTION",), "ERR TSDB: Couldn't parse RETENTION"),
                           (("CHUNK_SIZE", 40), "CHUNK_SIZE value must be a multiple of 8"),
                           (("CHUNK_SIZE", 1048584), "CHUNK_SIZE value must be a multiple of 8"),
                           (("ENCODING", "zip"), "ERR TSDB: unknown ENCODING parameter"),
                           (("DUPLICATE_POLICY", "any"), "ERR TSDB: Unknown DUPLICATE_POLICY"),
                           (("IGNORE", 1), "ERR TSDB: Couldn't parse IGNORE"),
                           (("IGNORE", 1, -1), "ERR TSDB: IGNORE arguments cannot be negative"),
                           (("LABELS", "a", "b(c"), "ERR TSDB: Couldn't parse LABELS"),
                           (("LABELS", "a", ""), "ERR TSDB: Couldn't parse LABELS")):
        refused(c("TS.CREATE", "k", *options), error)
        refused(c("TS.ADD", "k", 1, 1, *options), error)
        eq(c("EXISTS", "k"), 0)
    many = [x for i in range(4097) for x in ("l%d" % i, "v")]
    refused(c("TS.CREATE", "k", "LABELS", *many), "at most 4096 labels")
    long = [x for i in range(20) for x in ("l%d" % i, "v" * 60000)]
    refused(c("TS.CREATE", "k", "LABELS", *long), "at most 1048576 bytes")
    eq(c("TS.CREATE", "k", "LABELS", *many[:8192]), "OK")


def test_keep_is_an_extension(t):
    s = t.server()
    c = s.client()
    eq(c("TS.CREATE", "k", "DUPLICATE_POLICY", "KEEP"), "OK")
    eq([c("TS.ADD", "k", 5, v) for v in (1, 2)], [5, 5])
    eq(fields(c("TS.INFO", "k"))["totalSamples"], 2)
    eq(c("CONFIG", "SET", "ts-compat", "strict"), "OK")
    refused(c("TS.CREATE", "other", "DUPLICATE_POLICY", "KEEP"), "Unknown DUPLICATE_POLICY")
    what = "ts-compat strict refuses"
    assert what in str(c("CONFIG", "SET", "ts-duplicate-policy", "keep"))
    eq(c("CONFIG", "SET", "ts-duplicate-policy", "keep", "ts-compat", "extended"), "OK")
    assert what in str(c("CONFIG", "SET", "ts-compat", "strict"))
    eq(c("CONFIG", "SET", "ts-compat", "strict", "ts-duplicate-policy", "last"), "OK")
    s.stop()
    assert what in s.start_fails(ts_duplicate_policy="keep", ts_compat="strict")
    s.set(ts_compat="extended")


def test_alter_changes_what_is_named_and_nothing_else(t):
    c = t.server().client(proto=2)
    refused(c("TS.ALTER", "k", "RETENTION", 5), NO_KEY)
    c("TS.CREATE", "k", *FULL)
    eq(c("TS.ALTER", "k", "RETENTION", 70000), "OK")
    info = fields(c("TS.INFO", "k"))
    eq(info["retentionTime"], 70000)
    eq((info["chunkSize"], info["duplicatePolicy"], info["chunkType"]), (256, "max", "uncompressed"))
    eq(labels(info), [("zone", "b"), ("area", "a")])
    eq(c("TS.ALTER", "k", "LABELS", "only", "one"), "OK")
    eq(labels(fields(c("TS.INFO", "k"))), [("only", "one")])
    eq(c("TS.ALTER", "k", "LABELS"), "OK")
    eq(labels(fields(c("TS.INFO", "k"))), [])


def test_settings_are_what_new_series_begin_with(t):
    c = t.server(ts_retention_policy=5000, ts_duplicate_policy="sum", ts_chunk_size_bytes=128,
                 ts_encoding="uncompressed", ts_ignore_max_time_diff=3,
                 ts_ignore_max_val_diff="1.5").client(proto=2)
    eq(c("TS.ADD", "k", 1000, 1), 1000)
    eq(c("TS.ADD", "k", 1000, 2), 1000)
    eq(c("TS.GET", "k"), [1000, "3"])
    info = fields(c("TS.INFO", "k"))
    eq((info["retentionTime"], info["chunkSize"], info["chunkType"], info["ignoreMaxTimeDiff"],
        info["ignoreMaxValDiff"], info["duplicatePolicy"]),
       (5000, 128, "uncompressed", 3, b"1.5", None))
    eq(c("CONFIG", "GET", "ts-ignore-max-val-diff"), [b"ts-ignore-max-val-diff", b"1.5"])
    refused(c("CONFIG", "SET", "ts-ignore-max-val-diff", "-1"), "between 0 and")
    refused(c("CONFIG", "SET", "ts-ignore-max-val-diff", "much"), "a number")


def test_points_are_added_and_the_newest_is_told(t):
    c = t.server().client(proto=2)
    eq(c("TS.ADD", "k", 1000, "1.5"), 1000)
    eq(c("TS.ADD", "k", 3000, "0.5"), 3000)
    eq(c("TS.ADD", "k", 2000, "nan"), 2000)
    eq(c("TS.GET", "k"), [3000, "5E-1"])
    now = c("TS.ADD", "k", "*", 7)
    assert now > 1600000000000, now
    refused(c("TS.ADD", "k", -5, 1), "ERR TSDB: invalid timestamp, must be a nonnegative integer")
    refused(c("TS.ADD", "k", "5x", 1), "ERR TSDB: invalid timestamp")
    refused(c("TS.ADD", "k", 5, "inf"), "ERR TSDB: invalid value")
    refused(c("TS.ADD", "k", 5, 1, "ON_DUPLICATE"), "ERR TSDB: Couldn't parse DUPLICATE_POLICY")
    refused(c("TS.ADD", "k", 5, 1, "ON_DUPLICATE", "x"), "ERR TSDB: Unknown DUPLICATE_POLICY")
    eq([p[0] for p in c("TSDB_GET", "k", "-", "+")], [1000, 2000, 3000, now])
    c("SET", "str", "x")
    refused(c("TS.ADD", "str", 5, 1), "ERR TSDB: the key is not a TSDB key")
    refused(c("TS.GET", "str"), "ERR WRONGTYPE")


def policy_outcomes(c, key, value_of):
    """[reply or error, value then] of a 5 that meets a 3, by policy."""
    for policy, value in (("FIRST", 3), ("LAST", 5), ("MIN", 3), ("MAX", 5), ("SUM", 8)):
        c("DEL", key)
        value_of(policy)
        eq(c("TS.ADD", key, 100, 5, "ON_DUPLICATE", policy), 100)
        eq([float(p[1]) for p in c("TSDB_GET", key, 100, 100)], [value], policy)
    value_of("BLOCK")
    refused(c("TS.ADD", key, 100, 5), UPSERT)
    refused(c("TS.ADD", key, 100, "nan", "ON_DUPLICATE", "MAX"), UPSERT)


def test_duplicate_policies_among_stored_points(t):
    s = t.server()
    c = s.client()

    def stored(policy):
        c("DEL", "k")
        c("TS.ADD", "k", 100, 3)
        for ts in range(1000, 4000):
            c.send("TS.ADD", "k", ts * 1000, 1)
        for _ in range(3000):
            c.read()
        eq(c("SAVE"), "OK")

    policy_outcomes(c, "k", stored)
    s.stop()
    s.start()
    c = s.client()
    refused(c("TS.ADD", "k", 100, 5), UPSERT)
    eq(c("TS.ADD", "k", 101, 5), 101)


def test_ignore_drops_what_is_close_to_the_newest(t):
    c = t.server().client()
    c("TS.CREATE", "k", "IGNORE", 10, 2, "DUPLICATE_POLICY", "LAST")
    eq(c("TS.ADD", "k", 100, 5), 100)
    eq(c("TS.ADD", "k", 105, 6), 100)
    eq(c("TS.ADD", "k", 110, 7), 100)
    eq(c("TS.ADD", "k", 111, 6), 111)
    eq(c("TS.ADD", "k", 112, 9), 112)
    eq(c("TS.ADD", "k", 113, 9, "ON_DUPLICATE", "MAX"), 113)
    eq(fields(c("TS.INFO", "k"))["totalSamples"], 4)


def test_retention_refuses_what_is_older(t):
    c = t.server().client()
    c("TS.CREATE", "k", "RETENTION", 100)
    eq(c("TS.ADD", "k", 1000, 1), 1000)
    eq(c("TS.ADD", "k", 900, 1), 900)
    refused(c("TS.ADD", "k", 899, 1), "ERR TSDB: Timestamp is older than retention")
    eq(c("TS.ADD", "k", 1001, 1), 1001)
    info = fields(c("TS.INFO", "k"))
    eq((info["totalSamples"], info["firstTimestamp"], info["lastTimestamp"]), (2, 1000, 1001))


def test_counters_go_on_from_the_newest(t):
    c = t.server().client(proto=2)
    eq(c("TS.INCRBY", "k", 5, "TIMESTAMP", 100, "LABELS", "a", "b"), 100)
    eq(c("TS.INCRBY", "k", "2.5", "TIMESTAMP", 100), 100)
    eq(c("TS.DECRBY", "k", 10, "TIMESTAMP", 200), 200)
    eq([(p[0], float(p[1])) for p in c("TSDB_GET", "k", "-", "+")], [(100, 7.5), (200, -2.5)])
    refused(c("TS.INCRBY", "k", 1, "TIMESTAMP", 199), "TSDB: timestamp must be equal to or higher")
    refused(c("TS.INCRBY", "k", "x"), "ERR TSDB: invalid increase/decrease value")
    eq(labels(fields(c("TS.INFO", "k"))), [("a", "b")])
    for policy in ("BLOCK", "LAST"):  # they write as under LAST, whatever the series has
        c("TS.CREATE", policy, "DUPLICATE_POLICY", policy, "IGNORE", 10, 2)
        eq(c("TS.INCRBY", policy, 5, "TIMESTAMP", 100), 100)
        eq(c("TS.INCRBY", policy, 1, "TIMESTAMP", 105), 100)
        eq(c("TS.DECRBY", policy, 3, "TIMESTAMP", 110), 110)
        eq(c("TS.GET", policy), [110, "2"])


def test_madd_answers_for_each_point(t):
    for cores in (1, 2):
        c = t.server(cores=cores).client()
        for i in range(20):
            c("TS.CREATE", "s%d" % i)
        c("SET", "str", "x")
        points = [x for i in range(20) for x in ("s%d" % i, 5 + i, i)]
        eq(c("TS.MADD", *points), [5 + i for i in range(20)])
        replies = c("TS.MADD", "s0", 5, 9, "none", 1, 1, "str", 1, 1, "s0", "x", 1, "s0", 6, "inf",
                    "s0", 7, 1, "s0", 7, 2)
        for reply, text in zip(replies[:5], (UPSERT, "not a TSDB key", "not a TSDB key",
                                             "invalid timestamp", "invalid value")):
            refused(reply, text)
        eq(replies[5], 7)
        refused(replies[6], UPSERT)
        refused(c("TS.MADD", "s0", 5), "ERR wrong number of arguments for 'ts.madd' command")


def check_all(c):
    is_full(fields(c("TS.INFO", "full")))
    eq(c("TS.GET", "empty"), [])
    eq(labels(fields(c("TS.INFO", "labelled"))), [("c", "d")])
    eq(c("TS.GET", "labelled"), [8, "9"])
    eq(fields(c("TS.INFO", "moved"))["retentionTime"], 9)
    eq(c("EXISTS", "gone"), 0)
    eq(c("TS.GET", "again"), [])
    eq(fields(c("TS.INFO", "copied"))["retentionTime"], 60000)
    eq(labels(fields(c("TS.INFO", "renamed"))), [("n", "m")])
    eq(c("DBSIZE"), 7)


def test_metadata_survives_kills_checkpoints_and_eviction(t):
    for cores in (1, 2):
        s = t.server(cores=cores)
        c = s.client(proto=2)
        c("TS.CREATE", "full", *FULL)
        c("TS.CREATE", "empty", "RETENTION", 5)
        c("TS.ADD", "labelled", 8, 9, "LABELS", "a", "b")
        c("TS.CREATE", "moved", "RETENTION", 7)
        c("TS.CREATE", "gone", "RETENTION", 7)
        c("TS.ADD", "again", 1, 1, "RETENTION", 7)
        c("TS.CREATE", "first", "LABELS", "n", "m")
        s.kill9()
        s.start()
        c = s.client(proto=2)
        eq(c("SAVE"), "OK")
        eq(c("TS.ALTER", "labelled", "LABELS", "c", "d"), "OK")
        eq(c("TS.ALTER", "moved", "RETENTION", 9), "OK")
        c("DEL", "gone")
        c("DEL", "again")
        c("TS.CREATE", "again")
        eq(c("COPY", "full", "copied"), 1)
        eq(c("RENAME", "first", "renamed"), "OK")
        check_all(c)
        s.kill9()
        s.start()
        check_all(s.client(proto=2))
        eq(s.client().ok("SAVE"), "OK")
        s.kill9()
        s.start(cores=3 - cores)
        check_all(s.client(proto=2))


MUCH = [x for i in range(17) for x in ("n%d" % i + "x" * 32000, "v" * 32000)]  # more than a mebibyte of labels
META_MAX = "labels and rules of a series can take at most 1048576 bytes"


def test_labels_have_a_limit_wherever_a_series_is_made(t):
    s = t.server(cores=1)
    c = s.client(proto=2)
    eq(c("TS.CREATE", "there"), "OK")
    for command in (("TS.CREATE", "k"), ("TS.ADD", "k", 1, 1), ("TS.INCRBY", "k", 1), ("TS.DECRBY", "k", 1),
                    ("TS.ALTER", "there")):
        refused(c(*command, "LABELS", *MUCH), META_MAX)
        eq(c("MULTI"), "OK")
        eq(c(*command, "LABELS", *MUCH), "QUEUED")
        refused(c("EXEC")[0], META_MAX)
    eq(c("TS.ADD", "k", 1, 1, "LABELS", *MUCH[:-2]), 1)
    s.kill9()
    s.start()
    c = s.client(proto=2)
    eq(c("TS.GET", "k"), [1, "1"])
    eq(c("DBSIZE"), 2)


def test_a_name_too_long_for_those_it_has_rules_with_is_refused(t):
    """The other ends of rules know a series by its name, in the room that their labels leave."""
    long = "B" * 60000
    for cores in (1, 2):
        s = t.server(cores=cores)
        c = s.client(proto=2)
        few = [x for i in range(16) for x in ("n%d" % i + "x" * 32600, "v" * 32600)]
        for source, destination, full in (("a", "b", "a"), ("c", "d", "d")):
            for key in (source, destination):
                eq(c("TS.CREATE", key, *(("LABELS", *few) if key == full else ())), "OK")
            eq(c("TS.CREATERULE", source, destination, "AGGREGATION", "avg", 10), "OK")
        refused(c("RENAME", "b", long), META_MAX + ": with this name")
        refused(c("RENAMENX", "c", long), META_MAX + ": with this name")
        eq(c("TS.CREATE", "many"), "OK")
        for i in range(20):
            eq(c("TS.CREATE", "to%d" % i), "OK")
            eq(c("TS.CREATERULE", "many", "to%d" % i, "AGGREGATION", "avg", 10), "OK")
        renamed = [c("RENAME", "to%d" % i, "%02d" % i + long) for i in range(20)]
        eq(renamed[:17], ["OK"] * 17)
        for reply in renamed[17:]:
            refused(reply, META_MAX + ": with this name")
        eq(c("RENAME", "b", "e"), "OK")
        s.kill9()
        s.start()
        c = s.client(proto=2)
        eq(c("DBSIZE"), 25)
        eq(fields(c("TS.INFO", "e"))["sourceKey"], b"a")
        eq(len(fields(c("TS.INFO", "many"))["rules"]), 20)
