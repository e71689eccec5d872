/* SPDX-License-Identifier: MIT */
#include "pvctld/hv/mailbox.h"
#include "libpvctl/src/transport/proto.h"
#include "pvctld/base/log.h"
#include "pvctld/core/daemon.h"
#include "pvctld/state/die.h"
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <xen/xen.h>
#include <xen/version.h>

#define SPIN_NS 60000u
#define RERING_MS 20
#define SLOW_NS 10000000000ull
#define URGENT_NS 100000000u /* of silence in an own call: then clients are served, who may need none */
#define TICK_MOST_NS (5 * RERING_MS * 1000000ull)
#define ROUND_NS 1000000u /* of queued calls, before the loop is looked at again */

static void queue_task(void *data);
static void on_tick(void *data);

int mbox_init(struct mailbox *m, struct daemon *d, struct pvctl_error *err)
{
	volatile struct node_shared *s = d->node.shared;
	uint64_t size = s->arena_size;
	size_t most = PROTO_MAX_BODY - 4096;

	memset(m, 0, sizeof(*m));
	m->daemon = d;
	m->shared = s;
	m->arena = node_map(&d->node, s->arena_paddr, size);
	if (!m->arena || size < 4 * MBOX_OWN_ARENA)
		return fail(err, -EPROTO, "the hypervisor announced an unusable argument arena");
	m->own_offset = (size_t)size - MBOX_OWN_ARENA;
	m->queue_bytes = m->own_offset < most ? m->own_offset : most;
	m->queue_bytes &= ~(size_t)4095;
	m->done_fd = d->node.host_efd[NODE_VEC_DONE];
	m->bell_fd = d->node.hv_efd[NODE_VEC_MAILBOX];
	m->death_fd = d->node.qemu_pidfd;
	m->slow_ns = d->opt.slow_ms ? d->opt.slow_ms * 1000000ull : SLOW_NS;
	list_init(&m->queue);
	list_init(&m->probe.link);
	list_init(&m->later);
	loop_task_init(&m->task, queue_task, m);
	loop_timer_init(&m->tick, on_tick, m);
	__atomic_store_n(&s->host_sleeps, 1, __ATOMIC_SEQ_CST);
	/* Its answer is nobody's; whatever it did is found, or undone by what follows. */
	m->busy = __atomic_load_n(&s->mailbox.state, __ATOMIC_ACQUIRE) != NODE_MBOX_IDLE;
	return 0;
}

static void ring(struct mailbox *m)
{
	uint64_t one = 1;

	(void)!write(m->bell_fd, &one, sizeof(one));
}

static bool is_done(struct mailbox *m)
{
	return __atomic_load_n(&m->shared->mailbox.state, __ATOMIC_ACQUIRE) == NODE_MBOX_DONE;
}

static bool spin(struct mailbox *m)
{
	uint64_t until = now_ns() + SPIN_NS;

	do {
		for (unsigned int i = 0; i < 64; i++) {
			if (is_done(m))
				return true;
			__builtin_ia32_pause();
		}
	} while (now_ns() < until);
	return false;
}

static int gone(struct mailbox *m, const char *why)
{
	snprintf(m->why, sizeof(m->why), "%s", why);
	m->down = true;
	return -EIO;
}

static bool panicked(const struct mailbox *m)
{
	return __atomic_load_n(&m->shared->hv_state, __ATOMIC_ACQUIRE) == NODE_STATE_PANIC;
}

/* This process may have been stopped, too: then it was not waiting. */
static void count_silence(struct mailbox *m)
{
	uint64_t now = now_ns(), since = now - m->tick_ns;

	m->tick_ns = now;
	m->silent_ns += since < TICK_MOST_NS ? since : TICK_MOST_NS;
	m->silent |= m->silent_ns > URGENT_NS;
	if (m->slow || m->silent_ns < m->slow_ns)
		return;
	m->slow = true;
	daemon_node_slow(m->daemon);
}

