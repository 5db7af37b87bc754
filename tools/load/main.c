/* pinstripe-load: writes points of files, or of a running RedisTimeSeries, into series. */
#include "tools/load/load.h"

#include "core/clock.h"
#include "tools/lib/stop.h"
#include "tools/lib/unit.h"
#include "tools/load/put_back.h"

#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

enum exit_code {
    EXIT_LOADED = 0,
    EXIT_SOME_BAD = 1,
    EXIT_USAGE = 2,
    EXIT_STOPPED = 3,
};

static void
on_refused(void *arg, uint64_t line, enum lane_what what, const char *text)
{
    struct load *ld = arg;

    if (what == LANE_LABELS)
        ld->report.unlabelled++;
    else
        ld->report.refused++;
    report_line(&ld->report, line, "%srefused by the server: %s",
                what == LANE_LABELS ? "labels are " : "", text);
}

/* --- setting up ----------------------------------------------------------------------------------
 */

static int
ask_unit(struct load *ld)
{
    int fd, rc = client_open(&ld->target, &fd, ld->error, sizeof(ld->error));

    if (rc < 0)
        return rc;
    rc = unit_of_server(&ld->target, fd, &ld->unit, ld->error, sizeof(ld->error));
    close(fd);
    if (rc == 0)
        report_say(&ld->report, "the server does not tell its timestamp-unit, ms is assumed; give "
                                "--unit");
    return MIN(rc, 0);
}

static int
set_unit(struct load *ld)
{
    ld->unit = TIME_MS;
    if (ld->o.unit && time_unit_parse(ld->o.unit, &ld->unit) < 0) {
        snprintf(ld->error, sizeof(ld->error), "--unit takes s, ms, us or ns");
        return -EINVAL;
    }
    return ld->o.unit || ld->o.dry_run ? 0 : ask_unit(ld);
}

static void
set_pace(struct load *ld)
{
    static const double per_second[] = {
        [TIME_S] = 1, [TIME_MS] = 1e3, [TIME_US] = 1e6, [TIME_NS] = 1e9};

    ld->pace = (struct pace){.rate = (double)ld->o.rate,
                             .replay = ld->o.replay,
                             .units_per_second = per_second[ld->unit]};
}

static void
add_sizes(struct load *ld, const char **files, unsigned n)
{
    struct stat st;

    for (unsigned i = 0; i < n; i++) {
        if (strcmp(files[i], "-") == 0 || stat(files[i], &st) < 0 || !S_ISREG(st.st_mode)) {
            ld->bytes_whole = 0;
            return;
        }
        ld->bytes_whole += (uint64_t)st.st_size;
    }
}

/* What decides which points a line gives: a position means nothing under other options. */
static uint64_t
hash_of_options(const struct load *ld)
{
    const struct load_options *o = &ld->o;
    const char *parts[] = {o->format,  o->columns,    o->header,    o->delimiter,
                           o->comment, o->key,        o->time,      o->timezone,
                           o->date,    o->time_start, o->precision, o->missing,
                           time_unit_name(ld->unit)};
    uint64_t hash = o->time_step * 2 + o->truncate_times;

    for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
        hash =
            parts[i] ? XXH3_64bits_withSeed(parts[i], strlen(parts[i]) + 1, hash) : hash * 31 + i;
    return hash;
}

/* --- one file ------------------------------------------------------------------------------------
 */

/* Lanes are not equally far, and one whose keys came late, or never, stands at the beginning. */
static void
say_going_on(struct load *ld)
{
    const struct position *p = &ld->position;
    uint64_t most = 0;

    for (unsigned i = 0; i < p->lanes; i++)
        most = MAX(most, p->lane[i].line);
    if (most > p->start.line)
        report_say(&ld->report,
                   "%s: going on behind line %" PRIu64 "; what is there of the lines up to %" PRIu64
                   " is passed over",
                   ld->in.path, p->start.line, most);
    else if (most > 0)
        report_say(&ld->report, "%s: going on behind line %" PRIu64, ld->in.path, most);
}

