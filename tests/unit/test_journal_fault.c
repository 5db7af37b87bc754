/* The journal when writes and syncs fail, the disk is full, and files cannot be made. */
#include "journal_fixture.h"

#include "shards/journal/journal_writer.h"

/* ---- failing writes ---- */

struct faults {
    struct io_fault hook;
    struct io_fault_plan plan;
    unsigned from, to; /* writes number from <= n < to are hit, from 0 */
    unsigned n;
    uint64_t offset_max; /* the highest seen */
    uint64_t offset_min, offset_last;
    void (*before)(struct faults *ft, int fd);
    void *arg;
};

static struct io_fault_plan
on_write(struct io_fault *hook, int fd, uint64_t offset, size_t len)
{
    struct faults *ft = container_of(hook, struct faults, hook);
    bool hit = ft->n >= ft->from && ft->n < ft->to;

    if (ft->before)
        ft->before(ft, fd);
    ft->n++;
    ft->offset_max = MAX(ft->offset_max, offset);
    ft->offset_min = MIN(ft->offset_min, offset);
    ft->offset_last = offset;
    return hit ? ft->plan : (struct io_fault_plan){0};
}

static void
inject(struct fix *f, struct faults *ft, enum io_fault_kind kind, int error, unsigned from,
       unsigned to)
{
    *ft = (struct faults){
        .hook.on_write = on_write, .from = from, .to = to, .offset_min = UINT64_MAX};
    ft->plan = (struct io_fault_plan){.kind = kind, .error = error, .bytes = 512};
    ft->plan.delay_ns = 100 * 1000 * 1000;
    io_set_fault(f->r.io, &ft->hook);
}

static const struct {
    enum io_fault_kind kind;
    int error, seen; /* seen: what the journal reports */
} failures[] = {
    {IO_FAULT_ERROR, EIO, EIO}, {IO_FAULT_ERROR, ENOSPC, ENOSPC}, {IO_FAULT_SHORT, 0, EIO}};

static bool
is_failed(struct fix *f)
{
    return f->j.state == JOURNAL_FAILED;
}

Test(journal_fault, one_bad_write_is_repeated_and_nobody_notices)
{
    struct faults ft;
    struct fix f;
    size_t i;

    for (i = 0; i < ARRAY_SIZE(failures); i++) {
        fix_start(&f, JOURNAL_ALWAYS);
        fix_open(&f);
        fix_write(&f, 3, 10);
        inject(&f, &ft, failures[i].kind, failures[i].error, 0, 1);
        fix_write(&f, 1, 200);
        cr_assert_eq(ft.n, 2);
        fix_write(&f, 3, 10);
        cr_assert_eq(f.j.state, JOURNAL_OK);
        cr_assert_eq(f.j.stats.retries, 1);
        cr_assert_eq(f.j.stats.errors, 1);
        fix_close(&f);
        cr_assert_eq(fix_scan(&f, 0), 0, "%s", f.err.text);
        cr_assert_eq(f.read, 260);
        fix_end(&f);
    }
}

Test(journal_fault, a_second_bad_write_is_the_end_and_acknowledges_nothing)
{
    struct faults ft;
    struct fix f;
    size_t i;

    for (i = 0; i < ARRAY_SIZE(failures); i++) {
        fix_start(&f, JOURNAL_ALWAYS);
        fix_open(&f);
        fix_write(&f, 3, 10);
        inject(&f, &ft, failures[i].kind, failures[i].error, 0, 2);
        f.told = 0;
        fix_append(&f);
        fix_until(&f, is_failed);
        cr_assert_eq(f.j.error, failures[i].seen);
        cr_assert_eq(f.j.durable_lsn, 30);
        cr_assert_eq(f.told, 1);
        cr_assert_not(journal_has_room(&f.j));
        fix_append(&f);
        fix_until(&f, fix_helper_is_idle);
        cr_assert_eq(ft.n, 2, "a failed journal writes no more");
        cr_assert_eq(f.j.durable_lsn, 30);
        cr_assert_eq(f.j.state, JOURNAL_FAILED);
        fix_close(&f);
        cr_assert_eq(fix_scan(&f, 0), 0, "%s", f.err.text);
        /* the short write was long enough for this little batch: it may survive, unacknowledged */
        cr_assert(f.read == 30 || (f.read == 31 && failures[i].kind == IO_FAULT_SHORT));
        fix_end(&f);
    }
}

