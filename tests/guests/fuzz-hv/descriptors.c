/* SPDX-License-Identifier: MIT */
/* Steps with a fuzzer's own frames as descriptor tables. */
#include "fuzz.h"

static void gdt_step(struct fuzzer *z)
{
	unsigned int pages = below(z, 4), entries = pages * 512 - (pages ? below(z, 512) : 0), i;
	struct frame *f[3];
	bool good = true;

	z->what = "set_gdt";
	for (i = 0; i < pages; i++) {
		f[i] = own_frame(z);
		z->list[i] = f[i]->mfn;
	}
	for (i = 0; i < pages && good; i++)
		good = model_get(z, f[i], T_DESC);
	if (!good)
		for (i--; i-- > 0;)
			model_put(z, f[i]);
	expect(z, CALL(set_gdt, z->list, entries, 0, 0), good);
	if (!good)
		return;
	while (z->gdt_pages > 0)
		model_put(z, z->gdt[--z->gdt_pages]);
	memcpy(z->gdt, f, sizeof(f));
	z->gdt_pages = pages;
}

static void update_descriptor_step(struct fuzzer *z)
{
	static const uint64_t some[] = { 0x00affb000000ffff, 0x00cff3000000ffff, 0x0000890000000067, 0x00ef9b000000ffff, 0,
					 0x00cff2000000ffff };
	uint64_t d = some[below(z, ARRAY_SIZE(some))], was = d;
	unsigned int slot = own_slot(z);
	struct frame *f = &z->own[2 + below(z, OWN - 2)];
	bool good = fix_descriptor(&d);

	z->what = "update_descriptor";
	if (good && !(f->count && f->type == T_DESC)) {
		good = model_get(z, f, T_WRITABLE);
		if (good)
			model_put(z, f);
	}
	if (good)
		f->word[slot] = d;
	expect(z, CALL(update_descriptor, f->mfn << PAGE_SHIFT | slot * 8, was, 0, 0), good);
}

static void ldt_step(struct fuzzer *z)
{
	uint16_t sel = (uint16_t)(below(z, 512) << 3 | 7);
	bool good = true;

	if (one_in(z, 2)) {
		z->what = "set_ldt";
		z->ldt_window = one_in(z, 4) ? -1 : (int)below(z, WINDOWS);
		if (z->ldt)
			model_put(z, z->ldt);
		z->ldt = NULL;
		expect(z, z->ldt_window < 0 ? mmuext(z, MMUEXT_SET_LDT, 0, 0)
					    : mmuext(z, MMUEXT_SET_LDT, (uint64_t)own_window(z, z->ldt_window), 512), true);
		return;
	}
	z->what = "LDT access";
	if (z->ldt_window >= 0 && !z->ldt) {
		struct frame *f = z->win[z->ldt_window].f;

		good = f && model_get(z, f, T_DESC);
		z->ldt = good ? f : NULL;
	}
	z->calls++;
	if (try_lar(z, sel) != good)
		finding(z, "trap %d at %#lx for selector %#x, %s", z->vector, z->cr2, sel, good ? "mapped" : "not mapped");
}

void descriptor_step(struct fuzzer *z)
{
	static void (*const steps[])(struct fuzzer *) = { gdt_step, update_descriptor_step, ldt_step, ldt_step };

	steps[below(z, ARRAY_SIZE(steps))](z);
}
