#include "shards/node/memory_limit.h"

#include <inttypes.h>
#include <pthread.h>
#include <sys/resource.h>

/* The C library takes the size of new threads' stacks from the limit the process was started with. */
static void
raise_stack_of_threads(void)
{
    pthread_attr_t a;
    size_t bytes;

    if (pthread_attr_init(&a) != 0)
        return;
    if (pthread_attr_getstacksize(&a, &bytes) == 0 && bytes < MEMORY_LIMIT_STACK_BYTES &&
        pthread_attr_setstacksize(&a, MEMORY_LIMIT_STACK_BYTES) == 0)
        pthread_setattr_default_np(&a);
    pthread_attr_destroy(&a);
}

int
memory_limit_stack(struct buf *err)
{
    struct rlimit l, more;

    raise_stack_of_threads();
    if (getrlimit(RLIMIT_STACK, &l) < 0 || l.rlim_cur >= MEMORY_LIMIT_STACK_BYTES)
        return 0;
    more = (struct rlimit){MEMORY_LIMIT_STACK_BYTES, MAX(l.rlim_max, MEMORY_LIMIT_STACK_BYTES)};
    if (setrlimit(RLIMIT_STACK, &more) == 0)
        return 0;
    buf_printf(err, "the stack may have %" PRIu64 " KiB (ulimit -s), %" PRIu64 " are needed",
               (uint64_t)l.rlim_cur / KIB, (uint64_t)(MEMORY_LIMIT_STACK_BYTES / KIB));
    return -ENOMEM;
}

int
memory_limit_check(uint32_t cores, struct buf *err)
{
    uint64_t need = MEMORY_LIMIT_BASE_BYTES + cores * MEMORY_LIMIT_CORE_BYTES;
    struct rlimit l;

    if (getrlimit(RLIMIT_AS, &l) < 0 || l.rlim_cur == RLIM_INFINITY || l.rlim_cur >= need)
        return 0;
    buf_printf(err, "the process may have %" PRIu64 " KiB of addresses (ulimit -v): %" PRIu32
                    " core%s need %" PRIu64 ", and what is kept in memory besides",
               (uint64_t)l.rlim_cur / KIB, cores, cores == 1 ? "" : "s", need / KIB);
    return -ENOMEM;
}
