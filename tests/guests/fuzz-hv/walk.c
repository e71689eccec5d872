/* SPDX-License-Identifier: MIT */
/* Accesses by way of tables that a fuzzer made itself: they lead where the model says. */
#include "fuzz.h"

/* Where do four levels of its own lead? false: the walk leaves what is known. */
static bool model_walk(struct fuzzer *z, const unsigned int *slot, struct frame **leaf, bool *writable)
{
	struct frame *f = z->base;
	int level;

	*writable = true;
	for (level = 4; level >= 1; level--) {
		uint64_t e = f->word[slot[level]];

		if (!(e & PTE_P)) {
			*leaf = NULL;
			return true;
		}
		*writable = *writable && (e & PTE_W);
		f = frame_of(z, (e & PTE_FRAME) >> PAGE_SHIFT);
		if (!f || f == &z->kernel_l3)
			return false;
	}
	*leaf = f;
	return true;
}

/* An access through tables that it made itself. */
void walk_step(struct fuzzer *z)
{
	unsigned int slot[5], off = own_slot(z), i;
	uint64_t va = off * 8ul, val = plain_word(z), got;
	struct frame *leaf;
	bool writable;

	z->what = "walk";
	for (i = 1; i <= 4; i++)
		slot[i] = own_slots[below(z, i == 4 ? OWN_SLOTS - 1 : OWN_SLOTS)];
	if (!z->base || !model_walk(z, slot, &leaf, &writable))
		return;
	for (i = 1; i <= 4; i++)
		va |= (uint64_t)slot[i] << (9 * i + 3);
	if (slot[4] >= 256)
		va |= 0xffff000000000000ul;
	expect(z, mmuext(z, MMUEXT_TLB_FLUSH_LOCAL, 0, 0), true);
	expect(z, try_load(z, (uint64_t *)va, &got) ? 0 : -1, leaf != NULL);
	if (!leaf)
		return;
	got ^= leaf->word[off];
	if (leaf->word[off] & PTE_P)
		got &= ~PTE_AD;
	if (got)
		finding(z, "%#lx shows word %u of frame %#lx off by %#lx", va, off, leaf->mfn, got);
	if (writable && !(off == 511 && leaf < z->own + 2)) {
		leaf->word[off] = val;
		expect(z, try_store(z, (uint64_t *)va, val) ? 0 : -1, true);
		if (leaf->ro[off] != val)
			finding(z, "a store to %#lx is not in frame %#lx", va, leaf->mfn);
	}
}
