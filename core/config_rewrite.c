/* CONFIG REWRITE replaces the bytes of a value between the marks libyaml gives, so comments, order
 * and spacing of the rest stay as they were. It reads its own result back before it writes. */
#include "core/config_yaml_priv.h"

#include "core/whole_file.h"

#include <stdlib.h>

#define REWRITE_COMMENT "# Added by CONFIG REWRITE"

struct rewrite {
    struct config_walk walk;
    const struct config *c;
    struct slice text;
    struct buf *out;
    size_t chars, bytes;         /* the same place in text, counted both ways */
    size_t copied;               /* bytes of text that are in out */
    bool there[CONFIG_ROWS_MAX]; /* by row: the file has it */
};

/* libyaml's marks count characters. Calls come in ascending order. */
static size_t
byte_of(struct rewrite *rw, size_t chars)
{
    while (rw->chars < chars && rw->bytes < rw->text.n) {
        rw->bytes++;
        while (rw->bytes < rw->text.n && ((unsigned char)rw->text.p[rw->bytes] & 0xc0) == 0x80)
            rw->bytes++;
        rw->chars++;
    }
    return rw->bytes;
}

static void
copy_until(struct rewrite *rw, size_t end)
{
    if (end > rw->copied)
        buf_append(rw->out, rw->text.p + rw->copied, end - rw->copied);
    rw->copied = MAX(end, rw->copied);
}

static bool
same_value(const struct config *a, const struct config *b, const struct config_row *row)
{
    struct buf x = {0}, y = {0};
    bool same;

    config_get(a, row, &x);
    config_get(b, row, &y);
    same = slice_equal((struct slice){x.p, x.n}, (struct slice){y.p, y.n});
    buf_fini(&x);
    buf_fini(&y);
    return same;
}

static void
append_value(struct rewrite *rw, const struct config_row *row)
{
    struct buf value = {0};

    config_get_human(rw->c, row, &value);
    config_yaml_scalar((struct slice){value.p, value.n}, rw->out);
    buf_fini(&value);
}

/* Block text at the end of a file without a last line feed: to append a line would change it. */
static bool
is_open_block(const yaml_event_t *value)
{
    yaml_scalar_style_t style = value->data.scalar.style;

    return (style == YAML_LITERAL_SCALAR_STYLE || style == YAML_FOLDED_SCALAR_STYLE) &&
           value->end_mark.column != 0;
}

static int
rewrite_entry(struct config_walk *w, const yaml_event_t *name, const yaml_event_t *value)
{
    struct rewrite *rw = container_of(w, struct rewrite, walk);
    const struct config_row *row = config_find(config_yaml_text(name));
    struct config old = *rw->c;
    size_t start, end;

    rw->there[config_row_index(row)] = true;
    /* The file was loaded before: its values are right. */
    ASSERT(config_parse(&old, row, config_yaml_text(value), w->err) == 0);
    if (same_value(&old, rw->c, row) && !is_open_block(value))
        return 0;
    start = byte_of(rw, value->start_mark.index);
    end = byte_of(rw, value->end_mark.index);
    copy_until(rw, start);
    if (start > 0 && rw->text.p[start - 1] == ':')
        buf_append_lit(rw->out, " "); /* there was no value */
    else if (value->start_mark.column <= w->column)
        /* Only block text may start a line this far left. */
        buf_printf(rw->out, "%*s", (int)(w->column + 1 - value->start_mark.column), "");
    append_value(rw, row);
    /* A block text ("|", ">") ends where the next line starts. */
    if (end > start && value->end_mark.column == 0)
        buf_append_lit(rw->out, "\n");
    rw->copied = end;
    return 0;
}

/* Settings the file does not have and that are not at their default. */
static void
rewrite_rest(struct rewrite *rw)
{
    struct config defaults;
    const struct config_row *row;
    bool commented = false;
    size_t i;

    config_init(&defaults);
    for (i = 0; (row = config_row(i)) != NULL; i++) {
        if (rw->there[i] || same_value(&defaults, rw->c, row))
            continue;
        if (rw->out->n > 0 && rw->out->p[rw->out->n - 1] != '\n')
            buf_append_lit(rw->out, "\n");
        if (!commented)
            buf_append_lit(rw->out, REWRITE_COMMENT "\n");
        commented = true;
        buf_printf(rw->out, "%*s%s: ", (int)rw->walk.column, "", row->name);
        append_value(rw, row);
        buf_append_lit(rw->out, "\n");
    }
}

/* What was written must read back as what we have. */
static int
rewrite_verify(const struct config *c, const char *path, struct slice text, struct buf *err)
{
    struct config back;
    const struct config_row *row;
    size_t i;
    int r;

    config_init(&back);
    r = config_load_text(&back, path, text, err);
    for (i = 0; r == 0 && (row = config_row(i)) != NULL; i++)
        if (!same_value(&back, c, row)) {
            buf_printf(err, "%s: the new text would not give %s its value back", path, row->name);
            r = -EINVAL;
        }
    return r;
}

int
config_rewrite_text(const struct config *c, struct slice text, struct buf *out, struct buf *err)
{
    struct config present = *c;
    struct buf made = {0};
    struct rewrite rw = {.walk = {.path = c->file, .err = err, .entry = rewrite_entry},
                         .c = c,
                         .text = text,
                         .out = &made,
                         .bytes = config_bom_bytes(text)};
    int r = config_load_text(&present, c->file, text, err);

    if (r == 0)
        r = config_walk(&rw.walk, text);
    if (r == 0) {
        copy_until(&rw, text.n);
        rewrite_rest(&rw);
        r = rewrite_verify(c, c->file, (struct slice){made.p, made.n}, err);
    }
    if (r == 0 && made.n > 0)
        buf_append(out, made.p, made.n);
    buf_fini(&made);
    return r;
}

int
config_rewrite(const struct config *c, struct buf *err)
{
    struct buf old = {0}, out = {0};
    int r;

    if (c->file[0] == '\0') {
        buf_append_lit(err, "The server is running without a config file");
        return -ENOENT;
    }
    r = config_read_file(c->file, &old, err);
    if (r == 0)
        r = config_rewrite_text(c, (struct slice){old.p, old.n}, &out, err);
    if (r == 0) {
        r = whole_file_rewrite(c->file, (struct slice){out.p, out.n});
        if (r < 0)
            buf_printf(err, "Rewriting config file: %s", strerror(-r));
    }
    buf_fini(&old);
    buf_fini(&out);
    return r;
}
