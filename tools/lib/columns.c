#include "tools/lib/columns.h"

#include <stdio.h>

#define SCALE_DIGITS_MAX 9
#define DECIMALS_MAX 60

int
type_parse(struct slice text)
{
    int v = 0;

    if (text.n != 2)
        return -1;
    for (int i = 0; i < 2; i++) {
        char ch = ascii_lower(text.p[i]);

        if (ch >= '0' && ch <= '9')
            v = v * 16 + ch - '0';
        else if (ch >= 'a' && ch <= 'f')
            v = v * 16 + ch - 'a' + 10;
        else
            return -1;
    }
    return v;
}

void
type_put(uint8_t type, char out[2])
{
    static const char digits[] = "0123456789abcdef";

    out[0] = digits[type >> 4];
    out[1] = digits[type & 15];
}

static bool
take_int(struct slice text, int max, int *ret)
{
    int v = 0;

    if (text.n == 0 || text.n > 10)
        return false;
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] < '0' || text.p[i] > '9')
            return false;
        v = v * 10 + text.p[i] - '0';
        if (v > max)
            return false;
    }
    *ret = v;
    return true;
}

/* 10, 100, ... as the number of zeros. */
static bool
take_scale(struct slice text, int *ret)
{
    if (text.n < 2 || text.n > SCALE_DIGITS_MAX + 1 || text.p[0] != '1')
        return false;
    for (size_t i = 1; i < text.n; i++)
        if (text.p[i] != '0')
            return false;
    *ret = (int)text.n - 1;
    return true;
}

/* The first `ch` without a backslash before it; NULL when there is none. */
static const char *
find(struct slice text, char ch)
{
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] == ch)
            return text.p + i;
        i += text.p[i] == '\\';
    }
    return NULL;
}

/* The character at *at, past which *at is moved: a backslash before one that means something here is
 * none itself. */
static char
take_char(struct slice text, size_t *at)
{
    size_t i = *at;

    if (text.p[i] == '\\' && i + 1 < text.n && text.p[i + 1] && strchr(",=/|\\", text.p[i + 1]))
        i++;
    *at = i + 1;
    return text.p[i];
}

/* Without the backslashes. */
static bool
copy_text(char *to, size_t max, struct slice text)
{
    if (text.n == 0 || text.n > max)
        return false;
    for (size_t i = 0; i < text.n;)
        *to++ = take_char(text, &i);
    *to = '\0';
    return true;
}

/* As it is written in the map. */
static bool
copy_name(char *to, struct slice text)
{
    if (text.n == 0 || text.n > COLUMN_NAME_MAX)
        return false;
    memcpy(to, text.p, text.n);
    to[text.n] = '\0';
    return true;
}

static bool
begins(struct slice text, const char *with, struct slice *ret_rest)
{
    size_t n = strlen(with);

    if (text.n < n || memcmp(text.p, with, n) != 0)
        return false;
    *ret_rest = (struct slice){text.p + n, text.n - n};
    return true;
}

static bool
take_modifier(struct column *c, struct slice text)
{
    static const struct {
        const char *name;
        enum cell_kind kind;
    } kinds[] = {
        {"float", CELL_FLOAT}, {"hex", CELL_HEX}, {"HEX", CELL_UPPER_HEX}, {"text", CELL_TEXT}};
    struct slice rest;

    if (begins(text, "key=", &rest))
        return copy_text(c->suffix, COLUMN_SUFFIX_MAX, rest);
    if (c->kind != CELL_NUMBER || c->decimals >= 0)
        return false; /* one kind a column */
    if (begins(text, "decimals=", &rest))
        return take_int(rest, DECIMALS_MAX, &c->decimals);
    if (begins(text, "scale=", &rest)) {
        c->kind = CELL_SCALED;
        return take_scale(rest, &c->decimals);
    }
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        if (slice_equal(text, slice_of(kinds[i].name))) {
            c->kind = kinds[i].kind;
            return true;
        }
    }
    return false;
}

