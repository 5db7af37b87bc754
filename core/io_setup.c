/* Creating and ending the ring.
 *
 * The modes below are tried best first; a kernel that knows a flag less answers EINVAL and gets the
 * next one. What was chosen is kept as text (io_describe) for the log and INFO. */
#include "core/io_priv.h"

#include "core/cpu.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define PROBE_OPS 256

static const unsigned modes[] = {
    IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_COOP_TASKRUN |
        IORING_SETUP_TASKRUN_FLAG | IORING_SETUP_SUBMIT_ALL,
    IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG |
        IORING_SETUP_SUBMIT_ALL,
    IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG | IORING_SETUP_SUBMIT_ALL,
    IORING_SETUP_SUBMIT_ALL,
    0,
};
const unsigned io_modes = ARRAY_SIZE(modes);

static const struct {
    unsigned flag;
    const char *name;
} flag_names[] = {
    {IORING_SETUP_SINGLE_ISSUER, "SINGLE_ISSUER"}, {IORING_SETUP_DEFER_TASKRUN, "DEFER_TASKRUN"},
    {IORING_SETUP_COOP_TASKRUN, "COOP_TASKRUN"},   {IORING_SETUP_TASKRUN_FLAG, "TASKRUN_FLAG"},
    {IORING_SETUP_SUBMIT_ALL, "SUBMIT_ALL"},
};

/* ---- refusals ---- */

static bool
io_uring_disabled(void)
{
    int fd = open("/proc/sys/kernel/io_uring_disabled", O_RDONLY | O_CLOEXEC);
    char c = '0';
    ssize_t n;

    if (fd < 0)
        return false;
    n = read(fd, &c, 1);
    close(fd);
    return n == 1 && c != '0';
}

static const char *
why_refused(int err)
{
    switch (-err) {
    case EPERM:
    case EACCES:
        if (io_uring_disabled())
            return "io_uring is switched off on this machine: run `sysctl "
                   "kernel.io_uring_disabled=0` "
                   "as root";
        return "io_uring is forbidden, most likely by the container's seccomp profile or an LSM "
               "policy: allow io_uring_setup, io_uring_enter and io_uring_register (Docker: "
               "--security-opt seccomp=PROFILE)";
    case ENOSYS:
        return "this kernel has no io_uring, or a seccomp profile hides it: run Linux 6.1 or newer "
               "with CONFIG_IO_URING and allow io_uring_setup, io_uring_enter and "
               "io_uring_register";
    case ENOMEM:
        return "no memory for the io_uring: raise the memlock limit (`ulimit -l unlimited`, "
               "LimitMEMLOCK=infinity) or the container's memory limit";
    case EMFILE:
    case ENFILE:
        return "no descriptor left for the io_uring: raise the limit of open files (`ulimit -n`, "
               "LimitNOFILE=)";
    case EINVAL:
        return "the kernel's io_uring is too old: run Linux 6.1 or newer";
    default:
        return "io_uring could not be set up";
    }
}

/* ---- setting up ---- */

static int
ring_open(struct io *io, const struct io_options *opt, unsigned first_mode)
{
    struct io_uring_params p;
    int err = -EINVAL;
    unsigned i;

    for (i = first_mode; i < ARRAY_SIZE(modes) && err == -EINVAL; i++) {
        memset(&p, 0, sizeof(p));
        p.flags = modes[i] | IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP;
        p.cq_entries = opt->cq_entries;
        err = io_uring_queue_init_params(opt->sq_entries, &io->ring, &p);
    }
    return err;
}

/* The operations that Linux 6.0 brought cannot be asked for one by one; NODROP and EXT_ARG can,
 * and the last one of 6.0, zero-copy send, stands for the others (multishot receive). 0, or why the
 * ring cannot be used. */
static int
ring_capable(struct io *io)
{
    const unsigned need = IORING_FEAT_NODROP | IORING_FEAT_EXT_ARG;
    struct io_uring_probe *probe;
    int err;

    probe = calloc(1, sizeof(*probe) + PROBE_OPS * sizeof(probe->ops[0]));
    if (!probe)
        return -ENOMEM;
    err = io_uring_register_probe(&io->ring, probe, PROBE_OPS);
    if (!err && ((io->ring.features & need) != need ||
                 !io_uring_opcode_supported(probe, IORING_OP_SEND_ZC)))
        err = -EINVAL;
    free(probe);
    return err;
}

/* The three system calls are allowed or forbidden one by one: this one would only be found forbidden
 * when everything is open. */
static int
ring_try(struct io *io)
{
    int err = io_uring_submit_and_get_events(&io->ring);

    return MIN(err, 0);
}

