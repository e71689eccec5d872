/* SPDX-License-Identifier: MIT */
#include "pvctld/core/daemon.h"
#include "pvctld/domain/domains.h"
#include <string.h>

static struct dom **chain(struct daemon *d, uint32_t domid)
{
	return &d->dom_hash[domid % DOM_HASH];
}

void dom_enlist(struct dom *dom)
{
	struct dom **p = chain(dom->d, dom->domid);

	dom->hash_next = *p;
	*p = dom;
	list_add_tail(&dom->d->domains, &dom->link);
	dom->d->nr_domains++;
}

void dom_delist(struct dom *dom)
{
	struct dom **p = chain(dom->d, dom->domid);

	while (*p != dom)
		p = &(*p)->hash_next;
	*p = dom->hash_next;
	list_del(&dom->link);
	dom->d->nr_domains--;
}

struct dom *dom_find(struct daemon *d, uint32_t domid)
{
	struct dom *dom = *chain(d, domid);

	while (dom && dom->domid != domid)
		dom = dom->hash_next;
	return dom;
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
	return d->nr_domains;
}

unsigned int dom_count_live(struct daemon *d)
{
	unsigned int n = 0;

	list_for(p, &d->domains)
		n += !list_entry(p, struct dom, link)->dying;
	return n;
}
