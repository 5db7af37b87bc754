"""TSDB_SET, TSDB_GET and the connection's batch, in memory, after a checkpoint and from disk."""
import struct
import threading
import time

from pinstripe import eq, holds, keys_on, until
from resp import Error, encode, info

INT64_MIN, INT64_MAX = -(1 << 63), (1 << 63) - 1
POLICIES = ("LAST", "FIRST", "MIN", "MAX", "SUM", "BLOCK", "KEEP")


def points(reply):
    """As tuples (timestamp, value, type, quality), whatever the protocol."""
    assert isinstance(reply, list), reply
    return [(p[0], float(p[1]), p[2].decode(), p[3]) for p in reply]


def pairs(reply):
    return [(ts, value) for ts, value, _, _ in points(reply)]


# --- arguments ----------------------------------------------------------------------------------------


def test_a_point_comes_back_as_it_was_written(t):
    s = t.server()
    for proto in (2, 3):
        c = s.client(proto=proto)
        c("FLUSHALL")
        eq(c("TSDB_SET", "k", 1000, 1.5), "OK")
        eq(c("TSDB_SET", "k", 2000, -2, "fF"), "OK")
        eq(c("TSDB_SET", "k", 3000, "1e300", "00", 255), "OK")
        eq(c("TSDB_GET", "k", "-", "+"),
           [[1000, 1.5 if proto == 3 else b"1.5", b"00", 0],
            [2000, -2.0 if proto == 3 else b"-2", b"ff", 0],
            [3000, 1e300 if proto == 3 else b"1e+300", b"00", 255]])
        eq(c("TYPE", "k"), "TSDB-TYPE")
        eq(c("TSDB_GET", "absent", "-", "+"), [])
        eq(c("TSDB_GET", "k", 4000, 5000), [])
        eq(c("EXISTS", "k"), 1)


def test_every_double_and_every_timestamp_comes_back_bit_for_bit(t):
    s = t.server()
    c = s.client(proto=2)
    r = t.random
    values = [0.0, -0.0, 5e-324, -5e-324, 2.2250738585072014e-308, 1.7976931348623157e308,
              0.1, 1 / 3, 1e22, 123456789012345680.0, 4503599627370497.5]
    while len(values) < 3000:
        v = struct.unpack("<d", struct.pack("<Q", r.getrandbits(64)))[0]
        if v == v and abs(v) != float("inf"):
            values.append(v)
    stamps = sorted({INT64_MIN, INT64_MIN + 1, -1, 0, 1, INT64_MAX - 1, INT64_MAX} |
                    {r.randrange(INT64_MIN, INT64_MAX) for _ in range(len(values))})[:len(values)]
    want = [(ts, struct.pack("<d", v)) for ts, v in zip(stamps, values)]
    eq(set(c.pipe_many([("TSDB_SET", "k", ts, repr(v)) for ts, v in zip(stamps, values)])), {"OK"})

    def got():
        return [(p[0], struct.pack("<d", float(p[1]))) for p in c("TSDB_GET", "k", "-", "+")]

    eq(got(), want)
    eq(c("SAVE"), "OK")
    eq(got(), want)
    s.restart()
    c = s.client()
    eq(got(), want)


