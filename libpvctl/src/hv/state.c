/* SPDX-License-Identifier: MIT */
#include "hv/state.h"
#include "hv/private.h"
#include "util/err.h"
#include <stddef.h>
#include <string.h>
#include <xen/memory.h>
#include <xen/sched.h>

#define TYPES_CALLS 32u   /* in one piece: who asks waits for each answer */

static int frame_types(struct transport *t, uint32_t domid, uint64_t *frames, uint32_t n, struct pvctl_error *err)
{
	struct xen_domctl op = { .u.getpageframeinfo3.num = n };
	uint64_t *table = hv_arena(t, HV_TABLE_OFFSET, n, sizeof(*table));
	uint32_t i;
	int rc;

	if (!table)
		return err_nomem(err);
	memcpy(table, frames, n * sizeof(*table));
	HV_SET_HANDLE(t, op.u.getpageframeinfo3.array, table);
	rc = hv_domctl_simple(t, XEN_DOMCTL_getpageframeinfo3, domid, &op, n * sizeof(*table), "asking for its page types", err);
	for (i = 0; i < n && !rc; i++)
		frames[i] = table[i] & XEN_DOMCTL_PFINFO_LTAB_MASK;
	return rc;
}

struct types_calls { struct multicall_entry call[TYPES_CALLS]; struct xen_domctl op[TYPES_CALLS]; uint64_t frame[TYPES_CALLS * HV_FRAME_TYPES_MAX]; };

static int frame_types_many(struct transport *t, uint32_t domid, uint64_t *frames, uint32_t n, struct pvctl_error *err)
{
	uint32_t calls = (n + HV_FRAME_TYPES_MAX - 1) / HV_FRAME_TYPES_MAX, i;
	struct types_calls *c = hv_arena(t, 0, 1, sizeof(*c));
	uint64_t args[6] = { arena_handle(t, t->arena), calls };
	int64_t ret;
	bool broken;

	memset(c->call, 0, sizeof(c->call));
	memset(c->op, 0, sizeof(c->op));
	memcpy(c->frame, frames, n * sizeof(*frames));
	for (i = 0; i < calls; i++) {
		struct xen_domctl *op = &c->op[i];

		*op = (struct xen_domctl){ .cmd = XEN_DOMCTL_getpageframeinfo3, .interface_version = XEN_DOMCTL_INTERFACE_VERSION,
					   .domain = (domid_t)domid };
		op->u.getpageframeinfo3.num = n - i * HV_FRAME_TYPES_MAX < HV_FRAME_TYPES_MAX ? n - i * HV_FRAME_TYPES_MAX : HV_FRAME_TYPES_MAX;
		HV_SET_HANDLE(t, op->u.getpageframeinfo3.array, &c->frame[i * HV_FRAME_TYPES_MAX]);
		c->call[i] = (struct multicall_entry){ .op = __HYPERVISOR_domctl, .args[0] = arena_handle(t, op) };
	}
	ret = hv_call(t, __HYPERVISOR_multicall, args, offsetof(struct types_calls, frame) + n * sizeof(*frames), &broken, err);
	if (broken)
		return err_fold(ret);
	for (i = 0; i < calls && !ret; i++)
		ret = (int64_t)c->call[i].result;
	if (ret)
		return err_hv(err, ret, "domain %u: asking for its page types", domid);
	for (i = 0; i < n; i++)
		frames[i] = c->frame[i] & XEN_DOMCTL_PFINFO_LTAB_MASK;
	return 0;
}

int hv_frame_types(struct transport *t, uint32_t domid, uint64_t *frames, uint64_t n, struct pvctl_error *err)
{
	uint32_t most = hv_arena(t, 0, 1, sizeof(struct types_calls)) ? TYPES_CALLS * HV_FRAME_TYPES_MAX : HV_FRAME_TYPES_MAX, k;
	int rc = 0;

	for (; n && !rc; frames += k, n -= k) {
		k = n < most ? (uint32_t)n : most;
		rc = k > HV_FRAME_TYPES_MAX ? frame_types_many(t, domid, frames, k, err) : frame_types(t, domid, frames, k, err);
	}
	return rc;
}

