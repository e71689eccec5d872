/* SPDX-License-Identifier: MIT */
/*
 * A PVH guest's turns: enter, until something ends it, see to that, and again. It begins at the top of the CPU's
 * stack with each switch to such a vCPU, and ends when softirqs switch to another.
 * guest_regs() has the general registers, rip, rsp and flags while the hypervisor runs; the rest is in the VMCB.
 */
#include "domain/uaccess.h"
#include "event/evtchn.h"
#include "event/poll.h"
#include "host/host.h"
#include "hvm/private.h"
#include "lib/errno.h"
#include "p2m/p2m.h"
#include "pv/bounce.h"
#include "pv/emul.h"
#include "sched/sched.h"
#include "x86/hooks.h"
#include "x86/msr.h"
#include "x86/printk.h"
#include "x86/processor.h"
#include "x86/softirq.h"
#include "x86/traps.h"

#define NR_EXITS 0xa0u /* those below; then the nested fault, then all others */
#define COUNT_NPF NR_EXITS
#define COUNT_OTHER (NR_EXITS + 1)

#define IOIO_IN 1u
#define IOIO_STRING 4u
#define IOIO_BYTES(i) ((i) >> 4 & 7)
#define PORT_PIT_COUNT2 0x42u
#define PORT_SLEEP 0xb004u /* where the builder's ACPI tables may have it */
#define SLEEP_ENABLE (1u << 5)

static struct { uint64_t n[NR_EXITS + 2]; } __aligned(64) exits[NR_CPUS];

static uint64_t exits_of(unsigned int reason)
{
	uint64_t sum = 0;
	unsigned int cpu;

	for_each_online_cpu(cpu)
		sum += exits[cpu].n[reason];
	return sum;
}

void hvm_show_exits(void)
{
	for (unsigned int i = 0; i < NR_EXITS + 2; i++) {
		uint64_t n = exits_of(i);

		if (n)
			printk("exits, reason %#x: %lu\n", i == COUNT_NPF ? VMEXIT_NPF : i, n);
	}
}

void hvm_skip(struct vcpu *v, unsigned int length)
{
	struct vmcb *b = vmcb_of(v);
	uint64_t rip = guest_regs()->rip + length;

	guest_regs()->rip = vmcb_in_64bit(b) ? rip : (uint32_t)rip;
	b->int_shadow = 0;
}

static void inject_gp(struct vcpu *v)
{
	hvm_inject(v, TRAP_gp_fault, true, 0);
}

/* 0: the guest has something else there by now, which it is to do. */
static bool skip_insn(struct vcpu *v, unsigned int opcode)
{
	unsigned int length = hvm_insn_length(v, opcode);

	if (length == 0)
		return false;
	hvm_skip(v, length);
	return true;
}

static void exit_cpuid(struct vcpu *v, struct cpu_user_regs *regs)
{
	uint32_t r[4];

	if (!skip_insn(v, 0x0fa2))
		return;
	if ((uint32_t)regs->rax == 0xd)
		hvm_note_xcr0(v);
	hvm_cpuid(v, (uint32_t)regs->rax, (uint32_t)regs->rcx, r);
	regs->rax = r[0];
	regs->rbx = r[1];
	regs->rcx = r[2];
	regs->rdx = r[3];
}

static void exit_msr(struct vcpu *v, struct cpu_user_regs *regs, bool write)
{
	unsigned int length = hvm_insn_length(v, write ? 0x0f30 : 0x0f32);
	uint64_t val = (uint32_t)regs->rax | regs->rdx << 32;
	int ret;

	if (length == 0)
		return;
	ret = write ? hvm_wrmsr(v, (uint32_t)regs->rcx, val) : hvm_rdmsr(v, (uint32_t)regs->rcx, &val);
	if (ret != 0) {
		inject_gp(v);
		return;
	}
	if (!write) {
		regs->rax = (uint32_t)val;
		regs->rdx = val >> 32;
	}
	hvm_skip(v, length);
}

/*
 * All ones. But a timer's count stands at 0: Linux, which looks for one before it read that there is none, would
 * take 50,000 looks at one that is as high as can be, and gives up at once if it is not.
 */
static void port_read(struct cpu_user_regs *regs, uint32_t port, uint32_t bytes)
{
	uint64_t mask = bytes == 4 ? 0xffffffffUL : bytes == 2 ? 0xffff : 0xff;
	uint64_t val = port == PORT_PIT_COUNT2 ? 0 : mask;

	regs->rax = (bytes == 4 ? 0 : regs->rax & ~mask) | val;
}

/*
 * No port has anything behind it, but the one that turns the machine off (ACPI's sleep control register). Strings
 * of them would read memory for it, or fill it with ones: nobody needs that.
 */
