/* Blocks and main rows from any bytes: decoding stays in bounds, times come out sorted, and what
 * decodes can be encoded again and comes back the same. */
#include "shards/series/block.h"
#include "shards/series/series_row.h"

#include <stdlib.h>

#define POINTS_MAX 20000 /* a few bytes may stand for millions: not again and again */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_again(const struct samples *in, enum block_effort effort)
{
    struct buf out = {0};
    struct sample *p = malloc(in->n * sizeof(*p));
    uint8_t *q = malloc(in->n);

    ASSERT(p && q);
    block_encode(in, effort, &out);
    ASSERT(block_decode((struct slice){out.p, out.n}, p, q));
    ASSERT(memcmp(p, in->p, in->n * sizeof(*p)) == 0);
    ASSERT(memcmp(q, in->quality, in->n) == 0);
    buf_fini(&out);
    free(p);
    free(q);
}

static void
decode_block(struct slice bytes)
{
    struct block_info info;
    struct samples s = {0};
    uint32_t i;

    if (!block_read_info(bytes, &info) || info.count > POINTS_MAX)
        return;
    s = (struct samples){malloc(info.count * sizeof(*s.p)), malloc(info.count), info.count};
    ASSERT(s.p && s.quality);
    if (block_decode(bytes, s.p, s.quality)) {
        for (i = 1; i < s.n; i++)
            ASSERT(s.p[i - 1].ts <= s.p[i].ts);
        ASSERT(s.p[0].ts == info.first_ts && s.p[s.n - 1].ts == info.last_ts);
        check_again(&s, BLOCK_QUICK);
        check_again(&s, BLOCK_SMALL);
    }
    free(s.p);
    free(s.quality);
}

static void
parse_row(struct slice bytes)
{
    static struct series_row_type types[SERIES_TYPES_MAX];
    struct row_head head;
    struct slice payload;
    uint32_t n;

    if (row_head_parse(bytes, &head, &payload) && series_row_parse(payload, types, &n))
        ASSERT(n <= SERIES_TYPES_MAX);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice bytes = {(const char *)data, size};

    decode_block(bytes);
    parse_row(bytes);
    return 0;
}
