"""COMMAND says of a command what Redis says of it: arity, flags, categories, key positions and
specifications, tips, and the facts of COMMAND DOCS. Every command that both have is asked for, in both
protocols; what differs stands in DIFFERS, with its reason, and nowhere else."""
from pinstripe import eq
from resp import Error
from test_differential import Redis

FIELDS = ("name", "arity", "flags", "first key", "last key", "key step", "categories", "tips", "keys",
          "subcommands")

# Commands that are refused inside MULTI, because they wait for other cores or for the disk, or because
# the protocol does not change in the middle of a reply.
NO_MULTI = ("hello auth debug client|list client|kill client|unblock config|set config|resetstat"
            " config|rewrite").split()
# (command, field): what stands here and not there, what stands there and not here.
DIFFERS = {(name, "flags"): ({"no_multi"}, set()) for name in NO_MULTI}
DIFFERS.update({
    # Every core answers for all of them: a client that asked each and added up would count too much.
    ("dbsize", "tips"): (set(), {"request_policy:all_shards", "response_policy:agg_sum"}),
    ("keys", "tips"): (set(), {"request_policy:all_shards"}),
    # It reads what others write, as any command that counts keys.
    ("cluster|countkeysinslot", "flags"): ({"readonly"}, set()),
})
# Since a later version of Redis than the one that is compared with.
NEWER = {"waitaof", "client|setinfo"}
# A sentence about keys is in words of our own.
NOTES = {"set", "getex"}


def text(value):
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, list):
        return [text(v) for v in value]
    if isinstance(value, dict):
        return {text(k): text(v) for k, v in value.items()}
    return value


def rows_of(client):
    """Every command and subcommand by its name."""
    rows = {}
    for row in text(client.ok("COMMAND")):
        for one in [row] + row[9]:
            rows[one[0]] = dict(zip(FIELDS, one))
    return rows


def as_map(value):
    return value if isinstance(value, dict) else dict(zip(value[::2], value[1::2]))


def without_notes(specs):
    """Maps in the order in which they came, notes apart."""
    return [[(k, v) for k, v in as_map(s).items() if k != "notes"] for s in specs]


def compare_row(name, theirs, ours):
    for field in FIELDS:
        a, b = theirs[field], ours[field]
        if field == "subcommands":
            continue  # each is a row of its own
        if field == "keys" and name in NOTES:
            eq(["notes" in as_map(s) for s in b], ["notes" in as_map(s) for s in a], name)
            a, b = without_notes(a), without_notes(b)
        more, less = DIFFERS.get((name, field), (set(), set()))
        if more or less:
            eq(set(b) - set(a), more, (name, field))
            eq(set(a) - set(b), less, (name, field))
        else:
            eq(b, a, (name, field))


def is_own(name):
    return name in NEWER or name.startswith(("ts", "batch_", "cluster_info"))


def compare_rows(redis, server):
    """Names of the commands that both have."""
    theirs, ours = rows_of(redis), rows_of(server)
    both = sorted(theirs.keys() & ours.keys())
    for name in both:
        compare_row(name, theirs[name], ours[name])
    eq([n for n in ours if n not in theirs and not is_own(n)], [])
    unused = {name for name, _ in DIFFERS} - set(both)
    eq(unused, set(), "a difference of a command that is not there")
    return both


def test_command_info_is_that_of_redis(t):
    redis, server = Redis(t), t.server()
    try:
        for proto in (2, 3):
            a, b = redis.client(proto=proto), server.client(proto=proto)
            both = compare_rows(a, b)
            for name in both:  # by name it is the same as in the whole
                a.send("COMMAND", "INFO", name.upper(), "no-such", name + "|no-such")
                b.send("COMMAND", "INFO", name.upper(), "no-such", name + "|no-such")
                ra, rb = a.read_raw(), b.read_raw()
                if not name_differs(name) and "|" in name:
                    eq(rb, ra, name)
            t.say("RESP%d: %d commands" % (proto, len(both)))
            assert len(both) > 100
    finally:
        redis.stop()


def name_differs(name):
    return name in NOTES or any(n == name for n, _ in DIFFERS)


