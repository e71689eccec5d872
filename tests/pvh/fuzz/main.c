/* SPDX-License-Identifier: MIT */
/*
 * Hypercalls at random from two vCPUs on one small piece of guest physical memory: balloon, moves, shared pages, grants to itself,
 * events, MSRs of the local APIC. It touches none of that memory itself. Debug key t compares all counts afterwards.
 * Command line: the seed, in decimal.
 */
#include "pvh.h"

const char test_name[] = "pvh-fuzz";

#define RAM 1024ul
#define FRAMES 520u     /* more than a large entry */
#define FAR 0x60000ul   /* holes at first */
#define TABLE (FAR + 0x1000)
#define REFS 8u
#define HANDLES 64u
#define ROUNDS 30000u

struct random { uint64_t s; };
static volatile uint32_t handles[HANDLES]; /* of either vCPU */
static volatile uint64_t places[HANDLES];
static volatile bool other_done;
static domid_t me;

static uint32_t pick(struct random *r, uint32_t below)
{
	r->s ^= r->s << 13;
	r->s ^= r->s >> 7;
	r->s ^= r->s << 17;
	return (uint32_t)(r->s >> 20) % below;
}

static uint64_t some_gfn(struct random *r)
{
	switch (pick(r, 16)) {
	case 0: return r->s;
	case 1: return (1ul << 28) - pick(r, 3);
	case 2: case 3: case 4: return FAR + pick(r, 64);
	}
	return RAM + pick(r, FRAMES);
}

static void reserve(struct random *r, unsigned int cmd)
{
	xen_pfn_t list[8];
	struct xen_memory_reservation res = { .nr_extents = 1 + pick(r, 8), .domid = DOMID_SELF };

	for (unsigned int i = 0; i < 8; i++)
		list[i] = some_gfn(r);
	if (pick(r, 20) == 0) {
		res.extent_order = pick(r, 11);
		res.nr_extents = 1;
		list[0] &= ~((1ul << res.extent_order) - 1);
	}
	set_xen_guest_handle(res.extent_start, list);
	HC(memory_op, cmd, &res, 0, 0, 0);
}

static void physmap(struct random *r)
{
	static const unsigned int spaces[] = { XENMAPSPACE_gmfn, XENMAPSPACE_gmfn, XENMAPSPACE_shared_info, XENMAPSPACE_grant_table, XENMAPSPACE_gmfn_foreign };
	struct xen_add_to_physmap a = { .domid = DOMID_SELF, .space = spaces[pick(r, ARRAY_SIZE(spaces))], .gpfn = some_gfn(r) };
	struct xen_remove_from_physmap gone = { .domid = DOMID_SELF, .gpfn = some_gfn(r) };

	a.idx = a.space == XENMAPSPACE_gmfn ? some_gfn(r) : pick(r, 3) | (pick(r, 4) ? 0 : XENMAPIDX_grant_table_status);
	if (pick(r, 4))
		HC(memory_op, XENMEM_add_to_physmap, &a, 0, 0, 0);
	else
		HC(memory_op, XENMEM_remove_from_physmap, &gone, 0, 0, 0);
}

static struct grant_entry_v1 *entries(void) { return (struct grant_entry_v1 *)(TABLE << PAGE_SHIFT); }

static void map(struct random *r)
{
	struct gnttab_map_grant_ref op = { .host_addr = some_gfn(r) << PAGE_SHIFT, .ref = 8 + pick(r, REFS), .dom = me,
					   .flags = GNTMAP_host_map | (pick(r, 3) ? 0 : GNTMAP_readonly) | (pick(r, 8) ? 0 : GNTMAP_device_map) };
	uint32_t i = pick(r, HANDLES);

	entries()[op.ref] = (struct grant_entry_v1){ .flags = GTF_permit_access, .domid = me, .frame = (uint32_t)some_gfn(r) };
	if (HC(grant_table_op, GNTTABOP_map_grant_ref, &op, 1, 0, 0) == 0 && op.status == GNTST_okay && handles[i] == 0) {
		places[i] = op.host_addr;
		handles[i] = op.handle + 1;
	}
}

