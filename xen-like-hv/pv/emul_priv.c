/* SPDX-License-Identifier: MIT */
/*
 * Privileged instructions of a guest kernel, which runs in ring 3: after a #GP
 * they are done for it, as far as they make sense for one vCPU of a PV guest.
 * false: the guest gets its #GP.
 */
#include "domain/uaccess.h"
#include "lib/errno.h"
#include "pv/bounce.h"
#include "pv/emul.h"
#include "pv/mmu.h"
#include "x86/hooks.h"
#include "x86/printk.h"
#include "x86/processor.h"
#include "x86/tlb.h"

/* As read back by a guest that never wrote: what the ABI gives it. */
static uint64_t guest_cr3(const struct vcpu *v)
{
	const struct page_info *pg = v->pv.base;

	return pg ? xen_pfn_to_cr3(page_to_mfn(pg).m) : 0;
}

static bool read_cr(struct cpu_user_regs *regs, const struct pv_insn *in)
{
	struct vcpu *v = current;
	uint64_t *reg = pv_reg(regs, in->rm);

	switch (in->reg) {
	case 0:
		*reg = v->pv.cr0_guest;
		return true;
	case 2:
		*reg = v->vcpu_info->arch.cr2;
		return true;
	case 3:
		*reg = guest_cr3(v);
		return true;
	case 4:
		*reg = v->pv.cr4_guest;
		return true;
	}
	return false;
}

/* Only TS can change; a guest that wants the rest otherwise is refused. */
static bool write_cr0_guest(struct vcpu *v, uint64_t val)
{
	if ((val ^ v->pv.cr0_guest) & ~(CR0_TS | CR0_AM | CR0_MP | CR0_WP | CR0_NE))
		return false;
	fpu_set_ts(v, val & CR0_TS);
	return true;
}

/* The toggles that a guest sees. */
#define CR4_GUEST_TOGGLES \
	(CR4_TSD | CR4_DE | CR4_PGE | CR4_MCE | CR4_FSGSBASE | CR4_OSXSAVE | CR4_OSFXSR | CR4_OSXMMEXCPT)

uint64_t pv_fix_cr4(const struct vcpu *v, uint64_t cr4)
{
	uint64_t allowed = CR4_GUEST_TOGGLES;

	if (!cpu_features.fsgsbase)
		allowed &= ~CR4_FSGSBASE;
	/* On as the CPU has it: XGETBV works in ring 3, and Linux takes XSAVE only where it finds OSXSAVE set already. */
	if (cpu_features.xcr0)
		cr4 |= CR4_OSXSAVE;
	else
		allowed &= ~CR4_OSXSAVE;
	return (cr4 & allowed) | CR4_PAE | CR4_OSFXSR | CR4_OSXMMEXCPT;
}

/* What decides over instructions that the guest executes itself. DE does not: all of them trap. */
uint64_t pv_hardware_cr4(const struct vcpu *v)
{
	return (hv_cr4 & ~CR4_FSGSBASE) | (v->pv.cr4_guest & (CR4_FSGSBASE | CR4_TSD));
}

/* *again: not done yet, rip is to stay. */
static bool write_cr(struct cpu_user_regs *regs, const struct pv_insn *in, bool *again)
{
	struct vcpu *v = current;
	uint64_t val = *pv_reg(regs, in->rm);
	int ret;

	switch (in->reg) {
	case 0:
		return write_cr0_guest(v, val);
	case 2:
		v->vcpu_info->arch.cr2 = val;
		return true;
	case 3:
		ret = pv_set_base(v, mfn(xen_cr3_to_pfn(val)), false, true);
		*again = ret == -ERESTART_HC;
		/* As with MMUEXT_NEW_BASEPTR. */
		if (ret == 0)
			pv_invalidate_ldt(v);
		return ret == 0 || *again;
	case 4:
		/* Bits it does not have stay as they are, silently: kernels write back what they read. */
		v->pv.cr4_guest = pv_fix_cr4(v, val);
		cpu_load_cr4(pv_hardware_cr4(v));
		return true;
	}
	return false;
}

/* *again: rip is another already. */
static bool move_dr(struct cpu_user_regs *regs, const struct pv_insn *in, bool to_dr, bool *again)
{
	if (in->reg > 7)
		return false;
	if (!pv_debugreg_exists(current, in->reg)) {
		pv_inject_trap(TRAP_invalid_op, 0, false);
		*again = true;
		return true;
	}
	if (to_dr)
		return pv_set_debugreg(current, in->reg, *pv_reg(regs, in->rm)) == 0;
	*pv_reg(regs, in->rm) = (uint64_t)do_get_debugreg(in->reg);
	return true;
}

static bool emulate_xsetbv(struct cpu_user_regs *regs)
{
	struct vcpu *v = current;

	if (regs->ecx != 0 || !(v->pv.cr4_guest & CR4_OSXSAVE))
		return false;
	return fpu_set_xcr0(v, (uint64_t)regs->edx << 32 | regs->eax) == 0;
}

/* lmsw can set PE, never clear it; MP, EM and TS change. */
static bool emulate_lmsw(struct cpu_user_regs *regs, const struct pv_insn *in)
{
	struct vcpu *v = current;
	uint16_t msw;

	if (!in->mem)
		msw = (uint16_t)*pv_reg(regs, in->rm);
	else if (copy_from_guest_raw(&msw, in->ea, sizeof(msw)) != 0)
		return false;
	if (msw & CR0_EM)
		return false;
	fpu_set_ts(v, msw & CR0_TS);
	return true;
}

