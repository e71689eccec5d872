/* SPDX-License-Identifier: MIT */
#include "pvctld/hv/hvcall.h"
#include "pvctld/base/log.h"
#include "pvctld/core/daemon.h"
#include "public/node.h"
#include <errno.h>
#include <string.h>
#include <xen/xen.h>
#include <xen/domctl.h>
#include <xen/sysctl.h>
#include <xen/grant_table.h>
#include <xen/memory.h>

#define LIST_BATCH 128u
#define SET_TIME_NS 1000000000u   /* clocks part by less than 1 ms meanwhile */
#define CLOCK_STEP_NS 1000000u
#define DATA_OFFSET 4096u /* buffers in our end of the arena, behind the structure that names them */

static int domctl(struct daemon *d, struct xen_domctl *op, uint32_t cmd, uint32_t domid)
{
	op->cmd = cmd;
	op->interface_version = XEN_DOMCTL_INTERFACE_VERSION;
	op->domain = (domid_t)domid;
	return (int)mbox_call(&d->mbox, __HYPERVISOR_domctl, 0, 0, 0, 0, op, sizeof(*op));
}

void hvc_queue_domctl(struct daemon *d, struct mbox_call *call, void *arg, const struct xen_domctl *op,
		      void (*done)(struct mbox_call *call, int64_t ret, bool down), void *data)
{
	_Static_assert(sizeof(*op) <= HVC_DOMCTL_BYTES, "it fits");
	struct xen_domctl copy = *op;

	copy.interface_version = XEN_DOMCTL_INTERFACE_VERSION;
	memcpy(arg, &copy, sizeof(copy));
	*call = (struct mbox_call){ .op = __HYPERVISOR_domctl, .args = { NODE_ARENA_BASE }, .arena = arg, .arena_len = sizeof(copy),
				    .done = done, .data = data };
	list_init(&call->link);
	mbox_queue(&d->mbox, call);
}

int hvc_pause(struct daemon *d, uint32_t domid)
{
	struct xen_domctl op = { 0 };

	return domctl(d, &op, XEN_DOMCTL_pausedomain, domid);
}

int hvc_unpause(struct daemon *d, uint32_t domid)
{
	struct xen_domctl op = { 0 };

	return domctl(d, &op, XEN_DOMCTL_unpausedomain, domid);
}

int hvc_set_handle(struct daemon *d, uint32_t domid, const uint8_t uuid[16])
{
	struct xen_domctl op = { 0 };

	memcpy(op.u.setdomainhandle.handle, uuid, 16);
	return domctl(d, &op, XEN_DOMCTL_setdomainhandle, domid);
}

int hvc_get(struct daemon *d, uint32_t domid, struct xen_domctl_getdomaininfo *info)
{
	struct xen_domctl op = { 0 };
	int rc = domctl(d, &op, XEN_DOMCTL_getdomaininfo, domid);

	if (rc)
		return rc;
	*info = op.u.getdomaininfo;
	return info->domain == domid ? 0 : -ESRCH;
}

static uint64_t data_handle(struct daemon *d)
{
	return mbox_own_handle(&d->mbox, DATA_OFFSET);
}

/* The call that suspended answers 0 to a guest that is elsewhere now, else 1: its first vCPU's rax. */
static int set_return(struct daemon *d, uint32_t domid, uint64_t value)
{
	struct xen_domctl op = { 0 };
	uint64_t handle = data_handle(d);
	vcpu_guest_context_t *c = (void *)(mbox_own(&d->mbox) + DATA_OFFSET);
	int rc;

	_Static_assert(sizeof(*c) <= MBOX_OWN_ARENA - DATA_OFFSET, "fits");
	memcpy(&op.u.vcpucontext.ctxt, &handle, sizeof(handle));
	rc = domctl(d, &op, XEN_DOMCTL_getvcpucontext, domid);
	if (rc)
		return rc;
	c->user_regs.rax = value;
	op.u.vcpucontext.vcpu = 0;
	memcpy(&op.u.vcpucontext.ctxt, &handle, sizeof(handle));
	return domctl(d, &op, XEN_DOMCTL_setvcpucontext, domid);
}

int hvc_resume(struct daemon *d, uint32_t domid)
{
	struct xen_domctl op = { 0 };
	int rc = set_return(d, domid, 1);

	return rc ? rc : domctl(d, &op, XEN_DOMCTL_resumedomain, domid);
}

/* Those from first on, at most max: how many, or negative. */
static int list_from(struct daemon *d, uint32_t first, struct xen_domctl_getdomaininfo *infos, unsigned int max)
{
	struct xen_sysctl op = { .cmd = XEN_SYSCTL_getdomaininfolist, .interface_version = XEN_SYSCTL_INTERFACE_VERSION };
	uint64_t handle = data_handle(d);
	int rc;

	op.u.getdomaininfolist.first_domain = (domid_t)first;
	op.u.getdomaininfolist.max_domains = max;
	memcpy(&op.u.getdomaininfolist.buffer, &handle, sizeof(handle));
	rc = (int)mbox_call(&d->mbox, __HYPERVISOR_sysctl, 0, 0, 0, 0, &op, sizeof(op));
	if (rc)
		return rc;
	if (op.u.getdomaininfolist.num_domains > max)
		return -EPROTO;
	memcpy(infos, mbox_own(&d->mbox) + DATA_OFFSET, op.u.getdomaininfolist.num_domains * sizeof(*infos));
	return (int)op.u.getdomaininfolist.num_domains;
}

