/* SPDX-License-Identifier: MIT */
/* The hypercalls that are for PVH domains alone. */
#ifndef HV_HVM_H
#define HV_HVM_H

#include "hv/hv.h"

#define HV_GFN_HOLE (~0ull)

/* In: guest frame numbers; out: machine frames, or HV_GFN_HOLE. At most hv_gfns_max. */
int hv_gfns_to_mfns(struct transport *t, uint32_t domid, uint64_t *frames, uint32_t n, struct pvctl_error *err);
uint32_t hv_gfns_max(const struct transport *t);
/*
 * The RAM that a domain has of its own, by guest frame numbers and in order, from *gfn on, which goes to behind it: how many runs
 * there are, at most HV_RUNS_MAX, 0 behind the last; or a code. Not that of a PV domain: -EINVAL.
 */
struct hv_run { uint64_t gfn, mfn, nr_pages; };
#define HV_RUNS_MAX 1024u
int hv_ram_runs(struct transport *t, uint32_t domid, uint64_t *gfn, struct hv_run *runs, struct pvctl_error *err);
int hv_hvm_param_set(struct transport *t, uint32_t domid, uint32_t index, uint64_t value, struct pvctl_error *err);
int hv_hvm_param_get(struct transport *t, uint32_t domid, uint32_t index, uint64_t *ret, struct pvctl_error *err);
/* All that its vCPUs hold, as hvm/save.h has it; *ret is malloc'd. */
int hv_hvm_context_get(struct transport *t, uint32_t domid, void **ret, uint32_t *ret_len, struct pvctl_error *err);
int hv_hvm_context_set(struct transport *t, uint32_t domid, const void *context, uint32_t len, struct pvctl_error *err);
/* vCPU 0 starts at entry in flat 32-bit mode without paging, with the address of its start info in ebx. */
int hv_hvm_start(struct transport *t, uint32_t domid, uint32_t entry, uint64_t start_info, struct pvctl_error *err);

#endif
