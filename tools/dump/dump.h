/* A dump under way: what the writers of formats share. */
#ifndef TOOLS_DUMP_DUMP_H
#define TOOLS_DUMP_DUMP_H

#include "core/base.h"
#include "tools/dump/options.h"
#include "tools/lib/keys.h"
#include "tools/lib/link.h"
#include "tools/lib/output.h"
#include "tools/lib/pager.h"
#include "tools/lib/timetext.h"

struct dump {
    struct dump_options o;
    enum time_unit unit; /* of what is stored */
    int64_t start, end;
    struct link link;
    struct keys keys; /* what was asked for, sorted */
    struct output out;
    uint64_t lines, points;
    uint64_t uneven, mixed; /* rows that are doubtful, see rows.h */
    uint64_t unreadable;    /* keys with points whose lines pinstripe-load does not read */
    uint64_t absent;        /* keys and patterns that named nothing, keys that went meanwhile */
    uint64_t infinite;      /* csv: values that no load takes */
    uint64_t retyped;       /* influx: values written as floats, against their quality */
    uint64_t not_finite;    /* influx: values that the format does not have */
    uint64_t other_types;   /* influx: points that it does not have */
    volatile const int *stop;
    char error[LINK_ERROR_MAX];
};

/* Before each line: ends the one before. */
void dump_begin_line(struct dump *d);
/* Behind each line. 0, or a negative errno with d->error set: the disk is full, a signal came. */
int dump_end_line(struct dump *d);
/* Of keys whose pages are at their end: one that does not exist, or went before all of it was
 * read, is said and counted. 0, or a negative errno with d->error set. */
int dump_check_there(struct dump *d, const struct pager *pagers, unsigned n);
/* No key is of the form of --key: says and counts it. */
void dump_say_no_form(struct dump *d);
/* The link failed: its error becomes the dump's. */
int dump_link_failed(struct dump *d, int rc);

/* The writers: all of d->keys. 0, or a negative errno with d->error set. */
int write_csv(struct dump *d);
int write_influx(struct dump *d);

#endif