Test(journal_fault, a_large_batch_is_durable_when_its_last_piece_is)
{
    struct faults ft;
    struct fix f;
    unsigned bad;

    for (bad = 0; bad < 4; bad++) {
        fix_start(&f, JOURNAL_ALWAYS);
        f.opt.segment_bytes = 8 * MIB;
        fix_open(&f);
        inject(&f, &ft, IO_FAULT_ERROR, EIO, bad, bad + 1);
        fix_append_long(&f, 3 * MIB + 500);
        fix_settle(&f);
        cr_assert_eq(ft.n, 5, "four pieces, one of them twice");
        cr_assert_eq(f.j.durable_lsn, 1);
        inject(&f, &ft, IO_FAULT_ERROR, EIO, bad, bad + 2);
        fix_append_long(&f, 3 * MIB + 500);
        fix_until(&f, is_failed);
        cr_assert_eq(f.j.durable_lsn, 1);
        fix_close(&f);
        cr_assert_eq(fix_scan(&f, 0), 0, "%s", f.err.text);
        cr_assert_eq(f.read, 1);
        fix_end(&f);
    }
}

/* So its checksum can be made piece by piece; and what of it is on disk before the end is no batch. */
Test(journal_fault, the_header_of_a_long_batch_is_written_last)
{
    struct faults ft;
    struct fix f;

    fix_start(&f, JOURNAL_ALWAYS);
    f.opt.segment_bytes = 16 * MIB;
    fix_open(&f);
    for (uint32_t n = 1 * MIB - 100; n <= 5 * MIB; n += 1 * MIB) {
        inject(&f, &ft, IO_FAULT_NONE, 0, 0, 0);
        fix_append_long(&f, n);
        fix_settle(&f);
        cr_assert_eq(ft.offset_last, ft.offset_min);
        cr_assert_eq(ft.n, n / MIB + 1);
    }
    fix_close(&f);
    cr_assert_eq(fix_scan(&f, 0), 0, "%s", f.err.text);
    cr_assert_eq(f.read, 5);
    cr_assert_eq(f.tail.torn_bytes, 0);
    fix_end(&f);
}

Test(journal_fault, two_failures_in_different_batches_are_both_repeated)
{
    struct faults ft;
    struct fix f;
    unsigned i;

    fix_start(&f, JOURNAL_ALWAYS);
    fix_open(&f);
    for (i = 0; i < 5; i++) {
        inject(&f, &ft, IO_FAULT_ERROR, EIO, 0, 1);
        fix_write(&f, 1, 3);
    }
    cr_assert_eq(f.j.stats.retries, 5);
    fix_close(&f);
    fix_end(&f);
}

Test(journal_fault, nothing_is_durable_before_the_write_completes)
{
    struct faults ft;
    struct fix f;
    uint64_t start;

    fix_start(&f, JOURNAL_ALWAYS);
    fix_open(&f);
    inject(&f, &ft, IO_FAULT_DELAY, 0, 0, 1);
    fix_append(&f);
    start = clock_now_ns();
    while (clock_now_ns() - start < 50 * 1000 * 1000) {
        reactor_turn(&f.r, false);
        if (journal_has_room(&f.j))
            fix_append(&f);
        cr_assert_eq(f.j.durable_lsn, 0);
    }
    cr_assert_eq(ft.n, 1, "one write in flight");
    cr_assert_eq(f.j.open_seq, 2);
    fix_settle(&f);
    cr_assert_eq(ft.n, 2, "what gathered meanwhile is one batch");
    fix_close(&f);
    fix_end(&f);
}

static bool
four_are_durable(struct fix *f)
{
    return f->j.durable_lsn == 4;
}

/* What comes while a write is under way is written when that ends, and does not wait once more. */
Test(journal_fault, everysec_keeps_its_second_on_a_slow_disk)
{
    struct faults ft;
    struct fix f;
    int i;

    fix_start(&f, JOURNAL_EVERYSEC);
    fix_open(&f);
    inject(&f, &ft, IO_FAULT_DELAY, 0, 0, UINT_MAX);
    ft.plan.delay_ns = 300 * 1000 * 1000;
    f.r.clock.fake = true;
    for (i = 0; i < 3; i++) {
        fix_append(&f);
        reactor_turn(&f.r, false);
    }
    f.r.clock.mono_ns += JOURNAL_LAZY_NS;
    reactor_turn(&f.r, false);
    cr_assert_eq(f.j.open_seq, 2, "the first write is under way");
    cr_assert_eq(fix_append(&f), 4);
    reactor_turn(&f.r, false);
    f.r.clock.mono_ns += JOURNAL_LAZY_NS;
    fix_until(&f, four_are_durable);
    f.r.clock.fake = false;
    fix_close(&f);
    fix_end(&f);
}

