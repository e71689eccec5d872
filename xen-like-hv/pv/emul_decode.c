/* SPDX-License-Identifier: MIT */
/* Just enough of an instruction decoder. The bytes are the guest's: fetched once, bounded by 15. */
#include "domain/uaccess.h"
#include "lib/errno.h"
#include "pv/bounce.h"
#include "pv/emul.h"
#include "x86/extable.h"
#include "x86/printk.h"
#include "x86/smap.h"

uint64_t *pv_reg(struct cpu_user_regs *regs, unsigned int nr)
{
	static const uint8_t offset[16] = {
		offsetof(struct cpu_user_regs, rax), offsetof(struct cpu_user_regs, rcx),
		offsetof(struct cpu_user_regs, rdx), offsetof(struct cpu_user_regs, rbx),
		offsetof(struct cpu_user_regs, rsp), offsetof(struct cpu_user_regs, rbp),
		offsetof(struct cpu_user_regs, rsi), offsetof(struct cpu_user_regs, rdi),
		offsetof(struct cpu_user_regs, r8), offsetof(struct cpu_user_regs, r9),
		offsetof(struct cpu_user_regs, r10), offsetof(struct cpu_user_regs, r11),
		offsetof(struct cpu_user_regs, r12), offsetof(struct cpu_user_regs, r13),
		offsetof(struct cpu_user_regs, r14), offsetof(struct cpu_user_regs, r15),
	};

	return (uint64_t *)((char *)regs + offset[nr & 15]);
}

bool pv_cs_is_64(uint16_t cs)
{
	uint32_t rights = 0;

	if (likely(cs == FLAT_RING3_CS64))
		return true;
	/* The L bit of the guest's descriptor; an LDT page may be gone by now. */
	__asm__ volatile(SMAP_OPEN
			 "1:	lar %1, %0\n"
			 "2:	" SMAP_CLOSE
			 EXTABLE(1b, 2b)
			 : "+r"(rights) : "r"((uint32_t)cs) : "cc");
	return rights & (1u << 21);
}

/* To the end of the page first: the next may not be there, nor needed. */
static bool fetch(const struct cpu_user_regs *regs, struct pv_insn *in, unsigned int want)
{
	uint64_t at = regs->rip + in->fetched;
	unsigned int n;

	while (in->fetched < want) {
		n = min((unsigned int)sizeof(in->bytes) - in->fetched, (unsigned int)(PAGE_SIZE - (at & ~PAGE_MASK)));
		if (n == 0 || copy_from_guest_raw(in->bytes + in->fetched, at, n) != 0)
			return false;
		in->fetched += n;
		at += n;
	}
	return true;
}

static bool next_byte(const struct cpu_user_regs *regs, struct pv_insn *in, uint8_t *b)
{
	if (unlikely(in->length >= in->fetched) &&
	    (in->length >= sizeof(in->bytes) || !fetch(regs, in, in->length + 1u)))
		return false;
	*b = in->bytes[in->length++];
	return true;
}

static bool legacy_prefix(struct pv_insn *in, uint8_t b)
{
	switch (b) {
	case 0x66:
		in->opsize16 = true;
		return true;
	case 0x67:
		in->addr32 = true;
		return true;
	case 0xf0:
		in->lock = true;
		return true;
	case 0xf2: case 0xf3:
		in->rep = true;
		return true;
	case 0x2e: case 0x36: case 0x3e: case 0x26: case 0x64: case 0x65:
		in->seg = b;
		return true;
	}
	return false;
}

int pv_decode_opcode(const struct cpu_user_regs *regs, struct pv_insn *in)
{
	uint8_t b;

	memset(in, 0, sizeof(*in));
	in->cs64 = pv_cs_is_64(regs->cs);
	do {
		if (!next_byte(regs, in, &b))
			return -EFAULT;
	} while (legacy_prefix(in, b));
	if (in->cs64 && (b & 0xf0) == 0x40) {
		in->rex = b;
		if (!next_byte(regs, in, &b))
			return -EFAULT;
	}
	in->opcode = b;
	if (b != 0x0f)
		return 0;
	if (!next_byte(regs, in, &b))
		return -EFAULT;
	in->opcode = 0x0f00 | b;
	return 0;
}

