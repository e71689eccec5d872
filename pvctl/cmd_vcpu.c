/* SPDX-License-Identifier: MIT */
/* vcpu-list and uptime. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "pvctl/cmd.h"
#include "pvctl/commands.h"
#include "pvctl/json.h"

enum { OPT_JSON };
static const struct option_def vcpu_options[] = {
	[OPT_JSON] = { 0, "json", NULL, "as JSON" },
	{ 0 }
};

/* "all", or ranges: "0-2,5". */
static void affinity_text(uint64_t mask, uint32_t cpus, char *buf, size_t size)
{
	uint64_t whole = cpus >= 64 ? ~UINT64_C(0) : (UINT64_C(1) << cpus) - 1;
	int n = 0;

	buf[0] = '\0';
	if (cpus && (mask & whole) == whole) {
		snprintf(buf, size, "all");
		return;
	}
	for (unsigned int first = 0; first < 64; first++) {
		unsigned int last = first;

		if (!(mask >> first & 1))
			continue;
		while (last < 63 && mask >> (last + 1) & 1)
			last++;
		n += snprintf(buf + n, n < (int)size ? size - (size_t)n : 0, last > first ? "%s%u-%u" : "%s%u",
			      n ? "," : "", first, last);
		first = last;
	}
	if (!n)
		snprintf(buf, size, "none");
}

struct vcpu_output {
	struct json *j; /* NULL: the table */
	uint32_t cpus;
};

static void put_vcpu(const struct vcpu_output *out, const char *name, const struct pvctl_vcpu_info *v)
{
	char hard[256], soft[256];

	affinity_text(v->hard_affinity, out->cpus, hard, sizeof(hard));
	affinity_text(v->soft_affinity, out->cpus, soft, sizeof(soft));
	if (out->j) {
		json_map(out->j, NULL);
		json_str(out->j, "name", name);
		json_u64(out->j, "domid", v->domid);
		json_u64(out->j, "vcpu", v->vcpu);
		json_bool(out->j, "online", v->online);
		json_bool(out->j, "running", v->running);
		json_bool(out->j, "blocked", v->blocked);
		json_u64(out->j, "cpu", v->cpu);
		json_u64(out->j, "cpu_ns", v->cpu_ns);
		json_str(out->j, "hard_affinity", hard);
		json_str(out->j, "soft_affinity", soft);
		json_end_map(out->j);
		return;
	}
	printf("%-32s %5u %5u", name, v->domid, v->vcpu);
	if (v->online)
		printf(" %5u   %c%c-", v->cpu, v->running ? 'r' : '-', v->blocked ? 'b' : '-');
	else
		printf(" %5c   --p", '-');
	printf(" %9.1f %s / %s\n", (double)v->cpu_ns / 1e9, hard, soft);
}

static int put_domain(struct pvctl *ctx, const struct vcpu_output *out, const struct pvctl_domain_info *info)
{
	struct pvctl_error err = { 0 };
	struct pvctl_vcpu_list *list;
	const struct pvctl_vcpu_info *v;
	int rc;

	/* The host has CPUs, but as domain 0 it has no virtual ones. */
	if (!info->domid && !info->vcpus_online)
		return 0;
	rc = pvctl_vcpu_list(ctx, info->domid, &list, &err);
	if (rc)
		return rc == -ESRCH ? 0 : fail("vcpu-list", info->name, &err);
	for (size_t i = 0; (v = pvctl_vcpu_list_at(list, i)); i++)
		put_vcpu(out, info->name[0] ? info->name : "(null)", v);
	pvctl_vcpu_list_free(list);
	return 0;
}

/* Calls put for each domain named, or for all. */
static int each_domain(struct pvctl *ctx, const struct parsed *in, void *data,
		       int (*put)(struct pvctl *, void *, const struct pvctl_domain_info *))
{
	struct pvctl_error err = { 0 };
	struct pvctl_domain_list *list;
	const struct pvctl_domain_info *at;
	int rc = 0;

	for (int i = 0; !rc && i < in->argc; i++) {
		struct pvctl_domain_info info = { .size = sizeof(info) };
		uint32_t domid;

		rc = domain_resolve(ctx, in->argv[i], &domid);
		if (rc)
			return rc;
		if (pvctl_domain_get(ctx, domid, &info, &err)) {
			fprintf(stderr, "Error: Domain '%s' does not exist.\n", in->argv[i]);
			return EXIT_FAILED;
		}
		rc = put(ctx, data, &info);
	}
	if (in->argc)
		return rc;
	if (pvctl_domain_list(ctx, &list, &err))
		return fail("list", NULL, &err);
	for (size_t i = 0; !rc && (at = pvctl_domain_list_at(list, i)); i++)
		rc = put(ctx, data, at);
	pvctl_domain_list_free(list);
	return rc;
}

static int put_vcpus(struct pvctl *ctx, void *data, const struct pvctl_domain_info *info)
{
	return put_domain(ctx, data, info);
}

