/* The command table: one row a command, the only list of them. Dispatch, arity, routing, COMMAND,
 * COMMAND DOCS and docs/COMMANDS.md come from it.
 *
 * C(name, handler, arity, route, flags, first key, last key, key step, ACL categories, group, since,
 *   complexity, syntax, summary)
 * Names are lower case; a container's subcommands stand in their own table, as "config|get". */
#ifndef SHARDS_COMMANDS_HANDLERS_H
#define SHARDS_COMMANDS_HANDLERS_H

#include "shards/engine/command.h"

/* clang-format off */
/* In the rows W = CMD_WRITE, R = CMD_READONLY, F = CMD_FAST, M = CMD_DENYOOM (table.c). */

#define COMMAND_TABLE(C) \
C("ping", cmd_ping, -1, SESSION, F, 0,0,0, "@fast @connection", "connection", "1.0.0", "O(1)", "[message]", "Answers PONG, or the message.") \
C("echo", cmd_echo, 2, SESSION, F, 0,0,0, "@fast @connection", "connection", "1.0.0", "O(1)", "message", "Answers the message.") \
C("quit", cmd_quit, -1, SESSION, F|CMD_NO_AUTH|CMD_ALONE|CMD_MULTI_CONTROL, 0,0,0, "@fast @connection", "connection", "1.0.0", "O(1)", "", "Closes the connection.") \
C("reset", cmd_reset, 1, SESSION, F|CMD_NO_AUTH|CMD_ALONE|CMD_MULTI_CONTROL, 0,0,0, "@fast @connection", "connection", "6.2.0", "O(1)", "", "Puts the connection back into its first state.") \
C("select", cmd_select, 2, SESSION, F, 0,0,0, "@fast @connection", "connection", "1.0.0", "O(1)", "index", "Chooses the database of this connection.") \
C("hello", cmd_hello, -1, SESSION, F|CMD_NO_AUTH|CMD_ALONE|CMD_NO_MULTI, 0,0,0, "@fast @connection", "connection", "6.0.0", "O(1)", "[protover [AUTH username password] [SETNAME clientname]]", "Chooses the protocol version and says who the server is.") \
C("auth", cmd_auth, -2, SESSION, F|CMD_NO_AUTH|CMD_ALONE|CMD_NO_MULTI, 0,0,0, "@fast @connection", "connection", "1.0.0", "O(1)", "[username] password", "Authenticates the connection.") \
C("client", NULL, -2, SESSION, 0, 0,0,0, "@slow", "connection", "2.4.0", "Depends on subcommand.", "", "Commands about client connections.") \
C("command", cmd_command, -1, SESSION, 0, 0,0,0, "@slow @connection", "server", "2.8.13", "O(N) with N the number of commands", "", "Describes every command.") \
C("config", NULL, -2, SESSION, 0, 0,0,0, "@slow", "server", "2.0.0", "Depends on subcommand.", "", "Reads and changes the configuration.") \
C("time", cmd_time, 1, SESSION, F, 0,0,0, "@fast", "server", "2.6.0", "O(1)", "", "The server's time: seconds and microseconds.") \
C("info", cmd_info, -1, SESSION, 0, 0,0,0, "@slow @dangerous", "server", "1.0.0", "O(1)", "[section ...]", "Facts and figures of the server.") \
C("dbsize", cmd_dbsize, 1, ALL, R|F|CMD_COUNT_KEYS, 0,0,0, "@keyspace @read @fast", "server", "1.0.0", "O(cores)", "", "Number of keys in the database.") \
C("flushdb", cmd_flushdb, -1, ALL, W, 0,0,0, "@keyspace @write @slow @dangerous", "server", "1.0.0", "O(1) for the client; memory is freed in the background", "[ASYNC|SYNC]", "Removes every key of the database.") \
C("flushall", cmd_flushall, -1, ALL, W, 0,0,0, "@keyspace @write @slow @dangerous", "server", "1.0.0", "O(1) for the client; memory is freed in the background", "[ASYNC|SYNC]", "Removes every key of every database.") \
C("debug", cmd_debug, -2, SESSION, CMD_ADMIN|CMD_ALONE|CMD_NO_MULTI, 0,0,0, "@admin @slow @dangerous", "server", "1.0.0", "Depends on subcommand.", "SLEEP seconds|OBJECT key|FAULT eio|enospc|short|delay|store times [bytes|milliseconds]|LIMIT name value|HELP", "For tests, where enable-debug-command allows it: pauses this client, shows an entry, makes the next journal writes of this core fail, its store slow, or a limit of it smaller.") \
C("debug_object", cmd_debug_object, 2, KEYS, R|CMD_HIDDEN, 1,1,1, "@admin @slow @dangerous", "server", "0.1.0", "O(1)", "key", "Internal: what DEBUG OBJECT shows.") \
C("shutdown", cmd_shutdown, -1, SESSION, CMD_ADMIN|CMD_ALONE|CMD_NO_MULTI, 0,0,0, "@admin @slow @dangerous", "server", "1.0.0", "O(N) with N the keys not yet in the store", "[NOSAVE|SAVE] [NOW] [FORCE] [ABORT]", "Stops the server in good order.") \
C("save", cmd_save, 1, SESSION, CMD_ADMIN|CMD_ALONE|CMD_BLOCKING|CMD_NO_MULTI, 0,0,0, "@admin @slow @dangerous", "server", "1.0.0", "O(N) with N the keys not yet in the store", "", "Makes a checkpoint and answers when it is on disk.") \
C("bgsave", cmd_bgsave, -1, SESSION, CMD_ADMIN|CMD_ALONE, 0,0,0, "@admin @slow @dangerous", "server", "1.0.0", "O(1)", "[SCHEDULE]", "Starts a checkpoint.") \
C("lastsave", cmd_lastsave, 1, SESSION, F, 0,0,0, "@admin @fast @dangerous", "server", "1.0.0", "O(1)", "", "Time of the last completed checkpoint.") \
C("waitaof", cmd_waitaof, 4, SESSION, CMD_ALONE|CMD_BLOCKING, 0,0,0, "@slow @blocking @connection", "generic", "7.2.0", "O(1)", "numlocal numreplicas timeout", "Waits until everything written so far, on every core, is on disk.") \
C("get", cmd_get, 2, KEYS, R|F, 1,1,1, "@read @string @fast", "string", "1.0.0", "O(1)", "key", "The value of a key.") \
C("set", cmd_set, -3, KEYS, W|M|CMD_BLIND, 1,1,1, "@write @string @slow", "string", "1.0.0", "O(1)", "key value [NX|XX] [GET] [EX seconds|PX milliseconds|EXAT unix-time-seconds|PXAT unix-time-milliseconds|KEEPTTL]", "Sets the value of a key.") \
C("setnx", cmd_setnx, 3, KEYS, W|M|F, 1,1,1, "@write @string @fast", "string", "1.0.0", "O(1)", "key value", "Sets the value of a key that does not exist.") \
C("setex", cmd_setex, 4, KEYS, W|M, 1,1,1, "@write @string @slow", "string", "2.0.0", "O(1)", "key seconds value", "Sets value and expiry of a key.") \
C("psetex", cmd_psetex, 4, KEYS, W|M, 1,1,1, "@write @string @slow", "string", "2.6.0", "O(1)", "key milliseconds value", "Sets value and expiry in milliseconds of a key.") \
C("getset", cmd_getset, 3, KEYS, W|M|F, 1,1,1, "@write @string @fast", "string", "1.0.0", "O(1)", "key value", "Sets a key and returns its old value.") \
C("getdel", cmd_getdel, 2, KEYS, W|F, 1,1,1, "@write @string @fast", "string", "6.2.0", "O(1)", "key", "Returns the value of a key and deletes it.") \
C("getex", cmd_getex, -2, KEYS, W|F, 1,1,1, "@write @string @fast", "string", "6.2.0", "O(1)", "key [EX seconds|PX milliseconds|EXAT unix-time-seconds|PXAT unix-time-milliseconds|PERSIST]", "Returns the value of a key and sets its expiry.") \
C("append", cmd_append, 3, KEYS, W|M|F, 1,1,1, "@write @string @fast", "string", "2.0.0", "O(1)", "key value", "Appends to the value of a key.") \
C("strlen", cmd_strlen, 2, KEYS, R|F, 1,1,1, "@read @string @fast", "string", "2.2.0", "O(1)", "key", "Length of the value of a key.") \
C("setrange", cmd_setrange, 4, KEYS, W|M, 1,1,1, "@write @string @slow", "string", "2.2.0", "O(N) with N the bytes written", "key offset value", "Overwrites part of a string.") \
C("getrange", cmd_getrange, 4, KEYS, R, 1,1,1, "@read @string @slow", "string", "2.4.0", "O(N) with N the bytes returned", "key start end", "Part of a string.") \
C("substr", cmd_getrange, 4, KEYS, R, 1,1,1, "@read @string @slow", "string", "1.0.0", "O(N) with N the bytes returned", "key start end", "Part of a string (the old name of GETRANGE).") \
C("incr", cmd_incr, 2, KEYS, W|M|F, 1,1,1, "@write @string @fast", "string", "1.0.0", "O(1)", "key", "Adds one to the integer value of a key.") \
C("decr", cmd_decr, 2, KEYS, W|M|F, 1,1,1, "@write @string @fast", "string", "1.0.0", "O(1)", "key", "Subtracts one from the integer value of a key.") \
C("incrby", cmd_incrby, 3, KEYS, W|M|F, 1,1,1, "@write @string @fast", "string", "1.0.0", "O(1)", "key increment", "Adds to the integer value of a key.") \
C("decrby", cmd_decrby, 3, KEYS, W|M|F, 1,1,1, "@write @string @fast", "string", "1.0.0", "O(1)", "key decrement", "Subtracts from the integer value of a key.") \
C("incrbyfloat", cmd_incrbyfloat, 3, KEYS, W|M|F, 1,1,1, "@write @string @fast", "string", "2.6.0", "O(1)", "key increment", "Adds to the floating-point value of a key.") \
C("mset", cmd_mset, -3, KEYS, W|M, 1,-1,2, "@write @string @slow", "string", "1.0.1", "O(N) with N the keys", "key value [key value ...]", "Sets several keys at once.") \
C("msetnx", cmd_msetnx, -3, KEYS, W|M, 1,-1,2, "@write @string @slow", "string", "1.0.1", "O(N) with N the keys", "key value [key value ...]", "Sets several keys if none of them exists.") \
C("mget", cmd_mget, -2, KEYS, R|F, 1,-1,1, "@read @string @fast", "string", "1.0.0", "O(N) with N the keys", "key [key ...]", "The values of several keys.") \
C("lcs", cmd_lcs, -3, KEYS, R, 1,2,1, "@read @string @slow", "string", "7.0.0", "O(N*M) with N and M the lengths of the strings", "key1 key2 [LEN] [IDX] [MINMATCHLEN min-match-len] [WITHMATCHLEN]", "Longest common subsequence of two strings.") \
C("del", cmd_del, -2, KEYS, W, 1,-1,1, "@keyspace @write @slow", "generic", "1.0.0", "O(N) with N the keys", "key [key ...]", "Deletes keys.") \
C("unlink", cmd_del, -2, KEYS, W|F, 1,-1,1, "@keyspace @write @fast", "generic", "4.0.0", "O(N) with N the keys", "key [key ...]", "Deletes keys, exactly as DEL does.") \
C("exists", cmd_exists, -2, KEYS, R|F, 1,-1,1, "@keyspace @read @fast", "generic", "1.0.0", "O(N) with N the keys", "key [key ...]", "How many of the keys exist.") \
C("type", cmd_type, 2, KEYS, R|F, 1,1,1, "@keyspace @read @fast", "generic", "1.0.0", "O(1)", "key", "Type of the value of a key.") \
C("touch", cmd_touch, -2, KEYS, R|F, 1,-1,1, "@keyspace @read @fast", "generic", "3.2.1", "O(N) with N the keys", "key [key ...]", "How many of the keys exist; marks them as used now.") \
C("expire", cmd_expire, -3, KEYS, W|F, 1,1,1, "@keyspace @write @fast", "generic", "1.0.0", "O(1)", "key seconds [NX|XX|GT|LT]", "Sets the expiry of a key in seconds from now.") \
C("pexpire", cmd_pexpire, -3, KEYS, W|F, 1,1,1, "@keyspace @write @fast", "generic", "2.6.0", "O(1)", "key milliseconds [NX|XX|GT|LT]", "Sets the expiry of a key in milliseconds from now.") \
C("expireat", cmd_expireat, -3, KEYS, W|F, 1,1,1, "@keyspace @write @fast", "generic", "1.2.0", "O(1)", "key unix-time-seconds [NX|XX|GT|LT]", "Sets the expiry of a key as a Unix time.") \
C("pexpireat", cmd_pexpireat, -3, KEYS, W|F, 1,1,1, "@keyspace @write @fast", "generic", "2.6.0", "O(1)", "key unix-time-milliseconds [NX|XX|GT|LT]", "Sets the expiry of a key as a Unix time in milliseconds.") \
C("ttl", cmd_ttl, 2, KEYS, R|F, 1,1,1, "@keyspace @read @fast", "generic", "1.0.0", "O(1)", "key", "Seconds until a key expires.") \
C("pttl", cmd_pttl, 2, KEYS, R|F, 1,1,1, "@keyspace @read @fast", "generic", "2.6.0", "O(1)", "key", "Milliseconds until a key expires.") \
C("expiretime", cmd_expiretime, 2, KEYS, R|F, 1,1,1, "@keyspace @read @fast", "generic", "7.0.0", "O(1)", "key", "When a key expires, as a Unix time.") \
C("pexpiretime", cmd_pexpiretime, 2, KEYS, R|F, 1,1,1, "@keyspace @read @fast", "generic", "7.0.0", "O(1)", "key", "When a key expires, as a Unix time in milliseconds.") \
C("persist", cmd_persist, 2, KEYS, W|F, 1,1,1, "@keyspace @write @fast", "generic", "2.2.0", "O(1)", "key", "Removes the expiry of a key.") \
C("rename", cmd_rename, 3, KEYS, W|CMD_RANGES, 1,2,1, "@keyspace @write @slow", "generic", "1.0.0", "O(1) for strings, O(N) for the points of a series", "key newkey", "Renames a key.") \
C("renamenx", cmd_renamenx, 3, KEYS, W|F|CMD_RANGES, 1,2,1, "@keyspace @write @fast", "generic", "1.0.0", "O(1) for strings, O(N) for the points of a series", "key newkey", "Renames a key if the new name is free.") \
C("copy", cmd_copy, -3, KEYS, W|M|CMD_RANGES, 1,2,1, "@keyspace @write @slow", "generic", "6.2.0", "O(N) with N the size of the value", "source destination [DB destination-db] [REPLACE]", "Copies a key.") \
C("dump", cmd_dump, 2, KEYS, R|CMD_RANGES, 1,1,1, "@keyspace @read @slow", "generic", "2.6.0", "O(N) with N the size of the value", "key", "The value of a key as bytes for RESTORE, in the form of Redis 7.0; a series in a form of its own.") \
C("restore", cmd_restore, -4, KEYS, W|M, 1,1,1, "@keyspace @write @slow @dangerous", "generic", "2.6.0", "O(N) with N the size of the value", "key ttl serialized-value [REPLACE] [ABSTTL] [IDLETIME seconds] [FREQ frequency]", "Makes a key of what DUMP gave.") \
C("keys", cmd_keys, 2, ALL, R|CMD_RANGES, 0,0,0, "@keyspace @read @slow @dangerous", "generic", "1.0.0", "O(N) with N the keys of the database", "pattern", "Every key that matches a pattern.") \
C("scan", cmd_scan, -2, CURSOR, R|CMD_RANGES, 0,0,0, "@keyspace @read @slow", "generic", "2.8.0", "O(1) a call", "cursor [MATCH pattern] [COUNT count] [TYPE type]", "Walks over the keys of the database.") \
C("randomkey", cmd_randomkey, 1, ALL, R|CMD_RANGES, 0,0,0, "@keyspace @read @slow", "generic", "1.0.0", "O(1)", "", "A key chosen at random.") \
C("object", NULL, -2, KEYS, 0, 0,0,0, "@slow", "generic", "2.2.3", "Depends on subcommand.", "", "Facts about the representation of a value.") \
C("multi", cmd_multi, 1, SESSION, F|CMD_MULTI_CONTROL, 0,0,0, "@fast @transaction", "transactions", "1.2.0", "O(1)", "", "Starts a transaction: what follows is queued.") \
C("exec", cmd_exec, 1, SESSION, CMD_COUNTS_ARGS|CMD_ALONE|CMD_MULTI_CONTROL, 0,0,0, "@slow @transaction", "transactions", "1.2.0", "Depends on the queued commands", "", "Runs the queued commands as one.") \
C("discard", cmd_discard, 1, SESSION, F|CMD_ALONE|CMD_MULTI_CONTROL, 0,0,0, "@fast @transaction", "transactions", "2.0.0", "O(N) with N the queued commands", "", "Forgets the queued commands.") \
C("watch", cmd_watch, -2, KEYS, F|CMD_MULTI_CONTROL|CMD_WATCHES, 1,-1,1, "@fast @transaction", "transactions", "2.2.0", "O(N) with N the keys", "key [key ...]", "Makes the next EXEC fail if one of the keys changes before it.") \
C("unwatch", cmd_unwatch, 1, SESSION, F|CMD_ALONE, 0,0,0, "@fast @transaction", "transactions", "2.2.0", "O(1)", "", "Forgets the watched keys.") \
C("tsdb_set", cmd_tsdb_set, -4, KEYS, W|M|F|CMD_RANGES|CMD_SERIES, 1,1,1, "@write @fast", "timeseries", "0.1.0", "O(1) in order of time, else O(N) with N the points of a block", "key timestamp|* value [data_type [quality]]", "Adds a point to a series; duplicate-policy says what becomes of a timestamp that is there.") \
C("tsdb_get", cmd_tsdb_get, -4, KEYS, R|CMD_RANGES|CMD_SERIES, 1,1,1, "@read @slow", "timeseries", "0.1.0", "O(N) with N the points returned", "key start|- end|+ [limit] [TYPE data_type] [REV] [AGG function[,function ...] bucket]", "Points of a series between two times, both included, or aggregates of buckets of them; REV = the newest first.") \
C("tsdb_row", cmd_tsdb_row, -5, KEYS, W|M|F|CMD_RANGES|CMD_SERIES, 1,1,1, "@write @fast", "timeseries", "0.1.0", "O(N) with N the fields, in order of time", "key timestamp|* field value [field value ...]", "Adds a point of one time to several data types of a key, by the names of series-fields: all of them or none.") \
C("tsdb_rows", cmd_tsdb_rows, -4, KEYS, R|CMD_RANGES|CMD_SERIES, 1,1,1, "@read @slow", "timeseries", "0.1.0", "O(N) with N the points returned", "key start|- end|+ [limit] [REV] [FIELDS field ...]", "Data types of a key side by side, by the names of series-fields: a row for each time.") \
C("tsdb_candle", cmd_tsdb_candle, -5, KEYS, R|CMD_RANGES|CMD_SERIES, 1,1,1, "@read @slow", "timeseries", "0.1.0", "O(N) with N the points of the range, of stored blocks rather than points where their headers suffice", "key start|- end|+ bucket [limit] [REV] [PRICE field] [VOLUME field]", "Open, high, low, close, volume and count of buckets of ticks.") \
C("tsdb_batch_get", cmd_tsdb_batch_get, -5, KEYS, R|CMD_RANGES|CMD_NUMKEYS, 2,-1,1, "@read @slow", "timeseries", "0.1.0", "O(N) with N the points returned", "numkeys key [key ...] start|- end|+ [limit] [TYPE data_type] [REV] [AGG function[,function ...] bucket]", "What TSDB_GET says of each of several keys, in their order.") \
C("tsdb_join", cmd_tsdb_join, -7, KEYS, R|CMD_RANGES, 1,2,1, "@read @slow", "timeseries", "0.1.0", "O(N+M) with N and M the points of both in the range", "left right start|- end|+ ASOF PREVIOUS|NEXT|NEAREST [tolerance]", "Each point of one series with the point of another that is the last before it, the first after it, or the nearest.") \
C("batch_set", cmd_batch_set, 4, SESSION, W|M|F|CMD_ALONE|CMD_NO_MULTI, 0,0,0, "@write @fast", "timeseries", "0.1.0", "O(1), O(N) with N = batch-size when it writes", "key value timestamp|*", "Adds a point to the connection's batch (value before timestamp); writes the batch by itself at batch-size points.") \
C("batch_flush", cmd_batch_flush, 1, SESSION, W|M|CMD_ALONE|CMD_NO_MULTI, 0,0,0, "@write @slow", "timeseries", "0.1.0", "O(N) with N the points of the batch", "", "Writes the connection's batch, all of it or nothing; answers the number of points.") \
C("batch_write", cmd_batch_write, -4, KEYS, W|M|CMD_HIDDEN|CMD_RANGES, 1,-1,3, "@write @slow", "timeseries", "0.1.0", "O(N)", "key value timestamp ...", "Internal: the write that BATCH_FLUSH makes.") \
C("ts.create", cmd_ts_create, -2, KEYS, W|M, 1,1,1, "@timeseries @write @slow", "timeseries", "0.1.0", "O(1)", "key [RETENTION retention] [ENCODING COMPRESSED|UNCOMPRESSED] [CHUNK_SIZE bytes] [DUPLICATE_POLICY policy] [IGNORE time-difference value-difference] [LABELS label value ...]", "Makes an empty series.") \
C("ts.alter", cmd_ts_alter, -2, KEYS, W|M, 1,1,1, "@timeseries @write @slow", "timeseries", "0.1.0", "O(N) with N the labels", "key [RETENTION retention] [CHUNK_SIZE bytes] [DUPLICATE_POLICY policy] [IGNORE time-difference value-difference] [LABELS label value ...]", "Changes what is named of a series; LABELS replaces all labels.") \
C("ts.add", cmd_ts_add, -4, KEYS, W|M|F|CMD_RANGES|CMD_SERIES, 1,1,1, "@timeseries @write @fast", "timeseries", "0.1.0", "O(1) in order of time, else O(N) with N the points of a block", "key timestamp|* value [RETENTION retention] [ENCODING encoding] [CHUNK_SIZE bytes] [DUPLICATE_POLICY policy] [ON_DUPLICATE policy] [IGNORE time-difference value-difference] [LABELS label value ...]", "Adds a point; makes the series, with the options given, when there is none.") \
C("ts.madd", cmd_ts_madd, -4, KEYS, W|M|CMD_RANGES, 1,-1,3, "@timeseries @write @slow", "timeseries", "0.1.0", "O(N) with N the points", "key timestamp|* value [key timestamp|* value ...] [CREATE]", "Adds points to series that exist; with CREATE also makes those that do not.") \
C("ts.incrby", cmd_ts_incrby, -3, KEYS, W|M|F|CMD_RANGES, 1,1,1, "@timeseries @write @fast", "timeseries", "0.1.0", "O(1)", "key addend [TIMESTAMP timestamp|*] [RETENTION retention] [ENCODING encoding] [CHUNK_SIZE bytes] [DUPLICATE_POLICY policy] [IGNORE time-difference value-difference] [LABELS label value ...]", "Adds a point whose value is the newest one's plus something.") \
C("ts.decrby", cmd_ts_decrby, -3, KEYS, W|M|F|CMD_RANGES, 1,1,1, "@timeseries @write @fast", "timeseries", "0.1.0", "O(1)", "key subtrahend [TIMESTAMP timestamp|*] [RETENTION retention] [ENCODING encoding] [CHUNK_SIZE bytes] [DUPLICATE_POLICY policy] [IGNORE time-difference value-difference] [LABELS label value ...]", "Adds a point whose value is the newest one's minus something.") \
C("ts.del", cmd_ts_del, 4, KEYS, W|CMD_RANGES, 1,1,1, "@timeseries @write @slow", "timeseries", "0.1.0", "O(N) with N the blocks of the range", "key from|- to|+", "Deletes the points of a series between two times, both included; answers how many.") \
C("ts.createrule", cmd_ts_createrule, -6, KEYS, W|M|CMD_RANGES|CMD_LINKS, 1,2,1, "@timeseries @write @slow", "timeseries", "0.1.0", "O(1)", "source destination AGGREGATION function bucket [align] [BACKFILL]", "From now on aggregates of the buckets of one series become points of another.") \
C("ts.deleterule", cmd_ts_deleterule, 3, KEYS, W, 1,2,1, "@timeseries @write @fast", "timeseries", "0.1.0", "O(1)", "source destination", "Ends a rule; what it has written stays.") \
C("ts.get", cmd_ts_get, -2, KEYS, R|F|CMD_RANGES|CMD_SERIES, 1,1,1, "@timeseries @read @fast", "timeseries", "0.1.0", "O(1)", "key [LATEST]", "The newest point of a series.") \
C("ts.info", cmd_ts_info, -2, KEYS, R|CMD_RANGES, 1,1,1, "@timeseries @read @slow", "timeseries", "0.1.0", "O(N) with N the points of the series", "key [DEBUG]", "Facts about a series.") \
C("ts.range", cmd_ts_range, -4, KEYS, R|CMD_RANGES|CMD_SERIES, 1,1,1, "@timeseries @read @slow", "timeseries", "0.1.0", "O(N) with N the points of the range, of stored blocks rather than points where their headers suffice", "key start|- end|+ [LATEST] [FILTER_BY_TS timestamp ...] [FILTER_BY_VALUE min max] [COUNT count] [[ALIGN align] AGGREGATION function[,function ...] bucket [BUCKETTIMESTAMP -|~|+] [EMPTY]]", "Points of a series between two times, or aggregates of buckets of them.") \
C("ts.revrange", cmd_ts_revrange, -4, KEYS, R|CMD_RANGES|CMD_SERIES, 1,1,1, "@timeseries @read @slow", "timeseries", "0.1.0", "O(N) with N the points of the range, of stored blocks rather than points where their headers suffice", "key start|- end|+ [LATEST] [FILTER_BY_TS timestamp ...] [FILTER_BY_VALUE min max] [COUNT count] [[ALIGN align] AGGREGATION function[,function ...] bucket [BUCKETTIMESTAMP -|~|+] [EMPTY]]", "The same as TS.RANGE, newest first.") \
C("ts.read", cmd_ts_read, -3, KEYS, R|CMD_RANGES|CMD_SERIES|CMD_WAITS, 1,1,1, "@timeseries @read @slow", "timeseries", "0.1.0", "O(log(N)+K) with N the points of the series and K those of the reply", "key timestamp|-|+|$ [BLOCK milliseconds min_count] [MAX_COUNT max_count]", "The points of a series from a time on, oldest first; with BLOCK it waits until there are enough.") \
C("ts.queryindex", cmd_ts_queryindex, -2, ALL, R|CMD_GATHERS, 0,0,0, "@timeseries @read @slow", "timeseries", "0.1.0", "O(N log N) with N the series found", "filter ...", "Keys of the series whose labels a filter finds, in byte order.") \
C("ts.querylabels", cmd_ts_querylabels, -2, ALL, R|CMD_GATHERS, 0,0,0, "@timeseries @read @slow", "timeseries", "0.1.0", "O(N) with N the labels that are borne, or those of the series found", "LABELS|VALUES label [FILTER filter ...]", "Names of labels, or the values of one, of all series or of those a filter finds.") \
C("ts.nrange", cmd_ts_nrange, -5, KEYS, R|CMD_RANGES|CMD_NUMKEYS, 2,-1,1, "@timeseries @read @slow", "timeseries", "0.1.0", "O(N) with N the points of the ranges, of stored blocks rather than points where their headers suffice", "numkeys key [key ...] start|- end|+ [LATEST] [FILTER_BY_TS timestamp ...] [FILTER_BY_VALUE min max] [COUNT count] [[ALIGN align] AGGREGATION function[,function ...] [function[,function ...] ...] bucket [BUCKETTIMESTAMP -|~|+] [EMPTY]]", "Points of several series, or aggregates of buckets of them, side by side: a row for each time, NaN where a series has none. A list of functions for each key.") \
C("ts.nrevrange", cmd_ts_nrevrange, -5, KEYS, R|CMD_RANGES|CMD_NUMKEYS, 2,-1,1, "@timeseries @read @slow", "timeseries", "0.1.0", "O(N) with N the points of the ranges, of stored blocks rather than points where their headers suffice", "numkeys key [key ...] start|- end|+ [LATEST] [FILTER_BY_TS timestamp ...] [FILTER_BY_VALUE min max] [COUNT count] [[ALIGN align] AGGREGATION function[,function ...] [function[,function ...] ...] bucket [BUCKETTIMESTAMP -|~|+] [EMPTY]]", "The same as TS.NRANGE, newest first.") \
C("ts.mget", cmd_ts_mget, -3, ALL, R|CMD_RANGES|CMD_GATHERS, 0,0,0, "@timeseries @read @slow", "timeseries", "0.1.0", "O(N log N) with N the series found", "[LATEST] [WITHLABELS|SELECTED_LABELS label ...] FILTER filter ...", "The newest points of the series whose labels a filter finds.") \
C("ts.mrange", cmd_ts_mrange, -4, ALL, R|CMD_RANGES|CMD_GATHERS, 0,0,0, "@timeseries @read @slow", "timeseries", "0.1.0", "O(N) with N the points of the ranges, of stored blocks rather than points where their headers suffice", "start|- end|+ [LATEST] [FILTER_BY_TS timestamp ...] [FILTER_BY_VALUE min max] [WITHLABELS|SELECTED_LABELS label ...] [COUNT count] [[ALIGN align] AGGREGATION function[,function ...] bucket [BUCKETTIMESTAMP -|~|+] [EMPTY]] [EXCLUDEEMPTY] FILTER filter ... [GROUPBY label REDUCE reducer]", "Points of the series whose labels a filter finds, between two times, or aggregates of buckets of them.") \
C("ts.mrevrange", cmd_ts_mrevrange, -4, ALL, R|CMD_RANGES|CMD_GATHERS, 0,0,0, "@timeseries @read @slow", "timeseries", "0.1.0", "O(N) with N the points of the ranges, of stored blocks rather than points where their headers suffice", "start|- end|+ [LATEST] [FILTER_BY_TS timestamp ...] [FILTER_BY_VALUE min max] [WITHLABELS|SELECTED_LABELS label ...] [COUNT count] [[ALIGN align] AGGREGATION function[,function ...] bucket [BUCKETTIMESTAMP -|~|+] [EMPTY]] [EXCLUDEEMPTY] FILTER filter ... [GROUPBY label REDUCE reducer]", "The same as TS.MRANGE, newest first.") \
C("cluster", NULL, -2, SESSION, 0, 0,0,0, "@slow", "cluster", "3.0.0", "Depends on subcommand.", "", "The cores as nodes of a cluster.") \
C("readonly", cmd_cluster_state, 1, SESSION, F, 0,0,0, "@fast @connection", "cluster", "3.0.0", "O(1)", "", "Accepted for cluster clients that send it; no core is a replica.") \
C("readwrite", cmd_cluster_state, 1, SESSION, F, 0,0,0, "@fast @connection", "cluster", "3.0.0", "O(1)", "", "Accepted for cluster clients that send it; no core is a replica.") \
C("asking", cmd_cluster_state, 1, SESSION, F, 0,0,0, "@fast @connection", "cluster", "3.0.0", "O(1)", "", "Accepted for cluster clients that send it; slots do not move.") \
C("cluster_info", cmd_cluster_info, 1, SESSION, 0, 0,0,0, "@slow", "cluster", "0.1.0", "O(cores)", "", "State of every core: slots, keys, series that are in memory, journal, rings.")

