/* SPDX-License-Identifier: MIT */
/*
 * Debug registers: each access ends the guest's turn, and what they hold is in v->pv. QEMU takes breakpoints from a
 * write of DR7, not from VMRUN, and keeps them when the guest's turn ends, so we write it before and after. A
 * guest may name any address, the hypervisor's too: those are not armed. One that is hit right behind VMRUN would
 * find the guest's TSS, and with it no stack.
 *
 * Watchpoints on data are not armed either under QEMU's emulation: it ends with an assertion when the frame of an interrupt is
 * stored where a guest watches, and raises in the hypervisor what an instruction hit that left by a nested fault.
 * So they keep their contents there, and never fire. Breakpoints on instructions do.
 */
#include "hvm/private.h"
#include "pv/bounce.h"
#include "pv/emul.h"
#include "x86/page.h"
#include "x86/processor.h"
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

static bool can_be_armed(const struct vcpu *v, unsigned int i)
{
	bool data = v->pv.dr7 >> (16 + 4 * i) & 3;

	return guest_range_ok(v->pv.dr[i] & ~7UL, 8) && !(data && cpu_features.tcg);
}

static uint64_t armed_dr7(const struct vcpu *v)
{
	uint64_t dr7 = v->pv.dr7;

	for (unsigned int i = 0; i < 4; i++)
		if (!can_be_armed(v, i))
			dr7 &= ~(3UL << 2 * i);
	return dr7;
}

void hvm_dr_load(struct vcpu *v)
{
	if (likely(!in_use(v)))
		return;
	vmcb_of(v)->dr7 = armed_dr7(v);
	__asm__ volatile("mov %0, %%dr0" :: "r"(v->pv.dr[0]));
	__asm__ volatile("mov %0, %%dr1" :: "r"(v->pv.dr[1]));
	__asm__ volatile("mov %0, %%dr2" :: "r"(v->pv.dr[2]));
	__asm__ volatile("mov %0, %%dr3" :: "r"(v->pv.dr[3]));
	__asm__ volatile("mov %0, %%dr7" :: "r"(vmcb_of(v)->dr7));
}

void hvm_dr_unload(const struct vcpu *v)
{
	if (unlikely(in_use(v)))
		__asm__ volatile("mov %0, %%dr7" :: "r"(DR7_INIT));
}
