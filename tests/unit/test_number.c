/* Numbers as text: tables for the edges, the C library as the judge for the rest. */
#include "net/number.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define RANDOM_DOUBLES 2000000

static uint64_t
next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static void
expect_int(int64_t v)
{
    char text[RESP_INT_TEXT_MAX], want[32];
    int n = snprintf(want, sizeof(want), "%" PRId64, v);
    int64_t back = ~v;

    cr_assert_eq(format_int(text, v), (size_t)n);
    cr_assert_arr_eq(text, want, n);
    cr_assert(parse_int((struct slice){want, (size_t)n}, &back));
    cr_assert_eq(back, v);
}

Test(number, ints_of_every_length_and_sign)
{
    uint64_t state = 88172645463325252ULL, power = 1, u;
    int i, d;

    for (i = -100000; i <= 100000; i++)
        expect_int(i);
    for (i = 0; i < 19; i++, power *= 10)
        for (d = -2; d <= 2; d++) {
            expect_int((int64_t)power + d);
            expect_int(-(int64_t)power + d);
        }
    for (i = 0; i < 64; i++)
        for (d = -2; d <= 2; d++) {
            u = (1ULL << i) + (uint64_t)(int64_t)d;
            expect_int((int64_t)u);
        }
    for (i = 0; i < 200000; i++)
        expect_int((int64_t)next_random(&state) >> (next_random(&state) % 64));
}

/* Long ones are read eight digits at a time: every byte at every place of every length. */
Test(number, no_byte_but_a_digit_passes_for_one)
{
    const char good[] = "1234567890123456789";
    char text[sizeof(good)];
    int64_t v;

    for (size_t n = 1; n < sizeof(good); n++)
        for (size_t at = 0; at < n; at++)
            for (int c = 0; c < 256; c++) {
                bool digit = c >= '0' && c <= '9', sign = at == 0 && n > 1 && c == '-';
                bool zero_first = at == 0 && n > 1 && c == '0';
                bool too_large = at == 0 && n == 19 && c == '9'; /* than 9223372036854775807 */

                memcpy(text, good, n);
                text[at] = (char)c;
                cr_assert_eq(parse_int((struct slice){text, n}, &v),
                             (digit && !zero_first && !too_large) || sign, "%.*s", (int)n, text);
            }
}

Test(number, format_uint_beyond_int64)
{
    static const uint64_t rows[] = {0, UINT64_MAX, 9999999999999999999ULL, 10000000000000000000ULL};
    char text[RESP_INT_TEXT_MAX], want[32];
    size_t i, n;

    for (i = 0; i < ARRAY_SIZE(rows); i++) {
        n = (size_t)snprintf(want, sizeof(want), "%" PRIu64, rows[i]);
        cr_assert_eq(format_uint(text, rows[i]), n);
        cr_assert_arr_eq(text, want, n);
    }
}

Test(number, parse_int_refuses_everything_else)
{
    static const char *const rows[] = {"",
                                       "-",
                                       "--1",
                                       "+1",
                                       "-0",
                                       "00",
                                       "01",
                                       "-01",
                                       " 1",
                                       "1 ",
                                       "1a",
                                       "a",
                                       "1.0",
                                       "1e3",
                                       "0x1",
                                       "1-",
                                       "1:",
                                       "1/",
                                       "\t1",
                                       "1\n",
                                       "- 1",
                                       "1_000",
                                       "-+1",
                                       "9223372036854775808",
                                       "-9223372036854775809",
                                       "18446744073709551616",
                                       "92233720368547758070",
                                       "10000000000000000000000000",
                                       "99999999999999999999",
                                       "00000000000000000000001"};
    int64_t v = 77;
    size_t i;

    for (i = 0; i < ARRAY_SIZE(rows); i++) {
        cr_assert_not(parse_int(slice_of(rows[i]), &v), "\"%s\"", rows[i]);
        cr_assert_eq(v, 77);
    }
    cr_assert_not(parse_int((struct slice){NULL, 0}, &v));
    cr_assert_not(parse_int((struct slice){"1\0", 2}, &v));
    cr_assert(parse_int(SLICE("0"), &v) && v == 0);
}

