/* SPDX-License-Identifier: MIT */
/* Domains that are known while they do not run, and those that start with their node. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pvctl/cmd.h"
#include "pvctl/commands.h"
#include "pvctl/console.h"
#include "pvctl/json.h"
#include "pvctl/load.h"
#include "pvctl/term.h"

enum { DEFINE_AUTOSTART, DEFINE_STRICT };
static const struct option_def define_options[] = {
	[DEFINE_AUTOSTART] = { 'a', "autostart", NULL, "it starts with its node" },
	[DEFINE_STRICT] = { 0, "strict", NULL, "refuse unknown and ignored keys" },
	{ 0 }
};

static int define_run(const struct command *cmd, const struct parsed *in)
{
	struct load_opts load = { .filename = in->argv[0], .overrides = in->argv + 1, .n_overrides = in->argc - 1,
				  .strict = in->count[DEFINE_STRICT], .quiet = true };
	struct pvctl_autostart_opts autostart = { .size = sizeof(autostart), .autostart = 1, .order = -1, .delay_ms = -1 };
	struct pvctl_config *config;
	struct pvctl_error err = { 0 };
	const char *name;
	int rc = config_load(&load, &config);

	if (rc)
		return rc;
	name = pvctl_config_get_str(config, "name");
	if (pvctl_config_check_log(config, node_log, NULL, &err) || pvctl_defined_set(globals.node, config, &err) ||
	    (in->count[DEFINE_AUTOSTART] && pvctl_defined_autostart(globals.node, name, &autostart, &err)))
		rc = fail("define", name, &err);
	else
		note("Domain %s is defined: `pvctl start %s' starts it.", name, name);
	pvctl_config_free(config);
	return rc;
}

enum { UNDEFINE_DISKS };
static const struct option_def undefine_options[] = {
	[UNDEFINE_DISKS] = { 0, "disks", NULL, "and delete the disks that it has for having been made of a template" },
	{ 0 }
};

static int undefine_run(const struct command *cmd, const struct parsed *in)
{
	const char *name = in->argv[0];
	struct pvctl_error err = { 0 }, of_disks = { 0 };
	bool disks = in->count[UNDEFINE_DISKS] > 0, runs = false;
	int rc, rc_disks = 0;

	if (disks && domain_runs("undefine", name, &runs))
		return EXIT_FAILED;
	if (runs) {
		say_error("undefine %s: it runs, on the disks that would be deleted; `pvctl destroy %s' ends it", name, name);
		return EXIT_FAILED;
	}
	/* What is refused is found before anything is gone. */
	if (disks)
		rc_disks = pvctl_template_disks_remove(name, &of_disks);
	if (rc_disks && rc_disks != -ENOENT)
		return fail("undefine", name, &of_disks);
	rc = pvctl_defined_remove(globals.node, name, &err);
	/* It may have been undefined before, without its disks. */
	if (rc == -ENOENT && disks && !rc_disks)
		rc = 0;
	else if (!rc && rc_disks)
		return fail("undefine", name, &of_disks);
	return rc ? fail("undefine", name, &err) : EXIT_OK;
}

enum { START_CONSOLE, START_PAUSED };
static const struct option_def start_options[] = {
	[START_CONSOLE] = { 'c', "console", NULL, "attach to the console before the domain starts" },
	[START_PAUSED] = { 'p', "paused", NULL, "leave it paused" },
	{ 0 }
};

static int start_run(const struct command *cmd, const struct parsed *in)
{
	struct console_opts console = { .escape = CONSOLE_ESCAPE, .replay = CONSOLE_REPLAY_ALL, .unpause = !in->count[START_PAUSED] };
	struct pvctl_create_opts opts = { .size = sizeof(opts), .paused = in->count[START_PAUSED] || in->count[START_CONSOLE] };
	struct pvctl_config *config;
	struct pvctl_error err = { 0 };
	struct pvctl *ctx;
	uint32_t domid;
	int rc;

	if (pvctl_defined_get(globals.node, in->argv[0], &config, &err))
		return fail("start", in->argv[0], &err);
	ctx = node_open_or_start();
	rc = ctx ? 0 : EXIT_FAILED;
	if (!rc) {
		interrupts_catch();
		progress_begin("starting the domain");
		rc = pvctl_domain_create(ctx, config, &opts, &domid, &err);
		progress_end();
		if (rc)
			rc = fail("start", in->argv[0], &err);
		else if (in->count[START_CONSOLE])
			rc = console_session(ctx, domid, &console);
	}
	pvctl_close(ctx);
	pvctl_config_free(config);
	return rc;
}

enum { AUTO_ORDER, AUTO_DELAY };
static const struct option_def autostart_options[] = {
	[AUTO_ORDER] = { 'o', "order", "NUMBER", "lower numbers start first (default: 50)" },
	[AUTO_DELAY] = { 'd', "delay", "SECONDS", "wait so long before the next one starts" },
	{ 0 }
};

