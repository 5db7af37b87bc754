/* The request parser against what Redis 7.0 does with the same bytes, whole and in pieces. The rows
 * of `streams` were sent to a redis-server; `says` is what its answers amount to, in the notation
 * of drive(). */
#include "net/resp.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#define BULK_BYTES_MAX (512 * MIB)

struct stream {
    const char *bytes;
    size_t n;
    const char *says;
    bool unauthenticated;
};

#define ROW(lit, says)                    \
    {                                     \
        lit, sizeof(lit) - 1, says, false \
    }
#define UNAUTH(lit, says)                \
    {                                    \
        lit, sizeof(lit) - 1, says, true \
    }
#define PING "*1\r\n$4\r\nPING\r\n"
#define BAD_COUNT "!Protocol error: invalid multibulk length"
#define BAD_LENGTH "!Protocol error: invalid bulk length"
#define BAD_QUOTES "!Protocol error: unbalanced quotes in request"
#define NO_DOLLAR(c) "!Protocol error: expected '$', got '" c "'"

static const struct stream streams[] = {
    /* arrays */
    ROW("", ""),
    ROW(PING, "[PING]"),
    ROW(PING PING, "[PING][PING]"),
    ROW("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$0\r\n\r\n", "[SET k ]"),
    ROW("*2\r\n$4\r\nECHO\r\n$3\r\n\r\n\0\r\n" PING, "[ECHO \\0d\\0a\\00][PING]"),
    ROW("*2\r\n$4\r\nECHO\r\n$12\r\n0123456789ab\r\n", "[ECHO 0123456789ab]"),
    ROW("*12\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\nc\r\n$1\r\nd\r\n$1\r\ne\r\n$1\r\nf\r\n$1\r\ng\r\n"
        "$1\r\nh\r\n$1\r\ni\r\n$1\r\nj\r\n$1\r\nk\r\n$1\r\nl\r\n" PING,
        "[a b c d e f g h i j k l][PING]"),
    /* a line ends at its CR, an argument after its length: what stands there is not looked at */
    ROW("*1\rx$4\ryPINGzz" PING, "[PING][PING]"),
    /* nothing to run */
    ROW("*0\r\n" PING, "[][PING]"),
    ROW("*-1\r\n*-5\r\n" PING, "[][][PING]"),
    ROW("*-9223372036854775808\r\n" PING, "[][PING]"),
    ROW("\r\n\n \t\r\n" PING, "[][][][PING]"),
    /* counts */
    ROW("*\r\n", BAD_COUNT),
    ROW("*x\r\n", BAD_COUNT),
    ROW("*+1\r\n", BAD_COUNT),
    ROW("*01\r\n", BAD_COUNT),
    ROW("*00\r\n", BAD_COUNT),
    ROW("*-0\r\n", BAD_COUNT),
    ROW("* 1\r\n", BAD_COUNT),
    ROW("*1 \r\n", BAD_COUNT),
    ROW("*1a\r\n", BAD_COUNT),
    ROW("*1\n$4\nPING\n\r\n", BAD_COUNT),
    ROW("*1048576\r\n", ""),
    ROW("*1048577\r\n", BAD_COUNT),
    ROW("*2147483648\r\n", BAD_COUNT),
    ROW("*9223372036854775808\r\n", BAD_COUNT),
    ROW(PING "*x\r\n" PING, "[PING]" BAD_COUNT),
    /* lengths */
    ROW("*1\r\n$\r\n", BAD_LENGTH),
    ROW("*1\r\n$-1\r\n", BAD_LENGTH),
    ROW("*1\r\n$x\r\n", BAD_LENGTH),
    ROW("*1\r\n$+4\r\nPING\r\n", BAD_LENGTH),
    ROW("*1\r\n$04\r\nPING\r\n", BAD_LENGTH),
    ROW("*1\r\n$-0\r\n\r\n", BAD_LENGTH),
    ROW("*1\r\n$4 \r\nPING\r\n", BAD_LENGTH),
    ROW("*1\r\n$536870912\r\n", ""),
    ROW("*1\r\n$536870913\r\n", BAD_LENGTH),
    ROW("*1\r\n$9223372036854775807\r\n", BAD_LENGTH),
    ROW("*1\r\n$9223372036854775808\r\n", BAD_LENGTH),
    ROW("*2\r\n$4\r\nECHO\r\n$-1\r\n", BAD_LENGTH),
    /* something else where a length should be; judged when its line is there */
    ROW("*1\r\nfoo", ""),
    ROW("*1\r\nfoo\n", ""),
    ROW("*1\r\nfoo\r", ""),
    ROW("*1\r\nfoo\r\n", NO_DOLLAR("f")),
    ROW("*2\r\n$4\r\nECHO\r\n:1\r\n", NO_DOLLAR(":")),
    ROW("*2\r\n$4\r\nECHO\r\n*1\r\n", NO_DOLLAR("*")),
    ROW("*2\r\n$1\r\nECHO\r\n$1\r\nx\r\n", NO_DOLLAR("O")),
    ROW("*1\r\n\r\n\r\n", NO_DOLLAR(" ")),
    ROW("*1\r\n\nfoo\r\n", NO_DOLLAR(" ")),
    ROW("*1\r\n%foo\r\n", NO_DOLLAR("%")),
    /* before AUTH */
    UNAUTH("*10\r\n$1\r\n", ""),
    UNAUTH("*11\r\n", "!Protocol error: unauthenticated multibulk length"),
    UNAUTH("*1048577\r\n", BAD_COUNT),
    UNAUTH("*1\r\n$16384\r\n", ""),
    UNAUTH("*1\r\n$16385\r\n", "!Protocol error: unauthenticated bulk length"),
    UNAUTH("*1\r\n$536870913\r\n", BAD_LENGTH),
    UNAUTH("A 1 2 3 4 5 6 7 8 9 10 11\n", "[A 1 2 3 4 5 6 7 8 9 10 11]"),
    /* inline */
    ROW("PING\r\n", "[PING]"),
    ROW("PING\n", "[PING]"),
    ROW("PING\r\r\n", "[PING]"),
    ROW("PING\r", ""),
    ROW(" \tSET  k\t v \r\n" PING, "[SET k v][PING]"),
    ROW("$4\r\nPING\r\n", "[$4][PING]"),
    ROW("a\rb\r\n", "[a b]"),
    ROW("a\vb \vc\r\n", "[a\\0bb c]"),
    ROW("a\0b\r\n", "[a\\00b]"),
    ROW("\x80\xff\r\n", "[\\80\\ff]"),
    ROW("x \"a b\" 'c d'\r\n", "[x a\\20b c\\20d]"),
    ROW("a\"b c\" a'b c'\r\n", "[ab\\20c ab\\20c]"),
    ROW("x \"\" '' y\r\n", "[x   y]"),
    ROW("\"\\n\\r\\t\\b\\a\\q\\\\\\\"\"\r\n", "[\\0a\\0d\\09\\08\\07q\\5c\"]"),
    ROW("\"\\x41\\x4g\\x4\"\r\n", "[Ax4gx4]"),
    ROW("\"\\xfF\\x00\"\r\n", "[\\ff\\00]"),
    ROW("'\\n\\'\\x41'\r\n", "[\\5cn'\\5cx41]"),
    ROW("\\n \\x41 a\\\r\n", "[\\5cn \\5cx41 a\\5c]"),
    ROW("\"'\" '\"'\r\n", "[' \"]"),
    ROW("\"a\"\v'b'\f\"c\"\t'd'\r\n", "[a b c d]"),
    ROW("\"a\rb\"\r\n", "[a\\0db]"),
    ROW("\"\r\n", BAD_QUOTES),
    ROW("'\r\n", BAD_QUOTES),
    ROW("\"a\r\n\"\r\n", BAD_QUOTES),
    ROW("\"a\"b\r\n", BAD_QUOTES),
    ROW("'a'b\r\n", BAD_QUOTES),
    ROW("\"a\"\"b\"\r\n", BAD_QUOTES),
    ROW("'\\'\r\n", BAD_QUOTES),
    ROW("\"\\\"\r\n", BAD_QUOTES),
    ROW("\"a\\\r\n", BAD_QUOTES),
    ROW("\"a\\x4\r\n", BAD_QUOTES),
    ROW("a\"\r\n", BAD_QUOTES),
};

