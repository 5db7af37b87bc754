#include "shards/node/owner.h"

#include "core/whole_file.h"

#include <inttypes.h>
#include <stdio.h>

#define OWNER_PATH_MAX 1300
#define OWNER_BYTES_MAX 256

static void
owner_path(const char *dir, char out[OWNER_PATH_MAX])
{
    snprintf(out, OWNER_PATH_MAX, "%s/OWNER", dir);
}

static int
owner_text(const struct owner *o, char out[OWNER_BYTES_MAX])
{
    return snprintf(out, OWNER_BYTES_MAX,
                    "pinstripe-part 1\ninstance %016" PRIx64 "\ngeneration %" PRIu32
                    "\ncore %" PRIu32 " of %" PRIu32 "\npart %s\n",
                    o->instance, o->generation, o->core, o->cores, o->part);
}

int
owner_write(const char *dir, const struct owner *o)
{
    char path[OWNER_PATH_MAX], text[OWNER_BYTES_MAX];
    int n = owner_text(o, text);

    owner_path(dir, path);
    return whole_file_replace(path, (struct slice){text, (size_t)n});
}

/* It is not what it should be: what is it? */
static void
say_whose(const char *path, const char *found, const struct owner *want, struct buf *err)
{
    char part[16];
    struct owner o;

    if (sscanf(found, "pinstripe-part 1\ninstance %" SCNx64 "\ngeneration %" SCNu32
                      "\ncore %" SCNu32 " of %" SCNu32 "\npart %15s\n",
               &o.instance, &o.generation, &o.core, &o.cores, part) != 5) {
        buf_printf(err, "'%s' is damaged: the %s of core %" PRIu32 " is due here", path, want->part,
                   want->core);
        return;
    }
    buf_printf(err, "'%s' says that here is the %s of core %" PRIu32 " of %" PRIu32
                    ", generation %" PRIu32 ", of data directory %016" PRIx64 ", but here belongs "
                    "the %s of core %" PRIu32 " of %" PRIu32 ", generation %" PRIu32 ", of %016" PRIx64
                    ": files were exchanged, or come from another place",
               path, part, o.core, o.cores, o.generation, o.instance, want->part, want->core,
               want->cores, want->generation, want->instance);
}

int
owner_check(const char *dir, const struct owner *o, struct buf *err)
{
    char path[OWNER_PATH_MAX], want[OWNER_BYTES_MAX], found[OWNER_BYTES_MAX];
    int rc;

    owner_path(dir, path);
    owner_text(o, want);
    rc = whole_file_read(path, found, sizeof(found));
    if (rc < 0) {
        buf_printf(err, "cannot read '%s': %s%s", path, strerror(-rc),
                   rc == -ENOENT || rc == -ENOTDIR ? ": the files of a core are missing" : "");
        return rc;
    }
    if (strcmp(found, want) == 0)
        return 0;
    say_whose(path, found, o, err);
    return -EBADMSG;
}
