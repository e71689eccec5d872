/* SPDX-License-Identifier: MIT */
#include "hv/private.h"
#include "util/err.h"
#include <string.h>

int hv_vcpu_set_context(struct transport *t, uint32_t domid, uint32_t vcpu, const vcpu_guest_context_t *ctx,
                        struct pvctl_error *err)
{
	struct xen_domctl op = { .u.vcpucontext.vcpu = vcpu };
	void *table = hv_arena(t, HV_TABLE_OFFSET, 1, sizeof(*ctx));

	if (!table)
		return err_nomem(err);
	memcpy(table, ctx, sizeof(*ctx));
	HV_SET_HANDLE(t, op.u.vcpucontext.ctxt, table);
	return hv_domctl_simple(t, XEN_DOMCTL_setvcpucontext, domid, &op, sizeof(*ctx), "setting the vCPU's registers", err);
}

int hv_vcpu_info(struct transport *t, uint32_t domid, uint32_t vcpu, struct xen_domctl_getvcpuinfo *ret,
                 struct pvctl_error *err)
{
	struct xen_domctl op = { .u.getvcpuinfo.vcpu = vcpu };
	int rc = hv_domctl_simple(t, XEN_DOMCTL_getvcpuinfo, domid, &op, 0, "asking about a vCPU", err);

	if (!rc)
		*ret = op.u.getvcpuinfo;
	return rc;
}

/* Both maps lie behind the argument structure, 8 bytes each. */
static uint64_t *affinity_maps(struct transport *t, struct xen_domctl *op)
{
	uint64_t *maps = (uint64_t *)(void *)(t->arena + HV_TABLE_OFFSET);

	op->u.vcpuaffinity.cpumap_hard.nr_bits = 64;
	HV_SET_HANDLE(t, op->u.vcpuaffinity.cpumap_hard.bitmap, &maps[0]);
	op->u.vcpuaffinity.cpumap_soft.nr_bits = 64;
	HV_SET_HANDLE(t, op->u.vcpuaffinity.cpumap_soft.bitmap, &maps[1]);
	return maps;
}

int hv_vcpu_set_affinity(struct transport *t, uint32_t domid, uint32_t vcpu, const uint64_t *hard, const uint64_t *soft,
                         struct pvctl_error *err)
{
	struct xen_domctl op = { .u.vcpuaffinity = { .vcpu = vcpu,
		.flags = (hard ? XEN_VCPUAFFINITY_HARD : 0) | (soft ? XEN_VCPUAFFINITY_SOFT : 0) } };
	uint64_t *maps = affinity_maps(t, &op);

	maps[0] = hard ? *hard : 0;
	maps[1] = soft ? *soft : 0;
	return hv_domctl_simple(t, XEN_DOMCTL_setvcpuaffinity, domid, &op, 2 * sizeof(*maps),
	                        "setting a vCPU's affinity", err);
}

int hv_vcpu_get_affinity(struct transport *t, uint32_t domid, uint32_t vcpu, uint64_t *ret_hard, uint64_t *ret_soft,
                         struct pvctl_error *err)
{
	struct xen_domctl op = { .u.vcpuaffinity = { .vcpu = vcpu, .flags = XEN_VCPUAFFINITY_HARD | XEN_VCPUAFFINITY_SOFT } };
	uint64_t *maps = affinity_maps(t, &op);
	int rc;

	maps[0] = maps[1] = 0;
	rc = hv_domctl_simple(t, XEN_DOMCTL_getvcpuaffinity, domid, &op, 2 * sizeof(*maps),
	                      "asking for a vCPU's affinity", err);
	if (rc)
		return rc;
	*ret_hard = maps[0];
	*ret_soft = maps[1];
	return 0;
}
