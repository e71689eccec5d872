/* SPDX-License-Identifier: MIT */
/*
 * A PVH domain's memory as domain 0 sees it: hypercalls by gfn on a domain that never runs. Prints what went wrong; the
 * end-to-end test then asks the hypervisor whether all references are accounted for. "physmap hold" waits
 * for a line before it destroys the domain, "physmap free" says how many pages are free.
 */
#include "hv/private.h"
#include "public/node.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xen/grant_table.h>
#include <xen/memory.h>

#define HOLE (~0ULL)
#define PAGES 4096u /* the domain's limit */
#define LARGE 512u

static struct transport *t;
static uint32_t domid;
static int failed;

#define CHECK(x) check((x), #x, __LINE__)
static void check(bool ok, const char *what, int line)
{
	if (ok)
		return;
	printf("line %d: %s\n", line, what);
	failed = 1;
}

static void *table(size_t offset) { return t->arena + HV_TABLE_OFFSET + offset; }

static int64_t call(uint32_t op, uint64_t a, uint64_t b, uint64_t c)
{
	uint64_t args[6] = { a, b, c };
	struct pvctl_error err = { 0 };
	bool broken;
	int64_t ret = hv_call(t, op, args, 16384, &broken, &err);

	if (broken) {
		fprintf(stderr, "%s\n", err.msg);
		exit(2);
	}
	return ret;
}

static int64_t domctl(uint32_t cmd, struct xen_domctl *op)
{
	struct pvctl_error err = { 0 };
	bool broken;
	int64_t ret = hv_domctl(t, cmd, domid, op, 0, &broken, &err);

	if (broken) {
		fprintf(stderr, "%s\n", err.msg);
		exit(2);
	}
	return ret;
}

static int64_t memory_op(uint32_t cmd, const void *arg, size_t len)
{
	memcpy(t->arena, arg, len);
	return call(__HYPERVISOR_memory_op, cmd, arena_handle(t, t->arena), 0);
}

/* One extent. */
static int64_t extent(uint32_t cmd, uint64_t gfn, unsigned int order)
{
	struct xen_memory_reservation r = { .nr_extents = 1, .extent_order = order, .domid = (domid_t)domid };
	uint64_t *list = table(0);

	list[0] = gfn;
	HV_SET_HANDLE(t, r.extent_start, list);
	return memory_op(cmd, &r, sizeof(r));
}

static bool populate(uint64_t gfn, unsigned int order) { return extent(XENMEM_populate_physmap, gfn, order) == 1; }
static bool decrease(uint64_t gfn, unsigned int order) { return extent(XENMEM_decrease_reservation, gfn, order) == 1; }

static uint64_t frame(uint64_t gfn)
{
	uint64_t *list = table(0);

	list[0] = gfn;
	return call(NODE_OP_GFNS_TO_MFNS, domid, arena_handle(t, list), 1) ? HOLE - 1 : list[0];
}

static int64_t pages(void)
{
	struct xen_memory_domain d = { .domid = (domid_t)domid };

	return memory_op(XENMEM_current_reservation, &d, sizeof(d));
}

static int64_t add(unsigned int space, uint64_t idx, uint64_t gfn)
{
	struct xen_add_to_physmap a = { .domid = (domid_t)domid, .space = space, .idx = idx, .gpfn = gfn };

	return memory_op(XENMEM_add_to_physmap, &a, sizeof(a));
}

static int64_t rem(uint64_t gfn)
{
	struct xen_remove_from_physmap r = { .domid = (domid_t)domid, .gpfn = gfn };

	return memory_op(XENMEM_remove_from_physmap, &r, sizeof(r));
}

static void create(void)
{
	struct xen_domctl op = { .u.createdomain = { .flags = XEN_DOMCTL_CDF_hvm | XEN_DOMCTL_CDF_hap, .max_vcpus = 1,
						     .max_evtchn_port = 100, .max_grant_frames = 4, .max_maptrack_frames = 4,
						     .arch.emulation_flags = XEN_X86_EMU_LAPIC } };

	CHECK(domctl(XEN_DOMCTL_createdomain, &op) == 0);
	domid = op.domain;
	op = (struct xen_domctl){ .u.max_mem.max_memkb = PAGES * 4 };
	CHECK(domctl(XEN_DOMCTL_max_mem, &op) == 0);
}

