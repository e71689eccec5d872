/* SPDX-License-Identifier: MIT */
/*
 * Two vCPUs write by every way there is: stores and locked operations, A and D in their page tables, frames pushed for
 * interrupts, what hypercalls give back, areas that the hypervisor fills, grants, pages that come, go and move. Whether the
 * log of writes misses any of it is for who reads it (tests/e2e/logdirty.c); what is looked at here is that nothing of
 * it shows: each addition is done once, each interrupt comes once, what was read is what was written.
 * Command line: for how many seconds of CPU time; "still" behind it: stores to a page each alone, so that
 * after the first nothing ends a vCPU's turn, and flushes what it knows, but the hypervisor's wish.
 */
#include "pvh.h"

const char test_name[] = "pvh-dirty";

#define RAM 1024ul                /* 512 pages in one large entry, at first */
#define COUNTED 64u               /* for each vCPU, at its beginning */
#define ANY (RAM + 2 * COUNTED)   /* written in any way */
#define WINDOW_PAGES (RAM + 176)
#define SEEN 32u
#define GRANTED (RAM + 208)
#define AREAS (RAM + 224)
#define OTHER (RAM + 256)         /* these come and go */
#define SPARE 64u
#define HOLE 0x60000ul
#define GRANTS (HOLE + 0)
#define MAP (HOLE + 16)
#define REF 20u
#define WINDOW 0x100000000ul      /* a virtual address with tables of our own */
#define VEC 0x51u

static domid_t me;
static volatile bool stop, other_runs, still;
static uint64_t window_l2[512] page_aligned, window_l1[512] page_aligned;
static uint64_t added[2][COUNTED];

static volatile uint64_t *at(uint64_t gfn) { return (volatile uint64_t *)(gfn << PAGE_SHIFT); }
static struct grant_entry_v1 *v1(void) { return (struct grant_entry_v1 *)(GRANTS << PAGE_SHIFT); }

static uint32_t rnd(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return (uint32_t)(*seed >> 16);
}

static long extent(unsigned int cmd, uint64_t gfn)
{
	xen_pfn_t list = gfn;
	struct xen_memory_reservation r = { .nr_extents = 1, .domid = DOMID_SELF };

	set_xen_guest_handle(r.extent_start, &list);
	return hc_memory_op(cmd, &r);
}

static long add(unsigned int space, uint64_t idx, uint64_t gfn)
{
	struct xen_add_to_physmap a = { .domid = DOMID_SELF, .space = space, .idx = idx, .gpfn = gfn };

	return hc_memory_op(XENMEM_add_to_physmap, &a);
}

/* --- the two vCPUs' own pages: every addition is seen once, whatever became of its first try --- */

static void add_one(unsigned int cpu, uint64_t *seed)
{
	unsigned int i = still ? 0 : rnd(seed) % COUNTED, word = rnd(seed) % 500;
	volatile uint64_t *p = at(RAM + cpu * COUNTED + i);
	uint64_t was = p[511];

	__asm__ volatile("lock incq %0" : "+m"(p[511]));
	__asm__ volatile("incq %0" : "+m"(p[510]));
	added[cpu][i]++;
	CHECK(p[511] == was + 1 && p[510] == added[cpu][i], "page %u: %lu and %lu additions, not %lu", i, p[511], p[510], added[cpu][i]);
	p[word] = *seed;
	CHECK(p[word] == *seed, "it is not what was written");
}

static void check_sums(void)
{
	for (unsigned int cpu = 0; cpu < 2; cpu++)
		for (unsigned int i = 0; i < COUNTED; i++)
			CHECK(at(RAM + cpu * COUNTED + i)[511] == added[cpu][i], "page %u of vCPU %u: %lu, not %lu", i, cpu,
			      at(RAM + cpu * COUNTED + i)[511], added[cpu][i]);
}

/* 4 KiB before and after a page's end, with what loops inside an instruction. */
static void fill_across(uint64_t *seed)
{
	uint64_t to = ((ANY + 8 + rnd(seed) % 32) << PAGE_SHIFT) - rnd(seed) % 4000, n = 5000, val = rnd(seed) & 0xff;

	__asm__ volatile("rep stosb" : "+D"(to), "+c"(n) : "a"(val) : "memory");
	CHECK(*(uint8_t *)(to - 1) == val && *(uint8_t *)(to - 5000) == val && n == 0, "rep stosb left %lu", n);
}

/* --- tables: the CPU writes A and D by itself --- */

