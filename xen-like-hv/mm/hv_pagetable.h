/* SPDX-License-Identifier: MIT */
/* The hypervisor's own mappings, the same in every root but for slot 261. */
#ifndef MM_HV_PAGETABLE_H
#define MM_HV_PAGETABLE_H
#include "lib/types.h"
#include "x86/page.h"

/* A root with the hypervisor's slots alone: boot runs on it, and CPUs until their idle root. */
extern uint64_t hv_l4_template[512];
/* The machine-to-physical table, writable; entries of frames < max_page. */
extern uint64_t *m2p_rw;
extern paddr_t m2p_paddr;
extern uint64_t m2p_bytes;         /* whole 2 MiB; guests see it at M2P_RO_VIRT */
/*
 * The owner of a frame is the only one to set its entry, and only while it can
 * hold a reference; once nobody can, the entry says that there is no owner.
 */
static inline void m2p_forget(mfn_t m) { WRITE_ONCE(m2p_rw[m.m], ~0ULL); }

/* Builds all of it (direct map, frame table, M2P, image) and loads it. */
void hv_pagetable_init(void);
/* Writes slots 256..260 and 262..271 of a root. */
void hv_root_fill(uint64_t *root);
/* Device registers, uncached, never unmapped; NULL when the area is full. At boot. */
void *hv_iomap(paddr_t p, uint64_t bytes);
/* The leaf entry that maps a hypervisor address (slots 256..271 but 261); 0: none. For dumps. */
uint64_t hv_lookup(uint64_t va);
#endif
