/* SPDX-License-Identifier: MIT */
/* Where a guest kernel wants its events, system calls and failed irets. */
#include "domain/uaccess.h"
#include "lib/errno.h"
#include "pv/bounce.h"
#include <xen/callback.h>

int pv_register_callback(unsigned int type, unsigned int flags, uint64_t address)
{
	struct vcpu *v = current;
	uint8_t mask = flags & CALLBACKF_mask_events ? 1 : 0;

	if (!is_canonical(address))
		return -EINVAL;
	switch (type) {
	case CALLBACKTYPE_event:
		v->pv.event_cb = address;
		break;
	case CALLBACKTYPE_failsafe:
		v->pv.failsafe_cb = address;
		v->pv.failsafe_mask_events = mask;
		break;
	case CALLBACKTYPE_syscall:
		v->pv.syscall_cb = address;
		v->pv.syscall_mask_events = mask;
		break;
	case CALLBACKTYPE_syscall32:
		v->pv.syscall32_cb = address;
		v->pv.syscall32_mask_events = mask;
		break;
	case CALLBACKTYPE_sysenter:
		v->pv.sysenter_cb = address;
		v->pv.sysenter_mask_events = mask;
		break;
	case CALLBACKTYPE_nmi:
		/* The trap table's entry for vector 2 is the same thing. */
		v->pv.nmi_cb = address;
		v->pv.traps[TRAP_nmi] = (struct trap_info){ .vector = TRAP_nmi, .cs = FLAT_KERNEL_CS, .address = address };
		break;
	default:
		return -ENOSYS;
	}
	pv_update_fast_paths();
	return 0;
}

/* The others have no "none" that a guest could go on with. */
static int unregister_callback(unsigned int type)
{
	if (type != CALLBACKTYPE_nmi)
		return -EINVAL;
	return pv_register_callback(CALLBACKTYPE_nmi, 0, 0);
}

long do_callback_op(unsigned long cmd, unsigned long arg)
{
	struct callback_register r;
	struct callback_unregister u;

	if (is_host_domain(current->domain))
		return -EPERM;
	switch (cmd) {
	case CALLBACKOP_register:
		if (copy_from_guest(&r, arg, 1))
			return -EFAULT;
		return pv_register_callback(r.type, r.flags, r.address);
	case CALLBACKOP_unregister:
		if (copy_from_guest(&u, arg, 1))
			return -EFAULT;
		return unregister_callback(u.type);
	}
	return -ENOSYS;
}

long do_set_callbacks(unsigned long event, unsigned long failsafe, unsigned long syscall)
{
	if (is_host_domain(current->domain))
		return -EPERM;
	if (!is_canonical(event) || !is_canonical(failsafe) || !is_canonical(syscall))
		return -EINVAL;
	pv_register_callback(CALLBACKTYPE_event, 0, event);
	pv_register_callback(CALLBACKTYPE_failsafe, 0, failsafe);
	pv_register_callback(CALLBACKTYPE_syscall, 0, syscall);
	return 0;
}
