/* SPDX-License-Identifier: MIT */
/* The hypervisor's command line: words, "name" or "name=value". */
#ifndef LIB_CMDLINE_H
#define LIB_CMDLINE_H
#include "lib/types.h"

extern char boot_cmdline[1024]; /* boot/start_info.c fills it before anything looks */
/* The number behind "name=" (decimal, or hex with 0x), def where it is missing or no number. */
uint64_t cmdline_u64(const char *name, uint64_t def);
bool cmdline_flag(const char *name); /* "name" alone */
#endif
