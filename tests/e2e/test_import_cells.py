"""Cells of CSV that are no plain numbers: missing ones, NaN, infinite ones; fields in quotes."""
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
            holds(tools.load(*options, "--key", "k", *more, path), "loaded 1100 points", "0 bad lines, 0 points refused")
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
