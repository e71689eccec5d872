/* SPDX-License-Identifier: MIT */
/*
 * Follows a PVH domain's memory by its log of writes, as a live migration would, then stops it and compares all of it
 * with the copy, number by number: a page that differs was missed, as is one that came or went without a word.
 *
 *   logdirty DOMID MS         for that long
 *   logdirty DOMID MS leave   the log stays on, the domain stopped
 */
#include "hv/hvm.h"
#include "hv/private.h"
#include "hv/state.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PAGE 4096u
#define NUMBERS (1u << 20) /* 4 GiB */
#define HOLE (~0ULL)
#define LOOKS 4
#define CHUNK 1024u

static struct transport *t;
static struct pvctl_error err;
static uint32_t domid;
static uint8_t *copy[NUMBERS]; /* NULL: a hole, as far as we were told */
static uint64_t frames[NUMBERS];
static uint8_t log_bits[NUMBERS / 8];

static void die(const char *what)
{
	printf("%s: %s\n", what, err.msg);
	exit(1);
}

static void op(uint32_t cmd, const char *what)
{
	struct xen_domctl o = { 0 };
	bool broken;

	if (hv_domctl(t, cmd, domid, &o, 0, &broken, &err))
		die(what);
}

/* Where they all are now. */
static void look_up(void)
{
	uint32_t n = hv_gfns_max(t), now;

	for (uint32_t i = 0; i < NUMBERS; i += now) {
		now = NUMBERS - i < n ? NUMBERS - i : n;
		for (uint32_t k = 0; k < now; k++)
			frames[i + k] = i + k;
		if (hv_gfns_to_mfns(t, domid, frames + i, now, &err))
			die("frames");
	}
}

/* RAM of its own, or what the hypervisor or another domain lets it see at that place, which is nothing to keep. */
static void types(const uint64_t *gfn, bool *ram, uint32_t n)
{
	struct xen_domctl o = { .u.getpageframeinfo3.num = n };
	uint64_t *list = hv_arena(t, HV_TABLE_OFFSET, n, sizeof(*list));
	bool broken;

	memcpy(list, gfn, n * sizeof(*list));
	HV_SET_HANDLE(t, o.u.getpageframeinfo3.array, list);
	if (hv_domctl(t, XEN_DOMCTL_getpageframeinfo3, domid, &o, n * sizeof(*list), &broken, &err))
		die("types");
	for (uint32_t i = 0; i < n; i++)
		ram[i] = (list[i] & XEN_DOMCTL_PFINFO_LTAB_MASK) == XEN_DOMCTL_PFINFO_NOTAB;
}

static void *frame(uint64_t m)
{
	void *p = t->ops->map(t, m, 1);

	if (!p)
		die("mapping a frame");
	return p;
}

static void take(uint64_t gfn, uint64_t m)
{
	if (m == HOLE) {
		free(copy[gfn]);
		copy[gfn] = NULL;
		return;
	}
	if (!copy[gfn])
		copy[gfn] = malloc(PAGE);
	if (!copy[gfn])
		die("no memory");
	memcpy(copy[gfn], frame(m), PAGE);
}

/* What was told is copied again, as it is now. What changes meanwhile is told in the next round. */
static unsigned int follow(void)
{
	static uint64_t list[NUMBERS], at[NUMBERS];
	uint32_t n = 0, now, max = hv_gfns_max(t);

	if (hv_logdirty_read(t, domid, true, log_bits, NUMBERS, &err))
		die("clean");
	for (uint64_t g = 0; g < NUMBERS; g++)
		if (log_bits[g / 8] >> g % 8 & 1)
			list[n++] = g;
	memcpy(at, list, n * sizeof(*at));
	for (uint32_t i = 0; i < n; i += now) {
		now = n - i < max ? n - i : max;
		if (hv_gfns_to_mfns(t, domid, at + i, now, &err))
			die("frames");
	}
	for (uint32_t i = 0; i < n; i++)
		take(list[i], at[i]);
	return n;
}

static bool differs(uint64_t gfn, bool aloud)
{
	const uint64_t *now = frames[gfn] == HOLE ? NULL : frame(frames[gfn]), *then = (const void *)copy[gfn];
	unsigned int i = 0;

	if (!now && !then)
		return false;
	if (now && then && !memcmp(now, then, PAGE))
		return false;
	while (now && then && now[i] == then[i])
		i++;
	if (aloud)
		printf("missed: %#llx, word %u: %016llx, now %016llx (%s, now %s)\n", (unsigned long long)gfn, i,
		       then ? (unsigned long long)then[i] : 0, now ? (unsigned long long)now[i] : 0, then ? "memory" : "a hole",
		       now ? "memory" : "a hole");
	return true;
}

static int compare(bool aloud)
{
	unsigned int missed = 0, compared = 0;
	uint64_t list[CHUNK];
	bool ram[CHUNK];

	look_up();
	for (uint64_t g = 0; g < NUMBERS; g += CHUNK) {
		uint32_t n = 0;

		for (uint64_t k = g; k < g + CHUNK; k++)
			if (frames[k] != HOLE || copy[k])
				list[n++] = k;
		if (n)
			types(list, ram, n);
		for (uint32_t k = 0; k < n; k++) {
			if (!ram[k] && frames[list[k]] != HOLE)
				continue;
			compared++;
			missed += differs(list[k], aloud && missed < 10);
		}
	}
	if (aloud || !missed)
		printf("%u pages compared, %u missed\n", compared, missed);
	return missed != 0;
}

static double now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

int main(int argc, char **argv)
{
	const struct timespec nap = { .tv_nsec = 3000000 };
	bool leave = argc > 3 && !strcmp(argv[3], "leave");
	unsigned int rounds = 0, told = 0;
	double end;
	int rc = 1;

	if (argc < 3 || transport_open_hosted(NULL, &t, &err)) {
		printf("logdirty DOMID MS [leave]: %s\n", err.msg);
		return 2;
	}
	domid = (uint32_t)strtoul(argv[1], NULL, 10);
	if (hv_logdirty(t, domid, true, &err))
		die("enable");
	look_up();
	for (uint64_t g = 0; g < NUMBERS; g++)
		take(g, frames[g]);
	for (end = now_ms() + strtod(argv[2], NULL); now_ms() < end; rounds++) {
		told += follow();
		nanosleep(&nap, NULL);
	}
	op(XEN_DOMCTL_pausedomain, "pause");
	/* Events come to a domain that is paused, too, and where they are noted is told in every round. */
	for (unsigned int i = 0; i < LOOKS && rc; i++) {
		told += follow();
		rc = compare(i == LOOKS - 1);
	}
	printf("%u rounds, %u pages told\n", rounds, told);
	if (leave)
		return rc;
	op(XEN_DOMCTL_unpausedomain, "unpause");
	if (hv_logdirty(t, domid, false, &err))
		die("off");
	return rc;
}
