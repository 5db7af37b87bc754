/* Commands: the table row, and what a handler gets.
 *
 * A handler runs to its end on one thread and never blocks. Before it runs, the dispatcher has seen
 * to everything that is a column of the row: arity, authentication, protocol state, memory, journal
 * room, that the shards of its keys are this thread's to touch, and that every key it names is in
 * memory (or certainly not in the store). So a handler reads, checks its arguments, changes the
 * keyspace through keyspace.h and appends exactly one reply to ctx->out. */
#ifndef SHARDS_ENGINE_COMMAND_H
#define SHARDS_ENGINE_COMMAND_H

#include "core/base.h"
#include "core/buf.h"
#include "net/resp.h"

struct command;
struct core;
struct session;
struct shard;
struct slices;

/* What a handler found missing from memory: it appends no reply, sets ctx->need and returns; it is
 * run again from its start when a helper has fetched it. Nothing may have been changed before. */
enum need_kind {
    NEED_NOTHING,
    NEED_KEY,   /* the key's main row (found missing by the dispatcher, not by handlers) */
    NEED_RANGE, /* stored blocks of a series between two times */
    NEED_COUNT, /* which keys the store has, of those nobody looked up yet */
    NEED_ROWS,  /* main rows of slots [start, end] of a database, up to the end of the slot in which
                 * `limit` rows are reached, or (listed) the first row behind it */
    NEED_BYTES, /* the long string `key` in memory of its own of `limit` bytes (key_patch_ready) */
    NEED_SHARD, /* to touch `sh` as well, which the keys of the request do not name: it is run again as
                 * a transaction */
    NEED_SLICES, /* more time than others can wait: see slices.h. Outside of a transaction it is run again
                  * as one; in one, which has no other command, *ctx->slices is set */
};
#define NEED_KEYS_MAX 1024 /* keys, or ranges of series, that are fetched together */
struct need {
    enum need_kind kind;
    struct shard *sh;
    struct slice key;
    const struct slice *more; /* NEED_KEY: up to NEED_KEYS_MAX - 1 others */
    uint32_t more_n;
    uint32_t more_max;   /* room for others, where ctx_need_key made it */
    struct need *next; /* NEED_RANGE: next_n others, of any shard of the request */
    uint32_t next_n;
    uint8_t db;
    uint8_t type;
    bool reverse;
    bool listed; /* NEED_ROWS: as a list, the blocks do not stay in the block cache */
    int64_t start, end;
    uint64_t limit;
};

/* What a transaction has shown or changed of one shard: its reply waits for journal batch seq
 * there. */
struct shard_hold {
    bool any;
    uint32_t seq;
};

struct ctx {
    struct core *core;       /* the core it runs on */
    struct shard *sh;        /* the one shard of the request, NULL when it spans several */
    struct session *session; /* the client; NULL when it runs for a client of another core */
    uint64_t client_id;
    const struct command *cmd;
    struct buf *out;
    struct slice *argv;      /* argv[0] = command name as sent */
    uint32_t argc;
    uint8_t db;
    uint8_t proto;           /* 2 or 3 */
    bool in_exec;
    bool probe;              /* CMD_RANGES: find out what is needed, change and reply nothing */
    bool hash_known;         /* key_hash is the hash of the first key */
    bool keys_known;         /* keys of the request not in memory are not in the store either */
    uint64_t key_hash;
    /* set by keyspace.h: the reply shows or made a change that journal batch hold_seq carries */
    bool hold;
    uint32_t hold_seq;
    struct shard_hold *holds; /* in a transaction this takes their place: one a core, else NULL */
    uint32_t attempts;       /* how often it was fetched for and run again */
    uint64_t ahead;          /* probe: arguments of all commands of the transaction */
    const uint64_t *leased;  /* where sh is NULL: the shards of the transaction, a bit each */
    struct slices **slices;  /* in a transaction of a single command outside of EXEC, else NULL */
    /* What is missing from the cache is read at once, from the disk if need be: it was seen to be
     * there, has left since, and half of the command is done. */
    bool reads_through;
    uint64_t spare_ns;       /* how long it may go on when its time is over: see slices.h ... */
    bool in_vain;            /* ... and what it has read until then is lost when it stops */
    struct need need;
};

typedef void (*command_fn)(struct ctx *c);

enum command_flag {
    CMD_WRITE = 1 << 0,     /* may change data: needs journal room */
    CMD_READONLY = 1 << 1,
    CMD_DENYOOM = 1 << 2,   /* refused when memory cannot be found */
    CMD_FAST = 1 << 3,
    CMD_ADMIN = 1 << 4,
    CMD_NO_AUTH = 1 << 5,   /* allowed before AUTH */
    CMD_NO_MULTI = 1 << 6,  /* refused inside MULTI */
    CMD_BLIND = 1 << 7,     /* may run without knowing the old value (the handler's blind() says) */
    CMD_COUNTS_ARGS = 1 << 8, /* sees to a wrong number of arguments itself */
    CMD_BLOCKING = 1 << 11, /* answers later: the handler pauses the session itself */
    CMD_COUNT_KEYS = 1 << 12, /* needs exact key counts (DBSIZE) */
    CMD_ALONE = 1 << 13,    /* runs when every earlier reply is there, never inside a round */
    CMD_RANGES = 1 << 14,   /* may set ctx->need; with ctx->probe it only finds that out */
    CMD_HIDDEN = 1 << 15,   /* internal: clients cannot name it */
    CMD_MULTI_CONTROL = 1 << 16, /* acts at once inside MULTI instead of being queued */
    CMD_SERIES = 1 << 18,   /* its first key is a series: prefetched as one */
    CMD_WATCHES = 1 << 17,  /* registers its keys for WATCH */
    /* ROUTE_ALL: outside EXEC the handler asks the cores by itself, and pauses the session */
    CMD_GATHERS = 1 << 20,
    CMD_WAITS = 1 << 21,    /* with the word BLOCK it may answer later: see blocked.h */
    CMD_NUMKEYS = 1 << 19,  /* the argument before the first key says how many there are */
    CMD_LINKS = 1 << 22,    /* leads from one key to others, of any core, for all commands behind it */
};

