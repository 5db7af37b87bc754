#include "core/buf.h"

#include <criterion/criterion.h>
#include <stdlib.h>

/* A source that says its letter `n` times. */
struct letters {
    struct buf_source source;
    char letter;
    size_t n;
    int *alive;
};

static bool
letters_fill(struct buf_source *source, struct buf *out, size_t want)
{
    struct letters *l = container_of(source, struct letters, source);
    size_t n = MIN(l->n, want);

    memset(buf_reserve(out, n), l->letter, n);
    out->n += n;
    l->n -= n;
    return l->n > 0;
}

static void
letters_destroy(struct buf_source *source)
{
    struct letters *l = container_of(source, struct letters, source);

    --*l->alive;
    free(l);
}

static void
put_letters(struct buf *b, char letter, size_t n, int *alive)
{
    struct letters *l = calloc(1, sizeof(*l));

    cr_assert(l);
    *l = (struct letters){.source = {letters_fill, letters_destroy, n}, .letter = letter, .n = n,
                          .alive = alive};
    ++*alive;
    buf_put_source(b, &l->source);
}

/* The whole text, sources filled in by pieces of three bytes. */
static void
expect_text(struct buf *b, const char *wanted)
{
    struct buf text = {0};
    size_t at = 0;

    for (struct buf_source *s = b->sources; s; s = s->next) {
        buf_append(&text, b->p + at, s->at - at);
        at = s->at;
        while (s->fill(s, &text, 3))
            ;
    }
    buf_append(&text, b->p + at, b->n - at);
    buf_append(&text, "", 1);
    cr_assert_str_eq(text.p, wanted);
    buf_fini(&text);
}

Test(buf, sources_stand_where_they_were_put)
{
    struct buf b = {0};
    int alive = 0;

    buf_append_lit(&b, "one:");
    put_letters(&b, 'a', 5, &alive);
    buf_append_lit(&b, " two:");
    put_letters(&b, 'b', 3, &alive);
    put_letters(&b, 'c', 1, &alive);
    buf_append_lit(&b, ".");
    cr_assert_eq(buf_source_bytes(&b), 9u);
    expect_text(&b, "one:aaaaa two:bbbc.");
    buf_fini(&b);
    cr_assert_eq(alive, 0);
}

Test(buf, cut_takes_back_the_sources_of_what_it_cuts)
{
    struct buf b = {0};
    int alive = 0;

    buf_append_lit(&b, "x");
    put_letters(&b, 'a', 2, &alive);
    buf_append_lit(&b, "y");
    put_letters(&b, 'b', 2, &alive);
    buf_cut(&b, 1); /* the first stands at 1: behind "x", which stays */
    cr_assert_eq(alive, 1);
    expect_text(&b, "xaa");
    buf_fini(&b);
    cr_assert_eq(alive, 0);
}

Test(buf, consuming_moves_the_places)
{
    struct buf b = {0};
    int alive = 0;

    buf_append_lit(&b, "header");
    put_letters(&b, 'a', 4, &alive);
    buf_append_lit(&b, "tail");
    buf_consume(&b, 6);
    cr_assert_eq(b.sources->at, 0u);
    expect_text(&b, "aaaatail");
    buf_fini(&b);
}

/* Three replies in one buffer, moved one by one into another, as a round stitches them. */
Test(buf, moving_a_reply_takes_its_sources_along_and_no_others)
{
    struct buf from = {0}, to = {0};
    int alive = 0;

    buf_append_lit(&from, "[1");
    put_letters(&from, 'a', 4, &alive);
    buf_append_lit(&from, "[2]");
    buf_append_lit(&from, "[3");
    put_letters(&from, 'b', 2, &alive);
    buf_append_lit(&from, "|");
    put_letters(&from, 'c', 2, &alive);

    buf_append_lit(&to, "<");
    buf_move(&to, &from, 0, 2);
    buf_append_lit(&to, "-");
    buf_move(&to, &from, 2, 3);
    cr_assert_eq(buf_source_bytes(&from), 4u);
    buf_move(&to, &from, 5, 3);
    cr_assert_null(from.sources);
    expect_text(&to, "<[1aaaa-[2][3bb|cc");
    buf_fini(&from);
    buf_fini(&to);
    cr_assert_eq(alive, 0);
}
