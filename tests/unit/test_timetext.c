/* Times as text: exact both ways, or refused with the right reason. */
#include "tools/lib/timetext.h"

#include <criterion/criterion.h>

struct time_case {
    const char *format, *zone;
    enum time_unit stored;
    const char *text;
    int64_t ts;
    bool back; /* the text comes back */
};

static const struct time_case cases[] = {
    {"s", "UTC", TIME_S, "0", 0, true},
    {"s", "UTC", TIME_MS, "1700000000.25", 1700000000250, true},
    {"s", "UTC", TIME_NS, "-0.000000001", -1, true},
    {"ns", "UTC", TIME_MS, "1700000000123000000", 1700000000123, true},
    {"ms", "UTC", TIME_MS, "-9223372036854775808", INT64_MIN, true},
    {"ms", "UTC", TIME_MS, "9223372036854775807", INT64_MAX, true},
    {"ms", "UTC", TIME_NS, "79200613.0668", 79200613066800, true},
    {"iso", "UTC", TIME_MS, "1970-01-01T00:00:00Z", 0, true},
    {"iso", "UTC", TIME_MS, "2024-02-29T12:30:00.5Z", 1709209800500, true},
    {"iso", "UTC", TIME_S, "1969-12-31T23:59:59Z", -1, true},
    {"iso", "UTC", TIME_MS, "1969-12-31T23:59:59.999Z", -1, true},
    {"iso", "UTC", TIME_S, "2024-02-29 12:30", 1709209800, false},
    {"iso", "UTC", TIME_S, "2024-02-29", 1709164800, false},
    {"iso", "UTC", TIME_S, "2024-02-29T12:30:00+01:00", 1709206200, false},
    {"iso", "America/New_York", TIME_S, "2013-10-07T09:30:00", 1381152600, true},
    {"iso", "America/New_York", TIME_S, "2013-01-07T09:30:00", 1357569000, true},
    {"iso", "America/New_York", TIME_S, "2013-11-03T01:30:00", 1383456600, true}, /* the first */
    {"%Y-%m-%d %H:%M:%S", "UTC", TIME_S, "2013-12-02 21:15:00", 1386018900, true},
    {"%Y%m%d,%H:%M:%S.%f", "UTC", TIME_US, "20240102,09:30:00.250001", 1704187800250001, true},
    {"%d/%b/%Y:%H:%M:%S %z", "UTC", TIME_S, "10/Oct/2000:13:55:36 -07:00", 971211336, false},
    {"%-m/%-d/%Y %I:%M %p", "UTC", TIME_S, "1/2/2024 12:05 AM", 1704153900, true},
    {"%-m/%-d/%Y %I:%M %p", "UTC", TIME_S, "11/22/2024 12:05 PM", 1732277100, true},
    {"%Y-%j", "UTC", TIME_S, "2024-366", 1735603200, true},
    {"%y%m%d", "UTC", TIME_S, "680101", 3092601600, true},
    {"%y%m%d", "UTC", TIME_S, "690101", -31536000, true},
    {"@%s", "UTC", TIME_MS, "@1700000000", 1700000000000, true},
    {"day-ms", "UTC", TIME_MS, "34200000", 1381138200000, true},
    {"day-ms", "America/New_York", TIME_MS, "34200000.0", 1381152600000, false},
    {"day-s", "UTC", TIME_NS, "0.000000001", 1381104000000000001, true},
};

Test(timetext, sixteen_digits_are_microseconds_where_they_say)
{
    static const struct {
        const char *text;
        int64_t ts;
    } numbers[] = {{"1735689600000", 1735689600000},   {"1735689600000000", 1735689600000},
                   {"1735689600000.0", 1735689600000}, {"1735689600000000.0", 1735689600000},
                   {"-1735689600000000", -1735689600000}, {"173568960000000", 173568960000000},
                   {"17356896000000000", 17356896000000000}, {"0", 0}};
    struct time_format f;
    int64_t ts;

    cr_assert_eq(time_format_init(&f, "ms", TIME_MS, false), 0);
    f.us_by_digits = true;
    for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
        cr_assert_eq(time_parse(&f, slice_of(numbers[i].text), &ts), TIME_OK, "%s", numbers[i].text);
        cr_assert_eq(ts, numbers[i].ts, "%s", numbers[i].text);
    }
    cr_assert_eq(time_parse(&f, SLICE("1735689600000001"), &ts), TIME_TOO_FINE);
    cr_assert_eq(time_parse(&f, SLICE(""), &ts), TIME_NOT_ONE);
}

