#include "core/fieldmap.h"

#include <criterion/criterion.h>
#include <stdio.h>

static int
parse(const char *text, struct fieldmap *ret, struct buf *err)
{
    err->n = 0;
    return fieldmap_parse((struct slice){text, strlen(text)}, ret, err);
}

Test(fieldmap, names_are_found_in_any_case_and_the_text_reads_back)
{
    struct buf err = {0}, out = {0};
    struct fieldmap m, again;
    const struct field *f;

    cr_assert_eq(parse("Open=00, high=0A\tbid_2=fF price=00", &m, &err), 0);
    cr_assert_eq(m.n, 4);
    f = fieldmap_find(&m, SLICE("HIGH"));
    cr_assert(f && f->type == 0x0a);
    f = fieldmap_find(&m, SLICE("bid_2"));
    cr_assert(f && f->type == 0xff);
    cr_assert_null(fieldmap_find(&m, SLICE("hig")));
    cr_assert_null(fieldmap_find(&m, SLICE("")));
    fieldmap_format(&m, &out);
    cr_assert_eq(out.n, strlen("open=00 high=0a bid_2=ff price=00"));
    cr_assert_eq(memcmp(out.p, "open=00 high=0a bid_2=ff price=00", out.n), 0);
    cr_assert_eq(fieldmap_parse((struct slice){out.p, out.n}, &again, &err), 0);
    cr_assert_eq(memcmp(&m, &again, sizeof(m)), 0);
    cr_assert_eq(parse("", &m, &err), 0);
    cr_assert_eq(m.n, 0);
    buf_fini(&err);
    buf_fini(&out);
}

Test(fieldmap, what_is_wrong_is_refused_with_a_sentence)
{
    static const char *const wrong[] = {
        "open", "open=", "open=0", "open=000", "open=0g", "=00", "o-n=00", "open =00",
        "a2345678901234567890123x=00", "open=00 OPEN=01", "a\xc3\xa4=00",
    };
    struct fieldmap m = {.n = 7};
    struct buf err = {0}, many = {0};

    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        cr_assert_eq(parse(wrong[i], &m, &err), -EINVAL, "%s", wrong[i]);
        cr_assert_gt(err.n, 20);
        cr_assert_eq(m.n, 7);
    }
    for (int i = 0; i < FIELDMAP_FIELDS_MAX; i++)
        buf_printf(&many, "f%d=%02x ", i, i);
    cr_assert_eq(fieldmap_parse((struct slice){many.p, many.n}, &m, &err), 0);
    cr_assert_eq(m.n, FIELDMAP_FIELDS_MAX);
    buf_printf(&many, "g=00");
    cr_assert_eq(fieldmap_parse((struct slice){many.p, many.n}, &m, &err), -EINVAL);
    buf_fini(&err);
    buf_fini(&many);
}
