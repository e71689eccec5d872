/* SPDX-License-Identifier: MIT */
/*
 * Two vCPUs make hypercalls at random on the same few pages, ports, grants and
 * handles. Nothing is said about results; the node must stay well, and all
 * memory must come back when the domain is gone. Left out is what would stop
 * or kill the caller by right.
 */
#include "guest.h"
#include <xen/nmi.h>
#include <xen/physdev.h>

const char test_name[] = "random-calls";

#define CALLS 60000u
#define CYCLES (15ul << 30) /* at most: a busy host makes each TLB flush slow */
#define PLAY 24u

/* One more, never picked: what is written at the end of the last one must not reach our shared_info. */
static uint64_t play[PLAY + 1][512] page_aligned;
static uint64_t play_mfn[PLAY];
static volatile unsigned long made[2];
struct player {
	uint64_t seed;
	union { uint64_t w[64]; uint32_t u[128]; uint16_t h[256]; } arg;
	/* For memory_op alone: another call's in its place could be an order, and name our neighbours, the console among them. */
	uint64_t mem[16];
	uint64_t list[64];
	struct multicall_entry mc[8];
};
static struct player players[2];

static uint64_t rnd(struct player *p)
{
	p->seed ^= p->seed << 13;
	p->seed ^= p->seed >> 7;
	p->seed ^= p->seed << 17;
	return p->seed;
}

static uint64_t odd_mfn[] = { 0, 0x200, ~0ul, 1ul << 40, 0x100000, 0x3ffff };

/* One of these may be our console's, say: what is written to the M2P of that would be the end of us, and by right. */
static void leave_out_own(void)
{
	const uint64_t *own = (const uint64_t *)start_info->mfn_list;

	for (uint64_t pfn = 0; pfn < start_info->nr_pages; pfn++)
		for (unsigned int i = 0; i < ARRAY_SIZE(odd_mfn); i++)
			if (own[pfn] == odd_mfn[i])
				odd_mfn[i] = ~0ul;
}

static uint64_t pick_mfn(struct player *p)
{
	return rnd(p) % 16 ? play_mfn[rnd(p) % PLAY] : odd_mfn[rnd(p) % ARRAY_SIZE(odd_mfn)];
}

static uint64_t pick_va(struct player *p)
{
	static const uint64_t odd[] = { 0, HV_START, HV_END - 8, ~0ul, 0x7ffffffff000, 0x800000000000, 0xffffffffffffff00 };

	return rnd(p) % 16 ? (uint64_t)play[rnd(p) % PLAY] + (rnd(p) % 4 ? 0 : rnd(p) % 4096) : odd[rnd(p) % ARRAY_SIZE(odd)];
}

static uint64_t pick_entry(struct player *p)
{
	static const uint64_t flags[] = { PTE_RW, PTE_RO, PTE_RO, PTE_RW, 0, PTE_P, PTE_RW | PTE_PSE, PTE_RW | 1ul << 63,
					  PTE_RW | 1ul << 62, 1ul << 62, PTE_RW | 0x100 | 0x18, PTE_RO | 0xe00 };

	return rnd(p) % 8 ? pick_mfn(p) << PAGE_SHIFT | flags[rnd(p) % ARRAY_SIZE(flags)] : 0;
}

static uint32_t pick_small(struct player *p) { return rnd(p) % 32 ? rnd(p) % 12 : (uint32_t)rnd(p); }
static uint16_t pick_domid(struct player *p)
{
	static const uint16_t ids[] = { DOMID_SELF, DOMID_SELF, DOMID_SELF, 0, 1, 2, DOMID_IO, DOMID_XEN, 0xffff };

	return ids[rnd(p) % ARRAY_SIZE(ids)];
}

static void noise(struct player *p)
{
	unsigned int i;

	for (i = 0; i < 16; i++)
		p->arg.u[i] = pick_small(p);
}

struct call { unsigned long nr, a[5]; };

