/* SPDX-License-Identifier: MIT */
/* The life of the node's QEMU as the loop sees it. */
#include "pvctld/node/node.h"
#include "pvctld/base/log.h"
#include "pvctld/core/daemon.h"
#include "pvctld/node/backing.h"
#include "pvctld/node/confine.h"
#include "pvctld/node/giveback.h"
#include "pvctld/node/hvlog.h"
#include "pvctld/spawn/ask.h"
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define READY_TIMEOUT_NS 25000000000ull
#define WATCHDOG_NS 5000000000ull

static int reap(struct node *n)
{
	int status = n->qemu_pid > 0 ? spawn_wait(n->status_fd) : 0;

	n->qemu_pid = 0;
	return status;
}

void node_kill(struct node *n)
{
	if (n->qemu_pid > 0) {
		(void)spawn_kill(n->qemu_pid, SIGKILL, false);
		reap(n);
	}
}

/* Said before QEMU's first instruction, and so before the hypervisor's. */
static int check_jail(struct node *n, struct pvctl_error *err)
{
	char text[160];

	if (n->jail_fd >= 0) {
		n->confined = confine_state(n->jail_fd);
		close(n->jail_fd);
		n->jail_fd = -1;
		if (!n->confined)
			return fail(err, -EIO, "QEMU runs without having entered its jail");
	}
	confine_describe(n->confined, text, sizeof(text));
	log_line("QEMU is confined by: %s", text);
	return 0;
}

static int check_identity(const struct daemon *d, struct pvctl_error *err)
{
	volatile const struct node_shared *s = d->node.shared;

	if (s->magic != NODE_MAGIC)
		return fail(err, -EPROTO, "%s is not this project's hypervisor", d->opt.hv_path);
	if (s->abi_version != NODE_ABI_VERSION)
		return fail(err, -EPROTO, "the hypervisor speaks node ABI %u, this daemon %u", s->abi_version,
			    NODE_ABI_VERSION);
	return 0;
}

static int wait_ready(struct daemon *d, struct pvctl_error *err)
{
	struct node *n = &d->node;
	uint64_t until = now_ns() + READY_TIMEOUT_NS;

	while (now_ns() < until) {
		struct pollfd p[2] = {
			{ .fd = n->qemu_pidfd, .events = POLLIN },
			{ .fd = n->host_efd[NODE_VEC_DONE], .events = POLLIN },
		};
		uint32_t state = __atomic_load_n(&n->shared->hv_state, __ATOMIC_ACQUIRE);
		uint64_t count;

		if (state == NODE_STATE_READY)
			return check_identity(d, err);
		(void)poll(p, 2, state == NODE_STATE_PANIC ? 200 : 5);
		if (p[0].revents)
			return qemu_explain(d, reap(n), err);
		if (state == NODE_STATE_PANIC) {
			node_kill(n);
			qemu_explain(d, 0, err);
			return fail(err, -EIO, "the hypervisor panicked while booting: see %s/hv.log", d->state_dir);
		}
		if (p[1].revents)
			(void)!read(n->host_efd[NODE_VEC_DONE], &count, sizeof(count));
	}
	node_kill(n);
	return fail(err, -ETIMEDOUT, "the hypervisor was not ready after %llu s: see %s/hv.log",
		    READY_TIMEOUT_NS / 1000000000u, d->state_dir);
}

void node_set_size(struct daemon *d)
{
	d->node.ram_bytes = d->opt.memory_bytes;
	d->node.cpus = d->opt.icount ? 1 : d->opt.cpus;
}

static int ask_for_qemu(struct node *n, int iv_fd, struct pvctl_error *err)
{
	struct spawned_qemu q;
	int rc = spawn_qemu(n->ram_fd, iv_fd, &q, err);

	if (rc)
		return rc;
	n->qemu_pid = q.p.pid;
	n->qemu_pidfd = q.p.pidfd;
	n->status_fd = q.p.status_fd;
	n->jail_fd = q.jail_fd;
	n->qemu_version = q.version;
	memcpy(n->accel, q.accel, sizeof(n->accel));
	return 0;
}

