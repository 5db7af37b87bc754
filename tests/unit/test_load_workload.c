/* What the load generator sends: bytes, mix, order of times, choice of keys. */
#include "bench/load_workload.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#define ARGS_MAX 16

struct fixture {
    struct load_options options;
    struct load_workload workload;
    struct load_source source;
    struct buf out;
};

static void
open_fixture(struct fixture *f, int argc, const char *const *argv)
{
    char error[256] = "";

    memset(f, 0, sizeof(*f));
    cr_assert_eq(load_options_parse(&f->options, argc, argv, error, sizeof(error)), 0, "%s", error);
    cr_assert_eq(load_workload_init(&f->workload, &f->options, NULL, 1, error, sizeof(error)), 0,
                 "%s", error);
    cr_assert_eq(load_source_init(&f->source, &f->workload, &f->options, 0, 0, 0, 1), 0);
}

#define OPEN(f, ...)                                 \
    do {                                             \
        const char *argv_[] = {"load", __VA_ARGS__}; \
        open_fixture((f), ARRAY_SIZE(argv_), argv_); \
    } while (0)

static void
close_fixture(struct fixture *f)
{
    load_workload_fini(&f->workload);
    buf_fini(&f->out);
}

/* Emits one command and takes it apart; returns the number of arguments. */
static unsigned
emit(struct fixture *f, struct slice *args)
{
    unsigned i, n, length;
    int used;
    char *p;

    f->out.n = 0;
    load_workload_emit(&f->workload, &f->source, &f->out);
    *buf_reserve(&f->out, 1) = '\0';
    p = f->out.p;
    cr_assert_eq(sscanf(p, "*%u%n", &n, &used), 1);
    cr_assert_leq(n, ARGS_MAX);
    p += used;
    for (i = 0; i < n; i++) {
        cr_assert_eq(memcmp(p, "\r\n$", 3), 0);
        cr_assert_eq(sscanf(p + 2, "$%u%n", &length, &used), 1);
        p += 2 + used;
        cr_assert_eq(memcmp(p, "\r\n", 2), 0);
        args[i] = (struct slice){p + 2, length};
        p += 2 + length;
    }
    cr_assert_eq(memcmp(p, "\r\n", 2), 0);
    cr_assert_eq(p + 2, f->out.p + f->out.n, "nothing follows the command");
    return n;
}

static uint64_t
number_after(struct slice s, const char *prefix)
{
    char text[64];

    cr_assert_lt(s.n, sizeof(text));
    memcpy(text, s.p, s.n);
    text[s.n] = '\0';
    cr_assert_eq(strncmp(text, prefix, strlen(prefix)), 0, "%s", text);
    return strtoull(text + strlen(prefix), NULL, 10);
}

Test(load_workload, commands_are_spelled_as_the_server_takes_them)
{
    static const struct {
        const char *mix;
        unsigned n;
        const char *name;
        const char *rest; /* the arguments after the key */
    } rows[] = {
        {"ping", 1, "PING", ""},
        {"set", 3, "SET", " xxx"},
        {"get", 2, "GET", ""},
        {"incr", 2, "INCR", ""},
        {"tsdb_get", 6, "TSDB_GET", " - + 25 REV"},
        {"ts_get", 2, "TS.GET", ""},
        {"ts_mget", 3, "TS.MGET", " stock_000000000000"},
    };
    struct fixture f;
    struct slice args[ARGS_MAX];
    char rest[64];
    size_t i, j;

    for (i = 0; i < ARRAY_SIZE(rows); i++) {
        OPEN(&f, "--mix", rows[i].mix, "--points", "25", "--keys", "1000", "--series", "1");
        cr_assert_eq(emit(&f, args), rows[i].n);
        cr_assert(slice_equal(args[0], slice_of(rows[i].name)));
        for (j = 2, rest[0] = '\0'; j < rows[i].n; j++)
            snprintf(rest + strlen(rest), sizeof(rest) - strlen(rest), " %.*s", (int)args[j].n,
                     args[j].p);
        cr_assert_str_eq(rest, rows[i].rest);
        close_fixture(&f);
    }
}

Test(load_workload, every_key_is_drawn_and_none_beyond)
{
    static const char *const orders[] = {"uniform", "zipf", "zipf:1", "sequential"};
    bool seen[105];
    struct fixture f;
    struct slice args[ARGS_MAX];
    size_t i, draws, missing;
    uint64_t key;

    for (i = 0; i < ARRAY_SIZE(orders); i++) {
        OPEN(&f, "--mix=get", "--keys=105", "--prefix=k{a}", "--order", orders[i]);
        memset(seen, 0, sizeof(seen));
        for (draws = 0; draws < (i == 3 ? 105 : 20000); draws++) {
            emit(&f, args);
            cr_assert_eq(args[1].n, 4 + LOAD_KEY_DIGITS);
            key = number_after(args[1], "k{a}");
            cr_assert_lt(key, 105);
            seen[key] = true;
        }
        for (key = 0, missing = 0; key < 105; key++)
            missing += !seen[key];
        cr_assert_eq(missing, 0, "%s left out %zu keys", orders[i], missing);
        close_fixture(&f);
    }
}

