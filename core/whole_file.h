/* Small text files that are there whole or not at all. Blocking. */
#ifndef CORE_WHOLE_FILE_H
#define CORE_WHOLE_FILE_H

#include "core/base.h"

/* Syncs a file or directory. 0 or a negative errno. */
int whole_file_sync(const char *path);
/* Puts a file at path, in place of the one that may be there: a file beside it, sync, rename, sync of the
 * directory. It is written to PATH.tmp, so one at a time, and nobody else. 0 or a negative errno; then
 * the file is what it was. */
int whole_file_replace(const char *path, struct slice text);
/* The same with a file that is there and that others may write as well: it keeps its mode, and what is
 * beside it has a name of its own. */
int whole_file_rewrite(const char *path, struct slice text);
/* Reads up to size - 1 bytes, synced first so that a crash cannot take back what was seen, with a zero
 * behind them. 0 or a negative errno; -EINVAL where it is no file. */
int whole_file_read(const char *path, char *out, size_t size);

#endif
