"""Every setting, driven by the table itself (docs/CONFIG.md, which a check keeps equal to it): what
can be set while the server runs is, what cannot is refused, and a bad value stops the start."""
import os
import re
import subprocess
import time

from pinstripe import cpus, eq, holds, until
from resp import Error, encode, info
from test_differential import Redis

DOC = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "docs", "CONFIG.md")
UNITS = {"b": 1, "": 1, "k": 1000, "kb": 1 << 10, "m": 10 ** 6, "mb": 1 << 20, "g": 10 ** 9,
         "gb": 1 << 30}
NOT_MINE = ("port", "dir", "cpus")  # given by Server to every start


class Row:
    def __init__(self, name, allowed, default, when, help):
        self.name, self.allowed, self.when, self.help = name, allowed, when, help
        self.default = "" if default == "empty" else default.strip("`")
        span = re.match(r"(-?\d+)(\w*)\.\.(\d+)(\w*)", allowed)
        self.low, self.high = (int(span[1]) * UNITS[span[2]], int(span[3]) * UNITS[span[4]]) \
            if span else (None, None)
        self.is_real = name.endswith("val-diff")
        self.is_size = bool(span and (span[2] or span[4]))
        self.words = allowed.split(", ") if not span and re.fullmatch(r"\w+(, \w+)+", allowed) \
            else []

    def good(self):
        """(what is set, what CONFIG GET then says)"""
        if self.words:
            return [(w.upper(), w) for w in self.words] + [(w, w) for w in self.words]
        if self.name == "series-fields":
            return [("open=00 volume=04", "open=00 volume=04"), (self.default, self.default)]
        if self.name == "ts-compaction-policy":
            return [("max:60s:1h; P99:1d:0h:6h", "max:1M:1h;p99:1d:0m:6h"), ("", "")]
        if self.low is None:
            return [("some text", "some text"), ("", "")]
        if self.is_real:
            return [("0", "0"), ("1.5", "1.5"), ("1000", "1000")]
        values = [self.low, self.high, (self.low + self.high) // 2]
        if "power of two" in self.allowed:
            values = [self.low, self.high]
        pairs = [(str(v), str(v)) for v in values]
        if self.is_size or self.low <= 1 << 21 <= self.high:
            pairs += [("2mb", str(2 << 20))] if self.is_size else []
        return pairs

    def bad(self):
        if self.words:
            return ["", "nonsense", self.words[0] + "x"]
        if self.name == "save":
            return ["60 1"]
        if self.allowed.startswith("text"):
            return ["x" * (int(re.search(r"\d+", self.allowed)[0]) + 1)]
        if self.low is None:
            return ["not one", "300.300.300.300"]
        bad = [str(self.high * 4 if self.is_real else self.high + 1), "", "x", "1 2", "1qb"]
        bad += [str(self.low - 1)]
        if "power of two" in self.allowed:
            bad.append(str(self.low + 1))
        return bad

    def tells_what_is_allowed(self, text):
        """Does the error say what a right value is?"""
        if self.words:
            return all(w in text for w in self.words)
        if self.low is None:
            return any(w in text for w in ("bytes", "0-3,8", "IPv4", "such as"))
        return bool(re.search(r"between %d and %d" % (self.low, self.high), text) or
                    re.search("integer|number|memory value|power of two", text))


def table():
    rows = []
    with open(DOC) as f:
        for line in f:
            m = re.match(r"\| `([^`]+)` \| (.*) \| (.*) \| (live|restart|fixed) \| (.*) \|$", line)
            if m:
                rows.append(Row(*m.groups()))
    assert len(rows) > 40, "docs/CONFIG.md is not what it was"
    return rows


def value(c, name):
    got = c.ok("CONFIG", "GET", name)
    eq(got[0], name.encode())
    return got[1].decode()


# --- CONFIG GET and SET ------------------------------------------------------------------------------------


def test_the_table_is_what_the_server_has(t):
    c = t.server(cores=1).client()
    got = c.ok("CONFIG", "GET", "*")
    eq(sorted(n.decode() for n in got[::2]), sorted(row.name for row in table()))
    told = subprocess.run([t.binary, "--help"], capture_output=True, text=True, timeout=60).stdout
    for row in table():
        assert row.when == "fixed" or "--%s " % row.name in told, row.name
    eq(c.ok("CONFIG", "GET", "no-such"), [])
    eq(sorted(c.ok("CONFIG", "GET", "maxm*", "MAXMEMORY", "hz")[::2]), [b"hz", b"maxmemory"])


def refused(c, row, bad):
    before = value(c, row.name)
    reply = c("CONFIG", "SET", row.name, bad)
    assert isinstance(reply, Error), "%s %r was taken" % (row.name, bad)
    eq(value(c, row.name), before)
    return str(reply)


def test_what_is_live_can_be_set_and_nothing_else_can(t):
    s = t.server(cores=2, core_ports="yes")
    clients = [s.core_client(0), s.core_client(1)]
    for row in table():
        c, other = t.random.sample(clients, 2)
        before = value(c, row.name)
        if row.when != "live":
            # Setting what it is already is no change, in Redis too.
            text = refused(c, row, row.good()[0][0] if row.good()[0][1] != before else
                           row.good()[1][0])
            holds(text, "ERR CONFIG SET failed (possibly related to argument '%s')" % row.name)
            assert row.when == "fixed" or text.endswith("can't set immutable config"), text
            continue
        for new, said in row.good():
            if row.name == "requirepass" and new:
                new = said = "a password"
            eq(c("CONFIG", "SET", row.name, new), "OK", "%s %r" % (row.name, new))
            for each in (c, other):
                if row.name == "requirepass":
                    each("AUTH", new)
                eq(value(each, row.name), said)
        for bad in row.bad():
            text = refused(c, row, bad)
            holds(text, row.name)
            assert row.tells_what_is_allowed(text), text
        eq(c("CONFIG", "SET", row.name, before), "OK")
    assert sum(row.when == "live" for row in table()) > 15


def test_numbers_are_written_as_redis_takes_them(t):
    # Signs and zeros before a number; what is refused is refused in the words that Redis begins with.
    redis, s = Redis(t), t.server()
    theirs, ours = redis.client(), s.client()
    for name, values in (("maxmemory", ("-1", "-0", "-1kb", "+1", "0x1", "007mb", "0900000001", "0")),
                         ("timeout", ("01", "00", "-0", "-01", "-1", "+1", "1", "0")),
                         ("hz", ("010", "-0", "20"))):
        for value in values:
            want, got = (c("CONFIG", "SET", name, value) for c in (theirs, ours))
            eq(str(got)[:len(str(want))], str(want), "%s %s" % (name, value))
            eq(ours("CONFIG", "GET", name), theirs("CONFIG", "GET", name), "%s %s" % (name, value))
    redis.stop()


def test_several_settings_are_set_all_or_none(t):
    c = t.server(cores=2).client()
    eq(c("CONFIG", "SET", "hz", 50, "timeout", 60), "OK")
    for bad in (("hz", 60, "timeout", "x"), ("hz", 60, "port", 7000), ("hz", 60, "nosuch", 1),
                ("hz", 60, "hz", 70)):
        reply = c("CONFIG", "SET", *bad)
        assert isinstance(reply, Error), bad
        eq((value(c, "hz"), value(c, "timeout")), ("50", "60"), repr(bad))
    holds(str(c("CONFIG", "SET", "hz", 60, "nosuch", 1)), "Unknown option", "nosuch")
    eq(c("CONFIG", "SET", "hz").code, "ERR")


# --- what they do -----------------------------------------------------------------------------------------


def set_live(c, name, new):
    eq(c("CONFIG", "SET", name, new), "OK")


def counts(c, name):
    return int(info(c)[name])


def sees_requirepass(t, s, c):
    set_live(c, "requirepass", "secret")
    eq(str(s.client()("PING")), "NOAUTH Authentication required.")
    eq(c("PING"), "PONG", "who is in stays in")
    eq(s.client(password="secret")("PING"), "PONG")
    set_live(c, "requirepass", "")
    eq(s.client()("PING"), "PONG")


def sees_timeout(t, s, c):
    # As long as a machine may stand still between two requests of who is not idle.
    idle, watcher = s.client(), s.client()
    eq(idle("PING"), "PONG")
    set_live(c, "timeout", 4)
    until(lambda: watcher("PING") == "PONG" and counts(c, "connections_timed_out") > 0,
          what="an idle connection timed out")
    assert idle.is_closed()
    eq(watcher("PING"), "PONG")
    set_live(c, "timeout", 0)


def sees_loglevel(t, s, c):
    set_live(c, "loglevel", "warning")
    eq(value(c, "loglevel"), "warning")


def sees_turns(name, low, high):
    """The loops turn more often with the second value."""
    def sees(t, s, c):
        def turns(new):
            set_live(c, name, new)
            time.sleep(0.1)
            before = counts(c, "loop_turns")
            time.sleep(0.5)
            return counts(c, "loop_turns") - before

        # Others may use the machine: what has no effect has none in any of the attempts.
        said = until(lambda: more_turns(turns(low), turns(high)), what="more turns by " + name)
        t.say("%s: %s" % (name, said))
        set_live(c, name, low)

    def more_turns(few, many):
        return "%d turns, then %d" % (few, many) if many > 2 * few else None
    return sees


def sees_appendfsync(t, s, c):
    for mode in ("no", "everysec", "always"):
        set_live(c, "appendfsync", mode)
        eq(c("SET", "k", mode), "OK")
        if mode != "always":
            continue
        before = counts(c, "journal_batches")
        for i in range(20):
            eq(c("SET", "k", i), "OK")
        until(lambda: counts(c, "journal_batches") >= before + 20, what="a batch for each write")


def sees_checkpoints(name, low):
    def sees(t, s, c):
        before = counts(c, "checkpoint_count")
        old = value(c, name)
        set_live(c, name, low)
        for i in range(40):
            eq(c("SET", "big%d" % i, "x" * 100000), "OK")
        until(lambda: counts(c, "checkpoint_count") > before, what="a checkpoint")
        set_live(c, name, old)
    return sees


def sees_maxmemory(t, s, c):
    set_live(c, "maxmemory", "1mb")
    eq(info(c)["maxmemory"], str(1 << 20))
    for i in range(200):
        c("SET", "m%d" % i, "x" * 50000)
    until(lambda: counts(c, "evicted_keys") > 0, what="keys that leave memory")
    set_live(c, "maxmemory", 0)


def sees_duplicate_policy(t, s, c):
    for policy, points in (("FIRST", [b"1"]), ("LAST", [b"2"]), ("SUM", [b"3"]),
                           ("KEEP", [b"1", b"2"]), ("MIN", [b"1"]), ("MAX", [b"2"])):
        set_live(c, "duplicate-policy", policy)
        eq(c.pipe([("DEL", "d"), ("TSDB_SET", "d", 1, 1), ("TSDB_SET", "d", 1, 2)])[1:],
           ["OK", "OK"])
        eq([p[1] for p in c.ok("TSDB_GET", "d", "-", "+")], points, policy)
    set_live(c, "duplicate-policy", "BLOCK")
    assert isinstance(c("TSDB_SET", "d", 1, 3), Error)
    set_live(c, "duplicate-policy", "LAST")


def sees_batch_size(t, s, c):
    set_live(c, "batch-size", 3)
    for i in range(3):
        eq(c("BATCH_SET", "batch", 1, i), "QUEUED")
    eq(len(c.ok("TSDB_GET", "batch", "-", "+")), 3)
    eq(c("BATCH_FLUSH"), 0)


def created(c, **options):
    """A field of TS.INFO of a series made with what is in force."""
    c("DEL", "made")
    eq(c("TS.CREATE", "made"), "OK")
    flat = c.ok("TS.INFO", "made")
    return {k if isinstance(k, str) else k.decode(): v for k, v in zip(flat[::2], flat[1::2])}


def sees_info(name, new, field, want):
    def sees(t, s, c):
        old = value(c, name)
        assert created(c)[field] != want
        set_live(c, name, new)
        eq(created(c)[field], want)
        set_live(c, name, old)
    return sees


def sees_ts_duplicate_policy(t, s, c):
    eq(c("DEL", "dp") in (0, 1), True)
    eq(c("TS.ADD", "dp", 1, 1), 1)
    assert isinstance(c("TS.ADD", "dp", 1, 2), Error)
    set_live(c, "ts-duplicate-policy", "sum")
    eq(c("TS.ADD", "dp", 1, 2), 1)
    eq(c.ok("TS.GET", "dp"), [1, "3"])
    set_live(c, "ts-duplicate-policy", "block")


def sees_ts_ignore(t, s, c):
    set_live(c, "ts-duplicate-policy", "last")
    set_live(c, "ts-ignore-max-time-diff", 10)
    set_live(c, "ts-ignore-max-val-diff", 1)
    c("DEL", "ig")
    eq(c("TS.CREATE", "ig"), "OK")
    eq(c("TS.ADD", "ig", 100, 5), 100)
    eq(c("TS.ADD", "ig", 105, 5.5), 100, "it was ignored")
    eq(c("TS.ADD", "ig", 106, 7), 106)
    for name, old in (("ts-duplicate-policy", "block"), ("ts-ignore-max-time-diff", 0),
                      ("ts-ignore-max-val-diff", 0)):
        set_live(c, name, old)


def sees_blocked_clients_max(t, s, c):
    old = value(c, "blocked-clients-max")
    set_live(c, "blocked-clients-max", 0)
    holds(str(c("TS.READ", "absent", 0, "BLOCK", 0, 1)), "blocked-clients-max")
    set_live(c, "blocked-clients-max", old)
    eq(c("TS.READ", "absent", 0, "BLOCK", 1, 1), [])


def sees_ts_compaction_policy(t, s, c):
    set_live(c, "ts-compaction-policy", "max:1s:1h")
    eq(c("TS.ADD", "compacted", 1, 1), 1)
    eq(c("TYPE", "compacted_MAX_1000"), "TSDB-TYPE")
    set_live(c, "ts-compaction-policy", "")


def is_only_kept(t, s, c):
    """What it does is a matter of degree: other tests look at it."""


EFFECTS = {
    "requirepass": sees_requirepass, "timeout": sees_timeout, "loglevel": sees_loglevel,
    "blocked-clients-max": sees_blocked_clients_max,
    "hz": sees_turns("hz", 10, 500), "busy-poll-us": sees_turns("busy-poll-us", 0, 1000000),
    "appendfsync": sees_appendfsync,
    "checkpoint-journal-bytes": sees_checkpoints("checkpoint-journal-bytes", "1mb"),
    "checkpoint-dirty-bytes": sees_checkpoints("checkpoint-dirty-bytes", "64kb"),
    "maxmemory": sees_maxmemory, "active-expire-effort": is_only_kept,
    "duplicate-policy": sees_duplicate_policy, "batch-size": sees_batch_size,
    "ts-retention-policy": sees_info("ts-retention-policy", 5000, "retentionTime", 5000),
    "ts-duplicate-policy": sees_ts_duplicate_policy,
    "ts-chunk-size-bytes": sees_info("ts-chunk-size-bytes", 8192, "chunkSize", 8192),
    "ts-encoding": sees_info("ts-encoding", "uncompressed", "chunkType", "uncompressed"),
    "ts-ignore-max-time-diff": sees_ts_ignore, "ts-ignore-max-val-diff": sees_ts_ignore,
    "ts-compaction-policy": sees_ts_compaction_policy, "ts-compat": is_only_kept, "series-fields": is_only_kept,
}


def test_what_is_set_takes_effect_at_once(t):
    s = t.server(cores=1, hz=10)
    for row in table():
        if row.when != "live":
            continue
        assert row.name in EFFECTS, "%s: how does one see that it was set?" % row.name
        try:
            EFFECTS[row.name](t, s, s.client())
        except BaseException:
            t.say("while looking at " + row.name)
            raise


# --- CONFIG REWRITE ---------------------------------------------------------------------------------------


def test_without_a_file_there_is_nothing_to_rewrite(t):
    eq(str(t.server().client()("CONFIG", "REWRITE")),
       "ERR The server is running without a config file")


def test_what_was_set_and_rewritten_is_there_after_a_restart(t):
    path = os.path.join(t.dir(), "pinstripe.yaml")
    with open(path, "w") as f:
        f.write("# mine\ntimeout: 77 # a minute\n\nduplicate-policy: FIRST\nloglevel: notice\n")
    s = t.server(cores=2, config_file=path)
    c = s.client()
    want = {"timeout": "1234", "hz": "33", "duplicate-policy": "KEEP", "batch-size": "17",
            "appendfsync": "everysec", "requirepass": "it's \"quoted\": # and odd",
            "ts-duplicate-policy": "max", "loglevel": "notice"}
    for name, new in want.items():
        set_live(c, name, new)
    eq(c("CONFIG", "REWRITE"), "OK")
    with open(path) as f:
        text = f.read()
    holds(text, "# mine\n", "# a minute", "timeout: 1234")
    eq(len(re.findall(r"(?m)^timeout:", text)), 1)
    for kill in (False, True):
        s.kill9() if kill else s.stop()
        s.start()
        c = s.client(password=want["requirepass"])
        for name, new in want.items():
            eq(value(c, name), new)
    # Rewriting again changes nothing.
    eq(c("CONFIG", "REWRITE"), "OK")
    with open(path) as f:
        eq(f.read(), text)
    # A file that cannot be written is said to be so, and stays.
    os.unlink(path)
    os.mkdir(path)
    reply = c("CONFIG", "REWRITE")
    assert isinstance(reply, Error), reply
    holds(str(reply), "Rewriting config file")
    eq(c("PING"), "PONG")


# --- refusals at the start -----------------------------------------------------------------------------------


def run_until_it_fails(t, args):
    done = subprocess.run([t.binary, *args], capture_output=True, text=True, timeout=60,
                          stdin=subprocess.DEVNULL)
    eq(done.returncode, 1, " ".join(args)[:200] + "\n" + done.stdout + done.stderr)
    return done.stdout + done.stderr


def test_a_bad_value_of_any_setting_stops_the_start(t):
    path, data = os.path.join(t.dir(), "bad.yaml"), os.path.join(t.dir(), "data")
    base = ["--cpus", cpus(1), "--port", "29999", "--dir", data]
    tried = 0
    for row in table():
        bads = row.bad()
        for bad in t.random.sample(bads, min(len(bads), 6 if t.long else 2)):
            with open(path, "w") as f:
                f.write("# one\n\n%s: '%s'\n" % (row.name, bad))
            others = [a for i, a in enumerate(base) if row.name not in (base[i - 1][2:], a[2:])]
            said = run_until_it_fails(t, [path] + others)
            holds(said, "%s:3: %s: " % (path, row.name))
            assert row.tells_what_is_allowed(said) or row.when == "fixed", said
            tried += 1
        said = run_until_it_fails(t, others + ["--" + row.name, bads[0]])
        holds(said, row.name)
        assert not os.path.exists(data), "%s made the data directory" % row.name
    t.say("%d files" % tried)


def test_what_is_no_setting_stops_the_start(t):
    path, data = os.path.join(t.dir(), "bad.yaml"), os.path.join(t.dir(), "data")
    base = ["--cpus", cpus(1), "--dir", data]
    for text, line, part in (
            ("a: 1\n", 1, "unknown setting 'a'"),
            ("hz: 10\ntimeuot: 1\n", 2, "did you mean 'timeout'"),
            ("hz: 10\n\n\nhz: 20\n", 4, "set in line 1 already"),
            ("hz: [1, 2]\n", 1, "expected one value"),
            ("hz: {a: b}\n", 1, "expected one value"),
            ("hz: &x 10\ntimeout: *x\n", 2, ""),
            ("- hz\n", 1, ""),
            ("hz\n", 1, ""),
            ("hz: 10\n\ttimeout: 1\n", 2, ""),
            ("hz: 'open\n", None, ""),
            ("hz: 10\n---\nhz: 11\n", None, ""),
            ("hz: \x00\n", None, "")):
        with open(path, "w") as f:
            f.write(text)
        said = run_until_it_fails(t, [path] + base)
        holds(said, path, part)
        if line:
            holds(said, "%s:%d: " % (path, line))
    for args, part in ((["--nosuch", "1"], "nosuch"), (["--hz"], "hz"), (["--hz", "10", "x", "y"], ""),
                       ([path, path], ""), (["--config"], "config"), (["/no/such/file"], "/no/such"),
                       (["--block-points", "4096", "--block-points-max", "2048"],
                        "block-points (4096) must not be larger than block-points-max (2048)"),
                       (["--port", "77x"], "--port: argument couldn't be parsed into an integer "
                                           "between 1 and 65535"),
                       (["--logfile", "/nosuch/x"],
                        "pinstripe-server: logfile '/nosuch/x' cannot be opened: No such file")):
        holds(run_until_it_fails(t, base + args), part)
    assert not os.path.exists(data)


def test_cpus_and_ports_that_are_not_there_stop_the_start(t):
    data, most = os.path.join(t.dir(), "data"), max(os.sched_getaffinity(0))
    base, absent = ["--dir", data, "--port", "29999"], str(most + 1)
    for args, parts in (
            (["--cpus", "%d,%s" % (most, absent)], ("cpus names CPU " + absent, "it may run on ")),
            (["--cpus", cpus(1), "--background-cpus", absent],
             ("background-cpus names CPU " + absent, "it may run on ")),
            (["--cpus", cpus(1), "--core-ports", "yes", "--port", "65535"],
             ("core-ports yes", "behind port 65535", "port must be at most 65534"))):
        holds(run_until_it_fails(t, base + args), *parts)
        assert not os.path.exists(data)