static void unmap(struct random *r)
{
	uint32_t i = pick(r, HANDLES), h = handles[i];
	struct gnttab_unmap_grant_ref op = { .host_addr = pick(r, 16) ? places[i] : some_gfn(r) << PAGE_SHIFT, .handle = h - 1 };

	if (h && HC(grant_table_op, GNTTABOP_unmap_grant_ref, &op, 1, 0, 0) == 0 && op.status == GNTST_okay)
		handles[i] = 0;
}

static void copy(struct random *r)
{
	struct gnttab_copy op = { .len = (uint16_t)pick(r, 4097), .flags = (uint16_t)pick(r, 4) };

	op.source.domid = op.dest.domid = op.flags ? me : DOMID_SELF;
	op.source.u.ref = op.dest.u.ref = 8 + pick(r, REFS);
	if (!(op.flags & GNTCOPY_source_gref))
		op.source.u.gmfn = some_gfn(r);
	if (!(op.flags & GNTCOPY_dest_gref))
		op.dest.u.gmfn = RAM + pick(r, FRAMES); /* not shared_info nor the table: they are not its RAM, but writable */
	HC(grant_table_op, GNTTABOP_copy, &op, 1, 0, 0);
}

/* An argument, or a hypercall page, where there may be nothing, or no longer. */
static void arguments(struct random *r)
{
	uint64_t at = some_gfn(r) << PAGE_SHIFT | pick(r, 4096);

	switch (pick(r, 4)) {
	case 0: hc_version(XENVER_extraversion, at); break;
	case 1: hc_vcpu_op(VCPUOP_register_runstate_memory_area, 0, &at); break;
	case 2: HC(multicall, at, 1 + pick(r, 3), 0, 0, 0); break;
	case 3: CATCH(wrmsr(0x40000000, (RAM + pick(r, FRAMES)) << PAGE_SHIFT)); break;
	}
}

static void round(struct random *r)
{
	switch (pick(r, 10)) {
	case 0: case 1: reserve(r, XENMEM_populate_physmap); break;
	case 2: reserve(r, XENMEM_decrease_reservation); break;
	case 3: case 4: physmap(r); break;
	case 5: case 6: map(r); break;
	case 7: unmap(r); break;
	case 8: copy(r); break;
	case 9: arguments(r); break;
	}
}

static void secondary(void)
{
	struct random r = { 0x9e3779b97f4a7c15 };

	/* Traps are caught for one vCPU at a time: none are made here. */
	for (unsigned int i = 0; i < ROUNDS; i++)
		switch (pick(&r, 8)) {
		case 0: reserve(&r, XENMEM_populate_physmap); break;
		case 1: reserve(&r, XENMEM_decrease_reservation); break;
		case 2: physmap(&r); break;
		case 3: map(&r); break;
		case 4: case 5: unmap(&r); break;
		default: copy(&r); break;
		}
	other_done = true;
}

static bool find_me(void)
{
	struct xen_add_to_physmap a = { .domid = DOMID_SELF, .space = XENMAPSPACE_grant_table, .gpfn = TABLE };
	struct gnttab_map_grant_ref op = { .host_addr = FAR << PAGE_SHIFT, .ref = 8, .flags = GNTMAP_host_map };
	struct gnttab_unmap_grant_ref un = { .host_addr = FAR << PAGE_SHIFT };

	EXPECT(HC(memory_op, XENMEM_add_to_physmap, &a, 0, 0, 0), 0);
	for (me = 1; me < 1000; me++) {
		op.dom = me;
		entries()[8] = (struct grant_entry_v1){ .flags = GTF_permit_access, .domid = me, .frame = RAM };
		if (HC(grant_table_op, GNTTABOP_map_grant_ref, &op, 1, 0, 0) == 0 && op.status == GNTST_okay) {
			un.handle = op.handle;
			return HC(grant_table_op, GNTTABOP_unmap_grant_ref, &un, 1, 0, 0) == 0;
		}
	}
	return false;
}

void test_main(void)
{
	struct random r = { 88172645463325252 };

	for (const char *c = cmdline; *c >= '0' && *c <= '9'; c++)
		r.s = r.s * 31 + (uint64_t)*c;
	if (!find_me()) {
		test_failed("no grant can be mapped");
		return;
	}
	on_secondary(secondary);
	for (unsigned int i = 0; i < ROUNDS; i++)
		round(&r);
	while (!other_done)
		hc_sched_op(SCHEDOP_yield, NULL);
}
