/* SPDX-License-Identifier: MIT */
/*
 * The life of a request: a copy out of the ring, checked; the guest's pages
 * mapped (persistent grants) or its bytes copied; the pool; the answer.
 */
#include "pvctld/base/log.h"
#include "pvctld/block/nbd.h"
#include "pvctld/block/vbd.h"
#include "pvctld/state/die.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ROUND 32u /* requests of one ring before others are looked at */

struct blk_io {
	struct blk_job job;
	struct vbd_ring *ring;
	struct blk_request req;
	struct iovec iov[BLK_MAX_SEGMENTS];
	struct gnt_page *page[BLK_MAX_SEGMENTS];
	unsigned int nr_pages;
	uint8_t *bounce; /* the data, one segment behind the other; NULL: in the guest's pages */
};

static void free_io(struct blk_io *io)
{
	free(io->bounce);
	free(io);
}

void vbd_drop_held(struct vbd_ring *r)
{
	if (r->held)
		free_io(r->held);
	r->held = NULL;
}

static void answer(struct vbd_ring *r, const struct blk_request *q, int status)
{
	blk_ring_respond(&r->ring, q->kept, q->id, q->wire_op, (int16_t)status);
}

static void push(struct vbd_ring *r)
{
	if (blk_ring_push(&r->ring))
		evtchn_send(r->vbd->x.d, r->port);
}

void vbd_untake(struct vbd_ring *r)
{
	if (r->held) {
		blk_ring_untake(&r->ring, r->held->req.kept);
		vbd_drop_held(r);
	}
	push(r);
}

static void count(struct vbd_stats *s, const struct blk_request *q, bool failed)
{
	s->errors += failed;
	if (failed)
		return;
	if (q->op == BLKIF_OP_READ) {
		s->reads++;
		s->read_sectors += q->nr_sectors;
	} else if (q->op == BLKIF_OP_DISCARD) {
		s->discards++;
		s->discard_sectors += q->nr_sectors;
	} else {
		s->writes += q->nr_sectors != 0;
		s->write_sectors += q->nr_sectors;
		s->flushes += q->op == BLKIF_OP_FLUSH_DISKCACHE;
	}
}

static int copy_data(struct blk_io *io, bool to_guest)
{
	struct vbd *v = io->ring->vbd;
	struct gnt_copy c[BLK_MAX_SEGMENTS];
	uint8_t *at = io->bounce;

	for (unsigned int i = 0; i < io->req.nr_segments; i++) {
		const struct blk_segment *s = &io->req.segment[i];
		uint16_t len = (uint16_t)((s->last - s->first + 1u) * BLK_SECTOR);

		c[i] = (struct gnt_copy){ s->ref, (uint16_t)(s->first * BLK_SECTOR), len, at };
		at += len;
	}
	return gnt_copy(v->x.d, v->x.domid, c, io->req.nr_segments, to_guest);
}

/* The kernel forgets that pages could not be written as soon as it has said so: the next flush would be a success. */
void vbd_flush_failed(struct vbd *v)
{
	if (!v->unsynced)
		log_guest(v->x.domid, "disk %s: a flush failed, and what was written before it may be lost: it takes no more writes "
			  "until it is attached anew", v->x.name);
	v->unsynced = true;
	for (unsigned int i = 0; i < v->nr_rings; i++)
		if (v->ring[i].ring.kept)
			v->ring[i].ring.kept->unsynced = 1;
}

static void done(struct blk_job *job)
{
	struct blk_io *io = (struct blk_io *)(void *)((char *)job - offsetof(struct blk_io, job));
	struct vbd_ring *r = io->ring;
	struct vbd *v = r->vbd;
	int status = job->result == -EOPNOTSUPP ? BLKIF_RSP_EOPNOTSUPP : job->result ? BLKIF_RSP_ERROR : BLKIF_RSP_OKAY;

	if (job->unsynced) {
		die_point("blk-flush-failed");
		vbd_flush_failed(v);
	}
	/* One that was under way meanwhile: the kernel tells of lost pages once, and it told another. */
	if (v->unsynced && job->flush)
		status = BLKIF_RSP_ERROR;
	if (!status && io->bounce && io->req.op == BLKIF_OP_READ && v->x.up == XENBUS_UP && copy_data(io, true))
		status = BLKIF_RSP_ERROR;
	if (job->result && job->result != -EOPNOTSUPP)
		log_guest(v->x.domid, "disk %s: %s", v->x.name, strerror(-job->result));
	count(&v->stats, &io->req, status != BLKIF_RSP_OKAY);
	gnt_table_put(&v->table, io->page, io->nr_pages);
	v->inflight_bytes -= io->req.nr_segments ? io->req.nr_sectors * BLK_SECTOR : 0;
	v->inflight--;
	if (v->x.up == XENBUS_UP && v->x.rest) {
		answer(r, &io->req, status);
		push(r);
		if (!v->inflight)
			vbd_at_rest(v);
	} else if (v->x.up == XENBUS_UP) {
		answer(r, &io->req, status);
		/* Of all rings: another may wait for what has become free. */
		for (unsigned int i = 0; i < v->nr_rings; i++)
			loop_task_post(&v->x.d->loop, &v->ring[i].task);
	} else if (!v->inflight) {
		if (v->nbd)
			blk_nbd_hurry(v->nbd, false);
		vbd_let_go(v);
		xenbus_dev_drained(&v->x);
	}
	free_io(io);
}

