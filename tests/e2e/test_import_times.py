"""Times of files that are not the usual ones: without a date, of days on which clocks change, in other units."""
from pinstripe import eq, holds
from test_import import Tools, same


def test_times_without_a_date_are_of_the_day_that_is_given(t):
    s = t.server()
    tools = Tools(t, s)
    text = "09:30:00,1\n16:00:00,2\n"
    options = ("--columns", "time,00", "--time", "%H:%M:%S", "--timezone", "America/New_York", "--key", "k")
    path, dated = tools.file("a.csv", text), tools.file("ibm_20240310.csv", text)
    want = b"k,1710077400000,00,0,1\nk,1710100800000,00,0,2\n"
    for args in (("--date", "20240310", path), (dated,), ("--date", "20240310", tools.file("x_20240101.csv", text))):
        s.client()("DEL", "k")
        tools.load(*options, *args)
        eq(tools.dump("k", "--header", "no"), want, args)
    same(tools.dump("k", *options[:-2], "--date", "20240310"), text.encode())
    holds(tools.load(*options, path, status=2), "a.csv: times without a date need a --date YYYYMMDD, or one in the")
    holds(tools.load(*options, "--date", "20240230", path, status=2), "--date '20240230' is no day (YYYYMMDD)")
    holds(tools.run("pinstripe-dump", "k", *options[:-2], status=2)[1], "times without a date need a --date")
    for program in ("pinstripe-load", "pinstripe-dump"):
        holds(tools.run(program, "--columns", "time,00", "--time", "%m-%d", path, status=2)[1],
              "--time '%m-%d' has a month or a day, but no year")


def test_ticks_of_lean_are_at_the_hour_of_the_clock_when_clocks_change(t):
    s = t.server(duplicate_policy="KEEP")
    tools = Tools(t, s)
    text = "34200000,1815200,100,P,0,0\n86399999,1815300,200,NSDQ,1f,1\n"
    options = ("--timezone", "America/New_York")
    for day, ts in (("20240310", 1710077400000), ("20241103", 1730644200000), ("20240702", 1719927000000)):
        path = tools.file("ibm_%s_trade.csv" % day, text)
        tools.load("--format", "lean", *options, path)
        holds(tools.dump("ibm_trade", "--start", ts, "--end", ts).decode(), "ibm_trade,%d,00,0,181.52\n" % ts)
        same(tools.dump("ibm_trade", "--format", "lean-trade", "--date", day, *options), text.encode(), day)
    bad = tools.file("ibm_20240310_trade.csv", "7200000,1815200,100,P,0,0\n86400000,1815200,100,P,0,0\n")
    holds(tools.load("--format", "lean", *options, bad, status=1), "clocks went forward", "is out of range", "2 bad")


def test_line_protocol_of_a_coarse_precision_comes_back(t):
    s = t.server(timestamp_unit="us")
    tools = Tools(t, s)
    for precision, times in (("s", (-5, 0, 1700000000)), ("ms", (-5, 1700000000123)), ("us", (-5, 3)),
                             ("ns", (-5000, 0))):
        s.client()("FLUSHALL")
        text = "".join("m a=1,b=2i %d\n" % ts for ts in times)
        options = ("--format", "influx", "--precision", precision)
        tools.load(*options, tools.file(precision, text))
        same(tools.dump("*", *options), text.encode(), precision)
    s.client().ok("TSDB_SET", "m a", 1000000, 1)
    s.client().ok("TSDB_SET", "m a", 1000001, 1)
    out, said = tools.run("pinstripe-dump", "m a", "--format", "influx", "--precision", "ms", "--start", 1, status=3)
    eq(out, b"m a=1 1000\n")
    holds(said, "the time 1000001 is finer than --precision ms")


