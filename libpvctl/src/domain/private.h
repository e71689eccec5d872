/* SPDX-License-Identifier: MIT */
/* What the files of domain/ share. */
#ifndef DOMAIN_PRIVATE_H
#define DOMAIN_PRIVATE_H

#include "ctx/ctx.h"
#include "image/kernel.h"

/* check.c: all that is known before the first side effect */
struct create_plan {
	struct pvctl_config *config;   /* a copy, with uuid filled in */
	struct kernel_image kernel;
	int ramdisk_fd;
	uint64_t ramdisk_bytes;
	char *cmdline;
	uint64_t memory_mib, maxmem_mib, nr_pages;
	uint32_t vcpus, maxvcpus;
	uint8_t uuid[16];
	char uuid_text[37];
	const char *name;              /* in config */
	bool images;                   /* a kernel is needed, to start it with */
	bool pvh;                      /* else PV */
	uint32_t domid;                /* the one that it is to have; 0: any */
};
/* boot_entry: of the boot menu, for this start alone; NULL: what the configuration says */
int plan_make(struct pvctl *ctx, const struct log *log, const struct pvctl_config *c, const char *boot_entry, struct create_plan *ret,
              struct pvctl_error *err);
/* Of a domain that brings its memory along. */
int plan_make_restored(struct pvctl *ctx, const struct pvctl_config *c, bool pvh, struct create_plan *ret, struct pvctl_error *err);
void plan_free(struct create_plan *p);

/* type.c: whether a new domain is to be PVH, once its kernel is known; ctx NULL: of a node nothing is known. What type="pvh" cannot
 * have is refused by name, and makes type="auto" PV. */
int type_check(const char *key, const char *value, struct pvctl_error *err);
int type_plan(struct pvctl *ctx, struct create_plan *p, struct pvctl_error *err);
/* -ENOSYS: it is a PVH domain, and "what" is not there for those. */
int refuse_pvh(struct pvctl *ctx, uint32_t domid, const char *what, struct pvctl_error *err);

/* keys.c: "nodes=2000". -EINVAL. */
int quota_split(const char *text, char name[24], uint32_t *ret);

/* create.c: what making a domain and restoring one have in common, in this order. What is between is undone by create_undo. */
int create_domain(struct pvctl *ctx, const struct create_plan *p, uint32_t *ret_domid, struct pvctl_error *err);
int create_set_limits(struct pvctl *ctx, uint32_t domid, const struct create_plan *p, struct pvctl_error *err);
int create_end_claim(struct pvctl *ctx, uint32_t domid, struct pvctl_error *err);
int create_devices(struct pvctl *ctx, uint32_t domid, const struct create_plan *p, struct pvctl_error *err);
/* Of a configuration that the daemon said: all that it names was named to the spawner once, by an owner's client. -EPERM. */
int create_was_named(struct pvctl *ctx, const struct pvctl_config *config, struct pvctl_error *err);
int create_commit(struct pvctl *ctx, uint32_t domid, const struct create_plan *p, bool paused, struct pvctl_error *err);
void create_undo(struct pvctl *ctx, uint32_t domid, const struct create_plan *p, int why_rc);

/* features.c: cpuid=, against the node's CPUs; and of a new domain, which has what the node gives */
int features_check(struct pvctl *ctx, const struct pvctl_config *c, struct pvctl_error *err);
int features_set(struct pvctl *ctx, uint32_t domid, const struct pvctl_config *c, struct pvctl_error *err);

/*
 * lost.c: a domain with config's uuid was being made, and that failed with rc. Where the daemon was lost meanwhile it may have been made all
 * the same: then it is ended. Not 0: nobody can tell; what it would need must stay.
 */
int domain_end_lost(const struct pvctl *ctx, const struct pvctl_config *config, int rc);

/* nodes.c: the domain's part of the store */
int nodes_make(struct pvctl *ctx, uint32_t domid, const struct create_plan *p, struct pvctl_error *err);
int nodes_rings(struct pvctl *ctx, uint32_t domid, uint64_t store_mfn, uint32_t store_port,
                uint64_t console_mfn, uint32_t console_port, struct pvctl_error *err);

/* resize.c: after the domain's limit was set. -ENOMEM: the host could not back all that its domains may have. */
int memory_check_host(struct pvctl *ctx, uint32_t domid, uint64_t bytes, struct pvctl_error *err);

/* lifecycle.c: -EINVAL when it is domain 0 */
int refuse_host(uint32_t domid, const char *what, struct pvctl_error *err);
/* -ENOSYS: the guest says that it does not react to "what" in control/shutdown. */
int check_listens(struct pvctl *ctx, uint32_t domid, const char *what, struct pvctl_error *err);

/* suspend.c: move: it is to come back elsewhere. may_move: what would refuse that, before anything is begun. */
int domain_suspend(struct pvctl *ctx, uint32_t domid, bool move, uint32_t timeout_ms, struct pvctl_error *err);
int domain_may_move(struct pvctl *ctx, uint32_t domid, struct pvctl_error *err);

/* destroy.c: without asking who it is */
int domain_remove(struct pvctl *ctx, uint32_t domid, struct pvctl_error *err);

#endif
