/* SPDX-License-Identifier: MIT */
/* Giving memory back, taking it again, exchanging it. */
#include "guest.h"

const char test_name[] = "memory";

#define NR 64
static char pool[NR][4096] page_aligned;
static uint64_t frames[NR], out[NR];

static struct xen_memory_reservation reservation(uint64_t *list, unsigned long nr)
{
	struct xen_memory_reservation r = { .nr_extents = nr, .domid = DOMID_SELF };

	set_xen_guest_handle(r.extent_start, list);
	return r;
}

static long pages_now(void)
{
	domid_t self = DOMID_SELF;

	return hc_memory_op(XENMEM_current_reservation, &self);
}

static uint64_t pfn_of(unsigned int i)
{
	return ((uint64_t)pool[i] - VIRT_BASE) >> PAGE_SHIFT;
}

static void set_p2m(uint64_t pfn, uint64_t mfn)
{
	((uint64_t *)start_info->mfn_list)[pfn] = mfn;
}

static void down_and_up(void)
{
	struct xen_memory_reservation r;
	long before = pages_now();
	unsigned int i;

	CHECK(before > 0, "current_reservation %ld", before);
	for (i = 0; i < NR; i++) {
		memset(pool[i], 0x5a, 4096);
		frames[i] = va_to_mfn(pool[i]);
		EXPECT(map_page(pool[i], 0), 0);
	}
	r = reservation(frames, NR);
	EXPECT(hc_memory_op(XENMEM_decrease_reservation, &r), NR);
	CHECK(pages_now() == before - NR, "%ld pages after giving %d of %ld back", pages_now(), NR, before);
	CHECK(map_page(pool[0], frames[0] << PAGE_SHIFT | PTE_RW) != 0, "a page that was given back maps");
	r = reservation(frames, NR);
	CHECK(hc_memory_op(XENMEM_decrease_reservation, &r) <= 0, "pages were given back twice");

	for (i = 0; i < NR; i++)
		frames[i] = pfn_of(i);
	r = reservation(frames, NR);
	EXPECT(hc_memory_op(XENMEM_populate_physmap, &r), NR);
	CHECK(pages_now() == before, "%ld pages after taking them again, not %ld", pages_now(), before);
	for (i = 0; i < NR; i++) {
		set_p2m(pfn_of(i), frames[i]);
		CHECK(mfn_to_pfn(frames[i]) == pfn_of(i), "machine-to-physical of a new page: %#lx", mfn_to_pfn(frames[i]));
		EXPECT(map_page(pool[i], frames[i] << PAGE_SHIFT | PTE_RW), 0);
		CHECK(*(uint64_t *)pool[i] == 0 && *(uint64_t *)(pool[i] + 4088) == 0, "a new page is not empty");
	}
}

static void mapped_page(void)
{
	uint64_t frame = va_to_mfn(pool[0]), other;
	struct xen_memory_reservation r = reservation(&frame, 1);
	long before = pages_now(), n;

	/* Still mapped: it may leave the guest's hands, but never go to somebody else. */
	n = hc_memory_op(XENMEM_decrease_reservation, &r);
	CHECK(n == 0 || n == 1, "decrease of a mapped page: %ld", n);
	*(volatile uint64_t *)pool[0] = 42;
	EXPECT(map_page(pool[0], 0), 0);
	if (n != 1)
		return;
	other = pfn_of(0);
	r = reservation(&other, 1);
	EXPECT(hc_memory_op(XENMEM_populate_physmap, &r), 1);
	set_p2m(pfn_of(0), other);
	EXPECT(map_page(pool[0], other << PAGE_SHIFT | PTE_RW), 0);
	CHECK(*(volatile uint64_t *)pool[0] == 0, "a new page is not empty");
	CHECK(pages_now() == before, "pages %ld, not %ld", pages_now(), before);
}

