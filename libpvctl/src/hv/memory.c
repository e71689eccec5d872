/* SPDX-License-Identifier: MIT */
/* Memory, page-table pins, ports and grant frames of other domains. */
#include "hv/private.h"
#include "util/err.h"
#include <string.h>
#include <xen/event_channel.h>
#include <xen/grant_table.h>
#include <xen/memory.h>

static int64_t memory_op(struct transport *t, uint32_t cmd, const struct xen_memory_reservation *r, size_t extra,
                         bool *ret_broken, struct pvctl_error *err)
{
	uint64_t args[6] = { cmd, arena_handle(t, t->arena) };

	memcpy(t->arena, r, sizeof(*r));
	return hv_call(t, __HYPERVISOR_memory_op, args, HV_TABLE_OFFSET + extra, ret_broken, err);
}

uint32_t hv_populate_max(const struct transport *t)
{
	return (uint32_t)((t->arena_size - HV_TABLE_OFFSET) / sizeof(xen_pfn_t));
}

int hv_populate(struct transport *t, uint32_t domid, unsigned int order, const uint64_t *gpfns, uint64_t *ret_mfns,
                uint32_t n, struct pvctl_error *err)
{
	struct xen_memory_reservation r = { .nr_extents = n, .extent_order = order, .domid = (domid_t)domid };
	xen_pfn_t *table = hv_arena(t, HV_TABLE_OFFSET, n, sizeof(*table));
	bool broken;
	int64_t ret;

	if (!table)
		return err_nomem(err);
	memcpy(table, gpfns, n * sizeof(*table));
	HV_SET_HANDLE(t, r.extent_start, table);
	ret = memory_op(t, XENMEM_populate_physmap, &r, n * sizeof(*table), &broken, err);
	if (broken)
		return err_fold(ret);
	if (ret < 0)
		return err_hv(err, ret, "domain %u: allocating its memory", domid);
	if (ret > n)
		return err_set(err, -EPROTO, PVCTL_ORIGIN_HV, "domain %u: more memory than was asked for", domid);
	memcpy(ret_mfns, table, (size_t)ret * sizeof(*table));
	return (int)ret;
}

int hv_claim(struct transport *t, uint32_t domid, uint64_t pages, struct pvctl_error *err)
{
	struct xen_memory_reservation r = { .nr_extents = pages, .domid = (domid_t)domid };
	bool broken;
	int64_t ret = memory_op(t, XENMEM_claim_pages, &r, 0, &broken, err);

	if (broken)
		return err_fold(ret);
	return ret < 0 ? err_hv(err, ret, "domain %u: reserving its memory", domid) : 0;
}

#define E820_RAM 1u

int hv_memory_map_set(struct transport *t, uint32_t domid, const struct hv_map_entry *entries, uint32_t n, struct pvctl_error *err)
{
	struct xen_foreign_memory_map map = { .domid = (domid_t)domid, .map.nr_entries = n };
	uint64_t args[6] = { XENMEM_set_memory_map, arena_handle(t, t->arena) };
	void *table = hv_arena(t, HV_TABLE_OFFSET, n, sizeof(*entries));
	bool broken;
	int64_t ret;

	if (!table)
		return err_nomem(err);
	memcpy(table, entries, n * sizeof(*entries));
	HV_SET_HANDLE(t, map.map.buffer, table);
	memcpy(t->arena, &map, sizeof(map));
	ret = hv_call(t, __HYPERVISOR_memory_op, args, HV_TABLE_OFFSET + n * sizeof(*entries), &broken, err);
	if (broken)
		return err_fold(ret);
	return ret < 0 ? err_hv(err, ret, "domain %u: setting its memory map", domid) : 0;
}

int hv_memory_map(struct transport *t, uint32_t domid, uint64_t bytes, struct pvctl_error *err)
{
	const struct hv_map_entry e = { .size = bytes, .type = E820_RAM };

	return hv_memory_map_set(t, domid, &e, 1, err);
}

