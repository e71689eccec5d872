/* SPDX-License-Identifier: MIT */
/*
 * How a domain ends. domain_kill takes away, in slices, all that the domain
 * holds of others and of its own memory; what is left is a zombie that lives
 * until nobody maps its pages or refers to it any more, and domain_free then
 * gives the object itself back.
 */
#include "control/private.h"
#include "domain/dirty_log.h"
#include "event/evtchn.h"
#include "grant/grant.h"
#include "hvm/hvm.h"
#include "mm/heap.h"
#include "mm/page_alloc.h"
#include "p2m/p2m.h"
#include "pv/cpu_policy.h"
#include "pv/mmu.h"
#include "pv/trap.h"
#include "sched/sched.h"
#include "vtime/vtime.h"

/* d->relinquish_state: how far domain_kill got */
enum {
	KILL_start,
	KILL_vcpus,
	KILL_events,
	KILL_mappings,
	KILL_memory,
	KILL_shared,
	KILL_done
};

void domain_drop_shared_info(struct domain *d)
{
	struct vcpu *v;
	unsigned int i;

	for_each_vcpu(d, v, i) {
		v->vcpu_info = vcpu_info_nowhere();
		if (v->vcpu_info_page != NULL) {
			put_page_and_type(v->vcpu_info_page);
			v->vcpu_info_page = NULL;
		}
	}
	if (d->shared_info != NULL) {
		void *page = d->shared_info;

		d->shared_info = NULL;
		unshare_hv_page(page);
	}
}

/* All are off their CPUs for good: no timer may fire for them, no event reach them. */
static void stop_vcpus(struct domain *d)
{
	struct vcpu *v;
	unsigned int i;

	for_each_vcpu(d, v, i) {
		d->retired_run_ns += vcpu_run_time(v);
		vtime_destroy_vcpu(v);
		if (v->hvm)
			hvm_stop_vcpu(v);
		v->mc.active = false;
	}
	watchdog_destroy(d);
}

int domain_kill(struct domain *d)
{
	int ret;

	if (d->is_idle || is_host_domain(d))
		return -EINVAL;
	if (d->is_dying == DOMDYING_dead)
		return 0;
	switch (d->relinquish_state) {
	case KILL_start:
		d->is_dying = DOMDYING_dying;
		domain_pause(d); /* never undone */
		(void)claim_pages(&d->claim, 0);
		d->relinquish_state = KILL_vcpus;
		/* fall through */
	case KILL_vcpus:
		ret = log_off(d);
		if (ret != 0)
			return ret;
		stop_vcpus(d);
		d->relinquish_state = KILL_events;
		/* fall through */
	case KILL_events:
		ret = d->evtchn != NULL ? evtchn_destroy(d) : 0;
		if (ret != 0)
			return ret;
		d->relinquish_state = KILL_mappings;
		/* fall through */
	case KILL_mappings:
		ret = grant_release_mappings(d);
		if (ret != 0)
			return ret;
		d->relinquish_state = KILL_memory;
		/* fall through */
	case KILL_memory:
		ret = p2m_relinquish(d);
		if (ret == 0)
			ret = pv_relinquish_memory(d);
		if (ret != 0)
			return ret;
		d->relinquish_state = KILL_shared;
		/* fall through */
	case KILL_shared:
		grant_close(d);
		domain_drop_shared_info(d);
		d->relinquish_state = KILL_done;
		break;
	default:
		BUG();
	}
	WRITE_ONCE(d->is_dying, DOMDYING_dead);
	/* No VIRQ_DOM_EXC: domain 0 asked for this, and looks at all domains for each. */
	put_domain(d); /* domain_create's */
	return 0;
}

void domain_free(struct domain *d)
{
	struct vcpu *v;
	unsigned int i;

	BUG_ON(d->is_dying != DOMDYING_dead);
	domain_list_remove(d);
	for_each_vcpu(d, v, i) {
		sched_destroy_vcpu(v);
		if (d->is_hvm)
			hvm_destroy_vcpu(v);
		else
			pv_destroy_vcpu(v);
		d->vcpu[i] = NULL;
		xfree(v);
	}
	if (d->evtchn != NULL)
		evtchn_free(d);
	grant_destroy(d);
	p2m_destroy(d);
	hvm_free_domain(d);
	xfree(d->memory_map);
	dirty_log_free(d);
	cpu_policy_free(d);
	xfree(d);
}
