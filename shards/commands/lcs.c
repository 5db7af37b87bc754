/* LCS: the longest common subsequence of two strings.
 *
 * With L(i, j) the length for the first i bytes of a and the first j of b, a table is filled row by
 * row. Only two rows of lengths are kept; the way back needs no lengths but, where the bytes
 * differ, which neighbour was longer: one bit a cell, and none when only the length is asked for.
 *
 * The way back goes from the ends of both strings to their starts. Bytes that match at neighbouring
 * places in both form a range; ranges come out last first, which is the order of the reply. Among
 * equally long subsequences it finds the one Redis finds: unless dropping a's byte is better, b's
 * is dropped. */
#include "shards/commands/handlers.h"
#include "shards/engine/keyspace.h"

#include <stdlib.h>

/* The work of one call: about a second on the loop, and 128 MiB for the way back. */
#define LCS_CELLS_MAX (1ULL << 30)

struct lcs {
    struct slice a, b;
    /* options */
    bool len_only, ranges, with_len;
    int64_t min_len;
    /* the table */
    uint32_t *rows; /* two of b.n + 1 lengths each, which take turns: */
    uint32_t *above, *row;
    uint64_t *drop_a; /* a bit for each cell: L(i-1, j) > L(i, j-1); NULL = not kept */
    uint32_t len;
    /* the way back */
    char *text; /* the subsequence */
    struct buf found;
    uint32_t found_n;
};

static bool
lcs_options(struct ctx *c, struct lcs *l)
{
    for (uint32_t i = 3; i < c->argc; i++) {
        struct slice word = c->argv[i];

        if (slice_is(word, "idx")) {
            l->ranges = true;
        } else if (slice_is(word, "len")) {
            l->len_only = true;
        } else if (slice_is(word, "withmatchlen")) {
            l->with_len = true;
        } else if (slice_is(word, "minmatchlen") && i + 1 < c->argc) {
            if (!ctx_int(c, ++i, &l->min_len))
                return false;
        } else {
            ctx_error(c, ERR_SYNTAX);
            return false;
        }
    }
    if (l->ranges && l->len_only) {
        ctx_error(c, "ERR If you want both the length and indexes, please just use IDX.");
        return false;
    }
    return true;
}

static bool
lcs_strings(struct ctx *c, struct lcs *l)
{
    struct slice *to[2] = {&l->a, &l->b};

    for (uint32_t i = 0; i < 2; i++) {
        struct key k = key_open(c, c->argv[1 + i]);
        struct entry *e = key_find(c, &k);

        if (e && e->type != ENTRY_STRING) {
            ctx_error(c, "ERR The specified keys must contain string values");
            return false;
        }
        *to[i] = e ? entry_string(e) : SLICE("");
    }
    return true;
}

static bool
lcs_alloc(struct ctx *c, struct lcs *l)
{
    uint64_t cells;

    if (__builtin_mul_overflow(l->a.n + 1, l->b.n + 1, &cells) || cells > LCS_CELLS_MAX) {
        ctx_error(c, "ERR Insufficient memory, failed allocating transient memory, string too "
                     "long for LCS");
        return false;
    }
    l->rows = calloc(2 * (l->b.n + 1), sizeof(*l->rows));
    ASSERT(l->rows);
    l->above = l->rows;
    l->row = l->rows + l->b.n + 1;
    if (l->len_only)
        return true;
    l->drop_a = calloc(cells / 64 + 1, sizeof(*l->drop_a));
    l->text = malloc(MIN(l->a.n, l->b.n) + 1);
    ASSERT(l->drop_a && l->text);
    return true;
}

static void
lcs_free(struct lcs *l)
{
    free(l->rows);
    free(l->drop_a);
    free(l->text);
    buf_fini(&l->found);
}

static uint64_t
cell_at(const struct lcs *l, uint32_t i, uint32_t j)
{
    return (uint64_t)i * (l->b.n + 1) + j;
}

static void
lcs_fill_row(struct lcs *l, uint32_t i)
{
    const char *b = l->b.p;
    char byte = l->a.p[i - 1];

    for (uint32_t j = 1; j <= l->b.n; j++) {
        uint32_t without_a = l->above[j], without_b = l->row[j - 1];

        if (byte == b[j - 1]) {
            l->row[j] = l->above[j - 1] + 1;
            continue;
        }
        l->row[j] = MAX(without_a, without_b);
        if (without_a > without_b && l->drop_a)
            l->drop_a[cell_at(l, i, j) / 64] |= 1ULL << (cell_at(l, i, j) % 64);
    }
}

static void
lcs_fill(struct lcs *l)
{
    for (uint32_t i = 1; i <= l->a.n; i++) {
        uint32_t *above = l->above;

        lcs_fill_row(l, i);
        l->above = l->row;
        l->row = above;
    }
    l->len = l->above[l->b.n];
}

/* A range of `n` bytes that starts at a[i] and b[j]. */
static void
lcs_emit(struct lcs *l, uint32_t i, uint32_t j, uint32_t n)
{
    if (!l->ranges || (int64_t)n < l->min_len)
        return;
    resp_array(&l->found, l->with_len ? 3 : 2);
    resp_array(&l->found, 2);
    resp_int(&l->found, i);
    resp_int(&l->found, (int64_t)i + n - 1);
    resp_array(&l->found, 2);
    resp_int(&l->found, j);
    resp_int(&l->found, (int64_t)j + n - 1);
    if (l->with_len)
        resp_int(&l->found, n);
    l->found_n++;
}

static void
lcs_walk_back(struct lcs *l)
{
    uint32_t i = (uint32_t)l->a.n, j = (uint32_t)l->b.n, at = l->len, run = 0;

    while (i > 0 && j > 0) {
        uint64_t cell = cell_at(l, i, j);

        if (l->a.p[i - 1] == l->b.p[j - 1]) {
            l->text[--at] = l->a.p[--i];
            j--;
            run++;
            continue;
        }
        if (run)
            lcs_emit(l, i, j, run);
        run = 0;
        if (l->drop_a[cell / 64] >> (cell % 64) & 1)
            i--;
        else
            j--;
    }
    if (run)
        lcs_emit(l, i, j, run);
    ASSERT(at == 0);
}

static void
lcs_reply(struct ctx *c, const struct lcs *l)
{
    if (l->len_only) {
        resp_int(c->out, l->len);
    } else if (l->ranges) {
        resp_map(c->out, c->proto, 2);
        resp_bulk(c->out, SLICE("matches"));
        resp_array(c->out, l->found_n);
        if (l->found.n)
            buf_append(c->out, l->found.p, l->found.n);
        resp_bulk(c->out, SLICE("len"));
        resp_int(c->out, l->len);
    } else {
        resp_bulk(c->out, (struct slice){l->text, l->len});
    }
}

void
cmd_lcs(struct ctx *c)
{
    struct lcs l = {0};

    if (!lcs_strings(c, &l) || !lcs_options(c, &l) || !lcs_alloc(c, &l))
        return;
    lcs_fill(&l);
    if (!l.len_only)
        lcs_walk_back(&l);
    lcs_reply(c, &l);
    lcs_free(&l);
}
