#include "shards/node/node.h"

#include <stdio.h>
#include <string.h>

int
main(int argc, char **argv)
{
    struct config config;
    struct buf err = {0};
    int rc;

    if (argc == 2 && (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-v") == 0)) {
        printf("pinstripe-server %s\n", PINSTRIPE_VERSION);
        return 0;
    }
    rc = config_parse_args(argc, argv, &config, &err);
    if (rc < 0)
        fprintf(stderr, "pinstripe-server: %.*s\n", (int)err.n, err.p);
    buf_fini(&err);
    if (rc < 0)
        return 1;
    if (rc > 0)
        return 0;
    return node_run(&config);
}