static int
open_position(struct load *ld, struct slice *ret_first)
{
    const char *slash = strrchr(ld->in.path, '/');
    const char *name = ld->o.load_name ? ld->o.load_name : slash ? slash + 1 : ld->in.path;
    int rc = input_peek(&ld->in, POSITION_FIRST_BYTES, ret_first);

    if (rc < 0) {
        snprintf(ld->error, sizeof(ld->error), "%s", ld->in.error);
        return rc;
    }
    ld->with_position = true;
    rc = position_open(&ld->position, &ld->target, name, (unsigned)ld->o.connections,
                       hash_of_options(ld), *ret_first, ld->o.wait_seconds);
    if (rc < 0)
        snprintf(ld->error, sizeof(ld->error), "%s", ld->position.error);
    else
        say_going_on(ld);
    return rc;
}

static int
open_sink(struct load *ld)
{
    struct sink_options so = {.target = ld->target,
                              .lanes = (unsigned)ld->o.connections,
                              .window = ld->o.window,
                              .transactions = ld->with_position,
                              .dry_run = ld->o.dry_run,
                              .refused = on_refused,
                              .arg = ld};
    int rc;

    if (ld->with_position) {
        so.lanes = ld->position.lanes;
        so.client_name = position_client_name(&ld->position);
    }
    rc = sink_open(&ld->sink, &so);
    if (rc < 0) {
        snprintf(ld->error, sizeof(ld->error), "%s",
                 ld->sink.error[0] ? ld->sink.error : strerror(-rc));
        return rc;
    }
    for (unsigned i = 0; ld->with_position && i < so.lanes; i++) {
        ld->sink.lanes[i].skip_line = ld->position.lane[i].line;
        ld->sink.lanes[i].strict = ld->o.strict;
        lane_start_at(&ld->sink.lanes[i], position_found(&ld->position, i));
    }
    ld->sink.position = position_of_lane;
    ld->sink.position_arg = &ld->position;
    return 0;
}

/* What was read before a stop is still written, unless it is the server that stopped us. */
static int
end_points(struct load *ld, int rc)
{
    int drained = 0;

    if (rc != -EINVAL && ld->sink.error[0] == '\0')
        drained = sink_drain(&ld->sink);
    if (drained < 0)
        snprintf(ld->error, sizeof(ld->error), "%s", ld->sink.error);
    return drained < 0 ? drained : rc;
}

/* After a stop: what the server did not take must not be passed over the next time. */
static void
make_positions_true(struct load *ld)
{
    struct put_back p;

    put_back(&ld->sink, &p);
    ld->passes_over = p.failed > 0;
    if (p.failed)
        report_say(&ld->report,
                   "%s: the position is beyond points that the server did not take, from line "
                   "%" PRIu64 " on, and could not be put back: --resume would pass over them",
                   ld->in.path, p.line);
    else if (p.lanes)
        report_say(&ld->report,
                   "%s: the position was put back before line %" PRIu64
                   ", which the server did not take; up to %" PRIu64
                   " points behind it are written once more when the load goes on",
                   ld->in.path, p.line, p.again);
}

static int
run_source(struct load *ld)
{
    int rc;

    rc = labels_init(&ld->labels, ld->o.labels, ld->o.from_redis ? NULL : &ld->facts, ld->error,
                     sizeof(ld->error));
    if (rc < 0)
        return rc;
    if (ld->o.from_redis)
        rc = source_redis(ld);
    else if (strcmp(ld->o.format, "influx") == 0)
        rc = source_influx(ld);
    else
        rc = source_csv(ld);
    return end_points(ld, rc);
}

static int
load_opened(struct load *ld)
{
    struct slice first = {0};
    char copy[POSITION_FIRST_BYTES];
    int rc = ld->o.resume ? open_position(ld, &first) : 0;

    if (first.n)
        memcpy(copy, first.p, first.n);
    first.p = copy;
    if (rc == 0)
        rc = open_sink(ld);
    if (rc == 0)
        rc = run_source(ld);
    if (rc == 0) /* the last answers came behind the last line */
        rc = load_check_strict(ld);
    if (rc < 0 && ld->with_position)
        make_positions_true(ld);
    if (rc == 0 && ld->with_position && position_finish(&ld->position, first) < 0) {
        snprintf(ld->error, sizeof(ld->error), "%s", ld->position.error);
        rc = -EIO;
    }
    ld->points_before += sink_points_done(&ld->sink);
    ld->points_passed += ld->sink.skipped;
    labels_fini(&ld->labels);
    sink_close(&ld->sink);
    if (ld->with_position)
        position_close(&ld->position);
    return rc;
}

