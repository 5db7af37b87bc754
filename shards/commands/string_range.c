/* Parts of strings. */
#include "shards/commands/handlers.h"
#include "shards/commands/string_priv.h"

void
cmd_setrange(struct ctx *c)
{
    struct key k = key_open(c, c->argv[1]);
    struct slice bytes = c->argv[3];
    struct entry *e;
    int64_t offset;
    uint64_t len;
    bool ok;

    if (!ctx_int(c, 2, &offset))
        return;
    if (offset < 0) {
        ctx_error(c, "ERR offset is out of range");
        return;
    }
    e = key_find_type(c, &k, ENTRY_STRING, &ok);
    if (!ok)
        return;
    len = e ? entry_string(e).n : 0;
    if (bytes.n == 0) { /* changes nothing and makes no key, however far the offset */
        resp_int(c->out, (int64_t)len);
        return;
    }
    if (!string_length_ok(c, (uint64_t)offset, bytes.n) ||
        !key_patch_ready(c, &k, e, (uint64_t)offset, bytes.n))
        return;
    e = key_patch_string(c, &k, (uint64_t)offset, bytes);
    resp_int(c->out, (int64_t)entry_string(e).n);
}

/* The part from start to end, both included, negative ones counted from the end of the string. */
static struct slice
slice_range(struct slice s, int64_t start, int64_t end)
{
    int64_t len = (int64_t)s.n;

    if (start < 0 && end < 0 && start > end)
        return SLICE("");
    if (start < 0)
        start = MAX(start + len, 0);
    if (end < 0)
        end = MAX(end + len, 0);
    end = MIN(end, len - 1);
    if (start > end)
        return SLICE("");
    return (struct slice){s.p + start, (size_t)(end - start + 1)};
}

void
cmd_getrange(struct ctx *c)
{
    struct key k = key_open(c, c->argv[1]);
    struct entry *e;
    int64_t start, end;
    bool ok;

    if (!ctx_int(c, 2, &start) || !ctx_int(c, 3, &end))
        return;
    e = key_find_type(c, &k, ENTRY_STRING, &ok);
    if (ok)
        resp_bulk(c->out, e ? slice_range(entry_string(e), start, end) : SLICE(""));
}
