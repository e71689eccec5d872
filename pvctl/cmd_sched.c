/* SPDX-License-Identifier: MIT */
/* sched-credit2, and sched-credit, which means the same here: one scheduler with weights and caps. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pvctl/cmd.h"
#include "pvctl/commands.h"
#include "pvctl/json.h"

/* xl's name of the one pool there is. */
#define POOL "Pool-0"
#define KEEP (-1)

enum { OPT_DOMAIN, OPT_WEIGHT, OPT_CAP, OPT_POOL, OPT_JSON, OPT_PARAMS, OPT_RATE, OPT_SLICE };
static const struct option_def options[] = {
	[OPT_DOMAIN] = { 'd', "domain", "DOMAIN", "this domain; without -w and -c show it" },
	[OPT_WEIGHT] = { 'w', "weight", "WEIGHT", "its share of CPU time, 1 to 65535" },
	[OPT_CAP] = { 'c', "cap", "CAP", "its most CPU time, in percent of one CPU; 0 is no limit" },
	[OPT_POOL] = { 'p', "cpupool", "CPUPOOL", "this pool of CPUs; there is Pool-0" },
	[OPT_JSON] = { 0, "json", NULL, "as JSON" },
	[OPT_PARAMS] = { 's', "schedparam", NULL, "the pool's own parameters alone" },
	[OPT_RATE] = { 'r', "ratelimit_us", "US", "refused: see the manual" },
	[OPT_SLICE] = { 't', "tslice_ms", "MS", "refused, as well" },
	{ 0 }
};

static int put(struct pvctl *ctx, struct json *j, const struct pvctl_domain_info *info)
{
	struct pvctl_error err = { 0 };
	uint32_t weight, cap;
	int rc = pvctl_domain_get_sched(ctx, info->domid, &weight, &cap, &err);

	if (rc == -ESRCH)
		return 0;
	if (rc)
		return fail("sched-credit2", info->name, &err);
	if (j) {
		json_map(j, NULL);
		json_str(j, "name", info->name[0] ? info->name : NULL);
		json_u64(j, "domid", info->domid);
		json_u64(j, "weight", weight);
		json_u64(j, "cap", cap);
		json_end_map(j);
	} else {
		printf("%-33s %4u %6u %4u\n", info->name[0] ? info->name : "(null)", info->domid, weight, cap);
	}
	return 0;
}

static int put_all(struct pvctl *ctx, struct json *j)
{
	struct pvctl_error err = { 0 };
	struct pvctl_domain_list *list;
	const struct pvctl_domain_info *info;
	int rc = 0;

	if (pvctl_domain_list(ctx, &list, &err))
		return fail("list", NULL, &err);
	for (size_t i = 0; !rc && (info = pvctl_domain_list_at(list, i)); i++)
		/* As domain 0 the host has no virtual CPUs to weigh. */
		if (info->domid)
			rc = put(ctx, j, info);
	pvctl_domain_list_free(list);
	return rc;
}

/* The hypervisor's slice is at most this long; it limits no rates and delays no moves. */
static void print_pool(bool with_slice)
{
	printf("Cpupool " POOL ": %s\n", with_slice ? "tslice=6ms ratelimit=0us migration-delay=0us" : "ratelimit=0us");
}

static int show(struct pvctl *ctx, const struct command *cmd, const struct parsed *in,
		const struct pvctl_domain_info *only)
{
	struct json *j = NULL;
	int rc;

	if (in->count[OPT_JSON]) {
		j = json_open(true);
		if (!j)
			return EXIT_FAILED;
		json_listing(j, "domains");
	} else {
		if (!only)
			print_pool(!strcmp(cmd->name, "sched-credit"));
		printf("%-33s %4s %6s %4s\n", "Name", "ID", "Weight", "Cap");
	}
	rc = only ? put(ctx, j, only) : put_all(ctx, j);
	if (j) {
		json_end_listing(j);
		if (rc)
			json_free(j);
		else
			rc = json_close(j);
	}
	return rc;
}

