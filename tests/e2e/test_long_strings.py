"""Long strings are held by several at a time instead of being copied: nobody sees another's changes."""
import select

from pinstripe import eq, is_sanitized, keys_on
from resp import encode

SIZES = (100, 5000, 65535, 65536, 65537, 262143, 262144, 300000, 1100000, 3000000)
ROUNDS = 60


class Model:
    """What the keys are, and what a request is answered."""

    def __init__(self, random, keys):
        self.random, self.keys, self.values = random, keys, {}

    def value(self):
        n = self.random.choice(SIZES)
        return self.random.randbytes(1000) * (n // 1000) + self.random.randbytes(n % 1000)

    def request(self):
        """A request and its reply."""
        r, have = self.random, self.values
        k, other = r.sample(self.keys, 2)
        old = have.get(k)
        kind = r.choice(("set", "set", "get", "get", "append", "setrange", "copy", "rename", "getset",
                         "getdel", "mget", "getrange"))
        if kind == "set":
            have[k] = self.value()
            return ("SET", k, have[k]), "OK"
        if kind == "get":
            return ("GET", k), old
        if kind == "append":
            more = r.choice((b"x", self.value()))
            have[k] = (old or b"") + more
            return ("APPEND", k, more), len(have[k])
        if kind == "setrange":
            at = r.randrange(len(old or b"") + r.choice((10, 10, 2500000)))
            some = r.randbytes(r.choice((1, 100000)))
            new = (old or b"").ljust(at, b"\0")
            have[k] = new[:at] + some + new[at + len(some):]
            return ("SETRANGE", k, at, some), len(have[k])
        if kind == "copy":
            if old is not None:
                have[other] = old
            return ("COPY", k, other, "REPLACE"), 0 if old is None else 1
        if kind == "rename" and old is not None:
            have[other] = have.pop(k)
            return ("RENAME", k, other), "OK"
        if kind == "getset":
            have[k] = self.value()
            return ("GETSET", k, have[k]), old
        if kind == "getdel":
            have.pop(k, None)
            return ("GETDEL", k), old
        if kind == "mget":
            return ("MGET", k, other, k), [old, have.get(other), old]
        return ("GETRANGE", k, 70000, 70100), (old or b"")[70000:70101]


def converse(t, c, model, n):
    """n requests at once, in pieces of any size."""
    asked = [model.request() for _ in range(n)]
    data = b"".join(encode(*request) for request, _ in asked)
    while data:
        cut = t.random.choice((1, 1000, 100000, len(data)))
        c.send_raw(data[:cut])
        data = data[cut:]
    for request, want in asked:
        got = c.read()
        assert got == want, "%r: got %r" % ([str(a)[:30] for a in request], str(got)[:60])


def same(c, model, when):
    for k in model.keys:
        got, want = c("GET", k), model.values.get(k)
        size = len(got) if isinstance(got, bytes) else got
        assert got == want, "%s, %s: %s bytes, not %s" % (when, k, size, want and len(want))


def test_random_long_strings_against_a_model(t):
    for cores in (1, 2):
        s = t.server(cores=cores, client_output_buffer_soft="1gb",
                     store_block_cache_bytes="256mb")
        model = Model(t.random, ["k%d" % i for i in range(5)])
        c = s.client(timeout=60)
        for i in range(ROUNDS // cores):
            converse(t, c, model, t.random.choice((1, 1, 3)))
            if i % 10 == 3:
                c("BGSAVE")
            if i % 25 == 24:
                s.kill9()
                s.start()
                c = s.client(timeout=60)
                same(c, model, "killed")
        same(c, model, "at the end")
        eq(c("SAVE"), "OK")
        same(c, model, "saved")
        s.restart()
        c = s.client(timeout=60)
        same(c, model, "started again")
        s.stop()


def test_a_slow_reader_gets_the_value_that_was_there(t):
    s = t.server(cores=2)
    for key in keys_on(0, 2, 1, "a") + keys_on(1, 2, 1, "b"):
        c = s.client()
        for change in (("SET", key, "short"), ("SET", key, b"y" * 8000000), ("SETRANGE", key, 4000000, "y"),
                       ("APPEND", key, "y"), ("DEL", key), ("FLUSHALL",)):
            value = t.random.randbytes(1000) * 8000
            eq(c("SET", key, value), "OK")
            slow = s.client()
            slow.send("GET", key)
            slow.send("PING")
            select.select([slow.sock], [], [])  # it is being answered
            c(*change)
            assert slow.read() == value, change[0]
            eq(slow.read(), "PONG")
            slow.close()


def test_many_append_to_a_string_that_others_hold(t):
    """Its bytes are copied elsewhere while all of them wait for that."""
    s = t.server(cores=2, client_output_buffer_soft="1gb")
    for key in keys_on(0, 2, 1, "a") + keys_on(1, 2, 1, "b"):
        value = t.random.randbytes(1000) * 5000
        clients = [s.client(timeout=30) for _ in range(10)]
        slow = s.client(timeout=30)
        eq(slow("SET", key, value), "OK")
        slow.send("GET", key)
        for c in clients:
            c.send("APPEND", key, b"x")
            c.send("SETRANGE", key, 7, b"7")
            c.send("SETRANGE", key, len(value) - 1, b"8")
        lengths = []
        for c in clients:
            lengths.append(c.read())
            assert c.read() in range(len(value) + 1, len(value) + 11)
            c.read()
            c.close()
        eq(sorted(lengths), list(range(len(value) + 1, len(value) + 11)))
        got = slow.read()
        assert got[8:-11] == value[8:-1][:len(got) - 19], "what was read is no copy of any moment"
        want = value[:7] + b"7" + value[8:-1] + b"8" + b"x" * 10
        assert slow("GET", key) == want
        s.kill9()
        s.start()
        assert s.client(timeout=30)("GET", key) == want
    s.stop()


def test_a_transaction_patches_strings_that_others_hold(t):
    s = t.server(cores=2)
    (a,), (b,) = keys_on(0, 2, 1, "a"), keys_on(1, 2, 1, "b")
    c = s.client(timeout=30)
    value = t.random.randbytes(1000) * 3000
    want_a = value[:5] + b"y" + value[6:] + b"zz"
    want_b = (value + b"x").ljust(7000000, b"\0") + b"q"
    for on in ("c", "d"):
        eq(c("SET", a, value), "OK")
        commands = [("COPY", a, b, "REPLACE"), ("APPEND", b, b"x"), ("SETRANGE", a, 5, b"y"),
                    ("APPEND", a, b"zz"), ("SETRANGE", b, 7000000, b"q"), ("GET", b), ("STRLEN", a)]
        eq(c("MULTI"), "OK")
        for command in commands:
            eq(c(*command), "QUEUED")
        got = c("EXEC")
        eq(got[:5], [1, len(value) + 1, len(value), len(value) + 2, 7000001])
        assert got[5] == want_b
        eq(got[6], len(value) + 2)
        if on == "c":
            s.kill9()
            s.start()
            c = s.client(timeout=30)
        assert c("GET", a) == want_a and c("GET", b) == want_b
    s.stop()


def test_connections_dropped_in_the_middle_of_a_long_value(t):
    s = t.server(client_query_buffer_limit="100mb", proto_max_bulk_len="100mb")
    c = s.client()
    eq(c("SET", "k", "v"), "OK")
    before = s.rss()
    for _ in range(3):
        clients = [s.client() for _ in range(20)]
        for other in clients:
            # So much is announced that all of them together could not have it.
            other.send_raw(b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$90000000\r\n" + b"x" * 300000)
        eq(c("GET", "k"), b"v")
        for other in clients:
            other.close()
    if not is_sanitized(t.binary):
        assert s.rss() - before < 100 << 20, "%d MB more" % ((s.rss() - before) >> 20)
    eq(c("GET", "k"), b"v")
