/* Shared by the config*.c files only. */
#ifndef CORE_CONFIG_PRIV_H
#define CORE_CONFIG_PRIV_H

#include "core/config.h"

#define CONFIG_ROWS_MAX 256

extern const char *const config_group_titles[CONFIG_GROUPS_COUNT];

/* config_load that also tells the line of each setting of the file, by row; 0 where it has none. */
int config_load_lines(struct config *c, const char *path, size_t ret_lines[CONFIG_ROWS_MAX],
                      struct buf *err);
/* Walks "a|b|c|": sets *ret_word and steps on; false at the end. */
bool config_enum_word(const char **words, struct slice *ret_word);
/* Appends the words of an ENUM row with `separator` between them. */
void config_enum_list(const struct config_row *row, const char *separator, struct buf *out);
/* Reads one UTF-8 character that may stand in a TEXT value (no control characters); returns its
 * code point and steps on, or -1. */
int32_t config_utf8_next(struct slice *rest);
/* "unknown setting 'x', did you mean 'y'?" */
void config_say_unknown(struct slice name, struct buf *err);
/* Appends `value` so that YAML reads it back as the same text: plain or in double quotes. */
void config_yaml_scalar(struct slice value, struct buf *out);

static inline size_t
config_row_index(const struct config_row *row)
{
    return (size_t)(row - config_row(0));
}

static inline void *
config_field(struct config *c, const struct config_row *row)
{
    return (char *)c + row->offset;
}

static inline const void *
config_field_const(const struct config *c, const struct config_row *row)
{
    return (const char *)c + row->offset;
}

#endif
