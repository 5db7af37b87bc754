#include "core/reaper.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
static const bool sanitized = true;
#else
static const bool sanitized = false;
#endif

/* Resident bytes of the process. */
static size_t
resident(void)
{
    FILE *file = fopen("/proc/self/statm", "r");
    unsigned long pages = 0;

    cr_assert(file && fscanf(file, "%*s %lu", &pages) == 1);
    fclose(file);
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

static char *
touched(size_t n)
{
    char *p = malloc(n);

    cr_assert(p);
    memset(p, 1, n);
    return p;
}

Test(reaper, without_a_thread_it_frees_at_once)
{
    reaper_free(NULL, 0);
    reaper_free(touched(10), 10);
    reaper_free(touched(REAPER_BYTES_MIN), REAPER_BYTES_MIN);
    reaper_stop();
}

static void *
allocate_and_free(void *arg)
{
    for (int i = 0; i < 200; i++)
        reaper_free(touched(REAPER_BYTES_MIN), REAPER_BYTES_MIN);
    return NULL;
}

/* 800 MiB from four threads; what is not freed is still there at the end. */
Test(reaper, what_several_threads_give_it_is_freed)
{
    size_t before = resident();
    pthread_t threads[4];

    cr_assert_eq(reaper_start(), 0);
    for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
        cr_assert_eq(pthread_create(&threads[i], NULL, allocate_and_free, NULL), 0);
    for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
        pthread_join(threads[i], NULL);
    reaper_stop();
    if (!sanitized) /* they keep freed memory for a while */
        cr_assert_lt(resident(), before + 300 * MIB);
    cr_assert_eq(reaper_start(), 0, "it can be started again");
    reaper_free(touched(2 * REAPER_BYTES_MIN), 2 * REAPER_BYTES_MIN);
    reaper_stop();
}