static void map_window(void)
{
	tables[512 + 4] = (uint64_t)window_l2 | PTE_P | PTE_W; /* behind the 4 GiB that are mapped one to one */
	window_l2[0] = (uint64_t)window_l1 | PTE_P | PTE_W;
}

static void touch_window(uint64_t *seed)
{
	unsigned int i = rnd(seed) % SEEN;
	uint64_t va = WINDOW + i * PAGE_SIZE, want = PTE_A;
	bool write = rnd(seed) & 1;

	WRITE_ONCE(window_l1[i], (WINDOW_PAGES + i) << PAGE_SHIFT | PTE_P | PTE_W);
	__asm__ volatile("invlpg (%0)" :: "r"(va) : "memory");
	if (write) {
		*(volatile uint64_t *)va = *seed;
		want |= PTE_D;
		CHECK(at(WINDOW_PAGES + i)[0] == *seed, "it is not what was written");
	} else {
		(void)*(volatile uint64_t *)va;
	}
	CHECK((READ_ONCE(window_l1[i]) & (PTE_A | PTE_D)) == want, "the entry is %lx", window_l1[i]);
}

/* --- others who write for us --- */

static int map_grant(uint32_t *handle)
{
	struct gnttab_map_grant_ref op = { .host_addr = MAP << PAGE_SHIFT, .flags = GNTMAP_host_map, .ref = REF, .dom = me };

	EXPECT(hc_grant_table_op(GNTTABOP_map_grant_ref, &op, 1), 0);
	*handle = op.handle;
	return op.status;
}

static void unmap_grant(uint32_t handle)
{
	struct gnttab_unmap_grant_ref op = { .host_addr = MAP << PAGE_SHIFT, .handle = handle };

	EXPECT(hc_grant_table_op(GNTTABOP_unmap_grant_ref, &op, 1), 0);
	EXPECT(op.status, GNTST_okay);
}

/* Which domain this is: that for which a grant to itself works. */
static void find_me(void)
{
	uint32_t h;

	for (me = 1; me < 1000; me++) {
		v1()[REF] = (struct grant_entry_v1){ .flags = GTF_permit_access, .domid = me, .frame = GRANTED };
		if (map_grant(&h) == GNTST_okay) {
			unmap_grant(h);
			return;
		}
	}
	test_error("no grant can be mapped");
}

static void grant_step(uint64_t *seed)
{
	uint64_t page = GRANTED + rnd(seed) % 16, other = GRANTED + rnd(seed) % 16;
	struct gnttab_copy to_ref = { .source.u.gmfn = other, .source.domid = DOMID_SELF, .dest.u.ref = REF, .dest.domid = me,
				      .len = 1000, .flags = GNTCOPY_dest_gref };
	struct gnttab_copy to_page = { .source.u.ref = REF, .source.domid = me, .dest.u.gmfn = other, .dest.domid = DOMID_SELF,
				       .len = 4096, .flags = GNTCOPY_source_gref };
	uint32_t h;

	v1()[REF].frame = (uint32_t)page;
	switch (rnd(seed) % 4) {
	case 0:
		EXPECT(hc_grant_table_op(GNTTABOP_copy, &to_ref, 1), 0);
		EXPECT(to_ref.status, GNTST_okay);
		break;
	case 1:
		EXPECT(hc_grant_table_op(GNTTABOP_copy, &to_page, 1), 0);
		EXPECT(to_page.status, GNTST_okay);
		break;
	default:
		EXPECT(map_grant(&h), GNTST_okay);
		for (unsigned int i = 0; i < 20; i++) {
			at(MAP)[rnd(seed) % 512] = *seed;
			if (i == 10)
				hc_sched_op(SCHEDOP_yield, NULL);
		}
		at(MAP)[1] = *seed;
		unmap_grant(h);
		CHECK(at(page)[1] == *seed, "it is not what was written");
	}
}

static void hypercall_step(uint64_t *seed)
{
	uint64_t to = (ANY + rnd(seed) % 40) << PAGE_SHIFT | rnd(seed) % 4096;
	struct vcpu_register_runstate_memory_area area = { .addr.p = to & ~63ul };
	struct vcpu_runstate_info *was = (struct vcpu_runstate_info *)to;

	switch (rnd(seed) % 4) {
	case 0:
		EXPECT(hc_vcpu_op(VCPUOP_register_runstate_memory_area, 0, &area), 0);
		break;
	case 1:
		wrmsr(0x40000000, to & ~4095ul);
		break;
	case 2:
		__asm__ volatile("fxsave64 (%0)" :: "r"(to & ~511ul) : "memory");
		break;
	default:
		was->state = 77;
		EXPECT(hc_vcpu_op(VCPUOP_get_runstate_info, 0, was), 0);
		CHECK(was->state == RUNSTATE_running, "state %d", was->state);
	}
}

