/* Regular expressions over label values: PCRE2, anchored at both ends. Pattern and value are UTF-8, so
 * that a dot is a character; where one of them is not, both are bytes. What a pattern may cost is
 * limited three ways: its length, the steps for one value, the time for all. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "shards/labels/label_filter_priv.h"

#include "core/clock.h"

#include <pcre2.h>
#include <stdio.h>
#include <stdlib.h>

#define REGEX_OPTIONS                                                                              \
    (PCRE2_ANCHORED | PCRE2_ENDANCHORED | PCRE2_DOTALL | PCRE2_NEVER_BACKSLASH_C)
#define REGEX_HEAP_KIB_MAX 1024
#define REGEX_CLOCK_EVERY 32 /* values between two looks at the clock */

struct label_regex {
    pcre2_code *text;  /* NULL: the pattern is no UTF-8 */
    pcre2_code *bytes; /* NULL: it means something only as UTF-8 */
    pcre2_match_context *limits;
};

/* PCRE2's errors of a pattern or value that is not UTF-8. */
static bool
is_not_text(int error)
{
    return error <= PCRE2_ERROR_UTF8_ERR1 && error >= PCRE2_ERROR_UTF8_ERR21;
}

/* Both NULL: *ret_error and *ret_at say why. */
static void
compile(struct slice pattern, pcre2_code **ret_text, pcre2_code **ret_bytes, int *ret_error,
        PCRE2_SIZE *ret_at)
{
    PCRE2_SPTR p = (PCRE2_SPTR)pattern.p;
    PCRE2_SIZE at;
    int error;

    *ret_bytes = NULL;
    *ret_text = pcre2_compile(p, pattern.n, REGEX_OPTIONS | PCRE2_UTF, ret_error, ret_at, NULL);
    if (*ret_text)
        *ret_bytes = pcre2_compile(p, pattern.n, REGEX_OPTIONS | PCRE2_NEVER_UTF, &error, &at, NULL);
    else if (is_not_text(*ret_error))
        *ret_bytes = pcre2_compile(p, pattern.n, REGEX_OPTIONS | PCRE2_NEVER_UTF, ret_error, ret_at,
                                   NULL);
}

struct label_regex *
label_regex_create(struct slice pattern, char *ret_err)
{
    struct label_regex *r;
    PCRE2_UCHAR why[128];
    PCRE2_SIZE at;
    pcre2_code *text, *bytes;
    int error;

    if (pattern.n > LABEL_REGEX_BYTES_MAX) {
        snprintf(ret_err, LABEL_FILTER_ERROR_BYTES,
                 "ERR TSDB: a regular expression is longer than %d bytes", LABEL_REGEX_BYTES_MAX);
        return NULL;
    }
    compile(pattern, &text, &bytes, &error, &at);
    if (text == NULL && bytes == NULL) {
        pcre2_get_error_message(error, why, sizeof(why));
        snprintf(ret_err, LABEL_FILTER_ERROR_BYTES,
                 "ERR TSDB: regular expression '%.*s': %s at byte %zu", (int)MIN(pattern.n, 64),
                 pattern.p, (const char *)why, (size_t)at);
        return NULL;
    }
    r = malloc(sizeof(*r));
    ASSERT(r);
    r->text = text;
    r->bytes = bytes;
    r->limits = pcre2_match_context_create(NULL);
    ASSERT(r->limits);
    pcre2_set_match_limit(r->limits, LABEL_REGEX_STEPS_MAX);
    pcre2_set_depth_limit(r->limits, LABEL_REGEX_STEPS_MAX);
    pcre2_set_heap_limit(r->limits, REGEX_HEAP_KIB_MAX);
    return r;
}

void
label_regex_free(struct label_regex *r)
{
    if (r == NULL)
        return;
    pcre2_code_free(r->text);
    pcre2_code_free(r->bytes);
    pcre2_match_context_free(r->limits);
    free(r);
}

void
label_regex_begin(struct label_regex_run *run, const struct label_regex *r, uint64_t until_ns)
{
    *run = (struct label_regex_run){.regex = r, .until_ns = until_ns};
    run->data = pcre2_match_data_create(1, NULL);
    ASSERT(run->data);
}

static int
match(struct label_regex_run *run, const pcre2_code *code, struct slice value)
{
    if (code == NULL)
        return PCRE2_ERROR_NOMATCH;
    return pcre2_match(code, (PCRE2_SPTR)value.p, value.n, 0, 0, run->data, run->regex->limits);
}

int
label_regex_try(struct label_regex_run *run, struct slice value)
{
    int rc;

    if (++run->tried % REGEX_CLOCK_EVERY == 0 && clock_now_ns() > run->until_ns)
        return -ETIME;
    rc = match(run, run->regex->text ? run->regex->text : run->regex->bytes, value);
    if (is_not_text(rc))
        rc = match(run, run->regex->bytes, value);
    if (rc == PCRE2_ERROR_NOMATCH)
        return 0;
    return rc >= 0 ? 1 : -ETIME;
}

void
label_regex_end(struct label_regex_run *run)
{
    pcre2_match_data_free(run->data);
}
