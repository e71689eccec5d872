/* SPDX-License-Identifier: MIT */
#include "pvctld/hv/mailbox.h"
#include "libpvctl/src/transport/proto.h"
#include "pvctld/base/log.h"
#include "pvctld/core/daemon.h"
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SPIN_NS 60000u
#define RERING_MS 20
#define TIMEOUT_NS 30000000000ull
#define ROUND_NS 1000000u /* of queued calls, before the loop is looked at again */

static void queue_task(void *data);

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
	m->timeout_ns = TIMEOUT_NS;
	list_init(&m->queue);
	loop_task_init(&m->task, queue_task, m);
	__atomic_store_n(&s->host_sleeps, 1, __ATOMIC_SEQ_CST);
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

/* Blocks in poll until the answer is there. The doorbell is repeated now and then, so that one that
 * was lost on either side costs time and not the node. */
static int wait_done(struct mailbox *m)
{
	uint64_t until = now_ns() + m->timeout_ns, count;

	while (!is_done(m)) {
		struct pollfd p[2] = { { .fd = m->done_fd, .events = POLLIN }, { .fd = m->death_fd, .events = POLLIN } };
		int n = poll(p, 2, RERING_MS);

		if (is_done(m))
			break;
		if (p[1].revents)
			return gone(m, "QEMU died during a hypercall");
		if (__atomic_load_n(&m->shared->hv_state, __ATOMIC_ACQUIRE) == NODE_STATE_PANIC)
			return gone(m, "the hypervisor panicked during a hypercall (see hv.log)");
		if (n > 0 && p[0].revents)
			(void)!read(m->done_fd, &count, sizeof(count));
		if (!n)
			ring(m);
		if (now_ns() > until) {
			char why[128];

			snprintf(why, sizeof(why), "the hypervisor hangs: no answer to hypercall %u after %llu s",
				 m->shared->mailbox.op, (unsigned long long)(m->timeout_ns / 1000000000u));
			return gone(m, why);
		}
	}
	return 0;
}

static void submit(struct mailbox *m, uint32_t op, const uint64_t args[6])
{
	volatile struct node_mailbox *mb = &m->shared->mailbox;

	mb->op = op;
	for (unsigned int i = 0; i < 6; i++)
		mb->args[i] = args[i];
	/* Release of op, args and the arena; and a full barrier before hv_sleeps is read, which pairs
	 * with the hypervisor's between setting it and its last look at the mailbox. */
	__atomic_store_n(&mb->state, NODE_MBOX_REQUEST, __ATOMIC_SEQ_CST);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (__atomic_load_n(&m->shared->hv_sleeps, __ATOMIC_RELAXED))
		ring(m);
}

/* One submission; *ret may be NODE_RET_AGAIN, with args updated. -EIO: the node is gone. */
static int slice(struct mailbox *m, uint32_t op, uint64_t args[6], int64_t *ret)
{
	volatile struct node_mailbox *mb = &m->shared->mailbox;
	int rc = 0;
	bool done;

	if (m->down)
		return -EIO;
	/* While we spin no doorbell is wanted; those for events are made up for by a look at the end. */
	__atomic_store_n(&m->shared->host_sleeps, 0, __ATOMIC_SEQ_CST);
	m->events_unseen = true;
	submit(m, op, args);
	done = spin(m);
	__atomic_store_n(&m->shared->host_sleeps, 1, __ATOMIC_SEQ_CST);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (!done)
		rc = wait_done(m);
	if (rc)
		return rc;
	*ret = mb->ret;
	for (unsigned int i = 0; i < 6; i++)
		args[i] = mb->args[i];
	__atomic_store_n(&mb->state, NODE_MBOX_IDLE, __ATOMIC_RELEASE);
	return 0;
}

static void unload(struct mailbox *m)
{
	if (m->loaded)
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

/* True when the call is finished. */
static bool run_slice(struct mailbox *m, struct mbox_call *call)
{
	int64_t ret;

	if (m->loaded != call) {
		unload(m);
		memcpy(m->arena, call->arena, call->arena_len);
		m->loaded = call;
	}
	if (slice(m, call->op, call->args, &ret)) {
		daemon_node_down(m->daemon, m->why); /* will finish every call of the queue */
		return true;
	}
	if (ret == NODE_RET_AGAIN)
		return false;
	finish(m, call, ret);
	return true;
}

static void queue_task(void *data)
{
	struct mailbox *m = data;
	uint64_t until = now_ns() + ROUND_NS;

	while (!list_empty(&m->queue) && !m->down) {
		struct mbox_call *call = list_entry(m->queue.next, struct mbox_call, link);

		if (!run_slice(m, call)) {
			list_del(&call->link);
			list_add_tail(&m->queue, &call->link);
		}
		if (now_ns() > until)
			break;
	}
	if (!list_empty(&m->queue) && !m->down)
		loop_task_post(&m->daemon->loop, &m->task);
}

void mbox_queue(struct mailbox *m, struct mbox_call *call)
{
	list_add_tail(&m->queue, &call->link);
	if (m->down)
		mbox_fail_all(m);
	else
		loop_task_post(&m->daemon->loop, &m->task);
}

void mbox_cancel(struct mailbox *m, struct mbox_call *call)
{
	if (m->loaded == call)
		m->loaded = NULL;
	list_del(&call->link);
}

void mbox_fail_all(struct mailbox *m)
{
	m->down = true;
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

void mbox_post_shutdown(struct mailbox *m)
{
	static const uint64_t none[6];

	if (m->down)
		return;
	submit(m, NODE_OP_SHUTDOWN, none);
	ring(m);
	/* Another call would take its place in the mailbox. */
	gone(m, "the node is being stopped");
	mbox_fail_all(m);
}
