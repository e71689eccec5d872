/* SPDX-License-Identifier: MIT */
/* Clients' requests about devices. */
#include "pvctld/backend/device.h"
#include "pvctld/base/log.h"
#include "pvctld/client/control.h"
#include "pvctld/core/daemon.h"
#include "pvctld/domain/domains.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LIST_MAX 256u

static struct dom *domain_of(struct ctl_conn *c, uint32_t domid)
{
	struct dom *dom = dom_find(c->d, domid);

	if (!dom)
		ctl_refuse(c, -ESRCH, "there is no such domain");
	else if (dom->creator && dom->creator != c) {
		ctl_refuse(c, -EPERM, "another connection is building this domain");
		return NULL;
	}
	return dom;
}

/* The list without devid, and with add (NULL: nothing) in its place, or at the end: the first disk is the one that is booted, or made anew. */
static int new_list(const struct device_class *k, struct pvctl_config *config, uint32_t devid, const char *add,
		    struct pvctl_error *err)
{
	const char *list[LIST_MAX + 1], *item;
	bool placed = false;
	uint32_t id;
	size_t n = 0;

	for (size_t i = 0; n < LIST_MAX && (item = pvctl_config_get_item(config, k->key, i)); i++) {
		if (k->devid(item, &id, NULL) || id != devid)
			list[n++] = item;
		else if (add)
			list[n++] = add;
		placed |= n && list[n - 1] == add;
	}
	if (add && !placed)
		list[n++] = add;
	return pvctl_config_set_list(config, k->key, list, n, err);
}

/* So that a restart finds the devices that there were at the end. */
static void remember(const struct device_class *k, struct dom *dom, uint32_t devid, const char *add)
{
	struct pvctl_config *config = NULL;
	struct pvctl_error e = { 0 };
	char *json = NULL;
	int rc;

	if (!dom->config)
		return;
	rc = pvctl_config_from_json(dom->config, &config, &e);
	rc = rc ? rc : new_list(k, config, devid, add, &e);
	rc = rc ? rc : pvctl_config_to_json(config, &json, &e);
	if (!rc) {
		char *copy = strdup(json);

		if (copy) {
			free(dom->config);
			dom->config = copy;
		}
		rc = copy ? dom_update_config(dom, &e) : -ENOMEM;
	}
	if (rc)
		log_line("domain %u: its configuration cannot be changed: %s", dom->domid, e.msg);
	pvctl_free(json);
	pvctl_config_free(config);
}

/* NULL: refused. */
static const struct device_class *class_of(struct ctl_conn *c)
{
	const struct proto_device *b = (const void *)c->body;
	const struct device_class *k = NULL;

	if (c->head.len < sizeof(*b)) {
		ctl_refuse(c, -EINVAL, "the request is too short");
		return NULL;
	}
	k = device_class(b->class_id);
	if (!k)
		ctl_refuse(c, -ENOSYS, "the daemon does not know this kind of device");
	return k;
}

/* The request's body is there until it is answered. */
static void attached(void *data, int rc, const char *why)
{
	struct ctl_conn *c = data;
	const struct proto_device *b = (const void *)c->body;
	const char *spec = (const char *)c->body + sizeof(*b);
	const struct device_class *k = device_class(b->class_id);
	struct dom *dom = dom_find(c->d, b->domid);
	uint32_t devid;

	if (rc) {
		ctl_refuse(c, rc, why);
		return;
	}
	if (dom && !k->devid(spec, &devid, NULL))
		remember(k, dom, devid, spec);
	ctl_reply(c, NULL, 0, -1);
}

