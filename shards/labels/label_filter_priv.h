/* A filter taken apart, and the regular expressions of it. Private to the folder. */
#ifndef SHARDS_LABELS_LABEL_FILTER_PRIV_H
#define SHARDS_LABELS_LABEL_FILTER_PRIV_H

#include "shards/labels/label_filter.h"

enum label_op {
    LABEL_IN,     /* one of the values */
    LABEL_NOT_IN, /* none of them, or no such label */
    LABEL_WITHOUT,
    LABEL_WITH,
    LABEL_LIKE, /* the regular expression */
    LABEL_NOT_LIKE,
};

struct label_regex;

struct label_match {
    enum label_op op;
    struct slice name;
    uint32_t values, values_n; /* in label_filter.values */
    struct label_regex *regex;
    bool ends; /* the last of its side of OR */
};

struct label_filter {
    struct label_match *match;
    uint32_t n;
    struct slice *values;
    uint32_t values_n;
};

/* NULL: ret_err says what is wrong with the pattern. */
struct label_regex *label_regex_create(struct slice pattern, char *ret_err);
void label_regex_free(struct label_regex *r);

/* Trying values one by one. */
struct label_regex_run {
    const struct label_regex *regex;
    void *data;
    uint64_t until_ns;
    uint32_t tried;
};
void label_regex_begin(struct label_regex_run *run, const struct label_regex *r, uint64_t until_ns);
/* 1 matches, 0 does not, -ETIME: too many steps, or the time is over. */
int label_regex_try(struct label_regex_run *run, struct slice value);
void label_regex_end(struct label_regex_run *run);

#endif
