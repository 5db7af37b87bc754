"""Files of the data directory that are lost, exchanged or from elsewhere: never a start that is silent about it."""
import os
import shutil
import signal
import subprocess

from pinstripe import eq, holds, until


def filled(t, cores=1):
    """A server that was killed, with 200 keys in its store and 200 behind it in its journal."""
    s = t.server(cores=cores)
    c = s.client()
    for part in range(2):
        eq(c.pipe([("SET", "k%d" % i, "v%d" % i) for i in range(200 * part, 200 * part + 200)]),
           ["OK"] * 200)
        if part == 0:
            eq(c("SAVE"), "OK")
    until(lambda: all(len(s.segments(core)) > 1 for core in range(cores)), what="a journal file ahead")
    s.kill9()
    return s


def read(path):
    with open(path, "rb") as f:
        return f.read()


def part(s, core, what=""):
    return os.path.join(s.dir, "gen-000001", "core-%03d" % core, what).rstrip("/")


def exchange(a, b):
    os.rename(a, a + ".x")
    os.rename(b, a)
    os.rename(a + ".x", b)


def check(t, s):
    """What pinstripe-check says, and its exit status."""
    tool = os.path.join(os.path.dirname(s.binary), "tools", "pinstripe-check")
    done = subprocess.run([tool, s.dir], capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def refused(t, s, *why):
    holds(s.start_fails(), "not started", *why)
    status, text = check(t, s)
    assert status, text


def all_there(t, s):
    s.start()
    c = s.client()
    eq(c("DBSIZE"), 400)
    eq(c("MGET", *["k%d" % i for i in range(400)]), [b"v%d" % i for i in range(400)])
    s.stop()
    eq(check(t, s)[0], 0)


def test_data_without_its_manifest_is_refused_and_kept(t):
    s = filled(t)
    manifest = os.path.join(s.dir, "MANIFEST")
    os.rename(manifest, manifest + ".saved")
    refused(t, s, "MANIFEST' is missing")
    os.rename(part(s, 0)[:-9], os.path.join(s.dir, "gen-000007"))
    refused(t, s, "MANIFEST' is missing", "gen-000007")
    os.rename(os.path.join(s.dir, "gen-000007"), os.path.join(s.dir, "gen-000001"))
    os.rename(manifest + ".saved", manifest)
    all_there(t, s)


def test_what_is_missing_of_a_core_is_not_made_anew(t):
    s = filled(t, cores=2)
    for lost in (part(s, 0)[:-9], part(s, 0), part(s, 1), part(s, 1, "store"),
                 part(s, 1, "journal")):
        os.rename(lost, s.root + "/lost")
        refused(t, s, "a core are missing")
        os.rename(s.root + "/lost", lost)
    for path in s.segments(1):
        os.rename(path, path + ".saved")
    refused(t, s, "there is no journal file")
    for path in s.segments(1) or os.listdir(part(s, 1, "journal")):
        if path.endswith(".saved"):
            path = os.path.join(part(s, 1, "journal"), path)
            os.rename(path, path[:-6])
    all_there(t, s)


def refused_exchanged(t, s, mine, theirs, why):
    """Parts of s, each in the place of another one."""
    for what in ("", "store", "journal"):
        exchange(mine(what), theirs(what))
        refused(t, s, why)
        exchange(mine(what), theirs(what))
    all_there(t, s)


def test_exchanged_parts_are_refused(t):
    s = filled(t, cores=2)
    refused_exchanged(t, s, lambda what: part(s, 0, what), lambda what: part(s, 1, what), "files were exchanged")


def test_parts_of_another_server_are_refused(t):
    s, other = filled(t), filled(t)
    refused_exchanged(t, s, lambda what: part(s, 0, what), lambda what: part(other, 0, what),
                      "come from another place")


def test_a_journal_older_than_its_store_is_refused(t):
    for cores in (1, 2):
        s = filled(t, cores=cores)
        core = cores - 1
        journal = part(s, core, "journal")
        shutil.copytree(journal, s.root + "/older")
        s.start()
        c = s.client()
        eq(c.pipe([("SET", "k%d" % i, "new") for i in range(400)]), ["OK"] * 400)
        eq(c("SAVE"), "OK")
        s.kill9()
        os.rename(journal, s.root + "/newer")
        os.rename(s.root + "/older", journal)
        refused(t, s, "the journal ends at LSN")
        holds(check(t, s)[1], "core-%03d/journal: DAMAGED" % core, "the journal ends at LSN")
        os.rename(journal, s.root + "/older")
        os.rename(s.root + "/newer", journal)
        s.start()
        eq(s.client()("GET", "k399"), b"new")
        s.kill9()


def test_a_journal_without_its_first_file_is_refused(t):
    s = filled(t)
    c = s.start().client()
    for i in range(8):  # over several files
        eq(c("SET", "long%d" % i, "x" * 900000), "OK")
    s.kill9()
    first = s.segments()[0]
    os.rename(first, s.root + "/first")
    refused(t, s, "records are missing: the segment begins at LSN")
    holds(check(t, s)[1], "core-000/journal: DAMAGED", "records are missing")
    os.rename(s.root + "/first", first)
    eq(check(t, s)[0], 0)
    s.start()
    eq(s.client()("DBSIZE"), 408)
    s.stop()
    eq(check(t, s)[0], 0)


def test_a_check_changes_nothing_and_may_run_beside_a_server(t):
    def files():
        return sorted((path, f, os.path.getsize(os.path.join(path, f)), os.stat(os.path.join(path, f)).st_mtime_ns)
                      for path, _, names in os.walk(s.dir) for f in names)

    s = filled(t)
    before = files()
    eq(check(t, s)[0], 0)
    eq(files(), before)
    os.rename(part(s, 0, "store") + "/CURRENT", s.root + "/current")
    refused(t, s, "no CURRENT file")
    os.rename(s.root + "/current", part(s, 0, "store") + "/CURRENT")
    s.start()
    c = s.client()
    for i in range(5):
        eq(c("SET", "more", i), "OK")
        eq(c("SAVE"), "OK")
        status, text = check(t, s)
        eq(status, 0, text)
        holds(text, "in use by a running server")
    s.stop()


def test_a_segment_without_its_length_or_header_is_refused(t):
    s = filled(t)
    path, good = next((path, data) for path in s.segments() if b"v399" in (data := read(path)))
    for bad in (b"", good[:100], b"\0" * len(good), os.urandom(16) + b"\0" * (len(good) - 16)):
        with open(path, "wb") as f:
            f.write(bad)
        refused(t, s, os.path.basename(path))
    with open(path, "wb") as f:
        f.write(good)
    all_there(t, s)


def test_parts_may_be_elsewhere_behind_links(t):
    s = filled(t, cores=2)
    for where in (part(s, 0, "journal"), part(s, 1, "store"), part(s, 1), part(s, 0)[:-9], s.dir):
        elsewhere = os.path.join(t.dir(), "moved")
        os.rename(where, elsewhere)
        os.symlink(elsewhere, where)
        all_there(t, s)
        eq(check(t, s)[1].count("/journal: "), 2)


def test_a_start_cut_short_before_its_first_client_starts_again(t):
    s = t.server(start=False)
    for delay in range(8):
        shutil.rmtree(s.dir, ignore_errors=True)
        s.spawn()
        try:
            s.process.wait(0.004 * delay * delay)
        except subprocess.TimeoutExpired:
            pass
        s.process.send_signal(signal.SIGKILL)
        s.process.wait()
        s.start()
        eq(s.client()("SET", "k", "v"), "OK")
        s.kill9()