/* Appends a request as "[arg arg]", bytes that are not plain as \hh. */
static void
append_request(struct buf *b, const struct resp_parser *p)
{
    uint32_t i;
    size_t k;

    buf_append_lit(b, "[");
    for (i = 0; i < p->argc; i++) {
        if (i > 0)
            buf_append_lit(b, " ");
        for (k = 0; k < p->argv[i].n; k++) {
            uint8_t c = (uint8_t)p->argv[i].p[k];

            if (c > ' ' && c < 0x7f && c != '\\')
                buf_append(b, &c, 1);
            else
                buf_printf(b, "\\%02x", c);
        }
    }
    buf_append_lit(b, "]");
}

/* Looks at bytes[from..to) in a block of their own, so that a sanitizer sees every byte read beyond
 * it and no address survives between two looks. */
static enum resp_status
look(struct resp_parser *p, const char *bytes, size_t from, size_t to, struct buf *said)
{
    char *data = malloc(to - from + (to == from));
    size_t need = p->need;
    enum resp_status st;

    memcpy(data, bytes + from, to - from);
    st = resp_parse(p, data, to - from);
    if (st == RESP_COMPLETE)
        append_request(said, p);
    else if (st == RESP_BROKEN)
        buf_printf(said, "!%s", p->error);
    else
        cr_assert(p->need > to - from, "asks for bytes it has");
    cr_assert(to - from >= need || st == RESP_MORE, "came to an end before the need it stated");
    free(data);
    return st;
}

