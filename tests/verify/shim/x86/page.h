/* SPDX-License-Identifier: MIT */
/* The direct map and the frame table as small arrays of the model. */
#ifndef X86_PAGE_H
#define X86_PAGE_H

#include "lib/types.h"

#define PAGE_SHIFT 12
#define PAGE_SIZE (1UL << PAGE_SHIFT)
#define PAGE_MASK (~(PAGE_SIZE - 1))

struct page_info;
extern uint8_t model_ram[];
extern struct page_info *const model_frame_table;

#define HV_L4_FIRST 256u
#define HV_L4_LAST 271u
#define HV_VIRT_START 0xffff800000000000UL
#define HV_VIRT_END 0xffff880000000000UL
#define M2P_RO_VIRT 0xffff800000000000UL
#define FRAMETABLE_VIRT ((uint64_t)model_frame_table)
#define PERVCPU_SLOT 261u
#define PERVCPU_VIRT 0xffff828000000000UL
#define GDT_VIRT PERVCPU_VIRT
#define LDT_VIRT (PERVCPU_VIRT + 0x10000)
#define DIRECTMAP_VIRT ((uint64_t)model_ram)

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

typedef uint64_t pte_t;

static inline void *paddr_to_virt(paddr_t p) { return (void *)(DIRECTMAP_VIRT + p); }
static inline void *mfn_to_virt(mfn_t m) { return paddr_to_virt(m.m << PAGE_SHIFT); }
static inline paddr_t virt_to_paddr(const void *v) { return (uint64_t)v - DIRECTMAP_VIRT; }
static inline mfn_t virt_to_mfn(const void *v) { return mfn(virt_to_paddr(v) >> PAGE_SHIFT); }
static inline paddr_t sym_to_paddr(const void *v) { return 0x1000; }
static inline mfn_t pte_mfn(pte_t e) { return mfn((e & PTE_MFN_MASK) >> PAGE_SHIFT); }
static inline unsigned int pt_index(uint64_t va, int level) { return (va >> (12 + 9 * (level - 1))) & 511; }
static inline bool is_canonical(uint64_t va) { return (int64_t)(va << 16) >> 16 == (int64_t)va; }
static inline bool guest_range_ok(uint64_t va, uint64_t len) { return true; }
#endif
