/* SPDX-License-Identifier: MIT */
/* Commands that are there for xl's sake. */
#include <string.h>

#include "pvctl/cmd.h"
#include "pvctl/commands.h"
#include "pvctl/json.h"
#include "pvctl/load.h"

enum { POOL_CPUS, POOL_JSON };
static const struct option_def pool_options[] = {
	[POOL_CPUS] = { 'c', "cpus", NULL, "its CPUs" },
	[POOL_JSON] = { 0, "json", NULL, "as JSON" },
	{ 0 }
};

static int pool_json(const struct pvctl_host_info *h, size_t domains)
{
	struct json *j = json_open(true);

	if (!j)
		return EXIT_FAILED;
	json_listing(j, "cpupools");
	json_map(j, NULL);
	json_str(j, "name", "Pool-0");
	json_str(j, "scheduler", h->scheduler);
	json_u64(j, "domains", domains);
	json_array(j, "cpus");
	for (uint32_t i = 0; i < h->cpus; i++)
		json_u64(j, NULL, i);
	json_end_array(j);
	json_end_map(j);
	json_end_listing(j);
	return json_close(j);
}

static int pool_run(const struct command *cmd, const struct parsed *in)
{
	struct pvctl_host_info h = { .size = sizeof(h) };
	struct pvctl_error err = { 0 };
	struct pvctl_domain_list *list = NULL;
	struct pvctl *ctx = node_open();
	size_t domains = 0;
	int rc = EXIT_OK;

	if (!ctx)
		return EXIT_FAILED;
	if (pvctl_host_get(ctx, &h, &err) || pvctl_domain_list(ctx, &list, &err))
		rc = fail("cpupool-list", NULL, &err);
	if (list)
		domains = pvctl_domain_list_count(list);
	pvctl_domain_list_free(list);
	pvctl_close(ctx);
	if (rc)
		return rc;
	if (in->count[POOL_JSON])
		return pool_json(&h, domains);
	printf("%-19s%s\n", "Name", in->count[POOL_CPUS] ? "CPU list" : "CPUs   Sched     Active   Domain count");
	if (in->argc && parse_u32(in->argv[0], 0, 0, &(uint32_t){ 0 }) && strcmp(in->argv[0], "Pool-0")) {
		fprintf(stderr, "%s is an invalid cpupool identifier\n", in->argv[0]);
		return EXIT_FAILED;
	}
	printf("%-19s", "Pool-0");
	if (!in->count[POOL_CPUS])
		printf("%3u %9s       y       %4zu", h.cpus, h.scheduler, domains);
	for (uint32_t i = 0; in->count[POOL_CPUS] && i < h.cpus; i++)
		printf("%s%u", i ? "," : "", i);
	putchar('\n');
	return EXIT_OK;
}

static int update_run(const struct command *cmd, const struct parsed *in)
{
	struct load_opts load = { .filename = in->argv[1], .overrides = in->argv + 2, .n_overrides = in->argc - 2, .quiet = true };
	struct pvctl_config *config = NULL;
	struct pvctl_error err = { 0 };
	struct pvctl *ctx = node_open();
	uint32_t domid;
	int rc;

	if (!ctx)
		return EXIT_FAILED;
	rc = domain_resolve(ctx, in->argv[0], &domid);
	rc = rc ? rc : config_load(&load, &config);
	if (!rc && pvctl_domain_set_config(ctx, domid, config, &err))
		rc = fail("config-update", in->argv[0], &err);
	pvctl_config_free(config);
	pvctl_close(ctx);
	return rc;
}

const struct command cmd_cpupool_list = {
	.name = "cpupool-list", .args = "[POOL]", .summary = "List the pools of CPUs: a node has one",
	.example = "  pvctl cpupool-list", .options = pool_options, .args_max = 1, .run = pool_run,
};
const struct command cmd_config_update = {
	.name = "config-update", .args = "DOMAIN FILE [KEY=VALUE ...]", .summary = "Change what a domain will be from its next restart on",
	.example = "  pvctl config-update web1 web1.cfg memory=512", .args_min = 2, .args_max = -1, .run = update_run,
};
