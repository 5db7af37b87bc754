"""What stands between a command and its reply: commands that wait, journals that fail meanwhile, keys
that only the store knows, and stopping in the middle of it all."""
import os
import shutil
import subprocess

from pinstripe import eq, holds, key_slot, keys_on, until
from resp import Error, encode

POINT_STEP_MS = 100  # wide enough for blocks to be sealed by their number of points


def test_waitaof_inside_a_transaction_does_not_wait(t):
    c = t.server().client()
    eq(c.pipe([("MULTI",), ("SET", "k", "v"), ("WAITAOF", 1, 0, 0), ("GET", "k"), ("EXEC",)])[-1],
       ["OK", [0, 0], b"v"])
    eq(c("WAITAOF", 1, 0, 0), [1, 0])
    eq(c("PING"), "PONG")


def second_reply(c):
    try:
        c.read()
        return c.read()
    except ConnectionError:
        return Error("closed")


def test_a_write_whose_journal_fails_during_its_round_is_not_acknowledged(t):
    # The two writes are answered together. The first one's journal fails while the second one's is slow.
    s = t.server(cores=2, core_ports="yes", enable_debug_command="yes")
    k0, k1 = keys_on(0, 2, 1)[0], keys_on(1, 2, 1)[0]
    c0, c1 = s.core_client(0), s.core_client(1)
    eq(c1("DEBUG", "FAULT", "delay", 1, 1000), "OK")
    eq(c0("DEBUG", "FAULT", "eio", 1000), "OK")
    c0.send_raw(encode("SET", k1, "kept") + encode("SET", k0, "lost"))
    reply = second_reply(c0)
    assert isinstance(reply, Error), "answered %r, and it is not on disk" % (reply,)
    s.kill9()
    s.start()
    eq(s.client()("GET", k0), None)


def test_a_remote_write_whose_journal_fails_is_not_acknowledged(t):
    # Its batch of requests goes on after the failure: it was waiting for a key from the store.
    s = t.server(cores=2, core_ports="yes", enable_debug_command="yes")
    keys = keys_on(1, 2, 20000) # more than the block that a start reads
    cold, k1 = keys[5000], "new" + keys[0]
    k1 = next(k for k in keys_on(1, 2, 20001) if k not in keys)
    s.client().pipe([("SET", k, k) for k in keys])
    s.restart()
    c0, c1, other = s.core_client(0), s.core_client(1), s.core_client(1)
    eq(c1("DEBUG", "FAULT", "store", 1, 1500), "OK")
    eq(c1("DEBUG", "FAULT", "eio", 1000), "OK")
    c0.send_raw(encode("GET", keys[0]) + encode("SET", k1, "lost") + encode("GET", cold))
    reply = second_reply(c0)
    assert isinstance(reply, Error), "answered %r, and it is not on disk" % (reply,)
    eq(other("SET", k1, "x").code, "READONLY")
    s.kill9()


def add_points(c, key, first, n):
    for at in range(0, n, 500):
        c.pipe([("TSDB_SET", key, first + i * POINT_STEP_MS, i) for i in range(at, min(at + 500, n))])


def test_a_series_overwritten_unseen_leaves_no_points_behind(t):
    # SET does not look at what only the store has. Counting the keys does, and must not forget that
    # it was a series: its blocks would come back with the next series of that name.
    s = t.server()
    c = s.client()
    add_points(c, "k", 0, 5000)
    c("SET", "other", "x")
    s.restart()
    c = s.client()
    eq(c("SET", "k", "now a string"), "OK")
    eq(c.ok("DBSIZE"), 2)
    c.ok("SAVE")
    eq(c("DEL", "k"), 1)
    add_points(c, "k", 10**9, 5000)
    c.ok("SAVE")
    got = c.ok("TSDB_GET", "k", "-", "+")
    eq(len(got), 5000)
    s.restart()
    eq(len(s.client().ok("TSDB_GET", "k", "-", "+")), 5000)


def test_a_checkpoint_of_a_few_long_values_writes_them_all(t):
    # Each fills a piece of the table file; their order is that of their slots, not of their names.
    s = t.server(appendfsync="everysec")
    c = s.client()
    for db in (3, 0):
        c.ok("SELECT", db)
        for i in range(20):
            c.ok("SET", "k%02d" % i, bytes([65 + i]) * 700000)
    c.ok("TS.CREATE", "labelled", "LABELS", "a", "b")
    eq(c("SAVE"), "OK")
    s.kill9()
    c = s.start().client()
    for db in (3, 0):
        c.ok("SELECT", db)
        for i in range(20):
            value = c("GET", "k%02d" % i)
            eq((len(value), value[:1]), (700000, bytes([65 + i])), "k%02d of database %d" % (i, db))
    eq(c("TS.QUERYINDEX", "a=b"), [b"labelled"])


