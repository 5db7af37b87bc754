/* The command table as the dispatcher asks it. */
#include "shards/commands/facts.h"
#include "shards/engine/command.h"

#include <criterion/criterion.h>
#include <ctype.h>
#include <stdio.h>

static const struct command *
find(const char *name)
{
    return command_find(slice_of(name));
}

Test(command, every_row_is_found_by_its_name_in_any_case)
{
    uint32_t n;
    const struct command *table = command_table(&n);

    cr_assert_gt(n, 50);
    for (uint32_t i = 0; i < n; i++) {
        char name[64] = "";
        size_t len = strlen(table[i].name);

        cr_assert_lt(len, sizeof(name));
        for (size_t k = 0; k < len; k++)
            name[k] = (char)(k % 2 ? toupper(table[i].name[k]) : table[i].name[k]);
        cr_assert_eq(find(table[i].name), &table[i], "%s", table[i].name);
        cr_assert_eq(find(name), &table[i], "%s", name);
        name[len] = 'x';
        cr_assert_neq(find(name), &table[i], "%s is another name", name);
        cr_assert_neq(command_find((struct slice){name, len - 1}), &table[i]);
    }
}

Test(command, what_is_no_name_is_not_found)
{
    char name[300];

    memset(name, 'a', sizeof(name));
    cr_assert_null(find(""));
    cr_assert_null(find("no-such-command"));
    cr_assert_null(command_find((struct slice){"get\0", 4}));
    for (size_t n = 1; n <= sizeof(name); n++)
        cr_assert_null(command_find((struct slice){name, n}), "%zu bytes", n);
}

/* Folding a letter's case with one bit also maps '@' to '`', '[' to '{' and so on. */
Test(command, only_letters_have_a_case)
{
    uint32_t n;
    const struct command *table = command_table(&n);

    for (uint32_t i = 0; i < n; i++)
        for (size_t k = 0; table[i].name[k]; k++) {
            char name[64];

            if (isalpha((unsigned char)table[i].name[k]))
                continue;
            snprintf(name, sizeof(name), "%s", table[i].name);
            name[k] ^= 0x20;
            cr_assert_neq(find(name), &table[i], "%s is not %s", name, table[i].name);
        }
}

Test(command, the_command_before_is_a_hint_only)
{
    const struct command *get = find("get"), *set = find("set");

    cr_assert(get && set);
    cr_assert_eq(command_find_near(NULL, SLICE("get")), get);
    cr_assert_eq(command_find_near(get, SLICE("GET")), get);
    cr_assert_eq(command_find_near(get, SLICE("set")), set);
    cr_assert_null(command_find_near(get, SLICE("ge")));
    cr_assert_null(command_find_near(get, SLICE("gets")));
}

Test(command, a_container_resolves_to_its_subcommands)
{
    uint32_t n, containers = 0;
    const struct command *table = command_table(&n);

    for (uint32_t i = 0; i < n; i++) {
        struct slice argv[2] = {slice_of(table[i].name), SLICE("no-such-subcommand")};

        if (table[i].sub == NULL) {
            cr_assert_eq(command_resolve(&table[i], argv, 2), &table[i]);
            continue;
        }
        containers++;
        cr_assert_null(command_resolve(&table[i], argv, 2), "%s", table[i].name);
        cr_assert_eq(command_resolve(&table[i], argv, 1), &table[i], "its arity is refused");
        for (const struct command *s = table[i].sub; s->name; s++) {
            const char *bar = strchr(s->name, '|');

            cr_assert(bar && (size_t)(bar - s->name) == strlen(table[i].name), "%s", s->name);
            argv[1] = slice_of(bar + 1);
            cr_assert_eq(command_resolve(&table[i], argv, 2), s, "%s", s->name);
        }
    }
    cr_assert_gt(containers, 3);
}

struct positions {
    uint32_t at[16];
    uint32_t n;
};

static void
note(void *arg, uint32_t index)
{
    struct positions *p = arg;

    cr_assert_lt(p->n, ARRAY_SIZE(p->at));
    p->at[p->n++] = index;
}

static void
expect_keys(const char *name, const char *const *args, uint32_t argc, const char *want)
{
    struct slice argv[16];
    struct positions p = {.n = 0};
    char got[64] = "";

    argv[0] = slice_of(name);
    for (uint32_t i = 1; i < argc; i++)
        argv[i] = slice_of(args ? args[i - 1] : "x");
    cr_assert_not_null(find(name), "%s", name);
    cr_assert_eq(command_keys(find(name), argv, argc, note, &p), p.n);
    for (uint32_t i = 0; i < p.n; i++)
        snprintf(got + strlen(got), sizeof(got) - strlen(got), "%u ", p.at[i]);
    cr_assert_str_eq(got, want, "%s with %u arguments", name, argc);
}

