/* The YAML file: a flat map of name: value, read with libyaml's event interface.
 *
 * Only block style is taken ("name: value" lines, no {...}, no lists): one way to write a thing,
 * and CONFIG REWRITE can append a line to any file we accept. */
#include "core/config_yaml_priv.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

/* Walking the file */

static int
walk_error(struct config_walk *w, size_t line, const char *what)
{
    buf_printf(w->err, "%s:%zu: %s", w->path, line + 1, what);
    return -EINVAL;
}

/* Reads the next event into w->event, whose former content must have been deleted. */
static int
walk_next(struct config_walk *w)
{
    const yaml_parser_t *p = &w->parser;

    if (yaml_parser_parse(&w->parser, &w->event))
        return 0;
    memset(&w->event, 0, sizeof(w->event));
    return walk_error(w, p->error == YAML_READER_ERROR ? p->mark.line : p->problem_mark.line,
                      p->problem != NULL ? p->problem : "out of memory");
}

static int
walk_step(struct config_walk *w)
{
    yaml_event_delete(&w->event);
    return walk_next(w);
}

/* w->event is a name; leaves the value's event behind. */
static int
walk_entry(struct config_walk *w)
{
    yaml_event_t name = w->event;
    int r;

    memset(&w->event, 0, sizeof(w->event));
    /* A name that is not where its line starts was written "? name". */
    if (name.type != YAML_SCALAR_EVENT || name.start_mark.column != w->column)
        r = walk_error(w, name.start_mark.line, "expected a line of the form name: value");
    else
        r = walk_next(w);
    if (r == 0 && w->event.type != YAML_SCALAR_EVENT) {
        buf_printf(w->err, "%s:%zu: %.*s: expected one value, no list, map or alias", w->path,
                   w->event.start_mark.line + 1, (int)MIN(config_yaml_text(&name).n, (size_t)64),
                   config_yaml_text(&name).p);
        r = -EINVAL;
    }
    if (r == 0)
        r = w->entry(w, &name, &w->event);
    yaml_event_delete(&name);
    return r;
}

static int
walk_map(struct config_walk *w)
{
    int r;

    /* "---" and nothing else: a value of no characters. */
    if (w->event.type == YAML_SCALAR_EVENT && w->event.start_mark.index == w->event.end_mark.index)
        return walk_step(w);
    if (w->event.type != YAML_MAPPING_START_EVENT ||
        w->event.data.mapping_start.style == YAML_FLOW_MAPPING_STYLE ||
        w->event.data.mapping_start.tag != NULL || w->event.data.mapping_start.anchor != NULL)
        return walk_error(w, w->event.start_mark.line, "expected lines of the form name: value");
    w->column = w->event.start_mark.column;
    r = walk_step(w);
    while (r == 0 && w->event.type != YAML_MAPPING_END_EVENT) {
        r = walk_entry(w);
        if (r == 0)
            r = walk_step(w);
    }
    return r < 0 ? r : walk_step(w);
}

static int
walk_document(struct config_walk *w)
{
    int r = walk_next(w);

    if (r == 0)
        r = walk_step(w); /* over the start of the stream */
    if (r < 0 || w->event.type == YAML_STREAM_END_EVENT)
        return r;
    r = walk_step(w); /* over the start of the document */
    if (r == 0)
        r = walk_map(w);
    if (r < 0)
        return r;
    ASSERT(w->event.type == YAML_DOCUMENT_END_EVENT);
    if (!w->event.data.document_end.implicit)
        return walk_error(w, w->event.start_mark.line, "'...' has no place here");
    r = walk_step(w);
    if (r == 0 && w->event.type != YAML_STREAM_END_EVENT)
        return walk_error(w, w->event.start_mark.line, "a second document has no place here");
    return r;
}

size_t
config_bom_bytes(struct slice text)
{
    static const char bom[3] = {(char)0xef, (char)0xbb, (char)0xbf};

    return text.n >= sizeof(bom) && memcmp(text.p, bom, sizeof(bom)) == 0 ? sizeof(bom) : 0;
}

