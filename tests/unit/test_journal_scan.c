/* Journals that are torn, damaged or forged. They are built in memory and written to a directory on
 * tmpfs, so that thousands of them can be scanned. */
#include "shards/journal/journal_file.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define CAPACITY (64 * KIB)
#define SYNCED JOURNAL_BATCH_AFTER_SYNC

/* One segment in memory. */
struct image {
    char *p;
    struct journal_segment_header h;
    uint64_t end; /* where the next batch goes */
    uint64_t due; /* its first LSN */
};

struct result {
    int ret;
    struct journal_tail tail;
    struct journal_error err;
    uint64_t read, last;
};

static char dir[64];

/* The images of one test (each test is a process). */
static char pool[16][CAPACITY];
static unsigned pool_used;

static int
remove_entry(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    return remove(path);
}

static void
make_dir(void)
{
    snprintf(dir, sizeof(dir), "%s/test_journal_scan.XXXXXX",
             access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    cr_assert(mkdtemp(dir));
}

static void
drop_dir(void)
{
    nftw(dir, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

TestSuite(journal_scan, .init = make_dir, .fini = drop_dir);

/* ---- building ---- */

static struct image
image_begin(uint64_t number, uint32_t incarnation, uint64_t first_lsn)
{
    struct image im = {.p = pool[pool_used++]};

    cr_assert_leq(pool_used, ARRAY_SIZE(pool));
    im.h = (struct journal_segment_header){.number = number,
                                           .first_lsn = first_lsn,
                                           .capacity = CAPACITY,
                                           .incarnation = incarnation,
                                           .salt = 0x1234567U * (uint32_t)number,
                                           .state = JOURNAL_SEGMENT_ACTIVE};
    journal_segment_encode(im.p, &im.h);
    im.end = JOURNAL_BLOCK_BYTES;
    im.due = first_lsn;
    return im;
}

/* Records of 100 bytes; returns the offset. */
static uint64_t
image_batch(struct image *im, uint32_t records, unsigned flags)
{
    struct journal_batch b = {.segment = im->h.number,
                              .first_lsn = im->due,
                              .incarnation = im->h.incarnation,
                              .records = records,
                              .flags = (uint16_t)flags};
    char *start = im->p + im->end, *q = start + JOURNAL_BATCH_HEADER_BYTES;
    uint64_t offset = im->end;
    uint32_t i;

    for (i = 0; i < records; i++) {
        *q++ = 100;
        put_le64(q, im->due++);
        memset(q + 8, (int)i, 92);
        q += 100;
    }
    im->end += journal_batch_seal(start, (size_t)(q - start), im->h.salt, &b);
    return offset;
}

static void
write_at(uint64_t number, const char *p, size_t n, uint64_t offset)
{
    char name[JOURNAL_NAME_BYTES], path[128];
    int fd;

    journal_name(number, name);
    snprintf(path, sizeof(path), "%s/%s", dir, name);
    fd = open(path, O_RDWR | O_CREAT, 0600);
    cr_assert_geq(fd, 0);
    cr_assert_eq(pwrite(fd, p, n, (off_t)offset), (ssize_t)n);
    close(fd);
}

static void
image_write(const struct image *im)
{
    write_at(im->h.number, im->p, CAPACITY, 0);
}

static void
drop_segment(uint64_t number)
{
    char name[JOURNAL_NAME_BYTES], path[128];

    journal_name(number, name);
    snprintf(path, sizeof(path), "%s/%s", dir, name);
    cr_assert_eq(unlink(path), 0);
}

static int
count_record(void *arg, uint64_t lsn, struct slice record)
{
    struct result *r = arg;

    cr_assert_eq(record.n, 100);
    cr_assert_eq(get_le64(record.p), lsn);
    cr_assert(r->read == 0 || lsn == r->last + 1);
    r->last = lsn;
    r->read++;
    return 0;
}

static struct result
scan_after(uint64_t after)
{
    struct result r = {0};

    r.ret = journal_scan(dir, after, count_record, &r, &r.tail, &r.err);
    return r;
}

/* Three segments with LSNs 1-60, 61-120, 121-; the last has four batches of 50, 10, 20, 5 records.
 */
struct trio {
    struct image s[3];
    uint64_t offset[4]; /* of the batches in the last segment */
};

static struct trio
trio_write(void)
{
    struct trio t;
    int i;

    for (i = 0; i < 2; i++) {
        t.s[i] = image_begin((uint64_t)i + 1, 1, 1 + 60 * (uint64_t)i);
        image_batch(&t.s[i], 20, SYNCED);
        image_batch(&t.s[i], 30, SYNCED);
        image_batch(&t.s[i], 10, SYNCED);
        image_write(&t.s[i]);
    }
    t.s[2] = image_begin(3, 2, 121);
    t.offset[0] = image_batch(&t.s[2], 50, SYNCED);
    t.offset[1] = image_batch(&t.s[2], 10, SYNCED);
    t.offset[2] = image_batch(&t.s[2], 20, SYNCED);
    t.offset[3] = image_batch(&t.s[2], 5, SYNCED);
    image_write(&t.s[2]);
    return t;
}

static void
expect_good(const struct result *r, uint64_t last)
{
    cr_assert_eq(r->ret, 0, "%s", r->err.text);
    cr_assert_eq(r->tail.last_lsn, last, "last LSN %lu, expected %lu", r->tail.last_lsn, last);
    cr_assert_eq(r->last, last);
}

static void
expect_damage(const struct result *r, uint64_t segment, uint64_t offset)
{
    char name[JOURNAL_NAME_BYTES], where[64];

    cr_assert_eq(r->ret, -EBADMSG, "%d", r->ret);
    cr_assert_eq(r->err.segment, segment, "%s", r->err.text);
    cr_assert_eq(r->err.offset, offset, "%s", r->err.text);
    journal_name(segment, name);
    snprintf(where, sizeof(where), "%s at offset %lu: ", name, offset);
    cr_assert_eq(strncmp(r->err.text, where, strlen(where)), 0, "%s", r->err.text);
}

/* ---- whole journals ---- */

Test(journal_scan, a_whole_journal_is_read_to_its_end)
{
    struct result r;

    trio_write();
    r = scan_after(0);
    expect_good(&r, 205);
    cr_assert_eq(r.read, 205);
    cr_assert_eq(r.tail.torn_bytes, 0);
    cr_assert_eq(r.tail.segments, 3);
    cr_assert_eq(r.tail.segment, 3);
    cr_assert_eq(r.tail.incarnation, 2);
    cr_assert_eq(r.tail.batches, 10);
}

Test(journal_scan, a_directory_that_is_not_there_is_an_error_that_names_it)
{
    struct journal_error err;
    struct journal_tail tail;

    cr_assert_eq(journal_scan("/nonexistent/x", 0, NULL, NULL, &tail, &err), -ENOENT);
    cr_assert(strstr(err.text, "/nonexistent/x"), "%s", err.text);
}

Test(journal_scan, files_with_other_names_are_left_alone)
{
    struct result r;
    char path[128];

    trio_write();
    snprintf(path, sizeof(path), "%s/0000000000000000000x.journal", dir);
    close(open(path, O_CREAT | O_WRONLY, 0600));
    snprintf(path, sizeof(path), "%s/00000000000000000004.journal.cut", dir);
    close(open(path, O_CREAT | O_WRONLY, 0600));
    r = scan_after(0);
    expect_good(&r, 205);
}

Test(journal_scan, numbers_may_have_gaps_when_the_records_have_none)
{
    struct trio t = trio_write();
    struct result r;

    drop_segment(3);
    t.s[2].h.number = 9;
    t.s[2].due = 121;
    t.s[2].end = JOURNAL_BLOCK_BYTES;
    journal_segment_encode(t.s[2].p, &t.s[2].h);
    image_batch(&t.s[2], 7, SYNCED);
    memset(t.s[2].p + t.s[2].end, 0, CAPACITY - t.s[2].end);
    image_write(&t.s[2]);
    r = scan_after(0);
    expect_good(&r, 127);
}

Test(journal_scan, spares_are_skipped_wherever_they_stand)
{
    struct trio t = trio_write();
    struct journal_segment_header h = {
        .number = 2, .capacity = CAPACITY, .state = JOURNAL_SEGMENT_SPARE};
    struct image im = image_begin(7, 1, 1);
    struct result r;

    /* number 7 is free: rewrite the third as number 8 to have a spare in the middle */
    drop_segment(3);
    h.number = 7;
    image_batch(&im, 10, SYNCED); /* left over */
    journal_segment_encode(im.p, &h);
    image_write(&im);
    t.s[2].h.number = 8;
    t.s[2].due = 121;
    t.s[2].end = JOURNAL_BLOCK_BYTES;
    memset(t.s[2].p, 0, CAPACITY);
    journal_segment_encode(t.s[2].p, &t.s[2].h);
    image_batch(&t.s[2], 5, SYNCED);
    image_write(&t.s[2]);
    im.h.number = h.number = 12;
    journal_segment_encode(im.p, &h);
    image_write(&im);
    r = scan_after(0);
    expect_good(&r, 125);
    cr_assert_eq(r.tail.segments, 3);
    cr_assert_eq(r.tail.segment, 8);
}

/* ---- torn tails ---- */

Test(journal_scan, a_batch_torn_at_any_byte_is_cut)
{
    struct trio t = trio_write();
    uint64_t offset = t.offset[3], extent = t.s[2].end - offset, cut;
    uint64_t payload_end = JOURNAL_BATCH_HEADER_BYTES + 5 * 101;
    char *old = pool[15];
    struct result r;
    int kind;

    for (kind = 0; kind < 2; kind++) {
        memset(old, kind ? 0x5a : 0, extent); /* what was there before: zeros or left-overs */
        for (cut = 0; cut < extent; cut++) {
            write_at(3, t.s[2].p + offset, cut, offset);
            write_at(3, old + cut, extent - cut, offset + cut);
            r = scan_after(0);
            if (kind == 0 && cut >= payload_end) {
                expect_good(&r, 205); /* the padding is zeros anyway */
                continue;
            }
            expect_good(&r, 200);
            if (cut >= 44) {
                cr_assert_eq(r.tail.torn_offset, offset);
                cr_assert_geq(r.tail.torn_bytes, JOURNAL_BLOCK_BYTES);
            }
        }
    }
}

Test(journal_scan, a_batch_of_several_blocks_torn_in_any_order_of_blocks_is_cut)
{
    struct image im = image_begin(1, 1, 1);
    uint64_t offset, extent, i;
    struct result r;
    unsigned mask, blocks;

    image_batch(&im, 3, SYNCED);
    offset = image_batch(&im, 300, SYNCED);
    extent = im.end - offset;
    blocks = (unsigned)(extent / JOURNAL_BLOCK_BYTES);
    cr_assert_eq(blocks, 8);
    for (mask = 0; mask < (1U << blocks) - 1; mask++) {
        memset(im.p + im.end, 0, CAPACITY - im.end);
        image_write(&im);
        for (i = 0; i < blocks; i++)
            if (!(mask & 1U << i))
                write_at(1, im.p + im.end, JOURNAL_BLOCK_BYTES, offset + i * JOURNAL_BLOCK_BYTES);
        r = scan_after(0);
        expect_good(&r, 3);
    }
}

Test(journal_scan, a_segment_whose_header_was_torn_at_any_byte_is_cut)
{
    struct trio t = trio_write();
    struct image im = image_begin(4, 2, 206), old = image_begin(4, 1, 1);
    struct result r;
    unsigned cut;

    old.h.state = JOURNAL_SEGMENT_SPARE;
    old.h.salt = im.h.salt;
    journal_segment_encode(old.p, &old.h);
    for (cut = 0; cut <= 64; cut++) {
        memcpy(old.p, im.p, cut);
        image_write(&old);
        r = scan_after(0);
        expect_good(&r, 205);
    }
    cr_assert_eq(t.s[2].due, 206);
}

Test(journal_scan, left_overs_of_a_recycled_file_are_no_batches)
{
    struct image old = image_begin(1, 1, 1), new = image_begin(2, 1, 61);
    struct result r;
    int i;

    /* the same incarnation, the LSN that is due, only number and salt differ */
    image_batch(&old, 60, SYNCED);
    image_write(&old);
    memcpy(new.p + JOURNAL_BLOCK_BYTES, old.p + JOURNAL_BLOCK_BYTES,
           CAPACITY - JOURNAL_BLOCK_BYTES);
    image_write(&new);
    r = scan_after(0);
    expect_good(&r, 60);
    cr_assert_eq(r.tail.torn_bytes, 0);

    /* the same number, written under another salt */
    for (i = 0; i < 2; i++) {
        new.end = JOURNAL_BLOCK_BYTES;
        new.due = 61;
        if (i == 0)
            image_batch(&new, 10, SYNCED);
        new.h.salt++;
        journal_segment_encode(new.p, &new.h);
    }
    image_write(&new);
    r = scan_after(0);
    expect_good(&r, 60);
}

Test(journal_scan, a_value_that_looks_like_a_later_batch_is_no_proof_of_damage)
{
    struct image im = image_begin(1, 1, 1), forged = image_begin(1, 1, 1);
    uint64_t offset;
    struct result r;

    image_batch(&im, 3, SYNCED);
    offset = image_batch(&im, 150, SYNCED);
    image_write(&im);
    /* the first block is torn; in the third stands a batch that is right but for the salt */
    memset(im.p + offset, 0, JOURNAL_BLOCK_BYTES);
    forged.h.salt = 0;
    forged.end = offset + 2 * JOURNAL_BLOCK_BYTES;
    forged.due = 900;
    image_batch(&forged, 3, SYNCED);
    memcpy(im.p + offset + 2 * JOURNAL_BLOCK_BYTES, forged.p + offset + 2 * JOURNAL_BLOCK_BYTES,
           JOURNAL_BLOCK_BYTES);
    image_write(&im);
    r = scan_after(0);
    expect_good(&r, 3);
}

/* ---- damage ---- */

static void
flip(uint64_t number, const struct image *im, uint64_t offset, unsigned bit)
{
    char byte = (char)(im->p[offset] ^ 1 << bit);

    write_at(number, &byte, 1, offset);
}

static void
unflip(uint64_t number, const struct image *im, uint64_t offset)
{
    write_at(number, im->p + offset, 1, offset);
}

Test(journal_scan, a_flipped_bit_in_the_last_batch_cuts_it)
{
    struct trio t = trio_write();
    uint64_t offset = t.offset[3], i, step;
    struct result r;
    unsigned bit;

    for (i = 0; i < JOURNAL_BLOCK_BYTES; i += step) {
        step = i < JOURNAL_BATCH_HEADER_BYTES ? 1 : 7;
        for (bit = 0; bit < 8; bit++) {
            flip(3, &t.s[2], offset + i, bit);
            r = scan_after(0);
            expect_good(&r, 200);
            cr_assert_geq(r.tail.torn_bytes, JOURNAL_BLOCK_BYTES, "byte %lu bit %u", i, bit);
            cr_assert_eq(r.tail.torn_segment, 3);
            cr_assert_eq(r.tail.torn_offset, offset);
        }
        unflip(3, &t.s[2], offset + i);
    }
}

Test(journal_scan, a_flipped_bit_before_the_tail_is_damage)
{
    struct trio t = trio_write();
    uint64_t offset, i, step;
    struct result r;
    unsigned bit, n;

    for (n = 0; n < 3; n++) {
        offset = t.offset[n];
        for (i = 0; i < journal_batch_extent(50 * 101); i += step) {
            if (offset + i >= t.offset[n + 1])
                break;
            step = i < JOURNAL_BATCH_HEADER_BYTES ? 1 : 13;
            for (bit = 0; bit < 8; bit += 3) {
                flip(3, &t.s[2], offset + i, bit);
                r = scan_after(0);
                expect_damage(&r, 3, offset);
            }
            unflip(3, &t.s[2], offset + i);
        }
    }
    r = scan_after(0);
    expect_good(&r, 205);
}

Test(journal_scan, a_flipped_bit_in_an_earlier_segment_is_damage_there)
{
    struct trio t = trio_write();
    uint64_t i, where;
    struct result r;

    for (i = JOURNAL_BLOCK_BYTES; i < t.s[1].end; i += 11) {
        flip(2, &t.s[1], i, i % 8);
        r = scan_after(0);
        cr_assert_eq(r.ret, -EBADMSG);
        cr_assert_eq(r.err.segment, 2);
        where = r.err.offset;
        cr_assert(where <= i && i < where + JOURNAL_BLOCK_BYTES, "%lu %s", i, r.err.text);
        unflip(2, &t.s[1], i);
    }
    /* what follows the last batch belongs to nobody */
    flip(2, &t.s[1], t.s[1].end + 5, 3);
    r = scan_after(0);
    expect_good(&r, 205);
}

Test(journal_scan, a_flipped_bit_in_the_header_of_a_segment_with_batches_is_damage)
{
    struct trio t = trio_write();
    uint64_t number, i, step;
    struct result r;

    for (number = 1; number <= 3; number++) {
        for (i = 0; i < JOURNAL_BLOCK_BYTES; i += step) {
            step = i < 48 ? 1 : 97;
            flip(number, &t.s[number - 1], i, i % 8);
            r = scan_after(0);
            expect_damage(&r, number, 0);
            unflip(number, &t.s[number - 1], i);
        }
    }
}

Test(journal_scan, a_lost_batch_before_the_tail_is_damage)
{
    struct trio t = trio_write();
    struct result r;

    memset(t.s[2].p + t.offset[1], 0, t.offset[2] - t.offset[1]);
    image_write(&t.s[2]);
    r = scan_after(0);
    expect_damage(&r, 3, t.offset[1]);
    cr_assert(strstr(r.err.text, "was written after it"), "%s", r.err.text);
}

Test(journal_scan, a_hole_before_batches_that_were_never_synced_is_a_torn_tail)
{
    struct image im = image_begin(1, 1, 1);
    uint64_t hole;
    struct result r;

    image_batch(&im, 5, SYNCED);
    image_batch(&im, 5, SYNCED);
    hole = image_batch(&im, 5, 0);
    image_batch(&im, 5, 0);
    image_batch(&im, 5, 0);
    memset(im.p + hole, 0, JOURNAL_BLOCK_BYTES);
    image_write(&im);
    r = scan_after(0);
    expect_good(&r, 10);
    cr_assert_eq(r.tail.torn_offset, hole);
    cr_assert_eq(r.tail.torn_bytes, 3 * JOURNAL_BLOCK_BYTES);
    /* one that was written after a sync changes that */
    image_batch(&im, 5, SYNCED);
    image_write(&im);
    r = scan_after(0);
    expect_damage(&r, 1, hole);
}

Test(journal_scan, a_missing_segment_is_damage)
{
    struct result r;

    trio_write();
    drop_segment(2);
    r = scan_after(0);
    expect_damage(&r, 1, 4 * JOURNAL_BLOCK_BYTES);
    drop_segment(1);
    r = scan_after(120); /* a checkpoint covers both */
    expect_good(&r, 205);
    r = scan_after(119);
    expect_damage(&r, 3, 0);
    cr_assert(strstr(r.err.text, "LSN 120 is due"), "%s", r.err.text);
}

Test(journal_scan, a_missing_segment_behind_a_full_one_is_damage)
{
    struct image a = image_begin(1, 1, 1), c = image_begin(3, 1, 1000);
    struct result r;

    while (a.end < CAPACITY)
        image_batch(&a, 10, SYNCED);
    image_write(&a);
    image_write(&c);
    r = scan_after(0);
    expect_damage(&r, 1, CAPACITY);
}

Test(journal_scan, a_gap_between_batches_is_damage)
{
    struct image im = image_begin(1, 1, 1);
    uint64_t offset;
    struct result r;

    image_batch(&im, 5, SYNCED);
    im.due += 3;
    offset = image_batch(&im, 5, SYNCED);
    image_write(&im);
    r = scan_after(0);
    expect_damage(&r, 1, offset);
}

Test(journal_scan, a_segment_that_begins_within_another_says_where_that_one_ends)
{
    struct trio t = trio_write();
    struct image cut = image_begin(4, 3, 150);
    struct result r;

    image_write(&cut);
    r = scan_after(0);
    cr_assert_eq(r.ret, 0, "%s", r.err.text);
    cr_assert_eq(r.read, 149);
    cr_assert_eq(r.tail.last_lsn, 149);
    /* damage beyond the cut is of no interest, within it is */
    flip(3, &t.s[2], t.offset[1] + 99, 1);
    r = scan_after(0);
    cr_assert_eq(r.ret, 0, "%s", r.err.text);
    flip(3, &t.s[2], t.offset[0] + 99, 1);
    r = scan_after(0);
    expect_damage(&r, 3, t.offset[0]);
    /* a later segment may cut whole segments away */
    cut = image_begin(5, 4, 61);
    image_write(&cut);
    r = scan_after(0);
    cr_assert_eq(r.ret, 0, "%s", r.err.text);
    cr_assert_eq(r.tail.last_lsn, 60);
}

Test(journal_scan, a_truncated_file_is_damage)
{
    char path[128];
    struct result r;

    trio_write();
    snprintf(path, sizeof(path), "%s/00000000000000000003.journal", dir);
    cr_assert_eq(truncate(path, CAPACITY - 1), 0);
    r = scan_after(0);
    expect_damage(&r, 3, CAPACITY - 1);
    cr_assert_eq(truncate(path, 0), 0);
    r = scan_after(0); /* no header, no batch */
    expect_good(&r, 120);
}

Test(journal_scan, a_segment_under_the_name_of_another_is_damage)
{
    struct trio t = trio_write();
    struct result r;

    write_at(4, t.s[2].p, CAPACITY, 0);
    r = scan_after(0);
    expect_damage(&r, 4, 0);
}

Test(journal_scan, an_incarnation_that_goes_down_is_damage)
{
    struct image im;
    struct result r;

    trio_write();
    im = image_begin(4, 1, 206);
    image_write(&im);
    r = scan_after(0);
    expect_damage(&r, 4, 0);
}

/* ---- what only a forger or a bug can write: checksums are right ---- */

static void
reseal(struct image *im, uint64_t offset, uint32_t records, size_t payload)
{
    struct journal_batch b = {.segment = im->h.number,
                              .first_lsn = im->h.first_lsn,
                              .incarnation = im->h.incarnation,
                              .records = records,
                              .flags = SYNCED};

    journal_batch_seal(im->p + offset, JOURNAL_BATCH_HEADER_BYTES + payload, im->h.salt, &b);
    image_write(im);
}

Test(journal_scan, record_boundaries_are_checked_before_any_record_is_handed_out)
{
    static const struct {
        uint32_t records;
        size_t payload;
    } cases[] = {{4, 303}, {2, 303}, {3, 302}, {3, 304}, {303, 303}};
    struct image im = image_begin(1, 1, 1);
    struct result r;
    size_t i;

    image_batch(&im, 3, SYNCED);
    for (i = 0; i < ARRAY_SIZE(cases); i++) {
        reseal(&im, JOURNAL_BLOCK_BYTES, cases[i].records, cases[i].payload);
        r = scan_after(0);
        cr_assert_eq(r.ret, 0);
        cr_assert_eq(r.read, 0, "case %zu", i);
        cr_assert_gt(r.tail.torn_bytes, 0);
    }
    reseal(&im, JOURNAL_BLOCK_BYTES, 3, 303);
    r = scan_after(0);
    expect_good(&r, 3);
}

Test(journal_scan, a_length_that_is_no_number_ends_the_record_walk)
{
    const char endless[] = "\xff\xff\xff\xff\xff\xff\xff\xff";
    const char *p = endless;
    struct slice record;

    cr_assert_not(journal_record_next(&p, endless + 8, &record));
    p = endless;
    cr_assert_not(journal_record_next(&p, endless + 2, &record));
    p = endless;
    cr_assert_not(journal_record_next(&p, endless, &record));
    p = "\x03"
        "ab";
    cr_assert_not(journal_record_next(&p, p + 3, &record));
    p = "\x02"
        "ab";
    cr_assert(journal_record_next(&p, p + 3, &record));
    cr_assert_eq(record.n, 2);
}

Test(journal_scan, names_are_twenty_digits)
{
    char name[JOURNAL_NAME_BYTES];

    journal_name(UINT64_MAX, name);
    cr_assert_str_eq(name, "18446744073709551615.journal");
    cr_assert_eq(journal_name_number(name), UINT64_MAX);
    cr_assert_eq(journal_name_number("00000000000000000042.journal"), 42);
    cr_assert_eq(journal_name_number("00000000000000000000.journal"), 0);
    cr_assert_eq(journal_name_number("0000000000000000042.journal"), 0);
    cr_assert_eq(journal_name_number("00000000000000000042.journal.cut"), 0);
    cr_assert_eq(journal_name_number("18446744073709551616.journal"), 0);
    cr_assert_eq(journal_name_number("new.tmp"), 0);
    cr_assert_eq(journal_name_number(""), 0);
}

/* ---- cutting ---- */

static unsigned
count_cut_files(void)
{
    struct dirent *de;
    unsigned n = 0;
    DIR *d = opendir(dir);

    while ((de = readdir(d)))
        n += strlen(de->d_name) > 4 && !strcmp(de->d_name + strlen(de->d_name) - 4, ".cut");
    closedir(d);
    return n;
}

static void
cut_where_it_hurts(struct result *r)
{
    struct journal_error err;

    cr_assert_eq(r->ret, -EBADMSG);
    cr_assert_eq(journal_cut(dir, r->err.segment, r->err.offset, &err), 0, "%s", err.text);
    *r = scan_after(0);
}

Test(journal_scan, a_cut_gives_up_what_is_damaged_and_later_and_keeps_a_copy)
{
    struct trio t = trio_write();
    struct result r;
    char path[160], byte;
    int fd;

    flip(2, &t.s[1], 2 * JOURNAL_BLOCK_BYTES + 60, 1);
    r = scan_after(0);
    cr_assert_eq(r.err.last_lsn, 80);
    cut_where_it_hurts(&r);
    expect_good(&r, 80);
    cr_assert_eq(r.tail.torn_bytes, 0);
    cr_assert_eq(count_cut_files(), 2);
    snprintf(path, sizeof(path), "%s/00000000000000000002.journal.8192.cut", dir);
    fd = open(path, O_RDONLY);
    cr_assert_eq(pread(fd, &byte, 1, 60), 1);
    cr_assert_eq(byte, t.s[1].p[2 * JOURNAL_BLOCK_BYTES + 60] ^ 2);
    close(fd);
}

Test(journal_scan, a_cut_in_the_last_segment_keeps_what_stands_before)
{
    struct trio t = trio_write();
    struct result r;

    flip(3, &t.s[2], t.offset[2] + 30, 1);
    r = scan_after(0);
    cut_where_it_hurts(&r);
    expect_good(&r, 180);
    cr_assert_eq(count_cut_files(), 1);
}

Test(journal_scan, a_cut_of_a_segment_without_header_puts_it_aside)
{
    struct trio t = trio_write();
    struct result r;

    flip(2, &t.s[1], 17, 1);
    r = scan_after(0);
    cut_where_it_hurts(&r);
    expect_good(&r, 60);
    cr_assert_eq(count_cut_files(), 2);
}

Test(journal_scan, a_cut_at_a_gap_keeps_what_stands_before)
{
    struct result r;

    trio_write();
    drop_segment(2);
    r = scan_after(0);
    cut_where_it_hurts(&r);
    expect_good(&r, 60);
}

Test(journal_scan, a_cut_of_a_truncated_segment_makes_it_whole)
{
    char path[128];
    struct result r;

    trio_write();
    snprintf(path, sizeof(path), "%s/00000000000000000003.journal", dir);
    cr_assert_eq(truncate(path, 3 * JOURNAL_BLOCK_BYTES), 0);
    r = scan_after(0);
    cut_where_it_hurts(&r);
    expect_good(&r, 170);
}