def test_every_wrong_argument_is_named(t):
    s = t.server()
    c = s.client()
    stamp, value = "timestamp '%s' is not", "value '%s' is not"
    big = "99999999999999999999"
    for command, text in (
            (("TSDB_SET", "k", "x", 1), "TSDB_SET: " + stamp % "x"),
            (("TSDB_SET", "k", "", 1), "TSDB_SET: " + stamp % ""),
            (("TSDB_SET", "k", "1.5", 1), "TSDB_SET: " + stamp % "1.5"),
            (("TSDB_SET", "k", big, 1), "TSDB_SET: " + stamp % big),
            (("TSDB_SET", "k", "**", 1), "TSDB_SET: " + stamp % "**"),
            (("TSDB_SET", "k", 1, "x"), "TSDB_SET: " + value % "x"),
            (("TSDB_SET", "k", 1, ""), "TSDB_SET: " + value % ""),
            (("TSDB_SET", "k", 1, "nan"), "TSDB_SET: " + value % "nan"),
            (("TSDB_SET", "k", 1, "inf"), "TSDB_SET: " + value % "inf"),
            (("TSDB_SET", "k", 1, "-inf"), "TSDB_SET: " + value % "-inf"),
            (("TSDB_SET", "k", 1, "1e999"), "TSDB_SET: " + value % "1e999"),
            (("TSDB_SET", "k", 1, 1, "g0"), "TSDB_SET: data_type 'g0' is not"),
            (("TSDB_SET", "k", 1, 1, "0"), "TSDB_SET: data_type '0' is not"),
            (("TSDB_SET", "k", 1, 1, "000"), "TSDB_SET: data_type '000' is not"),
            (("TSDB_SET", "k", 1, 1, "00", "x"), "TSDB_SET: quality 'x' is not"),
            (("TSDB_SET", "k", 1, 1, "00", 256), "TSDB_SET: quality '256' is not"),
            (("TSDB_SET", "k", 1, 1, "00", -1), "TSDB_SET: quality '-1' is not"),
            (("TSDB_SET", "k", 1, 1, "00", 1, 1), "wrong number of arguments for 'tsdb_set'"),
            (("TSDB_SET", "k", 1), "wrong number of arguments for 'tsdb_set'"),
            (("TSDB_GET", "k", "x", "+"), "TSDB_GET: start 'x' is not"),
            (("TSDB_GET", "k", "+", "+"), "TSDB_GET: start '+' is not"),
            (("TSDB_GET", "k", "-", "x"), "TSDB_GET: end 'x' is not"),
            (("TSDB_GET", "k", "-", "-"), "TSDB_GET: end '-' is not"),
            (("TSDB_GET", "k", "-", "+", 0), "TSDB_GET: option '0' is not"),
            (("TSDB_GET", "k", "-", "+", -1), "TSDB_GET: option '-1' is not"),
            (("TSDB_GET", "k", "-", "+", "x"), "TSDB_GET: option 'x' is not"),
            (("TSDB_GET", "k", "-", "+", "TYPE"), "TSDB_GET: option 'TYPE' is not"),
            (("TSDB_GET", "k", "-", "+", "TYPE", "xx"), "TSDB_GET: data_type 'xx' is not"),
            (("TSDB_GET", "k", "-", "+", "TYPE", "00", "type", "01"), "TSDB_GET: TYPE is given twice"),
            (("TSDB_GET", "k", "-", "+", 1, 2), "TSDB_GET: limit is given twice"),
            (("TSDB_GET", "k", "-", "+", "REV", 5, "rev"), "TSDB_GET: REV is given twice"),
            (("TSDB_GET", "k", "-", "+", "AGG", "avg", 10, "AGG", "avg", 10),
             "TSDB_GET: AGG is given twice"),
            (("TSDB_BATCH_GET", 2, "k", "l", "-", "+", 1, 1),
             "TSDB_BATCH_GET: limit is given twice"),
            (("TSDB_GET", "k", "-"), "wrong number of arguments for 'tsdb_get'"),
            (("BATCH_SET", "k", "x", 1), "BATCH_SET: " + value % "x"),
            (("BATCH_SET", "k", 1, "x"), "BATCH_SET: " + stamp % "x"),
            (("BATCH_SET", "k", 1), "wrong number of arguments for 'batch_set'"),
            (("BATCH_FLUSH", "x"), "wrong number of arguments for 'batch_flush'")):
        reply = c(*command)
        assert isinstance(reply, Error), (command, reply)
        holds(str(reply), text)
        eq(c("EXISTS", "k"), 0, repr(command))
    eq(c("BATCH_FLUSH"), 0)
    eq(c("SET", "string", "v"), "OK")
    for command in (("TSDB_SET", "string", 1, 1), ("TSDB_GET", "string", "-", "+")):
        eq(c(*command).code, "WRONGTYPE")
    eq(c("TSDB_SET", "series", 1, 1), "OK")
    for command in (("GET", "series"), ("APPEND", "series", "x"), ("INCR", "series"),
                    ("STRLEN", "series"), ("GETRANGE", "series", 0, 1)):
        eq(c(*command).code, "WRONGTYPE")


def test_a_star_is_the_time_of_the_server_in_its_unit(t):
    for unit, factor in (("s", 1), ("ms", 10**3), ("us", 10**6), ("ns", 10**9)):
        s = t.server(timestamp_unit=unit)
        c = s.client()
        before = time.time()
        eq(c("TSDB_SET", "k", "*", 1), "OK")
        eq(c("BATCH_SET", "b", 1, "*"), "QUEUED")
        eq(c("BATCH_FLUSH"), 1)
        after = time.time()
        for key in ("k", "b"):
            ts = c("TSDB_GET", key, "-", "+")[0][0]
            assert int((before - 0.2) * factor) <= ts <= int((after + 0.2) * factor), (unit, ts)
        s.stop()


# --- reading ------------------------------------------------------------------------------------------


class Model:
    """What a key holds, and what every query on it gives."""

    def __init__(self, policy="LAST"):
        self.types, self.policy = {}, policy

    def add(self, ts, value, kind="00", quality=0):
        """False: BLOCK refuses it."""
        series = self.types.setdefault(kind, [])
        at = [i for i, p in enumerate(series) if p[0] == ts]
        if not at or self.policy == "KEEP":
            series.append((ts, value, kind, quality))
            series.sort(key=lambda p: p[0])  # stable: in order of arrival
            return True
        old = series[at[0]]
        if self.policy == "LAST" or (self.policy == "MIN" and value < old[1]) or (
                self.policy == "MAX" and value > old[1]):
            series[at[0]] = (ts, value, kind, quality)
        elif self.policy == "SUM":
            series[at[0]] = (ts, old[1] + value, kind, quality)
        return self.policy != "BLOCK"

    def query(self, start, end, limit=None, kind=None, rev=False):
        found = [p for k in sorted(self.types) if kind in (None, k) for p in self.types[k]
                 if start <= p[0] <= end]
        if rev:  # newest first; of equal timestamps the lower type first, each in reverse
            found = [p for k in sorted(self.types) if kind in (None, k)
                     for p in reversed(self.types[k]) if start <= p[0] <= end]
        found.sort(key=lambda p: -p[0] if rev else p[0])
        return found[:limit]