int
config_walk(struct config_walk *w, struct slice text)
{
    size_t bom = config_bom_bytes(text);
    int r;

    if (!yaml_parser_initialize(&w->parser))
        return walk_error(w, 0, "out of memory");
    yaml_parser_set_encoding(&w->parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(
        &w->parser, (const unsigned char *)(text.n > 0 ? text.p + bom : ""), text.n - bom);
    r = walk_document(w);
    yaml_event_delete(&w->event);
    yaml_parser_delete(&w->parser);
    return r;
}

/* Loading */

struct load {
    struct config_walk walk;
    struct config *next;
    size_t lines[CONFIG_ROWS_MAX]; /* by row: line of its entry, 0 = none yet */
};

static int
load_entry(struct config_walk *w, const yaml_event_t *name, const yaml_event_t *value)
{
    struct load *l = container_of(w, struct load, walk);
    const struct config_row *row = config_find(config_yaml_text(name));
    size_t line = name->start_mark.line + 1, start = w->err->n, *seen;

    buf_printf(w->err, "%s:%zu: ", w->path, line);
    if (row == NULL) {
        config_say_unknown(config_yaml_text(name), w->err);
        return -EINVAL;
    }
    seen = &l->lines[config_row_index(row)];
    if (*seen != 0) {
        buf_printf(w->err, "%s is set in line %zu already", row->name, *seen);
        return -EINVAL;
    }
    *seen = line;
    buf_printf(w->err, "%s: ", row->name);
    if (config_parse(l->next, row, config_yaml_text(value), w->err) < 0)
        return -EINVAL;
    w->err->n = start; /* nothing to say after all */
    return 0;
}

/* ret_lines may be NULL. */
static int
load_text(struct config *c, const char *path, struct slice text, size_t *ret_lines, struct buf *err)
{
    struct config next = *c;
    struct load l = {.walk = {.path = path, .err = err, .entry = load_entry}, .next = &next};
    int r = config_walk(&l.walk, text);

    if (r == 0)
        *c = next;
    if (r == 0 && ret_lines)
        memcpy(ret_lines, l.lines, sizeof(l.lines));
    return r;
}

int
config_load_text(struct config *c, const char *path, struct slice text, struct buf *err)
{
    return load_text(c, path, text, NULL, err);
}

/* Reads all of an open file. 0 or a negative errno. */
static int
read_all(int fd, struct buf *ret_text)
{
    ssize_t n;

    do {
        n = read(fd, buf_reserve(ret_text, 65536), 65536);
        if (n < 0 && errno != EINTR)
            return -errno;
        ret_text->n += n > 0 ? (size_t)n : 0;
        if (ret_text->n > CONFIG_FILE_BYTES_MAX)
            return -EFBIG;
    } while (n != 0);
    return 0;
}

int
config_read_file(const char *path, struct buf *ret_text, struct buf *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    int r = fd < 0 ? -errno : read_all(fd, ret_text);

    if (fd >= 0)
        close(fd);
    if (r < 0)
        buf_printf(err, "%s: %s", path, strerror(-r));
    return r;
}

int
config_load_lines(struct config *c, const char *path, size_t ret_lines[CONFIG_ROWS_MAX],
                  struct buf *err)
{
    struct buf text = {0};
    struct config next = *c;
    char *resolved = NULL;
    int r = config_read_file(path, &text, err);

    if (r == 0)
        r = load_text(&next, path, (struct slice){text.p, text.n}, ret_lines, err);
    if (r == 0) {
        resolved = realpath(path, NULL);
        r = resolved == NULL                           ? -errno
            : strlen(resolved) > CONFIG_TEXT_BYTES_MAX ? -ENAMETOOLONG
                                                       : 0;
        if (r < 0)
            buf_printf(err, "%s: %s", path, strerror(-r));
    }
    if (r == 0) {
        strcpy(next.file, resolved);
        *c = next;
    }
    free(resolved);
    buf_fini(&text);
    return r;
}

int
config_load(struct config *c, const char *path, struct buf *err)
{
    return config_load_lines(c, path, NULL, err);
}
