#include "tools/lib/keyname.h"

#include <stdio.h>

#define DATE_DIGITS 8

static void
set_part(char *to, size_t size, const char *p, size_t n)
{
    n = MIN(n, size - 1);
    memcpy(to, p, n);
    to[n] = '\0';
}

static bool
drop_end(char *name, const char *end)
{
    size_t n = strlen(name), m = strlen(end);

    if (n <= m || strcmp(name + n - m, end) != 0)
        return false;
    name[n - m] = '\0';
    return true;
}

static bool
is_date(const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (p[i] < '0' || p[i] > '9')
            return false;
    return n == DATE_DIGITS;
}

/* What Lean puts besides into names of files. */
static bool
is_noise(const char *p, size_t n)
{
    static const char *const words[] = {"tick", "second", "minute", "hour", "daily"};

    for (size_t i = 0; i < ARRAY_SIZE(words); i++)
        if (strlen(words[i]) == n && memcmp(words[i], p, n) == 0)
            return true;
    return false;
}

static void
take_part(struct file_facts *f, const char *p, size_t n)
{
    if (is_date(p, n) && f->date[0] == '\0')
        set_part(f->date, sizeof(f->date), p, n);
    else if (n == 5 && (memcmp(p, "trade", 5) == 0 || memcmp(p, "quote", 5) == 0))
        set_part(f->kind, sizeof(f->kind), p, n);
    else if (!is_noise(p, n) && f->symbol[0] == '\0')
        set_part(f->symbol, sizeof(f->symbol), p, n);
}

void
file_facts_of(struct file_facts *f, const char *path)
{
    static const char *const ends[] = {".gz", ".zst", ".csv", ".txt", ".lp"};
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path, *p;

    memset(f, 0, sizeof(*f));
    set_part(f->file, sizeof(f->file), name, strlen(name));
    for (size_t i = 0; i < ARRAY_SIZE(ends); i++)
        drop_end(f->file, ends[i]);
    for (p = f->file; *p; p += p[0] == '_') {
        size_t n = strcspn(p, "_");

        take_part(f, p, n);
        p += n;
    }
}

static const char *
fact(const struct file_facts *f, const char *name, size_t n)
{
    const struct {
        const char *name, *value;
    } facts[] = {{"file", f->file}, {"symbol", f->symbol}, {"date", f->date}, {"kind", f->kind}};

    for (size_t i = 0; i < ARRAY_SIZE(facts); i++)
        if (strlen(facts[i].name) == n && memcmp(facts[i].name, name, n) == 0)
            return facts[i].value;
    return NULL;
}

static bool
add(struct keyname *k, const char *p, size_t n)
{
    char *to = k->has_key ? k->after : k->before;
    size_t *at = k->has_key ? &k->after_n : &k->before_n;

    if (*at + n > KEYNAME_MAX)
        return false;
    memcpy(to + *at, p, n);
    *at += n;
    return true;
}

/* At "{name}". Returns what is wrong, or NULL. */
static const char *
add_name(struct keyname *k, const struct file_facts *f, const char *name, size_t n)
{
    const char *value;

    if (n == 3 && memcmp(name, "key", 3) == 0) {
        if (k->has_key)
            return "has {key} twice";
        k->has_key = true;
        return NULL;
    }
    value = f ? fact(f, name, n) : NULL;
    if (value == NULL)
        return f ? "has a name other than key, file, symbol, date and kind"
                 : "has a name other than key";
    if (*value == '\0')
        return "needs a part that the file's name does not have";
    return add(k, value, strlen(value)) ? NULL : "is too long";
}

const char *
keyname_parse(struct keyname *k, struct slice text, const struct file_facts *f)
{
    const char *p = text.p, *end = text.p + text.n, *close, *wrong = NULL;

    k->has_key = false;
    k->before_n = k->after_n = 0;
    while (p < end && wrong == NULL) {
        if ((p[0] == '{' || p[0] == '}') && p + 1 < end && p[1] == p[0]) {
            wrong = add(k, p, 1) ? NULL : "is too long";
            p += 2;
        } else if (p[0] == '{') {
            close = memchr(p, '}', (size_t)(end - p));
            wrong = close ? add_name(k, f, p + 1, (size_t)(close - p - 1)) : "has no } behind {";
            p = close ? close + 1 : p;
        } else {
            wrong = add(k, p++, 1) ? NULL : "is too long";
        }
    }
    return wrong == NULL && !k->has_key && k->before_n == 0 ? "is empty" : wrong;
}

int
keyname_init(struct keyname *k, const char *text, const struct file_facts *f, char *error,
             size_t error_size)
{
    const char *wrong = keyname_parse(k, slice_of(text), f);

    if (wrong)
        snprintf(error, error_size, "--key '%s' %s", text, wrong);
    return wrong ? -EINVAL : 0;
}

void
keyname_put(const struct keyname *k, struct slice key, struct buf *out)
{
    buf_append(out, k->before, k->before_n);
    if (k->has_key)
        buf_append(out, key.p, key.n);
    buf_append(out, k->after, k->after_n);
}

bool
keyname_match(const struct keyname *k, struct slice key, struct slice *ret_key)
{
    if (key.n < k->before_n + k->after_n || memcmp(key.p, k->before, k->before_n) != 0 ||
        memcmp(key.p + key.n - k->after_n, k->after, k->after_n) != 0)
        return false;
    *ret_key = (struct slice){key.p + k->before_n, key.n - k->before_n - k->after_n};
    return k->has_key || ret_key->n == 0;
}
