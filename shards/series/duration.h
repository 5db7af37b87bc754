/* Lengths of time as text, in the unit of an instance's timestamps. Pure: any thread. */
#ifndef SHARDS_SERIES_DURATION_H
#define SHARDS_SERIES_DURATION_H

#include "core/base.h"

/* "90", which is of the unit itself, or a whole number and one of ns us ms s m h d w (any case):
 * "5m". unit_ns: nanoseconds of the unit. 0; -EINVAL: no such text; -ERANGE: no whole number of
 * units ("5us" where the unit is ms), or more than int64 holds. */
int duration_parse(struct slice text, int64_t unit_ns, int64_t *ret);

#endif