def check_queries(t, c, key, model, n=40):
    stamps = sorted({p[0] for s in model.types.values() for p in s})
    r = t.random
    for _ in range(n):
        start = r.choice(("-", r.choice(stamps), r.choice(stamps) - 1))
        end = r.choice(("+", r.choice(stamps), r.choice(stamps) + 1))
        kind, limit, rev = r.choice((None, "00", "7f", "aa")), r.choice((None, 1, 3, 10**9)), False
        options = []
        if kind:
            options.append(["TYPE", kind])
        if limit:
            options.append([limit])
        if r.random() < 0.5:
            rev = True
            options.append(["REV"])
        r.shuffle(options)
        command = ["TSDB_GET", key, start, end] + [w for o in options for w in o]
        want = model.query(INT64_MIN if start == "-" else start, INT64_MAX if end == "+" else end,
                           limit, kind, rev)
        eq(points(c(*command)), want, repr(command))


def fill_randomly(t, c, key, model, n):
    """Points in order, late, and doubled, of three types."""
    commands, r = [], t.random
    for i in range(n):
        ts = i * 10 if r.random() < 0.7 else r.randrange(0, n * 10, 10)
        kind, quality = r.choice(("00", "7f", "ff")), r.choice((0, 0, 7))
        value = r.choice((r.randrange(100), r.random()))
        commands.append(("TSDB_SET", key, ts, value, kind, quality))
        model.add(ts, value, kind, quality)
    eq(set(c.pipe_many(commands)), {"OK"})


def test_queries_against_a_model_in_memory_and_from_disk(t):
    for policy in ("LAST", "KEEP"):
        s = t.server(duplicate_policy=policy)
        c = s.client()
        model = Model(policy)
        fill_randomly(t, c, "k", model, 500)
        check_queries(t, c, "k", model)
        eq(c("SAVE"), "OK")
        check_queries(t, c, "k", model)
        fill_randomly(t, c, "k", model, 500)
        check_queries(t, c, "k", model)
        s.restart()
        c = s.client()
        check_queries(t, c, "k", model)
        fill_randomly(t, c, "k", model, 200)
        check_queries(t, c, "k", model)
        s.kill9()
        s.start()
        check_queries(t, s.client(), "k", model)
        s.stop()


def test_every_policy_against_a_model(t):
    for policy in POLICIES:
        s = t.server(duplicate_policy=policy)
        c = s.client()
        model = Model(policy)
        for stage in range(4):
            for _ in range(150):
                ts, value = t.random.randrange(40), t.random.randrange(100)
                new = model.add(ts, value) or policy != "BLOCK"
                reply = c("TSDB_SET", "k", ts, value)
                if new:
                    eq(reply, "OK", policy)
                else:
                    assert isinstance(reply, Error), (policy, reply)
                    holds(str(reply), "TSDB_SET: a point with timestamp %d exists" % ts, "BLOCK")
            eq(points(c("TSDB_GET", "k", "-", "+")), model.query(INT64_MIN, INT64_MAX), policy)
            if stage == 0:
                eq(c("SAVE"), "OK")
            elif stage == 1:
                s.restart()
                c = s.client()
            elif stage == 2:
                s.kill9()
                s.start()
                c = s.client()
        s.stop()


def test_a_change_of_policy_changes_what_comes_after_it(t):
    s = t.server()
    c = s.client()
    eq(c("TSDB_SET", "k", 1, 1), "OK")
    for policy, value, want in (("FIRST", 2, [1]), ("MAX", 3, [3]), ("MIN", 2, [2]),
                                ("SUM", 5, [7]), ("KEEP", 9, [7, 9]), ("LAST", 4, None)):
        eq(c("CONFIG", "SET", "duplicate-policy", policy), "OK")
        eq(c("TSDB_SET", "k", 1, value), "OK")
        if want:
            eq([p[1] for p in points(c("TSDB_GET", "k", "-", "+"))], want, policy)
    eq(c("CONFIG", "SET", "duplicate-policy", "BLOCK"), "OK")
    holds(str(c("TSDB_SET", "k", 1, 1)), "exists")
    before = c("TSDB_GET", "k", "-", "+")
    s.kill9()
    s.start()
    eq(s.client()("TSDB_GET", "k", "-", "+"), before)