static void test_small(void)
{
	CHECK(frame(0) == HOLE && frame(1ULL << 40) == HOLE && frame(HOLE) == HOLE);
	CHECK(populate(0, 0) && frame(0) != HOLE && pages() == 1);
	CHECK(!populate(0, 0) && pages() == 1); /* there is something */
	CHECK(populate(1, 0) && frame(1) != frame(0) && pages() == 2);
	CHECK(!populate((1ULL << 28), 0) && !populate(HOLE, 0) && !populate((1ULL << 28) - 1, 1) && pages() == 2);
	CHECK(populate((1ULL << 28) - 1, 0) && pages() == 3);
	CHECK(decrease(0, 0) && frame(0) == HOLE && pages() == 2);
	CHECK(!decrease(0, 0) && !decrease(1ULL << 40, 0) && pages() == 2);
	CHECK(decrease(1, 0) && decrease((1ULL << 28) - 1, 0) && pages() == 0);
}

/* One entry for 512 pages, and what becomes of it. */
static void test_large(void)
{
	uint64_t first;

	CHECK(populate(LARGE, 9) && pages() == LARGE);
	first = frame(LARGE);
	CHECK(first % LARGE == 0 && frame(LARGE + 1) == first + 1 && frame(2 * LARGE - 1) == first + LARGE - 1);
	CHECK(frame(LARGE - 1) == HOLE && frame(2 * LARGE) == HOLE);
	CHECK(!populate(LARGE + 7, 0) && !populate(LARGE, 9) && pages() == LARGE);
	/* A piece goes, its neighbours stay. */
	CHECK(decrease(LARGE + 7, 0) && pages() == LARGE - 1 && frame(LARGE + 7) == HOLE);
	CHECK(frame(LARGE + 6) == first + 6 && frame(LARGE + 8) == first + 8);
	CHECK(populate(LARGE + 7, 0) && pages() == LARGE);
	/* Some of it is there already: nothing is taken. */
	CHECK(!populate(LARGE - 1, 1) && pages() == LARGE && frame(LARGE - 1) == HOLE);
	CHECK(decrease(LARGE, 9) && pages() == 0);
	/* Where tables were, they stay: the same by 512 entries. */
	CHECK(populate(LARGE, 9) && frame(LARGE + 511) != HOLE && decrease(LARGE, 9) && pages() == 0);
	/* Not aligned. */
	CHECK(populate(3 * LARGE + 1, 9) && frame(4 * LARGE) != HOLE && frame(3 * LARGE) == HOLE && pages() == LARGE);
	CHECK(decrease(3 * LARGE + 1, 9) && pages() == 0);
	/* Over the limit. */
	for (uint64_t g = 8 * LARGE; g < 8 * LARGE + PAGES; g += LARGE)
		CHECK(populate(g, 9));
	CHECK(pages() == PAGES && !populate(4 * LARGE, 9) && !populate(4 * LARGE, 0));
	for (uint64_t g = 8 * LARGE; g < 8 * LARGE + PAGES; g += LARGE)
		CHECK(decrease(g, 9));
	CHECK(pages() == 0);
}

static void test_shared(void)
{
	uint64_t info, grants;

	CHECK(add(XENMAPSPACE_shared_info, 0, 100) == 0 && add(XENMAPSPACE_shared_info, 1, 101) == -22);
	info = frame(100);
	CHECK(info != HOLE && frame(101) == HOLE && pages() == 0);
	/* It may appear in two places; RAM gives way, and is given up. */
	CHECK(populate(101, 0) && pages() == 1 && add(XENMAPSPACE_shared_info, 0, 101) == 0);
	CHECK(frame(101) == info && pages() == 0);
	CHECK(add(XENMAPSPACE_grant_table, 0, 102) == 0 && add(XENMAPSPACE_grant_table, 3, 103) == 0);
	grants = frame(102);
	CHECK(grants != HOLE && grants != info && frame(103) != grants);
	CHECK(add(XENMAPSPACE_grant_table, 4, 104) == -22 && add(XENMAPSPACE_grant_table, HOLE, 104) == -22);
	CHECK(add(XENMAPSPACE_grant_table, 1ULL << 32, 104) == -22);
	CHECK(add(XENMAPSPACE_grant_table, XENMAPIDX_grant_table_status, 104) == -22); /* version 1 has none */
	CHECK(add(XENMAPSPACE_gmfn_foreign, 0, 104) == -95 && add(XENMAPSPACE_gmfn_range, 0, 104) == -95);
	CHECK(add(99, 0, 104) == -95 && add(XENMAPSPACE_shared_info, 0, 1ULL << 28) == -22);
	CHECK(frame(104) == HOLE);
	/* They are not its to give. */
	CHECK(!decrease(100, 0) && frame(100) == info);
	CHECK(add(XENMAPSPACE_grant_table, 0, 100) == 0 && frame(100) == grants);
	CHECK(rem(100) == 0 && rem(100) == -2 && rem(101) == 0 && rem(103) == 0 && frame(103) == HOLE);
	/* 102 stays, for the domain's end. A page of RAM moves. */
	CHECK(populate(110, 0) && add(XENMAPSPACE_gmfn, 110, 111) == 0 && frame(110) == HOLE && frame(111) != HOLE);
	CHECK(add(XENMAPSPACE_gmfn, 110, 112) == -22 && add(XENMAPSPACE_gmfn, 111, 111) == -22 && pages() == 1);
	CHECK(add(XENMAPSPACE_gmfn, 111, 1ULL << 28) == -22 && frame(111) != HOLE);
	CHECK(populate(112, 0) && add(XENMAPSPACE_gmfn, 111, 112) == 0 && pages() == 1);
	CHECK(rem(112) == 0 && pages() == 0);
}