static struct slice
until(struct slice *text, char end)
{
    const char *at = find(*text, end);
    struct slice part = {text->p, at ? (size_t)(at - text->p) : text->n};

    text->p += part.n + (at != NULL);
    text->n -= part.n + (at != NULL);
    return part;
}

static bool
take_role(struct column *c, struct slice text)
{
    static const struct {
        const char *name;
        enum column_role role;
    } roles[] = {{"-", COLUMN_SKIP},    {"time", COLUMN_TIME},   {"key", COLUMN_KEY},
                 {"type", COLUMN_TYPE}, {"value", COLUMN_VALUE}, {"quality", COLUMN_QUALITY}};
    int type = type_parse(text);

    for (size_t i = 0; i < ARRAY_SIZE(roles); i++) {
        if (slice_equal(text, slice_of(roles[i].name))) {
            c->role = roles[i].role;
            c->any_type = c->role == COLUMN_VALUE;
            return true;
        }
    }
    c->role = COLUMN_VALUE;
    c->type = (uint8_t)type;
    return type >= 0;
}

/* One "[NAME=]WHAT[/MODIFIER...]"; a '=' behind the first '/' is the modifier's. */
static bool
take_column(struct column *c, struct slice text, bool *ret_named)
{
    const char *slash = find(text, '/');
    const char *equals = find((struct slice){text.p, slash ? (size_t)(slash - text.p) : text.n}, '=');
    struct slice what;

    *c = (struct column){.decimals = -1};
    *ret_named = equals != NULL;
    if (equals && !copy_name(c->name, until(&text, '=')))
        return false;
    what = until(&text, '/');
    if (!take_role(c, what) || (c->role != COLUMN_VALUE && (text.n > 0 || slash)) ||
        (slash && text.n == 0))
        return false;
    while (text.n > 0)
        if (!take_modifier(c, until(&text, '/')))
            return false;
    return true;
}

static const char *
wrong_together(const struct columns *cs)
{
    unsigned count[COLUMN_VALUE + 1] = {0}, any = 0;

    for (unsigned i = 0; i < cs->n; i++) {
        count[cs->c[i].role]++;
        any += cs->c[i].role == COLUMN_VALUE && cs->c[i].any_type;
    }
    if (count[COLUMN_VALUE] == 0)
        return "--columns has no value column";
    if (count[COLUMN_KEY] > 1 || count[COLUMN_TYPE] > 1 || count[COLUMN_QUALITY] > 1)
        return "--columns has two columns for key, type or quality";
    if (count[COLUMN_TYPE] && any != 1)
        return "--columns: `type` needs one `value` column";
    return NULL;
}

static void
say_wrong_column(struct slice text, bool other_kind, char *error, size_t error_size)
{
    snprintf(error, error_size, "--columns: '%.*s' %s", (int)MIN(text.n, 80), text.p,
             other_kind ? "is not like those before it: either all have a name (NAME=00) or none"
                        : "is no column: it is time, key, value, type, quality, - or a data type "
                          "00 to ff, with the name of the file's header before it if there is one "
                          "(NAME=00, with a \\ before , = / | in it), and behind a value one of "
                          "/scale=10 (a power of ten up to 1000000000), /decimals=0 to 60, "
                          "/float, /hex, /HEX, /text, and /key=SUFFIX");
}

