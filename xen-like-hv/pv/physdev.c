/* SPDX-License-Identifier: MIT */
/* physdev_op: no guest has a device here; what is left is the virtual I/O privilege. */
#include "domain/uaccess.h"
#include "lib/errno.h"
#include "pv/bounce.h"
#include <xen/physdev.h>

#define IO_PORTS 65536u

static long set_iopl(struct vcpu *v, unsigned long arg)
{
	struct physdev_set_iopl op;

	if (copy_from_guest(&op, arg, 1))
		return -EFAULT;
	if (op.iopl > 3)
		return -EINVAL;
	v->pv.iopl = (uint8_t)op.iopl;
	return 0;
}

static long set_iobitmap(struct vcpu *v, unsigned long arg)
{
	struct physdev_set_iobitmap op;

	if (copy_from_guest(&op, arg, 1))
		return -EFAULT;
	if (op.nr_ports > IO_PORTS || !guest_range_ok(handle_addr(op.bitmap), (op.nr_ports + 7) / 8 + 1))
		return -EINVAL;
	v->pv.iobmp = handle_addr(op.bitmap);
	v->pv.iobmp_nr = op.nr_ports;
	return 0;
}

long do_physdev_op(unsigned long cmd, unsigned long arg)
{
	struct vcpu *v = current;

	if (is_host_domain(v->domain))
		return -ENOSYS;
	switch (cmd) {
	case PHYSDEVOP_set_iopl:
		return set_iopl(v, arg);
	case PHYSDEVOP_set_iobitmap:
		return set_iobitmap(v, arg);
	case PHYSDEVOP_eoi:
	case PHYSDEVOP_irq_status_query:
	case PHYSDEVOP_unmap_pirq:
		return -EINVAL; /* there is no such interrupt */
	case PHYSDEVOP_map_pirq:
	case PHYSDEVOP_get_free_pirq:
	case PHYSDEVOP_apic_read:
	case PHYSDEVOP_apic_write:
	case PHYSDEVOP_alloc_irq_vector:
	case PHYSDEVOP_free_irq_vector:
	case PHYSDEVOP_manage_pci_add:
	case PHYSDEVOP_manage_pci_remove:
	case PHYSDEVOP_manage_pci_add_ext:
	case PHYSDEVOP_pci_device_add:
	case PHYSDEVOP_pci_device_remove:
	case PHYSDEVOP_pci_mmcfg_reserved:
	case PHYSDEVOP_setup_gsi:
	case PHYSDEVOP_restore_msi:
	case PHYSDEVOP_restore_msi_ext:
	case PHYSDEVOP_prepare_msix:
	case PHYSDEVOP_release_msix:
	case PHYSDEVOP_dbgp_op:
		return -EPERM;
	}
	return -ENOSYS;
}
