"""Tables on the terminal, results as JSON, a plot."""

import json
import pathlib
import shutil
import subprocess

from comparing.tests import AFTER_WRITES, HALF_LOAD, SAME_RATE, TESTS

CLIENT_BOUND = 0.95
# More than this of one CPU gone to processes outside the measurement, and the figures say little.
OTHERS_MAX = 0.10


def million(rate):
    return "-" if rate is None else f"{rate / 1e6:.3f}"


def figure(value, digits=2):
    return "-" if value is None else f"{value:.{digits}f}"


def table(rows):
    """Prints rows aligned; the first column to the left, the others to the right."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        cells = [cell.ljust(w) if i == 0 else cell.rjust(w)
                 for i, (cell, w) in enumerate(zip(row, widths))]
        print("  " + "  ".join(cells).rstrip())


def spread(values):
    """Half the range of the rounds over their middle, in percent."""
    if len(values) < 2:
        return "-"
    return f"{(max(values) - min(values)) / (max(values) + min(values)) * 100:.0f}%"


def print_machine(machine):
    changed = " with local changes" if machine["commit_changed"] else ""
    print(f"{machine['when']}, {machine['cpu']}, {machine['cpus']} CPUs, "
          f"{machine['memory_gib']} GiB, Linux {machine['kernel']}, "
          f"{machine['file_system']} on {machine['device']}, commit {machine['commit']}{changed}")
    for name, text in machine["servers"].items():
        print(f"  {name}: {text}")
    print(f"  load average before {' '.join(machine['loadavg_before'])}, after "
          f"{' '.join(machine['loadavg_after'])} (a quiet machine starts near 0); "
          f"stolen CPU time {machine['steal_percent']:.1f} %")


def row_of(results, mode, test, servers):
    row = [test] + [million(results.median(mode, test, s)) for s in servers]
    ours = results.median(mode, test, servers[0])
    for other in servers[1:]:
        theirs = results.median(mode, test, other)
        row.append(f"{ours / theirs:.2f}" if ours and theirs else "-")
    for field, digits in (("p99_ms", 2), ("cpu_us", 2)):
        row += [figure(results.median(mode, test, s, field), digits) for s in servers[:2]]
    others = [o for s in servers for o in results.values(mode, test, s, "others_busy")]
    row.append(f"{max(others, default=0) * 100:.0f}%")
    row.append(spread(results.values(mode, test, servers[0], "rate")))
    busy = max((results.median(mode, test, s, "client_busy") or 0 for s in servers), default=0)
    row.append(f"{busy * 100:.0f}%" + ("*" if busy >= CLIENT_BOUND else ""))
    return row


def print_mode(results, mode, servers):
    names = [test.name for test in TESTS] + [AFTER_WRITES, HALF_LOAD, SAME_RATE]
    names = [name for name in names if name in results.samples.get(mode, {})]
    if not names:
        return
    short = servers[:2]
    head = [f"appendfsync {mode}"] + [f"{s} M/s" for s in servers]
    head += [f"/{s}" for s in servers[1:]]
    head += [f"p99 ms {s}" for s in short] + [f"CPU us {s}" for s in short]
    head += ["others", "spread", "client"]
    print()
    table([head] + [row_of(results, mode, name, servers) for name in names])


def print_two_cores(two_cores):
    if not two_cores:
        return
    print()
    rows = [["two cores, key of the other", "local CPU us", "remote CPU us", "ratio", "local M/s",
             "remote M/s"]]
    for test, f in two_cores.items():
        rows.append([test, figure(f["local_us"], 3), figure(f["remote_us"], 3), figure(f["ratio"]),
                     million(f["local_rate"]), million(f["remote_rate"])])
    table(rows)


def print_memory(memory):
    if not memory:
        return
    print()
    rows = [["memory", "RSS bytes", "used_memory bytes"]]
    for server, items in memory.items():
        for item, grown in items.items():
            rows.append([f"{server}, per {item}", figure(grown["rss"], 1),
                         figure(grown["used"], 1)])
    table(rows)


def print_verdicts(verdicts):
    print()
    rows = [["target", "measured", "wanted", ""]]
    for v in verdicts:
        word = {True: "pass", False: "MISS", None: "not measured"}[v.met]
        rows.append([v.text, v.measured, v.wanted, word])
    table(rows)
    met = sum(v.met is True for v in verdicts)
    missed = sum(v.met is False for v in verdicts)
    print(f"  {met} met, {missed} missed, {len(verdicts) - met - missed} not measured")


def print_doubts(results):
    samples = [figures for mode in results.samples.values() for test in mode.values()
               for rounds in test.values() for figures in rounds]
    if any(figures["client_busy"] >= CLIENT_BOUND for figures in samples):
        print("  * the client was the limit: read the row of our own generator")
    noisy = [figures["others_busy"] for figures in samples if figures["others_busy"] > OTHERS_MAX]
    if noisy:
        print(f"  NOISE: in {len(noisy)} of {len(samples)} measurements other processes used up to "
              f"{max(noisy) * 100:.0f} % of a CPU; repeat on a quiet machine before you believe it")


def print_all(machine, results, modes, servers, two_cores, memory, start, micro, verdicts):
    print()
    print_machine(machine)
    for mode in modes:
        print_mode(results, mode, servers)
    print_doubts(results)
    print_two_cores(two_cores)
    print_memory(memory)
    if start:
        print(f"\n  start with {start['points']} points: {start['killed_s']:.2f} s after kill -9, "
              f"{start['stopped_s']:.2f} s after a stop")
    if micro:
        print()
        table([["micro-benchmark", "ns"]] + [[n, f"{v:.1f}"] for n, v in sorted(micro.items())])
    print_verdicts(verdicts)


def write_json(path, document):
    path.write_text(json.dumps(document, indent=1) + "\n")


PLOT = """set terminal pngcairo size 1400,{height} noenhanced font 'sans,10'
set output {png}
set multiplot layout {rows},1
set style data histograms
set style histogram clustered gap 1
set style fill solid 0.9 border -1
set boxwidth 0.9
set grid ytics
set yrange [0:*]
set ylabel 'million commands/s'
set xtics rotate by -25
set key outside right top
"""


def plot_mode(results, mode, servers, data_path):
    """Writes the mode's data file; returns the gnuplot lines, none when there is nothing."""
    names = [t.name for t in TESTS if t.name in results.samples.get(mode, {})]
    if not names:
        return []
    lines = []
    for name in names:
        rates = [results.median(mode, name, s) for s in servers]
        cells = ["nan" if r is None else f"{r / 1e6:.4f}" for r in rates]
        lines.append("\t".join([f'"{name}"'] + cells))
    data_path.write_text("\n".join(lines) + "\n")
    bars = ", ".join(f"'{data_path}' using {i + 2}:xtic(1) title '{server}'"
                     for i, server in enumerate(servers))
    return [f"set title 'appendfsync {mode}: server on one core, medians'", f"plot {bars}"]


def write_plot(path, results, modes, servers, scratch):
    """A PNG of bars, one cluster per test. Returns what went wrong, or None."""
    if not shutil.which("gnuplot"):
        return "gnuplot is not installed, no plot"
    parts = [plot_mode(results, m, servers, pathlib.Path(scratch, f"{m}.dat")) for m in modes]
    parts = [part for part in parts if part]
    if not parts:
        return "nothing to plot"
    script = PLOT.format(height=450 * len(parts), png=f"'{path}'", rows=len(parts))
    script += "\n".join(line for part in parts for line in part) + "\nunset multiplot\n"
    done = subprocess.run(["gnuplot"], input=script, capture_output=True, text=True, timeout=60)
    return done.stderr.strip() or "gnuplot failed" if done.returncode else None
