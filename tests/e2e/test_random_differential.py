"""Random commands with random arguments, right and wrong ones, to redis-server and to Pinstripe: the
same bytes come back. What differs on purpose (docs/COMPATIBILITY.md) is not asked for."""
import time

from pinstripe import eq, shorten
from resp import encode
from test_differential import Connections, NEAR, Redis, decoded, in_order, near, same

KEYS = [b"k%d" % i for i in range(8)] + [b"{a}x", b"{a}y", b"", b"\x00\xff"]
NUMBERS = [b"0", b"1", b"-1", b"7", b"100", b"-100", b"9223372036854775807",
           b"-9223372036854775808", b"9223372036854775808", b"18446744073709551616", b"1.5", b"1e3",
           b"x", b"", b" 1", b"1 ", b"+1", b"01", b"-0", b"0x10", b"nan", b"inf", b"-inf", b"1e400"]
FLOATS = [b"0.1", b"-2.5", b"3", b"1e17", b"1e-10", b"5e-324", b"1.7976931348623157e308",
          b"12345678901234567890"]
# Not near and not past: DBSIZE counts what nobody has noticed to be over, each server in its own time.
SECONDS = [b"5000", b"100000", b"-1", b"0", b"9223372036854775807", b"9223372036854776", b"x", b"",
           b"1.5", b"-9223372036854775808"]
AT_SECONDS = [b"4000000000", b"0", b"-5", b"9223372036854775807", b"x", b"99999999999"]
AT_MS = [b"4000000000000", b"0", b"-5", b"9223372036854775807", b"x", b"4000000000001"]
OFFSETS = [b"0", b"1", b"5", b"-1", b"-5", b"100", b"536870912", b"9223372036854775807", b"x", b""]
PATTERNS = [b"*", b"k*", b"k?", b"k[0-3]", b"k[^0]", b"k\\1", b"[", b"[a", b"k**", b"***k**", b"", b"?",
            b"*[0-9]", b"k[5-1]", b"\\", b"\\*", b"{a}*", b"[^", b"[]", b"a*b*c*d*", b"*\xff"]

# Of both servers the same.
SETTINGS = [b"timeout", b"hz", b"databases", b"proto-max-bulk-len", b"timeo*", b"no-such", b"[h]z", b"H?",
            b"datab[a]ses", b"", b"[", b"\\hz"]

# No number of milliseconds may come here by chance.
TIMED = (b"SET", b"GETEX", b"SETEX", b"PSETEX", b"EXPIRE", b"PEXPIRE", b"EXPIREAT", b"PEXPIREAT")


class Ask:
    """What same() wants to know of a command."""

    def __init__(self, words, near=False, any_order=False, connection=0):
        self.words = [w if isinstance(w, bytes) else str(w).encode() for w in words]
        self.near, self.any_order, self.connection = near, any_order, connection

    def __repr__(self):
        return "@%d %s" % (self.connection, " ".join(shorten(w)[2:-1] or '""' for w in self.words))


