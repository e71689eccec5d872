/* SPDX-License-Identifier: MIT */
/* Clients' requests about disks. */
#include "libpvctl/src/device/disk_spec.h"
#include "pvctld/block/block.h"
#include "pvctld/control.h"
#include "pvctld/daemon.h"
#include "pvctld/domains.h"
#include "pvctld/log.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

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

/* The list without vdev, and with add (NULL: nothing) at its end. */
static int new_list(struct pvctl_config *config, uint32_t vdev, const char *add, struct pvctl_error *err)
{
	const char *list[257], *item;
	struct disk_spec s;
	size_t n = 0;

	for (size_t i = 0; n < 256 && (item = pvctl_config_get_item(config, "disk", i)); i++)
		if (disk_spec_parse(item, &s, NULL) || s.vdev != vdev)
			list[n++] = item;
	if (add)
		list[n++] = add;
	return pvctl_config_set_list(config, "disk", list, n, err);
}

/* So that a restart finds the disks that there were at the end. */
static void remember(struct dom *dom, uint32_t vdev, const char *add)
{
	struct pvctl_config *config = NULL;
	struct pvctl_error e = { 0 };
	char *json = NULL;
	int rc;

	if (!dom->config)
		return;
	rc = pvctl_config_from_json(dom->config, &config, &e);
	rc = rc ? rc : new_list(config, vdev, add, &e);
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

void request_disk_attach(struct ctl_conn *c)
{
	const struct proto_disk *b = (const void *)c->body;
	struct pvctl_error e = { 0 };
	struct disk_spec s;
	const char *spec;
	struct dom *dom;
	int rc;

	if (c->head.len < sizeof(*b)) {
		ctl_refuse(c, -EINVAL, "the request is too short");
		return;
	}
	dom = domain_of(c, b->domid);
	if (!dom)
		return;
	spec = (const char *)c->body + sizeof(*b);
	rc = block_attach(dom, spec, &e);
	if (rc) {
		ctl_refuse(c, rc, e.msg);
		return;
	}
	if (!disk_spec_parse(spec, &s, NULL))
		remember(dom, s.vdev, spec);
	ctl_reply(c, NULL, 0, -1);
}

void request_disk_detach(struct ctl_conn *c)
{
	const struct proto_disk *b = (const void *)c->body;
	struct pvctl_error e = { 0 };
	struct dom *dom;
	int rc;

	if (c->head.len < sizeof(*b)) {
		ctl_refuse(c, -EINVAL, "the request is too short");
		return;
	}
	dom = domain_of(c, b->domid);
	if (!dom)
		return;
	rc = block_detach(dom, b->vdev, b->force != 0, &e);
	if (rc) {
		ctl_refuse(c, rc, e.msg);
		return;
	}
	remember(dom, b->vdev, NULL);
	ctl_reply(c, NULL, 0, -1);
}

void request_disks(struct ctl_conn *c)
{
	const struct proto_domid *b = (const void *)c->body;
	struct pvctl_disk_info *rows;
	unsigned int n;

	if (c->head.len < sizeof(*b)) {
		ctl_refuse(c, -EINVAL, "the request is too short");
		return;
	}
	if (!dom_find(c->d, b->domid)) {
		ctl_refuse(c, -ESRCH, "there is no such domain");
		return;
	}
	n = block_list(c->d, b->domid, NULL, 0);
	rows = calloc(n + 1, sizeof(*rows));
	if (!rows) {
		ctl_refuse(c, -ENOMEM, "no memory");
		return;
	}
	n = block_list(c->d, b->domid, rows, n);
	ctl_reply(c, rows, n * sizeof(*rows), -1);
	free(rows);
}
