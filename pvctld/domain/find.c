/* SPDX-License-Identifier: MIT */
#include "pvctld/core/daemon.h"
#include "pvctld/domain/domains.h"
#include <string.h>

struct dom *dom_find(struct daemon *d, uint32_t domid)
{
	list_for(p, &d->domains)
		if (list_entry(p, struct dom, link)->domid == domid)
			return list_entry(p, struct dom, link);
	return NULL;
}

struct dom *dom_by_name(struct daemon *d, const char *name)
{
	list_for(p, &d->domains)
		if (!strcmp(list_entry(p, struct dom, link)->name, name))
			return list_entry(p, struct dom, link);
	return NULL;
}

unsigned int dom_count(struct daemon *d)
{
	unsigned int n = 0;

	list_for(p, &d->domains)
		n++;
	return n;
}

unsigned int dom_count_live(struct daemon *d)
{
	unsigned int n = 0;

	list_for(p, &d->domains)
		n += !list_entry(p, struct dom, link)->dying;
	return n;
}
