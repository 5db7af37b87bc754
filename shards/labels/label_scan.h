/* What the index says of many series, taken down in slices: the keys of those that a filter finds,
 * or the names and values of labels, in the order of their bytes. A million of them take half a
 * second at once, which is too long for a loop that has other clients.
 *
 * The sets of a filter are evaluated at once, by label_scan_begin; copying and sorting goes on in
 * steps, between which the index may change: who does not fit the filter any more by the time it is
 * copied is left out, who came since is not in. Names and values that are borne from the first step
 * to the last are all there, each once; others may be. Owner: the shard's owner. */
#ifndef SHARDS_LABELS_LABEL_SCAN_H
#define SHARDS_LABELS_LABEL_SCAN_H

#include "shards/labels/label_filter.h"
#include "shards/labels/label_list.h"

enum label_scan_of {
    LABEL_SCAN_KEYS,
    LABEL_SCAN_NAMES,
    LABEL_SCAN_VALUES, /* of `name` */
};

/* The same for begin and every step. */
struct label_ask {
    enum label_scan_of of;
    struct slice name;
    const struct label_filter *filter; /* NULL: names or values of all series */
    uint32_t series_max;
    size_t bytes_max;
    /* Is a series to be counted that the filter finds? NULL: all are. */
    bool (*is_live)(void *arg, struct slice key);
    void *arg;
};

/* Starts zeroed. */
struct label_scan {
    struct label_list list; /* in order once it is done */
    bool too_long;          /* it would take more than bytes_max: it is empty */
    /* under way */
    uint8_t stage;
    uint32_t *ids, ids_n; /* series that the filter found */
    uint32_t at;          /* of them; or the number of a name or label */
    bool by_number;       /* values: not the list of the name's labels, but numbers from 0 on */
    uint32_t *seen, seen_n; /* place in the list, from 1 on, of each name or label of series */
    const struct labels *x;
    uint64_t changes; /* of the index, when it began */
};

/* 0; -E2BIG: more than series_max; -ETIME: the regular expressions take longer than they may. On
 * failure ret_err is the error reply and nothing is to be freed. x NULL: nothing bears labels. */
int label_scan_begin(struct label_scan *s, const struct labels *x, const struct label_ask *ask,
                     char *ret_err);
/* Goes on until the clock says until_ns. True: the list is whole. `x` is the index as it is now,
 * NULL when there is none. */
bool label_scan_step(struct label_scan *s, const struct labels *x, const struct label_ask *ask,
                     uint64_t until_ns);
void label_scan_fini(struct label_scan *s);
/* A series that was found: does the filter find it as the index is now? Costs nothing where nothing
 * has changed since the scan began. */
bool label_scan_still_fits(const struct label_scan *s, const struct labels *x, uint32_t id,
                           const struct label_filter *f);

#endif