Test(journal_fault, a_new_segments_header_is_repeated_once_like_any_write)
{
    struct faults ft;
    struct fix f;

    fix_start(&f, JOURNAL_ALWAYS);
    fix_open(&f);
    fix_append_long(&f, FIX_SEGMENT_BYTES - 2 * JOURNAL_BLOCK_BYTES);
    fix_settle(&f);
    inject(&f, &ft, IO_FAULT_ERROR, EIO, 0, 1);
    fix_append_long(&f, FIX_SEGMENT_BYTES - 2 * JOURNAL_BLOCK_BYTES);
    fix_settle(&f);
    cr_assert_eq(ft.n, 3);
    inject(&f, &ft, IO_FAULT_ERROR, EIO, 0, 2);
    fix_append_long(&f, FIX_SEGMENT_BYTES - 2 * JOURNAL_BLOCK_BYTES);
    fix_until(&f, is_failed);
    fix_close(&f);
    cr_assert_eq(fix_scan(&f, 0), 0, "%s", f.err.text);
    cr_assert_eq(f.read, 2);
    fix_end(&f);
}

/* ---- two ways ---- */

static void
count_dsync(struct faults *ft, int fd)
{
    *(unsigned *)ft->arg += (fcntl(fd, F_GETFL) & O_DSYNC) == O_DSYNC;
}

Test(journal_fault, large_batches_are_flushed_once_and_small_ones_go_the_faster_way)
{
    struct faults ft;
    struct fix f;
    unsigned dsync = 0;

    fix_start(&f, JOURNAL_ALWAYS);
    f.opt.segment_bytes = 8 * MIB;
    fix_open(&f);
    f.j.w->way.probe_ns = UINT64_MAX;
    inject(&f, &ft, IO_FAULT_NONE, 0, 0, 0);
    ft.before = count_dsync;
    ft.arg = &dsync;
    if (f.j.w->file.direct_fd >= 0) {
        /* What is not known is never chosen: this test decides the way, not the disk of the day. */
        f.j.w->way.current = JOURNAL_WAY_DSYNC;
        f.j.w->way.ns[JOURNAL_WAY_FLUSH] = 0;
        fix_write(&f, 5, 3);
        cr_assert_eq(dsync, 5);
        fix_append_long(&f, 3 * MIB);
        fix_settle(&f);
        cr_assert_eq(dsync, 5);
        f.j.w->way.current = JOURNAL_WAY_FLUSH;
        f.j.w->way.ns[JOURNAL_WAY_DSYNC] = 0;
        fix_write(&f, 5, 3);
        cr_assert_eq(dsync, 5);
        cr_assert(strstr(journal_describe(&f.j), "fdatasync"));
        f.j.w->way.probe_ns = 0;
        fix_write(&f, 1, 3);
        f.j.w->way.probe_ns = UINT64_MAX;
        f.j.w->way.current = JOURNAL_WAY_FLUSH;
        fix_write(&f, 1, 3);
        cr_assert_eq(dsync, 6, "one probe");
        cr_assert_gt(f.j.w->way.ns[JOURNAL_WAY_DSYNC], 0);
        cr_assert_gt(f.j.w->way.ns[JOURNAL_WAY_FLUSH], 0);
    }
    fix_close(&f);
    cr_assert_eq(fix_scan(&f, 0), 0, "%s", f.err.text);
    cr_assert_eq(f.last_read, journal_last_lsn(&f.j));
    fix_end(&f);
}

Test(journal_fault, a_write_that_was_repeated_says_nothing_about_its_way)
{
    struct faults ft;
    struct fix f;

    fix_start(&f, JOURNAL_ALWAYS);
    fix_open(&f);
    inject(&f, &ft, IO_FAULT_ERROR, EIO, 0, 1);
    fix_write(&f, 1, 3);
    cr_assert_eq(f.j.w->way.ns[JOURNAL_WAY_DSYNC], 0);
    fix_close(&f);
    fix_end(&f);
}

/* ---- failing syncs: the buffered file is put behind /dev/null, which cannot be synced ---- */

static void
to_null(struct fix *f)
{
    int null = open("/dev/null", O_WRONLY);

    cr_assert_geq(dup2(null, f->j.w->file.plain_fd), 0);
    close(null);
}

static void
to_null_no_direct(struct fix *f)
{
    close(f->j.w->file.direct_fd);
    close(f->j.w->file.flush_fd);
    f->j.w->file.direct_fd = f->j.w->file.flush_fd = -1;
    to_null(f);
}

