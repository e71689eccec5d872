/* SPDX-License-Identifier: MIT */
#ifndef PVCTL_CONSOLE_H
#define PVCTL_CONSOLE_H

#include <libpvctl.h>
#include <stdbool.h>

#define CONSOLE_ESCAPE 0x1d /* Ctrl-] */
#define CONSOLE_NO_ESCAPE (-1)
#define CONSOLE_REPLAY_ALL (~UINT64_C(0))

enum console_crash { CONSOLE_CRASH_FAILED, CONSOLE_CRASH_OK, CONSOLE_CRASH_REASON };

struct console_opts {
	int escape;      /* the character that leaves */
	uint64_t replay; /* bytes of what was missed */
	bool unpause;    /* once attached */
	bool quiet;      /* no words of our own but errors */
	enum console_crash on_crash; /* what the exit code says of a crash */
};

/* "^]", "^A", a single character or "none". 0 or -EINVAL. */
int console_parse_escape(const char *text, int *ret);
/* Until the user leaves or the domain ends, through reboots; an exit code. */
int console_session(struct pvctl *ctx, uint32_t domid, const struct console_opts *opts);
/* What is kept of one that is gone, and how it ended. */
int console_show_ended(struct pvctl *ctx, const struct pvctl_ended *ended, const struct console_opts *opts);

#endif
