#include "bench/load_workload.h"

#include <stdio.h>
#include <stdlib.h>

#define TIME_DIGITS 13
#define DAY_MS 86400000ULL
#define POINT_VALUE "100.50"
#define VALUE_POOL_BYTES (64 * KIB)

/* An argument of a template: the fixed text, or what is patched. */
#define ARG_KEY "\1key"
#define ARG_TIME "\1time"
#define ARG_POINT "\1point"
#define ARG_VALUE "\1value"
#define ARG_LIMIT "\1limit"
#define ARGS_MAX 6

struct kind_row {
    const char *name;      /* in --mix and in the report */
    enum load_kind starts; /* what naming it in --mix selects; LOAD_KINDS: cannot be named */
    bool series;
    const char *args[ARGS_MAX]; /* up to the first NULL */
};

static const struct kind_row kind_rows[LOAD_KINDS] = {
    [LOAD_PING] = {"ping", LOAD_PING, false, {"PING"}},
    [LOAD_SET] = {"set", LOAD_SET, false, {"SET", ARG_KEY, ARG_VALUE}},
    [LOAD_GET] = {"get", LOAD_GET, false, {"GET", ARG_KEY}},
    [LOAD_INCR] = {"incr", LOAD_INCR, false, {"INCR", ARG_KEY}},
    [LOAD_TSDB_SET] = {"tsdb_set", LOAD_TSDB_SET, true, {"TSDB_SET", ARG_KEY, ARG_TIME, ARG_POINT}},
    [LOAD_TSDB_GET] = {"tsdb_get",
                       LOAD_TSDB_GET,
                       true,
                       {"TSDB_GET", ARG_KEY, "-", "+", ARG_LIMIT, "REV"}},
    /* BATCH_SET takes the value before the time. */
    [LOAD_BATCH_SET] = {"batch", LOAD_BATCH_SET, true, {"BATCH_SET", ARG_KEY, ARG_POINT, ARG_TIME}},
    [LOAD_BATCH_FLUSH] = {"batch_flush", LOAD_KINDS, true, {"BATCH_FLUSH"}},
    [LOAD_TS_ADD] = {"ts_add", LOAD_TS_ADD, true, {"TS.ADD", ARG_KEY, ARG_TIME, ARG_POINT}},
    /* All arguments behind the name, --batch times. */
    [LOAD_TS_MADD] = {"ts_madd", LOAD_TS_MADD, true, {"TS.MADD", ARG_KEY, ARG_TIME, ARG_POINT}},
    [LOAD_TS_GET] = {"ts_get", LOAD_TS_GET, true, {"TS.GET", ARG_KEY}},
    /* What is a key elsewhere is the filter. */
    [LOAD_TS_MGET] = {"ts_mget", LOAD_TS_MGET, true, {"TS.MGET", "FILTER", ARG_KEY}},
};

static bool
is_write(enum load_kind kind)
{
    return kind == LOAD_TSDB_SET || kind == LOAD_BATCH_SET || kind == LOAD_TS_ADD ||
           kind == LOAD_TS_MADD;
}

const char *
load_kind_name(enum load_kind kind)
{
    return kind == LOAD_BATCH_SET ? "batch_set" : kind_rows[kind].name;
}

static uint32_t
put_bulk(struct buf *b, const char *p, size_t n)
{
    uint32_t at;

    buf_printf(b, "$%zu\r\n", n);
    at = (uint32_t)b->n;
    buf_append(b, p, n);
    buf_append_lit(b, "\r\n");
    return at;
}

static unsigned
digits_in(uint64_t v)
{
    unsigned n = 1;

    while (v /= 10)
        n++;
    return n;
}

static void
put_key(struct load_template *t, const struct load_space *sp)
{
    char key[LOAD_KEY_PREFIX_MAX + LOAD_KEY_DIGITS];
    size_t prefix_n = strlen(sp->prefix);
    uint32_t at;

    memcpy(key, sp->prefix, prefix_n);
    memset(key + prefix_n, '0', LOAD_KEY_DIGITS);
    at = put_bulk(&t->text, key, prefix_n + LOAD_KEY_DIGITS);
    t->key_width = digits_in(sp->n - 1);
    t->key_at = (uint32_t)(at + prefix_n + LOAD_KEY_DIGITS - t->key_width);
}

static void
put_argument(struct load_template *t, const struct load_workload *w, const struct load_options *o,
             const char *arg)
{
    char limit[32];
    uint32_t at;

    if (strcmp(arg, ARG_KEY) == 0) {
        put_key(t, t->series ? &w->series : &w->keys);
    } else if (strcmp(arg, ARG_TIME) == 0 && w->times == LOAD_TIMES_NOW) {
        put_bulk(&t->text, "*", 1);
    } else if (strcmp(arg, ARG_TIME) == 0) {
        t->time_at = put_bulk(&t->text, "0000000000000", TIME_DIGITS);
    } else if (strcmp(arg, ARG_POINT) == 0) {
        t->value_at = put_bulk(&t->text, POINT_VALUE, sizeof(POINT_VALUE) - 1);
    } else if (strcmp(arg, ARG_VALUE) == 0) {
        at = put_bulk(&t->text, w->value_pool, w->value_bytes);
        t->value_at = o->random_values ? at : 0;
    } else if (strcmp(arg, ARG_LIMIT) == 0) {
        snprintf(limit, sizeof(limit), "%llu", (unsigned long long)o->points);
        put_bulk(&t->text, limit, strlen(limit));
    } else {
        put_bulk(&t->text, arg, strlen(arg));
    }
}

