/* SPDX-License-Identifier: MIT */
/*
 * Frames that all fuzzers use at once. Who got one as a page table, or mapped it
 * writable, counts that use from after the call that gave it until before the
 * call that ends it: so if both counts are ever seen above zero, both uses were
 * really there. And while a frame is a page table nobody stores to it, also not
 * by way of a TLB entry that should be gone: its holder looks.
 */
#include "fuzz.h"

static uint64_t frames[WATCHED][512] page_aligned;
static uint64_t windows[FUZZERS][WATCH_WINDOWS][512] page_aligned;
static struct {
	uint64_t mfn;
	volatile uint32_t tables, writers, changes;
} watched[WATCHED];

/* Few frames meet more often. */
static unsigned int watched_now(void) { return seed / 4 % 4 == 1 ? 2 : WATCHED; }

void watch_init(void)
{
	unsigned int i, k;

	for (i = 0; i < WATCHED; i++) {
		watched[i].mfn = va_to_mfn(frames[i]);
		EXPECT(map_page(frames[i], watched[i].mfn << PAGE_SHIFT | PTE_RO), 0);
	}
	for (i = 0; i < FUZZERS; i++)
		for (k = 0; k < WATCH_WINDOWS; k++)
			detach(windows[i][k]);
}

void watch_init_fuzzer(struct fuzzer *z)
{
	unsigned int i;

	for (i = 0; i < WATCH_WINDOWS; i++)
		z->watch_win[i] = -1;
}

static void add(volatile uint32_t *p, int n) { __atomic_fetch_add(p, (uint32_t)n, __ATOMIC_SEQ_CST); }

/* Against a use of the caller's own, which does not end meanwhile. */
static void check_exclusive(struct fuzzer *z, unsigned int i, volatile uint32_t *others)
{
	if (*others)
		finding(z, "frame %#lx is a page table and mapped writable", watched[i].mfn);
}

static void check_copy(struct fuzzer *z, unsigned int i)
{
	unsigned int k;

	for (k = 0; k < 512; k++)
		if (((volatile uint64_t *)frames[i])[k] != z->watch_copy[i][k]) {
			finding(z, "page table %#lx was written: word %u is %#lx, not %#lx", watched[i].mfn, k, frames[i][k],
				z->watch_copy[i][k]);
			return;
		}
}

static unsigned long flush_or_not(struct fuzzer *z) { return one_in(z, 2) ? UVMF_NONE : any_flush(z); }

static void map_step(struct fuzzer *z)
{
	unsigned int w = below(z, WATCH_WINDOWS), i = below(z, watched_now());
	uint64_t pte = one_in(z, 2) ? watched[i].mfn << PAGE_SHIFT | PTE_RW : 0;
	unsigned long flush = flush_or_not(z);
	int old = z->watch_win[w];

	z->what = "watched map";
	if (old == (int)i && pte)
		return;
	/* The old one may go, or stay: not counted for this long. */
	if (old >= 0)
		add(&watched[old].writers, -1);
	if (set_va(z, windows[z->id][w], pte, flush) != 0) {
		if (!pte)
			finding(z, "a window cannot be emptied");
		if (old >= 0)
			add(&watched[old].writers, 1);
		return;
	}
	z->watch_win[w] = pte ? (int)i : -1;
	if (pte) {
		add(&watched[i].writers, 1);
		check_exclusive(z, i, &watched[i].tables);
	}
}

static void store_step(struct fuzzer *z)
{
	unsigned int w = below(z, WATCH_WINDOWS), slot = below(z, 512);
	bool good = try_store(z, &windows[z->id][w][slot], plain_word(z));

	z->what = "watched store";
	if (z->watch_win[w] >= 0 && !good)
		finding(z, "a window that is mapped writable faults");
}

static bool pin(struct fuzzer *z, unsigned int i, unsigned int level)
{
	if (mmuext(z, MMUEXT_PIN_L1_TABLE + level, watched[i].mfn, 0) != 0)
		return false;
	z->watch_pin[i] = true;
	memcpy(z->watch_copy[i], frames[i], PAGE_SIZE);
	add(&watched[i].changes, 1);
	add(&watched[i].tables, 1);
	check_exclusive(z, i, &watched[i].writers);
	return true;
}

