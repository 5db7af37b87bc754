#include "tools/load/load.h"

#include "core/clock.h"

#include <inttypes.h>
#include <poll.h>
#include <stdarg.h>
#include <unistd.h>
#include <xxhash.h>

#define LOOK_EVERY_LINES 1024 /* at the clock, for progress */
#define WAIT_MS_MAX 100
#define NS_PER_MS 1000000ULL

static int
sink_failed(struct load *ld, int rc)
{
    if (rc < 0)
        snprintf(ld->error, sizeof(ld->error), "%s", ld->sink.error);
    return rc;
}

static int
stopped(struct load *ld)
{
    snprintf(ld->error, sizeof(ld->error), "stopped by a signal");
    return -EINTR;
}

/* Before the line is worked on, which may change it. What is too long has left the memory. */
static void
note_place(struct load *ld, uint64_t before, bool whole)
{
    const struct input *in = &ld->in;
    uint64_t n = whole ? MIN(in->offset - before, (uint64_t)POSITION_LAST_BYTES) : 0;

    ld->behind = (struct place){.line = in->line,
                                .offset = in->offset,
                                .open = !in->ended,
                                .last_n = n,
                                .last_hash = XXH3_64bits(in->text.p + in->text_at - n, n)};
}

/* The next line of the file: what input_line says. A line that is still written to is none yet; one
 * that was loaded in part cannot be made whole. */
static int
take_line(struct load *ld, char **ret_line, size_t *ret_n)
{
    struct input *in = &ld->in;
    int rc = input_record(in, ld->record_ends, ld->record_arg, ret_line, ret_n);

    if (rc < 0)
        snprintf(ld->error, sizeof(ld->error), "%s", in->error);
    if (rc <= 0)
        return rc;
    if (unlikely(!in->ended || in->open) && ld->o.growing) {
        report_say(&ld->report, "%s: line %" PRIu64 " has no end yet%s, it is left for the next load",
                   in->path, in->line, in->ended ? " for a quote" : "");
        return INPUT_END;
    }
    if (unlikely(in->line == ld->position.open_line) && ld->with_position &&
        position_check_open(&ld->position, in->offset - in->end_bytes, in->offset) < 0) {
        snprintf(ld->error, sizeof(ld->error), "%s", ld->position.error);
        return -EINVAL;
    }
    return rc;
}

int
load_next_line(struct load *ld, char **ret_line, size_t *ret_n)
{
    uint64_t before = ld->in.offset;
    int rc;

    while ((rc = take_line(ld, ret_line, ret_n)) == INPUT_LONG) {
        ld->line = ld->in.line;
        note_place(ld, before, false);
        rc = load_bad_line(ld, "the line is longer than %lu bytes", INPUT_LINE_BYTES_MAX);
        if (rc == 0)
            rc = load_end_line(ld);
        if (rc < 0)
            return rc;
        before = ld->in.offset;
    }
    ld->line = ld->in.line;
    if (rc == INPUT_LINE && ld->with_position)
        note_place(ld, before, true);
    return rc < 0 ? rc : rc == INPUT_LINE;
}

/* The last line had no end when it was loaded: only that may have come since. */
static int
pass_late_end(struct load *ld)
{
    int rc = input_take_end(&ld->in);

    if (rc > 0)
        return 0;
    if (rc == 0)
        rc = position_went_on(&ld->position, ld->position.start.line);
    snprintf(ld->error, sizeof(ld->error), "%s",
             rc == -EINVAL ? ld->position.error : ld->in.error);
    return rc;
}

int
load_skip(struct load *ld)
{
    const struct place *start = &ld->position.start;
    struct slice last;
    int rc;

    if (!ld->with_position || start->line == 0)
        return 0;
    rc = input_skip(&ld->in, start->offset - start->last_n, start->line - 1);
    if (rc == 0)
        rc = input_peek(&ld->in, start->last_n, &last);
    if (rc == 0 && last.n < start->last_n) {
        snprintf(ld->error, sizeof(ld->error), "%s: the file is shorter than what was loaded of it",
                 ld->in.path);
        return -ENODATA;
    }
    if (rc == 0 && position_check_last(&ld->position, last) < 0) {
        snprintf(ld->error, sizeof(ld->error), "%s", ld->position.error);
        return -EINVAL;
    }
    if (rc == 0)
        rc = input_skip(&ld->in, start->offset, start->line);
    if (rc == 0 && start->open)
        rc = pass_late_end(ld);
    else if (rc < 0)
        snprintf(ld->error, sizeof(ld->error), "%s", ld->in.error);
    ld->bytes_passed += input_done(&ld->in);
    return rc;
}

int
load_bad_line(struct load *ld, const char *fmt, ...)
{
    char text[SINK_ERROR_MAX];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    ld->report.lines_bad++;
    report_line(&ld->report, ld->line, "%s", text);
    if (!ld->o.strict)
        return 0;
    snprintf(ld->error, sizeof(ld->error), "stopped at the first bad line (--strict)");
    return -EBADMSG;
}

