/* SPDX-License-Identifier: MIT */
/* feature-multicast-control: a guest's list of the multicast addresses that it wants. */
#include "pvctld/net/vif.h"
#include <stdio.h>
#include <string.h>

static int find(const struct vif *v, const uint8_t addr[6])
{
	for (unsigned int i = 0; i < v->nr_mcast; i++)
		if (!memcmp(v->mcast[i], addr, 6))
			return (int)i;
	return -1;
}

bool vif_mcast_change(struct vif *v, bool add, const uint8_t addr[6])
{
	int at = find(v, addr);

	if (!(addr[0] & 1))
		return false;
	if (add && at < 0) {
		if (v->nr_mcast >= VIF_MCAST_MAX)
			return false;
		memcpy(v->mcast[v->nr_mcast++], addr, 6);
	} else if (!add && at >= 0) {
		memmove(v->mcast[at], v->mcast[--v->nr_mcast], 6);
	}
	return true;
}

bool vif_mcast_unwanted(const struct vif *v, const uint8_t addr[6])
{
	static const uint8_t broadcast[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

	return v->mcast_filter && addr[0] & 1 && memcmp(addr, broadcast, 6) && find(v, addr) < 0;
}

static void look(void *data)
{
	struct vif *v = data;
	uint32_t n = 0;

	v->mcast_filter = !v->mcast_lost && !xenbus_read_u32(&v->x, "request-multicast-control", &n) && n;
}

/* The store does not want to be read from a watch. */
static void on_change(void *data)
{
	struct vif *v = data;

	loop_task_post(&v->x.d->loop, &v->mcast_task);
}

void vif_mcast_start(struct vif *v)
{
	v->nr_mcast = 0;
	v->mcast_lost = v->x.resuming;
	loop_task_init(&v->mcast_task, look, v);
	snprintf(v->mcast_path, sizeof(v->mcast_path), "%s/request-multicast-control", v->x.front);
	v->mcast_watch = (struct store_watch){ .path = v->mcast_path, .fn = on_change, .data = v };
	store_watch(v->x.d->store, &v->mcast_watch);
	look(v);
}

void vif_mcast_stop(struct vif *v)
{
	if (v->x.d->store)
		store_unwatch(v->x.d->store, &v->mcast_watch);
	loop_task_cancel(&v->mcast_task);
	v->mcast_filter = false;
}
