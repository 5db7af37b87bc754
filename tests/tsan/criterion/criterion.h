/* What our unit tests use of Criterion, for builds under ThreadSanitizer.
 *
 * Criterion keeps an arena at a fixed address that lies in ThreadSanitizer's shadow memory, so its
 * tests cannot start there. This header has the same names; tests/tsan/main.c runs each test in a
 * process of its own and prints Criterion's closing line. */
#ifndef TESTS_TSAN_CRITERION_H
#define TESTS_TSAN_CRITERION_H

#include <math.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct tsan_options {
    void (*init)(void);
    void (*fini)(void);
    double timeout; /* seconds, 0 = the runner's */
    int signal;     /* the test ends by this signal */
    int exit_code;
    bool disabled;
    const char *description;
};

struct tsan_test {
    const char *suite, *name;
    void (*run)(void); /* NULL: options of the whole suite */
    struct tsan_options options;
    struct tsan_test *next;
};

void tsan_register(struct tsan_test *t);
__attribute__((format(printf, 6, 7))) void tsan_check(bool ok, bool fatal, const char *file,
                                                      int line, const char *what,
                                                      const char *format, ...);

/* clang-format off */
#define TSAN_REGISTER(id, suite, name, run, ...)                                                   \
    static struct tsan_test id##_test = {suite, name, run, {.description = NULL, ##__VA_ARGS__},   \
                                         NULL};                                                    \
    __attribute__((constructor)) static void id##_register(void)                                   \
    {                                                                                              \
        tsan_register(&id##_test);                                                                 \
    }

#define Test(suite, name, ...)                                                                     \
    static void suite##_##name##_impl(void);                                                       \
    TSAN_REGISTER(suite##_##name, #suite, #name, suite##_##name##_impl, ##__VA_ARGS__)             \
    static void suite##_##name##_impl(void)
#define TestSuite(suite, ...) TSAN_REGISTER(suite##_suite, #suite, "", NULL, ##__VA_ARGS__)

#define TSAN_CHECK(ok, fatal, what, ...)                                                           \
    tsan_check((ok), (fatal), __FILE__, __LINE__, what, " " __VA_ARGS__)
#define cr_assert(x, ...) TSAN_CHECK(x, true, #x, __VA_ARGS__)
#define cr_expect(x, ...) TSAN_CHECK(x, false, #x, __VA_ARGS__)
#define cr_assert_not(x, ...) TSAN_CHECK(!(x), true, "not " #x, __VA_ARGS__)
#define cr_expect_not(x, ...) TSAN_CHECK(!(x), false, "not " #x, __VA_ARGS__)
#define cr_assert_fail(...) TSAN_CHECK(false, true, "fail", __VA_ARGS__)
#define cr_expect_fail(...) TSAN_CHECK(false, false, "fail", __VA_ARGS__)

#define TSAN_OP(a, op, b, fatal, ...) TSAN_CHECK((a) op (b), fatal, #a " " #op " " #b, __VA_ARGS__)
#define cr_assert_eq(a, b, ...) TSAN_OP(a, ==, b, true, __VA_ARGS__)
#define cr_assert_neq(a, b, ...) TSAN_OP(a, !=, b, true, __VA_ARGS__)
#define cr_assert_lt(a, b, ...) TSAN_OP(a, <, b, true, __VA_ARGS__)
#define cr_assert_leq(a, b, ...) TSAN_OP(a, <=, b, true, __VA_ARGS__)
#define cr_assert_gt(a, b, ...) TSAN_OP(a, >, b, true, __VA_ARGS__)
#define cr_assert_geq(a, b, ...) TSAN_OP(a, >=, b, true, __VA_ARGS__)
#define cr_expect_eq(a, b, ...) TSAN_OP(a, ==, b, false, __VA_ARGS__)
#define cr_expect_neq(a, b, ...) TSAN_OP(a, !=, b, false, __VA_ARGS__)
#define cr_expect_lt(a, b, ...) TSAN_OP(a, <, b, false, __VA_ARGS__)
#define cr_expect_leq(a, b, ...) TSAN_OP(a, <=, b, false, __VA_ARGS__)
#define cr_expect_gt(a, b, ...) TSAN_OP(a, >, b, false, __VA_ARGS__)
#define cr_expect_geq(a, b, ...) TSAN_OP(a, >=, b, false, __VA_ARGS__)
#define cr_assert_null(a, ...) TSAN_OP(a, ==, NULL, true, __VA_ARGS__)
#define cr_assert_not_null(a, ...) TSAN_OP(a, !=, NULL, true, __VA_ARGS__)
#define cr_expect_null(a, ...) TSAN_OP(a, ==, NULL, false, __VA_ARGS__)
#define cr_expect_not_null(a, ...) TSAN_OP(a, !=, NULL, false, __VA_ARGS__)

#define TSAN_STR(a, op, b, fatal, ...)                                                             \
    TSAN_CHECK(strcmp((a), (b)) op 0, fatal, "strings " #a " " #op " " #b, __VA_ARGS__)
#define cr_assert_str_eq(a, b, ...) TSAN_STR(a, ==, b, true, __VA_ARGS__)
#define cr_assert_str_neq(a, b, ...) TSAN_STR(a, !=, b, true, __VA_ARGS__)
#define cr_expect_str_eq(a, b, ...) TSAN_STR(a, ==, b, false, __VA_ARGS__)
#define cr_expect_str_neq(a, b, ...) TSAN_STR(a, !=, b, false, __VA_ARGS__)
#define TSAN_ARR(a, op, b, n, fatal, ...)                                                          \
    TSAN_CHECK(memcmp((a), (b), (n)) op 0, fatal, "bytes " #a " " #op " " #b, __VA_ARGS__)
#define cr_assert_arr_eq(a, b, n, ...) TSAN_ARR(a, ==, b, n, true, __VA_ARGS__)
#define cr_expect_arr_eq(a, b, n, ...) TSAN_ARR(a, ==, b, n, false, __VA_ARGS__)
#define cr_assert_float_eq(a, b, e, ...)                                                           \
    TSAN_CHECK(fabs((double)(a) - (double)(b)) <= (e), true, #a " near " #b, __VA_ARGS__)
/* clang-format on */

#endif
