"""Core ports: the cores as nodes of a cluster, seen by clients who believe it."""
import re
import shutil
import subprocess

from pinstripe import Skip, cpus, eq, free_ports, holds, key_core, key_slot, keys_on
from resp import Error, info

SLOTS = 16384
DISABLED = "ERR This instance has cluster support disabled"


def cluster_server(t, **settings):
    cpus(2)
    return t.server(cores=2, core_ports="yes", **settings)


def all_clients(s, **options):
    """(port, client) for the main port and each core's."""
    ports = [s.port] + [s.port + 1 + core for core in range(s.cores)]
    return [(port, s.client(port=port, **options)) for port in ports]




# --- what the cores say of themselves ------------------------------------------------------------------


def test_slots_shards_and_nodes_tell_the_same_map(t):
    s = cluster_server(t)
    half = [[0, 8191], [8192, 16383]]
    ids = None
    for proto in (2, 3):
        for port, c in all_clients(s, proto=proto):
            slots = c.ok("CLUSTER", "SLOTS")
            eq([entry[:2] for entry in slots], half)
            eq([entry[2][:2] for entry in slots],
               [[b"127.0.0.1", s.port + 1], [b"127.0.0.1", s.port + 2]])
            ids = ids or [entry[2][2] for entry in slots]
            eq([entry[2][2] for entry in slots], ids, "the ids are the same on every port")
            for shard, want, node in zip(c.ok("CLUSTER", "SHARDS"), half, ids):
                shard = shard if isinstance(shard, dict) else as_dict(shard)
                eq(shard[b"slots"], want)
                [n] = shard[b"nodes"]
                n = n if isinstance(n, dict) else as_dict(n)
                eq((n[b"id"], n[b"role"], n[b"health"]), (node, b"master", b"online"))
                eq(n[b"port"], s.port + 1 + half.index(want))
            check_nodes(c.ok("CLUSTER", "NODES").decode(), s, ids, port)
    assert all(re.fullmatch(rb"[0-9a-f]{40}", i) for i in ids) and ids[0] != ids[1], ids


def as_dict(flat):
    return dict(zip(flat[::2], flat[1::2]))


def check_nodes(text, s, ids, port):
    lines = text.splitlines()
    eq(len(lines), 2)
    for core, line in enumerate(lines):
        words = line.split(" ")
        eq(words[0].encode(), ids[core])
        eq(words[1], "127.0.0.1:%d@%d" % (s.port + 1 + core, s.port + 1 + core))
        eq(words[7:], ["connected", "%d-%d" % (core * 8192, core * 8192 + 8191)])
        if port > s.port:
            eq(words[2], "myself,master" if core == port - s.port - 1 else "master")
    eq(sum("myself" in line for line in lines), 1)


def test_each_core_port_is_the_core_it_says(t):
    s = cluster_server(t)
    ids = [entry[2][2] for entry in s.client().ok("CLUSTER", "SLOTS")]
    for core in range(2):
        c = s.core_client(core)
        eq(c.ok("CLUSTER", "MYID"), ids[core])
        holds(c.ok("CLUSTER", "INFO").decode(), "cluster_enabled:1\r\n", "cluster_state:ok\r\n",
              "cluster_slots_assigned:16384\r\n", "cluster_known_nodes:2\r\n", "cluster_size:2\r\n")
        holds(c.ok("CLIENT", "INFO").decode(), " core=%d" % core)
        # Keys of its slots are its own: nothing goes to the other core.
        keys = keys_on(core, 2, 200)
        before = int(info(c)["commands_remote_sent"])
        for reply in c.pipe([("SET", k, "v") for k in keys] + [("GET", k) for k in keys]):
            assert reply in ("OK", b"v"), reply
        eq(int(info(c)["commands_remote_sent"]), before)
        c.pipe([("GET", k) for k in keys_on(1 - core, 2, 50)])
        eq(int(info(c)["commands_remote_sent"]), before + 50)
    restarted = s.restart().client().ok("CLUSTER", "SLOTS")
    eq([entry[:2] for entry in restarted], [[0, 8191], [8192, 16383]])


