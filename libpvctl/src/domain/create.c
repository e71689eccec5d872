/* SPDX-License-Identifier: MIT */
#include "build/build.h"
#include "device/disk.h"
#include "device/lists.h"
#include "device/vif.h"
#include "domain/private.h"
#include "store/client.h"
#include "util/cleanup.h"
#include "util/err.h"
#include <stdio.h>
#include <string.h>
#include <time.h>

#define DEFAULT_EVENT_CHANNELS 1023
#define DEFAULT_WEIGHT 256

int create_domain(struct pvctl *ctx, const struct create_plan *p, uint32_t *ret_domid, struct pvctl_error *err)
{
	const struct pvctl_config *c = p->config;
	struct xen_domctl_createdomain d = {
		.max_vcpus = p->maxvcpus,
		.max_evtchn_port = (uint32_t)config_int_or(c, "max_event_channels", DEFAULT_EVENT_CHANNELS),
		.max_grant_frames = (int32_t)config_int_or(c, "max_grant_frames", -1),
		.max_maptrack_frames = (int32_t)config_int_or(c, "max_maptrack_frames", -1),
		.grant_opts = XEN_DOMCTL_GRANT_version((uint32_t)config_int_or(c, "max_grant_version", 2)),
	};

	if (p->pvh) {
		d.flags = XEN_DOMCTL_CDF_hvm | XEN_DOMCTL_CDF_hap;
		d.arch.emulation_flags = XEN_X86_EMU_LAPIC;
	}
	memcpy(d.handle, p->uuid, sizeof(d.handle));
	return hv_domain_create(ctx->t, &d, p->domid, ret_domid, err);
}

static int place_vcpus(struct pvctl *ctx, uint32_t domid, const struct create_plan *p, struct pvctl_error *err)
{
	bool sched = config_value(p->config, "cpu_weight") || config_value(p->config, "cap");
	uint32_t sched_id;
	uint64_t hard, soft;
	unsigned int v;
	int rc = 0;

	for (v = 0; v < p->maxvcpus && !rc; v++) {
		hard = config_affinity(p->config, "cpus", v);
		soft = config_affinity(p->config, "cpus_soft", v);
		if (hard != ~0ull || soft != ~0ull)
			rc = hv_vcpu_set_affinity(ctx->t, domid, v, hard != ~0ull ? &hard : NULL,
			                          soft != ~0ull ? &soft : NULL, err);
	}
	if (rc || !sched)
		return rc;
	rc = hv_sched_id(ctx->t, &sched_id, err);
	if (!rc)
		rc = hv_domain_sched_set(ctx->t, domid, sched_id,
		                         (uint16_t)config_int_or(p->config, "cpu_weight", DEFAULT_WEIGHT),
		                         (uint16_t)config_int_or(p->config, "cap", 0), err);
	return rc;
}

/* So that two creators cannot both start on memory that is enough for one. 0 pages: it has them all. */
static int claim(struct pvctl *ctx, uint32_t domid, uint64_t pages, struct pvctl_error *err)
{
	int rc = hv_claim(ctx->t, domid, pages, err);

	return rc == -ENOSYS ? 0 : rc;
}

int create_end_claim(struct pvctl *ctx, uint32_t domid, struct pvctl_error *err)
{
	return claim(ctx, domid, 0, err);
}

/* So many seconds ahead of UTC. */
static int set_clock(struct pvctl *ctx, uint32_t domid, const struct pvctl_config *c, struct pvctl_error *err)
{
	int64_t offset = config_int_or(c, "rtc_timeoffset", 0);
	time_t now = time(NULL);
	struct tm tm;

	if (config_int_or(c, "localtime", 0) && localtime_r(&now, &tm))
		offset += tm.tm_gmtoff;
	return offset ? hv_domain_time_offset(ctx->t, domid, offset, err) : 0;
}

