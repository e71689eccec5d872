/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "config/config.h"
#include "pvctl/cmd.h"

struct globals globals;

enum { G_VERBOSE, G_DRY_RUN, G_FORCE, G_CARRIAGE, G_TIMESTAMPS, G_NODE, G_VERSION, G_HELP };
static const struct option_def global_table[] = {
	[G_VERBOSE] = { 'v', NULL, NULL, "say more; may be given several times" },
	[G_DRY_RUN] = { 'N', NULL, NULL, "do nothing, show what would be done (create)" },
	[G_FORCE] = { 'f', NULL, NULL, "as --force behind the commands that have it" },
	[G_CARRIAGE] = { 't', NULL, NULL, "show progress also when standard error is no terminal" },
	[G_TIMESTAMPS] = { 'T', NULL, NULL, "time and process in front of each log line" },
	[G_NODE] = { 0, "node", "NAME", "use the node NAME (default: PVCTL_NODE, or `default')" },
	[G_VERSION] = { 0, "version", NULL, "show the version" },
	[G_HELP] = { 'h', "help", NULL, "show this help" },
	{ 0 }
};

const struct option_def *global_options(void)
{
	return global_table;
}

static bool same_group(const struct command *cmd, const char *group)
{
	return group ? cmd->group && !strcmp(cmd->group, group) : !cmd->group;
}

/* Words of the first level: commands, and each group once. */
static const char *first_word(const void *data, size_t i)
{
	const char *last_group = "";

	for (size_t k = 0; commands[k]; k++) {
		const char *word = commands[k]->name;

		if (commands[k]->group) {
			if (!strcmp(commands[k]->group, last_group))
				continue;
			word = last_group = commands[k]->group;
		}
		if (!i--)
			return word;
	}
	return NULL;
}

static const char *group_word(const void *data, size_t i)
{
	for (size_t k = 0; commands[k]; k++)
		if (same_group(commands[k], data) && !i--)
			return commands[k]->name;
	return NULL;
}

/* Exact, else the only one that begins so, else NULL. */
static const char *complete(const char *word, const char *(*next)(const void *, size_t), const void *data)
{
	const char *found = NULL, *name;
	size_t len = strlen(word), n = 0;

	for (size_t i = 0; (name = next(data, i)); i++) {
		if (strncmp(name, word, len))
			continue;
		if (!name[len])
			return name;
		found = name;
		n++;
	}
	return n == 1 && len ? found : NULL;
}

const struct command *command_find(const char *group, const char *word)
{
	const char *name = complete(word, group ? group_word : first_word, group);

	for (size_t i = 0; name && commands[i]; i++)
		if (same_group(commands[i], group) && !strcmp(commands[i]->name, name))
			return commands[i];
	return NULL;
}

const struct command *command_in_group(const char *group, const char *word, bool *ret_takes_word)
{
	const struct command *rest = NULL;

	*ret_takes_word = false;
	for (size_t i = 0; commands[i]; i++) {
		if (!same_group(commands[i], group))
			continue;
		if (!strcmp(commands[i]->name, word))
			return commands[i];
		if (commands[i]->takes_rest)
			rest = commands[i];
	}
	*ret_takes_word = rest != NULL;
	return rest ? rest : command_find(group, word);
}

const char *command_group(const char *word)
{
	const char *name = complete(word, first_word, NULL);

	return name && !command_find(NULL, name) ? name : NULL;
}

void command_suggest(FILE *out, const char *group, const char *word)
{
	const char *(*next)(const void *, size_t) = group ? group_word : first_word;
	const char *name, *near, *prefix = group ? group : "", *space = group ? " " : "";
	size_t len = strlen(word), n = 0;

	if (!group && xl_refusal(word)) {
		fprintf(out, "there is no %s: %s\n", word, xl_refusal(word));
		return;
	}
	for (size_t i = 0; len && (name = next(group, i)); i++)
		if (!strncmp(name, word, len))
			fprintf(out, "%s%s%s%s", n++ ? " or " : "did you mean ", prefix, space, name);
	if (n) {
		fputs("?\n", out);
		return;
	}
	near = cfg_suggest(word, next, group);
	if (near)
		fprintf(out, "did you mean %s%s%s?\n", prefix, space, near);
	else
		fprintf(out, "`pvctl help%s%s' lists the commands\n", space, prefix);
}

/* The first line is what xl says, and what scripts look for. */
static int not_implemented(const char *group, const char *word)
{
	fputs("command not implemented\n", stderr);
	command_suggest(stderr, group, word);
	return EXIT_FAILED;
}

