/* SPDX-License-Identifier: MIT */
/* Steps with grants that a fuzzer makes to its own domain, of its own frames; and with those of the neighbour. */
#include "fuzz.h"

static union { struct grant_entry_v1 v1[512]; union grant_entry_v2 v2[256]; } table page_aligned;
static uint16_t status[2048] page_aligned;
static uint64_t peer_window[FUZZERS][512] page_aligned;
static volatile uint32_t version = 1;

static uint32_t number(const struct fuzzer *z, unsigned int r) { return FIRST_REF + z->id * REFS_EACH + r; }

void grant_offer(uint32_t ref, uint16_t to, uint64_t mfn, uint16_t flags)
{
	if (version == 1) {
		WRITE_ONCE(table.v1[ref].flags, 0);
		table.v1[ref].domid = to;
		table.v1[ref].frame = (uint32_t)mfn;
		mb();
		WRITE_ONCE(table.v1[ref].flags, flags);
	} else {
		WRITE_ONCE(table.v2[ref].hdr.flags, 0);
		table.v2[ref].hdr.domid = to;
		table.v2[ref].full_page.frame = mfn;
		mb();
		WRITE_ONCE(table.v2[ref].hdr.flags, flags);
	}
}

static void map_frames(uint32_t cmd, void *at)
{
	struct gnttab_setup_table s = { .dom = DOMID_SELF, .nr_frames = 1 };
	xen_pfn_t frame = 0;

	/* gnttab_get_status_frames is laid out alike, but for the status. */
	if (cmd == GNTTABOP_setup_table) {
		set_xen_guest_handle(s.frame_list, &frame);
		EXPECT(hc_grant_table_op(cmd, &s, 1), 0);
	} else {
		struct gnttab_get_status_frames g = { .dom = DOMID_SELF, .nr_frames = 1 };

		set_xen_guest_handle(g.frame_list, &frame);
		EXPECT(hc_grant_table_op(cmd, &g, 1), 0);
	}
	EXPECT(map_page(at, frame << PAGE_SHIFT | PTE_RW), 0);
}

void grant_init(void)
{
	unsigned int i;

	map_frames(GNTTABOP_setup_table, &table);
	for (i = 0; i < FUZZERS; i++)
		detach(peer_window[i]);
}

void grant_next_version(struct fuzzer *z)
{
	struct gnttab_set_version s = { .version = 3 - version };
	unsigned int i;

	z->what = "set_version";
	/* It would be in the way. */
	if (version == 2)
		EXPECT(map_page(status, 0), 0);
	expect(z, CALL(grant_table_op, GNTTABOP_set_version, &s, 1, 0), true);
	version = 3 - version;
	if (version == 2)
		map_frames(GNTTABOP_get_status_frames, status);
	for (i = 0; i < FUZZERS; i++)
		memset(fuzzers[i].ref, 0, sizeof(fuzzers[i].ref));
}

static uint16_t marks(uint32_t ref)
{
	return (version == 1 ? READ_ONCE(table.v1[ref].flags) : READ_ONCE(status[ref])) & (GTF_reading | GTF_writing);
}

static void check_marks(struct fuzzer *z, unsigned int r)
{
	bool used = z->ref[r].users;

	if (!(marks(number(z, r)) & GTF_reading) == used)
		finding(z, "grant %u with %u users is marked %#x", number(z, r), z->ref[r].users, marks(number(z, r)));
}

static void offer_step(struct fuzzer *z)
{
	struct ref *r = &z->ref[below(z, REFS)];
	struct frame *f = one_in(z, 8) ? NULL : &z->own[below(z, OWN)];
	bool ro = one_in(z, 3);

	if (r->users)
		return;
	*r = (struct ref){ .f = f, .ro = ro };
	grant_offer(number(z, r - z->ref), self_id, f ? f->mfn : 0x200, GTF_permit_access | (ro ? GTF_readonly : 0));
}

/* Where the grant goes: the address of a window, or of its entry. */
static uint64_t place(struct fuzzer *z, unsigned int w, bool pte)
{
	const void *va = (void *)own_window(z, w);

	return pte ? va_to_ma(pte_of(va, 1)) : (uint64_t)va;
}

static void put_window(struct fuzzer *z, struct window *w)
{
	if (w->f && w->w)
		model_put(z, w->f);
	*w = (struct window){ NULL, false };
}

static void model_map_grant(struct fuzzer *z, struct handle *h, struct window *w, struct frame *f)
{
	if (h->host) {
		if (!h->ro)
			(void)model_get(z, f, T_WRITABLE);
		put_window(z, w);
		*w = (struct window){ f, !h->ro };
	}
	h->used = true;
	z->ref[h->ref].users++;
}