static void exit_io(struct vcpu *v, struct cpu_user_regs *regs)
{
	struct vmcb *b = vmcb_of(v);
	uint32_t info = (uint32_t)b->exit_info1;

	if (info & IOIO_STRING) {
		inject_gp(v);
		return;
	}
	if (info & IOIO_IN)
		port_read(regs, info >> 16, IOIO_BYTES(info));
	else if (info >> 16 == PORT_SLEEP && (regs->rax & SLEEP_ENABLE))
		domain_shutdown(v->domain, SHUTDOWN_poweroff);
	regs->rip = b->exit_info2;
	b->int_shadow = 0;
}

/* A CPU that halts for good is not needed any more, as with VCPUOP_down; the last one is the domain's end. */
static void exit_hlt(struct vcpu *v, struct cpu_user_regs *regs)
{
	if (!skip_insn(v, 0xf4))
		return;
	if (!(regs->rflags & FLAGS_IF) && !(READ_ONCE(v->hvm->pending) & (PENDING_NMI_IN | PENDING_INIT))) {
		(void)do_vcpu_op(VCPUOP_down, v->vcpu_id, 0);
		/* What came between that look and this: who sent it saw a vCPU that is up. */
		if (READ_ONCE(v->hvm->pending) & (PENDING_NMI_IN | PENDING_INIT | PENDING_SIPI))
			__atomic_fetch_and(&v->pause_flags, ~VPF_down, __ATOMIC_SEQ_CST);
		return;
	}
	poll_forget(v);
	__atomic_fetch_or(&v->pause_flags, VPF_blocked, __ATOMIC_SEQ_CST);
	if (hvm_wants_to_run(v))
		__atomic_fetch_and(&v->pause_flags, ~VPF_blocked, __ATOMIC_SEQ_CST);
	else
		softirq_raise(SCHEDULE_SOFTIRQ);
}

static void exit_vmmcall(struct vcpu *v, struct cpu_user_regs *regs)
{
	const struct vmcb *b = vmcb_of(v);

	if (!skip_insn(v, 0x0f01d9))
		return;
	if (b->cpl != 0) {
		regs->rax = (uint64_t)-EPERM;
	} else if (!vmcb_in_64bit(b)) {
		regs->rax = (uint32_t)-ENOSYS; /* there is no 32-bit form */
	} else {
		hvm_hypercall(regs);
		/* SCHEDOP_poll and _block wait for events; what the local APIC has ends them, too. */
		if (unlikely(v->pause_flags & VPF_blocked) && hvm_wants_to_run(v))
			vcpu_unblock(v);
	}
}

static void exit_xsetbv(struct vcpu *v, struct cpu_user_regs *regs)
{
	uint64_t val = (uint32_t)regs->rax | regs->rdx << 32;
	unsigned int length = hvm_insn_length(v, 0x0f01d1);

	if (length == 0)
		return;
	if (vmcb_of(v)->cpl != 0 || (uint32_t)regs->rcx != 0 || fpu_set_xcr0(v, val) != 0)
		inject_gp(v);
	else
		hvm_skip(v, length);
}

static void exit_cr8(struct vcpu *v, struct cpu_user_regs *regs)
{
	unsigned int reg = 0, length = hvm_insn_mov_special(v, &reg);
	uint64_t val;

	if (length == 0)
		return;
	val = *pv_reg(regs, reg);
	if (val > 15) {
		inject_gp(v);
		return;
	}
	v->hvm->apic.tpr = (uint32_t)val << 4;
	hvm_skip(v, length);
}

static void nested_fault(struct vcpu *v)
{
	const struct vmcb *b = vmcb_of(v);

	if ((b->exit_info1 & (NPF_PRESENT | NPF_WRITE)) == (NPF_PRESENT | NPF_WRITE)) {
		enum p2m_fault what = p2m_write_fault(v->domain, b->exit_info2 >> PAGE_SHIFT);

		if (what == P2M_fault_stale)
			v->hvm->generation = ~0ULL;
		if (what != P2M_fault_guest)
			return;
	}
	domain_crash(v->domain, "v%u: %s at guest physical %#lx (%#lx), rip %#lx", v->vcpu_id,
		     b->exit_info1 & NPF_WRITE ? "write" : "access", b->exit_info2, b->exit_info1, b->rip);
}

static void triple_fault(struct vcpu *v)
{
	uint32_t reason = (uint32_t)v->domain->hvm->params[HVM_PARAM_TRIPLE_FAULT_REASON];

	printk("d%uv%u: triple fault\n", v->domain->domid, v->vcpu_id);
	domain_shutdown(v->domain, reason);
}

