/* SPDX-License-Identifier: MIT */
#include "control/hypercall.h"
#include "control/private.h"
#include "grant/grant.h"
#include "lib/errno.h"
#include "pv/reservation.h"
#include <xen/memory.h>

long do_memory_op(unsigned long cmd, unsigned long arg)
{
	unsigned int op = cmd & ((1u << MEMOP_EXTENT_SHIFT) - 1);
	uint64_t start = cmd >> MEMOP_EXTENT_SHIFT;

	switch (op) {
	case XENMEM_increase_reservation:
	case XENMEM_populate_physmap:
		return memory_populate(op, start, arg);
	case XENMEM_decrease_reservation:
		return memory_decrease(start, arg);
	case XENMEM_exchange:
		return memory_exchange(start, arg);
	case XENMEM_claim_pages:
		return memory_claim(arg);
	case XENMEM_add_to_physmap:
	case XENMEM_add_to_physmap_batch:
	case XENMEM_remove_from_physmap:
		return memory_physmap(op, start, arg);
	case XENMEM_acquire_resource:
		return memory_acquire_resource(arg);
	default:
		return start ? -ENOSYS : memory_query(op, arg);
	}
}
