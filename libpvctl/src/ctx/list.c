/* SPDX-License-Identifier: MIT */
#include "build/layout.h"
#include "ctx/ctx.h"
#include "util/err.h"
#include "util/grow.h"
#include <stdlib.h>
#include <stdio.h>
#include <string.h>

struct pvctl_domain_list { size_t n; struct pvctl_domain_info info[]; };

#define FLAG_RUNNING 1u
#define FLAG_BLOCKED 2u
#define FLAG_PAUSED 4u
#define FLAG_SHUTDOWN 8u
#define FLAG_DYING 16u
#define FLAG_CRASHED 32u
#define FLAG_KEPT 64u

int32_t domain_reason(const struct xen_domctl_getdomaininfo *d)
{
	uint32_t code = (d->flags >> XEN_DOMINF_shutdownshift) & XEN_DOMINF_shutdownmask;

	if (!(d->flags & XEN_DOMINF_shutdown))
		return PVCTL_REASON_NONE;
	return code <= PVCTL_REASON_SOFT_RESET ? (int32_t)code : PVCTL_REASON_CRASH;
}

static uint32_t state_of(uint32_t flags)
{
	if (flags & FLAG_DYING)
		return PVCTL_STATE_DYING;
	if (flags & FLAG_SHUTDOWN)
		return PVCTL_STATE_SHUTDOWN;
	if (flags & FLAG_PAUSED)
		return PVCTL_STATE_PAUSED;
	return flags & FLAG_BLOCKED && !(flags & FLAG_RUNNING) ? PVCTL_STATE_BLOCKED : PVCTL_STATE_RUNNING;
}

/* The host as domain 0: it runs, has no vCPUs of the node's, and its limit of memory is "none". */
static void fill_host(const struct xen_domctl_getdomaininfo *d, struct pvctl_domain_info *ret)
{
	if (!ret->name[0])
		strcpy(ret->name, "Domain-0");
	if (d->max_pages >= UINT32_MAX)
		ret->max_memory_bytes = ret->memory_bytes;
	if (d->nr_online_vcpus)
		return;
	ret->vcpus_max = 0;
	ret->flags |= FLAG_RUNNING;
	ret->state = state_of(ret->flags);
}

void domain_info_fill(const struct xen_domctl_getdomaininfo *d, const struct proto_domain_row *row,
                      struct pvctl_domain_info *ret)
{
	memset(ret, 0, sizeof(*ret));
	ret->size = sizeof(*ret);
	ret->domid = d->domain;
	memcpy(ret->uuid, d->handle, sizeof(ret->uuid));
	ret->reason = domain_reason(d);
	ret->flags = (d->flags & XEN_DOMINF_running ? FLAG_RUNNING : 0) | (d->flags & XEN_DOMINF_blocked ? FLAG_BLOCKED : 0) |
	             (d->flags & XEN_DOMINF_paused ? FLAG_PAUSED : 0) | (d->flags & XEN_DOMINF_shutdown ? FLAG_SHUTDOWN : 0) |
	             (d->flags & XEN_DOMINF_dying ? FLAG_DYING : 0) | (ret->reason == PVCTL_REASON_CRASH ? FLAG_CRASHED : 0);
	ret->type = d->flags & XEN_DOMINF_hvm_guest ? PVCTL_TYPE_PVH : PVCTL_TYPE_PV;
	ret->state = state_of(ret->flags);
	ret->cpu_ns = d->cpu_time;
	ret->memory_bytes = d->tot_pages << PAGE_SHIFT;
	ret->max_memory_bytes = d->max_pages >> (64 - PAGE_SHIFT) ? ~0ull : d->max_pages << PAGE_SHIFT;
	ret->outstanding_bytes = d->outstanding_pages << PAGE_SHIFT;
	ret->vcpus_online = d->nr_online_vcpus;
	ret->vcpus_max = d->max_vcpu_id == XEN_INVALID_MAX_VCPU_ID ? 0 : d->max_vcpu_id + 1;
	if (row) {
		ret->unique_id = row->unique_id;
		ret->created_unix_ns = row->created_unix_ns;
		ret->flags |= row->kept ? FLAG_KEPT : 0;
		memcpy(ret->name, row->name, sizeof(ret->name));
	}
	if (d->domain == 0)
		fill_host(d, ret);
}

int pvctl_domain_get(struct pvctl *ctx, uint32_t domid, struct pvctl_domain_info *ret, struct pvctl_error *err)
{
	struct xen_domctl_getdomaininfo d;
	struct pvctl_domain_info info;
	struct rows rows;
	int rc;

	rc = grow_check(ret, err);
	if (!rc)
		rc = hv_domain_info(ctx->t, domid, &d, err);
	if (!rc)
		rc = rows_get(ctx, &rows, err);
	if (rc)
		return rc;
	domain_info_fill(&d, rows_by_id(&rows, domid), &info);
	grow_out(ret, &info, sizeof(info));
	rows_free(&rows);
	return 0;
}

/* All domains; usually one call. *ret is malloc'd. */
static int all_domains(struct pvctl *ctx, struct xen_domctl_getdomaininfo **ret, size_t *ret_n, struct pvctl_error *err)
{
	size_t step = 128, n = 0;
	struct xen_domctl_getdomaininfo *list = NULL, *more;
	uint32_t first = 0;
	int got;

	for (;;) {
		more = realloc(list, (n + step) * sizeof(*list));
		if (!more) {
			free(list);
			return err_nomem(err);
		}
		list = more;
		got = hv_domain_list(ctx->t, first, list + n, (uint32_t)step, err);
		if (got < 0) {
			free(list);
			return got;
		}
		n += (size_t)got;
		if (got == 0 || (size_t)got < step || list[n - 1].domain >= DOMID_FIRST_RESERVED - 1)
			break;
		first = list[n - 1].domain + 1u;
		if (step < 4096)
			step *= 2;
	}
	*ret = list;
	*ret_n = n;
	return 0;
}

static int by_domid(const void *a, const void *b)
{
	const struct pvctl_domain_info *x = a, *y = b;

	return (x->domid > y->domid) - (x->domid < y->domid);
}

int pvctl_domain_list(struct pvctl *ctx, struct pvctl_domain_list **ret, struct pvctl_error *err)
{
	struct xen_domctl_getdomaininfo *d = NULL;
	struct pvctl_domain_list *list;
	struct rows rows;
	size_t n = 0, i;
	int rc;

	rc = all_domains(ctx, &d, &n, err);
	if (rc)
		return rc;
	rc = rows_get(ctx, &rows, err);
	if (rc) {
		free(d);
		return rc;
	}
	list = malloc(sizeof(*list) + n * sizeof(list->info[0]));
	if (list) {
		list->n = n;
		for (i = 0; i < n; i++)
			domain_info_fill(&d[i], rows_by_id(&rows, d[i].domain), &list->info[i]);
		qsort(list->info, n, sizeof(list->info[0]), by_domid);
		*ret = list;
	}
	rows_free(&rows);
	free(d);
	return list ? 0 : err_nomem(err);
}

size_t pvctl_domain_list_count(const struct pvctl_domain_list *l)
{
	return l->n;
}

const struct pvctl_domain_info *pvctl_domain_list_at(const struct pvctl_domain_list *l, size_t i)
{
	return i < l->n ? &l->info[i] : NULL;
}

void pvctl_domain_list_free(struct pvctl_domain_list *l)
{
	free(l);
}