class Author:
    def __init__(self, r, cores):
        self.r, self.cores = r, cores
        self.makers = [getattr(self, n) for n in sorted(dir(self)) if n.startswith("make_")]

    def key(self):
        return self.r.choice(KEYS)

    def keys(self, most=5):
        return [self.key() for _ in range(self.r.randint(1, most))]

    def value(self):
        r = self.r
        return r.choice((r.choice(NUMBERS), r.choice(FLOATS), b"v", b"hello world",
                         r.randbytes(r.choice((3, 40, 44, 45, 200, 3000)))))

    def pick(self, *lists):
        return self.r.choice(self.r.choice(lists))

    def any_case(self, word):
        return "".join(self.r.choice((c.upper(), c.lower())) for c in word)

    def options(self, *words, most=3):
        """Some of them in any order; those with a * take one of the lists behind it."""
        out = []
        for _ in range(self.r.choice((0, 0, 1, 1, 2, most))):
            word = self.r.choice(words)
            out.append(self.any_case(word[0] if isinstance(word, tuple) else word))
            if isinstance(word, tuple) and self.r.random() < 0.95:
                out.append(self.pick(word[1]))
        return out

    # --- kinds of commands

    def make_get(self):
        name = self.r.choice("GET STRLEN GETDEL TYPE PERSIST INCR DECR EXISTS".split())
        return Ask((name, self.key()))

    def make_set(self):
        return Ask(("SET", self.key(), self.value(), *self.options(
            "NX", "XX", "GET", "KEEPTTL", ("EX", SECONDS), ("PX", [b"5000000", b"0", b"x"]),
            ("EXAT", AT_SECONDS), ("PXAT", AT_MS), "bogus")))

    def make_getex(self):
        return Ask(("GETEX", self.key(), *self.options(
            "PERSIST", ("EX", SECONDS), ("PX", [b"5000000", b"-1", b"x"]), ("EXAT", AT_SECONDS),
            ("PXAT", AT_MS), "NX", most=2)))

    def make_two(self):
        name = self.r.choice("SETNX GETSET APPEND".split())
        return Ask((name, self.key(), self.value()))

    def make_setex(self):
        return self.r.choice((Ask(("SETEX", self.key(), self.pick(SECONDS), self.value())),
                              Ask(("PSETEX", self.key(), self.pick([b"5000000", b"0", b"-1", b"x"]),
                                   self.value()))))

    def make_range(self):
        if self.r.random() < 0.4:
            offset = self.pick(OFFSETS)
            return Ask(("SETRANGE", self.key(), offset, self.r.choice((b"", b"abc"))))
        name = self.r.choice(("GETRANGE", "SUBSTR"))
        return Ask((name, self.key(), self.pick(OFFSETS), self.pick(OFFSETS)))

    def make_add(self):
        if self.r.random() < 0.4:
            return Ask(("INCRBYFLOAT", self.key(), self.pick(NUMBERS, FLOATS)))
        return Ask((self.r.choice(("INCRBY", "DECRBY")), self.key(), self.pick(NUMBERS)))

    def make_many(self):
        r = self.r
        if r.random() < 0.5:
            words = [x for k in self.keys() for x in (k, self.value())]
            return Ask((r.choice(("MSET", "MSETNX")), *words, *([b"odd"] * (r.random() < 0.1))))
        return Ask((r.choice("MGET DEL UNLINK EXISTS TOUCH".split()), *self.keys()))

    def make_expire(self):
        r = self.r
        name, values = r.choice((("EXPIRE", SECONDS), ("PEXPIRE", [b"5000000", b"-1", b"0", b"x"]),
                                 ("EXPIREAT", AT_SECONDS), ("PEXPIREAT", AT_MS)))
        return Ask((name, self.key(), self.pick(values),
                    *self.options("NX", "XX", "GT", "LT", "bogus", most=2)))

    def make_ttl(self):
        return Ask((self.r.choice("TTL PTTL EXPIRETIME PEXPIRETIME".split()), self.key()), near=True)

    def make_rename(self):
        return Ask((self.r.choice(("RENAME", "RENAMENX")), self.key(), self.key()))

    def make_copy(self):
        return Ask(("COPY", self.key(), self.key(), *self.options(
            "REPLACE", ("DB", [b"0", b"1", b"2", b"16", b"-1", b"x", b"99999999999999999999"]),
            "bogus")))

    def make_lcs(self):
        return Ask(("LCS", self.key(), self.key(), *self.options(
            "LEN", "IDX", "WITHMATCHLEN", ("MINMATCHLEN", [b"0", b"2", b"-1", b"x"]))))

    def make_listing(self):
        r = self.r
        if r.random() < 0.5 or self.cores > 1:
            return r.choice((Ask(("KEYS", self.pick(PATTERNS)), any_order=True), Ask(("DBSIZE",))))
        words = ["SCAN", "0"]
        words += ["COUNT", "1000"] if r.random() < 0.9 else ["COUNT", self.pick([b"0", b"-1", b"x"])]
        words += self.options(("MATCH", PATTERNS), ("TYPE", [b"string", b"hash", b"x"]), most=2)
        return Ask(words, any_order=True)

    def make_object(self):
        word = self.r.choice(("NOSUCH", "FREQ", "IDLETIME", "ENCODING", "ENCODING", "ENCODING"))
        return Ask(("OBJECT", word, self.key()), near=word == "IDLETIME")

    def make_connection(self):
        r = self.r
        return r.choice((Ask(("PING", *self.keys(2))), Ask(("ECHO", self.value())),
                         Ask(("SELECT", self.pick([b"0", b"1", b"15", b"16", b"-1", b"x", b""]))),
                         Ask(("CLIENT", "SETNAME", self.r.choice((b"a", b"a b", b"", b"\n")))),
                         Ask(("CLIENT", "GETNAME")), Ask(("RESET",)) if r.random() < 0.2 else
                         Ask(("SELECT", "0"))))

    def make_description(self):
        """What COMMAND and CONFIG GET say of what both servers have."""
        r = self.r
        if r.random() < 0.3:
            return Ask(("CONFIG", "GET", *(self.pick(SETTINGS) for _ in range(r.randint(1, 3)))),
                       any_order=True)
        call = r.choice(self.makers[:-1])() if r.random() < 0.9 else Ask(("NOSUCH",))
        return Ask(("COMMAND", r.choice(("GETKEYS", "GETKEYSANDFLAGS")), *call.words))

    def make_transaction(self):
        r = self.r
        return r.choice((Ask(("MULTI",)), Ask(("MULTI",)), Ask(("EXEC",)), Ask(("EXEC",)),
                         Ask(("EXEC",)), Ask(("DISCARD",)), Ask(("WATCH", *self.keys(3))),
                         Ask(("UNWATCH",))))

    def make_flush(self):
        if self.r.random() < 0.8:
            return self.make_get()
        return Ask((self.r.choice(("FLUSHDB", "FLUSHALL")), *self.r.choice(
            ((), (), ("SYNC",), ("ASYNC",), ("x",), ("SYNC", "ASYNC")))))

    def make_wrong_count(self):
        """A command with too much or too little."""
        ask = self.r.choice(self.makers[:-1])()
        ask.words = ask.words[:self.r.randint(1, len(ask.words))]
        if self.r.random() < 0.3 and ask.words[0].upper() not in TIMED:
            ask.words += [self.value() for _ in range(self.r.randint(1, 3))]
        return ask

    def one(self):
        ask = self.r.choice(self.makers)()
        ask.connection = self.r.choice((0, 0, 0, 1))
        return ask


