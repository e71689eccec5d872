/* SPDX-License-Identifier: MIT */
/* Messages to the caller's log callback; without one they cost a test. */
#ifndef UTIL_LOG_H
#define UTIL_LOG_H

enum { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

struct log {
	void (*fn)(void *data, int level, const char *msg);
	void *data;
};
void log_msg(const struct log *log, int level, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

#endif