static void map_step(struct fuzzer *z)
{
	struct handle *h = &z->handle[below(z, HANDLES)], new = { 0 };
	unsigned int w = below(z, WINDOWS);
	struct gnttab_map_grant_ref *op = (void *)z->arg;
	uint32_t what = below(z, 8);
	struct ref *r;
	bool good;

	new.ref = below(z, REFS);
	new.ro = one_in(z, 2);
	new.device = what < 2;
	new.host = what > 0;
	new.pte = one_in(z, 3);
	if (h->used)
		return;
	z->what = "grant map";
	r = &z->ref[new.ref];
	good = r->f && (new.ro || (!r->ro && model_get(z, r->f, T_WRITABLE)));
	*op = (struct gnttab_map_grant_ref){ .host_addr = place(z, w, new.pte), .ref = number(z, new.ref), .dom = DOMID_SELF,
		.flags = (new.host ? GNTMAP_host_map : 0) | (new.device ? GNTMAP_device_map : 0) |
			 (new.ro ? GNTMAP_readonly : 0) | (new.pte ? GNTMAP_contains_pte : 0) };
	expect(z, CALL(grant_table_op, GNTTABOP_map_grant_ref, op, 1, 0), true);
	expect(z, op->status, good);
	new.nr = op->handle;
	if (good) {
		*h = new;
		model_map_grant(z, h, &z->win[w], r->f);
	}
}

/* The window that h may be unmapped at, if there is one. */
static unsigned int fitting_window(struct fuzzer *z, const struct handle *h)
{
	unsigned int w = below(z, WINDOWS), i;

	for (i = 0; i < WINDOWS && !one_in(z, 16); i++)
		if (z->win[i].f == z->ref[h->ref].f && z->win[i].w == !h->ro)
			return i;
	return w;
}

static void model_unmap(struct fuzzer *z, struct handle *h, bool host, bool device)
{
	struct ref *r = &z->ref[h->ref];

	h->host = h->host && !host;
	h->device = h->device && !device;
	if (h->host || h->device)
		return;
	if (!h->ro)
		model_put(z, r->f);
	r->users--;
	h->used = false;
}

static void unmap_at(struct fuzzer *z, struct handle *h, unsigned int w, bool host, bool device)
{
	struct gnttab_unmap_grant_ref *op = (void *)z->arg;
	struct frame *f = z->ref[h->ref].f;
	bool good = !(host && h->host) || (z->win[w].f == f && z->win[w].w == !h->ro);

	z->what = "grant unmap";
	*op = (struct gnttab_unmap_grant_ref){ .host_addr = host ? place(z, w, h->pte) : 0,
					       .dev_bus_addr = device ? f->mfn << PAGE_SHIFT : 0, .handle = h->nr };
	expect(z, CALL(grant_table_op, GNTTABOP_unmap_grant_ref, op, 1, 0), true);
	expect(z, op->status, good);
	if (!good)
		return;
	if (host && h->host)
		put_window(z, &z->win[w]);
	model_unmap(z, h, host, device);
}

static void unmap_step(struct fuzzer *z)
{
	struct handle *h = &z->handle[below(z, HANDLES)];
	unsigned int w = fitting_window(z, h);
	bool host = !one_in(z, 4), device = one_in(z, 2);

	if (h->used)
		unmap_at(z, h, w, host, device);
}

static void replace_step(struct fuzzer *z)
{
	struct handle *h = &z->handle[below(z, HANDLES)];
	struct gnttab_unmap_and_replace *op = (void *)z->arg;
	unsigned int w = fitting_window(z, h), from = below(z, WINDOWS);
	bool good;

	if (!h->used)
		return;
	z->what = "grant unmap and replace";
	*op = (struct gnttab_unmap_and_replace){ .host_addr = place(z, w, h->pte), .handle = h->nr,
						 .new_addr = one_in(z, 4) ? 0 : (uint64_t)own_window(z, from) };
	good = !h->host || (z->win[w].f == z->ref[h->ref].f && z->win[w].w == !h->ro && !(op->new_addr && w == from));
	expect(z, CALL(grant_table_op, GNTTABOP_unmap_and_replace, op, 1, 0), true);
	expect(z, op->status, good);
	if (!good || !h->host)
		return;
	put_window(z, &z->win[w]);
	if (op->new_addr) {
		z->win[w] = z->win[from];
		z->win[from] = (struct window){ NULL, false };
	}
	model_unmap(z, h, true, false);
}

static struct frame *any_side(struct fuzzer *z, struct gnttab_copy_ptr *p, bool gref, bool dest)
{
	struct ref *r = &z->ref[below(z, REFS)];
	struct frame *f = &z->own[below(z, OWN)];

