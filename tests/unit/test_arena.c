#include "alloc/arena.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <stdlib.h>
#include <sys/resource.h>

static uint64_t
next_random(uint64_t *s)
{
    *s = *s * 6364136223846793005 + 1442695040888963407;
    return *s >> 33;
}

Test(arena, usable_covers_the_request_and_is_a_fixed_point)
{
    struct arena *a;
    size_t n, last = 0;

    cr_assert_geq(arena_usable(100), 100u); /* also before the first arena */
    cr_assert_eq(arena_create(&a), 0);
    for (n = 1; n < 100000; n++) {
        size_t u = arena_usable(n);
        cr_assert_geq(u, n);
        cr_assert_geq(u, last);
        cr_assert_eq(arena_usable(u), u);
        last = u;
    }
    arena_destroy(&a);
}

Test(arena, counts_bytes_by_size_class_exactly)
{
    enum { N = 2000 };
    struct arena *a;
    uint64_t seed = 7;
    size_t expect = 0, n[N];
    char *p[N];
    int i;

    cr_assert_eq(arena_create(&a), 0);
    for (i = 0; i < N; i++) {
        n[i] = 1 + next_random(&seed) % (i % 10 ? 300 : 100000);
        p[i] = arena_alloc(a, n[i]);
        memset(p[i], i, n[i]);
        expect += arena_usable(n[i]);
        cr_assert_eq(arena_bytes(a), expect);
    }
    for (i = 0; i < N; i++) {
        size_t m = 1 + next_random(&seed) % 5000;
        p[i] = arena_realloc(a, p[i], n[i], m);
        cr_assert_eq((unsigned char)p[i][0], (unsigned char)i);
        cr_assert_eq((unsigned char)p[i][MIN(n[i], m) - 1], (unsigned char)i);
        expect += arena_usable(m) - arena_usable(n[i]);
        n[i] = m;
        cr_assert_eq(arena_bytes(a), expect);
    }
    for (i = 0; i < N; i++)
        arena_free(a, p[i], n[i]);
    cr_assert_eq(arena_bytes(a), 0u);
    arena_destroy(&a);
    cr_assert_null(a);
}

Test(arena, realloc_within_the_size_class_stays_in_place)
{
    struct arena *a;
    size_t n, u;

    cr_assert_eq(arena_create(&a), 0);
    for (n = 1; n <= 20000; n = n * 3 / 2 + 1) {
        char *p = arena_alloc(a, n);
        u = arena_usable(n);
        cr_assert_eq(arena_realloc(a, p, n, u), p);
        memset(p, 1, u);
        arena_free(a, p, u);
    }
    arena_destroy(&a);
}

Test(arena, arenas_count_apart)
{
    struct arena *a, *b;
    void *p;

    cr_assert_eq(arena_create(&a), 0);
    cr_assert_eq(arena_create(&b), 0);
    p = arena_alloc(a, 1000);
    cr_assert_eq(arena_bytes(b), 0u);
    cr_assert_eq(arena_bytes(a), arena_usable(1000));
    arena_free(a, p, 1000);
    arena_destroy(&a);
    arena_destroy(&b);
    arena_destroy(&b); /* NULL is fine */
}

Test(arena, destroy_releases_what_was_not_freed)
{
    struct arena *a;
    int i, round;

    /* 20 GiB in all: without the release this does not end well. */
    for (round = 0; round < 100; round++) {
        cr_assert_eq(arena_create(&a), 0);
        for (i = 0; i < 200; i++)
            memset(arena_alloc(a, MIB), 1, 4096);
        for (i = 0; i < 1000; i++)
            memset(arena_alloc(a, 100), 1, 100);
#if PINSTRIPE_JEMALLOC
        cr_assert_geq(arena_resident_bytes(a), arena_bytes(a) / 2);
#endif
        arena_destroy(&a);
    }
}

static unsigned
threads_of_process(void)
{
    DIR *d = opendir("/proc/self/task");
    unsigned n = 0;

    while (readdir(d))
        n++;
    closedir(d);
    return n;
}

Test(arena, background_start_starts_a_thread)
{
    unsigned before = threads_of_process();

    cr_assert_eq(arena_background_start(), 0);
#if PINSTRIPE_JEMALLOC
    cr_assert_gt(threads_of_process(), before);
#else
    cr_assert_eq(threads_of_process(), before);
#endif
}

#if PINSTRIPE_JEMALLOC
#define PIECES 4000
#define PIECE_BYTES (16 * KIB)

/* Page faults while so many pieces are written to and given back. */
static long
faults_of_a_round(struct arena *a, char **pieces)
{
    struct rusage before, after;

    getrusage(RUSAGE_SELF, &before);
    for (unsigned i = 0; i < PIECES; i++)
        memset(pieces[i] = arena_alloc(a, PIECE_BYTES), 1, PIECE_BYTES);
    getrusage(RUSAGE_SELF, &after);
    for (unsigned i = 0; i < PIECES; i++)
        arena_free(a, pieces[i], PIECE_BYTES);
    return after.ru_minflt - before.ru_minflt;
}

/* What a checkpoint gives back at once, more than any threshold of the allocator's. */
Test(arena, pages_given_back_at_once_are_there_for_the_next)
{
    static char *pieces[PIECES];
    struct arena *a;
    long first;

    cr_assert_eq(arena_create(&a), 0);
    first = faults_of_a_round(a, pieces);
    cr_assert_lt(faults_of_a_round(a, pieces), first / 4);
    arena_destroy(&a);
}
#endif
