/* SPDX-License-Identifier: MIT */
/*
 * What a domain is saved with, for the end-to-end tests.
 *
 *   savestate dirty DOMID MS   follows the domain's memory by its log of writes for that long, as a live migration would,
 *                              then stops it and compares all of it with the copy: a page that differs was missed
 *   savestate log DOMID OP     one operation of the log: enable, off, clean, peek
 *   savestate vcpu DOMID       takes each vCPU's state out, spoils it, and puts it back; the domain is paused meanwhile
 *   savestate hostile DOMID    sets what must not be taken
 */
#include "hv/private.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <xen/memory.h>

#define PAGE 4096u
#define NAME_MAX_PFN (1u << 20)

static struct transport *t;

static void die(const char *what, long long rc)
{
	printf("%s: %lld\n", what, rc);
	exit(1);
}

static int64_t call(uint32_t cmd, uint32_t domid, struct xen_domctl *op, size_t extra)
{
	struct pvctl_error err = { 0 };
	bool broken;
	int64_t ret = hv_domctl(t, cmd, domid, op, extra, &broken, &err);

	if (broken)
		die(err.msg, ret);
	return ret;
}

/* An operation on the log. */
static int64_t log_op(uint32_t domid, uint32_t op_nr, uint32_t mode, uint8_t *bitmap, uint64_t pages,
                      struct xen_domctl_shadow_op_stats *stats)
{
	struct xen_domctl op = { .u.shadow_op = { .op = op_nr, .mode = mode, .pages = pages } };
	uint8_t *table = hv_arena(t, HV_TABLE_OFFSET, (pages + 7) / 8, 1);
	int64_t ret;

	if (bitmap)
		HV_SET_HANDLE(t, op.u.shadow_op.dirty_bitmap, table);
	ret = call(XEN_DOMCTL_shadow_op, domid, &op, bitmap ? (pages + 7) / 8 : 0);
	if (!ret && bitmap)
		memcpy(bitmap, table, (pages + 7) / 8);
	if (!ret && stats)
		*stats = op.u.shadow_op.stats;
	return ret;
}

/* --- following --- */

static uint64_t nr_frames;
static const uint64_t *m2p;
static uint8_t *own, **copy;
static uint8_t bitmap[NAME_MAX_PFN / 8];

static void find_m2p(void)
{
	struct xen_machphys_mfn_list *l = hv_arena(t, 0, 1, sizeof(*l));
	xen_pfn_t *list = hv_arena(t, HV_TABLE_OFFSET, 64, sizeof(*list));
	uint64_t args[6] = { XENMEM_machphys_mfn_list, arena_handle(t, l) }, max[6] = { XENMEM_maximum_ram_page };
	struct pvctl_error err = { 0 };
	bool broken;

	nr_frames = (uint64_t)hv_call(t, __HYPERVISOR_memory_op, max, 0, &broken, &err) + 1;
	*l = (struct xen_machphys_mfn_list){ .max_extents = 64 };
	HV_SET_HANDLE(t, l->extent_start, list);
	if (hv_call(t, __HYPERVISOR_memory_op, args, HV_TABLE_OFFSET + 512, &broken, &err) || l->nr_extents < 1)
		die("the machine-to-physical table", -1);
	m2p = t->ops->map(t, list[0], (nr_frames * 8 + PAGE - 1) / PAGE);
	own = calloc(nr_frames, 1);
	copy = calloc(nr_frames, sizeof(*copy));
	if (!m2p || !own || !copy)
		die("no memory", -1);
}

static void find_frames(uint32_t domid)
{
	uint64_t i, n, k;

	for (i = 0; i < nr_frames; i += n) {
		struct xen_domctl op = { 0 };
		uint64_t *list = hv_arena(t, HV_TABLE_OFFSET, 1024, sizeof(*list));

		n = nr_frames - i < 1024 ? nr_frames - i : 1024;
		for (k = 0; k < n; k++)
			list[k] = i + k;
		op.u.getpageframeinfo3.num = n;
		HV_SET_HANDLE(t, op.u.getpageframeinfo3.array, list);
		if (call(XEN_DOMCTL_getpageframeinfo3, domid, &op, n * 8))
			die("getpageframeinfo3", -1);
		for (k = 0; k < n; k++)
			own[i + k] = (list[k] & XEN_DOMCTL_PFINFO_LTAB_MASK) != XEN_DOMCTL_PFINFO_XTAB;
	}
}

static void *frame(uint64_t m)
{
	void *p = t->ops->map(t, m, 1);

	if (!p)
		die("mapping a frame", (long long)m);
	return p;
}

static void take(uint64_t m)
{
	if (!copy[m])
		copy[m] = malloc(PAGE);
	if (!copy[m])
		die("no memory", -1);
	memcpy(copy[m], frame(m), PAGE);
}