int node_start(struct daemon *d, struct pvctl_error *err)
{
	struct node *n = &d->node;
	int iv_fd, rc;

	node_set_size(d);
	rc = backing_check_node(d, err);
	if (!rc)
		rc = node_make_memory(n, err);
	if (!rc)
		rc = qemu_queue_handshake(n, &iv_fd, err);
	if (rc)
		return rc;
	rc = ask_for_qemu(n, iv_fd, err);
	close(iv_fd);
	if (!rc)
		rc = wait_ready(d, err);
	rc = rc ? rc : check_jail(n, err);
	if (!rc)
		log_line("node %s: %s, %u CPUs, %llu MiB, QEMU is process %d", d->opt.node, n->accel,
			 n->shared->nr_cpus, (unsigned long long)n->ram_bytes >> 20, (int)n->qemu_pid);
	return rc;
}

static void on_death(void *data, uint32_t events)
{
	struct daemon *d = data;
	struct pvctl_error e;
	int status;

	loop_fd_del(&d->loop, &d->node.death);
	status = reap(&d->node);
	if (d->stop) {
		daemon_node_down(d, "stopped");
		return;
	}
	hvlog_copy(d);
	qemu_explain(d, status, &e);
	daemon_node_down(d, e.msg);
}

static void check_state(struct daemon *d)
{
	if (!d->node.down && __atomic_load_n(&d->node.shared->hv_state, __ATOMIC_ACQUIRE) == NODE_STATE_PANIC)
		daemon_node_down(d, "the hypervisor panicked (see hv.log)");
}

static void on_done(void *data, uint32_t events)
{
	struct daemon *d = data;
	uint64_t count;

	/* Late answers to calls that a spin has finished end here, too. */
	(void)!read(d->node.host_efd[NODE_VEC_DONE], &count, sizeof(count));
	(void)mbox_look(&d->mbox);
	check_state(d);
}

static void on_log(void *data, uint32_t events)
{
	struct daemon *d = data;
	uint64_t count;

	(void)!read(d->node.host_efd[NODE_VEC_LOG], &count, sizeof(count));
	hvlog_copy(d);
}

static void on_watchdog(void *data)
{
	struct daemon *d = data;

	check_state(d);
	hvlog_copy(d);
	mbox_probe(&d->mbox);
	/* What guests gave up themselves. */
	giveback_soon(d);
	if (!d->node.down)
		loop_timer_set(&d->loop, &d->watchdog, WATCHDOG_NS);
}

int node_watch(struct daemon *d, struct pvctl_error *err)
{
	struct node *n = &d->node;

	if (loop_fd_add(&d->loop, &n->death, n->qemu_pidfd, EPOLLIN, on_death, d) ||
	    loop_fd_add(&d->loop, &n->done, n->host_efd[NODE_VEC_DONE], EPOLLIN, on_done, d) ||
	    loop_fd_add(&d->loop, &n->log, n->host_efd[NODE_VEC_LOG], EPOLLIN, on_log, d))
		return fail(err, -EIO, "epoll: %s", strerror(errno));
	hvlog_init(d);
	loop_timer_init(&d->watchdog, on_watchdog, d);
	loop_timer_set(&d->loop, &d->watchdog, WATCHDOG_NS);
	return 0;
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void node_fini(struct daemon *d)
{
	struct node *n = &d->node;

	node_kill(n);
	loop_fd_del(&d->loop, &n->death);
	loop_fd_del(&d->loop, &n->done);
	loop_fd_del(&d->loop, &n->log);
	close_fd(&n->qemu_pidfd);
	close_fd(&n->status_fd);
	close_fd(&n->jail_fd);
	close_fd(&n->iv_sock);
	close_fd(&n->shm_fd);
	for (unsigned int i = 0; i < NODE_NR_VECTORS; i++) {
		close_fd(&n->host_efd[i]);
		close_fd(&n->hv_efd[i]);
	}
	hvlog_fini(d);
	if (n->ram)
		munmap(n->ram, n->ram_bytes);
	n->ram = NULL;
	close_fd(&n->ram_fd);
}