def test_a_reply_that_would_be_too_long_is_refused(t):
    s = t.server(duplicate_policy="KEEP", appendfsync="no")
    c = s.client()
    for ts in range(100):
        c.send_raw(encode("TSDB_SET", "k", ts, ts) * 10000)
        eq(c.reader.take(5 * 10000), b"+OK\r\n" * 10000)
    eq(c("TSDB_SET", "k", 100, 100), "OK")
    holds(str(c("TSDB_GET", "k", "-", "+")), "more than 1000000 points", "limit")
    eq(points(c("TSDB_GET", "k", "-", "+", 2, "REV")),
       [(100, 100.0, "00", 0), (99, 99.0, "00", 0)])
    c.send("TSDB_GET", "k", 0, 99)
    eq(c.reader.line(), b"*1000000")


def long_series(c, n):
    """n points at 0..n-1 under b:{a} and b:{b}, which lie on different cores of two."""
    for key in ("b:{a}", "b:{b}"):
        for at in range(0, n, 10000):
            c.send_raw(b"".join(encode("TSDB_SET", key, ts, ts / 8) for ts in range(at, at + 10000)))
            eq(c.reader.take(5 * 10000), b"+OK\r\n" * 10000)


def points_text(start, end, proto):
    form = b"*4\r\n:%d\r\n,%s\r\n$2\r\n00\r\n:0\r\n" if proto == 3 else None
    parts = [b"*%d\r\n" % (end - start)]
    for ts in range(start, end):
        value = (b"%.3f" % (ts / 8)).rstrip(b"0").rstrip(b".")
        parts.append(form % (ts, value) if form else b"*4\r\n:%d\r\n$%d\r\n%s\r\n$2\r\n00\r\n:0\r\n"
                     % (ts, len(value), value))
    return b"".join(parts)


def test_long_replies_keep_their_place_in_a_pipeline(t):
    """Replies whose text is made while the client reads, between others, from both cores, inside
    EXEC, with writes that come before and after them."""
    for proto in (2, 3):
        s = t.server(cores=2, appendfsync="always", client_output_buffer_soft="100000")
        long_series(s.client(), 30000)
        c = s.client(proto=proto, rcvbuf=8192)
        wanted, commands = [], []
        for i in range(6):
            for key in ("b:{a}", "b:{b}"):
                end = 700 * (i + 1) ** 2
                commands += [encode("SET", "k:" + key, i), encode("TSDB_GET", key, 0, end - 1),
                             encode("TSDB_SET", key, 0, 0), encode("INCR", "n:" + key)]
                wanted += [b"+OK\r\n", points_text(0, end, proto), b"+OK\r\n", b":%d\r\n" % (i + 1)]
        commands += [encode("MULTI"), encode("TSDB_GET", "b:{a}", 0, 999), encode("GET", "k:b:{b}"),
                     encode("TSDB_GET", "b:{b}", 0, 29999), encode("EXEC"), encode("PING")]
        wanted += [b"+OK\r\n" + 3 * b"+QUEUED\r\n", b"*3\r\n", points_text(0, 1000, proto),
                   b"$1\r\n5\r\n", points_text(0, 30000, proto), b"+PONG\r\n"]
        sender = threading.Thread(target=c.send_raw, args=(b"".join(commands),), daemon=True)
        sender.start()
        for part in wanted:
            eq(c.reader.take(len(part)), part)
        sender.join()
        s.stop()


def test_a_long_reply_shows_what_was_there_when_it_was_asked_for(t):
    s = t.server(cores=2, duplicate_policy="LAST")
    long_series(s.client(), 30000)
    slow, other = s.client(rcvbuf=4096), s.client()
    for key in ("b:{a}", "b:{b}"):
        slow.send("TSDB_GET", key, 0, 29999)
        eq(slow.reader.line(), b"*30000")
        eq(other("TSDB_SET", key, 29999, 77), "OK")
        eq(other("DEL", key), 1)
        text = points_text(0, 30000, 2)[len(b"*30000\r\n"):]
        eq(slow.reader.take(len(text)), text)


def test_a_client_that_leaves_within_a_long_reply_leaves_nothing_behind(t):
    s = t.server(cores=2)
    c = s.client()
    long_series(c, 30000)
    for i in range(20):
        leaver = s.client(rcvbuf=4096)
        leaver.send_raw(b"".join(encode("TSDB_GET", "b:{%s}" % key, 0, 29999) for key in "abab"))
        eq(leaver.reader.line(), b"*30000")
        leaver.close()
    until(lambda: int(info(c)["connected_clients"]) == 1, what="the clients gone")
    eq(len(c("TSDB_GET", "b:{b}", 0, 29999)), 30000)


# --- life of a series ---------------------------------------------------------------------------------


