#include "tools/lib/stop.h"

#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

static volatile int stop_signal;
static volatile int64_t first_ms;

static int64_t
now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Both signals are held back while it runs; what is raised comes behind it. */
static void
on_signal(int number)
{
    if (stop_signal == 0) {
        first_ms = now_ms();
        stop_signal = number;
    } else if (now_ms() - first_ms >= STOP_AGAIN_MS) {
        signal(number, SIG_DFL);
        raise(number);
    }
}

volatile const int *
stop_catch(void)
{
    struct sigaction sa = {.sa_handler = on_signal};

    sigemptyset(&sa.sa_mask);
    sigaddset(&sa.sa_mask, SIGINT);
    sigaddset(&sa.sa_mask, SIGTERM);
    sigaction(SIGINT, &sa, NULL);
    sigaction(SIGTERM, &sa, NULL);
    return &stop_signal;
}