static uint64_t
bits_of(double v)
{
    uint64_t bits;

    memcpy(&bits, &v, sizeof(bits));
    return bits;
}

static double
from_bits(uint64_t bits)
{
    double v;

    memcpy(&v, &bits, sizeof(v));
    return v;
}

static void
expect_text(double v, const char *want)
{
    char text[RESP_DOUBLE_TEXT_MAX];
    size_t n = format_double(text, v);

    cr_assert(n == strlen(want) && memcmp(text, want, n) == 0, "%.17g: \"%.*s\", expected \"%s\"",
              v, (int)n, text, want);
}

Test(number, format_double_rows)
{
    static const struct {
        double v;
        const char *text;
    } rows[] = {
        {0.0, "0"},
        {-0.0, "-0"},
        {1, "1"},
        {-1, "-1"},
        {100.5, "100.5"},
        {100.1, "100.1"},
        {0.1, "0.1"},
        {0.1 + 0.2, "0.30000000000000004"},
        {1.0 / 3, "0.3333333333333333"},
        {2.0 / 3, "0.6666666666666666"},
        {1e15, "1000000000000000"},
        {1e16, "10000000000000000"},
        {1e17, "1e+17"},
        {123456789012345678.0, "1.2345678901234568e+17"},
        {12345678901234567.0, "12345678901234568"},
        {9007199254740991.0, "9007199254740991"},
        {9007199254740993.0, "9007199254740992"},
        {1700000000123.0, "1700000000123"},
        {0.0001, "0.0001"},
        {0.00012345, "0.00012345"},
        {0.00001, "1e-05"},
        {1.5e-7, "1.5e-07"},
        {1e300, "1e+300"},
        {-1.5e300, "-1.5e+300"},
        {1.7976931348623157e308, "1.7976931348623157e+308"},
        {2.2250738585072014e-308, "2.2250738585072014e-308"},
        {2.2250738585072011e-308, "2.225073858507201e-308"},
        {5e-324, "5e-324"},
        {9.5367431640625e-07, "9.5367431640625e-07"},
        {4.35, "4.35"},
        {0.000123456789012345678, "0.00012345678901234567"},
        {9999999999999998.0, "9999999999999998"},
        {999999999999999.9, "999999999999999.9"},
        {9.5, "9.5"},
        {5e-5, "5e-05"},
        {1e22, "1e+22"},
        {1e23, "1e+23"},
        {INFINITY, "inf"},
        {-INFINITY, "-inf"},
    };
    size_t i;

    for (i = 0; i < ARRAY_SIZE(rows); i++)
        expect_text(rows[i].v, rows[i].text);
    expect_text(NAN, "nan");
    expect_text(-NAN, "nan");
}

/* Copies the digits before an exponent, without leading and trailing zeros. Returns how many. */
static int
significant_digits(const char *text, char out[40])
{
    int n = 0;

    for (; *text != '\0' && *text != 'e'; text++)
        if (*text >= '0' && *text <= '9' && (n > 0 || *text != '0'))
            out[n++] = *text;
    while (n > 0 && out[n - 1] == '0')
        n--;
    out[n] = '\0';
    return n;
}

/* The text reads back as the same number, no shorter one does, and of those of its length it is the
 * nearest: printf with as many digits prints the nearest of all. */
