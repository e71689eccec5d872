/* SPDX-License-Identifier: MIT */
#include "device/disk_spec.h"
#include "device/vif_spec.h"
#include "save/private.h"
#include "store/client.h"
#include "util/cleanup.h"
#include "util/err.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Where it is now in the store, as a number; -ENOENT. */
static int node_number(struct pvctl *ctx, uint32_t domid, const char *node, int64_t *ret)
{
	CLEANUP_FREE char *value = NULL;
	struct pvctl_error ignored;
	char path[96];
	size_t len;
	int rc;

	snprintf(path, sizeof(path), "/local/domain/%u/%s", domid, node);
	rc = store_client_read(ctx->t, path, &value, &len, &ignored);
	if (!rc)
		*ret = strtoll(value, NULL, 10);
	return rc;
}

static bool vcpu_is_on(struct pvctl *ctx, uint32_t domid, int64_t vcpu)
{
	CLEANUP_FREE char *value = NULL;
	struct pvctl_error ignored;
	char path[96];
	size_t len;

	snprintf(path, sizeof(path), "/local/domain/%u/cpu/%lld/availability", domid, (long long)vcpu);
	return store_client_read(ctx->t, path, &value, &len, &ignored) || strcmp(value, "offline") != 0;
}

static bool names_disk(const struct pvctl_config *c, uint32_t vdev)
{
	struct disk_spec spec;
	const char *text;

	for (size_t i = 0; (text = pvctl_config_get_item(c, "disk", i)); i++)
		if (!disk_spec_parse(text, &spec, NULL) && spec.vdev == vdev)
			return true;
	return false;
}

/* One of which only the number is said is the config's, too: its address is made of its name then. */
static bool names_vif(const struct pvctl_config *c, const struct pvctl_vif_info *vif)
{
	struct vif_spec spec;
	const char *text;

	for (size_t i = 0; (text = pvctl_config_get_item(c, "vif", i)); i++)
		if (!vif_spec_parse(text, &spec, NULL) && (spec.has_mac ? !memcmp(spec.mac, vif->mac, sizeof(spec.mac)) :
		                                           (spec.has_devid ? spec.devid : i) == vif->devid))
			return true;
	return false;
}

static int not_named(uint32_t domid, const char *key, const char *name, struct pvctl_error *err)
{
	return err_set(err, -EBUSY, PVCTL_ORIGIN_LIB,
	               "domain %u has %s %s, which its changed configuration (config-update) has not: its copy would miss it; after its next start, or without it (%s-detach), it is possible",
	               domid, key, name, strcmp(key, "disk") == 0 ? "block" : "network");
}

/* What was changed holds from its next start on. The guest, which goes on elsewhere, knows the devices of now. */
static int names_devices(struct pvctl *ctx, uint32_t domid, const struct pvctl_config *c, struct pvctl_error *err)
{
	struct pvctl_disk_list *disks;
	struct pvctl_vif_list *vifs;
	char number[12];
	int rc = pvctl_disk_list(ctx, domid, &disks, err);

	if (rc)
		return rc;
	for (size_t i = 0; i < pvctl_disk_list_count(disks) && !rc; i++)
		if (!names_disk(c, pvctl_disk_list_at(disks, i)->vdev))
			rc = not_named(domid, "disk", pvctl_disk_list_at(disks, i)->name, err);
	pvctl_disk_list_free(disks);
	rc = rc ? rc : pvctl_vif_list(ctx, domid, &vifs, err);
	if (rc)
		return rc;
	for (size_t i = 0; i < pvctl_vif_list_count(vifs) && !rc; i++) {
		const struct pvctl_vif_info *vif = pvctl_vif_list_at(vifs, i);

		snprintf(number, sizeof(number), "%u", vif->devid);
		if (!names_vif(c, vif))
			rc = not_named(domid, "vif", number, err);
	}
	pvctl_vif_list_free(vifs);
	return rc;
}

/* Memory and vCPUs as it has them now: balloons and hot-plug have been at work. */
static int set_now(struct pvctl *ctx, uint32_t domid, const struct xen_domctl_getdomaininfo *info, struct pvctl_config *c,
                   struct pvctl_error *err)
{
	int64_t memory = config_int_or(c, "memory", 0), maxmem = config_int_or(c, "maxmem", memory), kib, on = 0;
	int64_t has = (int64_t)((info->tot_pages + 255) >> 8), max = (int64_t)info->max_vcpu_id + 1;
	int rc;

	if (!node_number(ctx, domid, "memory/target", &kib) && kib > 0 && kib <= maxmem << 10)
		memory = (kib + 1023) >> 10;
	if (memory < has)
		memory = has;
	for (int64_t v = 0; v < max; v++)
		on += vcpu_is_on(ctx, domid, v);
	rc = pvctl_config_set_int(c, "memory", memory, err);
	rc = rc ? rc : pvctl_config_set_int(c, "maxmem", maxmem > memory ? maxmem : memory, err);
	rc = rc ? rc : pvctl_config_set_int(c, "maxvcpus", max, err);
	return rc ? rc : pvctl_config_set_int(c, "vcpus", on ? on : 1, err);
}

int save_config_now(struct pvctl *ctx, uint32_t domid, struct pvctl_config **ret, struct pvctl_error *err)
{
	struct xen_domctl_getdomaininfo info;
	struct pvctl_config *c;
	int rc = hv_domain_info(ctx->t, domid, &info, err);

	if (!rc && info.max_vcpu_id >= STREAM_MAX_VCPUS)
		rc = err_set(err, -ESRCH, PVCTL_ORIGIN_LIB, "domain %u is ending", domid);
	rc = rc ? rc : pvctl_domain_config(ctx, domid, &c, err);
	if (rc)
		return rc;
	rc = names_devices(ctx, domid, c, err);
	rc = rc ? rc : set_now(ctx, domid, &info, c, err);
	if (rc)
		pvctl_config_free(c);
	else
		*ret = c;
	return rc;
}
