/* SPDX-License-Identifier: MIT */
#include "domain/domain.h"
#include "lib/errno.h"

int resolve_domain_arg(domid_t id, struct domain **ret)
{
	struct domain *d = current->domain;

	if (id != DOMID_SELF && id != d->domid) {
		if (!is_host_domain(d))
			return -EPERM;
		d = get_domain_by_id(id);
		if (!d)
			return -ESRCH;
	}
	*ret = d;
	return 0;
}

void release_domain_arg(struct domain *d)
{
	if (d && d != current->domain)
		put_domain(d);
}
