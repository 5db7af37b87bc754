/* Bytes that several hold at a time, on any thread: a long string in the head, the reply that shows it,
 * the checkpoint that writes it, another key that it was copied to. So none of these copies it.
 *
 * Who changes bytes makes sure that nobody else was shown them: they are not shared, or they lie
 * behind what was. Memory comes from the process heap; whoever wants it counted counts it. */
#ifndef ALLOC_BLOB_H
#define ALLOC_BLOB_H

#include "core/base.h"
#include "core/buf.h"

struct blob {
    _Atomic uint32_t refs;
    size_t bytes;
    char *p;
};

/* Of uninitialised bytes; never NULL, running out of address space aborts. The caller holds it. */
struct blob *blob_create(size_t bytes);
/* Of zeros: as cheap where it is large, for pages come when they are touched. */
struct blob *blob_create_zero(size_t bytes);
/* Takes the memory of a buffer, which is empty afterwards. */
struct blob *blob_of_buf(struct buf *b);
/* Another size; nobody else may hold it. The first bytes stay. */
void blob_resize(struct blob *b, size_t bytes);
/* One more holds it. */
struct blob *blob_get(struct blob *b);
/* One fewer does; NULL does nothing. */
void blob_put(struct blob **b);
/* May anybody else hold it? False stays false while the caller shows it to nobody. */
bool blob_is_shared(const struct blob *b);

#endif
