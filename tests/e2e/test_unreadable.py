"""A block of the store that cannot be read any more: who needs it is told so, and nobody else suffers."""
import os
import time

from pinstripe import eq, holds, key_core, keys_on, until
from resp import Error, info

POINTS = 25000
STEP = 10


def fill(t, c, key):
    """So many points of key, of values that do not compress."""
    eq(set(c.pipe([("TSDB_SET", key, i * STEP, t.random.random()) for i in range(POINTS)])), {"OK"})


def tables(s):
    return [os.path.join(d, name) for d, _, names in os.walk(s.dir) for name in names
            if name.endswith(".sst")]


def flip(path):
    with open(path, "r+b") as f:
        f.seek(os.path.getsize(path) // 2)
        was = f.read(8)
        f.seek(-8, os.SEEK_CUR)
        f.write(bytes(b ^ 0xff for b in was))


def damaged(t, **settings):
    """A server of one core whose store has the series k and the string other, and cannot read some of k;
    and a time of what it cannot read."""
    s = t.server(**settings)
    c = s.client()
    fill(t, c, "k")
    eq(c("SET", "other", 1), "OK")
    eq(c("SAVE"), "OK")
    s.stop()
    flip(max(tables(s), key=os.path.getsize))
    s.start()
    c = s.client()
    bad = [ts for ts in range(0, POINTS * STEP, 500 * STEP)
           if isinstance(c("TSDB_GET", "k", ts, ts), Error)]
    assert bad, "nothing is damaged"
    return s, c, bad[len(bad) // 2] + 5


def save(c):
    return str(c("SAVE"))


def test_a_key_that_cannot_be_stored_is_cured_by_deleting_it(t):
    for cure in (("DEL", "k"), ("SET", "k", "a string"), ("PEXPIRE", "k", 1)):
        s, c, ts = damaged(t)
        eq(c("TSDB_SET", "k", ts, 1), "OK")
        holds(save(c), "ERR the checkpoint failed")
        until(lambda: "'k' type 00" in s.log(), what="the log to name the key")
        holds(s.log(), "for the time", "cannot be read", "checksum mismatch", ".sst")
        assert not isinstance(c(*cure), Error)
        if cure[0] == "PEXPIRE":
            while c("EXISTS", "k"):
                pass
        eq(save(c), "OK")
        eq(c("TSDB_SET", "l", 1, 2), "OK")
        eq(save(c), "OK")
        s.kill9()
        s.start()
        c = s.client()
        eq(c("GET", "k") if cure[0] == "SET" else c("EXISTS", "k"), b"a string" if cure[0] == "SET" else 0)
        eq(c("GET", "other"), b"1")
        eq(c("DBSIZE"), 3 if cure[0] == "SET" else 2)
        if cure[0] == "DEL":
            eq(c("TSDB_SET", "k", 7, 1), "OK")
            eq(save(c), "OK")
            eq(len(c("TSDB_GET", "k", "-", "+")), 1)
        s.stop()


def test_a_transaction_that_needs_it_is_refused_soon(t):
    s, c, ts = damaged(t, duplicate_policy="BLOCK")
    for commands in ([("TSDB_SET", "k", ts, 1)], [("TSDB_GET", "k", ts, ts)],
                     [("TSDB_SET", "k", ts + i % 5, i) for i in range(100)]):
        before = int(info(c)["cold_reads"])
        eq(c("MULTI"), "OK")
        eq(set(c.pipe(commands)), {"QUEUED"})
        reply = c("EXEC")
        holds(str(reply if isinstance(reply, Error) else reply[0]), "from disk cannot be read")
        fetched = int(info(c)["cold_reads"]) - before
        assert 0 < fetched < 50, fetched
    eq(c("SET", "other", 2), "OK")
    eq(save(c), "OK")


STUCK = "used memory > 'maxmemory' and checkpoints fail"


def test_writes_that_need_memory_are_refused_while_checkpoints_fail(t):
    for cores in (1, 2):
        s, c, ts = damaged(t, cores=cores, core_ports="yes",
                           maxmemory="%dmb" % (8 * cores))
        eq(c("TSDB_SET", "k", ts, 1), "OK")
        holds(save(c), "ERR the checkpoint failed")
        bad, done = key_core("k", cores), {}
        names = keys_on(bad, cores, 20000, "f")
        while not done or list(done.values())[-1] == "OK":  # they wait for some checkpoints, then they are told
            some = names[len(done):len(done) + 200]
            done.update(zip(some, c.pipe([("SET", n, n * 300) for n in some])))
        here, there = some[-1], keys_on(cores - 1 - bad, cores, 1)[0]
        holds(str(done[here]), "OOM", STUCK)
        done = {n: n.encode() * 300 for n in done if done[n] == "OK"}
        for client in [s.core_client(core) for core in range(cores)]:
            holds(str(client("MSET", here, "v", there, "v")), "OOM", STUCK)
            eq(client.pipe([("MULTI",), ("SET", here, "v"), ("SET", there, "v")])[1:], ["QUEUED"] * 2)
            holds(str(client("EXEC")), "EXECABORT", "OOM", STUCK)
            some = t.random.sample(sorted(done), 100)
            eq(client("MGET", *some), [done[n] for n in some])
            eq(client("GET", "other"), b"1")
        if cores == 2:
            eq(c("SET", there, "the other core has room"), "OK")
        eq(c("DEL", "k"), 1)
        until(lambda: c("SET", here, "v") == "OK", what="a checkpoint to make room")
        eq(save(c), "OK")
        s.kill9()
        s.start()
        c = s.client()
        eq([c("GET", n) for n in done], list(done.values()))
        s.stop()


def strings_of_a_damaged_table(t, n=3000, **settings):
    """A server, a client, and names of strings whose rows cannot be read."""
    s = t.server(cores=1, maxmemory="0", **settings)
    c = s.client()
    value = bytes(t.random.randrange(256) for _ in range(400)).hex()
    c.pipe_many([("SET", "s%d" % i, "%d%s" % (i, value)) for i in range(n)])
    eq(c("SAVE"), "OK")
    s.stop()
    flip(max(tables(s), key=os.path.getsize))
    s.start()
    c = s.client()
    return s, c, [i for i in range(n) if isinstance(c("GET", "s%d" % i), Error)]


def test_a_key_whose_own_row_cannot_be_read_can_be_written_and_deleted(t):
    s, c, bad = strings_of_a_damaged_table(t)
    assert len(bad) >= 3, bad
    write, delete, again = bad[:3]
    for i in (write, again):
        eq(c("SET", "s%d" % i, "new"), "OK")  # SET reads nothing
    eq(save(c), "OK")
    eq(c("DEL", "s%d" % again), 1)
    assert isinstance(c("DEL", "s%d" % delete), Error)  # DEL says whether there was one
    eq(c("SET", "s%d" % delete, "new"), "OK")
    eq(c("DEL", "s%d" % delete), 1)
    eq(save(c), "OK")
    s.kill9()
    s.start()
    c = s.client()
    eq([c("GET", "s%d" % i) for i in (write, delete, again)], [b"new", None, None])
    eq(save(c), "OK")


def test_keys_beside_what_cannot_be_read_expire_unread(t):
    s = t.server(cores=1, hz=100)
    c = s.client()
    names = ["s%d" % i for i in range(3000)]
    at = int(time.time() * 1000) + 5000
    c.pipe_many([("SET", n, n + t.random.randbytes(150).hex(), "PXAT", at) for n in names])
    eq(c("SAVE"), "OK")
    s.stop()
    flip(max(tables(s), key=os.path.getsize))
    s.start()
    c = s.client()
    until(lambda: c("DBSIZE") < 300, what="what can be read to expire")
    bad = sum(isinstance(c("GET", n), Error) for n in names)
    assert 0 < bad < 300, bad
    eq(c("DBSIZE"), bad)
    eq(save(c), "OK")
    s.kill9()
    s.start()
    eq(s.client()("DBSIZE"), bad)


def test_checkpoints_go_on_without_compactions_also_after_a_start(t):
    """Each checkpoint makes a table; with compactions that fail they become more than a store may have that
    only waits for one."""
    s, c, bad = strings_of_a_damaged_table(t)
    until(lambda: compacted(c, s), what="a compaction to meet the damage")
    for _ in range(2):
        for i in range(40):
            eq(c("SET", "x%d" % i, i), "OK")
            eq(c("SET", "s0", i), "OK")
            eq(save(c), "OK")
        holds(s.log(), "cannot be read and so not be compacted")
        s.restart()
        c = s.client()
        eq(c("GET", "x39"), b"39")


def compacted(c, s):
    for i in range(5):
        eq(c("SET", "s%d" % i, "over"), "OK")
        eq(c("SET", "s%d" % (2999 - i), "over"), "OK")
        eq(save(c), "OK")
    return "cannot be read and so not be compacted" in s.log()


# A process that may not raise its limits, whoever runs the tests.
FEW_FILES = ["prlimit", "--nofile=200:200", "setpriv", "--bounding-set", "-sys_resource", "--inh-caps",
             "-sys_resource"]


def test_tables_that_are_not_compacted_leave_files_for_the_rest(t):
    s, c, bad = strings_of_a_damaged_table(t, wrap=FEW_FILES)
    until(lambda: compacted(c, s), what="a compaction to meet the damage")
    for i in range(200):
        eq(c("SET", "s0", i), "OK")
        eq(c("SET", "s2999", i), "OK")
        if save(c) != "OK":
            break
    holds(save(c), "ERR the checkpoint failed")
    holds(s.log(), "as many tables as it can keep")
    assert "Too many open files" not in s.log(), "it came to the limit"
    eq(s.client()("PING"), "PONG")
    eq(c("CONFIG", "SET", "maxmemory", "4mb"), "OK")
    replies = set()
    while len(replies) < 2:
        replies = {str(r) for r in c.pipe([("SET", "big%d" % i, "x" * 20000) for i in range(400)])}
    holds(" ".join(replies), STUCK)
    eq(c("GET", "s0"), b"%d" % i)


def rot(path, was, parts):
    """Damages a table in so many places but the last, where its index is."""
    with open(path, "r+b") as f:
        for at in range(len(was) // parts, len(was) * 4 // 5, len(was) // parts):
            f.seek(at)
            f.write(bytes(b ^ 0xff for b in was[at:at + 8]))


def put_back(path, was):
    with open(path, "wb") as f:
        f.write(was)


STRINGS = 600
SERIES = 60
SERIES_POINTS = 400


def rotting(t, strings=STRINGS, series=SERIES):
    """A server with strings and series that are all in memory, and clean; its largest table, which has rotted
    since, as it was."""
    s = t.server(cores=1, maxmemory="0")
    c = s.client()
    value = bytes(t.random.randrange(256) for _ in range(400)).hex()
    c.pipe_many([("SET", "s%d" % i, "%d%s" % (i, value)) for i in range(strings)])
    c.pipe_many([("TSDB_SET", "k%d" % (i % series), i, t.random.random())
                 for i in range(series * SERIES_POINTS)])
    eq(c("SAVE"), "OK")
    path = max(tables(s), key=os.path.getsize)
    with open(path, "rb") as f:
        was = f.read()
    rot(path, was, 7)
    return s, c, path, was


def after_kill9(s):
    s.kill9()
    s.start()
    return s.client()


def all_done(replies):
    assert not any(isinstance(r, Error) for r in replies), [r for r in replies if isinstance(r, Error)][0]


def test_a_start_replays_deletions_of_what_cannot_be_read(t):
    s, c, _, _ = rotting(t)
    keys = ["s%d" % i for i in range(STRINGS)] + ["k%d" % i for i in range(SERIES)]
    eq(c("SET", "kept", 1), "OK")
    eq(set(c.pipe_many([("DEL", k) for k in keys])), {1})
    for again in range(2):
        c = after_kill9(s)
        eq(sum(c.pipe_many([("EXISTS", k) for k in keys])), again)
        eq([c("GET", "kept"), c("TSDB_SET", "k1", 5, again)], [b"1", "OK"])
    assert "aside" not in s.whole_log()
    eq(save(c), "OK")
    c = after_kill9(s)
    eq(sum(c.pipe_many([("EXISTS", k) for k in keys])), 1)
    eq([c("GET", "kept"), len(c("TSDB_GET", "k1", "-", "+"))], [b"1", 1])


def expiring_series(t, s, c):
    """Series that expire soon, in the store; of some of them the main row can be read and others cannot."""
    at = int(c("TIME")[0]) * 1000 + 4000
    for i in range(300):
        all_done(c.pipe([("TSDB_SET", "k%d" % i, j * 10, t.random.random()) for j in range(200)] +
                        [("PEXPIREAT", "k%d" % i, at)]))
    eq(save(c), "OK")
    path = max(tables(s), key=os.path.getsize)
    with open(path, "rb") as f:
        was = f.read()
    rot(path, was, 9)
    return at, path, was


def test_a_start_replays_what_the_sweep_removed(t):
    """The sweep removes cold keys by their main rows, whatever else of them cannot be read."""
    s = t.server(cores=1)
    expiring_series(t, s, s.client())
    s.stop()
    s.start()
    c = s.client()
    last = [-1]

    def is_through():
        before, last[0] = last[0], int(info(c)["expired_keys"])
        return 0 < last[0] == before
    until(is_through, what="the sweep to remove what it can")
    c = after_kill9(s)
    assert "aside" not in s.whole_log()
    eq([c("SET", "x", 1), save(c)], ["OK", "OK"])


CHANGES = [lambda k: ("EXPIRE", k, 100000), lambda k: ("APPEND", k, "more"),
           lambda k: ("TSDB_SET", k, 10 ** 8, 1), lambda k: ("TS.ALTER", k, "LABELS", "is", k),
           lambda k: ("TS.DEL", k, SERIES_POINTS * SERIES // 2, 10 ** 9)]


def check_changed(c, keys, values, change):
    for k, was in zip(keys, values):
        if change is CHANGES[1]:
            eq(c("GET", k), was + b"more")
        elif change is CHANGES[0]:
            eq([c("GET", k), c("TTL", k) > 0], [was, True])
        else:
            got = c("TSDB_GET", k, "-", "+")
            eq(len(got), {CHANGES[2]: len(was) + 1, CHANGES[3]: len(was)}.get(change, SERIES_POINTS // 2))


def values_of(c, keys, of_strings):
    return c.pipe_many([("GET", k) if of_strings else ("TSDB_GET", k, "-", "+") for k in keys])


def check_refused(c, good, bad):
    for command in (("TS.RANGE", bad, "-", "+"), ("TS.INFO", bad), ("TS.NRANGE", 2, good, bad, "-", "+"),
                    ("TSDB_BATCH_GET", 2, good, bad, "-", "+"), ("TSDB_ROWS", bad, "-", "+"), ("DEL", bad),
                    ("TSDB_JOIN", good, bad, "-", "+", "ASOF", "NEAREST"), ("RENAME", good, bad), ("DUMP", bad),
                    ("COPY", bad, "copy"), ("TS.CREATERULE", good, bad, "AGGREGATION", "sum", 1000)):
        holds(str(c(*command)), "ERR")


def check_refused_by_label(c, label):
    for command in (("TS.MGET", "FILTER", label), ("TS.MRANGE", "-", "+", "FILTER", label)):
        holds(str(c(*command)), "ERR what", "needs from disk")


def test_keys_whose_changes_need_what_cannot_be_read_are_set_aside(t):
    for change in CHANGES:
        of_strings = change in CHANGES[:2]
        s, c, path, was = rotting(t, series=1 if of_strings else SERIES)
        keys = ["s%d" % i for i in range(STRINGS)] if of_strings else ["k%d" % i for i in range(SERIES)]
        values = values_of(c, keys, of_strings)
        all_done(values)
        all_done(c.pipe_many([change(k) for k in keys]))
        eq(c("SET", "new", 1), "OK")
        for _ in range(2):
            c = after_kill9(s)
            holds(s.log(), "is set aside", "cannot read it", ".sst", "checksum mismatch", "SET; then DEL")
            found = values_of(c, keys, of_strings)
            good = [i for i in range(len(keys)) if not isinstance(found[i], Error)]
            bad = [i for i in range(len(keys)) if isinstance(found[i], Error)]
            assert bad and good, (len(bad), len(good))
            check_changed(c, [keys[i] for i in good], [values[i] for i in good], change)
            for i in bad[:2]:
                holds(str(c(*change(keys[i]))), "cannot be read")
            if not of_strings:
                check_refused(c, keys[good[0]], keys[bad[0]])
            if change is CHANGES[3]:
                eq(c("TS.QUERYINDEX", "is=" + keys[bad[0]]), [keys[bad[0]].encode()])
                check_refused_by_label(c, "is=" + keys[bad[0]])
            holds(save(c), "ERR the checkpoint failed")
        s.stop()
        if change in CHANGES[::2]:
            put_back(path, was)
            s.start()
            c = s.client()
            check_changed(c, keys, values, change)
            eq(save(c), "OK")
            s.stop()
            continue
        holds(s.start_fails(cores=2), "cannot read keys that its journal changes", "cpus for 1 cores, as before")
        s.start(cores=1)
        c = s.client()
        all_done(c.pipe_many([("SET", keys[i], "cured") for i in bad]))
        eq(c("DEL", keys[bad[0]]), 1)
        eq(save(c), "OK")
        c = after_kill9(s)
        eq([c("GET", keys[i]) for i in bad], [None] + [b"cured"] * (len(bad) - 1))
        eq([c("GET", "new"), save(c)], [b"1", "OK"])
        s.stop()


def test_a_key_set_aside_does_not_expire_by_its_stored_time(t):
    s = t.server(cores=1)
    c = s.client()
    at, path, was = expiring_series(t, s, c)
    eq(set(c.pipe([("PERSIST", "k%d" % i) for i in range(300)])), {1})
    c = after_kill9(s)
    holds(s.log(), "is set aside")
    until(lambda: int(c("TIME")[0]) * 1000 > at + 2000, what="the sweep to pass")
    c = after_kill9(s)
    s.stop()
    put_back(path, was)
    s.start()
    c = s.client()
    eq(set(c.pipe([("PTTL", "k%d" % i) for i in range(300)])), {-1})
    eq(save(c), "OK")


def test_keys_set_aside_in_transactions_and_flushed(t):
    s, c, _, _ = rotting(t, series=1)
    keys = ["s%d" % i for i in range(STRINGS)]
    eq(c("MULTI"), "OK")
    all_done(c.pipe_many([("APPEND", k, "more") for k in keys]))
    all_done(c("EXEC"))
    c = after_kill9(s)
    bad = [k for k, v in zip(keys, values_of(c, keys, True)) if isinstance(v, Error)]
    for commands in ([("APPEND", bad[0], "x")], [("GET", bad[0])], [("MSET", "a", 1, bad[0], 2)]):
        eq(c("MULTI"), "OK")
        eq(set(c.pipe(commands)), {"QUEUED"})
        reply = c("EXEC")
        holds(str(reply if isinstance(reply, Error) else reply[0]), "from disk cannot be read")
    eq([c("FLUSHDB"), c("APPEND", bad[0], "x"), save(c)], ["OK", 1, "OK"])
    c = after_kill9(s)
    eq([c("GET", bad[0]), c("GET", "a"), c("DBSIZE"), save(c)], [b"x", None, 1, "OK"])


def test_a_series_whose_deletion_cannot_be_replayed_is_set_aside_as_a_whole(t):
    """The deletion looks for the newest point that is left; the rows that the key begins with can be read."""
    s, c, ts = damaged(t)
    path = max(tables(s), key=os.path.getsize)
    flip(path)
    eq(c("TSDB_SET", "k", POINTS * STEP, 1), "OK")
    eq(c("TS.DEL", "k", ts, POINTS * STEP), POINTS + 1 - ts // STEP - 1)
    flip(path)
    for _ in range(2):
        c = after_kill9(s)
        holds(s.log(), "key 'k' of database 0 is set aside", "a series, points deleted", ".sst")
        for command in (("TSDB_GET", "k", 0, 0), ("TSDB_SET", "k", 1, 1), ("TTL", "k"), ("TSDB_GET", "k", "-", "+")):
            holds(str(c(*command)), "from disk cannot be read")
        eq(c("GET", "other"), b"1")
        holds(save(c), "ERR the checkpoint failed")
    s.stop()
    flip(path)
    s.start()
    c = s.client()
    eq([len(c("TSDB_GET", "k", "-", "+")), save(c)], [ts // STEP + 1, "OK"])


def test_keys_that_cannot_be_looked_up_are_counted_nonetheless(t):
    s, c, bad = strings_of_a_damaged_table(t)
    for k in bad:
        eq(c("SET", "s%d" % k, "new"), "OK")
    for _ in range(2):
        n = c("DBSIZE")
        assert 3000 <= n <= 3000 + len(bad), n
        eq([c("MULTI"), c("DBSIZE"), c("EXEC")], ["OK", "QUEUED", [n]])
    until(lambda: c("SET", "another", 1) == "OK", what="the count to be over")
    eq(c("DBSIZE"), n + 1)
    eq([save(c), c("DBSIZE")], ["OK", n + 1])
    c = after_kill9(s)
    eq(c("DBSIZE"), n + 1)


def test_writes_that_need_memory_are_refused_while_keys_are_set_aside(t):
    s, c, _, _ = rotting(t)
    all_done(c.pipe_many([("EXPIRE", "s%d" % i, 100000) for i in range(STRINGS)]))
    c = after_kill9(s)
    holds(s.whole_log(), "keys are set aside")
    eq(c("CONFIG", "SET", "maxmemory", "4mb"), "OK")
    replies = set()
    while not any(STUCK in r for r in replies):
        replies = {str(r) for r in c.pipe([("SET", "big%d" % i, "x" * 20000) for i in range(400)])}
    eq(c("PING"), "PONG")