ISO = ("--columns", "time,00")
T0 = (*ISO, "--time")
KEYED = ("--columns", "time,key,00", "--time", "ms", "--key", "t:{key}")
OTHERWISE = (  # options of both, a file, what a dump makes of it (None: the same)
    (ISO, "2024-02-29T12:30:00.5Z,1\n2024-02-29T12:30:01Z,1\n", None),
    (ISO, "2024-02-29 12:30:00,1\n2024-02-29T12:31:00+01:00,2\n2024-02-29T12:30:00.500Z,1\n",
     "2024-02-29T11:31:00Z,2\n2024-02-29T12:30:00Z,1\n2024-02-29T12:30:00.5Z,1\n"),
    ((*ISO, "--timezone", "Asia/Tokyo"), "2024-02-29T12:30:00,1\n", None),
    ((*T0, "%Y-%m-%d %H:%M:%S"), "2024-02-29 12:30:00,1\n", None),
    ((*T0, "%Y-%m-%d %H:%M:%S.%f"), "2024-02-29 12:30:00.250000,1\n", "2024-02-29 12:30:00.250,1\n"),
    ((*T0, "%Y-%m-%d %H:%M:%S.%f", "--unit", "us"), "2024-02-29 12:30:00.250000,1\n", None),
    ((*T0, "%Y-%m-%d %H:%M:%S%z"), "2024-02-29 12:30:00+0100,1\n2024-02-29 12:30:00Z,1\n",
     "2024-02-29 11:30:00Z,1\n2024-02-29 12:30:00Z,1\n"),
    ((*T0, "%Y-%m-%d %H:%M:%S%z", "--timezone", "Asia/Tokyo"), "2024-02-29 12:30:00+09:00,1\n", None),
    ((*T0, "s"), "1700000000.250,1\n1700000001.0,1\n", "1700000000.25,1\n1700000001,1\n"),
    ((*T0, "s"), "1700000000.25,1\n1700000001,1\n", None),
    ((*T0, "ms"), "1,1\r\n2,2\r\n", "1,1\n2,2\n"),
    ((*T0, "ms"), '"1","1"\n\n2,2', "1,1\n2,2\n"),
    ((*T0, "ms"), "\ufeff1,1.50\n2,+2\n3,1e3\n4,.5\n5,5.\n6,NaN\n7,1E40\n8,-0.0\n",
     "1,1.5\n2,2\n3,1000\n4,0.5\n5,5\n6,nan\n7,1e+40\n8,-0\n"),
    ((*T0, "ms"), "2,2\n1,1\n2,3\n", "1,1\n2,2\n2,3\n"),
    (("--columns", "time,00,01", "--time", "ms"), "1,null,1\n2,,\n3,3,\n", "1,,1\n3,3,\n"),
    (("--columns", "time,-,00,quality", "--time", "ms"), "1,x,1,\n", "1,,1,0\n"),
    (KEYED, "1,b,1\n1,a,2\n2,b,3\n", "1,a,2\n1,b,1\n2,b,3\n"),
    (KEYED, "1,a,2\n1,b,1\n2,b,3\n", None),
    (("--format", "ohlcv", "--time", "%Y-%m-%d"),
     "Date,Open,High,Low,Close,Adj Close,Volume\n2024-01-02,1,3,1,2,2,9\n",
     "time,open,high,low,close,volume\n2024-01-02,1,3,1,2,9\n"),
    (("--columns", "Date=time,Open=00,Adj Close=-", "--time", "%Y-%m-%d"),
     "Date,Open,Adj Close\n2024-01-02,1,\n", None),
    (("--format", "binance"), "1735603200000,1.50,2,1,1.25,10,1735603259999,20,3,4,5,0\n",
     "1735603200000,1.5,2,1,1.25,10,,20,3,4,5,\n"),
    (("--format", "influx"), 'm b=1.0,a=T,c=2i,s="x" 2000000\nm b=3 1000000\n# note\n',
     "m b=3 1000000\nm a=true,b=1,c=2i 2000000\n"),
    (("--format", "influx"), "m,h=a\\ b a=true,b=1.5,c=2i 1000000\n", None),
)


def test_what_a_dump_writes_of_what_was_loaded(t):
    s = t.server(duplicate_policy="KEEP")
    tools, c = Tools(t, s), s.client()
    for options, text, want in OTHERWISE:
        c("FLUSHALL")
        words = () if "--key" in options or "influx" in options else ("--key", "k")
        tools.load(*options, *words, tools.file("a.csv", text))
        keyed = ("--key", "t:{key}") if "t:{key}" in options else ()
        got = tools.dump(*(() if keyed else ("*",)), *options)
        same(got, (text if want is None else want).encode(), options)
        c("FLUSHALL")  # what a dump writes comes back
        tools.load(*options, *words, tools.file("b.csv", got))
        same(tools.dump(*(() if keyed else ("*",)), *options), got, options)
