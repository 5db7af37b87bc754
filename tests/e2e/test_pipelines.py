"""Random pipelines over several cores beside a model in Python: every reply, in order, whatever the
bytes come in."""
import select
import time

from model import Model
from pinstripe import eq, keys_on, shorten
from resp import Error, Reader, encode

FAR_MS = 4000000000000


# --- commands -------------------------------------------------------------------------------------------


class Author:
    """Makes up the commands of one connection, over keys of its own."""

    def __init__(self, r, prefix, whole_db):
        self.r, self.whole_db = r, whole_db
        names = keys_on(0, 2, 6, prefix) + keys_on(1, 2, 6, prefix)
        self.strings = names[:4] + names[6:10]
        self.series = names[4:6] + names[10:]

    def key(self):
        return self.r.choice(self.strings)

    def keys(self):
        return [self.key() for _ in range(self.r.randint(1, 6))]

    def value(self):
        r = self.r
        kind = r.randrange(5)
        if kind < 2:
            return b"%d" % r.randrange(-1000, 1000)
        if kind == 2:
            return b"%d" % r.choice(((1 << 63) - 1, -(1 << 63), 1 << 63, 0))
        return r.randbytes(r.choice((0, 1, 20, 300, 5000)))

    def number(self):
        return b"%g" % (self.r.randrange(-4000, 4000) / 4)

    def string_command(self):
        r, k = self.r, self.key()
        return r.choice((
            lambda: ("GET", k),
            lambda: ("SET", k, self.value()),
            lambda: ("SET", k, self.value(), *r.sample(("NX", "XX", "GET", "KEEPTTL"),
                                                       r.randint(0, 2))),
            lambda: ("SETNX", k, self.value()),
            lambda: ("GETSET", k, self.value()),
            lambda: ("GETDEL", k),
            lambda: ("APPEND", k, self.value()),
            lambda: ("STRLEN", k),
            lambda: ("GETRANGE", k, r.randint(-30, 30), r.randint(-30, 30)),
            lambda: ("SETRANGE", k, r.randint(0, 50), self.value()),
            lambda: ("INCR", k), lambda: ("DECR", k),
            lambda: ("INCRBY", k, r.choice((1, -7, (1 << 63) - 1, "x", "1.5"))),
            lambda: ("PEXPIREAT", k, FAR_MS + r.randrange(1000)),
            lambda: ("PEXPIRETIME", k), lambda: ("PERSIST", k), lambda: ("TYPE", k)))()

    def group_command(self):
        r = self.r
        pairs = [x for k in self.keys() for x in (k, self.value())]
        return r.choice((
            lambda: ("MSET", *pairs), lambda: ("MSETNX", *pairs),
            lambda: ("MGET", *self.keys()), lambda: ("DEL", *self.keys()),
            lambda: ("UNLINK", *self.keys(), r.choice(self.series)),
            lambda: ("EXISTS", *self.keys()), lambda: ("TOUCH", *self.keys()),
            lambda: ("RENAME", self.key(), self.key()),
            lambda: ("RENAMENX", self.key(), self.key()),
            lambda: ("COPY", self.key(), self.key(), *r.choice(((), ("REPLACE",)))),
            lambda: ("COPY", *r.sample(self.series, 2), "REPLACE"),
            lambda: ("RENAME", *r.sample(self.series, 2))))()

    def series_command(self):
        r, k = self.r, self.r.choice(self.series)
        return r.choice((
            lambda: ("TSDB_SET", k, r.randrange(300), self.number()),
            lambda: ("TSDB_SET", k, r.randrange(300), self.number()),
            lambda: ("TSDB_GET", k, r.choice(("-", r.randrange(300))),
                     r.choice(("+", r.randrange(300)))),
            lambda: ("BATCH_SET", k, self.number(), r.randrange(300)),
            lambda: ("BATCH_FLUSH",), lambda: ("TYPE", k)))()

    def wrong_command(self):
        k = self.key()
        return self.r.choice((
            ("NOSUCH", k), ("GET",), ("GET", k, k), ("SET", k), ("SET", k, "v", "BOGUS"),
            ("SET", k, "v", "NX", "XX"), ("MGET",), ("GET", self.series[0]),
            ("INCR", self.series[1]), ("APPEND", self.series[2], "x"), ("TSDB_GET", k),
            ("RENAME", "no" + k, k), ("EXEC",), ("DISCARD",), ("ECHO",)))

    def other_command(self):
        plain = [("PING",), ("PING", self.value()), ("ECHO", self.value())]
        whole = [("DBSIZE",), ("KEYS", "*"), ("RANDOMKEY",), ("FLUSHDB",)]
        return self.r.choice(plain + (whole if self.whole_db else []))

    def one(self):
        return self.r.choices((self.string_command, self.group_command, self.series_command,
                               self.other_command, self.wrong_command), (50, 15, 15, 10, 4))[0]()

    def transaction(self):
        r, commands = self.r, []
        if r.random() < 0.5:
            commands.append(("WATCH", *self.keys()))
            commands += [self.string_command() for _ in range(r.choice((0, 0, 1)))]
        commands.append(("MULTI",))
        # Errors in the queue take the whole of it: most transactions are to have none.
        make = self.one if r.random() < 0.2 else r.choice((self.string_command, self.group_command))
        commands += [make() for _ in range(r.randint(0, 8))]
        commands.append(("DISCARD",) if r.random() < 0.1 else ("EXEC",))
        return commands

    def some(self, n):
        commands = []
        while len(commands) < n:
            commands += self.transaction() if self.r.random() < 0.12 else [self.one()]
        return commands


