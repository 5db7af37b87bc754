"""A server that stops with many clients of every kind: it ends, gives everything back (LeakSanitizer looks),
and has what it acknowledged."""
import socket

from pinstripe import eq, holds
from resp import encode

POINTS = 50000


def send(s, data):
    """A connection that has sent so much of `data` as goes; nobody reads from it."""
    c = socket.create_connection(("127.0.0.1", s.port))
    c.setblocking(False)
    try:
        c.send(data)
    except BlockingIOError:
        pass
    return c


def fill(s):
    c = s.client()
    eq(c.pipe([("TS.CREATE", "long{%d}" % i, "LABELS", "c", "d") for i in (0, 1)]), ["OK"] * 2)
    for at in range(0, POINTS, 1000):
        c.ok("TS.MADD", *(w for i in range(at, at + 1000) for w in ("long{%d}" % (i % 2), i, i % 100)))
    c.pipe([("TS.ADD", "w%d" % i, 1, 1, "LABELS", "a", "b") for i in range(20)])
    eq(c("SET", "big", "x" * 1000000), "OK")
    return c


def kinds(r):
    """What a client may be about when its server stops."""
    key = "w%d" % r.randrange(20)
    return (
        b"",
        b"*3\r\n$3\r\nSET\r\n$5\r\nab",
        encode("PING")[:5],
        b"*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1000000\r\n" + b"x" * 100000,
        b"".join(encode("SET", "k%d" % r.randrange(1000), "v" * r.randrange(200)) for _ in range(300)),
        encode("TS.READ", key, 5, "BLOCK", 0, 1),
        encode("TS.READ", key, 5, "BLOCK", 60000, 1) + encode("PING"),
        b"".join(encode("GET", "big") for _ in range(20)),
        encode("TSDB_GET", "long{1}", 0, POINTS) * 3,
        encode("TS.MRANGE", "-", "+", "FILTER", "a=b"),
        encode("WATCH", "a") + encode("MULTI") + encode("SET", "a", 1),
        b"".join(encode(*w) for n in range(20) for w in (("MULTI",), ("INCR", "n{0}"), ("INCR", "n{1}"), ("EXEC",))),
        b"".join(encode("MSET", "m{0}", n, "m{1}", n) for n in range(100)),
        encode("SUBSCRIBE", "x") + encode("NONSENSE"),
    )


def test_a_stop_with_clients_of_every_kind(t):
    for cores in (1, 2):
        s = t.server(cores=cores)
        c = fill(s)
        clients = []
        for i in range(200):
            texts = kinds(t.random)
            clients.append(send(s, texts[i % len(texts)]))
            if i % 20 == 0:
                clients.pop().close()
        c.ok("SET", "last", "v")
        s.stop()
        for client in clients:
            client.close()
        s.start()
        c = s.client()
        eq(c("GET", "last"), b"v")
        eq(c("GET", "m{0}"), c("GET", "m{1}"))
        eq(c("GET", "n{0}"), c("GET", "n{1}"))
        s.stop()


def test_a_stop_does_not_wait_for_requests_that_have_not_begun(t):
    asked = [[encode("TS.RANGE", "long{%d}" % core, "-", "+", "FILTER_BY_VALUE", 200, 300),
              encode("TSDB_GET", "long{%d}" % core, 0, POINTS),
              encode("MULTI") + encode("TS.RANGE", "long{0}", "-", "+", "FILTER_BY_VALUE", 200, 300) +
              encode("TS.RANGE", "long{1}", "-", "+", "FILTER_BY_VALUE", 200, 300) + encode("EXEC"),
              encode("TS.MRANGE", "-", "+", "FILTER_BY_VALUE", 200, 300, "FILTER", "c=d")]
             for core in (0, 1)]
    for cores in (1, 2):
        s = t.server(cores=cores, core_ports="yes", enable_debug_command="yes")
        c = fill(s)
        for core in range(cores):
            control = s.core_client(core)
            for name, value in (("slice-ns", 20000), ("stop-drain-ns", 1000000)):
                eq(control("DEBUG", "LIMIT", name, value), "OK")
        clients = [send(s, (asked[i % 2][i // 2 % 4]) * 60) for i in range(120)]
        c.ok("SET", "last", "v")
        s.stop()
        for client in clients:
            client.close()
        if cores == 2:
            holds(s.log(), "those that have not begun are refused")
        assert "gives up" not in s.log(), s.log()
        s.start()
        eq(s.client()("GET", "last"), b"v")
        s.stop()
