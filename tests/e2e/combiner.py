"""Makes random calls of every command that a server has, from what it says of them itself: COMMAND names
them, COMMAND DOCS gives the syntax of each. A word of a syntax in small letters stands for an
argument, and WORDS says how one is made; a word that is not there is an error that names it, so that a
command that is new is called from its first day, or somebody is told what is missing.

Many of the calls make sense; some have an argument too few or too many, or one that no client in its right
mind would send."""
import re

TOKEN = re.compile(r"\[|\]|\.\.\.|[^\s\[\]]+")
DATABASES = 4
STRINGS = [b"s%d" % i for i in range(24)] + [b"{a}s", b"{a}t"]
SERIES = [b"t%d" % i for i in range(24)] + [b"{b}t", b"{b}u"]
STRANGE_KEYS = [b"", b"\x00", b"a\x00b", b"\xff" * 40, b"x" * 3000, b"y" * 65535, b"z" * 65536]
HOSTILE = [b"", b"\x00", b"-", b"+", b"*", b"$", b"nan", b"inf", b"-inf", b"1e400", b"-1", b"0",
           b"9223372036854775807", b"-9223372036854775808", b"9223372036854775808", b"1e3", b"0x10", b" 1",
           b"18446744073709551616", b"\xff\xfe", b"%s%n", b"x" * 5000, b"[", b"(", b"=", b"a=(", b"\r\n"]
FUNCTIONS = "avg sum min max range count first last std.p std.s var.p var.s twa".split()
FIELDS = "open high low close volume amount trades price size nosuch".split()
POLICIES = "LAST FIRST MIN MAX SUM BLOCK KEEP".split()
FILTERS = ["a=x", "a=y", "a=(x,y)", "a!=x", "b=z", "b!=", "a=", "a=nosuch", "b=(z,w)", "a!=(x,y)"]
COMPACTIONS = ["", "max:20m:0m", "max:20m:0m;avg:50m:500m", "min:10m:0m:3m;sum:100m:0m;last:20m:200m",
               ";".join("%s:%dm:0m" % (f, b) for f in FUNCTIONS[:5] for b in (10, 30))]
# Live settings and what they are set to. Not here: what would end a test.
SETTINGS = {
    "maxmemory": ("0", "1mb", "200kb", "60kb", "1", "4mb"), "ts-compaction-policy": COMPACTIONS,
    "appendfsync": ("always", "everysec", "no"), "duplicate-policy": POLICIES,
    "ts-duplicate-policy": POLICIES, "batch-size": ("1", "5", "1000"), "hz": ("10", "500"),
    "ts-retention-policy": ("0", "1000"), "ts-ignore-max-time-diff": ("0", "5"),
    "checkpoint-dirty-bytes": ("64kb", "1mb"), "checkpoint-journal-bytes": ("1mb", "4mb"),
    "blocked-clients-max": ("0", "10000"), "ts-compat": ("strict", "extended"), "nosuch": ("1",),
}
LIMITS = {"list-bytes": (100, 128 << 20), "multi-bytes": (1000, 128 << 20), "slice-ns": (0, 0, 0, 1000000),
          "exec-ns": (0, 1000000000)}
# What would end the server.
NOT_CALLED = {"shutdown"}
# Their numbers say how long a client waits: a strange one would be for ever.
WAITS = {"ts.read", "waitaof", "debug"}
# Words in small letters that are sent as they are.
LITERALS = {"yes", "no", "normal", "master", "replica", "pubsub"}


class Unknown(Exception):
    """A word of a syntax, or a syntax, that nobody said how to make."""


def as_text(value):
    return value.decode() if isinstance(value, bytes) else value


def as_map(value):
    return value if isinstance(value, dict) else dict(zip(value[::2], value[1::2]))


# --- syntax -----------------------------------------------------------------------------------------------
#
# A syntax is a list of nodes: ("word", w), ("any", [list, ...]) one of them, ("maybe", list),
# ("more", list) the words before once more, any number of times.


