#include "shards/commands/row_args.h"

bool
row_arg_limit(struct ctx *c, uint32_t i, const char *allowed, struct ts_range *r)
{
    int64_t v;

    if (!parse_int(c->argv[i], &v) || v < 1)
        return series_arg_refused(c, "option", i, allowed);
    if (!series_arg_once(c, "limit", r->count != UINT64_MAX))
        return false;
    r->count = (uint64_t)v;
    return true;
}

bool
row_arg_rev(struct ctx *c, struct ts_range *r)
{
    bool once = series_arg_once(c, "REV", r->reverse);

    r->reverse = true;
    return once;
}

bool
row_arg_field(struct ctx *c, uint32_t i, const struct field **ret)
{
    const struct field *f = series_arg_field(c, i);

    if (f)
        *ret = f;
    return f != NULL;
}
