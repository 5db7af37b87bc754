#include "tools/lib/keys.h"

#include <stdlib.h>

void
keys_add_one(struct keys *ks, struct slice key)
{
    char *copy = malloc(key.n + 1);

    if (ks->n == ks->cap) {
        ks->cap = ks->cap ? ks->cap * 2 : 64;
        ks->key = realloc(ks->key, ks->cap * sizeof(*ks->key));
    }
    ASSERT(copy && ks->key);
    memcpy(copy, key.p, key.n);
    ks->key[ks->n++] = (struct slice){copy, key.n};
}

/* "[cursor, [key, ...]]"; the cursor is copied to `cursor`. */
static int
take_page(struct keys *ks, struct link *l, char *cursor, size_t cursor_size)
{
    struct reply_walk w = reply_walk_start(&l->reply);
    struct slice text;
    char type;
    int64_t n = reply_walk_next(&w, &type, &text);

    if (type != '*' || n != 2)
        return link_bad_answer(l, "SCAN");
    reply_walk_next(&w, &type, &text);
    if (type != '$' || text.n >= cursor_size)
        return link_bad_answer(l, "SCAN");
    memcpy(cursor, text.p, text.n);
    cursor[text.n] = '\0';
    n = reply_walk_next(&w, &type, &text);
    for (; type == '*' && n > 0; n--) {
        char kind;

        reply_walk_next(&w, &kind, &text);
        if (kind != '$')
            return link_bad_answer(l, "SCAN");
        keys_add_one(ks, text);
    }
    return type == '*' ? 0 : link_bad_answer(l, "SCAN");
}

int
keys_scan(struct keys *ks, struct link *l, const char *pattern)
{
    char cursor[32] = "0";
    int rc;

    do {
        struct slice argv[] = {SLICE("SCAN"),     slice_of(cursor),  SLICE("MATCH"),
                               slice_of(pattern), SLICE("COUNT"),    SLICE(KEYS_SCAN_COUNT),
                               SLICE("TYPE"),     SLICE("tsdb-type")};

        rc = link_ask(l, ARRAY_SIZE(argv), argv);
        if (rc == 0)
            rc = take_page(ks, l, cursor, sizeof(cursor));
    } while (rc == 0 && strcmp(cursor, "0") != 0);
    return rc;
}

int
keys_add(struct keys *ks, struct link *l, const char *word)
{
    if (strpbrk(word, "*?[\\"))
        return keys_scan(ks, l, word);
    keys_add_one(ks, slice_of(word));
    return 0;
}

static int
compare(const void *a, const void *b)
{
    const struct slice *x = a, *y = b;
    int order = memcmp(x->p, y->p, MIN(x->n, y->n));

    return order ? order : (x->n > y->n) - (x->n < y->n);
}

void
keys_sort(struct keys *ks)
{
    size_t kept = 0;

    if (ks->n > 1)
        qsort(ks->key, ks->n, sizeof(*ks->key), compare);
    for (size_t i = 0; i < ks->n; i++) {
        if (kept > 0 && slice_equal(ks->key[i], ks->key[kept - 1]))
            free((char *)(uintptr_t)ks->key[i].p);
        else
            ks->key[kept++] = ks->key[i];
    }
    ks->n = kept;
}

void
keys_fini(struct keys *ks)
{
    for (size_t i = 0; i < ks->n; i++)
        free((char *)(uintptr_t)ks->key[i].p);
    free(ks->key);
    *ks = (struct keys){0};
}
