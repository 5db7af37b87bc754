/* Glob patterns as Redis has them: * ? [a-z] [^a-z] and \ before a character to take it as it is.
 * A pattern costs at most pattern length x text length, whatever it looks like. */
#ifndef CORE_GLOB_H
#define CORE_GLOB_H

#include "core/base.h"

/* Does the whole text match? fold_case ignores ASCII case. */
bool glob_match(struct slice pattern, struct slice text, bool fold_case);

#endif
