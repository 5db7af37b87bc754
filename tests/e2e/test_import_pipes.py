"""pinstripe-load reading from a pipe: what has come is on the server before more comes."""
import os
import signal
import subprocess
import time

from pinstripe import eq, holds, until
from test_import import TOOL_SECONDS, Tools

COLUMNS = ("--columns", "time,00", "--time", "ms", "--key", "k")


class Feed:
    """A load of standard input that stays open."""

    def __init__(self, tools, *args, command=()):
        self.p = subprocess.Popen([*command, *tools.argv("pinstripe-load", *args, "-")], stdin=subprocess.PIPE,
                                  stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)

    def put(self, text):
        self.p.stdin.write(text.encode())
        self.p.stdin.flush()

    def end(self, status=0):
        said = self.p.communicate(timeout=TOOL_SECONDS)[1].decode()
        assert self.p.returncode == status, "status %d, not %d:\n%s" % (self.p.returncode, status, said)
        return said


def points(c, key="k"):
    return c("TSDB_GET", key, "-", "+")


def test_lines_of_a_slow_pipe_are_there_before_more_come(t):
    s = t.server(cores=2)
    tools, c = Tools(t, s), s.client()
    begin = "".join("%d,1\n" % i for i in range(1000))  # more than identifies a file that is gone on with
    for more in ((), ("--resume",)):
        c("FLUSHALL")
        feed = Feed(tools, *COLUMNS, *more)
        feed.put(begin)
        until(lambda: len(points(c)) == 1000)
        for i in (1000, 1001):
            feed.put("%d,2\n%d," % (i, i + 10))
            until(lambda: len(points(c)) == i + 1)
            feed.put("x\n")
        holds(feed.end(1), "loaded 1002 points of 1004 lines", "2 bad lines")
    feed = Feed(tools, *COLUMNS, "--strict")  # a refusal does not wait for the next line
    c("SET", "k", "x")
    feed.put("1,1\n")
    holds(feed.p.stderr.readline().decode(), "refused")
    eq(feed.p.wait(TOOL_SECONDS), 3)
