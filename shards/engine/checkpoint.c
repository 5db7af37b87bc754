#include "shards/engine/checkpoint.h"

#include "alloc/scratch.h"
#include "core/log.h"
#include "shards/engine/core.h"
#include "shards/engine/exec.h"
#include "shards/engine/expire.h"
#include "shards/labels/labels.h"
#include "shards/series/series_row.h"
#include "shards/series/series_store.h"
#include "shards/store/row.h"

#include <stdlib.h>

enum checkpoint_stage { GATHER, WAIT, WRITE, SETTLE };

/* One captured entry. Lives in the checkpoint's memory until it is settled. */
struct item {
    struct item *next;
    struct series_key *series; /* whose chunks are lent; identity only */
    struct series_flush *flushes;
    uint32_t flushes_n;
    uint32_t row_n;  /* 0 = the key is gone: remove its rows */
    char *row;       /* main row's value */
    uint16_t key_n;
    uint8_t db;
    uint8_t was;     /* ENTRY_IN_STORE, ENTRY_MAYBE_STORE or 0 */
    bool purge;      /* sub rows of an older incarnation must go */
    bool labels;     /* so does its row of labels, or it becomes ... */
    uint32_t labels_n;
    char *labels_row; /* ... this */
    char key[];
};

/* A series whose entry went away while its chunks were lent. */
struct orphan {
    struct orphan *next;
    struct series_key *series;
};

struct checkpoint {
    struct offload_job job;
    struct shard *sh;
    enum checkpoint_stage stage;
    uint64_t started_ns;
    uint64_t start_lsn; /* replay starts after it */
    uint64_t need_lsn;  /* must be on disk before anything is written */
    uint8_t db;         /* being gathered */
    bool purge_db[SHARD_DBS];
    uint32_t flushes[SHARD_DBS]; /* of each database, at the start */
    struct scratch memory;
    struct item *items, **tail, *at;
    bool settling;
    uint64_t rows, bytes;
    struct list waiters;
    struct orphan *orphans;
    /* the helper's result */
    int rc;
    struct store_error error;
    uint64_t keys[SHARD_DBS];
};

/* What outlives single checkpoints; one a shard. */
struct checkpoint_control {
    bool requested;
    uint64_t retry_ns;
    struct list waiters; /* of the next one */
    struct checkpoint_stats stats;
};

static struct checkpoint_control *
control(struct shard *sh)
{
    if (sh->checkpoint_control == NULL) {
        sh->checkpoint_control = calloc(1, sizeof(struct checkpoint_control));
        ASSERT(sh->checkpoint_control);
        list_init(&sh->checkpoint_control->waiters);
    }
    return sh->checkpoint_control;
}

void
checkpoint_request(struct shard *sh)
{
    control(sh)->requested = true;
}

void
checkpoint_wait(struct shard *sh, struct checkpoint_waiter *w)
{
    list_push_back(&control(sh)->waiters, &w->node);
    checkpoint_request(sh);
}

bool
checkpoint_wait_running(struct shard *sh, struct checkpoint_waiter *w)
{
    if (sh->checkpoint == NULL)
        return false;
    list_push_back(&sh->checkpoint->waiters, &w->node);
    return true;
}

const struct checkpoint_stats *
checkpoint_stats(const struct shard *sh)
{
    return &control((struct shard *)sh)->stats;
}

/* --- start --------------------------------------------------------------------------------------- */

static struct checkpoint *
checkpoint_begin(struct shard *sh)
{
    struct checkpoint *c = calloc(1, sizeof(*c));

    ASSERT(c);
    c->sh = sh;
    c->stage = GATHER;
    c->started_ns = clock_now_ns();
    c->start_lsn = sh->recovering ? sh->replayed_lsn : journal_last_lsn(&sh->journal);
    c->tail = &c->items;
    scratch_init(&c->memory);
    list_init(&c->waiters);
    list_splice(&c->waiters, &control(sh)->waiters);
    control(sh)->requested = false;
    control(sh)->stats.running = true;
    for (unsigned i = 0; i < SHARD_DBS; i++) {
        c->purge_db[i] = sh->db[i].hidden;
        c->flushes[i] = sh->db[i].flushes;
        c->keys[i] = sh->db[i].hidden ? 0 : sh->db[i].stored_keys;
        head_flush_begin(&sh->db[i].head);
    }
    sh->checkpoint = c;
    return c;
}

