/* The log. Any thread may write; a line is formatted by the caller and put into a bounded queue, a
 * logger thread does the writing, so a slow terminal never blocks a loop. When the queue is full
 * lines are dropped and the number of dropped lines is logged later. Before log_start and after
 * log_stop lines go straight to the file. Format: "2026-01-31T12:00:00.123Z info  message". */
#ifndef CORE_LOG_H
#define CORE_LOG_H

#include "core/base.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

#define LOG_QUEUE_LINES 4096
#define LOG_LINE_BYTES_MAX 1024

/* `path` NULL or "" = standard error. 0 or a negative errno. */
int log_start(const char *path, enum log_level level);
/* Writes what is queued and joins the thread. */
void log_stop(void);
void log_set_level(enum log_level level);

/* One line, without its end; any thread. Queued for the log's thread, or counted and dropped: it
 * never blocks while that runs. Before and after, it is written at once. */
__attribute__((format(printf, 2, 3))) void log_write(enum log_level level, const char *fmt, ...);

#define log_debug(...) log_write(LOG_DEBUG, __VA_ARGS__)
#define log_info(...) log_write(LOG_INFO, __VA_ARGS__)
#define log_warn(...) log_write(LOG_WARN, __VA_ARGS__)
#define log_error(...) log_write(LOG_ERROR, __VA_ARGS__)

#endif
