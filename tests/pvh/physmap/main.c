/* SPDX-License-Identifier: MIT */
/* Memory by gfn, from inside: what goes and comes, what is shared, grants mapped into it, two vCPUs against each other. */
#include "pvh.h"

const char test_name[] = "pvh-physmap";

#define RAM 1024ul      /* 512 frames of ours that nothing else uses: one large entry at first */
#define HOLE 0x60000ul  /* nothing is there */
#define TABLE (HOLE + 0)
#define INFO (HOLE + 1)
#define STATUS (HOLE + 2)
#define MAP (HOLE + 16)
#define REF 20u

static volatile uint64_t *at(uint64_t gfn) { return (volatile uint64_t *)(gfn << PAGE_SHIFT); }
static struct grant_entry_v1 *v1(void) { return (struct grant_entry_v1 *)(TABLE << PAGE_SHIFT); }
static union grant_entry_v2 *v2(void) { return (union grant_entry_v2 *)(TABLE << PAGE_SHIFT); }

static long extents(unsigned int cmd, uint64_t gfn, unsigned int order)
{
	xen_pfn_t list = gfn;
	struct xen_memory_reservation r = { .nr_extents = 1, .extent_order = order, .domid = DOMID_SELF };

	set_xen_guest_handle(r.extent_start, &list);
	return HC(memory_op, cmd, &r, 0, 0, 0);
}
static long drop(uint64_t gfn, unsigned int order) { return extents(XENMEM_decrease_reservation, gfn, order); }
static long fill(uint64_t gfn, unsigned int order) { return extents(XENMEM_populate_physmap, gfn, order); }

static long add(unsigned int space, uint64_t idx, uint64_t gfn)
{
	struct xen_add_to_physmap a = { .domid = DOMID_SELF, .space = space, .idx = idx, .gpfn = gfn };

	return HC(memory_op, XENMEM_add_to_physmap, &a, 0, 0, 0);
}

static long rem(uint64_t gfn)
{
	struct xen_remove_from_physmap r = { .domid = DOMID_SELF, .gpfn = gfn };

	return HC(memory_op, XENMEM_remove_from_physmap, &r, 0, 0, 0);
}

static long pages(void)
{
	domid_t self = DOMID_SELF;

	return HC(memory_op, XENMEM_current_reservation, &self, 0, 0, 0);
}

static int map(uint64_t gpa, uint32_t ref, domid_t dom, uint32_t flags, uint32_t *handle)
{
	struct gnttab_map_grant_ref op = { .host_addr = gpa, .flags = flags, .ref = ref, .dom = dom };
	long rc = HC(grant_table_op, GNTTABOP_map_grant_ref, &op, 1, 0, 0);

	*handle = op.handle;
	return rc ? (int)rc - 1000 : op.status;
}

static int unmap(uint64_t gpa, uint32_t handle)
{
	struct gnttab_unmap_grant_ref op = { .host_addr = gpa, .handle = handle };
	long rc = HC(grant_table_op, GNTTABOP_unmap_grant_ref, &op, 1, 0, 0);

	return rc ? (int)rc - 1000 : op.status;
}

static domid_t me;

static void check_balloon(void)
{
	long had = pages();

	at(RAM + 5)[0] = 1;
	EXPECT(drop(RAM + 5, 0), 1);
	EXPECT(drop(RAM + 5, 0), 0);
	EXPECT(pages(), had - 1);
	at(RAM + 4)[0] = 4;
	at(RAM + 6)[0] = 6;
	/* An argument in the hole, or in none of the guest's tables. */
	EXPECT(hc_version(XENVER_get_features, at(RAM + 5)), -EFAULT);
	EXPECT(hc_version(XENVER_get_features, (uint64_t)at(RAM + 5) - 4), -EFAULT); /* across its beginning */
	EXPECT(hc_version(XENVER_get_features, 1ul << 32), -EFAULT);
	EXPECT(fill(RAM + 4, 0), 0);
	EXPECT(fill(RAM + 5, 0), 1);
	CHECK(at(RAM + 5)[0] == 0 && at(RAM + 4)[0] == 4 && at(RAM + 6)[0] == 6, "what came is not new, or more went");
	EXPECT(drop(RAM, 9), 1);
	EXPECT(pages(), had - 512);
	EXPECT(fill(RAM, 9), 1);
	CHECK(at(RAM + 4)[0] == 0 && at(RAM + 511)[511] == 0, "not zero");
	EXPECT(fill(HOLE, 0), 0); /* over the limit */
	EXPECT(fill(1ul << 28, 0), 0);
	EXPECT(drop(~0ul, 0), 0);
	EXPECT(pages(), had);
	EXPECT(HC(memory_op, XENMEM_machphys_mapping, tables, 0, 0, 0), -ENOSYS);
}

