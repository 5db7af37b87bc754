/* Names of columns for data types: "open=00 high=01 volume=04". A plain value. */
#ifndef CORE_FIELDMAP_H
#define CORE_FIELDMAP_H

#include "core/base.h"
#include "core/buf.h"

#define FIELDMAP_FIELDS_MAX 32
#define FIELDMAP_NAME_MAX 23 /* bytes of a name */

struct field {
    char name[FIELDMAP_NAME_MAX + 1]; /* lower case */
    uint8_t type;
};

/* Several names may stand for one data type; the first is what it is called in replies. */
struct fieldmap {
    struct field f[FIELDMAP_FIELDS_MAX];
    uint32_t n;
};

/* Names of letters, digits and _, each with = and two hexadecimal digits, separated by spaces or
 * commas. -EINVAL: `err` gets what is allowed, *ret is untouched. */
int fieldmap_parse(struct slice text, struct fieldmap *ret, struct buf *err);
/* Appends it as text that is read back as the same. */
void fieldmap_format(const struct fieldmap *m, struct buf *out);
/* By name, any case; NULL = there is none. */
const struct field *fieldmap_find(const struct fieldmap *m, struct slice name);

#endif
