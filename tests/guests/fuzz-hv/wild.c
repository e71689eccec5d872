/* SPDX-License-Identifier: MIT */
/*
 * Frames that everybody does everything with: tables of all levels made of each
 * other, pins, grants, exchanges, registered areas. Nothing is said about
 * results. The counts must agree with the tables all the same (debug key t).
 */
#include "fuzz.h"

static uint64_t frames[WILD][512] page_aligned;
static uint64_t windows[WILD_WINDOWS][512] page_aligned;
static uint64_t unmap_page[FUZZERS][512] page_aligned; /* where handles are taken back */
static volatile uint64_t wild[WILD];
static uint64_t area[512] page_aligned;
#define ROOM 1536u
static const uint16_t slots[] = { 0, 1, 2, 255, 256, 261, 272, 300, 511 };

/* Room below the domain's limit: wild frames given up while something refers to them still count. */
static void make_room(void)
{
	static uint64_t list[ROOM];
	struct xen_memory_reservation r = { .nr_extents = ROOM, .domid = DOMID_SELF };
	unsigned int i;

	for (i = 0; i < ROOM; i++)
		list[i] = ((uint64_t *)start_info->mfn_list)[start_info->nr_pages - 1 - i];
	set_xen_guest_handle(r.extent_start, list);
	EXPECT(hc_memory_op(XENMEM_decrease_reservation, &r), ROOM);
}

void wild_init(void)
{
	unsigned int i;

	make_room();

	for (i = 0; i < WILD; i++)
		wild[i] = detach(frames[i]);
	for (i = 0; i < WILD_WINDOWS; i++)
		detach(windows[i]);
	for (i = 0; i < FUZZERS; i++)
		detach(unmap_page[i]);
}

uint64_t wild_frame(struct fuzzer *z)
{
	static const uint64_t odd[] = { 0, 0x200, ~0ul, 1ul << 40, 0x100000 };

	return one_in(z, 32) ? odd[below(z, ARRAY_SIZE(odd))] : wild[below(z, WILD)];
}

static uint64_t entry(struct fuzzer *z)
{
	static const uint64_t flags[] = { PTE_RW, PTE_RO, PTE_RO, PTE_RW, PTE_P, PTE_RW | PTE_PSE, PTE_RW | PTE_NX,
					  PTE_RW | 1ul << 62, PTE_RW | 0x118, PTE_RO | 0xe00, 0 };

	return one_in(z, 6) ? 0 : wild_frame(z) << PAGE_SHIFT | flags[below(z, ARRAY_SIZE(flags))];
}

static uint64_t window(struct fuzzer *z) { return (uint64_t)windows[below(z, WILD_WINDOWS)]; }

static uint16_t domid(struct fuzzer *z)
{
	static const uint16_t ids[] = { 0, DOMID_IO, DOMID_XEN, 0x7ff0 };

	return one_in(z, 16) ? one_in(z, 2) ? peer_id : ids[below(z, ARRAY_SIZE(ids))] : DOMID_SELF;
}

static void update(struct fuzzer *z)
{
	unsigned int n = 1 + below(z, 8), i;
	struct mmu_update *u = (void *)z->arg;

	z->what = "wild mmu_update";
	for (i = 0; i < n; i++) {
		u[i].ptr = wild_frame(z) << PAGE_SHIFT | slots[below(z, ARRAY_SIZE(slots))] * 8 | (one_in(z, 2) ? 0 : below(z, 4));
		u[i].val = entry(z);
	}
	CALL(mmu_update, u, n, one_in(z, 4) ? (uint64_t)&z->list[0] : 0, domid(z));
}