/* Segments that lie in pages of the guest's. */
static int fetch_segments(struct vbd *v, struct blk_request *q)
{
	uint8_t page[4096];
	int rc = 0;

	for (unsigned int i = 0; i < q->nr_indirect && !rc; i++) {
		if (v->persistent) {
			struct gnt_page *p;

			rc = gnt_table_get(&v->table, &q->indirect[i], 1, &p);
			if (rc)
				break;
			memcpy(page, p->at, sizeof(page));
			gnt_table_put(&v->table, &p, 1);
		} else {
			struct gnt_copy c = { q->indirect[i], 0, sizeof(page), page };

			rc = gnt_copy(v->x.d, v->x.domid, &c, 1, false);
		}
		if (!rc)
			blk_request_indirect(q, i, page);
	}
	if (!rc)
		q->nr_indirect = 0;
	return rc;
}

static int use_pages(struct blk_io *io)
{
	uint32_t refs[BLK_MAX_SEGMENTS];
	int rc;

	for (unsigned int i = 0; i < io->req.nr_segments; i++)
		refs[i] = io->req.segment[i].ref;
	rc = gnt_table_get(&io->ring->vbd->table, refs, io->req.nr_segments, io->page);
	if (rc)
		return rc;
	io->nr_pages = io->req.nr_segments;
	for (unsigned int i = 0; i < io->nr_pages; i++) {
		const struct blk_segment *s = &io->req.segment[i];

		io->iov[i].iov_base = io->page[i]->at + s->first * BLK_SECTOR;
		io->iov[i].iov_len = (s->last - s->first + 1u) * BLK_SECTOR;
	}
	io->job.niov = (int)io->nr_pages;
	return 0;
}

static int use_bounce(struct blk_io *io)
{
	size_t len = (size_t)io->req.nr_sectors * BLK_SECTOR;

	/* Aligned for direct I/O. */
	if (posix_memalign((void **)&io->bounce, 4096, len)) {
		io->bounce = NULL;
		return -ENOMEM;
	}
	io->iov[0] = (struct iovec){ io->bounce, len };
	io->job.niov = 1;
	return io->req.op == BLKIF_OP_READ ? 0 : copy_data(io, false);
}

/* Direct I/O has rules about where data lies, in the file and in memory. */
static bool direct_ok(const struct vbd *v, const struct blk_job *j)
{
	uint64_t all = j->offset;

	if (v->direct_fd < 0)
		return false;
	for (int i = 0; i < j->niov; i++)
		all |= (uintptr_t)j->iov[i].iov_base | j->iov[i].iov_len;
	return !(all & (v->direct_align - 1));
}

static void fill_job(struct blk_io *io)
{
	struct vbd *v = io->ring->vbd;
	struct blk_job *j = &io->job;

	j->fd = v->fd;
	j->is_device = v->is_device;
	j->secure = io->req.op == BLKIF_OP_DISCARD && io->req.discard_flag & BLKIF_DISCARD_SECURE;
	j->offset = io->req.sector * BLK_SECTOR;
	j->len = io->req.nr_sectors * BLK_SECTOR;
	j->iov = io->iov;
	j->flush = io->req.op == BLKIF_OP_FLUSH_DISKCACHE;
	j->done = done;
	if (io->req.op == BLKIF_OP_READ)
		j->kind = BLK_JOB_READ;
	else if (io->req.op == BLKIF_OP_DISCARD)
		j->kind = BLK_JOB_DISCARD;
	else
		j->kind = io->req.nr_sectors ? BLK_JOB_WRITE : BLK_JOB_FLUSH;
}

