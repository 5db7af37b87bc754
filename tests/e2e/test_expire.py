"""Keys whose time is over go although nobody reads them, also those that only the store has."""
import threading
import time

from pinstripe import eq, until
from resp import info

FAR = 10 ** 7


def keyspace(c, db):
    """keys= of INFO keyspace."""
    line = info(c).get("db%d" % db, "keys=0")
    return int(line.split(",")[0].split("=")[1])


def wait_for_size(c, n):
    until(lambda: c("DBSIZE") == n, what="DBSIZE %d" % n)


def test_keys_that_only_the_store_has_expire_unread(t):
    for cores in (1, 2):
        s = t.server(cores=cores, hz=100)
        c = s.client()
        # Strings, series with stored blocks, keys that stay, two databases.
        commands = [("SET", "gone%d" % i, "v" * 200, "PX", 2500 + i % 500) for i in range(3000)]
        commands += [("SET", "stays%d" % i, "v", "EX", FAR) for i in range(300)]
        commands += [("SET", "always%d" % i, "v") for i in range(300)]
        for i in range(20):
            commands += [("TSDB_SET", "s%d" % i, 1000 * n, n) for n in range(200)]
            commands.append(("PEXPIRE", "s%d" % i, 2500 if i % 2 else FAR * 1000))
        commands += [("SELECT", 5)] + [("SET", "gone%d" % i, "v", "PX", 2500) for i in range(500)]
        commands += [("SET", "always", "v"), ("SELECT", 0)]
        began = time.monotonic()
        for reply in c.pipe_many(commands):
            assert reply in ("OK", 1), reply
        s.restart()
        c = s.client()
        assert c("DBSIZE") == 3620 or time.monotonic() - began > 2.5
        wait_for_size(c, 610)
        eq(keyspace(c, 0), 610)
        until(lambda: int(info(c)["expired_keys"]) > 0, what="expired_keys")
        eq(c("SELECT", 5), "OK")
        wait_for_size(c, 1)
        eq(c("KEYS", "*"), [b"always"])
        for n in range(2): # the tombstones come back from the journal; then the rows are gone
            s.kill9()
            s.start()
            c = s.client()
            eq(c("DBSIZE"), 610)
            eq(len(c("KEYS", "*")), 610)
            eq(c("EXISTS", *["gone%d" % i for i in range(3000)]), 0)
            eq([c("EXISTS", "s%d" % i) for i in range(20)], [1, 0] * 10)
            eq(len(c("TSDB_GET", "s0", "-", "+")), 200)
            eq(c("TSDB_SET", "s1", 5, 5), "OK")
            eq(len(c("TSDB_GET", "s1", "-", "+")), 1)
            eq(c("DEL", "s1"), 1)
            eq(c("SAVE"), "OK")
        s.stop()


def test_many_keys_that_are_over_at_once_do_not_wait_for_the_next_tick(t):
    # With one tick of half a millisecond a second this many would take minutes.
    s = t.server(cores=2, hz=1, appendfsync="everysec")
    c = s.client()
    n = 150000
    for at in range(0, n, 5000):
        eq(c.pipe([("SET", "k%d" % i, "v", "PX", 3000) for i in range(at, at + 5000)]), ["OK"] * 5000)
    eq(c("SET", "stays", "v", "EX", FAR), "OK")
    wait_for_size(c, 1)
    eq(c("GET", "stays"), b"v")
    until(lambda: int(info(c)["expired_keys"]) == n, what="all expired once")
    s.kill9()
    s.start()
    eq(s.client()("DBSIZE"), 1)


def test_a_store_without_expiring_keys_is_walked_once(t):
    s = t.server(hz=100)
    c = s.client()
    c.pipe_many([("SET", "k%d" % i, "v") for i in range(2000)])
    s.restart()
    c = s.client()
    until(lambda: int(info(c)["sweep_rows"]) == 2000, what="a walk over the store")
    time.sleep(2.5)
    eq(int(info(c)["sweep_rows"]), 2000)


class Rewriter(threading.Thread):
    """Gives keys new values while they expire."""

    def __init__(self, c, keys, random):
        super().__init__(daemon=True)
        self.c, self.keys, self.random, self.over = c, keys, random, False
        self.kept = {}

    def run(self):
        while not self.over:
            key = self.random.choice(self.keys)
            value = b"%d" % self.random.randrange(10 ** 9) * 70
            if self.random.random() < 0.5:
                assert self.c("SET", key, value, "PX", self.random.randrange(1, 400)) == "OK"
                self.kept.pop(key, None)
            else:
                assert self.c("SET", key, value) == "OK"
                self.kept[key] = value
            if self.random.random() < 0.01:
                self.c("SAVE")


def test_keys_written_anew_while_they_are_swept_stay(t):
    # Little memory: what is written leaves it at once, so that the sweep meets everything.
    s = t.server(cores=2, hz=500, active_expire_effort=10, maxmemory="1mb", appendfsync="everysec",
                 checkpoint_dirty_bytes="1mb")
    keys = [b"k%d" % i for i in range(4000)]
    c = s.client(timeout=60)
    c.pipe_many([("SET", k, "v" * 700, "PX", t.random.randrange(500, 4000)) for k in keys])
    writers = [Rewriter(s.client(timeout=60), keys[i::4], t.random) for i in range(4)]
    for w in writers:
        w.start()
    for n in range(4):
        time.sleep(1.5)
        c("SAVE")
    for w in writers:
        w.over = True
        w.join()
    kept = {k: v for w in writers for k, v in w.kept.items()}
    t.say("%d of %d keys kept, %s keys expired, %s rows swept"
          % (len(kept), len(keys), info(c)["expired_keys"], info(c)["sweep_rows"]))
    assert int(info(c)["sweep_rows"]) > 0
    wait_for_size(c, len(kept))
    for restarted in (False, True):
        if restarted:
            eq(c("WAITAOF", 1, 0, 0), [1, 0])
            s.kill9()
            s.start()
            c = s.client()
        names = sorted(kept)
        eq(c("DBSIZE"), len(names))
        for at in range(0, len(names), 100):  # all at once are more than maxmemory
            eq(c("MGET", *names[at:at + 100]), [kept[k] for k in names[at:at + 100]])
        eq(sorted(c("KEYS", "*")), names)


def test_a_sweep_that_is_killed_half_way_goes_on(t):
    s = t.server(hz=10)
    c = s.client()
    keys = ["k%d" % i for i in range(20000)]
    # Values are not read again to be removed, however long they are.
    at = int((time.time() + 2.5) * 1000)
    assert set(c.pipe_many([("SET", k, "v" * 500, "PXAT", at) for k in keys])) == {"OK"}
    s.restart()
    c = s.client()
    until(lambda: c("DBSIZE") < 15000, what="the sweep")
    kept = {k.encode(): b"new" for k in t.random.sample(keys, 50)}
    assert set(c.pipe([("SET", k, "new") for k in kept])) == {"OK"}
    eq(c("SAVE"), "OK")
    s.kill9()
    s.start()
    c = s.client()
    wait_for_size(c, len(kept))
    eq(int(info(c)["cold_reads"]), 0)
    eq(keyspace(c, 0), len(kept))
    eq(sorted(c("KEYS", "*")), sorted(kept))
    eq(c("MGET", *kept), list(kept.values()))
