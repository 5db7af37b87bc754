/* The texts of an import: CSV lines, column maps, cells, names of keys, line protocol, files. */
#include "net/number.h"
#include "tools/lib/columns.h"
#include "tools/lib/csv.h"
#include "tools/lib/influx.h"
#include "tools/lib/input.h"
#include "tools/lib/keyname.h"
#include "tools/lib/output.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* The fields of a line, joined by '|'; what csv_split said when it is no line. */
static const char *
split(const char *text, char *out)
{
    char line[256];
    struct slice fields[4];
    int n;

    strcpy(line, text);
    n = csv_split(line, strlen(text), ',', fields, ARRAY_SIZE(fields));
    if (n < 0)
        return csv_error_text(n);
    *out = '\0';
    for (int i = 0; i < n; i++)
        sprintf(out + strlen(out), "%s%.*s", i ? "|" : "", (int)fields[i].n, fields[i].p);
    return out;
}

Test(import_text, a_line_is_split_and_unquoted)
{
    static const char *const rows[][2] = {
        {"", ""},
        {"a", "a"},
        {"a,b", "a|b"},
        {",", "|"},
        {"a,,b,", "a||b|"},
        {"\"a\"", "a"},
        {"\"a,b\",c", "a,b|c"},
        {"\"a\"\"b\"", "a\"b"},
        {"\"\"", ""},
        {"\"\",\"\"", "|"},
        {"a\"b,c", "a\"b|c"},
        {" a , b", " a | b"},
        {"\"a", "a quote is opened and not closed"},
        {"\"a\"\"", "a quote is opened and not closed"},
        {"\"a\"b,c", "text between a closing quote and the delimiter"},
        {"1,2,3,4,5", "too many fields"},
    };
    char out[256];

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        cr_assert_str_eq(split(rows[i][0], out), rows[i][1], "%s", rows[i][0]);
}

Test(import_text, a_record_ends_at_the_first_line_end_outside_quotes)
{
    static const struct {
        const char *text;
        enum input_record csv, influx;
        size_t csv_n, influx_n;
    } rows[] = {
        {"", INPUT_RECORD_WHOLE, INPUT_RECORD_WHOLE, 0, 0},
        {"a,b\nc", INPUT_RECORD_WHOLE, INPUT_RECORD_WHOLE, 3, 3},
        {"a,\"b\nc\",d\ne", INPUT_RECORD_WHOLE, INPUT_RECORD_WHOLE, 9, 4},
        {"\"b\nc\"\r\ne", INPUT_RECORD_WHOLE, INPUT_RECORD_WHOLE, 6, 2},
        {"\"b\"\"\nc\"\"\"", INPUT_RECORD_WHOLE, INPUT_RECORD_WHOLE, 9, 4},
        {"a,\"b\n", INPUT_RECORD_OPEN, INPUT_RECORD_WHOLE, 0, 4},
        {"\"a\"\"", INPUT_RECORD_OPEN, INPUT_RECORD_WHOLE, 0, 4},
        {"\"a\nb\"c\n", INPUT_RECORD_BROKEN, INPUT_RECORD_WHOLE, 0, 2},
        {"\"a\"\rb\n", INPUT_RECORD_BROKEN, INPUT_RECORD_WHOLE, 0, 5},
        {"a\"b\n\"", INPUT_RECORD_WHOLE, INPUT_RECORD_WHOLE, 3, 3},
        {"m a=\"x\ny\",b=1 5\nm", INPUT_RECORD_WHOLE, INPUT_RECORD_WHOLE, 6, 15},
        {"m a=\"x\\\"\n", INPUT_RECORD_WHOLE, INPUT_RECORD_OPEN, 8, 0},
        {"m a=\"x\ny\"z 5\n", INPUT_RECORD_WHOLE, INPUT_RECORD_BROKEN, 6, 0},
        {"m,t=\" a=1 5\nm\"", INPUT_RECORD_WHOLE, INPUT_RECORD_WHOLE, 11, 11},
        {"# a=\"\nm", INPUT_RECORD_WHOLE, INPUT_RECORD_WHOLE, 5, 5},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct slice text = slice_of(rows[i].text);
        size_t n = 0;

        cr_assert_eq(csv_record(text, ',', &n), rows[i].csv, "row %zu", i);
        cr_assert(rows[i].csv != INPUT_RECORD_WHOLE || n == rows[i].csv_n, "row %zu: %zu", i, n);
        cr_assert_eq(influx_record(text, &n), rows[i].influx, "row %zu", i);
        cr_assert(rows[i].influx != INPUT_RECORD_WHOLE || n == rows[i].influx_n, "row %zu: %zu", i, n);
    }
}

