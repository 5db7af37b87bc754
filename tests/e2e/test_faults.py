"""The failure table: broken writes, full disks, damaged files, wrong starts."""
import os
import re
import select
import shutil
import subprocess
import time

from pinstripe import Skip, die_with_parent, eq, holds, key_slot, keys_on, until
from resp import Error, encode, info

PERSISTENT = 1 << 30


def debug_server(t, **settings):
    return t.server(enable_debug_command="yes", **settings)


def fault(client, *args):
    eq(client("DEBUG", "FAULT", *args), "OK")


# --- writes that fail -------------------------------------------------------------------------------


def test_one_failed_write_is_tried_again_and_nothing_is_lost(t):
    for mode in ("always", "everysec", "no"):
        s = debug_server(t, appendfsync=mode)
        c = s.client()
        for n, kind in enumerate((("eio", 1), ("enospc", 1), ("short", 1, 4096), ("short", 1, 0),
                                  ("short", 1, 100))):
            fault(c, *kind)
            eq(c.pipe([("SET", "k%d:%d" % (n, i), "v" * 100) for i in range(100)]), ["OK"] * 100)
            eq(c("WAITAOF", 1, 0, 5000), [1, 0])
        until(lambda: int(info(c)["journal_errors"]) == 5, what="journal_errors")
        eq(info(c)["journal_state"], "ok")
        s.kill9()
        s.start()
        eq(s.client()("DBSIZE"), 500)


def test_a_journal_that_cannot_write_turns_read_only(t):
    for kind in (("eio", PERSISTENT), ("short", PERSISTENT, 512), ("enospc", PERSISTENT)):
        s = debug_server(t)
        c, other = s.client(), s.client()
        eq(c("SET", "k", "v"), "OK")
        fault(c, *kind)
        try:
            reply = c("SET", "k", "w")
            assert isinstance(reply, Error), "a write that failed was answered with %r" % reply
        except ConnectionError:
            pass  # never answered: as good
        reply = other("SET", "l", "v")
        assert isinstance(reply, Error), reply
        holds(str(reply), "READONLY", "journal failed")
        holds(str(other("TSDB_SET", "t", 1, 1)), "READONLY")
        holds(str(other("FLUSHALL")), "READONLY")
        eq(other("GET", "l"), None)
        eq(other("PING"), "PONG")
        d = info(other)
        eq(d["journal_state"], "failed")
        eq(d["aof_last_write_status"], "err")
        until(lambda: "journal failed" in s.log(), what="the line in the log")
        s.stop()
        s.start()
        kept = s.client()("GET", "k")
        # A short write may have brought what counts and only cut the padding.
        assert kept == b"v" or (kept == b"w" and kind[0] == "short"), kept
        eq(s.client()("SET", "l", "v"), "OK")


def test_a_failed_core_leaves_the_other_writable(t):
    s = debug_server(t, cores=2, core_ports="yes")
    k0, k1 = keys_on(0, 2, 1)[0], keys_on(1, 2, 1)[0]
    c = s.core_client(0)
    eq(c("MSET", k0, "v", k1, "v"), "OK")
    fault(c, "eio", PERSISTENT)
    try:
        c("SET", k0, "w")
    except ConnectionError:
        pass
    for core in (0, 1):
        c = s.core_client(core)
        holds(str(c("SET", k0, "w")), "READONLY core 0")
        eq(c("SET", k1, "core%d" % core), "OK")
        eq(c("GET", k1), b"core%d" % core)
        holds(str(c("MSET", k0, "x", k1, "x")), "READONLY core 0")
        eq(c("GET", k1), b"core%d" % core)
    s.kill9()
    s.start()
    eq(s.client()("MGET", k0, k1), [b"v", b"core1"])


def test_a_transaction_over_maxmemory_is_refused_when_its_journal_failed(t):
    """It waits for no memory: what fills it can never be written, and so never leave."""
    s = debug_server(t, cores=2, core_ports="yes", maxmemory="1mb")
    k0, k1 = keys_on(0, 2, 1)[0], keys_on(1, 2, 1)[0]
    c = s.core_client(0, timeout=20)
    fault(c, "delay", PERSISTENT, 100)
    c.send_raw(encode("SET", k0, "v" * 900000))
    eq(c.read(), "OK")
    fault(c, "eio", PERSISTENT)
    try:
        c("SET", k0, "w" * 900000)
    except ConnectionError:
        pass
    for core in (0, 1):
        c = s.core_client(core, timeout=20)
        holds(str(c("SET", k0, "x")), "READONLY core 0")
        holds(str(c("MSET", k0, "x", k1, "x")), "READONLY core 0")
        eq(c.pipe([("MULTI",), ("SET", k0, "x")]), ["OK", "QUEUED"])
        holds(str(c("EXEC")), "READONLY core 0")


