/* SPDX-License-Identifier: MIT */
/*
 * Domains go from a daemon that died to the next. The hypervisor knows which there are; a record of each has what it does
 * not know. What has none was being built for a client, who has gone with that daemon.
 */
#include "pvctld/life/adopt.h"
#include "pvctld/backend/device.h"
#include "pvctld/base/log.h"
#include "pvctld/console/console.h"
#include "pvctld/core/daemon.h"
#include "pvctld/domain/domains.h"
#include "pvctld/hv/hvcall.h"
#include "pvctld/life/history.h"
#include "pvctld/life/logger.h"
#include "pvctld/life/policy.h"
#include "pvctld/life/still.h"
#include "pvctld/life/suspend.h"
#include "pvctld/spawn/keep.h"
#include "pvctld/spawn/wire.h"
#include "pvctld/state/die.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xen/xen.h>
#include <xen/domctl.h>


struct kept_dom {
	uint64_t unique_id, created_unix_ns, started_ns, pause_until_ns;
	uint32_t domid, store_port, console_port;
	uint8_t uuid[16];
	char name[128];
	uint8_t kept, dying, restarts, forgotten, unpausing, next, has_ended, saved;
	uint8_t held, still, over, spare[5];
	int32_t reason;
	/* and its configuration */
};

static void key_of(uint32_t domid, char buf[24])
{
	snprintf(buf, 24, "dom/%u", domid);
}

void dom_keep(struct dom *dom)
{
	struct kept_dom k;
	size_t len = dom->config ? strlen(dom->config) + 1 : 0;
	char key[24], *all;

	/* Not committed: it does not outlive us. */
	if (!dom->config || dom->creator || !state_is_kept(&dom->d->state) || dom->d->node.down)
		return;
	memset(&k, 0, sizeof(k));
	k.unique_id = dom->unique_id;
	k.created_unix_ns = dom->created_unix_ns;
	k.started_ns = dom->started_ns;
	k.pause_until_ns = loop_timer_armed(&dom->pause) ? dom->pause.at_ns : 0;
	k.domid = dom->domid;
	k.store_port = dom->store_remote;
	k.console_port = dom->console_remote;
	memcpy(k.uuid, dom->uuid, sizeof(k.uuid));
	memcpy(k.name, dom->name, sizeof(k.name));
	k.kept = dom->kept;
	k.dying = dom->dying;
	k.restarts = dom->after_kill != NULL;
	k.forgotten = dom->forgotten;
	k.unpausing = dom->unpausing;
	k.next = (uint8_t)dom->next;
	k.has_ended = dom->ended && (dom->kept || dom->saved || dom->over || k.pause_until_ns);
	k.over = dom->over;
	k.saved = dom->saved;
	k.held = dom->suspender != NULL;
	k.still = (uint8_t)dom->still;
	k.reason = dom->console ? dom->console->reason : PVCTL_REASON_NONE;
	all = malloc(sizeof(k) + len);
	if (!all) {
		log_line("domain %u: no memory to note what it is", dom->domid);
		return;
	}
	memcpy(all, &k, sizeof(k));
	memcpy(all + sizeof(k), dom->config, len);
	key_of(dom->domid, key);
	state_set(&dom->d->state, key, all, sizeof(k) + len);
	free(all);
}

void dom_keep_not(struct dom *dom)
{
	char key[24];

	key_of(dom->domid, key);
	state_drop(&dom->d->state, key);
}

/* ---- taken over ---- */

static void take_device(void *data, const char *key, const void *value, size_t len)
{
	struct dom *dom = data;
	const char *type = strchr(key + 4, '/');

	if (type)
		device_adopt(dom, type + 1, value);
}

static void take_devices(struct dom *dom)
{
	char prefix[24];

	snprintf(prefix, sizeof(prefix), "dev/%u/", dom->domid);
	state_each(&dom->d->state, prefix, take_device, dom);
}