/* A round: what was written is copied again. */
static uint64_t follow(uint32_t domid, uint32_t mode)
{
	uint64_t m, n = 0, pfn;
	int64_t rc = log_op(domid, XEN_DOMCTL_SHADOW_OP_CLEAN, mode, bitmap, NAME_MAX_PFN, NULL);

	if (rc)
		die("clean", rc);
	find_frames(domid);
	for (m = 0; m < nr_frames; m++) {
		pfn = __atomic_load_n(&m2p[m], __ATOMIC_RELAXED);
		if (!own[m] || pfn >= NAME_MAX_PFN || !(bitmap[pfn / 8] >> (pfn % 8) & 1))
			continue;
		take(m);
		n++;
	}
	return n;
}

static int compare(void)
{
	uint64_t m, missed = 0, compared = 0;

	for (m = 0; m < nr_frames; m++) {
		const uint64_t *now, *then = (const uint64_t *)(void *)copy[m];
		unsigned int i;

		/* Without a name it cannot be told. */
		if (!own[m] || m2p[m] >= NAME_MAX_PFN)
			continue;
		compared++;
		now = frame(m);
		if (then && !memcmp(now, then, PAGE))
			continue;
		if (missed++ < 10) {
			for (i = 0; then && now[i] == then[i]; i++)
				;
			printf("missed: frame %#llx (guest's %#llx), %u: %016llx, now %016llx\n", (unsigned long long)m,
			       (unsigned long long)m2p[m], i, then ? (unsigned long long)then[i] : 0, (unsigned long long)now[i]);
		}
	}
	printf("%llu pages compared, %llu missed\n", (unsigned long long)compared, (unsigned long long)missed);
	return missed != 0;
}

static double now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

static int dirty(uint32_t domid, unsigned int ms)
{
	const struct timespec nap = { .tv_nsec = 3000000 };
	struct xen_domctl op = { 0 };
	uint64_t m, n = 0, rounds, last = 0;
	double end = now_ms() + ms;
	int64_t rc;

	find_m2p();
	rc = log_op(domid, XEN_DOMCTL_SHADOW_OP_ENABLE_LOGDIRTY, 0, NULL, 0, NULL);
	if (rc)
		die("enable", rc);
	find_frames(domid);
	for (m = 0; m < nr_frames; m++)
		if (own[m])
			take(m);
	for (rounds = 0; now_ms() < end; rounds++) {
		last = follow(domid, 0);
		n += last;
		nanosleep(&nap, NULL);
	}
	rc = call(XEN_DOMCTL_pausedomain, domid, &op, 0);
	if (rc)
		die("pause", rc);
	n += follow(domid, XEN_DOMCTL_SHADOW_LOGDIRTY_FINAL);
	printf("%llu rounds, %llu pages told, %llu in the last\n", (unsigned long long)rounds, (unsigned long long)n,
	       (unsigned long long)last);
	rc = compare();
	memset(&op, 0, sizeof(op));
	if (call(XEN_DOMCTL_unpausedomain, domid, &op, 0) || log_op(domid, XEN_DOMCTL_SHADOW_OP_OFF, 0, NULL, 0, NULL))
		die("unpause, off", -1);
	return (int)rc;
}

static int one_log_op(uint32_t domid, const char *what)
{
	static const struct { const char *name; uint32_t op; bool map; } ops[] = {
		{ "enable", XEN_DOMCTL_SHADOW_OP_ENABLE_LOGDIRTY, false }, { "off", XEN_DOMCTL_SHADOW_OP_OFF, false },
		{ "clean", XEN_DOMCTL_SHADOW_OP_CLEAN, true }, { "peek", XEN_DOMCTL_SHADOW_OP_PEEK, true },
		{ "forget", XEN_DOMCTL_SHADOW_OP_CLEAN, false }, { "test", XEN_DOMCTL_SHADOW_OP_ENABLE_TEST, false },
	};
	struct xen_domctl_shadow_op_stats stats = { 0 };
	unsigned int i, n = 0;
	int64_t rc = -38;

	for (i = 0; i < sizeof(ops) / sizeof(ops[0]); i++)
		if (!strcmp(what, ops[i].name))
			rc = log_op(domid, ops[i].op, 0, ops[i].map ? bitmap : NULL, ops[i].map ? NAME_MAX_PFN : 0, &stats);
	if (rc) {
		printf("error %lld\n", (long long)-rc);
		return 1;
	}
	for (i = 0; i < sizeof(bitmap); i++)
		n += (unsigned int)__builtin_popcount(bitmap[i]);
	printf("%s\n", n ? "some" : "none");
	return 0;
}

int main(int argc, char **argv)
{
	uint32_t domid = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 0) : 0;
	const char *cmd = argc > 2 ? argv[1] : "", *arg = argc > 3 ? argv[3] : "";
	struct pvctl_error err = { 0 };
	int ret = 2;

	if (transport_open_hosted(NULL, &t, &err)) {
		fprintf(stderr, "%s\n", err.msg);
		return 2;
	}
	if (!strcmp(cmd, "dirty"))
		ret = dirty(domid, (unsigned int)atoi(arg));
	else if (!strcmp(cmd, "log"))
		ret = one_log_op(domid, arg);
	t->ops->close(t);
	return ret;
}
