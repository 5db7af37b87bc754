/* What stands before version and checksum of a DUMP payload, any bytes: refused, or a value that lies
 * within its limits and, dumped again, is read as the same. The bytes as a whole payload, too. */
#include "shards/commands/dump_payload.h"
#include "shards/series/block.h"

#include <stdlib.h>

#define STRING_MAX 100000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void
check_string(const struct dump *d)
{
    struct buf out = {0};
    struct dump again;

    ASSERT(d->string.n <= STRING_MAX);
    dump_write_string(&out, d->string);
    ASSERT(out.n == dump_string_bytes(d->string));
    ASSERT(dump_parse((struct slice){out.p, out.n}, STRING_MAX, &again) == DUMP_OK);
    ASSERT(again.kind == DUMP_STRING && slice_equal(again.string, d->string));
    dump_fini(&again);
    buf_fini(&out);
}

static void
check_series(struct dump *d)
{
    struct buf out = {0};
    struct slice block;
    struct dump again;
    uint64_t points = 0;
    uint8_t type;

    dump_series_begin(&out, &d->meta);
    while (dump_next_block(d, &type, &block)) {
        struct samples s;

        ASSERT(block_decode_samples(block, &s) == 0);
        points += s.n;
        samples_fini(&s);
        dump_series_block(&out, type, block);
    }
    dump_series_end(&out, 0);
    ASSERT(points == d->points && points <= DUMP_POINTS_MAX);
    ASSERT(dump_parse((struct slice){out.p, out.n}, STRING_MAX, &again) == DUMP_OK);
    ASSERT(again.points == points && series_meta_equal(&again.meta, &d->meta));
    dump_fini(&again);
    buf_fini(&out);
}

static void
check(struct slice payload)
{
    char *exact = malloc(payload.n + !payload.n);
    struct dump d;

    ASSERT(exact);
    if (payload.n)
        memcpy(exact, payload.p, payload.n); /* at its very length, so that a read past it is seen */
    if (dump_parse((struct slice){exact, payload.n}, STRING_MAX, &d) == DUMP_OK) {
        if (d.kind == DUMP_STRING)
            check_string(&d);
        else
            check_series(&d);
        dump_fini(&d);
    }
    free(exact);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct buf payload = {0};

    check((struct slice){(const char *)data, n});
    buf_append(&payload, data, n);
    dump_write_footer(&payload, 0);
    check((struct slice){payload.p, payload.n});
    buf_fini(&payload);
    return 0;
}
