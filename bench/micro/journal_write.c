/* The journal on a real disk: bench_journal_write [DIR [CPU]]. One JSON object a line:
 *
 *   journal_write  latency of one durable batch of a size, one at a time, as the loop sees it:
 *                  back to back, with the loop asleep for 2 ms before each, and with a loop that is
 *                  never idle; `way` is what the journal had settled on in the end
 *   journal_load   records a second and bytes a second when the loop appends as fast as it can
 *   journal_scan   records a second of a recovery scan, from the page cache and from the disk */
#include "core/cpu.h"
#include "shards/journal/journal.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define WRITES 2000
#define BUSY_NS 20000                          /* of every turn of a busy loop */
#define SETTLE_NS (10 * 1000 * 1000 * 1000ULL) /* for the journal to find the better way */
#define LOAD_NS (3000 * 1000 * 1000ULL)
#define RECORD_BYTES 45

struct bench {
    char dir[256];
    struct reactor r;
    struct journal j;
    struct journal_options opt;
    struct journal_tail tail;
    struct journal_error err;
};

static void
flush(void *arg)
{
    struct bench *b = arg;

    if (b->j.w)
        journal_flush(&b->j);
}

static void
open_journal(struct bench *b, enum journal_mode mode)
{
    b->opt.mode = mode;
    if (journal_scan(b->dir, 0, NULL, NULL, &b->tail, &b->err) ||
        journal_open(&b->j, &b->r, &b->opt, &b->tail, b->tail.last_lsn + 1, &b->err)) {
        fprintf(stderr, "%s\n", b->err.text);
        exit(1);
    }
}

static void
settle(struct bench *b)
{
    journal_want_durable(&b->j, journal_last_lsn(&b->j));
    while (!journal_idle(&b->j))
        reactor_turn(&b->r, true);
}

static int
by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

/* As if the loop had commands to run. */
static void
be_busy(uint64_t ns)
{
    uint64_t start = clock_now_ns();

    while (clock_now_ns() - start < ns)
        ;
}

static uint64_t
one_write_ns(struct bench *b, uint32_t bytes, bool busy)
{
    uint64_t start = clock_now_ns();

    memset(journal_append(&b->j, bytes), 'x', bytes);
    while (b->j.durable_lsn < journal_last_lsn(&b->j)) {
        if (busy)
            be_busy(BUSY_NS);
        reactor_turn(&b->r, !busy);
    }
    return clock_now_ns() - start;
}

static void
bench_write(struct bench *b, uint32_t kib, unsigned pause_us, bool busy)
{
    static uint64_t ns[WRITES];
    unsigned i, n = pause_us ? WRITES / 4 : WRITES;
    uint64_t end = clock_now_ns() + SETTLE_NS;

    while (busy && clock_now_ns() < end)
        one_write_ns(b, kib * 1024 - 64, busy);
    for (i = 0; i < n; i++) {
        if (pause_us)
            usleep(pause_us);
        ns[i] = one_write_ns(b, kib * 1024 - 64, busy);
        journal_release(&b->j, b->j.synced_lsn);
    }
    qsort(ns, n, sizeof(*ns), by_value);
    printf("{\"name\":\"journal_write\",\"kib\":%u,\"pause_us\":%u,\"busy\":%s,\"way\":\"%.*s\","
           "\"p50_us\":%.0f,\"p90_us\":%.0f,"
           "\"p99_us\":%.0f,\"max_us\":%.0f}\n",
           kib, pause_us, busy ? "true" : "false", (int)strcspn(journal_describe(&b->j), "e"),
           journal_describe(&b->j), (double)ns[n / 2] / 1e3, (double)ns[n * 9 / 10] / 1e3,
           (double)ns[n * 99 / 100] / 1e3, (double)ns[n - 1] / 1e3);
    fflush(stdout);
}

