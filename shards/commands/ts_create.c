/* TS.CREATE, TS.ALTER, and the options that every command takes which may create a series. */
#include "shards/commands/handlers.h"
#include "shards/commands/ts.h"
#include "shards/engine/core.h"

#include <math.h>

#define ERR_TS_PARSE(what) "ERR TSDB: Couldn't parse " what

/* --- options ---------------------------------------------------------------------------------- */

void
ts_default_meta(const struct ctx *c, struct series_meta *ret_m)
{
    const struct config *config = &c->core->config;

    *ret_m = series_meta_default;
    ret_m->retention = (int64_t)config->ts_retention_policy;
    ret_m->chunk_bytes = (uint32_t)config->ts_chunk_size_bytes;
    ret_m->uncompressed = config->ts_encoding == CONFIG_TS_UNCOMPRESSED;
    ret_m->ignore_time = (int64_t)config->ts_ignore_max_time_diff;
    ret_m->ignore_value = config->ts_ignore_max_val_diff;
}

static bool
refuse(struct ctx *c, const char *error)
{
    ctx_error(c, error);
    return false;
}

#define ERR_TS_LABEL_LONG "ERR TSDB: a label's name or value is longer than 65000 bytes"
static_assert(SERIES_LABEL_BYTES_MAX == 65000, "the error says so");

/* In a label's value these would be read as a list of values by a filter. */
static bool
is_label_value(struct slice s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] == '(' || s.p[i] == ')' || s.p[i] == ',')
            return false;
    return s.n > 0;
}

/* Everything behind LABELS, two by two. */
static bool
parse_labels(struct ctx *c, uint32_t from, struct series_meta *m)
{
    uint32_t at = ts_option(c, from, "labels"), n = at ? (c->argc - at - 1) / 2 : 0;
    struct series_label *labels;

    if (at == 0)
        return true;
    if (n > SERIES_LABELS_MAX) {
        resp_errorf(c->out, "ERR TSDB: a series can have at most %d labels", SERIES_LABELS_MAX);
        return false;
    }
    labels = scratch_alloc(&c->core->scratch, (n + 1) * sizeof(*labels));
    for (uint32_t i = 0; i < n; i++) {
        labels[i] = (struct series_label){c->argv[at + 1 + 2 * i], c->argv[at + 2 + 2 * i]};
        if (labels[i].name.n == 0 || !is_label_value(labels[i].value))
            return refuse(c, ERR_TS_PARSE("LABELS"));
        if (labels[i].name.n > SERIES_LABEL_BYTES_MAX || labels[i].value.n > SERIES_LABEL_BYTES_MAX)
            return refuse(c, ERR_TS_LABEL_LONG);
    }
    m->labels = labels;
    m->labels_n = n;
    return true;
}

static bool
parse_retention(struct ctx *c, uint32_t from, struct series_meta *m)
{
    uint32_t at = ts_option(c, from, "retention");
    int64_t v;

    if (at == 0)
        return true;
    if (at + 1 >= c->argc || !parse_int(c->argv[at + 1], &v))
        return refuse(c, ERR_TS_PARSE("RETENTION"));
    if (v < 0)
        return refuse(c, "TSDB: Couldn't parse RETENTION");
    m->retention = v;
    return true;
}

static bool
parse_chunk_size(struct ctx *c, uint32_t from, struct series_meta *m)
{
    uint32_t at = ts_option(c, from, "chunk_size");
    int64_t v;

    if (at == 0)
        return true;
    if (at + 1 >= c->argc || !parse_int(c->argv[at + 1], &v))
        return refuse(c, ERR_TS_PARSE("CHUNK_SIZE"));
    if (v < SERIES_CHUNK_BYTES_MIN || v > SERIES_CHUNK_BYTES_MAX || v % 8 != 0)
        return refuse(c, "ERR TSDB: CHUNK_SIZE value must be a multiple of 8 in the range "
                         "[48 .. 1048576]");
    m->chunk_bytes = (uint32_t)v;
    return true;
}

static bool
parse_encoding(struct ctx *c, uint32_t from, struct series_meta *m)
{
    uint32_t at = ts_option(c, from, "encoding");

    if (ts_option(c, from, "uncompressed"))
        m->uncompressed = true;
    if (at == 0)
        return true;
    if (at + 1 < c->argc && slice_is(c->argv[at + 1], "uncompressed"))
        m->uncompressed = true;
    else if (at + 1 < c->argc && slice_is(c->argv[at + 1], "compressed"))
        m->uncompressed = false;
    else
        return refuse(c, "ERR TSDB: unknown ENCODING parameter");
    return true;
}

static bool
parse_duplicate_policy(struct ctx *c, uint32_t from, struct series_meta *m)
{
    uint32_t at = ts_option(c, from, "duplicate_policy");

    if (at == 0)
        return true;
    if (at + 1 >= c->argc)
        return refuse(c, ERR_TS_PARSE("DUPLICATE_POLICY"));
    return ts_parse_policy(c, c->argv[at + 1], &m->policy) ||
           refuse(c, "ERR TSDB: Unknown DUPLICATE_POLICY");
}

static bool
parse_ignore(struct ctx *c, uint32_t from, struct series_meta *m)
{
    uint32_t at = ts_option(c, from, "ignore");
    int64_t time;
    double value;

    if (at == 0)
        return true;
    if (at + 2 >= c->argc || !parse_int(c->argv[at + 1], &time) ||
        !parse_double(c->argv[at + 2], &value) || !isfinite(value))
        return refuse(c, ERR_TS_PARSE("IGNORE"));
    if (time < 0 || value < 0)
        return refuse(c, "ERR TSDB: IGNORE arguments cannot be negative");
    m->ignore_time = time;
    m->ignore_value = value + 0.0; /* no -0: it is written as bits */
    return true;
}

/* Rules and source stand in it as well. */
static bool
fits(struct ctx *c, const struct series_meta *m)
{
    if (series_meta_size(m) <= SERIES_META_BYTES_MAX)
        return true;
    resp_errorf(c->out, "ERR TSDB: labels and rules of a series can take at most %d bytes",
                (int)SERIES_META_BYTES_MAX);
    return false;
}

bool
ts_parse_options(struct ctx *c, uint32_t from, struct series_meta *m)
{
    return parse_labels(c, from, m) && parse_retention(c, from, m) &&
           parse_chunk_size(c, from, m) && parse_encoding(c, from, m) &&
           parse_duplicate_policy(c, from, m) && parse_ignore(c, from, m) && fits(c, m);
}

/* --- commands --------------------------------------------------------------------------------- */

void
cmd_ts_create(struct ctx *c)
{
    struct key k = key_open(c, c->argv[1]);
    struct series_meta m;

    ts_default_meta(c, &m);
    if (!ts_parse_options(c, 2, &m))
        return;
    if (key_find(c, &k)) {
        ctx_error(c, ERR_TS_EXISTS);
        return;
    }
    key_create_series(c, &k, &m);
    resp_ok(c->out);
}

void
cmd_ts_alter(struct ctx *c)
{
    struct key k = key_open(c, c->argv[1]);
    struct series_meta m, old;
    struct entry *e = ts_find(c, &k);

    if (e == NULL)
        return;
    key_series_meta(c, &k, e, &old);
    m = old;
    if (!ts_parse_options(c, 2, &m))
        return;
    m.uncompressed = old.uncompressed;
    key_set_series_meta(c, &k, e, &m);
    resp_ok(c->out);
}
