#include "shards/node/manifest.h"

#include "core/whole_file.h"

#include <inttypes.h>
#include <stdio.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

static uint64_t
checksum(const char *text, size_t n)
{
    return XXH3_64bits(text, n);
}

/* Format 1 had no instance and no state. */
static bool
parse_lines(struct datadir *d, const char *text, unsigned *ret_version)
{
    char state[8] = "";
    int n = sscanf(text, "pinstripe %u\ncores %" SCNu32 "\ngeneration %" SCNu32
                         "\ninstance %" SCNx64 "\nstate %7s\n",
                   ret_version, &d->cores, &d->generation, &d->instance, state);

    d->used = strcmp(state, "used") == 0;
    if (n >= 1 && *ret_version != DATADIR_FORMAT_VERSION)
        return n >= 3;
    return n == 5 && d->instance && (d->used || strcmp(state, "new") == 0);
}

static int
parse_manifest(struct datadir *d, const char *path, const char *text, struct buf *err)
{
    struct datadir found = *d;
    unsigned version;
    unsigned long long sum;
    const char *tail = strstr(text, "checksum ");

    if (tail == NULL || !parse_lines(&found, text, &version) ||
        sscanf(tail, "checksum %llx", &sum) != 1) {
        buf_printf(err, "'%s' is not a manifest of this server", path);
        return -EBADMSG;
    }
    if (checksum(text, (size_t)(tail - text)) != sum) {
        buf_printf(err, "'%s' is damaged: its checksum does not match", path);
        return -EBADMSG;
    }
    if (version == 0 || version > DATADIR_FORMAT_VERSION || found.cores == 0 ||
        found.cores > DATADIR_CORES_MAX) {
        buf_printf(err, "'%s' has format %u with %u cores; this server reads formats 1 to %u with "
                        "1 to %u", path, version, found.cores, DATADIR_FORMAT_VERSION,
                   DATADIR_CORES_MAX);
        return -EBADMSG;
    }
    if (version == 1)
        found.instance = found.used = 0;
    *d = found;
    return 0;
}

int
manifest_read(struct datadir *d, struct buf *err)
{
    char path[DATADIR_PATH_MAX], text[512];
    int rc;

    snprintf(path, sizeof(path), "%s/MANIFEST", d->path);
    rc = whole_file_read(path, text, sizeof(text));
    if (rc == 0)
        return parse_manifest(d, path, text, err);
    if (rc != -ENOENT)
        buf_printf(err, "cannot read '%s': %s", path, strerror(-rc));
    return rc;
}

int
manifest_write(struct datadir *d, uint32_t cores, uint32_t generation, bool used, struct buf *err)
{
    char path[DATADIR_PATH_MAX];
    struct buf text = {0};
    int rc;

    snprintf(path, sizeof(path), "%s/MANIFEST", d->path);
    buf_printf(&text, "pinstripe %u\ncores %u\ngeneration %u\n", DATADIR_FORMAT_VERSION, cores,
               generation);
    buf_printf(&text, "instance %016" PRIx64 "\nstate %s\n", d->instance, used ? "used" : "new");
    buf_printf(&text, "checksum %016" PRIx64 "\n", checksum(text.p, text.n));
    rc = whole_file_replace(path, (struct slice){text.p, text.n});
    buf_fini(&text);
    if (rc < 0) {
        buf_printf(err, "cannot write '%s': %s", path, strerror(-rc));
        return rc;
    }
    d->cores = cores;
    d->generation = generation;
    d->used = used;
    return 0;
}
