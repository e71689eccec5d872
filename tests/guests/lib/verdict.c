/* SPDX-License-Identifier: MIT */
/* What a test found, and its last line. */
#include "guest.h"

enum { SUCCESS, SKIP, ERROR, FAILURE };
static const char *const verdicts[] = { "SUCCESS", "SKIP", "ERROR", "FAILURE" };
static int outcome = SUCCESS;
static char detail[200];
static unsigned int failures;

static void note(int what, const char *fmt, __builtin_va_list ap)
{
	char line[200];

	vsnprintf(line, sizeof(line), fmt, ap);
	if (++failures <= 40)
		printk("%s: %s\n", verdicts[what], line);
	if (what > outcome) {
		outcome = what;
		memcpy(detail, line, sizeof(detail));
	}
}

#define NOTE(name, what) \
	void name(const char *fmt, ...) \
	{ \
		__builtin_va_list ap; \
		__builtin_va_start(ap, fmt); \
		note(what, fmt, ap); \
		__builtin_va_end(ap); \
	}
NOTE(test_failed, FAILURE)
NOTE(test_error, ERROR)
NOTE(test_skip, SKIP)

void test_end(void)
{
	struct sched_shutdown bye = { .reason = SHUTDOWN_poweroff };
	char line[300];
	int n;

	n = snprintf(line, sizeof(line), "TEST RESULT: %s %s: %s\n", verdicts[outcome], test_name,
		     detail[0] ? detail : "all checks passed");
	console_write(line, n);
	hc_console_io(CONSOLEIO_write, n, line);
	for (;;)
		hc_sched_op(SCHEDOP_shutdown, &bye);
}