static void ext(struct fuzzer *z)
{
	static const uint8_t cmds[] = { MMUEXT_PIN_L1_TABLE, MMUEXT_PIN_L2_TABLE, MMUEXT_PIN_L3_TABLE, MMUEXT_PIN_L4_TABLE,
					MMUEXT_UNPIN_TABLE, MMUEXT_UNPIN_TABLE, MMUEXT_UNPIN_TABLE, MMUEXT_CLEAR_PAGE,
					MMUEXT_COPY_PAGE, MMUEXT_TLB_FLUSH_ALL, MMUEXT_INVLPG_ALL, MMUEXT_TLB_FLUSH_MULTI,
					MMUEXT_FLUSH_CACHE, MMUEXT_MARK_SUPER, 31 };
	struct mmuext_op *op = (void *)z->arg;
	unsigned int n = 1 + below(z, 4), i;

	z->what = "wild mmuext";
	for (i = 0; i < n; i++) {
		op[i] = (struct mmuext_op){ .cmd = cmds[below(z, ARRAY_SIZE(cmds))], .arg1.mfn = wild_frame(z) };
		op[i].arg2.src_mfn = wild_frame(z);
		if (op[i].cmd == MMUEXT_INVLPG_ALL)
			op[i].arg1.linear_addr = window(z);
		if (op[i].cmd == MMUEXT_TLB_FLUSH_MULTI)
			op[i].arg2.src_mfn = (uint64_t)&z->list[0];
	}
	CALL(mmuext_op, op, n, 0, domid(z));
}

static void map(struct fuzzer *z)
{
	unsigned long flags = one_in(z, 8) ? below(z, 8) : any_flush(z);

	z->what = "wild map";
	if (one_in(z, 16))
		call(z, __HYPERVISOR_update_va_mapping_otherdomain, window(z), entry(z), flags, domid(z));
	else
		CALL(update_va_mapping, window(z), entry(z), flags, 0);
}

/* Any access, to whatever is there now. */
static void access(struct fuzzer *z)
{
	volatile uint64_t *p = (uint64_t *)window(z) + slots[below(z, ARRAY_SIZE(slots))];
	uint64_t got;

	z->what = "wild access";
	if (one_in(z, 2))
		try_load(z, p, &got);
	else
		try_store(z, p, entry(z));
}

static bool unmap(struct fuzzer *z, struct wild_handle *h, uint64_t at)
{
	struct gnttab_unmap_grant_ref *u = (void *)z->arg;

	/* Nothing to be unmapped: that works. */
	if (!at)
		return false;
	*u = (struct gnttab_unmap_grant_ref){ .host_addr = at, .handle = h->nr };
	if (CALL(grant_table_op, GNTTABOP_unmap_grant_ref, u, 1, 0) != 0 || u->status != GNTST_okay)
		return false;
	h->used = false;
	return true;
}

/* The entry may be gone, or nobody knows where it is: the handle is good for any like it. */
static void unmap_for_sure(struct fuzzer *z, struct wild_handle *h)
{
	void *va = unmap_page[z->id];

	z->what = "wild unmap";
	expect(z, set_va(z, va, h->mfn << PAGE_SHIFT | (h->ro ? PTE_RO : PTE_RW), UVMF_INVLPG | UVMF_LOCAL), true);
	expect(z, unmap(z, h, h->pte ? va_to_ma(pte_of(va, 1)) : (uint64_t)va) ? 0 : -1, true);
}

void wild_drop_all(struct fuzzer *z)
{
	unsigned int i;

	for (i = 0; i < HANDLES; i++)
		if (z->wild_handle[i].used)
			unmap_for_sure(z, &z->wild_handle[i]);
}

static void map_grant(struct fuzzer *z, struct wild_handle *h, uint32_t ref, uint64_t at, bool pte)
{
	struct gnttab_map_grant_ref *m = (void *)z->arg;
	bool ro = one_in(z, 2);

	*m = (struct gnttab_map_grant_ref){ .host_addr = at, .ref = ref, .dom = domid(z),
		.flags = GNTMAP_host_map | (pte ? GNTMAP_contains_pte : 0) | (ro ? GNTMAP_readonly : 0) };
	if (CALL(grant_table_op, GNTTABOP_map_grant_ref, m, 1, 0) == 0 && m->status == GNTST_okay)
		*h = (struct wild_handle){ true, ro, pte, m->handle, m->dev_bus_addr >> PAGE_SHIFT };
}

static void copy_grant(struct fuzzer *z, uint32_t ref)
{
	struct gnttab_copy *c = (void *)z->arg;

	memset(c, 0, sizeof(*c));
	c->flags = GNTCOPY_dest_gref;
	c->source.u.gmfn = wild_frame(z);
	c->source.domid = c->dest.domid = DOMID_SELF;
	c->dest.u.ref = ref;
	c->len = (uint16_t)below(z, 4097);
	CALL(grant_table_op, GNTTABOP_copy, c, 1, 0);
}

