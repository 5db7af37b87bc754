"""What a command costs when it reaches a core that does not own its key: Pinstripe on both CPUs, every
key on core 1, the client on core 1's port (local) or on core 0's (remote), in turns.

The cost is CPU time of the loops (threads core-N), both together: what helper threads do, checkpoints
above all, comes when it comes and has nothing to do with the way. Without busy polling: a core that
looks for work before it sleeps would show the waiting as cost. The client shares the CPUs with the
server, which changes the rates and hardly the CPU time."""

import pathlib
import statistics

from comparing.clients import Load
from comparing.servers import CLOCK_TICKS, CompareError, Server

TESTS = [("SET P=100", "set", 100), ("GET P=100", "get", 100), ("TSDB_SET P=100", "tsdb_set", 100),
         ("SET P=16", "set", 16), ("GET P=16", "get", 16), ("TSDB_SET P=16", "tsdb_set", 16),
         ("SET P=1", "set", 1), ("GET P=1", "get", 1), ("TSDB_SET P=1", "tsdb_set", 1)]
CONNECTIONS = 50


def argv(binary, port, data_dir, mode, cpus):
    return [binary, "--port", port, "--dir", data_dir, "--cpus", cpus, "--appendfsync", mode,
            "--core-ports", "yes", "--busy-poll-us", "0"]


class CorePort:
    """The port of one core; cpu_seconds() is the time of all loops."""

    def __init__(self, server, core):
        self.pid, self.port = server.process.pid, server.port + 1 + core

    def cpu_seconds(self):
        ticks = 0
        for stat in pathlib.Path(f"/proc/{self.pid}/task").glob("*/stat"):
            name, rest = stat.read_text().split("(", 1)[1].rsplit(")", 1)
            if name.startswith("core-"):
                fields = rest.split()
                ticks += int(fields[11]) + int(fields[12])
        return ticks / CLOCK_TICKS


def tag_on(server, port):
    """A hash tag whose keys belong to the core that has this port."""
    for first, last, (_, node_port, *_), *_ in server.ask("CLUSTER", "SLOTS"):
        for tag in "abcdefghijklmnopqrstuvwxyz" if node_port == port else "":
            if first <= server.ask("CLUSTER", "KEYSLOT", "{%s}" % tag) <= last:
                return "{%s}:" % tag
    raise CompareError(f"no slots on port {port}")


def measure(kind, binary, mode, data_dir, cpus, load, rounds, seconds):
    """Medians of CPU us a command: {test: {"local": us, "remote": us, "ratio": x}}."""
    kind = type(kind)(kind.name, kind.binary, argv)
    server = Server(kind, binary, mode, data_dir, cpus)
    load = Load(load.binary, cpus)
    try:
        server.start()
        ports = {"local": CorePort(server, 1), "remote": CorePort(server, 0)}
        tag = tag_on(server, ports["local"].port)
        keys = ["--prefix", tag, "--series-prefix", tag + "s"]
        result = {}
        for name, mix, pipeline in TESTS:
            samples = {"local": [], "remote": []}
            for _ in range(rounds):
                for way, port in ports.items():
                    figures = load.measure(port, mix, CONNECTIONS, pipeline, seconds, *keys)
                    samples[way].append(figures)
            result[name] = row(samples)
        return result
    finally:
        server.remove()


def row(samples):
    def median(way, field):
        return statistics.median(figures[field] for figures in samples[way])
    ratio = statistics.median(r["cpu_us"] / l["cpu_us"]
                              for l, r in zip(samples["local"], samples["remote"]))
    return {"local_us": median("local", "cpu_us"), "remote_us": median("remote", "cpu_us"),
            "local_rate": median("local", "rate"), "remote_rate": median("remote", "rate"),
            "ratio": ratio}
