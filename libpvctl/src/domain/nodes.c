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
	struct transport *t;
	struct pvctl_error *err;
	char base[32];
	int rc;                  /* the first failure; later calls then do nothing */
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

	if (h->rc)
		return;
	va_start(ap, fmt);
	n = vsnprintf(value, sizeof(value), fmt, ap);
	va_end(ap);
	path_of(h, node, path);
	h->rc = store_write(h->t, path, value, n < (int)sizeof(value) ? (size_t)n : sizeof(value) - 1, h->err);
}

/* An empty directory; whose "n" owner may write: 0 leaves it to the guest to read only. */
static void dir(struct home *h, const char *node, uint32_t owner, uint32_t reader)
{
	char path[200], perms[32];
	int n;

	if (h->rc)
		return;
	path_of(h, node, path);
	h->rc = store_mkdir(h->t, path, h->err);
	n = snprintf(perms, sizeof(perms), "n%u", owner) + 1;
	if (!owner)
		n += snprintf(perms + n, sizeof(perms) - (size_t)n, "r%u", reader) + 1;
	if (!h->rc)
		h->rc = store_set_perms(h->t, path, perms, (size_t)n, h->err);
}

static void put_vm(struct home *h, uint32_t domid, const struct create_plan *p)
{
	const char *ramdisk = pvctl_config_get_str(p->config, "ramdisk");
	char vm[48], node[96];

	snprintf(vm, sizeof(vm), "/vm/%s", p->uuid_text);
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
	put(h, "vm", "%s", vm);
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
	struct home h = { .t = ctx->t, .err = err };
	char node[40];
	unsigned int i;

	snprintf(h.base, sizeof(h.base), "/local/domain/%u", domid);
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
	put(&h, node, "pv");
	return h.rc ? err_wrap(err, h.rc, "domain %u: its store nodes", domid) : 0;
}

int nodes_rings(struct pvctl *ctx, uint32_t domid, uint64_t store_mfn, uint32_t store_port,
                uint64_t console_mfn, uint32_t console_port, struct pvctl_error *err)
{
	struct home h = { .t = ctx->t, .err = err };

	snprintf(h.base, sizeof(h.base), "/local/domain/%u", domid);
	put(&h, "store/ring-ref", "%llu", (unsigned long long)store_mfn);
	put(&h, "store/port", "%u", store_port);
	put(&h, "console/ring-ref", "%llu", (unsigned long long)console_mfn);
	put(&h, "console/port", "%u", console_port);
	put(&h, "console/limit", "1048576");
	put(&h, "console/type", "xenconsoled");
	put(&h, "console/output", "pty");
	return h.rc ? err_wrap(err, h.rc, "domain %u: its store nodes", domid) : 0;
}