/* The kernel drops CPUs it does not have from the mask without a word, down to an empty one. */
static bool
workers_cpus_exist(const struct cpu_set *cpus)
{
    struct cpu_set possible;

    return cpu_set_possible(&possible) || (cpus->n && cpu_set_within(cpus, &possible));
}

static int
workers_limit(struct io *io, const struct cpu_set *cpus)
{
    unsigned limits[2] = {IO_WORKERS_BOUNDED_MAX, IO_WORKERS_UNBOUNDED_MAX};
    int err = io_uring_register_iowq_max_workers(&io->ring, limits);

    if (!err && cpus && !workers_cpus_exist(cpus))
        err = -EINVAL;
    if (!err && cpus)
        err = io_uring_register_iowq_aff(&io->ring, sizeof(cpus->set), &cpus->set);
    return err;
}

static void
describe(struct io *io, bool ring_fd_registered)
{
    size_t i, n = 0, size = sizeof(io->describe);

    for (i = 0; i < ARRAY_SIZE(flag_names); i++)
        if (io->ring.flags & flag_names[i].flag)
            n += (size_t)snprintf(io->describe + n, size - n, "%s%s", n ? "|" : "",
                                  flag_names[i].name);
    snprintf(io->describe + n, size - n, "%s, %u SQ / %u CQ, %u receive buffers of %u bytes%s",
             n ? "" : "no flags", io->ring.sq.ring_entries, io->ring.cq.ring_entries, io->bufs.n,
             io->bufs.bytes, ring_fd_registered ? ", registered ring descriptor" : "");
}

static struct io_options
with_defaults(const struct io_options *opt)
{
    struct io_options o = *opt;

    o.sq_entries = o.sq_entries ? o.sq_entries : IO_SQ_ENTRIES;
    o.cq_entries = MAX(o.cq_entries ? o.cq_entries : IO_CQ_ENTRIES, o.sq_entries);
    o.recv_buffers = o.recv_buffers ? o.recv_buffers : IO_RECV_BUFFERS;
    o.recv_buffer_bytes = o.recv_buffer_bytes ? o.recv_buffer_bytes : IO_RECV_BUFFER_BYTES;
    return o;
}

/* Everything that is registered with a ring that exists. */
static int
ring_equip(struct io *io, const struct io_options *opt, const char **ret_why)
{
    int err = ring_capable(io);

    if (!err)
        err = ring_try(io);
    if (err) {
        *ret_why = why_refused(err);
        return err;
    }
    err = io_buffers_init(io, opt->recv_buffers, opt->recv_buffer_bytes);
    if (err) {
        *ret_why = err == -ENOMEM ? "no memory for the receive buffers: lower their number or size"
                                  : why_refused(err);
        return err;
    }
    err = workers_limit(io, opt->worker_cpus);
    if (err)
        *ret_why = "the CPUs for background work cannot be used by io_uring's worker threads: "
                   "check background-cpus against the CPUs this process may run on";
    return err;
}

int
io_create_mode(struct io **ret_io, const struct io_options *user_opt, unsigned first_mode,
               const char **ret_why)
{
    struct io_options opt = with_defaults(user_opt);
    struct io *io;
    int err;

    if ((opt.recv_buffers & (opt.recv_buffers - 1)) || opt.recv_buffers > IO_RECV_BUFFERS_MAX) {
        *ret_why = "the number of receive buffers must be a power of two of at most 32768";
        return -EINVAL;
    }
    io = calloc(1, sizeof(*io));
    if (!io) {
        *ret_why = "out of memory";
        return -ENOMEM;
    }
    list_init(&io->held);
    timer_heap_init(&io->held_due);
    io->owner = gettid();
    err = ring_open(io, &opt, first_mode);
    if (err) {
        *ret_why = why_refused(err);
        free(io);
        return err;
    }
    err = ring_equip(io, &opt, ret_why);
    if (err) {
        io_destroy(&io);
        return err;
    }
    /* Saves the kernel a descriptor look-up at every enter; older kernels just do it. */
    describe(io, io_uring_register_ring_fd(&io->ring) == 1);
    *ret_io = io;
    return 0;
}

int
io_create(struct io **ret_io, const struct io_options *opt, const char **ret_why)
{
    return io_create_mode(ret_io, opt, 0, ret_why);
}

void
io_destroy(struct io **iop)
{
    struct io *io = *iop;

    if (!io)
        return;
    /* When the owner's thread has ended the kernel has already cancelled what it had. */
    if (gettid() == io->owner)
        io_drain(io);
    io_uring_queue_exit(&io->ring);
    io_buffers_fini(io);
    io_fault_fini(io);
    free(io);
    *iop = NULL;
}

const char *
io_describe(const struct io *io)
{
    return io->describe;
}
