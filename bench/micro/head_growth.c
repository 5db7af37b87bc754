/* The pauses that a growing head makes: keys are inserted one after the other, 16 at a time as a run of
 * requests is, and the longest such run counts. Growing the directory is a part of the inserts
 * (head_table.c), so what a client could notice is in these figures: new tables, moved buckets, old
 * ones given back, the arena's chunks, page faults.
 *
 * Whoever shares the machine interrupts too, for milliseconds, and such a pause cannot be told from one
 * of the head's by looking at it. But what the head does at a certain key it does there every time, and
 * others do not: the growth is repeated, each time in a new process, and of each run of 16 inserts the
 * shortest time counts. One JSON object a line, for each doubling of the keys and for the end:
 *
 *   head_growth   keys, ns a key since the line before, longest run of 16 inserts since then, runs over
 *                 100 us and over 1 ms, and how many were over 1 ms in a single growth, at the most
 *
 * Arguments: [keys [value bytes [growths]]]; without any 10,000,000 keys of 16 bytes with values of 3,
 * three times. */
#include "shards/head/head.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define RUN 16
#define KEY_BYTES 16
#define FIRST_LINE_KEYS 1000000
#define LONG_NS 100000
#define TOO_LONG_NS 1000000

/* What the growths leave behind, in memory that the processes share. */
struct growths {
    uint64_t keys;
    uint32_t value_bytes;
    uint32_t *run_ns;  /* by run, the shortest of all growths */
    uint8_t *too_long; /* by run, in how many growths it took over TOO_LONG_NS */
    uint32_t done;
};

static uint64_t
now_ns(clockid_t clock)
{
    struct timespec ts;

    clock_gettime(clock, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* Distinct keys in no order. */
static void
make_key(char *key, uint64_t i)
{
    static const char digits[] = "0123456789abcdef";
    uint64_t x = i * 0x9e3779b97f4a7c15u;

    for (int k = 0; k < KEY_BYTES; k++, x >>= 4)
        key[k] = digits[x & 15];
}

static void
insert_run(struct head *h, uint64_t first, uint32_t value_bytes)
{
    char bytes[RUN][KEY_BYTES];
    uint64_t hash[RUN];

    for (unsigned i = 0; i < RUN; i++) {
        make_key(bytes[i], first + i);
        hash[i] = head_hash((struct slice){bytes[i], KEY_BYTES});
        head_prefetch(h, hash[i]);
    }
    for (unsigned i = 0; i < RUN; i++) {
        struct slice key = {bytes[i], KEY_BYTES};
        struct entry *e;

        if (head_find(h, hash[i], key))
            abort();
        e = head_insert(h, hash[i], key, ENTRY_STRING, value_bytes, 0);
        memset(entry_inline(e), 'v', value_bytes);
    }
}

static void
note(struct growths *g, uint64_t run, uint64_t ns)
{
    uint32_t t = (uint32_t)MIN(ns, UINT32_MAX);

    g->run_ns[run] = g->done == 0 ? t : MIN(t, g->run_ns[run]);
    g->too_long[run] += t > TOO_LONG_NS;
}

/* One growth, from nothing. */
static int
grow(struct growths *g)
{
    struct arena *arena;
    struct head head;

    if (arena_create(&arena))
        return 2;
    head_init(&head, arena, NULL);
    for (uint64_t run = 0; run < g->keys / RUN; run++) {
        uint64_t from = now_ns(CLOCK_THREAD_CPUTIME_ID);

        insert_run(&head, run * RUN, g->value_bytes);
        note(g, run, now_ns(CLOCK_THREAD_CPUTIME_ID) - from);
    }
    return 0;
}

static int
grow_in_child(struct growths *g)
{
    int status;
    pid_t pid = fork();

    if (pid == 0)
        _exit(grow(g));
    if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0)
        return 2;
    g->done++;
    return 0;
}

static void
report(const struct growths *g, uint64_t first, uint64_t end)
{
    uint64_t sum = 0, longest = 0, over_long = 0, over_too_long = 0, single = 0;

    for (uint64_t run = first; run < end; run++) {
        sum += g->run_ns[run];
        longest = MAX(longest, g->run_ns[run]);
        over_long += g->run_ns[run] > LONG_NS;
        over_too_long += g->run_ns[run] > TOO_LONG_NS;
        single += g->too_long[run] != 0;
    }
    printf("{\"name\":\"head_growth\",\"keys\":%" PRIu64 ",\"growths\":%u,\"ns\":%.1f,"
           "\"longest_us\":%.1f,\"over_100us\":%" PRIu64 ",\"over_1ms\":%" PRIu64
           ",\"over_1ms_in_any_growth\":%" PRIu64 "}\n",
           end * RUN, g->done, (double)sum / (double)((end - first) * RUN), (double)longest / 1e3,
           over_long, over_too_long, single);
}

static void
report_all(const struct growths *g)
{
    uint64_t first = 0, runs = g->keys / RUN;

    for (uint64_t line = FIRST_LINE_KEYS / RUN; line < runs; line *= 2) {
        report(g, first, line);
        first = line;
    }
    report(g, first, runs);
}

static void *
shared_array(size_t bytes)
{
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE,
                   -1, 0);

    if (p == MAP_FAILED)
        abort();
    return p;
}

int
main(int argc, char **argv)
{
    uint64_t growths = argc > 3 ? strtoull(argv[3], NULL, 10) : 3;
    struct growths g = {
        .keys = argc > 1 ? strtoull(argv[1], NULL, 10) : 10000000,
        .value_bytes = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : 3,
    };

    if (g.keys < RUN || g.value_bytes > ENTRY_INLINE_MAX || growths == 0 || growths > UINT8_MAX)
        return 2;
    g.run_ns = shared_array(g.keys / RUN * sizeof(*g.run_ns));
    g.too_long = shared_array(g.keys / RUN);
    for (uint64_t i = 0; i < growths; i++)
        if (grow_in_child(&g))
            return 2;
    report_all(&g);
    return 0;
}
