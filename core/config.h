/* Configuration: one table (core/config_table.h), everything else derived from it.
 *
 * struct config is a plain value: it owns no memory and may be copied by assignment. Every change
 * is made on a copy that replaces the original only when all of it was right, so nothing is ever
 * half applied. Owner: the main thread at the start, later the core that runs CONFIG; hot values
 * are copied per core by the engine.
 *
 * Errors are sentences appended to `err`, without a final newline and without "ERR". */
#ifndef CORE_CONFIG_H
#define CORE_CONFIG_H

#include "core/base.h"
#include "core/buf.h"
#include "core/config_table.h"
#include "core/cpu.h"
#include "core/compactions.h"
#include "core/fieldmap.h"

#include <stdio.h>

#define CONFIG_TEXT_BYTES_MAX 1023
#define CONFIG_FILE_BYTES_MAX (1UL * MIB)

/* BOOL fields are bool, REAL double, numbers (INT, POWER2, BYTES, DURATION) uint64_t, ENUM fields
 * unsigned, FIELDS struct fieldmap, COMPACTIONS struct compactions. */
enum config_type {
    CONFIG_INT,
    CONFIG_POWER2,
    CONFIG_BYTES,
    CONFIG_DURATION,
    CONFIG_BOOL,
    CONFIG_ENUM,
    CONFIG_TEXT,
    CONFIG_ADDRESSES,
    CONFIG_CPULIST,
    CONFIG_REAL,
    CONFIG_FIELDS,
    CONFIG_COMPACTIONS,
};

enum config_when { CONFIG_RESTART, CONFIG_LIVE, CONFIG_FIXED };

#define CONFIG_CONSTANT(constant, word) constant,
#define CONFIG_CONSTANTS(values) enum { values(CONFIG_CONSTANT) };
CONFIG_VALUES_ALL(CONFIG_CONSTANTS)
#undef CONFIG_CONSTANTS
#undef CONFIG_CONSTANT

#define CONFIG_GROUP_CONSTANT(id, title) CONFIG_GROUP_##id,
enum config_group { CONFIG_GROUPS(CONFIG_GROUP_CONSTANT) CONFIG_GROUPS_COUNT };
#undef CONFIG_GROUP_CONSTANT

/* clang-format off */
#define CONFIG_FIELD_INT(field) uint64_t field;
#define CONFIG_FIELD_POWER2(field) uint64_t field;
#define CONFIG_FIELD_BYTES(field) uint64_t field;
#define CONFIG_FIELD_DURATION(field) uint64_t field;
#define CONFIG_FIELD_BOOL(field) bool field;
#define CONFIG_FIELD_ENUM(field) unsigned field;
#define CONFIG_FIELD_TEXT(field) char field[CONFIG_TEXT_BYTES_MAX + 1];
#define CONFIG_FIELD_ADDRESSES(field) char field[CONFIG_TEXT_BYTES_MAX + 1];
#define CONFIG_FIELD_CPULIST(field) struct cpu_set field;
#define CONFIG_FIELD_REAL(field) double field;
#define CONFIG_FIELD_FIELDS(field) struct fieldmap field;
#define CONFIG_FIELD_COMPACTIONS(field) struct compactions field;
#define CONFIG_FIELD(name, field, type, fallback, min, max, unit, when, group, help)               \
    CONFIG_FIELD_##type(field)
/* clang-format on */
struct config {
    CONFIG_TABLE(CONFIG_FIELD)
    char file[CONFIG_TEXT_BYTES_MAX + 1]; /* absolute path of the file that was read, "" = none */
};
#undef CONFIG_FIELD

struct config_row {
    const char *name;
    enum config_type type;
    enum config_when when;
    enum config_group group;
    size_t offset;        /* of the field in struct config */
    const char *fallback; /* default, as text */
    uint64_t min, max;
    const char *unit; /* "" = none. ENUM: its words, "always|everysec|no|", in constant order */
    const char *help;
};

struct config_pair {
    struct slice name, value;
};

/* The rows in the order of the table; config_row(config_rows) and beyond is NULL. */
const struct config_row *config_row(size_t i);
/* NULL = there is none. ASCII case is ignored. */
const struct config_row *config_find(struct slice name);
/* The known name most like `name`, NULL when none is near. */
const char *config_nearest(struct slice name);
/* Does CONFIG GET `pattern` (glob, ASCII case ignored) ask for this row? */
bool config_matches(const struct config_row *row, struct slice pattern);

/* Every row at its default. */
void config_init(struct config *ret);
/* Appends the value as CONFIG GET shows it: numbers in plain digits. */
void config_get(const struct config *c, const struct config_row *row, struct buf *out);
/* Appends the value as a person would write it: 64mb, 300. */
void config_get_human(const struct config *c, const struct config_row *row, struct buf *out);
/* Parses one value into its field. -EINVAL: `err` gets what is allowed ("argument must be ..."),
 * the field is untouched. FIXED rows take only the value they have. */
int config_parse(struct config *c, const struct config_row *row, struct slice text,
                 struct buf *err);
/* Rules that a row alone cannot say, most of them about two settings. -EINVAL and a sentence,
 * ret_rows are the settings it is about; the second is NULL where there is but one. */
int config_check(const struct config *c, const struct config_row *ret_rows[2], struct buf *err);

/* CONFIG SET: all pairs or none. On failure `err` is Redis 7's text for it, `c` is untouched.
 * -ENOENT unknown name, -EPERM not live, -EEXIST named twice, -EINVAL bad value. */
int config_set_live(struct config *c, const struct config_pair *pairs, size_t n, struct buf *err);

/* Reads the YAML file over `c`: a flat map of name: value. Each error names file and line. On
 * failure `c` is untouched: -EINVAL for what is in the file, else the errno of reading it. Rules
 * that involve two settings are left to config_check, which the caller runs when flags are in. */
int config_load(struct config *c, const char *path, struct buf *err);
/* The same for text in memory; `path` is for messages. */
int config_load_text(struct config *c, const char *path, struct slice text, struct buf *err);

/* CONFIG REWRITE. Blocks (write, fsync, rename): call it on a helper thread, with a copy of the
 * configuration. Values in c->file are replaced in place, comments and order stay, settings that
 * are not in it and differ from their default are appended. 0 or a negative errno. */
int config_rewrite(const struct config *c, struct buf *err);
/* What config_rewrite would write, given the present text of the file. 0 or -EINVAL. */
int config_rewrite_text(const struct config *c, struct slice text, struct buf *out,
                        struct buf *err);

/* Command line: [FILE | --config FILE] [--name value | --name=value]...; flags override the file,
 * whatever their order. --name takes all words up to the next that starts with "--".
 * 0: *ret is complete and checked. 1: --help was printed to standard output. Negative: `err` says
 * what is wrong, *ret is untouched. */
int config_parse_args(int argc, char **argv, struct config *ret, struct buf *err);

/* The words of a text that separates them by spaces or commas (bind), one a call; false when there
 * are no more. *rest starts as the whole text. */
bool config_next_word(struct slice *rest, struct slice *ret_word);

/* The three texts made from the table. */
void config_write_help(struct buf *out, const char *program);
void config_write_sample(struct buf *out);
void config_write_markdown(struct buf *out);

#endif
