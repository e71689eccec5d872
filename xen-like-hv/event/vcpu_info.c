/* SPDX-License-Identifier: MIT */
/* VCPUOP_register_vcpu_info: a vCPU's vcpu_info moves from shared_info to a page of the guest. */
#include "domain/dirty_log.h"
#include "event/poll.h"
#include "event/private.h"
#include "lib/errno.h"
#include "mm/frametable.h"
#include "p2m/frame.h"
#include "x86/hooks.h"
#include "x86/printk.h"

/*
 * Under d->hypercall_lock, that of op_down. A vCPU that was sent down may not have
 * heard of it and run on: it uses the old one or the new one, a word at a time
 * (entry/bounce.S), and both are its domain's for as long as it lives. What it puts
 * into the old one is lost, which hurts nobody else; vtime_update() has a lock.
 */
static bool may_move(const struct vcpu *v)
{
	return !v->vcpu_info_page && (v == current || (v->pause_flags & VPF_down));
}

/* Once for each vCPU. The page is taken before the lock: that may wait for other CPUs. */
int vcpu_info_register(struct vcpu *v, uint64_t frame, uint32_t offset)
{
	struct vcpu_info *from, *to;
	struct page_info *pg;
	bool ok;
	int rc;

	if (offset > PAGE_SIZE - sizeof(struct vcpu_info) || offset % _Alignof(struct vcpu_info))
		return -EINVAL;
	if (!may_move(v))
		return -EINVAL;
	rc = guest_frame_get(v->domain, frame, true, &pg);
	if (rc)
		return rc;
	to = (void *)((char *)page_to_virt(pg) + offset);
	spin_lock(&v->domain->hypercall_lock);
	ok = may_move(v);
	if (ok) {
		from = v->vcpu_info;
		memcpy(to, from, sizeof(*to));
		v->vcpu_info_page = pg;
		page_written(v->domain, pg);
		__atomic_store_n(&v->vcpu_info, to, __ATOMIC_SEQ_CST);
	}
	spin_unlock(&v->domain->hypercall_lock);
	if (!ok) {
		put_page_and_type(pg);
		return -EINVAL;
	}
	vtime_update(v, true);
	evtchn_vcpu_info_moved(v);
	return 0;
}
