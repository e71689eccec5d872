/* SPDX-License-Identifier: MIT */
#include "util/log.h"
#include <stdarg.h>
#include <stdio.h>

void log_msg(const struct log *log, int level, const char *fmt, ...)
{
	char line[512];
	va_list ap;

	if (!log || !log->fn)
		return;
	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	log->fn(log->data, level, line);
}
