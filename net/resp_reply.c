/* Measuring replies. A reply is a tree, but its length needs no recursion: it is enough to count
 * the elements still owed, where an aggregate takes one and owes as many as it announces. */
#include "net/resp.h"

/* More elements than any reply could have; keeps the sum of what is owed far from overflow. */
#define REPLY_ELEMENTS_MAX (1ULL << 40)
#define REPLY_BULK_BYTES_MAX (1ULL << 40)

struct walk {
    const char *p;
    size_t n, at;
    uint64_t owed;
};

enum { STEP_OK = 1, STEP_INCOMPLETE = 0, STEP_MALFORMED = -1 };

/* The line at w->at behind its type byte; moves w->at behind its CRLF. */
static int
take_line(struct walk *w, struct slice *ret_line)
{
    const char *start = w->p + w->at + 1, *cr;

    cr = memchr(start, '\r', w->n - w->at - 1);
    if (cr == NULL || cr + 1 == w->p + w->n)
        return STEP_INCOMPLETE;
    if (cr[1] != '\n')
        return STEP_MALFORMED;
    *ret_line = (struct slice){start, (size_t)(cr - start)};
    w->at = (size_t)(cr + 2 - w->p);
    return STEP_OK;
}

static int
take_bulk(struct walk *w, struct slice line)
{
    int64_t len;

    if (!parse_int(line, &len) || len < -1 || len > (int64_t)REPLY_BULK_BYTES_MAX)
        return STEP_MALFORMED;
    if (len == -1)
        return STEP_OK;
    if (w->n - w->at < (size_t)len + 2)
        return STEP_INCOMPLETE;
    if (memcmp(w->p + w->at + len, "\r\n", 2) != 0)
        return STEP_MALFORMED;
    w->at += (size_t)len + 2;
    return STEP_OK;
}

/* `each` elements for every one announced. */
static int
take_aggregate(struct walk *w, struct slice line, unsigned each)
{
    int64_t count;

    if (!parse_int(line, &count) || count < -1 || count > (int64_t)REPLY_ELEMENTS_MAX)
        return STEP_MALFORMED;
    if (count > 0)
        w->owed += (uint64_t)count * each;
    return w->owed <= 4 * REPLY_ELEMENTS_MAX ? STEP_OK : STEP_MALFORMED;
}

static bool
is_big_number(struct slice s)
{
    size_t i = s.n > 0 && (s.p[0] == '-' || s.p[0] == '+');

    if (i == s.n)
        return false;
    for (; i < s.n; i++)
        if (s.p[i] < '0' || s.p[i] > '9')
            return false;
    return true;
}

static int
check(bool ok)
{
    return ok ? STEP_OK : STEP_MALFORMED;
}

/* One element, of which w->owed has been paid. */
static int
take_typed(struct walk *w, char type, struct slice line)
{
    int64_t i;
    double d;

    switch (type) {
    case '+':
    case '-':
        return STEP_OK;
    case ':':
        return check(parse_int(line, &i));
    case ',':
        return check(parse_double(line, &d));
    case '(':
        return check(is_big_number(line));
    case '#':
        return check(slice_equal(line, SLICE("t")) || slice_equal(line, SLICE("f")));
    case '_':
        return check(line.n == 0);
    case '$':
    case '=':
    case '!':
        return take_bulk(w, line);
    case '*':
    case '~':
    case '>':
        return take_aggregate(w, line, 1);
    case '%':
        return take_aggregate(w, line, 2);
    case '|': /* decorates the element after it, which is still owed */
        w->owed++;
        return take_aggregate(w, line, 2);
    default:
        return STEP_MALFORMED;
    }
}

int64_t
resp_reply_length(const char *p, size_t n)
{
    struct walk w = {.p = p, .n = n, .owed = 1};
    struct slice line;
    char type;
    int st;

    while (w.owed > 0) {
        if (w.at == n)
            return 0;
        type = p[w.at];
        if (strchr("+-:,(#_$=!*~>%|", type) == NULL || type == '\0')
            return -1;
        st = take_line(&w, &line);
        if (st != STEP_OK)
            return st;
        w.owed--;
        st = take_typed(&w, type, line);
        if (st != STEP_OK)
            return st;
    }
    return (int64_t)w.at;
}
