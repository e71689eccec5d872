/* SPDX-License-Identifier: MIT */
/* Decodes the instructions with which kernels change page table entries in memory. */
#include "pv/mmu_private.h"

struct cursor {
	const uint8_t *b;
	unsigned int n, pos;
	bool over; /* read beyond what there is */
	uint8_t rex;
	bool opsize16;
	uint8_t mod, reg, rm;
};

static uint8_t next(struct cursor *c)
{
	if (c->pos >= c->n) {
		c->over = true;
		return 0;
	}
	return c->b[c->pos++];
}

static uint64_t immediate(struct cursor *c, unsigned int bytes)
{
	uint64_t v = 0;
	unsigned int i;

	for (i = 0; i < bytes; i++)
		v |= (uint64_t)next(c) << (8 * i);
	return bytes < 8 ? (uint64_t)((int64_t)(v << (64 - 8 * bytes)) >> (64 - 8 * bytes)) : v;
}

/* Prefixes up to the opcode; a repeated instruction is none that is done here. */
static bool prefixes(struct cursor *c)
{
	for (;;) {
		uint8_t b = c->pos < c->n ? c->b[c->pos] : 0;

		switch (b) {
		case 0x66:
			c->opsize16 = true;
			break;
		case 0xf0: case 0x2e: case 0x36: case 0x3e: case 0x26: case 0x64: case 0x65:
			break;
		case 0x67: case 0xf2: case 0xf3:
			return false;
		default:
			if ((b & 0xf0) == 0x40) {
				c->rex = b;
				c->pos++;
			}
			return true;
		}
		c->pos++;
	}
}

/* The address itself is known from the fault. */
static bool modrm(struct cursor *c)
{
	uint8_t m = next(c), sib;

	c->mod = m >> 6;
	c->reg = (uint8_t)((m >> 3 & 7) | (c->rex & 4 ? 8 : 0));
	c->rm = m & 7;
	if (c->mod == 3)
		return false;
	if (c->rm == 4) {
		sib = next(c);
		if (c->mod == 0 && (sib & 7) == 5)
			c->pos += 4;
	} else if (c->mod == 0 && c->rm == 5) {
		c->pos += 4;
	}
	c->pos += c->mod == 1 ? 1 : c->mod == 2 ? 4 : 0;
	return c->pos <= c->n;
}

static uint8_t operand_size(const struct cursor *c, bool byte)
{
	return byte ? 1 : c->rex & 8 ? 8 : c->opsize16 ? 2 : 4;
}

static void take_imm(struct cursor *c, struct ro_insn *in, unsigned int bytes)
{
	in->has_imm = true;
	in->imm = immediate(c, bytes);
}

static bool decode_0f(struct cursor *c, struct ro_insn *in)
{
	static const enum ro_op bit_ops[] = { RO_BTS, RO_BTR, RO_BTC };
	uint8_t op = next(c);

	if (!modrm(c))
		return false;
	in->size = operand_size(c, op == 0xb0 || op == 0xc0);
	switch (op) {
	case 0xb0: case 0xb1:
		in->op = RO_CMPXCHG;
		return true;
	case 0xc0: case 0xc1:
		in->op = RO_XADD;
		return true;
	case 0xc3:
		in->op = RO_MOV;
		return !c->opsize16;
	case 0xab:
		in->op = RO_BTS;
		return true;
	case 0xb3:
		in->op = RO_BTR;
		return true;
	case 0xbb:
		in->op = RO_BTC;
		return true;
	case 0xba:
		if ((c->reg & 7) < 5)
			return false;
		in->op = bit_ops[(c->reg & 7) - 5];
		take_imm(c, in, 1);
		return true;
	case 0xc7:
		in->op = RO_CMPXCHG8B;
		in->size = 8;
		return (c->reg & 7) == 1 && !(c->rex & 8);
	default:
		return false;
	}
}

/* The opcode's or the ModR/M byte's three bits that name an operation; false: one that is not done. */
static bool arith_op(unsigned int bits, enum ro_op *op)
{
	static const int8_t ops[8] = { RO_ADD, RO_OR, -1, -1, RO_AND, RO_SUB, RO_XOR, -1 };

	if (ops[bits] < 0)
		return false;
	*op = (enum ro_op)ops[bits];
	return true;
}

static bool decode_group(struct cursor *c, struct ro_insn *in, uint8_t op)
{
	unsigned int sub = c->reg & 7;

	switch (op & 0xfe) {
	case 0x80: case 0x82:
		if (op == 0x82 || !arith_op(sub, &in->op))
			return false;
		take_imm(c, in, op == 0x81 ? min(in->size, (uint8_t)4) : 1);
		return true;
	case 0xc6:
		in->op = RO_MOV;
		take_imm(c, in, min(in->size, (uint8_t)4));
		return sub == 0;
	case 0xf6:
		in->op = sub == 2 ? RO_NOT : RO_NEG;
		return sub == 2 || sub == 3;
	case 0xfe:
		in->op = sub == 0 ? RO_INC : RO_DEC;
		return sub <= 1;
	default:
		return false;
	}
}

static bool decode_1(struct cursor *c, struct ro_insn *in, uint8_t op)
{
	if (!modrm(c))
		return false;
	in->size = operand_size(c, !(op & 1));
	if (op < 0x40)
		return (op & 7) < 2 && arith_op(op >> 3, &in->op);
	switch (op) {
	case 0x86: case 0x87:
		in->op = RO_XCHG;
		return true;
	case 0x88: case 0x89:
		in->op = RO_MOV;
		return true;
	default:
		return decode_group(c, in, op);
	}
}

bool ro_decode(const uint8_t *b, unsigned int n, struct ro_insn *in)
{
	struct cursor c = { .b = b, .n = n };
	uint8_t op;
	bool ok;

	*in = (struct ro_insn){ .op = RO_MOV };
	if (!prefixes(&c))
		return false;
	op = next(&c);
	ok = op == 0x0f ? decode_0f(&c, in) : decode_1(&c, in, op);
	if (!ok || c.over || c.pos > c.n)
		return false;
	in->reg = c.reg;
	if (in->size == 1 && !c.rex && c.reg >= 4) {
		in->high_byte = true;
		in->reg = c.reg - 4;
	}
	in->length = (uint8_t)c.pos;
	return true;
}
