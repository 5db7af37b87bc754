/* The numbers that store_monitor.c gathers, for anybody, and the manual compaction. */
#include "shards/store/store_priv.h"

static uint64_t
get(struct store *s, enum store_number which)
{
    return atomic_load_explicit(&s->numbers[which], memory_order_relaxed);
}

void
store_get_stats(struct store *s, struct store_stats *ret)
{
    *ret = (struct store_stats){
        .sst_bytes = get(s, STORE_SST_BYTES),
        .live_keys_estimate = get(s, STORE_LIVE_KEYS),
        .pending_compaction_bytes = get(s, STORE_PENDING_BYTES),
        .running_compactions = get(s, STORE_COMPACTIONS),
        .l0_files = get(s, STORE_L0_FILES),
        .background_errors = get(s, STORE_ERRORS),
        .table_readers_bytes = get(s, STORE_READERS_BYTES),
        .write_stopped = get(s, STORE_WRITE_STOPPED) != 0,
    };
}

bool
store_is_stalled(struct store *s)
{
    if (unlikely(atomic_load_explicit(&s->keeps_tables, memory_order_relaxed)))
        return get(s, STORE_L0_FILES) >= s->kept_tables;
    if (unlikely(get(s, STORE_ERRORS) != 0)) /* no compaction will make room: the next commit heals it */
        return false;
    return get(s, STORE_WRITE_STOPPED) != 0 || get(s, STORE_L0_FILES) >= STORE_L0_STALLED_FILES ||
           get(s, STORE_PENDING_BYTES) >= STORE_PENDING_BYTES_STALLED;
}

void
store_compact_all(struct store *s)
{
    enum { BOTTOM_LEVEL_FORCE = 2 }; /* also tables in their place: the filter sees every row */
    rocksdb_compactoptions_t *opt = rocksdb_compactoptions_create();

    rocksdb_compactoptions_set_bottommost_level_compaction(opt, BOTTOM_LEVEL_FORCE);
    store_enter(s, true);
    if (s->db)
        rocksdb_compact_range_opt(s->db, opt, NULL, 0, NULL, 0);
    store_leave(s);
    rocksdb_compactoptions_destroy(opt);
    store_monitor_refresh(s);
}
