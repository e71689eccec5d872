/* SPDX-License-Identifier: MIT */
/*
 * A hypervisor for tests of the daemon: a thread that answers the mailbox as
 * public/node.h has it, over the same memory and eventfds. The test plays the
 * guests by writing to that memory, which it shares with the daemon's process.
 */
#ifndef FAKE_HV_H
#define FAKE_HV_H

#include "pvctld/core/daemon.h"
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>
#include <xen/xen.h>
#include <xen/domctl.h>
#include <xen/event_channel.h>
#include <xen/grant_table.h>
#include <xen/memory.h>
#include <xen/sysctl.h>

#define FAKE_ARENA 0x100000u
#define FAKE_ARENA_BYTES 0x80000u
#define FAKE_SHARED_INFO 0x200000u
#define FAKE_STATE 0x201000u
#define FAKE_PAGES 0x300000u /* two for each domain: console, store */
#define FAKE_M2P 0x400000u   /* 2 MiB: of the first 2^18 frames */
#define FAKE_MAX_DOMAINS 32u
#define FAKE_PORTS 256u
#define FAKE_COUNT 62u     /* one that counts how often it was done */

struct fake_state {
	uint32_t flags[FAKE_MAX_DOMAINS];  /* 0: there is none */
	uint32_t destroys[FAKE_MAX_DOMAINS];
	uint32_t port_domid[FAKE_PORTS], port_remote[FAKE_PORTS], port_open[FAKE_PORTS];
	uint32_t sent[FAKE_PORTS];         /* doorbells of the daemon, by its port */
	uint32_t logs[FAKE_MAX_DOMAINS];   /* what it writes */
	uint32_t held[FAKE_MAX_DOMAINS];   /* somebody has its pages: it becomes a zombie */
	uint32_t mapped;                   /* grants */
	uint32_t shutdown;
	uint32_t frozen;                   /* it does nothing, as when QEMU is stopped */
	uint32_t freeze_at;                /* and that from the next call of this number on, before it is done */
	uint32_t killed;                   /* QEMU's stand-in has to end */
	uint32_t counted, created;
	uint32_t pauses[FAKE_MAX_DOMAINS]; /* how often it was paused, less how often not any more */
};

static inline struct fake_state *fake_state(uint8_t *ram)
{
	return (struct fake_state *)(void *)(ram + FAKE_STATE);
}

static inline void *fake_page(uint8_t *ram, uint32_t domid, uint32_t ref)
{
	return ram + FAKE_PAGES + (domid * 2 + ref) * 4096;
}

/* The hypervisor's side of raising an event in domain 0. */
static inline void fake_raise(uint8_t *ram, int events_efd, uint32_t port)
{
	struct shared_info *s = (struct shared_info *)(void *)(ram + FAKE_SHARED_INFO);
	uint64_t one = 1;

	__atomic_fetch_or(&s->evtchn_pending[port / 64], 1ull << (port % 64), __ATOMIC_SEQ_CST);
	__atomic_fetch_or(&s->vcpu_info[0].evtchn_pending_sel, 1ull << (port / 64), __ATOMIC_SEQ_CST);
	s->vcpu_info[0].evtchn_upcall_pending = 1;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	(void)!write(events_efd, &one, sizeof(one));
}

/* A domain owns its two pages. */
static int64_t fake_frame_types(uint8_t *ram, const struct xen_domctl *op)
{
	uint64_t handle, *frames, first = (FAKE_PAGES >> 12) + op->domain * 2u;

	memcpy(&handle, &op->u.getpageframeinfo3.array, sizeof(handle));
	frames = (void *)(ram + FAKE_ARENA + (handle - NODE_ARENA_BASE));
	for (uint64_t i = 0; i < op->u.getpageframeinfo3.num; i++)
		frames[i] = frames[i] == first || frames[i] == first + 1 ? 0 : XEN_DOMCTL_PFINFO_XTAB;
	return 0;
}

static int64_t fake_m2p(uint8_t *ram, struct xen_machphys_mfn_list *l)
{
	uint64_t handle;

	memcpy(&handle, &l->extent_start, sizeof(handle));
	*(uint64_t *)(void *)(ram + FAKE_ARENA + (handle - NODE_ARENA_BASE)) = FAKE_M2P >> 12;
	l->nr_extents = 1;
	return 0;
}

