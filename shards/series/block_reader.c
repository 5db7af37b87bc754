/* Decoding of blocks, a vector of points at a time. */
#include "shards/series/block_priv.h"

#include <stdlib.h>

static_assert(BLOCK_VECTOR == INT_VECTOR, "columns deliver the vectors that a block does");

struct block_reader {
    struct block_info info;
    unsigned columns;
    uint32_t at; /* points delivered */
    struct time_decoder time;
    struct value_decoder value;
    struct quality_decoder quality;
};

struct block_reader *
block_reader_create(void)
{
    struct block_reader *r = malloc(sizeof(*r));

    ASSERT(r);
    return r;
}

void
block_reader_destroy(struct block_reader **r)
{
    free(*r);
    *r = NULL;
}

bool
block_reader_open(struct block_reader *r, struct slice block, unsigned columns)
{
    struct block_slices s;

    r->columns = columns;
    r->at = 0;
    if (!block_columns_find(block, &r->info, &s))
        return false;
    if (columns & BLOCK_TIMES && !time_decoder_open(&r->time, s.time, r->info.first_ts))
        return false;
    if (columns & BLOCK_VALUES &&
        !value_decoder_open(&r->value, s.value, r->info.count, r->info.first))
        return false;
    return !(columns & BLOCK_QUALITIES) || quality_decoder_open(&r->quality, s.quality);
}

/* --- does it fit together? -------------------------------------------------------------------- */

static bool
times_fit(const struct block_reader *r, const struct block_vector *v)
{
    if (r->at == 0 && v->ts[0] != r->info.first_ts)
        return false;
    return r->at + v->n < r->info.count ||
           (v->ts[v->n - 1] == r->info.last_ts && time_decoder_done(&r->time));
}

static bool
values_fit(const struct block_reader *r, const struct block_vector *v)
{
    if (r->at == 0 && double_bits(v->value[0]) != double_bits(r->info.first))
        return false;
    return r->at + v->n < r->info.count ||
           (double_bits(v->value[v->n - 1]) == double_bits(r->info.last) &&
            value_decoder_done(&r->value));
}

static bool
qualities_fit(const struct block_reader *r, const struct block_vector *v)
{
    return r->at + v->n < r->info.count || quality_decoder_done(&r->quality);
}

/* Entropy coded times and values are begun together, which takes much less time than one after the
 * other. */
static void
begin_together(struct block_reader *r, uint32_t n)
{
    struct int_decoder *ints = value_decoder_ints(&r->value);
    struct entropy_decoder *times = int_decoder_entropy(&r->time.ints);
    struct entropy_decoder *values = ints ? int_decoder_entropy(ints) : NULL;

    if (times && values)
        entropy_decoders_ahead(times, values, n);
}

int
block_reader_next(struct block_reader *r, struct block_vector *ret)
{
    uint32_t n = MIN(r->info.count - r->at, (uint32_t)BLOCK_VECTOR);

    if (n == 0)
        return 0;
    ret->n = n;
    if (r->columns & BLOCK_TIMES && r->columns & BLOCK_VALUES)
        begin_together(r, n);
    if (r->columns & BLOCK_TIMES &&
        (!time_decoder_next(&r->time, ret->ts, n) || !times_fit(r, ret)))
        return -EBADMSG;
    if (r->columns & BLOCK_VALUES &&
        (!value_decoder_next(&r->value, ret->value, n) || !values_fit(r, ret)))
        return -EBADMSG;
    if (r->columns & BLOCK_QUALITIES &&
        (!quality_decoder_next(&r->quality, ret->quality, n) || !qualities_fit(r, ret)))
        return -EBADMSG;
    r->at += n;
    return 1;
}

/* Qualities are checked even when nobody wants them: a block is good or it is not. */
bool
block_decode(struct slice block, struct sample *ret_points, uint8_t *ret_quality)
{
    struct block_reader r;
    struct block_vector v;
    uint32_t at = 0;
    int rc;

    if (!block_reader_open(&r, block, BLOCK_TIMES | BLOCK_VALUES | BLOCK_QUALITIES))
        return false;
    while ((rc = block_reader_next(&r, &v)) == 1) {
        codec_kernels->join(v.ts, v.value, v.n, ret_points + at);
        if (ret_quality)
            memcpy(ret_quality + at, v.quality, v.n);
        at += v.n;
    }
    return rc == 0;
}

int
block_decode_samples(struct slice block, struct samples *ret)
{
    struct samples s = {0};
    struct block_info info;

    if (!block_read_info(block, &info))
        return -EBADMSG;
    s = (struct samples){malloc(info.count * sizeof(*s.p)), malloc(info.count), info.count};
    ASSERT(s.p && s.quality);
    if (!block_decode(block, s.p, s.quality)) {
        samples_fini(&s);
        return -EBADMSG;
    }
    *ret = s;
    return 0;
}

void
samples_fini(struct samples *s)
{
    free(s->p);
    free(s->quality);
    *s = (struct samples){0};
}