def words_or(token):
    """A token without blanks: words with | between, which are alternatives."""
    parts = token.split("|")
    if len(parts) == 1 or "" in parts:
        return ("word", token)
    return ("any", [[("word", p)] for p in parts])


def starts_option(left, right, first):
    """Does the | between them divide options, [EX seconds|PX milliseconds], or words, start|-?"""
    return right[:1].isalpha() and right.isupper() and (first or left.islower())


def parse(tokens, nested):
    """Nodes up to the end, or the bracket that ends them."""
    options, nodes = [], []
    while tokens:
        token = tokens.pop(0)
        if token == "]":
            break
        if token == "[":
            nodes.append(("maybe", parse(tokens, True)))
        elif token == "...":
            nodes = more(nodes, nested)
        else:
            left, bar, right = token.rpartition("|")
            if nested and bar and starts_option(left.split("|")[-1], right, not nodes):
                nodes.append(words_or(left))
                options.append(nodes)
                nodes = [words_or(right)]
            else:
                nodes.append(words_or(token))
    options.append(nodes)
    return nodes if len(options) == 1 else [("any", options)]


def more(nodes, nested):
    """What ... repeats: [key value ...] both, [LABELS label value ...] what is behind the capitals."""
    start = 0
    for i, (kind, what) in enumerate(nodes):
        if not nested or (kind == "word" and what.isupper()):
            start = i + 1 if nested else len(nodes) - 1
    return nodes + [("more", nodes[start:])]


def parse_syntax(text):
    # function[,function ...] and the like: one argument
    text = re.sub(r"\S+\[,\S+ \.\.\.\]", "functions", text)
    text = text.replace("label value", "label label-value")
    return parse(TOKEN.findall(text), False)


def words_of(nodes):
    for kind, what in nodes:
        if kind == "word":
            yield what
        elif kind == "any":
            for some in what:
                yield from words_of(some)
        else:
            yield from words_of(what)


# --- calls ------------------------------------------------------------------------------------------------


class Command:
    def __init__(self, name, syntax):
        self.name = name
        self.head = name.upper().split("|")
        self.nodes = parse_syntax(syntax)


def commands_of(client):
    """Every command and subcommand the server has, but for containers themselves."""
    found = []

    def add(name, doc):
        doc = {as_text(k): v for k, v in as_map(doc).items()}
        subs = as_map(doc.get("subcommands", []))
        for sub, sub_doc in subs.items():
            add(as_text(sub), sub_doc)
        if (not subs or name == "command") and name not in NOT_CALLED:
            found.append(Command(name, as_text(doc.get("syntax", b""))))

    names = {as_text(row[0]) for row in client.ok("COMMAND")}
    docs = {as_text(k): v for k, v in as_map(client.ok("COMMAND", "DOCS")).items()}
    assert names == set(docs), "COMMAND and COMMAND DOCS differ: %s" % (names ^ set(docs))
    for name in sorted(names):
        add(name, docs[name])
    return found