#define CLIENT_TABLE(C) \
C("client|id", cmd_client_id, 2, SESSION, 0, 0,0,0, "@slow @connection", "connection", "5.0.0", "O(1)", "", "Id of this connection.") \
C("client|setname", cmd_client_setname, 3, SESSION, 0, 0,0,0, "@slow @connection", "connection", "2.6.9", "O(1)", "connection-name", "Names this connection.") \
C("client|getname", cmd_client_getname, 2, SESSION, 0, 0,0,0, "@slow @connection", "connection", "2.6.9", "O(1)", "", "Name of this connection.") \
C("client|setinfo", cmd_client_setinfo, 4, SESSION, 0, 0,0,0, "@slow @connection", "connection", "7.2.0", "O(1)", "LIB-NAME libname|LIB-VER libver", "Tells which client library this is.") \
C("client|info", cmd_client_info, 2, SESSION, 0, 0,0,0, "@slow @connection", "connection", "6.2.0", "O(1)", "", "Facts about this connection.") \
C("client|list", cmd_client_list, -2, SESSION, CMD_ADMIN|CMD_ALONE|CMD_BLOCKING|CMD_NO_MULTI, 0,0,0, "@admin @slow @dangerous @connection", "connection", "2.4.0", "O(N) with N the connections", "[TYPE normal|master|replica|pubsub] [ID client-id ...]", "Every connection.") \
C("client|kill", cmd_client_kill, -3, SESSION, CMD_ADMIN|CMD_ALONE|CMD_BLOCKING|CMD_NO_MULTI, 0,0,0, "@admin @slow @dangerous @connection", "connection", "2.4.0", "O(N) with N the connections", "ip:port | [ID client-id] [ADDR ip:port] [LADDR ip:port] [TYPE type] [USER username] [SKIPME yes|no]", "Closes connections.") \
C("client|unblock", cmd_client_unblock, -3, SESSION, CMD_ADMIN|CMD_ALONE|CMD_BLOCKING|CMD_NO_MULTI, 0,0,0, "@admin @slow @dangerous @connection", "connection", "5.0.0", "O(N) with N the connections", "client-id [TIMEOUT|ERROR]", "Ends the wait of a connection in TS.READ, as if its time were over or with an error.") \
C("client|no-evict", cmd_client_noevict, 3, SESSION, CMD_ADMIN, 0,0,0, "@admin @slow @dangerous @connection", "connection", "7.0.0", "O(1)", "ON|OFF", "Accepted for clients that send it; no connection is ever closed for want of memory.") \
C("client|help", cmd_client_help, 2, SESSION, 0, 0,0,0, "@slow @connection", "connection", "5.0.0", "O(1)", "", "What CLIENT can do.")

