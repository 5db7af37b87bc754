#include "core/cpu.h"

#include <criterion/criterion.h>
#include <string.h>

Test(cpu, lists_are_parsed_and_written_back)
{
    static const struct {
        const char *text, *back;
        unsigned n;
    } cases[] = {
        {"0", "0", 1},         {"0-3,8", "0-3,8", 5},      {"3,1,2", "1-3", 3},   {"5-5", "5", 1},
        {"1023", "1023", 1},   {"0-1023", "0-1023", 1024}, {"1,1,1-2", "1-2", 2}, {"007", "7", 1},
        {"0,2,4", "0,2,4", 3}, {"2-3,5-6", "2-3,5-6", 4},
    };
    struct cpu_set s;
    char text[64];
    size_t i;

    for (i = 0; i < ARRAY_SIZE(cases); i++) {
        cr_assert_eq(cpu_set_parse(slice_of(cases[i].text), &s), 0, "%s", cases[i].text);
        cr_assert_eq(s.n, cases[i].n, "%s", cases[i].text);
        cr_assert_eq(cpu_set_format(&s, text, sizeof(text)), strlen(cases[i].back));
        cr_assert_str_eq(text, cases[i].back);
    }
}

Test(cpu, malformed_lists_are_refused_and_leave_the_result_alone)
{
    static const struct {
        const char *text;
        int err;
    } cases[] = {
        {"", -EINVAL},     {",", -EINVAL},      {"1,", -EINVAL},
        {",1", -EINVAL},   {"-1", -EINVAL},     {"1-", -EINVAL},
        {"3-1", -EINVAL},  {"a", -EINVAL},      {"1 ", -EINVAL},
        {" 1", -EINVAL},   {"1-2-3", -EINVAL},  {"1;2", -EINVAL},
        {"1024", -ERANGE}, {"0-1024", -ERANGE}, {"99999999999999999999", -ERANGE},
    };
    struct cpu_set s = {.n = 77};
    size_t i;

    for (i = 0; i < ARRAY_SIZE(cases); i++)
        cr_assert_eq(cpu_set_parse(slice_of(cases[i].text), &s), cases[i].err, "%s", cases[i].text);
    cr_assert_eq(s.n, 77);
}

Test(cpu, format_cuts_at_a_whole_range)
{
    struct cpu_set s;
    char text[6];

    cr_assert_eq(cpu_set_parse(SLICE("0-1,10,20"), &s), 0);
    cr_assert_eq(cpu_set_format(&s, text, sizeof(text)), 3);
    cr_assert_str_eq(text, "0-1");
}

Test(cpu, members_are_found_in_ascending_order)
{
    struct cpu_set s, sub;

    cr_assert_eq(cpu_set_parse(SLICE("2,4-5"), &s), 0);
    cr_assert_eq(cpu_set_at(&s, 0), 2);
    cr_assert_eq(cpu_set_at(&s, 1), 4);
    cr_assert_eq(cpu_set_at(&s, 2), 5);
    cr_assert_eq(cpu_set_at(&s, 3), -1);
    cr_assert(cpu_set_has(&s, 4));
    cr_assert_not(cpu_set_has(&s, 3));
    cr_assert_not(cpu_set_has(&s, -1));
    cr_assert_not(cpu_set_has(&s, 5000));
    cr_assert_eq(cpu_set_parse(SLICE("4"), &sub), 0);
    cr_assert(cpu_set_within(&sub, &s));
    cr_assert_not(cpu_set_within(&s, &sub));
}

Test(cpu, pinning_binds_the_thread_and_refuses_what_is_not_there)
{
    struct cpu_set allowed, now, possible;
    int cpu;

    cr_assert_eq(cpu_set_allowed(&allowed), 0);
    cr_assert_eq(cpu_set_possible(&possible), 0);
    cr_assert(cpu_set_within(&allowed, &possible));
    cpu = cpu_set_at(&allowed, allowed.n - 1);
    cr_assert_eq(cpu_pin(cpu), 0);
    cr_assert_eq(sched_getcpu(), cpu);
    cr_assert_eq(cpu_set_allowed(&now), 0);
    cr_assert_eq(now.n, 1);
    cr_assert_eq(cpu_bind(&allowed), 0);
    cr_assert_eq(cpu_set_allowed(&now), 0);
    cr_assert_eq(now.n, allowed.n);
    cr_assert_eq(cpu_pin(1023), -EINVAL);
    cr_assert_eq(cpu_pin(-1), -EINVAL);
    cr_assert_eq(cpu_pin(4096), -EINVAL);
}
