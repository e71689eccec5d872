/* SPDX-License-Identifier: MIT */
/* The two shared pages that every domain has: its console's and its store's. */
#include "pvctld/backend/device.h"
#include "pvctld/base/log.h"
#include "pvctld/console/console.h"
#include "pvctld/core/daemon.h"
#include "pvctld/domain/domains.h"
#include "pvctld/hv/hvcall.h"
#include "pvctld/life/suspend.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uuid/uuid.h>
#include <xen/xen.h>
#include <xen/grant_table.h>

static void on_console(void *data)
{
	struct dom *dom = data;

	if (dom->console)
		console_event(dom->console);
}

static void on_store(void *data)
{
	struct dom *dom = data;

	store_link_event(&dom->store);
}

static void unmap(struct dom *dom, struct dom_grant *g)
{
	evtchn_close(dom->d, g->port);
	if (g->mapped && hvc_unmap_grant(dom->d, g->handle) && !dom->d->node.down)
		log_line("domain %u: a grant cannot be unmapped", dom->domid);
	*g = (struct dom_grant){ 0 };
}

static int map(struct dom *dom, struct dom_grant *g, uint32_t ref, uint32_t remote_port, void (*fn)(void *data),
	       const char *what, struct pvctl_error *err)
{
	uint64_t paddr;
	int rc;

	if (!remote_port)
		return 0;
	if (g->mapped)
		return fail(err, -EEXIST, "domain %u is introduced already", dom->domid);
	rc = hvc_map_grant(dom->d, dom->domid, ref, &g->handle, &paddr);
	if (rc)
		return fail(err, rc, "domain %u: its %s page cannot be mapped: %s", dom->domid, what, strerror(-rc));
	g->mapped = true;
	g->page = node_map(&dom->d->node, paddr & ~4095ull, 4096);
	if (!g->page) {
		unmap(dom, g);
		return fail(err, -EPROTO, "domain %u: its %s page is not RAM", dom->domid, what);
	}
	rc = evtchn_bind_interdomain(dom->d, dom->domid, remote_port, fn, dom, &g->port);
	if (rc) {
		unmap(dom, g);
		return fail(err, rc, "domain %u: its %s event channel %u cannot be bound: %s", dom->domid, what,
			    remote_port, strerror(-rc));
	}
	return 0;
}

static int introduce(struct dom *dom, uint32_t store_port, uint32_t console_port, bool again, struct pvctl_error *err)
{
	const bool had_console = dom->console_ring.mapped;
	int rc;

	if (dom->forgotten || dom->dying)
		return fail(err, -ESRCH, "domain %u is being destroyed", dom->domid);
	rc = map(dom, &dom->console_ring, GNTTAB_RESERVED_CONSOLE, console_port, on_console, "console", err);
	if (rc)
		return rc;
	rc = map(dom, &dom->store_ring, GNTTAB_RESERVED_XENSTORE, store_port, on_store, "store", err);
	if (!rc && store_port) {
		dom->store_remote = store_port;
		rc = (again ? store_link_resume : store_link_start)(&dom->store, dom->store_ring.page, dom->store_ring.port);
		if (rc) {
			unmap(dom, &dom->store_ring);
			fail(err, rc, "domain %u: no memory", dom->domid);
		}
	}
	if (rc) {
		/* One that it had before is in use. */
		if (!had_console)
			unmap(dom, &dom->console_ring);
		return rc;
	}
	if (console_port && !dom->console) {
		dom->console = console_new(dom->d, dom->domid);
		if (!dom->console) {
			dom_forget(dom);
			return fail(err, -ENOMEM, "domain %u: no memory", dom->domid);
		}
		if (dom->name[0])
			console_set_name(dom->console, dom->name);
		dom->console_remote = console_port;
		if (again) {
			console_recall(dom->console);
			evtchn_send(dom->d, dom->console_ring.port);
		}
		console_start(dom->console, dom->console_ring.page, dom->console_ring.port);
	}
	return 0;
}

int dom_introduce(struct dom *dom, uint32_t store_port, uint32_t console_port, struct pvctl_error *err)
{
	int rc = introduce(dom, store_port, console_port, false, err);

	if (!rc)
		dom_keep(dom);
	return rc;
}

int dom_introduce_again(struct dom *dom, uint32_t store_port, uint32_t console_port, struct pvctl_error *err)
{
	return introduce(dom, store_port, console_port, true, err);
}

static void vm_path(const struct dom *dom, char buf[64])
{
	char uuid[37];

	uuid_unparse_lower(dom->uuid, uuid);
	snprintf(buf, 64, "/vm/%s", uuid);
}

void dom_write_names(struct dom *dom)
{
	struct store *s = dom->d->store;
	char vm[64], path[80];

	snprintf(path, sizeof(path), "/local/domain/%u/name", dom->domid);
	(void)store_write(s, path, dom->name, strlen(dom->name));
	if (uuid_is_null(dom->uuid))
		return;
	vm_path(dom, vm);
	snprintf(path, sizeof(path), "/local/domain/%u/vm", dom->domid);
	(void)store_write(s, path, vm, strlen(vm));
	snprintf(path, sizeof(path), "%s/name", vm);
	(void)store_write(s, path, dom->name, strlen(dom->name));
}

/* Another domain's, which the first one took in vain. */
static bool vm_in_use(const struct dom *dom, const char *vm)
{
	char other[64];

	list_for(p, &dom->d->domains) {
		const struct dom *o = list_entry(p, struct dom, link);

		if (o == dom || o->forgotten || uuid_is_null(o->uuid))
			continue;
		vm_path(o, other);
		if (!strcmp(vm, other))
			return true;
	}
	return false;
}

/* Before the commit the node alone tells the UUID: a client may have died between its writes and that. */
static int remove_vm(struct dom *dom)
{
	struct store *s = dom->d->store;
	char path[64], *vm;
	int rc = 0;

	snprintf(path, sizeof(path), "/local/domain/%u/vm", dom->domid);
	vm = store_read(s, path, NULL);
	/* The guest may not write that node, but a local client may; other values are not ours to act upon. */
	if (vm && !strncmp(vm, "/vm/", 4) && strlen(vm) == 4 + 36 && !strchr(vm + 4, '/') && !vm_in_use(dom, vm))
		rc = store_rm(s, vm);
	free(vm);
	if (!rc && !uuid_is_null(dom->uuid)) {
		vm_path(dom, path);
		rc = store_rm(s, path);
	}
	return rc;
}

bool dom_remove_nodes(struct dom *dom)
{
	struct store *s = dom->d->store;
	char path[64];
	int rc = remove_vm(dom);

	snprintf(path, sizeof(path), "/libxl/%u", dom->domid);
	rc = rc ? rc : store_rm(s, path);
	snprintf(path, sizeof(path), "/local/domain/%u", dom->domid);
	rc = rc ? rc : store_rm(s, path);
	return !rc;
}

void dom_forget(struct dom *dom)
{
	if (dom->forgotten)
		return;
	dom->forgotten = true;
	dom_keep(dom);
	suspend_gone(dom);
	if (dom->console)
		console_stop(dom->console);
	store_link_stop(&dom->store);
	devices_domain_gone(dom->d, dom->domid);
	unmap(dom, &dom->console_ring);
	unmap(dom, &dom->store_ring);
	dom->nodes_left = !dom_remove_nodes(dom);
	/* Last, so that who watches @releaseDomain finds the nodes gone. */
	store_domain_released(dom->d->store, dom->domid);
}
