/* SPDX-License-Identifier: MIT */
#include "pvctld/life/policy.h"
#include "libpvctl/src/util/fd.h"
#include "pvctld/base/log.h"
#include "pvctld/spawn/ask.h"
#include "pvctld/console/console.h"
#include "pvctld/core/children.h"
#include "pvctld/core/daemon.h"
#include "pvctld/domain/domains.h"
#include "pvctld/domain/events.h"
#include "pvctld/hv/hvcall.h"
#include "pvctld/life/history.h"
#include "pvctld/life/suspend.h"
#include "pvctld/life/zombie.h"
#include "pvctld/state/die.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <uuid/uuid.h>
#include <xen/xen.h>
#include <xen/domctl.h>
#include <xen/sched.h>

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

static uint32_t read_number(const struct pvctl_config *c, const char *key, uint32_t def, uint32_t max)
{
	int64_t n;

	return pvctl_config_get_int(c, key, &n) || n < 0 || n > max ? def : (uint32_t)n;
}

int policy_read(struct dom *dom, const struct pvctl_config *config, struct pvctl_error *err)
{
	int rc = read_action(config, "on_poweroff", ACTION_DESTROY, &dom->on[0], err);

	rc = rc ? rc : read_action(config, "on_reboot", ACTION_RESTART, &dom->on[1], err);
	rc = rc ? rc : read_action(config, "on_crash", ACTION_DESTROY, &dom->on[2], err);
	dom->restart_limit = read_number(config, "restart_limit", 5, RESTART_LIMIT_MAX);
	dom->restart_window = read_number(config, "restart_window", 60, 86400);
	return rc ? rc : read_action(config, "on_watchdog", ACTION_DESTROY, &dom->on[3], err);
}

struct rebuild {
	struct daemon *d;
	char name[128];
	uint8_t uuid[16];
};

static void rebuild_key(const uint8_t uuid[16], char buf[48])
{
	char text[37];

	uuid_unparse_lower(uuid, text);
	snprintf(buf, 48, "rebuild/%s", text);
}

static void forget_rebuild(struct daemon *d, const uint8_t uuid[16])
{
	char key[48];

	rebuild_key(uuid, key);
	state_drop(&d->state, key);
}

void policy_committed(struct dom *dom)
{
	/* It may end, and be rebuilt once more, before the process that built it is seen to have ended. */
	forget_rebuild(dom->d, dom->uuid);
	if (history_has(dom->d, dom->uuid))
		log_line("domain \"%s\" was restarted as domain %u", dom->name, dom->domid);
}

static void rebuilt(void *data, int status)
{
	struct rebuild *r = data;

	if (status) {
		forget_rebuild(r->d, r->uuid);
		log_line("domain \"%s\" could not be restarted (its reason is above)", r->name);
		history_drop(r->d, r->uuid);
	}
	free(r);
}

static void __attribute__((noreturn)) exec_rebuild(const struct rebuild *r, int config)
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	(void)dup2(log_fd(), 2);
	if (!lseek(config, 0, SEEK_SET) && !dup2(config, 0))
		execl("/proc/self/exe", "pvctld", "--rebuild", r->d->opt.node, "-", (char *)NULL);
	_exit(127);
}

static int start_rebuild(struct rebuild *r, int config, struct pvctl_error *err)
{
	const struct spawn_ask q = { .fds = &config, .nr_fds = 1 };
	int status_fd = -1, rc;
	pid_t pid;

	if (ask_fd() >= 0) {
		rc = spawn_start(SPAWN_REBUILD, &q, &pid, &status_fd, err);
		if (rc)
			return rc;
	} else {
		pid = fork();
		if (!pid)
			exec_rebuild(r, config);
		if (pid < 0)
			return fail(err, -EIO, "fork: %s", strerror(errno));
	}
	rc = child_watch(r->d, pid, status_fd, rebuilt, r);
	return rc ? fail(err, rc, "its helper cannot be watched") : 0;
}

void policy_note_rebuild(const struct dom *dom)
{
	char key[48];

	rebuild_key(dom->uuid, key);
	state_set(&dom->d->state, key, dom->config, strlen(dom->config) + 1);
}

