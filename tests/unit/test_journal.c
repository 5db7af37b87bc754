/* The journal in good weather: what is appended comes back, over segments, openings and modes. */
#include "journal_fixture.h"

#include "shards/journal/journal_way.h"

#include <dirent.h>

/* ---- checksum ---- */

Test(journal, crc32c_gives_the_published_values)
{
    char zeros[32] = {0}, ones[32], up[32];
    int i;

    memset(ones, 0xff, sizeof(ones));
    for (i = 0; i < 32; i++)
        up[i] = (char)i;
    /* RFC 3720, B.4; the last is the usual check value */
    cr_assert_eq(journal_crc32c(0, zeros, 32), 0x8a9136aaU);
    cr_assert_eq(journal_crc32c(0, ones, 32), 0x62a8ab43U);
    cr_assert_eq(journal_crc32c(0, up, 32), 0x46dd794eU);
    cr_assert_eq(journal_crc32c(0, "123456789", 9), 0xe3069283U);
    cr_assert_eq(journal_crc32c_portable(0, "123456789", 9), 0xe3069283U);
    cr_assert_eq(journal_crc32c(0, "", 0), 0);
}

Test(journal, crc32c_is_the_same_with_and_without_instructions_and_in_pieces)
{
    size_t n, cut, size = 20000;
    char *p = malloc(size);
    uint32_t whole;

    for (n = 0; n < size; n++)
        p[n] = (char)(n * 2654435761U >> 13);
    for (n = 0; n < size; n += 1 + n / 7) {
        whole = journal_crc32c(7, p, n);
        cr_assert_eq(journal_crc32c_portable(7, p, n), whole, "%zu bytes", n);
        for (cut = 0; cut <= n; cut += 1 + n / 5)
            cr_assert_eq(journal_crc32c(journal_crc32c(7, p, cut), p + cut, n - cut), whole);
    }
    free(p);
}

/* ---- round trips ---- */

Test(journal, records_come_back_over_many_segments_and_openings)
{
    struct fix f;
    unsigned round;
    uint64_t last = 0;

    fix_start(&f, JOURNAL_ALWAYS);
    for (round = 0; round < 4; round++) {
        fix_open(&f);
        cr_assert_eq(f.j.next_lsn, last + 1);
        cr_assert_eq(f.j.durable_lsn, last);
        fix_write(&f, 120, 1 + round * 100);
        cr_assert_eq(f.j.durable_lsn, journal_last_lsn(&f.j));
        cr_assert_eq(f.j.synced_lsn, f.j.durable_lsn);
        cr_assert_eq(f.j.durable_seq + 1, f.j.open_seq);
        last = journal_last_lsn(&f.j);
        fix_close(&f);
        cr_assert_eq(fix_scan(&f, 0), 0, "%s", f.err.text);
        cr_assert_eq(f.read, last);
        cr_assert_eq(f.tail.first_lsn, 1);
        cr_assert_eq(f.tail.last_lsn, last);
        cr_assert_eq(f.tail.torn_bytes, 0);
        cr_assert_eq(f.tail.incarnation, round + 1);
    }
    cr_assert_gt(f.tail.segments, 8);
    fix_end(&f);
}

Test(journal, scan_begins_after_the_lsn_asked_for_and_stops_when_told)
{
    struct fix f;

    fix_start(&f, JOURNAL_ALWAYS);
    fix_open(&f);
    fix_write(&f, 10, 100);
    fix_close(&f);
    cr_assert_eq(fix_scan(&f, 555), 0);
    cr_assert_eq(f.read, 445);
    cr_assert_eq(fix_scan(&f, 1000), 0);
    cr_assert_eq(f.read, 0);
    cr_assert_eq(f.tail.records, 1000);
    fix_end(&f);
}

static int
stop_at_third(void *arg, uint64_t lsn, struct slice record)
{
    return lsn == 3 ? 42 : 0;
}

