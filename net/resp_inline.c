/* Splitting an inline command into arguments, by the quoting rules of Redis:
 *
 *   plain text   ends at a space, tab, CR or LF; a quote inside it opens a quoted part: a"b c" is
 *                one argument, ab c
 *   "text"       knows \n \r \t \b \a \xHH, and a backslash before anything else stands for that
 *   'text'       knows \' only
 *
 * After a closing quote the argument is over and a blank or the end of the line must follow. The
 * result is never longer than the source, so it is written over it, each argument in its place: the
 * source is a copy of the line. */
#include "net/resp_priv.h"

struct cursor {
    char *in, *end, *out;
};

/* isspace() of the C locale: what may stand between arguments and after a closing quote. */
static bool
is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* What ends plain text; vertical tab and form feed do not, as in Redis. */
static bool
ends_plain(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static int
hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = ascii_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static char
escaped(char c)
{
    switch (c) {
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 't':
        return '\t';
    case 'b':
        return '\b';
    case 'a':
        return '\a';
    default:
        return c;
    }
}

/* c->in stands on a backslash inside double quotes. */
static void
take_escape(struct cursor *c)
{
    size_t left = (size_t)(c->end - c->in);

    if (left >= 4 && c->in[1] == 'x' && hex_digit(c->in[2]) >= 0 && hex_digit(c->in[3]) >= 0) {
        *c->out++ = (char)(hex_digit(c->in[2]) << 4 | hex_digit(c->in[3]));
        c->in += 4;
    } else if (left >= 2) {
        *c->out++ = escaped(c->in[1]);
        c->in += 2;
    } else {
        *c->out++ = *c->in++;
    }
}

static bool
is_escape(const struct cursor *c, char quote)
{
    if (*c->in != '\\')
        return false;
    return quote == '"' || (c->end - c->in >= 2 && c->in[1] == '\'');
}

/* Takes the text behind an opening quote and the closing one. False = no proper end. */
static bool
take_quoted(struct cursor *c, char quote)
{
    while (c->in < c->end && *c->in != quote) {
        if (is_escape(c, quote))
            take_escape(c);
        else
            *c->out++ = *c->in++;
    }
    if (c->in == c->end)
        return false;
    c->in++;
    return c->in == c->end || is_blank(*c->in);
}

static bool
take_argument(struct cursor *c)
{
    while (c->in < c->end && !ends_plain(*c->in)) {
        if (*c->in == '"' || *c->in == '\'')
            return take_quoted(c, *c->in++);
        *c->out++ = *c->in++;
    }
    return true;
}

bool
resp_split_plain(struct resp_parser *p, const char *line, size_t n, uint32_t *ret_argc)
{
    const char *end = line + n, *start;
    uint32_t argc = 0;

    for (;;) {
        while (line < end && is_blank(*line))
            line++;
        if (line == end)
            break;
        for (start = line; line < end && !ends_plain(*line);)
            line++;
        resp_push_arg(p, argc++, (uintptr_t)start, (size_t)(line - start));
    }
    *ret_argc = argc;
    return true;
}

bool
resp_split_quoted(struct resp_parser *p, char *line, size_t n, uint32_t *ret_argc)
{
    struct cursor c = {.in = line, .end = line + n};
    uint32_t argc = 0;
    char *start;

    for (;;) {
        while (c.in < c.end && is_blank(*c.in))
            c.in++;
        if (c.in == c.end)
            break;
        start = c.out = c.in;
        if (!take_argument(&c))
            return false;
        resp_push_arg(p, argc++, (uintptr_t)start, (size_t)(c.out - start));
    }
    *ret_argc = argc;
    return true;
}
