/* Range tombstones, and what iterators are told of them.
 *
 * An iterator of RocksDB 7.8 that heeds range tombstones stops at the end of each table of a level, so as to know
 * which tombstones still count. When it goes on from there and the first block of the next table cannot be had,
 * because it is not in the cache or because it is damaged, it forgets that error: the level ends there for it, and
 * what else the level has is left out without a word (https://github.com/facebook/rocksdb/pull/11782 mends it).
 * Tables of one level stand side by side wherever checkpoints bring rows in order: any cold read can meet that.
 *
 * Hence iterators are told to pass over range tombstones, which avoids it. A store has none, but for a time after
 * rows were deleted that cannot be read (store_batch.c, store_drop.c). While there are any an iterator has to heed
 * them, and reads what is not in the cache itself: a loop may wait for the disk then, until compactions have taken
 * them away. What cannot be mended so is a damaged first block of a table in that time. Nor are compactions sent
 * after them: these would meet what cannot be read, and be the last (store_health.c). */
#include "shards/store/store_priv.h"

#include <stdlib.h>

#define RANGES_WORD "# range deletions="

/* True when it does not say. */
static bool
are_in_tables(struct store *s)
{
    char *text = rocksdb_property_value(s->db, "rocksdb.aggregated-table-properties");
    const char *number = text ? strstr(text, RANGES_WORD) : NULL;
    bool any = number == NULL || strtoull(number + strlen(RANGES_WORD), NULL, 10) > 0;

    rocksdb_free(text);
    return any;
}

void
store_ranges_come(struct store *s)
{
    atomic_store_explicit(&s->has_ranges, true, memory_order_seq_cst);
}

void
store_ranges_look(struct store *s)
{
    atomic_store_explicit(&s->has_ranges, are_in_tables(s), memory_order_seq_cst);
}

bool
store_has_ranges(struct store *s)
{
    return atomic_load_explicit(&s->has_ranges, memory_order_seq_cst);
}