static void mmu_call(struct player *p, struct call *c)
{
	unsigned int i, n = 1 + rnd(p) % 4;
	struct mmuext_op *op = (void *)p->arg.w;
	struct mmu_update *u = (void *)p->arg.w;
	static const uint32_t left_out[] = { MMUEXT_NEW_BASEPTR };

	switch (rnd(p) % 4) {
	case 0:
		for (i = 0; i < n; i++)
			u[i] = (struct mmu_update){ .ptr = pick_mfn(p) << PAGE_SHIFT | (rnd(p) & 0xff8) | (rnd(p) & 3),
						    .val = pick_entry(p) };
		*c = (struct call){ __HYPERVISOR_mmu_update, { (uint64_t)u, n, 0, pick_domid(p) } };
		break;
	case 1:
		*c = (struct call){ __HYPERVISOR_update_va_mapping, { pick_va(p), pick_entry(p), rnd(p) % 4 } };
		break;
	default:
		memset(op, 0, 4 * sizeof(*op));
		for (i = 0; i < n; i++) {
			op[i].cmd = rnd(p) % 20;
			if (op[i].cmd == left_out[0])
				op[i].cmd = MMUEXT_UNPIN_TABLE;
			op[i].arg1.mfn = op[i].cmd == MMUEXT_SET_LDT ? pick_va(p) & ~4095ul : pick_mfn(p);
			op[i].arg2.nr_ents = op[i].cmd == MMUEXT_SET_LDT ? pick_small(p) * 100 : pick_mfn(p);
		}
		*c = (struct call){ __HYPERVISOR_mmuext_op, { (uint64_t)op, n, 0, pick_domid(p) } };
	}
}

static void grant_call(struct player *p, struct call *c)
{
	static const uint8_t sizes[] = { 32, 24, 24, 0, 24, 40, 16, 24, 4, 24, 8, 16, 24 };
	uint32_t cmd = rnd(p) % ARRAY_SIZE(sizes);

	noise(p);
	if (cmd == GNTTABOP_map_grant_ref) {
		*(struct gnttab_map_grant_ref *)p->arg.w = (struct gnttab_map_grant_ref){
			.host_addr = rnd(p) % 4 ? pick_va(p) & ~4095ul : pick_mfn(p) << PAGE_SHIFT, .flags = rnd(p) % 64,
			.ref = pick_small(p), .dom = pick_domid(p) };
	} else if (cmd == GNTTABOP_unmap_grant_ref || cmd == GNTTABOP_unmap_and_replace) {
		p->arg.w[0] = pick_va(p) & ~4095ul;
		p->arg.w[1] = rnd(p) % 2 ? 0 : cmd == GNTTABOP_unmap_grant_ref ? pick_mfn(p) << PAGE_SHIFT : pick_va(p) & ~4095ul;
		p->arg.u[4] = pick_small(p);
	} else if (cmd == GNTTABOP_copy) {
		struct gnttab_copy *g = (void *)p->arg.w;

		g->source.u.gmfn = rnd(p) % 2 ? pick_mfn(p) : pick_small(p);
		g->dest.u.gmfn = rnd(p) % 2 ? pick_mfn(p) : pick_small(p);
		g->source.domid = pick_domid(p);
		g->dest.domid = pick_domid(p);
		g->source.offset = rnd(p) % 4100;
		g->dest.offset = rnd(p) % 4100;
		g->len = rnd(p) % 4200;
		g->flags = rnd(p) % 4;
	} else if (cmd == GNTTABOP_transfer) {
		p->arg.w[0] = pick_mfn(p);
		p->arg.h[4] = pick_domid(p);
	} else {
		p->arg.h[0] = pick_domid(p);
		if (cmd == GNTTABOP_set_version)
			p->arg.u[0] = 1 + rnd(p) % 2;
	}
	if (cmd == GNTTABOP_setup_table || cmd == GNTTABOP_get_status_frames)
		p->arg.w[2] = (uint64_t)p->list;
	*c = (struct call){ __HYPERVISOR_grant_table_op, { cmd, (uint64_t)p->arg.w, 1 } };
}

