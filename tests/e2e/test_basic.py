"""Starting, answering, stopping."""
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
