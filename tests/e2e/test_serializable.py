"""Transactions over several cores, many clients at once, also through crashes: some order of them explains
every reply, and it is the order of time where one had ended before another began (history.py)."""
import random
import threading
import time

from history import Anomaly, Txn, check_serialisable
from pinstripe import eq, keys_on, until
from resp import Client, Error, info

CLIENTS = 8
ELEMENTS_A_KEY = 60  # then another key takes its place
KEYS_AT_ONCE = 8


class Strings:
    """A list is a string, its elements stand one behind the other."""
    settings = {}

    @staticmethod
    def append(key, element):
        return "APPEND", key, "%d," % element

    @staticmethod
    def read(key):
        return "GET", key

    @staticmethod
    def read_many(keys):
        return ("MGET", *keys)

    @staticmethod
    def elements(reply):
        return [int(e) for e in (reply or b"").split(b",")[:-1]]


class Series:
    """A list is a series, its elements the values of one time, which keep their order."""
    settings = {"duplicate_policy": "KEEP", "block_points": 64}

    @staticmethod
    def append(key, element):
        return "TSDB_SET", key, 1, element

    @staticmethod
    def read(key):
        return "TSDB_GET", key, "-", "+"

    @staticmethod
    def read_many(keys):
        return ("TSDB_BATCH_GET", len(keys), *keys, "-", "+")

    @staticmethod
    def elements(reply):
        return [int(point[1]) for point in reply or []]


class SeriesInSlices(Series):
    """The same, where many are read ahead in slices as short as they can be."""
    settings = {**Series.settings, "enable_debug_command": "yes"}
    limits = {"slice-ns": 0}


class Keys:
    """The keys in use, of all cores, and a number for each element."""

    def __init__(self, cores, r, kind):
        self.lock, self.kind = threading.Lock(), kind
        self.fresh = [iter(keys_on(core, cores, 5000, "list%d:" % r.randrange(1 << 30)))
                      for core in range(cores)]
        self.used = {next(self.fresh[i % cores]): 0 for i in range(KEYS_AT_ONCE)}
        self.now = list(self.used)
        self.elements = 0

    def element(self, place):
        """A key to append to, and what."""
        with self.lock:
            key = self.now[place]
            self.used[key] += 1
            self.elements += 1
            if self.used[key] >= ELEMENTS_A_KEY:
                self.now[place] = next(self.fresh[place % len(self.fresh)])
                self.used[self.now[place]] = 0
            return key, self.elements

    def key(self, place):
        with self.lock:
            return self.now[place]


class Worker(threading.Thread):
    """One connection's transactions, one after the other, until the end or a crash."""

    def __init__(self, name, client, keys, seed):
        super().__init__(daemon=True)
        self.client, self.keys, self.r = client, keys, random.Random(seed)
        self.kind = keys.kind
        self.label, self.txns, self.stop, self.error = name, [], False, None
        self.aborted = 0

    def run(self):
        try:
            while not self.stop:
                self.r.choice((self.single, self.reads, self.group, self.group, self.watched))()
        except ConnectionError:
            pass
        except BaseException as e:
            self.error = e

    def begin(self):
        t = Txn("%s.%d" % (self.label, len(self.txns)), time.monotonic())
        self.txns.append(t)
        return t

    def steps(self, t, n):
        """Commands of appends and reads, and what each is: a read takes what it shows later."""
        commands, notes = [], []
        for _ in range(n):
            place = self.r.randrange(KEYS_AT_ONCE)
            if self.r.random() < 0.5:
                key, element = self.keys.element(place)
                t.appends.append((key, element))
                commands.append(self.kind.append(key, element))
                notes.append(None)
            else:
                key = self.keys.key(place)
                commands.append(self.kind.read(key))
                notes.append((key, sum(k == key for k, _ in t.appends)))
        return commands, notes

    def take(self, t, notes, replies):
        for note, reply in zip(notes, replies):
            assert not isinstance(reply, Error), "%s: %s" % (t, reply)
            if note:
                t.reads.append((note[0], self.kind.elements(reply), note[1]))

    @staticmethod
    def done(t):
        t.end, t.answered = time.monotonic(), True

    def single(self):
        t = self.begin()
        commands, notes = self.steps(t, 1)
        reply = self.client(*commands[0])
        self.done(t)
        self.take(t, notes, [reply])

    def reads(self):
        t = self.begin()
        places = self.r.sample(range(KEYS_AT_ONCE), self.r.randint(2, 4))
        keys = [self.keys.key(p) for p in places]
        reply = self.client(*self.kind.read_many(keys))
        self.done(t)
        self.take(t, [(k, 0) for k in keys], reply)

    def group(self):
        t = self.begin()
        commands, notes = self.steps(t, self.r.randint(2, 5))
        replies = self.client.pipe([("MULTI",)] + commands + [("EXEC",)])
        self.done(t)
        self.take(t, notes, replies[-1])

    def watched(self):
        """What it read before is still so when EXEC runs, or EXEC does nothing."""
        t = self.begin()
        place = self.r.randrange(KEYS_AT_ONCE)
        key = self.keys.key(place)
        _, before = self.client.pipe([("WATCH", key), self.kind.read(key)])
        commands, notes = self.steps(t, self.r.randint(1, 3))
        replies = self.client.pipe([("MULTI",), self.kind.read(key)] + commands + [("EXEC",)])
        self.done(t)
        if replies[-1] is None:
            t.aborted = True
            self.aborted += 1
            return
        eq(replies[-1][0], before, "a watched key at EXEC")
        self.take(t, [(key, 0)] + notes, replies[-1])


