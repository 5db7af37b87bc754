/* The reply writers, byte by byte, and the measuring of replies. */
#include "net/resp.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static void
expect(struct buf *b, const char *bytes)
{
    cr_assert(b->n == strlen(bytes) && memcmp(b->p, bytes, b->n) == 0, "\"%.*s\", expected \"%s\"",
              (int)b->n, b->p, bytes);
    cr_assert_eq(resp_reply_length(b->p, b->n), (int64_t)b->n);
    b->n = 0;
}

/* Runs `call` with proto 2 and 3. */
#define EXPECT_BOTH(call, two, three) \
    do {                              \
        int proto = 2;                \
        call;                         \
        expect(&b, two);              \
        proto = 3;                    \
        call;                         \
        expect(&b, three);            \
    } while (0)

Test(resp_write, scalars)
{
    struct buf b = {0};

    resp_ok(&b);
    expect(&b, "+OK\r\n");
    resp_simple(&b, "PONG");
    expect(&b, "+PONG\r\n");
    resp_error(&b, "ERR no\r\nline\nends");
    expect(&b, "-ERR no  line ends\r\n");
    resp_errorf(&b, "ERR bad '%s' at %d", "a\nb", 7);
    expect(&b, "-ERR bad 'a b' at 7\r\n");
    resp_int(&b, 0);
    expect(&b, ":0\r\n");
    resp_int(&b, INT64_MIN);
    expect(&b, ":-9223372036854775808\r\n");
    for (size_t n = 1; n <= 19; n++) {
        char want[32];

        snprintf(want, sizeof(want), ":%.*s\r\n", (int)n, "1234567890123456789");
        resp_int_text(&b, (struct slice){"1234567890123456789", n});
        expect(&b, want);
    }
    resp_bulk(&b, SLICE("hello"));
    expect(&b, "$5\r\nhello\r\n");
    resp_bulk(&b, (struct slice){NULL, 0});
    expect(&b, "$0\r\n\r\n");
    resp_bulk_int(&b, -12);
    expect(&b, "$3\r\n-12\r\n");
    buf_fini(&b);
}

Test(resp_write, types_that_differ_between_protocols)
{
    struct buf b = {0};

    EXPECT_BOTH(resp_null(&b, proto), "$-1\r\n", "_\r\n");
    EXPECT_BOTH(resp_null_array(&b, proto), "*-1\r\n", "_\r\n");
    EXPECT_BOTH(resp_bool(&b, proto, true), ":1\r\n", "#t\r\n");
    EXPECT_BOTH(resp_bool(&b, proto, false), ":0\r\n", "#f\r\n");
    EXPECT_BOTH(resp_double(&b, proto, 100.5), "$5\r\n100.5\r\n", ",100.5\r\n");
    EXPECT_BOTH(resp_double(&b, proto, -INFINITY), "$4\r\n-inf\r\n", ",-inf\r\n");
    EXPECT_BOTH(resp_verbatim(&b, proto, SLICE("some")), "$4\r\nsome\r\n", "=8\r\ntxt:some\r\n");
    EXPECT_BOTH(resp_verbatim(&b, proto, SLICE("")), "$0\r\n\r\n", "=4\r\ntxt:\r\n");
    EXPECT_BOTH(resp_map(&b, proto, 0), "*0\r\n", "%0\r\n");
    EXPECT_BOTH(resp_set(&b, proto, 0), "*0\r\n", "~0\r\n");
    EXPECT_BOTH(resp_push(&b, proto, 0), "*0\r\n", ">0\r\n");
    EXPECT_BOTH((resp_map(&b, proto, 1), resp_int(&b, 1), resp_int(&b, 2)), "*2\r\n:1\r\n:2\r\n",
                "%1\r\n:1\r\n:2\r\n");
    buf_fini(&b);
}

