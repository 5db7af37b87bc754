/* Staying alive when the disk is full, and coming back when there is room again.
 *
 * Most of the time nothing here is needed: a commit that would leave less than room_bytes free is
 * refused before RocksDB sees it (-ENOSPC, reads go on), and a table file that cannot be written to
 * its end is simply removed. The rest is about errors inside RocksDB. RocksDB 7.8 recovers by
 * itself from a MANIFEST it could not write for want of room, but forgets to withdraw the flag by
 * which ingestion checks for errors: the next ingestion goes on with file number 0 and runs into an
 * assertion, which Debian's build has switched on, and the process is gone. So after an error
 * inside RocksDB this database is not ingested into again. Instead:
 *
 *   wounded    an ingestion failed, or RocksDB counts an error of a compaction
 *   probe      an empty write, which changes nothing, tells whether RocksDB has recovered; until it
 *              has, commits fail with the error it is in
 *   reopen     then the database is closed and opened, which makes everything as new
 *
 * After a compaction that could not read a table RocksDB never recovers, and would meet that table again
 * right after the next open. So then the database is opened without compactions: what is committed
 * stays in tables of its own, which costs reads time and deleted rows their room, until a new start
 * finds the table whole.
 *
 * (RocksDB's own log file has such an assertion too: no line after one that could not be written.
 * So it gets its header when the database is opened, for which there must be room, and nothing
 * later: see store_options.c.)
 *
 * Closing needs every reader out. Readers pass a gate: they count themselves in, then look whether
 * it is shut; the reopening thread shuts it, then looks whether anybody is in. Both are
 * sequentially consistent, so at least one of the two sees the other. A loop that finds the gate
 * shut gets -EAGAIN, as for a row that is not cached, and a helper waits. This is the one place of
 * the store that is shared between threads of ours, hence the atomics. */
#include "shards/store/store_priv.h"

#include <sys/statvfs.h>
#include <time.h>

#define GATE_POLL_NS 1000000L
#define GATE_POLLS_MAX 200 /* then the commit fails and the next one tries again */

static void
wait_a_little(void)
{
    nanosleep(&(struct timespec){.tv_nsec = GATE_POLL_NS}, NULL);
}

bool
store_enter(struct store *s, bool wait)
{
    for (;;) {
        atomic_fetch_add_explicit(&s->readers, 1, memory_order_seq_cst);
        if (likely(!atomic_load_explicit(&s->gate_shut, memory_order_seq_cst)))
            return true;
        store_leave(s);
        if (!wait)
            return false;
        wait_a_little();
    }
}

void
store_leave(struct store *s)
{
    /* Release: what was read is read before the reopening thread sees us gone. */
    atomic_fetch_sub_explicit(&s->readers, 1, memory_order_release);
}

/* True when all readers are out and none can come in. */
static bool
shut_gate(struct store *s)
{
    atomic_store_explicit(&s->gate_shut, true, memory_order_seq_cst);
    for (int i = 0; i < GATE_POLLS_MAX; i++) {
        if (atomic_load_explicit(&s->readers, memory_order_seq_cst) == 0)
            return true;
        wait_a_little();
    }
    atomic_store_explicit(&s->gate_shut, false, memory_order_seq_cst);
    return false;
}

static void
open_gate(struct store *s)
{
    /* Release: whoever sees the gate open sees the new s->db. */
    atomic_store_explicit(&s->gate_shut, false, memory_order_seq_cst);
}

/* Closes and opens. When opening fails there is no database until a later commit succeeds with it;
 * readers get -EIO meanwhile. */
static int
reopen(struct store *s, struct store_error *err)
{
    int r;

    if (!shut_gate(s))
        return store_error_errno(err, "the store recovers when its iterators are closed", EBUSY);
    if (s->db)
        rocksdb_close(s->db);
    s->db = NULL;
    r = store_open_db(s, err);
    open_gate(s);
    if (r == 0)
        s->wounded = false;
    return r;
}

static int
probe(struct store *s, struct store_error *err)
{
    rocksdb_writebatch_t *nothing = rocksdb_writebatch_create();
    rocksdb_writeoptions_t *how = rocksdb_writeoptions_create();
    char *message = NULL;

    rocksdb_writeoptions_disable_WAL(how, 1);
    rocksdb_write(s->db, how, nothing, &message);
    rocksdb_writeoptions_destroy(how);
    rocksdb_writebatch_destroy(nothing);
    return message ? store_error_take(err, message) : 0;
}

static void
stop_compactions(struct store *s, const struct store_error *why)
{
    s->unreadable = *why;
    rocksdb_options_set_disable_auto_compactions(s->options, 1);
    atomic_store_explicit(&s->keeps_tables, true, memory_order_release);
}

bool
store_keeps_tables(struct store *s, struct store_error *ret_why)
{
    if (likely(!atomic_load_explicit(&s->keeps_tables, memory_order_acquire)))
        return false;
    *ret_why = s->unreadable;
    return true;
}

int
store_heal(struct store *s, struct store_error *err)
{
    struct store_error why;
    uint64_t errors = 0;
    int r;

    if (s->db) {
        if (!s->wounded && rocksdb_property_int(s->db, "rocksdb.background-errors", &errors) == 0 &&
            errors == 0)
            return 0;
        s->wounded = true;
        r = probe(s, &why);
        if (r < 0 && !store_error_is_of_reading(why.text)) {
            *err = why;
            return r;
        }
        if (r < 0)
            stop_compactions(s, &why);
    }
    return reopen(s, err);
}

int
store_check_room(struct store *s, uint64_t bytes, struct store_error *err)
{
    struct statvfs fs;

    if (statvfs(s->dir, &fs) < 0)
        return store_error_errno(err, s->dir, errno);
    if ((uint64_t)fs.f_bavail * fs.f_frsize < bytes + s->room_bytes)
        return store_error_errno(err, s->dir, ENOSPC);
    return 0;
}

int
store_check_health(struct store *s, uint64_t bytes, struct store_error *err)
{
    int r = store_check_room(s, bytes, err);

    return r < 0 ? r : store_heal(s, err);
}
