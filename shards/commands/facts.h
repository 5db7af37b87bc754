/* What COMMAND tells clients about commands beyond what the server itself goes by (handlers.h): one
 * row a command that has something to tell. Names, flags and tips are those of Redis 7.0, where it
 * has the command; tests/e2e/test_command_facts.py compares them.
 *
 * D(name, flags, keys, tips, note, docs)
 *
 * flags: words of COMMAND INFO that no flag of command.h stands for.
 * keys: how the keys are used: RO reads, RW changes, OW overwrites, RM removes without looking; then
 *   access, insert, update, delete: what becomes of the user's data. One text for all keys, or one a
 *   key with | between. "all;word;with;without": of a call the flags `with` hold where
 *   the word is among its optional arguments, else those `without`.
 * tips: for clients of a cluster and for proxies. DBSIZE and KEYS have no request_policy, for every
 *   core answers for all: a client that asked each and added up would count keys several times.
 * note: about the use of the keys.
 * docs: doc_flags of COMMAND DOCS, then with ; between since when and what replaces it. */
#ifndef SHARDS_COMMANDS_FACTS_H
#define SHARDS_COMMANDS_FACTS_H

struct command_facts {
    const char *name, *flags, *keys, *tips, *note, *docs;
};

/* Of a command or subcommand by its name in the table, all texts empty where there is no row. */
const struct command_facts *command_facts(const char *name);
/* All rows; *ret_n = how many. */
const struct command_facts *command_facts_table(unsigned *ret_n);

