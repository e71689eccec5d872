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
