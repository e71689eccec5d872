/* SPDX-License-Identifier: MIT */
/* Everything about a new domain that can be known before anything is done. */
#include "build/build.h"
#include "device/disk.h"
#include "device/lists.h"
#include "device/vif.h"
#include "domain/plan_boot.h"
#include "domain/private.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/fd.h"
#include "util/paths.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uuid/uuid.h>

#define RAMDISK_MAX (4ull << 30)
/* What the hypervisor takes for itself: vCPUs with their stacks and root tables, grant and event tables. */
#define OVERHEAD_PAGES 64u
#define OVERHEAD_VCPU_PAGES 16u

void plan_free(struct create_plan *p)
{
	pvctl_config_free(p->config);
	kernel_close(&p->kernel);
	if (p->ramdisk_fd >= 0)
		close(p->ramdisk_fd);
	free(p->cmdline);
	memset(p, 0, sizeof(*p));
	p->ramdisk_fd = -1;
}

static int missing(const char *key, struct pvctl_error *err)
{
	return err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "%s is not set", key);
}

static int plan_sizes(struct create_plan *p, struct pvctl_error *err)
{
	const struct pvctl_config *c = p->config;
	const char *boot = pvctl_config_get_str(c, "bootloader");
	int64_t memory = config_int_or(c, "memory", 0);

	p->name = pvctl_config_get_str(c, "name");
	if (!p->name)
		return missing("name", err);
	if (!memory)
		return missing("memory", err);
	if (p->images && !pvctl_config_get_str(c, "kernel") && !pvctl_config_get_str(c, "firmware") && (!boot || !boot[0]))
		return missing("kernel", err);
	p->memory_mib = (uint64_t)memory;
	p->maxmem_mib = (uint64_t)config_int_or(c, "maxmem", memory);
	if (p->maxmem_mib < p->memory_mib)
		return err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "maxmem=%llu is less than memory=%llu",
		               (unsigned long long)p->maxmem_mib, (unsigned long long)p->memory_mib);
	p->nr_pages = p->memory_mib << (20 - PAGE_SHIFT);
	/* As with xl, maxvcpus alone means that all of them start. */
	p->maxvcpus = (uint32_t)config_int_or(c, "maxvcpus", config_int_or(c, "vcpus", 1));
	p->vcpus = (uint32_t)config_int_or(c, "vcpus", p->maxvcpus);
	if (p->maxvcpus < p->vcpus)
		return err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "maxvcpus=%u is less than vcpus=%u", p->maxvcpus, p->vcpus);
	return 0;
}

static int plan_uuid(struct create_plan *p, struct pvctl_error *err)
{
	const char *text = pvctl_config_get_str(p->config, "uuid");

	if (!text || uuid_parse(text, p->uuid) != 0)
		uuid_generate(p->uuid);
	uuid_unparse_lower(p->uuid, p->uuid_text);
	return pvctl_config_set_str(p->config, "uuid", p->uuid_text, err);
}

/* The daemon reads the files again when the domain restarts, from another directory than the caller's. */
static int plan_path(struct create_plan *p, const char *key, struct pvctl_error *err)
{
	const char *path = pvctl_config_get_str(p->config, key);
	CLEANUP_FREE char *full = NULL;
	char what[32];
	int rc;

	if (!path || path[0] == '/')
		return 0;
	snprintf(what, sizeof(what), "%s=", key);
	rc = paths_absolute(what, path, &full, err);
	return rc ? rc : pvctl_config_set_str(p->config, key, full, err);
}

/* From a file, named or that of the firmware, or from the guest's disk. */
static int plan_kernel(struct create_plan *p, const char *boot_entry, const struct log *log, struct pvctl_error *err)
{
	const char *kernel = pvctl_config_get_str(p->config, "kernel"), *boot = pvctl_config_get_str(p->config, "bootloader");
	char firmware[600];
	int rc;

	if (boot_entry && (kernel || !boot || !boot[0]))
		return err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "an entry of the boot menu was asked for, but the configuration has no bootloader");
	if (pvctl_config_get_str(p->config, "firmware")) {
		rc = firmware_path(p->config, firmware, sizeof(firmware), err);
		if (rc)
			return rc;
		kernel = firmware;
	}
	return kernel ? kernel_open(kernel, log, &p->kernel, err) : boot_plan(p, boot_entry, log, err);
}