#define CONFIG_COMMAND_TABLE(C) \
C("config|get", cmd_config_get, -3, SESSION, CMD_ADMIN, 0,0,0, "@admin @slow @dangerous", "server", "2.0.0", "O(N) with N the settings", "parameter [parameter ...]", "Settings whose names match.") \
C("config|set", cmd_config_set, -4, SESSION, CMD_ADMIN|CMD_ALONE|CMD_BLOCKING|CMD_NO_MULTI, 0,0,0, "@admin @slow @dangerous", "server", "2.0.0", "O(N) with N the settings", "parameter value [parameter value ...]", "Changes settings, all or none.") \
C("config|resetstat", cmd_config_resetstat, 2, SESSION, CMD_ADMIN|CMD_ALONE|CMD_BLOCKING|CMD_NO_MULTI, 0,0,0, "@admin @slow @dangerous", "server", "2.0.0", "O(1)", "", "Sets the counters to zero.") \
C("config|rewrite", cmd_config_rewrite, 2, SESSION, CMD_ADMIN|CMD_ALONE|CMD_BLOCKING|CMD_NO_MULTI, 0,0,0, "@admin @slow @dangerous", "server", "2.8.0", "O(1)", "", "Writes the settings into the configuration file.") \
C("config|help", cmd_config_help, 2, SESSION, 0, 0,0,0, "@slow", "server", "5.0.0", "O(1)", "", "What CONFIG can do.")