void mbox_say_slow(const struct mailbox *m, char *buf, size_t size)
{
	snprintf(buf, size, "the hypervisor has not answered for %llu s: QEMU (process %d) is stopped, or the host is overloaded; "
		 "its domains are as they were: try again later", (unsigned long long)(m->silent_ns / 1000000000u),
		 (int)m->daemon->node.qemu_pid);
}

/* -EIO: the node is gone. The doorbell is repeated now and then, so that one that was lost on either
 * side costs time and not the node. */
static int wait_once(struct mailbox *m)
{
	struct pollfd p[3] = { { .fd = m->done_fd, .events = POLLIN }, { .fd = m->death_fd, .events = POLLIN },
			       { .fd = m->daemon->loop.urgent_epfd, .events = POLLIN } };
	bool long_enough = m->slow || m->silent;
	int n = poll(p, long_enough ? 3 : 2, RERING_MS);
	uint64_t count;

	if (is_done(m))
		return 0;
	if (p[1].revents)
		return gone(m, "QEMU died during a hypercall");
	if (panicked(m))
		return gone(m, "the hypervisor panicked during a hypercall (see hv.log)");
	if (n > 0 && p[0].revents)
		(void)!read(m->done_fd, &count, sizeof(count));
	if (!n || long_enough)
		ring(m);
	count_silence(m);
	if (n > 0 && p[2].revents)
		loop_urgent(&m->daemon->loop);
	/* A stop was asked for. */
	return m->down ? -EIO : 0;
}

static int wait_done(struct mailbox *m)
{
	int rc = 0;

	if (is_done(m))
		return 0;
	m->waiting = true;
	if (m->slow)
		daemon_node_waits(m->daemon);
	watch_wait(m->daemon);
	while (!rc && !is_done(m))
		rc = wait_once(m);
	m->waiting = false;
	return rc;
}

static void submit(struct mailbox *m, uint32_t op, const uint64_t args[6])
{
	volatile struct node_mailbox *mb = &m->shared->mailbox;

	mb->op = op;
	for (unsigned int i = 0; i < 6; i++)
		mb->args[i] = args[i];
	m->busy = true;
	m->silent_ns = 0;
	m->tick_ns = now_ns();
	/* Release of op, args and the arena; and a full barrier before hv_sleeps is read, which pairs
	 * with the hypervisor's between setting it and its last look at the mailbox. */
	__atomic_store_n(&mb->state, NODE_MBOX_REQUEST, __ATOMIC_SEQ_CST);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (__atomic_load_n(&m->shared->hv_sleeps, __ATOMIC_RELAXED))
		ring(m);
}

/* Submits, and is there for a quick answer. While we spin no doorbell is wanted; those for events are made up
 * for by a look at the end. */
static void submit_and_spin(struct mailbox *m, uint32_t op, const uint64_t args[6])
{
	__atomic_store_n(&m->shared->host_sleeps, 0, __ATOMIC_SEQ_CST);
	m->events_unseen = true;
	submit(m, op, args);
	die_point("hypercall");
	/* A watch goes on: who waits for the answer alone, or for nothing, sees to host_sleeps. */
	if (spin(m) && m->daemon->loop.watch)
		return;
	watch_wait(m->daemon);
}

static void end_silence(struct mailbox *m)
{
	m->silent = false;
	while (!list_empty(&m->later)) {
		struct loop_task *t = list_entry(m->later.next, struct loop_task, link);

		loop_task_cancel(t);
		loop_task_post(&m->daemon->loop, t);
	}
}

bool mbox_defer(struct mailbox *m, struct loop_task *t)
{
	if (!m->silent || m->down)
		return false;
	if (list_empty(&t->link))
		list_add_tail(&m->later, &t->link);
	return true;
}