static bool
anything_dirty(const struct shard *sh, uint64_t *ret_bytes)
{
    bool any = false;

    *ret_bytes = 0;
    for (unsigned i = 0; i < SHARD_DBS; i++) {
        any = any || sh->db[i].head.dirty_count > 0 || sh->db[i].hidden;
        *ret_bytes += sh->db[i].head.dirty_bytes;
    }
    return any;
}

static void
waiters_done(struct list *waiters, int rc)
{
    struct list *node;

    while ((node = list_pop_front(waiters))) {
        struct checkpoint_waiter *w = list_entry(node, struct checkpoint_waiter, node);

        w->done(w, rc);
    }
}

static void
nothing_to_do(struct shard *sh)
{
    struct checkpoint_control *ctl = control(sh);

    ctl->requested = false;
    ctl->stats.last_unix_s = clock_wall_us() / 1000000;
    waiters_done(&ctl->waiters, 0);
}

static bool
should_begin(struct shard *sh)
{
    const struct config *config = &sh->core->config;
    struct checkpoint_control *ctl = control(sh);
    uint64_t dirty_bytes;
    bool any = anything_dirty(sh, &dirty_bytes);

    if (ctl->requested && !any) {
        nothing_to_do(sh);
        return false;
    }
    if (ctl->retry_ns > sh->core->reactor.clock.mono_ns || store_is_stalled(sh->store))
        return false;
    return ctl->requested || dirty_bytes > config->checkpoint_dirty_bytes ||
           (any && journal_live_bytes(&sh->journal) > config->checkpoint_journal_bytes);
}

/* --- gather -------------------------------------------------------------------------------------- */

static struct item *
item_new(struct checkpoint *c, struct entry *e)
{
    struct slice key = entry_key(e);
    struct item *it = scratch_alloc(&c->memory, sizeof(*it) + key.n);

    *it = (struct item){.key_n = (uint16_t)key.n, .db = c->db};
    memcpy(it->key, key.p, key.n);
    it->was = e->flags & (ENTRY_IN_STORE | ENTRY_MAYBE_STORE);
    it->purge = (e->flags & ENTRY_PURGE) != 0;
    *c->tail = it;
    c->tail = &it->next;
    c->rows++;
    return it;
}

static void
item_row(struct checkpoint *c, struct item *it, const struct buf *row)
{
    it->row = scratch_alloc(&c->memory, row->n);
    it->row_n = (uint32_t)row->n;
    memcpy(it->row, row->p, row->n);
    c->bytes += row->n;
}

/* With what the key is now: main row and row of labels always tell the same moment. */
static void
capture_labels(struct checkpoint *c, struct item *it, struct buf *row)
{
    struct labels *x = c->sh->db[it->db].labels;
    struct slice key = {it->key, it->key_n};

    row->n = 0;
    it->labels = x && labels_capture(x, key, head_hash(key), row);
    if (!it->labels || row->n == 0)
        return;
    it->labels_row = scratch_alloc(&c->memory, row->n);
    it->labels_n = (uint32_t)row->n;
    memcpy(it->labels_row, row->p, row->n);
    c->bytes += row->n;
}

static void
capture_series(struct checkpoint *c, struct item *it, struct entry *e, struct buf *row)
{
    struct shard *sh = c->sh;
    struct series_key *sk = entry_ptr(e);
    uint64_t as_of = sh->recovering ? sh->replayed_lsn : journal_last_lsn(&sh->journal);

    it->series = sk;
    it->flushes_n = sk->n;
    it->flushes = scratch_alloc(&c->memory, MAX(sk->n, 1u) * sizeof(*it->flushes));
    for (uint32_t i = 0; i < sk->n; i++) {
        series_flush_begin(sk->types[i], &sh->series_limits, as_of, &it->flushes[i]);
        c->bytes += it->flushes[i].open.n * sizeof(struct sample);
    }
    series_row_write(row, sk, as_of);
}

