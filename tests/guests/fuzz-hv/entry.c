/* SPDX-License-Identifier: MIT */
/* Traps of several vCPUs: whose it is, the stack says. */
#include "fuzz.h"

uint8_t stacks[VCPUS][STACK_SIZE] __attribute__((aligned(32768)));
static uint64_t user_stack[512] page_aligned;

void fuzz_trap(struct regs *r);
void store_asm(volatile uint64_t *p, uint64_t val);
void user_enter(uint64_t rip, uint64_t rsp, volatile uint64_t *p, uint64_t val, uint64_t count);
extern char fuzz_stubs[], fuzz_event[], fuzz_failsafe[], fuzz_syscall[], user_store[], fuzz_vcpu_start[];

/* As in lib/head.S, but for the function called. */
__asm__(
"	.text\n"
"	.globl run_on\n"
"fuzz_common:\n"
"	push %rax; push %rcx; push %rdx; push %rbx; push %rbp; push %rsi; push %rdi\n"
"	push %r8; push %r9; push %r10; push %r11; push %r12; push %r13; push %r14; push %r15\n"
"	cld\n"
"	mov %rsp, %rdi\n"
"	mov %rsp, %rbx\n"
"	and $-16, %rsp\n"
"	call fuzz_trap\n"
"	mov %rbx, %rsp\n"
"	pop %r15; pop %r14; pop %r13; pop %r12; pop %r11; pop %r10; pop %r9; pop %r8\n"
"	pop %rdi; pop %rsi; pop %rbp; pop %rbx; pop %rdx; pop %rcx; pop %rax\n"
"	add $16, %rsp\n"
"	pushq $0; push %rcx; push %r11; push %rax\n"
"	mov $23, %eax\n"
"	syscall\n"
"	ud2\n"
"	.balign 16\n"
"fuzz_stubs:\n"
"	.set fuzz_vec, 0\n"
"	.rept 32\n"
"	.balign 16\n"
"	pop %rcx; pop %r11\n"
"	.if (fuzz_vec == 8) || ((fuzz_vec >= 10) && (fuzz_vec <= 14)) || (fuzz_vec == 17) || (fuzz_vec == 21)\n"
"	.else\n"
"	pushq $0\n"
"	.endif\n"
"	pushq $fuzz_vec\n"
"	jmp fuzz_common\n"
"	.set fuzz_vec, fuzz_vec + 1\n"
"	.endr\n"
"fuzz_event:	pop %rcx; pop %r11; pushq $0; pushq $0x100; jmp fuzz_common\n"
"fuzz_failsafe:	pop %rcx; pop %r11; add $32, %rsp; pushq $0; pushq $0x101; jmp fuzz_common\n"
"fuzz_syscall:	pop %rcx; pop %r11; pushq $0; pushq $0x102; jmp fuzz_common\n"
"store_asm:	mov %rsi, (%rdi); ret\n"
"user_store:	mov %r8, (%rdx); add $2, %r8; dec %r9; jnz user_store; syscall; ud2\n"
"user_enter:\n"
"	mov %r8, %r9\n"
"	mov %rcx, %r8\n"
"	pushq $0xe02b; push %rsi; pushq $0x202; pushq $0xe033; push %rdi\n"
"	pushq $0; pushq $0; pushq $0; pushq $0\n"
"	mov $23, %eax\n"
"	syscall\n"
"	ud2\n"
"run_on:	mov %rdi, %rsp; xor %ebp, %ebp; mov %rdx, %rdi; call *%rsi; ud2\n"
"fuzz_vcpu_start: cld; xor %ebp, %ebp; call *%rsi; ud2\n");

void fuzz_trap(struct regs *r)
{
	struct fuzzer *z = &fuzzers[((uint64_t)r - (uint64_t)stacks) / STACK_SIZE];

	if (r->vector == VEC_EVENT) {
		info_of(z)->evtchn_upcall_pending = 0;
		z->events++;
		return;
	}
	/* NMIs that others send; and breakpoints. */
	if (r->vector <= 2 && r->vector != 0)
		return;
	z->vector = (int)r->vector;
	z->cr2 = info_of(z)->arch.cr2;
	if (z->catching) {
		z->catching = false;
		guest_longjmp(&z->jmp);
	}
	finding(z, "trap %lu error %#lx at %#lx cr2 %#lx", r->vector, r->error_code, r->rip, z->cr2);
	test_end();
}

/* Runs a statement; z->vector says what it trapped with. */
#define TRY(z, ...) do { \
	(z)->vector = NO_TRAP; \
	(z)->catching = true; \
	barrier(); \
	if (guest_setjmp(&(z)->jmp) == 0) { __VA_ARGS__; } \
	barrier(); \
	(z)->catching = false; \
} while (0)

static bool page_fault_at(struct fuzzer *z, const volatile void *p)
{
	if (z->vector == NO_TRAP)
		return false;
	if (z->vector != 14 || z->cr2 != (uint64_t)p)
		finding(z, "trap %d at %#lx for an access to %#lx", z->vector, z->cr2, (uint64_t)p);
	return true;
}

bool try_store(struct fuzzer *z, volatile uint64_t *p, uint64_t val)
{
	TRY(z, store_asm(p, val));
	return !page_fault_at(z, p);
}

