/* pinstripe-check: are the parts of a data directory all there and its own, and the journals below it
 * whole, from what the store beside them lacks on? Explains what is not, and cuts damage off a journal on
 * request.
 *
 *   pinstripe-check [--verbose] [--cut [--yes]] DIR
 *
 * Exit status: 0 every journal can be read (a torn tail is no damage), 1 one is damaged or a part is
 * missing or not the directory's own, 2 something else went wrong. */
#include "shards/engine/recovery.h"
#include "shards/journal/journal_dir.h"
#include "shards/node/datadir.h"

#include <fcntl.h>
#include <ftw.h>
#include <getopt.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

#define DIRS_MAX 65536   /* journals below one directory */
#define CUTS_MAX 100     /* damaged places of one journal that are cut in one run */
#define OPEN_DIRS_MAX 16 /* descriptors the directory walk may use */

enum verdict { CLEAN = 0, DAMAGED = 1, TROUBLE = 2 };

struct options {
    bool verbose, cut, yes;
    const char *dir;
};

/* nftw has no argument for its callback. */
static char *dirs[DIRS_MAX];
static size_t ndirs;

/* ---- finding journals ---- */

static int
visit(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    size_t n = ftw->base > 0 ? (size_t)ftw->base - 1 : 0;

    if (flag != FTW_F || !journal_name_number(path + ftw->base))
        return 0;
    if (ndirs && strlen(dirs[ndirs - 1]) == n && strncmp(dirs[ndirs - 1], path, n) == 0)
        return 0;
    if (ndirs == DIRS_MAX)
        return -1;
    dirs[ndirs++] = strndup(path, n);
    return 0;
}

static int
by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* A directory with subdirectories between its files was noted more than once. */
static void
sort_dirs(void)
{
    size_t i, n = 0;

    qsort(dirs, ndirs, sizeof(*dirs), by_text);
    for (i = 0; i < ndirs; i++)
        if (n == 0 || strcmp(dirs[n - 1], dirs[i]) != 0)
            dirs[n++] = dirs[i];
    ndirs = n;
}

/* ---- telling ---- */

static void
print_segments(const char *dir)
{
    struct journal_dir d;
    struct journal_dir_entry *e;
    size_t i;

    if (journal_dir_open(&d, dir, NULL))
        return;
    for (i = 0; i < d.n; i++) {
        e = &d.items[i];
        printf("  segment %" PRIu64 ": %" PRIu64 " bytes, ", e->number, e->size);
        if (e->rule)
            printf("header unreadable: %s\n", e->rule);
        else if (e->h.state == JOURNAL_SEGMENT_SPARE)
            printf("spare\n");
        else
            printf("from LSN %" PRIu64 ", incarnation %" PRIu32 "\n", e->h.first_lsn,
                   e->h.incarnation);
    }
    journal_dir_close(&d);
}

static void
note_if_open(const char *dir)
{
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0)
        return;
    if (flock(fd, LOCK_SH | LOCK_NB) && errno == EWOULDBLOCK)
        printf("  in use by a running server: what it writes meanwhile may look torn or damaged\n");
    close(fd);
}

static void
print_whole(const char *dir, const struct journal_tail *t)
{
    char name[JOURNAL_NAME_BYTES];

    if (t->records)
        printf("%s: %" PRIu64 " records, LSN %" PRIu64 " to %" PRIu64, dir, t->records,
               t->first_lsn, t->last_lsn);
    else
        printf("%s: no records, LSN %" PRIu64 " is next", dir, t->last_lsn + 1);
    printf(", %" PRIu64 " batches, %" PRIu64 " bytes, %" PRIu64 " segments\n", t->batches, t->bytes,
           t->segments);
    if (!t->torn_bytes)
        return;
    journal_name(t->torn_segment, name);
    printf("  torn tail: %" PRIu64 " bytes in %s from offset %" PRIu64
           ". This write never ended, so\n"
           "  nothing in it was acknowledged; the server cuts it when it starts.\n",
           t->torn_bytes, name, t->torn_offset);
}

static void
print_damage(const char *dir, const struct journal_error *err)
{
    printf("%s: DAMAGED\n  %s\n", dir, err->text);
    if (err->last_lsn)
        printf("  Records up to LSN %" PRIu64 " can be read.", err->last_lsn);
    else
        printf("  No record before it can be read.");
    printf(
        " Something that was once on disk is no\n"
        "  longer there, so the server does not start: acknowledged writes are missing. First try\n"
        "  a replica or a backup. --cut gives up everything from this place on.\n");
}

/* Nothing of the journal is damaged, but it is not the one of this store, or not all of it. */
static void
print_short(const char *dir, const char *what)
{
    printf("%s: DAMAGED\n  %s.\n  The server does not start. Bring back what is missing, or take a backup "
           "of the whole\n  directory.\n", dir, what);
}

/* ---- cutting ---- */

static bool
confirm(const struct options *o, const char *dir)
{
    char answer[16];

    if (o->yes)
        return true;
    printf("  Cut %s there? A copy of what is cut stays beside it (*.cut). [y/N] ", dir);
    fflush(stdout);
    return fgets(answer, sizeof(answer), stdin) && (answer[0] == 'y' || answer[0] == 'Y');
}

static enum verdict
cut(const char *dir, uint64_t segment, uint64_t offset)
{
    struct journal_error err;
    int code = journal_cut(dir, segment, offset, &err);

    if (code == 0) {
        printf("  cut\n");
        return CLEAN;
    }
    fprintf(stderr, "%s%s\n", err.text,
            code == -EBUSY ? ": the server is running, stop it first" : "");
    return TROUBLE;
}

/* ---- one journal ---- */

