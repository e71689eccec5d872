/* SPDX-License-Identifier: MIT */
/* xl.cfg(5)'s channel: a named stream of bytes in one line of text. Pure code. */
#ifndef DEVICE_CHANNEL_SPEC_H
#define DEVICE_CHANNEL_SPEC_H

#include "libpvctl.h"
#include <stdbool.h>

#define CHANNEL_NAME_MAX 63
#define CHANNEL_PATH_MAX 107 /* of a Unix socket */
#define CHANNEL_SPEC_MAX 260
/* Number 0 is the domain's own console. Linux takes the last digit of the name for all of the number. */
#define CHANNEL_FIRST 1u
#define CHANNEL_LAST 9u

struct channel_spec {
	char name[CHANNEL_NAME_MAX + 1];
	bool socket;                      /* else a pty */
	char path[CHANNEL_PATH_MAX + 1];  /* absolute only after it was planned */
	bool has_devid;                   /* not in xl.cfg(5): given when it is planned */
	uint32_t devid;
};

/* -EINVAL; -ENOSYS: xl knows it, but it is not supported. */
int channel_spec_parse(const char *text, struct channel_spec *ret, struct pvctl_error *err);
/* A text that parses to the same. */
void channel_spec_format(const struct channel_spec *s, char buf[CHANNEL_SPEC_MAX + 1]);

#endif
