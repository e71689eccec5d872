/* SPDX-License-Identifier: MIT */
/*
 * Guests' descriptor tables. The frames are the guest's, of type seg_desc: each
 * descriptor in them was checked, the guest has no writable mapping of them, and
 * the CPU sees them read-only. Hence the accessed bit is set beforehand.
 */
#include "domain/dirty_log.h"
#include "domain/uaccess.h"
#include "pv/mmu_private.h"

#define DESC_ACCESSED (1ULL << 40)
#define DESC_CODE (1ULL << 43)
#define DESC_S (1ULL << 44)
#define DESC_DPL (3ULL << 45)
#define DESC_P (1ULL << 47)
#define DESC_L (1ULL << 53)
#define DESC_D (1ULL << 54)
#define DESC_PER_PAGE 512u
#define GDT_ENTRIES_MAX (GDT_GUEST_PAGES * DESC_PER_PAGE)

/* What selectors in unset pages of the windows find. */
mfn_t empty_desc_mfn(void)
{
	static uint8_t page[PAGE_SIZE] __aligned(4096);

	return mfn(sym_to_paddr(page) >> PAGE_SHIFT);
}

bool pv_fix_descriptor(uint64_t *desc)
{
	uint64_t d = *desc;

	/* Loading it faults, whatever the rest is. */
	if (!(d & DESC_P))
		return true;
	/* Gates, LDTs and TSSs are the hypervisor's alone. */
	if (!(d & DESC_S))
		return false;
	if ((d & (DESC_CODE | DESC_L | DESC_D)) == (DESC_CODE | DESC_L | DESC_D))
		return false;
	/* Guest kernel and user both run in ring 3. */
	*desc = d | DESC_DPL | DESC_ACCESSED;
	return true;
}

int seg_desc_validate(struct page_info *pg)
{
	uint64_t *table = page_to_virt(pg);
	unsigned int i;

	for (i = 0; i < DESC_PER_PAGE; i++) {
		uint64_t d = READ_ONCE(table[i]), was = d;

		if (!pv_fix_descriptor(&d))
			return -EINVAL;
		if (d != was)
			WRITE_ONCE(table[i], d);
	}
	return 0;
}

static int get_gdt_page(struct domain *d, uint64_t frame)
{
	if (!mfn_valid(mfn(frame)))
		return -EINVAL;
	return get_page_and_type(mfn_to_page(mfn(frame)), d, PGT_seg_desc) ? -EINVAL : 0;
}

static void put_gdt_pages(const uint64_t *frames, unsigned int nr)
{
	while (nr-- > 0)
		put_page_and_type(mfn_to_page(mfn(frames[nr])));
}

static unsigned int gdt_pages(unsigned int entries) { return (entries + DESC_PER_PAGE - 1) / DESC_PER_PAGE; }

static void map_gdt(struct vcpu *v, const uint64_t *frames, unsigned int nr)
{
	unsigned int i;

	if (!v->pv.pervcpu_l1)
		return;
	for (i = 0; i < GDT_GUEST_PAGES; i++)
		WRITE_ONCE(v->pv.pervcpu_l1[i], (i < nr ? frames[i] : empty_desc_mfn().m) << PAGE_SHIFT | desc_pte);
	if (v == current)
		flush_tlb_local();
}

/* v is current, or paused and not loaded anywhere. */
int pv_set_gdt(struct vcpu *v, const uint64_t *frames, unsigned int entries)
{
	uint64_t old[GDT_GUEST_PAGES];
	unsigned int nr = gdt_pages(entries), old_nr = gdt_pages(v->pv.gdt_entries), i;

	if (entries > GDT_ENTRIES_MAX)
		return -EINVAL;
	for (i = 0; i < nr; i++) {
		int rc = get_gdt_page(v->domain, frames[i]);

		if (rc) {
			put_gdt_pages(frames, i);
			return rc;
		}
	}
	memcpy(old, v->pv.gdt_frames, sizeof(old));
	memset(v->pv.gdt_frames, 0, sizeof(v->pv.gdt_frames));
	memcpy(v->pv.gdt_frames, frames, nr * sizeof(*frames));
	v->pv.gdt_entries = entries;
	map_gdt(v, frames, nr);
	put_gdt_pages(old, old_nr);
	return 0;
}

void pv_destroy_gdt(struct vcpu *v) { (void)pv_set_gdt(v, v->pv.gdt_frames, 0); }

long do_set_gdt(unsigned long frame_list, unsigned long entries)
{
	uint64_t frames[GDT_GUEST_PAGES];

	if (entries > GDT_ENTRIES_MAX)
		return -EINVAL;
	if (is_host_domain(current->domain))
		return -EINVAL;
	if (copy_from_guest(frames, frame_list, gdt_pages((unsigned int)entries)))
		return -EFAULT;
	return pv_set_gdt(current, frames, (unsigned int)entries);
}

long do_update_descriptor(unsigned long pa, unsigned long desc)
{
	struct domain *d = current->domain;
	mfn_t m = mfn(pa >> PAGE_SHIFT);
	struct page_info *pg;
	uint64_t val = desc;
	int rc;

	if ((pa & 7) || !mfn_valid(m) || !pv_fix_descriptor(&val))
		return -EINVAL;
	pg = mfn_to_page(m);
	if (!get_page(pg, d))
		return -EINVAL;
	/* In use as a table now, or plain memory that becomes one later. */
	if ((READ_ONCE(pg->type_info) & (PGT_type_mask | PGT_validated)) == (PGT_seg_desc | PGT_validated))
		rc = get_page_type(pg, PGT_seg_desc, false);
	else
		rc = get_page_type(pg, PGT_writable, false);
	if (!rc) {
		WRITE_ONCE(*(uint64_t *)((char *)page_to_virt(pg) + (pa & ~PAGE_MASK)), val);
		page_written(d, pg);
		put_page_type(pg, false);
	}
	put_page(pg);
	return rc ? -EINVAL : 0;
}
