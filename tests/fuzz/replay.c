/* Runs a fuzz entry over every file of the directories (or files) named on the command line, so
 * that what a fuzzer once found is an ordinary test ever after. A run over nothing is a failure. */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static uint8_t *
read_file(FILE *f, size_t *ret_n)
{
    size_t n = 0, cap = 4096, got;
    uint8_t *data = malloc(cap);

    while (data != NULL && (got = fread(data + n, 1, cap - n, f)) > 0) {
        n += got;
        if (n == cap)
            data = realloc(data, cap *= 2);
    }
    *ret_n = n;
    return data;
}

/* The entry sees a block of exactly the size of the file, as from the fuzzer. */
static int
run_file(const char *path)
{
    FILE *f = fopen(path, "rb");
    uint8_t *data, *exact;
    size_t n;

    if (f == NULL) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
        return -1;
    }
    data = read_file(f, &n);
    fclose(f);
    exact = malloc(n + (n == 0));
    if (data == NULL || exact == NULL)
        abort();
    memcpy(exact, data, n);
    free(data);
    LLVMFuzzerTestOneInput(exact, n);
    free(exact);
    return 1;
}

/* Returns how many inputs were run, negative on failure. */
static int
run_path(const char *path)
{
    DIR *dir = opendir(path);
    char name[PATH_MAX];
    struct dirent *entry;
    int count = 0;

    if (dir == NULL)
        return run_file(path);
    while ((entry = readdir(dir)) != NULL && count >= 0) {
        if (entry->d_name[0] == '.')
            continue;
        snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
        count = run_file(name) < 0 ? -1 : count + 1;
    }
    closedir(dir);
    return count;
}

int
main(int argc, char **argv)
{
    int i, count, total = 0;

    for (i = 1; i < argc; i++) {
        count = run_path(argv[i]);
        if (count < 0)
            return 1;
        total += count;
    }
    printf("%d inputs\n", total);
    return total > 0 ? 0 : 1;
}
