#include "shards/series/series_meta.h"

#include "shards/series/series.h"
#include "shards/series/varint.h"

#include <stdlib.h>

enum meta_flag {
    META_UNCOMPRESSED = 1 << 0,
    META_POLICY = 1 << 1,
    META_IGNORE = 1 << 2,
    META_SOURCE = 1 << 3,
    META_FLAGS_USED = 0x0f,
};

const struct series_meta series_meta_default = {
    .chunk_bytes = SERIES_CHUNK_BYTES_DEFAULT,
    .policy = SERIES_POLICY_UNSET,
};

/* --- asking ----------------------------------------------------------------------------------- */

static bool
same_labels(const struct series_meta *a, const struct series_meta *b)
{
    if (a->labels_n != b->labels_n)
        return false;
    for (uint32_t i = 0; i < a->labels_n; i++)
        if (!slice_equal(a->labels[i].name, b->labels[i].name) ||
            !slice_equal(a->labels[i].value, b->labels[i].value))
            return false;
    return true;
}

static bool
same_rules(const struct series_meta *a, const struct series_meta *b)
{
    if (a->rules_n != b->rules_n)
        return false;
    for (uint32_t i = 0; i < a->rules_n; i++) {
        const struct series_rule *x = &a->rules[i], *y = &b->rules[i];

        if (!slice_equal(x->to, y->to) || x->aggregator != y->aggregator ||
            x->bucket != y->bucket || x->align != y->align || x->after != y->after)
            return false;
    }
    return true;
}

bool
series_meta_equal(const struct series_meta *a, const struct series_meta *b)
{
    return a->retention == b->retention && a->ignore_time == b->ignore_time &&
           memcmp(&a->ignore_value, &b->ignore_value, sizeof(a->ignore_value)) == 0 &&
           a->chunk_bytes == b->chunk_bytes && a->policy == b->policy &&
           a->uncompressed == b->uncompressed && a->has_source == b->has_source &&
           (!a->has_source || slice_equal(a->source, b->source)) && same_labels(a, b) &&
           same_rules(a, b);
}

bool
series_meta_label(const struct series_meta *m, struct slice name, struct slice *ret_value)
{
    for (uint32_t i = 0; i < m->labels_n; i++)
        if (slice_equal(m->labels[i].name, name)) {
            *ret_value = m->labels[i].value;
            return true;
        }
    return false;
}

int
series_meta_rule(const struct series_meta *m, struct slice to)
{
    for (uint32_t i = 0; i < m->rules_n; i++)
        if (slice_equal(m->rules[i].to, to))
            return (int)i;
    return -1;
}

/* --- copying: the struct, the arrays, the texts, one behind the other -------------------------- */

static size_t
text_bytes(const struct series_meta *m)
{
    size_t n = m->has_source ? m->source.n : 0;

    for (uint32_t i = 0; i < m->labels_n; i++)
        n += m->labels[i].name.n + m->labels[i].value.n;
    for (uint32_t i = 0; i < m->rules_n; i++)
        n += m->rules[i].to.n;
    return n;
}

static struct slice
put_text(char **at, struct slice s)
{
    struct slice copy = {*at, s.n};

    if (s.n)
        memcpy(*at, s.p, s.n);
    *at += s.n;
    return copy;
}

struct series_meta *
series_meta_copy(struct arena *a, const struct series_meta *from)
{
    size_t labels = from->labels_n * sizeof(*from->labels);
    size_t rules = from->rules_n * sizeof(*from->rules);
    size_t bytes = sizeof(*from) + labels + rules + text_bytes(from);
    struct series_meta *m = arena_alloc(a, bytes);
    struct series_label *label = (struct series_label *)(m + 1);
    struct series_rule *rule = (struct series_rule *)(label + from->labels_n);
    char *text = (char *)(rule + from->rules_n);

    *m = *from;
    m->bytes = (uint32_t)bytes;
    m->labels = label;
    m->rules = rule;
    for (uint32_t i = 0; i < m->labels_n; i++) {
        label[i].name = put_text(&text, from->labels[i].name);
        label[i].value = put_text(&text, from->labels[i].value);
    }
    for (uint32_t i = 0; i < m->rules_n; i++) {
        rule[i] = from->rules[i];
        rule[i].to = put_text(&text, from->rules[i].to);
    }
    m->source = m->has_source ? put_text(&text, from->source) : (struct slice){0};
    return m;
}

void
series_meta_destroy(struct arena *a, struct series_meta **m)
{
    if (*m)
        arena_free(a, *m, (*m)->bytes);
    *m = NULL;
}

/* --- writing ---------------------------------------------------------------------------------- */

size_t
series_meta_size(const struct series_meta *m)
{
    return 2 + 4 * VARINT_BYTES_MAX + 1 + 8 + VARINT_BYTES_MAX + text_bytes(m) +
           m->labels_n * 2UL * VARINT_BYTES_MAX + m->rules_n * (4UL * VARINT_BYTES_MAX + 1);
}

static void
write_text(struct buf *out, struct slice s)
{
    varint_put(out, s.n);
    buf_append(out, s.n ? s.p : "", s.n);
}

static uint8_t
flags_of(const struct series_meta *m)
{
    bool ignores = m->ignore_time != 0 || m->ignore_value != 0;

    return (uint8_t)((m->uncompressed ? META_UNCOMPRESSED : 0) |
                     (m->policy != SERIES_POLICY_UNSET ? META_POLICY : 0) |
                     (ignores ? META_IGNORE : 0) | (m->has_source ? META_SOURCE : 0));
}

