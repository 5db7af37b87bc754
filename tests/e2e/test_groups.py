"""Groups of writes over several cores: they end, they are whole, and nothing overtakes them."""
import socket
import time

from pinstripe import eq, holds, keys_on, until
from resp import Error, encode, info

CLIENTS = 300  # more than the messages that may be under way between two cores


def many_clients(t, mode):
    s = t.server(cores=2, appendfsync=mode)
    here, there = keys_on(0, 2, CLIENTS), keys_on(1, 2, CLIENTS)
    clients = [s.client() for _ in range(CLIENTS)]
    for _ in range(5):
        for i, c in enumerate(clients):
            c.send_raw(encode("MSET", here[i], i, there[i], i) + encode("INCR", "n") +
                       encode("MULTI") + encode("SET", here[i], -i) + encode("SET", there[i], -i) +
                       encode("EXEC") + encode("MGET", here[i], there[i]) + encode("DBSIZE"))
        for i, c in enumerate(clients):
            eq(c.read(), "OK")
            c.read()
            eq([c.read() for _ in range(3)], ["OK", "QUEUED", "QUEUED"])
            eq(c.read(), ["OK", "OK"])
            eq(c.read(), [b"%d" % -i] * 2)
            c.read()
    eq(s.client()("GET", "n"), b"%d" % (5 * CLIENTS))


def test_hundreds_of_clients_with_groups_over_two_cores_always(t):
    many_clients(t, "always")


def test_hundreds_of_clients_with_groups_over_two_cores_everysec(t):
    many_clients(t, "everysec")


def answered(client, seconds):
    """The reply if it comes in this time, else None."""
    client.sock.settimeout(seconds)
    try:
        return client.read()
    except socket.timeout:
        return None


def late_part(t, prepare, second):
    """A group whose part in core 0 is not on disk yet; `second` writes after it in core 1, asked
    for at core 0. What is answered has to survive."""
    s = t.server(cores=2, core_ports="yes", enable_debug_command="yes")
    k0, k1, other = keys_on(0, 2, 1)[0], keys_on(1, 2, 2)[0], keys_on(1, 2, 2)[1]
    first, later = s.core_client(0), s.core_client(0)
    me = first.ok("CLIENT", "ID")
    eq(later("MSET", k0, "old", k1, "old"), "OK")
    eq(later("DEBUG", "FAULT", "delay", 1, 600000), "OK")
    watcher = s.core_client(0)
    later.pipe([[arg or other for arg in c] for c in prepare])
    first.send("MSET", k0, "new", k1, "new")
    until(lambda: b"cmd=mset" in watcher.ok("CLIENT", "LIST", "ID", me), what="the group has begun")
    later.send(*[arg or other for arg in second])
    reply = answered(later, 0.5)
    s.kill9()
    s.start()
    c = s.client()
    pair = c("MGET", k0, k1)
    assert pair in ([b"old", b"old"], [b"new", b"new"]), pair
    if reply is not None:
        eq(c("GET", other), b"x", "answered with %r" % (reply,))
    return reply


def test_an_exec_behind_an_unfinished_group_waits_for_it(t):
    eq(late_part(t, [("MULTI",), ("SET", None, "x")], ("EXEC",)), None)


def test_a_set_behind_an_unfinished_group_waits_for_it(t):
    eq(late_part(t, [], ("SET", None, "x")), None)


def test_a_read_of_an_unfinished_group_waits_for_it(t):
    s = t.server(cores=2, core_ports="yes", enable_debug_command="yes")
    k0, k1 = keys_on(0, 2, 1)[0], keys_on(1, 2, 1)[0]
    c, reader, both = s.core_client(0), s.core_client(1), s.core_client(1)
    eq(c("DEBUG", "FAULT", "delay", 1, 1000), "OK")
    began = time.monotonic()
    c.send("MSET", k0, "new", k1, "new")
    while (got := reader("GET", k1)) is None:  # the group has not begun
        pass
    eq(got, b"new")
    eq(both("MGET", k0, k1), [b"new", b"new"])
    assert time.monotonic() - began > 0.9, "the reply showed what was not on disk yet"
    eq(c.read(), "OK")


