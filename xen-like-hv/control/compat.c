/* SPDX-License-Identifier: MIT */
/* Hypercalls in the form that kernels of before 2006 use. */
#include "control/hypercall.h"
#include "control/small.h"
#include "domain/uaccess.h"
#include "event/evtchn.h"
#include "lib/errno.h"
#include "pv/trap.h"
#include <xen/event_channel.h>
#include <xen/physdev.h>

/* The handler copies the rest of the block itself, once. */
long do_event_channel_op_compat(unsigned long arg)
{
	uint32_t cmd;

	if (copy_from_guest(&cmd, arg, 1))
		return -EFAULT;
	return do_event_channel_op(cmd, arg + offsetof(struct evtchn_op, u));
}

long do_physdev_op_compat(unsigned long arg)
{
	uint32_t cmd;

	if (copy_from_guest(&cmd, arg, 1))
		return -EFAULT;
	return do_physdev_op(cmd, arg + offsetof(struct physdev_op, u));
}

/* Shutdown takes its reason in place of a pointer. */
long do_sched_op_compat(unsigned long cmd, unsigned long arg)
{
	switch (cmd) {
	case SCHEDOP_yield:
	case SCHEDOP_block:
		return do_sched_op(cmd, 0);
	case SCHEDOP_shutdown:
		if (is_host_domain(current->domain))
			return -ENOSYS;
		if (arg > SHUTDOWN_MAX)
			return -EINVAL;
		domain_shutdown(current->domain, (uint32_t)arg);
		return 0;
	}
	return -ENOSYS;
}
