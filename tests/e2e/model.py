"""What a server should answer: strings, series, transactions in plain Python, for one connection whose
keys nobody else touches."""
import re

from resp import Error

WRONGTYPE = Error("WRONGTYPE Operation against a key holding the wrong kind of value")
NOT_A_NUMBER = Error("ERR value is not an integer or out of range")
SYNTAX = Error("ERR syntax error")
NO_KEY = Error("ERR no such key")
NOT_IN_MULTI = Error("ERR Command not allowed inside a transaction")
INT_MAX, INT_MIN = (1 << 63) - 1, -(1 << 63)


class AnyOrder:
    """A list in any order."""

    def __init__(self, items):
        self.items = sorted(items)

    def __eq__(self, other):
        return isinstance(other, list) and sorted(other) == self.items

    def __repr__(self):
        return "in any order %r" % self.items


class OneOf:
    def __init__(self, items):
        self.items = list(items)

    def __eq__(self, other):
        return other in self.items if self.items else other is None

    def __repr__(self):
        return "one of %r" % self.items


class Value:
    """A string (bytes) or a series (dict of timestamp to value), and when it expires."""

    def __init__(self, data, expire=None):
        self.data, self.expire = data, expire

    def copy(self):
        return Value(dict(self.data) if self.is_series else self.data, self.expire)

    @property
    def is_series(self):
        return isinstance(self.data, dict)


def number_text(value):
    """Of multiples of a quarter, as the server writes them."""
    text = "%.2f" % value
    return text.rstrip("0").rstrip(".").encode() if "." in text else text.encode()


def as_integer(data):
    if re.fullmatch(rb"0|-?[1-9][0-9]{0,19}", data) and INT_MIN <= int(data) <= INT_MAX:
        return int(data)
    return None


