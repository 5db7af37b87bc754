"""Servers for tests: started on a free port and a directory of their own, stopped by their pid."""
import ctypes
import fcntl
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time

from resp import Client

PR_SET_PDEATHSIG = 1
START_SECONDS = 120
STOP_SECONDS = 120
# Small segments: a start creates and writes two a core before it accepts anybody.
SMALL = {"journal-segment-bytes": "4mb", "journal-batch-bytes": "1mb",
         "store-block-cache-bytes": "16mb"}
REPORT = re.compile(r"(ERROR: \w+Sanitizer|WARNING: ThreadSanitizer|: runtime error: ).*")

libc = ctypes.CDLL(None, use_errno=True)


class Skip(Exception):
    """The test cannot run here; the text says why."""


def die_with_parent():
    """In the child: a test that is killed takes its servers with it."""
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])


def shared_file(name):
    """A file of the real data beside a checkout, shared/data/NAME in a folder above; None where it
    is not."""
    folder = os.path.dirname(os.path.abspath(__file__))
    while folder != "/":
        folder = os.path.dirname(folder)
        path = os.path.join(folder, "shared", "data", name)
        if os.path.exists(path):
            return path
    return None


def is_tmpfs(path):
    out = subprocess.run(["stat", "-f", "-c", "%T", path], capture_output=True, text=True)
    return out.stdout.strip() in ("tmpfs", "ramfs", "overlayfs")


def temp_root():
    """A directory on a real file system: O_DIRECT and disk latency are part of what is tested."""
    if "TMPDIR" in os.environ:
        return os.environ["TMPDIR"]
    return "/var/tmp" if is_tmpfs("/tmp") else "/tmp"


def allowed_cpus():
    return sorted(os.sched_getaffinity(0))


def cpus(n):
    """A value for --cpus that names n CPUs."""
    have = allowed_cpus()
    if len(have) < n:
        raise Skip("needs %d CPUs, may use %d" % (n, len(have)))
    return ",".join(map(str, have[:n]))


def port_is_free(port):
    with socket.socket() as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            s.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


reserved = []  # locks of the ports this process has chosen, held to its end


def reserve_ports(port, n):
    """A server that is restarted finds its port free again: other runs of these tests leave it alone."""
    folder = os.path.join(tempfile.gettempdir(), "pinstripe-test-ports-%d" % os.getuid())
    os.makedirs(folder, exist_ok=True)
    locks = []
    try:
        for i in range(n):
            locks.append(open(os.path.join(folder, str(port + i)), "w"))
            fcntl.flock(locks[-1], fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        for lock in locks:
            lock.close()
        return False
    reserved.extend(locks)
    return True


def free_ports(n):
    """The first of n free ports in a row, below those the kernel hands out by itself."""
    for _ in range(1000):
        port = random.SystemRandom().randrange(12000, 31000)
        if reserve_ports(port, n) and all(port_is_free(port + i) for i in range(n)):
            return port
    raise RuntimeError("no free ports")


class Server:
    """One server process and its data directory. start() may be called again after it ended."""

    def __init__(self, binary, root, cores=1, wrap=None, config_file=None, **settings):
        self.binary, self.root, self.cores = binary, root, cores
        self.dir = os.path.join(root, "data")
        self.log_path = os.path.join(root, "server.log")
        self.port = free_ports(1 + cores)
        self.settings = dict(SMALL)
        self.config_file = config_file
        self.wrap = wrap or []
        self.set(**settings)
        self.process = None
        self.started = 0
        self.clients = []

    def set(self, **settings):
        """Command-line settings; None takes one away. Names with _ for -."""
        for name, value in settings.items():
            name = name.replace("_", "-")
            if value is None:
                self.settings.pop(name, None)
            else:
                self.settings[name] = value

    def argv(self):
        args = self.wrap + [self.binary]
        if self.config_file:
            args += ["--config", self.config_file]
        args += ["--port", str(self.port), "--dir", self.dir, "--cpus", cpus(self.cores)]
        for name, value in self.settings.items():
            args += ["--" + name, str(value)]
        return args

    # --- starting

    def spawn(self):
        """Starts the process and returns at once."""
        assert not self.is_running(), "started twice"
        self.started += 1
        self.log_start = os.path.getsize(self.log_path) if os.path.exists(self.log_path) else 0
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(self.argv(), stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=log, preexec_fn=die_with_parent)

    def start(self, cores=None, **settings):
        """Starts it and waits until it accepts clients. Returns self."""
        if cores:
            self.cores = cores
        self.set(**settings)
        self.spawn()
        self.wait_ready()
        return self

    def wait_ready(self, seconds=START_SECONDS):
        end = time.monotonic() + seconds
        while "ready to accept connections" not in self.log():
            assert self.is_running(), "the server did not start:\n" + self.log()
            assert time.monotonic() < end, "the server did not start in time:\n" + self.log()
            time.sleep(0.01)

    def start_fails(self, cores=None, seconds=START_SECONDS, **settings):
        """Starts it, expects exit status 1, and returns what it said."""
        if cores:
            self.cores = cores
        self.set(**settings)
        self.spawn()
        status = self.process.wait(seconds)
        assert status == 1, "exit status %d, not 1:\n%s" % (status, self.log())
        return self.log()

    # --- ending

    def is_running(self):
        return self.process is not None and self.process.poll() is None

    def close_clients(self):
        for client in self.clients:
            client.close()
        self.clients.clear()

    def kill9(self):
        self.process.kill()
        self.process.wait(STOP_SECONDS)
        self.close_clients()

    def stop(self):
        """SIGTERM; the exit status must be 0."""
        if not self.is_running():
            return self.check_end()
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGABRT)
            raise AssertionError("the server did not stop in %d s:\n%s"
                                 % (STOP_SECONDS, self.log()[-4000:]))
        self.close_clients()
        self.check_end()

    def check_end(self):
        status = self.process.returncode if self.process else 0
        assert status in (0, -signal.SIGKILL, 1), "exit status %d:\n%s" % (status,
                                                                           self.log()[-4000:])
        if status == 1:
            assert "not started" in self.log() or self.log().startswith("pinstripe-server: "), \
                "exit status 1:\n" + self.log()[-4000:]

    def restart(self, **settings):
        self.stop()
        return self.start(**settings)

    # --- looking

    def log(self):
        """What this start has written so far."""
        with open(self.log_path, "rb") as log:
            log.seek(self.log_start)
            return log.read().decode("utf-8", "replace")

    def whole_log(self):
        with open(self.log_path, "rb") as log:
            return log.read().decode("utf-8", "replace")

    def sanitizer_report(self):
        found = REPORT.search(self.whole_log()) if os.path.exists(self.log_path) else None
        return found.group() if found else None

    def client(self, **options):
        options.setdefault("port", self.port)
        client = Client(**options)
        self.clients.append(client)
        return client

    def core_client(self, core, **options):
        """A client that core accepted; needs core_ports."""
        return self.client(port=self.port + 1 + core, **options)

    def segments(self, core=0):
        """Paths of the journal files of a core, oldest first."""
        generation = max(d for d in os.listdir(self.dir) if d.startswith("gen-"))
        path = os.path.join(self.dir, generation, "core-%03d" % core, "journal")
        return sorted(os.path.join(path, f) for f in os.listdir(path) if f.endswith(".journal"))

    def rss(self):
        """Resident bytes."""
        with open("/proc/%d/statm" % self.process.pid) as f:
            return int(f.read().split()[1]) * os.sysconf("SC_PAGESIZE")