static int vcpu_list_run(const struct command *cmd, const struct parsed *in)
{
	struct vcpu_output out = { 0 };
	struct pvctl_host_info host = { .size = sizeof(host) };
	struct pvctl *ctx = node_open();
	int rc;

	if (!ctx)
		return EXIT_FAILED;
	if (!pvctl_host_get(ctx, &host, NULL))
		out.cpus = host.cpus;
	if (in->count[OPT_JSON]) {
		out.j = json_open(true);
		if (!out.j) {
			pvctl_close(ctx);
			return EXIT_FAILED;
		}
		json_listing(out.j, "vcpus");
	} else {
		printf("%-32s %5s %5s %5s %5s %9s %s\n", "Name", "ID", "VCPU", "CPU", "State", "Time(s)",
		       "Affinity (Hard / Soft)");
	}
	rc = each_domain(ctx, in, &out, put_vcpus);
	if (out.j) {
		json_end_listing(out.j);
		/* Half a listing would look whole. */
		if (rc)
			json_free(out.j);
		else
			rc = json_close(out.j);
	}
	pvctl_close(ctx);
	return rc;
}

enum { UP_SHORT, UP_JSON };
static const struct option_def uptime_options[] = {
	[UP_SHORT] = { 's', "short", NULL, "one line for each domain, with the time of day" },
	[UP_JSON] = { 0, "json", NULL, "as JSON" },
	{ 0 }
};

struct uptime_output {
	struct json *j;
	bool brief;
	uint64_t node_ns;
};

static uint64_t uptime_seconds(const struct uptime_output *out, const struct pvctl_domain_info *info)
{
	struct timespec ts;
	uint64_t now;

	if (!info->domid)
		return out->node_ns / UINT64_C(1000000000);
	clock_gettime(CLOCK_REALTIME, &ts);
	now = (uint64_t)ts.tv_sec * UINT64_C(1000000000) + (uint64_t)ts.tv_nsec;
	return now > info->created_unix_ns ? (now - info->created_unix_ns) / UINT64_C(1000000000) : 0;
}

static int put_uptime(struct pvctl *ctx, void *data, const struct pvctl_domain_info *info)
{
	const struct uptime_output *out = data;
	uint64_t s = uptime_seconds(out, info), days = s / 86400;
	unsigned int h = (unsigned int)(s / 3600 % 24), m = (unsigned int)(s / 60 % 60), sec = (unsigned int)(s % 60);
	const char *name = info->name[0] ? info->name : "(null)";
	char text[64];
	int n = 0;

	if (out->j) {
		json_map(out->j, NULL);
		json_str(out->j, "name", name);
		json_u64(out->j, "domid", info->domid);
		json_u64(out->j, "uptime_s", s);
		json_end_map(out->j);
		return 0;
	}
	if (days)
		n = snprintf(text, sizeof(text), "%" PRIu64 " day%s, ", days, days == 1 ? "" : "s");
	if (out->brief) {
		time_t t = time(NULL);
		struct tm tm;
		char now[16];

		localtime_r(&t, &tm);
		strftime(now, sizeof(now), "%H:%M:%S", &tm);
		snprintf(text + n, sizeof(text) - (size_t)n, "%2u:%02u", h, m);
		printf(" %s up %s, %s (%u)\n", now, text, name, info->domid);
	} else {
		snprintf(text + n, sizeof(text) - (size_t)n, "%2u:%02u:%02u", h, m, sec);
		printf("%-33s %4u %s\n", name, info->domid, text);
	}
	return 0;
}

static int uptime_run(const struct command *cmd, const struct parsed *in)
{
	struct uptime_output out = { .brief = in->count[UP_SHORT] };
	struct pvctl_node_info node = { .size = sizeof(node) };
	struct pvctl *ctx = node_open();
	int rc;

	if (!ctx)
		return EXIT_FAILED;
	if (!pvctl_node_get(globals.node, &node, NULL))
		out.node_ns = node.uptime_ns;
	if (in->count[UP_JSON]) {
		out.j = json_open(true);
		if (!out.j) {
			pvctl_close(ctx);
			return EXIT_FAILED;
		}
		json_listing(out.j, "domains");
	} else if (!out.brief) {
		printf("%-33s %4s %s\n", "Name", "ID", "Uptime");
	}
	rc = each_domain(ctx, in, &out, put_uptime);
	if (out.j) {
		json_end_listing(out.j);
		if (rc)
			json_free(out.j);
		else
			rc = json_close(out.j);
	}
	pvctl_close(ctx);
	return rc;
}

const struct command cmd_vcpu_list = {
	.name = "vcpu-list", .args = "[DOMAIN ...]", .summary = "List virtual CPUs, where they run and their CPU time",
	.example = "  pvctl vcpu-list web1", .options = vcpu_options, .args_min = 0, .args_max = -1, .run = vcpu_list_run,
};
const struct command cmd_uptime = {
	.name = "uptime", .args = "[DOMAIN ...]", .summary = "Print how long domains have been there",
	.example = "  pvctl uptime -s", .options = uptime_options, .args_min = 0, .args_max = -1, .run = uptime_run,
};