/* Feeds a stream of which `first` bytes are there at first and `step` more each time the parser
 * wants more. Returns what it said of it all, for the caller to free. */
static char *
drive(const struct stream *s, size_t first, size_t step)
{
    struct buf said = {0};
    struct resp_parser p;
    size_t at = 0, arrived = MIN(first, s->n);
    enum resp_status st = RESP_COMPLETE;

    resp_parser_init(&p, BULK_BYTES_MAX);
    p.authenticated = !s->unauthenticated;
    for (;;) {
        st = look(&p, s->bytes, at, arrived, &said);
        if (st == RESP_BROKEN || (st == RESP_MORE && arrived == s->n))
            break;
        if (st == RESP_COMPLETE) {
            cr_assert(p.used > 0 && p.used <= arrived - at);
            at += p.used;
        } else {
            arrived = MIN(arrived + step, s->n);
        }
    }
    resp_parser_fini(&p);
    buf_append_lit(&said, "\0");
    return said.p;
}

static void
expect_says(const struct stream *s, size_t first, size_t step)
{
    char *said = drive(s, first, step);

    cr_assert_str_eq(said, s->says, "\"%.*s\" cut at %zu, then every %zu: %s, expected %s",
                     (int)s->n, s->bytes, first, step, said, s->says);
    free(said);
}

Test(resp_parse, says_what_redis_says)
{
    size_t i;

    for (i = 0; i < ARRAY_SIZE(streams); i++)
        expect_says(&streams[i], streams[i].n, 1);
}

Test(resp_parse, a_cut_anywhere_changes_nothing)
{
    size_t i, cut;

    for (i = 0; i < ARRAY_SIZE(streams); i++) {
        for (cut = 0; cut <= streams[i].n; cut++) {
            expect_says(&streams[i], cut, streams[i].n);
            expect_says(&streams[i], cut, 1);
        }
        expect_says(&streams[i], 0, 2);
        expect_says(&streams[i], 0, 3);
    }
}

/* A line of `n` bytes `fill` behind `head`, and `tail`. */
static struct stream
long_line(struct buf *b, const char *head, char fill, size_t n, const char *tail)
{
    b->n = 0;
    buf_append(b, head, strlen(head));
    memset(buf_reserve(b, n), fill, n);
    b->n += n;
    buf_append(b, tail, strlen(tail));
    return (struct stream){b->p, b->n, NULL, false};
}

