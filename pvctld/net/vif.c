/* SPDX-License-Identifier: MIT */
/* Network interfaces as a kind of device. */
#include "pvctld/net/vif.h"
#include "pvctld/backend/device.h"
#include "pvctld/base/log.h"
#include "pvctld/domain/domains.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_VIFS 64u /* of a domain */

/* What a client leaves open it plans before it asks: a MAC must be the same after a restart. */
static int parse(const char *text, struct vif_spec *ret, struct pvctl_error *err)
{
	int rc = vif_spec_parse(text, ret, err);

	if (!rc && (!ret->has_devid || !ret->has_mac || ret->kind == VIF_AUTO))
		rc = fail(err, -EINVAL, "vif \"%.600s\": devid, mac and kind are to be chosen before it is attached", text);
	if (!rc && ret->mac[0] & 1)
		rc = fail(err, -EINVAL, "vif \"%.600s\": the mac is a multicast address", text);
	return rc;
}

static int spec_devid(const char *text, uint32_t *ret, struct pvctl_error *err)
{
	struct vif_spec s;
	int rc = parse(text, &s, err);

	if (!rc)
		*ret = s.devid;
	return rc;
}

static int create(struct dom *dom, const char *text, struct xenbus_dev **ret, struct pvctl_error *err)
{
	struct vif *v = calloc(1, sizeof(*v));
	struct net_link_user user = { .deliver = vif_deliver, .data = v };
	char name[16];
	int rc;

	if (!v)
		return fail(err, -ENOMEM, "no memory");
	rc = parse(text, &v->spec, err);
	if (rc) {
		free(v);
		return rc;
	}
	snprintf(name, sizeof(name), "%u", v->spec.devid);
	xenbus_dev_init(&v->x, dom->d, &vif_ops, dom->domid, v->spec.devid, name);
	loop_timer_init(&v->rate_timer, NULL, NULL);
	loop_task_init(&v->mcast_task, NULL, NULL);
	/* Once: a frontend that connects again gets nothing anew. */
	net_rate_init(&v->rate, v->spec.rate_bytes, v->spec.rate_us, now_ns());
	rc = net_link_open(dom->d, &v->spec, dom->domid, &user, &v->link, err);
	if (rc)
		xenbus_dev_free(&v->x);
	else
		*ret = &v->x;
	return rc;
}

static void free_vif(struct xenbus_dev *x)
{
	struct vif *v = vif_of(x);

	if (v->link)
		v->link->ops->close(v->link);
	free(v);
}

static const char *kind_name(enum vif_kind kind)
{
	return kind == VIF_USER ? "user" : kind == VIF_SWITCH ? "switch" : "tap";
}

static void row(const struct xenbus_dev *x, void *data)
{
	const struct vif *v = list_entry(x, struct vif, x);
	const struct vif_queue *q = &v->queue[0];
	bool up = x->up == XENBUS_UP;
	struct pvctl_vif_info *r = data;

	r->domid = x->domid;
	r->devid = x->devid;
	r->state = x->state;
	r->queues = v->nr_queues;
	r->mtu = v->spec.mtu ? v->spec.mtu : VIF_DEFAULT_MTU;
	r->tx_event_channel = up ? (int32_t)q->tx_port : -1;
	r->rx_event_channel = up ? (int32_t)q->rx_port : -1;
	r->tx_ring_ref = up ? (int32_t)q->tx_ref : -1;
	r->rx_ring_ref = up ? (int32_t)q->rx_ref : -1;
	memcpy(r->mac, v->spec.mac, sizeof(r->mac));
	snprintf(r->link, sizeof(r->link), "%s", kind_name(v->spec.kind));
	snprintf(r->bridge, sizeof(r->bridge), "%s", v->spec.bridge);
	snprintf(r->backend_path, sizeof(r->backend_path), "%s", x->back);
	r->tx_bytes = v->tx.bytes;
	r->tx_packets = v->tx.packets;
	r->tx_drops = v->tx.drops;
	r->tx_gso_packets = v->tx.gso_packets;
	r->rx_bytes = v->rx.bytes;
	r->rx_packets = v->rx.packets;
	r->rx_drops = v->rx.drops;
	r->rx_gso_packets = v->rx.gso_packets;
}

const struct xenbus_ops vif_ops = {
	.type = "vif", .what = "network interface", .put_backend = vif_put_backend, .put_frontend = vif_put_frontend,
	.connect = vif_connect, .disconnect = vif_disconnect, .free = free_vif,
	.quiesce = vif_quiesce, .thaw = vif_thaw,
};
const struct device_class vif_class = {
	.key = "vif", .row_size = sizeof(struct pvctl_vif_info), .max = MAX_VIFS, .ops = &vif_ops,
	.devid = spec_devid, .create = create, .row = row,
};
