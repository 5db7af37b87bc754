"""pinstripe-load and pinstripe-dump: what was loaded comes back byte for byte, whatever is killed."""
import glob
import gzip
import os
import re
import socket
import subprocess
import sys
import threading
import time

from pinstripe import Skip, eq, free_ports, holds, key_slot
from resp import Client

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
DATA = os.path.join(ROOT, "../../shared/data/ticks")
TICKS = sorted(glob.glob(os.path.join(DATA, "*.csv.gz"))) or \
    sorted(glob.glob("/work/shared/data/ticks/*.csv.gz"))
TOOL_SECONDS = 120


class Tools:
    """The two programs against one server."""

    def __init__(self, t, server):
        self.t, self.server = t, server
        self.bin = os.path.join(os.path.dirname(t.binary), "tools")
        self.dir = t.dir()

    def argv(self, program, *args):
        return [os.path.join(self.bin, program), "--port", str(self.server.port), *map(str, args)]

    def run(self, program, *args, status=0):
        r = subprocess.run(self.argv(program, *args), stdin=subprocess.DEVNULL,
                           capture_output=True, timeout=TOOL_SECONDS)
        said = r.stderr.decode()
        assert r.returncode == status, "%s %s: status %d, not %d:\n%s" % (program, args,
                                                                          r.returncode, status, said)
        return r.stdout, said

    def load(self, *args, status=0):
        return self.run("pinstripe-load", *args, status=status)[1]

    def dump(self, *args, status=0):
        return self.run("pinstripe-dump", *args, status=status)[0]

    def file(self, name, content):
        path = os.path.join(self.dir, name)
        with open(path, "wb") as f:
            f.write(content.encode() if isinstance(content, str) else content)
        return path


def same(got, want, what=""):
    """Bytes, with the first line that differs."""
    if got == want:
        return
    a, b = got.split(b"\n"), want.split(b"\n")
    at = next((i for i in range(min(len(a), len(b))) if a[i] != b[i]), min(len(a), len(b)))
    raise AssertionError("%s: line %d: got %r, want %r" % (what, at + 1, a[at:at + 1], b[at:at + 1]))


def generated(rows, seed):
    return subprocess.run([sys.executable, os.path.join(ROOT, "tools/gen-ticks"), "--rows",
                           str(rows), "--seed", str(seed)], check=True, capture_output=True).stdout


TICK_COLUMNS = ("--columns", "time,00/decimals=2,01", "--time", "ms")


# --- back and forth -----------------------------------------------------------------------------------


def test_generated_ticks_come_back_byte_for_byte(t):
    s = t.server(duplicate_policy="KEEP", cores=2)
    tools = Tools(t, s)
    text = generated(20000, t.random.randrange(1000))
    path = tools.file("a.csv", text)
    tools.load(*TICK_COLUMNS, "--key", "plain", path)
    for page in (2, 7, 10000, 1000000):
        same(tools.dump("plain", "--format", "csv", *TICK_COLUMNS, "--page", page), text, "page")
    eq(s.client().ok("SAVE"), "OK")
    for ending in ("gz", "zst"):
        packed = os.path.join(tools.dir, "b.csv." + ending)
        tools.dump("plain", "--format", "csv", *TICK_COLUMNS, "--output", packed)
        assert os.path.getsize(packed) < len(text) / 2
        tools.load(*TICK_COLUMNS, "--key", ending, packed)
        same(tools.dump(ending, "--format", "csv", *TICK_COLUMNS), text, ending)
    packed = os.path.join(tools.dir, "points.zst")
    tools.dump("plain", "--output", packed)
    tools.load("--format", "points", "--key", "again:{key}", packed)
    same(tools.dump("again:plain", "--format", "csv", *TICK_COLUMNS), text, "points")
    with gzip.open(os.path.join(tools.dir, "two.gz"), "wb") as f:  # members after each other
        f.write(text[:1000])
    with gzip.open(os.path.join(tools.dir, "two.gz"), "ab") as f:
        f.write(text[1000:])
    tools.load(*TICK_COLUMNS, "--key", "two", os.path.join(tools.dir, "two.gz"))
    same(tools.dump("two", "--format", "csv", *TICK_COLUMNS), text, "two members")


SAMPLES = (
    # name, text, options of both, options of the dump
    ("names", "date,open,x,close\n2024-02-29 12:30:00,1.5,zzz,-0.25\n2024-02-29 12:31:00,2,y,1e+300\n",
     ("--columns", "date=time,open=00,close=ff", "--time", "%Y-%m-%d %H:%M:%S"), None),
    ("sensor", "2013-12-02 21:15:00,73.96732207\n2013-12-02 21:20:00,0.00001\n",
     ("--columns", "time,00", "--time", "%Y-%m-%d %H:%M:%S"), ()),
    ("split", "20240102;09:30:00.25;1.50;P;a0\n20240102;09:30:00.50;-0.50;NSDQ;0\n",
     ("--columns", "time,time,00/decimals=2,01/text,02/hex", "--delimiter", ";", "--time",
      "%Y%m%d %H:%M:%S.%f", "--unit", "us"), None),
    ("zone", "1383456600,1\n1383460200,2\n", ("--columns", "time,00", "--time", "s"), ()),
    ("quality", "5,1.5,0\n5,1.5,192\n6,2,255\n", ("--columns", "time,00,quality", "--time", "ms"), ()),
    ("scaled", "-1,1815200\n0,0\n1,-5\n2,10000\n",
     ("--columns", "time,7f/scale=10000", "--time", "ms"), ()),
    ("empty", "1,,2\n2,3,\n3,4,5\n", ("--columns", "time,00,01", "--time", "ms"), ()),
    ("floats", "1,7.0,-1.5\n2,0.1,-0.0\n3,100000000000000000000.0,1e+300\n",
     ("--columns", "time,00/float,01/float", "--time", "ms"), ()),
    ("large", "1,1%s\n2,-95%s\n3,1e+31\n4,0.%s1\n5,1e-31\n" % ("0" * 30, "0" * 29, "0" * 29),
     ("--columns", "time,00", "--time", "ms"), ()),
    ("upper", "1,FF,\n2,0,abcdef\n", ("--columns", "time,00/HEX,01/text", "--time", "ms"), ()),
)


def test_samples_of_every_kind_of_column_come_back_byte_for_byte(t):
    s = t.server(duplicate_policy="KEEP")
    tools = Tools(t, s)
    for name, text, options, back in SAMPLES:
        tools.load(*options, "--key", name, tools.file(name + ".csv", text))
        got = tools.dump(name, "--format", "csv", *options)
        if back is None:  # columns that were passed over, decimals that were superfluous
            again = tools.file(name + "2.csv", got)
            tools.load(*options, "--key", name + "2", again)
            same(tools.dump(name + "2", "--format", "csv", *options), got, name)
            eq(len(got.splitlines()), len(text.splitlines()), name)
        else:
            same(got, text.encode(), name)


def test_keys_of_templates_columns_and_suffixes(t):
    s = t.server(duplicate_policy="KEEP", cores=2)
    tools = Tools(t, s)
    text = "".join('%d,"%s",%d,%d\n' % (i, k, i, -i) for k in ('a "b"', "b,c", "z") for i in range(50))
    options = ("--columns", "time,key,00/key=:up,00/key=:down", "--time", "ms", "--key", "q_{key}_")
    tools.load(*options, tools.file("k.csv", text.replace('a "b"', 'a ""b""')))
    got = tools.dump("--format", "csv", *options)
    same(got, text.replace('a "b"', 'a ""b""').replace('"z"', "z").encode(), "keys")
    eq(sorted(s.client()("KEYS", "*")),
       sorted(b"q_" + k + b"_" + e for k in (b'a "b"', b"b,c", b"z") for e in (b":up", b":down")))
    eq(tools.dump("q_z_:up", "--header", "no", "--start", 48, "--end", 49),
       b"q_z_:up,48,00,0,48\nq_z_:up,49,00,0,49\n")
    said = tools.run("pinstripe-dump", "*", "--format", "csv", "--columns", "time,00", status=2)[1]
    holds(said, "6 keys would become one file")