int
columns_parse(struct columns *cs, const char *text, char *error, size_t error_size)
{
    struct slice rest = slice_of(text), part;
    const char *wrong;
    bool named;

    cs->n = 0;
    do {
        part = until(&rest, ',');
        if (cs->n == COLUMNS_MAX) {
            snprintf(error, error_size, "--columns takes at most %d columns", COLUMNS_MAX);
            return -EINVAL;
        }
        if (!take_column(&cs->c[cs->n], part, &named) || (cs->n > 0 && named != cs->named)) {
            say_wrong_column(part, cs->n > 0 && named != cs->named, error, error_size);
            return -EINVAL;
        }
        cs->named = named;
        cs->c[cs->n].at = cs->n;
        cs->n++;
    } while (rest.n > 0 || part.p + part.n < rest.p); /* also behind a comma at the end */
    cs->fields = cs->n;
    wrong = wrong_together(cs);
    if (wrong)
        snprintf(error, error_size, "%s", wrong);
    return wrong ? -EINVAL : 0;
}

/* "time|date" is either. */
static bool
is_named(struct slice names, struct slice field)
{
    while (names.n > 0) {
        struct slice name = until(&names, '|');
        size_t at = 0, i = 0;

        while (at < name.n && i < field.n && ascii_lower(take_char(name, &at)) == ascii_lower(field.p[i]))
            i++;
        if (at == name.n && i == field.n)
            return true;
    }
    return false;
}

void
columns_put_name(const struct column *c, struct buf *out)
{
    struct slice names = slice_of(c->name), name = until(&names, '|');

    for (size_t i = 0; i < name.n;)
        buf_append(out, &(char){take_char(name, &i)}, 1);
}

static void
say_no_name(const char *name, const struct slice *fields, int n, char *error, size_t error_size)
{
    size_t at =
        (size_t)snprintf(error, error_size, "the header has no column '%.80s', only", name);

    for (int i = 0; i < n && at < error_size; i++)
        at += (size_t)snprintf(error + at, error_size - at, "%s %.*s", i ? "," : "",
                               (int)MIN(fields[i].n, 40), fields[i].p);
}

static int
find_field(const struct column *c, const struct slice *fields, int from, int n)
{
    while (from < n && !is_named(slice_of(c->name), fields[from]))
        from++;
    return from;
}

/* Which of the two is meant is not known. */
static void
say_two_names(const char *name, struct slice a, struct slice b, char *error, size_t error_size)
{
    snprintf(error, error_size,
             "the header has two columns for '%.80s': '%.*s' and '%.*s'; --columns can name the one that is "
             "meant, or both as in 'date=time,time=time', or give the columns in their order, without names "
             "and with --header yes",
             name, (int)MIN(a.n, 40), a.p, (int)MIN(b.n, 40), b.p);
}

int
columns_bind(struct columns *cs, const struct slice *fields, int n, char *error, size_t error_size)
{
    cs->fields = 0;
    for (unsigned i = 0; i < cs->n; i++) {
        int at = find_field(&cs->c[i], fields, 0, n), next = find_field(&cs->c[i], fields, at + 1, n);

        if (at == n) {
            say_no_name(cs->c[i].name, fields, n, error, error_size);
            return -EINVAL;
        }
        if (next < n && cs->c[i].role != COLUMN_SKIP) {
            say_two_names(cs->c[i].name, fields[at], fields[next], error, error_size);
            return -EINVAL;
        }
        cs->c[i].at = (unsigned)at;
        cs->fields = MAX(cs->fields, (unsigned)at + 1);
    }
    return 0;
}

const struct column *
columns_find(const struct columns *cs, enum column_role role)
{
    for (unsigned i = 0; i < cs->n; i++)
        if (cs->c[i].role == role)
            return &cs->c[i];
    return NULL;
}

/* Two that would be points of one series at one time. */
static bool
are_one_series(const struct column *a, const struct column *b)
{
    return a->role == COLUMN_VALUE && b->role == COLUMN_VALUE && a->any_type == b->any_type &&
           a->type == b->type && strcmp(a->suffix, b->suffix) == 0;
}

bool
columns_has_one_twice(const struct columns *cs)
{
    for (unsigned i = 0; i < cs->n; i++)
        for (unsigned k = 0; k < i; k++)
            if (are_one_series(&cs->c[i], &cs->c[k]))
                return true;
    return false;
}
