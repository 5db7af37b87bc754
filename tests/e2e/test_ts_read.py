"""TS.READ: the points from a time on, and waiting for those to come."""
import time

from pinstripe import STOP_SECONDS, eq, holds, keys_on, until
from resp import Closed, Error, info

LONG = 60000  # a wait that no test sits out


def points(reply):
    return [(p[0], float(p[1])) for p in reply]


def waiting(c, n):
    """Once so many clients wait."""
    until(lambda: int(info(c, "clients")["blocked_clients"]) == n, what="%d clients wait" % n)


def pair(t, **settings):
    """A server of two cores, a client of core 0, and a key of each core."""
    s = t.server(cores=2, core_ports="yes", **settings)
    return s, s.core_client(0), [keys_on(core, 2, 1, "k")[0] for core in range(2)]


def parked(s, c, *commands, core=0, proto=2):
    """A client for each command, sent one after the other, that waits for its answer."""
    found = []
    before = int(info(c, "clients")["blocked_clients"])
    for n, command in enumerate(commands, 1):
        found.append(s.core_client(core, proto=proto))
        found[-1].send(*command)
        waiting(c, before + n)
    return found


def test_without_block_it_answers_what_is_there(t):
    for cores in (1, 2):
        s = t.server(cores=cores)
        for proto in (2, 3):
            c = s.client(proto=proto)
            for key in ("a", "b", "c"):
                key += str(proto)
                eq(c("TS.READ", key, 0), [])
                eq(c("TS.READ", key, "$"), [])
                eq(c("TS.CREATE", key), "OK")
                eq(c("TS.READ", key, "-"), [])
                eq(c("TS.MADD", key, 100, 1, key, 200, 2.5, key, 300, 3), [100, 200, 300])
                value = (lambda v: v) if proto == 3 else (lambda v: {1.0: "1", 2.5: "2.5",
                                                                     3.0: "3"}[v])
                whole = [[100, value(1.0)], [200, value(2.5)], [300, value(3.0)]]
                eq(c("TS.READ", key, 0), whole)
                eq(c("ts.read", key, "-"), whole)
                eq(c("TS.READ", key, "+"), whole[2:])
                eq(c("TS.READ", key, "$"), [])
                eq(c("TS.READ", key, 101, "MAX_COUNT", 1), whole[1:2])
                eq(c("TS.READ", key, 301, "max_count", 5), [])
                eq(c("TS.READ", key, 200, "BLOCK", LONG, 2), whole[1:])
                eq(c("TS.READ", key, 0, "MAX_COUNT", 2, "BLOCK", 0, 1), whole[:2])


def test_what_is_stored_is_read_as_well(t):
    s, c, keys = pair(t, store_block_cache_bytes="1mb")
    for key in keys:
        n = 5000
        eq(c.pipe_many([("TS.ADD", key, i, i) for i in range(n)]), list(range(n)))
        eq(c("SAVE"), "OK")
    s.restart()
    c = s.core_client(0)
    for key in keys:
        eq(points(c("TS.READ", key, 10, "MAX_COUNT", 3)), [(10, 10.0), (11, 11.0), (12, 12.0)])
        eq(len(c("TS.READ", key, "-", "BLOCK", LONG, n)), n)
        w, = parked(s, c, ("TS.READ", key, "-", "BLOCK", LONG, n + 1, "MAX_COUNT", n + 1))
        eq(c("TS.ADD", key, n + 7, 1), n + 7)
        eq(w.read()[-1], [n + 7, "1"])


