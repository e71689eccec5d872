/* SPDX-License-Identifier: MIT */
/*
 * Port I/O. A guest has no ports: reads give all ones and writes go nowhere,
 * which is what probing drivers take for "no such device".
 */
#include "domain/uaccess.h"
#include "pv/bounce.h"
#include "pv/emul.h"
#include "x86/extable.h"
#include "x86/smap.h"

/* A guest kernel's privilege level is 1 here; 0, for which any IOPL will do, if it asked for the architecture's. */
bool pv_iopl_allows(const struct vcpu *v)
{
	return !v->pv.kernel_mode ? v->pv.iopl >= 3 : v->pv.iopl >= 1 || pv_architectural_iopl(v);
}

/* By the bitmap that set_iobitmap named: a bit set means no. */
static bool user_bitmap_allows(struct vcpu *v, uint16_t port, unsigned int bytes)
{
	uint16_t bits;
	bool ok;

	if (port + bytes > v->pv.iobmp_nr || v->pv.iobmp == 0)
		return false;
	/* The bitmap is the kernel's memory. */
	pv_toggle_mode(v);
	ok = copy_from_guest_raw(&bits, v->pv.iobmp + port / 8, port % 8 + bytes > 8 ? 2 : 1) == 0;
	if (ok && port % 8 + bytes <= 8)
		bits &= 0xff;
	pv_toggle_mode(v);
	return ok && !(bits >> (port % 8) & ((1u << bytes) - 1));
}

/* Two bytes of code that do not straddle a page. */
static bool fetch2(uint64_t at, uint16_t *ret)
{
	uint32_t v = 0;
	bool ok = true;

	if ((at & ~PAGE_MASK) == ~PAGE_MASK || !guest_range_ok(at, sizeof(*ret)))
		return false;
	__asm__ volatile(SMAP_OPEN
			 "1:	movzwl (%2), %0\n"
			 "2:	" SMAP_CLOSE
			 "	.pushsection .fixup, \"ax\", @progbits\n"
			 "3:	movb $0, %1\n"
			 "	jmp 2b\n"
			 "	.popsection\n"
			 EXTABLE(1b, 3b)
			 : "+r"(v), "+q"(ok) : "r"(at));
	*ret = (uint16_t)v;
	return ok;
}

/*
 * A kernel that probes its timer reads ports a hundred thousand times: in and
 * out of the flat code segment, without prefixes, before anything is decoded.
 */
bool pv_emulate_io_short(struct cpu_user_regs *regs)
{
	unsigned int opcode;
	uint16_t code;

	if (!current->pv.kernel_mode || !pv_iopl_allows(current) || regs->cs != FLAT_KERNEL_CS ||
	    (regs->rflags & FLAGS_TF) || !fetch2(regs->rip, &code))
		return false;
	opcode = code & 0xff;
	if ((opcode & 0xf4) != 0xe4)
		return false;
	/* 1110i10s ... i: port in dx, else an immediate byte; bit 1: out; s: not a byte */
	if (!(opcode & 2)) {
		if (opcode & 1)
			regs->rax = 0xffffffffu;
		else
			regs->al = 0xff;
	}
	regs->rip += opcode & 8 ? 1 : 2;
	regs->rflags &= ~FLAGS_RF;
	return true;
}

bool pv_emulate_io(struct cpu_user_regs *regs, const struct pv_insn *in)
{
	unsigned int bytes = !(in->opcode & 1) ? 1 : in->opsize16 ? 2 : 4;
	uint16_t port = in->opcode & 8 ? regs->dx : in->imm8;
	struct vcpu *v = current;

	if (!pv_iopl_allows(v) && (v->pv.kernel_mode || !user_bitmap_allows(v, port, bytes)))
		return false;
	if (in->opcode & 2)
		return true; /* out */
	if (bytes == 4)
		regs->rax = 0xffffffffu;
	else if (bytes == 2)
		regs->ax = 0xffff;
	else
		regs->al = 0xff;
	return true;
}