def test_series_are_keys_like_others(t):
    for cores in (1, 2):
        s = t.server(cores=cores)
        c = s.client()
        model = Model()
        fill_randomly(t, c, "{a}k", model, 300)
        want = model.query(INT64_MIN, INT64_MAX)
        for stage in range(3):
            for to in ("{a}copy", keys_on(0, 2, 1, "zero")[0], keys_on(1, 2, 1, "one")[0]):
                eq(c("COPY", "{a}k", to), 1)
                eq(points(c("TSDB_GET", to, "-", "+")), want, to)
                eq(c("RENAME", to, to + "x"), "OK")
                eq(c("EXISTS", to), 0)
                eq(points(c("TSDB_GET", to + "x", "-", "+")), want, to)
                eq(c("DEL", to + "x"), 1)
                eq(c("TSDB_GET", to + "x", "-", "+"), [])
            eq(c("DBSIZE"), 1)
            if stage == 0:
                eq(c("SAVE"), "OK")
            elif stage == 1:
                s.restart()
                c = s.client()
        eq(c("PEXPIRE", "{a}k", 1), 1)
        time.sleep(0.05)
        eq(c("TSDB_GET", "{a}k", "-", "+"), [])
        s.stop()


def test_a_copied_series_survives_a_crash_wherever_its_points_were(t):
    """In stored blocks that are copied as they are, in some that late points or deletions meet, in short
    ones, in memory; also while others are checkpointed."""
    points_n = 5000
    s = t.server(cores=2, ts_duplicate_policy="KEEP")
    c = s.client()
    key = keys_on(0, 2, 1, "s")[0]
    for type_, quality in (("00", 0), ("07", 5)):
        eq(set(c.pipe_many([("TSDB_SET", key, 250 * i, i * 7 % 100 / 4, type_, quality)
                            for i in range(points_n)])), {"OK"})
    eq(c("SAVE"), "OK")
    eq(c("TSDB_SET", key, 1000001, 1.5), "OK")
    eq(c("TS.DEL", key, 500000, 500999), 4)
    want = None
    for round_ in range(3):
        if round_ == 1:
            eq(c("SAVE"), "OK")  # late points and deletions are in the blocks
        if round_ == 2:
            eq(set(c.pipe_many([("TSDB_SET", key, 6000000 + i, i, "07") for i in range(1500)])), {"OK"})
        want = points(c("TSDB_GET", key, "-", "+"))
        assert len(want) >= 2 * points_n - 4 + 1
        names = ["{%s}copy%d" % (key, round_), keys_on(1, 2, 1, "other%d" % round_)[0]]
        for to in names:
            eq(c("COPY", key, to), 1)
            eq(c("RENAME", to, to + "x"), "OK")
        if round_ == 2:
            c("BGSAVE")
            time.sleep(t.random.random() / 20)
        s.kill9()
        s.start()
        c = s.client()
        for to in names:
            eq(c("EXISTS", to), 0)
            eq(points(c("TSDB_GET", to + "x", "-", "+")), want, "%s, round %d" % (to, round_))
        eq(points(c("TSDB_GET", key, "-", "+")), want)
    eq(c("SAVE"), "OK")
    s.restart()
    c = s.client()
    for to in names:
        eq(points(c("TSDB_GET", to + "x", "-", "+")), want, to)


def test_a_new_series_under_an_old_name_shows_nothing_of_the_old(t):
    # Deleted, overwritten by a string, expired or flushed; before, between and after checkpoints.
    s = t.server()
    for end in ("del", "string", "expire", "flush", "rename"):
        for save_first in (False, True):
            for save_between in (False, True):
                c = s.client()
                eq(set(c.pipe([("TSDB_SET", "k", i, i) for i in range(3000)])), {"OK"})
                if save_first:
                    eq(c("SAVE"), "OK")
                if end == "del":
                    eq(c("DEL", "k"), 1)
                elif end == "string":
                    eq(c("SET", "k", "v"), "OK")
                elif end == "expire":
                    eq(c("PEXPIRE", "k", 1), 1)
                    time.sleep(0.01)
                elif end == "flush":
                    eq(c("FLUSHALL"), "OK")
                else:
                    c("SET", "other", "v")
                    eq(c("RENAME", "other", "k"), "OK")
                if save_between:
                    eq(c("SAVE"), "OK")
                c("DEL", "k")
                eq(c("TSDB_SET", "k", 5000, 1), "OK")
                what = "%s, saved %s, %s" % (end, save_first, save_between)
                eq(pairs(c("TSDB_GET", "k", "-", "+")), [(5000, 1.0)], what)
                eq(c("SAVE"), "OK")
                eq(pairs(c("TSDB_GET", "k", "-", "+")), [(5000, 1.0)], what)
                if end in ("string", "flush"):
                    s.kill9()
                    s.start()
                    c = s.client()
                    eq(pairs(c("TSDB_GET", "k", "-", "+")), [(5000, 1.0)], what)
                c("FLUSHALL")


# --- the batch ----------------------------------------------------------------------------------------