Test(journal, scan_returns_what_the_callback_stops_it_with)
{
    struct fix f;

    fix_start(&f, JOURNAL_ALWAYS);
    fix_open(&f);
    fix_write(&f, 1, 10);
    fix_close(&f);
    cr_assert_eq(journal_scan(f.dir, 0, stop_at_third, NULL, &f.tail, &f.err), 42);
    fix_end(&f);
}

Test(journal, an_empty_directory_continues_after_the_checkpoint)
{
    struct fix f;

    fix_start(&f, JOURNAL_ALWAYS);
    cr_assert_eq(fix_scan(&f, 77), 0);
    cr_assert_eq(f.tail.first_lsn, 78);
    cr_assert_eq(f.tail.last_lsn, 77);
    fix_open_at(&f, 78);
    cr_assert_eq(fix_append(&f), 78);
    fix_settle(&f);
    fix_close(&f);
    cr_assert_eq(fix_scan(&f, 77), 0);
    cr_assert_eq(f.read, 1);
    fix_end(&f);
}

Test(journal, records_of_every_small_length_come_back)
{
    struct fix f;
    uint32_t n;

    fix_start(&f, JOURNAL_ALWAYS);
    fix_open(&f);
    for (n = 8; n < 400; n++)
        fix_append_long(&f, n);
    for (n = 16380; n < 16390; n++)
        fix_append_long(&f, n);
    fix_settle(&f);
    fix_close(&f);
    cr_assert_eq(fix_scan(&f, 0), 0, "%s", f.err.text);
    cr_assert_eq(f.read, 402);
    fix_end(&f);
}

Test(journal, an_empty_record_is_a_record)
{
    struct fix f;

    fix_start(&f, JOURNAL_ALWAYS);
    fix_open(&f);
    journal_append(&f.j, 0);
    journal_append(&f.j, 0);
    fix_settle(&f);
    fix_close(&f);
    cr_assert_eq(journal_scan(f.dir, 0, NULL, NULL, &f.tail, &f.err), 0);
    cr_assert_eq(f.tail.records, 2);
    fix_end(&f);
}

Test(journal, a_batch_that_fills_a_segment_to_the_last_block_ends_cleanly)
{
    uint32_t room = FIX_SEGMENT_BYTES - JOURNAL_BLOCK_BYTES - JOURNAL_BATCH_HEADER_BYTES;
    struct fix f;
    int over;

    for (over = -1; over <= 1; over++) {
        fix_start(&f, JOURNAL_ALWAYS);
        fix_open(&f);
        fix_append_long(&f, room - 3 + (uint32_t)over); /* the length takes three bytes */
        fix_settle(&f);
        fix_write(&f, 2, 3);
        fix_close(&f);
        cr_assert_eq(fix_scan(&f, 0), 0, "%s", f.err.text);
        cr_assert_eq(f.read, 7);
        cr_assert_eq(f.tail.segments, over > 0 ? 3 : 2);
        fix_end(&f);
    }
}

Test(journal, a_record_larger_than_a_segment_gets_its_own)
{
    struct fix f;

    fix_start(&f, JOURNAL_ALWAYS);
    f.opt.segment_bytes = 4 * MIB;
    f.opt.batch_bytes = 4 * MIB;
    fix_open(&f);
    fix_write(&f, 3, 10);
    fix_append_long(&f, 5 * MIB);
    fix_append(&f);
    fix_settle(&f);
    fix_write(&f, 3, 10);
    fix_append_long(&f, 9 * MIB);
    fix_append_long(&f, 3 * MIB);
    fix_settle(&f);
    fix_write(&f, 3, 10);
    fix_close(&f);
    cr_assert_eq(fix_scan(&f, 0), 0, "%s", f.err.text);
    cr_assert_eq(f.read, 94);
    fix_end(&f);
}

/* ---- when a write happens ---- */

static bool
half_durable(struct fix *f)
{
    return f->j.durable_lsn >= 1;
}

