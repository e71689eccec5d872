/* SPDX-License-Identifier: MIT */
#include "build/layout.h"
#include "domain/private.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/grow.h"
#include <stdio.h>
#include <string.h>
#include <xen/version.h>

#define DMESG_STEP (64u << 10)
#define DMESG_MAX (64u << 20)

static const char *scheduler_name(uint32_t id)
{
	switch (id) {
	case XEN_SCHEDULER_CREDIT: return "credit";
	case XEN_SCHEDULER_CREDIT2: return "credit2";
	case XEN_SCHEDULER_ARINC653: return "arinc653";
	case XEN_SCHEDULER_RTDS: return "rtds";
	case XEN_SCHEDULER_NULL: return "null";
	default: return "unknown";
	}
}

static int fill_version(struct transport *t, struct pvctl_host_info *h, struct pvctl_error *err)
{
	int rc;

	rc = hv_version(t, &h->hv_major, &h->hv_minor, err);
	if (!rc)
		rc = hv_version_text(t, XENVER_extraversion, h->hv_extra, sizeof(h->hv_extra), err);
	if (!rc)
		rc = hv_version_text(t, XENVER_capabilities, h->hv_caps, sizeof(h->hv_caps), err);
	if (!rc)
		rc = hv_version_text(t, XENVER_changeset, h->hv_changeset, sizeof(h->hv_changeset), err);
	if (!rc)
		rc = hv_version_text(t, XENVER_commandline, h->hv_commandline, sizeof(h->hv_commandline), err);
	if (!rc)
		rc = hv_compile_info(t, h->hv_compiler, sizeof(h->hv_compiler), h->hv_date, sizeof(h->hv_date), err);
	if (!rc)
		rc = hv_virt_start(t, &h->virt_start, err);
	if (!rc)
		rc = hv_page_size(t, &h->page_size, err);
	snprintf(h->hv_version, sizeof(h->hv_version), "%u.%u%.40s", h->hv_major, h->hv_minor, h->hv_extra);
	return rc;
}

static int fill_resources(struct transport *t, struct pvctl_host_info *h, struct pvctl_error *err)
{
	struct xen_sysctl_physinfo p;
	uint32_t n, sched;
	int rc;

	rc = hv_physinfo(t, &p, err);
	if (!rc)
		rc = hv_sched_id(t, &sched, err);
	if (!rc)
		rc = hv_cpu_idle(t, h->free_cpu_ns, sizeof(h->free_cpu_ns) / sizeof(h->free_cpu_ns[0]), &n, err);
	if (rc)
		return rc;
	h->cpus = p.nr_cpus;
	h->max_cpu_id = p.max_cpu_id;
	h->nodes = p.nr_nodes;
	h->cores_per_socket = p.cores_per_socket;
	h->threads_per_core = p.threads_per_core;
	h->cpu_khz = p.cpu_khz;
	h->total_bytes = p.total_pages << PAGE_SHIFT;
	h->free_bytes = p.free_pages << PAGE_SHIFT;
	h->outstanding_bytes = p.outstanding_pages << PAGE_SHIFT;
	h->virt_caps = PVCTL_VIRT_PV | (p.capabilities & XEN_SYSCTL_PHYSCAP_hvm ? PVCTL_VIRT_HVM : 0) |
	               (p.capabilities & XEN_SYSCTL_PHYSCAP_hap ? PVCTL_VIRT_HAP : 0);
	h->scrub_bytes = p.scrub_pages << PAGE_SHIFT;
	memcpy(h->hw_cap, p.hw_cap, sizeof(h->hw_cap));
	snprintf(h->scheduler, sizeof(h->scheduler), "%s", scheduler_name(sched));
	return 0;
}

/* Its limit is the target of the last mem-set, so what is above was asked back already. */
static int fill_reclaimable(struct pvctl *ctx, struct pvctl_host_info *h, struct pvctl_error *err)
{
	const struct pvctl_domain_info *d;
	struct pvctl_domain_list *list;
	int rc = pvctl_domain_list(ctx, &list, err);

	if (rc)
		return rc;
	h->reclaimable_bytes = h->scrub_bytes;
	for (size_t i = 0; (d = pvctl_domain_list_at(list, i)); i++)
		if (d->domid && d->memory_bytes > d->max_memory_bytes)
			h->reclaimable_bytes += d->memory_bytes - d->max_memory_bytes;
	pvctl_domain_list_free(list);
	return 0;
}

int pvctl_host_get(struct pvctl *ctx, struct pvctl_host_info *ret, struct pvctl_error *err)
{
	struct pvctl_host_info h;
	int rc;

	memset(&h, 0, sizeof(h));
	rc = grow_check(ret, err);
	if (!rc)
		rc = fill_version(ctx->t, &h, err);
	if (!rc)
		rc = fill_resources(ctx->t, &h, err);
	if (!rc)
		rc = fill_reclaimable(ctx, &h, err);
	if (!rc)
		grow_out(ret, &h, sizeof(h));
	return rc;
}

int pvctl_host_dmesg(struct pvctl *ctx, int do_clear, char **ret_text, struct pvctl_error *err)
{
	CLEANUP_BUF struct buf b = { .limit = DMESG_MAX };
	bool last = false;
	uint32_t index = 0;
	int got;

	/* When the log is to be cleared, one more read does so and gives what came meanwhile. */
	do {
		if (buf_reserve(&b, DMESG_STEP + 1))
			return err_nomem(err);
		got = hv_console_read(ctx->t, last, &index, (char *)b.data + b.len, DMESG_STEP, err);
		if (got < 0)
			return got;
		b.len += (size_t)got;
		if (got == (int)DMESG_STEP)
			continue;
		if (!do_clear || last)
			break;
		last = true;
	} while (true);
	b.data[b.len] = '\0';
	*ret_text = (char *)TAKE_PTR(b.data);
	return 0;
}
