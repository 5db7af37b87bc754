"""DUMP and RESTORE: strings from and to a real redis-server, series from one key to another."""
import struct
import time

from pinstripe import eq, key_core, keys_on
from resp import Error
from test_differential import Redis

STRINGS = [b"", b"a", b"0", b"-1", b"127", b"128", b"-128", b"-129", b"32767", b"32768", b"-32769",
           b"2147483647", b"2147483648", b"-2147483648", b"-2147483649", b"9223372036854775807",
           b"01", b"+1", b"-0", b"1.5", b" 1", b"\x00\xff\r\n", b"x" * 20, b"y" * 21, b"z" * 63,
           b"ab" * 32, b"q" * 16383, b"q" * 16384, bytes(range(256)) * 300, b"long " * 100000]
POINTS = 2000
ABOUT = ("labels", "retentionTime", "duplicatePolicy", "totalSamples")
TABLE = []
MODULE_CHARS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def crc64(data):
    """Written from the description in docs/FORMATS.md, bit by bit."""
    if not TABLE:
        for crc in range(256):
            for _ in range(8):
                crc = crc >> 1 ^ (0x95AC9329AC4BC9B5 if crc & 1 else 0)
            TABLE.append(crc)
    crc = 0
    for byte in data:
        crc = crc >> 8 ^ TABLE[(crc ^ byte) & 0xFF]
    return crc


def sealed(value, version=10):
    body = value + struct.pack("<H", version)
    return body + struct.pack("<Q", crc64(body))


def module_id(name, version):
    number = 0
    for char in name:
        number = number << 6 | MODULE_CHARS.index(char)
    return struct.pack(">Q", number << 10 | version)


def text(reply):
    return str(reply) if isinstance(reply, Error) else reply


def fails(reply, beginning):
    assert isinstance(reply, Error) and str(reply).startswith(beginning), (reply, beginning)


# --- strings ------------------------------------------------------------------------------------------


def test_strings_go_to_redis_and_come_from_it(t):
    redis = Redis(t)
    s = t.server(cores=2)
    ours, theirs = s.client(), redis.client()
    for i, value in enumerate(STRINGS + [t.random.randbytes(t.random.randrange(3000))
                                         for _ in range(50)]):
        for c, other in ((ours, theirs), (theirs, ours)):
            eq(c("SET", "a%d" % i, value), "OK")
            payload = c("DUMP", "a%d" % i)
            eq(other("RESTORE", "b%d" % i, 0, payload), "OK", "%r as %r" % (value[:40], payload[:60]))
            eq(other("GET", "b%d" % i), value)
            eq(other("DEL", "b%d" % i), 1)
        if len(value) <= 20 and not value.lstrip(b"-").isdigit():
            eq(ours("DUMP", "a%d" % i), theirs("DUMP", "a%d" % i))
    for value in STRINGS[2:14]:
        eq(ours("SET", "n", value), "OK")
        eq(theirs("SET", "n", value), "OK")
        eq(ours("DUMP", "n"), theirs("DUMP", "n"), "the same bytes for %r" % value)
    eq(ours("DUMP", "none"), None)
    redis.stop()


def test_migrate_of_redis_brings_its_keys(t):
    redis = Redis(t)
    s = t.server()
    ours, theirs = s.client(), redis.client()
    for i, value in enumerate(STRINGS):
        theirs("SET", "k%d" % i, value)
    theirs("PEXPIRE", "k3", 1000000)
    keys = ["k%d" % i for i in range(len(STRINGS))]
    eq(theirs("MIGRATE", "127.0.0.1", s.port, "", 3, 60000, "KEYS", *keys), "OK")
    eq(theirs("DBSIZE"), 0)
    ours("SELECT", 3)
    eq(ours("MGET", *keys), STRINGS)
    assert 0 < ours("PTTL", "k3") <= 1000000
    ours("SELECT", 0)
    theirs("SET", "k1", "another")
    eq(theirs("MIGRATE", "127.0.0.1", s.port, "k1", 3, 60000, "COPY", "REPLACE"), "OK")
    ours("SELECT", 3)
    eq(ours("GET", "k1"), b"another")
    redis.stop()