def test_a_batch_is_written_as_one(t):
    for cores in (1, 2):
        s = t.server(cores=cores)
        c, other = s.client(), s.client()
        keys = keys_on(0, 2, 2, "a") + keys_on(1, 2, 2, "b")
        for i in range(100):
            eq(c("BATCH_SET", keys[i % 4], i, i), "QUEUED")
        eq(other("EXISTS", *keys), 0)
        eq(other("BATCH_FLUSH"), 0)
        eq(c("BATCH_FLUSH"), 100)
        eq(c("BATCH_FLUSH"), 0)
        for k, key in enumerate(keys):
            eq(pairs(other("TSDB_GET", key, "-", "+")), [(i, float(i)) for i in range(k, 100, 4)])
        s.kill9()
        s.start()
        eq(s.client()("EXISTS", *keys), 4)
        s.stop()


def test_a_batch_with_a_wrong_type_writes_nothing(t):
    for cores in (1, 2):
        s = t.server(cores=cores)
        c = s.client()
        zero, one = keys_on(0, 2, 2, "a"), keys_on(1, 2, 2, "b")
        for bad in (zero[0], one[0]):
            eq(c("SET", bad, "string"), "OK")
            eq(c("BATCH_SET", zero[1], 1, 1), "QUEUED")
            eq(c("BATCH_SET", one[1], 1, 1), "QUEUED")
            eq(c("BATCH_SET", bad, 1, 1), "QUEUED")
            eq(c("BATCH_FLUSH").code, "WRONGTYPE")
            eq(c("BATCH_FLUSH"), 0)
            eq(c("EXISTS", zero[1], one[1]), 0)
            eq(c("GET", bad), b"string")
            c("DEL", bad)
        s.stop()


def test_a_batch_under_block_is_all_or_nothing(t):
    s = t.server(cores=2, duplicate_policy="BLOCK")
    c = s.client()
    zero, one = keys_on(0, 2, 1)[0], keys_on(1, 2, 1)[0]
    eq(c("TSDB_SET", one, 5, 5), "OK")
    for saved in (False, True):
        for i in (4, 5, 6):
            eq(c("BATCH_SET", zero, i, i), "QUEUED")
            eq(c("BATCH_SET", one, i, i), "QUEUED")
        holds(str(c("BATCH_FLUSH")), "timestamp 5 exists")
        eq(c("EXISTS", zero), 0)
        eq(pairs(c("TSDB_GET", one, "-", "+")), [(5, 5.0)])
        s.restart()
        c = s.client()
    # Twice within one batch, too.
    eq(c("BATCH_SET", zero, 1, 7), "QUEUED")
    eq(c("BATCH_SET", zero, 2, 7), "QUEUED")
    holds(str(c("BATCH_FLUSH")), "two points of the batch for ", "have timestamp 7")
    eq(c("EXISTS", zero), 0)
    # Between the points of stored blocks, where only the store knows that nothing is there.
    eq(c("CONFIG", "SET", "batch-size", 100000), "OK")
    c.pipe([("BATCH_SET", zero, i, 2 * i) for i in range(5000)])
    eq(c("BATCH_FLUSH"), 5000)
    s.restart()
    c = s.client()
    c.pipe([("BATCH_SET", zero, i, 2 * i + 1) for i in range(0, 5000, 100)])
    eq(c("BATCH_FLUSH"), 50)
    eq(len(c("TSDB_GET", zero, "-", "+")), 5050)


def test_a_batch_goes_with_its_connection(t):
    s = t.server(cores=2)
    c = s.client()
    c.pipe([("BATCH_SET", "k%d" % i, i, i) for i in range(50)])
    c.close()
    c = s.client()
    until(lambda: len(c("CLIENT", "LIST").splitlines()) == 1, what="the end of the connection")
    eq(c("DBSIZE"), 0)
    c("BATCH_SET", "k", 1, 1)
    eq(c("RESET"), "RESET")
    eq(c("BATCH_FLUSH"), 0)
    eq(c("DBSIZE"), 0)
    eq(c("MULTI"), "OK")
    holds(str(c("BATCH_SET", "k", 1, 1)), "not allowed inside a transaction")
    eq(c("EXEC").code, "EXECABORT")


def test_a_batch_is_of_one_database(t):
    s = t.server(cores=2)
    c, other = s.client(), s.client()
    eq(c("BATCH_SET", "b", 1, 1), "QUEUED")
    eq(c("SELECT", 1), "OK")
    for command in (("BATCH_SET", "b", 2, 2), ("BATCH_FLUSH",)):
        eq(str(c(*command)), "ERR %s: the batch has 1 points of database 0, SELECT 0 and "
                             "BATCH_FLUSH come first" % command[0])
    eq(c("DBSIZE"), 0)
    eq(c("SELECT", 0), "OK")
    eq(other("FLUSHALL"), "OK")
    eq(c("BATCH_SET", "b", 3, 3), "QUEUED")
    eq(c("BATCH_FLUSH"), 2)
    eq(len(c("TSDB_GET", "b", "-", "+")), 2)
    eq(c("SELECT", 1), "OK")
    eq(c("BATCH_FLUSH"), 0)
    eq(c("BATCH_SET", "b", 4, 4), "QUEUED")
    eq(c("BATCH_FLUSH"), 1)
    eq(len(c("TSDB_GET", "b", "-", "+")), 1)