def test_writes_whose_journal_fails_are_never_answered_as_done(t):
    # A fault somewhere in a long pipeline, over two cores.
    for round in range(10 if t.long else 3):
        s = debug_server(t, cores=2, core_ports="yes")
        c = s.core_client(round % 2)
        keys = ["k%d" % i for i in range(3000)]
        fault(c, "eio", PERSISTENT)
        s.core_client(1 - round % 2)  # accepted
        c.send_raw(b"".join(b"*3\r\n$3\r\nSET\r\n$%d\r\n%b\r\n$1\r\nv\r\n" % (len(k), k.encode())
                            for k in keys))
        done = []
        try:
            for k in keys:
                if c.read() == "OK":
                    done.append(k)
        except ConnectionError:
            pass
        s.kill9()
        s.start()
        if done:
            eq(s.client()("EXISTS", *done), len(done))


# --- full disks -------------------------------------------------------------------------------------


class SmallDisk:
    """A file system of a few MiB on a loop device, or a tmpfs."""

    def __init__(self, t, mib):
        self.path, self.image = t.dir(), t.dir() + "/image"
        if os.geteuid() != 0:
            raise Skip("needs root to mount a small file system")
        with open(self.image, "wb") as f:
            f.truncate(mib << 20)
        made = subprocess.run(["mkfs.ext4", "-q", "-F", "-m", "0", self.image],
                              capture_output=True, text=True)
        how = ["mount", "-o", "loop", self.image, self.path]
        if made.returncode or subprocess.run(how, capture_output=True).returncode:
            how = ["mount", "-t", "tmpfs", "-o", "size=%dm" % mib, "tmpfs", self.path]
            if subprocess.run(how, capture_output=True).returncode:
                raise Skip("cannot mount a small file system here")

    def umount(self):
        for _ in range(50):
            if subprocess.run(["umount", self.path], capture_output=True).returncode == 0:
                return
            time.sleep(0.1)


def fill(path, leave=0):
    """Takes all room but `leave` bytes of the file system."""
    with open(path, "wb", buffering=0) as f:
        st = os.statvfs(os.path.dirname(path))
        left = st.f_bavail * st.f_frsize - leave
        try:
            while left > 0:
                left -= f.write(b"\0" * min(left, 1 << 20))
            os.fsync(f.fileno())
        except OSError:
            pass


def test_a_full_disk_refuses_writes_and_recovers_by_itself(t):
    disk = SmallDisk(t, 96)
    try:
        s = t.server(start=False)
        s.dir = os.path.join(disk.path, "data")
        s.start(checkpoint_journal_bytes="1gb", checkpoint_dirty_bytes="1gb")
        c = s.client()
        eq(c("SET", "k", "v"), "OK")
        ballast = os.path.join(disk.path, "ballast")
        fill(ballast)
        done, other = 0, s.client()
        while answered_unless_full(c, other, ("SET", "fill%d" % done, "x" * 100000)) == "OK":
            done += 1
        until(lambda: info(other)["journal_state"] == "full", what="a full journal")
        holds(str(other("SET", "probe", "x" * 100000)), "disk full")
        eq(other("GET", "k"), b"v")
        eq(other("PING"), "PONG")
        eq(info(other)["journal_state"], "full")
        until(lambda: "no room" in s.log(), what="the line in the log")
        os.unlink(ballast)
        until(lambda: other("SET", "again", "v") == "OK", what="writing again")
        eq(info(other)["journal_state"], "ok")
        s.kill9()
        s.start()
        c = s.client()
        eq(c("MGET", "k", "again"), [b"v", b"v"])
        if done:
            eq(c("EXISTS", *["fill%d" % i for i in range(done)]), done)
        s.stop()
    finally:
        t.abort()
        disk.umount()


def answered_unless_full(c, other, command):
    """The reply; None when the journal is full and the command waits for room."""
    c.send(*command)
    while not select.select([c.sock], [], [], 0.2)[0]:
        if info(other)["journal_state"] == "full":
            return None
    return c.read()


