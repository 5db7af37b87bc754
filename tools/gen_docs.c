/* Writes one of the texts that are made from tables to standard output: gen-docs config|metrics|
 * sample. The test "docs" compares them with what is in the repository. */
#include "core/config.h"
#include "core/metrics.h"

#include <stdio.h>

static const struct {
    const char *name;
    void (*write)(struct buf *out);
} texts[] = {
    {"config", config_write_markdown},
    {"metrics", metrics_write_markdown},
    {"sample", config_write_sample},
};

int
main(int argc, char **argv)
{
    struct buf out = {0};
    size_t i;

    for (i = 0; argc == 2 && i < ARRAY_SIZE(texts); i++)
        if (strcmp(argv[1], texts[i].name) == 0) {
            bool written;

            texts[i].write(&out);
            written = fwrite(out.p, 1, out.n, stdout) == out.n && fflush(stdout) == 0;
            buf_fini(&out);
            return written ? 0 : 1;
        }
    fprintf(stderr, "usage: gen-docs config|metrics|sample\n");
    return 2;
}
