/* A journal record of any bytes. It is refused, or what is handed out lies within it and, written
 * again, is read as the same. */
#include "shards/engine/record.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void
check_inside(struct slice part, struct slice whole)
{
    ASSERT(part.n == 0 || (part.p >= whole.p && part.n <= (size_t)(whole.p + whole.n - part.p)));
}

static void
write_group(struct journal *j, const struct record *r)
{
    uint16_t shards[RECORD_GROUP_MAX];
    uint64_t lsns[RECORD_GROUP_MAX];

    for (uint32_t i = 0; i < r->parts_n; i++)
        record_group_part(r, i, &shards[i], &lsns[i]);
    record_group(j, shards, lsns, r->parts_n);
}

static void
write_again(struct journal *j, const struct record *r)
{
    switch (r->op) {
    case RECORD_SET:
        record_set(j, r->db, r->key, r->expire_ms, r->bytes);
        break;
    case RECORD_DEL:
        record_del(j, r->db, r->key);
        break;
    case RECORD_EXPIRE:
        record_expire(j, r->db, r->key, r->expire_ms);
        break;
    case RECORD_PATCH:
        record_patch(j, r->db, r->key, r->offset, r->bytes);
        break;
    case RECORD_POINT:
        record_point(j, r->db, r->key, r->type, r->ts, r->value, r->quality, r->policy);
        break;
    case RECORD_DELETE:
        record_delete(j, r->db, r->key, r->type, r->ts, r->to);
        break;
    case RECORD_BLOCK:
        record_block(j, r->db, r->key, r->type, r->bytes);
        break;
    case RECORD_SERIES_META:
        record_series_meta(j, r->db, r->key, r->bytes);
        break;
    case RECORD_FLUSH:
        record_flush(j, r->db);
        break;
    case RECORD_GROUP:
        write_group(j, r);
        break;
    default:
        ASSERT(!"an operation nobody knows was taken for a record");
    }
}

/* The only record of the open batch, behind its length. */
static struct slice
appended(const struct journal *j)
{
    const char *p = j->open.p;

    while (*p++ & 0x80)
        ;
    return (struct slice){p, (size_t)(j->open.p + j->open.n - p)};
}

static void
check_same(const struct record *a, const struct record *b)
{
    ASSERT(a->op == b->op && a->expire_ms == b->expire_ms && a->offset == b->offset);
    ASSERT(a->db == b->db || a->op == RECORD_GROUP); /* a group has no database */
    ASSERT(slice_equal(a->key, b->key) && slice_equal(a->bytes, b->bytes));
    ASSERT(a->type == b->type && a->quality == b->quality && a->policy == b->policy);
    ASSERT(a->ts == b->ts && a->to == b->to && memcmp(&a->value, &b->value, sizeof(a->value)) == 0);
    ASSERT(a->parts_n == b->parts_n);
    ASSERT(a->parts_n == 0 || memcmp(a->parts, b->parts, a->parts_n * 10u) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct slice input = {(const char *)data, n};
    struct journal j = {0};
    struct record r, again;

    if (!record_parse(input, &r))
        return 0;
    check_inside(r.key, input);
    check_inside(r.bytes, input);
    check_inside((struct slice){r.parts, r.parts_n * 10u}, input);
    write_again(&j, &r);
    ASSERT(record_parse(appended(&j), &again));
    check_same(&r, &again);
    buf_fini(&j.open);
    return 0;
}
