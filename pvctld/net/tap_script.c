/* SPDX-License-Identifier: MIT */
/*
 * Xen's hotplug scripts: XENBUS_PATH and vif in the environment, "online" or
 * "offline" and "type_if=vif" as arguments, what they want to know below
 * XENBUS_PATH in the store, and hotplug-status or hotplug-error from them there.
 */
#include "pvctld/base/log.h"
#include "pvctld/core/children.h"
#include "pvctld/domain/domains.h"
#include "pvctld/net/links.h"
#include "pvctld/net/tap.h"
#include "pvctld/spawn/ask.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define ONLINE_NS 40000000000ull  /* as Xen's toolstack gives them */
#define OFFLINE_NS 10000000000ull
#define ENV_MAX 12

/* Lives until its process was seen to end. */
struct tap_run {
	struct tap t;             /* fd: ours in "offline" alone */
	struct tap_run **owner;   /* NULL: nobody waits for the result */
	struct loop_timer timer;
	struct loop_task begin;
	pid_t pid;
	bool online, late;
	char path[80];
};

static unsigned int nr_offline;

bool net_scripts_busy(void)
{
	return nr_offline > 0;
}

static void env_add(char env[ENV_MAX][400], char *list[ENV_MAX + 1], const char *name, const char *value)
{
	unsigned int n = 0;

	while (list[n])
		n++;
	snprintf(env[n], sizeof(env[n]), "%s=%s", name, value);
	list[n] = env[n];
}

