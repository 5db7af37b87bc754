"""Bytes that are no commands: the same answers as redis-server, and nothing else happens."""
import socket
import time

from pinstripe import eq, holds, until
from resp import encode, info
from test_differential import Redis

GROUP = encode("MSET", "a", "1", "b", "2")  # of two cores: what stands behind it is parsed again

BROKEN = [
    GROUP + b"ECHO 'i\r\n'x'\r\n",
    GROUP + b"SET a \"T a \"x y\"\r\n",
    b"*1\r\n#4\r\nPING\r\n",
    b"*1\r\nPING\r\n",
    b"*1\r\n:4\r\n",
    b"*a\r\n",
    b"*1a\r\n$4\r\nPING\r\n",
    b"*2147483648\r\n",
    b"*99999999999999999999\r\n",
    b"*1\r\n$a\r\n",
    b"*1\r\n$-1\r\n",
    b"*1\r\n$99999999999999999999\r\n",
    b"*1\r\n$536870913\r\n",
    b"*1\r\n$\r\n",
    b"*2\r\n$4\r\nECHO\r\n$x\r\n",
    b"PING \"unbalanced\r\n",
    b"PING 'unbalanced\r\n",
    b"PING \"a\"b\r\n",
    b"x" * 70000,
    b"*" + b"1" * 70000,
    b"*1\r\n$" + b"1" * 70000,
    b"*1\r\n$4\r\nPING\r\n*1\r\n!\r\n*1\r\n$4\r\nPING\r\n",
    b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\n*1\r\nx\r\n",
]
WHOLE = [
    GROUP + b"SET a \"x y\"\r\nGET a\r\n",
    GROUP + b"ECHO 'it\\'s'\r\n" + GROUP + b"ECHO \"\\x22q\\\\\x22\"\r\nECHO \"\\\"\"\r\n",
    b"*0\r\n*1\r\n$4\r\nPING\r\n",
    b"*-1\r\n*1\r\n$4\r\nPING\r\n",
    b"*-10\r\nPING\r\n",
    b"PING\r\n",
    b"PING\n",
    b"\r\nPING\r\n",
    b"\n\n\nPING\r\n",
    b"   PING   \r\n",
    b"PING \"a b\"\r\n",
    b"PING 'a b'\r\n",
    b"ECHO \"\\x41\\n\\t\\\"\"\r\n",
    b"ECHO 'it\\'s'\r\n",
    b"ECHO \"\"\r\n",
    b"set k v\r\nget k\r\n",
    b"*1\r\n$4\r\nPING\r\nPING\r\n*2\r\n$4\r\nECHO\r\n$2\r\nhi\r\n",
    b"GET\r\n",
    b"nosuch a b\r\n",
]


HACK = encode("SET", "hacked", "yes") + b"GET hacked\r\n"
HTTP = [
    b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 40\r\n\r\n" + HACK,
    b"post\r\n" + HACK,
    b"hOsT: x\r\n" + HACK,
    b"\"Host:\" x\r\n" + HACK,
    encode("POST") + HACK,
    encode("POST", "a", "b") + HACK,
    encode("HOST:", "a") + HACK,
    encode(b"POST\0x") + HACK,
]


MARK = b"that was all"


def conversation(client, data, piece=None):
    """What comes back up to the end, or else up to the reply of an ECHO behind what is no broken
    request, and which of them it was."""
    got, end = b"", b"$%d\r\n%b\r\n" % (len(MARK), MARK)
    data += encode("ECHO", MARK) if data in WHOLE else b""
    try:
        for i in range(0, len(data), piece or len(data)):
            client.send_raw(data[i:i + (piece or len(data))])
            if piece:
                time.sleep(0.0002)
    except OSError:
        pass
    try:
        while not got.endswith(end):
            some = client.sock.recv(65536)
            if not some:
                return got, "closed"
            got += some
        return got, "open"
    except ConnectionError:
        return got, "closed"