void print_overview(FILE *out)
{
	fputs("Usage: pvctl [-vNftT] [--node NAME] COMMAND [options] [arguments]\n\nCommands:\n", out);
	for (size_t i = 0; commands[i]; i++) {
		char name[64];

		command_full_name(commands[i], name, sizeof(name));
		fprintf(out, "  %-15s %s\n", name, commands[i]->summary);
	}
	fputs("\nOptions:\n", out);
	for (const struct option_def *o = global_table; o->letter || o->name; o++) {
		char left[32];

		snprintf(left, sizeof(left), "%c%c%s%s%s%s%s", o->letter ? '-' : ' ', o->letter ? o->letter : ' ',
			 o->letter && o->name ? ", " : o->name ? "  " : "", o->name ? "--" : "", o->name ? o->name : "",
			 o->arg ? " " : "", o->arg ? o->arg : "");
		fprintf(out, "  %-16s %s\n", left, o->help ? o->help : "accepted; has no effect");
	}
	fputs("\nA command may be shortened as long as it stays unique. `pvctl help COMMAND' says more.\n", out);
}

/* The index of the command, or -1 - exit code. */
static int parse_globals(int argc, char **argv)
{
	int i;

	for (i = 1; i < argc && argv[i][0] == '-' && argv[i][1]; i++) {
		const char *arg = argv[i];

		if (!strcmp(arg, "--"))
			return i + 1;
		if (!strcmp(arg, "--help")) {
			print_overview(stdout);
			return -1 - EXIT_OK;
		}
		if (!strcmp(arg, "--version")) {
			printf("pvctl %s\n", pvctl_version());
			return -1 - EXIT_OK;
		}
		if (!strncmp(arg, "--node=", 7)) {
			globals.node = arg + 7;
			continue;
		}
		if (!strcmp(arg, "--node") && i + 1 < argc) {
			globals.node = argv[++i];
			continue;
		}
		for (const char *p = arg + 1; *p; p++) {
			switch (*p) {
			case 'v': globals.verbose++; break;
			case 'N': globals.dry_run = true; break;
			case 'f': globals.force = true; break;
			case 't': globals.carriage = true; break;
			case 'T': globals.timestamps = true; break;
			case 'h':
				print_overview(stdout);
				return -1 - EXIT_OK;
			default:
				fprintf(stderr, "pvctl: unknown option %s\nTry `pvctl --help'.\n", arg);
				return -1 - EXIT_USAGE;
			}
		}
	}
	return i;
}

static int run(const struct command *cmd, int argc, char **argv)
{
	struct parsed in;
	int rc = options_parse(cmd, argc, argv, &in);

	if (rc)
		return rc - 1;
	if (globals.dry_run && !cmd->can_dry_run) {
		fputs("command does not implement -N (dryrun) option\n", stderr);
		return EXIT_FAILED;
	}
	return cmd->run(cmd, &in);
}

static int dispatch(int argc, char **argv)
{
	const struct command *cmd;
	const char *group;
	bool takes_word;
	int i = parse_globals(argc, argv);

	if (i < 0)
		return -1 - i;
	if (i >= argc) {
		print_overview(stderr);
		return EXIT_FAILED;
	}
	group = command_group(argv[i]);
	if (!group) {
		cmd = command_find(NULL, argv[i]);
		return cmd ? run(cmd, argc - i - 1, argv + i + 1) : not_implemented(NULL, argv[i]);
	}
	if (i + 1 >= argc || !strcmp(argv[i + 1], "--help") || !strcmp(argv[i + 1], "-h")) {
		bool asked = i + 1 < argc;

		fprintf(asked ? stdout : stderr, "Commands of pvctl %s:\n", group);
		for (size_t k = 0; commands[k]; k++)
			if (same_group(commands[k], group))
				fprintf(asked ? stdout : stderr, "  %s %-8s %s\n", group, commands[k]->name, commands[k]->summary);
		return asked ? EXIT_OK : EXIT_USAGE;
	}
	cmd = command_in_group(group, argv[i + 1], &takes_word);
	i += takes_word ? 0 : 1;
	return cmd ? run(cmd, argc - i - 1, argv + i + 1) : not_implemented(group, argv[i]);
}

int run_command_line(int argc, char **argv)
{
	int rc = dispatch(argc, argv);

	/* A full disk or a closed pipe must not look like success; a reader that has seen enough may go. */
	if ((fflush(stdout) || ferror(stdout)) && errno != EPIPE && rc == EXIT_OK) {
		fprintf(stderr, "pvctl: writing the output: %s\n", strerror(errno));
		rc = EXIT_FAILED;
	}
	return rc;
}

/* Other programs run xentop for its lines. */
static int run_as_xentop(int argc, char **argv)
{
	char **args = calloc((size_t)argc + 2, sizeof(args[0]));
	int rc = EXIT_FAILED;

	if (args) {
		args[0] = argv[0];
		args[1] = (char *)"top";
		memcpy(args + 2, argv + 1, (size_t)(argc - 1) * sizeof(args[0]));
		rc = run_command_line(argc + 1, args);
	}
	free(args);
	return rc;
}

int main(int argc, char **argv)
{
	bool as_xentop = argc > 0 && !strcmp(program_invocation_short_name, "xentop");

	signal(SIGPIPE, SIG_IGN);
	globals.as_xl = !strcmp(program_invocation_short_name, "xl");
	globals.node = getenv("PVCTL_NODE");
	if (globals.node && !globals.node[0])
		globals.node = NULL;
	return as_xentop ? run_as_xentop(argc, argv) : run_command_line(argc, argv);
}
