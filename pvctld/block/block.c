/* SPDX-License-Identifier: MIT */
#include "pvctld/block/block.h"
#include "pvctld/block/vbd.h"
#include "pvctld/domains.h"
#include "pvctld/log.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_DISKS 256u /* of a domain */

struct block {
	struct list vbds;
	struct blk_pool *pool;
};

static void vbd_free(struct vbd *v)
{
	loop_task_cancel(&v->step);
	if (v->d->store)
		store_unwatch(v->d->store, &v->watch);
	if (v->fd >= 0)
		close(v->fd);
	list_del(&v->link);
	free(v);
}

static void remove_it(struct vbd *v)
{
	store_unwatch(v->d->store, &v->watch);
	if (!v->gone)
		vbd_remove_nodes(v);
	v->gone = true;
	vbd_disconnect(v);
	if (v->up == VBD_DOWN)
		vbd_free(v);
}

/* The frontend started, or starts again: with a new kernel, it may not have said good-bye. */
static void front_starts(struct vbd *v)
{
	vbd_disconnect(v);
	if (v->up != VBD_DOWN)
		return;
	if (v->detaching)
		remove_it(v);
	else
		vbd_set_state(v, XenbusStateInitWait);
}

static void front_ready(struct vbd *v)
{
	if (v->detaching && v->up == VBD_DOWN)
		remove_it(v);
	else if (v->detaching)
		vbd_set_state(v, XenbusStateClosing);
	else if (v->up == VBD_DOWN && v->state == XenbusStateInitWait)
		vbd_set_state(v, vbd_connect(v) ? XenbusStateClosing : XenbusStateConnected);
}

static void front_closed(struct vbd *v)
{
	vbd_disconnect(v);
	if (v->up != VBD_DOWN)
		return;
	if (v->detaching)
		remove_it(v);
	else
		vbd_set_state(v, XenbusStateClosed);
}

/* One step of the handshake; what is under way ends first. */
static void step(void *data)
{
	struct vbd *v = data;

	if (v->up == VBD_DRAINING)
		return;
	if (v->gone) {
		remove_it(v);
		return;
	}
	switch (vbd_front_state(v)) {
	case XenbusStateInitialising:
	case XenbusStateInitWait:
		front_starts(v);
		break;
	case XenbusStateInitialised:
	case XenbusStateConnected:
		front_ready(v);
		break;
	case XenbusStateClosing:
		vbd_set_state(v, XenbusStateClosing);
		break;
	default:
		front_closed(v);
		break;
	}
}

static void on_change(void *data)
{
	struct vbd *v = data;

	loop_task_post(&v->d->loop, &v->step);
}

static struct vbd *find(struct daemon *d, uint32_t domid, uint32_t vdev)
{
	if (!d->block)
		return NULL;
	list_for(p, &d->block->vbds) {
		struct vbd *v = list_entry(p, struct vbd, link);

		if (v->domid == domid && v->spec.vdev == vdev && !v->gone)
			return v;
	}
	return NULL;
}

static int begin(struct daemon *d, struct pvctl_error *err)
{
	if (d->block)
		return 0;
	d->block = calloc(1, sizeof(*d->block));
	if (d->block)
		d->block->pool = blk_pool_new(&d->loop);
	if (!d->block || !d->block->pool) {
		free(d->block);
		d->block = NULL;
		return fail(err, -ENOMEM, "no memory or threads for disks");
	}
	list_init(&d->block->vbds);
	return 0;
}

static int attach(struct vbd *v, struct pvctl_error *err)
{
	int rc = vbd_open(v, err);

	if (rc)
		return rc;
	snprintf(v->back, sizeof(v->back), "/local/domain/0/backend/vbd/%u/%u", v->domid, v->spec.vdev);
	snprintf(v->front, sizeof(v->front), "/local/domain/%u/device/vbd/%u", v->domid, v->spec.vdev);
	rc = vbd_make_nodes(v);
	if (rc) {
		vbd_remove_nodes(v);
		return fail(err, rc, "disk %s: its store nodes: %s", v->spec.vdev_name, strerror(-rc));
	}
	v->watch = (struct store_watch){ .path = v->front, .fn = on_change, .data = v };
	store_watch(v->d->store, &v->watch);
	return 0;
}