Test(import_text, a_field_is_quoted_when_it_must_be_and_comes_back)
{
    static const char *const fields[] = {"", "a", "a,b", "\"", "a\"b", "\"\"", " ", "a\rb"};
    struct slice got[2];

    for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
        struct buf b = {0};

        csv_put(&b, slice_of(fields[i]), ',');
        buf_append_lit(&b, ",x");
        cr_assert_eq(csv_split(b.p, b.n, ',', got, 2), 2);
        cr_assert(slice_equal(got[0], slice_of(fields[i])));
        buf_fini(&b);
    }
}

Test(import_text, wrong_maps_are_refused)
{
    static const char *const maps[] = {
        "",
        "time",
        "time,",
        "zz",
        "time,000",
        "time,00,x=01",
        "x=00,01",
        "00/",
        "00/scale=2",
        "00/scale=",
        "00/scale=10000000000",
        "00/decimals=61",
        "00/decimals=-1",
        "00/hex/text",
        "00/float/decimals=1",
        "00/scale=10/hex",
        "00/key=",
        "time/hex,00",
        "key,key,00",
        "type,00",
        "type,value,value",
        "quality,quality,00",
        "00/what",
    };
    struct columns *cs = malloc(sizeof(*cs));
    char error[256];

    for (size_t i = 0; i < ARRAY_SIZE(maps); i++) {
        error[0] = '\0';
        cr_assert_eq(columns_parse(cs, maps[i], error, sizeof(error)), -EINVAL, "%s", maps[i]);
        cr_assert_neq(error[0], '\0');
    }
    free(cs);
}

Test(import_text, names_are_found_in_a_header)
{
    struct slice header[] = {SLICE("Open"), SLICE("DATE"), SLICE("x")};
    struct columns *cs = malloc(sizeof(*cs));
    char error[256];

    cr_assert_eq(columns_parse(cs, "time|date=time,open=0f/key=:o", error, sizeof(error)), 0);
    cr_assert_eq(columns_bind(cs, header, 3, error, sizeof(error)), 0);
    cr_assert_eq(cs->c[0].at, 1);
    cr_assert_eq(cs->c[1].at, 0);
    cr_assert_eq(cs->c[1].type, 0x0f);
    cr_assert_str_eq(cs->c[1].suffix, ":o");
    cr_assert_eq(columns_bind(cs, header, 1, error, sizeof(error)), -EINVAL);
    cr_assert(strstr(error, "time|date"));
    free(cs);
}

Test(import_text, a_name_that_a_header_has_twice_is_refused_where_it_is_asked_for)
{
    struct slice header[] = {SLICE("Date"), SLICE("x"), SLICE("TIME"), SLICE("open"), SLICE("x")};
    static const struct {
        const char *map, *error;
    } maps[] = {{"date|time=time,open=00", "two columns for 'date|time': 'Date' and 'TIME'"},
                {"date=time,time=time,open=00", NULL},
                {"date=time,open=00,x=01", "two columns for 'x': 'x' and 'x'"},
                {"date=time,open=00,x=-", NULL},
                {"date=time,open=00", NULL}};
    struct columns *cs = malloc(sizeof(*cs));
    char error[512];

    for (size_t i = 0; i < ARRAY_SIZE(maps); i++) {
        cr_assert_eq(columns_parse(cs, maps[i].map, error, sizeof(error)), 0);
        cr_assert_eq(columns_bind(cs, header, 5, error, sizeof(error)), maps[i].error ? -EINVAL : 0, "%s",
                     maps[i].map);
        cr_assert(maps[i].error == NULL || strstr(error, maps[i].error), "%s", error);
    }
    free(cs);
}

struct cell_case {
    const char *kind, *cell, *number;
};

static void
one_column(struct columns *cs, const char *kind)
{
    char map[64], error[256];

    snprintf(map, sizeof(map), "00%s", kind);
    cr_assert_eq(columns_parse(cs, map, error, sizeof(error)), 0, "%s", error);
}