int hv_m2p_frames(struct transport *t, uint64_t *ret, uint32_t max, struct pvctl_error *err)
{
	struct xen_machphys_mfn_list list = { .max_extents = max };
	uint64_t args[6] = { XENMEM_machphys_mfn_list, arena_handle(t, t->arena) };
	uint64_t *table = hv_arena(t, HV_TABLE_OFFSET, max, sizeof(*table));
	bool broken;
	int64_t rc;

	if (!table)
		return err_nomem(err);
	HV_SET_HANDLE(t, list.extent_start, table);
	memcpy(t->arena, &list, sizeof(list));
	rc = hv_call(t, __HYPERVISOR_memory_op, args, HV_TABLE_OFFSET + max * sizeof(*table), &broken, err);
	if (broken)
		return err_fold(rc);
	if (rc < 0)
		return err_hv(err, rc, "asking for the machine-to-physical table");
	memcpy(&list, t->arena, sizeof(list));
	if (list.nr_extents > max)
		return err_set(err, -EPROTO, PVCTL_ORIGIN_HV, "the machine-to-physical table has more parts than were asked for");
	memcpy(ret, table, list.nr_extents * sizeof(*ret));
	return (int)list.nr_extents;
}

int hv_domain_shut(struct transport *t, uint32_t domid, uint32_t reason, struct pvctl_error *err)
{
	struct sched_remote_shutdown op = { .domain_id = (domid_t)domid, .reason = reason };
	uint64_t args[6] = { SCHEDOP_remote_shutdown, arena_handle(t, t->arena) };
	bool broken;
	int64_t rc;

	memcpy(t->arena, &op, sizeof(op));
	rc = hv_call(t, __HYPERVISOR_sched_op, args, HV_TABLE_OFFSET, &broken, err);
	if (broken)
		return err_fold(rc);
	return rc < 0 ? err_hv(err, rc, "domain %u: ending it", domid) : 0;
}

int hv_pin_tables(struct transport *t, uint32_t domid, const uint64_t *mfns, const uint8_t *levels, uint32_t n,
                  struct pvctl_error *err)
{
	static const uint32_t cmd[] = { MMUEXT_PIN_L1_TABLE, MMUEXT_PIN_L2_TABLE, MMUEXT_PIN_L3_TABLE, MMUEXT_PIN_L4_TABLE };
	struct mmuext_op *ops = hv_arena(t, 0, n, sizeof(*ops));
	uint64_t args[6] = { arena_handle(t, ops), n, 0, domid };
	bool broken;
	int64_t ret;
	uint32_t i;

	if (!ops)
		return err_nomem(err);
	memset(ops, 0, n * sizeof(*ops));
	for (i = 0; i < n; i++) {
		ops[i].cmd = cmd[levels[i] - 1];
		ops[i].arg1.mfn = mfns[i];
	}
	ret = hv_call(t, __HYPERVISOR_mmuext_op, args, n * sizeof(*ops), &broken, err);
	if (broken)
		return err_fold(ret);
	return ret < 0 ? err_hv(err, ret, "domain %u: validating its page tables", domid) : 0;
}

int hv_release(struct transport *t, uint32_t domid, const uint64_t *mfns, uint32_t n, struct pvctl_error *err)
{
	struct xen_memory_reservation r = { .nr_extents = n, .domid = (domid_t)domid };
	uint64_t args[6] = { XENMEM_decrease_reservation, arena_handle(t, t->arena) };
	uint64_t *frame = hv_arena(t, HV_TABLE_OFFSET, n, sizeof(*frame));
	bool broken;
	int64_t ret;

	if (!frame)
		return err_nomem(err);
	memcpy(frame, mfns, n * sizeof(*frame));
	HV_SET_HANDLE(t, r.extent_start, frame);
	memcpy(t->arena, &r, sizeof(r));
	ret = hv_call(t, __HYPERVISOR_memory_op, args, HV_TABLE_OFFSET + n * sizeof(*frame), &broken, err);
	if (broken)
		return err_fold(ret);
	if (ret < 0)
		return err_hv(err, ret, "domain %u: giving memory back", domid);
	return (uint64_t)ret == n ? 0 : err_set(err, -EPROTO, PVCTL_ORIGIN_HV, "domain %u: not all memory was taken back", domid);
}

int hv_domain_resume(struct transport *t, uint32_t domid, struct pvctl_error *err)
{
	struct xen_domctl op = { 0 };

	return hv_domctl_simple(t, XEN_DOMCTL_resumedomain, domid, &op, 0, "resuming it", err);
}

