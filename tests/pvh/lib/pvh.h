/* SPDX-License-Identifier: MIT */
/* What a PVH test guest has besides guest.h: 4 GiB mapped one to one, traps of its own, a second vCPU by INIT and SIPI. */
#ifndef PVH_H
#define PVH_H
#include "guest.h"
#include <xen/hvm/hvm_op.h>
#include <xen/hvm/params.h>

struct hvm_start_info_words { uint32_t magic, version, flags, nr_modules; uint64_t modlist, cmdline, rsdp; };

#define hc_hvm_op(cmd, a) HC(hvm_op, cmd, a, 0, 0, 0)
uint64_t hvm_param(uint32_t index); /* ~0: error */
long set_hvm_param(uint32_t index, uint64_t value);

extern uint64_t tables[], gdt[];
extern const char *cmdline;
extern volatile uint32_t irq_count[256]; /* of vectors from 0x20 on; an EOI is written if irq_eoi */
extern volatile bool irq_eoi;
extern void (*irq_hook)(unsigned int vector);
void on_secondary(void (*fn)(void)); /* by INIT and SIPI to vCPU 1; it halts when fn returns */

static inline uint64_t rdmsr(uint32_t msr)
{
	uint32_t lo, hi;
	__asm__ volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(msr));
	return lo | (uint64_t)hi << 32;
}
static inline void wrmsr(uint32_t msr, uint64_t val)
{
	__asm__ volatile("wrmsr" :: "c"(msr), "a"((uint32_t)val), "d"((uint32_t)(val >> 32)) : "memory");
}
static inline void cpuid(uint32_t leaf, uint32_t sub, uint32_t r[4])
{
	__asm__ volatile("cpuid" : "=a"(r[0]), "=b"(r[1]), "=c"(r[2]), "=d"(r[3]) : "0"(leaf), "2"(sub));
}
static inline void irqs_on(void) { __asm__ volatile("sti" ::: "memory"); }
static inline void irqs_off(void) { __asm__ volatile("cli" ::: "memory"); }
static inline void sti_hlt(void) { __asm__ volatile("sti; hlt; cli" ::: "memory"); }
static inline uint64_t rdtsc(void)
{
	uint32_t a, d;
	__asm__ volatile("rdtsc" : "=a"(a), "=d"(d));
	return a | (uint64_t)d << 32;
}
#define X2APIC(reg) (0x800u + (reg))
#endif
