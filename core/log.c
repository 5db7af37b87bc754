/* Two buffers of LOG_QUEUE_LINES lines change hands: callers fill one under the mutex, which covers
 * a memcpy and nothing else, and the logger thread writes the other without it. Neither grows. */
#include "core/log.h"

#include "core/clock.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

struct lines {
    char *p;
    size_t n;
    unsigned count;
};

/* The one log of the process. */
static struct {
    pthread_mutex_t lock;
    pthread_cond_t news;
    struct lines filling; /* under lock */
    uint64_t dropped;     /* under lock: lines not written and not yet reported */
    bool running;         /* under lock: the thread takes lines */
    int fd;               /* under lock */
    struct lines writing; /* logger thread's own */
    pthread_t thread;
} the_log = {
    .lock = PTHREAD_MUTEX_INITIALIZER,
    .news = PTHREAD_COND_INITIALIZER,
    .fd = STDERR_FILENO,
};

/* Relaxed: a line more or less around a change of level does not matter. */
static _Atomic int the_level = LOG_INFO;

/* ---- formatting ---- */

static size_t
format_head(char *line, size_t size, enum log_level level)
{
    static const char *const names[] = {"debug", "info ", "warn ", "error"};
    int64_t us = clock_wall_us();
    time_t s = us / 1000000;
    struct tm tm;
    size_t n;

    gmtime_r(&s, &tm);
    n = strftime(line, size, "%Y-%m-%dT%H:%M:%S", &tm);
    return n + (size_t)snprintf(line + n, size - n, ".%03dZ %s ", (int)(us / 1000 % 1000),
                                names[level]);
}

