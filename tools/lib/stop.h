/* SIGINT and SIGTERM for programs that end in good order.
 *
 * The first one sets a flag, which the program looks at; what was begun is ended. A further one ends
 * the program at once, but only after STOP_AGAIN_MS: timeout(1) signals the program and its group,
 * and a shell's job gets the key's and the shell's, so the same wish may come twice. */
#ifndef TOOLS_LIB_STOP_H
#define TOOLS_LIB_STOP_H

#define STOP_AGAIN_MS 1000

/* From now on. The flag: 0, or the number of the signal that came. */
volatile const int *stop_catch(void);

#endif
