/* SPDX-License-Identifier: MIT */
/* The IDT, and where SYSCALL and SYSENTER lead on each CPU. */
#include "x86/cpu_info.h"
#include "x86/desc.h"
#include "x86/msr.h"
#include "x86/page.h"
#include "x86/printk.h"
#include "x86/traps.h"

struct gate {
	uint64_t lo, hi;
};

/* Shared by all CPUs; each has its own TSS for the stacks. */
static struct gate idt[256] __aligned(4096);

#define STUB_SIZE 64
/* Their addresses are taken: without this the compiler goes through a GOT. */
#pragma GCC visibility push(hidden)
extern uint8_t syscall_stubs[NR_CPUS][STUB_SIZE];
extern char irq_stubs[256 - 0x20][16];
void syscall_near(void);
void syscall_far(void);
void syscall32_near(void);
void syscall32_far(void);
void sysenter_entry(void);
void exc_divide(void);
void exc_debug(void);
void exc_nmi(void);
void exc_int3(void);
void exc_overflow(void);
void exc_bounds(void);
void exc_invalid_op(void);
void exc_no_device(void);
void exc_double_fault(void);
void exc_invalid_tss(void);
void exc_no_segment(void);
void exc_stack_error(void);
void exc_gp_fault(void);
void exc_page_fault(void);
void exc_copro_error(void);
void exc_alignment(void);
void exc_machine_check(void);
void exc_simd_error(void);
void exc_int80(void);
#pragma GCC visibility pop

static const struct {
	uint8_t vector, ist, dpl;
	void (*entry)(void);
} exceptions[] = {
	{ TRAP_divide, 0, 0, exc_divide },
	{ TRAP_debug, IST_DB, 0, exc_debug },
	{ TRAP_nmi, IST_NMI, 0, exc_nmi },
	{ TRAP_int3, 0, 3, exc_int3 },
	{ TRAP_overflow, 0, 3, exc_overflow },
	{ TRAP_bounds, 0, 0, exc_bounds },
	{ TRAP_invalid_op, 0, 0, exc_invalid_op },
	{ TRAP_no_device, 0, 0, exc_no_device },
	{ TRAP_double_fault, IST_DF, 0, exc_double_fault },
	{ TRAP_invalid_tss, 0, 0, exc_invalid_tss },
	{ TRAP_no_segment, 0, 0, exc_no_segment },
	{ TRAP_stack_error, 0, 0, exc_stack_error },
	{ TRAP_gp_fault, 0, 0, exc_gp_fault },
	{ TRAP_page_fault, 0, 0, exc_page_fault },
	{ TRAP_copro_error, 0, 0, exc_copro_error },
	{ TRAP_alignment, 0, 0, exc_alignment },
	{ TRAP_machine_check, IST_MC, 0, exc_machine_check },
	{ TRAP_simd_error, 0, 0, exc_simd_error },
	{ 0x80, 0, 3, exc_int80 },
};

#define GATE_INTERRUPT 0xeUL
#define GATE_PRESENT 0x80UL

static void set_gate(unsigned int vector, const void *entry, unsigned int ist, unsigned int dpl)
{
	uint64_t a = (uint64_t)entry;

	idt[vector].hi = a >> 32;
	idt[vector].lo = (a & 0xffff) | (uint64_t)HV_CS64 << 16 | (uint64_t)ist << 32 |
			 (GATE_PRESENT | dpl << 5 | GATE_INTERRUPT) << 40 | (a & 0xffff0000UL) << 32;
}

static void fill_idt(void)
{
	for (unsigned int v = 0x20; v < 256; v++)
		set_gate(v, irq_stubs[v - 0x20], 0, 0);
	for (unsigned int i = 0; i < ARRAY_SIZE(exceptions); i++)
		set_gate(exceptions[i].vector, (const void *)exceptions[i].entry, exceptions[i].ist, exceptions[i].dpl);
}

static uint8_t *emit(uint8_t *p, const void *bytes, unsigned int n)
{
	memcpy(p, bytes, n);
	return p + n;
}