def full_core_1(t, disk):
    """Two cores on a disk without room; the journal of core 1 is full, with one SET taken that waits.
    Returns the server, that client, its key and the file to remove for room."""
    s = t.server(cores=2, core_ports="yes", start=False)
    s.dir = os.path.join(disk.path, "data")
    s.start(cores=2, checkpoint_journal_bytes="1gb", checkpoint_dirty_bytes="1gb",
            journal_segment_bytes="4mb", journal_batch_bytes="256kb")
    c, other = s.core_client(1), s.core_client(0)
    for core in (0, 1):
        for k in keys_on(core, 2, 3, "old"):
            eq(other("SET", k, "v"), "OK")
    ballast = os.path.join(disk.path, "ballast")
    fill(ballast)
    for k in keys_on(1, 2, 10000, "fill"):
        if answered_unless_full(c, other, ("SET", k, "x" * 100000)) is None:
            return s, c, k, ballast
    raise AssertionError("the journal of core 1 takes 1 GB on a full disk")


def test_a_full_disk_of_one_core_refuses_what_writes_to_it_and_others(t):
    disk = SmallDisk(t, 128)
    try:
        s, waits, pending, ballast = full_core_1(t, disk)
        k0, k1 = keys_on(0, 2, 3, "old"), keys_on(1, 2, 3, "old")
        n = s.core_client(0)("DBSIZE")
        for core in (0, 1):
            c = s.core_client(core)
            for command in (("SET", k1[0], "w"), ("MSET", k0[0], "w", k1[0], "w"),
                            ("DEL", k0[0], k1[0]), ("RENAME", k0[0], k1[0]),
                            ("RENAME", k1[0], k0[0]), ("COPY", k0[0], k1[0], "REPLACE"),
                            ("FLUSHDB",), ("FLUSHALL",)):
                holds(str(c(*command)), "ERR disk full")
            c.pipe([("MULTI",), ("SET", k0[0], "w"), ("SET", k1[0], "w")])
            holds(str(c("EXEC")), "ERR disk full")
            holds(str(c("SAVE")), "ERR the checkpoint failed", "No space left")
            eq(c("MGET", k0[0], k1[0]), [b"v", b"v"])
            eq(c("DBSIZE"), n)
        eq(s.core_client(1)("SET", k0[1], "w"), "OK")
        os.unlink(ballast)
        eq(waits.read(), "OK")
        c = s.core_client(0)
        until(lambda: c("MSET", k0[0], "w", k1[0], "w") == "OK", what="writing again")
        until(lambda: c("SAVE") == "OK", what="a checkpoint")
        s.kill9()
        s.start()
        eq(s.client()("MGET", k0[0], k1[0], k0[1], k1[1]), [b"w", b"w", b"w", b"v"])
        eq(s.client()("STRLEN", pending), 100000)
        s.stop()
    finally:
        t.abort()
        disk.umount()


def test_reads_over_cores_wait_for_what_they_show_and_for_nothing_else(t):
    disk = SmallDisk(t, 128)
    try:
        s, waits, pending, ballast = full_core_1(t, disk)
        k0, k1 = keys_on(0, 2, 3, "old"), keys_on(1, 2, 3, "old")
        for core in (0, 1):
            c = s.core_client(core)
            eq(c("MGET", *k0, *k1), [b"v"] * 6)
            eq(c("EXISTS", *k0, *k1, "absent"), 6)
            eq(c("TOUCH", *k0, *k1), 6)
            c.pipe([("MULTI",), ("GET", k0[0]), ("GET", k1[0])])
            eq(c("EXEC"), [b"v", b"v"])
            eq(c("WATCH", k0[0], k1[0]), "OK")
            eq(c("UNWATCH"), "OK")
            eq(sorted(c("KEYS", "old*")), sorted(k.encode() for k in k0 + k1))
            eq(c("CLUSTER", "COUNTKEYSINSLOT", key_slot(pending.encode())), 1)
            assert c("DBSIZE") > 6
        asking = []
        for core in (0, 1):
            for command in (("MGET", k0[0], pending), ("EXISTS", k0[0], pending), ("KEYS", "*"),
                            ("KEYS", pending)):
                asking.append(s.core_client(core))
                asking[-1].send(*command)
        # Commands that came after theirs, by the same way, are answered.
        for core in (0, 1):
            eq(s.core_client(core)("MGET", *k0, *k1), [b"v"] * 6)
        eq(select.select([c.sock for c in [waits] + asking], [], [], 0.2)[0], [])
        os.unlink(ballast)
        eq(waits.read(), "OK")
        for core in (0, 1):
            eq(asking[core * 4].read(), [b"v", b"x" * 100000])
            eq(asking[core * 4 + 1].read(), 2)
            assert pending.encode() in asking[core * 4 + 2].read()
            eq(asking[core * 4 + 3].read(), [pending.encode()])
        s.stop()
    finally:
        t.abort()
        disk.umount()