#define COMMAND_COMMAND_TABLE(C) \
C("command|count", cmd_command_count, 2, SESSION, 0, 0,0,0, "@slow @connection", "server", "2.8.13", "O(1)", "", "Number of commands.") \
C("command|info", cmd_command_info, -2, SESSION, 0, 0,0,0, "@slow @connection", "server", "2.8.13", "O(N) with N the names", "[command-name ...]", "Describes the named commands.") \
C("command|docs", cmd_command_docs, -2, SESSION, 0, 0,0,0, "@slow @connection", "server", "7.0.0", "O(N) with N the names", "[command-name ...]", "Documentation of the named commands.") \
C("command|list", cmd_command_list, -2, SESSION, 0, 0,0,0, "@slow @connection", "server", "7.0.0", "O(N) with N the commands", "[FILTERBY MODULE module-name|ACLCAT category|PATTERN pattern]", "Names of the commands.") \
C("command|getkeys", cmd_command_getkeys, -4, SESSION, 0, 0,0,0, "@slow @connection", "server", "2.8.13", "O(N) with N the arguments", "command [arg ...]", "The keys of a full command.") \
C("command|getkeysandflags", cmd_command_getkeysandflags, -4, SESSION, 0, 0,0,0, "@slow @connection", "server", "7.0.0", "O(N) with N the arguments", "command [arg ...]", "The keys of a full command, and what it does with each.") \
C("command|help", cmd_command_help, 2, SESSION, 0, 0,0,0, "@slow @connection", "server", "5.0.0", "O(1)", "", "What COMMAND can do.")

