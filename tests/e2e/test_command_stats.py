"""INFO commandstats, errorstats and latencystats: what was called, refused and failed is counted as
Redis counts it, on however many cores it ran."""
import re

from pinstripe import eq, keys_on
from resp import Error, info
from test_differential import Redis

LINE = re.compile(r"cmdstat_([^:]+):calls=(\d+),usec=(\d+),usec_per_call=(\d+\.\d\d),"
                  r"rejected_calls=(\d+),failed_calls=(\d+)$")
SCRIPT = """
SET a 1; GET a; GET a b; INCR a; SET t x; INCR t; APPEND t y; GET; NOSUCH; NOSUCH a; CONFIG GET hz
CONFIG NOSUCH; CONFIG GET; CLIENT GETNAME; CLIENT ID x; OBJECT ENCODING a; OBJECT ENCODING; EXEC
MULTI; SET b 1; INCR t; GET b; EXEC; MULTI; SET b; EXEC; MULTI; INCR a; DISCARD; WATCH a; UNWATCH
MULTI; GET a; EXEC; MGET a b t; DEL a b; EXISTS a; EXPIRE t 100; EXPIRE t x; TTL t
SELECT 99; SELECT 1; SELECT 0; SETRANGE t -1 x; SETEX t 0 x; RENAME nokey x; PING; PING a b; ECHO x
GETRANGE t 0 x; MSET a; MSET a 1 b 2; COPY a c; COPY a c DB 99; SCAN 0 COUNT x; KEYS *; DBSIZE; TYPE a
LCS a b; LCS a b LEN IDX; HELLO 9; AUTH x; RANDOMKEY; TOUCH a; UNLINK a; GETDEL nokey; FLUSHALL x
"""


def stats_of(client):
    """name: (calls, rejected, failed)."""
    out = {}
    for line in client.ok("INFO", "commandstats").decode().split("\r\n"):
        m = LINE.match(line)
        assert m or line.startswith("#") or not line, line
        if m:
            calls, us, per_call = int(m.group(2)), int(m.group(3)), float(m.group(4))
            assert us == 0 or calls > 0, line
            assert abs(per_call * calls - us) <= calls * 0.01 + 1, line
            out[m.group(1)] = (calls, int(m.group(5)), int(m.group(6)))
    return out


def errors_of(client):
    text = client.ok("INFO", "errorstats").decode()
    return dict(re.findall(r"^errorstat_([A-Z]+):count=(\d+)\r$", text + "\r", re.M))


def run_script(client):
    client.ok("FLUSHALL")
    client.ok("CONFIG", "RESETSTAT")
    for ask in SCRIPT.strip().replace("\n", ";").split(";"):
        client(*ask.split())


def test_calls_are_counted_as_redis_counts_them(t):
    redis, servers = Redis(t), [t.server(cores=1), t.server(cores=2)]
    try:
        a = redis.client()
        run_script(a)
        want, errors = stats_of(a), errors_of(a)
        total = info(a)["total_error_replies"]
    finally:
        redis.stop()
    for s in servers:
        c = s.client()
        run_script(c)
        got = stats_of(c)
        assert len(want) > 30, sorted(want)
        # Whether the call counts that resets, or that asks, is not told.
        for name in (want.keys() | got.keys()) - {"config|resetstat", "info"}:
            eq(got.get(name), want.get(name), name)
        eq(errors_of(c), errors)
        eq(info(c)["total_error_replies"], total)


def test_calls_of_all_cores_add_up_and_go_to_zero(t):
    s = t.server(cores=2)
    c, d = s.client(), s.client()
    names = [k for core in (0, 1) for k in keys_on(core, 2, 3)]
    for client in (c, d):
        replies = client.pipe([("SET", k, i) for i in range(500) for k in names])
        eq(set(replies), {"OK"})
        client.pipe([("TSDB_SET", "s" + k, i, i) for i in range(100) for k in names])
        client.pipe([("INCR", "s" + k) for k in names])
        eq(len(client.ok("MGET", *names)), 6)
    got = stats_of(c)
    eq(got["set"], (6000, 0, 0))
    eq(got["tsdb_set"], (1200, 0, 0))
    eq(got["incr"], (12, 0, 12))
    eq(got["mget"], (2, 0, 0))  # of several cores, one call
    eq(errors_of(c), {"WRONGTYPE": "12"})
    eq(c.ok("CONFIG", "RESETSTAT"), "OK")
    eq(stats_of(c).keys() - {"config|resetstat", "info"}, set())
    eq(errors_of(c), {})
    assert "latency_percentiles_usec_set" not in c.ok("INFO", "latencystats").decode()
    eq(c.ok("SET", "a", 1), "OK")
    eq(stats_of(d)["set"], (1, 0, 0))


def test_internal_commands_are_not_told_of(t):
    c = t.server(enable_debug_command="yes").client()
    eq(c("BATCH_SET", "k", 1, 1), "QUEUED")
    eq(c("BATCH_FLUSH"), 1)
    assert not isinstance(c("DEBUG", "OBJECT", "k"), Error)
    eq(stats_of(c).keys() - {"info"}, {"batch_set", "batch_flush", "debug"})


def test_latencies_of_what_ran_are_told(t):
    c = t.server().client()
    for i in range(300):
        c.ok("SET", "k", i)
    c.ok("KEYS", "*")
    text = c.ok("INFO", "latencystats").decode()
    found = re.findall(r"^latency_percentiles_usec_(\w+):p50=([\d.]+),p99=([\d.]+),p99\.9=([\d.]+)\r$",
                       text + "\r", re.M)
    eq({f[0] for f in found}, {"set", "keys"})
    for _, *percentiles in found:
        values = [float(p) for p in percentiles]
        eq(values, sorted(values))
        assert values[0] > 0


SECTIONS = ["Server", "Clients", "Memory", "Persistence", "Stats", "Replication", "CPU", "Modules",
            "Commandstats", "Errorstats", "Latencystats", "Cluster", "Keyspace"]
ASKS = ["", "all", "everything", "default", "DEFAULT", "modules", "commandstats server", "nosuch",
        "server all", "default latencystats", "server server"]


def test_sections_are_those_of_redis(t):
    redis, server = Redis(t), t.server()
    try:
        for ask in ASKS:
            theirs, ours = (re.findall(r"^# (\w+)", s.client().ok("INFO", *ask.split()).decode(), re.M)
                            for s in (redis, server))
            eq([s for s in ours if s != "Pinstripe"], theirs, ask)
            eq("Pinstripe" in ours, "Server" in theirs and "Stats" in theirs, ask)
        eq(re.findall(r"^# (\w+)", server.client().ok("INFO", "all").decode(), re.M)[:-1], SECTIONS)
    finally:
        redis.stop()