int create_set_limits(struct pvctl *ctx, uint32_t domid, const struct create_plan *p, struct pvctl_error *err)
{
	int rc;

	rc = hv_domain_max_vcpus(ctx->t, domid, p->maxvcpus, err);
	if (!rc)
		rc = hv_domain_max_mem(ctx->t, domid, p->memory_mib << 10, err);
	/* The guest makes room for maxmem at boot, but has it only when it is given it. */
	if (!rc && !p->pvh)
		rc = hv_memory_map(ctx->t, domid, p->maxmem_mib << 20, err);
	if (!rc)
		rc = place_vcpus(ctx, domid, p, err);
	if (!rc)
		rc = set_clock(ctx, domid, p->config, err);
	if (!rc)
		rc = features_set(ctx, domid, p->config, err);
	if (!rc)
		rc = memory_check_host(ctx, domid, p->memory_mib << 20, err);
	if (rc)
		return rc;
	return claim(ctx, domid, p->nr_pages, err);
}

static int make_ports(struct pvctl *ctx, uint32_t domid, struct build_in *in, struct pvctl_error *err)
{
	struct xen_domctl_getdomaininfo info;
	int rc;

	rc = hv_evtchn_alloc_unbound(ctx->t, domid, 0, &in->store_port, err);
	if (!rc)
		rc = hv_evtchn_alloc_unbound(ctx->t, domid, 0, &in->console_port, err);
	if (!rc)
		rc = hv_domain_info(ctx->t, domid, &info, err);
	if (!rc)
		in->shared_info_mfn = info.shared_info_frame;
	return rc;
}

static const char *const named_keys[] = PROTO_ALLOW_KEYS;
#define NR_NAMED_KEYS (sizeof(named_keys) / sizeof(named_keys[0]))

/* One value, or a list. */
static int each_value(const struct pvctl_config *config, const char *key, const char *as, struct pvctl *ctx, struct pvctl_error *err)
{
	const char *value = pvctl_config_get_str(config, key);
	int rc = value ? transport_allow(ctx->t, as, value, err) : 0;

	for (size_t i = 0; !rc && (value = pvctl_config_get_item(config, key, i)); i++)
		rc = transport_allow(ctx->t, as, value, err);
	return rc;
}

/* What a restart will open: it is built by the daemon's wish, from what the daemon has as its configuration. */
static int allow(struct pvctl *ctx, const struct pvctl_config *config, struct pvctl_error *err)
{
	int rc = 0;

	for (unsigned int i = 0; i < NR_NAMED_KEYS && !rc; i++)
		rc = each_value(config, named_keys[i], named_keys[i], ctx, err);
	return rc;
}

int create_was_named(struct pvctl *ctx, const struct pvctl_config *config, struct pvctl_error *err)
{
	static const char *const devices[] = { "disk", "vif", "p9", "channel" };
	char as[32];
	int rc = 0;

	for (unsigned int i = 0; i < 4 + NR_NAMED_KEYS && !rc; i++) {
		const char *key = i < 4 ? devices[i] : named_keys[i - 4];

		snprintf(as, sizeof(as), PROTO_ALLOW_ASK "%s", key);
		rc = each_value(config, key, as, ctx, err);
	}
	return rc == -ENOENT ? err_wrap(err, -EPERM, "the daemon's configuration of it is not believed: nobody has named that") : rc;
}

/* From here on the daemon answers for the domain. It runs, unless it is to stay paused. */
int create_commit(struct pvctl *ctx, uint32_t domid, const struct create_plan *p, bool paused, struct pvctl_error *err)
{
	CLEANUP_BUF struct buf body = { 0 };
	CLEANUP_FREE char *json = NULL;
	struct proto_commit c = { .domid = domid, .flags = paused ? 0 : PROTO_COMMIT_UNPAUSE };
	struct timespec now;
	int rc;

	rc = allow(ctx, p->config, err);
	rc = rc ? rc : pvctl_config_to_json(p->config, &json, err);
	if (rc)
		return rc;
	clock_gettime(CLOCK_REALTIME, &now);
	c.created_unix_ns = (uint64_t)now.tv_sec * 1000000000ull + (uint64_t)now.tv_nsec;
	snprintf(c.name, sizeof(c.name), "%s", p->name);
	memcpy(c.uuid, p->uuid, sizeof(c.uuid));
	if (buf_add(&body, &c, sizeof(c)) || buf_add(&body, json, strlen(json)))
		return err_nomem(err);
	return ctx_request(ctx, PROTO_COMMIT, body.data, body.len, err);
}

