/* SPDX-License-Identifier: MIT */
/* memory_op: what can be asked. */
#include "domain/uaccess.h"
#include "mm/heap.h"
#include "mm/hv_pagetable.h"
#include "pv/mmu_private.h"
#include "pv/reservation.h"
#include <xen/memory.h>

#define E820_RAM 1u
struct e820_entry {
	uint64_t addr, size;
	uint32_t type;
} __attribute__((packed));

static long query_domain(unsigned int op, unsigned long arg)
{
	struct xen_memory_domain dom;
	struct domain *d;
	uint64_t n;
	int rc;

	if (copy_from_guest(&dom, arg, 1))
		return -EFAULT;
	rc = resolve_domain_arg(dom.domid, &d);
	if (rc)
		return rc;
	switch (op) {
	case XENMEM_current_reservation:
		n = d->tot_pages;
		break;
	case XENMEM_maximum_reservation:
		n = d->max_pages;
		break;
	default:
		if (d->p2m) {
			n = READ_ONCE(d->max_gfn);
			break;
		}
		/* Only the guest knows: its own word for it. */
		n = d->shared_info ? READ_ONCE(d->shared_info->arch.max_pfn) - 1 : 0;
		break;
	}
	release_domain_arg(d);
	return (long)min(n, (uint64_t)INT64_MAX);
}

static long machphys_mapping(unsigned long arg)
{
	/* The size that the ABI sets aside; what lies beyond the RAM is not mapped. */
	struct xen_machphys_mapping m = { .v_start = MACH2PHYS_VIRT_START, .v_end = MACH2PHYS_VIRT_END,
					  .max_mfn = MACH2PHYS_NR_ENTRIES - 1 };

	return copy_to_guest(arg, &m, 1);
}

static long machphys_mfn_list(unsigned long arg)
{
	struct xen_machphys_mfn_list l;
	uint64_t n = m2p_bytes >> 21, i;
	xen_pfn_t frame;

	if (copy_from_guest(&l, arg, 1))
		return -EFAULT;
	for (i = 0; i < n && i < l.max_extents; i++) {
		frame = (m2p_paddr >> PAGE_SHIFT) + i * 512;
		if (copy_to_guest(handle_at(l.extent_start, i), &frame, 1))
			return -EFAULT;
	}
	l.nr_extents = (unsigned int)i;
	return copy_to_guest(arg, &l, 1);
}

#define MAP_ENTRIES 64u

/* Allocated once, so that a guest may read while domain 0 writes: what it gets then is nobody's fault. */
struct memory_map {
	uint32_t nr;
	struct e820_entry entry[MAP_ENTRIES];
};

/* Any number of ranges of any kind: holes, tables, RAM. They mean nothing to us. */
static int tell_map(struct domain *d, const struct xen_memory_map *map)
{
	struct memory_map *m = d->memory_map;

	if (map->nr_entries < 1 || map->nr_entries > MAP_ENTRIES)
		return -EINVAL;
	if (!m) {
		m = xzalloc(struct memory_map);
		if (!m)
			return -ENOMEM;
		/* Whole before the guest can find it. */
		__atomic_store_n(&d->memory_map, m, __ATOMIC_RELEASE);
	}
	if (copy_from_guest(m->entry, handle_addr(map->buffer), map->nr_entries))
		return -EFAULT;
	WRITE_ONCE(m->nr, map->nr_entries);
	return 0;
}

/*
 * What domain 0 has told of it, as far as the guest has room; else one range of all that it may ever have: ballooning up needs
 * page structures for it from the start.
 */
static long memory_map(unsigned long arg)
{
	const struct domain *d = current->domain;
	const struct memory_map *told = READ_ONCE(d->memory_map);
	uint64_t pages = READ_ONCE(d->memmap_pages) ? d->memmap_pages : READ_ONCE(d->max_pages);
	const struct e820_entry ram = { .addr = 0, .size = min(pages, max_page) << PAGE_SHIFT, .type = E820_RAM };
	struct xen_memory_map map;

	if (copy_from_guest(&map, arg, 1))
		return -EFAULT;
	if (map.nr_entries < 1 || !handle_addr(map.buffer))
		return -EINVAL;
	map.nr_entries = min(map.nr_entries, told ? READ_ONCE(told->nr) : 1u);
	if (copy_to_guest(handle_addr(map.buffer), told ? told->entry : &ram, map.nr_entries))
		return -EFAULT;
	return copy_to_guest(arg, &map, 1);
}

/*
 * max_pages is what it may have now; the map goes up to what it may ever have.
 * One range of RAM from 0 is all that a PV domain without hardware can have.
 */
static int set_end(struct domain *d, const struct xen_memory_map *map)
{
	struct e820_entry e;

	if (map->nr_entries != 1)
		return -EINVAL;
	if (copy_from_guest(&e, handle_addr(map->buffer), 1))
		return -EFAULT;
	if (e.addr != 0 || e.type != E820_RAM || e.size < PAGE_SIZE)
		return -EINVAL;
	WRITE_ONCE(d->memmap_pages, e.size >> PAGE_SHIFT);
	return 0;
}

static long set_memory_map(unsigned long arg)
{
	struct xen_foreign_memory_map fmap;
	struct domain *d;
	int rc;

	if (!is_host_domain(current->domain))
		return -EPERM;
	if (copy_from_guest(&fmap, arg, 1))
		return -EFAULT;
	rc = resolve_domain_arg(fmap.domid, &d);
	if (rc)
		return rc;
	if (is_host_domain(d))
		rc = -EINVAL;
	else
		rc = d->p2m ? tell_map(d, &fmap.map) : set_end(d, &fmap.map);
	release_domain_arg(d);
	return rc;
}

long memory_query(unsigned int op, unsigned long arg)
{
	/* Where machine frames are kept is nothing to a domain that knows none. */
	if (current->domain->p2m && (op == XENMEM_machphys_mapping || op == XENMEM_machphys_mfn_list))
		return -ENOSYS;
	switch (op) {
	case XENMEM_maximum_ram_page:
		return (long)(max_page - 1);
	case XENMEM_current_reservation:
	case XENMEM_maximum_reservation:
	case XENMEM_maximum_gpfn:
		return query_domain(op, arg);
	case XENMEM_machphys_mapping:
		return machphys_mapping(arg);
	case XENMEM_machphys_mfn_list:
		return machphys_mfn_list(arg);
	case XENMEM_memory_map:
		return memory_map(arg);
	case XENMEM_set_memory_map:
		return set_memory_map(arg);
	case XENMEM_machine_memory_map:
		return is_host_domain(current->domain) ? -ENOSYS : -EPERM;
	case XENMEM_get_vnumainfo:
		return -EOPNOTSUPP;
	default:
		return -ENOSYS;
	}
}
