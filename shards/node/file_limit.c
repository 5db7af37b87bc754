#include "shards/node/file_limit.h"

#include "core/log.h"

#include <inttypes.h>
#include <sys/resource.h>

static uint64_t
least(uint32_t cores)
{
    return FILE_LIMIT_BASE + (uint64_t)cores * FILE_LIMIT_CORE;
}

uint64_t
file_limit_clients(uint64_t limit, uint32_t cores, uint64_t maxclients)
{
    uint64_t others = MAX(MIN(limit / 2, (uint64_t)FILE_LIMIT_WANTED), least(cores));

    return limit > others ? MIN(limit - others, maxclients) : 0;
}

uint64_t
file_limit_tables(uint64_t limit, uint32_t cores, uint64_t clients)
{
    uint64_t others = least(cores) + clients;

    return limit > others ? MAX((limit - others) / cores, 1) : 1;
}

/* What may be open afterwards. */
static uint64_t
raise_to(uint64_t want)
{
    struct rlimit l, more;

    if (getrlimit(RLIMIT_NOFILE, &l) < 0)
        return want;
    if (l.rlim_cur >= want)
        return l.rlim_cur;
    more = (struct rlimit){want, MAX(l.rlim_max, want)};
    if (setrlimit(RLIMIT_NOFILE, &more) == 0)
        return want;
    more = (struct rlimit){MIN(want, l.rlim_max), l.rlim_max};
    return setrlimit(RLIMIT_NOFILE, &more) == 0 ? more.rlim_cur : l.rlim_cur;
}

int
file_limit_raise(uint32_t cores, uint64_t *maxclients, uint64_t *ret_tables, struct buf *err)
{
    uint64_t limit = raise_to(*maxclients + FILE_LIMIT_WANTED + (uint64_t)cores * FILE_LIMIT_TABLES);
    uint64_t clients = file_limit_clients(limit, cores, *maxclients);

    if (clients == 0) {
        buf_printf(err, "at most %" PRIu64 " files may be open (ulimit -n): %" PRIu32
                        " cores need more than %" PRIu64, limit, cores, least(cores));
        return -EMFILE;
    }
    if (clients < *maxclients)
        log_warn("at most %" PRIu64 " files may be open (ulimit -n): maxclients is %" PRIu64
                 ", not %" PRIu64, limit, clients, *maxclients);
    *maxclients = clients;
    *ret_tables = file_limit_tables(limit, cores, clients);
    return 0;
}
