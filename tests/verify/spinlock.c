/* SPDX-License-Identifier: MIT */
/* x86/spinlock.c as it is: one holder at a time, and everybody's turn comes. */
#include "explore.h"
#include "x86/spinlock.h"

static spinlock_t lock = SPINLOCK_INIT;
static uint64_t inside, counted, rounds;
static bool with_try;

const char *verify_access(uintptr_t addr, size_t size, bool write) { return NULL; }
bool verify_irq_pending(unsigned int cpu) { return false; }
void verify_irq(void) { }
void verify_settle(void) { }

static void cpu_main(unsigned int cpu)
{
	uint64_t i;

	for (i = 0; i < rounds; i++) {
		if (with_try && cpu == 0) {
			if (!spin_trylock(&lock))
				continue;
		} else {
			spin_lock(&lock);
		}
		WRITE_ONCE(inside, READ_ONCE(inside) + 1);
		VERIFY(READ_ONCE(inside) == 1, "two CPUs hold the lock");
		WRITE_ONCE(counted, READ_ONCE(counted) + 1);
		WRITE_ONCE(inside, READ_ONCE(inside) - 1);
		spin_unlock(&lock);
	}
}

static const char *final(void)
{
	if (spin_is_locked(&lock))
		return "the lock is held by nobody";
	return !with_try && counted != 3 * rounds ? "an increment under the lock was lost" : NULL;
}

static void setup(void) { rounds = 2; }
static void setup_try(void)
{
	rounds = 2;
	with_try = true;
}

const struct verify_scenario verify_scenarios[] = {
	{ "lock", "one CPU holds the lock, and all get it: 3 CPUs, twice each", setup, 3, cpu_main, NULL, final },
	{ "try", "the same with spin_trylock by one of them", setup_try, 3, cpu_main, NULL, final },
	{ NULL, NULL, NULL, 0, NULL, NULL, NULL },
};
