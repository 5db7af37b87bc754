#include "shards/labels/label_filter_priv.h"

#include <stdio.h>
#include <stdlib.h>

/* --- text ------------------------------------------------------------------------------------- */

static bool
one_of(char ch, const char *set)
{
    return ch != 0 && strchr(set, ch) != NULL;
}

/* The next piece of *rest that has none of these characters; p NULL: there is none. */
static struct slice
next_piece(struct slice *rest, const char *separators)
{
    struct slice piece;
    size_t i = 0, begin;

    while (i < rest->n && one_of(rest->p[i], separators))
        i++;
    begin = i;
    while (i < rest->n && !one_of(rest->p[i], separators))
        i++;
    if (i == begin)
        return (struct slice){0};
    piece = (struct slice){rest->p + begin, i - begin};
    i += i < rest->n;
    *rest = (struct slice){rest->p + i, rest->n - i};
    return piece;
}

static bool
contains(struct slice s, const char *what)
{
    return memmem(s.p, s.n, what, strlen(what)) != NULL;
}

/* --- expressions ------------------------------------------------------------------------------ */

static void
add_value(struct label_filter *f, struct label_match *m, struct slice value)
{
    f->values[f->values_n++] = value;
    m->values_n++;
}

/* "a,b)": false without the bracket. */
static bool
parse_list(struct label_filter *f, struct label_match *m, struct slice list)
{
    struct slice value;

    if (list.p == NULL || list.p[list.n - 1] != ')')
        return false;
    list.n--;
    while ((value = next_piece(&list, ",")).p != NULL)
        add_value(f, m, value);
    return true;
}

static bool
parse_with(struct label_filter *f, struct label_match *m, struct slice text, const char *operator)
{
    bool is_list = strchr(operator, '(') != NULL, negated = operator[0] == '!';
    struct slice value;

    m->name = next_piece(&text, operator);
    if (m->name.p == NULL)
        return false;
    value = next_piece(&text, operator);
    m->op = negated ? LABEL_NOT_IN : LABEL_IN;
    if (is_list)
        return parse_list(f, m, value);
    if (value.p == NULL)
        m->op = negated ? LABEL_WITH : LABEL_WITHOUT;
    else
        add_value(f, m, value);
    return true;
}

static bool
parse_match(struct label_filter *f, struct label_match *m, struct slice text)
{
    static const char *const operators[] = {"!=(", "!=", "=(", "="};

    for (size_t i = 0; i < ARRAY_SIZE(operators); i++)
        if (contains(text, operators[i]))
            return parse_with(f, m, text, operators[i]);
    return false;
}

/* "name=~" or "name!~" at its start: the rest is the pattern. */
static bool
is_regex(struct slice text, struct label_match *m, struct slice *ret_pattern)
{
    size_t i = 0;

    while (i < text.n && !one_of(text.p[i], "=!~"))
        i++;
    if (i == 0 || i + 1 >= text.n || text.p[i] == '~' || text.p[i + 1] != '~')
        return false;
    m->name = (struct slice){text.p, i};
    m->op = text.p[i] == '=' ? LABEL_LIKE : LABEL_NOT_LIKE;
    *ret_pattern = (struct slice){text.p + i + 2, text.n - i - 2};
    return true;
}

static bool
parse_one(struct label_filter *f, struct slice text, bool extended, char *ret_err)
{
    struct label_match *m = &f->match[f->n];
    struct slice pattern;

    *m = (struct label_match){.values = f->values_n};
    if (extended && is_regex(text, m, &pattern)) {
        m->regex = label_regex_create(pattern, ret_err);
        f->n += m->regex != NULL;
        return m->regex != NULL;
    }
    if (parse_match(f, m, text)) {
        f->n++;
        return true;
    }
    snprintf(ret_err, LABEL_FILTER_ERROR_BYTES, "ERR TSDB: failed parsing labels");
    return false;
}

/* --- the whole -------------------------------------------------------------------------------- */

