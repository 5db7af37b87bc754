"""redis-py, as Debian has it (python3-redis), used as its own documentation does."""
import datetime
import threading
import time

from pinstripe import Skip, eq, keys_on, until

try:
    import redis
except ImportError:
    redis = None


def connected(t, s, **options):
    if redis is None:
        raise Skip("needs python3-redis")
    return redis.Redis(port=s.port, socket_timeout=60, **options)


def both(t):
    """A client of a server with one core, and of one with two."""
    for cores in (1, 2):
        s = t.server(cores=cores)
        yield s, connected(t, s)


def raises(error, text, function, *args, **options):
    try:
        got = function(*args, **options)
    except error as e:
        assert text in str(e), e
        return
    raise AssertionError("no %s, but %r" % (error.__name__, got))


def test_strings_and_numbers(t):
    for s, r in both(t):
        assert r.ping()
        assert r.set("k", "v") is True
        eq(r.get("k"), b"v")
        eq(r.get("absent"), None)
        assert r.set("k", "w", nx=True) is None
        assert r.set("k", "w", xx=True) is True
        eq(r.set("k", "x", get=True), b"w")
        eq((r.append("k", "yz"), r.strlen("k"), r.getrange("k", 1, -1)), (3, 3, b"yz"))
        eq((r.setrange("k", 5, "!"), r["k"]), (6, b"xyz\0\0!"))
        eq((r.incr("n"), r.incr("n", 10), r.decr("n"), r.decrby("n", 20)), (1, 11, 10, -10))
        eq((r.incrbyfloat("f", "0.1"), r.incrbyfloat("f", 2.5)), (0.1, 2.6))
        assert r.mset({"a": 1, "b": b"\0\xff", "c": ""})
        eq(r.mget("a", "b", "c", "absent"), [b"1", b"\0\xff", b"", None])
        assert not r.msetnx({"a": 2, "new": 1}) and r.msetnx({"new1": 1, "new2": 2})
        eq((r.getset("a", 5), r.getdel("a"), r.getdel("a")), (b"1", b"5", None))
        eq((r.exists("b", "c", "absent"), r.delete("b", "c", "absent"), "b" in r), (2, 2, False))
        eq(r.type("k"), b"string")
        raises(redis.ResponseError, "not an integer", r.incr, "k")
        raises(redis.ResponseError, "no such key", r.rename, "absent", "x")
        assert r.rename("k", "l") and not r.renamenx("l", "n")
        eq((r.copy("l", "m"), r.get("m")), (True, b"xyz\0\0!"))
        eq(r.lcs("l", "m") if hasattr(r, "lcs") else b"xyz\0\0!", b"xyz\0\0!")
        eq(sorted(r.keys()), sorted([b"l", b"m", b"n", b"f", b"new1", b"new2"]))
        eq(r.dbsize(), 6)
        assert r.randomkey() in r.keys()
        assert r.flushdb()
        eq(r.keys("*"), [])


def test_expiry(t):
    for s, r in both(t):
        assert r.set("k", "v", ex=100) and r.setex("l", 100, "v") and r.psetex("m", 100000, "v")
        for k in "klm":
            assert 40 < r.ttl(k) <= 100 and 40000 < r.pttl(k) <= 100000
        assert r.expire("k", datetime.timedelta(hours=1)) and 3500 < r.ttl("k") <= 3600
        when = datetime.datetime(2100, 1, 1)
        assert r.expireat("k", when)
        eq(r.expiretime("k"), int(when.timestamp()))
        assert not r.expire("k", 10, nx=True) and not r.expire("k", 1 << 33, lt=True)
        assert r.expire("k", 10, lt=True) and r.persist("k") and not r.persist("k")
        eq((r.ttl("k"), r.ttl("absent")), (-1, -2))
        eq(r.getex("l", px=500000), b"v")
        assert r.set("l", "w", keepttl=True) and 400000 < r.pttl("l") <= 500000
        assert r.set("short", "v", px=30)
        until(lambda: r.get("short") is None, what="the end of a key")
        eq(r.exists("short"), 0)


def test_pipelines(t):
    for s, r in both(t):
        p = r.pipeline(transaction=False)
        for i in range(500):
            p.set("k%d" % i, i).incr("k%d" % i).get("k%d" % i)
        eq(p.execute(), [x for i in range(500) for x in (True, i + 1, b"%d" % (i + 1))])
        p.set("s", "x").incr("s").get("s")
        got = p.execute(raise_on_error=False)
        assert isinstance(got[1], redis.ResponseError), got
        eq((got[0], got[2]), (True, b"x"))
        p.set("s", "y").incr("s")
        raises(redis.ResponseError, "Command # 2", p.execute)
        eq(r.get("s"), b"y")