def test_a_full_disk_stops_checkpoints_but_loses_nothing(t):
    disk = SmallDisk(t, 128)
    try:
        s = t.server(start=False)
        s.dir = os.path.join(disk.path, "data")
        s.start()
        c = s.client()
        for i in range(100):
            eq(c("SET", "k%d" % i, str(i) * 10000), "OK")
        ballast = os.path.join(disk.path, "ballast")
        fill(ballast)
        reply = c("SAVE")
        assert isinstance(reply, Error), reply
        eq(c("GET", "k1"), b"1" * 10000)
        os.unlink(ballast)
        until(lambda: c("SAVE") == "OK", what="a checkpoint")
        eq(c("SET", "after", "v"), "OK")
        s.kill9()
        s.start()
        eq(s.client()("MGET", *["k%d" % i for i in range(100)]),
           [(b"%d" % i) * 10000 for i in range(100)])
        s.stop()
    finally:
        t.abort()
        disk.umount()


# --- damaged files ----------------------------------------------------------------------------------


def written(t, **settings):
    """A killed server with 300 keys in one journal segment, and what it had answered."""
    s = t.server(**settings)
    c = s.client()
    for i in range(300):
        eq(c("SET", "k%d" % i, "value %d" % i), "OK")
    s.kill9()
    return s


def last_data(path):
    """Offset behind the last byte that is not zero."""
    with open(path, "rb") as f:
        return len(f.read().rstrip(b"\0"))


def used_segments(s):
    return [p for p in s.segments() if last_data(p) > 4096]


def overwrite(path, offset, data):
    with open(path, "r+b") as f:
        f.seek(offset)
        f.write(data)


def test_a_torn_tail_is_cut_and_reported(t):
    for damage in ("garbage", "half", "zeros"):
        s = written(t)
        path = used_segments(s)[-1]
        end = (last_data(path) + 4095) // 4096 * 4096
        last = end - 4096
        if damage == "garbage":
            overwrite(path, end, os.urandom(1000))
        elif damage == "half":
            overwrite(path, last + 55, b"\0" * 41)
        else:
            overwrite(path, last, b"\0" * 4096)
        s.start()
        c = s.client()
        n = c("DBSIZE")
        lost = 0 if damage == "garbage" else 1  # one batch: the last SET
        eq(n, 300 - lost, damage)
        eq(c.pipe([("GET", "k%d" % i) for i in range(n)]),
           [b"value %d" % i for i in range(n)], damage)
        if damage == "half":
            holds(s.log(), "torn tail")
        eq(c("SET", "more", "x"), "OK")
        s.kill9()
        s.start()
        eq(s.client()("DBSIZE"), n + 1)
        s.stop()