def test_options_and_errors_are_those_of_redis(t):
    redis = Redis(t)
    s = t.server()
    good = sealed(b"\x00\x01v")
    bad = good[:-1] + bytes([good[-1] ^ 1])
    future = int(time.time() * 1000) + 100000
    asks = [("RESTORE",), ("DUMP",), ("DUMP", "a", "b"), ("RESTORE", "k", 0), ("RESTORE", "k", 0, good),
            ("GET", "k"), ("RESTORE", "k", 0, good), ("RESTORE", "k", 0, good, "replace"), ("TTL", "k"),
            ("RESTORE", "k", "x", good, "REPLACE"), ("RESTORE", "k", -1, good, "REPLACE"),
            ("RESTORE", "k", 0, bad, "REPLACE"), ("RESTORE", "k", 0, b"", "REPLACE"),
            ("RESTORE", "k", 0, b"123456789", "REPLACE"), ("RESTORE", "k", -1, bad),
            ("RESTORE", "q", 2**63 - 1, bad),
            ("RESTORE", "k", 0, sealed(b"\x00\x20abc"), "REPLACE"),
            ("RESTORE", "k", 0, sealed(b"\x00\x40\x01v"), "REPLACE"), ("GET", "k"),
            ("RESTORE", "k", 100, good, "REPLACE"), ("RESTORE", "k", 5000000, good, "REPLACE", "REPLACE"),
            ("PERSIST", "k"), ("RESTORE", "k", future, good, "REPLACE", "ABSTTL"), ("PEXPIRETIME", "k"),
            ("RESTORE", "k", 1, good, "REPLACE", "ABSTTL"), ("EXISTS", "k"),
            ("RESTORE", "k", 1, good, "ABSTTL"), ("EXISTS", "k"),
            ("RESTORE", "k", 0, good, "IDLETIME"), ("RESTORE", "k", 0, good, "IDLETIME", -1),
            ("RESTORE", "k", 0, good, "IDLETIME", "x"), ("RESTORE", "k", 0, good, "FREQ", 256),
            ("RESTORE", "k", 0, good, "FREQ", -1), ("RESTORE", "k", 0, good, "FREQ"),
            ("RESTORE", "k", 0, good, "IDLETIME", 1, "FREQ", 1),
            ("RESTORE", "k", 0, good, "FREQ", 1, "IDLETIME", 1), ("RESTORE", "k", 0, good, "NONSENSE"),
            ("RESTORE", "k", 0, good, "IDLETIME", 1000), ("GET", "k"), ("DEL", "k"),
            ("RESTORE", "k", 0, good, "FREQ", 7), ("TYPE", "k"), ("OBJECT", "ENCODING", "k"),
            ("MULTI",), ("RESTORE", "m", 0, good), ("DUMP", "m"), ("RESTORE", "m", 0, good), ("EXEC",)]
    # What it says of the length of a compressed string is true, or not.
    asks += [("RESTORE", "l%d" % i, 0, sealed(b"\x00\xc3" + what)) for i, what in enumerate((
        b"\x02\x01\x00b", b"\x03\x02\x01ab", b"\x03\x05\x01ab", b"\x05\x0a\x00a\xc0\x00\x00",
        b"\x05\x09\x00a\xc0\x00\x00", b"\x05\x0b\x00a\xe0\x00\x00"))]
    ours, theirs = s.client(), redis.client()
    for ask in asks:
        mine, other = ours(*ask), theirs(*ask)
        if isinstance(mine, list):
            mine, other = [text(r) for r in mine], [text(r) for r in other]
        eq(text(mine), text(other), repr(ask)[:100])
    eq(ours("RESTORE", "idle", 0, good, "IDLETIME", 1000), "OK")
    assert 1000 <= ours("OBJECT", "IDLETIME", "idle") <= 1010
    # Redis reads on into the version and the checksum; here they are no part of the value.
    for value in (b"", b"\x00", b"\x00\x05abc", b"\x00\xc1\x00", b"\x00\x81" + b"\xff" * 8, b"\x00\x01vv",
                  b"\x00\xc4\x00", b"\x00\x82\x00", b"\x00\xc3\x01\x05a", b"\x00\xc3\x02\xc1\x00b",
                  b"\x00\xc3\x03\x80\x00\xff\xff\xff\x00ab"):
        fails(ours("RESTORE", "no", 0, sealed(value)), "ERR Bad data format")
    eq(ours("EXISTS", "no"), 0)
    redis.stop()


def test_a_payload_says_what_cannot_be_restored(t):
    redis = Redis(t)
    s = t.server(proto_max_bulk_len="1mb")
    c, theirs = s.client(), redis.client()
    for make in (("RPUSH", "x", "a"), ("SADD", "x", "a"), ("HSET", "x", "a", "b"), ("ZADD", "x", 1, "a"),
                 ("XADD", "x", "*", "a", "b")):
        theirs("DEL", "x")
        theirs(*make)
        fails(c("RESTORE", "x", 0, theirs("DUMP", "x")), "ERR Bad data format: a value of RDB type")
    module = sealed(b"\x07\x81" + module_id("TSDB-TYPE", 5) + b"\x00")
    fails(c("RESTORE", "x", 0, module),
          "ERR Bad data format: a value of the module type TSDB-TYPE. RESTORE takes strings, and series "
          "from DUMP of a Pinstripe")
    fails(c("RESTORE", "x", 0, sealed(b"\x00\x01v", 13)), "ERR DUMP payload version")
    eq(c("RESTORE", "new", 0, sealed(b"\x00\x01v", 12)), "OK")
    theirs("SET", "x", b"x" * 2000000)
    fails(c("RESTORE", "x", 0, theirs("DUMP", "x")), "ERR string exceeds maximum allowed size")
    eq(c("EXISTS", "x"), 0)
    redis.stop()


# --- series -------------------------------------------------------------------------------------------