class Author:
    """Random calls. The same seed makes the same ones, but for what it is given of earlier replies: ids
    of clients, and values as DUMP gives them."""

    def __init__(self, r, commands, client_ids, payloads):
        self.r, self.commands = r, commands
        self.client_ids, self.payloads = client_ids, payloads
        self.name = ""  # of the command that is being made
        self.weights = [WEIGHTS.get(c.name, 1) for c in commands]
        for i in range(1, len(commands)):
            self.weights[i] += self.weights[i - 1]
        for c in commands:
            self.check(c)

    def check(self, c):
        for word in words_of(c.nodes) if c.name not in WHOLE else ():
            if word != word.upper() and word not in LITERALS and self.maker(c.name, word) is None:
                raise Unknown("how to make the argument %r of %s: see WORDS" % (word, c.name))

    def one(self):
        r = self.r
        c = r.choices(self.commands, cum_weights=self.weights)[0]
        self.name = c.name
        whole = WHOLE.get(c.name)
        args = whole(self) if whole else self.fill(c.nodes)
        words = [w if isinstance(w, bytes) else str(w).encode() for w in c.head + args]
        return self.spoil(words) if c.name not in WAITS and r.random() < 0.04 else words

    def fill(self, nodes):
        out = []
        for kind, what in nodes:
            if kind == "word":
                out += self.word(what)
            elif kind == "any":
                out += self.fill(self.r.choice(what))
            elif kind == "maybe":
                if self.r.random() < 0.4:
                    out += self.fill(what)
            else:
                for _ in range(self.r.choice((0, 1, 1, 2, 3, 5, 8))):
                    out += self.fill(what)
        if nodes and nodes[0] == ("word", "numkeys"):
            return self.count_keys(out)
        return out

    def word(self, w):
        make = self.maker(self.name, w)
        if make is None:
            return [w]
        made = make(self)
        return made if isinstance(made, list) else [made]

    @staticmethod
    def maker(name, w):
        return WORDS.get((name, w)) or WORDS.get((name.split(".")[0], w)) or WORDS.get(w)

    def count_keys(self, args):
        keys = self.keys(self.series)
        rest = [a for a in args[1:] if a not in SERIES_SET]
        return [len(keys), *keys, *rest] if self.r.random() < 0.95 else args

    def spoil(self, words):
        r = self.r
        at = r.randrange(1, len(words) + 1)
        return r.choice((
            words[:at], words[:at] + [r.choice(HOSTILE)] + words[at + 1:], words + [r.choice(HOSTILE)],
            words[:at] + words[at + 1:], words[:at] + [r.choice(STRANGE_KEYS)] + words[at + 1:],
            words[:1] + words[1:] * r.choice((2, 3)), [words[0].lower()] + words[1:]))

    # --- arguments

    def key(self):
        r = self.r
        if r.random() < 0.01:
            return r.choice(STRANGE_KEYS)
        kind = self.name.startswith(("ts", "batch")) if r.random() < 0.97 else r.random() < 0.5
        if not kind and self.name in EITHER:
            kind = r.random() < 0.5
        return r.choice(SERIES if kind else STRINGS)

    def series(self):
        r = self.r
        if r.random() < 0.1:  # a series that ts-compaction-policy makes
            return r.choice(SERIES) + b"_max_20"
        return self.key()

    def keys(self, make, most=5):
        return [make() for _ in range(self.r.randint(1, most))]

    def value(self):
        r = self.r
        return r.choice((b"%d" % r.randrange(100), b"v", r.choice(HOSTILE), b"1.5", b"hello world",
                         r.randbytes(r.choice((3, 40, 44, 45, 200, 1000, 6000)))))

    def small(self):
        return self.r.choice((0, 1, 2, 3, 5, 10, 100))

    def number(self):
        return self.r.choice((self.r.randrange(-100, 100), round(self.r.uniform(-9, 9), 2), 1e300, 0))

    def timestamp(self):
        r = self.r
        return r.choice((r.randrange(3000), r.randrange(3000), r.randrange(100), r.randrange(100000),
                         "*" if r.random() < 0.3 else 7))

    def function(self):
        return self.r.choice(FUNCTIONS)

    def functions(self):
        return ",".join(self.function() for _ in range(self.r.choice((1, 1, 1, 2, 4))))

    def config_pair(self):
        name = self.r.choice(list(SETTINGS))
        return [name, self.r.choice(SETTINGS[name])]

    # --- whole calls, where the syntax says too little

    def debug(self):
        r = self.r
        limit = r.choice(list(LIMITS))
        return r.choice((["OBJECT", self.key()], ["LIMIT", limit, r.choice(LIMITS[limit])],
                         ["FAULT", "store", r.randint(0, 3), 3], ["FAULT", "delay", r.randint(0, 3), 3],
                         ["SLEEP", "0.002"], ["HELP"], ["LIMIT", "x", 1]))

    def kill(self):
        return self.r.choice((["ID", self.r.choice(self.client_ids)], ["ADDR", "127.0.0.1:1"],
                              ["TYPE", "master"], ["ID", 0], ["127.0.0.1:1"]))

    def getkeys(self):
        name = self.name
        call = self.one()
        self.name = name
        return call

    def config_set(self):
        return [w for _ in range(self.r.choice((1, 1, 1, 2, 3))) for w in self.config_pair()]

    def read(self):
        r = self.r
        start = r.choice(("-", "+", "$", r.randrange(3000), 3500))
        out = [self.series(), start]
        if r.random() < 0.5:
            out += ["BLOCK", r.choice((1, 5, 20)), r.choice((1, 1, 2, 30))]
        return out + (["MAX_COUNT", r.choice((1, 5, 100))] if r.random() < 0.3 else [])

    def restore(self):
        r = self.r
        return [self.key(), r.choice((0, 0, 5, 100000)), r.choice(self.payloads),
                *(["REPLACE"] if r.random() < 0.8 else []), *(["ABSTTL"] if r.random() < 0.1 else [])]

    def hello(self):
        return self.r.choice(([], [2], [3], [3], [4], [3, "SETNAME", "n"]))

    def madd(self):
        r = self.r
        n = r.choice((1, 2, 3, 5, 12))
        out = [w for _ in range(n) for w in (self.series(), self.timestamp(), self.number())]
        return out + (["CREATE"] if r.random() < 0.5 else [])

    def add_many(self):
        """Names that nobody has yet: made, with the compactions of a policy."""
        r = self.r
        n = r.choice((1, 3, 8))
        out = [w for _ in range(n) for w in (b"n%d" % r.randrange(200), self.timestamp(), self.number())]
        return out + ["CREATE"]


