/* SPDX-License-Identifier: MIT */
#include "pvctld/backend/departed.h"
#include "pvctld/backend/device.h"
#include "pvctld/base/log.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOOK_NS 5000000000ull /* paused guests do not look, hostile ones need not */
#define MAX_DEPARTED 1024u

struct departed {
	struct list link;
	struct daemon *d;
	const struct xenbus_ops *ops;
	uint32_t domid, devid;
	char front[64];
	unsigned int held;       /* by the host */
	bool seen;               /* by the guest, or it had its time */
	bool looked;             /* it lets go of it just now */
	bool nudged;             /* to look once more */
	struct loop_timer timer;
};

static void destroy(struct departed *p)
{
	loop_timer_cancel(&p->timer);
	list_del(&p->link);
	p->d->nr_departed--;
	free(p);
}

static struct departed *find(struct daemon *d, const struct xenbus_ops *ops, uint32_t domid, uint32_t devid)
{
	list_for(at, &d->departed) {
		struct departed *p = list_entry(at, struct departed, link);

		if (p->ops == ops && p->domid == domid && p->devid == devid)
			return p;
	}
	return NULL;
}

static void check(struct departed *p)
{
	const struct departed was = *p;

	if (p->held || !p->seen)
		return;
	destroy(p);
	device_free_again(was.d, was.ops, was.domid, was.devid);
}

static void nudge(struct departed *p)
{
	p->nudged = true;
	loop_timer_set(&p->d->loop, &p->timer, LOOK_NS);
	store_fire_special(p->d->store, p->front);
}

static void on_timer(void *data)
{
	struct departed *p = data;

	if (p->looked && !p->nudged) {
		nudge(p);
		return;
	}
	if (!p->seen)
		log_guest(p->domid, "%s %u: the guest did not look for five seconds whether it is gone", p->ops->what, p->devid);
	p->seen = true;
	check(p);
}

static struct departed *make(struct daemon *d, const struct xenbus_ops *ops, uint32_t domid, uint32_t devid)
{
	struct departed *p = find(d, ops, domid, devid);

	if (p)
		return p;
	p = d->nr_departed < MAX_DEPARTED ? calloc(1, sizeof(*p)) : NULL;
	if (!p)
		return NULL;
	p->d = d;
	p->ops = ops;
	p->domid = domid;
	p->devid = devid;
	p->seen = true;
	loop_timer_init(&p->timer, on_timer, p);
	list_add_tail(&d->departed, &p->link);
	d->nr_departed++;
	return p;
}

void departed_add(struct xenbus_dev *x)
{
	struct departed *p;

	/* It never had nodes, or nobody in the guest would hear of their end. */
	if (x->state == XenbusStateUnknown || !store_is_watched(x->d->store, x->domid, x->front))
		return;
	p = make(x->d, x->ops, x->domid, x->devid);
	if (!p)
		return;
	p->seen = p->looked = p->nudged = false;
	snprintf(p->front, sizeof(p->front), "%s", x->front);
	loop_timer_set(&p->d->loop, &p->timer, LOOK_NS);
}

bool departed_waits(const struct xenbus_dev *x)
{
	return find(x->d, x->ops, x->domid, x->devid) != NULL;
}

bool departed_hold(struct daemon *d, const struct xenbus_ops *ops, uint32_t domid, uint32_t devid)
{
	struct departed *p = make(d, ops, domid, devid);

	if (p)
		p->held++;
	return p != NULL;
}

void departed_release(struct daemon *d, const struct xenbus_ops *ops, uint32_t domid, uint32_t devid)
{
	struct departed *p = find(d, ops, domid, devid);

	if (!p || !p->held)
		return;
	p->held--;
	check(p);
}

/* A look into a directory above it, but none above "device". */
static bool is_above(const char *path, const struct departed *p)
{
	size_t n = strlen(path);

	return !strncmp(path, p->front, n) && p->front[n] == '/' && strstr(path, "/device");
}

/*
 * Linux takes one event after the other: when it looks again, all that it does with the old one is done, whatever
 * its driver reads and writes for that. Within a request: what follows waits for the loop.
 */
static void asked(struct departed *p, const char *path, bool there)
{
	if (there ? !is_above(path, p) : strcmp(path, p->front))
		return;
	if (!p->looked) {
		p->looked = true;
	} else if (p->nudged) {
		p->seen = true;
	} else {
		return;
	}
	loop_timer_set(&p->d->loop, &p->timer, 0);
}

void departed_asked(void *daemon, uint32_t domid, const char *path, bool there)
{
	struct daemon *d = daemon;

	list_for(at, &d->departed) {
		struct departed *p = list_entry(at, struct departed, link);

		if (p->domid == domid && !p->seen)
			asked(p, path, there);
	}
}

void departed_domain_gone(struct daemon *d, uint32_t domid)
{
	list_for_safe(at, &d->departed) {
		struct departed *p = list_entry(at, struct departed, link);

		if (p->domid != domid)
			continue;
		loop_timer_cancel(&p->timer);
		p->seen = true;
		if (!p->held)
			destroy(p);
	}
}

void departed_fini(struct daemon *d)
{
	list_for_safe(at, &d->departed)
		destroy(list_entry(at, struct departed, link));
}
