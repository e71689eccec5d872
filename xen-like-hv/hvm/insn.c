/* SPDX-License-Identifier: MIT */
/*
 * How long the instruction was that ended a guest's turn. QEMU's emulation does not say (no next_rip), so it is read
 * from the guest's memory: which the guest may have changed since, to its own loss alone.
 */
#include "domain/uaccess.h"
#include "hvm/private.h"
#include "x86/msr.h"
#include "x86/printk.h"

#define INSN_MAX 15u

struct bytes {
	uint8_t b[INSN_MAX];
	unsigned int n, at;
	uint8_t rex;
};

static uint64_t linear_rip(const struct vmcb *b)
{
	return vmcb_in_64bit(b) ? b->rip : (uint32_t)(b->cs.base + b->rip);
}

static uint8_t next(struct bytes *s)
{
	return s->at < s->n ? s->b[s->at++] : 0;
}

static bool is_prefix(uint8_t c)
{
	switch (c) {
	case 0x26: case 0x2e: case 0x36: case 0x3e: case 0x64: case 0x65: case 0x66: case 0x67: case 0xf0: case 0xf2: case 0xf3:
		return true;
	}
	return false;
}

/* As much as there is of it, up to the end of the page unless that is too little. */
static void fetch(struct vcpu *v, struct bytes *s)
{
	uint64_t at = linear_rip(vmcb_of(v));
	unsigned int first = min((unsigned int)(4096 - (at & 4095)), INSN_MAX);

	s->n = s->at = 0;
	s->rex = 0;
	v->hvm->fetching = true;
	if (!copy_from_guest_raw(s->b, at, first))
		s->n = first;
	if (s->n != 0 && first < INSN_MAX && !copy_from_guest_raw(s->b + first, at + first, INSN_MAX - first))
		s->n = INSN_MAX;
	v->hvm->fetching = false;
}

/* The opcode's first byte. */
static uint8_t skip_prefixes(const struct vmcb *b, struct bytes *s)
{
	uint8_t c = next(s);

	while (is_prefix(c))
		c = next(s);
	if (vmcb_in_64bit(b) && (c & 0xf0) == 0x40) {
		s->rex = c;
		c = next(s);
	}
	return c;
}

/* opcode: one byte, or 0x0f.. of two, or 0x0f01.. of three. */
unsigned int hvm_insn_length(struct vcpu *v, unsigned int opcode)
{
	const struct vmcb *b = vmcb_of(v);
	unsigned int got;
	struct bytes s;

	if (svm_has_nrip() && b->next_rip)
		return (unsigned int)(b->next_rip - b->rip) <= INSN_MAX ? (unsigned int)(b->next_rip - b->rip) : 0;
	fetch(v, &s);
	/* Paging of another kind than long mode's is not walked: without prefixes, then, as nearly all are. */
	if (s.n == 0)
		return opcode > 0xffff ? 3 : opcode > 0xff ? 2 : 1;
	got = skip_prefixes(b, &s);
	if (opcode > 0xff)
		got = got << 8 | next(&s);
	if (opcode > 0xffff)
		got = got << 8 | next(&s);
	return got == opcode && s.at <= s.n ? s.at : 0;
}

unsigned int hvm_insn_mov_special(struct vcpu *v, unsigned int *reg)
{
	uint8_t c, modrm;
	struct bytes s;

	fetch(v, &s);
	if (skip_prefixes(vmcb_of(v), &s) != 0x0f)
		return 0;
	c = next(&s);
	modrm = next(&s);
	if ((c & ~2u) != 0x21 && (c & ~2u) != 0x20)
		return 0;
	*reg = (modrm & 7) | (s.rex & 1 ? 8 : 0);
	return s.n ? s.at : 0;
}