static void
capture(struct checkpoint *c, struct entry *e, struct buf *row)
{
    struct item *it = item_new(c, e);

    e->flags &= (uint8_t)~ENTRY_PURGE;
    e->flags |= ENTRY_FLUSHING;
    capture_labels(c, it, row);
    if (e->flags & ENTRY_TOMBSTONE)
        return;
    row->n = 0;
    expire_sweep_note(c->sh, entry_expire(e));
    if (e->type == ENTRY_STRING) {
        struct slice value = entry_string(e);

        row_head_write(row, e->type, entry_expire(e));
        buf_append(row, value.p, value.n);
    } else {
        series_row_head_write(row, entry_expire(e), series_key_meta(entry_ptr(e)));
        capture_series(c, it, e, row);
    }
    item_row(c, it, row);
}

/* Captures a slice. True when every database is through. */
static bool
gather_slice(struct checkpoint *c, uint32_t entries, uint64_t bytes)
{
    struct buf row = {0};
    uint64_t stop = c->bytes + bytes;

    while (entries > 0 && c->bytes < stop && c->db < SHARD_DBS) {
        struct entry *e = head_flush_pop(&c->sh->db[c->db].head);

        if (e == NULL) {
            c->db++;
            continue;
        }
        capture(c, e, &row);
        entries--;
    }
    buf_fini(&row);
    return c->db == SHARD_DBS;
}

/* --- write: on the helper ------------------------------------------------------------------------- */

/* Looks up a key nobody looked up before: is there a row, and are there blocks below it? */
static int
look_up(struct checkpoint *c, struct item *it, struct slice row_key)
{
    struct store_value v;
    struct row_head head;
    struct slice payload;
    int rc = store_get(c->sh->store, row_key, &v, &c->error);

    if (rc < 0)
        return rc;
    it->was = rc ? ENTRY_IN_STORE : 0;
    if (rc) {
        if (row_head_parse(v.v, &head, &payload) && head.type == ENTRY_SERIES)
            it->purge = true;
        store_value_put(&v);
    }
    return 0;
}

static void
write_labels(struct store_batch *b, const struct item *it, uint16_t slot)
{
    char name[ROW_KEY_BYTES_MAX];
    struct slice row = {name, 0};

    if (!it->labels)
        return;
    row.n = row_labels(name, it->db, slot, (struct slice){it->key, it->key_n});
    if (it->labels_n)
        store_batch_put(b, row, (struct slice){it->labels_row, it->labels_n});
    else
        store_batch_delete(b, row);
}

static int
write_item(struct checkpoint *c, struct store_batch *b, struct item *it)
{
    char lower[ROW_KEY_BYTES_MAX], upper[ROW_KEY_BYTES_MAX];
    struct slice key = {it->key, it->key_n};
    uint16_t slot = key_slot(key);
    struct slice main_row = {lower, row_main(lower, it->db, slot, key)};
    bool was = it->was != 0;
    int rc = 0;

    if (it->was & ENTRY_MAYBE_STORE && !c->purge_db[it->db]) {
        rc = look_up(c, it, main_row);
        was = it->was != 0;
    }
    if (rc == 0 && it->purge) {
        struct slice to = {upper, row_key_upper(upper, it->db, slot, key)};
        struct slice from = {lower, row_key_lower(lower, it->db, slot, key)};

        rc = store_batch_delete_rows(b, from, to, &c->error);
        main_row.n = row_main(lower, it->db, slot, key);
    }
    if (rc < 0)
        return rc;
    if (it->row_n)
        store_batch_put(b, main_row, (struct slice){it->row, it->row_n});
    else if (was || it->purge)
        store_batch_delete(b, main_row);
    write_labels(b, it, slot);
    for (uint32_t i = 0; i < it->flushes_n && rc == 0; i++)
        rc = series_flush_write(c->sh->store, b, it->db, slot, key, &it->flushes[i], &c->error);
    c->keys[it->db] += (uint64_t)(it->row_n != 0) - (uint64_t)was;
    return rc;
}

static const char state_row_key[] = {(char)ROW_DB_META, 'c', 'k', 'p', 't'};

