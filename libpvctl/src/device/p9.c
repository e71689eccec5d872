/* SPDX-License-Identifier: MIT */
/* The shared directories of a configuration. */
#include "device/lists.h"
#include "device/p9_spec.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/paths.h"
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#define CHECK_TIMEOUT_MS 10000

/* Never returns. Only async-signal-safe calls: the caller may have threads. */
static void run_check(const char *tool, char *const *argv, int out)
{
	struct sigaction dfl = { .sa_handler = SIG_DFL };
	char *const env[] = { NULL };
	int null = open("/dev/null", O_RDWR);
	sigset_t none;

	if (null < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0 || dup2(out, 2) < 0)
		_exit(127);
	for (int i = 1; i < 32; i++)
		sigaction(i, &dfl, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	execve(tool, argv, env);
	_exit(127);
}

/* What it said, without the newline. False: it did not come to an end in time. */
static bool hear(int fd, char *text, size_t size)
{
	uint64_t until = ctx_now_ns() + CHECK_TIMEOUT_MS * 1000000ull, now;
	struct pollfd p = { .fd = fd, .events = POLLIN };
	size_t have = 0;
	char more[200];
	ssize_t n = 1;

	while (n > 0 && (now = ctx_now_ns()) < until) {
		if (poll(&p, 1, (int)((until - now) / 1000000) + 1) <= 0)
			continue;
		n = read(fd, more, sizeof(more));
		for (ssize_t i = 0; i < n && have < size - 1; i++)
			text[have++] = more[i];
	}
	text[have] = '\0';
	text[strcspn(text, "\n")] = '\0';
	return n <= 0;
}

/* All that the server needs of this host, tried out without one. */
static int try_jail(const struct p9_spec *s, struct pvctl_error *err)
{
	const char *argv[] = { "pvctl-p9", "--check", s->path, NULL };
	CLEANUP_CLOSE int in = -1, out = -1;
	char tool[600], said[160] = "";
	int fds[2], status = 0;
	pid_t pid;

	if (paths_find_tool("pvctl-p9", tool, sizeof(tool)))
		return err_set(err, -ENOENT, PVCTL_ORIGIN_LIB, "the program pvctl-p9 is not installed");
	if (pipe2(fds, O_CLOEXEC))
		return err_os(err, errno, "pipe");
	in = fds[0];
	out = fds[1];
	pid = fork();
	if (pid < 0)
		return err_os(err, errno, "fork");
	if (!pid)
		run_check(tool, (char *const *)(uintptr_t)argv, out);
	close(TAKE_FD(out));
	if (!hear(in, said, sizeof(said)))
		kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (WIFEXITED(status) && !WEXITSTATUS(status))
		return 0;
	return err_set(err, -EPERM, PVCTL_ORIGIN_LIB, "p9 share \"%s\": %s", s->tag,
	               said[0] ? said : "the server's sandbox cannot be made");
}

static int plan(void *spec, struct pvctl_error *err)
{
	struct p9_spec *s = spec;
	struct stat st;
	int rc = device_path_absolute(s->path, P9_PATH_MAX, "p9 path", err);

	if (rc)
		return rc;
	if (stat(s->path, &st))
		return err_os(err, errno, "p9 share \"%s\": %.600s", s->tag, s->path);
	if (!S_ISDIR(st.st_mode))
		return err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "p9 share \"%s\": %.600s is not a directory", s->tag, s->path);
	return try_jail(s, err);
}

static int parse(const char *text, void *spec, struct pvctl_error *err)
{
	return p9_spec_parse(text, spec, err);
}

static void format(const void *spec, char *text)
{
	p9_spec_format(spec, text);
}

static uint32_t *devid(void *spec, bool **ret_has)
{
	struct p9_spec *s = spec;

	*ret_has = &s->has_devid;
	return &s->devid;
}

static const char *name(const void *spec)
{
	return ((const struct p9_spec *)spec)->tag;
}

const struct device_list p9_list = {
	.key = "p9", .class_id = PROTO_CLASS_P9, .first = 0, .last = P9_MAX_SHARES - 1,
	.spec_size = sizeof(struct p9_spec), .text_size = P9_SPEC_MAX + 1, .parse = parse, .format = format,
	.devid = devid, .what = "tag", .name = name, .plan = plan,
};

int p9_check_list(const char *key, const char *const *values, size_t n, struct pvctl_error *err)
{
	return device_list_check(&p9_list, values, n, err);
}
