#include "core/glob.h"

#include <criterion/criterion.h>

static void
expect(const char *pattern, const char *t, bool match)
{
    cr_expect_eq(glob_match(slice_of(pattern), slice_of(t), false), match, "'%s' against '%s'",
                 pattern, t);
}

Test(glob, patterns_match_as_in_redis)
{
    static const struct {
        const char *pattern, *text;
        bool match;
    } cases[] = {
        {"", "", true},
        {"", "a", false},
        {"a", "", false},
        {"*", "", true},
        {"*", "abc", true},
        {"***", "abc", true},
        {"a*c", "abbbc", true},
        {"a*c", "ac", true},
        {"a*c", "abcd", false},
        {"*a*b*", "xxaxxbxx", true},
        {"*a*b", "axbxb", true},
        {"*ab", "aab", true},
        {"?", "a", true},
        {"?", "", false},
        {"h?llo", "hello", true},
        {"h[ae]llo", "hallo", true},
        {"h[ae]llo", "hillo", false},
        {"h[^e]llo", "hallo", true},
        {"h[^e]llo", "hello", false},
        {"h[a-b]llo", "hbllo", true},
        {"h[b-a]llo", "hallo", true},
        {"h[a-b]llo", "hcllo", false},
        {"[a-c-]", "-", true},
        {"[\\]]", "]", true},
        {"\\*", "*", true},
        {"\\*", "a", false},
        {"a\\", "a\\", true},
        {"[\\a-c]", "b", false}, /* an escaped byte begins no range */
        {"[\\a-c]", "-", true},
        {"[*-\\]", "/", true}, /* behind the - of a range stands any byte */
        {"[*-\\]", "\\", true},
        {"[+-]]", "0", true}, /* a ] as well */
        {"[+-]a", "0", true},
        {"[+-]", "0", true},
        {"[a-", "b", false},
        {"[a-", "-", true},
        {"[a-\xff]", "A", true}, /* bytes are numbers with a sign: from -1 to a */
        {"[a-\xff]", "b", false},
        {"[abc", "b", true},
        {"[", "a", false},
        {"[]", "a", false},
        {"[^]", "a", true},
        {"a*", "A", false},
        {"user:*:x", "user:1:2:x", true},
    };
    size_t i;

    for (i = 0; i < ARRAY_SIZE(cases); i++)
        expect(cases[i].pattern, cases[i].text, cases[i].match);
}

Test(glob, case_is_folded_on_demand)
{
    cr_expect(glob_match(SLICE("MAX*[A-C]\\D"), SLICE("maxmembd"), true));
    cr_expect(glob_match(SLICE("max"), SLICE("MAX"), true));
    cr_expect_not(glob_match(SLICE("max"), SLICE("MAX"), false));
}

Test(glob, zero_bytes_are_characters_like_others)
{
    cr_expect(glob_match((struct slice){"a\0*", 3}, (struct slice){"a\0b", 3}, false));
    cr_expect_not(glob_match((struct slice){"a\0c", 3}, (struct slice){"a\0b", 3}, false));
}

/* With one try per star for every place this would take 1000 to the power of 20 steps. */
Test(glob, many_stars_cost_no_more_than_pattern_times_text, .timeout = 300)
{
    char t[1000];

    memset(t, 'a', sizeof(t));
    cr_expect_not(glob_match(SLICE("a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b"),
                             (struct slice){t, sizeof(t)}, false));
}
