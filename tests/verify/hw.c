/* SPDX-License-Identifier: MIT */
/* The machine of all models: CR3, flush interrupts, the interrupt flag, locks, BUG. */
#include "domain/dirty_log.h"
#include "explore.h"
#include "pv/shadow.h"
#include "x86/printk.h"
#include "hw_model.h"
#include "x86/processor.h"
#include "x86/smp.h"
#include "x86/spinlock.h"
#include "hw.h"

struct cpu_info model_cpu_info[NR_CPUS];
uint64_t cpu_online_map;
uint64_t hw_cr3[NR_CPUS];
int ipi_tlb_vector = 1, ipi_event_vector = 2, ipi_stop_vector = 3;
static uint8_t ipi_sent[NR_CPUS];

void bug_at(const char *file, int line, const char *expr) { verify_fail("BUG at %s:%d: %s", file, line, expr); }

/* A write of CR3 and a flush: in one moment, with all earlier stores in memory. */
void hw_load_cr3(uint64_t cr3)
{
	verify_atomic_begin();
	verify_serialize();
	hw_cr3[verify_cpu()] = cr3;
	model_tlb_emptied(verify_cpu());
	verify_atomic_end();
}

void hw_invlpg(uint64_t va) { verify_serialize(); }
uint64_t read_cr3(void) { return hw_cr3[verify_cpu()]; }
uint64_t read_rflags(void)
{
	bool on = verify_irq_set(true);

	verify_irq_set(on);
	return on ? RFLAGS_IF : 0;
}

unsigned long irq_save(void) { return verify_irq_set(false); }
void irq_restore(unsigned long f) { verify_irq_set(f); }
void irq_enable(void) { verify_irq_set(true); }
void irq_disable(void) { verify_irq_set(false); }

void smp_send_ipi_mask(cpumask_t mask, int vector)
{
	verify_atomic_begin();
	verify_serialize(); /* a store to the LAPIC */
	for (unsigned int i = 0; i < NR_CPUS; i++)
		if (mask >> i & 1)
			ipi_sent[i] |= (uint8_t)(1u << vector);
	verify_atomic_end();
}

bool verify_irq_pending(unsigned int cpu) { return ipi_sent[cpu] != 0; }
void verify_irq(void)
{
	unsigned int cpu = verify_cpu();
	uint8_t was;

	verify_atomic_begin();
	was = ipi_sent[cpu];
	ipi_sent[cpu] = 0;
	verify_atomic_end();
	if (was & 1u << ipi_tlb_vector)
		tlb_flush_ipi();
	if (was & 1u << HW_RENDEZVOUS_VECTOR)
		hw_rendezvous_irq();
	if (was & 1u << ipi_event_vector)
		model_event_irq();
}

static bool lock_free(void *l) { return ((spinlock_t *)l)->holder == 0; }
void spin_lock(spinlock_t *l)
{
	verify_atomic_begin();
	if (l->holder)
		verify_wait(lock_free, l);
	l->holder = verify_cpu() + 1;
	verify_lock(l, true);
	verify_serialize();
	verify_atomic_end();
}
bool spin_trylock(spinlock_t *l)
{
	bool ok;

	verify_atomic_begin();
	ok = !l->holder;
	if (ok) {
		l->holder = verify_cpu() + 1;
		verify_lock(l, true);
	}
	verify_serialize();
	verify_atomic_end();
	return ok;
}
/*
 * A plain store on x86: without --tso in effect it is just that; with it, stores
 * before it are in memory first, as the buffer is in order.
 */
void spin_unlock(spinlock_t *l)
{
	VERIFY(l->holder == verify_cpu() + 1, "a lock that is not held is released");
	verify_lock(l, false);
	__atomic_store_n(&l->holder, 0, __ATOMIC_RELEASE);
}
unsigned long spin_lock_irqsave(spinlock_t *l)
{
	unsigned long f = irq_save();

	spin_lock(l);
	return f;
}
void spin_unlock_irqrestore(spinlock_t *l, unsigned long f)
{
	spin_unlock(l);
	irq_restore(f);
}

/* --- the log of writes is off: tables are what the CPUs walk --- */

void dirty_log_mark(struct dirty_log *l, struct page_info *pg) { }
void page_written_known(struct page_info *pg) { }
void shadow_table_gone(struct page_info *table) { }
void shadow_l1_changed(struct domain *d, struct page_info *table, unsigned int slot) { }
void shadow_upper_changed(struct domain *d, struct page_info *table, unsigned int slot) { }
uint64_t shadow_root_entry(struct domain *d, const struct page_info *l4, uint64_t e) { return e; }
void shadow_root_group(struct domain *d, const struct page_info *l4, uint64_t *dst, const uint64_t *src) { }