int hv_vcpu_get_context(struct transport *t, uint32_t domid, uint32_t vcpu, vcpu_guest_context_t *ret, struct pvctl_error *err)
{
	struct xen_domctl op = { .u.vcpucontext.vcpu = vcpu };
	void *table = hv_arena(t, HV_TABLE_OFFSET, 1, sizeof(*ret));
	bool broken;
	int64_t rc;

	if (!table)
		return err_nomem(err);
	memset(table, 0, sizeof(*ret));
	HV_SET_HANDLE(t, op.u.vcpucontext.ctxt, table);
	rc = hv_domctl(t, XEN_DOMCTL_getvcpucontext, domid, &op, sizeof(*ret), &broken, err);
	if (broken)
		return err_fold(rc);
	if (rc == -ENODATA)
		return 1;
	if (rc < 0)
		return err_hv(err, rc, "domain %u: reading vCPU %u's registers", domid, vcpu);
	memcpy(ret, table, sizeof(*ret));
	return 0;
}

static bool not_there(int64_t rc)
{
	return rc == -ENOSYS || rc == -EOPNOTSUPP;
}

static int blob_result(int64_t rc, bool broken, uint32_t domid, uint32_t vcpu, const char *what, struct pvctl_error *err)
{
	if (broken)
		return err_fold(rc);
	return rc < 0 ? err_hv(err, rc, "domain %u: vCPU %u's %s", domid, vcpu, what) : 0;
}

static const char *const blob_names[] = { "callbacks", "extended registers", "MSRs" };

static int64_t get_extended(struct transport *t, uint32_t domid, uint32_t vcpu, void *buf, uint32_t *ret_len, bool *broken,
                            struct pvctl_error *err)
{
	struct xen_domctl op = { .u.ext_vcpucontext.vcpu = vcpu };
	int64_t rc = hv_domctl(t, XEN_DOMCTL_get_ext_vcpucontext, domid, &op, 0, broken, err);

	if (rc >= 0) {
		memcpy(buf, &op.u.ext_vcpucontext, sizeof(op.u.ext_vcpucontext));
		*ret_len = sizeof(op.u.ext_vcpucontext);
	}
	return rc;
}

static int64_t get_xsave(struct transport *t, uint32_t domid, uint32_t vcpu, void *buf, uint32_t *ret_len, bool *broken,
                         struct pvctl_error *err)
{
	struct xen_domctl op = { .u.vcpuextstate.vcpu = vcpu };
	int64_t rc = hv_domctl(t, XEN_DOMCTL_getvcpuextstate, domid, &op, 0, broken, err);
	uint64_t size = op.u.vcpuextstate.size;
	void *table = hv_arena(t, HV_TABLE_OFFSET, 1, size);

	if (rc < 0 || !size)
		return rc;
	if (!table || size > HV_VCPU_BLOB_MAX)
		return -E2BIG;
	memset(table, 0, size);
	memset(&op, 0, sizeof(op));
	op.u.vcpuextstate.vcpu = vcpu;
	op.u.vcpuextstate.size = size;
	HV_SET_HANDLE(t, op.u.vcpuextstate.buffer, table);
	rc = hv_domctl(t, XEN_DOMCTL_getvcpuextstate, domid, &op, size, broken, err);
	if (rc >= 0) {
		memcpy(buf, table, size);
		*ret_len = (uint32_t)size;
	}
	return rc;
}

static int64_t get_msrs(struct transport *t, uint32_t domid, uint32_t vcpu, void *buf, uint32_t *ret_len, bool *broken,
                        struct pvctl_error *err)
{
	struct xen_domctl op = { .u.vcpu_msrs.vcpu = vcpu };
	int64_t rc = hv_domctl(t, XEN_DOMCTL_get_vcpu_msrs, domid, &op, 0, broken, err);
	uint32_t n = op.u.vcpu_msrs.msr_count;
	size_t size = (size_t)n * sizeof(xen_domctl_vcpu_msr_t);
	void *table = hv_arena(t, HV_TABLE_OFFSET, n, sizeof(xen_domctl_vcpu_msr_t));

	if (rc < 0 || !n)
		return rc;
	if (!table || size > HV_VCPU_BLOB_MAX)
		return -E2BIG;
	memset(table, 0, size);
	memset(&op, 0, sizeof(op));
	op.u.vcpu_msrs.vcpu = vcpu;
	op.u.vcpu_msrs.msr_count = n;
	HV_SET_HANDLE(t, op.u.vcpu_msrs.msrs, table);
	rc = hv_domctl(t, XEN_DOMCTL_get_vcpu_msrs, domid, &op, size, broken, err);
	if (rc >= 0 && op.u.vcpu_msrs.msr_count <= n) {
		*ret_len = op.u.vcpu_msrs.msr_count * (uint32_t)sizeof(xen_domctl_vcpu_msr_t);
		memcpy(buf, table, *ret_len);
	}
	return rc;
}