static void test_batch(void)
{
	struct xen_add_to_physmap_batch b = { .domid = (domid_t)domid, .space = XENMAPSPACE_grant_table, .size = 3 };
	xen_ulong_t *idx = table(0);
	xen_pfn_t *gfn = table(64);
	int *errs = table(128);

	idx[0] = 0, idx[1] = 9, idx[2] = 1;
	gfn[0] = 120, gfn[1] = 121, gfn[2] = 122;
	errs[0] = errs[1] = errs[2] = 7;
	HV_SET_HANDLE(t, b.idxs, idx);
	HV_SET_HANDLE(t, b.gpfns, gfn);
	HV_SET_HANDLE(t, b.errs, errs);
	CHECK(memory_op(XENMEM_add_to_physmap_batch, &b, sizeof(b)) == 0);
	CHECK(errs[0] == 0 && errs[1] == -22 && errs[2] == 0);
	CHECK(frame(120) == frame(102) && frame(121) == HOLE && frame(122) != HOLE);
	b.space = XENMAPSPACE_gmfn_foreign;
	CHECK(memory_op(XENMEM_add_to_physmap_batch, &b, sizeof(b)) == -95);
}

struct e820 {
	uint64_t addr, size;
	uint32_t type;
} __attribute__((packed));

static void test_map(void)
{
	struct xen_foreign_memory_map m = { .domid = (domid_t)domid, .map.nr_entries = 3 };
	struct e820 *e = table(0);

	memset(e, 0, 65 * sizeof(*e));
	HV_SET_HANDLE(t, m.map.buffer, e);
	CHECK(memory_op(XENMEM_set_memory_map, &m, sizeof(m)) == 0);
	m.map.nr_entries = 65;
	CHECK(memory_op(XENMEM_set_memory_map, &m, sizeof(m)) == -22);
	m.map.nr_entries = 0;
	CHECK(memory_op(XENMEM_set_memory_map, &m, sizeof(m)) == -22);
}

/* The domain's grant, written by us into its table, as its builder does for console and store. */
static struct grant_entry_v1 *grant_entry(uint32_t ref)
{
	uint64_t m = frame(102); /* where test_shared left the first frame */
	struct grant_entry_v1 *e = t->ops->map(t, m, 1);

	return e ? e + ref : NULL;
}

static int map_grant(uint32_t ref, bool readonly, uint64_t *bus, uint32_t *handle)
{
	struct gnttab_map_grant_ref op = { .flags = GNTMAP_host_map | (readonly ? GNTMAP_readonly : 0), .ref = ref,
					   .dom = (domid_t)domid };

	memcpy(t->arena, &op, sizeof(op));
	CHECK(call(__HYPERVISOR_grant_table_op, GNTTABOP_map_grant_ref, arena_handle(t, t->arena), 1) == 0);
	memcpy(&op, t->arena, sizeof(op));
	*bus = op.dev_bus_addr;
	*handle = op.handle;
	return op.status;
}

static int unmap_grant(uint32_t handle)
{
	struct gnttab_unmap_grant_ref op = { .handle = handle };

	memcpy(t->arena, &op, sizeof(op));
	CHECK(call(__HYPERVISOR_grant_table_op, GNTTABOP_unmap_grant_ref, arena_handle(t, t->arena), 1) == 0);
	memcpy(&op, t->arena, sizeof(op));
	return op.status;
}

static int copy_grant(uint32_t ref, uint64_t to_ref)
{
	struct gnttab_copy op = { .source = { .u.ref = ref, .domid = (domid_t)domid },
				  .dest = { .u.ref = (grant_ref_t)to_ref, .domid = (domid_t)domid }, .len = 4096,
				  .flags = GNTCOPY_source_gref | GNTCOPY_dest_gref };

	memcpy(t->arena, &op, sizeof(op));
	CHECK(call(__HYPERVISOR_grant_table_op, GNTTABOP_copy, arena_handle(t, t->arena), 1) == 0);
	memcpy(&op, t->arena, sizeof(op));
	return op.status;
}

