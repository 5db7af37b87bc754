/* CPU lists as the kernel writes them ("0-3,8"), and pinning. */
#ifndef CORE_CPU_H
#define CORE_CPU_H

#include "core/base.h"

#include <sched.h>

struct cpu_set {
    cpu_set_t set;
    unsigned n; /* how many are in it */
};

/* Parses "0-3,8". -EINVAL for malformed text, -ERANGE for a CPU number over 1023. */
int cpu_set_parse(struct slice text, struct cpu_set *ret_set);
/* Writes it back in the same form; returns bytes written, text is NUL-terminated. */
size_t cpu_set_format(const struct cpu_set *s, char *buf, size_t size);
/* The CPUs this process may run on (sched_getaffinity). */
int cpu_set_allowed(struct cpu_set *ret_set);
/* The CPUs this machine has or may get. 0 or a negative errno. */
int cpu_set_possible(struct cpu_set *ret_set);
/* True if every CPU of `s` is in `of`. */
bool cpu_set_within(const struct cpu_set *s, const struct cpu_set *of);
/* The i-th CPU of the set in ascending order, -1 when there are fewer. */
int cpu_set_at(const struct cpu_set *s, unsigned i);
bool cpu_set_has(const struct cpu_set *s, int cpu);
/* Pins the calling thread. 0 or a negative errno. */
int cpu_pin(int cpu);
/* Lets the calling thread run on every CPU of the set. 0 or a negative errno. */
int cpu_bind(const struct cpu_set *s);
/* The calling thread, and those it creates from now on, yield to loops on the same CPU: beside one
 * that is always busy it gets a quarter. For work that may take its time but must keep up. */
void cpu_yield_to_loops(void);

#endif