void request_device_attach(struct ctl_conn *c)
{
	const struct proto_device *b = (const void *)c->body;
	const struct device_class *k = class_of(c);
	struct pvctl_error e = { 0 };
	const char *spec;
	struct dom *dom;
	uint32_t devid;
	int rc;

	dom = k ? domain_of(c, b->domid) : NULL;
	if (!dom)
		return;
	spec = (const char *)c->body + sizeof(*b);
	rc = device_attach(k, dom, spec, &e);
	if (rc == -EINPROGRESS && !k->devid(spec, &devid, NULL)) {
		struct xenbus_dev *x = device_find(c->d, k, b->domid, devid);

		x->ready = attached;
		x->ready_data = c;
		return;
	}
	attached(c, rc, e.msg);
}

void request_device_detach(struct ctl_conn *c)
{
	const struct proto_device *b = (const void *)c->body;
	const struct device_class *k = class_of(c);
	struct pvctl_error e = { 0 };
	struct dom *dom;
	int rc;

	dom = k ? domain_of(c, b->domid) : NULL;
	if (!dom)
		return;
	rc = device_detach(k, dom, b->devid, b->force != 0, &e);
	if (rc) {
		ctl_refuse(c, rc, e.msg);
		return;
	}
	remember(k, dom, b->devid, NULL);
	ctl_reply(c, NULL, 0, -1);
}

void request_devices(struct ctl_conn *c)
{
	const struct proto_device *b = (const void *)c->body;
	const struct device_class *k = class_of(c);
	unsigned int n;
	void *rows;

	if (!k)
		return;
	if (!dom_find(c->d, b->domid)) {
		ctl_refuse(c, -ESRCH, "there is no such domain");
		return;
	}
	n = device_list(c->d, k, b->domid, NULL, 0);
	rows = calloc(n + 1, k->row_size);
	if (!rows) {
		ctl_refuse(c, -ENOMEM, "no memory");
		return;
	}
	n = device_list(c->d, k, b->domid, rows, n);
	ctl_reply(c, rows, n * k->row_size, -1);
	free(rows);
}

static struct xenbus_dev *device_of(struct ctl_conn *c)
{
	const struct proto_device *b = (const void *)c->body;
	const struct device_class *k = class_of(c);
	struct dom *dom = k ? domain_of(c, b->domid) : NULL;
	struct xenbus_dev *x = dom ? device_find(c->d, k, b->domid, b->devid) : NULL;

	if (dom && !x)
		ctl_refuse(c, -ENOENT, "the domain has no such device");
	return x;
}

void request_device_hold(struct ctl_conn *c)
{
	struct xenbus_dev *x = device_of(c);

	if (x)
		device_hold(x, c, ctl_answer, c);
}

void request_device_back(struct ctl_conn *c)
{
	struct xenbus_dev *x = device_of(c);

	if (x)
		device_hold_end(x, c, ctl_answer, c);
}

void request_device_retarget(struct ctl_conn *c)
{
	const struct proto_device *b = (const void *)c->body;
	const char *spec = (const char *)c->body + sizeof(*b);
	struct xenbus_dev *x = device_of(c);
	struct pvctl_error e = { 0 };
	const struct device_class *k;
	uint32_t devid;
	char *old;
	int rc;

	if (!x)
		return;
	k = device_class(b->class_id);
	rc = k->devid(spec, &devid, &e);
	if (!rc && devid != b->devid)
		rc = fail(&e, -EINVAL, "that is another device");
	old = x->spec ? strdup(x->spec) : NULL;
	if (!rc && !old)
		rc = fail(&e, -ENOMEM, "no memory");
	if (rc) {
		ctl_refuse(c, rc, e.msg);
		free(old);
		return;
	}
	/*
	 * In this order: of a daemon that ends in between, the configuration has an overlay with nothing in it, which is the same disk.
	 * In the other one its guest would write what the configuration knows nothing of, and what is thrown away for that.
	 */
	remember(k, dom_find(c->d, b->domid), devid, spec);
	rc = device_retarget(x, spec, &e);
	if (rc)
		remember(k, dom_find(c->d, b->domid), devid, old);
	free(old);
	ctl_answer(c, rc, e.msg);
}
