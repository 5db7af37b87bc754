/* Cost of the head per key, and its memory. One JSON object a line:
 *
 *   head_insert        find + insert in random order, growth included
 *   head_find          finds in random order, one after the other
 *   head_miss          finds of keys that are not there
 *   head_find_batch    finds with both prefetch stages 16 keys ahead, as a pipeline of commands
 *   head_set           find, head_string_set of the same length, head_mark_dirty
 *   head_remove        find + remove in random order, shrinking included
 *   head_memory        bytes per key: arena, tables
 *
 * Arguments: [keys [value bytes [rounds]]]; without any a series of sizes. Keys look like
 * "key:000000012345" and take turns in random order, so that neither bucket nor entry is in the
 * cache by chance. Processor time of the best of the rounds, so that a busy machine is seen less.
 */
#include "shards/head/head.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define KEY_BYTES 16
#define BATCH 16
#define FINDS 4000000
#define ROUNDS 3

enum phase { INSERT, FIND, MISS, FIND_BATCH, SET, REMOVE, PHASES };

static const char *const phase_names[PHASES] = {
    "head_insert", "head_find", "head_miss", "head_find_batch", "head_set", "head_remove",
};

struct bench {
    struct arena *arena;
    struct head head;
    uint32_t n, value_bytes;
    uint32_t *order;
    char *keys; /* KEY_BYTES each, in the order of their use */
    char *misses;
    double best_ns[PHASES];
};

static uint64_t seed = 88172645463325252;

static uint32_t
next_random(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (uint32_t)(seed >> 16);
}

static void
make_keys(struct bench *b)
{
    char text[32];
    uint32_t i, j, t;

    for (i = 0; i < b->n; i++)
        b->order[i] = i;
    for (i = b->n - 1; i > 0; i--) {
        j = next_random() % (i + 1);
        t = b->order[i];
        b->order[i] = b->order[j];
        b->order[j] = t;
    }
    for (i = 0; i < b->n; i++) {
        snprintf(text, sizeof(text), "key:%012u", b->order[i]);
        memcpy(b->keys + (size_t)i * KEY_BYTES, text, KEY_BYTES);
        text[0] = 'K';
        memcpy(b->misses + (size_t)i * KEY_BYTES, text, KEY_BYTES);
    }
}

static struct slice
key_at(const char *keys, uint32_t i)
{
    return (struct slice){keys + (size_t)i * KEY_BYTES, KEY_BYTES};
}