static int64_t fake_domctl(struct fake_state *f, uint8_t *ram, struct xen_domctl *op)
{
	uint32_t id = op->domain;

	if (op->interface_version != XEN_DOMCTL_INTERFACE_VERSION)
		return -EACCES;
	if (op->cmd == XEN_DOMCTL_createdomain) {
		for (id = 1; id < FAKE_MAX_DOMAINS && f->flags[id]; id++)
			;
		f->flags[id] = XEN_DOMINF_paused;
		f->destroys[id] = 0;
		op->domain = (domid_t)id;
		f->created++;
		return 0;
	}
	while (op->cmd == XEN_DOMCTL_getdomaininfo && id < FAKE_MAX_DOMAINS && !f->flags[id])
		id++; /* Xen answers about the next one */
	if (id >= FAKE_MAX_DOMAINS || !f->flags[id])
		return -ESRCH;
	if (op->cmd == XEN_DOMCTL_getdomaininfo) {
		memset(&op->u.getdomaininfo, 0, sizeof(op->u.getdomaininfo));
		op->u.getdomaininfo.domain = (domid_t)id;
		op->u.getdomaininfo.flags = f->flags[id];
	}
	if (op->cmd == XEN_DOMCTL_pausedomain)
		f->pauses[id]++;
	if (op->cmd == XEN_DOMCTL_unpausedomain && f->pauses[id])
		f->pauses[id]--;
	else if (op->cmd == XEN_DOMCTL_unpausedomain && f->flags[id] == XEN_DOMINF_paused)
		f->flags[id] = XEN_DOMINF_running;
	if (op->cmd == XEN_DOMCTL_resumedomain)
		f->flags[id] = XEN_DOMINF_running;
	if (op->cmd == XEN_DOMCTL_destroydomain) {
		if (++f->destroys[id] < 4)
			return NODE_RET_AGAIN;
		f->flags[id] = f->held[id] ? XEN_DOMINF_dying : 0;
	}
	if (op->cmd == XEN_DOMCTL_getpageframeinfo3)
		return fake_frame_types(ram, op);
	if (op->cmd == XEN_DOMCTL_shadow_op) {
		uint32_t on = op->u.shadow_op.op == XEN_DOMCTL_SHADOW_OP_ENABLE_LOGDIRTY;

		if (on && f->logs[id])
			return -EINVAL;
		f->logs[id] = on;
	}
	return 0;
}

static int64_t fake_evtchn(struct fake_state *f, uint64_t cmd, void *arg)
{
	uint32_t port = 1;

	while (port < FAKE_PORTS && f->port_open[port])
		port++;
	if (cmd == EVTCHNOP_bind_virq) {
		((struct evtchn_bind_virq *)arg)->port = port;
	} else if (cmd == EVTCHNOP_bind_interdomain) {
		struct evtchn_bind_interdomain *b = arg;

		if (b->remote_dom >= FAKE_MAX_DOMAINS || !f->flags[b->remote_dom])
			return -ESRCH;
		f->port_domid[port] = b->remote_dom;
		f->port_remote[port] = b->remote_port;
		b->local_port = port;
	} else if (cmd == EVTCHNOP_close) {
		f->port_open[((struct evtchn_close *)arg)->port] = 0;
		return 0;
	} else {
		return -ENOSYS;
	}
	f->port_open[port] = 1;
	return 0;
}

static int64_t fake_grant(struct fake_state *f, uint64_t cmd, void *arg)
{
	struct gnttab_map_grant_ref *m = arg;

	if (cmd == GNTTABOP_map_grant_ref) {
		m->status = m->ref < 2 && f->flags[m->dom] ? GNTST_okay : GNTST_bad_gntref;
		m->handle = m->dom * 2 + m->ref;
		m->dev_bus_addr = FAKE_PAGES + (m->dom * 2 + m->ref) * 4096;
		f->mapped += m->status == GNTST_okay;
		return 0;
	}
	((struct gnttab_unmap_grant_ref *)arg)->status = GNTST_okay;
	f->mapped--;
	return 0;
}

static int64_t fake_list(struct fake_state *f, uint8_t *ram, struct xen_sysctl *op)
{
	struct xen_sysctl_getdomaininfolist *l = &op->u.getdomaininfolist;
	uint64_t handle;
	struct xen_domctl_getdomaininfo *out;

	memcpy(&handle, &l->buffer, sizeof(handle));
	out = (void *)(ram + FAKE_ARENA + (handle - NODE_ARENA_BASE));
	l->num_domains = 0;
	for (uint32_t id = l->first_domain; id < FAKE_MAX_DOMAINS && l->num_domains < l->max_domains; id++) {
		if (!f->flags[id])
			continue;
		memset(&out[l->num_domains], 0, sizeof(*out));
		out[l->num_domains].domain = (domid_t)id;
		out[l->num_domains++].flags = f->flags[id];
	}
	return 0;
}

