#include "tools/load/missing.h"

static unsigned char
upper(char ch)
{
    return (unsigned char)(ch >= 'a' && ch <= 'z' ? ch - 'a' + 'A' : ch);
}

int
missing_init(struct missing *m, const char *text)
{
    *m = (struct missing){0};
    for (const char *p = *text ? text : NULL; p;) {
        size_t n = strcspn(p, ",");

        if (n == 0 || m->n == MISSING_WORDS_MAX)
            return -EINVAL;
        m->words[m->n++] = (struct slice){p, n};
        m->begins[(unsigned char)ascii_lower(*p)] = m->begins[upper(*p)] = true;
        p = p[n] ? p + n + 1 : NULL;
    }
    return 0;
}

static bool
is_same(struct slice a, struct slice b)
{
    size_t i = 0;

    while (i < a.n && i < b.n && ascii_lower(a.p[i]) == ascii_lower(b.p[i]))
        i++;
    return i == a.n && i == b.n;
}

bool
missing_has(const struct missing *m, struct slice cell)
{
    if (likely(cell.n == 0 || !m->begins[(unsigned char)*cell.p]))
        return false;
    for (unsigned i = 0; i < m->n; i++)
        if (is_same(m->words[i], cell))
            return true;
    return false;
}