/* A record whose last bytes are a blob's. */
static void
append_shared(struct fix *f, uint32_t own, uint32_t shared)
{
    uint64_t lsn = f->j.next_lsn;
    struct blob *b = blob_create(shared + 7);

    memset(b->p, (int)(lsn & 0xff), shared + 7);
    fix_fill(journal_append_shared(&f->j, own, b, (struct slice){b->p + 7, shared}), own, lsn);
    blob_put(&b);
}

/* Pieces of a write end before, in and behind what stands elsewhere. */
Test(journal, bytes_that_stand_elsewhere_are_written_where_they_belong)
{
    static const enum journal_mode modes[] = {JOURNAL_ALWAYS, JOURNAL_EVERYSEC, JOURNAL_NO};

    for (size_t m = 0; m < ARRAY_SIZE(modes); m++) {
        uint64_t n = 0;
        struct fix f;

        fix_start(&f, modes[m]);
        f.opt.segment_bytes = 4 * MIB;
        fix_open(&f);
        for (uint32_t i = 0; i < 12; i++) {
            for (uint32_t k = 0; k <= i % 3; k++, n++)
                append_shared(&f, 8 + i * 999, (i % 5 * 511 + 1) * (k ? 1000 : 1));
            fix_append(&f);
            if (i % 4 == 3)
                append_shared(&f, 8, 4096 - 20);
            n += 1 + (i % 4 == 3);
            cr_assert(blob_is_shared(f.j.open_shared.p[0].blob) == false, "held by the journal");
            fix_settle(&f);
            cr_assert_eq(f.j.open_shared.n, 0);
        }
        fix_close(&f);
        cr_assert_eq(fix_scan(&f, 0), 0, "%s", f.err.text);
        cr_assert_eq(f.read, n);
        fix_end(&f);
    }
}

Test(journal, appends_during_a_write_form_the_next_batch)
{
    struct fix f;
    int i;

    fix_start(&f, JOURNAL_ALWAYS);
    fix_open(&f);
    fix_append(&f);
    journal_flush(&f.j);
    for (i = 0; i < 50; i++) {
        fix_append(&f);
        journal_flush(&f.j);
    }
    cr_assert_eq(f.j.open_seq, 2);
    fix_until(&f, half_durable);
    fix_settle(&f);
    cr_assert_eq(f.j.stats.batches, 2);
    cr_assert_eq(f.j.stats.records, 51);
    fix_close(&f);
    fix_end(&f);
}

Test(journal, a_flush_with_nothing_to_write_writes_nothing)
{
    struct fix f;
    int i;

    fix_start(&f, JOURNAL_ALWAYS);
    fix_open(&f);
    for (i = 0; i < 100; i++)
        reactor_turn(&f.r, false);
    cr_assert(journal_idle(&f.j));
    cr_assert_eq(f.j.stats.batches, 0);
    cr_assert_eq(f.j.open_seq, 1);
    fix_close(&f);
    fix_end(&f);
}

static bool
all_sealed(struct fix *f)
{
    return f->j.open_first_lsn == f->j.next_lsn;
}

Test(journal, whether_a_flush_would_write_is_known_before)
{
    static const enum journal_mode modes[] = {JOURNAL_ALWAYS, JOURNAL_EVERYSEC};
    struct fix f;

    for (unsigned i = 0; i < 2; i++) {
        fix_start(&f, modes[i]);
        fix_open(&f);
        cr_assert_not(journal_wants_flush(&f.j));
        fix_append(&f);
        cr_assert_eq(journal_wants_flush(&f.j), modes[i] == JOURNAL_ALWAYS);
        journal_want_durable(&f.j, 1);
        cr_assert(journal_wants_flush(&f.j));
        fix_until(&f, all_sealed);
        fix_append(&f);
        journal_want_durable(&f.j, 2);
        cr_assert_eq(journal_wants_flush(&f.j), f.j.durable_lsn >= 1, "one write at a time");
        fix_settle(&f);
        cr_assert_not(journal_wants_flush(&f.j));
        fix_close(&f);
        fix_end(&f);
    }
}