def may_not_be_asked_for(name):
    """Only Redis has keys in them, or a container is named alone."""
    return name in (b"OBJECT", b"CLIENT", b"COMMAND", b"CONFIG")


def may_differ(ask):
    """What a random cut turned into something else than it was meant for."""
    name = ask.words[0].upper()
    sub = ask.words[1].upper() if len(ask.words) > 1 else b""
    if name == b"SCAN":
        words = [w.upper() for w in ask.words]
        # A small COUNT may end before or at the last key.
        small = [n for w, n in zip(words, words[1:]) if w == b"COUNT" and n.isdigit() and 0 < int(n) < 1000]
        return b"COUNT" not in words or ask.words[1:2] != [b"0"] or small != []
    if name == b"OBJECT":
        return sub in (b"REFCOUNT", b"HELP")
    if name == b"COMMAND":
        return len(ask.words) < 2 or (len(ask.words) > 2 and
                                      may_not_be_asked_for(ask.words[2].upper()))
    return name == b"SETRANGE" and len(ask.words) > 2 and ask.words[2] == b"536870912"


def same_in_any_order(theirs, ours, elapsed_ms):
    """Keys in their own order, and times that are left, may stand in one reply."""
    return theirs[:1] == ours[:1] != b"<" and near(in_order(decoded(theirs)), in_order(decoded(ours)),
                                                   NEAR + elapsed_ms)


def round_of(t, redis, server, cores, n, proto):
    seed = t.random.randrange(1 << 32)
    author = Author(t.random.__class__(seed), cores)
    sides = Connections(redis, proto), Connections(server, proto)
    history, began = [], time.monotonic()
    for side in sides:
        side.connection(0).ok("FLUSHALL")
    for _ in range(n):
        ask = author.one()
        if may_differ(ask):
            continue
        history.append(ask)
        theirs, ours = (side.ask(ask) for side in sides)
        # An EXEC holds replies of every kind.
        ask.near = ask.near or ask.words[0].upper() == b"EXEC"
        elapsed_ms = (time.monotonic() - began) * 1000
        if not same(ask, theirs, ours, elapsed_ms) and not (
                ask.near and same_in_any_order(theirs, ours, elapsed_ms)):
            raise AssertionError("seed %d, RESP%d\nredis     %s\npinstripe %s\nafter\n%s" % (
                seed, proto, shorten(theirs), shorten(ours),
                "\n".join("  %r" % (a,) for a in history[-25:])))
    for side in sides:
        side.close()
    return len(history)


def compare_random(t, cores):
    redis = Redis(t)
    server = t.server(cores=cores, appendfsync="everysec")
    asked = 0
    try:
        for n in range(20 if t.long else 4):
            asked += round_of(t, redis, server, cores, 3000 if t.long else 1200, 2 + n % 2)
    finally:
        redis.stop()
    t.say("%d commands" % asked)
    eq(server.client()("PING"), "PONG")


def test_random_commands_one_core(t):
    compare_random(t, 1)


def test_random_commands_two_cores(t):
    compare_random(t, 2)
