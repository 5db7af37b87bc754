/* How far a file has been loaded: kept on the server, in the same transactions as the points.
 *
 * A position beside the file would be written before or after the points of which it speaks, and a
 * kill between the two would lose points or, under KEEP and SUM, write them twice. So the server
 * keeps it, as string keys:
 *
 *     pinstripe-load:NAME          "3 LINE OFFSET OPEN LAST-BYTES LAST
 *                                     LANES OPTIONS FIRST-BYTES FIRST"
 *     pinstripe-load:NAME:{TAG}    "LINE OFFSET OPEN LAST-BYTES LAST" of one lane
 *
 * NAME is the file's, or --load-name. LINE and OFFSET say that all points of the lines up to there
 * are in; the first key says so for all lanes, and is what remains when the file is loaded. TAG is
 * a hash tag that puts a lane's key on the core of that lane's series, so that a transaction needs
 * no second core. LAST is a hash of the last LAST-BYTES before OFFSET, the end of that line.
 * OPTIONS is a hash of what decides how lines become points, FIRST one of the first FIRST-BYTES of
 * the file: another file or another mapping under the same name is refused, also a file that begins
 * as it did and has other lines further on, if the last one loaded is among them.
 *
 * OPEN is 1 when the line had no end, being the last one of the file. It may get one, and others
 * behind it; but when it goes on it was read half, and what it gave is wrong: that is refused, too.
 *
 * Two loads at once under one name would defeat this, and so would the commands of a killed load
 * that the server still has in its buffers. Therefore every connection of a load bears its name
 * (CLIENT SETNAME), and a load begins when CLIENT LIST shows no other of that name. */
#ifndef TOOLS_LOAD_POSITION_H
#define TOOLS_LOAD_POSITION_H

#include "core/base.h"
#include "tools/lib/client.h"
#include "tools/load/lane.h"

#define POSITION_NAME_MAX 255
#define POSITION_KEY_MAX (POSITION_NAME_MAX + 64)
#define POSITION_PLACE_MAX 96 /* three numbers, a flag, a hash */
#define POSITION_TEXT_MAX 224  /* a version, a place, three numbers, two hashes */
#define POSITION_FIRST_BYTES 4096 /* of the file, that identify it */
#define POSITION_LAST_BYTES 4096  /* of a line, the same */
#define POSITION_ERROR_MAX 512

struct place {
    uint64_t line, offset;
    bool open; /* the line had no end */
    uint64_t last_n,
        last_hash; /* of the end of the line, up to POSITION_LAST_BYTES; n 0: unknown */
};

struct position {
    char name[POSITION_NAME_MAX + 1]; /* printable, without spaces */
    unsigned lanes;
    uint64_t options_hash;
    struct place now;             /* behind the line that was given last */
    struct place lane[LANES_MAX]; /* found at the start */
    struct place start;           /* the first of these */
    uint64_t open_line;           /* the next line behind it that a lane found open, 0: none */
    int fd;                       /* the connection that holds the name */
    struct client_target target;
    char key[LANES_MAX][POSITION_KEY_MAX + 1];
    char text[POSITION_TEXT_MAX];
    char error[POSITION_ERROR_MAX];
};

/* Takes the name for this process, waits for an earlier load under it to be gone, and reads what is
 * there, or writes the first record. `lanes` is how many to use when nothing is there; p->lanes is
 * how many to use. The wait is at most wait_seconds. `first` is the beginning of the file, up to
 * POSITION_FIRST_BYTES. 0, or a negative errno with p->error set. position_close is due in any
 * case. */
int position_open(struct position *p, const struct client_target *t, const char *name,
                  unsigned lanes, uint64_t options_hash, struct slice first, uint64_t wait_seconds);
void position_close(struct position *p);
/* For the sink: the key and the text of a lane's position after p->now. */
void position_of_lane(void *position, unsigned lane, struct slice *ret_key,
                      struct slice *ret_position);
/* The text of a lane's position as it was found. */
struct slice position_found(struct position *p, unsigned lane);
/* All of the file up to p->now is in: one record for all lanes instead of theirs. */
int position_finish(struct position *p, struct slice first);
/* Is this the text before p->start? 0, or -EINVAL with p->error set. */
int position_check_last(struct position *p, struct slice last);
/* p->open_line was read again: the offsets behind its text and behind its end. 0, or -EINVAL with
 * p->error set when it has become another; then the next one is p->open_line. */
int position_check_open(struct position *p, uint64_t text_end, uint64_t end);
/* A line that was open has gone on: -EINVAL, with p->error set. */
int position_went_on(struct position *p, uint64_t line);
/* The client name of every connection of the load. */
const char *position_client_name(const struct position *p);

#endif
