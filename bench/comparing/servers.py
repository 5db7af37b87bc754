"""The servers that are compared: how each is started in a durability mode, asked and stopped."""

import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import time

from comparing.machine import ROOT, first_line
from comparing.resp import Client, ReplyError

PORTS = 3  # one of a server, and one of each core where two are measured
READY_SECONDS = 60
REST_SECONDS = 60
REST_LOOK_SECONDS = 1.0
REST_CPU_SHARE = 0.03  # of one CPU; a clock tick is 0.01 s
STOP_SECONDS = 60
CLOCK_TICKS = os.sysconf("SC_CLK_TCK")

# Everything that was started and not yet stopped; bench/compare empties it however it ends.
running = []


class CompareError(Exception):
    """Something that ends the run, said in a sentence."""


def pinstripe_argv(binary, port, data_dir, mode, cpu):
    return [binary, "--port", port, "--dir", data_dir, "--cpus", cpu, "--appendfsync", mode]


def redis_argv(binary, port, data_dir, mode, cpu):
    return [binary, "--port", port, "--bind", "127.0.0.1", "--dir", data_dir, "--save", "",
            "--appendonly", "yes", "--appendfsync", mode, "--auto-aof-rewrite-percentage", "0"]


def kvrocks_argv(binary, port, data_dir, mode, cpu):
    config = pathlib.Path(data_dir, "kvrocks.conf")
    sync = "yes" if mode == "always" else "no"
    config.write_text(f"bind 127.0.0.1\nport {port}\ndir {data_dir}\nworkers 1\n"
                      f"rocksdb.write_options.sync {sync}\n")
    return [binary, "-c", str(config)]


class Kind:
    """A row of KINDS. `series`: has TSDB_*. `mode_key`: where CONFIG GET tells the mode."""

    def __init__(self, name, binary, argv, series=False, required=False, mode_key="appendfsync"):
        self.name, self.binary, self.argv = name, binary, argv
        self.series, self.required, self.mode_key = series, required, mode_key


KINDS = [
    Kind("pinstripe", str(ROOT / "build" / "pinstripe-server"), pinstripe_argv, series=True,
         required=True),
    Kind("redis", "redis-server", redis_argv, required=True),
    Kind("valkey", "valkey-server", redis_argv),
    Kind("kvrocks", "kvrocks", kvrocks_argv, mode_key=None),
]


def find_binary(kind, given):
    """Full path of the server's program; None if it is optional and absent."""
    path = shutil.which(given or kind.binary)
    if path:
        return path
    if given or kind.required:
        cure = ("build it (ninja -C build) or give --pinstripe PATH" if kind.name == "pinstripe"
                else f"install it or give --{kind.name} PATH" if kind.name == "redis"
                else "check the path")
        raise CompareError(f"{kind.name}: no program at '{given or kind.binary}'; {cure}, "
                           "or leave it out with --servers")
    return None


def version(binary):
    return first_line([binary, "--version"]) or first_line([binary, "-v"]) or "unknown"


def is_free(port):
    with socket.socket() as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            s.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_port():
    """With PORTS free ones from it on, for ports of cores, and below those that the kernel hands out by itself: a
    server that starts again finds them free."""
    while True:
        port = random.SystemRandom().randrange(12000, 31000)
        if all(is_free(port + i) for i in range(PORTS)):
            return port


class Server:
    """A running server in a data directory of its own, confined to one CPU; with confined false only
    its loop is."""

    def __init__(self, kind, binary, mode, data_dir, cpu, confined=True):
        self.kind, self.binary, self.mode, self.cpu = kind, binary, mode, cpu
        self.confined = confined
        self.dir = pathlib.Path(data_dir)
        self.dir.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.process = None

    def start(self, probe=("PING",)):
        """Starts and waits until `probe` is answered; returns the seconds that took."""
        argv = self.kind.argv(self.binary, str(self.port), str(self.dir), self.mode, str(self.cpu))
        if self.confined:
            argv = ["taskset", "-c", str(self.cpu)] + argv
        with open(self.dir / "server.log", "ab") as log:
            began = time.monotonic()
            self.process = subprocess.Popen(argv, stdout=log, stderr=log,
                                            stdin=subprocess.DEVNULL, start_new_session=True)
        running.append(self)
        self._wait_ready(began, probe)
        took = time.monotonic() - began
        self._check_mode()
        return took

    def _wait_ready(self, began, probe):
        while time.monotonic() - began < READY_SECONDS:
            if self.process.poll() is not None:
                raise CompareError(f"{self.kind.name} ended at its start with status "
                                   f"{self.process.returncode}:\n{self.log_tail()}")
            try:
                with Client(self.port, READY_SECONDS) as client:
                    client.ask(*probe)
                    return
            except (OSError, ReplyError):
                time.sleep(0.001)
        raise CompareError(f"{self.kind.name} was not ready after {READY_SECONDS} s:\n"
                           f"{self.log_tail()}")

    def _check_mode(self):
        """The mode is asked back, not assumed."""
        if not self.kind.mode_key:
            return
        answer = self.ask("CONFIG", "GET", self.kind.mode_key)
        if not answer or answer[1] != self.mode:
            raise CompareError(f"{self.kind.name} should run with {self.kind.mode_key} "
                               f"{self.mode}, CONFIG GET says {answer}")

    def ask(self, *args):
        with Client(self.port) as client:
            return client.ask(*args)

    def log_tail(self):
        lines = (self.dir / "server.log").read_text(errors="replace").splitlines()
        return "\n".join("    " + line for line in lines[-15:])

    def cpu_seconds(self):
        """User and system time of all its threads so far."""
        stat = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text()
        fields = stat.rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / CLOCK_TICKS

    def rest(self):
        """Waits until it is through with what it does in the background; returns the seconds that
        took."""
        began = time.monotonic()
        while time.monotonic() - began < REST_SECONDS:
            before = self.cpu_seconds()
            time.sleep(REST_LOOK_SECONDS)
            if self.cpu_seconds() - before < REST_CPU_SHARE * REST_LOOK_SECONDS:
                return time.monotonic() - began
        print(f"note: {self.kind.name} has not come to rest within {REST_SECONDS} s")
        return time.monotonic() - began

    def rss_bytes(self):
        for line in pathlib.Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        raise CompareError(f"{self.kind.name}: no VmRSS, has it ended?\n{self.log_tail()}")

    def stop(self, hard=False):
        """SIGTERM and a wait, or SIGKILL."""
        if self.process is None:
            return
        self.process.send_signal(signal.SIGKILL if hard else signal.SIGTERM)
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            print(f"note: {self.kind.name} did not end within {STOP_SECONDS} s of SIGTERM "
                  "and was killed")
        self.process = None
        running.remove(self)

    def remove(self):
        self.stop()
        shutil.rmtree(self.dir, ignore_errors=True)


def stop_all():
    for server in list(running):
        server.stop(hard=True)
