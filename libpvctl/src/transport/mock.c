/* SPDX-License-Identifier: MIT */
/*
 * A node in this process's memory: hypercalls with just enough meaning to test
 * what calls them, and one service for each request. Not a hypervisor: a guest
 * never runs. Every call can be made to fail.
 */
#include "transport/mock.h"
#include "transport/mock_private.h"
#include "public/node.h"
#include "util/err.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <xen/event_channel.h>
#include <xen/grant_table.h>
#include <xen/version.h>
#include <xen/xen.h>

#define ARENA_BASE 0x100000ull
#define ARENA_BYTES (256u << 10)

bool mock_fails(struct mock *m)
{
	m->calls++;
	if (m->fail_at == 0 || --m->fail_at)
		return false;
	return true;
}

struct mock_domain *mock_domain(struct mock *m, uint32_t domid)
{
	return domid < MOCK_DOMAINS && m->domain[domid].used ? &m->domain[domid] : NULL;
}

void *mock_arena(struct mock *m, uint64_t handle, size_t len)
{
	if (handle < ARENA_BASE || handle - ARENA_BASE > ARENA_BYTES || len > ARENA_BYTES - (handle - ARENA_BASE))
		return NULL;
	return m->t.arena + (handle - ARENA_BASE);
}

uint64_t mock_alloc(struct mock *m, uint32_t domid, unsigned int order)
{
	uint64_t n = 1ull << order, first, i;

	if (m->fragment && order)
		return 0;
	for (first = n; first + n <= MOCK_PAGES; first += n) {
		for (i = 0; i < n && m->owner[first + i] == 0; i++)
			;
		if (i < n || (m->fragment && !(first & 1)))
			continue;
		for (i = 0; i < n; i++)
			m->owner[first + i] = (uint16_t)(domid + 1);
		m->free_pages -= n;
		return first;
	}
	return 0;
}

static int64_t op_evtchn(struct mock *m, const uint64_t *args)
{
	struct evtchn_alloc_unbound *op = mock_arena(m, args[1], sizeof(*op));
	struct mock_domain *d;

	if (args[0] != EVTCHNOP_alloc_unbound || !op)
		return -ENOSYS;
	d = mock_domain(m, op->dom);
	if (!d)
		return -ESRCH;
	op->port = ++d->ports;
	return 0;
}

static int64_t op_grant(struct mock *m, const uint64_t *args)
{
	struct gnttab_setup_table *op = mock_arena(m, args[1], sizeof(*op));
	struct mock_domain *d = op ? mock_domain(m, op->dom) : NULL;
	uint64_t *frame;

	if (args[0] != GNTTABOP_setup_table || !op)
		return -ENOSYS;
	frame = mock_arena(m, (uint64_t)(uintptr_t)op->frame_list.p, sizeof(*frame));
	op->status = d && frame ? GNTST_okay : GNTST_bad_domain;
	if (op->status == GNTST_okay)
		*frame = d->grant_mfn;
	return 0;
}

static int64_t op_mmuext(struct mock *m, const uint64_t *args)
{
	struct mmuext_op *op = mock_arena(m, args[0], sizeof(*op));
	struct mock_domain *d = mock_domain(m, (uint32_t)args[3]);

	if (!op || !d || op->cmd != MMUEXT_PIN_L4_TABLE || op->arg1.mfn >= MOCK_PAGES)
		return -EINVAL;
	if (m->owner[op->arg1.mfn] != args[3] + 1)
		return -EPERM;
	d->pinned = true;
	return 0;
}

static int64_t op_version(struct mock *m, const uint64_t *args)
{
	void *out = args[1] ? mock_arena(m, args[1], 1024) : NULL;

	switch (args[0]) {
	case XENVER_version:
		return 4 << 16 | 17;
	case XENVER_pagesize:
		return 4096;
	case XENVER_extraversion:
		strcpy(out, ".mock");
		return 0;
	case XENVER_platform_parameters:
		((struct xen_platform_parameters *)out)->virt_start = 0xffff800000000000ull;
		return 0;
	default:
		if (out)
			memset(out, 'x', 64); /* no NUL: the reader must cope */
		return 0;
	}
}

static int64_t mock_hypercall(struct transport *t, uint32_t op, uint64_t *args, size_t used, struct pvctl_error *err)
{
	struct mock *m = mock_of(t);

	if (mock_fails(m)) {
		if (m->how == MOCK_FAIL_HV)
			return -ENOMEM;
		return err_set(err, -EIO, PVCTL_ORIGIN_DAEMON, "mock: the transport failed");
	}
	switch (op) {
	case __HYPERVISOR_domctl: return mock_domctl(m, args);
	case __HYPERVISOR_sysctl: return mock_sysctl(m, args);
	case __HYPERVISOR_memory_op: return mock_memory_op(m, args);
	case __HYPERVISOR_event_channel_op: return op_evtchn(m, args);
	case __HYPERVISOR_grant_table_op: return op_grant(m, args);
	case __HYPERVISOR_mmuext_op: return op_mmuext(m, args);
	case __HYPERVISOR_hvm_op: return mock_hvm_op(m, args);
	case NODE_OP_GFNS_TO_MFNS: return mock_gfns_to_mfns(m, args);
	case __HYPERVISOR_xen_version: return op_version(m, args);
	default: return -ENOSYS;
	}
}

