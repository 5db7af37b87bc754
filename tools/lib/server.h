/* What a server says of itself. */
#ifndef TOOLS_LIB_SERVER_H
#define TOOLS_LIB_SERVER_H

#include "core/base.h"
#include "tools/lib/client.h"

#define SERVER_VALUE_MAX 64

/* A setting, by CONFIG GET, into `ret` (SERVER_VALUE_MAX bytes). 1, 0 when the server refuses to
 * tell or has no such setting, or a negative errno with a sentence in `error`. */
int server_setting(const struct client_target *t, int fd, const char *name, char *ret, char *error,
                   size_t error_size);
/* Its run_id, by INFO, into `ret` (SERVER_VALUE_MAX bytes): no two servers have the same one. 1, 0 when
 * it does not tell, or a negative errno with a sentence in `error`. */
int server_run_id(const struct client_target *t, int fd, char *ret, char *error, size_t error_size);
/* Is it a Pinstripe, by INFO? 1, 0, or a negative errno with a sentence in `error`; also when the
 * server refuses INFO. */
int server_is_pinstripe(const struct client_target *t, int fd, char *error, size_t error_size);

#endif
