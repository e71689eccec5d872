/* SPDX-License-Identifier: MIT */
/* The wall clock in each domain's shared_info: the time of day at system time 0. */
#include "domain/domain.h"
#include "vtime/vtime.h"

#define NS_PER_SEC 1000000000ULL

static spinlock_t wc_lock = SPINLOCK_INIT;
static uint64_t boot_epoch_ns; /* wall clock when NOW() was 0 */

void wallclock_init(uint64_t epoch_ns)
{
	boot_epoch_ns = epoch_ns - (uint64_t)NOW();
}

void wallclock_update(struct domain *d)
{
	struct shared_info *si = d->shared_info;
	uint64_t ns, sec;
	uint32_t version;

	if (!si)
		return;
	spin_lock(&wc_lock);
	ns = boot_epoch_ns - (uint64_t)d->time_shift_ns + (uint64_t)d->time_offset_sec * NS_PER_SEC;
	d->wc_base_ns = ns;
	sec = ns / NS_PER_SEC;
	version = (READ_ONCE(si->wc_version) | 1u) + 2u;
	WRITE_ONCE(si->wc_version, version);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	si->wc_sec = (uint32_t)sec;
	si->wc_sec_hi = (uint32_t)(sec >> 32);
	si->wc_nsec = (uint32_t)(ns % NS_PER_SEC);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	WRITE_ONCE(si->wc_version, version + 1u);
	spin_unlock(&wc_lock);
}

void wallclock_set(uint64_t epoch_ns, s_time_t at_ns)
{
	struct domain *d;

	WRITE_ONCE(boot_epoch_ns, epoch_ns - (uint64_t)at_ns);
	spin_lock(&domlist_lock);
	for (d = domain_first(); d != NULL; d = d->next)
		wallclock_update(d);
	spin_unlock(&domlist_lock);
}