static int read_config(struct dom *dom, const char *json, struct pvctl_error *err)
{
	struct pvctl_config *c;
	int rc;

	/* What this program does not understand is kept all the same: a restart of the domain says why it cannot be. */
	dom->config = strdup(json);
	rc = dom->config ? pvctl_config_from_json(json, &c, err) : fail(err, -ENOMEM, "no memory");
	if (rc)
		return rc;
	rc = policy_read(dom, c, err);
	pvctl_config_free(c);
	return rc;
}

static void fill(struct dom *dom, const struct kept_dom *k)
{
	dom->unique_id = k->unique_id;
	dom->created_unix_ns = k->created_unix_ns;
	dom->started_ns = k->started_ns;
	memcpy(dom->uuid, k->uuid, sizeof(dom->uuid));
	memcpy(dom->name, k->name, sizeof(dom->name));
	dom->kept = k->kept;
	dom->forgotten = k->forgotten;
	dom->ended = k->has_ended;
	dom->saved = k->saved;
	dom->over = k->over;
	dom->next = (enum dom_action)k->next;
	if (dom->d->next_unique <= k->unique_id)
		dom->d->next_unique = k->unique_id + 1;
}

/* Perhaps for the second time. */
static void remove_nodes(struct dom *dom)
{
	devices_remove_nodes(dom->d, dom->domid);
	dom->nodes_left = !dom_remove_nodes(dom);
	store_domain_released(dom->d->store, dom->domid);
}

/* Its rings, if it was not without them already. */
static void go_on(struct dom *dom, const struct kept_dom *k)
{
	struct pvctl_error e = { 0 };

	if (dom->forgotten) {
		remove_nodes(dom);
		return;
	}
	if (dom_introduce_again(dom, k->store_port, k->console_port, &e))
		log_line("domain %u (%s): %s", dom->domid, dom->name, e.msg);
	if (dom->console)
		dom->console->reason = k->reason;
	take_devices(dom);
}

static void what_was_begun(struct dom *dom, const struct kept_dom *k)
{
	uint64_t now = now_ns();

	if (k->dying) {
		dom_destroy(dom, k->restarts ? policy_rebuild : NULL);
		return;
	}
	if (k->saved || k->held)
		suspend_adopt(dom, k->saved, k->held);
	still_adopt(dom, (enum dom_still)k->still);
	if (k->unpausing && hvc_unpause(dom->d, dom->domid))
		log_line("domain %u (%s) cannot be unpaused", dom->domid, dom->name);
	if (k->pause_until_ns)
		loop_timer_set(&dom->d->loop, &dom->pause, k->pause_until_ns > now ? k->pause_until_ns - now : 0);
}

static struct dom *take_over(struct daemon *d, uint32_t domid)
{
	struct pvctl_error e = { 0 };
	struct kept_dom k;
	const char *value;
	struct dom *dom;
	char key[24];
	size_t len;

	key_of(domid, key);
	value = state_get(&d->state, key, &len);
	if (!value || len <= sizeof(k) || value[len - 1])
		return NULL;
	dom = dom_new(d);
	if (!dom)
		return NULL;
	memcpy(&k, value, sizeof(k));
	dom_add(dom, domid);
	fill(dom, &k);
	if (read_config(dom, value + sizeof(k), &e))
		log_line("domain %u (%s): its configuration: %s", domid, dom->name, e.msg);
	go_on(dom, &k);
	logger_adopt(dom);
	what_was_begun(dom, &k);
	return dom;
}

/* It was being built. */
static void end(struct daemon *d, uint32_t domid)
{
	struct dom *dom = dom_new(d);

	log_line("domain %u was being built for a client that is gone: destroyed", domid);
	if (!dom)
		return;
	dom_add(dom, domid);
	devices_remove_nodes(d, domid);
	dom_destroy_first(dom);
}

static void look_at(void *data, const struct xen_domctl_getdomaininfo *info)
{
	die_point("adopt-domain");
	if (!take_over(data, info->domain))
		end(data, info->domain);
}