int hv_vcpu_get_blob(struct transport *t, uint32_t domid, uint32_t vcpu, enum hv_vcpu_blob which, void *buf,
                     uint32_t *ret_len, struct pvctl_error *err)
{
	static int64_t (*const get[])(struct transport *, uint32_t, uint32_t, void *, uint32_t *, bool *, struct pvctl_error *) = {
		get_extended, get_xsave, get_msrs };
	uint32_t len = 0;
	bool broken;
	int64_t rc = get[which](t, domid, vcpu, buf, &len, &broken, err);

	if (broken || !not_there(rc)) {
		rc = blob_result(rc, broken, domid, vcpu, blob_names[which], err);
		if (rc)
			return (int)rc;
	}
	*ret_len = len;
	return 0;
}

int hv_vcpu_set_blob(struct transport *t, uint32_t domid, uint32_t vcpu, enum hv_vcpu_blob which, const void *buf,
                     uint32_t len, struct pvctl_error *err)
{
	static const uint32_t cmd[] = { XEN_DOMCTL_set_ext_vcpucontext, XEN_DOMCTL_setvcpuextstate, XEN_DOMCTL_set_vcpu_msrs };
	void *table = hv_arena(t, HV_TABLE_OFFSET, 1, len ? len : 1);
	struct xen_domctl op = { 0 };
	size_t extra = 0;
	bool broken;
	int64_t rc;

	if (!table)
		return err_nomem(err);
	if (which == HV_VCPU_EXTENDED) {
		if (len > sizeof(op.u.ext_vcpucontext))
			len = sizeof(op.u.ext_vcpucontext);
		memcpy(&op.u.ext_vcpucontext, buf, len);
		op.u.ext_vcpucontext.vcpu = vcpu;
	} else {
		extra = len;
		memcpy(table, buf, len);
	}
	if (which == HV_VCPU_XSAVE) {
		op.u.vcpuextstate.vcpu = vcpu;
		op.u.vcpuextstate.size = len;
		HV_SET_HANDLE(t, op.u.vcpuextstate.buffer, table);
	} else if (which == HV_VCPU_MSRS) {
		op.u.vcpu_msrs.vcpu = vcpu;
		op.u.vcpu_msrs.msr_count = len / (uint32_t)sizeof(xen_domctl_vcpu_msr_t);
		HV_SET_HANDLE(t, op.u.vcpu_msrs.msrs, table);
	}
	rc = hv_domctl(t, cmd[which], domid, &op, extra, &broken, err);
	return blob_result(rc, broken, domid, vcpu, blob_names[which], err);
}

int hv_tsc_get(struct transport *t, uint32_t domid, struct xen_domctl_tsc_info *ret, struct pvctl_error *err)
{
	struct xen_domctl op = { 0 };
	int rc = hv_domctl_simple(t, XEN_DOMCTL_gettscinfo, domid, &op, 0, "reading its clock's state", err);

	if (!rc)
		*ret = op.u.tsc_info;
	return rc;
}

int hv_tsc_set(struct transport *t, uint32_t domid, const struct xen_domctl_tsc_info *tsc, struct pvctl_error *err)
{
	struct xen_domctl op = { .u.tsc_info = *tsc };

	return hv_domctl_simple(t, XEN_DOMCTL_settscinfo, domid, &op, 0, "setting its clock", err);
}

/* Both tables behind the argument structure: leaves, then MSRs. */
static size_t policy_tables(struct transport *t, struct xen_domctl *op, uint8_t **ret_leaves, uint8_t **ret_msrs)
{
	size_t bytes = sizeof(((struct hv_policy *)0)->leaf) + sizeof(((struct hv_policy *)0)->msr);

	*ret_leaves = hv_arena(t, HV_TABLE_OFFSET, 1, bytes);
	if (!*ret_leaves)
		return 0;
	*ret_msrs = *ret_leaves + sizeof(((struct hv_policy *)0)->leaf);
	HV_SET_HANDLE(t, op->u.cpu_policy.leaves, *ret_leaves);
	HV_SET_HANDLE(t, op->u.cpu_policy.msrs, *ret_msrs);
	return bytes;
}