Test(command, keys_of_a_call)
{
    expect_keys("get", NULL, 2, "1 ");
    expect_keys("set", NULL, 6, "1 ");
    expect_keys("del", NULL, 4, "1 2 3 ");
    expect_keys("mset", NULL, 7, "1 3 5 ");
    expect_keys("rename", NULL, 3, "1 2 ");
    expect_keys("object", NULL, 1, "");
    expect_keys("ping", NULL, 2, "");
    expect_keys("get", NULL, 1, "");
}

Test(command, arity)
{
    const struct command exact = {.arity = 3}, least = {.arity = -3};

    cr_assert(command_arity_ok(&exact, 3) && command_arity_ok(&least, 3));
    cr_assert(!command_arity_ok(&exact, 2) && !command_arity_ok(&least, 2));
    cr_assert(!command_arity_ok(&exact, 4) && command_arity_ok(&least, 4));
}

Test(command, a_number_of_keys_that_is_none_means_no_keys)
{
    const struct command c = {.flags = CMD_NUMKEYS, .key_first = 2, .key_last = -1, .key_step = 1};
    const struct {
        const char *n;
        uint32_t argc, want;
    } cases[] = {{"1", 3, 1},  {"2", 4, 2},   {"2", 5, 2},  {"2", 3, 0},
                 {"0", 4, 0},  {"-1", 4, 0},  {"x", 4, 0},  {"", 4, 0},
                 {"1", 2, 0},  {"9223372036854775807", 4, 0}, {"4294967297", 4, 0}};

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct slice argv[] = {SLICE("c"), slice_of(cases[i].n), SLICE("a"), SLICE("b"), SLICE("c")};
        struct positions p = {.n = 0};

        cr_assert_eq(command_numkeys(&c, argv, cases[i].argc), cases[i].want, "%s of %u",
                     cases[i].n, cases[i].argc);
        cr_assert_eq(command_keys(&c, argv, cases[i].argc, note, &p), cases[i].want);
        for (uint32_t k = 0; k < p.n; k++)
            cr_assert_eq(p.at[k], 2 + k);
    }
}

/* Subcommands included. */
static const struct command *
find_row(const char *name)
{
    const char *bar = strchr(name, '|');
    const struct command *cmd;

    if (bar == NULL)
        return find(name);
    cmd = command_find((struct slice){name, (size_t)(bar - name)});
    for (const struct command *s = cmd ? cmd->sub : NULL; s && s->name; s++)
        if (strcmp(s->name, name) == 0)
            return s;
    return NULL;
}

Test(command, every_row_of_facts_is_about_a_command_and_there_once)
{
    unsigned n;
    const struct command_facts *facts = command_facts_table(&n);

    for (unsigned i = 0; i < n; i++) {
        cr_assert_not_null(find_row(facts[i].name), "%s", facts[i].name);
        cr_assert_eq(command_facts(facts[i].name), &facts[i], "%s stands twice", facts[i].name);
    }
    cr_assert_str_empty(command_facts("no-such-command")->flags);
}

static void
check_key_facts(const struct command *cmd)
{
    const char *keys = command_facts(cmd->name)->keys;
    uint32_t n = 1;

    cr_assert_eq(keys[0] != '\0', cmd->key_first != 0, "%s", cmd->name);
    for (const char *p = keys; *p; p++)
        n += *p == '|';
    cr_assert(n == 1 || (int)n == cmd->key_last - cmd->key_first + 1, "%s", cmd->name);
}

Test(command, facts_say_how_every_key_is_used)
{
    uint32_t n;
    const struct command *table = command_table(&n);

    for (uint32_t i = 0; i < n; i++) {
        check_key_facts(&table[i]);
        for (const struct command *s = table[i].sub; s && s->name; s++)
            check_key_facts(s);
    }
}

static void
take_index(const struct command *cmd, bool *taken)
{
    cr_assert_lt(cmd->index, command_rows(), "%s", cmd->name);
    cr_assert_not(taken[cmd->index], "%s", cmd->name);
    taken[cmd->index] = true;
}

/* What is counted of commands is counted by it. */
Test(command, every_row_has_an_index_of_its_own_and_none_is_left_over)
{
    uint32_t n;
    const struct command *table = command_table(&n);
    bool taken[1024] = {0};

    cr_assert_lt(command_rows(), ARRAY_SIZE(taken));
    for (uint32_t i = 0; i < n; i++) {
        take_index(&table[i], taken);
        for (const struct command *s = table[i].sub; s && s->name; s++)
            take_index(s, taken);
    }
    for (uint32_t i = 0; i < command_rows(); i++)
        cr_assert(taken[i], "%u", i);
}
