/* SPDX-License-Identifier: MIT */
#ifndef PVCTL_CONSOLE_H
#define PVCTL_CONSOLE_H

#include <libpvctl.h>
#include <stdbool.h>

#define CONSOLE_ESCAPE 0x1d /* Ctrl-] */
#define CONSOLE_NO_ESCAPE (-1)
#define CONSOLE_REPLAY_ALL (~UINT64_C(0))

struct console_opts {
	int escape;      /* the character that leaves */
	uint64_t replay; /* bytes of what was missed */
	bool unpause;    /* once attached */
	bool quiet;      /* no words of our own but errors */
};

/* "^]", "^A", a single character or "none". 0 or -EINVAL. */
int console_parse_escape(const char *text, int *ret);
/* Until the user leaves or the domain ends, through reboots; an exit code: 1 when it crashed. */
int console_session(struct pvctl *ctx, uint32_t domid, const struct console_opts *opts);

#endif
