/* Setting up: what is chosen, and what a refusal says. */
#include "io_fixture.h"

#include "core/cpu.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

Test(io_setup, says_what_was_chosen)
{
    struct io *io = make_io(0);

    cr_assert(strstr(io_describe(io), "SINGLE_ISSUER|DEFER_TASKRUN|"), "%s", io_describe(io));
    cr_assert(strstr(io_describe(io), "1024 SQ / 8192 CQ, 8 receive buffers of 64 bytes"));
    io_destroy(&io);
    io = make_io(io_modes - 1);
    cr_assert_eq(strncmp(io_describe(io), "no flags, ", 10), 0, "%s", io_describe(io));
    io_destroy(&io);
}

Test(io_setup, defaults_are_used_for_what_is_not_given)
{
    struct io *io = make_io_mode(&(struct io_options){0}, 0);

    cr_assert_eq(io_buf_free(io), 1024);
    cr_assert_eq(io_buf_bytes(io), 16 * KIB);
    io_destroy(&io);
}

Test(io_setup, a_number_of_buffers_that_is_no_power_of_two_is_refused)
{
    struct io_options opt = {.recv_buffers = 12};
    const char *why = NULL;
    struct io *io = NULL;

    cr_assert_eq(io_create(&io, &opt, &why), -EINVAL);
    cr_assert(strstr(why, "power of two"));
    opt.recv_buffers = 2 * IO_RECV_BUFFERS_MAX;
    cr_assert_eq(io_create(&io, &opt, &why), -EINVAL);
    cr_assert_null(io);
}

Test(io_setup, a_kernel_that_knows_no_mode_is_too_old)
{
    struct io_options opt = {0};
    const char *why = NULL;
    struct io *io = NULL;

    cr_assert_eq(io_create_mode(&io, &opt, io_modes, &why), -EINVAL);
    cr_assert(strstr(why, "6.1"));
}

Test(io_setup, worker_cpus_are_accepted_if_they_exist_and_refused_if_not)
{
    struct io_options opt = {.recv_buffers = 8};
    struct cpu_set cpus;
    const char *why = NULL;
    struct io *io = NULL;

    cr_assert_eq(cpu_set_allowed(&cpus), 0);
    opt.worker_cpus = &cpus;
    cr_assert_eq(io_create(&io, &opt, &why), 0);
    io_destroy(&io);
    CPU_ZERO(&cpus.set);
    CPU_SET(1000, &cpus.set);
    cr_assert_neq(io_create(&io, &opt, &why), 0);
    cr_assert(strstr(why, "background-cpus"), "%s", why);
    cr_assert_null(io);
}

/* From here on this process gets `error` from one of io_uring's system calls, as in a container. */
static void
forbid_io_uring(unsigned call, int error)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)error),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog prog = {ARRAY_SIZE(code), code};

    cr_assert_eq(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
    cr_assert_eq(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog), 0);
}

static void
check_refusal_of(unsigned call, int error, const char *expected)
{
    struct io_options opt = {0};
    const char *why = NULL;
    struct io *io = NULL;

    forbid_io_uring(call, error);
    cr_assert_eq(io_create(&io, &opt, &why), -error);
    cr_assert(why && strstr(why, expected), "%s", why);
    cr_assert_null(io);
}

static void
check_refusal(int error, const char *expected)
{
    check_refusal_of(SYS_io_uring_setup, error, expected);
}

Test(io_setup, each_of_the_system_calls_may_be_the_one_that_is_forbidden)
{
    check_refusal_of(SYS_io_uring_enter, EPERM, "seccomp");
    check_refusal_of(SYS_io_uring_register, EACCES, "seccomp");
    check_refusal_of(SYS_io_uring_setup, EPERM, "seccomp");
}

Test(io_setup, eperm_names_seccomp)
{
    check_refusal(EPERM, "seccomp");
}

Test(io_setup, enosys_names_the_kernel_and_seccomp)
{
    check_refusal(ENOSYS, "CONFIG_IO_URING");
}

Test(io_setup, enomem_names_the_memlock_limit)
{
    check_refusal(ENOMEM, "memlock");
}

Test(io_setup, emfile_names_the_descriptor_limit)
{
    check_refusal(EMFILE, "ulimit -n");
}
