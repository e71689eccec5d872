/* SPDX-License-Identifier: MIT */
#include "x86/crash.h"
#include "x86/conring.h"
#include "x86/cpu_info.h"
#include "x86/printk.h"
#include "x86/processor.h"
#include "x86/smp.h"
#include "x86/spinlock.h"
#include "x86/traps.h"

#define STACK_WORDS 32
#define MAX_FRAMES 24

extern char __image_start[], __text_end[];

static uint32_t crashing_cpu_plus_one;
void (*crash_open_serial)(void);
void (*crash_tell_host)(void);

static void halt_for_good(void) __noreturn;
static void halt_for_good(void)
{
	for (;;)
		__asm__ volatile("cli; hlt");
}

void crash_begin(void)
{
	uint32_t me = smp_cpu() + 1, nobody = 0;

	irq_disable();
	hv_delay_stop();
	if (!__atomic_compare_exchange_n(&crashing_cpu_plus_one, &nobody, me, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
		/* A second CPU in trouble waits; a fault while the dump is made ends it. */
		if (nobody == me)
			crash_end();
		halt_for_good();
	}
	smp_stop_others();
	conring_bust_lock();
	conring_notify = NULL;
	if (crash_open_serial)
		crash_open_serial();
}

/* Both words of a frame, on this CPU's stack: anything else ends the walk. */
static bool frame_ok(uint64_t bp, uint64_t sp)
{
	uint64_t top = (sp & ~(STACK_SIZE - 1)) + STACK_SIZE;

	return bp >= sp && bp + 16 <= top && !(bp & 7);
}

static bool is_text(uint64_t a)
{
	return a >= (uint64_t)__image_start && a < (uint64_t)__text_end;
}

void show_stack(uint64_t sp, uint64_t bp)
{
	uint64_t top = (sp & ~(STACK_SIZE - 1)) + STACK_SIZE, low = sp;
	const uint64_t *p = (const uint64_t *)(sp & ~7UL);

	printk("stack at %p:\n", (void *)sp);
	for (unsigned int i = 0; i < STACK_WORDS && (uint64_t)(p + i + 4) <= top; i += 4)
		printk("  %016lx %016lx %016lx %016lx\n", p[i], p[i + 1], p[i + 2], p[i + 3]);
	printk("callers (image at %p):\n", (void *)__image_start);
	for (unsigned int i = 0; i < MAX_FRAMES && frame_ok(bp, low); i++) {
		const uint64_t *f = (const uint64_t *)bp;

		if (is_text(f[1]))
			printk("  %016lx\n", f[1]);
		low = bp + 16;
		bp = f[0];
	}
}

void crash_end(void)
{
	if (crash_tell_host)
		crash_tell_host();
	halt_for_good();
}

static uint64_t stack_pointer(void)
{
	uint64_t sp;

	__asm__ volatile("mov %%rsp, %0" : "=r"(sp));
	return sp;
}

void panic(const char *fmt, ...)
{
	char line[256];
	__builtin_va_list ap;

	crash_begin();
	__builtin_va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	__builtin_va_end(ap);
	printk("PANIC on cpu%u: %s", smp_cpu(), line);
	show_stack(stack_pointer(), (uint64_t)__builtin_frame_address(0));
	crash_end();
}

void bug_at(const char *file, int line, const char *expr)
{
	crash_begin();
	printk("BUG on cpu%u at %s:%d: %s\n", smp_cpu(), file, line, expr);
	printk("cr2 %016lx cr3 %016lx guest at %04x:%016lx\n", read_cr2(), read_cr3(), guest_regs()->cs, guest_regs()->rip);
	show_stack(stack_pointer(), (uint64_t)__builtin_frame_address(0));
	crash_end();
}

void fatal_exception(const struct cpu_user_regs *regs, const char *what)
{
	crash_begin();
	printk("FATAL on cpu%u: %s\n", smp_cpu(), what);
	dump_regs(printk, regs);
	/* A double fault may come from a stack that is no stack: only our own is looked at. */
	if (!guest_mode(regs) && (regs->rsp & ~(STACK_SIZE - 1)) == (stack_pointer() & ~(STACK_SIZE - 1)))
		show_stack(regs->rsp, regs->rbp);
	crash_end();
}