static bool takes_imm8(uint16_t opcode)
{
	return (opcode >= 0xe4 && opcode <= 0xe7) || opcode == 0xcd;
}

static bool is_control_move(uint16_t opcode) { return opcode >= 0x0f20 && opcode <= 0x0f23; }

/* clts, invd, wbinvd, rdmsr, wrmsr, rdtsc, rdpmc, cpuid and the one-byte ones have none. */
static bool takes_modrm(uint16_t opcode)
{
	return (opcode >= 0x0f00 && opcode <= 0x0f03) || is_control_move(opcode) || opcode == 0xff || opcode == 0x8e ||
	       opcode == 0x0fb2 || opcode == 0x0fb4 || opcode == 0x0fb5;
}

static int32_t sign8(uint8_t b)
{
	return (int8_t)b;
}

static int read_disp32(const struct cpu_user_regs *regs, struct pv_insn *in, int32_t *ret)
{
	uint8_t b;
	uint32_t v = 0;

	for (unsigned int i = 0; i < 4; i++) {
		if (!next_byte(regs, in, &b))
			return -EFAULT;
		v |= (uint32_t)b << (8 * i);
	}
	*ret = (int32_t)v;
	return 0;
}

/* Only 64-bit addressing: what needs memory here is lmsw and invlpg. */
static int decode_memory(struct cpu_user_regs *regs, struct pv_insn *in)
{
	unsigned int mod = in->modrm >> 6, base = in->modrm & 7;
	bool rip_relative = false;
	uint64_t ea = 0;
	int32_t disp = 0;
	uint8_t b;

	if (!in->cs64)
		return -EINVAL;
	if (base == 4) {
		unsigned int index;

		if (!next_byte(regs, in, &b))
			return -EFAULT;
		index = (b >> 3 & 7) | (in->rex & 2 ? 8 : 0);
		if (index != 4)
			ea += *pv_reg(regs, index) << (b >> 6);
		base = b & 7;
		if (base != 5 || mod != 0)
			ea += *pv_reg(regs, base | (in->rex & 1 ? 8 : 0));
	} else if (base == 5 && mod == 0) {
		rip_relative = true;
	} else {
		ea += *pv_reg(regs, base | (in->rex & 1 ? 8 : 0));
	}
	if (mod == 1) {
		if (!next_byte(regs, in, &b))
			return -EFAULT;
		disp = sign8(b);
	} else if (mod == 2 || (mod == 0 && base == 5)) {
		if (read_disp32(regs, in, &disp) != 0)
			return -EFAULT;
	}
	ea += (uint64_t)(int64_t)disp;
	if (rip_relative)
		ea += regs->rip + in->length;
	in->ea = in->addr32 ? (uint32_t)ea : ea;
	in->mem = true;
	return 0;
}

int pv_decode(const struct cpu_user_regs *regs, struct pv_insn *in)
{
	int ret = pv_decode_opcode(regs, in);

	if (ret != 0)
		return ret;
	if (takes_imm8(in->opcode))
		return next_byte(regs, in, &in->imm8) ? 0 : -EFAULT;
	if (!takes_modrm(in->opcode))
		return 0;
	if (!next_byte(regs, in, &in->modrm))
		return -EFAULT;
	in->has_modrm = true;
	in->reg = (in->modrm >> 3 & 7) | (in->rex & 4 ? 8 : 0);
	in->rm = (in->modrm & 7) | (in->rex & 1 ? 8 : 0);
	/* Moves to and from control and debug registers ignore mod. */
	if (in->modrm >> 6 == 3 || is_control_move(in->opcode))
		return 0;
	/* Only read through: the register file is not changed. */
	return decode_memory((struct cpu_user_regs *)regs, in);
}

bool pv_insn_is_int(const struct cpu_user_regs *regs, uint8_t *vector)
{
	uint8_t b[2];

	if (copy_from_guest_raw(b, regs->rip, sizeof(b)) != 0 || b[0] != 0xcd)
		return false;
	*vector = b[1];
	return true;
}
