/* What RocksDB says of itself, and the manual compaction. */
#include "shards/store/store_priv.h"

#include <stdlib.h>

static uint64_t
number(struct store *s, const char *property)
{
    uint64_t v = 0;

    return rocksdb_property_int(s->db, property, &v) == 0 ? v : 0;
}

/* Not every property has a number; this one is text only. */
static uint64_t
l0_files(struct store *s)
{
    char *text = rocksdb_property_value(s->db, "rocksdb.num-files-at-level0");
    uint64_t v;

    if (!text)
        return 0;
    v = strtoull(text, NULL, 10);
    rocksdb_free(text);
    return v;
}

static struct store_stats
read_stats(struct store *s)
{
    return (struct store_stats){
        .sst_bytes = number(s, "rocksdb.live-sst-files-size"),
        .live_keys_estimate = number(s, "rocksdb.estimate-num-keys"),
        .pending_compaction_bytes = number(s, "rocksdb.estimate-pending-compaction-bytes"),
        .running_compactions = number(s, "rocksdb.num-running-compactions"),
        .l0_files = l0_files(s),
        .background_errors = number(s, "rocksdb.background-errors"),
        .table_readers_bytes = number(s, "rocksdb.estimate-table-readers-mem"),
        .write_stopped = number(s, "rocksdb.is-write-stopped") != 0,
    };
}

void
store_get_stats(struct store *s, struct store_stats *ret)
{
    *ret = (struct store_stats){0};
    if (!store_enter(s, false))
        return;
    if (s->db)
        *ret = read_stats(s);
    store_leave(s);
}

static bool
is_stalled(struct store *s)
{
    return number(s, "rocksdb.is-write-stopped") != 0 || l0_files(s) >= STORE_L0_STALLED_FILES ||
           number(s, "rocksdb.estimate-pending-compaction-bytes") >= STORE_PENDING_BYTES_STALLED;
}

bool
store_is_stalled(struct store *s)
{
    bool stalled;

    if (!store_enter(s, false))
        return true;
    stalled = s->db && is_stalled(s);
    store_leave(s);
    return stalled;
}

void
store_compact_all(struct store *s)
{
    enum {
        BOTTOM_LEVEL_FORCE = 2
    }; /* also tables that are where they belong: the filter sees all */
    rocksdb_compactoptions_t *opt = rocksdb_compactoptions_create();

    rocksdb_compactoptions_set_bottommost_level_compaction(opt, BOTTOM_LEVEL_FORCE);
    store_enter(s, true);
    if (s->db)
        rocksdb_compact_range_opt(s->db, opt, NULL, 0, NULL, 0);
    store_leave(s);
    rocksdb_compactoptions_destroy(opt);
}
