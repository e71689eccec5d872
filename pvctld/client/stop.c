/* SPDX-License-Identifier: MIT */
/* The end of a node: domains first, then the hypervisor, then QEMU; or, when QEMU went first, what is left to do. */
#include "pvctld/client/stop.h"
#include "pvctld/base/log.h"
#include "pvctld/block/script.h"
#include "pvctld/client/control.h"
#include "pvctld/console/console.h"
#include "pvctld/core/daemon.h"
#include "pvctld/domain/domains.h"
#include "pvctld/domain/events.h"
#include "pvctld/net/links.h"
#include "pvctld/node/node.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define POLL_NS 10000000u
#define DOMAINS_NS 20000000000ull  /* then the machine is switched off under them */
#define QEMU_NS 3000000000ull

struct stop {
	struct daemon *d;
	struct loop_timer timer;
	uint64_t since;
	bool begun, shut;
};

static void shut_down(struct stop *s)
{
	s->shut = true;
	s->since = now_ns();
	mbox_post_shutdown(&s->d->mbox);
}

static void step(void *data)
{
	struct stop *s = data;
	struct daemon *d = s->d;
	uint64_t age = now_ns() - s->since;

	if (d->node.down)
		return;
	if (!s->begun) {
		s->begun = true;
		list_for_safe(p, &d->domains)
			dom_destroy(list_entry(p, struct dom, link), NULL);
	}
	if (!s->shut && ((!dom_count(d) && !net_scripts_busy() && !blk_scripts_busy()) || age > DOMAINS_NS)) {
		if (dom_count(d))
			log_line("%u domains could not be destroyed in time", dom_count(d));
		shut_down(s);
	} else if (s->shut && age > QEMU_NS) {
		log_line("QEMU did not end: killed");
		node_kill(&d->node);
		daemon_node_down(d, "stopped");
		return;
	}
	loop_timer_set(&d->loop, &s->timer, POLL_NS);
}

void stop_begin(struct daemon *d)
{
	struct stop *s;

	if (d->stop)
		return;
	s = calloc(1, sizeof(*s));
	if (!s) {
		daemon_quit(d);
		return;
	}
	log_line("node %s stops; %u domains", d->opt.node, dom_count(d));
	s->d = d;
	s->since = now_ns();
	loop_timer_init(&s->timer, step, s);
	d->stop = s;
	state_set(&d->state, "stop", "", 0);
	if (d->node.down) {
		daemon_quit(d);
		return;
	}
	if (d->mbox.slow) {
		log_line("the hypervisor does not answer: QEMU is killed");
		daemon_node_down(d, "stopped");
		return;
	}
	/* Not from here: somebody may be waiting for a hypercall. */
	loop_timer_set(&d->loop, &s->timer, 0);
}

/* The connection stays busy until the end: the answer is the last thing it gets. */
void stop_request(struct ctl_conn *c)
{
	stop_begin(c->d);
}

void stop_answer(struct daemon *d)
{
	if (!d->control)
		return;
	list_for_safe(p, &d->control->conns) {
		struct ctl_conn *c = list_entry(p, struct ctl_conn, link);

		if (!c->busy || c->gone || c->head.type != PROTO_NODE_STOP)
			continue;
		ctl_reply(c, NULL, 0, -1);
		ctl_flush(c);
	}
}

void stop_free(struct daemon *d)
{
	if (!d->stop)
		return;
	loop_timer_cancel(&d->stop->timer);
	free(d->stop);
	d->stop = NULL;
}
