#include "core/metrics.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <stdio.h>

#define local_buf __attribute__((cleanup(buf_fini))) struct buf

static const char *
text(struct buf *b)
{
    *buf_reserve(b, 1) = '\0';
    return b->p;
}

Test(metrics, counters_and_gauges_hold_what_was_put_in)
{
    static struct metrics m;

    metrics_inc(&m, commands_processed);
    metrics_add(&m, commands_processed, 41);
    metrics_add(&m, connections_current, 5);
    metrics_sub(&m, connections_current, 2);
    metrics_set(&m, loop_turns, 7);
    cr_expect_eq(metrics_get(&m, commands_processed), 42);
    cr_expect_eq(metrics_get(&m, connections_current), 3);
    cr_expect_eq(metrics_get(&m, loop_turns), 7);
    cr_expect_eq(metrics_get(&m, journal_errors), 0);
}

Test(metrics, sum_adds_each_row_of_every_core)
{
    static struct metrics cores[3];
    struct metrics_sum sum = {0};
    size_t i, rows = 0;

    while (metrics_row(rows) != NULL)
        rows++;
    for (i = 0; i < rows; i++) {
        metrics_store((_Atomic uint64_t *)&cores[0] + i, i);
        metrics_store((_Atomic uint64_t *)&cores[2] + i, 1000);
    }
    for (i = 0; i < ARRAY_SIZE(cores); i++)
        metrics_sum_add(&sum, &cores[i]);
    for (i = 0; i < rows; i++)
        cr_expect_eq(metrics_sum_value(&sum, i), i + 1000, "%s", metrics_row(i)->name);
}

Test(metrics, gauges_that_moved_between_cores_add_up)
{
    static struct metrics cores[2];
    struct metrics_sum sum = {0};

    metrics_inc(&cores[0], connections_current);
    metrics_sub(&cores[1], connections_current, 1);
    metrics_sum_add(&sum, &cores[0]);
    metrics_sum_add(&sum, &cores[1]);
    cr_expect_eq(sum.connections_current, 0);
}

Test(metrics, cores_do_not_share_a_cache_line)
{
    cr_expect_eq(sizeof(struct metrics) % CACHE_LINE, 0);
    cr_expect_eq(_Alignof(struct metrics), CACHE_LINE);
}

Test(metrics, info_shows_a_section_in_lines_with_redis_names)
{
    struct metrics_sum sum = {.connections_current = 3, .commands_processed = 42};
    local_buf clients = {0}, stats = {0};

    metrics_write_info(&sum, METRICS_SECTION_CLIENTS, &clients);
    cr_expect_str_eq(text(&clients), "connected_clients:3\r\nblocked_clients:0\r\n");
    metrics_write_info(&sum, METRICS_SECTION_STATS, &stats);
    cr_expect(strstr(text(&stats), "\r\ntotal_commands_processed:42\r\n") != NULL);
    cr_expect_null(strstr(text(&stats), "connected_clients"));
}

Test(metrics, every_row_is_in_exactly_one_section_and_in_the_document)
{
    const struct metrics_row *row;
    struct metrics_sum sum = {0};
    local_buf all = {0}, doc = {0};
    char line[128];
    size_t i, j;

    for (i = 0; i < METRICS_SECTIONS_COUNT; i++)
        metrics_write_info(&sum, (enum metrics_section)i, &all);
    metrics_write_markdown(&doc);
    for (i = 0; (row = metrics_row(i)) != NULL; i++) {
        const char *found;

        snprintf(line, sizeof(line), "%s:0\r\n", row->info);
        found = strstr(text(&all), line);
        cr_assert_not_null(found, "%s", row->name);
        cr_expect(found == all.p || found[-1] == '\n', "%s", row->name);
        snprintf(line, sizeof(line), "\n| `%s` |", row->info);
        cr_expect_not_null(strstr(text(&doc), line), "%s", row->name);
        cr_expect(row->unit[0] != '\0' && row->help[strlen(row->help) - 1] == '.');
        for (j = 0; j < i; j++)
            cr_expect_str_neq(metrics_row(j)->info, row->info);
    }
    cr_expect_geq(i, 30);
}

Test(metrics, sections_are_found_by_title)
{
    enum metrics_section section = METRICS_SECTIONS_COUNT;
    unsigned i;

    for (i = 0; i < METRICS_SECTIONS_COUNT; i++) {
        cr_expect_eq(metrics_section_find(slice_of(metrics_section_title(i)), &section), 0);
        cr_expect_eq(section, i);
    }
    cr_expect_eq(metrics_section_find(SLICE("sTATs"), &section), 0);
    cr_expect_eq(section, METRICS_SECTION_STATS);
    section = METRICS_SECTION_CORES;
    cr_expect_eq(metrics_section_find(SLICE("stat"), &section), -ENOENT);
    cr_expect_eq(metrics_section_find(SLICE("stats "), &section), -ENOENT);
    cr_expect_eq(section, METRICS_SECTION_CORES);
}

#define TURNS 200000

static void *
count(void *arg)
{
    struct metrics *m = arg;
    unsigned i;

    for (i = 0; i < TURNS; i++)
        metrics_inc(m, loop_turns);
    return NULL;
}

Test(metrics, reader_on_another_thread_sees_a_counter_only_grow)
{
    static struct metrics m;
    uint64_t last = 0, now;
    pthread_t owner;

    cr_assert_eq(pthread_create(&owner, NULL, count, &m), 0);
    do {
        now = metrics_get(&m, loop_turns);
        cr_assert_geq(now, last);
        last = now;
    } while (now < TURNS);
    pthread_join(owner, NULL);
    cr_expect_eq(metrics_get(&m, loop_turns), TURNS);
}
