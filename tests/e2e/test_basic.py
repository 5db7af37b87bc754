"""Starting, answering, stopping."""
import os

from pinstripe import eq, holds
from resp import info


def test_answers_and_stops_with_status_0(t):
    for cores in (1, 2):
        s = t.server(cores=cores)
        c = s.client()
        eq(c("PING"), "PONG")
        eq(c("SET", "k", "v"), "OK")
        eq(c("GET", "k"), b"v")
        eq(info(c)["cores"], str(cores))
        s.stop()
        holds(s.log(), "stopped")


def test_everything_is_there_after_an_orderly_restart(t):
    s = t.server(cores=2)
    c = s.client()
    c.pipe([("SET", "k%d" % i, "v%d" % i) for i in range(1000)])
    s.restart()
    c = s.client()
    eq(c.pipe([("GET", "k%d" % i) for i in range(1000)]), [b"v%d" % i for i in range(1000)])
    eq(c("DBSIZE"), 1000)


def test_starts_leave_no_files_behind(t):
    """The database of a core begins files of its own at every start."""
    s, counts = t.server(), []
    for i in range(10):
        eq(s.client().ok("INCR", "starts"), i + 1)
        if i % 2:
            s.kill9()
            s.start()
        else:
            s.restart()
        counts.append(sum(len(files) for _, _, files in os.walk(os.path.join(s.root, "data"))))
    assert max(counts) < 30, counts
    eq(s.client().ok("GET", "starts"), b"10")
