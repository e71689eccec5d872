/* SPDX-License-Identifier: MIT */
/*
 * Page table formats and the hypervisor's address space.
 *
 * The guest ABI leaves the hypervisor L4 slots 256 to 271. Each vCPU and each
 * idle CPU runs on a root (L4) page of the hypervisor's own; slots 256..260 and
 * 262..271 are the same in all of them, slot 261 is the root's own.
 */
#ifndef X86_PAGE_H
#define X86_PAGE_H

#define PAGE_SHIFT 12
#define PAGE_SIZE (1UL << PAGE_SHIFT)
#define PAGE_MASK (~(PAGE_SIZE - 1))

#define HV_L4_FIRST 256u
#define HV_L4_LAST 271u
#define HV_VIRT_START 0xffff800000000000UL
#define HV_VIRT_END 0xffff880000000000UL
/* slot 256: the machine-to-physical table, read-only for guests (public ABI) */
#define M2P_RO_VIRT 0xffff800000000000UL
/* slot 260: struct page_info for each machine frame */
#define FRAMETABLE_VIRT 0xffff820000000000UL
/* slot 261: the running vCPU's descriptor tables (per root) */
#define PERVCPU_SLOT 261u
#define PERVCPU_VIRT 0xffff828000000000UL
#define GDT_VIRT PERVCPU_VIRT              /* 16 pages: 14 of the guest, 1 of the CPU, 1 spare */
#define LDT_VIRT (PERVCPU_VIRT + 0x10000)  /* 16 pages */
/* slot 262: the hypervisor's image, linked here, loaded at HV_LOAD_PADDR */
#define HV_IMAGE_VIRT 0xffff830000000000UL
#define HV_LOAD_PADDR 0x200000UL
/* slot 263: device registers (LAPIC, ivshmem BARs), mapped uncached */
#define IOMAP_VIRT 0xffff838000000000UL
/* slots 264..271: all RAM, writable */
#define DIRECTMAP_VIRT 0xffff840000000000UL

#define PTE_P (1UL << 0)
#define PTE_W (1UL << 1)
#define PTE_U (1UL << 2)
#define PTE_PWT (1UL << 3)
#define PTE_PCD (1UL << 4)
#define PTE_A (1UL << 5)
#define PTE_D (1UL << 6)
#define PTE_PSE (1UL << 7)
#define PTE_PAT (1UL << 7)
#define PTE_G (1UL << 8)
#define PTE_AVAIL (7UL << 9)
#define PTE_NX (1UL << 63)
#define PTE_MFN_MASK 0x000ffffffffff000UL

#ifndef __ASSEMBLER__
#include "lib/types.h"
typedef uint64_t pte_t; /* an entry of any level */

static inline void *paddr_to_virt(paddr_t p) { return (void *)(DIRECTMAP_VIRT + p); }
static inline void *mfn_to_virt(mfn_t m) { return paddr_to_virt(m.m << PAGE_SHIFT); }
/* Only for pointers into the direct map. */
static inline paddr_t virt_to_paddr(const void *v) { return (uint64_t)v - DIRECTMAP_VIRT; }
static inline mfn_t virt_to_mfn(const void *v) { return mfn(virt_to_paddr(v) >> PAGE_SHIFT); }
/* For symbols of the hypervisor's image. */
static inline paddr_t sym_to_paddr(const void *v) { return (uint64_t)v - HV_IMAGE_VIRT + HV_LOAD_PADDR; }
static inline mfn_t pte_mfn(pte_t e) { return mfn((e & PTE_MFN_MASK) >> PAGE_SHIFT); }
static inline unsigned int pt_index(uint64_t va, int level) { return (va >> (12 + 9 * (level - 1))) & 511; }
static inline bool is_canonical(uint64_t va) { return (int64_t)(va << 16) >> 16 == (int64_t)va; }
/* A guest may name [va, va+len): canonical and outside the hypervisor's hole. */
static inline bool guest_range_ok(uint64_t va, uint64_t len)
{
	return va + len >= va && is_canonical(va) && (len == 0 || is_canonical(va + len - 1)) &&
	       ((va + len <= 0x0000800000000000UL) || va >= HV_VIRT_END);
}
#endif
#endif