static void event_call(struct player *p, struct call *c)
{
	uint32_t cmd = rnd(p) % 14;

	noise(p);
	if (cmd == EVTCHNOP_alloc_unbound || cmd == EVTCHNOP_status || cmd == EVTCHNOP_bind_interdomain ||
	    cmd == EVTCHNOP_reset)
		p->arg.h[0] = rnd(p) % 8 ? DOMID_SELF : pick_domid(p);
	if (cmd == EVTCHNOP_alloc_unbound)
		p->arg.h[1] = DOMID_SELF;
	if (cmd == EVTCHNOP_init_control) {
		p->arg.w[0] = pick_mfn(p);
		p->arg.u[2] = rnd(p) % 4096 & ~7u;
		p->arg.u[3] = rnd(p) % 3;
	}
	if (cmd == EVTCHNOP_expand_array)
		p->arg.w[0] = pick_mfn(p);
	*c = (struct call){ __HYPERVISOR_event_channel_op, { cmd, (uint64_t)p->arg.w } };
}

static void memory_call(struct player *p, struct call *c)
{
	static const uint32_t ops[] = { XENMEM_increase_reservation, XENMEM_decrease_reservation, XENMEM_populate_physmap,
					XENMEM_exchange, XENMEM_current_reservation, XENMEM_machphys_mfn_list, XENMEM_claim_pages };
	struct xen_memory_exchange *x = (void *)p->mem;
	uint32_t op = ops[rnd(p) % ARRAY_SIZE(ops)];
	unsigned int i;

	memset(x, 0, sizeof(*x));
	for (i = 0; i < ARRAY_SIZE(p->list); i++)
		p->list[i] = pick_mfn(p);
	set_xen_guest_handle(x->in.extent_start, p->list);
	x->in.nr_extents = rnd(p) % 4;
	x->in.extent_order = rnd(p) % 8 ? 0 : rnd(p) % 12;
	x->in.domid = pick_domid(p);
	x->out = x->in;
	/* Not the neighbours of our pages, which are ours as well. */
	if (op != XENMEM_increase_reservation && op != XENMEM_populate_physmap)
		x->in.extent_order = 0;
	set_xen_guest_handle(x->out.extent_start, p->list + rnd(p) % 8);
	*c = (struct call){ __HYPERVISOR_memory_op, { op | (rnd(p) % 8 ? 0 : (rnd(p) % 5) << 6), (uint64_t)x } };
}

static void other_call(struct player *p, struct call *c)
{
	static const uint32_t vcpu_ops[] = { VCPUOP_initialise, VCPUOP_up, VCPUOP_is_up, VCPUOP_get_runstate_info,
					     VCPUOP_register_runstate_memory_area, VCPUOP_set_periodic_timer,
					     VCPUOP_stop_periodic_timer, VCPUOP_set_singleshot_timer, VCPUOP_get_physid,
					     VCPUOP_register_vcpu_time_memory_area, VCPUOP_stop_singleshot_timer, 99 };
	unsigned int i;

	noise(p);
	switch (rnd(p) % 12) {
	case 0: case 1: case 2:
		p->arg.w[0] = rnd(p) % 2 ? pick_va(p) : rnd(p) >> rnd(p) % 64;
		*c = (struct call){ __HYPERVISOR_vcpu_op, { vcpu_ops[rnd(p) % ARRAY_SIZE(vcpu_ops)], rnd(p) % 3,
							    (uint64_t)p->arg.w } };
		break;
	case 3:
		for (i = 0; i < 16; i++)
			p->list[i] = pick_mfn(p);
		*c = (struct call){ __HYPERVISOR_set_gdt, { (uint64_t)p->list, rnd(p) % 8000 } };
		break;
	case 4:
		*c = (struct call){ __HYPERVISOR_update_descriptor, { pick_mfn(p) << PAGE_SHIFT | (rnd(p) & 0xff8),
								     rnd(p) % 2 ? rnd(p) : 0x00affb000000ffff } };
		break;
	case 5:
		*c = (struct call){ __HYPERVISOR_set_timer_op, { rnd(p) >> rnd(p) % 64 } };
		break;
	case 6:
		*c = (struct call){ __HYPERVISOR_physdev_op, { rnd(p) % 32, (uint64_t)p->arg.w } };
		break;
	case 7:
		*c = (struct call){ __HYPERVISOR_vm_assist, { rnd(p) % 2, rnd(p) % 40 } };
		break;
	case 8:
		*c = (struct call){ __HYPERVISOR_set_segment_base, { rnd(p) % 5, pick_va(p) } };
		break;
	case 9:
		*c = (struct call){ __HYPERVISOR_fpu_taskswitch, { rnd(p) % 2 } };
		break;
	case 10:
		*c = (struct call){ __HYPERVISOR_xen_version, { rnd(p) % 12, pick_va(p) } };
		break;
	default:
		*c = (struct call){ __HYPERVISOR_sched_op, { SCHEDOP_yield } };
	}
}

