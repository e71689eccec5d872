/* SPDX-License-Identifier: MIT */
/* Commands that are there for xl's sake. */
#include <string.h>

#include "pvctl/cmd.h"
#include "pvctl/commands.h"
#include "pvctl/json.h"
#include "pvctl/libxl_json.h"
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

enum { UPDATE_FILE, UPDATE_DEBUG, UPDATE_QUIET };
static const struct option_def update_options[] = {
	[UPDATE_FILE] = { 'f', "defconfig", "FILE", "the config file" },
	[UPDATE_DEBUG] = { 'd', "debug", NULL, "print the configuration on standard error, too" },
	[UPDATE_QUIET] = { 'q', "quiet", NULL, NULL },
	{ 0 }
};

static int update_run(const struct command *cmd, const struct parsed *in)
{
	int first = in->count[UPDATE_FILE] ? 1 : 2;
	struct load_opts load = { .filename = in->count[UPDATE_FILE] ? in->value[UPDATE_FILE] : in->argv[1], .overrides = in->argv + first,
				  .n_overrides = in->argc - first, .quiet = true };
	struct pvctl_config *config = NULL;
	struct pvctl_error err = { 0 };
	struct pvctl *ctx;
	struct json *j;
	uint32_t domid;
	int rc;

	if (in->argc < first)
		return command_usage(cmd, "FILE is missing");
	ctx = node_open();
	if (!ctx)
		return EXIT_FAILED;
	rc = domain_resolve(ctx, in->argv[0], &domid);
	rc = rc ? rc : config_load(&load, &config);
	if (!rc && !globals.dry_run && pvctl_domain_set_config(ctx, domid, config, &err))
		rc = fail("config-update", in->argv[0], &err);
	if (!rc && (in->count[UPDATE_DEBUG] || globals.dry_run) && (j = json_open(true))) {
		json_config(j, NULL, config, NULL);
		rc = json_close_to(j, globals.dry_run ? stdout : stderr);
	}
	pvctl_config_free(config);
	pvctl_close(ctx);
	return rc;
}

/* "NAME=VALUE" at *text, which moves behind it and the blanks after. 0: done. */
static int next_param(const struct command *cmd, const char **text, char name[64], uint32_t *ret)
{
	char value[16];
	size_t name_len = strcspn(*text, "= "), len;

	if ((*text)[name_len] != '=')
		return command_usage(cmd, "`%s' is not NAME=NUMBER", *text);
	len = strcspn(*text + name_len + 1, " ");
	snprintf(name, 64, "%.*s", (int)name_len, *text);
	snprintf(value, sizeof(value), "%.*s", (int)len, *text + name_len + 1);
	if (!name_len || name_len > 63 || len >= sizeof(value) || parse_u32(value, 0, UINT32_MAX, ret))
		return command_usage(cmd, "`%s' is not NAME=NUMBER", *text);
	*text += name_len + 1 + len;
	*text += strspn(*text, " ");
	return 0;
}

/* As with xl, one word may have several of them. All are read before any is set. */
static int params_run(const struct command *cmd, const struct parsed *in)
{
	struct pvctl_error err = { 0 };
	struct pvctl *ctx = NULL;
	char name[64];
	uint32_t value;
	int rc = 0;

	for (int turn = 0; turn < 2 && !rc; turn++) {
		if (turn && !(ctx = node_open()))
			return EXIT_FAILED;
		for (int i = 0; i < in->argc && !rc; i++) {
			const char *text = in->argv[i] + strspn(in->argv[i], " ");

			while (*text && !rc) {
				rc = next_param(cmd, &text, name, &value);
				if (!rc && turn && pvctl_host_set_parameter(ctx, name, value, &err))
					rc = fail(cmd->name, NULL, &err);
			}
		}
	}
	pvctl_close(ctx);
	return rc;
}

const struct command cmd_set_parameters = {
	.name = "set-parameters", .args = "NAME=NUMBER ...", .summary = "Set parameters of the hypervisor while the node runs",
	.example = "  pvctl set-parameters serial=1 guest_lines=1000", .args_min = 1, .args_max = -1, .run = params_run,
};
const struct command cmd_cpupool_list = {
	.name = "cpupool-list", .args = "[POOL]", .summary = "List the pools of CPUs: a node has one",
	.example = "  pvctl cpupool-list", .options = pool_options, .args_max = 1, .run = pool_run,
};
const struct command cmd_config_update = {
	.name = "config-update", .args = "DOMAIN [FILE] [KEY=VALUE ...]", .summary = "Change what a domain will be from its next restart on",
	.example = "  pvctl config-update web1 web1.cfg memory=512", .options = update_options, .args_min = 1, .args_max = -1,
	.can_dry_run = true, .run = update_run,
};