int block_attach(struct dom *dom, const char *spec, struct pvctl_error *err)
{
	struct daemon *d = dom->d;
	struct vbd *v;
	int rc;

	if (dom->forgotten || dom->dying)
		return fail(err, -ESRCH, "domain %u is being destroyed", dom->domid);
	rc = begin(d, err);
	if (rc)
		return rc;
	v = calloc(1, sizeof(*v));
	if (!v)
		return fail(err, -ENOMEM, "no memory");
	v->d = d;
	v->pool = d->block->pool;
	v->domid = dom->domid;
	v->fd = -1;
	list_init(&v->link);
	loop_task_init(&v->step, step, v);
	rc = disk_spec_parse(spec, &v->spec, err);
	if (!rc && v->spec.target[0] != '/')
		rc = fail(err, -EINVAL, "disk \"%.100s\": the target's path is not absolute", v->spec.target);
	if (!rc && find(d, dom->domid, v->spec.vdev))
		rc = fail(err, -EEXIST, "domain %u has a disk %s already", dom->domid, v->spec.vdev_name);
	if (!rc && block_list(d, dom->domid, NULL, 0) >= MAX_DISKS)
		rc = fail(err, -E2BIG, "domain %u has %u disks already", dom->domid, MAX_DISKS);
	rc = rc ? rc : attach(v, err);
	if (rc)
		vbd_free(v);
	else
		list_add_tail(&d->block->vbds, &v->link);
	return rc;
}

int block_detach(struct dom *dom, uint32_t vdev, bool force, struct pvctl_error *err)
{
	struct vbd *v = find(dom->d, dom->domid, vdev);
	char path[80];

	if (!v)
		return fail(err, -ENOENT, "domain %u has no such disk", dom->domid);
	if (force) {
		remove_it(v);
		return 0;
	}
	v->detaching = true;
	snprintf(path, sizeof(path), "%s/online", v->back);
	(void)store_write(v->d->store, path, "0", 1);
	loop_task_post(&v->d->loop, &v->step);
	return 0;
}

unsigned int block_list(struct daemon *d, uint32_t domid, struct pvctl_disk_info *rows, unsigned int max)
{
	unsigned int n = 0;

	if (!d->block)
		return 0;
	list_for(p, &d->block->vbds) {
		const struct vbd *v = list_entry(p, struct vbd, link);
		struct pvctl_disk_info *r = rows && n < max ? &rows[n] : NULL;

		if (v->domid != domid || v->gone)
			continue;
		n++;
		if (!r)
			continue;
		memset(r, 0, sizeof(*r));
		r->domid = domid;
		r->vdev = v->spec.vdev;
		r->state = v->state;
		r->readonly = v->spec.readonly;
		r->cdrom = v->spec.cdrom;
		r->bytes = v->sectors * BLK_SECTOR;
		r->event_channel = v->up == VBD_UP ? (int32_t)v->ring[0].port : -1;
		r->ring_ref = v->up == VBD_UP ? (int32_t)v->ring[0].ref : -1;
		snprintf(r->name, sizeof(r->name), "%s", v->spec.vdev_name);
		snprintf(r->backend_path, sizeof(r->backend_path), "%s", v->back);
		snprintf(r->target, sizeof(r->target), "%.*s", (int)sizeof(r->target) - 1, v->spec.target);
	}
	return n;
}

void block_domain_gone(struct daemon *d, uint32_t domid)
{
	char path[64];
	bool any = false;

	if (!d->block)
		return;
	list_for_safe(p, &d->block->vbds) {
		struct vbd *v = list_entry(p, struct vbd, link);

		if (v->domid != domid || v->gone)
			continue;
		any = true;
		remove_it(v);
	}
	snprintf(path, sizeof(path), "/local/domain/0/backend/vbd/%u", domid);
	if (any)
		(void)store_rm(d->store, path);
}

void block_fini(struct daemon *d)
{
	if (!d->block)
		return;
	blk_pool_free(d->block->pool);
	list_for_safe(p, &d->block->vbds) {
		struct vbd *v = list_entry(p, struct vbd, link);

		vbd_disconnect(v);
		vbd_free(v);
	}
	free(d->block);
	d->block = NULL;
}