def test_keyslot_and_countkeysinslot(t):
    s = cluster_server(t)
    keys = ["", "a", "foo", "{user}name", "{user}.x", "a{}b", "{}x", "{a", "a}b{c}", "x{y}z{w}",
            "\u00fc", "k" * 300]
    keys += ["k%d" % t.random.randrange(10 ** 9) for _ in range(200)]
    for _, c in all_clients(s):
        eq([c.ok("CLUSTER", "KEYSLOT", k) for k in keys], [key_slot(k) for k in keys])
    eq(s.client().ok("CLUSTER", "KEYSLOT", "123456789"), 0x31c3 % SLOTS)  # the CRC's check value
    for _, c in all_clients(s):
        eq(c.ok("FLUSHALL"), "OK")
        counts = {}
        for k in set(keys):
            eq(c.ok("SET", k, "v"), "OK")
            counts[key_slot(k)] = counts.get(key_slot(k), 0) + 1
        for slot, n in counts.items():
            eq([x.ok("CLUSTER", "COUNTKEYSINSLOT", slot) for _, x in all_clients(s)], [n] * 3)
        for bad in (-1, SLOTS, 1 << 40):
            eq(str(c("CLUSTER", "COUNTKEYSINSLOT", bad)), "ERR Invalid slot")
        eq(str(c("CLUSTER", "COUNTKEYSINSLOT", "x")),
           "ERR value is not an integer or out of range")


def test_without_core_ports_there_is_no_cluster(t):
    s = t.server()
    c = s.client()
    for sub in ("SLOTS", "SHARDS", "NODES", "INFO", "MYID"):
        eq(str(c("CLUSTER", sub)), DISABLED)
    eq(c.ok("CLUSTER", "KEYSLOT", "foo"), 12182)
    eq(info(c)["cluster_enabled"], "0")


def test_what_cluster_clients_send_first_is_accepted(t):
    c = t.server(core_ports="yes").client()
    for command in ("READONLY", "READWRITE", "ASKING"):
        eq(c(command), "OK")
        eq(str(c(command, "x")),
           "ERR wrong number of arguments for '%s' command" % command.lower())
    eq(c("MULTI"), "OK")
    eq(c("READONLY"), "QUEUED")
    eq(c("EXEC"), ["OK"])


# --- any key on any port -------------------------------------------------------------------------------


def test_every_key_works_on_every_port(t):
    s = cluster_server(t)
    clients = [c for _, c in all_clients(s)]
    model = {}
    for n in range(3000):
        c, k = t.random.choice(clients), "k%d" % t.random.randrange(300)
        what = t.random.randrange(5)
        if what == 0:
            eq(c.ok("SET", k, n), "OK")
            model[k] = b"%d" % n
        elif what == 1:
            eq(c("DEL", k), int(model.pop(k, None) is not None))
        elif what == 2:
            others = ["k%d" % t.random.randrange(300) for _ in range(4)]
            eq(c("MGET", *others), [model.get(o) for o in others])
        elif what == 3:
            other = "k%d" % t.random.randrange(300)
            eq(c("MSET", k, n, other, -n), "OK")
            model[k] = b"%d" % n
            model[other] = b"%d" % -n
        else:
            eq(c("GET", k), model.get(k))
    for c in clients:
        eq(sorted(c("KEYS", "*")), sorted(k.encode() for k in model))
        eq(c("DBSIZE"), len(model))
        assert not any(isinstance(r, Error) for r in c.pipe([("GET", k) for k in model]))


# --- clients that follow the map -----------------------------------------------------------------------


def cluster_of(s):
    """redis-py's own cluster client."""
    try:
        from redis.cluster import RedisCluster
    except ImportError:
        raise Skip("needs python3-redis")
    return RedisCluster(host="127.0.0.1", port=s.port + 1)