static void
show_progress(struct load *ld, uint64_t now_ns)
{
    struct report_state s = {.points = ld->points_before + sink_points_done(&ld->sink),
                             .done = ld->bytes_before + input_done(&ld->in),
                             .passed = ld->bytes_passed,
                             .whole = ld->bytes_whole};

    report_progress(&ld->report, &s, now_ns);
}

/* Everything that is due is on its way while it waits. */
static int
wait_until_due(struct load *ld, uint64_t wait_ns)
{
    uint64_t now = clock_now_ns(), end = now + wait_ns;
    int rc = sink_flush(&ld->sink);

    while (rc == 0 && now < end && !*ld->stop) {
        uint64_t ms = (end - now + NS_PER_MS - 1) / NS_PER_MS;

        rc = sink_wait(&ld->sink, (int)MIN(ms, (uint64_t)WAIT_MS_MAX));
        now = clock_now_ns();
        show_progress(ld, now);
    }
    return sink_failed(ld, rc);
}

/* A signal, and what the server says of the points, are not put off until there is a next line. */
static int
wait_for_pipe(struct load *ld, int fd)
{
    int rc = sink_flush(&ld->sink);

    while (rc == 0 && !*ld->stop) {
        rc = sink_wait_or(&ld->sink, fd, WAIT_MS_MAX);
        show_progress(ld, clock_now_ns());
        if (rc == 0 && load_check_strict(ld) < 0)
            return -EBADMSG;
    }
    return sink_failed(ld, MIN(rc, 0));
}

int
load_wait_for_input(void *arg, struct input *in)
{
    struct pollfd there = {in->fd, POLLIN, 0};
    struct load *ld = arg;
    int rc = 0;

    if (!*ld->stop && poll(&there, 1, 0) == 0)
        rc = wait_for_pipe(ld, in->fd);
    if (rc == 0 && *ld->stop) /* also where the pipe has ended with us, perhaps within a line */
        rc = stopped(ld);
    if (rc < 0)
        snprintf(in->error, sizeof(in->error), "%.*s", INPUT_ERROR_MAX - 1, ld->error);
    return rc;
}

void
load_send_labels(struct load *ld, struct slice key)
{
    const struct labels *l = &ld->labels;

    if (l->n > 0)
        sink_label(&ld->sink, key, l->n, (struct slice){l->args.p, l->args.n});
}

/* TSDB_SET knows the server's policy by itself, TS.ADD must be told. */
static int
ask_policy(struct load *ld)
{
    int fd, rc = client_open(&ld->target, &fd, ld->error, sizeof(ld->error));

    if (rc < 0)
        return rc;
    rc = server_setting(&ld->target, fd, "duplicate-policy", ld->policy, ld->error,
                        sizeof(ld->error));
    close(fd);
    if (rc == 0) {
        snprintf(ld->error, sizeof(ld->error),
                 "the server does not tell its duplicate-policy (CONFIG GET), by which points that "
                 "are NaN are written");
        rc = -EPROTO;
    }
    return MIN(rc, 0);
}

int
load_begin_nan(struct load *ld, struct slice key)
{
    int rc = ld->policy[0] || ld->o.dry_run ? 0 : ask_policy(ld);

    if (rc == 0)
        sink_begin_nan(&ld->sink, key);
    return rc;
}

void
load_send_nan(struct load *ld, struct slice key, int64_t ts)
{
    sink_nan(&ld->sink, key, ts, ld->policy);
}

int
load_begin_points(struct load *ld, int64_t ts)
{
    uint64_t wait_ns = 0;

    if (ld->pace.rate > 0 || ld->pace.replay > 0) {
        wait_ns = pace_wait_ns(&ld->pace, clock_now_ns(),
                               ld->points_before + ld->sink.points - ld->sink.skipped, ts);
        if (wait_ns >= NS_PER_MS) {
            int rc = wait_until_due(ld, wait_ns);

            if (rc < 0)
                return rc;
        }
    }
    sink_begin_line(&ld->sink, ld->line);
    return 0;
}

int
load_check_strict(struct load *ld)
{
    if (likely(!ld->o.strict || report_refusals(&ld->report) == 0))
        return 0;
    snprintf(ld->error, sizeof(ld->error), "stopped at the first refusal (--strict)");
    return -EBADMSG;
}

int
load_end_line(struct load *ld)
{
    int rc;

    ld->position.now = ld->behind;
    rc = sink_failed(ld, sink_end_line(&ld->sink));
    ld->sink.lanes_of_line = 0;
    if (rc == 0 && unlikely(*ld->stop))
        rc = stopped(ld);
    if (rc == 0)
        rc = load_check_strict(ld);
    if (unlikely(++ld->lines_seen % LOOK_EVERY_LINES == 0))
        show_progress(ld, clock_now_ns());
    return rc;
}
