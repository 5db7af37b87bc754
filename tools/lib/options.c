#include "tools/lib/options.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define NUMBER_MAX 1e6

int
options_unsigned(const char *text, uint64_t min, uint64_t max, uint64_t *ret)
{
    char *end;
    unsigned long long v;

    errno = 0;
    v = strtoull(text, &end, 10);
    if (errno || end == text || *end || *text == '-' || v < min || v > max)
        return -EINVAL;
    *ret = v;
    return 0;
}

int
options_number(const char *text, double min, double max, double *ret)
{
    char *end;
    double v = strtod(text, &end);

    if (end == text || *end || !isfinite(v) || v < min || v > max)
        return -EINVAL;
    *ret = v;
    return 0;
}

static double
number_max(const struct option_row *row)
{
    return row->max ? (double)row->max : NUMBER_MAX;
}

static int
set_option(void *o, const struct option_row *row, const char *value)
{
    char *field = (char *)o + row->at;

    switch (row->kind) {
    case OPTION_FLAG:
        *(bool *)field = true;
        return 0;
    case OPTION_UNSIGNED:
        return options_unsigned(value, row->min, row->max, (uint64_t *)field);
    case OPTION_NUMBER:
        return options_number(value, (double)row->min, number_max(row), (double *)field);
    case OPTION_ABOVE:
        return options_number(value, DBL_TRUE_MIN, number_max(row), (double *)field);
    case OPTION_TEXT:
        *(const char **)field = value;
        return 0;
    }
    return -EINVAL;
}

static const struct option_row *
find_option(const struct option_table *t, const char *name, size_t n)
{
    for (size_t i = 0; i < t->n; i++)
        if (strlen(t->rows[i].name) == n && memcmp(t->rows[i].name, name, n) == 0)
            return &t->rows[i];
    return NULL;
}

static void
explain(const struct option_row *row, char *error, size_t error_size)
{
    switch (row->kind) {
    case OPTION_FLAG:
        snprintf(error, error_size, "--%s takes no value", row->name);
        break;
    case OPTION_UNSIGNED:
        snprintf(error, error_size, "--%s needs a whole number from %llu to %llu", row->name,
                 (unsigned long long)row->min, (unsigned long long)row->max);
        break;
    case OPTION_NUMBER:
        snprintf(error, error_size, "--%s needs a number from %llu to %.0f", row->name,
                 (unsigned long long)row->min, number_max(row));
        break;
    case OPTION_ABOVE:
        snprintf(error, error_size, "--%s needs a number above 0 up to %.0f", row->name,
                 number_max(row));
        break;
    default:
        snprintf(error, error_size, "--%s needs %s", row->name, row->argument);
        break;
    }
}

/* The option at argv[*at]; moves *at past it and its value. */
static int
parse_option(const struct option_table *t, void *o, int argc, const char *const *argv, int *at,
             char *error, size_t error_size)
{
    const char *arg = argv[*at], *equals = strchr(arg, '='), *value;
    const struct option_row *row =
        find_option(t, arg + 2, equals ? (size_t)(equals - arg - 2) : strlen(arg + 2));

    if (!row) {
        snprintf(error, error_size, "unknown option '%s', see --help", arg);
        return -EINVAL;
    }
    value = equals ? equals + 1 : NULL;
    (*at)++;
    if (row->kind != OPTION_FLAG && !value && *at < argc)
        value = argv[(*at)++];
    if ((row->kind == OPTION_FLAG) != (value == NULL) || set_option(o, row, value) < 0) {
        explain(row, error, error_size);
        return -EINVAL;
    }
    return 0;
}

int
options_parse(const struct option_table *t, void *o, int argc, const char *const *argv,
              const char **words, unsigned *ret_words, char *error, size_t error_size)
{
    unsigned n = 0;
    int at = 1, rc;
    bool only_words = false;

    while (at < argc) {
        if (!only_words && strcmp(argv[at], "--") == 0) {
            only_words = true;
            at++;
        } else if (!only_words && strncmp(argv[at], "--", 2) == 0) {
            rc = parse_option(t, o, argc, argv, &at, error, error_size);
            if (rc < 0)
                return rc;
        } else if (words) {
            words[n++] = argv[at++];
        } else {
            snprintf(error, error_size, "unknown option '%s', see --help", argv[at]);
            return -EINVAL;
        }
    }
    if (words)
        *ret_words = n;
    return 0;
}

const char *
options_password(void)
{
    const char *text = getenv("REDISCLI_AUTH");

    return text && *text ? text : NULL;
}

/* The next option from *at on, past which, and its value, *at is moved; NULL at the end. */
static const struct option_row *
next_given(const struct option_table *t, int argc, const char *const *argv, int *at)
{
    while (*at < argc && strcmp(argv[*at], "--") != 0) {
        const char *arg = argv[(*at)++], *equals = strchr(arg, '=');
        const struct option_row *row;

        if (strncmp(arg, "--", 2) != 0)
            continue;
        row = find_option(t, arg + 2, equals ? (size_t)(equals - arg - 2) : strlen(arg + 2));
        *at += row && row->kind != OPTION_FLAG && !equals;
        return row;
    }
    return NULL;
}

const struct option_use *
options_unused(const struct option_table *t, int argc, const char *const *argv, const struct option_use *uses,
               size_t n, unsigned form)
{
    const struct option_row *row;
    int at = 1;

    while ((row = next_given(t, argc, argv, &at)))
        for (size_t i = 0; i < n; i++)
            if (strcmp(uses[i].name, row->name) == 0 && !(uses[i].forms & form))
                return &uses[i];
    return NULL;
}

void
options_help(const struct option_table *t)
{
    char left[64];

    for (size_t i = 0; i < t->n; i++) {
        const struct option_row *row = &t->rows[i];

        snprintf(left, sizeof(left), "--%s %s", row->name, row->argument ? row->argument : "");
        if (strlen(left) > 26)
            printf("  %s\n  %-26s  %s\n", left, "", row->help);
        else
            printf("  %-26s  %s\n", left, row->help);
    }
}