def test_what_is_wrong_is_named(t):
    c = t.server().client()
    c.ok("SET", "str", 1)
    arity = "ERR wrong number of arguments for 'ts.read' command"
    for args, error in (
            (("k",), arity), (("k", 0, "BLOCK"), arity), (("k", 0, "BLOCK", 5), arity),
            (("k", 0, "MAX_COUNT"), arity), (("k", 0, "what"), arity),
            (("k", 0, "BLOCK", 5, 1, 7), arity), (("k", 0, "BLOCK", 5, 1, "BLOCK", 5, 1), arity),
            (("k", 0, "MAX_COUNT", 1, "MAX_COUNT", 1), arity),
            (("k", "x"), "ERR TSDB: invalid timestamp"),
            (("k", "block"), "ERR TSDB: invalid timestamp"),
            (("k", 0, "BLOCK", -1, 1), "TSDB: BLOCK milliseconds must be a non-negative integer"),
            (("k", 0, "BLOCK", "x", 1), "TSDB: BLOCK milliseconds must be a non-negative integer"),
            (("k", 0, "BLOCK", 5, 0), "TSDB: BLOCK min_count must be a positive integer"),
            (("k", 0, "BLOCK", 5, "x"), "TSDB: BLOCK min_count must be a positive integer"),
            (("k", 0, "MAX_COUNT", 0), "TSDB: MAX_COUNT must be a positive integer"),
            (("k", 0, "BLOCK", 5, 3, "MAX_COUNT", 2), "TSDB: BLOCK min_count must be <= MAX_COUNT"),
            (("k", 0, "BLOCK", 5, 1000001), "ERR TSDB: BLOCK min_count must be <= 1000000"),
            (("str", 0), "ERR WRONGTYPE Operation against a key holding the wrong kind of value"),
            (("str", 0, "BLOCK", 5, 1),
             "ERR WRONGTYPE Operation against a key holding the wrong kind of value")):
        eq(str(c("TS.READ", *args)), error, repr(args))
    eq(c("CONFIG", "SET", "ts-compat", "strict"), "OK")
    eq(str(c("TS.READ", "k", -5)), "ERR TSDB: invalid timestamp, must be a nonnegative integer")
    eq(c("MULTI"), "OK")
    for args in (("k", 0), ("k", 0, "BLOCK", 0, 1)):
        eq(c("TS.READ", *args), "QUEUED")
    eq(c("EXEC"), [[], Error("TSDB: blocking TS.READ is not allowed inside MULTI")])


def test_every_write_wakes_who_waits(t):
    """Local keys and those of another core, over both protocols."""
    s, c, keys = pair(t)
    other = keys_on(1, 2, 3, "k")[2]
    for proto in (2, 3):
        for n, key in enumerate(keys):
            c.pipe([("DEL", key), ("DEL", "d" + key), ("DEL", other)])
            ts = iter(range(100, 10000, 10))
            writes = [
                lambda: eq(c("TS.ADD", key, next(ts), 1) > 0, True),
                lambda: eq(len(c("TS.MADD", key, next(ts), 1, other, 5, 1)), 2),
                lambda: eq(c("TSDB_SET", key, next(ts), 1), "OK"),
                lambda: eq(c("TSDB_ROW", key, next(ts), "open", 1, "high", 2), "OK"),
                lambda: eq(c("TS.INCRBY", key, 1, "TIMESTAMP", next(ts)) > 0, True),
                lambda: eq(c("TS.DECRBY", key, 1, "TIMESTAMP", next(ts)) > 0, True),
                lambda: eq(c.pipe([("BATCH_SET", key, 1, next(ts)), ("BATCH_SET", other, 1, 7),
                                   ("BATCH_FLUSH",)]), ["QUEUED", "QUEUED", 2]),
                lambda: eq(len(c.pipe([("MULTI",), ("TS.ADD", key, next(ts), 1),
                                       ("SET", other + "s", 1), ("EXEC",)])), 4),
            ]
            for write in writes:
                w, = parked(s, c, ("TS.READ", key, "$", "BLOCK", LONG, 1), proto=proto)
                write()
                got = w.read()
                eq(len(got), 1)
                eq(got[0], c.ok("TS.GET", key) if proto == 2 else
                   [c.ok("TS.GET", key)[0], float(c.ok("TS.GET", key)[1])])
                w.close()


def test_a_rule_wakes_who_waits_for_its_destination(t):
    s, c, keys = pair(t)
    for source, to in (keys, keys[::-1]):
        c.pipe([("DEL", source), ("DEL", to), ("TS.CREATE", source), ("TS.CREATE", to)])
        eq(c("TS.CREATERULE", source, to, "AGGREGATION", "sum", 10), "OK")
        w, = parked(s, c, ("TS.READ", to, "-", "BLOCK", LONG, 2))
        for ts in (1, 5, 12, 25):
            eq(c("TS.ADD", source, ts, ts), ts)
        eq(points(w.read()), [(0, 6.0), (10, 12.0)])
        # A copy and a new name bring a series as well.
        w, v = parked(s, c, ("TS.READ", "x" + to, 0, "BLOCK", LONG, 1),
                      ("TS.READ", "y" + to, 0, "BLOCK", LONG, 1))
        eq(c("COPY", source, "x" + to), 1)
        eq(c("RENAME", "x" + to, "y" + to), "OK")
        for reader in (w, v):
            eq([p[0] for p in points(reader.read())][:1], [1])
        w, = parked(s, c, ("TS.READ", "z" + to, 0, "BLOCK", LONG, 3))
        eq(c("RESTORE", "z" + to, 0, c.ok("DUMP", source)), "OK")
        eq([p[0] for p in points(w.read())], [1, 5, 12, 25])
        c.pipe([("DEL", "y" + to, "z" + to)])