static bool
in_mix(const struct load_workload *w, enum load_kind kind)
{
    return w->weight_to[kind] > (kind ? w->weight_to[kind - 1] : 0);
}

static void
make_template(struct load_workload *w, const struct load_options *o, enum load_kind kind)
{
    const struct kind_row *row = &kind_rows[kind];
    struct load_template *t = &w->templates[kind];
    struct load_template first;
    size_t i, n = 0, start;

    t->series = row->series;
    t->repeats = kind == LOAD_TS_MADD && in_mix(w, kind) ? (uint32_t)o->batch : 1;
    while (n < ARGS_MAX && row->args[n])
        n++;
    buf_printf(&t->text, "*%zu\r\n", 1 + (n - 1) * t->repeats);
    put_argument(t, w, o, row->args[0]);
    start = t->text.n;
    for (i = 1; i < n; i++)
        put_argument(t, w, o, row->args[i]);
    t->stride = (uint32_t)(t->text.n - start);
    /* What is patched are the places in the first one. */
    first = *t;
    for (uint32_t r = 1; r < t->repeats; r++)
        for (i = 1; i < n; i++)
            put_argument(t, w, o, row->args[i]);
    t->key_at = first.key_at;
    t->time_at = first.time_at;
    t->value_at = first.value_at;
}

static int
find_kind(const char *name, size_t n)
{
    int i;

    for (i = 0; i < LOAD_KINDS; i++)
        if (kind_rows[i].starts != LOAD_KINDS && strlen(kind_rows[i].name) == n &&
            memcmp(kind_rows[i].name, name, n) == 0)
            return i;
    return -ENOENT;
}

/* "set:1,get:4" */
static int
parse_mix(struct load_workload *w, const char *mix)
{
    uint32_t weights[LOAD_KINDS] = {0};
    unsigned long weight;
    char *end;
    size_t n;
    int kind, i;

    while (*mix) {
        n = strcspn(mix, ":,");
        kind = find_kind(mix, n);
        if (kind < 0)
            return -EINVAL;
        mix += n;
        weight = 1;
        if (*mix == ':') {
            weight = strtoul(mix + 1, &end, 10);
            if (end == mix + 1 || mix[1] == '-' || weight == 0 || weight > LOAD_WEIGHT_MAX)
                return -EINVAL;
            mix = end;
        }
        weights[kind] += (uint32_t)weight;
        w->only = w->weight_sum == 0 ? (enum load_kind)kind : LOAD_KINDS;
        w->weight_sum += (uint32_t)weight;
        if (w->weight_sum > LOAD_WEIGHT_MAX || (*mix && *mix++ != ','))
            return -EINVAL;
    }
    for (i = 0; i < LOAD_KINDS; i++)
        w->weight_to[i] = weights[i] + (i ? w->weight_to[i - 1] : 0);
    return w->weight_sum > 0 ? 0 : -EINVAL;
}

/* Printable, so that a value can be looked at with redis-cli. */
static int
make_values(struct load_workload *w, const struct load_options *o)
{
    uint64_t i, n = o->value_bytes + (o->random_values ? VALUE_POOL_BYTES : 0);
    struct load_rng rng = {o->seed};

    w->value_bytes = o->value_bytes;
    w->value_pool = malloc(n + 1);
    if (!w->value_pool)
        return -ENOMEM;
    memset(w->value_pool, 'x', n + 1);
    for (i = 0; o->random_values && i < n; i++)
        w->value_pool[i] = (char)('!' + load_rng_below(&rng, '~' - '!' + 1));
    return 0;
}

int
load_workload_init(struct load_workload *w, const struct load_options *o,
                   const uint8_t *node_of_slot, unsigned nodes, char *error, size_t error_size)
{
    int kind, rc;

    memset(w, 0, sizeof(*w));
    w->times = o->times;
    w->time_base = o->time_base;
    w->time_step = o->time_step;
    w->late_share = o->late_share;
    w->late_ms_max = o->late_ms_max;
    w->batch = o->batch;
    if (parse_mix(w, o->mix) < 0) {
        snprintf(error, error_size,
                 "--mix '%s' is not KIND[:WEIGHT],... of ping set get incr "
                 "tsdb_set tsdb_get batch ts_add ts_madd ts_get ts_mget, weights up to %d in all",
                 o->mix, LOAD_WEIGHT_MAX);
        return -EINVAL;
    }
    rc = make_values(w, o);
    if (rc == 0)
        rc = load_space_init(&w->keys, o->prefix, o->keys, node_of_slot, nodes);
    if (rc == 0)
        rc = load_space_init(&w->series, o->series_prefix, o->series, node_of_slot, nodes);
    if (rc < 0) {
        snprintf(error, error_size, "not enough memory for keys and values");
        load_workload_fini(w);
        return rc;
    }
    for (kind = 0; kind < LOAD_KINDS; kind++)
        make_template(w, o, (enum load_kind)kind);
    return 0;
}

