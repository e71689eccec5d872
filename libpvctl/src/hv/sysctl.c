/* SPDX-License-Identifier: MIT */
#include "hv/private.h"
#include "hv/state.h"
#include "util/err.h"
#include <stdio.h>
#include <string.h>
#include <xen/hypfs.h>

static int sysctl(struct transport *t, uint32_t cmd, struct xen_sysctl *op, size_t extra, const char *what,
                  struct pvctl_error *err)
{
	uint64_t args[6] = { arena_handle(t, t->arena) };
	bool broken;
	int64_t ret;

	op->cmd = cmd;
	op->interface_version = XEN_SYSCTL_INTERFACE_VERSION;
	memcpy(t->arena, op, sizeof(*op));
	ret = hv_call(t, __HYPERVISOR_sysctl, args, HV_TABLE_OFFSET + extra, &broken, err);
	if (broken)
		return err_fold(ret);
	memcpy(op, t->arena, sizeof(*op));
	return ret < 0 ? err_hv(err, ret, "%s", what) : 0;
}

int hv_physinfo(struct transport *t, struct xen_sysctl_physinfo *ret, struct pvctl_error *err)
{
	struct xen_sysctl op = { 0 };
	int rc = sysctl(t, XEN_SYSCTL_physinfo, &op, 0, "asking for the node's resources", err);

	if (!rc)
		*ret = op.u.physinfo;
	return rc;
}

int hv_domain_list(struct transport *t, uint32_t first, struct xen_domctl_getdomaininfo *ret, uint32_t max,
                   struct pvctl_error *err)
{
	struct xen_sysctl op = { .u.getdomaininfolist = { .first_domain = (domid_t)first } };
	uint32_t fit = (uint32_t)((t->arena_size - HV_TABLE_OFFSET) / sizeof(*ret));
	void *table = t->arena + HV_TABLE_OFFSET;
	int rc;

	if (max > fit)
		max = fit;
	op.u.getdomaininfolist.max_domains = max;
	HV_SET_HANDLE(t, op.u.getdomaininfolist.buffer, table);
	rc = sysctl(t, XEN_SYSCTL_getdomaininfolist, &op, max * sizeof(*ret), "listing the domains", err);
	if (rc)
		return rc;
	if (op.u.getdomaininfolist.num_domains > max)
		return err_set(err, -EPROTO, PVCTL_ORIGIN_HV, "listing the domains: more than were asked for");
	memcpy(ret, table, op.u.getdomaininfolist.num_domains * sizeof(*ret));
	return (int)op.u.getdomaininfolist.num_domains;
}

int hv_cpu_idle(struct transport *t, uint64_t *ret_idle_ns, uint32_t max, uint32_t *ret_n, struct pvctl_error *err)
{
	struct xen_sysctl op = { .u.getcpuinfo.max_cpus = max };
	xen_sysctl_cpuinfo_t *table = hv_arena(t, HV_TABLE_OFFSET, max, sizeof(*table));
	uint32_t i;
	int rc;

	if (!table)
		return err_nomem(err);
	HV_SET_HANDLE(t, op.u.getcpuinfo.info, table);
	rc = sysctl(t, XEN_SYSCTL_getcpuinfo, &op, max * sizeof(*table), "asking for the CPUs' idle times", err);
	if (rc)
		return rc;
	*ret_n = op.u.getcpuinfo.nr_cpus < max ? op.u.getcpuinfo.nr_cpus : max;
	for (i = 0; i < *ret_n; i++)
		ret_idle_ns[i] = table[i].idletime;
	return 0;
}

int hv_debug_keys(struct transport *t, const char *keys, uint32_t n, struct pvctl_error *err)
{
	struct xen_sysctl op = { .u.debug_keys.nr_keys = n };
	char *table = hv_arena(t, HV_TABLE_OFFSET, n, 1);

	if (!table)
		return err_nomem(err);
	memcpy(table, keys, n);
	HV_SET_HANDLE(t, op.u.debug_keys.keys, table);
	return sysctl(t, XEN_SYSCTL_debug_keys, &op, n, "sending debug keys", err);
}

int hv_param_set(struct transport *t, const char *name, uint32_t value, struct pvctl_error *err)
{
	char *path = (char *)t->arena;
	int n = snprintf(path, HV_TABLE_OFFSET, "/params/%.60s", name);
	void *data = hv_arena(t, HV_TABLE_OFFSET, 1, sizeof(value));
	uint64_t args[6] = { XEN_HYPFS_OP_write_contents, arena_handle(t, path), (uint64_t)n + 1, arena_handle(t, data), sizeof(value) };
	bool broken;
	int64_t rc;

	memcpy(data, &value, sizeof(value));
	rc = hv_call(t, __HYPERVISOR_hypfs_op, args, HV_TABLE_OFFSET + sizeof(value), &broken, err);
	if (broken)
		return err_fold(rc);
	return rc < 0 ? err_hv(err, rc, "setting the parameter %.60s", name) : 0;
}

int hv_sched_id(struct transport *t, uint32_t *ret, struct pvctl_error *err)
{
	struct xen_sysctl op = { 0 };
	int rc = sysctl(t, XEN_SYSCTL_sched_id, &op, 0, "asking for the scheduler", err);

	if (!rc)
		*ret = op.u.sched_id.sched_id;
	return rc;
}

int hv_console_read(struct transport *t, bool clear, uint32_t *index, char *buf, uint32_t len, struct pvctl_error *err)
{
	struct xen_sysctl op = { .u.readconsole = { .clear = clear, .incremental = 1, .index = *index } };
	uint32_t fit = (uint32_t)(t->arena_size - HV_TABLE_OFFSET);
	char *table = (char *)t->arena + HV_TABLE_OFFSET;
	int rc;

	if (len > fit)
		len = fit;
	op.u.readconsole.count = len;
	HV_SET_HANDLE(t, op.u.readconsole.buffer, table);
	rc = sysctl(t, XEN_SYSCTL_readconsole, &op, len, "reading the hypervisor's log", err);
	if (rc)
		return rc;
	if (op.u.readconsole.count > len)
		return err_set(err, -EPROTO, PVCTL_ORIGIN_HV, "reading the hypervisor's log: more than was asked for");
	memcpy(buf, table, op.u.readconsole.count);
	*index = op.u.readconsole.index;
	return (int)op.u.readconsole.count;
}

int hv_policy_default(struct transport *t, struct hv_policy *ret, struct pvctl_error *err)
{
	struct xen_sysctl op = { .u.cpu_policy = { .index = XEN_SYSCTL_cpu_policy_pv_default, .nr_leaves = HV_POLICY_LEAVES } };
	xen_cpuid_leaf_t *table = hv_arena(t, HV_TABLE_OFFSET, HV_POLICY_LEAVES, sizeof(*table));
	int rc;

	if (!table)
		return err_nomem(err);
	HV_SET_HANDLE(t, op.u.cpu_policy.leaves, table);
	rc = sysctl(t, XEN_SYSCTL_get_cpu_policy, &op, HV_POLICY_LEAVES * sizeof(*table), "asking for the CPUs' features", err);
	if (rc)
		return rc;
	if (op.u.cpu_policy.nr_leaves > HV_POLICY_LEAVES)
		return err_set(err, -EPROTO, PVCTL_ORIGIN_HV, "asking for the CPUs' features: more than were asked for");
	memset(ret, 0, sizeof(*ret));
	ret->n_leaves = op.u.cpu_policy.nr_leaves;
	memcpy(ret->leaf, table, sizeof(ret->leaf));
	return 0;
}
