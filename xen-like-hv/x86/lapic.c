/* SPDX-License-Identifier: MIT */
#include "x86/lapic.h"
#include "lib/errno.h"
#include "x86/irq.h"
#include "x86/msr.h"
#include "x86/page.h"
#include "x86/printk.h"
#include "x86/processor.h"
#include "x86/softirq.h"
#include "x86/spinlock.h"
#include "x86/tsc.h"

#define REG_ID        0x020
#define REG_TPR       0x080
#define REG_EOI       0x0b0
#define REG_SVR       0x0f0
#define REG_ESR       0x280
#define REG_ICR_LOW   0x300
#define REG_ICR_HIGH  0x310
#define REG_LVT_TIMER 0x320
#define REG_LVT_LINT0 0x350
#define REG_LVT_LINT1 0x360
#define REG_LVT_ERROR 0x370
#define REG_TIMER_INIT 0x380
#define REG_TIMER_CUR 0x390
#define REG_TIMER_DIV 0x3e0

#define SVR_ENABLE 0x100u
#define LVT_MASKED 0x10000u
#define ICR_BUSY 0x1000u
#define DIV_BY_1 0xbu

uint32_t lapic_timer_khz;
static volatile uint32_t *regs; /* xAPIC; NULL: x2APIC */
static int timer_vector;

static uint32_t reg_read(uint32_t reg)
{
	return regs ? regs[reg / 4] : (uint32_t)rdmsr(MSR_X2APIC_FIRST + (reg >> 4));
}

static void reg_write(uint32_t reg, uint32_t val)
{
	if (regs)
		regs[reg / 4] = val;
	else
		wrmsr(MSR_X2APIC_FIRST + (reg >> 4), val);
}

void lapic_eoi(void)
{
	reg_write(REG_EOI, 0);
}

uint32_t lapic_id(void)
{
	return regs ? reg_read(REG_ID) >> 24 : reg_read(REG_ID);
}

void lapic_send_ipi(uint32_t apic_id, uint32_t icr)
{
	unsigned long flags = irq_save(); /* the two halves of the register belong together */

	if (regs) {
		while (reg_read(REG_ICR_LOW) & ICR_BUSY)
			cpu_relax();
		reg_write(REG_ICR_HIGH, apic_id << 24);
		reg_write(REG_ICR_LOW, icr);
	} else {
		__asm__ volatile("mfence; lfence" ::: "memory"); /* the x2APIC write is not ordered */
		wrmsr(MSR_X2APIC_FIRST + (REG_ICR_LOW >> 4), (uint64_t)apic_id << 32 | icr);
	}
	irq_restore(flags);
}

static void timer_irq(void)
{
	softirq_raise(TIMER_SOFTIRQ);
}

/* The two 8259s would interrupt with vectors of their own. */
static void pic_disable(void)
{
	outb(0x21, 0xff);
	outb(0xa1, 0xff);
}

void lapic_init_cpu(void)
{
	uint64_t base = rdmsr(MSR_APIC_BASE) | APIC_BASE_ENABLE;

	wrmsr(MSR_APIC_BASE, base);
	if (!regs)
		wrmsr(MSR_APIC_BASE, base | APIC_BASE_X2APIC);
	reg_write(REG_TPR, 0);
	reg_write(REG_SVR, SVR_ENABLE | IRQ_VECTOR_SPURIOUS);
	reg_write(REG_LVT_LINT0, LVT_MASKED);
	reg_write(REG_LVT_LINT1, LVT_MASKED);
	reg_write(REG_LVT_ERROR, LVT_MASKED);
	reg_write(REG_TIMER_DIV, DIV_BY_1);
	reg_write(REG_TIMER_INIT, 0);
	reg_write(REG_LVT_TIMER, timer_vector ? (uint32_t)timer_vector : LVT_MASKED); /* one-shot */
}

paddr_t lapic_registers(void)
{
	return cpu_features.x2apic ? 0 : rdmsr(MSR_APIC_BASE) & PTE_MFN_MASK;
}

void lapic_init(volatile uint32_t *mapped)
{
	pic_disable();
	regs = mapped;
	lapic_init_cpu();
}

void lapic_timer_init(void)
{
	timer_vector = irq_register(timer_irq);
	if (timer_vector < 0)
		panic("no vector for the timer\n");
	lapic_init_cpu();
}

void lapic_count_start(void)
{
	reg_write(REG_LVT_TIMER, LVT_MASKED);
	reg_write(REG_TIMER_INIT, ~0u);
}

uint32_t lapic_count_elapsed(void)
{
	return ~0u - reg_read(REG_TIMER_CUR);
}

void lapic_timer_set(s_time_t expires)
{
	s_time_t delta;
	uint64_t ticks;

	if (!expires) {
		reg_write(REG_TIMER_INIT, 0);
		return;
	}
	delta = expires - NOW();
	if (delta < 0)
		delta = 0;
	/* A far expiry fires early: the softirq then arms the rest. */
	if (delta > MILLISECS(1000))
		delta = MILLISECS(1000);
	ticks = (uint64_t)delta * lapic_timer_khz / 1000000;
	reg_write(REG_TIMER_INIT, ticks < 1 ? 1 : ticks > ~0u ? ~0u : (uint32_t)ticks);
}
