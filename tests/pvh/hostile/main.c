/* SPDX-License-Identifier: MIT */
/* What a guest may try that ends it, and nobody else: the command line says what. The test looks at how it ended. */
#include "pvh.h"

const char test_name[] = "pvh-hostile";

#define HOLE 0x60000000ul /* no memory there */

static bool is(const char *what) { return !strncmp(cmdline, what, strlen(what) + 1); }

struct pointer { uint16_t limit; uint64_t base; } __attribute__((packed));

static void load_idt_at(uint64_t base, uint16_t limit)
{
	struct pointer p = { limit, base };

	__asm__ volatile("lidt %0" :: "m"(p));
}

static void breakpoint(void) { __asm__ volatile("int3"); }

static void set_cr3(uint64_t v) { __asm__ volatile("mov %0, %%cr3" :: "r"(v) : "memory"); }

/*
 * Reads what is watched and leaves by its store, with a task state segment where the hypervisor has nothing: a
 * debug exception that is late must not look for a stack there.
 */
static void watch_and_leave(void)
{
	static volatile uint64_t word;
	const uint64_t base = 0x500000001000;
	volatile uint64_t *from = &word, *to = (uint64_t *)HOLE;

	gdt[7] = 0x67 | (base & 0xffffff) << 16 | 0x89ul << 40 | (base >> 24 & 0xff) << 56;
	gdt[8] = base >> 32;
	__asm__ volatile("ltr %w0" :: "r"(0x38));
	__asm__ volatile("mov %0, %%dr0" :: "r"(&word));
	__asm__ volatile("mov %0, %%dr7" :: "r"(0xb0401ul)); /* 8 bytes, reads and writes */
	__asm__ volatile("movsq" : "+S"(from), "+D"(to) :: "memory");
}

volatile uint32_t debug_traps, interrupts;
void only_count_debug(void);
void only_count_interrupt(void);
__asm__(".pushsection .text\n"
	"only_count_debug: incl debug_traps\n"
	"iretq\n"
	"only_count_interrupt: incl interrupts\n"
	"push %rax; push %rcx; push %rdx\n"
	"xor %eax, %eax; xor %edx, %edx; mov $0x80b, %ecx; wrmsr\n"
	"pop %rdx; pop %rcx; pop %rax\n"
	"iretq\n"
	".popsection");

static void set_handler(unsigned int vector, void (*fn)(void))
{
	struct { uint64_t lo, hi; } *idt;
	struct pointer p;
	uint64_t a = (uint64_t)fn;

	__asm__ volatile("sidt %0" : "=m"(p));
	idt = (void *)p.base;
	idt[vector].lo = (a & 0xffff) | 8ul << 16 | 0x8e00ul << 32 | (a >> 16 & 0xffff) << 48;
	idt[vector].hi = a >> 32;
}

/* An interrupt's frame goes where is watched, and the next instruction ends the turn: QEMU has a hit that nobody took. */
static void watch_the_stack(void)
{
	set_handler(1, only_count_debug);
	set_handler(0x40, only_count_interrupt);
	wrmsr(X2APIC(0x0f), 0x1ff);
	for (unsigned int i = 0; i < 20000; i++) {
		wrmsr(X2APIC(0x3f), 0x40);
		__asm__ volatile("lea -32(%%rsp), %%rax; and $-8, %%rax; mov %%rax, %%dr0; mov %0, %%dr7\n"
				 "xor %%eax, %%eax; xor %%ecx, %%ecx; sti; nop; cpuid; cpuid; cli; xor %%eax, %%eax; mov %%rax, %%dr7"
				 :: "r"(i & 1 ? 0xb0402ul : 0xb0403ul) : "rax", "rbx", "rcx", "rdx", "memory");
		if (i % 4 == 3)
			hc_sched_op(SCHEDOP_yield, NULL);
	}
	printk("debug traps %u, interrupts %u\n", debug_traps, interrupts);
	hc_sched_op(SCHEDOP_shutdown, &(struct sched_shutdown){ .reason = SHUTDOWN_poweroff });
}

#define SET_CR(n, v) ({ __asm__ volatile("mov %0, %%cr" #n :: "r"((uint64_t)(v)) : "memory"); })
static uint64_t cr0(void) { uint64_t v; __asm__ volatile("mov %%cr0, %0" : "=r"(v)); return v; }
static uint64_t cr4(void) { uint64_t v; __asm__ volatile("mov %%cr4, %0" : "=r"(v)); return v; }
static void icebp(void) { __asm__ volatile(".byte 0xf1"); }
static void leave(void) { uint32_t r[4]; cpuid(0, 0, r); }

