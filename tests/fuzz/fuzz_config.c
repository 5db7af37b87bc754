/* A configuration file: it is refused and nothing is touched, or it is taken and CONFIG REWRITE can
 * put a change of any value into it and read all values back. */
#include "core/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static bool
same_rows(const struct config *a, const struct config *b)
{
    struct buf x = {0}, y = {0};
    const struct config_row *row;
    bool same;
    size_t i;

    for (i = 0; (row = config_row(i)) != NULL; i++) {
        config_get(a, row, &x);
        config_get(b, row, &y);
        buf_append_lit(&x, "\n");
        buf_append_lit(&y, "\n");
    }
    same = slice_equal((struct slice){x.p, x.n}, (struct slice){y.p, y.n});
    buf_fini(&x);
    buf_fini(&y);
    return same;
}

static void
check_rewrite(const struct config *c, struct slice text)
{
    struct buf out = {0}, err = {0};
    struct config back;

    ASSERT(config_rewrite_text(c, text, &out, &err) == 0);
    config_init(&back);
    ASSERT(config_load_text(&back, "made", (struct slice){out.p, out.n}, &err) == 0);
    ASSERT(same_rows(&back, c));
    buf_fini(&out);
    buf_fini(&err);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct slice text = {(const char *)data, n};
    struct config c, before;
    struct buf err = {0};

    config_init(&c);
    before = c;
    if (config_load_text(&c, "file", text, &err) < 0) {
        ASSERT(memcmp(&c, &before, sizeof(c)) == 0);
        ASSERT(err.n > 0 && memcmp(err.p, "file:", 5) == 0);
        buf_fini(&err);
        return 0;
    }
    ASSERT(err.n == 0);
    check_rewrite(&c, text);
    c.hz = c.hz == 7 ? 8 : 7;
    c.port = c.port == 7 ? 8 : 7;
    c.core_ports = !c.core_ports;
    strcpy(c.requirepass, c.requirepass[0] == '"' ? "" : "\": \xc3\xa4#'");
    strcpy(c.dir, c.dir[0] == '.' ? "/var/lib/pinstripe" : "./data");
    check_rewrite(&c, text);
    buf_fini(&err);
    return 0;
}