Test(load_workload, zipf_frequencies_follow_the_law)
{
    static const double thetas[] = {0.5, 0.99, 1.0, 1.5};
    struct load_zipf z;
    struct load_rng rng = {3};
    double sum, expect;
    unsigned count[50];
    size_t i, k;
    int draw;

    for (i = 0; i < ARRAY_SIZE(thetas); i++) {
        load_zipf_init(&z, 50, thetas[i]);
        memset(count, 0, sizeof(count));
        for (draw = 0; draw < 400000; draw++)
            count[load_zipf_next(&z, &rng)]++;
        for (k = 0, sum = 0; k < 50; k++)
            sum += __builtin_pow((double)k + 1, -thetas[i]);
        for (k = 0; k < 50; k++) {
            expect = 400000 * __builtin_pow((double)k + 1, -thetas[i]) / sum;
            /* Six standard deviations. */
            cr_assert_lt(__builtin_fabs(count[k] - expect), 6 * __builtin_sqrt(expect),
                         "theta %g rank %zu: %u instead of %.0f", thetas[i], k, count[k], expect);
        }
    }
}

Test(load_workload, ordered_times_rise_and_values_are_numbers)
{
    struct fixture f;
    struct slice args[ARGS_MAX];
    uint64_t t, last = 0;
    int i;

    OPEN(&f, "--mix=tsdb_set", "--time-base=1700000000000", "--time-step=7", "--series=10");
    for (i = 0; i < 1000; i++) {
        cr_assert_eq(emit(&f, args), 4);
        cr_assert_lt(number_after(args[1], "stock_"), 10);
        t = number_after(args[2], "");
        cr_assert_eq(t, i ? last + 7 : 1700000000000ULL);
        last = t;
        cr_assert_eq(args[3].n, 6);
        cr_assert_eq(args[3].p[3], '.');
        cr_assert_geq(number_after(args[3], ""), 100);
    }
    close_fixture(&f);
}

Test(load_workload, the_named_share_of_points_is_late)
{
    struct fixture f;
    struct slice args[ARGS_MAX];
    unsigned late = 0;
    uint64_t t;
    int i;

    OPEN(&f, "--mix=tsdb_set", "--time-base=1700000000000", "--times=late:20:5000");
    for (i = 0; i < 10000; i++) {
        emit(&f, args);
        t = number_after(args[2], "");
        cr_assert_geq(t + 5000, 1700000000000ULL + (unsigned)i);
        late += t < 1700000000000ULL + (unsigned)i;
    }
    cr_assert_gt(late, 1800);
    cr_assert_lt(late, 2200);
    close_fixture(&f);
}

Test(load_workload, times_now_leaves_the_clock_to_the_server)
{
    struct fixture f;
    struct slice args[ARGS_MAX];

    OPEN(&f, "--mix=tsdb_set", "--times=now");
    cr_assert_eq(emit(&f, args), 4);
    cr_assert(slice_equal(args[2], SLICE("*")));
    close_fixture(&f);
}

Test(load_workload, batch_flushes_after_its_points)
{
    struct fixture f;
    struct slice args[ARGS_MAX];
    int i;

    OPEN(&f, "--mix=batch", "--batch=3", "--time-base=1700000000000");
    for (i = 0; i < 12; i++) {
        if (i % 4 == 3) {
            cr_assert_eq(emit(&f, args), 1);
            cr_assert(slice_equal(args[0], SLICE("BATCH_FLUSH")));
        } else {
            cr_assert_eq(emit(&f, args), 4);
            cr_assert(slice_equal(args[0], SLICE("BATCH_SET")));
            cr_assert_eq(args[2].p[3], '.', "the value stands before the time");
            cr_assert_geq(number_after(args[3], ""), 1700000000000ULL);
        }
    }
    close_fixture(&f);
}

Test(load_workload, madd_has_as_many_points_as_asked_for_each_drawn_by_itself)
{
    struct slice args[ARGS_MAX];
    struct fixture f;
    uint64_t last[2] = {0};

    OPEN(&f, "--mix=ts_madd", "--batch=2", "--series=2", "--order=sequential",
         "--time-base=1700000000000");
    for (int i = 0; i < 4; i++) {
        cr_assert_eq(emit(&f, args), 7);
        cr_assert(slice_equal(args[0], SLICE("TS.MADD")));
        for (int k = 0; k < 2; k++) {
            uint64_t series = number_after(args[1 + 3 * k], "stock_");
            uint64_t ts = number_after(args[2 + 3 * k], "");

            cr_assert_lt(series, 2);
            cr_assert_gt(ts, last[series]);
            last[series] = ts;
            cr_assert_eq(args[3 + 3 * k].n, 6);
            cr_assert_geq(ts, 1700000000000ULL);
        }
        cr_assert_neq(number_after(args[1], "stock_"), number_after(args[4], "stock_"));
    }
    close_fixture(&f);
}

