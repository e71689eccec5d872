/* SPDX-License-Identifier: MIT */
/* The memory map of a PVH domain: text that its builder wrote, for its kernel to read. Nothing here goes by it. */
#include "domain/uaccess.h"
#include "lib/string.h"
#include "p2m/private.h"

int p2m_map_tell(struct domain *d, uint64_t buffer, unsigned int nr)
{
	struct p2m_range map[P2M_MAP_MAX];
	unsigned int n;

	spin_lock(&d->p2m->lock);
	n = d->p2m->nr_ranges;
	memcpy(map, d->p2m->map, n * sizeof(map[0]));
	spin_unlock(&d->p2m->lock);
	if (!n)
		return -ENOSYS;
	if (nr < n)
		return -EINVAL;
	return copy_to_guest(buffer, map, n) ? -EFAULT : (int)n;
}

int p2m_map_set(struct domain *d, uint64_t buffer, unsigned int nr)
{
	struct p2m_range map[P2M_MAP_MAX];

	if (!nr || nr > P2M_MAP_MAX)
		return -EINVAL;
	if (copy_from_guest(map, buffer, nr))
		return -EFAULT;
	spin_lock(&d->p2m->lock);
	memcpy(d->p2m->map, map, nr * sizeof(map[0]));
	d->p2m->nr_ranges = nr;
	spin_unlock(&d->p2m->lock);
	return 0;
}
