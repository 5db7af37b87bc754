/* The pauses that a growing head makes: keys are inserted one after the other, 16 at a time as a run of
 * requests is, and the longest such run counts. Growing the directory is a part of the inserts
 * (head_table.c), so what a client could notice is in these figures: new tables, moved buckets, old
 * ones given back, the arena's chunks, page faults. One JSON object a line, each time the number of keys
 * has doubled and at the end:
 *
 *   head_growth   keys, ns a key since the line before, longest run of 16 inserts since then (its share
 *                 of the processor, and by the wall clock), runs over 100 us and over 1 ms
 *
 * Arguments: [keys [value bytes]]; without any 10,000,000 keys of 16 bytes with values of 3. */
#include "shards/head/head.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define RUN 16
#define KEY_BYTES 16
#define FIRST_LINE_KEYS 1000000
#define LONG_NS 100000
#define TOO_LONG_NS 1000000

/* Since the last line. */
struct pauses {
    uint64_t keys, cpu_ns, cpu_max_ns, wall_max_ns, long_runs, too_long_runs;
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
note(struct pauses *p, uint64_t cpu, uint64_t wall)
{
    p->keys += RUN;
    p->cpu_ns += cpu;
    p->cpu_max_ns = MAX(p->cpu_max_ns, cpu);
    p->wall_max_ns = MAX(p->wall_max_ns, wall);
    p->long_runs += cpu > LONG_NS;
    p->too_long_runs += cpu > TOO_LONG_NS;
}

static void
report(struct pauses *p, uint64_t keys, const struct head *h)
{
    printf("{\"name\":\"head_growth\",\"keys\":%" PRIu64 ",\"ns\":%.1f,\"longest_cpu_us\":%.1f,"
           "\"longest_wall_us\":%.1f,\"over_100us\":%" PRIu64 ",\"over_1ms\":%" PRIu64
           ",\"table_mib\":%zu}\n",
           keys, (double)p->cpu_ns / (double)p->keys, (double)p->cpu_max_ns / 1e3,
           (double)p->wall_max_ns / 1e3, p->long_runs, p->too_long_runs,
           head_table_bytes(h) / MIB);
    fflush(stdout);
    *p = (struct pauses){0};
}

int
main(int argc, char **argv)
{
    uint64_t keys = argc > 1 ? strtoull(argv[1], NULL, 10) : 10000000, line = FIRST_LINE_KEYS;
    uint32_t value_bytes = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : 3;
    struct pauses p = {0};
    struct arena *arena;
    struct head head;

    if (value_bytes > ENTRY_INLINE_MAX || arena_create(&arena))
        return 2;
    head_init(&head, arena, NULL);
    for (uint64_t i = 0; i < keys; i += RUN) {
        uint64_t cpu = now_ns(CLOCK_THREAD_CPUTIME_ID), wall = now_ns(CLOCK_MONOTONIC);

        insert_run(&head, i, value_bytes);
        note(&p, now_ns(CLOCK_THREAD_CPUTIME_ID) - cpu, now_ns(CLOCK_MONOTONIC) - wall);
        if (i + RUN >= line) {
            report(&p, i + RUN, &head);
            line *= 2;
        }
    }
    if (p.keys)
        report(&p, head.used, &head);
    return 0;
}