def test_a_value_that_no_double_can_hold_is_refused(t):
    c = t.server().client()
    for value in ("1e400", "1e-400", "-1e-5000", "nan", "inf"):
        eq(str(c("TSDB_SET", "k", 1, value)),
           "ERR TSDB_SET: value '%s' is not a finite double (0, or of a size from 5e-324 to "
           "1.7e308)" % value)
    eq(c("EXISTS", "k"), 0)
    for ts, value in enumerate(("5e-324", "-5e-324", "1.7e308", "0", "0e-999")):
        eq(c("TSDB_SET", "k", ts, value), "OK")


def test_a_sum_that_is_not_finite_is_refused(t):
    s = t.server(duplicate_policy="SUM")
    c, big = s.client(), "1.7e308"
    said = "ERR %s: the sum at timestamp 1 is not a finite double"
    eq(c("TSDB_SET", "k", 1, big), "OK")
    eq(c("TSDB_SET", "k", 2, 1), "OK")
    before = c("TSDB_GET", "k", "-", "+")
    eq(str(c("TSDB_SET", "k", 1, big)), said % "TSDB_SET")
    eq(c("SAVE"), "OK")
    eq(str(c("TSDB_SET", "k", 1, "1e307")), said % "TSDB_SET")
    eq(c("TSDB_ROW", "row", 1, "open", big, "close", 1), "OK")
    row = c("TSDB_GET", "row", "-", "+")
    holds(str(c("TSDB_ROW", "row", 1, "close", 1, "open", big)), "'open' of timestamp 1 would have a sum")
    eq(c("TSDB_GET", "row", "-", "+"), row)
    eq(c("BATCH_SET", "other", 1, 1), "QUEUED")
    eq(c("BATCH_SET", "k", big, 1), "QUEUED")
    eq(str(c("BATCH_FLUSH")), said % "BATCH_SET")
    for _ in range(2):
        eq(c("BATCH_SET", "other", big, 1), "QUEUED")
        eq(c("BATCH_SET", "another", big, 1), "QUEUED")
    eq(str(c("BATCH_FLUSH")), said % "BATCH_SET")
    eq(c("EXISTS", "other", "another"), 0)
    eq(c("TSDB_GET", "k", "-", "+"), before)
    eq(c("TSDB_SET", "k", 1, "-1.7e308"), "OK")
    eq(c("TSDB_SET", "k", 1, big), "OK")
    eq(c("TSDB_GET", "k", "-", "+"), before)
    for value in (big, "-" + big, big):
        eq(c("BATCH_SET", "k", value, 3), "QUEUED")
    eq(c("BATCH_FLUSH"), 3)


def test_a_number_does_not_meet_what_is_none(t):
    """MIN, MAX and SUM, in memory and on disk: an error, and of a batch nothing is written."""
    s = t.server(cores=1, block_points=64, block_points_max=64, block_seconds=1)
    c = s.client(proto=2)
    for policy in ("MIN", "MAX", "SUM"):
        eq(c("TS.CREATE", policy, "DUPLICATE_POLICY", policy), "OK")
        c.pipe_many([("TS.ADD", policy, 1, "nan")] + [("TS.ADD", policy, i * 1000, 1) for i in range(1, 500)])
    for stored in (False, True):
        for policy in ("MIN", "MAX", "SUM"):
            eq(str(c("TSDB_SET", policy, 1, 5)), "ERR TSDB_SET: the point with timestamp 1 is NaN")
            eq(c("MULTI"), "OK")
            eq(c("TSDB_SET", policy, 1, 5), "QUEUED")
            holds(str(c("EXEC")[0]), "the point with timestamp 1 is NaN")
            eq(c("BATCH_SET", "other" + policy, 1, 1), "QUEUED")
            eq(c("BATCH_SET", policy, 5, 1), "QUEUED")
            holds(str(c("BATCH_FLUSH")), "the point with timestamp 1 is NaN")
            eq(c("EXISTS", "other" + policy), 0)
            eq([p[1] for p in c("TSDB_GET", policy, 1, 1)], [b"nan"])
            eq(c("TSDB_SET", policy, 1000, 1), "OK")
        if not stored:
            s.restart()
            c = s.client(proto=2)


def test_a_sum_that_is_infinite_takes_nothing_more(t):
    s = t.server(cores=1)
    c = s.client(proto=2)
    eq(c("TS.CREATE", "k", "DUPLICATE_POLICY", "SUM"), "OK")
    for _ in range(2):  # TS.* lets a sum become infinite, as RedisTimeSeries does
        eq(c("TS.ADD", "k", 1, "1.7e308"), 1)
    for value in ("1", "1e308"):
        holds(str(c("TSDB_SET", "k", 1, value)), "the sum at timestamp 1 is not a finite double")
        eq(c("BATCH_SET", "k", value, 1), "QUEUED")
        holds(str(c("BATCH_FLUSH")), "the sum at timestamp 1 is not a finite double")
        holds(str(c("TSDB_ROW", "k", 1, "open", value)), "a sum that is not a finite double")


