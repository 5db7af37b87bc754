/* Patterns as of strptime and strftime, without locale, for reading and for writing. */
#include "tools/lib/timetext_priv.h"

#include "net/number.h"

#include <stdio.h>

#define NANOS 1000000000
#define FRACTION_DIGITS 9

static const char month_names[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                        "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

/* What was read; -1 stands for what the pattern has not. */
struct reading {
    const char *p, *end;
    struct civil c;
    int day_of_year, half; /* half: 0 AM, 1 PM */
    int64_t seconds;       /* %s */
    bool has_seconds, zoned, too_fine;
    int32_t zone_s;
};

/* `width` digits, or with min < width as many as there are between the two. */
static bool
take_digits(struct reading *r, int min, int width, int64_t *ret)
{
    int64_t v = 0;
    int n = 0;

    while (n < width && r->p < r->end && *r->p >= '0' && *r->p <= '9') {
        v = v * 10 + (*r->p++ - '0');
        n++;
    }
    *ret = v;
    return n >= min;
}

static bool
take_number(struct reading *r, bool padded, int width, int *ret)
{
    int64_t v;

    if (!take_digits(r, padded ? width : 1, width, &v))
        return false;
    *ret = (int)v;
    return true;
}

/* Digits behind the point; those beyond a nanosecond must be zeros. */
static bool
take_fraction(struct reading *r)
{
    int64_t nanos = 0;
    int n = 0;

    for (; r->p < r->end && *r->p >= '0' && *r->p <= '9'; r->p++, n++) {
        if (n < FRACTION_DIGITS)
            nanos = nanos * 10 + (*r->p - '0');
        else
            r->too_fine |= *r->p != '0';
    }
    for (int i = n; i < FRACTION_DIGITS; i++)
        nanos *= 10;
    r->c.nanos = nanos;
    return n > 0;
}

static bool
take_char(struct reading *r, char ch)
{
    if (r->p == r->end || *r->p != ch)
        return false;
    r->p++;
    return true;
}

/* Z, +hh, +hhmm or +hh:mm. */
static bool
take_zone(struct reading *r)
{
    int hours, minutes = 0;
    bool negative;

    r->zoned = true;
    if (take_char(r, 'Z'))
        return true;
    negative = r->p < r->end && *r->p == '-';
    if (!negative && (r->p == r->end || *r->p != '+'))
        return false;
    r->p++;
    if (!take_number(r, true, 2, &hours))
        return false;
    if ((take_char(r, ':') || (r->p < r->end && *r->p >= '0' && *r->p <= '9')) &&
        !take_number(r, true, 2, &minutes))
        return false;
    r->zone_s = (hours * 60 + minutes) * 60 * (negative ? -1 : 1);
    return hours < 24 && minutes < 60;
}

static bool
take_month_name(struct reading *r)
{
    for (int i = 0; i < 12; i++) {
        if (r->end - r->p >= 3 && memcmp(r->p, month_names[i], 3) == 0) {
            r->c.month = i + 1;
            r->p += 3;
            return true;
        }
    }
    return false;
}

static bool
take_half(struct reading *r)
{
    if (r->end - r->p < 2 || (r->p[0] != 'A' && r->p[0] != 'P') || r->p[1] != 'M')
        return false;
    r->half = r->p[0] == 'P';
    r->p += 2;
    return true;
}

static bool
take_epoch(struct reading *r)
{
    const char *from = r->p;

    if (r->p < r->end && *r->p == '-')
        r->p++;
    while (r->p < r->end && *r->p >= '0' && *r->p <= '9')
        r->p++;
    r->has_seconds = true;
    return parse_int((struct slice){from, (size_t)(r->p - from)}, &r->seconds);
}

static bool
take_year(struct reading *r, bool padded, int width)
{
    int year;

    if (!take_number(r, padded, width, &year))
        return false;
    r->c.year = width == 4 ? year : year + (year < 69 ? 2000 : 1900);
    return true;
}

static bool
take_field(struct reading *r, char what, bool padded)
{
    switch (what) {
    case 'Y':
        return take_year(r, padded, 4);
    case 'y':
        return take_year(r, padded, 2);
    case 'm':
        return take_number(r, padded, 2, &r->c.month);
    case 'd':
        return take_number(r, padded, 2, &r->c.day);
    case 'j':
        return take_number(r, padded, 3, &r->day_of_year);
    case 'H':
    case 'I':
        return take_number(r, padded, 2, &r->c.hour);
    case 'M':
        return take_number(r, padded, 2, &r->c.minute);
    case 'S':
        return take_number(r, padded, 2, &r->c.second);
    case 'f':
        return take_fraction(r);
    case 'b':
        return take_month_name(r);
    case 'p':
        return take_half(r);
    case 'z':
        return take_zone(r);
    case 's':
        return take_epoch(r);
    default:
        return take_char(r, '%');
    }
}

/* The parts together; a leap second counts as the second behind it. */
static enum time_error
finish(struct reading *r, struct civil *ret, int64_t *ret_seconds, bool *ret_zoned)
{
    struct civil *c = &r->c;

    if (r->too_fine)
        return TIME_TOO_FINE;
    if (r->half >= 0) {
        if (c->hour < 1 || c->hour > 12)
            return TIME_OUT_OF_RANGE;
        c->hour = c->hour % 12 + 12 * r->half;
    }
    if (c->hour > 23 || c->minute > 59 || c->second > 60 ||
        !civil_is_date(c->year, c->month, c->day))
        return TIME_OUT_OF_RANGE;
    *ret_seconds = civil_seconds(c) - r->zone_s;
    if (r->day_of_year >= 0) {
        if (r->day_of_year < 1 || r->day_of_year > 365 + civil_is_date(c->year, 2, 29))
            return TIME_OUT_OF_RANGE;
        *ret_seconds += (int64_t)(r->day_of_year - 1) * DAY_S;
    }
    if (r->has_seconds)
        *ret_seconds = r->seconds;
    *ret_zoned = r->zoned || r->has_seconds;
    *ret = *c;
    return TIME_OK;
}

static struct reading
start(struct slice text)
{
    return (struct reading){.p = text.p,
                            .end = text.p + text.n,
                            .c = {1970, 1, 1, 0, 0, 0, 0},
                            .day_of_year = -1,
                            .half = -1};
}

enum time_error
time_pattern_parse(const char *pattern, struct slice text, struct civil *ret, int64_t *ret_seconds,
                   bool *ret_zoned)
{
    struct reading r = start(text);
    bool padded;

    for (; *pattern; pattern++) {
        if (*pattern != '%') {
            if (!take_char(&r, *pattern))
                return TIME_NOT_ONE;
            continue;
        }
        padded = *++pattern != '-';
        pattern += !padded;
        if (!take_field(&r, *pattern, padded))
            return TIME_NOT_ONE;
    }
    return r.p == r.end ? finish(&r, ret, ret_seconds, ret_zoned) : TIME_NOT_ONE;
}

/* "HH:MM", ":SS" and ".f" of an iso time, as far as they are there. */
static bool
take_iso_clock(struct reading *r)
{
    if (!take_number(r, true, 2, &r->c.hour) || !take_char(r, ':') ||
        !take_number(r, true, 2, &r->c.minute))
        return false;
    if (!take_char(r, ':'))
        return true;
    if (!take_number(r, true, 2, &r->c.second))
        return false;
    return !take_char(r, '.') || take_fraction(r);
}

enum time_error
time_iso_parse(struct slice text, struct civil *ret, int64_t *ret_seconds, bool *ret_zoned)
{
    struct reading r = start(text);

    if (!take_year(&r, true, 4) || !take_char(&r, '-') || !take_number(&r, true, 2, &r.c.month) ||
        !take_char(&r, '-') || !take_number(&r, true, 2, &r.c.day))
        return TIME_NOT_ONE;
    if (take_char(&r, 'T') || take_char(&r, ' ')) {
        if (!take_iso_clock(&r))
            return TIME_NOT_ONE;
        if (r.p < r.end && !take_zone(&r))
            return TIME_NOT_ONE;
    }
    return r.p == r.end ? finish(&r, ret, ret_seconds, ret_zoned) : TIME_NOT_ONE;
}

/* --- writing -------------------------------------------------------------------------------------
 */

static int
put_zone(char *out, int32_t offset_s)
{
    int32_t minutes = offset_s / 60, size = minutes < 0 ? -minutes : minutes;

    if (offset_s == 0)
        return sprintf(out, "Z");
    return sprintf(out, "%c%02d:%02d", minutes < 0 ? '-' : '+', size / 60, size % 60);
}

static int
put_number(char *out, bool padded, int width, int64_t v)
{
    return sprintf(out, "%0*lld", padded ? width : 1, (long long)v);
}

static int
put_fraction(char *out, int64_t nanos, int digits)
{
    int64_t unit = NANOS / 10;

    for (int i = 0; i < digits; i++, unit /= 10)
        out[i] = (char)('0' + nanos / unit % 10);
    return digits;
}

static int
put_field(char *out, char what, bool padded, const struct civil *c, int64_t utc_s, int32_t offset_s,
          int digits)
{
    switch (what) {
    case 'Y':
        return put_number(out, padded, 4, c->year);
    case 'y':
        return put_number(out, padded, 2, (c->year % 100 + 100) % 100);
    case 'm':
        return put_number(out, padded, 2, c->month);
    case 'd':
        return put_number(out, padded, 2, c->day);
    case 'j':
        return put_number(out, padded, 3,
                          civil_days(c->year, c->month, c->day) - civil_days(c->year, 1, 1) + 1);
    case 'H':
        return put_number(out, padded, 2, c->hour);
    case 'I':
        return put_number(out, padded, 2, (c->hour + 11) % 12 + 1);
    case 'M':
        return put_number(out, padded, 2, c->minute);
    case 'S':
        return put_number(out, padded, 2, c->second);
    case 'f':
        return put_fraction(out, c->nanos, digits);
    case 'b':
        return sprintf(out, "%s", month_names[c->month - 1]);
    case 'p':
        return sprintf(out, "%cM", c->hour < 12 ? 'A' : 'P');
    case 'z':
        return put_zone(out, offset_s);
    case 's':
        return put_number(out, false, 0, utc_s);
    default:
        return sprintf(out, "%%");
    }
}

size_t
time_pattern_put(const char *pattern, const struct civil *c, int64_t utc_s, int32_t offset_s,
                 int digits, char *out)
{
    size_t n = 0;
    bool padded;

    for (; *pattern; pattern++) {
        if (*pattern != '%') {
            out[n++] = *pattern;
            continue;
        }
        padded = *++pattern != '-';
        pattern += !padded;
        n += (size_t)put_field(out + n, *pattern, padded, c, utc_s, offset_s, digits);
    }
    return n;
}
