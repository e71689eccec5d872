/* SPDX-License-Identifier: MIT */
/*
 * What a domain is saved with, for the end-to-end tests.
 *
 *   savestate dirty DOMID MS   follows the domain's memory by its log of writes for that long, as a live migration would,
 *                              then stops it and compares all of it with the copy: a page that differs was missed
 *   savestate log DOMID OP     one operation of the log: enable, off, clean, peek
 *   savestate vcpu DOMID [spoil]  takes each vCPU's state out, spoils it, and puts it back, or not
 *   savestate hostile DOMID    sets what must not be taken
 *   savestate tsc DOMID [later]  its system time: what is refused; a day later
 *   savestate foreign DOMID    names and tables of another domain's frames
 *   savestate policy DOMID     what CPUID tells a domain that has not run
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

/* A round: what was written is copied again. Frames that are another domain's and have the same name do no harm. */
static uint64_t follow(uint32_t domid, uint32_t mode)
{
	uint64_t m, n = 0, pfn;
	int64_t rc = log_op(domid, XEN_DOMCTL_SHADOW_OP_CLEAN, mode, bitmap, NAME_MAX_PFN, NULL);

	if (rc)
		die("clean", rc);
	for (m = 0; m < nr_frames; m++) {
		pfn = __atomic_load_n(&m2p[m], __ATOMIC_RELAXED);
		if (pfn == 0 || pfn >= NAME_MAX_PFN || !(bitmap[pfn / 8] >> (pfn % 8) & 1))
			continue;
		take(m);
		n++;
	}
	return n;
}

#define LOOKS 4

