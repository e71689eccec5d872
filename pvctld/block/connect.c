/* SPDX-License-Identifier: MIT */
/* A disk's rings, from what its frontend tells to their end. */
#include "pvctld/base/log.h"
#include "pvctld/block/nbd.h"
#include "pvctld/block/vbd.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void on_event(void *data)
{
	struct vbd_ring *r = data;

	/* Not at once: a guest that rings all the time gets one turn per round. */
	loop_task_post(&r->vbd->x.d->loop, &r->task);
}

static bool waits(struct watched *w)
{
	return blk_ring_waits(&list_entry(w, struct vbd_ring, watched)->ring);
}

static bool arm(struct watched *w)
{
	return blk_ring_idle(&list_entry(w, struct vbd_ring, watched)->ring);
}

static int read_refs(struct vbd *v, const char *dir, unsigned int order, uint32_t refs[BLK_MAX_PAGES])
{
	char node[48];
	int rc = 0;

	if (!order) {
		snprintf(node, sizeof(node), "%sring-ref", dir);
		if (!xenbus_read_u32(&v->x, node, &refs[0]))
			return 0;
	}
	for (unsigned int i = 0; i < 1u << order && !rc; i++) {
		snprintf(node, sizeof(node), "%sring-ref%u", dir, i);
		rc = xenbus_read_u32(&v->x, node, &refs[i]);
	}
	return rc;
}

_Static_assert(sizeof(struct blk_kept) <= STATE_SLOT_BYTES, "a ring's memory");

/* Without room it is served all the same, and not adopted: who comes later would not know what was answered. */
static int keep(struct vbd *v, struct vbd_ring *r)
{
	char key[STATE_SLOT_KEY];
	bool is_new;

	snprintf(key, sizeof(key), "vbd/%u/%u/%u", v->x.domid, v->x.devid, (unsigned int)(r - v->ring));
	r->kept = state_slot(&v->x.d->state, key, &is_new);
	if (v->x.resuming && (!r->kept || is_new))
		return -ENOSPC;
	if (!r->kept)
		return 0;
	blk_ring_keep(&r->ring, r->kept, v->x.resuming && !is_new);
	v->unsynced |= r->kept->unsynced != 0;
	r->kept->unsynced = v->unsynced;
	return 0;
}

static void stop_ring(struct vbd *v, struct vbd_ring *r)
{
	gnt_window_unmap(v->x.d, &r->window);
	state_slot_free(&v->x.d->state, r->kept);
	r->kept = NULL;
}

static int start_ring(struct vbd *v, struct vbd_ring *r, const char *dir, unsigned int order)
{
	uint32_t refs[BLK_MAX_PAGES], remote;
	char node[48];
	int rc = read_refs(v, dir, order, refs);

	snprintf(node, sizeof(node), "%sevent-channel", dir);
	rc = rc ? rc : xenbus_read_u32(&v->x, node, &remote);
	rc = rc ? rc : gnt_window_map(v->x.d, v->x.domid, refs, 1u << order, &r->window);
	if (rc)
		return rc;
	r->vbd = v;
	r->ref = refs[0];
	r->port = 0;
	r->held = NULL;
	loop_task_init(&r->task, vbd_serve, r);
	r->task.brief = true;
	watched_init(&r->watched, &r->task, waits, arm);
	blk_ring_init(&r->ring, r->window.at, r->window.pages);
	rc = keep(v, r);
	rc = rc ? rc : evtchn_bind_interdomain(v->x.d, v->x.domid, remote, on_event, r, &r->port);
	if (rc)
		stop_ring(v, r);
	/* It may wait for an answer that was made before. */
	if (!rc && v->x.resuming) {
		(void)blk_ring_push(&r->ring);
		evtchn_send(v->x.d, r->port);
	}
	return rc;
}

static int start_rings(struct vbd *v, uint32_t queues, uint32_t order)
{
	char dir[24] = "";
	int rc = 0;

	for (v->nr_rings = 0; v->nr_rings < queues; v->nr_rings++) {
		if (queues > 1)
			snprintf(dir, sizeof(dir), "queue-%u/", v->nr_rings);
		rc = start_ring(v, &v->ring[v->nr_rings], dir, order);
		if (rc)
			return rc;
	}
	return 0;
}

static bool protocol_ok(struct vbd *v)
{
	char *text = xenbus_read(&v->x, "protocol");
	bool ok = !text || !strcmp(text, "x86_64-abi");

	free(text);
	return ok;
}

static void close_rings(struct vbd *v)
{
	for (unsigned int i = 0; i < v->nr_rings; i++) {
		struct vbd_ring *r = &v->ring[i];

		evtchn_close(v->x.d, r->port);
		r->port = 0;
		watched_del(v->x.d, &r->watched);
		loop_task_cancel(&r->task);
		vbd_drop_held(r);
	}
}

int vbd_connect(struct xenbus_dev *x)
{
	uint32_t queues = 1, order = 0, persistent = 0;
	struct vbd *v = vbd_of(x);
	int rc;

	if (v->broken)
		return -EIO;
	(void)xenbus_read_u32(x, "multi-queue-num-queues", &queues);
	(void)xenbus_read_u32(x, "ring-page-order", &order);
	(void)xenbus_read_u32(x, "feature-persistent", &persistent);
	if (!queues || queues > VBD_MAX_RINGS || order > BLK_MAX_ORDER || !protocol_ok(v)) {
		log_guest(x->domid, "disk %s: the frontend wants what was not offered", x->name);
		return -EINVAL;
	}
	v->persistent = persistent != 0;
	gnt_table_init(&v->table, x->d, x->domid);
	rc = start_rings(v, queues, order);
	if (rc) {
		close_rings(v);
		vbd_let_go(v);
	}
	return rc;
}

void vbd_let_go(struct vbd *v)
{
	for (unsigned int i = 0; i < v->nr_rings; i++)
		stop_ring(v, &v->ring[i]);
	v->nr_rings = 0;
	gnt_table_clear(&v->table);
}

bool vbd_disconnect(struct xenbus_dev *x)
{
	struct vbd *v = vbd_of(x);

	close_rings(v);
	if (v->inflight && v->nbd)
		blk_nbd_hurry(v->nbd, true);
	if (v->inflight)
		return false;
	vbd_let_go(v);
	return true;
}
