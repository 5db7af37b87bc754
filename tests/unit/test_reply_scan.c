/* The reply scanner: the same counts wherever the stream is cut. */
#include "tools/lib/reply_scan.h"

#include <criterion/criterion.h>
#include <stdio.h>

struct reply_case {
    const char *stream;
    uint64_t replies, errors, nulls;
    const char *error_text;
};

static const struct reply_case cases[] = {
    {"+OK\r\n", 1, 0, 0, ""},
    {"+OK\r\n+OK\r\n+OK\r\n", 3, 0, 0, ""},
    {"+PONG\r\n:12\r\n:-7\r\n", 3, 0, 0, ""},
    {"$3\r\nabc\r\n$0\r\n\r\n$-1\r\n", 3, 0, 1, ""},
    {"$11\r\n+OK\r\n+OK\r\n-\r\n+OK\r\n", 2, 0, 0, ""},
    {"-ERR no such thing\r\n+OK\r\n-WRONGTYPE other\r\n", 3, 2, 0, "ERR no such thing"},
    {"*0\r\n*-1\r\n+OK\r\n", 3, 0, 1, ""},
    {"*2\r\n*3\r\n:1\r\n$5\r\n100.5\r\n:0\r\n*3\r\n:2\r\n$4\r\n99.5\r\n:0\r\n+OK\r\n", 2, 0, 0, ""},
    {"*2\r\n*0\r\n*1\r\n*1\r\n$2\r\nhi\r\n:1\r\n", 2, 0, 0, ""},
    {"*2\r\n+OK\r\n-ERR inside\r\n+OK\r\n", 2, 1, 0, "ERR inside"},
    {"*3\r\n+OK\r\n", 0, 0, 0, ""},
    {"*2\r\n+OK\r\n+OK\r\n+OK\r\n", 2, 0, 0, ""},
};

static void
expect_case(const struct reply_case *c, size_t cut1, size_t cut2)
{
    struct reply_scan s;
    size_t n = strlen(c->stream);

    reply_scan_init(&s);
    cr_assert_eq(reply_scan_feed(&s, c->stream, cut1), 0);
    cr_assert_eq(reply_scan_feed(&s, c->stream + cut1, cut2 - cut1), 0);
    cr_assert_eq(reply_scan_feed(&s, c->stream + cut2, n - cut2), 0);
    cr_assert_eq(s.replies, c->replies, "%s cut at %zu and %zu", c->stream, cut1, cut2);
    cr_assert_eq(s.errors, c->errors, "%s cut at %zu and %zu", c->stream, cut1, cut2);
    cr_assert_eq(s.nulls, c->nulls, "%s cut at %zu and %zu", c->stream, cut1, cut2);
    cr_assert_str_eq(s.error_text, c->error_text);
}

Test(reply_scan, counts_are_the_same_wherever_the_stream_is_cut)
{
    size_t i, cut1, cut2;

    for (i = 0; i < ARRAY_SIZE(cases); i++)
        for (cut1 = 0; cut1 <= strlen(cases[i].stream); cut1++)
            for (cut2 = cut1; cut2 <= strlen(cases[i].stream); cut2++)
                expect_case(&cases[i], cut1, cut2);
}

Test(reply_scan, what_is_no_reply_is_refused)
{
    static const char *const broken[] = {
        "hello\r\n",
        "\r\n",
        "$x\r\n",
        "$\r\n",
        "$-2\r\n",
        "$12\n",
        "*1x\r\n",
        "$00000000000000000000000000000000000012\r\n",
        "$99999999999999999\r\n",
        "+OK\r\n%1\r\n",
    };
    struct reply_scan s;
    size_t i, j;
    int whole, rc;

    for (i = 0; i < ARRAY_SIZE(broken); i++) {
        reply_scan_init(&s);
        whole = reply_scan_feed(&s, broken[i], strlen(broken[i]));
        cr_assert_eq(whole, -EPROTO, "%s", broken[i]);
        reply_scan_init(&s);
        for (j = 0, rc = 0; rc == 0 && broken[i][j]; j++)
            rc = reply_scan_feed(&s, &broken[i][j], 1);
        cr_assert_eq(rc, -EPROTO, "%s byte by byte", broken[i]);
    }
}

Test(reply_scan, long_error_is_cut_and_the_stream_goes_on)
{
    char stream[1000];
    struct reply_scan s;

    memset(stream, 'e', sizeof(stream));
    stream[0] = '-';
    memcpy(stream + sizeof(stream) - 7, "\r\n+OK\r\n", 7);
    reply_scan_init(&s);
    cr_assert_eq(reply_scan_feed(&s, stream, sizeof(stream)), 0);
    cr_assert_eq(s.replies, 2);
    cr_assert_eq(s.errors, 1);
    cr_assert_eq(strlen(s.error_text), REPLY_SCAN_ERROR_MAX);
}

struct heard {
    char text[256];
    size_t n;
};

static void
hear(void *arg, uint64_t reply, uint64_t element, const char *text)
{
    struct heard *h = arg;

    h->n += (size_t)snprintf(h->text + h->n, sizeof(h->text) - h->n, "%llu.%llu %s;",
                             (unsigned long long)reply, (unsigned long long)element, text);
}

Test(reply_scan, each_error_is_told_with_its_place_wherever_the_stream_is_cut)
{
    static const char stream[] = "+OK\r\n-ERR a\r\n*3\r\n+OK\r\n-WRONG b\r\n:1\r\n"
                                 "*2\r\n-ERR c\r\n+OK\r\n-EXECABORT d\r\n+OK\r\n";

    for (size_t cut = 0; cut <= sizeof(stream) - 1; cut++) {
        struct heard h = {.n = 0};
        struct reply_scan s;

        reply_scan_init(&s);
        s.on_error = hear;
        s.on_error_arg = &h;
        cr_assert_eq(reply_scan_feed(&s, stream, cut), 0);
        cr_assert_eq(reply_scan_feed(&s, stream + cut, sizeof(stream) - 1 - cut), 0);
        cr_assert_str_eq(h.text, "1.0 ERR a;2.2 WRONG b;3.1 ERR c;4.0 EXECABORT d;");
        cr_assert_eq(s.replies, 6);
    }
}