static void
expect_shortest(double v)
{
    char text[RESP_DOUBLE_TEXT_MAX + 1], digits[40], other[40], other_digits[40];
    size_t n = format_double(text, v);
    double back;
    int k;

    text[n] = '\0';
    k = significant_digits(text, digits);
    cr_assert_eq(bits_of(strtod(text, NULL)), bits_of(v), "%s from %.17g", text, v);
    cr_assert(parse_double((struct slice){text, n}, &back));
    cr_assert_eq(bits_of(back), bits_of(v), "%s reads as %.17g", text, back);
    if (k > 1) {
        snprintf(other, sizeof(other), "%.*e", k - 2, v);
        cr_assert(strtod(other, NULL) != v, "%s is longer than %s", text, other);
    }
    snprintf(other, sizeof(other), "%.*e", MAX(k - 1, 0), v);
    significant_digits(other, other_digits);
    if (strtod(other, NULL) == v)
        cr_assert_str_eq(digits, other_digits, "%s is not the nearest of %.17g", text, v);
}

Test(number, random_doubles_read_back_and_are_shortest)
{
    uint64_t state = 88172645463325252ULL;
    double v;
    int i;

    for (i = 0; i < RANDOM_DOUBLES / 4; i++) {
        v = from_bits(next_random(&state));
        if (isfinite(v))
            expect_shortest(v);
    }
}

Test(number, random_measurements_read_back_and_are_shortest)
{
    uint64_t state = 1234567ULL, power;
    int i, k;

    for (i = 0; i < RANDOM_DOUBLES / 8; i++) {
        uint64_t digits = next_random(&state) >> (next_random(&state) % 54 + 10);

        for (k = (int)(next_random(&state) % 12), power = 1; k > 0; k--)
            power *= 10;
        expect_shortest((double)digits / (double)power);
        expect_shortest((double)digits / 7.0);
        expect_shortest((double)digits * (double)power);
    }
}

Test(number, powers_of_two_and_ten_and_their_neighbours_are_shortest)
{
    char text[16];
    int e;

    for (e = 0; e < 0x7ff; e++) {
        double v = from_bits(e == 0 ? 1 : (uint64_t)e << 52);

        expect_shortest(v);
        expect_shortest(nextafter(v, INFINITY));
        expect_shortest(-nextafter(v, -INFINITY));
    }
    for (e = 1; e < 52; e++)
        expect_shortest(from_bits(1ULL << e)); /* subnormal */
    for (e = -323; e <= 308; e++) {
        snprintf(text, sizeof(text), "1e%d", e);
        expect_shortest(strtod(text, NULL));
        expect_shortest(nextafter(strtod(text, NULL), 0));
        expect_shortest(nextafter(strtod(text, NULL), INFINITY));
    }
    expect_shortest(1.7976931348623157e308);
}

/* Reads `text` and expects what strtod reads. */
static void
expect_as_strtod(const char *text)
{
    double v = 77, want = strtod(text, NULL);

    cr_assert(parse_double(slice_of(text), &v), "\"%s\"", text);
    cr_assert_eq(bits_of(v), bits_of(want), "\"%s\": %.17g, expected %.17g", text, v, want);
}

Test(number, parse_double_rows)
{
    static const char *const rows[] = {
        "0", "-0", "+0", "0.0", "-0.0", "0e0", "0e400", "-0e-400", "0.000e99999999999999999999",
        "1", "+1", "-1", "1.", ".5", "-.5", "+.5", "1.5", "1e5", "1E5", "1e+5", "1e-5", "1.e5",
        ".5e1", "00", "007", "0001.5000", "100.5", "1700000000123.25", "9007199254740992",
        "9007199254740993", "9007199254740994", "9007199254740995", "9007199254740993.0000000001",
        "1e22", "1e23", "123456789012345e22", "1e-22", "1e-23", "3e-23", "9007199254740992e22",
        "9007199254740992e-22", "9007199254740993e-22", "18446744073709551615",
        "18446744073709551616", "99999999999999999999", "12345678901234567890123",
        "0.00000000000000000000000000000000000000000000001", "1e308", "1.7976931348623157e308",
        "1.7976931348623158e308", "2.2250738585072014e-308", "2.2250738585072011e-308",
        "4.9406564584124654e-324", "5e-324", "3e-324", "2.4703282292062328e-324",
        "6.631236846766476e-316", "8.988465674311579e307", "1e0000000000000000000001",
        "0000000000000000000000000000000000001e5", "7.0420557077594588669468784357561207962098e9",
        "358416272e-33", "8.10109172351e-10", "1.1920928955078125e-07", "179769313486231570e291",
        /* just less than half way from the largest double to 2^1024 */
        "179769313486231580793728971405303415079934132710037826936173778980444968292764750946"
        "649017977587207096330286416692887910946555547851940402630657488671505820681908902000"
        "708383676273854845817711531764475730270069855571366959622842914819860834936475292719"
        "074168444365510704342711559699508093042880177904174497791",
        "inf", "+inf", "-inf", "Inf", "INFINITY", "-Infinity"};
    char one_third[PARSE_DOUBLE_TEXT_MAX + 1];
    size_t i;

    for (i = 0; i < ARRAY_SIZE(rows); i++)
        expect_as_strtod(rows[i]);
    memset(one_third, '3', sizeof(one_third) - 1);
    one_third[PARSE_DOUBLE_TEXT_MAX] = '\0';
    memcpy(one_third, "0.", 2);
    expect_as_strtod(one_third);
}

