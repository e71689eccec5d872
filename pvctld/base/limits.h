/* SPDX-License-Identifier: MIT */
/* What a node may leave on the disk. 0: no limit, where it is not said otherwise. */
#ifndef PVCTLD_LIMITS_H
#define PVCTLD_LIMITS_H

#include <stdint.h>

struct pvctl_error;

struct limits {
	uint64_t console;       /* bytes of one console's log, which has one older file beside it; 0: 4 MiB */
	uint64_t consoles;      /* bytes of all consoles' logs */
	uint64_t console_files;
	uint64_t console_days;  /* logs of domains that are gone */
	uint64_t log;           /* bytes of daemon.log and of hv.log, each with one older file; 0: 8 MiB */
	uint64_t cores;         /* bytes of all core dumps */
	uint64_t core_files;
	uint64_t domain_cores;  /* files of the domains of one name */
};

void limits_default(struct limits *l);
/* "consoles=256m,core-files=8": what it names is changed. */
int limits_parse(struct limits *l, const char *text, struct pvctl_error *err);

#endif
