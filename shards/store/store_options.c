/* How the database is set up, and the compaction filter.
 *
 * Reads decide most of it. A cached read must not fail for want of an index or filter block, so
 * these are not in the block cache, which evicts: every table stays open (max_open_files -1) and
 * holds its index and its bloom filter (10 bits a row, under 1 % false "maybe") for as long as it
 * lives. What they take is in store_stats.table_readers_bytes.
 *
 * Work that a reading thread would inherit by accident goes to the background: whoever drops the
 * last reference to an old version of the database would delete its files, and on a loop that is a
 * blocked core (avoid_unnecessary_blocking_io).
 *
 * RocksDB's own log file gets its header when the database is opened and nothing after: once a
 * write to it has failed, on a full disk, the next line would end the process by an assertion. What
 * it would say is in store_stats and in the errors of commits.
 *
 * The memtable and the WAL exist but stay empty, hence their tiny sizes. */
#include "shards/store/store_priv.h"

#include <stdlib.h>

#define BLOCK_BYTES (16 * KIB)
#define BLOOM_BITS 10
#define FORMAT_VERSION 5
#define TARGET_FILE_BYTES (64 * MIB)
#define LEVEL_BASE_BYTES (256 * MIB)
#define MEMTABLE_BYTES (64 * KIB)
#define MANIFEST_BYTES (16 * MIB)
#define MANIFEST_STEP_BYTES (256 * KIB) /* allocated at a time; a commit notes 100-200 bytes */
#define INFO_LOG_HEADER 5
#define INFO_LOG_BYTES (1 * MIB)
#define INFO_LOG_FILES 2
#define SYNC_EVERY_BYTES (1 * MIB) /* compaction output trickles to the disk */

/* Compaction filter. RocksDB makes one per compaction, each used by one thread: the replacement
 * value lives in it, because the C interface copies it after the callback has returned. */
struct filter_kind {
    int (*filter)(void *arg, struct slice key, struct slice value, char *ret_value, size_t *ret_n);
    void *arg;
};

struct filter_state {
    const struct filter_kind *kind;
    char value[STORE_FILTER_VALUE_BYTES_MAX];
};

static const char *
filter_name(void *state)
{
    return "pinstripe.rows";
}

static unsigned char
filter_row(void *state, int level, const char *key, size_t key_n, const char *value, size_t value_n,
           char **new_value, size_t *new_value_n, unsigned char *value_changed)
{
    struct filter_state *f = state;
    size_t n = 0;

    if (f->kind->filter(f->kind->arg, (struct slice){key, key_n}, (struct slice){value, value_n},
                        f->value, &n)) {
        ASSERT(n <= sizeof(f->value));
        *new_value = f->value;
        *new_value_n = n;
        *value_changed = 1;
    }
    return 0; /* the row stays */
}

static rocksdb_compactionfilter_t *
filter_create(void *kind, rocksdb_compactionfiltercontext_t *context)
{
    struct filter_state *f = calloc(1, sizeof(*f));

    ASSERT(f);
    f->kind = kind;
    return rocksdb_compactionfilter_create(f, free, filter_row, filter_name);
}

static void
set_filter(rocksdb_options_t *o, const struct store_options *opt)
{
    struct filter_kind *kind;

    if (!opt->filter)
        return;
    kind = malloc(sizeof(*kind));
    ASSERT(kind);
    *kind = (struct filter_kind){opt->filter, opt->filter_arg};
    rocksdb_options_set_compaction_filter_factory(
        o, rocksdb_compactionfilterfactory_create(kind, free, filter_create, filter_name));
}

static void
set_tables(rocksdb_options_t *o, struct store_env *env)
{
    rocksdb_block_based_table_options_t *t = rocksdb_block_based_options_create();

    rocksdb_block_based_options_set_block_size(t, BLOCK_BYTES);
    rocksdb_block_based_options_set_format_version(t, FORMAT_VERSION);
    rocksdb_block_based_options_set_block_cache(t, env->cache);
    rocksdb_block_based_options_set_cache_index_and_filter_blocks(t, 0);
    rocksdb_block_based_options_set_filter_policy(
        t, rocksdb_filterpolicy_create_bloom_full(BLOOM_BITS));
    rocksdb_block_based_options_set_whole_key_filtering(t, 1);
    rocksdb_options_set_block_based_table_factory(o, t);
    rocksdb_block_based_options_destroy(t);
    rocksdb_options_set_max_open_files(o, -1);
}

