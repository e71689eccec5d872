/* SPDX-License-Identifier: MIT */
#include "domain/uaccess.h"
#include "grant/grant.h"
#include "lib/errno.h"
#include "pv/mmu.h"
#include <xen/memory.h>

long memory_acquire_resource(unsigned long arg)
{
	struct xen_mem_acquire_resource r;
	xen_pfn_t frame;
	struct domain *d;
	mfn_t m;
	uint32_t i;
	int rc;

	if (!is_host_domain(current->domain))
		return -EPERM;
	if (copy_from_guest(&r, arg, 1))
		return -EFAULT;
	if (r.pad || r.nr_frames > 512 || r.frame > 1u << 20 || r.id > XENMEM_resource_grant_table_id_status)
		return -EINVAL;
	if (r.type != XENMEM_resource_grant_table || r.nr_frames == 0)
		return -EOPNOTSUPP;
	rc = resolve_domain_arg(r.domid, &d);
	if (rc)
		return rc;
	for (i = 0; !rc && i < r.nr_frames; i++) {
		rc = grant_frame_mfn(d, (uint32_t)r.frame + i, r.id == XENMEM_resource_grant_table_id_status, &m);
		if (rc)
			break;
		frame = m.m;
		rc = copy_to_guest(handle_at(r.frame_list, i), &frame, 1);
	}
	/* Whatever it is: a table that is closed answers -ESRCH, too. */
	release_domain_arg(d);
	return rc;
}