def pick(*words):
    return lambda a: a.r.choice(words)


def milliseconds(a):
    return a.r.choice((1, 2, 5, 20, 100000, 100000, 0, -1))


def unix_ms(a):
    return a.r.choice((4000000000000, 1, 0, 4000000000001))


# Words of a syntax, those of one command or of one family before those of all.
WORDS = {
    "key": Author.key, "newkey": Author.key, "source": Author.key, "destination": Author.key,
    "key1": Author.key, "key2": Author.key, "left": Author.key, "right": Author.key,
    "value": Author.value, "message": Author.value, "serialized-value": Author.value,
    "seconds": pick(1, 100, 100000, 0, -1, 9223372036854775807), "milliseconds": milliseconds,
    "unix-time-seconds": pick(4000000000, 0, 1, 99999999999), "unix-time-milliseconds": unix_ms,
    "offset": pick(0, 1, 5, 100, 5000, -1, 536870912), "start": pick(0, 1, 5, -1, -5, 100),
    "end": pick(0, 1, 5, -1, -5, 100), "increment": Author.number, "decrement": Author.number, "addend": Author.number,
    "subtrahend": Author.number, "min-match-len": Author.small, "index": pick(*range(DATABASES), 16),
    "destination-db": pick(*range(DATABASES), 16), "ttl": pick(0, 5, 100000), "frequency": Author.small,
    "pattern": pick("*", "s*", "t?", "[st]1*", "nosuch", "[", "*\xff*"), "cursor": pick(0, 0, 0, 17, 99999),
    "count": pick(1, 2, 10, 1000, 0), "type": pick("string", "TSDB-TYPE", "hash", "normal"),
    "numlocal": pick(0, 1, 2), "numreplicas": pick(0, 0, 1), "timeout": pick(1, 5, 20),
    "protover": pick(2, 3), "username": pick("default", "x"), "password": pick("x"),
    "clientname": pick("a", "b c"), "connection-name": pick("a", "b", "b c", ""), "libname": pick("x"),
    "libver": pick("1"), "client-id": lambda a: a.r.choice(a.client_ids), "ip:port": pick("127.0.0.1:1"),
    "command-name": lambda a: a.r.choice(a.commands).name, "module-name": pick("x"),
    "category": pick("read", "write", "string"), "command": Author.getkeys, "arg": Author.value,
    "parameter": pick("*", "maxmemory", "ts-*", "nosuch"), "section": pick("all", "memory", "x", "commandstats"),
    "slot": pick(0, 1, 16383, 16384, 5000), "times": pick(1), "bytes": pick(48, 4096, 128, 7),
    "name": pick("x"), "numkeys": pick(1, 2, 3),
    # series
    "timestamp": Author.timestamp, "from": pick("-", 0, 100, 1000), "to": pick("+", 50, 500, 100000),
    "data_type": pick("00", "01", "ff", "05", "zz"), "quality": pick(0, 1, 255, 256),
    "limit": pick(1, 2, 10, 1000, 0), "bucket": pick(1, 10, 20, 50, 1000, 0),
    "field": pick(*FIELDS), "tolerance": pick(0, 5, 1000), "retention": pick(0, 100, 1000, 100000),
    "policy": pick(*POLICIES), "encoding": pick("COMPRESSED", "UNCOMPRESSED"),
    "time-difference": pick(0, 5), "value-difference": pick(0, 1.5), "label": pick("a", "b"),
    "label-value": pick("x", "y", "z", "w", ""), "reducer": Author.function,
    "function": Author.function, "functions": Author.functions, "align": pick("-", "+", 0, 3, "start"),
    "min": pick(-5, 0, 3), "max": pick(0, 10, 1e9), "filter": pick(*FILTERS), "min_count": pick(1, 2),
    "max_count": pick(1, 5, 100),
    ("tsdb_set", "value"): Author.number, ("tsdb_row", "value"): Author.number,
    ("batch_set", "value"): Author.number, ("ts", "value"): Author.number,
}
for _name in ("tsdb_get", "tsdb_rows", "tsdb_candle", "tsdb_batch_get", "tsdb_join", "ts.range",
              "ts.revrange", "ts.nrange", "ts.nrevrange", "ts.mrange", "ts.mrevrange"):
    WORDS[(_name, "start")] = pick("-", 0, 100, 1000)
    WORDS[(_name, "end")] = pick("+", 50, 500, 100000)
