/* What the tests of the configuration share: values as text, files that go when a test ends. */
#ifndef TESTS_UNIT_CONFIG_FIXTURE_H
#define TESTS_UNIT_CONFIG_FIXTURE_H

#include "core/config.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define local_buf __attribute__((cleanup(buf_fini))) struct buf

/* Text of a buffer as a string; the buffer keeps it. */
static inline const char *
text(struct buf *b)
{
    *buf_reserve(b, 1) = '\0';
    return b->p;
}

static inline const char *
value(const struct config *c, const char *name)
{
    static struct buf out[4];
    static unsigned turn;
    struct buf *b = &out[turn++ % ARRAY_SIZE(out)];

    b->n = 0;
    config_get(c, config_find(slice_of(name)), b);
    return text(b);
}

static inline void
expect_same(const struct config *a, const struct config *b)
{
    const struct config_row *row;
    size_t i;

    for (i = 0; (row = config_row(i)) != NULL; i++)
        cr_expect_str_eq(value(a, row->name), value(b, row->name), "%s", row->name);
}

static inline bool
is_number(const struct config_row *row)
{
    return row->type == CONFIG_INT || row->type == CONFIG_POWER2 || row->type == CONFIG_BYTES ||
           row->type == CONFIG_DURATION;
}

static inline uint64_t
number(const struct config *c, const struct config_row *row)
{
    return *(const uint64_t *)((const char *)c + row->offset);
}

/* Parses `v` for `name`; the result is what config_parse said, err its message. */
static inline int
try_value(struct config *c, const char *name, const char *v, struct buf *err)
{
    err->n = 0;
    return config_parse(c, config_find(slice_of(name)), slice_of(v), err);
}

static inline int
load(struct config *c, const char *yaml, struct buf *err)
{
    config_init(c);
    err->n = 0;
    return config_load_text(c, "x.yaml", slice_of(yaml), err);
}

static inline void
remove_file(char **path)
{
    unlink(*path);
    free(*path);
}

#define local_path __attribute__((cleanup(remove_file)))

static inline char *
temporary_file(const char *content)
{
    char *path = strdup("/tmp/pinstripe-config-XXXXXX");
    int fd = mkstemp(path);

    cr_assert_geq(fd, 0);
    cr_assert_eq(write(fd, content, strlen(content)), (ssize_t)strlen(content));
    close(fd);
    return path;
}

#endif
