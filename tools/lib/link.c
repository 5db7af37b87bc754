#include "tools/lib/link.h"

#include <stdio.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

int
link_open(struct link *l, const struct client_target *t)
{
    struct timeval limit = {LINK_WAIT_SECONDS, 0};
    int rc;

    *l = (struct link){.fd = -1, .target = *t};
    rc = client_open(t, &l->fd, l->error, sizeof(l->error));
    if (rc == 0)
        setsockopt(l->fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    return rc;
}

void
link_close(struct link *l)
{
    if (l->fd >= 0)
        close(l->fd);
    l->fd = -1;
    buf_fini(&l->command);
    buf_fini(&l->reply);
}

int
link_ask(struct link *l, unsigned argc, const struct slice *argv)
{
    l->command.n = 0;
    client_command(&l->command, argc, argv);
    return client_ask_or_say(&l->target, l->fd, argv[0].p, &l->command, &l->reply, l->error,
                             sizeof(l->error));
}

int
link_bad_answer(struct link *l, const char *command)
{
    snprintf(l->error, sizeof(l->error), "%s at %s:%u has an answer of another shape than expected",
             command, l->target.host, l->target.port);
    return -EPROTO;
}
