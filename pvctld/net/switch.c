/* SPDX-License-Identifier: MIT */
/*
 * The node's own switches: domains whose vifs name the same one reach each
 * other, and nobody else. The address that a vif has in the store is its own:
 * frames from another port that claim it go nowhere.
 */
#include "libpvctl/src/device/vif_spec.h"
#include "pvctld/base/list.h"
#include "pvctld/base/log.h"
#include "pvctld/net/learn.h"
#include "pvctld/net/links.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_PORTS 256u /* of a switch: what a flood costs at most */

struct net_switch {
	struct list link;
	char name[16];
	unsigned int nr_ports;
	struct list ports;
};
struct port {
	struct net_link link;
	struct list of_switch;
	struct net_switch *sw;
	struct net_link_user user;
	uint32_t domid;
	uint8_t mac[6];
	bool up;
	struct learn_table learned;
};

static struct list switches = { &switches, &switches };

static struct port *port_of(struct net_link *l)
{
	return list_entry(l, struct port, link);
}

/* Whose address it is: by the store first, then by what was heard. */
static struct port *owner(const struct net_switch *sw, const uint8_t *mac, uint64_t now)
{
	list_for(p, &sw->ports) {
		struct port *port = list_entry(p, struct port, of_switch);

		if (!memcmp(port->mac, mac, 6))
			return port;
	}
	list_for(p, &sw->ports) {
		struct port *port = list_entry(p, struct port, of_switch);

		if (learn_has(&port->learned, mac, now))
			return port;
	}
	return NULL;
}

static bool source_ok(struct port *port, const uint8_t *mac, uint64_t now)
{
	static const uint8_t zero[6];
	const struct port *other;

	if (!memcmp(port->mac, mac, 6))
		return true;
	if (mac[0] & 1 || !memcmp(mac, zero, 6))
		return false;
	other = owner(port->sw, mac, now);
	if (other && other != port)
		return false;
	learn_note(&port->learned, mac, now);
	return true;
}

/* IEEE 802.1D: addresses that stay on one segment. */
static bool stays_here(const uint8_t *mac)
{
	static const uint8_t prefix[5] = { 0x01, 0x80, 0xc2, 0x00, 0x00 };

	return !memcmp(mac, prefix, 5) && mac[5] < 16;
}

static void give(struct port *to, const struct net_frame *f)
{
	/* Who has no room loses it, and counts it; nobody else waits. */
	if (to->up)
		(void)to->user.deliver(to->user.data, f);
}

static void flood(struct port *from, const struct net_frame *f)
{
	list_for(p, &from->sw->ports) {
		struct port *to = list_entry(p, struct port, of_switch);

		if (to != from)
			give(to, f);
	}
}

static void port_send(struct net_link *l, const struct net_frame *f)
{
	struct port *from = port_of(l), *to;
	uint64_t now = now_ns();

	if (f->len < NET_FRAME_MIN || stays_here(f->data) || !source_ok(from, f->data + 6, now))
		return;
	to = f->data[0] & 1 ? NULL : owner(from->sw, f->data, now);
	if (!to)
		flood(from, f);
	else if (to != from)
		give(to, f);
}

static void port_ready(struct net_link *l)
{
	(void)l; /* nothing was kept */
}

static void port_carrier(struct net_link *l, bool up)
{
	port_of(l)->up = up;
}

static void port_close(struct net_link *l)
{
	struct port *port = port_of(l);
	struct net_switch *sw = port->sw;

	list_del(&port->of_switch);
	free(port);
	if (!--sw->nr_ports) {
		list_del(&sw->link);
		free(sw);
	}
}

static const struct net_link_ops port_ops = {
	.send = port_send, .ready = port_ready, .carrier = port_carrier, .close = port_close,
};

static struct net_switch *find_switch(const char *name)
{
	list_for(p, &switches) {
		struct net_switch *sw = list_entry(p, struct net_switch, link);

		if (!strcmp(sw->name, name))
			return sw;
	}
	return NULL;
}

static struct net_switch *get_switch(const char *name)
{
	struct net_switch *sw = find_switch(name);

	if (sw)
		return sw;
	sw = calloc(1, sizeof(*sw));
	if (!sw)
		return NULL;
	snprintf(sw->name, sizeof(sw->name), "%s", name);
	list_init(&sw->ports);
	list_add_tail(&switches, &sw->link);
	return sw;
}

static int check_port(const struct net_switch *sw, const struct vif_spec *s, struct pvctl_error *err)
{
	if (sw->nr_ports >= MAX_PORTS)
		return fail(err, -E2BIG, "vif %u: switch %s has %u ports already", s->devid, sw->name, MAX_PORTS);
	list_for(p, &sw->ports) {
		const struct port *port = list_entry(p, struct port, of_switch);

		if (!memcmp(port->mac, s->mac, 6))
			return fail(err, -EEXIST, "vif %u: domain %u has this mac on switch %s already: give mac=",
				    s->devid, port->domid, sw->name);
	}
	return 0;
}

int net_switch_open(struct daemon *d, const struct vif_spec *s, uint32_t domid, const struct net_link_user *user,
		    struct net_link **ret, struct pvctl_error *err)
{
	struct net_switch *sw = find_switch(s->bridge);
	int rc = sw ? check_port(sw, s, err) : 0;
	struct port *port;

	if (rc)
		return rc;
	port = calloc(1, sizeof(*port));
	sw = port ? get_switch(s->bridge) : NULL;
	if (!sw) {
		free(port);
		return fail(err, -ENOMEM, "no memory");
	}
	port->link.ops = &port_ops;
	port->sw = sw;
	port->user = *user;
	port->domid = domid;
	memcpy(port->mac, s->mac, 6);
	list_add_tail(&sw->ports, &port->of_switch);
	sw->nr_ports++;
	*ret = &port->link;
	return 0;
}
