/* What DUMP answers and RESTORE takes.
 *
 * The envelope is that of Redis 7.0: a type byte, the value, the version of the RDB format (2 bytes),
 * CRC64 of all that (8 bytes). A string is a string of RDB, so it goes from and to a redis-server. A
 * series is a module value of RDB, of a module of our own, so that programs that read RDB can step
 * over it: a string with its metadata, then a string for each encoded block. Byte by byte in
 * docs/FORMATS.md. Pure functions: any thread. */
#ifndef SHARDS_COMMANDS_DUMP_PAYLOAD_H
#define SHARDS_COMMANDS_DUMP_PAYLOAD_H

#include "core/buf.h"
#include "net/number.h"
#include "shards/series/series_meta.h"

#define DUMP_RDB_VERSION 10          /* that of Redis 7.0 */
#define DUMP_RDB_VERSION_READ_MAX 12 /* strings are the same up to there: Redis 8.0 */
#define DUMP_SERIES_VERSION 1
#define DUMP_POINTS_MAX (16 * 1024 * 1024) /* of a series */

/* --- writing ---------------------------------------------------------------------------------- */

/* The payload of a string, and how many bytes that are. */
void dump_write_string(struct buf *out, struct slice value);
uint64_t dump_string_bytes(struct slice value);

/* That of a series: what it is, then its blocks, by data type and time, then the end; `from` is where
 * in the buffer the payload begins. */
void dump_series_begin(struct buf *out, const struct series_meta *m);
void dump_series_block(struct buf *out, uint8_t type, struct slice block);
void dump_series_end(struct buf *out, size_t from);

/* --- reading ---------------------------------------------------------------------------------- */

enum dump_kind { DUMP_STRING, DUMP_SERIES };

enum dump_error {
    DUMP_OK,
    DUMP_SUM,     /* version or checksum are wrong */
    DUMP_DAMAGED, /* the sum is right, but this is no value */
    DUMP_TYPE,    /* a value of a type that is not here: `type` */
    DUMP_MODULE,  /* a value of a module: `module` */
    DUMP_LONG,    /* a string longer than `string_max` */
    DUMP_POINTS,  /* a series of more than DUMP_POINTS_MAX points */
};

/* A payload understood: every length was checked, every block decoded once. Slices point into the
 * payload, or to what dump_fini frees. */
struct dump {
    enum dump_kind kind;
    struct slice string;
    char digits[RESP_INT_TEXT_MAX]; /* of a string that stood there as an integer */
    char *unpacked;                 /* of one that was compressed */
    struct series_meta meta;
    struct slice blocks; /* for dump_next_block */
    uint64_t points;
    /* why not */
    uint8_t type;
    char module[10];
};

/* On anything but DUMP_OK only `type` and `module` are set, and nothing is to be freed. */
enum dump_error dump_parse(struct slice payload, uint64_t string_max, struct dump *ret);
/* Takes the next block off d->blocks; false when there is none. */
bool dump_next_block(struct dump *d, uint8_t *ret_type, struct slice *ret_block);
void dump_fini(struct dump *d);

/* A payload of these bytes before its version and sum, for tests. */
void dump_write_footer(struct buf *out, size_t from);

#endif
