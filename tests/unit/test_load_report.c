#include "tools/load/report.h"

#include <criterion/criterion.h>
#include <stdlib.h>

#define S 1000000000ULL

/* What the second call says, a while behind the first one. */
static char *
progress(bool terminal, unsigned columns, struct report_state first, struct report_state second, uint64_t seconds)
{
    struct report r;
    char *text = NULL;
    size_t n;
    FILE *to = open_memstream(&text, &n);

    report_init(&r, to, terminal);
    r.columns = columns;
    report_progress(&r, &first, 7 * S);
    report_progress(&r, &second, (7 + seconds) * S);
    fclose(to);
    return text;
}

static void
expect(const char *what, char *got, const char *want)
{
    cr_assert_str_eq(got, want, "%s: '%s'", what, got);
    free(got);
}

Test(load_report, the_time_left_is_by_what_was_worked_on)
{
    struct report_state begin = {0, 0, 1000, 0}, half = {500, 500, 1000, 0};
    struct report_state passed = {0, 800, 1000, 800}, more = {100, 900, 1000, 800};
    struct report_state late = {100, 900, 1000, 890}, none = {0, 800, 1000, 800};

    expect("a load", progress(false, 0, begin, half, 100), "50.0 %, 500 points, 5/s, 1:40 left\n");
    expect("going on", progress(false, 0, passed, more, 100), "90.0 %, 100 points, 1/s, 1:40 left\n");
    expect("passed over later", progress(false, 0, begin, late, 10), "90.0 %, 100 points, 10/s, 1:40 left\n");
    expect("nothing yet", progress(false, 0, passed, none, 20), "80.0 %, 0 points, 0/s\n");
}

Test(load_report, a_line_of_progress_fits_the_terminal)
{
    struct report_state begin = {0, 0, 1000, 0}, half = {500, 500, 1000, 0}, pipe = {500, 500, 0, 0};
    static const char front[] = "\r\033[K";

    for (unsigned columns = 1; columns < 100; columns++) {
        char *got = progress(true, columns, begin, half, 100), *text = got + strlen(front);

        cr_assert_eq(strncmp(got, front, strlen(front)), 0);
        cr_assert_leq(strlen(text), columns - 1, "%u: '%s'", columns, text);
        if (columns >= 62)
            cr_assert_str_eq(text, "[############............]  50.0 % 500 points, 5/s, 1:40 left");
        cr_assert_eq(*text == '[', columns >= 42, "%u: '%s'", columns, text);
        free(got);
    }
    expect("narrow", progress(true, 46, begin, half, 100), "\r\033[K[####....]  50.0 % 500 points, 5/s, 1:40 left");
    expect("a pipe", progress(true, 80, begin, pipe, 100), "\r\033[K500 points, 5/s");
}