struct fake_hv {
	uint8_t *ram;
	int mailbox_efd, send_efd, done_efd;
	volatile bool quit;
};

static int64_t fake_call(struct fake_hv *h, uint32_t op, volatile uint64_t *args)
{
	struct fake_state *f = fake_state(h->ram);
	uint8_t *arena = h->ram + FAKE_ARENA;

	switch (op) {
	case __HYPERVISOR_domctl:
		return fake_domctl(f, h->ram, (void *)(arena + (args[0] - NODE_ARENA_BASE)));
	case __HYPERVISOR_sysctl:
		return fake_list(f, h->ram, (void *)(arena + (args[0] - NODE_ARENA_BASE)));
	case __HYPERVISOR_memory_op:
		return fake_m2p(h->ram, (void *)(arena + (args[1] - NODE_ARENA_BASE)));
	case __HYPERVISOR_event_channel_op:
		return fake_evtchn(f, args[0], arena + (args[1] - NODE_ARENA_BASE));
	case __HYPERVISOR_grant_table_op:
		return fake_grant(f, args[0], arena + (args[1] - NODE_ARENA_BASE));
	case FAKE_COUNT:
		f->counted++;
		return 0;
	case NODE_OP_SHUTDOWN:
		f->shutdown = 1;
		return 0;
	case NODE_OP_PROMISED:
		return (int64_t)args[1];
	}
	return -ENOSYS;
}

static void fake_sends(struct fake_hv *h)
{
	volatile struct node_shared *s = (void *)(h->ram + NODE_SHARED_PADDR);
	uint64_t sel = __atomic_exchange_n(&s->host_send_sel, 0, __ATOMIC_SEQ_CST);

	for (unsigned int w = 0; w < 64; w++) {
		uint64_t bits = sel >> w & 1 ? __atomic_exchange_n(&s->host_send[w], 0, __ATOMIC_SEQ_CST) : 0;

		for (unsigned int b = 0; b < 64; b++)
			if (bits >> b & 1 && w * 64 + b < FAKE_PORTS)
				__atomic_fetch_add(&fake_state(h->ram)->sent[w * 64 + b], 1, __ATOMIC_SEQ_CST);
	}
}

static void *fake_main(void *data)
{
	struct fake_hv *h = data;
	volatile struct node_shared *s = (void *)(h->ram + NODE_SHARED_PADDR);

	while (!h->quit) {
		struct pollfd p[2] = { { h->mailbox_efd, POLLIN, 0 }, { h->send_efd, POLLIN, 0 } };
		uint64_t count;

		poll(p, 2, __atomic_load_n(&fake_state(h->ram)->frozen, __ATOMIC_ACQUIRE) ? 10 : 100);
		(void)!read(h->mailbox_efd, &count, sizeof(count));
		(void)!read(h->send_efd, &count, sizeof(count));
		if (__atomic_load_n(&fake_state(h->ram)->frozen, __ATOMIC_ACQUIRE))
			continue;
		fake_sends(h);
		if (__atomic_load_n(&s->mailbox.state, __ATOMIC_ACQUIRE) != NODE_MBOX_REQUEST)
			continue;
		if (fake_state(h->ram)->freeze_at == s->mailbox.op && s->mailbox.op) {
			fake_state(h->ram)->freeze_at = 0;
			__atomic_store_n(&fake_state(h->ram)->frozen, 1, __ATOMIC_SEQ_CST);
			continue;
		}
		s->mailbox.ret = fake_call(h, s->mailbox.op, s->mailbox.args);
		if (s->mailbox.op == NODE_OP_SHUTDOWN)
			return NULL; /* unanswered */
		__atomic_store_n(&s->mailbox.state, NODE_MBOX_DONE, __ATOMIC_SEQ_CST);
		if (__atomic_load_n(&s->host_sleeps, __ATOMIC_SEQ_CST)) {
			count = 1;
			(void)!write(h->done_efd, &count, sizeof(count));
		}
	}
	return NULL;
}

/* Memory as a hypervisor that is ready leaves it. */
static void fake_boot(struct node *n)
{
	volatile struct node_shared *s = n->shared;

	s->abi_version = NODE_ABI_VERSION;
	s->nr_cpus = 2;
	s->arena_paddr = FAKE_ARENA;
	s->arena_size = FAKE_ARENA_BYTES;
	s->shared_info_paddr = FAKE_SHARED_INFO;
	s->hv_sleeps = 1;
	s->hv_state = NODE_STATE_READY;
	s->magic = NODE_MAGIC;
}

#endif