def test_a_cluster_client_reaches_each_core_without_a_hop(t):
    s = cluster_server(t)
    r = cluster_of(s)
    eq(sorted(n.port for n in r.get_primaries()), [s.port + 1, s.port + 2])
    keys = ["key:%d" % i for i in range(500)]
    for k in keys:
        eq(r.get_node_from_key(k).port, s.port + 1 + key_core(k, 2))
        assert r.set(k, "v:" + k)
    for k in keys:
        eq(r.get(k), b"v:" + k.encode())
    eq(int(info(s.client())["commands_remote_sent"]), 0)
    eq(r.dbsize(target_nodes="primaries"), 2 * len(keys), "each core port sees all keys")
    eq(r.incr("n{x}", 5), 5)
    assert r.mset({"{t}a": 1, "{t}b": 2})
    eq(r.mget("{t}a", "{t}b", "{t}c"), [b"1", b"2", None])
    assert r.mset_nonatomic({"a": 1, "b": 2, "c": 3})
    eq(r.mget_nonatomic("a", "b", "c"), [b"1", b"2", b"3"])
    eq(r.delete("a", "b", "c"), 3)
    with r.pipeline() as p:
        for k in keys:
            p.get(k)
            p.expire(k, 1000)
        got = p.execute()
    eq(got, [x for k in keys for x in (b"v:" + k.encode(), True)])
    eq(r.cluster_keyslot("foo"), 12182)
    eq(r.cluster_countkeysinslot(key_slot("{t}a")), 2)
    eq(r.execute_command("TSDB_SET", "series", 1, 2.5), b"OK")
    eq(r.execute_command("TSDB_GET", "series", "-", "+"), [[1, b"2.5", b"00", 0]])
    r.close()


def test_the_benchmark_in_cluster_mode(t):
    if shutil.which("redis-benchmark") is None:
        t.skip("needs redis-benchmark")
    s = cluster_server(t, appendfsync="everysec")
    n = 20000

    def bench(*args):
        out = subprocess.run(["redis-benchmark", "-p", str(s.port + 1), "--cluster", "-c", "10",
                              "-n", str(n), "-P", "16", "-r", "1000", "-q", *args],
                             capture_output=True, text=True, timeout=100)
        assert out.returncode == 0, out.stderr
        holds(out.stdout, "Cluster has 2 master nodes")
        assert "rror" not in out.stdout + out.stderr.replace("WARNING: Could not fetch", ""), (
            out.stdout, out.stderr)
        return out.stdout

    before = info(s.client())
    out = bench("-t", "set,get,incr")
    for word in ("SET", "GET", "INCR"):
        assert re.search(r"^(\S*\r)?.*%s: [\d.]+ requests per second" % word, out, re.M), out
    out = bench("TSDB_SET", "{tag}stock__rand_int__", "*", "100.5")
    after = info(s.client())
    commands = int(after["total_commands_processed"]) - int(before["total_commands_processed"])
    assert commands >= 4 * n, commands
    eq(int(after["commands_failed"]), int(before["commands_failed"]))
    sent = int(after["commands_remote_sent"]) - int(before["commands_remote_sent"])
    assert sent < n / 100, "%d of %d commands took a hop" % (sent, 4 * n)
    assert s.client().ok("DBSIZE") > 1000


def test_redis_cli_follows_the_map(t):
    if shutil.which("redis-cli") is None:
        t.skip("needs redis-cli")
    s = cluster_server(t)
    for port in (s.port, s.port + 1, s.port + 2):
        script = "".join("SET key%d value%d\nGET key%d\n" % (i, i, i) for i in range(50))
        out = subprocess.run(["redis-cli", "-c", "-p", str(port)], input=script,
                             capture_output=True, text=True, timeout=60)
        eq(out.stdout.split("\n"), [x for i in range(50) for x in ("OK", "value%d" % i)] + [""])


def test_a_core_port_that_is_taken_stops_the_start(t):
    s = t.server(cores=2, start=False, core_ports="yes")
    other = t.server()
    s.port = other.port - 2
    holds(s.start_fails(), "cannot listen on", str(other.port))
    eq(other.client()("PING"), "PONG")
