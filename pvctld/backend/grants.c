/* SPDX-License-Identifier: MIT */
#include "pvctld/backend/grants.h"
#include "pvctld/base/log.h"
#include "pvctld/core/daemon.h"
#include "pvctld/state/die.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <xen/xen.h>
#include <xen/grant_table.h>

#define MAP_BATCH 128u

static int map_batch(struct daemon *d, struct gnttab_map_grant_ref *ops, unsigned int n)
{
	int64_t rc = mbox_call(&d->mbox, __HYPERVISOR_grant_table_op, GNTTABOP_map_grant_ref, 0, n, 1, ops,
			       n * sizeof(*ops));

	die_point("grant-mapped");
	return rc > 0 ? -EPROTO : (int)rc;
}

static void unmap_batch(struct daemon *d, uint32_t domid, const uint32_t *handles, unsigned int n)
{
	struct gnttab_unmap_grant_ref ops[MAP_BATCH];
	int64_t rc;

	if (!n || d->node.down)
		return;
	memset(ops, 0, sizeof(ops));
	for (unsigned int i = 0; i < n; i++) {
		ops[i].handle = handles[i];
		ops[i].status = GNTST_general_error;
	}
	rc = mbox_call(&d->mbox, __HYPERVISOR_grant_table_op, GNTTABOP_unmap_grant_ref, 0, n, 1, ops,
		       n * sizeof(ops[0]));
	for (unsigned int i = 0; i < n; i++)
		if ((rc || ops[i].status != GNTST_okay) && !d->node.down) {
			log_line("domain %u: a grant cannot be unmapped", domid);
			break;
		}
}

void gnt_table_init(struct gnt_table *t, struct daemon *d, uint32_t domid)
{
	memset(t, 0, sizeof(*t));
	t->d = d;
	t->domid = domid;
	list_init(&t->lru);
}

static struct gnt_page **chain(struct gnt_table *t, uint32_t ref)
{
	return &t->hash[(ref * 2654435761u) >> 22 & (GNT_TABLE_HASH - 1)];
}

static struct gnt_page *find(struct gnt_table *t, uint32_t ref)
{
	struct gnt_page *p = *chain(t, ref);

	while (p && p->ref != ref)
		p = p->next;
	return p;
}

/* It is on no list but its chain then. */
static void drop(struct gnt_table *t, struct gnt_page *p)
{
	struct gnt_page **at = chain(t, p->ref);

	while (*at != p)
		at = &(*at)->next;
	*at = p->next;
	list_del(&p->lru);
	free(p);
	t->count--;
}

/* False: that many are not unused. */
static bool evict(struct gnt_table *t, unsigned int n)
{
	uint32_t handles[MAP_BATCH];
	unsigned int have = 0;

	while (n && !list_empty(&t->lru)) {
		struct gnt_page *p = list_entry(t->lru.next, struct gnt_page, lru);

		handles[have++] = p->handle;
		drop(t, p);
		n--;
		if (have == MAP_BATCH) {
			unmap_batch(t->d, t->domid, handles, have);
			have = 0;
		}
	}
	unmap_batch(t->d, t->domid, handles, have);
	return !n;
}

static struct gnt_page *add(struct gnt_table *t, uint32_t ref)
{
	struct gnt_page *p;

	if (t->count >= GNT_TABLE_MAX && !evict(t, t->count - GNT_TABLE_MAX + 1))
		return NULL;
	p = calloc(1, sizeof(*p));
	if (!p)
		return NULL;
	list_init(&p->lru);
	p->ref = ref;
	p->next = *chain(t, ref);
	*chain(t, ref) = p;
	t->count++;
	return p;
}

