#include "tools/load/labels.h"

#include "tools/lib/client.h"
#include "tools/lib/influx.h"

#include <stdio.h>
#include <stdlib.h>

/* "name=template" */
static const char *
add_rule(struct labels *l, struct slice text, const struct file_facts *f)
{
    struct label_rule *r = &l->rules[l->rules_n];
    const char *equals = memchr(text.p, '=', text.n);
    size_t n = equals ? (size_t)(equals - text.p) : 0;

    if (l->rules_n == LABEL_RULES_MAX)
        return "is one too many";
    if (n == 0 || n > LABEL_NAME_MAX)
        return "is not of the form NAME=TEXT";
    memcpy(r->name, text.p, n);
    r->name[n] = '\0';
    l->rules_n++;
    return keyname_parse(&r->value, (struct slice){equals + 1, text.n - n - 1}, f);
}

int
labels_init(struct labels *l, const char *text, const struct file_facts *f, char *error,
            size_t error_size)
{
    const char *p = text, *wrong = NULL;

    l->rules_n = l->n = 0;
    l->off = text && strcmp(text, "none") == 0;
    while (p && !l->off && wrong == NULL) {
        size_t n = strcspn(p, ",");

        wrong = add_rule(l, (struct slice){p, n}, f);
        if (wrong)
            snprintf(error, error_size, "--labels: '%.*s' %s", (int)MIN(n, (size_t)128), p, wrong);
        p = p[n] ? p + n + 1 : NULL;
    }
    return wrong ? -EINVAL : 0;
}

void
labels_fini(struct labels *l)
{
    buf_fini(&l->args);
}

bool
labels_name_key(const struct labels *l)
{
    for (unsigned i = 0; i < l->rules_n; i++)
        if (l->rules[i].value.has_key)
            return true;
    return false;
}

void
labels_set(struct labels *l, struct slice key)
{
    struct buf value = {0};

    l->n = 0;
    l->args.n = 0;
    for (unsigned i = 0; i < l->rules_n; i++) {
        value.n = 0;
        keyname_put(&l->rules[i].value, key, &value);
        labels_add(l, slice_of(l->rules[i].name), (struct slice){value.p, value.n});
    }
    buf_fini(&value);
}

void
labels_add(struct labels *l, struct slice name, struct slice value)
{
    client_argument(&l->args, name);
    client_argument(&l->args, value);
    for (char *p = l->args.p + l->args.n - 2 - value.n, *end = p + value.n; p < end; p++)
        if (*p == '(' || *p == ')' || *p == ',')
            *p = '_';
    l->n++;
}

static void
add_unescaped(struct labels *l, struct slice name, struct slice value)
{
    struct buf text = {0};
    size_t name_n;

    influx_unescape(&text, name);
    name_n = text.n;
    influx_unescape(&text, value);
    labels_add(l, (struct slice){text.p, name_n}, (struct slice){text.p + name_n, text.n - name_n});
    buf_fini(&text);
}

void
labels_add_influx(struct labels *l, struct slice series, struct slice field)
{
    struct slice name, value;

    influx_measurement(&series, &value);
    add_unescaped(l, SLICE("_measurement"), value);
    while (influx_next_tag(&series, &name, &value))
        add_unescaped(l, name, value);
    add_unescaped(l, SLICE("_field"), field);
}
