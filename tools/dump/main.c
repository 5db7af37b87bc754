/* pinstripe-dump: writes the points of series as text. */
#include "tools/dump/dump.h"

#include "net/number.h"
#include "tools/lib/stop.h"
#include "tools/lib/unit.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum exit_code {
    EXIT_WRITTEN = 0,
    EXIT_DOUBTFUL = 1,
    EXIT_USAGE = 2,
    EXIT_STOPPED = 3,
};

void
dump_begin_line(struct dump *d)
{
    if (d->lines > 0)
        buf_append_lit(&d->out.text, "\n");
}

int
dump_end_line(struct dump *d)
{
    int rc = output_flush_some(&d->out);

    d->lines++;
    if (rc < 0)
        snprintf(d->error, sizeof(d->error), "%s", d->out.error);
    else if (*d->stop)
        snprintf(d->error, sizeof(d->error), "stopped by a signal");
    return rc < 0 ? rc : *d->stop ? -EINTR : 0;
}

static int
ask_there(struct dump *d, struct slice key, bool came)
{
    struct slice argv[] = {SLICE("EXISTS"), key};
    int rc = link_ask(&d->link, ARRAY_SIZE(argv), argv);

    if (rc < 0)
        return dump_link_failed(d, rc);
    if (slice_equal((struct slice){d->link.reply.p, d->link.reply.n}, SLICE(":0\r\n"))) {
        if (came)
            fprintf(stderr,
                    "pinstripe-dump: the key '%.*s' went while it was dumped, not all of it is "
                    "written\n",
                    (int)key.n, key.p);
        else
            fprintf(stderr, "pinstripe-dump: there is no key '%.*s'\n", (int)key.n, key.p);
        d->absent++;
    }
    return 0;
}

/* Is the i-th pager the first one of a key that was read in several answers? One answer is of one
 * moment; between two of them the key may have gone, and what follows looks like its end. */
static bool
may_be_cut(const struct pager *pagers, unsigned n, unsigned i)
{
    uint64_t answers = 0;
    bool gave = false;

    for (unsigned k = 0; k < n; k++) {
        if (!slice_equal(pagers[k].key, pagers[i].key))
            continue;
        if (k < i)
            return false;
        answers += pagers[k].answers;
        gave = gave || pagers[k].gave;
    }
    return gave && answers > 1;
}

int
dump_check_there(struct dump *d, const struct pager *pagers, unsigned n)
{
    bool came = false;
    int rc = 0;

    for (unsigned i = 0; i < n; i++)
        came = came || pagers[i].gave;
    for (unsigned i = 0; rc == 0 && i < n; i++)
        if (came ? may_be_cut(pagers, n, i)
                 : i == 0 || !slice_equal(pagers[i].key, pagers[i - 1].key))
            rc = ask_there(d, pagers[i].key, came);
    return rc;
}

void
dump_say_no_form(struct dump *d)
{
    fprintf(stderr, "pinstripe-dump: no series has a key of the form '%s'\n",
            d->o.key ? d->o.key : "{key}");
    d->absent++;
}

int
dump_link_failed(struct dump *d, int rc)
{
    snprintf(d->error, sizeof(d->error), "%s", d->link.error);
    return rc == -EINVAL ? -EPROTO : rc;
}

/* --- setting up ----------------------------------------------------------------------------------
 */

static int
set_unit(struct dump *d)
{
    int rc;

    if (d->o.unit) {
        rc = time_unit_parse(d->o.unit, &d->unit);
        if (rc < 0)
            snprintf(d->error, sizeof(d->error), "--unit takes s, ms, us or ns");
        return rc;
    }
    rc = unit_of_server(&d->link.target, d->link.fd, &d->unit, d->error, sizeof(d->error));
    if (rc == 0)
        fprintf(stderr, "pinstripe-dump: the server does not tell its timestamp-unit, ms is "
                        "assumed; give --unit\n");
    return MIN(rc, 0);
}

