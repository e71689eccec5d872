/* SPDX-License-Identifier: MIT */
#include "x86/irq.h"
#include "lib/errno.h"
#include "x86/cpu_info.h"
#include "x86/debug.h"
#include "x86/lapic.h"
#include "x86/printk.h"

static irq_handler handlers[256];
static unsigned int next_vector = IRQ_VECTOR_FIRST;

/* Vectors that guests use as software interrupts keep their gates to themselves. */
static bool vector_reserved(unsigned int v)
{
	return v == 0x80 || v == 0x81 || v == 0x82;
}

int irq_register(irq_handler fn)
{
	while (next_vector < IRQ_VECTOR_SPURIOUS && vector_reserved(next_vector))
		next_vector++;
	if (next_vector >= IRQ_VECTOR_SPURIOUS)
		return -ENOSPC;
	handlers[next_vector] = fn;
	return (int)next_vector++;
}

void irq_dispatch(unsigned int vector)
{
	struct cpu_info *ci = get_cpu_info();

	if (vector == IRQ_VECTOR_SPURIOUS)
		return;
	longest_irqs_off();
	ci->in_irq++;
	if (vector < ARRAY_SIZE(handlers) && handlers[vector])
		handlers[vector]();
	else
		printk("unexpected interrupt vector 0x%x\n", vector);
	lapic_eoi();
	ci->in_irq--;
	longest_irqs_on();
}