static int check(struct vbd *v, struct blk_request *q)
{
	int status = blk_request_check(q, v->sectors, v->spec.readonly);

	if (status)
		return status;
	if (v->unsynced && q->op != BLKIF_OP_READ)
		return BLKIF_RSP_ERROR;
	if (!blk_request_aligned(q, v->sector_size))
		return BLKIF_RSP_ERROR;
	if (q->op != BLKIF_OP_DISCARD)
		return BLKIF_RSP_OKAY;
	if (!v->can_discard || (q->discard_flag & BLKIF_DISCARD_SECURE && !v->can_secure))
		return BLKIF_RSP_EOPNOTSUPP;
	return q->nr_sectors ? BLKIF_RSP_OKAY : BLKIF_RSP_ERROR;
}

/* Status to answer with; 0: it is under way. -EAGAIN: later. */
static int start(struct blk_io *io)
{
	struct vbd *v = io->ring->vbd;
	int rc = fetch_segments(v, &io->req);

	if (rc)
		return rc == -EAGAIN || rc == -ENOMEM ? -EAGAIN : BLKIF_RSP_ERROR;
	rc = check(v, &io->req);
	if (rc)
		return rc;
	fill_job(io);
	if (io->req.nr_segments)
		rc = v->persistent ? use_pages(io) : use_bounce(io);
	if (rc)
		return rc == -EAGAIN || rc == -ENOMEM ? -EAGAIN : BLKIF_RSP_ERROR;
	io->job.data_fd = direct_ok(v, &io->job) ? v->direct_fd : v->fd;
	v->inflight_bytes += io->req.nr_segments ? io->req.nr_sectors * BLK_SECTOR : 0;
	v->inflight++;
	if (v->nbd)
		blk_nbd_submit(v->nbd, &io->job);
	else
		blk_pool_submit(v->pool, &io->job);
	return 0;
}

/* False: it waits for a completion. */
static bool begin(struct vbd_ring *r, struct blk_io *io)
{
	int status = start(io);

	r->held = NULL;
	if (!status)
		return true;
	/* BLKIF_RSP_ERROR is -1, BLKIF_RSP_EOPNOTSUPP -2: no errno of ours has these here. */
	if (status == -EAGAIN && r->vbd->inflight) {
		r->held = io;
		return false;
	}
	answer(r, &io->req, status == -EAGAIN ? BLKIF_RSP_ERROR : status);
	free_io(io);
	return true;
}

/* Without memory: false, it goes back to the ring, until one that is under way is done; or it fails, where there is none. */
static bool do_without(struct vbd_ring *r, const union blkif_sring_entry *e)
{
	struct blk_request q = { 0 };
	int status;

	if (r->vbd->inflight) {
		blk_ring_untake(&r->ring, r->ring.taken);
		return false;
	}
	status = blk_request_parse(e, &q);
	q.kept = r->ring.taken;
	answer(r, &q, status ? status : BLKIF_RSP_ERROR);
	count(&r->vbd->stats, &q, true);
	return true;
}

/* False: later. */
static bool take_one(struct vbd_ring *r, const union blkif_sring_entry *e)
{
	struct blk_io *io = calloc(1, sizeof(*io));
	int status;

	if (!io)
		return do_without(r, e);
	io->ring = r;
	status = blk_request_parse(e, &io->req);
	io->req.kept = r->ring.taken;
	if (status) {
		answer(r, &io->req, status);
		free_io(io);
	} else {
		(void)begin(r, io);
	}
	return true;
}

/* 1: nothing is left to do now; 0: more; negative: the connection cannot go on. */
static int take_some(struct vbd_ring *r)
{
	union blkif_sring_entry e;
	int rc;

	if (r->held && !begin(r, r->held))
		return 1;
	for (unsigned int i = 0; i < ROUND; i++) {
		if (r->held || r->vbd->inflight >= VBD_MAX_INFLIGHT || r->vbd->inflight_bytes >= VBD_MAX_BYTES)
			return 1; /* a completion carries on */
		rc = blk_ring_take(&r->ring, &e);
		if (rc == -EAGAIN)
			return 1;
		if (rc < 0)
			return rc;
		evtchn_expect(r->vbd->x.d, r->port);
		if (!rc && blk_ring_idle(&r->ring))
			return 1;
		if (rc && !take_one(r, &e))
			return 1;
	}
	return 0;
}

void vbd_serve(void *data)
{
	struct vbd_ring *r = data;
	struct vbd *v = r->vbd;
	int rc;

	if (!xenbus_dev_serves(&v->x) || mbox_defer(&v->x.d->mbox, &r->task))
		return;
	rc = take_some(r);
	if (rc < 0) {
		xenbus_dev_fail(&v->x, "impossible ring indices");
		return;
	}
	push(r);
	if (!rc)
		loop_task_post_last(&v->x.d->loop, &r->task);
}