Test(resp_parse, lines_over_64_kib_are_refused_however_they_arrive)
{
    static const struct {
        const char *head;
        char fill;
        size_t head_n; /* of the line that is too long */
        const char *tail, *fits, *too_big;
    } rows[] = {
        {"*", '1', 1, "\r\n", BAD_COUNT, "!Protocol error: too big mbulk count string"},
        {"*1\r\n$", '1', 1, "\r\n", BAD_LENGTH, "!Protocol error: too big bulk count string"},
        {"*1\r\n", 'x', 0, "\r\n", NO_DOLLAR("x"), "!Protocol error: too big bulk count string"},
        {"", '"', 0, "\n", "", "!Protocol error: too big inline request"},
    };
    static const size_t steps[] = {1, 4096, 16384, 1 << 20};
    struct buf b = {0};
    size_t i, k;

    for (i = 0; i < ARRAY_SIZE(rows); i++) {
        size_t n = RESP_INLINE_BYTES_MAX - rows[i].head_n;

        for (k = 0; k < ARRAY_SIZE(steps); k++) {
            struct stream s = long_line(&b, rows[i].head, rows[i].fill, n + 1, rows[i].tail);

            s.says = rows[i].too_big;
            if (steps[k] > 1)
                expect_says(&s, 0, steps[k]);
            s.n = strlen(rows[i].head) + n + 1; /* the end of the line need not come */
            expect_says(&s, s.n, 1);
            s = long_line(&b, rows[i].head, rows[i].fill, n, rows[i].tail);
            s.says = i == 3 ? BAD_QUOTES : rows[i].fits;
            if (steps[k] > 1)
                expect_says(&s, 0, steps[k]);
        }
    }
    buf_fini(&b);
}

Test(resp_parse, need_reaches_to_the_end_of_a_big_argument)
{
    static const char head[] = "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$536870912\r\n";
    char data[sizeof(head) + 100];
    struct resp_parser p;

    memset(data, 'v', sizeof(data));
    memcpy(data, head, sizeof(head) - 1);
    resp_parser_init(&p, BULK_BYTES_MAX);
    cr_assert_eq(resp_parse(&p, data, sizeof(head) - 1), RESP_MORE);
    cr_assert_eq(p.need, sizeof(head) - 1 + 512 * MIB + 2);
    cr_assert_eq(resp_parse(&p, data, sizeof(data)), RESP_MORE);
    cr_assert_eq(p.need, sizeof(head) - 1 + 512 * MIB + 2);
    /* forgotten, it starts over */
    resp_parser_reset(&p);
    cr_assert_eq(resp_parse(&p, (char[]){"PING\n"}, 5), RESP_COMPLETE);
    cr_assert_eq(p.argc, 1);
    resp_parser_fini(&p);
}

/* All but the last look find 0xee where the bytes lay that were understood before, so nothing can
 * have been read twice; the address is another one each time. */
Test(resp_parse, a_million_arguments_arrive_in_pieces_and_are_read_once)
{
    struct buf all = {0};
    struct resp_parser p;
    enum resp_status st = RESP_MORE;
    size_t n, step = 100 * KIB;
    uint32_t i;
    char *data = NULL, text[RESP_INT_TEXT_MAX];

    resp_array(&all, RESP_ARGS_MAX);
    for (i = 0; i < RESP_ARGS_MAX; i++)
        resp_bulk_int(&all, i);
    resp_parser_init(&p, BULK_BYTES_MAX);
    for (n = step; st == RESP_MORE; n = MIN(n + step, all.n)) {
        cr_assert(p.argv_cap * sizeof(*p.argv) <= 8 * n, "memory not paid for by bytes");
        free(data);
        data = malloc(n);
        memcpy(data, all.p, n);
        if (n < all.n && p.resume_offset > 0)
            memset(data + 1, 0xee, p.resume_offset - 1); /* the '*' says what kind it is */
        st = resp_parse(&p, data, n);
    }
    cr_assert_eq(st, RESP_COMPLETE);
    cr_assert_eq(p.argc, RESP_ARGS_MAX);
    cr_assert_eq(p.used, all.n);
    for (i = 0; i < RESP_ARGS_MAX; i++)
        cr_assert(slice_equal(p.argv[i], (struct slice){text, format_int(text, i)}));
    /* the next request gives the memory back */
    cr_assert_eq(resp_parse(&p, (char[]){"PING\n"}, 5), RESP_COMPLETE);
    cr_assert_leq(p.argv_cap, RESP_ARGV_KEEP);
    resp_parser_fini(&p);
    free(data);
    buf_fini(&all);
}

Test(resp_parse, an_announced_count_costs_no_memory)
{
    struct resp_parser p;

    resp_parser_init(&p, BULK_BYTES_MAX);
    cr_assert_eq(resp_parse(&p, (char[]){"*1048576\r\n$1\r\na\r\n"}, 17), RESP_MORE);
    cr_assert_leq(p.argv_cap, 16);
    resp_parser_fini(&p);
}

