/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "pvctl/cmd.h"
#include "pvctl/commands.h"
#include "pvctl/json.h"

/* For completion and the check of the man page: COMMAND TAB -x TAB --name TAB ARGUMENT. */
static void dump(const char *command, const struct option_def *o)
{
	for (; o && (o->letter || o->name); o++) {
		if (o->help && !o->help[0])
			continue;
		printf("%s\t", command);
		if (o->letter)
			printf("-%c", o->letter);
		printf("\t%s%s\t%s\n", o->name ? "--" : "", o->name ? o->name : "", o->arg ? o->arg : "");
	}
}

static int dump_all(void)
{
	dump("", global_options());
	for (size_t i = 0; commands[i]; i++) {
		char name[64];

		command_full_name(commands[i], name, sizeof(name));
		printf("%s\t\t\t%s\n", name, commands[i]->args);
		dump(name, commands[i]->options);
		dump(name, common_options());
	}
	return EXIT_OK;
}

enum { OPT_LONG, OPT_DUMP };
static const struct option_def options[] = {
	[OPT_LONG] = { 0, "long", NULL, NULL },
	[OPT_DUMP] = { 0, "dump-options", NULL, "" },
	{ 0 }
};

static int help_run(const struct command *cmd, const struct parsed *in)
{
	const struct command *wanted;
	const char *group;

	if (in->count[OPT_DUMP])
		return dump_all();
	if (!in->argc) {
		print_overview(stdout);
		return EXIT_OK;
	}
	group = command_group(in->argv[0]);
	if (group && in->argc == 1) {
		for (size_t i = 0; commands[i]; i++) {
			if (!commands[i]->group || strcmp(commands[i]->group, group))
				continue;
			command_print_help(stdout, commands[i]);
			if (commands[i + 1] && commands[i + 1]->group && !strcmp(commands[i + 1]->group, group))
				putchar('\n');
		}
		return EXIT_OK;
	}
	if (!group && !strcmp(in->argv[0], "keys"))
		return cmd_config_keys.run(&cmd_config_keys, &(struct parsed){ 0 });
	wanted = command_find(group, in->argv[group ? 1 : 0]);
	if (!wanted) {
		printf("command \"%s\" not implemented\n", in->argv[group ? 1 : 0]);
		command_suggest(stderr, group, in->argv[group ? 1 : 0]);
		return EXIT_FAILED;
	}
	command_print_help(stdout, wanted);
	return EXIT_OK;
}

enum { VERSION_JSON };
static const struct option_def version_options[] = {
	[VERSION_JSON] = { 0, "json", NULL, "as JSON" },
	{ 0 }
};

static int version_run(const struct command *cmd, const struct parsed *in)
{
	struct json *j;

	if (in->count[VERSION_JSON]) {
		j = json_document();
		if (!j)
			return EXIT_FAILED;
		json_str(j, "pvctl", PVCTL_VERSION);
		json_str(j, "libpvctl", pvctl_version());
		json_end_map(j);
		return json_close(j);
	}
	printf("pvctl %s\nlibpvctl %s\n", PVCTL_VERSION, pvctl_version());
	return EXIT_OK;
}

const struct command cmd_help = {
	.name = "help", .args = "[COMMAND]", .summary = "List the commands, or explain one",
	.example = "  pvctl help create", .options = options, .args_max = 2, .run = help_run,
};
const struct command cmd_version = {
	.name = "version", .args = "", .summary = "Print the version of the command and of the library",
	.example = "  pvctl version", .options = version_options, .args_max = 0, .run = version_run,
};
