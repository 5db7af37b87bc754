#include "bench/load_keys.h"

#include <stdlib.h>

#define CRC16_POLY 0x1021

static uint16_t
crc16(const char *p, size_t n)
{
    uint16_t crc = 0;
    int bit;

    while (n--) {
        crc ^= (uint16_t)((uint8_t)*p++ << 8);
        for (bit = 0; bit < 8; bit++)
            crc = (uint16_t)(crc & 0x8000 ? (crc << 1) ^ CRC16_POLY : crc << 1);
    }
    return crc;
}

unsigned
load_slot_of(const char *key, size_t n)
{
    const char *open = memchr(key, '{', n);
    const char *close = open ? memchr(open + 1, '}', (size_t)(key + n - open - 1)) : NULL;

    if (close && close > open + 1) {
        n = (size_t)(close - open - 1);
        key = open + 1;
    }
    return crc16(key, n) % LOAD_SLOTS;
}

/* Counting sort by node: count, turn the counts into starts, place. */
static int
group_by_node(struct load_space *sp, const uint8_t *node_of_slot, unsigned nodes)
{
    char key[LOAD_KEY_PREFIX_MAX + LOAD_KEY_DIGITS];
    size_t prefix_n = strlen(sp->prefix);
    uint64_t at[LOAD_NODES_MAX] = {0}, i;
    uint8_t *node_of_key = malloc(sp->n);

    sp->ids = malloc(sp->n * sizeof(*sp->ids));
    if (!sp->ids || !node_of_key) {
        free(node_of_key);
        return -ENOMEM;
    }
    memcpy(key, sp->prefix, prefix_n);
    for (i = 0; i < sp->n; i++) {
        load_put_digits(key + prefix_n, LOAD_KEY_DIGITS, i);
        node_of_key[i] = node_of_slot[load_slot_of(key, prefix_n + LOAD_KEY_DIGITS)];
        at[node_of_key[i]]++;
    }
    sp->group_at[0] = 0;
    for (i = 0; i < nodes; i++) {
        sp->group_at[i + 1] = sp->group_at[i] + at[i];
        at[i] = sp->group_at[i];
    }
    for (i = 0; i < sp->n; i++)
        sp->ids[at[node_of_key[i]]++] = (uint32_t)i;
    free(node_of_key);
    return 0;
}

int
load_space_init(struct load_space *sp, const char *prefix, uint64_t n, const uint8_t *node_of_slot,
                unsigned nodes)
{
    ASSERT(n > 0 && nodes > 0 && nodes <= LOAD_NODES_MAX);
    ASSERT(strlen(prefix) <= LOAD_KEY_PREFIX_MAX);
    ASSERT(!node_of_slot || n <= LOAD_CLUSTER_KEYS_MAX);
    memset(sp, 0, sizeof(*sp));
    sp->prefix = prefix;
    sp->n = n;
    sp->group_at[1] = n;
    return node_of_slot ? group_by_node(sp, node_of_slot, nodes) : 0;
}

void
load_space_fini(struct load_space *sp)
{
    free(sp->ids);
    memset(sp, 0, sizeof(*sp));
}

int
load_set_init(struct load_set *set, const struct load_space *sp, unsigned node, unsigned part,
              unsigned parts, enum load_order order, double theta)
{
    uint64_t first = sp->group_at[node], n = sp->group_at[node + 1] - first;

    ASSERT(part < parts);
    n = n > part ? (n - part + parts - 1) / parts : 0;
    if (n == 0)
        return -ENOENT;
    memset(set, 0, sizeof(*set));
    set->ids = sp->ids;
    set->first = first + part;
    set->stride = parts;
    set->n = n;
    set->order = order;
    if (order == LOAD_ORDER_ZIPF)
        load_zipf_init(&set->zipf, n, theta);
    return 0;
}
