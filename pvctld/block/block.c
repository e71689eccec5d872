/* SPDX-License-Identifier: MIT */
/* Disks as a kind of device. */
#include "pvctld/backend/device.h"
#include "pvctld/block/vbd.h"
#include "pvctld/domains.h"
#include "pvctld/log.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_DISKS 256u /* of a domain */

static int spec_devid(const char *text, uint32_t *ret, struct pvctl_error *err)
{
	struct disk_spec s;
	int rc = disk_spec_parse(text, &s, err);

	if (!rc && s.target[0] != '/')
		rc = fail(err, -EINVAL, "disk \"%.100s\": the target's path is not absolute", s.target);
	*ret = s.vdev;
	return rc;
}

static int begin(struct daemon *d, struct pvctl_error *err)
{
	if (!d->disk_pool)
		d->disk_pool = blk_pool_new(&d->loop);
	return d->disk_pool ? 0 : fail(err, -ENOMEM, "no memory or threads for disks");
}

static int create(struct dom *dom, const char *text, struct xenbus_dev **ret, struct pvctl_error *err)
{
	struct vbd *v = calloc(1, sizeof(*v));
	int rc;

	if (!v)
		return fail(err, -ENOMEM, "no memory");
	rc = disk_spec_parse(text, &v->spec, err);
	rc = rc ? rc : begin(dom->d, err);
	if (rc) {
		free(v);
		return rc;
	}
	xenbus_dev_init(&v->x, dom->d, &vbd_ops, dom->domid, v->spec.vdev, v->spec.vdev_name);
	v->pool = dom->d->disk_pool;
	v->fd = -1;
	rc = vbd_open(v, err);
	if (rc)
		xenbus_dev_free(&v->x);
	else
		*ret = &v->x;
	return rc;
}

static void free_vbd(struct xenbus_dev *x)
{
	struct vbd *v = vbd_of(x);

	if (v->fd >= 0)
		close(v->fd);
	free(v);
}

static void row(const struct xenbus_dev *x, void *data)
{
	const struct vbd *v = list_entry(x, struct vbd, x);
	struct pvctl_disk_info *r = data;

	r->domid = x->domid;
	r->vdev = v->spec.vdev;
	r->state = x->state;
	r->readonly = v->spec.readonly;
	r->cdrom = v->spec.cdrom;
	r->bytes = v->sectors * BLK_SECTOR;
	r->event_channel = x->up == XENBUS_UP ? (int32_t)v->ring[0].port : -1;
	r->ring_ref = x->up == XENBUS_UP ? (int32_t)v->ring[0].ref : -1;
	snprintf(r->name, sizeof(r->name), "%s", v->spec.vdev_name);
	snprintf(r->backend_path, sizeof(r->backend_path), "%s", x->back);
	snprintf(r->target, sizeof(r->target), "%.*s", (int)sizeof(r->target) - 1, v->spec.target);
}

static void quiesce(struct daemon *d)
{
	blk_pool_free(d->disk_pool);
	d->disk_pool = NULL;
}

const struct xenbus_ops vbd_ops = {
	.type = "vbd", .what = "disk", .put_backend = vbd_put_backend, .put_frontend = vbd_put_frontend,
	.connect = vbd_connect, .disconnect = vbd_disconnect, .free = free_vbd,
};
const struct device_class block_class = {
	.key = "disk", .row_size = sizeof(struct pvctl_disk_info), .max = MAX_DISKS, .ops = &vbd_ops,
	.devid = spec_devid, .create = create, .row = row, .quiesce = quiesce,
};
