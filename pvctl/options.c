/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <string.h>

#include "config/config.h"
#include "pvctl/cmd.h"

static const struct option_def no_options[] = { { 0 } };

static const struct option_def common[] = {
	{ 0, "node", "NAME", "use the node NAME (default: PVCTL_NODE, or `default')" },
	{ 0, "help", NULL, "show this help" },
	{ 0 }
};
enum { COMMON_NODE, COMMON_HELP };

const struct option_def *common_options(void)
{
	return common;
}

static bool is_end(const struct option_def *o)
{
	return !o->letter && !o->name;
}

void command_full_name(const struct command *cmd, char *buf, size_t size)
{
	snprintf(buf, size, "%s%s%s", cmd->group ? cmd->group : "", cmd->group ? " " : "", cmd->name);
}

static void print_option(FILE *out, const struct option_def *o)
{
	char left[64];
	int n = 0;

	if (o->letter)
		n += snprintf(left + n, sizeof(left) - (size_t)n, "-%c%s", o->letter, o->name ? ", " : "");
	else
		n += snprintf(left + n, sizeof(left) - (size_t)n, "    ");
	if (o->name)
		n += snprintf(left + n, sizeof(left) - (size_t)n, "--%s", o->name);
	if (o->arg)
		snprintf(left + n, sizeof(left) - (size_t)n, " %s", o->arg);
	fprintf(out, strlen(left) > 26 ? "  %s\n%29s%s\n" : "  %-26s%s%s\n", left, " ",
		o->help ? o->help : "accepted; has no effect");
}

void command_print_help(FILE *out, const struct command *cmd)
{
	const struct option_def *options = cmd->options ? cmd->options : no_options;
	char name[64];

	command_full_name(cmd, name, sizeof(name));
	fprintf(out, "Usage: pvctl [-vNftT] %s%s%s%s\n\n%s.\n\nOptions:\n", name,
		is_end(options) ? "" : " [options]", cmd->args[0] ? " " : "", cmd->args, cmd->summary);
	for (const struct option_def *o = options; !is_end(o); o++)
		if (!o->help || o->help[0])
			print_option(out, o);
	for (const struct option_def *o = common; !is_end(o); o++)
		print_option(out, o);
	if (cmd->example)
		fprintf(out, "\nExample:\n%s\n", cmd->example);
}

int command_usage(const struct command *cmd, const char *fmt, ...)
{
	char name[64];
	va_list ap;

	command_full_name(cmd, name, sizeof(name));
	fprintf(stderr, "pvctl %s: ", name);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, "\nUsage: pvctl %s%s%s%s\nTry `pvctl %s --help'.\n", name, cmd->options ? " [options]" : "",
		cmd->args[0] ? " " : "", cmd->args, name);
	return EXIT_USAGE;
}

static const char *next_name(const void *data, size_t i)
{
	const struct option_def *o = data;

	for (; !is_end(o); o++)
		if (o->name && !i--)
			return o->name;
	for (o = common; !is_end(o); o++)
		if (!i--)
			return o->name;
	return NULL;
}

struct match {
	const struct option_def *found;
	unsigned int index;
	bool is_common;
	unsigned int prefixes;
};

static void match_long(struct match *m, const struct option_def *table, bool is_common, const char *name, size_t len)
{
	for (unsigned int i = 0; !is_end(&table[i]); i++) {
		const struct option_def *o = &table[i];
		bool exact;

		if (!o->name || strncmp(o->name, name, len))
			continue;
		exact = o->name[len] == '\0';
		if (!exact && m->found && m->found->name[len] == '\0')
			continue;
		if (exact)
			m->prefixes = 0;
		m->prefixes++;
		m->found = o;
		m->index = i;
		m->is_common = is_common;
	}
}

