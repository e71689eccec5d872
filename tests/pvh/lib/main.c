/* SPDX-License-Identifier: MIT */
#include "pvh.h"

struct start_info *start_info;
static struct start_info console;
union shared_page shared page_aligned;
struct caught caught;
struct jmpbuf trap_jmp;
volatile bool trap_catching;
volatile uint32_t event_count;
void (*event_hook)(void);
volatile uint32_t irq_count[256];
volatile bool irq_eoi;
void (*irq_hook)(unsigned int vector);
static bool in_trap;
const char *cmdline = "";
extern char ap_start[], ap_end[];
extern uint64_t ap_stack;

void guest_start(struct hvm_start_info_words *info);
void trap_entry(struct regs *regs);
void ap_main(void);

void *mfn_to_va(uint64_t mfn) { return (void *)(mfn << PAGE_SHIFT); }
uint64_t va_to_mfn(const void *va) { return (uint64_t)va >> PAGE_SHIFT; }

static uint64_t read_cr2(void)
{
	uint64_t v;

	__asm__ volatile("mov %%cr2, %0" : "=r"(v));
	return v;
}

void trap_entry(struct regs *regs)
{
	if (regs->vector >= 0x20) {
		irq_count[regs->vector & 255]++;
		if (irq_hook)
			irq_hook((unsigned int)regs->vector);
		if (irq_eoi)
			wrmsr(X2APIC(0x0b), 0);
		return;
	}
	if (trap_catching) {
		trap_catching = false;
		caught.vector = (int)regs->vector;
		caught.error_code = regs->error_code;
		caught.rip = regs->rip;
		caught.cs = regs->cs;
		caught.cr2 = read_cr2();
		caught.regs = *regs;
		guest_longjmp(&trap_jmp);
	}
	if (in_trap)
		for (;;)
			hc_sched_op(SCHEDOP_shutdown, &(struct sched_shutdown){ .reason = SHUTDOWN_crash });
	in_trap = true;
	test_error("unexpected trap %lu error %#lx at %#lx cr2 %#lx", regs->vector, regs->error_code, regs->rip, read_cr2());
	test_end();
}

static struct { uint64_t lo, hi; } idt[256];
struct pointer { uint16_t limit; uint64_t base; } __attribute__((packed));

static void load_idt(void)
{
	struct pointer p = { sizeof(idt) - 1, (uint64_t)idt };

	__asm__ volatile("lidt %0" :: "m"(p));
}

static void setup_traps(void)
{
	for (unsigned int v = 0; v < 256; v++) {
		uint64_t a = (uint64_t)trap_stubs + 16ul * v;

		idt[v].lo = (a & 0xffff) | 8ul << 16 | 0x8e00ul << 32 | (a >> 16 & 0xffff) << 48;
		idt[v].hi = a >> 32;
	}
	load_idt();
}

uint64_t hvm_param(uint32_t index)
{
	struct xen_hvm_param p = { .domid = DOMID_SELF, .index = index };

	return hc_hvm_op(HVMOP_get_param, &p) == 0 ? p.value : ~0ul;
}

long set_hvm_param(uint32_t index, uint64_t value)
{
	struct xen_hvm_param p = { .domid = DOMID_SELF, .index = index, .value = value };

	return hc_hvm_op(HVMOP_set_param, &p);
}

static void (*secondary_fn)(void);
static uint64_t stack1[1024];

void ap_main(void)
{
	load_idt();
	secondary_fn();
}

void on_secondary(void (*fn)(void))
{
	secondary_fn = fn;
	ap_stack = (uint64_t)(stack1 + 1023);
	memcpy((void *)0x8000, ap_start, (size_t)(ap_end - ap_start));
	wrmsr(X2APIC(0x30), 1ul << 32 | 0x4500); /* INIT */
	wrmsr(X2APIC(0x30), 1ul << 32 | 0x4608); /* SIPI, page 8 */
}

void guest_start(struct hvm_start_info_words *info)
{
	setup_traps();
	start_info = &console;
	if (info->cmdline)
		cmdline = (const char *)info->cmdline;
	console.console.domU.mfn = hvm_param(HVM_PARAM_CONSOLE_PFN);
	console.console.domU.evtchn = (uint32_t)hvm_param(HVM_PARAM_CONSOLE_EVTCHN);
	if (info->magic != 0x336ec578)
		test_error("no hvm_start_info");
	else
		test_main();
	test_end();
}