def test_protocol_errors_are_those_of_redis(t):
    redis, s = Redis(t), t.server(cores=2)
    for data in BROKEN:
        theirs = conversation(redis.client(), data)
        eq(theirs[1], "closed", repr(data[:60]))
        for piece in (None, 7):
            if piece and len(data) > 1000:
                continue
            eq(conversation(s.client(), data, piece), theirs, repr(data[:60]))
    eq(s.client()("PING"), "PONG")
    assert int(info(s.client())["protocol_errors"]) >= len(BROKEN)
    redis.stop()


def test_odd_requests_are_taken_as_by_redis(t):
    redis, s = Redis(t), t.server(cores=2)
    for data in WHOLE:
        theirs = conversation(redis.client(), data)
        for piece in (None, 1):
            eq(conversation(s.client(), data, piece), theirs, repr(data[:60]))
    redis.stop()


def test_requests_of_http_end_the_connection_unanswered_as_in_redis(t):
    # In any state of the connection: fresh, inside MULTI, before AUTH.
    redis, s = Redis(t), t.server(cores=2)
    start, asked = time.monotonic(), 0
    for first, password in ((None, ""), ("MULTI", ""), (None, "secret")):
        for server in (redis, s):
            server.client().ok("CONFIG", "SET", "requirepass", password)
        for data in HTTP:
            for server in (redis, s):
                with server.client() as c:
                    if first:
                        c.ok(first)
                    eq(conversation(c, data), (b"", "closed"), repr(data))
            asked += 1
    c = s.client()
    c.ok("AUTH", "secret")
    eq(c("EXISTS", "hacked"), 0)
    eq(c("COMMAND", "INFO", "post", "host:"), [None, None])
    eq([name for name in c("COMMAND", "LIST") if name.lower() in (b"post", b"host:")], [])
    eq(int(info(c)["protocol_errors"]), asked)
    until(lambda: "sent a request of HTTP" in s.log(), what="a line in the log")
    holds(s.log(), "from 127.0.0.1:")
    minutes = 1 + (time.monotonic() - start) // 60
    assert s.log().count("sent a request of HTTP") <= 2 * minutes, s.log()
    redis.stop()