Test(number, parse_double_refuses_everything_else)
{
    static const char *const rows[] = {
        "", " ", " 1", "1 ", "\t1", "1\n", "+", "-", ".", "+.", "-.", "e5", ".e5", "1e", "1e+",
        "1e-", "1e+-5", "1e5.", "1e5x", "1..5", "1.5.", "1,5", "0x10", "0X1p3", "1p3", "--1", "+-1",
        "1-", "a", "abc", "1a", "in", "infi", "infinit", "infinityx", "++inf", "nanx", "nan(1)",
        "na", "1e400", "-1e400", "1e-400", "-1e-400", "1e99999999999999999999", "1_0",
        /* half way between the largest double and 2^1024 */
        "179769313486231580793728971405303415079934132710037826936173778980444968292764750946"
        "649017977587207096330286416692887910946555547851940402630657488671505820681908902000"
        "708383676273854845817711531764475730270069855571366959622842914819860834936475292719"
        "074168444365510704342711559699508093042880177904174497792"};
    char long_one[PARSE_DOUBLE_TEXT_MAX + 2];
    double v = 77;
    size_t i;

    for (i = 0; i < ARRAY_SIZE(rows); i++) {
        cr_assert_not(parse_double(slice_of(rows[i]), &v), "\"%s\"", rows[i]);
        cr_assert_eq(v, 77);
    }
    memset(long_one, '0', sizeof(long_one));
    cr_assert_not(parse_double((struct slice){long_one, PARSE_DOUBLE_TEXT_MAX + 1}, &v));
    cr_assert_not(parse_double((struct slice){NULL, 0}, &v));
    cr_assert_not(parse_double((struct slice){"1\0", 2}, &v));
    cr_assert_not(parse_double((struct slice){"1\0.5", 4}, &v));
    cr_assert(parse_double(SLICE("NaN"), &v) && isnan(v));
    cr_assert(parse_double(SLICE("-nan"), &v) && isnan(v));
}

/* printf with 17 digits; random digits with a random exponent; and what lies exactly half way
 * between two doubles, which only correct rounding gets right. */
Test(number, random_text_reads_as_strtod_reads_it)
{
    uint64_t state = 99991ULL;
    char text[1200];
    double v;
    int i;

    for (i = 0; i < RANDOM_DOUBLES / 2; i++) {
        v = from_bits(next_random(&state));
        snprintf(text, sizeof(text), "%.17g", v);
        if (isfinite(v))
            expect_as_strtod(text);
        snprintf(text, sizeof(text), "%" PRIu64 "e%d",
                 next_random(&state) >> (next_random(&state) % 60),
                 (int)(next_random(&state) % 600) - 310);
        v = strtod(text, NULL);
        if (isfinite(v) && v != 0)
            expect_as_strtod(text);
        v = ldexp((double)(next_random(&state) >> 11), (int)(next_random(&state) % 100) - 60);
        snprintf(text, sizeof(text), "%.120Lf",
                 ((long double)v + (long double)nextafter(v, INFINITY)) / 2);
        if (i % 8 == 0)
            expect_as_strtod(text);
    }
}

