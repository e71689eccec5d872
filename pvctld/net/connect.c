/* SPDX-License-Identifier: MIT */
/* A vif's rings, from what its frontend tells to their end. */
#include "pvctld/base/log.h"
#include "pvctld/net/vif.h"
#include <errno.h>
#include <stdio.h>

/* Not at once: a guest that rings all the time gets one turn per round. */
static void on_tx_event(void *data)
{
	struct vif_queue *q = data;

	loop_task_post(&q->vif->x.d->loop, &q->tx_task);
}

static void on_rx_event(void *data)
{
	struct vif_queue *q = data;

	loop_task_post(&q->vif->x.d->loop, &q->rx_task);
}

static void on_event(void *data)
{
	on_tx_event(data);
	on_rx_event(data);
}

static void on_credit(void *data)
{
	struct vif *v = data;

	for (unsigned int i = 0; i < v->nr_queues; i++)
		on_tx_event(&v->queue[i]);
}

static bool waits(struct watched *w)
{
	return net_tx_waits(&list_entry(w, struct vif_queue, tx_watched)->tx);
}

static bool arm(struct watched *w)
{
	return net_tx_idle(&list_entry(w, struct vif_queue, tx_watched)->tx);
}

static int read_u32(struct vif_queue *q, const char *dir, const char *node, uint32_t *ret)
{
	char path[64];

	snprintf(path, sizeof(path), "%s%s", dir, node);
	return xenbus_read_u32(&q->vif->x, path, ret);
}

static int bind(struct vif_queue *q, const char *dir)
{
	struct xenbus_dev *x = &q->vif->x;
	uint32_t tx, rx;
	int rc;

	if (!read_u32(q, dir, "event-channel-tx", &tx)) {
		rc = read_u32(q, dir, "event-channel-rx", &rx);
		rc = rc ? rc : evtchn_bind_interdomain(x->d, x->domid, tx, on_tx_event, q, &q->tx_port);
		return rc ? rc : evtchn_bind_interdomain(x->d, x->domid, rx, on_rx_event, q, &q->rx_port);
	}
	rc = read_u32(q, dir, "event-channel", &tx);
	rc = rc ? rc : evtchn_bind_interdomain(x->d, x->domid, tx, on_event, q, &q->tx_port);
	q->rx_port = q->tx_port;
	return rc;
}

_Static_assert(sizeof(struct net_kept) <= STATE_SLOT_BYTES, "a queue's memory");

/* Without room it is served all the same, and not adopted. */
static void keep(struct vif_queue *q)
{
	struct xenbus_dev *x = &q->vif->x;
	char key[STATE_SLOT_KEY];
	bool is_new;

	snprintf(key, sizeof(key), "vif/%u/%u/%u", x->domid, x->devid, (unsigned int)(q - q->vif->queue));
	q->kept = state_slot(&x->d->state, key, &is_new);
	if (!q->kept)
		return;
	net_tx_keep(&q->tx, q->kept, x->resuming && !is_new);
	net_rx_keep(&q->rx, q->kept, x->resuming && !is_new);
}

static int start_queue(struct vif_queue *q, const char *dir)
{
	struct xenbus_dev *x = &q->vif->x;
	int rc = read_u32(q, dir, "tx-ring-ref", &q->tx_ref);

	rc = rc ? rc : read_u32(q, dir, "rx-ring-ref", &q->rx_ref);
	rc = rc ? rc : gnt_window_map(x->d, x->domid, &q->tx_ref, 1, &q->tx_window);
	rc = rc ? rc : gnt_window_map(x->d, x->domid, &q->rx_ref, 1, &q->rx_window);
	if (rc)
		return rc;
	net_tx_init(&q->tx, q->tx_window.at);
	net_rx_init(&q->rx, q->rx_window.at);
	keep(q);
	rc = bind(q, dir);
	if (!rc && x->resuming) {
		evtchn_send(x->d, q->tx_port);
		evtchn_send(x->d, q->rx_port);
	}
	return rc;
}

