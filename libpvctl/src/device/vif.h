/* SPDX-License-Identifier: MIT */
/* The network interfaces of a configuration, and those of a domain. */
#ifndef DEVICE_VIF_H
#define DEVICE_VIF_H

#include "device/vif_spec.h"
#include "ctx/ctx.h"

#define VIF_MAX 64 /* of a domain */

/* The whole list: no devid, MAC or vifname twice. */
int vif_check_list(const char *key, const char *const *values, size_t n, struct pvctl_error *err);
/*
 * Each gets its devid, its MAC and its kind of link, and what the host lacks for it is found out now. ctx may be NULL: then no
 * other domain is looked at.
 */
int vif_plan(struct pvctl *ctx, const struct log *log, struct pvctl_config *c, struct pvctl_error *err);
/* Attaches what the configuration names to a domain that is being built, and waits for the links. */
int vif_attach_all(struct pvctl *ctx, uint32_t domid, const struct pvctl_config *c, struct pvctl_error *err);

/* vif_plan.c: what is known of other interfaces. */
struct vif_others {
	uint8_t (*mac)[6];
	size_t n;
	bool devid[256];         /* taken, in the domain itself */
};
/* The same name, devid and attempt always give the same: a guest finds its interface again. */
void vif_make_mac(const char *name, uint32_t devid, unsigned int attempt, uint8_t mac[6]);
int vif_others_add(struct vif_others *o, const uint8_t mac[6], struct pvctl_error *err);
void vif_others_free(struct vif_others *o);
/* Of n interfaces of a domain called name. */
int vif_assign(struct vif_spec *s, size_t n, const char *name, struct vif_others *o, struct pvctl_error *err);
/* Those of the node's domains. domid: of the domain itself, or ~0. */
int vif_others_load(struct pvctl *ctx, uint32_t domid, const struct vif_spec *s, size_t n, struct vif_others *ret,
                    struct pvctl_error *err);

/* vif_host.c: AUTO becomes a kind, by what the host has; what it lacks is an error. */
int vif_resolve(struct vif_spec *s, const struct log *log, struct pvctl_error *err);

#endif
