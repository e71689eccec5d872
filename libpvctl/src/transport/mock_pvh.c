/* SPDX-License-Identifier: MIT */
/* What a builder of PVH domains asks of the mock node. */
#include "transport/mock_private.h"
#include "public/node.h"
#include <errno.h>
#include <string.h>
#include <xen/hvm/hvm_op.h>
#include <xen/hvm/params.h>
#include <xen/hvm/save.h>

int64_t mock_hvm_op(struct mock *m, const uint64_t *args)
{
	struct xen_hvm_param *op = mock_arena(m, args[1], sizeof(*op));
	struct mock_domain *d = op ? mock_domain(m, op->domid) : NULL;

	if (args[0] != HVMOP_set_param || !d || !d->pvh || op->index >= 32)
		return -EINVAL;
	d->params[op->index] = op->value;
	return 0;
}

int64_t mock_hvm_context(struct mock *m, struct mock_domain *d, const struct xen_domctl *op)
{
	struct records {
		struct hvm_save_descriptor h;
		HVM_SAVE_TYPE(HEADER) header;
		struct hvm_save_descriptor c;
		HVM_SAVE_TYPE(CPU) cpu;
		struct hvm_save_descriptor end;
	} *s = mock_arena(m, (uint64_t)(uintptr_t)op->u.hvmcontext.buffer.p, sizeof(*s));

	if (!d->pvh || !s || op->u.hvmcontext.size != sizeof(*s) || s->header.magic != HVM_FILE_MAGIC ||
	    s->c.typecode != HVM_SAVE_CODE(CPU) || s->c.length != sizeof(s->cpu) || s->end.typecode || s->end.length)
		return -EINVAL;
	d->start_eip = (uint32_t)s->cpu.rip;
	d->start_ebx = (uint32_t)s->cpu.rbx;
	d->has_context = true;
	return 0;
}

void mock_place(struct mock *m, struct mock_domain *d, uint64_t gfn, uint64_t mfn, uint64_t n)
{
	(void)m;
	for (uint64_t i = 0; i < n; i++)
		d->gfn_of[mfn + i] = gfn + i + 1; /* 0: none */
}

static uint64_t mfn_of(const struct mock *m, const struct mock_domain *d, uint64_t gfn)
{
	uint32_t id = (uint32_t)(d - m->domain);
	/* Neighbours mostly follow each other. */
	static uint64_t hint;

	for (uint64_t i = 0, mfn = hint; i < MOCK_PAGES; i++, mfn = mfn + 1 < MOCK_PAGES ? mfn + 1 : 0) {
		if (d->gfn_of[mfn] != gfn + 1 || m->owner[mfn] != id + 1)
			continue;
		hint = mfn;
		return mfn;
	}
	return ~0ull;
}

int64_t mock_gfns_to_mfns(struct mock *m, const uint64_t *args)
{
	struct mock_domain *d = mock_domain(m, (uint32_t)args[0]);
	uint64_t *gfns = args[2] <= MOCK_PAGES ? mock_arena(m, args[1], args[2] * sizeof(*gfns)) : NULL;

	if (!d || !d->pvh || !gfns)
		return -EINVAL;
	for (uint64_t i = 0; i < args[2]; i++)
		gfns[i] = mfn_of(m, d, gfns[i]);
	return 0;
}

void mock_no_pvh(struct transport *t)
{
	mock_of(t)->no_pvh = true;
}

int mock_guest_byte(const struct transport *t, uint32_t domid, uint64_t paddr)
{
	const struct mock *m = (const struct mock *)t;
	uint64_t mfn = mfn_of(m, &m->domain[domid], paddr >> 12);

	return mfn == ~0ull ? -1 : m->ram[(mfn << 12) + (paddr & 4095)];
}

void mock_pvh_start(const struct transport *t, uint32_t domid, uint32_t *ret_eip, uint32_t *ret_ebx)
{
	const struct mock_domain *d = &((const struct mock *)t)->domain[domid];

	*ret_eip = d->start_eip;
	*ret_ebx = d->start_ebx;
}
