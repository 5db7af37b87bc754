/* Counters of one core, from one table (core/metrics_table.h).
 *
 * The core that owns a struct metrics is the only one that writes it, so a relaxed load and a
 * relaxed store are enough and cost what a plain increment costs. Anyone may read at any time and
 * sees each number as it was a moment ago; numbers of different rows are not from the same moment.
 */
#ifndef CORE_METRICS_H
#define CORE_METRICS_H

#include "core/base.h"
#include "core/buf.h"
#include "core/metrics_table.h"

#include <stdatomic.h>

enum metrics_kind { METRICS_COUNTER, METRICS_GAUGE };

#define METRICS_SECTION_CONSTANT(id, title) METRICS_SECTION_##id,
enum metrics_section { METRICS_SECTIONS(METRICS_SECTION_CONSTANT) METRICS_SECTIONS_COUNT };
#undef METRICS_SECTION_CONSTANT

#define METRICS_FIELD(name, info, kind, unit, section, help) _Atomic uint64_t name;
struct metrics {
    METRICS_TABLE(METRICS_FIELD)
} __attribute__((aligned(CACHE_LINE)));
#undef METRICS_FIELD

/* A copy at one moment, or the sum over several cores. */
#define METRICS_FIELD(name, info, kind, unit, section, help) uint64_t name;
struct metrics_sum {
    METRICS_TABLE(METRICS_FIELD)
};
#undef METRICS_FIELD

struct metrics_row {
    const char *name;
    const char *info; /* name in INFO */
    enum metrics_kind kind;
    enum metrics_section section;
    const char *unit;
    const char *help;
};

/* Owner only. `field` is a row's name. */
#define metrics_add(m, field, by) metrics_store(&(m)->field, metrics_load(&(m)->field) + (by))
#define metrics_inc(m, field) metrics_add(m, field, 1)
#define metrics_sub(m, field, by) metrics_store(&(m)->field, metrics_load(&(m)->field) - (by))
#define metrics_set(m, field, to) metrics_store(&(m)->field, (to))
/* Anyone. */
#define metrics_get(m, field) metrics_load(&(m)->field)

/* Relaxed: a counter orders nothing, it only must not tear. */
static inline uint64_t
metrics_load(const _Atomic uint64_t *field)
{
    return atomic_load_explicit(field, memory_order_relaxed);
}

static inline void
metrics_store(_Atomic uint64_t *field, uint64_t value)
{
    atomic_store_explicit(field, value, memory_order_relaxed);
}

/* The rows in the order of the table; NULL beyond the last. */
const struct metrics_row *metrics_row(size_t i);
/* The title of a section as INFO writes it, and the section of a title (case ignored, -ENOENT). */
const char *metrics_section_title(enum metrics_section section);
int metrics_section_find(struct slice title, enum metrics_section *ret_section);

/* Adds the numbers of one core to *sum. Any thread. */
void metrics_sum_add(struct metrics_sum *sum, const struct metrics *m);
/* The value of the i-th row. */
uint64_t metrics_sum_value(const struct metrics_sum *sum, size_t i);
/* Appends the section's "name:value\r\n" lines, without its heading. */
void metrics_write_info(const struct metrics_sum *sum, enum metrics_section section,
                        struct buf *out);
/* docs/METRICS.md. */
void metrics_write_markdown(struct buf *out);

#endif
