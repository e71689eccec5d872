/* SPDX-License-Identifier: MIT */
#ifndef PVCTL_LOAD_H
#define PVCTL_LOAD_H

#include <libpvctl.h>
#include <stdbool.h>

struct cfg_file;
struct load_opts {
	const char *filename;   /* NULL: only overrides; "-": standard input */
	char *const *overrides; /* each is appended to the file's text */
	int n_overrides;
	bool strict;
	bool quiet;             /* no notes, and not what is being read */
};

#define LOAD_NO_FILE 3 /* xl's exit code */

/* 0, or an exit code; what is wrong has been printed with file, line and column. */
int config_load(const struct load_opts *opts, struct pvctl_config **ret);
/* What is written there, checked key by key; free with cfg_free(). */
int config_read(const struct load_opts *opts, struct cfg_file **ret);

#endif