static int plan_images(struct pvctl *ctx, const struct log *log, struct create_plan *p, const char *boot_entry, struct pvctl_error *err)
{
	const char *ramdisk = pvctl_config_get_str(p->config, "ramdisk");
	struct build_in in = { 0 };
	int rc;

	p->cmdline = config_cmdline(p->config);
	if (!p->cmdline)
		return err_nomem(err);
	rc = plan_kernel(p, boot_entry, log, err);
	if (!rc)
		rc = type_plan(ctx, p, err);
	if (!rc)
		rc = start_info_check_cmdline(p->cmdline, err);
	if (!rc && ramdisk)
		rc = fd_open_file("ramdisk", ramdisk, RAMDISK_MAX, &p->ramdisk_fd, &p->ramdisk_bytes, err);
	if (rc)
		return rc;
	in.kernel = &p->kernel;
	in.ramdisk_bytes = p->ramdisk_bytes;
	in.nr_pages = p->nr_pages;
	return p->pvh ? build_pvh_layout(&in, NULL, err) : build_layout(&in, NULL, err);
}

static int check_name_free(struct pvctl *ctx, const struct create_plan *p, struct pvctl_error *err)
{
	const struct proto_domain_row *row;
	struct rows rows;
	int rc = rows_get(ctx, &rows, err);

	if (rc)
		return rc;
	row = rows_by_name(&rows, p->name);
	if (row)
		rc = err_set(err, -EEXIST, PVCTL_ORIGIN_LIB, "name=\"%s\": domain %u has this name already", p->name, row->domid);
	rows_free(&rows);
	return rc;
}

/* A random one needs no look. */
static int check_uuid_free(struct pvctl *ctx, const struct create_plan *p, struct pvctl_error *err)
{
	const struct pvctl_domain_info *info;
	struct pvctl_domain_list *list;
	int rc = pvctl_domain_list(ctx, &list, err);
	size_t i;

	if (rc)
		return rc;
	for (i = 0; !rc && (info = pvctl_domain_list_at(list, i)); i++)
		if (memcmp(info->uuid, p->uuid, sizeof(p->uuid)) == 0 && info->state != PVCTL_STATE_DYING)
			rc = err_set(err, -EEXIST, PVCTL_ORIGIN_LIB, "uuid=\"%s\": domain %u has this UUID already",
			             p->uuid_text, info->domid);
	pvctl_domain_list_free(list);
	return rc;
}

static int check_node(struct pvctl *ctx, const struct create_plan *p, struct pvctl_error *err)
{
	uint64_t need = p->nr_pages + OVERHEAD_PAGES + OVERHEAD_VCPU_PAGES * p->maxvcpus, have, online;
	struct xen_sysctl_physinfo info;
	unsigned int v;
	int rc;

	rc = hv_physinfo(ctx->t, &info, err);
	if (rc)
		return rc;
	have = info.free_pages > info.outstanding_pages ? info.free_pages - info.outstanding_pages : 0;
	if (need > have)
		return err_set(err, -ENOMEM, PVCTL_ORIGIN_LIB, "memory=%llu: node \"%s\" has %llu MiB free of %llu MiB",
		               (unsigned long long)p->memory_mib, ctx->node, (unsigned long long)have >> 8,
		               (unsigned long long)info.total_pages >> 8);
	rc = memory_check_host(ctx, DOMID_INVALID, p->memory_mib << 20, err);
	if (rc)
		return err_wrap(err, rc, "memory=%llu", (unsigned long long)p->memory_mib);
	online = info.nr_cpus >= 64 ? ~0ull : (1ull << info.nr_cpus) - 1;
	for (v = 0; v < p->maxvcpus; v++)
		if (!(config_affinity(p->config, "cpus", v) & online) || !(config_affinity(p->config, "cpus_soft", v) & online))
			return err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "%s: vCPU %u gets none of the node's %u CPUs",
			               config_affinity(p->config, "cpus", v) & online ? "cpus_soft" : "cpus", v, info.nr_cpus);
	return 0;
}