Test(journal, everysec_is_durable_within_a_second_on_an_idle_loop)
{
    struct fix f;

    fix_start(&f, JOURNAL_EVERYSEC);
    fix_open(&f);
    fix_append(&f);
    reactor_turn(&f.r, false);
    cr_assert_eq(f.j.open_seq, 1);
    f.r.clock.fake = true;
    f.r.clock.mono_ns += JOURNAL_LAZY_NS / 2;
    reactor_turn(&f.r, false);
    cr_assert_eq(f.j.open_seq, 1, "it waits for more");
    f.r.clock.mono_ns += JOURNAL_LAZY_NS / 2;
    reactor_turn(&f.r, false);
    cr_assert_eq(f.j.open_seq, 2, "and is written without being asked");
    f.r.clock.fake = false;
    while (f.j.durable_lsn < 1)
        reactor_turn(&f.r, true);
    cr_assert_eq(f.j.synced_lsn, 1);
    static_assert(JOURNAL_LAZY_NS < 1000 * 1000 * 1000ULL, "the promise of everysec");
    fix_close(&f);
    fix_end(&f);
}

Test(journal, lazy_modes_write_early_when_much_is_waiting_or_somebody_asks)
{
    static const enum journal_mode modes[] = {JOURNAL_EVERYSEC, JOURNAL_NO};
    struct fix f;
    unsigned i;

    for (i = 0; i < 2; i++) {
        fix_start(&f, modes[i]);
        f.opt.batch_bytes = 4 * MIB;
        f.opt.segment_bytes = 4 * MIB;
        fix_open(&f);
        fix_append_long(&f, JOURNAL_LAZY_BYTES);
        journal_flush(&f.j);
        cr_assert_eq(f.j.open_seq, 2);
        fix_until(&f, half_durable);
        fix_append(&f);
        journal_flush(&f.j);
        cr_assert_eq(f.j.open_seq, 2);
        journal_want_durable(&f.j, 2);
        journal_flush(&f.j);
        cr_assert_eq(f.j.open_seq, 3);
        fix_settle(&f);
        cr_assert_eq(f.j.synced_lsn, 2);
        fix_close(&f);
        fix_end(&f);
    }
}

static bool
all_with_the_os(struct fix *f)
{
    return f->j.durable_lsn == journal_last_lsn(&f->j);
}

Test(journal, mode_no_does_not_sync_until_asked)
{
    struct fix f;

    fix_start(&f, JOURNAL_NO);
    fix_open(&f);
    fix_append(&f);
    fix_until(&f, all_with_the_os);
    cr_assert_eq(f.j.durable_lsn, 1);
    cr_assert_eq(f.j.synced_lsn, 0);
    cr_assert(journal_idle(&f.j));
    journal_want_durable(&f.j, UINT64_MAX);
    cr_assert_not(journal_idle(&f.j));
    fix_until(&f, fix_is_idle);
    cr_assert_eq(f.j.synced_lsn, 1);
    fix_close(&f);
    fix_end(&f);
}

Test(journal, mode_no_syncs_a_segment_before_the_next_begins)
{
    struct fix f;
    uint64_t first = 0;

    fix_start(&f, JOURNAL_NO);
    fix_open(&f);
    while (f.j.synced_lsn == 0) {
        first = fix_append_long(&f, 30000);
        fix_until(&f, all_with_the_os);
    }
    cr_assert_geq(f.j.synced_lsn, first - 1);
    fix_close(&f);
    cr_assert_eq(fix_scan(&f, 0), 0, "%s", f.err.text);
    cr_assert_eq(f.read, first);
    fix_end(&f);
}