def test_line_protocol_comes_back(t):
    s = t.server(duplicate_policy="KEEP")
    tools = Tools(t, s)
    text = ("cpu,host=a\\ b,region=eu busy=1.5,n=-2i,on=true,u=3u 1700000000000000000\n"
            "cpu,host=a\\ b,region=eu busy=2,n=7i,on=false 1700000001000000000\n"
            "me\\,m free=7 1700000000001000000\n")
    options = ("--format", "influx", "--key", "tg:{key}")
    tools.load(*options, tools.file("a.lp", text))
    same(tools.dump(*options), text.encode(), "influx")
    said = tools.load(*options, tools.file("b.lp", "# note\nm a=1,s=\"x, \\\" y\" 5000000\nm b=1 5000001\n"
                                           "m b=1\nm\nm a=x 1\nm a=\"x 1\n"), status=1)
    holds(said, "b.lp:3: time '5000001' is finer", "b.lp:4: the line has no time",
          "b.lp:5: the line has no fields", "b.lp:6: ", "b.lp:7: the line has a text that is not closed",
          "1 values are text", "5 bad lines")
    tools.load(*options, "--truncate-times", tools.file("c.lp", "t b=1 5000001\n"))
    holds(tools.dump(*options).decode(), "t b=1 5000000\n")


def test_line_protocol_with_blanks_before_lines_is_read(t):
    s = t.server()
    tools = Tools(t, s)
    text = "  m b=1 1000000\n \n\t\n   # note\r\n\tm b=2 2000000\r\n \t m  b=3   3000000 \n"
    holds(tools.load("--format", "influx", tools.file("a.lp", text)), "loaded 3 points of 6 lines")
    same(tools.dump("--format", "influx", "--key", "{key}"), b"m b=1 1000000\nm b=2 2000000\nm b=3 3000000\n")


def test_what_line_protocol_cannot_say_is_counted(t):
    s = t.server()
    tools, c = Tools(t, s), s.client()
    c("TS.ADD", "m f", 1, "nan")
    for field, ts, value, quality in (("g", 1, 1.5, 1), ("g", 2, 1e300, 1), ("h", 2, -5, 2), ("i", 2, 7, 3),
                                      ("j", 2, 7, 9), ("l", 2, 2 ** 53, 1), ("l", 3, "-0", 1), ("l", 4, 1, 3)):
        c.ok("TSDB_SET", "m " + field, ts, value, "00", quality)
    text = b"m g=1.5 1000000\nm g=1e+300,h=-5,i=7,j=7,l=9007199254740992i 2000000\nm l=-0 3000000\n" \
           b"m l=true 4000000\n"
    out, said = tools.run("pinstripe-dump", "--format", "influx", "--key", "{key}", status=1)
    same(out, text)
    holds(said, "5 values are not of the type", "1 values are NaN or infinite", "8 points in 4 lines")
    holds(tools.run("pinstripe-dump", "m f", "--format", "influx", status=1)[1], "0 points in 0 lines")
    tools.load("--format", "influx", "--key", "n:{key}", tools.file("a.lp", text))
    same(tools.dump("--format", "influx", "--key", "n:{key}"), text)
    for ts in range(1, 40):
        c.ok("TSDB_SET", "n:m g", ts, 8, "01")
        c.ok("TSDB_SET", "n:m h", ts, 8, "ff")
    for page in (2, 7, 10000):
        out, said = tools.run("pinstripe-dump", "--format", "influx", "--key", "n:{key}", "--page", page, status=1)
        same(out, text)
        holds(said, " 78 points are of other data types than 00")
    for key in ("m", "m a b", "m a=b", "m,x f", "#m f", "\tm f", "m f\\", "m,a=b=c f", "m  f", "m "):
        c("FLUSHALL")
        c.ok("TSDB_SET", key, 1, 1)
        holds(tools.run("pinstripe-dump", "--format", "influx", "--key", "{key}", status=2)[1],
              "is not of the form 'measurement,tags field'")


def labels_of(c, key):
    info = c("TS.INFO", key)
    if not isinstance(info, dict):
        info = dict(zip(info[::2], info[1::2]))
    pairs = next(v for k, v in info.items() if k in ("labels", b"labels"))
    return {bytes(k): bytes(v) for k, v in pairs}


def test_series_get_labels_of_tags_columns_and_file_names(t):
    s = t.server(duplicate_policy="KEEP", cores=2)
    tools, c = Tools(t, s), s.client()
    c("SET", "q_str", "x")
    c("TS.CREATE", "q_a", "LABELS", "old", "1")
    for more in ((), ("--resume", "--window", 16)):
        text = "".join("%d,%s,%d,%d\n" % (i, k, i, i) for i in range(200) for k in ("a", "b c", "str"))
        said = tools.load("--columns", "time,key,00,00/key=:x", "--time", "ms", "--key", "q_{key}",
                          "--labels", "symbol={key},market=us {date}", *more,
                          tools.file("t_20240102.csv", text), status=1)
        holds(said, "200 points refused")
        assert "labels" not in said, said
        for key, symbol in ((b"q_a", b"a"), (b"q_b c", b"b c"), (b"q_b c:x", b"b c")):
            eq(labels_of(c, key), {b"symbol": symbol, b"market": b"us 20240102"}, key)
    line = "m,host=%s f=1,g=2,t=\"x\" %%d000000\nn f=1,h\\ i=2 %%d000000\n" % ("y" * 65100)
    path = tools.file("a.lp", "".join(line % (i, i) for i in range(5)))
    said = tools.load("--format", "influx", path, status=1)
    holds(said, "a.lp:1: labels are refused", "2 series have not got their labels", "0 points refused")
    eq(labels_of(c, b"n f"), {b"_measurement": b"n", b"_field": b"f"})
    eq(labels_of(c, b"n h\\ i"), {b"_measurement": b"n", b"_field": b"h i"})
    holds(tools.load("--format", "influx", "--strict", path, status=3), "stopped at the first refusal")
    good = tools.file("b.lp", "m\\ x,host=a\\ b,dc=e\\=u\\,(f) f=1 5000000\n")
    tools.load("--format", "influx", "--labels", "from={file}", good)
    key = b"m\\ x,host=a\\ b,dc=e\\=u\\,(f) f"
    eq(labels_of(c, key), {b"_measurement": b"m x", b"host": b"a b", b"dc": b"e=u__f_", b"_field": b"f",
                           b"from": b"b"})
    eq(c("TS.QUERYINDEX", "host=a b"), [key])
    tools.load("--format", "influx", "--labels", "none", "--key", "none:{key}", good)
    eq(labels_of(c, b"none:" + key), {})
    for wrong, what in (("x", "is not of the form NAME=TEXT"), ("a={foo}", "has a name other than"),
                        ("a={key}", "no key column"), ("a=", "is empty")):
        holds(tools.load("--columns", "time,00", "--labels", wrong, good, status=2), what)


def test_many_points_of_one_time_are_neither_lost_nor_doubled_at_pages(t):
    s = t.server(duplicate_policy="KEEP")
    tools = Tools(t, s)
    r = t.random
    rows, ts = [], -5
    for i in range(8000):
        ts += r.choice((0,) * 40 + (1, 2))
        rows.append("%d,%d" % (ts, i))
    rows += ["9223372036854775807,%d" % i for i in range(300)]
    rows = ["-9223372036854775808,%d" % i for i in range(300)] + rows
    text = ("\n".join(rows) + "\n").encode()
    options = ("--columns", "time,00", "--time", "ms")
    tools.load(*options, "--key", "k", tools.file("a.csv", text))
    for page in (2, 3, 64, 299, 300, 301, 5000):
        same(tools.dump("k", "--format", "csv", *options, "--page", page), text, "page %d" % page)
        eq(tools.dump("k", "--header", "no", "--page", page).count(b"\n"), len(rows), page)


def test_more_points_of_one_time_than_one_answer_holds(t):
    if not t.long:
        raise Skip("1.1 million points, with --long")
    s = t.server(duplicate_policy="KEEP")
    tools = Tools(t, s)
    rows = ["k,1,00,0,1", "k,1,05,0,1"]
    rows += ["k,5,00,1,%d" % i for i in range(600000)] + ["k,5,7f,2,%d" % i for i in range(500000)]
    rows += ["k,6,00,0,1", "k,7,05,0,1"]
    text = "key,time,type,quality,value\n" + "\n".join(rows) + "\n"
    tools.load("--format", "points", tools.file("crowd.csv", text))
    same(tools.dump("k"), text.encode(), "crowd")


def lean_options(path):
    name = os.path.basename(path)[:-len(".csv.gz")]
    date = re.search(r"[0-9]{8}", name).group()
    key = name.replace("_" + date, "")
    kind = "lean-forex" if name.startswith("xau") else "lean-" + key.split("_")[1]
    return key, date, kind, "ns" if kind == "lean-forex" else "ms"


def check_ticks(tools):
    for path in TICKS:
        key, date, kind, unit = lean_options(path)
        with gzip.open(path, "rb") as f:
            want = f.read()
        got = tools.dump(key, "--format", kind, "--date", date, "--unit", unit, "--timezone",
                         "America/New_York", "--no-final-newline")
        same(got, want, os.path.basename(path))


