/* SPDX-License-Identifier: MIT */
/* What the rules of direct paging make of a fuzzer's own frames. */
#include "fuzz.h"

struct frame *frame_of(struct fuzzer *z, uint64_t mfn)
{
	unsigned int i;

	for (i = 0; i < OWN; i++)
		if (z->own[i].mfn == mfn)
			return &z->own[i];
	return z->kernel_l3.mfn == mfn ? &z->kernel_l3 : NULL;
}

static struct frame *target(struct fuzzer *z, uint64_t e) { return frame_of(z, (e & PTE_FRAME) >> PAGE_SHIFT); }

static bool fix_entry(uint32_t level, uint64_t *e)
{
	if (*e & ~(level == 1 ? L1_KNOWN : LN_KNOWN))
		return false;
	*e = (*e & ~(level == 1 ? L1_STRIP : LN_STRIP)) | PTE_U;
	return true;
}

/* What a present entry of table takes. */
static bool entry_get(struct fuzzer *z, const struct frame *table, uint32_t level, uint64_t e)
{
	struct frame *f = target(z, e);

	if (!f)
		return false;
	if (level == 1)
		return !(e & PTE_W) || model_get(z, f, T_WRITABLE);
	if (level == 4 && f == table)
		return !(e & PTE_W);
	return model_get(z, f, level - 1);
}

static void entry_put(struct fuzzer *z, const struct frame *table, uint32_t level, uint64_t e)
{
	struct frame *f = target(z, e);

	if (!(e & PTE_P) || (level == 1 && !(e & PTE_W)) || (level > 1 && f == table))
		return;
	model_put(z, f);
}

bool fix_descriptor(uint64_t *d)
{
	const uint64_t s = 1ul << 44, p = 1ul << 47, code_l_d = 1ul << 43 | 1ul << 53 | 1ul << 54;

	if (!(*d & p))
		return true;
	if (!(*d & s) || (*d & code_l_d) == code_l_d)
		return false;
	*d |= 3ul << 45 | 1ul << 40;
	return true;
}

static bool validate_descriptors(struct frame *f)
{
	unsigned int i;

	for (i = 0; i < 512; i++)
		if (!fix_descriptor(&f->word[i]))
			return false;
	return true;
}

static bool validate(struct fuzzer *z, struct frame *f)
{
	unsigned int i;

	if (f->type == T_DESC)
		return validate_descriptors(f);
	if (f->type == T_L4)
		memset(&f->word[256], 0, 16 * 8);
	for (i = 0; i < 512; i++) {
		uint64_t e = f->word[i];

		if (!(e & PTE_P))
			continue;
		if (!fix_entry(f->type, &e) || !entry_get(z, f, f->type, e))
			break;
		f->word[i] = e;
	}
	if (i == 512)
		return true;
	while (i-- > 0)
		entry_put(z, f, f->type, f->word[i]);
	return false;
}

bool model_get(struct fuzzer *z, struct frame *f, uint32_t type)
{
	if (f->count) {
		if (f->type != type)
			return false;
		f->count++;
		return true;
	}
	f->type = type;
	f->count = 1;
	if (type == T_WRITABLE || validate(z, f))
		return true;
	f->count = 0;
	return false;
}

void model_put(struct fuzzer *z, struct frame *f)
{
	unsigned int i;

	if (--f->count || f->type > T_L4)
		return;
	for (i = 512; i-- > 0;)
		entry_put(z, f, f->type, f->word[i]);
}

/* An L1 entry old becomes *val. */
static bool write_l1(struct fuzzer *z, uint64_t old, uint64_t *val)
{
	struct frame *f;

	if (!(*val & PTE_P)) {
		entry_put(z, NULL, 1, old);
		return true;
	}
	if (!fix_entry(1, val))
		return false;
	f = target(z, *val);
	if ((old & PTE_P) && !((old ^ *val) & PTE_FRAME)) {
		if (!((old ^ *val) & PTE_W))
			return true;
		if (*val & PTE_W)
			return model_get(z, f, T_WRITABLE);
		model_put(z, f);
		return true;
	}
	if (!entry_get(z, NULL, 1, *val))
		return false;
	entry_put(z, NULL, 1, old);
	return true;
}

static bool write_upper(struct fuzzer *z, struct frame *f, unsigned int slot, uint64_t *val)
{
	if (f->type == T_L4 && slot >= 256 && slot < 272)
		return false;
	if ((*val & PTE_P) && (!fix_entry(f->type, val) || !entry_get(z, f, f->type, *val)))
		return false;
	entry_put(z, f, f->type, f->word[slot]);
	return true;
}

/* mmu_update, whatever the frame is now. */
bool model_write(struct fuzzer *z, struct frame *f, unsigned int slot, uint64_t val)
{
	bool good;

	if (f->count && f->type == T_L1) {
		good = write_l1(z, f->word[slot], &val);
	} else if (f->count && f->type <= T_L4) {
		good = write_upper(z, f, slot, &val);
	} else {
		good = model_get(z, f, T_WRITABLE);
		if (good)
			model_put(z, f);
	}
	if (good)
		f->word[slot] = val;
	return good;
}

bool model_map(struct fuzzer *z, struct window *w, uint64_t pte)
{
	uint64_t old = w->f ? w->f->mfn << PAGE_SHIFT | (w->w ? PTE_RW : PTE_RO) : 0;

	if (!write_l1(z, old, &pte))
		return false;
	w->f = pte & PTE_P ? target(z, pte) : NULL;
	w->w = pte & PTE_P && pte & PTE_W;
	return true;
}

/* The first wrong word, or 512. */
static unsigned int wrong_word(const struct frame *f)
{
	unsigned int i;

	for (i = 0; i < 512; i++) {
		uint64_t diff = f->ro[i] ^ f->word[i];

		if (diff & ~(f->word[i] & PTE_P ? PTE_AD : 0))
			break;
	}
	return i;
}

/* One wrong word may come of another. */
static void tell_all(const struct fuzzer *z)
{
	const struct frame *f;

	for (f = z->own; f < z->own + OWN; f++) {
		unsigned int i = wrong_word(f);

		if (i < 512)
			printk("frame %ld (%#lx, type %u count %u): word %u is %#lx, not %#lx\n", f - z->own, f->mfn, f->type,
			       f->count, i, f->ro[i], f->word[i]);
	}
}

void check_frame(struct fuzzer *z, const struct frame *f)
{
	unsigned int i = wrong_word(f);

	if (i == 512)
		return;
	tell_all(z);
	finding(z, "frame %lu (%#lx, type %u count %u): word %u is %#lx, not %#lx", f - z->own, f->mfn, f->type, f->count, i,
		f->ro[i], f->word[i]);
}