#define OBJECT_TABLE(C) \
C("object|encoding", cmd_object_encoding, 3, KEYS, R, 2,2,1, "@keyspace @read @slow", "generic", "2.2.3", "O(1)", "key", "How the value is represented.") \
C("object|refcount", cmd_object_refcount, 3, KEYS, R, 2,2,1, "@keyspace @read @slow", "generic", "2.2.3", "O(1)", "key", "Number of references of the value, as Redis counts them.") \
C("object|idletime", cmd_object_idletime, 3, KEYS, R, 2,2,1, "@keyspace @read @slow", "generic", "2.2.3", "O(1)", "key", "Seconds since the key was used.") \
C("object|freq", cmd_object_freq, 3, KEYS, R, 2,2,1, "@keyspace @read @slow", "generic", "4.0.0", "O(1)", "key", "Refused: no access frequency is kept.") \
C("object|help", cmd_object_help, 2, SESSION, 0, 0,0,0, "@keyspace @slow", "generic", "6.2.0", "O(1)", "", "What OBJECT can do.")

#define CLUSTER_TABLE(C) \
C("cluster|slots", cmd_cluster_slots, 2, SESSION, 0, 0,0,0, "@slow", "cluster", "3.0.0", "O(cores)", "", "Which core has which slots.") \
C("cluster|shards", cmd_cluster_shards, 2, SESSION, 0, 0,0,0, "@slow", "cluster", "7.0.0", "O(cores)", "", "The cores and their slots.") \
C("cluster|nodes", cmd_cluster_nodes, 2, SESSION, 0, 0,0,0, "@slow", "cluster", "3.0.0", "O(cores)", "", "The cores as lines of text.") \
C("cluster|info", cmd_cluster_info_redis, 2, SESSION, 0, 0,0,0, "@slow", "cluster", "3.0.0", "O(1)", "", "State of the cluster of cores.") \
C("cluster|myid", cmd_cluster_myid, 2, SESSION, 0, 0,0,0, "@slow", "cluster", "3.0.0", "O(1)", "", "Id of the core that serves this connection.") \
C("cluster|keyslot", cmd_cluster_keyslot, 3, SESSION, 0, 0,0,0, "@slow", "cluster", "3.0.0", "O(N) with N the length of the key", "key", "Slot of a key.") \
C("cluster|countkeysinslot", cmd_cluster_countkeysinslot, 3, ALL, R|CMD_RANGES, 0,0,0, "@slow", "cluster", "3.0.0", "O(N) with N the keys of the database in memory", "slot", "Number of keys of a slot.") \
C("cluster|help", cmd_cluster_help, 2, SESSION, 0, 0,0,0, "@slow", "cluster", "5.0.0", "O(1)", "", "What CLUSTER can do.")
/* clang-format on */

