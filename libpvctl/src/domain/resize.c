/* SPDX-License-Identifier: MIT */
/* What a running domain has: memory, vCPUs, where and how much these run. The guest is asked through the store. */
#include "build/layout.h"
#include "domain/private.h"
#include "store/client.h"
#include "util/cleanup.h"
#include "util/err.h"
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MIN_MEMORY_BYTES (1ull << 20)
#define MAX_MEMORY_BYTES (1ull << 50)
#define WAIT_STEP_NS 50000000
#define DEBUG_KEYS_MAX 64u
#define WEIGHT_MAX 65535

/* What can be changed is there, alive and not the host. */
static int open_domain(struct pvctl *ctx, uint32_t domid, struct xen_domctl_getdomaininfo *ret, struct pvctl_error *err)
{
	int rc = refuse_host(domid, "changed", err);

	if (!rc)
		rc = hv_domain_info(ctx->t, domid, ret, err);
	if (!rc && ret->flags & (XEN_DOMINF_shutdown | XEN_DOMINF_dying))
		rc = err_set(err, -ESRCH, PVCTL_ORIGIN_LIB, "domain %u has shut down", domid);
	return rc;
}

static int read_kib(struct pvctl *ctx, uint32_t domid, const char *node, uint64_t *ret, struct pvctl_error *err)
{
	CLEANUP_FREE char *value = NULL;
	char path[64], *end;
	size_t len;
	int rc;

	snprintf(path, sizeof(path), "/local/domain/%u/memory/%s", domid, node);
	rc = store_client_read(ctx->t, path, &value, &len, err);
	if (rc)
		return rc;
	errno = 0;
	*ret = strtoull(value, &end, 10);
	if (errno || !isdigit((unsigned char)value[0]) || *end || *ret > MAX_MEMORY_BYTES >> 10)
		return err_set(err, -EPROTO, PVCTL_ORIGIN_STORE, "%s: \"%.40s\" is no size", path, value);
	return 0;
}

static int check_size(uint64_t bytes, struct pvctl_error *err)
{
	if (bytes < MIN_MEMORY_BYTES)
		return err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "%llu bytes: a domain has at least 1 MiB",
		               (unsigned long long)bytes);
	if (bytes > MAX_MEMORY_BYTES)
		return err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "%llu MiB are too much", (unsigned long long)bytes >> 20);
	return 0;
}

int memory_check_host(struct pvctl *ctx, uint32_t domid, uint64_t bytes, struct pvctl_error *err)
{
	struct proto_memory_check c = { .domid = domid, .bytes = bytes };

	return ctx_request(ctx, PROTO_MEMORY_CHECK, &c, sizeof(c), err);
}

/* Growing is a promise: the node must have the memory now. */
static int check_free(struct pvctl *ctx, const struct xen_domctl_getdomaininfo *d, uint64_t bytes, struct pvctl_error *err)
{
	uint64_t want = bytes >> PAGE_SHIFT, have, claimed;
	struct xen_sysctl_physinfo info;
	int rc;

	if (want <= d->tot_pages)
		return 0;
	rc = hv_physinfo(ctx->t, &info, err);
	if (rc)
		return rc;
	claimed = info.outstanding_pages > d->outstanding_pages ? info.outstanding_pages - d->outstanding_pages : 0;
	have = info.free_pages > claimed ? info.free_pages - claimed : 0;
	if (want - d->tot_pages > have)
		return err_set(err, -ENOMEM, PVCTL_ORIGIN_LIB, "%llu MiB more: node \"%s\" has %llu MiB free",
		               (unsigned long long)((want - d->tot_pages) >> 8), ctx->node, (unsigned long long)have >> 8);
	return 0;
}

static void set_back(struct pvctl *ctx, const struct xen_domctl_getdomaininfo *d)
{
	if (hv_domain_max_mem(ctx->t, d->domain, d->max_pages << (PAGE_SHIFT - 10), NULL))
		log_msg(&ctx->log, LOG_ERROR, "domain %u: its memory limit could not be set back", d->domain);
}

/* The limit first: a guest told to grow must not run into the old one. One above its new limit just does not grow. */
static int set_limit(struct pvctl *ctx, const struct xen_domctl_getdomaininfo *d, uint64_t bytes, struct pvctl_error *err)
{
	int rc = hv_domain_max_mem(ctx->t, d->domain, bytes >> 10, err);

	if (!rc && bytes >> PAGE_SHIFT > d->max_pages) {
		rc = memory_check_host(ctx, d->domain, bytes, err);
		if (rc)
			set_back(ctx, d);
	}
	return rc;
}

/*
 * What a guest was told that it may take is kept for it until it has taken it:
 * another domain that is made or grows meanwhile would leave it half way.
 */