class Test:
    """What a test function gets."""

    def __init__(self, name, binary, root, seed, long):
        self.name, self.binary, self.root, self.seed, self.long = name, binary, root, seed, long
        self.random = random.Random(seed)
        self.servers = []

    def server(self, cores=1, start=True, **settings):
        """A new server with a directory of its own."""
        root = tempfile.mkdtemp(prefix="server-", dir=self.root)
        server = Server(self.binary, root, cores=cores, **settings)
        self.servers.append(server)
        return server.start() if start else server

    def dir(self):
        return tempfile.mkdtemp(dir=self.root)

    def say(self, text):
        print("  " + text, flush=True)

    def skip(self, why):
        raise Skip(why)

    def finish(self):
        """Stops what still runs; how it ends is part of every test."""
        for server in self.servers:
            if server.process:
                server.stop()
            report = server.sanitizer_report()
            assert report is None, report + "\n" + server.whole_log()[-8000:]

    def abort(self):
        for server in self.servers:
            if server.is_running():
                server.process.kill()
                server.process.wait()


def is_sanitized(binary):
    """Was the server built with a sanitizer? Times are not to be compared then."""
    with open(binary, "rb") as f:
        return b"__asan_init" in f.read()


def remove(path):
    shutil.rmtree(path, ignore_errors=True)


# --- expectations -----------------------------------------------------------------------------------


def shorten(value):
    text = repr(value)
    return text if len(text) < 400 else text[:300] + " ... " + text[-80:]


def eq(got, want, what=""):
    if got != want:
        raise AssertionError("%s%sgot  %s\nwant %s" % (what, ":\n" if what else "", shorten(got),
                                                       shorten(want)))


def holds(text, *parts):
    for part in parts:
        assert part in text, "%r is not in: %s" % (part, shorten(text))


def until(condition, seconds=60.0, what="the condition"):
    """Waits until it is true and returns what it said. The time is for a bug, not for a busy machine."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < end, "%s did not come true in %.0f s" % (what, seconds)
        time.sleep(0.02)


# --- slots --------------------------------------------------------------------------------------------


def crc16(data):
    crc = 0
    for byte in data:
        crc ^= byte << 8
        for _ in range(8):
            crc = (crc << 1) ^ 0x1021 if crc & 0x8000 else crc << 1
            crc &= 0xffff
    return crc


def key_slot(key):
    key = key.encode() if isinstance(key, str) else key
    start = key.find(b"{")
    if start >= 0:
        end = key.find(b"}", start + 1)
        if end > start + 1:
            key = key[start + 1:end]
    return crc16(key) % 16384


def key_core(key, cores):
    return key_slot(key) * cores // 16384


def keys_on(core, cores, n, prefix="k"):
    """n keys that this core owns."""
    found, i = [], 0
    while len(found) < n:
        key = "%s%d" % (prefix, i)
        if key_core(key, cores) == core:
            found.append(key)
        i += 1
    return found