static void unpin(struct fuzzer *z, unsigned int i)
{
	check_copy(z, i);
	add(&watched[i].tables, -1);
	add(&watched[i].changes, 1);
	z->watch_pin[i] = false;
	expect(z, mmuext(z, MMUEXT_UNPIN_TABLE, watched[i].mfn, 0), true);
}

static void pin_step(struct fuzzer *z)
{
	unsigned int i = below(z, watched_now()), level = below(z, 4), spins = below(z, 2000);

	z->what = "watched pin";
	if (z->watch_pin[i]) {
		unpin(z, i);
	} else if (pin(z, i, level)) {
		while (spins--)
			__asm__ volatile("pause");
		check_copy(z, i);
	}
}

/*
 * A mapping is used and taken away without a flush. What the TLB keeps of it is
 * good for stores until the frame becomes a table, by this vCPU or another.
 */
static void stale_step(struct fuzzer *z)
{
	unsigned int w = below(z, WATCH_WINDOWS), i = below(z, watched_now()), level = below(z, 4), n = below(z, 300), slot = below(z, 512);
	volatile uint64_t *p = &windows[z->id][w][slot];
	uint64_t val = plain_word(z);

	z->what = "watched stale store";
	if (z->watch_win[w] >= 0 || set_va(z, p - slot, watched[i].mfn << PAGE_SHIFT | PTE_RW, UVMF_NONE) != 0)
		return;
	add(&watched[i].writers, 1);
	check_exclusive(z, i, &watched[i].tables);
	if (!try_store(z, p, val))
		finding(z, "a window that is mapped writable faults");
	add(&watched[i].writers, -1);
	if (set_va(z, p - slot, 0, UVMF_NONE) != 0)
		finding(z, "a window cannot be emptied");
	if (one_in(z, 2)) {
		while (n-- && try_store(z, p, val ^ 2ul << n % 40))
			;
	} else if (pin(z, i, level)) {
		try_store(z, p, val ^ 2);
		unpin(z, i);
	}
}

/* Stores by the hypervisor: refused as long as the frame is a table. */
static void hv_store_step(struct fuzzer *z)
{
	unsigned int i = below(z, watched_now()), from = below(z, watched_now());
	uint32_t changes = watched[i].changes;
	bool table = watched[i].tables;
	long rc;

	z->what = "watched copy";
	mb();
	switch (below(z, 3)) {
	case 0:
		rc = mmuext(z, MMUEXT_CLEAR_PAGE, watched[i].mfn, 0);
		break;
	case 1:
		rc = mmuext(z, MMUEXT_COPY_PAGE, watched[i].mfn, watched[from].mfn);
		break;
	default:
		rc = CALL(update_descriptor, watched[i].mfn << PAGE_SHIFT | below(z, 512) * 8, 0, 0, 0);
	}
	mb();
	if (rc == 0 && table && watched[i].tables && watched[i].changes == changes)
		finding(z, "a store into page table %#lx", watched[i].mfn);
}

void watch_step(struct fuzzer *z)
{
	static void (*const steps[])(struct fuzzer *) = { map_step, map_step, map_step, store_step, store_step, store_step,
							  stale_step, stale_step, pin_step, pin_step, hv_store_step };

	steps[below(z, ARRAY_SIZE(steps))](z);
}

/* Nobody else runs: what is in use refuses the other use, also for a caller that does not use it yet. */
void watch_check(struct fuzzer *z)
{
	unsigned int i, w;

	z->what = "watched check";
	for (w = 0; w < WATCH_WINDOWS && z->watch_win[w] >= 0; w++)
		;
	for (i = 0; i < WATCHED; i++) {
		uint64_t pte = watched[i].mfn << PAGE_SHIFT | PTE_RW;

		if (watched[i].tables)
			check_exclusive(z, i, &watched[i].writers);
		if (watched[i].writers)
			expect(z, mmuext(z, MMUEXT_PIN_L1_TABLE, watched[i].mfn, 0), false);
		if (!watched[i].tables || w == WATCH_WINDOWS)
			continue;
		expect(z, set_va(z, windows[z->id][w], pte, UVMF_INVLPG | UVMF_LOCAL), false);
	}
}
