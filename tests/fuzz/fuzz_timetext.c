/* Times: what was read and is written reads as the same time. The first byte chooses the format,
 * the second the unit; the rest is the text, and up to a NUL also a format. */
#include "tools/lib/timetext.h"

#include <stdlib.h>

#define BYTES_MAX 512

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void
check(struct time_format *f, struct slice text)
{
    char out[TIME_TEXT_MAX];
    int64_t ts, again;
    size_t n;

    if (f->kind == TIME_OF_DAY)
        ASSERT(time_format_day(f, SLICE("20131007")) == 0);
    if (time_parse(f, text, &ts) != TIME_OK)
        return;
    n = time_put(f, ts, out);
    ASSERT(n <= sizeof(out));
    /* A pattern need not say everything; what it says is said again. */
    if (time_parse(f, (struct slice){out, n}, &again) == TIME_OK)
        ASSERT(f->kind == TIME_PATTERN || ts == again);
    else
        ASSERT(f->kind == TIME_PATTERN);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static const char *const formats[] = {"s",
                                          "ms",
                                          "us",
                                          "ns",
                                          "iso",
                                          "day-ms",
                                          "day-ns",
                                          "%Y-%m-%d %H:%M:%S.%f",
                                          "%-d/%b/%y %I:%M %p %z",
                                          "%Y %j",
                                          "@%s"};
    static const enum time_unit units[] = {TIME_S, TIME_MS, TIME_US, TIME_NS};
    struct time_format f;
    char *text;

    if (n < 2 || n > BYTES_MAX)
        return 0;
    text = malloc(n - 1);
    memcpy(text, data + 2, n - 2);
    text[n - 2] = '\0';
    ASSERT(time_format_init(&f, formats[data[0] % ARRAY_SIZE(formats)], units[data[1] % 4],
                            false) == 0);
    check(&f, (struct slice){text, n - 2});
    if (time_format_init(&f, text, units[data[1] % 4], false) == 0)
        check(&f, (struct slice){text + strlen(text), n - 2 - strlen(text)});
    free(text);
    return 0;
}
