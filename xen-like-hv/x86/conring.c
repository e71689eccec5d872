/* SPDX-License-Identifier: MIT */
#include "x86/conring.h"
#include "x86/printk.h"
#include "x86/spinlock.h"

/* Page aligned, physically contiguous: the host maps it. */
char conring[CONRING_SIZE] __aligned(4096) __section(".bss.lazy");
volatile uint64_t conring_prod;
static uint64_t conring_start;
static spinlock_t conring_lock = SPINLOCK_INIT;
static bool lock_busted;

void (*conring_serial)(const char *s, size_t n);
void (*conring_notify)(void);
bool conring_always_serial;

static unsigned long lock(void)
{
	return lock_busted ? irq_save() : spin_lock_irqsave(&conring_lock);
}

static void unlock(unsigned long flags)
{
	if (lock_busted)
		irq_restore(flags);
	else
		spin_unlock_irqrestore(&conring_lock, flags);
}

void conring_bust_lock(void)
{
	lock_busted = true;
}

static uint64_t oldest(void)
{
	uint64_t lost = conring_prod > CONRING_SIZE ? conring_prod - CONRING_SIZE : 0;

	return max(lost, conring_start);
}

uint64_t conring_oldest(void)
{
	return oldest();
}

void conring_set_serial(void (*fn)(const char *s, size_t n))
{
	unsigned long flags = lock();

	conring_serial = fn;
	unlock(flags);
}

void conring_write(const char *s, size_t n)
{
	unsigned long flags = lock();
	uint64_t prod = conring_prod;

	for (size_t i = 0; i < n; i++)
		conring[prod++ & (CONRING_SIZE - 1)] = s[i];
	barrier(); /* the bytes before the count: x86 keeps stores in order */
	conring_prod = prod;
	if (conring_serial)
		conring_serial(s, n);
	if (conring_notify)
		conring_notify();
	unlock(flags);
}

size_t conring_read(char *dst, size_t n, uint64_t *pos)
{
	unsigned long flags = lock();
	size_t i;

	if (*pos < oldest() || *pos > conring_prod)
		*pos = oldest();
	for (i = 0; i < n && *pos < conring_prod; i++)
		dst[i] = conring[(*pos)++ & (CONRING_SIZE - 1)];
	unlock(flags);
	return i;
}

void conring_clear(void)
{
	unsigned long flags = lock();

	conring_start = conring_prod;
	unlock(flags);
}
