/* SPDX-License-Identifier: MIT */
/* Lines of commands. Each runs in a process of its own, as from another shell: nothing that one does is left for the next. */
#include <editline/readline.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pvctl/cmd.h"
#include "pvctl/commands.h"
#include "pvctl/complete.h"
#include "pvctl/shell_words.h"

#define HISTORY_LINES 1000
#define COMPLETION_SECONDS 3 /* a node that hangs must not keep the prompt */

/* ---- what was typed before ---- */
/* false: there is no place for it. */
static bool history_path(char *buf, size_t size)
{
	const char *own = getenv("PVCTL_STATE_DIR"), *xdg = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
	int n;

	if (own && own[0] == '/')
		n = snprintf(buf, size, "%s/shell-history", own);
	else if (xdg && xdg[0] == '/')
		n = snprintf(buf, size, "%s/pvctl/shell-history", xdg);
	else if (!geteuid())
		n = snprintf(buf, size, "/var/lib/pvctl/shell-history");
	else if (home && home[0] == '/')
		n = snprintf(buf, size, "%s/.local/state/pvctl/shell-history", home);
	else
		return false;
	return n < (int)size;
}

/* The directories above, but not the first one: that is the user's home, or none of ours to make. */
static void make_above(char *path)
{
	for (char *p = strchr(path + 1, '/'); p && (p = strchr(p + 1, '/')); ) {
		*p = '\0';
		mkdir(path, 0700);
		*p = '/';
	}
}

static void history_keep(char *path)
{
	mode_t before = umask(077);

	make_above(path);
	write_history(path);
	umask(before);
}

/* ---- one line ---- */
static int child_status(pid_t child)
{
	int status;

	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return EXIT_FAILED;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* The rest of a script is no console's input. The descriptor only: to close the stream would move where the parent reads on. */
static int no_input(void)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	return fd < 0 || dup2(fd, STDIN_FILENO) < 0;
}

static int run_words(struct words *w, bool terminal)
{
	static char self[] = "pvctl";
	struct sigaction ignore = { .sa_handler = SIG_IGN }, before;
	pid_t child;
	int rc;

	if (w->n && !strcmp(w->v[0], "shell")) {
		say_error("this is one");
		return EXIT_FAILED;
	}
	/* Ctrl-C is for the command. */
	sigaction(SIGINT, &ignore, &before);
	fflush(NULL);
	child = fork();
	if (!child) {
		sigaction(SIGINT, &before, NULL);
		if (!terminal && no_input())
			_exit(EXIT_FAILED);
		w->v[-1] = self;
		_exit(run_command_line((int)w->n + 1, w->v - 1));
	}
	if (child < 0)
		say_error("fork: %s", strerror(errno));
	rc = child < 0 ? EXIT_FAILED : child_status(child);
	sigaction(SIGINT, &before, NULL);
	return rc;
}

/* false: this was the last one. */
static bool run_line(const char *line, bool terminal, int *status)
{
	struct words w;
	const char *wrong = words_split(&w, line, NULL);
	bool more = true;

	if (wrong) {
		say_error("%s", wrong);
		*status = EXIT_USAGE;
	} else if (w.n && (!strcmp(w.v[0], "exit") || !strcmp(w.v[0], "quit"))) {
		more = false;
	} else if (w.n) {
		*status = run_words(&w, terminal);
	}
	words_free(&w);
	return more;
}

/* ---- completion: asked of a process of its own, in what the other shells are told, too ---- */
static struct {
	char **found;
	size_t n, at;
	bool files, no_space;
} answer;

static void forget_answer(void)
{
	for (size_t i = 0; i < answer.n; i++)
		free(answer.found[i]);
	free(answer.found);
	memset(&answer, 0, sizeof(answer));
}

static void take_answer(FILE *in)
{
	char *line = NULL, **more;
	size_t size = 0;

	while (getline(&line, &size, in) > 0) {
		line[strcspn(line, "\t\n")] = '\0';
		if (!strcmp(line, ":files")) {
			answer.files = true;
		} else if (!strcmp(line, ":nospace")) {
			answer.no_space = true;
		} else {
			more = reallocarray(answer.found, answer.n + 1, sizeof(*more));
			if (!more)
				break;
			answer.found = more;
			answer.found[answer.n] = strdup(line);
			answer.n += answer.found[answer.n] != NULL;
		}
	}
	free(line);
}

static void ask(const struct words *w)
{
	int fd[2];
	pid_t child;
	FILE *in;

	if (pipe(fd))
		return;
	fflush(NULL);
	child = fork();
	if (!child) {
		alarm(COMPLETION_SECONDS);
		if (dup2(fd[1], STDOUT_FILENO) < 0 || !freopen("/dev/null", "w", stderr))
			_exit(EXIT_FAILED);
		close(fd[0]);
		close(fd[1]);
		complete_words(w->v, (int)w->n);
		fflush(stdout);
		_exit(EXIT_OK);
	}
	close(fd[1]);
	in = child < 0 ? NULL : fdopen(fd[0], "r");
	if (in)
		take_answer(in);
	if (in)
		fclose(in);
	else
		close(fd[0]);
	if (child > 0)
		child_status(child);
}

static char *next_answer(const char *text, int state)
{
	return answer.at < answer.n ? strdup(answer.found[answer.at++]) : NULL;
}

static char **complete_at(const char *text, int start, int end)
{
	char line[4096], **found = NULL;
	struct words w;

	forget_answer();
	rl_attempted_completion_over = 1;
	rl_completion_append_character = ' ';
	if (end >= (int)sizeof(line))
		return NULL;
	snprintf(line, sizeof(line), "%.*s", end, rl_line_buffer);
	if (!words_split(&w, line, text))
		ask(&w);
	words_free(&w);
	if (answer.no_space)
		rl_completion_append_character = '\0';
	if (answer.n)
		found = rl_completion_matches(text, next_answer);
	else if (answer.files)
		rl_attempted_completion_over = 0; /* libedit's own are files' names */
	return found;
}

/* ---- the two kinds of input ---- */
static int interactive(void)
{
	static char breaks[] = " \t\n\"'", name[] = "pvctl";
	char path[4096], prompt[160], *line;
	bool kept = history_path(path, sizeof(path)), more = true;
	int status = EXIT_OK;

	rl_readline_name = name;
	rl_attempted_completion_function = complete_at;
	rl_completer_word_break_characters = breaks;
	using_history();
	stifle_history(HISTORY_LINES);
	if (kept)
		read_history(path);
	snprintf(prompt, sizeof(prompt), "pvctl%s%s> ", globals.node ? " " : "", globals.node ? globals.node : "");
	while (more && (line = readline(prompt))) {
		if (line[strspn(line, " \t")]) {
			add_history(line);
			if (kept)
				history_keep(path);
		}
		more = run_line(line, true, &status);
		free(line);
	}
	if (more)
		putchar('\n');
	return status;
}

static int script(void)
{
	char *line = NULL;
	size_t size = 0;
	int status = EXIT_OK;

	while (getline(&line, &size, stdin) > 0 && run_line(line, false, &status))
		;
	free(line);
	return status;
}

static int shell_run(const struct command *cmd, const struct parsed *in)
{
	return isatty(STDIN_FILENO) ? interactive() : script();
}

const struct command cmd_shell = {
	.name = "shell", .args = "", .summary = "Read commands, with completion and a history",
	.example = "  pvctl --node lab shell\n  printf '%s\\n' 'pause web1' 'list' | pvctl shell",
	.args_max = 0, .run = shell_run,
};