static void test_grants(void)
{
	struct grant_entry_v1 *e;
	uint32_t h1, h2, h3;
	uint64_t bus, m1;
	uint8_t *p;

	CHECK(populate(200, 0) && populate(201, 0));
	m1 = frame(200);
	e = grant_entry(0);
	if (!e) {
		CHECK(e != NULL);
		return;
	}
	e[8] = (struct grant_entry_v1){ .flags = GTF_permit_access, .domid = 0, .frame = 200 };
	e[9] = (struct grant_entry_v1){ .flags = GTF_permit_access | GTF_readonly, .domid = 0, .frame = 201 };
	e[10] = (struct grant_entry_v1){ .flags = GTF_permit_access, .domid = 0, .frame = 300 };         /* a hole */
	e[11] = (struct grant_entry_v1){ .flags = GTF_permit_access, .domid = 0, .frame = (uint32_t)m1 }; /* a machine frame is no gfn */
	CHECK(map_grant(8, false, &bus, &h1) == GNTST_okay && bus == m1 << 12);
	CHECK(map_grant(9, false, &bus, &h2) != GNTST_okay);
	CHECK(map_grant(9, true, &bus, &h2) == GNTST_okay && bus == frame(201) << 12);
	CHECK(map_grant(10, false, &bus, &h3) == GNTST_bad_page);
	CHECK(m1 == 200 || map_grant(11, true, &bus, &h3) == GNTST_bad_page);
	p = t->ops->map(t, frame(201), 1);
	if (p)
		memset(p, 0x5a, 4096);
	CHECK(copy_grant(9, 8) == GNTST_okay);
	p = t->ops->map(t, m1, 1);
	CHECK(p && p[0] == 0x5a && p[4095] == 0x5a);
	/* Ballooned out while it is mapped: it is the domain's until the mapping goes. */
	CHECK(decrease(200, 0) && frame(200) == HOLE && pages() == 2);
	CHECK(map_grant(8, false, &bus, &h3) == GNTST_okay && bus == m1 << 12);
	CHECK(unmap_grant(h3) == GNTST_okay && pages() == 2);
	CHECK(unmap_grant(h1) == GNTST_okay && pages() == 1);
	CHECK(map_grant(8, false, &bus, &h1) == GNTST_bad_page);
	CHECK(unmap_grant(h2) == GNTST_okay && decrease(201, 0) && pages() == 0);
}

/* A PV domain has none of this. */
static void test_pv(void)
{
	struct xen_domctl op = { .u.createdomain = { .max_vcpus = 1, .max_evtchn_port = 100, .max_grant_frames = 4,
						     .max_maptrack_frames = 4 } };
	uint32_t pvh = domid;

	domid = 0;
	CHECK(domctl(XEN_DOMCTL_createdomain, &op) == 0);
	domid = op.domain;
	CHECK(add(XENMAPSPACE_shared_info, 0, 5) == -38 && rem(5) == -38 && frame(5) == HOLE - 1);
	CHECK(hv_domain_destroy(t, domid, NULL) == 0);
	domid = pvh;
}

/* Left for the domain's end: entries of each kind and size. */
static void leave(void)
{
	CHECK(populate(5 * LARGE, 9) && populate(0, 3) && populate((1ULL << 27) + 3, 0) && populate(6 * LARGE, 9));
	CHECK(decrease(6 * LARGE + 100, 2));
}

static int free_pages(void)
{
	struct xen_sysctl_physinfo info;
	struct pvctl_error err = { 0 };

	if (hv_physinfo(t, &info, &err))
		return 2;
	printf("%llu\n", (unsigned long long)info.free_pages);
	t->ops->close(t);
	return 0;
}

int main(int argc, char **argv)
{
	struct pvctl_error err = { 0 };

	if (transport_open_hosted(NULL, &t, &err)) {
		fprintf(stderr, "%s\n", err.msg);
		return 2;
	}
	if (argc > 1 && !strcmp(argv[1], "free"))
		return free_pages();
	create();
	test_small();
	test_large();
	test_shared();
	test_batch();
	test_map();
	test_grants();
	test_pv();
	leave();
	if (argc > 1 && !strcmp(argv[1], "hold")) {
		printf("%u\n", domid);
		fflush(stdout);
		(void)getchar();
	}
	CHECK(hv_domain_destroy(t, domid, NULL) == 0);
	t->ops->close(t);
	return failed;
}