Test(import_text, a_cell_becomes_a_number_and_the_same_cell_again)
{
    static const struct cell_case rows[] = {
        {"", "1.5", "1.5"},
        {"", "-0", "-0"},
        {"", "0.00001", "1e-05"},
        {"", "100000000000000000000", "1e+20"},
        {"/float", "7.0", "7"},
        {"/float", "-0.25", "-0.25"},
        {"/float", "100000000000000000000.0", "1e+20"},
        {"/decimals=2", "1.50", "1.5"},
        {"/decimals=0", "7", "7"},
        {"/scale=10000", "1815200", "181.52"},
        {"/scale=10000", "5", "0.0005"},
        {"/scale=10000", "-1", "-0.0001"},
        {"/scale=10000", "0", "0"},
        {"/scale=10", "999999999999999", "99999999999999.9"},
        {"/scale=1000", "-888888888888888", "-888888888888.888"},
        {"/scale=1000000000", "1", "1e-09"},
        {"/hex", "0", "0"},
        {"/hex", "20002020", "536879136"},
        {"/hex", "fffffffffffff", "4503599627370495"},
        {"/hex", "10000000000000", "4503599627370496"},
        {"/hex", "1fffffffffffff", "9007199254740991"},
        {"/HEX", "20000000000000", "9007199254740992"},
        {"/HEX", "AB", "171"},
        {"/text", "", "0"},
        {"/text", "P", "80"},
        {"/text", "NASDAQ", "86042476822865"},
        {"/text", "\xff", "255"},
    };
    struct columns *cs = malloc(sizeof(*cs));

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        char room[CELL_PUT_MAX];
        struct slice number;
        struct buf out = {0};
        double got, want;

        one_column(cs, rows[i].kind);
        cr_assert_null(cell_read(cs->c, slice_of(rows[i].cell), room, &number), "%s", rows[i].cell);
        cr_assert(parse_double(number, &got) && parse_double(slice_of(rows[i].number), &want));
        cr_assert_eq(got, want, "%s", rows[i].cell);
        cr_assert(cell_put(cs->c, slice_of(rows[i].number), &out), "%s", rows[i].number);
        cr_assert(slice_equal((struct slice){out.p, out.n}, slice_of(rows[i].cell)), "%s%s: '%.*s'",
                  rows[i].cell, rows[i].kind, (int)out.n, out.p);
        buf_fini(&out);
    }
    free(cs);
}

Test(import_text, cells_that_would_not_come_back_are_refused)
{
    static const struct cell_case rows[] = {
        {"", "x", NULL},
        {"", "1 ", NULL},
        {"", "nan", NULL},
        {"", "inf", NULL},
        {"", "1e999", NULL},
        {"", "1.2.3", NULL},
        {"", "-", NULL},
        {"", ".", NULL},
        {"/scale=10", "1.5", NULL},
        {"/scale=10", "01", NULL},
        {"/scale=10", "1000000000000000", NULL},
        {"/hex", "", NULL},
        {"/hex", "01", NULL},
        {"/hex", "A", NULL},
        {"/hex", "g", NULL},
        {"/hex", "20000000000001", NULL},
        {"/hex", "100000000000000", NULL},
        {"/hex", "A0", NULL},
        {"/HEX", "a", NULL},
        {"/text", "sevenby", NULL},
    };
    struct columns *cs = malloc(sizeof(*cs));
    char room[CELL_PUT_MAX];
    struct slice number;

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        one_column(cs, rows[i].kind);
        cr_assert_not_null(cell_read(cs->c, slice_of(rows[i].cell), room, &number), "%s%s",
                           rows[i].cell, rows[i].kind);
    }
    one_column(cs, "/text");
    cr_assert_not_null(cell_read(cs->c, (struct slice){"a\0b", 3}, room, &number));
    free(cs);
}

Test(import_text, values_of_another_kind_make_no_cell)
{
    static const struct cell_case rows[] = {
        {"/scale=10", NULL, "0.25"}, {"/hex", NULL, "1.5"},    {"/hex", NULL, "-1"},
        {"/text", NULL, "0.5"},      {"/text", NULL, "65536"}, {"/text", NULL, "1e+300"},
        {"/hex", NULL, "9007199254740994"},
    };
    struct columns *cs = malloc(sizeof(*cs));

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct buf out = {0};

        one_column(cs, rows[i].kind);
        cr_assert_not(cell_put(cs->c, slice_of(rows[i].number), &out), "%s", rows[i].number);
        buf_fini(&out);
    }
    free(cs);
}

