/* SPDX-License-Identifier: MIT */
/* The daemon's life around its loop: what is set up when the hypervisor is ready, and the ways it ends. */
#include "pvctld/backend/departed.h"
#include "pvctld/backend/device.h"
#include "pvctld/base/log.h"
#include "pvctld/client/control.h"
#include "pvctld/client/stop.h"
#include "pvctld/console/console.h"
#include "pvctld/core/daemon.h"
#include "pvctld/domain/domains.h"
#include "pvctld/domain/events.h"
#include "pvctld/domain/sizes.h"
#include "pvctld/life/policy.h"
#include "pvctld/life/tidy.h"
#include "pvctld/life/zombie.h"
#include "pvctld/node/giveback.h"
#include "pvctld/node/node.h"
#include "pvctld/spawn/ask.h"
#include "pvctld/xenstore/glue.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define RUNDIR_NS 2000000000ull
#define LINGER_NS 1500000000ull /* after an accident: clients get to hear why */

void daemon_quit(struct daemon *d)
{
	d->loop.quit = true;
}

static void linger_over(void *data)
{
	daemon_quit(data);
}

/* Hypercalls fail from here on; consoles are drained, as the node's memory is still there. */
static void on_down(void *data)
{
	struct daemon *d = data;

	node_kill(&d->node);
	mbox_fail_all(&d->mbox);
	events_emit(d, PVCTL_EVENT_NODE_DOWN, 0, PVCTL_REASON_NONE, d->opt.node);
	dom_free_all(d);
	if (d->stop) {
		daemon_quit(d);
		return;
	}
	log_line("%s", d->node.why);
	loop_timer_set(&d->loop, &d->exit_timer, LINGER_NS);
}

void daemon_node_down(struct daemon *d, const char *why)
{
	if (d->node.down)
		return;
	d->node.down = true;
	d->mbox.down = true;
	snprintf(d->node.why, sizeof(d->node.why), "the node is down: %s", why);
	/* Later: the caller may be deep inside a domain's affairs. */
	loop_task_post(&d->loop, &d->down_task);
}

/* Without its sockets nobody could stop it, and a second daemon could take its name. */
static void look_at_rundir(void *data)
{
	struct daemon *d = data;

	if (d->stop || d->node.down)
		return;
	if (rundir_is_ours(d)) {
		loop_timer_set(&d->loop, &d->rundir_timer, RUNDIR_NS);
		return;
	}
	log_line("%s was removed: nobody can find this node any more, and it ends", d->run_dir);
	stop_begin(d);
}

/* It says nothing unasked. QEMU and all helpers end with it. */
static void spawner_gone(void *data, uint32_t events)
{
	struct daemon *d = data;

	loop_fd_del(&d->loop, &d->spawner);
	log_line("the spawner was killed");
	daemon_node_down(d, "its first process was killed");
}

void daemon_node_waits(struct daemon *d)
{
	control_answer_all(d);
}

void daemon_node_slow(struct daemon *d)
{
	char text[200];

	mbox_say_slow(&d->mbox, text, sizeof(text));
	log_line("%s", text);
	/* Nobody needs what it could still say. */
	if (d->stop) {
		daemon_node_down(d, "stopped");
		return;
	}
	events_emit(d, PVCTL_EVENT_NODE_SLOW, 0, PVCTL_REASON_NONE, d->opt.node);
	control_answer_all(d);
}

void daemon_node_back(struct daemon *d)
{
	log_line("the hypervisor answers again");
	events_emit(d, PVCTL_EVENT_NODE_BACK, 0, PVCTL_REASON_NONE, d->opt.node);
}

void daemon_init(struct daemon *d)
{
	d->started_ns = now_ns();
	d->started_unix_ns = now_unix_ns();
	d->next_unique = d->started_unix_ns; /* never given twice by a node, even over its restarts */
	d->loop.epfd = -1;
	d->spawner.fd = -1;
	d->control_fd = d->store_fd = -1;
	rundir_set_owner();
	node_init(&d->node);
	list_init(&d->domains);
	list_init(&d->leftovers);
	list_init(&d->devices);
	list_init(&d->departed);
	list_init(&d->disk_servers);
	list_init(&d->dead_consoles);
	list_init(&d->subscribers);
	list_init(&d->restarts);
	list_init(&d->children);
	loop_task_init(&d->down_task, on_down, d);
	loop_timer_init(&d->exit_timer, linger_over, d);
	loop_timer_init(&d->rundir_timer, look_at_rundir, d);
	giveback_init(d);
	zombies_init(d);
	sizes_init(d);
}

static int ask_for_sockets(struct daemon *d, struct pvctl_error *err)
{
	struct spawn_started a;
	int fds[2], rc = spawn_ask(SPAWN_SOCKETS, NULL, &a, fds, 2, err);

	if (rc < 0)
		return rc;
	d->control_fd = fds[0];
	d->store_fd = fds[1];
	return rc == 2 ? 0 : fail(err, -EPROTO, "the spawner: %s", strerror(EPROTO));
}

int daemon_serve(struct daemon *d, struct pvctl_error *err)
{
	int rc = mbox_init(&d->mbox, d, err);

	rc = rc ? rc : evtchn_init(d, err);
	rc = rc ? rc : node_watch(d, err);
	if (!rc && d->opt.spawned && loop_fd_add(&d->loop, &d->spawner, ask_fd(), EPOLLIN, spawner_gone, d))
		rc = fail(err, -EIO, "epoll: %s", strerror(errno));
	rc = rc ? rc : store_glue_init(d, err);
	if (!rc)
		store_hear(d->store, departed_asked, d);
	rc = rc ? rc : policy_init(d, err);
	if (!rc)
		tidy_start(d);
	if (!rc && d->opt.spawned)
		rc = ask_for_sockets(d, err);
	rc = rc ? rc : store_sock_open(d, err);
	rc = rc ? rc : control_open(d, err);
	/* The spawner looks at its own. */
	if (!rc && !d->opt.spawned)
		loop_timer_set(&d->loop, &d->rundir_timer, RUNDIR_NS);
	return rc;
}

void daemon_finish(struct daemon *d)
{
	d->node.down = d->mbox.down = true;
	if (d->loop.epfd >= 0) {
		loop_fd_del(&d->loop, &d->spawner);
		giveback_fini(d);
		tidy_stop(d);
		zombies_fini(d);
		sizes_fini(d);
		policy_fini(d);
		dom_free_all(d);
		devices_fini(d);
		console_free_dead(d);
		events_close(d);
		control_detach(d);
		evtchn_fini(d);
		store_glue_fini(d);
		node_fini(d);
	}
	rundir_release(d);
	if (d->opt.spawned)
		spawn_bye(d->exit_status);
	/* Who asked for the end is told when nothing is left. */
	stop_answer(d);
	control_close(d);
	stop_free(d);
	log_line("node %s ended", d->opt.node);
}

