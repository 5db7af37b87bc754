/* Provided buffers: memory the kernel receives into, chosen when data is there, so an idle
 * connection holds none. liburing 2.3 only registers the ring of descriptors; mapping it is ours.
 */
#include "core/io_priv.h"

#include <sys/mman.h>

static void *
map_anonymous(size_t bytes)
{
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    return p == MAP_FAILED ? NULL : p;
}

static size_t
ring_bytes(const struct io_buffers *b)
{
    return b->n * sizeof(struct io_uring_buf);
}

static size_t
mem_bytes(const struct io_buffers *b)
{
    return (size_t)b->n * b->bytes;
}

static void
buffer_add(struct io_buffers *b, int id, int offset)
{
    io_uring_buf_ring_add(b->ring, b->mem + (size_t)id * b->bytes, b->bytes, (unsigned short)id,
                          io_uring_buf_ring_mask(b->n), offset);
}

int
io_buffers_init(struct io *io, unsigned n, unsigned bytes)
{
    struct io_buffers *b = &io->bufs;
    struct io_uring_buf_reg reg = {.ring_entries = n, .bgid = IO_BUF_GROUP};
    unsigned i;
    int err;

    b->n = n;
    b->bytes = bytes;
    b->ring = map_anonymous(ring_bytes(b));
    b->mem = map_anonymous(mem_bytes(b));
    if (!b->ring || !b->mem)
        return -ENOMEM;
    /* Fewer TLB misses; a kernel that does not want to is no error. */
    madvise(b->mem, mem_bytes(b), MADV_HUGEPAGE);
    reg.ring_addr = (uintptr_t)b->ring;
    err = io_uring_register_buf_ring(&io->ring, &reg, 0);
    if (err)
        return err;
    io_uring_buf_ring_init(b->ring);
    for (i = 0; i < n; i++)
        buffer_add(b, (int)i, (int)i);
    io_uring_buf_ring_advance(b->ring, (int)n);
    b->free = n;
    return 0;
}

void
io_buffers_fini(struct io *io)
{
    struct io_buffers *b = &io->bufs;

    if (b->ring)
        munmap(b->ring, ring_bytes(b));
    if (b->mem)
        munmap(b->mem, mem_bytes(b));
}

char *
io_buf(struct io *io, int id)
{
    ASSERT(id >= 0 && (unsigned)id < io->bufs.n);
    return io->bufs.mem + (size_t)id * io->bufs.bytes;
}

void
io_buf_put(struct io *io, int id)
{
    ASSERT(id >= 0 && (unsigned)id < io->bufs.n && io->bufs.free < io->bufs.n);
    buffer_add(&io->bufs, id, 0);
    io_uring_buf_ring_advance(io->bufs.ring, 1);
    io->bufs.free++;
}

unsigned
io_buf_free(const struct io *io)
{
    return io->bufs.free;
}

unsigned
io_buf_bytes(const struct io *io)
{
    return io->bufs.bytes;
}
