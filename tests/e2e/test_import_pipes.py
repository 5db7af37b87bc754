"""pinstripe-load reading from a pipe: what has come is on the server before more comes."""
import fcntl
import os
import signal
import subprocess
import termios
import time

from pinstripe import eq, holds, until
from test_import import TOOL_SECONDS, Tools

COLUMNS = ("--columns", "time,00", "--time", "ms", "--key", "k")


class Feed:
    """A load of standard input that stays open."""

    def __init__(self, tools, *args):
        self.p = subprocess.Popen(tools.argv("pinstripe-load", *args, "-"), stdin=subprocess.PIPE,
                                  stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)

    def put(self, text):
        self.p.stdin.write(text.encode())
        self.p.stdin.flush()

    def end(self, status=0):
        if status != 3:
            self.p.stdin.close()
        self.p.wait(TOOL_SECONDS)
        said = self.p.stderr.read().decode()
        assert self.p.returncode == status, "status %d, not %d:\n%s" % (self.p.returncode, status, said)
        return said


def points(c, key="k"):
    return c("TSDB_GET", key, "-", "+")


def catches(pid, number):
    with open("/proc/%d/status" % pid) as f:
        caught = next(line for line in f if line.startswith("SigCgt:"))
    return int(caught.split()[1], 16) >> (number - 1) & 1


def is_stopped(pid):
    states = []
    for thread in os.listdir("/proc/%d/task" % pid):
        with open("/proc/%d/task/%s/stat" % (pid, thread)) as f:
            states.append(f.read().rpartition(")")[2].split()[0])
    return set(states) == {"T"}


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


def test_a_signal_while_a_pipe_is_waited_for_ends_the_load_in_good_order(t):
    s = t.server(duplicate_policy="KEEP")
    tools, c = Tools(t, s), s.client()
    text = "".join("%d,1\n" % i for i in range(2000))
    at, named = len(text) - 3, ("--resume", "--load-name", "n")
    for more in ((), named):
        c("FLUSHALL")
        feed = Feed(tools, *COLUMNS, *more)
        feed.put(text[:at])
        until(lambda: len(points(c)) == 1999)
        feed.p.send_signal(signal.SIGTERM)
        holds(feed.end(3), "stopped by a signal", "loaded 1999 points of 1999 lines")
    feed = Feed(tools, *COLUMNS, *named)
    feed.put(text + "2000,1\n")
    holds(feed.end(), "the lines up to 1999 is passed over", "loaded 2 points of 2001 lines",
          "1999 points of these lines were loaded before")
    eq(len(points(c)), 2001)
    for early in ("", "1,"):  # before a file is known by its first bytes
        feed = Feed(tools, *COLUMNS)
        feed.put(early)
        until(lambda: catches(feed.p.pid, signal.SIGINT))
        for _ in range(2):  # as timeout(1) does
            feed.p.send_signal(signal.SIGINT)
        holds(feed.end(3), "stopped by a signal", "loaded 0 points")


def test_a_late_second_signal_ends_a_load_that_cannot_end(t):
    s = t.server()
    tools = Tools(t, s)
    feed = Feed(tools, *COLUMNS)
    feed.put("1,1\n")
    until(lambda: len(points(s.client())) == 1)
    os.kill(s.process.pid, signal.SIGSTOP)
    until(lambda: is_stopped(s.process.pid))
    try:
        feed.put("2,1\n")
        until(lambda: fcntl.ioctl(feed.p.stdin, termios.FIONREAD, b"\0" * 4) == b"\0" * 4)  # it was read
        feed.p.send_signal(signal.SIGINT)
        time.sleep(0.2)
        eq(feed.p.poll(), None)  # it waits for the server's answer
        time.sleep(1)
        feed.p.send_signal(signal.SIGINT)
        eq(feed.p.wait(TOOL_SECONDS), -signal.SIGINT)
    finally:
        os.kill(s.process.pid, signal.SIGCONT)
