/* Words that files have for "no value": null, N/A. A cell that is one of them gives no point, as an
 * empty one. */
#ifndef TOOLS_LOAD_MISSING_H
#define TOOLS_LOAD_MISSING_H

#include "core/base.h"

#define MISSING_DEFAULT "null,none,na,n/a,#n/a"
#define MISSING_WORDS_MAX 16

struct missing {
    unsigned n;
    struct slice words[MISSING_WORDS_MAX];
    bool begins[256]; /* bytes that a word begins with: other cells are not looked at further */
};

/* Reads --missing, words with commas between them, which stays where it is; "" is none. 0, or
 * -EINVAL: more than MISSING_WORDS_MAX, or an empty one. */
int missing_init(struct missing *m, const char *text);
/* Is the cell one of the words, ASCII case ignored? */
bool missing_has(const struct missing *m, struct slice cell);

#endif