SERIES_SET = set(SERIES + STRINGS)
EITHER = {"del", "unlink", "rename", "renamenx", "copy", "dump", "restore", "exists", "type", "pexpire",
          "expire", "persist", "object|encoding", "watch", "touch", "pexpireat", "expireat", "debug"}
WHOLE = {"debug": Author.debug, "client|kill": Author.kill, "command|getkeys": Author.getkeys,
         "command|getkeysandflags": Author.getkeys, "config|set": Author.config_set,
         "ts.read": Author.read, "restore": Author.restore, "hello": Author.hello,
         "auth": lambda a: ["x"], "ts.madd": lambda a: a.add_many() if a.r.random() < 0.3 else a.madd()}
WEIGHTS = {"ts.add": 8, "ts.madd": 16, "set": 8, "copy": 5, "ts.createrule": 6, "tsdb_set": 5, "multi": 12,
           "exec": 10, "watch": 3, "pexpire": 5, "mset": 4, "mget": 3, "config|set": 3, "del": 2,
           "ts.create": 4, "batch_set": 4, "psetex": 4, "dump": 3, "restore": 4, "rename": 3, "append": 3,
           "ts.mrange": 2, "ts.mget": 2, "ts.incrby": 3, "lcs": 3, "tsdb_batch_get": 3, "ts.nrange": 3,
           "ts.alter": 2, "ts.del": 2, "ts.range": 3, "ts.read": 3, "tsdb_row": 3,
           "flushall": 0.1, "flushdb": 0.2, "save": 0.5, "keys": 0.6, "select": 2, "client|kill": 0.3,
           "command": 0.05, "command|docs": 0.1, "command|list": 0.2, "info": 0.3, "quit": 0.2,
           "config|get": 0.3, "config|rewrite": 0.1, "waitaof": 0.4, "bgsave": 0.4, "debug": 1,
           "command|info": 0.2, "cluster|countkeysinslot": 0.3, "reset": 0.3}
