/* Whether a loop that ran out of work should look again for a while before it sleeps.
 *
 * Falling asleep and being woken costs both ends more CPU time than a few microseconds of looking,
 * and the one who waits for the answer five times that. Looking in vain costs all of it. What will
 * come is not known, so the past decides: polling goes on while the last attempt, or half of the
 * last eight, were ended by work; otherwise it is tried again after BUSY_POLL_RETRY sleeps, for the
 * rhythm of clients changes, and changes with how soon they are answered.
 *
 * Owner: the reactor. No clock and no limit in here, the reactor has both. */
#ifndef CORE_BUSY_POLL_H
#define CORE_BUSY_POLL_H

#include "core/base.h"

#define BUSY_POLL_ENOUGH 4 /* attempts of the last eight that must have been ended by work */
#define BUSY_POLL_RETRY 32 /* idle periods slept through before the next attempt */

struct busy_poll {
    uint8_t outcomes; /* of the last eight attempts, newest lowest: 1 = work came */
    uint8_t slept;    /* idle periods since the last attempt */
    bool polling;     /* an attempt is under way */
};

void busy_poll_init(struct busy_poll *p);
/* An idle period begins: true if it should begin with polling. */
bool busy_poll_begin(struct busy_poll *p);
/* Work came, or the time to poll is over. Nothing if no attempt is under way. */
void busy_poll_end(struct busy_poll *p, bool work_came);
/* The attempt is given up and says nothing: there is a reason to sleep at once. */
void busy_poll_cancel(struct busy_poll *p);

#endif