static void
set_up(struct time_format *f, const struct time_case *c)
{
    cr_assert_eq(time_zone_set(c->zone), 0);
    cr_assert_eq(time_format_init(f, c->format, c->stored, strcmp(c->zone, "UTC") != 0), 0);
    if (f->kind == TIME_OF_DAY)
        cr_assert_eq(time_format_day(f, SLICE("20131007")), 0);
}

Test(timetext, times_of_every_format_go_both_ways)
{
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        const struct time_case *c = &cases[i];
        char out[TIME_TEXT_MAX + 1];
        struct time_format f;
        int64_t ts = 7;

        set_up(&f, c);
        cr_assert_eq(time_parse(&f, slice_of(c->text), &ts), TIME_OK, "%s", c->text);
        cr_assert_eq(ts, c->ts, "%s: %lld", c->text, (long long)ts);
        out[time_put(&f, ts, out)] = '\0';
        if (c->back)
            cr_assert_str_eq(out, c->text);
        cr_assert_eq(time_parse(&f, slice_of(out), &ts), TIME_OK, "%s", out);
        cr_assert_eq(ts, c->ts, "%s", out);
    }
}

Test(timetext, clocks_that_go_forward_skip_times)
{
    static const struct {
        const char *zone, *text;
        enum time_error error;
        int64_t ts;
    } clocks[] = {
        {"America/New_York", "2024-03-10 01:59:59", TIME_OK, 1710053999},
        {"America/New_York", "2024-03-10 02:00:00", TIME_SKIPPED, 0},
        {"America/New_York", "2024-03-10 02:30:00", TIME_SKIPPED, 0},
        {"America/New_York", "2024-03-10 02:59:59", TIME_SKIPPED, 0},
        {"America/New_York", "2024-03-10 03:00:00", TIME_OK, 1710054000},
        {"America/New_York", "2024-03-10 02:30:00Z", TIME_OK, 1710037800},
        {"America/New_York", "2024-11-03 01:30:00", TIME_OK, 1730611800},
        {"Australia/Lord_Howe", "2024-10-06 02:10:00", TIME_SKIPPED, 0},
        {"Australia/Lord_Howe", "2024-10-06 02:30:00", TIME_OK, 1728142200},
        {"America/Sao_Paulo", "2018-11-04", TIME_OK, 1541300400},
        {"America/Sao_Paulo", "2018-11-04 00:30:00", TIME_SKIPPED, 0},
    };
    struct time_format f;

    for (size_t i = 0; i < ARRAY_SIZE(clocks); i++) {
        int64_t ts = 0;

        cr_assert_eq(time_zone_set(clocks[i].zone), 0);
        cr_assert_eq(time_format_init(&f, "iso", TIME_S, true), 0);
        cr_assert_eq(time_parse(&f, slice_of(clocks[i].text), &ts), clocks[i].error, "%s",
                     clocks[i].text);
        cr_assert_eq(ts, clocks[i].ts, "%s: %lld", clocks[i].text, (long long)ts);
    }
}