/* Those of the pages that are new. */
static int map_new(struct gnt_table *t, struct gnt_page **pages, unsigned int n)
{
	struct gnttab_map_grant_ref ops[MAP_BATCH];
	struct gnt_page *fresh[MAP_BATCH];
	int ret = 0;

	for (unsigned int i = 0; i < n && !ret;) {
		unsigned int m = 0;

		for (; i < n && m < MAP_BATCH; i++) {
			struct gnt_page *p = pages[i];

			if (p->at || p->handle == UINT32_MAX)
				continue;
			p->handle = UINT32_MAX; /* once, though it may be named twice */
			ops[m] = (struct gnttab_map_grant_ref){ .flags = GNTMAP_host_map, .ref = p->ref,
								.dom = (domid_t)t->domid,
								.status = GNTST_general_error };
			fresh[m++] = p;
		}
		if (!m)
			break;
		ret = map_batch(t->d, ops, m);
		for (unsigned int k = 0; k < m; k++) {
			if (ops[k].status == GNTST_okay) {
				fresh[k]->handle = ops[k].handle;
				fresh[k]->at = node_map(&t->d->node, ops[k].dev_bus_addr & ~4095ull, 4096);
				if (!fresh[k]->at)
					unmap_batch(t->d, t->domid, &ops[k].handle, 1);
			}
			if (!fresh[k]->at)
				ret = ret ? ret : -EINVAL;
		}
	}
	return ret;
}

int gnt_table_get(struct gnt_table *t, const uint32_t *refs, unsigned int n, struct gnt_page **ret)
{
	bool fresh = false;
	int rc = 0;

	for (unsigned int i = 0; i < n; i++) {
		struct gnt_page *p = find(t, refs[i]);

		if (!p) {
			p = add(t, refs[i]);
			fresh = true;
		}
		if (!p) {
			gnt_table_put(t, ret, i);
			return -EAGAIN;
		}
		if (!p->users++)
			list_del(&p->lru);
		ret[i] = p;
	}
	if (fresh)
		rc = map_new(t, ret, n);
	if (rc)
		gnt_table_put(t, ret, n);
	return rc;
}

void gnt_table_put(struct gnt_table *t, struct gnt_page *const *pages, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		struct gnt_page *p = pages[i];

		if (--p->users)
			continue;
		if (p->at)
			list_add_tail(&t->lru, &p->lru);
		else
			drop(t, p);
	}
}

void gnt_table_clear(struct gnt_table *t)
{
	(void)evict(t, t->count);
}

/* The file's pages in a row, wherever they lie in it. */
static int place(struct daemon *d, struct gnt_window *w, const struct gnttab_map_grant_ref *ops)
{
	uint8_t *at = mmap(NULL, w->pages * 4096u, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (at == MAP_FAILED)
		return -ENOMEM;
	w->at = at;
	for (unsigned int i = 0; i < w->pages; i++) {
		uint8_t *page = node_map(&d->node, ops[i].dev_bus_addr & ~4095ull, 4096);

		if (!page)
			return -EPROTO;
		if (mmap(at + i * 4096u, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, d->node.ram_fd,
			 (off_t)(page - d->node.ram)) == MAP_FAILED)
			return -ENOMEM;
	}
	return 0;
}

int gnt_window_map(struct daemon *d, uint32_t domid, const uint32_t *refs, unsigned int n, struct gnt_window *w)
{
	struct gnttab_map_grant_ref ops[GNT_WINDOW_MAX];
	int rc;

	memset(w, 0, sizeof(*w));
	if (!n || n > GNT_WINDOW_MAX)
		return -EINVAL;
	for (unsigned int i = 0; i < n; i++)
		ops[i] = (struct gnttab_map_grant_ref){ .flags = GNTMAP_host_map, .ref = refs[i],
							.dom = (domid_t)domid, .status = GNTST_general_error };
	rc = map_batch(d, ops, n);
	for (unsigned int i = 0; i < n; i++) {
		if (ops[i].status == GNTST_okay)
			w->handle[w->pages++] = ops[i].handle;
		else
			rc = rc ? rc : -EINVAL;
	}
	if (!rc)
		rc = place(d, w, ops);
	if (rc)
		gnt_window_unmap(d, w);
	return rc;
}

void gnt_window_unmap(struct daemon *d, struct gnt_window *w)
{
	if (w->at)
		munmap(w->at, w->pages * 4096u);
	unmap_batch(d, 0, w->handle, w->pages);
	memset(w, 0, sizeof(*w));
}