Test(journal, the_mode_can_change_at_any_time)
{
    struct fix f;
    unsigned i;

    fix_start(&f, JOURNAL_ALWAYS);
    fix_open(&f);
    for (i = 0; i < 600; i++) {
        fix_append(&f);
        fix_append_long(&f, 500 + i * 7);
        journal_flush(&f.j);
        if (i % 5 == 0)
            reactor_turn(&f.r, false);
        if (i % 7 == 0)
            journal_set_mode(&f.j, (enum journal_mode)(i / 7 % 3));
        if (i % 31 == 0)
            fix_settle(&f);
    }
    journal_set_mode(&f.j, JOURNAL_NO);
    fix_append(&f);
    fix_until(&f, all_with_the_os);
    journal_set_mode(&f.j, JOURNAL_ALWAYS);
    fix_until(&f, fix_is_idle);
    reactor_turn(&f.r, false);
    fix_until(&f, fix_is_idle);
    cr_assert_eq(f.j.synced_lsn, journal_last_lsn(&f.j));
    fix_close(&f);
    cr_assert_eq(fix_scan(&f, 0), 0, "%s", f.err.text);
    cr_assert_eq(f.read, 1201);
    fix_end(&f);
}

/* ---- room ---- */

Test(journal, a_full_batch_says_so_and_still_takes_records)
{
    struct fix f;
    unsigned i;

    fix_start(&f, JOURNAL_ALWAYS);
    fix_open(&f);
    cr_assert(journal_has_room(&f.j));
    fix_append_long(&f, FIX_BATCH_BYTES);
    cr_assert_not(journal_has_room(&f.j));
    for (i = 0; i < 100; i++)
        fix_append_long(&f, 20000);
    fix_settle(&f);
    cr_assert(journal_has_room(&f.j));
    fix_close(&f);
    cr_assert_eq(fix_scan(&f, 0), 0, "%s", f.err.text);
    cr_assert_eq(f.read, 101);
    fix_end(&f);
}

/* ---- segments ---- */

struct files {
    unsigned segments, others;
};

static struct files
count_files(const struct fix *f)
{
    struct files n = {0};
    struct dirent *de;
    DIR *dir = opendir(f->dir);

    cr_assert(dir);
    while ((de = readdir(dir))) {
        if (journal_name_number(de->d_name))
            n.segments++;
        else if (de->d_name[0] != '.')
            n.others++;
    }
    closedir(dir);
    return n;
}

Test(journal, released_segments_are_recycled_and_never_read_again)
{
    struct fix f;
    unsigned round;
    uint64_t released;

    fix_start(&f, JOURNAL_ALWAYS);
    fix_open(&f);
    for (round = 0; round < 20; round++) {
        fix_write(&f, 30, 300);
        released = f.j.synced_lsn - 10;
        journal_release(&f.j, released);
        fix_until(&f, fix_helper_is_idle);
        cr_assert_eq(fix_scan(&f, released), 0, "%s", f.err.text);
        cr_assert_eq(f.read, 10);
        cr_assert_gt(f.tail.first_lsn, 1);
        cr_assert_leq(f.tail.first_lsn, released + 1);
    }
    cr_assert_gt(f.j.stats.segments_recycled, 10);
    cr_assert_lt(f.j.stats.segments_created, 12);
    cr_assert_lt(count_files(&f).segments, 12);
    fix_close(&f);
    cr_assert_eq(count_files(&f).others, 0);
    fix_end(&f);
}

Test(journal, nothing_is_released_before_its_records_may_go)
{
    struct fix f;

    fix_start(&f, JOURNAL_ALWAYS);
    fix_open(&f);
    fix_write(&f, 60, 300);
    journal_release(&f.j, 0);
    fix_until(&f, fix_helper_is_idle);
    cr_assert_eq(fix_scan(&f, 0), 0, "%s", f.err.text);
    cr_assert_eq(f.read, 18000);
    journal_release(&f.j, 1);
    fix_until(&f, fix_helper_is_idle);
    cr_assert_eq(fix_scan(&f, 1), 0, "%s", f.err.text);
    cr_assert_eq(f.read, 17999);
    fix_close(&f);
    fix_end(&f);
}

