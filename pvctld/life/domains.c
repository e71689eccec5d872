/* SPDX-License-Identifier: MIT */
#include "libpvctl/src/transport/proto.h"
#include "libpvctl/src/util/fd.h"
#include "pvctld/base/log.h"
#include "pvctld/console/console.h"
#include "pvctld/core/daemon.h"
#include "pvctld/domain/domains.h"
#include "pvctld/domain/events.h"
#include "pvctld/hv/hvcall.h"
#include "pvctld/life/history.h"
#include "pvctld/life/logger.h"
#include "pvctld/life/still.h"
#include "pvctld/life/policy.h"
#include "pvctld/life/suspend.h"
#include "pvctld/life/tidy.h"
#include "pvctld/life/zombie.h"
#include "pvctld/node/giveback.h"
#include "pvctld/state/die.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>
#include <uuid/uuid.h>
#include <xen/xen.h>
#include <xen/domctl.h>

#define LEFTOVER_NS 50000000u

static void leftover_free(struct dom *dom)
{
	loop_timer_cancel(&dom->pause);
	list_del(&dom->link);
	free(dom);
}

static void on_leftover(void *data)
{
	struct dom *dom = data;

	if (dom_remove_nodes(dom))
		leftover_free(dom);
	else
		loop_timer_set(&dom->d->loop, &dom->pause, LEFTOVER_NS);
}

/* Another gets the number: what is there is not to be taken for its own, nor its own removed later. */
static void leftovers_of(struct daemon *d, uint32_t domid)
{
	list_for_safe(p, &d->leftovers) {
		struct dom *dom = list_entry(p, struct dom, link);

		if (dom->domid != domid)
			continue;
		if (!dom_remove_nodes(dom))
			log_line("domain %u: store nodes of one before it are left, for want of memory", domid);
		leftover_free(dom);
	}
}

struct dom *dom_new(struct daemon *d)
{
	struct dom *dom = calloc(1, sizeof(*dom));

	if (dom)
		dom->d = d;
	return dom;
}

void dom_add(struct dom *dom, uint32_t domid)
{
	dom->domid = domid;
	list_init(&dom->kill.link);
	logger_init(dom);
	still_init(dom);
	policy_init_dom(dom);
	store_link_init(&dom->store, dom->d, domid);
	dom_enlist(dom);
}

void dom_created(struct dom *dom, uint32_t domid, struct ctl_conn *creator)
{
	struct daemon *d = dom->d;
	struct dom *old = dom_find(d, domid);

	if (old) {
		/* Its end was not seen, but the hypervisor gave the id away again. */
		log_line("domain %u (%s) is gone", domid, old->name);
		dom_gone(old);
	}
	leftovers_of(d, domid);
	dom_add(dom, domid);
	dom->unique_id = d->next_unique++;
	dom->created_unix_ns = now_unix_ns();
	dom->started_ns = now_ns();
	dom->creator = creator;
	hvc_set_time(d);
}

static void config_name(const struct dom *dom, char *buf, size_t len)
{
	snprintf(buf, len, "%u.json", dom->domid);
}

/* The file is for people and for a look after an accident; the memory's copy counts. */
static void save_config(struct dom *dom)
{
	struct iovec v = { dom->config, strlen(dom->config) };
	char dir[300], name[32];

	snprintf(dir, sizeof(dir), "%s/domains", dom->d->state_dir);
	config_name(dom, name, sizeof(name));
	if (fd_write_atomic(dir, name, &v, 1))
		log_line("%s/%s cannot be written", dir, name);
}

static void drop_config(struct dom *dom)
{
	char path[340], name[32];

	if (!dom->config)
		return;
	config_name(dom, name, sizeof(name));
	snprintf(path, sizeof(path), "%s/domains/%s", dom->d->state_dir, name);
	(void)unlink(path);
}

int dom_check_name(const char *name, struct pvctl_error *err)
{
	size_t n = strlen(name);

	if (!n || n > 127)
		return fail(err, -EINVAL, "a domain's name has 1 to 127 characters");
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)name[i] < ' ' || name[i] == 0x7f || name[i] == '/')
			return fail(err, -EINVAL, "a domain's name has no slash and no control characters");
	return 0;
}