def test_transactions_with_watch(t):
    for s, r in both(t):
        a, b = keys_on(0, 2, 1)[0], keys_on(1, 2, 1)[0]
        with r.pipeline() as p:
            eq(p.set(a, 1).set(b, 2).mget(a, b).execute(), [True, True, [b"1", b"2"]])
        # Somebody else is faster.
        for touch in (lambda: r.set(a, 10), lambda: r.delete(b), lambda: r.expire(a, 1000),
                      lambda: r.flushdb()):
            r.mset({a: 1, b: 2})
            with r.pipeline() as p:
                p.watch(a, b)
                eq(p.get(a), b"1")
                touch()
                p.multi()
                p.set("{t}done", 1)
                raises(redis.WatchError, "Watched variable changed", p.execute)
            eq(r.get("{t}done"), None)
        # Nobody else, or somebody who gave up.
        with r.pipeline() as p:
            p.watch(a)
            r.set("{u}else", 1)
            p.multi()
            p.incr("n")
            eq(p.execute(), [1])
            p.watch(a)
            r.set(a, "x")
            p.unwatch()
            p.multi()
            p.incr("n")
            eq(p.execute(), [2])
        with r.pipeline() as p:
            p.set(a, 1)
            p.execute_command("NOSUCH")
            raises(redis.ResponseError, "unknown command", p.execute)


def test_optimistic_counters_lose_nothing(t):
    # The recipe of redis-py's documentation, by several clients, on a key of each core.
    for s, r in both(t):
        keys = [keys_on(0, 2, 1)[0], keys_on(1, 2, 1)[0]]
        rounds, failures = 60, []

        def count():
            def add(p):
                values = [int(v or 0) for v in p.mget(keys)]
                p.multi()
                p.mset({k: v + 1 for k, v in zip(keys, values)})

            try:
                mine = connected(t, s)
                for _ in range(rounds):
                    mine.transaction(add, *keys)
            except BaseException as e:
                failures.append(e)

        threads = [threading.Thread(target=count, daemon=True) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert not failures, failures
        eq(r.mget(keys), [b"%d" % (3 * rounds)] * 2)


def test_scan_iteration(t):
    for s, r in both(t):
        names = {b"key:%d" % i for i in range(700)}
        r.mset({k: 1 for k in names})
        r.execute_command("TSDB_SET", "series:1", 1, 1)
        for stage in ("memory", "store"):
            eq(set(r.scan_iter()), names | {b"series:1"}, stage)
            eq(set(r.scan_iter(match="key:1*", count=100)),
               {k for k in names if k.startswith(b"key:1")}, stage)
            eq(set(r.scan_iter(_type="TSDB-TYPE")), {b"series:1"}, stage)
            # What is there from beginning to end is found, whatever comes and goes meanwhile.
            found = set()
            for n, k in enumerate(r.scan_iter(count=20)):
                found.add(k)
                if n % 10 == 0:
                    r.set("other:%d" % n, 1)
                    r.delete("other:%d" % (n - 50))
            assert names <= found, len(names - found)
            for k in r.scan_iter(match="other:*"):
                r.delete(k)
            s.restart()
            r = connected(t, s)


def test_connections_and_the_server(t):
    for s, r in both(t):
        other = connected(t, s, client_name="worker", db=3)
        assert other.set("k", "three")
        eq((r.get("k"), other.client_getname()), (None, "worker"))
        [me] = [c for c in r.client_list() if c["name"] == "worker"]
        eq((me["db"], int(me["id"])), ("3", other.client_id()))
        assert r.client_kill_filter(_id=me["id"]) == 1
        eq(other.get("k"), b"three", "redis-py connects again")
        eq(r.config_get("appendfsync"), {"appendfsync": "always"})
        assert r.config_set("timeout", 300)
        eq(r.config_get("timeout")["timeout"], "300")
        info = r.info()
        eq((info["redis_version"], info["cluster_enabled"], info["db3"]["keys"]), ("7.0.15", 0, 1))
        assert abs(r.time()[0] - time.time()) < 100
        eq(r.echo("hello"), b"hello")
        eq(r.command_count(), len(r.command()))
        assert r.save() and r.bgsave()
        assert isinstance(r.lastsave(), datetime.datetime)
        eq(r.object("encoding", "absent") if r.exists("absent") else None, None)
        raises(redis.ResponseError, "unknown command", r.lpush, "list", 1)
        decoded = connected(t, s, db=3, decode_responses=True)
        eq(decoded.get("k"), "three")


def test_a_password(t):
    s = t.server(requirepass="secret")
    nobody = connected(t, s)
    raises(redis.RedisError, "Authentication required", nobody.ping)
    raises(redis.RedisError, "invalid username-password", connected(t, s, password="wrong").ping)
    assert connected(t, s, password="secret").ping()
    assert connected(t, s, username="default", password="secret").ping()


def test_resp3_where_the_client_has_it(t):
    s = t.server(cores=2)
    r = connected(t, s)
    if "protocol" not in redis.Connection.__init__.__code__.co_varnames:
        t.skip("redis-py %s has no protocol=3" % redis.__version__)
    r = connected(t, s, protocol=3)
    assert r.set("k", "v")
    eq((r.get("k"), r.get("absent")), (b"v", None))
    eq(r.config_get("timeout"), {"timeout": "0"})