void
checkpoint_put_state(struct store_batch *b, uint64_t lsn, const uint64_t *keys)
{
    char value[1 + 8 + 8 * SHARD_DBS];

    value[0] = CHECKPOINT_FORMAT_VERSION;
    put_le64(value + 1, lsn);
    for (unsigned i = 0; i < SHARD_DBS; i++)
        put_le64(value + 9 + 8 * i, keys[i]);
    store_batch_put(b, (struct slice){state_row_key, sizeof(state_row_key)},
                    (struct slice){value, sizeof(value)});
}

int
checkpoint_read_state(struct store *s, struct checkpoint_state *ret_state, struct store_error *err)
{
    struct checkpoint_state st = {0};
    struct store_value v;
    int rc = store_get(s, (struct slice){state_row_key, sizeof(state_row_key)}, &v, err);

    if (rc < 0)
        return rc;
    if (rc == 1) {
        if (v.v.n != 1 + 8 + 8 * SHARD_DBS || v.v.p[0] != CHECKPOINT_FORMAT_VERSION) {
            snprintf(err->text, sizeof(err->text),
                     "the checkpoint row has version %d and %zu bytes; this server reads version %d",
                     v.v.n ? (uint8_t)v.v.p[0] : -1, v.v.n, CHECKPOINT_FORMAT_VERSION);
            store_value_put(&v);
            return -EBADMSG;
        }
        st.lsn = get_le64(v.v.p + 1);
        for (unsigned i = 0; i < SHARD_DBS; i++)
            st.keys[i] = get_le64(v.v.p + 9 + 8 * i);
        store_value_put(&v);
    }
    *ret_state = st;
    return 0;
}

static int
purge_database(struct checkpoint *c, uint8_t db)
{
    char lower[8], upper[8];
    struct slice from = {lower, row_db_lower(lower, db)};
    struct slice to = {upper, row_db_lower(upper, db + 1)};
    int rc = store_delete_range(c->sh->store, from, to, &c->error);

    if (rc < 0)
        return rc;
    from.n = row_labels_lower(lower, db);
    to.n = row_labels_lower(upper, db + 1);
    return store_delete_range(c->sh->store, from, to, &c->error);
}

static int
purge_databases(struct checkpoint *c)
{
    int rc = 0;

    for (unsigned i = 0; i < SHARD_DBS && rc == 0; i++)
        if (c->purge_db[i])
            rc = purge_database(c, (uint8_t)i);
    return rc;
}

static void
write_work(struct offload_job *job)
{
    struct checkpoint *c = container_of(job, struct checkpoint, job);
    struct store_batch *b = store_batch_create(c->sh->store);
    int rc;

    shard_slow_down(c->sh);
    rc = purge_databases(c);

    for (struct item *it = c->items; it && rc == 0; it = it->next)
        rc = write_item(c, b, it);
    if (rc == 0) {
        checkpoint_put_state(b, c->start_lsn, c->keys);
        rc = store_batch_commit(b, &c->error);
    }
    c->rc = rc;
    store_batch_destroy(&b);
}

static void
write_done(struct offload_job *job)
{
    struct checkpoint *c = container_of(job, struct checkpoint, job);

    c->stage = SETTLE;
    c->at = c->items;
}

/* --- settle -------------------------------------------------------------------------------------- */

static bool
series_is_orphan(const struct checkpoint *c, const struct series_key *k)
{
    for (const struct orphan *o = c->orphans; o; o = o->next)
        if (o->series == k)
            return true;
    return false;
}

static void
settle_series(struct checkpoint *c, struct item *it)
{
    struct series_key *k = it->series;
    bool orphan = k && c->orphans && series_is_orphan(c, k);

    for (uint32_t i = 0; i < it->flushes_n; i++) {
        struct series *s = k ? series_find(k, it->flushes[i].type) : NULL;

        if (s && !orphan)
            series_flush_done(c->sh->arena, k, s, &it->flushes[i], c->rc == 0);
        series_flush_fini(&it->flushes[i]);
    }
}

/* Somebody goes by a list of rows that is older than this checkpoint: what is not as the list says
 * stays in memory, which is asked first, until the next one. */
