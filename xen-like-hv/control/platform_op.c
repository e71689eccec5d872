/* SPDX-License-Identifier: MIT */
/* The machine's own matters, domain 0's alone; and the PMU, which nobody gets. */
#include "control/hypercall.h"
#include "domain/uaccess.h"
#include "lib/errno.h"
#include "vtime/vtime.h"
#include <xen/platform.h>

#define NS_PER_SEC 1000000000u

static long set_time(uint64_t sec, uint32_t nsec, uint64_t system_time)
{
	if (nsec >= NS_PER_SEC || sec > UINT64_MAX / NS_PER_SEC / 2 || (s_time_t)system_time < 0)
		return -EINVAL;
	wallclock_set(sec * NS_PER_SEC + nsec, (s_time_t)system_time);
	return 0;
}

long do_platform_op(unsigned long arg)
{
	struct xen_platform_op op;

	if (!is_host_domain(current->domain))
		return -EPERM;
	if (copy_from_guest(&op, arg, 1))
		return -EFAULT;
	if (op.interface_version != XENPF_INTERFACE_VERSION)
		return -EACCES;
	switch (op.cmd) {
	case XENPF_settime32:
		return set_time(op.u.settime32.secs, op.u.settime32.nsecs, op.u.settime32.system_time);
	case XENPF_settime64:
		if (op.u.settime64.mbz)
			return -EINVAL;
		return set_time(op.u.settime64.secs, op.u.settime64.nsecs, op.u.settime64.system_time);
	}
	return -ENOSYS;
}

long do_xenpmu_op(unsigned long op, unsigned long arg)
{
	return -EOPNOTSUPP;
}