static void exchange(void)
{
	struct xen_memory_exchange x;
	long ret;

	frames[0] = va_to_mfn(pool[1]);
	out[0] = pfn_of(1);
	memset(&x, 0, sizeof(x));
	x.in = reservation(frames, 1);
	x.out = reservation(out, 1);
	EXPECT(map_page(pool[1], 0), 0);
	ret = hc_memory_op(XENMEM_exchange, &x);
	if (ret == -ENOSYS || ret == -EOPNOTSUPP) {
		test_skip("no XENMEM_exchange");
		EXPECT(map_page(pool[1], frames[0] << PAGE_SHIFT | PTE_RW), 0);
		return;
	}
	CHECK(ret == 0 && x.nr_exchanged == 1, "exchange: %ld, %lu done", ret, (unsigned long)x.nr_exchanged);
	if (ret == 0) {
		set_p2m(pfn_of(1), out[0]);
		EXPECT(map_page(pool[1], out[0] << PAGE_SHIFT | PTE_RW), 0);
		CHECK(*(volatile uint64_t *)pool[1] == 0, "an exchanged page is not empty");
	}
	memset(&x, 0, sizeof(x));
	frames[0] = 0x200;
	x.in = reservation(frames, 1);
	x.out = reservation(out, 1);
	EXPECT_ERROR(hc_memory_op(XENMEM_exchange, &x));
	/* The output list in the hypervisor's memory (an old way to write there). */
	memset(&x, 0, sizeof(x));
	frames[0] = va_to_mfn(pool[2]);
	x.in = reservation(frames, 1);
	x.out = reservation((uint64_t *)HV_START, 1);
	EXPECT_ERROR(hc_memory_op(XENMEM_exchange, &x));
	memset(&x, 0, sizeof(x));
	x.in = reservation(frames, ~0ul >> 4);
	x.out = reservation(out, ~0ul >> 4);
	x.nr_exchanged = 5;
	EXPECT_ERROR(hc_memory_op(XENMEM_exchange, &x));
}

static void refused(void)
{
	struct xen_memory_reservation r;
	long before = pages_now(), ret;
	unsigned int i;

	frames[0] = 0x200;
	r = reservation(frames, 1);
	CHECK(hc_memory_op(XENMEM_decrease_reservation, &r) <= 0, "the hypervisor's frame was given back");
	frames[0] = l4_mfn();
	r = reservation(frames, 1);
	hc_memory_op(XENMEM_decrease_reservation, &r);
	EXPECT_TRAP(NO_TRAP, (void)READ_ONCE(*(uint64_t *)start_info->pt_base));
	r = reservation((uint64_t *)HV_START, 1);
	CHECK(hc_memory_op(XENMEM_decrease_reservation, &r) <= 0, "a list in the hypervisor");
	r = reservation(frames, ~0ul);
	EXPECT_ERROR(hc_memory_op(XENMEM_populate_physmap, &r));
	r = reservation(frames, 1);
	r.extent_order = 60;
	CHECK(hc_memory_op(XENMEM_populate_physmap, &r) <= 0, "order 60");
	r.extent_order = 0xffffffff;
	CHECK(hc_memory_op(XENMEM_populate_physmap, &r) <= 0, "order 2^32-1");
	/* More than max_pages: stops, and says how far it came. */
	for (i = 0; i < 2000; i++) {
		frames[0] = pfn_of(3);
		r = reservation(frames, 1);
		ret = hc_memory_op(XENMEM_populate_physmap, &r);
		if (ret != 1)
			break;
	}
	CHECK(i < 2000, "no limit to memory");
	/* Nor is there more by another name, or for many at once. */
	r = reservation(frames, NR);
	for (i = 0; i < NR; i++)
		frames[i] = pfn_of(3);
	CHECK(hc_memory_op(XENMEM_increase_reservation, &r) <= 0, "increase_reservation beyond the limit");
	before = pages_now();
	r.extent_order = 9;
	CHECK(hc_memory_op(XENMEM_populate_physmap, &r) <= 0, "2 MiB extents beyond the limit");
	/* What it was promised is for domain 0 to say. */
	r = reservation(NULL, (unsigned long)before + NR);
	CHECK(hc_memory_op(XENMEM_claim_pages, &r) == -EPERM, "a guest claimed memory");
	CHECK(pages_now() == before, "%ld pages, not %ld", pages_now(), before);
	CHECK(pages_now() >= before, "pages were lost");
	EXPECT(hc_memory_op(XENMEM_get_vnumainfo, &r), -EOPNOTSUPP);
	EXPECT(hc_memory_op(999, &r), -ENOSYS);
}

void test_main(void)
{
	down_and_up();
	mapped_page();
	exchange();
	refused();
}