static void
keep_for_walks(struct head *h, struct entry *e)
{
    if (e->flags & ENTRY_TOMBSTONE)
        head_set_store(h, e, ENTRY_MAYBE_STORE);
    head_mark_dirty(h, e);
}

static void
settle_entry(struct checkpoint *c, struct item *it, struct head *h, uint64_t hash,
             struct entry *e)
{
    bool stored = c->rc == 0 && it->row_n != 0;

    e->flags &= (uint8_t)~ENTRY_FLUSHING;
    if (c->rc < 0) {
        if (it->purge)
            e->flags |= ENTRY_PURGE;
        head_mark_dirty(h, e);
        return;
    }
    head_set_store(h, e, stored ? ENTRY_IN_STORE : 0);
    if (c->sh->walks > 0)
        keep_for_walks(h, e);
    else if ((e->flags & ENTRY_TOMBSTONE) && e->dirty_pos == 0)
        head_remove(h, hash, e);
}

/* Count and flags of a key change in the same step: "more rows than entries with a row" means that
 * the store has keys that memory has not, at any moment. */
static void
settle_count(struct checkpoint *c, const struct item *it)
{
    struct shard_db *db = &c->sh->db[it->db];

    if (c->rc == 0 && db->flushes == c->flushes[it->db])
        db->stored_keys += (uint64_t)(it->row_n != 0) - (uint64_t)(it->was != 0);
}

static void
settle_item(struct checkpoint *c, struct item *it)
{
    struct shard_db *db = &c->sh->db[it->db];
    struct slice key = {it->key, it->key_n};
    uint64_t hash = head_hash(key);
    struct entry *e = head_find(&db->head, hash, key);

    settle_count(c, it);
    settle_series(c, it);
    if (it->labels && db->labels)
        labels_settle(db->labels, key, hash, c->rc == 0);
    if (e && (e->flags & ENTRY_FLUSHING))
        settle_entry(c, it, &db->head, hash, e);
}

/* What was flushed before the checkpoint began has left the store. */
static void
settle_databases(struct checkpoint *c)
{
    c->settling = true;
    c->sh->store_epoch++;
    for (unsigned i = 0; c->rc == 0 && i < SHARD_DBS; i++) {
        struct shard_db *db = &c->sh->db[i];

        if (!c->purge_db[i] || db->flushes != c->flushes[i])
            continue;
        db->stored_keys = 0;
        db->hidden = false;
    }
}

static bool
settle_slice(struct checkpoint *c, uint32_t entries)
{
    if (!c->settling)
        settle_databases(c);
    while (c->at && entries-- > 0) {
        struct item *it = c->at;

        c->at = it->next;
        settle_item(c, it);
    }
    return c->at == NULL;
}

bool
checkpoint_keep(struct shard *sh, struct entry *e)
{
    struct orphan *o;

    if (sh->checkpoint == NULL || !(e->flags & ENTRY_FLUSHING))
        return false;
    o = malloc(sizeof(*o));
    ASSERT(o);
    *o = (struct orphan){sh->checkpoint->orphans, entry_ptr(e)};
    sh->checkpoint->orphans = o;
    return true;
}

static void
release_journal(struct checkpoint *c)
{
    struct shard *sh = c->sh;

    for (unsigned i = 0; i < SHARD_DBS; i++)
        ASSERT(sh->db[i].flushes != c->flushes[i] || sh->db[i].stored_keys == c->keys[i]);
    sh->checkpoint_lsn = c->start_lsn;
    if (!sh->recovering)
        journal_release(&sh->journal, c->start_lsn);
}

static void
record_result(struct checkpoint *c)
{
    struct checkpoint_control *ctl = control(c->sh);
    struct checkpoint_stats *st = &ctl->stats;

    st->running = false;
    st->last_error = c->rc;
    if (c->rc < 0) {
        st->failures++;
        ctl->retry_ns = clock_now_ns() + CHECKPOINT_RETRY_NS;
        log_error("core %u: checkpoint failed, tried again in a second: %s", c->sh->id,
                  c->error.text);
        return;
    }
    st->count++;
    st->rows += c->rows;
    st->bytes += c->bytes;
    st->last_ns = clock_now_ns() - c->started_ns;
    st->last_unix_s = clock_wall_us() / 1000000;
}