static int set_names(struct dom *dom, struct pvctl_config *c, struct pvctl_error *err)
{
	char uuid[37], *json;
	int rc;

	uuid_unparse_lower(dom->uuid, uuid);
	rc = pvctl_config_set_str(c, "name", dom->name, err);
	if (!rc && !uuid_is_null(dom->uuid))
		rc = pvctl_config_set_str(c, "uuid", uuid, err);
	if (!rc)
		rc = pvctl_config_to_json(c, &json, err);
	if (rc)
		return rc;
	free(dom->config);
	dom->config = json;
	return 0;
}

int dom_update_config(struct dom *dom, struct pvctl_error *err)
{
	struct pvctl_config *c;
	int rc;

	if (!dom->config)
		return 0;
	rc = pvctl_config_from_json(dom->config, &c, err);
	if (rc)
		return rc;
	rc = set_names(dom, c, err);
	pvctl_config_free(c);
	if (!rc) {
		dom_keep(dom);
		save_config(dom);
	}
	return rc;
}

static int check_unique(struct dom *dom, const char *name, const uint8_t *uuid, struct pvctl_error *err)
{
	list_for(p, &dom->d->domains) {
		struct dom *other = list_entry(p, struct dom, link);

		if (other == dom || !other->name[0])
			continue;
		if (!strcmp(other->name, name))
			return fail(err, -EEXIST, "domain %u has the name \"%s\" already", other->domid, name);
		/* One that is suspended may be about to be given to us. */
		if (uuid && !other->rest && !uuid_is_null(uuid) && !memcmp(other->uuid, uuid, 16))
			return fail(err, -EEXIST, "domain \"%s\" has this uuid already", other->name);
	}
	return 0;
}

static int run(struct dom *dom, struct pvctl_error *err)
{
	int rc = hvc_unpause(dom->d, dom->domid);

	if (rc)
		return fail(err, rc, "unpausing the domain: %s", strerror(-rc));
	events_emit(dom->d, PVCTL_EVENT_UNPAUSED, dom->domid, PVCTL_REASON_NONE, dom->name);
	return 0;
}

int dom_commit(struct dom *dom, const struct proto_commit *c, const char *json, struct pvctl_error *err)
{
	struct pvctl_config *config;
	char name[sizeof(c->name) + 1];
	bool first = !dom->name[0];
	int rc;

	memcpy(name, c->name, sizeof(c->name));
	name[sizeof(c->name)] = 0;
	rc = dom_check_name(name, err);
	rc = rc ? rc : check_unique(dom, name, c->uuid, err);
	rc = rc ? rc : pvctl_config_from_json(json, &config, err);
	if (rc)
		return rc;
	memcpy(dom->name, name, sizeof(dom->name));
	memcpy(dom->uuid, c->uuid, 16);
	rc = policy_read(dom, config, err);
	rc = rc ? rc : set_names(dom, config, err);
	pvctl_config_free(config);
	if (rc) {
		if (first)
			dom->name[0] = 0;
		return rc;
	}
	dom->created_unix_ns = c->created_unix_ns ? c->created_unix_ns : now_unix_ns();
	if (!(c->flags & PROTO_COMMIT_HOLD))
		dom->creator = NULL;
	dom->unpausing = c->flags & PROTO_COMMIT_UNPAUSE;
	dom_keep(dom);
	die_point("commit");
	save_config(dom);
	if (dom->console)
		console_set_name(dom->console, dom->name);
	if (first) {
		log_line("domain %u is \"%s\"", dom->domid, dom->name);
		policy_committed(dom);
		events_emit(dom->d, PVCTL_EVENT_CREATED, dom->domid, PVCTL_REASON_NONE, dom->name);
		if (dom->console)
			events_emit(dom->d, PVCTL_EVENT_CONSOLE, dom->domid, PVCTL_REASON_NONE, dom->name);
	}
	if (!dom->unpausing)
		return 0;
	rc = run(dom, err);
	dom->unpausing = false;
	dom_keep(dom);
	return rc;
}

static void renamed(const struct dom *dom, const char *old)
{
	struct pvctl_event ev = { .type = PVCTL_EVENT_RENAMED, .domid = dom->domid, .reason = PVCTL_REASON_NONE,
				  .unique_id = dom->unique_id };

	memcpy(ev.name, dom->name, sizeof(ev.name));
	snprintf(ev.detail, sizeof(ev.detail), "%s", old);
	events_send(dom->d, &ev);
}