# --- conversations ------------------------------------------------------------------------------------


class NothingYet(Exception):
    pass


class Talk:
    """One connection: what it still has to send, and the replies it expects."""

    def __init__(self, client, commands, model, r):
        self.client, self.commands, self.r = client, commands, r
        self.want = [model.ask(*c) for c in commands]
        self.data = b"".join(encode(*c) for c in commands)
        self.sent = self.got = 0
        self.reader = Reader(None)
        self.reader.more = self.nothing
        client.sock.setblocking(False)

    def nothing(self):
        raise NothingYet

    def send(self):
        """A piece that ends anywhere."""
        piece = self.r.choice((1, 7, 100, 1500, 20000, 200000))
        try:
            self.sent += self.client.sock.send(self.data[self.sent:self.sent + piece])
        except BlockingIOError:
            pass

    def receive(self):
        del self.reader.buf[:self.reader.pos]
        self.reader.pos = 0
        try:
            self.reader.buf += self.client.receive()
        except BlockingIOError:
            return
        while True:
            at = self.reader.pos
            try:
                self.check(self.reader.reply())
            except NothingYet:
                self.reader.pos = at
                return

    def check(self, reply):
        n = self.got
        assert n < len(self.want), "a reply too many: %r" % (reply,)
        if not self.want[n] == reply or isinstance(reply, Error) != isinstance(self.want[n], Error):
            before = "\n".join(shorten(c) for c in self.commands[max(n - 12, 0):n + 1])
            raise AssertionError("reply %d is %s\nnot %s\nafter\n%s"
                                 % (n, shorten(reply), shorten(self.want[n]), before))
        self.got += 1

    def where(self):
        return "%d of %d after %d of %d bytes, next is that of\n%s" % (
            self.got, len(self.want), self.sent, len(self.data),
            "\n".join(shorten(c) for c in self.commands[self.got:self.got + 10]))

    def over(self):
        return self.got == len(self.want) and self.sent == len(self.data)


def converse(talks, r, seconds=200):
    """All at the same time, until the last reply."""
    end, open_talks = time.monotonic() + seconds, list(talks)
    while open_talks:
        for talk in r.sample(open_talks, min(len(open_talks), 8)):
            if talk.sent < len(talk.data):
                talk.send()
        sockets = {talk.client.sock: talk for talk in open_talks}
        waiting = all(talk.sent == len(talk.data) for talk in open_talks)
        for sock in select.select(list(sockets), [], [], 0.02 if waiting else 0)[0]:
            sockets[sock].receive()
        open_talks = [talk for talk in open_talks if not talk.over()]
        assert time.monotonic() < end, "replies are missing: " + ", ".join(
            talk.where() for talk in open_talks)


def random_pipelines(t, cores, seeds, connections, commands):
    s = t.server(cores=cores, core_ports="yes", appendfsync="everysec")
    for _ in range(seeds):
        seed = t.random.randrange(1 << 32)
        r = t.random.__class__(seed)
        try:
            talk_all(s, r, connections, commands)
        except BaseException:
            t.say("seed of this round: %d" % seed)
            raise
        eq(s.client().ok("FLUSHALL"), "OK")
    t.say("%d connections with %d commands each, %d times" % (connections, commands, seeds))


def talk_all(s, r, connections, commands):
    talks = []
    for n in range(connections):
        proto = r.choice((2, 3))
        port = r.choice((s.port, s.port + 1, s.port + s.cores))
        c = s.client(port=port, proto=proto)
        # The first ones have a database of their own, the others share one.
        db = n + 1 if n < 15 else 0
        eq(c.ok("SELECT", db), "OK")
        author = Author(r, "c%d:" % n, whole_db=db > 0)
        talks.append(Talk(c, author.some(r.randint(commands // 2, commands)), Model(proto), r))
    try:
        converse(talks, r)
    finally:
        for talk in talks:
            talk.client.close()


def test_random_pipelines_one_core(t):
    random_pipelines(t, 1, 20 if t.long else 2, 30, 300)


def test_random_pipelines_two_cores(t):
    random_pipelines(t, 2, 40 if t.long else 3, 40, 300)


def test_random_pipelines_of_few_that_are_deep(t):
    random_pipelines(t, 2, 20 if t.long else 2, 3, 4000)