/* -c 0 is a value, and so none of these is told by being 0. */
static int number(const struct command *cmd, const struct parsed *in, int option, int32_t *ret)
{
	uint32_t n;

	*ret = KEEP;
	if (!in->count[option])
		return 0;
	if (parse_u32(in->value[option], 0, INT32_MAX, &n))
		return command_usage(cmd, "--%s: `%s' is no number", options[option].name, in->value[option]);
	*ret = (int32_t)n;
	return 0;
}

static int one_domain(struct pvctl *ctx, const struct command *cmd, const struct parsed *in, int32_t weight, int32_t cap)
{
	const char *arg = in->value[OPT_DOMAIN];
	struct pvctl_error err = { 0 };
	struct pvctl_domain_info info = { .size = sizeof(info) };
	uint32_t domid;
	int rc = domain_resolve(ctx, arg, &domid);

	if (rc)
		return rc;
	rc = pvctl_domain_get(ctx, domid, &info, &err);
	if (!rc && weight == KEEP && cap == KEEP)
		return show(ctx, cmd, in, &info);
	if (!rc)
		rc = pvctl_domain_set_sched(ctx, domid, weight, cap, &err);
	if (rc == -ESRCH) {
		fprintf(stderr, "Error: Domain '%s' does not exist.\n", arg);
		return EXIT_FAILED;
	}
	return rc ? fail(cmd->name, arg, &err) : EXIT_OK;
}

static int sched_run(const struct command *cmd, const struct parsed *in)
{
	struct pvctl *ctx;
	int32_t weight, cap;
	int rc = number(cmd, in, OPT_WEIGHT, &weight);

	if (!rc)
		rc = number(cmd, in, OPT_CAP, &cap);
	if (rc)
		return rc;
	if (in->count[OPT_POOL] && strcmp(in->value[OPT_POOL], POOL)) {
		say_error("%s: there is no pool %s, only " POOL, cmd->name, in->value[OPT_POOL]);
		return EXIT_FAILED;
	}
	if (in->count[OPT_SLICE] || in->count[OPT_RATE]) {
		say_error("%s: %s cannot be set: the scheduler chooses its slices itself, of at most 6 ms, and limits no rates", cmd->name,
			  in->count[OPT_SLICE] ? "the time slice" : "a rate limit");
		return EXIT_FAILED;
	}
	if (in->count[OPT_PARAMS] && (in->count[OPT_DOMAIN] || weight != KEEP || cap != KEEP || in->count[OPT_JSON]))
		return command_usage(cmd, "-s is about the pool: not with a domain, a weight, a cap or --json");
	if (!in->count[OPT_DOMAIN] && (weight != KEEP || cap != KEEP)) {
		fprintf(stderr, "Must specify a domain.\n");
		return EXIT_FAILED;
	}
	ctx = node_open();
	if (!ctx)
		return EXIT_FAILED;
	if (in->count[OPT_PARAMS])
		print_pool(!strcmp(cmd->name, "sched-credit"));
	else
		rc = in->count[OPT_DOMAIN] ? one_domain(ctx, cmd, in, weight, cap) : show(ctx, cmd, in, NULL);
	pvctl_close(ctx);
	return rc;
}

const struct command cmd_sched_credit2 = {
	.name = "sched-credit2", .args = "", .summary = "Show or set the weight and the cap of domains",
	.example = "  pvctl sched-credit2\n  pvctl sched-credit2 -d web1 -w 512 -c 150", .options = options, .args_min = 0,
	.args_max = 0, .run = sched_run,
};
const struct command cmd_sched_credit = {
	.name = "sched-credit", .args = "", .summary = "The same as sched-credit2",
	.example = "  pvctl sched-credit -d web1 -w 512", .options = options, .args_min = 0, .args_max = 0, .run = sched_run,
};
