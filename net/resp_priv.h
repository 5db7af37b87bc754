/* What the files of the request parser share. */
#ifndef NET_RESP_PRIV_H
#define NET_RESP_PRIV_H

#include "net/resp.h"

/* Sets argument i (an offset or an address), growing argv when i is its capacity. */
void resp_push_arg(struct resp_parser *p, uint32_t i, uintptr_t at, size_t n);

/* Splits an inline line into p->argv[0..*ret_argc), unescaping in place; the arguments are
 * addresses. False = quotes do not balance. */
bool resp_split_inline(struct resp_parser *p, char *line, size_t n, uint32_t *ret_argc);

#endif