int hv_policy_get(struct transport *t, uint32_t domid, struct hv_policy *ret, struct pvctl_error *err)
{
	struct xen_domctl op = { .u.cpu_policy = { .nr_leaves = HV_POLICY_LEAVES, .nr_msrs = HV_POLICY_MSRS } };
	uint8_t *leaves, *msrs;
	size_t bytes = policy_tables(t, &op, &leaves, &msrs);
	int rc;

	if (!bytes)
		return err_nomem(err);
	rc = hv_domctl_simple(t, XEN_DOMCTL_get_cpu_policy, domid, &op, bytes, "reading its CPU's features", err);
	if (rc)
		return rc;
	if (op.u.cpu_policy.nr_leaves > HV_POLICY_LEAVES || op.u.cpu_policy.nr_msrs > HV_POLICY_MSRS)
		return err_set(err, -EPROTO, PVCTL_ORIGIN_HV, "domain %u: its CPU's features are too many", domid);
	ret->n_leaves = op.u.cpu_policy.nr_leaves;
	ret->n_msrs = op.u.cpu_policy.nr_msrs;
	memcpy(ret->leaf, leaves, sizeof(ret->leaf));
	memcpy(ret->msr, msrs, sizeof(ret->msr));
	return 0;
}

int hv_policy_set(struct transport *t, uint32_t domid, const struct hv_policy *p, struct pvctl_error *err)
{
	struct xen_domctl op = { .u.cpu_policy = { .nr_leaves = p->n_leaves, .nr_msrs = p->n_msrs } };
	struct xen_domctl_cpu_policy *c = &op.u.cpu_policy;
	uint8_t *leaves, *msrs;
	size_t bytes = policy_tables(t, &op, &leaves, &msrs);
	bool broken;
	int64_t rc;

	if (!bytes)
		return err_nomem(err);
	memcpy(leaves, p->leaf, sizeof(p->leaf));
	memcpy(msrs, p->msr, sizeof(p->msr));
	c->err_leaf = c->err_subleaf = c->err_msr = ~0u;
	rc = hv_domctl(t, XEN_DOMCTL_set_cpu_policy, domid, &op, bytes, &broken, err);
	if (broken)
		return err_fold(rc);
	if (rc < 0 && (c->err_leaf != ~0u || c->err_msr != ~0u))
		return err_hv(err, rc, "domain %u: its CPU has features that this node's lacks (CPUID leaf 0x%x, subleaf 0x%x, MSR 0x%x)",
		              domid, c->err_leaf, c->err_subleaf, c->err_msr);
	return rc < 0 ? err_hv(err, rc, "domain %u: setting its CPU's features", domid) : 0;
}

static int shadow_op(struct transport *t, uint32_t domid, struct xen_domctl *op, size_t extra, struct pvctl_error *err)
{
	return hv_domctl_simple(t, XEN_DOMCTL_shadow_op, domid, op, extra, "logging what it writes", err);
}

int hv_logdirty(struct transport *t, uint32_t domid, bool on, struct pvctl_error *err)
{
	struct xen_domctl op = { .u.shadow_op.op = on ? XEN_DOMCTL_SHADOW_OP_ENABLE_LOGDIRTY : XEN_DOMCTL_SHADOW_OP_OFF };

	return shadow_op(t, domid, &op, 0, err);
}

int hv_logdirty_read(struct transport *t, uint32_t domid, bool clean, uint8_t *bitmap, uint64_t n, struct pvctl_error *err)
{
	struct xen_domctl op = { .u.shadow_op = { .op = clean ? XEN_DOMCTL_SHADOW_OP_CLEAN : XEN_DOMCTL_SHADOW_OP_PEEK, .pages = n } };
	size_t bytes = (n + 63) / 64 * 8;
	void *table = hv_arena(t, HV_TABLE_OFFSET, 1, bytes);
	int rc;

	if (!table)
		return err_set(err, -E2BIG, PVCTL_ORIGIN_LIB, "domain %u: too large to be saved while it runs", domid);
	memset(table, 0, bytes);
	HV_SET_HANDLE(t, op.u.shadow_op.dirty_bitmap, table);
	rc = shadow_op(t, domid, &op, bytes, err);
	if (!rc)
		memcpy(bitmap, table, (n + 7) / 8);
	return rc;
}
