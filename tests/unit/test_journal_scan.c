/* Journals that are whole, and journals with a torn end. */
#include "tests/unit/journal_image.h"

TestSuite(journal_scan, .init = make_dir, .fini = drop_dir);

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