Test(journal, live_bytes_follow_what_is_written_and_released)
{
    struct fix f;
    uint64_t all;

    fix_start(&f, JOURNAL_ALWAYS);
    fix_open(&f);
    cr_assert_eq(journal_live_bytes(&f.j), 0);
    fix_write(&f, 50, 300);
    all = journal_live_bytes(&f.j);
    cr_assert_geq(all, f.j.stats.bytes);
    cr_assert_leq(all, f.j.stats.bytes + 20 * JOURNAL_BLOCK_BYTES);
    journal_release(&f.j, journal_last_lsn(&f.j) / 2);
    cr_assert_geq(journal_live_bytes(&f.j), all * 45 / 100);
    cr_assert_leq(journal_live_bytes(&f.j), all * 55 / 100);
    journal_release(&f.j, journal_last_lsn(&f.j));
    cr_assert_eq(journal_live_bytes(&f.j), 0);
    fix_close(&f);
    fix_end(&f);
}

Test(journal, a_large_segment_overtakes_spares_and_is_not_kept)
{
    struct fix f;
    unsigned i;

    fix_start(&f, JOURNAL_ALWAYS);
    f.opt.spare_segments = 3;
    fix_open(&f);
    fix_until(&f, fix_helper_is_idle);
    for (i = 0; i < 5; i++) {
        fix_append_long(&f, FIX_SEGMENT_BYTES * 2);
        fix_settle(&f);
        fix_write(&f, 20, 300);
        fix_until(&f, fix_helper_is_idle);
    }
    cr_assert_eq(fix_scan(&f, 0), 0, "%s", f.err.text);
    cr_assert_eq(f.read, 30005);
    journal_release(&f.j, journal_last_lsn(&f.j));
    fix_until(&f, fix_helper_is_idle);
    cr_assert_leq(count_files(&f).segments, 1 + JOURNAL_BLOCK_BYTES / 100);
    cr_assert_eq(fix_scan(&f, journal_last_lsn(&f.j)), 0, "%s", f.err.text);
    fix_close(&f);
    fix_end(&f);
}

Test(journal, opening_again_and_again_uses_the_files_that_are_there)
{
    struct fix f;
    unsigned i;

    fix_start(&f, JOURNAL_ALWAYS);
    for (i = 0; i < 20; i++) {
        fix_open(&f);
        fix_write(&f, 1, 5);
        journal_release(&f.j, journal_last_lsn(&f.j));
        fix_until(&f, fix_helper_is_idle);
        fix_close(&f);
    }
    cr_assert_leq(count_files(&f).segments, 4);
    fix_end(&f);
}

Test(journal, a_directory_has_one_writer)
{
    struct fix f;
    struct journal other;

    fix_start(&f, JOURNAL_ALWAYS);
    fix_open(&f);
    cr_assert_eq(journal_open(&other, &f.r, &f.opt, &f.tail, 1, &f.err), -EBUSY);
    cr_assert(strstr(f.err.text, f.dir), "%s", f.err.text);
    cr_assert_eq(journal_cut(f.dir, 1, 4096, &f.err), -EBUSY);
    fix_close(&f);
    fix_open(&f);
    fix_close(&f);
    fix_end(&f);
}

Test(journal, a_cut_by_the_next_lsn_hides_what_was_beyond)
{
    struct fix f;

    fix_start(&f, JOURNAL_ALWAYS);
    fix_open(&f);
    fix_write(&f, 40, 300); /* several segments */
    fix_close(&f);
    cr_assert_eq(journal_scan(f.dir, 0, NULL, NULL, &f.tail, &f.err), 0);
    fix_open_at(&f, 4567); /* in the middle of a batch, segments before the last */
    cr_assert_eq(fix_append(&f), 4567);
    fix_settle(&f);
    fix_close(&f);
    cr_assert_eq(fix_scan(&f, 0), 0, "%s", f.err.text);
    cr_assert_eq(f.read, 4567);
    cr_assert_eq(f.tail.last_lsn, 4567);
    fix_open(&f);
    fix_write(&f, 40, 300);
    fix_close(&f);
    cr_assert_eq(fix_scan(&f, 0), 0, "%s", f.err.text);
    cr_assert_eq(f.read, 4567 + 12000);
    fix_end(&f);
}

