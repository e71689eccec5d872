/* SPDX-License-Identifier: MIT */
/* The guest's copy of where its vCPU's time goes (RUNSTATE_*, sched/runstate.c). */
#include "domain/domain.h"
#include "lib/errno.h"
#include "sched/sched.h"
#include "vtime/vtime.h"
#include "x86/printk.h"

static bool wants_update_flag(const struct vcpu *v)
{
	return READ_ONCE(v->domain->pv.vm_assist) & (1UL << VMASST_TYPE_runstate_update_flag);
}

/*
 * The state does not change meanwhile: v is what its CPU runs and is about to
 * enter, or the run queue's lock is held. A reader that asked for it sees
 * XEN_RUNSTATE_UPDATE set from before the first changed word until after the
 * last one.
 */
static void write_area(struct vcpu *v)
{
	const struct guest_area *a = &v->vtime.runstate_area;
	const uint32_t entry_off = offsetof(struct vcpu_runstate_info, state_entry_time);
	struct vcpu_runstate_info info = { .state = v->sched.runstate };
	uint64_t entry;

	info.state_entry_time = (uint64_t)(v->sched.runstate_entry + v->domain->time_shift_ns);
	memcpy(info.time, v->sched.runstate_ns, sizeof(info.time));
	entry = info.state_entry_time;
	if (wants_update_flag(v)) {
		info.state_entry_time |= XEN_RUNSTATE_UPDATE;
		guest_area_write(a, entry_off, &info.state_entry_time, sizeof(entry));
		__atomic_thread_fence(__ATOMIC_RELEASE);
	}
	guest_area_write(a, 0, &info, sizeof(info));
	if (info.state_entry_time != entry) {
		__atomic_thread_fence(__ATOMIC_RELEASE);
		guest_area_write(a, entry_off, &entry, sizeof(entry));
	}
}

void vtime_update_runstate_area(struct vcpu *v)
{
	unsigned long flags;

	if (!READ_ONCE(v->vtime.runstate_area.first))
		return;
	flags = spin_lock_irqsave(&v->vtime.area_lock);
	if (v->vtime.runstate_area.first)
		write_area(v);
	spin_unlock_irqrestore(&v->vtime.area_lock, flags);
}

int vtime_register_runstate(struct vcpu *v, uint64_t addr)
{
	int rc = guest_area_register(v, &v->vtime.runstate_area, &v->vtime.runstate_guest, addr, sizeof(struct vcpu_runstate_info));

	if (rc)
		return rc;
	/* After it can be found: v may start or stop at any moment. */
	vcpu_runstate_publish(v);
	return 0;
}
