#include "core/cpu.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#define YIELD_NICE 5 /* weight 335 of 335 + 1024 */

/* Reads decimal digits; *at moves behind them. -EINVAL if there are none. */
static int
parse_number(struct slice text, size_t *at)
{
    size_t i = *at;
    int v = 0;

    while (i < text.n && text.p[i] >= '0' && text.p[i] <= '9') {
        v = v * 10 + (text.p[i++] - '0');
        if (v >= CPU_SETSIZE)
            return -ERANGE;
    }
    if (i == *at)
        return -EINVAL;
    *at = i;
    return v;
}

/* One "a" or "a-b" added to the set. */
static int
parse_range(struct slice text, size_t *at, cpu_set_t *set)
{
    int first = parse_number(text, at), last = first;

    if (first < 0)
        return first;
    if (*at < text.n && text.p[*at] == '-') {
        ++*at;
        last = parse_number(text, at);
        if (last < 0)
            return last;
    }
    if (last < first)
        return -EINVAL;
    for (; first <= last; first++)
        CPU_SET(first, set);
    return 0;
}

int
cpu_set_parse(struct slice text, struct cpu_set *ret_set)
{
    struct cpu_set s;
    size_t at = 0;
    int err;

    CPU_ZERO(&s.set);
    for (;;) {
        err = parse_range(text, &at, &s.set);
        if (err)
            return err;
        if (at == text.n)
            break;
        if (text.p[at++] != ',')
            return -EINVAL;
    }
    s.n = (unsigned)CPU_COUNT(&s.set);
    *ret_set = s;
    return 0;
}

size_t
cpu_set_format(const struct cpu_set *s, char *buf, size_t size)
{
    size_t n = 0;
    int a, b, w;

    ASSERT(size > 0);
    buf[0] = '\0';
    for (a = 0; a < CPU_SETSIZE; a = b + 1) {
        b = a;
        if (!CPU_ISSET(a, &s->set))
            continue;
        while (b + 1 < CPU_SETSIZE && CPU_ISSET(b + 1, &s->set))
            b++;
        w = snprintf(buf + n, size - n, a == b ? "%s%d" : "%s%d-%d", n ? "," : "", a, b);
        ASSERT(w > 0);
        if ((size_t)w >= size - n) {
            buf[n] = '\0';
            break;
        }
        n += (size_t)w;
    }
    return n;
}

int
cpu_set_allowed(struct cpu_set *ret_set)
{
    cpu_set_t set;

    if (sched_getaffinity(0, sizeof(set), &set))
        return -errno;
    ret_set->set = set;
    ret_set->n = (unsigned)CPU_COUNT(&set);
    return 0;
}

int
cpu_set_possible(struct cpu_set *ret_set)
{
    int fd = open("/sys/devices/system/cpu/possible", O_RDONLY | O_CLOEXEC);
    char text[4096];
    ssize_t n;

    if (fd < 0)
        return -errno;
    n = read(fd, text, sizeof(text));
    close(fd);
    while (n > 0 && text[n - 1] == '\n')
        n--;
    return n > 0 ? cpu_set_parse((struct slice){text, (size_t)n}, ret_set) : -EIO;
}

bool
cpu_set_within(const struct cpu_set *s, const struct cpu_set *of)
{
    cpu_set_t both;

    CPU_AND(&both, &s->set, &of->set);
    return CPU_EQUAL(&both, &s->set);
}

int
cpu_set_at(const struct cpu_set *s, unsigned i)
{
    int cpu;

    for (cpu = 0; cpu < CPU_SETSIZE; cpu++)
        if (CPU_ISSET(cpu, &s->set) && i-- == 0)
            return cpu;
    return -1;
}

bool
cpu_set_has(const struct cpu_set *s, int cpu)
{
    return cpu >= 0 && cpu < CPU_SETSIZE && CPU_ISSET(cpu, &s->set);
}

int
cpu_pin(int cpu)
{
    struct cpu_set s = {.n = 1};

    if (cpu < 0 || cpu >= CPU_SETSIZE)
        return -EINVAL;
    CPU_SET(cpu, &s.set);
    return cpu_bind(&s);
}

int
cpu_bind(const struct cpu_set *s)
{
    return sched_setaffinity(0, sizeof(s->set), &s->set) ? -errno : 0;
}

/* Linux keeps a priority for each thread; 0 names the calling one. */
void
cpu_yield_to_loops(void)
{
    setpriority(PRIO_PROCESS, 0, getpriority(PRIO_PROCESS, 0) + YIELD_NICE);
}
