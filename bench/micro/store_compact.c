/* Compacts the stores of a data directory whose server has stopped, and says what they take:
 *
 *   store_compact DIR lz4|zstd|none
 *
 * One JSON line: bytes of table files, of everything else that RocksDB keeps, and the number of
 * table files. */
#include "shards/store/store.h"

#include <dirent.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

struct sizes {
    uint64_t table_bytes, other_bytes, tables;
};

static enum store_compression
compression_named(const char *name)
{
    if (strcmp(name, "zstd") == 0)
        return STORE_COMPRESSION_ZSTD;
    return strcmp(name, "none") == 0 ? STORE_COMPRESSION_NONE : STORE_COMPRESSION_LZ4;
}

static _Noreturn void
fail(const char *what, const char *why)
{
    fprintf(stderr, "store_compact: %s: %s\n", what, why);
    exit(1);
}

static void
compact(const char *dir, enum store_compression compression)
{
    struct store_env_options env_options = {.block_cache_bytes = 64 * MIB, .background_threads = 1};
    struct store_options options = {.dir = dir, .compression = compression};
    struct store_env *env = store_env_create(&env_options);
    struct store_error err = {{0}};
    struct store *s;

    if (!env || store_open(&s, env, &options, &err) < 0)
        fail(dir, err.text);
    store_compact_all(s);
    store_close(&s);
    store_env_destroy(&env);
}

static void
add_sizes(const char *dir, struct sizes *z)
{
    DIR *d = opendir(dir);
    struct dirent *e;
    struct stat st;
    char path[4096];

    if (!d)
        fail(dir, "cannot be read");
    while ((e = readdir(d))) {
        size_t n = strlen(e->d_name);
        snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
        if (stat(path, &st) < 0 || !S_ISREG(st.st_mode))
            continue;
        if (n > 4 && strcmp(e->d_name + n - 4, ".sst") == 0) {
            z->table_bytes += (uint64_t)st.st_size;
            z->tables++;
        } else {
            z->other_bytes += (uint64_t)st.st_size;
        }
    }
    closedir(d);
}

int
main(int argc, char **argv)
{
    struct sizes z = {0};
    char pattern[4096];
    glob_t found;
    size_t i;

    if (argc != 3) {
        fprintf(stderr, "usage: store_compact DIR lz4|zstd|none\n");
        return 2;
    }
    snprintf(pattern, sizeof(pattern), "%s/gen-*/core-*/store", argv[1]);
    if (glob(pattern, 0, NULL, &found) != 0)
        fail(argv[1], "holds no stores");
    for (i = 0; i < found.gl_pathc; i++) {
        compact(found.gl_pathv[i], compression_named(argv[2]));
        add_sizes(found.gl_pathv[i], &z);
    }
    globfree(&found);
    printf("{\"table_bytes\": %lu, \"other_bytes\": %lu, \"tables\": %lu}\n", z.table_bytes,
           z.other_bytes, z.tables);
    return 0;
}