	p->domid = DOMID_SELF;
	p->offset = (uint16_t)(below(z, 512) * 8);
	if (gref)
		p->u.ref = number(z, r - z->ref);
	else
		p->u.gmfn = f->mfn;
	return !gref ? f : dest && r->ro ? NULL : r->f;
}

static void copy_step(struct fuzzer *z)
{
	struct gnttab_copy *op = (void *)z->arg;
	struct frame *src, *dst;
	bool good;

	z->what = "grant copy";
	memset(op, 0, sizeof(*op));
	op->flags = below(z, 4);
	src = any_side(z, &op->source, op->flags & GNTCOPY_source_gref, false);
	dst = any_side(z, &op->dest, op->flags & GNTCOPY_dest_gref, true);
	op->len = (uint16_t)(below(z, 512) * 8);
	good = src && dst && op->source.offset + op->len <= PAGE_SIZE && op->dest.offset + op->len <= PAGE_SIZE &&
	       model_get(z, dst, T_WRITABLE);
	if (good) {
		unsigned int to = op->dest.offset / 8, from = op->source.offset / 8, n = op->len / 8, i;

		model_put(z, dst);
		for (i = 0; i < n; i++) {
			unsigned int k = to > from ? n - 1 - i : i;

			dst->word[to + k] = src->word[from + k];
		}
	}
	expect(z, CALL(grant_table_op, GNTTABOP_copy, op, 1, 0), true);
	expect(z, op->status, good);
}

static void swap_step(struct fuzzer *z)
{
	struct gnttab_swap_grant_ref op;
	struct ref *a = &z->ref[below(z, REFS)], *b = &z->ref[below(z, REFS)], tmp = *a;
	bool good = a == b || (!a->users && !b->users);

	z->what = "grant swap";
	op = (struct gnttab_swap_grant_ref){ .ref_a = number(z, a - z->ref), .ref_b = number(z, b - z->ref) };
	expect(z, CALL(grant_table_op, GNTTABOP_swap_grant_ref, &op, 1, 0), true);
	expect(z, op.status, good);
	if (good) {
		*a = *b;
		*b = tmp;
	}
}

void grant_step(struct fuzzer *z)
{
	static void (*const steps[])(struct fuzzer *) = { offer_step, offer_step, map_step, map_step, map_step, unmap_step,
							  unmap_step, unmap_step, replace_step, copy_step, swap_step };

	steps[below(z, ARRAY_SIZE(steps))](z);
	check_marks(z, below(z, REFS));
}

/* Also where the guest overwrote the entry meanwhile: it is made again. */
void grant_drop_all(struct fuzzer *z)
{
	unsigned int i;

	for (i = 0; i < HANDLES; i++) {
		struct handle *h = &z->handle[i];
		struct frame *f = z->ref[h->ref].f;

		if (!h->used)
			continue;
		if (h->host) {
			uint64_t pte = f->mfn << PAGE_SHIFT | (h->ro ? PTE_RO : PTE_RW);

			z->what = "map for unmap";
			expect(z, set_va(z, own_window(z, 0), pte, UVMF_INVLPG | UVMF_LOCAL), model_map(z, &z->win[0], pte));
		}
		unmap_at(z, h, 0, true, true);
	}
}

/* The neighbour grants one page read-only and one writable: FIRST_REF and the next. */
void grant_peer_step(struct fuzzer *z)
{
	bool write = one_in(z, 2), ro_ref = one_in(z, 2), good = !(write && ro_ref);
	struct gnttab_map_grant_ref m = { .host_addr = (uint64_t)peer_window[z->id], .dom = peer_id,
					  .ref = FIRST_REF + !ro_ref, .flags = GNTMAP_host_map | (write ? 0 : GNTMAP_readonly) };
	struct gnttab_unmap_grant_ref u = { .host_addr = m.host_addr };
	uint64_t got;

	if (!peer_id)
		return;
	z->what = "neighbour's grant";
	expect(z, CALL(grant_table_op, GNTTABOP_map_grant_ref, &m, 1, 0), true);
	expect(z, m.status, good);
	if (m.status)
		return;
	expect(z, try_load(z, peer_window[z->id], &got) ? 0 : -1, true);
	if (got != NEIGHBOUR_WORD)
		finding(z, "the neighbour's page shows %#lx", got);
	expect(z, try_store(z, &peer_window[z->id][1 + below(z, 511)], rnd(z)) ? 0 : -1, write);
	u.handle = m.handle;
	expect(z, CALL(grant_table_op, GNTTABOP_unmap_grant_ref, &u, 1, 0), true);
	expect(z, u.status, true);
}