int dom_rename(struct dom *dom, const char *name, struct pvctl_error *err)
{
	char old[sizeof(dom->name)];
	int rc = dom_check_name(name, err);

	rc = rc ? rc : check_unique(dom, name, NULL, err);
	if (rc)
		return rc;
	memcpy(old, dom->name, sizeof(old));
	snprintf(dom->name, sizeof(dom->name), "%s", name);
	rc = dom_update_config(dom, err);
	if (rc) {
		memcpy(dom->name, old, sizeof(old));
		return rc;
	}
	if (!dom->forgotten)
		dom_write_names(dom);
	if (dom->console)
		console_set_name(dom->console, name);
	renamed(dom, old);
	return 0;
}

void dom_gone(struct dom *dom)
{
	struct daemon *d = dom->d;

	dom_forget(dom);
	if (dom->console)
		console_retire(dom->console);
	dom->console = NULL;
	if (dom->name[0])
		events_emit(d, PVCTL_EVENT_DESTROYED, dom->domid, PVCTL_REASON_NONE, dom->name);
	drop_config(dom);
	dom_keep_not(dom);
	mbox_cancel(&d->mbox, &dom->kill);
	logger_fini(dom);
	still_fini(dom);
	suspend_gone(dom);
	loop_timer_cancel(&dom->pause);
	mbox_cancel(&d->mbox, &dom->pause_ask);
	dom_delist(dom);
	free(dom->config);
	dom->config = NULL;
	if (dom->nodes_left) {
		list_add_tail(&d->leftovers, &dom->link);
		loop_timer_init(&dom->pause, on_leftover, dom);
		loop_timer_set(&d->loop, &dom->pause, LEFTOVER_NS);
	} else {
		free(dom);
	}
	giveback_soon(d);
	tidy_soon(d);
}

static void killed(struct mbox_call *call, int64_t ret, bool down)
{
	struct dom *dom = call->data;

	dom->dying = false;
	if (down)
		return; /* dom_free_all comes */
	if (ret && ret != -ESRCH) {
		/* It stays on the list, and is tried again when the node is stopped. */
		log_line("domain %u (%s) cannot be destroyed: %s", dom->domid, dom->name, strerror((int)-ret));
		return;
	}
	if (dom->after_kill)
		dom->after_kill(dom);
	else
		history_drop(dom->d, dom->uuid);
	zombie_or_gone(dom);
}

static void destroy_now(struct mbox_call *call, int64_t ret, bool down)
{
	struct dom *dom = call->data;
	struct daemon *d = dom->d;
	const struct xen_domctl op = { .cmd = XEN_DOMCTL_destroydomain, .domain = (domid_t)dom->domid };

	if (down) {
		dom->dying = false;
		return; /* dom_free_all comes */
	}
	/* Paused first: what is in its console ring then is all there will be. */
	(void)hvc_pause(d, dom->domid);
	dom_forget(dom);
	die_point("destroy");
	hvc_queue_domctl(d, &dom->kill, dom->kill_arg, &op, killed, dom);
}

void dom_destroy(struct dom *dom, void (*after_kill)(struct dom *dom))
{
	if (dom->dying)
		return;
	dom->dying = true;
	dom->after_kill = after_kill;
	dom_keep(dom);
	mbox_ask(&dom->d->mbox, &dom->kill, destroy_now, dom);
}

void dom_destroy_first(struct dom *dom)
{
	if (dom->dying)
		return;
	dom->dying = true;
	dom_keep(dom);
	dom->kill.data = dom;
	destroy_now(&dom->kill, 0, false);
}

void dom_creator_gone(struct daemon *d, struct ctl_conn *creator)
{
	list_for_safe(p, &d->domains) {
		struct dom *dom = list_entry(p, struct dom, link);

		if (dom->creator != creator)
			continue;
		dom->creator = NULL;
		log_line("domain %u was never committed: destroyed", dom->domid);
		dom_destroy(dom, NULL);
	}
}

void dom_free_all(struct daemon *d)
{
	while (!list_empty(&d->domains))
		dom_gone(list_entry(d->domains.next, struct dom, link));
	while (!list_empty(&d->leftovers))
		leftover_free(list_entry(d->leftovers.next, struct dom, link));
}