static void
set_levels(rocksdb_options_t *o)
{
    rocksdb_options_set_compaction_style(o, rocksdb_level_compaction);
    rocksdb_options_set_level_compaction_dynamic_level_bytes(o, 1);
    rocksdb_options_set_level0_file_num_compaction_trigger(o, STORE_L0_COMPACT_FILES);
    rocksdb_options_set_level0_slowdown_writes_trigger(o, STORE_L0_SLOW_FILES);
    rocksdb_options_set_level0_stop_writes_trigger(o, STORE_L0_STOP_FILES);
    rocksdb_options_set_target_file_size_base(o, TARGET_FILE_BYTES);
    rocksdb_options_set_max_bytes_for_level_base(o, LEVEL_BASE_BYTES);
}

/* Jobs per database: exactly as many as the shared pools have threads (see store_env.c). */
static void
set_background(rocksdb_options_t *o, struct store_env *env)
{
    rocksdb_options_set_env(o, env->env);
    rocksdb_options_set_max_background_compactions(o, (int)env->background_threads);
    rocksdb_options_set_max_background_flushes(o, 1);
    if (env->limiter)
        rocksdb_options_set_ratelimiter(o, env->limiter);
    rocksdb_options_set_bytes_per_sync(o, SYNC_EVERY_BYTES);
    rocksdb_options_set_avoid_unnecessary_blocking_io(o, 1);
}

static void
set_housekeeping(rocksdb_options_t *o)
{
    rocksdb_options_set_create_if_missing(o, 1);
    rocksdb_options_set_paranoid_checks(o, 1);
    rocksdb_options_set_write_buffer_size(o, MEMTABLE_BYTES);
    rocksdb_options_set_max_manifest_file_size(o, MANIFEST_BYTES);
    rocksdb_options_set_manifest_preallocation_size(o, MANIFEST_STEP_BYTES);
    rocksdb_options_set_info_log_level(o, INFO_LOG_HEADER);
    rocksdb_options_set_max_log_file_size(o, INFO_LOG_BYTES);
    rocksdb_options_set_keep_log_file_num(o, INFO_LOG_FILES);
    rocksdb_options_set_stats_dump_period_sec(o, 0);
    rocksdb_options_set_stats_persist_period_sec(o, 0);
}

static int
compression_fast(enum store_compression c)
{
    return c == STORE_COMPRESSION_NONE ? rocksdb_no_compression : rocksdb_lz4_compression;
}

/* Tables on their way in are written by the helper that commits and soon compacted again: they get
 * the fast codec. Zstandard, when configured, is for the bottom level only. */
static void
build_options(struct store *s, struct store_env *env, const struct store_options *opt)
{
    s->options = rocksdb_options_create();
    set_tables(s->options, env);
    set_levels(s->options);
    set_background(s->options, env);
    set_housekeeping(s->options);
    set_filter(s->options, opt);
    rocksdb_options_set_compression(s->options, compression_fast(opt->compression));
    s->sst_options = rocksdb_options_create_copy(s->options);
    if (opt->compression == STORE_COMPRESSION_ZSTD)
        rocksdb_options_set_bottommost_compression(s->options, rocksdb_zstd_compression);
    s->sst_env = rocksdb_envoptions_create();
}

void
store_options_build(struct store *s, struct store_env *env, const struct store_options *opt)
{
    build_options(s, env, opt);
    s->ingest = rocksdb_ingestexternalfileoptions_create();
    rocksdb_ingestexternalfileoptions_set_move_files(s->ingest, 1);
    rocksdb_ingestexternalfileoptions_set_snapshot_consistency(s->ingest, 1);
    rocksdb_ingestexternalfileoptions_set_allow_global_seqno(s->ingest, 1);
    /* There is never anything in the memtable to flush; if there were, fail rather than wait. */
    rocksdb_ingestexternalfileoptions_set_allow_blocking_flush(s->ingest, 0);
    s->read_blocking = rocksdb_readoptions_create();
    s->read_cached = rocksdb_readoptions_create();
    rocksdb_readoptions_set_read_tier(s->read_cached, STORE_READ_TIER_CACHE);
}

void
store_options_free(struct store *s)
{
    rocksdb_readoptions_destroy(s->read_cached);
    rocksdb_readoptions_destroy(s->read_blocking);
    rocksdb_ingestexternalfileoptions_destroy(s->ingest);
    rocksdb_envoptions_destroy(s->sst_env);
    rocksdb_options_destroy(s->sst_options);
    rocksdb_options_destroy(s->options);
}