def test_keys_in_a_slot_are_counted_in_memory_and_store(t):
    for cores in (1, 2):
        s = t.server(cores=cores)
        c = s.client()
        n = 300
        slot = key_slot("{tag}")
        c.pipe([("SET", "{tag}%d" % i, i) for i in range(n)])
        c.pipe([("SET", "x%d" % i, i) for i in range(n)])
        here = n + sum(key_slot("x%d" % i) == slot for i in range(n))
        eq(c.ok("CLUSTER", "COUNTKEYSINSLOT", slot), here)
        s.restart()
        c = s.client()
        eq(c.ok("CLUSTER", "COUNTKEYSINSLOT", slot), here)
        eq(c("GET", "{tag}1"), b"1")
        eq(c("SET", "{tag}2", "blind"), "OK")
        eq(c("DEL", "{tag}3", "{tag}4"), 2)
        eq(c("SET", "{tag}new", "1"), "OK")
        eq(c.ok("CLUSTER", "COUNTKEYSINSLOT", slot), here - 1)
        eq(c.ok("FLUSHDB"), "OK")
        eq(c.ok("CLUSTER", "COUNTKEYSINSLOT", slot), 0)


def test_stops_while_keys_expire_and_the_journal_is_slow(t):
    s = t.server(enable_debug_command="yes")
    c = s.client()
    c.pipe([("SET", "k%d" % i, i, "PX", 1000 + i // 50) for i in range(50000)])
    eq(c("DEBUG", "FAULT", "store", 1, 2000), "OK")
    eq(c("DEBUG", "FAULT", "delay", 1000, 100), "OK")
    s.stop()
    holds(s.log(), "stopped")


def test_stops_under_load_without_waiting_for_it_to_end(t):
    if shutil.which("redis-benchmark") is None:
        t.skip("needs redis-benchmark")
    for cores in (1, 2):
        s = t.server(cores=cores)
        load = subprocess.Popen(["redis-benchmark", "-p", str(s.port), "-t", "set,mset", "-l",
                                 "-P", "32", "-c", "40", "-r", "1000000", "-q"],
                                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                stderr=subprocess.DEVNULL)
        try:
            c = s.client()
            until(lambda: c.ok("DBSIZE") > 100000, what="a load")
            s.stop()
        finally:
            load.kill()
            load.wait()
        holds(s.log(), "stopped")
        assert "gives up" not in s.log(), "it waited for the load to end"


def test_two_servers_do_not_share_a_port(t):
    s = t.server()
    other = t.server(start=False)
    other.port = s.port
    holds(other.start_fails(), "cannot listen on", str(s.port))
    eq(s.client()("PING"), "PONG")


def test_leftovers_go_and_what_only_looks_like_them_stays(t):
    s = t.server()
    s.stop()
    for name in ("gen-000007", "gen-000007-copy", "gen-7"):
        os.mkdir(os.path.join(s.dir, name))
    s.start()
    left = sorted(n for n in os.listdir(s.dir) if n.startswith("gen-"))
    eq(left, ["gen-000001", "gen-000007-copy", "gen-7"])


LIVE_NUMBERS = [("hz", 11, 400), ("timeout", 1000, 9000), ("batch-size", 1, 9999),
                ("active-expire-effort", 1, 9), ("maxmemory", 1 << 40, (1 << 40) + 5000),
                ("checkpoint-dirty-bytes", 1 << 26, (1 << 26) + 5000)]


def test_settings_changed_at_the_same_time_from_two_cores_are_all_kept(t):
    # Each connection has an option of its own: what it set last is what every core must say.
    s = t.server(cores=2, core_ports="yes")
    clients = [s.core_client(i % 2) for i in range(len(LIVE_NUMBERS))]
    last = {}
    for _ in range(200):
        sent = []
        for c, (name, low, high) in zip(clients, LIVE_NUMBERS):
            values = [t.random.randint(low, high) for _ in range(5)]
            c.send_raw(b"".join(encode("CONFIG", "SET", name, v) for v in values))
            sent.append((c, name, values))
        for c, name, values in sent:
            eq([c.read() for _ in values], ["OK"] * len(values))
            last[name] = b"%d" % values[-1]
    for core in (0, 1):
        c = s.core_client(core)
        for name, value in last.items():
            eq(c("CONFIG", "GET", name), [name.encode(), value], "core %d" % core)


def test_one_setting_changed_from_two_cores_is_the_same_on_both(t):
    s = t.server(cores=2, core_ports="yes")
    clients = [s.core_client(i % 2) for i in range(20)]
    check = [s.core_client(0), s.core_client(1)]
    for round in range(50):
        for i, c in enumerate(clients):
            c.send_raw(encode("CONFIG", "SET", "timeout", 1000 + 20 * round + i) +
                       encode("CONFIG", "SET", "timeout", "never") +
                       encode("CONFIG", "SET", "hz", 10 + i, "timeout", 5000 + i))
        for c in clients:
            replies = [c.read() for _ in range(3)]
            eq([replies[0], replies[2]], ["OK", "OK"])
            holds(str(replies[1]), "CONFIG SET failed", "timeout")
        for name in ("timeout", "hz"):
            eq(*[c("CONFIG", "GET", name) for c in check])
        hz, timeout = [int(check[0]("CONFIG", "GET", n)[1]) for n in ("hz", "timeout")]
        eq(timeout - 5000, hz - 10, "two settings of one command")
