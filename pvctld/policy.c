/* SPDX-License-Identifier: MIT */
#include "pvctld/policy.h"
#include "libpvctl/src/util/fd.h"
#include "pvctld/daemon.h"
#include "pvctld/domains.h"
#include "pvctld/events.h"
#include "pvctld/hvcall.h"
#include "pvctld/log.h"
#include "pvctld/zombie.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>
#include <uuid/uuid.h>
#include <xen/xen.h>
#include <xen/domctl.h>
#include <xen/sched.h>

#define LIST_BATCH 128u
#define SHORT_LIFE_NS 2000000000ull
#define MAX_SHORT_LIVES 3u /* in a row; then no more restarts */

/* How a domain that is restarted has fared, by uuid, while it is between two lives or living. */
struct history {
	struct list link;
	uint8_t uuid[16];
	unsigned int short_lives;
};

static const char *const action_names[] = {
	[ACTION_DESTROY] = "destroy", [ACTION_RESTART] = "restart", [ACTION_RENAME_RESTART] = "rename-restart",
	[ACTION_PRESERVE] = "preserve", [ACTION_DUMP_DESTROY] = "coredump-destroy",
	[ACTION_DUMP_RESTART] = "coredump-restart",
};

static int read_action(const struct pvctl_config *c, const char *key, enum dom_action def, enum dom_action *ret,
		       struct pvctl_error *err)
{
	const char *v = pvctl_config_get_str(c, key);

	*ret = def;
	if (!v)
		return 0;
	for (unsigned int i = 0; i < sizeof(action_names) / sizeof(action_names[0]); i++) {
		if (!strcmp(v, action_names[i])) {
			*ret = (enum dom_action)i;
			return 0;
		}
	}
	return fail(err, -EINVAL, "%s: \"%s\" is not an action", key, v);
}

int policy_read(struct dom *dom, const struct pvctl_config *config, struct pvctl_error *err)
{
	int rc = read_action(config, "on_poweroff", ACTION_DESTROY, &dom->on[0], err);

	rc = rc ? rc : read_action(config, "on_reboot", ACTION_RESTART, &dom->on[1], err);
	rc = rc ? rc : read_action(config, "on_crash", ACTION_DESTROY, &dom->on[2], err);
	return rc ? rc : read_action(config, "on_watchdog", ACTION_DESTROY, &dom->on[3], err);
}

static struct history *find_history(struct daemon *d, const uint8_t uuid[16])
{
	list_for(p, &d->restarts)
		if (!memcmp(list_entry(p, struct history, link)->uuid, uuid, 16))
			return list_entry(p, struct history, link);
	return NULL;
}

static void drop_history(struct daemon *d, const uint8_t uuid[16])
{
	struct history *h = find_history(d, uuid);

	if (!h)
		return;
	list_del(&h->link);
	free(h);
}

void policy_committed(struct dom *dom)
{
	if (find_history(dom->d, dom->uuid))
		log_line("domain \"%s\" was restarted as domain %u", dom->name, dom->domid);
}

/* False: it has lived too shortly too often. */
static bool may_restart(struct dom *dom)
{
	struct history *h = find_history(dom->d, dom->uuid);
	bool short_life = now_ns() - dom->started_ns < SHORT_LIFE_NS;

	if (!h) {
		h = calloc(1, sizeof(*h));
		if (!h)
			return false;
		memcpy(h->uuid, dom->uuid, 16);
		list_add_tail(&dom->d->restarts, &h->link);
	}
	h->short_lives = short_life ? h->short_lives + 1 : 0;
	if (h->short_lives < MAX_SHORT_LIVES)
		return true;
	log_line("domain \"%s\" ended within %llu s %u times in a row: not restarted", dom->name,
		 SHORT_LIFE_NS / 1000000000u, h->short_lives);
	drop_history(dom->d, dom->uuid);
	return false;
}

struct rebuild {
	struct daemon *d;
	char path[340], name[128];
	uint8_t uuid[16];
};

