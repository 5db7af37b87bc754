#include "tools/lib/server.h"

#include <stdio.h>

static int
ask(const struct client_target *t, int fd, unsigned argc, const struct slice *argv,
    struct buf *reply, char *error, size_t error_size)
{
    struct buf command = {0};
    int rc;

    client_command(&command, argc, argv);
    rc = client_ask_or_say(t, fd, argv[0].p, &command, reply, error, error_size);
    buf_fini(&command);
    return rc;
}

/* "[name, value]" */
static bool
read_setting(const struct buf *reply, char *ret)
{
    struct reply_walk w = reply_walk_start(reply);
    struct slice text;
    char type;

    if (reply_walk_next(&w, &type, &text) != 2 || type != '*')
        return false;
    reply_walk_next(&w, &type, &text);
    if (reply_walk_next(&w, &type, &text) < 0 || type != '$' || text.n >= SERVER_VALUE_MAX)
        return false;
    memcpy(ret, text.p, text.n);
    ret[text.n] = '\0';
    return true;
}

int
server_setting(const struct client_target *t, int fd, const char *name, char *ret, char *error,
               size_t error_size)
{
    struct slice argv[] = {SLICE("CONFIG"), SLICE("GET"), slice_of(name)};
    struct buf reply = {0};
    int rc = ask(t, fd, ARRAY_SIZE(argv), argv, &reply, error, error_size);

    if (rc == 0 || rc == -EPROTO)
        rc = rc == 0 && read_setting(&reply, ret);
    buf_fini(&reply);
    return rc;
}

static int
ask_info(const struct client_target *t, int fd, struct buf *reply, char *error, size_t error_size)
{
    struct slice argv[] = {SLICE("INFO"), SLICE("server")};

    return ask(t, fd, ARRAY_SIZE(argv), argv, reply, error, error_size);
}

int
server_run_id(const struct client_target *t, int fd, char *ret, char *error, size_t error_size)
{
    static const char field[] = "\nrun_id:";
    struct buf reply = {0};
    int rc = ask_info(t, fd, &reply, error, error_size);
    const char *at = rc == 0 ? strstr(reply.p, field) : NULL;
    size_t n = at ? strcspn(at + strlen(field), "\r\n") : 0;

    if (rc == 0 || rc == -EPROTO)
        rc = n > 0 && n < SERVER_VALUE_MAX;
    if (rc > 0) {
        memcpy(ret, at + strlen(field), n);
        ret[n] = '\0';
    }
    buf_fini(&reply);
    return rc;
}

int
server_is_pinstripe(const struct client_target *t, int fd, char *error, size_t error_size)
{
    struct buf reply = {0};
    int rc = ask_info(t, fd, &reply, error, error_size);

    if (rc == 0)
        rc = strstr(reply.p, "\npinstripe_version:") != NULL;
    buf_fini(&reply);
    return rc;
}
