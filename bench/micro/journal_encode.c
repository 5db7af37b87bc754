/* What the journal costs the loop besides the system call: appending records of about 45 bytes and
 * sealing a batch (both checksums, padding), and the checksum alone. One JSON object a line:
 *
 *   journal_encode  ns a record, for batches of some sizes; no I/O
 *   journal_crc32c  GB/s, with the CPU's instructions and without */
#include "shards/journal/journal_format.h"
#include "shards/journal/journal_writer.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define RECORDS 20000000u
#define RECORD_BYTES 45
#define CRC_BYTES (2 * GIB)
#define ROUNDS 3

/* CPU time of this thread: the machine may be busy with other things. */
static double
now_s(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Like a SET: an operation, a key of 16 bytes, an expiry, a value of 19. */
static inline void
fill_record(char *p, uint64_t i)
{
    p[0] = 1;
    p[1] = 16;
    memcpy(p + 2, "key:000000000000", 16);
    put_le64(p + 10, i);
    put_le64(p + 18, 0);
    memcpy(p + 26, "a value of 19 bytes", 19);
}

static double
encode_ns(uint32_t batch_records)
{
    struct journal j = {.next_lsn = 1, .open_first_lsn = 1};
    struct journal_batch b = {.segment = 1, .incarnation = 1};
    uint32_t i, in_batch = 0;
    double start;

    journal_grow(&j, 1 * MIB);
    j.open.n = JOURNAL_BATCH_HEADER_BYTES;
    start = now_s();
    for (i = 0; i < RECORDS; i++) {
        fill_record(journal_append(&j, RECORD_BYTES), i);
        if (++in_batch < batch_records)
            continue;
        b.first_lsn = j.open_first_lsn;
        b.records = in_batch;
        journal_batch_seal(j.open.p, j.open.n, 12345, &b);
        j.open.n = JOURNAL_BATCH_HEADER_BYTES;
        j.open_first_lsn = j.next_lsn;
        in_batch = 0;
    }
    start = now_s() - start;
    buf_fini(&j.open);
    return start * 1e9 / RECORDS;
}

static double
crc_gb_s(uint32_t (*fn)(uint32_t, const void *, size_t), size_t n, const char *p, uint64_t total)
{
    volatile uint32_t crc = 0;
    double start = now_s();
    uint64_t done;

    for (done = 0; done < total; done += n)
        crc = fn(crc, p, n);
    return (double)total / 1e9 / (now_s() - start);
}

int
main(void)
{
    static const uint32_t batches[] = {1, 16, 100, 1000, 20000};
    static const size_t sizes[] = {64, 4096, 65536, 1048576};
    char *p = calloc(1, 1 * MIB);
    double ns, best;
    size_t i;
    int round;

    for (i = 0; i < ARRAY_SIZE(batches); i++) {
        for (best = 1e9, round = 0; round < ROUNDS; round++)
            best = MIN(best, (ns = encode_ns(batches[i])));
        printf("{\"name\":\"journal_encode\",\"ns\":%.1f,\"batch_records\":%u,"
               "\"record_bytes\":%d}\n",
               best, batches[i], RECORD_BYTES);
    }
    for (i = 0; i < ARRAY_SIZE(sizes); i++)
        printf("{\"name\":\"journal_crc32c\",\"bytes\":%zu,\"gb_s\":%.2f,\"portable_gb_s\":%.2f}\n",
               sizes[i], crc_gb_s(journal_crc32c, sizes[i], p, CRC_BYTES),
               crc_gb_s(journal_crc32c_portable, sizes[i], p, CRC_BYTES / 8));
    free(p);
    return 0;
}
