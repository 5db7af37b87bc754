/* RocksDB's C interface reports errors as text. The texts come from its Status type and have been
 * the same for many releases; tests/unit/test_store.c holds the ones we rely on against the real
 * thing. */
#include "shards/store/store_priv.h"

#include <stdio.h>

static const struct {
    const char *text;
    int code;
} meanings[] = {
    {"Result incomplete", EAGAIN},           {"No space left on device", ENOSPC},
    {"Disk quota exceeded", ENOSPC},         {"While lock file", EBUSY},
    {"lock hold by current process", EBUSY},
};

static int
code_of(const char *message)
{
    for (size_t i = 0; i < ARRAY_SIZE(meanings); i++)
        if (strstr(message, meanings[i].text))
            return meanings[i].code;
    return EIO;
}

int
store_error_take(struct store_error *err, char *message)
{
    int code = code_of(message);

    if (err)
        snprintf(err->text, sizeof(err->text), "%s", message);
    rocksdb_free(message);
    return -code;
}

bool
store_error_is_of_reading(const char *text)
{
    return strncmp(text, "Corruption: ", 12) == 0 || strstr(text, "While pread");
}

int
store_error_errno(struct store_error *err, const char *what, int code)
{
    char text[128];

    if (err)
        snprintf(err->text, sizeof(err->text), "%s: %s", what,
                 strerror_r(code, text, sizeof(text)));
    return -code;
}
