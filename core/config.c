/* The rows, the search for a name, and changes that are applied as a whole. */
#include "core/config.h"

#include "core/config_priv.h"
#include "core/glob.h"

/* clang-format off */
#define WORD(constant, word) word "|"
#define VALUES(id) CONFIG_VALUES_##id(WORD)
#define CONFIG_ROW(name, field, type, fallback, min, max, unit, when, group, help)                 \
    {name, CONFIG_##type, CONFIG_##when, CONFIG_GROUP_##group, offsetof(struct config, field),     \
     fallback, min, max, unit, help},
#define CONFIG_TITLE(id, title) title,
/* clang-format on */

static const struct config_row rows[] = {CONFIG_TABLE(CONFIG_ROW)};
const char *const config_group_titles[] = {CONFIG_GROUPS(CONFIG_TITLE)};

static_assert(ARRAY_SIZE(rows) <= CONFIG_ROWS_MAX, "arrays by row have room for all");

#define NAME_BYTES_MAX 64

const struct config_row *
config_row(size_t i)
{
    return i < ARRAY_SIZE(rows) ? &rows[i] : NULL;
}

const struct config_row *
config_find(struct slice name)
{
    size_t i;

    for (i = 0; i < ARRAY_SIZE(rows); i++)
        if (slice_is(name, rows[i].name))
            return &rows[i];
    return NULL;
}

/* Letters to insert, remove or replace to turn a into b; both at most NAME_BYTES_MAX. */
static size_t
edit_distance(struct slice a, struct slice b)
{
    size_t line[NAME_BYTES_MAX + 1], i, j;

    for (j = 0; j <= b.n; j++)
        line[j] = j;
    for (i = 0; i < a.n; i++) {
        size_t diagonal = line[0];

        line[0] = i + 1;
        for (j = 0; j < b.n; j++) {
            size_t replace = diagonal + (ascii_lower(a.p[i]) != b.p[j]);

            diagonal = line[j + 1];
            line[j + 1] = MIN(replace, MIN(line[j], diagonal) + 1);
        }
    }
    return line[b.n];
}

const char *
config_nearest(struct slice name)
{
    size_t i, best = SIZE_MAX;
    const char *nearest = NULL;

    if (name.n > NAME_BYTES_MAX)
        return NULL;
    for (i = 0; i < ARRAY_SIZE(rows); i++) {
        struct slice known = slice_of(rows[i].name);
        size_t distance = edit_distance(name, known);

        if (distance < best && distance <= MAX(known.n, name.n) / 2) {
            best = distance;
            nearest = rows[i].name;
        }
    }
    return nearest;
}

void
config_say_unknown(struct slice name, struct buf *err)
{
    const char *nearest = config_nearest(name);

    buf_printf(err, "unknown setting '%.*s'", (int)MIN(name.n, (size_t)NAME_BYTES_MAX), name.p);
    if (nearest != NULL)
        buf_printf(err, ", did you mean '%s'?", nearest);
    else
        buf_append_lit(err, "; --help lists them all");
}

bool
config_matches(const struct config_row *row, struct slice pattern)
{
    /* As in Redis: only what has one of these is a pattern, a \ alone makes none. */
    for (size_t i = 0; i < pattern.n; i++)
        if (pattern.p[i] == '*' || pattern.p[i] == '?' || pattern.p[i] == '[')
            return glob_match(pattern, slice_of(row->name), true);
    return slice_is(pattern, row->name);
}

bool
config_enum_word(const char **words, struct slice *ret_word)
{
    const char *end = strchr(*words, '|');

    if (end == NULL)
        return false;
    *ret_word = (struct slice){*words, (size_t)(end - *words)};
    *words = end + 1;
    return true;
}

void
config_enum_list(const struct config_row *row, const char *separator, struct buf *out)
{
    const char *words = row->unit, *between = "";
    struct slice word;

    while (config_enum_word(&words, &word)) {
        buf_printf(out, "%s%.*s", between, (int)word.n, word.p);
        between = separator;
    }
}

bool
config_next_word(struct slice *rest, struct slice *ret_word)
{
    size_t i = 0, start;

    while (i < rest->n && strchr(" ,\t", rest->p[i]) != NULL)
        i++;
    start = i;
    while (i < rest->n && strchr(" ,\t", rest->p[i]) == NULL)
        i++;
    if (start == i)
        return false;
    *ret_word = (struct slice){rest->p + start, i - start};
    *rest = (struct slice){rest->p + i, rest->n - i};
    return true;
}

void
config_init(struct config *ret)
{
    struct buf err = {0};
    size_t i;

    memset(ret, 0, sizeof(*ret));
    for (i = 0; i < ARRAY_SIZE(rows); i++)
        ASSERT(config_parse(ret, &rows[i], slice_of(rows[i].fallback), &err) == 0);
}

static void
about(const struct config_row *ret_rows[2], const char *first, const char *second)
{
    ret_rows[0] = config_find(slice_of(first));
    ret_rows[1] = second ? config_find(slice_of(second)) : NULL;
}

