/* Times as files write them, and as a series stores them.
 *
 * A series has 64-bit integers in one unit (s, ms, us, ns) since 1970 in UTC. A file has one of
 *
 *   s ms us ns            a number since 1970 in that unit, decimals allowed ("1700000000.25")
 *   day-s ... day-ns      the same since midnight of a day that is given besides, as clocks show it:
 *                         34200 is 09:30 also on a day on which they change
 *   iso                   2024-02-29T12:30:00.5Z; 'T' or a space; the time, the seconds and the
 * zone may be left out; zone: Z, +01:00, +0100, +01 a pattern with %      %Y %y %m %d %j %H %I %M
 * %S of fixed width, %-m %-d and so on without leading zeros, %f (digits of a second behind its
 * point), %b (Jan), %p (AM, PM), %z (Z, +01:00), %s (seconds since 1970), %%; all else must be
 * there as it is
 *
 * Reading is exact or fails: a time finer than the stored unit is an error, not rounded, unless
 * `truncate` is set: then it is the last time of that unit that is not later. Writing gives decimals
 * only where there are some, so that what was read without superfluous zeros comes back byte for byte; %f writes as many digits as the stored unit has, at least one.
 *
 * Local times are those of a zone of the system's zoneinfo. A time that exists twice when clocks go
 * back means the first; one that is skipped when they go forward is an error, but for midnight, by
 * which a day is meant and which is moved on as mktime does. The zone is the process's, set once by
 * time_zone_set: one zone a program. */
#ifndef TOOLS_LIB_TIMETEXT_H
#define TOOLS_LIB_TIMETEXT_H

#include "core/base.h"
#include "core/buf.h"

#define TIME_PATTERN_MAX 64
#define TIME_TEXT_MAX 1024 /* longest text of a time, read or written */

/* The value is the number of decimals of a second. */
enum time_unit {
    TIME_S = 0,
    TIME_MS = 3,
    TIME_US = 6,
    TIME_NS = 9,
};

enum time_kind {
    TIME_NUMBER,
    TIME_OF_DAY,
    TIME_ISO,
    TIME_PATTERN,
};

struct time_zone_cache {
    int64_t from_s, until_s; /* where offset_s holds; empty at first */
    int32_t offset_s;
};

struct time_format {
    enum time_kind kind;
    enum time_unit unit;   /* NUMBER, OF_DAY: of the text */
    enum time_unit stored; /* of the series */
    bool us_by_digits;     /* NUMBER: a text with 16 digits before the point is in us, whatever `unit` says */
    bool truncate;         /* what is finer than the stored unit is dropped, not refused */
    bool local;            /* ISO and PATTERN without a zone, and midnight, are in the zone set */
    bool needs_day;        /* OF_DAY, and a PATTERN without a date: time_format_day is due */
    int64_t day_s;         /* then: midnight of it, as clocks show it */
    char pattern[TIME_PATTERN_MAX + 1];
    struct time_zone_cache to_utc, to_local;
};

enum time_error {
    TIME_OK,
    TIME_NOT_ONE,      /* it does not have the format */
    TIME_TOO_FINE,     /* more decimals than the stored unit keeps */
    TIME_OUT_OF_RANGE, /* no 64-bit integer, or no such day or hour */
    TIME_SKIPPED,      /* clocks of the zone never show it */
};

/* "s", "ms", "us", "ns": 0 or -EINVAL. */
int time_unit_parse(const char *text, enum time_unit *ret);
const char *time_unit_name(enum time_unit u);

/* Sets the zone for local times; "UTC" is none. -ENOENT when the system does not know it. */
int time_zone_set(const char *name);

/* By the text of the format. 0, -EINVAL for no such format, or -EDOM for a pattern with a month or a
 * day but no year. Where f->needs_day, call time_format_day. */
int time_format_init(struct time_format *f, const char *text, enum time_unit stored, bool local);
/* What is wrong with the text, for people. */
const char *time_format_error_text(int error);
/* The day of times that have none, as "20131007" or "2013-10-07". 0 or -EINVAL. */
int time_format_day(struct time_format *f, struct slice day);

/* Midnight of the day after "2013-10-07", of an iso format. TIME_OUT_OF_RANGE behind the last time
 * there is; on an error *ret_ts is untouched. */
enum time_error time_day_after(struct time_format *f, struct slice day, int64_t *ret_ts);

/* A time in the format, as a timestamp of its unit. On an error *ret_ts is untouched. */
enum time_error time_parse(struct time_format *f, struct slice text, int64_t *ret_ts);
/* "is not a time of the format %s", for people; only for errors. */
const char *time_error_text(enum time_error e);

/* Writes the text of a stored time to out (TIME_TEXT_MAX bytes), returns its length. */
size_t time_put(struct time_format *f, int64_t ts, char *out);

#endif