static int set_quotas(struct pvctl *ctx, uint32_t domid, const struct pvctl_config *c, struct pvctl_error *err)
{
	const char *text;
	char name[24];
	uint32_t value;
	int rc = 0;

	for (size_t i = 0; !rc && (text = pvctl_config_get_item(c, "xenstore_quota", i)); i++)
		rc = quota_split(text, name, &value) ? 0 : pvctl_store_quota_set(ctx, domid, name, value, err);
	return rc ? err_wrap(err, rc, "xenstore_quota") : 0;
}

int create_devices(struct pvctl *ctx, uint32_t domid, const struct create_plan *p, struct pvctl_error *err)
{
	int rc = set_quotas(ctx, domid, p->config, err);

	if (!rc)
		rc = disk_attach_all(ctx, domid, p->config, err);
	if (!rc)
		rc = device_list_attach(&p9_list, ctx, domid, p->config, err);
	if (!rc)
		rc = device_list_attach(&channel_list, ctx, domid, p->config, err);
	return rc ? rc : vif_attach_all(ctx, domid, p->config, err);
}

static int fill_domain(struct pvctl *ctx, uint32_t domid, const struct create_plan *p, bool paused, struct pvctl_error *err)
{
	struct build_in in = {
		.kernel = &p->kernel, .ramdisk_fd = p->ramdisk_fd, .ramdisk_bytes = p->ramdisk_bytes,
		.cmdline = p->cmdline, .nr_pages = p->nr_pages, .max_vcpus = p->maxvcpus, .progress = ctx_progress, .progress_data = ctx,
	};
	struct proto_introduce intro = { .domid = domid };
	struct build_out built;
	int rc;

	rc = create_set_limits(ctx, domid, p, err);
	if (!rc)
		rc = make_ports(ctx, domid, &in, err);
	if (!rc)
		rc = (p->pvh ? build_pvh_domain : build_domain)(ctx->t, domid, &in, &built, err);
	if (!rc)
		rc = claim(ctx, domid, 0, err);
	if (!rc)
		rc = nodes_make(ctx, domid, p, err);
	if (!rc)
		rc = nodes_rings(ctx, domid, built.store_gfn, in.store_port, built.console_gfn, in.console_port, err);
	if (rc)
		return rc;
	intro.store_port = in.store_port;
	intro.console_port = in.console_port;
	intro.store_gfn = built.store_gfn;
	intro.console_gfn = built.console_gfn;
	rc = ctx_request(ctx, PROTO_INTRODUCE, &intro, sizeof(intro), err);
	if (!rc)
		rc = create_devices(ctx, domid, p, err);
	return rc ? rc : create_commit(ctx, domid, p, paused, err);
}

/* The daemon removes what /local/domain/N/vm points to; had that write failed, the others would be left behind. */
void create_undo(struct pvctl *ctx, uint32_t domid, const struct create_plan *p, int why_rc)
{
	struct pvctl_error why;
	char vm[48];

	if (domain_remove(ctx, domid, &why))
		log_msg(&ctx->log, LOG_ERROR, "domain %u could not be removed again: %s", domid, why.msg);
	/* Somebody was faster with the same name or UUID: then it is his. */
	if (why_rc == -EEXIST)
		return;
	snprintf(vm, sizeof(vm), "/vm/%s", p->uuid_text);
	if (store_client_rm(ctx->t, vm, &why))
		log_msg(&ctx->log, LOG_DEBUG, "%s", why.msg);
}

int pvctl_domain_create(struct pvctl *ctx, const struct pvctl_config *config, const struct pvctl_create_opts *opts,
                        uint32_t *ret_domid, struct pvctl_error *err)
{
	struct pvctl_create_opts o;
	struct create_plan p;
	uint32_t domid;
	int rc;

	rc = opts_load(&o, sizeof(o), opts, err);
	if (!rc)
		rc = plan_make(ctx, &ctx->log, config, o.boot_entry, &p, err);
	if (rc)
		return rc;
	rc = create_domain(ctx, &p, &domid, err);
	if (rc) {
		plan_free(&p);
		return rc;
	}
	rc = fill_domain(ctx, domid, &p, o.paused, err);
	if (rc)
		create_undo(ctx, domid, &p, rc);
	plan_free(&p);
	if (rc)
		return rc;
	*ret_domid = domid;
	return 0;
}
