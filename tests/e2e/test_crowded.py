"""Under KEEP a time takes 1,000,000 points and no more, whether they came in order or late, are in
memory or stored, before and after a start. What was answered is there to the last point."""
from pinstripe import eq, holds
from resp import Error, encode

MOST = 1000000  # SERIES_SAME_TS_MAX
AT = 5000       # the time that is crowded


def fill(c, key, n, ts=AT, chunk=20000):
    """n points of one time; all are taken."""
    for i in range(0, n, chunk):
        many = min(chunk, n - i)
        c.send_raw(encode("TSDB_SET", key, ts, i) * many)
        eq(c.reader.take(5 * many), b"+OK\r\n" * many, "points from %d on" % i)


def count(c, key, ts=AT):
    rows = c.ok("TS.RANGE", key, ts, ts, "AGGREGATION", "count", 1)
    return int(float(rows[0][1])) if rows else 0


def is_full(c, key="full"):
    """Every way to add one more is refused and adds nothing."""
    for reply in (c("TSDB_SET", key, AT, 1), c("TS.ADD", key, AT, 1, "ON_DUPLICATE", "KEEP"),
                  c("TSDB_ROW", key, AT, "value", 1), c("TS.MADD", key, AT, 1, key, AT, 2)[1]):
        assert isinstance(reply, Error), reply
        holds(str(reply), "1000000")
    eq(c("BATCH_SET", key, 1, AT), "QUEUED")
    eq(c("BATCH_SET", key, 1, AT - 1), "QUEUED")
    holds(str(c("BATCH_FLUSH")), "ERR", "1000000 points have timestamp %d" % AT)
    eq(count(c, key, AT - 1), 0, "the batch was refused as a whole")
    c.ok("MULTI")
    for _ in range(2):
        eq(c("TSDB_SET", key, AT, 1), "QUEUED")
    for reply in c.ok("EXEC"):
        holds(str(reply), "ERR TSDB_SET: 1000000 points have timestamp")
    eq(count(c, key), MOST)


def test_a_time_is_as_full_on_disk_as_in_memory(t):
    s = t.server(duplicate_policy="KEEP", ts_duplicate_policy="KEEP", series_fields="value=00")
    c = s.client()
    fill(c, "full", MOST - 30)
    fill(c, "full", 100, AT + 7)
    c.ok("SAVE")
    fill(c, "full", 10)  # they are late
    c.ok("SAVE")
    c.ok("MULTI")
    for _ in range(25):
        eq(c("TSDB_SET", "full", AT, 1), "QUEUED")
    eq([isinstance(r, Error) for r in c.ok("EXEC")], [False] * 20 + [True] * 5,
       "a transaction fills it to the last")
    is_full(c)
    eq(c.ok("TSDB_SET", "full", AT + 1, 1), "OK", "of a time beside it")
    s.kill9()
    s.start()
    c = s.client()
    is_full(c)
    c.ok("SAVE")
    is_full(c)
    s.restart()
    c = s.client()
    is_full(c)
    eq(c.ok("TS.DEL", "full", AT, AT), MOST)
    fill(c, "full", 50)
    c.ok("SAVE")
    fill(c, "full", 50)
    eq(count(c, "full"), 100, "after a deletion there is room")
    eq(count(c, "full", AT + 7), 100)