/* Pages come, go and move; places are the hypervisor's for a while. */
static void place_step(uint64_t *seed)
{
	uint64_t gfn = OTHER + rnd(seed) % SPARE, to = rnd(seed) % 8 ? OTHER + rnd(seed) % SPARE : HOLE + 32 + rnd(seed) % 8;
	struct xen_remove_from_physmap r = { .domid = DOMID_SELF, .gpfn = gfn };

	switch (rnd(seed) % 6) {
	case 0:
		(void)extent(XENMEM_decrease_reservation, gfn);
		break;
	case 1:
		(void)add(XENMAPSPACE_gmfn, gfn, to);
		break;
	case 2:
		if (rnd(seed) % 4 == 0)
			EXPECT(add(XENMAPSPACE_shared_info, 0, gfn), 0);
		break;
	case 3:
		(void)hc_memory_op(XENMEM_remove_from_physmap, &r);
		break;
	default:
		(void)extent(XENMEM_decrease_reservation, gfn);
		if (extent(XENMEM_populate_physmap, gfn) == 1)
			at(gfn)[rnd(seed) % 512] = *seed;
	}
}

/* --- interrupts, one at a time: as many come as were sent --- */

static void irq_step(void)
{
	uint32_t want = irq_count[VEC] + 1;

	wrmsr(X2APIC(0x30), 1ul << 32 | 0x4000 | VEC);
	for (unsigned int i = 0; i < 10000000 && irq_count[VEC] != want; i++)
		if (i % 256 == 255)
			hc_sched_op(SCHEDOP_yield, NULL);
	CHECK(irq_count[VEC] == want, "%u interrupts, not %u", irq_count[VEC], want);
}

static void other_vcpu(void)
{
	uint64_t seed = 88172645463325252ul;

	wrmsr(X2APIC(0x0f), 0x1ff);
	irqs_on();
	while (!stop) {
		other_runs = true;
		add_one(1, &seed);
	}
	irqs_off();
	other_runs = false;
}

/* --- */

static void begin(void)
{
	struct vcpu_register_vcpu_info info = { .mfn = AREAS, .offset = 64 };
	struct vcpu_register_time_memory_area time = { .addr.p = (AREAS + 1) << PAGE_SHIFT };
	uint64_t shadow_op[16] = { 10, DOMID_SELF };

	map_window();
	EXPECT(add(XENMAPSPACE_grant_table, 0, GRANTS), 0);
	find_me();
	EXPECT(hc_vcpu_op(VCPUOP_register_vcpu_info, 0, &info), 0);
	EXPECT(hc_vcpu_op(VCPUOP_register_vcpu_time_memory_area, 0, &time), 0);
	/* Following writes is not for a guest. */
	EXPECT_ERROR(HC(domctl, shadow_op, 0, 0, 0, 0));
	irq_eoi = true;
	on_secondary(other_vcpu);
	for (unsigned int i = 0; i < 1000000 && !other_runs; i++)
		hc_sched_op(SCHEDOP_yield, NULL);
	if (!other_runs)
		test_error("the other vCPU does not run");
}

static uint64_t seconds(const char **rest)
{
	uint64_t n = 0;

	for (*rest = cmdline; **rest >= '0' && **rest <= '9'; ++*rest)
		n = n * 10 + (uint64_t)(**rest - '0');
	return n;
}

static void all_ways(uint64_t *seed)
{
	fill_across(seed);
	touch_window(seed);
	grant_step(seed);
	hypercall_step(seed);
	place_step(seed);
	irq_step();
}

void test_main(void)
{
	const char *rest;
	uint64_t seed = 1234567, end = seconds(&rest) * 1000000000ul;
	static struct vcpu_runstate_info now;

	still = *rest != 0;
	begin();
	printk("writing\n");
	do {
		for (unsigned int i = 0; i < (still ? 2000000 : 64); i++) {
			add_one(0, &seed);
			if (!still)
				all_ways(&seed);
		}
		EXPECT(hc_vcpu_op(VCPUOP_get_runstate_info, 0, &now), 0);
	} while (now.time[RUNSTATE_running] < end);
	stop = true;
	for (unsigned int i = 0; i < 1000000 && other_runs; i++)
		hc_sched_op(SCHEDOP_yield, NULL);
	check_sums();
	printk("%u interrupts\n", irq_count[VEC]);
}
