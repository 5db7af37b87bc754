/* Limits of a core that tests make smaller, so that what happens at them can be tested with little
 * data: DEBUG LIMIT name value, for the core that it is sent to. The table is the only list of
 * them. */
#ifndef SHARDS_ENGINE_LIMITS_H
#define SHARDS_ENGINE_LIMITS_H

#include "core/base.h"

#define LIMIT_LIST_BYTES (128 * MIB)  /* of keys or words that a core finds for one reply */
#define LIMIT_MULTI_BYTES (128 * MIB) /* of what it reads of series for one reply */
#define LIMIT_QUERY_POINTS 1000000    /* of one reply of TSDB_GET and TSDB_BATCH_GET */
#define LIMIT_SLICE_NS 1000000        /* of a core, before its other clients have their turn */
#define LIMIT_SLICE_POINTS 16384     /* of one series, read before the clock is looked at again */
#define LIMIT_EXEC_NS 1000000000      /* of one command over many series inside MULTI, in one go */
#define LIMIT_STOP_DRAIN_NS 10000000000 /* that a stop waits for requests under way */

/* ROW(field, name, default) */
#define LIMITS_TABLE(ROW)                                                                          \
    ROW(list_bytes, "list-bytes", LIMIT_LIST_BYTES)                                                \
    ROW(multi_bytes, "multi-bytes", LIMIT_MULTI_BYTES)                                             \
    ROW(query_points, "query-points", LIMIT_QUERY_POINTS)                                          \
    ROW(slice_ns, "slice-ns", LIMIT_SLICE_NS)                                                      \
    ROW(slice_points, "slice-points", LIMIT_SLICE_POINTS)                                          \
    ROW(exec_ns, "exec-ns", LIMIT_EXEC_NS)                                                         \
    ROW(stop_drain_ns, "stop-drain-ns", LIMIT_STOP_DRAIN_NS)

struct limits {
#define FIELD(field, name, value) uint64_t field;
    LIMITS_TABLE(FIELD)
#undef FIELD
};

#define LIMITS_DEFAULT_ROW(field, name, value) .field = (value),
#define LIMITS_DEFAULT ((struct limits){LIMITS_TABLE(LIMITS_DEFAULT_ROW)})

#endif