/* Short ones are read all at once: every place of the point in every length, every byte at every place. */
Test(number, short_decimals_read_as_strtod_reads_them)
{
    const char digits[] = "9305718264";

    for (size_t n = 1; n <= 10; n++)
        for (size_t point = 0; point <= n; point++)
            for (size_t at = 0; at < n; at++)
                for (int c = 1; c < 128; c++) {
                    char text[sizeof(digits)] = {0}, *end;
                    double v = 7, want;
                    bool one;

                    memcpy(text, digits, n);
                    text[point] = point < n ? '.' : text[point];
                    text[at] = (char)(c == 'e' || c == 'E' ? 'f' : c);
                    want = strtod(text, &end);
                    /* strtod takes spaces and hexadecimal besides */
                    one = *end == '\0' && end > text && !strpbrk(text, " \t\n\v\f\rxX");
                    cr_assert_eq(parse_double((struct slice){text, n}, &v), one, "%s", text);
                    cr_assert(!one || memcmp(&v, &want, sizeof(v)) == 0, "%s", text);
                }
}

struct sample_text {
    double value;
    const char *resp2, *resp3;
};

Test(number, samples_are_written_as_redistimeseries_writes_them)
{
    static const struct sample_text rows[] = {
        {0, "0", "0"},
        {-0.0, "-0", "-0"},
        {1, "1", "1"},
        {-7, "-7", "-7"},
        {500.5, "500.5", "500.5"},
        {110, "110", "110"},
        {0.5, "5E-1", "0.5"},
        {-0.17, "-1.7E-1", "-0.17"},
        {1e-7, "1E-7", "1e-7"},
        {0.046211133199017485, "4.6211133199017485E-2", "0.046211133199017485"},
        {528694.9874200742, "528694.9874200742", "5.286949874200742e+5"},
        {2983098528199.7554, "2983098528199.7554", "2983098528199.7554"},
        {-119881.2533333, "-119881.2533333", "-1.198812533333e+5"},
        {918066700800, "918066700800", "918066700800"},
        {2371903153274063000000.0, "2.371903153274063E21", "2371903153274063000000"},
        {1e20, "1E20", "1e+20"},
        {4503599627370495, "4503599627370495", "4503599627370495"},
        {9007199254740991, "9007199254740991", "9007199254740991"},
        {1.7976931348623157e308, "1.7976931348623157E308", "1.7976931348623157e+308"},
        {5e-324, "5E-324", "5e-324"},
        {(double)NAN, "NaN", "nan"},
        {(double)INFINITY, "Infinity", "inf"},
        {-(double)INFINITY, "-Infinity", "-inf"},
    };
    char text[RESP_DOUBLE_TEXT_MAX + 1];

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        text[format_sample_resp2(text, rows[i].value)] = '\0';
        cr_assert_str_eq(text, rows[i].resp2);
        text[format_sample_resp3(text, rows[i].value)] = '\0';
        cr_assert_str_eq(text, rows[i].resp3);
    }
}

Test(number, samples_read_back_as_the_same_double)
{
    uint64_t state = 1181783497276652981ULL;
    char text[RESP_DOUBLE_TEXT_MAX + 1];

    for (int i = 0; i < 300000; i++) {
        uint64_t bits = next_random(&state);
        double v;

        memcpy(&v, &bits, sizeof(v));
        if (!isfinite(v))
            continue;
        text[format_sample_resp2(text, v)] = '\0';
        cr_assert_eq(strtod(text, NULL), v, "%s", text);
        text[format_sample_resp3(text, v)] = '\0';
        cr_assert_eq(strtod(text, NULL), v, "%s", text);
    }
}
