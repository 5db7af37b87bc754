"""ts-compaction-policy: compactions of series that come to be by being written to."""
import itertools
import threading

from pinstripe import eq, holds, key_core, until
from resp import Closed, Error

POLICY = "max:1s:1h;avg:2s:0m:500m;count:10s:1d"


def fields(reply):
    return {reply[i].decode() if isinstance(reply[i], bytes) else reply[i]: reply[i + 1]
            for i in range(0, len(reply), 2)}


def points(c, key, *args):
    return [(p[0], float(p[1])) for p in c.ok("TS.RANGE", key, "-", "+", *args)]


def named(source):
    return [source + "_MAX_1000", source + "_AVG_2000_500", source + "_COUNT_10000"]


def rules(c, key):
    return fields(c.ok("TS.INFO", key))["rules"]


def has_all(c, source):
    eq(rules(c, source), [[name.encode(), bucket, fn, align] for name, bucket, fn, align in zip(
        named(source), (1000, 2000, 10000), ("MAX", "AVG", "COUNT"), (0, 500, 0))])
    for name, retention in zip(named(source), (3600000, 0, 86400000)):
        info = fields(c.ok("TS.INFO", name))
        eq((info["sourceKey"], info["retentionTime"]), (source.encode(), retention), name)


def test_a_series_that_is_written_to_gets_its_compactions(t):
    for cores in (1, 2):
        c = t.server(cores=cores, ts_compaction_policy=POLICY).client()
        eq(c("TS.ADD", "a", 100, 1, "LABELS", "kind", "x", "area", "y"), 100)
        eq(c("TS.INCRBY", "b", 2, "TIMESTAMP", 100), 100)
        eq(c("TS.DECRBY", "{c}b", 2, "TIMESTAMP", 100), 100)
        for key in ("a", "b", "{c}b"):
            has_all(c, key)
            eq(points(c, key + "_MAX_1000"), [])
            for ts in range(200, 30000, 700):
                eq(c("TS.ADD", key, ts, ts), ts)
            eq(points(c, key + "_MAX_1000"),
               points(c, key, "AGGREGATION", "max", 1000)[:-1])
            eq(points(c, key + "_AVG_2000_500"),
               points(c, key, "ALIGN", 500, "AGGREGATION", "avg", 2000)[:-1])
            eq(points(c, key + "_COUNT_10000"),
               points(c, key, "AGGREGATION", "count", 10000)[:-1])
        eq(fields(c.ok("TS.INFO", "a_AVG_2000_500"))["labels"],
           [[b"kind", b"x"], [b"area", b"y"], [b"aggregation", b"AVG"], [b"time_bucket", b"2000"]])
        eq(c("TS.QUERYINDEX", "kind=x", "aggregation=MAX"), [b"a_MAX_1000"])
        # Not by what creates a series in another way, and not for destinations.
        c.pipe([("TS.CREATE", "d"), ("TS.ADD", "d", 1, 1), ("TSDB_SET", "e", 1, 1),
                ("BATCH_SET", "f", 1, 1), ("BATCH_FLUSH",), ("TSDB_ROW", "g", 1, "open", 1)])
        for key in "defg":
            eq((key, rules(c, key)), (key, []))
        eq(c("DBSIZE"), 3 * 4 + 4)
        # It is made anew when it has gone, and its rules write on.
        eq(c("DEL", "a", *named("a")), 4)
        eq(c("TS.ADD", "a", 100, 1), 100)
        has_all(c, "a")


def says(s, text):
    """Lines come to the file after the reply: a thread of their own writes them."""
    until(lambda: text in s.log(), what="the line '%s'" % text)


