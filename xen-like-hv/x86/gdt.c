/* SPDX-License-Identifier: MIT */
#include "x86/desc.h"
#include "x86/page.h"
#include "x86/printk.h"

void *cpu_gdt_page[NR_CPUS];
char *cpu_stack[NR_CPUS];

/* Accessed bits set, so the CPU never writes. */
static const struct { uint16_t selector; uint64_t desc; } segments[] = {
	{ HV_CS64, 0x00af9b000000ffffULL },
	{ HV_DS, 0x00cf93000000ffffULL },
};

/* Selectors as the public ABI has them. */
uint64_t gdt_flat_page[512] __aligned(4096) = {
	[(0xe023 - GDT_FLAT_OFFSET) / 8] = 0x00cffb000000ffffULL, /* FLAT_RING3_CS32 */
	[(0xe02b - GDT_FLAT_OFFSET) / 8] = 0x00cff3000000ffffULL, /* FLAT_RING3_DS32, SS */
	[(0xe033 - GDT_FLAT_OFFSET) / 8] = 0x00affb000000ffffULL, /* FLAT_RING3_CS64 */
};

#define DESC_TSS 0x89ULL
#define DESC_LDT 0x82ULL

_Static_assert(sizeof(struct tss64) == 104, "TSS layout");
_Static_assert((sizeof(struct cpu_info) - offsetof(struct cpu_info, guest_regs.es)) % 16 == 0,
	       "the CPU aligns the stack to 16 on entry");

static void set_system_desc(uint64_t *page, uint16_t selector, uint64_t base, uint64_t limit, uint64_t type)
{
	uint64_t *d = page + (selector - GDT_CPU_OFFSET) / 8;

	d[1] = base >> 32;
	d[0] = (limit & 0xffff) | (base & 0xffffff) << 16 | type << 40 | (limit & 0xf0000) << 32 | (base & 0xff000000) << 32;
}

static struct tss64 *tss_of(unsigned int cpu)
{
	return (struct tss64 *)((char *)cpu_gdt_page[cpu] + GDT_TSS_OFFSET);
}

/* Where the CPU pushes: right below the segment registers of guest_regs. */
static uint64_t frame_top(struct cpu_info *ci)
{
	return (uint64_t)&ci->guest_regs.es;
}

static void fill_gdt_page(unsigned int cpu, char *ist[NR_IST])
{
	struct tss64 *t = tss_of(cpu);
	uint64_t *page = cpu_gdt_page[cpu];

	for (unsigned int i = 0; i < ARRAY_SIZE(segments); i++)
		page[((segments[i].selector & ~7u) - GDT_CPU_OFFSET) / 8] = segments[i].desc;
	t->iomap_base = sizeof(*t);
	t->rsp[0] = frame_top(cpu_info_of(cpu));
	cpu_info_of(cpu)->cpu = cpu;
	for (unsigned int i = 0; i < NR_IST; i++) {
		struct cpu_info *ci = (struct cpu_info *)(ist[i] + STACK_SIZE) - 1;

		ci->cpu = cpu;
		t->ist[i] = frame_top(ci);
	}
}

void gdt_init_cpu(unsigned int cpu, void *gdt_page, char *stack, char *ist_stacks)
{
	char *ist[NR_IST];

	cpu_gdt_page[cpu] = gdt_page;
	cpu_stack[cpu] = stack + STACK_SIZE;
	for (unsigned int i = 0; i < NR_IST; i++)
		ist[i] = ist_stacks + i * STACK_SIZE;
	fill_gdt_page(cpu, ist);
}

static void lgdt(uint64_t base)
{
	struct desc_ptr p = { GDT_LIMIT, base };

	__asm__ volatile("lgdt %0" :: "m"(p) : "memory");
}

void gdt_load_early(unsigned int cpu)
{
	uint64_t page = (uint64_t)cpu_gdt_page[cpu];

	set_system_desc(cpu_gdt_page[cpu], TSS_SELECTOR, (uint64_t)tss_of(cpu), sizeof(struct tss64) - 1, DESC_TSS);
	/* Only the CPU's page of the table is there: no other selector is ever used from here. */
	lgdt(page - GDT_CPU_OFFSET);
	__asm__ volatile("pushq %0; leaq 1f(%%rip), %%rax; pushq %%rax; lretq; 1:" :: "i"((uint64_t)HV_CS64) : "rax", "memory");
	__asm__ volatile("mov %0, %%ss; mov %1, %%ds; mov %1, %%es; mov %1, %%fs; mov %1, %%gs"
			 :: "r"(HV_DS), "r"(0) : "memory");
	__asm__ volatile("ltr %w0" :: "r"(TSS_SELECTOR));
	__asm__ volatile("lldt %w0" :: "r"(0));
}

void gdt_load_final(unsigned int cpu)
{
	uint64_t tss = GDT_VIRT + GDT_CPU_OFFSET + GDT_TSS_OFFSET;

	/* ltr marks the descriptor busy: still through the writable alias. */
	set_system_desc(cpu_gdt_page[cpu], TSS_SELECTOR, tss, sizeof(struct tss64) - 1, DESC_TSS);
	__asm__ volatile("ltr %w0" :: "r"(TSS_SELECTOR));
	lgdt(GDT_VIRT);
}

void ldt_load(unsigned int entries)
{
	static DEFINE_PER_CPU(bool, loaded);

	if (!entries && !this_cpu(loaded))
		return;
	if (entries)
		set_system_desc(cpu_gdt_page[smp_cpu()], LDT_SELECTOR, LDT_VIRT, entries * 8 - 1, DESC_LDT);
	__asm__ volatile("lldt %w0" :: "r"(entries ? LDT_SELECTOR : 0));
	this_cpu(loaded) = entries != 0;
}
