/* SPDX-License-Identifier: MIT */
/* What is of one domain alone, and is another of its copy. */
#ifndef CLONE_IDENTITY_H
#define CLONE_IDENTITY_H

#include "ctx/ctx.h"

/* "web" and 3 copies: web-1, web-2, web-3. malloc'd. */
char *identity_name(const char *name, uint32_t count, uint32_t copy);
/* Devices that cannot be had twice, before anything is done. */
int identity_check(const struct pvctl_config *c, struct pvctl_error *err);
/* Another name, uuid and MACs; what the host has once (names of interfaces, forwarded ports) is left out. */
int identity_renew(struct pvctl_config *c, const char *name, struct pvctl_error *err);
/* In the store, where the guest reads and may watch it: a number that no other domain has had. */
int identity_generation(struct pvctl *ctx, uint32_t domid, struct pvctl_error *err);

#endif
