/* Runs the tests of one program, each in a child process, and prints Criterion's closing line. */
#include <criterion/criterion.h>

#include <stdarg.h>
#include <sys/wait.h>
#include <unistd.h>

#define TIMEOUT_S 300

static struct tsan_test *tests;
static unsigned failures; /* of the child's one test */

void
tsan_register(struct tsan_test *t)
{
    t->next = tests;
    tests = t;
}

void
tsan_check(bool ok, bool fatal, const char *file, int line, const char *what, const char *format,
           ...)
{
    va_list ap;

    if (ok)
        return;
    fprintf(stderr, "%s:%d: %s", file, line, what);
    va_start(ap, format);
    vfprintf(stderr, format, ap);
    va_end(ap);
    fputc('\n', stderr);
    if (fatal)
        _exit(1);
    failures++;
}

static struct tsan_options
suite_options(const char *suite)
{
    const struct tsan_test *t;

    for (t = tests; t != NULL; t = t->next)
        if (t->run == NULL && strcmp(t->suite, suite) == 0)
            return t->options;
    return (struct tsan_options){0};
}

static _Noreturn void
child(const struct tsan_test *t)
{
    struct tsan_options suite = suite_options(t->suite);
    double timeout = t->options.timeout > 0 ? t->options.timeout : suite.timeout;

    alarm(timeout > 0 ? (unsigned)timeout : TIMEOUT_S);
    if (suite.init != NULL)
        suite.init();
    if (t->options.init != NULL)
        t->options.init();
    t->run();
    if (t->options.fini != NULL)
        t->options.fini();
    if (suite.fini != NULL)
        suite.fini();
    /* exit, not _exit: ThreadSanitizer then turns a report into a bad exit code. */
    exit(failures > 0 ? 1 : 0);
}

static bool
passes(const struct tsan_test *t)
{
    pid_t pid = fork();
    int status;

    if (pid == 0)
        child(t);
    if (pid < 0 || waitpid(pid, &status, 0) != pid)
        return false;
    if (t->options.signal != 0)
        return WIFSIGNALED(status) && WTERMSIG(status) == t->options.signal;
    return WIFEXITED(status) && WEXITSTATUS(status) == t->options.exit_code;
}

int
main(void)
{
    unsigned tested = 0, passed = 0;
    const struct tsan_test *t;

    for (t = tests; t != NULL; t = t->next) {
        bool ok;

        if (t->run == NULL || t->options.disabled)
            continue;
        fflush(NULL);
        ok = passes(t);
        tested++;
        passed += ok;
        if (!ok)
            fprintf(stderr, "[FAIL] %s::%s\n", t->suite, t->name);
    }
    printf("[====] Synthesis: Tested: %u | Passing: %u | Failing: %u | Crashing: 0\n", tested,
           passed, tested - passed);
    return tested > 0 && passed == tested ? 0 : 1;
}