/* The hypervisor does not have it any more: what there is of it elsewhere goes, too. */
static void look_at_record(void *data, const char *key, const void *value, size_t len)
{
	struct daemon *d = data;
	struct kept_dom k;
	struct dom *dom;

	if (len <= sizeof(k))
		return;
	memcpy(&k, value, sizeof(k));
	if (dom_find(d, k.domid))
		return;
	dom = dom_new(d);
	if (!dom)
		return;
	dom_add(dom, k.domid);
	fill(dom, &k);
	dom->config = strdup((const char *)value + sizeof(k));
	/* That may have been noted before, and begun: policy_adopt begins each once. */
	if (k.dying && k.restarts && dom->config)
		policy_note_rebuild(dom);
	log_line("domain %u (%s) is gone", dom->domid, dom->name);
	devices_remove_nodes(d, k.domid);
	/* Of one that was forgotten in part. */
	dom->forgotten = false;
	dom_gone(dom);
}

static bool has_device(const struct daemon *d, const char *type, uint32_t domid, uint32_t devid)
{
	list_for(p, &d->devices) {
		const struct xenbus_dev *x = list_entry(p, struct xenbus_dev, link);

		if (x->domid == domid && x->devid == devid && !strcmp(x->ops->type, type))
			return true;
	}
	return false;
}

/* Of a domain that was being built or let go of, too. */
static void look_at_device(void *data, const char *key, const void *value, size_t len)
{
	struct daemon *d = data;
	uint32_t domid, devid;
	char type[16];

	if (sscanf(key, "dev/%u/%15[^/]/%u", &domid, type, &devid) != 3 || !has_device(d, type, domid, devid))
		state_drop(&d->state, key);
}

/* What is of a domain has its number second. */
static bool is_of_nobody(void *data, const char *key)
{
	const char *id = strchr(key, '/');

	return id && !dom_find(data, (uint32_t)strtoul(id + 1, NULL, 10));
}

/* A descriptor that the spawner has, or what is known of it, whose user did not come. */
static bool is_left_over(struct daemon *d, const char *name)
{
	char kind[16];
	uint32_t domid, id;
	const struct dom *dom;
	size_t len;

	if (!strncmp(name, "events/", 7))
		return !state_get(&d->state, name, &len);
	if (sscanf(name, "%15[^/]/%u/%u", kind, &domid, &id) != 3)
		return false;
	if (!strcmp(kind, "tap"))
		return !has_device(d, "vif", domid, id);
	if (!strcmp(kind, "vbd-witness"))
		return !has_device(d, "vbd", domid, id);
	if (!strcmp(kind, "channel"))
		return !has_device(d, "console", domid, id);
	dom = dom_find(d, domid);
	return !strcmp(kind, "viewer") && (!dom || !dom->console);
}

struct left_overs { struct daemon *d; char (*name)[SPAWN_NAME]; unsigned int n; };

static void note_left_over(void *data, const char *name)
{
	struct left_overs *l = data;

	if (l->n < KEEP_MAX && is_left_over(l->d, name))
		snprintf(l->name[l->n++], SPAWN_NAME, "%s", name);
}

static void drop_left_over(void *data, const char *key, const void *value, size_t len)
{
	struct daemon *d = data;

	if (is_left_over(d, key))
		state_drop(&d->state, key);
}

/*
 * What a domain or a device had that went while the daemon died: who looks at a console is to see its end, interfaces
 * and disks' files are to be free.
 */
static void drop_left_overs(struct daemon *d)
{
	struct left_overs l = { d, calloc(KEEP_MAX, SPAWN_NAME), 0 };

	if (!l.name)
		return;
	(void)keep_list(note_left_over, &l);
	while (l.n)
		(void)keep_drop(l.name[--l.n]);
	free(l.name);
	state_each(&d->state, "tap/", drop_left_over, d);
	state_each(&d->state, "channel/", drop_left_over, d);
}

void doms_adopt(struct daemon *d)
{
	history_adopt(d);
	(void)hvc_each_domain(d, look_at, d);
	state_each(&d->state, "dom/", look_at_record, d);
	state_each(&d->state, "dev/", look_at_device, d);
	devices_adopted(d);
	state_slots_sweep(&d->state, is_of_nobody, d);
	drop_left_overs(d);
	store_drop_orphans(d->store);
	policy_adopt(d);
}
