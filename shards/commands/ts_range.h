/* Ranges of series: their options, reading one series into rows, and rows as replies. What TS.RANGE,
 * TS.NRANGE and the multi-series commands have in common.
 *
 * The way of the points: retention, FILTER_BY_TS, FILTER_BY_VALUE, aggregation, COUNT. Stored blocks
 * that a filter excludes, or that a bucket takes whole, are never decoded. */
#ifndef SHARDS_COMMANDS_TS_RANGE_H
#define SHARDS_COMMANDS_TS_RANGE_H

#include "shards/commands/ts.h"
#include "shards/commands/ts_position.h"
#include "shards/series/aggregate.h"

#define TS_RANGE_TIMES_MAX 128     /* timestamps of FILTER_BY_TS */
#define TS_RANGE_ROWS_MAX 1000000  /* rows of one reply */

/* The open bucket of the rule that writes a series, where it was asked for before. */
struct ts_open {
    bool has;
    struct sample sample;
};

/* A range, as asked. */
struct ts_range {
    int64_t from, to; /* INT64_MIN, INT64_MAX for - and + */
    bool reverse, latest;
    uint8_t type; /* data type */
    const int64_t *times; /* FILTER_BY_TS, rising; in the scratch */
    uint32_t times_n;     /* 0 = no such filter */
    bool by_value;
    double value_min, value_max;
    uint64_t count; /* rows, UINT64_MAX = all */
    bool count_times; /* points as they are: so many times, with all points of each (KEEP) */
    /* AGGREGATION: one entry a series in NRANGE, else one; 0 = points as they are */
    const struct ts_columns *columns;
    uint32_t columns_n;
    int64_t bucket, align;
    enum bucket_stamp stamp;
    bool empty;
    bool expired_too; /* what retention hides is read as well */
    bool whole;       /* as in struct aggregation */
    const struct ts_open *open; /* for LATEST; NULL: it is looked for */
    bool latest_last; /* LATEST is ts_reading_latest's, before the end; forward only */
};

/* The options that stand anywhere behind the two times at argument `at`. `series` lists of functions
 * are expected behind AGGREGATION. False: the error is replied. */
bool ts_range_parse(struct ctx *c, uint32_t at, uint32_t series, bool reverse,
                    struct ts_range *ret_r);
/* Values of a row of series number `i`. */
static inline uint32_t
ts_range_cols(const struct ts_range *r, uint32_t i)
{
    return r->columns_n ? r->columns[i].n : 1;
}

/* Reads series number `i` of the command into out (cols = ts_range_cols). 0; -EAGAIN: ctx->need is
 * set; or an error that ts_range_error words. */
int ts_range_read(struct ctx *c, const struct key *k, const struct entry *e,
                  const struct ts_range *r, uint32_t i, struct series_table *out);
/* The same; -EINPROGRESS: the clock said until_ns before all was read, and `out` has a part of it. */
int ts_range_read_until(struct ctx *c, const struct key *k, const struct entry *e,
                        const struct ts_range *r, uint32_t i, struct series_table *out,
                        uint64_t until_ns);
const char *ts_range_error(int rc);

struct ts_around; /* what was found around a range */

/* The same in pieces, for who gives others their turn in between. Starts zeroed, and does not move. What
 * retention hides is what it hid when the reading began. With LATEST only where it is `latest_last`, or all in
 * one go. */
struct ts_reading {
    struct ts_position position;
    bool begun;
    bool complete; /* what comes behind is not wanted */
    uint64_t times; /* taken, where count_times */
    bool ended;
    int64_t from, to; /* what of the range retention and FILTER_BY_TS leave */
    int64_t visible;
    struct aggregation aggregation;
    struct bucketer *b; /* NULL: points as they are */
    struct ts_around *around; /* NULL: nobody asked */
    bool looked;              /* and all that is wanted of it is there */
    bool has_latest;    /* `latest` stands behind all points of the series */
    struct sample latest;
    /* of the present go */
    struct ctx *c;
    const struct key *k;
    const struct series *s; /* NULL: no point was ever written */
    const struct ts_range *r;
    struct series_table *out;
    bool failed; /* within something that cannot be gone on with */
};
/* Reads on until the clock says until_ns. 0: to the end of the range as it is now; -EINPROGRESS: not yet;
 * -EAGAIN: ctx->need is set; or an error that ts_range_error words. `out` is filled, and is the same in
 * every go; so is what is asked. */
int ts_reading_go(struct ts_reading *x, struct ctx *c, const struct key *k, const struct entry *e,
                  const struct ts_range *r, uint32_t i, struct series_table *out, uint64_t until_ns);
/* After the last go, of a range whose `latest_last` is set: adds the open bucket. probe: finds out only what is
 * needed for that. 0; -EAGAIN: ctx->need is set; or an error. */
int ts_reading_latest(struct ts_reading *x, struct ctx *c, const struct key *k,
                      const struct entry *e, const struct ts_range *r, bool probe);
/* After the last go: completes the rows. 0 or an error. The series is asked for nothing. */
int ts_reading_end(struct ts_reading *x);
/* Does what was read stand, if points of these times have changed? */
bool ts_reading_stands(const struct ts_reading *x, int64_t from, int64_t to);
/* No older point is wanted any more; INT64_MAX also where nothing has been asked for yet. */
int64_t ts_reading_wants_from(const struct ts_reading *x);
void ts_reading_fini(struct ts_reading *x);

/* How a row is replied. */
enum ts_row {
    TS_ROW_FLAT,   /* [timestamp, value ...] */
    TS_ROW_NESTED, /* [timestamp, [value ...]] */
    TS_ROW_TSDB,   /* flat, values as TSDB_GET writes them */
    TS_ROW_FIELDS, /* [timestamp, {name: value}]: ts_reply_fields */
};
/* Appends a row, its time and values those of a table of this one row. names: of its columns, for
 * TS_ROW_FIELDS only. */
void ts_write_row(struct buf *out, int proto, const struct series_table *row, enum ts_row shape,
                  const struct field *names);
/* Appends n rows from number `from` on, TS_ROW_FLAT, without a head. */
void ts_write_rows(struct buf *out, int proto, const struct series_table *t, uint32_t from,
                   uint32_t n);
/* Bytes of such a row's text, at most. */
size_t ts_row_bytes_max(const struct series_table *t);
/* Appends an array of the rows. Takes them: t is empty afterwards. Many are written as the client
 * takes them (core/buf.h: something must stand before them in the reply, this array's header
 * does). */
void ts_reply_table(struct buf *out, int proto, struct series_table *t, enum ts_row shape);
/* The same with rows [timestamp, {name: value}], where NaN is left out; a name for each column, at
 * most FIELDMAP_FIELDS_MAX. */
void ts_reply_fields(struct buf *out, int proto, struct series_table *t,
                     const struct field *const *names);

#endif
