#include "tools/lib/unit.h"

#include "tools/lib/server.h"

int
unit_of_server(const struct client_target *t, int fd, enum time_unit *ret, char *error,
               size_t error_size)
{
    char name[SERVER_VALUE_MAX];
    int rc = server_setting(t, fd, "timestamp-unit", name, error, error_size);

    if (rc > 0 && time_unit_parse(name, ret) < 0)
        rc = 0;
    if (rc == 0)
        *ret = TIME_MS;
    return rc;
}
