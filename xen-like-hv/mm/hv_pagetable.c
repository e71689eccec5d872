/* SPDX-License-Identifier: MIT */
#include "mm/hv_pagetable.h"
#include "mm/frametable.h"
#include "mm/memmap.h"
#include "mm/page_alloc.h"
#include "x86/printk.h"
#include "x86/processor.h"
#include "x86/tlb.h"

#define SIZE_2M (1UL << 21)
#define SIZE_1G (1UL << 30)
#define PTE_HV (PTE_P | PTE_A)
#define PTE_HV_RW (PTE_HV | PTE_W | PTE_D | PTE_NX)

uint64_t hv_l4_template[512] __aligned(4096);
uint64_t *m2p_rw;
paddr_t m2p_paddr;
uint64_t m2p_bytes;

extern char __image_start[], __text_end[], __rodata_end[], __image_end[];

/*
 * At first from boot_alloc_low: reachable through the boot map as well as the
 * final one. Once the allocator has taken over all RAM, from there.
 */
static uint64_t *new_table(void)
{
	uint64_t *t;

	if (!nr_free_ranges) {
		t = alloc_hv_page();
		if (!t)
			panic("no memory for a page table\n");
		return t;
	}
	t = paddr_to_virt(boot_alloc_low(PAGE_SIZE));
	memset(t, 0, PAGE_SIZE);
	return t;
}

/* Only what guests may read (the M2P, slot 256) is open to ring 3 on the way down. */
static uint64_t table_flags(unsigned int slot)
{
	return PTE_HV | PTE_W | (slot == HV_L4_FIRST ? PTE_U : 0);
}

/* The entry of a level for va, with the tables above it made as needed. */
static uint64_t *walk(uint64_t va, int level)
{
	uint64_t *t = hv_l4_template;

	for (int l = 4; l > level; l--) {
		uint64_t *e = &t[pt_index(va, l)];

		if (!(*e & PTE_P))
			*e = virt_to_paddr(new_table()) | table_flags(pt_index(va, 4));
		t = paddr_to_virt(*e & PTE_MFN_MASK);
	}
	return &t[pt_index(va, level)];
}

/* The largest pages that fit each piece. flags: without PSE. */
static void map_range(uint64_t va, paddr_t p, uint64_t bytes, uint64_t flags)
{
	while (bytes) {
		uint64_t step;

		if (cpu_features.pse1g && !((va | p) & (SIZE_1G - 1)) && bytes >= SIZE_1G) {
			*walk(va, 3) = p | flags | PTE_PSE;
			step = SIZE_1G;
		} else if (!((va | p) & (SIZE_2M - 1)) && bytes >= SIZE_2M) {
			*walk(va, 2) = p | flags | PTE_PSE;
			step = SIZE_2M;
		} else {
			*walk(va, 1) = p | flags;
			step = PAGE_SIZE;
		}
		va += step;
		p += step;
		bytes -= step;
	}
}

static bool has_ram(paddr_t start, paddr_t end)
{
	for (unsigned int i = 0; i < nr_ram_ranges; i++)
		if (ram_ranges[i].start < end && ram_ranges[i].end > start)
			return true;
	return false;
}

static paddr_t take_high(uint64_t bytes, const char *what)
{
	paddr_t p = boot_alloc_high(bytes, SIZE_2M);

	if (!p)
		panic("no room for the %s (%lu KiB)\n", what, bytes >> 10);
	return p;
}

/* Whether a 2 MiB chunk of the frame table describes any RAM. */
static bool chunk_in_use(uint64_t off)
{
	uint64_t first = off / sizeof(struct page_info), last = (off + SIZE_2M - 1) / sizeof(struct page_info);

	return has_ram(first << PAGE_SHIFT, (last + 1) << PAGE_SHIFT);
}

/*
 * struct page_info of each frame below max_page. Chunks that describe nothing
 * but holes share one 2 MiB chunk of zeroes, read-only: a lookup of such a frame
 * finds "free, nobody's" and not a fault.
 */
