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

void vbd_thaw(struct xenbus_dev *x)
{
	struct vbd *v = vbd_of(x);

	for (unsigned int i = 0; i < v->nr_rings; i++)
		loop_task_post(&x->d->loop, &v->ring[i].task);
}

static void image_closed(void *data)
{
	struct vbd *v = data;

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
		v->unsynced |= job->unsynced;
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

static int another_size(const struct vbd *v, struct pvctl_error *err)
{
	return fail(err, -EINVAL, "disk \"%.600s\" has another size than it had when its domain was suspended", v->spec.target);
}

static void image_back(void *data, int rc, const char *why)
{
	struct vbd *v = data;
	struct pvctl_error e = { 0 };
	struct blk_nbd_info info;

	if (rc) {
		vbd_say_failure(v, rc, why, e.msg, sizeof(e.msg));
	} else {
		blk_nbd_info(v->nbd, &info);
		rc = info.bytes / BLK_SECTOR == v->sectors ? 0 : another_size(v, &e);
	}
	if (rc) {
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
	if (!rc && v->sectors != sectors)
		rc = another_size(v, err);
	if (rc) {
		vbd_close(v);
		v->sectors = sectors;
	}
	return rc;
}