Test(journal, a_higher_next_lsn_drops_the_old_segments)
{
    struct fix f;

    fix_start(&f, JOURNAL_ALWAYS);
    fix_open(&f);
    fix_write(&f, 40, 300);
    fix_close(&f);
    cr_assert_eq(journal_scan(f.dir, 0, NULL, NULL, &f.tail, &f.err), 0);
    fix_open_at(&f, 20001);
    fix_append(&f);
    fix_settle(&f);
    fix_close(&f);
    cr_assert_eq(fix_scan(&f, 20000), 0, "%s", f.err.text);
    cr_assert_eq(f.read, 1);
    cr_assert_eq(f.tail.segments, 1);
    fix_end(&f);
}

Test(journal, describe_tells_the_way_of_writing)
{
    struct fix f;

    fix_start(&f, JOURNAL_ALWAYS);
    fix_open(&f);
    cr_assert(strstr(journal_describe(&f.j), "256 KiB segments"), "%s", journal_describe(&f.j));
    journal_set_mode(&f.j, JOURNAL_NO);
    cr_assert(strstr(journal_describe(&f.j), "buffered"), "%s", journal_describe(&f.j));
    fix_close(&f);
    fix_end(&f);
}

/* ---- which way ---- */

/* Writes for `seconds` at 10,000 a second; returns how many went the slow way. */
static unsigned
simulate(struct journal_way *w, uint64_t *now_ns, unsigned seconds, const uint64_t ns[2])
{
    enum journal_way_kind slow = ns[0] > ns[1] ? JOURNAL_WAY_DSYNC : JOURNAL_WAY_FLUSH, kind;
    unsigned i, slow_n = 0;

    for (i = 0; i < seconds * 10000; i++, *now_ns += 100000) {
        kind = journal_way_choose(w, *now_ns);
        slow_n += kind == slow;
        journal_way_note(w, kind, ns[kind] + i % 7);
    }
    return slow_n;
}

Test(journal, the_faster_way_is_used_and_the_other_tried_every_two_seconds)
{
    static const uint64_t idle[2] = {100000, 200000}, busy[2] = {3500000, 180000};
    struct journal_way w = {.probe_ns = JOURNAL_PROBE_NS};
    uint64_t now_ns = 0;

    cr_assert_leq(simulate(&w, &now_ns, 20, idle), 10);
    cr_assert_eq(w.current, JOURNAL_WAY_DSYNC);
    cr_assert_leq(simulate(&w, &now_ns, 20, busy), 10 + 16, "it changes within a few writes");
    cr_assert_eq(w.current, JOURNAL_WAY_FLUSH);
    simulate(&w, &now_ns, 20, idle);
    cr_assert_eq(w.current, JOURNAL_WAY_DSYNC);
    cr_assert_leq(simulate(&w, &now_ns, 20, idle), 10);
}

Test(journal, a_small_difference_changes_nothing)
{
    static const uint64_t a[2] = {100000, 90000}, b[2] = {90000, 100000};
    struct journal_way w = {.probe_ns = JOURNAL_PROBE_NS};
    uint64_t now_ns = 0;

    simulate(&w, &now_ns, 20, a);
    cr_assert_eq(w.current, JOURNAL_WAY_DSYNC);
    w = (struct journal_way){.current = JOURNAL_WAY_FLUSH, .probe_ns = now_ns};
    simulate(&w, &now_ns, 20, b);
    cr_assert_eq(w.current, JOURNAL_WAY_FLUSH);
}