Test(timetext, times_of_a_day_are_what_clocks_show)
{
    static const struct {
        const char *zone, *day, *format, *text;
        enum time_error error;
        int64_t ts;
        const char *back;
    } rows[] = {
        {"America/New_York", "20240310", "day-s", "0", TIME_OK, 1710046800, "0"},
        {"America/New_York", "20240310", "day-s", "7199", TIME_OK, 1710053999, "7199"},
        {"America/New_York", "20240310", "day-s", "7200", TIME_SKIPPED, 0, ""},
        {"America/New_York", "20240310", "day-s", "34200", TIME_OK, 1710077400, "34200"}, /* 09:30 */
        {"America/New_York", "20241103", "day-s", "5400", TIME_OK, 1730611800, "5400"},   /* the first 01:30 */
        {"America/New_York", "20241103", "day-s", "34200", TIME_OK, 1730644200, "34200"},
        {"America/New_York", "20241103", "day-s", "86399", TIME_OK, 1730696399, "86399"},
        {"America/New_York", "20241103", "day-s", "86400", TIME_OUT_OF_RANGE, 0, ""},
        {"America/Sao_Paulo", "20181104", "day-s", "0", TIME_OK, 1541300400, "3600"}, /* it began at one */
        {"America/New_York", "20240310", "%H:%M", "09:30", TIME_OK, 1710077400, "09:30"},
        {"America/New_York", "20240310", "%H:%M", "02:30", TIME_SKIPPED, 0, ""},
        {"America/New_York", "20240310", "%H:%M %z", "02:30 +01:00", TIME_OK, 1710034200, ""},
        {"UTC", "20240310", "%H:%M", "09:30", TIME_OK, 1710063000, "09:30"},
    };
    char out[TIME_TEXT_MAX + 1];
    struct time_format f;

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        int64_t ts = 0;

        cr_assert_eq(time_zone_set(rows[i].zone), 0);
        cr_assert_eq(time_format_init(&f, rows[i].format, TIME_S, strcmp(rows[i].zone, "UTC") != 0), 0);
        cr_assert(f.needs_day);
        cr_assert_eq(time_format_day(&f, slice_of(rows[i].day)), 0);
        cr_assert_eq(time_parse(&f, slice_of(rows[i].text), &ts), rows[i].error, "row %zu", i);
        cr_assert_eq(ts, rows[i].ts, "row %zu: %lld", i, (long long)ts);
        out[time_put(&f, ts, out)] = '\0';
        if (*rows[i].back)
            cr_assert_str_eq(out, rows[i].back);
    }
}

Test(timetext, a_date_without_its_year_is_no_format)
{
    static const struct {
        const char *format;
        int rc;
        bool needs_day;
    } rows[] = {{"%H:%M:%S", 0, true}, {"%-I %p", 0, true}, {"%%Y %H", 0, true}, {"%Y", 0, false},
                {"%s", 0, false},      {"%y%j", 0, false},  {"%m-%d", -EDOM, false}, {"%-d %H", -EDOM, false},
                {"%b %d", -EDOM, false}, {"%j", -EDOM, false}};
    struct time_format f;

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        cr_assert_eq(time_format_init(&f, rows[i].format, TIME_S, false), rows[i].rc, "%s", rows[i].format);
        if (rows[i].rc == 0)
            cr_assert_eq(f.needs_day, rows[i].needs_day, "%s", rows[i].format);
    }
}

struct bad_case {
    const char *format;
    enum time_unit stored;
    const char *text;
    enum time_error error;
};

static const struct bad_case bad[] = {
    {"ms", TIME_MS, "", TIME_NOT_ONE},
    {"ms", TIME_MS, "-", TIME_NOT_ONE},
    {"ms", TIME_MS, "1.", TIME_NOT_ONE},
    {"ms", TIME_MS, ".5", TIME_NOT_ONE},
    {"ms", TIME_MS, " 1", TIME_NOT_ONE},
    {"ms", TIME_MS, "1e3", TIME_NOT_ONE},
    {"ms", TIME_MS, "1.5", TIME_TOO_FINE},
    {"ns", TIME_MS, "1000001", TIME_TOO_FINE},
    {"ms", TIME_MS, "9223372036854775808", TIME_OUT_OF_RANGE},
    {"ms", TIME_MS, "-9223372036854775809", TIME_OUT_OF_RANGE},
    {"s", TIME_NS, "9223372037", TIME_OUT_OF_RANGE},
    {"iso", TIME_S, "2024-2-29", TIME_NOT_ONE},
    {"iso", TIME_S, "2023-02-29", TIME_OUT_OF_RANGE},
    {"iso", TIME_S, "2024-02-29T24:00", TIME_OUT_OF_RANGE},
    {"iso", TIME_S, "2024-02-29T12", TIME_NOT_ONE},
    {"iso", TIME_S, "2024-02-29T12:30:00.5", TIME_TOO_FINE},
    {"iso", TIME_NS, "2024-02-29T12:30:00.0000000001", TIME_TOO_FINE},
    {"iso", TIME_NS, "2300-01-01", TIME_OUT_OF_RANGE},
    {"iso", TIME_S, "2024-02-29T12:30:00x", TIME_NOT_ONE},
    {"%Y%m%d", TIME_S, "2024010", TIME_NOT_ONE},
    {"%Y%m%d", TIME_S, "202401011", TIME_NOT_ONE},
    {"%Y%m%d", TIME_S, "20241301", TIME_OUT_OF_RANGE},
    {"%I %p", TIME_S, "13 PM", TIME_OUT_OF_RANGE},
    {"%Y-%j", TIME_S, "2023-366", TIME_OUT_OF_RANGE},
    {"day-ms", TIME_MS, "-1", TIME_OUT_OF_RANGE},
    {"day-ms", TIME_MS, "90000000", TIME_OUT_OF_RANGE},
};

