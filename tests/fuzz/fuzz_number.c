/* Text as a number and numbers as text, with the C library as the judge. The bytes are read as
 * text; the first eight of them also as the bits of a double and of an integer. */
#include "net/number.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define TEXT_MAX 3000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static bool
same_bits(double a, double b)
{
    return memcmp(&a, &b, sizeof(a)) == 0;
}

/* What strtod takes that parse_double does not. */
static bool
is_refused_on_purpose(const char *text, size_t n)
{
    return n == 0 || n > PARSE_DOUBLE_TEXT_MAX || memchr(text, 'x', n) || memchr(text, 'X', n) ||
           memchr(text, '(', n) || strchr(" \t\n\v\f\r", text[0]);
}

static void
check_double_text(const char *text, size_t n)
{
    double v, want;
    char *end;
    bool fine;

    errno = 0;
    want = strtod(text, &end);
    fine = end == text + n && !(errno == ERANGE && (isinf(want) || want == 0));
    if (parse_double((struct slice){text, n}, &v)) {
        ASSERT(fine);
        ASSERT(isnan(v) ? isnan(want) : same_bits(v, want));
    } else {
        ASSERT(!fine || is_refused_on_purpose(text, n));
    }
}

/* The only text of an integer that is one is the text it is written as. */
static void
check_int_text(const char *text, size_t n)
{
    char again[RESP_INT_TEXT_MAX];
    int64_t v, want = strtoll(text, NULL, 10);
    bool same = format_int(again, want) == n && memcmp(again, text, n) == 0;

    if (parse_int((struct slice){text, n}, &v))
        ASSERT(same && v == want);
    else
        ASSERT(!same);
}

static void
check_double(double v)
{
    char text[RESP_DOUBLE_TEXT_MAX + 1], libc[40];
    size_t n = format_double(text, v);
    double back;

    ASSERT(n <= RESP_DOUBLE_TEXT_MAX);
    text[n] = '\0';
    ASSERT(parse_double((struct slice){text, n}, &back));
    ASSERT(isnan(v) ? isnan(back) : same_bits(v, back));
    ASSERT(isnan(v) || same_bits(v, strtod(text, NULL)));
    snprintf(libc, sizeof(libc), "%.17g", v);
    ASSERT(isnan(v) || n <= strlen(libc));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    char text[TEXT_MAX + 1];
    double v;

    if (n > TEXT_MAX)
        return 0;
    memcpy(text, data, n);
    text[n] = '\0';
    check_double_text(text, n);
    check_int_text(text, n);
    if (n >= sizeof(v)) {
        memcpy(&v, data, sizeof(v));
        check_double(v);
    }
    return 0;
}
