/* A look at one row of a database that is not opened for it: nothing is made, recovered or removed, and
 * a server may have it open meanwhile. For programs that inspect a data directory. */
#include "shards/store/store_priv.h"

#include <dirent.h>
#include <unistd.h>

#define PEEK_OPEN_FILES 64 /* tables are opened as they are looked into */
/* Who has it open may remove a table between our look at the MANIFEST and into the table. */
#define PEEK_TRIES 10
#define PEEK_RETRY_US 20000

/* 1: there is a database, 0: nothing was stored yet, -EIO: tables without a database. */
static int
look(const char *dir, struct store_error *err)
{
    DIR *d = opendir(dir);
    bool has_current = false, has_tables = false;
    struct dirent *entry;

    if (!d)
        return store_error_errno(err, dir, errno);
    while ((entry = readdir(d))) {
        has_current = has_current || strcmp(entry->d_name, "CURRENT") == 0;
        has_tables = has_tables || store_sst_is_table(entry->d_name);
    }
    closedir(d);
    return !has_current && has_tables ? store_error_errno(err, STORE_LOST_CURRENT, EIO)
                                      : has_current;
}

static int
get_row(rocksdb_t *db, struct slice key, struct buf *ret_value, struct store_error *err)
{
    rocksdb_readoptions_t *how = rocksdb_readoptions_create();
    char *message = NULL, *value;
    size_t n;

    value = rocksdb_get(db, how, key.p, key.n, &n, &message);
    rocksdb_readoptions_destroy(how);
    if (message)
        return store_error_take(err, message);
    if (!value)
        return 0;
    buf_append(ret_value, value, n);
    rocksdb_free(value);
    return 1;
}

static int
peek_once(const rocksdb_options_t *options, const char *dir, struct slice key, struct buf *ret_value,
          struct store_error *err)
{
    char *message = NULL;
    rocksdb_t *db = rocksdb_open_for_read_only(options, dir, 0, &message);
    int rc = message ? store_error_take(err, message) : get_row(db, key, ret_value, err);

    if (db)
        rocksdb_close(db);
    return rc;
}

int
store_peek(const char *dir, struct slice key, struct buf *ret_value, struct store_error *err)
{
    rocksdb_options_t *options;
    int rc = look(dir, err);

    if (rc <= 0)
        return rc;
    options = rocksdb_options_create();
    rocksdb_options_set_max_open_files(options, PEEK_OPEN_FILES);
    rc = peek_once(options, dir, key, ret_value, err);
    for (int i = 1; rc < 0 && i < PEEK_TRIES; i++) {
        usleep(PEEK_RETRY_US);
        rc = peek_once(options, dir, key, ret_value, err);
    }
    rocksdb_options_destroy(options);
    return rc;
}
