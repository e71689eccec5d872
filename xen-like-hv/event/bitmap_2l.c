/* SPDX-License-Identifier: MIT */
/* The 2-level ABI: pending and mask bits in shared_info, a selector in vcpu_info. */
#include "event/private.h"
#include "x86/printk.h"

static void select_and_notify(struct domain *d, const struct evtchn *chn)
{
	struct vcpu *v = d->vcpu[READ_ONCE(chn->notify_vcpu)];

	if (!test_and_set_bit(chn->port / BITS_PER_WORD, &v->vcpu_info->evtchn_pending_sel))
		vcpu_mark_events_pending(v);
}

void l2_set_pending(struct domain *d, struct evtchn *chn)
{
	struct shared_info *si = d->shared_info;

	if (unlikely(!si || chn->port >= EVTCHN_2L_NR_CHANNELS))
		return;
	if (!test_and_set_bit(chn->port, si->evtchn_pending)) {
		if (!test_bit(chn->port, si->evtchn_mask))
			select_and_notify(d, chn);
		wake_pollers(d, chn->port);
	}
	/*
	 * A sender need not hold d's lock: d may have gone over to the FIFO ABI since
	 * this way was chosen, and have looked at the bit before it was set.
	 */
	if (unlikely(__atomic_load_n(&d->evtchn->fifo, __ATOMIC_SEQ_CST)))
		fifo_set_pending(d, chn);
}

void l2_clear_pending(struct domain *d, uint32_t port)
{
	if (d->shared_info && port < EVTCHN_2L_NR_CHANNELS)
		test_and_clear_bit(port, d->shared_info->evtchn_pending);
}

void l2_unmask(struct domain *d, struct evtchn *chn)
{
	struct shared_info *si = d->shared_info;

	if (!si || chn->port >= EVTCHN_2L_NR_CHANNELS)
		return;
	if (test_and_clear_bit(chn->port, si->evtchn_mask) && test_bit(chn->port, si->evtchn_pending))
		select_and_notify(d, chn);
}

bool l2_is_pending(struct domain *d, uint32_t port)
{
	return d->shared_info && port < EVTCHN_2L_NR_CHANNELS && test_bit(port, d->shared_info->evtchn_pending);
}

void l2_reset(struct domain *d)
{
	struct vcpu *v;
	unsigned int i;

	if (d->shared_info)
		memset(d->shared_info->evtchn_pending, 0, sizeof(d->shared_info->evtchn_pending));
	for_each_vcpu(d, v, i)
		__atomic_store_n(&v->vcpu_info->evtchn_pending_sel, 0, __ATOMIC_SEQ_CST);
}