static void map_frame_table(void)
{
	uint64_t bytes = (max_page * sizeof(struct page_info) + SIZE_2M - 1) & ~(SIZE_2M - 1), used = 0;
	paddr_t backing, hole;

	for (uint64_t off = 0; off < bytes; off += SIZE_2M)
		used += chunk_in_use(off) ? SIZE_2M : 0;
	backing = take_high(used + (used < bytes ? SIZE_2M : 0), "frame table");
	hole = backing + used;
	for (uint64_t off = 0; off < bytes; off += SIZE_2M) {
		if (chunk_in_use(off)) {
			map_range(FRAMETABLE_VIRT + off, backing, SIZE_2M, PTE_HV_RW);
			backing += SIZE_2M;
		} else {
			map_range(FRAMETABLE_VIRT + off, hole, SIZE_2M, PTE_HV | PTE_NX);
		}
	}
}

static void map_m2p(void)
{
	m2p_bytes = (max_page * sizeof(uint64_t) + SIZE_2M - 1) & ~(SIZE_2M - 1);
	m2p_paddr = take_high(m2p_bytes, "machine-to-physical table");
	m2p_rw = paddr_to_virt(m2p_paddr);
	for (uint64_t off = 0; off < m2p_bytes; off += SIZE_2M)
		map_range(M2P_RO_VIRT + off, m2p_paddr + off, SIZE_2M, PTE_HV | PTE_D | PTE_U | PTE_NX);
}

static void map_image(void)
{
	uint64_t text = (uint64_t)__image_start, ro = (uint64_t)__text_end, rw = (uint64_t)__rodata_end;
	uint64_t end = (uint64_t)__image_end;

	/* In 4 KiB pages, so that the three kinds stay apart. */
	for (uint64_t va = text; va < end; va += PAGE_SIZE)
		*walk(va, 1) = sym_to_paddr((void *)va) |
			       (va < ro ? PTE_HV : va < rw ? PTE_HV | PTE_NX : PTE_HV_RW);
}

void hv_pagetable_init(void)
{
	BUG_ON(sym_to_paddr(__image_end) > (64UL << 20));
	map_image();
	for (unsigned int i = 0; i < nr_ram_ranges; i++)
		map_range(DIRECTMAP_VIRT + ram_ranges[i].start, ram_ranges[i].start,
			  ram_ranges[i].end - ram_ranges[i].start, PTE_HV_RW);
	map_frame_table();
	map_m2p();
	/* Every slot has its table now: hv_root_fill copies the entries, and later mappings show everywhere. */
	for (unsigned int slot = HV_L4_FIRST; slot <= HV_L4_LAST; slot++)
		if (slot != PERVCPU_SLOT && !(hv_l4_template[slot] & PTE_P))
			hv_l4_template[slot] = virt_to_paddr(new_table()) | table_flags(slot);
	write_cr3(sym_to_paddr(hv_l4_template));
}

void hv_root_fill(uint64_t *root)
{
	for (unsigned int slot = HV_L4_FIRST; slot <= HV_L4_LAST; slot++)
		if (slot != PERVCPU_SLOT)
			root[slot] = hv_l4_template[slot];
}

void *hv_iomap(paddr_t p, uint64_t bytes)
{
	static uint64_t next = IOMAP_VIRT;
	uint64_t va = next, off = p & ~PAGE_MASK;

	bytes = (bytes + off + ~PAGE_MASK) & PAGE_MASK;
	if (va + bytes > IOMAP_VIRT + SIZE_1G)
		return NULL;
	for (uint64_t o = 0; o < bytes; o += PAGE_SIZE)
		*walk(va + o, 1) = ((p & PAGE_MASK) + o) | PTE_HV_RW | PTE_PCD | PTE_PWT;
	next += bytes;
	return (void *)(va + off);
}

uint64_t hv_lookup(uint64_t va)
{
	const uint64_t *t = hv_l4_template;

	if (va < HV_VIRT_START || va >= HV_VIRT_END || pt_index(va, 4) == PERVCPU_SLOT)
		return 0;
	for (int l = 4;; l--) {
		uint64_t e = t[pt_index(va, l)];

		if (!(e & PTE_P) || l == 1 || (l < 4 && (e & PTE_PSE)))
			return e & PTE_P ? e : 0;
		t = paddr_to_virt(e & PTE_MFN_MASK);
	}
}
