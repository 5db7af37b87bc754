#include "tools/lib/input.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#define LINES 1000

/* LINES lines of 8 bytes, plain or as gzip; returns the file's size. */
static uint64_t
make_file(char *path, bool compressed)
{
    gzFile z;
    struct stat st;
    int fd;

    strcpy(path, "/tmp/test-input-XXXXXX");
    fd = mkstemp(path);
    cr_assert_geq(fd, 0);
    z = gzdopen(fd, compressed ? "wb" : "wbT");
    for (unsigned i = 0; i < LINES; i++)
        gzprintf(z, "%07u\n", i * 7919 % 10000000);
    cr_assert_eq(gzclose(z), Z_OK);
    cr_assert_eq(stat(path, &st), 0);
    return (uint64_t)st.st_size;
}

static void
take_lines(struct input *in, unsigned n)
{
    char *line;
    size_t bytes;

    while (n-- > 0)
        cr_assert_eq(input_line(in, &line, &bytes), INPUT_LINE);
}

static void
expect_done_grows_with_the_lines(bool compressed)
{
    char path[64], *line;
    uint64_t size = make_file(path, compressed);
    struct input in;
    size_t n;

    cr_assert_eq(input_open(&in, path), 0);
    cr_assert_eq(input_done(&in), 0, "nothing was handed out yet");
    take_lines(&in, LINES / 4);
    cr_assert_geq(input_done(&in), size / 4 - size / 50);
    cr_assert_leq(input_done(&in), size / 4 + size / 50);
    take_lines(&in, LINES - LINES / 4);
    cr_assert_eq(input_line(&in, &line, &n), INPUT_END);
    cr_assert_eq(input_done(&in), size);
    input_close(&in);
    unlink(path);
}

Test(input, what_is_done_of_a_plain_file_are_its_lines)
{
    expect_done_grows_with_the_lines(false);
}

Test(input, what_is_done_of_a_compressed_file_is_its_share_of_the_text)
{
    expect_done_grows_with_the_lines(true);
}

Test(input, what_was_skipped_is_done)
{
    char path[64];
    uint64_t size = make_file(path, false);
    struct input in;

    cr_assert_eq(input_open(&in, path), 0);
    cr_assert_eq(input_skip(&in, size / 2, LINES / 2), 0);
    cr_assert_eq(input_done(&in), size / 2);
    input_close(&in);
    unlink(path);
}