static int autostart_run(const struct command *cmd, const struct parsed *in)
{
	struct pvctl_autostart_opts opts = { .size = sizeof(opts), .order = -1, .delay_ms = -1 };
	struct pvctl_error err = { 0 };
	uint32_t n;

	if (strcmp(in->argv[1], "on") && strcmp(in->argv[1], "off"))
		return command_usage(cmd, "`%s' is neither on nor off", in->argv[1]);
	opts.autostart = !strcmp(in->argv[1], "on");
	if (in->count[AUTO_ORDER]) {
		if (parse_u32(in->value[AUTO_ORDER], 0, 9999, &n))
			return command_usage(cmd, "`%s' is no number from 0 to 9999", in->value[AUTO_ORDER]);
		opts.order = (int32_t)n;
	}
	if (in->count[AUTO_DELAY]) {
		n = 0;
		if (strcmp(in->value[AUTO_DELAY], "0") && (parse_seconds(in->value[AUTO_DELAY], &n) || n > 3600000))
			return command_usage(cmd, "`%s' is no time of at most an hour", in->value[AUTO_DELAY]);
		opts.delay_ms = (int32_t)n;
	}
	return pvctl_defined_autostart(globals.node, in->argv[0], &opts, &err) ? fail("autostart", in->argv[0], &err) : EXIT_OK;
}

enum { DEFINED_JSON };
static const struct option_def defined_options[] = {
	[DEFINED_JSON] = { 0, "json", NULL, "as JSON, with the configurations" },
	{ 0 }
};

static void defined_json(struct json *j, const struct pvctl_defined_info *i, bool runs, uint32_t domid)
{
	struct pvctl_config *config;
	char *text;

	json_map(j, NULL);
	json_str(j, "name", i->name);
	json_bool(j, "autostart", i->autostart);
	json_u64(j, "order", i->order);
	json_u64(j, "delay_ms", i->delay_ms);
	json_bool(j, "running", runs);
	if (runs)
		json_u64(j, "domid", domid);
	if (!pvctl_defined_get(globals.node, i->name, &config, NULL)) {
		if (!pvctl_config_to_json(config, &text, NULL)) {
			json_embed(j, "config", text);
			pvctl_free(text);
		}
		pvctl_config_free(config);
	}
	json_end_map(j);
}

static int defined_run(const struct command *cmd, const struct parsed *in)
{
	struct pvctl_open_opts open = { .size = sizeof(open), .node = globals.node };
	const struct pvctl_defined_info *i;
	struct pvctl_defined_list *list;
	struct pvctl_error err = { 0 };
	struct pvctl *ctx = NULL;
	struct json *j = NULL;
	int rc = EXIT_OK;

	if (pvctl_defined_list(globals.node, &list, &err))
		return fail("defined", NULL, &err);
	/* Without a node none of them runs. */
	rc = pvctl_open(&open, &ctx, &err);
	rc = rc && rc != -ENOENT ? fail("defined", NULL, &err) : EXIT_OK;
	if (!rc && in->count[DEFINED_JSON]) {
		j = json_open(true);
		rc = j ? EXIT_OK : EXIT_FAILED;
	}
	if (j)
		json_listing(j, "domains");
	else if (!rc)
		printf("%-40s %5s %-9s %5s %8s\n", "Name", "ID", "Autostart", "Order", "Delay(s)");
	for (size_t n = 0; !rc && (i = pvctl_defined_list_at(list, n)); n++) {
		uint32_t domid = 0;
		int found = ctx ? pvctl_domain_lookup(ctx, i->name, &domid, &err) : -ENOENT;
		bool runs = !found;
		char id[12] = "-";

		if (!runs && !is_no_domain(found)) {
			rc = fail("defined", i->name, &err);
			break;
		}
		if (runs)
			snprintf(id, sizeof(id), "%u", domid);
		if (j)
			defined_json(j, i, runs, domid);
		else
			printf("%-40s %5s %-9s %5u %8.1f\n", i->name, id, i->autostart ? "on" : "off", i->order, i->delay_ms / 1000.0);
	}
	if (j && !rc) {
		json_end_listing(j);
		rc = json_close(j);
	} else {
		json_free(j);
	}
	pvctl_close(ctx);
	pvctl_defined_list_free(list);
	return rc;
}

const struct command cmd_define = {
	.name = "define", .args = "FILE [KEY=VALUE ...]", .summary = "Keep a domain's configuration, to start it by its name",
	.example = "  pvctl define config/examples/hello.cfg memory=512 && pvctl start hello",
	.options = define_options, .args_min = 1, .args_max = -1, .run = define_run,
};
const struct command cmd_undefine = {
	.name = "undefine", .args = "DEFINED", .summary = "Forget a definition; the domain goes on if it runs",
	.example = "  pvctl undefine web1\n  pvctl undefine --disks web1", .options = undefine_options, .args_min = 1, .args_max = 1, .run = undefine_run,
};
const struct command cmd_start = {
	.name = "start", .args = "DEFINED", .summary = "Start a domain that was defined",
	.example = "  pvctl start -c web1", .options = start_options, .args_min = 1, .args_max = 1, .run = start_run,
};
const struct command cmd_autostart = {
	.name = "autostart", .args = "DEFINED on|off", .summary = "Have a defined domain start with its node, or not",
	.example = "  pvctl autostart db on --order 10 --delay 5\n  pvctl autostart web1 on",
	.options = autostart_options, .args_min = 2, .args_max = 2, .run = autostart_run,
};
const struct command cmd_defined = {
	.name = "defined", .args = "", .summary = "List the domains that are defined, in the order in which they start",
	.example = "  pvctl defined", .options = defined_options, .args_max = 0, .run = defined_run,
};