bool try_load(struct fuzzer *z, const volatile uint64_t *p, uint64_t *val)
{
	TRY(z, *val = *p);
	return !page_fault_at(z, p);
}

uint64_t rmw_makes(unsigned int kind, uint64_t old, uint64_t val)
{
	switch (kind) {
	case 0:
		return old + val;
	case 1: /* cmpxchg, which fails unless old is what it was last time */
		return old == val ? ~val : old;
	case 2:
		return val;
	case 3:
		return old | val;
	case 4:
		return old & val;
	case 5:
		return old & ~(1ul << val % 64);
	default: /* the upper half alone */
		return (uint32_t)old | val >> 32 << 32;
	}
}

static uint64_t rmw_asm(unsigned int kind, volatile uint64_t *p, uint64_t val, uint64_t got)
{
	switch (kind) {
	case 0:
		__asm__ volatile("lock xadd %0, %1" : "+r"(val), "+m"(*p) :: "cc");
		return val;
	case 1:
		got = val;
		__asm__ volatile("lock cmpxchg %2, %1" : "+a"(got), "+m"(*p) : "r"(~val) : "cc");
		return got;
	case 2:
		__asm__ volatile("xchg %0, %1" : "+r"(val), "+m"(*p));
		return val;
	case 3:
		__asm__ volatile("lock or %1, %0" : "+m"(*p) : "r"(val) : "cc");
		break;
	case 4:
		__asm__ volatile("lock and %1, %0" : "+m"(*p) : "r"(val) : "cc");
		break;
	case 5:
		__asm__ volatile("lock btr %1, %0" : "+m"(*p) : "r"(val % 64) : "cc");
		break;
	default:
		__asm__ volatile("movl %1, %0" : "=m"(((volatile uint32_t *)p)[1]) : "r"((uint32_t)(val >> 32)));
	}
	return got;
}

bool try_rmw(struct fuzzer *z, unsigned int kind, volatile uint64_t *p, uint64_t val, uint64_t *got)
{
	TRY(z, *got = rmw_asm(kind, p, val, *got));
	return !page_fault_at(z, kind == RMW_KINDS - 1 ? (volatile void *)((volatile uint32_t *)p + 1) : p);
}

bool try_lar(struct fuzzer *z, uint16_t sel)
{
	uint32_t attributes = 0;

	TRY(z, __asm__ volatile("lar %1, %0" : "+r"(attributes) : "r"((uint32_t)sel) : "cc"));
	return z->vector == NO_TRAP;
}

bool try_user_stores(struct fuzzer *z, volatile uint64_t *p, uint64_t val, unsigned int n)
{
	TRY(z, user_enter((uint64_t)user_store, (uint64_t)(user_stack + 512), p, val, n));
	info_of(z)->evtchn_upcall_mask = 1;
	if (z->vector == VEC_SYSCALL)
		return true;
	if (!page_fault_at(z, p))
		finding(z, "user mode came back without a trap");
	return false;
}

static void register_callback(uint16_t type, void *entry)
{
	struct callback_register cb = { .type = type, .flags = CALLBACKF_mask_events, .address = (unsigned long)entry };

	EXPECT(hc_callback_op(CALLBACKOP_register, &cb), 0);
}

static void fill_trap_table(struct trap_info *t)
{
	unsigned int v;

	for (v = 0; v < 32; v++)
		t[v] = (struct trap_info){ .vector = v, .flags = 4, .cs = FLAT_KERNEL_CS,
					   .address = (unsigned long)fuzz_stubs + 16ul * v };
}

/* For the calling vCPU. */
void traps_init_vcpu(struct fuzzer *z)
{
	struct trap_info table[33] = { 0 };

	fill_trap_table(table);
	EXPECT(hc_set_trap_table(table), 0);
	register_callback(CALLBACKTYPE_event, fuzz_event);
	register_callback(CALLBACKTYPE_failsafe, fuzz_failsafe);
	register_callback(CALLBACKTYPE_syscall, fuzz_syscall);
	EXPECT(hc_stack_switch(FLAT_KERNEL_SS, stacks[z->id] + STACK_SIZE), 0);
}

void vcpu_context(struct vcpu_guest_context *c, struct fuzzer *z, void (*fn)(struct fuzzer *))
{
	memset(c, 0, sizeof(*c));
	c->flags = VGCF_IN_KERNEL;
	c->user_regs.rip = (uint64_t)fuzz_vcpu_start;
	c->user_regs.rsp = (uint64_t)(stacks[z->id] + STACK_SIZE - 8192);
	c->user_regs.rdi = (uint64_t)z;
	c->user_regs.rsi = (uint64_t)fn;
	c->user_regs.rflags = 0x1000;
	c->user_regs.cs = FLAT_KERNEL_CS;
	c->user_regs.ss = FLAT_KERNEL_SS;
	c->kernel_ss = FLAT_KERNEL_SS;
	c->kernel_sp = (uint64_t)(stacks[z->id] + STACK_SIZE);
	c->event_callback_eip = (uint64_t)fuzz_event;
	c->failsafe_callback_eip = (uint64_t)fuzz_failsafe;
	c->syscall_callback_eip = (uint64_t)fuzz_syscall;
	c->ctrlreg[3] = l4_mfn() << PAGE_SHIFT;
	fill_trap_table((struct trap_info *)c->trap_ctxt);
}
