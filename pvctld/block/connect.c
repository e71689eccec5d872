/* SPDX-License-Identifier: MIT */
/* A disk's rings, from what its frontend tells to their end. */
#include "pvctld/block/vbd.h"
#include "pvctld/log.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

static void on_event(void *data)
{
	struct vbd_ring *r = data;

	/* Not at once: a guest that rings all the time gets one turn per round. */
	loop_task_post(&r->vbd->d->loop, &r->task);
}

static int read_refs(struct vbd *v, const char *dir, unsigned int order, uint32_t refs[BLK_MAX_PAGES])
{
	char node[48];
	int rc = 0;

	if (!order) {
		snprintf(node, sizeof(node), "%sring-ref", dir);
		if (!vbd_read_u32(v, node, &refs[0]))
			return 0;
	}
	for (unsigned int i = 0; i < 1u << order && !rc; i++) {
		snprintf(node, sizeof(node), "%sring-ref%u", dir, i);
		rc = vbd_read_u32(v, node, &refs[i]);
	}
	return rc;
}

static int start_ring(struct vbd *v, struct vbd_ring *r, const char *dir, unsigned int order)
{
	uint32_t refs[BLK_MAX_PAGES], remote;
	char node[48];
	int rc = read_refs(v, dir, order, refs);

	snprintf(node, sizeof(node), "%sevent-channel", dir);
	rc = rc ? rc : vbd_read_u32(v, node, &remote);
	rc = rc ? rc : blk_window_map(v->d, v->domid, refs, 1u << order, &r->window);
	if (rc)
		return rc;
	r->vbd = v;
	r->ref = refs[0];
	r->port = 0;
	r->held = NULL;
	loop_task_init(&r->task, vbd_serve, r);
	blk_ring_init(&r->ring, r->window.at, r->window.pages);
	rc = evtchn_bind_interdomain(v->d, v->domid, remote, on_event, r, &r->port);
	if (rc)
		blk_window_unmap(v->d, &r->window);
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

int vbd_connect(struct vbd *v)
{
	uint32_t queues = 1, order = 0, persistent = 0;
	int rc;

	(void)vbd_read_u32(v, "multi-queue-num-queues", &queues);
	(void)vbd_read_u32(v, "ring-page-order", &order);
	(void)vbd_read_u32(v, "feature-persistent", &persistent);
	if (!queues || queues > VBD_MAX_RINGS || order > BLK_MAX_ORDER || !vbd_protocol_ok(v)) {
		log_guest(v->domid, "disk %s: the frontend wants what was not offered", v->spec.vdev_name);
		return -EINVAL;
	}
	v->persistent = persistent != 0;
	blk_table_init(&v->table, v->d, v->domid);
	rc = start_rings(v, queues, order);
	v->up = VBD_UP;
	if (rc) {
		log_guest(v->domid, "disk %s cannot be connected: %s", v->spec.vdev_name, strerror(-rc));
		vbd_disconnect(v);
	}
	return rc;
}

void vbd_let_go(struct vbd *v)
{
	for (unsigned int i = 0; i < v->nr_rings; i++)
		blk_window_unmap(v->d, &v->ring[i].window);
	v->nr_rings = 0;
	blk_table_clear(&v->table);
	v->up = VBD_DOWN;
}

void vbd_disconnect(struct vbd *v)
{
	if (v->up != VBD_UP)
		return;
	v->up = VBD_DRAINING;
	for (unsigned int i = 0; i < v->nr_rings; i++) {
		struct vbd_ring *r = &v->ring[i];

		evtchn_close(v->d, r->port);
		r->port = 0;
		loop_task_cancel(&r->task);
		vbd_drop_held(r);
	}
	if (!v->inflight)
		vbd_let_go(v);
}