def test_what_was_asked_before_a_request_of_http_is_answered(t):
    # Also by another core, and what waits for the disk; GET / of HTTP is a GET like any other.
    s = t.server(cores=2)
    c = s.client()
    n = 50
    c.send_raw(b"".join(encode("SET", "k%d" % i, i) for i in range(n)) +
               b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" + HACK)
    eq([c.read() for _ in range(n)], ["OK"] * n)
    holds(str(c.read()), "wrong number of arguments for 'get' command")
    assert c.is_closed()
    c = s.client()
    eq(c("EXISTS", "hacked"), 0)
    eq(c("DBSIZE"), n)


def test_a_nul_byte_in_an_inline_request_is_a_byte_like_any_other(t):
    c = t.server().client()
    c.send_raw(b"PING \0\r\nECHO a\0b\r\nECHO \"\0 \"\r\nPI\0NG\r\n")
    eq([c.read() for _ in range(3)], [b"\0", b"a\0b", b"\0 "])
    holds(str(c.read()), "unknown command 'PI")
    eq(c("PING"), "PONG")


def test_the_name_of_a_client_has_a_limit(t):
    c = t.server().client()
    eq(c("CLIENT", "SETNAME", "n" * 256), "OK")
    for command in (("CLIENT", "SETNAME", "x" * 257), ("HELLO", 2, "SETNAME", "x" * 257)):
        eq(str(c(*command)), "ERR Client names are at most 256 bytes long")
    eq(c("CLIENT", "GETNAME"), b"n" * 256)


def test_requests_that_trickle_in_byte_by_byte(t):
    s = t.server(cores=2)
    c = s.client()
    data = b"".join(encode("SET", "k%d" % i, "v" * i) + encode("GET", "k%d" % i)
                    for i in range(20))
    for i in range(len(data)):
        c.send_raw(data[i:i + 1])
    for i in range(20):
        eq(c.read(), "OK")
        eq(c.read(), b"v" * i)


def test_replies_before_a_protocol_error_are_sent(t):
    # Also those of another core, and those that wait for the disk.
    s = t.server(cores=2)
    c = s.client()
    n = 200
    c.send_raw(b"".join(encode("SET", "k%d" % i, i) for i in range(n)) + b"*1\r\n!\r\n" +
               encode("SET", "after", 1))
    eq([c.read() for _ in range(n)], ["OK"] * n)
    holds(str(c.read()), "Protocol error: expected '$', got '!'")
    assert c.is_closed()
    c = s.client()
    eq(c("EXISTS", "after"), 0)
    eq(c("DBSIZE"), n)


def test_a_client_that_only_half_closes_gets_its_replies(t):
    s = t.server(cores=2)
    c = s.client()
    n = 500
    c.send_raw(b"".join(encode("INCR", "k%d" % (i % 7)) for i in range(n)))
    c.sock.shutdown(socket.SHUT_WR)
    eq(sum(isinstance(c.read(), int) for _ in range(n)), n)
    assert c.is_closed()


def test_before_authentication_requests_must_be_small(t):
    s = t.server(requirepass="secret")
    c = s.client()
    eq(str(c("GET", "k")), "NOAUTH Authentication required.")
    eq(str(c("PING")), "NOAUTH Authentication required.")
    for data, text in ((b"*11\r\n", "unauthenticated multibulk length"),
                       (b"*2\r\n$4\r\nAUTH\r\n$16385\r\n", "unauthenticated bulk length")):
        c = s.client()
        c.send_raw(data)
        eq(str(c.read()), "ERR Protocol error: " + text)
        assert c.is_closed()
    c = s.client()
    holds(str(c("AUTH", "wrong")), "WRONGPASS")
    holds(str(c("AUTH", "secret1")), "WRONGPASS")
    holds(str(c("AUTH", "")), "WRONGPASS")
    eq(c("AUTH", "default", "secret"), "OK")
    eq(c("SET", "k", "v" * 20000), "OK")
    c = s.client()
    holds(str(c("HELLO", 3)), "NOAUTH")
    eq(c("HELLO", 3, "AUTH", "default", "secret", "SETNAME", "me")[b"proto"], 3)
    eq(c("CLIENT", "GETNAME"), b"me")
    c("RESET")
    eq(str(c("PING")), "NOAUTH Authentication required.")


def test_before_authentication_errors_are_those_of_redis(t):
    redis, s = Redis(t), t.server(cores=2)
    for server in (redis, s):
        server.client().ok("CONFIG", "SET", "requirepass", "secret")
    for words in (["NOSUCH", "a", "b"], ["GET", "a"], ["GET"], ["EXEC"], ["EXEC", "a"], ["MULTI"],
                  ["DISCARD"], ["HELLO"], ["HELLO", "3"], ["HELLO", "2", "SETNAME", "x"], ["HELLO", "9"],
                  ["HELLO", "3", "AUTH", "default", "wrong"], ["AUTH", "other", "secret"], ["AUTH"],
                  ["CLIENT", "NOSUCH"], ["CLIENT", "ID"], ["CONFIG", "GET", "hz"], ["RESET"], ["QUIT"]):
        theirs, ours = redis.client(), s.client()
        for c in (theirs, ours):
            c.send(*words)
        eq(ours.read_raw(), theirs.read_raw(), " ".join(words))
    redis.stop()


def until_closed(client):
    got = b""
    try:
        while True:
            some = client.sock.recv(65536)
            if not some:
                return got
            got += some
    except ConnectionError:  # it had not read all that was sent
        return got


def test_what_ends_a_connection_may_come_in_pieces(t):
    s = t.server()
    ping, leave = encode("PING"), encode("QUIT")
    for data, want in ((ping + b"*abc\r\n", b"+PONG\r\n-ERR Protocol error: invalid multibulk length\r\n"),
                       (ping + leave, b"+PONG\r\n+OK\r\n"), (b"QUIT\r\n", b"+OK\r\n"),
                       (encode("SET", "k", "v") + leave, b"+OK\r\n+OK\r\n")):
        for cut in range(1, len(data)):
            with s.client() as c:
                c.send_raw(data[:cut])
                time.sleep(0.002)
                c.send_raw(data[cut:])
                eq(until_closed(c), want, "%r, then %r" % (data[:cut], data[cut:]))
