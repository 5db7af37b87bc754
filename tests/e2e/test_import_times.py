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