void
load_workload_fini(struct load_workload *w)
{
    int kind;

    for (kind = 0; kind < LOAD_KINDS; kind++)
        buf_fini(&w->templates[kind].text);
    load_space_fini(&w->keys);
    load_space_fini(&w->series);
    free(w->value_pool);
    w->value_pool = NULL;
}

static bool
mix_has(const struct load_workload *w, bool series)
{
    int kind;

    for (kind = 0; kind < LOAD_KINDS; kind++)
        if (in_mix(w, (enum load_kind)kind) && w->templates[kind].key_width &&
            w->templates[kind].series == series)
            return true;
    return false;
}

int
load_source_init(struct load_source *s, const struct load_workload *w, const struct load_options *o,
                 unsigned index, unsigned node, unsigned part, unsigned parts)
{
    bool walk = o->order == LOAD_ORDER_SEQUENTIAL;
    bool writes = false, in_time;
    int rc = 0;

    for (int kind = 0; kind < LOAD_KINDS; kind++)
        writes = writes || (in_mix(w, (enum load_kind)kind) && is_write((enum load_kind)kind));
    in_time = writes && (w->times == LOAD_TIMES_ORDERED || w->times == LOAD_TIMES_LATE);

    memset(s, 0, sizeof(*s));
    s->rng.state = o->seed ^ (index + 1) * 0xd1342543de82ef95ULL;
    s->batch_left = w->batch;
    if (mix_has(w, false))
        rc = load_set_init(&s->keys, &w->keys, node, walk ? part : 0, walk ? parts : 1, o->order,
                           o->theta);
    /* A series that only one connection writes gets its points in the order of their times. */
    if (rc == 0 && mix_has(w, true))
        rc = load_set_init(&s->series, &w->series, node, walk || in_time ? part : 0,
                           walk || in_time ? parts : 1, o->order, o->theta);
    return rc;
}

static enum load_kind
draw_kind(const struct load_workload *w, struct load_source *s)
{
    enum load_kind kind = w->only;
    uint64_t r;

    if (kind == LOAD_KINDS) {
        r = load_rng_below(&s->rng, w->weight_sum);
        for (kind = 0; r >= w->weight_to[kind]; kind++)
            ;
    }
    if (kind != LOAD_BATCH_SET)
        return kind;
    if (s->batch_left > 0) {
        s->batch_left--;
        return LOAD_BATCH_SET;
    }
    s->batch_left = w->batch;
    return LOAD_BATCH_FLUSH;
}

static uint64_t
next_time(const struct load_workload *w, struct load_source *s)
{
    uint64_t t;

    if (w->times == LOAD_TIMES_RANDOM)
        return w->time_base - load_rng_below(&s->rng, DAY_MS);
    t = w->time_base + s->points++ * w->time_step;
    if (w->times == LOAD_TIMES_LATE && load_rng_unit(&s->rng) < w->late_share)
        t -= 1 + load_rng_below(&s->rng, w->late_ms_max);
    return t;
}

/* Prices between 100.00 and 999.99. */
static void
put_point_value(char *p, struct load_rng *rng)
{
    uint64_t cents = 10000 + load_rng_below(rng, 90000);

    load_put_digits(p, 3, cents / 100);
    load_put_digits(p + 4, 2, cents);
}

/* Puts the digits of one key, time and value in place. */
static void
patch(const struct load_workload *w, struct load_source *s, const struct load_template *t, char *p)
{
    if (t->key_width)
        load_put_digits(p + t->key_at, t->key_width,
                        load_set_draw(t->series ? &s->series : &s->keys, &s->rng));
    if (t->time_at)
        load_put_digits(p + t->time_at, TIME_DIGITS, next_time(w, s));
    if (t->value_at && t->series)
        put_point_value(p + t->value_at, &s->rng);
    else if (t->value_at)
        memcpy(p + t->value_at, w->value_pool + load_rng_below(&s->rng, VALUE_POOL_BYTES),
               w->value_bytes);
}

enum load_kind
load_workload_emit(const struct load_workload *w, struct load_source *s, struct buf *out)
{
    enum load_kind kind = draw_kind(w, s);
    const struct load_template *t = &w->templates[kind];
    char *p = buf_reserve(out, t->text.n);

    memcpy(p, t->text.p, t->text.n);
    out->n += t->text.n;
    for (uint32_t r = 0; r < t->repeats; r++)
        patch(w, s, t, p + (size_t)r * t->stride);
    return kind;
}
