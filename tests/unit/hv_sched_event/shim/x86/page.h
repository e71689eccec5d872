/* SPDX-License-Identifier: MIT */
/* "Physical memory" of the hosted tests: TEST_PAGES frames in an array. */
#ifndef X86_PAGE_H
#define X86_PAGE_H
#include "lib/types.h"
#define PAGE_SHIFT 12
#define PAGE_SIZE (1UL << PAGE_SHIFT)
#define PAGE_MASK (~(PAGE_SIZE - 1))
#define TEST_PAGES 256
extern uint8_t test_ram[TEST_PAGES][4096];
struct page_info;
extern struct page_info *test_frames;
#define DIRECTMAP_VIRT ((uint64_t)test_ram)
#define FRAMETABLE_VIRT test_frames
#define HV_VIRT_START 0xffff800000000000UL
typedef uint64_t pte_t;
#define PTE_P 1UL
#define PTE_W 2UL
#define PTE_PSE 0x80UL
static inline mfn_t pte_mfn(pte_t e) { return mfn((e & 0x000ffffffffff000UL) >> PAGE_SHIFT); }
static inline unsigned int pt_index(uint64_t va, int level) { return (va >> (12 + 9 * (level - 1))) & 511; }
static inline bool guest_range_ok(uint64_t va, uint64_t len) { return va + len >= va && va + len < 1UL << 47; }
static inline void *mfn_to_virt(mfn_t m) { return test_ram[m.m]; }
static inline mfn_t virt_to_mfn(const void *v) { return mfn(((uint64_t)v - DIRECTMAP_VIRT) >> PAGE_SHIFT); }
#endif
