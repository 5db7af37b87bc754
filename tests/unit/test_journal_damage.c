/* Journals that are damaged or forged: said where, never read over. */
#include "tests/unit/journal_image.h"

TestSuite(journal_damage, .init = make_dir, .fini = drop_dir);

static void
unflip(uint64_t number, const struct image *im, uint64_t offset)
{
    write_at(number, im->p + offset, 1, offset);
}

Test(journal_damage, a_flipped_bit_in_the_last_batch_cuts_it)
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

Test(journal_damage, a_flipped_bit_before_the_tail_is_damage)
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

Test(journal_damage, a_flipped_bit_in_an_earlier_segment_is_damage_there)
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

Test(journal_damage, a_flipped_bit_in_the_header_of_a_segment_with_batches_is_damage)
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

Test(journal_damage, a_lost_batch_before_the_tail_is_damage)
{
    struct trio t = trio_write();
    struct result r;

    memset(t.s[2].p + t.offset[1], 0, t.offset[2] - t.offset[1]);
    image_write(&t.s[2]);
    r = scan_after(0);
    expect_damage(&r, 3, t.offset[1]);
    cr_assert(strstr(r.err.text, "was written after it"), "%s", r.err.text);
}

Test(journal_damage, a_hole_before_batches_that_were_never_synced_is_a_torn_tail)
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

Test(journal_damage, a_missing_segment_is_damage)
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

Test(journal_damage, a_missing_segment_behind_a_full_one_is_damage)
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

Test(journal_damage, a_gap_between_batches_is_damage)
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

Test(journal_damage, a_segment_that_begins_within_another_says_where_that_one_ends)
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

Test(journal_damage, a_truncated_file_is_damage)
{
    char path[128];
    struct result r;

    trio_write();
    snprintf(path, sizeof(path), "%s/00000000000000000003.journal", dir);
    cr_assert_eq(truncate(path, CAPACITY - 1), 0);
    r = scan_after(0);
    expect_damage(&r, 3, CAPACITY - 1);
    cr_assert_eq(truncate(path, 0), 0);
    r = scan_after(0); /* a file has its size before it has its name */
    expect_damage(&r, 3, 0);
}

Test(journal_damage, a_file_that_does_not_begin_as_a_segment_is_damage)
{
    static char zeros[CAPACITY];
    struct result r;

    trio_write();
    write_at(3, zeros, CAPACITY, 0);
    r = scan_after(0);
    expect_damage(&r, 3, 0);
}

Test(journal_damage, a_segment_under_the_name_of_another_is_damage)
{
    struct trio t = trio_write();
    struct result r;

    write_at(4, t.s[2].p, CAPACITY, 0);
    r = scan_after(0);
    expect_damage(&r, 4, 0);
}

Test(journal_damage, an_incarnation_that_goes_down_is_damage)
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

Test(journal_damage, record_boundaries_are_checked_before_any_record_is_handed_out)
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

Test(journal_damage, a_length_that_is_no_number_ends_the_record_walk)
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

Test(journal_damage, names_are_twenty_digits)
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
