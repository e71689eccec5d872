/* SPDX-License-Identifier: MIT */
/*
 * Hypercalls of clients. They are passed on as they are; what creates, ends or
 * stops a domain is watched, so that the daemon knows of it.
 */
#include "pvctld/base/log.h"
#include "pvctld/backend/device.h"
#include "pvctld/client/control.h"
#include "pvctld/core/daemon.h"
#include "pvctld/domain/domains.h"
#include "pvctld/domain/events.h"
#include "pvctld/life/history.h"
#include "pvctld/life/logger.h"
#include "pvctld/life/policy.h"
#include "pvctld/life/still.h"
#include "pvctld/life/suspend.h"
#include "pvctld/life/zombie.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xen/xen.h>
#include <xen/domctl.h>

#define NR_HYPERCALLS 64u

static bool read_domctl(uint32_t call, uint64_t handle, const uint8_t *arena, size_t len, struct xen_domctl *op)
{
	uint64_t off = handle - NODE_ARENA_BASE;

	if (call != __HYPERVISOR_domctl || len < sizeof(*op) || off > len - sizeof(*op))
		return false;
	memcpy(op, arena + off, sizeof(*op));
	return true;
}

/* The domctl that a call is about; false when it is none. */
static bool get_domctl(const struct ctl_conn *c, struct xen_domctl *op)
{
	return read_domctl(c->call.op, c->call_handle, c->call.arena, c->call.arena_len, op);
}

/* False: refused. */
static bool watch_before(struct ctl_conn *c)
{
	struct xen_domctl op;
	struct dom *dom;

	if (!get_domctl(c, &op))
		return true;
	if (op.cmd == XEN_DOMCTL_createdomain && c->d->stop) {
		ctl_refuse(c, -EBUSY, "the node is being stopped");
		return false;
	}
	if (op.cmd == XEN_DOMCTL_createdomain && !c->made)
		c->made = dom_new(c->d);
	if (op.cmd == XEN_DOMCTL_createdomain && !c->made) {
		ctl_refuse(c, -ENOMEM, "pvctld has no memory to keep track of a domain");
		return false;
	}
	dom = op.cmd == XEN_DOMCTL_resumedomain ? dom_find(c->d, op.domain) : NULL;
	if (dom && suspend_is_released(dom)) {
		ctl_refuse(c, -EBUSY, "the domain's disks were given back: it goes on by \"pvctl resume\" alone");
		return false;
	}
	if (dom && suspend_is_anothers(dom, c)) {
		ctl_refuse(c, -EPERM, "somebody else has the domain suspended, to save, copy or move it");
		return false;
	}
	/* Our mappings would keep its pages from being freed. */
	dom = op.cmd == XEN_DOMCTL_destroydomain ? dom_find(c->d, op.domain) : NULL;
	if (dom)
		dom_forget(dom);
	c->begun = dom != NULL;
	return true;
}

static void created(struct ctl_conn *c, uint32_t domid)
{
	dom_created(c->made, domid, c);
	c->made = NULL;
	if (c->gone)
		log_line("domain %u: its builder left", domid);
}

static void watch_after(struct ctl_conn *c)
{
	struct xen_domctl op;
	struct dom *dom;

	if (!get_domctl(c, &op))
		return;
	if (op.cmd == XEN_DOMCTL_createdomain) {
		created(c, op.domain);
		return;
	}
	dom = dom_find(c->d, op.domain);
	if (!dom)
		return;
	if (op.cmd == XEN_DOMCTL_destroydomain) {
		/* How often it was restarted is nobody's business any more. */
		history_drop(c->d, dom->uuid);
		zombie_or_gone(dom);
	} else if (op.cmd == XEN_DOMCTL_resumedomain)
		dom_resumed(dom);
	else if (op.cmd == XEN_DOMCTL_pausedomain && dom->name[0])
		events_emit(c->d, PVCTL_EVENT_PAUSED, dom->domid, PVCTL_REASON_NONE, dom->name);
	else if (op.cmd == XEN_DOMCTL_unpausedomain && dom->name[0])
		events_emit(c->d, PVCTL_EVENT_UNPAUSED, dom->domid, PVCTL_REASON_NONE, dom->name);
}

static void done(struct mbox_call *call, int64_t ret, bool down)
{
	struct ctl_conn *c = call->data;
	struct proto_hypercall_reply *r;
	size_t len = sizeof(*r) + call->arena_len;

	if (down) {
		ctl_refuse(c, -EIO, c->d->node.down ? c->d->node.why : c->d->mbox.why);
		return;
	}
	if (!ret)
		watch_after(c);
	/* The answer is shorter than the request's head: it is made in place, and the arena moved down behind it. */
	_Static_assert(sizeof(*r) <= sizeof(struct proto_hypercall), "in place");
	r = (struct proto_hypercall_reply *)(void *)c->body;
	r->ret = ret;
	memcpy(r->args, call->args, sizeof(r->args));
	memmove(c->body + sizeof(*r), call->arena, call->arena_len);
	ctl_reply(c, c->body, len, -1);
}

bool request_hypercall_lets_go(const struct ctl_conn *c)
{
	const struct proto_hypercall *b = (const struct proto_hypercall *)(const void *)c->body;
	struct xen_domctl op;

	return c->head.len >= sizeof(*b) && read_domctl(b->op, b->args[0], c->body + sizeof(*b), c->head.len - sizeof(*b), &op) &&
	       op.cmd == XEN_DOMCTL_destroydomain;
}

/* Of the node's own operations, clients need to know where a domain's memory is. */
static bool known(uint32_t op)
{
	return op < NR_HYPERCALLS || op == NODE_OP_GFNS_TO_MFNS || op == NODE_OP_RAM_RUNS;
}

void request_hypercall(struct ctl_conn *c)
{
	const struct proto_hypercall *b = (const struct proto_hypercall *)(const void *)c->body;
	size_t arena_len;

	if (c->head.len < sizeof(*b)) {
		ctl_refuse(c, -EINVAL, "the request is too short");
		return;
	}
	arena_len = c->head.len - sizeof(*b);
	if (!known(b->op) || arena_len > c->d->mbox.queue_bytes) {
		ctl_refuse(c, !known(b->op) ? -ENOSYS : -E2BIG,
			   !known(b->op) ? "no such hypercall" : "too many hypercall arguments");
		return;
	}
	if (!ctl_room(c, sizeof(struct proto_hypercall_reply) + arena_len))
		return;
	c->call.op = b->op;
	memcpy(c->call.args, b->args, sizeof(c->call.args));
	c->call_handle = b->args[0];
	c->call.arena = c->body + sizeof(*b);
	c->call.arena_len = arena_len;
	c->call.done = done;
	c->call.data = c;
	c->begun = false;
	if (watch_before(c))
		mbox_queue(&c->d->mbox, &c->call);
}

void request_conn_closed(struct ctl_conn *c)
{
	mbox_cancel(&c->d->mbox, &c->call);
	if (c->store)
		store_conn_free(c->store);
	c->store = NULL;
	fifo_free(&c->store_reply);
	free(c->made);
	c->made = NULL;
	suspend_holder_gone(c->d, c);
	logger_gone(c->d, c);
	still_gone(c->d, c);
	devices_holder_gone(c->d, c);
	dom_creator_gone(c->d, c);
}
