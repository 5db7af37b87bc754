#include "tools/lib/csv.h"

/* At the character behind an opening quote. Returns where the field's text now ends and, in *p, the
 * first character behind the closing quote; NULL when there is none. */
static char *
unquote(char **p, const char *end)
{
    char *from = *p, *to = *p;

    for (; from < end; *to++ = *from++) {
        if (*from != '"')
            continue;
        if (from + 1 == end || from[1] != '"') {
            *p = from + 1;
            return to;
        }
        from++;
    }
    return NULL;
}

/* Behind the closing quote of a field, p being behind the opening one; NULL when there is none. */
static const char *
pass_quoted(const char *p, const char *end)
{
    while (p < end && (p = memchr(p, '"', (size_t)(end - p)))) {
        if (p + 1 == end || p[1] != '"')
            return p + 1;
        p += 2;
    }
    return NULL;
}

static bool
at_line_end(const char *p, const char *end)
{
    return p == end || *p == '\n' || (*p == '\r' && (p + 1 == end || p[1] == '\n'));
}

enum input_record
csv_record(struct slice text, char delimiter, size_t *ret_n)
{
    const char *p = text.p, *end = text.p + text.n;

    for (;; p++) {
        if (p < end && *p == '"') {
            p = pass_quoted(p + 1, end);
            if (p == NULL)
                return INPUT_RECORD_OPEN;
            if (!at_line_end(p, end) && *p != delimiter)
                return INPUT_RECORD_BROKEN;
        }
        while (p < end && *p != delimiter && *p != '\n')
            p++;
        if (p == end || *p == '\n')
            break;
    }
    *ret_n = (size_t)(p - text.p);
    return INPUT_RECORD_WHOLE;
}

int
csv_split(char *line, size_t n, char delimiter, struct slice *fields, int max)
{
    char *p = line, *end = line + n, *start, *stop;
    int count = 0;

    for (;;) {
        if (count == max)
            return CSV_MANY_FIELDS;
        start = p;
        if (p < end && *p == '"') {
            start = ++p;
            stop = unquote(&p, end);
            if (stop == NULL)
                return CSV_OPEN_QUOTE;
            if (p < end && *p != delimiter)
                return CSV_AFTER_QUOTE;
        } else {
            while (p < end && *p != delimiter)
                p++;
            stop = p;
        }
        fields[count++] = (struct slice){start, (size_t)(stop - start)};
        if (p == end)
            return count;
        p++;
    }
}

const char *
csv_error_text(int error)
{
    switch (error) {
    case CSV_OPEN_QUOTE:
        return "a quote is opened and not closed";
    case CSV_AFTER_QUOTE:
        return "text between a closing quote and the delimiter";
    default:
        return "too many fields";
    }
}

void
csv_put(struct buf *b, struct slice field, char delimiter)
{
    bool quote = false;

    for (size_t i = 0; i < field.n; i++)
        quote |= field.p[i] == delimiter || field.p[i] == '"' || field.p[i] == '\n' ||
                 field.p[i] == '\r';
    if (field.n == 0)
        return;
    if (!quote) {
        buf_append(b, field.p, field.n);
        return;
    }
    buf_append_lit(b, "\"");
    for (size_t i = 0; i < field.n; i++) {
        if (field.p[i] == '"')
            buf_append_lit(b, "\"");
        buf_append(b, field.p + i, 1);
    }
    buf_append_lit(b, "\"");
}
