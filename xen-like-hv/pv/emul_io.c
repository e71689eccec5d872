/* SPDX-License-Identifier: MIT */
/*
 * Port I/O. A guest has no ports: reads give all ones and writes go nowhere,
 * which is what probing drivers take for "no such device".
 */
#include "pv/bounce.h"
#include "pv/emul.h"
#include "x86/uaccess.h"

/* User: by its virtual IOPL, or by the bitmap that set_iobitmap named; a bit set means no. */
static bool user_io_allowed(struct vcpu *v, uint16_t port, unsigned int bytes)
{
	uint16_t bits;
	bool ok;

	if (v->pv.iopl >= 3)
		return true;
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

bool pv_emulate_io(struct cpu_user_regs *regs, const struct pv_insn *in)
{
	unsigned int bytes = !(in->opcode & 1) ? 1 : in->opsize16 ? 2 : 4;
	uint16_t port = in->opcode & 8 ? regs->dx : in->imm8;
	struct vcpu *v = current;

	if (!v->pv.kernel_mode && !user_io_allowed(v, port, bytes))
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
