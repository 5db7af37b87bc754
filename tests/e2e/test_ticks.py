"""Real market data through TSDB_SET under KEEP: every tick is there, in order, whatever happens."""
import csv
import glob
import gzip
import os
import re
import threading
import time

from pinstripe import Skip, eq, shared_file
from resp import Client, encode

PIPELINE = 1000


def rows_of(path):
    """(data type, timestamp, value) in the order of arrival: one for every price of a row."""
    rows = []
    with gzip.open(path, "rt") as f:
        for row in csv.reader(f):
            ts = int(float(row[0]) * (1000 if "." in row[0] else 1))
            if "trade" in path:
                rows.append(("00", ts, float(row[1]) / 10000))
            elif len(row) > 3:
                rows += [("00", ts, float(row[1]) / 10000), ("02", ts, float(row[3]) / 10000)]
            else:
                rows += [("00", ts, float(row[1])), ("02", ts, float(row[2]))]
    return rows


class Loader(threading.Thread):
    """Writes the rows of one file from where the server has it on; `acked` were answered."""

    def __init__(self, server, key, rows, start):
        super().__init__(daemon=True)
        self.client, self.key, self.rows = Client(server.port), key, rows
        self.acked = start
        self.failure = None

    def run(self):
        try:
            for at in range(self.acked, len(self.rows), PIPELINE):
                some = self.rows[at:at + PIPELINE]
                self.client.send_raw(b"".join(encode("TSDB_SET", self.key, ts, repr(value), kind)
                                              for kind, ts, value in some))
                for _ in some:
                    reply = self.client.reader.line()
                    assert reply == b"+OK", reply
                    self.acked += 1
        except (ConnectionError, OSError):
            pass
        except BaseException as e:
            self.failure = e
        finally:
            self.client.close()


POINT = re.compile(rb"\*4\r\n:(-?\d+)\r\n\$\d+\r\n([^\r]+)\r\n\$2\r\n..\r\n:0\r\n")


def points_of(client, key, kind):
    """All points of a series, taken out of the reply by an expression: there are many."""
    client.send_raw(encode("TSDB_GET", key, "-", "+", "TYPE", kind) + encode("PING"))
    data = bytearray()
    while not data.endswith(b"+PONG\r\n"):
        data += client.receive()
    found = [(int(ts), float(value)) for ts, value in POINT.findall(data)]
    eq(data[:20].split(b"\r\n")[0], b"*%d" % len(found), key)
    return found


def written(client, key, rows, acked):
    """How many rows the server has; they must be the first ones, in order, and none is missing."""
    n = 0
    for kind in ("00", "02"):
        got = points_of(client, key, kind)
        of_kind = [(ts, value) for k, ts, value in rows if k == kind]
        want = sorted(of_kind[:len(got)], key=lambda p: p[0])  # stable, as the server has to be
        if got != want:
            at = next(i for i in range(len(got)) if got[i] != want[i])
            raise AssertionError("%s type %s: point %d is %r, not %r"
                                 % (key, kind, at, got[at], want[at]))
        n += len(got)
    assert acked <= n <= len(rows), "%s: %d rows are there, %d were answered" % (key, n, acked)
    return n


def test_every_tick_survives_kills_checkpoints_and_other_numbers_of_cores(t):
    files = sorted(glob.glob(os.path.join(shared_file("ticks") or "/nonexistent", "*.csv.gz")))
    if not files:
        raise Skip("the tick files are not in shared/data/ticks")
    ticks = {os.path.basename(path)[:-len(".csv.gz")]: rows_of(path) for path in files}
    total = sum(map(len, ticks.values()))
    s = t.server(cores=2, start=False, duplicate_policy="KEEP", checkpoint_journal_bytes="8mb",
                 batch_size=1000)
    done = dict.fromkeys(ticks, 0)
    kills = 0
    while sum(done.values()) < total:
        s.start(cores=2 - kills % 2)  # they move to as many cores as this start has
        c = s.client()
        done = {key: written(c, key, rows, done[key]) for key, rows in ticks.items()}
        loaders = {key: Loader(s, key, rows, done[key]) for key, rows in ticks.items()}
        for loader in loaders.values():
            loader.start()
        if kills < 3:
            time.sleep(t.random.uniform(0.2, 2.5))
            s.kill9()
            kills += 1
        for loader in loaders.values():
            loader.join()
            if loader.failure:
                raise loader.failure
        done = {key: loader.acked for key, loader in loaders.items()}
    if not s.is_running():
        s.start()

    def check():
        client = s.client()
        for key, rows in ticks.items():
            eq(written(client, key, rows, len(rows)), len(rows), key)

    check()
    eq(s.client().ok("SAVE"), "OK")
    s.restart()
    check()
    s.restart(cores=3 - s.cores)
    check()
    s.kill9()
    s.start()
    check()
    t.say("%d ticks of %d files, killed %d times on the way" % (total, len(ticks), kills))


test_every_tick_survives_kills_checkpoints_and_other_numbers_of_cores.seconds = 400
