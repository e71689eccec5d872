/* SPDX-License-Identifier: MIT */
/* What a decoded memory instruction does to its operand, the registers and the flags. */
#include "pv/mmu_private.h"

#define F_CF 1u
#define F_PF 4u
#define F_AF 0x10u
#define F_ZF 0x40u
#define F_SF 0x80u
#define F_OF 0x800u
#define F_ARITH (F_CF | F_PF | F_AF | F_ZF | F_SF | F_OF)

static uint64_t *reg_ptr(struct cpu_user_regs *r, unsigned int nr)
{
	uint64_t *const at[16] = { &r->rax, &r->rcx, &r->rdx, &r->rbx, &r->rsp, &r->rbp, &r->rsi, &r->rdi,
				   &r->r8, &r->r9, &r->r10, &r->r11, &r->r12, &r->r13, &r->r14, &r->r15 };

	return at[nr & 15];
}

static uint64_t size_mask(unsigned int size) { return size == 8 ? ~0ULL : (1ULL << (8 * size)) - 1; }

static uint64_t reg_read(const struct ro_insn *in, struct cpu_user_regs *r)
{
	return (*reg_ptr(r, in->reg) >> (in->high_byte ? 8 : 0)) & size_mask(in->size);
}

static void reg_write(uint64_t *p, unsigned int size, bool high_byte, uint64_t val)
{
	uint64_t m = size_mask(size) << (high_byte ? 8 : 0);

	/* 32-bit writes clear the upper half. */
	if (size == 4)
		*p = (uint32_t)val;
	else
		*p = (*p & ~m) | ((val << (high_byte ? 8 : 0)) & m);
}

static void set_flags(struct cpu_user_regs *r, unsigned int which, unsigned int val)
{
	r->rflags = (r->rflags & ~(uint64_t)which) | (val & which);
}

static unsigned int result_flags(uint64_t res, unsigned int size)
{
	return (res ? 0 : F_ZF) | (res >> (8 * size - 1) & 1 ? F_SF : 0) | (__builtin_parity((uint8_t)res) ? 0 : F_PF);
}

static uint64_t do_add(struct cpu_user_regs *r, unsigned int size, uint64_t a, uint64_t b, unsigned int which)
{
	uint64_t res = (a + b) & size_mask(size);

	set_flags(r, which, result_flags(res, size) | (res < a ? F_CF : 0) | ((a ^ b ^ res) & F_AF) |
				    (((a ^ res) & (b ^ res)) >> (8 * size - 1) & 1 ? F_OF : 0));
	return res;
}

static uint64_t do_sub(struct cpu_user_regs *r, unsigned int size, uint64_t a, uint64_t b, unsigned int which)
{
	uint64_t res = (a - b) & size_mask(size);

	set_flags(r, which, result_flags(res, size) | (a < b ? F_CF : 0) | ((a ^ b ^ res) & F_AF) |
				    (((a ^ b) & (a ^ res)) >> (8 * size - 1) & 1 ? F_OF : 0));
	return res;
}

static uint64_t logic(struct cpu_user_regs *r, unsigned int size, uint64_t res)
{
	set_flags(r, F_ARITH, result_flags(res, size));
	return res;
}

static uint64_t do_bit(const struct ro_insn *in, struct cpu_user_regs *r, uint64_t old, uint64_t src)
{
	uint64_t bit = 1ULL << (src & (8u * in->size - 1));

	set_flags(r, F_CF, old & bit ? F_CF : 0);
	return in->op == RO_BTS ? old | bit : in->op == RO_BTR ? old & ~bit : old ^ bit;
}

static uint64_t do_cmpxchg(const struct ro_insn *in, struct cpu_user_regs *r, uint64_t old, uint64_t src)
{
	uint64_t acc = r->rax & size_mask(in->size);

	do_sub(r, in->size, acc, old, F_ARITH);
	if (acc == old)
		return src;
	reg_write(&r->rax, in->size, false, old);
	return old;
}

static uint64_t do_cmpxchg8b(struct cpu_user_regs *r, uint64_t old)
{
	bool same = old == ((r->rdx << 32) | (uint32_t)r->rax);

	set_flags(r, F_ZF, same ? F_ZF : 0);
	if (same)
		return (r->rcx << 32) | (uint32_t)r->rbx;
	r->rax = (uint32_t)old;
	r->rdx = old >> 32;
	return old;
}

uint64_t ro_execute(const struct ro_insn *in, struct cpu_user_regs *r, uint64_t old)
{
	uint64_t mask = size_mask(in->size), src = in->has_imm ? in->imm & mask : reg_read(in, r), res;

	switch (in->op) {
	case RO_MOV:
		return src;
	case RO_ADD:
		return do_add(r, in->size, old, src, F_ARITH);
	case RO_SUB:
		return do_sub(r, in->size, old, src, F_ARITH);
	case RO_OR:
		return logic(r, in->size, old | src);
	case RO_AND:
		return logic(r, in->size, old & src);
	case RO_XOR:
		return logic(r, in->size, old ^ src);
	case RO_XCHG:
		reg_write(reg_ptr(r, in->reg), in->size, in->high_byte, old);
		return src;
	case RO_XADD:
		res = do_add(r, in->size, old, src, F_ARITH);
		reg_write(reg_ptr(r, in->reg), in->size, in->high_byte, old);
		return res;
	case RO_INC:
		return do_add(r, in->size, old, 1, F_ARITH & ~F_CF);
	case RO_DEC:
		return do_sub(r, in->size, old, 1, F_ARITH & ~F_CF);
	case RO_NEG:
		return do_sub(r, in->size, 0, old, F_ARITH);
	case RO_NOT:
		return ~old & mask;
	case RO_BTS:
	case RO_BTR:
	case RO_BTC:
		return do_bit(in, r, old, src);
	case RO_CMPXCHG:
		return do_cmpxchg(in, r, old, src);
	case RO_CMPXCHG8B:
		return do_cmpxchg8b(r, old);
	}
	return old;
}
