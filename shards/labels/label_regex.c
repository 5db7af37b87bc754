/* Regular expressions over label values: PCRE2, anchored at both ends, on bytes. What a pattern may
 * cost is limited three ways: its length, the steps for one value, the time for all. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "shards/labels/label_filter_priv.h"

#include "core/clock.h"

#include <pcre2.h>
#include <stdio.h>
#include <stdlib.h>

#define REGEX_HEAP_KIB_MAX 1024
#define REGEX_CLOCK_EVERY 32 /* values between two looks at the clock */

struct label_regex {
    pcre2_code *code;
    pcre2_match_context *limits;
};

struct label_regex *
label_regex_create(struct slice pattern, char *ret_err)
{
    struct label_regex *r;
    PCRE2_UCHAR why[128];
    PCRE2_SIZE at;
    pcre2_code *code;
    int error;

    if (pattern.n > LABEL_REGEX_BYTES_MAX) {
        snprintf(ret_err, LABEL_FILTER_ERROR_BYTES,
                 "ERR TSDB: a regular expression is longer than %d bytes", LABEL_REGEX_BYTES_MAX);
        return NULL;
    }
    code = pcre2_compile((PCRE2_SPTR)pattern.p, pattern.n,
                         PCRE2_ANCHORED | PCRE2_ENDANCHORED | PCRE2_DOTALL | PCRE2_NEVER_UTF |
                             PCRE2_NEVER_BACKSLASH_C,
                         &error, &at, NULL);
    if (code == NULL) {
        pcre2_get_error_message(error, why, sizeof(why));
        snprintf(ret_err, LABEL_FILTER_ERROR_BYTES,
                 "ERR TSDB: regular expression '%.*s': %s at byte %zu", (int)MIN(pattern.n, 64),
                 pattern.p, (const char *)why, (size_t)at);
        return NULL;
    }
    r = malloc(sizeof(*r));
    ASSERT(r);
    r->code = code;
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
    pcre2_code_free(r->code);
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

int
label_regex_try(struct label_regex_run *run, struct slice value)
{
    int rc;

    if (++run->tried % REGEX_CLOCK_EVERY == 0 && clock_now_ns() > run->until_ns)
        return -ETIME;
    rc = pcre2_match(run->regex->code, (PCRE2_SPTR)value.p, value.n, 0, 0, run->data,
                     run->regex->limits);
    if (rc == PCRE2_ERROR_NOMATCH)
        return 0;
    return rc >= 0 ? 1 : -ETIME;
}

void
label_regex_end(struct label_regex_run *run)
{
    pcre2_match_data_free(run->data);
}