static void
checkpoint_end(struct checkpoint *c)
{
    struct shard *sh = c->sh;
    struct list waiters;
    int rc = c->rc;

    if (rc == 0)
        release_journal(c);
    record_result(c);
    sh->checkpoint = NULL;
    while (c->orphans) {
        struct orphan *o = c->orphans;

        c->orphans = o->next;
        series_key_destroy(sh->arena, &o->series);
        free(o);
    }
    list_init(&waiters);
    list_splice(&waiters, &c->waiters);
    scratch_fini(&c->memory);
    free(c);
    waiters_done(&waiters, rc);
    if (sh->core && !sh->recovering)
        exec_wake(sh->core);
}

/* --- driving it ------------------------------------------------------------------------------------ */

static bool
all_durable(const struct checkpoint *c)
{
    const struct shard *sh = c->sh;

    if (sh->journal.synced_lsn < c->need_lsn)
        return false;
    return list_empty(&sh->groups) ||
           list_entry(sh->groups.next, struct shard_group, node)->lsn > c->need_lsn;
}

/* The records of what was gathered will never be on disk: nothing of it may reach the store. */
static unsigned
give_up(struct checkpoint *c)
{
    c->rc = -EIO;
    snprintf(c->error.text, sizeof(c->error.text), "the journal failed");
    c->stage = SETTLE;
    c->at = c->items;
    return 1;
}

static unsigned
checkpoint_step(struct checkpoint *c)
{
    struct shard *sh = c->sh;

    switch (c->stage) {
    case GATHER:
        if (gather_slice(c, CHECKPOINT_SLICE_ENTRIES, CHECKPOINT_SLICE_BYTES)) {
            c->need_lsn = journal_last_lsn(&sh->journal);
            journal_want_durable(&sh->journal, c->need_lsn);
            c->stage = WAIT;
        }
        return 1;
    case WAIT:
        if (sh->journal.state == JOURNAL_FAILED)
            return give_up(c);
        if (!all_durable(c))
            return 0;
        c->stage = WRITE;
        c->job.work = write_work;
        c->job.done = write_done;
        offload_submit(sh->core->reactor.offload, OFFLOAD_CHECKPOINT, &c->job);
        return 1;
    case WRITE:
        return 0;
    case SETTLE:
        if (settle_slice(c, CHECKPOINT_SLICE_ENTRIES))
            checkpoint_end(c);
        return 1;
    }
    return 0;
}

unsigned
checkpoint_poll(struct shard *sh)
{
    if (!shard_available(sh))
        return 0;
    if (sh->checkpoint)
        return checkpoint_step(sh->checkpoint);
    if (!should_begin(sh))
        return 0;
    checkpoint_begin(sh);
    return 1;
}

int
checkpoint_now(struct shard *sh, struct store_error *err)
{
    struct checkpoint *c = checkpoint_begin(sh);
    int rc;

    while (!gather_slice(c, CHECKPOINT_SLICE_ENTRIES, CHECKPOINT_SLICE_BYTES))
        ;
    write_work(&c->job);
    write_done(&c->job);
    while (!settle_slice(c, CHECKPOINT_SLICE_ENTRIES))
        ;
    rc = c->rc;
    *err = c->error;
    checkpoint_end(c);
    return rc;
}

int
checkpoint_filter(void *arg, struct slice key, struct slice value, char *ret_value, size_t *ret_n)
{
    struct row_head head;
    struct slice payload;
    struct row_parts parts;
    struct buf out = {0};

    if (!row_parse(key, &parts) || parts.kind != ROW_MAIN ||
        !row_head_parse(value, &head, &payload) || head.type != ENTRY_STRING || payload.n == 0 ||
        head.expire_ms == 0 || head.expire_ms > clock_wall_us() / 1000)
        return 0;
    row_head_write(&out, ENTRY_STRING, head.expire_ms);
    memcpy(ret_value, out.p, out.n);
    *ret_n = out.n;
    buf_fini(&out);
    return 1;
}
