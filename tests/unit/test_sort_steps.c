#include "core/sort_steps.h"

#include <criterion/criterion.h>
#include <stdlib.h>

struct item {
    uint64_t key;
    uint32_t value;
};

static int
compare(const void *a, const void *b, void *arg)
{
    uint64_t x = ((const struct item *)a)->key, y = ((const struct item *)b)->key;

    ++*(unsigned *)arg;
    return (x > y) - (x < y);
}

Test(sort_steps, items_of_any_number_come_into_order_and_none_is_lost)
{
    static const uint32_t sizes[] = {0, 1, 2, 1023, 1024, 1025, 2047, 2048, 2049, 3072, 4097, 70001};
    uint64_t random = 88172645463325252ULL;

    for (uint32_t k = 0; k < ARRAY_SIZE(sizes); k++) {
        uint32_t n = sizes[k], steps = 0;
        struct item *p = malloc((n + 1) * sizeof(*p));
        struct sort_steps s;
        unsigned compared = 0, most = 0;
        uint64_t sum = 0, there = 0;

        for (uint32_t i = 0; i < n; i++) {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            p[i] = (struct item){k % 2 ? random : random % 100, i};
            sum += i;
        }
        sort_steps_begin(&s, p, n, sizeof(*p), compare, &compared);
        for (bool done = false; !done; steps++) {
            unsigned before = compared;

            done = sort_steps_step(&s);
            most = MAX(most, compared - before);
        }
        p = (struct item *)s.items;
        for (uint32_t i = 0; i < n; i++) {
            cr_assert(i == 0 || p[i - 1].key <= p[i].key, "%u of %u", i, n);
            there += p[i].value;
        }
        cr_assert_eq(there, sum);
        cr_assert_leq(most, 16 * 1024, "a step is short");
        cr_assert(steps > 1 || n <= 1024);
        sort_steps_fini(&s);
    }
}

Test(sort_steps, what_is_given_up_half_way_is_freed)
{
    unsigned compared = 0;
    struct sort_steps s = {0};

    sort_steps_fini(&s);
    sort_steps_begin(&s, calloc(5000, sizeof(struct item)), 5000, sizeof(struct item), compare,
                     &compared);
    for (int i = 0; i < 6; i++)
        cr_assert_not(sort_steps_step(&s));
    sort_steps_fini(&s);
    cr_assert_null(s.items);
}