def test_damage_before_the_tail_refuses_to_start_and_names_file_and_offset(t):
    s = written(t)
    path = used_segments(s)[-1]
    before = shutil.copytree(s.dir, s.dir + ".good")
    blocks = (last_data(path) - 1) // 4096  # the first is the header
    for block in (1, blocks // 2, 0):
        offset = block * 4096 + t.random.randrange(0 if block else 4, 60 if block else 40)
        with open(path, "rb") as f:
            f.seek(offset)
            byte = f.read(1)[0]
        overwrite(path, offset, bytes([byte ^ (1 << t.random.randrange(8))]))
        log = s.start_fails()
        holds(log, os.path.basename(path))
        named = re.search(r"offset (\d+)", log)
        assert named, log
        assert abs(int(named.group(1)) - block * 4096) <= 4096, (log, block * 4096)
        shutil.rmtree(s.dir)
        shutil.copytree(before, s.dir)
    s.start()
    eq(s.client()("DBSIZE"), 300)


def test_a_truncated_segment_refuses_to_start(t):
    # Segments are made in full length before they are used: no crash shortens one.
    s = written(t)
    path = used_segments(s)[-1]
    size = os.path.getsize(path)
    os.truncate(path, last_data(path) - 2000)
    holds(s.start_fails(), os.path.basename(path), "shorter")
    os.truncate(path, size)


def test_a_missing_segment_refuses_to_start(t):
    s = t.server(journal_segment_bytes="1mb", journal_batch_bytes="64kb",
                 checkpoint_journal_bytes="1gb")
    c = s.client()
    for i in range(40):
        c.pipe([("SET", "k%d" % i, "x" * 100000)])
    s.kill9()
    used = used_segments(s)
    assert len(used) > 3, used
    os.unlink(used[1])
    holds(s.start_fails(), os.path.basename(used[0]), "the next segment begins at LSN")


def test_a_damaged_manifest_refuses_to_start(t):
    s = written(t)
    path = os.path.join(s.dir, "MANIFEST")
    with open(path, "rb") as f:
        good = f.read()
    for bad in (good.replace(b"cores 1", b"cores 2"), b"", b"hello\n", good[:-5],
                good.replace(b"pinstripe 2", b"pinstripe 9")):
        with open(path, "wb") as f:
            f.write(bad)
        holds(s.start_fails(), "MANIFEST")
    with open(path, "wb") as f:
        f.write(good)
    s.start()
    eq(s.client()("DBSIZE"), 300)


# --- wrong starts -----------------------------------------------------------------------------------


def test_a_second_server_on_the_directory_is_refused_and_names_the_first(t):
    s = t.server()
    second = t.server(start=False)
    second.dir = s.dir
    log = second.start_fails()
    holds(log, "in use by process %d" % s.process.pid, s.dir)
    eq(s.client()("SET", "k", "v"), "OK")


def test_a_port_that_is_taken_is_named(t):
    s = t.server()
    second = t.server(start=False)
    second.port = s.port
    taken = subprocess.Popen(["/usr/bin/python3", "-c", """
import socket, sys, time
s = socket.socket(); s.bind(("127.0.0.1", 0)); s.listen(); print(s.getsockname()[1], flush=True)
time.sleep(600)"""], stdout=subprocess.PIPE, text=True, preexec_fn=die_with_parent)
    second.port = int(taken.stdout.readline())
    log = second.start_fails()
    taken.kill()
    taken.wait()
    holds(log, str(second.port), "in use")


def test_wrong_settings_are_named_with_what_is_allowed(t):
    for name, value, parts in (
            ("appendfsync", "sometimes", ["always", "everysec"]),
            ("port", "0", ["1", "65535"]),
            ("port", "x", []),
            ("journal-segment-bytes", "1", ["1048576"]),
            ("hz", "501", ["500"]),
            ("cpus", "99999", []),
            ("databases", "17", ["16"]),
            ("no-such-setting", "1", ["unknown"]),
            ("save", "60 1", [])):
        s = t.server(start=False, **{name.replace("-", "_"): value})
        if name == "port":
            s.port = value
            s.settings.pop("port")
        if name == "cpus":
            s.argv = lambda s=s: [s.binary, "--dir", s.dir, "--cpus", "99999"]
        log = s.start_fails()
        holds(log, name, *parts)


def test_a_configuration_file_is_read_and_errors_name_file_and_line(t):
    path = os.path.join(t.dir(), "pinstripe.yaml")

    def write(text):
        with open(path, "w") as f:
            f.write(text)

    write("timeout: 77\nappendfsync: everysec\n")
    s = t.server(config_file=path)
    eq(s.client()("CONFIG", "GET", "timeout"), [b"timeout", b"77"])
    eq(s.client()("CONFIG", "GET", "appendfsync"), [b"appendfsync", b"everysec"])
    s.stop()
    for text, line, part in (("timeout: 77\nappendfsync: sometimes\n", 2, "everysec"),
                             ("# c\n\ntimeuot: 7\n", 3, "timeout"),
                             ("timeout: 7\ntimeout: 8\n", 2, "timeout"),
                             ("timeout: [1\n", None, path)):
        write(text)
        log = s.start_fails()
        holds(log, path, part)
        if line:
            assert re.search(r"\b%d\b" % line, log.replace(path, "")), (line, log)
    os.unlink(path)
    holds(s.start_fails(), path)


def test_an_address_others_can_reach_needs_a_password(t):
    s = t.server(start=False, bind="0.0.0.0")
    holds(s.start_fails(), "requirepass", "protected-mode")
    s.start(requirepass="secret")
    eq(s.client(password="secret")("PING"), "PONG")
    s.stop()
    s.start(requirepass=None, protected_mode="no")
    eq(s.client()("PING"), "PONG")


def test_a_directory_that_cannot_be_used_is_named(t):
    file = os.path.join(t.dir(), "file")
    open(file, "w").close()
    s = t.server(start=False)
    s.dir = os.path.join(file, "data")
    holds(s.start_fails(), s.dir)
    s.dir = os.path.join(t.dir(), "no", "such", "parent")
    holds(s.start_fails(), "parent")