/* Asks for all records behind the store's, so that those that are missing are noticed. */
static int
take_record(void *arg, uint64_t lsn, struct slice record)
{
    return 0;
}

/* How far the store beside a journal is: its journal must go on from there. False: there is none. */
static bool
store_beside(const char *dir, char *out, size_t size)
{
    const char *slash = strrchr(dir, '/');
    struct stat st;

    if (slash == NULL || strcmp(slash, "/journal") != 0)
        return false;
    snprintf(out, size, "%.*s/store", (int)(slash - dir), dir);
    return stat(out, &st) == 0 && S_ISDIR(st.st_mode);
}

static int
scan_behind_store(const char *dir, const char *store, struct journal_tail *ret_tail,
                  struct journal_error *err)
{
    struct checkpoint_state state = {0};
    struct store_error why = {""};
    uint64_t before;
    int code = checkpoint_peek_state(store, &state, &why);

    if (code < 0) {
        snprintf(err->text, sizeof(err->text), "the store in %.80s cannot be read: %.140s", store,
                 why.text);
        return -EUCLEAN;
    }
    do { /* a running server may store more, and give up what it has stored, meanwhile */
        before = state.lsn;
        code = journal_scan(dir, state.lsn, take_record, NULL, ret_tail, err);
    } while (code == -EBADMSG && checkpoint_peek_state(store, &state, &why) == 0 &&
             state.lsn != before);
    if (code == 0 && recovery_check_end(dir, state.lsn, ret_tail, err) < 0)
        code = -EUCLEAN;
    return code;
}

static enum verdict
check_once(const struct options *o, const char *dir, bool *ret_again)
{
    struct journal_tail tail;
    struct journal_error err = {.text = ""};
    char store[PATH_MAX];
    int code = store_beside(dir, store, sizeof(store))
                   ? scan_behind_store(dir, store, &tail, &err)
                   : journal_scan(dir, 0, NULL, NULL, &tail, &err);
    uint64_t segment, offset;

    *ret_again = false;
    if (code == -EUCLEAN) {
        print_short(dir, err.text);
        return DAMAGED;
    }
    if (code && code != -EBADMSG) {
        fprintf(stderr, "%s\n", err.text);
        return TROUBLE;
    }
    segment = code ? err.segment : tail.torn_segment;
    offset = code ? err.offset : tail.torn_offset;
    if (code)
        print_damage(dir, &err);
    else
        print_whole(dir, &tail);
    if (!o->cut || (!code && !tail.torn_bytes) || !confirm(o, dir))
        return code ? DAMAGED : CLEAN;
    *ret_again = true;
    return cut(dir, segment, offset);
}

static enum verdict
check(const struct options *o, const char *dir)
{
    enum verdict v = CLEAN;
    bool again = true;
    int i;

    note_if_open(dir);
    if (o->verbose)
        print_segments(dir);
    for (i = 0; i < CUTS_MAX && again && v == CLEAN; i++)
        v = check_once(o, dir, &again);
    return v;
}

/* ---- the directory ---- */

/* MANIFEST and the parts it names. A directory that is above or below one has nothing to check. */
static enum verdict
check_directory(const char *dir)
{
    struct buf err = {0};
    int code = datadir_inspect(dir, &err);

    if (code)
        printf("%s: DAMAGED\n  %.*s.\n  The server does not start. Bring back what is missing, or take a "
               "backup of the whole directory.\n", dir, (int)err.n, err.p);
    buf_fini(&err);
    return code ? DAMAGED : CLEAN;
}

/* ---- command line ---- */

static void
usage(FILE *to)
{
    fprintf(to, "Usage: pinstripe-check [--verbose] [--cut [--yes]] DIR\n"
                "Checks the data directory DIR and every journal below it and explains what is wrong.\n"
                "  -v, --verbose  list the segments\n"
                "      --cut      give up a torn or damaged tail, after asking\n"
                "      --yes      do not ask\n"
                "Exit status: 0 all can be read, 1 damage, 2 trouble.\n");
}

static bool
parse(int argc, char **argv, struct options *o)
{
    static const struct option longs[] = {{"verbose", no_argument, NULL, 'v'},
                                          {"cut", no_argument, NULL, 'c'},
                                          {"yes", no_argument, NULL, 'y'},
                                          {"help", no_argument, NULL, 'h'},
                                          {0}};
    int c;

    while ((c = getopt_long(argc, argv, "vh", longs, NULL)) != -1) {
        o->verbose |= c == 'v';
        o->cut |= c == 'c';
        o->yes |= c == 'y';
        if (c == 'h') {
            usage(stdout);
            exit(0);
        }
        if (c == '?')
            return false;
    }
    if (optind + 1 != argc || (o->yes && !o->cut))
        return false;
    o->dir = argv[optind];
    return true;
}

int
main(int argc, char **argv)
{
    enum verdict v, worst = CLEAN;
    struct options o = {0};
    size_t i;

    if (!parse(argc, argv, &o)) {
        usage(stderr);
        return TROUBLE;
    }
    if (nftw(o.dir, visit, OPEN_DIRS_MAX, 0)) { /* also what is elsewhere, behind a link */
        fprintf(stderr, "cannot read %s: %s\n", o.dir,
                ndirs == DIRS_MAX ? "too many journals" : strerror(errno));
        return TROUBLE;
    }
    worst = check_directory(o.dir);
    if (ndirs == 0) {
        fprintf(stderr, "there is no journal below %s\n", o.dir);
        return MAX(worst, TROUBLE);
    }
    sort_dirs();
    for (i = 0; i < ndirs; i++) {
        v = check(&o, dirs[i]);
        worst = MAX(worst, v);
    }
    return worst;
}
