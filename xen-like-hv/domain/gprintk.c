/* SPDX-License-Identifier: MIT */
#include "domain/domain.h"
#include "x86/printk.h"
#include "x86/tsc.h"

#define GPRINTK_PER_SECOND 20u

/* One budget for all guests: a loud guest costs others their messages, never the log its room. */
static struct {
	spinlock_t lock;
	s_time_t window;
	uint32_t used, dropped;
} limit;

static bool gprintk_allowed(uint32_t *dropped)
{
	unsigned long flags = spin_lock_irqsave(&limit.lock);
	s_time_t now = NOW();
	bool ok;

	*dropped = 0;
	if (now - limit.window >= MILLISECS(1000)) {
		*dropped = limit.dropped;
		limit.window = now;
		limit.used = limit.dropped = 0;
	}
	ok = limit.used < GPRINTK_PER_SECOND;
	if (ok)
		limit.used++;
	else
		limit.dropped++;
	spin_unlock_irqrestore(&limit.lock, flags);
	return ok;
}

void gprintk(const char *fmt, ...)
{
	const struct vcpu *v = current;
	char prefix[24];
	__builtin_va_list ap;
	uint32_t dropped;

	if (!gprintk_allowed(&dropped))
		return;
	if (dropped)
		printk("%u messages about guests were dropped\n", dropped);
	if (v && v->domain)
		snprintf(prefix, sizeof(prefix), "(d%uv%u) ", v->domain->domid, v->vcpu_id);
	else
		snprintf(prefix, sizeof(prefix), "(hv) ");
	__builtin_va_start(ap, fmt);
	vprintk(prefix, fmt, ap);
	__builtin_va_end(ap);
}