Test(load_workload, mix_keeps_its_weights)
{
    struct fixture f;
    int i, sets = 0;

    OPEN(&f, "--mix=set:1,get:4");
    for (i = 0; i < 50000; i++) {
        enum load_kind kind = load_workload_emit(&f.workload, &f.source, &f.out);

        cr_assert(kind == LOAD_SET || kind == LOAD_GET);
        sets += kind == LOAD_SET;
    }
    cr_assert_gt(sets, 9500);
    cr_assert_lt(sets, 10500);
    close_fixture(&f);
}

Test(load_workload, bad_options_are_refused)
{
    static const char *const bad[] = {
        "--mix=",         "--mix=set:0",       "--mix=sett",   "--mix=set:1:2",
        "--mix=set,,get", "--mix=batch_flush", "--mix=set:-1",
    };
    static const char *const bad_options[] = {
        "--times=late", "--times=late:101:5", "--times=late:5:0", "--order=zipf:0", "--keys=0",
        "--keys=-1",    "--keys=1x",          "--duration=0",     "--duration=nan", "--cluster=1",
        "--no-such",    "pipeline",           "--refill=2",       "--time-base=1",  "--user=me",
        "--threads=51", "--rate=0",
    };
    struct load_options o;
    struct load_workload w;
    char error[256];
    size_t i;

    for (i = 0; i < ARRAY_SIZE(bad); i++) {
        const char *argv[] = {"load", bad[i]};

        error[0] = '\0';
        cr_assert_eq(load_options_parse(&o, 2, argv, error, sizeof(error)), 0);
        cr_assert_eq(load_workload_init(&w, &o, NULL, 1, error, sizeof(error)), -EINVAL, "%s",
                     bad[i]);
        cr_assert_neq(error[0], '\0');
    }
    for (i = 0; i < ARRAY_SIZE(bad_options); i++) {
        const char *argv[] = {"load", bad_options[i]};

        error[0] = '\0';
        cr_assert_eq(load_options_parse(&o, 2, argv, error, sizeof(error)), -EINVAL, "%s",
                     bad_options[i]);
        cr_assert_neq(error[0], '\0');
    }
}

Test(load_workload, slots_are_those_of_redis_cluster)
{
    static const struct {
        const char *key;
        unsigned slot;
    } rows[] = {
        {"123456789", 12739}, {"foo", 12182}, {"", 0}, {"{foo}.bar", 12182}, {"a{foo}{x}", 12182},
    };
    size_t i;

    for (i = 0; i < ARRAY_SIZE(rows); i++)
        cr_assert_eq(load_slot_of(rows[i].key, strlen(rows[i].key)), rows[i].slot, "%s",
                     rows[i].key);
    cr_assert_neq(load_slot_of("{}foo", 5), 12182, "an empty tag is none");
    cr_assert_neq(load_slot_of("{foo", 4), 12182, "an open tag is none");
}

Test(load_workload, connections_of_a_node_share_out_its_keys)
{
    uint8_t node_of_slot[LOAD_SLOTS];
    struct load_space sp;
    struct load_set set;
    struct load_rng rng = {1};
    bool seen[5000] = {false};
    unsigned node, part, i;
    uint64_t id, sum = 0;
    char key[64];

    for (i = 0; i < LOAD_SLOTS; i++)
        node_of_slot[i] = (uint8_t)(i / 4000);
    cr_assert_eq(load_space_init(&sp, "s:", 5000, node_of_slot, 5), 0);
    for (node = 0; node < 5; node++) {
        for (part = 0; part < 3; part++) {
            cr_assert_eq(load_set_init(&set, &sp, node, part, 3, LOAD_ORDER_SEQUENTIAL, 0), 0);
            for (i = 0; i < set.n; i++) {
                id = load_set_draw(&set, &rng);
                cr_assert_lt(id, 5000);
                cr_assert_not(seen[id], "key %u drawn by two connections", (unsigned)id);
                seen[id] = true;
                snprintf(key, sizeof(key), "s:%012llu", (unsigned long long)id);
                cr_assert_eq(node_of_slot[load_slot_of(key, strlen(key))], node);
            }
            sum += set.n;
        }
    }
    cr_assert_eq(sum, 5000);
    cr_assert_eq(load_set_init(&set, &sp, 0, 4999, 5000, LOAD_ORDER_UNIFORM, 0), -ENOENT);
    load_space_fini(&sp);
}
