/* SPDX-License-Identifier: MIT */
/*
 * The domain's nodes in the store, as guests and tools expect them. A child
 * inherits its parent's permissions, so that the home directory's "owned by
 * domain 0, readable by the guest" holds for all but the places where a guest
 * has to write.
 */
#include "domain/private.h"
#include "store/client.h"
#include "util/err.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

struct home {
	struct store_batch batch;
	char base[32];
};

static void put(struct home *h, const char *node, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

static void path_of(const struct home *h, const char *node, char path[200])
{
	if (node[0] == '/')
		snprintf(path, 200, "%s", node);
	else
		snprintf(path, 200, "%s%s%s", h->base, node[0] ? "/" : "", node);
}

static void put(struct home *h, const char *node, const char *fmt, ...)
{
	char path[200], value[3200];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(value, sizeof(value), fmt, ap);
	va_end(ap);
	path_of(h, node, path);
	store_batch_write(&h->batch, path, value, n < (int)sizeof(value) ? (size_t)n : sizeof(value) - 1);
}

/* An empty directory. owner 0: domain 0's, and reader may read it. */
static void dir(struct home *h, const char *node, uint32_t owner, uint32_t reader)
{
	char path[200], perms[32];
	int n;

	path_of(h, node, path);
	n = snprintf(perms, sizeof(perms), "n%u", owner) + 1;
	if (!owner)
		n += snprintf(perms + n, sizeof(perms) - (size_t)n, "r%u", reader) + 1;
	store_batch_mkdir(&h->batch, path, perms, (size_t)n);
}

static void home_init(struct home *h, struct pvctl *ctx, uint32_t domid, struct pvctl_error *err)
{
	store_batch_init(&h->batch, ctx->t, err);
	snprintf(h->base, sizeof(h->base), "/local/domain/%u", domid);
}

static int home_end(struct home *h, uint32_t domid)
{
	int rc = store_batch_end(&h->batch);

	return rc ? err_wrap(h->batch.err, rc, "domain %u: its store nodes", domid) : 0;
}

static void put_vm(struct home *h, uint32_t domid, const struct create_plan *p)
{
	const char *ramdisk = pvctl_config_get_str(p->config, "ramdisk");
	char vm[48], node[96];

	snprintf(vm, sizeof(vm), "/vm/%s", p->uuid_text);
	put(h, "vm", "%s", vm);
	dir(h, vm, 0, domid);
#define VM(tail) (snprintf(node, sizeof(node), "%s/%s", vm, tail), node)
	put(h, VM("uuid"), "%s", p->uuid_text);
	put(h, VM("name"), "%s", p->name);
	put(h, VM("image/ostype"), "linux");
	put(h, VM("image/kernel"), "%s", pvctl_config_get_str(p->config, "kernel"));
	if (ramdisk)
		put(h, VM("image/ramdisk"), "%s", ramdisk);
	put(h, VM("image/cmdline"), "%s", p->cmdline);
	put(h, VM("start_time"), "%lld", (long long)time(NULL));
#undef VM
}

/* Linux announces in control/feature-* what it listens to, and empties
 * control/shutdown when it has taken notice: those it must be able to write. */
static void put_writable(struct home *h, uint32_t domid)
{
	static const char *const nodes[] = {
		"control/shutdown", "control/feature-poweroff", "control/feature-reboot", "control/feature-suspend",
		"control/sysrq", "device/suspend/event-channel", "data", "drivers", "feature", "attr", "error",
	};
	unsigned int i;

	for (i = 0; i < sizeof(nodes) / sizeof(nodes[0]); i++)
		dir(h, nodes[i], domid, 0);
}

int nodes_make(struct pvctl *ctx, uint32_t domid, const struct create_plan *p, struct pvctl_error *err)
{
	struct home h;
	char node[40];
	unsigned int i;

	home_init(&h, ctx, domid, err);
	dir(&h, "", 0, domid);
	put_vm(&h, domid, p);
	put(&h, "name", "%s", p->name);
	put(&h, "domid", "%u", domid);
	put(&h, "memory/static-max", "%llu", (unsigned long long)p->maxmem_mib << 10);
	put(&h, "memory/target", "%llu", (unsigned long long)p->memory_mib << 10);
	put(&h, "memory/videoram", "0");
	for (i = 0; i < p->maxvcpus; i++) {
		snprintf(node, sizeof(node), "cpu/%u/availability", i);
		put(&h, node, i < p->vcpus ? "online" : "offline");
	}
	dir(&h, "device", 0, domid);
	put(&h, "control/platform-feature-multiprocessor-suspend", "1");
	put(&h, "control/platform-feature-xs_reset_watches", "1");
	put_writable(&h, domid);
	snprintf(node, sizeof(node), "/libxl/%u/type", domid);
	put(&h, node, p->pvh ? "pvh" : "pv");
	return home_end(&h, domid);
}

int nodes_rings(struct pvctl *ctx, uint32_t domid, uint64_t store_mfn, uint32_t store_port,
                uint64_t console_mfn, uint32_t console_port, struct pvctl_error *err)
{
	struct home h;

	home_init(&h, ctx, domid, err);
	put(&h, "store/ring-ref", "%llu", (unsigned long long)store_mfn);
	put(&h, "store/port", "%u", store_port);
	put(&h, "console/ring-ref", "%llu", (unsigned long long)console_mfn);
	put(&h, "console/port", "%u", console_port);
	put(&h, "console/limit", "1048576");
	put(&h, "console/type", "xenconsoled");
	put(&h, "console/output", "pty");
	return home_end(&h, domid);
}
