#include "tools/load/report.h"

#include <inttypes.h>
#include <stdarg.h>

#define NS 1e9
#define TERMINAL_NS (200 * 1000000ULL)
#define PLAIN_NS (10 * 1000000000ULL)
#define BAR_CELLS 24

void
report_init(struct report *r, FILE *to, bool terminal)
{
    *r = (struct report){.to = to, .terminal = terminal, .complaints_max = 20, .file = "-"};
}

void
report_end_line(struct report *r)
{
    if (r->line_open)
        fputs("\r\033[K", r->to);
    r->line_open = false;
}

void
report_line(struct report *r, uint64_t line, const char *fmt, ...)
{
    va_list ap;

    if (r->complaints++ >= r->complaints_max) {
        if (r->complaints == r->complaints_max + 1)
            report_say(r, "further complaints are only counted (--reports)");
        return;
    }
    report_end_line(r);
    fprintf(r->to, "%s:%" PRIu64 ": ", r->file, line);
    va_start(ap, fmt);
    vfprintf(r->to, fmt, ap);
    va_end(ap);
    fputc('\n', r->to);
}

void
report_say(struct report *r, const char *fmt, ...)
{
    va_list ap;

    report_end_line(r);
    fputs("pinstripe-load: ", r->to);
    va_start(ap, fmt);
    vfprintf(r->to, fmt, ap);
    va_end(ap);
    fputc('\n', r->to);
}

static void
put_bar(struct report *r, double part)
{
    char bar[BAR_CELLS + 1];
    int full = (int)(part * BAR_CELLS);

    for (int i = 0; i < BAR_CELLS; i++)
        bar[i] = i < full ? '#' : '.';
    bar[BAR_CELLS] = '\0';
    fprintf(r->to, "[%s] %5.1f %% ", bar, part * 100);
}

static void
put_left(struct report *r, double part, double seconds)
{
    double left = part > 0 ? seconds / part - seconds : 0;

    if (left < 3600)
        fprintf(r->to, ", %d:%02d left", (int)left / 60, (int)left % 60);
    else
        fprintf(r->to, ", %.1f h left", left / 3600);
}

void
report_progress(struct report *r, const struct report_state *s, uint64_t now_ns)
{
    double rate, part = s->whole ? (double)MIN(s->done, s->whole) / (double)s->whole : 0;

    if (r->start_ns == 0)
        r->start_ns = r->last_ns = now_ns;
    if (r->quiet || now_ns - r->last_ns < (r->terminal ? TERMINAL_NS : PLAIN_NS))
        return;
    rate = (double)(s->points - r->last_points) / ((double)(now_ns - r->last_ns) / NS);
    r->last_ns = now_ns;
    r->last_points = s->points;
    if (r->terminal)
        fputs("\r\033[K", r->to);
    if (r->terminal && s->whole)
        put_bar(r, part);
    else if (s->whole)
        fprintf(r->to, "%.1f %%, ", part * 100);
    fprintf(r->to, "%" PRIu64 " points, %.0f/s", s->points, rate);
    if (s->whole)
        put_left(r, part, (double)(now_ns - r->start_ns) / NS);
    if (!r->terminal)
        fputc('\n', r->to);
    r->line_open = r->terminal;
    fflush(r->to);
}