Test(journal_fault, a_failed_sync_in_mode_no_is_final)
{
    struct fix f;

    fix_start(&f, JOURNAL_NO);
    fix_open(&f);
    fix_write(&f, 2, 5);
    to_null(&f);
    fix_append(&f);
    journal_want_durable(&f.j, 11);
    fix_until(&f, is_failed);
    cr_assert_eq(f.j.error, EINVAL);
    cr_assert_eq(f.j.synced_lsn, 10);
    fix_close(&f);
    fix_end(&f);
}

static void
mend_at_second(struct faults *ft, int fd)
{
    if (ft->n == 1)
        cr_assert_geq(dup2(*(int *)ft->arg, fd), 0);
}

Test(journal_fault, after_a_failed_sync_the_batch_is_written_again)
{
    struct faults ft;
    struct fix f;
    int real;

    fix_start(&f, JOURNAL_ALWAYS);
    fix_open(&f);
    fix_write(&f, 2, 5);
    real = dup(f.j.w->file.plain_fd);
    to_null_no_direct(&f);
    inject(&f, &ft, IO_FAULT_NONE, 0, 0, 0);
    ft.before = mend_at_second;
    ft.arg = &real;
    fix_append(&f);
    fix_settle(&f);
    cr_assert_eq(ft.n, 2);
    cr_assert_eq(f.j.durable_lsn, 11);
    to_null(&f);
    ft.before = NULL;
    fix_append(&f);
    fix_until(&f, is_failed);
    cr_assert_eq(f.j.durable_lsn, 11);
    fix_close(&f);
    close(real);
    cr_assert_eq(fix_scan(&f, 0), 0, "%s", f.err.text);
    cr_assert_eq(f.read, 11);
    fix_end(&f);
}

/* ---- failing files ---- */

static struct {
    int allocate_err, open_direct_err, write_direct_err;
    _Atomic unsigned attempts;
} sim;

static int
sim_open(int dir_fd, const char *name, int flags)
{
    if (sim.open_direct_err && (flags & O_DIRECT))
        return sim.open_direct_err;
    return journal_file_syscalls.open(dir_fd, name, flags);
}

static int
sim_allocate(int fd, uint64_t bytes)
{
    sim.attempts++;
    return sim.allocate_err ? sim.allocate_err : journal_file_syscalls.allocate(fd, bytes);
}

static ssize_t
sim_write(int fd, const void *p, size_t n, uint64_t offset)
{
    if (sim.write_direct_err && (fcntl(fd, F_GETFL) & O_DIRECT))
        return sim.write_direct_err;
    return journal_file_syscalls.write(fd, p, n, offset);
}

static struct journal_file_ops
sim_ops(void)
{
    struct journal_file_ops ops = journal_file_syscalls;

    ops.open = sim_open;
    ops.allocate = sim_allocate;
    ops.write = sim_write;
    return ops;
}

static bool
is_full(struct fix *f)
{
    return f->j.state == JOURNAL_FULL;
}

static void
fill_until_full(struct fix *f)
{
    while (f->j.state == JOURNAL_OK) {
        if (journal_has_room(&f->j))
            fix_append(f);
        reactor_turn(&f->r, false);
    }
}

static unsigned attempts_seen;

static bool
has_tried_again(struct fix *f)
{
    return sim.attempts > attempts_seen && offload_pending(f->r.offload) == 0;
}

Test(journal_fault, a_full_disk_stops_the_journal_until_there_is_room)
{
    struct journal_file_ops ops = sim_ops();
    struct fix f;
    uint64_t last;
    unsigned i;

    fix_start(&f, JOURNAL_ALWAYS);
    f.opt.file_ops = &ops;
    fix_open(&f);
    fix_until(&f, fix_helper_is_idle);
    sim.allocate_err = -ENOSPC;
    fill_until_full(&f);
    cr_assert_eq(f.j.state, JOURNAL_FULL);
    cr_assert_eq(f.j.error, ENOSPC);
    cr_assert_not(journal_has_room(&f.j));
    cr_assert_not(journal_idle(&f.j));
    f.told = 0;
    f.r.clock.fake = true;
    for (i = 0; i < 3; i++) {
        attempts_seen = sim.attempts;
        reactor_turn(&f.r, false);
        f.r.clock.mono_ns += JOURNAL_RETRY_NS;
        fix_until(&f, has_tried_again);
        cr_assert_eq(sim.attempts, attempts_seen + 1, "once a second");
        cr_assert(is_full(&f));
    }
    cr_assert_eq(f.told, 0);
    sim.allocate_err = 0;
    last = journal_last_lsn(&f.j);
    f.r.clock.mono_ns += JOURNAL_RETRY_NS;
    fix_settle(&f);
    f.r.clock.fake = false;
    cr_assert_eq(f.j.state, JOURNAL_OK);
    cr_assert_eq(f.j.durable_lsn, last);
    cr_assert_geq(f.told, 2);
    fix_write(&f, 5, 10);
    fix_close(&f);
    cr_assert_eq(fix_scan(&f, 0), 0, "%s", f.err.text);
    cr_assert_eq(f.read, last + 50);
    fix_end(&f);
}

