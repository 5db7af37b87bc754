"""CLIENT KILL and CLIENT LIST over all cores: who is meant, who is left alone."""
import socket

from pinstripe import eq, holds, until
from resp import Closed, Error


def address(c, which="addr"):
    return next(f for f in c.ok("CLIENT", "INFO").decode().split() if f.startswith(which + "="))[
        len(which) + 1:]


def is_closed(c):
    try:
        return isinstance(c("PING"), Error)
    except (Closed, ConnectionError):
        return True


def listed(c, *filters):
    """Ids of the clients in CLIENT LIST."""
    lines = c.ok("CLIENT", "LIST", *filters).decode().splitlines()
    return sorted(int(line.split()[0][len("id="):]) for line in lines)


def victims(s, n=2):
    """Connections on every core."""
    return [s.core_client(core) for core in range(2) for _ in range(n)]


def test_kill_by_id_and_by_address_meets_one_client_of_any_core(t):
    s = t.server(cores=2, core_ports="yes")
    c, others = s.core_client(0), victims(s)
    for way in ("id", "addr", "old"):
        for core in range(2):
            v = s.core_client(core)
            args = {"id": ("ID", v.ok("CLIENT", "ID")), "addr": ("ADDR", address(v)),
                    "old": (address(v),)}[way]
            eq(c.ok("CLIENT", "KILL", *args), "OK" if way == "old" else 1)
            assert is_closed(v), (way, core)
            again = c("CLIENT", "KILL", *args)
            if way == "old":
                eq(str(again), "ERR No such client")
            else:
                eq(again, 0)
    eq([is_closed(o) for o in others], [False] * len(others))


def test_kill_by_filters_meets_all_of_them(t):
    s = t.server(cores=2, core_ports="yes")
    c = s.core_client(0)
    for filters in (("LADDR", None), ("TYPE", "normal"), ("USER", "default"),
                    ("TYPE", "normal", "USER", "default", "SKIPME", "yes")):
        group = victims(s)
        if filters[0] == "LADDR":  # that of core 1: its two clients, not those of core 0
            eq(c.ok("CLIENT", "KILL", "LADDR", address(group[2], "laddr")), 2)
            eq([is_closed(v) for v in group], [False, False, True, True])
            eq(c.ok("CLIENT", "KILL", "TYPE", "normal"), 2)
        else:
            eq(c.ok("CLIENT", "KILL", *filters), len(group))
        until(lambda: listed(c) == [c.ok("CLIENT", "ID")], what="the others are gone")
        assert all(is_closed(v) for v in group)
    eq(c.ok("CLIENT", "KILL", "TYPE", "pubsub"), 0)
    eq(c.ok("PING"), "PONG")


def arrived(c):
    """What is there, without waiting for it; None when there is nothing."""
    try:
        return c.sock.recv(100, socket.MSG_DONTWAIT)
    except BlockingIOError:
        return None


def test_a_kill_is_done_when_it_is_answered(t):
    """Clients look at their pooled connections for an end before they use them again."""
    for cores in (1, 2):
        s = t.server(cores=cores, core_ports="yes")
        c, replies, ends = s.core_client(0), [], []
        for i in range(200):
            v = s.core_client(i % cores)
            v_id = v.ok("CLIENT", "ID")
            c.send("CLIENT", "KILL", "ID", v_id)
            while (reply := arrived(c)) is None:
                pass
            ends.append(arrived(v))
            replies.append(reply)
        eq((set(replies), set(ends)), ({b":1\r\n"}, {b""}))


def test_who_kills_itself_gets_the_answer_first(t):
    s = t.server(cores=2, core_ports="yes")
    for core in range(2):
        me = s.core_client(core)
        eq(me.ok("CLIENT", "KILL", "ID", me.ok("CLIENT", "ID")), 0)  # SKIPME is yes
        eq(me.ok("CLIENT", "KILL", "ID", me.ok("CLIENT", "ID"), "SKIPME", "no"), 1)
        assert is_closed(me)


def test_a_killed_client_leaves_no_group_or_watch_behind(t):
    s = t.server(cores=2, core_ports="yes")
    c, v = s.core_client(0), s.core_client(1)
    eq(v.pipe([("BATCH_SET", "series", 1, 1), ("WATCH", "k"), ("MULTI",), ("SET", "k", "never")]),
       ["QUEUED", "OK", "OK", "QUEUED"])
    eq(c.ok("CLIENT", "KILL", "ADDR", address(c)), 0)
    eq(c.ok("CLIENT", "KILL", "TYPE", "normal"), 1)
    assert is_closed(v)
    eq(c.ok("EXISTS", "k", "series"), 0)
    eq(c.ok("SET", "k", "now"), "OK")


def test_lists_name_the_clients_of_all_cores(t):
    s = t.server(cores=2, core_ports="yes")
    c, group = s.core_client(0), victims(s)
    ids = [v.ok("CLIENT", "ID") for v in group]
    mine = c.ok("CLIENT", "ID")
    eq(listed(c), sorted(ids + [mine]))
    eq(listed(c, "TYPE", "normal"), sorted(ids + [mine]))
    eq(listed(c, "TYPE", "pubsub"), [])
    eq(listed(c, "ID", ids[0], ids[3], 123456789), sorted([ids[0], ids[3]]))
    eq(len(set(ids)), len(ids))
    eq(group[2].ok("CLIENT", "SETNAME", "bob"), "OK")
    assert b"name=bob" in c.ok("CLIENT", "LIST", "ID", ids[2])
    eq(c.ok("CLIENT", "LIST").count(b" flags=N "), len(ids) + 1)
    eq(group[1].ok("MULTI"), "OK")
    assert b" flags=x " in c.ok("CLIENT", "LIST", "ID", ids[1])


def test_debug_refuses_what_it_does_not_know(t):
    c = t.server(enable_debug_command="yes").client()
    for bad in ("nan", "-1", "inf", "1000001", "x"):
        eq(str(c("DEBUG", "SLEEP", bad)),
           "ERR DEBUG SLEEP takes a number of seconds from 0 to 1000000")
    for bad in (("SLEEP",), ("SLEEP", 0, 0), ("OBJECT",), ("OBJECT", "a", "b"), ("nosuch",)):
        eq(str(c("DEBUG", *bad)), "ERR unknown subcommand or wrong number of arguments for '%s'. "
                                  "Try DEBUG HELP." % bad[0])
    eq(c("DEBUG", "SLEEP", 0), "OK")
    assert "SLEEP <seconds>" in c("DEBUG", "HELP")


def test_command_info_in_resp3_has_sets_where_redis_has_them(t):
    c = t.server().client(proto=3)
    c.send("COMMAND", "INFO", "GET")
    raw = c.read_raw()
    assert raw.startswith(b"*1\r\n*10\r\n$3\r\nget\r\n:2\r\n~2\r\n"), raw
    holds(raw.decode(), "+@fast\r\n~0\r\n~1\r\n%3\r\n$5\r\nflags\r\n~")
    assert raw.endswith(b"~0\r\n"), raw
    c.send("COMMAND", "LIST", "FILTERBY", "PATTERN", "getex")
    eq(c.read_raw(), b"*1\r\n$5\r\ngetex\r\n")