/* rel32 from the instruction that ends at run address next. */
static uint8_t *emit_rel32(uint8_t *p, uint64_t target, uint64_t next)
{
	int32_t rel = (int32_t)(target - next);

	BUG_ON((int64_t)(target - next) != rel);
	return emit(p, &rel, 4);
}

static bool in_reach(uint64_t target, uint64_t from)
{
	int64_t d = (int64_t)(target - from);

	return d > -0x70000000L && d < 0x70000000L;
}

/*
 * Written at p, to be run at run: leaves the guest's rsp in guest_regs().rsp and
 * rsp pointing at it, every other register as it was. The long form keeps rax
 * in scratch[0] and lets the entry path put both in place.
 */
static void write_stub(uint8_t *p, uint64_t run, struct cpu_info *ci, void (*near)(void), void (*far)(void))
{
	uint64_t slot = (uint64_t)&ci->guest_regs.rsp, save = (uint64_t)&ci->scratch[0];

	if (in_reach(slot, run)) {
		p = emit(p, "\x48\x89\x25", 3); /* mov %rsp, slot(%rip) */
		p = emit_rel32(p, slot, run + 7);
		p = emit(p, "\x48\x8d\x25", 3); /* lea slot(%rip), %rsp */
		p = emit_rel32(p, slot, run + 14);
		p = emit(p, "\xe9", 1); /* jmp near */
		emit_rel32(p, (uint64_t)near, run + 19);
		return;
	}
	p = emit(p, "\x48\xa3", 2); /* movabs %rax, save */
	p = emit(p, &save, 8);
	p = emit(p, "\x48\xb8", 2); /* movabs $slot, %rax */
	p = emit(p, &slot, 8);
	p = emit(p, "\x48\x94\xe9", 3); /* xchg %rax, %rsp; jmp far */
	emit_rel32(p, (uint64_t)far, run + 27);
}

/* No trap, no interrupt, forward strings, and no NT or AC of the guest's in the hypervisor. */
#define SYSCALL_FLAGS_CLEARED (FLAGS_TF | FLAGS_IF | FLAGS_DF | FLAGS_IOPL | FLAGS_NT | FLAGS_RF | FLAGS_AC)

static void init_syscall(unsigned int cpu)
{
	struct cpu_info *ci = cpu_info_of(cpu);
	uint64_t run = (uint64_t)syscall_stubs[cpu];
	uint8_t *p = paddr_to_virt(sym_to_paddr(syscall_stubs[cpu]));

	write_stub(p, run, ci, syscall_near, syscall_far);
	write_stub(p + STUB_SIZE / 2, run + STUB_SIZE / 2, ci, syscall32_near, syscall32_far);
	wrmsr(MSR_LSTAR, run);
	wrmsr(MSR_CSTAR, run + STUB_SIZE / 2);
	wrmsr(MSR_SFMASK, SYSCALL_FLAGS_CLEARED);
	/* Some CPUs keep only 32 bits of these, or fault: sysenter is then of no use, and #GP. */
	if (wrmsr_safe(MSR_SYSENTER_ESP, (uint64_t)&ci->guest_regs.es) != 0 ||
	    wrmsr_safe(MSR_SYSENTER_EIP, (uint64_t)sysenter_entry) != 0 || wrmsr_safe(MSR_SYSENTER_CS, HV_CS64) != 0)
		(void)wrmsr_safe(MSR_SYSENTER_CS, 0);
}

void traps_init_cpu(unsigned int cpu)
{
	const struct tss64 *tss = (const struct tss64 *)((char *)cpu_gdt_page[cpu] + GDT_TSS_OFFSET);
	struct desc_ptr p = { sizeof(idt) - 1, (uint64_t)idt };

	if (cpu == 0)
		fill_idt();
	/* exc_debug finds the way to the real stack in the word above its frame. */
	*(struct cpu_info **)tss->ist[IST_DB - 1] = cpu_info_of(cpu);
	__asm__ volatile("lidt %0" :: "m"(p) : "memory");
	init_syscall(cpu);
}