/* What came from outside must not be able to start a line of its own or drive a terminal. */
static void
mask_controls(char *p, size_t n)
{
    for (; n; n--, p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            *p = '?';
}

/* Returns the length with the newline. A line that is too long ends in "...". */
static __attribute__((format(printf, 3, 0))) size_t
format_line(char line[LOG_LINE_BYTES_MAX], enum log_level level, const char *fmt, va_list ap)
{
    const size_t size = LOG_LINE_BYTES_MAX;
    size_t head = format_head(line, size, level), n;
    int written = vsnprintf(line + head, size - head, fmt, ap);

    n = head + (size_t)MAX(written, 0);
    if (n > size - 1) {
        n = size - 1;
        memcpy(line + n - 3, "...", 3);
    }
    mask_controls(line + head, n - head);
    line[n++] = '\n';
    return n;
}

/* ---- writing ---- */

/* False: the bytes are lost. The descriptor may be a pipe that somebody made non-blocking. */
static bool
write_all(int fd, const char *p, size_t n)
{
    while (n) {
        ssize_t w = write(fd, p, n);

        if (w >= 0) {
            p += w;
            n -= (size_t)w;
        } else if (errno == EAGAIN) {
            poll(&(struct pollfd){.fd = fd, .events = POLLOUT}, 1, -1);
        } else if (errno != EINTR) {
            return false;
        }
    }
    return true;
}

__attribute__((format(printf, 3, 4))) static bool
write_line(int fd, enum log_level level, const char *fmt, ...)
{
    char line[LOG_LINE_BYTES_MAX];
    va_list ap;
    size_t n;

    va_start(ap, fmt);
    n = format_line(line, level, fmt, ap);
    va_end(ap);
    return write_all(fd, line, n);
}

/* Waits for lines; false when there are none and none will come. */
static bool
take_lines(uint64_t *ret_dropped, int *ret_fd)
{
    struct lines full;

    pthread_mutex_lock(&the_log.lock);
    while (the_log.running && !the_log.filling.n)
        pthread_cond_wait(&the_log.news, &the_log.lock);
    full = the_log.filling;
    the_log.filling = the_log.writing;
    the_log.writing = full;
    *ret_dropped = the_log.dropped;
    *ret_fd = the_log.fd;
    the_log.dropped = 0;
    pthread_mutex_unlock(&the_log.lock);
    return full.n > 0;
}

/* Lines that found the queue full came after those in it, so they are reported behind them. When
 * writing fails (disk full) there is nobody to tell until it works again. */
static void *
log_main(void *arg)
{
    struct lines *w = &the_log.writing;
    uint64_t dropped, unreported = 0;
    int fd;

    while (take_lines(&dropped, &fd)) {
        unreported += dropped;
        if (!write_all(fd, w->p, w->n))
            unreported += w->count;
        else if (unreported && write_line(fd, LOG_WARN, "log: %llu lines dropped",
                                          (unsigned long long)unreported))
            unreported = 0;
        w->n = w->count = 0;
    }
    return NULL;
}

/* ---- starting and ending ---- */

static int
log_open(const char *path)
{
    int fd;

    if (!path || !*path)
        return STDERR_FILENO;
    fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
    return fd < 0 ? -errno : fd;
}

/* Untouched pages cost nothing, so the full size is taken at once. */
static int
lines_init(struct lines *l)
{
    *l = (struct lines){.p = malloc((size_t)LOG_QUEUE_LINES * LOG_LINE_BYTES_MAX)};
    return l->p ? 0 : -ENOMEM;
}

static void
lines_fini(struct lines *l)
{
    free(l->p);
    *l = (struct lines){0};
}

static int
start_thread(void)
{
    sigset_t all, before;
    int err;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    err = pthread_create(&the_log.thread, NULL, log_main, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (!err)
        pthread_setname_np(the_log.thread, "log");
    return -err;
}

/* Lines written meanwhile by other threads go straight to `fd`. */
static void
use_file(int fd)
{
    pthread_mutex_lock(&the_log.lock);
    if (the_log.fd != STDERR_FILENO)
        close(the_log.fd);
    the_log.fd = fd;
    pthread_mutex_unlock(&the_log.lock);
}

static void
set_running(bool running)
{
    pthread_mutex_lock(&the_log.lock);
    the_log.running = running;
    pthread_cond_signal(&the_log.news);
    pthread_mutex_unlock(&the_log.lock);
}

int
log_start(const char *path, enum log_level level)
{
    int err, fd = log_open(path);

    if (fd < 0)
        return fd;
    use_file(fd);
    log_set_level(level);
    err = lines_init(&the_log.filling);
    if (!err)
        err = lines_init(&the_log.writing);
    if (!err) {
        set_running(true);
        err = start_thread();
    }
    if (err) {
        set_running(false);
        lines_fini(&the_log.filling);
        lines_fini(&the_log.writing);
    }
    return err;
}

void
log_stop(void)
{
    set_running(false);
    pthread_join(the_log.thread, NULL);
    lines_fini(&the_log.filling);
    lines_fini(&the_log.writing);
}

void
log_set_level(enum log_level level)
{
    atomic_store_explicit(&the_level, level, memory_order_relaxed);
}

/* ---- callers ---- */

/* Returns the descriptor to write to when there is no thread to do it, -1 otherwise. */
static int
queue_line(const char *line, size_t n)
{
    struct lines *f = &the_log.filling;
    int fd = -1;

    pthread_mutex_lock(&the_log.lock);
    if (!the_log.running) {
        fd = the_log.fd;
    } else if (f->count == LOG_QUEUE_LINES) {
        the_log.dropped++;
    } else {
        memcpy(f->p + f->n, line, n);
        f->n += n;
        if (f->count++ == 0)
            pthread_cond_signal(&the_log.news);
    }
    pthread_mutex_unlock(&the_log.lock);
    return fd;
}

void
log_write(enum log_level level, const char *fmt, ...)
{
    char line[LOG_LINE_BYTES_MAX];
    int fd, saved = errno;
    va_list ap;
    size_t n;

    if ((int)level < atomic_load_explicit(&the_level, memory_order_relaxed))
        return;
    va_start(ap, fmt);
    n = format_line(line, level, fmt, ap);
    va_end(ap);
    fd = queue_line(line, n);
    if (fd >= 0)
        write_all(fd, line, n);
    errno = saved;
}