class Model:
    def __init__(self, proto=2):
        self.proto = proto
        self.keys = {}       # name -> Value
        self.changes = {}    # name -> how often it changed
        self.watched = {}    # name -> changes seen
        self.queue = None    # in MULTI
        self.broken = False
        self.batch = []

    def ask(self, *args):
        """The reply to a command."""
        args = [a if isinstance(a, bytes) else str(a).encode() for a in args]
        name = args[0].decode().lower()
        if self.queue is not None and name not in ("multi", "exec", "discard", "watch"):
            return self.enqueue(name, args)
        return self.run(name, args)

    # --- transactions

    def refusal(self, name, args):
        """Why a command cannot be queued."""
        handler = getattr(self, "do_" + name, None)
        if handler is None:
            quoted = "".join("'%s' " % a.decode() for a in args[1:])
            return Error("ERR unknown command '%s', with args beginning with: %s"
                         % (args[0].decode(), quoted))
        if not ARITY[name](len(args)):
            return Error("ERR wrong number of arguments for '%s' command" % name)
        if self.queue is not None and name.startswith("batch_"):
            return NOT_IN_MULTI
        return None

    def enqueue(self, name, args):
        why = self.refusal(name, args)
        if why:
            self.broken = True
            return why
        self.queue.append((name, args))
        return "QUEUED"

    def run(self, name, args):
        why = self.refusal(name, args) if name not in CONTROL else None
        return why or getattr(self, "do_" + name)(*args[1:])

    def do_multi(self):
        if self.queue is not None:
            return Error("ERR MULTI calls can not be nested")
        self.queue, self.broken = [], False
        return "OK"

    def do_discard(self):
        if self.queue is None:
            return Error("ERR DISCARD without MULTI")
        self.queue, self.watched = None, {}
        return "OK"

    def do_exec(self):
        if self.queue is None:
            return Error("ERR EXEC without MULTI")
        queue, self.queue = self.queue, None
        watched, self.watched = self.watched, {}
        if self.broken:
            return Error("EXECABORT Transaction discarded because of previous errors.")
        if any(self.changes.get(k, 0) != n for k, n in watched.items()):
            return None
        return [self.run(name, args) for name, args in queue]

    def do_watch(self, *keys):
        if self.queue is not None:
            return Error("ERR WATCH inside MULTI is not allowed")
        for k in keys:
            self.watched.setdefault(k, self.changes.get(k, 0))
        return "OK"

    def do_unwatch(self):
        self.watched = {}
        return "OK"

    # --- helpers

    def changed(self, key):
        self.changes[key] = self.changes.get(key, 0) + 1

    def put(self, key, data, expire=None):
        self.keys[key] = Value(data, expire)
        self.changed(key)

    def remove(self, key):
        if key not in self.keys:
            return False
        del self.keys[key]
        self.changed(key)
        return True

    def string(self, key):
        """(bytes or None, error)"""
        v = self.keys.get(key)
        return (None, WRONGTYPE) if v and v.is_series else (v.data if v else None, None)

    def replace(self, key, data):
        """Another value, the same expiry."""
        v = self.keys.get(key)
        self.put(key, data, v.expire if v else None)

    # --- connection and database

    def do_ping(self, *message):
        return message[0] if message else "PONG"

    def do_echo(self, message):
        return message

    def do_dbsize(self):
        return len(self.keys)

    def do_keys(self, pattern):
        return AnyOrder(self.keys)

    def do_randomkey(self):
        return OneOf(self.keys)

    def do_flushdb(self):
        for k in list(self.keys):
            self.remove(k)
        return "OK"

    # --- strings

    def do_get(self, key):
        data, error = self.string(key)
        return error or data

    def do_set(self, key, value, *options):
        words = [o.lower() for o in options]
        if any(w not in (b"nx", b"xx", b"get", b"keepttl") for w in words) or \
                (b"nx" in words and b"xx" in words):
            return SYNTAX
        old, error = self.string(key)
        if b"get" in words and error:
            return error
        exists = key in self.keys
        if (b"nx" in words and exists) or (b"xx" in words and not exists):
            return old if b"get" in words else None
        self.put(key, value, self.keys[key].expire if exists and b"keepttl" in words else None)
        return old if b"get" in words else "OK"

    def do_setnx(self, key, value):
        if key in self.keys:
            return 0
        self.put(key, value)
        return 1

    def do_getset(self, key, value):
        old, error = self.string(key)
        if not error:
            self.put(key, value)
        return error or old

    def do_getdel(self, key):
        old, error = self.string(key)
        if not error:
            self.remove(key)
        return error or old

    def do_append(self, key, value):
        old, error = self.string(key)
        if error:
            return error
        self.replace(key, (old or b"") + value)
        return len(old or b"") + len(value)

    def do_strlen(self, key):
        data, error = self.string(key)
        return error or len(data or b"")

    def do_getrange(self, key, start, end):
        data, error = self.string(key)
        if error:
            return error
        data, start, end = data or b"", int(start), int(end)
        if start < 0 and end < 0 and start > end:
            return b""
        start = max(start + len(data), 0) if start < 0 else start
        end = max(end + len(data), 0) if end < 0 else end
        return data[start:end + 1]

    def do_setrange(self, key, offset, value):
        old, error = self.string(key)
        offset = int(offset)
        if error:
            return error
        if not value:
            return len(old or b"")
        old = (old or b"").ljust(offset, b"\0")
        new = old[:offset] + value + old[offset + len(value):]
        self.replace(key, new)
        return len(new)

    def add(self, key, n):
        data, error = self.string(key)
        if error:
            return error
        old = as_integer(data) if data is not None else 0
        if old is None:
            return NOT_A_NUMBER
        if not INT_MIN <= old + n <= INT_MAX:
            return Error("ERR increment or decrement would overflow")
        self.replace(key, b"%d" % (old + n))
        return old + n

    def do_incr(self, key):
        return self.add(key, 1)

    def do_decr(self, key):
        return self.add(key, -1)

    def do_incrby(self, key, n):
        return self.add(key, int(n)) if as_integer(n) is not None else NOT_A_NUMBER

    def do_mset(self, *pairs):
        for k, v in zip(pairs[::2], pairs[1::2]):
            self.put(k, v)
        return "OK"

    def do_msetnx(self, *pairs):
        if any(k in self.keys for k in pairs[::2]):
            return 0
        self.do_mset(*pairs)
        return 1

    def do_mget(self, *keys):
        return [self.string(k)[0] for k in keys]

    # --- keys

    def do_del(self, *keys):
        return sum([self.remove(k) for k in keys])

    do_unlink = do_del

    def do_exists(self, *keys):
        return sum(k in self.keys for k in keys)

    do_touch = do_exists

    def do_type(self, key):
        v = self.keys.get(key)
        return "none" if v is None else "TSDB-TYPE" if v.is_series else "string"

    def do_rename(self, key, new, only_new=False):
        if key not in self.keys:
            return NO_KEY
        if only_new and new in self.keys:
            return 0
        if key != new:
            self.keys[new] = self.keys.pop(key)
            self.changed(key)
            self.changed(new)
        return 1 if only_new else "OK"

    def do_renamenx(self, key, new):
        return self.do_rename(key, new, True)

    def do_copy(self, key, new, *options):
        if key == new:
            return Error("ERR source and destination objects are the same")
        if key not in self.keys or (new in self.keys and not options):
            return 0
        self.keys[new] = self.keys[key].copy()
        self.changed(new)
        return 1

    def do_pexpireat(self, key, at):
        if key not in self.keys:
            return 0
        self.keys[key].expire = int(at)
        self.changed(key)
        return 1

    def do_pexpiretime(self, key):
        v = self.keys.get(key)
        return -2 if v is None else v.expire or -1

    def do_persist(self, key):
        v = self.keys.get(key)
        if v is None or v.expire is None:
            return 0
        v.expire = None
        self.changed(key)
        return 1

    # --- series

    def series(self, key, make=False):
        v = self.keys.get(key)
        if v is None and make:
            v = self.keys[key] = Value({})
        if v is not None and not v.is_series:
            return None, WRONGTYPE
        return (v.data if v else None), None

    def do_tsdb_set(self, key, ts, value):
        points, error = self.series(key, make=True)
        if error:
            return error
        points[int(ts)] = float(value)
        self.changed(key)
        return "OK"

    def do_tsdb_get(self, key, start, end):
        points, error = self.series(key)
        if error:
            return error
        low = INT_MIN if start == b"-" else int(start)
        high = INT_MAX if end == b"+" else int(end)
        return [[ts, v if self.proto == 3 else number_text(v), b"00", 0]
                for ts, v in sorted((points or {}).items()) if low <= ts <= high]

    def do_batch_set(self, key, value, ts):
        self.batch.append((key, ts, value))
        return "QUEUED"

    def do_batch_flush(self):
        batch, self.batch = self.batch, []
        for key, _, _ in batch:
            if self.series(key)[1]:
                return WRONGTYPE
        for key, ts, value in batch:
            self.do_tsdb_set(key, ts, value)
        return len(batch)