def test_it_waits_for_enough_and_counts_from_its_cursor(t):
    s, c, keys = pair(t)
    for key in keys:
        c.pipe([("TS.CREATE", key, "DUPLICATE_POLICY", "LAST"), ("TS.MADD", key, 10, 1, key, 20, 2)])
        three, late, plus = parked(
            s, c, ("TS.READ", key, 20, "BLOCK", LONG, 3), ("TS.READ", key, 5, "BLOCK", LONG, 5),
            ("TS.READ", key, "+", "BLOCK", LONG, 2, "MAX_COUNT", 2))
        eq(c("TS.ADD", key, 7, 0), 7)      # counts for one of them only
        eq(c("TS.ADD", key, 20, 9), 20)    # no new point
        eq(c("TSDB_SET", key, 33, 1, "01"), "OK")  # another data type
        waiting(c, 3)
        eq(c("TS.ADD", key, 30, 3), 30)
        eq(points(plus.read()), [(20, 9.0), (30, 3.0)])
        eq(c("TS.DEL", key, 30, 30), 1)    # and one less again
        eq(c("TS.ADD", key, 31, 4), 31)
        waiting(c, 2)
        eq(c("TS.ADD", key, 32, 5), 32)
        eq(points(three.read()), [(20, 9.0), (31, 4.0), (32, 5.0)])
        eq(points(late.read()), [(7, 0.0), (10, 1.0), (20, 9.0), (31, 4.0), (32, 5.0)])


def test_when_the_time_is_over_it_answers_what_there_is(t):
    s, c, keys = pair(t)
    for key in keys:
        eq(c("TS.READ", key, 0, "BLOCK", 20, 1), [])
        eq(c("TS.ADD", key, 5, 1), 5)
        start = time.monotonic()
        eq(points(c("TS.READ", key, 0, "BLOCK", 60, 10)), [(5, 1.0)])
        assert time.monotonic() - start >= 0.06, "it did not wait"
        eq(c("TS.READ", key, "$", "BLOCK", 20, 1), [])
        # What comes in time is there although it is not enough.
        w, = parked(s, c, ("TS.READ", key, "$", "BLOCK", 1000, 10))
        eq(c("TS.ADD", key, 6, 2), 6)
        assert points(w.read()) in ([(6, 2.0)], [])  # the latter on a machine that stood still
    waiting(c, 0)


def test_a_key_that_goes_ends_the_wait_with_nothing(t):
    s, c, keys = pair(t)
    for key in keys:
        for end in (("DEL", key), ("UNLINK", key), ("RENAME", key, "r" + key), ("FLUSHDB",),
                    ("FLUSHALL",), ("PEXPIRE", key, 30), ("EXPIREAT", key, 1),
                    ("RESTORE",)):
            eq(c("TS.ADD", key, 5, 1), 5)
            w, = parked(s, c, ("TS.READ", key, 0, "BLOCK", 0, 2))
            if end[0] == "RESTORE":  # gone and back again at once: it went
                eq(c.pipe([("MULTI",), ("DEL", key), ("TS.ADD", key, 1, 1), ("TS.ADD", key, 2, 1),
                           ("EXEC",)])[4], [1, 1, 2])
            else:
                assert not isinstance(c(*end), Error), end
            eq(w.read(), [], repr(end))
            c("DEL", key)
        eq(c("TS.ADD", key, 5, 1), 5)
        w, = parked(s, c, ("TS.READ", key, 0, "BLOCK", 0, 2))
        eq(c("SET", key, "text"), "OK")
        holds(str(w.read()), "WRONGTYPE")
        eq(c("DEL", key), 1)
        # Who never saw it waits on, whatever else comes and goes there.
        w, = parked(s, c, ("TS.READ", key, 0, "BLOCK", 0, 2))
        c.pipe([("SET", key, "text"), ("DEL", key), ("FLUSHALL",), ("TS.MADD", key, 1, 1)])
        waiting(c, 1)
        eq(c.pipe([("TS.ADD", key, 1, 1), ("TS.ADD", key, 2, 1)]), [1, 2])
        eq(len(w.read()), 2)


