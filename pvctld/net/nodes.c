/* SPDX-License-Identifier: MIT */
/* What a vif's directories in the store have beyond the common nodes, as xen/io/netif.h describes it. */
#include "pvctld/base/log.h"
#include "pvctld/net/vif.h"
#include <errno.h>
#include <stdio.h>

#define MAC_FMT "%02x:%02x:%02x:%02x:%02x:%02x"
#define MAC_ARG(m) (m)[0], (m)[1], (m)[2], (m)[3], (m)[4], (m)[5]

static int put_features(struct xenbus_dev *x)
{
	static const char *const on[] = {
		"feature-sg", "feature-gso-tcpv4", "feature-gso-tcpv6", "feature-ipv6-csum-offload", "feature-rx-copy",
		"feature-split-event-channels", "feature-multicast-control", "feature-dynamic-multicast-control",
	};
	int rc = 0;

	for (unsigned int i = 0; !rc && i < sizeof(on) / sizeof(on[0]); i++)
		rc = xenbus_put(x, x->back, on[i], "1");
	rc = rc ? rc : xenbus_put(x, x->back, "feature-rx-flip", "0");
	return rc ? rc : xenbus_put(x, x->back, "multi-queue-max-queues", "%u", VIF_MAX_QUEUES);
}

/* Nothing: nor may it be there for the script of the last one with this number. */
static int put_word(struct xenbus_dev *x, const char *node, const char *value)
{
	char path[128];

	if (value[0])
		return xenbus_put(x, x->back, node, "%s", value);
	snprintf(path, sizeof(path), "%s/%s", x->back, node);
	return store_rm(x->d->store, path);
}

int vif_put_backend(struct xenbus_dev *x)
{
	struct net_link *l = vif_of(x)->link;
	const struct vif_spec *s = &vif_of(x)->spec;
	int rc = xenbus_put(x, x->back, "handle", "%u", x->devid);

	rc = rc ? rc : xenbus_put(x, x->back, "mac", MAC_FMT, MAC_ARG(s->mac));
	rc = rc ? rc : xenbus_put(x, x->back, "type", "vif");
	rc = rc ? rc : put_word(x, "bridge", s->bridge);
	rc = rc ? rc : put_word(x, "script", s->script);
	rc = rc ? rc : put_word(x, "ip", s->ip);
	rc = rc ? rc : put_word(x, "vifname", s->vifname);
	rc = rc ? rc : put_word(x, "gatewaydev", s->gatewaydev);
	if (!rc && s->rate_bytes)
		rc = xenbus_put(x, x->back, "rate", "%llu,%u", (unsigned long long)s->rate_bytes, s->rate_us);
	rc = rc ? rc : put_features(x);
	if (!rc && l->ops->begin)
		l->ops->begin(l);
	/* A tap and user-mode network tell themselves when they are up, or why not: links.h. */
	return rc || s->kind != VIF_SWITCH ? rc : xenbus_put(x, x->back, "hotplug-status", "connected");
}

int vif_put_frontend(struct xenbus_dev *x)
{
	const struct vif_spec *s = &vif_of(x)->spec;
	int rc = xenbus_put(x, x->front, "handle", "%u", x->devid);

	rc = rc ? rc : xenbus_put(x, x->front, "mac", MAC_FMT, MAC_ARG(s->mac));
	rc = rc ? rc : xenbus_put(x, x->front, "mtu", "%u", s->mtu ? s->mtu : VIF_DEFAULT_MTU);
	return rc ? rc : xenbus_put(x, x->front, "trusted", s->trusted ? "1" : "0");
}

static bool flag(struct vif *v, const char *node)
{
	uint32_t n = 0;

	return !xenbus_read_u32(&v->x, node, &n) && n;
}

int vif_read_features(struct vif *v)
{
	struct vif_features *c = &v->can;

	if (!flag(v, "request-rx-copy")) {
		log_guest(v->x.domid, "network interface %s: the frontend does not let its packets be copied", v->x.name);
		return -EOPNOTSUPP;
	}
	c->sg = flag(v, "feature-sg");
	c->gso4 = c->sg && flag(v, "feature-gso-tcpv4");
	c->gso6 = c->sg && flag(v, "feature-gso-tcpv6");
	c->csum4 = !flag(v, "feature-no-csum-offload");
	c->csum6 = flag(v, "feature-ipv6-csum-offload");
	c->rx_notify = flag(v, "feature-rx-notify");
	/* A segment list is worth nothing to who cannot complete checksums. */
	c->gso4 = c->gso4 && c->csum4;
	c->gso6 = c->gso6 && c->csum6;
	return 0;
}