static uint64_t
cpu_ns(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static void
report(struct bench *b, enum phase p, uint64_t from_ns, uint64_t ops)
{
    double ns = (double)(cpu_ns() - from_ns) / (double)ops;

    if (b->best_ns[p] == 0 || ns < b->best_ns[p])
        b->best_ns[p] = ns;
}

static void
bench_insert(struct bench *b)
{
    static char value[ENTRY_INLINE_MAX];
    uint64_t from = cpu_ns();
    uint32_t i;

    for (i = 0; i < b->n; i++) {
        struct slice key = key_at(b->keys, i);
        uint64_t hash = head_hash(key);
        struct entry *e;

        if (head_find(&b->head, hash, key))
            abort();
        e = head_insert(&b->head, hash, key, ENTRY_STRING, b->value_bytes, 0);
        memcpy(entry_inline(e), value, b->value_bytes);
    }
    report(b, INSERT, from, b->n);
}

static void
bench_find(struct bench *b, enum phase p, const char *keys, bool there)
{
    uint32_t i, at = 0, ops = MAX(b->n, FINDS);
    uint64_t from = cpu_ns();

    for (i = 0; i < ops; i++) {
        struct slice key = key_at(keys, at);

        if ((head_find(&b->head, head_hash(key), key) != NULL) != there)
            abort();
        at = at + 7919 < b->n ? at + 7919 : (at + 7919) % b->n;
    }
    report(b, p, from, ops);
}

static void
bench_find_batch(struct bench *b)
{
    uint32_t i, k, at = 0, ops = MAX(b->n, FINDS) / BATCH;
    uint64_t from = cpu_ns(), hash[BATCH];
    struct slice key[BATCH];

    for (i = 0; i < ops; i++) {
        for (k = 0; k < BATCH; k++) {
            key[k] = key_at(b->keys, at);
            at = at + 7919 < b->n ? at + 7919 : (at + 7919) % b->n;
            hash[k] = head_hash(key[k]);
            head_prefetch(&b->head, hash[k]);
        }
        for (k = 0; k < BATCH; k++)
            head_prefetch_entry(&b->head, hash[k]);
        for (k = 0; k < BATCH; k++)
            if (!head_find(&b->head, hash[k], key[k]))
                abort();
    }
    report(b, FIND_BATCH, from, (uint64_t)ops * BATCH);
}

static void
bench_set(struct bench *b)
{
    static char value[ENTRY_INLINE_MAX];
    uint32_t i, at = 0, ops = MAX(b->n, FINDS);
    uint64_t from = cpu_ns();

    for (i = 0; i < ops; i++) {
        struct slice key = key_at(b->keys, at);
        uint64_t hash = head_hash(key);
        struct entry *e = head_find(&b->head, hash, key);

        e = head_string_set(&b->head, hash, e, (struct slice){value, b->value_bytes});
        head_mark_dirty(&b->head, e);
        at = at + 7919 < b->n ? at + 7919 : (at + 7919) % b->n;
    }
    report(b, SET, from, ops);
}

static void
bench_remove(struct bench *b)
{
    uint64_t from = cpu_ns();
    uint32_t i;

    for (i = 0; i < b->n; i++) {
        struct slice key = key_at(b->keys, i);
        uint64_t hash = head_hash(key);

        head_remove(&b->head, hash, head_find(&b->head, hash, key));
    }
    report(b, REMOVE, from, b->n);
}

static void
report_memory(const struct bench *b)
{
    double n = b->n, arena = (double)arena_bytes(b->arena) / n;

    printf("{\"name\":\"head_memory\",\"keys\":%u,\"key_bytes\":%d,\"value_bytes\":%u,"
           "\"arena_per_key\":%.1f,\"table_per_key\":%.1f,\"overhead_per_key\":%.1f}\n",
           b->n, KEY_BYTES, b->value_bytes, arena, (double)head_table_bytes(&b->head) / n,
           arena + (double)head_table_bytes(&b->head) / n - KEY_BYTES - b->value_bytes);
}

static void
run(uint32_t n, uint32_t value_bytes, int rounds)
{
    struct bench b = {.n = n, .value_bytes = value_bytes};
    int i;

    b.order = malloc(n * sizeof(*b.order));
    b.keys = malloc((size_t)n * KEY_BYTES);
    b.misses = malloc((size_t)n * KEY_BYTES);
    if (!b.order || !b.keys || !b.misses || arena_create(&b.arena))
        abort();
    make_keys(&b);
    for (i = 0; i < rounds; i++) {
        head_init(&b.head, b.arena, NULL);
        bench_insert(&b);
        if (i == 0)
            report_memory(&b);
        bench_find(&b, FIND, b.keys, true);
        bench_find(&b, MISS, b.misses, false);
        bench_find_batch(&b);
        bench_set(&b);
        bench_remove(&b);
        head_fini(&b.head);
    }
    for (i = 0; i < PHASES; i++)
        printf("{\"name\":\"%s\",\"keys\":%u,\"ns\":%.1f}\n", phase_names[i], n, b.best_ns[i]);
    fflush(stdout);
    arena_destroy(&b.arena);
    free(b.order);
    free(b.keys);
    free(b.misses);
}

int
main(int argc, char **argv)
{
    static const uint32_t sizes[] = {1000, 100000, 1000000, 10000000};
    uint32_t value_bytes = argc > 2 ? (uint32_t)atoi(argv[2]) : 3;
    int rounds = argc > 3 ? atoi(argv[3]) : ROUNDS;
    unsigned i;

    value_bytes = MIN(value_bytes, (uint32_t)ENTRY_INLINE_MAX);
    if (argc > 1 && atoi(argv[1]) > 0)
        run((uint32_t)atoi(argv[1]), value_bytes, rounds);
    else
        for (i = 0; i < ARRAY_SIZE(sizes); i++)
            run(sizes[i], value_bytes, rounds);
    return 0;
}
