/* SPDX-License-Identifier: MIT */
/* Steps on a fuzzer's own frames and windows: each answer is known. */
#include "fuzz.h"

static uint64_t frames[FUZZERS][OWN][512] page_aligned;
static uint64_t windows[FUZZERS][WINDOWS][512] page_aligned;
const uint16_t own_slots[OWN_SLOTS] = { 0, 1, 2, 255, 272, 300, 511 };

volatile uint64_t *own_window(struct fuzzer *z, unsigned int w) { return windows[z->id][w]; }

static void fill(struct fuzzer *z, struct frame *f)
{
	uint64_t *p = (uint64_t *)f->ro;
	unsigned int i;

	for (i = 0; i < 512; i++)
		f->word[i] = p[i] = plain_word(z);
	if (f < z->own + 2)
		f->word[511] = p[511] = kernel_l4_entry;
}

void own_init(struct fuzzer *z)
{
	unsigned int i;

	for (i = 0; i < OWN; i++) {
		struct frame *f = &z->own[i];

		f->mfn = va_to_mfn(frames[z->id][i]);
		f->ro = frames[z->id][i];
		fill(z, f);
		EXPECT(map_page(frames[z->id][i], f->mfn << PAGE_SHIFT | PTE_RO), 0);
	}
	for (i = 0; i < WINDOWS; i++)
		detach(windows[z->id][i]);
	z->kernel_l3 = (struct frame){ .mfn = (kernel_l4_entry & PTE_FRAME) >> PAGE_SHIFT, .type = T_L3, .count = 1 };
	z->ldt_window = -1;
}

static uint64_t any_entry(struct fuzzer *z)
{
	static const uint64_t odd_mfn[] = { 0, 0x200, 0xfffffffffful, 0x100000 };
	static const uint64_t more[] = { 0, 0, PTE_NX, 0x100, 0x18, 0xe00, 1ul << 52, PTE_PSE, 1ul << 62, 1ul << 59 };
	uint64_t mfn = own_frame(z)->mfn, flags = one_in(z, 2) ? PTE_RW : PTE_RO;

	if (one_in(z, 24))
		mfn = odd_mfn[below(z, ARRAY_SIZE(odd_mfn))];
	if (one_in(z, 24))
		mfn = z->kernel_l3.mfn;
	if (one_in(z, 3))
		flags |= more[below(z, ARRAY_SIZE(more))];
	if (one_in(z, 4))
		flags &= ~PTE_U;
	return one_in(z, 4) ? plain_word(z) : mfn << PAGE_SHIFT | flags;
}

/* The running root keeps its way to the kernel. */
static bool would_cut_off(struct fuzzer *z, const struct frame *f, unsigned int slot)
{
	return slot == 511 && f == z->base;
}

static void map_step(struct fuzzer *z)
{
	unsigned int w = below(z, WINDOWS);
	uint64_t pte = one_in(z, 4) ? 0 : any_entry(z);
	bool was_empty = !z->win[w].f;
	unsigned long flush = was_empty && one_in(z, 2) ? UVMF_NONE : any_flush(z);

	z->what = "map";
	expect(z, set_va(z, own_window(z, w), pte, flush), model_map(z, &z->win[w], pte));
}

static void update_step(struct fuzzer *z)
{
	static const uint8_t modes[] = { MMU_NORMAL_PT_UPDATE, MMU_PT_UPDATE_PRESERVE_AD, MMU_PT_UPDATE_NO_TRANSLATE };
	unsigned int n = 1 + below(z, 3), i, done = 0, slot[3], mode[3];
	struct mmu_update *u = (void *)z->arg;
	struct frame *f[3];
	bool good = true;

	z->what = "mmu_update";
	for (i = 0; i < n; i++) {
		f[i] = one_in(z, 2) ? &z->own[below(z, 4)] : own_frame(z);
		slot[i] = own_slot(z);
		mode[i] = modes[below(z, 3)];
		u[i].ptr = f[i]->mfn << PAGE_SHIFT | slot[i] * 8 | mode[i];
		u[i].val = slot[i] == 511 && f[i] < z->own + 2 && !one_in(z, 4) ? kernel_l4_entry : any_entry(z);
		if (would_cut_off(z, f[i], slot[i]))
			u[i].val = kernel_l4_entry;
	}
	for (done = 0; done < n && good; done++)
		good = model_write(z, f[done], slot[done], u[done].val);
	expect(z, CALL(mmu_update, u, n, 0, DOMID_SELF), good);
	for (i = 0; i < done; i++)
		if (mode[i] == MMU_PT_UPDATE_PRESERVE_AD && !((f[i]->word[slot[i]] ^ f[i]->ro[slot[i]]) & ~PTE_AD))
			f[i]->word[slot[i]] = f[i]->ro[slot[i]];
}

