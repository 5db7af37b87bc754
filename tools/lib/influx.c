#include "tools/lib/influx.h"

#include "net/number.h"

#include <math.h>

#define EXACT_MAX (1LL << 53)

struct cursor {
    const char *p, *end;
};

/* Up to the first of the unescaped characters in `stops`, or to the end. */
static struct slice
take_name(struct cursor *c, const char *stops)
{
    const char *from = c->p;

    while (c->p < c->end && !memchr(stops, *c->p, strlen(stops)))
        c->p += *c->p == '\\' && c->p + 1 < c->end ? 2 : 1;
    return (struct slice){from, (size_t)(c->p - from)};
}

static bool
at_char(const struct cursor *c, char ch)
{
    return c->p < c->end && *c->p == ch;
}

static void
pass_spaces(struct cursor *c)
{
    while (at_char(c, ' '))
        c->p++;
}

/* The measurement and its tags, up to a space. */
static const char *
take_series(struct cursor *c, struct slice *ret)
{
    const char *from = c->p;

    if (take_name(c, ", ").n == 0)
        return "has no measurement";
    while (at_char(c, ',')) {
        c->p++;
        if (take_name(c, "=, ").n == 0 || !at_char(c, '='))
            return "has a tag without name or '='";
        c->p++;
        if (take_name(c, "=, ").n == 0 || at_char(c, '='))
            return "has a tag without value or with two";
    }
    *ret = (struct slice){from, (size_t)(c->p - from)};
    return NULL;
}

static bool
is_boolean(struct slice s, bool *ret)
{
    static const char *const words[2][5] = {{"f", "F", "false", "False", "FALSE"},
                                            {"t", "T", "true", "True", "TRUE"}};

    for (int v = 0; v < 2; v++) {
        for (int i = 0; i < 5; i++) {
            if (slice_equal(s, slice_of(words[v][i]))) {
                *ret = v;
                return true;
            }
        }
    }
    return false;
}

static const char *
whole_number(struct influx_field *f, bool is_unsigned)
{
    int64_t v;

    f->kind = is_unsigned ? INFLUX_UNSIGNED : INFLUX_INTEGER;
    f->value.n--;
    if (!parse_int(f->value, &v) || (is_unsigned && v < 0))
        return "has a field that is no whole number";
    return v > EXACT_MAX || v < -EXACT_MAX ? "has a whole number above 2^53, which is not exact"
                                           : NULL;
}

static const char *
take_number(struct cursor *c, struct influx_field *f)
{
    bool on;
    double v;
    char last;

    f->value = take_name(c, ", ");
    if (f->value.n == 0)
        return "has a field without value";
    if (is_boolean(f->value, &on)) {
        f->kind = INFLUX_BOOLEAN;
        f->value = on ? SLICE("1") : SLICE("0");
        return NULL;
    }
    last = f->value.p[f->value.n - 1];
    if (last == 'i' || last == 'u')
        return whole_number(f, last == 'u');
    f->kind = INFLUX_FLOAT;
    return parse_double(f->value, &v) && isfinite(v) ? NULL
                                                     : "has a field that is no finite number";
}

static const char *
take_text(struct cursor *c, struct influx_field *f)
{
    const char *from = ++c->p;

    f->kind = INFLUX_TEXT;
    take_name(c, "\"");
    if (!at_char(c, '"'))
        return "has a text that is not closed";
    f->value = (struct slice){from, (size_t)(c->p++ - from)};
    return NULL;
}

static const char *
take_field(struct cursor *c, struct influx_line *l)
{
    struct influx_field *f;
    const char *wrong;

    if (l->n == INFLUX_FIELDS_MAX)
        return "has too many fields";
    f = &l->fields[l->n];
    f->name = take_name(c, "=, ");
    if (f->name.n == 0 || !at_char(c, '='))
        return "has a field without name or '='";
    c->p++;
    wrong = at_char(c, '"') ? take_text(c, f) : take_number(c, f);
    l->n += wrong == NULL;
    return wrong;
}

struct slice
influx_trim(struct slice line)
{
    while (line.n > 0 && (line.p[0] == ' ' || line.p[0] == '\t')) {
        line.p++;
        line.n--;
    }
    return line;
}