Test(resp_write, long_text_and_growing_buffer)
{
    struct buf b = {0};
    char text[3000];
    int i;

    memset(text, 'e', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    resp_errorf(&b, "ERR %s", text);
    cr_assert_eq(b.n, 1 + 4 + sizeof(text) - 1 + 2);
    cr_assert_eq(resp_reply_length(b.p, b.n), (int64_t)b.n);
    /* every writer meets every fill of a block of its own size */
    for (i = 0; i < 300; i++) {
        struct buf tight = {.p = malloc(1), .cap = 1};
        int k;

        for (k = 0; k < i; k++)
            buf_append(&tight, "+\r\n", 3);
        resp_int(&tight, INT64_MIN);
        resp_bulk(&tight, SLICE("x"));
        resp_double(&tight, 3, -1.7976931348623157e308);
        resp_verbatim(&tight, 3, SLICE("y"));
        resp_array(&tight, UINT64_MAX);
        cr_assert_eq(tight.n, (size_t)i * 3 + 23 + 7 + 27 + 11 + 23);
        buf_fini(&tight);
    }
    buf_fini(&b);
}

Test(resp_reply, lengths)
{
    static const struct {
        const char *bytes;
        int64_t length; /* -1 malformed, 0 incomplete */
    } rows[] = {
        {"+OK\r\n+OK\r\n", 5},
        {"-ERR x\r\n", 8},
        {":1\r\n", 4},
        {":x\r\n", -1},
        {":\r\n", -1},
        {"$-1\r\n", 5},
        {"$-2\r\n", -1},
        {"$3\r\nabc\r\n", 9},
        {"$3\r\nabcd\r\n", -1},
        {"$1099511627777\r\n", -1},
        {"*-1\r\n", 5},
        {"*0\r\n", 4},
        {"*2\r\n*1\r\n:1\r\n$1\r\na\r\n", 19},
        {"*-2\r\n", -1},
        {"*1\r\n?", -1},
        {"%1\r\n+a\r\n:2\r\n", 12},
        {"~1\r\n:2\r\n", 8},
        {">2\r\n+a\r\n+b\r\n", 12},
        {"|1\r\n+a\r\n:2\r\n:3\r\n", 16},
        {"*1\r\n|1\r\n+a\r\n:2\r\n:3\r\n:4\r\n", 20},
        {",1.5\r\n", 6},
        {",inf\r\n", 6},
        {",1.5x\r\n", -1},
        {"(-123456789012345678901234567890\r\n", 34},
        {"(\r\n", -1},
        {"(-\r\n", -1},
        {"(1a\r\n", -1},
        {"#t\r\n", 4},
        {"#x\r\n", -1},
        {"_\r\n", 3},
        {"_x\r\n", -1},
        {"=8\r\ntxt:some\r\n", 14},
        {"!5\r\nERR x\r\n", 11},
        {"+a\rb\r\n", -1},
        {"*1099511627777\r\n", -1},
        {"*1099511627776\r\n", 0},
        {"@1\r\n", -1},
    };
    size_t i, n;

    for (i = 0; i < ARRAY_SIZE(rows); i++) {
        char *bytes = strdup(rows[i].bytes);

        cr_assert_eq(resp_reply_length(bytes, strlen(bytes)), rows[i].length, "row %zu", i);
        for (n = 0; rows[i].length > 0 && n < (size_t)rows[i].length; n++)
            cr_assert_eq(resp_reply_length(bytes, n), 0, "row %zu, %zu bytes", i, n);
        free(bytes);
    }
    cr_assert_eq(resp_reply_length("\0", 1), -1);
}

Test(resp_reply, deep_nesting_takes_no_stack)
{
    struct buf b = {0};
    int i;

    for (i = 0; i < 1000000; i++)
        buf_append_lit(&b, "*1\r\n");
    cr_assert_eq(resp_reply_length(b.p, b.n), 0);
    buf_append_lit(&b, ":1\r\n");
    cr_assert_eq(resp_reply_length(b.p, b.n), (int64_t)b.n);
    /* announcements that add up beyond any reply */
    b.n = 0;
    for (i = 0; i < 16; i++)
        buf_append_lit(&b, "*1099511627776\r\n");
    cr_assert_eq(resp_reply_length(b.p, b.n), -1);
    buf_fini(&b);
}