static void any_call(struct player *p, struct call *c)
{
	static void (*const kinds[])(struct player *, struct call *) = { mmu_call, mmu_call, mmu_call, grant_call, grant_call,
									 event_call, memory_call, other_call };

	kinds[rnd(p) % ARRAY_SIZE(kinds)](p, c);
}

/* One call, alone or in a batch. A batch shares one argument block, so most of its calls are odd. */
static void one(struct player *p)
{
	struct call c;
	unsigned int i, k;

	any_call(p, &c);
	if (rnd(p) % 8) {
		hypercall(c.nr, c.a[0], c.a[1], c.a[2], c.a[3], c.a[4]);
		return;
	}
	for (i = 0; i < ARRAY_SIZE(p->mc); i++) {
		p->mc[i].op = c.nr;
		for (k = 0; k < 5; k++)
			p->mc[i].args[k] = c.a[k];
		if (i + 1 < ARRAY_SIZE(p->mc) && rnd(p) % 2)
			any_call(p, &c);
	}
	hc_multicall(p->mc, ARRAY_SIZE(p->mc));
}

/* vcpu_info stays in shared_info, with events masked. */
static void mask_events(unsigned int cpu) { shared.info.vcpu_info[cpu].evtchn_upcall_mask = 1; }

void secondary_main(uint64_t arg)
{
	mask_events(1);
	for (made[1] = 0; !secondary_stop; made[1]++)
		one(&players[1]);
	secondary_end();
}

/* Shared grant entries that mean something: play pages, offered to the domain itself and to others. */
static void offer_grants(void)
{
	struct gnttab_setup_table s = { .dom = DOMID_SELF, .nr_frames = 1 };
	static struct grant_entry_v1 v1[512] page_aligned;
	struct evtchn_alloc_unbound au = { .dom = DOMID_SELF, .remote_dom = DOMID_SELF };
	struct evtchn_status st = { .dom = DOMID_SELF };
	xen_pfn_t frame = 0;
	unsigned int i;

	set_xen_guest_handle(s.frame_list, &frame);
	EXPECT(hc_grant_table_op(GNTTABOP_setup_table, &s, 1), 0);
	EXPECT(map_page(v1, frame << PAGE_SHIFT | PTE_RW), 0);
	EXPECT(hc_event_channel_op(EVTCHNOP_alloc_unbound, &au), 0);
	st.port = au.port;
	EXPECT(hc_event_channel_op(EVTCHNOP_status, &st), 0);
	for (i = 0; i < 12; i++)
		v1[i] = (struct grant_entry_v1){ .flags = GTF_permit_access | (i & 1 ? GTF_readonly : 0),
						 .domid = st.u.unbound.dom, .frame = play_mfn[i] };
	v1[8].flags = GTF_accept_transfer;
}

void test_main(void)
{
	unsigned int i;
	uint64_t start;
	long ret;

	mask_events(0);
	leave_out_own();
	for (i = 0; i < PLAY; i++)
		play_mfn[i] = va_to_mfn(play[i]);
	offer_grants();
	players[0].seed = 0x123456789abcdef ^ __builtin_ia32_rdtsc();
	players[1].seed = ~players[0].seed;
	printk("seed %#lx\n", players[0].seed);
	ret = start_secondary(0);
	if (ret == -ENOENT) {
		test_skip("one vCPU only: give it vcpus=2");
		return;
	}
	EXPECT(ret, 0);
	start = __builtin_ia32_rdtsc();
	for (i = 0; i < CALLS && __builtin_ia32_rdtsc() - start < CYCLES; i++)
		one(&players[0]);
	stop_secondary();
	printk("%u calls here, %lu on the second vCPU\n", i, made[1]);
	CHECK(made[1] != 0, "the second vCPU did nothing");
}
