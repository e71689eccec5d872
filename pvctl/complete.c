/* SPDX-License-Identifier: MIT */
/* Completion from the tables that parse: commands, options, and which argument stands where. */
#include "pvctl/complete.h"

#include <string.h>

static bool wants_files, no_space;

void complete_offer(const char *prefix, const char *cur, const char *word, const char *about)
{
	size_t len = strlen(word);

	if (!len || strncmp(word, cur, strlen(cur)) || strpbrk(word, "\t\n"))
		return;
	if (strchr("=:", word[len - 1]))
		no_space = true;
	printf("%s%s\t%s\n", prefix, word, about ? about : "");
}

void complete_files(void)
{
	wants_files = true;
}

static bool is_end(const struct option_def *o)
{
	return !o->letter && !o->name;
}

static void offer_options(const struct option_def *o, const char *cur)
{
	char word[64];

	for (; o && !is_end(o); o++) {
		if (!o->help || !o->help[0])
			continue;
		if (o->name)
			snprintf(word, sizeof(word), "--%s", o->name);
		else
			snprintf(word, sizeof(word), "-%c", o->letter);
		complete_offer("", cur, word, o->help);
	}
}

static void offer_commands(const char *group, const char *cur)
{
	const char *last = "";

	for (size_t i = 0; commands[i]; i++) {
		const struct command *c = commands[i];

		if (group) {
			if (c->group && !strcmp(c->group, group))
				complete_offer("", cur, c->name, c->summary);
		} else if (!c->group) {
			complete_offer("", cur, c->name, c->summary);
		} else if (strcmp(c->group, last)) {
			complete_offer("", cur, c->group, "...");
			last = c->group;
		}
	}
}

/* The option that the word is, "--name", "--name=" or "-x"; NULL: none, or one without an argument. */
static const struct option_def *option_with_arg(const struct option_def *o, const char *word)
{
	size_t len = strcspn(word, "=");

	for (; o && !is_end(o); o++) {
		if (!o->arg)
			continue;
		if (!strncmp(word, "--", 2) ? o->name && strlen(o->name) == len - 2 && !strncmp(o->name, word + 2, len - 2) :
					      o->letter && word[0] == '-' && word[1] == o->letter && !word[2])
			return o;
	}
	return NULL;
}

static const struct option_def *find_option(const struct command *cmd, const char *word)
{
	const struct option_def *o = cmd ? option_with_arg(cmd->options, word) : option_with_arg(global_options(), word);

	return o ? o : cmd ? option_with_arg(common_options(), word) : NULL;
}

/* The n-th argument's name; the last one, if it has dots, stands for all that follow. */
static void argument_at(const char *args, int n, char *buf, size_t size)
{
	const char *p = args;
	size_t len;

	buf[0] = '\0';
	for (int i = 0; *p; i++) {
		const char *dots;

		len = strcspn(p, " ");
		dots = !strncmp(p + len, " ...", 4) ? p + len + 1 : NULL;
		if (i == n || dots || (len > 3 && memmem(p, len, "...", 3))) {
			snprintf(buf, size, "%.*s", (int)len, p);
			return;
		}
		p += len;
		p += strspn(p, " ");
	}
}

struct line {
	const struct command *cmd;
	const char *group;
	const char *first;            /* argument of the command */
	const struct option_def *open; /* the last word is its argument */
	int n_args;
};

static void take_word(struct line *l, const char *word)
{
	bool is_argument = false;

	if (l->open) {
		if (l->open->name && !strcmp(l->open->name, "node"))
			globals.node = word;
		l->open = NULL;
	} else if (word[0] == '-' && word[1]) {
		if (!strncmp(word, "--node=", 7))
			globals.node = word + 7;
		else if (!strchr(word, '='))
			l->open = find_option(l->cmd, word);
	} else if (!l->cmd && !l->group) {
		l->group = command_group(word);
		l->cmd = l->group ? NULL : command_find(NULL, word);
	} else if (!l->cmd) {
		l->cmd = command_in_group(l->group, word, &is_argument);
	} else {
		is_argument = true;
	}
	if (is_argument)
		l->first = l->n_args++ ? l->first : word;
}

/* Where a word may be an argument as well. */
static void offer_rest(const char *group, const char *cur)
{
	char name[80];

	for (size_t i = 0; group && commands[i]; i++)
		if (commands[i]->takes_rest && commands[i]->group && !strcmp(commands[i]->group, group)) {
			argument_at(commands[i]->args, 0, name, sizeof(name));
			complete_argument(name, NULL, "", cur, NULL);
		}
}

static void complete_last(const struct line *l, const char *cur)
{
	const struct option_def *o;
	char prefix[80], name[80];

	if (l->open) {
		complete_argument(l->open->arg, l->open->name, "", cur, l->first);
	} else if (cur[0] == '-' && strchr(cur, '=')) {
		o = find_option(l->cmd, cur);
		snprintf(prefix, sizeof(prefix), "%.*s", (int)strcspn(cur, "=") + 1, cur);
		if (o)
			complete_argument(o->arg, o->name, prefix, strchr(cur, '=') + 1, l->first);
	} else if (cur[0] == '-') {
		offer_options(l->cmd ? l->cmd->options : l->group ? NULL : global_options(), cur);
		if (l->cmd)
			offer_options(common_options(), cur);
	} else if (!l->cmd) {
		offer_commands(l->group, cur);
		offer_rest(l->group, cur);
	} else {
		argument_at(l->cmd->args, l->n_args, name, sizeof(name));
		complete_argument(name, NULL, "", cur, l->first);
	}
}

void complete_words(char *const *words, int n)
{
	struct line l = { 0 };

	for (int i = 0; i + 1 < n; i++)
		take_word(&l, words[i]);
	complete_last(&l, n ? words[n - 1] : "");
	if (wants_files)
		puts(":files");
	if (no_space)
		puts(":nospace");
}