void
series_meta_write(struct buf *out, const struct series_meta *m)
{
    uint8_t flags = flags_of(m);
    size_t before = out->n;
    uint64_t bits;

    buf_put_u8(out, SERIES_META_VERSION);
    buf_put_u8(out, flags);
    varint_put(out, (uint64_t)m->retention);
    varint_put(out, m->chunk_bytes);
    if (flags & META_POLICY)
        buf_put_u8(out, m->policy);
    if (flags & META_IGNORE) {
        memcpy(&bits, &m->ignore_value, sizeof(bits));
        varint_put(out, (uint64_t)m->ignore_time);
        buf_put_u64(out, bits);
    }
    varint_put(out, m->labels_n);
    for (uint32_t i = 0; i < m->labels_n; i++) {
        write_text(out, m->labels[i].name);
        write_text(out, m->labels[i].value);
    }
    varint_put(out, m->rules_n);
    for (uint32_t i = 0; i < m->rules_n; i++) {
        write_text(out, m->rules[i].to);
        buf_put_u8(out, m->rules[i].aggregator);
        varint_put(out, (uint64_t)m->rules[i].bucket);
        varint_put(out, (uint64_t)m->rules[i].align);
        varint_put(out, zigzag(m->rules[i].after));
    }
    if (flags & META_SOURCE)
        write_text(out, m->source);
    ASSERT(out->n - before <= SERIES_META_BYTES_MAX); /* more could not be read again */
}

/* --- parsing: nothing is believed -------------------------------------------------------------- */

static bool
take_text(struct cursor *c, struct slice *ret)
{
    uint64_t n;
    const uint8_t *p;

    if (!varint_get(c, &n) || (p = cursor_take(c, n)) == NULL)
        return false;
    *ret = (struct slice){(const char *)p, n};
    return true;
}

/* A time span or alignment: 0 to INT64_MAX. */
static bool
take_span(struct cursor *c, int64_t *ret)
{
    uint64_t v;

    if (!varint_get(c, &v) || v > INT64_MAX)
        return false;
    *ret = (int64_t)v;
    return true;
}

static bool
take_settings(struct cursor *c, struct series_meta *m, uint8_t *ret_flags)
{
    uint8_t version, flags;
    uint64_t chunk, bits;

    if (!cursor_u8(c, &version) || version != SERIES_META_VERSION || !cursor_u8(c, &flags) ||
        flags & ~META_FLAGS_USED)
        return false;
    if (!take_span(c, &m->retention) || !varint_get(c, &chunk) || chunk > SERIES_CHUNK_BYTES_MAX)
        return false;
    m->chunk_bytes = (uint32_t)chunk;
    m->uncompressed = flags & META_UNCOMPRESSED;
    m->has_source = flags & META_SOURCE;
    if (flags & META_POLICY && (!cursor_u8(c, &m->policy) || m->policy > DUPLICATE_KEEP))
        return false;
    if (flags & META_IGNORE) {
        if (!take_span(c, &m->ignore_time) || !cursor_u64(c, &bits))
            return false;
        memcpy(&m->ignore_value, &bits, sizeof(bits));
        if (!(m->ignore_value >= 0) || (m->ignore_time == 0 && m->ignore_value == 0))
            return false;
    }
    *ret_flags = flags;
    return true;
}

static bool
take_labels(struct cursor *c, struct series_meta *m)
{
    struct series_label *labels;
    uint64_t n;

    if (!varint_get(c, &n) || n > SERIES_LABELS_MAX)
        return false;
    m->labels = labels = calloc(n + 1, sizeof(*labels));
    ASSERT(labels);
    for (m->labels_n = 0; m->labels_n < n; m->labels_n++, labels++)
        if (!take_text(c, &labels->name) || !take_text(c, &labels->value) ||
            labels->name.n > SERIES_LABEL_BYTES_MAX || labels->value.n > SERIES_LABEL_BYTES_MAX)
            return false;
    return true;
}

static bool
take_rule(struct cursor *c, struct series_rule *r)
{
    return take_text(c, &r->to) && cursor_u8(c, &r->aggregator) && take_span(c, &r->bucket) &&
           r->bucket > 0 && take_span(c, &r->align) && varint_get_signed(c, &r->after);
}

static bool
take_rules(struct cursor *c, struct series_meta *m)
{
    struct series_rule *rules;
    uint64_t n;

    if (!varint_get(c, &n) || n > SERIES_RULES_MAX)
        return false;
    m->rules = rules = calloc(n + 1, sizeof(*rules));
    ASSERT(rules);
    for (m->rules_n = 0; m->rules_n < n; m->rules_n++)
        if (!take_rule(c, &rules[m->rules_n]))
            return false;
    return true;
}

bool
series_meta_parse(struct slice bytes, struct series_meta *ret_m)
{
    struct series_meta m = {.policy = SERIES_POLICY_UNSET};
    struct cursor c = cursor_of(bytes);
    uint8_t flags;
    bool ok = bytes.n <= SERIES_META_BYTES_MAX && take_settings(&c, &m, &flags) &&
              take_labels(&c, &m) && take_rules(&c, &m) &&
              (!m.has_source || take_text(&c, &m.source)) && c.p == c.end;

    if (!ok) {
        series_meta_parsed_fini(&m);
        return false;
    }
    *ret_m = m;
    return true;
}

void
series_meta_parsed_fini(struct series_meta *m)
{
    free((void *)m->labels);
    free((void *)m->rules);
    m->labels = NULL;
    m->rules = NULL;
    m->labels_n = m->rules_n = 0;
}
