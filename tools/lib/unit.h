/* The unit of a server's timestamps, asked of it. */
#ifndef TOOLS_LIB_UNIT_H
#define TOOLS_LIB_UNIT_H

#include "tools/lib/client.h"
#include "tools/lib/timetext.h"

/* timestamp-unit of the server at `fd`. 1; 0 with *ret = TIME_MS when it does not tell; or a
 * negative errno with a sentence in `error`. */
int unit_of_server(const struct client_target *t, int fd, enum time_unit *ret, char *error,
                   size_t error_size);

#endif