static void *mock_map(struct transport *t, uint64_t mfn, uint64_t count)
{
	struct mock *m = mock_of(t);

	if (mock_fails(m) || mfn >= MOCK_PAGES || count > MOCK_PAGES - mfn)
		return NULL;
	return m->ram + mfn * 4096;
}

static int mock_write_mem(struct transport *t, uint64_t paddr, const void *src, size_t len)
{
	struct mock *m = mock_of(t);

	if (mock_fails(m))
		return -EIO;
	if (paddr > MOCK_PAGES * 4096ull || len > MOCK_PAGES * 4096ull - paddr)
		return -EINVAL;
	memcpy(m->ram + paddr, src, len);
	return 0;
}

static int mock_read_mem(struct transport *t, uint64_t paddr, void *to, size_t len)
{
	struct mock *m = mock_of(t);

	if (mock_fails(m))
		return -EIO;
	if (paddr > MOCK_PAGES * 4096ull || len > MOCK_PAGES * 4096ull - paddr)
		return -EINVAL;
	memcpy(to, m->ram + paddr, len);
	return 0;
}

static int mock_batch(struct transport *t, uint32_t type, const struct iovec *bodies, unsigned int n,
                      int (*reply)(void *data, unsigned int i, const void *body, size_t len, struct pvctl_error *err),
                      void *data, struct pvctl_error *err)
{
	struct pvctl_error e;
	unsigned int i;
	int rc, ret = 0;
	size_t len;

	for (i = 0; i < n; i++) {
		void *body = NULL;

		rc = mock_request(t, type, bodies[i].iov_base, bodies[i].iov_len, &body, &len, NULL, &e);
		if (!rc)
			rc = reply(data, i, body, len, &e);
		free(body);
		if (!rc || ret)
			continue;
		ret = rc;
		if (err)
			*err = e;
	}
	return ret;
}

static void mock_close(struct transport *t)
{
	struct mock *m = mock_of(t);
	unsigned int i;

	for (i = 0; i < MOCK_DOMAINS; i++) {
		free(m->domain[i].config);
		free(m->domain[i].gfn_of);
	}
	while (m->n_nodes)
		free(m->node[--m->n_nodes].value);
	free(m->node);
	munmap(m->ram, MOCK_PAGES * 4096ull);
	free(m->owner);
	free(t->arena);
	free(m);
}

static const struct transport_ops mock_ops = {
	.hypercall = mock_hypercall,
	.map = mock_map,
	.write_mem = mock_write_mem,
	.read_mem = mock_read_mem,
	.request = mock_request,
	.batch = mock_batch,
	.close = mock_close,
};

struct transport *transport_open_mock(void)
{
	struct mock *m = calloc(1, sizeof(*m));

	if (!m)
		return NULL;
	m->t.ops = &mock_ops;
	m->t.arena_base = ARENA_BASE;
	m->t.arena_size = ARENA_BYTES;
	m->t.arena = aligned_alloc(4096, ARENA_BYTES);
	m->owner = calloc(MOCK_PAGES, sizeof(*m->owner));
	m->ram = mmap(NULL, MOCK_PAGES * 4096ull, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (!m->t.arena || !m->owner || m->ram == MAP_FAILED)
		abort(); /* a test's process */
	m->free_pages = MOCK_PAGES - 1; /* frame 0 is nobody's */
	m->domain[0].used = true;
	m->next_domid = 1;
	return &m->t;
}

void mock_fail_at(struct transport *t, unsigned int nth, enum mock_failure how)
{
	mock_of(t)->fail_at = nth;
	mock_of(t)->how = how;
}

unsigned int mock_calls(const struct transport *t)
{
	return ((const struct mock *)t)->calls;
}

unsigned int mock_domains(const struct transport *t)
{
	unsigned int i, n = 0;

	for (i = 1; i < MOCK_DOMAINS; i++)
		n += ((const struct mock *)t)->domain[i].used;
	return n;
}

unsigned int mock_store_nodes(const struct transport *t)
{
	return ((const struct mock *)t)->n_nodes;
}

uint64_t mock_free_pages(const struct transport *t)
{
	return ((const struct mock *)t)->free_pages;
}

bool mock_committed(const struct transport *t, uint32_t domid)
{
	return ((const struct mock *)t)->domain[domid].committed;
}

void mock_shutdown(struct transport *t, uint32_t domid, uint32_t reason)
{
	struct mock_domain *d = mock_domain(mock_of(t), domid);

	d->shut_down = true;
	d->reason = reason;
}

void mock_fragment(struct transport *t, bool on)
{
	mock_of(t)->fragment = on;
}
