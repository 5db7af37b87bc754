"""What is measured: the table of throughput tests, and the measurements that need more than one run
of a client."""

import statistics

from comparing.clients import GET_ARGS, KEYS, POINT_ARGS, SET_ARGS, summary
from comparing.servers import CompareError, Server

POINTS_READ = 100
READ_CONNECTIONS = 50
# Rows beside TESTS: a read of points at half load, while the server may still be at what the rows
# before have written and when it has come to rest, and GET at the rate of that, on every server.
AFTER_WRITES = "TSDB_GET after writes"
HALF_LOAD = "TSDB_GET half load"
SAME_RATE = "GET at that rate"
# Open loop: the most a connection may have in flight; enough that the timetable hardly ever waits.
READ_PIPELINE = 16


class Test:
    """A row of TESTS: the same work for every server. `tool` is redis-benchmark or load."""

    def __init__(self, name, tool, command, connections, pipeline, series=False):
        self.name, self.tool, self.command = name, tool, command
        self.connections, self.pipeline, self.series = connections, pipeline, series


# In this order on a fresh server: what is read has been written before.
TESTS = [
    Test("SET P=1", "redis-benchmark", SET_ARGS, 50, 1),
    Test("SET P=16", "redis-benchmark", SET_ARGS, 50, 16),
    Test("SET P=100", "redis-benchmark", SET_ARGS, 50, 100),
    Test("GET P=1", "redis-benchmark", GET_ARGS, 50, 1),
    Test("GET P=16", "redis-benchmark", GET_ARGS, 50, 16),
    Test("GET P=100", "redis-benchmark", GET_ARGS, 50, 100),
    Test("SET P=100 c=1", "redis-benchmark", SET_ARGS, 1, 100),
    Test("GET P=100 c=1", "redis-benchmark", GET_ARGS, 1, 100),
    Test("SET P=1 own", "load", "set", 50, 1),
    Test("SET P=16 own", "load", "set", 50, 16),
    Test("SET P=100 own", "load", "set", 50, 100),
    Test("GET P=100 own", "load", "get", 50, 100),
    Test("TSDB_SET P=100", "redis-benchmark", POINT_ARGS, 50, 100, series=True),
    Test("TSDB_SET P=100 own", "load", "tsdb_set", 50, 100, series=True),
]


class Results:
    """samples[mode][test][server] is the list of what the rounds gave."""

    def __init__(self):
        self.samples = {}

    def add(self, mode, test, server, figures):
        rounds = self.samples.setdefault(mode, {}).setdefault(test, {})
        rounds.setdefault(server, []).append(figures)

    def values(self, mode, test, server, field):
        rounds = self.samples.get(mode, {}).get(test, {}).get(server, [])
        return [r[field] for r in rounds if r.get(field) is not None]

    def median(self, mode, test, server, field="rate"):
        """None when there is no sample."""
        values = self.values(mode, test, server, field)
        return statistics.median(values) if values else None


def run_tests(server, clients, seconds, record, wanted):
    """Every wanted row of TESTS that the server can do."""
    for test in TESTS:
        if (test.series and not server.kind.series) or not wanted(test):
            continue
        tool = clients[test.tool]
        record(test.name, tool.measure(server, test.command, test.connections, test.pipeline,
                                       seconds))


def read_at_half_load(server, load, seconds, series, points):
    """Latency of reading the last points of a series while the server has half the reads to do that
    it could do: first the most it can do, then half of that on a timetable. Twice: at once, when
    checkpoints and compactions of earlier writes share its CPU, and once they are through. Returns
    the figures of both."""
    common = ["--series", series, "--series-prefix", "read_", "--points", POINTS_READ]
    load.run(server, "--mix", "tsdb_set", "--connections", 1, "--pipeline", 100, "--order",
             "sequential", "--requests", series * points, *common)
    common += ["--mix", "tsdb_get", "--connections", READ_CONNECTIONS]
    full = load.run(server, "--pipeline", 1, "--warmup", 0.5, "--duration", seconds, *common)
    expect_points(server, "read_" + "0" * 12, POINTS_READ)
    rate = max(int(full["rate"] / 2), 1)

    def half():
        got = load.run(server, "--pipeline", READ_PIPELINE, "--rate", rate, "--warmup", 0.5,
                       "--duration", seconds, *common)
        return {**summary(got), "full_rate": full["rate"], "half_rate": rate}

    busy = half()
    rested = server.rest()
    return busy, {**half(), "rest_s": rested}


def get_at_rate(server, load, seconds, rate):
    """Latency of GET on the same timetable: what the machine and the way to the server cost anyone."""
    load.run(server, "--mix", "set", "--connections", 1, "--pipeline", 100, "--order", "sequential",
             "--keys", KEYS, "--requests", KEYS)
    return summary(load.run(server, "--mix", "get", "--keys", KEYS, "--connections",
                            READ_CONNECTIONS, "--pipeline", READ_PIPELINE, "--rate", rate,
                            "--warmup", 0.5, "--duration", seconds))


def expect_points(server, key, n):
    got = server.ask("TSDB_GET", key, "-", "+", n, "REV")
    if len(got) != n:
        raise CompareError(f"{server.kind.name}: TSDB_GET {key} gave {len(got)} of {n} points")
    return got


def used_memory(server):
    """What the server itself says, None if it does not say."""
    for line in str(server.ask("INFO", "memory")).splitlines():
        if line.startswith("used_memory:"):
            return int(line.split(":")[1])
    return None


def growth(server, fill, n):
    rss, used = server.rss_bytes(), used_memory(server)
    fill()
    after = used_memory(server)
    both = used is not None and after is not None
    return {"rss": (server.rss_bytes() - rss) / n, "used": (after - used) / n if both else None}


def memory_per_item(server, load, keys, series, points):
    """Bytes of memory per key and, where there are series, per point."""
    fill = ["--connections", 1, "--pipeline", 100, "--order", "sequential"]

    def fill_keys():
        load.run(server, "--mix", "set", "--keys", keys, "--prefix", "mem:", "--value-bytes", 16,
                 "--requests", keys, *fill)

    def fill_points():
        load.run(server, "--mix", "tsdb_set", "--series", series, "--series-prefix", "mem_",
                 "--requests", series * points, *fill)

    result = {"key": growth(server, fill_keys, keys)}
    if server.kind.series:
        result["point"] = growth(server, fill_points, series * points)
    return result


def start_time(kind, binary, mode, data_dir, cpu, load, points):
    """Seconds from the start of the program to the first answered read with so many points on disk,
    after an orderly stop and after a kill -9. The points are compared with those before."""
    series = 1000
    server = Server(kind, binary, mode, data_dir, cpu)
    try:
        server.start()
        load.run(server, "--mix", "tsdb_set", "--series", series, "--series-prefix", "start_",
                 "--connections", 50, "--pipeline", 100, "--order", "sequential", "--requests",
                 points, limit_s=600)
        keys = [f"start_{i:012d}" for i in range(0, series, 97)]
        before = [expect_points(server, key, 10) for key in keys]
        result = {"points": points}
        # The kill comes first: after the orderly stop the journal may have nothing left to replay.
        for how, hard in (("killed_s", True), ("stopped_s", False)):
            server.stop(hard=hard)
            result[how] = server.start(probe=("TSDB_GET", keys[0], "-", "+", 10, "REV"))
            if [expect_points(server, key, 10) for key in keys] != before:
                raise CompareError(f"{kind.name}: points differ after it was {how[:-2]}")
        return result
    finally:
        server.remove()