void cmd_ping(struct ctx *c);
void cmd_echo(struct ctx *c);
void cmd_quit(struct ctx *c);
void cmd_reset(struct ctx *c);
void cmd_select(struct ctx *c);
void cmd_hello(struct ctx *c);
void cmd_auth(struct ctx *c);
void cmd_command(struct ctx *c);
void cmd_time(struct ctx *c);
void cmd_info(struct ctx *c);
void cmd_dbsize(struct ctx *c);
void cmd_flushdb(struct ctx *c);
void cmd_flushall(struct ctx *c);
void cmd_debug(struct ctx *c);
void cmd_debug_object(struct ctx *c);
void cmd_shutdown(struct ctx *c);
void cmd_save(struct ctx *c);
void cmd_bgsave(struct ctx *c);
void cmd_lastsave(struct ctx *c);
void cmd_waitaof(struct ctx *c);
void cmd_get(struct ctx *c);
void cmd_set(struct ctx *c);
void cmd_setnx(struct ctx *c);
void cmd_setex(struct ctx *c);
void cmd_psetex(struct ctx *c);
void cmd_getset(struct ctx *c);
void cmd_getdel(struct ctx *c);
void cmd_getex(struct ctx *c);
void cmd_append(struct ctx *c);
void cmd_strlen(struct ctx *c);
void cmd_setrange(struct ctx *c);
void cmd_getrange(struct ctx *c);
void cmd_incr(struct ctx *c);
void cmd_decr(struct ctx *c);
void cmd_incrby(struct ctx *c);
void cmd_decrby(struct ctx *c);
void cmd_incrbyfloat(struct ctx *c);
void cmd_mset(struct ctx *c);
void cmd_msetnx(struct ctx *c);
void cmd_mget(struct ctx *c);
void cmd_lcs(struct ctx *c);
void cmd_del(struct ctx *c);
void cmd_exists(struct ctx *c);
void cmd_type(struct ctx *c);
void cmd_touch(struct ctx *c);
void cmd_expire(struct ctx *c);
void cmd_pexpire(struct ctx *c);
void cmd_expireat(struct ctx *c);
void cmd_pexpireat(struct ctx *c);
void cmd_ttl(struct ctx *c);
void cmd_pttl(struct ctx *c);
void cmd_expiretime(struct ctx *c);
void cmd_pexpiretime(struct ctx *c);
void cmd_persist(struct ctx *c);
void cmd_rename(struct ctx *c);
void cmd_renamenx(struct ctx *c);
void cmd_copy(struct ctx *c);
void cmd_dump(struct ctx *c);
void cmd_restore(struct ctx *c);
void cmd_keys(struct ctx *c);
void cmd_scan(struct ctx *c);
void cmd_randomkey(struct ctx *c);
void cmd_multi(struct ctx *c);
void cmd_exec(struct ctx *c);
void cmd_discard(struct ctx *c);
void cmd_watch(struct ctx *c);
void cmd_unwatch(struct ctx *c);
void cmd_tsdb_set(struct ctx *c);
void cmd_tsdb_get(struct ctx *c);
void cmd_tsdb_batch_get(struct ctx *c);
void cmd_tsdb_join(struct ctx *c);
void cmd_tsdb_row(struct ctx *c);
void cmd_tsdb_rows(struct ctx *c);
void cmd_tsdb_candle(struct ctx *c);
void cmd_batch_set(struct ctx *c);
void cmd_batch_flush(struct ctx *c);
void cmd_batch_write(struct ctx *c);
void cmd_ts_create(struct ctx *c);
void cmd_ts_alter(struct ctx *c);
void cmd_ts_add(struct ctx *c);
void cmd_ts_madd(struct ctx *c);
void cmd_ts_incrby(struct ctx *c);
void cmd_ts_decrby(struct ctx *c);
void cmd_ts_del(struct ctx *c);
void cmd_ts_createrule(struct ctx *c);
void cmd_ts_deleterule(struct ctx *c);
void cmd_ts_get(struct ctx *c);
void cmd_ts_info(struct ctx *c);
void cmd_ts_range(struct ctx *c);
void cmd_ts_revrange(struct ctx *c);
void cmd_ts_read(struct ctx *c);
void cmd_ts_queryindex(struct ctx *c);
void cmd_ts_querylabels(struct ctx *c);
void cmd_ts_nrange(struct ctx *c);
void cmd_ts_nrevrange(struct ctx *c);
void cmd_ts_mget(struct ctx *c);
void cmd_ts_mrange(struct ctx *c);
void cmd_ts_mrevrange(struct ctx *c);
void cmd_cluster_info(struct ctx *c);
void cmd_cluster_state(struct ctx *c);
void cmd_client_id(struct ctx *c);
void cmd_client_setname(struct ctx *c);
void cmd_client_getname(struct ctx *c);
void cmd_client_setinfo(struct ctx *c);
void cmd_client_info(struct ctx *c);
void cmd_client_list(struct ctx *c);
void cmd_client_kill(struct ctx *c);
void cmd_client_unblock(struct ctx *c);
void cmd_client_noevict(struct ctx *c);
void cmd_client_help(struct ctx *c);
void cmd_config_get(struct ctx *c);
void cmd_config_set(struct ctx *c);
void cmd_config_resetstat(struct ctx *c);
void cmd_config_rewrite(struct ctx *c);
void cmd_config_help(struct ctx *c);
void cmd_command_count(struct ctx *c);
void cmd_command_info(struct ctx *c);
void cmd_command_docs(struct ctx *c);
void cmd_command_list(struct ctx *c);
void cmd_command_getkeys(struct ctx *c);
void cmd_command_getkeysandflags(struct ctx *c);
void cmd_command_help(struct ctx *c);
void cmd_object_encoding(struct ctx *c);
void cmd_object_refcount(struct ctx *c);
void cmd_object_idletime(struct ctx *c);
void cmd_object_freq(struct ctx *c);
void cmd_object_help(struct ctx *c);
void cmd_cluster_slots(struct ctx *c);
void cmd_cluster_shards(struct ctx *c);
void cmd_cluster_nodes(struct ctx *c);
void cmd_cluster_info_redis(struct ctx *c);
void cmd_cluster_myid(struct ctx *c);
void cmd_cluster_keyslot(struct ctx *c);
void cmd_cluster_countkeysinslot(struct ctx *c);
void cmd_cluster_help(struct ctx *c);

#endif
