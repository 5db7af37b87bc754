#include "core/aggregate_names.h"

#define LOWER(constant, number, lower, upper) [number] = lower,
#define UPPER(constant, number, lower, upper) [number] = upper,
static const char *const names[2][AGGREGATE_N] = {{AGGREGATE_NAMES(LOWER)}, {AGGREGATE_NAMES(UPPER)}};
#undef LOWER
#undef UPPER

bool
aggregate_parse(struct slice name, enum aggregate *ret_fn)
{
    for (unsigned i = 0; i < AGGREGATE_N; i++)
        if (slice_is(name, names[false][i])) {
            *ret_fn = (enum aggregate)i;
            return true;
        }
    return false;
}

const char *
aggregate_name(enum aggregate fn, bool upper)
{
    ASSERT(fn < AGGREGATE_N);
    return names[upper][fn];
}
