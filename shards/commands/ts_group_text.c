#include "shards/commands/ts_group_text.h"

#include <inttypes.h>

#define PIECE_BYTES (16 * KIB)
#define HEAD_BYTES_MAX 64 /* of an array or map, and a string or two in it, with line ends */
#define KEY_HEAD_BYTES_MAX 10 /* "$65535" and two line ends */

/* --- labels ------------------------------------------------------------------------------------ */

enum group_label {
    LABEL_GROUP,
    LABEL_REDUCER,
    LABEL_KEYS,
    LABEL_NONE, /* the group has no such label */
};

/* Labels that a group has. */
static uint32_t
labels_had(int proto)
{
    return proto < 3 ? LABEL_NONE : LABEL_REDUCER;
}

static struct slice
name_of(const struct ts_multi *m, enum group_label l)
{
    return l == LABEL_GROUP ? m->group_by : l == LABEL_REDUCER ? SLICE("__reducer__") : SLICE("__source__");
}

static uint32_t
labels_shown(const struct ts_multi *m, int proto)
{
    return m->with == TS_LABELS_ALL ? labels_had(proto) : m->selected_n;
}

/* Label number i of those shown. */
static enum group_label
label_at(const struct ts_multi *m, int proto, uint32_t i, struct slice *ret_name)
{
    uint32_t l = 0, have = labels_had(proto);

    if (m->with == TS_LABELS_ALL) {
        *ret_name = name_of(m, i);
        return i;
    }
    *ret_name = m->selected[i];
    while (l < have && !slice_equal(name_of(m, l), *ret_name))
        l++;
    return l < have ? l : LABEL_NONE;
}

/* Of all but the keys. */
static struct slice
value_of(const struct group_text *x, const struct ts_multi *m, enum group_label l)
{
    if (l == LABEL_GROUP)
        return ts_item_group(x->members->page, x->members->item);
    return l == LABEL_REDUCER ? slice_of(aggregate_name(m->reducer, false)) : (struct slice){0};
}

/* --- how long it becomes ------------------------------------------------------------------------ */

static uint64_t
joined_bytes(const struct group_text *x)
{
    return x->keys_bytes + x->n - 1;
}

uint64_t
group_text_bytes(const struct group_text *x, const struct ts_multi *m, int proto)
{
    uint64_t n = m->group_by.n + 1 + value_of(x, m, LABEL_GROUP).n + 2 * HEAD_BYTES_MAX;

    for (uint32_t i = 0; i < labels_shown(m, proto); i++) {
        struct slice name;
        enum group_label l = label_at(m, proto, i, &name);

        n += HEAD_BYTES_MAX + name.n + (l == LABEL_KEYS ? joined_bytes(x) : value_of(x, m, l).n);
    }
    if (proto >= 3)
        n += 2 * HEAD_BYTES_MAX + x->keys_bytes + (uint64_t)x->n * KEY_HEAD_BYTES_MAX;
    return n;
}

/* --- writing ------------------------------------------------------------------------------------ */

static void
end_keys(struct group_text *x)
{
    x->in_keys = false;
    x->label++;
}

static void
put_key(struct group_text *x, int proto, struct buf *out)
{
    struct slice key = ts_item_key(x->members[x->member].page, x->members[x->member].item);

    x->member++;
    if (proto >= 3) {
        resp_bulk(out, key);
    } else {
        buf_append(out, key.p, key.n);
        buf_append(out, x->member == x->n ? "\r\n" : ",", x->member == x->n ? 2 : 1);
    }
    if (x->member == x->n)
        end_keys(x);
}

static void
begin_keys(struct group_text *x)
{
    x->in_keys = true;
    x->member = 0;
}

static void
put_label(struct group_text *x, const struct ts_multi *m, int proto, struct buf *out)
{
    struct slice name;
    enum group_label l = label_at(m, proto, x->label, &name);

    if (l == LABEL_KEYS) { /* RESP2 only */
        resp_array(out, 2);
        resp_bulk(out, name);
        buf_printf(out, "$%" PRIu64 "\r\n", joined_bytes(x));
        begin_keys(x);
    } else {
        ts_put_label(out, proto, name, value_of(x, m, l));
        x->label++;
    }
}

/* RESP3: the reducer, and the head of the keys. */
static void
put_origin(struct group_text *x, const struct ts_multi *m, struct buf *out)
{
    resp_map(out, 3, 1);
    resp_bulk(out, SLICE("reducers"));
    resp_array(out, 1);
    resp_bulk(out, slice_of(aggregate_name(m->reducer, false)));
    resp_map(out, 3, 1);
    resp_bulk(out, SLICE("sources"));
    resp_array(out, x->n);
    begin_keys(x);
}

bool
group_text_step(struct group_text *x, const struct ts_multi *m, int proto, struct buf *out)
{
    size_t stop = out->n + PIECE_BYTES;
    uint32_t labels = labels_shown(m, proto);

    if (!x->begun)
        ts_put_labels_head(out, proto, labels);
    x->begun = true;
    while (out->n < stop) {
        if (x->in_keys)
            put_key(x, proto, out);
        else if (x->label < labels)
            put_label(x, m, proto, out);
        else if (x->label == labels && proto >= 3)
            put_origin(x, m, out);
        else
            return true;
    }
    return false;
}
