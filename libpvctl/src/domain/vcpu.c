/* SPDX-License-Identifier: MIT */
#include "domain/private.h"
#include "util/err.h"
#include <stdlib.h>
#include <string.h>

struct pvctl_vcpu_list { size_t n; struct pvctl_vcpu_info info[]; };

static int fill(struct pvctl *ctx, uint32_t domid, uint32_t vcpu, uint64_t online, struct pvctl_vcpu_info *ret,
                struct pvctl_error *err)
{
	struct xen_domctl_getvcpuinfo v;
	struct pvctl_error ignored;
	int rc;

	memset(ret, 0, sizeof(*ret));
	rc = hv_vcpu_info(ctx->t, domid, vcpu, &v, err);
	if (rc)
		return rc;
	ret->size = sizeof(*ret);
	ret->domid = domid;
	ret->vcpu = vcpu;
	ret->online = v.online;
	ret->blocked = v.blocked;
	ret->running = v.running;
	ret->cpu = v.cpu;
	ret->cpu_ns = v.cpu_time;
	if (hv_vcpu_get_affinity(ctx->t, domid, vcpu, &ret->hard_affinity, &ret->soft_affinity, &ignored))
		ret->hard_affinity = ret->soft_affinity = ~0ull;
	ret->hard_affinity &= online;
	ret->soft_affinity &= online;
	return 0;
}

int pvctl_vcpu_list(struct pvctl *ctx, uint32_t domid, struct pvctl_vcpu_list **ret, struct pvctl_error *err)
{
	struct xen_domctl_getdomaininfo d;
	struct xen_sysctl_physinfo phys;
	struct pvctl_vcpu_list *list;
	uint64_t online;
	uint32_t n, i;
	int rc;

	rc = hv_domain_info(ctx->t, domid, &d, err);
	if (!rc)
		rc = hv_physinfo(ctx->t, &phys, err);
	if (rc)
		return rc;
	online = phys.nr_cpus >= 64 ? ~0ull : (1ull << phys.nr_cpus) - 1;
	n = d.max_vcpu_id == XEN_INVALID_MAX_VCPU_ID ? 0 : d.max_vcpu_id + 1;
	/* A hosted node's domain 0 has one that stands for the host and never runs. */
	if (domid == 0 && d.nr_online_vcpus == 0)
		n = 0;
	if (n > 8192)
		return err_set(err, -EPROTO, PVCTL_ORIGIN_HV, "domain %u: %u vCPUs make no sense", domid, n);
	list = malloc(sizeof(*list) + n * sizeof(list->info[0]));
	if (!list)
		return err_nomem(err);
	list->n = 0;
	for (i = 0; i < n && !rc; i++) {
		rc = fill(ctx, domid, i, online, &list->info[list->n], err);
		if (!rc)
			list->n++;
		else if (rc == -ESRCH) /* a hole between vCPUs */
			rc = 0;
	}
	if (rc)
		free(list);
	else
		*ret = list;
	return rc;
}

size_t pvctl_vcpu_list_count(const struct pvctl_vcpu_list *l)
{
	return l->n;
}

const struct pvctl_vcpu_info *pvctl_vcpu_list_at(const struct pvctl_vcpu_list *l, size_t i)
{
	return i < l->n ? &l->info[i] : NULL;
}

void pvctl_vcpu_list_free(struct pvctl_vcpu_list *l)
{
	free(l);
}

int pvctl_domain_get_grants(struct pvctl *ctx, uint32_t domid, uint32_t *ret_pages, uint32_t *ret_max_pages, struct pvctl_error *err)
{
	struct xen_domctl_getdomaininfo info;
	uint32_t pages, max;
	int rc = refuse_host(domid, "limited", err);

	rc = rc ? rc : hv_domain_info(ctx->t, domid, &info, err);
	rc = rc ? rc : hv_grant_size(ctx->t, domid, &pages, &max, err);
	if (rc)
		return rc;
	*ret_pages = pages;
	*ret_max_pages = max;
	return 0;
}