/* aloud: says what was missed. */
static int compare(bool aloud)
{
	uint64_t m, missed = 0, compared = 0;

	for (m = 0; m < nr_frames; m++) {
		const uint64_t *now, *then = (const uint64_t *)(void *)copy[m];
		unsigned int i;

		/* Without a name it cannot be told. The hypervisor's own that a guest maps (shared_info) are called 0. */
		if (!own[m] || m2p[m] >= NAME_MAX_PFN || m2p[m] == 0)
			continue;
		compared++;
		now = frame(m);
		if (then && !memcmp(now, then, PAGE))
			continue;
		if (missed++ < 10 && aloud) {
			for (i = 0; then && now[i] == then[i]; i++)
				;
			printf("missed: frame %#llx (guest's %#llx), %u: %016llx, now %016llx\n", (unsigned long long)m,
			       (unsigned long long)m2p[m], i, then ? (unsigned long long)then[i] : 0, (unsigned long long)now[i]);
		}
	}
	if (aloud || !missed)
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
	double end;
	int64_t rc;

	find_m2p();
	rc = log_op(domid, XEN_DOMCTL_SHADOW_OP_ENABLE_LOGDIRTY, 0, NULL, 0, NULL);
	if (rc)
		die("enable", rc);
	find_frames(domid);
	for (m = 0; m < nr_frames; m++)
		if (own[m])
			take(m);
	end = now_ms() + ms;
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
	find_frames(domid);
	/* Events come to a domain that is paused, too, and where they are noted is told in every round. */
	for (rounds = 0; (rc = compare(rounds == LOOKS - 1)) != 0 && rounds < LOOKS - 1; rounds++)
		follow(domid, XEN_DOMCTL_SHADOW_LOGDIRTY_FINAL);
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

/* --- a vCPU --- */

struct vcpu_state {
	vcpu_guest_context_t ctx;
	struct xen_domctl_ext_vcpucontext ext;
	uint8_t xstate[8192];
	uint64_t xstate_size;
	struct xen_domctl_vcpu_msr msr[16];
	uint32_t nr_msrs;
};

static int64_t context(uint32_t domid, uint32_t v, bool set, vcpu_guest_context_t *c)
{
	struct xen_domctl op = { .u.vcpucontext.vcpu = v };
	void *table = hv_arena(t, HV_TABLE_OFFSET, 1, sizeof(*c));
	int64_t ret;

	if (set)
		memcpy(table, c, sizeof(*c));
	HV_SET_HANDLE(t, op.u.vcpucontext.ctxt, table);
	ret = call(set ? XEN_DOMCTL_setvcpucontext : XEN_DOMCTL_getvcpucontext, domid, &op, sizeof(*c));
	if (!set)
		memcpy(c, table, sizeof(*c));
	return ret;
}

static int64_t xstate(uint32_t domid, uint32_t v, bool set, void *buf, uint64_t *size)
{
	struct xen_domctl op = { .u.vcpuextstate = { .vcpu = v, .size = *size } };
	void *table = hv_arena(t, HV_TABLE_OFFSET, 1, *size ? *size : 1);
	int64_t ret;

	if (set)
		memcpy(table, buf, *size);
	if (*size)
		HV_SET_HANDLE(t, op.u.vcpuextstate.buffer, table);
	ret = call(set ? XEN_DOMCTL_setvcpuextstate : XEN_DOMCTL_getvcpuextstate, domid, &op, *size);
	if (!set && *size)
		memcpy(buf, table, *size);
	*size = op.u.vcpuextstate.size;
	return ret;
}

static int64_t msrs(uint32_t domid, uint32_t v, bool set, struct xen_domctl_vcpu_msr *list, uint32_t *n)
{
	struct xen_domctl op = { .u.vcpu_msrs = { .vcpu = v, .msr_count = *n } };
	void *table = hv_arena(t, HV_TABLE_OFFSET, *n ? *n : 1, sizeof(*list));
	int64_t ret;

	if (set)
		memcpy(table, list, *n * sizeof(*list));
	HV_SET_HANDLE(t, op.u.vcpu_msrs.msrs, table);
	ret = call(set ? XEN_DOMCTL_set_vcpu_msrs : XEN_DOMCTL_get_vcpu_msrs, domid, &op, *n * sizeof(*list));
	*n = op.u.vcpu_msrs.msr_count;
	if (!set && !ret)
		memcpy(list, table, *n * sizeof(*list));
	return ret;
}

static int64_t ext(uint32_t domid, uint32_t v, bool set, struct xen_domctl_ext_vcpucontext *e)
{
	struct xen_domctl op = { 0 };
	int64_t ret;

	if (set)
		op.u.ext_vcpucontext = *e;
	op.u.ext_vcpucontext.vcpu = v;
	ret = call(set ? XEN_DOMCTL_set_ext_vcpucontext : XEN_DOMCTL_get_ext_vcpucontext, domid, &op, 0);
	if (!set)
		*e = op.u.ext_vcpucontext;
	return ret;
}

static void want(const char *what, int64_t got, int64_t wanted)
{
	if (got == wanted)
		return;
	printf("%s: %lld, not %lld\n", what, (long long)got, (long long)wanted);
	exit(1);
}

static void get_all(uint32_t domid, uint32_t v, struct vcpu_state *s)
{
	memset(s, 0, sizeof(*s));
	want("getvcpucontext", context(domid, v, false, &s->ctx), 0);
	want("get_ext_vcpucontext", ext(domid, v, false, &s->ext), 0);
	want("the size of the extended state", xstate(domid, v, false, NULL, &s->xstate_size), 0);
	if (s->xstate_size > sizeof(s->xstate))
		die("the extended state's size", (long long)s->xstate_size);
	if (s->xstate_size)
		want("getvcpuextstate", xstate(domid, v, false, s->xstate, &s->xstate_size), 0);
	s->nr_msrs = 16;
	want("get_vcpu_msrs", msrs(domid, v, false, s->msr, &s->nr_msrs), 0);
}

static void set_all(uint32_t domid, uint32_t v, struct vcpu_state *s)
{
	struct xen_domctl_vcpu_msr none = { .index = 0xc0000103u };
	uint64_t size = s->xstate_size;
	uint32_t n = s->nr_msrs, one = 1;

	/* What is 0 is in nobody's list. */
	want("set_vcpu_msrs, 0", msrs(domid, v, true, &none, &one), 0);
	want("setvcpucontext", context(domid, v, true, &s->ctx), 0);
	want("set_ext_vcpucontext", ext(domid, v, true, &s->ext), 0);
	if (size)
		want("setvcpuextstate", xstate(domid, v, true, s->xstate, &size), 0);
	want("set_vcpu_msrs", msrs(domid, v, true, s->msr, &n), 0);
}

static void spoil(uint32_t domid, uint32_t v, const struct vcpu_state *s)
{
	struct xen_domctl_vcpu_msr aux = { .index = 0xc0000103u, .value = 0x11 };
	struct vcpu_state bad = *s;
	uint64_t head = 16;
	uint32_t one = 1;

	memset(bad.ctx.debugreg, 0, sizeof(bad.ctx.debugreg));
	bad.ctx.fs_base = bad.ctx.gs_base_user = 0;
	memset(&bad.ctx.fpu_ctxt, 0, sizeof(bad.ctx.fpu_ctxt));
	bad.ext.sysenter_callback_eip = bad.ext.syscall32_callback_eip = 0x1234;
	want("setvcpucontext, other values", context(domid, v, true, &bad.ctx), 0);
	want("set_ext_vcpucontext, other values", ext(domid, v, true, &bad.ext), 0);
	if (s->xstate_size > head)
		want("setvcpuextstate, without an area", xstate(domid, v, true, bad.xstate, &head), 0);
	want("set_vcpu_msrs, another value", msrs(domid, v, true, &aux, &one), 0);
}

static int vcpus(uint32_t domid, bool back)
{
	static struct vcpu_state before, after;
	struct xen_domctl op = { 0 };
	uint32_t v;

	want("pause", call(XEN_DOMCTL_pausedomain, domid, &op, 0), 0);
	for (v = 0; v < 32; v++) {
		int64_t rc = context(domid, v, false, &before.ctx);

		if (rc == -22)
			break;
		/* One that never ran has no context, and all the rest. */
		if (rc == -61)
			continue;
		get_all(domid, v, &before);
		spoil(domid, v, &before);
		if (!back)
			continue;
		set_all(domid, v, &before);
		get_all(domid, v, &after);
		if (memcmp(&before, &after, sizeof(before)))
			die("it is not what was set, vCPU", v);
	}
	memset(&op, 0, sizeof(op));
	want("unpause", call(XEN_DOMCTL_unpausedomain, domid, &op, 0), 0);
	printf("%u vCPUs\n", v);
	return 0;
}

static void nap_ms(long ms)
{
	const struct timespec ts = { .tv_nsec = ms * 1000000 };

	nanosleep(&ts, NULL);
}

/* What was taken is loaded by the CPU: whatever it is, that is the guest's business alone. */
static void run_a_little(uint32_t domid)
{
	struct xen_domctl op = { 0 };

	want("unpause", call(XEN_DOMCTL_unpausedomain, domid, &op, 0), 0);
	nap_ms(2);
	memset(&op, 0, sizeof(op));
	want("pause", call(XEN_DOMCTL_pausedomain, domid, &op, 0), 0);
}

/* What a stream may bring. Each is refused, or harmless; the domain goes on with what it had. */
static void hostile_xstate(uint32_t domid, const struct vcpu_state *good)
{
	static struct vcpu_state s;
	uint64_t size, i, n;
	static const struct { const char *what; unsigned int at, bit; } bits[] = {
		{ "XCR0 without x87", 0, 0 }, { "XCR0 with what there is not", 0, 40 }, { "XCR0 with AVX-512", 0, 5 },
		{ "XCR0's history without it", 8, 0 }, { "XCR0's history with what there is not", 8, 9 },
		{ "MXCSR's reserved bits", 16 + 24, 31 }, { "MXCSR's reserved bits", 16 + 24, 16 },
		{ "a component that is not in XCR0", 16 + 512, 5 }, { "a component that there is not", 16 + 512, 62 },
		{ "a half compacted area", 16 + 520, 0 }, { "a compacted area of what there is not", 16 + 520, 60 },
		{ "the header's third word", 16 + 528, 3 }, { "the header's last word", 16 + 568, 63 },
	};

	for (i = 0; i < sizeof(bits) / sizeof(bits[0]); i++) {
		s = *good;
		size = s.xstate_size;
		s.xstate[bits[i].at + bits[i].bit / 8] ^= (uint8_t)(1u << bits[i].bit % 8);
		want(bits[i].what, xstate(domid, 0, true, s.xstate, &size), -22);
	}
	for (n = 0; n < good->xstate_size; n += n < 16 || n > 560 ? 1 : 100) {
		s = *good;
		size = n;
		if (n != 0 && n != 16)
			want("a short area", xstate(domid, 0, true, s.xstate, &size), -22);
	}
	s = *good;
	size = s.xstate_size + 8192;
	want("a long area", xstate(domid, 0, true, s.xstate, &size), -22);
	/* Whatever else is in it: taken or not, the vCPU can be switched to. */
	srand(1);
	for (i = 0; i < 2000; i++) {
		s = *good;
		size = s.xstate_size;
		for (n = 0; n < 1 + i % 4; n++)
			s.xstate[(unsigned int)rand() % s.xstate_size] ^= (uint8_t)rand();
		if (!xstate(domid, 0, true, s.xstate, &size) && i % 16 == 0)
			run_a_little(domid);
	}
}

/* Each word of a context, in turn and several at once. The CPU does not see them: the good one is set again. */
static void hostile_context(uint32_t domid, const struct vcpu_state *good)
{
	static vcpu_guest_context_t c;
	static const uint64_t values[] = { 0, 1, ~0ull, 1ull << 63, 0xffff800000000000ull, 0x0000800000000000ull, 0xfff, 4096 };
	uint64_t *w = (uint64_t *)(void *)&c, i, n = sizeof(c) / 8, taken = 0;
	unsigned int k;

	for (i = 0; i < n; i += i < 900 && i > 70 ? 5 : 1) {
		c = good->ctx;
		w[i] = values[(unsigned int)rand() % 8];
		taken += context(domid, 0, true, &c) == 0;
	}
	for (i = 0; i < 500; i++) {
		c = good->ctx;
		for (k = 0; k < 1 + i % 8; k++)
			w[(unsigned int)rand() % n] ^= (uint64_t)rand() << rand() % 33;
		taken += context(domid, 0, true, &c) == 0;
	}
	printf("%llu contexts were taken\n", (unsigned long long)taken);
}

/* Every other operation, with arguments that nobody checked. */
static void hostile_ops(uint32_t domid)
{
	static const uint32_t cmds[] = { XEN_DOMCTL_shadow_op, XEN_DOMCTL_settscinfo, XEN_DOMCTL_gettscinfo,
		XEN_DOMCTL_get_cpu_policy, XEN_DOMCTL_set_cpu_policy, XEN_DOMCTL_getvcpuextstate, XEN_DOMCTL_setvcpuextstate,
		XEN_DOMCTL_get_vcpu_msrs, XEN_DOMCTL_set_vcpu_msrs, XEN_DOMCTL_get_ext_vcpucontext,
		XEN_DOMCTL_set_ext_vcpucontext, XEN_DOMCTL_getpageframeinfo3 };
	struct xen_domctl op;
	unsigned int i, k;

	for (i = 0; i < 4000; i++) {
		uint8_t *u = (uint8_t *)&op.u;

		memset(&op, 0, sizeof(op));
		/* Small numbers and addresses in the arena get furthest. */
		for (k = 0; k < 6; k++)
			((uint32_t *)(void *)u)[(unsigned int)rand() % 12] = (unsigned int)rand() % 3 ? (unsigned int)rand() % 40 :
										      (uint32_t)rand();
		if (rand() % 2)
			((uint64_t *)(void *)u)[(unsigned int)rand() % 5] = t->arena_base + (unsigned int)rand() % (1u << 19);
		(void)call(cmds[i % (sizeof(cmds) / sizeof(cmds[0]))], domid, &op, 4096);
	}
	(void)log_op(domid, XEN_DOMCTL_SHADOW_OP_OFF, 0, NULL, 0, NULL);
}

static int hostile(uint32_t domid)
{
	static struct vcpu_state good;
	struct xen_domctl op = { 0 };
	struct xen_domctl_ext_vcpucontext e;
	struct xen_domctl_vcpu_msr m;
	uint32_t n = 1;

	want("pause", call(XEN_DOMCTL_pausedomain, domid, &op, 0), 0);
	get_all(domid, 0, &good);
	if (good.xstate_size > 16)
		hostile_xstate(domid, &good);
	e = good.ext;
	e.sysenter_callback_eip = 1ull << 62;
	want("a callback that is no address", ext(domid, 0, true, &e), -22);
	e = good.ext;
	e.size = 8;
	want("a short ext_vcpucontext", ext(domid, 0, true, &e), -22);
	want("ext_vcpucontext of no vCPU", ext(domid, 77, true, &good.ext), -3);
	m = (struct xen_domctl_vcpu_msr){ .index = 0xc0000103u, .value = 1ull << 32 };
	want("TSC_AUX of 33 bits", msrs(domid, 0, true, &m, &n), -22);
	want("which entry it was", n, 0);
	m = (struct xen_domctl_vcpu_msr){ .index = 0xc0000080u, .value = 0 };
	n = 1;
	want("EFER", msrs(domid, 0, true, &m, &n), -22);
	want("which entry it was", n, 0);
	m = (struct xen_domctl_vcpu_msr){ .index = 0xc0000103u, .reserved = 1 };
	n = 1;
	want("a reserved word", msrs(domid, 0, true, &m, &n), -22);
	hostile_context(domid, &good);
	hostile_ops(domid);
	set_all(domid, 0, &good);
	memset(&op, 0, sizeof(op));
	want("unpause", call(XEN_DOMCTL_unpausedomain, domid, &op, 0), 0);
	return 0;
}

/* --- what a restore does to memory that is another's, as libxc does it --- */

static int64_t mmu(uint32_t foreign, uint64_t ptr, uint64_t val)
{
	struct mmu_update *u = hv_arena(t, 0, 1, sizeof(*u));
	uint64_t args[6] = { arena_handle(t, u), 1, 0, foreign };
	struct pvctl_error err = { 0 };
	bool broken;

	*u = (struct mmu_update){ .ptr = ptr, .val = val };
	return hv_call(t, __HYPERVISOR_mmu_update, args, HV_TABLE_OFFSET, &broken, &err);
}

static int64_t pin_op(uint32_t domid, uint32_t cmd, uint64_t m)
{
	struct mmuext_op *op = hv_arena(t, 0, 1, sizeof(*op));
	uint64_t args[6] = { arena_handle(t, op), 1, 0, domid };
	struct pvctl_error err = { 0 };
	bool broken;

	*op = (struct mmuext_op){ .cmd = cmd, .arg1.mfn = m };
	return hv_call(t, __HYPERVISOR_mmuext_op, args, HV_TABLE_OFFSET, &broken, &err);
}

static uint64_t frame_info(uint32_t domid, uint64_t m)
{
	struct xen_domctl op = { .u.getpageframeinfo3.num = 1 };
	uint64_t *list = hv_arena(t, HV_TABLE_OFFSET, 1, sizeof(*list));

	*list = m;
	HV_SET_HANDLE(t, op.u.getpageframeinfo3.array, list);
	want("getpageframeinfo3", call(XEN_DOMCTL_getpageframeinfo3, domid, &op, 8), 0);
	return *list & XEN_DOMCTL_PFINFO_LTAB_MASK;
}

static int foreign(uint32_t domid)
{
	uint64_t m, other = 0, pfn, page[512] = { 0 };

	find_m2p();
	find_frames(domid);
	/* One that is all zero and mapped nowhere, so that it can be a table; and one that is not the domain's. */
	for (m = nr_frames - 1; m; m--) {
		if (!own[m])
			other = m;
		else if (m2p[m] && m2p[m] < NAME_MAX_PFN && !memcmp(frame(m), page, PAGE) &&
			 !pin_op(domid, MMUEXT_PIN_L1_TABLE, m))
			break;
	}
	if (!m || !other)
		die("no frame to try with", -1);
	want("unpin", pin_op(domid, MMUEXT_UNPIN_TABLE, m), 0);
	pfn = m2p[m];
	want("a frame's name", mmu(domid, m << 12 | MMU_MACHPHYS_UPDATE, 0x54321), 0);
	want("is that", (int64_t)__atomic_load_n(&m2p[m], __ATOMIC_SEQ_CST), 0x54321);
	want("and as before", mmu(domid, m << 12 | MMU_MACHPHYS_UPDATE, pfn), 0);
	want("a frame that is not its own", mmu(domid, other << 12 | MMU_MACHPHYS_UPDATE, 1), -22);
	want("plain memory", (int64_t)frame_info(domid, m), XEN_DOMCTL_PFINFO_NOTAB);
	want("what is not its own", (int64_t)frame_info(domid, other), XEN_DOMCTL_PFINFO_XTAB);
	want("pin", pin_op(domid, MMUEXT_PIN_L1_TABLE, m), 0);
	want("it is a table", (int64_t)frame_info(domid, m), XEN_DOMCTL_PFINFO_L1TAB | XEN_DOMCTL_PFINFO_LPINTAB);
	want("pin it twice", pin_op(domid, MMUEXT_PIN_L1_TABLE, m), -22);
	want("pin it as another", pin_op(domid, MMUEXT_PIN_L2_TABLE, m), -22);
	want("pin what is not its own", pin_op(domid, MMUEXT_PIN_L1_TABLE, other), -22);
	want("an entry of it", mmu((domid + 1) << 16 | domid, m << 12 | 8, m << 12 | 1), 0);
	want("a writable one of a table", mmu((domid + 1) << 16 | domid, m << 12 | 16, m << 12 | 3), -16);
	want("no entry", mmu((domid + 1) << 16 | domid, m << 12 | 8, 0), 0);
	want("unpin", pin_op(domid, MMUEXT_UNPIN_TABLE, m), 0);
	want("plain memory again", (int64_t)frame_info(domid, m), XEN_DOMCTL_PFINFO_NOTAB);
	want("unpin it twice", pin_op(domid, MMUEXT_UNPIN_TABLE, m), -22);
	return 0;
}

/* --- time: what it says, or a day later --- */

static int tsc(uint32_t domid, const char *what)
{
	struct xen_domctl op = { 0 }, pause = { 0 };
	uint64_t before;

	want("gettscinfo", call(XEN_DOMCTL_gettscinfo, domid, &op, 0), 0);
	before = op.u.tsc_info.elapsed_nsec;
	if (!strcmp(what, "later")) {
		op.u.tsc_info.elapsed_nsec += 86400 * 1000000000ull;
		op.u.tsc_info.incarnation = 5;
		/* The guest may end as soon as it hears of it. */
		want("pause", call(XEN_DOMCTL_pausedomain, domid, &pause, 0), 0);
		want("settscinfo", call(XEN_DOMCTL_settscinfo, domid, &op, 0), 0);
		want("gettscinfo", call(XEN_DOMCTL_gettscinfo, domid, &op, 0), 0);
		memset(&pause, 0, sizeof(pause));
		want("unpause", call(XEN_DOMCTL_unpausedomain, domid, &pause, 0), 0);
		if (op.u.tsc_info.elapsed_nsec - before < 86400 * 1000000000ull || op.u.tsc_info.incarnation != 5)
			die("it is not what was set", (long long)(op.u.tsc_info.elapsed_nsec - before));
	} else {
		op.u.tsc_info.elapsed_nsec = 1ull << 63;
		want("a time before all time", call(XEN_DOMCTL_settscinfo, domid, &op, 0), -22);
		op.u.tsc_info.elapsed_nsec = before;
		op.u.tsc_info.tsc_mode = 1;
		want("an emulated TSC", call(XEN_DOMCTL_settscinfo, domid, &op, 0), -95);
	}
	return 0;
}

/* --- CPUID, of a domain that has not run --- */

static int64_t policy(uint32_t cmd, uint32_t domid, xen_cpuid_leaf_t *leaves, uint32_t *n, struct xen_domctl *op)
{
	xen_cpuid_leaf_t *table = hv_arena(t, HV_TABLE_OFFSET, *n ? *n : 1, sizeof(*table));
	int64_t ret;

	memset(op, 0, sizeof(*op));
	op->u.cpu_policy.nr_leaves = *n;
	if (*n) {
		memcpy(table, leaves, *n * sizeof(*table));
		HV_SET_HANDLE(t, op->u.cpu_policy.leaves, table);
	}
	ret = call(cmd, domid, op, *n * sizeof(*table));
	if (*n && cmd == XEN_DOMCTL_get_cpu_policy)
		memcpy(leaves, table, *n * sizeof(*table));
	if (!ret)
		*n = op->u.cpu_policy.nr_leaves;
	return ret;
}

static xen_cpuid_leaf_t *find_leaf(xen_cpuid_leaf_t *l, uint32_t n, uint32_t leaf)
{
	uint32_t i;

	for (i = 0; i < n && l[i].leaf != leaf; i++)
		;
	if (i == n)
		die("no leaf", leaf);
	return &l[i];
}

static int policies(uint32_t domid)
{
	static xen_cpuid_leaf_t mine[256], other[256];
	struct xen_domctl op;
	uint32_t n = 0, k;

	want("how many leaves", policy(XEN_DOMCTL_get_cpu_policy, domid, mine, &n, &op), 0);
	if (n < 10 || n > 256)
		die("leaves", n);
	k = n - 1;
	want("too little room", policy(XEN_DOMCTL_get_cpu_policy, domid, mine, &k, &op), -105);
	want("get_cpu_policy", policy(XEN_DOMCTL_get_cpu_policy, domid, mine, &n, &op), 0);
	want("as it is", policy(XEN_DOMCTL_set_cpu_policy, domid, mine, &n, &op), 0);
	/* Less than this machine has: without SSE4.2. */
	memcpy(other, mine, sizeof(mine));
	find_leaf(other, n, 1)->c &= ~(1u << 20);
	find_leaf(other, n, 1)->a = 0x12345;
	want("less than there is", policy(XEN_DOMCTL_set_cpu_policy, domid, other, &n, &op), 0);
	memset(other, 0, sizeof(other));
	want("get_cpu_policy", policy(XEN_DOMCTL_get_cpu_policy, domid, other, &n, &op), 0);
	want("it stays", find_leaf(other, n, 1)->a, 0x12345);
	want("without SSE4.2", find_leaf(other, n, 1)->c >> 20 & 1, 0);
	/* What is not told under TCG, but was to domains that were saved before: it works. */
	memcpy(other, mine, sizeof(mine));
	find_leaf(other, n, 7)->b |= 1u | 1u << 9;
	want("FSGSBASE and ERMS", policy(XEN_DOMCTL_set_cpu_policy, domid, other, &n, &op), 0);
	memset(other, 0, sizeof(other));
	want("get_cpu_policy", policy(XEN_DOMCTL_get_cpu_policy, domid, other, &n, &op), 0);
	want("both stay", find_leaf(other, n, 7)->b & (1u | 1u << 9), 1u | 1u << 9);
	/* More: AVX-512. */
	memcpy(other, mine, sizeof(mine));
	find_leaf(other, n, 7)->b |= 1u << 16;
	want("AVX-512", policy(XEN_DOMCTL_set_cpu_policy, domid, other, &n, &op), -22);
	want("the leaf", op.u.cpu_policy.err_leaf, 7);
	want("and its subleaf", op.u.cpu_policy.err_subleaf, 0);
	want("no MSR", op.u.cpu_policy.err_msr, 0xffffffffu);
	memcpy(other, mine, sizeof(mine));
	find_leaf(other, n, 0)->b ^= 1;
	want("another maker", policy(XEN_DOMCTL_set_cpu_policy, domid, other, &n, &op), -22);
	want("the leaf", op.u.cpu_policy.err_leaf, 0);
	k = 2000;
	memset(&op, 0, sizeof(op));
	op.u.cpu_policy.nr_leaves = k;
	want("too many", call(XEN_DOMCTL_set_cpu_policy, domid, &op, 0), -7);
	return 0;
}

int main(int argc, char **argv)
{
	uint32_t domid = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 0) : 0;
	const char *cmd = argc > 2 ? argv[1] : "", *arg = argc > 3 ? argv[3] : "";
	struct pvctl_error err = { 0 };
	int ret = 2;

	if (transport_open_hosted(getenv("PVCTL_NODE"), &t, &err)) {
		fprintf(stderr, "%s\n", err.msg);
		return 2;
	}
	if (!strcmp(cmd, "dirty"))
		ret = dirty(domid, (unsigned int)atoi(arg));
	else if (!strcmp(cmd, "log"))
		ret = one_log_op(domid, arg);
	else if (!strcmp(cmd, "vcpu"))
		ret = vcpus(domid, strcmp(arg, "spoil") != 0);
	else if (!strcmp(cmd, "hostile"))
		ret = hostile(domid);
	else if (!strcmp(cmd, "tsc"))
		ret = tsc(domid, arg);
	else if (!strcmp(cmd, "foreign"))
		ret = foreign(domid);
	else if (!strcmp(cmd, "policy"))
		ret = policies(domid);
	t->ops->close(t);
	return ret;
}
