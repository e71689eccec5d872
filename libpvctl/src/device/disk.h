/* SPDX-License-Identifier: MIT */
/* The disks of a configuration, and those of a domain. */
#ifndef DEVICE_DISK_H
#define DEVICE_DISK_H

#include "ctx/ctx.h"

/* The whole list: no vdev twice. */
int disk_check_list(const char *key, const char *const *values, size_t n, struct pvctl_error *err);
/* The targets are looked at, and their paths made absolute for the daemon. */
int disk_plan(struct pvctl_config *c, struct pvctl_error *err);
/* Attaches what the configuration names to a domain that is being built. */
int disk_attach_all(struct pvctl *ctx, uint32_t domid, const struct pvctl_config *c, struct pvctl_error *err);

/* What block-list shows of one disk: -ENOENT where there is none. */
int disk_find(struct pvctl *ctx, uint32_t domid, uint32_t vdev, struct pvctl_disk_info *ret, struct pvctl_error *err);
/* Before anything is changed: a specification into the form that the daemon takes. */
int disk_plan_one(const char *spec, char *text, struct pvctl_error *err);

#endif
