/* Labels of the series of a load: those of --labels, and of a series of line protocol its
 * measurement, tags and field.
 *
 *   --labels market=us,symbol={key}     values are templates as of --key
 *   --labels none                       none, of line protocol neither
 *
 * A series gets them before the first of its points that is sent (sink_label). */
#ifndef TOOLS_LOAD_LABELS_H
#define TOOLS_LOAD_LABELS_H

#include "core/base.h"
#include "core/buf.h"
#include "tools/lib/keyname.h"

#define LABEL_RULES_MAX 16
#define LABEL_NAME_MAX 127

struct label_rule {
    char name[LABEL_NAME_MAX + 1];
    struct keyname value;
};

struct labels {
    bool off; /* "none" */
    unsigned rules_n;
    struct label_rule rules[LABEL_RULES_MAX];
    /* of the series at hand */
    unsigned n;      /* labels */
    struct buf args; /* of a command: name, value, name, value, ... */
};

/* Reads --labels (NULL: not given) for a file. 0, or -EINVAL with a sentence in `error`. */
int labels_init(struct labels *l, const char *text, const struct file_facts *f, char *error,
                size_t error_size);
void labels_fini(struct labels *l);
/* Does a value name {key}? */
bool labels_name_key(const struct labels *l);

/* Begins a series with the labels of --labels; `key` is what {key} stands for. */
void labels_set(struct labels *l, struct slice key);
/* In a value ( ) and , become _: a server takes none, since a filter would read a list. */
void labels_add(struct labels *l, struct slice name, struct slice value);
/* Adds those of a field of line protocol: _measurement, the tags, _field. */
void labels_add_influx(struct labels *l, struct slice series, struct slice field);

#endif
