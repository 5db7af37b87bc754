#include "shards/node/memory_limit.h"
#include "shards/node/node.h"

#include <stdio.h>
#include <string.h>

static int
run(int argc, char **argv)
{
    struct config config;
    struct buf err = {0};
    int rc = config_parse_args(argc, argv, &config, &err);

    if (rc < 0)
        fprintf(stderr, "pinstripe-server: %.*s\n", (int)err.n, err.p);
    buf_fini(&err);
    if (rc < 0)
        return 1;
    return rc > 0 ? 0 : node_run(&config);
}

/* Before anything that takes much of either. */
static int
check_memory(void)
{
    struct buf err = {0};
    int rc = memory_limit_stack(&err);

    if (rc == 0)
        rc = memory_limit_check(1, &err);
    if (rc < 0)
        fprintf(stderr, "pinstripe-server: %.*s\n", (int)err.n, err.p);
    buf_fini(&err);
    return rc;
}

int
main(int argc, char **argv)
{
    if (argc == 2 && (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-v") == 0)) {
        printf("pinstripe-server %s\n", PINSTRIPE_VERSION);
        return 0;
    }
    return check_memory() < 0 ? 1 : run(argc, argv);
}