static void check_shared(void)
{
	struct shared_info *info = (void *)(INFO << PAGE_SHIFT);
	long had = pages();

	EXPECT(add(XENMAPSPACE_shared_info, 0, INFO), 0);
	CHECK(info->wc_sec != 0, "no shared_info there");
	/* In the place of RAM, which is given up; and somewhere else after that. */
	EXPECT(add(XENMAPSPACE_shared_info, 0, RAM + 9), 0);
	EXPECT(pages(), had - 1);
	info->evtchn_mask[0] = 0x55;
	barrier();
	CHECK(((volatile struct shared_info *)at(RAM + 9))->evtchn_mask[0] == 0x55, "not the same page");
	barrier();
	info->evtchn_mask[0] = ~0ul;
	EXPECT(drop(RAM + 9, 0), 0); /* not its to give */
	EXPECT(rem(RAM + 9), 0);
	EXPECT(fill(RAM + 9, 0), 1);
	EXPECT(add(XENMAPSPACE_grant_table, 0, TABLE), 0);
	EXPECT(add(XENMAPSPACE_grant_table, 1u << 20, TABLE), -EINVAL);
	EXPECT(add(XENMAPSPACE_gmfn_foreign, 0, HOLE + 3), -EOPNOTSUPP);
	EXPECT(add(XENMAPSPACE_gmfn, RAM + 1, HOLE + 3), 0);
	EXPECT(drop(RAM + 1, 0), 0);
	EXPECT(add(XENMAPSPACE_gmfn, HOLE + 3, RAM + 1), 0);
	EXPECT(pages(), had);
}

/* Which domain this is: that for which a grant to itself works. */
static bool find_me(uint32_t *handle)
{
	for (me = 1; me < 1000; me++) {
		v1()[REF] = (struct grant_entry_v1){ .flags = GTF_permit_access, .domid = me, .frame = RAM + 20 };
		if (map(MAP << PAGE_SHIFT, REF, me, GNTMAP_host_map, handle) == GNTST_okay)
			return true;
	}
	return false;
}

static void check_grants(void)
{
	uint64_t gpa = MAP << PAGE_SHIFT;
	uint32_t h, h2, bad;

	if (!find_me(&h)) {
		test_failed("no grant can be mapped");
		return;
	}
	at(RAM + 20)[7] = 77;
	CHECK(at(MAP)[7] == 77, "not the granted page");
	at(MAP)[8] = 88;
	CHECK(at(RAM + 20)[8] == 88, "not the granted page");
	EXPECT(map(gpa, REF, me, GNTMAP_host_map, &bad), GNTST_general_error);               /* there is something */
	EXPECT(map((RAM + 1) << PAGE_SHIFT, REF, me, GNTMAP_host_map, &bad), GNTST_general_error); /* RAM */
	EXPECT(map(gpa + 4096 + 8, REF, me, GNTMAP_host_map, &bad), GNTST_general_error);
	EXPECT(map(gpa + 4096, REF, me, GNTMAP_host_map | GNTMAP_contains_pte, &bad), GNTST_general_error);
	EXPECT(map(1ul << 40, REF, me, GNTMAP_host_map, &bad), GNTST_general_error);
	EXPECT(map(gpa + 4096, REF, me, GNTMAP_host_map | GNTMAP_readonly, &h2), GNTST_okay);
	CHECK(at(MAP + 1)[8] == 88, "not the granted page, read-only");
	/* It goes with its handle, and by no other way. */
	EXPECT(drop(MAP, 0), 0);
	EXPECT(rem(MAP), -ENOENT);
	EXPECT(add(XENMAPSPACE_shared_info, 0, MAP), -EEXIST);
	EXPECT(add(XENMAPSPACE_gmfn, MAP, HOLE + 5), -EINVAL);
	EXPECT(unmap(gpa + 8192, h), GNTST_general_error);
	EXPECT(unmap(gpa + 4096, h), GNTST_general_error); /* the other's */
	/* The granted page is ballooned out: the mapping has it still. */
	EXPECT(drop(RAM + 20, 0), 1);
	CHECK(at(MAP)[7] == 77, "it went too early");
	EXPECT(unmap(gpa, h), GNTST_okay);
	EXPECT(unmap(gpa, h), GNTST_bad_handle);
	CHECK(at(MAP + 1)[7] == 77, "it went too early");
	EXPECT(unmap(gpa + 4096, h2), GNTST_okay);
	EXPECT(fill(RAM + 20, 0), 1);
	CHECK(!(v1()[REF].flags & (GTF_reading | GTF_writing)), "still in use");
	EXPECT(hc_version(XENVER_get_features, at(MAP)), -EFAULT);
}

