#include "core/metrics.h"

#include <inttypes.h>

/* clang-format off */
#define METRICS_ROW(name, info, kind, unit, section, help)                                               \
    {#name, info, METRICS_##kind, METRICS_SECTION_##section, unit, help},
#define METRICS_TITLE(id, title) title,
/* clang-format on */

static const struct metrics_row rows[] = {METRICS_TABLE(METRICS_ROW)};
static const char *const titles[] = {METRICS_SECTIONS(METRICS_TITLE)};

/* Rows are walked as an array of numbers. */
static_assert(sizeof(struct metrics_sum) == ARRAY_SIZE(rows) * sizeof(uint64_t), "only numbers");
static_assert(sizeof(struct metrics) == ALIGN_UP(sizeof(struct metrics_sum), (size_t)CACHE_LINE),
              "only numbers, up to a whole cache line");

const struct metrics_row *
metrics_row(size_t i)
{
    return i < ARRAY_SIZE(rows) ? &rows[i] : NULL;
}

const char *
metrics_section_title(enum metrics_section section)
{
    ASSERT(section < METRICS_SECTIONS_COUNT);
    return titles[section];
}

int
metrics_section_find(struct slice title, enum metrics_section *ret_section)
{
    size_t i, j;

    for (i = 0; i < ARRAY_SIZE(titles); i++) {
        if (strlen(titles[i]) != title.n)
            continue;
        for (j = 0; j < title.n && ascii_lower(title.p[j]) == ascii_lower(titles[i][j]); j++)
            ;
        if (j == title.n) {
            *ret_section = (enum metrics_section)i;
            return 0;
        }
    }
    return -ENOENT;
}

void
metrics_sum_add(struct metrics_sum *sum, const struct metrics *m)
{
    uint64_t *to = (uint64_t *)sum;
    const _Atomic uint64_t *from = (const _Atomic uint64_t *)m;
    size_t i;

    for (i = 0; i < ARRAY_SIZE(rows); i++)
        to[i] += metrics_load(&from[i]);
}

uint64_t
metrics_sum_value(const struct metrics_sum *sum, size_t i)
{
    ASSERT(i < ARRAY_SIZE(rows));
    return ((const uint64_t *)sum)[i];
}

void
metrics_write_info(const struct metrics_sum *sum, enum metrics_section section, struct buf *out)
{
    size_t i;

    for (i = 0; i < ARRAY_SIZE(rows); i++)
        if (rows[i].section == section)
            buf_printf(out, "%s:%" PRIu64 "\r\n", rows[i].info, metrics_sum_value(sum, i));
}

static void
write_section(struct buf *out, enum metrics_section section)
{
    size_t i;

    buf_printf(out, "\n## %s\n\n| name in INFO | kind | unit | what |\n|---|---|---|---|\n",
               titles[section]);
    for (i = 0; i < ARRAY_SIZE(rows); i++)
        if (rows[i].section == section)
            buf_printf(out, "| `%s` | %s | %s | %s |\n", rows[i].info,
                       rows[i].kind == METRICS_COUNTER ? "counter" : "gauge", rows[i].unit,
                       rows[i].help);
}

void
metrics_write_markdown(struct buf *out)
{
    unsigned i;

    buf_append_lit(out, "# Metrics\n\n"
                        "Made from `core/metrics_table.h` by `gen-docs`; a test compares them.\n\n"
                        "Each core counts for itself; `INFO` shows the sum over the cores, in the "
                        "section that is the heading here.\n"
                        "Counters start at 0 with the process and only grow; gauges go up and "
                        "down.\n");
    for (i = 0; i < METRICS_SECTIONS_COUNT; i++)
        write_section(out, (enum metrics_section)i);
}