static void handle(struct vcpu *v, struct cpu_user_regs *regs)
{
	struct vmcb *b = vmcb_of(v);
	uint64_t reason = b->exit_code;

	switch (reason) {
	case VMEXIT_INTR:
	case VMEXIT_NMI:
	case VMEXIT_SMI:
	case VMEXIT_INIT:
	case VMEXIT_FERR:
		return;
	case VMEXIT_VMMCALL:
		exit_vmmcall(v, regs);
		return;
	case VMEXIT_MSR:
		exit_msr(v, regs, b->exit_info1 & 1);
		return;
	case VMEXIT_HLT:
		exit_hlt(v, regs);
		return;
	case VMEXIT_NPF:
		nested_fault(v);
		return;
	case VMEXIT_CPUID:
		exit_cpuid(v, regs);
		return;
	case VMEXIT_IOIO:
		exit_io(v, regs);
		return;
	case VMEXIT_CR8_WRITE:
		exit_cr8(v, regs);
		return;
	case VMEXIT_XSETBV:
		exit_xsetbv(v, regs);
		return;
	case VMEXIT_IRET:
		/* It is done next; only then may another NMI come. */
		b->intercept1 &= ~INTERCEPT1(VMEXIT_IRET);
		v->hvm->nmi_over = true;
		return;
	case VMEXIT_INVD:
		(void)skip_insn(v, 0x0f08);
		return;
	case VMEXIT_WBINVD:
		(void)skip_insn(v, 0x0f09);
		return;
	case VMEXIT_RDPMC:
		inject_gp(v);
		return;
	case VMEXIT_INVLPGA:
	case VMEXIT_VMRUN:
	case VMEXIT_VMLOAD:
	case VMEXIT_VMSAVE:
	case VMEXIT_STGI:
	case VMEXIT_CLGI:
	case VMEXIT_SKINIT:
	case VMEXIT_MONITOR:
	case VMEXIT_MWAIT:
	case VMEXIT_MWAIT_ARMED:
		hvm_inject(v, TRAP_invalid_op, false, 0);
		return;
	case VMEXIT_SHUTDOWN:
		triple_fault(v);
		return;
	case VMEXIT_EXCEPTION + TRAP_machine_check:
		panic("machine check while a guest ran\n");
	}
	if (reason >= VMEXIT_DR0_READ && reason < VMEXIT_EXCEPTION) {
		hvm_dr_access(v, reason & 7, reason >= VMEXIT_DR0_WRITE);
		return;
	}
	domain_crash(v->domain, "v%u: %s, exit %#lx (%#lx, %#lx)", v->vcpu_id,
		     reason == VMEXIT_INVALID ? "registers that no CPU runs with" : "unexpected", reason, b->exit_info1, b->exit_info2);
}

static void count(uint64_t reason)
{
	unsigned int i = reason < NR_EXITS ? (unsigned int)reason : reason == VMEXIT_NPF ? COUNT_NPF : COUNT_OTHER;

	this_cpu(exits).n[i]++;
}

static void to_vmcb(struct vmcb *b, const struct cpu_user_regs *regs)
{
	b->rax = regs->rax;
	b->rip = regs->rip;
	b->rsp = regs->rsp;
	b->rflags = regs->rflags;
}

static void from_vmcb(struct cpu_user_regs *regs, const struct vmcb *b)
{
	regs->rax = b->rax;
	regs->rip = b->rip;
	regs->rsp = b->rsp;
	regs->rflags = b->rflags;
}

/* Interrupts are off, before and after. What may be stale in the TLB is asked after this CPU was counted. */
static void enter(struct vcpu *v)
{
	struct vmcb *b = vmcb_of(v);
	uint64_t generation = p2m_generation(v->domain);

	b->tlb_control = generation != v->hvm->generation ? TLB_FLUSH_ALL : 0;
	v->hvm->generation = generation;
	to_vmcb(b, guest_regs());
	hvm_dr_load(v);
	longest_irqs_on(); /* the guest's turn is none of ours */
	svm_enter(v->hvm->vmcb_pa, guest_regs(), svm_host_vmcb());
	longest_irqs_off();
	hvm_dr_unload(v);
	from_vmcb(guest_regs(), b);
}

static void do_softirqs(void)
{
	while (softirqs_pending()) {
		irq_enable();
		do_softirq();
		irq_disable();
	}
}

void hvm_run(void)
{
	struct vcpu *v = current;

	irq_disable();
	for (;;) {
		unsigned int before;

		do_softirqs();
		if (!hvm_prepare_entry(v))
			continue;
		enter(v);
		hvm_after_exit(v);
		count(vmcb_of(v)->exit_code);
		irq_enable();
		before = longest_begin(LONGEST_EXCEPTION);
		handle(v, guest_regs());
		longest_end(before);
		irq_disable();
		host_look();
	}
}