int hv_pin_l4(struct transport *t, uint32_t domid, uint64_t mfn, struct pvctl_error *err)
{
	struct mmuext_op op = { .cmd = MMUEXT_PIN_L4_TABLE, .arg1.mfn = mfn };
	uint64_t args[6] = { arena_handle(t, t->arena), 1, 0, domid };
	bool broken;
	int64_t ret;

	memcpy(t->arena, &op, sizeof(op));
	ret = hv_call(t, __HYPERVISOR_mmuext_op, args, HV_TABLE_OFFSET, &broken, err);
	if (broken)
		return err_fold(ret);
	return ret < 0 ? err_hv(err, ret, "domain %u: pinning its page tables", domid) : 0;
}

int hv_evtchn_alloc_unbound(struct transport *t, uint32_t domid, uint32_t remote, uint32_t *ret_port,
                            struct pvctl_error *err)
{
	struct evtchn_alloc_unbound op = { .dom = (domid_t)domid, .remote_dom = (domid_t)remote };
	uint64_t args[6] = { EVTCHNOP_alloc_unbound, arena_handle(t, t->arena) };
	bool broken;
	int64_t ret;

	memcpy(t->arena, &op, sizeof(op));
	ret = hv_call(t, __HYPERVISOR_event_channel_op, args, HV_TABLE_OFFSET, &broken, err);
	if (broken)
		return err_fold(ret);
	if (ret < 0)
		return err_hv(err, ret, "domain %u: allocating an event channel", domid);
	memcpy(&op, t->arena, sizeof(op));
	*ret_port = op.port;
	return 0;
}

int hv_grant_frame(struct transport *t, uint32_t domid, uint64_t *ret_mfn, struct pvctl_error *err)
{
	struct gnttab_setup_table op = { .dom = (domid_t)domid, .nr_frames = 1 };
	uint64_t args[6] = { GNTTABOP_setup_table, arena_handle(t, t->arena), 1 };
	xen_pfn_t *frame = hv_arena(t, HV_TABLE_OFFSET, 1, sizeof(*frame));
	bool broken;
	int64_t ret;

	*frame = 0;
	HV_SET_HANDLE(t, op.frame_list, frame);
	memcpy(t->arena, &op, sizeof(op));
	ret = hv_call(t, __HYPERVISOR_grant_table_op, args, HV_TABLE_OFFSET + sizeof(*frame), &broken, err);
	if (broken)
		return err_fold(ret);
	if (ret < 0)
		return err_hv(err, ret, "domain %u: setting up its grant table", domid);
	memcpy(&op, t->arena, sizeof(op));
	if (op.status != GNTST_okay || !*frame)
		return err_set(err, -EIO, PVCTL_ORIGIN_HV, "domain %u: setting up its grant table failed: status %d",
		               domid, op.status);
	*ret_mfn = *frame;
	return 0;
}

int hv_grant_size(struct transport *t, uint32_t domid, uint32_t *ret_frames, uint32_t *ret_max, struct pvctl_error *err)
{
	struct gnttab_query_size op = { .dom = (domid_t)domid };
	uint64_t args[6] = { GNTTABOP_query_size, arena_handle(t, t->arena), 1 };
	bool broken;
	int64_t ret;

	memcpy(t->arena, &op, sizeof(op));
	ret = hv_call(t, __HYPERVISOR_grant_table_op, args, HV_TABLE_OFFSET, &broken, err);
	if (broken)
		return err_fold(ret);
	if (ret < 0)
		return err_hv(err, ret, "domain %u: asking for its grant table's size", domid);
	memcpy(&op, t->arena, sizeof(op));
	if (op.status != GNTST_okay)
		return err_set(err, op.status == GNTST_bad_domain ? -ESRCH : -EIO, PVCTL_ORIGIN_HV, "domain %u: asking for its grant table's "
			       "size failed: status %d", domid, op.status);
	*ret_frames = op.nr_frames;
	*ret_max = op.max_nr_frames;
	return 0;
}