def test_command_docs_facts_are_those_of_redis(t):
    redis, server = Redis(t), t.server()
    try:
        theirs, ours = (all_docs(s.client(proto=3)) for s in (redis, server))
        both = theirs.keys() & ours.keys()
        assert len(both) > 100
        for name in both:
            for fact in ("since", "group", "deprecated_since", "doc_flags"):
                eq(ours[name].get(fact), theirs[name].get(fact), (name, fact))
        eq(text(server.client()("COMMAND", "DOCS", "no-such")), [])
        eq([n for n in both if not ours[n]["summary"] or not ours[n]["complexity"]], [])
    finally:
        redis.stop()


def all_docs(client):
    docs = {}
    for name, doc in text(client.ok("COMMAND", "DOCS")).items():
        docs[name] = doc
        docs.update(doc.get("subcommands", {}))
    return docs


ASKS = """
GETKEYS; GETKEYS get; GETKEYS get a; GETKEYS get a b; GETKEYS nosuch a; GETKEYS ping a
GETKEYS config get a; GETKEYS object encoding a; GETKEYS object nosuch a; GETKEYS object encoding
GETKEYS mset a b c; GETKEYS mset a b c d; GETKEYS set a b get; GETKEYS SET a b; GETKEYS rename a b
GETKEYS del a b c a; GETKEYS client list; GETKEYS client x y; GETKEYS copy a b DB 1; GETKEYS '' a
GETKEYSANDFLAGS; GETKEYSANDFLAGS set; GETKEYSANDFLAGS set a b; GETKEYSANDFLAGS set a b ex 10 get
GETKEYSANDFLAGS set a get; GETKEYSANDFLAGS SET get get GeT; GETKEYSANDFLAGS set a b bogus get
GETKEYSANDFLAGS rename a b; GETKEYSANDFLAGS renamenx a b; GETKEYSANDFLAGS copy a b replace
GETKEYSANDFLAGS mset a b c d; GETKEYSANDFLAGS mset a b c; GETKEYSANDFLAGS nosuch a
GETKEYSANDFLAGS ping a; GETKEYSANDFLAGS object encoding a; GETKEYSANDFLAGS del a b
GETKEYSANDFLAGS watch a b; GETKEYSANDFLAGS incr a; GETKEYSANDFLAGS getex a px 1
LIST x; LIST FILTERBY; LIST FILTERBY PATTERN; LIST FILTERBY PATTERN a b; LIST FILTERBY foo x
LIST FILTERBY MODULE x; LIST FILTERBY ACLCAT nosuch; LIST FILTERBY ACLCAT @fast
COUNT x; HELP x; NOSUCH; GETKEY get a; INFO nosuch; INFO get nosuch get|x config|nosuch |; DOCS nosuch
"""
# What both have of these is the same.
LISTS = ("PATTERN conf*", "PATTERN *|get", "PATTERN GET*", "PATTERN [", "ACLCAT transaction",
         "ACLCAT STRING", "ACLCAT fast", "ACLCAT dangerous", "ACLCAT keyspace", "ACLCAT slow")


def test_command_subcommands_answer_as_redis(t):
    redis, server = Redis(t), t.server()
    try:
        for proto in (2, 3):
            a, b = redis.client(proto=proto), server.client(proto=proto)
            for ask in ASKS.strip().replace("\n", ";").split(";"):
                words = [w.strip("'") for w in ask.split()]
                for c in (a, b):
                    c.send("COMMAND", *words)
                eq(b.read_raw(), a.read_raw(), ask)
            both = rows_of(a).keys() & rows_of(b).keys()
            for ask in LISTS:
                la, lb = (set(text(c.ok("COMMAND", "LIST", "FILTERBY", *ask.split()))) for c in (a, b))
                eq(lb & both, la & both, ask)
                eq(lb - la, {n for n in lb - la if is_own(n)}, ask)
            eq(set(text(b.ok("COMMAND", "LIST"))), set(rows_of(b)))
            eq(b.ok("COMMAND", "COUNT"), len(b.ok("COMMAND")))
            assert not isinstance(b("COMMAND", "HELP"), Error)
    finally:
        redis.stop()
