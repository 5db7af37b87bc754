/* The journal when its helper stops at any operation, and when the process is killed: it opens again, with
 * all that was durable. */
#include "journal_fixture.h"

#include "shards/journal/journal_writer.h"

#include <signal.h>
#include <sys/wait.h>

/* ---- stopping at any operation of the helper ---- */

static _Atomic unsigned operations_left = UINT_MAX; /* until everything fails with EIO */

static int
step(void)
{
    if (operations_left == 0)
        return -EIO;
    operations_left--;
    return 0;
}

static int
stop_open(int dir_fd, const char *name, int flags)
{
    return step() ? -EIO : journal_file_syscalls.open(dir_fd, name, flags);
}

static int
stop_allocate(int fd, uint64_t bytes)
{
    return step() ? -EIO : journal_file_syscalls.allocate(fd, bytes);
}

static ssize_t
stop_write(int fd, const void *p, size_t n, uint64_t offset)
{
    return step() ? -EIO : journal_file_syscalls.write(fd, p, n, offset);
}

static int
stop_sync(int fd)
{
    return step() ? -EIO : journal_file_syscalls.sync(fd);
}

static int
stop_rename(int dir_fd, const char *from, const char *to)
{
    return step() ? -EIO : journal_file_syscalls.rename(dir_fd, from, to);
}

static int
stop_remove(int dir_fd, const char *name)
{
    return step() ? -EIO : journal_file_syscalls.remove(dir_fd, name);
}

static const struct journal_file_ops stopping = {.open = stop_open,
                                                 .allocate = stop_allocate,
                                                 .write = stop_write,
                                                 .sync = stop_sync,
                                                 .rename = stop_rename,
                                                 .remove = stop_remove};

/* Time flies, so that nobody waits for the second before another attempt. */
static void
turn_quickly(struct fix *f)
{
    f->r.clock.mono_ns += JOURNAL_RETRY_NS / 10;
    reactor_turn(&f->r, false);
}

/* Writes, releases and recycles until the helper is stopped; returns what was released. */
static uint64_t
work_until_stopped(struct fix *f)
{
    uint64_t released = 0;
    unsigned i;

    for (i = 0; i < 8 && f->j.state == JOURNAL_OK; i++) {
        fix_append_long(f, FIX_SEGMENT_BYTES / 2 + (i == 5 ? FIX_SEGMENT_BYTES : 0));
        fix_append(f);
        journal_want_durable(&f->j, journal_last_lsn(&f->j));
        while (!journal_idle(&f->j))
            turn_quickly(f);
        if (i % 3 == 2) {
            released = f->j.synced_lsn - 2;
            journal_release(&f->j, released);
        }
    }
    return released;
}

Test(journal_stop, wherever_the_helper_stops_the_journal_opens_again, .timeout = 300)
{
    struct fix f;
    uint64_t released, durable;
    unsigned countdown, steps = UINT_MAX;

    for (countdown = 8; countdown < steps; countdown += 1 + countdown / 12) {
        fix_start(&f, JOURNAL_ALWAYS);
        f.opt.segment_bytes = 16 * JOURNAL_BLOCK_BYTES;
        f.opt.file_ops = &stopping;
        operations_left = UINT_MAX;
        fix_open(&f);
        operations_left = countdown;
        f.r.clock.fake = true;
        released = work_until_stopped(&f);
        durable = f.j.durable_lsn;
        if (operations_left > 0)
            steps = countdown; /* it was not stopped any more */
        fix_close(&f);
        cr_assert_eq(fix_scan(&f, released), 0, "%u: %s", countdown, f.err.text);
        cr_assert_geq(f.last_read, durable);
        operations_left = UINT_MAX;
        f.r.clock.fake = false;
        fix_open(&f);
        fix_write(&f, 3, 4);
        durable = f.j.durable_lsn;
        fix_close(&f);
        cr_assert_eq(fix_scan(&f, released), 0, "%u: %s", countdown, f.err.text);
        cr_assert_eq(f.last_read, durable);
        fix_end(&f);
    }
    cr_assert_gt(countdown, 60);
}