static int plan_device(unsigned int which, struct pvctl *ctx, const struct log *log, struct pvctl_config *c, struct pvctl_error *err)
{
	switch (which) {
	case 0:
		return disk_plan(c, err);
	case 1:
		return device_list_plan(&p9_list, c, err);
	case 2:
		return device_list_plan(&channel_list, c, err);
	default:
		return vif_plan(ctx, log, c, err);
	}
}

/* Without a node it is a person who asks what a domain would need: the first that fails is the result, and the log has the others. */
static int plan_devices(struct pvctl *ctx, const struct log *log, struct pvctl_config *c, struct pvctl_error *err)
{
	int rc = 0;

	for (unsigned int i = 0; i < 4 && (!rc || (!ctx && log)); i++) {
		struct pvctl_error other = { 0 };
		int failed = plan_device(i, ctx, log, c, rc ? &other : err);

		if (rc && failed)
			log_msg(log, LOG_ERROR, "%s", other.msg);
		rc = rc ? rc : failed;
	}
	return rc;
}

static int plan(struct pvctl *ctx, const struct log *log, const struct pvctl_config *c, bool images, bool pvh, const char *boot_entry,
                struct create_plan *ret, struct pvctl_error *err)
{
	struct create_plan p;
	int rc;

	memset(&p, 0, sizeof(p));
	p.images = images;
	p.pvh = pvh;
	p.ramdisk_fd = -1;
	rc = config_copy(c, &p.config, err);
	if (!rc)
		rc = plan_sizes(&p, err);
	if (!rc)
		rc = plan_uuid(&p, err);
	if (!rc)
		rc = plan_path(&p, "kernel", err);
	if (!rc)
		rc = plan_path(&p, "ramdisk", err);
	if (!rc)
		rc = plan_devices(ctx, log, p.config, err);
	if (!rc && !images)
		rc = type_plan(ctx, &p, err);
	if (!rc && ctx)
		rc = check_name_free(ctx, &p, err);
	if (!rc && ctx && pvctl_config_get_str(c, "uuid"))
		rc = check_uuid_free(ctx, &p, err);
	if (!rc && images)
		rc = plan_images(ctx, log, &p, boot_entry, err);
	if (!rc && ctx)
		rc = check_node(ctx, &p, err);
	if (!rc && ctx)
		rc = features_check(ctx, p.config, err);
	if (rc)
		plan_free(&p);
	else
		*ret = p;
	return rc;
}

int plan_make(struct pvctl *ctx, const struct log *log, const struct pvctl_config *c, const char *boot_entry,
              struct create_plan *ret, struct pvctl_error *err)
{
	return plan(ctx, log, c, true, false, boot_entry, ret, err);
}

int plan_make_restored(struct pvctl *ctx, const struct pvctl_config *c, bool pvh, struct create_plan *ret, struct pvctl_error *err)
{
	return plan(ctx, &ctx->log, c, false, pvh, NULL, ret, err);
}

static int check(struct pvctl *ctx, const struct log *log, const struct pvctl_config *c, struct pvctl_error *err)
{
	struct create_plan p;
	int rc = plan_make(ctx, log, c, NULL, &p, err);

	if (!rc)
		plan_free(&p);
	return rc;
}

int pvctl_config_check(struct pvctl *ctx, const struct pvctl_config *c, struct pvctl_error *err)
{
	return check(ctx, ctx ? &ctx->log : NULL, c, err);
}

int pvctl_config_check_log(const struct pvctl_config *c, void (*log)(void *data, int level, const char *msg), void *data,
                           struct pvctl_error *err)
{
	const struct log l = { .fn = log, .data = data };

	return check(NULL, &l, c, err);
}