const char *
influx_parse(struct slice line, struct influx_line *ret)
{
    struct cursor c = {line.p, line.p + line.n};
    const char *wrong;

    ret->n = 0;
    wrong = take_series(&c, &ret->series);
    if (wrong)
        return wrong;
    pass_spaces(&c);
    if (c.p == c.end)
        return "has no fields";
    wrong = take_field(&c, ret);
    while (wrong == NULL && at_char(&c, ',')) {
        c.p++;
        wrong = take_field(&c, ret);
    }
    if (wrong)
        return wrong;
    if (c.p < c.end && !at_char(&c, ' '))
        return "has something behind the text of a field";
    pass_spaces(&c);
    ret->time = take_name(&c, " ");
    pass_spaces(&c);
    return c.p == c.end ? NULL : "has something behind its time";
}

static size_t
line_end(const char *p, const char *end)
{
    const char *at = p < end ? memchr(p, '\n', (size_t)(end - p)) : NULL;

    return (size_t)((at ? at : end) - p);
}

/* At the '=' of a field: past its text, if it has one. */
static enum input_record
pass_text(struct cursor *c)
{
    c->p++;
    if (!at_char(c, '"'))
        return INPUT_RECORD_WHOLE;
    c->p++;
    take_name(c, "\"");
    if (c->p >= c->end)
        return INPUT_RECORD_OPEN;
    c->p++;
    return c->p == c->end || strchr(", \r\n", *c->p) ? INPUT_RECORD_WHOLE : INPUT_RECORD_BROKEN;
}

enum input_record
influx_record(struct slice text, size_t *ret_n)
{
    struct slice line = influx_trim(text);
    struct cursor c = {line.p, text.p + text.n};
    enum input_record found = INPUT_RECORD_WHOLE;
    bool comment = at_char(&c, '#'), fields = true;

    take_name(&c, " \n");
    pass_spaces(&c);
    while (!comment && found == INPUT_RECORD_WHOLE && fields) {
        take_name(&c, "= \n");
        if (at_char(&c, '='))
            found = pass_text(&c);
        take_name(&c, ", \n");
        fields = at_char(&c, ',');
        c.p += fields;
    }
    *ret_n = (size_t)(c.p - text.p) + line_end(c.p, c.end);
    return found;
}

/* --- a series ------------------------------------------------------------------------------------
 */

void
influx_measurement(struct slice *series, struct slice *ret)
{
    struct cursor c = {series->p, series->p + series->n};

    *ret = take_name(&c, ",");
    *series = (struct slice){c.p, (size_t)(c.end - c.p)};
}

bool
influx_next_tag(struct slice *series, struct slice *ret_name, struct slice *ret_value)
{
    struct cursor c = {series->p + 1, series->p + series->n};

    if (series->n == 0)
        return false;
    *ret_name = take_name(&c, "=");
    c.p += c.p < c.end;
    *ret_value = take_name(&c, ",");
    *series = (struct slice){c.p, (size_t)(c.end - c.p)};
    return true;
}

void
influx_unescape(struct buf *out, struct slice name)
{
    for (size_t i = 0; i < name.n; i++) {
        if (name.p[i] == '\\' && i + 1 < name.n && strchr(", =", name.p[i + 1]) && name.p[i + 1])
            i++;
        buf_append(out, name.p + i, 1);
    }
}

bool
influx_split_key(struct slice key, struct slice *ret_series, struct slice *ret_field)
{
    struct cursor c = {key.p, key.p + key.n};
    struct slice series = take_name(&c, " ");

    if (series.n == 0 || c.p >= c.end - 1)
        return false;
    *ret_series = series;
    *ret_field = (struct slice){c.p + 1, (size_t)(c.end - c.p - 1)};
    return true;
}

/* Is it a value that a field of this kind can have? */
static bool
is_of_kind(struct slice value, uint8_t quality)
{
    struct influx_field f = {.value = {value.p, value.n + 1}};

    if (quality == INFLUX_BOOLEAN)
        return slice_equal(value, SLICE("0")) || slice_equal(value, SLICE("1"));
    if (quality == INFLUX_INTEGER || quality == INFLUX_UNSIGNED)
        return whole_number(&f, quality == INFLUX_UNSIGNED) == NULL;
    return true;
}

bool
influx_put_value(struct buf *out, struct slice value, uint8_t quality)
{
    bool fits = is_of_kind(value, quality);

    if (fits && quality == INFLUX_BOOLEAN) {
        bool on = value.p[0] == '1';

        buf_append(out, on ? "true" : "false", on ? 4 : 5);
        return true;
    }
    buf_append(out, value.p, value.n);
    if (fits && quality == INFLUX_INTEGER)
        buf_append_lit(out, "i");
    else if (fits && quality == INFLUX_UNSIGNED)
        buf_append_lit(out, "u");
    return fits;
}
