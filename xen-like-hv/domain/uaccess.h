/* SPDX-License-Identifier: MIT */
/*
 * Copies between the hypervisor and the memory of the current domain.
 *
 * For a vCPU of a guest the address is virtual in its present address space;
 * for domain 0 of a hosted node (is_host_domain) it is an offset into the
 * node's argument arena (public/node.h); for one of a PVH domain virtual in its
 * own tables, which are walked (p2m/guest_copy.c). All are checked in full; a fault on
 * the way ends the copy. They return the number of bytes NOT copied.
 * Copy once, then validate the copy.
 */
#ifndef DOMAIN_UACCESS_H
#define DOMAIN_UACCESS_H

#include "lib/types.h"

unsigned long __must_check copy_from_guest_raw(void *dst, uint64_t src, unsigned long n);
unsigned long __must_check copy_to_guest_raw(uint64_t dst, const void *src, unsigned long n);
unsigned long __must_check clear_guest_raw(uint64_t dst, unsigned long n);

/* Typed forms over a XEN_GUEST_HANDLE or a plain argument word. 0 or -EFAULT. */
#define copy_from_guest(dst, addr, nr) \
	(copy_from_guest_raw((dst), (uint64_t)(addr), sizeof(*(dst)) * (nr)) ? -EFAULT : 0)
#define copy_to_guest(addr, src, nr) \
	(copy_to_guest_raw((uint64_t)(addr), (src), sizeof(*(src)) * (nr)) ? -EFAULT : 0)
/* The address in a guest handle, plus an element offset. */
#define handle_addr(h) ((uint64_t)(h).p)
#define handle_at(h, i) (handle_addr(h) + (uint64_t)(i) * sizeof(*(h).p))

/* One aligned 8-byte compare-and-exchange on guest memory: 0, or -EFAULT. */
int __must_check cmpxchg_guest_u64(uint64_t addr, uint64_t *old, uint64_t new);
#endif
