/* SPDX-License-Identifier: MIT */
/* A share's rings, from what its frontend tells to their end. */
#include "pvctld/base/log.h"
#include "pvctld/p9/share.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xen/xen.h>
#include <xen/io/9pfs.h>

static void on_event(void *data)
{
	struct share_ring *r = data;

	/* Not at once: a guest that rings all the time gets one turn per round. */
	loop_task_post(&r->share->x.d->loop, &r->share->task);
}

/* The first page says what the others are: looked at once. */
static int map_data(struct share *s, struct share_ring *r)
{
	struct xen_9pfs_data_intf *intf = r->page.at;
	uint32_t refs[1u << P9_MAX_ORDER];
	uint32_t order = __atomic_load_n(&intf->ring_order, __ATOMIC_ACQUIRE);
	int rc;

	if (!order || order > P9_MAX_ORDER)
		return -EINVAL;
	for (unsigned int i = 0; i < 1u << order; i++)
		refs[i] = __atomic_load_n(&intf->ref[i], __ATOMIC_RELAXED);
	rc = gnt_window_map(s->x.d, s->x.domid, refs, 1u << order, &r->data);
	if (!rc)
		p9_ring_init(&r->ring, intf, r->data.at, order);
	return rc;
}

static int start_ring(struct share *s, unsigned int n)
{
	struct share_ring *r = &s->ring[n];
	uint32_t ref, remote;
	char node[32];
	int rc;

	memset(r, 0, sizeof(*r));
	r->share = s;
	snprintf(node, sizeof(node), "ring-ref%u", n);
	rc = xenbus_read_u32(&s->x, node, &ref);
	snprintf(node, sizeof(node), "event-channel-%u", n);
	rc = rc ? rc : xenbus_read_u32(&s->x, node, &remote);
	rc = rc ? rc : gnt_window_map(s->x.d, s->x.domid, &ref, 1, &r->page);
	rc = rc ? rc : map_data(s, r);
	return rc ? rc : evtchn_bind_interdomain(s->x.d, s->x.domid, remote, on_event, r, &r->port);
}

static void close_rings(struct share *s)
{
	for (unsigned int i = 0; i < s->nr_rings; i++) {
		struct share_ring *r = &s->ring[i];

		if (r->port)
			evtchn_close(s->x.d, r->port);
		gnt_window_unmap(s->x.d, &r->data);
		gnt_window_unmap(s->x.d, &r->page);
	}
	s->nr_rings = 0;
}

_Static_assert(sizeof(struct share_kept) <= STATE_SLOT_BYTES, "a share's memory");

static int keep(struct share *s)
{
	char key[STATE_SLOT_KEY];
	struct share_kept *k;
	bool is_new;

	snprintf(key, sizeof(key), "p9/%u/%u", s->x.domid, s->x.devid);
	k = s->kept = state_slot(&s->x.d->state, key, &is_new);
	if (!k)
		return -ENOMEM;
	if (!s->x.resuming || is_new) {
		memset(k, 0, sizeof(*k));
		for (unsigned int i = 0; i < s->nr_rings; i++)
			k->v[0].out_cons[i] = s->ring[i].ring.out_cons;
		return 0;
	}
	s->inflight = k->v[k->current & 1].inflight;
	if (s->inflight.n > P9_MAX_INFLIGHT)
		s->inflight.n = 0;
	for (unsigned int i = 0; i < s->nr_rings; i++) {
		s->ring[i].ring.out_cons = k->v[k->current & 1].out_cons[i];
		p9_ring_took(&s->ring[i].ring);
		evtchn_send(s->x.d, s->ring[i].port);
	}
	loop_task_post(&s->x.d->loop, &s->task);
	return 0;
}

int share_connect(struct xenbus_dev *x)
{
	struct share *s = share_of(x);
	uint32_t rings = 0;
	char *version = xenbus_read(x, "version");
	bool known = version && !strcmp(version, "1");
	int rc = xenbus_read_u32(x, "num-rings", &rings);

	free(version);
	if (rc || !known || !rings || rings > P9_MAX_RINGS) {
		log_guest(x->domid, "p9 share %s: the frontend wants what was not offered", x->name);
		return -EINVAL;
	}
	for (unsigned int i = 0; i < rings && !rc; i++) {
		s->nr_rings = i + 1;
		rc = start_ring(s, i);
	}
	rc = rc ? rc : keep(s);
	if (rc)
		close_rings(s);
	return rc;
}

/* What it was asked stays with its server: a guest that is suspended makes no room for replies. */
bool share_quiesce(struct xenbus_dev *x)
{
	struct share *s = share_of(x);

	if (s->server)
		p9_server_want(s->server, false, false);
	return true;
}

/* Open files and what is not answered yet are its server's. */
int share_may_move(struct xenbus_dev *x, struct pvctl_error *err)
{
	if (!share_of(x)->server)
		return 0;
	return fail(err, -EBUSY, "p9 share %s is mounted, and a mount cannot be moved: have the guest unmount it", x->name);
}

void share_thaw(struct xenbus_dev *x)
{
	struct share *s = share_of(x);

	loop_task_post(&s->x.d->loop, &s->task);
}

bool share_disconnect(struct xenbus_dev *x)
{
	struct share *s = share_of(x);

	p9_server_stop(s->server);
	s->server = NULL;
	loop_task_cancel(&s->task);
	loop_timer_cancel(&s->again);
	close_rings(s);
	state_slot_free(&s->x.d->state, s->kept);
	s->kept = NULL;
	s->inflight.n = 0;
	s->tx_at = s->tx_len = s->rx_len = 0;
	return true;
}
