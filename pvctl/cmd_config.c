/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <string.h>

#include "config/schema.h"
#include "pvctl/cmd.h"
#include "pvctl/commands.h"
#include "pvctl/json.h"
#include "pvctl/load.h"

enum { OPT_STRICT, OPT_QUIET };
static const struct option_def check_options[] = {
	[OPT_STRICT] = { 0, "strict", NULL, "refuse unknown and ignored keys" },
	[OPT_QUIET] = { 'q', "quiet", NULL, "only warnings and errors" },
	{ 0 }
};

static int check_run(const struct command *cmd, const struct parsed *in)
{
	struct load_opts load = {
		.filename = in->argv[0], .overrides = in->argv + 1, .n_overrides = in->argc - 1,
		.strict = in->count[OPT_STRICT], .quiet = in->count[OPT_QUIET],
	};
	struct pvctl_error err = { 0 };
	struct pvctl_config *config;
	int rc = config_load(&load, &config);

	if (rc)
		return rc;
	if (pvctl_config_check_log(config, node_log, NULL, &err))
		rc = fail("config check", load.filename, &err);
	else if (!load.quiet)
		note("%s: good", load.filename);
	pvctl_config_free(config);
	return rc;
}

enum { KEYS_JSON, KEYS_ALL };
static const struct option_def keys_options[] = {
	[KEYS_JSON] = { 0, "json", NULL, "as JSON" },
	[KEYS_ALL] = { 'a', "all", NULL, "also those that are only for xl, or not supported yet" },
	{ 0 }
};

static void range_text(const struct cfg_key *key, char *buf, size_t size)
{
	if (key->kind == CFG_KIND_NUMBER && key->status == CFG_STATUS_SUPPORTED)
		snprintf(buf, size, "%" PRId64 "..%" PRId64, key->min, key->max);
	else
		snprintf(buf, size, "%s", cfg_kind_name(key->kind));
}

static void put_key(const struct cfg_key *key)
{
	char range[48];

	range_text(key, range, sizeof(range));
	printf("%-20s %-10s %-13s %-8s %s\n", key->name, cfg_status_name(key->status), range,
	       key->fallback ? key->fallback : "-", key->help);
	if (key->kind == CFG_KIND_CHOICE && key->status == CFG_STATUS_SUPPORTED)
		printf("%-54s one of: %s\n", "", key->choices);
}

static void json_key(struct json *j, const struct cfg_key *key)
{
	json_map(j, NULL);
	json_str(j, "name", key->name);
	json_str(j, "status", cfg_status_name(key->status));
	json_str(j, "type", cfg_kind_name(key->kind));
	if (key->kind == CFG_KIND_NUMBER && key->status == CFG_STATUS_SUPPORTED) {
		json_u64(j, "min", (uint64_t)key->min);
		json_u64(j, "max", (uint64_t)key->max);
	}
	json_str(j, "choices", key->choices);
	json_str(j, "default", key->fallback);
	json_str(j, "help", key->help);
	json_end_map(j);
}

static int keys_run(const struct command *cmd, const struct parsed *in)
{
	const struct cfg_key *key;
	struct json *j = NULL;

	if (in->count[KEYS_JSON]) {
		j = json_open(true);
		if (!j)
			return EXIT_FAILED;
		json_listing(j, "keys");
	} else {
		printf("%-20s %-10s %-13s %-8s %s\n", "Key", "Status", "Value", "Default", "Meaning");
	}
	for (size_t i = 0; (key = cfg_key_at(i)); i++) {
		if (j)
			json_key(j, key);
		else if (in->count[KEYS_ALL] || key->status == CFG_STATUS_SUPPORTED)
			put_key(key);
	}
	if (!j)
		return EXIT_OK;
	json_end_listing(j);
	return json_close(j);
}

const struct command cmd_config_check = {
	.group = "config", .name = "check", .args = "FILE [KEY=VALUE ...]",
	.summary = "Check a config file, and change nothing",
	.example = "  pvctl config check --strict web1.cfg",
	.options = check_options, .args_min = 1, .args_max = -1, .run = check_run,
};
const struct command cmd_config_keys = {
	.group = "config", .name = "keys", .args = "", .summary = "List the keys that a config file may have",
	.example = "  pvctl config keys -a", .options = keys_options, .args_max = 0, .run = keys_run,
};
