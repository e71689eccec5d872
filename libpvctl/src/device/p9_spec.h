/* SPDX-License-Identifier: MIT */
/* xl.cfg(5)'s p9: a shared directory in one line of text. Pure code. */
#ifndef DEVICE_P9_SPEC_H
#define DEVICE_P9_SPEC_H

#include "libpvctl.h"
#include <stdbool.h>

#define P9_TAG_MAX 31
#define P9_PATH_MAX 1000
#define P9_SPEC_MAX 1100
#define P9_MAX_SHARES 16u

struct p9_spec {
	char tag[P9_TAG_MAX + 1];
	char path[P9_PATH_MAX + 1]; /* absolute only after it was planned */
	bool readonly;              /* not in xl.cfg(5) */
	bool has_devid;             /* nor this: it is given when it is planned */
	uint32_t devid;
};

/* -EINVAL; -ENOSYS: xl knows it, but it is not supported. */
int p9_spec_parse(const char *text, struct p9_spec *ret, struct pvctl_error *err);
/* A text that parses to the same. */
void p9_spec_format(const struct p9_spec *s, char buf[P9_SPEC_MAX + 1]);

#endif
