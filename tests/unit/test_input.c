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

/* --- lines that are too long ---------------------------------------------------------------------
 */

#define BEHIND 100000 /* short lines, more than are read at a time */

/* A short line, one of `bytes` bytes, BEHIND short ones of 6 bytes. */
static void
make_long(char *path, size_t bytes, bool compressed)
{
    char *nines = malloc(bytes);
    gzFile z;
    int fd;

    strcpy(path, "/tmp/test-input-XXXXXX");
    fd = mkstemp(path);
    cr_assert(fd >= 0 && nines);
    memset(nines, '9', bytes);
    z = gzdopen(fd, compressed ? "wb1" : "wbT");
    gzputs(z, "first\n");
    cr_assert_eq(gzwrite(z, nines, (unsigned)bytes), (int)bytes);
    gzputs(z, "\n");
    for (unsigned i = 0; i < BEHIND; i++)
        gzprintf(z, "%05u\n", i);
    cr_assert_eq(gzclose(z), Z_OK);
    free(nines);
}

static void
expect_lines_behind(struct input *in, size_t bytes)
{
    char want[8], *line;
    size_t n;

    for (unsigned i = 0; i < BEHIND; i++) {
        cr_assert_eq(input_line(in, &line, &n), INPUT_LINE);
        snprintf(want, sizeof(want), "%05u", i);
        cr_assert(n == 5 && memcmp(line, want, 5) == 0, "line %u behind one of %zu bytes is '%.*s'",
                  i, bytes, (int)n, line);
        cr_assert_eq(in->line, 3 + i);
        cr_assert_eq(in->offset, 6 + bytes + 1 + 6 * (uint64_t)(i + 1));
    }
    cr_assert_eq(input_line(in, &line, &n), INPUT_END);
}

static void
expect_one_long_line(size_t bytes, bool compressed)
{
    char path[64], *line;
    struct input in;
    size_t n;

    make_long(path, bytes, compressed);
    cr_assert_eq(input_open(&in, path), 0);
    take_lines(&in, 1);
    cr_assert_eq(input_line(&in, &line, &n), bytes > INPUT_LINE_BYTES_MAX ? INPUT_LONG : INPUT_LINE);
    cr_assert_eq(in.line, 2);
    cr_assert_eq(in.offset, 6 + bytes + 1);
    expect_lines_behind(&in, bytes);
    input_close(&in);
    unlink(path);
}

Test(input, nothing_is_lost_behind_a_line_that_is_too_long)
{
    static const size_t sizes[] = {INPUT_LINE_BYTES_MAX, INPUT_LINE_BYTES_MAX + 1, 1228800, 1300480,
                                   3 * MIB + 5};

    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
        expect_one_long_line(sizes[i], false);
        expect_one_long_line(sizes[i], true);
    }
}

Test(input, a_line_that_is_too_long_may_be_the_last_one_and_have_no_end)
{
    char path[64], *line;
    struct input in;
    size_t n;

    make_long(path, INPUT_LINE_BYTES_MAX + 1, false);
    cr_assert_eq(truncate(path, 6 + INPUT_LINE_BYTES_MAX + 1), 0);
    cr_assert_eq(input_open(&in, path), 0);
    take_lines(&in, 1);
    cr_assert_eq(input_line(&in, &line, &n), INPUT_LONG);
    cr_assert_eq(in.offset, 6 + INPUT_LINE_BYTES_MAX + 1);
    cr_assert(!in.ended && in.end_bytes == 0);
    cr_assert_eq(input_line(&in, &line, &n), INPUT_END);
    input_close(&in);
    unlink(path);
}

/* --- ends ----------------------------------------------------------------------------------------
 */

static void
make_text(char *path, const char *text)
{
    int fd;

    strcpy(path, "/tmp/test-input-XXXXXX");
    fd = mkstemp(path);
    cr_assert_geq(fd, 0);
    cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
}

Test(input, the_end_of_a_line_is_told_by_its_bytes)
{
    static const struct {
        const char *text;
        unsigned end_bytes;
        bool ended;
    } rows[] = {{"ab\n", 1, true}, {"ab\r\n", 2, true}, {"ab\r", 1, false}, {"ab", 0, false}};
    char path[64], *line;
    struct input in;
    size_t n;

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        make_text(path, rows[i].text);
        cr_assert_eq(input_open(&in, path), 0);
        cr_assert_eq(input_line(&in, &line, &n), INPUT_LINE);
        cr_assert(n == 2 && memcmp(line, "ab", 2) == 0, "row %zu", i);
        cr_assert_eq(in.end_bytes, rows[i].end_bytes, "row %zu", i);
        cr_assert_eq(in.ended, rows[i].ended, "row %zu", i);
        cr_assert_eq(in.offset, strlen(rows[i].text));
        input_close(&in);
        unlink(path);
    }
}

Test(input, an_end_that_stands_next_is_taken)
{
    static const struct {
        const char *text;
        int taken;
        uint64_t offset;
    } rows[] = {{"", 1, 0},     {"\n", 1, 1},   {"\r\n", 1, 2}, {"\r", 1, 1},   {"\n\n", 1, 1},
                {"\nx", 1, 1}, {"\r\nx", 1, 2}, {"x\n", 0, 0},  {"\rx\n", 0, 0}};
    char path[64];
    struct input in;

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        make_text(path, rows[i].text);
        cr_assert_eq(input_open(&in, path), 0);
        cr_assert_eq(input_take_end(&in), rows[i].taken, "row %zu", i);
        cr_assert_eq(in.offset, rows[i].offset, "row %zu", i);
        input_close(&in);
        unlink(path);
    }
}
