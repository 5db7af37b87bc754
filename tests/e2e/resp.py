"""A small RESP client: pipelines, RESP2 and RESP3, decoded or raw replies.

Decoded: simple strings become str, bulk strings bytes, integers int, nulls None, arrays and pushes
lists, maps dicts, sets sets as lists, doubles float, booleans bool. An error reply is an Error, which
is returned, not raised, so that a pipeline can hold several.
"""
import socket
import time

READ_BYTES = 1 << 18


class Error(Exception):
    """An error reply. Equal to another one with the same text."""

    def __eq__(self, other):
        return isinstance(other, Error) and str(self) == str(other)

    def __hash__(self):
        return hash(str(self))

    def __repr__(self):
        return "Error(%r)" % str(self)

    @property
    def code(self):
        return str(self).split(" ", 1)[0]


class Closed(ConnectionError):
    """The server closed the connection."""


def as_bytes(arg):
    if isinstance(arg, bytes):
        return arg
    if isinstance(arg, (bytearray, memoryview)):
        return bytes(arg)
    if isinstance(arg, float):
        return repr(arg).encode()
    return str(arg).encode()


def encode(*args):
    """One request as an array of bulk strings."""
    parts = [b"*%d\r\n" % len(args)]
    for arg in args:
        arg = as_bytes(arg)
        parts.append(b"$%d\r\n%b\r\n" % (len(arg), arg))
    return b"".join(parts)


class Reader:
    """Replies out of a stream of bytes."""

    def __init__(self, fill):
        self.fill = fill  # returns more bytes; raises when there are none
        self.buf = bytearray()
        self.pos = 0

    def more(self):
        if self.pos > READ_BYTES:
            del self.buf[:self.pos]
            self.pos = 0
        self.buf += self.fill()

    def line(self):
        at = 0
        while True:
            end = self.buf.find(b"\r\n", self.pos + at)
            if end >= 0:
                break
            at = max(len(self.buf) - self.pos - 1, 0)
            self.more()
        text = bytes(self.buf[self.pos:end])
        self.pos = end + 2
        return text

    def take(self, n):
        while len(self.buf) - self.pos < n:
            self.more()
        data = bytes(self.buf[self.pos:self.pos + n])
        self.pos += n
        return data

    def bulk(self, n):
        data = self.take(n + 2)
        assert data.endswith(b"\r\n"), "bulk string without its end: %r" % data[-20:]
        return data[:-2]

    def reply(self):
        """One decoded reply."""
        line = self.line()
        kind, rest = line[:1], line[1:]
        if kind == b"+":
            return rest.decode("utf-8", "replace")
        if kind == b":":
            return int(rest)
        if kind == b"$":
            return None if rest == b"-1" else self.bulk(int(rest))
        if kind == b"-":
            return Error(rest.decode("utf-8", "replace"))
        if kind in (b"*", b"~", b">"):
            return None if rest == b"-1" else [self.reply() for _ in range(int(rest))]
        if kind == b"%":
            return {hashable(self.reply()): self.reply() for _ in range(int(rest))}
        if kind == b"_":
            return None
        if kind == b",":
            return float(rest)
        if kind == b"#":
            return rest == b"t"
        if kind == b"=":
            return self.bulk(int(rest))[4:]
        if kind == b"(":
            return int(rest)
        raise AssertionError("not a reply: %r" % line[:200])

    def raw(self):
        """One reply as the bytes it came in."""
        parts, left = [], 1
        while left > 0:
            line = self.line()
            left -= 1
            parts.append(line + b"\r\n")
            kind, rest = line[:1], line[1:]
            if kind in (b"$", b"=") and rest != b"-1":
                parts.append(self.take(int(rest) + 2))
            elif kind in (b"*", b"~", b">") and rest != b"-1":
                left += int(rest)
            elif kind in (b"%", b"|"):
                left += 2 * int(rest) + (kind == b"|")
            elif kind not in b"+-:$*_,#(=~>%":
                raise AssertionError("not a reply: %r" % line[:200])
        return b"".join(parts)


def hashable(value):
    return tuple(value) if isinstance(value, list) else value


class Client:
    """One connection. Calling it sends a command and returns the decoded reply."""

    def __init__(self, port, host="127.0.0.1", timeout=60.0, proto=2, password=None, rcvbuf=None):
        self.sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
        if rcvbuf:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
        self.sock.settimeout(timeout)
        self.sock.connect((host, port))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.reader = Reader(self.receive)
        if password is not None:
            assert self("AUTH", password) == "OK"
        if proto == 3:
            assert self("HELLO", 3)[b"proto"] == 3

    def receive(self):
        data = self.sock.recv(READ_BYTES)
        if not data:
            raise Closed("the server closed the connection")
        return data

    def __call__(self, *args):
        self.send_raw(encode(*args))
        return self.reader.reply()

    def ok(self, *args):
        """Sends a command; an error reply is raised."""
        reply = self(*args)
        if isinstance(reply, Error):
            raise reply
        return reply

    def send(self, *args):
        self.send_raw(encode(*args))

    def send_raw(self, data):
        self.sock.sendall(data)

    def read(self):
        return self.reader.reply()

    def read_raw(self):
        return self.reader.raw()

    def pipe(self, commands, raw=False):
        """Sends all commands, then reads all replies. Not for more than the sockets can hold."""
        self.send_raw(b"".join(encode(*c) for c in commands))
        read = self.reader.raw if raw else self.reader.reply
        return [read() for _ in commands]

    def pipe_many(self, commands, chunk=1000):
        """The same in pieces, for any number of commands."""
        replies = []
        for i in range(0, len(commands), chunk):
            replies += self.pipe(commands[i:i + chunk])
        return replies

    def is_closed(self, timeout=60.0):
        """Does the server close the connection within this time? What it still sends is dropped."""
        end = time.monotonic() + timeout
        try:
            while True:
                self.sock.settimeout(max(end - time.monotonic(), 0.001))
                if not self.sock.recv(READ_BYTES):
                    return True
        except socket.timeout:
            return False
        except OSError:
            return True

    def close(self):
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def info(client, section="everything"):
    """INFO as a dict of str to str."""
    text = client.ok("INFO", section).decode()
    return dict(line.split(":", 1) for line in text.split("\r\n") if ":" in line)