/* CR4.TSD is for the user's. */
static void emulate_rdtsc(struct cpu_user_regs *regs)
{
	uint64_t tsc = rdtsc();

	regs->rax = (uint32_t)tsc;
	regs->rdx = tsc >> 32;
}

static bool emulate_rdtscp(struct cpu_user_regs *regs)
{
	if (!cpu_features.rdtscp)
		return false;
	emulate_rdtsc(regs);
	regs->rcx = current->pv.tsc_aux;
	return true;
}

static bool emulate_0f01(struct cpu_user_regs *regs, const struct pv_insn *in)
{
	if (in->modrm == 0xd1)
		return emulate_xsetbv(regs);
	if (in->modrm == 0xf9)
		return emulate_rdtscp(regs);
	switch (in->modrm >> 3 & 7) {
	case 6:
		return emulate_lmsw(regs, in);
	case 7:
		if (!in->mem)
			return false; /* swapgs */
		if (guest_range_ok(in->ea, 1))
			flush_tlb_va_local(in->ea);
		return true;
	}
	return false; /* sgdt and sidt do not fault; lgdt, lidt and the SVM ones do */
}

/*
 * Some kernels read MSRs before they have handlers, and die of the answer: the
 * public ABI promises them 0 instead of a #GP then.
 */
static bool emulate_rdmsr(struct cpu_user_regs *regs)
{
	struct vcpu *v = current;
	uint64_t val = 0;

	if (pv_rdmsr(v, regs->ecx, &val) != 0 && v->pv.traps[TRAP_gp_fault].address != 0)
		return false;
	regs->rax = (uint32_t)val;
	regs->rdx = val >> 32;
	return true;
}

static void emulate_cpuid(struct cpu_user_regs *regs)
{
	uint32_t out[4];

	pv_cpuid(current, regs->eax, regs->ecx, out);
	regs->rax = out[0];
	regs->rbx = out[1];
	regs->rcx = out[2];
	regs->rdx = out[3];
}

/* The kernel's alone. */
static bool emulate_0f(struct cpu_user_regs *regs, const struct pv_insn *in, bool *again)
{
	switch (in->opcode) {
	case 0x0f01:
		return emulate_0f01(regs, in);
	case 0x0f06: /* clts */
		fpu_set_ts(current, false);
		return true;
	case 0x0f08: /* invd */
	case 0x0f09: /* wbinvd: a guest has no device that reads memory behind the caches */
		return true;
	case 0x0f20:
		return read_cr(regs, in);
	case 0x0f21:
		return move_dr(regs, in, false, again);
	case 0x0f22:
		return write_cr(regs, in, again);
	case 0x0f23:
		return move_dr(regs, in, true, again);
	case 0x0f30:
		return pv_wrmsr(current, regs->ecx, (uint64_t)regs->edx << 32 | regs->eax) == 0;
	case 0x0f31:
		emulate_rdtsc(regs);
		return true;
	case 0x0f32:
		return emulate_rdmsr(regs);
	case 0x0fa2:
		emulate_cpuid(regs);
		return true;
	}
	return false;
}

static bool emulate(struct cpu_user_regs *regs, const struct pv_insn *in, bool *again)
{
	struct vcpu *v = current;

	switch (in->opcode) {
	case 0xe4: case 0xe5: case 0xe6: case 0xe7:
	case 0xec: case 0xed: case 0xee: case 0xef:
		return pv_emulate_io(regs, in);
	case 0xfa: case 0xfb:
		/* cli, sti: the upcall mask is the guest's to write; popf would not change it either. */
		return pv_iopl_allows(v);
	case 0x0fa2:
		emulate_cpuid(regs); /* CPUID faulting */
		return true;
	}
	if (!v->pv.kernel_mode)
		return false;
	if (in->opcode == 0xf4)
		return do_sched_op(SCHEDOP_block, 0) == 0;
	return emulate_0f(regs, in, again);
}

/* The next instruction; where a 16 or 32-bit segment ends, rip wraps. */
static void advance(struct cpu_user_regs *regs, const struct pv_insn *in, unsigned int n)
{
	regs->rip += n;
	if (!in->cs64)
		regs->rip = (uint32_t)regs->rip;
	regs->rflags &= ~FLAGS_RF;
}

bool pv_emulate_privileged_op(struct cpu_user_regs *regs)
{
	struct pv_insn in;
	bool again = false;

	if (likely(pv_emulate_io_short(regs)))
		return true;
	if (pv_decode(regs, &in) != 0 || in.lock)
		return false;
	if (!emulate(regs, &in, &again))
		return false;
	if (again)
		return true;
	advance(regs, &in, in.length);
	if (unlikely(regs->rflags & FLAGS_TF)) {
		current->pv.dr6 |= 1UL << 14;
		pv_inject_trap(TRAP_debug, 0, false);
	}
	return true;
}

/* ud2, "xen", cpuid: for kernel and user alike. */
bool pv_emulate_forced_cpuid(struct cpu_user_regs *regs)
{
	static const uint8_t sequence[] = { 0x0f, 0x0b, 'x', 'e', 'n', 0x0f, 0xa2 };
	uint8_t b[sizeof(sequence)];

	if (copy_from_guest_raw(b, regs->rip, sizeof(b)) != 0 || memcmp(b, sequence, sizeof(b)) != 0)
		return false;
	emulate_cpuid(regs);
	regs->rip += sizeof(b);
	regs->rflags &= ~FLAGS_RF;
	return true;
}
