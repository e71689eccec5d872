/* SPDX-License-Identifier: MIT */
/* Frames that come and go: what comes is zero, what stays keeps what was written. */
#include "fuzz.h"

static uint64_t first[FUZZERS][LOOSE][512] page_aligned;
static uint64_t window[FUZZERS][512] page_aligned;
#define TRANSFER_REF(z) (FIRST_REF + (z)->id * REFS_EACH + REFS_EACH - 1)

static uint64_t word(uint64_t tag, unsigned int i) { return tag ? (tag ^ i * 0x9e3779b97f4a7c15ul) | 1 : 0; }

/* Looks at what must be there, all of it or some, and leaves a new pattern. */
static void renew_pattern(struct fuzzer *z, unsigned int n)
{
	uint64_t *p = window[z->id], tag = rnd(z) | 1;
	unsigned int i, bad = 512, wrong = 0;

	expect(z, set_va(z, p, z->loose[n] << PAGE_SHIFT | PTE_RW, any_flush(z)), true);
	for (i = 0; i < 512; i++)
		if (p[i] != word(z->tag[n], i))
			wrong++, bad = i;
	if (wrong)
		finding(z, "frame %#lx: %u words, the last %u: %#lx, not %#lx", z->loose[n], wrong, bad, p[bad],
			word(z->tag[n], bad));
	for (i = 0; i < 512; i++)
		p[i] = word(tag, i);
	z->tag[n] = tag;
	expect(z, set_va(z, p, 0, any_flush(z)), true);
}

void loose_init(struct fuzzer *z)
{
	unsigned int i;

	detach(window[z->id]);
	for (i = 0; i < LOOSE; i++)
		z->loose[i] = detach(first[z->id][i]);
}

static void come(struct fuzzer *z, unsigned int n)
{
	uint64_t gfn = 0x10000 + z->id * 64 + n;

	z->what = "populate";
	expect(z, CALL(memory_op, XENMEM_populate_physmap, reservation(z, gfn), 0, 0) == 1 ? 0 : -1, true);
	z->loose[n] = z->list[0];
	z->tag[n] = 0;
	if (z->loose[n] == gfn) {
		z->loose[n] = 0;
		return;
	}
	if (mfn_to_pfn(z->loose[n]) != gfn)
		finding(z, "frame %#lx is %#lx in the machine-to-physical table, not %#lx", z->loose[n],
			mfn_to_pfn(z->loose[n]), gfn);
	renew_pattern(z, n);
}

static void go(struct fuzzer *z, unsigned int n)
{
	z->what = "decrease";
	expect(z, CALL(memory_op, XENMEM_decrease_reservation, reservation(z, z->loose[n]), 0, 0) == 1 ? 0 : -1, true);
	z->loose[n] = 0;
}

static void exchange(struct fuzzer *z, unsigned int n)
{
	struct xen_memory_exchange *x = (void *)z->arg;

	z->what = "exchange";
	reservation(z, z->loose[n]);
	z->list[1] = 0x20000 + n;
	x->out = x->in;
	set_xen_guest_handle(x->out.extent_start, z->list + 1);
	expect(z, CALL(memory_op, XENMEM_exchange, x, 0, 0), true);
	if (x->nr_exchanged != 1)
		return;
	z->loose[n] = z->list[1];
	z->tag[n] = 0;
	renew_pattern(z, n);
}

/* To its own domain, or to one that does not want it: either way the frame stays, with what it holds. */
static void transfer(struct fuzzer *z, unsigned int n)
{
	bool wanted = one_in(z, 2);
	struct gnttab_transfer t = { .mfn = z->loose[n], .domid = wanted ? DOMID_SELF : peer_id, .ref = TRANSFER_REF(z) };

	if (!wanted && !peer_id)
		return;
	z->what = "transfer";
	if (wanted)
		grant_offer(t.ref, self_id, 0, GTF_accept_transfer);
	expect(z, CALL(grant_table_op, GNTTABOP_transfer, &t, 1, 0), true);
	expect(z, t.status, wanted);
	renew_pattern(z, n);
}

void loose_step(struct fuzzer *z)
{
	static void (*const steps[])(struct fuzzer *, unsigned int) = { go, go, exchange, exchange, transfer, renew_pattern };
	unsigned int n = below(z, LOOSE), k = below(z, ARRAY_SIZE(steps));

	if (wild_renews())
		return;
	z->what = "pattern";
	if (!z->loose[n])
		come(z, n);
	else
		steps[k](z, n);
}
