/* How many clients fit beside the files that the engine needs. */
#include "shards/node/file_limit.h"

#include <criterion/criterion.h>

Test(file_limit, all_fit_where_there_is_room)
{
    cr_assert_eq(file_limit_clients(10000 + FILE_LIMIT_WANTED, 2, 10000), 10000);
    cr_assert_eq(file_limit_clients(1 << 20, 256, 10000), 10000);
}

Test(file_limit, half_stays_for_the_engine)
{
    cr_assert_eq(file_limit_clients(1024, 1, 10000), 512);
    cr_assert_eq(file_limit_clients(1024, 1, 100), 100);
    cr_assert_eq(file_limit_clients(10000, 1, 10000), 10000 - FILE_LIMIT_WANTED);
    cr_assert_eq(file_limit_clients(100, 1, 10000), 100 - FILE_LIMIT_BASE - FILE_LIMIT_CORE);
}

Test(file_limit, too_few_for_the_cores_are_none)
{
    for (uint32_t cores = 1; cores < 300; cores++) {
        uint64_t need = FILE_LIMIT_BASE + cores * FILE_LIMIT_CORE;

        cr_assert_eq(file_limit_clients(need, cores, 10), 0);
        cr_assert_eq(file_limit_clients(need + 1, cores, 10), 1);
    }
}

Test(file_limit, tables_of_stores_have_what_clients_and_the_rest_leave)
{
    cr_assert_eq(file_limit_tables(400, 1, 200), 200 - FILE_LIMIT_BASE - FILE_LIMIT_CORE);
    cr_assert_eq(file_limit_tables(1024, 2, 512), (512 - FILE_LIMIT_BASE - 2 * FILE_LIMIT_CORE) / 2);
    cr_assert_eq(file_limit_tables(100, 1, 100 - FILE_LIMIT_BASE - FILE_LIMIT_CORE), 1);
    cr_assert_eq(file_limit_tables(50, 1, 100), 1);
    for (uint32_t cores = 1; cores <= 256; cores++) {
        uint64_t limit = 10000 + FILE_LIMIT_WANTED + cores * FILE_LIMIT_TABLES;

        cr_assert_geq(file_limit_tables(limit, cores, 10000), FILE_LIMIT_TABLES - FILE_LIMIT_CORE);
    }
}
