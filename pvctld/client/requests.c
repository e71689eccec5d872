/* SPDX-License-Identifier: MIT */
/* What clients ask for, but for hypercalls and the store. */
#include "pvctld/base/log.h"
#include "pvctld/client/control.h"
#include "pvctld/client/stop.h"
#include "pvctld/console/console.h"
#include "pvctld/core/daemon.h"
#include "pvctld/core/privileges.h"
#include "pvctld/domain/domains.h"
#include "pvctld/domain/events.h"
#include "pvctld/node/backing.h"
#include "pvctld/node/confine.h"
#include "pvctld/spawn/ask.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NO_FILES "too many open files in pvctld"

/* The body is at least that long; without, the request is refused. */
#define BODY(c, type) ((const type *)body_of(c, sizeof(type)))

static const void *body_of(struct ctl_conn *c, size_t len)
{
	if (c->head.len >= len)
		return c->body;
	ctl_refuse(c, -EINVAL, "the request is too short");
	return NULL;
}

static void refuse(struct ctl_conn *c, const struct pvctl_error *e)
{
	ctl_refuse(c, e->code, e->msg);
}

static struct dom *dom_or_refuse(struct ctl_conn *c, uint32_t domid)
{
	struct dom *dom = dom_find(c->d, domid);
	char text[64];

	if (!dom) {
		snprintf(text, sizeof(text), "there is no domain %u", domid);
		ctl_refuse(c, -ESRCH, text);
	}
	return dom;
}

static void hello(struct ctl_conn *c)
{
	const struct node *n = &c->d->node;
	struct proto_hello_reply r = {
		.version = PROTO_VERSION,
		.nr_cpus = n->shared->nr_cpus,
		.ram_bytes = n->ram_bytes,
		.low_bytes = node_low_bytes(n),
		.high_paddr = NODE_HIGH_PADDR,
		.arena_bytes = c->d->mbox.queue_bytes,
		.tsc_khz = n->shared->tsc_khz,
	};
	int fd = fcntl(n->ram_fd, F_DUPFD_CLOEXEC, 3);

	if (fd < 0)
		ctl_refuse(c, -ENOSPC, NO_FILES);
	else
		ctl_reply(c, &r, sizeof(r), fd);
}

static void commit(struct ctl_conn *c)
{
	const struct proto_commit *b = BODY(c, struct proto_commit);
	struct pvctl_error e;
	const char *json;
	struct dom *dom;

	if (!b)
		return;
	json = (const char *)c->body + sizeof(*b);
	dom = dom_or_refuse(c, b->domid);
	if (!dom)
		return;
	if (dom->creator && dom->creator != c) {
		ctl_refuse(c, -EPERM, "another connection is building this domain");
		return;
	}
	if (strlen(json) != c->head.len - sizeof(*b)) {
		ctl_refuse(c, -EINVAL, "the configuration has a NUL in it");
		return;
	}
	if (dom_commit(dom, b, json, &e))
		refuse(c, &e);
	else
		ctl_reply(c, NULL, 0, -1);
}

static void console(struct ctl_conn *c)
{
	const struct proto_console *b = BODY(c, struct proto_console);
	struct console *con;
	struct dom *dom;
	int fd, rc;

	if (!b)
		return;
	dom = dom_find(c->d, b->domid);
	con = dom && dom->console ? dom->console : console_find_dead(c->d, b->domid);
	if (!con) {
		ctl_refuse(c, dom ? -ENOENT : -ESRCH, dom ? "the domain has no console" : "there is no such domain");
		return;
	}
	rc = console_attach(con, b->replay_bytes, &fd);
	if (rc)
		ctl_refuse(c, rc, rc == -EBUSY ? "too many look at this console" : rc == -ENOSPC ? NO_FILES : strerror(-rc));
	else
		ctl_reply(c, NULL, 0, fd);
}

static void ended(struct ctl_conn *c)
{
	const struct proto_domid *b = BODY(c, struct proto_domid);
	const char *name;
	const struct console *con;
	struct pvctl_ended e = { .size = sizeof(e) };

	if (!b)
		return;
	name = (const char *)c->body + sizeof(*b);
	con = name[0] ? console_find_dead_name(c->d, name) : console_find_dead(c->d, b->domid);
	if (!con) {
		ctl_refuse(c, -ESRCH, "no such domain has ended lately");
		return;
	}
	e.domid = con->domid;
	e.reason = con->reason;
	e.ended_unix_ns = con->ended_unix_ns;
	snprintf(e.name, sizeof(e.name), "%s", con->name);
	ctl_reply(c, &e, sizeof(e), -1);
}