Test(import_text, names_of_files_and_keys)
{
    struct file_facts f;
    struct keyname *k = malloc(sizeof(*k));
    struct slice key;
    char error[256];

    file_facts_of(&f, "/a/b/ibm_20131007_trade.csv.gz");
    cr_assert_str_eq(f.file, "ibm_20131007_trade");
    cr_assert_str_eq(f.symbol, "ibm");
    cr_assert_str_eq(f.date, "20131007");
    cr_assert_str_eq(f.kind, "trade");
    cr_assert_eq(keyname_init(k, "x{{{symbol}_{key}:{kind}", &f, error, sizeof(error)), 0);
    cr_assert(keyname_match(k, SLICE("x{ibm_Q:trade"), &key));
    cr_assert(slice_equal(key, SLICE("Q")));
    cr_assert_not(keyname_match(k, SLICE("x{ibm_Q:quote"), &key));
    cr_assert_not(keyname_match(k, SLICE("x{ibm"), &key));
    file_facts_of(&f, "20131007_spy_quote_tick.csv");
    cr_assert_str_eq(f.symbol, "spy");
    cr_assert_str_eq(f.kind, "quote");
    file_facts_of(&f, "plain");
    cr_assert_lt(keyname_init(k, "{date}", &f, error, sizeof(error)), 0);
    cr_assert_lt(keyname_init(k, "{key}{key}", &f, error, sizeof(error)), 0);
    cr_assert_lt(keyname_init(k, "{key", &f, error, sizeof(error)), 0);
    cr_assert_lt(keyname_init(k, "{what}", &f, error, sizeof(error)), 0);
    cr_assert_lt(keyname_init(k, "", &f, error, sizeof(error)), 0);
    free(k);
}

Test(import_text, lines_of_the_line_protocol)
{
    struct influx_line *l = malloc(sizeof(*l));
    struct slice series, field;

    cr_assert_null(
        influx_parse(SLICE("a\\ b,t=x\\,y f\\ 1=1.5,g=-2i,h=t,s=\"a \\\" ,=b\" 17 "), l));
    cr_assert(slice_equal(l->series, SLICE("a\\ b,t=x\\,y")));
    cr_assert(slice_equal(l->time, SLICE("17")));
    cr_assert_eq(l->n, 4);
    cr_assert(slice_equal(l->fields[0].name, SLICE("f\\ 1")));
    cr_assert_eq(l->fields[1].kind, INFLUX_INTEGER);
    cr_assert(slice_equal(l->fields[1].value, SLICE("-2")));
    cr_assert(slice_equal(l->fields[2].value, SLICE("1")));
    cr_assert_eq(l->fields[3].kind, INFLUX_TEXT);
    cr_assert(influx_split_key(SLICE("a\\ b,t=x f\\ 1"), &series, &field));
    cr_assert(slice_equal(series, SLICE("a\\ b,t=x")));
    cr_assert(slice_equal(field, SLICE("f\\ 1")));
    cr_assert_not(influx_split_key(SLICE("a\\ b"), &series, &field));
    free(l);
}

Test(import_text, what_is_no_line_protocol_is_refused)
{
    static const char *const lines[] = {
        "",
        " ",
        ",t=1 f=1",
        "m",
        "m ",
        "m,t f=1",
        "m,t= f=1",
        "m,=x f=1",
        "m,t=x=y f=1",
        "m f",
        "m f=",
        "m =1",
        "m f=1,",
        "m f=x",
        "m f=1x",
        "m f=1.5i",
        "m f=-1u",
        "m f=nan",
        "m f=i",
        "m f=9007199254740993i",
        "m f=\"x",
        "m f=\"x\"y 1",
        "m f=1 2 3",
        "m f=\"x\\\"",
    };
    struct influx_line *l = malloc(sizeof(*l));

    for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
        cr_assert_not_null(influx_parse(slice_of(lines[i]), l), "'%s'", lines[i]);
    free(l);
}

/* --- files ---------------------------------------------------------------------------------------
 */

static void
write_file(const char *path, enum output_kind kind, const char *text, size_t n, size_t piece)
{
    struct output out;
    char *left;

    cr_assert_eq(output_open(&out, path, kind), 0, "%s", out.error);
    for (size_t at = 0; at < n; at += piece) {
        buf_append(&out.text, text + at, MIN(piece, n - at));
        cr_assert_eq(output_flush_some(&out), 0);
    }
    cr_assert_eq(output_close(&out, true, &left), 0, "%s", out.error);
    cr_assert_null(left);
}

