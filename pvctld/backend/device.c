/* SPDX-License-Identifier: MIT */
#include "pvctld/backend/device.h"
#include "pvctld/backend/departed.h"
#include "pvctld/base/log.h"
#include "pvctld/domain/domains.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct device_class *device_class(uint32_t n)
{
	return n < NR_DEVICE_CLASSES ? device_classes[n] : NULL;
}

static struct xenbus_dev *find(struct daemon *d, const struct xenbus_ops *ops, uint32_t domid, uint32_t devid)
{
	list_for(p, &d->devices) {
		struct xenbus_dev *x = list_entry(p, struct xenbus_dev, link);

		if (x->ops == ops && x->domid == domid && x->devid == devid && !x->gone)
			return x;
	}
	return NULL;
}

struct xenbus_dev *device_find(struct daemon *d, const struct device_class *k, uint32_t domid, uint32_t devid)
{
	return find(d, k->ops, domid, devid);
}

static void give_up(struct xenbus_dev *x)
{
	if (x->adopted) {
		(void)store_rm(x->d->store, x->front);
		(void)store_rm(x->d->store, x->back);
	}
	xenbus_keep(x, false);
}

/* First in the records: what is in the store without one is of nobody's. */
static int begin(struct xenbus_dev *x, struct pvctl_error *err)
{
	int rc;

	xenbus_keep(x, true);
	rc = x->adopted ? xenbus_dev_adopt(x, err) : xenbus_dev_start(x, err);
	if (rc)
		give_up(x);
	x->adopted = false;
	return rc;
}

int device_attach(const struct device_class *k, struct dom *dom, const char *spec, struct pvctl_error *err)
{
	const char *what = k->ops->what;
	struct xenbus_dev *x;
	uint32_t devid;
	int rc;

	if (dom->forgotten || dom->dying)
		return fail(err, -ESRCH, "domain %u is being destroyed", dom->domid);
	if (dom->rest || dom->suspend_asked)
		return fail(err, -EBUSY, "domain %u is suspended, or about to be: it must run to get a %s", dom->domid, what);
	rc = k->devid(spec, &devid, err);
	if (rc)
		return rc;
	x = device_find(dom->d, k, dom->domid, devid);
	if (x)
		return fail(err, -EEXIST, "domain %u has a %s %s already", dom->domid, what, x->name);
	if (device_list(dom->d, k, dom->domid, NULL, 0) >= k->max)
		return fail(err, -E2BIG, "domain %u has %u %ss already", dom->domid, k->max, what);
	rc = k->create(dom, spec, &x, err);
	if (rc)
		return rc;
	x->spec = strdup(spec);
	if (!x->pending && departed_waits(x))
		x->pending = x->held = true;
	if (x->pending) {
		list_add_tail(&dom->d->devices, &x->link);
		return -EINPROGRESS;
	}
	rc = begin(x, err);
	if (rc)
		xenbus_dev_free(x);
	else
		list_add_tail(&dom->d->devices, &x->link);
	return rc;
}

static void remove_dirs(struct daemon *d, uint32_t domid, const char *what)
{
	char path[96], type[16];

	snprintf(type, sizeof(type), "%.*s", (int)strcspn(what, "/"), what);
	snprintf(path, sizeof(path), "/local/domain/%u/device/%s", domid, what);
	(void)store_rm(d->store, path);
	snprintf(path, sizeof(path), "/local/domain/0/backend/%s/%u/%s", type, domid, what + strlen(type) + 1);
	(void)store_rm(d->store, path);
	snprintf(path, sizeof(path), "dev/%u/%s", domid, what);
	state_drop(&d->state, path);
}

static const struct device_class *class_of(const char *what)
{
	for (unsigned int i = 0; i < NR_DEVICE_CLASSES; i++)
		if (device_classes[i] && !strncmp(what, device_classes[i]->ops->type, strcspn(what, "/")) &&
		    strlen(device_classes[i]->ops->type) == strcspn(what, "/"))
			return device_classes[i];
	return NULL;
}

void device_adopt(struct dom *dom, const char *what, const char *spec)
{
	const struct device_class *k = class_of(what);
	struct pvctl_error e = { 0 };
	char *copy = strdup(spec), name[48];
	struct xenbus_dev *x;
	int rc = k && copy ? k->create(dom, copy, &x, &e) : -ENOMEM;

	/* Its record may go. */
	snprintf(name, sizeof(name), "%s", what);
	if (!rc) {
		x->spec = copy;
		list_add_tail(&dom->d->devices, &x->link);
		if (x->pending)
			return;
		rc = begin(x, &e);
		if (!rc)
			return;
		xenbus_dev_free(x);
	} else {
		free(copy);
	}
	log_line("domain %u: %s is gone: %s", dom->domid, name, e.msg);
	remove_dirs(dom->d, dom->domid, name);
}

void devices_adopted(struct daemon *d)
{
	for (unsigned int i = 0; i < NR_DEVICE_CLASSES; i++)
		if (device_classes[i] && device_classes[i]->adopted)
			device_classes[i]->adopted(d);
}

void devices_remove_nodes(struct daemon *d, uint32_t domid)
{
	char path[64];

	for (unsigned int i = 0; i < NR_DEVICE_CLASSES; i++) {
		if (!device_classes[i])
			continue;
		snprintf(path, sizeof(path), "/local/domain/0/backend/%s/%u", device_classes[i]->ops->type, domid);
		(void)store_rm(d->store, path);
	}
}