def fill(t, c, key):
    eq(c("TS.CREATE", key, "RETENTION", 100000000, "DUPLICATE_POLICY", "MAX", "LABELS", "a", "1", "b",
         "two"), "OK")
    for r in c.pipe([("TSDB_SET", key, i * 1000 // 3, i * 0.25) for i in range(POINTS)]):
        eq(r, "OK")


def everything(c, key):
    about = c("TS.INFO", key)
    about = dict(zip(about[::2], about[1::2]))
    return (c("TSDB_GET", key, "-", "+"), *(about[name] for name in ABOUT))


def test_series_come_back_with_everything_but_rules(t):
    for cores in (1, 2):
        s = t.server(cores=cores)
        c = s.client(timeout=60)
        keys = [keys_on(i % cores, cores, 1, "k%d" % i)[0] for i in range(3)]
        fill(t, c, keys[0])
        eq(c("TS.CREATE", "{%s}agg" % keys[0]), "OK")
        eq(c("TS.CREATERULE", keys[0], "{%s}agg" % keys[0], "AGGREGATION", "avg", 60000), "OK")
        want = everything(c, keys[0])
        for stage in range(3):
            payload = c("DUMP", keys[0])
            assert len(payload) < POINTS * 4, "blocks, not points: %d bytes" % len(payload)
            for key in keys[1:]:
                eq(c("RESTORE", key, 0, payload, "REPLACE"), "OK")
                eq(everything(c, key), want)
                eq(dict(zip(*[iter(c("TS.INFO", key))] * 2))["rules"], [])
            eq(sorted(c("TS.QUERYINDEX", "a=1", "b=two")), sorted(k.encode() for k in keys))
            eq(c("SET", keys[1], "string"), "OK")
            fails(c("RESTORE", keys[1], 0, payload), "BUSYKEY Target key name already exists.")
            eq(c("RESTORE", keys[1], 1000000, payload, "REPLACE"), "OK")
            assert 0 < c("PTTL", keys[1]) <= 1000000
            eq(c("RESTORE", keys[2], 0, sealed(b"\x00\x01v"), "REPLACE"), "OK")
            eq(c("GET", keys[2]), b"v")
            eq(c("RESTORE", keys[2], 0, payload, "REPLACE"), "OK")
            eq(everything(c, keys[2]), want)
            if stage == 0:
                s.kill9()
                s.start()
            elif stage == 1:
                eq(c("SAVE"), "OK")
                s.restart()
            c = s.client(timeout=60)
            for key in keys:
                eq(everything(c, key), want, "stage %d" % stage)
        s.stop()


def test_dump_and_restore_in_a_transaction_over_cores(t):
    s = t.server(cores=2, ts_compat="strict")
    c = s.client()
    a, b = keys_on(0, 2, 1, "a")[0], keys_on(1, 2, 1, "b")[0]
    eq(c("TS.CREATE", a), "OK")
    for i in range(100):
        eq(c("TS.ADD", a, i, i), i)
    payload = c("DUMP", a)
    eq(c("MULTI"), "OK")
    for ask in (("RESTORE", b, 0, payload), ("DEL", a), ("DUMP", b), ("RESTORE", b, 0, payload)):
        eq(c(*ask), "QUEUED")
    replies = c("EXEC")
    eq(replies[:3], ["OK", 1, payload])
    fails(replies[3], "BUSYKEY")
    eq(len(c("TS.RANGE", b, "-", "+")), 100)


def test_damaged_series_are_refused_whole(t):
    s = t.server()
    c = s.client()
    for r in c.pipe([("TSDB_SET", "k", i // 3, i) for i in range(3000)]):
        eq(r, "OK")
    payload = c("DUMP", "k")
    body = payload[:-10]
    first_block = 12 + body[11]  # behind type, module, opcode, and the metadata with its length
    damaged = [body[:n] for n in range(0, len(body), 97)]
    for _ in range(200):
        at = t.random.randrange(first_block, len(body))
        damaged.append(body[:at] + bytes([body[at] ^ 1 << t.random.randrange(8)]) + body[at + 1:])
    damaged += [body + b"\x00", body[:-1] + b"\x05\x00", body[:-1] + body[10:]]
    for value in damaged:
        fails(c("RESTORE", "other", 0, sealed(value)), "ERR Bad data format")
        fails(c("RESTORE", "k", 0, sealed(value), "REPLACE"), "ERR Bad data format")
    eq(c("EXISTS", "other"), 0)
    eq(c("DUMP", "k"), payload)


def test_a_dump_has_limits_with_names(t):
    s = t.server(proto_max_bulk_len="1mb")
    c = s.client(timeout=60)
    values = [t.random.random() for _ in range(200000)]
    for i in range(0, len(values), 10000):
        eq(set(c.pipe([("TSDB_SET", "k", k, values[k]) for k in range(i, i + 10000)])), {"OK"})
    fails(c("DUMP", "k"), "ERR DUMP: the series takes more than 1048576 bytes (proto-max-bulk-len)")