static int
load_file(struct load *ld, const char *path)
{
    int rc;

    ld->report.file = path;
    file_facts_of(&ld->facts, path);
    memset(&ld->sink, 0, sizeof(ld->sink));
    rc = input_open_waiting(&ld->in, path, load_wait_for_input, ld);
    if (rc < 0)
        snprintf(ld->error, sizeof(ld->error), "%s", ld->in.error);
    else
        rc = load_opened(ld);
    if (rc == 0 && ld->in.garbage) {
        report_say(&ld->report, "%s: what follows the compressed data is no gzip data, it was passed "
                                "over", path);
        ld->report.garbage++;
    }
    ld->bytes_before += ld->in.file_bytes;
    ld->bytes_read += ld->in.file_at;
    input_close(&ld->in);
    return rc;
}

/* --- all -----------------------------------------------------------------------------------------
 */

static void
say_summary(struct load *ld, double seconds)
{
    const struct report *r = &ld->report;
    double rate = seconds > 0 ? (double)ld->points_before / seconds : 0;
    bool redis = ld->o.from_redis != NULL;

    report_end_line(&ld->report);
    if (r->quiet)
        return;
    fprintf(r->to,
            "%s %" PRIu64 " points of %" PRIu64 " %s in %.2f s (%.0f/s); %" PRIu64
            " bad lines, %" PRIu64 " points refused\n",
            ld->o.dry_run ? "read" : "loaded", ld->points_before,
            redis ? ld->series_seen : ld->lines_seen, redis ? "series" : "lines", seconds, rate,
            r->lines_bad, r->refused);
    if (ld->points_passed)
        fprintf(r->to, "%" PRIu64 " points of these lines were loaded before\n", ld->points_passed);
    if (r->unlabelled)
        fprintf(r->to, "%" PRIu64 " series have not got their labels\n", r->unlabelled);
    if (r->cells_left)
        fprintf(r->to, "%" PRIu64 " values are text, which is not stored\n", r->cells_left);
}

static int
load_all(struct load *ld, const char **files, unsigned n)
{
    int rc = set_unit(ld);

    set_pace(ld);
    add_sizes(ld, files, n);
    if (rc == 0 && ld->o.from_redis) {
        ld->report.file = ld->o.from_redis;
        return load_opened(ld);
    }
    for (unsigned i = 0; rc == 0 && i < n; i++)
        rc = load_file(ld, files[i]);
    return rc;
}

static int
run(struct load *ld, const char **files, unsigned n)
{
    uint64_t start = clock_now_ns();
    int rc;

    report_init(&ld->report, stderr, isatty(STDERR_FILENO));
    ld->report.complaints_max = ld->o.reports;
    ld->report.quiet = ld->o.quiet;
    ld->target =
        (struct client_target){ld->o.host, (unsigned)ld->o.port, ld->o.user, ld->o.password};
    rc = load_all(ld, files, n);
    if (rc < 0)
        report_say(&ld->report, "%s", ld->error);
    if (rc < 0 && rc != -EINVAL && ld->with_position && !ld->passes_over)
        report_say(&ld->report, "the same command goes on where this one stopped");
    if (rc == -EINVAL)
        return EXIT_USAGE;
    say_summary(ld, (double)(clock_now_ns() - start) / 1e9);
    if (rc < 0)
        return EXIT_STOPPED;
    return ld->report.lines_bad || ld->report.garbage || report_refusals(&ld->report)
               ? EXIT_SOME_BAD
               : EXIT_LOADED;
}

int
main(int argc, char **argv)
{
    const char **files = calloc((size_t)argc + 1, sizeof(*files));
    struct load *ld = calloc(1, sizeof(*ld));
    char error[256];
    unsigned n;
    int code;

    if (files == NULL || ld == NULL)
        return EXIT_STOPPED;
    if (load_options_parse(&ld->o, argc, (const char *const *)argv, files, &n, error,
                           sizeof(error)) < 0 ||
        (time_zone_set(ld->o.timezone) < 0 &&
         snprintf(error, sizeof(error), "--timezone '%s' is not known here", ld->o.timezone))) {
        fprintf(stderr, "pinstripe-load: %s\n", error);
        code = EXIT_USAGE;
    } else if (ld->o.help) {
        load_options_help();
        code = EXIT_LOADED;
    } else {
        ld->stop = stop_catch();
        code = run(ld, files, n);
    }
    free(files);
    free(ld);
    return code;
}