static void events(struct ctl_conn *c)
{
	const struct proto_events *b = BODY(c, struct proto_events);
	int fd, rc;

	if (!b)
		return;
	rc = events_subscribe(c->d, b->mask, &fd);
	if (rc)
		ctl_refuse(c, rc, rc == -EBUSY ? "too many subscribers" : rc == -ENOSPC ? NO_FILES : strerror(-rc));
	else
		ctl_reply(c, NULL, 0, fd);
}

static void config(struct ctl_conn *c)
{
	const struct proto_domid *b = BODY(c, struct proto_domid);
	struct dom *dom = b ? dom_or_refuse(c, b->domid) : NULL;

	if (!dom)
		return;
	if (!dom->config)
		ctl_refuse(c, -ENOENT, "the domain is being built");
	else
		ctl_reply(c, dom->config, strlen(dom->config), -1);
}

static void node_info(struct ctl_conn *c)
{
	struct daemon *d = c->d;
	struct pvctl_node_info i;

	memset(&i, 0, sizeof(i)); /* what lies between its members is sent, too */
	i.size = sizeof(i);
	i.running = 1;
	i.pid = (uint32_t)getpid();
	i.spawner_pid = d->opt.spawned ? (uint32_t)getppid() : 0;
	i.qemu_pid = (uint32_t)d->node.qemu_pid;
	i.memory_bytes = d->node.ram_bytes;
	i.cpus = d->node.cpus;
	i.uptime_ns = now_ns() - d->started_ns;
	i.domains = dom_count_live(d);
	i.daemon_restarts = d->adoptions;
	i.daemon_restarted_unix_ns = d->adopted_unix_ns;
	i.silent_ns = d->mbox.slow ? d->mbox.silent_ns : 0;
	backing_describe(d, &i);
	confine_describe(d->node.confined, i.qemu_confinement, sizeof(i.qemu_confinement));
	privileges_describe(i.daemon_confinement, sizeof(i.daemon_confinement));
	snprintf(i.name, sizeof(i.name), "%s", d->opt.node);
	memcpy(i.accel, d->node.accel, sizeof(i.accel));
	snprintf(i.store_socket, sizeof(i.store_socket), "%.199s", d->store_path);
	snprintf(i.state_dir, sizeof(i.state_dir), "%.199s", d->state_dir);
	ctl_reply(c, &i, sizeof(i), -1);
}

/* Answered first: whoever asked waits for the other. */
static void node_restart(struct ctl_conn *c)
{
	struct pvctl_error e = { 0 };
	struct daemon *d = c->d;

	if (d->stop || spawn_restart(&e)) {
		ctl_refuse(c, d->stop ? -EBUSY : e.code, d->stop ? "the node is being stopped" : e.msg);
		return;
	}
	log_line("asked to make room for another daemon");
	ctl_reply(c, NULL, 0, -1);
	ctl_flush(c);
	_exit(0);
}

static void introduce(struct ctl_conn *c)
{
	const struct proto_introduce *b = BODY(c, struct proto_introduce);
	struct dom *dom = b ? dom_or_refuse(c, b->domid) : NULL;
	struct pvctl_error e;

	if (!dom)
		return;
	if (dom_introduce(dom, b->store_port, b->console_port, &e))
		refuse(c, &e);
	else
		ctl_reply(c, NULL, 0, -1);
}

static void forget(struct ctl_conn *c)
{
	const struct proto_domid *b = BODY(c, struct proto_domid);
	struct dom *dom = b ? dom_or_refuse(c, b->domid) : NULL;

	if (!dom)
		return;
	dom_forget(dom);
	ctl_reply(c, NULL, 0, -1);
}

static void rename_domain(struct ctl_conn *c)
{
	const struct proto_domid *b = BODY(c, struct proto_domid);
	struct dom *dom = b ? dom_or_refuse(c, b->domid) : NULL;
	struct pvctl_error e;

	if (!dom)
		return;
	if (!dom->name[0])
		ctl_refuse(c, -EBUSY, "the domain is being built");
	else if (dom_rename(dom, (const char *)c->body + sizeof(*b), &e))
		refuse(c, &e);
	else
		ctl_reply(c, NULL, 0, -1);
}

static void domains(struct ctl_conn *c)
{
	unsigned int max = dom_count(c->d), n = 0;
	struct proto_domain_row *rows = calloc(max ? max : 1, sizeof(*rows));

	if (!rows) {
		ctl_refuse(c, -ENOMEM, "no memory");
		return;
	}
	list_for(p, &c->d->domains) {
		const struct dom *dom = list_entry(p, struct dom, link);
		struct proto_domain_row *r = &rows[n++];

		r->domid = dom->domid;
		r->kept = dom->kept;
		r->unique_id = dom->unique_id;
		r->created_unix_ns = dom->created_unix_ns;
		memcpy(r->name, dom->name, sizeof(r->name));
	}
	ctl_reply(c, rows, n * sizeof(*rows), -1);
	free(rows);
}