static void init_queue(struct vif *v, struct vif_queue *q)
{
	*q = (struct vif_queue){ .vif = v };
	list_init(&q->frames);
	loop_task_init(&q->tx_task, vif_tx_serve, q);
	loop_task_init(&q->rx_task, vif_rx_serve, q);
	q->tx_task.brief = q->rx_task.brief = true;
	watched_init(&q->tx_watched, &q->tx_task, waits, arm);
	loop_timer_init(&q->rx_poll, on_rx_event, q);
}

/* Of one that was started half way, too. */
static void stop_queue(struct vif_queue *q)
{
	struct daemon *d = q->vif->x.d;

	evtchn_close(d, q->tx_port);
	if (q->rx_port != q->tx_port)
		evtchn_close(d, q->rx_port);
	watched_del(d, &q->tx_watched);
	loop_task_cancel(&q->tx_task);
	loop_task_cancel(&q->rx_task);
	loop_timer_cancel(&q->rx_poll);
	vif_rx_drop_all(q);
	gnt_window_unmap(d, &q->tx_window);
	gnt_window_unmap(d, &q->rx_window);
	state_slot_free(&d->state, q->kept);
	q->kept = NULL;
}

static void stop_queues(struct vif *v)
{
	loop_timer_cancel(&v->rate_timer);
	vif_mcast_stop(v);
	for (unsigned int i = 0; i < v->nr_queues; i++)
		stop_queue(&v->queue[i]);
	v->nr_queues = 0;
}

static int start_queues(struct vif *v, uint32_t queues)
{
	char dir[24] = "";
	int rc = 0;

	while (!rc && v->nr_queues < queues) {
		struct vif_queue *q = &v->queue[v->nr_queues];

		if (queues > 1)
			snprintf(dir, sizeof(dir), "queue-%u/", v->nr_queues);
		init_queue(v, q);
		v->nr_queues++;
		rc = start_queue(q, dir);
	}
	return rc;
}

static void tell_link(struct vif *v, bool up)
{
	v->link->guest_csum = up && v->can.csum4 && v->can.csum6;
	v->link->guest_tso4 = up && v->can.gso4;
	v->link->guest_tso6 = up && v->can.gso6;
	v->link->ops->carrier(v->link, up);
}

/* What is taken from a ring is answered in the same turn: there is nothing under way. */
bool vif_quiesce(struct xenbus_dev *x)
{
	struct vif *v = vif_of(x);

	for (unsigned int i = 0; i < v->nr_queues; i++)
		watched_del(x->d, &v->queue[i].tx_watched);
	return true;
}

void vif_thaw(struct xenbus_dev *x)
{
	struct vif *v = vif_of(x);

	for (unsigned int i = 0; i < v->nr_queues; i++)
		on_event(&v->queue[i]);
}

int vif_connect(struct xenbus_dev *x)
{
	struct vif *v = vif_of(x);
	uint32_t queues = 1;
	int rc = xenbus_read_u32(x, "multi-queue-num-queues", &queues);

	if ((rc && rc != -ENOENT) || !queues || queues > VIF_MAX_QUEUES) {
		log_guest(x->domid, "network interface %s: the frontend wants more queues than were offered", x->name);
		return -EINVAL;
	}
	rc = vif_read_features(v);
	if (rc)
		return rc;
	loop_timer_init(&v->rate_timer, on_credit, v);
	v->link_waits = false;
	rc = start_queues(v, queues);
	if (rc) {
		stop_queues(v);
		return rc;
	}
	vif_mcast_start(v);
	tell_link(v, true);
	return 0;
}

bool vif_disconnect(struct xenbus_dev *x)
{
	struct vif *v = vif_of(x);

	/* First, so that the link finds nobody to deliver to. */
	tell_link(v, false);
	stop_queues(v);
	return true;
}
