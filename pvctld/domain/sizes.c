/* SPDX-License-Identifier: MIT */
#include "pvctld/domain/sizes.h"
#include "pvctld/core/daemon.h"
#include "pvctld/domain/domains.h"
#include "pvctld/domain/events.h"
#include "pvctld/hv/hvcall.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xen/xen.h>
#include <xen/domctl.h>

#define LOOK_NS 500000000ull
#define SIZES (PVCTL_EVENT_MEMORY | PVCTL_EVENT_VCPUS)
#define NEAR_PAGES 256u /* a balloon driver's own granularity, and what the hypervisor keeps for itself */

static void tell(const struct dom *dom, uint32_t type, uint64_t value)
{
	struct pvctl_event ev = { .type = type, .domid = dom->domid, .reason = PVCTL_REASON_NONE, .unique_id = dom->unique_id,
				  .value = value };

	memcpy(ev.name, dom->name, sizeof(ev.name));
	events_send(dom->d, &ev);
}

/* In pages; 0: it has none. */
static uint64_t target_of(const struct dom *dom)
{
	char path[64], *text;
	uint64_t kib;

	snprintf(path, sizeof(path), "/local/domain/%u/memory/target", dom->domid);
	text = store_read(dom->d->store, path, NULL);
	kib = text ? strtoull(text, NULL, 10) : 0;
	free(text);
	return kib >> 2;
}

static void look_at_dom(struct dom *dom, const struct xen_domctl_getdomaininfo *info)
{
	uint64_t target = target_of(dom), apart;
	struct dom_sizes *s = &dom->sizes;
	bool first = !s->known;

	apart = info->tot_pages > target ? info->tot_pages - target : target - info->tot_pages;
	if (s->known && s->vcpus != info->nr_online_vcpus)
		tell(dom, PVCTL_EVENT_VCPUS, info->nr_online_vcpus);
	if (s->target != target)
		s->reached = false;
	if (target && !s->reached && apart <= NEAR_PAGES) {
		s->reached = true;
		if (!first)
			tell(dom, PVCTL_EVENT_MEMORY, info->tot_pages << 12);
	}
	s->known = true;
	s->vcpus = info->nr_online_vcpus;
	s->target = target;
}

static void look_at(void *data, const struct xen_domctl_getdomaininfo *info)
{
	struct dom *dom = dom_find(data, info->domain);

	if (dom && dom->name[0] && !dom->dying && !(info->flags & XEN_DOMINF_dying))
		look_at_dom(dom, info);
}

static void look_now(struct mbox_call *call, int64_t ret, bool down)
{
	struct daemon *d = call->data;

	if (!down && events_wanted(d, SIZES))
		(void)hvc_each_domain(d, look_at, d);
}

static void look(void *data)
{
	struct daemon *d = data;

	/* What changes while nobody wants to know is not told later. */
	if (!events_wanted(d, SIZES) || d->node.down || d->mbox.down || d->stop) {
		list_for(p, &d->domains)
			list_entry(p, struct dom, link)->sizes.known = false;
		return;
	}
	mbox_ask_once(&d->mbox, &d->sizes_call, look_now, d);
	loop_timer_set(&d->loop, &d->sizes_timer, LOOK_NS);
}

void sizes_init(struct daemon *d)
{
	loop_timer_init(&d->sizes_timer, look, d);
	list_init(&d->sizes_call.link);
}

void sizes_watch(struct daemon *d)
{
	if (events_wanted(d, SIZES) && !loop_timer_armed(&d->sizes_timer))
		loop_timer_set(&d->loop, &d->sizes_timer, 1);
}

void sizes_fini(struct daemon *d)
{
	loop_timer_cancel(&d->sizes_timer);
}