Test(timetext, what_is_no_time_is_refused_for_its_reason)
{
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        struct time_case c = {bad[i].format, "UTC", bad[i].stored, bad[i].text, 0, false};
        struct time_format f;
        int64_t ts = 7;

        set_up(&f, &c);
        cr_assert_eq(time_parse(&f, slice_of(c.text), &ts), bad[i].error, "%s '%s'", c.format,
                     c.text);
        cr_assert_eq(ts, 7);
    }
}

Test(timetext, truncation_drops_what_is_finer)
{
    static const struct {
        const char *format, *text;
        int64_t want;
    } rows[] = {
        {"ms", "1.5", 1},
        {"ns", "1000001", 1},
        {"iso", "1970-01-01T00:00:00.0019", 1},
        {"ms", "-1.0", -1},
        {"ms", "-1.5", -2},
        {"s", "-0.0001", -1},
        {"s", "-0.0010000", -1},
        {"us", "-1", -1},
        {"us", "-1000", -1},
        {"us", "-1000.5", -2},
        {"ns", "-1000001", -2},
        {"iso", "1969-12-31T23:59:59.9985", -2},
        {"%Y%m%d %H%M%S.%f", "19691231 235959.999", -1},
        {"ms", "-9223372036854775808", INT64_MIN},
    };
    struct time_format f;
    int64_t ts;

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        cr_assert_eq(time_format_init(&f, rows[i].format, TIME_MS, false), 0);
        f.truncate = true;
        cr_assert_eq(time_parse(&f, slice_of(rows[i].text), &ts), TIME_OK);
        cr_assert_eq(ts, rows[i].want, "%s '%s': %lld", rows[i].format, rows[i].text, (long long)ts);
    }
    cr_assert_eq(time_format_init(&f, "ms", TIME_MS, false), 0);
    f.truncate = true;
    cr_assert_eq(time_parse(&f, SLICE("-9223372036854775808.5"), &ts), TIME_OUT_OF_RANGE);
    cr_assert_eq(time_format_init(&f, "day-ms", TIME_MS, false), 0);
    f.truncate = true;
    cr_assert_eq(time_parse(&f, SLICE("-0.5"), &ts), TIME_OUT_OF_RANGE);
}

Test(timetext, the_day_after_the_last_one_is_out_of_range)
{
    struct time_format f;
    int64_t ts = 7;

    cr_assert_eq(time_zone_set("UTC"), 0);
    cr_assert_eq(time_format_init(&f, "iso", TIME_NS, false), 0);
    cr_assert_eq(time_day_after(&f, SLICE("2262-04-11"), &ts), TIME_OUT_OF_RANGE);
    cr_assert_eq(ts, 7);
    cr_assert_eq(time_day_after(&f, SLICE("2262-04-10"), &ts), TIME_OK);
    cr_assert_eq(ts, 9223286400000000000);
}

Test(timetext, formats_and_zones_that_are_none_are_refused)
{
    static const char *const formats[] = {"", "m", "day-", "day-m", "%", "%-", "%Q", "Y"};
    struct time_format f;

    for (size_t i = 0; i < ARRAY_SIZE(formats); i++)
        cr_assert_lt(time_format_init(&f, formats[i], TIME_MS, false), 0, "'%s'", formats[i]);
    cr_assert_eq(time_zone_set("Mars/Olympus"), -ENOENT);
    cr_assert_eq(time_zone_set("../../../etc/passwd"), -ENOENT);
    cr_assert_eq(time_format_init(&f, "day-ms", TIME_MS, false), 0);
    cr_assert_lt(time_format_day(&f, SLICE("20130230")), 0);
    cr_assert_lt(time_format_day(&f, SLICE("")), 0);
}
