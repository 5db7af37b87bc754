/* The configuration, one row a setting. Everything else derives from here: the fields of struct
 * config, the YAML reader, the command line, CONFIG GET / SET / REWRITE, --help, the sample file
 * and docs/CONFIG.md.
 *
 * ROW(name, field, type, default, min, max, unit, when, group, sentence)
 *
 * - A name is Redis's own where Redis has the thing.
 * - The default is text and goes through the same parser as a user's value.
 * - min and max bound the number of INT, REAL, POWER2, BYTES (in bytes) and DURATION (in the row's
 *   unit) rows, and the length in bytes of TEXT rows; the other types leave them 0.
 * - The unit of a DURATION row is us, ms or s and is what the field holds; INT rows may name one
 *   for the reader; an ENUM row puts its VALUES here.
 * - when: RESTART = read at the start, LIVE = CONFIG SET takes it too, FIXED = the one value we
 *   have, listed because Redis clients ask for it. */
#ifndef CORE_CONFIG_TABLE_H
#define CORE_CONFIG_TABLE_H

/* clang-format off */

/* The words of the ENUM rows: V(constant, "word"). A field holds the constant. */
#define CONFIG_VALUES_APPENDFSYNC(V)                                                               \
    V(CONFIG_FSYNC_ALWAYS, "always") V(CONFIG_FSYNC_EVERYSEC, "everysec") V(CONFIG_FSYNC_NO, "no")
#define CONFIG_VALUES_LOGLEVEL(V)                                                                  \
    V(CONFIG_LOG_DEBUG, "debug") V(CONFIG_LOG_VERBOSE, "verbose")                                  \
    V(CONFIG_LOG_NOTICE, "notice") V(CONFIG_LOG_WARNING, "warning")
#define CONFIG_VALUES_DUPLICATE(V)                                                                 \
    V(CONFIG_DUPLICATE_LAST, "LAST") V(CONFIG_DUPLICATE_FIRST, "FIRST")                            \
    V(CONFIG_DUPLICATE_MIN, "MIN") V(CONFIG_DUPLICATE_MAX, "MAX") V(CONFIG_DUPLICATE_SUM, "SUM")   \
    V(CONFIG_DUPLICATE_BLOCK, "BLOCK") V(CONFIG_DUPLICATE_KEEP, "KEEP")
/* In the order of CONFIG_VALUES_DUPLICATE. */
#define CONFIG_VALUES_TS_DUPLICATE(V)                                                              \
    V(CONFIG_TS_DUPLICATE_LAST, "last") V(CONFIG_TS_DUPLICATE_FIRST, "first")                      \
    V(CONFIG_TS_DUPLICATE_MIN, "min") V(CONFIG_TS_DUPLICATE_MAX, "max")                            \
    V(CONFIG_TS_DUPLICATE_SUM, "sum") V(CONFIG_TS_DUPLICATE_BLOCK, "block")                        \
    V(CONFIG_TS_DUPLICATE_KEEP, "keep")
#define CONFIG_VALUES_TS_ENCODING(V)                                                               \
    V(CONFIG_TS_COMPRESSED, "compressed") V(CONFIG_TS_UNCOMPRESSED, "uncompressed")
#define CONFIG_VALUES_TS_COMPAT(V)                                                                 \
    V(CONFIG_TS_STRICT, "strict") V(CONFIG_TS_EXTENDED, "extended")
#define CONFIG_VALUES_TIME_UNIT(V)                                                                 \
    V(CONFIG_TIME_S, "s") V(CONFIG_TIME_MS, "ms") V(CONFIG_TIME_US, "us") V(CONFIG_TIME_NS, "ns")
#define CONFIG_VALUES_COMPRESSION(V)                                                               \
    V(CONFIG_COMPRESSION_NONE, "none") V(CONFIG_COMPRESSION_LZ4, "lz4")                            \
    V(CONFIG_COMPRESSION_ZSTD, "zstd")
#define CONFIG_VALUES_DEBUG_COMMAND(V)                                                             \
    V(CONFIG_DEBUG_NO, "no") V(CONFIG_DEBUG_YES, "yes") V(CONFIG_DEBUG_LOCAL, "local")

/* All of them, for the constants. */
#define CONFIG_VALUES_ALL(V)                                                                       \
    V(CONFIG_VALUES_APPENDFSYNC) V(CONFIG_VALUES_LOGLEVEL) V(CONFIG_VALUES_DUPLICATE)              \
    V(CONFIG_VALUES_TIME_UNIT) V(CONFIG_VALUES_COMPRESSION) V(CONFIG_VALUES_DEBUG_COMMAND)         \
    V(CONFIG_VALUES_TS_DUPLICATE) V(CONFIG_VALUES_TS_ENCODING) V(CONFIG_VALUES_TS_COMPAT)

