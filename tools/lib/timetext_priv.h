/* The calendar under timetext: days, dates and the zone's offsets. */
#ifndef TOOLS_LIB_TIMETEXT_PRIV_H
#define TOOLS_LIB_TIMETEXT_PRIV_H

#include "tools/lib/timetext.h"

#define DAY_S 86400

struct civil {
    int64_t year;
    int month, day; /* from 1 */
    int hour, minute, second;
    int64_t nanos; /* below a second */
};

/* Days from 1970-01-01 to a date of the Gregorian calendar. */
int64_t civil_days(int64_t year, int month, int day);
/* The date and the time of day of a time in seconds; nanos stays. */
void civil_of(int64_t seconds, struct civil *ret);
bool civil_is_date(int64_t year, int month, int day);
int64_t civil_seconds(const struct civil *c);

/* What local clocks show, as if it were UTC, to UTC; and back. False when they never show it, since
 * they went forward: *ret_s is then what mktime makes of it. */
bool time_zone_to_utc(struct time_zone_cache *cache, int64_t local_s, int64_t *ret_s);
int64_t time_zone_to_local(struct time_zone_cache *cache, int64_t utc_s);

/* A pattern or iso, without the conversion of zones to the process's: *ret_zoned says that the text
 * itself named one, which is then taken off already. */
enum time_error time_pattern_parse(const char *pattern, struct slice text, struct civil *ret,
                                   int64_t *ret_seconds, bool *ret_zoned);
enum time_error time_iso_parse(struct slice text, struct civil *ret, int64_t *ret_seconds,
                               bool *ret_zoned);
/* Writes to out, at most TIME_TEXT_MAX bytes; `digits` is what %f writes. */
size_t time_pattern_put(const char *pattern, const struct civil *c, int64_t utc_s, int32_t offset_s,
                        int digits, char *out);

#endif
