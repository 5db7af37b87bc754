/* What a group of GROUPBY says of itself before its rows: labels, and the keys of its series. In RESP2 the
 * keys are the value of a label, as often as somebody selects it; in RESP3 they have a place of their own.
 *
 * The keys of a million series are many: how long the text becomes is known before it is begun, and it is
 * written in pieces. */
#ifndef SHARDS_COMMANDS_TS_GROUP_TEXT_H
#define SHARDS_COMMANDS_TS_GROUP_TEXT_H

#include "shards/commands/ts_multi.h"

/* One series of a group, and how far it is merged. */
struct group_member {
    const struct ts_page *page;
    const struct ts_item *item;
    uint32_t at;
};

/* Starts zeroed but for the first three. */
struct group_text {
    const struct group_member *members; /* at least one */
    uint32_t n;
    uint64_t keys_bytes; /* of all members */
    /* how much is written: */
    bool begun;
    uint32_t label; /* all before this one; where there are no more labels: the place of the keys */
    bool in_keys;   /* and of the keys those before this member's: */
    uint32_t member;
};

/* Bytes of the text and of the name of the group, at most. */
uint64_t group_text_bytes(const struct group_text *x, const struct ts_multi *m, int proto);
/* Appends the next piece; true: that was all. */
bool group_text_step(struct group_text *x, const struct ts_multi *m, int proto, struct buf *out);

#endif
