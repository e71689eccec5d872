/* SPDX-License-Identifier: MIT */
/* The page that a PVH kernel is given: hvm_start_info, and what it points to. Pure. */
#ifndef BUILD_PVH_INFO_H
#define BUILD_PVH_INFO_H

#include "build/pvh_layout.h"

/* page: 4 KiB. -E2BIG: the command line is longer than a guest can be given. cmdline NULL: none. */
int pvh_info_make(const struct pvh_layout *l, const char *cmdline, uint8_t *page, struct pvctl_error *err);

#endif