static void pin_step(struct fuzzer *z)
{
	uint32_t level = 1 + below(z, 4);
	struct frame *f = own_frame(z);
	bool good;

	if (one_in(z, 2)) {
		z->what = "unpin";
		good = f->pinned;
		f->pinned = false;
		if (good)
			model_put(z, f);
		expect(z, mmuext(z, MMUEXT_UNPIN_TABLE, f->mfn, 0), good);
		return;
	}
	z->what = "pin";
	good = model_get(z, f, level);
	if (good && f->pinned) {
		model_put(z, f);
		good = false;
	} else if (good) {
		f->pinned = true;
	}
	expect(z, mmuext(z, MMUEXT_PIN_L1_TABLE + level - 1, f->mfn, 0), good);
}

static void copy_step(struct fuzzer *z)
{
	struct frame *f = own_frame(z), *from = own_frame(z);
	bool copy = one_in(z, 2), good = model_get(z, f, T_WRITABLE);

	z->what = copy ? "copy_page" : "clear_page";
	if (good) {
		model_put(z, f);
		if (copy && f != from)
			memcpy(f->word, from->word, sizeof(f->word));
		else if (!copy)
			memset(f->word, 0, sizeof(f->word));
	}
	expect(z, copy ? mmuext(z, MMUEXT_COPY_PAGE, f->mfn, from->mfn) : mmuext(z, MMUEXT_CLEAR_PAGE, f->mfn, 0), good);
	/* With the way to the kernel again, or hardly any root would do. */
	if (good && f < z->own + 2 && model_write(z, f, 511, kernel_l4_entry)) {
		struct mmu_update u = { .ptr = f->mfn << PAGE_SHIFT | 511 * 8, .val = kernel_l4_entry };

		expect(z, CALL(mmu_update, &u, 1, 0, DOMID_SELF), true);
	}
}

static void switch_base(struct fuzzer *z, struct frame **base, struct frame *f)
{
	if (*base)
		model_put(z, *base);
	*base = f;
}

static void base_step(struct fuzzer *z)
{
	struct frame *f = one_in(z, 4) ? NULL : one_in(z, 8) ? own_frame(z) : &z->own[below(z, 2)];
	bool good;

	if (one_in(z, 2)) {
		z->what = "new user base";
		good = !f || model_get(z, f, T_L4);
		if (good)
			switch_base(z, &z->user_base, f);
		expect(z, mmuext(z, MMUEXT_NEW_USER_BASEPTR, f ? f->mfn : 0, 0), good);
		return;
	}
	z->what = "new base";
	if (f && (f->word[511] ^ kernel_l4_entry) & ~PTE_AD)
		return;
	good = !f || model_get(z, f, T_L4);
	if (good) {
		switch_base(z, &z->base, f);
		if (z->ldt)
			model_put(z, z->ldt);
		z->ldt = NULL;
	}
	expect(z, mmuext(z, MMUEXT_NEW_BASEPTR, f ? f->mfn : l4_mfn(), 0), good);
}

/* What a store by the kernel does there: for tables that are mapped read-only, the hypervisor does it. */
static bool model_store(struct fuzzer *z, const struct window *w, unsigned int slot, uint64_t val)
{
	if (!w->f)
		return false;
	if (w->w) {
		w->f->word[slot] = val;
		return true;
	}
	if (!w->f->count || w->f->type > T_L4)
		return false;
	return val == w->f->ro[slot] || model_write(z, w->f, slot, val);
}