static void rebuilt(void *data, int status)
{
	struct rebuild *r = data;

	(void)unlink(r->path);
	if (status) {
		log_line("domain \"%s\" could not be restarted (its reason is above)", r->name);
		drop_history(r->d, r->uuid);
	}
	free(r);
}

static void __attribute__((noreturn)) exec_rebuild(const struct rebuild *r)
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	(void)dup2(log_fd(), 2);
	execl("/proc/self/exe", "pvctld", "--rebuild", r->d->opt.node, r->path, (char *)NULL);
	_exit(127);
}

static void rebuild(struct dom *dom)
{
	struct daemon *d = dom->d;
	struct rebuild *r = calloc(1, sizeof(*r));
	struct iovec v = { dom->config, strlen(dom->config) };
	char dir[300], file[40];
	pid_t pid;

	if (!r || d->stop)
		goto out;
	r->d = d;
	memcpy(r->name, dom->name, sizeof(r->name));
	memcpy(r->uuid, dom->uuid, 16);
	snprintf(dir, sizeof(dir), "%s/domains", d->state_dir);
	snprintf(file, sizeof(file), "restart-%llu.json", (unsigned long long)dom->unique_id);
	snprintf(r->path, sizeof(r->path), "%s/%s", dir, file);
	if (fd_write_atomic(dir, file, &v, 1)) {
		log_line("domain \"%s\" cannot be restarted: %s cannot be written", dom->name, r->path);
		goto out;
	}
	pid = fork();
	if (!pid)
		exec_rebuild(r);
	if (pid > 0 && !child_start(d, pid, rebuilt, r))
		return;
	log_line("domain \"%s\" cannot be restarted: fork: %s", dom->name, strerror(errno));
	(void)unlink(r->path);
out:
	free(r);
}

/* The new one takes over name and uuid; the old one stays to be looked at. */
static void rename_restart(struct dom *dom)
{
	struct daemon *d = dom->d;
	struct pvctl_error e;
	char *config = strdup(dom->config), name[140], old[128];
	uint8_t old_uuid[16];
	struct dom ghost;

	memcpy(old, dom->name, sizeof(old));
	memcpy(old_uuid, dom->uuid, 16);
	for (unsigned int i = 1; i < 10000; i++) {
		snprintf(name, sizeof(name), "%.*s-%u", 120, old, i);
		if (!dom_by_name(d, name))
			break;
	}
	if (!config)
		return;
	(void)hvc_pause(d, dom->domid);
	uuid_generate(dom->uuid);
	(void)hvc_set_handle(d, dom->domid, dom->uuid);
	if (dom_rename(dom, name, &e)) {
		log_line("domain \"%s\" cannot be renamed: %s", old, e.msg);
		free(config);
		return;
	}
	ghost = (struct dom){ .d = d, .unique_id = dom->unique_id, .config = config };
	memcpy(ghost.name, old, sizeof(old));
	memcpy(ghost.uuid, old_uuid, 16);
	rebuild(&ghost);
	free(config);
}

static void restart(struct dom *dom)
{
	dom_destroy(dom, rebuild);
}

static void dumped_destroy(struct dom *dom, int rc)
{
	dom_destroy(dom, NULL);
}

static void dumped_restart(struct dom *dom, int rc)
{
	restart(dom);
}

static void act(struct dom *dom, enum dom_action action)
{
	bool wants_restart = action == ACTION_RESTART || action == ACTION_RENAME_RESTART || action == ACTION_DUMP_RESTART;

	if (wants_restart && !may_restart(dom))
		action = action == ACTION_DUMP_RESTART ? ACTION_DUMP_DESTROY :
			 action == ACTION_RENAME_RESTART ? ACTION_PRESERVE : ACTION_DESTROY;
	if (wants_restart)
		policy_keep_sizes(dom);
	else
		drop_history(dom->d, dom->uuid);
	switch (action) {
	case ACTION_DESTROY:
		dom_destroy(dom, NULL);
		break;
	case ACTION_RESTART:
		restart(dom);
		break;
	case ACTION_RENAME_RESTART:
		rename_restart(dom);
		break;
	case ACTION_PRESERVE:
		log_line("domain \"%s\" is preserved", dom->name);
		break;
	case ACTION_DUMP_DESTROY:
		dump_start(dom, dumped_destroy);
		break;
	case ACTION_DUMP_RESTART:
		dump_start(dom, dumped_restart);
		break;
	}
}