CONTROL = ("multi", "exec", "discard", "watch")


def exactly(n):
    return lambda argc: argc == n


def at_least(n):
    return lambda argc: argc >= n


ARITY = {"ping": lambda n: n <= 2, "echo": exactly(2), "dbsize": exactly(1), "keys": exactly(2),
         "randomkey": exactly(1), "flushdb": at_least(1), "unwatch": exactly(1),
         "get": exactly(2), "set": at_least(3), "setnx": exactly(3), "getset": exactly(3),
         "getdel": exactly(2), "append": exactly(3), "strlen": exactly(2), "getrange": exactly(4),
         "setrange": exactly(4), "incr": exactly(2), "decr": exactly(2), "incrby": exactly(3),
         "mset": lambda n: n >= 3, "msetnx": lambda n: n >= 3,
         "mget": at_least(2), "del": at_least(2), "unlink": at_least(2), "exists": at_least(2),
         "touch": at_least(2), "type": exactly(2), "rename": exactly(3), "renamenx": exactly(3),
         "copy": at_least(3), "pexpireat": at_least(3), "pexpiretime": exactly(2),
         "persist": exactly(2), "tsdb_set": at_least(4), "tsdb_get": at_least(4),
         "batch_set": exactly(4), "batch_flush": exactly(1)}