def test_names_that_are_taken_are_left_out(t):
    for cores in (1, 2):
        s = t.server(cores=cores, ts_compaction_policy=POLICY)
        c = s.client()
        for key, taken in (("a", 0), ("b", 1), ("c", 2)):
            name = named(key)[taken]
            eq(c("SET", name, "text") if key == "a" else c("TS.CREATE", name), "OK")
            eq(c("TS.ADD", key, 1, 1), 1)
            eq([r[0].decode() for r in rules(c, key)], [n for n in named(key) if n != name])
        eq(c("GET", "a_MAX_1000"), b"text")
        eq(fields(c.ok("TS.INFO", "b_AVG_2000_500"))["sourceKey"], None)
        says(s, "series 'a' gets no compaction max of 1000 ms: a key of that name is there")
        says(s, "series 'b' gets no compaction avg of 2000 ms")
        long = "k" * 65530
        eq(c("TS.ADD", long, 1, 1), 1)
        eq(rules(c, long), [])
        says(s, "its name would be longer than a key can be")


def test_the_policy_is_checked_and_live(t):
    s = t.server()
    c = s.client()
    for text, want in (("", b""), ("max:60000m:3600s", b"max:1M:1h"), (" ; ", b""),
                       ("twa:1d:0h:360M;STD.P:90s:36h;", b"twa:1d:0m:6h;std.p:90s:36h"),
                       ("p99:1m:0d", b"p99:1m:0m")):
        eq(c("CONFIG", "SET", "ts-compaction-policy", text), "OK")
        eq(c("CONFIG", "GET", "ts-compaction-policy"), [b"ts-compaction-policy", want])
    for text in ("max", "max:1M", "max:1M:1h:1m:1m", "median:1M:1h", "max:0M:1h", "max:M:1h",
                 "max:1:1h", "max:-1M:1h", "max:1M:1y", "max:1M:1h;min", "max:9999999999999d:1h",
                 "max:106752d:1h", ":1M:1h", "max::", "max:1M:1h,min:1M:1h"):
        holds(str(c("CONFIG", "SET", "ts-compaction-policy", text)),
              "function:bucket:retention[:alignment]")
    holds(str(c("CONFIG", "SET", "ts-compaction-policy", "max:1M:1h;max:60s:2h")), "twice")
    holds(str(c("CONFIG", "SET", "ts-compaction-policy",
                ";".join("max:%ds:1h" % i for i in range(1, 34)))), "at most 32")
    eq(c("CONFIG", "SET", "ts-compaction-policy", ";".join("max:%ds:1h" % i for i in range(1, 33))),
       "OK")
    eq(c("TS.ADD", "many", 1, 1), 1)
    eq(len(rules(c, "many")), 32)
    eq(c("CONFIG", "SET", "ts-compaction-policy", "p99:1s:0m"), "OK")
    holds(str(c("CONFIG", "SET", "ts-compat", "strict")), "ts-compat strict refuses")
    eq(c("CONFIG", "SET", "ts-compat", "strict", "ts-compaction-policy", "max:1s:0m"), "OK")
    holds(str(c("CONFIG", "SET", "ts-compaction-policy", "p99:1s:0m")), "ts-compat strict refuses")
    eq(c("TS.ADD", "s", 1, 1), 1)
    eq(len(rules(c, "s")), 1)
    eq(c("CONFIG", "SET", "ts-compaction-policy", ""), "OK")
    eq(c("TS.ADD", "none", 1, 1), 1)
    eq(rules(c, "none"), [])
    holds(t.server(start=False).start_fails(ts_compaction_policy="max:1M"), "ts-compaction-policy",
          "max:1M:1h")
    holds(t.server(start=False).start_fails(ts_compaction_policy="max:1500m:1h",
                                            timestamp_unit="s"), "timestamp-unit s")


def test_durations_are_in_the_unit_of_timestamps(t):
    for unit, bucket in (("s", 60), ("us", 60000000), ("ns", 60000000000)):
        c = t.server(timestamp_unit=unit, ts_compaction_policy="sum:1M:2M").client()
        name = "k_SUM_%d" % bucket
        c.pipe([("TS.ADD", "k", 1, 1), ("TS.ADD", "k", bucket - 1, 2), ("TS.ADD", "k", bucket, 3)])
        eq(points(c, name), [(0, 3.0)])
        info = fields(c.ok("TS.INFO", name))
        eq(info["retentionTime"], 2 * bucket)
        eq(dict(info["labels"])[b"time_bucket"], str(bucket).encode())


