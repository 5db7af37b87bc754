"""TS.* as RedisTimeSeries 8.10 answers it, byte for byte: recorded scripts, sent again.

The file holds commands with the raw replies of that server in RESP2 and in RESP3; commands of one
script ran in order on one connection, from an empty server on. Each reply of ours is compared as it
comes, with one core and with two. All are equal but those of ARGUED, of which docs/TIMESERIES.md says
why: these must differ, so that the list stays true.

    TS_REPLIES_OUT=/tmp/differ.txt python3 tests/e2e/run.py -k ts_replies.

writes every difference into a file.
"""
import collections
import gzip
import json
import os

from pinstripe import eq, shared_file
from resp import encode

FILE = "ts_replies.jsonl.gz"
COMMANDS = 8024
SHOWN = 3  # differences of a command that a failure prints

DOC = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../docs/TIMESERIES.md")
AT_THE_END = "Deletions at the end of a source"
DROPPED = "Points that FIRST drops"
BEHIND = "LATEST before points of your own"
BEFORE_ZERO = "Buckets that begin before 0"
# (script, number of the command in it): what docs/TIMESERIES.md says of it, under these words
ARGUED = {
    (26, 68): (AT_THE_END,),
    (26, 79): (AT_THE_END,),
    (37, 72): (BEHIND,),
    (66, 63): (AT_THE_END, DROPPED),
    (66, 77): (BEHIND,),
    (66, 78): (AT_THE_END, DROPPED),
    (66, 79): (AT_THE_END, DROPPED),
    (87, 17): (BEFORE_ZERO,),
    (131, 66): (AT_THE_END,),
    (131, 74): (AT_THE_END,),
    (131, 77): (AT_THE_END,),
    (131, 80): (AT_THE_END,),
    (142, 24): (AT_THE_END,),
    (142, 28): (AT_THE_END,),
    (142, 29): (AT_THE_END,),
}

Case = collections.namedtuple("Case", "script number cmd want")


def recorded(t, proto):
    """Scripts as lists of cases."""
    path = shared_file(FILE)
    if path is None:
        t.skip("shared/data/%s is not here" % FILE)
    scripts = collections.OrderedDict()
    with gzip.open(path, "rt") as f:
        for line in f:
            row = json.loads(line)
            script = scripts.setdefault(row["script"], [])
            script.append(Case(row["script"], len(script), row["cmd"],
                               row["resp%d" % proto].encode("utf-8", "surrogateescape")))
    eq(sum(map(len, scripts.values())), COMMANDS, "commands of the file")
    return list(scripts.values())


def replay(client, script):
    """(case, reply) of those that differ. One at a time: with several cores a pipeline has no order
    among them."""
    differ = []
    for case in script:
        client.send_raw(encode(*case.cmd))
        reply = client.read_raw()
        if reply != case.want:
            differ.append((case, reply))
    return differ


def name_of(case):
    return case.cmd[0].upper()


def show(case, reply):
    return "script %d, command %d: %s\n  got  %r\n  want %r" % (
        case.script, case.number, " ".join(case.cmd), reply, case.want)


def place(case):
    return case.script, case.number


def report(t, total, differ, title):
    """Prints what each command comes to."""
    count = collections.Counter(name_of(case) for case, _ in differ)
    equal = sum(total.values()) - len(differ)
    t.say("%s: %d of %d replies equal%s" % (title, equal, sum(total.values()), "" if not count else
          "; differ: " + ", ".join("%s %d of %d" % (n, c, total[n]) for n, c in
                                   sorted(count.items()))))
    if "TS_REPLIES_OUT" in os.environ:
        with open(os.environ["TS_REPLIES_OUT"], "a") as f:
            f.writelines("%s: %s\n" % (title, show(*d)) for d in differ)


def run(t, cores):
    wrong, stale = [], []
    server = t.server(cores=cores)
    for proto in (2, 3):
        scripts = recorded(t, proto)
        total = collections.Counter(name_of(case) for s in scripts for case in s)
        client = server.client(proto=proto)
        differ = [d for s in scripts for d in replay(client, s)]
        report(t, total, differ, "RESP%d, %d core%s" % (proto, cores, "s"[:cores - 1]))
        wrong += [d for d in differ if place(d[0]) not in ARGUED]
        stale += sorted(set(ARGUED) - {place(case) for case, _ in differ})
    shown = collections.Counter()
    for case, reply in wrong:
        shown[name_of(case)] += 1
        if shown[name_of(case)] <= SHOWN:
            print(show(case, reply))
    assert not wrong, "%d replies differ" % len(wrong)
    assert not stale, "equal, although ARGUED says that they differ: %s" % stale


def test_replies_equal_the_recorded_ones(t):
    run(t, 1)


def test_replies_equal_the_recorded_ones_over_two_cores(t):
    run(t, 2)


def test_what_is_argued_is_in_the_documentation(t):
    with open(DOC) as f:
        text = f.read()
    for why in sorted({w for all_of in ARGUED.values() for w in all_of}):
        assert "**%s.**" % why in text, "docs/TIMESERIES.md does not say: %s" % why