static void store_step(struct fuzzer *z)
{
	unsigned int w = below(z, WINDOWS), slot = own_slot(z);
	uint64_t val = one_in(z, 2) ? any_entry(z) : plain_word(z), got;
	struct frame *f = z->win[w].f;
	bool good;

	z->what = "store";
	/* The hypervisor would change it for us. */
	if (f == &z->kernel_l3)
		return;
	if (f && (would_cut_off(z, f, slot) || (slot == 511 && f < z->own + 2)))
		val = kernel_l4_entry;
	good = model_store(z, &z->win[w], slot, val);
	expect(z, try_store(z, &own_window(z, w)[slot], val) ? 0 : -1, good);
	if (!f) {
		expect(z, try_load(z, &own_window(z, w)[slot], &got) ? 0 : -1, false);
		return;
	}
	got = own_window(z, w)[slot] ^ f->word[slot];
	if (f->word[slot] & PTE_P)
		got &= ~PTE_AD;
	if (got)
		finding(z, "word %u of frame %#lx is off by %#lx through its window", slot, f->mfn, got);
}

/* The same by an instruction that also tells what was there. */
static void rmw_step(struct fuzzer *z)
{
	unsigned int w = below(z, WINDOWS), slot = own_slot(z), kind = below(z, RMW_KINDS);
	struct frame *f = z->win[w].f;
	uint64_t val = one_in(z, 2) ? any_entry(z) : one_in(z, 2) ? plain_word(z) : 0, old, want, got;
	bool good;

	z->what = "read and write";
	if (!f || f == &z->kernel_l3 || (slot == 511 && f < z->own + 2))
		return;
	old = got = f->ro[slot];
	if (kind == 1 && one_in(z, 2))
		val = old;
	want = rmw_makes(kind, old, val);
	/* Of two entries it makes a third, and that may name another fuzzer's frame. */
	if ((want & PTE_P) && !frame_of(z, (want & PTE_FRAME) >> PAGE_SHIFT))
		return;
	good = model_store(z, &z->win[w], slot, want);
	expect(z, try_rmw(z, kind, &own_window(z, w)[slot], val, &got) ? 0 : -1, good);
	if (good && got != old)
		finding(z, "kind %u with %#lx: %#lx was there, it read %#lx", kind, val, old, got);
}

static void user_step(struct fuzzer *z)
{
	unsigned int w = below(z, WINDOWS), slot = 1 + below(z, 200);
	uint64_t val = plain_word(z);

	z->what = "user store";
	if (!z->user_base || (z->user_base->word[511] ^ kernel_l4_entry) & ~PTE_AD)
		return;
	if (z->win[w].w)
		z->win[w].f->word[slot] = val;
	z->calls++;
	expect(z, try_user_stores(z, &own_window(z, w)[slot], val, 1) ? 0 : -1, z->win[w].f && z->win[w].w);
}

void own_step(struct fuzzer *z)
{
	static void (*const steps[])(struct fuzzer *) = { map_step, map_step, map_step, update_step, update_step, update_step,
							  update_step, pin_step, pin_step, pin_step, copy_step, base_step,
							  base_step, store_step, store_step, rmw_step, rmw_step, user_step };

	steps[below(z, ARRAY_SIZE(steps))](z);
	if (one_in(z, 16))
		check_frame(z, own_frame(z));
}

/* What it is used as excludes the other uses, and what is not used is free: sooner seen so than by what comes of it. */
static void probe(struct fuzzer *z, struct frame *f)
{
	if (f->count && f->type == T_WRITABLE) {
		z->what = "pin of what is mapped writable";
		expect(z, mmuext(z, MMUEXT_PIN_L1_TABLE, f->mfn, 0), false);
		return;
	}
	z->what = f->count ? "store into what is a table" : "store into what is free";
	if (model_get(z, f, T_WRITABLE))
		model_put(z, f);
	expect(z, mmuext(z, MMUEXT_COPY_PAGE, f->mfn, f->mfn), !f->count);
}

void own_check(struct fuzzer *z)
{
	unsigned int i;

	for (i = 0; i < OWN; i++) {
		check_frame(z, &z->own[i]);
		probe(z, &z->own[i]);
	}
}