static int
set_bound(struct dump *d, const char *option, const char *text, int64_t *ret)
{
    struct time_format f;
    enum time_error e;

    if (parse_int(slice_of(text), ret))
        return 0;
    time_format_init(&f, "iso", d->unit, strcmp(d->o.timezone, "UTC") != 0);
    e = time_parse(&f, slice_of(text), ret);
    if (e == TIME_OK)
        return 0;
    snprintf(d->error, sizeof(d->error), "--%s '%s' is neither a timestamp nor an iso time", option,
             text);
    return -EINVAL;
}

/* From midnight up to the last moment before the next one, which in a zone is not always 24 hours.
 */
static int
set_day(struct dump *d)
{
    struct time_format f;
    char iso[TIME_TEXT_MAX];
    struct slice day = slice_of(d->o.date);
    int64_t next;

    if (day.n == 8) {
        snprintf(iso, sizeof(iso), "%.4s-%.2s-%.2s", day.p, day.p + 4, day.p + 6);
        day = slice_of(iso);
    }
    time_format_init(&f, "iso", d->unit, strcmp(d->o.timezone, "UTC") != 0);
    if (day.n != 10 || time_parse(&f, day, &d->start) != TIME_OK) {
        snprintf(d->error, sizeof(d->error), "--date '%s' is no day (YYYYMMDD)", d->o.date);
        return -EINVAL;
    }
    if (time_day_after(&f, day, &next) == TIME_OK) /* else it ends with the last time there is */
        d->end = next - 1;
    return 0;
}

static int
set_range(struct dump *d)
{
    int rc = 0;

    d->start = INT64_MIN;
    d->end = INT64_MAX;
    if (d->o.date)
        return set_day(d);
    if (d->o.start)
        rc = set_bound(d, "start", d->o.start, &d->start);
    if (rc == 0 && d->o.end)
        rc = set_bound(d, "end", d->o.end, &d->end);
    return rc;
}

/* The pattern that finds all keys of a --key template. */
static int
add_template(struct dump *d)
{
    struct buf pattern = {0};
    int rc;

    for (const char *p = d->o.key; *p; p++) {
        if (strncmp(p, "{key}", 5) == 0) {
            buf_append_lit(&pattern, "*");
            p += 4;
        } else {
            if (strchr("*?[]\\^", *p))
                buf_append_lit(&pattern, "\\");
            buf_append(&pattern, p, 1);
            p += (p[0] == '{' || p[0] == '}') && p[1] == p[0];
        }
    }
    buf_append_lit(&pattern, "*"); /* behind it, the key=SUFFIX of a column */
    *buf_reserve(&pattern, 1) = '\0';
    rc = keys_add(&d->keys, &d->link, pattern.p);
    if (rc == 0 && d->keys.n == 0)
        dump_say_no_form(d);
    buf_fini(&pattern);
    return rc;
}

/* A pattern that finds nothing is told: an empty file does not say why it is empty. */
static int
add_word(struct dump *d, const char *word)
{
    size_t before = d->keys.n;
    int rc = keys_add(&d->keys, &d->link, word);

    if (rc == 0 && d->keys.n == before) {
        fprintf(stderr, "pinstripe-dump: no series has a key that matches '%s'\n", word);
        d->absent++;
    }
    return rc;
}

static int
find_keys(struct dump *d, const char **words, unsigned n)
{
    int rc = n == 0 ? add_template(d) : 0;

    for (unsigned i = 0; rc == 0 && i < n; i++)
        rc = add_word(d, words[i]);
    keys_sort(&d->keys);
    return rc < 0 ? dump_link_failed(d, rc) : 0;
}

/* --- all -----------------------------------------------------------------------------------------
 */

static int
write_out(struct dump *d)
{
    enum output_kind kind = OUTPUT_BY_NAME;
    char *left;
    int rc, closed;

    if (d->o.compress)
        kind = strcmp(d->o.compress, "gz") == 0    ? OUTPUT_GZIP
               : strcmp(d->o.compress, "zst") == 0 ? OUTPUT_ZSTD
                                                   : OUTPUT_PLAIN;
    rc = output_open(&d->out, d->o.output, kind);
    if (rc == 0)
        rc = strcmp(d->o.format, "influx") == 0 ? write_influx(d) : write_csv(d);
    if (!d->o.no_final_newline && d->lines > 0)
        buf_append_lit(&d->out.text, "\n");
    closed = output_close(&d->out, rc == 0, &left);
    if (left)
        fprintf(stderr, "pinstripe-dump: what was written before it stopped is %s\n", left);
    free(left);
    if (closed < 0 && d->error[0] == '\0')
        snprintf(d->error, sizeof(d->error), "%s", d->out.error);
    return rc < 0 ? rc : closed;
}