def test_a_batch_that_outlives_its_own_points_is_refused(t):
    c = t.server(cores=1).client(proto=2)
    eq(c("TS.CREATE", "k", "RETENTION", 10), "OK")
    eq(c("TS.CREATE", "free"), "OK")

    def flush(*points):
        for key, ts in points:
            eq(c("BATCH_SET", key, 1, ts), "QUEUED")
        return c("BATCH_FLUSH")

    holds(str(flush(("k", 100), ("free", 1), ("k", 89))), "timestamp 89 is older than the retention")
    eq(c("TSDB_GET", "k", "-", "+"), [])
    eq(c("TSDB_GET", "free", "-", "+"), [])
    eq(flush(("k", 50), ("k", 100), ("free", 100), ("k", 90), ("free", 1)), 5)
    eq([p[0] for p in c("TSDB_GET", "k", "-", "+")], [90, 100])


def test_a_full_batch_is_written_by_itself(t):
    s = t.server(cores=2, batch_size=10)
    c = s.client()
    keys = ["k%d" % i for i in range(10)]
    eq(c.pipe([("BATCH_SET", k, 1, 1) for k in keys[:9]]), ["QUEUED"] * 9)
    eq(c("EXISTS", *keys), 0)
    eq(c("BATCH_SET", keys[9], 1, 1), "QUEUED")
    eq(c("EXISTS", *keys), 10)
    eq(c("BATCH_FLUSH"), 0)
    eq(c("SET", "string", "v"), "OK")
    replies = c.pipe([("BATCH_SET", "string", 1, 1)] + [("BATCH_SET", k, 2, 2) for k in keys[:9]])
    eq(replies[:9], ["QUEUED"] * 9)
    eq(replies[9].code, "WRONGTYPE")
    eq(c("BATCH_FLUSH"), 0)
    eq(pairs(c("TSDB_GET", keys[0], "-", "+")), [(1, 1.0)])
    eq(c("CONFIG", "SET", "batch-size", 1), "OK")
    eq(c("BATCH_SET", "now", 1, 1), "QUEUED")
    eq(c("EXISTS", "now"), 1)


def test_a_pipeline_of_batches_between_other_commands_keeps_its_order(t):
    s = t.server(cores=2, batch_size=7)
    c = s.client()
    commands, want = [], []
    for i in range(300):
        commands += [("SET", "s%d" % i, i), ("BATCH_SET", "b%d" % (i % 5), i, i),
                     ("GET", "s%d" % i)]
        want += ["OK", "QUEUED", b"%d" % i]
    commands.append(("BATCH_FLUSH",))
    want.append(300 % 7)
    eq(c.pipe(commands), want)
    got = [p for k in range(5) for p in pairs(c("TSDB_GET", "b%d" % k, "-", "+"))]
    eq(sorted(got), [(i, float(i)) for i in range(300)])


def test_points_are_counted(t):
    s = t.server()
    c = s.client()
    c.pipe([("TSDB_SET", "k", i, i) for i in range(100)])
    c("TSDB_GET", "k", "-", "+", 10)
    until(lambda: info(c)["points_written"] == "100", what="points_written")
    until(lambda: info(c)["points_read"] == "10", what="points_read")


def test_late_points_of_many_series_on_disk_are_taken_at_once(t):
    """More series, each with its point in a block of its own, than there are fetches for one request."""
    n = 120
    for cores in (1, 2):
        s = t.server(cores=cores, duplicate_policy="BLOCK", block_points=64, block_points_max=64,
                     store_block_cache_bytes="4mb")
        c = s.client()
        keys = ["k%03d" % i for i in range(n)]
        c.pipe_many([("TS.MADD", *[x for ts in range(0, 400, 2) for x in (k, ts, t.random.random())], "CREATE")
                     for k in keys])
        eq(c("SAVE"), "OK")
        for ts, write in ((11, "TS.MADD"), (13, "BATCH"), (15, "EXEC")):
            s.restart()
            c = s.client()
            if write == "TS.MADD":
                got = c("TS.MADD", *[x for k in keys for x in (k, ts, 1)])
                eq(got, [ts] * n)
            elif write == "BATCH":
                eq(set(c.pipe([("BATCH_SET", k, 1, ts) for k in keys])), {"QUEUED"})
                eq(c("BATCH_FLUSH"), n)
            else:
                got = c.pipe([("MULTI",), *[("TSDB_SET", k, ts, 1) for k in keys], ("EXEC",)])
                eq(got[-1], ["OK"] * n)
            eq([c("TS.RANGE", k, ts, ts)[0][0] for k in keys], [ts] * n)
            assert isinstance(c("TSDB_SET", keys[7], ts, 1), Error)
        s.stop()
