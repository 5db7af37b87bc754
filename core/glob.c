#include "core/glob.h"

static unsigned char
fold(char c, bool fold_case)
{
    return (unsigned char)(fold_case ? ascii_lower(c) : c);
}

/* One character of a pattern with its escape undone; steps *i over it. A \ at the very end stands
 * for itself. */
static unsigned char
pattern_char(struct slice pattern, size_t *i, bool fold_case)
{
    if (pattern.p[*i] == '\\' && *i + 1 < pattern.n)
        (*i)++;
    return fold(pattern.p[(*i)++], fold_case);
}

/* The bytes from low to high, whichever is the larger: numbers with a sign, as for Redis. */
static bool
range_match(char low, char high, char c)
{
    signed char a = (signed char)low, b = (signed char)high, x = (signed char)c;

    return x >= MIN(a, b) && x <= MAX(a, b);
}

/* A set; *i stands behind its '[' and ends behind its ']', or at the end of a set never closed. What
 * is escaped begins no range, and behind the - of a range stands any byte, a \ or ] as well. */
static bool
set_match(struct slice pattern, size_t *i, char c, bool fold_case)
{
    bool found = false, negated = *i < pattern.n && pattern.p[*i] == '^';

    if (negated)
        (*i)++;
    while (*i < pattern.n && pattern.p[*i] != ']') {
        const char *p = pattern.p + *i;
        size_t left = pattern.n - *i;
        bool escaped = left >= 2 && p[0] == '\\', range = !escaped && left >= 3 && p[1] == '-';
        char low = (char)fold(p[escaped], fold_case);

        found |= range_match(low, range ? (char)fold(p[2], fold_case) : low, c);
        *i += range ? 3 : 1U + escaped;
    }
    if (*i < pattern.n)
        (*i)++;
    return found != negated;
}

/* One pattern element that is not '*' against one character; steps *i over the element. */
static bool
one_match(struct slice pattern, size_t *i, char text, bool fold_case)
{
    unsigned char c = fold(text, fold_case);

    if (pattern.p[*i] == '?') {
        (*i)++;
        return true;
    }
    if (pattern.p[*i] == '[') {
        (*i)++;
        return set_match(pattern, i, (char)c, fold_case);
    }
    return pattern_char(pattern, i, fold_case) == c;
}

bool
glob_match(struct slice pattern, struct slice text, bool fold_case)
{
    size_t i = 0, at = 0;
    /* Only the last star ever needs another try: it takes one character more each time. */
    size_t star = SIZE_MAX, star_at = 0;

    if (text.n == 0)
        return pattern.n == 0 || (pattern.n == 1 && pattern.p[0] == '*');
    for (;;) {
        if (i < pattern.n && pattern.p[i] == '*') {
            star = ++i;
            star_at = at;
            continue;
        }
        if (at == text.n)
            break;
        if (i < pattern.n && one_match(pattern, &i, text.p[at], fold_case)) {
            at++;
            continue;
        }
        if (star == SIZE_MAX)
            return false;
        i = star;
        at = ++star_at;
    }
    return i == pattern.n;
}