static int set_claim(struct pvctl *ctx, const struct xen_domctl_getdomaininfo *d, uint64_t pages, struct pvctl_error *err)
{
	int rc = d->outstanding_pages ? hv_claim(ctx->t, d->domain, 0, err) : 0;

	if (rc || pages <= d->tot_pages)
		return rc;
	rc = hv_claim(ctx->t, d->domain, pages, err);
	/* EINVAL: it has them by now. */
	return rc == -EINVAL || rc == -ENOSYS ? 0 : rc;
}

int pvctl_domain_set_memory_target(struct pvctl *ctx, uint32_t domid, uint64_t bytes, struct pvctl_error *err)
{
	struct xen_domctl_getdomaininfo d;
	char path[64], value[24];
	uint64_t max_kib;
	int rc;

	rc = check_size(bytes, err);
	if (!rc)
		rc = open_domain(ctx, domid, &d, err);
	if (!rc)
		rc = read_kib(ctx, domid, "static-max", &max_kib, err);
	if (!rc && bytes >> 10 > max_kib)
		rc = err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "%llu MiB is more than the domain's maxmem of %llu MiB",
		             (unsigned long long)(bytes + (1 << 20) - 1) >> 20, (unsigned long long)max_kib >> 10);
	if (!rc)
		rc = check_free(ctx, &d, bytes, err);
	if (!rc)
		rc = set_limit(ctx, &d, bytes, err);
	if (rc)
		return rc;
	rc = set_claim(ctx, &d, bytes >> PAGE_SHIFT, err);
	snprintf(path, sizeof(path), "/local/domain/%u/memory/target", domid);
	snprintf(value, sizeof(value), "%llu", (unsigned long long)bytes >> 10);
	if (!rc)
		rc = store_client_write(ctx->t, path, value, strlen(value), err);
	if (rc) {
		set_back(ctx, &d);
		(void)hv_claim(ctx->t, domid, 0, NULL);
	}
	return rc;
}

static int not_there(const struct xen_domctl_getdomaininfo *d, uint64_t bytes, struct pvctl_error *err)
{
	unsigned long long holds = (d->tot_pages << PAGE_SHIFT) >> 20, target = bytes >> 20;

	return err_set(err, -ETIMEDOUT, PVCTL_ORIGIN_LIB, "the domain holds %llu MiB, its target is %llu MiB%s", holds, target,
	               d->flags & XEN_DOMINF_paused ? ": it is paused" :
	               ": its kernel has no balloon driver, is busy, or cannot spare or does not get the memory");
}

int pvctl_domain_wait_memory(struct pvctl *ctx, uint32_t domid, uint64_t bytes, uint32_t timeout_ms, struct pvctl_error *err)
{
	uint64_t end = ctx_now_ns() + timeout_ms * 1000000ull, want = bytes >> PAGE_SHIFT, apart;
	const struct timespec step = { .tv_nsec = WAIT_STEP_NS };
	struct xen_domctl_getdomaininfo d;
	int rc;

	for (;;) {
		rc = open_domain(ctx, domid, &d, err);
		if (rc)
			return rc;
		apart = d.tot_pages > want ? d.tot_pages - want : want - d.tot_pages;
		if (apart << PAGE_SHIFT < 1 << 20)
			return 0;
		if (ctx_now_ns() >= end)
			return not_there(&d, bytes, err);
		(void)nanosleep(&step, NULL);
	}
}

int pvctl_domain_set_memory_max(struct pvctl *ctx, uint32_t domid, uint64_t bytes, struct pvctl_error *err)
{
	struct xen_domctl_getdomaininfo d;
	uint64_t target_kib;
	int rc;

	rc = check_size(bytes, err);
	if (!rc)
		rc = open_domain(ctx, domid, &d, err);
	if (!rc)
		rc = read_kib(ctx, domid, "target", &target_kib, err);
	if (!rc && bytes >> 10 < target_kib)
		rc = err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "%llu MiB is less than the domain's memory target of %llu MiB",
		             (unsigned long long)bytes >> 20, (unsigned long long)target_kib >> 10);
	return rc ? rc : set_limit(ctx, &d, bytes, err);
}

int pvctl_domain_set_vcpus(struct pvctl *ctx, uint32_t domid, uint32_t count, struct pvctl_error *err)
{
	struct xen_domctl_getdomaininfo d;
	struct store_batch b;
	const char *word;
	uint32_t i, max;
	char path[64];
	int rc;

	rc = open_domain(ctx, domid, &d, err);
	if (rc)
		return rc;
	max = d.max_vcpu_id == XEN_INVALID_MAX_VCPU_ID ? 0 : d.max_vcpu_id + 1;
	if (count < 1 || count > max)
		return err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "%u vCPUs: domain %u has 1 to %u", count, domid, max);
	store_batch_init(&b, ctx->t, err);
	for (i = 0; i < max; i++) {
		snprintf(path, sizeof(path), "/local/domain/%u/cpu/%u/availability", domid, i);
		word = i < count ? "online" : "offline";
		store_batch_write(&b, path, word, strlen(word));
	}
	return store_batch_end(&b);
}

