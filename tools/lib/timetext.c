#include "tools/lib/timetext.h"

#include "net/number.h"
#include "tools/lib/timetext_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define NANOS 1000000000
#define US_DIGITS 16     /* of a time since 1970 from 2001 to 2286; in ms it has 13 */

static const int64_t powers[] = {1,      10,      100,      1000,      10000,
                                 100000, 1000000, 10000000, 100000000, 1000000000};

static const struct {
    const char *name;
    enum time_unit unit;
} units[] = {{"s", TIME_S}, {"ms", TIME_MS}, {"us", TIME_US}, {"ns", TIME_NS}};

int
time_unit_parse(const char *text, enum time_unit *ret)
{
    for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
        if (strcmp(units[i].name, text) == 0) {
            *ret = units[i].unit;
            return 0;
        }
    }
    return -EINVAL;
}

const char *
time_unit_name(enum time_unit u)
{
    for (size_t i = 0; i < ARRAY_SIZE(units); i++)
        if (units[i].unit == u)
            return units[i].name;
    return "?";
}

int
time_zone_set(const char *name)
{
    static const char folder[] = "/usr/share/zoneinfo/";
    char path[PATH_MAX];
    size_t n = strlen(name);

    if (strcmp(name, "UTC") != 0) {
        if (n == 0 || n > sizeof(path) - sizeof(folder) || *name == '/' || strstr(name, ".."))
            return -ENOENT;
        memcpy(path, folder, sizeof(folder) - 1);
        memcpy(path + sizeof(folder) - 1, name, n + 1);
        if (access(path, R_OK) < 0)
            return -ENOENT;
    }
    setenv("TZ", name, 1);
    tzset();
    return 0;
}

static bool
is_pattern(const char *text)
{
    const char *p = text;

    if (strlen(text) > TIME_PATTERN_MAX)
        return false;
    while ((p = strchr(p, '%'))) {
        p += p[1] == '-' ? 2 : 1;
        if (*p == '\0' || !strchr("YymdjHIMSfbpzs%", *p))
            return false;
        p++;
    }
    return strchr(text, '%') != NULL;
}

static bool
has_field(const char *pattern, const char *fields)
{
    for (const char *p = pattern; (p = strchr(p, '%')); p++) {
        p += p[1] == '-' ? 2 : 1;
        if (strchr(fields, *p))
            return true;
    }
    return false;
}

static int
init_pattern(struct time_format *f, const char *text)
{
    bool year = has_field(text, "Yys");

    if (!year && has_field(text, "mdjb"))
        return -EDOM;
    f->kind = TIME_PATTERN;
    f->needs_day = !year;
    snprintf(f->pattern, sizeof(f->pattern), "%s", text);
    return 0;
}

int
time_format_init(struct time_format *f, const char *text, enum time_unit stored, bool local)
{
    struct time_format made = {.stored = stored, .local = local};
    int rc = 0;

    if (time_unit_parse(text, &made.unit) == 0) {
        made.kind = TIME_NUMBER;
    } else if (strncmp(text, "day-", 4) == 0 && time_unit_parse(text + 4, &made.unit) == 0) {
        made.kind = TIME_OF_DAY;
        made.needs_day = true;
    } else if (strcmp(text, "iso") == 0) {
        made.kind = TIME_ISO;
        snprintf(made.pattern, sizeof(made.pattern), "%%Y-%%m-%%dT%%H:%%M:%%S");
    } else if (is_pattern(text)) {
        rc = init_pattern(&made, text);
    } else {
        rc = -EINVAL;
    }
    if (rc == 0)
        *f = made;
    return rc;
}

const char *
time_format_error_text(int error)
{
    return error == -EDOM ? "has a month or a day, but no year" : "is no format, see --help";
}

int
time_format_day(struct time_format *f, struct slice day)
{
    struct civil c;
    int64_t seconds;
    bool zoned;

    if (time_pattern_parse("%Y%m%d", day, &c, &seconds, &zoned) != TIME_OK &&
        time_pattern_parse("%Y-%m-%d", day, &c, &seconds, &zoned) != TIME_OK)
        return -EINVAL;
    f->day_s = seconds;
    return 0;
}

