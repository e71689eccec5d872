/* SPDX-License-Identifier: MIT */
/*
 * One typed function for each hypercall that the library uses. All return 0
 * (or what is said) or a code of the public header's closed set with *err
 * filled; err->hv_rc then has the hypervisor's own result.
 */
#ifndef HV_HV_H
#define HV_HV_H

#include "transport/transport.h"
#include <stdbool.h>
#include <stdint.h>
#include <xen/xen.h>
#include <xen/domctl.h>
#include <xen/sysctl.h>

/*
 * The raw call: the hypervisor's result, or, when the transport failed,
 * *ret_broken set and err filled. used: arena bytes in use.
 */
int64_t hv_call(struct transport *t, uint32_t op, uint64_t *args, size_t used, bool *ret_broken,
                struct pvctl_error *err);
/* Arena space at a byte offset for a table of n items of size bytes; NULL: does not fit. */
void *hv_arena(const struct transport *t, size_t offset, size_t n, size_t size);

/* domctl.c */
/* want: its id; 0: any. -EEXIST: another has that one. */
int hv_domain_create(struct transport *t, const struct xen_domctl_createdomain *cfg, uint32_t want, uint32_t *ret_domid,
                     struct pvctl_error *err);
int hv_domain_destroy(struct transport *t, uint32_t domid, struct pvctl_error *err);
int hv_domain_pause(struct transport *t, uint32_t domid, struct pvctl_error *err);
int hv_domain_unpause(struct transport *t, uint32_t domid, struct pvctl_error *err);
int hv_domain_max_mem(struct transport *t, uint32_t domid, uint64_t kib, struct pvctl_error *err);
int hv_domain_max_vcpus(struct transport *t, uint32_t domid, uint32_t max, struct pvctl_error *err);
int hv_domain_info(struct transport *t, uint32_t domid, struct xen_domctl_getdomaininfo *ret, struct pvctl_error *err);
int hv_domain_sched_set(struct transport *t, uint32_t domid, uint32_t sched_id, uint16_t weight, uint16_t cap,
                        struct pvctl_error *err);
int hv_domain_sched_get(struct transport *t, uint32_t domid, uint32_t sched_id, uint16_t *ret_weight,
                        uint16_t *ret_cap, struct pvctl_error *err);
/* Of its clock, from UTC. */
int hv_domain_time_offset(struct transport *t, uint32_t domid, int64_t seconds, struct pvctl_error *err);
int hv_hypercall_page(struct transport *t, uint32_t domid, uint64_t mfn, struct pvctl_error *err);

/* vcpu.c */
int hv_vcpu_set_context(struct transport *t, uint32_t domid, uint32_t vcpu, const vcpu_guest_context_t *ctx,
                        struct pvctl_error *err);
int hv_vcpu_info(struct transport *t, uint32_t domid, uint32_t vcpu, struct xen_domctl_getvcpuinfo *ret,
                 struct pvctl_error *err);
/* NULL: as it is */
int hv_vcpu_set_affinity(struct transport *t, uint32_t domid, uint32_t vcpu, const uint64_t *hard, const uint64_t *soft,
                         struct pvctl_error *err);
int hv_vcpu_get_affinity(struct transport *t, uint32_t domid, uint32_t vcpu, uint64_t *ret_hard, uint64_t *ret_soft,
                         struct pvctl_error *err);

/* sysctl.c */
int hv_physinfo(struct transport *t, struct xen_sysctl_physinfo *ret, struct pvctl_error *err);
/* Up to max domains with domid >= first; returns how many. */
int hv_domain_list(struct transport *t, uint32_t first, struct xen_domctl_getdomaininfo *ret, uint32_t max,
                   struct pvctl_error *err);
int hv_cpu_idle(struct transport *t, uint64_t *ret_idle_ns, uint32_t max, uint32_t *ret_n, struct pvctl_error *err);
int hv_debug_keys(struct transport *t, const char *keys, uint32_t n, struct pvctl_error *err);
/* /params/NAME of its own. -ENOENT: it has none that can be set while it runs. */
int hv_param_set(struct transport *t, const char *name, uint32_t value, struct pvctl_error *err);
int hv_sched_id(struct transport *t, uint32_t *ret, struct pvctl_error *err);
/* A piece of the log from *index on into buf: its length; *index moves on. */
int hv_console_read(struct transport *t, bool clear, uint32_t *index, char *buf, uint32_t len, struct pvctl_error *err);

/* memory.c */
/* Allocates 2^order pages at each of n guest frame numbers; mfns out. Returns how many were (short when memory ends). */
int hv_populate(struct transport *t, uint32_t domid, unsigned int order, const uint64_t *gpfns, uint64_t *ret_mfns,
                uint32_t n, struct pvctl_error *err);
uint32_t hv_populate_max(const struct transport *t); /* extents of one call */
int hv_claim(struct transport *t, uint32_t domid, uint64_t pages, struct pvctl_error *err); /* 0 pages: ends it */
/* Where the domain's memory map ends: the most it may ever have, whatever its limit is now. */
int hv_memory_map(struct transport *t, uint32_t domid, uint64_t bytes, struct pvctl_error *err);
struct hv_map_entry { uint64_t addr, size; uint32_t type; } __attribute__((packed)); /* as the hypercall has it */
int hv_memory_map_set(struct transport *t, uint32_t domid, const struct hv_map_entry *map, uint32_t n, struct pvctl_error *err);
int hv_pin_l4(struct transport *t, uint32_t domid, uint64_t mfn, struct pvctl_error *err);
int hv_evtchn_alloc_unbound(struct transport *t, uint32_t domid, uint32_t remote, uint32_t *ret_port,
                            struct pvctl_error *err);
/* How many pages its grant table has, and may have. */
int hv_grant_size(struct transport *t, uint32_t domid, uint32_t *ret_frames, uint32_t *ret_max, struct pvctl_error *err);
int hv_grant_frame(struct transport *t, uint32_t domid, uint64_t *ret_mfn, struct pvctl_error *err);

/* version.c: strings are cut to len and NUL-terminated */
int hv_version(struct transport *t, uint32_t *ret_major, uint32_t *ret_minor, struct pvctl_error *err);
int hv_version_text(struct transport *t, uint32_t cmd, char *buf, size_t len, struct pvctl_error *err);
int hv_compile_info(struct transport *t, char *compiler, size_t compiler_len, char *date, size_t date_len,
                    struct pvctl_error *err);
int hv_virt_start(struct transport *t, uint64_t *ret, struct pvctl_error *err);
int hv_page_size(struct transport *t, uint32_t *ret, struct pvctl_error *err);

#endif
