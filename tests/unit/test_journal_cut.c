/* Cutting a damaged journal: what is given up is kept aside. */
#include "tests/unit/journal_image.h"

TestSuite(journal_cut, .init = make_dir, .fini = drop_dir);

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

Test(journal_cut, a_cut_gives_up_what_is_damaged_and_later_and_keeps_a_copy)
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

Test(journal_cut, a_cut_in_the_last_segment_keeps_what_stands_before)
{
    struct trio t = trio_write();
    struct result r;

    flip(3, &t.s[2], t.offset[2] + 30, 1);
    r = scan_after(0);
    cut_where_it_hurts(&r);
    expect_good(&r, 180);
    cr_assert_eq(count_cut_files(), 1);
}

Test(journal_cut, a_cut_of_a_segment_without_header_puts_it_aside)
{
    struct trio t = trio_write();
    struct result r;

    flip(2, &t.s[1], 17, 1);
    r = scan_after(0);
    cut_where_it_hurts(&r);
    expect_good(&r, 60);
    cr_assert_eq(count_cut_files(), 2);
}

Test(journal_cut, a_cut_at_a_gap_keeps_what_stands_before)
{
    struct result r;

    trio_write();
    drop_segment(2);
    r = scan_after(0);
    cut_where_it_hurts(&r);
    expect_good(&r, 60);
}

Test(journal_cut, a_cut_of_a_truncated_segment_makes_it_whole)
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
