#include "tools/load/report.h"

#include <inttypes.h>
#include <stdarg.h>
#include <sys/ioctl.h>

#define NS 1e9
#define TERMINAL_NS (200 * 1000000ULL)
#define PLAIN_NS (10 * 1000000000ULL)
#define BAR_CELLS 24
#define BAR_CELLS_MIN 4
#define COLUMNS_USUAL 80
#define COLUMNS_MAX 10000
#define PROGRESS_BYTES 128

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

static unsigned
columns_of(const struct report *r)
{
    struct winsize size;

    if (r->columns == 0 && ioctl(fileno(r->to), TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        return size.ws_col;
    return r->columns ? r->columns : COLUMNS_USUAL;
}

/* What is passed over by --resume took no time, and says nothing of how long the rest takes. */
static void
format_left(const struct report *r, const struct report_state *s, double seconds, char *out, size_t room)
{
    uint64_t worked = s->done - MIN(s->passed, s->done) - r->start_worked;
    double left = seconds * (double)(s->whole - MIN(s->done, s->whole)) / (double)worked;

    if (worked == 0)
        return;
    if (left < 3600)
        snprintf(out, room, ", %d:%02d left", (int)left / 60, (int)left % 60);
    else
        snprintf(out, room, ", %.1f h left", left / 3600);
}

/* One line of the terminal, the last column of which stays free: what would go on on the next line
 * could not be written over. The bar has what the text leaves of it. */
static void
put_terminal_line(struct report *r, const char *text, double part, bool with_bar)
{
    char bar[BAR_CELLS + 1];
    int room = (int)MIN(columns_of(r), COLUMNS_MAX) - 1, text_n = (int)MIN(strlen(text), (size_t)room);
    int cells = MIN(BAR_CELLS, room - text_n - 3), full = (int)(part * cells);

    fputs("\r\033[K", r->to);
    if (with_bar && cells >= BAR_CELLS_MIN) {
        for (int i = 0; i < cells; i++)
            bar[i] = i < full ? '#' : '.';
        fprintf(r->to, "[%.*s] ", cells, bar);
    }
    fprintf(r->to, "%.*s", text_n, text);
}

void
report_progress(struct report *r, const struct report_state *s, uint64_t now_ns)
{
    double rate, part = s->whole ? (double)MIN(s->done, s->whole) / (double)s->whole : 0;
    char text[PROGRESS_BYTES];
    size_t n = 0;

    if (r->start_ns == 0) {
        r->start_ns = r->last_ns = now_ns;
        r->start_worked = s->done - MIN(s->passed, s->done);
    }
    if (r->quiet || now_ns - r->last_ns < (r->terminal ? TERMINAL_NS : PLAIN_NS))
        return;
    rate = (double)(s->points - r->last_points) / ((double)(now_ns - r->last_ns) / NS);
    r->last_ns = now_ns;
    r->last_points = s->points;
    if (s->whole)
        n = (size_t)snprintf(text, sizeof(text), r->terminal ? "%5.1f %% " : "%.1f %%, ", part * 100);
    n += (size_t)snprintf(text + n, sizeof(text) - n, "%" PRIu64 " points, %.0f/s", s->points, rate);
    if (s->whole)
        format_left(r, s, (double)(now_ns - r->start_ns) / NS, text + n, sizeof(text) - n);
    if (r->terminal)
        put_terminal_line(r, text, part, s->whole > 0);
    else
        fprintf(r->to, "%s\n", text);
    r->line_open = r->terminal;
    fflush(r->to);
}