def load_ticks(tools, *options):
    for unit in ("ms", "ns"):
        files = [p for p in TICKS if lean_options(p)[3] == unit]
        if files:
            yield tools.argv("pinstripe-load", "--format", "lean", "--unit", unit, "--timezone",
                             "America/New_York", *options, *files)


def need_ticks():
    if not TICKS:
        raise Skip("the tick files are not in %s" % os.path.normpath(DATA))


def test_every_file_of_ticks_comes_back_byte_for_byte(t):
    need_ticks()
    s = t.server(duplicate_policy="KEEP", cores=2)
    tools = Tools(t, s)
    for argv in load_ticks(tools):
        subprocess.run(argv, check=True, capture_output=True, timeout=TOOL_SECONDS)
    check_ticks(tools)
    eq(s.client().ok("SAVE"), "OK")
    s.restart()
    check_ticks(tools)


test_every_file_of_ticks_comes_back_byte_for_byte.seconds = 400


# --- going on -----------------------------------------------------------------------------------------


def until_loaded(t, s, argv, kills):
    """Runs the load again and again, killing it, the server, or both on the way."""
    done = 0
    while True:
        if not s.is_running():
            s.start()
        loader = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                  stderr=subprocess.PIPE)
        if done < kills:
            done += 1
            try:
                loader.wait(t.random.uniform(0.02, 0.5))
            except subprocess.TimeoutExpired:
                if done % 3 != 0:
                    s.kill9()
                if done % 3 != 1:
                    loader.kill()
        said = loader.communicate(timeout=TOOL_SECONDS)[1].decode()
        if loader.returncode == 0:  # perhaps in the moment before the server was killed
            if not s.is_running():
                s.start()
            return
        assert loader.returncode in (3, -9), "status %d:\n%s" % (loader.returncode, said)


def test_every_tick_is_there_once_when_loads_and_servers_are_killed(t):
    need_ticks()
    s = t.server(duplicate_policy="KEEP", cores=2, checkpoint_journal_bytes="8mb", start=False)
    tools = Tools(t, s)
    for argv in load_ticks(tools, "--resume", "--rate", 400000):
        until_loaded(t, s, argv, 6 if "ms" in argv else 1)
    check_ticks(tools)
    eq(s.client().ok("SAVE"), "OK")
    s.kill9()
    s.start()
    check_ticks(tools)


test_every_tick_is_there_once_when_loads_and_servers_are_killed.seconds = 600


