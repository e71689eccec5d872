/* SPDX-License-Identifier: MIT */
/* VCPUOP_register_vcpu_info: a vCPU's vcpu_info moves from shared_info to a page of the guest. */
#include "event/poll.h"
#include "event/private.h"
#include "lib/errno.h"
#include "mm/frametable.h"
#include "pv/mmu.h"
#include "x86/hooks.h"
#include "x86/printk.h"

/* Under d->hypercall_lock; v is current or down. Once for each vCPU. */
int vcpu_info_register(struct vcpu *v, uint64_t frame, uint32_t offset)
{
	struct vcpu_info *from = v->vcpu_info, *to;
	struct page_info *pg;
	int rc;

	if (v->vcpu_info_page || offset > PAGE_SIZE - sizeof(struct vcpu_info) || offset % _Alignof(struct vcpu_info))
		return -EINVAL;
	if (v != current && !(v->pause_flags & VPF_down))
		return -EINVAL;
	if (!mfn_valid(mfn(frame)))
		return -EINVAL;
	pg = mfn_to_page(mfn(frame));
	rc = get_page_and_type(pg, v->domain, PGT_writable);
	if (rc)
		return rc;
	to = (void *)((char *)page_to_virt(pg) + offset);
	memcpy(to, from, sizeof(*to));
	v->vcpu_info_page = pg;
	__atomic_store_n(&v->vcpu_info, to, __ATOMIC_SEQ_CST);
	vtime_update(v, true);
	evtchn_vcpu_info_moved(v);
	return 0;
}