static void check_version_2(void)
{
	struct gnttab_set_version op = { .version = 2 };
	uint32_t h;

	EXPECT(HC(grant_table_op, GNTTABOP_set_version, &op, 1, 0, 0), 0);
	EXPECT(add(XENMAPSPACE_grant_table, XENMAPIDX_grant_table_status, STATUS), 0);
	v2()[REF].full_page.frame = RAM + 21;
	v2()[REF].hdr.domid = me;
	v2()[REF].hdr.flags = GTF_permit_access;
	EXPECT(map(MAP << PAGE_SHIFT, REF, me, GNTMAP_host_map, &h), GNTST_okay);
	CHECK(((volatile uint16_t *)at(STATUS))[REF] == (GTF_reading | GTF_writing), "status");
	EXPECT(unmap(MAP << PAGE_SHIFT, h), GNTST_okay);
	EXPECT(rem(STATUS), 0);
	op.version = 1;
	EXPECT(HC(grant_table_op, GNTTABOP_set_version, &op, 1, 0, 0), 0);
}

/* --- two vCPUs --- */

#define RACED 16u
static volatile bool stop;
static volatile uint32_t rounds_there;

static void balloon_there(void)
{
	for (uint32_t i = 0; !stop; i++) {
		uint64_t gfn = RAM + 32 + i % RACED;

		(void)drop(gfn, 0);
		(void)add(XENMAPSPACE_gmfn, RAM + 32 + (i + 5) % RACED, gfn);
		(void)fill(gfn, 0);
		(void)fill(RAM + 32 + (i + 5) % RACED, 0);
		if (i % 64 == 0) {
			(void)drop(RAM, 9);
			(void)fill(RAM, 9);
			for (uint64_t g = RAM; g < RAM + 512; g++)
				(void)fill(g, 0);
		}
		rounds_there++;
	}
}

/* Any result is good that leaves the hypervisor with right counts. */
static void grants_here(unsigned int n)
{
	uint32_t handle[8], mapped = 0;

	for (unsigned int i = 0; i < n; i++) {
		uint64_t gfn = RAM + 32 + i % RACED;
		struct gnttab_copy copy = { .source.u.ref = REF, .source.domid = me, .dest.u.gmfn = gfn,
					    .dest.domid = DOMID_SELF, .len = 4096, .flags = GNTCOPY_source_gref };

		if (v1()[REF].flags & (GTF_reading | GTF_writing))
			test_failed("a grant that nobody uses is marked: %#x", v1()[REF].flags);
		v1()[REF].frame = (uint32_t)gfn;
		while (mapped < 8 && map((MAP + mapped) << PAGE_SHIFT, REF, me, GNTMAP_host_map | (mapped & 1 ? GNTMAP_readonly : 0),
					 &handle[mapped]) == GNTST_okay)
			mapped++;
		for (uint32_t k = 0; k < mapped; k++)
			(void)at(MAP + k)[1];
		if (mapped)
			at(MAP)[1] = i;
		EXPECT(HC(grant_table_op, GNTTABOP_copy, &copy, 1, 0, 0), 0);
		(void)hc_version(XENVER_get_features, at(gfn));
		while (mapped) {
			mapped--;
			EXPECT(unmap((MAP + mapped) << PAGE_SHIFT, handle[mapped]), GNTST_okay);
		}
	}
}

void test_main(void)
{
	check_balloon();
	check_shared();
	check_grants();
	check_version_2();
	v1()[REF] = (struct grant_entry_v1){ .flags = GTF_permit_access, .domid = me, .frame = RAM };
	on_secondary(balloon_there);
	for (unsigned int i = 0; i < 1000000 && !rounds_there; i++)
		hc_sched_op(SCHEDOP_yield, NULL);
	CHECK(rounds_there, "the other vCPU does not run");
	grants_here(300);
	stop = true;
	printk("the other vCPU ballooned %u times\n", rounds_there);
}
