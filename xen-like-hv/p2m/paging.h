/* SPDX-License-Identifier: MIT */
/* What a guest of a PVH domain means by an address: its own page tables, walked in software. */
#ifndef P2M_PAGING_H
#define P2M_PAGING_H
#include "p2m/p2m.h"

/* The registers that decide, of the moment of the hypercall: hvm_guest_paging (x86/hooks.h). */
struct guest_paging {
	uint64_t cr0, cr3, cr4, efer, rflags;
};

/*
 * The guest physical address that a supervisor's access to va would reach; p2m->lock is held. 0 or -EFAULT. A and D are
 * set as the CPU would. Flat addresses without paging, and four levels in long mode; no other paging.
 */
int p2m_guest_walk(struct domain *d, const struct guest_paging *g, uint64_t va, bool write, uint64_t *gpa);

/* current's own page that its kernel has writable at va, as p2m_get_page gives it; NULL: none. */
struct page_info *p2m_get_page_at(uint64_t va);
#endif