def test_later_commands_wait_for_their_turn(t):
    s, c, keys = pair(t)
    for key in keys:
        w = s.core_client(0)
        commands = [("SET", keys[0] + "n", 0)] + [("INCR", keys[i % 2] + "n") for i in range(40)]
        w.pipe([("DEL", k + "n") for k in keys])
        for command in commands + [("TS.READ", key, "$", "BLOCK", LONG, 1)] + [
                ("INCR", keys[1] + "n"), ("TS.READ", key, "$", "BLOCK", LONG, 1), ("PING",)]:
            w.send(*command)
        waiting(c, 1)
        eq(c("GET", keys[1] + "n"), b"20")
        eq(c("TS.ADD", key, 1, 1), 1)
        until(lambda: c("GET", keys[1] + "n") == b"21", what="the next command ran")
        waiting(c, 1)
        eq(c("TS.ADD", key, 2, 1), 2)
        got = [w.read() for _ in range(45)]
        eq(got[41:], [[[1, "1"]], 21, [[2, "1"]], "PONG"])
        eq(got[0:3], ["OK", 1, 1])
        c("DEL", key)


def test_a_crowd_is_answered_each_by_itself(t):
    s, c, keys = pair(t)
    crowd = []
    for i in range(120):
        w = s.core_client(i % 2)
        w.send("TS.READ", keys[i // 2 % 2], 0, "BLOCK", 0, 1 + i % 3)
        crowd.append((w, keys[i // 2 % 2], 1 + i % 3))
    waiting(c, 120)
    for n in (1, 2, 3):
        for key in keys:
            eq(c("TS.ADD", key, n, n), n)
        for w, key, want in crowd:
            if want == n:
                eq(len(w.read()), n)
        waiting(c, 120 - 40 * n)


def test_who_leaves_is_forgotten(t):
    s, c, keys = pair(t)
    for key in keys:
        for n in range(5):
            ws = parked(s, c, *[("TS.READ", key, 0, "BLOCK", 0, 1)] * 3)
            ids = [int(line.split()[0][3:]) for line in c.ok("CLIENT", "LIST").decode().splitlines()
                   if " flags=b " in line and "cmd=ts.read" in line]
            eq(len(ids), 3)
            ws[0].close()
            eq(c("CLIENT", "KILL", "ID", ids[1]), 1)
            waiting(c, 1)
            left = [i for i in ids if c("CLIENT", "UNBLOCK", i, "ERROR" if n % 2 else "TIMEOUT")]
            eq(len(left), 1)
            got = [w for w in ws[1:] if not gone(w, n % 2)]
            eq(len(got), 1)
            waiting(c, 0)
            eq(c("CLIENT", "UNBLOCK", left[0]), 0)
    eq(str(c("CLIENT", "UNBLOCK", 1, "WHY")),
       "ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR")
    eq(str(c("CLIENT", "UNBLOCK", "x")), "ERR value is not an integer or out of range")
    eq(c("CLIENT", "UNBLOCK", c.ok("CLIENT", "ID")), 0)


def test_who_was_unblocked_does_not_wait_any_more(t):
    """As soon as CLIENT UNBLOCK is answered, although the key's core may not know of it yet."""
    s, c, keys = pair(t)
    w = s.core_client(0)
    me = w.ok("CLIENT", "ID")
    for i in range(100):
        w.send("TS.READ", keys[i % 2], 0, "BLOCK", 0, 1)
        waiting(c, 1)
        eq(c.pipe([("CLIENT", "UNBLOCK", me)] * 2), [1, 0])
        eq(w.read(), [])


def gone(w, error):
    """Was it closed? Else it was told that its wait is over."""
    try:
        reply = w.read()
    except (Closed, ConnectionError):
        return True
    if error:
        eq(str(reply), "UNBLOCKED client unblocked via CLIENT UNBLOCK")
    else:
        eq(reply, [])
    eq(w("PING"), "PONG")
    return False


def test_one_who_sent_too_much_and_left_is_noticed(t):
    """Behind 256 KiB the server receives nothing until the wait is over."""
    s, c, keys = pair(t)
    for key in keys:
        for size in (300 << 10, 330 << 10, 1000):
            w = s.core_client(0)
            w.send("TS.READ", key, 0, "BLOCK", 0, 1)
            waiting(c, 1)
            w.send_raw(b"x" * size)
            w.close()
            waiting(c, 0)


def test_only_so_many_may_wait(t):
    s, c, keys = pair(t, blocked_clients_max=2)
    ws = parked(s, c, *[("TS.READ", k, 0, "BLOCK", 0, 1) for k in keys])
    eq(str(c("TS.READ", keys[0], 0, "BLOCK", 0, 1)),
       "ERR this core has blocked-clients-max clients that wait already")
    eq(c("TS.READ", keys[0], 0), [])
    eq(c("TS.ADD", "enough", 1, 1), 1)
    for _ in range(3):  # who need not wait may ask
        eq(len(c.ok("TS.READ", "enough", 0, "BLOCK", 0, 1)), 1)
    waiting(c, 2)
    ws += parked(s, c, ("TS.READ", keys[0], 0, "BLOCK", 0, 1), core=1)
    eq(c("CONFIG", "SET", "blocked-clients-max", 3), "OK")
    ws += parked(s, c, ("TS.READ", keys[0], 0, "BLOCK", 0, 1))
    for key in keys:
        c.ok("TS.ADD", key, 1, 1)
    for w in ws:
        eq(len(w.read()), 1)
    waiting(c, 0)
    eq(c("CONFIG", "RESETSTAT"), "OK")
    parked(s, c, ("TS.READ", keys[0], 2, "BLOCK", 0, 1))
    eq(c("CONFIG", "RESETSTAT"), "OK")
    waiting(c, 1)


def test_a_reader_sees_only_what_is_on_disk(t):
    """With appendfsync always it is answered when the write is: never before."""
    s, c, keys = pair(t, enable_debug_command="yes")
    for core, key in enumerate(keys):
        d = s.core_client(core)
        for reader in (0, 1):
            w, = parked(s, c, ("TS.READ", key, "$", "BLOCK", LONG, 1), core=reader)
            eq(d("DEBUG", "FAULT", "delay", 1, 700), "OK")
            writer = s.core_client(core)
            start = time.monotonic()
            writer.send("TS.ADD", key, 1 + reader, 1)
            eq(len(w.read()), 1)
            assert time.monotonic() - start > 0.5, "it was shown what was not on disk"
            eq(writer.read(), 1 + reader)


def test_who_waits_is_answered_when_the_journal_fails(t):
    """As any read: with an error, or with what is in memory once it has failed."""
    s, c, keys = pair(t, enable_debug_command="yes")
    for reader in (0, 1):
        w, = parked(s, c, ("TS.READ", keys[1], "$", "BLOCK", LONG, 1), core=reader)
        if reader == 0:
            eq(s.core_client(1)("DEBUG", "FAULT", "eio", 100), "OK")
            writer = s.core_client(1)
            writer.send("TS.ADD", keys[1], 1, 1)
            assert gone_or_error(writer)
            reply = w.read()
            if isinstance(reply, Error):
                holds(str(reply), "may be lost")
            else:
                eq(points(reply), [(1, 1.0)])
        else:
            w.close()
            waiting(c, 0)


def gone_or_error(c):
    try:
        return isinstance(c.read(), Error)
    except (Closed, ConnectionError):
        return True


def test_what_a_reader_saw_is_there_after_a_crash(t):
    s, c, keys = pair(t)
    seen = {}
    for key in keys:
        at = 0
        w = s.core_client(0)
        writer = s.core_client(1)
        for i in range(1, 400):
            writer.send("TS.ADD", key, i, i)
        while at < 200:
            at = w("TS.READ", key, at + 1, "BLOCK", LONG, 1)[-1][0]
        seen[key] = at
    parked(s, c, *[("TS.READ", k, 1000, "BLOCK", 0, 1) for k in keys])
    s.kill9()
    s.start()
    c = s.core_client(0)
    for key in keys:
        got = c("TS.READ", key, 0)
        assert len(got) >= seen[key], (key, len(got), seen[key])
        eq([p[0] for p in got], list(range(1, len(got) + 1)))
    w, = parked(s, c, ("TS.READ", keys[1], "$", "BLOCK", LONG, 1))
    eq(c("TS.ADD", keys[1], 5000, 1), 5000)
    eq(len(w.read()), 1)


def test_a_server_that_stops_answers_who_waits(t):
    s, c, keys = pair(t)
    c.ok("TS.ADD", keys[1], 1, 1)
    ws = parked(s, c, *[("TS.READ", k, 0, "BLOCK", 0, 2) for k in keys])
    s.process.terminate()
    eq(ws[0].read(), [])
    eq(points(ws[1].read()), [(1, 1.0)])
    s.process.wait(STOP_SECONDS)
    s.stop()
    assert "gives up" not in s.log(), "the stop waited for who waits"


def test_half_closed_is_answered_what_there_is(t):
    s, c, keys = pair(t)
    c.ok("TS.ADD", keys[1], 1, 1)
    for key, want in zip(keys, ([], [(1, 1.0)])):
        w, = parked(s, c, ("TS.READ", key, 0, "BLOCK", 0, 2))
        w.sock.shutdown(1)
        eq(points(w.read()), want)
        assert w.is_closed()
        w = s.core_client(0)
        w.send_raw(b"SET a 1\r\nSET b 2\r\nTS.READ %s 0 BLOCK 0 2\r\n" % key.encode())
        w.sock.shutdown(1)
        eq([w.read(), w.read(), points(w.read())], ["OK", "OK", want])


def test_readers_and_writers_at_random(t):
    """Each reader goes on behind the last point it saw: nothing is missed, nothing comes twice."""
    r = t.random
    s, c, keys = pair(t)
    readers = []
    for i in range(12):
        w = s.core_client(i % 2)
        readers.append([w, r.choice(keys), 0, []])
    last = 300
    for reader in readers:
        ask(r, reader, last)
    done = 0
    writer = s.core_client(1)
    for ts in range(1, last + 1):
        for key in keys:
            writer.send("TS.ADD", key, ts, ts)
    while done < len(readers):
        for reader in readers:
            w, key, at, got = reader
            if at >= last:
                continue
            new = [p[0] for p in w.read()]
            got += new
            if new:
                reader[2] = new[-1]
            if reader[2] >= last:
                done += 1
            else:
                ask(r, reader, last)
    for _, _, _, got in readers:
        eq(got, list(range(1, last + 1)))
    waiting(c, 0)


def ask(r, reader, last):
    w, key, at, _ = reader
    left = last - at
    least = r.randrange(1, min(left, 20) + 1)
    w.send("TS.READ", key, at + 1, "BLOCK", r.choice((0, 1, 5, LONG)), least, "MAX_COUNT",
           least + r.randrange(30))


def test_a_key_that_goes_right_behind_a_point_ends_the_wait_as_well(t):
    """The point wakes the reader; what becomes of the key before it has looked counts too."""
    for cores in (1, 2):
        s = t.server(cores=cores)
        c = s.client()
        for commands in ([("TS.ADD", "k", 5, 1), ("DEL", "k")],
                         [("MULTI",), ("TS.ADD", "k", 5, 1), ("DEL", "k"), ("EXEC",)],
                         [("TS.ADD", "k", 5, 1), ("DEL", "k"), ("TS.CREATE", "k")],
                         [("TS.ALTER", "k", "RETENTION", 5), ("DEL", "k")],
                         [("TS.ADD", "k", 5, 1), ("RENAME", "k", "{k}other")],
                         [("TS.ADD", "k", 5, 1), ("FLUSHALL",)],
                         [("TS.ADD", "k", 5, 1), ("FLUSHALL",), ("TS.ADD", "k", 1, 1)],
                         [("TS.ADD", "k", 5, 1), ("SET", "k", "x")]):
            c("FLUSHALL")
            eq(c("TS.ADD", "k", 1, 1), 1)
            reader = s.client()
            reader.send("TS.READ", "k", "$", "BLOCK", 0, 1)
            waiting(c, 1)
            c.pipe(commands)
            got = reader.read()
            assert got == [] or "WRONGTYPE" in str(got) or got[0][0] == 5, (commands, got)
            reader.close()
            waiting(c, 0)
        s.stop()


def test_nothing_is_new_behind_the_end_of_time(t):
    c = t.server(cores=1).client()
    last = 2 ** 63 - 1
    eq(c("TSDB_SET", "k", last, 1), "OK")
    eq(c("TS.READ", "k", "$"), [])
    eq(c("TS.READ", "k", "$", "BLOCK", 1, 1), [])
    eq(len(c("TS.READ", "k", "+")), 1)
    holds(str(c("TS.READ", "k", "$", "BLOCK", 4611686018428, 1)), "at most 4611686018427")