/* The answer is there. */
static void take_answer(struct mailbox *m, uint64_t args[6], int64_t *ret)
{
	volatile struct node_mailbox *mb = &m->shared->mailbox;

	die_point("hypercall-done");
	*ret = mb->ret;
	for (unsigned int i = 0; i < 6; i++)
		args[i] = mb->args[i];
	__atomic_store_n(&mb->state, NODE_MBOX_IDLE, __ATOMIC_RELEASE);
	m->busy = false;
	if (m->silent)
		end_silence(m);
	if (!m->slow)
		return;
	m->slow = false;
	daemon_node_back(m->daemon);
}

/* Takes the answer of what is queued out of the mailbox; its owner hears of it later. False: it is not there yet. */
static bool settle(struct mailbox *m)
{
	uint64_t args[6];

	if (!m->busy)
		return true;
	if (!is_done(m))
		return false;
	m->answered = m->flight;
	m->flight = NULL;
	take_answer(m, m->answered ? m->answered->args : args, &m->result);
	if (m->answered)
		loop_task_post_last(&m->daemon->loop, &m->task);
	return true;
}

bool mbox_look(struct mailbox *m)
{
	if (!m->busy || m->down || !is_done(m))
		return false;
	loop_task_post_last(&m->daemon->loop, &m->task);
	return true;
}

static void on_tick(void *data)
{
	struct mailbox *m = data;

	if (!m->busy || m->down || mbox_look(m))
		return;
	if (panicked(m)) {
		gone(m, "the hypervisor panicked during a hypercall (see hv.log)");
		daemon_node_down(m->daemon, m->why);
		return;
	}
	count_silence(m);
	ring(m);
	if (!m->down)
		loop_timer_set(&m->daemon->loop, &m->tick, RERING_MS * 1000000u);
}

/* One submission of our own; *ret may be NODE_RET_AGAIN, with args updated. -EIO: the node is gone. */
static int slice(struct mailbox *m, uint32_t op, uint64_t args[6], int64_t *ret)
{
	int rc = 0;

	if (m->down)
		return -EIO;
	while (!rc && !settle(m))
		rc = wait_done(m);
	if (rc)
		return rc;
	submit_and_spin(m, op, args);
	rc = wait_done(m);
	if (!rc)
		take_answer(m, args, ret);
	return rc;
}

static void unload(struct mailbox *m)
{
	if (m->loaded && m->loaded->arena_len)
		memcpy(m->loaded->arena, m->arena, m->loaded->arena_len);
	m->loaded = NULL;
}

static void finish(struct mailbox *m, struct mbox_call *call, int64_t ret)
{
	if (m->loaded == call)
		unload(m);
	list_del(&call->link);
	call->done(call, ret, m->down);
}

static void begin(struct mailbox *m, struct mbox_call *call)
{
	if (m->loaded != call) {
		unload(m);
		if (call->arena_len)
			memcpy(m->arena, call->arena, call->arena_len);
		m->loaded = call;
	}
	call->begun = true;
	m->flight = call;
	submit_and_spin(m, call->op, call->args);
	if (!settle(m))
		loop_timer_set(&m->daemon->loop, &m->tick, RERING_MS * 1000000u);
}

static void go_on(struct mailbox *m)
{
	struct mbox_call *call = m->answered;

	m->answered = NULL;
	if (m->result != NODE_RET_AGAIN) {
		finish(m, call, m->result);
		return;
	}
	list_del(&call->link);
	list_add_tail(&m->queue, &call->link);
}

static void queue_task(void *data)
{
	struct mailbox *m = data;
	uint64_t until = now_ns() + ROUND_NS;

	while (!m->down && settle(m) && (m->answered || !list_empty(&m->queue)) && now_ns() < until) {
		if (m->answered)
			go_on(m);
		else
			begin(m, list_entry(m->queue.next, struct mbox_call, link));
	}
	if (!m->down && !m->busy && (m->answered || !list_empty(&m->queue)))
		loop_task_post_last(&m->daemon->loop, &m->task);
}