/* What a core would write at 2.5 M records a second comes in turns of 100 records. */
static void
bench_load(struct bench *b, const char *mode)
{
    uint64_t start = clock_now_ns(), first = b->j.next_lsn, bytes = b->j.stats.bytes;
    double s, records;
    int i;

    while (clock_now_ns() - start < LOAD_NS) {
        for (i = 0; i < 100 && journal_has_room(&b->j); i++)
            memset(journal_append(&b->j, RECORD_BYTES), 'x', RECORD_BYTES);
        reactor_turn(&b->r, i == 0);
    }
    settle(b);
    s = (double)(clock_now_ns() - start) / 1e9;
    records = (double)(b->j.next_lsn - first);
    printf("{\"name\":\"journal_load\",\"mode\":\"%s\",\"records_s\":%.0f,\"mb_s\":%.1f,"
           "\"batches_s\":%.0f}\n",
           mode, records / s, (double)(b->j.stats.bytes - bytes) / 1e6 / s,
           (double)b->j.stats.batches / s);
    fflush(stdout);
}

static int
touch(void *arg, uint64_t lsn, struct slice record)
{
    *(uint64_t *)arg += lsn + (uint8_t)record.p[0];
    return 0;
}

static int
drop_cached(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    int fd = open(path, O_RDONLY);

    posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    close(fd);
    return 0;
}

static int
read_through(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    static char p[1024 * 1024];
    int fd = flag == FTW_F ? open(path, O_RDONLY) : -1;

    while (fd >= 0 && read(fd, p, sizeof(p)) > 0)
        ;
    if (fd >= 0)
        close(fd);
    return 0;
}

static void
scan(struct bench *b, uint64_t after, int (*fn)(void *, uint64_t, struct slice), uint64_t *sum)
{
    if (journal_scan(b->dir, after, fn, sum, &b->tail, &b->err)) {
        fprintf(stderr, "%s\n", b->err.text);
        exit(1);
    }
}

static void
bench_scan(struct bench *b, bool cached)
{
    uint64_t sum = 0, start;
    double s;

    scan(b, 0, NULL, NULL); /* where it begins */
    nftw(b->dir, cached ? read_through : drop_cached, 8, FTW_PHYS);
    start = clock_now_ns();
    scan(b, b->tail.first_lsn - 1, touch, &sum);
    s = (double)(clock_now_ns() - start) / 1e9;
    printf("{\"name\":\"journal_scan\",\"cached\":%s,\"records_s\":%.0f,\"mb_s\":%.0f}\n",
           cached ? "true" : "false", (double)b->tail.records / s, (double)b->tail.bytes / 1e6 / s);
}

static int
remove_entry(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    return remove(path);
}

int
main(int argc, char **argv)
{
    static const uint32_t sizes[] = {4, 64, 256, 1024};
    static const char *const modes[] = {"always", "everysec", "no"};
    struct reactor_options ro = {.cpu = argc > 2 ? atoi(argv[2]) : -1};
    struct cpu_set others;
    static struct bench b;
    const char *why = "";
    size_t i;

    snprintf(b.dir, sizeof(b.dir), "%s/bench_journal.XXXXXX", argc > 1 ? argv[1] : "/tmp");
    b.opt = (struct journal_options){
        .dir = b.dir, .segment_bytes = 64 * MIB, .batch_bytes = 4 * MIB, .spare_segments = 2};
    if (ro.cpu >= 0 && cpu_set_allowed(&others) == 0) {
        CPU_CLR(ro.cpu, &others.set);
        others.n--;
        ro.background = &others;
    }
    if (!mkdtemp(b.dir) || reactor_init(&b.r, &ro) || reactor_attach(&b.r, &why)) {
        fprintf(stderr, "%s %s\n", b.dir, why);
        return 1;
    }
    reactor_add_flush(&b.r, flush, &b);
    open_journal(&b, JOURNAL_ALWAYS);
    for (i = 0; i < ARRAY_SIZE(sizes); i++) {
        bench_write(&b, sizes[i], 0, false);
        bench_write(&b, sizes[i], 2000, false);
    }
    bench_write(&b, 4, 0, true);
    bench_write(&b, 64, 0, true);
    journal_release(&b.j, b.j.synced_lsn);
    journal_close(&b.j);
    for (i = 0; i < 3; i++) {
        open_journal(&b, (enum journal_mode)i);
        bench_load(&b, modes[i]);
        journal_close(&b.j);
    }
    bench_scan(&b, true);
    bench_scan(&b, false);
    reactor_fini(&b.r);
    nftw(b.dir, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
    return 0;
}
