/* Byte strings, copied one by one and then put in order in steps: a million of them take a tenth of
 * a second, which is too long for a loop that has other clients.
 *
 * The bytes stand in pieces that never move, so that adding costs the same however many there are.
 * Memory is the process heap's. Owner: one thread. */
#ifndef SHARDS_LABELS_LABEL_LIST_H
#define SHARDS_LABELS_LABEL_LIST_H

#include "core/sort_steps.h"

struct label_place {
    uint64_t order;   /* eight bytes behind what all strings begin with */
    const char *text; /* the length, 4 bytes, and the string */
};

/* Starts zeroed. */
struct label_list {
    struct label_place *place; /* of each string */
    uint32_t n, cap;
    char **piece;
    uint32_t pieces, pieces_cap;
    size_t piece_used, piece_bytes; /* of the last one */
    size_t bytes;                   /* of all pieces and places that are in use */
    size_t common;                  /* bytes that all strings begin with */
    uint32_t ordered;               /* places whose order is known */
    struct sort_steps sort;
    bool sorting;
    uint32_t looked_at, distinct; /* of label_list_unite_step */
};

void label_list_fini(struct label_list *l);
/* Memory for the places of n strings in all, so that they do not move while they come. */
void label_list_reserve(struct label_list *l, uint32_t n);
void label_list_add(struct label_list *l, struct slice s);
/* Goes on with putting them in order, for a tenth of a millisecond or so; true: they are. Nothing
 * may be added from the first step on. */
bool label_list_sort_step(struct label_list *l);
/* Goes on with removing repetitions from a list in order; true: there are none. */
bool label_list_unite_step(struct label_list *l);
/* The i-th of n. */
static inline struct slice
label_list_at(const struct label_list *l, uint32_t i)
{
    const char *p = l->place[i].text;

    return (struct slice){p + sizeof(uint32_t), get_le32(p)};
}

#endif
