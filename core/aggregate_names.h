/* The aggregation functions by name, one row each: A(constant, number, "lower", "UPPER"). What they do
 * is shards/series/aggregate.h; the names are here because settings name them as well. */
#ifndef CORE_AGGREGATE_NAMES_H
#define CORE_AGGREGATE_NAMES_H

#include "core/base.h"

/* Numbers are stored in compaction rules: they stay as they are. */
#define AGGREGATE_NAMES(A)                                                                         \
    A(AGGREGATE_AVG, 0, "avg", "AVG")                                                              \
    A(AGGREGATE_SUM, 1, "sum", "SUM")                                                              \
    A(AGGREGATE_MIN, 2, "min", "MIN")                                                              \
    A(AGGREGATE_MAX, 3, "max", "MAX")                                                              \
    A(AGGREGATE_RANGE, 4, "range", "RANGE")                                                        \
    A(AGGREGATE_COUNT, 5, "count", "COUNT")                                                        \
    A(AGGREGATE_STD_P, 6, "std.p", "STD.P")                                                        \
    A(AGGREGATE_STD_S, 7, "std.s", "STD.S")                                                        \
    A(AGGREGATE_VAR_P, 8, "var.p", "VAR.P")                                                        \
    A(AGGREGATE_VAR_S, 9, "var.s", "VAR.S")                                                        \
    A(AGGREGATE_FIRST, 10, "first", "FIRST")                                                       \
    A(AGGREGATE_LAST, 11, "last", "LAST")                                                          \
    A(AGGREGATE_TWA, 12, "twa", "TWA")                                                             \
    A(AGGREGATE_COUNT_NAN, 13, "countnan", "COUNTNAN")                                             \
    A(AGGREGATE_COUNT_ALL, 14, "countall", "COUNTALL")                                             \
    A(AGGREGATE_P50, 15, "p50", "P50") /* the rest: not RedisTimeSeries' */                        \
    A(AGGREGATE_P95, 16, "p95", "P95")                                                             \
    A(AGGREGATE_P99, 17, "p99", "P99")

#define AGGREGATE_CONSTANT(constant, number, lower, upper) constant = number,
enum aggregate { AGGREGATE_NAMES(AGGREGATE_CONSTANT) AGGREGATE_N };
#undef AGGREGATE_CONSTANT

/* By name, any case; false = none of that name. */
bool aggregate_parse(struct slice name, enum aggregate *ret_fn);
/* "std.p"; upper: "STD.P". */
const char *aggregate_name(enum aggregate fn, bool upper);
static inline bool
aggregate_is_extension(enum aggregate fn)
{
    return fn >= AGGREGATE_P50;
}

#endif