/* clang-format off */
#define COMMAND_FACTS(D) \
D("ping", "", "", "request_policy:all_shards response_policy:all_succeeded", "", "") \
D("echo", "loading stale", "", "", "", "") \
D("quit", "noscript loading stale allow_busy", "", "", "", "") \
D("reset", "noscript loading stale allow_busy", "", "", "", "") \
D("select", "loading stale", "", "", "", "") \
D("hello", "noscript loading stale allow_busy", "", "", "", "") \
D("auth", "noscript loading stale allow_busy", "", "", "", "") \
D("command", "loading stale", "", "nondeterministic_output_order", "", "") \
D("time", "loading stale", "", "nondeterministic_output", "", "") \
D("info", "loading stale", "", "nondeterministic_output request_policy:all_shards response_policy:special", "", "") \
D("flushdb", "", "", "request_policy:all_shards response_policy:all_succeeded", "", "") \
D("flushall", "", "", "request_policy:all_shards response_policy:all_succeeded", "", "") \
D("debug", "noscript loading stale", "", "", "", "syscmd") \
D("debug_object", "", "RO", "nondeterministic_output", "", "") \
D("shutdown", "noscript loading stale allow_busy", "", "", "", "") \
D("save", "noscript no_async_loading", "", "", "", "") \
D("bgsave", "noscript no_async_loading", "", "", "", "") \
D("lastsave", "loading stale", "", "nondeterministic_output", "", "") \
D("waitaof", "noscript blocking", "", "", "", "") \
D("get", "", "RO access", "", "", "") \
D("set", "", "RW access update variable_flags;get;RW access update;OW update", "", "Reads only with GET.", "") \
D("setnx", "", "OW insert", "", "", "") \
D("setex", "", "OW update", "", "", "") \
D("psetex", "", "OW update", "", "", "") \
D("getset", "", "RW access update", "", "", "deprecated;6.2.0;`SET` with `GET`") \
D("getdel", "", "RW access delete", "", "", "") \
D("getex", "", "RW access update", "", "Writes where it changes the expiry.", "") \
D("append", "", "RW insert", "", "", "") \
D("strlen", "", "RO", "", "", "") \
D("setrange", "", "RW update", "", "", "") \
D("getrange", "", "RO access", "", "", "") \
D("substr", "", "RO access", "", "", "deprecated;2.0.0;`GETRANGE`") \
D("incr", "", "RW access update", "", "", "") \
D("decr", "", "RW access update", "", "", "") \
D("incrby", "", "RW access update", "", "", "") \
D("decrby", "", "RW access update", "", "", "") \
D("incrbyfloat", "", "RW access update", "", "", "") \
D("mset", "", "OW update", "request_policy:multi_shard response_policy:all_succeeded", "", "") \
D("msetnx", "", "OW insert", "request_policy:multi_shard response_policy:agg_min", "", "") \
D("mget", "", "RO access", "request_policy:multi_shard", "", "") \
D("lcs", "", "RO access", "", "", "") \
D("del", "", "RM delete", "request_policy:multi_shard response_policy:agg_sum", "", "") \
D("unlink", "", "RM delete", "request_policy:multi_shard response_policy:agg_sum", "", "") \
D("exists", "", "RO", "request_policy:multi_shard response_policy:agg_sum", "", "") \
D("type", "", "RO", "", "", "") \
D("touch", "", "RO", "request_policy:multi_shard response_policy:agg_sum", "", "") \
D("expire", "", "RW update", "", "", "") \
D("pexpire", "", "RW update", "", "", "") \
D("expireat", "", "RW update", "", "", "") \
D("pexpireat", "", "RW update", "", "", "") \
D("ttl", "", "RO access", "nondeterministic_output", "", "") \
D("pttl", "", "RO access", "nondeterministic_output", "", "") \
D("expiretime", "", "RO access", "", "", "") \
D("pexpiretime", "", "RO access", "", "", "") \
D("persist", "", "RW update", "", "", "") \
D("rename", "", "RW access delete|OW update", "", "", "") \
D("renamenx", "", "RW access delete|OW insert", "", "", "") \
D("copy", "", "RO access|OW update", "", "", "") \
D("dump", "", "RO access", "nondeterministic_output", "", "") \
D("restore", "", "OW update", "", "", "") \
D("keys", "", "", "nondeterministic_output_order", "", "") \
D("scan", "", "", "nondeterministic_output request_policy:special", "", "") \
D("randomkey", "", "", "request_policy:all_shards nondeterministic_output", "", "") \
D("multi", "noscript loading stale allow_busy", "", "", "", "") \
D("exec", "noscript loading stale skip_slowlog", "", "", "", "") \
D("discard", "noscript loading stale allow_busy", "", "", "", "") \
D("watch", "noscript loading stale allow_busy", "RO", "", "", "") \
D("unwatch", "noscript loading stale allow_busy", "", "", "", "") \
D("tsdb_set", "", "RW insert", "", "", "") \
D("tsdb_get", "", "RO access", "", "", "") \
D("tsdb_row", "", "RW insert", "", "", "") \
D("tsdb_rows", "", "RO access", "", "", "") \
D("tsdb_candle", "", "RO access", "", "", "") \
D("tsdb_batch_get", "", "RO access", "", "", "") \
D("tsdb_join", "", "RO access", "", "", "") \
D("batch_set", "noscript", "", "", "", "") \
D("batch_flush", "noscript", "", "", "", "") \
D("batch_write", "", "RW insert", "", "", "") \
D("ts.create", "", "OW insert", "", "", "") \
D("ts.alter", "", "RW update", "", "", "") \
D("ts.add", "", "RW insert", "", "", "") \
D("ts.madd", "", "RW insert", "", "", "") \
D("ts.incrby", "", "RW insert", "", "", "") \
D("ts.decrby", "", "RW insert", "", "", "") \
D("ts.del", "", "RW delete", "", "", "") \
D("ts.createrule", "", "RW update|RW update", "", "", "") \
D("ts.deleterule", "", "RW update|RW update", "", "", "") \
D("ts.get", "", "RO access", "", "", "") \
D("ts.info", "", "RO", "", "", "") \
D("ts.range", "", "RO access", "", "", "") \
D("ts.revrange", "", "RO access", "", "", "") \
D("ts.read", "blocking", "RO access", "", "", "") \
D("ts.nrange", "", "RO access", "", "", "") \
D("ts.nrevrange", "", "RO access", "", "", "") \
D("readonly", "loading stale", "", "", "", "") \
D("readwrite", "loading stale", "", "", "", "") \
D("cluster_info", "loading stale", "", "nondeterministic_output", "", "") \
D("client|id", "noscript loading stale", "", "", "", "") \
D("client|setname", "noscript loading stale", "", "", "", "") \
D("client|getname", "noscript loading stale", "", "", "", "") \
D("client|setinfo", "noscript loading stale", "", "", "", "") \
D("client|info", "noscript loading stale", "", "nondeterministic_output", "", "") \
D("client|list", "noscript loading stale", "", "nondeterministic_output", "", "") \
D("client|kill", "noscript loading stale", "", "", "", "") \
D("client|unblock", "noscript loading stale", "", "", "", "") \
D("client|no-evict", "noscript loading stale", "", "", "", "") \
D("client|help", "loading stale", "", "", "", "") \
D("config|get", "noscript loading stale", "", "", "", "") \
D("config|set", "noscript loading stale", "", "request_policy:all_nodes response_policy:all_succeeded", "", "") \
D("config|resetstat", "noscript loading stale", "", "", "", "") \
D("config|rewrite", "noscript loading stale", "", "", "", "") \
D("config|help", "loading stale", "", "", "", "") \
D("command|count", "loading stale", "", "", "", "") \
D("command|info", "loading stale", "", "nondeterministic_output_order", "", "") \
D("command|docs", "loading stale", "", "nondeterministic_output_order", "", "") \
D("command|list", "loading stale", "", "nondeterministic_output_order", "", "") \
D("command|getkeys", "loading stale", "", "", "", "") \
D("command|help", "loading stale", "", "", "", "") \
D("object|encoding", "", "RO", "nondeterministic_output", "", "") \
D("object|refcount", "", "RO", "nondeterministic_output", "", "") \
D("object|idletime", "", "RO", "nondeterministic_output", "", "") \
D("object|freq", "", "RO", "nondeterministic_output", "", "") \
D("object|help", "loading stale", "", "", "", "") \
D("cluster|slots", "stale", "", "nondeterministic_output", "", "deprecated;7.0.0;`CLUSTER SHARDS`") \
D("cluster|shards", "stale", "", "nondeterministic_output", "", "") \
D("cluster|nodes", "stale", "", "nondeterministic_output", "", "") \
D("cluster|info", "stale", "", "nondeterministic_output", "", "") \
D("cluster|myid", "stale", "", "", "", "") \
D("cluster|keyslot", "stale", "", "", "", "") \
D("cluster|countkeysinslot", "stale", "", "", "", "") \
D("cluster|help", "loading stale", "", "", "", "") \
D("command|getkeysandflags", "loading stale", "", "", "", "")
/* clang-format on */

#endif
