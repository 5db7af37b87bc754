/* DUMP and RESTORE: a value as bytes, and a value of such bytes.
 *
 * A series is encoded, or checked and decoded, within the one call, some 20 ns a point: DUMP_POINTS_MAX
 * and proto-max-bulk-len bound it. What its rules are is not in the bytes: those belong to the key. */
#include "shards/commands/dump_payload.h"
#include "shards/commands/handlers.h"
#include "shards/engine/core.h"
#include "shards/engine/keyspace.h"

#define ERR_BUSYKEY "BUSYKEY Target key name already exists."
#define RESTORE_TAKES "RESTORE takes strings, and series from DUMP of a Pinstripe"

/* --- DUMP ------------------------------------------------------------------------------------- */

static void
dump_string(struct ctx *c, struct slice value)
{
    uint64_t bytes = dump_string_bytes(value);
    size_t from;

    buf_printf(c->out, "$%llu\r\n", (unsigned long long)bytes);
    from = c->out->n;
    dump_write_string(c->out, value);
    ASSERT(c->out->n - from == bytes);
    buf_append_lit(c->out, "\r\n");
}

struct dumping {
    struct buf bytes;
    uint64_t points, bytes_max;
};

static int
dump_block(void *arg, uint8_t type, const struct samples *points, struct slice block)
{
    struct dumping *d = arg;

    d->points += points->n;
    if (d->points > DUMP_POINTS_MAX)
        return -E2BIG;
    dump_series_block(&d->bytes, type, block);
    return d->bytes.n > d->bytes_max ? -EFBIG : 0;
}

static void
reply_series(struct ctx *c, const struct dumping *d, int rc)
{
    if (rc == -E2BIG)
        resp_errorf(c->out, "ERR DUMP: the series has more than %d points", DUMP_POINTS_MAX);
    else if (rc == -EFBIG || (rc == 0 && d->bytes.n > d->bytes_max))
        resp_errorf(c->out, "ERR DUMP: the series takes more than %llu bytes (proto-max-bulk-len)",
                    (unsigned long long)d->bytes_max);
    else if (rc < 0)
        ctx_error(c, "ERR DUMP: stored blocks of the series cannot be read");
    else
        resp_bulk(c->out, (struct slice){d->bytes.p, d->bytes.n});
}

static void
dump_series(struct ctx *c, struct key *k, struct entry *e)
{
    struct dumping d = {.bytes_max = c->core->config.proto_max_bulk_len};
    struct series_meta meta;
    int rc;

    key_series_meta(c, k, e, &meta);
    meta.rules_n = 0;
    meta.has_source = false;
    dump_series_begin(&d.bytes, &meta);
    rc = key_each_block(k, entry_series(e), dump_block, &d);
    if (rc == 0)
        dump_series_end(&d.bytes, 0);
    reply_series(c, &d, rc);
    buf_fini(&d.bytes);
}

void
cmd_dump(struct ctx *c)
{
    struct key k = key_open(c, c->argv[1]);
    struct entry *e = head_find(k.head, k.hash, k.name);

    if (e && !(e->flags & ENTRY_TOMBSTONE) && !key_copy_ready(c, &k, e))
        return;
    if (c->probe)
        return;
    e = key_find(c, &k);
    if (e == NULL)
        resp_null(c->out, c->proto);
    else if (e->type == ENTRY_STRING)
        dump_string(c, entry_string(e));
    else
        dump_series(c, &k, e);
}

/* --- RESTORE ---------------------------------------------------------------------------------- */

struct restore {
    int64_t ttl, idle_s; /* -1 = not said */
    bool replace, absttl, freq;
};

static bool
restore_number(struct ctx *c, uint32_t i, int64_t max, const char *refusal, int64_t *ret)
{
    if (!ctx_int(c, i, ret))
        return false;
    if (*ret >= 0 && *ret <= max)
        return true;
    ctx_error(c, refusal);
    return false;
}

