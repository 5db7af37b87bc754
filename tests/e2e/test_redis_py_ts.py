"""redis-py's commands of time series, as Debian has them (python3-redis), on one core and on two."""
from pinstripe import eq
from test_redis_py import both, raises, redis

DAY = 86_400_000


def names(replies):
    """mget, mrange: a list of one dict a series."""
    return [name for reply in replies for name in reply]


def test_series_and_their_points(t):
    for _, r in both(t):
        ts = r.ts()
        assert ts.create("temp", retention_msecs=DAY, duplicate_policy="last",
                         labels={"room": "kitchen", "unit": "C"})
        raises(redis.ResponseError, "already exists", ts.create, "temp")
        eq(ts.add("temp", 1000, 21.5), 1000)
        eq(ts.madd([("temp", 2000, 22), ("temp", 3000, 22.5)]), [2000, 3000])
        eq(ts.get("temp"), (3000, 22.5))
        eq(ts.range("temp", "-", "+"), [(1000, 21.5), (2000, 22.0), (3000, 22.5)])
        eq(ts.range("temp", 1500, 3000, count=1), [(2000, 22.0)])
        eq(ts.revrange("temp", "-", "+", count=2), [(3000, 22.5), (2000, 22.0)])
        eq(ts.range("temp", "-", "+", filter_by_ts=[1000, 3000], filter_by_min_value=22,
                    filter_by_max_value=23), [(3000, 22.5)])
        eq(ts.range("temp", 0, 5000, aggregation_type="avg", bucket_size_msec=2000),
           [(0, 21.5), (2000, 22.25)])
        eq(ts.range("temp", 0, 5000, aggregation_type="max", bucket_size_msec=2000, align=1000),
           [(1000, 22.0), (3000, 22.5)])
        eq(ts.delete("temp", 1000, 2000), 2)
        eq(r.type("temp"), b"TSDB-TYPE")
        raises(redis.ResponseError, "key does not exist", ts.get, "absent")


def test_what_info_tells(t):
    for _, r in both(t):
        ts = r.ts()
        assert ts.create("a", retention_msecs=5000, labels={"kind": "x", "host": "1"})
        eq(ts.add("a", 10, 1.25), 10)
        assert ts.alter("a", retention_msecs=DAY, labels={"kind": "y"})
        info = ts.info("a")
        eq(info.labels, {"kind": "y"})
        eq((info.retention_msecs, info.total_samples), (DAY, 1))
        eq((info.first_time_stamp, info.lastTimeStamp), (10, 10))
        assert info.memory_usage > 0 and info.chunk_count == 1
        eq((info.rules, info.source_key), ([], None))


def test_counting_up_and_down(t):
    for _, r in both(t):
        ts = r.ts()
        for i in range(1, 101):
            eq(ts.incrby("n", 1, timestamp=i), i)
        eq(ts.get("n"), (100, 100.0))
        eq(ts.decrby("n", 40, timestamp=200), 200)
        eq(ts.get("n"), (200, 60.0))


def test_rules(t):
    for _, r in both(t):
        ts = r.ts()
        for name in "fine", "coarse":
            assert ts.create(name)
        assert ts.createrule("fine", "coarse", "avg", 100)
        for i in range(50):
            ts.add("fine", i * 2, i % 10)
            ts.add("fine", i * 2 + 1, i % 2)
        ts.add("fine", 100, 1)
        eq(ts.get("coarse"), (0, 2.5))
        eq(ts.info("coarse").source_key, b"fine")
        eq(len(ts.info("fine").rules), 1)
        assert ts.deleterule("fine", "coarse")
        eq(ts.info("fine").rules, [])


def test_many_series_by_their_labels(t):
    for _, r in both(t):
        ts = r.ts()
        for i in range(20):
            assert ts.create("cpu:%02d" % i, labels={"host": "h%d" % (i // 2), "what": "ab"[i % 2]})
            eq(ts.madd([("cpu:%02d" % i, k, i + k) for k in range(10)]), list(range(10)))
        eq(sorted(ts.queryindex(["host=h3"])), [b"cpu:06", b"cpu:07"]
           if isinstance(ts.queryindex(["host=h3"])[0], bytes) else ["cpu:06", "cpu:07"])
        eq(ts.mget(["what=a", "host=h1"]), [{"cpu:02": [{}, 9, 11.0]}])
        eq(ts.mget(["host=h1"], with_labels=True)[1],
           {"cpu:03": [{"host": "h1", "what": "b"}, 9, 12.0]})
        got = ts.mrange(0, 3, ["host=(h0,h9)", "what=b"], with_labels=True)
        eq(got, [{"cpu:01": [{"host": "h0", "what": "b"}, [(0, 1.0), (1, 2.0), (2, 3.0), (3, 4.0)]]},
                 {"cpu:19": [{"host": "h9", "what": "b"},
                             [(0, 19.0), (1, 20.0), (2, 21.0), (3, 22.0)]]}])
        eq(names(ts.mrange("-", "+", ["what=a"])), ["cpu:%02d" % i for i in range(0, 20, 2)])
        eq(ts.mrevrange("-", "+", ["host=h2"], count=1), [{"cpu:04": [{}, [(9, 13.0)]]},
                                                          {"cpu:05": [{}, [(9, 14.0)]]}])
        eq(ts.mrange(0, 0, ["host=h2"], groupby="host", reduce="sum"),
           [{"host=h2": [{}, [(0, 9.0)]]}])
        eq(ts.mrange(0, 0, ["host=h2"], select_labels=["what"]),
           [{"cpu:04": [{"what": "a"}, [(0, 4.0)]]}, {"cpu:05": [{"what": "b"}, [(0, 5.0)]]}])


def test_series_in_pipelines(t):
    for _, r in both(t):
        p = r.pipeline(transaction=True)
        for i in range(100):
            p.ts().add("s%d" % (i % 7), i, i * 1.1)
        eq(p.execute(), list(range(100)))
        eq(r.ts().get("s1"), (99, 108.9))