def test_inside_transactions_and_pipelines(t):
    for cores in (1, 2):
        c = t.server(cores=cores, ts_compaction_policy=POLICY).client()
        for n in range(8):
            key = "k%d" % n
            c.pipe([("MULTI",), ("TS.ADD", key, 1, 1), ("TS.ADD", key, 1100, 2)])
            eq(c("EXEC"), [1, 1100])
            has_all(c, key)
            eq(points(c, named(key)[0]), [(0, 1.0)])
            # Gone and made anew in one transaction: the destinations are there, and stay as they are.
            c.pipe([("MULTI",), ("DEL", key), ("TS.ADD", key, 5, 1), ("SET", "x" + key, 1)])
            eq(c("EXEC"), [1, 5, "OK"])
            eq(rules(c, key), [])
            c.pipe([("MULTI",), ("DEL", key, *named(key)), ("TS.INCRBY", key, 1, "TIMESTAMP", 7)])
            eq(c("EXEC"), [4, 7])
            has_all(c, key)
        got = c.pipe([command for n in range(60) for command in
                      (("TS.ADD", "p%d" % n, 1, n), ("SET", "s%d" % n, n),
                       ("TS.ADD", "p%d" % n, 2000, n))])
        eq(got, [1, "OK", 2000] * 60)
        for n in range(60):
            has_all(c, "p%d" % n)
            eq(points(c, "p%d_MAX_1000" % n), [(0, float(n))])


def check_after_crash(c, answered):
    keys = {k.decode() for k in c.ok("KEYS", "*")}
    sources = {k for k in keys if "_" not in k}
    assert answered <= sources, "an answered series is missing"
    eq({k.split("_")[0] for k in keys}, sources, "destinations without their source")
    for source in sources:
        has_all(c, source)
    eq(len(keys), 4 * len(sources))
    return sources


def test_after_a_crash_a_series_has_all_of_its_compactions_or_is_not_there(t):
    for cores in (1, 2):
        s = t.server(cores=cores, ts_compaction_policy=POLICY)
        answered, n = set(), 0
        for _ in range(2):
            c = s.client()
            killer = threading.Timer(0.1 * t.random.random(), s.process.kill)
            try:
                for i in itertools.count():
                    if i == 2:  # however slow it is, some have been answered by now
                        killer.start()
                    batch = ["k%d" % i for i in range(n, n + 20)]
                    n += 20
                    c.send_raw(b"".join(b"TS.ADD %s 1 1\r\n" % k.encode() for k in batch))
                    for key in batch:
                        eq(c.read(), 1)
                        answered.add(key)
            except (Closed, ConnectionError):
                pass
            killer.join()
            s.kill9()
            s.start()
            sources = check_after_crash(s.client(), answered)
        assert len(sources) > 20, "too little was written to tell"
        if cores == 2:
            assert any(key_core(k, 2) != key_core(named(k)[0], 2) for k in sources)
            s.stop()
            s.start(cores=1)
            eq(check_after_crash(s.client(), answered), sources)


def test_what_is_wrong_changes_nothing(t):
    for cores in (1, 2):
        c = t.server(cores=cores, ts_compaction_policy=POLICY).client()
        for args in (("TS.ADD", "k", "x", 1), ("TS.ADD", "k", 1, "x"),
                     ("TS.ADD", "k", 1, 1, "RETENTION", "x"), ("TS.INCRBY", "k", "x"),
                     ("TS.ADD", "k", 1, 1, "ON_DUPLICATE", "what"),
                     ("TS.ADD", "k", 1, 1, "LABELS") + tuple("l%d" % i for i in range(2 * 4095))):
            assert isinstance(c(*args), Error), args[:5]
        eq(c("KEYS", "*"), [])