Test(import_text, lines_come_back_from_files_of_every_kind_and_from_any_place)
{
    static const enum output_kind kinds[] = {OUTPUT_PLAIN, OUTPUT_GZIP, OUTPUT_ZSTD};
    char path[] = "/tmp/pinstripe-input-XXXXXX", want[64], *line;
    struct buf text = {0};
    struct input in;
    size_t n;

    close(mkstemp(path));
    for (int i = 1; i <= 200000; i++)
        buf_printf(&text, "%d,%d%s\n", i, i * 7, i % 3 ? "" : "\r");
    for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
        uint64_t offset = 0;

        write_file(path, kinds[k], text.p, text.n - 1, 300000); /* without the last newline */
        cr_assert_eq(input_open(&in, path), 0, "%s", in.error);
        for (int i = 1; i <= 200000; i++) {
            cr_assert_eq(input_line(&in, &line, &n), INPUT_LINE);
            sprintf(want, "%d,%d", i, i * 7);
            cr_assert(slice_equal((struct slice){line, n}, slice_of(want)), "line %d", i);
            cr_assert_eq(in.line, (uint64_t)i);
            if (i == 123456)
                offset = in.offset;
        }
        cr_assert_eq(input_line(&in, &line, &n), INPUT_END);
        cr_assert_eq(input_line(&in, &line, &n), INPUT_END);
        input_close(&in);

        cr_assert_eq(input_open(&in, path), 0);
        cr_assert_eq(input_skip(&in, offset, 123456), 0);
        cr_assert_eq(input_line(&in, &line, &n), INPUT_LINE);
        cr_assert(slice_equal((struct slice){line, n}, SLICE("123457,864199")));
        cr_assert_eq(in.line, 123457);
        input_close(&in);

        cr_assert_eq(input_open(&in, path), 0);
        cr_assert_eq(input_skip(&in, text.n + 10, 1), -ENODATA);
        input_close(&in);
    }
    unlink(path);
    buf_fini(&text);
}

Test(import_text, a_compressed_file_that_is_cut_anywhere_is_an_error)
{
    static const enum output_kind kinds[] = {OUTPUT_GZIP, OUTPUT_ZSTD};
    char path[] = "/tmp/pinstripe-input-XXXXXX", data[4096], *line;
    struct input in;
    size_t n, size;
    FILE *f;
    int rc;

    close(mkstemp(path));
    for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
        write_file(path, kinds[k], "1,2\n3,4\n5,6\n", 12, 12);
        f = fopen(path, "rb");
        size = fread(data, 1, sizeof(data), f);
        fclose(f);
        for (size_t cut = 4; cut < size; cut++) {
            cr_assert_eq(truncate(path, (off_t)cut), 0);
            rc = input_open(&in, path);
            while (rc >= 0 && (rc = input_line(&in, &line, &n)) == INPUT_LINE)
                ;
            cr_assert_eq(rc, -EBADMSG, "kind %zu cut at %zu of %zu: %d", k, cut, size, rc);
            input_close(&in);
            write_file(path, kinds[k], "1,2\n3,4\n5,6\n", 12, 12);
        }
    }
    unlink(path);
}

/* The parts of a series, as they stand and as they are meant. */
Test(import_text, a_series_of_line_protocol_comes_apart_into_its_tags)
{
    static const char *const rows[][2] = {
        {"cpu", "cpu"},
        {"cpu,host=a,dc=b", "cpu|host:a|dc:b"},
        {"c\\ pu\\,x,ho\\=st=a\\ b\\,,z=q\\\\w", "c pu,x|ho=st:a b,|z:q\\\\w"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct slice series = slice_of(rows[i][0]), name, value;
        struct buf out = {0};

        influx_measurement(&series, &name);
        influx_unescape(&out, name);
        while (influx_next_tag(&series, &name, &value)) {
            buf_append_lit(&out, "|");
            influx_unescape(&out, name);
            buf_append_lit(&out, ":");
            influx_unescape(&out, value);
        }
        buf_append(&out, "", 1);
        cr_assert_str_eq(out.p, rows[i][1]);
        buf_fini(&out);
    }
}
