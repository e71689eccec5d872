/* SPDX-License-Identifier: MIT */
/* bootloader= and bootloader_args= of a configuration. */
#ifndef DOMAIN_PLAN_BOOT_H
#define DOMAIN_PLAN_BOOT_H

#include "domain/private.h"

int boot_check_name(const char *key, const char *value, struct pvctl_error *err);
int boot_check_args(const char *key, const char *const *values, size_t n, struct pvctl_error *err);
/* Kernel, ramdisk and command line from the first disk into the plan, whose config has no kernel. */
int boot_plan(struct create_plan *p, const struct log *log, struct pvctl_error *err);

#endif
