/* SPDX-License-Identifier: MIT */
/* The hypercalls that the daemon makes for itself. Results are the hypervisor's: 0 or negative errno. */
#ifndef PVCTLD_HVCALL_H
#define PVCTLD_HVCALL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct daemon;
struct mbox_call;
struct xen_domctl;
struct xen_domctl_getdomaininfo;

#define HVC_DOMCTL_BYTES 256u /* struct xen_domctl, whose headers are long, fits */
/*
 * Queued, and not waited for. arg, of HVC_DOMCTL_BYTES, holds the operation for as long; the interface's version is filled in. call is
 * neither queued now nor on any list.
 */
void hvc_queue_domctl(struct daemon *d, struct mbox_call *call, void *arg, const struct xen_domctl *op,
		      void (*done)(struct mbox_call *call, int64_t ret, bool down), void *data);

int hvc_pause(struct daemon *d, uint32_t domid);
int hvc_unpause(struct daemon *d, uint32_t domid);
/* Of one that has suspended; its call returns 1: nothing has changed around it. */
int hvc_resume(struct daemon *d, uint32_t domid);
int hvc_set_handle(struct daemon *d, uint32_t domid, const uint8_t uuid[16]);
/* Each domain but domain 0; what it is called for may make hypercalls. 0, or negative: the hypervisor did not say all. */
int hvc_each_domain(struct daemon *d, void (*each)(void *data, const struct xen_domctl_getdomaininfo *info), void *data);
int hvc_get(struct daemon *d, uint32_t domid, struct xen_domctl_getdomaininfo *info);
/* *ret_paddr: the machine address of the granted page. */
int hvc_map_grant(struct daemon *d, uint32_t domid, uint32_t ref, uint32_t *ret_handle, uint64_t *ret_paddr);
int hvc_unmap_grant(struct daemon *d, uint32_t handle);
/* The types of count frames (at most HV_FRAME_BATCH) as XEN_DOMCTL_getpageframeinfo3 has them, in place. */
#define HV_FRAME_BATCH 1024u
int hvc_frame_types(struct daemon *d, uint32_t domid, uint64_t *frames, unsigned int count);
/* RAM of a PVH domain's own from *gfn on, which goes to behind it: how many runs (at most HV_RUN_BATCH), 0: no more, or negative. */
#define HV_RUN_BATCH 256u
struct node_run;
int hvc_ram_runs(struct daemon *d, uint32_t domid, uint64_t *gfn, struct node_run *runs);
/* Frames of the machine-to-physical table, in order: how many, or negative. */
int hvc_m2p_frames(struct daemon *d, uint64_t *frames, unsigned int max);
/* The time of day, for guests that start from now on. */
void hvc_set_time(struct daemon *d);

#endif
