/* What the files of the request parser share. */
#ifndef NET_RESP_PRIV_H
#define NET_RESP_PRIV_H

#include "net/resp.h"

/* Sets argument i (an offset or an address), growing argv when i is its capacity. */
void resp_push_arg(struct resp_parser *p, uint32_t i, uintptr_t at, size_t n);

/* Split an inline line into p->argv[0..*ret_argc); the arguments are addresses within it. */
/* One without quotes; always true. */
bool resp_split_plain(struct resp_parser *p, const char *line, size_t n, uint32_t *ret_argc);
/* Any line, unescaped in place. False = quotes do not balance. */
bool resp_split_quoted(struct resp_parser *p, char *line, size_t n, uint32_t *ret_argc);

#endif
