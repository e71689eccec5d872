/* SPDX-License-Identifier: MIT */
#include "domain/uaccess.h"
#include "lib/errno.h"
#include "pv/bounce.h"
#include <xen/callback.h>
#include <xen/nmi.h>

/* The older way to CALLBACKTYPE_nmi. */
long do_nmi_op(unsigned long cmd, unsigned long arg)
{
	struct xennmi_callback cb;

	if (is_host_domain(current->domain))
		return -EPERM;
	switch (cmd) {
	case XENNMI_register_callback:
		if (copy_from_guest(&cb, arg, 1))
			return -EFAULT;
		return pv_register_callback(CALLBACKTYPE_nmi, 0, cb.handler_address);
	case XENNMI_unregister_callback:
		return pv_register_callback(CALLBACKTYPE_nmi, 0, 0);
	}
	return -ENOSYS;
}