/* Also when there is only the one that just got full. */
Test(journal_fault, on_a_full_disk_released_segments_are_used_at_once)
{
    struct journal_file_ops ops = sim_ops();
    struct fix f;
    uint64_t released;
    unsigned spares;

    for (spares = 0; spares < 2; spares++) {
        fix_start(&f, JOURNAL_ALWAYS);
        f.opt.file_ops = &ops;
        sim.allocate_err = 0;
        fix_open(&f);
        if (spares) {
            fix_write(&f, 1, 1);
            fix_until(&f, fix_helper_is_idle);
        }
        sim.allocate_err = -ENOSPC;
        fill_until_full(&f);
        cr_assert_eq(f.j.stats.segments_created, 1 + spares);
        f.r.clock.fake = true; /* it is not for the next attempt in a second */
        released = f.j.synced_lsn;
        journal_release(&f.j, released);
        fix_settle(&f);
        f.r.clock.fake = false;
        cr_assert_eq(f.j.state, JOURNAL_OK);
        cr_assert_eq(f.j.durable_lsn, journal_last_lsn(&f.j));
        fix_close(&f);
        cr_assert_eq(fix_scan(&f, released), 0, "%s", f.err.text);
        cr_assert_eq(f.last_read, f.j.durable_lsn);
        fix_end(&f);
    }
}

Test(journal_fault, a_full_journal_can_be_closed_and_loses_only_what_waits)
{
    struct journal_file_ops ops = sim_ops();
    struct fix f;
    uint64_t durable;

    fix_start(&f, JOURNAL_ALWAYS);
    f.opt.file_ops = &ops;
    fix_open(&f);
    sim.allocate_err = -ENOSPC;
    fill_until_full(&f);
    durable = f.j.durable_lsn;
    fix_close(&f);
    cr_assert_eq(fix_scan(&f, 0), 0, "%s", f.err.text);
    cr_assert_eq(f.read, durable);
    fix_end(&f);
}

Test(journal_fault, a_file_system_that_cannot_make_files_fails_the_journal_at_the_second_attempt)
{
    struct journal_file_ops ops = sim_ops();
    struct fix f;

    fix_start(&f, JOURNAL_ALWAYS);
    f.opt.file_ops = &ops;
    fix_open(&f);
    fix_until(&f, fix_helper_is_idle);
    sim.allocate_err = -EIO;
    fill_until_full(&f);
    cr_assert_eq(f.j.state, JOURNAL_FAILED);
    cr_assert_eq(f.j.error, EIO);
    fix_until(&f, fix_is_idle);
    fix_close(&f);
    fix_end(&f);
}

Test(journal_fault, opening_on_a_full_disk_says_so_and_leaves_nothing_behind)
{
    struct journal_file_ops ops = sim_ops();
    struct fix f;

    fix_start(&f, JOURNAL_ALWAYS);
    f.opt.file_ops = &ops;
    sim.allocate_err = -ENOSPC;
    cr_assert_eq(fix_scan(&f, 0), 0);
    cr_assert_eq(journal_open(&f.j, &f.r, &f.opt, &f.tail, 1, &f.err), -ENOSPC);
    cr_assert(strstr(f.err.text, "No space"), "%s", f.err.text);
    cr_assert_eq(rmdir(f.dir), 0, "the directory is empty");
    fix_end(&f);
}

Test(journal_fault, without_o_direct_it_writes_and_syncs)
{
    struct journal_file_ops ops = sim_ops();
    struct fix f;
    int kind;

    for (kind = 0; kind < 2; kind++) {
        fix_start(&f, JOURNAL_ALWAYS);
        f.opt.file_ops = &ops;
        sim.open_direct_err = kind == 0 ? -EINVAL : 0;
        sim.write_direct_err = kind == 1 ? -EINVAL : 0;
        fix_open(&f);
        cr_assert(strstr(journal_describe(&f.j), "fdatasync"), "%s", journal_describe(&f.j));
        fix_write(&f, 60, 300);
        cr_assert_eq(f.j.synced_lsn, 18000);
        journal_release(&f.j, 9000);
        fix_until(&f, fix_helper_is_idle);
        fix_close(&f);
        cr_assert_eq(fix_scan(&f, 9000), 0, "%s", f.err.text);
        cr_assert_eq(f.read, 9000);
        fix_end(&f);
    }
}