static void ended(struct dom *dom, unsigned int reason)
{
	static const char *const names[] = { "poweroff", "reboot", "suspend", "crash", "watchdog", "soft reset" };
	struct daemon *d = dom->d;

	dom->ended = true;
	log_line("domain %u (%s) has shut down: %s", dom->domid, dom->name,
		 reason < sizeof(names) / sizeof(names[0]) ? names[reason] : "reason unknown");
	events_emit(d, PVCTL_EVENT_SHUTDOWN, dom->domid, (int32_t)reason, dom->name);
	store_fire_special(d->store, "@releaseDomain");
	/* Not committed: its builder's; it goes with the connection. Being saved: the saver's. */
	if (dom->creator || !dom->config || reason == SHUTDOWN_suspend)
		return;
	switch (reason) {
	case SHUTDOWN_poweroff:
		act(dom, dom->on[0]);
		break;
	case SHUTDOWN_reboot:
	case SHUTDOWN_soft_reset: /* a kernel that starts another one itself gets a fresh boot */
		act(dom, dom->on[1]);
		break;
	case SHUTDOWN_watchdog:
		act(dom, dom->on[3]);
		break;
	default:
		act(dom, dom->on[2]);
	}
}

static void look_at(struct daemon *d, const struct xen_domctl_getdomaininfo *info)
{
	struct dom *dom = dom_find(d, info->domain);

	if (!dom || dom->dying)
		return;
	if (!(info->flags & XEN_DOMINF_shutdown)) {
		dom->ended = false;
		return;
	}
	if (!dom->ended && !(info->flags & XEN_DOMINF_dying))
		ended(dom, (info->flags >> XEN_DOMINF_shutdownshift) & XEN_DOMINF_shutdownmask);
}

static void look(void *data)
{
	struct daemon *d = data;
	struct xen_domctl_getdomaininfo infos[LIST_BATCH];
	uint32_t first = 1;
	int n;

	do {
		n = hvc_list(d, first, infos, LIST_BATCH);
		for (int i = 0; i < n; i++)
			look_at(d, &infos[i]);
		if (n > 0)
			first = infos[n - 1].domain + 1u;
	} while (n == (int)LIST_BATCH && first < DOMID_FIRST_RESERVED);
	zombies_look(d);
}

void policy_resumed(struct dom *dom)
{
	dom->ended = false;
	/* If it has ended again by now, the look that its end caused passed it over. */
	loop_task_post(&dom->d->loop, &dom->d->policy_task);
}

static void on_dom_exc(void *data)
{
	struct daemon *d = data;

	/* Not from inside an event scan: the actions make hypercalls. */
	loop_task_post(&d->loop, &d->policy_task);
}

int policy_init(struct daemon *d, struct pvctl_error *err)
{
	uint32_t port;
	int rc;

	loop_task_init(&d->policy_task, look, d);
	rc = evtchn_bind_virq(d, VIRQ_DOM_EXC, on_dom_exc, d, &port);
	if (rc)
		return fail(err, rc, "VIRQ_DOM_EXC cannot be bound: %s", strerror(-rc));
	return 0;
}

void policy_fini(struct daemon *d)
{
	child_kill_all(d);
	while (!list_empty(&d->restarts)) {
		struct history *h = list_entry(d->restarts.next, struct history, link);

		list_del(&h->link);
		free(h);
	}
}
