/* SPDX-License-Identifier: MIT */
/* Disks as a kind of device. */
#include "pvctld/backend/device.h"
#include "pvctld/base/log.h"
#include "pvctld/block/nbd.h"
#include "pvctld/block/script.h"
#include "pvctld/block/vbd.h"
#include "pvctld/domain/domains.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_DISKS 256u /* of a domain */

static int spec_devid(const char *text, uint32_t *ret, struct pvctl_error *err)
{
	struct disk_spec s;
	int rc = disk_spec_parse(text, &s, err);

	if (!rc && s.target[0] && s.target[0] != '/' && !s.script[0])
		rc = fail(err, -EINVAL, "disk \"%.600s\": the target's path is not absolute", s.target);
	*ret = s.vdev;
	return rc;
}

static int begin(struct daemon *d, struct pvctl_error *err)
{
	if (!d->disk_pool)
		d->disk_pool = blk_pool_new(&d->loop, true);
	return d->disk_pool ? 0 : fail(err, -ENOMEM, "no memory or threads for disks");
}

const char *vbd_say_failure(const struct vbd *v, int rc, const char *why, char *buf, size_t size)
{
	char holder[200];

	if (rc != -EBUSY) {
		snprintf(buf, size, "disk \"%.600s\": %.300s", v->spec.target, why);
		return buf;
	}
	vbd_say_holder(v, holder, sizeof(holder));
	snprintf(buf, size, "disk \"%.600s\" is in use by %s", v->spec.target, holder);
	return buf;
}

static void nbd_ready(void *data, int rc, const char *why)
{
	struct vbd *v = data;
	struct blk_nbd_info info;
	struct pvctl_error e = { 0 };

	if (rc) {
		device_ready(&v->x, rc, vbd_say_failure(v, rc, why, e.msg, sizeof(e.msg)));
		return;
	}
	blk_nbd_info(v->nbd, &info);
	v->sector_size = v->physical_size = BLK_SECTOR;
	v->can_discard = info.can_trim;
	v->discard_granularity = info.granularity;
	rc = vbd_measured(v, info.bytes, &e);
	device_ready(&v->x, rc, e.msg);
}

static void nbd_dead(void *data, const char *why)
{
	struct vbd *v = data;

	v->broken = true;
	if (v->x.pending) /* it had all it needs, and waited for its guest */
		device_ready(&v->x, -EIO, why);
	else
		xenbus_dev_fail(&v->x, why);
}

#define AGAIN_NS 2000000u
#define AGAIN_MOST_NS 30000000000ull

/* What another daemon left under way has its end, and with that its locks. */
static void open_again(void *data)
{
	struct vbd *v = data;
	struct pvctl_error e = { 0 };
	int rc = vbd_open(v, v->device, &e);

	if (rc == -EBUSY && now_ns() < v->again_until_ns) {
		vbd_close(v);
		loop_timer_set(&v->x.d->loop, &v->again, AGAIN_NS);
		return;
	}
	device_ready(&v->x, rc, e.msg);
}

/* device: what its script named, or NULL. -EINPROGRESS: it is tried again. */
static int open_raw(struct vbd *v, const char *device, struct pvctl_error *err)
{
	int rc = vbd_open(v, device, err);

	if (rc != -EBUSY || !v->x.adopted)
		return rc;
	vbd_close(v);
	v->x.pending = true;
	v->again_until_ns = now_ns() + AGAIN_MOST_NS;
	loop_timer_set(&v->x.d->loop, &v->again, AGAIN_NS);
	return -EINPROGRESS;
}

static void script_done(struct vbd *v, const char *path, const char *why)
{
	struct pvctl_error e = { 0 };
	int rc = path ? open_raw(v, path, &e) : fail(&e, -EIO, "disk %s: %s", v->x.name, why);

	if (rc != -EINPROGRESS)
		device_ready(&v->x, rc, e.msg);
}

int vbd_open_image(struct vbd *v, void (*ready)(void *data, int rc, const char *why), struct pvctl_error *err)
{
	const struct blk_nbd_user user = { .ready = ready, .dead = nbd_dead, .data = v };

	return blk_nbd_open(v->x.d, &v->spec, &user, &v->nbd, err);
}

/* Its target: opened, or on its way. */
static int open_target(struct vbd *v, struct pvctl_error *err)
{
	if (!v->spec.target[0]) {
		v->sector_size = v->physical_size = BLK_SECTOR;
		return 0;
	}
	if (v->spec.format == DISK_RAW && !v->spec.script[0]) {
		int rc = open_raw(v, NULL, err);

		return rc == -EINPROGRESS ? 0 : rc;
	}
	v->x.pending = true;
	if (v->spec.script[0])
		return blk_script_add(v, script_done, err);
	return vbd_open_image(v, nbd_ready, err);
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
	v->fd = v->direct_fd = -1;
	loop_timer_init(&v->again, open_again, v);
	rc = open_target(v, err);
	if (rc)
		xenbus_dev_free(&v->x);
	else
		*ret = &v->x;
	return rc;
}

static void free_vbd(struct xenbus_dev *x)
{
	struct vbd *v = vbd_of(x);

	loop_timer_cancel(&v->again);
	if (v->leaving)
		blk_nbd_closing(v->nbd, NULL, NULL);
	else
		blk_nbd_close(v->nbd);
	vbd_close(v);
	free(v->device);
	blk_script_remove(v->script);
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
	r->failed = v->unsynced;
	r->bytes = v->sectors * BLK_SECTOR;
	r->event_channel = x->up == XENBUS_UP ? (int32_t)v->ring[0].port : -1;
	r->ring_ref = x->up == XENBUS_UP ? (int32_t)v->ring[0].ref : -1;
	r->sector_size = v->sector_size;
	r->reads = v->stats.reads;
	r->writes = v->stats.writes;
	r->flushes = v->stats.flushes;
	r->discards = v->stats.discards;
	r->errors = v->stats.errors;
	r->read_sectors = v->stats.read_sectors;
	r->write_sectors = v->stats.write_sectors;
	r->discard_sectors = v->stats.discard_sectors;
	snprintf(r->format, sizeof(r->format), "%s", disk_format_name(v->spec.format));
	snprintf(r->name, sizeof(r->name), "%s", v->spec.vdev_name);
	snprintf(r->backend_path, sizeof(r->backend_path), "%s", x->back);
	snprintf(r->target, sizeof(r->target), "%.*s", (int)sizeof(r->target) - 1, v->spec.target);
}

static void quiesce(struct daemon *d)
{
	list_for(p, &d->devices) {
		struct xenbus_dev *x = list_entry(p, struct xenbus_dev, link);

		if (x->ops == &vbd_ops && vbd_of(x)->nbd && !vbd_of(x)->leaving)
			blk_nbd_drain(vbd_of(x)->nbd);
	}
	blk_pool_free(d->disk_pool);
	d->disk_pool = NULL;
}

const struct xenbus_ops vbd_ops = {
	.type = "vbd", .what = "disk", .put_backend = vbd_put_backend, .put_frontend = vbd_put_frontend,
	.connect = vbd_connect, .disconnect = vbd_disconnect, .free = free_vbd,
	.quiesce = vbd_quiesce, .thaw = vbd_thaw, .release = vbd_release, .retake = vbd_retake,
	.retarget = vbd_retarget,
};
const struct device_class block_class = {
	.key = "disk", .row_size = sizeof(struct pvctl_disk_info), .max = MAX_DISKS, .ops = &vbd_ops,
	.devid = spec_devid, .create = create, .row = row, .quiesce = quiesce, .fini = blk_nbd_fini, .adopted = blk_scripts_adopt,
};
