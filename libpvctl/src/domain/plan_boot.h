/* SPDX-License-Identifier: MIT */
/* bootloader=, bootloader_args=, firmware= and what belongs to them, of a configuration. */
#ifndef DOMAIN_PLAN_BOOT_H
#define DOMAIN_PLAN_BOOT_H

#include "device/disk_spec.h"
#include "domain/private.h"

struct boot_ask;

/* Checks of the keys' values. */
int boot_check_name(const char *key, const char *value, struct pvctl_error *err);
int boot_check_restrict(const char *key, const char *value, struct pvctl_error *err);
int boot_check_user(const char *key, const char *value, struct pvctl_error *err);
int boot_check_args(const char *key, const char *const *values, size_t n, struct pvctl_error *err);
int firmware_check(const char *key, const char *value, struct pvctl_error *err);

/* bootloader_args; the texts are the values'. The library shows no menu: interactive is the caller's. */
struct boot_args { const char *entry, *kernel, *ramdisk, *args; uint64_t offset_bytes; bool interactive; };
int boot_args_parse(const char *key, const char *const *values, size_t n, struct boot_args *ret, struct pvctl_error *err);

#define BOOT_DISK_MAX 3001
/* What the configuration asks of the helper: its first disk, named in `disk', and its arguments. ret_args may be NULL. */
int boot_ask_of(const struct pvctl_config *c, char disk[BOOT_DISK_MAX], struct boot_ask *ret, enum disk_format *ret_format,
                struct boot_args *ret_args, struct pvctl_error *err);
/* Kernel, ramdisk and command line from the first disk into the plan, whose config has no kernel. entry: NULL, or for this start alone. */
int boot_plan(struct create_plan *p, const char *entry, const struct log *log, struct pvctl_error *err);

/* Where the boot loader is that firmware= names. */
int firmware_path(const struct pvctl_config *c, char *buf, size_t size, struct pvctl_error *err);

#endif