#define CONFIG_GROUPS(G)                                                                           \
    G(NETWORK, "Network") G(CLIENTS, "Clients and access") G(PROCESS, "Process")                   \
    G(DURABILITY, "Durability") G(MEMORY, "Memory") G(SERIES, "Time series")                       \
    G(STORE, "Store") G(COMPAT, "Fixed, for Redis clients that ask")

#define CONFIG_TABLE(ROW)                                                                          \
    ROW("port", port, INT, "6379", 1, 65535, "", RESTART, NETWORK,                                 \
        "TCP port that accepts clients.")                                                          \
    ROW("bind", bind, ADDRESSES, "127.0.0.1", 0, 1023, "", RESTART, NETWORK,                       \
        "Addresses to listen on, separated by spaces or commas; * is all of IPv4, ::* all of "     \
        "IPv6, and a - before an address says that it may be missing.")                            \
    ROW("core-ports", core_ports, BOOL, "no", 0, 0, "", RESTART, NETWORK,                          \
        "Also listen on a port per core (port + 1, port + 2, ...), so that cluster-aware clients " \
        "reach the core that owns a key without a hop.")                                           \
    ROW("protected-mode", protected_mode, BOOL, "yes", 0, 0, "", RESTART, NETWORK,                 \
        "Refuse to start on an address that other hosts can reach while no password is set.")      \
    ROW("tcp-backlog", tcp_backlog, INT, "511", 1, 65535, "connections", RESTART, NETWORK,         \
        "Length of the queue of connections that wait to be accepted; the kernel's somaxconn "     \
        "limits it too.")                                                                          \
    ROW("tcp-keepalive", tcp_keepalive_s, DURATION, "300", 0, 86400, "s", RESTART, NETWORK,        \
        "Probe a silent connection after this time, so that dead peers are noticed; 0 = never.")   \
                                                                                                   \
    ROW("requirepass", requirepass, TEXT, "", 0, 512, "", LIVE, CLIENTS,                           \
        "Password clients must give with AUTH; empty = none is asked for.")                        \
    ROW("maxclients", maxclients, INT, "10000", 1, 1000000, "clients", RESTART, CLIENTS,           \
        "Connections open at one time over all cores; one more gets an error and is closed. Fewer "\
        "where the limit of open files (ulimit -n) does not leave as many.")                       \
    ROW("blocked-clients-max", blocked_clients_max, INT, "10000", 0, 1000000, "clients a core", LIVE, \
        CLIENTS, "Clients of a core that may wait at one time for points to come (TS.READ with "   \
        "BLOCK); one more gets an error.")                                                         \
    ROW("timeout", timeout_s, DURATION, "0", 0, 2147483647, "s", LIVE, CLIENTS,                    \
        "Close a connection that was idle for this time; 0 = never.")                              \
    ROW("databases", databases, INT, "16", 1, 16, "databases", RESTART, CLIENTS,                   \
        "Number of databases that SELECT can choose from.")                                        \
    ROW("proto-max-bulk-len", proto_max_bulk_len, BYTES, "512mb", 1048576, 1073741824, "",         \
        RESTART, CLIENTS, "Longest single argument of a command.")                                 \
    ROW("client-query-buffer-limit", client_query_buffer_limit, BYTES, "1gb", 1048576,             \
        68719476736, "", RESTART, CLIENTS,                                                         \
        "Most bytes of an incomplete command held for one client, beyond which the connection "    \
        "is closed, and of commands queued by MULTI, beyond which they are refused.")              \
    ROW("client-output-buffer-soft", client_output_buffer_soft, BYTES, "1mb", 4096, 1073741824,    \
        "", RESTART, CLIENTS,                                                                      \
        "Stop reading from a client while more than this many bytes of replies wait for it to "    \
        "read them.")                                                                              \
    ROW("enable-debug-command", enable_debug_command, ENUM, "no", 0, 0,                            \
        VALUES(DEBUG_COMMAND), RESTART, CLIENTS,                                                   \
        "Who may run DEBUG: nobody, everybody, or only clients on this host.")                     \
                                                                                                   \
    ROW("dir", dir, TEXT, "./data", 1, 1023, "", RESTART, PROCESS,                                 \
        "Data directory; made when missing, used by one process at a time.")                       \
    ROW("cpus", cpus, CPULIST, "", 0, 0, "", RESTART, PROCESS,                                     \
        "CPUs that run a core each, such as 0-3,8; empty = every CPU the process may run on. "     \
        "Another number of cores than before moves the data at the start.")                        \
    ROW("background-cpus", background_cpus, CPULIST, "", 0, 0, "", RESTART, PROCESS,               \
        "CPUs of helper threads, io_uring workers and RocksDB; empty = those allowed and not in "  \
        "cpus, or all allowed ones when none is left.")                                            \
    ROW("logfile", logfile, TEXT, "", 0, 1023, "", RESTART, PROCESS,                               \
        "File the log is appended to; empty = standard error.")                                    \
    ROW("loglevel", loglevel, ENUM, "notice", 0, 0, VALUES(LOGLEVEL), LIVE, PROCESS,               \
        "Least important kind of line that is still logged.")                                      \
    ROW("hz", hz, INT, "10", 1, 500, "per second", LIVE, PROCESS,                                  \
        "How often a core does its periodic work: expiry, timeouts, limits.")                      \
    ROW("busy-poll-us", busy_poll_us, DURATION, "50", 0, 1000000, "us", LIVE, PROCESS,             \
        "How long at most a core that ran out of work polls before it sleeps, while work mostly "  \
        "comes in that time; 0 = never, which takes less CPU time.")                               \
    ROW("io-uring-entries", io_uring_entries, POWER2, "1024", 64, 32768, "entries", RESTART,       \
        PROCESS, "Length of each core's io_uring submission queue.")                               \
    ROW("io-recv-buffers", io_recv_buffers, POWER2, "1024", 16, 32768, "buffers", RESTART,         \
        PROCESS, "Receive buffers each core shares among its connections.")                        \
    ROW("io-recv-buffer-bytes", io_recv_buffer_bytes, BYTES, "16kb", 1024, 1048576, "", RESTART,   \
        PROCESS, "Size of one receive buffer.")                                                    \
                                                                                                   \
    ROW("appendfsync", appendfsync, ENUM, "always", 0, 0, VALUES(APPENDFSYNC), LIVE, DURABILITY,   \
        "When a write is answered: always = when it is on disk; everysec = at once, on disk "      \
        "within a second; no = at once, on disk when the system likes.")                           \
    ROW("journal-segment-bytes", journal_segment_bytes, BYTES, "64mb", 1048576, 1073741824, "",    \
        RESTART, DURABILITY, "Size of one preallocated journal file.")                             \
    ROW("journal-batch-bytes", journal_batch_bytes, BYTES, "4mb", 65536, 67108864, "", RESTART,    \
        DURABILITY,                                                                                \
        "Bytes of records at which one journal write is full; commands that write then wait "      \
        "for the next one.")                                                                       \
    ROW("journal-spare-segments", journal_spare_segments, INT, "1", 1, 64, "segments", RESTART,    \
        DURABILITY, "Journal files kept ready for the next change of segment.")                    \
    ROW("checkpoint-journal-bytes", checkpoint_journal_bytes, BYTES, "1gb", 1048576,               \
        1099511627776, "", LIVE, DURABILITY,                                                       \
        "Start a checkpoint when a core's journal holds this much; it bounds the time a start "    \
        "takes after a crash.")                                                                    \
    ROW("checkpoint-dirty-bytes", checkpoint_dirty_bytes, BYTES, "256mb", 65536, 1099511627776,    \
        "", LIVE, DURABILITY,                                                                      \
        "Start a checkpoint when a core holds this much that the store does not have yet.")        \
                                                                                                   \
    ROW("maxmemory", maxmemory, BYTES, "0", 0, 281474976710656, "", LIVE, MEMORY,                  \
        "Most bytes of data held in memory over all cores, an equal share on each; what is "       \
        "beyond it is read from disk; 0 = no limit.")                                              \
    ROW("active-expire-effort", active_expire_effort, INT, "1", 1, 10, "", LIVE, MEMORY,           \
        "Half milliseconds that each periodic search for expired keys may take, in memory and, by " \
        "a helper thread, in the store.")                                                          \
    ROW("store-block-cache-bytes", store_block_cache_bytes, BYTES, "128mb", 1048576,               \
        1099511627776, "", RESTART, MEMORY,                                                        \
        "Memory of the cache of store blocks that all cores share.")                               \
                                                                                                   \
    ROW("duplicate-policy", duplicate_policy, ENUM, "LAST", 0, 0, VALUES(DUPLICATE), LIVE, SERIES, \
        "What becomes of a point whose timestamp is there already: one of them wins, they are "    \
        "added up, the new one is refused (BLOCK), or both are kept in order of arrival (KEEP). "  \
        "A series with a policy of its own (TS.CREATE, TS.ALTER) follows that one.")               \
    ROW("timestamp-unit", timestamp_unit, ENUM, "ms", 0, 0, VALUES(TIME_UNIT), RESTART, SERIES,    \
        "Unit of the timestamps of time series, and so what * (now) and block-seconds mean.")      \
    ROW("batch-size", batch_size, INT, "1000", 1, 1000000, "points", LIVE, SERIES,                 \
        "Points at which BATCH_SET writes the batch of its connection by itself.")                 \
    ROW("series-fields", series_fields, FIELDS,                                                    \
        "open=00 high=01 low=02 close=03 volume=04 amount=05 trades=06 price=00 size=01", 0, 0,    \
        "", LIVE, SERIES,                                                                          \
        "What TSDB_ROW, TSDB_ROWS and TSDB_CANDLE call the data types of a key; of several names " \
        "for one the first stands in replies, and candles are made of price and size.")            \
    ROW("block-seconds", block_seconds, DURATION, "30", 1, 86400, "s", RESTART, SERIES,            \
        "Points before the newest block-points ones of a series are closed as a block when "       \
        "they are as many and span this time.")                                                    \
    ROW("block-points", block_points, INT, "1024", 64, 8192, "points", RESTART, SERIES,            \
        "Newest points of a series that stay in its open block, and fewest that are closed "       \
        "together.")                                                                               \
    ROW("block-points-max", block_points_max, INT, "8192", 64, 8192, "points", RESTART, SERIES,    \
        "Points that are closed as a block whatever time they span; those of one timestamp are "   \
        "never divided.")                                                                          \
                                                                                                   \
    ROW("ts-retention-policy", ts_retention_policy, INT, "0", 0, 9223372036854775807, "",          \
        LIVE, SERIES,                                                                              \
        "Retention of series that TS.* commands create without RETENTION, in the unit of "         \
        "timestamp-unit: points older than the newest one by more are not shown; 0 = all are.")        \
    ROW("ts-duplicate-policy", ts_duplicate_policy, ENUM, "block", 0, 0, VALUES(TS_DUPLICATE),     \
        LIVE, SERIES, "What TS.* commands do with a timestamp that is there already in a series "  \
        "without a policy of its own; for TSDB_* and BATCH_* commands that is duplicate-policy.")  \
    ROW("ts-chunk-size-bytes", ts_chunk_size_bytes, INT, "4096", 48, 1048576, "bytes", LIVE,       \
        SERIES, "What TS.INFO says of series created without CHUNK_SIZE, a multiple of 8; blocks " \
        "are made as block-points and block-seconds say.")                                         \
    ROW("ts-encoding", ts_encoding, ENUM, "compressed", 0, 0, VALUES(TS_ENCODING), LIVE, SERIES,   \
        "What TS.INFO says of series created without ENCODING; blocks always choose the smallest " \
        "encoding.")                                                                               \
    ROW("ts-ignore-max-time-diff", ts_ignore_max_time_diff, INT, "0", 0, 9223372036854775807, "",  \
        LIVE, SERIES, "Series that TS.* commands create without IGNORE drop a point this close "   \
        "to the newest in time, and as close in value as the next setting says, under LAST.")      \
    ROW("ts-ignore-max-val-diff", ts_ignore_max_val_diff, REAL, "0", 0, 9223372036854775807, "",   \
        LIVE, SERIES, "See ts-ignore-max-time-diff: the difference in value.")                     \
    ROW("ts-compaction-policy", ts_compaction_policy, COMPACTIONS, "", 0, 0, "", LIVE, SERIES,     \
        "Rules of series that TS.ADD, TS.INCRBY, TS.DECRBY and TS.MADD with CREATE make, each to " \
        "a series of its own: max:1M:1h keeps the largest value of every minute for an hour. "     \
        "Units are m (milliseconds), s, M (minutes), h and d; a retention of 0m keeps all.")                   \
    ROW("ts-compat", ts_compat, ENUM, "extended", 0, 0, VALUES(TS_COMPAT), LIVE, SERIES,           \
        "strict: TS.* commands refuse all that RedisTimeSeries refuses; extended: they also take " \
        "what docs/TIMESERIES.md names as extensions.")                                            \
                                                                                                   \
    ROW("store-compression", store_compression, ENUM, "lz4", 0, 0, VALUES(COMPRESSION), RESTART,   \
        STORE, "Compression of the store's files.")                                                \
    ROW("store-compaction-rate-bytes", store_compaction_rate_bytes, BYTES, "0", 0, 1099511627776,  \
        "per second", RESTART, STORE,                                                              \
        "Most bytes a second that compaction may write; 0 = no limit.")                            \
                                                                                                   \
    ROW("save", save, TEXT, "", 0, 0, "", FIXED, COMPAT,                                           \
        "There are no snapshots on a schedule: the journal and the store hold everything.")        \
    ROW("appendonly", appendonly, BOOL, "yes", 0, 0, "", FIXED, COMPAT,                            \
        "The journal is always on.")

/* Pairs in which the first setting must not be larger than the second: P(small, large). */
#define CONFIG_ORDERED(P)                                                                          \
    P(block_points, block_points_max)                                                              \
    P(journal_batch_bytes, journal_segment_bytes)                                                  \
    P(proto_max_bulk_len, client_query_buffer_limit)

/* clang-format on */

#endif