void policy_rebuild(struct dom *dom)
{
	struct daemon *d = dom->d;
	struct rebuild *r = calloc(1, sizeof(*r));
	struct pvctl_error e;
	int config = -1;

	if (!r || d->stop)
		goto out;
	policy_note_rebuild(dom);
	r->d = d;
	memcpy(r->name, dom->name, sizeof(r->name));
	memcpy(r->uuid, dom->uuid, 16);
	/* Not a file: that would need room on a disk. */
	config = memfd_create("config", MFD_CLOEXEC);
	if (config < 0 || write(config, dom->config, strlen(dom->config)) != (ssize_t)strlen(dom->config)) {
		log_line("domain \"%s\" cannot be restarted: its configuration: %s", dom->name, strerror(errno));
		goto out;
	}
	if (!start_rebuild(r, config, &e)) {
		close(config);
		return;
	}
	log_line("domain \"%s\" cannot be restarted: %s", dom->name, e.msg);
out:
	/* Nobody is to begin with it at some later time. */
	forget_rebuild(d, dom->uuid);
	if (config >= 0)
		close(config);
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
	ghost = (struct dom){ .d = d, .unique_id = dom->unique_id, .config = config };
	memcpy(ghost.name, old, sizeof(old));
	memcpy(ghost.uuid, old_uuid, 16);
	/* A daemon that comes after this one finds either that nothing was done yet, or all that is to be done. */
	policy_note_rebuild(&ghost);
	dom->over = true;
	if (dom_rename(dom, name, &e)) {
		log_line("domain \"%s\" cannot be renamed: %s", old, e.msg);
		dom->over = false;
		forget_rebuild(d, ghost.uuid);
		free(config);
		return;
	}
	die_point("renamed");
	policy_rebuild(&ghost);
	free(config);
}

static void restart(struct dom *dom)
{
	dom_destroy(dom, policy_rebuild);
}

static void dumped_destroy(struct dom *dom, int rc)
{
	dom_destroy(dom, NULL);
}

static void dumped_restart(struct dom *dom, int rc)
{
	restart(dom);
}

static void dumped_keep(struct dom *dom, int rc)
{
}

/* It ended too often. */
static void keep(struct dom *dom, bool dump)
{
	dom->kept = true;
	dom_keep(dom);
	events_emit(dom->d, PVCTL_EVENT_KEPT, dom->domid, PVCTL_REASON_NONE, dom->name);
	if (dump)
		dump_start(dom, dumped_keep);
}

static void act_now(struct dom *dom, enum dom_action action)
{
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
		dom->over = true;
		dom_keep(dom);
		break;
	case ACTION_DUMP_DESTROY:
		dump_start(dom, dumped_destroy);
		break;
	case ACTION_DUMP_RESTART:
		dump_start(dom, dumped_restart);
		break;
	}
}

static void act_late(struct mbox_call *call, int64_t ret, bool down)
{
	struct dom *dom = call->data;

	if (!down && !dom->dying && !dom->d->stop && !dom->d->node.down)
		act_now(dom, dom->next);
}

static void pause_over(void *data)
{
	struct dom *dom = data;

	mbox_ask_once(&dom->d->mbox, &dom->pause_ask, act_late, dom);
}

void policy_init_dom(struct dom *dom)
{
	loop_timer_init(&dom->pause, pause_over, dom);
	list_init(&dom->pause_ask.link);
	suspend_init(dom);
}

static void act(struct dom *dom, enum dom_action action, bool failed)
{
	uint64_t pause_ns;

	if (action != ACTION_RESTART && action != ACTION_RENAME_RESTART && action != ACTION_DUMP_RESTART) {
		history_drop(dom->d, dom->uuid);
		act_now(dom, action);
		return;
	}
	if (!history_may_restart(dom, failed, &pause_ns)) {
		keep(dom, action == ACTION_DUMP_RESTART);
		return;
	}
	policy_keep_sizes(dom);
	if (!pause_ns) {
		act_now(dom, action);
		return;
	}
	log_line("domain \"%s\" will be restarted in %llu s", dom->name, (unsigned long long)(pause_ns / 1000000000u));
	dom->next = action;
	loop_timer_set(&dom->d->loop, &dom->pause, pause_ns);
	dom_keep(dom);
}

