/* Numbers as text, both ways, without the C library's locale and without its cost on the plain
 * cases. Text is never NUL-terminated; lengths are returned. Every function is pure. */
#ifndef NET_NUMBER_H
#define NET_NUMBER_H

#include "core/base.h"

#define RESP_INT_TEXT_MAX 21    /* "-9223372036854775808" and the digits of any uint64 */
#define RESP_DOUBLE_TEXT_MAX 32 /* "-1.7976931348623157e+308" is 24 */
/* Longest text parse_double looks at: the exact decimal of any double fits (1077 bytes). */
#define PARSE_DOUBLE_TEXT_MAX 2048

/* Write the digits, return how many bytes that took. */
size_t format_uint(char out[RESP_INT_TEXT_MAX], uint64_t v);
size_t format_int(char out[RESP_INT_TEXT_MAX], int64_t v);

/* The shortest text that reads back as the same double, of those the one nearest to it. Notation
 * changes to an exponent where printf's %.17g changes (below 1e-4, from 1e17 on), so a value whose
 * 17 digits are also its shortest looks as in Redis 7.0: "100.5", "-0", "1e-05", "1e+300", "inf",
 * "-inf", "nan". */
size_t format_double(char out[RESP_DOUBLE_TEXT_MAX], double v);

/* The same digits in the two notations of RedisTimeSeries 8.10. In its RESP2 replies: from 1 on
 * without an exponent while the last digit a double of that size tells apart stands at or behind the
 * point (below 2^52, and up to 7e16 unless it ends in a zero), else "5E-1", "2.5E21"; "NaN",
 * "Infinity". In its RESP3 replies: an exponent where its double printer (fpconv) uses one:
 * "5.286949874200742e+5", "1e-7"; integers that fit 64 bits never; "nan". */
size_t format_sample_resp2(char out[RESP_DOUBLE_TEXT_MAX], double v);
size_t format_sample_resp3(char out[RESP_DOUBLE_TEXT_MAX], double v);

/* Strict decimal int64, the whole slice: no spaces, no '+', no leading zeros, no "-0". False = not
 * one, *ret_v untouched. */
bool parse_int(struct slice s, int64_t *ret_v);

/* A decimal floating-point number, the whole slice, correctly rounded: digits with an optional
 * sign, point and exponent, or "inf", "infinity", "nan" in any case with an optional sign (callers
 * that want finite values check). As in Redis, what overflows ("1e400") or is lost to zero
 * ("1e-400") is not a number. No spaces, no hexadecimal. False = not one, *ret_v untouched. */
bool parse_double(struct slice s, double *ret_v);

#endif