static void grant(struct fuzzer *z)
{
	uint32_t ref = WILD_REF + below(z, 8), kind = below(z, 6);
	struct wild_handle *h = &z->wild_handle[below(z, HANDLES)];
	bool pte = one_in(z, 3);
	uint64_t at = pte ? wild_frame(z) << PAGE_SHIFT | slots[below(z, ARRAY_SIZE(slots))] * 8 : window(z);

	/* The others do not come to the meetings at which the table changes. */
	if (z->id >= FUZZERS)
		return;
	z->what = "wild grant";
	if (kind == 0)
		grant_offer(ref, self_id, wild_frame(z), (uint16_t)(one_in(z, 8) ? below(z, 4) : GTF_permit_access));
	else if (kind == 1)
		copy_grant(z, ref);
	else if (!h->used)
		map_grant(z, h, ref, at, pte);
	else if (kind < 4)
		unmap(z, h, at);
	else
		unmap_for_sure(z, h);
}

/*
 * A frame is given up as it is, mapped or not, and another comes when there is
 * room for it. Where others still have its number, in a call under way or in a
 * table to be, that means the next owner's: so only in runs without loose frames.
 */
static void renew(struct fuzzer *z)
{
	volatile uint64_t *place = &wild[below(z, WILD)];
	uint64_t old = wild_renews() ? __atomic_exchange_n(place, 0, __ATOMIC_SEQ_CST) : 0;
	struct xen_memory_exchange *x = (void *)z->arg;
	struct xen_memory_reservation *r = (void *)z->arg;

	if (!wild_renews())
		return;
	z->what = "wild renewal";
	reservation(z, old);
	if (old && one_in(z, 2)) {
		z->list[1] = 0x40000;
		x->out = x->in;
		set_xen_guest_handle(x->out.extent_start, z->list + 1);
		if (CALL(memory_op, XENMEM_exchange, x, 0, 0) == 0)
			old = z->list[1];
		WRITE_ONCE(*place, old);
		return;
	}
	if (old) {
		mmuext(z, MMUEXT_UNPIN_TABLE, old, 0);
		reservation(z, old);
		CALL(memory_op, XENMEM_decrease_reservation, r, 0, 0);
	}
	reservation(z, 0x40000);
	if (CALL(memory_op, XENMEM_populate_physmap, r, 0, 0) == 1)
		WRITE_ONCE(*place, z->list[0]);
}

static void root(struct fuzzer *z)
{
	z->what = "wild user base";
	if (mmuext(z, MMUEXT_NEW_USER_BASEPTR, wild_frame(z), 0) != 0)
		return;
	if (z->user_base)
		model_put(z, z->user_base);
	z->user_base = NULL;
}

static void descriptors(struct fuzzer *z)
{
	unsigned int i;

	if (one_in(z, 2)) {
		z->what = "wild update_descriptor";
		CALL(update_descriptor, wild_frame(z) << PAGE_SHIFT | below(z, 512) * 8, one_in(z, 2) ? rnd(z) : 0, 0, 0);
		return;
	}
	z->what = "wild set_gdt";
	for (i = 0; i < 14; i++)
		z->list[i] = wild_frame(z);
	if (CALL(set_gdt, z->list, below(z, 1537), 0, 0) != 0)
		return;
	while (z->gdt_pages > 0)
		model_put(z, z->gdt[--z->gdt_pages]);
}

static void areas(struct fuzzer *z)
{
	uint64_t addr = one_in(z, 4) ? (uint64_t)area : window(z) + (one_in(z, 2) ? 0 : 4096 - 8 * below(z, 8));

	z->what = "wild area";
	z->list[0] = one_in(z, 8) ? 0 : addr;
	CALL(vcpu_op, one_in(z, 2) ? VCPUOP_register_runstate_memory_area : VCPUOP_register_vcpu_time_memory_area,
	     one_in(z, 4) ? below(z, VCPUS) : z->id, z->list, 0);
}

void wild_step(struct fuzzer *z)
{
	static void (*const steps[])(struct fuzzer *) = { update, update, update, update, ext, ext, ext, map, map, map, access,
							  grant, grant, grant, renew, descriptors, areas, root };

	steps[below(z, ARRAY_SIZE(steps))](z);
}