void device_ready(struct xenbus_dev *x, int rc, const char *why)
{
	void (*ready)(void *data, int rc, const char *why) = x->ready;
	struct pvctl_error e = { 0 };

	x->held = !rc && !x->adopted && departed_waits(x);
	if (x->held)
		return;
	x->pending = false;
	x->ready = NULL;
	if (rc) {
		(void)fail(&e, rc, "%s", why);
		give_up(x);
	} else {
		rc = begin(x, &e);
	}
	if (ready)
		ready(x->ready_data, rc, e.msg);
	if (rc) {
		xenbus_dev_tell(x, PVCTL_EVENT_DEVICE_FAILED, e.msg);
		xenbus_dev_free(x);
	}
}

void device_free_again(struct daemon *d, const struct xenbus_ops *ops, uint32_t domid, uint32_t devid)
{
	struct xenbus_dev *x = find(d, ops, domid, devid);

	if (x && x->held)
		device_ready(x, 0, NULL);
}

int device_detach(const struct device_class *k, struct dom *dom, uint32_t devid, bool force, struct pvctl_error *err)
{
	struct xenbus_dev *x = device_find(dom->d, k, dom->domid, devid);

	if (!x)
		return fail(err, -ENOENT, "domain %u has no such %s", dom->domid, k->ops->what);
	if (force || x->pending) {
		xenbus_dev_tell(x, PVCTL_EVENT_DEVICE_DETACHED, NULL);
		xenbus_dev_remove(x);
	} else {
		xenbus_dev_detach(x);
	}
	return 0;
}

unsigned int device_list(struct daemon *d, const struct device_class *k, uint32_t domid, void *rows, unsigned int max)
{
	unsigned int n = 0;

	list_for(p, &d->devices) {
		const struct xenbus_dev *x = list_entry(p, struct xenbus_dev, link);
		char *row = rows && n < max ? (char *)rows + n * k->row_size : NULL;

		if (x->ops != k->ops || x->domid != domid || x->gone)
			continue;
		n++;
		if (!row)
			continue;
		memset(row, 0, k->row_size);
		memcpy(row, &k->row_size, sizeof(k->row_size));
		k->row(x, row);
	}
	return n;
}

int devices_may_rest(struct daemon *d, uint32_t domid, bool move, struct pvctl_error *err)
{
	int rc;

	list_for(p, &d->devices) {
		struct xenbus_dev *x = list_entry(p, struct xenbus_dev, link);

		if (x->domid != domid)
			continue;
		if (x->pending)
			return fail(err, -EBUSY, "%s %s is still being attached: try again when it is there", x->ops->what, x->name);
		if (x->detaching || x->gone)
			return fail(err, -EBUSY, "%s %s is still being detached: try again when it is gone, or detach it with force",
				    x->ops->what, x->name);
		if (x->holder)
			return fail(err, -EBUSY, "%s %s is being changed: try again when that has ended", x->ops->what, x->name);
		rc = move && x->ops->may_move ? x->ops->may_move(x, err) : 0;
		if (rc)
			return rc;
	}
	return 0;
}

void devices_each(struct daemon *d, uint32_t domid, void (*step)(struct xenbus_dev *x))
{
	list_for(p, &d->devices) {
		struct xenbus_dev *x = list_entry(p, struct xenbus_dev, link);

		if (x->domid == domid && !x->gone)
			step(x);
	}
}

bool devices_rest(struct daemon *d, uint32_t domid, enum xenbus_rest want, struct pvctl_error *err)
{
	bool all = true;

	list_for(p, &d->devices) {
		struct xenbus_dev *x = list_entry(p, struct xenbus_dev, link);

		if (x->domid != domid || x->gone)
			continue;
		if (err && !err->code && x->rest_error.code)
			*err = x->rest_error;
		if (x->holder || x->rest == XENBUS_QUIESCING || x->rest == XENBUS_RELEASING || x->rest == XENBUS_RETAKING)
			all = false;
		else if (x->rest != want && !x->rest_error.code)
			all = false;
	}
	return all;
}

void devices_domain_gone(struct daemon *d, uint32_t domid)
{
	char path[64];

	list_for_safe(p, &d->devices) {
		struct xenbus_dev *x = list_entry(p, struct xenbus_dev, link);

		if (x->domid != domid || x->gone)
			continue;
		snprintf(path, sizeof(path), "/local/domain/0/backend/%s/%u", x->ops->type, domid);
		xenbus_dev_remove(x);
		(void)store_rm(d->store, path);
	}
	departed_domain_gone(d, domid);
}

void devices_fini(struct daemon *d)
{
	departed_fini(d);
	for (unsigned int i = 0; i < NR_DEVICE_CLASSES; i++)
		if (device_classes[i] && device_classes[i]->quiesce)
			device_classes[i]->quiesce(d);
	list_for_safe(p, &d->devices)
		xenbus_dev_free(list_entry(p, struct xenbus_dev, link));
	for (unsigned int i = 0; i < NR_DEVICE_CLASSES; i++)
		if (device_classes[i] && device_classes[i]->fini)
			device_classes[i]->fini(d);
}
