#include "shards/node/node.h"

#include <stdio.h>

int
main(int argc, char **argv)
{
    struct config config;
    struct buf err = {0};
    int rc = config_parse_args(argc, argv, &config, &err);

    if (rc < 0)
        fprintf(stderr, "pinstripe-server: %.*s\n", (int)err.n, err.p);
    buf_fini(&err);
    if (rc < 0)
        return 1;
    if (rc > 0)
        return 0;
    return node_run(&config);
}