int pvctl_cpus_parse(const char *text, uint64_t *ret_mask, struct pvctl_error *err)
{
	return cpulist_parse(text, ret_mask, err);
}

int pvctl_vcpu_set_affinity(struct pvctl *ctx, uint32_t domid, uint32_t vcpu, const uint64_t *hard,
                            const uint64_t *soft, struct pvctl_error *err)
{
	struct xen_domctl_getdomaininfo d;
	struct xen_sysctl_physinfo phys;
	uint64_t online;
	int rc;

	if (!hard && !soft)
		return err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "neither a hard nor a soft affinity is given");
	rc = open_domain(ctx, domid, &d, err);
	if (!rc)
		rc = hv_physinfo(ctx->t, &phys, err);
	if (rc)
		return rc;
	if (d.max_vcpu_id == XEN_INVALID_MAX_VCPU_ID || vcpu > d.max_vcpu_id)
		return err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "domain %u has no vCPU %u", domid, vcpu);
	online = phys.nr_cpus >= 64 ? ~0ull : (1ull << phys.nr_cpus) - 1;
	if ((hard && !(*hard & online)) || (soft && !(*soft & online)))
		return err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "vCPU %u would get none of the node's %u CPUs", vcpu, phys.nr_cpus);
	return hv_vcpu_set_affinity(ctx->t, domid, vcpu, hard, soft, err);
}

int pvctl_domain_get_sched(struct pvctl *ctx, uint32_t domid, uint32_t *ret_weight, uint32_t *ret_cap_percent,
                           struct pvctl_error *err)
{
	uint16_t weight, cap;
	uint32_t id;
	int rc;

	rc = refuse_host(domid, "asked for its weight", err);
	if (!rc)
		rc = hv_sched_id(ctx->t, &id, err);
	if (!rc)
		rc = hv_domain_sched_get(ctx->t, domid, id, &weight, &cap, err);
	if (rc)
		return rc;
	*ret_weight = weight;
	*ret_cap_percent = cap;
	return 0;
}

int pvctl_domain_set_sched(struct pvctl *ctx, uint32_t domid, int32_t weight, int32_t cap_percent,
                           struct pvctl_error *err)
{
	struct xen_domctl_getdomaininfo d;
	uint32_t id, vcpus;
	int rc;

	if (weight != -1 && (weight < 1 || weight > WEIGHT_MAX))
		return err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "a weight of %d: must be 1 to %d", weight, WEIGHT_MAX);
	rc = open_domain(ctx, domid, &d, err);
	if (rc)
		return rc;
	vcpus = d.max_vcpu_id == XEN_INVALID_MAX_VCPU_ID ? 0 : d.max_vcpu_id + 1;
	if (cap_percent < -1 || cap_percent > (int64_t)vcpus * 100)
		return err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "a cap of %d: must be 0 (none) to %u, 100 for each vCPU",
		               cap_percent, vcpus * 100);
	rc = hv_sched_id(ctx->t, &id, err);
	/* The hypervisor's words for "as it is". */
	return rc ? rc : hv_domain_sched_set(ctx->t, domid, id, weight == -1 ? 0 : (uint16_t)weight,
	                                     cap_percent == -1 ? UINT16_MAX : (uint16_t)cap_percent, err);
}

int pvctl_domain_sysrq(struct pvctl *ctx, uint32_t domid, char letter, struct pvctl_error *err)
{
	struct xen_domctl_getdomaininfo d;
	char path[64];
	int rc;

	if (letter <= ' ' || letter > '~')
		return err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "a SysRq is one letter or digit");
	rc = open_domain(ctx, domid, &d, err);
	if (rc)
		return rc;
	snprintf(path, sizeof(path), "/local/domain/%u/control/sysrq", domid);
	return store_client_write(ctx->t, path, &letter, 1, err);
}

int pvctl_host_set_parameter(struct pvctl *ctx, const char *name, uint32_t value, struct pvctl_error *err)
{
	int rc = hv_param_set(ctx->t, name, value, err);

	if (rc == -ENOENT || rc == -ENOSYS)
		rc = err_set(err, -ENOENT, PVCTL_ORIGIN_HV, "the hypervisor has no parameter \"%.60s\" that can be set while it runs: "
			     "those are serial and guest_lines; others are of its start, `pvctl node start --hypervisor-options'", name);
	return rc;
}

int pvctl_host_debug_keys(struct pvctl *ctx, const char *keys, struct pvctl_error *err)
{
	size_t i, n = strlen(keys);

	if (n < 1 || n > DEBUG_KEYS_MAX)
		return err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "%zu debug keys: 1 to %u can be sent", n, DEBUG_KEYS_MAX);
	for (i = 0; i < n; i++)
		if (keys[i] < ' ' || keys[i] > '~')
			return err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "debug keys are printable characters");
	return hv_debug_keys(ctx->t, keys, (uint32_t)n, err);
}