void mbox_queue(struct mailbox *m, struct mbox_call *call)
{
	call->begun = false;
	list_add_tail(&m->queue, &call->link);
	if (m->down)
		mbox_fail_all(m);
	else
		loop_task_post_last(&m->daemon->loop, &m->task);
}

void mbox_cancel(struct mailbox *m, struct mbox_call *call)
{
	if (m->loaded == call)
		m->loaded = NULL;
	if (m->flight == call)
		m->flight = NULL;
	if (m->answered == call)
		m->answered = NULL;
	list_del(&call->link);
}

bool mbox_take_back(struct mailbox *m, struct mbox_call *call)
{
	if (list_empty(&call->link) || call->begun)
		return false;
	mbox_cancel(m, call);
	return true;
}

void mbox_ask(struct mailbox *m, struct mbox_call *call, void (*done)(struct mbox_call *call, int64_t ret, bool down), void *data)
{
	*call = (struct mbox_call){ .op = __HYPERVISOR_xen_version, .args = { XENVER_version }, .done = done, .data = data };
	list_init(&call->link);
	mbox_queue(m, call);
}

void mbox_ask_once(struct mailbox *m, struct mbox_call *call, void (*done)(struct mbox_call *call, int64_t ret, bool down), void *data)
{
	if (list_empty(&call->link))
		mbox_ask(m, call, done, data);
}

static void probed(struct mbox_call *call, int64_t ret, bool down)
{
}

void mbox_probe(struct mailbox *m)
{
	if (m->down || m->busy || !list_empty(&m->queue))
		return;
	mbox_ask(m, &m->probe, probed, NULL);
}

void mbox_fail_all(struct mailbox *m)
{
	m->down = true;
	m->flight = m->answered = NULL;
	loop_timer_cancel(&m->tick);
	if (m->silent)
		end_silence(m);
	while (!list_empty(&m->queue))
		finish(m, list_entry(m->queue.next, struct mbox_call, link), -EIO);
}

uint8_t *mbox_own(struct mailbox *m)
{
	return m->arena + m->own_offset;
}

uint64_t mbox_own_handle(const struct mailbox *m, size_t offset)
{
	return NODE_ARENA_BASE + m->own_offset + offset;
}

int64_t mbox_call_raw(struct mailbox *m, uint32_t op, uint64_t args[6])
{
	int64_t ret;

	if (m->down)
		return -EIO;
	if (m->waiting) {
		log_line("a hypercall (%u) while another is waited for: a bug", op);
		return -EBUSY;
	}
	do {
		if (slice(m, op, args, &ret)) {
			if (!m->daemon->node.down)
				daemon_node_down(m->daemon, m->why);
			return -EIO;
		}
	} while (ret == NODE_RET_AGAIN);
	return ret;
}

int64_t mbox_call(struct mailbox *m, uint32_t op, uint64_t a0, uint64_t a1, uint64_t a2, int handle_arg, void *arg,
		  size_t len)
{
	uint64_t args[6] = { a0, a1, a2 };
	int64_t ret;

	if (m->down)
		return -EIO;
	memcpy(mbox_own(m), arg, len);
	args[handle_arg] = mbox_own_handle(m, 0);
	ret = mbox_call_raw(m, op, args);
	memcpy(arg, mbox_own(m), len);
	return ret;
}

int mbox_take_over(struct mailbox *m)
{
	uint64_t none[6] = { 0 };

	m->tick_ns = now_ns();
	if (m->busy)
		ring(m);
	return (int)mbox_call_raw(m, NODE_OP_RESET_HOST, none);
}

void mbox_post_shutdown(struct mailbox *m)
{
	static const uint64_t none[6];

	if (m->down)
		return;
	/* Its word would take the place of a request that is unanswered: then QEMU is killed in a while. */
	if (settle(m)) {
		submit(m, NODE_OP_SHUTDOWN, none);
		ring(m);
	}
	/* Another call would take its place in the mailbox. */
	gone(m, "the node is being stopped");
	mbox_fail_all(m);
}
