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
        s, c, ts = damaged(t, duplicate_policy="SUM")
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
        s, c, ts = damaged(t, cores=cores, core_ports="yes", duplicate_policy="SUM",
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