/* What needs no hypercall; nor the store, where somebody who waits for one may be in the midst of it. */
static bool works_when_slow(const struct daemon *d, uint32_t type)
{
	switch (type) {
	case PROTO_HELLO:
	case PROTO_NODE_INFO:
	case PROTO_DOMAINS:
	case PROTO_CONFIG:
	case PROTO_EVENTS:
	case PROTO_ENDED:
	case PROTO_NODE_STOP:
		return true;
	case PROTO_CONSOLE:
	case PROTO_STORE:
		return !d->mbox.waiting;
	default:
		return false;
	}
}

static void refuse_slow(struct ctl_conn *c)
{
	char text[200];

	mbox_say_slow(&c->d->mbox, text, sizeof(text));
	ctl_refuse(c, -ETIMEDOUT, text);
}

static void run(struct ctl_conn *c);

static void answered(struct mbox_call *call, int64_t ret, bool down)
{
	struct ctl_conn *c = call->data;

	c->held = false;
	/* Who left meanwhile had said it all: it is done as if he were there. */
	if (down)
		ctl_refuse(c, -EIO, c->d->node.down ? c->d->node.why : c->d->mbox.why);
	else
		run(c);
}

/*
 * Takes hypercalls of the daemon's own, for which the loop would wait; or what is in somebody's hands who waits for one.
 * Suspending, quieting and resuming do so as well: they are not held, as migrations that were cut off did not come back then.
 */
static bool must_be_held(const struct ctl_conn *c)
{
	switch (c->head.type) {
	case PROTO_HYPERCALL:
		return request_hypercall_lets_go(c);
	case PROTO_COMMIT:
	case PROTO_RENAME:
	case PROTO_INTRODUCE:
	case PROTO_FORGET:
	case PROTO_DEVICE_ATTACH:
	case PROTO_DEVICE_DETACH:
	case PROTO_MEMORY_CHECK:
		return true;
	default:
		return c->d->mbox.waiting && !works_when_slow(c->d, c->head.type);
	}
}

void request_handle(struct ctl_conn *c)
{
	uint32_t type = c->head.type;

	if (c->d->node.down && type != PROTO_HELLO && type != PROTO_NODE_INFO && type != PROTO_CONSOLE && type != PROTO_ENDED &&
	    type != PROTO_NODE_STOP) {
		ctl_refuse(c, -EIO, c->d->node.why);
	} else if (c->d->mbox.slow && !works_when_slow(c->d, type)) {
		refuse_slow(c);
	} else if (must_be_held(c)) {
		c->held = true;
		c->begun = false;
		mbox_ask(&c->d->mbox, &c->call, answered, c);
	} else {
		run(c);
	}
}

static void run(struct ctl_conn *c)
{
	static void (*const handlers[])(struct ctl_conn *c) = {
		[PROTO_HELLO] = hello, [PROTO_HYPERCALL] = request_hypercall, [PROTO_COMMIT] = commit,
		[PROTO_CONSOLE] = console, [PROTO_EVENTS] = events, [PROTO_CONFIG] = config,
		[PROTO_NODE_INFO] = node_info, [PROTO_NODE_STOP] = stop_request, [PROTO_NODE_RESTART] = node_restart, [PROTO_INTRODUCE] = introduce,
		[PROTO_FORGET] = forget, [PROTO_STORE] = request_store, [PROTO_RENAME] = rename_domain,
		[PROTO_DOMAINS] = domains, [PROTO_ENDED] = ended,
		[PROTO_DEVICE_ATTACH] = request_device_attach, [PROTO_DEVICE_DETACH] = request_device_detach,
		[PROTO_DEVICES] = request_devices, [PROTO_DEVICE_HOLD] = request_device_hold,
		[PROTO_DEVICE_BACK] = request_device_back, [PROTO_DEVICE_RETARGET] = request_device_retarget,
		[PROTO_LOG] = request_log, [PROTO_HOLD] = request_hold,
		[PROTO_SUSPEND] = request_suspend, [PROTO_QUIESCE] = request_quiesce, [PROTO_RESUME] = request_resume,
		[PROTO_MEMORY_CHECK] = request_memory_check, [PROTO_MEMORY_BACK] = request_memory_back,
	};
	uint32_t type = c->head.type;

	if (type < sizeof(handlers) / sizeof(handlers[0]) && handlers[type])
		handlers[type](c);
	else
		ctl_refuse(c, -ENOSYS, "this pvctld does not know the request");
}
