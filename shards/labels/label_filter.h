/* Filters over labels, as the FILTER option of TS.MGET and the arguments of TS.QUERYINDEX have them.
 *
 *   name=value  name!=value            equal; not equal, or without such a label
 *   name=       name!=                 without such a label; with one
 *   name=(a,b)  name!=(a,b)            one of; none of, or without such a label
 *   name=~re    name!~re               extended: the whole value matches a regular expression
 *   expr ... OR expr ...               extended: either side
 *
 * Expressions side by side must all hold, and at least one of them must name values (=value, =(...),
 * =~), on each side of every OR. As in RedisTimeSeries the operator is looked for as text, "!=("
 * first, then "!=", "=(" and "="; names and values then end at any character of the operator. In a
 * list empty values are passed over.
 *
 * A parsed filter points into the arguments, is never changed, and may be read by every core. */
#ifndef SHARDS_LABELS_LABEL_FILTER_H
#define SHARDS_LABELS_LABEL_FILTER_H

#include "shards/labels/labels.h"

#define LABEL_FILTER_ERROR_BYTES 256
#define LABEL_REGEX_BYTES_MAX 1000     /* of a pattern */
#define LABEL_REGEX_STEPS_MAX 10000    /* of the matcher, for one value */
#define LABEL_REGEX_MS_MAX 50          /* of one filter on one core */

struct label_filter;

/* 0, or -EINVAL: ret_err is the error reply, "ERR TSDB: ...". The filter is to be freed. */
int label_filter_parse(const struct slice *argv, uint32_t n, bool extended,
                       struct label_filter **ret_f, char *ret_err);
void label_filter_free(struct label_filter **f);

/* Series that a filter finds, in the order of their keys' bytes. Valid until the index changes. */
struct label_hits {
    struct label_hit *p;
    uint32_t n;
};

/* 0; -E2BIG: more than `limit`; -ETIME: the regular expressions take longer than they may. On
 * failure ret_err is the error reply. x NULL: nothing bears labels. */
int labels_select(const struct labels *x, const struct label_filter *f, uint32_t limit,
                  struct label_hits *ret_hits, char *ret_err);
void label_hits_free(struct label_hits *h);
/* Would labels like these be found? The definition, for tests and for single series. */
bool label_filter_matches(const struct label_filter *f, const struct series_label *l, uint32_t n);

#endif