static void ended(struct dom *dom, unsigned int reason)
{
	static const char *const names[] = { "poweroff", "reboot", "suspend", "crash", "watchdog", "soft reset" };
	struct daemon *d = dom->d;

	dom->ended = true;
	if (dom->console)
		dom->console->reason = (int32_t)reason;
	log_line("domain %u (%s) has shut down: %s", dom->domid, dom->name,
		 reason < sizeof(names) / sizeof(names[0]) ? names[reason] : "reason unknown");
	events_emit(d, PVCTL_EVENT_SHUTDOWN, dom->domid, (int32_t)reason, dom->name);
	store_fire_special(d->store, "@releaseDomain");
	if (reason == SHUTDOWN_suspend && dom->config) {
		dom->saved = true;
		dom_keep(dom);
	}
	if (reason == SHUTDOWN_suspend)
		suspend_seen(dom);
	/* Not committed: its builder's; it goes with the connection. Suspended: whose who asked for it, or it is kept. */
	if (dom->creator || !dom->config || reason == SHUTDOWN_suspend)
		return;
	switch (reason) {
	case SHUTDOWN_poweroff:
		act(dom, dom->on[0], false);
		break;
	case SHUTDOWN_reboot:
	case SHUTDOWN_soft_reset: /* a kernel that starts another one itself gets a fresh boot */
		act(dom, dom->on[1], false);
		break;
	case SHUTDOWN_watchdog:
		act(dom, dom->on[3], true);
		break;
	default:
		act(dom, dom->on[2], true);
	}
}

static void look_at(void *data, const struct xen_domctl_getdomaininfo *info)
{
	struct daemon *d = data;
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

static void look_now(struct mbox_call *call, int64_t ret, bool down)
{
	struct daemon *d = call->data;

	if (down)
		return;
	(void)hvc_each_domain(d, look_at, d);
	zombies_look(d);
}

/* Whatever happens until there is an answer is seen then, too. */
static void look(void *data)
{
	struct daemon *d = data;

	mbox_ask_once(&d->mbox, &d->policy_call, look_now, d);
}

void dom_resumed(struct dom *dom)
{
	dom->ended = dom->kept = dom->saved = dom->over = false;
	loop_timer_cancel(&dom->pause);
	mbox_cancel(&dom->d->mbox, &dom->pause_ask);
	suspend_over(dom);
	dom_keep(dom);
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
	list_init(&d->policy_call.link);
	rc = evtchn_bind_virq(d, VIRQ_DOM_EXC, on_dom_exc, d, &port);
	if (rc)
		return fail(err, rc, "VIRQ_DOM_EXC cannot be bound: %s", strerror(-rc));
	return 0;
}

/* Its rebuilding had begun; the process that did it has ended with the daemon that it built for. */
static void rebuild_again(void *data, const char *key, const void *value, size_t len)
{
	struct daemon *d = data;
	struct dom ghost = { .d = d, .config = (char *)(uintptr_t)value };
	struct pvctl_config *c;

	if (!len || uuid_parse(key + strlen("rebuild/"), ghost.uuid))
		return;
	list_for(p, &d->domains)
		/* It was rebuilt; one that dies by now, to be rebuilt once more, sees to that itself. */
		if (!memcmp(list_entry(p, struct dom, link)->uuid, ghost.uuid, 16)) {
			state_drop(&d->state, key);
			return;
		}
	ghost.config = strdup(value);
	if (!ghost.config || pvctl_config_from_json(ghost.config, &c, NULL)) {
		free(ghost.config);
		return;
	}
	snprintf(ghost.name, sizeof(ghost.name), "%s", pvctl_config_get_str(c, "name"));
	pvctl_config_free(c);
	policy_rebuild(&ghost);
	free(ghost.config);
}

void policy_adopt(struct daemon *d)
{
	state_each(&d->state, "rebuild/", rebuild_again, d);
	/* What ended meanwhile. */
	loop_task_post(&d->loop, &d->policy_task);
}

void policy_fini(struct daemon *d)
{
	child_kill_all(d);
	history_fini(d);
}
