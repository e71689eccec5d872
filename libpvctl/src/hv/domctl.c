/* SPDX-License-Identifier: MIT */
#include "hv/private.h"
#include "util/err.h"
#include <string.h>
#include <time.h>

int64_t hv_call(struct transport *t, uint32_t op, uint64_t *args, size_t used, bool *ret_broken,
                struct pvctl_error *err)
{
	struct pvctl_error e = { 0 };
	int64_t ret = t->ops->hypercall(t, op, args, used, &e);

	*ret_broken = e.code != 0;
	if (*ret_broken && err)
		*err = e;
	return ret;
}

void *hv_arena(const struct transport *t, size_t offset, size_t n, size_t size)
{
	size_t bytes;

	if (__builtin_mul_overflow(n, size, &bytes) || offset > t->arena_size || bytes > t->arena_size - offset)
		return NULL;
	return t->arena + offset;
}

int64_t hv_domctl(struct transport *t, uint32_t cmd, uint32_t domid, struct xen_domctl *op, size_t extra,
                  bool *ret_broken, struct pvctl_error *err)
{
	uint64_t args[6] = { arena_handle(t, t->arena) };
	int64_t ret;

	op->cmd = cmd;
	op->interface_version = XEN_DOMCTL_INTERFACE_VERSION;
	op->domain = (domid_t)domid;
	memcpy(t->arena, op, sizeof(*op));
	ret = hv_call(t, __HYPERVISOR_domctl, args, HV_TABLE_OFFSET + extra, ret_broken, err);
	memcpy(op, t->arena, sizeof(*op));
	return ret;
}

int hv_domctl_simple(struct transport *t, uint32_t cmd, uint32_t domid, struct xen_domctl *op, size_t extra,
                     const char *what, struct pvctl_error *err)
{
	bool broken;
	int64_t ret = hv_domctl(t, cmd, domid, op, extra, &broken, err);

	if (broken)
		return err_fold(ret);
	return ret < 0 ? err_hv(err, ret, "domain %u: %s", domid, what) : 0;
}

int hv_domain_create(struct transport *t, const struct xen_domctl_createdomain *cfg, uint32_t want, uint32_t *ret_domid,
                     struct pvctl_error *err)
{
	struct xen_domctl op = { .u.createdomain = *cfg };
	bool broken;
	int64_t ret = hv_domctl(t, XEN_DOMCTL_createdomain, want, &op, 0, &broken, err);

	if (broken)
		return err_fold(ret);
	if (ret == -EEXIST && want)
		return err_set(err, -EEXIST, PVCTL_ORIGIN_HV, "it was saved with its domain id (-D), and there is a domain %u here already", want);
	if (ret < 0)
		return err_hv(err, ret, "creating a domain");
	*ret_domid = op.domain;
	return 0;
}

/* Memory that another domain still maps is given back by and by: the call then
 * says -ERESTART without having got further, and hammering would not help. */
int hv_domain_destroy(struct transport *t, uint32_t domid, struct pvctl_error *err)
{
	const struct timespec nap = { .tv_nsec = 1000000 };
	struct xen_domctl op;
	unsigned int tries = 0;
	bool broken;
	int64_t ret;

	for (;;) {
		memset(&op, 0, sizeof(op));
		ret = hv_domctl(t, XEN_DOMCTL_destroydomain, domid, &op, 0, &broken, err);
		if (broken)
			return err_fold(ret);
		if (ret != -ERESTART)
			break;
		if (++tries > 10000)
			return err_set(err, -EBUSY, PVCTL_ORIGIN_HV, "domain %u: does not let go of its memory", domid);
		if (tries > 16)
			nanosleep(&nap, NULL);
	}
	return ret < 0 ? err_hv(err, ret, "domain %u: destroying it", domid) : 0;
}

int hv_domain_pause(struct transport *t, uint32_t domid, struct pvctl_error *err)
{
	struct xen_domctl op = { 0 };

	return hv_domctl_simple(t, XEN_DOMCTL_pausedomain, domid, &op, 0, "pausing it", err);
}

int hv_domain_unpause(struct transport *t, uint32_t domid, struct pvctl_error *err)
{
	struct xen_domctl op = { 0 };

	return hv_domctl_simple(t, XEN_DOMCTL_unpausedomain, domid, &op, 0, "unpausing it", err);
}

int hv_domain_max_mem(struct transport *t, uint32_t domid, uint64_t kib, struct pvctl_error *err)
{
	struct xen_domctl op = { .u.max_mem.max_memkb = kib };

	return hv_domctl_simple(t, XEN_DOMCTL_max_mem, domid, &op, 0, "setting its memory limit", err);
}

int hv_domain_max_vcpus(struct transport *t, uint32_t domid, uint32_t max, struct pvctl_error *err)
{
	struct xen_domctl op = { .u.max_vcpus.max = max };

	return hv_domctl_simple(t, XEN_DOMCTL_max_vcpus, domid, &op, 0, "creating its vCPUs", err);
}

/* The hypercall may answer about the next domain when this one does not exist. */
int hv_domain_info(struct transport *t, uint32_t domid, struct xen_domctl_getdomaininfo *ret, struct pvctl_error *err)
{
	struct xen_domctl op = { 0 };
	int rc;

	rc = hv_domctl_simple(t, XEN_DOMCTL_getdomaininfo, domid, &op, 0, "asking about it", err);
	if (!rc && op.u.getdomaininfo.domain != domid)
		rc = -ESRCH;
	if (rc == -ESRCH)
		return err_set(err, -ESRCH, PVCTL_ORIGIN_HV, "domain %u does not exist", domid);
	if (!rc)
		*ret = op.u.getdomaininfo;
	return rc;
}

int hv_domain_sched_set(struct transport *t, uint32_t domid, uint32_t sched_id, uint16_t weight, uint16_t cap,
                        struct pvctl_error *err)
{
	struct xen_domctl op = { .u.scheduler_op = { .sched_id = sched_id, .cmd = XEN_DOMCTL_SCHEDOP_putinfo } };

	op.u.scheduler_op.u.credit.weight = weight;
	op.u.scheduler_op.u.credit.cap = cap;
	return hv_domctl_simple(t, XEN_DOMCTL_scheduler_op, domid, &op, 0, "setting its CPU weight and cap", err);
}

int hv_domain_sched_get(struct transport *t, uint32_t domid, uint32_t sched_id, uint16_t *ret_weight,
                        uint16_t *ret_cap, struct pvctl_error *err)
{
	struct xen_domctl op = { .u.scheduler_op = { .sched_id = sched_id, .cmd = XEN_DOMCTL_SCHEDOP_getinfo } };
	int rc = hv_domctl_simple(t, XEN_DOMCTL_scheduler_op, domid, &op, 0, "asking for its CPU weight", err);

	if (rc)
		return rc;
	*ret_weight = op.u.scheduler_op.u.credit.weight;
	*ret_cap = op.u.scheduler_op.u.credit.cap;
	return 0;
}

int hv_hypercall_page(struct transport *t, uint32_t domid, uint64_t mfn, struct pvctl_error *err)
{
	struct xen_domctl op = { .u.hypercall_init.gmfn = mfn };

	return hv_domctl_simple(t, XEN_DOMCTL_hypercall_init, domid, &op, 0, "filling its hypercall page", err);
}

int hv_domain_time_offset(struct transport *t, uint32_t domid, int64_t seconds, struct pvctl_error *err)
{
	struct xen_domctl op = { .u.settimeoffset.time_offset_seconds = seconds };

	return hv_domctl_simple(t, XEN_DOMCTL_settimeoffset, domid, &op, 0, "setting its clock", err);
}
