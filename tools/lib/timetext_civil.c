/* Dates by the arithmetic of eras of 400 years (Howard Hinnant, "chrono-Compatible Low-Level Date
 * Algorithms"), zones by the C library. */
#include "tools/lib/timetext_priv.h"

#include <time.h>

#define ERA_DAYS 146097
#define EPOCH_DAYS 719468 /* from 0000-03-01 to 1970-01-01 */
#define ZONE_BLOCK_S 900  /* offsets change at quarters of an hour only */

static int64_t
floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

int64_t
civil_days(int64_t year, int month, int day)
{
    int64_t y = year - (month <= 2), era = floor_div(y, 400), yoe = y - era * 400;
    int64_t doy = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

    return era * ERA_DAYS + yoe * 365 + yoe / 4 - yoe / 100 + doy - EPOCH_DAYS;
}

void
civil_of(int64_t seconds, struct civil *ret)
{
    int64_t days = floor_div(seconds, DAY_S), rest = seconds - days * DAY_S;
    int64_t z = days + EPOCH_DAYS, era = floor_div(z, ERA_DAYS), doe = z - era * ERA_DAYS;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / (ERA_DAYS - 1)) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;

    ret->day = (int)(doy - (153 * mp + 2) / 5 + 1);
    ret->month = (int)(mp + (mp < 10 ? 3 : -9));
    ret->year = yoe + era * 400 + (ret->month <= 2);
    ret->hour = (int)(rest / 3600);
    ret->minute = (int)(rest / 60 % 60);
    ret->second = (int)(rest % 60);
}

bool
civil_is_date(int64_t year, int month, int day)
{
    static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    return month >= 1 && month <= 12 && day >= 1 && day <= days[month - 1] + (month == 2 && leap);
}

int64_t
civil_seconds(const struct civil *c)
{
    return civil_days(c->year, c->month, c->day) * DAY_S + c->hour * 3600 + c->minute * 60 +
           c->second;
}

/* Does the local clock show local_s at utc_s? */
static bool
shows(int64_t utc_s, int64_t local_s)
{
    time_t t = (time_t)utc_s;
    struct tm tm;

    return localtime_r(&t, &tm) && utc_s + tm.tm_gmtoff == local_s;
}

/* mktime's answer for a time that exists twice depends on what it was asked before; the earlier
 * one is taken, whichever of the usual steps of an hour or half of it leads there. */
static int64_t
offset_of_local(int64_t local_s)
{
    struct civil c;
    struct tm tm = {.tm_isdst = -1};
    int64_t utc_s;

    civil_of(local_s, &c);
    tm.tm_year = (int)(c.year - 1900);
    tm.tm_mon = c.month - 1;
    tm.tm_mday = c.day;
    tm.tm_hour = c.hour;
    tm.tm_min = c.minute;
    tm.tm_sec = c.second;
    utc_s = mktime(&tm);
    for (int step = 3600; step >= 1800; step -= 1800)
        if (shows(utc_s - step, local_s))
            return local_s - (utc_s - step);
    return local_s - utc_s;
}

static void
cache_block(struct time_zone_cache *cache, int64_t s, int64_t offset)
{
    cache->from_s = floor_div(s, ZONE_BLOCK_S) * ZONE_BLOCK_S;
    cache->until_s = cache->from_s + ZONE_BLOCK_S;
    cache->offset_s = (int32_t)offset;
}

bool
time_zone_to_utc(struct time_zone_cache *cache, int64_t local_s, int64_t *ret_s)
{
    int64_t offset;

    if (local_s < cache->from_s || local_s >= cache->until_s) {
        offset = offset_of_local(local_s);
        *ret_s = local_s - offset;
        if (!shows(*ret_s, local_s))
            return false;
        cache_block(cache, local_s, offset);
    }
    *ret_s = local_s - cache->offset_s;
    return true;
}

int64_t
time_zone_to_local(struct time_zone_cache *cache, int64_t utc_s)
{
    time_t t = (time_t)utc_s;
    struct tm tm;

    if (utc_s < cache->from_s || utc_s >= cache->until_s)
        cache_block(cache, utc_s, localtime_r(&t, &tm) ? tm.tm_gmtoff : 0);
    return utc_s + cache->offset_s;
}