/* 0, or an exit code + 1. */
static int take(const struct command *cmd, struct parsed *ret, const struct match *m, const char *value)
{
	if (!m->is_common) {
		ret->count[m->index]++;
		ret->value[m->index] = value;
		return 0;
	}
	if (m->index == COMMON_HELP) {
		command_print_help(stdout, cmd);
		return EXIT_OK + 1;
	}
	globals.node = value;
	return 0;
}

static int unknown_option(const struct command *cmd, const char *name)
{
	const struct option_def *options = cmd->options ? cmd->options : no_options;
	char word[64];
	const char *near;

	snprintf(word, sizeof(word), "%.*s", (int)strcspn(name, "="), name);
	near = cfg_suggest(word, next_name, options);
	if (near)
		return command_usage(cmd, "there is no option --%s: did you mean --%s?", word, near) + 1;
	return command_usage(cmd, "there is no option --%s", word) + 1;
}

static int parse_long(const struct command *cmd, const char *name, int *i, int argc, char **argv, struct parsed *ret)
{
	const struct option_def *options = cmd->options ? cmd->options : no_options;
	size_t len = strcspn(name, "=");
	const char *value = name[len] ? name + len + 1 : NULL;
	struct match m = { 0 };

	match_long(&m, options, false, name, len);
	match_long(&m, common, true, name, len);
	if (!m.found || !len)
		return unknown_option(cmd, name);
	if (m.prefixes > 1)
		return command_usage(cmd, "--%.*s is ambiguous", (int)len, name) + 1;
	if (!m.found->arg && value)
		return command_usage(cmd, "--%s takes no value", m.found->name) + 1;
	if (m.found->arg && !value) {
		if (++*i >= argc)
			return command_usage(cmd, "--%s needs %s", m.found->name, m.found->arg) + 1;
		value = argv[*i];
	}
	return take(cmd, ret, &m, value);
}

static int parse_letters(const struct command *cmd, const char *letters, int *i, int argc, char **argv,
			 struct parsed *ret)
{
	const struct option_def *options = cmd->options ? cmd->options : no_options;

	for (const char *p = letters; *p; p++) {
		struct match m = { 0 };
		const char *value = NULL;
		int rc;

		while (!is_end(&options[m.index]) && options[m.index].letter != *p)
			m.index++;
		if (is_end(&options[m.index])) {
			if (*p == 'h') {
				command_print_help(stdout, cmd);
				return EXIT_OK + 1;
			}
			return command_usage(cmd, "there is no option -%c", *p) + 1;
		}
		m.found = &options[m.index];
		if (m.found->arg) {
			if (p[1])
				value = p + 1;
			else if (++*i < argc)
				value = argv[*i];
			else
				return command_usage(cmd, "-%c needs %s", *p, m.found->arg) + 1;
		}
		rc = take(cmd, ret, &m, value);
		if (rc || m.found->arg)
			return rc;
	}
	return 0;
}

/* Options may stand after other arguments, as with xl; `--' ends them and `-' is an argument. */
int options_parse(const struct command *cmd, int argc, char **argv, struct parsed *ret)
{
	bool only_args = false;
	int n = 0;

	*ret = (struct parsed){ .argv = argv };
	for (int i = 0; i < argc; i++) {
		char *arg = argv[i];
		int rc = 0;

		if (only_args || arg[0] != '-' || !arg[1])
			argv[n++] = arg;
		else if (!strcmp(arg, "--"))
			only_args = true;
		else if (arg[1] == '-')
			rc = parse_long(cmd, arg + 2, &i, argc, argv, ret);
		else
			rc = parse_letters(cmd, arg + 1, &i, argc, argv, ret);
		if (rc)
			return rc;
	}
	ret->argc = n;
	if (n < cmd->args_min)
		return command_usage(cmd, "%s is missing", n || !cmd->args[0] ? "an argument" : cmd->args) + 1;
	if (cmd->args_max >= 0 && n > cmd->args_max)
		return command_usage(cmd, "`%s' is one argument too many", argv[cmd->args_max]) + 1;
	return 0;
}