static int
dump_all(struct dump *d, const char **words, unsigned n)
{
    struct client_target t = {d->o.host, (unsigned)d->o.port, d->o.user, d->o.password};
    int rc = output_check(&d->out, d->o.output);

    if (rc < 0) {
        snprintf(d->error, sizeof(d->error), "%s", d->out.error);
        return rc;
    }
    rc = link_open(&d->link, &t);
    if (rc < 0)
        return dump_link_failed(d, rc);
    rc = set_unit(d);
    if (rc == 0)
        rc = set_range(d);
    if (rc == 0)
        rc = find_keys(d, words, n);
    return rc == 0 ? write_out(d) : rc;
}

/* Says what is not as one may have thought; true: something is. */
static bool
say_doubts(const struct dump *d)
{
    const struct {
        uint64_t n;
        const char *what;
    } doubts[] = {
        {d->uneven, "lines of times that have several lack a value: which values stood on one line is "
                    "not known"},
        {d->mixed, "lines have points of different quality, the first one's is shown"},
        {d->unreadable, "keys are empty, or have a line end in line protocol: pinstripe-load does not read "
                        "their lines back, RENAME them first"},
        {d->infinite, "values are infinite, which no command writes: pinstripe-load takes their lines for bad "
                      "ones"},
        {d->retyped, "values are not of the type that their quality says, they are written as floats"},
        {d->not_finite, "values are NaN or infinite, which line protocol does not have: they are left "
                        "out"},
        {d->other_types, "points are of other data types than 00, which line protocol does not have: "
                         "they are left out"},
    };
    bool any = d->absent > 0; /* said when it was found out */

    for (size_t i = 0; i < ARRAY_SIZE(doubts); i++) {
        if (doubts[i].n)
            fprintf(stderr, "pinstripe-dump: %" PRIu64 " %s\n", doubts[i].n, doubts[i].what);
        any = any || doubts[i].n;
    }
    return any;
}

static int
run(struct dump *d, const char **words, unsigned n)
{
    bool doubtful;
    int rc;

    d->stop = stop_catch();
    rc = dump_all(d, words, n);
    if (rc < 0)
        fprintf(stderr, "pinstripe-dump: %s\n", d->error);
    doubtful = say_doubts(d);
    if (!d->o.quiet)
        fprintf(stderr, "%" PRIu64 " points in %" PRIu64 " lines, %" PRIu64 " bytes\n", d->points,
                d->lines, d->out.bytes);
    link_close(&d->link);
    keys_fini(&d->keys);
    if (rc < 0)
        return rc == -EINVAL ? EXIT_USAGE : EXIT_STOPPED;
    return doubtful ? EXIT_DOUBTFUL : EXIT_WRITTEN;
}

int
main(int argc, char **argv)
{
    const char **words = calloc((size_t)argc + 1, sizeof(*words));
    struct dump *d = calloc(1, sizeof(*d));
    char error[256];
    unsigned n;
    int code;

    if (words == NULL || d == NULL)
        return EXIT_STOPPED;
    if (dump_options_parse(&d->o, argc, (const char *const *)argv, words, &n, error,
                           sizeof(error)) < 0 ||
        (time_zone_set(d->o.timezone) < 0 &&
         snprintf(error, sizeof(error), "--timezone '%s' is not known here", d->o.timezone))) {
        fprintf(stderr, "pinstripe-dump: %s\n", error);
        code = EXIT_USAGE;
    } else if (d->o.help) {
        dump_options_help();
        code = EXIT_WRITTEN;
    } else {
        code = run(d, words, n);
    }
    free(words);
    free(d);
    return code;
}
