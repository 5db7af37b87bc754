/* Names of keys, made of what a file and its lines say: "stock_{symbol}_{kind}".
 *
 *   {key}     the symbol of the line          {symbol} {date} {kind}  parts of the file's name, in
 *   {file}    the file's name without         any order: 20131007, then trade or quote, and
 *             .csv, .gz, .zst                 what is left ("ibm_20131007_trade.csv.gz")
 *   {{  }}    the braces themselves
 */
#ifndef TOOLS_LIB_KEYNAME_H
#define TOOLS_LIB_KEYNAME_H

#include "core/base.h"
#include "core/buf.h"

#define KEYNAME_MAX 4096
#define KEYNAME_PART_MAX 255

/* What a file's name says; parts that it does not have are empty. */
struct file_facts {
    char file[KEYNAME_PART_MAX + 1];
    char symbol[KEYNAME_PART_MAX + 1];
    char date[8 + 1];
    char kind[KEYNAME_PART_MAX + 1];
};

/* What the name of a file tells ("ibm_20131007_trade.csv.gz"); parts that it has not are empty. */
void file_facts_of(struct file_facts *f, const char *path);

/* A template in which only {key} is left to fill in: before + key + after. */
struct keyname {
    bool has_key;
    size_t before_n, after_n;
    char before[KEYNAME_MAX], after[KEYNAME_MAX];
};

/* Fills in all but {key}. `f` may be NULL: then only {key} is known. NULL, or what is wrong with
 * it: a name that is unknown, a part that this file's name does not have, {key} twice. */
const char *keyname_parse(struct keyname *k, struct slice text, const struct file_facts *f);
/* The same for --key: 0, or -EINVAL with a sentence in `error`. */
int keyname_init(struct keyname *k, const char *text, const struct file_facts *f, char *error,
                 size_t error_size);
/* Appends the name, with `key` for {key}. */
void keyname_put(const struct keyname *k, struct slice key, struct buf *out);
/* The other way: the {key} of a key that has the form. False when it has not. */
bool keyname_match(const struct keyname *k, struct slice key, struct slice *ret_key);

#endif