def test_a_journal_that_fails_with_a_group_unfinished_takes_the_others_with_it(t):
    s = t.server(cores=2, core_ports="yes", enable_debug_command="yes")
    k0, k1, other = keys_on(0, 2, 1)[0], keys_on(1, 2, 2)[0], keys_on(1, 2, 2)[1]
    c, c1 = s.core_client(0), s.core_client(1)
    eq(c("MSET", k0, "old", k1, "old"), "OK")
    eq(c("DEBUG", "FAULT", "eio", 1000), "OK")
    c.send("MSET", k0, "new", k1, "new")
    try:
        assert isinstance(c.read(), Error)
    except ConnectionError:
        pass
    try:
        later = c1("SET", other, "x")
    except ConnectionError: # it ran before the other journal's failure was known
        later = None
    if later not in (None, "OK"):
        eq(later.code, "READONLY")
    eq(info(s.core_client(1))["journal_state"], "failed")
    s.kill9()
    s.start()
    c = s.client()
    eq(c("MGET", k0, k1), [b"old", b"old"])
    if later is not None:
        eq(c("GET", other), b"x" if later == "OK" else None)


def test_dbsize_is_exact_while_keys_are_written_blindly(t):
    # Keys that only the store has, and new ones of which nobody knows whether the store has them.
    for cores in (1, 2):
        s = t.server(cores=cores, appendfsync="everysec", checkpoint_journal_bytes="1mb")
        c = s.client()
        c.pipe([("SET", "old%d" % i, i) for i in range(5000)])
        s.restart()
        w, c = s.client(), s.client()
        n = 5000
        for round in range(20):
            batch = [("SET", "new%d" % i, "x" * 50) for i in range(n - 5000, n - 4000)]
            w.send_raw(b"".join(encode(*b) for b in batch))
            during = c.ok("DBSIZE")
            assert n <= during <= n + 1000, during
            eq([w.read() for _ in batch], ["OK"] * 1000)
            n += 1000
            eq(c.ok("DBSIZE"), n)
        eq(c("DEL", *["old%d" % i for i in range(5000)]), 5000)
        eq(c.ok("DBSIZE"), n - 5000)
        holds(s.log(), "ready")


# --- maxmemory ----------------------------------------------------------------------------------------


def write_groups(c, kind, pairs, value):
    """A group for each pair of keys, of one kind or another."""
    for a, b in pairs:
        if kind == "mset":
            c.send_raw(encode("MSET", a, value, b, value))
        else:
            c.send_raw(encode("MULTI") + encode("SET", a, value) + encode("SET", b, value) +
                       encode("EXEC"))
    for _ in pairs:
        if kind == "mset":
            eq(c.read(), "OK")
        else:
            eq([c.read() for _ in range(4)], ["OK", "QUEUED", "QUEUED", ["OK", "OK"]])


def test_groups_over_two_cores_stay_within_maxmemory(t):
    limit, n = 8 << 20, 3000
    here, there = keys_on(0, 2, n), keys_on(1, 2, n)
    for kind in ("mset", "exec"):
        s = t.server(cores=2, maxmemory=limit, appendfsync="everysec")
        c, value = s.client(timeout=60), b"v" * 4000
        most = 0
        for at in range(0, n, 50):
            write_groups(c, kind, list(zip(here[at:at + 50], there[at:at + 50])), value)
            most = max(most, int(info(c)["used_memory"]))
        t.say("%s: at most %.1f of %.0f MiB" % (kind, most / (1 << 20), limit / (1 << 20)))
        assert most < limit * 1.5, most
        eq(c("DBSIZE"), 2 * n)
        for keys in (here, there):
            for at in range(0, n, 200):
                eq(c("MGET", *keys[at:at + 200]), [value] * 200)


def test_groups_are_refused_where_memory_can_never_be_had(t):
    # Less than the empty tables of the directory take once they have had a key.
    s = t.server(cores=2)
    c = s.client(timeout=60)
    a, b = keys_on(0, 2, 1)[0], keys_on(1, 2, 1)[0]
    eq(c("MSET", a, "1", b, "2"), "OK")
    eq(c("CONFIG", "SET", "maxmemory", 1024), "OK")
    eq(c("MSET", a, "x", b, "x").code, "OOM")
    for commands in ([("SET", a, "x"), ("GET", b)], [("INCR", a)], [("MSET", a, "x", b, "y")]):
        eq(str(c.pipe([("MULTI",)] + commands + [("EXEC",)])[-1]),
           "EXECABORT Transaction discarded because of: " + str(c("INCR", b)))
    eq(c("INCR", b).code, "OOM")
    eq(c.pipe([("MULTI",), ("MGET", a, b), ("DEL", b), ("EXEC",)])[-1], [[b"1", b"2"], 1])
    eq(c("BATCH_SET", a + "s", 1, 5), "QUEUED")
    eq(c("BATCH_SET", b + "s", 1, 5), "QUEUED")
    eq(c("BATCH_FLUSH").code, "OOM")
    eq(c("DBSIZE"), 1)
    eq(c("CONFIG", "SET", "maxmemory", 0), "OK")
    eq(c("MSET", a, "x", b, "x"), "OK")
