#include "core/log.h"

#include "core/buf.h"
#include "core/clock.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

static char path[64];

static void
make_path(void)
{
    snprintf(path, sizeof(path), "/tmp/test_log.%d", (int)getpid());
    unlink(path);
}

static struct buf
read_back(void)
{
    struct buf b = {0};
    int fd = open(path, O_RDONLY);
    ssize_t n;

    cr_assert_geq(fd, 0);
    while ((n = read(fd, buf_reserve(&b, 65536), 65536)) > 0)
        b.n += (size_t)n;
    close(fd);
    buf_append(&b, "", 1);
    return b;
}

static unsigned
count_lines(const char *p)
{
    unsigned n = 0;

    for (; (p = strchr(p, '\n')); p++)
        n++;
    return n;
}

TestSuite(log, .init = make_path);

Test(log, lines_carry_time_level_and_text)
{
    int y, mo, d, h, mi, s, ms, end = 0;
    struct buf b;

    cr_assert_eq(log_start(path, LOG_INFO), 0);
    log_debug("not shown");
    log_info("number %d", 42);
    log_warn("careful");
    log_error("broken");
    log_set_level(LOG_DEBUG);
    log_debug("shown now");
    log_stop();
    b = read_back();
    cr_assert_eq(sscanf(b.p, "%4d-%2d-%2dT%2d:%2d:%2d.%3dZ info  number 42\n%n", &y, &mo, &d, &h,
                        &mi, &s, &ms, &end),
                 7);
    cr_assert_gt(end, 0, "%s", b.p);
    cr_assert_eq(count_lines(b.p), 4);
    cr_assert(strstr(b.p, "Z warn  careful\n"));
    cr_assert(strstr(b.p, "Z error broken\n"));
    cr_assert(strstr(b.p, "Z debug shown now\n"));
    cr_assert_null(strstr(b.p, "not shown"));
    buf_fini(&b);
    unlink(path);
}

Test(log, a_long_line_is_cut_and_control_bytes_are_masked)
{
    static char text[3000];
    struct buf b;

    memset(text, 'x', sizeof(text) - 1);
    cr_assert_eq(log_start(path, LOG_INFO), 0);
    log_info("%s", text);
    log_info("two\nlines \x1b[31m\x7f");
    log_stop();
    b = read_back();
    cr_assert_eq(count_lines(b.p), 2);
    cr_assert_eq(strchr(b.p, '\n') - b.p, LOG_LINE_BYTES_MAX - 1);
    cr_assert(strstr(b.p, "xxx...\n"));
    cr_assert(strstr(b.p, "two?lines ?[31m?\n"));
    buf_fini(&b);
    unlink(path);
}

Test(log, without_a_thread_lines_go_straight_to_the_file)
{
    struct buf b;

    cr_assert_eq(log_start(path, LOG_INFO), 0);
    log_info("first");
    log_stop();
    log_info("second");
    b = read_back();
    cr_assert_eq(count_lines(b.p), 2);
    cr_assert(strstr(b.p, "second"));
    buf_fini(&b);
    cr_assert_eq(log_start(path, LOG_INFO), 0);
    log_info("third");
    log_stop();
    b = read_back();
    cr_assert_eq(count_lines(b.p), 3, "the file is appended to");
    buf_fini(&b);
    unlink(path);
}

Test(log, a_path_that_cannot_be_opened_is_an_error)
{
    cr_assert_eq(log_start("/nonexistent/log", LOG_INFO), -ENOENT);
}

/* Lines that are there plus lines that are reported as dropped. */
static unsigned
count_accounted(const char *p)
{
    unsigned n = count_lines(p);

    for (; (p = strstr(p, "log: ")); p++)
        if (strchr(p, '\n'))
            n += (unsigned)atoi(p + 5) - 1; /* the report itself is no line of ours */
    return n;
}

/* A pipe that nobody reads stands for a terminal that hangs. */
Test(log, a_hanging_file_drops_lines_and_blocks_nobody, .timeout = 300)
{
    const unsigned n = 3 * LOG_QUEUE_LINES;
    struct buf b = {0};
    uint64_t start;
    unsigned i;
    int fds[2];
    ssize_t r;

    cr_assert_eq(pipe(fds), 0);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fds[1]);
    cr_assert_eq(log_start(path, LOG_INFO), 0);
    close(fds[1]);
    start = clock_now_ns();
    for (i = 0; i < n; i++)
        log_info("line %u of a flood", i);
    cr_assert_lt(clock_now_ns() - start, 60000000000ull);
    while (!b.n || count_accounted(b.p) < n) {
        r = read(fds[0], buf_reserve(&b, 65536), 65535);
        cr_assert_gt(r, 0);
        b.n += (size_t)r;
        b.p[b.n] = '\0';
    }
    log_stop();
    cr_assert_eq(count_accounted(b.p), n);
    cr_assert(strstr(b.p, " lines dropped\n"));
    buf_fini(&b);
}

/* Room comes back after a time. Was any line lost until then? It is too early when the log's thread had
 * not run yet. */
static bool
loses_lines(useconds_t us)
{
    struct rlimit before, small = {.rlim_cur = 200};
    struct buf b;
    unsigned i;
    bool lost;

    getrlimit(RLIMIT_FSIZE, &before);
    small.rlim_max = before.rlim_max;
    cr_assert_eq(log_start(path, LOG_INFO), 0);
    setrlimit(RLIMIT_FSIZE, &small);
    for (i = 0; i < 50; i++)
        log_info("a line that does not fit any more");
    usleep(us);
    setrlimit(RLIMIT_FSIZE, &before);
    log_info("room again");
    log_stop();
    b = read_back();
    cr_assert(strstr(b.p, "room again"));
    lost = strstr(b.p, " lines dropped\n");
    buf_fini(&b);
    unlink(path);
    return lost;
}

Test(log, lines_lost_to_a_full_disk_are_counted_when_it_has_room_again)
{
    useconds_t us = 50000;

    signal(SIGXFSZ, SIG_IGN);
    while (!loses_lines(us))
        cr_assert_lt(us *= 2, 60000000);
}

#define WRITERS 4
#define LINES_EACH 500

static void *
write_lines(void *arg)
{
    unsigned i;

    for (i = 0; i < LINES_EACH; i++)
        log_info("writer %d line %u end", (int)(intptr_t)arg, i);
    return NULL;
}

Test(log, lines_of_many_threads_do_not_mix)
{
    pthread_t t[WRITERS];
    unsigned next[WRITERS] = {0}, line, n = 0;
    struct buf b;
    char *p;
    int i;

    cr_assert_eq(log_start(path, LOG_INFO), 0);
    for (i = 0; i < WRITERS; i++)
        pthread_create(&t[i], NULL, write_lines, (void *)(intptr_t)i);
    for (i = 0; i < WRITERS; i++)
        pthread_join(t[i], NULL);
    log_stop();
    b = read_back();
    for (p = strtok(b.p, "\n"); p; p = strtok(NULL, "\n"), n++) {
        cr_assert_eq(sscanf(strchr(p, 'w'), "writer %d line %u end", &i, &line), 2, "%s", p);
        cr_assert_eq(next[i]++, line);
    }
    cr_assert_eq(n, WRITERS * LINES_EACH);
    buf_fini(&b);
    unlink(path);
}
