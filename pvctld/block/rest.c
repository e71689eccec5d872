/* SPDX-License-Identifier: MIT */
/*
 * The disk of a domain that is suspended: what was begun is answered in the
 * guest's ring, because a guest that goes on waits for it; what was not stays
 * there. Released, the image is another node's to open: its lock tells.
 */
#include "pvctld/base/log.h"
#include "pvctld/block/nbd.h"
#include "pvctld/block/vbd.h"
#include <errno.h>
#include <string.h>

void vbd_at_rest(struct vbd *v)
{
	gnt_table_clear(&v->table);
	xenbus_dev_settled(&v->x, 0, NULL);
}

bool vbd_quiesce(struct xenbus_dev *x)
{
	struct vbd *v = vbd_of(x);

	for (unsigned int i = 0; i < v->nr_rings; i++)
		vbd_untake(&v->ring[i]);
	if (v->inflight)
		return false;
	gnt_table_clear(&v->table);
	return true;
}

/* As other backends tell: blkfront looks again when the state is written, which is as it was. */
static void tell_size(struct vbd *v)
{
	v->told_sectors = v->sectors;
	(void)xenbus_put(&v->x, v->x.back, "sectors", "%llu", (unsigned long long)v->sectors);
	if (v->x.up == XENBUS_UP)
		(void)xenbus_put(&v->x, v->x.back, "state", "%d", (int)v->x.state);
}

void vbd_thaw(struct xenbus_dev *x)
{
	struct vbd *v = vbd_of(x);

	for (unsigned int i = 0; i < v->nr_rings; i++)
		loop_task_post(&x->d->loop, &v->ring[i].task);
}

static void image_closed(void *data, bool lost)
{
	struct vbd *v = data;

	if (lost)
		vbd_flush_failed(v);
	v->nbd = NULL;
	v->leaving = false;
	xenbus_dev_settled(&v->x, 0, NULL);
}

/* It counted as a request under way: the disk may have been taken away meanwhile. */
static void synced(struct blk_job *job)
{
	struct vbd *v = list_entry(job, struct vbd, sync);
	char why[800];

	v->inflight--;
	if (v->x.up != XENBUS_UP) {
		vbd_let_go(v);
		xenbus_dev_drained(&v->x);
	} else if (job->result) {
		if (job->unsynced)
			vbd_flush_failed(v);
		vbd_say_failure(v, job->result, strerror(-job->result), why, sizeof(why));
		xenbus_dev_settled(&v->x, job->result, why);
	} else {
		vbd_close(v);
		xenbus_dev_settled(&v->x, 0, NULL);
	}
}

bool vbd_release(struct xenbus_dev *x)
{
	struct vbd *v = vbd_of(x);

	if (v->nbd) {
		/* The program writes what it has, and ends. */
		v->leaving = true;
		blk_nbd_closing(v->nbd, image_closed, v);
		blk_nbd_close(v->nbd);
		return false;
	}
	if (v->fd < 0 || v->spec.readonly || x->up != XENBUS_UP) {
		vbd_close(v);
		return true;
	}
	v->sync = (struct blk_job){ .kind = BLK_JOB_FLUSH, .flush = true, .fd = v->fd, .data_fd = v->fd,
				    .is_device = v->is_device, .done = synced };
	v->inflight++;
	blk_pool_submit(v->pool, &v->sync);
	return false;
}

/* One that was held may have grown: the guest is told. */
static int check_size(struct vbd *v, uint64_t before, struct pvctl_error *err)
{
	if (v->sectors == before)
		return 0;
	if (!v->x.holder || v->sectors < before)
		return fail(err, -EINVAL, "disk \"%.600s\" has another size than it had when its %s", v->spec.target,
			    v->x.holder ? "use was stopped, and is smaller" : "domain was suspended");
	tell_size(v);
	return 0;
}

static void image_back(void *data, int rc, const char *why)
{
	struct vbd *v = data;
	struct pvctl_error e = { 0 };
	struct blk_nbd_info info;
	uint64_t before = v->sectors;

	if (rc) {
		vbd_say_failure(v, rc, why, e.msg, sizeof(e.msg));
	} else {
		blk_nbd_info(v->nbd, &info);
		v->sectors = info.bytes / BLK_SECTOR;
		rc = check_size(v, before, &e);
	}
	if (rc) {
		v->sectors = before;
		blk_nbd_close(v->nbd);
		v->nbd = NULL;
	}
	xenbus_dev_settled(&v->x, rc, e.msg);
}

int vbd_retake(struct xenbus_dev *x, struct pvctl_error *err)
{
	struct vbd *v = vbd_of(x);
	uint64_t sectors = v->sectors;
	int rc;

	if (!v->spec.target[0])
		return 0;
	if (v->spec.format != DISK_RAW && !v->spec.script[0]) {
		rc = vbd_open_image(v, image_back, err);
		return rc ? rc : -EINPROGRESS;
	}
	rc = vbd_open(v, v->device, err);
	rc = rc ? rc : check_size(v, sectors, err);
	if (rc) {
		vbd_close(v);
		v->sectors = sectors;
	}
	return rc;
}

int vbd_retarget(struct xenbus_dev *x, const char *spec, struct pvctl_error *err)
{
	struct vbd *v = vbd_of(x);
	struct disk_spec s;
	int rc = disk_spec_parse(spec, &s, err);

	if (rc)
		return rc;
	if (s.target[0] != '/' || s.script[0] || v->spec.script[0] || !v->spec.target[0])
		return fail(err, -EINVAL, "disk %s: both what it is of and what it is to be of must be files or devices", x->name);
	v->spec.format = s.format;
	v->spec.backend = s.backend;
	memcpy(v->spec.target, s.target, sizeof(s.target));
	v->is_device = false;
	(void)xenbus_put(x, x->back, "params", "%s", s.target);
	(void)xenbus_put(x, x->back, "format", "%s", disk_format_name(s.format));
	return 0;
}
