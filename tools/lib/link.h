/* A connection and what is asked over it, one thing after the other; everything waits for its
 * answer. */
#ifndef TOOLS_LIB_LINK_H
#define TOOLS_LIB_LINK_H

#include "core/base.h"
#include "tools/lib/client.h"

#define LINK_WAIT_SECONDS 60 /* for an answer: the server may have to read from disk */
#define LINK_ERROR_MAX 512

struct link {
    int fd;
    struct client_target target;
    struct buf command, reply; /* of what was asked last */
    char error[LINK_ERROR_MAX];
};

/* 0, or a negative errno with link.error set; link_close is due in any case. */
int link_open(struct link *l, const struct client_target *t);
void link_close(struct link *l);
/* The answer lies in l->reply until the next question. -EPROTO with the error text in l->error when
 * the server refuses. */
int link_ask(struct link *l, unsigned argc, const struct slice *argv);
/* -EPROTO with a sentence: the answer has not the shape it should. */
int link_bad_answer(struct link *l, const char *command);

#endif
