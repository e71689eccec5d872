/* SPDX-License-Identifier: MIT */
#include "build/layout.h"
#include "util/err.h"
#include <string.h>
#include <xen/xen.h>

#define REGION_ALIGN (4ull << 20)
#define REGION_PAD (512ull << 10)
#define REGION_MAX (64ull << 30) /* virtual; far beyond what any kernel maps at first */
#define HOLE_START 0xffff800000000000ull
#define HOLE_END 0xffff880000000000ull

static uint64_t pages_of(uint64_t bytes)
{
	return (bytes >> PAGE_SHIFT) + ((bytes & (PAGE_SIZE - 1)) != 0);
}

static bool canonical(uint64_t va)
{
	int64_t top = (int64_t)va >> 47;

	return top == 0 || top == -1;
}

/* [va, last] is canonical, in one half, and clear of the hypervisor. */
static bool usable(uint64_t va, uint64_t last)
{
	return last >= va && canonical(va) && canonical(last) && (int64_t)(va ^ last) >= 0 &&
	       (last < HOLE_START || va >= HOLE_END);
}

static void count_tables(struct table_range *r)
{
	r->n3 = (r->va_last >> 39) - (r->va >> 39) + 1;
	r->n2 = (r->va_last >> 30) - (r->va >> 30) + 1;
	r->n1 = (r->va_last >> 21) - (r->va >> 21) + 1;
}

static int bad(struct pvctl_error *err, const char *what)
{
	return err_set(err, -EINVAL, PVCTL_ORIGIN_IMAGE, "the kernel's Xen notes and segments disagree: %s", what);
}

static int check(const struct layout_in *in, struct pvctl_error *err)
{
	if (in->virt_base & (PAGE_SIZE - 1) || !canonical(in->virt_base))
		return bad(err, "its virtual base is no page's address");
	if (in->kernel_start < in->virt_base || in->kernel_end <= in->kernel_start ||
	    in->kernel_end - in->virt_base > REGION_MAX)
		return bad(err, "it lies below its virtual base, or far above");
	if (in->entry < in->kernel_start || in->entry >= in->kernel_end)
		return bad(err, "its entry point is outside");
	if (in->nr_pages == 0 || in->nr_pages > LAYOUT_MAX_PAGES)
		return err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "memory: %llu pages cannot be laid out",
		               (unsigned long long)in->nr_pages);
	return 0;
}

/* The page tables map themselves, so their number depends on itself: it settles
 * in a few rounds, since a table maps 512 pages. */
static int place_tables(struct layout *l, uint64_t first_free, struct pvctl_error *err)
{
	uint64_t n = 0, end, bytes, need;

	l->main.va = l->virt_base;
	l->main.pfn = first_free;
	for (;;) {
		l->stack_pfn = first_free + n;
		bytes = (l->stack_pfn + 1) * PAGE_SIZE + REGION_PAD;
		/* An end at 2^64 exactly is fine; beyond it is not. */
		end = l->virt_base + bytes + (REGION_ALIGN - 1);
		if (bytes > REGION_MAX || (end < l->virt_base && end > REGION_ALIGN - 1))
			return bad(err, "what it wants mapped at first does not fit the address space");
		end &= -REGION_ALIGN;
		l->virt_end = end;
		l->main.va_last = end - 1;
		if (!usable(l->main.va, l->main.va_last))
			return bad(err, "what it wants mapped at first runs into the hypervisor's part");
		l->main.n4 = 1;
		count_tables(&l->main);
		need = table_range_count(&l->main);
		if (need == n)
			break;
		n = need;
	}
	l->region_pages = (end - l->virt_base) >> PAGE_SHIFT;
	return 0;
}

static int place_p2m_apart(struct layout *l, const struct layout_in *in, uint64_t *next, struct pvctl_error *err)
{
	struct table_range *r = &l->p2m_tables;

	r->va = in->p2m_base;
	r->va_last = in->p2m_base + l->p2m_pages * PAGE_SIZE - 1;
	if (in->p2m_base & (PAGE_SIZE - 1) || !usable(r->va, r->va_last))
		return bad(err, "its place for the p2m list is not usable");
	/* Sharing a top-level slot would mean sharing lower tables, too. No kernel asks for that. */
	if (r->va_last >> 39 >= l->main.va >> 39 && r->va >> 39 <= l->main.va_last >> 39)
		return err_set(err, -ENOSYS, PVCTL_ORIGIN_IMAGE, "the kernel wants its p2m list within 512 GiB of itself");
	l->p2m_va = in->p2m_base;
	l->p2m_pfn = *next;
	r->pfn = l->p2m_pfn + l->p2m_pages;
	count_tables(r);
	*next = r->pfn + table_range_count(r);
	return 0;
}

int layout_make(const struct layout_in *in, struct layout *ret, struct pvctl_error *err)
{
	struct layout l;
	uint64_t next;
	int rc;

	rc = check(in, err);
	if (rc)
		return rc;
	memset(&l, 0, sizeof(l));
	l.virt_base = in->virt_base;
	l.entry = in->entry;
	l.nr_pages = in->nr_pages;
	l.ramdisk_bytes = in->ramdisk_bytes;
	l.p2m_pages = pages_of(in->nr_pages * sizeof(uint64_t));
	l.p2m_apart = in->has_p2m_base;

	next = pages_of(in->kernel_end - in->virt_base);
	if (in->ramdisk_bytes && !in->ramdisk_unmapped) {
		l.ramdisk_pfn = next;
		l.ramdisk_va = layout_va(&l, next);
		next += pages_of(in->ramdisk_bytes);
	}
	if (!l.p2m_apart) {
		l.p2m_pfn = next;
		l.p2m_va = layout_va(&l, next);
		next += l.p2m_pages;
	}
	l.start_info_pfn = next++;
	l.store_pfn = next++;
	l.console_pfn = next++;
	rc = place_tables(&l, next, err);
	if (rc)
		return rc;
	next = l.region_pages;
	if (l.p2m_apart)
		rc = place_p2m_apart(&l, in, &next, err);
	if (rc)
		return rc;
	if (in->ramdisk_bytes && in->ramdisk_unmapped) {
		l.ramdisk_pfn = next;
		next += pages_of(in->ramdisk_bytes);
	}
	l.used_pages = next;
	if (l.used_pages > l.nr_pages)
		return err_set(err, -ENOMEM, PVCTL_ORIGIN_LIB,
		               "memory: %llu MiB are too few to load this kernel and ramdisk: at least %llu MiB are needed",
		               (unsigned long long)l.nr_pages >> 8, (unsigned long long)((l.used_pages + 255) >> 8));
	*ret = l;
	return 0;
}
