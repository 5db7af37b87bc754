#include "core/fieldmap.h"

#include "core/config.h"

#define FIELD_TEXT_BYTES (FIELDMAP_NAME_MAX + 3)

static int
hex_value(char ch)
{
    ch = ascii_lower(ch);
    if (ch >= '0' && ch <= '9')
        return ch - '0';
    return ch >= 'a' && ch <= 'f' ? ch - 'a' + 10 : -1;
}

static bool
is_name(struct slice s)
{
    if (s.n == 0 || s.n > FIELDMAP_NAME_MAX)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        char ch = ascii_lower(s.p[i]);

        if (!((ch >= 'a' && ch <= 'z') || (ch >= '0' && ch <= '9') || ch == '_'))
            return false;
    }
    return true;
}

/* "open=00" */
static bool
parse_field(struct slice word, struct field *ret)
{
    const char *sign = memchr(word.p, '=', word.n);
    struct slice name = {word.p, sign ? (size_t)(sign - word.p) : 0};
    int hi, lo;

    if (!is_name(name) || word.n != name.n + 3)
        return false;
    hi = hex_value(sign[1]);
    lo = hex_value(sign[2]);
    if (hi < 0 || lo < 0)
        return false;
    *ret = (struct field){.type = (uint8_t)(hi << 4 | lo)};
    for (size_t i = 0; i < name.n; i++)
        ret->name[i] = ascii_lower(name.p[i]);
    return true;
}

int
fieldmap_parse(struct slice text, struct fieldmap *ret, struct buf *err)
{
    struct fieldmap m = {.n = 0};
    struct slice rest = text, word;

    while (config_next_word(&rest, &word)) {
        struct field f;

        if (!parse_field(word, &f)) {
            buf_printf(err, "argument must be names with a data type each, such as open=00 "
                            "volume=04 (letters, digits and _; two hexadecimal digits), '%.*s' is "
                            "none", (int)MIN(word.n, (size_t)FIELD_TEXT_BYTES), word.p);
            return -EINVAL;
        }
        if (fieldmap_find(&m, slice_of(f.name))) {
            buf_printf(err, "argument names '%s' twice", f.name);
            return -EINVAL;
        }
        if (m.n == FIELDMAP_FIELDS_MAX) {
            buf_printf(err, "argument must have at most %d names", FIELDMAP_FIELDS_MAX);
            return -EINVAL;
        }
        m.f[m.n++] = f;
    }
    *ret = m;
    return 0;
}

void
fieldmap_format(const struct fieldmap *m, struct buf *out)
{
    for (uint32_t i = 0; i < m->n; i++)
        buf_printf(out, "%s%s=%02x", i ? " " : "", m->f[i].name, m->f[i].type);
}

const struct field *
fieldmap_find(const struct fieldmap *m, struct slice name)
{
    for (uint32_t i = 0; i < m->n; i++)
        if (slice_is(name, m->f[i].name))
            return &m->f[i];
    return NULL;
}
