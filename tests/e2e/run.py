#!/usr/bin/python3
"""Runs the end-to-end tests: every function test_* of tests/e2e/test_*.py, each in a process of its
own with servers and directories of its own.

The last line is "N passed, N failed, N skipped"; the exit status is 0 when none failed.
"""
import argparse
import importlib
import inspect
import os
import random
import signal
import sys
import tempfile
import time
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.dont_write_bytecode = True

import pinstripe  # noqa: E402

SKIPPED = 77
TEST_SECONDS = 400       # a test that sets .seconds has its own limit
LONG_TEST_SECONDS = 3600
SANITIZED_FACTOR = 4


def options():
    p = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    p.add_argument("--server", help="the program to test (default build/pinstripe-server)")
    p.add_argument("--build", default="build", help="the build directory it is in")
    p.add_argument("-k", metavar="NAME", action="append", default=[],
                   help="only tests whose file or function name contains NAME")
    p.add_argument("--long", action="store_true", help="more rounds, bigger sizes")
    p.add_argument("-j", type=int, default=1, metavar="N", help="tests at a time")
    p.add_argument("--seed", type=int, help="of everything random (printed at the start)")
    p.add_argument("--keep", action="store_true", help="keep the directories of failed tests")
    p.add_argument("--list", action="store_true", help="print the names and stop")
    o = p.parse_args()
    root = os.path.dirname(os.path.dirname(HERE))
    o.server = os.path.abspath(o.server or os.path.join(root, o.build, "pinstripe-server"))
    if o.seed is None:
        o.seed = random.SystemRandom().randrange(1 << 32)
    return o


def discover(wanted):
    """(name, function) in the order of files and of lines in them."""
    tests = []
    for file in sorted(os.listdir(HERE)):
        if not (file.startswith("test_") and file.endswith(".py")):
            continue
        module = importlib.import_module(file[:-3])
        functions = [f for n, f in vars(module).items() if n.startswith("test_") and
                     inspect.isfunction(f) and f.__module__ == module.__name__]
        functions.sort(key=lambda f: f.__code__.co_firstlineno)
        tests += [("%s.%s" % (file[5:-3], f.__name__[5:]), f) for f in functions]
    return [t for t in tests if not wanted or any(w in t[0] for w in wanted)]


def run_in_child(name, function, o, root):
    """The test itself; its exit status says how it went."""
    os.setpgid(0, 0)
    test = pinstripe.Test(name, o.server, root, "%d/%s" % (o.seed, name), o.long)
    status = 0
    try:
        function(test)
        test.finish()
    except pinstripe.Skip as why:
        print("SKIPPED %s" % why)
        status = SKIPPED
    except BaseException:
        traceback.print_exc(file=sys.stdout)
        for server in test.servers:
            if os.path.exists(server.log_path):
                status = server.process.poll() if server.process else None
                print("--- log of the server in %s (exit status %s)" % (server.root, status))
                print(server.whole_log()[-6000:])
        status = 1
    finally:
        test.abort()
    sys.stdout.flush()
    os._exit(status)


class Run:
    """A test under way: its process and its output."""

    def __init__(self, name, function, o, factor):
        self.name, self.o = name, o
        self.root = tempfile.mkdtemp(prefix="pinstripe-", dir=pinstripe.temp_root())
        self.output = os.path.join(self.root, "output")
        self.began = time.monotonic()
        seconds = getattr(function, "seconds", TEST_SECONDS) * factor
        self.deadline = self.began + (LONG_TEST_SECONDS if o.long else seconds)
        self.timed_out = False
        sys.stdout.flush()
        self.pid = os.fork()
        if self.pid == 0:
            fd = os.open(self.output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC)
            os.dup2(fd, 1)
            os.dup2(fd, 2)
            run_in_child(name, function, o, self.root)

    def kill(self):
        """Its servers go with it: they asked the kernel for that."""
        os.kill(self.pid, signal.SIGKILL)

    def poll(self):
        """The exit status, None while it runs."""
        pid, status = os.waitpid(self.pid, os.WNOHANG)
        if pid:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() > self.deadline and not self.timed_out:
            self.timed_out = True
            self.kill()
        return None

    def report(self, status):
        with open(self.output, errors="replace") as f:
            text = f.read()
        seconds = time.monotonic() - self.began
        why = ""
        if status == SKIPPED:
            why = ": " + text.strip().rsplit("SKIPPED ", 1)[-1]
        elif self.timed_out:
            why = ": took too long"
        word = {0: "ok", SKIPPED: "skipped"}.get(status, "FAILED")
        print("%-7s %-58s %6.1f s%s" % (word, self.name, seconds, why), flush=True)
        if word == "FAILED":
            print(text, flush=True)
        else:
            sys.stdout.write("".join(l + "\n" for l in text.splitlines() if l.startswith("  ")))
        if word != "FAILED" or not self.o.keep:
            pinstripe.remove(self.root)
        else:
            print("kept: %s" % self.root)
        return word


def run_all(tests, o):
    counts = {"ok": 0, "FAILED": 0, "skipped": 0}
    factor = SANITIZED_FACTOR if pinstripe.is_sanitized(o.server) else 1
    waiting, running = list(tests), []
    try:
        while waiting or running:
            while waiting and len(running) < o.j:
                running.append(Run(*waiting.pop(0), o, factor))
            for run in running[:]:
                status = run.poll()
                if status is not None:
                    running.remove(run)
                    counts[run.report(status)] += 1
            time.sleep(0.02)
    except KeyboardInterrupt:
        for run in running:
            run.kill()
            pinstripe.remove(run.root)
        raise
    return counts


def main():
    o = options()
    tests = discover(o.k)
    if o.list:
        print("\n".join(name for name, _ in tests))
        return 0
    if not os.access(o.server, os.X_OK):
        print("%s is not there: build it first" % o.server)
        return 1
    print("server %s, seed %d" % (o.server, o.seed))
    counts = run_all(tests, o)
    print("%d passed, %d failed, %d skipped" % (counts["ok"], counts["FAILED"], counts["skipped"]))
    return 1 if counts["FAILED"] or not tests else 0


if __name__ == "__main__":
    sys.exit(main())
