/* SPDX-License-Identifier: MIT */
#include "pvctld/life/zombie.h"
#include "pvctld/core/daemon.h"
#include "pvctld/domain/domains.h"
#include "pvctld/hv/hvcall.h"
#include "pvctld/base/log.h"
#include <stdlib.h>
#include <xen/xen.h>
#include <xen/domctl.h>

/* The hypervisor does not tell when the last reference goes. */
#define LOOK_NS 500000000u

struct zombie {
	struct list link;
	uint32_t domid;
};

static bool is_there(struct daemon *d, uint32_t domid)
{
	struct xen_domctl_getdomaininfo info;

	return !hvc_get(d, domid, &info) && info.flags & XEN_DOMINF_dying;
}

void zombies_look(struct daemon *d)
{
	bool some_gone = false;

	if (list_empty(&d->zombies) || d->node.down || d->mbox.down)
		return;
	list_for_safe(p, &d->zombies) {
		struct zombie *z = list_entry(p, struct zombie, link);

		if (is_there(d, z->domid))
			continue;
		log_line("what was left of domain %u is gone", z->domid);
		list_del(&z->link);
		free(z);
		some_gone = true;
	}
	if (some_gone)
		store_fire_special(d->store, "@releaseDomain");
	if (!list_empty(&d->zombies))
		loop_timer_set(&d->loop, &d->zombie_timer, LOOK_NS);
}

static void look_now(struct mbox_call *call, int64_t ret, bool down)
{
	if (!down)
		zombies_look(call->data);
}

static void look(void *data)
{
	struct daemon *d = data;

	mbox_ask_once(&d->mbox, &d->zombie_call, look_now, d);
}

void zombie_or_gone(struct dom *dom)
{
	struct daemon *d = dom->d;
	uint32_t domid = dom->domid;
	struct zombie *z;

	dom_gone(dom);
	z = is_there(d, domid) ? calloc(1, sizeof(*z)) : NULL;
	if (!z) {
		store_fire_special(d->store, "@releaseDomain");
		return;
	}
	log_line("domain %u is destroyed, but others map its pages yet", domid);
	z->domid = domid;
	list_add_tail(&d->zombies, &z->link);
	loop_timer_set(&d->loop, &d->zombie_timer, LOOK_NS);
}

void zombies_init(struct daemon *d)
{
	list_init(&d->zombies);
	list_init(&d->zombie_call.link);
	loop_timer_init(&d->zombie_timer, look, d);
}

void zombies_fini(struct daemon *d)
{
	loop_timer_cancel(&d->zombie_timer);
	list_for_safe(p, &d->zombies) {
		list_del(p);
		free(list_entry(p, struct zombie, link));
	}
}