enum command_route {
    ROUTE_SESSION, /* no key: runs on the client's own core */
    ROUTE_KEYS,    /* goes to the owner of its keys; several owners: a transaction */
    ROUTE_ALL,     /* touches every shard: a transaction over all of them */
    ROUTE_CURSOR,  /* SCAN: the cursor names the shard */
};

struct command {
    const char *name; /* lower case; a subcommand's is "client|list" */
    command_fn fn;
    int arity;        /* negative: at least */
    uint32_t flags;
    uint16_t index;   /* of all rows, subcommands included: below command_rows() */
    uint8_t route;
    int8_t key_first, key_last, key_step;
    const char *acl;     /* "@string @write @fast" */
    const char *group;   /* COMMAND DOCS group */
    const char *since;
    const char *complexity;
    const char *args;    /* human syntax after the name, for docs: "key value [NX|XX]" */
    const char *summary;
    /* subcommands of a container ("CLIENT"): a table of their own, ended by name NULL */
    const struct command *sub;
};

/* Every command, in table order; *ret_n = how many. */
const struct command *command_table(uint32_t *ret_n);
/* How many rows there are, subcommands included. */
uint32_t command_rows(void);
/* By name, any case. NULL = unknown. Hot path: one hash probe. */
const struct command *command_find(struct slice name);
/* The same, tried first on `prev`: pipelines repeat themselves. */
const struct command *command_find_near(const struct command *prev, struct slice name);
/* Which core a SCAN cursor stands on (0 for text that is no cursor). */
uint32_t scan_cursor_core(struct slice cursor);
/* The row that applies: the subcommand's when cmd is a container and argv[1] names one, cmd itself
 * when it is no container; NULL = unknown subcommand. */
const struct command *command_resolve(const struct command *cmd, const struct slice *argv,
                                      uint32_t argc);

/* Key positions of a call: calls fn(arg, index) for each. Returns how many; none where a number of
 * keys is no such number, which is the handler's to refuse. */
uint32_t command_keys(const struct command *cmd, const struct slice *argv, uint32_t argc,
                      void (*fn)(void *arg, uint32_t index), void *arg);
/* CMD_NUMKEYS: how many keys there are; 0 = the argument is no number of keys, or they do not fit
 * before the end. */
uint32_t command_numkeys(const struct command *cmd, const struct slice *argv, uint32_t argc);
static inline bool
command_arity_ok(const struct command *cmd, uint32_t argc)
{
    return cmd->arity >= 0 ? argc == (uint32_t)cmd->arity : argc >= (uint32_t)-cmd->arity;
}

/* The error replies that many handlers share, as Redis words them. */
#define ERR_SYNTAX "ERR syntax error"
#define ERR_WRONGTYPE "WRONGTYPE Operation against a key holding the wrong kind of value"
#define ERR_NOT_INT "ERR value is not an integer or out of range"
#define ERR_NOT_FLOAT "ERR value is not a valid float"
#define ERR_NO_KEY "ERR no such key"
#define EXEC_REFUSED "EXECABORT Transaction discarded because of: " /* before why EXEC does not run */
#define ERR_OOM "OOM command not allowed when used memory > 'maxmemory'."
#define ERR_OOM_STUCK                                                                              \
    "OOM command not allowed when used memory > 'maxmemory' and checkpoints fail: nothing can leave "  \
    "memory until one succeeds, the log says why"
#define ERR_STRING_TOO_LONG "ERR string exceeds maximum allowed size (proto-max-bulk-len)"
#define ERR_KEY_TOO_LONG "ERR key is longer than 65535 bytes"

static inline void
ctx_error(struct ctx *c, const char *text)
{
    resp_error(c->out, text);
}

/* May the request touch the shard of this core? */
bool ctx_has_shard(const struct ctx *c, uint32_t core);
/* Notes a NEED_RANGE; a handler may go on and note those of its other keys, so that all are fetched
 * at once (NEED_KEYS_MAX of them, the rest the next time). */
void ctx_need_range(struct ctx *c, const struct need *need);
/* The same with a NEED_KEY; others must be of the same shard and database. Where a need of another kind
 * was noted before, that one stays. */
void ctx_need_key(struct ctx *c, const struct need *need);
/* Parses an int64 argument; on failure replies ERR_NOT_INT and returns false. */
bool ctx_int(struct ctx *c, uint32_t i, int64_t *ret_v);

#endif