/* --- reading -------------------------------------------------------------------------------------
 */

/* Digits with decimals, `decimals` of which fit the result: "1.5" with 3 gives 1500. What is dropped
 * is dropped toward the past, as it is of clocks. */
static enum time_error
parse_decimal(struct slice s, int decimals, bool truncate, int64_t *ret)
{
    const char *p = s.p, *end = s.p + s.n, *digits;
    bool negative = p < end && *p == '-';
    int64_t v = 0, dropped = 0;
    int fraction = 0;

    p += negative;
    for (digits = p; p < end && *p >= '0' && *p <= '9'; p++)
        if (__builtin_mul_overflow(v, 10, &v) || __builtin_sub_overflow(v, *p - '0', &v))
            return TIME_OUT_OF_RANGE;
    if (p == digits)
        return TIME_NOT_ONE;
    if (p < end && *p == '.' && ++p == end)
        return TIME_NOT_ONE;
    for (; p < end && *p >= '0' && *p <= '9'; p++) {
        if (fraction == decimals) {
            if (*p != '0' && !truncate)
                return TIME_TOO_FINE;
            dropped |= *p != '0';
            continue;
        }
        fraction++;
        if (__builtin_mul_overflow(v, 10, &v) || __builtin_sub_overflow(v, *p - '0', &v))
            return TIME_OUT_OF_RANGE;
    }
    if (p < end)
        return TIME_NOT_ONE;
    if (__builtin_mul_overflow(v, powers[decimals - fraction], &v) ||
        (!negative && v == INT64_MIN) || __builtin_sub_overflow(v, negative & dropped, &v))
        return TIME_OUT_OF_RANGE;
    *ret = negative ? v : -v; /* counted downward, where there is room for the smallest */
    return TIME_OK;
}

static bool
has_us_digits(struct slice text)
{
    size_t sign = text.n > 0 && text.p[0] == '-', n = sign;

    while (n < text.n && text.p[n] >= '0' && text.p[n] <= '9')
        n++;
    return n - sign == US_DIGITS;
}

static enum time_error
parse_number(const struct time_format *f, struct slice text, int64_t *ret_ts)
{
    enum time_unit unit = f->us_by_digits && has_us_digits(text) ? TIME_US : f->unit;
    int shift = (int)f->stored - (int)unit;
    enum time_error e;
    int64_t v;

    e = parse_decimal(text, MAX(shift, 0), f->truncate, &v);
    if (e != TIME_OK)
        return e;
    if (shift < 0) {
        if (v % powers[-shift] != 0 && !f->truncate)
            return TIME_TOO_FINE;
        v = v / powers[-shift] - (v < 0 && v % powers[-shift] != 0);
    }
    *ret_ts = v;
    return TIME_OK;
}

static enum time_error
join(const struct time_format *f, int64_t seconds, int64_t nanos, int64_t *ret_ts)
{
    int64_t per_second = powers[f->stored], step = NANOS / per_second, v;

    if (nanos % step != 0 && !f->truncate)
        return TIME_TOO_FINE;
    if (__builtin_mul_overflow(seconds, per_second, &v) ||
        __builtin_add_overflow(v, nanos / step, &v))
        return TIME_OUT_OF_RANGE;
    *ret_ts = v;
    return TIME_OK;
}

/* What clocks show to a timestamp. */
static enum time_error
join_local(struct time_format *f, int64_t local_s, int64_t nanos, int64_t *ret_ts)
{
    int64_t seconds = local_s;

    if (f->local && !time_zone_to_utc(&f->to_utc, local_s, &seconds) && local_s % DAY_S != 0)
        return TIME_SKIPPED;
    return join(f, seconds, nanos, ret_ts);
}

static enum time_error
parse_of_day(struct time_format *f, struct slice text, int64_t *ret_ts)
{
    int64_t per_second = powers[f->stored], v;
    enum time_error e = parse_number(f, text, &v);

    if (e != TIME_OK)
        return e;
    if (v < 0 || v / per_second >= DAY_S)
        return TIME_OUT_OF_RANGE;
    return join_local(f, f->day_s + v / per_second, v % per_second * (NANOS / per_second), ret_ts);
}