static bool
restore_options(struct ctx *c, struct restore *r)
{
    int64_t freq;

    for (uint32_t i = 4; i < c->argc; i++) {
        bool more = i + 1 < c->argc;

        if (slice_is(c->argv[i], "replace")) {
            r->replace = true;
        } else if (slice_is(c->argv[i], "absttl")) {
            r->absttl = true;
        } else if (slice_is(c->argv[i], "idletime") && more && !r->freq) {
            if (!restore_number(c, ++i, INT64_MAX, "ERR Invalid IDLETIME value, must be >= 0",
                                &r->idle_s))
                return false;
        } else if (slice_is(c->argv[i], "freq") && more && r->idle_s < 0) {
            r->freq = true;
            if (!restore_number(c, ++i, 255, "ERR Invalid FREQ value, must be >= 0 and <= 255",
                                &freq))
                return false;
        } else {
            ctx_error(c, ERR_SYNTAX);
            return false;
        }
    }
    return true;
}

static void
restore_refuse(struct ctx *c, enum dump_error e, const struct dump *d)
{
    switch (e) {
    case DUMP_SUM:
        ctx_error(c, "ERR DUMP payload version or checksum are wrong");
        break;
    case DUMP_TYPE:
        resp_errorf(c->out, "ERR Bad data format: a value of RDB type %u. " RESTORE_TAKES, d->type);
        break;
    case DUMP_MODULE:
        resp_errorf(c->out, "ERR Bad data format: a value of the module type %s. " RESTORE_TAKES,
                    d->module);
        break;
    case DUMP_LONG:
        ctx_error(c, ERR_STRING_TOO_LONG);
        break;
    case DUMP_POINTS:
        resp_errorf(c->out, "ERR RESTORE: a series of more than %d points", DUMP_POINTS_MAX);
        break;
    case DUMP_DAMAGED:
    case DUMP_OK:
        ctx_error(c, "ERR Bad data format");
        break;
    }
}

static void
make_series(struct ctx *c, struct key *k, struct dump *d)
{
    struct entry *e = key_create_series(c, k, &d->meta);
    struct samples points;
    struct slice block;
    uint8_t type;

    while (dump_next_block(d, &type, &block)) {
        int rc = block_decode_samples(block, &points);
        bool all = rc == 0 && key_add_block(c, k, e, type, &points, block);

        ASSERT(all); /* dump_parse decoded it before, and counted equal times */
        samples_fini(&points);
    }
}

/* The key is what the payload says, until `expire_ms` (0 = for ever). */
static void
restore_value(struct ctx *c, struct key *k, struct entry *old, struct dump *d,
              const struct restore *r, int64_t expire_ms)
{
    struct entry *e;

    if (d->kind == DUMP_STRING) {
        key_set_string(c, k, d->string, expire_ms);
    } else {
        if (old)
            key_delete(c, k, old);
        make_series(c, k, d);
        if (expire_ms)
            key_set_expire(c, k, key_peek(c, k), expire_ms);
    }
    e = key_peek(c, k);
    if (e && r->idle_s >= 0)
        e->access_s = (uint32_t)MAX((int64_t)k->sh->now_s - r->idle_s, 0);
    resp_ok(c->out);
}

/* When it expires; false: refused. */
static bool
restore_expiry(struct ctx *c, const struct restore *r, int64_t *ret_ms)
{
    *ret_ms = r->ttl;
    if (r->ttl == 0 || r->absttl)
        return true;
    if (!__builtin_add_overflow(r->ttl, ctx_now_ms(c), ret_ms))
        return true;
    resp_errorf(c->out, "ERR invalid expire time in '%s' command", c->cmd->name);
    return false;
}

void
cmd_restore(struct ctx *c)
{
    struct restore r = {.idle_s = -1};
    struct key k = key_open(c, c->argv[1]);
    struct entry *old;
    struct dump d;
    enum dump_error e;
    int64_t expire_ms;

    if (!restore_options(c, &r))
        return;
    old = key_peek(c, &k);
    if (old && !r.replace) {
        ctx_error(c, ERR_BUSYKEY);
        return;
    }
    if (!restore_number(c, 2, INT64_MAX, "ERR Invalid TTL value, must be >= 0", &r.ttl))
        return;
    e = dump_parse(c->argv[3], c->core->config.proto_max_bulk_len, &d);
    if (e != DUMP_OK) {
        restore_refuse(c, e, &d);
        return;
    }
    if (restore_expiry(c, &r, &expire_ms)) {
        if (expire_ms && expire_ms <= ctx_now_ms(c)) {
            if (old)
                key_delete(c, &k, old);
            resp_ok(c->out);
        } else {
            restore_value(c, &k, old, &d, &r, expire_ms);
        }
    }
    dump_fini(&d);
}