/* ---- tails ---- */

Test(journal_stop, after_a_torn_tail_the_journal_goes_on)
{
    struct fix f;
    uint64_t durable, offset;
    unsigned i;

    fix_start(&f, JOURNAL_ALWAYS);
    for (i = 0; i < 5; i++) {
        fix_open(&f);
        fix_write(&f, 2, 20);
        durable = f.j.durable_lsn;
        fix_write(&f, 1, 300);
        offset = f.j.w->offset - f.j.w->flight_extent;
        fix_write_file(&f, f.j.w->file.number, "torn", 4, offset + 3000 + i * 1000);
        fix_close(&f);
        cr_assert_eq(fix_scan(&f, 0), 0, "%s", f.err.text);
        cr_assert_eq(f.last_read, durable);
        cr_assert_gt(f.tail.torn_bytes, 0);
    }
    fix_open(&f);
    fix_write(&f, 2, 20);
    fix_close(&f);
    cr_assert_eq(fix_scan(&f, 0), 0, "%s", f.err.text);
    cr_assert_eq(f.read, 240);
    cr_assert_eq(f.tail.torn_bytes, 0);
    fix_end(&f);
}

/* ---- kill -9 ---- */

/* The child appends as fast as it can and tells each durable LSN, and each LSN it releases, first.
 */
static void
child(struct fix *f, int pipe_fd, enum journal_mode mode)
{
    uint64_t told = 0, news[2] = {0, 0};
    unsigned i;

    cr_assert_eq(journal_scan(f->dir, 0, NULL, NULL, &f->tail, &f->err), 0);
    fix_open_at(f, f->tail.last_lsn + 1);
    journal_set_mode(&f->j, mode);
    for (i = 0;; i++) {
        if (journal_has_room(&f->j))
            fix_append_long(f, 8 + (i * 7919) % 3000);
        if (i % 4 == 0)
            reactor_turn(&f->r, false);
        if (f->j.durable_lsn == told)
            continue;
        told = f->j.durable_lsn;
        if (told % 5 == 0 && f->j.synced_lsn > 500)
            news[1] = MAX(news[1], f->j.synced_lsn - 500);
        news[0] = told;
        if (write(pipe_fd, news, sizeof(news)) != sizeof(news))
            _exit(1);
        journal_release(&f->j, news[1]);
    }
}

static pid_t
start_child(struct fix *parent, int pipe_fd, enum journal_mode mode)
{
    pid_t pid = fork();
    struct fix f;

    if (pid)
        return pid;
    fix_start(&f, mode);
    rmdir(f.dir);
    memcpy(f.dir, parent->dir, sizeof(f.dir));
    child(&f, pipe_fd, mode);
    _exit(0);
}

Test(journal_stop, what_was_durable_survives_kill_9, .timeout = 300)
{
    struct fix f;
    uint64_t news[2], durable, released = 0;
    int round, ends[2], status;
    pid_t pid;

    fix_start(&f, JOURNAL_ALWAYS);
    for (round = 0; round < 12; round++) {
        cr_assert_eq(pipe(ends), 0);
        pid = start_child(&f, ends[1], (enum journal_mode)(round % 3));
        close(ends[1]);
        usleep(150000 + 20000 * (unsigned)round);
        kill(pid, SIGKILL);
        cr_assert_eq(waitpid(pid, &status, 0), pid);
        cr_assert(WIFSIGNALED(status));
        durable = 0;
        while (read(ends[0], news, sizeof(news)) == sizeof(news)) {
            durable = news[0];
            released = MAX(released, news[1]);
        }
        close(ends[0]);
        cr_assert_eq(fix_scan(&f, released), 0, "%s", f.err.text);
        cr_assert_geq(f.last_read, durable);
    }
    fix_end(&f);
}