pid_t tap_script_spawn(const struct vif_spec *spec, const char *name, bool online, const char *back, const char *store_path)
{
	static char env[ENV_MAX][400]; /* one thread */
	char *list[ENV_MAX + 1] = { NULL };
	char *const argv[] = {
		(char *)(uintptr_t)spec->script, (char *)(uintptr_t)(online ? "online" : "offline"), (char *)(uintptr_t)"type_if=vif", NULL
	};

	env_add(env, list, "PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
	env_add(env, list, "script", spec->script);
	env_add(env, list, "XENBUS_TYPE", "vif");
	env_add(env, list, "XENBUS_BASE_PATH", "backend");
	env_add(env, list, "XENBUS_PATH", back);
	env_add(env, list, "XENSTORED_PATH", store_path);
	env_add(env, list, "vif", name);
	if (spec->gatewaydev[0])
		env_add(env, list, "netdev", spec->gatewaydev);
	return net_spawn(spec->script, argv, list, -1, log_fd());
}

static int spawn(struct tap_run *r, int *ret_status_fd)
{
	char text[VIF_SPEC_MAX + 1];
	const struct spawn_ask q = { .text = text, .where = r->t.name, .domid = r->t.domid, .verb = r->online };

	*ret_status_fd = -1;
	if (ask_fd() < 0) {
		r->pid = tap_script_spawn(&r->t.spec, r->t.name, r->online, r->path, r->t.d->store_path);
		return r->pid < 0 ? -EIO : 0;
	}
	vif_spec_format(&r->t.spec, text);
	return spawn_start(SPAWN_VIF_SCRIPT, &q, &r->pid, ret_status_fd, NULL);
}

static void run_free(struct tap_run *r)
{
	loop_timer_cancel(&r->timer);
	loop_task_cancel(&r->begin);
	if (r->owner)
		*r->owner = NULL;
	if (!r->online) {
		close(r->t.fd);
		nr_offline--;
	}
	free(r);
}

static char *node(const struct tap_run *r, const char *name)
{
	char path[120];
	size_t len;

	snprintf(path, sizeof(path), "%s/%s", r->path, name);
	return store_read(r->t.d->store, path, &len);
}

static void why_failed(const struct tap_run *r, int status, char *why, size_t size)
{
	char *said = node(r, "hotplug-error");

	if (r->late)
		snprintf(why, size, "script \"%s\" did not end in %llu s", r->t.spec.script, ONLINE_NS / 1000000000);
	else if (said && said[0])
		snprintf(why, size, "script \"%s\": %s", r->t.spec.script, said);
	else if (WIFSIGNALED(status))
		snprintf(why, size, "script \"%s\" was killed by signal %d", r->t.spec.script, WTERMSIG(status));
	else
		snprintf(why, size, "script \"%s\" ended with status %d%s", r->t.spec.script, WEXITSTATUS(status),
			 WEXITSTATUS(status) == 127 ? ": can it be run?" : "");
	free(said);
}

static void online_ended(struct tap_run *r, int status)
{
	char *state = node(r, "hotplug-status"), *said = node(r, "hotplug-error");
	char why[400];

	if (status || said || (state && !strcmp(state, "error"))) {
		why_failed(r, status, why, sizeof(why));
		net_report(r->t.d, r->t.domid, r->t.spec.devid, why);
	} else {
		net_report(r->t.d, r->t.domid, r->t.spec.devid, NULL);
	}
	free(state);
	free(said);
}

/* Nothing of the domain may stay in the store; but a successor of the same number may be there by now. */
static void forget_nodes(const struct tap_run *r)
{
	const struct dom *dom = dom_find(r->t.d, r->t.domid);
	char *state = node(r, "state"), path[sizeof(r->path)];

	snprintf(path, sizeof(path), "%s", r->path);
	if (!state)
		(void)store_rm(r->t.d->store, path);
	*strrchr(path, '/') = '\0';
	if (!dom || dom->forgotten)
		(void)store_rm(r->t.d->store, path);
	free(state);
}

static void ended(void *data, int status)
{
	struct tap_run *r = data;

	if (!r->t.d->store) {
		run_free(r);
		return;
	}
	if (r->online && r->owner)
		online_ended(r, status);
	if (!r->online) {
		if (status)
			log_line("vif %u of domain %u: script \"%s\" offline failed", r->t.spec.devid, r->t.domid, r->t.spec.script);
		forget_nodes(r);
	}
	run_free(r);
}

static void too_late(void *data)
{
	struct tap_run *r = data;

	r->late = true;
	child_kill(r->pid, SIGKILL, true);
}

/* False: r is freed. */
static bool start(struct tap_run *r)
{
	int status_fd;

	if (spawn(r, &status_fd) || child_watch(r->t.d, r->pid, status_fd, ended, r)) {
		if (r->online) {
			net_report(r->t.d, r->t.domid, r->t.spec.devid, "its script could not be started");
		} else {
			log_line("vif %u of domain %u: script \"%s\" offline could not be started", r->t.spec.devid, r->t.domid,
				 r->t.spec.script);
			forget_nodes(r);
		}
		run_free(r);
		return false;
	}
	loop_timer_set(&r->t.d->loop, &r->timer, r->online ? ONLINE_NS : OFFLINE_NS);
	return true;
}

static void put(const struct tap_run *r, const char *name, const char *value)
{
	char path[120];

	snprintf(path, sizeof(path), "%s/%s", r->path, name);
	if (value[0])
		(void)store_writef(r->t.d->store, path, "%s", value);
}

/* The backend's nodes are gone by now, and scripts read them. */
static void begin_offline(void *data)
{
	struct tap_run *r = data;
	const uint8_t *m = r->t.spec.mac;
	char mac[24], *state = node(r, "state");

	snprintf(mac, sizeof(mac), "%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2], m[3], m[4], m[5]);
	if (!state) {
		put(r, "script", r->t.spec.script);
		put(r, "mac", mac);
		put(r, "bridge", r->t.spec.bridge);
		put(r, "ip", r->t.spec.ip);
		put(r, "vifname", r->t.spec.vifname);
	}
	free(state);
	(void)start(r);
}

static struct tap_run *run_new(const struct tap *t, bool online)
{
	struct tap_run *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->t = *t;
	r->online = online;
	loop_timer_init(&r->timer, too_late, r);
	loop_task_init(&r->begin, begin_offline, r);
	snprintf(r->path, sizeof(r->path), "/local/domain/0/backend/vif/%u/%u", t->domid, t->spec.devid);
	return r;
}

struct tap_run *tap_script_online(const struct tap *t, struct tap_run **owner)
{
	struct tap_run *r = run_new(t, true);

	if (!r) {
		net_report(t->d, t->domid, t->spec.devid, "no memory for its script");
		return NULL;
	}
	r->owner = owner;
	return start(r) ? r : NULL;
}

void tap_script_offline(const struct tap *t, struct tap_run *online)
{
	struct tap_run *r = t->d->store && !t->d->node.down ? run_new(t, false) : NULL;

	if (online) {
		online->owner = NULL;
		child_kill(online->pid, SIGKILL, true);
	}
	if (!r) {
		close(t->fd);
		return;
	}
	nr_offline++;
	/* Not now: whoever closes the link is taking the domain's nodes away. */
	loop_task_post(&t->d->loop, &r->begin);
}