Test(resp_parse, own_bulk_limit_holds_on_both_paths)
{
    static const char *const requests[] = {"*1\r\n$11\r\n01234567890\r\n",
                                           "*2\r\n$1\r\na\r\n$11\r\n01234567890\r\n"};
    struct resp_parser p;
    char data[64];
    size_t i, round;

    for (i = 0; i < ARRAY_SIZE(requests); i++) {
        resp_parser_init(&p, 10);
        for (round = 0; round < 2; round++) { /* the second has an argument vector */
            memcpy(data, PING, sizeof(PING));
            cr_assert_eq(resp_parse(&p, data, sizeof(PING) - 1), RESP_COMPLETE);
            strcpy(data, requests[i]);
            cr_assert_eq(resp_parse(&p, data, strlen(data)), RESP_BROKEN);
            cr_assert_str_eq(p.error, &BAD_LENGTH[1]);
        }
        resp_parser_fini(&p);
    }
}

/* Who cannot run a request now parses the same bytes again later. */
Test(resp_parse, an_inline_request_is_read_again_as_it_was_read_first)
{
    static const char *const lines[] = {"SET a \"x y\"\r\n", "ECHO 'it\\'s' \"\\x41\\\"\"\n",
                                        "ECHO \"a\\nb\" 'i\n", "  PLAIN  one two\r\n", "a\"b\"c\n"};
    struct resp_parser p;
    char data[64];

    for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
        struct buf said[2] = {0};
        enum resp_status st[2];

        strcpy(data, lines[i]);
        resp_parser_init(&p, BULK_BYTES_MAX);
        for (size_t round = 0; round < 2; round++) {
            st[round] = resp_parse(&p, data, strlen(data));
            if (st[round] == RESP_COMPLETE)
                append_request(&said[round], &p);
            resp_parser_reset(&p);
            cr_expect_str_eq(data, lines[i]);
        }
        cr_expect_eq(st[0], st[1], "%s", lines[i]);
        cr_expect_eq(said[0].n, said[1].n, "%s", lines[i]);
        cr_expect(said[0].n == 0 || memcmp(said[0].p, said[1].p, said[0].n) == 0, "%s", lines[i]);
        buf_fini(&said[0]);
        buf_fini(&said[1]);
        resp_parser_fini(&p);
    }
}

/* Random pipelines of random arguments: what was written is what is read, however it is cut. */
static uint64_t
next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static size_t
random_length(uint64_t *state)
{
    static const size_t most[] = {2, 12, 40, 120, 1200, 12000};
    uint64_t r = next_random(state);

    return (r >> 8) % most[r % ARRAY_SIZE(most)];
}

static void
append_random_request(struct buf *stream, struct buf *says, uint64_t *state)
{
    struct slice argv[40];
    struct resp_parser p = {.argv = argv};
    char bytes[12000];
    uint32_t i;
    size_t k;

    p.argc = (uint32_t)(next_random(state) % (next_random(state) % 4 ? 6 : ARRAY_SIZE(argv)));
    for (k = 0; k < sizeof(bytes); k++)
        bytes[k] = (char)next_random(state);
    resp_array(stream, p.argc);
    for (i = 0; i < p.argc; i++) {
        argv[i] = (struct slice){bytes, random_length(state)};
        argv[i].p += next_random(state) % (sizeof(bytes) - argv[i].n);
        resp_bulk(stream, argv[i]);
    }
    append_request(says, &p);
}

Test(resp_parse, what_was_written_is_read)
{
    uint64_t state = 88172645463325252ULL;
    struct buf bytes = {0}, says = {0};
    int round, i;

    for (round = 0; round < 100; round++) {
        struct stream s = {0};

        bytes.n = says.n = 0;
        for (i = 0; i < 8; i++)
            append_random_request(&bytes, &says, &state);
        buf_append_lit(&says, "\0");
        s = (struct stream){bytes.p, bytes.n, says.p, false};
        expect_says(&s, s.n, 1);
        expect_says(&s, next_random(&state) % s.n, s.n);
        expect_says(&s, 0, 64 + next_random(&state) % 2000);
    }
    buf_fini(&bytes);
    buf_fini(&says);
}
