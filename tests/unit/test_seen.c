/* The set of keys that were seen, against an array of flags. */
#include "tools/load/seen.h"

#include <criterion/criterion.h>
#include <stdlib.h>

#define NUMBERS 50000

Test(seen, a_hash_is_new_once)
{
    struct seen s = {0};
    bool *there = calloc(NUMBERS, sizeof(*there));

    srand(7);
    for (int i = 0; i < 4 * NUMBERS; i++) {
        unsigned k = 2 + (unsigned)rand() % (NUMBERS - 2);

        /* 0 and 1 count as one. Half of them share their low bits, where the search begins. */
        cr_assert_eq(seen_add(&s, k % 2 ? k : (uint64_t)k << 32), !there[k], "%u", k);
        there[k] = true;
    }
    cr_assert(s.n < s.cap && s.cap <= 4 * (s.n + 1024));
    free(there);
    seen_fini(&s);
    cr_assert_eq(s.n, 0);
}
