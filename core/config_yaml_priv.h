/* Walking a configuration file, for those who load it and those who rewrite it. */
#ifndef CORE_CONFIG_YAML_PRIV_H
#define CORE_CONFIG_YAML_PRIV_H

#include "core/config_priv.h"

#include <yaml.h>

struct config_walk {
    yaml_parser_t parser;
    yaml_event_t event; /* the last one read */
    const char *path;   /* for messages */
    size_t column;      /* where the lines of the map start; 0 when there are none */
    struct buf *err;
    /* Called for one entry; both events are scalars. Negative ends the walk. */
    int (*entry)(struct config_walk *w, const yaml_event_t *name, const yaml_event_t *value);
};

/* Calls w->entry for each entry of the text. 0, -EINVAL with a message, or what entry returned. */
int config_walk(struct config_walk *w, struct slice text);
/* Length of the byte order mark the text starts with, 0 = none. Marks count from behind it. */
size_t config_bom_bytes(struct slice text);
/* Appends all of a file, at most CONFIG_FILE_BYTES_MAX. 0 or a negative errno with a message. */
int config_read_file(const char *path, struct buf *ret_text, struct buf *err);

static inline struct slice
config_yaml_text(const yaml_event_t *scalar)
{
    return (struct slice){(const char *)scalar->data.scalar.value, scalar->data.scalar.length};
}

#endif
