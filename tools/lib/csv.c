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
