/* The options that commands over many series have besides those of a range. As in RedisTimeSeries
 * each is looked for over the whole command. */
#include "shards/commands/ts_multi.h"

#include "shards/engine/core.h"

static bool
refuse(struct ctx *c, const char *error)
{
    ctx_error(c, error);
    return false;
}

static bool
wrong_arity(struct ctx *c)
{
    resp_errorf(c->out, "ERR wrong number of arguments for '%s' command", c->cmd->name);
    return false;
}

/* --- labels ----------------------------------------------------------------------------------- */

/* Does an option begin here, so that a list of labels ends? ALIGN does not end it, in RedisTimeSeries
 * neither. */
static bool
is_keyword(struct slice s)
{
    static const char *const words[] = {
        "latest", "filter_by_ts",    "filter_by_value", "withlabels", "selected_labels", "count",
        "filter", "buckettimestamp", "aggregation",     "empty",      "groupby",         "reduce",
        "excludeempty",
    };

    for (size_t i = 0; i < ARRAY_SIZE(words); i++)
        if (slice_is(s, words[i]))
            return true;
    return false;
}

static bool
parse_labels(struct ctx *c, struct ts_multi *m)
{
    uint32_t at = ts_option(c, 1, "selected_labels");

    if (ts_option(c, 1, "withlabels") != 0)
        m->with = TS_LABELS_ALL;
    if (at == 0)
        return true;
    m->selected = c->argv + at + 1;
    while (at + 1 + m->selected_n < c->argc && !is_keyword(m->selected[m->selected_n]))
        if (++m->selected_n > TS_SELECTED_LABELS_MAX)
            return refuse(c, "ERR TSDB: reached max size for SELECT_LABELS");
    if (m->selected_n == 0)
        return refuse(c, "ERR TSDB: SELECT_LABELS should have at least 1 parameter");
    if (m->with == TS_LABELS_ALL)
        return refuse(c, "ERR TSDB: cannot accept WITHLABELS and SELECT_LABELS together");
    m->with = TS_LABELS_SELECTED;
    return true;
}

/* --- FILTER, GROUPBY --------------------------------------------------------------------------- */

/* Where the filter's expressions end. Behind them EXCLUDEEMPTY is one more for RedisTimeSeries. */
static uint32_t
filter_end(struct ctx *c, uint32_t filter, uint32_t group)
{
    uint32_t end = group ? group : c->argc, i;

    if (c->core->config.ts_compat == CONFIG_TS_STRICT)
        return end;
    i = ts_option(c, filter + 1, "excludeempty");
    return i && i < end ? i : end;
}

/* The arguments from `from` to before `end`. */
static bool
parse_expressions(struct ctx *c, struct ts_multi *m, uint32_t from, uint32_t end)
{
    char err[LABEL_FILTER_ERROR_BYTES];

    if (label_filter_parse(c->argv + from, end - from,
                           c->core->config.ts_compat != CONFIG_TS_STRICT, &m->filter, err) < 0)
        return refuse(c, err);
    return true;
}

static bool
parse_filter(struct ctx *c, struct ts_multi *m, uint32_t group)
{
    uint32_t at = ts_option(c, 1, "filter"), end;

    if (at == 0)
        return refuse(c, "ERR TSDB: missing FILTER argument");
    if (group != 0 && group < at)
        return refuse(c, "ERR TSDB: GROUPBY should always come after filter");
    end = filter_end(c, at, group);
    if (end == at + 1)
        return refuse(c, "ERR TSDB: missing labels for filter argument");
    return parse_expressions(c, m, at + 1, end);
}

static bool
is_reducer(enum aggregate fn)
{
    return fn != AGGREGATE_FIRST && fn != AGGREGATE_LAST && fn != AGGREGATE_TWA &&
           !aggregate_is_extension(fn);
}

/* GROUPBY label REDUCE reducer, in the end. */
static bool
parse_group(struct ctx *c, struct ts_multi *m, uint32_t at)
{
    if (at == 0)
        return true;
    if (at + 3 >= c->argc || !slice_is(c->argv[at + 2], "reduce"))
        return wrong_arity(c);
    m->grouped = true;
    m->group_by = c->argv[at + 1];
    if (!aggregate_parse(c->argv[at + 3], &m->reducer) || !is_reducer(m->reducer))
        return refuse(c, "ERR TSDB: Invalid reducer type");
    if (m->r.columns_n && m->r.columns[0].n > 1)
        return refuse(c, "ERR TSDB: GROUPBY is not allowed when multiple aggregators are specified");
    if (m->exclude_empty)
        return refuse(c, "ERR TSDB: EXCLUDEEMPTY is not allowed with GROUPBY");
    return true;
}

/* LABELS | VALUES label [FILTER expr ...] */
static bool
parse_words(struct ctx *c, struct ts_multi *m)
{
    uint32_t at = 2;

    *m = (struct ts_multi){.is_list = true, .of = LABEL_SCAN_NAMES};
    if (slice_is(c->argv[1], "values")) {
        if (c->argc < 3)
            return wrong_arity(c);
        m->of = LABEL_SCAN_VALUES;
        m->name = c->argv[at++];
    } else if (!slice_is(c->argv[1], "labels")) {
        return refuse(c, "ERR TSDB: unknown subtype, must be one of LABELS|VALUES");
    }
    if (c->argc == at)
        return true;
    if (!slice_is(c->argv[at], "filter"))
        return refuse(c, "ERR TSDB: unknown argument, expected FILTER");
    if (c->argc == at + 1)
        return refuse(c, "ERR TSDB: FILTER given with no filter expressions");
    return parse_expressions(c, m, at + 1, c->argc);
}

bool
ts_multi_parse(struct ctx *c, struct ts_multi *m)
{
    bool reverse = strcmp(c->cmd->name, "ts.mrevrange") == 0;
    uint32_t group = 0;

    if (strcmp(c->cmd->name, "ts.querylabels") == 0)
        return parse_words(c, m);
    if (strcmp(c->cmd->name, "ts.queryindex") == 0) {
        *m = (struct ts_multi){.is_list = true, .of = LABEL_SCAN_KEYS};
        return parse_expressions(c, m, 1, c->argc);
    }
    *m = (struct ts_multi){.is_range = strcmp(c->cmd->name, "ts.mget") != 0};
    if (m->is_range) {
        if (!ts_range_parse(c, 1, 1, reverse, &m->r))
            return false;
        m->exclude_empty = ts_option(c, 3, "excludeempty") != 0;
        group = ts_option(c, 3, "groupby");
    }
    m->latest = ts_option(c, 1, "latest") != 0;
    if (parse_labels(c, m) && parse_filter(c, m, group) && parse_group(c, m, group))
        return true;
    ts_multi_fini(m);
    return false;
}

void
ts_multi_fini(struct ts_multi *m)
{
    label_filter_free(&m->filter);
}
