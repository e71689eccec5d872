/* SPDX-License-Identifier: MIT */
/*
 * Debug registers: each access ends the guest's turn, and what they hold is in v->pv. QEMU takes breakpoints from a
 * write of DR7 and not from VMRUN, so the CPU has them only while the guest runs, and only if DR7 enables one.
 * The few instructions of ours on either side may hit one: do_ist_debug goes on.
 */
#include "hvm/private.h"
#include "pv/bounce.h"
#include "pv/emul.h"
#include "x86/traps.h"

#define DR7_ENABLED 0xffUL
#define DR7_GD (1UL << 13)
#define DR7_KNOWN 0xffff27ffUL
#define DR6_KNOWN 0xe00fUL

static uint64_t read(struct vcpu *v, unsigned int nr)
{
	return nr < 4 ? v->pv.dr[nr] : nr & 1 ? v->pv.dr7 : vmcb_of(v)->dr6;
}

/* The upper half of both must be 0. */
static bool write_one(struct vcpu *v, unsigned int nr, uint64_t val)
{
	if (nr < 4) {
		v->pv.dr[nr] = val;
		return true;
	}
	if (val >> 32)
		return false;
	if (nr & 1)
		v->pv.dr7 = (val & DR7_KNOWN & ~DR7_GD) | DR7_INIT;
	else
		vmcb_of(v)->dr6 = (val & DR6_KNOWN) | DR6_INIT;
	return true;
}

void hvm_dr_access(struct vcpu *v, unsigned int nr, bool write)
{
	unsigned int reg = 0, length = hvm_insn_mov_special(v, &reg);
	uint64_t *gpr;

	if (length == 0)
		return; /* the guest changed it: once more */
	if ((nr == 4 || nr == 5) && (vmcb_of(v)->cr4 & CR4_DE)) {
		hvm_inject(v, TRAP_invalid_op, false, 0);
		return;
	}
	gpr = pv_reg(guest_regs(), reg);
	if (write && !write_one(v, nr, *gpr)) {
		hvm_inject(v, TRAP_gp_fault, true, 0);
		return;
	}
	if (!write)
		*gpr = read(v, nr);
	vmcb_of(v)->dr7 = v->pv.dr7;
	hvm_skip(v, length);
}

static bool in_use(const struct vcpu *v)
{
	return v->pv.dr7 & DR7_ENABLED;
}

void hvm_dr_load(const struct vcpu *v)
{
	if (likely(!in_use(v)))
		return;
	__asm__ volatile("mov %0, %%dr0" :: "r"(v->pv.dr[0]));
	__asm__ volatile("mov %0, %%dr1" :: "r"(v->pv.dr[1]));
	__asm__ volatile("mov %0, %%dr2" :: "r"(v->pv.dr[2]));
	__asm__ volatile("mov %0, %%dr3" :: "r"(v->pv.dr[3]));
	__asm__ volatile("mov %0, %%dr7" :: "r"(v->pv.dr7));
}

void hvm_dr_unload(const struct vcpu *v)
{
	if (unlikely(in_use(v)))
		__asm__ volatile("mov %0, %%dr7" :: "r"(DR7_INIT));
}
