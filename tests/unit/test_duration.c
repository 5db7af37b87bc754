#include "shards/series/duration.h"

#include <criterion/criterion.h>

#define NS 1
#define US 1000
#define MS 1000000
#define S 1000000000

static int
parse(const char *text, int64_t unit_ns, int64_t *ret)
{
    return duration_parse((struct slice){text, strlen(text)}, unit_ns, ret);
}

Test(duration, a_number_is_of_the_unit_and_a_suffix_is_converted_to_it)
{
    static const struct {
        const char *text;
        int64_t unit_ns, want;
    } cases[] = {
        {"0", MS, 0},           {"1500", MS, 1500},       {"9223372036854775807", S, INT64_MAX},
        {"5m", MS, 300000},     {"1h", MS, 3600000},      {"1d", S, 86400},
        {"2w", US, 1209600000000}, {"7ns", NS, 7},        {"7us", NS, 7000},
        {"3000us", MS, 3},      {"2000ms", S, 2},         {"10S", S, 10},
        {"1H", NS, 3600000000000}, {"0s", S, 0},          {"106751d", NS, 9223286400000000000},
    };

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        int64_t got = -1;

        cr_assert_eq(parse(cases[i].text, cases[i].unit_ns, &got), 0, "%s", cases[i].text);
        cr_assert_eq(got, cases[i].want, "%s: %lld", cases[i].text, (long long)got);
    }
}

Test(duration, what_is_none_or_does_not_fit_says_so_and_leaves_the_result)
{
    static const struct {
        const char *text;
        int64_t unit_ns;
        int want;
    } cases[] = {
        {"", MS, -EINVAL},     {"h", MS, -EINVAL},    {"-5m", MS, -EINVAL},   {"1.5h", MS, -EINVAL},
        {"5 m", MS, -EINVAL},  {"5mm", MS, -EINVAL},  {"5y", MS, -EINVAL},    {"5m ", MS, -EINVAL},
        {"+5m", MS, -EINVAL},  {"0x5", MS, -EINVAL},  {"5us", MS, -ERANGE},   {"1500ms", S, -ERANGE},
        {"9223372036854775808", MS, -ERANGE},         {"106752d", NS, -ERANGE},
        {"9223372036854775807w", S, -ERANGE},
    };

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        int64_t got = -1;

        cr_assert_eq(parse(cases[i].text, cases[i].unit_ns, &got), cases[i].want, "%s",
                     cases[i].text);
        cr_assert_eq(got, -1);
    }
}