class Filler(threading.Thread):
    """Values that push everything else out of memory."""

    def __init__(self, client):
        super().__init__(daemon=True)
        self.client, self.stop = client, False
        self.start()

    def run(self):
        try:
            for i in range(1 << 30):
                if self.stop:
                    return
                self.client.pipe([("SET", "wide%d" % ((i * 20 + k) % 3000), "x" * 3000)
                                  for k in range(20)])
        except ConnectionError:
            pass


ENOUGH = 200  # transactions


def worth_looking_at(workers):
    done = sum(txn.answered and not txn.aborted for w in workers for txn in list(w.txns))
    return done > ENOUGH and any(w.aborted for w in workers)


def one_life(s, keys, r, label, seconds, crash, before=()):
    """Workers on every core for a while; returns them. The last life ends when there is enough to look
    at."""
    workers = [Worker("%s%d" % (label, i), Client(s.port + 1 + i % s.cores), keys, r.random())
               for i in range(CLIENTS)]
    for w in workers:
        w.start()
    time.sleep(seconds)
    if not crash:
        until(lambda: worth_looking_at([*before, *workers]) or any(w.error for w in workers),
              what="enough transactions")
    if crash:
        s.kill9()
    for w in workers:
        w.stop = True
    for w in workers:
        w.join(60)
        assert not w.is_alive(), "%s does not end" % w.label
        if w.error:
            raise w.error
    for txn in (txn for w in workers for txn in w.txns):
        txn.end = txn.end or time.monotonic()
    return workers


def check_all(t, s, keys, workers):
    c = s.client()
    final = {key: keys.kind.elements(c.ok(*keys.kind.read(key))) for key in keys.used}
    happened = check_serialisable([txn for w in workers for txn in w.txns], final)
    aborted = sum(w.aborted for w in workers)
    assert happened > ENOUGH, "only %d transactions" % happened
    assert aborted > 0, "no watched key was ever changed"
    t.say("%d transactions, %d aborted by WATCH" % (happened, aborted))


def history(t, cores, kind=Strings, lives=1, seconds=1.5, fill=False, **settings):
    s = t.server(cores=cores, core_ports="yes", **kind.settings, **settings)
    for name, value in getattr(kind, "limits", {}).items():
        for core in range(cores):
            eq(s.core_client(core)("DEBUG", "LIMIT", name, value), "OK")
    keys, workers = Keys(cores, t.random, kind), []
    for life in range(lives):
        if life:
            s.start()
        filler = Filler(Client(s.port)) if fill else None
        workers += one_life(s, keys, t.random, "%d:" % life, seconds * (4 if t.long else 1),
                            crash=life + 1 < lives, before=workers)
        if filler:
            until(lambda: int(info(s.client())["evicted_keys"]) > 0, what="an eviction")
            filler.stop = True
            filler.join(60)
    check_all(t, s, keys, workers)


def test_an_order_explains_everything_one_core(t):
    history(t, cores=1)


def test_an_order_explains_everything_two_cores(t):
    history(t, cores=2)


def test_an_order_explains_everything_everysec(t):
    history(t, cores=2, appendfsync="everysec")


def test_an_order_explains_everything_out_of_memory_and_back(t):
    history(t, cores=2, fill=True, maxmemory="1mb", store_block_cache_bytes="1mb",
            checkpoint_dirty_bytes="65536")


