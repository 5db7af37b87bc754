"""The targets the project has set itself, one row each, and what was measured of them."""


class Verdict:
    """measured and wanted are text; met is True, False, or None when it was not measured."""

    def __init__(self, text, measured, wanted, met):
        self.text, self.measured, self.wanted, self.met = text, measured, wanted, met

    def as_dict(self):
        return {"target": self.text, "measured": self.measured, "wanted": self.wanted,
                "met": self.met}


def not_measured(text, wanted):
    return Verdict(text, "-", wanted, None)


def at_least(results, mode, test, floor, text):
    wanted = f">= {floor / 1e6:.1f} M/s"
    rate = results.median(mode, test, "pinstripe")
    if rate is None:
        return not_measured(text, wanted)
    return Verdict(text, f"{rate / 1e6:.2f} M/s", wanted, rate >= floor)


def times_redis(results, mode, test, other, factor, text):
    """Pinstripe's rate in `test` over Redis's in `other`."""
    wanted = f">= {factor:.1f} x Redis"
    ours = results.median(mode, test, "pinstripe")
    theirs = results.median(mode, other, "redis")
    if ours is None or not theirs:
        return not_measured(text, wanted)
    return Verdict(text, f"{ours / theirs:.2f} x", wanted, ours / theirs >= factor)


def no_more_than_redis(results, mode, test, field, unit, text):
    ours = results.median(mode, test, "pinstripe", field)
    theirs = results.median(mode, test, "redis", field)
    if ours is None or theirs is None:
        return not_measured(text, "<= Redis")
    return Verdict(text, f"{ours:.2f} {unit}", f"<= {theirs:.2f} {unit}", ours <= theirs)


def below(value, limit, unit, text):
    wanted = f"< {limit:g} {unit}"
    if value is None:
        return not_measured(text, wanted)
    return Verdict(text, f"{value:.3g} {unit}", wanted, value < limit)


def for_points(results, mode, own):
    test = "TSDB_SET P=100" + own
    text = f"{test} {mode}"
    return [at_least(results, mode, test, 1.8e6, text + ", floor"),
            at_least(results, mode, test, 2.5e6, text + ", aim"),
            times_redis(results, mode, test, "SET P=100" + own, 2.0, text + " over SET")]


def for_strings(results, mode, own):
    rows = [("SET P=100", 2.5), ("GET P=100", 1.4)]
    if mode == "always":
        rows.insert(1, ("SET P=16", 2.0))
    return [times_redis(results, mode, test + own, test + own, factor, f"{test}{own} {mode}")
            for test, factor in rows]


def for_one_by_one(results, own):
    test = "SET P=1" + own
    text = f"{test} always"
    return [times_redis(results, "always", test, test, 1.0, text),
            no_more_than_redis(results, "always", test, "p99_ms", "ms", text + " p99"),
            no_more_than_redis(results, "always", test, "cpu_us", "us", text + " CPU/request")]


def for_one_connection(results):
    return [times_redis(results, "everysec", test, test, 1.0, f"{test} everysec")
            for test in ("SET P=100 c=1", "GET P=100 c=1")]


MICRO_LIMITS_NS = (("ring_hop", 100), ("head_insert", 150), ("journal_encode", 60))


OTHER_CORE_MAX = 1.6


def for_the_other_core(two_cores):
    rows = []
    for test, f in two_cores.items():
        rows.append(Verdict(f"{test} for the other core, CPU", f"{f['ratio']:.2f} x",
                            f"<= {OTHER_CORE_MAX} x local", f["ratio"] <= OTHER_CORE_MAX))
    return rows or [not_measured("commands for the other core, CPU",
                                 f"<= {OTHER_CORE_MAX} x local")]


def judge(results, modes, start, micro, two_cores):
    """All verdicts. `own` rows are the same targets measured with our own generator, which has more
    to give than redis-benchmark at P=1 and P=16."""
    verdicts = []
    for mode in modes:
        for own in ("", " own"):
            verdicts += for_points(results, mode, own)
            verdicts += for_strings(results, mode, own)
            if mode == "always":
                verdicts += for_one_by_one(results, own)
        if mode == "everysec":
            verdicts += for_one_connection(results)
        verdicts.append(below(results.median(mode, "TSDB_GET half load", "pinstripe", "p99_ms"),
                              0.6, "ms", f"TSDB_GET last 100, half load, {mode} p99"))
    verdicts += for_the_other_core(two_cores)
    start = start or {}
    verdicts += [below(start.get("killed_s"), 2.0, "s", "start with 10 M points, after kill -9"),
                 below(start.get("stopped_s"), 2.0, "s", "start with 10 M points, after a stop")]
    verdicts += [below(micro.get(name), limit, "ns", f"micro {name}")
                 for name, limit in MICRO_LIMITS_NS]
    return verdicts
