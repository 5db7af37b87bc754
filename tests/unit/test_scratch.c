#include "alloc/scratch.h"

#include <criterion/criterion.h>

Test(scratch, pieces_are_aligned_and_apart)
{
    struct scratch s;
    unsigned char *p[3000];
    size_t n[3000], i, j;

    scratch_init(&s);
    for (int round = 0; round < 3; round++) {
        for (i = 0; i < ARRAY_SIZE(p); i++) {
            n[i] = i % 500 == 499 ? 3 * SCRATCH_BLOCK_BYTES + i : (i * 37) % 211;
            p[i] = scratch_alloc(&s, n[i]);
            cr_assert_eq((uintptr_t)p[i] % 16, 0u);
            memset(p[i], (int)(i * 7), n[i]);
        }
        for (i = 0; i < ARRAY_SIZE(p); i++)
            for (j = 0; j < n[i]; j++)
                cr_assert(p[i][j] == (unsigned char)(i * 7));
        scratch_reset(&s);
    }
    scratch_fini(&s);
}

Test(scratch, reset_keeps_blocks_up_to_the_limit)
{
    struct scratch s;
    void *first;
    int i;

    scratch_init(&s);
    for (i = 0; i < 1000; i++)
        scratch_alloc(&s, 60000);
    scratch_alloc(&s, 100 * MIB);
    cr_assert_geq(s.bytes, 160000000u);
    scratch_reset(&s);
    cr_assert_eq(s.bytes, SCRATCH_KEEP_BYTES);

    first = scratch_alloc(&s, 10);
    for (i = 0; i < 10; i++) {
        scratch_reset(&s);
        cr_assert_eq(scratch_alloc(&s, 10), first);
    }
    cr_assert_eq(s.bytes, SCRATCH_KEEP_BYTES);
    scratch_fini(&s);
    cr_assert_eq(s.bytes, 0u);
}

Test(scratch, large_piece_does_not_lose_the_current_block)
{
    struct scratch s;
    char *a, *b;

    scratch_init(&s);
    scratch_alloc(&s, SCRATCH_BLOCK_BYTES + 1); /* the very first */
    a = scratch_alloc(&s, 16);
    memset(scratch_alloc(&s, 5 * MIB), 1, 5 * MIB);
    b = scratch_alloc(&s, 16);
    cr_assert_eq(b - a, 16);
    scratch_fini(&s);
}
