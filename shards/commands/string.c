/* Strings as a whole: reading, replacing, appending, several at once. SET and its relatives with
 * options are in string_set.c, numbers in string_number.c, parts of strings in string_range.c. */
#include "shards/commands/handlers.h"
#include "shards/commands/string_priv.h"
#include "shards/engine/core.h"

#include <stdlib.h>

bool
string_length_ok(struct ctx *c, uint64_t at, uint64_t more)
{
    uint64_t total;

    if (!__builtin_add_overflow(at, more, &total) && total <= c->core->config.proto_max_bulk_len)
        return true;
    ctx_error(c, ERR_STRING_TOO_LONG);
    return false;
}

/* --- long replies ------------------------------------------------------------------------------ */

struct string_source {
    struct buf_source source;
    struct blob *blob;
    struct slice left;
};

static bool
string_source_fill(struct buf_source *source, struct buf *out, size_t want)
{
    struct string_source *s = container_of(source, struct string_source, source);
    size_t n = MIN(want, s->left.n);

    buf_append(out, s->left.p, n);
    s->left = (struct slice){s->left.p + n, s->left.n - n};
    return s->left.n > 0;
}

static void
string_source_destroy(struct buf_source *source)
{
    struct string_source *s = container_of(source, struct string_source, source);

    blob_put(&s->blob);
    free(s);
}

void
string_reply(struct ctx *c, const struct entry *e)
{
    struct slice value = entry_string(e);
    struct blob *b = value.n < STRING_PIECES_BYTES_MIN ? NULL : entry_blob(e);
    struct string_source *s;

    if (likely(b == NULL)) {
        resp_bulk(c->out, value);
        return;
    }
    s = malloc(sizeof(*s));
    ASSERT(s);
    *s = (struct string_source){.source = {.fill = string_source_fill,
                                           .destroy = string_source_destroy,
                                           .bytes = b->bytes},
                                .blob = blob_get(b),
                                .left = value};
    buf_printf(c->out, "$%zu\r\n", value.n);
    buf_put_source(c->out, &s->source);
    buf_append_lit(c->out, "\r\n");
}

/* --- whole strings ----------------------------------------------------------------------------- */

bool
string_reply_value(struct ctx *c, struct key *k, struct entry **ret_e)
{
    bool ok;
    struct entry *e = key_find_type(c, k, ENTRY_STRING, &ok);

    if (unlikely(!ok))
        return false;
    if (e)
        string_reply(c, e);
    else
        resp_null(c->out, c->proto);
    *ret_e = e;
    return true;
}

void
cmd_get(struct ctx *c)
{
    struct key k = key_open(c, c->argv[1]);
    struct entry *e;

    string_reply_value(c, &k, &e);
}

void
cmd_getset(struct ctx *c)
{
    struct key k = key_open(c, c->argv[1]);
    struct entry *e;

    if (string_reply_value(c, &k, &e))
        key_set_string(c, &k, c->argv[2], 0);
}

void
cmd_getdel(struct ctx *c)
{
    struct key k = key_open(c, c->argv[1]);
    struct entry *e;

    if (string_reply_value(c, &k, &e) && e)
        key_delete(c, &k, e);
}

void
cmd_strlen(struct ctx *c)
{
    struct key k = key_open(c, c->argv[1]);
    bool ok;
    struct entry *e = key_find_type(c, &k, ENTRY_STRING, &ok);

    if (ok)
        resp_int(c->out, e ? (int64_t)entry_string(e).n : 0);
}

void
cmd_append(struct ctx *c)
{
    struct key k = key_open(c, c->argv[1]);
    struct slice more = c->argv[2];
    bool ok;
    struct entry *e = key_find_type(c, &k, ENTRY_STRING, &ok);
    uint64_t len;

    if (!ok)
        return;
    if (e == NULL) {
        key_set_string(c, &k, more, 0);
        resp_int(c->out, (int64_t)more.n);
        return;
    }
    len = entry_string(e).n;
    if (!string_length_ok(c, len, more.n) || !key_patch_ready(c, &k, e, len, more.n))
        return;
    if (more.n) {
        key_patch_string(c, &k, len, more);
    } else { /* as in Redis, although nothing changes */
        shard_key_touched(k.sh, k.db, k.name);
        e->form = STRING_CHANGED;
    }
    resp_int(c->out, (int64_t)(len + more.n));
}

void
cmd_mget(struct ctx *c)
{
    resp_array(c->out, c->argc - 1);
    for (uint32_t i = 1; i < c->argc; i++) {
        struct key k = key_open(c, c->argv[i]);
        struct entry *e = key_find(c, &k);

        if (e && e->type == ENTRY_STRING)
            string_reply(c, e);
        else
            resp_null(c->out, c->proto);
    }
}

/* Keys and values come in pairs after the name. */
static bool
pairs_ok(struct ctx *c)
{
    if (c->argc % 2 == 1)
        return true;
    resp_errorf(c->out, "ERR wrong number of arguments for '%s' command", c->cmd->name);
    return false;
}

static void
set_pairs(struct ctx *c)
{
    for (uint32_t i = 1; i < c->argc; i += 2) {
        struct key k = key_open(c, c->argv[i]);

        key_set_string(c, &k, c->argv[i + 1], 0);
    }
}

void
cmd_mset(struct ctx *c)
{
    if (!pairs_ok(c))
        return;
    set_pairs(c);
    resp_ok(c->out);
}

void
cmd_msetnx(struct ctx *c)
{
    if (!pairs_ok(c))
        return;
    for (uint32_t i = 1; i < c->argc; i += 2) {
        struct key k = key_open(c, c->argv[i]);

        if (key_peek(c, &k)) {
            resp_int(c->out, 0);
            return;
        }
    }
    set_pairs(c);
    resp_int(c->out, 1);
}
