#include "tools/lib/unit.h"

#include <stdio.h>

/* "[timestamp-unit, ms]" */
static bool
read_unit(const struct buf *reply, enum time_unit *ret)
{
    struct reply_walk w = reply_walk_start(reply);
    struct slice text;
    char type, name[8];

    if (reply_walk_next(&w, &type, &text) != 2 || type != '*')
        return false;
    reply_walk_next(&w, &type, &text);
    if (reply_walk_next(&w, &type, &text) < 0 || type != '$' || text.n >= sizeof(name))
        return false;
    memcpy(name, text.p, text.n);
    name[text.n] = '\0';
    return time_unit_parse(name, ret) == 0;
}

int
unit_of_server(const struct client_target *t, int fd, enum time_unit *ret, char *error,
               size_t error_size)
{
    struct slice argv[] = {SLICE("CONFIG"), SLICE("GET"), SLICE("timestamp-unit")};
    struct buf command = {0}, reply = {0};
    int rc;

    client_command(&command, ARRAY_SIZE(argv), argv);
    rc = client_ask_or_say(t, fd, "CONFIG GET", &command, &reply, error, error_size);
    if (rc == 0 || rc == -EPROTO) {
        rc = rc == 0 && read_unit(&reply, ret);
        if (rc == 0)
            *ret = TIME_MS;
    }
    buf_fini(&command);
    buf_fini(&reply);
    return rc;
}