enum time_error
time_parse(struct time_format *f, struct slice text, int64_t *ret_ts)
{
    struct civil c;
    enum time_error e;
    int64_t seconds;
    bool zoned;

    if (f->kind == TIME_NUMBER)
        return parse_number(f, text, ret_ts);
    if (f->kind == TIME_OF_DAY)
        return parse_of_day(f, text, ret_ts);
    if (f->kind == TIME_ISO)
        e = time_iso_parse(text, &c, &seconds, &zoned);
    else
        e = time_pattern_parse(f->pattern, text, &c, &seconds, &zoned);
    if (e != TIME_OK)
        return e;
    if (f->needs_day)
        seconds += f->day_s;
    return zoned ? join(f, seconds, c.nanos, ret_ts) : join_local(f, seconds, c.nanos, ret_ts);
}

enum time_error
time_day_after(struct time_format *f, struct slice day, int64_t *ret_ts)
{
    struct civil c;
    int64_t seconds;
    bool zoned;
    enum time_error e = time_iso_parse(day, &c, &seconds, &zoned);

    if (e != TIME_OK)
        return e;
    seconds += DAY_S;
    if (f->local)
        time_zone_to_utc(&f->to_utc, seconds, &seconds);
    return join(f, seconds, 0, ret_ts);
}

const char *
time_error_text(enum time_error e)
{
    switch (e) {
    case TIME_TOO_FINE:
        return "is finer than the stored unit (see --unit, --truncate-times)";
    case TIME_OUT_OF_RANGE:
        return "is out of range";
    case TIME_SKIPPED:
        return "does not exist in --timezone: clocks went forward";
    default:
        return "does not have the format of --time";
    }
}

/* --- writing -------------------------------------------------------------------------------------
 */

/* |v| as text with the last `decimals` digits behind a point, as many of them as are needed. */
static size_t
put_decimal(int64_t v, int decimals, char *out)
{
    uint64_t size = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
    uint64_t whole = size / (uint64_t)powers[decimals], rest = size % (uint64_t)powers[decimals];
    size_t n = 0;

    if (v < 0)
        out[n++] = '-';
    n += format_uint(out + n, whole);
    if (rest == 0)
        return n;
    out[n++] = '.';
    for (; rest > 0; decimals--) {
        uint64_t unit = (uint64_t)powers[decimals - 1];

        out[n++] = (char)('0' + rest / unit);
        rest %= unit;
    }
    return n;
}

static size_t
put_number(const struct time_format *f, int64_t ts, char *out)
{
    int shift = (int)f->stored - (int)f->unit;
    size_t n = put_decimal(ts, MAX(shift, 0), out);

    for (; shift < 0 && ts != 0; shift++)
        out[n++] = '0';
    return n;
}

static size_t
put_iso_end(const struct time_format *f, int64_t below_second, char *out)
{
    char decimal[RESP_INT_TEXT_MAX + 2];
    size_t n = put_decimal(below_second, f->stored, decimal);

    memcpy(out, decimal + 1, n - 1); /* without the 0 before the point */
    n--;
    if (!f->local)
        out[n++] = 'Z';
    return n;
}

size_t
time_put(struct time_format *f, int64_t ts, char *out)
{
    int64_t per_second = powers[f->stored], seconds = ts / per_second, rest = ts % per_second,
            shown;
    struct civil c;
    size_t n;

    if (f->kind == TIME_NUMBER)
        return put_number(f, ts, out);
    if (rest < 0) {
        rest += per_second;
        seconds--;
    }
    shown = f->local ? time_zone_to_local(&f->to_local, seconds) : seconds;
    if (f->kind == TIME_OF_DAY)
        return put_number(f, (shown - f->day_s) * per_second + rest, out);
    civil_of(shown, &c);
    c.nanos = rest * (NANOS / per_second);
    n = time_pattern_put(f->pattern, &c, seconds, (int32_t)(shown - seconds),
                         MAX((int)f->stored, 1), out);
    if (f->kind == TIME_ISO)
        n += put_iso_end(f, rest, out + n);
    return n;
}