/* Every side of OR names values? */
static bool
has_matchers(const struct label_filter *f)
{
    bool found = false;

    for (uint32_t i = 0; i < f->n; i++) {
        found = found || f->match[i].op == LABEL_IN || f->match[i].op == LABEL_LIKE;
        if (f->match[i].ends && !found)
            return false;
        if (f->match[i].ends)
            found = false;
    }
    return f->n > 0;
}

/* An OR stands between two expressions. */
static bool
end_side(struct label_filter *f, bool more, char *ret_err)
{
    if (f->n > 0 && !f->match[f->n - 1].ends && more) {
        f->match[f->n - 1].ends = true;
        return true;
    }
    snprintf(ret_err, LABEL_FILTER_ERROR_BYTES,
             "ERR TSDB: OR stands between two filter expressions");
    return false;
}

static bool
parse_all(struct label_filter *f, const struct slice *argv, uint32_t n, bool extended,
          char *ret_err)
{
    for (uint32_t i = 0; i < n; i++) {
        bool is_or = extended && slice_is(argv[i], "or");

        if (is_or ? !end_side(f, i + 1 < n, ret_err) : !parse_one(f, argv[i], extended, ret_err))
            return false;
    }
    if (f->n > 0)
        f->match[f->n - 1].ends = true;
    if (has_matchers(f))
        return true;
    snprintf(ret_err, LABEL_FILTER_ERROR_BYTES, "ERR TSDB: please provide at least one matcher");
    return false;
}

int
label_filter_parse(const struct slice *argv, uint32_t n, bool extended,
                   struct label_filter **ret_f, char *ret_err)
{
    struct label_filter *f = calloc(1, sizeof(*f));
    size_t values = 0;

    ASSERT(f);
    for (uint32_t i = 0; i < n; i++)
        values += argv[i].n / 2 + 1; /* a value in a list takes two bytes with its comma */
    f->match = calloc(n + 1, sizeof(*f->match));
    f->values = calloc(values + 1, sizeof(*f->values));
    ASSERT(f->match && f->values);
    if (!parse_all(f, argv, n, extended, ret_err)) {
        label_filter_free(&f);
        return -EINVAL;
    }
    *ret_f = f;
    return 0;
}

void
label_filter_free(struct label_filter **f)
{
    if (*f == NULL)
        return;
    for (uint32_t i = 0; i < (*f)->n; i++)
        label_regex_free((*f)->match[i].regex);
    free((*f)->match);
    free((*f)->values);
    free(*f);
    *f = NULL;
}

/* --- the definition --------------------------------------------------------------------------- */

static bool
value_fits(const struct label_filter *f, const struct label_match *m, struct slice value)
{
    struct label_regex_run run;
    bool fits = false;

    for (uint32_t i = 0; i < m->values_n && !fits; i++)
        fits = slice_equal(f->values[m->values + i], value);
    if (m->regex) {
        label_regex_begin(&run, m->regex, UINT64_MAX);
        fits = label_regex_try(&run, value) == 1;
        label_regex_end(&run);
    }
    return fits;
}

static bool
match_holds(const struct label_filter *f, const struct label_match *m, const struct series_label *l,
            uint32_t n)
{
    bool there = false, fits = false;

    for (uint32_t i = 0; i < n; i++) {
        if (!slice_equal(l[i].name, m->name))
            continue;
        there = true;
        fits = fits || value_fits(f, m, l[i].value);
    }
    switch (m->op) {
    case LABEL_IN:
    case LABEL_LIKE:
        return fits;
    case LABEL_NOT_IN:
    case LABEL_NOT_LIKE:
        return !fits;
    case LABEL_WITHOUT:
        return !there;
    case LABEL_WITH:
        break;
    }
    return there;
}

bool
label_filter_matches(const struct label_filter *f, const struct series_label *l, uint32_t n)
{
    bool all = true;

    for (uint32_t i = 0; i < f->n; i++) {
        all = all && match_holds(f, &f->match[i], l, n);
        if (!f->match[i].ends)
            continue;
        if (all)
            return true;
        all = true;
    }
    return false;
}
