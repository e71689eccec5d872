/* SPDX-License-Identifier: MIT */
/* The hypercalls of saving and restoring: what a domain's frames are, and all that its vCPUs hold. */
#ifndef HV_STATE_H
#define HV_STATE_H

#include "hv/hv.h"

/* In: frame numbers; out: XEN_DOMCTL_PFINFO_* alone, in the top 4 of 32 bits. XTAB: not the domain's. */
int hv_frame_types(struct transport *t, uint32_t domid, uint64_t *frames, uint64_t n, struct pvctl_error *err);
#define HV_FRAME_TYPES_MAX 1024u /* in one call of the interface: who has no room for all asks in such pieces */
/* level 1 to 4; the error names the frame's level alone. n frames at once, at most HV_PIN_MAX. */
#define HV_PIN_MAX 512u
int hv_pin_tables(struct transport *t, uint32_t domid, const uint64_t *mfns, const uint8_t *levels, uint32_t n,
                  struct pvctl_error *err);
/* Frames go back to the hypervisor. At most hv_populate_max. */
int hv_release(struct transport *t, uint32_t domid, const uint64_t *mfns, uint32_t n, struct pvctl_error *err);
int hv_domain_resume(struct transport *t, uint32_t domid, struct pvctl_error *err);

/* 1: it has no context: it never ran. */
int hv_vcpu_get_context(struct transport *t, uint32_t domid, uint32_t vcpu, vcpu_guest_context_t *ret, struct pvctl_error *err);
/* The three blobs of a vCPU beside its context. */
enum hv_vcpu_blob { HV_VCPU_EXTENDED, HV_VCPU_XSAVE, HV_VCPU_MSRS, HV_VCPU_BLOBS };
#define HV_VCPU_BLOB_MAX 65536u
/* *ret_len 0: the hypervisor has none of it. */
int hv_vcpu_get_blob(struct transport *t, uint32_t domid, uint32_t vcpu, enum hv_vcpu_blob which, void *buf,
                     uint32_t *ret_len, struct pvctl_error *err);
int hv_vcpu_set_blob(struct transport *t, uint32_t domid, uint32_t vcpu, enum hv_vcpu_blob which, const void *buf,
                     uint32_t len, struct pvctl_error *err);

/* -ENOSYS: the hypervisor has no such thing */
int hv_tsc_get(struct transport *t, uint32_t domid, struct xen_domctl_tsc_info *ret, struct pvctl_error *err);
int hv_tsc_set(struct transport *t, uint32_t domid, const struct xen_domctl_tsc_info *tsc, struct pvctl_error *err);
#define HV_POLICY_LEAVES 512u
#define HV_POLICY_MSRS 64u
struct hv_policy {
	uint32_t n_leaves, n_msrs;
	xen_cpuid_leaf_t leaf[HV_POLICY_LEAVES];
	xen_msr_entry_t msr[HV_POLICY_MSRS];
};
int hv_policy_get(struct transport *t, uint32_t domid, struct hv_policy *ret, struct pvctl_error *err);
/* Of the node: what a new domain gets. */
int hv_policy_default(struct transport *t, struct hv_policy *ret, struct pvctl_error *err);
int hv_policy_set(struct transport *t, uint32_t domid, const struct hv_policy *p, struct pvctl_error *err);

/* Of the machine-to-physical table, the first frame of each 2 MiB of it; 0: a hole. Returns how many there are. */
int hv_m2p_frames(struct transport *t, uint64_t *ret, uint32_t max, struct pvctl_error *err);
/* It ends at once, by itself as it were. reason: SHUTDOWN_* */
int hv_domain_shut(struct transport *t, uint32_t domid, uint32_t reason, struct pvctl_error *err);

/* Log-dirty. bitmap: a bit for each of n pfns. */
int hv_logdirty(struct transport *t, uint32_t domid, bool on, struct pvctl_error *err);
/* clean: what is told is not told again. */
int hv_logdirty_read(struct transport *t, uint32_t domid, bool clean, uint8_t *bitmap, uint64_t n, struct pvctl_error *err);

#endif
