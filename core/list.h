/* Intrusive doubly linked list. A node is a member of the thing it links; the list owns nothing. */
#ifndef CORE_LIST_H
#define CORE_LIST_H

#include "core/base.h"

#include <stdlib.h>

struct list {
    struct list *next, *prev;
};

static inline void
list_init(struct list *l)
{
    l->next = l->prev = l;
}

static inline bool
list_empty(const struct list *l)
{
    return l->next == l;
}

static inline void
list_push_back(struct list *l, struct list *node)
{
    node->prev = l->prev;
    node->next = l;
    l->prev->next = node;
    l->prev = node;
}

/* Unlinks and leaves the node pointing at itself, so removing it twice is harmless. */
static inline void
list_remove(struct list *node)
{
    node->prev->next = node->next;
    node->next->prev = node->prev;
    node->next = node->prev = node;
}

static inline struct list *
list_pop_front(struct list *l)
{
    struct list *node = l->next;

    if (node == l)
        return NULL;
    list_remove(node);
    return node;
}

/* Moves every node of `from` to the end of `to`. */
static inline void
list_splice(struct list *to, struct list *from)
{
    if (list_empty(from))
        return;
    from->next->prev = to->prev;
    to->prev->next = from->next;
    from->prev->next = to;
    to->prev = from->prev;
    list_init(from);
}

#define list_entry(ptr, type, member) container_of(ptr, type, member)
#define list_each(it, l) for (struct list *it = (l)->next; it != (l); it = it->next)
#define list_each_safe(it, l)                                                                      \
    for (struct list *it = (l)->next, *it##_next = it->next; it != (l);                            \
         it = it##_next, it##_next = it->next)

/* An array of n empty lists, the buckets of a table; the caller frees it. */
static inline struct list *
list_array_create(size_t n)
{
    struct list *lists = malloc(n * sizeof(*lists));

    ASSERT(lists);
    for (size_t i = 0; i < n; i++)
        list_init(&lists[i]);
    return lists;
}

#endif
