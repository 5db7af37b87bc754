"""Cells of CSV that are no plain numbers: missing ones, NaN, infinite ones; fields in quotes."""
import gzip

from pinstripe import eq, holds
from test_import import Tools, same


def test_cells_that_say_there_is_no_value_give_no_point(t):
    s = t.server()
    tools = Tools(t, s)
    text = "1,null,5\n2,2,N/A\n3,,NA\n4,None,4\n5,#n/a,0\n6,nullx,1\n7,-999,7\n"
    options = ("--columns", "time,00,01/hex", "--time", "ms", "--key")
    holds(tools.load(*options, "k", tools.file("a.csv", text), status=1), "a.csv:6: column 2 'nullx' is no number",
          "1 bad lines")
    eq(tools.dump("k", "--columns", "time,00,01", "--time", "ms"), b"1,,5\n2,2,\n4,,4\n5,,0\n7,-999,7\n")
    said = tools.load(*options, "m", "--missing", "-999,nullX", tools.file("b.csv", text), status=1)
    holds(said, "b.csv:1: column 2 'null' is no number", "5 bad lines")
    eq(tools.dump("m", "--columns", "time,00,01", "--time", "ms"), b"6,,1\n7,,7\n")
    for wrong in (",", "a,,b", ",".join("abcdefghijklmnopq")):
        holds(tools.load(*options, "m", "--missing", wrong, tools.file("c.csv", text), status=2), "--missing takes")
    tools.load("--columns", "time,00/text", "--time", "ms", "--key", "x", tools.file("d.csv", "1,NA\n"))
    eq(tools.dump("x", "--columns", "time,00/text", "--time", "ms"), b"1,NA\n")


def test_nan_of_every_kind_of_column_comes_back(t):
    s = t.server(duplicate_policy="KEEP", ts_compaction_policy="sum:1h:0m")
    tools, c = Tools(t, s), s.client()
    text = "".join("%d,%s,%s,%s,%d\n" % (i, *(("nan", i, -i) if i % 3 else (i, "nan", "")), i) for i in range(300))
    kinds = ("", "/float", "/decimals=0", "/scale=10")
    for n, kind in enumerate(kinds):
        options = ("--columns", "time,00%s,00/key=:b,00/key=:c,01" % kind, "--time", "ms")
        for more in ((), ("--resume", "--window", 16, "--labels", "a=b")):
            c("FLUSHALL")
            want = text
            if kind == "/float":
                want = "".join("%s,%s,%s\n" % (w[0], w[1] if w[1] == "nan" else w[1] + ".0", ",".join(w[2:]))
                               for w in (line.split(",") for line in text.splitlines()))
            path = tools.file("n%d.csv" % n, want)
            said = tools.load(*options, "--key", "k", *more, path)
            holds(said, "loaded 1100 points", "0 bad lines, 0 points refused")
            same(tools.dump("k", *options), want.encode(), kind)
            eq(sorted(k for k in c("KEYS", "*") if b":{" not in k and b"load" not in k), [b"k", b"k:b", b"k:c"])
    bad = "1,nan,0\n2,1,nan\n3,nan,7\n"
    for columns, lines in (("time,00,quality", (3,)), ("time,00,01", (2,)), ("time,02/text,01", (2,))):
        said = tools.load("--columns", columns, "--time", "ms", "--key", "q", tools.file("bad.csv", bad), status=1)
        for line in lines:
            holds(said, "bad.csv:%d: " % line)


def test_a_dump_warns_of_infinite_values(t):
    s = t.server()
    tools, c = Tools(t, s), s.client()
    for ts in (1, 2):
        c("TS.INCRBY", "k", "1.7e308", "TIMESTAMP", ts)
        c("TS.DECRBY", "m", "1.7e308", "TIMESTAMP", ts)
    for options, text in ((("--header", "no"), b"k,1,00,0,1.7e+308\nk,2,00,0,inf\nm,1,00,0,-1.7e+308\nm,2,00,0,-inf\n"),
                          (("--columns", "key,time,00/float", "--time", "ms"),
                           b"k,1,1.7e+308\nk,2,inf\nm,1,-1.7e+308\nm,2,-inf\n")):
        out, said = tools.run("pinstripe-dump", "k", "m", *options, status=1)
        same(out, text)
        holds(said, "2 values are infinite")


CELLS = ("time,key,-,00",
         ("plain", '"a ""b"" c"', '"line\nend"', '"\n2,looks,good,5\n"', '"crlf\r\n"', '""', '"""\n"""'))


def records(n):
    return ["%d,%s,%s,%d" % (i, ("k", '"k\n%d"' % (i % 3))[i % 2], CELLS[1][i % len(CELLS[1])], i) for i in range(n)]


def test_a_field_with_line_ends_is_one_and_no_line_of_its_own(t):
    s = t.server(duplicate_policy="KEEP")
    tools, c = Tools(t, s), s.client()
    n = 3000
    for end in ("\n", "\r\n"):
        text = end.join(records(n)) + end
        for name, data in (("a.csv", text.encode()), ("a.gz", gzip.compress(text.encode()))):
            c("FLUSHALL")
            said = tools.load("--columns", CELLS[0], "--time", "ms", "--header", "no", tools.file(name, data))
            holds(said, "loaded %d points of %d lines" % (n, n), "0 bad lines")
            eq(sorted(c("KEYS", "*")), [b"k", b"k\n0", b"k\n1", b"k\n2"])
            eq(sum(len(c("TSDB_GET", k, "-", "+")) for k in c("KEYS", "*")), n)
    whole = tools.dump("*")
    c("FLUSHALL")
    tools.load("--format", "points", tools.file("p.csv", whole))
    same(tools.dump("*"), whole, "keys with line ends")
    c("FLUSHALL")
    text = "time,\"the\nvalue\"\n1,\"5\"\n2,6\n"
    tools.load("--columns", "time=time,the\nvalue=00", "--time", "ms", "--key", "k", tools.file("h.csv", text))
    eq(tools.dump("k", "--header", "no"), b"k,1,00,0,5\nk,2,00,0,6\n")