/* A frame on its way to a hole. */
static void interrupt_into_a_hole(void)
{
	set_handler(0x40, only_count_interrupt);
	wrmsr(X2APIC(0x0f), 0x1ff);
	wrmsr(X2APIC(0x3f), 0x40);
	__asm__ volatile("mov %0, %%rsp; sti; nop; 1: jmp 1b" :: "r"(HOLE + 0x800));
}

/* A page fault whose handler's first byte is none of its own: for ever, on one stack. */
static void fault_for_ever(void)
{
	static uint8_t stack[4096], tss[104];
	uint64_t base = (uint64_t)tss, top = (uint64_t)(stack + sizeof(stack));
	struct { uint64_t lo, hi; } *idt;
	struct pointer p;

	memcpy(tss + 36, &top, sizeof(top));
	gdt[7] = 0x67 | (base & 0xffffff) << 16 | 0x89ul << 40 | (base >> 24 & 0xff) << 56;
	gdt[8] = base >> 32;
	__asm__ volatile("ltr %w0" :: "r"(0x38));
	set_handler(14, (void (*)(void))0x8000000000);
	__asm__ volatile("sidt %0" : "=m"(p));
	idt = (void *)p.base;
	idt[14].lo |= 1ul << 32;
	*(volatile uint8_t *)0x8000000000;
}

/* Each instruction of the handler of debug exceptions is one's cause. */
static void debug_for_ever(void)
{
	set_handler(1, only_count_debug);
	__asm__ volatile("mov %0, %%dr0; mov %1, %%dr7" :: "r"(only_count_debug), "r"(0x403ul));
	__asm__ volatile("pushf; orl $0x100, (%rsp); popf; nop; nop");
	for (;;)
		__asm__ volatile("pushf; orl $0x100, (%rsp); popf; nop");
}

static void random_words(void)
{
	uint64_t s = 0x123456789abcdef1;

	for (unsigned int i = 0; i < 512 * 4; i++) {
		s ^= s << 13;
		s ^= s >> 7;
		s ^= s << 17;
		/* Entries of all levels anywhere in the address space, reserved bits and large pages among them. */
		tables[1024 + 512 + i] = s;
	}
	for (uint64_t a = 0x40000000; a < 0x100000000; a += 0x200000)
		CATCH(*(volatile uint8_t *)a);
}

void test_main(void)
{
	if (is("hole-read"))
		*(volatile uint32_t *)HOLE;
	else if (is("hole-write"))
		*(volatile uint32_t *)HOLE = 1;
	else if (is("hole-exec"))
		((void (*)(void))HOLE)();
	else if (is("hole-stack"))
		__asm__ volatile("mov %0, %%rsp; push %%rax" :: "r"(HOLE));
	else if (is("hole-idt"))
		load_idt_at(HOLE, 0xfff), breakpoint();
	else if (is("hole-tables"))
		set_cr3(HOLE), *(volatile uint8_t *)0x1000;
	else if (is("far-tables"))
		set_cr3(0xfffffff000ul), *(volatile uint8_t *)0x1000;
	else if (is("lapic-page"))
		*(volatile uint32_t *)0xfee00020;
	else if (is("watch-and-leave"))
		watch_and_leave();
	else if (is("watch-the-stack"))
		watch_the_stack();
	else if (is("cr4-reserved"))
		SET_CR(4, cr4() | 1ul << 23);
	else if (is("cr4-la57"))
		SET_CR(4, cr4() | 1ul << 12), leave();
	else if (is("cr3-far"))
		SET_CR(3, 1ul << 51), leave();
	else if (is("cr0-nw"))
		SET_CR(0, (cr0() | 1ul << 29) & ~(1ul << 30)), leave(), leave();
	else if (is("no-pae"))
		SET_CR(4, cr4() & ~0x20ul), leave(), leave();
	else if (is("icebp"))
		load_idt_at(0, 0), icebp();
	else if (is("interrupt-hole"))
		interrupt_into_a_hole();
	else if (is("faults"))
		fault_for_ever();
	else if (is("debugs"))
		debug_for_ever();
	else if (is("triple"))
		load_idt_at(0, 0), breakpoint();
	else if (is("hang"))
		for (;;)
			__asm__ volatile("cli; pause");
	else if (is("halt"))
		for (;;)
			__asm__ volatile("cli; hlt");
	else if (is("random-tables"))
		random_words();
	else if (is("hole-hypercall-page"))
		wrmsr(0x40000000, HOLE);
	else
		test_error("no such attack: %s", cmdline);
	test_failed("%s did not end it", cmdline);
}