def test_a_killed_load_of_many_keys_goes_on_without_loss_or_doubles(t):
    r = t.random
    for cores, unit_policy in ((1, "KEEP"), (2, "KEEP"), (2, "SUM")):
        s = t.server(duplicate_policy=unit_policy, cores=cores)
        tools = Tools(t, s)
        n = 60000
        text = "".join("%d,k%d,%d\n" % (i // 7, r.randrange(300), i % 1000) for i in range(n))
        want = {}
        for line in text.splitlines():
            ts, key, value = line.split(",")
            of_key = want.setdefault(key, [])
            if unit_policy == "SUM" and of_key and of_key[-1][0] == int(ts):
                of_key[-1] = (int(ts), of_key[-1][1] + int(value))
            else:
                of_key.append((int(ts), int(value)))
        path = tools.file("many.csv", text)
        argv = tools.argv("pinstripe-load", "--resume", "--columns", "time,key,00", "--time", "ms",
                          "--key", "s:{key}", "--rate", 100000, path)
        until_loaded(t, s, argv, 5)
        got = {}
        for line in tools.dump("s:*", "--header", "no").decode().splitlines():
            key, ts, _, _, value = line.split(",")
            got.setdefault(key[2:], []).append((int(ts), int(value)))
        eq(got.keys(), want.keys())
        for key in want:
            eq(got[key], want[key], key)
        eq(s.client()("KEYS", "pinstripe-load:*"), [b"pinstripe-load:many.csv"])
        s.stop()


def test_a_resumed_load_takes_only_what_was_added(t):
    s = t.server(duplicate_policy="KEEP")
    tools = Tools(t, s)
    options = ("--resume", "--columns", "time,00", "--time", "ms", "--key", "k")
    path = tools.file("grows.csv", "1,1\n2,2\n")
    tools.load(*options, path)
    tools.load(*options, path)
    with open(path, "a") as f:
        f.write("3,3\n3,4\n")
    holds(tools.load(*options, path), "going on behind line 2")
    eq(tools.dump("k", "--format", "csv", "--columns", "time,00", "--time", "ms"),
       b"1,1\n2,2\n3,3\n3,4\n")
    holds(tools.load(*options[:-1], "other", path, status=2), "with other columns, key, time or unit")
    tools.file("grows.csv", "7,7\n8,8\n9,9\n3,4\n")
    holds(tools.load(*options, path, status=2), "began otherwise")
    tools.load(*options, "--load-name", "second", path)
    long = "".join("%d,%d\n" % (i, i) for i in range(2000))  # begins with more than is remembered of it
    path = tools.file("long.csv", long)
    tools.load(*options[:-1], "long", path)
    tools.load(*options[:-1], "long", tools.file("long.csv", long.replace("1500,1500", "1500,1501") + "2000,1\n"))
    for wrong in (long + "2000,2\n2001,1\n", long.replace("1700,1700", "11700,1700") + "2000,1\n"):
        tools.file("long.csv", wrong)
        holds(tools.load(*options[:-1], "long", path, status=2), "whose line 200", "was another")
    tools.file("long.csv", long)
    holds(tools.load(*options[:-1], "long", path, status=3), "shorter than what was loaded")
    held = Client(s.port)
    held("CLIENT", "SETNAME", "pinstripe-load:third")
    holds(tools.load(*options, "--load-name", "third", "--wait", 0, path, status=3),
          "another load is connected")
    held.close()
    tools.load(*options, "--load-name", "third", path)


class Meddler(threading.Thread):
    """Passes on what clients send to a server; `spoil` may put other words in place of a command."""

    def __init__(self, port, spoil):
        super().__init__(daemon=True)
        self.to, self.spoil = port, spoil
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]

    def back(self, server, client):
        try:
            while (some := server.recv(65536)):
                client.sendall(some)
        except OSError:
            pass
        client.close()

    def forth(self, client, server):
        f = client.makefile("rb")
        try:
            while (line := f.readline()):
                words = [f.read(int(f.readline()[1:]) + 2)[:-2] for _ in range(int(line[1:]))]
                words = self.spoil(words) or words
                server.sendall(b"*%d\r\n" % len(words) + b"".join(map(bulk, words)))
        except OSError:
            pass
        server.shutdown(socket.SHUT_RDWR)

    def run(self):
        while True:
            client = self.socket.accept()[0]
            server = socket.create_connection(("127.0.0.1", self.to))
            threading.Thread(target=self.back, args=(server, client), daemon=True).start()
            threading.Thread(target=self.forth, args=(client, server), daemon=True).start()


def test_points_that_a_failing_server_did_not_take_are_loaded_by_the_next_load(t):
    s = t.server(cores=2)
    tools, c = Tools(t, s), s.client()
    text = "".join("%d,k%d,%d\n" % (i, i % 40, i) for i in range(3000))
    path = tools.file("fails.csv", text)
    options = ("--resume", "--columns", "time,key,00", "--time", "ms", "--window", "400")
    # Of the point of one line the server makes an error: in the transaction, or before it is queued.
    for said, instead in (("not an integer", [b"INCRBY", b"pinstripe-load:fails.csv", b"x"]),
                          ("unknown command", [b"NO-SUCH-COMMAND", b"x"])):
        for connections in (1, 4):
            c("FLUSHALL")
            spoiled = []

            def spoil(words):
                if words[0] == b"TSDB_SET" and words[2] == b"1666" and not spoiled:
                    spoiled.append(words)
                    return instead
                return None

            meddler = Meddler(s.port, spoil)
            meddler.start()
            told = tools.load(*options, "--port", meddler.port, "--connections", connections, path, status=3)
            holds(told, "answered to line 1667: ", said, "the position was put back before line 1667",
                  "the same command goes on where this one stopped")
            eq(len(spoiled), 1)
            assert b"k26,1666," not in tools.dump("k26", "--header", "no")
            tools.load(*options, path)
            want = sorted("k%d,%d,00,0,%d" % (i % 40, i, i) for i in range(3000))
            eq(sorted(tools.dump("*", "--header", "no").decode().splitlines()), want)
    c("FLUSHALL")
    failed = []

    def refuse(words):  # from the point on every SET, also that which would put the position back
        if words[0] == b"TSDB_SET" and words[2] == b"1666":
            failed.append(words)
        return [b"NO-SUCH-COMMAND"] if words[0] == b"SET" and failed else None

    meddler = Meddler(s.port, refuse)
    meddler.start()
    told = tools.load(*options, "--port", meddler.port, path, status=3)
    holds(told, "and could not be put back: --resume would pass over them")
    assert "goes on where this one stopped" not in told, told


def test_a_strict_load_that_goes_on_writes_the_refused_point(t):
    s = t.server(cores=2)
    tools, c = Tools(t, s), s.client()
    for n, at, connections in ((20000, 10000, 4), (20000, 10000, 1), (50, 49, 2), (50, 50, 1)):
        c("FLUSHALL")
        c.ok("SET", "k%d" % at, "x")
        path = tools.file("strict.csv", "".join("k%d,%d,%d\n" % (i, i, i) for i in range(1, n + 1)))
        options = ("--strict", "--resume", "--columns", "key,time,00", "--time", "ms", "--connections",
                   connections, path)
        for _ in range(2):
            holds(tools.load(*options, status=3), "strict.csv:%d: refused by the server: WRONGTYPE" % at,
                  "the position was put back before line %d" % at, "stopped at the first refusal (--strict)",
                  "the same command goes on where this one stopped")
        eq(c("DEL", "k%d" % at), 1)
        tools.load(*options)
        eq(sorted(tools.dump("*", "--header", "no").decode().splitlines()),
           sorted("k%d,%d,00,0,%d" % (i, i, i) for i in range(1, n + 1)))
        eq(c("EXISTS", "pinstripe-load:strict.csv"), 1)
        holds(tools.load(*options), "going on behind line %d" % n, "loaded 0 points of 0 lines")


GROWS = ("--resume", "--columns", "time,00", "--time", "ms", "--key", "k", "--connections", "1")


def test_a_last_line_without_its_end_is_loaded_and_may_get_one(t):
    s = t.server(duplicate_policy="KEEP")
    tools = Tools(t, s)
    for i, end in enumerate(("\n", "\r\n", "\r")):  # the third: of \r\n, before its \n is there
        for packed in (False, True):
            s.client()("FLUSHALL")
            text = "1,1\n2,1.5"
            name = "open%d%d" % (i, packed)

            def load(status=0):
                data = text.encode()
                return tools.load(*GROWS, tools.file(name, gzip.compress(data) if packed else data), status=status)

            load()
            for more, said in ((end, "going on behind line 2"), ("\n" if end == "\r" else "", "behind line 2"),
                               ("x,3\n", "%s:3: time 'x'" % name), ("4,4", "going on behind line 3"),
                               ("", "going on behind line 4"), ("\n", "behind line 4")):
                text += more
                holds(load(1 if "x" in more else 0), said)
            eq(tools.dump("k", "--header", "no"), b"k,1,00,0,1\nk,2,00,0,1.5\nk,4,00,0,4\n", (end, packed))


def test_a_last_line_that_was_loaded_in_part_and_goes_on_is_refused(t):
    s = t.server(duplicate_policy="KEEP")
    tools = Tools(t, s)
    for i, (before, more) in enumerate((("1,1\n2,1.5", "7\n3,3\n"), ("1,1\n2,1.5", "7"), ("1,1\n2,1.5\r", "7\n"),
                                        ("1,1\n2,", "7\n"), ("1,1\n" + "9" * 1100000, "9\n3,3\n"))):
        s.client()("FLUSHALL")
        path = tools.file("part%d.csv" % i, before)
        tools.load(*GROWS, path, status=1 if i == 4 else 0)
        was = tools.dump("*", "--header", "no")
        with open(path, "a") as f:
            f.write(more)
        for _ in range(2):
            said = tools.load(*GROWS, path, status=2)
            holds(said, "pinstripe-load:part%d.csv tells of a file whose last line, 2, had no end" % i, "--growing")
        eq(tools.dump("*", "--header", "no"), was)


def test_lanes_that_are_ahead_see_that_an_open_line_goes_on(t):
    s = t.server(duplicate_policy="KEEP")
    tools, c = Tools(t, s), s.client()
    options = ("--resume", "--columns", "time,key,00", "--time", "ms", "--connections", "2")
    keys = ["k%d" % i for i in range(20)]
    for more, status in (("\n9,k0,9\n", 0), ("", 0), ("\r\n", 0), ("7\n9,k0,9\n", 2), ("7", 2)):
        c("FLUSHALL")
        whole = "".join("%d,%s,1\n" % (i, k) for i, k in enumerate(keys))
        text = whole + "20,k1,1.5"
        path = tools.file("lanes.csv", text)
        tools.load(*options, path)
        record = c("GET", "pinstripe-load:lanes.csv").split(b" ")
        eq(record[1:4], [b"21", b"%d" % len(text), b"1"])
        # As if the load had been killed: one lane at the end of the file, the other one at its beginning.
        tags = {}
        for tag in range(100):
            tags.setdefault(key_slot(b"%d" % tag) * 2 // 16384, tag)
        lane = key_slot(b"k1") * 2 // 16384
        c("SET", "pinstripe-load:lanes.csv", b" ".join(record[:1] + [b"1", b"%d" % len("0,k0,1\n"), b"0", b"0",
                                                                    b"2d06800538d394c2"] + record[6:]))
        c("SET", "pinstripe-load:lanes.csv:{%d}" % tags[lane], b" ".join(record[1:6]))
        with open(path, "a", newline="") as f:
            f.write(more)
        for key in keys[1:]:
            if key_slot(key.encode()) * 2 // 16384 != lane:
                c("DEL", key)
        said = tools.load(*options, path, status=status)
        if status:
            holds(said, "tells of a file whose last line, 21, had no end")
        else:
            got = tools.dump("*", "--header", "no").decode().splitlines()
            eq(len(got), 21 + ("9,k0" in more), more)
            assert "k1,20,00,0,1.5" in got, got


def test_a_growing_file_leaves_its_unfinished_line_for_the_next_load(t):
    s = t.server(duplicate_policy="KEEP")
    tools = Tools(t, s)
    text = "when,value\n1,1\n2,2.25\r\n" + "x" * 1100000 + "\n4,4.125\n"
    options = ("--resume", "--growing", "--columns", "when=time,value=00", "--time", "ms", "--key", "k")
    cuts = [4, 10, 11, 13, 15, 19, 21, 22, 23, 30, 1048590 + 23, 1100023, 1100024, 1100025, len(text) - 1, len(text)]
    for n, cut in enumerate(cuts):
        whole = text[:cut].endswith("\n")
        line = text[:cut].count("\n") + 1
        said = tools.load(*options, tools.file("growing.csv", text[:cut]), status=1 if cut == 1100024 else 0)
        assert whole or "line %d has no end yet, it is left for the next load" % line in said, (cut, said)
        assert not whole or "no end" not in said, (cut, said)
        assert cut == 1100024 or "too long" not in said and "bad" in said and " 0 bad lines" in said, (cut, said)
    eq(tools.dump("k", "--header", "no"), b"k,1,00,0,1\nk,2,00,0,2.25\nk,4,00,0,4.125\n")
    holds(tools.load(*options[1:], tools.file("x.csv", "1,1"), status=2), "--growing is for --resume")


# --- what is wrong ------------------------------------------------------------------------------------


def test_bad_lines_are_told_by_place_and_counted(t):
    s = t.server(duplicate_policy="KEEP")
    tools = Tools(t, s)
    options = ("--columns", "time,key,00,01/hex,quality", "--time", "ms")
    text = "1,k,1.5,a,0\nx,k,1,a,0\n3,k,1\n4,k,nan,a,1\n5,k,1,0a,0\n6,k,1,a,256\n7,,1,a,0\n" \
           "8,\"k,1,a,0\n9,k,inf,a,0\n\n10,k,2,b,1\n99999999999999999999,k,1,1,1\n1.5,k,1,1,1\n" \
           "11,str,1,1,1\n"
    eq(s.client()("SET", "str", "x"), "OK")
    path = tools.file("bad.csv", text)
    said = tools.load(*options, path, status=1)
    for line, what in ((2, "time 'x' does not have the format"), (3, "the line has 3 columns"),
                       (4, "column 3 'nan' is written of type 00 and quality 0 only"), (5, "leading zeros"),
                       (6, "is no quality"), (7, "is no key"), (8, "a quote is opened"),
                       (9, "is no finite number"), (12, "is out of range"), (13, "is finer"),
                       (14, "refused by the server: WRONGTYPE")):
        assert re.search(r"bad\.csv:%d: .*%s" % (line, re.escape(what)), said), (line, said)
    holds(said, "loaded 4 points", "10 bad lines, 2 points refused")
    eq(tools.dump("k", "--header", "no"), b"k,1,00,0,1.5\nk,1,01,0,10\nk,10,00,1,2\nk,10,01,1,11\n")
    said = tools.load(*options, "--reports", 3, path, status=1)
    eq(said.count("bad.csv:"), 3)
    holds(said, "only counted", "10 bad lines")
    s.client()("DEL", "k")
    holds(tools.load(*options, "--strict", path, status=3), "bad.csv:2: ", "--strict")
    eq(tools.dump("k", "--header", "no").count(b"\n"), 2)
    holds(tools.load(*options, "--dry-run", path, status=1), "read 6 points", "10 bad lines")


def test_wrong_usage_and_wrong_files_are_named(t):
    s = t.server()
    tools = Tools(t, s)
    path = tools.file("a.csv", "1,1\n")
    for args, what in (((), "no file is given"),
                       (("--frobnicate", path), "unknown option '--frobnicate'"),
                       (("--columns", "time,00,zz", path), "'zz' is no column: it is time, key"),
                       (("--columns", "time,v=00", path), "'v=00' is not like those before it"),
                       (("--columns", "time,-", path), "no value column"),
                       (("--columns", "time,00/scale=7", path), "/scale=10 (a power of ten"),
                       (("--columns", "time,00,00", path), "has a data type twice"),
                       (("--format", "bogus", path), "--format 'bogus' is none of csv, points, ohlcv, binance, lean"),
                       (("--columns", "time,00", "--time", "%Q", path), "is no format"),
                       *((("--columns", "time,00", "--replay=%s" % speed, path),
                          "--replay needs a number above 0 up to 1000000")
                         for speed in (0, -1, 1000001, "1e-999", "x")),
                       (("--columns", "time,00", "--timezone", "Mars/X", path), "is not known"),
                       (("--columns", "time,00", "--time", "day-ms", path), "need a --date"),
                       (("--columns", "time,00", "--key", "{symbol}{date}", path), "does not have"),
                       (("--columns", "when=time,v=00", path), "no column 'when', only 1, 1"),
                       (("--format", "lean", path), "a file of Lean"),
                       (("--format", "what", path), "is none"), ((path,), "needs --columns")):
        said = tools.load(*args, status=2)
        holds(said, what)
        assert "loaded" not in said, said
    options = ("--columns", "time,00", "--time", "ms")
    holds(tools.load(*options, "/absent", status=3), "/absent: No such file")
    packed = gzip.compress(b"1,1\n" * 10000)
    holds(tools.load(*options, tools.file("cut.gz", packed[:-20]), status=3), "in the middle of")
    holds(tools.load(*options, tools.file("zeros.gz", packed + packed + b"\0" * 300000)), "loaded 20000 points")
    for what in (b"no gzip\n", b"\0" * 300000 + b"x", b"\0\0" + packed):
        holds(tools.load(*options, tools.file("more.gz", packed + what), status=1),
              "loaded 10000 points", "more.gz: what follows the compressed data is no gzip data")
    holds(tools.load(*options, tools.file("bad.gz", packed[:10] + b"x" * 50), status=3), "bad.gz: ")
    skipped = b"\x5f\x2a\x4d\x18\x04\0\0\0abcd"  # a frame of zstd that is passed over, before one of no text
    tools.load(*options, tools.file("skip.zst", skipped + b"\x28\xb5\x2f\xfd\x00\x58\x21\0\x00" + b"1,1\n"))
    eq(s.client()("TS.GET", "skip"), [1, "1"])
    said = tools.load(*options, tools.file("long.csv", "1,1\n" + "9" * (3 << 20) + "\n2,2\n"), status=1)
    holds(said, "long.csv:2: the line is longer than", "loaded 2 points of 3 lines")
    s.stop()
    holds(tools.load(*options, path, status=3), "cannot connect")
    holds(tools.run("pinstripe-dump", "k", status=3)[1], "cannot connect")


def test_options_that_have_no_use_are_named(t):
    s = t.server()
    tools = Tools(t, s)
    path = tools.file("a.csv", "1,1\n")
    csv, influx, redis = ("--columns", "time,00"), ("--format", "influx"), ("--from-redis", "127.0.0.1:1")
    for args, what in (((*csv, "--precision=ns", path), "--precision is for --format influx, not for --format csv"),
                       ((*csv, "--match", "*", path), "--match is for --from-redis, not for --format csv"),
                       *(((*influx, option, "1", path), "%s is for CSV, not for --format influx" % option)
                         for option in ("--columns", "--delimiter", "--comment", "--missing", "--time", "--date")),
                       ((*influx, "--header", "yes", path), "--header is for CSV"),
                       ((*influx, "--time-start", "1", "--time-step", "1", path), "--time-start is for CSV"),
                       ((*influx, "--timezone", "UTC", path), "--timezone is for CSV"),
                       *(((*redis, option, "1"), "%s is for files, not for --from-redis" % option)
                         for option in ("--format", "--wait")),
                       ((*redis, "--truncate-times"), "--truncate-times is for files"),
                       ((*redis, "--time", "s"), "--time is for CSV, not for --from-redis"),
                       ((*csv, "--date", "20240101", path), "--date is for times without a date"),
                       ((*csv, "--time-start", "1", "--time-step", "1", path), "--columns has a time column"),
                       (("--columns", "00", "--time", "s", "--time-start", "1", "--time-step", "1", path),
                        "--columns has no time column, for which --time is")):
        holds(tools.load(*args, status=2), what)
    for args, what in (((*csv, "--precision", "ns"), "--precision is for --format influx, not for --format csv"),
                       ((*csv, "--types", "00"), "--types is for a map with `type` and `value`"),
                       ((*influx, "--time=s"), "--time is for CSV, not for --format influx"),
                       ((*influx, "--types", "00"), "--types is for CSV, not for --format influx")):
        holds(tools.run("pinstripe-dump", "k", *args, status=2)[1], what)
    tools.load(*csv, "--time", "ms", "--", path)  # a file may have any name
    tools.load(*csv, "--time", "ms", "--key", "--match", path)
    eq(tools.dump("--", "--match", "--precision", status=1), b"key,time,type,quality,value\n--match,1,00,0,1\n")


def test_lines_behind_one_that_is_too_long_are_loaded(t):
    s = t.server(cores=2)
    tools = Tools(t, s)
    options = ("--columns", "00", "--key", "k", "--time-start", "0", "--time-step", "1", "--resume")
    behind = "".join("%d\n" % i for i in range(30000))
    want = [b"0,7"] + [b"%d,%d" % (i + 2, i) for i in range(30000)]
    for i, nines in enumerate(((1 << 20) + 1, 1228800, 1300480, (3 << 20) + 5)):
        text = ("7\n" + "9" * nines + "\n" + behind).encode()
        path = tools.file("long%d%s" % (i, ".gz" if i % 2 else ""),
                          gzip.compress(text, 1) if i % 2 else text)
        holds(tools.load(*options, path, status=1), ":2: the line is longer than", "loaded 30001 points of 30002 lines",
              "1 bad lines")
        same(tools.dump("k", "--format", "csv", "--columns", "time,00", "--time", "ms"),
             b"\n".join(want) + b"\n", "%d nines" % nines)
        s.client()("DEL", "k")


def test_a_time_of_several_columns_is_taken_whole_or_not(t):
    s = t.server()
    tools = Tools(t, s)
    text = "2024-01-02,09:30,1\n2024-01-02,%s,2\n%s,2024-01-02,3\n2024-01-02,,4\n" % ("9" * 1014, "9" * 3000)
    said = tools.load("--columns", "time,time,00", "--key", "k", tools.file("a.csv", text), status=1)
    holds(said, "a.csv:2: time '2024-01-02...', of 2 columns, is longer than 1024 bytes", "a.csv:3: time '999",
          "a.csv:4: time '2024-01-02 '", "loaded 1 points", "3 bad lines")
    eq(tools.dump("k", "--header", "no"), b"k,1704187800000,00,0,1\n")


def test_times_by_step_end_at_the_last_time(t):
    s = t.server()
    tools = Tools(t, s)
    options = ("--columns", "00", "--key", "k", "--time-step", "10")
    path = tools.file("a.csv", "1\n2\n\n3\n")
    said = tools.load(*options, "--time-start", 2 ** 63 - 12, path, status=1)
    holds(said, "a.csv:4: its time, by --time-step, is out of range", "loaded 2 points", "1 bad lines")
    tools.load(*options, "--time-start", -2 ** 63, path)
    eq([p[0] for p in s.client()("TSDB_GET", "k", "-", "+")],
       [-2 ** 63, -2 ** 63 + 10, -2 ** 63 + 30, 2 ** 63 - 12, 2 ** 63 - 2])


def test_a_dump_of_what_is_not_there_says_so(t):
    s = t.server(duplicate_policy="KEEP")
    tools = Tools(t, s)
    c = s.client()
    c("TSDB_SET", "k", 5, "1.5")
    c("SET", "str", "x")
    for words in (("absent",), ("ab*",), ("absent", "k"), ("ab*", "k")):
        out, said = tools.run("pinstripe-dump", *words, "--header", "no", status=1)
        holds(said, "ab")
        eq(out, b"k,5,00,0,1.5\n" if "k" in words else b"", words)
    tools.dump("k", "--start", 6)
    holds(tools.run("pinstripe-dump", "absent field", "--format", "influx", status=1)[1],
          "there is no key 'absent field'")
    for word in ((), ("k",)):
        for form in ("points", "influx")[:1 if word else 2]:
            holds(tools.run("pinstripe-dump", *word, "--key", "zzz_{key}", "--format", form, status=1)[1],
                  "no series has a key of the form 'zzz_{key}'")
    holds(tools.run("pinstripe-dump", "str", status=3)[1], "'str': ", "WRONGTYPE")


def test_a_dump_of_the_last_day_there_is_goes_to_its_end(t):
    s = t.server(timestamp_unit="ns")
    tools, c = Tools(t, s), s.client()
    day = 9223286400 * 10 ** 9  # 2262-04-11
    for ts in (day - 1, day, 2 ** 63 - 1):
        c.ok("TSDB_SET", "k", ts, 1)
    for zone in ("UTC", "America/New_York"):
        got = tools.dump("k", "--date", "22620411", "--header", "no", "--timezone", zone)
        want = (day, 2 ** 63 - 1) if zone == "UTC" else (2 ** 63 - 1,)
        eq(got, b"".join(b"k,%d,00,0,1\n" % ts for ts in want), zone)
    eq(tools.dump("k", "--date", "22620410", "--header", "no"), b"k,%d,00,0,1\n" % (day - 1))


def test_a_dump_ends_before_the_line_of_a_value_that_its_column_cannot_write(t):
    s = t.server()
    tools, c = Tools(t, s), s.client()
    for ts, value in ((1, 10), (2, 1.5), (3, 7)):
        c.ok("TSDB_SET", "k", ts, value)
    path = os.path.join(tools.dir, "out.csv")
    options = ("--columns", "time,00,00/hex", "--time", "ms", "--output", path)
    said = tools.run("pinstripe-dump", "k", *options, status=3)[1]
    holds(said, "the value 1.5 of type 00 at 2 was not made by this kind of column", "2 points in 1 lines",
          "what was written before it stopped is %s.tmp" % path)
    eq(content(path + ".tmp"), b"1,10,a\n")
    os.remove(path + ".tmp")
    tools.run("pinstripe-dump", "k", *options, "--start", "2", status=3)
    eq(os.listdir(tools.dir), [])
    tools.run("pinstripe-dump", "k", *options, "--start", "2", "--header", "yes", status=3)
    eq(content(path + ".tmp"), b"time,00,00\n")


def content(path):
    with open(path, "rb") as f:
        return f.read()


def test_a_dump_that_is_refused_leaves_the_file_that_is_there(t):
    s = t.server()
    tools, c = Tools(t, s), s.client()
    for key in ("a f", "k"):
        c.ok("TSDB_SET", key, 1, 1)
    for name in ("pre.csv", "pre.csv.gz"):
        path = tools.file(name, "precious\n")
        for args in (("k", "--time", "foo"), ("k", "--columns", "time"), ("k", "--types", "zz"),
                     ("k", "--format", "foo"), ("k", "--columns", "time,00", "--time", "day-ms"),
                     ("k", "--format", "influx", "--precision", "s"), ("*", "--format", "influx"),
                     ("*", "--columns", "time,00"), ("k", "--start", "x")):
            tools.run("pinstripe-dump", *args, "--output", path, status=2)
            eq(content(path), b"precious\n", args)
            eq(os.path.exists(path + ".tmp"), False, args)
    path = tools.file("pre.csv", "precious\n")
    c("SET", "k", "no series")
    holds(tools.run("pinstripe-dump", "k", "--output", path, status=3)[1], "WRONGTYPE", "%s.tmp" % path)
    eq((content(path), content(path + ".tmp")), (b"precious\n", b"key,time,type,quality,value\n"))


def test_a_dump_has_its_name_when_it_is_complete(t):
    s = t.server()
    tools, c = Tools(t, s), s.client()
    path, packed = os.path.join(tools.dir, "out.csv"), os.path.join(tools.dir, "out.csv.gz")
    for ts in range(30):
        c.ok("TSDB_SET", "k", ts, 7)
    want = b"".join(b"%d,7\n" % ts for ts in range(30))
    options = ("k", "--columns", "time,00", "--time", "ms", "--page", "10")
    asked = []

    def stop(words):
        asked.append(words[0])
        return [b"NO-SUCH-COMMAND"] if asked.count(b"TSDB_GET") == 2 else None

    meddler = Meddler(s.port, stop)
    meddler.start()
    for name in (path, packed):
        asked.clear()
        said = tools.run("pinstripe-dump", *options, "--port", meddler.port, "--output", name, status=3)[1]
        holds(said, "unknown command", "what was written before it stopped is %s.tmp" % name)
        eq(os.path.exists(name), False)
        part = content(name + ".tmp")
        part = gzip.decompress(part) if name == packed else part
        assert part and want.startswith(part), part
        tools.dump(*options, "--output", name)
        eq(gzip.decompress(content(name)) if name == packed else content(name), want)
        eq(os.path.exists(name + ".tmp"), False)
    os.chmod(path, 0o600)
    tools.dump("k", "--start", 100, "--columns", "time,00", "--output", path)
    eq((content(path), os.stat(path).st_mode & 0o777), (b"", 0o600))
    link, to = os.path.join(tools.dir, "link.csv"), tools.file("to.csv", "old\n")
    os.symlink(to, link)  # as /dev/stdout is one
    tools.dump(*options, "--output", link)
    eq((os.path.islink(link), content(to)), (True, want))
    eq(tools.dump(*options, "--output", "/dev/stdout"), want)
    eq(tools.dump(*options, "--output", "/dev/null"), b"")
    asked.clear()  # before anything is read
    for output, what in (("/absent/x", "/absent/x: No such file"), (tools.dir, ": Is a directory"), ("", ": No such")):
        holds(tools.run("pinstripe-dump", *options, "--port", meddler.port, "--output", output, status=3)[1], what)
    eq(asked, [])


def test_a_key_that_goes_while_it_is_dumped_is_told(t):
    s = t.server()
    tools, c = Tools(t, s), s.client()
    asked = []

    def delete(words):
        asked.append(words[0])
        if asked.count(b"TSDB_GET") == 2:
            c("DEL", "m f")

    meddler = Meddler(s.port, delete)
    meddler.start()
    for options in (("--header", "no"), ("--format", "influx"), ("--columns", "time,00,01"),
                    ("--columns", "time,00,01", "--page", "100")):
        for ts in range(30):
            c.ok("TSDB_SET", "m f", ts, 7)
        asked.clear()
        out, said = tools.run("pinstripe-dump", "m f", "--page", "10", *options, "--port", meddler.port, status=1)
        holds(said, "the key 'm f' went while it was dumped")
        assert 0 < out.count(b"\n") <= 30, out
    for ts in range(30):
        c.ok("TSDB_SET", "k", ts, 7)
    asked.clear()
    eq(tools.dump("k", "--header", "no", "--port", meddler.port).count(b"\n"), 30)
    eq(asked.count(b"EXISTS"), 0)  # one answer is of one moment


def test_a_dump_warns_of_keys_that_are_not_read_back(t):
    s = t.server(duplicate_policy="KEEP")
    tools, c = Tools(t, s), s.client()
    c("TSDB_SET", "a\rb \"", 5, "1.5")
    tools.dump("*")
    same(tools.dump("a*", "--header", "no"), b'"a\rb """,5,00,0,1.5\n')
    c("TSDB_SET", "a\nb", 5, "1.5")
    c("TSDB_SET", "", 5, "1.5")
    out, said = tools.run("pinstripe-dump", "*", status=1)
    holds(said, "1 keys are empty, or have a line end in line protocol")
    tools.dump("", "--columns", "time,00", "--time", "ms")  # shows no key
    c("TSDB_SET", "a", 5, "1.5")
    holds(tools.run("pinstripe-dump", "--key", "a{key}", "--format", "points", status=1)[1], "1 keys are empty")
    c("TSDB_SET", "m,a=x\ny f", 5, "1.5")
    holds(tools.run("pinstripe-dump", "m*", "--format", "influx", status=1)[1], "1 keys are empty")
    c("DEL", "")
    tools.load("--format", "points", "--key", "x{key}", tools.file("a.csv", tools.dump("*")))
    same(tools.dump("x*", "--header", "no"), b'xa,5,00,0,1.5\n"xa\nb",5,00,0,1.5\n"xa\rb ""\",5,00,0,1.5\n'
         b'"xm,a=x\ny f",5,00,0,1.5\n')


def test_a_header_with_date_and_time_is_not_taken_for_one_of_dates(t):
    s = t.server()
    tools = Tools(t, s)
    path = tools.file("d.csv", "date,time,open,high,low,close,volume\n2024-01-02,09:30:00,1,2,0.5,1.5,10\n")
    for words in ((), ("--columns", "date|time=time,open=00")):
        holds(tools.load("--format", "ohlcv", *words, path, status=2),
              "the header has two columns for", "'date' and 'time'; --columns can name")
    eq(s.client()("DBSIZE"), 0)
    tools.load("--format", "ohlcv", "--columns", "date=time,time=time,open=00,close=03", path)
    eq(tools.dump("d", "--header", "no"), b"d,1704187800000,00,0,1\nd,1704187800000,03,0,1.5\n")
    twice = tools.file("t.csv", "date,open,open,x,x\n2024-01-02,1,2,3,4\n")
    holds(tools.load("--columns", "date=time,open=00", twice, status=2), "two columns for 'open': 'open' and 'open'")
    holds(tools.load("--columns", "time,00,01,-,-", "--header", "yes", twice), "loaded 2 points")


def test_klines_of_binance_are_in_the_unit_that_their_times_have(t):
    s = t.server()
    tools = Tools(t, s)
    line = "%s,1.5,2,1,1.25,10,%s,20,3,4,5,0\n"
    ms = line % ("1735603200000", "1735603259999")  # the 31st of December 2024; then one of 2025
    us = line % ("1735689600000000", "1735689659999999")
    options = ("--format", "binance", "--key")
    tools.load(*options, "k", tools.file("k.csv", ms + us))
    text = "1735603200000,1.5,2,1,1.25,10,,20,3,4,5,\n1735689600000,1.5,2,1,1.25,10,,20,3,4,5,\n"
    same(tools.dump("k", "--format", "binance"), text.encode())
    tools.load(*options, "us", "--unit", "us", tools.file("us.csv", ms + us))
    eq(s.client()("TSDB_GET", "us", "-", "+", 9, "TYPE", "00"),
       [[i, b"1.5", b"00", 0] for i in (1735603200000000, 1735689600000000)])
    tools.load(*options, "told", "--time", "ms", tools.file("told.csv", us))
    holds(tools.dump("told").decode(), "told,1735689600000000,00,0,1.5\n")
    holds(tools.load(*options, "fine", tools.file("f.csv", line % ("1735689600000001", "")), status=1), "is finer")


def test_a_server_that_refuses_everything_stops_the_load(t):
    s = t.server(requirepass="secret")
    tools = Tools(t, s)
    path = tools.file("a.csv", "1,1\n")
    options = ("--columns", "time,00", "--time", "ms", "--unit", "ms")
    holds(tools.load(*options, path, status=3), "NOAUTH", "loaded 0 points of 1 lines")
    tools.load(*options, "--password", "secret", path)
    holds(tools.load(*options, "--password", "wrong", path, status=3), "AUTH", "WRONGPASS")
    holds(tools.run("pinstripe-dump", "a", status=3)[1], "NOAUTH")
    os.environ["REDISCLI_AUTH"] = "secret"  # as redis-cli takes it
    for user in ((), ("--user", "default")):
        tools.load(*options, *user, path)
        eq(tools.dump("a", "--header", "no", *user), b"a,1,00,0,1\n")
        holds(tools.load(*options, *user, "--password", "wrong", path, status=3), "WRONGPASS")
    os.environ["REDISCLI_AUTH"] = ""
    full = "".join("%d,1\n" % i for i in range(1000))
    holds(tools.load(*options, "--resume", tools.file("b.csv", full), status=3), "NOAUTH")


def test_rate_and_replay_hold_points_back(t):
    s = t.server()
    tools = Tools(t, s)
    options = ("--columns", "time,00", "--time", "s", "--key", "k")
    path = tools.file("a.csv", "".join("%d,1\n" % i for i in range(1000)))
    for pace, least in ((("--rate", 2000), 0.4), (("--replay", 2000), 0.4)):
        began = time.monotonic()
        tools.load(*options, *pace, path)
        assert time.monotonic() - began > least, pace
        eq(tools.dump("k", "--header", "no").count(b"\n"), 1000)


# --- from another server ------------------------------------------------------------------------------


class Series(threading.Thread):
    """A server that knows what the import asks of RedisTimeSeries. `went`: keys that SCAN still names, and
    the answer to a command about them, or the other answer, once its first part was told."""

    def __init__(self, series, went=(), version=b"redis_version:7.2.0"):
        super().__init__(daemon=True)
        self.series, self.went, self.version = series, dict(went), version
        self.port = free_ports(1)
        self.socket = socket.create_server(("127.0.0.1", self.port))

    def answer(self, a):
        name = a[0].upper()
        if name == b"SCAN":
            keys = sorted(self.series)
            at = int(a[1])
            some = keys[at:at + 2]
            cursor = at + 2 if at + 2 < len(keys) else 0
            return b"*2\r\n" + bulk(b"%d" % cursor) + b"*%d\r\n" % len(some) + b"".join(map(bulk, some))
        if name == b"INFO":
            return bulk(b"# Server\r\n%s\r\n" % self.version)
        if name == b"CONFIG":
            return b"*2\r\n" + bulk(a[2]) + bulk(b"ms")
        if name in self.went.get(a[1], ()):
            return b"-%s\r\n" % self.went[a[1]][name]
        if name == b"TS.INFO":
            return b"*4\r\n+totalSamples\r\n:1\r\n+labels\r\n*1\r\n*2\r\n" + bulk(b"of") + bulk(a[1])
        start = -1 << 63 if a[2] == b"-" else int(a[2])
        if a[2] != b"-" and a[1] in self.went:
            return b"-%s\r\n" % self.went[a[1]][b"later"]
        points = [p for p in self.series[a[1]] if p[0] >= start][:int(a[5])]
        return b"*%d\r\n" % len(points) + b"".join(b"*2\r\n:%d\r\n+%s\r\n" % p for p in points)

    def run(self):
        while True:
            client = self.socket.accept()[0]
            f = client.makefile("rb")
            while (line := f.readline()):
                words = []
                for _ in range(int(line[1:])):
                    words.append(f.read(int(f.readline()[1:]) + 2)[:-2])
                client.sendall(self.answer(words))


def test_series_of_another_pinstripe_come_over_with_all_points_of_one_time(t):
    there, s = t.server(duplicate_policy="KEEP"), t.server(duplicate_policy="KEEP")
    r = t.random
    rows, ts = [], -100
    for i in range(35000):
        ts += r.choice((0,) * 40 + (1,)) if i % 12000 else 1
        rows.append("%d,%d" % (ts, i))
    rows += ["%d,%d" % (ts + 1, i) for i in range(25000)]  # more than two pages of one time
    options = ("--columns", "time,00", "--time", "ms")
    from_there, tools = Tools(t, there), Tools(t, s)
    from_there.load(*options, "--key", "k", from_there.file("a.csv", "\n".join(rows)))
    tools.load("--from-redis", "127.0.0.1:%d" % there.port)
    same(tools.dump("k", "--format", "csv", *options), ("\n".join(rows) + "\n").encode(), "k")


def test_types_qualities_and_nan_of_another_pinstripe_come_over_and_out_of_a_dump(t):
    there, s = (t.server(duplicate_policy="KEEP", ts_compaction_policy="sum:1h:0m") for _ in range(2))
    c, here = there.client(), s.client()
    from_there, tools = Tools(t, there), Tools(t, s)
    r = t.random
    rows = ["key,time,type,quality,value"]
    for i in range(9000):
        rows.append("k%d,%d,%s,%d,%d" % (r.randrange(3), i // 20 - 5, r.choice(("00", "01", "7f", "ff")),
                                        r.choice((0, 1, 192, 255)), i))
    from_there.load("--format", "points", from_there.file("a.csv", "\n".join(rows)))
    for key, ts in (("k0", 0), ("k0", 0), ("k1", 7000), ("only", 1), ("only", 1), ("only", 2)):
        c.ok("TSDB_SET", "only", 0, 1)
        c("TS.ADD", key, ts, "nan", "ON_DUPLICATE", "KEEP")
    want = from_there.dump("*")
    eq(want.count(b",nan"), 6)
    for page in (10, 100):
        same(from_there.dump("*", "--page", page), want, "page %d" % page)
    said = tools.load("--from-redis", "127.0.0.1:%d" % there.port, "--key", "c:{key}")
    holds(said, "loaded 9012 points", "0 bad lines, 0 points refused")
    same(tools.dump("c:*", "--key", "c:{key}"), want, "copied")
    again = tools.file("again.csv", want)
    for more in ((), ("--resume", "--window", 64)):
        holds(tools.load("--format", "points", *more, again), "loaded 9012 points", "0 bad lines, 0 points refused")
        same(tools.dump("k*", "only"), want, "of its dump")
        here("DEL", "k0", "k1", "k2", "only")
    eq(sorted(k for k in here("KEYS", "*") if not k.startswith(b"pinstripe-load")),
       [b"c:k0", b"c:k1", b"c:k2", b"c:only"])  # no rules were made
    here("CONFIG", "SET", "duplicate-policy", "LAST")
    tools.load("--format", "points", "--key", "last:{key}", tools.file("b.csv", "only,1,00,0,nan\nonly,1,00,0,NaN\n"
                                                                      "only,2,00,0,5\nonly,2,00,0,nan\n"),
               "--header", "no")
    eq(tools.dump("last:only", "--header", "no"), b"last:only,1,00,0,nan\nlast:only,2,00,0,5\n")
    here("CONFIG", "SET", "duplicate-policy", "SUM")
    bad = "k,1,01,0,nan\nk,1,00,1,nan\nk,1,00,0,inf\nk,2,00,0,5\nk,2,00,0,nan\n"
    said = tools.load("--format", "points", "--header", "no", tools.file("c.csv", bad), status=1)
    holds(said, "c.csv:1: ", "c.csv:2: ", "c.csv:3: ", "c.csv:5: refused by the server: ", "3 bad lines, 1 points")
    eq(tools.dump("k", "--header", "no"), b"k,2,00,0,5\n")


def test_another_unit_there_and_going_on_with_a_server_are_refused(t):
    there, s = t.server(timestamp_unit="ns"), t.server()
    tools, address = Tools(t, s), "127.0.0.1:%d" % there.port
    there.client().ok("TSDB_SET", "k", 5, 1)
    holds(tools.load("--from-redis", address, status=2), "timestamps there are in ns, here in ms")
    tools.load("--from-redis", address, "--unit", "ns")
    eq(tools.dump("k", "--header", "no"), b"k,5,00,0,1\n")
    holds(tools.load("--from-redis", address, "--resume", status=2), "--resume is for files", "KEEP", "SUM")


def test_a_server_is_not_loaded_onto_itself(t):
    s = t.server(cores=2, duplicate_policy="KEEP", core_ports="yes")
    c, tools = s.client(), Tools(t, s)
    for i in range(5):
        c.ok("TSDB_SET", "k%d" % i, i, i)
    before = tools.dump("*")
    for host, port in (("127.0.0.1", s.port), ("localhost", s.port), ("127.0.0.1", s.port + 1)):
        for key in ((), ("--key", "{key}")):
            holds(tools.load("--from-redis", "%s:%d" % (host, port), *key, status=2),
                  "is the server that is loaded", "k0 would be written onto itself")
    same(tools.dump("*"), before, "untouched")
    holds(tools.load("--from-redis", "127.0.0.1:%d" % s.port, "--dry-run"), "read 5 points")
    holds(tools.load("--from-redis", "127.0.0.1:%d" % s.port, "--key", "copy:{key}"), "loaded 5 points")
    same(tools.dump("copy:*", "--key", "copy:{key}"), before, "copied")


def bulk(b):
    return b"$%d\r\n%s\r\n" % (len(b), b)


def test_series_of_a_redis_come_over_with_their_labels(t):
    s = t.server()
    tools = Tools(t, s)
    series = {b"s%d" % i: [(j * 3, b"%d.5" % (i * j)) for j in range(n)]
              for i, n in enumerate((0, 1, 9999, 10000, 25000))}
    there = Series(series)
    there.start()
    said = tools.load("--from-redis", "127.0.0.1:%d" % there.port, "--key", "new_{key}")
    holds(said, "loaded 45000 points")
    for key, points in series.items():
        got = tools.dump("new_" + key.decode(), "--format", "csv", "--columns", "time,00", "--time", "ms")
        same(got, b"".join(b"%d,%s\n" % (ts, re.sub(rb"\.0$", b"", v)) for ts, v in points), key)
    for key in series:
        eq(labels_of(s.client(), b"new_" + key), {b"of": key})


GONE = b"ERR TSDB: the key does not exist"
OTHER = b"WRONGTYPE Operation against a key holding the wrong kind of value"


def test_series_that_go_while_they_are_loaded_do_not_stop_the_load(t):
    s = t.server()
    tools = Tools(t, s)
    points = [(i, b"1") for i in range(10001)]
    series = {b"a": points[:1], b"b": points[:1], b"c": points[:1], b"d": points, b"e": points[:1]}
    there = Series(series, {b"a": {b"TS.INFO": GONE}, b"b": {b"TS.INFO": OTHER}, b"c": {b"TS.RANGE": GONE},
                            b"d": {b"later": OTHER}})
    there.start()
    address = "127.0.0.1:%d" % there.port
    said = tools.load("--from-redis", address, status=1)
    holds(said, ": a went before all of it was read: ERR TSDB: the key does not exist\n", ": b went before",
          ": c went before", ": d went before all of it was read: WRONGTYPE", "loaded 10001 points of 3 series",
          "4 bad lines")
    eq(tools.dump("*", "--types", "00").count(b"\n"), 10002)
    holds(tools.load("--from-redis", address, "--strict", status=3), "stopped at the first bad line")
    other = Series({b"a": [], b"b": []}, {b"a": {b"TS.INFO": GONE}, b"b": {b"TSDB_GET": OTHER}},
                   b"pinstripe_version:1")
    other.start()
    holds(tools.load("--from-redis", "127.0.0.1:%d" % other.port, "--key", "o:{key}", status=1),
          ": a went before", ": b went before", "2 bad lines")
    refuses = Series({b"a": [], b"b": []}, {b"a": {b"TS.INFO": b"NOPERM no"}})
    refuses.start()
    holds(tools.load("--from-redis", "127.0.0.1:%d" % refuses.port, status=3), "TS.INFO at", "NOPERM no")


def test_series_of_a_pinstripe_that_go_while_they_are_read_are_bad_lines(t):
    there, s = t.server(), t.server()
    tools, c = Tools(t, s), there.client()
    Tools(t, there).load("--columns", "time,00,00/key=b", "--time", "ms", "--key", "a",
                         tools.file("a.csv", "".join("%d,1,2\n" % i for i in range(10001))))
    asked = []

    def delete(words):  # a, between its two pages
        if words[:2] == [b"TSDB_GET", b"a"]:
            asked.append(words)
            if len(asked) == 2:
                eq(c("DEL", "a"), 1)

    meddler = Meddler(there.port, delete)
    meddler.start()
    said = tools.load("--from-redis", "127.0.0.1:%d" % meddler.port, status=1)
    holds(said, ": a went before all of it was read: ERR TSDB: the key does not exist\n", "1 bad lines")
    eq(tools.dump("ab").count(b"\n"), 10002)


def test_addresses_and_users_of_another_server(t):
    there, s = t.server(requirepass="secret"), t.server()
    tools = Tools(t, s)
    for words, status, what in ((("--from-redis", "[127.0.0.1]:%d" % there.port), 3, "NOAUTH"),
                                (("--from-redis", ":1"), 2, "HOST:PORT"),
                                (("--from-redis", "127.0.0.1:%d" % there.port, "--from-user", "default"), 2,
                                 "--from-user needs --from-password"),
                                (("--from-password", "x", "--columns", "time,00", "-"), 2,
                                 "--from-password is for --from-redis, not for --format csv")):
        holds(tools.load(*words, status=status), what)
    tools.load("--from-redis", "[127.0.0.1]:%d" % there.port, "--from-user", "default", "--from-password", "secret")