def test_a_stray_quote_costs_its_own_line_only(t):
    s = t.server()
    tools, c = Tools(t, s), s.client()
    options = ("--columns", "time,-,00", "--time", "ms", "--key", "k")
    for name, text, bad in (("end", '1,"x,1\n2,y,2\n3,z,3\n', (1,)),
                            ("next", '1,"x,1\n2,"y",2\n3,"z",3\n', (1,)),
                            ("two", '1,"x,1\n2,y,2\n3,"z,3\n', (1, 3)),
                            ("far", '1,"x,1\n2,y,2\n3,%s,3\n4,",4\n' % ("z" * 300000), (1, 4)),
                            ("comment", '# "what\n1,x,1\n#,"\n2,y",2\n', ())):
        c("FLUSHALL")
        said = tools.load(*options, "--comment", "#", tools.file(name, text), status=1 if bad else 0)
        lines = text.count("\n")
        for line in range(1, lines + 1):
            eq("%s:%d: a quote is opened and not closed" % (name, line) in said, line in bad, (name, line, said))
        holds(said, "%d bad lines" % len(bad), "loaded %d points" % (lines - len(bad) - text.count("#")))


def test_a_growing_file_leaves_an_open_quote_for_the_next_load(t):
    s = t.server(duplicate_policy="KEEP")
    tools = Tools(t, s)
    text = '1,x,1\n2,"two\n20,z,5\n",2\n3,"a""",3\n'
    options = ("--resume", "--growing", "--columns", "time,-,00", "--time", "ms", "--key", "k")
    for cut in range(len(text) + 1):
        said = tools.load(*options, tools.file("g.csv", text[:cut]))
        holds(said, " 0 bad lines")
        if text[:cut].endswith("two\n"):
            holds(said, "line 2 has no end yet for a quote, it is left for the next load")
    eq(tools.dump("k", "--header", "no"), b"k,1,00,0,1\nk,2,00,0,2\nk,3,00,0,3\n")


def test_texts_of_line_protocol_may_have_line_ends(t):
    s = t.server()
    tools = Tools(t, s)
    text = ('m s="a\nm b=9 5000000",b=1 1000000\nm s="\\"\nm b=9 5000000\n",b=2 2000000\r\n# "\nq"x s="\n" 1000000\n'
            'm,t=" b=3 3000000\nm b="open 1\nm b=4 4000000\nm s="closed" 4000000\n')
    said = tools.load("--format", "influx", tools.file("a.lp", text), status=1)
    holds(said, "a.lp:10: the line has a text that is not closed", "1 bad lines", "4 values are text")
    eq(tools.dump("m b", "--header", "no"), b"m b,1,00,0,1\nm b,2,00,0,2\nm b,4,00,0,4\n")


def test_names_of_a_header_may_have_what_separates_columns(t):
    s = t.server()
    tools = Tools(t, s)
    text = 'a=b/c,"d, e",f|g,h\\i,j\\\n1,2,3,4,5\n'
    columns = r"a\=b\/c=time,d\, e=00,f\|g=01/key=\/\,,h\i=02,z|j\\=03/key=\,"
    options = ("--columns", columns, "--time", "ms")
    tools.load(*options, "--key", "k", tools.file("a.csv", text))
    eq(sorted(s.client()("KEYS", "*")), [b"k", b"k,", b"k/,"])
    same(tools.dump("k", *options).replace(b",z\n", b",j\\\n"), text.encode(), "back")
    holds(tools.load("--columns", "a=b/c=time,h=00", "--key", "k", tools.file("b.csv", text), status=2),
          "with a \\ before , = / | in it", "/key=SUFFIX")
    holds(tools.run("pinstripe-dump", "k", "--columns", "a=b/c=time,h=00", status=2)[1], "/key=SUFFIX")


def test_a_dump_warns_of_what_it_shows_only(t):
    s = t.server()
    tools, c = Tools(t, s), s.client()
    for quality in (0, 5):
        c.ok("TSDB_SET", "k", 1, quality, "0%d" % quality, quality)
    eq(tools.dump("k", "--columns", "time,00,05", "--time", "ms"), b"1,0,5\n")
    out, said = tools.run("pinstripe-dump", "k", "--columns", "time,00,05,quality", "--time", "ms", status=1)
    eq(out, b"1,0,5,0\n")
    holds(said, "1 lines have points of different quality, the first one's is shown")
    for options in ((), ("--columns", "key,time,00")):
        for words in ((), ("k",)):
            holds(tools.run("pinstripe-dump", *words, "--key", "k", *options, status=2)[1],
                  "--key 'k' has no {key}, for which the key column stands: give the key without --key")
    holds(tools.run("pinstripe-dump", "--key", "k", "--format", "influx", status=2)[1], "--key 'k' needs a {key}")
    eq(tools.dump("--key", "k", "--columns", "time,00", "--time", "ms"), b"1,0\n")
