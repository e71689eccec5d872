/* SPDX-License-Identifier: MIT */
/* type="pv", "pvh" or "auto": what a domain is started as. */
#include "domain/private.h"
#include "util/err.h"
#include <string.h>

int type_check(const char *key, const char *value, struct pvctl_error *err)
{
	if (strcmp(value, "pv") == 0 || strcmp(value, "pvh") == 0 || strcmp(value, "auto") == 0)
		return 0;
	if (strcmp(value, "hvm") == 0)
		return err_set(err, -ENOSYS, PVCTL_ORIGIN_LIB, "%s=\"hvm\" is not supported: there are no emulated devices and no firmware; "
		               "\"pvh\" starts a kernel of its own page tables, \"pv\" one for Xen", key);
	return err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "%s=\"%.60s\": must be pv, pvh or auto", key, value);
}

static int node_can(struct pvctl *ctx, struct pvctl_error *err)
{
	const uint32_t need = XEN_SYSCTL_PHYSCAP_hvm | XEN_SYSCTL_PHYSCAP_hap;
	struct xen_sysctl_physinfo info;
	int rc = hv_physinfo(ctx->t, &info, err);

	if (!rc && (info.capabilities & need) != need)
		rc = err_set(err, -ENOSYS, PVCTL_ORIGIN_LIB, "type=\"pvh\": node \"%s\" cannot run PVH domains: its CPUs do not offer SVM with nested "
		             "paging, or its hypervisor does not use it (pvctl info, virt_caps); \"pv\" runs everywhere", ctx->node);
	return rc;
}

/* What a PV domain may have, and a PVH one not yet. */
static int config_can(const struct create_plan *p, struct pvctl_error *err)
{
	if (p->maxmem_mib > p->memory_mib)
		return err_set(err, -ENOSYS, PVCTL_ORIGIN_LIB, "type=\"pvh\": such a domain has all of its memory at the start: maxmem=%llu must "
		               "not be more than memory=%llu", (unsigned long long)p->maxmem_mib, (unsigned long long)p->memory_mib);
	if (pvctl_config_get_str(p->config, "cpuid") || pvctl_config_get_item(p->config, "cpuid", 0))
		return err_set(err, -ENOSYS, PVCTL_ORIGIN_LIB, "type=\"pvh\": cpuid is not supported there yet");
	return 0;
}

static int kernel_can(const struct create_plan *p, struct pvctl_error *err)
{
	const char *name = pvctl_config_get_str(p->config, "kernel");
	int rc = elf_check_pvh(&p->kernel.elf, err);

	return rc && name ? err_wrap(err, rc, "kernel %s", name) : rc;
}

static int can_be_pvh(struct pvctl *ctx, const struct create_plan *p, struct pvctl_error *err)
{
	int rc = config_can(p, err);

	if (!rc && ctx)
		rc = node_can(ctx, err);
	return rc ? rc : kernel_can(p, err);
}

/* What it is the stream says. */
static int type_restored(struct pvctl *ctx, const struct create_plan *p, bool forced, bool automatic, struct pvctl_error *err)
{
	if (p->pvh ? forced || automatic : !forced)
		return p->pvh && ctx ? node_can(ctx, err) : 0;
	return err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "the saved domain is a %s one, its configuration says type=\"%s\"",
	               p->pvh ? "PVH" : "PV", forced ? "pvh" : "pv");
}

int type_plan(struct pvctl *ctx, struct create_plan *p, struct pvctl_error *err)
{
	const char *type = pvctl_config_get_str(p->config, "type"), *name = pvctl_config_get_str(p->config, "kernel");
	bool forced = type && strcmp(type, "pvh") == 0, automatic = type && strcmp(type, "auto") == 0;
	int rc;

	if (!p->images)
		return type_restored(ctx, p, forced, automatic, err);
	if (forced || automatic) {
		rc = can_be_pvh(ctx, p, forced ? err : NULL);
		p->pvh = rc == 0;
		if (forced || !rc)
			return rc;
	}
	rc = elf_check_pv(&p->kernel.elf, err);
	return rc && name ? err_wrap(err, rc, "kernel %s", name) : rc;
}

int refuse_pvh(struct pvctl *ctx, uint32_t domid, const char *what, struct pvctl_error *err)
{
	struct xen_domctl_getdomaininfo info;
	int rc = hv_domain_info(ctx->t, domid, &info, err);

	if (!rc && info.flags & XEN_DOMINF_hvm_guest)
		rc = err_set(err, -ENOSYS, PVCTL_ORIGIN_LIB, "%s: domain %u is a PVH domain, which cannot do that yet; type=\"pv\" can", what, domid);
	return rc;
}