int hvc_each_domain(struct daemon *d, void (*each)(void *data, const struct xen_domctl_getdomaininfo *info), void *data)
{
	struct xen_domctl_getdomaininfo infos[LIST_BATCH];
	uint32_t first = 1;
	_Static_assert(sizeof(infos) <= MBOX_OWN_ARENA - DATA_OFFSET, "fits");
	int n;

	do {
		n = list_from(d, first, infos, LIST_BATCH);
		for (int i = 0; i < n; i++)
			each(data, &infos[i]);
		if (n > 0)
			first = infos[n - 1].domain + 1u;
	} while (n == (int)LIST_BATCH && first < DOMID_FIRST_RESERVED);
	return n < 0 ? n : 0;
}

int hvc_map_grant(struct daemon *d, uint32_t domid, uint32_t ref, uint32_t *ret_handle, uint64_t *ret_paddr)
{
	struct gnttab_map_grant_ref op = { .flags = GNTMAP_host_map, .ref = ref, .dom = (domid_t)domid };
	int rc = (int)mbox_call(&d->mbox, __HYPERVISOR_grant_table_op, GNTTABOP_map_grant_ref, 0, 1, 1, &op, sizeof(op));

	if (rc)
		return rc < 0 ? rc : -EPROTO;
	if (op.status != GNTST_okay) {
		log_line("domain %u: grant %u cannot be mapped (status %d)", domid, ref, op.status);
		return -EINVAL;
	}
	*ret_handle = op.handle;
	*ret_paddr = op.dev_bus_addr;
	return 0;
}

int hvc_unmap_grant(struct daemon *d, uint32_t handle)
{
	struct gnttab_unmap_grant_ref op = { .handle = handle };
	int rc = (int)mbox_call(&d->mbox, __HYPERVISOR_grant_table_op, GNTTABOP_unmap_grant_ref, 0, 1, 1, &op,
				sizeof(op));

	if (rc)
		return rc < 0 ? rc : -EPROTO;
	return op.status == GNTST_okay ? 0 : -EINVAL;
}

int hvc_frame_types(struct daemon *d, uint32_t domid, uint64_t *frames, unsigned int count)
{
	struct xen_domctl op = { 0 };
	uint64_t handle = data_handle(d);
	int rc;

	memcpy(mbox_own(&d->mbox) + DATA_OFFSET, frames, count * sizeof(*frames));
	op.u.getpageframeinfo3.num = count;
	memcpy(&op.u.getpageframeinfo3.array, &handle, sizeof(handle));
	rc = domctl(d, &op, XEN_DOMCTL_getpageframeinfo3, domid);
	if (!rc)
		memcpy(frames, mbox_own(&d->mbox) + DATA_OFFSET, count * sizeof(*frames));
	return rc;
}

int hvc_ram_runs(struct daemon *d, uint32_t domid, uint64_t *gfn, struct node_run *runs)
{
	uint64_t args[6] = { domid, data_handle(d), HV_RUN_BATCH, *gfn };
	int n = (int)mbox_call_raw(&d->mbox, NODE_OP_RAM_RUNS, args);

	_Static_assert(HV_RUN_BATCH * sizeof(*runs) <= MBOX_OWN_ARENA - DATA_OFFSET, "fits");
	if (n > (int)HV_RUN_BATCH)
		return -EPROTO;
	if (n <= 0)
		return n;
	memcpy(runs, mbox_own(&d->mbox) + DATA_OFFSET, (size_t)n * sizeof(*runs));
	*gfn = runs[n - 1].gfn + runs[n - 1].nr_pages;
	return n;
}

int hvc_m2p_frames(struct daemon *d, uint64_t *frames, unsigned int max)
{
	struct xen_machphys_mfn_list op = { 0 };
	unsigned int fit = (MBOX_OWN_ARENA - DATA_OFFSET) / sizeof(*frames);
	uint64_t handle = data_handle(d);
	int rc;

	op.max_extents = max < fit ? max : fit;
	memcpy(&op.extent_start, &handle, sizeof(handle));
	rc = (int)mbox_call(&d->mbox, __HYPERVISOR_memory_op, XENMEM_machphys_mfn_list, 0, 0, 1, &op, sizeof(op));
	if (rc)
		return rc;
	if (op.nr_extents > op.max_extents)
		return -EPROTO;
	memcpy(frames, mbox_own(&d->mbox) + DATA_OFFSET, op.nr_extents * sizeof(*frames));
	return (int)op.nr_extents;
}

void hvc_set_time(struct daemon *d)
{
	uint64_t now = now_ns(), unix_ns = now_unix_ns(), epoch = unix_ns - now;
	uint64_t args[6] = { unix_ns };
	struct hv_time *t = &d->hv_time;

	/* It goes through all domains: not for each of many that are made at once, unless the host's clock was set. */
	if (t->set_ns && now - t->set_ns < SET_TIME_NS && epoch - t->epoch_ns + CLOCK_STEP_NS < 2 * CLOCK_STEP_NS)
		return;
	*t = (struct hv_time){ now, epoch };
	(void)mbox_call_raw(&d->mbox, NODE_OP_SET_TIME, args);
}
