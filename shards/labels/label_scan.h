/* What a filter finds, taken down in slices: a million keys are copied and put in order in a tenth of a
 * second, which is too long for a loop that has other clients.
 *
 * The sets are evaluated at once, by label_scan_begin; copying and sorting goes on in steps, between
 * which the index may change: who does not fit the filter any more by the time it is copied is left
 * out, who came since is not in. Owner: the shard's owner. */
#ifndef SHARDS_LABELS_LABEL_SCAN_H
#define SHARDS_LABELS_LABEL_SCAN_H

#include "core/sort_steps.h"
#include "shards/labels/label_filter.h"

#define LABEL_SCAN_BYTES_MAX (128 * MIB) /* of keys */

struct label_place {
    uint64_t order; /* eight bytes behind what all keys begin with */
    size_t at;      /* of the key's length in label_scan.keys */
};

/* Starts zeroed. */
struct label_scan {
    struct buf keys; /* each its length, 4 bytes, and its bytes */
    struct label_place *place; /* of each key, in order once it is done */
    uint32_t n;                /* keys */
    bool too_long; /* they take more than LABEL_SCAN_BYTES_MAX: none is there */
    /* under way */
    uint8_t stage;
    uint32_t *ids, ids_n, ids_at;
    const struct labels *x;
    uint64_t changes;       /* of the index, when it began */
    size_t common;          /* bytes that all keys begin with */
    uint32_t ordered;       /* places whose order is known */
    struct sort_steps sort;
};

/* 0; -E2BIG: more than `limit` series; -ETIME: the regular expressions take longer than they may. On
 * failure ret_err is the error reply and nothing is to be freed. x NULL: nothing bears labels. */
int label_scan_begin(struct label_scan *s, const struct labels *x, const struct label_filter *f,
                     uint32_t limit, char *ret_err);
/* Goes on until the clock says until_ns. True: the keys are there, in the order of their bytes. `x` is
 * the index as it is now, NULL when there is none; f the same filter. */
bool label_scan_step(struct label_scan *s, const struct labels *x, const struct label_filter *f,
                     uint64_t until_ns);
/* The i-th of n. */
struct slice label_scan_key(const struct label_scan *s, uint32_t i);
void label_scan_fini(struct label_scan *s);

#endif