/* Durations must be whole numbers of the timestamp unit, functions those that ts-compat allows. */
static int
check_compactions(const struct config *c, const struct config_row *ret_rows[2], struct buf *err)
{
    const struct compactions *m = &c->ts_compaction_policy;

    for (uint32_t i = 0; i < m->n; i++) {
        const struct compaction *one = &m->c[i];
        const char *wrong = NULL, *other = "timestamp-unit";

        if (c->timestamp_unit == CONFIG_TIME_S &&
            (one->bucket_ms % 1000 || one->retention_ms % 1000 || one->align_ms % 1000))
            wrong = "has parts of a second, which timestamp-unit s cannot say";
        else if (c->ts_compat == CONFIG_TS_STRICT && aggregate_is_extension(one->function))
            wrong = "has a function that ts-compat strict refuses", other = "ts-compat";
        if (wrong == NULL)
            continue;
        about(ret_rows, "ts-compaction-policy", other);
        buf_printf(err, "ts-compaction-policy %s", wrong);
        return -EINVAL;
    }
    return 0;
}

/* As DUPLICATE_POLICY of TS.CREATE. */
static int
check_policy(const struct config *c, const struct config_row *ret_rows[2], struct buf *err)
{
    if (c->ts_compat != CONFIG_TS_STRICT || c->ts_duplicate_policy != CONFIG_TS_DUPLICATE_KEEP)
        return 0;
    about(ret_rows, "ts-duplicate-policy", "ts-compat");
    buf_append_lit(err, "ts-duplicate-policy is keep, which ts-compat strict refuses");
    return -EINVAL;
}

/* As CHUNK_SIZE of TS.CREATE. */
static int
check_chunk_size(const struct config *c, const struct config_row *ret_rows[2], struct buf *err)
{
    if (c->ts_chunk_size_bytes % 8 == 0)
        return 0;
    about(ret_rows, "ts-chunk-size-bytes", NULL);
    buf_append_lit(err, "ts-chunk-size-bytes must be a multiple of 8");
    return -EINVAL;
}

int
config_check(const struct config *c, const struct config_row *ret_rows[2], struct buf *err)
{
#define PAIR(small, large) {offsetof(struct config, small), offsetof(struct config, large)},
    static const size_t pairs[][2] = {CONFIG_ORDERED(PAIR)};
#undef PAIR
    size_t i, j;

    for (i = 0; i < ARRAY_SIZE(pairs); i++) {
        const struct config_row *row[2] = {NULL, NULL};

        for (j = 0; j < ARRAY_SIZE(rows) * 2; j++)
            if (rows[j / 2].offset == pairs[i][j % 2])
                row[j % 2] = &rows[j / 2];
        if (*(const uint64_t *)config_field_const(c, row[0]) <=
            *(const uint64_t *)config_field_const(c, row[1]))
            continue;
        buf_printf(err, "%s (", row[0]->name);
        config_get_human(c, row[0], err);
        buf_printf(err, ") must not be larger than %s (", row[1]->name);
        config_get_human(c, row[1], err);
        buf_append_lit(err, ")");
        memcpy(ret_rows, row, sizeof(row));
        return -EINVAL;
    }
    return check_chunk_size(c, ret_rows, err) ?: check_policy(c, ret_rows, err)
           ?: check_compactions(c, ret_rows, err);
}

/* CONFIG SET */

#define SET_FAILED "CONFIG SET failed (possibly related to argument '%.*s') - "

static void
say_failed(struct slice name, struct buf *err)
{
    buf_printf(err, SET_FAILED, (int)MIN(name.n, (size_t)NAME_BYTES_MAX), name.p);
}

/* One pair, applied to the copy `next`; `earlier` are the pairs before it. */
static int
set_one(struct config *next, const struct config_pair *pair, const struct config_pair *earlier,
        struct buf *err)
{
    const struct config_row *row = config_find(pair->name);

    say_failed(pair->name, err);
    if (row->when == CONFIG_RESTART) {
        buf_append_lit(err, "can't set immutable config");
        return -EPERM;
    }
    for (; earlier < pair; earlier++)
        if (config_find(earlier->name) == row) {
            buf_append_lit(err, "duplicate parameter");
            return -EEXIST;
        }
    return config_parse(next, row, pair->value, err);
}

int
config_set_live(struct config *c, const struct config_pair *pairs, size_t n, struct buf *err)
{
    struct config next = *c;
    const struct config_row *about_rows[2];
    size_t i, start = err->n;
    int r;

    for (i = 0; i < n; i++)
        if (config_find(pairs[i].name) == NULL) {
            buf_printf(err, "Unknown option or number of arguments for CONFIG SET - '%.*s'",
                       (int)MIN(pairs[i].name.n, (size_t)NAME_BYTES_MAX), pairs[i].name.p);
            return -ENOENT;
        }
    for (i = 0; i < n; i++) {
        r = set_one(&next, &pairs[i], pairs, err);
        if (r < 0)
            return r;
        err->n = start;
    }
    if (config_check(&next, about_rows, err) < 0) {
        err->n = start;
        say_failed(slice_of(about_rows[0]->name), err);
        return config_check(&next, about_rows, err);
    }
    *c = next;
    return 0;
}