def test_an_order_explains_everything_through_crashes(t):
    history(t, cores=2, lives=40 if t.long else 8, seconds=0.4,
            checkpoint_journal_bytes="1mb", checkpoint_dirty_bytes="65536")


def test_an_order_explains_every_series_two_cores(t):
    history(t, cores=2, kind=Series)


def test_an_order_explains_every_series_read_in_slices_one_core(t):
    history(t, cores=1, kind=SeriesInSlices)


def test_an_order_explains_every_series_read_in_slices_two_cores(t):
    history(t, cores=2, kind=SeriesInSlices)


def test_an_order_explains_every_series_read_in_slices_out_of_memory_and_back(t):
    history(t, cores=2, kind=SeriesInSlices, fill=True, maxmemory="1mb", store_block_cache_bytes="1mb",
            checkpoint_dirty_bytes="65536")


def test_an_order_explains_every_series_out_of_memory_and_back(t):
    history(t, cores=2, kind=Series, fill=True, maxmemory="1mb", store_block_cache_bytes="1mb",
            checkpoint_dirty_bytes="65536")


def test_an_order_explains_every_series_through_crashes(t):
    history(t, cores=2, kind=Series, lives=40 if t.long else 8, seconds=0.4,
            checkpoint_journal_bytes="1mb", checkpoint_dirty_bytes="65536")


# --- the checker itself ------------------------------------------------------------------------------------


def made_up(*txns):
    """(begin, end, appends, reads) each; answered all of them."""
    made = []
    for i, (begin, end, appends, reads) in enumerate(txns):
        txn = Txn("T%d" % i, begin, end)
        txn.answered, txn.appends = True, list(appends)
        txn.reads = [(key, seen, 0) for key, seen in reads]
        made.append(txn)
    return made


def verdict(txns, final):
    try:
        check_serialisable(txns, final)
    except Anomaly as e:
        return str(e)
    return "fine"


def test_the_checker_finds_what_no_order_explains(t):
    x1, x2, y1, y2 = ("x", 1), ("x", 2), ("y", 1), ("y", 2)
    both = {"x": [1, 2], "y": [1, 2]}
    cases = [
        ("fine", made_up((0, 9, [x1, y1], []), (0, 9, [x2, y2], [("x", [1])])), both),
        ("ww", made_up((0, 9, [x1, y2], []), (0, 9, [x2, y1], [])), both),
        ("wr", made_up((0, 9, [x1], [("y", [1])]), (0, 9, [y1], [("x", [1])])),
         {"x": [1], "y": [1]}),
        ("rw", made_up((0, 9, [x1], [("y", [])]), (0, 9, [y1], [("x", [])])), {"x": [1], "y": [1]}),
        ("rw", made_up((0, 9, [x1, y1], []), (0, 9, [], [("x", [1]), ("y", [])])),
         {"x": [1], "y": [1]}),
        ("rw", made_up((0, 9, [x1, x2], []), (0, 9, [], [("x", [1])])), {"x": [1, 2]}),
        ("rt", made_up((0, 1, [x1], []), (2, 3, [], [("x", [])])), {"x": [1]}),
        ("rt", made_up((0, 1, [x2], []), (2, 3, [x1], [])), {"x": [1, 2]}),
        ("lost", made_up((0, 1, [x1, y1], [])), {"x": [1], "y": []}),
        ("twice", made_up((0, 1, [x1], [])), {"x": [1, 1]}),
        ("nobody", made_up((0, 1, [x1], [])), {"x": [1, 2]}),
        ("became", made_up((0, 9, [x1], []), (0, 9, [x2], [("x", [2])])), {"x": [1, 2]}),
    ]
    for want, txns, final in cases:
        got = verdict(txns, final)
        assert want in got, "%s, wanted %s" % (got, want)


def test_the_checker_knows_aborted_and_unanswered_transactions(t):
    aborted, unknown = made_up((0, 1, [("x", 1)], []))[0], made_up((0, 1, [("x", 1), ("y", 1)], []))[0]
    aborted.aborted, unknown.answered = True, False
    assert "aborted" in verdict([aborted], {"x": [1]})
    eq(verdict([aborted], {"x": []}), "fine")
    eq(verdict([unknown], {"x": [1], "y": [1]}), "fine")
    eq(verdict([unknown], {"x": [], "y": []}), "fine")
    assert "part" in verdict([unknown], {"x": [1], "y": []})
    late = made_up((2, 3, [], [("x", [])]))
    assert "rt" in verdict([unknown] + late, {"x": [1], "y": [1]})
